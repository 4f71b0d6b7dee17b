import Columnar
import Dataflow
import Plan

/// Numbers in splits that any reader may take, with positions: key, and nothing else.
final class NumberedSource: Source, @unchecked Sendable {
    static let schema = Schema([Field("key", .bigInt.notNull), Field("number", .bigInt.notNull)])
    let splitCount: Int
    let rowsPerSplit: Int
    let keyCount: Int
    let isEndless: Bool

    init(splitCount: Int, rowsPerSplit: Int, keyCount: Int, isEndless: Bool = false) {
        self.splitCount = splitCount
        self.rowsPerSplit = rowsPerSplit
        self.keyCount = keyCount
        self.isEndless = isEndless
    }

    var boundedness: Boundedness { isEndless ? .unbounded : .bounded }
    var schema: Schema { Self.schema }
    func makeEnumerator(parallelism: Int) throws(MillstreamError) -> any SplitEnumerator { Enumerator(self) }
    func makeReader(_ context: SourceReaderContext) throws(MillstreamError) -> any SourceReader { Reader(self, context) }

    static func encode(_ numbers: [Int]) -> [UInt8] { numbers.flatMap { number in withUnsafeBytes(of: Int64(number).littleEndian) { Array($0) } } }
    static func decode(_ bytes: [UInt8]) -> [Int] {
        var numbers: [Int] = []
        for start in stride(from: 0, to: bytes.count - 7, by: 8) {
            var word: UInt64 = 0
            for place in 0..<8 { word |= UInt64(bytes[start + place]) << UInt64(8 * place) }
            numbers.append(Int(Int64(bitPattern: word)))
        }
        return numbers
    }

    final class Enumerator: SplitEnumerator {
        var waiting: [SourceSplit]
        init(_ source: NumberedSource) {
            waiting = (0..<source.splitCount).map { SourceSplit(id: "\($0)", payload: NumberedSource.encode([$0, 0])) }
        }
        func nextSplit(for subtask: SubtaskIndex) -> SplitAssignment { waiting.isEmpty ? .noMore : .split(waiting.removeFirst()) }
        func addBack(_ splits: [SourceSplit]) { waiting = splits + waiting }
        func snapshot() -> [UInt8] { NumberedSource.encode(waiting.flatMap { NumberedSource.decode($0.payload) }) }
        func restore(_ bytes: [UInt8]) {
            let numbers = NumberedSource.decode(bytes)
            waiting = stride(from: 0, to: numbers.count, by: 2).map { place in
                SourceSplit(id: "\(numbers[place])", payload: NumberedSource.encode([numbers[place], numbers[place + 1]]))
            }
        }
        func close() {}
    }

    final class Reader: SourceReader {
        let source: NumberedSource
        let context: SourceReaderContext
        var open: [(split: Int, next: Int)] = []
        var isLast = false

        init(_ source: NumberedSource, _ context: SourceReaderContext) {
            self.source = source
            self.context = context
        }

        func addSplit(_ split: SourceSplit) {
            let numbers = NumberedSource.decode(split.payload)
            open.append((numbers[0], numbers[1]))
        }
        func noMoreSplits() { isLast = true }

        func poll(rowLimit: Int) -> SourcePoll {
            guard let (split, next) = open.first else { return isLast ? .end : .needsSplit }
            if next == source.rowsPerSplit {
                if source.isEndless { return .wait(until: nil) }
                open.removeFirst()
                return .splitFinished("\(split)")
            }
            if context.random.next(below: 8) == 0 { return .wait(until: context.clock.now() + Int64(context.random.next(below: 20))) }
            let count = min(1 + Int(context.random.next(below: UInt64(rowLimit))), source.rowsPerSplit - next)
            let numbers = (next..<next + count).map { Int64(split * source.rowsPerSplit + $0) }
            open[0].next = next + count
            let keys = numbers.map { $0 % Int64(source.keyCount) }
            return .batch(
                Batch(
                    schema: NumberedSource.schema,
                    columns: [keys, numbers].map { Column(type: .bigInt.notNull, count: count, values: Buffer.copying($0)) }, count: count), split: "\(split)")
        }

        func snapshot() -> [SourceSplit] { open.map { SourceSplit(id: "\($0.split)", payload: NumberedSource.encode([$0.split, $0.next])) } }
        func close() {}
    }
}

