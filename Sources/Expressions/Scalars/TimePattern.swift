import Columnar

/// A pattern of `java.time.format.DateTimeFormatter`, ready to write and to read local times: `yyyy-MM-dd HH:mm:ss[.SSS]`.
///
/// Texts and weeks are those of English (US): a week begins on Sunday, the first week of a year is that of 1 January. Steps lie in one array without references, so that
/// a row costs no allocation.
struct TimePattern {
    enum Field: UInt8 {
        case era, year, yearOfEra, month, day, dayOfYear, julianDay, quarter, weekYear, week, weekOfMonth, weekday, localWeekday, alignedWeekday
        case half, hourOfHalf, clockHourOfHalf, hour, clockHour, minute, second, nano, milliOfDay, nanoOfDay, offset, zone, dayPeriod
    }

    enum Sign: UInt8 { case normal, never, exceedsPad }

    enum Kind: UInt8 { case literal, number, yearPair, fraction, text, offset, zone, dayPeriod, optionalStart, optionalEnd }

    struct Step: BitwiseCopyable {
        var kind: Kind
        var field: Field = .year
        var sign: Sign = .normal
        var minWidth: Int32 = 0
        var maxWidth: Int32 = 0
        /// Digits that fixed-width numbers behind this one take; -1 where this one's width is fixed because of a number before it.
        var reserved: Int32 = 0
        /// Spaces that fill a value up to this width.
        var pad: Int32 = 0
        /// A literal's bytes, a text's entries, an optional part's end, or how an offset is written.
        var first: Int32 = 0
        var last: Int32 = 0
    }

    struct Text: BitwiseCopyable {
        let start: Int32
        let end: Int32
    }

    private(set) var steps: [Step] = []
    private(set) var bytes: [UInt8] = []
    /// Where the texts lie in `bytes`.
    private(set) var texts: [Text] = []
    /// No value is longer when it is written.
    private(set) var byteCountMax = 0

    private var activeNumber: Int?
    private var pendingPad: Int32 = 0

    /// Throws `plan` for what is no pattern, with Java's reason.
    init(_ pattern: String) throws(MillstreamError) {
        var compiler = PatternReader(pattern)
        try compiler.read(into: &self)
    }

    /// What TO_TIMESTAMP and TO_TIMESTAMP_LTZ read without a pattern.
    static let standard: TimePattern = {
        do throws(MillstreamError) {
            var pattern = try TimePattern("yyyy-[MM][M]-[dd][d][ [HH][H]:[mm][m]:[ss][s]")
            pattern.append(Step(kind: .fraction, field: .nano, sign: .never, minWidth: 0, maxWidth: 9, first: 1))
            pattern.endOptional()
            return pattern
        } catch { preconditionFailure("the standard pattern compiles") }
    }()

    // MARK: Building

    mutating func append(_ step: Step) {
        var step = step
        step.pad = pendingPad
        pendingPad = 0
        activeNumber = nil
        steps.append(step)
        byteCountMax += max(Int(step.pad), 40)
    }

    mutating func pad(_ width: Int) {
        pendingPad = Int32(truncatingIfNeeded: width)
        activeNumber = nil
    }

    /// Numbers without anything between them share their digits: the first takes what those of fixed width behind it leave.
    mutating func appendNumber(_ step: Step) {
        guard let active = activeNumber else {
            append(step)
            activeNumber = steps.count - 1
            return
        }
        if step.minWidth == step.maxWidth, step.sign == .never {
            steps[active].reserved += step.maxWidth
            var fixed = step
            fixed.reserved = -1
            append(fixed)
            activeNumber = active
        } else {
            steps[active].reserved = -1
            append(step)
            activeNumber = steps.count - 1
        }
    }

    mutating func appendLiteral(_ text: some Sequence<UInt8>) {
        let first = bytes.count
        bytes += text
        append(Step(kind: .literal, first: Int32(truncatingIfNeeded: first), last: Int32(truncatingIfNeeded: bytes.count)))
        byteCountMax += bytes.count - first
    }

    mutating func appendText(_ field: Field, _ texts: [String]) {
        let first = self.texts.count
        for text in texts {
            let start = bytes.count
            bytes += text.utf8
            self.texts.append(Text(start: Int32(truncatingIfNeeded: start), end: Int32(truncatingIfNeeded: bytes.count)))
        }
        append(Step(kind: .text, field: field, first: Int32(truncatingIfNeeded: first), last: Int32(truncatingIfNeeded: self.texts.count)))
    }

    private var openOptionals: [Int] = []

