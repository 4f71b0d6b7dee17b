import Columnar
import Plan

/// Functions of numbers.
enum MathDefinitions {
    static let all: [FunctionDefinition] =
        real + [
            FunctionDefinition("ABS", function: .abs, [FunctionSignature(.number)], returns: .argument(0)),
            FunctionDefinition("SIGN", function: .sign, [FunctionSignature(.number)], returns: .argument(0)),
            FunctionDefinition("POWER", function: .power, [FunctionSignature(.double, .double)], returns: .fixed(.double)),
            FunctionDefinition("ATAN2", function: .atan2, [FunctionSignature(.double, .double)], returns: .fixed(.double)),
            FunctionDefinition("LOG", function: .log, [FunctionSignature(.double, .double, optional: 1)], returns: .fixed(.double)),
            FunctionDefinition("PI", function: .pi, [FunctionSignature()], returns: .fixed(.double)),
            FunctionDefinition("E", function: .e, [FunctionSignature()], returns: .fixed(.double)),
            FunctionDefinition("MOD", signatures: [FunctionSignature(.exact, .exact)]) { (call) throws(MillstreamError) in
                try call.binder.remainder(call.arguments[0], call.arguments[1], call.range)
            },
            whole("CEIL", "CEILING", .ceil, .ceilTo), whole("FLOOR", nil, .floor, .floorTo),
            FunctionDefinition("ROUND", function: .round, [FunctionSignature(.number, .int, optional: 1)], returns: .computed(rounded)),
            FunctionDefinition("TRUNCATE", function: .truncate, [FunctionSignature(.number, .int, optional: 1)], returns: .computed(rounded)),
            FunctionDefinition("RAND", function: .rand, [FunctionSignature(.int, optional: 1)], returns: .fixed(.double)),
            FunctionDefinition(
                "RAND_INTEGER", function: .randInteger, [FunctionSignature(.int), FunctionSignature(.int, .int)], returns: .fixed(.int)),
            FunctionDefinition("BIN", function: .bin, [FunctionSignature(.bigInt)], returns: .fixed(.string)),
            FunctionDefinition("HEX", function: .hex, [FunctionSignature(.bigInt), FunctionSignature(.text)], returns: .fixed(.string)),
            FunctionDefinition("UNHEX", function: .unhex, [FunctionSignature(.text)], returns: .fixed(.bytes), nullability: .always, takesNull: true),
            FunctionDefinition("UUID", function: .uuid, [FunctionSignature()], returns: .fixed(DataType(.char(36)))),
        ]

    /// Functions of one DOUBLE.
    private static let real: [FunctionDefinition] = [
        ScalarFunction.sqrt, .exp, .ln, .log10, .log2, .sin, .cos, .tan, .cot, .asin, .acos, .atan, .sinh, .cosh, .tanh, .degrees, .radians,
    ].map { FunctionDefinition($0.rawValue, function: $0, [FunctionSignature(.double)], returns: .fixed(.double)) }

    /// CEIL and FLOOR: of a number, or of a point in time to a unit.
    private static func whole(_ name: String, _ alias: String?, _ number: ScalarFunction, _ time: ScalarFunction) -> FunctionDefinition {
        FunctionDefinition(name, alias ?? name, signatures: [FunctionSignature(.number), FunctionSignature(.pointInTime, .unit)]) {
            (call) throws(MillstreamError) in
            let value = call.arguments[0]
            if call.signature == 0 {
                guard case .decimal(let precision, _) = value.type.kind else { return call.result(number, value.type) }
                return call.result(number, DataType(.decimal(precision: precision, scale: 0), isNullable: value.type.isNullable))
            }
            if let unit = call.arguments[1].constantText, !wholeUnits.contains(unit) { throw call.error("\(name) has no unit \(unit)", argument: 1) }
            let expression = ScalarExpression.call(time, [call.arguments[1].expression, value.expression], value.type)
            return BoundScalar(expression, timeAttribute: value.timeAttribute)
        }
    }

    private static let wholeUnits: Set<String> = [
        "MILLENNIUM", "CENTURY", "DECADE", "YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND",
        "NANOSECOND",
    ]

    /// A DECIMAL keeps as many digits behind the point as are asked for, if that is a constant; one more before it, for what is carried.
    @Sendable private static func rounded(_ call: FunctionCall) -> DataType {
        let type = call.arguments[0].type
        guard case .decimal(let precision, let scale) = type.kind else { return type }
        if call.arguments.count == 1 { return DataType(DecimalTypes.rounded((precision, scale), 0)) }
        guard case .int64(let digits)? = call.arguments[1].constant else { return type }
        return DataType(DecimalTypes.rounded((precision, scale), Int(max(-100, min(100, digits)))))
    }
}
