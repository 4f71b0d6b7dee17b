import Columnar

/// What comes to an operator that keeps rows.
public enum ChangelogInput: Hashable, Sendable {
    /// Inserts alone.
    case appendOnly
    /// +I, +U and -D of rows that these columns (with the operator's own keys) name; -U may be left out.
    case upsert(key: [Int])
    /// Each row that goes away comes as -U or -D, as it was.
    case retract
}

/// Top-N: the rows of each partition whose rank is in a range.
public struct RankDescription: Hashable, Sendable {
    public enum Function: Int32, Hashable, Sendable { case rowNumber = 0, rank = 1, denseRank = 2 }
    public var function: Function
    /// None: one partition of all rows (ORDER BY with LIMIT).
    public var partition: [Int]
    /// None: the order in which rows come.
    public var order: [SortKey]
    /// The first rank that counts, from 1.
    public var start: Int64
    /// The last one; nil: all.
    public var end: Int64?
    /// Whether the rank (BIGINT) is the last column.
    public var outputsRank: Bool
    public var input: ChangelogInput
    /// Whether someone behind it needs -U.
    public var generatesUpdateBefore: Bool
    /// After how many milliseconds without a change a partition is forgotten; nil: never.
    public var timeToLive: Int64?

    public init(
        function: Function = .rowNumber, partition: [Int], order: [SortKey], start: Int64 = 1, end: Int64?, outputsRank: Bool, input: ChangelogInput,
        generatesUpdateBefore: Bool = true, timeToLive: Int64? = nil
    ) {
        self.function = function
        self.partition = partition
        self.order = order
        self.start = start
        self.end = end
        self.outputsRank = outputsRank
        self.input = input
        self.generatesUpdateBefore = generatesUpdateBefore
        self.timeToLive = timeToLive
    }
}

/// One row of each key, of a stream of inserts: the first or the last.
public struct DeduplicateDescription: Hashable, Sendable {
    public enum Order: Hashable, Sendable {
        /// As the rows come.
        case processingTime
        /// By a column of event time. The first row comes out when the watermark has reached it; rows behind the watermark are dropped and counted then.
        case eventTime(column: Int)
    }
    public var keys: [Int]
    public var order: Order
    public var keepsLast: Bool
    public var generatesUpdateBefore: Bool
    /// Whether someone behind it tells +I from +U.
    public var generatesInsert: Bool
    public var timeToLive: Int64?

    public init(
        keys: [Int], order: Order, keepsLast: Bool, generatesUpdateBefore: Bool = true, generatesInsert: Bool = true, timeToLive: Int64? = nil
    ) {
        self.keys = keys
        self.order = order
        self.keepsLast = keepsLast
        self.generatesUpdateBefore = generatesUpdateBefore
        self.generatesInsert = generatesInsert
        self.timeToLive = timeToLive
    }
}

/// Rows by a unique key, of which some say +I for a change, or leave out -U, become a whole changelog.
public struct ChangelogNormalizeDescription: Hashable, Sendable {
    public var keys: [Int]
    public var generatesUpdateBefore: Bool
    public var timeToLive: Int64?

    public init(keys: [Int], generatesUpdateBefore: Bool = true, timeToLive: Int64? = nil) {
        self.keys = keys
        self.generatesUpdateBefore = generatesUpdateBefore
        self.timeToLive = timeToLive
    }
}

/// A changelog whose rows of one key may have changed places on their way, as changes of the key's last row: before a sink with this primary key.
public struct UpsertMaterializeDescription: Hashable, Sendable {
    /// The sink's primary key.
    public var keys: [Int]
    /// The columns by which the query knows a row; none: all columns are compared.
    public var inputKey: [Int]
    public var timeToLive: Int64?

    public init(keys: [Int], inputKey: [Int] = [], timeToLive: Int64? = nil) {
        self.keys = keys
        self.inputKey = inputKey
        self.timeToLive = timeToLive
    }
}
