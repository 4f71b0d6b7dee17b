import Columnar
import Plan

extension SelectBinder {
    /// Computes the OVER calls of the list, QUALIFY and ORDER BY: a column for each behind those of `current`.
    func bindOver(_ outputs: [Output], _ orderBy: [OrderItem]) throws(MillstreamError) {
        var expressions = outputs.compactMap { if case .expression(let expression) = $0.value { expression } else { nil as ExpressionSyntax? } }
        expressions += [select.qualify].compactMap { $0 } + orderBy.map(\.expression)
        let found = expressions.flatMap { $0.outermost(Self.isOver) }
        guard !found.isEmpty else { return }
        struct Window: Hashable {
            var partitionBy: [ScalarExpression]
            var orderBy: [SortKey]
            var isRows: Bool
            var start: OverCalls.Bound
            var end: OverCalls.Bound
        }
        var windows: [Window] = []
        var calls: [[(call: BoundAggregate, syntax: ExpressionSyntax)]] = []
        for expression in found {
            guard let reference = Self.window(of: expression) else { continue }
            let syntax = try resolved(reference, expression.range)
            var partition: [ScalarExpression] = []
            for key in syntax.partitionBy { partition.append(try scalar(key).expression) }
            var order: [(BoundScalar, OrderItem)] = []
            for item in syntax.orderBy { order.append((try scalar(item.expression), item)) }
            let call = try query.overCall(expression, scope, self)
            var keys: [SortKey] = []
            for (value, item) in order {
                let (held, place) = current.holding([value.expression])
                current = held
                keys.append(SortKey(place[0], isDescending: item.isDescending, nullsFirst: item.nullsFirst))
            }
            let frame = try self.frame(syntax, call, keys.first.map { current.columns[$0.column].type })
            let window = Window(partitionBy: partition, orderBy: keys, isRows: frame.isRows, start: frame.start, end: frame.end)
            if let index = windows.firstIndex(of: window) {
                calls[index].append((call, expression))
            } else {
                windows.append(window)
                calls.append([(call, expression)])
            }
        }
        for (window, calls) in zip(windows, calls) {
            let (held, partition) = current.holding(window.partitionBy)
            current = held
            var bound: [AggregateExpression] = []
            for (call, _) in calls {
                let (held, arguments) = current.holding(call.arguments.map(\.expression))
                current = held
                var filter: Int?
                if let condition = call.filter {
                    let (held, place) = current.holding([condition.expression])
                    current = held
                    filter = place[0]
                }
                bound.append(
                    AggregateExpression(
                        call.function, arguments, call.type, constants: call.constants, isDistinct: call.isDistinct, filter: filter, ignoresNulls: call.ignoresNulls))
            }
            let count = current.columns.count
            let over = OverCalls(partitionBy: partition, orderBy: window.orderBy, isRows: window.isRows, start: window.start, end: window.end, calls: bound)
            current = Relation(.over([over]), [current], current.columns + bound.enumerated().map { RelationColumn("$w\(count + $0.offset)", $0.element.type) })
            for (index, (call, syntax)) in calls.enumerated() {
                overValues[syntax] = BoundScalar(current.column(count + index), timeAttribute: call.timeAttribute)
            }
        }
    }

    static func isOver(_ expression: ExpressionSyntax) -> Bool { window(of: expression) != nil }

    private static func window(of expression: ExpressionSyntax) -> WindowReference? {
        switch expression.kind {
        case .call(let call): call.over
        case .json(let call): call.over
        default: nil
        }
    }

