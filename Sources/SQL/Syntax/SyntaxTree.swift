/// What a statement says, as the parser read it: names are not resolved, nothing has a type. Every node knows where it stands in the text.

/// A name, with or without backticks. Names are case-sensitive.
public struct Identifier: Hashable, Sendable {
    public var text: String
    public var range: SourceRange

    public init(_ text: String, _ range: SourceRange) {
        self.text = text
        self.range = range
    }
}

/// `catalog.database.table`, `table.column`, or any part of it.
public struct QualifiedName: Hashable, Sendable {
    public var parts: [Identifier]

    public init(_ parts: [Identifier]) { self.parts = parts }

    public var range: SourceRange { parts.count == 1 ? parts[0].range : parts[0].range.through(parts[parts.count - 1].range) }
    public var text: String { parts.map(\.text).joined(separator: ".") }
}

// MARK: Expressions

/// Units of time in INTERVAL, EXTRACT, FLOOR TO and TIMESTAMPADD.
public enum TimeUnitName: String, Hashable, Sendable, CaseIterable {
    case year = "YEAR", quarter = "QUARTER", month = "MONTH", week = "WEEK", day = "DAY", hour = "HOUR", minute = "MINUTE", second = "SECOND"
    case millisecond = "MILLISECOND", microsecond = "MICROSECOND", nanosecond = "NANOSECOND"
    case dayOfWeek = "DOW", isoDayOfWeek = "ISODOW", dayOfYear = "DOY", isoYear = "ISOYEAR", decade = "DECADE", century = "CENTURY", millennium = "MILLENNIUM", epoch = "EPOCH"
}

/// What an INTERVAL literal says: `INTERVAL -'1-2' YEAR(2) TO MONTH`.
public struct IntervalSyntax: Hashable, Sendable {
    public var text: String
    public var isNegative: Bool
    public var from: TimeUnitName
    public var to: TimeUnitName?
    /// Digits of the leading field, and of the seconds' fraction.
    public var precision: Int?
    public var fractionPrecision: Int?
}

public enum LiteralSyntax: Hashable, Sendable {
    case null, `true`, `false`, unknown
    /// Digits, maybe with a point.
    case number(String)
    /// With an exponent: DOUBLE.
    case approximate(String)
    case string(String, characterSet: String?)
    case bytes([UInt8])
    case date(String), time(String), timestamp(String)
    /// TIMESTAMP WITH LOCAL TIME ZONE.
    case instant(String)
    case interval(IntervalSyntax)
}

public enum UnarySyntax: Hashable, Sendable { case plus, minus, not }

public enum BinarySyntax: String, Hashable, Sendable {
    case or = "OR", and = "AND"
    case equal = "=", notEqual = "<>", less = "<", lessOrEqual = "<=", greater = ">", greaterOrEqual = ">="
    case isDistinctFrom = "IS DISTINCT FROM", isNotDistinctFrom = "IS NOT DISTINCT FROM"
    case add = "+", subtract = "-", multiply = "*", divide = "/", remainder = "%", concatenate = "||"
    case overlaps = "OVERLAPS", contains = "CONTAINS", precedes = "PRECEDES", succeeds = "SUCCEEDS", equalsPeriod = "EQUALS"
    case memberOf = "MEMBER OF", submultisetOf = "SUBMULTISET OF"
}

/// `x IS …`.
public enum TestSyntax: String, Hashable, Sendable {
    case null = "NULL", `true` = "TRUE", `false` = "FALSE", unknown = "UNKNOWN"
    case json = "JSON", jsonValue = "JSON VALUE", jsonObject = "JSON OBJECT", jsonArray = "JSON ARRAY", jsonScalar = "JSON SCALAR"
    case set = "A SET", empty = "EMPTY"
}

public enum MatchKind: String, Hashable, Sendable { case like = "LIKE", similar = "SIMILAR TO", rlike = "RLIKE" }
public enum Quantifier: Hashable, Sendable { case any, all }

public struct ExpressionSyntax: Hashable, Sendable {
    public var kind: Kind
    public var range: SourceRange

    public init(_ kind: Kind, _ range: SourceRange) {
        self.kind = kind
        self.range = range
    }

