import Columnar
import Connectors
import Dataflow
import Plan
import Testing

/// The rows of a table file, as `+I id|name|...`, with "∅" for null.
func changes(_ batches: [Batch]) -> [String] {
    batches.flatMap { batch in
        (0..<batch.count).map { place in
            let row = batch.selection.map { $0[place] } ?? place
            let kind = ["+I", "-U", "+U", "-D"][Int(batch.rowKinds?.pointer(as: Int8.self)[row] ?? 0)]
            return kind + " " + batch.columns.map { cellText($0, row) }.joined(separator: "|")
        }
    }
}

func goldenTable(_ name: String) -> String {
    "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/Golden/tables/" + name
}

func tableSource(
    _ path: String, _ format: FileSourceDescription.Format, _ fields: [Field], malformed: FileSourceDescription.Malformed = .fail, chunk: Int = 1 << 20,
    _ change: (inout FileSourceDescription) -> Void = { _ in }
) throws(MillstreamError) -> FileSource {
    var description = FileSourceDescription(paths: [path], format: format, fileSchema: Schema(fields))
    description.malformed = malformed
    change(&description)
    var limits = FileReadLimits()
    limits.chunkByteCount = chunk
    let columns = (description.projection ?? Array(fields.indices)).map { fields[$0] }
    let more = description.pathColumns.enumerated().map { Field("path\($0.offset)", $0.element.type) }
    return try FileSource(description, schema: Schema(columns + more), clock: SimulatedClock(), limits: limits)
}

@Suite struct ChangelogDecoderTests {
    let directory = TemporaryDirectory()
    static let kinds: [ChangelogOptions.Kind] = [.debezium, .canal, .maxwell, .ogg]
    let products = [
        Field("id", .int), Field("name", .string), Field("price", DataType(.decimal(precision: 10, scale: 2))), Field("stock", .int),
        Field("category", .string),
    ]

    func read(
        _ path: String, _ kind: ChangelogOptions.Kind, _ fields: [Field], malformed: FileSourceDescription.Malformed = .fail, chunk: Int = 1 << 20,
        hasSchema: Bool = false, tables: String? = nil
    ) throws -> [String] {
        var options = ChangelogOptions(kind)
        options.hasSchema = hasSchema
        options.tables = tables
        return changes(try SourceDriver(tableSource(path, .changelog(options), fields, malformed: malformed, chunk: chunk)).batches())
    }

    func failure(_ text: String, _ kind: ChangelogOptions.Kind, _ fields: [Field], hasSchema: Bool = false) throws -> MillstreamError {
        do { _ = try read(directory.write("bad.jsonl", text), kind, fields, hasSchema: hasSchema) } catch let error as MillstreamError { return error }
        return .internal("no error came")
    }

    /// What Flink 2.3 gives for `SELECT * FROM products_...`; the four files have one history.
    static let history = [
        "+I 1|scooter|31450|10|toys", "+I 2|car battery|810|5|auto", "+I 3|12-pack drill bits|80|200|tools", "+I 4|hammer|1275|30|tools",
        "+I 5|Schraubenschlüssel|999|15|tools", "-U 1|scooter|31450|10|toys", "+U 1|scooter|30000|10|toys", "-U 4|hammer|1275|30|tools",
        "+U 4|hammer|1275|28|tools", "+I 6|rocks|530|∅|∅", "-U 6|rocks|530|∅|∅", "+U 6|rocks|530|∅|toys", "-D 3|12-pack drill bits|80|200|tools",
        "-U 2|car battery|810|5|auto", "+U 2|car battery|850|4|auto", "+I 7|自転車|99999|1|toys", "-U 4|hammer|1275|28|tools",
        "+U 4|hammer|1275|28|auto",
    ]

