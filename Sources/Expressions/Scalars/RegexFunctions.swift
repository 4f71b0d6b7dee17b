import Columnar
import Plan

/// REGEXP and its kin, SIMILAR TO, STR_TO_MAP.
///
/// As in Flink a pattern that is none matches nothing (REGEXP gives FALSE, the others NULL), but for SIMILAR TO, where it is an error. One that Java takes and PCRE2
/// does not is always an error: to match nothing would be a wrong answer.
enum RegexFunctions {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        let type = request.type
        switch request.function {
        case .regexp:
            let patterns = try RegexPatterns(request, 1)
            return { (arguments, count, _) throws(MillstreamError) in
                if TextLoops.isNull(arguments) { return .null(type) }
                let (texts, patterns) = (TextArgument(arguments[0]), try patterns.of(arguments))
                return try TextLoops.truths(arguments, count, type) { (row) throws(MillstreamError) in
                    guard !patterns.isEmpty(row), let regex = try patterns[row] else { return false }
                    return try regex.find(regex.subject(texts[row]))
                }
            }
        case .regexpCount:
            let patterns = try RegexPatterns(request, 1)
            return { (arguments, count, _) throws(MillstreamError) in
                if TextLoops.isNull(arguments) { return .null(type) }
                let (texts, patterns) = (TextArgument(arguments[0]), try patterns.of(arguments))
                return try TextLoops.numbers(arguments, count, type, as: Int32.self) { (row) throws(MillstreamError) in
                    guard let regex = try patterns[row] else { return nil }
                    let subject = regex.subject(texts[row])
                    var found: Int32 = 0
                    var from: Int? = 0
                    while let start = from, try regex.find(subject, from: start) {
                        found &+= 1
                        from = regex.next(subject)
                    }
                    return found
                }
            }
        case .regexpInstr:
            let patterns = try RegexPatterns(request, 1)
            return { (arguments, count, _) throws(MillstreamError) in
                if TextLoops.isNull(arguments) { return .null(type) }
                let (texts, patterns) = (TextArgument(arguments[0]), try patterns.of(arguments))
                return try TextLoops.numbers(arguments, count, type, as: Int32.self) { (row) throws(MillstreamError) in
                    guard let regex = try patterns[row] else { return nil }
                    let subject = regex.subject(texts[row])
                    guard try regex.find(subject), let match = regex.group(0) else { return 0 }
                    return Int32(truncatingIfNeeded: TextPoints.count(TextPoints.part(subject, 0, match.start)) + 1)
                }
            }
        case .regexpExtract, .regexpSubstr: return try extract(request)
        case .regexpExtractAll: return try extractAll(request)
        case .regexpReplace: return try replace(request)
        case .similarTo: return try similar(request)
        case .strToMap: return try strToMap(request)
        default: return nil
        }
    }

    /// A group of the first match; NULL where there is no match, no such group, or the group took no part.
    private static func extract(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        let patterns = try RegexPatterns(request, 1)
        return { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let (texts, patterns) = (TextArgument(arguments[0]), try patterns.of(arguments))
            let groups = arguments.count > 2 ? IntegerArgument(arguments[2]) : nil
            return try TextLoops.text(arguments, count, type) { (row, result) throws(MillstreamError) in
                guard let regex = try patterns[row] else { return false }
                let subject = regex.subject(texts[row])
                guard try regex.find(subject), let group = regex.group(groups?[row] ?? 0) else { return false }
                result.append(TextPoints.part(subject, group.start, group.end))
                return true
            }
        }
    }

    /// A group (the first, if no other is named) of all matches; null for those in which it took no part.
    private static func extractAll(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        let patterns = try RegexPatterns(request, 1)
        return { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let (texts, patterns) = (TextArgument(arguments[0]), try patterns.of(arguments))
            let groups = arguments.count > 2 ? IntegerArgument(arguments[2]) : nil
            return try TextLoops.lists(arguments, count, type) { (row, elements) throws(MillstreamError) in
                let index = groups?[row] ?? 1
                guard let regex = try patterns[row], index >= 0, index <= regex.groupCount else { return false }
                let subject = regex.subject(texts[row])
                var from: Int? = 0
                while let start = from, try regex.find(subject, from: start) {
                    if let group = regex.group(index) {
                        elements.append(TextPoints.part(subject, group.start, group.end))
                        try elements.endValue()
                    } else {
                        elements.appendNull()
                    }
                    from = regex.next(subject)
                }
                return true
            }
        }
    }

    /// The replacement is taken as it is: no `$1`.
    private static func replace(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        let patterns = try RegexPatterns(request, 1)
        return { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let (texts, patterns, news) = (TextArgument(arguments[0]), try patterns.of(arguments), TextArgument(arguments[2]))
            return try TextLoops.text(arguments, count, type) { (row, result) throws(MillstreamError) in
                guard let regex = try patterns[row] else { return false }
                let subject = regex.subject(texts[row])
                var kept = 0
                var from: Int? = 0
                while let start = from, try regex.find(subject, from: start), let match = regex.group(0) {
                    result.append(TextPoints.part(subject, kept, max(kept, match.start)))
                    result.append(news[row])
                    kept = max(kept, match.end)
                    from = regex.next(subject)
                }
                result.append(TextPoints.part(subject, kept, subject.count))
                return true
            }
        }
    }

    private static func similar(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        var escape: UInt32?
        let hasEscape = request.arguments.count > 2
        if hasEscape, let text = request.text(2) { escape = try TextLike.escapeCharacter(Array(text.utf8)) }
        let isEscapeFixed = !hasEscape || request.constants[2] != nil
        var fixed: Regex?
        if isEscapeFixed, case .bytes(let bytes)? = request.constants[1] { fixed = try RegexSimilar.compile(bytes, escape) }
        return { [fixed, escape] (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let (texts, patterns) = (TextArgument(arguments[0]), TextArgument(arguments[1]))
            let escapes = isEscapeFixed ? nil : TextArgument(arguments[2])
            let known = TextPatternCache<Regex>()
            return try TextLoops.truths(arguments, count, type) { (row) throws(MillstreamError) in
                let regex: Regex
                if let fixed {
                    regex = fixed
                } else if let escapes {
                    regex = try RegexSimilar.compile(Array(patterns[row]), try TextLike.escapeCharacter(Array(escapes[row])))
                } else {
                    regex = try known.compiled(patterns[row]) { (bytes) throws(MillstreamError) in try RegexSimilar.compile(Array(bytes), escape) }
                }
                return try regex.find(regex.subject(texts[row]))
            }
        }
    }

    /// Pairs of a text: delimiters are regular expressions. The last value of a key counts, at the place of the first.
    private static func strToMap(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        let lists = request.arguments.count > 1 ? try RegexPatterns(request, 1) : try RegexPatterns(fixed: ",")
        let pairs = request.arguments.count > 2 ? try RegexPatterns(request, 2) : try RegexPatterns(fixed: "=")
        return { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let (texts, listPatterns, pairPatterns) = (TextArgument(arguments[0]), try lists.of(arguments), try pairs.of(arguments))
            var validity = Validity.ofAll(arguments, count: count)
            if let copy = validity { validity = Validity.copied(copy, 0, count) }
            let (keys, values) = (TextColumn(rowCount: count), TextColumn(rowCount: count))
            let offsets = Buffer(byteCount: 4 * (count + 1))
            let ends = offsets.pointer(as: Int32.self)
            ends[0] = 0
            for row in 0..<count {
                if validity.map({ Bits.get($0.base, row) }) ?? true, texts[row].count > 0 {
                    let listRegex = try listPatterns.required(row)
                    let pairRegex = try pairPatterns.required(row)
                    // Two expressions may repair a text's UTF-8 each into memory of its own; the text is repaired once.
                    let bytes = Array(listRegex.subject(texts[row]))
                    try bytes.withBytes { (text: UnsafeRawBufferPointer) throws(MillstreamError) -> Void in
                        var entries: [(key: Range<Int>, value: Range<Int>?)] = []
                        for piece in try listRegex.split(text, limit: 0) {
                            let part = TextPoints.part(text, piece.lowerBound, piece.upperBound)
                            let sides = try pairRegex.split(part, limit: 2)
                            func moved(_ range: Range<Int>) -> Range<Int> { range.lowerBound + piece.lowerBound..<range.upperBound + piece.lowerBound }
                            let (key, value) = sides.count < 2 ? (piece, nil) : (moved(sides[0]), moved(sides[1]))
                            if let place = entries.firstIndex(where: { text[$0.key].elementsEqual(text[key]) }) { entries[place].value = value } else { entries.append((key, value)) }
                        }
                        for entry in entries {
                            keys.append(TextPoints.part(text, entry.key.lowerBound, entry.key.upperBound))
                            try keys.endValue()
                            if let value = entry.value {
                                values.append(TextPoints.part(text, value.lowerBound, value.upperBound))
                                try values.endValue()
                            } else {
                                values.appendNull()
                            }
                        }
                    }
                }
                guard keys.count < Column.countLimit else { throw MillstreamError(.limitExceeded, "a column of maps has too many entries", hint: "Use smaller batches.") }
                ends[row + 1] = Int32(truncatingIfNeeded: keys.count)
            }
            guard let entryType = type.elementType else { throw .internal("STR_TO_MAP of type \(type)") }
            let entries = Column(type: entryType, count: keys.count, values: nil, children: [keys.finish(DataType.string.notNull), values.finish(.string)])
            return Operand(Column(type: type, count: count, validity: validity, values: offsets, children: [entries]))
        }
    }
}

