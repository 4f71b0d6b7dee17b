#if canImport(Glibc)
import Glibc
#endif
import Columnar
import Plan

/// Functions of numbers: absolute value and sign, roots, powers, logarithms, angles, constants. Rounding and chance have files of their own.
enum MathFunctions {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        switch request.function {
        case .abs: return try ofOne(request) { (operand, rows) throws(MillstreamError) in try ArithmeticKernels.absolute(operand, rows) }
        case .sign: return try sign(request)
        case .pi: return constant(Double.pi, request.type)
        case .e: return constant(2.718281828459045, request.type)
        case .sqrt: return try doubles(request) { $0.squareRoot() }
        case .exp: return try doubles(request) { exp($0) }
        case .ln: return try doubles(request) { log($0) }
        case .log10: return try doubles(request) { log10($0) }
        case .log2: return try doubles(request) { log($0) / log(2) }
        case .log:
            if request.arguments.count == 1 { return try doubles(request) { log($0) } }
            return try pairs(request) { log($1) / log($0) }
        case .sin: return try doubles(request) { sin($0) }
        case .cos: return try doubles(request) { cos($0) }
        case .tan: return try doubles(request) { tan($0) }
        case .cot: return try doubles(request) { 1 / tan($0) }
        case .asin: return try doubles(request) { asin($0) }
        case .acos: return try doubles(request) { acos($0) }
        case .atan: return try doubles(request) { atan($0) }
        case .sinh: return try doubles(request) { Hyperbolic.sinh($0) }
        case .cosh: return try doubles(request) { Hyperbolic.cosh($0) }
        case .tanh: return try doubles(request) { Hyperbolic.tanh($0) }
        case .degrees: return try doubles(request) { $0 * 57.29577951308232 }
        case .radians: return try doubles(request) { $0 * 0.017453292519943295 }
        case .power:
            // Where C gives 1 for 1 to the power of NaN, Java gives NaN; likewise for -1 and infinities.
            return try pairs(request) { $0.magnitude == 1 && !$1.isFinite ? .nan : pow($0, $1) }
        case .atan2: return try pairs(request) { atan2($0, $1) }
        default: return nil
        }
    }

    private static func constant(_ value: Double, _ type: DataType) -> Kernel {
        { (_, _, _) throws(MillstreamError) in try Operand.constant(.double(value), type) }
    }

    /// A kernel of one argument that has the result's kind.
    static func ofOne(_ request: KernelRequest, _ body: @escaping (Operand, Int) throws(MillstreamError) -> Operand) throws(MillstreamError) -> Kernel {
        let type = request.type
        let source = request.arguments[0]
        if source.kind == .null { return { (_, _, _) in .null(type) } }
        let step = source.kind == type.kind ? nil : try Casts.step(from: source, to: type)
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments[0].isNullConstant { return .null(type) }
            let rows = arguments[0].isConstant ? 1 : count
            return try body(try Alignment.apply(step, arguments[0], rows, context), rows).typed(type)
        }
    }

    /// A function of one number as DOUBLE.
    private static func doubles(_ request: KernelRequest, _ body: @escaping (Double) -> Double) throws(MillstreamError) -> Kernel {
        let type = request.type
        let source = request.arguments[0]
        if source.kind == .null { return { (_, _, _) in .null(type) } }
        let step = source.kind == .double ? nil : try Casts.step(from: source, to: .double)
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments[0].isNullConstant { return .null(type) }
            let rows = arguments[0].isConstant ? 1 : count
            let operand = try Alignment.apply(step, arguments[0], rows, context)
            return Operand(CastsOfTimes.mapped(operand.column, rows, type) { (value: Double) in body(value) }, isConstant: operand.isConstant)
        }
    }

    /// A function of two numbers as DOUBLE.
    private static func pairs(_ request: KernelRequest, _ body: @escaping (Double, Double) -> Double) throws(MillstreamError) -> Kernel {
        let type = request.type
        if request.arguments.contains(where: { $0.kind == .null }) { return { (_, _, _) in .null(type) } }
        let left = request.arguments[0].kind == .double ? nil : try Casts.step(from: request.arguments[0], to: .double)
        let right = request.arguments[1].kind == .double ? nil : try Casts.step(from: request.arguments[1], to: .double)
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments.contains(where: \.isNullConstant) { return .null(type) }
            let isConstant = arguments[0].isConstant && arguments[1].isConstant
            let rows = isConstant ? 1 : count
            let one = try Alignment.apply(left, arguments[0], rows, context)
            let other = try Alignment.apply(right, arguments[1], rows, context)
            let buffer = Buffer(byteCount: 8 * rows)
            mapPairs(Values<Double>(one), Values<Double>(other), rows, buffer.pointer(as: Double.self), body)
            return Operand(Column(type: type, count: rows, validity: Validity.ofAll([one, other], count: rows), values: buffer), isConstant: isConstant)
        }
    }

    /// -1, 0 or 1 in the argument's type.
    private static func sign(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        try ofOne(request) { (operand, rows) throws(MillstreamError) in
            let column: Column
            switch operand.type.kind {
            case .tinyInt: column = CastsOfTimes.mapped(operand.column, rows, operand.type) { (value: Int8) in value.signum() }
            case .smallInt: column = CastsOfTimes.mapped(operand.column, rows, operand.type) { (value: Int16) in value.signum() }
            case .int: column = CastsOfTimes.mapped(operand.column, rows, operand.type) { (value: Int32) in value.signum() }
            case .bigInt: column = CastsOfTimes.mapped(operand.column, rows, operand.type) { (value: Int64) in value.signum() }
            case .float: column = CastsOfTimes.mapped(operand.column, rows, operand.type) { (value: Float) in value > 0 ? 1 : value < 0 ? -1 : value }
            case .double: column = CastsOfTimes.mapped(operand.column, rows, operand.type) { (value: Double) in value > 0 ? 1 : value < 0 ? -1 : value }
            case .decimal(_, let scale):
                let one = DecimalRules.power(scale)
                column = CastsOfTimes.mapped(operand.column, rows, operand.type) { (value: Int128) in value > 0 ? one : value < 0 ? -one : 0 }
            default: throw MillstreamError(.plan, "SIGN has no meaning for \(operand.type)")
            }
            return Operand(column, isConstant: operand.isConstant)
        }
    }
}

