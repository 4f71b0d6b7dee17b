import Columnar
import Plan

/// Computes bound expressions over the rows of one batch.
///
/// Works column at a time: a node's result is a whole column, or one constant. A batch with a selection is compacted first, column by column and
/// only those that an expression reads, so that no unselected row can raise an error. Row indices in errors count the rows of the batch.
/// One thread at a time uses an evaluator; it lives as long as one batch.
public struct ExpressionEvaluator: ~Copyable {
    private let batch: Batch
    private let count: Int
    private var compacted: [Column?]

    public init(_ batch: Batch) {
        self.batch = batch
        count = batch.count
        compacted = Array(repeating: nil, count: batch.columns.count)
    }

    /// One value per row that counts, dense.
    public mutating func column(_ expression: BoundExpression) throws(MillstreamError) -> Column {
        let result = try evaluate(expression.root)
        let column = result.isConstant ? try result.column.repeatingFirst(count) : result.column
        return column.type.kind == expression.type.kind && column.type != expression.type ? column.retyped(expression.type) : column
    }

    /// The rows (of those that count) for which a condition is true, neither false nor null; nil if it is true for all.
    public mutating func rows(where condition: BoundExpression) throws(MillstreamError) -> Selection? {
        let result = try evaluate(condition.root)
        if result.isConstant { return result.isNullConstant || !result.column.bit(0) ? Selection([]) : nil }
        let rows = Selection.whereTrue(result.column)
        return rows.count == count ? nil : rows
    }

    private mutating func evaluate(_ node: BoundNode) throws(MillstreamError) -> Operand {
        switch node.operation {
        case .column(let position): return Operand(try input(position))
        case .constant(let literal): return try Operand.constant(literal)
        case .rowTime: return try rowTime()
        default: break
        }
        // Operations have one or two operands; an array per node and batch costs nothing measurable.
        let first = try evaluate(node.operands[0])
        guard node.operands.count > 1 else { return try unary(node, first) }
        return try binary(node, first, try evaluate(node.operands[1]))
    }

    private func unary(_ node: BoundNode, _ operand: Operand) throws(MillstreamError) -> Operand {
        let rows = operand.isConstant ? 1 : count
        switch node.operation {
        case .isNull: return LogicKernels.isNull(operand, rows, isNegated: false)
        case .isNotNull: return LogicKernels.isNull(operand, rows, isNegated: true)
        case .not: return operand.isNullConstant ? operand : LogicKernels.not(operand, rows)
        case .negate: return operand.isNullConstant ? operand : try ArithmeticKernels.negate(operand, rows)
        case .absolute: return operand.isNullConstant ? operand : try ArithmeticKernels.absolute(operand, rows)
        case .cast:
            if operand.isNullConstant { return .null(node.type) }
            let column = try CastKernels.cast(operand.isConstant ? operand.column.slice(0, 1) : operand.column, rows, to: node.type)
            return Operand(column, isConstant: operand.isConstant)
        default: throw .internal("an operation with one operand where two are needed")
        }
    }

    private func binary(_ node: BoundNode, _ left: Operand, _ right: Operand) throws(MillstreamError) -> Operand {
        let isConstant = left.isConstant && right.isConstant
        let rows = isConstant ? 1 : count
        switch node.operation {
        case .and: return LogicKernels.and(left, right, rows)
        case .or: return LogicKernels.or(left, right, rows)
        default: break
        }
        if left.isNullConstant || right.isNullConstant { return .null(node.type) }
        switch node.operation {
        case .comparison(let operation): return try ComparisonKernels.compare(operation, left, right, rows)
        case .arithmetic(let operation):
            if case .decimal = node.type.kind { return try DecimalKernels.compute(operation, left, right, rows, node.type) }
            return try ArithmeticKernels.compute(operation, left, right, rows, node.type)
        default: throw .internal("an operation with two operands where one is needed")
        }
    }

    private mutating func input(_ position: Int) throws(MillstreamError) -> Column {
        guard position < batch.columns.count else {
            throw MillstreamError(.typeMismatch, "a batch has \(batch.columns.count) columns where at least \(position + 1) are needed", domain: .internal)
        }
        guard let selection = batch.selection else { return batch.columns[position] }
        if let column = compacted[position] { return column }
        let column = try batch.columns[position].taking(selection)
        compacted[position] = column
        return column
    }

    private func rowTime() throws(MillstreamError) -> Operand {
        let type = DataType(.timestampLTZ(3))
        guard var times = batch.timestamps else { return .null(type) }
        if let selection = batch.selection { times = try times.taking(selection) }
        let values = UnsafePointer(times.pointer(as: Int64.self))
        let validity = fillBits(count) { row in values[row] != EventTime.none.milliseconds }
        return Operand(Column(type: type, count: count, offset: times.offset, validity: shifted(validity, times.offset), values: times.values))
    }

    /// The bitmap for a column whose values start at `offset`.
    private func shifted(_ bits: Buffer, _ offset: Int) -> Buffer {
        guard offset > 0 else { return bits }
        let buffer = Buffer(byteCount: Bits.byteCount(offset + count) + 8)
        Bits.copy(from: bits.base, 0, to: buffer.base, offset, count: count)
        return buffer
    }
}

extension Operand {
    /// A literal as the one value of all rows.
    static func constant(_ literal: Literal) throws(MillstreamError) -> Operand {
        let scalar: Scalar
        switch literal {
        case .null(let type): return .null(type)
        case .boolean(let value): scalar = .boolean(value)
        case .integer(let value, _): scalar = .int64(value)
        case .double(let value): scalar = .double(value)
        case .decimal(let value, _, _): scalar = .decimal(value)
        case .string(let text): scalar = .string(text)
        case .bytes(let bytes): scalar = .bytes(bytes)
        }
        let builder = try ColumnBuilder.make(for: literal.type)
        try builder.append(scalar)
        return Operand(builder.finish(), isConstant: true)
    }
}
