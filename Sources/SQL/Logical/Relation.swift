import Columnar
import Plan

/// Of a query's order; Columnar has one of its own, for columns.
public typealias SortKey = Plan.SortKey

/// A column of a relation: what a query can name.
public struct RelationColumn: Hashable, Sendable {
    public var name: String
    public var type: DataType
    public var time: TimeAttribute?

    public init(_ name: String, _ type: DataType, time: TimeAttribute? = nil) {
        self.name = name
        self.type = type
        self.time = time
    }
}

/// One operator of a query, over the rows of its inputs.
///
/// Relations are immutable and shared: one that stands in a query twice (a view, a WITH table) is computed once.
public final class Relation: Sendable {
    public let operation: RelationalOperation
    public let inputs: [Relation]
    public let columns: [RelationColumn]

    init(_ operation: RelationalOperation, _ inputs: [Relation], _ columns: [RelationColumn]) {
        self.operation = operation
        self.inputs = inputs
        self.columns = columns
    }

    var input: Relation { inputs[0] }
    var types: [DataType] { columns.map(\.type) }

    /// The column at a position, as an expression over this relation's rows.
    func column(_ position: Int) -> ScalarExpression { .column(position, columns[position].type) }
}

/// What a relation does with the rows of its inputs.
public enum RelationalOperation: Sendable {
    /// A table of a catalog, all its physical and metadata columns.
    case scan(TableScan)
    /// Rows that stand in the query.
    case values([[Scalar]])
    /// The rows for which `condition` is true, with columns computed from theirs.
    case calc(condition: ScalarExpression?, [ScalarExpression])
    /// Event time: the column, and what is the watermark behind each row.
    case watermark(column: Int, ScalarExpression)
    /// Each row once for each of the sets, with NULL in the columns that it leaves out; its number in the last column.
    case expand(sets: [[Int]], keys: [Int])
    /// Result: the keys' columns, then a column for each call.
    case aggregate(keys: [Int], [AggregateExpression])
    /// Each row in its windows: columns `window_start`, `window_end`, `window_time` behind its own.
    case windowTable(WindowTable)
    /// Aggregation over the windows of a table function. Result: the keys' columns, the calls' columns, then those of `bounds`.
    case windowAggregate(WindowTable, keys: [Int], [AggregateExpression], bounds: [WindowBound])
    /// A column for each call, behind the row's own.
    case over([OverCalls])
    /// Rows of both inputs that have equal keys and for which `residual` (over the columns of both) holds.
    case join(RelationalJoin)
    /// UNION ALL.
    case union
    /// Each row as often as its count column says, without that column.
    case replicate(count: Int)
    case sort([SortKey])
    case limit(offset: Int64, fetch: Int64?)
    /// The first rows of each partition in an order; the rank behind the row's columns where it is wanted.
    case rank(RankedRows)
    /// The elements of a collection of each row, behind the row's own columns.
    case unnest(UnnestedColumn)
}

/// What is read of a table.
public struct TableScan: Sendable {
    public var table: ResolvedTable
    /// What its options mean, those of a hint among them.
    public var description: TableDescription
}

/// Calls over windows of one partitioning and order.
public struct OverCalls: Hashable, Sendable {
    public enum Bound: Hashable, Sendable {
        case unboundedPreceding
        /// Rows, or milliseconds, or months, or the difference of the order's values: as the order column's type says.
        case preceding(Scalar)
        case currentRow
        case following(Scalar)
        case unboundedFollowing
    }
    public var partitionBy: [Int]
    public var orderBy: [SortKey]
    public var isRows: Bool
    public var start: Bound
    public var end: Bound
    public var calls: [AggregateExpression]
}

public struct RelationalJoin: Hashable, Sendable {
    public enum Kind: Hashable, Sendable { case inner, left, right, full, semi, anti }
    public enum Time: Hashable, Sendable {
        case regular
        /// Rows whose times lie within bounds of each other: left - right in `lower ... upper` milliseconds.
        case interval(leftTime: Int, rightTime: Int, lower: Int64, upper: Int64, isProcessingTime: Bool)
        /// The version of the right side that is valid at the left side's time.
        case temporal(leftTime: Int, isProcessingTime: Bool)
        case lookup
        /// Both in the same window.
        case window
    }
    public var kind: Kind
    public var leftKeys: [Int]
    public var rightKeys: [Int]
    /// Whether NULL equals NULL, for each key.
    public var matchesNulls: [Bool]
    /// Over the columns of both inputs.
    public var residual: ScalarExpression?
    public var time: Time
}

public struct RankedRows: Hashable, Sendable {
    public var function: AggregateFunction.BuiltIn
    public var partitionBy: [Int]
    public var orderBy: [SortKey]
    /// From 1.
    public var first: Int64
    public var last: Int64
    public var hasNumber: Bool
}

public struct UnnestedColumn: Hashable, Sendable {
    public var collection: ScalarExpression
    public var isLeft: Bool
    public var hasOrdinality: Bool
    /// Over the columns of the result: which elements count.
    public var condition: ScalarExpression?
}
