import Columnar

/// A table that is asked for rows by key: the right side of a lookup join. One subtask's, used by one thread at a time.
public protocol LookupTable: AnyObject {
    func open() throws(MillstreamError)
    /// The rows of some keys: `keys` has a column for each of the table's key columns, `count` rows without NULLs.
    func lookup(_ keys: [Column], count: Int) throws(MillstreamError) -> LookupResult
    func close() throws(MillstreamError)
}

extension LookupTable {
    public func open() throws(MillstreamError) {}
    public func close() throws(MillstreamError) {}
}

/// What a lookup found.
public struct LookupResult: Sendable {
    /// The table's columns, of equal length.
    public var columns: [Column]
    /// Of each row, which of the keys it is for (0-based), ascending; a key may have any number of rows.
    public var parents: [Int32]

    public init(columns: [Column], parents: [Int32]) {
        self.columns = columns
        self.parents = parents
    }
}
