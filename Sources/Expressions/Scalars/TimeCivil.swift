/// A day of the calendar: year, month and day of the proleptic Gregorian calendar (SQL's and `java.time`'s), or of the one with the Julian calendar before 15 October 1582
/// (`java.util.GregorianCalendar`'s).
///
/// Days are counted since 1970-01-01. Nothing here traps for any number of days that a DATE or a TIMESTAMP can hold, nor for any Int32 of months; what lies far beyond wraps.
public struct CivilDate: Equatable, Sendable {
    /// The astronomical year: 0 is 1 BC.
    public var year: Int64
    /// 1...12
    public var month: Int64
    /// 1...31
    public var day: Int64

    /// 15 October 1582, the first day of the Gregorian calendar.
    static let cutover: Int64 = -141_427

    public init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// Eras of 400 years of 146,097 days that begin on 1 March, so that the leap day is the last of its year.
    @inlinable
    public init(days: Int64) {
        let shifted = days &+ 719_468
        let era = (shifted >= 0 ? shifted : shifted &- 146_096) / 146_097
        let dayOfEra = shifted &- era &* 146_097
        let yearOfEra = (dayOfEra &- dayOfEra / 1460 &+ dayOfEra / 36_524 &- dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra &- (365 &* yearOfEra &+ yearOfEra / 4 &- yearOfEra / 100)
        let shiftedMonth = (5 &* dayOfYear &+ 2) / 153
        day = dayOfYear &- (153 &* shiftedMonth &+ 2) / 5 &+ 1
        month = shiftedMonth < 10 ? shiftedMonth &+ 3 : shiftedMonth &- 9
        year = yearOfEra &+ era &* 400 &+ (month <= 2 ? 1 : 0)
    }

    /// The number of a date's day. A day beyond its month's end counts into the next months.
    @inlinable
    public static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shiftedYear = month <= 2 ? year &- 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear &- 399) / 400
        let yearOfEra = shiftedYear &- era &* 400
        let dayOfYear = (153 &* (month > 2 ? month &- 3 : month &+ 9) &+ 2) / 5 &+ day &- 1
        return era &* 146_097 &+ yearOfEra &* 365 &+ yearOfEra / 4 &- yearOfEra / 100 &+ dayOfYear &- 719_468
    }

    @inlinable
    public var days: Int64 { CivilDate.days(year: year, month: month, day: day) }

    public static func isLeapYear(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    @inlinable
    public static func daysInMonth(year: Int64, month: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// The day `months` later (or earlier); the last of the month where that month has no such day.
    @inlinable
    public static func days(_ days: Int64, addingMonths months: Int64) -> Int64 {
        let date = CivilDate(days: days)
        let index = date.year &* 12 &+ (date.month &- 1) &+ months
        let year = (index >= 0 ? index : index &- 11) / 12
        let month = index &- year &* 12 &+ 1
        return CivilDate.days(year: year, month: month, day: min(date.day, daysInMonth(year: year, month: month)))
    }

    /// Monday is 1, Sunday 7.
    @inlinable
    public static func isoWeekday(days: Int64) -> Int64 { CivilDate.remainder(days &+ 3, 7) &+ 1 }

    /// 1 January is 1.
    @inlinable
    public static func dayOfYear(days: Int64) -> Int64 { days &- CivilDate.days(year: CivilDate(days: days).year, month: 1, day: 1) &+ 1 }

    /// The week by ISO 8601 and the year that it belongs to: the one in which its Thursday lies.
    @inlinable
    public static func isoWeek(days: Int64) -> (year: Int64, week: Int64) {
        let thursday = days &+ 4 &- isoWeekday(days: days)
        let year = CivilDate(days: thursday).year
        return (year, (thursday &- CivilDate.days(year: year, month: 1, day: 1)) / 7 &+ 1)
    }

    /// The remainder that has the divisor's sign, for a positive divisor.
    @inlinable
    static func remainder(_ value: Int64, _ divisor: Int64) -> Int64 {
        let remainder = value % divisor
        return remainder < 0 ? remainder &+ divisor : remainder
    }

    /// The quotient rounded down, for a positive divisor.
    @inlinable
    static func quotient(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient &- 1 : quotient
    }
}

/// The calendar of `java.util`, in which 4 October 1582 was followed by the 15th.
extension CivilDate {
    init(hybridDays days: Int64) {
        if days >= CivilDate.cutover {
            self.init(days: days)
            return
        }
        // Cycles of four years of 1,461 days from 1 March of the year 0 of the Julian calendar.
        let shifted = days &+ 719_470
        let cycle = CivilDate.quotient(shifted, 1461)
        let dayOfCycle = shifted &- cycle &* 1461
        let yearOfCycle = min(dayOfCycle / 365, 3)
        let dayOfYear = dayOfCycle &- yearOfCycle &* 365
        let shiftedMonth = (5 &* dayOfYear &+ 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth &+ 3 : shiftedMonth &- 9
        self.init(
            year: cycle &* 4 &+ yearOfCycle &+ (month <= 2 ? 1 : 0), month: month, day: dayOfYear &- (153 &* shiftedMonth &+ 2) / 5 &+ 1)
    }

    /// The number of a date's day; any month and day count on from the year's start.
    static func hybridDays(year: Int64, month: Int64, day: Int64) -> Int64 {
        let index = year &* 12 &+ (month &- 1)
        let year = quotient(index, 12)
        let month = index &- year &* 12 &+ 1
        let gregorian = days(year: year, month: month, day: 1) &+ (day &- 1)
        if gregorian >= cutover { return gregorian }
        let shiftedYear = month <= 2 ? year &- 1 : year
        let cycle = quotient(shiftedYear, 4)
        let yearOfCycle = shiftedYear &- cycle &* 4
        let dayOfYear = (153 &* (month > 2 ? month &- 3 : month &+ 9) &+ 2) / 5
        let julian = cycle &* 1461 &+ yearOfCycle &* 365 &+ dayOfYear &- 719_470 &+ (day &- 1)
        // The ten days that the calendar skips count as the Julian calendar's.
        return julian
    }
}
