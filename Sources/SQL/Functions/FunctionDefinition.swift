import Columnar
import Plan

/// What a built-in function takes, how many of it, and what it gives.
struct FunctionDefinition: Sendable {
    /// The first is what messages use. Upper case.
    let names: [String]
    let signatures: [FunctionSignature]
    /// Whether the word NULL is taken as an argument (it gets the type of its place), as functions that are Flink's own do; the SQL standard's operators refuse it.
    var takesNull = false
    /// How the call is made of its arguments, which have been cast to a signature's parameters.
    let make: @Sendable (FunctionCall) throws(MillstreamError) -> BoundScalar

    /// A function that computes its arguments in their order.
    ///
    /// - result: its type; NULL where an argument may be NULL, unless `nullability` says otherwise.
    init(
        _ names: String..., function: ScalarFunction, _ signatures: [FunctionSignature], returns result: FunctionResult,
        nullability: FunctionNullability = .anyArgument,
        takesNull: Bool = false
    ) {
        self.names = names
        self.signatures = signatures
        self.takesNull = takesNull
        make = { (call) throws(MillstreamError) in
            let types = call.arguments.map(\.type)
            let type = try result.type(call).nullable(nullability.isNullable(types))
            return BoundScalar(.call(function, call.arguments.map(\.expression), type))
        }
    }

    /// A function with rules of its own.
    init(
        _ names: String..., signatures: [FunctionSignature], takesNull: Bool = false,
        make: @escaping @Sendable (FunctionCall) throws(MillstreamError) -> BoundScalar
    ) {
        self.names = names
        self.signatures = signatures
        self.takesNull = takesNull
        self.make = make
    }
}

/// One way to call a function.
struct FunctionSignature: Sendable {
    var parameters: [FunctionParameter]
    /// How many parameters at the end may be left out.
    var optional = 0
    /// Whether the last parameter may be repeated.
    var isVariadic = false

    init(_ parameters: FunctionParameter..., optional: Int = 0, isVariadic: Bool = false) {
        self.parameters = parameters
        self.optional = optional
        self.isVariadic = isVariadic
    }

    func takes(count: Int) -> Bool { count >= parameters.count - optional && (isVariadic || count <= parameters.count) }
    func parameter(_ index: Int) -> FunctionParameter { parameters[min(index, parameters.count - 1)] }

    /// `SUBSTRING(<text>, <integer> [, <integer>])`
    func description(_ name: String) -> String {
        var text = "\(name)("
        for (index, parameter) in parameters.enumerated() {
            let isOptional = index >= parameters.count - optional
            text += (isOptional ? "[" : "") + (index > 0 ? ", " : "") + "<\(parameter.description)>"
            if isVariadic, index == parameters.count - 1 { text += ", ..." }
        }
        return text + String(repeating: "]", count: optional) + ")"
    }
}

