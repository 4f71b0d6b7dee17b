#if canImport(Glibc)
import Glibc
#endif
import Columnar

/// The bytes of one text under construction. Loops that print a column use one writer for all rows: `clear`, append, take `bytes`.
struct TextWriter: ~Copyable {
    private var base: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private(set) var count = 0

    init() {
        capacity = 256
        base = .allocate(capacity: capacity)
    }

    deinit { base.deallocate() }

    /// What was appended since the last `clear`; valid until the next append.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    mutating func clear() { count = 0 }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        if count == capacity { grow(1) }
        base[count] = byte
        count &+= 1
    }

    @inline(__always)
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        if bytes.count > capacity &- count { grow(bytes.count) }
        memcpy(base + count, source, bytes.count)
        count &+= bytes.count
    }

    @inline(__always)
    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(string text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    mutating func append(repeating byte: UInt8, count repeats: Int) {
        guard repeats > 0 else { return }
        if repeats > capacity &- count { grow(repeats) }
        memset(base + count, Int32(byte), repeats)
        count &+= repeats
    }

    /// An integer's decimal digits, with a minus where it is negative.
    mutating func append<Integer: FixedWidthInteger>(decimal value: Integer) {
        if value < 0 { append(UInt8(ascii: "-")) }
        append(digits: value.magnitude, width: 1)
    }

    /// Decimal digits, with zeros in front up to `width`.
    mutating func append<Digits: FixedWidthInteger & UnsignedInteger>(digits value: Digits, width: Int) {
        if Digits.bitWidth <= 64 || value >> 63 == 0 {
            appendDigits(UInt64(truncatingIfNeeded: value), width)
        } else {
            // Divisions of 128 bits are slow: 18 digits at a time.
            let (high, low) = value.quotientAndRemainder(dividingBy: Digits(1_000_000_000_000_000_000))
            append(digits: high, width: width &- 18)
            appendDigits(UInt64(truncatingIfNeeded: low), 18)
        }
    }

    private mutating func appendDigits(_ value: UInt64, _ width: Int) {
        var length = 1
        var limit: UInt64 = 10
        while length < 20, value >= limit {
            length &+= 1
            let (next, overflow) = limit.multipliedReportingOverflow(by: 10)
            if overflow { break }
            limit = next
        }
        let padded = max(length, width)
        if padded > capacity &- count { grow(padded) }
        var rest = value
        var place = count &+ padded
        while place > count {
            place &-= 1
            base[place] = UInt8(truncatingIfNeeded: rest % 10) &+ 0x30
            rest /= 10
        }
        count &+= padded
    }

    /// Cuts the text behind `start` to `length` code points; fills up with spaces where `isPadded`.
    mutating func fit(from start: Int, _ length: Int, isPadded: Bool) {
        guard isPadded || count &- start > length else { return }
        var used = 0
        var place = start
        while place < count, used < length {
            place &+= 1
            while place < count, base[place] & 0xC0 == 0x80 { place &+= 1 }
            used &+= 1
        }
        count = place
        if isPadded { append(repeating: 0x20, count: length &- used) }
    }

    private mutating func grow(_ additional: Int) {
        let target = max(capacity &* 2, count &+ additional)
        let wider = UnsafeMutablePointer<UInt8>.allocate(capacity: target)
        wider.update(from: base, count: count)
        base.deallocate()
        base = wider
        capacity = target
    }
}

extension TextWriter {
    /// A number as Java prints it: `0.1`, `100.0`, `1.0E20`, `1.5E-7`, `NaN`, `Infinity`.
    mutating func append(java value: Double) {
        guard !appendSpecial(value) else { return }
        let magnitude = value.magnitude
        if magnitude < 1e7, magnitude.rounded(.towardZero) == magnitude {
            append(decimal: UInt64(magnitude))
            append(".0")
        } else {
            append(FloatingDigits(value), isPlain: magnitude >= 1e-3 && magnitude < 1e7)
        }
    }

    /// A number as Java prints it.
    mutating func append(java value: Float) {
        guard !appendSpecial(Double(value)) else { return }
        let magnitude = value.magnitude
        append(FloatingDigits(value), isPlain: magnitude == 0 || magnitude >= 1e-3 && magnitude < 1e7)
    }

    /// The sign, or all of what has no digits.
    private mutating func appendSpecial(_ value: Double) -> Bool {
        if value != value {
            append("NaN")
            return true
        }
        if value.sign == .minus { append(UInt8(ascii: "-")) }
        guard value.isInfinite else { return false }
        append("Infinity")
        return true
    }

    private mutating func append(_ number: FloatingDigits, isPlain: Bool) {
        // The number is 0.d1d2d3... times ten to the power of `point`.
        let point = number.count + number.exponent
        if isPlain {
            if point <= 0 {
                append("0.")
                append(repeating: 0x30, count: -point)
                append(digits: number.digits, width: 1)
            } else if number.exponent >= 0 {
                append(digits: number.digits, width: 1)
                append(repeating: 0x30, count: number.exponent)
                append(".0")
            } else {
                appendSplit(number.digits, fractionCount: -number.exponent)
            }
        } else {
            if number.count == 1 {
                append(digits: number.digits, width: 1)
                append(".0")
            } else {
                appendSplit(number.digits, fractionCount: number.count - 1)
            }
            append(UInt8(ascii: "E"))
            append(decimal: point - 1)
        }
    }

