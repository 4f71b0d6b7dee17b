import Columnar
import Dataflow
import Plan

/// Rows that the plan holds, in their order, by one subtask. Row kinds and timestamps go with them.
final class ValuesSource: Source {
    let schema: Schema
    var boundedness: Boundedness { .bounded }
    private let batches: [Batch]

    /// Throws `plan` if the rows are of other types than the schema's.
    init(_ description: ValuesDescription, schema: Schema) throws(MillstreamError) {
        for batch in description.batches where batch.schema.types != schema.types {
            throw MillstreamError(.plan, "a source gives (\(schema.columnList)), but its rows are (\(batch.schema.columnList))")
        }
        self.schema = schema
        batches = description.batches.map { batch in
            var batch = batch
            batch.schema = schema
            return batch
        }
    }

    func makeEnumerator(parallelism: Int) throws(MillstreamError) -> any SplitEnumerator {
        SplitList([ValuesPosition(batch: 0, row: 0).split])
    }

    func makeReader(_ context: SourceReaderContext) throws(MillstreamError) -> any SourceReader { ValuesReader(batches) }
}

/// The next row.
private struct ValuesPosition {
    static let id = "values"
    var batch: Int
    var row: Int

    var split: SourceSplit {
        var encoder = StateEncoder()
        encoder.put(Int64(batch))
        encoder.put(Int64(row))
        return SourceSplit(id: ValuesPosition.id, payload: encoder.bytes)
    }

    init(batch: Int, row: Int) {
        self.batch = batch
        self.row = row
    }

    init(_ split: SourceSplit, of batches: [Batch]) throws(MillstreamError) {
        var decoder = try StateDecoder(split.payload, subject: "the position in a list of rows")
        (batch, row) = (Int(truncatingIfNeeded: try decoder.int64()), Int(truncatingIfNeeded: try decoder.int64()))
        let isThere = batch == batches.count ? row == 0 : batches.indices.contains(batch) && row >= 0 && row <= batches[batch].count
        guard isThere else {
            throw MillstreamError(.decode, "the checkpoint is at row \(row) of list \(batch), and there is none", domain: .external)
        }
    }
}

private final class ValuesReader: SourceReader {
    private let batches: [Batch]
    private var position: ValuesPosition?
    private var isComplete = false

    init(_ batches: [Batch]) { self.batches = batches }

    func addSplit(_ split: SourceSplit) throws(MillstreamError) { position = try ValuesPosition(split, of: batches) }
    func noMoreSplits() { isComplete = true }

    func poll(rowLimit: Int) throws(MillstreamError) -> SourcePoll {
        guard var place = position else { return isComplete ? .end : .needsSplit }
        while place.batch < batches.count, place.row >= batches[place.batch].count { place = ValuesPosition(batch: place.batch + 1, row: 0) }
        guard place.batch < batches.count else {
            position = nil
            return .splitFinished(ValuesPosition.id)
        }
        let batch = batches[place.batch]
        let count = min(max(1, rowLimit), batch.count - place.row)
        position = ValuesPosition(batch: place.batch, row: place.row + count)
        return .batch(batch.slice(place.row, count), split: ValuesPosition.id)
    }

    func snapshot() throws(MillstreamError) -> [SourceSplit] { position.map { [$0.split] } ?? [] }
    func close() {}
}
