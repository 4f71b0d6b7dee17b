import Expressions
import Testing

@Suite struct TimeCivilTests {
    /// Day by day over 800 years, against a calendar that only knows how long months are.
    @Test func everyDayOfEightHundredYears() {
        var days = CivilDate.days(year: 1580, month: 1, day: 1)
        // 1 January 1580 of the proleptic Gregorian calendar was a Tuesday.
        var weekday: Int64 = 2
        #expect(CivilDate.days(year: 1970, month: 1, day: 1) == 0)
        var failures = 0
        for year in Int64(1580)..<2380 {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            #expect(CivilDate.isLeapYear(year) == isLeap)
            let yearLength: Int64 = isLeap ? 366 : 365
            // Monday of the week in which 4 January lies is the first of the ISO year.
            let januaryWeekday = weekday
            var dayOfYear: Int64 = 0
            for month in Int64(1)...12 {
                let length = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][Int(month) - 1]
                if CivilDate.daysInMonth(year: year, month: month) != Int64(length) { failures += 1 }
                for day in 1...Int64(length) {
                    dayOfYear += 1
                    let date = CivilDate(year: year, month: month, day: day)
                    var isRight = CivilDate(days: days) == date && date.days == days && CivilDate.isoWeekday(days: days) == weekday
                    isRight = isRight && CivilDate.dayOfYear(days: days) == dayOfYear
                    let (isoYear, isoWeek) = Self.week(year, dayOfYear, yearLength, januaryWeekday)
                    let found = CivilDate.isoWeek(days: days)
                    isRight = isRight && found.year == isoYear && found.week == isoWeek
                    if !isRight { failures += 1 }
                    days += 1
                    weekday = weekday % 7 + 1
                }
            }
        }
        #expect(failures == 0)
    }

    /// ISO 8601 from the weekday of 1 January.
    private static func week(_ year: Int64, _ dayOfYear: Int64, _ length: Int64, _ januaryWeekday: Int64) -> (Int64, Int64) {
        func weeks(_ januaryWeekday: Int64, _ isLeap: Bool) -> Int64 { januaryWeekday == 4 || (isLeap && januaryWeekday == 3) ? 53 : 52 }
        let weekday = (januaryWeekday - 1 + dayOfYear - 1) % 7 + 1
        let week = (dayOfYear - weekday + 10) / 7
        if week < 1 {
            let before = year - 1
            let isLeap = before % 4 == 0 && (before % 100 != 0 || before % 400 == 0)
            let first = (januaryWeekday - 1 - (isLeap ? 366 : 365) % 7 + 7) % 7 + 1
            return (before, weeks(first, isLeap))
        }
        if week > weeks(januaryWeekday, length == 366) { return (year + 1, 1) }
        return (year, week)
    }

    @Test func monthsLater() {
        func later(_ year: Int64, _ month: Int64, _ day: Int64, _ months: Int64) -> CivilDate {
            CivilDate(days: CivilDate.days(CivilDate.days(year: year, month: month, day: day), addingMonths: months))
        }
        #expect(later(2024, 1, 31, 1) == CivilDate(year: 2024, month: 2, day: 29))
        #expect(later(2024, 1, 31, 13) == CivilDate(year: 2025, month: 2, day: 28))
        #expect(later(2024, 2, 29, -12) == CivilDate(year: 2023, month: 2, day: 28))
        #expect(later(1, 1, 15, -1) == CivilDate(year: 0, month: 12, day: 15))
        #expect(later(0, 1, 15, -1) == CivilDate(year: -1, month: 12, day: 15))
        for months in stride(from: Int64(-30_000), to: 30_000, by: 7) {
            let index = 2000 * 12 + 4 + months
            let year = Int64((Double(index) / 12).rounded(.down))
            #expect(later(2000, 5, 1, months) == CivilDate(year: year, month: index - year * 12 + 1, day: 1))
        }
    }

    /// Far beyond every type's range: numbers, but no trap.
    @Test func farAway() {
        for days in [Int64.min, .min + 1, -1 << 62, 1 << 62, .max - 1, .max] {
            let date = CivilDate(days: days)
            _ = (date.days, CivilDate.isoWeek(days: days), CivilDate.dayOfYear(days: days), CivilDate.days(days, addingMonths: .max))
        }
        for year in [Int64.min, -1 << 40, 1 << 40, .max] { _ = CivilDate.days(year: year, month: 2, day: .max) }
        // The days of all timestamps of whole seconds.
        for days in [Int64.min / 86_400, Int64.max / 86_400] { #expect(CivilDate(days: days).days == days) }
    }
}
