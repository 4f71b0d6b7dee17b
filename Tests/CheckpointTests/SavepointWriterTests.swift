import Checkpoint
import Columnar
import Dataflow
import TestColumns
import Testing

/// Savepoints made of rows and of other savepoints.
struct SavepointWriterTests {
    private func storage() throws -> CheckpointDirectory { try CheckpointDirectory(SimulatedStorage(), root: "/savepoints") }

    private func rows(_ count: Int, seed: Int, value: DataType = DataType.bigInt.notNull) throws -> Batch {
        let keys = (0..<Int64(count)).map { $0 &* 7919 }
        var random = RandomColumns(seed)
        let fields = [Field("key0", DataType.bigInt.notNull), Field("value", value)]
        return Batch(
            schema: Schema(fields), columns: [Column(type: fields[0].type, count: count, values: Buffer.copying(keys)), try random.column(value, count)],
            count: count)
    }

    private func numbers(_ reader: SavepointReader, _ uid: String, _ part: String) throws -> [Int64: Int64] {
        var found: [Int64: Int64] = [:]
        for batch in try reader.rows(part, of: uid).batches {
            for row in 0..<batch.count { found[batch.columns[0].pointer(as: Int64.self)[row]] = batch.columns[1].pointer(as: Int64.self)[row] }
        }
        return found
    }

    private func write(_ writer: SavepointWriter, _ group: String, _ storage: CheckpointDirectory) throws -> SavepointReader {
        try writer.write(to: storage, group: group, triggered: ProcessingTime(milliseconds: 1))
        let reader = try SavepointReader(storage, group: group)
        try reader.verify()
        return reader
    }

    @Test("Rows go to the key groups of their keys")
    func groups() throws {
        let directory = try storage()
        let writer = try SavepointWriter(basedOn: nil, maxParallelism: 64)
        let batch = try rows(1_000, seed: 1)
        try writer.put("keyed/sum", of: "sums", name: "running sum", rows: batch)
        let reader = try write(writer, "a", directory)
        #expect(reader.manifest.operators.map(\.name) == ["running sum"] && reader.manifest.operators[0].maxParallelism == 64)
        let file = try #require(reader.manifest.operators[0].files.first)
        var count = 0
        for parallelism in [1, 3] {
            count = 0
            for subtask in 0..<parallelism {
                let own = KeyGroup.range(subtask: subtask, parallelism: parallelism, maxParallelism: 64)
                let opened = try StateFileReader(directory, name: "a/" + file.file.name, summary: file.file, keyGroups: own)
                for (group, block) in try opened.batches("keyed/sum") {
                    count += block.count
                    for row in 0..<block.count {
                        let key = block.columns[0].pointer(as: Int64.self)[row]
                        #expect(group?.value == KeyGroup.index(hash: StableHash.hash(key), maxParallelism: 64) && own.contains(group?.value ?? -1))
                    }
                }
            }
            #expect(count == 1_000)
        }
        var expected: [Int64: Int64] = [:]
        for row in 0..<1_000 { expected[batch.columns[0].pointer(as: Int64.self)[row]] = batch.columns[1].pointer(as: Int64.self)[row] }
        #expect(try numbers(reader, "sums", "keyed/sum") == expected)
    }

    @Test("What is not changed is carried over, byte for byte; what it is based on stays")
    func changes() throws {
        let directory = try storage()
        let first = try SavepointWriter(basedOn: nil, maxParallelism: 16)
        for uid in ["a", "b", "c"] {
            try first.put("keyed/x", of: uid, rows: try rows(50, seed: 2))
            try first.put("keyed/y", of: uid, rows: try rows(20, seed: 3))
        }
        let old = try write(first, "old", directory)
        let bytes = try directory.list("old").map { try directory.read("old/\($0)") }
        let second = try SavepointWriter(basedOn: old)
        try second.put("keyed/x", of: "b", rows: try rows(5, seed: 9))
        try second.remove("c")
        try second.rename("a", to: "z")
        try second.remove("b", part: "keyed/y")
        try second.put("operator/list/l", of: "new", rows: Batch(schema: Schema([Field("element", DataType.bigInt.notNull)]), columns: [Column(type: .bigInt.notNull, count: 2, values: Buffer.copying([Int64(1), 2]))], count: 2))
        let new = try write(second, "new", directory)
        #expect(new.manifest.operators.map(\.id.text) == ["z", "b", "new"])
        #expect(try numbers(new, "z", "keyed/x") == numbers(old, "a", "keyed/x"))
        #expect(try directory.read("new/op-0-0") == directory.read("old/op-0-0"))
        #expect(try numbers(new, "b", "keyed/x").count == 5)
        #expect(try new.partFields(of: "b").map(\.name) == ["keyed/x"])
        #expect(try new.partFields(of: "new").map(\.name) == ["operator/list/l"])
        #expect(try directory.list("old").map { try directory.read("old/\($0)") } == bytes)
        #expect(throws: MillstreamError.self) { try second.write(to: directory, group: "old", triggered: ProcessingTime(milliseconds: 1)) }
    }

