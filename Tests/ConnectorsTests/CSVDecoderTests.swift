import Columnar
import Connectors
import Dataflow
import Plan
import Testing

func csvSource(
    _ path: String, _ fields: [Field], options: CSVOptions = CSVOptions(), projection: [Int]? = nil, skips: Bool = false, chunk: Int = 1 << 20
) throws(MillstreamError) -> FileSource {
    var description = FileSourceDescription(paths: [path], format: .csv(options), fileSchema: Schema(fields))
    description.projection = projection
    description.malformed = skips ? .skip : .fail
    var limits = FileReadLimits()
    limits.chunkByteCount = chunk
    let schema = Schema(projection.map { $0.map { fields[$0] } } ?? fields)
    return try FileSource(description, schema: schema, clock: SimulatedClock(), limits: limits)
}

@Suite struct CSVDecoderTests {
    let directory = TemporaryDirectory()

    func rows(
        _ text: String, _ fields: [Field], options: CSVOptions = CSVOptions(), projection: [Int]? = nil, skips: Bool = false,
        chunk: Int = 1 << 20
    ) throws -> [[String]] {
        let path = directory.write("in.csv", text)
        return try SourceDriver(csvSource(path, fields, options: options, projection: projection, skips: skips, chunk: chunk)).batches().rows
    }

    /// The error, and the rows that came before it.
    func failure(_ text: String, _ fields: [Field], options: CSVOptions = CSVOptions()) throws -> (MillstreamError, [[String]]) {
        let path = directory.write("in.csv", text)
        let driver = try SourceDriver(csvSource(path, fields, options: options))
        var batches: [Batch] = []
        do throws(MillstreamError) {
            while true {
                switch try driver.step() {
                case .batch(let batch, _): batches.append(batch)
                case .end: throw MillstreamError.internal("no error came")
                default: break
                }
            }
        } catch { return (error, batches.rows) }
    }

    let three = [Field("a", .int), Field("b", .double), Field("s", .string)]

