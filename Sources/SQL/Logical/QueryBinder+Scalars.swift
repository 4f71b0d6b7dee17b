import Columnar
import Expressions
import Plan

/// Expressions of a query, by the scalar binder.
extension QueryBinder {
    private func binder(_ scope: any BindingScope, _ hook: (any BindingHook)?) -> ScalarBinder {
        ScalarBinder(source, scope: scope, functions: names.functions, hook: hook)
    }

    /// An expression; the word NULL alone has the type NULL.
    func scalar(_ expression: ExpressionSyntax, _ scope: any BindingScope, _ hook: (any BindingHook)?) throws(MillstreamError) -> BoundScalar {
        if case .literal(.null) = expression.kind { return BoundScalar(.null(.null)) }
        return try binder(scope, hook).bind(expression)
    }

    func isAggregate(_ expression: ExpressionSyntax) -> Bool {
        switch expression.kind {
        case .call(let call):
            guard call.over == nil else { return false }
            return (try? binder(EmptyScope(), nil).kind(of: call)) == .aggregate
        case .json(let call): return call.over == nil && (call.function == .objectAggregate || call.function == .arrayAggregate)
        default: return false
        }
    }

    func aggregate(_ expression: ExpressionSyntax, _ scope: any BindingScope, _ hook: (any BindingHook)?, isGlobal: Bool) throws(MillstreamError) -> BoundAggregate {
        try binder(scope, hook).bindAggregate(expression, isGlobal ? .global : .grouped)
    }

    /// The function of a call with OVER; the window is the caller's.
    func overCall(_ expression: ExpressionSyntax, _ scope: any BindingScope, _ hook: (any BindingHook)?) throws(MillstreamError) -> BoundAggregate {
        try binder(scope, hook).bindAggregate(expression, .over)
    }

    func comparison(_ sign: BinarySyntax, _ left: BoundScalar, _ right: BoundScalar, _ range: SourceRange) throws(MillstreamError) -> ScalarExpression {
        try binder(EmptyScope(), nil).compare(sign, left, right, range).expression
    }

    /// The type in which values meet that stand above one another.
    func commonType(_ values: [BoundScalar], what: String, _ range: SourceRange) throws(MillstreamError) -> DataType {
        guard let type = ScalarBinder.commonType(values.map(\.type)) else {
            throw source.error("\(what) has values of the types \(values.map(\.type.description).joined(separator: " and "))", at: range, hint: "CAST makes them alike.")
        }
        guard type.kind != .null else { throw source.error("\(what) is NULL in all rows: it has no type", at: range, hint: "Say which: CAST(NULL AS INT).") }
        return type
    }

    func cast(_ value: BoundScalar, to type: DataType, _ range: SourceRange) throws(MillstreamError) -> ScalarExpression {
        let cast = ScalarBinder.cast(value, to: type).expression
        guard case .cast(let inner, _) = cast.kind, inner.isConstant else { return cast }
        return .constant(try ScalarProgram.constant(cast, EvaluationContext(timeZone: options.timeZone)), cast.type)
    }

    /// The value of a constant expression.
    func folded(_ value: BoundScalar, _ range: SourceRange) throws(MillstreamError) -> Scalar {
        guard value.expression.isConstant else { throw source.error("this must be a constant", at: range) }
        return try ScalarProgram.constant(value.expression, EvaluationContext(timeZone: options.timeZone))
    }

    /// An interval that stands in the query, of days to seconds.
    func milliseconds(_ expression: ExpressionSyntax, _ scope: any BindingScope) throws(MillstreamError) -> Int64 {
        let value = try scalar(expression, scope, nil)
        guard case .intervalDayTime(let precision) = value.type.kind else {
            throw source.error(
                "a window's length is an INTERVAL of days to seconds, not a value of type \(value.type)", at: expression.range,
                hint: value.type.kind == .intervalYearMonth ? "Months differ in length." : "INTERVAL '10' MINUTES is one.")
        }
        guard case .int64(let units) = try folded(value, expression.range) else { throw source.error("a window's length is not NULL", at: expression.range) }
        return IntervalUnits.milliseconds(units, precision)
    }
}
