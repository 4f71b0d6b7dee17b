import Columnar

#if canImport(Glibc)
    import Glibc
#endif

/// Reads local times by a pattern, as `DateTimeFormatter` does when it is strict about text and smart about values.
struct TimePatternParser: ~Copyable {
    private let pattern: TimePattern
    /// What was read, by `Field.rawValue`.
    private let values: UnsafeMutablePointer<Int64>
    private var known: UInt32 = 0

    init(_ pattern: TimePattern) {
        self.pattern = pattern
        values = .allocate(capacity: 32)
        values.initialize(repeating: 0, count: 32)
    }

    deinit { values.deallocate() }

    /// A time of the local calendar. Missing fields are those of 1970-01-01 00:00:00.
    struct Local {
        var days: Int64
        var nanoOfDay: Int64
    }

    /// Nil where the text does not fit the pattern as a whole, or names no time.
    mutating func parse(_ text: UnsafeRawBufferPointer) -> Local? {
        known = 0
        guard let end = steps(0, pattern.steps.count, text, 0), end == text.count else { return nil }
        var fields = TimeFields(values: values, known: known)
        return fields.resolve()
    }

    private mutating func steps(_ first: Int, _ last: Int, _ text: UnsafeRawBufferPointer, _ from: Int) -> Int? {
        var place = from
        var index = first
        while index < last {
            let step = pattern.steps[index]
            index += 1
            if step.kind == .optionalStart {
                let end = Int(step.last)
                let before = known
                if let next = steps(index, end &- 1, text, place) { place = next } else { known = before }
                index = end
                continue
            }
            guard let next = padded(step, text, place) else { return nil }
            place = next
        }
        return place
    }

    /// A padded field has spaces before it and takes the whole width.
    private mutating func padded(_ step: TimePattern.Step, _ text: UnsafeRawBufferPointer, _ from: Int) -> Int? {
        if step.pad == 0 { return one(step, text, from) }
        let end = from &+ Int(step.pad)
        guard end <= text.count else { return nil }
        var place = from
        while place < end, text[place] == 0x20 { place += 1 }
        let part = UnsafeRawBufferPointer(rebasing: text[..<end])
        guard let next = one(step, part, place), next == end else { return nil }
        return next
    }

    private mutating func one(_ step: TimePattern.Step, _ text: UnsafeRawBufferPointer, _ from: Int) -> Int? {
        switch step.kind {
        case .optionalStart, .optionalEnd: return from
        case .literal:
            let length = Int(step.last &- step.first)
            guard length <= text.count &- from else { return nil }
            for index in 0..<length where pattern.bytes[Int(step.first) &+ index] != text[from &+ index] { return nil }
            return from &+ length
        case .number, .yearPair: return number(step, text, from)
        case .fraction: return fraction(step, text, from)
        case .text: return entry(step, text, from)
        case .offset: return offset(step, text, from)
        case .zone: return zone(text, from)
        case .dayPeriod: return nil
        }
    }

    /// A field read twice must have one value.
    private mutating func set(_ field: TimePattern.Field, _ value: Int64) -> Bool {
        let bit: UInt32 = 1 &<< UInt32(field.rawValue)
        if known & bit != 0, values[Int(field.rawValue)] != value { return false }
        values[Int(field.rawValue)] = value
        known |= bit
        return true
    }

    private mutating func number(_ step: TimePattern.Step, _ text: UnsafeRawBufferPointer, _ from: Int) -> Int? {
        guard from < text.count else { return nil }
        var start = from
        let isNegative = text[from] == 0x2D
        let isPositive = text[from] == 0x2B
        if isPositive {
            guard step.sign == .exceedsPad else { return nil }
            start += 1
        } else if isNegative {
            guard step.sign != .never else { return nil }
            start += 1
        }
        let minWidth = Int(step.minWidth)
        guard start &+ minWidth <= text.count else { return nil }
        var width = Int(step.maxWidth) &+ max(0, Int(step.reserved))
        var place = start
        while place < text.count, place &- start < width, text[place] &- 0x30 <= 9 { place += 1 }
        if step.reserved > 0 {
            width = max(minWidth, place &- start &- Int(step.reserved))
            place = min(place, start &+ width)
        }
        guard place &- start >= minWidth else { return nil }
        var value: Int64 = 0
        for index in start..<place {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(Int64(text[index] &- 0x30))
            if overflow || carried { return nil }
            value = sum
        }
        if isNegative {
            if value == 0 { return nil }
            value = -value
        } else if step.sign == .exceedsPad, isPositive == (place &- start <= minWidth) {
            // A sign where it is not needed, or none where it is.
            return nil
        }
        if step.kind == .yearPair { value += 2000 }
        return set(step.field, value) ? place : nil
    }

