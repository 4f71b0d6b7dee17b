import Columnar
import Expressions
import Plan

/// A query after binding.
struct BoundQuery {
    /// The first `visibleCount` columns are the query's; those behind are what its correlation needs.
    var relation: Relation
    var visibleCount: Int
    /// Conditions over this relation's columns and those of the query around (at `OuterScope.base` and on), which its rows must meet for a row of that query.
    var correlation: [ScalarExpression] = []
    /// Whether there is exactly one row whatever the tables hold.
    var isOneRow = false

    var columns: [RelationColumn] { Array(relation.columns.prefix(visibleCount)) }
    /// Without the columns of a correlation that there is not.
    var plain: Relation { relation.columns.count == visibleCount ? relation : relation.selecting(Array(0..<visibleCount)) }
}

/// Binds queries: names to columns, syntax to relations. One object for one query and the scope it stands in.
final class QueryBinder {
    /// How deep queries may nest, so that no statement can exhaust the stack.
    static let depthMax = 64

    let source: SourceText
    let names: any QueryNames
    let options: QueryOptions
    /// The names of the query around, for a subquery.
    let outer: (any BindingScope)?
    let depth: Int
    /// Tables of WITH that can be used here.
    var common: [String: BoundQuery]
    /// What views and tables are, so that one that is used twice is computed once.
    let shared: SharedRelations

    init(_ source: SourceText, names: any QueryNames, options: QueryOptions) {
        self.source = source
        self.names = names
        self.options = options
        outer = nil
        depth = 0
        common = [:]
        shared = SharedRelations()
    }

    private init(_ other: QueryBinder, source: SourceText, outer: (any BindingScope)?, common: [String: BoundQuery]) {
        self.source = source
        names = other.names
        options = other.options
        self.outer = outer
        depth = other.depth + 1
        self.common = common
        shared = other.shared
    }

    /// A binder for a query within this one.
    func nested(_ range: SourceRange, outer: (any BindingScope)? = nil) throws(MillstreamError) -> QueryBinder {
        guard depth < Self.depthMax else {
            throw source.error("queries nest more than \(Self.depthMax) deep", at: range, hint: "Make views of the inner ones.", code: .limitExceeded)
        }
        return QueryBinder(self, source: source, outer: outer, common: common)
    }

    /// A binder for the query of a view: another text, and no names of this query.
    func forView(_ source: SourceText, _ range: SourceRange) throws(MillstreamError) -> QueryBinder {
        guard depth < Self.depthMax else { throw self.source.error("views nest more than \(Self.depthMax) deep", at: range, code: .limitExceeded) }
        return QueryBinder(self, source: source, outer: nil, common: [:])
    }

    // MARK: Queries

    func bind(_ query: QuerySyntax) throws(MillstreamError) -> BoundQuery {
        for table in query.with {
            var bound = try nested(table.query.range).bind(table.query)
            bound = try renamed(bound, table.columns, what: "WITH \(table.name.text)", table.name.range)
            common[table.name.text] = bound
        }
        switch query.body {
        case .select(let select): return try SelectBinder(self, select).bind(orderBy: query.orderBy, query)
        default:
            let body = try bind(query.body, query.range)
            return try ordered(body, query)
        }
    }

    private func bind(_ body: QueryBody, _ range: SourceRange) throws(MillstreamError) -> BoundQuery {
        switch body {
        case .select(let select): return try SelectBinder(self, select).bind(orderBy: [], nil)
        case .query(let query): return try nested(query.range, outer: outer).bind(query)
        case .values(let rows): return try values(rows, range)
        case .table(let name):
            let from = try FromBinder(self).named(name, hints: [], alias: nil, columns: [])
            return BoundQuery(relation: from.relation, visibleCount: from.relation.columns.count)
        case .setOperation(let operation, let isAll, let left, let right, let range):
            return try setOperation(operation, isAll: isAll, try bind(left, range), try bind(right, range), range)
        }
    }

