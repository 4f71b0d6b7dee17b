/// What a text said about a time, put together by the rules of `java.time` (smart: the 31st of a shorter month is its last day, 24:00 the next day's midnight).
struct TimeFields {
    private let values: UnsafeMutablePointer<Int64>
    private var known: UInt32

    init(values: UnsafeMutablePointer<Int64>, known: UInt32) {
        self.values = values
        self.known = known
    }

    private func has(_ field: TimePattern.Field) -> Bool { known & (1 &<< UInt32(field.rawValue)) != 0 }

    private subscript(_ field: TimePattern.Field) -> Int64? { has(field) ? values[Int(field.rawValue)] : nil }

    private mutating func take(_ field: TimePattern.Field) -> Int64? {
        guard let value = self[field] else { return nil }
        known &= ~(1 &<< UInt32(field.rawValue))
        return value
    }

    /// Whether the field had no other value before.
    private mutating func put(_ field: TimePattern.Field, _ value: Int64) -> Bool {
        if let old = self[field], old != value { return false }
        values[Int(field.rawValue)] = value
        known |= 1 &<< UInt32(field.rawValue)
        return true
    }

    /// Nil where a value is out of its range or two contradict each other.
    mutating func resolve() -> TimePatternParser.Local? {
        guard resolveYear(), resolveHour() else { return nil }
        var extraDays: Int64 = 0
        guard let nanoOfDay = resolveTime(&extraDays) else { return nil }
        guard let days = resolveDate() else { return nil }
        if let days { return TimePatternParser.Local(days: days &+ extraDays, nanoOfDay: nanoOfDay) }
        // Some of a date: the rest is that of 1970-01-01. The fields must be a date as they are.
        let year = self[.year] ?? 1970
        let month = self[.month] ?? 1
        let day = self[.day] ?? 1
        guard TimeFields.isYear(year), month >= 1, month <= 12, day >= 1, day <= CivilDate.daysInMonth(year: year, month: month) else { return nil }
        return TimePatternParser.Local(days: CivilDate.days(year: year, month: month, day: day), nanoOfDay: nanoOfDay)
    }

    private static func isYear(_ year: Int64) -> Bool { year >= -999_999_999 && year <= 999_999_999 }

    private mutating func resolveYear() -> Bool {
        guard let year = take(.yearOfEra) else { return take(.era).map { $0 == 0 || $0 == 1 } ?? true }
        guard year >= 1, year <= 1_000_000_000 else { return false }
        switch take(.era) {
        case 0: return put(.year, 1 - year)
        case 1: return put(.year, year)
        default:
            let isBefore = self[.year].map { $0 <= 0 } ?? false
            return put(.year, isBefore ? 1 - year : year)
        }
    }

    /// All ways to name an hour become the hour of the day.
    private mutating func resolveHour() -> Bool {
        if let hour = take(.clockHour) {
            guard hour >= 0, hour <= 24, put(.hour, hour == 24 ? 0 : hour) else { return false }
        }
        if let hour = take(.clockHourOfHalf) {
            guard hour >= 0, hour <= 12, put(.hourOfHalf, hour == 12 ? 0 : hour) else { return false }
        }
        if let half = self[.half], let hour = self[.hourOfHalf] {
            guard hour >= 0, hour <= 11 else { return false }
            known &= ~((1 &<< UInt32(TimePattern.Field.half.rawValue)) | (1 &<< UInt32(TimePattern.Field.hourOfHalf.rawValue)))
            guard put(.hour, half * 12 + hour) else { return false }
        }
        if let nano = take(.nanoOfDay) {
            guard nano >= 0, nano < 86_400_000_000_000, putTime(nano / 1_000_000_000), put(.nano, nano % 1_000_000_000) else { return false }
        }
        if let milli = take(.milliOfDay) {
            guard milli >= 0, milli < 86_400_000, putTime(milli / 1000) else { return false }
            if self[.nano] == nil { guard put(.nano, milli % 1000 * 1_000_000) else { return false } }
        }
        // What is left of a half day's hours must not say another time.
        if let hour = self[.hourOfHalf], hour < 0 || hour > 11 || (self[.hour].map { $0 % 12 != hour } ?? false) { return false }
        if let half = self[.half], let hour = self[.hour], hour / 12 != half { return false }
        return true
    }

