import Columnar
import Plan

/// An expression whose names are positions, whose types are known, and whose implicit casts are written out.
///
/// `ExpressionEvaluator` computes it over batches. A bound expression is a value: it may be shared by any number of subtasks.
public struct BoundExpression: Sendable {
    /// How deep operations may nest, so that neither binding nor evaluating can exhaust a worker's stack.
    public static let depthMax = 256

    /// The type of the result.
    public let type: DataType
    /// The name that the result's column gets: the alias, the column's own name, or nil.
    public let name: String?
    let root: BoundNode

    /// Whether the expression is nothing but a column of the input; then there is nothing to compute.
    public var columnPosition: Int? {
        if case .column(let position) = root.operation { return position }
        return nil
    }

    /// Whether some input value could make the evaluation throw (division by zero, a text that is no number).
    public var canFail: Bool { root.canFail }
}

/// One step of a bound expression.
final class BoundNode: Sendable {
    enum Operation: Sendable {
        case column(Int)
        case constant(Literal)
        case rowTime
        /// Operands have the node's own type, except for decimals, whose scales follow from their own types.
        case arithmetic(BinaryOperation)
        /// Operands have one common type.
        case comparison(BinaryOperation)
        case and
        case or
        case not
        case isNull
        case isNotNull
        case negate
        case absolute
        case cast
    }

    let operation: Operation
    let type: DataType
    let operands: [BoundNode]
    let canFail: Bool

    init(_ operation: Operation, _ type: DataType, _ operands: [BoundNode] = []) {
        self.operation = operation
        self.type = type
        self.operands = operands
        canFail = operands.contains { $0.canFail } || BoundNode.fails(operation, type, operands)
    }

    private static func fails(_ operation: Operation, _ type: DataType, _ operands: [BoundNode]) -> Bool {
        switch operation {
        case .arithmetic(.divide), .arithmetic(.remainder): type.kind != .double && type.kind != .float
        case .cast: operands[0].type.isText && !type.isText
        default: false
        }
    }
}

extension Expression {
    /// The expression over columns of `schema`, checked and typed.
    ///
    /// Throws `plan` for a column that is not there (with the nearest name) and for operands whose types do not fit, `limitExceeded` where
    /// operations nest deeper than `BoundExpression.depthMax`.
    public func bind(to schema: Schema) throws(MillstreamError) -> BoundExpression {
        try bind(to: schema.types, names: schema.fields.map(\.name))
    }

    /// As `bind(to:)`, over columns that may go on behind the schema's named ones (the hidden columns of a key).
    public func bind(to types: [DataType], names: [String]) throws(MillstreamError) -> BoundExpression {
        let binder = ExpressionBinder(types: types, names: names)
        let root = try binder.bind(self, depth: 0)
        return BoundExpression(type: root.type, name: binder.resultName(of: self), root: root)
    }
}
