import Columnar

/// Turns a pattern of java.util.regex into one of PCRE2.
///
/// What both understand alike is passed on. What only PCRE2 has (recursion, conditions, verbs) is refused as Java refuses it. Sets of characters within each
/// other and their intersections, which PCRE2 does not have, become alternatives and lookaheads.
struct RegexDialect {
    private let points: [UInt32]
    private var place = 0
    private var output: [UInt8] = []
    /// For each piece of output, where it begins there and where its origin begins.
    private var origins: [(output: Int, place: Int)] = []
    private let groupCount: Int
    /// The flag x, for each open group.
    private var commentFlags: [Bool] = [false]
    /// Whether letters beyond ASCII keep their case, for each open group: the flag i without u.
    private var caseFlags: [(ignoresCase: Bool, isUnicode: Bool)] = [(false, false)]
    private var depth = 0
    private static let depthMax = 200

    init(_ pattern: UnsafeRawBufferPointer) {
        points = TextPoints.all(pattern)
        groupCount = Self.countGroups(points)
    }

    /// A rough count, for the digits behind a backslash: it may count what stands in a set or a comment.
    private static func countGroups(_ points: [UInt32]) -> Int {
        var count = 0
        var place = 0
        while place < points.count {
            if points[place] == 0x5C {
                place += 2
                continue
            }
            if points[place] == 0x28 {
                let isPlain = place + 1 >= points.count || points[place + 1] != 0x3F
                let isNamed = !isPlain && place + 3 < points.count && points[place + 2] == 0x3C && points[place + 3] != 0x3D && points[place + 3] != 0x21
                if isPlain || isNamed { count += 1 }
            }
            place += 1
        }
        return count
    }

    func place(ofTranslated offset: Int) -> Int { origins.last { $0.output <= offset }?.place ?? 0 }

    mutating func translate() throws(Regex.Failure) -> [UInt8] {
        while place < points.count {
            origins.append((output.count, place))
            try element()
        }
        return output
    }

    // MARK: Reading and writing

    private func peek(_ ahead: Int = 0) -> UInt32 { place + ahead < points.count ? points[place + ahead] : 0 }
    private func at(_ ahead: Int, _ character: Character) -> Bool { place + ahead < points.count && points[place + ahead] == character.unicodeScalars.first?.value }
    private func failure(_ message: String, isUnsupported: Bool = false) -> Regex.Failure {
        Regex.Failure(isUnsupported: isUnsupported, message: message, place: min(place, points.count))
    }

    private mutating func emit(_ text: String) { output.append(contentsOf: text.utf8) }

    private mutating func push(_ comments: Bool) {
        commentFlags.append(comments)
        caseFlags.append(caseFlags[caseFlags.count - 1])
    }

    /// A character of the pattern. Java's (?i) is of ASCII alone, unless (?u) is there too.
    private mutating func emit(point: UInt32) {
        let cases = caseFlags[caseFlags.count - 1]
        emit(cases.ignoresCase && !cases.isUnicode && point >= 0x80 ? "(?-i:\(Self.literal(point)))" : Self.literal(point))
    }

    /// A character that stands for itself, inside and outside of sets.
    private static func literal(_ point: UInt32) -> String {
        switch point {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: String(Character(Unicode.Scalar(UInt8(truncatingIfNeeded: point))))
        case 0xD800...0xDFFF: "\\x{FFFD}"
        default: "\\x{\(String(point, radix: 16))}"
        }
    }

    private static func isDigit(_ point: UInt32) -> Bool { point >= 0x30 && point <= 0x39 }
    private static func isLetter(_ point: UInt32) -> Bool { (point | 0x20) >= 0x61 && (point | 0x20) <= 0x7A }
    private static func isSpace(_ point: UInt32) -> Bool { point == 0x20 || (point >= 0x09 && point <= 0x0D) }

    // MARK: Outside of sets

