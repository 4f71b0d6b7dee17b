import CMillstream
import Columnar
import Dataflow

/// Takes an Arrow stream over, in every case. `shape` is "row", "tuple" or "scalar". The batches of a table are kept, so that it can be read again.
func takeStream(
    _ stream: UnsafeMutablePointer<ArrowArrayStream>?, shape: UnsafePointer<CChar>?, isTable: Bool
) throws(MillstreamError) -> any BatchStream {
    guard let stream else { throw MillstreamError(.invalidArgument, "the stream is NULL") }
    let reader = try ArrowStreamReader(moving: stream)
    return try ArrowBatchStream(reader, shape: try readText(shape, "shape"), isTable: isTable)
}

/// The batches of a program's Arrow stream under the shape that it asked for. One thread at a time.
private final class ArrowBatchStream: BatchStream, @unchecked Sendable {
    let schema: Schema
    private let reader: ArrowStreamReader
    private let isTable: Bool
    /// A table's batches so far: they share its memory.
    private var kept: [Batch] = []
    private var place = 0
    private(set) var givenRowCount: Int64 = 0

    init(_ reader: ArrowStreamReader, shape: String, isTable: Bool) throws(MillstreamError) {
        self.isTable = isTable
        self.reader = reader
        let fields = reader.schema.fields
        switch shape {
        case "row": schema = Schema(fields)
        case "tuple": schema = Schema(fields.enumerated().map { Field("f\($0.offset)", $0.element.type) }, shape: .tuple)
        case "scalar":
            guard fields.count == 1 else {
                throw MillstreamError(.plan, "a stream of bare values has one column, and this Arrow stream has \(fields.count)")
            }
            schema = .scalar(fields[0].type)
        default: throw Option("shape", shape).refusal("row, tuple or scalar")
        }
    }

    func next() throws(MillstreamError) -> Batch? {
        if place < kept.count {
            defer { place += 1 }
            givenRowCount += Int64(kept[place].count)
            return kept[place]
        }
        guard var batch = try reader.next() else { return nil }
        batch.schema = schema
        givenRowCount += Int64(batch.count)
        if isTable {
            kept.append(batch)
            place += 1
        }
        return batch
    }

    func rewind() throws(MillstreamError) -> Bool {
        if isTable {
            place = 0
            givenRowCount = 0
        }
        return isTable
    }
}
