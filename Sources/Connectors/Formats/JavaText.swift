import Columnar

// Values in the words of java.time and java.math, as Flink's SQL prints them.

extension TextBuffer {
    /// java.time.Instant's text: `Z` behind, and a fraction of no, 3, 6 or 9 digits.
    func append(instant value: Int64, perSecond: Int64) {
        let fraction = value &- value.floorDivided(by: perSecond) &* perSecond
        var precision = 0
        if fraction != 0 {
            let nanoseconds = fraction &* (1_000_000_000 / perSecond)
            precision = nanoseconds % 1_000_000 == 0 ? 3 : nanoseconds % 1_000 == 0 ? 6 : 9
        }
        append(timestamp: value, perSecond: perSecond, precision: precision, style: .iso)
        append(UInt8(ascii: "Z"))
    }

    /// java.time.Period's text of months: `P1Y2M`, `P0D`.
    func append(period months: Int64) {
        append(UInt8(ascii: "P"))
        let (years, rest) = (months / 12, months % 12)
        if years != 0 {
            append(integer: years)
            append(UInt8(ascii: "Y"))
        }
        if rest != 0 {
            append(integer: rest)
            append(UInt8(ascii: "M"))
        }
        if months == 0 { append("0D") }
    }

    /// java.time.Duration's text: `PT26H3M4.5S`, `PT0S`.
    func append(duration value: Int64, perSecond: Int64) {
        let (seconds, fraction) = (value / perSecond, value % perSecond)
        let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60)
        append("PT")
        if hours != 0 {
            append(integer: hours)
            append(UInt8(ascii: "H"))
        }
        if minutes != 0 {
            append(integer: minutes)
            append(UInt8(ascii: "M"))
        }
        guard rest != 0 || fraction != 0 || value == 0 else { return }
        if rest == 0, fraction < 0 { append(UInt8(ascii: "-")) }
        append(integer: rest)
        append(fraction: Int64(clamping: fraction.magnitude), perSecond: perSecond, precision: 0, style: .shortSQL)
        append(UInt8(ascii: "S"))
    }

    /// java.math.BigDecimal's text: plain, or with an exponent where the scale is negative or the first digit is more than six zeros behind the point.
    func append(javaDecimal value: Int128, scale: Int) {
        let start = count
        append(decimal: value, scale: 0)
        let digitsStart = start + (value < 0 ? 1 : 0)
        let digitCount = count - digitsStart
        let exponent = digitCount - 1 - scale
        guard scale != 0 else { return }
        if scale > 0, exponent >= -6 {
            truncate(to: start)
            return append(decimal: value, scale: scale)
        }
        if digitCount > 1 { insert(UInt8(ascii: "."), at: digitsStart + 1) }
        append(UInt8(ascii: "E"))
        if exponent > 0 { append(UInt8(ascii: "+")) }
        append(integer: Int64(exponent))
    }
}

/// A decimal without zeros at its end, and the scale that it has then, which may be negative; zero has none.
func strippedDecimal(_ value: Int128, scale: Int) -> (value: Int128, scale: Int) {
    guard value != 0 else { return (0, 0) }
    var (value, scale) = (value, scale)
    while true {
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: 10)
        guard rest == 0 else { return (value, scale) }
        (value, scale) = (quotient, scale - 1)
    }
}
