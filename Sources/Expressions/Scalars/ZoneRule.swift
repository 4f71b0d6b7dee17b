/// The rule of a zone for the years behind its table, as POSIX's TZ variable writes it: `CET-1CEST,M3.5.0,M10.5.0/3`.
struct ZoneRule {
    /// Seconds ahead of UTC without summer time.
    let standard: Int64
    let summer: Summer?

    struct Summer {
        let offset: Int64
        let start: Day
        let end: Day
    }

    /// A day of each year, and the second of it by the clocks before the change.
    struct Day {
        enum Kind {
            /// 1...365, 29 February never counted.
            case julian(Int64)
            /// 0...365
            case dayOfYear(Int64)
            /// Weekday 0 (Sunday) to 6 of week 1...5 (5: the last) of a month.
            case weekday(month: Int64, week: Int64, weekday: Int64)
        }

        let kind: Kind
        let second: Int64

        /// Seconds since 1970-01-01 00:00:00, by the clocks before the change.
        func local(_ year: Int64) -> Int64 {
            let first = CivilDate.days(year: year, month: 1, day: 1)
            let day: Int64
            switch kind {
            case .julian(let number): day = first + number - 1 + (number >= 60 && CivilDate.isLeapYear(year) ? 1 : 0)
            case .dayOfYear(let number): day = first + number
            case .weekday(let month, let week, let weekday):
                let start = CivilDate.days(year: year, month: month, day: 1)
                // ISO's Sunday is 7.
                let ahead = (weekday - CivilDate.isoWeekday(days: start) + 14) % 7
                let length = CivilDate.daysInMonth(year: year, month: month)
                var place = ahead + 7 * (week - 1)
                if place >= length { place -= 7 }
                day = start + place
            }
            return day * 86_400 + second
        }
    }

    init?(_ text: [UInt8]) {
        var reader = RuleReader(text)
        guard reader.name(), let west = reader.time() else { return nil }
        standard = -west
        if reader.isAtEnd {
            summer = nil
            return
        }
        guard reader.name() else { return nil }
        var offset = standard + 3600
        if !reader.isAt(0x2C) {
            guard let west = reader.time() else { return nil }
            offset = -west
        }
        // Without days POSIX leaves them to the system; the tz database always has them.
        guard let start = reader.day(), let end = reader.day(), reader.isAtEnd else { return nil }
        summer = Summer(offset: offset, start: start, end: end)
    }

    /// Appends the changes behind `last` (of the table) for the years up to `explicitYear` and 400 more. Whether the table's last 400 years then repeat.
    func extend(_ instants: inout [Int64], _ offsets: inout [Int64], from last: Int64?, explicitYear: Int64) -> Bool {
        func append(_ instant: Int64, _ offset: Int64) {
            guard instant > instants.last ?? .min, offset != offsets[offsets.count - 1] else { return }
            instants.append(instant)
            offsets.append(offset)
        }
        guard let summer else {
            // The last change of the table leads to the standard time already; where there is no change at all, the rule decides.
            if let last { append(last.addingSaturating(1), standard) } else { offsets = [standard] }
            return false
        }
        let known = last ?? .min
        let firstYear = last.map { CivilDate(days: CivilDate.quotient($0, 86_400)).year - 1 } ?? 1970
        let endYear = max(explicitYear, firstYear + 2) + 400
        guard firstYear > -100_000, endYear < 100_000 else { return false }
        for year in firstYear...endYear {
            let start = (instant: summer.start.local(year) - standard, offset: summer.offset)
            let end = (instant: summer.end.local(year) - summer.offset, offset: standard)
            for change in start.instant < end.instant ? [start, end] : [end, start] where change.instant > known { append(change.instant, change.offset) }
        }
        // Summer time all the year round makes no changes in the end.
        guard let end = instants.last else { return false }
        return end > CivilDate.days(year: endYear - 1, month: 1, day: 1) * 86_400
    }
}

private struct RuleReader {
    private let text: [UInt8]
    private var place = 0

    init(_ text: [UInt8]) { self.text = text }

    var isAtEnd: Bool { place == text.count }
    func isAt(_ byte: UInt8) -> Bool { place < text.count && text[place] == byte }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard isAt(byte) else { return false }
        place += 1
        return true
    }

    /// At least three letters, or anything in angle brackets.
    mutating func name() -> Bool {
        let start = place
        if take(0x3C) {
            while place < text.count, text[place] != 0x3E { place += 1 }
            return take(0x3E)
        }
        while place < text.count, (text[place] | 0x20) >= 0x61, (text[place] | 0x20) <= 0x7A { place += 1 }
        return place - start >= 3
    }

    private mutating func number() -> Int64? {
        let start = place
        var value: Int64 = 0
        while place < text.count, place - start < 4, text[place] >= 0x30, text[place] <= 0x39 {
            value = value * 10 + Int64(text[place] - 0x30)
            place += 1
        }
        return place == start ? nil : value
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    mutating func time() -> Int64? {
        let isNegative = take(0x2D)
        if !isNegative { _ = take(0x2B) }
        guard var seconds = number(), seconds <= 167 else { return nil }
        seconds *= 3600
        if take(0x3A) {
            guard let minutes = number(), minutes < 60 else { return nil }
            seconds += 60 * minutes
            if take(0x3A) {
                guard let rest = number(), rest < 60 else { return nil }
                seconds += rest
            }
        }
        return isNegative ? -seconds : seconds
    }

    /// `,Jn`, `,n` or `,Mm.w.d`, with `/time` or 02:00.
    mutating func day() -> ZoneRule.Day? {
        guard take(0x2C) else { return nil }
        let kind: ZoneRule.Day.Kind
        if take(0x4A) {
            guard let day = number(), day >= 1, day <= 365 else { return nil }
            kind = .julian(day)
        } else if take(0x4D) {
            guard let month = number(), month >= 1, month <= 12, take(0x2E), let week = number(), week >= 1, week <= 5, take(0x2E), let weekday = number(), weekday <= 6
            else { return nil }
            kind = .weekday(month: month, week: week, weekday: weekday)
        } else {
            guard let day = number(), day <= 365 else { return nil }
            kind = .dayOfYear(day)
        }
        var second: Int64 = 2 * 3600
        if take(0x2F) {
            guard let time = time() else { return nil }
            second = time
        }
        return ZoneRule.Day(kind: kind, second: second)
    }
}
