import Columnar
import Dataflow
import Plan

/// OFFSET and FETCH of a stream of inserts.
final class LimitOperator: Operator, StateDeclaring {
    private static let part = "limit/rows"
    private static let fields = [Field("rows", DataType.bigInt.notNull)]

    private let description: LimitDescription
    private var seen: Int64 = 0

    init(_ description: LimitDescription) { self.description = description }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        let first = seen
        seen = seen.addingSaturating(Int64(batch.count))
        let start = max(0, description.offset)
        let end = description.fetch.map { start.addingSaturating(max(0, $0)) } ?? .max
        let low = max(first, start)
        let high = min(seen, end)
        if low < high { try output.emit(batch.slice(Int(low - first), Int(high - low))) }
        return .done
    }

    func declaredParts() -> [DeclaredPart] { [DeclaredPart(Self.part, Self.fields)] }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        try writer.write(Self.part, keyGroup: nil, batch: Batch(schema: Schema(Self.fields), columns: [.int64s([seen])], count: 1))
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        for (_, batch) in try reader.batches(Self.part) where batch.count > 0 {
            guard batch.columns.map(\.type.kind) == [.bigInt] else { throw MillstreamError(.decode, "the part '\(Self.part)' has other columns", domain: .external) }
            for row in 0..<batch.count { seen = seen.addingSaturating(batch.columns[0].pointer(as: Int64.self)[row]) }
        }
    }
}
