import Columnar
import Connectors
import Dataflow
import Plan
import Testing

/// JSON, CSV and raw as Flink 2.3 reads and writes them in SQL; the expected texts are Flink's own unless a comment says otherwise.
@Suite struct TableFormatTests {
    let directory = TemporaryDirectory()

    func read(
        _ text: String, _ format: FileSourceDescription.Format, _ fields: [Field], malformed: FileSourceDescription.Malformed = .fail
    ) throws -> [String] {
        try SourceDriver(tableSource(directory.write("in", text), format, fields, malformed: malformed)).batches().rows.map { $0.joined(separator: "|") }
    }

    /// The rows, or what is wrong.
    func outcome(_ text: String, _ format: FileSourceDescription.Format, _ fields: [Field], ignoring: Bool = false) throws -> String {
        do { return try read(text, format, fields, malformed: ignoring ? .ignore : .fail).joined(separator: "; ") } catch let error as MillstreamError {
            #expect(error.code == .decode && error.message.contains("/in:"), "\(error)")
            return "error"
        }
    }

    func column(_ type: DataType, _ values: [Scalar]) throws -> Column {
        let builder = try ColumnBuilder.make(for: type)
        for value in values { try builder.append(value) }
        return builder.finish()
    }

    func write(_ columns: [(DataType, [Scalar])], _ format: FileSinkDescription.Format) throws -> String {
        let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"]
        let schema = Schema(columns.enumerated().map { Field(letters[$0.offset], $0.element.0) })
        var made: [Column] = []
        for (type, values) in columns { made.append(try column(type, values)) }
        let storage = SimulatedStorage()
        let environment = ConnectorEnvironment(clock: SimulatedClock(), storage: storage)
        let sink = try FileSink(FileSinkDescription(directory: "/out", format: format), schema: schema, environment: environment, commitsAtCheckpoints: false)
        let writer = try sink.makeWriter(operatorContext())
        #expect(try writer.write(Batch(schema: schema, columns: made, count: columns[0].1.count), notify: {}))
        _ = try sink.makeCommitter()!.commit(try writer.prepareCommit(endOfInput: true))
        return String(decoding: try storage.read("/out/part-0-0"), as: UTF8.self)
    }

