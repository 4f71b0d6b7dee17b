import Columnar
import Connectors
import Dataflow
import Plan
import Testing

@Suite struct JSONLinesDecoderTests {
    let directory = TemporaryDirectory()

    func source(_ path: String, _ fields: [Field], projection: [Int]? = nil, skips: Bool = false, chunk: Int = 1 << 20) throws(MillstreamError)
        -> FileSource
    {
        var description = FileSourceDescription(paths: [path], format: .jsonLines, fileSchema: Schema(fields))
        description.malformed = skips ? .skip : .fail
        description.projection = projection
        var limits = FileReadLimits()
        limits.chunkByteCount = chunk
        return try FileSource(
            description, schema: Schema(projection.map { $0.map { fields[$0] } } ?? fields), clock: SimulatedClock(), limits: limits)
    }

    func rows(_ text: String, _ fields: [Field], projection: [Int]? = nil, chunk: Int = 1 << 20) throws -> [[String]] {
        let path = directory.write("in.jsonl", text)
        return try SourceDriver(source(path, fields, projection: projection, chunk: chunk)).batches().rows
    }

    func failure(_ text: String, _ fields: [Field]) throws -> MillstreamError {
        do throws(MillstreamError) {
            let path = directory.write("in.jsonl", text)
            _ = try SourceDriver(source(path, fields)).batches()
        } catch { return error }
        return .internal("no error came")
    }

    let two = [Field("a", .int), Field("s", .string)]

