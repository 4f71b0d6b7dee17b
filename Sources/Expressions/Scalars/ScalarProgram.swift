import Columnar
import Plan

/// Some scalar expressions over one schema, ready to be computed over batches.
///
/// Equal parts are computed once for a batch, wherever they stand; functions that may differ from call to call are each their own. The rows for which CASE, AND, OR,
/// COALESCE or IN do not come to an operand are not computed for it where it could fail, so that no row raises an error that it should not. One thread at a time uses a program.
public final class ScalarProgram {
    /// How deep expressions may nest, so that neither compiling nor computing can exhaust a worker's stack. Chains of ANDs and ORs count as one level.
    public static let depthMax = 512

    private var nodes: [ScalarNode] = []
    private var known: [ScalarKey: Int] = [:]
    private var roots: [ScalarNode] = []
    /// The types of the results.
    public let types: [DataType]

    /// Throws `limitExceeded` beyond `depthMax`, `plan` or `unsupported` for what cannot be computed, and what the functions find wrong with constant arguments.
    public init(_ expressions: [ScalarExpression]) throws(MillstreamError) {
        types = expressions.map(\.type)
        for expression in expressions { roots.append(try compile(expression, depth: 0)) }
        known = [:]
    }

    /// One dense column for each expression, of the rows of `batch` that count.
    public func columns(of batch: Batch, _ context: EvaluationContext) throws(MillstreamError) -> [Column] {
        let rows = ScalarRows(batch, nodeCount: nodes.count)
        var columns: [Column] = []
        for root in roots {
            if rows.count == 0 {
                // Where there is no row, nothing fails, constants neither.
                columns.append(try Column.nulls(type: root.type, count: 0).retyped(root.type))
            } else {
                columns.append(try evaluate(root, rows, context).dense(rows.count, as: root.type))
            }
        }
        return columns
    }

    /// The rows (of those that count) for which the expression at `index`, a condition, is true, neither false nor null; nil if it is true for all.
    public func rows(of batch: Batch, where index: Int = 0, _ context: EvaluationContext) throws(MillstreamError) -> Selection? {
        let rows = ScalarRows(batch, nodeCount: nodes.count)
        if rows.count == 0 { return nil }
        let result = try evaluate(roots[index], rows, context)
        if result.isConstant { return result.isNullConstant || !result.column.bit(0) ? Selection([]) : nil }
        let selected = Selection.whereTrue(result.column)
        return selected.count == rows.count ? nil : selected
    }

    /// The value of an expression without columns.
    public static func constant(_ expression: ScalarExpression, _ context: EvaluationContext) throws(MillstreamError) -> Scalar {
        let program = try ScalarProgram([expression])
        return try program.columns(of: Batch(schema: Schema([]), columns: [], count: 1), context)[0].scalar(at: 0)
    }

    // MARK: Compiling

    private func compile(_ expression: ScalarExpression, depth: Int) throws(MillstreamError) -> ScalarNode {
        guard depth < Self.depthMax else {
            throw MillstreamError(
                .limitExceeded, "an expression nests more than \(Self.depthMax) operations deep", hint: "Compute parts of it in a query of their own.")
        }
        var expression = expression
        if case .call(let function, let arguments) = expression.kind, function == .and || function == .or {
            expression.kind = .call(function, flattened(function, arguments))
        }
        var operands: [ScalarNode] = []
        for operand in expression.operands { operands.append(try compile(operand, depth: depth + 1)) }
        if case .call(.in, let arguments) = expression.kind, operands.dropFirst().contains(where: \.canFail) {
            // A row comes to a value of the list only if none before it was equal.
            let equalities = arguments.dropFirst().map { ScalarExpression.call(.equal, [arguments[0], $0], .boolean) }
            return try compile(ScalarExpression(.call(.or, equalities), expression.type), depth: depth + 1)
        }
        let key = ScalarKey(expression, operands)
        if let index = known[key] { return nodes[index] }
        let node = try ScalarNode(expression, operands, id: nodes.count)
        nodes.append(node)
        if node.isDeterministic { known[key] = node.id }
        return node
    }

