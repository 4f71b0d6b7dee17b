import Columnar
import Dataflow
import Exchange
import Testing

/// Every partitioner over random batches with and without selections: no row is lost or doubled, and each channel keeps the order.
struct PartitionerTests {
    final class Rows: RoutedRows {
        let channelCount: Int
        var values: [[Int64]]
        init(_ count: Int) {
            channelCount = count
            values = Array(repeating: [], count: count)
        }
        func add(_ rows: Batch, to channel: Int) throws(MillstreamError) {
            #expect(!rows.isEmpty)
            values[channel] += PartitionerTests.values(rows)
        }
    }

    static func values(_ batch: Batch, column: Int = 0) -> [Int64] {
        (0..<batch.count).map { batch.columns[column].pointer(as: Int64.self)[batch.selection?[$0] ?? $0] }
    }

    static func batch(_ values: [Int64]) -> Batch {
        Batch(
            schema: .scalar(.bigInt.notNull), columns: [Column(type: .bigInt.notNull, count: values.count, values: Buffer.copying(values))],
            count: values.count)
    }

    /// Ascending numbers, cut and selected at random.
    static func randomBatch(_ random: SeededRandom, from start: Int64) -> Batch {
        let count = Int(random.next(below: 300))
        var batch = batch((0..<count).map { start + Int64($0) })
        if random.next(below: 2) == 0 { batch = batch.slice(count / 3, count - count / 3) }
        if random.next(below: 2) == 0 {
            batch = batch.selecting(Selection((0..<batch.count).filter { _ in random.next(below: 3) > 0 }.map { Int32($0) }))
        }
        return batch
    }

    static func make(_ kind: Int, channels: Int, seed: UInt64) -> any Partitioner {
        switch kind {
        case 0: RoundRobinPartitioner(startingAt: Int(seed) % channels)
        case 1: ShufflePartitioner(random: SeededRandom(seed: seed))
        case 2: HashPartitioner(keys: [0], parallelism: channels, maxParallelism: 128, operatorName: "keyed")
        default: SingleChannelPartitioner()
        }
    }

    @Test("No loss, no duplicate, order kept", arguments: 0..<4, 0..<50)
    func conserves(kind: Int, seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed))
        let channels = 1 + Int(random.next(below: 100))
        let partitioner = Self.make(kind, channels: channels, seed: UInt64(seed))
        let rows = Rows(channels)
        var all: [Int64] = []
        for _ in 0..<5 {
            let batch = Self.randomBatch(random, from: Int64(all.count) * 1_000)
            if batch.isEmpty { continue }
            all += Self.values(batch)
            try partitioner.route(batch, to: rows)
        }
        #expect(rows.values.flatMap { $0 }.sorted() == all.sorted())
        for channel in rows.values { #expect(channel == channel.sorted()) }
    }

    @Test("Round robin gives each channel as many rows as dealing one by one would")
    func roundRobinIsFair() throws {
        let rows = Rows(7)
        let partitioner = RoundRobinPartitioner(startingAt: 3)
        let random = SeededRandom(seed: 1)
        var total = 0
        for _ in 0..<100 {
            let count = 1 + Int(random.next(below: 20))
            try partitioner.route(Self.batch((0..<count).map { Int64($0) }), to: rows)
            total += count
            let counts = rows.values.map(\.count)
            #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1)
        }
        #expect(rows.values.map(\.count).reduce(0, +) == total)
    }

    @Test("A row goes to the subtask that owns its key's group")
    func hashFollowsKeyGroups() throws {
        let rows = Rows(5)
        let batch = Self.batch((0..<2_000).map { Int64($0) &* 0x9E37_79B9 })
        try HashPartitioner(keys: [0], parallelism: 5, maxParallelism: 128, operatorName: "keyed").route(batch, to: rows)
        for (channel, values) in rows.values.enumerated() {
            #expect(!values.isEmpty)
            for value in values {
                let group = KeyGroup.index(hash: StableHash.hash(value), maxParallelism: 128)
                #expect(group * 5 / 128 == channel)
                #expect(KeyGroup.range(subtask: channel, parallelism: 5, maxParallelism: 128).contains(group))
            }
        }
    }

    @Test("A null key is refused with the operator's name and the record's index over all batches")
    func nullKey() throws {
        let partitioner = HashPartitioner(keys: [0], parallelism: 2, maxParallelism: 128, operatorName: "key_by")
        let rows = Rows(2)
        try partitioner.route(Self.batch([1, 2, 3]), to: rows)
        let validity = Buffer.zeroed(byteCount: 1)
        for index in [0, 2] { Bits.set(validity.base, index) }
        let column = Column(type: .bigInt, count: 3, validity: validity, values: Buffer.copying([7, 8, 9] as [Int64]))
        let batch = Batch(schema: .scalar(.bigInt), columns: [column], count: 3)
        let error = #expect(throws: MillstreamError.self) { try partitioner.route(batch, to: rows) }
        #expect(error?.code == .key)
        #expect(error?.operatorName == "key_by")
        #expect(error?.recordIndex == 4)
        // The same row, not selected, harms nobody.
        try partitioner.route(batch.selecting(Selection([0, 2])), to: rows)
    }
}