    @Test func typicalRows() throws {
        let text = "1,2.5,x\r\n-7,1e3,\"a, \"\"b\"\"\nc\"\n,,\n+3, 4 ,longer than twelve bytes\n"
        let expected = [
            ["1", "2.5", "x"], ["-7", "1000.0", "a, \"b\"\nc"], ["∅", "∅", ""], ["3", "4.0", "longer than twelve bytes"],
        ]
        for chunk in [1, 2, 3, 7, 64, 1 << 20] { #expect(try rows(text, three, chunk: chunk) == expected) }
        #expect(try rows(text, three, projection: [2, 0]) == expected.map { [$0[2], $0[0]] })
        #expect(try rows("", three) == [])
        #expect(try rows("\u{FEFF}1,2,x", three) == [["1", "2.0", "x"]])
        #expect(try rows("1,2,x\r3,4,y\r", three) == [["1", "2.0", "x"], ["3", "4.0", "y"]])
    }

    @Test func everyType() throws {
        let types: [(String, DataType, String)] = [
            ("true", .boolean, "true"), (" FALSE ", .boolean, "false"), ("-128", .tinyInt, "-128"), ("32767", .smallInt, "32767"),
            ("-2147483648", .int, "-2147483648"), ("9223372036854775807", .bigInt, "9223372036854775807"),
            ("-9223372036854775808", .bigInt, "-9223372036854775808"), ("0.1", .float, "\(Double(Float(0.1)))"), ("1e-320", .double, "1e-320"),
            ("-0", .double, "-0.0"), ("NaN", .double, "nan"), ("-Infinity", .double, "-inf"),
            ("123456789012345678", .double, "1.2345678901234568e+17"),
            ("1.005", DataType(.decimal(precision: 5, scale: 2)), "101"),
            ("-12345678901234567890.123456789012345678", DataType(.decimal(precision: 38, scale: 18)), "-12345678901234567890123456789012345678"),
            ("1e2", DataType(.decimal(precision: 5, scale: 2)), "10000"), ("1e-9223372036854775808", DataType(.decimal(precision: 5, scale: 2)), "0"),
            ("0e9999999", DataType(.decimal(precision: 5, scale: 2)), "0"),
            ("99999999999999999999999999999999999999.4", DataType(.decimal(precision: 38, scale: 0)), "99999999999999999999999999999999999999"),
            ("0.00000000000000000000000000000000000000009", DataType(.decimal(precision: 5, scale: 2)), "0"), ("aGVsbG8=", .bytes, "hello"),
            ("2020-02-29", .date, "18321"),
            ("0001-01-01", .date, "-719162"), ("23:59:59", DataType(.time(0)), "86399"), ("00:00:01.5", DataType(.time(3)), "1500"),
            ("00:00:00.123456789", DataType(.time(9)), "123456789"), ("2020-01-02 03:04:05", DataType(.timestamp(3)), "1577934245000"),
            ("2020-01-02T03:04:05.678999", DataType(.timestamp(3)), "1577934245678"), ("1969-12-31 23:59:59.5", DataType(.timestamp(3)), "-500"),
            ("2020-01-02 03:04:05Z", DataType(.timestampLTZ(3)), "1577934245000"),
            ("2020-01-02T03:04:05+02:00", DataType(.timestampLTZ(6)), "1577927045000000"), ("x", DataType(.char(1)), "x"),
        ]
        for (text, type, expected) in types { #expect(try rows(text + "\n", [Field("v", type)]) == [[expected]], "\(type) \(text)") }
    }

    @Test func everyTypeRefusesOthers() throws {
        let texts: [(String, DataType)] = [
            ("yes", .boolean), ("1", .boolean), ("128", .tinyInt), ("-32769", .smallInt), ("2147483648", .int), ("9223372036854775808", .bigInt),
            ("1.5", .int), ("1e3", .int), ("0x1", .int), ("--1", .int), ("1 2", .int), ("-", .int), ("12345678901234567890123", .bigInt),
            ("1e999", .double), ("1,5", .double), ("abc", .double), ("1.2.3", .double), (".", .double), ("1e", .double),
            ("1000", DataType(.decimal(precision: 5, scale: 2))), ("1e9223372036854775807", DataType(.decimal(precision: 5, scale: 2))),
            ("1e99999999999999999999", DataType(.decimal(precision: 5, scale: 2))),
            ("x", DataType(.decimal(precision: 5, scale: 2))), ("a===", .bytes), ("2021-02-29", .date), ("2020-1-2", .date), ("2020-13-01", .date),
            ("24:00:00", DataType(.time(0))), ("10:60", DataType(.time(0))), ("2020-01-02", DataType(.timestamp(3))),
            ("2020-01-02 03:04:05Z", DataType(.timestamp(3))), ("2020-01-02 03:04:05.", DataType(.timestamp(3))),
            ("2020-01-02 03:04:05+99:00", DataType(.timestampLTZ(3))), ("9999-01-01 00:00:00", DataType(.timestamp(9))),
        ]
        for (text, type) in texts {
            let quoted = "\"\(text)\"\n"
            let (error, _) = try failure("\n" + quoted, [Field("v", type.notNull)])
            #expect(error.code == .decode, "\(type) \(text)")
            let (second, before) = try failure(quoted, [Field("v", type)])
            #expect(second.code == .decode && second.message.contains(":1:") && second.message.contains("'v'"), "\(second)")
            #expect(before == [])
        }
    }

    @Test func oneBadLineNamesItsPlaceAfterTheRowsBeforeIt() throws {
        let (error, before) = try failure("1,2,x\n2,\"3\",\"two\nlines\"\n3,4x\u{7}5,y\n4,5,z\n", three)
        #expect(before == [["1", "2.0", "x"], ["2", "3.0", "two\nlines"]])
        #expect(error.message.hasSuffix("/in.csv:4:3: field 'b': '4x\\u{7}5' is not a value of type DOUBLE"), "\(error)")
        let (range, _) = try failure("1,2,x\r\n99999999999,2,y\r\n", three)
        #expect(range.message.hasSuffix("in.csv:2:1: field 'a': '99999999999' is out of range for INT"), "\(range)")
        let long = String(repeating: "x", count: 1_000)
        let (cut, _) = try failure("\(long),2,x\n", three)
        #expect(cut.message.contains("(1000 bytes)") && cut.message.utf8.count < 400)
    }

    @Test func raggedRows() throws {
        for (text, count) in [("1,2\n", "2 of 3 fields: '1,2'"), ("1\n", "1 of 3 fields: '1'"), ("1,2,x,y\n", "4 fields, expected 3: '1,2,x,y'")] {
            let (error, _) = try failure("0,0,a\n" + text, three)
            #expect(error.message.contains(":2:1: the row has \(count)"), "\(error)")
        }
        var options = CSVOptions()
        options.allowsRaggedRows = true
        #expect(try rows("1\n2,3\n4,5,x,y\n", three, options: options) == [["1", "∅", "∅"], ["2", "3.0", "∅"], ["4", "5.0", "x"]])
    }

    @Test(arguments: [
        ("id,delay,name\n1,2,x\n", true), ("\"id\",delay,name\n", true), ("1,délai,name\n", true), ("id,delay\n1,2\n", true), (" id,delay,name\n", true),
        ("\u{FEFF}id,delay,name\n", true), ("1,2,x\nid,delay,name\n", false), ("1.5,2,x\n", false), ("-,2,x\n", false), ("1,2\n", false),
    ])
    func aFirstLineOfNamesIsHintedAt(_ text: String, _ isHinted: Bool) throws {
        let (error, _) = try failure(text, three)
        #expect(try #require(error.hint).contains("header=True") == isHinted, "\(error)")
        var options = CSVOptions()
        options.hasHeader = true
        let (header, _) = try failure("a,b,s\nx,2,3\n", three, options: options)
        #expect(try #require(header.hint).contains("header=True") == false, "\(header)")
    }

    @Test func badQuotes() throws {
        let (error, _) = try failure("1,2,\"a\"b\n", three)
        #expect(error.message.contains(":1:8: text after a closing quote: 'b'"), "\(error)")
        let (open, before) = try failure("1,2,x\n3,4,\"y\n5,6,z\n", three)
        #expect(open.message.contains(":2:5: a quote opens here"), "\(open)")
        #expect(before == [["1", "2.0", "x"]])
        #expect(try rows("1,2,a\"b\"\n", three) == [["1", "2.0", "a\"b\""]])
    }

    @Test func skippedRowsAreCounted() throws {
        let text = "1,2,x\nbad,2,y\n3,4\n5,6,\"q\"q\n7,8,ok\n9,10,\u{1}\n11,x,y\n"
        var bytes = Array(text.utf8)
        bytes += [0x31, 0x2C, 0x32, 0x2C, 0xFF, 0x0A]
        let path = directory.write("in.csv", bytes)
        let driver = try SourceDriver(csvSource(path, three, skips: true))
        #expect(try driver.batches().rows == [["1", "2.0", "x"], ["7", "8.0", "ok"], ["9", "10.0", "\u{1}"]])
        #expect(driver.metrics.malformedRecords.value == 5)
    }

    @Test func headersAreMappedByName() throws {
        let options = CSVOptions(hasHeader: true)
        let text = "s,extra,\"b\",a\nx,?,2.5,1\n"
        #expect(try rows(text, three, options: options) == [["1", "2.5", "x"]])
        #expect(try rows(text, three, options: options, projection: [1], chunk: 1) == [["2.5"]])
        #expect(try rows("s,b,a", three, options: options) == [])
        let (missing, _) = try failure("s,b\nx,1\n", three, options: options)
        #expect(missing.message.contains("no column 'a'") && missing.message.contains("'s', 'b'"), "\(missing)")
        let (twice, _) = try failure("a,a,b,s\n1,2,3,x\n", three, options: options)
        #expect(twice.message.contains("more than one column 'a'"))
        let (later, _) = try failure("a,b,s\n1,2,x\n1,?,x\n", three, options: options)
        #expect(later.message.contains(":3:3:"))
    }

    @Test func dialects() throws {
        var options = CSVOptions(delimiter: UInt8(ascii: ";"), quote: UInt8(ascii: "'"), nullLiteral: "NULL")
        options.comment = UInt8(ascii: "#")
        options.escape = UInt8(ascii: "\\")
        let text = "#head;er\n1;NULL;'it\\'s; ''x'''\nNULL;2;a\\;b\n3;4;\"NULL\"\n5;6;'NULL'\n#end"
        #expect(
            try rows(text, three, options: options) == [
                ["1", "∅", "it's; 'x'"], ["∅", "2.0", "a;b"], ["3", "4.0", "\"NULL\""], ["5", "6.0", "∅"],
            ])
        #expect(try rows("1,2,\"x\n", three, options: CSVOptions(quote: nil)) == [["1", "2.0", "\"x"]])
        options.escape = UInt8(ascii: "'")
        #expect(throws: MillstreamError.self) { try csvSource("/x", three, options: options) }
    }

    @Test(arguments: 0..<60)
    func randomTextAsTheReference(seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed) &+ 77)
        var reference = CSVReference()
        if seed % 3 == 1 { reference.escape = UInt8(ascii: "\\") }
        if seed % 4 == 2 { reference.quote = nil }
        if seed % 5 == 3 { reference.comment = UInt8(ascii: "#") }
        reference.isRagged = seed % 2 == 1
        reference.fieldCount = seed % 7 == 0 ? 1 : 3
        var options = CSVOptions(quote: reference.quote)
        options.escape = reference.escape
        options.comment = reference.comment
        options.allowsRaggedRows = reference.isRagged
        let pieces: [[UInt8]] =
            [
                "a", "bc", "\"", "\"\"", ",", ",", ",", "\n", "\n", "\r\n", "\r", "\\", "#", "é", "a longer piece of text", "\",\"", "\"\n", "1", " ",
            ].map { Array($0.utf8) } + [[0xFF], [0xC3]]
        for _ in 0..<40 {
            var text: [UInt8] = []
            for _ in 0..<random.next(below: 80) { text += pieces[Int(random.next(below: UInt64(pieces.count - (seed % 6 == 0 ? 0 : 2))))] }
            let expected = reference.records(text)
            let path = directory.write("in.csv", text)
            let fields = (0..<reference.fieldCount).map { Field("c\($0)", .string) }
            let chunk = Int(random.next(below: 64)) + 1
            let driver = try SourceDriver(csvSource(path, fields, options: options, skips: true, chunk: chunk))
            let rows = try driver.batches(rowLimit: Int(random.next(below: 5)) + 1).rows
            let wanted = expected.compactMap { record -> [String]? in
                guard case .row(let row) = record else { return nil }
                return row.map { $0.map { String(decoding: $0, as: UTF8.self) } ?? "∅" }
            }
            #expect(rows == wanted, "seed \(seed) chunk \(chunk) text \(String(reflecting: String(decoding: text, as: UTF8.self)))")
            let badCount = expected.count { $0 == .bad }
            #expect(
                Int(driver.metrics.malformedRecords.value) == badCount,
                "seed \(seed) text \(String(reflecting: String(decoding: text, as: UTF8.self)))")
        }
    }

    /// No bytes may trap, whatever the types.
    @Test(arguments: 0..<20)
    func mutationsNeverTrap(seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed))
        let types: [DataType] = [
            .boolean, .tinyInt, .bigInt, .float, .double, DataType(.decimal(precision: 38, scale: 10)), .string, .bytes, .date, DataType(.time(6)),
            DataType(.timestamp(9)), DataType(.timestampLTZ(3)),
        ]
        let line =
            "true,12,-9223372036854775807,1.5e3,2.25,123.456,text \"\"x,aGVsbG8=,2020-01-02,10:11:12.123456,2020-01-02 03:04:05.123456789,2020-01-02T03:04:05Z\n"
        let base = Array(String(repeating: line, count: 5).utf8)
        for _ in 0..<50 {
            var text = base
            for _ in 0..<random.next(below: 12) + 1 {
                let place = Int(random.next(below: UInt64(text.count)))
                switch random.next(below: 4) {
                case 0: text[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: text.remove(at: place)
                case 2: text.insert(Array("9,\"\n-eE.:".utf8)[Int(random.next(below: 9))], at: place)
                default: text.replaceSubrange(place..<place, with: base.prefix(Int(random.next(below: 50))))
                }
            }
            let path = directory.write("in.csv", text)
            let fields = types.enumerated().map { Field("c\($0.offset)", $0.element) }
            let driver = try SourceDriver(csvSource(path, fields, skips: true, chunk: Int(random.next(below: 200)) + 1))
            _ = try driver.batches()
        }
    }
}