/// The patterns of a call: one for all rows, or those of an argument.
final class RegexPatterns {
    private let index: Int
    private let fixed: Regex?
    /// The constant pattern is none of Java's.
    private let failure: Regex.Failure?
    private let isFixed: Bool
    private let text: [UInt8]
    private var argument: TextArgument?
    private let known = TextPatternCache<(Regex?, Regex.Failure?)>()

    init(_ request: KernelRequest, _ index: Int) throws(MillstreamError) {
        self.index = index
        if case .bytes(let bytes)? = request.constants[index] {
            isFixed = true
            text = bytes
            (fixed, failure) = try bytes.withBytes { (bytes: UnsafeRawBufferPointer) throws(MillstreamError) in try Self.compile(bytes) }
        } else {
            (isFixed, fixed, failure, text) = (false, nil, nil, [])
        }
    }

    init(fixed pattern: String) throws(MillstreamError) {
        index = -1
        isFixed = true
        text = Array(pattern.utf8)
        (fixed, failure) = try text.withBytes { (bytes: UnsafeRawBufferPointer) throws(MillstreamError) in try Self.compile(bytes) }
    }

    private static func compile(_ bytes: UnsafeRawBufferPointer) throws(MillstreamError) -> (Regex?, Regex.Failure?) {
        do throws(Regex.Failure) { return (try Regex(bytes), nil) } catch {
            if error.isUnsupported { throw error.error(bytes) }
            return (nil, error)
        }
    }

