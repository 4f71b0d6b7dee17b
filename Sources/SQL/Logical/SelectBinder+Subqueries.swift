import Columnar
import Plan

/// Subqueries in expressions become joins.
extension SelectBinder {
    /// A condition of AND that is EXISTS or IN with a subquery: `current` keeps the rows with (or without) a match. False for other conditions.
    func joinSubquery(_ conjunct: ExpressionSyntax) throws(MillstreamError) -> Bool {
        var expression = conjunct
        var isNegated = false
        while case .unary(.not, let inner) = expression.kind {
            expression = inner
            isNegated.toggle()
        }
        switch expression.kind {
        case .exists(let syntax):
            let inner = try subquery(syntax)
            current = joined(inner, isNegated ? .anti : .semi, on: inner.correlation)
        case .inQuery(let value, let syntax, let negated):
            let inner = try subquery(syntax)
            let matches = try equalities(value, inner, syntax.range)
            isNegated = isNegated != negated
            current = joined(inner, isNegated ? .anti : .semi, on: (isNegated ? matches.map(Self.orUnknown) : matches) + inner.correlation)
        default: return false
        }
        return true
    }

    /// NOT IN keeps a row if it surely is none of them: an unknown comparison counts as a match.
    private static func orUnknown(_ match: ScalarExpression) -> ScalarExpression {
        guard match.type.isNullable else { return match }
        return .call(.isNotFalse, [match], DataType.boolean.notNull)
    }

    /// The value of a subquery within an expression: a column of a join that keeps all rows. Nil for other expressions.
    func subqueryValue(_ expression: ExpressionSyntax) throws(MillstreamError) -> BoundScalar? {
        switch expression.kind {
        case .query(let syntax): return try scalarValue(syntax)
        case .exists(let syntax): return try mark(try subquery(syntax), matches: [], isNegated: false)
        case .inQuery(let value, let syntax, let isNegated):
            let inner = try subquery(syntax)
            return try mark(inner, matches: try equalities(value, inner, syntax.range), isNegated: isNegated)
        case .quantified(let comparison, let value, let quantifier, let syntax):
            // = ANY is IN, <> ALL is NOT IN.
            switch (comparison, quantifier) {
            case (.equal, .any): return try subqueryValue(ExpressionSyntax(.inQuery(value, syntax, isNegated: false), expression.range))
            case (.notEqual, .all): return try subqueryValue(ExpressionSyntax(.inQuery(value, syntax, isNegated: true), expression.range))
            default:
                throw source.error(
                    "\(comparison.rawValue) \(quantifier == .any ? "ANY" : "ALL") with a query is not built", at: expression.range,
                    hint: "Compare with (SELECT MIN(..)) or (SELECT MAX(..)).", code: .unsupported)
            }
        case .arrayQuery(let syntax): return try collected(syntax, .arrayAgg)
        case .multisetQuery(let syntax): return try collected(syntax, .collect)
        default: return nil
        }
    }

    func subquery(_ syntax: QuerySyntax) throws(MillstreamError) -> BoundQuery { try query.nested(syntax.range, outer: scope).bind(syntax) }

    /// `current` with the rows of a subquery; conditions are over its columns (as they are) and those of `current` (at `OuterScope.base` and on).
    private func joined(_ inner: BoundQuery, _ kind: RelationalJoin.Kind, on conditions: [ScalarExpression]) -> Relation {
        let count = current.columns.count
        let moved = conditions.map { $0.movingColumns { $0 >= OuterScope.base ? $0 - OuterScope.base : $0 + count } }
        return current.joined(inner.relation, kind, on: ScalarExpression.all(moved))
    }

    /// `value = column` for each part of what IN compares.
    private func equalities(_ value: ExpressionSyntax, _ inner: BoundQuery, _ range: SourceRange) throws(MillstreamError) -> [ScalarExpression] {
        let items: [ExpressionSyntax] = if case .row(let items) = value.kind { items } else { [value] }
        guard items.count == inner.visibleCount else {
            throw source.error("IN compares \(items.count) values with the \(inner.visibleCount) columns of a query", at: range)
        }
        var matches: [ScalarExpression] = []
        for (index, item) in items.enumerated() {
            let left = try scalar(item)
            let outer = left.expression.movingColumns { $0 + OuterScope.base }
            let right = BoundScalar(inner.relation.column(index))
            matches.append(try query.comparison(.equal, BoundScalar(outer), right, item.range))
        }
        return matches
    }