    public indirect enum Kind: Hashable, Sendable {
        case literal(LiteralSyntax)
        case name(QualifiedName)
        /// `*` or `t.*`.
        case star(QualifiedName?)
        /// `?`.
        case parameter
        case unary(UnarySyntax, ExpressionSyntax)
        /// `(a - b) DAY`: two times, and the interval's type.
        case difference(ExpressionSyntax, ExpressionSyntax, TypeSyntax)
        case binary(BinarySyntax, ExpressionSyntax, ExpressionSyntax)
        case test(ExpressionSyntax, TestSyntax, isNegated: Bool)
        case between(ExpressionSyntax, low: ExpressionSyntax, high: ExpressionSyntax, isSymmetric: Bool, isNegated: Bool)
        case inList(ExpressionSyntax, [ExpressionSyntax], isNegated: Bool)
        case inQuery(ExpressionSyntax, QuerySyntax, isNegated: Bool)
        case quantified(BinarySyntax, ExpressionSyntax, Quantifier, QuerySyntax)
        /// `x = ANY (1, 2)`.
        case quantifiedList(BinarySyntax, ExpressionSyntax, Quantifier, [ExpressionSyntax])
        case match(ExpressionSyntax, MatchKind, pattern: ExpressionSyntax, escape: ExpressionSyntax?, isNegated: Bool)
        case `case`(operand: ExpressionSyntax?, branches: [CaseBranch], otherwise: ExpressionSyntax?)
        case cast(ExpressionSyntax, TypeSyntax, isTry: Bool)
        case call(CallSyntax)
        /// A unit of time as an argument: `FLOOR(t TO DAY)`, `EXTRACT(DAY FROM t)`, `TIMESTAMPADD(DAY, 1, t)`.
        case unit(TimeUnitName)
        case row([ExpressionSyntax])
        case array([ExpressionSyntax])
        /// Keys and values in turn.
        case map([ExpressionSyntax])
        case multiset([ExpressionSyntax])
        case arrayQuery(QuerySyntax)
        case mapQuery(QuerySyntax)
        case multisetQuery(QuerySyntax)
        case exists(QuerySyntax)
        case query(QuerySyntax)
        /// `a[i]`.
        case element(ExpressionSyntax, ExpressionSyntax)
        /// `(e).f`.
        case field(ExpressionSyntax, Identifier)
        case allFields(ExpressionSyntax)
        case json(JSONCallSyntax)
    }
}

public struct CaseBranch: Hashable, Sendable {
    /// Several values in `CASE x WHEN 1, 2 THEN …`.
    public var conditions: [ExpressionSyntax]
    public var result: ExpressionSyntax
}

/// An argument of a function: a value, a table, a descriptor of columns.
public struct ArgumentSyntax: Hashable, Sendable {
    public var name: Identifier?
    public var value: Value

    public indirect enum Value: Hashable, Sendable {
        case expression(ExpressionSyntax)
        case table(TableArgumentSyntax)
        case descriptor([Identifier])
        /// `DEFAULT`.
        case standard
    }
}

/// `TABLE t PARTITION BY a ORDER BY b`, or a query in parentheses.
public struct TableArgumentSyntax: Hashable, Sendable {
    public var table: TableSyntax
    public var partitionBy: [ExpressionSyntax] = []
    public var orderBy: [OrderItem] = []
}

public enum NullTreatment: Hashable, Sendable { case ignore, respect }

public struct CallSyntax: Hashable, Sendable {
    public var name: QualifiedName
    public var arguments: [ArgumentSyntax]
    /// COUNT(*).
    public var hasStar = false
    public var isDistinct = false
    /// ORDER BY within the parentheses, or in WITHIN GROUP.
    public var orderBy: [OrderItem] = []
    public var hasWithinGroup = false
    public var nullTreatment: NullTreatment?
    public var filter: ExpressionSyntax?
    public var over: WindowReference?
    /// Words that belong to a function's own syntax, such as BOTH in TRIM; MATCH_RECOGNIZE's RUNNING and FINAL.
    public var modifier: String?

    public init(name: QualifiedName, arguments: [ArgumentSyntax]) {
        self.name = name
        self.arguments = arguments
    }
}

