import Columnar
import Dataflow

/// A source for simulations: split i belongs to subtask i, and its rows come in random cuts, with pauses.
///
/// Rows: key, sequence number within the split, split, event time (out of order by at most `ScriptedSource.disorder` milliseconds).
final class ScriptedSource: Source, @unchecked Sendable {
    static let disorder: Int64 = 50
    static let schema = Schema([
        Field("key", .bigInt.notNull), Field("sequence", .bigInt.notNull), Field("split", .bigInt.notNull), Field("time", .bigInt.notNull),
    ])

    let firstSplit: Int
    let splitCount: Int
    let rowsPerSplit: Int
    let seed: UInt64
    let ledger: Ledger

    init(firstSplit: Int, splitCount: Int, rowsPerSplit: Int, seed: UInt64, ledger: Ledger) {
        self.firstSplit = firstSplit
        self.splitCount = splitCount
        self.rowsPerSplit = rowsPerSplit
        self.seed = seed
        self.ledger = ledger
    }

    var boundedness: Boundedness { .bounded }
    var schema: Schema { Self.schema }

    func makeEnumerator(parallelism: Int) throws(MillstreamError) -> any SplitEnumerator {
        ledger.opened("enumerator")
        return Enumerator(self)
    }

    func makeReader(_ context: SourceReaderContext) throws(MillstreamError) -> any SourceReader {
        ledger.opened("reader")
        return Reader(self, context)
    }

    /// Three keys to a split; no two splits share a key, so the order of a key is the order of its split.
    static func key(split: Int, sequence: Int) -> Int64 { Int64(split * 3 + sequence % 3) }

    final class Enumerator: SplitEnumerator {
        let source: ScriptedSource
        var given: Set<Int> = []
        var delays = 2

        init(_ source: ScriptedSource) { self.source = source }

        func nextSplit(for subtask: SubtaskIndex) throws(MillstreamError) -> SplitAssignment {
            guard subtask.value < source.splitCount, !given.contains(subtask.value) else { return .noMore }
            if delays > 0 {
                delays -= 1
                return .later(ProcessingTime(milliseconds: 1_000_000_000_000 + 5))
            }
            given.insert(subtask.value)
            return .split(SourceSplit(id: "\(subtask.value)", payload: []))
        }

        func addBack(_ splits: [SourceSplit]) {}
        func snapshot() throws(MillstreamError) -> [UInt8] { [] }
        func restore(_ bytes: [UInt8]) throws(MillstreamError) {}
        func close() { source.ledger.closed("enumerator") }
    }

    final class Reader: SourceReader {
        let source: ScriptedSource
        let context: SourceReaderContext
        let random: SeededRandom
        var next = 0
        var split: Int?
        var isLast = false

        init(_ source: ScriptedSource, _ context: SourceReaderContext) {
            self.source = source
            self.context = context
            random = SeededRandom(seed: source.seed &+ UInt64(source.firstSplit * 64 + context.subtask.value))
        }

        func addSplit(_ split: SourceSplit) throws(MillstreamError) { self.split = source.firstSplit + (Int(split.id) ?? 0) }
        func noMoreSplits() { isLast = true }

        func poll(rowLimit: Int) throws(MillstreamError) -> SourcePoll {
            guard let split else { return isLast ? .end : .needsSplit }
            if next == source.rowsPerSplit {
                self.split = nil
                next = 0
                return .splitFinished("\(split)")
            }
            if random.next(below: 16) == 0 { return .wait(until: context.clock.now() + Int64(random.next(below: 40))) }
            let count = min(1 + Int(random.next(below: UInt64(rowLimit))), source.rowsPerSplit - next)
            var columns = [[Int64]](repeating: [], count: 4)
            for sequence in next..<(next + count) {
                columns[0].append(ScriptedSource.key(split: split, sequence: sequence))
                columns[1].append(Int64(sequence))
                columns[2].append(Int64(split))
                columns[3].append(Int64(sequence) * 20 - Int64(random.next(below: UInt64(ScriptedSource.disorder))))
            }
            next += count
            let batch = Batch(
                schema: ScriptedSource.schema,
                columns: columns.map { Column(type: .bigInt.notNull, count: count, values: Buffer.copying($0)) }, count: count)
            return .batch(batch, split: "\(split)")
        }

        func snapshot() throws(MillstreamError) -> [SourceSplit] { [] }
        func close() { source.ledger.closed("reader") }
    }
}
