import Columnar

/// Reads instants by a pattern of `SimpleDateFormat`.
struct LegacyPatternParser {
    private let pattern: LegacyPattern
    private var zone: LegacyZone
    /// The first instant in milliseconds that two digits of a year may mean: 80 years before now.
    private let centuryStart: Int64
    private let centuryYear: Int64
    private var calendar = LegacyCalendar()
    private var isAmbiguousYear = false

    init(_ pattern: LegacyPattern, _ zone: Zone, now: Int64) {
        self.pattern = pattern
        self.zone = LegacyZone(zone)
        let day = CivilDate.quotient(now, 86_400_000)
        centuryStart = CivilDate.days(day, addingMonths: -960) &* 86_400_000 &+ CivilDate.remainder(now, 86_400_000)
        centuryYear = CivilDate(days: CivilDate.quotient(centuryStart, 86_400_000)).year
    }

    /// Milliseconds since the epoch; nil where the text does not begin with what the pattern says.
    mutating func parse(_ text: UnsafeRawBufferPointer) -> Int64? {
        calendar = LegacyCalendar()
        isAmbiguousYear = false
        var place = 0
        let steps = pattern.steps
        for index in steps.indices {
            let step = steps[index]
            if step.letter == 0 {
                for byte in Int(step.count)..<Int(step.end) {
                    guard place < text.count, text[place] == pattern.bytes[byte] else { return nil }
                    place += 1
                }
                continue
            }
            // Numbers with nothing between them have as many digits as there are letters.
            let isExact = index + 1 < steps.count && steps[index + 1].letter != 0
            guard let next = field(step, text, place, isExact) else { return nil }
            place = next
        }
        // A text of which nothing was read is none.
        if place == 0 { return nil }
        let time = calendar.milliseconds(&zone)
        if isAmbiguousYear, time < centuryStart {
            calendar.set(.year, calendar[.year] + 100)
            return calendar.milliseconds(&zone)
        }
        return time
    }

    private mutating func field(_ step: LegacyPattern.Step, _ text: UnsafeRawBufferPointer, _ from: Int, _ isExact: Bool) -> Int? {
        var start = from
        while start < text.count, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
        guard start < text.count else { return nil }
        let count = Int(step.count)
        /// A number, and where it ends.
        func number() -> (value: Int64, end: Int)? {
            // The letters' count is from where the field began, spaces included.
            let limit = isExact ? from + count : text.count
            guard limit <= text.count else { return nil }
            var place = start
            let isNegative = place < limit && text[place] == 0x2D
            if isNegative { place += 1 }
            let first = place
            var value: Int64 = 0
            while place < limit, text[place] &- 0x30 <= 9 {
                value = min(value &* 10 &+ Int64(text[place] &- 0x30), 1 << 58)
                place += 1
            }
            guard place > first else { return nil }
            // What Java keeps of a long is its low 32 bits.
            return (Int64(Int32(truncatingIfNeeded: isNegative ? -value : value)), place)
        }
        func plain(_ field: LegacyCalendar.Field) -> Int? {
            guard let (value, end) = number() else { return nil }
            calendar.set(field, value)
            return end
        }
        func name(_ field: LegacyCalendar.Field, _ names: [[String]], from first: Int64) -> Int? {
            guard let (index, end) = longest(names, text, start) else { return nil }
            calendar.set(field, Int64(index) + first)
            return end
        }
        switch step.letter {
        case 0x79, 0x59:  // y, Y
            guard let (read, end) = number() else { return nil }
            var value = read
            if count <= 2, end - start == 2, text[start] != 0x2D {
                let pair = centuryYear % 100
                isAmbiguousYear = value == pair
                value += centuryYear / 100 * 100 + (value < pair ? 100 : 0)
            }
            calendar.set(step.letter == 0x79 ? .year : .weekYear, value)
            return end
        case 0x4D, 0x4C:  // M, L
            if count >= 3 { return name(.month, [TimeText.months, TimeText.months(.short)], from: 1) }
            return plain(.month)
        case 0x47: return name(.era, [TimeText.eras(.full), TimeText.eras(.short)], from: 0)  // G
        case 0x45: return name(.weekday, [TimeText.weekdays, TimeText.weekdays(.short)], from: 1)  // E
        case 0x61: return name(.half, [TimeText.halves], from: 0)  // a
        case 0x6B:  // k
            guard let (value, end) = number() else { return nil }
            calendar.set(.hour, value == 24 ? 0 : value)
            return end
        case 0x68:  // h
            guard let (value, end) = number() else { return nil }
            calendar.set(.hourOfHalf, value == 12 ? 0 : value)
            return end
        case 0x64: return plain(.day)  // d
        case 0x48: return plain(.hour)  // H
        case 0x4B: return plain(.hourOfHalf)  // K
        case 0x6D: return plain(.minute)  // m
        case 0x73: return plain(.second)  // s
        case 0x53: return plain(.milli)  // S
        case 0x44: return plain(.dayOfYear)  // D
        case 0x46: return plain(.weekdayOfMonth)  // F
        case 0x77: return plain(.week)  // w
        case 0x57: return plain(.weekOfMonth)  // W
        case 0x75: return plain(.weekday)  // u
        case 0x58:  // X
            if text[start] == 0x5A {
                calendar.set(.zone, 0)
                return start + 1
            }
            return numericZone(text, start, form: count, hasColon: count == 3)
        default: return namedZone(text, start)  // z, Z
        }
    }

