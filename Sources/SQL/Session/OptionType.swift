import Columnar
import Expressions

/// The value of an option, read.
public enum OptionValue: Hashable, Sendable {
    case boolean(Bool)
    case integer(Int64)
    case double(Double)
    /// In nanoseconds.
    case duration(Int128)
    case byteCount(Int64)
    case text(String)
    case list([String])
    /// Pairs in their order.
    case map(NameMap<String>)
}

/// What an option takes, as Flink reads it.
public enum OptionType: Hashable, Sendable {
    case boolean
    case integer(ClosedRange<Int64>)
    case double(ClosedRange<Double>)
    case duration
    case byteCount
    case text
    /// One of these, in any case; `-` and `_` are one.
    case choice([String])
    /// Separated by `;`.
    case list
    /// `a:1,b:2`.
    case map
    case timeZone
    /// One character: a delimiter or quote.
    case character

    public static let positive = OptionType.integer(1...Int64(Int32.max))
    public static let count = OptionType.integer(0...Int64.max)
    public static let int = OptionType.integer(Int64(Int32.min)...Int64(Int32.max))
    public static let fraction = OptionType.double(0...1)

    /// What a message says is expected.
    public var expectation: String {
        switch self {
        case .boolean: "true or false"
        case .integer(let range) where range.upperBound == .max || range.upperBound == Int64(Int32.max):
            range.lowerBound <= Int64(Int32.min) ? "a whole number" : "a whole number from \(range.lowerBound)"
        case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .double(let range) where range.upperBound == .infinity: range.lowerBound == -.infinity ? "a number" : "a number from \(range.lowerBound)"
        case .double(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .duration: "a duration such as '10 s', '500 ms', '1 h', '2 d'"
        case .byteCount: "a size such as '64 kb', '128 mb', '1 gb'"
        case .text: "a text"
        case .choice(let values): values.map { "'\($0)'" }.joined(separator: ", ")
        case .list: "values with ';' between them"
        case .map: "pairs 'key:value' with ',' between them"
        case .timeZone: "a time zone such as 'Europe/Berlin', 'UTC' or 'GMT+02:00'"
        case .character: "one character"
        }
    }

    /// Nil where the text is no such value.
    public func parse(_ text: String) -> OptionValue? {
        let trimmed = Self.trimmed(text)
        switch self {
        case .boolean:
            switch trimmed.lowercased() {
            case "true": return .boolean(true)
            case "false": return .boolean(false)
            default: return nil
            }
        case .integer(let range): return Int64(trimmed).flatMap { range.contains($0) ? .integer($0) : nil }
        case .double(let range):
            guard let value = Double(trimmed), value.isFinite, range.contains(value) else { return nil }
            return .double(value)
        case .duration: return Self.duration(trimmed).map(OptionValue.duration)
        case .byteCount: return Self.byteCount(trimmed).map(OptionValue.byteCount)
        case .text: return .text(text)
        case .choice(let values):
            let folded = Self.folded(trimmed)
            return values.first { Self.folded($0) == folded }.map(OptionValue.text)
        case .list: return .list(trimmed.split(separator: ";").map { Self.trimmed(String($0)) })
        case .map:
            var pairs = NameMap<String>()
            for pair in trimmed.split(separator: ",") {
                guard let colon = pair.firstIndex(of: ":") else { return nil }
                pairs[Self.trimmed(String(pair[..<colon]))] = Self.trimmed(String(pair[pair.index(after: colon)...]))
            }
            return .map(pairs)
        case .timeZone: return trimmed == "default" || (try? Zone.named(trimmed)) != nil ? .text(trimmed) : nil
        case .character: return text.unicodeScalars.count == 1 || ["\\t", "\\n", "\\r\\n", "\\\\"].contains(text) ? .text(text) : nil
        }
    }

    private static func folded(_ text: String) -> String { String(text.lowercased().map { $0 == "-" ? "_" : $0 }) }

    static func trimmed(_ text: String) -> String {
        var bytes = Array(text.utf8)[...]
        while let first = bytes.first, first <= 32 { bytes.removeFirst() }
        while let last = bytes.last, last <= 32 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The digits in front, and the unit behind them in small letters.
    private static func numberAndUnit(_ text: String) -> (number: Int64, unit: String)? {
        let digits = text.utf8.prefix { $0 >= 48 && $0 <= 57 }
        guard !digits.isEmpty, let number = Int64(String(decoding: Array(digits), as: UTF8.self)) else { return nil }
        return (number, trimmed(String(decoding: Array(text.utf8.dropFirst(digits.count)), as: UTF8.self)).lowercased())
    }

    private static let durationUnits: [(names: [String], nanoseconds: Int128)] = [
        (["d", "day", "days"], 86_400_000_000_000), (["h", "hour", "hours"], 3_600_000_000_000), (["min", "m", "minute", "minutes"], 60_000_000_000),
        (["s", "sec", "secs", "second", "seconds"], 1_000_000_000), (["ms", "milli", "millis", "millisecond", "milliseconds", ""], 1_000_000),
        (["µs", "us", "micro", "micros", "microsecond", "microseconds"], 1_000), (["ns", "nano", "nanos", "nanosecond", "nanoseconds"], 1),
    ]

    /// Nanoseconds of `10 s` or `PT10S`; a number alone is in milliseconds.
    static func duration(_ text: String) -> Int128? {
        if text.utf8.first == 80 || text.utf8.first == 112 { return isoDuration(text) }
        guard let (number, unit) = numberAndUnit(text), let factor = durationUnits.first(where: { $0.names.contains(unit) })?.nanoseconds else {
            return nil
        }
        let (product, isOverflow) = Int128(number).multipliedReportingOverflow(by: factor)
        // Milliseconds of more than 64 bits are no duration that anything could wait for.
        return isOverflow || product / 1_000_000 > Int128(Int64.max) ? nil : product
    }

    /// `P1DT2H3M4.5S`.
    private static func isoDuration(_ text: String) -> Int128? {
        var total: Int128 = 0
        var number = ""
        var isTime = false
        var hasPart = false
        for scalar in text.uppercased().unicodeScalars.dropFirst() {
            switch scalar {
            case "0"..."9", ".": number.unicodeScalars.append(scalar)
            case "T" where !isTime && number.isEmpty: isTime = true
            case "D", "H", "M", "S":
                guard (scalar == "D") != isTime, number.utf8.count <= 15, let value = Double(number), scalar == "S" || !number.contains(".") else {
                    return nil
                }
                total +=
                    scalar == "S"
                    ? Int128((value * 1e9).rounded()) : Int128(value) * (scalar == "D" ? 86_400 : scalar == "H" ? 3_600 : 60) * 1_000_000_000
                number = ""
                hasPart = true
            default: return nil
            }
        }
        return hasPart && number.isEmpty && total / 1_000_000 <= Int128(Int64.max) ? total : nil
    }

    private static let byteUnits: [(names: [String], factor: Int64)] = [
        (["b", "bytes", ""], 1), (["k", "kb", "kibibytes"], 1 << 10), (["m", "mb", "mebibytes"], 1 << 20), (["g", "gb", "gibibytes"], 1 << 30),
        (["t", "tb", "tebibytes"], 1 << 40),
    ]

    static func byteCount(_ text: String) -> Int64? {
        guard let (number, unit) = numberAndUnit(text), let factor = byteUnits.first(where: { $0.names.contains(unit) })?.factor else { return nil }
        let (product, isOverflow) = number.multipliedReportingOverflow(by: factor)
        return isOverflow ? nil : product
    }
}
