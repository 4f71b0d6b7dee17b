/// Dates and times as text, straight into bytes. Proleptic Gregorian calendar, as java.time has it.

/// A day of the calendar.
struct CivilDate {
    var year: Int64
    var month: Int
    var day: Int

    /// From days since 1970-01-01 (Howard Hinnant's algorithm over 400-year eras).
    init(daysSinceEpoch days: Int64) {
        let shifted = days &+ 719_468
        let era = (shifted >= 0 ? shifted : shifted &- 146_096) / 146_097
        let dayOfEra = shifted &- era &* 146_097
        let yearOfEra = (dayOfEra &- dayOfEra / 1_460 &+ dayOfEra / 36_524 &- dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra &- (365 &* yearOfEra &+ yearOfEra / 4 &- yearOfEra / 100)
        let shiftedMonth = (5 &* dayOfYear &+ 2) / 153
        day = Int(dayOfYear &- (153 &* shiftedMonth &+ 2) / 5 &+ 1)
        month = Int(shiftedMonth < 10 ? shiftedMonth &+ 3 : shiftedMonth &- 9)
        year = yearOfEra &+ era &* 400 &+ (month <= 2 ? 1 : 0)
    }
}

/// Days from 1970-01-01 to a date that is in the calendar; years within ±1,000,000.
@inline(__always)
func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shiftedYear = month <= 2 ? year &- 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear &- 399) / 400
    let yearOfEra = shiftedYear &- era &* 400
    let dayOfYear = (153 &* (month > 2 ? month &- 3 : month &+ 9) &+ 2) / 5 &+ day &- 1
    let dayOfEra = yearOfEra &* 365 &+ yearOfEra / 4 &- yearOfEra / 100 &+ dayOfYear
    return era &* 146_097 &+ dayOfEra &- 719_468
}

/// How the parts of a timestamp are joined.
enum TimestampStyle {
    /// `2020-01-02 03:04:05.678`, fraction digits of the type's precision: SQL, CSV and JSON.
    case sql
    /// `2020-01-02T03:04:05.678`.
    case iso
    /// The two without zeros at the end of the fraction, and without a point where there are no others: JSON and CSV of Flink's SQL.
    case shortSQL
    case shortISO
    /// java.time's text: seconds that are zero are left out, the fraction has 3, 6 or 9 digits. What Flink's SQL prints.
    case javaTime
    /// java.sql.Timestamp's text: no trailing zeros but at least one fraction digit. What a DataStream prints.
    case java
}

/// A time in milliseconds since the epoch as `2020-01-02 03:04:05.678`, for messages.
public func timestampText(milliseconds: Int64) -> String {
    let buffer = TextBuffer(capacity: 64)
    buffer.append(timestamp: milliseconds, perSecond: 1_000, precision: 3, style: .sql)
    return String(decoding: buffer.bytes, as: UTF8.self)
}

extension TextBuffer {
    /// `yyyy-MM-dd`.
    func append(date days: Int64) {
        let date = CivilDate(daysSinceEpoch: days)
        if (0...9_999).contains(date.year) {
            write(room: 10) { target in
                writePair(UInt32(date.year / 100), to: target)
                writePair(UInt32(date.year % 100), to: target + 2)
                target[4] = UInt8(ascii: "-")
                writePair(UInt32(date.month), to: target + 5)
                target[7] = UInt8(ascii: "-")
                writePair(UInt32(date.day), to: target + 8)
                return 10
            }
            return
        }
        // java.time writes a sign before years of more than four digits.
        if date.year > 9_999 { append(UInt8(ascii: "+")) }
        if date.year < 0 { append(UInt8(ascii: "-")) }
        let year = date.year.magnitude
        for bound in [1_000, 100, 10] as [UInt64] where year < bound { append(UInt8(ascii: "0")) }
        append(integer: Int64(year))
        append(UInt8(ascii: "-"))
        append(pair: date.month)
        append(UInt8(ascii: "-"))
        append(pair: date.day)
    }

    /// `HH:mm:ss` and the fraction, from a count of `1 / perSecond` seconds since midnight.
    func append(time value: Int64, perSecond: Int64, precision: Int, style: TimestampStyle = .sql) {
        let seconds = value.floorDivided(by: perSecond)
        let secondOfDay = seconds &- seconds.floorDivided(by: 86_400) &* 86_400
        let isShort = style == .javaTime && secondOfDay % 60 == 0 && value == seconds &* perSecond
        write(room: 8) { target in
            writePair(UInt32(truncatingIfNeeded: secondOfDay / 3_600), to: target)
            target[2] = UInt8(ascii: ":")
            writePair(UInt32(truncatingIfNeeded: secondOfDay / 60 % 60), to: target + 3)
            target[5] = UInt8(ascii: ":")
            writePair(UInt32(truncatingIfNeeded: secondOfDay % 60), to: target + 6)
            return isShort ? 5 : 8
        }
        append(fraction: value &- seconds &* perSecond, perSecond: perSecond, precision: precision, style: style)
    }

    /// A timestamp, from a count of `1 / perSecond` seconds since the epoch.
    func append(timestamp value: Int64, perSecond: Int64, precision: Int, style: TimestampStyle) {
        append(date: value.floorDivided(by: perSecond &* 86_400))
        append(style == .iso || style == .shortISO || style == .javaTime ? UInt8(ascii: "T") : UInt8(ascii: " "))
        append(time: value, perSecond: perSecond, precision: precision, style: style)
    }

    func append(fraction: Int64, perSecond: Int64, precision: Int, style: TimestampStyle) {
        var digits = perSecond == 1 ? 0 : perSecond == 1_000 ? 3 : perSecond == 1_000_000 ? 6 : 9
        var value = fraction
        switch style {
        case .sql, .iso:
            while digits > precision {
                value /= 10
                digits -= 1
            }
        case .java:
            while digits > 1, value % 10 == 0 {
                value /= 10
                digits -= 1
            }
            if digits == 0 { digits = 1 }
        case .shortSQL, .shortISO:
            while digits > 0, value % 10 == 0 {
                value /= 10
                digits -= 1
            }
        case .javaTime:
            while digits > 0, value % 1_000 == 0 {
                value /= 1_000
                digits -= 3
            }
        }
        guard digits > 0 else { return }
        append(UInt8(ascii: "."))
        var unit: Int64 = 1
        for _ in 1..<digits { unit &*= 10 }
        while unit > 0 {
            append(0x30 &+ UInt8(truncatingIfNeeded: value / unit % 10))
            unit /= 10
        }
    }

    func append(pair value: Int) {
        write(room: 2) {
            writePair(UInt32(truncatingIfNeeded: value), to: $0)
            return 2
        }
    }
}

extension Int64 {
    /// The quotient rounded down; `divisor` is above zero.
    @inline(__always)
    func floorDivided(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient &- 1 : quotient
    }
}
