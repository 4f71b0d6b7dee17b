import Columnar
import Expressions
import Plan
import TestRows
import Testing

/// Kernels over random columns of every type: what a batch gives is what each of its rows gives alone, as constants; nothing but `MillstreamError` stops them.
@Suite struct ScalarFuzzTests {
    struct Random: RandomNumberGenerator {
        private var state: UInt64
        init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var word = state
            word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
            return word ^ (word >> 31)
        }
    }

    static func decimal(_ precision: Int, _ scale: Int) -> DataType { DataType(.decimal(precision: precision, scale: scale)) }
    static let numbers: [DataType] = [.tinyInt, .smallInt, .int, .bigInt, .float, .double, decimal(5, 2), decimal(18, 4), decimal(38, 0), decimal(38, 20), decimal(2, 2)]
    static let times: [DataType] = [
        .date, DataType(.time(0)), DataType(.time(3)), DataType(.time(9)), DataType(.timestamp(0)), DataType(.timestamp(3)), DataType(.timestamp(6)), DataType(.timestamp(9)),
        DataType(.timestampLTZ(3)), DataType(.timestampLTZ(9)),
    ]
    static let intervals: [DataType] = [DataType(.intervalYearMonth), DataType(.intervalDayTime(3)), DataType(.intervalDayTime(6))]
    static let texts: [DataType] = [.string, DataType(.char(3)), DataType(.varChar(7)), .bytes, DataType(.binary(4)), DataType(.varBinary(5))]
    static let nested: [DataType] = [
        DataType(.array(.int)), DataType(.array(.string)), DataType(.array(.double)), DataType(.map(key: DataType.string.notNull, value: .int)),
        DataType(.map(key: DataType.int.notNull, value: .string)), DataType(.multiset(DataType.string.notNull)), DataType(.row([Field("a", .int), Field("b", .string)])),
        DataType(.row([Field("a", .string), Field("b", .bigInt)])), DataType(.array(DataType(.row([Field("a", .double), Field("b", DataType(.array(.int)))])))),
        DataType(.structured("p.T", [Field("a", .int), Field("b", .date)])),
    ]
    static let all: [DataType] = [.boolean] + numbers + times + intervals + texts + nested

    private static let samples = [
        "", "0", "1", "-7", "+3", " 42 ", "1.9", ".5", "1e3", "1.5E-2", "NaN", "-Infinity", "9223372036854775807", "9223372036854775808", "99999999999999999999999999999999999999",
        "true", "F", "yes", "2024-02-29", "2023-02-29", "2024-2-9 1:2:3.5", "13:45:56.789", "12:30:45+01:00", "1969-12-31 23:59:59.999", "abc", "é中😀", "0x1p3", "1e400", "-0.0",
        "2024-02-31 00:00:00", "12:", ":", "-", "1e", "t", "2024", "24:00:00", "0.3", "1234567890.12345678901234567890123456789", "1e999999999999", "-.", "--1", "\u{0}",
    ]

    static func scalar(_ type: DataType, _ random: inout Random, nulls: Bool = true) -> Scalar {
        if nulls, type.isNullable, Int.random(in: 0..<8, using: &random) == 0 { return .null }
        switch type.kind {
        case .boolean: return .boolean(Bool.random(using: &random))
        case .float, .double:
            let choices: [Double] = [0, -0.0, 1, -1, .nan, .infinity, -.infinity, 0.1, 2.5, 1e300, -1e18, 5e-324, 9_223_372_036_854_775_808, 123_456.789]
            let value = Int.random(in: 0..<3, using: &random) == 0 ? Double.random(in: -1e6...1e6, using: &random) : choices.randomElement(using: &random) ?? 0
            return .double(type.kind == .float ? Double(Float(value)) : value)
        case .decimal(let precision, _):
            var limit: Int128 = 1
            for _ in 0..<precision { limit *= 10 }
            let small = Int128(Int.random(in: -3...3, using: &random))
            return .decimal(Int.random(in: 0..<3, using: &random) == 0 && small.magnitude < limit.magnitude ? small : Int128.random(in: 1 - limit...limit - 1, using: &random))
        case .char, .varChar: return .string(samples.randomElement(using: &random) ?? "")
        case .binary(let length): return .bytes((0..<length).map { _ in UInt8.random(in: 0...255, using: &random) })
        case .varBinary: return .bytes((0..<Int.random(in: 0..<20, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
        case .array(let element): return .list((0..<Int.random(in: 0..<4, using: &random)).map { _ in scalar(element, &random) })
        case .map(let key, let value):
            let count = Int.random(in: 0..<3, using: &random)
            return .map(keys: (0..<count).map { _ in scalar(key, &random) }, values: (0..<count).map { _ in scalar(value, &random) })
        case .multiset(let element):
            let count = Int.random(in: 0..<3, using: &random)
            return .map(keys: (0..<count).map { _ in scalar(element, &random) }, values: (0..<count).map { _ in .int64(2) })
        case .row(let fields), .structured(_, let fields): return .row(fields.map { scalar($0.type, &random) })
        default:
            let (low, high): (Int64, Int64) =
                switch type.layout {
                case .fixed(byteWidth: 1): (-128, 127)
                case .fixed(byteWidth: 2): (-32_768, 32_767)
                case .fixed(byteWidth: 4): (-2_147_483_648, 2_147_483_647)
                default: (.min, .max)
                }
            switch Int.random(in: 0..<4, using: &random) {
            case 0: return .int64(Int64.random(in: -3...3, using: &random))
            case 1: return .int64([low, high].randomElement(using: &random) ?? 0)
            case 2: return .int64(min(max(Int64.random(in: -100_000_000_000...100_000_000_000, using: &random), low), high))
            default: return .int64(Int64.random(in: low...high, using: &random))
            }
        }
    }

    enum Outcome: Equatable {
        case value(Scalar)
        case failed
    }

    /// NaNs are equal here, zeros of different signs are not.
    static func canonical(_ value: Scalar) -> Scalar {
        switch value {
        case .double(let number): .bytes(Array(number != number ? "NaN".utf8 : "\(number)".utf8))
        case .list(let values): .list(values.map(canonical))
        case .row(let values): .row(values.map(canonical))
        case .map(let keys, let values): .map(keys: keys.map(canonical), values: values.map(canonical))
        default: value
        }
    }

    /// `make` over random columns of `types`; nil where there is no such function of these types.
    static func check(_ name: String, _ types: [DataType], _ random: inout Random, rows: Int = 12, _ make: ([ScalarExpression]) -> ScalarExpression) throws -> Bool {
        let schema = Schema(types.enumerated().map { Field("c\($0.offset)", $0.element) })
        let values = types.map { type in (0..<rows).map { _ in scalar(type, &random) } }
        let columns = types.enumerated().map { ScalarExpression.column($0.offset, $0.element) }
        let expression = make(columns)
        let program: ScalarProgram
        switch Result(catching: { () throws(MillstreamError) in try ScalarProgram([expression]) }) {
        case .success(let made): program = made
        case .failure(let error):
            #expect(error.code == .plan || error.code == .unsupported, "\(name): \(error)")
            return false
        }
        let context = EvaluationContext(timeZone: "America/Los_Angeles")
        // Each row by itself: with constants for all columns, and for all but one.
        var alone: [Outcome] = []
        for row in 0..<rows {
            let constants = types.enumerated().map { ScalarExpression.constant(values[$0.offset][row], $0.element) }
            alone.append(outcome { () throws(MillstreamError) in try ScalarProgram.constant(make(constants), context) })
        }
        let batch = try Rows.batch(schema, try zip(types, values).map { try Rows.column($0, $1) })
        for disguise in try Rows.disguises(batch) {
            switch Result(catching: { () throws(MillstreamError) in try program.columns(of: disguise, context) }) {
            case .success(let columns):
                #expect(columns[0].count == rows)
                for row in 0..<rows {
                    let got = Outcome.value(canonical(columns[0].scalar(at: row)))
                    #expect(got == alone[row], "\(name) of \(values.map { $0[row] }): \(got) in a batch, \(alone[row]) alone")
                }
            case .failure(let error):
                #expect(error.code != .internal, "\(name): \(error)")
                #expect(alone.contains(.failed), "\(name): \(error)")
            }
        }
        guard types.count > 1 else { return true }
        for constant in 0..<types.count {
            let row = Int.random(in: 0..<rows, using: &random)
            var mixed = columns
            mixed[constant] = .constant(values[constant][row], types[constant])
            let result = outcome { () throws(MillstreamError) in try ScalarProgram([make(mixed)]).columns(of: batch, context)[0].scalar(at: row) }
            if case .value = result { #expect(result == alone[row], "\(name) with constant \(constant) of \(values.map { $0[row] })") }
        }
        return true
    }

    private static func outcome(_ body: () throws(MillstreamError) -> Scalar) -> Outcome {
        switch Result(catching: body) {
        case .success(let value): return .value(canonical(value))
        case .failure(let error):
            #expect(error.code != .internal, "\(error)")
            return .failed
        }
    }

    @Test func castsOfAllPairs() throws {
        var random = Random(1)
        var count = 0
        for source in Self.all {
            for target in Self.all {
                for isTry in [false, true] {
                    if try Self.check("cast from \(source) to \(target)", [source], &random, { ScalarExpression(.cast($0[0], isTry: isTry), target) }) { count += 1 }
                }
            }
        }
        #expect(count > 1_000)
    }

    /// TRY_CAST gives NULL where CAST fails, and else what CAST gives.
    @Test func tryCastFailsSoftly() throws {
        var random = Random(2)
        for target in Self.all {
            for source in [DataType.string, DataType(.array(.string)), DataType(.row([Field("a", .string), Field("b", .bigInt)]))] {
                for _ in 0..<20 {
                    let value = Self.scalar(source, &random)
                    let constant = ScalarExpression.constant(value, source)
                    guard (try? ScalarProgram([ScalarExpression(.cast(constant, isTry: false), target)])) != nil else { continue }
                    let context = EvaluationContext()
                    let soft = Self.canonical(try ScalarProgram.constant(ScalarExpression(.cast(constant, isTry: true), target), context))
                    let hard = try? Self.canonical(try ScalarProgram.constant(ScalarExpression(.cast(constant, isTry: false), target), context))
                    #expect(soft == hard ?? .null, "\(value) to \(target)")
                }
            }
        }
    }

    @Test func comparisonsAndChoices() throws {
        var random = Random(3)
        let functions: [ScalarFunction] = [.equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .isDistinctFrom, .isNotDistinctFrom]
        let pairs: [(DataType, DataType)] =
            Self.all.map { ($0, $0) }
            + [
                (.int, .bigInt), (.int, .double), (Self.decimal(5, 2), Self.decimal(18, 4)), (Self.decimal(5, 2), .int), (.string, DataType(.char(3))),
                (DataType(.timestamp(0)), DataType(.timestamp(9))), (DataType(.time(0)), DataType(.time(9))), (DataType(.timestampLTZ(3)), DataType(.timestamp(3))),
                (DataType(.array(.int)), DataType(.array(.bigInt))), (DataType(.intervalDayTime(3)), DataType(.intervalDayTime(6))), (.date, DataType(.timestamp(3))),
            ]
        for (left, right) in pairs {
            for function in functions { _ = try Self.check(function.rawValue, [left, right], &random) { .call(function, $0, .boolean) } }
            _ = try Self.check("IN \(left)", [left, right, left], &random) { .call(.in, $0, .boolean) }
            _ = try Self.check("NULLIF \(left)", [left, right], &random) { .call(.nullIf, $0, left) }
        }
        for type in Self.all {
            for function in [ScalarFunction.greatest, .least] { _ = try Self.check(function.rawValue, [type, type, type], &random) { .call(function, $0, type) } }
            // A list of constants against one column.
            for count in [1, 3, 40] {
                let list = (0..<count).map { _ in ScalarExpression.constant(Self.scalar(type, &random), type) }
                _ = try Self.check("IN of \(count) \(type)", [type], &random) { .call(.in, $0 + list, .boolean) }
            }
        }
    }

    @Test func arithmetic() throws {
        var random = Random(4)
        let operations: [ScalarFunction] = [.plus, .minus, .times, .divide, .remainder]
        for type in Self.numbers {
            for operation in operations {
                for other in Self.numbers {
                    for result in [type, other, Self.decimal(38, 6)] {
                        _ = try Self.check("\(operation.rawValue) \(type) \(other)", [type, other], &random, rows: 6) { .call(operation, $0, result) }
                    }
                }
            }
            for function in [ScalarFunction.negate, .abs, .sign, .ceil, .floor] { _ = try Self.check(function.rawValue, [type], &random) { .call(function, $0, type) } }
            for function in [ScalarFunction.round, .truncate] {
                _ = try Self.check("\(function.rawValue) \(type)", [type, .int], &random) { .call(function, $0, type) }
                for digits in [-40, -20, -3, -1, 0, 2, 5, 40, Int64(Int32.max), Int64(Int32.min)] {
                    let places = ScalarExpression.constant(.int64(digits), DataType.int.notNull)
                    _ = try Self.check("\(function.rawValue) \(type) \(digits)", [type], &random) { .call(function, $0 + [places], type) }
                }
            }
        }
    }

    @Test func pointsAndIntervals() throws {
        var random = Random(5)
        for left in Self.times + Self.intervals + [.int] {
            for right in Self.times + Self.intervals + [.int, .double] {
                for operation in [ScalarFunction.plus, .minus, .times, .divide] {
                    for result in [left, right, DataType(.timestamp(3)), DataType(.timestampLTZ(6)), DataType(.intervalYearMonth), DataType(.intervalDayTime(3)), .date] {
                        _ = try Self.check("\(left) \(operation.rawValue) \(right) as \(result)", [left, right], &random, rows: 6) { .call(operation, $0, result) }
                    }
                }
            }
        }
    }

    @Test func mathematics() throws {
        var random = Random(6)
        let ones: [ScalarFunction] = [
            .sqrt, .exp, .ln, .log, .log10, .log2, .sin, .cos, .tan, .cot, .asin, .acos, .atan, .sinh, .cosh, .tanh, .degrees, .radians, .rand,
        ]
        for type in Self.numbers {
            for function in ones { _ = try Self.check(function.rawValue, [type], &random) { .call(function, $0, .double) } }
            for function in [ScalarFunction.power, .atan2, .log] { _ = try Self.check(function.rawValue, [type, type], &random) { .call(function, $0, .double) } }
            for function in [ScalarFunction.bin, .hex] { _ = try Self.check(function.rawValue, [type], &random) { .call(function, $0, .string) } }
            _ = try Self.check("RAND_INTEGER", [.int, type], &random) { .call(.randInteger, $0, .int) }
        }
        for type in Self.texts { for function in [ScalarFunction.hex, .unhex] { _ = try Self.check(function.rawValue, [type], &random) { .call(function, $0, .bytes) } } }
    }
}
