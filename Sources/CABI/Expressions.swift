import CMillstream
import Columnar
import Plan

/// What a `millstream_expression` holds. Expressions are values: building a bigger one copies nothing but references.
final class ExpressionBox: Sendable {
    /// Whoever walks (or frees) an expression recurses into it: this many levels fit every stack.
    static let depthMax = 256
    /// Operands may be shared, so that a few calls could name an expression of exponential size.
    static let sizeMax = 100_000

    let expression: Expression
    let depth: Int
    /// Operations, shared ones counted as often as they are used.
    let size: Int

    init(_ expression: Expression, operands: [ExpressionBox] = []) throws(MillstreamError) {
        self.expression = expression
        depth = 1 + (operands.map(\.depth).max() ?? 0)
        size = operands.reduce(1) { $0 + $1.size }
        guard depth <= ExpressionBox.depthMax, size <= ExpressionBox.sizeMax else {
            throw MillstreamError(
                .limitExceeded, "an expression has at most \(ExpressionBox.sizeMax) operations, \(ExpressionBox.depthMax) deep",
                hint: "Compute parts of it in a projection of their own.")
        }
    }
}

func expressionBox(_ handle: OpaquePointer?) throws(MillstreamError) -> ExpressionBox {
    try HandleTable.shared.find(handle, .expression, as: ExpressionBox.self)
}

func readExpressions(
    _ pointer: UnsafePointer<OpaquePointer?>?, _ count: Int32, _ what: String
) throws(MillstreamError) -> [Expression] {
    guard count > 0 else { throw MillstreamError(.invalidArgument, "there are no \(what)") }
    var expressions: [Expression] = []
    for handle in try readArray(pointer, count, what) { expressions.append(try expressionBox(handle).expression) }
    return expressions
}

private typealias Out = UnsafeMutablePointer<OpaquePointer?>?

private func give(_ out: Out, _ error: Out, _ make: () throws(MillstreamError) -> ExpressionBox) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let result = try place(out, "out")
        result.pointee = try HandleTable.shared.insert(try make(), .expression)
    }
}

@c @implementation
public func millstream_expression_name(
    _ name: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    give(out, error) { () throws(MillstreamError) in try ExpressionBox(.name(try readName(name, "the column's name"))) }
}

@c @implementation
public func millstream_expression_column(
    _ position: Int32, _ out: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    give(out, error) { () throws(MillstreamError) in
        guard position >= 0 else { throw MillstreamError(.invalidArgument, "the column's position is \(position)") }
        return try ExpressionBox(.column(Int(position)))
    }
}

@c @implementation
public func millstream_expression_row_time(
    _ out: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    give(out, error) { () throws(MillstreamError) in try ExpressionBox(.rowTime) }
}

@c @implementation
public func millstream_expression_literal(
    _ value: UnsafePointer<millstream_value>?, _ type: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    give(out, error) { () throws(MillstreamError) in
        guard let value else { throw MillstreamError(.invalidArgument, "value is NULL") }
        let text = try readOptionalText(type, "type")
        let declared: DataType?
        if let text { declared = try DataType.parse(text) } else { declared = nil }
        return try ExpressionBox(try literalExpression(value.pointee, declared))
    }
}

@c @implementation
public func millstream_expression_unary(
    _ operation: millstream_unary, _ operand: OpaquePointer?, _ out: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    give(out, error) { () throws(MillstreamError) in
        guard let known = UnaryOperation(rawValue: Int32(truncatingIfNeeded: operation.rawValue)) else {
            throw MillstreamError(.invalidArgument, "\(operation.rawValue) is no millstream_unary")
        }
        let inner = try expressionBox(operand)
        return try ExpressionBox(.unary(known, inner.expression), operands: [inner])
    }
}

@c @implementation
public func millstream_expression_binary(
    _ operation: millstream_binary, _ left: OpaquePointer?, _ right: OpaquePointer?, _ out: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    give(out, error) { () throws(MillstreamError) in
        guard let known = BinaryOperation(rawValue: Int32(truncatingIfNeeded: operation.rawValue)) else {
            throw MillstreamError(.invalidArgument, "\(operation.rawValue) is no millstream_binary")
        }
        let first = try expressionBox(left)
        let second = try expressionBox(right)
        return try ExpressionBox(.binary(known, first.expression, second.expression), operands: [first, second])
    }
}

@c @implementation
public func millstream_expression_cast(
    _ operand: OpaquePointer?, _ type: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    give(out, error) { () throws(MillstreamError) in
        let inner = try expressionBox(operand)
        return try ExpressionBox(.cast(inner.expression, try DataType.parse(try readText(type, "type"))), operands: [inner])
    }
}

@c @implementation
public func millstream_expression_alias(
    _ operand: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    give(out, error) { () throws(MillstreamError) in
        let inner = try expressionBox(operand)
        return try ExpressionBox(.alias(inner.expression, try readName(name, "name")), operands: [inner])
    }
}

@c @implementation
public func millstream_expression_free(_ expression: OpaquePointer?) { _ = HandleTable.shared.remove(expression, .expression) }