    @Test("Columns that no state has, and operators that are not there, are refused in words")
    func refusals() throws {
        let writer = try SavepointWriter(basedOn: nil)
        let batch = try rows(3, seed: 1)
        func refuse(_ text: String, _ body: () throws -> Void) {
            do {
                try body()
                Issue.record("nothing was refused: \(text)")
            } catch { #expect("\(error)".contains(text), "\(error)") }
        }
        refuse("key0") { try writer.put("keyed/x", of: "a", rows: Batch(schema: Schema([Field("value", .bigInt)]), columns: [batch.columns[1]], count: 3)) }
        refuse("time, number") { try writer.put("timers/event", of: "a", rows: batch) }
        refuse("has no keys") { try writer.put("operator/list/x", of: "a", rows: batch) }
        refuse("no operator with the uid 'b'") { try writer.remove("b") }
        refuse("not empty") { try writer.put("", of: "a", rows: batch) }
        refuse("is 0") { _ = try SavepointWriter(basedOn: nil, maxParallelism: 0) }
        var random = RandomColumns(1)
        var column = try random.column(.bigInt, 3)
        while column.nullCount == 0 { column = try random.column(.bigInt, 3) }
        refuse("nulls") { try writer.put("keyed/x", of: "a", rows: Batch(schema: Schema([Field("key0", .bigInt), Field("value", .bigInt)]), columns: [batch.columns[0], column], count: 3)) }
    }

    @Test("A pickle's classes are found without reading it")
    func pickles() throws {
        // pickle.dumps(collections.OrderedDict(a=decimal.Decimal(1), b=decimal.Decimal(2)), 5)
        let hex = "8004951f000000000000008c0b636f6c6c656374696f6e73948c0b4f726465726564446963749493942952942e"
        var bytes: [UInt8] = [UInt8(ascii: "p")]
        var rest = Substring(hex)
        while let pair = UInt8(rest.prefix(2), radix: 16) {
            bytes.append(pair)
            rest = rest.dropFirst(2)
        }
        let directory = try storage()
        let writer = try SavepointWriter(basedOn: nil)
        var values = ViewBuilder()
        try bytes.withUnsafeBytes { try values.append($0) }
        try Array("sabc".utf8).withUnsafeBytes { try values.append($0) }
        let keys = Column(type: .bigInt.notNull, count: 2, values: Buffer.copying([Int64(1), 2]))
        let column = values.finish(type: DataType.bytes.notNull)
        let schema = Schema([Field("key0", DataType.bigInt.notNull), Field("value", DataType.object.notNull)])
        try writer.put("keyed/pickled", of: "op", rows: Batch(schema: schema, columns: [keys, column], count: 2))
        try writer.put("keyed/plain", of: "op", rows: Batch(schema: schema, columns: [keys, column], count: 2).slice(1, 1))
        let reader = try write(writer, "p", directory)
        #expect(reader.manifest.properties == [
            Manifest.Property("objects/op/keyed/pickled", "pickle\ncollections.OrderedDict"), Manifest.Property("objects/op/keyed/plain", "plain"),
        ])
        let second = try SavepointWriter(basedOn: reader)
        try second.rename("op", to: "other")
        #expect(try write(second, "q", directory).manifest.properties.map(\.name) == ["objects/other/keyed/pickled", "objects/other/keyed/plain"])
    }
}