    mutating func startOptional() {
        append(Step(kind: .optionalStart))
        openOptionals.append(steps.count - 1)
    }

    @discardableResult
    mutating func endOptional() -> Bool {
        guard let start = openOptionals.popLast() else { return false }
        append(Step(kind: .optionalEnd))
        steps[start].last = Int32(truncatingIfNeeded: steps.count)
        return true
    }

    mutating func endAllOptionals() { while endOptional() {} }
}

/// Reads the letters of a pattern.
private struct PatternReader {
    private let letters: [UInt8]
    private var place = 0

    init(_ pattern: String) { letters = Array(pattern.utf8) }

    mutating func read(into pattern: inout TimePattern) throws(MillstreamError) {
        var depth = 0
        while place < letters.count {
            let letter = letters[place]
            if PatternReader.isLetter(letter) {
                var count = run(letter)
                var field = letter
                if letter == 0x70 {
                    // `p` pads the next field.
                    guard place < letters.count, PatternReader.isLetter(letters[place]), letters[place] != 0x70 else {
                        throw MillstreamError(.plan, "pad letter 'p' must be followed by a valid pad pattern")
                    }
                    pattern.pad(count)
                    field = letters[place]
                    count = run(field)
                }
                try append(field, count, &pattern)
                continue
            }
            switch letter {
            case 0x27: try quoted(&pattern)
            case 0x5B:
                pattern.startOptional()
                depth += 1
                place += 1
            case 0x5D:
                guard depth > 0 else { throw MillstreamError(.plan, "pattern invalid as it contains ] without previous [") }
                pattern.endOptional()
                depth -= 1
                place += 1
            case 0x7B, 0x7D, 0x23:
                throw MillstreamError(.plan, "pattern includes reserved character: '\(Character(Unicode.Scalar(letter)))'")
            default:
                // A character of several bytes stays whole.
                let start = place
                place += 1
                while place < letters.count, letters[place] & 0xC0 == 0x80 { place += 1 }
                pattern.appendLiteral(letters[start..<place])
            }
        }
        if depth > 0 { pattern.endAllOptionals() }
    }

    static func isLetter(_ byte: UInt8) -> Bool { (byte >= 0x41 && byte <= 0x5A) || (byte >= 0x61 && byte <= 0x7A) }

    private mutating func run(_ letter: UInt8) -> Int {
        let start = place
        while place < letters.count, letters[place] == letter { place += 1 }
        return place - start
    }

    private mutating func quoted(_ pattern: inout TimePattern) throws(MillstreamError) {
        var text: [UInt8] = []
        var index = place + 1
        while true {
            guard index < letters.count else { throw MillstreamError(.plan, "pattern ends with an incomplete string literal: \(String(decoding: letters, as: UTF8.self))") }
            if letters[index] == 0x27 {
                guard index + 1 < letters.count, letters[index + 1] == 0x27 else { break }
                index += 1
            }
            text.append(letters[index])
            index += 1
        }
        pattern.appendLiteral(text.isEmpty ? [0x27] : text)
        place = index + 1
    }

    private func tooMany(_ letter: UInt8) -> MillstreamError { MillstreamError(.plan, "too many pattern letters: \(Character(Unicode.Scalar(letter)))") }

