import Columnar

/// Cuts a statement's text into tokens. The rules are those of Flink's dialect: names in backticks, strings in single quotes, `--`, `//` and `/* */` comments.
struct Lexer {
    private let source: SourceText
    private let bytes: [UInt8]
    private var position = 0
    private var tokens: [Token] = []

    init(_ source: SourceText) {
        self.source = source
        bytes = source.bytes
    }

    /// All tokens, the last one of kind `end`.
    mutating func run() throws(MillstreamError) -> [Token] {
        while true {
            try skip()
            guard position < bytes.count else { break }
            try next()
        }
        tokens.append(Token(kind: .end, range: SourceRange(bytes.count, bytes.count), text: "", keyword: ""))
        return tokens
    }

    private func byte(_ ahead: Int = 0) -> UInt8 { position + ahead < bytes.count ? bytes[position + ahead] : 0 }
    private func error(_ message: String, from start: Int, hint: String? = nil) -> MillstreamError {
        source.error(message, at: SourceRange(start, min(bytes.count, max(position, start + 1))), hint: hint)
    }

    /// Spaces and comments.
    private mutating func skip() throws(MillstreamError) {
        while position < bytes.count {
            switch byte() {
            case 9, 10, 11, 12, 13, 32: position += 1
            case UInt8(ascii: "-") where byte(1) == UInt8(ascii: "-"), UInt8(ascii: "/") where byte(1) == UInt8(ascii: "/"):
                while position < bytes.count, bytes[position] != 10 { position += 1 }
            case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "*") && byte(2) != UInt8(ascii: "+"):
                let start = position
                position += 2
                while position < bytes.count, !(byte() == UInt8(ascii: "*") && byte(1) == UInt8(ascii: "/")) { position += 1 }
                guard position < bytes.count else {
                    position = start + 2
                    throw error("a comment has no end", from: start, hint: "It ends with */.")
                }
                position += 2
            case 0xC2 where byte(1) == 0xA0: position += 2
            case 0xEF where byte(1) == 0xBB && byte(2) == 0xBF && position == 0: position += 3
            default: return
            }
        }
    }

    private mutating func next() throws(MillstreamError) {
        let start = position
        let first = byte()
        switch first {
        case UInt8(ascii: "'"): try string(start, nil)
        case UInt8(ascii: "`"): try quotedName()
        case UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
        case UInt8(ascii: ".") where Self.isDigit(byte(1)): try number()
        case UInt8(ascii: "\""):
            throw error("double quotes mean nothing in this dialect", from: start, hint: "Text goes into single quotes, a name into backticks.")
        default:
            if Self.isNameStart(first) { return try word() }
            try sign()
        }
    }

    static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
    private static func isNameStart(_ byte: UInt8) -> Bool {
        (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$") || byte >= 0x80
    }
    private static func isNamePart(_ byte: UInt8) -> Bool { isNameStart(byte) || isDigit(byte) }

    private mutating func add(_ kind: Token.Kind, _ start: Int, _ text: String, keyword: String = "", characterSet: String? = nil) {
        tokens.append(Token(kind: kind, range: SourceRange(start, position), text: text, keyword: keyword, characterSet: characterSet))
    }

    private mutating func word() throws(MillstreamError) {
        let start = position
        while position < bytes.count, Self.isNamePart(bytes[position]) { position += 1 }
        let text = source.string(SourceRange(start, position))
        if let bad = text.unicodeScalars.first(where: { $0.value >= 0x80 && !($0.properties.isIDContinue || $0.properties.generalCategory == .currencySymbol) }) {
            throw error("the character U+\(Self.number(bad)) cannot be part of a name", from: start, hint: "A name in backticks may have any character.")
        }
        let keyword = text.uppercasedASCII
        if byte() == UInt8(ascii: "'") {
            switch keyword {
            case "X":
                position += 1
                let digits = position
                while position < bytes.count, bytes[position] != UInt8(ascii: "'") { position += 1 }
                guard position < bytes.count else { throw error("a binary literal has no end", from: start) }
                let text = source.string(SourceRange(digits, position))
                position += 1
                guard text.utf8.allSatisfy(Self.isHexadecimal) else {
                    throw error("a binary literal has hexadecimal digits only", from: start)
                }
                guard text.utf8.count % 2 == 0 else { throw error("a binary literal needs two digits for each byte", from: start) }
                return add(.hexadecimal, start, text)
            case "N": return try string(start, "ISO-8859-1")
            case _ where keyword.utf8.first == UInt8(ascii: "_"): return try string(start, String(keyword.dropFirst()))
            default: break
            }
        }
        if keyword == "U", byte() == UInt8(ascii: "&"), byte(1) == UInt8(ascii: "'") {
            position += 1
            return try string(start, nil, isUnicode: true)
        }
        add(.word, start, text, keyword: keyword)
    }

    private static func number(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16).uppercasedASCII
        return String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
    }

    static func isHexadecimal(_ byte: UInt8) -> Bool { isDigit(byte) || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "f")) }

    private mutating func string(_ start: Int, _ characterSet: String?, isUnicode: Bool = false) throws(MillstreamError) {
        position += 1
        var value: [UInt8] = []
        while true {
            guard position < bytes.count else {
                position = start + 1
                throw error("a string has no end", from: start, hint: "It ends with a single quote; a quote within it is written twice.")
            }
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "'") {
                guard self.byte() == UInt8(ascii: "'") else { break }
                position += 1
            }
            value.append(byte)
        }
        var text = String(decoding: value, as: UTF8.self)
        if isUnicode { text = try unescaped(text, start) }
        add(.string, start, text, characterSet: characterSet)
    }

    /// `\XXXX` and `\+XXXXXX`, with another escape character where UESCAPE names one.
    private mutating func unescaped(_ text: String, _ start: Int) throws(MillstreamError) -> String {
        var escape: Unicode.Scalar = "\\"
        let end = position
        try skip()
        let word = SourceRange(position, min(bytes.count, position + 7))
        if source.string(word).uppercasedASCII == "UESCAPE" {
            position += 7
            try skip()
            let place = position
            guard byte() == UInt8(ascii: "'"), byte(2) == UInt8(ascii: "'"), byte(1) < 0x80, !Self.isHexadecimal(byte(1)),
                byte(1) != UInt8(ascii: "+"), byte(1) != UInt8(ascii: "'"), byte(1) > 32
            else { throw error("UESCAPE needs one character in quotes that is no hexadecimal digit, plus, quote or space", from: place) }
            escape = Unicode.Scalar(byte(1))
            position += 3
        } else {
            position = end
        }
        var result = String.UnicodeScalarView()
        var units: [UInt16] = []
        let scalars = Array(text.unicodeScalars)
        var index = 0
        func flush() {
            if units.isEmpty { return }
            result.append(contentsOf: String(decoding: units, as: UTF16.self).unicodeScalars)
            units = []
        }
        while index < scalars.count {
            guard scalars[index] == escape else {
                flush()
                result.append(scalars[index])
                index += 1
                continue
            }
            index += 1
            if index < scalars.count, scalars[index] == escape {
                flush()
                result.append(escape)
                index += 1
                continue
            }
            var length = 4
            if index < scalars.count, scalars[index] == "+" {
                length = 6
                index += 1
            }
            let digits = index + length <= scalars.count ? String(String.UnicodeScalarView(scalars[index..<index + length])) : ""
            guard digits.utf8.count == length, digits.utf8.allSatisfy(Self.isHexadecimal), let value = UInt32(digits, radix: 16) else {
                throw error("behind '\(escape)' in a U& string come four hexadecimal digits, or '+' and six", from: start)
            }
            index += length
            if length == 4 {
                units.append(UInt16(truncatingIfNeeded: value))
            } else {
                flush()
                guard let scalar = Unicode.Scalar(value) else { throw error("there is no character U+\(digits)", from: start) }
                result.append(scalar)
            }
        }
        flush()
        return String(result)
    }

    private mutating func quotedName() throws(MillstreamError) {
        let start = position
        position += 1
        var value: [UInt8] = []
        while true {
            guard position < bytes.count else {
                position = start + 1
                throw error("a name in backticks has no end", from: start)
            }
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "`") {
                guard self.byte() == UInt8(ascii: "`") else { break }
                position += 1
            }
            value.append(byte)
        }
        guard !value.isEmpty else { throw error("a name is empty", from: start) }
        add(.quoted, start, String(decoding: value, as: UTF8.self))
    }

    private mutating func number() throws(MillstreamError) {
        let start = position
        while Self.isDigit(byte()) { position += 1 }
        if byte() == UInt8(ascii: "."), byte(1) != UInt8(ascii: ".") {
            position += 1
            while Self.isDigit(byte()) { position += 1 }
        }
        var kind = Token.Kind.number
        if byte() | 0x20 == UInt8(ascii: "e") {
            let sign = byte(1) == UInt8(ascii: "+") || byte(1) == UInt8(ascii: "-") ? 1 : 0
            if Self.isDigit(byte(1 + sign)) {
                kind = .approximate
                position += 1 + sign
                while Self.isDigit(byte()) { position += 1 }
            }
        }
        if Self.isNamePart(byte()) {
            while Self.isNamePart(byte()) { position += 1 }
            throw error("'\(source.string(SourceRange(start, position)))' is neither a number nor a name", from: start, hint: "A name that begins with a digit goes into backticks.")
        }
        add(kind, start, source.string(SourceRange(start, position)))
    }

    private static let signs3 = ["/*+"]
    private static let signs2 = ["<>", "!=", "<=", ">=", "||", "=>", "->", "::", "*/", "..", "{-", "-}"]

    private mutating func sign() throws(MillstreamError) {
        let start = position
        for (length, signs) in [(3, Self.signs3), (2, Self.signs2)] {
            let text = source.string(SourceRange(position, min(bytes.count, position + length)))
            if signs.contains(text) {
                position += length
                return add(length == 3 ? .hint : .sign, start, text, keyword: text)
            }
        }
        position += 1
        let text = source.string(SourceRange(start, position))
        guard "()[]{},;.:=<>+-*/%?|&^~".utf8.contains(bytes[start]) else {
            throw error("the character \(SourceText.printable(bytes[start..<position])) has no meaning here", from: start)
        }
        add(.sign, start, text, keyword: text)
    }
}

extension String {
    /// A to Z alone change: Swift's own knows more letters, and keywords do not.
    var uppercasedASCII: String {
        String(decoding: utf8.map { $0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z") ? $0 - 32 : $0 }, as: UTF8.self)
    }
}
