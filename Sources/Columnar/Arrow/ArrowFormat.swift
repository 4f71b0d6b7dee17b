/// How an imported Arrow array lies in memory, and what it takes to make a column of it.
enum ArrowFormat: Hashable, Sendable {
    case null
    case bits
    /// Our own layout: the buffer is shared.
    case fixed(byteWidth: Int)
    /// Unsigned integers, which become the next wider type.
    case unsigned(byteWidth: Int)
    case half
    /// Decimals of 4, 8 or 32 bytes, which become Int128.
    case decimal(byteWidth: Int)
    /// Pairs of days and milliseconds, which become a duration.
    case dayTimeInterval
    case views
    case offsetBytes(isLarge: Bool)
    case fixedBytes(Int)
    case list(isLarge: Bool)
    case listView(isLarge: Bool)
    case fixedList(Int)
    case map
    case row
    case handles
}

extension ArrowFormat {
    /// The format and the natural type of a format string; types of children are filled in by the caller (`.array(.null)` and so on).
    /// Nil for text that is no format.
    static func parse(_ text: String) -> (format: ArrowFormat, kind: DataType.Kind)? {
        if let simple = simple[text] { return simple }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let argument = String(parts[1])
        switch parts[0] {
        case "d": return decimal(argument)
        case "w":
            guard let width = natural(argument) else { return nil }
            return (.fixedBytes(width), width > 0 ? .binary(width) : .varBinary(DataType.unboundedLength))
        case "+w":
            guard let width = natural(argument) else { return nil }
            return (.fixedList(width), .array(.null))
        case "tss": return timestamp(argument, 0)
        case "tsm": return timestamp(argument, 3)
        case "tsu": return timestamp(argument, 6)
        case "tsn": return timestamp(argument, 9)
        default: return nil
        }
    }

    /// Formats that Arrow knows and we refuse, by the words for the message.
    static func refused(_ text: String) -> String? {
        if text.hasPrefix("+ud:") || text.hasPrefix("+us:") { return "a union" }
        if text == "+r" { return "run-end encoded" }
        if text == "tin" { return "a month-day-nano interval" }
        return nil
    }

    private static let simple: [String: (format: ArrowFormat, kind: DataType.Kind)] = [
        "n": (.null, .null), "b": (.bits, .boolean), "c": (.fixed(byteWidth: 1), .tinyInt), "s": (.fixed(byteWidth: 2), .smallInt),
        "i": (.fixed(byteWidth: 4), .int), "l": (.fixed(byteWidth: 8), .bigInt), "f": (.fixed(byteWidth: 4), .float),
        "g": (.fixed(byteWidth: 8), .double), "C": (.unsigned(byteWidth: 1), .smallInt), "S": (.unsigned(byteWidth: 2), .int),
        "I": (.unsigned(byteWidth: 4), .bigInt), "L": (.unsigned(byteWidth: 8), .decimal(precision: 20, scale: 0)), "e": (.half, .float),
        "vu": (.views, .varChar(DataType.unboundedLength)), "vz": (.views, .varBinary(DataType.unboundedLength)),
        "u": (.offsetBytes(isLarge: false), .varChar(DataType.unboundedLength)),
        "U": (.offsetBytes(isLarge: true), .varChar(DataType.unboundedLength)),
        "z": (.offsetBytes(isLarge: false), .varBinary(DataType.unboundedLength)),
        "Z": (.offsetBytes(isLarge: true), .varBinary(DataType.unboundedLength)), "tdD": (.fixed(byteWidth: 4), .date),
        "tdm": (.fixed(byteWidth: 8), .timestamp(3)), "tts": (.fixed(byteWidth: 4), .time(0)), "ttm": (.fixed(byteWidth: 4), .time(3)),
        "ttu": (.fixed(byteWidth: 8), .time(6)), "ttn": (.fixed(byteWidth: 8), .time(9)), "tiM": (.fixed(byteWidth: 4), .intervalYearMonth),
        "tiD": (.dayTimeInterval, .intervalDayTime(3)), "tDs": (.fixed(byteWidth: 8), .intervalDayTime(0)),
        "tDm": (.fixed(byteWidth: 8), .intervalDayTime(3)), "tDu": (.fixed(byteWidth: 8), .intervalDayTime(6)),
        "tDn": (.fixed(byteWidth: 8), .intervalDayTime(9)), "+l": (.list(isLarge: false), .array(.null)),
        "+L": (.list(isLarge: true), .array(.null)), "+vl": (.listView(isLarge: false), .array(.null)),
        "+vL": (.listView(isLarge: true), .array(.null)), "+m": (.map, .map(key: .null, value: .null)), "+s": (.row, .row([])),
    ]

    private static func natural(_ text: String) -> Int? {
        guard let value = Int(text), value >= 0, value <= Int(Int32.max) else { return nil }
        return value
    }

    /// A zone makes an instant; the values are UTC whatever the zone is.
    private static func timestamp(_ zone: String, _ precision: Int) -> (ArrowFormat, DataType.Kind) {
        (.fixed(byteWidth: 8), zone.isEmpty ? .timestamp(precision) : .timestampLTZ(precision))
    }

    /// precision,scale[,bits]
    private static func decimal(_ argument: String) -> (ArrowFormat, DataType.Kind)? {
        let numbers = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 2 || numbers.count == 3, let precision = numbers[0], let scale = numbers[1] else { return nil }
        guard let bits = numbers.count == 3 ? numbers[2] : 128, precision >= 1, precision <= 76 else { return nil }
        // A negative scale or one above the precision is Arrow, but no Flink type: the caller refuses it by its kind.
        let kind = DataType.Kind.decimal(precision: min(38, precision), scale: scale)
        switch bits {
        case 32: return (.decimal(byteWidth: 4), kind)
        case 64: return (.decimal(byteWidth: 8), kind)
        case 128: return precision <= 38 ? (.fixed(byteWidth: 16), kind) : nil
        case 256: return (.decimal(byteWidth: 32), kind)
        default: return nil
        }
    }
}

extension DataType {
    /// The format string under which a column of this type is exported. OBJECT columns are integers in Arrow's eyes.
    func arrowFormat(usesViews: Bool) -> String {
        switch kind {
        case .null: "n"
        case .boolean: "b"
        case .tinyInt: "c"
        case .smallInt: "s"
        case .int: "i"
        case .bigInt, .object: "l"
        case .float: "f"
        case .double: "g"
        case .decimal(let precision, let scale): "d:\(precision),\(scale)"
        case .char, .varChar: usesViews ? "vu" : "u"
        case .binary, .varBinary, .raw, .variant, .bitmap: usesViews ? "vz" : "z"
        case .date: "tdD"
        case .time(let precision): "tt" + unitLetter(precision)
        case .timestamp(let precision): "ts" + unitLetter(precision) + ":"
        case .timestampLTZ(let precision): "ts" + unitLetter(precision) + ":UTC"
        case .intervalYearMonth: "tiM"
        case .intervalDayTime(let precision): "tD" + unitLetter(precision)
        case .array: "+l"
        case .map, .multiset: "+m"
        case .row, .structured: "+s"
        }
    }

    private func unitLetter(_ precision: Int) -> String {
        switch TimeUnit(precision: precision) {
        case .second: "s"
        case .millisecond: "m"
        case .microsecond: "u"
        case .nanosecond: "n"
        }
    }
}
