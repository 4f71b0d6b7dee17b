import Columnar
import Plan

/// JSON and variants; the functions with words between their arguments are `ScalarBinder.json`.
enum DocumentDefinitions {
    static let all: [FunctionDefinition] = [
        FunctionDefinition("JSON_STRING", signatures: [FunctionSignature(.any)], takesNull: true) { (call) throws(MillstreamError) in
            let value = call.arguments[0]
            if let part = notInJSON(value.type) {
                throw call.error("JSON has no \(part)", argument: 0, hint: "CAST(... AS STRING) makes a text of a value.")
            }
            if value.isNullLiteral { return BoundScalar(.null(.string)) }
            return call.result(.jsonString, DataType.string.nullable(value.type.isNullable))
        },
        FunctionDefinition("JSON_QUOTE", function: .jsonQuote, [FunctionSignature(.text)], returns: .fixed(.string), takesNull: true),
        FunctionDefinition("JSON_UNQUOTE", function: .jsonUnquote, [FunctionSignature(.text)], returns: .fixed(.string), takesNull: true),
        FunctionDefinition("JSON", function: .json, [FunctionSignature(.text)], returns: .fixed(.string), takesNull: true),
        FunctionDefinition(
            "PARSE_JSON", function: .parseJSON, [FunctionSignature(.text, .boolean, optional: 1)], returns: .fixed(DataType(.variant)),
            takesNull: true),
        FunctionDefinition(
            "TRY_PARSE_JSON", function: .tryParseJSON, [FunctionSignature(.text, .boolean, optional: 1)], returns: .fixed(DataType(.variant)),
            nullability: .always,
            takesNull: true),
    ]

    /// What of a type has no form in JSON; nil: all has.
    static func notInJSON(_ type: DataType) -> String? {
        switch type.kind {
        case .null, .boolean, .tinyInt, .smallInt, .int, .bigInt, .float, .double, .decimal, .char, .varChar, .binary, .varBinary, .timestamp,
            .timestampLTZ, .variant:
            return nil
        case .array(let element): return notInJSON(element)
        case .map(let key, let value): return key.isText ? notInJSON(value) : "keys of \(key.kind)"
        case .multiset(let element): return element.isText ? nil : "keys of \(element.kind)"
        case .row(let fields), .structured(_, let fields):
            for field in fields { if let part = notInJSON(field.type) { return part } }
            return nil
        default: return type.kind.description
        }
    }
}
