import Columnar
import Plan

/// Makes the nodes of a job of relations: each relation becomes one or a few operators, those that are shared once.
public final class PlanBuilder {
    public private(set) var nodes: [Node] = []
    private let session: SessionSettings
    private let options: PlanningOptions
    let traits: RelationTraits
    private var made: [ObjectIdentifier: NodeID] = [:]
    private var kept: [Relation] = []

    public init(_ session: SessionSettings, _ options: PlanningOptions) {
        self.session = session
        self.options = options
        traits = RelationTraits(isStreaming: options.isStreaming)
    }

    func add(_ name: String, _ operation: Operation, _ inputs: [Edge], _ columns: [RelationColumn], parallelism: Int? = nil) -> NodeID {
        let id = NodeID(nodes.count)
        var node = Node(id: id, name: name, inputs: inputs, operation: operation, output: Schema(columns.map { Field($0.name, $0.type) }))
        // State is known again by the operator's place in the query.
        node.uid = "\(options.uidPrefix)\(id.value)_\(Self.uidName(name))"
        node.parallelism = parallelism
        nodes.append(node)
        return id
    }

    private static func uidName(_ name: String) -> String { String(name.prefix { $0 != "(" && $0 != "[" }).lowercased() }

    /// The node that gives a relation's rows.
    func node(for relation: Relation) throws(MillstreamError) -> NodeID {
        if let known = made[ObjectIdentifier(relation)] { return known }
        let id = try build(relation)
        made[ObjectIdentifier(relation)] = id
        kept.append(relation)
        return id
    }

    /// The rows of a relation, sent to the subtasks of their keys.
    private func keyed(_ relation: Relation, by keys: [Int]) throws(MillstreamError) -> (edge: Edge, parallelism: Int?) {
        let source = try node(for: relation)
        return keys.isEmpty ? (Edge(source: source, partitioning: .global), 1) : (Edge(source: source, partitioning: .hash(keys: keys)), nil)
    }

    private func forward(_ relation: Relation) throws(MillstreamError) -> Edge { Edge(source: try node(for: relation)) }

    var isStreaming: Bool { options.isStreaming }
    var normalizesChanges: Bool { options.normalizesChanges }
    func boundSource(_ scan: TableScan) throws(MillstreamError) -> SourceDescription.Kind? { try options.sources?(scan) }

    private func table(_ name: String, _ operation: TableOperation, _ relation: Relation) throws(MillstreamError) -> NodeID {
        var edges: [Edge] = []
        var parallelism: Int?
        for (input, keys) in zip(relation.inputs, operation.inputKeys) {
            if let keys {
                let (edge, count) = try keyed(input, by: keys)
                edges.append(edge)
                if count == 1 { parallelism = 1 }
            } else {
                edges.append(try forward(input))
            }
        }
        return add(name, .table(operation), edges, relation.columns, parallelism: parallelism)
    }

