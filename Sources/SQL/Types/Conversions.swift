import Columnar

/// Which types become which, by themselves or by CAST.
enum Conversions {
    // MARK: By themselves

    /// Whether a value of one type is taken where the other is wanted, as Flink's own functions take it and INSERT writes it.
    static func isImplicit(from source: DataType, to target: DataType) -> Bool {
        if source.kind == target.kind || source.kind == .null { return true }
        switch (source.kind, target.kind) {
        case (.char, .char), (.char, .varChar), (.varChar, .varChar), (.varChar, .char): return true
        case (.binary, .binary), (.binary, .varBinary), (.varBinary, .varBinary), (.varBinary, .binary): return true
        case (.decimal, .decimal), (.decimal, .float), (.decimal, .double), (.float, .double): return true
        case (.time, .time), (.timestamp, .timestamp), (.timestampLTZ, .timestampLTZ), (.intervalDayTime, .intervalDayTime): return true
        case (.timestamp, .timestampLTZ), (.timestampLTZ, .timestamp), (.date, .timestamp), (.date, .timestampLTZ): return true
        case (_, .decimal), (_, .float), (_, .double): return source.isInteger
        case (.array(let one), .array(let other)), (.multiset(let one), .multiset(let other)): return isImplicit(from: one, to: other)
        case (.map(let oneKey, let oneValue), .map(let otherKey, let otherValue)):
            return isImplicit(from: oneKey, to: otherKey) && isImplicit(from: oneValue, to: otherValue)
        default: break
        }
        if let one = source.integerRank, let other = target.integerRank { return one <= other }
        if let one = source.fields, let other = target.fields {
            return one.count == other.count && zip(one, other).allSatisfy { isImplicit(from: $0.type, to: $1.type) }
        }
        return false
    }

    // MARK: By CAST

    /// Whether CAST takes it. Values may still fail.
    static func isExplicit(from source: DataType, to target: DataType) -> Bool {
        switch (group(source), group(target)) {
        case (.null, _): return true
        // A variant has no cast at all, not even to itself; a bitmap only one to text.
        case (.variant, _), (_, .variant), (_, .bitmap): return false
        case (_, .other), (.other, _): return source.kind == target.kind
        case (_, .text): return true
        case (.text, .interval), (.text, .nested): return false
        case (.text, _): return true
        case (.boolean, .boolean), (.boolean, .number), (.number, .boolean), (.number, .number): return true
        // A number of units: only where the interval has one.
        case (.number, .interval): return false
        case (.bytes, .bytes): return true
        case (.date, .date), (.time, .time), (.timestamp, .timestamp), (.date, .timestamp), (.timestamp, .date), (.timestamp, .time),
            (.time, .timestamp):
            return true
        case (.interval, .interval): return (source.kind == .intervalYearMonth) == (target.kind == .intervalYearMonth)
        case (.nested, .nested): return nested(source, target)
        default: return false
        }
    }

    private static func nested(_ source: DataType, _ target: DataType) -> Bool {
        switch (source.kind, target.kind) {
        case (.array(let one), .array(let other)), (.multiset(let one), .multiset(let other)): return isExplicit(from: one, to: other)
        case (.map(let oneKey, let oneValue), .map(let otherKey, let otherValue)):
            return isExplicit(from: oneKey, to: otherKey) && isExplicit(from: oneValue, to: otherValue)
        default:
            guard let one = source.fields, let other = target.fields, one.count == other.count else { return false }
            return zip(one, other).allSatisfy { isExplicit(from: $0.type, to: $1.type) }
        }
    }

    /// What to do instead of a cast that does not exist.
    static func hint(from source: DataType, to target: DataType) -> String? {
        switch (group(source), group(target)) {
        case (.number, .timestamp) where target.isTimestamp: "A number has no unit: TO_TIMESTAMP(FROM_UNIXTIME(seconds)) says seconds."
        case (.number, .timestamp): "A number has no unit: TO_TIMESTAMP_LTZ(number, precision) says which, 0 for seconds, 3 for milliseconds."
        case (.timestamp, .number): "UNIX_TIMESTAMP(CAST(value AS STRING)) gives seconds."
        case (.number, .date): "DATE '1970-01-01' + INTERVAL n DAY counts days."
        case (.date, .number): "TIMESTAMPDIFF(DAY, DATE '1970-01-01', value) counts days."
        case (.variant, _): "JSON_STRING(value) gives its text, value['key'] a part of it."
        case (_, .variant): "PARSE_JSON(text) makes a variant."
        case (.text, .nested): "JSON_QUERY(text, '$' RETURNING ARRAY<STRING>) reads an array; SPLIT cuts a text."
        case (.interval, .number): "EXTRACT(unit FROM interval) gives a number."
        default: nil
        }
    }

    private enum Group { case null, boolean, number, text, bytes, date, time, timestamp, interval, nested, variant, bitmap, other }

    private static func group(_ type: DataType) -> Group {
        switch type.kind {
        case .null: .null
        case .boolean: .boolean
        case .tinyInt, .smallInt, .int, .bigInt, .float, .double, .decimal: .number
        case .char, .varChar: .text
        case .binary, .varBinary: .bytes
        case .date: .date
        case .time: .time
        case .timestamp, .timestampLTZ: .timestamp
        case .intervalYearMonth, .intervalDayTime: .interval
        case .array, .map, .multiset, .row, .structured: .nested
        case .variant: .variant
        case .bitmap: .bitmap
        case .raw, .object: .other
        }
    }
}
