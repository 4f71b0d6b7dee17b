import Columnar
import Expressions
import Plan

/// Rewrites a bound query into one that has the same rows and costs less: what rules find is one relation at a time, from the inputs up.
final class Optimizer {
    let options: QueryOptions
    private var done: [ObjectIdentifier: Relation] = [:]
    /// Keeps the relations alive whose identities are in `done`.
    private var kept: [Relation] = []

    init(_ options: QueryOptions) { self.options = options }

    func optimized(_ relation: Relation) -> Relation {
        if let known = done[ObjectIdentifier(relation)] { return known }
        let inputs = relation.inputs.map(optimized)
        let isChanged = zip(inputs, relation.inputs).contains { $0 !== $1 }
        var result = isChanged ? Relation(relation.operation, inputs, relation.columns) : relation
        result = ranked(result) ?? result
        result = limitedOrder(result) ?? result
        result = windowed(result) ?? result
        kept.append(relation)
        done[ObjectIdentifier(relation)] = result
        return result
    }

    // MARK: Top-N

    /// `WHERE rn <= 3` over ROW_NUMBER() OVER (...) AS rn: only those rows are kept, and no other is numbered.
    private func ranked(_ relation: Relation) -> Relation? {
        guard case .calc(let condition?, let expressions) = relation.operation, case .over(let windows) = relation.input.operation, windows.count == 1,
            windows[0].calls.count == 1, case .builtIn(let function) = windows[0].calls[0].function, [.rowNumber, .rank, .denseRank].contains(function)
        else { return nil }
        let over = relation.input
        let number = over.columns.count - 1
        var (first, last): (Int64, Int64?) = (1, nil)
        var rest: [ScalarExpression] = []
        for conjunct in condition.conjuncts {
            guard let range = Self.range(conjunct, column: number) else {
                rest.append(conjunct)
                continue
            }
            if let lower = range.lower { first = max(first, lower) }
            if let upper = range.upper { last = min(last ?? upper, upper) }
        }
        guard let last else { return nil }
        if last < first { return Relation(.values([]), [], relation.columns) }
        let isFixed = first == last
        var values = expressions
        if isFixed {
            // There is one number: it is known.
            let type = over.columns[number].type
            func known(_ expression: ScalarExpression) -> ScalarExpression {
                expression.replacingColumns { $0 == number ? .constant(.int64(first), type) : .column($0, $1) }
            }
            values = values.map(known)
            rest = rest.map(known)
        }
        let hasNumber = (values + rest).contains { $0.columns.contains(number) }
        let input = over.input
        let rows = RankedRows(
            function: function, partitionBy: windows[0].partitionBy, orderBy: windows[0].orderBy, first: first, last: last, hasNumber: hasNumber)
        let ranked = Relation(.rank(rows), [input], hasNumber ? over.columns : input.columns)
        return Relation(.calc(condition: ScalarExpression.all(rest), values), [ranked], relation.columns)
    }

    /// The bounds that a condition sets for a number's column.
    private static func range(_ condition: ScalarExpression, column: Int) -> (lower: Int64?, upper: Int64?)? {
        guard case .call(let name, let sides) = condition.kind, sides.count == 2 else { return nil }
        func isNumber(_ side: ScalarExpression) -> Bool {
            if case .cast(let inner, false) = side.kind { return isNumber(inner) && side.type.isInteger }
            return side.kind == .column(column)
        }
        func constant(_ side: ScalarExpression) -> Int64? {
            guard side.isConstant, let value = try? ScalarProgram.constant(side, EvaluationContext()), case .int64(let number) = value else { return nil }
            return number
        }
        var function = name
        var value: Int64
        if isNumber(sides[0]), let number = constant(sides[1]) {
            value = number
        } else if isNumber(sides[1]), let number = constant(sides[0]) {
            value = number
            switch name {
            case .less: function = .greater
            case .lessOrEqual: function = .greaterOrEqual
            case .greater: function = .less
            case .greaterOrEqual: function = .lessOrEqual
            default: break
            }
        } else {
            return nil
        }
        switch function {
        case .equal: return (value, value)
        case .less: return (nil, value.subtractingSaturating(1))
        case .lessOrEqual: return (nil, value)
        case .greater: return (value.addingSaturating(1), nil)
        case .greaterOrEqual: return (value, nil)
        default: return nil
        }
    }

