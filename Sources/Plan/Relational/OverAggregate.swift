import Columnar

/// OVER: each row with a column for each call behind its own.
public struct OverDescription: Hashable, Sendable {
    /// What the order of the rows is in STREAMING mode; in BATCH mode the windows' own order counts alone.
    public enum Time: Hashable, Sendable {
        /// A column of event time; rows come out as the watermark passes them.
        case event(column: Int)
        /// The order of arrival.
        case processing
        /// Any order: of a table that has ended.
        case none
    }

    /// Calls over windows of one partitioning, order and frame.
    public struct Window: Hashable, Sendable {
        public enum Bound: Hashable, Sendable {
            case unboundedPreceding
            /// Rows, or a difference of the order's values: milliseconds where that is a time, otherwise in the type of the order's column.
            case preceding(Scalar)
            case currentRow
            case following(Scalar)
            case unboundedFollowing
        }
        /// Columns by position; in STREAMING mode the same for all windows of an operator.
        public var partitionBy: [Int]
        public var orderBy: [SortKey]
        public var isRows: Bool
        public var start: Bound
        public var end: Bound
        /// The columns of the results come in the order of the windows, then of their calls.
        public var calls: [AggregateExpression]

        public init(
            partitionBy: [Int], orderBy: [SortKey], isRows: Bool, start: Bound = .unboundedPreceding, end: Bound = .currentRow,
            calls: [AggregateExpression]
        ) {
            self.partitionBy = partitionBy
            self.orderBy = orderBy
            self.isRows = isRows
            self.start = start
            self.end = end
            self.calls = calls
        }
    }
    public var windows: [Window]
    public var time: Time

    public init(windows: [Window], time: Time = .none) {
        self.windows = windows
        self.time = time
    }
}
