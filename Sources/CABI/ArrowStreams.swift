import CMillstream
import Columnar
import Dataflow

/// Takes an Arrow stream over, in every case. `shape` is "row", "tuple" or "scalar".
func takeStream(
    _ stream: UnsafeMutablePointer<ArrowArrayStream>?, shape: UnsafePointer<CChar>?
) throws(MillstreamError) -> any BatchStream {
    guard let stream else { throw MillstreamError(.invalidArgument, "the stream is NULL") }
    let reader = try ArrowStreamReader(moving: stream)
    return try ArrowBatchStream(reader, shape: try readText(shape, "shape"))
}

/// The batches of a program's Arrow stream under the shape that it asked for. One thread at a time.
private final class ArrowBatchStream: BatchStream {
    let schema: Schema
    private let reader: ArrowStreamReader

    init(_ reader: ArrowStreamReader, shape: String) throws(MillstreamError) {
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
        guard var batch = try reader.next() else { return nil }
        batch.schema = schema
        return batch
    }
}