    /// ORDER BY with LIMIT in streaming: the first rows of all.
    private func limitedOrder(_ relation: Relation) -> Relation? {
        guard options.isStreaming, case .limit(let offset, let fetch) = relation.operation else { return nil }
        guard case .sort(let keys) = relation.input.operation, let fetch else { return nil }
        let rows = RankedRows(function: .rowNumber, partitionBy: [], orderBy: keys, first: offset + 1, last: offset.addingSaturating(fetch), hasNumber: false)
        return fetch == 0 ? Relation(.values([]), [], relation.columns) : Relation(.rank(rows), [relation.input.input], relation.columns)
    }

    // MARK: Windows

    /// Grouping sets over windows: the rows are made several before they get windows, where no set leaves a bound out.
    private func expandedBelow(_ relation: Relation) -> Relation? {
        guard case .expand(let sets, let keys) = relation.operation, let source = WindowSource(relation.input) else { return nil }
        let plain = relation.input.columns.indices.filter { source.bound($0) == nil }
        guard plain.allSatisfy({ !source.reads($0) }), source.condition.map({ !source.readsBounds($0) }) ?? true,
            keys.allSatisfy({ key in source.bound(key) == nil || sets.allSatisfy { $0.contains(key) } })
        else { return nil }
        var expressions = plain.map { source.expressions[$0] }
        var columns = plain.map { relation.input.columns[$0] }
        expressions.append(source.base.column(source.table.timeColumn))
        columns.append(source.base.columns[source.table.timeColumn])
        let rows = source.base.filtered(source.condition).projected(expressions, columns)
        func place(_ position: Int) -> Int? { plain.firstIndex(of: position) }
        let narrowed = sets.map { $0.compactMap(place) }
        var expandedColumns = plain.map { relation.columns[$0] }
        expandedColumns.append(columns[columns.count - 1])
        expandedColumns.append(relation.columns[relation.columns.count - 1])
        let expanded = Relation(.expand(sets: narrowed, keys: keys.compactMap(place)), [rows], expandedColumns)
        var table = source.table
        table.timeColumn = plain.count
        if case .session(let gap, let partition) = table.shape, partition != LegacyWindow.byGroup {
            let moved = partition.compactMap { key in plain.firstIndex { source.expressions[$0].kind == .column(key) } }
            guard moved.count == partition.count else { return nil }
            table.shape = .session(gap: gap, partitionBy: moved)
        }
        let windows = Relation(
            .windowTable(table), [expanded],
            expandedColumns + (0..<3).map { index in
                relation.input.columns.indices.first { source.bound($0)?.rawValue == index }.map { relation.input.columns[$0] }
                    ?? RelationColumn("$window\(index)", DataType(.timestamp(3), isNullable: false))
            })
        // The columns in the places where those above expect them.
        let order = relation.columns.indices.map { position -> ScalarExpression in
            if position == relation.columns.count - 1 { return windows.column(plain.count + 1) }
            if let bound = source.bound(position) { return windows.column(expandedColumns.count + bound.rawValue) }
            return windows.column(place(position) ?? 0)
        }
        return windows.projected(order, relation.columns)
    }

