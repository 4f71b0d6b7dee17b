import Columnar

/// LIKE. A constant pattern is compiled once; what is only a prefix, a suffix or a part of the text is compared as that.
enum TextLike {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        let hasEscape = request.arguments.count > 2
        var escape: UInt32?
        if hasEscape, let bytes = request.text(2) { escape = try escapeCharacter(Array(bytes.utf8)) }
        let isEscapeFixed = !hasEscape || request.constants[2] != nil
        if isEscapeFixed, case .bytes(let bytes)? = request.constants[1] {
            let pattern = try LikePattern(bytes, escape)
            return { (arguments, count, _) throws(MillstreamError) in
                if TextLoops.isNull(arguments) { return .null(type) }
                return try matches(arguments, count, type, pattern)
            }
        }
        return { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let (texts, patterns) = (TextArgument(arguments[0]), TextArgument(arguments[1]))
            let escapes = isEscapeFixed ? nil : TextArgument(arguments[2])
            let known = TextPatternCache<LikePattern>()
            return try TextLoops.truths(arguments, count, type) { (row) throws(MillstreamError) in
                if let escapes { return try LikePattern(Array(patterns[row]), try escapeCharacter(Array(escapes[row]))).matches(texts[row]) }
                let pattern = try known.compiled(patterns[row]) { (bytes) throws(MillstreamError) in try LikePattern(Array(bytes), escape) }
                return pattern.matches(texts[row])
            }
        }
    }

    /// One loop for each shape of pattern, so that the shape is not looked at per row.
    private static func matches(_ arguments: [Operand], _ count: Int, _ type: DataType, _ pattern: LikePattern) throws(MillstreamError) -> Operand {
        let texts = TextArgument(arguments[0])
        return try pattern.first.withBytes { first throws(MillstreamError) -> Operand in
            switch pattern.shape {
            case .equal: return try TextLoops.truths(arguments, count, type) { TextPoints.isEqual(texts[$0], first) }
            case .prefix: return try TextLoops.truths(arguments, count, type) { TextSearch.hasPrefix(texts[$0], first) }
            case .suffix: return try TextLoops.truths(arguments, count, type) { TextSearch.hasSuffix(texts[$0], first) }
            case .contains: return try TextLoops.truths(arguments, count, type) { TextPoints.find(first, in: texts[$0]) != nil }
            case .any: return try TextLoops.truths(arguments, count, type) { _ in true }
            case .general: return try TextLoops.truths(arguments, count, type) { pattern.matchesGeneral(texts[$0]) }
            }
        }
    }

    static func escapeCharacter(_ bytes: [UInt8]) throws(MillstreamError) -> UInt32 {
        let points = bytes.withUnsafeBytes { TextPoints.all($0) }
        guard points.count == 1 else {
            throw MillstreamError(.invalidArgument, "'\(String(decoding: bytes, as: UTF8.self))' is no escape character", hint: "ESCAPE takes one character.")
        }
        return points[0]
    }
}

extension Array where Element == UInt8 {
    /// `body` of the bytes, with typed errors.
    @inline(__always)
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Result) throws(MillstreamError) -> Result {
        var failure: MillstreamError?
        let result = withUnsafeBytes { (bytes: UnsafeRawBufferPointer) -> Result? in
            do throws(MillstreamError) { return try body(bytes) } catch {
                failure = error
                return nil
            }
        }
        if let failure { throw failure }
        guard let result else { throw .internal("no result") }
        return result
    }
}

/// A pattern of LIKE: `%` stands for any run of characters, `_` for one, all others for themselves.
final class LikePattern {
    enum Shape {
        case equal
        case prefix
        case suffix
        case contains
        /// `%` alone.
        case any
        case general
    }

    let shape: Shape
    /// The literal text of the simple shapes.
    let first: [UInt8]
    /// The whole pattern: bytes, and these two marks.
    private var tokens: [UInt16] = []
    private static let one: UInt16 = 0x100
    private static let many: UInt16 = 0x101

    /// Throws `invalidArgument` where the escape character stands before anything but `%`, `_` and itself.
    init(_ bytes: [UInt8], _ escape: UInt32?) throws(MillstreamError) {
        let points = bytes.withUnsafeBytes { TextPoints.all($0) }
        var tokens: [UInt16] = []
        var place = 0
        while place < points.count {
            var point = points[place]
            if point == escape {
                place += 1
                guard place < points.count, points[place] == 0x25 || points[place] == 0x5F || points[place] == escape else {
                    throw MillstreamError(
                        .invalidArgument, "the escape character of the LIKE pattern '\(String(decoding: bytes, as: UTF8.self))' at place \(place) escapes nothing",
                        hint: "It goes before %, _ or itself.")
                }
                point = points[place]
            } else if point == 0x25 {
                // Several in a row are one.
                if tokens.last != Self.many { tokens.append(Self.many) }
                place += 1
                continue
            } else if point == 0x5F {
                tokens.append(Self.one)
                place += 1
                continue
            }
            if let scalar = Unicode.Scalar(point) { tokens.append(contentsOf: UTF8.encode(scalar).map { Array($0) }?.map { UInt16($0) } ?? []) }
            place += 1
        }
        let inner = tokens.filter { $0 < 0x100 }.map { UInt8(truncatingIfNeeded: $0) }
        let marks = tokens.count - inner.count
        if marks == 0 {
            shape = .equal
        } else if tokens == [Self.many] {
            shape = .any
        } else if marks == 1, tokens.last == Self.many {
            shape = .prefix
        } else if marks == 1, tokens.first == Self.many {
            shape = .suffix
        } else if marks == 2, tokens.first == Self.many, tokens.last == Self.many {
            shape = .contains
        } else {
            shape = .general
        }
        first = inner
        self.tokens = tokens
    }

    func matches(_ text: UnsafeRawBufferPointer) -> Bool {
        first.withUnsafeBytes { (first: UnsafeRawBufferPointer) -> Bool in
            switch shape {
            case .equal: TextPoints.isEqual(text, first)
            case .prefix: TextSearch.hasPrefix(text, first)
            case .suffix: TextSearch.hasSuffix(text, first)
            case .contains: TextPoints.find(first, in: text) != nil
            case .any: true
            case .general: matchesGeneral(text)
            }
        }
    }

    /// The last `%` takes one character more each time that what follows it does not fit: at most length times length steps, no recursion.
    func matchesGeneral(_ text: UnsafeRawBufferPointer) -> Bool {
        tokens.withUnsafeBufferPointer { tokens in
            var (place, token) = (0, 0)
            var resumeToken = -1
            var resumePlace = 0
            while true {
                if token < tokens.count, tokens[token] == Self.many {
                    token &+= 1
                    if token == tokens.count { return true }
                    (resumeToken, resumePlace) = (token, place)
                    continue
                }
                if place == text.count {
                    return token == tokens.count
                }
                if token < tokens.count {
                    let wanted = tokens[token]
                    if wanted == Self.one {
                        place &+= TextPoints.length(text, at: place)
                        token &+= 1
                        continue
                    }
                    if wanted == UInt16(text[place]) {
                        place &+= 1
                        token &+= 1
                        continue
                    }
                }
                guard resumeToken >= 0 else { return false }
                resumePlace &+= TextPoints.length(text, at: resumePlace)
                (place, token) = (resumePlace, resumeToken)
            }
        }
    }
}