    private mutating func element() throws(Regex.Failure) {
        let point = points[place]
        switch point {
        case 0x5C:
            place += 1
            try escape()
        case 0x5B:
            place += 1
            emit(try set())
        case 0x28: try open()
        case 0x29:
            if commentFlags.count > 1 {
                commentFlags.removeLast()
                caseFlags.removeLast()
            }
            place += 1
            emit(")")
        case 0x7B: try braces()
        case 0x2A, 0x2B, 0x3F, 0x2E, 0x5E, 0x24, 0x7C:
            place += 1
            emit(String(Character(Unicode.Scalar(UInt8(truncatingIfNeeded: point)))))
        case 0x23 where commentFlags.last == true:
            while place < points.count, points[place] != 0x0A, points[place] != 0x0D { place += 1 }
        case _ where commentFlags.last == true && Self.isSpace(point): place += 1
        default:
            place += 1
            emit(point: point)
        }
    }

    private mutating func braces() throws(Regex.Failure) {
        var end = place + 1
        while end < points.count, Self.isDigit(points[end]) { end += 1 }
        guard end > place + 1 else { throw failure("a repetition needs a number") }
        if end < points.count, points[end] == 0x2C {
            end += 1
            while end < points.count, Self.isDigit(points[end]) { end += 1 }
        }
        guard end < points.count, points[end] == 0x7D else { throw failure("a repetition is not closed") }
        for index in place...end { output.append(UInt8(truncatingIfNeeded: points[index])) }
        place = end + 1
    }

    private mutating func open() throws(Regex.Failure) {
        guard commentFlags.count < Self.depthMax else { throw failure("groups nest too deep", isUnsupported: true) }
        if at(1, "*") {
            place += 1
            throw failure("nothing to repeat")
        }
        guard at(1, "?") else {
            push(commentFlags.last ?? false)
            place += 1
            return emit("(")
        }
        for start in ["(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"] where starts(with: start) {
            push(commentFlags.last ?? false)
            place += start.utf8.count
            return emit(start)
        }
        if at(2, "<") {
            var end = place + 3
            while end < points.count, Self.isLetter(points[end]) || (end > place + 3 && Self.isDigit(points[end])) { end += 1 }
            guard end > place + 3, end < points.count, points[end] == 0x3E else { throw failure("a group's name is letters and digits, then '>'") }
            push(commentFlags.last ?? false)
            for index in place...end { output.append(UInt8(truncatingIfNeeded: points[index])) }
            place = end + 1
            return
        }
        try flags()
    }

    private func starts(with text: String) -> Bool {
        var ahead = 0
        for scalar in text.unicodeScalars {
            if peek(ahead) != scalar.value { return false }
            ahead += 1
        }
        return true
    }

    /// `(?ims-x)` and `(?ims-x:`. Java's d (only \n ends a line) has no counterpart; u (letters beyond ASCII have cases) is what PCRE2 does by itself.
    private mutating func flags() throws(Regex.Failure) {
        var end = place + 2
        var on = ""
        var off = ""
        var isOff = false
        var comments = commentFlags.last ?? false
        var cases = caseFlags[caseFlags.count - 1]
        while end < points.count, points[end] != 0x29, points[end] != 0x3A {
            guard let scalar = Unicode.Scalar(points[end]) else { throw failure("an unknown flag") }
            switch scalar {
            case "i", "m", "s", "x":
                if scalar == "x" { comments = !isOff }
                if scalar == "i" { cases.ignoresCase = !isOff }
                if isOff { off.unicodeScalars.append(scalar) } else { on.unicodeScalars.append(scalar) }
            case "u": cases.isUnicode = !isOff
            case "d": break
            case "U": throw failure("the flag U (classes of Unicode) is not built", isUnsupported: true)
            case "-" where !isOff: isOff = true
            default: throw failure("an unknown flag or kind of group")
            }
            end += 1
        }
        guard end < points.count else { throw failure("a group is not closed") }
        let text = on + (off.isEmpty ? "" : "-" + off)
        if points[end] == 0x3A {
            push(comments)
            caseFlags[caseFlags.count - 1] = cases
            emit("(?\(text):")
        } else {
            commentFlags[commentFlags.count - 1] = comments
            caseFlags[caseFlags.count - 1] = cases
            if !text.isEmpty { emit("(?\(text))") }
        }
        place = end + 1
    }