    /// GROUP BY window_start, window_end over a window table function: the windows are made while their rows are aggregated.
    private func windowed(_ relation: Relation) -> Relation? {
        guard case .aggregate(let keys, let calls) = relation.operation else { return nil }
        if case .expand = relation.input.operation, let below = expandedBelow(relation.input) {
            return windowed(Relation(relation.operation, [below], relation.columns))
        }
        guard let source = WindowSource(relation.input) else { return nil }
        let starts = keys.filter { source.bound($0) == .start }
        let ends = keys.filter { source.bound($0) == .end }
        guard !starts.isEmpty, !ends.isEmpty else { return nil }
        // What else reads a window's bounds sees rows that are not there any more.
        let others = keys.filter { source.bound($0) == nil }
        let arguments = calls.flatMap { $0.arguments + ($0.filter.map { [$0] } ?? []) + $0.order.map(\.column) }
        guard (others + arguments).allSatisfy({ !source.reads($0) }), source.condition.map({ !source.readsBounds($0) }) ?? true else { return nil }
        // The input without its windows: its columns, and the time.
        var expressions: [ScalarExpression] = []
        var columns: [RelationColumn] = []
        var places: [Int: Int] = [:]
        for position in others + arguments where places[position] == nil {
            places[position] = expressions.count
            expressions.append(source.expressions[position])
            columns.append(relation.input.columns[position])
        }
        let base = source.base
        let time = expressions.count
        expressions.append(base.column(source.table.timeColumn))
        columns.append(base.columns[source.table.timeColumn])
        var table = source.table
        table.timeColumn = time
        if case .session(let gap, let partition) = table.shape {
            // Sessions are of their keys: those of the function, which the groups must have.
            var keys: [Int] = []
            if partition == LegacyWindow.byGroup { keys = others.compactMap { places[$0] } }
            for position in partition where partition != LegacyWindow.byGroup {
                guard let place = others.first(where: { source.expressions[$0].kind == .column(position) }) else { return nil }
                keys.append(places[place] ?? 0)
            }
            guard Set(keys) == Set(others.compactMap { places[$0] }) else { return nil }
            table.shape = .session(gap: gap, partitionBy: keys)
        }
        let input = base.filtered(source.condition).projected(expressions, columns)
        func moved(_ call: AggregateExpression) -> AggregateExpression {
            var call = call
            call.arguments = call.arguments.map { places[$0] ?? 0 }
            call.filter = call.filter.map { places[$0] ?? 0 }
            for index in call.order.indices { call.order[index].column = places[call.order[index].column] ?? 0 }
            return call
        }
        let bounds = Array(Set(keys.compactMap { source.bound($0) })).sorted { $0.rawValue < $1.rawValue }
        let groupKeys = others.map { places[$0] ?? 0 }
        let results = calls.indices.map { relation.columns[keys.count + $0] }
        let outputs = groupKeys.map { input.columns[$0] } + results + bounds.map { bound in relation.columns[keys.firstIndex { source.bound($0) == bound } ?? 0] }
        let aggregate = Relation(.windowAggregate(table, keys: groupKeys, calls.map(moved), bounds: bounds), [input], outputs)
        var order: [ScalarExpression] = []
        for key in keys {
            if let bound = source.bound(key) {
                order.append(aggregate.column(groupKeys.count + calls.count + (bounds.firstIndex(of: bound) ?? 0)))
            } else {
                order.append(aggregate.column(others.firstIndex(of: key) ?? 0))
            }
        }
        order += calls.indices.map { aggregate.column(groupKeys.count + $0) }
        return aggregate.projected(order, relation.columns)
    }
}

/// A window table function below projections and filters.
struct WindowSource {
    let table: WindowTable
    /// What the function takes its rows from.
    let base: Relation
    /// The columns of the relation above, over those of the function.
    let expressions: [ScalarExpression]
    let condition: ScalarExpression?

    init?(_ relation: Relation) {
        switch relation.operation {
        case .windowTable(let table):
            self.table = table
            base = relation.input
            expressions = relation.columns.indices.map(relation.column)
            condition = nil
        case .calc(let filter, let values):
            guard let below = WindowSource(relation.input) else { return nil }
            func over(_ expression: ScalarExpression) -> ScalarExpression { expression.replacingColumns { position, _ in below.expressions[position] } }
            table = below.table
            base = below.base
            expressions = values.map(over)
            condition = ScalarExpression.all([below.condition, filter.map(over)].compactMap { $0 })
        default: return nil
        }
    }

    /// Which bound a column is, if it is one.
    func bound(_ position: Int) -> WindowBound? {
        guard case .column(let source) = expressions[position].kind, source >= base.columns.count else { return nil }
        return WindowBound(rawValue: source - base.columns.count)
    }

    func reads(_ position: Int) -> Bool { readsBounds(expressions[position]) }
    func readsBounds(_ expression: ScalarExpression) -> Bool { expression.columns.contains { $0 >= base.columns.count } }
}