    private func build(_ relation: Relation) throws(MillstreamError) -> NodeID {
        let retention = options.stateRetentionMilliseconds
        switch relation.operation {
        case .scan(let scan): return try source(scan, relation)
        case .values(let rows):
            let schema = Schema(relation.columns.map { Field($0.name, $0.type) })
            let batches = try Self.batches(rows, schema)
            return add("Values", .source(SourceDescription(.values(ValuesDescription(batches)))), [], relation.columns, parallelism: 1)
        case .calc(let condition, let expressions):
            let isSame = expressions.count == relation.input.columns.count && expressions.enumerated().allSatisfy { $0.element.kind == .column($0.offset) }
            return try table("Calc", .calc(CalcDescription(condition: condition, projections: isSame ? nil : expressions)), relation)
        case .watermark(let column, let expression):
            let description = WatermarkDescription(
                timestamps: .column(column), generator: .expression(expression), idleTimeoutMilliseconds: options.idleTimeoutMilliseconds)
            return add("WatermarkAssigner", .assignTimestamps(description), [try forward(relation.input)], relation.columns)
        case .expand(let sets, let keys):
            let described = sets.enumerated().map { index, set in
                ExpandDescription.GroupingSet(nulls: keys.filter { !set.contains($0) }, id: Int64(index))
            }
            return try table("Expand", .expand(ExpandDescription(sets: described)), relation)
        case .aggregate(let keys, let calls):
            let description = GroupAggregateDescription(
                keys: keys, aggregates: calls, inputRetracts: !traits.isInsertOnly(relation.input), timeToLiveMilliseconds: retention, miniBatchSize: options.miniBatchSize)
            let (edge, parallelism) = try keyed(relation.input, by: keys)
            return add("GroupAggregate", .aggregate(.group(description)), [edge], relation.columns, parallelism: parallelism)
        case .union:
            var edges: [Edge] = []
            for input in relation.inputs { edges.append(try forward(input)) }
            return add("Union", .union, edges, relation.columns)
        case .sort(let keys):
            var timeColumn: Int?
            if options.isStreaming {
                guard let first = keys.first, !first.isDescending, relation.input.columns[first.column].time == .rowtime else {
                    throw MillstreamError(
                        .plan, "a stream without end cannot be ordered by anything but its event time, ascending",
                        hint: "LIMIT behind ORDER BY keeps the first rows; batch mode orders all.")
                }
                timeColumn = first.column
            }
            return try table("Sort", .sort(SortDescription(order: keys, timeColumn: timeColumn)), relation)
        case .limit(let offset, let fetch):
            if options.isStreaming, !traits.isInsertOnly(relation.input) {
                let rank = RankDescription(
                    partition: [], order: [], start: offset + 1, end: fetch.map { offset.addingSaturating($0) }, outputsRank: false, input: .retract, timeToLive: retention)
                return try table("Limit", .rank(rank), relation)
            }
            return try table("Limit", .limit(LimitDescription(offset: offset, fetch: fetch)), relation)
        case .rank(let rank): return try ranked(rank, relation)
        case .unnest(let unnest):
            return try table(
                "Unnest", .unnest(UnnestDescription(collection: unnest.collection, isLeft: unnest.isLeft, hasOrdinality: unnest.hasOrdinality, condition: unnest.condition)), relation)
        case .join(let join): return try joined(join, relation)
        case .windowTable(let window):
            if case .session(_, let keys) = window.shape {
                let (edge, parallelism) = try keyed(relation.input, by: keys)
                return add("WindowTableFunction", .aggregate(.windowTable(window)), [edge], relation.columns, parallelism: parallelism)
            }
            return add("WindowTableFunction", .aggregate(.windowTable(window)), [try forward(relation.input)], relation.columns)
        case .windowAggregate(let window, let keys, let calls, let bounds):
            let description = WindowAggregateDescription(
                window: window, keys: keys, aggregates: calls, bounds: bounds, inputRetracts: !traits.isInsertOnly(relation.input))
            let (edge, parallelism) = try keyed(relation.input, by: keys)
            return add("WindowAggregate", .aggregate(.window(description)), [edge], relation.columns, parallelism: parallelism)
        case .over(let groups): return try over(groups, relation)
        case .replicate(let count): return try table("ReplicateRows", .replicate(count: count), relation)
        }
    }

    private func over(_ groups: [OverCalls], _ relation: Relation) throws(MillstreamError) -> NodeID {
        func bound(_ bound: OverCalls.Bound) -> OverDescription.Window.Bound {
            switch bound {
            case .unboundedPreceding: .unboundedPreceding
            case .preceding(let distance): .preceding(distance)
            case .currentRow: .currentRow
            case .following(let distance): .following(distance)
            case .unboundedFollowing: .unboundedFollowing
            }
        }
        let windows = groups.map { group in
            OverDescription.Window(
                partitionBy: group.partitionBy, orderBy: group.orderBy, isRows: group.isRows, start: bound(group.start), end: bound(group.end), calls: group.calls)
        }
        var time = OverDescription.Time.none
        if options.isStreaming {
            guard traits.isInsertOnly(relation.input) else {
                throw MillstreamError(.plan, "OVER takes new rows alone, but its input changes rows that it has given", hint: "Aggregate behind it, or read a table without updates.")
            }
            guard let key = groups[0].orderBy.first, !key.isDescending, let attribute = relation.input.columns[key.column].time else {
                throw MillstreamError(
                    .plan, "in a stream OVER is ordered by a time attribute, ascending", hint: "ROW_NUMBER with a condition on the number (a Top-N) takes any order.")
            }
            time = attribute == .rowtime ? .event(column: key.column) : .processing
        }
        let (edge, parallelism) = try keyed(relation.input, by: groups[0].partitionBy)
        return add("OverAggregate", .aggregate(.over(OverDescription(windows: windows, time: time))), [edge], relation.columns, parallelism: parallelism)
    }

    private func ranked(_ rank: RankedRows, _ relation: Relation) throws(MillstreamError) -> NodeID {
        if options.isStreaming {
            let (time, keepsLast): (Int?, Bool)
            switch RankKind(rank, relation.input, traits) {
            case .firstRow(let column): (time, keepsLast) = (column, false)
            case .lastRow(let column): (time, keepsLast) = (column, true)
            case .topN: (time, keepsLast) = (-1, false)
            }
            if time != -1 {
                let description = DeduplicateDescription(
                    keys: rank.partitionBy, order: time.map { .eventTime(column: $0) } ?? .processingTime, keepsLast: keepsLast,
                    timeToLive: options.stateRetentionMilliseconds)
                return try table("Deduplicate", .deduplicate(description), relation)
            }
        }
        let function: RankDescription.Function = rank.function == .rank ? .rank : rank.function == .denseRank ? .denseRank : .rowNumber
        let description = RankDescription(
            function: function, partition: rank.partitionBy, order: rank.orderBy, start: rank.first, end: rank.last, outputsRank: rank.hasNumber,
            input: traits.isInsertOnly(relation.input) ? .appendOnly : .retract, timeToLive: options.stateRetentionMilliseconds)
        return try table("Rank", .rank(description), relation)
    }

