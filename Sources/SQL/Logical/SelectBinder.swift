import Columnar
import Plan

/// Binds one SELECT, in the order in which its clauses have a meaning: FROM, WHERE, GROUP BY, HAVING, OVER, QUALIFY, the list, DISTINCT, ORDER BY, LIMIT.
///
/// `current` is the relation that expressions are over; subqueries in them are joined to it as they are met, which adds columns at its end.
final class SelectBinder: BindingHook {
    let query: QueryBinder
    let select: SelectSyntax
    var current = Relation(.values([[]]), [], [])
    var tables = TableScope()
    /// Conditions with columns of the query around.
    var correlation: [ScalarExpression] = []
    /// nil before GROUP BY, and in a SELECT without aggregation.
    var grouping: Grouping?
    /// What names of the list mean, where they can be used.
    private var aliases: [Output] = []
    /// The columns that hold the values of OVER calls.
    var overValues: [ExpressionSyntax: BoundScalar] = [:]

    init(_ query: QueryBinder, _ select: SelectSyntax) {
        self.query = query
        self.select = select
    }

    var source: SourceText { query.source }

    /// What expressions can name now.
    var scope: any BindingScope {
        let inner: any BindingScope = if let grouping { GroupedScope(tables: tables, grouping: grouping) } else { tables }
        return query.outer.map { OuterScope(inner: inner, outer: $0) } ?? inner
    }

    func bind(orderBy: [OrderItem], _ syntax: QuerySyntax?) throws(MillstreamError) -> BoundQuery {
        if let from = select.from {
            let bound = try FromBinder(query).bind(from)
            current = bound.relation
            tables = bound.scope
            correlation = bound.correlation
        }
        if let condition = select.condition { try filter(condition, "WHERE") }
        let outputs = try expandedItems()
        if isAggregation(outputs, orderBy) { try group(outputs, orderBy) }
        if let having = select.having {
            guard grouping != nil else { throw source.error("HAVING needs GROUP BY or an aggregate function", at: having.range) }
            try filter(having, "HAVING")
        }
        try bindOver(outputs, orderBy)
        if let qualify = select.qualify {
            guard !overValues.isEmpty else {
                throw source.error("QUALIFY needs a function with OVER", at: qualify.range, hint: "Other conditions belong into WHERE or HAVING.")
            }
            aliases = outputs
            try filter(qualify, "QUALIFY")
            aliases = []
        }
        return try finish(outputs, orderBy, syntax)
    }

    // MARK: The list

    struct Output {
        enum Value {
            case expression(ExpressionSyntax)
            /// Of a star: a column of FROM.
            case column(ScopeColumn)
        }
        var name: String
        var value: Value
        var range: SourceRange
    }

    /// The list with its stars written out.
    private func expandedItems() throws(MillstreamError) -> [Output] {
        var outputs: [Output] = []
        for item in select.items {
            guard case .star(let owner) = item.expression.kind else {
                outputs.append(Output(name: item.alias?.text ?? Self.name(of: item.expression, outputs.count), value: .expression(item.expression), range: item.expression.range))
                continue
            }
            let starred = try tables(of: owner, item.expression.range)
            for column in starred.flatMap(\.columns) where owner != nil || !column.isHidden {
                outputs.append(Output(name: column.name, value: .column(column), range: item.expression.range))
            }
        }
        return outputs
    }

    private func tables(of owner: QualifiedName?, _ range: SourceRange) throws(MillstreamError) -> [TableScope.Table] {
        guard let owner else {
            guard select.from != nil else { throw source.error("* needs a FROM", at: range) }
            return tables.tables
        }
        let parts = owner.parts.map(\.text)
        let found = tables.tables.filter { $0.name.count >= parts.count && Array($0.name.suffix(parts.count)) == parts }
        guard found.count == 1 else {
            let known = tables.tables.compactMap(\.name.last)
            throw source.error(
                found.isEmpty ? "there is no table '\(owner.text)' in FROM" : "'\(owner.text)' is ambiguous", at: owner.range,
                hint: known.isEmpty ? nil : "There are " + known.map { "'\($0)'" }.joined(separator: ", ") + ".")
        }
        return found
    }

