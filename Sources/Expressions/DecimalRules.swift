import Columnar
import Plan

/// Precision and scale of decimal results, as Flink derives them.
enum DecimalRules {
    static let precisionMax = 38
    /// What a division or a product that does not fit keeps of its fraction.
    private static let scaleKept = 6

    /// The type of `left operation right`; both are decimals. Always nullable: what does not fit is NULL.
    static func result(of operation: BinaryOperation, _ left: DataType, _ right: DataType) -> DataType {
        guard case .decimal(let leftPrecision, let leftScale) = left.kind, case .decimal(let rightPrecision, let rightScale) = right.kind
        else { return left }
        let precision: Int
        let scale: Int
        switch operation {
        case .multiply:
            scale = leftScale + rightScale
            precision = leftPrecision + rightPrecision + 1
        case .divide:
            scale = max(scaleKept, leftScale + rightPrecision + 1)
            precision = leftPrecision - leftScale + rightScale + scale
        case .remainder:
            scale = max(leftScale, rightScale)
            precision = min(leftPrecision - leftScale, rightPrecision - rightScale) + scale
        default:
            scale = max(leftScale, rightScale)
            precision = max(leftPrecision - leftScale, rightPrecision - rightScale) + scale + 1
        }
        return DataType(bounded(precision: precision, scale: scale))
    }

    /// At most 38 digits; the fraction gives way first, but keeps 6 digits if it had them.
    static func bounded(precision: Int, scale: Int) -> DataType.Kind {
        guard precision > precisionMax else { return .decimal(precision: max(1, precision), scale: scale) }
        return .decimal(precision: precisionMax, scale: max(precisionMax - (precision - scale), min(scale, scaleKept)))
    }

    /// 10 to the power of `exponent`, which is clamped to 0...38.
    static func power(_ exponent: Int) -> Int128 { powers[max(0, min(precisionMax, exponent))] }

    private static let powers: [Int128] = {
        var list: [Int128] = [1]
        for _ in 0..<precisionMax { list.append(list[list.count - 1] &* 10) }
        return list
    }()
}