    /// A subquery of one column and at most one row: its value, NULL where there is no row.
    private func scalarValue(_ syntax: QuerySyntax) throws(MillstreamError) -> BoundScalar {
        let inner = try subquery(syntax)
        guard inner.visibleCount == 1 else {
            throw source.error("a subquery that is a value has one column, this one has \(inner.visibleCount)", at: syntax.range)
        }
        return single(inner)
    }

    private func single(_ inner: BoundQuery) -> BoundScalar {
        let type = inner.relation.columns[0].type.nullable
        var inner = inner
        let isCount = Self.isCount(inner.relation)
        if inner.correlation.isEmpty {
            if !inner.isOneRow {
                let one = AggregateExpression(.builtIn(.singleValue), [0], type)
                inner.relation = Relation(.aggregate(keys: [], [one]), [inner.relation], [RelationColumn(inner.relation.columns[0].name, type)])
            }
        } else if case .aggregate = inner.relation.operation {
        } else if !inner.relation.isGroupedBy(Array(1..<inner.relation.columns.count)) {
            // At most one row for each value of the correlation.
            let keys = Array(1..<inner.relation.columns.count)
            let one = AggregateExpression(.builtIn(.singleValue), [0], type)
            let columns = keys.map { inner.relation.columns[$0] } + [RelationColumn(inner.relation.columns[0].name, type)]
            let grouped = Relation(.aggregate(keys: keys, [one]), [inner.relation], columns)
            inner.relation = grouped.selecting([keys.count] + Array(0..<keys.count))
        }
        let position = current.columns.count
        current = joined(inner, .left, on: inner.correlation)
        var value = BoundScalar(current.column(position))
        if isCount, !inner.correlation.isEmpty {
            // A count of nothing is 0, and not the NULL of the outer join.
            let count = value.type.notNull
            value = BoundScalar(.call(.coalesce, [value.expression, .constant(.int64(0), count)], count))
        }
        return value
    }

    /// Whether the first column counts rows.
    private static func isCount(_ relation: Relation) -> Bool {
        switch relation.operation {
        case .calc(nil, let expressions):
            guard case .column(let position) = expressions.first?.kind else { return false }
            return isCount(relation.input, position)
        default: return isCount(relation, 0)
        }
    }

    private static func isCount(_ relation: Relation, _ position: Int) -> Bool {
        guard case .aggregate(let keys, let calls) = relation.operation, position >= keys.count else { return false }
        switch calls[position - keys.count].function {
        case .builtIn(.count), .builtIn(.countAll): return true
        default: return false
        }
    }

