import Columnar
import Plan

#if canImport(Glibc)
    import Glibc
#endif

/// TO_DATE, TO_TIMESTAMP, TO_TIMESTAMP_LTZ and UNIX_TIMESTAMP.
enum TimeParsing {
    /// What Flink makes of a text that TO_DATE's format does not fit: the last days of a number that stands for no date (27 September 1705471).
    private static let noDate = CivilDate.days(year: 1_705_471, month: 9, day: 27)

    // MARK: TO_DATE

    static func prepareToDate(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        if request.arguments.contains(where: { $0.kind == .null }) { return { (_, _, _) in .null(type) } }
        if request.arguments.count == 1 { return { (arguments, count, _) throws(MillstreamError) in try map(arguments, count, type) { lenientDate(arguments[0].bytes($0)) } } }
        let patterns = Compiled<LegacyPattern>(request.text(1)) { text throws(MillstreamError) in try LegacyPattern(text) }
        return { (arguments, count, context) throws(MillstreamError) in
            var ready: Compiled<LegacyPattern>.Ready?
            var parser: LegacyPatternParser?
            return try map(arguments, count, type) { row throws(MillstreamError) in
                let pattern = try patterns.ready(arguments[1], row, ready)
                if parser == nil || pattern !== ready { parser = LegacyPatternParser(pattern.pattern, .utc, now: context.now) }
                ready = pattern
                guard let milliseconds = parser?.parse(arguments[0].bytes(row)) else { return noDate }
                return CivilDate.quotient(milliseconds, 86_400_000)
            }
        }
    }

    /// `y[-m[-d]]` with spaces around the numbers, whatever follows a space behind them; nil where it is no date.
    static func lenientDate(_ text: UnsafeRawBufferPointer) -> Int64? {
        var end = text.count
        for index in 0..<text.count where text[index] == 0x20 {
            // A space at the very start ends nothing.
            if index > 0 { end = index }
            break
        }
        var numbers: (Int64, Int64, Int64) = (0, 1, 1)
        var part = 0
        var start = 0
        while true {
            var stop = start
            while stop < end, text[stop] != 0x2D || part == 2 { stop += 1 }
            guard let number = trimmedNumber(text, start, stop) else { return nil }
            if part == 0 { numbers.0 = number } else if part == 1 { numbers.1 = number } else { numbers.2 = number }
            if stop >= end { break }
            part += 1
            start = stop + 1
        }
        let (year, month, day) = numbers
        guard year <= 9999, month >= 1, month <= 12, day >= 1, day <= CivilDate.daysInMonth(year: year, month: month) else { return nil }
        return CivilDate.days(year: year, month: month, day: day)
    }