/// JSON_VALUE, JSON_QUERY, JSON_EXISTS, JSON_OBJECT, JSON_ARRAY and their aggregates, with the words of the SQL standard.
public struct JSONCallSyntax: Hashable, Sendable {
    public enum Function: String, Hashable, Sendable {
        case value = "JSON_VALUE", query = "JSON_QUERY", exists = "JSON_EXISTS"
        case object = "JSON_OBJECT", array = "JSON_ARRAY", objectAggregate = "JSON_OBJECTAGG", arrayAggregate = "JSON_ARRAYAGG"
    }
    public enum Behaviour: Hashable, Sendable { case null, error, emptyArray, emptyObject, `true`, `false`, unknown, value(ExpressionSyntax) }
    public enum Wrapper: Hashable, Sendable { case without, conditional, unconditional }

    public var function: Function
    /// Values and paths; of JSON_OBJECT keys and values in turn.
    public var arguments: [ExpressionSyntax] = []
    public var returning: TypeSyntax?
    public var onEmpty: Behaviour?
    public var onError: Behaviour?
    public var wrapper: Wrapper?
    /// NULL ON NULL: true; ABSENT ON NULL: false.
    public var keepsNulls: Bool?
    public var filter: ExpressionSyntax?
    public var over: WindowReference?
}

// MARK: Windows and order

public struct OrderItem: Hashable, Sendable {
    public var expression: ExpressionSyntax
    public var isDescending = false
    public var nullsFirst: Bool?
}

public enum WindowReference: Hashable, Sendable {
    case named(Identifier)
    case inline(WindowSyntax)
}

public struct WindowSyntax: Hashable, Sendable {
    public var base: Identifier?
    public var partitionBy: [ExpressionSyntax] = []
    public var orderBy: [OrderItem] = []
    public var frame: FrameSyntax?
    public var range: SourceRange
}

public struct FrameSyntax: Hashable, Sendable {
    public indirect enum Bound: Hashable, Sendable {
        case unboundedPreceding, preceding(ExpressionSyntax), currentRow, following(ExpressionSyntax), unboundedFollowing
    }
    public var isRows: Bool
    public var start: Bound
    public var end: Bound?
    public var range: SourceRange
}

// MARK: Types

public struct TypeSyntax: Hashable, Sendable {
    public var kind: Kind
    /// NOT NULL: false; NULL: true.
    public var isNullable: Bool?
    public var range: SourceRange

    public indirect enum Kind: Hashable, Sendable {
        /// With the numbers in parentheses: `DECIMAL(10, 2)`; TIMESTAMP WITH LOCAL TIME ZONE is TIMESTAMP_LTZ.
        case simple(String, [Int])
        case interval(from: TimeUnitName, to: TimeUnitName?, precision: Int?, fraction: Int?)
        case array(TypeSyntax)
        case multiset(TypeSyntax)
        case map(TypeSyntax, TypeSyntax)
        case row([FieldSyntax])
        case structured(String, [FieldSyntax])
        case raw(String, String)
        case user(QualifiedName)
    }
}

public struct FieldSyntax: Hashable, Sendable {
    public var name: Identifier
    public var type: TypeSyntax
    public var comment: String?
}

// MARK: Queries

/// `NAME('a' = 'b', …)` or `NAME(a, b)` in a hint.
public struct HintSyntax: Hashable, Sendable {
    public var name: Identifier
    public var names: [String] = []
    public var options: [OptionSyntax] = []
}

public struct OptionSyntax: Hashable, Sendable {
    public var key: String
    public var value: String
    public var range: SourceRange
}

public struct QuerySyntax: Hashable, Sendable {
    public var with: [CommonTableSyntax] = []
    public var body: QueryBody
    public var orderBy: [OrderItem] = []
    public var offset: ExpressionSyntax?
    public var limit: ExpressionSyntax?
    public var range: SourceRange
}

public struct CommonTableSyntax: Hashable, Sendable {
    public var name: Identifier
    public var columns: [Identifier]
    public var query: QuerySyntax
}

public indirect enum QueryBody: Hashable, Sendable {
    case select(SelectSyntax)
    /// Each row an expression or a ROW.
    case values([ExpressionSyntax])
    /// `TABLE t`.
    case table(QualifiedName)
    case setOperation(SetOperation, isAll: Bool, QueryBody, QueryBody, SourceRange)
    case query(QuerySyntax)
}

