import Columnar
import Dataflow

/// The batches of a stream that the program bound (an Arrow table or reader): read once, by one subtask.
///
/// The position counts rows. A table can be read again from any row on; a stream that gives its batches once cannot, and a restart that would need it to is
/// refused.
public final class BatchStreamSource: Source {
    public let schema: Schema
    public var boundedness: Boundedness { .bounded }
    private let stream: any BatchStream

    public init(_ stream: any BatchStream, schema: Schema) {
        self.stream = stream
        self.schema = schema
    }

    public func makeEnumerator(parallelism: Int) throws(MillstreamError) -> any SplitEnumerator {
        SplitList([SourceSplit(id: "stream", payload: encodePosition(0))])
    }

    public func makeReader(_ context: SourceReaderContext) throws(MillstreamError) -> any SourceReader {
        BatchStreamReader(stream, schema: schema)
    }
}

private func encodePosition(_ row: Int64) -> [UInt8] {
    var encoder = StateEncoder()
    encoder.put(row)
    return encoder.bytes
}

private final class BatchStreamReader: SourceReader {
    private let stream: any BatchStream
    private let schema: Schema
    private var split: String?
    private var position: Int64 = 0
    /// What is left of the stream's last batch: a stream's batches may be much larger than ours.
    private var rest: Batch?
    private var isComplete = false

    init(_ stream: any BatchStream, schema: Schema) {
        self.stream = stream
        self.schema = schema
    }

    func addSplit(_ split: SourceSplit) throws(MillstreamError) {
        var decoder = try StateDecoder(split.payload, subject: "the position in a batch stream")
        let position = try decoder.int64()
        if try !stream.rewind(), position > 0 || stream.givenRowCount > 0 {
            throw MillstreamError(
                .unsupported, "the source gives its rows once, and \(stream.givenRowCount) have been taken: it cannot go on from row \(position)",
                hint: "Give the rows as a table or as files, or run without checkpoints.")
        }
        self.split = split.id
        try skip(to: position)
    }

    private func skip(to position: Int64) throws(MillstreamError) {
        while self.position < position {
            guard let next = try stream.next() else {
                throw MillstreamError(
                    .invalidState, "the source has \(self.position) row(s), and \(position) had been read before the checkpoint",
                    hint: "The rows must be the same as when the checkpoint was made.")
            }
            let count = min(Int64(next.count), position - self.position)
            self.position += count
            if count < Int64(next.count) { rest = next.slice(Int(count), next.count - Int(count)) }
        }
    }

    func noMoreSplits() { isComplete = true }

    func poll(rowLimit: Int) throws(MillstreamError) -> SourcePoll {
        guard let split else { return isComplete ? .end : .needsSplit }
        while rest == nil {
            guard let next = try stream.next() else {
                self.split = nil
                return .splitFinished(split)
            }
            guard next.columns.count >= schema.fields.count else {
                throw MillstreamError(
                    .typeMismatch, "a batch of the stream has \(next.columns.count) columns, expected (\(schema.columnList))")
            }
            for (column, field) in zip(next.columns, schema.fields) where column.type.kind != field.type.kind {
                throw MillstreamError(.typeMismatch, "column '\(field.name)' of the stream has type \(column.type), expected \(field.type)")
            }
            if !next.isEmpty { rest = next }
        }
        guard let batch = rest else { return .wait(until: nil) }
        let count = min(batch.count, max(1, rowLimit))
        rest = count < batch.count ? batch.slice(count, batch.count - count) : nil
        var slice = batch.slice(0, count)
        slice.schema = schema
        position &+= Int64(count)
        return .batch(slice, split: split)
    }

    func snapshot() throws(MillstreamError) -> [SourceSplit] {
        split.map { [SourceSplit(id: $0, payload: encodePosition(position))] } ?? []
    }

    func close() { rest = nil }
}