    func renamed(_ query: BoundQuery, _ names: [Identifier], what: String, _ range: SourceRange) throws(MillstreamError) -> BoundQuery {
        if names.isEmpty { return query }
        guard names.count == query.visibleCount else {
            throw source.error("\(what) names \(names.count) columns, but the query has \(query.visibleCount)", at: range)
        }
        var copy = query
        var columns = query.relation.columns
        for (index, name) in names.enumerated() { columns[index].name = name.text }
        copy.relation = query.relation.projected(query.relation.columns.indices.map(query.relation.column), columns)
        return copy
    }

    // MARK: VALUES

    private func values(_ rows: [ExpressionSyntax], _ range: SourceRange) throws(MillstreamError) -> BoundQuery {
        var bound: [[BoundScalar]] = []
        for row in rows {
            let items: [ExpressionSyntax] = if case .row(let items) = row.kind { items } else { [row] }
            guard bound.isEmpty || bound[0].count == items.count else {
                throw source.error("the rows of VALUES have \(bound[0].count) and \(items.count) values", at: row.range)
            }
            var values: [BoundScalar] = []
            for item in items {
                let value = try scalar(item, EmptyScope(), nil)
                if value.isNullLiteral { throw source.error("NULL alone has no type", at: item.range, hint: "Say which: CAST(NULL AS INT).") }
                values.append(value)
            }
            bound.append(values)
        }
        var types: [DataType] = []
        for column in bound[0].indices {
            let all = bound.map { $0[column] }
            types.append(try commonType(all, what: "column \(column + 1) of VALUES", range))
        }
        let columns = types.indices.map { RelationColumn("EXPR$\($0)", types[$0]) }
        var cast: [[ScalarExpression]] = []
        for row in bound { cast.append(try row.enumerated().map { (index, value) throws(MillstreamError) in try self.cast(value, to: types[index], range) }) }
        if cast.allSatisfy({ $0.allSatisfy { if case .constant = $0.kind { true } else { false } } }) {
            let scalars = cast.map { $0.map { if case .constant(let value) = $0.kind { value } else { Scalar.null } } }
            return BoundQuery(relation: Relation(.values(scalars), [], columns), visibleCount: columns.count)
        }
        // What is computed only when the query runs: a projection of one row for each.
        let one = Relation(.values([[]]), [], [])
        let parts = cast.map { one.projected($0, columns) }
        return BoundQuery(relation: parts.count == 1 ? parts[0] : Relation(.union, parts, columns), visibleCount: columns.count)
    }

    // MARK: Set operations

    private func setOperation(
        _ operation: SetOperation, isAll: Bool, _ left: BoundQuery, _ right: BoundQuery, _ range: SourceRange
    ) throws(MillstreamError) -> BoundQuery {
        guard left.correlation.isEmpty, right.correlation.isEmpty else {
            throw source.error("a set operation cannot use columns of the query around it", at: range, hint: "Join them instead.", code: .unsupported)
        }
        guard left.visibleCount == right.visibleCount else {
            throw source.error("the sides of \(operation.rawValue) have \(left.visibleCount) and \(right.visibleCount) columns", at: range)
        }
        var columns: [RelationColumn] = []
        for (one, other) in zip(left.columns, right.columns) {
            let type = try commonType([BoundScalar(.column(0, one.type)), BoundScalar(.column(0, other.type))], what: "column '\(one.name)' of \(operation.rawValue)", range)
            columns.append(RelationColumn(one.name, type, time: one.time == other.time ? one.time : nil))
        }
        func side(_ query: BoundQuery) throws(MillstreamError) -> Relation {
            let plain = query.plain
            var expressions: [ScalarExpression] = []
            for (index, column) in columns.enumerated() {
                let own = BoundScalar(plain.column(index))
                expressions.append(own.type.kind == column.type.kind ? own.expression : try cast(own, to: column.type, range))
            }
            return plain.projected(expressions, columns.enumerated().map { RelationColumn($0.element.name, expressions[$0.offset].type, time: $0.element.time) })
        }
        let sides = [try side(left), try side(right)]
        let relation = SetOperations.relation(operation, isAll: isAll, sides[0], sides[1], columns)
        return BoundQuery(relation: relation, visibleCount: columns.count)
    }