public enum SetOperation: String, Hashable, Sendable { case union = "UNION", intersect = "INTERSECT", except = "EXCEPT" }

public struct SelectSyntax: Hashable, Sendable {
    public var hints: [HintSyntax] = []
    public var isDistinct = false
    public var items: [SelectItem] = []
    public var from: TableSyntax?
    public var condition: ExpressionSyntax?
    public var groupBy: GroupBySyntax?
    public var having: ExpressionSyntax?
    public var qualify: ExpressionSyntax?
    public var windows: [(name: Identifier, window: WindowSyntax)] = []
    public var range: SourceRange

    public static func == (left: SelectSyntax, right: SelectSyntax) -> Bool {
        left.hints == right.hints && left.isDistinct == right.isDistinct && left.items == right.items && left.from == right.from
            && left.condition == right.condition && left.groupBy == right.groupBy && left.having == right.having && left.qualify == right.qualify
            && left.windows.map(\.name) == right.windows.map(\.name) && left.windows.map(\.window) == right.windows.map(\.window)
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(range) }
}

public struct SelectItem: Hashable, Sendable {
    public var expression: ExpressionSyntax
    public var alias: Identifier?
}

public struct GroupBySyntax: Hashable, Sendable {
    public indirect enum Element: Hashable, Sendable {
        case expression(ExpressionSyntax)
        /// `()` is empty, `(a, b)` several.
        case group([ExpressionSyntax])
        case rollup([Element])
        case cube([Element])
        case sets([Element])
    }
    public var isDistinct = false
    public var elements: [Element]
    public var range: SourceRange
}

public enum JoinKind: String, Hashable, Sendable { case inner = "INNER", left = "LEFT", right = "RIGHT", full = "FULL", cross = "CROSS", comma = "," }

public enum JoinCondition: Hashable, Sendable {
    case on(ExpressionSyntax)
    case using([Identifier])
}

public struct TableSyntax: Hashable, Sendable {
    public var kind: Kind
    public var alias: Identifier?
    public var columns: [Identifier] = []
    public var range: SourceRange

    public init(_ kind: Kind, _ range: SourceRange) {
        self.kind = kind
        self.range = range
    }

    public indirect enum Kind: Hashable, Sendable {
        /// With its hints, and `FOR SYSTEM_TIME AS OF`.
        case named(QualifiedName, hints: [HintSyntax], asOf: ExpressionSyntax?)
        /// `TABLE(f(…))`.
        case function(CallSyntax, isLateral: Bool)
        case query(QuerySyntax, isLateral: Bool)
        case unnest([ExpressionSyntax], withOrdinality: Bool)
        case join(TableSyntax, TableSyntax, JoinKind, isNatural: Bool, JoinCondition?)
        case matchRecognize(TableSyntax, MatchSyntax)
    }
}

// MARK: MATCH_RECOGNIZE

public struct MatchSyntax: Hashable, Sendable {
    public enum Rows: Hashable, Sendable { case one, all, allShowEmpty, allOmitEmpty, allWithUnmatched }
    public enum Skip: Hashable, Sendable { case pastLastRow, toNextRow, toFirst(Identifier), toLast(Identifier) }

    public var partitionBy: [ExpressionSyntax] = []
    public var orderBy: [OrderItem] = []
    public var measures: [SelectItem] = []
    public var rows: Rows?
    public var skip: Skip?
    public var pattern: PatternSyntax
    public var isStrictStart = false
    public var isStrictEnd = false
    public var within: ExpressionSyntax?
    public var subsets: [SubsetSyntax] = []
    public var definitions: [DefinitionSyntax] = []
    public var range: SourceRange
}

public struct SubsetSyntax: Hashable, Sendable {
    public var name: Identifier
    public var members: [Identifier]
}

public struct DefinitionSyntax: Hashable, Sendable {
    public var name: Identifier
    public var condition: ExpressionSyntax
}

public struct PatternSyntax: Hashable, Sendable {
    public var kind: Kind
    public var range: SourceRange

