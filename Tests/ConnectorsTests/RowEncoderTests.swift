import Columnar
import Connectors
import Dataflow
import Plan
import Testing

/// What file sinks write, and that file sources read it back.
@Suite struct RowEncoderTests {
    func column(_ type: DataType, _ values: [Scalar]) throws -> Column {
        let builder = try ColumnBuilder.make(for: type)
        for value in values { try builder.append(value) }
        return builder.finish()
    }

    func write(
        _ columns: [Column], schema: Schema, _ format: FileSinkDescription.Format, to storage: any Storage = SimulatedStorage(),
        directory: String = "/out"
    ) throws -> String {
        let description = FileSinkDescription(directory: directory, format: format)
        let environment = ConnectorEnvironment(clock: SimulatedClock(), storage: storage)
        let sink = try SinkFactory.make(SinkDescription(.files(description)), input: schema, environment: environment)
        let writer = try sink.makeWriter(operatorContext())
        #expect(try writer.write(Batch(schema: schema, columns: columns, count: columns[0].count), notify: {}))
        _ = try sink.makeCommitter()?.commit(try writer.prepareCommit(endOfInput: true))
        return String(decoding: try storage.read(directory + "/part-0-0"), as: UTF8.self)
    }

    let texts: [Scalar] = ["", "plain", "a,b", "q\"q", "x\ny", "x\r", " s ", "NULL", "#x", "é\u{1}", "a\\b"].map { .string($0) } + [.null]

