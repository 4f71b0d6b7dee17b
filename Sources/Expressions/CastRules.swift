import Columnar

/// Which types can be cast to which.
enum CastRules {
    static func isSupported(from source: DataType, to target: DataType) -> Bool {
        if source.kind == target.kind || source.kind == .null { return true }
        switch (group(source), group(target)) {
        case (.number, .number), (.number, .boolean), (.boolean, .number): return true
        case (.number, .text), (.boolean, .text), (.text, .number), (.text, .boolean), (.text, .text): return true
        case (.timestamp, .timestamp), (.timestamp, .text), (.text, .timestamp), (.date, .text), (.text, .date): return true
        case (.date, .timestamp), (.timestamp, .date), (.time, .time), (.interval, .interval): return true
        case (.bytes, .bytes), (.text, .bytes), (.bytes, .text): return true
        default: return false
        }
    }

    static func hint(from source: DataType, to target: DataType) -> String? {
        if source.kind == .object { return "Declare the field's type with output_type, so that its column is native." }
        if group(source) == .number, group(target) == .timestamp { return "Numbers have no unit: use a timestamp assigner instead." }
        return nil
    }

    enum Group { case number, boolean, text, bytes, timestamp, date, time, interval, other }

    static func group(_ type: DataType) -> Group {
        switch type.kind {
        case .tinyInt, .smallInt, .int, .bigInt, .float, .double, .decimal: .number
        case .boolean: .boolean
        case .char, .varChar: .text
        case .binary, .varBinary: .bytes
        case .timestamp, .timestampLTZ: .timestamp
        case .date: .date
        case .time: .time
        case .intervalDayTime: .interval
        default: .other
        }
    }
}