    /// `(a AND b) AND (c AND d)` as four operands, in order.
    private func flattened(_ function: ScalarFunction, _ arguments: [ScalarExpression]) -> [ScalarExpression] {
        var result: [ScalarExpression] = []
        var left: [ScalarExpression] = arguments.reversed()
        while let next = left.popLast() {
            if case .call(function, let inner) = next.kind { left.append(contentsOf: inner.reversed()) } else { result.append(next) }
        }
        return result
    }

    // MARK: Computing

    private func evaluate(_ node: ScalarNode, _ rows: ScalarRows, _ context: EvaluationContext) throws(MillstreamError) -> Operand {
        if let result = try rows.result(of: node) { return result }
        let result = try compute(node, rows, context)
        rows.results[node.id] = result
        return result
    }

    private func compute(_ node: ScalarNode, _ rows: ScalarRows, _ context: EvaluationContext) throws(MillstreamError) -> Operand {
        switch node.work {
        case .column(let position): return Operand(try rows.column(position))
        case .constant(let operand): return operand
        case .kernel(let kernel):
            var arguments: [Operand] = []
            arguments.reserveCapacity(node.operands.count)
            for operand in node.operands { arguments.append(try evaluate(operand, rows, context)) }
            let isOnce = node.isFunction && !arguments.isEmpty && arguments.allSatisfy(\.isConstant)
            let result = try kernel(arguments, isOnce ? 1 : rows.count, context)
            return isOnce ? Operand(result.column, isConstant: true) : result
        case .field(let position): return try field(position, try evaluate(node.operands[0], rows, context), node)
        case .and: return try logic(node, rows, context, isAnd: true)
        case .or: return try logic(node, rows, context, isAnd: false)
        case .conditional: return try conditional(node, rows, context)
        case .coalesce: return try coalesce(node, rows, context)
        }
    }

    private func field(_ position: Int, _ row: Operand, _ node: ScalarNode) throws(MillstreamError) -> Operand {
        if row.isNullConstant { return .null(node.type) }
        guard position < row.column.children.count else {
            throw .internal("a row has \(row.column.children.count) fields where at least \(position + 1) are needed")
        }
        let field = row.column.field(position)
        guard row.column.mayHaveNulls, let validity = Validity.ofAll([Operand(row.column), Operand(field)], count: row.column.count) else {
            return Operand(field, isConstant: row.isConstant)
        }
        // The field is null where the row is.
        return Operand(field.type.kind == .null ? field : field.masked(validity), isConstant: row.isConstant)
    }

    /// AND and OR from left to right: an operand that could fail sees only the rows that those before it leave open, one that costs much does where these are few.
    private func logic(_ node: ScalarNode, _ rows: ScalarRows, _ context: EvaluationContext, isAnd: Bool) throws(MillstreamError) -> Operand {
        var result = try evaluate(node.operands[0], rows, context)
        for operand in node.operands.dropFirst() {
            var next: Operand?
            if operand.canFail || !operand.isCheap {
                // AND goes on where it is true or null, OR where it is false or null.
                let open = result.open(rows.count, unless: !isAnd)
                if open.count == 0 { break }
                if open.count < rows.count, operand.canFail || open.count <= rows.count / 2 {
                    next = try evaluate(operand, on: open, of: rows, context, default: isAnd)
                }
            }
            let other: Operand
            if let next { other = next } else { other = try evaluate(operand, rows, context) }
            let count = result.isConstant && other.isConstant ? 1 : rows.count
            result = isAnd ? LogicKernels.and(result, other, count) : LogicKernels.or(result, other, count)
        }
        return result
    }

    /// A condition on some rows; the others get `value`, which decides nothing.
    private func evaluate(
        _ node: ScalarNode, on open: Selection, of rows: ScalarRows, _ context: EvaluationContext, default value: Bool
    ) throws(MillstreamError) -> Operand {
        let some = ScalarRows(open, of: rows)
        let computed = try evaluate(node, some, context).dense(open.count, as: node.type)
        let rest = try Operand.constant(.boolean(value), DataType.boolean).column
        let places = RowPlaces(count: rows.count, source: 1, row: 0)
        places.set(open, source: 0)
        return Operand(try places.gather([computed, rest]))
    }