    public indirect enum Kind: Hashable, Sendable {
        case variable(Identifier)
        case sequence([PatternSyntax])
        case alternation([PatternSyntax])
        /// `maximum` nil: without bound.
        case repeated(PatternSyntax, minimum: Int, maximum: Int?, isReluctant: Bool)
        case permute([PatternSyntax])
        /// `{- … -}`.
        case excluded(PatternSyntax)
        /// `()`.
        case empty
    }
}

// MARK: Statements

public struct StatementSyntax: Hashable, Sendable {
    public var kind: Kind
    public var range: SourceRange

    public indirect enum Kind: Hashable, Sendable {
        case query(QuerySyntax)
        case insert(InsertSyntax)
        case statementSet([InsertSyntax])
        case beginStatementSet
        case end
        case delete(QualifiedName, ExpressionSyntax?)
        case update(QualifiedName, [AssignmentSyntax], ExpressionSyntax?)
        case truncate(QualifiedName)
        case explain(ExplainSyntax)
        case createTable(CreateTableSyntax)
        case createView(CreateViewSyntax)
        case createFunction(CreateFunctionSyntax)
        case createCatalog(name: Identifier, ifNotExists: Bool, comment: String?, options: [OptionSyntax])
        case createDatabase(name: QualifiedName, ifNotExists: Bool, comment: String?, options: [OptionSyntax])
        case drop(DropSyntax)
        case alterTable(QualifiedName, ifExists: Bool, AlterTableSyntax)
        case renameView(QualifiedName, QualifiedName)
        case redefineView(QualifiedName, QuerySyntax)
        case alterDatabase(QualifiedName, [OptionSyntax])
        case alterFunction(CreateFunctionSyntax, ifExists: Bool)
        case alterCatalog(Identifier, AlterCatalogSyntax)
        case use(QualifiedName)
        case useCatalog(Identifier)
        case useModules([Identifier])
        case loadModule(Identifier, [OptionSyntax])
        case unloadModule(Identifier)
        case show(ShowSyntax)
        case describe(DescribeSyntax)
        case set(OptionSyntax?)
        case reset(String?)
        case addJar(String)
        case removeJar(String)
        case showJars
        case analyze(QualifiedName)
        case call(CallSyntax)
        /// One that is known and not built: what it is.
        case other(String)
    }
}

public struct AssignmentSyntax: Hashable, Sendable {
    public var column: Identifier
    public var value: ExpressionSyntax
}

public struct InsertSyntax: Hashable, Sendable {
    public enum Conflict: Hashable, Sendable { case error, nothing, deduplicate }

    public var target: QualifiedName
    public var hints: [HintSyntax] = []
    public var isOverwrite: Bool
    /// `PARTITION (day = '…')`: constants.
    public var partition: [AssignmentSyntax] = []
    public var columns: [Identifier]?
    public var query: QuerySyntax
    public var conflict: Conflict?
    public var range: SourceRange
}

public struct ExplainSyntax: Hashable, Sendable {
    /// CHANGELOG_MODE, ESTIMATED_COST, JSON_EXECUTION_PLAN, PLAN_ADVICE.
    public var details: [String]
    public var statement: StatementSyntax
}

public struct ColumnSyntax: Hashable, Sendable {
    public indirect enum Kind: Hashable, Sendable {
        case physical(TypeSyntax)
        case metadata(TypeSyntax, key: String?, isVirtual: Bool)
        case computed(ExpressionSyntax)
    }
    public enum Place: Hashable, Sendable { case first, after(Identifier) }

    /// Several parts where ALTER TABLE means a nested field.
    public var name: QualifiedName
    public var kind: Kind
    public var comment: String?
    /// `PRIMARY KEY NOT ENFORCED` behind the column.
    public var isPrimaryKey = false
    public var isUnique = false
    public var place: Place?
    public var range: SourceRange
}

public struct WatermarkSyntax: Hashable, Sendable {
    public var column: QualifiedName
    public var expression: ExpressionSyntax
    public var range: SourceRange
}

public struct ConstraintSyntax: Hashable, Sendable {
    public var name: Identifier?
    public var isPrimaryKey: Bool
    public var columns: [Identifier]
    public var isEnforced: Bool?
    public var range: SourceRange
}