    private static func trimmedNumber(_ text: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Int64? {
        var first = start
        var last = end
        while first < last, text[first] <= 0x20 { first += 1 }
        while last > first, text[last - 1] <= 0x20 { last -= 1 }
        guard last > first else { return nil }
        var value: Int64 = 0
        for index in first..<last {
            guard text[index] &- 0x30 <= 9 else { return nil }
            value = min(value * 10 + Int64(text[index] - 0x30), 1 << 40)
        }
        return value
    }

    // MARK: TO_TIMESTAMP

    /// TIMESTAMP by a pattern of `DateTimeFormatter`; a text that it does not fit may still be `yyyy-M-d H:m:s[.f]` or `yyyy-M-d`.
    static func prepareToTimestamp(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        if request.arguments.contains(where: { $0.kind == .null }) { return { (_, _, _) in .null(type) } }
        let steps = type.stepsPerSecond ?? 1000
        let precision = type.precisionSteps
        func value(_ local: TimePatternParser.Local?) -> Int64? {
            guard let local, let value = scaled(local.days, local.nanoOfDay, steps) else { return nil }
            return value &- CivilDate.remainder(value, precision)
        }
        if request.arguments.count == 1 {
            return { (arguments, count, _) throws(MillstreamError) in
                var parser = TimePatternParser(.standard)
                return try map(arguments, count, type) { value(standard(arguments[0].bytes($0), &parser)) }
            }
        }
        let patterns = Compiled<TimePattern>(request.text(1)) { text throws(MillstreamError) in try TimePattern(text) }
        return { (arguments, count, _) throws(MillstreamError) in
            try withPatterns(arguments, count, type, patterns) { parser, row in value(parser.parse(arguments[0].bytes(row))) }
        }
    }

    /// TIMESTAMP_LTZ of a number since 1970 (seconds, or fractions of a given number of digits) or of text, which is of UTC or of the zone named.
    static func prepareToTimestampLTZ(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        guard let source = request.arguments.first else { throw .internal("TO_TIMESTAMP_LTZ takes a value") }
        if request.arguments.contains(where: { $0.kind == .null }) { return { (_, _, _) in .null(type) } }
        guard source.isText else { return try TimeEpoch.prepare(request) }
        let steps = type.stepsPerSecond ?? 1000
        let precision = type.precisionSteps
        func value(_ local: TimePatternParser.Local?, _ cursor: inout ZoneCursor) -> Int64? {
            guard let local else { return nil }
            let second = local.days &* 86_400 &+ local.nanoOfDay / 1_000_000_000
            let offset = cursor.offset(ofLocal: second)
            guard let value = scaled(local.days, local.nanoOfDay, steps) else { return nil }
            let (instant, overflow) = value.subtractingReportingOverflow(offset &* steps)
            return overflow ? nil : instant &- CivilDate.remainder(instant, precision)
        }
        if request.arguments.count == 1 {
            return { (arguments, count, _) throws(MillstreamError) in
                var parser = TimePatternParser(.standard)
                var cursor = ZoneCursor(.utc)
                return try map(arguments, count, type) { row throws(MillstreamError) in
                    let text = arguments[0].bytes(row)
                    // Without a pattern Flink does not forgive.
                    guard let local = standard(text, &parser) else {
                        throw MillstreamError(
                            .decode, "TO_TIMESTAMP_LTZ: '\(String(decoding: text.prefix(80), as: UTF8.self))' is no timestamp",
                            hint: "Give the pattern of the text; what does not fit that is NULL.")
                    }
                    return value(local, &cursor)
                }
            }
        }
        let patterns = Compiled<TimePattern>(request.text(1)) { text throws(MillstreamError) in try TimePattern(text) }
        let hasZone = request.arguments.count == 3
        return { (arguments, count, _) throws(MillstreamError) in
            var cursor = ZoneCursor(.utc)
            var name: [UInt8]?
            var isKnown = true
            return try withPatterns(arguments, count, type, patterns) { parser, row in
                if hasZone {
                    let bytes = arguments[2].bytes(row)
                    if name == nil || name?.elementsEqual(bytes) == false {
                        name = Array(bytes)
                        // A zone that is not known gives NULL, as in Flink; where the system has none at all, UTC alone is known.
                        do throws(MillstreamError) {
                            cursor = ZoneCursor(try Zone.named(String(decoding: bytes, as: UTF8.self)))
                            isKnown = true
                        } catch { isKnown = false }
                    }
                    if !isKnown { return nil }
                }
                return value(parser.parse(arguments[0].bytes(row)), &cursor)
            }
        }
    }

    /// Steps since 1970; nil where they are too many.
    private static func scaled(_ days: Int64, _ nanoOfDay: Int64, _ steps: Int64) -> Int64? {
        let (product, overflow) = days.multipliedReportingOverflow(by: 86_400 &* steps)
        let (sum, carried) = product.addingReportingOverflow(nanoOfDay / (1_000_000_000 / steps))
        return overflow || carried ? nil : sum
    }

    /// Reads what has no pattern of its own: `yyyy-MM-dd HH:mm:ss` without further ado, the rest by the standard pattern.
    private static func standard(_ text: UnsafeRawBufferPointer, _ parser: inout TimePatternParser) -> TimePatternParser.Local? {
        if text.count == 19, let local = fixed(text) { return local }
        return parser.parse(text)
    }

    private static func fixed(_ text: UnsafeRawBufferPointer) -> TimePatternParser.Local? {
        guard text[4] == 0x2D, text[7] == 0x2D, text[10] == 0x20, text[13] == 0x3A, text[16] == 0x3A else { return nil }
        var isDigits = true
        func pair(_ at: Int) -> Int64 {
            let tens = text[at] &- 0x30
            let ones = text[at + 1] &- 0x30
            if tens > 9 || ones > 9 { isDigits = false }
            return Int64(tens) * 10 + Int64(ones)
        }
        let year = pair(0) * 100 + pair(2)
        let (month, day, hour, minute, second) = (pair(5), pair(8), pair(11), pair(14), pair(17))
        guard isDigits, year > 0, month >= 1, month <= 12, day >= 1, day <= 28, hour < 24, minute < 60, second < 60 else { return nil }
        return TimePatternParser.Local(
            days: CivilDate.days(year: year, month: month, day: day), nanoOfDay: ((hour * 60 + minute) * 60 + second) * 1_000_000_000)
    }

    /// `yyyy-M-d H:m:s[.f]` or `yyyy-M-d`, as `java.sql.Timestamp` and `java.sql.Date` read them: days, hours and so on count on beyond their end.
    static func sql(_ text: UnsafeRawBufferPointer) -> TimePatternParser.Local? {
        var first = 0
        var last = text.count
        while first < last, text[first] <= 0x20 { first += 1 }
        while last > first, text[last - 1] <= 0x20 { last -= 1 }
        var reader = SQLTimeReader(UnsafeRawBufferPointer(rebasing: text[first..<last]))
        return reader.read()
    }

    // MARK: UNIX_TIMESTAMP

    /// Seconds since 1970 of now, or of a text by a pattern of `SimpleDateFormat`; the least BIGINT where the text does not fit.
    static func prepareUnixTimestamp(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        if request.arguments.isEmpty { return { (_, _, context) throws(MillstreamError) in try .constant(.int64(context.now / 1000), type) } }
        if request.arguments.contains(where: { $0.kind == .null }) { return { (_, _, _) in .null(type) } }
        let standard = request.arguments.count == 1
        let patterns = Compiled<LegacyPattern>(standard ? "yyyy-MM-dd HH:mm:ss" : request.text(1)) { text throws(MillstreamError) in try LegacyPattern(text) }
        return { (arguments, count, context) throws(MillstreamError) in
            let zone = try Zone.named(context.timeZone)
            var ready: Compiled<LegacyPattern>.Ready?
            var parser: LegacyPatternParser?
            return try map(arguments, count, type) { row throws(MillstreamError) in
                let pattern = try patterns.ready(standard ? nil : arguments[1], row, ready)
                if parser == nil || pattern !== ready { parser = LegacyPatternParser(pattern.pattern, zone, now: context.now) }
                ready = pattern
                guard let milliseconds = parser?.parse(arguments[0].bytes(row)) else { return .min }
                return milliseconds / 1000
            }
        }
    }

    // MARK: Rows

    /// A number for each row in which no argument is NULL; `body` gives nil for NULL.
    static func map(
        _ arguments: [Operand], _ count: Int, _ type: DataType, _ body: (Int) throws(MillstreamError) -> Int64?
    ) throws(MillstreamError) -> Operand {
        if arguments.contains(where: \.isNullConstant) { return .null(type) }
        let isConstant = arguments.allSatisfy(\.isConstant)
        let count = isConstant ? 1 : count
        let isNarrow = type.layout == .fixed(byteWidth: 4)
        let values = Buffer.zeroed(byteCount: (isNarrow ? 4 : 8) * count)
        let validity = Buffer.zeroed(byteCount: Validity.wordByteCount(count))
        var hasNulls = false
        for row in 0..<count {
            var isNull = false
            for argument in arguments where argument.isNull(row) { isNull = true }
            guard !isNull, let value = try body(row) else {
                hasNulls = true
                continue
            }
            Bits.set(validity.base, row)
            if isNarrow { values.pointer(as: Int32.self)[row] = Int32(clamping: value) } else { values.pointer(as: Int64.self)[row] = value }
        }
        return Operand(Column(type: hasNulls ? type.nullable : type, count: count, validity: hasNulls ? validity : nil, values: values), isConstant: isConstant)
    }

    /// The same with the second argument's pattern; a pattern that is none gives NULL, and so does a text that neither it nor SQL's own form fits.
    private static func withPatterns(
        _ arguments: [Operand], _ count: Int, _ type: DataType, _ patterns: Compiled<TimePattern>, _ body: (PatternReading, Int) -> Int64?
    ) throws(MillstreamError) -> Operand {
        var ready: Compiled<TimePattern>.Ready?
        var reading: PatternReading?
        return try map(arguments, count, type) { row in
            do throws(MillstreamError) {
                let pattern = try patterns.ready(arguments[1], row, ready)
                if reading == nil || pattern !== ready { reading = PatternReading(pattern.pattern) }
                ready = pattern
            } catch { return nil }
            return reading.flatMap { body($0, row) }
        }
    }
}

/// A pattern that reads, with SQL's own form behind it.
final class PatternReading {
    private var parser: TimePatternParser

