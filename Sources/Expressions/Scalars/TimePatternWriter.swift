import Columnar

#if canImport(Glibc)
    import Glibc
#endif

/// A local time taken apart, as far as a pattern needs it.
struct LocalParts {
    let days: Int64
    let nanoOfDay: Int64
    let date: CivilDate
    let hour: Int64
    let minute: Int64
    let second: Int64
    let nano: Int64

    init(days: Int64, nanoOfDay: Int64) {
        self.days = days
        self.nanoOfDay = nanoOfDay
        date = CivilDate(days: days)
        nano = nanoOfDay % 1_000_000_000
        let seconds = nanoOfDay / 1_000_000_000
        hour = seconds / 3600
        minute = seconds / 60 % 60
        second = seconds % 60
    }

    /// Sunday is 1.
    var localWeekday: Int64 { CivilDate.isoWeekday(days: days) % 7 &+ 1 }

    /// Weeks that begin on Sunday; the first of a year is that of 1 January.
    var localWeek: (year: Int64, week: Int64) {
        let first = CivilDate.days(year: date.year, month: 1, day: 1)
        // How many days of the year's first week belong to the year before.
        let lead = CivilDate.isoWeekday(days: first) % 7
        let next = CivilDate.days(year: date.year &+ 1, month: 1, day: 1)
        let nextLead = CivilDate.isoWeekday(days: next) % 7
        if days >= next &- nextLead { return (date.year &+ 1, 1) }
        return (date.year, (days &- first &+ lead) / 7 &+ 1)
    }

    var weekOfMonth: Int64 {
        let first = days &- (date.day &- 1)
        return (date.day &- 1 &+ CivilDate.isoWeekday(days: first) % 7) / 7 &+ 1
    }

    /// Of `TimeText.periods`.
    var dayPeriod: Int64 {
        if minute == 0, hour == 0 { return 0 }
        if minute == 0, hour == 12 { return 3 }
        return hour < 6 || hour >= 21 ? 1 : hour < 12 ? 2 : hour < 18 ? 4 : 5
    }
}

/// Writes local times by a pattern into memory of its own.
struct TimePatternWriter: ~Copyable {
    private let pattern: TimePattern
    private let base: UnsafeMutablePointer<UInt8>
    private var used = 0

    init(_ pattern: TimePattern) {
        self.pattern = pattern
        base = .allocate(capacity: pattern.byteCountMax + 64)
    }

    deinit { base.deallocate() }

    /// The text; valid until the next call. Throws `plan` where a field has no value (a zone), or is too long for its width.
    mutating func write(_ parts: LocalParts) throws(MillstreamError) -> UnsafeRawBufferPointer {
        used = 0
        let steps = pattern.steps
        var index = 0
        while index < steps.count {
            let step = steps[index]
            let start = used
            switch step.kind {
            case .optionalStart, .optionalEnd: break
            case .literal: pattern.bytes.withUnsafeBufferPointer { copy($0, Int(step.first), Int(step.last)) }
            case .number, .yearPair: try number(step, TimePatternWriter.value(step.field, parts))
            case .fraction: fraction(step, parts.nano)
            case .text, .dayPeriod: text(step, parts)
            case .offset: throw MillstreamError(.plan, "a time without a zone has no offset to write")
            case .zone: throw MillstreamError(.plan, "a time without a zone has no zone to write")
            }
            if step.pad > 0 { try pad(step, from: start) }
            index += 1
        }
        return UnsafeRawBufferPointer(start: base, count: used)
    }

    private mutating func copy(_ source: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) {
        for index in start..<end {
            base[used] = source[index]
            used &+= 1
        }
    }