    private mutating func escape() throws(Regex.Failure) {
        guard place < points.count else { throw failure("a backslash at the end") }
        let point = points[place]
        if point >= 0x31, point <= 0x39 { return backreference() }
        switch Unicode.Scalar(point) {
        case "Q":
            place += 1
            while place < points.count, !(at(0, "\\") && at(1, "E")) {
                emit(point: points[place])
                place += 1
            }
            place = min(points.count, place + 2)
        case "d", "D", "s", "S", "w", "W", "h", "H", "v", "V", "R", "X", "b", "B", "A", "Z", "z", "G":
            if point == 0x62, at(1, "{") { throw failure("\\b{g} is not built", isUnsupported: true) }
            output.append(0x5C)
            output.append(UInt8(truncatingIfNeeded: point))
            place += 1
        case "k":
            var end = place + 2
            guard at(1, "<") else { throw failure("\\k needs the name of a group in <>") }
            while end < points.count, Self.isLetter(points[end]) || Self.isDigit(points[end]) { end += 1 }
            guard end > place + 2, end < points.count, points[end] == 0x3E else { throw failure("\\k needs the name of a group in <>") }
            emit("\\k<")
            for index in place + 2...end { output.append(UInt8(truncatingIfNeeded: points[index])) }
            place = end + 1
        case "p", "P":
            let content = try property()
            emit(content.hasPrefix("\\p") || content.hasPrefix("\\P") || content.hasPrefix("\\s") || content.hasPrefix("\\S") ? content : "[\(content)]")
        default: emit(point: try escapedCharacter())
        }
    }

    /// As many digits as there are groups for; a group that does not exist never matches.
    private mutating func backreference() {
        var number = Int(points[place] - 0x30)
        place += 1
        while place < points.count, Self.isDigit(points[place]), number * 10 + Int(points[place] - 0x30) <= groupCount {
            number = number * 10 + Int(points[place] - 0x30)
            place += 1
        }
        emit(number <= groupCount ? "\\g{\(number)}" : "(?!)")
    }

