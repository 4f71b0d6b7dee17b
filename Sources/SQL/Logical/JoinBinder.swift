import Columnar
import Plan

/// Binds a join of FROM.
struct JoinBinder {
    let query: QueryBinder
    /// What stands to the left of the whole join, for LATERAL.
    let outerLeft: TableScope?

    init(_ query: QueryBinder, left: TableScope?) {
        self.query = query
        outerLeft = left
    }

    private var source: SourceText { query.source }

    func bind(
        _ leftTable: TableSyntax, _ rightTable: TableSyntax, _ kind: JoinKind, isNatural: Bool, _ condition: JoinCondition?, _ range: SourceRange
    ) throws(MillstreamError) -> BoundFrom {
        let left = try FromBinder(query, left: outerLeft).bind(leftTable)
        let joinKind: RelationalJoin.Kind =
            switch kind {
            case .inner, .cross, .comma: .inner
            case .left: .left
            case .right: .right
            case .full: .full
            }
        switch rightTable.kind {
        case .unnest(let collections, let hasOrdinality):
            guard kind != .right, kind != .full else { throw source.error("\(kind.rawValue) JOIN with UNNEST does not exist", at: rightTable.range) }
            let scope: any BindingScope = query.outer.map { OuterScope(inner: left.scope, outer: $0) } ?? left.scope
            var (right, _) = try FromBinder(query).unnested(collections, hasOrdinality, left.relation, scope, isLeft: kind == .left, rightTable)
            right.scope.tables = left.scope.tables + right.scope.tables
            right.correlation = left.correlation
            if case .on(let expression) = condition, let value = try unnestCondition(expression, right.scope), case .unnest(var unnest) = right.relation.operation {
                unnest.condition = value
                right.relation = Relation(.unnest(unnest), right.relation.inputs, right.relation.columns)
            } else if case .using = condition {
                throw source.error("UNNEST has no columns for USING", at: rightTable.range)
            }
            return right
        case .query(let syntax, isLateral: true):
            let scope: any BindingScope = query.outer.map { OuterScope(inner: left.scope, outer: $0) } ?? left.scope
            let inner = try query.nested(syntax.range, outer: scope).bind(syntax)
            return try lateral(left, inner, rightTable, joinKind, condition)
        case .named(let name, let hints, let asOf?):
            return try temporal(left, name, hints, asOf, rightTable, joinKind, condition, range)
        default: break
        }
        if condition == nil, !isNatural, kind != .cross, kind != .comma {
            throw source.error("\(kind.rawValue) JOIN needs ON or USING", at: range, hint: "CROSS JOIN takes none.")
        }
        let right = try FromBinder(query, left: left.scope).bind(rightTable)
        let correlation = left.correlation + right.correlation.map { $0.movingColumns { $0 >= OuterScope.base ? $0 : $0 + left.relation.columns.count } }
        let (scope, on, merged) = try matched(left, right, joinKind, isNatural: isNatural, condition, range)
        var joined = left.relation.joined(right.relation, joinKind, on: on)
        if !merged.isEmpty, joinKind == .full || joinKind == .right {
            // The one column that USING makes of two has the value of the side that has a row.
            var expressions = joined.columns.indices.map(joined.column)
            for (one, other) in merged {
                let type = joined.columns[one].type.isNullable && joined.columns[other].type.isNullable ? joined.columns[one].type : joined.columns[one].type.notNull
                expressions[one] = .call(.coalesce, [joined.column(one), joined.column(other)], type)
            }
            joined = joined.projected(expressions, zip(joined.columns, expressions).map { RelationColumn($0.name, $1.type) })
        }
        return BoundFrom(relation: joined, scope: retyped(scope, joined), correlation: correlation)
    }

    /// The names of both sides, and the condition over their columns; with USING also which columns are one.
    private func matched(
        _ left: BoundFrom, _ right: BoundFrom, _ kind: RelationalJoin.Kind, isNatural: Bool, _ condition: JoinCondition?, _ range: SourceRange
    ) throws(MillstreamError) -> (TableScope, ScalarExpression?, [(Int, Int)]) {
        let count = left.relation.columns.count
        var moved = right.scope
        for table in moved.tables.indices { for column in moved.tables[table].columns.indices { moved.tables[table].columns[column].position += count } }
        let leftNames = left.scope.tables.flatMap(\.columns).filter { !$0.isHidden }
        var names: [Identifier] = []
        switch condition {
        case .on(let expression):
            let scope = TableScope(left.scope.tables + moved.tables)
            let all: any BindingScope = query.outer.map { OuterScope(inner: scope, outer: $0) } ?? scope
            let value = try query.scalar(expression, all, nil)
            guard value.type.kind == .boolean || value.isNullLiteral else { throw source.error("ON needs a BOOLEAN, not a value of type \(value.type)", at: expression.range) }
            guard !value.expression.isCorrelated else {
                throw source.error("ON cannot use columns of the query around", at: expression.range, hint: "WHERE can.", code: .unsupported)
            }
            return (scope, value.expression, [])
        case .using(let identifiers): names = identifiers
        case nil:
            if isNatural {
                let rightNames = Set(moved.tables.flatMap(\.columns).filter { !$0.isHidden }.map(\.name))
                names = leftNames.filter { rightNames.contains($0.name) }.map { Identifier($0.name, range) }
            }
        }
        var conditions: [ScalarExpression] = []
        var merged: [(Int, Int)] = []
        for name in names {
            let one = leftNames.filter { $0.name == name.text }
            let other = moved.tables.flatMap(\.columns).filter { $0.name == name.text && !$0.isHidden }
            guard one.count == 1, other.count == 1 else {
                throw source.error(
                    one.isEmpty || other.isEmpty ? "USING: there is no column '\(name.text)' on the \(one.isEmpty ? "left" : "right")" : "USING: '\(name.text)' is ambiguous",
                    at: name.range)
            }
            conditions.append(try query.comparison(.equal, one[0].value, other[0].value, name.range))
            merged.append((one[0].position, other[0].position))
            for table in moved.tables.indices {
                for column in moved.tables[table].columns.indices where moved.tables[table].columns[column].position == other[0].position {
                    moved.tables[table].columns[column].isHidden = true
                }
            }
        }
        return (TableScope(left.scope.tables + moved.tables), ScalarExpression.all(conditions), merged)
    }

