import Columnar
import Dataflow

/// Rows that wait until they make a batch worth sending.
public struct PendingRows {
    private var parts: [Batch] = []
    public private(set) var rowCount = 0

    public init() {}

    public var isEmpty: Bool { parts.isEmpty }

    public mutating func append(_ rows: Batch) {
        parts.append(rows)
        rowCount &+= rows.count
    }

    /// All rows as one batch; none are left.
    public mutating func take() throws(MillstreamError) -> Batch {
        defer {
            parts.removeAll(keepingCapacity: true)
            rowCount = 0
        }
        return parts.count == 1 ? parts[0] : try Batch.concat(parts)
    }
}
