import Columnar
import Plan

/// What a SELECT with aggregation knows behind its GROUP BY.
struct Grouping {
    /// Over the rows before.
    var keys: [BoundScalar]
    var calls: [BoundAggregate]
    /// The rows before, and how their expressions are bound.
    var before: SelectBinder
    /// With several sets of keys: for each set which keys it has. Its number is in the column behind the keys.
    var sets: [[Int]]?
    /// Of GROUP BY TUMBLE(...): what the call was, and the columns of the window's start, end and time.
    var window: LegacyWindow?
    /// No keys: one group, also of no rows.
    var isGlobal: Bool { keys.isEmpty }

    var setColumn: Int? { sets == nil ? nil : keys.count }
    var callStart: Int { keys.count + (sets == nil ? 0 : 1) }

    /// An aggregate's type where a group may have no rows.
    static func globalType(_ call: BoundAggregate) -> DataType {
        switch call.function {
        case .builtIn(.count), .builtIn(.countAll): call.type
        default: call.type.nullable
        }
    }

    /// The column of the result that an expression means: a key, an aggregate call, GROUPING.
    func column(for expression: ExpressionSyntax, _ binder: SelectBinder) throws(MillstreamError) -> BoundScalar? {
        let query = binder.query
        if case .call(let call) = expression.kind, let value = try grouping(call, expression, binder) { return value }
        if case .call(let call) = expression.kind, let value = try windowValue(call, expression, binder) { return value }
        if query.isAggregate(expression) {
            let call = try query.aggregate(expression, before.scope, before, isGlobal: isGlobal)
            guard let index = calls.firstIndex(of: call) else { throw .internal("an aggregate call was not collected") }
            let position = callStart + index
            return BoundScalar(binder.current.column(position), timeAttribute: binder.current.columns[position].time)
        }
        if case .literal = expression.kind { return nil }
        if keys.isEmpty || expression.contains(query.isAggregate) || expression.contains({ binder.overValues[$0] != nil }) { return nil }
        // What does not bind by itself is no key; the binder finds what is wrong with it on its way down.
        guard let value = try? query.scalar(expression, before.scope, nil), let index = keys.firstIndex(where: { $0.expression == value.expression }) else { return nil }
        return BoundScalar(binder.current.column(index), timeAttribute: binder.current.columns[index].time)
    }

    /// GROUPING(a, b), GROUPING_ID(a, b), GROUP_ID(): a number for each set.
    private func grouping(_ call: CallSyntax, _ expression: ExpressionSyntax, _ binder: SelectBinder) throws(MillstreamError) -> BoundScalar? {
        let name = call.name.text.uppercased()
        guard name == "GROUPING" || name == "GROUPING_ID" || name == "GROUP_ID" else { return nil }
        let type = DataType.bigInt.notNull
        var places: [Int] = []
        for argument in call.values {
            let value = try before.query.scalar(argument, before.scope, nil)
            guard let index = keys.firstIndex(where: { $0.expression == value.expression }) else {
                throw binder.source.error("\(name) takes expressions of GROUP BY", at: argument.range)
            }
            places.append(index)
        }
        func number(_ set: [Int]) -> Int64 { places.reduce(0) { ($0 << 1) | (set.contains($1) ? 0 : 1) } }
        guard let sets, let setColumn else { return BoundScalar(.constant(.int64(0), type)) }
        let branches = sets.enumerated().map { index, set in
            ScalarExpression.Branch(
                condition: .call(.equal, [binder.current.column(setColumn), .constant(.int64(Int64(index)), type)], DataType.boolean.notNull),
                result: .constant(.int64(name == "GROUP_ID" ? 0 : number(set)), type))
        }
        return BoundScalar(ScalarExpression(.conditional(branches, otherwise: .constant(.int64(0), type)), type))
    }

    /// TUMBLE_START(...) and the like, of the window that is grouped by.
    private func windowValue(_ call: CallSyntax, _ expression: ExpressionSyntax, _ binder: SelectBinder) throws(MillstreamError) -> BoundScalar? {
        guard let (shape, what) = LegacyWindow.auxiliary(call.name.text) else { return nil }
        guard let window, window.name == shape, window.arguments == call.values.map({ binder.source.string($0.range) }) else {
            throw binder.source.error("\(call.name.text) needs the same \(shape) in GROUP BY", at: expression.range)
        }
        let position = keys.firstIndex { $0.expression == window.columns[what]?.expression }
        guard let position else { throw .internal("a window's column is no key") }
        return BoundScalar(binder.current.column(position), timeAttribute: binder.current.columns[position].time)
    }
}