    private func append(_ letter: UInt8, _ count: Int, _ pattern: inout TimePattern) throws(MillstreamError) {
        func number(_ field: TimePattern.Field, _ minWidth: Int, _ maxWidth: Int, _ sign: TimePattern.Sign) throws(MillstreamError) {
            guard minWidth <= 19, minWidth <= maxWidth else { throw tooMany(letter) }
            pattern.appendNumber(
                .init(kind: .number, field: field, sign: sign, minWidth: Int32(truncatingIfNeeded: minWidth), maxWidth: Int32(truncatingIfNeeded: maxWidth)))
        }
        func value(_ field: TimePattern.Field) throws(MillstreamError) {
            switch count {
            case 1: try number(field, 1, 19, .normal)
            case 2: try number(field, 2, 2, .never)
            default: throw tooMany(letter)
            }
        }
        func year(_ field: TimePattern.Field) throws(MillstreamError) {
            if count == 2 { pattern.appendNumber(.init(kind: .yearPair, field: field, sign: .never, minWidth: 2, maxWidth: 2)) } else {
                try number(field, count, 19, count < 4 ? .normal : .exceedsPad)
            }
        }
        /// Numbers up to two letters, then short, full and narrow text.
        func text(_ field: TimePattern.Field, _ texts: (TimeText.Style) -> [String]) throws(MillstreamError) {
            switch count {
            case 1, 2: try value(field)
            case 3: pattern.appendText(field, texts(.short))
            case 4: pattern.appendText(field, texts(.full))
            case 5: pattern.appendText(field, texts(.narrow))
            default: throw tooMany(letter)
            }
        }
        switch Character(Unicode.Scalar(letter)) {
        case "u": try year(.year)
        case "y": try year(.yearOfEra)
        case "Y": try year(.weekYear)
        case "G":
            guard count <= 5 else { throw tooMany(letter) }
            pattern.appendText(.era, TimeText.eras(count <= 3 ? .short : count == 4 ? .full : .narrow))
        case "M", "L": try text(.month, TimeText.months)
        case "Q", "q": try text(.quarter, TimeText.quarters)
        case "E":
            guard count <= 5 else { throw tooMany(letter) }
            pattern.appendText(.weekday, TimeText.weekdays(count <= 3 ? .short : count == 4 ? .full : .narrow))
        case "e":
            if count <= 2 { try number(.localWeekday, count, 2, .never) } else { try text(.weekday, TimeText.weekdays) }
        case "c":
            if count == 2 { throw MillstreamError(.plan, "invalid pattern \"cc\"") }
            if count == 1 { try number(.localWeekday, 1, 2, .never) } else { try text(.weekday, TimeText.weekdays) }
        case "w":
            guard count <= 2 else { throw tooMany(letter) }
            try number(.week, count, 2, .never)
        case "W":
            guard count == 1 else { throw tooMany(letter) }
            try number(.weekOfMonth, 1, 2, .never)
        case "a":
            guard count == 1 else { throw tooMany(letter) }
            pattern.appendText(.half, TimeText.halves)
        case "B":
            guard [1, 4, 5].contains(count) else { throw MillstreamError(.plan, "wrong number of pattern letters: B") }
            pattern.appendText(.dayPeriod, count == 5 ? ["mi"] + TimeText.periods[1...2] + ["n"] + TimeText.periods[4...] : TimeText.periods)
        case "S":
            guard count <= 9 else { throw MillstreamError(.plan, "maximum width must be from 1 to 9 inclusive but was \(count)") }
            let width = Int32(truncatingIfNeeded: count)
            pattern.appendNumber(.init(kind: .fraction, field: .nano, sign: .never, minWidth: width, maxWidth: width))
        case "F":
            guard count == 1 else { throw tooMany(letter) }
            try number(.alignedWeekday, 1, 19, .normal)
        case "d": try value(.day)
        case "h": try value(.clockHourOfHalf)
        case "H": try value(.hour)
        case "k": try value(.clockHour)
        case "K": try value(.hourOfHalf)
        case "m": try value(.minute)
        case "s": try value(.second)
        case "D":
            if count == 1 { try number(.dayOfYear, 1, 19, .normal) } else {
                guard count <= 3 else { throw tooMany(letter) }
                try number(.dayOfYear, count, 3, .never)
            }
        case "g": try number(.julianDay, count, 19, .normal)
        case "A": try number(.milliOfDay, count, 19, .never)
        case "n": try number(.nano, count, 19, .never)
        case "N": try number(.nanoOfDay, count, 19, .never)
        case "V":
            guard count == 2 else { throw MillstreamError(.plan, "pattern letter count must be 2: V") }
            pattern.append(.init(kind: .zone, field: .zone))
        case "v":
            guard count == 1 || count == 4 else { throw MillstreamError(.plan, "wrong number of pattern letters: v") }
            pattern.append(.init(kind: .zone, field: .zone))
        case "z":
            guard count <= 4 else { throw tooMany(letter) }
            pattern.append(.init(kind: .zone, field: .zone))
        case "O":
            guard count == 1 || count == 4 else { throw MillstreamError(.plan, "pattern letter count must be 1 or 4: O") }
            pattern.append(.init(kind: .offset, field: .offset, first: 5, last: count == 1 ? 3 : 2))
        case "X", "x", "Z":
            guard count <= 5 else { throw tooMany(letter) }
            let isZ = letter == 0x5A
            // How many letters `X` would need for the same, and what stands for no offset: Z, digits, or GMT before all.
            let form = isZ ? (count < 4 ? 2 : count == 4 ? 5 : 5) : count
            let zero: Int32 = isZ && count == 4 ? 2 : letter == 0x58 || (isZ && count == 5) ? 0 : 1
            pattern.append(.init(kind: .offset, field: .offset, first: Int32(form), last: zero))
        default: throw MillstreamError(.plan, "unknown pattern letter: \(Character(Unicode.Scalar(letter)))")
        }
    }
}
