import Columnar
import Plan

/// PRIMARY KEY … NOT ENFORCED: the data keep to it, nobody checks. Its columns are NOT NULL.
public struct PrimaryKey: Hashable, Sendable {
    public var name: String
    public var columns: [String]

    /// `name` nil: the one that Flink gives, from the columns' names.
    public init(_ name: String? = nil, columns: [String]) {
        self.name = name ?? "PK_" + columns.joined(separator: "_")
        self.columns = columns
    }
}

/// WATERMARK FOR `column` AS `expression`.
public struct WatermarkDefinition: Hashable, Sendable {
    public var column: String
    public var expression: DefinedExpression

    public init(column: String, expression: DefinedExpression) {
        self.column = column
        self.expression = expression
    }
}

/// DISTRIBUTED BY HASH(a) INTO 4 BUCKETS.
public struct TableDistribution: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable { case hash = "HASH", range = "RANGE" }
    public var kind: Kind?
    public var columns: [String]
    public var bucketCount: Int?

    public init(_ kind: Kind?, columns: [String], bucketCount: Int?) {
        self.kind = kind
        self.columns = columns
        self.bucketCount = bucketCount
    }
}

/// A table as its CREATE statement defines it.
public struct CatalogTable: Hashable, Sendable {
    public var columns: [TableColumn]
    public var primaryKey: PrimaryKey?
    public var watermark: WatermarkDefinition?
    public var distribution: TableDistribution?
    public var partitionKeys: [String]
    /// WITH: the connector, its format, their options.
    public var options: NameMap<String>
    public var comment: String?
    /// Partitions that ALTER TABLE ADD PARTITION made known, each `(key, value)` in the order of `partitionKeys`.
    public var partitions: [[String]] = []

    public init(
        columns: [TableColumn], primaryKey: PrimaryKey? = nil, watermark: WatermarkDefinition? = nil, distribution: TableDistribution? = nil,
        partitionKeys: [String] = [], options: NameMap<String> = [:], comment: String? = nil
    ) {
        self.columns = columns
        self.primaryKey = primaryKey
        self.watermark = watermark
        self.distribution = distribution
        self.partitionKeys = partitionKeys
        self.options = options
        self.comment = comment
    }

    public func index(of name: String) -> Int? { columns.firstIndex { $0.name.isSame(as: name) } }

    /// What a query sees.
    public var fields: [Field] { columns.map(\.field) }
    /// Physical and metadata columns, in order: what a computed column's expression reads.
    public var baseColumns: [TableColumn] { columns.filter { !$0.isComputed } }
    public var physicalColumns: [TableColumn] { columns.filter(\.isPhysical) }
    public var metadataColumns: [TableColumn] { columns.filter { $0.metadataKey != nil } }
    /// What INSERT writes, in order.
    public var persistedColumns: [TableColumn] { columns.filter(\.isPersisted) }

    /// Whether the column is an event time or processing time. (In batch mode nothing is an event time; who asks knows the mode.)
    public func timeAttribute(of index: Int) -> TimeAttribute? {
        let column = columns[index]
        if let watermark, watermark.column.isSame(as: column.name) { return .rowtime }
        if let expression = column.expression, case .call(.processingTime, _) = expression.bound.kind { return .proctime }
        return nil
    }

    public var resultColumns: [ResultColumn] {
        columns.indices.map { ResultColumn(columns[$0].name, columns[$0].type, timeAttribute: timeAttribute(of: $0), comment: columns[$0].comment) }
    }
}

/// A named query.
public struct CatalogView: Hashable, Sendable {
    public var columns: [ResultColumn]
    /// The query with the names of its tables written out, so that it means the same whatever the current database is.
    public var query: String
    /// The query as it was written.
    public var originalQuery: String
    public var comment: String?

    public init(columns: [ResultColumn], query: String, originalQuery: String, comment: String? = nil) {
        self.columns = columns
        self.query = query
        self.originalQuery = originalQuery
        self.comment = comment
    }
}

/// What a name in FROM can be.
public enum CatalogObject: Hashable, Sendable {
    case table(CatalogTable)
    case view(CatalogView)

    public var isView: Bool {
        if case .view = self { return true }
        return false
    }
    public var resultColumns: [ResultColumn] {
        switch self {
        case .table(let table): table.resultColumns
        case .view(let view): view.columns
        }
    }
}

/// A function of the user, by its class or declaration.
public struct CatalogFunction: Hashable, Sendable {
    /// Upper case: JAVA, SCALA, PYTHON or C.
    public var language: String
    /// The class, `module.name`, or the C declaration.
    public var definition: String
    /// JAR, LIBRARY, FILE or ARTIFACT, and its path.
    public var resources: [Resource]
    public var options: NameMap<String>

    public struct Resource: Hashable, Sendable {
        public var kind: String
        public var path: String

        public init(kind: String, path: String) {
            self.kind = kind
            self.path = path
        }
    }

    public init(language: String, definition: String, resources: [Resource] = [], options: NameMap<String> = [:]) {
        self.language = language
        self.definition = definition
        self.resources = resources
        self.options = options
    }
}