    /// What a column without an alias is called.
    private static func name(of expression: ExpressionSyntax, _ index: Int) -> String {
        switch expression.kind {
        case .name(let name): name.parts[name.parts.count - 1].text
        default: "EXPR$\(index)"
        }
    }

    private func bind(_ output: Output) throws(MillstreamError) -> BoundScalar {
        switch output.value {
        case .column(let column):
            if let grouping {
                guard let position = grouping.keys.firstIndex(where: { $0.expression == column.value.expression }) else {
                    throw source.error("the column '\(column.name)' of * is neither grouped by nor aggregated", at: output.range)
                }
                return BoundScalar(current.column(position), timeAttribute: current.columns[position].time)
            }
            return column.value
        case .expression(let expression):
            let value = try scalar(expression)
            guard !value.isNullLiteral else {
                throw source.error("NULL alone has no type", at: expression.range, hint: "Say which: CAST(NULL AS INT).")
            }
            return value
        }
    }

    // MARK: Expressions

    func scalar(_ expression: ExpressionSyntax) throws(MillstreamError) -> BoundScalar {
        let value = try query.scalar(expression, scope, self)
        guard !value.expression.isCorrelated else {
            throw source.error(
                "a column of the query around can only be used in the conditions of WHERE", at: expression.range, hint: "Compute it in the query around, or join the tables.",
                code: .unsupported)
        }
        return value
    }

    func condition(_ expression: ExpressionSyntax, _ what: String) throws(MillstreamError) -> ScalarExpression {
        let value = try query.scalar(expression, scope, self)
        if value.isNullLiteral { return .null(.boolean) }
        guard value.type.kind == .boolean else { throw source.error("\(what) needs a BOOLEAN, not a value of type \(value.type)", at: expression.range) }
        return value.expression
    }

    /// Keeps the rows for which a condition holds. Its parts that are subqueries become joins.
    private func filter(_ condition: ExpressionSyntax, _ what: String) throws(MillstreamError) {
        var conditions: [ScalarExpression] = []
        for conjunct in condition.conjuncts {
            if try joinSubquery(conjunct) { continue }
            let bound = try self.condition(conjunct, what)
            if bound.isCorrelated { correlation.append(bound) } else { conditions.append(bound) }
        }
        current = current.filtered(ScalarExpression.all(conditions))
    }

    func replace(_ expression: ExpressionSyntax, in binder: ScalarBinder) throws(MillstreamError) -> BoundScalar? {
        if let value = overValues[expression] { return value }
        if let value = try aliased(expression) { return value }
        if let grouping, let value = try grouping.column(for: expression, self) { return value }
        return try subqueryValue(expression)
    }

    /// In QUALIFY a name that is no column may be that of the list.
    private func aliased(_ expression: ExpressionSyntax) throws(MillstreamError) -> BoundScalar? {
        guard !aliases.isEmpty, case .name(let name) = expression.kind, name.parts.count == 1, try tables.resolve(name, source) == nil,
            let output = aliases.first(where: { $0.name == name.text }), case .expression(let value) = output.value, value != expression
        else { return nil }
        return try query.scalar(value, scope, self)
    }

    // MARK: The end