    @Test func jsonValues() throws {
        let decimal = DataType(.decimal(precision: 5, scale: 2))
        // Type, JSON, what comes, what comes where errors are ignored.
        let cases: [(DataType, String, String, String)] = [
            // Flink cuts 1.7 to 1 and takes any text but "true" for FALSE; here both are refused.
            (.int, "1.7", "error", "∅"), (.boolean, "\"yes\"", "error", "∅"), (.boolean, "1", "error", "∅"),
            // Flink gives NULL for decimals out of range, infinity for numbers out of range.
            (decimal, "12345.6", "error", "∅"), (.double, "1e400", "error", "∅"),
            (.int, "\"1.7\"", "error", "∅"), (.int, "7.0", "7", "7"), (.int, "true", "error", "∅"), (.int, "\"x\"", "error", "∅"), (.int, "\"\"", "error", "∅"),
            (.int, "99999999999", "error", "∅"), (.tinyInt, "300", "error", "∅"), (.tinyInt, "\"300\"", "error", "∅"), (.bigInt, "1e3", "1000", "1000"),
            (.string, "1.50", "1.50", "1.50"), (.string, "{\"a\": 1}", "{\"a\":1}", "{\"a\":1}"), (.string, "[1, 2]", "[1,2]", "[1,2]"),
            (decimal, "1.005", "101", "101"), (DataType(.timestamp(3)), "\"2020-01-02T03:04:05\"", "error", "∅"),
            (DataType(.timestamp(3)), "\"2020-01-02 03:04\"", "error", "∅"),
            (DataType(.timestamp(3)), "\"2020-01-02 03:04:05.123456\"", "1577934245123", "1577934245123"),
            (DataType(.timestampLTZ(3)), "\"2020-01-02 03:04:05\"", "error", "∅"),
            (DataType(.timestampLTZ(3)), "\"2020-01-02 03:04:05+01:00\"", "error", "∅"),
            (DataType(.timestampLTZ(3)), "\"2020-01-02 03:04:05Z\"", "1577934245000", "1577934245000"), (.date, "\"2020-1-2\"", "error", "∅"),
            (DataType(.time(3)), "\"03:04:05.678\"", "11045678", "11045678"), (DataType(.time(3)), "\"03:04\"", "error", "∅"),
            (.bytes, "\"aGVsbG8=\"", "hello", "hello"), (.float, "\"NaN\"", "nan", "nan"),
            (DataType(.multiset(.string)), "{\"a\":2}", "map(keys: [Columnar.Scalar.bytes([97])], values: [Columnar.Scalar.int64(2)])", ""),
            (DataType(.array(.int)), "[1,\"x\"]", "error", "[int64(1),null]"), (DataType(.array(.int)), "5", "error", "∅"),
            (DataType(.row([Field("x", .int)])), "{\"x\":\"q\"}", "error", "row([Columnar.Scalar.null])"),
            (DataType(.row([Field("x", .int)])), "[]", "error", "∅"),
            (DataType(.intervalDayTime(6)), "5000", "5000000", "5000000"), (DataType(.intervalYearMonth), "5", "5", "5"),
        ]
        for (type, text, expected, ignored) in cases {
            let line = "{\"v\":\(text)}\n"
            #expect(try outcome(line, .json(.table), [Field("v", type)]) == expected, "\(text) as \(type)")
            if !ignored.isEmpty { #expect(try outcome(line, .json(.table), [Field("v", type)], ignoring: true) == ignored, "\(text) as \(type)") }
        }
    }

    @Test func jsonOptions() throws {
        var iso = JSONOptions.table
        iso.timestamps = .iso8601
        let times = [Field("v", DataType(.timestamp(3))), Field("w", DataType(.timestampLTZ(3)))]
        #expect(try outcome("{\"v\":\"2020-01-02T03:04:05.1\",\"w\":\"2020-01-02T03:04:05Z\"}", .json(iso), times) == "1577934245100|1577934245000")
        #expect(try outcome("{\"v\":\"2020-01-02 03:04:05.1\"}", .json(iso), times) == "error")
        var all = JSONOptions.table
        all.failsOnMissingField = true
        #expect(try outcome("{\"v\":null}", .json(all), times) == "error")
        #expect(try outcome("{\"v\":null,\"w\":null}", .json(all), times) == "∅|∅")
        #expect(try outcome("{\"r\":{}}", .json(all), [Field("r", DataType(.row([Field("x", .int)])))]) == "error")
    }

    @Test func dirtyFilesOfTheCorpus() throws {
        let fields = [Field("a", .int), Field("b", .int), Field("s", .string)]
        let csv = try SourceDriver(tableSource(goldenTable("dirty.csv"), .csv(.table), fields, malformed: .ignore))
        #expect(try csv.batches().rows == [["1", "10", "ok"], ["2", "∅", "bad int"], ["3", "30", "∅"], ["5", "∅", "empty"], ["6", "60", "last"]])
        #expect(throws: MillstreamError.self) { try SourceDriver(tableSource(goldenTable("dirty.csv"), .csv(.table), fields)).batches() }
        let json = try SourceDriver(tableSource(goldenTable("dirty.jsonl"), .json(.table), [Field("id", .int), Field("v", .int)], malformed: .ignore))
        #expect(try json.batches().rows == [["1", "10"], ["2", "∅"], ["4", "∅"], ["5", "50"], ["6", "60"], ["∅", "∅"]])
        let raw = try SourceDriver(tableSource(goldenTable("dirty.csv"), .raw(RawOptions()), [Field("line", .string)]))
        #expect(try raw.batches().rows == [["1,10,ok"], ["2,abc,bad int"], ["3,30"], ["4,40,ok,extra"], ["5,,empty"], ["6,60,last"]])
    }

    @Test func numbersOfTheCorpus() throws {
        let fields = [
            Field("id", .int), Field("ti", .tinyInt), Field("si", .smallInt), Field("i", .int), Field("bi", .bigInt), Field("f", .float), Field("d", .double),
            Field("dec", DataType(.decimal(precision: 18, scale: 4))), Field("dec38", DataType(.decimal(precision: 38, scale: 10))), Field("b", .boolean),
            Field("dt", .date), Field("tm", DataType(.time(0))), Field("t3", DataType(.timestamp(3))), Field("t6", DataType(.timestamp(6))),
            Field("s", .string), Field("bin", .bytes),
        ]
        let batches = try SourceDriver(tableSource(goldenTable("nums.jsonl"), .json(.table), fields)).batches()
        #expect(batches.rows.count > 2)
        #expect(batches.rows[1][4] == "\(Int64.min)" && batches.rows[1][7] == "-999999999999999999")
    }

    @Test func csvRows() throws {
        let fields = [Field("a", .int), Field("b", .int), Field("s", .string)]
        let cases: [(String, String, (inout CSVOptions) -> Void)] = [
            ("5,,x", "error", { _ in }), ("3,30", "error", { _ in }), ("4,40,ok,extra", "error", { _ in }), ("4,40,ok,", "4|40|ok", { _ in }),
            ("4,40,ok,,", "error", { _ in }), (" 4 , 40 , ok ", "4|40| ok ", { _ in }), ("4,40.0,x", "error", { _ in }), ("4,+40,x", "4|40|x", { _ in }),
            ("1,2,\"a\"\"b\"", "1|2|a\"b", { _ in }), ("1,2,a\"b", "1|2|a\"b", { _ in }), ("1,2,\"a\"b", "error", { _ in }),
            ("4,40,ok,extra", "4|40|ok", { $0.allowsExtraFields = true }), ("4,40,ok,", "error", { $0.allowsTrailingDelimiter = false }),
            ("4,40,\"ok\",\n5,50,\"x\"", "4|40|ok; 5|50|x", { _ in }),
            ("5,,", "5|∅|∅", { $0.emptyTextIsNull = true }), (" 5 , 6 , x y ", "5|6|x y", { $0.trimsSpaces = true }),
            ("#c\n5,6,x", "5|6|x", { $0.comment = UInt8(ascii: "#") }), ("5,6,\"NULL\"\n7,8,NULL", "5|6|∅; 7|8|∅", { $0.nullLiteral = "NULL" }),
            ("5,6,\n7,8,\"\"", "5|6|∅; 7|8|∅", { $0.nullLiteral = "" }), ("5,6,\"x\"", "5|6|\"x\"", { $0.quote = nil }),
            (
                "5;6;'x;y'", "5|6|x;y",
                {
                    $0.delimiter = UInt8(ascii: ";")
                    $0.quote = UInt8(ascii: "'")
                }
            ), ("5,6,x\\,y", "5|6|x,y", { $0.escape = UInt8(ascii: "\\") }),
        ]
        for (text, expected, change) in cases {
            var options = CSVOptions.table
            change(&options)
            #expect(try outcome(text + "\n", .csv(options), fields) == expected, "\(text)")
        }
        // With a projection, and with errors ignored.
        #expect(try outcome("x,1,a\n2,y,b\n3,4,c,d\n5\n", .csv(.table), fields, ignoring: true) == "∅|1|a; 2|∅|b; 5|∅|∅")
        let path = directory.write("p", "x,1,a\n2,y,b\n")
        let driver = try SourceDriver(tableSource(path, .csv(.table), fields, malformed: .ignore) { $0.projection = [2, 1] })
        #expect(try driver.batches().rows == [["a", "1"], ["b", "∅"]])
        #expect(driver.metrics.malformedRecords.value == 1)
    }

    @Test func csvValues() throws {
        let stamp = DataType(.timestamp(3))
        let instant = DataType(.timestampLTZ(3))
        let list = DataType(.array(.int))
        let cases: [(DataType, String, String)] = [
            (stamp, "2020-01-02 03:04:05", "1577934245000"), (stamp, "2020-01-02T03:04:05", "error"), (stamp, "2020-01-02 03:04", "error"),
            (stamp, "2020-01-02 03:04:05.123456", "1577934245123"), (stamp, "2020-01-02", "error"), (instant, "2020-01-02 03:04:05Z", "1577934245000"),
            (instant, "2020-01-02T03:04:05Z", "error"), (instant, "2020-01-02 03:04:05", "error"), (DataType(.time(3)), "03:04:05.678", "11045678"),
            (DataType(.time(0)), "03:04", "11040"), (.bytes, "aGVsbG8=", "hello"), (list, "1;2;3", "[int64(1),int64(2),int64(3)]"), (list, "", "[]"),
            (list, "1;;3", "error"), (DataType(.row([Field("x", .string), Field("y", .int)])), "a;1", "row([Columnar.Scalar.bytes([97]), Columnar.Scalar.int64(1)])"),
            (DataType(.decimal(precision: 5, scale: 2)), "1.005", "101"),
        ]
        for (type, text, expected) in cases {
            #expect(try outcome(text + ",q\n", .csv(.table), [Field("a", type), Field("b", .string)]) == expected + (expected == "error" ? "" : "|q"), "\(text) as \(type)")
        }
        #expect(throws: MillstreamError.self) { try read("a,b\n", .csv(.table), [Field("m", DataType(.map(key: .string, value: .int))), Field("b", .string)]) }
        var bar = CSVOptions.table
        bar.elementDelimiter = "|"
        #expect(try outcome("1|2,a\n", .csv(bar), [Field("a", list), Field("b", .string)]) == "[int64(1),int64(2)]|a")
    }

    @Test func decimalsAsTheyAreWritten() throws {
        let (cents, tiny, whole) = (DataType(.decimal(precision: 10, scale: 2)), DataType(.decimal(precision: 20, scale: 10)), DataType(.decimal(precision: 10, scale: 0)))
        let row: [(DataType, [Scalar])] = [
            (cents, [.decimal(10_000)]), (cents, [.decimal(150)]), (cents, [.decimal(0)]), (tiny, [.decimal(1)]), (whole, [.decimal(120_000)]),
            (cents, [.decimal(-12_345)]),
        ]
        #expect(try write(row, .json(.table)) == "{\"a\":1E+2,\"b\":1.5,\"c\":0,\"d\":1E-10,\"e\":1.2E+5,\"f\":-123.45}\n")
        var plain = JSONOptions.table
        plain.decimals = .fullScale
        #expect(try write(row, .json(plain)) == "{\"a\":100.00,\"b\":1.50,\"c\":0.00,\"d\":0.0000000001,\"e\":120000,\"f\":-123.45}\n")
        #expect(try write(row, .csv(.table)) == "1E+2,1.5,0,1E-10,1.2E+5,-123.45\n")
    }

    @Test func quotesAsJacksonSetsThem() throws {
        func texts(_ values: [String?]) -> (DataType, [Scalar]) { (.string, values.map { $0.map { .string($0) } ?? .null }) }
        let rows = [
            texts(["hello world", "abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvw x", "a-b", "日本", "abcdefghijklmnopqrstuvwx"]),
            texts(["a", "q\"x", "NULL", "+1", "a;b", "a\\b"]), texts([nil, "", "a,b", "#c", "line\nfeed", "'"]),
        ]
        let expected =
            "\"hello world\",a,\n\"abcdefghijklmnopqrstuvwxyz\",\"q\"\"x\",\n\"abcdefghijklmnopqrstuvw x\",NULL,\"a,b\"\na-b,\"+1\",\"#c\"\n日本,a;b,\"line\nfeed\"\nabcdefghijklmnopqrstuvwx,\"a\\b\",\"'\"\n"
        #expect(try write(rows, .csv(.table)) == expected)
        var literal = CSVOptions.table
        literal.nullLiteral = "NULL"
        #expect(try write(rows, .csv(literal)) == expected.replacing("\"hello world\",a,\n", with: "\"hello world\",a,NULL\n"))
        var bar = CSVOptions.table
        bar.delimiter = UInt8(ascii: "|")
        let bars =
            "\"hello world\"|\"a\"|\n\"abcdefghijklmnopqrstuvwxyz\"|\"q\"\"x\"|\n\"abcdefghijklmnopqrstuvw x\"|\"NULL\"|\"a,b\"\n\"a-b\"|\"+1\"|\"#c\"\n日本|\"a;b\"|\"line\nfeed\"\n\"abcdefghijklmnopqrstuvwx\"|\"a\\b\"|\"'\"\n"
        #expect(try write(rows, .csv(bar)) == bars)
        var escaped = CSVOptions.table
        escaped.escape = UInt8(ascii: "\\")
        #expect(try write(rows, .csv(escaped)) == expected.replacing("a\\b", with: "a\\\\b"))
        var quote = CSVOptions.table
        quote.quote = UInt8(ascii: "'")
        let single = "'hello world',a,\n'abcdefghijklmnopqrstuvwxyz','q\"x',\n'abcdefghijklmnopqrstuvw x',NULL,'a,b'\na-b,'+1','#c'\n日本,a;b,'line\nfeed'\nabcdefghijklmnopqrstuvwx,'a\\b',''''\n"
        #expect(try write(rows, .csv(quote)) == single)
    }

    @Test func everyTypeAsFlinkWritesIt() throws {
        let row: [(DataType, [Scalar])] = [
            (DataType(.timestamp(3)), [.int64(1_709_168_523_100)]), (DataType(.timestamp(3)), [.int64(1_709_164_800_000)]), (.date, [.int64(19_782)]),
            (DataType(.time(0)), [.int64(3_723)]), (DataType(.timestampLTZ(3)), [.int64(1_709_168_523_004)]), (.bytes, [.bytes([0x0A, 0xFF])]),
            (.boolean, [.boolean(true)]), (.double, [.double(1e20)]), (.float, [.double(1.5)]),
            (DataType(.array(.string)), [.list([.string("a"), .null, .string("b c")])]),
            (DataType(.row([Field("x", .int), Field("y", .string)])), [.row([.int64(1), .string("x")])]), (.bigInt, [.int64(7)]),
        ]
        let csv = "\"2024-02-29 01:02:03.1\",\"2024-02-29 00:00:00\",2024-02-29,01:02:03,\"2024-02-29 01:02:03.004Z\",Cv8=,true,1.0E20,1.5,\"a;;b c\",1;x,7\n"
        #expect(try write(row, .csv(.table)) == csv)
        var literal = CSVOptions.table
        literal.nullLiteral = "n/a"
        #expect(try write(row, .csv(literal)) == csv.replacing("a;;b", with: "a;n/a;b"))
        let json =
            "{\"a\":\"2024-02-29 01:02:03.1\",\"b\":\"2024-02-29 00:00:00\",\"c\":\"2024-02-29\",\"d\":\"01:02:03\",\"e\":\"2024-02-29 01:02:03.004Z\",\"f\":\"Cv8=\",\"g\":true,\"h\":1.0E20,\"i\":1.5,\"j\":[\"a\",null,\"b c\"],\"k\":{\"x\":1,\"y\":\"x\"},\"l\":7}\n"
        #expect(try write(row, .json(.table)) == json)
        var iso = JSONOptions.table
        iso.timestamps = .iso8601
        #expect(
            try write(row, .json(iso))
                == json.replacing("29 01:02:03.1", with: "29T01:02:03.1").replacing("29 00:00", with: "29T00:00").replacing("29 01:02:03.004", with: "29T01:02:03.004"))
        #expect(throws: MillstreamError.self) { try write([(DataType(.map(key: .string, value: .int)), [.null])], .csv(.table)) }
    }