    /// The character that an escape stands for; `place` is behind the backslash.
    private mutating func escapedCharacter() throws(Regex.Failure) -> UInt32 {
        guard place < points.count else { throw failure("a backslash at the end") }
        let point = points[place]
        switch Unicode.Scalar(point) {
        case "t": return advance(0x09)
        case "n": return advance(0x0A)
        case "r": return advance(0x0D)
        case "f": return advance(0x0C)
        case "a": return advance(0x07)
        case "e": return advance(0x1B)
        case "0":
            place += 1
            guard place < points.count, peek() >= 0x30, peek() <= 0x37 else { throw failure("\\0 needs octal digits") }
            var value: UInt32 = 0
            let countMax = peek() <= 0x33 ? 3 : 2
            var count = 0
            while count < countMax, place < points.count, peek() >= 0x30, peek() <= 0x37 {
                value = value * 8 + peek() - 0x30
                place += 1
                count += 1
            }
            return value
        case "x":
            place += 1
            if at(0, "{") {
                place += 1
                let value = try hexadecimal(1...8, "\\x{…}")
                guard at(0, "}"), value <= 0x10FFFF else { throw failure("\\x{…} needs a code point in hexadecimal digits") }
                place += 1
                return value
            }
            return try hexadecimal(2...2, "\\x")
        case "u":
            place += 1
            let value = try hexadecimal(4...4, "\\u")
            // Two surrogates are one character.
            if value >= 0xD800, value < 0xDC00, at(0, "\\"), at(1, "u") {
                let saved = place
                place += 2
                let low = try hexadecimal(4...4, "\\u")
                if low >= 0xDC00, low < 0xE000 { return 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00) }
                place = saved
            }
            return value
        case "c":
            guard place + 1 < points.count else { throw failure("\\c needs a character") }
            place += 2
            return (points[place - 1] ^ 64) & 0x1FFFFF
        case "N": throw failure("characters by name are not built", isUnsupported: true)
        default:
            if Self.isLetter(point) { throw failure("'\\\(Character(Unicode.Scalar(UInt8(truncatingIfNeeded: point))))' is no escape") }
            return advance(point)
        }
    }

    private mutating func advance(_ value: UInt32) -> UInt32 {
        place += 1
        return value
    }

    private mutating func hexadecimal(_ count: ClosedRange<Int>, _ name: String) throws(Regex.Failure) -> UInt32 {
        var value: UInt32 = 0
        var digits = 0
        while digits < count.upperBound, place < points.count, let digit = Self.hexadecimalValue(points[place]) {
            value = value &* 16 &+ digit
            digits += 1
            place += 1
        }
        guard digits >= count.lowerBound else { throw failure("\(name) needs hexadecimal digits") }
        return value
    }

    private static func hexadecimalValue(_ point: UInt32) -> UInt32? {
        if isDigit(point) { return point - 0x30 }
        let lower = point | 0x20
        return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : nil
    }

    /// `\p{…}` or `\pL`; `place` is at the p. What can stand in a set.
    private mutating func property() throws(Regex.Failure) -> String {
        let isNegated = at(0, "P")
        place += 1
        var name = ""
        if at(0, "{") {
            place += 1
            while place < points.count, !at(0, "}") {
                guard let scalar = Unicode.Scalar(points[place]) else { throw failure("an unknown property") }
                name.unicodeScalars.append(scalar)
                place += 1
            }
            guard place < points.count else { throw failure("\\p{ is not closed") }
            place += 1
        } else {
            guard place < points.count, let scalar = Unicode.Scalar(points[place]) else { throw failure("\\p needs a name") }
            name.unicodeScalars.append(scalar)
            place += 1
        }
        switch RegexProperties.find(name) {
        case .content(let yes, let no): return isNegated ? no : yes
        case .unsupported: throw failure("the property '\(name)' is not built", isUnsupported: true)
        case .unknown: throw failure("the property '\(name)' does not exist")
        }
    }

    // MARK: Sets

    /// The set behind `[`, as an expression that matches one character.
    private mutating func set() throws(Regex.Failure) -> String {
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.depthMax else { throw failure("sets nest too deep", isUnsupported: true) }
        let isNegated = at(0, "^")
        if isNegated { place += 1 }
        // Parts between `&&`; each is a list of characters and the sets within it.
        var parts: [(content: String, sets: [String])] = [("", [])]
        var isEmpty = true
        while true {
            guard place < points.count else { throw failure("a set is not closed") }
            if at(0, "]"), !isEmpty {
                place += 1
                break
            }
            if at(0, "["), true {
                place += 1
                parts[parts.count - 1].sets.append(try set())
            } else if at(0, "&"), at(1, "&") {
                while at(0, "&") { place += 1 }
                if !parts[parts.count - 1].content.isEmpty || !parts[parts.count - 1].sets.isEmpty { parts.append(("", [])) }
            } else if commentFlags.last == true, Self.isSpace(peek()) {
                place += 1
                continue
            } else {
                parts[parts.count - 1].content += try range()
            }
            isEmpty = false
        }
        if parts.count > 1, parts[parts.count - 1].content.isEmpty, parts[parts.count - 1].sets.isEmpty { parts.removeLast() }
        if parts.count == 1, parts[0].sets.isEmpty {
            // `[&&]` alone would be an empty set.
            return parts[0].content.isEmpty ? (isNegated ? "(?s:.)" : "(?!)") : "[\(isNegated ? "^" : "")\(parts[0].content)]"
        }
        var text = ""
        for (index, part) in parts.enumerated() {
            var choices = part.sets
            if !part.content.isEmpty { choices.insert("[\(part.content)]", at: 0) }
            let one = choices.count == 1 ? choices[0] : "(?:\(choices.joined(separator: "|")))"
            text += index < parts.count - 1 ? "(?=\(one))" : one
        }
        return isNegated ? "(?:(?!\(text))(?s:.))" : "(?:\(text))"
    }

    /// A character, a range of them, or a class, as PCRE2 writes it in a set.
    private mutating func range() throws(Regex.Failure) -> String {
        if at(0, "\\") {
            switch Unicode.Scalar(peek(1)) {
            case "d", "D", "s", "S", "w", "W", "h", "H", "v", "V":
                place += 2
                return "\\" + String(Character(Unicode.Scalar(UInt8(truncatingIfNeeded: points[place - 1]))))
            case "p", "P":
                place += 1
                return try property()
            case "Q":
                place += 2
                var text = ""
                while place < points.count, !(at(0, "\\") && at(1, "E")) {
                    text += Self.literal(points[place])
                    place += 1
                }
                place = min(points.count, place + 2)
                return text
            default: break
            }
        }
        let first = try setCharacter()
        guard at(0, "-"), place + 1 < points.count, !at(1, "]"), !at(1, "[") else { return Self.literal(first) }
        if at(1, "\\"), "dDsSwWhHvVpPQ".unicodeScalars.contains(where: { $0.value == peek(2) }) { return Self.literal(first) }
        place += 1
        let last = try setCharacter()
        guard last >= first else { throw failure("a range of characters runs backwards") }
        return Self.literal(first) + "-" + Self.literal(last)
    }

    private mutating func setCharacter() throws(Regex.Failure) -> UInt32 {
        guard place < points.count else { throw failure("a set is not closed") }
        guard at(0, "\\") else { return advance(points[place]) }
        place += 1
        if place < points.count, points[place] >= 0x31, points[place] <= 0x39 { throw failure("no group can be meant within a set") }
        return try escapedCharacter()
    }
}

