import Columnar
import Expressions
import Plan
import Testing

@Suite struct JSONTests {
    private static let store = """
        {"store":{"book":[{"category":"reference","author":"Nigel Rees","title":"Sayings","price":8.95},{"category":"fiction","author":"Evelyn Waugh","title":"Sword","price":12.99},\
        {"category":"fiction","author":"Herman Melville","title":"Moby Dick","isbn":"0-553-21311-3","price":8.99}],"bicycle":{"color":"red","price":19.95}},"expensive":10,"":1}
        """

    private func query(_ json: String, _ path: String) throws -> String? {
        let words = ["WITHOUT", "NULL", "NULL"].map { Calls.text($0) }
        return Calls.string(try Calls.value(.jsonQuery, [Calls.text(json), Calls.text(path)] + words))
    }

    @Test("Paths give what Jayway's give")
    func paths() throws {
        let cases: [(String, String?)] = [
            ("$.store.book[*].author", "[\"Nigel Rees\",\"Evelyn Waugh\",\"Herman Melville\"]"), ("$..author", "[\"Nigel Rees\",\"Evelyn Waugh\",\"Herman Melville\"]"),
            ("$.store..price", "[8.95,12.99,8.99,19.95]"), ("$..book[2].title", "[\"Moby Dick\"]"), ("$..book[0,1].title", "[\"Sayings\",\"Sword\"]"), ("$..book[:2].title", "[\"Sayings\",\"Sword\"]"),
            ("$..book[-2:].title", "[\"Sword\",\"Moby Dick\"]"), ("$.store.book[1:2].title", "[\"Sword\"]"), ("$..book[?(@.isbn)].title", "[\"Moby Dick\"]"),
            ("$.store.book[?(@.price < 10)].title", "[\"Sayings\",\"Moby Dick\"]"), ("$..book[?(@.price <= $['expensive'])].title", "[\"Sayings\",\"Moby Dick\"]"),
            ("$..book[?(@.author =~ /.*REES/i)].title", "[\"Sayings\"]"), ("$..book[?(@.category == 'fiction' && @.price > 10)].title", "[\"Sword\"]"),
            ("$..book[?(!(@.category == 'fiction'))].title", "[\"Sayings\"]"), ("$..book[?(@.category in ['reference', 'x'])].price", "[8.95]"),
            ("$['store']['bicycle']", "{\"color\":\"red\",\"price\":19.95}"), ("$.store.bicycle['price','color']", "{\"color\":\"red\",\"price\":19.95}"), ("$.store.book[7]", nil), ("$.store.nope", nil),
            ("$.store.book[*].nope", "[]"), ("store.bicycle", "{\"color\":\"red\",\"price\":19.95}"), ("$.store.", nil), ("$.a b", nil), ("$..", nil), ("$[", nil),
        ]
        for (path, wanted) in cases { #expect(try query(Self.store, path) == wanted, "\(path)") }
        #expect(try Calls.value(.jsonValue, [Calls.text(Self.store), Calls.text("$.store.book.length()")]) == .string("3"))
        #expect(try Calls.value(.jsonValue, [Calls.text(Self.store), Calls.text("$['']")]) == .string("1"))
        // A null is an error to a strict path, and nothing to a lax one.
        for (path, wanted) in [("$.a", "error"), ("strict $.a", "error"), ("lax $.a", "empty"), ("lax $.b", "empty"), ("$.b", "error")] {
            let words = [Calls.text("DEFAULT"), Calls.text("empty"), Calls.text("DEFAULT"), Calls.text("error")]
            #expect(try Calls.value(.jsonValue, [Calls.text("{\"a\":null}"), Calls.text(path)] + words) == .string(wanted), "\(path)")
        }
    }

    @Test("What is JSON, and how it is written")
    func text() throws {
        for good in ["1", "-0", "1e5", "\"\\ud83d\\ude00\"", "[]", "{}", " [1 , {\"a\" : null}] x", "true,", "\"x\"y", String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)] {
            #expect(try Calls.value(.isJSON, [Calls.text(good), Calls.text("VALUE")], .boolean) == .boolean(true), "\(good.prefix(40))")
        }
        for bad in ["", " ", "01", "1.", ".5", "+1", "-", "1x", "truex", "'a'", "{a:1}", "[1,]", "{\"a\":}", "[1 2]", "\"\u{1}\"", "\"\\x\"", "\"\\u12\"", "\"open", "{\"a\" 1}", "[", "{", "nul", "]",
            String(repeating: "[", count: 1001) + String(repeating: "]", count: 1001)]
        {
            #expect(try Calls.value(.isJSON, [Calls.text(bad), Calls.text("VALUE")], .boolean) == .boolean(false), "\(bad.prefix(40))")
        }
        #expect(try Calls.string(.json, " {\"b\" : 1.50, \"a\":[1e2,-0,1E-10,\"\\u00e9\\/\\u0001\"], \"b\":2} ") == "{\"a\":[1E+2,0,1E-10,\"é/\\u0001\"],\"b\":2}")
        #expect(try Calls.string(.jsonQuote, "a/\"é😀") == "\"a\\/\\\"\\u00e9\\ud83d\\ude00\"")
        #expect(try Calls.string(.jsonUnquote, "\"a\"\\q\"") == "\"a\"\\q\"")
        #expect(try Calls.string(.jsonUnquote, "\"a\\/\\ud83d\\ude00\\u00e9\"") == "a/😀é")
    }

