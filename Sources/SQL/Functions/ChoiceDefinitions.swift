import Columnar
import Plan

/// COALESCE, IF, GREATEST and their like.
enum ChoiceDefinitions {
    static let all: [FunctionDefinition] = [
        FunctionDefinition("COALESCE", signatures: [FunctionSignature(.any, isVariadic: true)], takesNull: true, make: coalesce),
        FunctionDefinition("IFNULL", signatures: [FunctionSignature(.any, .any)], takesNull: true, make: coalesce),
        FunctionDefinition("GREATEST", signatures: [FunctionSignature(.any, isVariadic: true)], takesNull: true) { (call) throws(MillstreamError) in
            try extreme(.greatest, call)
        },
        FunctionDefinition("LEAST", signatures: [FunctionSignature(.any, isVariadic: true)], takesNull: true) { (call) throws(MillstreamError) in
            try extreme(.least, call)
        },
        FunctionDefinition("NULLIF", signatures: [FunctionSignature(.any, .any)]) { (call) throws(MillstreamError) in
            let (value, other) = (call.arguments[0], call.arguments[1])
            let test = try call.binder.compare(.equal, value, other, call.range)
            let branch = ScalarExpression.Branch(condition: test.expression, result: .null(value.type))
            return BoundScalar(ScalarExpression(.conditional([branch], otherwise: value.expression), value.type.nullable))
        },
        FunctionDefinition("IF", signatures: [FunctionSignature(.boolean, .any, .any)]) { (call) throws(MillstreamError) in
            let results = Array(call.arguments[1...])
            if let nested = results.first(where: { $0.type.isCollection || $0.type.fields != nil }) {
                throw call.error("IF does not take \(nested.type.kind)", hint: "CASE WHEN ... THEN ... ELSE ... END takes all types.")
            }
            var value = try call.binder.choice([call.arguments[0]], results, "IF", call.range)
            // Flink types it so, though an unknown condition leads to the second value.
            value.expression.type.isNullable = call.anyNullable
            return value
        },
    ]

    /// The first argument that is not NULL.
    @Sendable private static func coalesce(_ call: FunctionCall) throws(MillstreamError) -> BoundScalar {
        guard let type = CommonTypes.common(call.arguments.map(\.type)) else {
            throw call.mismatch(
                "the arguments of \(call.name) have no type in common: \(call.arguments.map(\.type.kind.description).joined(separator: ", "))")
        }
        if type.kind == .null { throw call.binder.nullError(call.range) }
        let isNullable = call.arguments.allSatisfy(\.type.isNullable)
        let values = call.arguments.map { ScalarBinder.cast($0, to: type).expression }
        return BoundScalar(.call(.coalesce, values, type.nullable(isNullable)))
    }

    private static func extreme(_ function: ScalarFunction, _ call: FunctionCall) throws(MillstreamError) -> BoundScalar {
        guard let type = CommonTypes.common(call.arguments.map(\.type)), type.isOrdered else {
            throw call.mismatch(
                "\(call.name) takes values that have an order between them, not \(call.arguments.map(\.type.kind.description).joined(separator: ", "))"
            )
        }
        if type.kind == .null { throw call.binder.nullError(call.range) }
        return BoundScalar(.call(function, call.arguments.map { ScalarBinder.cast($0, to: type).expression }, type))
    }
}
