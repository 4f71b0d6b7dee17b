import Columnar

/// GROUP BY: one row for each distinct key, with the aggregates of its rows. SELECT DISTINCT has no aggregates.
///
/// The input is a changelog. A row of the output has the key columns, then the aggregates. In STREAMING mode each row of the input gives the change that it makes: +I for the
/// first row of a key, -U and +U where the result changes, -D when its last row is retracted. In BATCH mode there is one +I for each key when the input has ended, and one for
/// no rows at all where there are no keys.
public struct GroupAggregateDescription: Hashable, Sendable {
    /// The key columns by position; empty: all rows are one group, of which there is a result only once there are rows.
    public var keys: [Int]
    public var aggregates: [AggregateExpression]
    /// Whether rows of the input may be -U or -D.
    public var inputRetracts: Bool
    /// Whether what comes behind needs the -U rows.
    public var emitsUpdateBefore: Bool
    /// How long a key is kept after its last row; nil: for ever. With it a result is emitted anew even if it has not changed, as in Flink.
    public var timeToLiveMilliseconds: Int64?
    /// nil: each row gives its change. Otherwise each key gives one change for the rows that are there together, at most about so many.
    public var miniBatchSize: Int?

    public init(
        keys: [Int], aggregates: [AggregateExpression], inputRetracts: Bool = false, emitsUpdateBefore: Bool = true,
        timeToLiveMilliseconds: Int64? = nil,
        miniBatchSize: Int? = nil
    ) {
        self.keys = keys
        self.aggregates = aggregates
        self.inputRetracts = inputRetracts
        self.emitsUpdateBefore = emitsUpdateBefore
        self.timeToLiveMilliseconds = timeToLiveMilliseconds
        self.miniBatchSize = miniBatchSize
    }
}
