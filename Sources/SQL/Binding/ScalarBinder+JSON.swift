import Columnar
import Plan

/// JSON_VALUE, JSON_QUERY, JSON_EXISTS, JSON_OBJECT and JSON_ARRAY. Their words come to the functions as constant text.
extension ScalarBinder {
    func json(_ call: JSONCallSyntax, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        switch call.function {
        case .value: return try jsonValue(call, range)
        case .query: return try jsonQuery(call, range)
        case .exists: return try jsonExists(call, range)
        case .object: return try jsonObject(call)
        case .array: return try jsonArray(call)
        case .objectAggregate, .arrayAggregate:
            throw source.error(
                "the aggregate \(call.function.rawValue) cannot stand here", at: range,
                hint: "Aggregates stand in SELECT, HAVING and ORDER BY, and not within each other.")
        }
    }

    private func word(_ text: String) -> ScalarExpression { constant(.string(text), .string).expression }

    /// The document and the path.
    private func documentAndPath(_ call: JSONCallSyntax) throws(MillstreamError) -> [ScalarExpression] {
        var values: [ScalarExpression] = []
        for argument in call.arguments {
            let value = try operand(argument)
            guard value.type.isText || value.isNullLiteral else {
                throw source.error("\(call.function.rawValue) takes text, this is \(value.type.kind)", at: argument.range)
            }
            values.append(value.isNullLiteral ? .null(.string) : value.expression)
        }
        return values
    }

    private func jsonValue(_ call: JSONCallSyntax, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        let type = try call.returning.map { (type) throws(MillstreamError) in try self.type(type) } ?? .string
        guard type.isText || [.boolean, .int, .double].contains(type.kind) else {
            throw source.error(
                "JSON_VALUE returns STRING, BOOLEAN, INT or DOUBLE, not \(type.kind)", at: call.returning?.range ?? range, hint: "CAST its STRING.")
        }
        var arguments = try documentAndPath(call)
        for (behaviour, event) in [(call.onEmpty, "EMPTY"), (call.onError, "ERROR")] {
            switch behaviour {
            case nil, .null?: arguments += [word("NULL"), .null(type)]
            case .error?: arguments += [word("ERROR"), .null(type)]
            case .value(let expression)?:
                let value = try operand(expression)
                guard Conversions.isExplicit(from: value.type, to: type) else {
                    throw source.error("the default of JSON_VALUE is \(value.type.kind), which does not fit \(type.kind)", at: expression.range)
                }
                arguments += [word("DEFAULT"), Self.cast(value, to: type).expression]
            default: throw source.error("JSON_VALUE takes NULL, ERROR or DEFAULT ... ON \(event)", at: range)
            }
        }
        return BoundScalar(.call(.jsonValue, arguments, type.nullable))
    }

    private func jsonQuery(_ call: JSONCallSyntax, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        let type = try call.returning.map { (type) throws(MillstreamError) in try self.type(type) } ?? .string
        let isArray = type.element?.isText ?? false
        guard type.isText || isArray else {
            throw source.error("JSON_QUERY returns STRING or ARRAY<STRING>, not \(type.kind)", at: call.returning?.range ?? range)
        }
        let wrapper =
            switch call.wrapper {
            case nil, .without?: "WITHOUT"
            case .conditional?: "CONDITIONAL"
            case .unconditional?: "UNCONDITIONAL"
            }
        var arguments = try documentAndPath(call) + [word(wrapper)]
        for (behaviour, event) in [(call.onEmpty, "EMPTY"), (call.onError, "ERROR")] {
            switch behaviour {
            case nil, .null?: arguments.append(word("NULL"))
            case .error?: arguments.append(word("ERROR"))
            case .emptyArray?: arguments.append(word("EMPTY ARRAY"))
            case .emptyObject? where !isArray: arguments.append(word("EMPTY OBJECT"))
            case .emptyObject?: throw source.error("JSON_QUERY returns an array: EMPTY OBJECT ON \(event) does not fit", at: range)
            default: throw source.error("JSON_QUERY takes NULL, ERROR, EMPTY ARRAY or EMPTY OBJECT ON \(event)", at: range)
            }
        }
        return BoundScalar(.call(.jsonQuery, arguments, type.nullable))
    }

    private func jsonExists(_ call: JSONCallSyntax, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        let onError =
            switch call.onError {
            case .true?: "TRUE"
            case .unknown?: "UNKNOWN"
            case .error?: "ERROR"
            default: "FALSE"
            }
        if call.onEmpty != nil { throw source.error("JSON_EXISTS takes no ON EMPTY", at: range) }
        return BoundScalar(.call(.jsonExists, try documentAndPath(call) + [word(onError)], .boolean))
    }

    private func jsonPart(_ expression: ExpressionSyntax) throws(MillstreamError) -> ScalarExpression {
        let value = try operand(expression)
        if value.isNullLiteral { return .null(.string) }
        if let part = DocumentDefinitions.notInJSON(value.type) {
            throw source.error("JSON has no \(part)", at: expression.range, hint: "CAST(... AS STRING) makes a text of a value.")
        }
        return value.expression
    }

    private func jsonObject(_ call: JSONCallSyntax) throws(MillstreamError) -> BoundScalar {
        var arguments = [word(call.keepsNulls == false ? "ABSENT" : "NULL")]
        for index in stride(from: 0, to: call.arguments.count - 1, by: 2) {
            let key = try bind(call.arguments[index])
            guard key.type.isText, !key.type.isNullable else {
                throw source.error("a key of JSON_OBJECT is a text that is never NULL, this is \(key.type)", at: call.arguments[index].range)
            }
            arguments += [key.expression, try jsonPart(call.arguments[index + 1])]
        }
        return BoundScalar(.call(.jsonObject, arguments, DataType.string.notNull))
    }

    private func jsonArray(_ call: JSONCallSyntax) throws(MillstreamError) -> BoundScalar {
        var arguments = [word(call.keepsNulls == true ? "NULL" : "ABSENT")]
        for argument in call.arguments { arguments.append(try jsonPart(argument)) }
        return BoundScalar(.call(.jsonArray, arguments, DataType.string.notNull))
    }
}