    /// Whether a row has matches, as a value.
    private func mark(_ inner: BoundQuery, matches: [ScalarExpression], isNegated: Bool) throws(MillstreamError) -> BoundScalar {
        let boolean = DataType.boolean
        let conditions = inner.correlation + matches
        guard conditions.allSatisfy({ condition in
            if case .call(.equal, let sides) = condition.kind { return sides.filter(\.isCorrelated).count == 1 }
            return false
        }) else { throw source.error("EXISTS within an expression needs equalities with the query around", at: select.range, code: .unsupported) }
        // Each value of the correlation once, with a mark; where IN has to tell NULL from FALSE, how many rows there are and how many of them are NULL.
        let keys = conditions.flatMap { condition -> [ScalarExpression] in
            guard case .call(_, let sides) = condition.kind else { return [] }
            return sides.filter { !$0.isCorrelated }
        }
        let (held, places) = inner.relation.holding(keys)
        let narrow = held.selecting(places).distinct()
        let marked = narrow.extended([(.constant(.boolean(true), boolean.notNull), RelationColumn("$found", boolean.notNull))])
        let count = current.columns.count
        var on: [ScalarExpression] = []
        for (index, condition) in conditions.enumerated() {
            guard case .call(let function, let sides) = condition.kind else { continue }
            on.append(.call(function, sides.map { $0.isCorrelated ? $0.movingColumns { $0 - OuterScope.base } : .column(count + index, marked.columns[index].type) }, condition.type))
        }
        let hasNulls = matches.contains { $0.type.isNullable }
        current = current.joined(marked, .left, on: ScalarExpression.all(on))
        let found = ScalarExpression.call(.isNotNull, [current.column(count + conditions.count)], boolean.notNull)
        var value = found
        if hasNulls, !matches.isEmpty {
            // x IN (..) is NULL where nothing matches and x, or one of the values, is NULL (and there is a value at all).
            let number = DataType.bigInt.notNull
            let (matched, valuePlaces) = inner.relation.holding(matches.compactMap { match in
                if case .call(_, let sides) = match.kind { return sides.first { !$0.isCorrelated } }
                return nil
            })
            guard inner.correlation.isEmpty else {
                throw source.error("IN within an expression, of a subquery with columns of the query around that may be NULL, is not built", at: select.range, code: .unsupported)
            }
            let isNull = valuePlaces.map { ScalarExpression.call(.isNull, [matched.column($0)], boolean.notNull) }
            let anyNull = isNull.count == 1 ? isNull[0] : .call(.or, isNull, boolean.notNull)
            let (flagged, flag) = matched.holding([ScalarExpression(.conditional([.init(condition: anyNull, result: .constant(.int64(1), number))], otherwise: .constant(.int64(0), number)), number)])
            let counts = Relation(
                .aggregate(keys: [], [AggregateExpression(.builtIn(.countAll), [], number), AggregateExpression(.builtIn(.sum), [flag[0]], number.nullable)]),
                [flagged], [RelationColumn("$all", number), RelationColumn("$nulls", number.nullable)])
            let start = current.columns.count
            current = current.joined(counts, .left, on: nil)
            func positive(_ column: Int) -> ScalarExpression { .call(.greater, [current.column(start + column), .constant(.int64(0), number)], boolean) }
            let left = matches.compactMap { match -> ScalarExpression? in
                if case .call(_, let sides) = match.kind { return sides.first(where: \.isCorrelated)?.movingColumns { $0 - OuterScope.base } }
                return nil
            }
            let leftNull = left.map { ScalarExpression.call(.isNull, [$0], boolean.notNull) }
            let unknown = ScalarExpression.call(.or, [positive(1)] + leftNull.map { .call(.and, [$0, positive(0)], boolean) }, boolean)
            value = ScalarExpression(
                .conditional([.init(condition: found, result: .constant(.boolean(true), boolean.notNull)), .init(condition: unknown, result: .null(boolean))],
                    otherwise: .constant(.boolean(false), boolean.notNull)), boolean)
        }
        return BoundScalar(isNegated ? .call(.not, [value], value.type) : value)
    }

    /// ARRAY(query), MULTISET(query): the values of its one column.
    private func collected(_ syntax: QuerySyntax, _ function: AggregateFunction.BuiltIn) throws(MillstreamError) -> BoundScalar {
        let inner = try subquery(syntax)
        guard inner.visibleCount == 1, inner.correlation.isEmpty else {
            throw source.error("a collection of a query takes one column, and none of the query around", at: syntax.range, code: .unsupported)
        }
        let element = inner.relation.columns[0].type
        let type = DataType(function == .collect ? .multiset(element) : .array(element))
        let one = AggregateExpression(.builtIn(function), [0], type)
        var all = inner
        all.relation = Relation(.aggregate(keys: [], [one]), [inner.relation], [RelationColumn("$all", type)])
        all.isOneRow = true
        return single(all)
    }
}

extension Relation {
    /// Whether no two rows have the same values in these columns, as far as it shows from the operators.
    func isGroupedBy(_ positions: [Int]) -> Bool {
        switch operation {
        case .aggregate(let keys, _): return Set(positions) == Set(0..<keys.count)
        case .calc(_, let expressions):
            var below: [Int] = []
            for position in positions {
                guard case .column(let source) = expressions[position].kind else { return false }
                below.append(source)
            }
            return input.isGroupedBy(below)
        case .rank(let rank): return rank.first == rank.last && rank.function == .rowNumber && Set(rank.partitionBy).isSubset(of: positions)
        default: return false
        }
    }
}