    /// The longest of the names at a place, whatever its case.
    private func longest(_ names: [[String]], _ text: UnsafeRawBufferPointer, _ start: Int) -> (index: Int, end: Int)? {
        var best: (index: Int, end: Int)?
        for list in names {
            for (index, name) in list.enumerated() {
                guard let end = LegacyPatternParser.match(name, text, start), end > best?.end ?? -1 else { continue }
                best = (index, end)
            }
        }
        return best
    }

    private static func match(_ name: String, _ text: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        var place = start
        for byte in name.utf8 {
            guard place < text.count else { return nil }
            let isLetter = byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A
            guard isLetter ? text[place] | 0x20 == byte | 0x20 : text[place] == byte else { return nil }
            place += 1
        }
        return place
    }

    /// A sign, then `hh`, `hhmm` or `hh:mm`.
    private mutating func numericZone(_ text: UnsafeRawBufferPointer, _ start: Int, form: Int, hasColon: Bool) -> Int? {
        guard start < text.count, text[start] == 0x2B || text[start] == 0x2D else { return nil }
        var place = start + 1
        func digit() -> Int64? { place < text.count && text[place] &- 0x30 <= 9 ? Int64(text[place] &- 0x30) : nil }
        guard var hours = digit() else { return nil }
        place += 1
        if let next = digit() {
            hours = hours * 10 + next
            place += 1
        } else if form > 0 || !hasColon {
            return nil
        }
        var minutes: Int64 = 0
        if form != 1 {
            if hasColon {
                guard place < text.count, text[place] == 0x3A else { return nil }
                place += 1
            }
            guard let first = digit() else { return nil }
            place += 1
            guard let second = digit() else { return nil }
            place += 1
            minutes = first * 10 + second
        }
        guard hours <= 23, minutes <= 59 else { return nil }
        let offset = (hours * 60 + minutes) * 60
        calendar.set(.zone, text[start] == 0x2D ? -offset : offset)
        return place
    }

    private mutating func namedZone(_ text: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        if text[start] == 0x2B || text[start] == 0x2D { return numericZone(text, start, form: 0, hasColon: false) }
        if let end = LegacyPatternParser.match("GMT", text, start) {
            if end < text.count, text[end] == 0x2B || text[end] == 0x2D { return numericZone(text, end, form: 0, hasColon: true) }
            calendar.set(.zone, 0)
            return end
        }
        for (name, seconds) in ZoneLabels.offsets {
            guard let end = LegacyPatternParser.match(name, text, start) else { continue }
            calendar.set(.zone, seconds)
            return end
        }
        return nil
    }
}

/// What `java.util.GregorianCalendar` makes of fields when it is lenient: every value counts on, and of fields that contradict each other the one set last decides.
struct LegacyCalendar {
    enum Field: Int {
        case era, year, weekYear, month, day, dayOfYear, week, weekOfMonth, weekday, weekdayOfMonth, half, hourOfHalf, hour, minute, second, milli, zone
    }

    private var values: (
        Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64
    ) = (1, 1970, 0, 1, 1, 1, 1, 1, 7, 1, 0, 0, 0, 0, 0, 0, 0)
    /// When a field was set; 0 where it was not.
    private var stamps: (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8) = (
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
    )
    private var clock: UInt8 = 0

    mutating func set(_ field: Field, _ value: Int64) {
        clock = clock == .max ? .max : clock + 1
        withUnsafeMutableBytes(of: &values) { $0.storeBytes(of: value, toByteOffset: 8 * field.rawValue, as: Int64.self) }
        withUnsafeMutableBytes(of: &stamps) { $0[field.rawValue] = clock }
    }