    private mutating func fraction(_ step: TimePattern.Step, _ text: UnsafeRawBufferPointer, _ from: Int) -> Int? {
        var place = from
        if place == text.count { return step.minWidth > 0 ? nil : place }
        if step.first == 1 {
            // The standard pattern's fraction has its point.
            guard text[place] == 0x2E else { return step.minWidth > 0 ? nil : place }
            place += 1
        }
        let start = place
        var value: Int64 = 0
        while place < text.count, place &- start < Int(step.maxWidth), text[place] &- 0x30 <= 9 {
            value = value &* 10 &+ Int64(text[place] &- 0x30)
            place += 1
        }
        guard place &- start >= Int(step.minWidth) else { return nil }
        for _ in (place &- start)..<9 { value &*= 10 }
        return set(.nano, value) ? place : nil
    }

    /// The longest text that is there.
    private mutating func entry(_ step: TimePattern.Step, _ text: UnsafeRawBufferPointer, _ from: Int) -> Int? {
        var best = -1
        var length = -1
        for index in Int(step.first)..<Int(step.last) {
            let entry = pattern.texts[index]
            let count = Int(entry.end &- entry.start)
            guard count > length, count <= text.count &- from else { continue }
            var isHere = true
            for step in 0..<count where pattern.bytes[Int(entry.start) &+ step] != text[from &+ step] { isHere = false }
            if isHere { (best, length) = (index &- Int(step.first), count) }
        }
        guard best >= 0, step.field != .dayPeriod else { return nil }
        let isFromZero = step.field == .era || step.field == .half
        return set(step.field, Int64(best) + (isFromZero ? 0 : 1)) ? from &+ length : nil
    }

    /// An offset; its value matters to no one, for the local time is what counts.
    private mutating func offset(_ step: TimePattern.Step, _ text: UnsafeRawBufferPointer, _ from: Int) -> Int? {
        var place = from
        if step.last >= 2 {
            guard text.count &- from >= 3, text[from] == 0x47, text[from + 1] == 0x4D, text[from + 2] == 0x54 else { return nil }
            place += 3
            if place == text.count || (text[place] != 0x2B && text[place] != 0x2D) { return place }
        } else if step.last == 0, place < text.count, text[place] == 0x5A {
            return place + 1
        }
        guard place < text.count, text[place] == 0x2B || text[place] == 0x2D else { return nil }
        place += 1
        func pair(_ at: Int, _ limit: UInt8) -> Bool {
            at &+ 2 <= text.count && text[at] &- 0x30 <= 9 && text[at + 1] &- 0x30 <= 9 && (text[at] &- 0x30) * 10 + (text[at + 1] &- 0x30) <= limit
        }
        if step.last == 3, place < text.count, text[place] &- 0x30 <= 9, place + 1 == text.count || text[place + 1] &- 0x30 > 9 {
            // The short form has no zero before an hour.
            place += 1
        } else {
            guard pair(place, 18) else { return nil }
            place += 2
        }
        let hasColon = step.first == 3 || step.first == 5
        /// Reads `:mm` or `mm`.
        func part(_ at: Int) -> Int? {
            guard hasColon else { return pair(at, 59) ? at + 2 : nil }
            return at < text.count && text[at] == 0x3A && pair(at + 1, 59) ? at + 3 : nil
        }
        if let next = part(place) {
            place = next
            if step.first >= 4, let end = part(place) { place = end }
        } else if step.first != 1, step.last < 2 {
            return nil
        }
        return place
    }

    /// The name of a zone; only whether there is one matters.
    private mutating func zone(_ text: UnsafeRawBufferPointer, _ from: Int) -> Int? {
        func isDigit(_ at: Int) -> Bool { at < text.count && text[at] &- 0x30 <= 9 }
        for (name, _) in ZoneLabels.offsets {
            let bytes = name.utf8
            guard bytes.count <= text.count &- from, text[from..<(from + bytes.count)].elementsEqual(bytes) else { continue }
            // UTC and what comes after it may be an offset.
            if bytes.count > 3 || !(["UTC", "GMT"].contains(name)) { return from + bytes.count }
        }
        var end = from
        while end < text.count {
            let byte = text[end]
            let isWord = (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (byte >= 0x30 && byte <= 0x3A) || [0x2F, 0x5F, 0x2B, 0x2D].contains(byte)
            // An hour of an offset has two digits.
            if byte == 0x2B || byte == 0x2D, end <= from + 3, !isDigit(end + 1) || !isDigit(end + 2) { return nil }
            if !isWord { break }
            end += 1
        }
        let name = String(decoding: text[from..<end], as: UTF8.self)
        guard end > from, end &- from <= 64 else { return nil }
        do throws(MillstreamError) { _ = try Zone.named(name) } catch { return nil }
        return end
    }
}