/// Behind GROUP BY no name means a column: what could be used is a key or an aggregate, and was found before.
struct GroupedScope: BindingScope {
    let tables: TableScope
    let grouping: Grouping

    func resolve(_ name: QualifiedName, _ source: SourceText) throws(MillstreamError) -> ResolvedName? {
        guard try tables.resolve(name, source) != nil else { return nil }
        throw source.error(
            "'\(name.text)' is neither grouped by nor aggregated", at: name.range,
            hint: grouping.isGlobal ? "Without GROUP BY all rows are one group." : "Add it to GROUP BY, or use it in an aggregate function.")
    }

    var names: [String] { tables.names }
}

extension SelectBinder {
    /// Whether the rows are put into groups.
    func isAggregation(_ outputs: [Output], _ orderBy: [OrderItem]) -> Bool {
        if select.groupBy != nil { return true }
        return aggregated(outputs, orderBy).contains { $0.contains(query.isAggregate) }
    }

    /// The expressions that may hold aggregate calls.
    private func aggregated(_ outputs: [Output], _ orderBy: [OrderItem]) -> [ExpressionSyntax] {
        let listed = outputs.compactMap { if case .expression(let expression) = $0.value { expression } else { nil as ExpressionSyntax? } }
        let windows = select.windows.flatMap { $0.window.partitionBy + $0.window.orderBy.map(\.expression) }
        return listed + [select.having, select.qualify].compactMap { $0 } + orderBy.map(\.expression) + windows
    }

    /// GROUP BY: `current` becomes the groups.
    func group(_ outputs: [Output], _ orderBy: [OrderItem]) throws(MillstreamError) {
        var sets: [[Int]] = [[]]
        var keys: [BoundScalar] = []
        var window: LegacyWindow?
        if let groupBy = select.groupBy {
            // All sets of one element with all of the next.
            for element in groupBy.elements {
                let more = try expressionSets(element)
                var next: [[Int]] = []
                var places: [[Int]] = []
                for set in more {
                    var positions: [Int] = []
                    for expression in set {
                        if let found = try legacyWindow(expression) {
                            guard window == nil else { throw source.error("there can be one window in GROUP BY", at: expression.range) }
                            window = found
                            for value in found.keys where !keys.contains(value) { keys.append(value) }
                            positions.append(contentsOf: found.keys.compactMap { keys.firstIndex(of: $0) })
                            continue
                        }
                        let value = try scalar(expression)
                        if let index = keys.firstIndex(where: { $0.expression == value.expression }) {
                            positions.append(index)
                        } else {
                            positions.append(keys.count)
                            keys.append(value)
                        }
                    }
                    places.append(positions)
                }
                for set in sets { for more in places { next.append(set + more.filter { !set.contains($0) }) } }
                sets = next
            }
            if groupBy.isDistinct {
                var seen: Set<[Int]> = []
                sets = sets.filter { seen.insert($0.sorted()).inserted }
            }
        }
        // What the query is correlated by is a key: a group for each of its values.
        for condition in correlation {
            guard case .call(.equal, let sides) = condition.kind, let inner = sides.first(where: { !$0.isCorrelated }) else {
                throw source.error("a subquery with groups can only be compared by = with columns of the query around", at: select.range, code: .unsupported)
            }
            if !keys.contains(where: { $0.expression == inner }) {
                sets = sets.map { $0 + [keys.count] }
                keys.append(BoundScalar(inner))
            }
        }
        let before = SelectBinder(query, select)
        before.current = current
        before.tables = tables
        var calls: [BoundAggregate] = []
        for expression in aggregated(outputs, orderBy) {
            for part in expression.all(query.isAggregate) {
                let call = try query.aggregate(part, before.scope, before, isGlobal: keys.isEmpty)
                if !calls.contains(call) { calls.append(call) }
            }
        }
        current = before.current
        var grouping = Grouping(keys: keys, calls: calls, before: before, sets: sets.count == 1 && sets[0].count == keys.count ? nil : sets, window: window)
        if grouping.sets?.count == 1, keys.isEmpty { grouping.sets = nil }
        current = groups(grouping)
        correlation = correlation.map { condition in
            guard case .call(let function, let sides) = condition.kind else { return condition }
            let moved = sides.map { side in
                keys.firstIndex { $0.expression == side && !side.isCorrelated }.map { current.column($0) } ?? side
            }
            return .call(function, moved, condition.type)
        }
        self.grouping = grouping
    }

