import Columnar
import Plan

/// Functions of the session, and objects with named fields.
enum SystemDefinitions {
    static let all: [FunctionDefinition] = [
        FunctionDefinition("CURRENT_DATABASE", function: .currentDatabase, [FunctionSignature()], returns: .fixed(.string)),
        FunctionDefinition("TYPEOF", signatures: [FunctionSignature(.any, .boolean, optional: 1)], takesNull: true) {
            (call) throws(MillstreamError) in
            let isLong: Bool
            switch call.arguments.count > 1 ? call.arguments[1].constant : .boolean(false) {
            case .boolean(let value)?: isLong = value
            default: throw call.error("the second argument of TYPEOF is a constant TRUE or FALSE", argument: 1)
            }
            // The type is known here; the value is never computed.
            let text = call.arguments[0].type.plannerDescription(isLong: isLong)
            return BoundScalar(.constant(.string(text), .string))
        },
        FunctionDefinition("OBJECT_OF", signatures: [FunctionSignature(.text, .any, optional: 1, isVariadic: true)], takesNull: true) {
            (call) throws(MillstreamError) in
            guard let name = call.arguments[0].constantText, call.arguments.count % 2 == 1 else {
                throw call.mismatch("OBJECT_OF takes the name of a class as a constant, then names and values of fields in turn")
            }
            var fields: [Field] = []
            for index in stride(from: 1, to: call.arguments.count, by: 2) {
                let field = try fieldName(call, index)
                guard !fields.contains(where: { $0.name == field }) else { throw call.error("the field '\(field)' is there twice", argument: index) }
                let value = call.arguments[index + 1]
                if value.isNullLiteral { throw call.binder.nullError(call.ranges[index + 1]) }
                fields.append(Field(field, value.type))
            }
            return call.result(.objectOf, DataType(.structured(name, fields)))
        },
        FunctionDefinition("OBJECT_UPDATE", signatures: [FunctionSignature(.row, .any, optional: 1, isVariadic: true)], takesNull: true) {
            (call) throws(MillstreamError) in
            guard case .structured(let name, var fields) = call.arguments[0].type.kind, call.arguments.count % 2 == 1 else {
                throw call.mismatch("OBJECT_UPDATE takes a structured value, then names and values of fields in turn")
            }
            for index in stride(from: 1, to: call.arguments.count, by: 2) {
                let field = try fieldName(call, index)
                guard let place = fields.firstIndex(where: { $0.name == field }) else {
                    throw call.error(
                        "the type has no field '\(field)'", argument: index, hint: "Its fields are \(fields.map(\.name).joined(separator: ", ")).")
                }
                let value = call.arguments[index + 1]
                if value.isNullLiteral { throw call.binder.nullError(call.ranges[index + 1]) }
                fields[place].type = value.type
            }
            return call.result(.objectUpdate, DataType(.structured(name, fields)))
        },
    ]

    private static func fieldName(_ call: FunctionCall, _ index: Int) throws(MillstreamError) -> String {
        guard let name = call.arguments[index].constantText else { throw call.error("the name of a field is a constant text", argument: index) }
        return name
    }
}
