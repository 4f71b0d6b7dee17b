import Columnar
import Dataflow
import State
import Synchronization
import TestColumns
import Testing

/// Values of a host of which 2n and 2n + 1 are equal although they are written in different bytes, and of which many have the same hash.
private let alikeObjects = HostObjects(
    retain: { _, _ in }, release: { _, _ in },
    hash: { handles, count, hashes in
        for index in 0..<count { hashes[index] = StableHash.hash(Int64(Int(bitPattern: handles[index]) / 2 % 3)) }
        return -1
    },
    equal: { Int(bitPattern: $0) / 2 == Int(bitPattern: $1) / 2 ? 1 : 0 }, compare: { _, _ in 2 }, describe: { _, _, _ in 0 })

/// Remembers the rows that are written.
private final class WrittenRows: StateWriter {
    var batches: [(name: String, keyGroup: KeyGroup?, batch: Batch)] = []
    func write(_ name: String, keyGroup: KeyGroup?, batch: Batch) { batches.append((name, keyGroup, batch)) }
    func write(_ name: String, keyGroup: KeyGroup?, bytes: [UInt8]) {}
}

@Suite struct PagedRowsTests {
    private static func context(_ memory: StateMemory, isIncremental: Bool = false) -> OperatorContext {
        let context = OperatorContext(
            operatorID: OperatorID("test"), operatorName: "test", subtask: SubtaskIndex(0), parallelism: 1, maxParallelism: 128, jobName: "test",
            clock: SystemClock(), random: Dataflow.SeededRandom(seed: 1), metrics: OperatorMetrics(), requestWakeUp: { _ in })
        context.stores = MemoryStores()
        context.paging = StatePaging(memory: memory, objects: DigitCoding(), isIncremental: isIncremental)
        return context
    }

    private enum Keys: CaseIterable { case number, text, two, object, alike }

    private static func columns(_ keys: Keys, _ numbers: [Int]) throws -> [Column] {
        func made(_ type: DataType, _ objects: HostObjects = testObjects, _ value: (Int) -> Scalar) throws -> Column {
            let builder = try ColumnBuilder.make(for: type, hostObjects: objects)
            for number in numbers { try builder.append(value(number)) }
            return builder.finish()
        }
        let text: (Int) -> Scalar = { $0 == 0 ? .string("") : .string("key \($0)" + String(repeating: "x", count: $0)) }
        switch keys {
        case .number: return [try made(.bigInt) { .int64(Int64($0) - 10) }]
        case .text: return [try made(.string) { text($0) }]
        case .two: return [try made(.string) { $0 % 3 == 0 ? .null : text($0) }, try made(.double) { .double(Double($0)) }]
        case .object, .alike:
            let objects = keys == .object ? testObjects : alikeObjects
            return [
                try made(.object, objects) { .object(ObjectScalar(handle: HostObjects.Handle(bitPattern: $0 + 2), objects: objects, keeper: objects)) }
            ]
        }
    }

    /// Whatever leaves memory comes back as it was; and in the end all of it is written, each key once.
    @Test(arguments: Keys.allCases.indices, 0..<16) func rowsComeBack(keys: Int, seed: Int) throws {
        let keys = Keys.allCases[keys]
        var random = TestColumns.SeededRandom(1_000 * seed + 7)
        let records = RowStore(types: [.bigInt, .string], hostObjects: nil)
        let fields = [Field("sum", .bigInt), Field("text", .string)]
        let paged = PagedRows(records, types: [.bigInt, .string], part: "rows", fields: fields)
        try paged.open(Self.context(StateMemory(byteCountMax: [0, 500, 3_000, 1 << 20][seed % 4])))
        let sample = try Self.columns(keys, [0])
        let table = try KeyTable(types: sample.map(\.type.nullable), hostObjects: keys == .alike ? alikeObjects : testObjects)
        // By the key as the host tells keys apart.
        var expected: [Int: (sum: Int64, text: String)] = [:]
        func identity(_ number: Int) -> Int { keys == .alike ? (number + 2) / 2 : number }

        for step in 0..<30 {
            var numbers: [Int] = []
            for _ in 0..<random.int(1..<12) {
                let number = random.int(0..<40)
                if !numbers.contains(where: { identity($0) == identity(number) }) { numbers.append(number) }
            }
            let columns = try Self.columns(keys, numbers)
            let batch = try Batch(schema: Schema([]), columns: [], count: numbers.count).keyed(by: columns)
            let hashes = try #require(batch.keyHashes)
            var slots = [Int32](repeating: 0, count: numbers.count)
            try slots.withUnsafeMutableBufferPointer {
                _ = try table.lookup(keys: columns, hashes: UnsafePointer(hashes.pointer(as: UInt64.self)), count: numbers.count, slots: $0.baseAddress!)
            }
            try paged.enter(slots, in: table)
            let found = try slots.withUnsafeBufferPointer { try records.gather($0.baseAddress!, count: slots.count) }
            var sums: [Int64] = []
            var texts: [String] = []
            for (row, number) in numbers.enumerated() {
                let old = expected[identity(number)]
                #expect(records.contains(Int(slots[row])) == (old != nil), "step \(step), key \(number)")
                if let old {
                    #expect(found[0].scalar(at: row) == .int64(old.sum), "step \(step), key \(number)")
                    #expect(found[1].scalar(at: row) == .string(old.text), "step \(step), key \(number)")
                }
                sums.append((old?.sum ?? 0) + Int64(step) + 1)
                texts.append(String(repeating: "t", count: random.int(0..<30)))
                expected[identity(number)] = (sums[row], texts[row])
            }
            let builder = try ColumnBuilder.make(for: .string)
            for text in texts { try builder.append(.string(text)) }
            let sumColumn = Column(type: .bigInt, count: sums.count, values: Buffer.copying(sums))
            try slots.withUnsafeBufferPointer { try records.set([sumColumn, builder.finish()], slots: $0.baseAddress!, count: slots.count) }
            try paged.settle()
        }
        if seed % 4 == 0 { #expect(table.count == 0 && records.count == 0, "nothing stays in memory without memory") }
        if seed % 4 == 3 { #expect(table.count == expected.count, "all stays in memory where there is enough") }

        let written = WrittenRows()
        let barrier = CheckpointBarrier(id: CheckpointID(1), triggered: ProcessingTime(milliseconds: 1), alignment: .exactlyOnce, isSavepoint: true)
        try paged.snapshot(barrier, into: written)
        var seen: [String] = []
        for (name, group, batch) in written.batches {
            #expect(name == "rows" && group != nil)
            let dense = try batch.compacted()
            for row in 0..<dense.count {
                let values = dense.columns.suffix(2).map { $0.scalar(at: row) }
                seen.append("\(values[0]) \(values[1])")
            }
        }
        #expect(seen.sorted() == expected.values.map { "\(Scalar.int64($0.sum)) \(Scalar.string($0.text))" }.sorted())
        paged.close()
    }

    /// Two states share memory: what one does not need the other may have, and neither is left with less than half.
    @Test func memoryIsShared() {
        let memory = StateMemory(byteCountMax: 1_000)
        let first = memory.share()
        #expect(first.update(900) == 0)
        var second: StateMemory.Share? = memory.share()
        #expect(second?.update(100) == 0)
        #expect(second?.update(400) == 0, "below its half, others give way")
        #expect(first.update(900) == 300)
        #expect(first.update(600) == 0)
        #expect(second?.update(700) == 200)
        second = nil
        #expect(first.update(1_000) == 0)
    }
}
