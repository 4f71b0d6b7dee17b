import Columnar
import Dataflow

/// Sends each row to the subtask that owns its key's group.
///
/// The hash is computed once and travels with the batch in `keyHashes`, for the tables behind the exchange. A null key is refused here, before
/// any state sees it.
public final class HashPartitioner: Partitioner {
    private let keys: [Int]
    private let operatorName: String
    private let takesNulls: Bool
    private let maxParallelism: Int
    private let channelOfGroup: [UInt16]
    private var splitter = RowSplitter()
    private var rowsBefore: Int64 = 0

    /// `keys` are positions in the batch; `operatorName` is who keys the stream, for messages. `takesNulls`: a key that is NULL is one like others.
    public init(keys: [Int], parallelism: Int, maxParallelism: Int, operatorName: String, takesNulls: Bool = false) {
        self.takesNulls = takesNulls
        self.keys = keys
        self.operatorName = operatorName
        self.maxParallelism = maxParallelism
        channelOfGroup = (0..<maxParallelism).map { UInt16(truncatingIfNeeded: $0 * parallelism / maxParallelism) }
    }

    public func route(_ batch: Batch, to channels: any RoutedRows) throws(MillstreamError) {
        let keyed = try keyed(batch)
        defer { rowsBefore += Int64(batch.count) }
        if channels.channelCount == 1 { return try channels.add(keyed, to: 0) }
        guard let hashes = keyed.keyHashes else { return }
        let maxParallelism = self.maxParallelism
        try channelOfGroup.withUnsafeBufferPointer { (table) throws(MillstreamError) in
            guard let table = table.baseAddress else { return }
            try splitter.split(keyed, over: channels) { targets in
                assignChannels(
                    hashes: hashes.pointer(as: UInt64.self), rowCount: keyed.count, rows: keyed.selection?.indices,
                    maxParallelism: maxParallelism, channelOfGroup: table, targets: targets)
            }
        }
    }

    private func keyed(_ batch: Batch) throws(MillstreamError) -> Batch {
        var columns: [Column] = []
        columns.reserveCapacity(keys.count)
        for key in keys {
            guard key >= 0, key < batch.columns.count else {
                throw MillstreamError.internal("key column \(key) of \(batch.columns.count)").inOperator(operatorName)
            }
            columns.append(batch.columns[key])
        }
        // SQL groups by keys with NULL fields; a DataStream key is one value (SEMANTICS 5.9). Both come here with their own columns, and only
        // a key that is one column and NULL as a whole is refused.
        if !takesNulls, columns.count == 1, columns[0].mayHaveNulls { try refuseNulls(columns[0], batch) }
        do {
            return try batch.keyed(by: columns)
        } catch {
            throw located(error)
        }
    }

    private func refuseNulls(_ column: Column, _ batch: Batch) throws(MillstreamError) {
        guard column.nullCount > 0 else { return }
        for index in 0..<batch.count where column.isNull(batch.selection?[index] ?? index) {
            throw MillstreamError.nullKey(recordIndex: rowsBefore &+ Int64(index)).inOperator(operatorName)
        }
    }

    /// The hash kernel counts within the batch.
    private func located(_ error: MillstreamError) -> MillstreamError {
        var copy = error.inOperator(operatorName)
        copy.recordIndex = error.recordIndex.map { $0 + rowsBefore }
        return copy
    }
}

/// Writes the channel of each row's key group.
private func assignChannels(
    hashes: UnsafePointer<UInt64>, rowCount: Int, rows: UnsafePointer<Int32>?, maxParallelism: Int,
    channelOfGroup: UnsafePointer<UInt16>, targets: UnsafeMutablePointer<UInt16>
) {
    if let rows {
        for index in 0..<rowCount {
            targets[index] = channelOfGroup[KeyGroup.index(hash: hashes[Int(rows[index])], maxParallelism: maxParallelism)]
        }
    } else {
        for index in 0..<rowCount {
            targets[index] = channelOfGroup[KeyGroup.index(hash: hashes[index], maxParallelism: maxParallelism)]
        }
    }
}