    // MARK: Order and limit behind anything but SELECT

    private func ordered(_ query: BoundQuery, _ syntax: QuerySyntax) throws(MillstreamError) -> BoundQuery {
        if syntax.orderBy.isEmpty, syntax.limit == nil, syntax.offset == nil { return query }
        let scope = TableScope([TableScope.Table([], query.columns.enumerated().map { ScopeColumn($0.element.name, $0.offset, $0.element.type, timeAttribute: $0.element.time) })])
        var relation = query.relation
        var keys: [SortKey] = []
        for item in syntax.orderBy {
            if let ordinal = try ordinal(item.expression, query.visibleCount) {
                keys.append(SortKey(ordinal, isDescending: item.isDescending, nullsFirst: item.nullsFirst))
                continue
            }
            let (held, position) = relation.holding([try scalar(item.expression, scope, nil).expression])
            relation = held
            keys.append(SortKey(position[0], isDescending: item.isDescending, nullsFirst: item.nullsFirst))
        }
        var copy = query
        copy.relation = try limited(relation.sorted(keys), syntax).selecting(Array(query.relation.columns.indices))
        return copy
    }

    /// `ORDER BY 2`: the position of a column of the result.
    func ordinal(_ expression: ExpressionSyntax, _ count: Int) throws(MillstreamError) -> Int? {
        guard case .literal(.number(let text)) = expression.kind, let number = Int(text) else { return nil }
        guard number >= 1, number <= count else { throw source.error("ORDER BY \(number): the query has \(count) columns", at: expression.range) }
        return number - 1
    }

    /// In batch mode any TIMESTAMP can make windows.
    func batchTime(_ type: DataType) -> TimeAttribute? {
        if options.isStreaming { return nil }
        switch type.kind {
        case .timestamp, .timestampLTZ: return .rowtime
        default: return nil
        }
    }

    func limited(_ relation: Relation, _ query: QuerySyntax) throws(MillstreamError) -> Relation {
        guard query.limit != nil || query.offset != nil else { return relation }
        let offset = try query.offset.map { (value) throws(MillstreamError) in try rowCount(value, "OFFSET") } ?? 0
        let fetch = try query.limit.map { (value) throws(MillstreamError) in try rowCount(value, "LIMIT") }
        return Relation(.limit(offset: offset, fetch: fetch), [relation], relation.columns)
    }

    private func rowCount(_ expression: ExpressionSyntax, _ what: String) throws(MillstreamError) -> Int64 {
        guard case .literal(.number(let text)) = expression.kind, let number = Int64(text), number >= 0 else {
            throw source.error("\(what) needs a number of rows", at: expression.range)
        }
        return number
    }
}

/// What was bound already in a statement.
final class SharedRelations {
    var tables: [String: Relation] = [:]
    var views: [String: Relation] = [:]
    /// Names of views that are being bound, to find those that use themselves.
    var open: [String] = []
}

/// No names at all.
struct EmptyScope: BindingScope {
    func resolve(_ name: QualifiedName, _ source: SourceText) throws(MillstreamError) -> ResolvedName? { nil }
    var names: [String] { [] }
}

/// The names of a query, and behind them those of the query around it, whose columns are at `base` and on.
struct OuterScope: BindingScope {
    static let base = 1 << 30
    let inner: any BindingScope
    let outer: any BindingScope

    func resolve(_ name: QualifiedName, _ source: SourceText) throws(MillstreamError) -> ResolvedName? {
        if let found = try inner.resolve(name, source) { return found }
        guard var found = try outer.resolve(name, source) else { return nil }
        found.value.expression = found.value.expression.movingColumns { $0 + Self.base }
        return found
    }

    var names: [String] { inner.names + outer.names }
}

extension ScalarExpression {
    /// Whether it reads a column of the query around.
    var isCorrelated: Bool {
        var found = false
        forEachColumn { if $0 >= OuterScope.base { found = true } }
        return found
    }
}

extension Relation {
    func sorted(_ keys: [SortKey]) -> Relation { keys.isEmpty ? self : Relation(.sort(keys), [self], columns) }
}
