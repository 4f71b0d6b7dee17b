import Columnar

/// Reads statements of Flink's SQL dialect: a parser by recursive descent, with precedence climbing for expressions.
///
/// A mistake is an error that names line and column and what was expected. Nesting is bounded, so that no text overflows the stack.
public struct Parser {
    let source: SourceText
    let tokens: [Token]
    var index = 0
    private var depth = 0

    /// How deep expressions, queries and types may nest.
    public static let depthMax = 400
    /// More tokens than any statement that a person or a program means.
    static let tokenCountMax = 4_000_000

    /// Cuts the text into tokens.
    public init(_ text: String) throws(MillstreamError) { try self.init(SourceText(text)) }

    public init(_ source: SourceText) throws(MillstreamError) {
        self.source = source
        var lexer = Lexer(source)
        tokens = try lexer.run()
        guard tokens.count < Self.tokenCountMax else {
            throw MillstreamError(.limitExceeded, "SQL: the text has more than \(Self.tokenCountMax) words and signs")
        }
    }

    /// One statement, with or without a semicolon behind it.
    public static func statement(_ text: String) throws(MillstreamError) -> StatementSyntax {
        var parser = try Parser(text)
        let statement = try parser.statement()
        _ = parser.accept(";")
        try parser.expectEnd()
        return statement
    }

    /// All statements of a script, with semicolons between them.
    public static func statements(_ text: String) throws(MillstreamError) -> [StatementSyntax] {
        var parser = try Parser(text)
        var all: [StatementSyntax] = []
        while true {
            while parser.accept(";") {}
            if parser.isAtEnd { return all }
            all.append(try parser.statement())
            guard parser.accept(";") || parser.isAtEnd else { throw parser.unexpected("';' or the end") }
        }
    }

    /// A scalar expression alone, as the Table API takes them.
    public static func expression(_ text: String) throws(MillstreamError) -> ExpressionSyntax {
        var parser = try Parser(text)
        let expression = try parser.expression()
        try parser.expectEnd()
        return expression
    }

    /// A type alone: `ROW<a INT NOT NULL>`.
    public static func type(_ text: String) throws(MillstreamError) -> TypeSyntax {
        var parser = try Parser(text)
        let type = try parser.type()
        try parser.expectEnd()
        return type
    }

    // MARK: Tokens

    var token: Token { tokens[index] }
    func peek(_ ahead: Int = 1) -> Token { tokens[min(index + ahead, tokens.count - 1)] }
    var isAtEnd: Bool { token.kind == .end }
    /// The end of what was read last.
    var lastEnd: Int { index == 0 ? 0 : tokens[index - 1].range.end }
    func range(from start: Int) -> SourceRange { SourceRange(start, max(start, lastEnd)) }

    mutating func advance() { if index < tokens.count - 1 { index += 1 } }

    /// Whether the next words or signs are these.
    func at(_ words: String...) -> Bool {
        for (offset, word) in words.enumerated() where peek(offset).keyword != word || peek(offset).kind == .string { return false }
        return true
    }

    func isAny(_ words: Set<String>) -> Bool { !token.keyword.isEmpty && words.contains(token.keyword) }

    /// Takes these words or signs if they are next, all of them or none.
    mutating func accept(_ words: String...) -> Bool {
        for (offset, word) in words.enumerated() where peek(offset).keyword != word { return false }
        for _ in words { advance() }
        return true
    }

    mutating func expect(_ word: String) throws(MillstreamError) {
        guard token.keyword == word else { throw unexpected(Self.quoted(word)) }
        advance()
    }

    mutating func expectEnd() throws(MillstreamError) { if !isAtEnd { throw unexpected("the end of the statement") } }

    private static func quoted(_ word: String) -> String { word.utf8.first.map { $0 >= 65 && $0 <= 90 } == true ? word : "'\(word)'" }