    /// Each of these lines was printed by Flink.
    @Test func rowsAsSQLPrintsThem() throws {
        let output = RecordedOutput()
        let types: [(DataType, Scalar)] = [
            (DataType(.decimal(precision: 10, scale: 2)), .decimal(10_000)), (DataType(.decimal(precision: 20, scale: 10)), .decimal(0)),
            (DataType(.timestamp(6)), .int64(1_709_168_523_100_200)), (DataType(.timestamp(9)), .int64(1_709_168_520_000_000_000)),
            (DataType(.array(DataType(.row([Field("x", .int), Field("y", DataType(.decimal(precision: 5, scale: 2)))])))), .list([.row([.int64(1), .decimal(100)])])),
            (DataType(.multiset(.string)), .map(keys: [.string("a"), .string("b")], values: [.int64(2), .int64(1)])),
        ]
        let schema = Schema(types.map { Field("f", $0.0) }, shape: .tuple)
        var columns: [Column] = []
        for (type, value) in types { columns.append(try column(type, [value])) }
        var batch = Batch(schema: schema, columns: columns, count: 1)
        func print(prefix: String?, subtask: Int = 0, parallelism: Int = 1) throws {
            let environment = ConnectorEnvironment(clock: SimulatedClock(), storage: SimulatedStorage(), standardError: output)
            let sink = try SinkFactory.make(SinkDescription(.printTable(prefix: prefix, standardError: true)), input: schema, environment: environment)
            _ = try sink.makeWriter(operatorContext(subtask: subtask, parallelism: parallelism)).write(batch, notify: {})
        }
        try print(prefix: "P")
        let row = "[100.00, 0E-10, 2024-02-29T01:02:03.100200, 2024-02-29T01:02, [+I[1, 1.00]], {a=2, b=1}]\n"
        #expect(output.text == "P> +I" + row)
        batch.rowKinds = try column(.tinyInt, [.int64(1)])
        try print(prefix: "P", subtask: 1, parallelism: 2)
        try print(prefix: nil)
        #expect(output.text == "P> +I" + row + "P:2> -U" + row + "-U" + row)
        let more: [(DataType, Scalar, String)] = [
            (DataType(.intervalYearMonth), .int64(27), "P2Y3M"), (DataType(.intervalYearMonth), .int64(0), "P0D"),
            (DataType(.intervalDayTime(3)), .int64(93_784_005), "PT26H3M4.005S"), (DataType(.intervalDayTime(3)), .int64(-1_500), "PT-1.5S"),
            (DataType(.intervalDayTime(3)), .int64(-500), "PT-0.5S"), (DataType(.intervalDayTime(3)), .int64(0), "PT0S"),
            (DataType(.time(0)), .int64(3_660), "01:01"), (DataType(.time(3)), .int64(3_660_500), "01:01:00.500"),
            (DataType(.timestampLTZ(3)), .int64(1_709_168_523_004), "2024-02-29T01:02:03.004Z"), (DataType(.decimal(precision: 9, scale: 8)), .decimal(-123), "-0.00000123"),
            (DataType(.decimal(precision: 9, scale: 9)), .decimal(-123), "-1.23E-7"), (.bytes, .bytes([1, 255]), "[1, -1]"), (.string, .null, "null"),
        ]
        for (type, value, text) in more {
            let recorded = RecordedOutput()
            let one = Schema([Field("f", type)])
            let writer = try PrintSink(prefix: nil, schema: one, output: recorded, isTable: true).makeWriter(operatorContext())
            _ = try writer.write(Batch(schema: one, columns: [column(type, [value])], count: 1), notify: {})
            #expect(recorded.text == "+I[\(text)]\n", "\(type)")
        }
    }

