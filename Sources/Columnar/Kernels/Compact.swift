extension Batch {
    /// The rows that count, densely, without a selection. Text, bytes and host values are shared with this batch.
    public func compacted() throws(MillstreamError) -> Batch {
        guard let selection else { return self }
        var copy = self
        copy.selection = nil
        copy.physicalCount = selection.count
        copy.columns = []
        copy.columns.reserveCapacity(columns.count)
        for column in columns { copy.columns.append(try column.taking(selection)) }
        copy.rowKinds = try rowKinds?.taking(selection)
        copy.timestamps = try timestamps?.taking(selection)
        copy.keyHashes = try keyHashes?.taking(selection)
        return copy
    }
}