    private func conditional(_ node: ScalarNode, _ rows: ScalarRows, _ context: EvaluationContext) throws(MillstreamError) -> Operand {
        // The rows that no condition was true for yet; `left` are their indices where they are not all.
        var rest = rows
        var left: Selection?
        var columns: [Column] = []
        let places = RowPlaces(count: rows.count, source: -1, row: 0)
        func note(_ result: ScalarNode, _ taken: Selection?, _ some: () -> ScalarRows) throws(MillstreamError) {
            let share = taken?.count ?? rows.count
            if result.isCheap, !result.canFail, share < rows.count, share > rows.count / 4 {
                // What costs little is computed for all rows sooner than its rows are picked out.
                let value = try evaluate(result, rows, context)
                places.set(taken, source: Int32(columns.count), isConstant: value.isConstant, isInPlace: true)
                columns.append(value.column)
            } else {
                let value = try evaluate(result, some(), context)
                places.set(taken, source: Int32(columns.count), isConstant: value.isConstant)
                columns.append(value.column)
            }
        }
        var index = 0
        while index + 1 < node.operands.count {
            let condition = try evaluate(node.operands[index], rest, context)
            let resultNode = node.operands[index + 1]
            index += 2
            let isTrue: Selection?
            if condition.isConstant {
                if condition.isNullConstant || !condition.column.bit(0) { continue }
                isTrue = nil
            } else {
                let selected = Selection.whereTrue(condition.column)
                if selected.count == 0 { continue }
                isTrue = selected.count == rest.count ? nil : selected
            }
            guard let isTrue else {
                if columns.isEmpty { return try evaluate(resultNode, rest, context).typed(node.type) }
                try note(resultNode, left) { rest }
                return Operand(try places.gather(columns, as: node.type))
            }
            let before = rest
            let taken = left.map { isTrue.composed(over: $0) } ?? isTrue
            try note(resultNode, taken) { ScalarRows(taken, of: rows, lender: before, isTrue) }
            let others = isTrue.complement(count: rest.count)
            let remaining = left.map { others.composed(over: $0) } ?? others
            rest = ScalarRows(remaining, of: rows, lender: before, others)
            left = remaining
        }
        if columns.isEmpty { return try evaluate(node.operands[index], rest, context).typed(node.type) }
        try note(node.operands[index], left) { rest }
        return Operand(try places.gather(columns, as: node.type))
    }

    /// The first argument that is not null; the later ones see only the rows that are still without a value.
    private func coalesce(_ node: ScalarNode, _ rows: ScalarRows, _ context: EvaluationContext) throws(MillstreamError) -> Operand {
        var rest = rows
        var left: Selection?
        var columns: [Column] = []
        let places = RowPlaces(count: rows.count, source: -1, row: 0)
        for (index, operand) in node.operands.enumerated() {
            let value = try evaluate(operand, rest, context)
            let isLast = index == node.operands.count - 1
            // The rows without a value; nil where all have one, or nobody comes after.
            var missing: Selection?
            if !isLast {
                if value.isNullConstant { continue }
                if !value.isConstant, value.column.mayHaveNulls {
                    let nulls = value.nullRows(rest.count)
                    if nulls.count == rest.count { continue }
                    if nulls.count > 0 { missing = nulls }
                }
            }
            if columns.isEmpty, missing == nil { return value.typed(node.type) }
            places.set(left, source: Int32(columns.count), isConstant: value.isConstant)
            columns.append(value.column)
            guard let missing else { break }
            let remaining = left.map { missing.composed(over: $0) } ?? missing
            rest = ScalarRows(remaining, of: rows, lender: rest, missing)
            left = remaining
        }
        return columns.isEmpty ? .null(node.type) : Operand(try places.gather(columns, as: node.type))
    }
}
