import Columnar
import Dataflow
import Plan

/// Each row as often as its count says, without the count: the end of INTERSECT ALL and EXCEPT ALL.
final class ReplicateOperator: Operator {
    private static let rowCountMax = 4_096
    private let count: Int
    private let schema: Schema
    private var pending: Batch?
    /// The row of `pending` that is next, and how often it has come out.
    private var row = 0
    private var given: Int64 = 0

    /// `count`: the column of the counts, BIGINT.
    init(count: Int, input: Schema, output: Schema) throws(MillstreamError) {
        guard count >= 0, count < input.fields.count, input.fields[count].type.kind == .bigInt else {
            throw MillstreamError(.plan, "rows are to be repeated by column \(count) of \(input), which is no BIGINT")
        }
        self.count = count
        schema = output
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        pending = try batch.compacted()
        (row, given) = (0, 0)
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        guard let batch = pending else { return .done }
        let counts = batch.columns[count]
        let times = UnsafePointer(counts.pointer(as: Int64.self))
        while row < batch.count {
            var rows: [Int32] = []
            while row < batch.count, rows.count < Self.rowCountMax {
                let wanted = counts.isNull(row) ? 0 : times[row]
                if given >= wanted {
                    (row, given) = (row + 1, 0)
                    continue
                }
                let more = min(Int(clamping: wanted - given), Self.rowCountMax - rows.count)
                rows.append(contentsOf: repeatElement(Int32(truncatingIfNeeded: row), count: more))
                given += Int64(more)
            }
            guard !rows.isEmpty else { break }
            var part = batch
            part.columns = batch.columns.enumerated().filter { $0.offset != count && $0.offset < batch.schema.fields.count }.map(\.element)
            part.keyHashes = nil
            part.schema = schema
            try output.emit(try part.selecting(Selection(rows)).compacted())
            if output.isFull { return .more }
        }
        withExtendedLifetime(counts) {}
        pending = nil
        return .done
    }

    func close() { pending = nil }
}
