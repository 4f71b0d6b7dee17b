import Columnar
import Expressions
import Plan

/// Computes in advance what is the same for all rows.
public enum ConstantFolding {
    /// The expression with its constant parts computed, the largest that can be.
    ///
    /// What raises an error is left as it is: it raises when a row comes to it, and not before. What depends on the moment, on chance or on a host is left too.
    public static func fold(_ expression: ScalarExpression, _ context: EvaluationContext) -> ScalarExpression {
        switch expression.kind {
        case .constant, .column: return expression
        default: break
        }
        if expression.isConstant, !makesLong(expression), let value = try? ScalarProgram.constant(expression, context),
            value != .null || expression.type.isNullable
        {
            return ScalarExpression(.constant(value), expression.type)
        }
        switch expression.kind {
        case .constant, .column: return expression
        // These look at which functions their arguments are calls of.
        case .call(.jsonObject, _), .call(.jsonArray, _): return expression
        case .call(let function, let arguments): return ScalarExpression(.call(function, arguments.map { fold($0, context) }), expression.type)
        case .user(let binding, let arguments): return ScalarExpression(.user(binding, arguments.map { fold($0, context) }), expression.type)
        case .cast(let inner, let isTry): return ScalarExpression(.cast(fold(inner, context), isTry: isTry), expression.type)
        case .field(let inner, let index): return ScalarExpression(.field(fold(inner, context), index), expression.type)
        case .conditional(let branches, let otherwise):
            let folded = branches.map { ScalarExpression.Branch(condition: fold($0.condition, context), result: fold($0.result, context)) }
            return ScalarExpression(.conditional(folded, otherwise: fold(otherwise, context)), expression.type)
        }
    }

    /// Whether a part may make much of little: a plan is no place for gigabytes.
    private static func makesLong(_ expression: ScalarExpression) -> Bool {
        switch expression.kind {
        case .call(.repeat, _), .call(.lpad, _), .call(.rpad, _): true
        default: expression.operands.contains(where: makesLong)
        }
    }
}
