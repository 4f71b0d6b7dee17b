import Columnar

/// The operators of tables: their rows say what they do to a table (`Batch.rowKinds`), and NULL is a key like others. Pure data.
public enum TableOperation: Sendable {
    case calc(CalcDescription)
    case expand(ExpandDescription)
    case unnest(UnnestDescription)
    case limit(LimitDescription)
    case sort(SortDescription)
    /// Leaves out -U, for readers that know a row by its key.
    case dropUpdateBefore
    /// Each row as often as this column (BIGINT) says; the output is without the column.
    case replicate(count: Int)
    case rank(RankDescription)
    case deduplicate(DeduplicateDescription)
    case changelogNormalize(ChangelogNormalizeDescription)
    case upsertMaterialize(UpsertMaterializeDescription)
    case join(JoinDescription)
    case intervalJoin(IntervalJoinDescription)
    case temporalJoin(TemporalJoinDescription)
    case windowJoin(WindowJoinDescription)
    case lookupJoin(LookupJoinDescription)

    /// By what each input is keyed: the rows of a key come to one subtask. Nil: rows may come anywhere; no columns: all come to the one subtask there is.
    public var inputKeys: [[Int]?] {
        switch self {
        case .calc, .expand, .unnest, .dropUpdateBefore, .replicate, .lookupJoin: [nil]
        case .limit, .sort: [[]]
        case .rank(let rank): [rank.partition]
        case .deduplicate(let deduplicate): [deduplicate.keys]
        case .changelogNormalize(let normalize): [normalize.keys]
        case .upsertMaterialize(let materialize): [materialize.keys]
        case .join(let join): [join.keys.left, join.keys.right]
        case .intervalJoin(let join): [join.keys.left, join.keys.right]
        case .temporalJoin(let join): [join.keys.left, join.keys.right]
        case .windowJoin(let join): [join.keys.left, join.keys.right]
        }
    }

    public var inputCount: Int { inputKeys.count }
    /// Whether it keeps state by key.
    public var isKeyed: Bool { inputKeys.contains { $0 != nil } }
}

/// WHERE and SELECT: columns computed of the rows for which a condition is true. Row kinds and timestamps stay.
public struct CalcDescription: Hashable, Sendable {
    /// Over the input's columns; nil: all rows.
    public var condition: ScalarExpression?
    /// One for each column of the output; nil: the input's columns.
    public var projections: [ScalarExpression]?

    public init(condition: ScalarExpression? = nil, projections: [ScalarExpression]? = nil) {
        self.condition = condition
        self.projections = projections
    }
}

/// Grouping sets: each row once for each of the sets. Output: the input's columns, then the set's number (BIGINT).
public struct ExpandDescription: Hashable, Sendable {
    public struct GroupingSet: Hashable, Sendable {
        /// The columns that are NULL in this set, ascending.
        public var nulls: [Int]
        public var id: Int64

        public init(nulls: [Int], id: Int64) {
            self.nulls = nulls
            self.id = id
        }
    }
    public var sets: [GroupingSet]

    public init(sets: [GroupingSet]) { self.sets = sets }
}

/// The elements of a collection of each row behind the row's columns: an array's element, a map's key and value, a multiset's element as often as it is in
/// it; where the elements are rows, their fields.
public struct UnnestDescription: Hashable, Sendable {
    /// Over the input's columns: an ARRAY, a MAP or a MULTISET.
    public var collection: ScalarExpression
    /// Whether a row without elements (or NULL for a collection) comes out with NULLs.
    public var isLeft: Bool
    /// Whether the element's number, from 1 (INT), is the last column.
    public var hasOrdinality: Bool
    /// Over the output's columns: which elements count; nil: all.
    public var condition: ScalarExpression?

    public init(collection: ScalarExpression, isLeft: Bool = false, hasOrdinality: Bool = false, condition: ScalarExpression? = nil) {
        self.collection = collection
        self.isLeft = isLeft
        self.hasOrdinality = hasOrdinality
        self.condition = condition
    }
}

/// OFFSET and FETCH of all rows in the order in which they come. Of a changelog with updates it is a rank without an order.
public struct LimitDescription: Hashable, Sendable {
    public var offset: Int64
    /// nil: all behind the offset.
    public var fetch: Int64?

    public init(offset: Int64 = 0, fetch: Int64?) {
        self.offset = offset
        self.fetch = fetch
    }
}

/// All rows in order: when the input has ended, or, with a time column, as the watermark passes their times. Rows that come behind others of a later time
/// that have come out are dropped and counted.
public struct SortDescription: Hashable, Sendable {
    /// The whole order, the time column first where there is one.
    public var order: [SortKey]
    /// The event time's column, ascending; nil: rows wait for the end of the input.
    public var timeColumn: Int?

    public init(order: [SortKey], timeColumn: Int? = nil) {
        self.order = order
        self.timeColumn = timeColumn
    }
}

/// What expressions see of the session that a job was made in.
public struct SessionSettings: Hashable, Sendable {
    /// `table.local-time-zone`.
    public var timeZone: String
    public var database: String

    public init(timeZone: String = "UTC", database: String = "default_database") {
        self.timeZone = timeZone
        self.database = database
    }
}

extension Operation {
    /// Whether rows whose only key column is NULL are rows like others, as in SQL; a stream that is keyed by a function has none.
    public var takesNullKeys: Bool {
        switch self {
        case .table, .aggregate: true
        default: false
        }
    }
}