    @Test("JSON_OBJECT orders its fields, the last of a name counts, and JSON within is not quoted")
    func constructors() throws {
        let inner = ScalarExpression.call(.jsonArray, [Calls.text("NULL"), Calls.int(1), Calls.text(nil)], .string)
        let arguments = [Calls.text("NULL"), Calls.text("b"), Calls.int(1), Calls.text("a"), inner, Calls.text("b"), Calls.text("x\"")]
        #expect(try Calls.value(.jsonObject, arguments) == .string("{\"a\":[1,null],\"b\":\"x\\\"\"}"))
        #expect(try Calls.value(.jsonObject, [Calls.text("ABSENT"), Calls.text("a"), Calls.int(1), Calls.text("a"), Calls.text(nil)]) == .string("{\"a\":1}"))
    }

    // MARK: Variants

    private func variant(_ json: String) throws -> [UInt8] {
        guard case .bytes(let bytes) = try Calls.value(.parseJSON, [Calls.text(json), .constant(.boolean(true), .boolean)], DataType(.variant)) else { return [] }
        return bytes
    }

    private func text(_ variant: [UInt8]) -> String? {
        variant.withUnsafeBytes { VariantText.json($0, floating: { $0.description }) }.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("Variants keep what JSON says, in the bytes of the published encoding")
    func variants() throws {
        for (json, wanted) in [
            ("1", "1"), ("1.50", "1.5"), ("1e2", "100.0"), ("-128", "-128"), ("123456789012345678901234567890", "123456789012345678901234567890"), ("9223372036854775807", "9223372036854775807"),
            ("0.00", "0"), ("-0.5", "-0.5"), ("[]", "[]"), ("{}", "{}"), ("{\"b\":1,\"a\":[true,null,\"x\\n\"]}", "{\"a\":[true,null,\"x\\n\"],\"b\":1}"), ("{\"a\":1,\"a\":2}", "{\"a\":2}"),
        ] { #expect(text(try variant(json)) == wanted, "\(json)") }
        #expect(try variant("1") == [1, 0, 0, 3 << 2, 1])
        #expect(try variant("\"hi\"") == [1, 0, 0, 2 << 2 | 1, 0x68, 0x69])
        #expect(try variant("{\"a\":null}") == [1, 1, 0, 1, 0x61, 2, 1, 0, 0, 1, 0])
        #expect(try variant("[true,300]") == [1, 0, 0, 3, 2, 0, 1, 4, 1 << 2, 4 << 2, 0x2C, 1])
        // More than 255 elements, names beyond one byte's offsets, long strings.
        let long = "[" + (0..<300).map { "{\"name number \($0)\":\"\(String(repeating: "x", count: $0))\"}" }.joined(separator: ",") + "]"
        #expect(text(try variant(long)) == long)
        let bytes = try variant(long)
        let part = try Calls.value(.variantElement, [.constant(.bytes(bytes), DataType(.variant)), Calls.int(300)], DataType(.variant))
        let field = try Calls.value(.variantElement, [.constant(part, DataType(.variant)), Calls.text("name number 299")], DataType(.variant))
        guard case .bytes(let value) = field else {
            Issue.record("no field")
            return
        }
        #expect(text(value) == "\"\(String(repeating: "x", count: 299))\"")
    }

    @Test("Damaged variants never trap, and their text ends")
    func damaged() throws {
        var seed = Seeded(3)
        let originals = try ["{\"a\":[1,2.5,\"x\",null,true],\"b\":{\"c\":1e3}}", "[[1],[2,[3]]]", "12345678901234567890123", "\"\(String(repeating: "y", count: 100))\""].map { try variant($0) }
        for _ in 0..<20_000 {
            var bytes = seed.pick(originals)
            for _ in 0...seed.below(3) { bytes[seed.below(bytes.count)] = UInt8(truncatingIfNeeded: seed.next()) }
            if seed.below(3) == 0 { bytes = Array(bytes.prefix(seed.below(bytes.count + 1))) }
            _ = text(bytes)
            bytes.withUnsafeBytes { (raw: UnsafeRawBufferPointer) in
                guard let reader = VariantReader(raw) else { return }
                _ = [reader.element(0)?.byteCount, reader.byteCount, reader.count]
                _ = Array("a".utf8).withUnsafeBytes { reader.field($0)?.kind }
                _ = VariantBuilder.cell(reader)
            }
        }
        // An array whose elements all are the array before: 2 to the power of its depth values in a few bytes.
        var bomb: [UInt8] = [0]
        for _ in 0..<45 { bomb = [3, 2, 0, 0, UInt8(bomb.count)] + bomb }
        #expect(text([1, 0, 0] + bomb) == nil)
    }
}
