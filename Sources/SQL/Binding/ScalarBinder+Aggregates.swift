import Columnar
import Plan

/// Where an aggregate call stands, which decides whether its result may be NULL.
public enum AggregatePlace: Hashable, Sendable {
    /// Without GROUP BY: the one group may have no rows.
    case global
    case grouped
    /// With OVER, in a frame that always holds the row itself.
    case over
}

extension ScalarBinder {
    /// An aggregate call (`.call` or `.json`), or a call with OVER: its PARTITION BY, ORDER BY and frame are the planner's.
    ///
    /// Its parts are bound by this binder, hook and all; a binder without a hook refuses aggregates within them.
    public func bindAggregate(_ expression: ExpressionSyntax, _ place: AggregatePlace) throws(MillstreamError) -> BoundAggregate {
        switch expression.kind {
        case .json(let call): return try jsonAggregate(call, place, expression.range)
        case .call(let call): return try aggregate(call, place, expression.range)
        default: throw source.error("this is no aggregate", at: expression.range)
        }
    }

    private func aggregate(_ call: CallSyntax, _ place: AggregatePlace, _ range: SourceRange) throws(MillstreamError) -> BoundAggregate {
        let name = call.name.text
        if call.hasWithinGroup { throw source.error("\(name) takes no WITHIN GROUP", at: range, code: .unsupported) }
        var result: BoundAggregate
        if let user = try userFunction(call) {
            guard user.kind == .aggregate else { throw source.error("the \(user.kind.rawValue) function \(user.name) is no aggregate", at: range) }
            let (arguments, signature) = try arguments(of: user, call, range)
            result = BoundAggregate(.user(user.binding), arguments, signature.result)
        } else {
            guard call.name.parts.count == 1, let definition = AggregateDefinitions.all[name.uppercasedASCII] else {
                throw source.error("\(name) is no aggregate", at: call.name.range)
            }
            if definition.isOverOnly, place != .over { throw source.error("\(name) takes an OVER (...) behind it", at: range) }
            if call.hasStar {
                guard definition.names[0] == "COUNT" else { throw source.error("\(name) takes no star", at: range, hint: "COUNT(*) does.") }
                result = BoundAggregate(.builtIn(.countAll), [], DataType.bigInt.notNull)
            } else {
                if call.isDistinct, call.arguments.isEmpty { throw source.error("DISTINCT of nothing", at: range) }
                let fitted = try fitted(definition.signatures, takesNull: false, call, range)
                result = try definition.make(fitted, place == .global || call.filter != nil)
            }
        }
        result.isDistinct = result.isDistinct || call.isDistinct
        result.filter = try filter(call.filter)
        for item in call.orderBy {
            let value = try bind(item.expression)
            result.order.append(
                BoundAggregate.Order(value: value, isDescending: item.isDescending, nullsFirst: item.nullsFirst ?? !item.isDescending))
        }
        return result
    }

    private func filter(_ condition: ExpressionSyntax?) throws(MillstreamError) -> BoundScalar? {
        try condition.map { (condition) throws(MillstreamError) in try bindCondition(condition, "FILTER") }
    }

    /// The length of what JSON aggregates give, in Flink.
    private static let jsonAggregateLength = 2_000

    private func jsonAggregate(_ call: JSONCallSyntax, _ place: AggregatePlace, _ range: SourceRange) throws(MillstreamError) -> BoundAggregate {
        let isObject = call.function == .objectAggregate
        guard isObject || call.function == .arrayAggregate else { throw source.error("\(call.function.rawValue) is no aggregate", at: range) }
        guard call.arguments.count == (isObject ? 2 : 1) else {
            throw source.error("\(call.function.rawValue) takes \(isObject ? "a key and a value" : "one value")", at: range)
        }
        var arguments: [BoundScalar] = []
        for argument in call.arguments {
            let value = try bind(argument)
            if let part = DocumentDefinitions.notInJSON(value.type) {
                throw source.error("JSON has no \(part)", at: argument.range, hint: "CAST(... AS STRING) makes a text of a value.")
            }
            arguments.append(value)
        }
        if isObject, !arguments[0].type.isText {
            throw source.error("the key of JSON_OBJECTAGG is a text, this is \(arguments[0].type.kind)", at: call.arguments[0].range)
        }
        let keepsNulls = call.keepsNulls ?? isObject
        var result = BoundAggregate(
            .builtIn(isObject ? .jsonObjectAgg : .jsonArrayAgg), arguments, DataType(.varChar(Self.jsonAggregateLength), isNullable: false),
            constants: [.string(keepsNulls ? "NULL" : "ABSENT")])
        result.filter = try filter(call.filter)
        return result
    }
}
