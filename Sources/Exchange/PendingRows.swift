import Columnar
import Dataflow

/// The rows that wait in one channel's output buffer until they make a batch worth sending.
struct PendingRows {
    private(set) var parts: [Batch] = []
    private(set) var rowCount = 0

    var isEmpty: Bool { parts.isEmpty }

    mutating func append(_ rows: Batch) {
        parts.append(rows)
        rowCount &+= rows.count
    }

    /// All rows as one batch; none are left.
    mutating func take() throws(MillstreamError) -> Batch {
        defer {
            parts.removeAll(keepingCapacity: true)
            rowCount = 0
        }
        return parts.count == 1 ? parts[0] : try Batch.concat(parts)
    }
}