/// Counts rows per key, and gives each row its key and the count so far.
final class CountingOperator: Operator {
    static let schema = Schema([Field("key", .bigInt.notNull), Field("count", .bigInt.notNull)])
    let failure: PlannedFailure?
    var counts: [Int64: Int64] = [:]
    var maxParallelism = 128

    init(_ failure: PlannedFailure?) { self.failure = failure }

    func open(_ context: OperatorContext) { maxParallelism = context.maxParallelism }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        let batch = try batch.compacted()
        let keys = batch.columns[0].pointer(as: Int64.self)
        var results: [Int64] = []
        for row in 0..<batch.count {
            try failure?.check()
            counts[keys[row], default: 0] += 1
            results.append(counts[keys[row], default: 0])
        }
        try output.emit(
            Batch(
                schema: Self.schema, columns: [batch.columns[0], Column(type: .bigInt.notNull, count: batch.count, values: Buffer.copying(results))],
                count: batch.count))
        return .done
    }

    private func group(_ key: Int64) -> KeyGroup { KeyGroup(KeyGroup.index(hash: StableHash.hash(key), maxParallelism: maxParallelism)) }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        for (key, count) in counts.sorted(by: { $0.key < $1.key }) {
            try writer.write("counts", keyGroup: group(key), bytes: NumberedSource.encode([Int(key), Int(count)]))
        }
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        for (_, bytes) in try reader.bytes("counts") {
            let pair = NumberedSource.decode(bytes)
            counts[Int64(pair[0])] = Int64(pair[1])
        }
    }
}

/// Fails after so many rows, so many times.
final class PlannedFailure: @unchecked Sendable {
    private let lock = TestLock()
    private var left: [Int]
    private var rows = 0

    init(after rows: [Int]) { left = rows }

    func check() throws(MillstreamError) {
        lock.lock()
        defer { lock.unlock() }
        rows += 1
        guard let next = left.first, rows > next else { return }
        left.removeFirst()
        rows = 0
        throw MillstreamError(.userFunction, "planned failure \(left.count)")
    }
}

/// What a sink's target holds, whatever becomes of the job.
final class OutsideWorld: @unchecked Sendable {
    private let lock = TestLock()
    private var committed: [[UInt8]: Int] = [:]
    private var order: [[UInt8]] = []
    private var nextID = 0

    func nextNumber() -> Int {
        lock.lock()
        defer { lock.unlock() }
        nextID += 1
        return nextID
    }

    func commit(_ payload: [UInt8]) -> CommitOutcome {
        lock.lock()
        defer { lock.unlock() }
        if committed[payload] != nil { return .alreadyCommitted }
        committed[payload] = 1
        order.append(payload)
        return .committed
    }

    /// Key and count of each row.
    var rows: [[Int]] {
        lock.lock()
        defer { lock.unlock() }
        return order.flatMap { payload -> [[Int]] in
            let numbers = NumberedSource.decode(payload).dropFirst()
            return stride(from: numbers.startIndex, to: numbers.endIndex, by: 2).map { [numbers[$0], numbers[$0 + 1]] }
        }
    }
}

/// Makes rows visible when they are committed.
final class TransactionalSink: Sink, @unchecked Sendable {
    let world: OutsideWorld
    init(_ world: OutsideWorld) { self.world = world }

    func makeWriter(_ context: OperatorContext) -> any SinkWriter { Writer(world) }
    func makeCommitter() -> (any Committer)? { Target(world) }

    final class Writer: SinkWriter {
        let world: OutsideWorld
        var numbers: [Int] = []
        init(_ world: OutsideWorld) { self.world = world }

        func write(_ batch: Batch, notify: @escaping @Sendable () -> Void) throws(MillstreamError) -> Bool {
            let batch = try batch.compacted()
            let keys = batch.columns[0].pointer(as: Int64.self)
            let counts = batch.columns[1].pointer(as: Int64.self)
            for row in 0..<batch.count { numbers += [Int(keys[row]), Int(counts[row])] }
            return true
        }

        func prepareCommit(endOfInput: Bool) -> [Committable] {
            if numbers.isEmpty { return [] }
            defer { numbers = [] }
            return [Committable(payload: NumberedSource.encode([world.nextNumber()] + numbers))]
        }
        func close() {}
    }

    final class Target: Committer {
        let world: OutsideWorld
        init(_ world: OutsideWorld) { self.world = world }
        func commit(_ committables: [Committable]) -> [CommitOutcome] { committables.map { world.commit($0.payload) } }
        func close() {}
    }
}