    private func joined(_ join: RelationalJoin, _ relation: Relation) throws(MillstreamError) -> NodeID {
        let kind: Plan.JoinKind =
            switch join.kind {
            case .inner: .inner
            case .left: .left
            case .right: .right
            case .full: .full
            case .semi: .semi
            case .anti: .anti
            }
        let keys = JoinKeys(left: join.leftKeys, right: join.rightKeys, matchesNulls: join.matchesNulls)
        switch join.time {
        case .regular:
            func side(_ index: Int, _ keys: [Int]) -> JoinSide {
                let unique = options.isStreaming ? traits.uniqueKeys(of: relation.inputs[index]) : []
                let ttl = options.stateRetentionMilliseconds
                if unique.contains(where: { Set($0).isSubset(of: keys) }), !keys.isEmpty { return JoinSide(uniqueness: .joinKey, timeToLive: ttl) }
                if let shortest = unique.min(by: { $0.count < $1.count }), !shortest.isEmpty { return JoinSide(uniqueness: .columns(shortest), timeToLive: ttl) }
                return JoinSide(timeToLive: ttl)
            }
            let description = JoinDescription(
                kind: kind, keys: keys, condition: join.residual, left: side(0, join.leftKeys), right: side(1, join.rightKeys))
            return try table("Join", .join(description), relation)
        case .interval(let left, let right, let lower, let upper, let isProcessingTime):
            let description = IntervalJoinDescription(
                kind: kind, keys: keys, condition: join.residual, time: isProcessingTime ? .processing : .event(leftColumn: left, rightColumn: right), lower: lower,
                upper: upper)
            return try table("IntervalJoin", .intervalJoin(description), relation)
        case .temporal(let leftTime, _):
            guard let rightTime = relation.inputs[1].columns.firstIndex(where: { $0.time == .rowtime }) else {
                throw MillstreamError(.plan, "the versioned side of a temporal join has no event time")
            }
            let description = TemporalJoinDescription(
                kind: kind, keys: keys, condition: join.residual, leftTimeColumn: leftTime, rightTimeColumn: rightTime)
            let right = relation.inputs[1]
            guard traits.uniqueKeys(of: right).contains(where: { Set($0).isSubset(of: join.rightKeys) }) else {
                throw MillstreamError(
                    .plan, "the versioned side of a temporal join needs a primary key, and the join must compare it",
                    hint: "PRIMARY KEY (...) NOT ENFORCED says it; a query with ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC) = 1 has one.")
            }
            var versions = try node(for: right)
            // A version ends where the next one begins: what it was is of no use.
            if !traits.isInsertOnly(right) { versions = add("DropUpdateBefore", .table(.dropUpdateBefore), [Edge(source: versions)], right.columns) }
            let (left, parallelism) = try keyed(relation.inputs[0], by: join.leftKeys)
            return add(
                "TemporalJoin", .table(.temporalJoin(description)), [left, Edge(source: versions, partitioning: .hash(keys: join.rightKeys))], relation.columns,
                parallelism: parallelism)
        case .lookup, .window: throw MillstreamError(.unsupported, "this kind of join is not built")
        }
    }

    /// Constant rows as batches.
    static func batches(_ rows: [[Scalar]], _ schema: Schema) throws(MillstreamError) -> [Batch] {
        var columns: [Column] = []
        for (index, field) in schema.fields.enumerated() {
            let builder = try ColumnBuilder.make(for: field.type)
            for row in rows { try builder.append(row[index]) }
            columns.append(builder.finish())
        }
        return [Batch(schema: schema, columns: columns, count: rows.count)]
    }
}

/// What a query's plan is made for.
public struct PlanningOptions: Sendable {
    public var isStreaming = true
    /// `table.exec.state.ttl`; nil: state is kept for ever.
    public var stateRetentionMilliseconds: Int64?
    public var miniBatchSize: Int?
    public var idleTimeoutMilliseconds: Int64?
    /// `table.exec.source.cdc-events-duplicate`: changes may come twice, and are put right by the primary key.
    public var normalizesChanges = false
    /// Sources of connectors that the program gives.
    public var sources: (@Sendable (TableScan) throws(MillstreamError) -> SourceDescription.Kind?)?
    /// Before each operator's uid.
    public var uidPrefix = "sql_"

    public init() {}
}
