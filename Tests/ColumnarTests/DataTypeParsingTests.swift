import Columnar
import Testing

@Suite struct DataTypeParsingTests {
    @Test func canonicalTextComesBack() throws {
        let canonical = [
            "BIGINT", "STRING NOT NULL", "OBJECT", "DECIMAL(38, 38)", "CHAR(3)", "VARCHAR(7)", "BINARY(1)", "VARBINARY(9)", "BYTES", "DATE",
            "TIME(9)", "TIMESTAMP(0)", "TIMESTAMP_LTZ(3) NOT NULL", "INTERVAL YEAR TO MONTH", "INTERVAL DAY TO SECOND(6)",
            "ARRAY<INT NOT NULL>", "MAP<STRING, ARRAY<MULTISET<DOUBLE>>>", "RAW('a.b''c')", "ROW<`word` STRING, `n` BIGINT NOT NULL>",
            "ROW<`a``b` ROW<`x y` TINYINT>>", "TUPLE<STRING, BIGINT>", "TUPLE<>", "ROW<>", "ROW<`\u{60}\u{60}\u{301}` INT>", "NULL",
        ]
        for text in canonical { #expect(try Schema.parse(text).description == text) }
    }

    @Test func otherSpellingsBecomeCanonical() throws {
        let spellings = [
            ("row < word string , n bigint not null >", "ROW<`word` STRING, `n` BIGINT NOT NULL>"), ("integer", "INT"),
            ("decimal", "DECIMAL(10, 0)"), ("dec(5)", "DECIMAL(5, 0)"), ("double precision", "DOUBLE"), ("char", "CHAR(1)"),
            ("timestamp", "TIMESTAMP(6)"), ("timestamp(3) with local time zone", "TIMESTAMP_LTZ(3)"), ("int null", "INT"),
            ("VARCHAR(2147483647)", "STRING"), ("TIMESTAMP(2) WITHOUT TIME ZONE NOT NULL", "TIMESTAMP(2) NOT NULL"),
        ]
        for (text, canonical) in spellings { #expect(try Schema.parse(text).description == canonical) }
    }

    @Test func shapesDiffer() throws {
        #expect(try Schema.parse("ROW<f0 INT>").shape == .row)
        #expect(try Schema.parse("TUPLE<INT>").shape == .tuple)
        #expect(try Schema.parse("INT") == Schema.scalar(.int))
    }

    @Test func errorsNameThePlace() {
        let error = #expect(throws: MillstreamError.self) { try Schema.parse("ROW<a INT b INT>") }
        #expect(error?.message == "cannot read the schema at position 10: expected '>' or ','\n    ROW<a INT b INT>\n              ^")
    }

    @Test func wrongTextIsRefused() {
        let wrong = [
            "", " ", "BANANA", "INT INT", "ROW<a>", "ROW<a INT", "ROW<a INT, a INT>", "ROW<`` INT>", "ROW<`a INT>", "DECIMAL(39, 0)",
            "DECIMAL(5, 6)", "DECIMAL(0)", "CHAR(0)", "VARCHAR(2147483648)", "VARCHAR(99999999999999999999999999)", "TIMESTAMP(10)", "TIME(-1)",
            "MAP<INT>", "MAP<INT, INT, INT>", "ARRAY<>", "ARRAY<TUPLE<INT>>", "ROW<a INT> NOT NULL", "INT NOT", "RAW()", "RAW('')", "RAW('x",
            "INTERVAL YEAR", "TIMESTAMP WITH TIME ZONE", "ROW<a INT,>", "ROW<ä INT>", "INT;", "\0", "\u{202E}INT",
        ]
        for text in wrong { #expect(throws: MillstreamError.self, "\(text)") { try Schema.parse(text) } }
    }

    @Test func depthIsBounded() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "ARRAY<", count: depth - 1) + "INT" + String(repeating: ">", count: depth - 1)
        }
        #expect(try DataType.parse(nested(DataType.depthMax)).depth == DataType.depthMax)
        #expect(throws: MillstreamError.self) { try DataType.parse(nested(DataType.depthMax + 1)) }
        #expect(throws: MillstreamError.self) { try DataType.parse(nested(100_000)) }
    }

    @Test func garbageNeverTraps() {
        var state: UInt64 = 42
        let pieces = ["ROW", "<", ">", "(", ")", ",", "`", "'", "INT", "NOT", "NULL", " ", "9", "MAP", "a", "DECIMAL", "\u{FFFD}", "TUPLE", "TIMESTAMP"]
        for _ in 0..<5_000 {
            var text = ""
            for _ in 0..<12 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                text += pieces[Int(truncatingIfNeeded: state >> 33) % pieces.count]
            }
            guard let schema = try? Schema.parse(text) else { continue }
            #expect((try? Schema.parse(schema.description)) == schema)
        }
    }
}