    static func value(_ field: TimePattern.Field, _ parts: LocalParts) -> Int64 {
        switch field {
        case .year: parts.date.year
        case .yearOfEra: parts.date.year >= 1 ? parts.date.year : 1 &- parts.date.year
        case .era: parts.date.year >= 1 ? 1 : 0
        case .month: parts.date.month
        case .day: parts.date.day
        case .dayOfYear: parts.days &- CivilDate.days(year: parts.date.year, month: 1, day: 1) &+ 1
        case .julianDay: parts.days &+ 40_587
        case .quarter: (parts.date.month &+ 2) / 3
        case .weekYear: parts.localWeek.year
        case .week: parts.localWeek.week
        case .weekOfMonth: parts.weekOfMonth
        case .weekday: CivilDate.isoWeekday(days: parts.days)
        case .localWeekday: parts.localWeekday
        case .alignedWeekday: (parts.date.day &- 1) % 7 &+ 1
        case .half: parts.hour / 12
        case .hourOfHalf: parts.hour % 12
        case .clockHourOfHalf: parts.hour % 12 == 0 ? 12 : parts.hour % 12
        case .hour: parts.hour
        case .clockHour: parts.hour == 0 ? 24 : parts.hour
        case .minute: parts.minute
        case .second: parts.second
        case .nano: parts.nano
        case .milliOfDay: parts.nanoOfDay / 1_000_000
        case .nanoOfDay: parts.nanoOfDay
        case .dayPeriod: parts.dayPeriod
        case .offset, .zone: 0
        }
    }

    private mutating func number(_ step: TimePattern.Step, _ value: Int64) throws(MillstreamError) {
        if step.kind == .yearPair {
            let pair = UInt64(value.magnitude % 100)
            digits(pair, 2)
            return
        }
        let magnitude = value.magnitude
        let length = TimePatternWriter.digitCount(magnitude)
        guard length <= Int(step.maxWidth) else {
            throw MillstreamError(.plan, "the value \(value) is too long for \(step.maxWidth) digits")
        }
        if value < 0 {
            guard step.sign != .never else { throw MillstreamError(.plan, "the value \(value) is negative, which the pattern cannot write") }
            put(0x2D)
        } else if step.sign == .exceedsPad, length > Int(step.minWidth) {
            put(0x2B)
        }
        digits(magnitude, max(length, Int(step.minWidth)))
    }

    static func digitCount(_ value: UInt64) -> Int {
        var count = 1
        var limit: UInt64 = 10
        while count < 20, value >= limit {
            count &+= 1
            let (next, overflow) = limit.multipliedReportingOverflow(by: 10)
            if overflow { return count }
            limit = next
        }
        return count
    }

    private mutating func put(_ byte: UInt8) {
        base[used] = byte
        used &+= 1
    }

    private mutating func digits(_ value: UInt64, _ width: Int) {
        var rest = value
        var place = used &+ width
        used = place
        for _ in 0..<width {
            place &-= 1
            base[place] = UInt8(truncatingIfNeeded: 0x30 &+ rest % 10)
            rest /= 10
        }
    }

    /// The first digits of the second's fraction; the standard pattern's fraction is never written.
    private mutating func fraction(_ step: TimePattern.Step, _ nano: Int64) {
        var value = UInt64(truncatingIfNeeded: nano)
        for _ in Int(step.minWidth)..<9 { value /= 10 }
        digits(value, Int(step.minWidth))
    }

    private mutating func text(_ step: TimePattern.Step, _ parts: LocalParts) {
        let value = TimePatternWriter.value(step.field, parts)
        // Eras, halves and periods of a day count from 0, the others from 1.
        let isFromZero = step.field == .era || step.field == .half || step.field == .dayPeriod
        let entry = pattern.texts[Int(step.first) &+ Int(value) &- (isFromZero ? 0 : 1)]
        pattern.bytes.withUnsafeBufferPointer { copy($0, Int(entry.start), Int(entry.end)) }
    }

    private mutating func pad(_ step: TimePattern.Step, from start: Int) throws(MillstreamError) {
        let length = used &- start
        let missing = Int(step.pad) &- length
        guard missing >= 0 else { throw MillstreamError(.plan, "a value of \(length) characters is too long to be padded to \(step.pad)") }
        memmove(base + start + missing, base + start, length)
        memset(base + start, 0x20, missing)
        used &+= missing
    }
}