/// The names behind `\p`.
enum RegexProperties {
    enum Found {
        /// As they stand in a set: the property and its opposite.
        case content(String, String)
        case unsupported
        case unknown
    }

    private static let posix = [
        "Lower": "lower", "Upper": "upper", "Alpha": "alpha", "Digit": "digit", "Alnum": "alnum", "Punct": "punct", "Graph": "graph", "Print": "print",
        "Blank": "blank", "Cntrl": "cntrl", "XDigit": "xdigit", "Space": "space",
    ]
    private static let categories: Set<String> = [
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So",
        "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Cs", "Co", "Cn",
    ]
    private static let others = [
        "LC": "L&", "javaLowerCase": "Ll", "javaUpperCase": "Lu", "javaLetter": "L", "javaAlphabetic": "Alphabetic", "javaDigit": "Nd", "javaTitleCase": "Lt",
        "IsAlphabetic": "Alphabetic", "IsIdeographic": "Ideographic", "IsLetter": "L", "IsLowercase": "Lowercase", "IsUppercase": "Uppercase", "IsTitlecase": "Lt",
        "IsPunctuation": "P", "IsControl": "Cc", "IsWhite_Space": "White_Space", "IsDigit": "Nd", "IsHex_Digit": "Hex_Digit", "IsJoin_Control": "Join_Control",
        "IsNoncharacter_Code_Point": "Noncharacter_Code_Point", "IsEmoji": "Emoji", "IsEmoji_Presentation": "Emoji_Presentation", "IsEmoji_Modifier": "Emoji_Modifier",
        "IsEmoji_Modifier_Base": "Emoji_Modifier_Base", "IsEmoji_Component": "Emoji_Component", "IsExtended_Pictographic": "Extended_Pictographic",
    ]

    static func find(_ name: String) -> Found {
        if let known = posix[name] { return .content("[:\(known):]", "[:^\(known):]") }
        if name == "ASCII" { return .content("\\x{0}-\\x{7f}", "\\x{80}-\\x{10ffff}") }
        if name == "all" { return .content("\\x{0}-\\x{10ffff}", "[:^ascii:][:ascii:]") }
        if name == "javaWhitespace" || name == "javaSpaceChar" { return .content("\\s", "\\S") }
        if let known = others[name] { return .content("\\p{\(known)}", "\\P{\(known)}") }
        if categories.contains(name) { return .content("\\p{\(name)}", "\\P{\(name)}") }
        for prefix in ["general_category=", "gc="] where name.hasPrefix(prefix) { return find(String(name.dropFirst(prefix.utf8.count))) }
        for prefix in ["script=", "sc="] where name.hasPrefix(prefix) { return script(name.dropFirst(prefix.utf8.count)) }
        if name.hasPrefix("In") || name.hasPrefix("blk=") || name.hasPrefix("block=") || name.hasPrefix("java") { return .unsupported }
        if name.hasPrefix("Is") {
            let rest = String(name.dropFirst(2))
            return categories.contains(rest) || rest == "LC" ? find(rest) : script(Substring(rest))
        }
        return .unknown
    }

    /// PCRE2 knows which scripts there are.
    private static func script(_ name: Substring) -> Found {
        guard !name.isEmpty, name.utf8.allSatisfy({ ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A || $0 == 0x5F }) else { return .unknown }
        return .content("\\p{\(name)}", "\\P{\(name)}")
    }
}