    @Test func csvQuotesWhatNeedsIt() throws {
        let schema = Schema([Field("s", .string), Field("n", .bigInt)])
        let columns = [try column(.string, texts), try column(.bigInt, texts.indices.map { .int64(Int64($0)) })]
        var options = CSVOptions(hasHeader: true, nullLiteral: "NULL")
        options.comment = UInt8(ascii: "#")
        let expected = "s,n\n,0\nplain,1\n\"a,b\",2\n\"q\"\"q\",3\n\"x\ny\",4\n\"x\r\",5\n s ,6\n\"NULL\",7\n\"#x\",8\né\u{1},9\na\\b,10\nNULL,11\n"
        #expect(try write(columns, schema: schema, .csv(options)) == expected)
        var escaped = CSVOptions(quote: nil)
        escaped.escape = UInt8(ascii: "\\")
        #expect(try write([try column(.string, [.string("a,b\\\n")])], schema: Schema([Field("s", .string)]), .csv(escaped)) == "a\\,b\\\\\\\n\n")
        #expect(throws: MillstreamError.self) {
            try write([try column(.string, [.string("a,b")])], schema: Schema([Field("s", .string)]), .csv(CSVOptions(quote: nil)))
        }
    }

    @Test func textOfBareValuesAndTuples() throws {
        #expect(try write([try column(.string, [.string("a,b"), .null])], schema: .scalar(.string), .text) == "a,b\nnull\n")
        #expect(try write([try column(.double, [.double(1e20)])], schema: .scalar(.double), .text) == "1.0E20\n")
        let schema = Schema([Field("a", .string), Field("b", .int)], shape: .tuple)
        #expect(
            try write([try column(.string, [.string("a,b"), .null]), try column(.int, [.int64(1), .int64(2)])], schema: schema, .text)
                == "(a,b,1)\n(null,2)\n")
        let row = Schema([Field("a", .string), Field("b", .int)])
        #expect(try write([try column(.string, [.string("a,b")]), try column(.int, [.int64(1)])], schema: row, .text) == "+I[a,b, 1]\n")
    }

    @Test func jsonOfEveryType() throws {
        let row = DataType(.row([Field("x", .int), Field("y\"", .string)]))
        let cells: [(DataType, Scalar, String)] = [
            (DataType(.variant), .bytes([1, 1, 0, 1, 0x61, 2, 1, 0, 0, 1, 0]), "{\"a\":null}"),
            (.boolean, .boolean(true), "true"), (.bigInt, .int64(-5), "-5"), (.double, .double(1e20), "1.0E20"), (.double, .double(.nan), "\"NaN\""),
            (.float, .double(0.1), "0.1"), (DataType(.decimal(precision: 10, scale: 2)), .decimal(1_050), "10.50"),
            (.string, .string("a\"\\\n\u{1}é/"), "\"a\\\"\\\\\\n\\u0001é/\""), (.bytes, .bytes([1, 2, 3, 4]), "\"AQIDBA==\""),
            (.date, .int64(0), "\"1970-01-01\""),
            (DataType(.time(3)), .int64(1_500), "\"00:00:01.500\""), (DataType(.timestamp(3)), .int64(1), "\"1970-01-01 00:00:00.001\""),
            (DataType(.timestampLTZ(0)), .int64(1), "\"1970-01-01 00:00:01Z\""), (DataType(.array(.int)), .list([.int64(1), .null]), "[1,null]"),
            (DataType(.map(key: .int, value: .string)), .map(keys: [.int64(7)], values: [.string("x")]), "{\"7\":\"x\"}"),
            (row, .row([.int64(1), .null]), "{\"x\":1,\"y\\\"\":null}"), (.int, .null, "null"),
        ]
        let schema = Schema(cells.enumerated().map { Field("c\($0.offset)", $0.element.0) })
        let columns = try cells.map { try column($0.0, [$0.1]) }
        let expected = "{" + cells.enumerated().map { "\"c\($0.offset)\":\($0.element.2)" }.joined(separator: ",") + "}\n"
        #expect(try write(columns, schema: schema, .jsonLines) == expected)
        #expect(try write([try column(.string, [.string("x")])], schema: .scalar(.string), .jsonLines) == "\"x\"\n")
    }

    @Test(arguments: [0, 1])
    func whatIsWrittenIsReadBack(format: Int) throws {
        let directory = TemporaryDirectory()
        let random = SeededRandom(seed: 5)
        let pieces = ["", "a", ",", "\"", "\n", "\r\n", "é", "longer than twelve bytes", "\\", "{", "日本"]
        let types: [DataType] = [
            .boolean, .tinyInt, .smallInt, .int, .bigInt, .float, .double, DataType(.decimal(precision: 38, scale: 10)), .string, .bytes, .date,
            DataType(.time(9)), DataType(.timestamp(6)), DataType(.timestampLTZ(9)),
        ]
        func value(_ type: DataType) -> Scalar {
            if random.next(below: 6) == 0 { return .null }
            let bits = Int64(bitPattern: random.next())
            switch type.kind {
            case .boolean: return .boolean(bits & 1 == 0)
            case .tinyInt: return .int64(Int64(Int8(truncatingIfNeeded: bits)))
            case .smallInt: return .int64(Int64(Int16(truncatingIfNeeded: bits)))
            case .int: return .int64(Int64(Int32(truncatingIfNeeded: bits)))
            case .float: return .double(Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits & 0x7F7F_FFFF))))
            case .double: return .double(Double(bitPattern: UInt64(bitPattern: bits) & 0xFFEF_FFFF_FFFF_FFFF))
            case .decimal: return .decimal(Int128(bits) * 1_000_000_007)
            case .varChar:
                return .string((0...random.next(below: 4)).map { _ in pieces[Int(random.next(below: UInt64(pieces.count)))] }.joined() + "x")
            case .varBinary: return .bytes((0...random.next(below: 20)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
            case .date: return .int64(bits % 700_000)
            case .time: return .int64(Int64(random.next(below: 86_400_000_000_000)))
            case .timestamp: return .int64(bits % 60_000_000_000_000_000)
            default: return .int64(bits)
            }
        }
        let schema = Schema(types.enumerated().map { Field("c\($0.offset)", $0.element) })
        let columns = try types.map { type in try column(type, (0..<500).map { _ in value(type) }) }
        let batch = Batch(schema: schema, columns: columns, count: 500)
        let written: FileSinkDescription.Format = format == 0 ? .csv(CSVOptions(hasHeader: true, nullLiteral: "∅")) : .jsonLines
        _ = try write(columns, schema: schema, written, to: DiskStorage(), directory: directory.path)
        let read: FileSourceDescription.Format = format == 0 ? .csv(CSVOptions(hasHeader: true, nullLiteral: "∅")) : .jsonLines
        let source = try FileSource(
            FileSourceDescription(paths: [directory.path], format: read, fileSchema: schema), schema: schema, clock: SimulatedClock())
        let rows = try SourceDriver(source).batches().rows
        #expect(rows.count == 500)
        for (index, row) in [batch].rows.enumerated() where rows[index] != row { Issue.record("row \(index): \(row) came back as \(rows[index])") }
    }
}
