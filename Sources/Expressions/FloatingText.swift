/// Floating-point numbers in Java's layout: `0.1`, `100.0`, `1.0E20`, `1.5E-7`, `NaN`, `Infinity`.
enum FloatingText {
    static func java(_ value: Double) -> String {
        special(value) ?? layout(value.description, isPlain: value.magnitude >= 1e-3 && value.magnitude < 1e7 || value == 0)
    }

    static func java(_ value: Float) -> String {
        special(Double(value)) ?? layout(value.description, isPlain: value.magnitude >= 1e-3 && value.magnitude < 1e7 || value == 0)
    }

    private static func special(_ value: Double) -> String? {
        if value != value { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        return nil
    }

    /// Swift prints the shortest digits that read back, as Java does since 19; only where the point stands differs.
    private static func layout(_ description: String, isPlain: Bool) -> String {
        var digits: [UInt8] = []
        var exponent = 0
        var pointAt: Int?
        let isNegative = description.utf8.first == 0x2D
        var rest = Array(description.utf8)[...]
        if isNegative { rest = rest.dropFirst() }
        while let byte = rest.popFirst() {
            if byte == 0x2E {
                pointAt = digits.count
            } else if byte == 0x65 {
                exponent = Int(String(decoding: rest, as: UTF8.self)) ?? 0
                break
            } else {
                digits.append(byte)
            }
        }
        // The value is 0.d1d2d3... times ten to the power of `magnitude`.
        var magnitude = (pointAt ?? digits.count) + exponent
        while digits.count > 1, digits.first == 0x30 {
            digits.removeFirst()
            magnitude -= 1
        }
        while digits.count > 1, digits.last == 0x30 { digits.removeLast() }
        let sign = isNegative ? "-" : ""
        if digits == [0x30] { return sign + "0.0" }
        return sign + (isPlain ? plain(digits, magnitude) : scientific(digits, magnitude))
    }

    private static func plain(_ digits: [UInt8], _ magnitude: Int) -> String {
        if magnitude <= 0 { return "0." + String(repeating: "0", count: -magnitude) + text(digits[...]) }
        if magnitude >= digits.count { return text(digits[...]) + String(repeating: "0", count: magnitude - digits.count) + ".0" }
        return text(digits[..<magnitude]) + "." + text(digits[magnitude...])
    }

    private static func scientific(_ digits: [UInt8], _ magnitude: Int) -> String {
        text(digits[..<1]) + "." + (digits.count > 1 ? text(digits[1...]) : "0") + "E\(magnitude - 1)"
    }

    private static func text(_ digits: ArraySlice<UInt8>) -> String { String(decoding: digits, as: UTF8.self) }
}