    /// Ready for the rows of a batch.
    func of(_ arguments: [Operand]) throws(MillstreamError) -> RegexPatterns {
        argument = isFixed ? nil : TextArgument(arguments[index])
        return self
    }

    func isEmpty(_ row: Int) -> Bool { argument.map { $0[row].count == 0 } ?? text.isEmpty }

    /// nil for what is no regular expression.
    subscript(_ row: Int) -> Regex? {
        get throws(MillstreamError) {
            if isFixed { return fixed }
            guard let argument else { return nil }
            return try known.compiled(argument[row]) { (bytes) throws(MillstreamError) in try Self.compile(bytes) }.0
        }
    }

    func required(_ row: Int) throws(MillstreamError) -> Regex {
        if let regex = try self[row] { return regex }
        let bytes = argument.map { Array($0[row]) } ?? text
        throw try bytes.withBytes { (bytes: UnsafeRawBufferPointer) throws(MillstreamError) -> MillstreamError in
            if let failure { return failure.error(bytes) }
            return try Self.compile(bytes).1?.error(bytes) ?? .internal("a regular expression that failed does not")
        }
    }
}

/// SIMILAR TO's patterns as regular expressions: `%`, `_`, classes by name, an escape character; all else means what Java's means.
enum RegexSimilar {
    private static let classes: [(name: String, java: String)] = [
        ("[:ALPHA:]", "\\p{Alpha}"), ("[:alpha:]", "\\p{Alpha}"), ("[:UPPER:]", "\\p{Upper}"), ("[:upper:]", "\\p{Upper}"), ("[:LOWER:]", "\\p{Lower}"),
        ("[:lower:]", "\\p{Lower}"), ("[:DIGIT:]", "\\d"), ("[:digit:]", "\\d"), ("[:SPACE:]", " "), ("[:space:]", " "), ("[:WHITESPACE:]", "\\s"),
        ("[:whitespace:]", "\\s"), ("[:ALNUM:]", "\\p{Alnum}"), ("[:alnum:]", "\\p{Alnum}"),
    ]
    /// What an escape character may stand before.
    private static let specials = Set("_%^-+*?()[]{}|".unicodeScalars.map(\.value))
    /// What is written with a backslash before it in Java.
    private static let javaSpecials = Set("[]()|^-+*?{}$\\.".unicodeScalars.map(\.value))

