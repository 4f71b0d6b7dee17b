import Columnar

/// Reads the text of DATE, TIME, TIMESTAMP and INTERVAL literals.
enum TimeLiterals {
    // MARK: Points in time

    /// `yyyy-MM-dd`, days since 1970-01-01. One-digit months and days are taken; a day must exist in the calendar that people used then (Julian before 1582-10-15).
    static func date(_ text: String) -> Int64? {
        var reader = Reader(text)
        guard let days = day(&reader), reader.isAtEnd else { return nil }
        return days
    }

    private static func day(_ reader: inout Reader) -> Int64? {
        guard let year = reader.number(1...4), reader.accept("-"), let month = reader.number(1...2), reader.accept("-"),
            let day = reader.number(1...2),
            year >= 1, (1...12).contains(month), day >= 1, day <= length(month: month, year: year)
        else { return nil }
        // The days that the change of the calendar left out.
        if year == 1582, month == 10, day > 4, day < 15 { return nil }
        return daysFromCivil(year, month, day)
    }

    private static func length(month: Int64, year: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: return 30
        case 2:
            let isJulian = year < 1582
            return year % 4 == 0 && (isJulian || year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: return 31
        }
    }

    /// Days since 1970-01-01 of a date in the Gregorian calendar, as far back as one likes.
    static func daysFromCivil(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// `HH:mm:ss[.fff]`: the value in its type's unit; at most milliseconds count.
    static func time(_ text: String) -> (value: Int64, precision: Int)? {
        var reader = Reader(text)
        guard let time = clock(&reader), reader.isAtEnd else { return nil }
        let precision = min(3, time.digits)
        return (
            time.seconds * TimeUnit(precision: precision).perSecond + time.nanoseconds / (1_000_000_000 / TimeUnit(precision: precision).perSecond),
            precision
        )
    }

    private static func clock(_ reader: inout Reader) -> (seconds: Int64, nanoseconds: Int64, digits: Int)? {
        guard let hour = reader.number(1...2), reader.accept(":"), let minute = reader.number(1...2), reader.accept(":"),
            let second = reader.number(1...2),
            hour < 24, minute < 60, second < 60
        else { return nil }
        var (nanoseconds, digits): (Int64, Int) = (0, 0)
        if reader.accept(".") {
            while let digit = reader.digit() {
                if digits < 9 {
                    nanoseconds = nanoseconds * 10 + digit
                    digits += 1
                }
            }
            for _ in digits..<9 { nanoseconds *= 10 }
        }
        return (hour * 3_600 + minute * 60 + second, nanoseconds, digits)
    }

    /// `yyyy-MM-dd[ HH:mm:ss[.fffffffff]]`: the value in its type's unit, the precision as many digits as are written, at most 9.
    static func timestamp(_ text: String) -> (value: Int64, precision: Int)? {
        var reader = Reader(text)
        guard let days = day(&reader) else { return nil }
        if reader.isAtEnd { return (days * 86_400, 0) }
        guard reader.accept(" "), let time = clock(&reader), reader.isAtEnd else { return nil }
        let unit = TimeUnit(precision: time.digits).perSecond
        let (value, overflows) = (days * 86_400 + time.seconds).multipliedReportingOverflow(by: unit)
        let (sum, exceeds) = value.addingReportingOverflow(time.nanoseconds / (1_000_000_000 / unit))
        return overflows || exceeds ? nil : (sum, time.digits)
    }

    // MARK: Intervals

    enum Interval: Equatable { case months(Int64), milliseconds(Int64), tooManyDigits(String, Int), wrong }

    /// Digits that the leading field has where the query does not say.
    private static let leadingDigits = 2
    private static let fractionDigits = 6

    static func interval(_ interval: IntervalSyntax) -> Interval {
        var reader = Reader(interval.text)
        var isNegative = interval.isNegative
        if reader.accept("-") { isNegative.toggle() } else { _ = reader.accept("+") }
        let leading = reader.digits()
        let leadingMax = interval.precision ?? leadingDigits
        guard !leading.isEmpty, leading.utf8.count <= 18, let first = Int64(leading) else { return .wrong }
        if String(first).utf8.count > leadingMax { return .tooManyDigits(String(first), leadingMax) }
        let sign: Int64 = isNegative ? -1 : 1
        switch interval.from {
        case .year, .quarter, .month:
            var months = first * (interval.from == .year ? 12 : interval.from == .quarter ? 3 : 1)
            if interval.to == .month {
                guard reader.accept("-"), let rest = reader.number(1...2), rest < 12 else { return .wrong }
                months += rest
            }
            return reader.isAtEnd && months <= Int64(Int32.max) ? .months(sign * months) : .wrong
        default: break
        }
        let units: [TimeUnitName] = [.day, .hour, .minute, .second]
        let sizes: [TimeUnitName: Int64] = [.week: 604_800_000, .day: 86_400_000, .hour: 3_600_000, .minute: 60_000, .second: 1_000]
        guard let size = sizes[interval.from] else { return .wrong }
        let (product, overflows) = first.multipliedReportingOverflow(by: size)
        guard !overflows else { return .wrong }
        var milliseconds = product
        let last = interval.to ?? interval.from
        if interval.to != nil, let start = units.firstIndex(of: interval.from), let end = units.firstIndex(of: last), start < end {
            for index in (start + 1)...end {
                guard reader.accept(units[index] == .hour ? " " : ":"), let value = reader.number(1...2), value < (units[index] == .hour ? 24 : 60)
                else { return .wrong }
                milliseconds += value * (sizes[units[index]] ?? 0)
            }
        }
        if last == .second, reader.accept(".") {
            let fraction = reader.digits()
            guard !fraction.isEmpty, fraction.utf8.count <= interval.fractionPrecision ?? fractionDigits,
                let value = Int64((fraction + "00").prefix(3))
            else { return .wrong }
            milliseconds += value
        }
        return reader.isAtEnd ? .milliseconds(sign * milliseconds) : .wrong
    }

    static func example(_ interval: IntervalSyntax) -> String? {
        switch (interval.from, interval.to) {
        case (.year, .month?): "1-6"
        case (.day, .hour?): "1 12"
        case (.day, .minute?): "1 12:30"
        case (.day, .second?): "1 12:30:15.5"
        case (.hour, .minute?): "12:30"
        case (.hour, .second?): "12:30:15.5"
        case (.minute, .second?): "30:15.5"
        case (.second, nil): "15.5"
        default: "10"
        }
    }

    private struct Reader {
        private let bytes: [UInt8]
        private var index = 0

        init(_ text: String) { bytes = Array(text.utf8) }

        var isAtEnd: Bool { index == bytes.count }

        mutating func accept(_ character: Unicode.Scalar) -> Bool {
            guard index < bytes.count, UInt32(bytes[index]) == character.value else { return false }
            index += 1
            return true
        }

        mutating func digit() -> Int64? {
            guard index < bytes.count, bytes[index] >= 0x30, bytes[index] <= 0x39 else { return nil }
            index += 1
            return Int64(bytes[index - 1] - 0x30)
        }

        mutating func digits() -> String {
            let start = index
            while digit() != nil {}
            return String(decoding: bytes[start..<index], as: UTF8.self)
        }

        /// As many digits as the range says.
        mutating func number(_ counts: ClosedRange<Int>) -> Int64? {
            var (value, count): (Int64, Int) = (0, 0)
            while count < counts.upperBound, let digit = digit() {
                value = value * 10 + digit
                count += 1
            }
            return count >= counts.lowerBound ? value : nil
        }
    }
}