    @Test(arguments: kinds, [1 << 20, 97]) func theHistoryThatFlinkReads(kind: ChangelogOptions.Kind, chunk: Int) throws {
        let file = ["products_debezium.jsonl", "products_canal.jsonl", "products_maxwell.jsonl", "products_ogg.jsonl"][Self.kinds.firstIndex(of: kind)!]
        let rows = try read(goldenTable(file), kind, products, chunk: chunk)
        #expect(rows.count == 28)
        #expect(Array(rows.prefix(18)) == Self.history)
        #expect(
            Array(rows.suffix(10)) == [
                "-U 5|Schraubenschlüssel|999|15|tools", "+U 5|Schraubenschlüssel|∅|15|tools", "-D 7|自転車|99999|1|toys",
                "+I 3|drill bits v2|120|100|tools", "-U 1|scooter|30000|10|toys", "+U 1|scooter|30000|0|toys", "+I 8|tmp|100|1|auto", "-D 8|tmp|100|1|auto",
                "-U 3|drill bits v2|120|100|tools", "+U 3|drill bits v3|120|100|tools",
            ], "\(rows.suffix(10))")
        #expect(try read(goldenTable(file), kind, [products[3], products[0]], chunk: chunk).prefix(2) == ["+I 10|1", "+I 5|2"])
    }

    @Test func oldFieldsOfCanalAndMaxwell() throws {
        let fields = [Field("a", .int), Field("b", .string), Field("c", .int)]
        let canal = """
            {"data":[{"a":"1","b":"x","c":"9"},{"a":"2","b":"y","c":null}],"old":[{"b":null},{"c":"7","a":"5"}],"type":"UPDATE","database":"d","table":"t"}
            {"data":[{"a":"1"},{"a":"2"}],"old":null,"type":"DELETE","database":"d","table":"t"}
            {"data":null,"type":"CREATE","isDdl":true,"database":"d","table":"t"}
            {"data":[],"type":"INSERT","database":"d","table":"other"}

            """
        let path = directory.write("canal.jsonl", canal)
        #expect(try read(path, .canal, fields) == ["-U 1|∅|9", "+U 1|x|9", "-U 5|y|7", "+U 2|y|∅", "-D 1|∅|∅", "-D 2|∅|∅"])
        #expect(try read(path, .canal, fields, tables: "t.*|u").count == 6)
        #expect(try read(path, .canal, fields, tables: "u|oth.*").isEmpty)
        let maxwell = "{\"type\":\"update\",\"old\":{\"b\":null,\"a\":3},\"data\":{\"a\":1,\"b\":\"x\",\"c\":9}}\n{\"data\":{\"a\":1},\"type\":\"delete\"}"
        #expect(try read(directory.write("maxwell.jsonl", maxwell), .maxwell, fields) == ["-U 3|∅|9", "+U 1|x|9", "-D 1|∅|∅"])
        #expect(throws: MillstreamError.self) { try self.read(path, .canal, fields, tables: "t[0-9]+") }
    }

    @Test func debeziumWithItsSchema() throws {
        let fields = [Field("a", .int)]
        let text = "{\"schema\":{\"payload\":1},\"payload\":{\"before\":null,\"after\":{\"a\":1},\"op\":\"r\"}}\n"
        #expect(try read(directory.write("s.jsonl", text), .debezium, fields, hasSchema: true) == ["+I 1"])
        #expect(try failure("{\"op\":\"c\",\"after\":{\"a\":1}}", .debezium, fields, hasSchema: true).message.contains("field 'payload'"))
        #expect(try failure(text, .debezium, fields).message.contains("field 'op': it is missing"))
    }

    @Test func whatIsMissingIsNamed() throws {
        let fields = [Field("a", .int), Field("b", .int.notNull)]
        let row = "{\"a\":1,\"b\":2}"
        let good = "{\"before\":null,\"after\":\(row),\"op\":\"c\"}\n"
        let cases: [(String, ChangelogOptions.Kind, String)] = [
            ("{\"before\":null,\"after\":\(row),\"op\":\"u\"}", .debezium, "field 'before': it is null"),
            ("{\"after\":\(row),\"op\":\"d\"}", .debezium, "field 'before'"), ("{\"before\":\(row),\"op\":\"u\"}", .debezium, "field 'after'"),
            ("{\"after\":null,\"op\":\"c\"}", .debezium, "field 'after'"), ("{\"after\":[1],\"op\":\"c\"}", .debezium, "no object"),
            ("{\"after\":\(row),\"op\":\"t\"}", .debezium, "'t' is no change of debezium-json"), ("{\"after\":\(row)}", .debezium, "field 'op'"),
            ("{\"after\":\(row),\"op\":7}", .debezium, "field 'op'"), ("{\"after\":{\"a\":\"x\",\"b\":1},\"op\":\"c\"}", .debezium, "field 'a': '\"x\"'"),
            ("{\"after\":{\"a\":1},\"op\":\"c\"}", .debezium, "field 'b': the field is missing"),
            ("{\"before\":\(row),\"after\":{\"a\":1},\"op\":\"u\"}", .debezium, "field 'b'"),
            ("{\"before\":null,\"after\":\(row),\"op_type\":\"T\"}", .ogg, "'T' is no change of ogg-json"),
            ("{\"data\":\(row),\"type\":\"INSERT\"}", .canal, "field 'data': it is no array"),
            ("{\"data\":[\(row)],\"old\":[],\"type\":\"UPDATE\"}", .canal, "field 'old': it has 0 rows"),
            ("{\"data\":\(row),\"type\":\"update\"}", .maxwell, "field 'old'"), ("{\"data\":\(row),\"type\":\"bootstrap\"}", .maxwell, "no change of maxwell-json"),
        ]
        for (line, kind, message) in cases {
            let head = kind == .debezium ? good : "\n"
            let error = try failure(head + line + "\n", kind, fields)
            #expect(error.code == .decode && error.message.contains("bad.jsonl:2:1: ") && error.message.contains(message), "\(line): \(error)")
        }
        // What came before the mistake is given out; of a change that fails halfway nothing is.
        let text = good + "{\"before\":\(row),\"after\":{\"a\":7},\"op\":\"u\"}\n" + good
        let path = directory.write("half.jsonl", text)
        #expect(try read(path, .debezium, fields, malformed: .skip) == ["+I 1|2", "+I 1|2"])
        let driver = try SourceDriver(tableSource(path, .changelog(ChangelogOptions(.debezium)), fields))
        var seen: [String] = []
        #expect(throws: MillstreamError.self) {
            while true {
                switch try driver.step() {
                case .batch(let batch, _): seen += changes([batch])
                case .end: return
                default: break
                }
            }
        }
        #expect(seen == ["+I 1|2"])
    }

    @Test func ignoredErrorsAreNulls() throws {
        let fields = [Field("a", .int), Field("b", .string)]
        let text = "{\"after\":{\"a\":\"x\",\"b\":1},\"op\":\"c\"}\nnot json\n{\"after\":null,\"op\":\"c\"}\n{\"before\":{\"a\":1},\"after\":{\"a\":{}},\"op\":\"u\"}\n"
        let driver = try SourceDriver(tableSource(directory.write("i.jsonl", text), .changelog(ChangelogOptions(.debezium)), fields, malformed: .ignore))
        #expect(changes(try driver.batches()) == ["+I ∅|1", "-U 1|∅", "+U ∅|∅"])
        #expect(driver.metrics.malformedRecords.value == 4)
    }

    /// Whatever is written is read back, and an update comes back as the delete and the insert that it was written as.
    @Test(arguments: kinds) func roundTrips(kind: ChangelogOptions.Kind) throws {
        let fields = [
            Field("id", .bigInt), Field("text", .string), Field("time", DataType(.timestamp(3))), Field("list", DataType(.array(.int))),
            Field("amount", DataType(.decimal(precision: 12, scale: 3))),
        ]
        let schema = Schema(fields)
        let random = SeededRandom(seed: 5)
        var columns: [[Scalar]] = Array(repeating: [], count: fields.count)
        var kinds: [Int8] = []
        for _ in 0..<500 {
            kinds.append(Int8(random.next(below: 4)))
            func cell(_ value: @autoclosure () -> Scalar) -> Scalar { random.next(below: 5) == 0 ? .null : value() }
            columns[0].append(cell(.int64(Int64(bitPattern: random.next()))))
            columns[1].append(cell(.string(["", "a\"b", "ü\n", "日本 語", "\\"][Int(random.next(below: 5))])))
            columns[2].append(cell(.int64(Int64(random.next(below: 1 << 41)))))
            columns[3].append(cell(.list([.int64(1), .null])))
            columns[4].append(cell(.decimal(Int128(random.next(below: 1 << 39)) - (1 << 38))))
        }
        var made: [Column] = []
        for (field, values) in zip(fields, columns) {
            let builder = try ColumnBuilder.make(for: field.type)
            for value in values { try builder.append(value) }
            made.append(builder.finish())
        }
        var batch = Batch(schema: schema, columns: made, count: 500)
        batch.rowKinds = Column(type: DataType.tinyInt.notNull, count: 500, values: Buffer.copying(kinds))
        let out = directory.path + "/out\(kind)"
        let description = FileSinkDescription(directory: out, format: .changelog(ChangelogOptions(kind)))
        let sink = try FileSink(
            description, schema: schema, environment: ConnectorEnvironment(clock: SimulatedClock(), storage: DiskStorage()), commitsAtCheckpoints: false)
        let writer = try sink.makeWriter(operatorContext())
        #expect(try writer.write(batch, notify: {}))
        for outcome in try sink.makeCommitter()!.commit(try writer.prepareCommit(endOfInput: true)) {
            if case .committed = outcome { continue }
            Issue.record("\(outcome)")
        }
        try writer.close()
        let expected = changes([batch]).map { ($0.hasPrefix("-") ? "-D" : "+I") + $0.dropFirst(2) }
        #expect(try read(out, kind, fields) == expected)
    }

    @Test(arguments: kinds, 0..<6) func mutationsNeverTrap(kind: ChangelogOptions.Kind, seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed))
        let file = ["products_debezium.jsonl", "products_canal.jsonl", "products_maxwell.jsonl", "products_ogg.jsonl"][Self.kinds.firstIndex(of: kind)!]
        let base = Array(TemporaryDirectory.read(goldenTable(file)).prefix(2_000))
        for round in 0..<25 {
            var text = base
            for _ in 0..<random.next(below: 12) + 1 {
                let place = Int(random.next(below: UInt64(text.count)))
                switch random.next(below: 4) {
                case 0: text[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: text.remove(at: place)
                case 2: text.insert(Array("{}[],:\"\\019udn".utf8)[Int(random.next(below: 14))], at: place)
                default: text.replaceSubrange(place..<place, with: base.prefix(Int(random.next(below: 80))))
                }
            }
            let path = directory.write("fuzz.jsonl", text)
            let malformed: [FileSourceDescription.Malformed] = [.skip, .ignore, .deadLetter, .fail]
            let source = try tableSource(
                path, .changelog(ChangelogOptions(kind)), products, malformed: malformed[round % 4], chunk: Int(random.next(below: 400)) + 1)
            do throws(MillstreamError) {
                for batch in try SourceDriver(source).batches() {
                    #expect(batch.columns.allSatisfy { $0.count == batch.physicalCount } && batch.rowKinds?.count == batch.physicalCount)
                    for kind in 0..<batch.physicalCount { #expect((0...3).contains(batch.rowKinds!.pointer(as: Int8.self)[kind])) }
                }
            } catch {
                #expect(error.code == .decode && error.message.contains("fuzz.jsonl:"), "\(error)")
            }
        }
    }
}
