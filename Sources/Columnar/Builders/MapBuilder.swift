/// Builds a MAP or MULTISET column: append to `keys` and `values` (counts), then `endMap()`.
public final class MapBuilder: ColumnBuilder {
    private let entries: RowBuilder
    private var ends = ListEnds()
    public override var count: Int { ends.count }
    /// The keys; no null may go in.
    public var keys: ColumnBuilder { entries.fields[0] }
    public var values: ColumnBuilder { entries.fields[1] }

    init(type: DataType, entries: RowBuilder) {
        self.entries = entries
        super.init(type: type)
    }

    /// Ends a map.
    public func endMap() throws(MillstreamError) {
        while entries.count < keys.count { try entries.endRow() }
        try ends.append(entries.count)
    }

    public override func appendNull() throws(MillstreamError) { try ends.appendNull(entries.count) }

    override func appendRun(_ column: Column, _ start: Int, _ length: Int) throws(MillstreamError) {
        try ends.append(column, start, length, to: entries)
    }

    override func appendScalar(_ scalar: Scalar) throws(MillstreamError) {
        guard case .map(let keys, let values) = scalar, keys.count == values.count else { throw mismatch(scalar) }
        for (key, value) in zip(keys, values) {
            try self.keys.append(key)
            try self.values.append(value)
        }
        try endMap()
    }

    public override func finish() -> Column { ends.finish(type: type, elements: entries) }
}
