import Columnar
import SQL
import Testing

struct ParserTests {
    /// What Flink's parser refuses, and Millstream where names are resolved: no function of that name.
    private static let refusedLater: Set = ["invalid_082", "1101"]

    @Test("Of 3,900 recorded statements those are read that Flink reads, and those refused that its parser refuses")
    func corpus() throws {
        let statements = try Corpus.statements()
        #expect(statements.count > 3_900)
        var (read, refused) = (0, 0)
        for statement in statements {
            let result = Result { () throws(MillstreamError) in try Parser.statements(statement.text) }
            switch (result, statement.refusedAt) {
            case (.success, "parse"): #expect(Self.refusedLater.contains(statement.id), "\(statement.id) is read: \(statement.text)")
            case (.success, _): read += 1
            // Refused before it runs, by both.
            case (.failure, "parse"), (.failure, "validate"), (.failure, "plan"): refused += 1
            case (.failure(let error), _): Issue.record("\(statement.id): \(statement.text)\n\(error)")
            }
        }
        #expect(read > 3_800 && refused > 30)
    }

    @Test(
        "A mistake is told with its place, what was expected and what to do",
        arguments: [
            ("SELECT a FROM ta WHERE", 1, 23, "expected an expression, found the end", ""),
            ("SELECT 'abc FROM ta", 1, 8, "a string has no end", "a quote within it is written twice"),
            ("SELECT user FROM ta WHERE date = 1", 1, 27, "expected an expression, found 'date'", ""),
            ("SELECT 1 AS value", 1, 13, "expected a name behind AS, found 'value'", "VALUE is a reserved word: as a name it goes into backticks, `value`."),
            ("SELECT a\nFROM ta\nWHER a = 1", 3, 6, "expected the end of the statement, found 'a'", ""),
            ("SELECT 1 != 2", 1, 10, "'!=' is not in Flink's dialect", "Unequal is <>."),
            ("SELECT \"a\" FROM t", 1, 8, "double quotes mean nothing in this dialect", "a name into backticks"),
            ("SELECT 12abc", 1, 8, "'12abc' is neither a number nor a name", "backticks"),
            ("SELECT /* x", 1, 8, "a comment has no end", "*/"),
            ("SELECT `a", 1, 8, "a name in backticks has no end", ""),
            ("SELECT ``", 1, 8, "a name is empty", ""),
            ("SELECT X'0a1'", 1, 8, "a binary literal needs two digits for each byte", ""),
            ("SELECT U&'\\00'", 1, 8, "behind '\\' in a U& string come four hexadecimal digits, or '+' and six", ""),
            ("SELECT INTERVAL '1' DAY TO YEAR", 1, 28, "there is no interval from DAY TO YEAR", ""),
            ("SELECT CAST(1 AS INT NOT NULL)", 1, 18, "a cast takes no NULL or NOT NULL", ""),
            ("SELECT POSITION('a', 'b')", 1, 20, "expected IN, found ','", "POSITION(needle IN text)"),
            ("SELECT a FROM ta MINUS SELECT a FROM tb", 1, 18, "MINUS is not in Flink's dialect", "It is EXCEPT there."),
            ("SELECT a FROM ta LEFT JOIN tb", 1, 30, "expected ON or USING, found the end", ""),
            ("SELECT * FROM ta TABLESAMPLE BERNOULLI (50)", 1, 18, "TABLESAMPLE does not exist", "RAND()"),
            ("SELECT SUM(a) OVER (ORDER BY b GROUPS 1 PRECEDING)", 1, 32, "frames of GROUPS do not exist", "ROWS"),
            ("CREATE TABLE t (a INT, WATERMARK FOR a AS a, WATERMARK FOR a AS a)", 1, 46, "a table has one WATERMARK", ""),
            ("CREATE TABLE t (a TIMESTAMP WITH TIME ZONE)", 1, 29, "TIMESTAMP WITH TIME ZONE does not exist", "TIMESTAMP_LTZ"),
            ("CREATE TABLE t (a INT) WITH ('x' = 1)", 1, 36, "expected a value in quotes, found the number 1", ""),
            ("EXPLAIN SHOW TABLES", 1, 9, "EXPLAIN takes a query or INSERT", ""),
            ("SELEC 1", 1, 1, "expected a statement: SELECT", ""),
            ("SELECT ä, 'ö' ö FROM t WHERE x ==1", 1, 33, "expected an expression, found '='", ""),
            ("SELECT 1 # 2", 1, 10, "the character # has no meaning here", ""),
            ("SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A{3,2}) DEFINE A AS TRUE)", 1, 43, "at most 2 is less than at least 3", ""),
            ("", 1, 1, "expected a statement, found the end", ""),
        ] as [(String, Int, Int, String, String)])
    func mistakes(text: String, line: Int, column: Int, message: String, hint: String) throws {
        do {
            _ = try Parser.statement(text)
            Issue.record("it is read")
        } catch {
            #expect(error.message.hasPrefix("SQL: line \(line), column \(column): \(message)"), "\(error)")
            #expect(hint.isEmpty || error.hint?.contains(hint) == true, "\(error)")
        }
    }

