/// Numbers as Java prints them, straight into bytes.

extension TextBuffer {
    /// A decimal integer.
    func append(integer value: Int64) { write(room: 20) { writeInteger(value, to: $0) } }

    /// As Java's `Double.toString`: shortest digits that read back the same, `1.0E20` at and above 10^7 and below 10^-3.
    func append(double value: Double) {
        if appendSpecial(value) { return }
        if let (digits, scale) = shortDecimal(value) {
            append(plain: digits, scale: scale, isNegative: value.sign == .minus)
        } else if value.magnitude == .leastNonzeroMagnitude {
            // Java gives at least two digits, and of those the nearest; only here does that differ from the shortest.
            append(value < 0 ? "-4.9E-324" : "4.9E-324")
        } else {
            appendJava(value.description)
        }
    }

    /// As Java's `Float.toString`.
    func append(float value: Float) {
        if appendSpecial(Double(value)) { return }
        appendJava(value.description)
    }

    /// A DECIMAL in plain notation with all its fraction digits.
    func append(decimal value: Int128, scale: Int) {
        if value < 0 { append(UInt8(ascii: "-")) }
        var magnitude = value.magnitude
        var reversed = InlineArray<40, UInt8>(repeating: 0x30)
        var count = 0
        while magnitude > 0, count < 40 {
            let (quotient, digit) = magnitude.quotientAndRemainder(dividingBy: 10)
            reversed[count] = 0x30 &+ UInt8(truncatingIfNeeded: digit)
            magnitude = quotient
            count += 1
        }
        count = max(count, min(scale, 38) + 1)
        while count > 0 {
            if count == scale { append(UInt8(ascii: ".")) }
            count -= 1
            append(reversed[count])
        }
    }

    private func appendSpecial(_ value: Double) -> Bool {
        if value.isNaN { append("NaN") } else if value.isInfinite { append(value < 0 ? "-Infinity" : "Infinity") } else { return false }
        return true
    }

    private func append(plain digits: Int64, scale: Int, isNegative: Bool) {
        if isNegative { append(UInt8(ascii: "-")) }
        let power: Int64 = scale == 1 ? 10 : scale == 2 ? 100 : scale == 3 ? 1_000 : 1
        append(integer: digits / power)
        append(UInt8(ascii: "."))
        guard scale > 0 else { return append(UInt8(ascii: "0")) }
        var rest = digits % power
        var unit = power / 10
        while unit > 0 {
            append(0x30 &+ UInt8(truncatingIfNeeded: rest / unit))
            rest %= unit
            unit /= 10
        }
    }

    /// Lays out Swift's shortest digits (`1e+20`, `0.0001`, `5e-324`) in Java's way.
    private func appendJava(_ description: String) {
        var digits: [UInt8] = []
        var pointPlace: Int?
        var exponent = 0
        var bytes = Array(description.utf8)[...]
        if bytes.first == UInt8(ascii: "-") {
            append(UInt8(ascii: "-"))
            bytes = bytes.dropFirst()
        }
        if let mark = bytes.firstIndex(of: UInt8(ascii: "e")) {
            exponent = Int(String(decoding: bytes[(mark + 1)...].drop { $0 == UInt8(ascii: "+") }, as: UTF8.self)) ?? 0
            bytes = bytes[..<mark]
        }
        for byte in bytes {
            if byte == UInt8(ascii: ".") { pointPlace = digits.count } else { digits.append(byte) }
        }
        // The value is 0.d1d2d3... times ten to `place`.
        var place = (pointPlace ?? digits.count) + exponent
        let leading = digits.prefix { $0 == 0x30 }.count
        digits.removeFirst(leading)
        place -= leading
        while digits.last == 0x30 { digits.removeLast() }
        guard !digits.isEmpty else { return append("0.0") }
        if place > 7 || place < -2 {
            append(digits[0])
            append(UInt8(ascii: "."))
            if digits.count == 1 { append(UInt8(ascii: "0")) }
            for digit in digits.dropFirst() { append(digit) }
            append(UInt8(ascii: "E"))
            append(integer: Int64(place - 1))
        } else {
            if place <= 0 { append("0.") }
            for _ in 0..<max(0, -place) { append(UInt8(ascii: "0")) }
            for index in 0..<max(digits.count, place) {
                if index == place, place > 0 { append(UInt8(ascii: ".")) }
                append(index < digits.count ? digits[index] : 0x30)
            }
            if place >= digits.count { append(".0") }
        }
    }
}

/// `value` as at most 15 digits with up to three behind the point, if it is exactly the nearest double to that decimal.
///
/// No two decimals of at most 15 digits have the same nearest double, so such a decimal is the shortest one. Covers the money, counts and
/// measurements that most columns hold, without making a String. Only for what Java prints without an exponent.
private func shortDecimal(_ value: Double) -> (digits: Int64, scale: Int)? {
    let magnitude = value.magnitude
    guard magnitude < 1e7, magnitude >= 1e-3 || magnitude == 0 else { return nil }
    var power = 1.0
    for scale in 0...3 {
        let scaled = (magnitude * power).rounded()
        if scaled / power == magnitude { return (Int64(scaled), scale) }
        power *= 10
    }
    return nil
}

/// Writes the digits, two at a time from the end; returns how many bytes. The target has 20 bytes of room.
@inline(__always)
func writeInteger(_ value: Int64, to target: UnsafeMutablePointer<UInt8>) -> Int {
    var magnitude = value.magnitude
    var length = decimalDigitCount(magnitude)
    if value < 0 {
        target[0] = UInt8(ascii: "-")
        length &+= 1
    }
    var place = length
    while magnitude >= 100 {
        let (quotient, pair) = magnitude.quotientAndRemainder(dividingBy: 100)
        place &-= 2
        writePair(UInt32(truncatingIfNeeded: pair), to: target + place)
        magnitude = quotient
    }
    if magnitude >= 10 {
        writePair(UInt32(truncatingIfNeeded: magnitude), to: target + place - 2)
    } else {
        target[place &- 1] = 0x30 &+ UInt8(truncatingIfNeeded: magnitude)
    }
    return length
}

/// Two digits of a number below 100.
@inline(__always)
func writePair(_ value: UInt32, to target: UnsafeMutablePointer<UInt8>) {
    let tens = (value &* 103) &>> 10
    target[0] = 0x30 &+ UInt8(truncatingIfNeeded: tens)
    target[1] = 0x30 &+ UInt8(truncatingIfNeeded: value &- tens &* 10)
}

@inline(__always)
private func decimalDigitCount(_ value: UInt64) -> Int {
    var count = 1
    var bound: UInt64 = 10
    while count < 20, value >= bound {
        count &+= 1
        let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
        if overflow { return count }
        bound = next
    }
    return count
}
