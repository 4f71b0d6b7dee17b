import Columnar
import Dataflow
import Exchange

/// The rows that wait in a chain until they make a batch that is worth an operator's while.
struct GatheredRows {
    private var rows = PendingRows()
    private(set) var byteCount = 0
    private(set) var input = 0

    var rowCount: Int { rows.rowCount }

    /// All of them are of one input.
    mutating func append(_ batch: Batch, input: Int) {
        self.input = input
        rows.append(batch)
        byteCount &+= batch.byteCount
    }

    /// All rows as one batch; none are left.
    mutating func take() throws(MillstreamError) -> Batch {
        byteCount = 0
        return try rows.take()
    }
}