    @Test func typicalLines() throws {
        let text = "{\"a\":1,\"s\":\"x\\n\\u00e9\"}\r\n\n{\"s\":\"longer than twelve bytes\",\"other\":[1,{\"a\":5}],\"a\":2}\n  {\"a\":null}  \n{}"
        let expected = [["1", "x\né"], ["2", "longer than twelve bytes"], ["∅", "∅"], ["∅", "∅"]]
        for chunk in [1, 2, 5, 17, 64, 1 << 20] { #expect(try rows(text, two, chunk: chunk) == expected) }
        #expect(try rows(text, two, projection: [1]) == expected.map { [$0[1]] })
        #expect(try rows("{\"a\":1,\"a\":2}\n", two) == [["1", "∅"]])
        #expect(try rows("{\"A\":1}\n", two) == [["∅", "∅"]])
        #expect(try rows("\u{FEFF}{\"a\":1}", two) == [["1", "∅"]])
    }

    @Test func everyType() throws {
        let cases: [(String, DataType, String)] = [
            ("true", .boolean, "true"), ("\"FALSE\"", .boolean, "false"), ("-128", .tinyInt, "-128"), ("\" 5 \"", .int, "5"), ("7.0", .int, "7"),
            ("7e2", .bigInt, "700"), ("-9223372036854775808", .bigInt, "-9223372036854775808"), ("1.5", .float, "1.5"), ("\"2.5\"", .double, "2.5"),
            ("3", .double, "3.0"),
            ("12345678901234567890.123456789012345678", DataType(.decimal(precision: 38, scale: 18)), "12345678901234567890123456789012345678"),
            ("1.005", DataType(.decimal(precision: 5, scale: 2)), "101"), ("\"2020-01-02\"", .date, "18263"),
            ("\"03:04:05.5\"", DataType(.time(3)), "11045500"), ("\"2020-01-02 03:04:05.678\"", DataType(.timestamp(3)), "1577934245678"),
            ("\"2020-01-02T03:04:05.678Z\"", DataType(.timestampLTZ(3)), "1577934245678"), ("\"aGVsbG8=\"", .bytes, "hello"),
            ("7", .string, "7"), ("2.50", .string, "2.50"), ("true", .string, "true"),
            ("{\"x\": [1, {\"y\": \"z\\\"\"}, {}], \"n\": null}", .string, "{\"x\":[1,{\"y\":\"z\\\"\"},{}],\"n\":null}"),
            ("null", .int, "∅"),
        ]
        for (text, type, expected) in cases { #expect(try rows("{\"a\":\(text)}\n", [Field("a", type)]) == [[expected]], "\(text) \(type)") }
    }

    @Test func nestedTypes() throws {
        let row = DataType(.row([Field("x", .int), Field("y", DataType(.array(.string)))]))
        let map = DataType(.map(key: .string, value: .int))
        let text =
            "{\"r\":{\"y\":[\"a\",null],\"x\":1,\"z\":0},\"m\":{\"k\":1,\"l\":null,\"k\":3},\"l\":[[1],[],null]}\n{\"r\":{},\"m\":{},\"l\":[]}\n{}\n"
        let path = directory.write("in.jsonl", text)
        let batches = try SourceDriver(source(path, [Field("r", row), Field("m", map), Field("l", DataType(.array(DataType(.array(.int)))))]))
            .batches()
        let batch = batches[0]
        #expect(batch.columns[0].scalar(at: 0) == .row([.int64(1), .list([.string("a"), .null])]))
        #expect(batch.columns[0].scalar(at: 1) == .row([.null, .null]))
        #expect(batch.columns[0].scalar(at: 2) == .null)
        #expect(batch.columns[1].scalar(at: 0) == .map(keys: [.string("k"), .string("l")], values: [.int64(1), .null]))
        #expect(batch.columns[2].scalar(at: 0) == .list([.list([.int64(1)]), .list([]), .null]))
        #expect(batch.columns[2].scalar(at: 1) == .list([]))
        let error = try failure("{\"r\":{\"x\":\"q\"}}", [Field("r", row)])
        #expect(error.message.contains("field 'r.x'"), "\(error)")
    }

    @Test func everyTypeRefusesOthers() throws {
        let cases: [(String, DataType)] = [
            ("1.7", .int), ("99999999999", .int), ("128", .tinyInt), ("1e30", .bigInt), ("true", .int), ("\"x\"", .int), ("\"\"", .int),
            ("[1]", .int), ("1e999", .double),
            ("1", .boolean), ("\"yes\"", .boolean), ("123456", DataType(.decimal(precision: 5, scale: 2))), ("18263", .date),
            ("\"2020-13-01\"", .date),
            ("5", .bytes), ("\"a===\"", .bytes), ("{}", DataType(.array(.int))), ("[\"x\"]", DataType(.array(.int))),
            ("[null]", DataType(.array(.int.notNull))),
            ("[]", DataType(.row([Field("x", .int)]))), ("[]", DataType(.map(key: .string, value: .int))), ("null", .int.notNull),
        ]
        for (text, type) in cases {
            let error = try failure("{}\n{\"a\":\(text)}\n".replacingOccurrence(of: type.isNullable ? "" : "{}\n"), [Field("a", type)])
            #expect(error.code == .decode && error.message.contains("field 'a"), "\(text) \(type): \(error)")
            #expect(error.message.contains(type.isNullable ? ":2:1:" : ":1:1:"), "\(error)")
        }
        #expect(try failure("{}\n", [Field("a", .int.notNull)]).message.contains("missing"))
    }

    @Test func badLinesAreRefusedOrCounted() throws {
        let bad = [
            "{\"a\":1} x", "{\"a\":1,}", "{\"a\" 1}", "{\"a\":01}", "{\"a\":\"\\ud800\"}", "{\"a\":tru}", "{\"a\":1", "[1]", "[{\"a\":1}]", "null",
            "1",
            "not json", "{\"a\":\"\u{1}\"}", "{\"a\":NaN}",
            String(repeating: "{\"a\":", count: 100_000) + "1" + String(repeating: "}", count: 100_000),
            "{\"a\":" + String(repeating: "[", count: 300) + String(repeating: "]", count: 300) + "}",
        ]
        for line in bad {
            let error = try failure("{\"a\":1}\n\(line)\n", two)
            #expect(error.code == .decode && error.message.contains("in.jsonl:2:"), "\(line.prefix(50)): \(error)")
            #expect(error.message.utf8.count < 600)
        }
        var bytes = Array((bad.joined(separator: "\n") + "\n{\"a\":5,\"s\":\"ok\"}\n{\"s\":\"x\",\"a\":1.5}\n{\"a\":6}\n").utf8)
        bytes += [0x7B, 0x22, 0x73, 0x22, 0x3A, 0x22, 0xFF, 0x22, 0x7D, 0x0A]
        let path = directory.write("in.jsonl", bytes)
        let driver = try SourceDriver(source(path, two, skips: true))
        #expect(try driver.batches().rows == [["5", "ok"], ["6", "∅"]])
        #expect(Int(driver.metrics.malformedRecords.value) == bad.count + 2)
    }

    /// Python wrote the same rows as CSV and as JSON; both must read alike.
    @Test func csvAndJSONOfPythonAgree() throws {
        let golden = #filePath.split(separator: "/").dropLast().joined(separator: "/")
        let fields = [
            Field("id", .int), Field("big", .bigInt), Field("ratio", .double), Field("price", DataType(.decimal(precision: 18, scale: 4))),
            Field("flag", .boolean), Field("day", .date), Field("moment", DataType(.timestamp(6))), Field("text", .string), Field("more", .string),
        ]
        for chunk in [100, 1 << 20] {
            let json = try SourceDriver(source("/\(golden)/Golden/rows.jsonl", fields, chunk: chunk)).batches().rows
            let csv = try SourceDriver(csvSource("/\(golden)/Golden/rows.csv", fields, options: CSVOptions(hasHeader: true), chunk: chunk)).batches()
                .rows
            #expect(json.count == 400)
            #expect(json == csv)
        }
    }

    @Test(arguments: 0..<10)
    func mutationsNeverTrap(seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed))
        let fields = [
            Field("a", .int), Field("s", .string), Field("d", DataType(.decimal(precision: 10, scale: 2))), Field("b", .bytes),
            Field("t", DataType(.timestamp(3))), Field("m", DataType(.map(key: .int, value: .string))),
            Field("r", DataType(.row([Field("x", .boolean), Field("y", DataType(.array(.double)))]))),
        ]
        let line =
            "{\"a\":-12,\"s\":\"x\\u00e9\\\"y\",\"d\":1.25,\"b\":\"aGVsbG8=\",\"t\":\"2020-01-02 03:04:05\",\"m\":{\"1\":\"a\",\"2\":null},\"r\":{\"x\":true,\"y\":[1,2.5e3]}}\n"
        let base = Array(String(repeating: line, count: 4).utf8)
        for _ in 0..<60 {
            var text = base
            for _ in 0..<random.next(below: 8) + 1 {
                let place = Int(random.next(below: UInt64(text.count)))
                switch random.next(below: 4) {
                case 0: text[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: text.remove(at: place)
                case 2: text.insert(Array("{}[],:\"\\019".utf8)[Int(random.next(below: 11))], at: place)
                default: text.replaceSubrange(place..<place, with: base.prefix(Int(random.next(below: 60))))
                }
            }
            let path = directory.write("in.jsonl", text)
            let batches = try SourceDriver(source(path, fields, skips: true, chunk: Int(random.next(below: 300)) + 1)).batches()
            for batch in batches { #expect(batch.columns.allSatisfy { $0.count == batch.physicalCount }) }
        }
    }
}

extension String {
    /// Without the first occurrence of a text.
    func replacingOccurrence(of text: String) -> String {
        guard !text.isEmpty, let range = firstRange(of: text) else { return self }
        return String(self[..<range.lowerBound] + self[range.upperBound...])
    }
}