    static func compile(_ bytes: [UInt8], _ escape: UInt32?) throws(MillstreamError) -> Regex {
        let pattern = try translate(bytes, escape)
        return try pattern.withBytes { (text: UnsafeRawBufferPointer) throws(MillstreamError) -> Regex in
            do throws(Regex.Failure) { return try Regex(text, isWhole: true) } catch { throw error.error(text) }
        }
    }

    private static func translate(_ bytes: [UInt8], _ escape: UInt32?) throws(MillstreamError) -> [UInt8] {
        let points = bytes.withUnsafeBytes { TextPoints.all($0) }
        var java = ""
        func add(_ point: UInt32) { java.unicodeScalars.append(Unicode.Scalar(point) ?? "\u{FFFD}") }
        func wrong(_ place: Int, _ what: String) -> MillstreamError {
            MillstreamError(.invalidArgument, "the pattern '\(String(decoding: bytes.prefix(200), as: UTF8.self))' of SIMILAR TO is wrong at place \(place + 1): \(what)")
        }
        func addEscaped(_ place: Int) throws(MillstreamError) {
            guard place < points.count, specials.contains(points[place]) || points[place] == escape else {
                throw wrong(place - 1, "the escape character escapes nothing")
            }
            if javaSpecials.contains(points[place]) { java += "\\" }
            add(points[place])
        }
        var place = 0
        while place < points.count {
            let point = points[place]
            if point == escape {
                try addEscaped(place + 1)
                place += 2
                continue
            }
            switch Unicode.Scalar(point) {
            case "_": java += "."
            case "%": java += "(?s:.*)"
            case "\\": java += "\\\\"
            case "$": java += "\\$"
            case "]": throw wrong(place, "']' without '['")
            case "[":
                let start = place
                java += "["
                place += 1
                set: while true {
                    guard place < points.count else { throw wrong(start, "'[' is not closed") }
                    let point = points[place]
                    if point == 0x5D { break set }
                    if point == escape {
                        try addEscaped(place + 1)
                        place += 2
                        continue
                    }
                    if point == 0x5B, place + 1 < points.count, points[place + 1] == 0x3A {
                        guard let found = classes.first(where: { points[place...].starts(with: $0.name.unicodeScalars.map(\.value)) }) else {
                            throw wrong(place, "an unknown class of characters")
                        }
                        java += found.java
                        place += found.name.utf8.count
                        continue
                    }
                    if point == 0x2D || point == 0x5E {
                        add(point)
                    } else if specials.contains(point) {
                        throw wrong(place, "a special character in a set needs the escape character before it")
                    } else {
                        if point == 0x5C { java += "\\" }
                        add(point)
                    }
                    place += 1
                }
                java += "]"
            default: add(point)
            }
            place += 1
        }
        return Array(java.utf8)
    }
}