    /// Keys, arguments, filters and orders in columns of their own, then the aggregation.
    private func groups(_ grouping: Grouping) -> Relation {
        var expressions: [ScalarExpression] = []
        var columns: [RelationColumn] = []
        func place(_ value: BoundScalar, _ name: String, isShared: Bool = true) -> Int {
            if isShared, let found = expressions.firstIndex(of: value.expression) { return found }
            expressions.append(value.expression)
            columns.append(RelationColumn(name, value.type, time: value.timeAttribute))
            return expressions.count - 1
        }
        let hasSets = grouping.sets != nil
        for (index, key) in grouping.keys.enumerated() { _ = place(key, name(of: key, "$k\(index)"), isShared: false) }
        let keyCount = grouping.keys.count
        var calls: [AggregateExpression] = []
        // Keys become NULL in some of the sets; arguments do not.
        func argument(_ value: BoundScalar) -> Int {
            if hasSets, let found = expressions.dropFirst(keyCount).firstIndex(of: value.expression) { return found }
            return place(value, name(of: value, "$a\(expressions.count)"), isShared: !hasSets)
        }
        for call in grouping.calls {
            let arguments = call.arguments.map(argument)
            let order = call.order.map { SortKey(argument($0.value), isDescending: $0.isDescending, nullsFirst: $0.nullsFirst) }
            calls.append(
                AggregateExpression(
                    call.function, arguments, grouping.sets?.contains([]) == true ? Grouping.globalType(call) : call.type, constants: call.constants, isDistinct: call.isDistinct,
                    filter: call.filter.map(argument), order: order, ignoresNulls: call.ignoresNulls))
        }
        var input = current.projected(expressions, columns)
        var keys = Array(0..<keyCount)
        if let sets = grouping.sets {
            var expanded = input.columns.enumerated().map { index, column in
                index < keyCount && !sets.allSatisfy({ $0.contains(index) }) ? RelationColumn(column.name, column.type.nullable) : column
            }
            expanded.append(RelationColumn("$e", DataType.bigInt.notNull))
            keys.append(input.columns.count)
            input = Relation(.expand(sets: sets, keys: Array(0..<keyCount)), [input], expanded)
        }
        let results = zip(calls, grouping.calls).enumerated().map { RelationColumn("$c\($0.offset)", $0.element.0.type, time: $0.element.1.timeAttribute) }
        return Relation(.aggregate(keys: keys, calls), [input], keys.map { input.columns[$0] } + results)
    }

    private func name(of value: BoundScalar, _ otherwise: String) -> String {
        if case .column(let position) = value.expression.kind, position < current.columns.count { return current.columns[position].name }
        return otherwise
    }

    /// The sets of expressions of one element of GROUP BY.
    private func expressionSets(_ element: GroupBySyntax.Element) throws(MillstreamError) -> [[ExpressionSyntax]] {
        switch element {
        case .expression(let expression): return [[expression]]
        case .group(let expressions): return [expressions]
        case .sets(let elements):
            var sets: [[ExpressionSyntax]] = []
            for element in elements { sets.append(contentsOf: try expressionSets(element)) }
            return sets
        case .rollup(let elements):
            let parts = try elements.map { (element) throws(MillstreamError) in try expressionSets(element).flatMap { $0 } }
            return (0...parts.count).reversed().map { parts.prefix($0).flatMap { $0 } }
        case .cube(let elements):
            let parts = try elements.map { (element) throws(MillstreamError) in try expressionSets(element).flatMap { $0 } }
            guard parts.count <= 12 else {
                throw source.error("CUBE of \(parts.count) makes \(parts.count < 60 ? "\(1 << parts.count)" : "too many") groups", at: select.range, code: .limitExceeded)
            }
            return (0..<(1 << parts.count)).reversed().map { bits in
                parts.indices.filter { bits >> (parts.count - 1 - $0) & 1 == 1 }.flatMap { parts[$0] }
            }
        }
    }
}
