import Columnar

public enum JoinKind: Int32, Hashable, Sendable {
    case inner = 0, left = 1, right = 2, full = 3
    /// The left side's rows that have a match, and those that have none.
    case semi = 4, anti = 5
}

/// The columns of both inputs that are equal, in pairs of one type (nullability and lengths aside). None: all rows meet.
public struct JoinKeys: Hashable, Sendable {
    public var left: [Int]
    public var right: [Int]
    /// Whether NULL equals NULL (IS NOT DISTINCT FROM), for each pair.
    public var matchesNulls: [Bool]

    public init(left: [Int], right: [Int], matchesNulls: [Bool]? = nil) {
        self.left = left
        self.right = right
        self.matchesNulls = matchesNulls ?? left.map { _ in false }
    }
}

/// What is known of one input of a join: its rows, and how long they are kept.
public struct JoinSide: Hashable, Sendable {
    public enum Uniqueness: Hashable, Sendable {
        /// Equal rows may come several times.
        case none
        /// At most one row for a key of the join: a later one takes its place.
        case joinKey
        /// At most one row for these columns (with the join's keys).
        case columns([Int])
    }
    public var uniqueness: Uniqueness
    /// After how many milliseconds without a change a row is forgotten; nil: never.
    public var timeToLive: Int64?

    public init(uniqueness: Uniqueness = .none, timeToLive: Int64? = nil) {
        self.uniqueness = uniqueness
        self.timeToLive = timeToLive
    }
}

/// A join of two changelogs. Output: the left input's columns, then the right one's; of SEMI and ANTI the left one's alone.
public struct JoinDescription: Hashable, Sendable {
    public var kind: JoinKind
    public var keys: JoinKeys
    /// Over the columns of both inputs; nil: true.
    public var condition: ScalarExpression?
    public var left: JoinSide
    public var right: JoinSide

    public init(kind: JoinKind, keys: JoinKeys, condition: ScalarExpression? = nil, left: JoinSide = JoinSide(), right: JoinSide = JoinSide()) {
        self.kind = kind
        self.keys = keys
        self.condition = condition
        self.left = left
        self.right = right
    }
}

/// A join of rows whose times are near each other: right time + lower <= left time <= right time + upper. Inserts alone.
public struct IntervalJoinDescription: Hashable, Sendable {
    public enum Time: Hashable, Sendable {
        case event(leftColumn: Int, rightColumn: Int)
        case processing
    }
    public var kind: JoinKind
    public var keys: JoinKeys
    public var condition: ScalarExpression?
    public var time: Time
    /// Milliseconds, both inclusive.
    public var lower: Int64
    public var upper: Int64

    public init(kind: JoinKind, keys: JoinKeys, condition: ScalarExpression? = nil, time: Time, lower: Int64, upper: Int64) {
        self.kind = kind
        self.keys = keys
        self.condition = condition
        self.time = time
        self.lower = lower
        self.upper = upper
    }
}

/// FOR SYSTEM_TIME AS OF: each left row with the right row that was valid at its event time. Comes out when the watermark has reached the left row.
public struct TemporalJoinDescription: Hashable, Sendable {
    /// `inner` or `left`.
    public var kind: JoinKind
    public var keys: JoinKeys
    public var condition: ScalarExpression?
    public var leftTimeColumn: Int
    public var rightTimeColumn: Int

    public init(kind: JoinKind, keys: JoinKeys, condition: ScalarExpression? = nil, leftTimeColumn: Int, rightTimeColumn: Int) {
        self.kind = kind
        self.keys = keys
        self.condition = condition
        self.leftTimeColumn = leftTimeColumn
        self.rightTimeColumn = rightTimeColumn
    }
}

/// A join of rows in the same window; it comes out when the watermark has passed the window's end. Inserts alone.
public struct WindowJoinDescription: Hashable, Sendable {
    public var kind: JoinKind
    /// Those of the windows' starts and ends are among them.
    public var keys: JoinKeys
    public var condition: ScalarExpression?
    /// The columns of the windows' ends.
    public var leftEndColumn: Int
    public var rightEndColumn: Int

    public init(kind: JoinKind, keys: JoinKeys, condition: ScalarExpression? = nil, leftEndColumn: Int, rightEndColumn: Int) {
        self.kind = kind
        self.keys = keys
        self.condition = condition
        self.leftEndColumn = leftEndColumn
        self.rightEndColumn = rightEndColumn
    }
}

/// A join with rows that a table looks up by key when a row comes. Row kinds stay.
public struct LookupJoinDescription: Hashable, Sendable {
    /// `inner` or `left`.
    public var kind: JoinKind
    /// What to look up, over the left input's columns: one for each key of the table.
    public var lookupKeys: [ScalarExpression]
    /// Over the left input's columns; rows for which it is not true have no match. nil: true.
    public var leftCondition: ScalarExpression?
    /// Over the columns of the left input and of the table.
    public var condition: ScalarExpression?
    /// The table (`LookupTable`), which the program binds.
    public var table: BindingID

    public init(kind: JoinKind, lookupKeys: [ScalarExpression], leftCondition: ScalarExpression? = nil, condition: ScalarExpression? = nil, table: BindingID) {
        self.kind = kind
        self.lookupKeys = lookupKeys
        self.leftCondition = leftCondition
        self.condition = condition
        self.table = table
    }
}