    /// `digits` with a point before the last `fractionCount` of them; fewer than 19 and fewer than there are digits.
    private mutating func appendSplit(_ digits: UInt64, fractionCount: Int) {
        let power = UInt64(truncatingIfNeeded: DecimalRules.power(fractionCount))
        append(digits: digits / power, width: 1)
        append(UInt8(ascii: "."))
        append(digits: digits % power, width: fractionCount)
    }

    /// A decimal with all digits of its scale.
    mutating func append(unscaled value: Int128, scale: Int) {
        if value < 0 { append(UInt8(ascii: "-")) }
        guard scale > 0 else { return append(digits: value.magnitude, width: 1) }
        let power = DecimalRules.power(scale).magnitude
        if value.magnitude >> 63 == 0, scale <= 18 {
            let (whole, fraction) = UInt64(truncatingIfNeeded: value.magnitude).quotientAndRemainder(dividingBy: UInt64(truncatingIfNeeded: power))
            append(digits: whole, width: 1)
            append(UInt8(ascii: "."))
            append(digits: fraction, width: scale)
        } else {
            let (whole, fraction) = value.magnitude.quotientAndRemainder(dividingBy: power)
            append(digits: whole, width: 1)
            append(UInt8(ascii: "."))
            append(digits: fraction, width: scale)
        }
    }
}

extension TextWriter {
    /// `2024-02-29`; years before 0 have a minus.
    mutating func append(days: Int64) {
        let date = CivilDate(days: days)
        if date.year < 0 { append(UInt8(ascii: "-")) }
        append(digits: date.year.magnitude, width: 4)
        append(UInt8(ascii: "-"))
        append(digits: UInt64(truncatingIfNeeded: date.month), width: 2)
        append(UInt8(ascii: "-"))
        append(digits: UInt64(truncatingIfNeeded: date.day), width: 2)
    }

    /// `13:45:56`, of seconds of a day.
    mutating func append(secondsOfDay: Int64) {
        append(digits: UInt64(truncatingIfNeeded: secondsOfDay / 3600), width: 2)
        append(UInt8(ascii: ":"))
        append(digits: UInt64(truncatingIfNeeded: secondsOfDay / 60 % 60), width: 2)
        append(UInt8(ascii: ":"))
        append(digits: UInt64(truncatingIfNeeded: secondsOfDay % 60), width: 2)
    }

    /// A TIMESTAMP with exactly `precision` digits of the second; `value` counts `perSecond`ths.
    mutating func append(timestamp value: Int64, perSecond: Int64, precision: Int) {
        let seconds = value.dividedFlooring(by: perSecond)
        let fraction = value &- seconds &* perSecond
        let days = seconds.dividedFlooring(by: 86_400)
        append(days: days)
        append(UInt8(ascii: " "))
        append(secondsOfDay: seconds &- days &* 86_400)
        guard precision > 0, perSecond > 1 else { return }
        append(UInt8(ascii: "."))
        let start = count
        append(digits: UInt64(truncatingIfNeeded: fraction), width: perSecond == 1_000 ? 3 : perSecond == 1_000_000 ? 6 : 9)
        count = min(count, start &+ precision)
    }

    /// A TIME: at most `precision` digits of the second and no zeros at their end, but at least one digit where there is a precision, as Flink prints them.
    mutating func append(time value: Int64, perSecond: Int64, precision: Int) {
        let seconds = value.dividedFlooring(by: perSecond)
        append(secondsOfDay: seconds &- seconds.dividedFlooring(by: 86_400) &* 86_400)
        guard precision > 0 else { return }
        append(UInt8(ascii: "."))
        let start = count
        append(digits: UInt64(truncatingIfNeeded: value &- seconds &* perSecond), width: perSecond == 1 ? 1 : perSecond == 1_000 ? 3 : perSecond == 1_000_000 ? 6 : 9)
        count = min(count, start &+ precision)
        while count > start &+ 1, base[count &- 1] == 0x30 { count &-= 1 }
    }

    /// `+2-03`
    mutating func append(months: Int32) {
        append(months < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+"))
        append(digits: months.magnitude / 12, width: 1)
        append(UInt8(ascii: "-"))
        append(digits: months.magnitude % 12, width: 2)
    }

    /// `+1 02:03:04.567`
    mutating func append(duration value: Int64, perSecond: Int64) {
        append(value < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+"))
        let unit = UInt64(truncatingIfNeeded: perSecond)
        let seconds = value.magnitude / unit
        append(digits: seconds / 86_400, width: 1)
        append(UInt8(ascii: " "))
        append(secondsOfDay: Int64(truncatingIfNeeded: seconds % 86_400))
        append(UInt8(ascii: "."))
        let fraction = value.magnitude % unit
        append(digits: unit < 1_000 ? fraction &* (1_000 / unit) : fraction / (unit / 1_000), width: 3)
    }
}