    @Test func mapsAndNulls() throws {
        let map = DataType(.map(key: .string, value: .int))
        var short = JSONOptions.table
        short.omitsNullFields = true
        let row = DataType(.row([Field("x", .int), Field("y", .int)]))
        #expect(
            try write([(map, [.map(keys: [.string("a"), .string("b")], values: [.int64(1), .null])]), (.int, [.null]), (row, [.row([.null, .int64(2)])])], .json(short))
                == "{\"a\":{\"a\":1,\"b\":null},\"c\":{\"y\":2}}\n")
    }

    @Test func rawValues() throws {
        var little = RawOptions()
        little.isBigEndian = false
        #expect(try write([(.int, [.int64(258)])], .raw(little)) == "\u{2}\u{1}\0\0\n")
        #expect(try write([(.string, [.string("x"), .null, .string("y z")])], .raw(RawOptions())) == "x\n\ny z\n")
        #expect(try read("a\r\n\nb", .raw(RawOptions()), [Field("a", .string)]) == ["a", "", "b"])
        #expect(try read("\0\0\u{1}\u{2}\n", .raw(RawOptions()), [Field("a", .int)]) == ["258"])
        #expect(try outcome("\0\u{1}\u{2}\n", .raw(RawOptions()), [Field("a", .int)]) == "error")
        #expect(try outcome("\0\u{1}\u{2}\n", .raw(RawOptions()), [Field("a", .int)], ignoring: true) == "∅")
        #expect(try read("\u{1}\n", .raw(RawOptions()), [Field("a", .boolean)]) == ["true"])
        var latin = RawOptions()
        latin.charset = .latin1
        let path = directory.write("latin", [0x63, 0x61, 0x66, 0xE9, 0x0A])
        #expect(try SourceDriver(tableSource(path, .raw(latin), [Field("a", .string)])).batches().rows == [["café"]])
        #expect(throws: MillstreamError.self) { try SourceDriver(tableSource(path, .raw(RawOptions()), [Field("a", .string)])).batches() }
        #expect(throws: MillstreamError.self) { try write([(.string, [.string("日")])], .raw(latin)) }
        #expect(throws: MillstreamError.self) { try tableSource(path, .raw(RawOptions()), [Field("a", .date)]) }
        #expect(throws: MillstreamError.self) { try tableSource(path, .raw(RawOptions()), [Field("a", .int), Field("b", .int)]) }
    }

    /// Whatever the bytes are: no trap, whole columns, and errors with a place.
    @Test(arguments: 0..<12) func mutationsNeverTrap(seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed))
        let list = DataType(.array(.int))
        let row = DataType(.row([Field("x", .string), Field("y", DataType(.decimal(precision: 5, scale: 2)))]))
        let fields = [Field("a", .int), Field("s", .string), Field("l", list), Field("r", row), Field("t", DataType(.timestamp(3))), Field("b", .boolean)]
        var csv = CSVOptions.table
        csv.trimsSpaces = seed % 2 == 0
        csv.escape = seed % 3 == 0 ? UInt8(ascii: "\\") : nil
        csv.nullLiteral = seed % 4 == 0 ? "" : "NULL"
        csv.comment = UInt8(ascii: "#")
        var utf16 = RawOptions()
        utf16.charset = .utf16LittleEndian
        let formats: [(FileSourceDescription.Format, [Field], String)] = [
            (.csv(csv), fields, "1,\"x;y\",1;2;NULL,a;1.25,2020-01-02 03:04:05.5,true,\n 2 ,NULL,,,NULL,FALSE\n#c\n"),
            (
                .json(.table), fields,
                "{\"a\":1,\"s\":{\"q\":[1]},\"l\":[1,null,\"2\"],\"r\":{\"x\":\"y\",\"y\":1.5},\"t\":\"2020-01-02 03:04:05.5\",\"b\":true}\n"
            ), (.raw(utf16), [Field("a", .string)], "a\0b\0\n"), (.raw(RawOptions()), [Field("a", .bigInt)], "12345678\n"),
        ]
        for (format, fields, line) in formats {
            let base = Array(String(repeating: line, count: 4).utf8)
            for round in 0..<24 {
                var text = base
                for _ in 0..<random.next(below: 10) + 1 {
                    let place = Int(random.next(below: UInt64(max(1, text.count))))
                    switch random.next(below: 4) {
                    case 0 where !text.isEmpty: text[place] = UInt8(truncatingIfNeeded: random.next())
                    case 1 where !text.isEmpty: text.remove(at: place)
                    case 2: text.insert(Array(",;\"\\\n\r:{}[]0 #N".utf8)[Int(random.next(below: 14))], at: min(place, text.count))
                    default: text.insert(contentsOf: base.prefix(Int(random.next(below: 60))), at: min(place, text.count))
                    }
                }
                let malformed: [FileSourceDescription.Malformed] = [.ignore, .skip, .deadLetter, .fail]
                let path = directory.write("fuzz", text)
                do throws(MillstreamError) {
                    let source = try tableSource(path, format, fields, malformed: malformed[round % 4], chunk: Int(random.next(below: 200)) + 1)
                    for batch in try SourceDriver(source).batches() { #expect(batch.columns.allSatisfy { $0.count == batch.physicalCount }) }
                } catch {
                    #expect(malformed[round % 4] == .fail && error.code == .decode && error.message.contains("/fuzz:"), "\(error)")
                }
            }
        }
    }
}