    @Test("The line is shown with a caret under the place, shortened where it is long, control characters as numbers")
    func excerpt() throws {
        func message(_ text: String) -> String {
            do { _ = try Parser.statement(text) } catch { return error.message }
            return ""
        }
        #expect(message("SELECT a,\n  böse FROM FROM t").hasSuffix("\n    böse FROM FROM t\n              ^^^^"))
        let long = message("SELECT " + String(repeating: "a + ", count: 200) + "FROM t")
        #expect(long.split(separator: "\n").allSatisfy { $0.count < 130 } && long.contains("…"))
        #expect(message("SELECT '\u{202E}\u{7}' FROM FROM").contains("'\\u{202e}\\u{7}'"))
    }

    @Test(
        "Operators bind as in Flink",
        arguments: [
            ("a OR b AND NOT c = d", "(a OR (b AND (NOT (c = d))))"),
            ("a + b || c * d", "(a + ((b || c) * d))"),
            ("a - b - c", "((a - b) - c)"),
            ("-a * b", "((-a) * b)"),
            ("NOT a IS NULL", "(NOT (a IS NULL))"),
            ("a = b IS TRUE", "((a = b) IS TRUE)"),
            ("a < b = c", "((a < b) = c)"),
            ("a BETWEEN b + 1 AND c AND d", "((a BETWEEN (b + 1) AND c) AND d)"),
            ("a NOT IN (1, 2) OR b LIKE 'x' ESCAPE '!'", "((a NOT IN (1, 2)) OR (b LIKE 'x' ESCAPE '!'))"),
            ("a IS NOT DISTINCT FROM b + 1 AND c", "((a IS NOT DISTINCT FROM (b + 1)) AND c)"),
            ("a[1].b.c", "a[1].b.c"),
            ("(a + b).c[d][e]", "(a + b).c[d][e]"),
            ("a % b / c", "((a % b) / c)"),
            ("CASE WHEN a THEN b ELSE c END + 1", "(CASE WHEN a THEN b ELSE c END + 1)"),
            ("(a, b) OVERLAPS (c, d)", "(ROW(a, b) OVERLAPS ROW(c, d))"),
        ] as [(String, String)])
    func precedence(text: String, shape: String) throws { #expect(Shape.of(try Parser.expression(text)) == shape) }

    @Test("What is shown in full parentheses is read as the same")
    func shapes() throws {
        var readCount = 0
        for seed in 0..<3_000 as Range<UInt64> {
            var random = Lottery(seed)
            let text = Shape.draw(&random, depth: 4)
            // NOT has its places, which the draw does not know.
            guard let expression = try? Parser.expression(text) else { continue }
            readCount += 1
            let shape = Shape.of(expression)
            #expect(Shape.of(try Parser.expression(shape)) == shape, "\(text)")
        }
        #expect(readCount > 1_000)
    }

    @Test("Literals have their values")
    func literals() throws {
        func literal(_ text: String) throws -> LiteralSyntax? {
            if case .literal(let value) = try Parser.expression(text).kind { value } else { nil }
        }
        #expect(try literal("'it''s' ' one'") == .string("it's one", characterSet: nil))
        #expect(try literal("U&'\\00e4\\+01F600\\\\'") == .string("ä😀\\", characterSet: nil))
        #expect(try literal("U&'!00e4' UESCAPE '!'") == .string("ä", characterSet: nil))
        #expect(try literal("U&'\\D83D\\DE00'") == .string("😀", characterSet: nil))
        #expect(try literal("_UTF8'x'") == .string("x", characterSet: "UTF8"))
        #expect(try literal("X'0aFF' 'b0'") == .bytes([0x0A, 0xFF, 0xB0]))
        #expect(try literal("1.50") == .number("1.50"))
        #expect(try literal(".5e-3") == .approximate(".5e-3"))
        guard case .interval(let interval) = try literal("INTERVAL -'1-2' YEAR(3) TO MONTH") else {
            Issue.record("it is no interval")
            return
        }
        #expect(interval.text == "1-2" && interval.isNegative && interval.from == .year && interval.to == .month && interval.precision == 3)
        #expect(try literal("TIMESTAMP WITH LOCAL TIME ZONE '2020-01-01 00:00:00'") == .instant("2020-01-01 00:00:00"))
    }

    @Test("What is deeper or longer than the bounds is refused, and overflows no stack")
    func bounds() throws {
        let deep = Parser.depthMax * 10
        let texts = [
            String(repeating: "(", count: deep) + "1" + String(repeating: ")", count: deep),
            String(repeating: "NOT ", count: deep) + "TRUE",
            String(repeating: "- ", count: deep) + "1",
            String(repeating: "ABS(", count: deep) + "1" + String(repeating: ")", count: deep),
            String(repeating: "ARRAY[", count: deep) + "1" + String(repeating: "]", count: deep),
            String(repeating: "CASE WHEN TRUE THEN ", count: deep) + "1" + String(repeating: " END", count: deep),
            "1" + String(repeating: " + 1", count: 10_000), "TRUE" + String(repeating: " OR FALSE", count: 10_000),
        ]
        for text in texts {
            do {
                _ = try Parser.statement("SELECT " + text)
                Issue.record("it is read: \(text.prefix(40))")
            } catch { #expect(error.code == .limitExceeded, "\(error.message.prefix(200))") }
        }
        #expect(throws: MillstreamError.self) { try Parser.type(String(repeating: "ARRAY<", count: deep) + "INT" + String(repeating: ">", count: deep)) }
        #expect(throws: MillstreamError.self) { try Parser.statement(String(repeating: "SELECT * FROM (", count: deep) + "t" + String(repeating: ")", count: deep)) }
        // What is long and flat is not.
        let list = (0..<20_000).map(String.init).joined(separator: ", ")
        guard case .query(let query) = try Parser.statement("SELECT a FROM t WHERE a IN (\(list)) AND b = '\(String(repeating: "x", count: 1 << 20))'").kind,
            case .select(let select) = query.body, case .binary(.and, let left, _) = select.condition?.kind, case .inList(_, let values, _) = left.kind
        else {
            Issue.record("it is something else")
            return
        }
        #expect(values.count == 20_000)
    }

    @Test("Whatever is done to a statement, it is read or refused with a place within it", arguments: 0..<200 as Range<UInt64>)
    func mutations(seed: UInt64) throws {
        let statements = try Self.sample.get()
        var random = Lottery(seed)
        for _ in 0..<60 {
            var bytes = Array(statements[random.below(statements.count)].utf8)
            for _ in 0...random.below(3) {
                guard !bytes.isEmpty else { break }
                let place = random.below(bytes.count)
                let end = min(bytes.count, place + 1 + random.below(12))
                switch random.below(5) {
                case 0: bytes.removeSubrange(place..<end)
                case 1: bytes.insert(contentsOf: bytes[place..<end], at: random.below(bytes.count))
                case 2: bytes[place] = UInt8(random.below(256))
                case 3: bytes.insert(contentsOf: Array(Self.pieces[random.below(Self.pieces.count)].utf8), at: place)
                default:
                    let other = Array(statements[random.below(statements.count)].utf8)
                    bytes.replaceSubrange(place..<end, with: other.prefix(random.below(other.count + 1)))
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            do {
                for statement in try Parser.statements(text) {
                    #expect(statement.range.start >= 0 && statement.range.start <= statement.range.end && statement.range.end <= text.utf8.count)
                }
            } catch {
                #expect(error.code != .internal && error.message.hasPrefix("SQL: "), "\(text)\n\(error)")
            }
        }
    }

    private static let sample = Result { try Corpus.statements().map(\.text) }
    private static let pieces = [
        "(", ")", "'", "`", ",", " SELECT ", " FROM ", " AS ", " NOT ", " IN ", " CASE ", " END ", "[", "]", "/*+", "*/", "--", "U&'", "X'", "\u{0}", "\u{202E}", "1e", ".", "..", "=>",
        " INTERVAL ", " OVER (", " MATCH_RECOGNIZE (", " JOIN ", " WITH ", ";", "{-", "-}", "😀", " LATERAL TABLE(", " GROUP BY ", " VALUES ",
    ]
}

/// Numbers from a seed: SplitMix64.
struct Lottery {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }
}

/// Expressions in full parentheses.
enum Shape {
    static func of(_ expression: ExpressionSyntax) -> String {
        switch expression.kind {
        case .literal(.number(let text)): text
        case .literal(.string(let text, _)): "'\(text)'"
        case .literal(let value): "\(value)".uppercased()
        case .name(let name): name.text
        case .unary(.not, let operand): "(NOT \(of(operand)))"
        case .unary(let operation, let operand): "(\(operation == .minus ? "-" : "+")\(of(operand)))"
        case .binary(let operation, let left, let right): "(\(of(left)) \(operation.rawValue) \(of(right)))"
        case .test(let operand, let test, let isNegated): "(\(of(operand)) IS \(isNegated ? "NOT " : "")\(test.rawValue))"
        case .between(let value, let low, let high, _, let isNegated): "(\(of(value)) \(isNegated ? "NOT " : "")BETWEEN \(of(low)) AND \(of(high)))"
        case .inList(let value, let list, let isNegated): "(\(of(value)) \(isNegated ? "NOT " : "")IN (\(list.map(of).joined(separator: ", "))))"
        case .match(let value, let kind, let pattern, let escape, let isNegated):
            "(\(of(value)) \(isNegated ? "NOT " : "")\(kind.rawValue) \(of(pattern))\(escape.map { " ESCAPE \(of($0))" } ?? ""))"
        case .case(let operand, let branches, let otherwise):
            "CASE \(operand.map { of($0) + " " } ?? "")\(branches.map { "WHEN \($0.conditions.map(of).joined(separator: ", ")) THEN \(of($0.result)) " }.joined())"
                + "\(otherwise.map { "ELSE \(of($0)) " } ?? "")END"
        case .row(let items): "ROW(\(items.map(of).joined(separator: ", ")))"
        case .element(let value, let key): "\(of(value))[\(of(key))]"
        case .field(let value, let name): "\(of(value)).\(name.text)"
        case .call(let call):
            "\(call.name.text)(\(call.arguments.map { if case .expression(let value) = $0.value { of(value) } else { "?" } }.joined(separator: ", ")))"
        default: "?"
        }
    }

    /// An expression with few parentheses.
    static func draw(_ random: inout Lottery, depth: Int) -> String {
        func part() -> String { draw(&random, depth: depth - 1) }
        guard depth > 0 else { return ["a", "b", "c", "1", "'x'", "F(a)"][random.below(6)] }
        switch random.below(14) {
        case 0: return "NOT \(part())"
        case 1: return "- \(part())"
        case 2: return "(\(part()))"
        case 3: return "\(part()) IS NOT NULL"
        case 4: return "\(part()) BETWEEN \(part()) AND c"
        case 5: return "\(part()) NOT IN (\(part()), 2)"
        case 6: return "\(part()) LIKE 'x'"
        case 7: return "CASE WHEN \(part()) THEN \(part()) ELSE \(part()) END"
        case 8: return "F(\(part()), \(part()))"
        default: return "\(part()) \(["OR", "AND", "=", "<>", "<", "+", "-", "*", "/", "%", "||", "IS DISTINCT FROM"][random.below(12)]) \(part())"
        }
    }
}