    /// A window with what it takes from a named one.
    private func resolved(_ reference: WindowReference, _ range: SourceRange, depth: Int = 0) throws(MillstreamError) -> WindowSyntax {
        func named(_ name: Identifier) throws(MillstreamError) -> WindowSyntax {
            guard let found = select.windows.first(where: { $0.name.text == name.text }), depth < 16 else {
                let known = select.windows.map(\.name.text)
                throw source.error("there is no window '\(name.text)'", at: name.range, hint: known.isEmpty ? "WINDOW \(name.text) AS (...) defines one." : "There are " + known.joined(separator: ", ") + ".")
            }
            return try resolved(.inline(found.window), range, depth: depth + 1)
        }
        switch reference {
        case .named(let name): return try named(name)
        case .inline(var window):
            guard let base = window.base else { return window }
            let from = try named(base)
            guard window.partitionBy.isEmpty, window.orderBy.isEmpty || from.orderBy.isEmpty, from.frame == nil else {
                throw source.error("a window that begins with another one takes its partitioning, and adds an order or a frame", at: window.range)
            }
            window.partitionBy = from.partitionBy
            if window.orderBy.isEmpty { window.orderBy = from.orderBy }
            window.base = nil
            return window
        }
    }

    /// The frame as it is written, or the one that SQL gives: up to the current row and its equals where there is an order, else all rows.
    private func frame(
        _ window: WindowSyntax, _ call: BoundAggregate, _ orderType: DataType?
    ) throws(MillstreamError) -> (isRows: Bool, start: OverCalls.Bound, end: OverCalls.Bound) {
        if case .builtIn(let function) = call.function {
            switch function {
            case .rowNumber, .rank, .denseRank, .percentRank, .cumeDist, .ntile, .lag, .lead:
                guard window.frame == nil else { throw source.error("\(function.rawValue) takes no frame", at: window.range) }
                guard !window.orderBy.isEmpty else { throw source.error("\(function.rawValue) needs ORDER BY in its window", at: window.range) }
                let seesAll = function == .percentRank || function == .cumeDist || function == .ntile || function == .lead
                return (true, .unboundedPreceding, seesAll ? .unboundedFollowing : .currentRow)
            default: break
            }
        }
        guard let frame = window.frame else {
            return window.orderBy.isEmpty ? (true, .unboundedPreceding, .unboundedFollowing) : (false, .unboundedPreceding, .currentRow)
        }
        let start = try bound(frame.start, frame, orderType)
        let end = try frame.end.map { (end) throws(MillstreamError) in try bound(end, frame, orderType) } ?? .currentRow
        return (frame.isRows, start, end)
    }

    private func bound(_ bound: FrameSyntax.Bound, _ frame: FrameSyntax, _ orderType: DataType?) throws(MillstreamError) -> OverCalls.Bound {
        switch bound {
        case .unboundedPreceding: return .unboundedPreceding
        case .unboundedFollowing: return .unboundedFollowing
        case .currentRow: return .currentRow
        case .preceding(let value): return .preceding(try distance(value, frame, orderType))
        case .following(let value): return .following(try distance(value, frame, orderType))
        }
    }

    private func distance(_ expression: ExpressionSyntax, _ frame: FrameSyntax, _ orderType: DataType?) throws(MillstreamError) -> Scalar {
        let value = try scalar(expression)
        let constant = try query.folded(value, expression.range)
        if frame.isRows {
            guard case .int64(let rows) = constant, rows >= 0, value.type.kind == .int || value.type.kind == .bigInt else {
                throw source.error("ROWS takes a number of rows", at: expression.range)
            }
            return constant
        }
        guard let orderType else { throw source.error("RANGE with a distance needs ORDER BY", at: frame.range) }
        switch (orderType.kind, value.type.kind) {
        case (.timestamp, .intervalDayTime(let precision)), (.timestampLTZ, .intervalDayTime(let precision)), (.date, .intervalDayTime(let precision)), (.time, .intervalDayTime(let precision)):
            guard case .int64(let units) = constant else { break }
            return .int64(IntervalUnits.milliseconds(units, precision))
        case (.timestamp, .intervalYearMonth), (.timestampLTZ, .intervalYearMonth), (.date, .intervalYearMonth): return constant
        default: if orderType.isNumber, value.type.isNumber { return constant }
        }
        throw source.error("a distance of type \(value.type) does not fit an order by \(orderType)", at: expression.range)
    }
}