    /// The error for a token that does not belong here.
    func unexpected(_ expected: String) -> MillstreamError {
        let found: String
        switch token.kind {
        case .end: found = "the end"
        case .string: found = "a string"
        case .number, .approximate: found = "the number \(token.text)"
        case .hexadecimal: found = "a binary literal"
        case .quoted: found = "the name `\(token.text)`"
        case .word, .sign, .hint: found = "'\(token.text)'"
        }
        let isReserved = token.kind == .word && ReservedWords.contains(token.keyword) && expected.hasPrefix("a name")
        return source.error(
            "expected \(expected), found \(found)", at: token.range,
            hint: isReserved ? "\(token.keyword) is a reserved word: as a name it goes into backticks, `\(token.text)`." : nil)
    }

    func error(_ message: String, at range: SourceRange, hint: String? = nil, code: MillstreamError.Code = .plan) -> MillstreamError {
        source.error(message, at: range, hint: hint, code: code)
    }

    // MARK: Depth

    /// Counts what is open around the next construct.
    mutating func enter() throws(MillstreamError) {
        depth += 1
        guard depth <= Self.depthMax else {
            throw error("the statement nests deeper than \(Self.depthMax) levels", at: token.range, code: .limitExceeded)
        }
    }
    mutating func leave() { depth -= 1 }

    // MARK: Names

    func isName(_ token: Token) -> Bool { token.kind == .quoted || token.kind == .word && !ReservedWords.contains(token.keyword) }

    mutating func identifier(_ what: String = "a name") throws(MillstreamError) -> Identifier {
        guard isName(token) else { throw unexpected(what) }
        defer { advance() }
        return Identifier(token.text, token.range)
    }

    mutating func qualifiedName(_ what: String = "a name") throws(MillstreamError) -> QualifiedName {
        var parts = [try identifier(what)]
        while token.keyword == ".", isName(peek()) {
            advance()
            parts.append(try identifier())
        }
        return QualifiedName(parts)
    }

    /// `(a, b)`.
    mutating func identifierList() throws(MillstreamError) -> [Identifier] {
        try expect("(")
        var names = [try identifier()]
        while accept(",") { names.append(try identifier()) }
        try expect(")")
        return names
    }

    mutating func optionalIdentifierList() throws(MillstreamError) -> [Identifier] { at("(") ? try identifierList() : [] }

    /// The value of a string; adjacent ones are one, as in the standard.
    mutating func string(_ what: String = "a string in quotes") throws(MillstreamError) -> String {
        guard token.kind == .string else { throw unexpected(what) }
        var text = token.text
        advance()
        while token.kind == .string {
            text += token.text
            advance()
        }
        return text
    }

    mutating func integer(_ what: String = "a number") throws(MillstreamError) -> Int {
        guard token.kind == .number else { throw unexpected(what) }
        guard let value = Int(token.text), value <= Int(Int32.max) else { throw error("the number \(token.text) is no whole number up to \(Int32.max)", at: token.range) }
        advance()
        return value
    }

    /// `('a' = 'b', …)`; keys are strings, or names with points.
    mutating func options() throws(MillstreamError) -> [OptionSyntax] {
        try expect("(")
        var options: [OptionSyntax] = []
        if accept(")") { return options }
        repeat {
            let start = token.range.start
            let key = try optionKey()
            try expect("=")
            let value = try string("a value in quotes")
            options.append(OptionSyntax(key: key, value: value, range: range(from: start)))
        } while accept(",")
        try expect(")")
        return options
    }

    mutating func optionKey() throws(MillstreamError) -> String {
        if token.kind == .string { return try string() }
        guard token.kind == .word || token.kind == .quoted else { throw unexpected("an option's name in quotes") }
        var text = token.text
        advance()
        while token.keyword == "." || token.keyword == "-", peek().kind == .word || peek().kind == .number {
            text += token.text + peek().text
            advance()
            advance()
        }
        return text
    }

    mutating func optionKeys() throws(MillstreamError) -> [String] {
        try expect("(")
        var keys: [String] = []
        if accept(")") { return keys }
        repeat { keys.append(try optionKey()) } while accept(",")
        try expect(")")
        return keys
    }
}
