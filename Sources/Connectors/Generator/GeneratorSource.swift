import Columnar
import Dataflow
import Plan

/// Rows computed from their number, as many as asked and as fast as asked.
///
/// The numbers go round the subtasks in blocks, so that parallel readers advance side by side and event time made from the number does not
/// drift apart between them. The rate is shared evenly over the splits.
public final class GeneratorSource: Source {
    /// Rows that one subtask makes before the numbers go on to the next one.
    static let blockRowCountMax: Int64 = 1_024

    /// Far beyond what can be made; keeps the arithmetic of the pace exact.
    static let rowsPerSecondMax = 1e12

    public let schema: Schema
    public let boundedness: Boundedness
    private let description: GeneratorDescription
    private let makeRows: @Sendable (SourceReaderContext) throws(MillstreamError) -> any RowGenerator

    /// Throws `configuration` for a negative count or a rate that is not above zero.
    public convenience init(_ description: GeneratorDescription, rows: any RowGenerator, schema: Schema) throws(MillstreamError) {
        try self.init(description, schema: schema) { _ in rows }
    }

    /// `makeRows` makes the rows' maker of one reader.
    init(
        _ description: GeneratorDescription, schema: Schema,
        makeRows: @escaping @Sendable (SourceReaderContext) throws(MillstreamError) -> any RowGenerator
    ) throws(MillstreamError) {
        if let count = description.count, count < 0 {
            throw MillstreamError(.configuration, "a generator's row count is \(count); it must not be negative")
        }
        if let rate = description.rowsPerSecond, !(rate > 0 && rate <= GeneratorSource.rowsPerSecondMax) {
            throw MillstreamError(
                .configuration, "a generator's rate is \(rate) rows per second; it must be above 0 and at most \(GeneratorSource.rowsPerSecondMax)")
        }
        self.description = description
        self.makeRows = makeRows
        self.schema = schema
        boundedness = description.count == nil ? .unbounded : .bounded
    }

    public func makeEnumerator(parallelism: Int) throws(MillstreamError) -> any SplitEnumerator {
        let parts = Int64(max(1, parallelism))
        let block = blockRowCount(parts)
        let splits = (0..<parts).map { part in
            GeneratorSplit(id: "rows-\(part)", next: part &* block, block: block, parts: parts).encoded
        }
        return SplitList(splits)
    }

    public func makeReader(_ context: SourceReaderContext) throws(MillstreamError) -> any SourceReader {
        GeneratorReader(rows: try makeRows(context), count: description.count ?? .max, rowsPerSecond: description.rowsPerSecond, clock: context.clock)
    }

    /// Small where few rows come, or slowly, so that no subtask stands idle meanwhile.
    private func blockRowCount(_ parts: Int64) -> Int64 {
        var block = GeneratorSource.blockRowCountMax
        if let count = description.count { block = min(block, count / (8 &* parts)) }
        if let rate = description.rowsPerSecond, rate < 1e6 { block = min(block, Int64(rate / 10)) }
        return max(1, block)
    }
}

/// A subtask's share of the row numbers: block `i` belongs to it if `i % parts` is its own number.
struct GeneratorSplit {
    var id: String
    var next: Int64
    var block: Int64
    var parts: Int64

    var encoded: SourceSplit {
        var encoder = StateEncoder()
        encoder.put(next)
        encoder.put(block)
        encoder.put(parts)
        return SourceSplit(id: id, payload: encoder.bytes)
    }

    init(id: String, next: Int64, block: Int64, parts: Int64) {
        self.id = id
        self.next = next
        self.block = block
        self.parts = parts
    }

    init(_ split: SourceSplit) throws(MillstreamError) {
        var decoder = try StateDecoder(split.payload, subject: "the position of a generator")
        self.init(id: split.id, next: try decoder.int64(), block: try decoder.int64(), parts: try decoder.int64())
        guard next >= 0, (1...GeneratorSource.blockRowCountMax).contains(block), parts > 0, parts < 1 << 20 else {
            throw MillstreamError(.decode, "the position of a generator in the checkpoint is damaged", domain: .external)
        }
    }

    /// Rows left in the current block.
    var leftInBlock: Int64 { block - next % block }

    /// Moves past `count` rows of the current block, and over the others' blocks at its end. Saturates at the last number.
    mutating func advance(_ count: Int64) {
        let endsBlock = count == leftInBlock
        next = next.addingSaturating(count)
        if endsBlock { next = next.addingSaturating(block &* (parts - 1)) }
    }
}

private final class GeneratorReader: SourceReader {
    private struct Open {
        var split: GeneratorSplit
        var pacer: RatePacer?
    }

    private let rows: any RowGenerator
    private let count: Int64
    private let rowsPerSecond: Double?
    private let clock: any Clock
    private var open: [Open] = []
    private var isComplete = false

    init(rows: any RowGenerator, count: Int64, rowsPerSecond: Double?, clock: any Clock) {
        self.rows = rows
        self.count = count
        self.rowsPerSecond = rowsPerSecond
        self.clock = clock
    }

    func addSplit(_ split: SourceSplit) throws(MillstreamError) {
        let split = try GeneratorSplit(split)
        open.append(Open(split: split, pacer: rowsPerSecond.map { RatePacer(rowsPerSecond: $0 / Double(split.parts)) }))
    }

    func noMoreSplits() { isComplete = true }

    /// Takes the splits in turn, so that several of them (after a restart with fewer subtasks) advance together.
    func poll(rowLimit: Int) throws(MillstreamError) -> SourcePoll {
        guard !open.isEmpty else { return isComplete ? .end : .needsSplit }
        let now = clock.monotonicNanoseconds()
        var delay = Int64.max
        for _ in 0..<open.count {
            var current = open.removeFirst()
            guard current.split.next < count else { return .splitFinished(current.split.id) }
            var limit = max(1, rowLimit)
            if current.pacer != nil {
                let wait = current.pacer?.delay(from: now) ?? 0
                let due = wait == 0 ? current.pacer?.due(at: now, limit: limit) ?? limit : 0
                limit = due
                if due == 0 { delay = min(delay, max(1, wait)) }
            }
            if limit > 0 {
                let batch = try emit(&current, limit: limit)
                let id = current.split.id
                open.append(current)
                return .batch(batch, split: id)
            }
            open.append(current)
        }
        return .wait(until: clock.now() + max(1, (delay &+ 999_999) / 1_000_000))
    }

    private func emit(_ current: inout Open, limit: Int) throws(MillstreamError) -> Batch {
        let first = current.split.next
        let count = min(Int64(limit), min(current.split.leftInBlock, self.count - first))
        let batch = try rows.rows(first: first, count: Int(count))
        current.split.advance(count)
        current.pacer?.didEmit(Int(count))
        return batch
    }

    func snapshot() throws(MillstreamError) -> [SourceSplit] { open.map(\.split.encoded) }
    func close() {}
}
