import Columnar

/// The windows of a table: TUMBLE, HOP, CUMULATE and SESSION, or those that the rows say themselves. Times are milliseconds.
///
/// Windows over a column of TIMESTAMP are in its own time; over TIMESTAMP_LTZ, or the clock's, they begin and end by the local time of a zone. Bounds that come out are local
/// times, but for `window_time`, which has the type of the time column.
public struct WindowTable: Hashable, Sendable {
    public enum Shape: Hashable, Sendable {
        case tumble(size: Int64)
        /// The size is a multiple of the slide.
        case hop(slide: Int64, size: Int64)
        /// Windows with the same start that grow by a step, up to the size, which is a multiple of it.
        case cumulate(step: Int64, size: Int64)
        /// Rows of a key (`partitionBy`) whose times are at most the gap apart.
        case session(gap: Int64, partitionBy: [Int])
        /// The windows that a table function gave to the rows already: its columns.
        case attached(start: Int, end: Int)
    }
    public var shape: Shape
    public var offset: Int64
    /// The column of the event time; not read where the clock's time counts, or windows are there already.
    public var timeColumn: Int
    public var isProcessingTime: Bool
    /// Of the session, e.g. `Europe/Berlin`.
    public var timeZone: String

    public init(_ shape: Shape, offset: Int64 = 0, timeColumn: Int, isProcessingTime: Bool = false, timeZone: String = "UTC") {
        self.shape = shape
        self.offset = offset
        self.timeColumn = timeColumn
        self.isProcessingTime = isProcessingTime
        self.timeZone = timeZone
    }
}

/// Which bound of a window is a column.
public enum WindowBound: Int, Hashable, Sendable { case start, end, time }

/// Aggregation over the windows of a table function: GROUP BY window_start, window_end and keys. A row of the output has the key columns, the aggregates, then the bounds;
/// it comes when the time has passed its window, once.
public struct WindowAggregateDescription: Hashable, Sendable {
    public var window: WindowTable
    /// The key columns by position; for sessions at least those by which they are partitioned.
    public var keys: [Int]
    public var aggregates: [AggregateExpression]
    public var bounds: [WindowBound]
    /// Whether rows of the input may be -U or -D.
    public var inputRetracts: Bool

    public init(window: WindowTable, keys: [Int], aggregates: [AggregateExpression], bounds: [WindowBound], inputRetracts: Bool = false) {
        self.window = window
        self.keys = keys
        self.aggregates = aggregates
        self.bounds = bounds
        self.inputRetracts = inputRetracts
    }
}
