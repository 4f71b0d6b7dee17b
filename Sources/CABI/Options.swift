import Columnar
import Expressions
import Operators

/// Reads the values of options. Every refusal names the key, the value and the form that is expected; nothing is guessed.
struct Option {
    let key: String
    let value: String

    init(_ key: String, _ value: String) {
        self.key = key
        self.value = value
    }

    /// A whole number without unit.
    func integer(_ range: ClosedRange<Int64>) throws(MillstreamError) -> Int64 {
        guard let number = Int64(value), range.contains(number) else {
            throw refusal("a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A number.
    func number(_ range: ClosedRange<Double>) throws(MillstreamError) -> Double {
        guard let number = Double(value), range.contains(number) else { throw refusal("a number from \(range.lowerBound) to \(range.upperBound)") }
        return number
    }

    func boolean() throws(MillstreamError) -> Bool {
        switch value.lowercased() {
        case "true": return true
        case "false": return false
        default: throw refusal("true or false")
        }
    }

    /// One of the names, in any case; gives its position.
    func choice(_ names: [String]) throws(MillstreamError) -> Int {
        let lowered = value.lowercased()
        guard let position = names.firstIndex(where: { $0.lowercased() == lowered }) else {
            throw refusal("one of " + names.joined(separator: ", "))
        }
        return position
    }

    /// A duration with a unit, in milliseconds: "100 ms", "1.5 s" is not one, "5 min" is.
    func milliseconds() throws(MillstreamError) -> Int64 {
        let form = "a duration with a unit: ms, s, min, h or d, as in '100 ms'"
        let (number, unit) = try split(form)
        let factor: Int64
        switch unit {
        case "ms", "milli", "millis", "millisecond", "milliseconds": factor = 1
        case "s", "sec", "secs", "second", "seconds": factor = 1_000
        case "m", "min", "mins", "minute", "minutes": factor = 60_000
        case "h", "hour", "hours": factor = 3_600_000
        case "d", "day", "days": factor = 86_400_000
        default: throw refusal(form)
        }
        return try scaled(number, by: factor, form)
    }

    /// An amount of memory with a unit, in bytes: "4 mb" is 4 * 1024 * 1024.
    func byteCount() throws(MillstreamError) -> Int64 {
        let form = "an amount of memory with a unit: b, kb, mb, gb or tb, as in '4 mb'"
        let (number, unit) = try split(form)
        let shift: Int64
        switch unit {
        case "b", "byte", "bytes": shift = 0
        case "k", "kb", "kibibytes": shift = 10
        case "m", "mb", "mebibytes": shift = 20
        case "g", "gb", "gibibytes": shift = 30
        case "t", "tb", "tebibytes": shift = 40
        default: throw refusal(form)
        }
        return try scaled(number, by: 1 << shift, form)
    }

    /// One byte of ASCII.
    func character() throws(MillstreamError) -> UInt8 {
        guard let byte = try optionalCharacter() else { throw refusal("one ASCII character") }
        return byte
    }

    /// One byte of ASCII, or nil for the empty text. "\t" may be written as two characters.
    func optionalCharacter() throws(MillstreamError) -> UInt8? {
        if value == "\\t" { return 0x09 }
        let bytes = Array(value.utf8)
        guard bytes.count <= 1, bytes.allSatisfy({ $0 < 0x80 && $0 != 0x0A && $0 != 0x0D }) else { throw refusal("one ASCII character") }
        return bytes.first
    }

    func refusal(_ expected: String) -> MillstreamError {
        MillstreamError(.configuration, "'\(value.prefix(100))' is no value for '\(key)': expected \(expected)")
    }

    /// The refusal of a key that nobody knows.
    static func unknown(_ key: String, among names: [String], of what: String) -> MillstreamError {
        MillstreamError(
            .configuration, "there is no \(what) '\(key.prefix(100))'",
            hint: NearestName.of(key, among: names).map { "Did you mean '\($0)'?" } ?? "There are: " + names.joined(separator: ", ") + ".")
    }

    /// Digits, optional space, and a unit of letters.
    private func split(_ form: String) throws(MillstreamError) -> (number: Int64, unit: String) {
        let bytes = Array(value.utf8)
        let digits = bytes.prefix { $0 >= 0x30 && $0 <= 0x39 }
        let rest = bytes.dropFirst(digits.count).drop { $0 == 0x20 }
        guard let number = Int64(String(decoding: digits, as: UTF8.self)), !rest.isEmpty else { throw refusal(form) }
        return (number, String(decoding: rest, as: UTF8.self).lowercased())
    }

    private func scaled(_ number: Int64, by factor: Int64, _ form: String) throws(MillstreamError) -> Int64 {
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        guard !overflow else { throw refusal(form + ", and not so much") }
        return product
    }
}

/// Options as NULL-terminated pairs { key, value, key, value, NULL }; NULL gives none. Throws `configuration` for a key that comes twice.
func readOptions(_ pointer: UnsafePointer<UnsafePointer<CChar>?>?) throws(MillstreamError) -> [Option] {
    guard let pointer else { return [] }
    var options: [Option] = []
    var index = 0
    while let key = pointer[index] {
        guard options.count < optionCountMax else { throw MillstreamError(.limitExceeded, "there are more than \(optionCountMax) options") }
        let name = try readText(key, "an option's key")
        let value = try readText(pointer[index + 1], "the value of option '\(name)'")
        if options.contains(where: { $0.key == name }) { throw MillstreamError(.configuration, "option '\(name)' is given twice") }
        options.append(Option(name, value))
        index += 2
    }
    return options
}

private let optionCountMax = 1_000