    init(_ pattern: TimePattern) { parser = TimePatternParser(pattern) }

    func parse(_ text: UnsafeRawBufferPointer) -> TimePatternParser.Local? { parser.parse(text) ?? TimeParsing.sql(text) }
}

/// Reads `yyyy-M-d[ H:m:s[.f]]`.
private struct SQLTimeReader {
    private let text: UnsafeRawBufferPointer

    init(_ text: UnsafeRawBufferPointer) { self.text = text }

    mutating func read() -> TimePatternParser.Local? {
        let space = text.firstIndex(of: 0x20) ?? text.count
        guard let first = find(0x2D, from: 0, to: space), let second = find(0x2D, from: first + 1, to: space), first == 4,
            let year = number(0, first), let month = number(first + 1, second), let day = number(second + 1, space), second - first <= 3, space - second <= 3,
            month >= 1, month <= 12, day >= 1, day <= 31
        else { return nil }
        if space == text.count {
            let date = CivilDate(hybridDays: CivilDate.hybridDays(year: year, month: month, day: day))
            return local(date, 0)
        }
        let start = space + 1
        guard let colon = find(0x3A, from: start, to: text.count), let next = find(0x3A, from: colon + 1, to: text.count), next + 1 < text.count else { return nil }
        let point = find(0x2E, from: next + 1, to: text.count)
        guard let hour = number(start, colon), let minute = number(colon + 1, next), let second = number(next + 1, point ?? text.count) else { return nil }
        var nano: Int64 = 0
        if let point {
            let digits = text.count - point - 1
            guard digits >= 1, digits <= 9 else { return nil }
            for index in (point + 1)..<text.count {
                guard text[index] &- 0x30 <= 9 else { return nil }
                nano = nano * 10 + Int64(text[index] - 0x30)
            }
            for _ in digits..<9 { nano *= 10 }
        }
        // Everything counts on, in the calendar that is Julian before 1582; what comes out is the date of that name.
        let seconds = CivilDate.hybridDays(year: year, month: month, day: day) * 86_400 + (hour * 60 + minute) * 60 + second
        let days = CivilDate.quotient(seconds, 86_400)
        return local(CivilDate(hybridDays: days), (seconds - days * 86_400) * 1_000_000_000 + nano)
    }

    private func local(_ date: CivilDate, _ nanoOfDay: Int64) -> TimePatternParser.Local? {
        // The era gets lost.
        let year = date.year >= 1 ? date.year : 1 - date.year
        guard date.day <= CivilDate.daysInMonth(year: year, month: date.month) else { return nil }
        return TimePatternParser.Local(days: CivilDate.days(year: year, month: date.month, day: date.day), nanoOfDay: nanoOfDay)
    }

    private func find(_ byte: UInt8, from start: Int, to end: Int) -> Int? {
        var index = start
        while index < end {
            if text[index] == byte { return index }
            index += 1
        }
        return nil
    }

    /// A number of at most 32 bits, with a sign or without.
    private func number(_ start: Int, _ end: Int) -> Int64? {
        var index = start
        guard start < end else { return nil }
        let isNegative = text[index] == 0x2D
        if isNegative || text[index] == 0x2B { index += 1 }
        guard index < end else { return nil }
        var value: Int64 = 0
        while index < end {
            guard text[index] &- 0x30 <= 9, value <= 1 << 31 else { return nil }
            value = value * 10 + Int64(text[index] - 0x30)
            index += 1
        }
        guard value <= 0x7FFF_FFFF else { return nil }
        return isNegative ? -value : value
    }
}
