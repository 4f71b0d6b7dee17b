import Columnar
import Expressions
import Operators
import Plan

extension ResolvedInput {
    /// Checks an expression against the input's columns. Throws `plan`.
    func typed(_ expression: Expression) throws(MillstreamError) -> BoundExpression { try expression.bind(to: schema) }
}