/// The hyperbolic functions by the formulas of fdlibm, from which Java's results come to the last bit.
enum Hyperbolic {
    static func sinh(_ value: Double) -> Double {
        let magnitude = value.magnitude
        let half: Double = value < 0 ? -0.5 : 0.5
        if magnitude < 22 {
            // Nothing is left of the square of so small a number.
            if magnitude < 0x1p-28 { return value }
            let t = expm1(magnitude)
            return magnitude < 1 ? half * (2 * t - t * t / (t + 1)) : half * (t + t / (t + 1))
        }
        return large(magnitude, half) ?? value * 1e307
    }

    static func cosh(_ value: Double) -> Double {
        let magnitude = value.magnitude
        if magnitude < 0.34657359027997264 {
            let t = expm1(magnitude)
            let w = 1 + t
            return magnitude < 0x1p-55 ? w : 1 + (t * t) / (w + w)
        }
        if magnitude < 22 {
            let t = exponential(magnitude)
            return 0.5 * t + 0.5 / t
        }
        return large(magnitude, 0.5) ?? magnitude * 1e307
    }

    static func tanh(_ value: Double) -> Double {
        let magnitude = value.magnitude
        let result: Double
        if magnitude != magnitude { return value }
        if magnitude >= 22 {
            result = 1
        } else if magnitude < 0x1p-55 {
            return value
        } else if magnitude >= 1 {
            result = 1 - 2 / (expm1(2 * magnitude) + 2)
        } else {
            let t = expm1(-2 * magnitude)
            result = -t / (t + 2)
        }
        return value < 0 ? -result : result
    }

    /// e to the power of 0.34...22, to a last bit that is not always the nearest.
    private static func exponential(_ value: Double) -> Double {
        let steps = value < 1.0397207708399179 ? 1 : Int(1.44269504088896338700 * value + 0.5)
        let high = value - Double(steps) * 6.93147180369123816490e-01
        let low = Double(steps) * 1.90821492927058770002e-10
        let x = high - low
        let t = x * x
        let polynomial =
            1.66666666666666019037e-01 + t * (-2.77777777770155933842e-03 + t * (6.61375632143793436117e-05 + t * (-1.65339022054652515390e-06 + t * 4.13813679705723846039e-08)))
        let c = x - t * polynomial
        let y = 1 - ((low - (x * c) / (2 - c)) - high)
        return Double(sign: .plus, exponent: steps, significand: y)
    }

    /// Half of e to the power of `magnitude`, of `half`'s sign; nil for NaN and what is beyond every double.
    private static func large(_ magnitude: Double, _ half: Double) -> Double? {
        if magnitude < 709.782712893384 { return half * exp(magnitude) }
        guard magnitude <= 710.4758600739439 else { return nil }
        let w = exp(0.5 * magnitude)
        return half * w * w
    }
}
