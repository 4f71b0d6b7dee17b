import Columnar
import Plan

/// TO_TIMESTAMP_LTZ of numbers: `TO_TIMESTAMP_LTZ(n, p)` is n / 10^p seconds after 1970-01-01 00:00:00 UTC, n towards zero. NULL outside the years 0 to 9999.
enum TimeEpoch {
    private static let first: Int64 = -62_167_219_200
    private static let last: Int64 = 253_402_300_799
    private static let powers: [Int64] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000]

    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let source = request.arguments[0]
        let type = request.type
        let steps = type.stepsPerSecond ?? 1000
        let hasPrecision = request.arguments.count > 1
        let scale: Int
        switch source.kind {
        case .decimal(_, let digits): scale = digits
        case .tinyInt, .smallInt, .int, .bigInt, .float, .double: scale = 0
        default: throw MillstreamError(.plan, "TO_TIMESTAMP_LTZ takes a number or text, not \(source)")
        }
        return { (arguments, count, _) throws(MillstreamError) in
            let precisions = hasPrecision ? TimeLoop.widened(arguments[1]) : nil
            let numbers = arguments[0]
            let integers = TimeLoop.widened(numbers)
            let result = try TimeParsing.map(arguments, count, type) { row throws(MillstreamError) in
                var precision = 3
                if let precisions {
                    precision = Int(clamping: precisions.column.pointer(as: Int64.self)[precisions.isConstant ? 0 : row])
                    guard precision >= 0, precision <= 9 else {
                        throw MillstreamError(.arithmetic, "the precision of TO_TIMESTAMP_LTZ must be between 0 and 9 but was \(precision)")
                    }
                }
                let at = numbers.isConstant ? 0 : row
                switch source.kind {
                case .double, .float:
                    let number = source.kind == .double ? numbers.column.pointer(as: Double.self)[at] : Double(numbers.column.pointer(as: Float.self)[at])
                    return value(number, precision, steps)
                case .decimal:
                    var number = numbers.column.pointer(as: Int128.self)[at]
                    for _ in 0..<scale { number /= 10 }
                    guard let narrow = Int64(exactly: number) else { return nil }
                    return value(narrow, precision, steps)
                default: return value(integers.column.pointer(as: Int64.self)[at], precision, steps)
                }
            }
            withExtendedLifetime((precisions?.column, integers.column, numbers.column)) {}
            return result
        }
    }

    private static func value(_ number: Int64, _ precision: Int, _ steps: Int64) -> Int64? {
        let power = powers[precision]
        let second = CivilDate.quotient(number, power)
        guard second >= first, second <= last else { return nil }
        let rest = number &- second &* power
        return Int64(exactly: Int128(second) * Int128(steps) + Int128(rest.rescaled(from: power, to: steps)))
    }

    private static func value(_ number: Double, _ precision: Int, _ steps: Int64) -> Int64? {
        // Of seconds the milliseconds count too.
        if precision == 0 {
            guard number >= Double(first), number <= Double(last) else { return nil }
            return value(Int64(number * 1000), 3, steps)
        }
        guard abs(number) < 9.2e18 else { return number.isNaN ? value(0 as Int64, precision, steps) : nil }
        return value(Int64(number), precision, steps)
    }
}