    subscript(_ field: Field) -> Int64 {
        withUnsafeBytes(of: values) { $0.load(fromByteOffset: 8 * field.rawValue, as: Int64.self) }
    }

    private func stamp(_ field: Field) -> UInt8 { withUnsafeBytes(of: stamps) { $0[field.rawValue] } }

    /// The later stamp of two fields that only count together.
    private func both(_ left: Field, _ right: Field) -> UInt8 { stamp(left) == 0 || stamp(right) == 0 ? 0 : max(stamp(left), stamp(right)) }

    /// Milliseconds since the epoch; what lies beyond Int64 wraps.
    func milliseconds(_ zone: inout LegacyZone) -> Int64 {
        let isHalf = stamp(.hour) == 0 && (stamp(.hourOfHalf) != 0 || stamp(.half) != 0)
        let useHalf = isHalf || both(.hourOfHalf, .half) > stamp(.hour)
        let hour = useHalf ? self[.half] &* 12 &+ self[.hourOfHalf] : self[.hour]
        let seconds = days &* 86_400 &+ hour &* 3600 &+ self[.minute] &* 60 &+ self[.second]
        let local = seconds &+ CivilDate.quotient(self[.milli], 1000)
        let offset = stamp(.zone) != 0 ? self[.zone] : zone.offset(ofLocal: local)
        return (local &- offset) &* 1000 &+ CivilDate.remainder(self[.milli], 1000)
    }

    /// Of a week that begins on Sunday: 0...6.
    private static func place(_ weekday: Int64) -> Int64 { CivilDate.remainder(weekday, 7) }

    private var days: Int64 {
        if stamp(.weekYear) != 0, stamp(.weekYear) > stamp(.year) {
            let first = CivilDate.hybridDays(year: self[.weekYear], month: 1, day: 1)
            let start = first &- CivilDate.isoWeekday(days: first) % 7
            // Without a weekday it is the week's first.
            return start &+ (self[.week] &- 1) &* 7 &+ LegacyCalendar.place(self[.weekday])
        }
        let year = stamp(.era) != 0 && self[.era] == 0 ? 1 &- self[.year] : self[.year]
        let weekOfMonth = both(.weekOfMonth, .weekday)
        let weekdayOfMonth = both(.weekdayOfMonth, .weekday)
        let week = both(.week, .weekday)
        var best = max(stamp(.day), weekOfMonth, weekdayOfMonth, stamp(.dayOfYear), week)
        var choice: Field = .day
        if best == 0 {
            let alone = max(stamp(.weekdayOfMonth), stamp(.weekday))
            best = max(stamp(.weekOfMonth), alone, stamp(.week))
            if best != 0 { choice = best == stamp(.weekOfMonth) ? .weekOfMonth : best == alone ? .weekdayOfMonth : .week }
        } else if best == stamp(.day) {
            choice = .day
        } else if best == weekOfMonth, stamp(.weekOfMonth) >= stamp(.week) {
            choice = .weekOfMonth
        } else if best == weekdayOfMonth, stamp(.weekdayOfMonth) >= stamp(.week) {
            choice = .weekdayOfMonth
        } else {
            choice = best == stamp(.dayOfYear) ? .dayOfYear : .week
        }
        let weekday = stamp(.weekday) == 0 ? 0 : LegacyCalendar.place(self[.weekday])
        switch choice {
        case .dayOfYear: return CivilDate.hybridDays(year: year, month: 1, day: 1) &+ self[.dayOfYear] &- 1
        case .week:
            let first = CivilDate.hybridDays(year: year, month: 1, day: 1)
            return first &- CivilDate.isoWeekday(days: first) % 7 &+ (self[.week] &- 1) &* 7 &+ weekday
        case .weekOfMonth:
            let first = CivilDate.hybridDays(year: year, month: self[.month], day: 1)
            return first &- CivilDate.isoWeekday(days: first) % 7 &+ (self[.weekOfMonth] &- 1) &* 7 &+ weekday
        case .weekdayOfMonth:
            let first = CivilDate.hybridDays(year: year, month: self[.month], day: 1)
            let ahead = CivilDate.remainder(weekday &- CivilDate.isoWeekday(days: first) % 7, 7)
            return first &+ ahead &+ (self[.weekdayOfMonth] &- 1) &* 7
        default: return CivilDate.hybridDays(year: year, month: self[.month], day: self[.day])
        }
    }
}