    /// The names with the types that the join gives their columns.
    private func retyped(_ scope: TableScope, _ relation: Relation) -> TableScope {
        var scope = scope
        for table in scope.tables.indices {
            for index in scope.tables[table].columns.indices {
                let column = relation.columns[scope.tables[table].columns[index].position]
                scope.tables[table].columns[index].type = column.type
                scope.tables[table].columns[index].timeAttribute = column.time
            }
        }
        return scope
    }

    /// The condition of a join with UNNEST; nil for TRUE.
    private func unnestCondition(_ expression: ExpressionSyntax, _ scope: TableScope) throws(MillstreamError) -> ScalarExpression? {
        if case .literal(.true) = expression.kind { return nil }
        let value = try query.scalar(expression, scope, nil)
        guard value.type.kind == .boolean else { throw source.error("ON needs a BOOLEAN, not a value of type \(value.type)", at: expression.range) }
        return value.expression
    }

    /// A query that uses columns of the left side.
    private func lateral(
        _ left: BoundFrom, _ inner: BoundQuery, _ table: TableSyntax, _ kind: RelationalJoin.Kind, _ condition: JoinCondition?
    ) throws(MillstreamError) -> BoundFrom {
        guard kind == .inner || kind == .left else { throw source.error("LATERAL stands on the right of an inner or a left join", at: table.range) }
        let count = left.relation.columns.count
        var on = inner.correlation.map { $0.movingColumns { $0 >= OuterScope.base ? $0 - OuterScope.base : $0 + count } }
        var names = try FromBinder(query).aliased(BoundQuery(relation: inner.relation, visibleCount: inner.relation.columns.count), unnamed(table))
        if !table.columns.isEmpty {
            guard table.columns.count == inner.visibleCount else {
                throw source.error("the query has \(inner.visibleCount) columns, and \(table.columns.count) names are given", at: table.range)
            }
            for (index, name) in table.columns.enumerated() { names.scope.tables[0].columns[index].name = name.text }
        }
        names.scope.tables[0].columns.removeLast(inner.relation.columns.count - inner.visibleCount)
        let (scope, more, _) = try matched(left, names, kind, isNatural: false, condition, table.range)
        if let more { on += more.conjuncts }
        let joined = left.relation.joined(inner.relation, kind, on: ScalarExpression.all(on))
        return BoundFrom(relation: joined, scope: retyped(scope, joined), correlation: left.correlation)
    }

    private func unnamed(_ table: TableSyntax) -> TableSyntax {
        var copy = table
        copy.columns = []
        return copy
    }

    /// The version of a table at the time of each row of the left side.
    private func temporal(
        _ left: BoundFrom, _ name: QualifiedName, _ hints: [HintSyntax], _ asOf: ExpressionSyntax, _ table: TableSyntax, _ kind: RelationalJoin.Kind,
        _ condition: JoinCondition?, _ range: SourceRange
    ) throws(MillstreamError) -> BoundFrom {
        guard kind == .inner || kind == .left else { throw source.error("a temporal join is an inner or a left join", at: range) }
        let right = try FromBinder(query).named(name, hints: hints, alias: table.alias, columns: table.columns)
        let time = try query.scalar(asOf, left.scope, nil)
        guard let attribute = time.timeAttribute, case .column(let column) = time.expression.kind else {
            throw source.error("FOR SYSTEM_TIME AS OF takes a time attribute of the left side", at: asOf.range)
        }
        let (scope, on, _) = try matched(left, right, kind, isNatural: false, condition, range)
        let isProcessingTime = attribute == .proctime
        if !isProcessingTime, !right.relation.columns.contains(where: { $0.time == .rowtime }) {
            throw source.error("'\(name.text)' has no event time: a versioned table needs a watermark and a primary key", at: name.range)
        }
        let joined = left.relation.joined(right.relation, kind, on: on, time: isProcessingTime ? .lookup : .temporal(leftTime: column, isProcessingTime: false))
        guard Self.hasKeys(joined) else { throw source.error("a temporal join needs an equality of columns of both sides", at: range) }
        return BoundFrom(relation: joined, scope: retyped(scope, joined), correlation: left.correlation)
    }

    private static func hasKeys(_ relation: Relation) -> Bool {
        switch relation.operation {
        case .join(let join): !join.leftKeys.isEmpty
        case .calc: hasKeys(relation.input)
        default: false
        }
    }
}
