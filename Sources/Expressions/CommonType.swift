import Columnar
import Plan

/// The type in which two operands meet (Flink's `LogicalTypeMerging`, after Calcite's `leastRestrictive`).
enum CommonType {
    /// The type in which two numbers are added; nil if one is not a number.
    static func forArithmetic(_ left: DataType, _ right: DataType) -> DataType? {
        let isNullable = left.isNullable || right.isNullable
        if left.kind == .null { return right.isNumeric ? right.nullable : nil }
        if right.kind == .null { return left.isNumeric ? left.nullable : nil }
        guard left.isNumeric, right.isNumeric else { return nil }
        return DataType(numericKind(left.kind, right.kind), isNullable: isNullable)
    }

    /// The type in which two values are compared; nil if they cannot be.
    static func forComparison(_ left: DataType, _ right: DataType) -> DataType? {
        if left.kind == right.kind { return left }
        if left.kind == .null { return right.nullable }
        if right.kind == .null { return left.nullable }
        if let numeric = forArithmetic(left, right) { return numeric }
        let isNullable = left.isNullable || right.isNullable
        if left.isText && right.isText { return DataType(.varChar(DataType.unboundedLength), isNullable: isNullable) }
        switch (left.kind, right.kind) {
        case (.binary, .varBinary), (.varBinary, .binary), (.binary, .binary), (.varBinary, .varBinary):
            return DataType(.varBinary(DataType.unboundedLength), isNullable: isNullable)
        case (.timestamp(let one), .timestamp(let other)): return DataType(.timestamp(max(one, other)), isNullable: isNullable)
        case (.timestampLTZ(let one), .timestampLTZ(let other)): return DataType(.timestampLTZ(max(one, other)), isNullable: isNullable)
        case (.time(let one), .time(let other)): return DataType(.time(max(one, other)), isNullable: isNullable)
        case (.intervalDayTime(let one), .intervalDayTime(let other)):
            return DataType(.intervalDayTime(max(one, other)), isNullable: isNullable)
        case (.date, .timestamp(let precision)), (.timestamp(let precision), .date):
            return DataType(.timestamp(precision), isNullable: isNullable)
        default: return nil
        }
    }

    /// The decimal that holds every value of an integer type; a decimal itself.
    static func asDecimal(_ type: DataType) -> DataType {
        let precision: Int
        switch type.kind {
        case .tinyInt: precision = 3
        case .smallInt: precision = 5
        case .int: precision = 10
        case .bigInt: precision = 19
        default: return type
        }
        return DataType(.decimal(precision: precision, scale: 0), isNullable: type.isNullable)
    }

    private static func numericKind(_ left: DataType.Kind, _ right: DataType.Kind) -> DataType.Kind {
        if left == .double || right == .double { return .double }
        if left == .float || right == .float {
            // FLOAT meets an exact integer as FLOAT, but a decimal as DOUBLE.
            if case .decimal = left { return .double }
            if case .decimal = right { return .double }
            return .float
        }
        guard case .decimal(let leftPrecision, let leftScale) = asDecimal(DataType(left)).kind,
            case .decimal(let rightPrecision, let rightScale) = asDecimal(DataType(right)).kind
        else { return left }
        if let leftRank = integerRank(left), let rightRank = integerRank(right) { return leftRank >= rightRank ? left : right }
        let scale = max(leftScale, rightScale)
        let whole = max(leftPrecision - leftScale, rightPrecision - rightScale)
        return .decimal(precision: min(38, whole + scale), scale: min(scale, max(0, 38 - whole)))
    }

    private static func integerRank(_ kind: DataType.Kind) -> Int? {
        switch kind {
        case .tinyInt: 0
        case .smallInt: 1
        case .int: 2
        case .bigInt: 3
        default: nil
        }
    }
}

extension DataType {
    /// Integers, FLOAT, DOUBLE and DECIMAL.
    var isNumeric: Bool {
        switch kind {
        case .tinyInt, .smallInt, .int, .bigInt, .float, .double, .decimal: true
        default: false
        }
    }

    /// TINYINT, SMALLINT, INT and BIGINT.
    var isInteger: Bool {
        switch kind {
        case .tinyInt, .smallInt, .int, .bigInt: true
        default: false
        }
    }

    /// Whether `<` has a meaning.
    var isOrdered: Bool {
        switch kind {
        case .null, .array, .map, .multiset, .row, .raw, .object: false
        default: true
        }
    }
}