    private mutating func putTime(_ second: Int64) -> Bool {
        put(.hour, second / 3600) && put(.minute, second / 60 % 60) && put(.second, second % 60)
    }

    private mutating func resolveTime(_ extraDays: inout Int64) -> Int64? {
        let minute = self[.minute] ?? 0
        let second = self[.second] ?? 0
        let nano = self[.nano] ?? 0
        var hour = self[.hour] ?? 0
        // 24:00 is the end of a day where no part between is missing.
        let isWhole = has(.hour) && !(!has(.minute) && (has(.second) || has(.nano))) && !(has(.minute) && !has(.second) && has(.nano))
        if isWhole, hour == 24, minute == 0, second == 0, nano == 0 {
            hour = 0
            extraDays = 1
        }
        guard hour >= 0, hour < 24, minute >= 0, minute < 60, second >= 0, second < 60, nano >= 0, nano < 1_000_000_000 else { return nil }
        return ((hour * 60 + minute) * 60 + second) * 1_000_000_000 + nano
    }

    /// The outer nil where it is wrong, the inner where the fields do not make a date.
    private mutating func resolveDate() -> Int64?? {
        if let weekday = take(.localWeekday) {
            guard weekday >= 1, weekday <= 7, put(.weekday, (weekday + 5) % 7 + 1) else { return nil }
        }
        if let day = self[.julianDay] {
            guard day > -400_000_000_000, day < 400_000_000_000 else { return nil }
            return check(day - 40_587)
        }
        if let year = self[.year] {
            guard TimeFields.isYear(year) else { return nil }
            if let month = self[.month], let day = self[.day] {
                guard month >= 1, month <= 12, day >= 1, day <= 31 else { return nil }
                let length = CivilDate.daysInMonth(year: year, month: month)
                return check(CivilDate.days(year: year, month: month, day: min(day, length)), adjusted: day > length)
            }
            if let day = self[.dayOfYear] {
                guard day >= 1, day <= (CivilDate.isLeapYear(year) ? 366 : 365) else { return nil }
                return check(CivilDate.days(year: year, month: 1, day: 1) + day - 1)
            }
            if let month = self[.month], let week = self[.weekOfMonth], let weekday = self[.weekday] {
                guard month >= 1, month <= 12, week >= 0, week <= 6 else { return nil }
                let first = CivilDate.days(year: year, month: month, day: 1)
                return check(first - CivilDate.isoWeekday(days: first) % 7 + (week - 1) * 7 + weekday % 7)
            }
        }
        if let year = self[.weekYear], let week = self[.week], let weekday = self[.weekday] {
            guard TimeFields.isYear(year), week >= 1, week <= 54 else { return nil }
            let first = CivilDate.days(year: year, month: 1, day: 1)
            let days = first - CivilDate.isoWeekday(days: first) % 7 + (week - 1) * 7 + weekday % 7
            return check(days)
        }
        return .some(nil)
    }

    /// A date that was found, if the other fields do not say another.
    private func check(_ days: Int64, adjusted: Bool = false) -> Int64?? {
        let parts = LocalParts(days: days, nanoOfDay: 0)
        let fields: [TimePattern.Field] = [.year, .month, .day, .dayOfYear, .quarter, .weekYear, .week, .weekOfMonth, .weekday, .alignedWeekday]
        for field in fields where has(field) {
            // The day of a month that was too large was moved already.
            if adjusted, field == .day { continue }
            if values[Int(field.rawValue)] != TimePatternWriter.value(field, parts) { return nil }
        }
        return days
    }
}