/// What a place in a call takes, and what is made of it before the function sees it.
indirect enum FunctionParameter: Sendable {
    /// CHAR or VARCHAR, as it is.
    case text
    /// BINARY or VARBINARY, as it is.
    case bytes
    case boolean
    /// Any integer, cast to INT.
    case int
    /// TINYINT, SMALLINT or INT, cast to INT.
    case upToInt
    /// Any integer, cast to BIGINT.
    case bigInt
    /// Any number, cast to DOUBLE.
    case double
    /// Any number, as it is.
    case number
    /// An integer or DECIMAL, as it is.
    case exact
    case interval
    /// DATE, TIME, TIMESTAMP, TIMESTAMP_LTZ.
    case pointInTime
    case date
    /// TIMESTAMP or TIMESTAMP_LTZ, as it is.
    case timestamp
    case array
    case map
    case multiset
    case row
    case variant
    case bitmap
    /// As it is.
    case any
    /// A word of time: DAY.
    case unit
    /// This very type, by an implicit cast.
    case exactly(DataType)
    /// Any of these, as it is.
    case oneOf([FunctionParameter])

    var description: String {
        switch self {
        case .text: "text"
        case .bytes: "bytes"
        case .boolean: "BOOLEAN"
        case .int, .bigInt: "integer"
        case .upToInt: "INT"
        case .double, .number: "number"
        case .exact: "integer or DECIMAL"
        case .interval: "interval"
        case .pointInTime: "date or time"
        case .date: "DATE"
        case .timestamp: "TIMESTAMP"
        case .array: "ARRAY"
        case .map: "MAP"
        case .multiset: "MULTISET"
        case .row: "ROW"
        case .variant: "VARIANT"
        case .bitmap: "BITMAP"
        case .any: "any value"
        case .unit: "unit of time"
        case .exactly(let type): type.description
        case .oneOf(let kinds): kinds.map(\.description).joined(separator: " or ")
        }
    }

    func takes(_ type: DataType) -> Bool {
        if type.kind == .null {
            if case .unit = self { return false }
            return true
        }
        switch self {
        case .text: return type.isText
        case .bytes: return type.isBytes
        case .boolean: return type.kind == .boolean
        case .int, .bigInt: return type.isInteger
        case .upToInt: return type.isInteger && type.kind != .bigInt
        case .double, .number: return type.isNumber
        case .exact: return type.isExact
        case .interval: return type.isInterval
        case .pointInTime: return type.isPointInTime
        case .date: return type.kind == .date
        case .timestamp: return type.isTimestamp || type.isInstant
        case .array: if case .array = type.kind { return true } else { return false }
        case .map: if case .map = type.kind { return true } else { return false }
        case .multiset: if case .multiset = type.kind { return true } else { return false }
        case .row: return type.fields != nil
        case .variant: return type.kind == .variant
        case .bitmap: return type.kind == .bitmap
        case .any: return true
        case .unit: return false
        case .exactly(let target): return Conversions.isImplicit(from: type, to: target)
        case .oneOf(let kinds): return kinds.contains { $0.takes(type) }
        }
    }

    /// Whether integers beyond INT become the nearest one: a length or a place.
    var saturates: Bool { if case .int = self { true } else { false } }

    /// What an argument of the type is cast to; nil: it stays.
    func target(_ type: DataType) -> DataType? {
        let isNull = type.kind == .null
        switch self {
        case .text: return isNull ? .string : nil
        case .bytes: return isNull ? .bytes : nil
        case .boolean: return isNull ? .boolean : nil
        case .int, .upToInt: return .int
        case .bigInt: return .bigInt
        case .double: return .double
        case .number, .exact: return isNull ? .int : nil
        case .interval: return isNull ? DataType(.intervalDayTime(3)) : nil
        case .pointInTime, .timestamp: return isNull ? DataType(.timestamp(3)) : nil
        case .date: return isNull ? .date : nil
        case .variant: return isNull ? DataType(.variant) : nil
        case .bitmap: return isNull ? DataType(.bitmap) : nil
        case .array, .map, .multiset, .row, .any, .unit: return nil
        case .exactly(let target): return target
        case .oneOf(let kinds):
            if let kind = kinds.first(where: { $0.takes(type) }) { return kind.target(type) }
            return nil
        }
    }
}

enum FunctionResult: Sendable {
    case fixed(DataType)
    /// The type of an argument.
    case argument(Int)
    /// VARCHAR of the length of an argument, which is text.
    case varying(Int)
    case computed(@Sendable (FunctionCall) throws(MillstreamError) -> DataType)

    func type(_ call: FunctionCall) throws(MillstreamError) -> DataType {
        switch self {
        case .fixed(let type): return type
        case .argument(let index): return call.arguments[index].type
        case .varying(let index): return DataType(.varChar(call.arguments[index].type.length ?? DataType.unboundedLength))
        case .computed(let compute): return try compute(call)
        }
    }
}

enum FunctionNullability: Sendable {
    case anyArgument
    case always
    case never
    /// NULL where this argument may be NULL.
    case argument(Int)

    func isNullable(_ types: [DataType]) -> Bool {
        switch self {
        case .anyArgument: types.contains(where: \.isNullable)
        case .always: true
        case .never: false
        case .argument(let index): index < types.count && types[index].isNullable
        }
    }
}

/// A call whose arguments are bound, and cast to the signature that took them.
struct FunctionCall {
    /// As the query spells it.
    let name: String
    let signatures: [FunctionSignature]
    let binder: ScalarBinder
    let syntax: CallSyntax
    let range: SourceRange
    /// Units of time are constant text.
    var arguments: [BoundScalar]
    /// Where each stands.
    var ranges: [SourceRange]
    /// Which of the signatures took it.
    var signature = 0

    func result(_ function: ScalarFunction, _ type: DataType, timeAttribute: TimeAttribute? = nil) -> BoundScalar {
        BoundScalar(.call(function, arguments.map(\.expression), type), timeAttribute: timeAttribute)
    }

    func error(_ message: String, argument: Int? = nil, hint: String? = nil) -> MillstreamError {
        binder.source.error(message, at: argument.flatMap { $0 < ranges.count ? ranges[$0] : nil } ?? range, hint: hint)
    }
    /// The types do not fit.
    func mismatch(_ reason: String? = nil) -> MillstreamError {
        let types = arguments.map { $0.isNullLiteral ? "NULL" : $0.type.kind.description }.joined(separator: ", ")
        let forms = signatures.map { $0.description(name) }
        return binder.source.error(
            reason ?? "\(name) does not take (\(types))", at: range, hint: forms.isEmpty ? nil : "It takes " + forms.joined(separator: ", or ") + ".")
    }

    var anyNullable: Bool { arguments.contains { $0.type.isNullable } }
}
