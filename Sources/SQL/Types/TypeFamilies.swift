import Columnar

/// What functions ask about the types of their arguments.
extension DataType {
    var isInteger: Bool {
        switch kind {
        case .tinyInt, .smallInt, .int, .bigInt: true
        default: false
        }
    }

    var isDecimal: Bool {
        if case .decimal = kind { return true }
        return false
    }

    var isApproximate: Bool { kind == .float || kind == .double }
    /// Integers and DECIMAL.
    var isExact: Bool { isInteger || isDecimal }
    var isNumber: Bool { isExact || isApproximate }

    var isBytes: Bool {
        switch kind {
        case .binary, .varBinary: true
        default: false
        }
    }

    var isTimestamp: Bool {
        if case .timestamp = kind { return true }
        return false
    }

    var isInstant: Bool {
        if case .timestampLTZ = kind { return true }
        return false
    }

    var isTimeOfDay: Bool {
        if case .time = kind { return true }
        return false
    }

    /// DATE, TIME, TIMESTAMP and TIMESTAMP_LTZ.
    var isPointInTime: Bool { kind == .date || isTimeOfDay || isTimestamp || isInstant }

    var isInterval: Bool {
        switch kind {
        case .intervalYearMonth, .intervalDayTime: true
        default: false
        }
    }

    var isCollection: Bool {
        switch kind {
        case .array, .map, .multiset: true
        default: false
        }
    }

    /// The element of an ARRAY or MULTISET.
    var element: DataType? {
        switch kind {
        case .array(let element), .multiset(let element): element
        default: nil
        }
    }

    /// The fields of a ROW or a structured type.
    var fields: [Field]? {
        switch kind {
        case .row(let fields), .structured(_, let fields): fields
        default: nil
        }
    }

    /// The largest length of text or bytes, else nil.
    var length: Int? {
        switch kind {
        case .char(let length), .varChar(let length), .binary(let length), .varBinary(let length): length
        default: nil
        }
    }

    /// Digits behind the second, or nil.
    var timePrecision: Int? {
        switch kind {
        case .time(let precision), .timestamp(let precision), .timestampLTZ(let precision): precision
        default: nil
        }
    }

    /// The decimal that holds each value of an exact number.
    var asDecimal: (precision: Int, scale: Int)? {
        switch kind {
        case .tinyInt: (3, 0)
        case .smallInt: (5, 0)
        case .int: (10, 0)
        case .bigInt: (19, 0)
        case .decimal(let precision, let scale): (precision, scale)
        default: nil
        }
    }

    /// The place among TINYINT, SMALLINT, INT, BIGINT.
    var integerRank: Int? {
        switch kind {
        case .tinyInt: 0
        case .smallInt: 1
        case .int: 2
        case .bigInt: 3
        default: nil
        }
    }

    func nullable(_ isNullable: Bool) -> DataType { DataType(kind, isNullable: isNullable) }
}

/// Precision and scale of decimal results, as Flink derives them.
enum DecimalTypes {
    static func plus(_ left: (precision: Int, scale: Int), _ right: (precision: Int, scale: Int)) -> DataType.Kind {
        let scale = max(left.scale, right.scale)
        return bounded(max(left.precision - left.scale, right.precision - right.scale) + scale + 1, scale)
    }

    static func times(_ left: (precision: Int, scale: Int), _ right: (precision: Int, scale: Int)) -> DataType.Kind {
        bounded(left.precision + right.precision + 1, left.scale + right.scale)
    }

    static func divide(_ left: (precision: Int, scale: Int), _ right: (precision: Int, scale: Int)) -> DataType.Kind {
        let scale = max(6, left.scale + right.precision + 1)
        return bounded(left.precision - left.scale + right.scale + scale, scale)
    }

    static func remainder(_ left: (precision: Int, scale: Int), _ right: (precision: Int, scale: Int)) -> DataType.Kind {
        let scale = max(left.scale, right.scale)
        return bounded(min(left.precision - left.scale, right.precision - right.scale) + scale, scale)
    }

    /// Of ROUND and TRUNCATE to `digits` behind the point.
    static func rounded(_ type: (precision: Int, scale: Int), _ digits: Int) -> DataType.Kind {
        guard digits < type.scale else { return .decimal(precision: type.precision, scale: type.scale) }
        return .decimal(precision: min(38, type.precision - type.scale + 1 + max(0, digits)), scale: max(0, digits))
    }

    /// At most 38 digits; the fraction gives way first, but keeps 6 digits if it had them.
    static func bounded(_ precision: Int, _ scale: Int) -> DataType.Kind {
        guard precision > 38 else { return .decimal(precision: max(1, precision), scale: scale) }
        return .decimal(precision: 38, scale: max(38 - (precision - scale), min(scale, 6)))
    }
}