public struct DistributionSyntax: Hashable, Sendable {
    /// HASH, RANGE or nil.
    public var kind: String?
    public var columns: [Identifier]
    public var buckets: Int?
}

public struct LikeSyntax: Hashable, Sendable {
    public struct Option: Hashable, Sendable {
        /// INCLUDING, EXCLUDING or OVERWRITING.
        public var behaviour: String
        /// ALL, CONSTRAINTS, DISTRIBUTION, GENERATED, METADATA, OPTIONS, PARTITIONS or WATERMARKS.
        public var feature: String
        public var range: SourceRange
    }
    public var source: QualifiedName
    public var options: [Option]
}

public struct CreateTableSyntax: Hashable, Sendable {
    public var name: QualifiedName
    public var isTemporary = false
    public var isReplaced = false
    public var ifNotExists = false
    public var columns: [ColumnSyntax] = []
    /// `CREATE TABLE t (a, b) AS …`: the query's columns in another order.
    public var columnNames: [Identifier] = []
    public var watermarks: [WatermarkSyntax] = []
    public var constraints: [ConstraintSyntax] = []
    public var comment: String?
    public var distribution: DistributionSyntax?
    public var partitionedBy: [Identifier] = []
    public var options: [OptionSyntax] = []
    public var like: LikeSyntax?
    public var query: QuerySyntax?
    public var range: SourceRange
}

public struct CreateViewSyntax: Hashable, Sendable {
    public var name: QualifiedName
    public var isTemporary: Bool
    public var isReplaced: Bool
    public var ifNotExists: Bool
    public var columns: [Identifier]
    public var comment: String?
    public var query: QuerySyntax
}

public struct CreateFunctionSyntax: Hashable, Sendable {
    public var name: QualifiedName
    public var isTemporary: Bool
    public var isSystem: Bool
    public var ifNotExists: Bool
    /// The class, the module and name, or the C declaration.
    public var definition: String
    public var language: String?
    /// Of USING: JAR, LIBRARY, FILE, ARTIFACT, with their paths.
    public var resources: [OptionSyntax]
    public var options: [OptionSyntax] = []
}

public struct DropSyntax: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable { case table = "TABLE", view = "VIEW", database = "DATABASE", catalog = "CATALOG", function = "FUNCTION", model = "MODEL" }
    public var kind: Kind
    public var name: QualifiedName
    public var isTemporary: Bool
    public var isSystem: Bool
    public var ifExists: Bool
    public var isCascade: Bool
}

public indirect enum AlterTableSyntax: Hashable, Sendable {
    case renameTo(QualifiedName)
    case renameColumn(QualifiedName, Identifier)
    case set([OptionSyntax])
    case reset([String])
    case add([ColumnSyntax], [WatermarkSyntax], [ConstraintSyntax], DistributionSyntax?)
    case modify([ColumnSyntax], [WatermarkSyntax], [ConstraintSyntax], DistributionSyntax?)
    case dropColumns([QualifiedName])
    case dropPrimaryKey
    case dropConstraint(Identifier)
    case dropWatermark
    case dropDistribution
    case addPartitions([[AssignmentSyntax]], ifNotExists: Bool)
    case dropPartitions([[AssignmentSyntax]], ifExists: Bool)
}

public enum AlterCatalogSyntax: Hashable, Sendable {
    case set([OptionSyntax])
    case reset([String])
    case comment(String)
}

public struct ShowSyntax: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        case catalogs, databases, tables, views, functions, userFunctions, modules, fullModules, columns, partitions, procedures, models, jobs, materializedTables
        case currentCatalog, currentDatabase, createTable, createView, createCatalog
    }
    public var kind: Kind
    /// FROM or IN: a catalog, database or table.
    public var scope: QualifiedName?
    public var pattern: String?
    public var isNegated = false
    public var ignoresCase = false
    /// PARTITION (…) of SHOW PARTITIONS.
    public var partition: [AssignmentSyntax] = []
}

public struct DescribeSyntax: Hashable, Sendable {
    public enum Kind: Hashable, Sendable { case table, catalog, database, function, model, job }
    public var kind: Kind
    public var name: QualifiedName
    public var isExtended: Bool
}