    private func finish(_ outputs: [Output], _ orderBy: [OrderItem], _ syntax: QuerySyntax?) throws(MillstreamError) -> BoundQuery {
        var values: [BoundScalar] = []
        for output in outputs { values.append(try bind(output)) }
        let columns = zip(outputs, values).map { RelationColumn($0.name, $1.type, time: $1.timeAttribute) }
        var expressions = values.map(\.expression)
        var hidden: [RelationColumn] = []
        func position(of expression: ScalarExpression) -> Int {
            if let position = expressions.firstIndex(of: expression) { return position }
            expressions.append(expression)
            hidden.append(RelationColumn("$o\(expressions.count - 1)", expression.type))
            return expressions.count - 1
        }
        var keys: [SortKey] = []
        for item in orderBy {
            let place: Int
            if let ordinal = try query.ordinal(item.expression, outputs.count) {
                place = ordinal
            } else if case .name(let name) = item.expression.kind, name.parts.count == 1, let alias = outputs.lastIndex(where: { $0.name == name.text }) {
                place = alias
            } else {
                let value = try scalar(item.expression).expression
                place = position(of: value)
                guard !select.isDistinct || place < outputs.count else {
                    throw source.error("with DISTINCT, ORDER BY takes columns of the list", at: item.expression.range)
                }
            }
            keys.append(SortKey(place, isDescending: item.isDescending, nullsFirst: item.nullsFirst))
        }
        let isBounded = syntax?.limit != nil || syntax?.offset != nil
        let correlated = try correlatedColumns(isShaped: select.isDistinct || isBounded, position)
        var relation = current.projected(expressions, columns + hidden)
        if select.isDistinct { relation = relation.distinct() }
        if isBounded, !correlated.isEmpty {
            guard let syntax else { throw source.error("a limit is missing", at: select.range) }
            relation = try ranked(relation, keys, partitionBy: correlated.map(\.column), syntax)
        } else {
            relation = relation.sorted(keys)
            if let syntax { relation = try query.limited(relation, syntax) }
        }
        var kept = Array(0..<outputs.count)
        var bound = correlation
        if correlation.isEmpty {
            relation = relation.selecting(kept)
        } else {
            // What the conditions read stands behind the query's own columns, in this order.
            let places = correlated.map(\.column)
            let needed = Array(Set(places)).sorted()
            kept += needed
            relation = relation.selecting(kept)
            bound = correlated.map { pair in pair.condition.replacingColumns { old, type in
                old >= OuterScope.base ? .column(old, type) : .column(outputs.count + (needed.firstIndex(of: pair.places[old] ?? old) ?? 0), type)
            } }
        }
        return BoundQuery(
            relation: relation, visibleCount: outputs.count, correlation: bound,
            isOneRow: grouping?.isGlobal == true && select.having == nil && select.qualify == nil && !isBounded && correlation.isEmpty)
    }

    private struct Correlated {
        var condition: ScalarExpression
        /// From columns of `current` to those of the projection.
        var places: [Int: Int]
        /// The one column of an equality.
        var column: Int
    }

    /// Gives the columns that correlated conditions read a place in the projection. Where the query has a shape of its own (groups, DISTINCT, a limit) each condition
    /// must be an equality, so that there is one such shape for each of its values.
    private func correlatedColumns(isShaped: Bool, _ position: (ScalarExpression) -> Int) throws(MillstreamError) -> [Correlated] {
        var result: [Correlated] = []
        for condition in correlation {
            var places: [Int: Int] = [:]
            for column in condition.columns where column < OuterScope.base { places[column] = position(current.column(column)) }
            if isShaped || grouping != nil {
                guard case .call(.equal, let sides) = condition.kind, sides.filter({ $0.isCorrelated }).count == 1, places.count == 1 else {
                    throw source.error(
                        "a subquery with groups, DISTINCT or LIMIT can only be compared by = with columns of the query around", at: select.range, code: .unsupported)
                }
            }
            result.append(Correlated(condition: condition, places: places, column: places.values.first ?? 0))
        }
        return result
    }

    /// The first rows for each value of what a subquery is correlated by.
    private func ranked(_ relation: Relation, _ keys: [SortKey], partitionBy: [Int], _ syntax: QuerySyntax) throws(MillstreamError) -> Relation {
        guard case .limit(let offset, let fetch) = try query.limited(relation, syntax).operation, let fetch else {
            throw source.error("OFFSET without LIMIT in a subquery that uses columns of the query around is not built", at: syntax.range, code: .unsupported)
        }
        let rank = RankedRows(function: .rowNumber, partitionBy: partitionBy, orderBy: keys, first: offset + 1, last: offset &+ fetch, hasNumber: false)
        return Relation(.rank(rank), [relation], relation.columns)
    }
}
