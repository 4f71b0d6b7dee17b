import Columnar
import Plan

/// A statement as the nodes of a job.
public struct PlannedStatement: Sendable {
    public var nodes: [Node]
    /// The query's columns, or one count for each INSERT.
    public var columns: [RelationColumn]
    /// The collecting sink of a query; nil for INSERTs.
    public var collector: NodeID?
    /// Which kinds of changes come out of the query.
    public var changelog: ChangelogMode
    /// The columns by which a row of the result is known, if there are such.
    public var uniqueKey: [Int]?
}

/// Plans queries and INSERTs of a session.
public final class StatementPlanner: QueryPlanner {
    private let session: SQLSession
    public var functions: any UserFunctions
    /// Sources of connectors that the program gives.
    public var sources: (@Sendable (TableScan) throws(MillstreamError) -> SourceDescription.Kind?)?
    public var sinks: (@Sendable (TableDescription, ResolvedTable) throws(MillstreamError) -> SinkDescription.Kind?)?

    public init(_ session: SQLSession, functions: any UserFunctions = NoUserFunctions()) {
        self.session = session
        self.functions = functions
    }

    private var isStreaming: Bool { session.options.runtimeMode != .batch }

    private var planning: PlanningOptions {
        var options = PlanningOptions()
        options.isStreaming = isStreaming
        let ttl = session.options.stateTTL
        options.stateRetentionMilliseconds = ttl > 0 ? ttl : nil
        let idle = session.options.idleTimeout
        options.idleTimeoutMilliseconds = idle > 0 ? idle : nil
        options.normalizesChanges = session.options.boolean("table.exec.source.cdc-events-duplicate")
        options.sources = sources
        return options
    }

    public var settings: SessionSettings { SessionSettings(timeZone: session.options.timeZone, database: session.catalogs.currentDatabase) }

    private var optimizer: Optimizer { Optimizer(QueryOptions(isStreaming: isStreaming, timeZone: session.options.timeZone)) }
    var isStreamingSession: Bool { isStreaming }

    /// For EXPLAIN.
    func optimized(_ query: QuerySyntax, _ source: SourceText) throws(MillstreamError) -> Relation { optimizer.optimized(try bind(query, source)) }

    func optimized(_ request: InsertRequest) throws(MillstreamError) -> Relation {
        guard case .table(let table) = request.target.object else {
            throw request.source.error("'\(request.target.path.name)' is a view: nothing can be inserted into it", at: request.insert.target.range)
        }
        return optimizer.optimized(try rows(of: request, table))
    }

    func sessionTarget(_ insert: InsertSyntax, _ source: SourceText) throws(MillstreamError) -> CatalogManager.Resolved {
        try session.catalogs.resolve(insert.target, in: source)
    }

    private func rows(of request: InsertRequest, _ table: CatalogTable) throws(MillstreamError) -> Relation {
        try InsertBinder(session, request, table, try bind(request.insert.query, request.source)).relation()
    }

    // MARK: Queries

    private func bind(_ query: QuerySyntax, _ source: SourceText) throws(MillstreamError) -> Relation {
        let options = QueryOptions(isStreaming: isStreaming, timeZone: session.options.timeZone)
        let binder = QueryBinder(source, names: SessionNames(session, functions: functions), options: options)
        return try binder.bind(query).plain
    }

    public func describe(_ query: QuerySyntax, in source: SourceText, session: SQLSession) throws(MillstreamError) -> QueryDescription {
        QueryDescription(columns: try bind(query, source).columns.map { ResultColumn($0.name, $0.type, timeAttribute: $0.time) })
    }

    /// A query whose rows a program takes.
    public func plan(_ query: QuerySyntax, in source: SourceText) throws(MillstreamError) -> PlannedStatement {
        let bound = try bind(query, source).withUniqueNames()
        let relation = optimizer.optimized(bound)
        let builder = PlanBuilder(settings, planning)
        let root = try builder.node(for: relation)
        let collector = builder.add("Collect", .sink(SinkDescription(.collect)), [Edge(source: root, partitioning: .global)], relation.columns, parallelism: 1)
        return PlannedStatement(
            nodes: builder.nodes, columns: bound.columns, collector: collector, changelog: builder.traits.changelog(of: relation),
            uniqueKey: builder.traits.uniqueKeys(of: relation).min { $0.count < $1.count })
    }

    // MARK: INSERT

    /// One job of all INSERTs; what they read in common is read once.
    public func plan(_ inserts: [InsertRequest]) throws(MillstreamError) -> PlannedStatement {
        let builder = PlanBuilder(settings, planning)
        let optimizer = optimizer
        var columns: [RelationColumn] = []
        for request in inserts {
            guard case .table(let table) = request.target.object else {
                throw request.source.error("'\(request.target.path.name)' is a view: nothing can be inserted into it", at: request.insert.target.range)
            }
            let relation = optimizer.optimized(try rows(of: request, table))
            try sink(request, table, relation, builder)
            columns.append(RelationColumn(request.target.path.description, .bigInt))
        }
        return PlannedStatement(nodes: builder.nodes, columns: columns, collector: nil, changelog: .insertOnly, uniqueKey: nil)
    }

    private func sink(_ request: InsertRequest, _ table: CatalogTable, _ relation: Relation, _ builder: PlanBuilder) throws(MillstreamError) {
        let range = request.insert.target.range
        let path = request.target.path
        let description = try session.placing(range, request.source) { () throws(MillstreamError) in try session.factories.describe(table, at: path) }
        guard description.roles.contains(.sink), let mode = description.sinkChangelog else {
            throw request.source.error("the table '\(path.name)' cannot be written: '\(description.connector)' is only read", at: range)
        }
        let changes = builder.traits.changelog(of: relation)
        if changes != .insertOnly, mode == .insertOnly {
            throw request.source.error(
                "the table '\(path.name)' takes new rows alone, but the query changes rows that it has given", at: range,
                hint: "Its connector '\(description.connector)' is append-only: use one that takes changes, or a query without updates.")
        }
        if request.insert.isOverwrite, isStreaming { throw request.source.error("INSERT OVERWRITE is for batch mode", at: range) }
        var input = try builder.node(for: relation)
        var partitioning = Partitioning.forward
        if changes != .insertOnly, !mode.contains(.updateBefore), let key = table.primaryKey {
            let positions = key.columns.compactMap { name in table.persistedColumns.firstIndex { $0.name == name } }
            let known = builder.traits.uniqueKeys(of: relation)
            if known.contains(where: { Set($0) == Set(positions) }) {
                partitioning = .hash(keys: positions)
                input = builder.add("DropUpdateBefore", .table(.dropUpdateBefore), [Edge(source: input)], relation.columns)
            } else {
                let materialize = UpsertMaterializeDescription(keys: positions, inputKey: known.min { $0.count < $1.count } ?? [])
                input = builder.add(
                    "SinkMaterializer", .table(.upsertMaterialize(materialize)), [Edge(source: input, partitioning: .hash(keys: positions))], relation.columns)
            }
        }
        let kind = try TableSinks.kind(description, ResolvedTable(path: path, table: table), request, sinks)
        _ = builder.add(
            "Sink: \(path.name)", .sink(SinkDescription(kind)), [Edge(source: input, partitioning: partitioning)], relation.columns,
            parallelism: description.parallelism("sink.parallelism"))
    }
}
