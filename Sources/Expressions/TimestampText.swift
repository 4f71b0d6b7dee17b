import Columnar

/// Dates and timestamps as text, in the proleptic Gregorian calendar: `2024-01-31 12:00:00.123`.
enum TimestampText {
    static func date(days: Int64) -> String {
        let (year, month, day) = civil(days: days)
        return padded(year, 4) + "-" + padded(Int64(month), 2) + "-" + padded(Int64(day), 2)
    }

    /// `value` in the unit of `precision`, with exactly `precision` digits of the second.
    static func timestamp(_ value: Int64, precision: Int) -> String {
        let unit = TimeUnit(precision: precision).perSecond
        let seconds = value.dividedFlooring(by: unit)
        let fraction = value &- seconds &* unit
        let days = seconds.dividedFlooring(by: 86_400)
        let second = seconds &- days &* 86_400
        var text = date(days: days) + " " + padded(second / 3600, 2) + ":" + padded(second / 60 % 60, 2) + ":" + padded(second % 60, 2)
        let unitDigits = unit == 1 ? 0 : unit == 1_000 ? 3 : unit == 1_000_000 ? 6 : 9
        let shown = min(max(precision, 0), unitDigits)
        if shown > 0 { text += "." + padded(fraction, unitDigits).prefix(shown) }
        return text
    }

    static func parseDate(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        var reader = DigitReader(bytes)
        guard let days = reader.date(), reader.isAtEnd else { return nil }
        return days
    }

    /// A date, or a date and a time after a space or `T`; digits beyond the precision are cut off.
    static func parseTimestamp(_ bytes: UnsafeRawBufferPointer, precision: Int) -> Int64? {
        var reader = DigitReader(bytes)
        guard let days = reader.date() else { return nil }
        var seconds: Int64 = 0
        var nanoseconds: Int64 = 0
        if !reader.isAtEnd {
            guard reader.take(0x20) || reader.take(0x54), let hour = reader.number(2), hour < 24, reader.take(0x3A),
                let minute = reader.number(2), minute < 60
            else { return nil }
            seconds = hour * 3600 + minute * 60
            if reader.take(0x3A) {
                guard let second = reader.number(2), second < 60 else { return nil }
                seconds += second
                if reader.take(0x2E) {
                    guard let fraction = reader.fraction() else { return nil }
                    nanoseconds = fraction
                }
            }
        }
        guard reader.isAtEnd else { return nil }
        let unit = TimeUnit(precision: precision).perSecond
        let (whole, overflow) = (days * 86_400 + seconds).multipliedReportingOverflow(by: unit)
        guard !overflow else { return nil }
        return whole.addingSaturating(nanoseconds / (1_000_000_000 / unit))
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value.magnitude)
        return (value < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// Howard Hinnant's `civil_from_days`: eras of 400 years of 146,097 days that begin on 1 March.
    private static func civil(days: Int64) -> (year: Int64, month: Int, day: Int) {
        let shifted = days.addingSaturating(719_468)
        let era = shifted.dividedFlooring(by: 146_097)
        let dayOfEra = shifted &- era &* 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5) + 1
        let month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        return (yearOfEra &+ era &* 400 &+ (month <= 2 ? 1 : 0), month, day)
    }

    /// The inverse of `civil`, for a valid date.
    static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear.dividedFlooring(by: 400)
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

/// Reads fixed-width digits from bytes.
private struct DigitReader {
    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { index == bytes.count }

    mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    /// One to `width` digits.
    mutating func number(_ width: Int) -> Int64? {
        var value: Int64 = 0
        let start = index
        while index < bytes.count, index - start < width, bytes[index] >= 0x30, bytes[index] <= 0x39 {
            value = value * 10 + Int64(bytes[index] - 0x30)
            index += 1
        }
        return index == start ? nil : value
    }

    /// The digits of a fraction of a second, in nanoseconds.
    mutating func fraction() -> Int64? {
        let start = index
        guard let value = number(9) else { return nil }
        var nanoseconds = value
        for _ in (index - start)..<9 { nanoseconds *= 10 }
        while index < bytes.count, bytes[index] >= 0x30, bytes[index] <= 0x39 { index += 1 }
        return nanoseconds
    }

    /// `yyyy-MM-dd`, refused where the calendar has no such day.
    mutating func date() -> Int64? {
        guard let year = number(4), take(0x2D), let month = number(2), month >= 1, month <= 12, take(0x2D), let day = number(2), day >= 1
        else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let length: Int64 = month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
        return day <= length ? TimestampText.days(year: year, month: month, day: day) : nil
    }
}
