import Columnar
import Plan

/// ROUND, TRUNCATE, CEIL and FLOOR of numbers, in decimal digits: 1.005 rounded to two digits is 1.01, as it prints, not as the double lies.
enum MathRounding {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        switch request.function {
        case .round: return try digits(request, .halfUp)
        case .truncate: return try digits(request, .down)
        case .ceil where request.arguments.count == 1: return try whole(request, .ceiling)
        case .floor where request.arguments.count == 1: return try whole(request, .floor)
        default: return nil
        }
    }

    enum Mode { case halfUp, down, ceiling, floor }

    /// The quotient by a power of ten, rounded. The divisor is positive.
    @inline(__always)
    static func quotient(_ value: Int128, _ divisor: Int128, _ mode: Mode) -> Int128 {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        switch mode {
        case .halfUp:
            let rest = remainder.magnitude
            return rest >= divisor.magnitude - rest && rest > 0 ? quotient &+ (value < 0 ? -1 : 1) : quotient
        case .down: return quotient
        case .ceiling: return remainder > 0 ? quotient &+ 1 : quotient
        case .floor: return remainder < 0 ? quotient &- 1 : quotient
        }
    }

    // MARK: To whole numbers

    private static func whole(_ request: KernelRequest, _ mode: Mode) throws(MillstreamError) -> Kernel {
        guard case .decimal(_, let scale) = request.arguments[0].kind, case .decimal(let precision, let target) = request.type.kind else {
            return try MathFunctions.ofOne(request) { (operand, rows) throws(MillstreamError) in
                switch operand.type.kind {
                case .tinyInt, .smallInt, .int, .bigInt: return operand
                case .float:
                    let rule: FloatingPointRoundingRule = mode == .ceiling ? .up : .down
                    return Operand(CastsOfTimes.mapped(operand.column, rows, operand.type) { (value: Float) in value.rounded(rule) }, isConstant: operand.isConstant)
                case .double:
                    let rule: FloatingPointRoundingRule = mode == .ceiling ? .up : .down
                    return Operand(CastsOfTimes.mapped(operand.column, rows, operand.type) { (value: Double) in value.rounded(rule) }, isConstant: operand.isConstant)
                case .decimal(_, let scale):
                    // The type of the argument was another number's.
                    return decimal(operand, rows, operand.type, 38, scale) { value in multiplied(quotient(value, DecimalRules.power(scale), mode), scale) }
                default: throw MillstreamError(.plan, "\(request.function.rawValue) has no meaning for \(operand.type)")
                }
            }
        }
        let type = request.type
        return { (arguments, count, _) in
            if arguments[0].isNullConstant { return .null(type) }
            let rows = arguments[0].isConstant ? 1 : count
            let divisor = DecimalRules.power(scale)
            return decimal(arguments[0], rows, type, precision, target) { value in multiplied(quotient(value, divisor, mode), target) }
        }
    }

    /// Times a power of ten; nil where that is beyond Int128.
    private static func multiplied(_ value: Int128, _ digits: Int) -> Int128? {
        if digits == 0 { return value }
        let (product, overflow) = value.multipliedReportingOverflow(by: DecimalRules.power(digits))
        return overflow ? nil : product
    }

    @inline(__always)
    private static func decimal(_ operand: Operand, _ rows: Int, _ type: DataType, _ precision: Int, _ scale: Int, _ body: (Int128) -> Int128?) -> Operand {
        let limit = DecimalRules.power(precision).magnitude
        let buffer = Buffer(byteCount: 16 * rows)
        let values = buffer.pointer(as: Int128.self)
        let source = Values<Int128>(operand)
        var validity = Validity.ofAll([operand], count: rows)
        for row in 0..<rows {
            if let value = body(source[row]), value.magnitude < limit {
                values[row] = value
                continue
            }
            values[row] = 0
            if operand.isNull(row) { continue }
            let bits = validity ?? DecimalKernels.allSet(rows)
            Bits.clear(bits.base, row)
            validity = bits
        }
        return Operand(Column(type: type, count: rows, validity: validity, values: buffer), isConstant: operand.isConstant)
    }

    // MARK: To a number of digits

    private static func digits(_ request: KernelRequest, _ mode: Mode) throws(MillstreamError) -> Kernel {
        let type = request.type
        let source = request.arguments[0]
        if request.arguments.contains(where: { $0.kind == .null }) { return { (_, _, _) in .null(type) } }
        let isDecimal = if case .decimal = source.kind { true } else { false }
        let step = isDecimal || source.kind == type.kind ? nil : try Casts.step(from: source, to: type)
        let hasDigits = request.arguments.count > 1
        let digitsStep = hasDigits && request.arguments[1].kind != .int ? try Casts.step(from: request.arguments[1], to: .int) : nil
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments.contains(where: \.isNullConstant) { return .null(type) }
            let isConstant = arguments.allSatisfy(\.isConstant)
            let rows = isConstant ? 1 : count
            var operand = try Alignment.apply(step, arguments[0], rows, context)
            let places = hasDigits ? try Alignment.apply(digitsStep, arguments[1], rows, context) : try Operand.constant(.int64(0), DataType.int.notNull)
            if operand.isConstant, !isConstant { operand = Operand(try operand.column.repeatingFirst(rows)) }
            let column = try rounded(operand, Values<Int32>(places), rows, type, mode, Validity.ofAll([operand, places], count: rows))
            withExtendedLifetime(places) {}
            return Operand(column, isConstant: isConstant)
        }
    }

    private static func rounded(
        _ operand: Operand, _ places: Values<Int32>, _ rows: Int, _ type: DataType, _ mode: Mode, _ validity: Buffer?
    ) throws(MillstreamError) -> Column {
        switch operand.type.kind {
        case .tinyInt: return integers(operand, places, rows, type, mode, validity, of: Int8.self)
        case .smallInt: return integers(operand, places, rows, type, mode, validity, of: Int16.self)
        case .int: return integers(operand, places, rows, type, mode, validity, of: Int32.self)
        case .bigInt: return integers(operand, places, rows, type, mode, validity, of: Int64.self)
        case .float:
            let source = Values<Float>(operand)
            return try floats(operand, rows, type, validity, of: Float.self) { row throws(MillstreamError) in Float(try rounded(Double(source[row]), Int(places[row]), mode, row)) }
        case .double:
            let source = Values<Double>(operand)
            return try floats(operand, rows, type, validity, of: Double.self) { row throws(MillstreamError) in try rounded(source[row], Int(places[row]), mode, row) }
        case .decimal(_, let scale):
            guard case .decimal(let precision, let target) = type.kind else { break }
            return decimals(operand, places, rows, type, scale, precision, target, mode, validity)
        default: break
        }
        throw MillstreamError(.plan, "\(mode == .halfUp ? "ROUND" : "TRUNCATE") has no meaning for \(operand.type)")
    }

    private static func integers<Integer: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
        _ operand: Operand, _ places: Values<Int32>, _ rows: Int, _ type: DataType, _ mode: Mode, _ validity: Buffer?, of integer: Integer.Type
    ) -> Column {
        let buffer = Buffer(byteCount: rows * MemoryLayout<Integer>.stride)
        let values = buffer.pointer(as: Integer.self)
        let source = Values<Integer>(operand)
        for row in 0..<rows {
            let digits = places[row]
            if digits >= 0 {
                values[row] = source[row]
            } else if digits < -19 {
                values[row] = 0
            } else {
                // Beyond its type a result wraps.
                let power = DecimalRules.power(-Int(digits))
                values[row] = Integer(truncatingIfNeeded: quotient(Int128(source[row]), power, mode) &* power)
            }
        }
        return Column(type: type, count: rows, validity: validity, values: buffer)
    }

    private static func floats<Number: BitwiseCopyable>(
        _ operand: Operand, _ rows: Int, _ type: DataType, _ validity: Buffer?, of number: Number.Type, _ body: (Int) throws(MillstreamError) -> Number
    ) throws(MillstreamError) -> Column {
        let buffer = Buffer.zeroed(byteCount: rows * MemoryLayout<Number>.stride)
        let values = buffer.pointer(as: Number.self)
        for row in 0..<rows {
            if let validity, !Bits.get(validity.base, row) { continue }
            values[row] = try body(row)
        }
        return Column(type: type, count: rows, validity: validity, values: buffer)
    }

    /// A double rounded by the digits that it prints with.
    private static func rounded(_ value: Double, _ places: Int, _ mode: Mode, _ row: Int) throws(MillstreamError) -> Double {
        guard value.isFinite else {
            throw MillstreamError(
                .arithmetic, "\(value) has no digits to round", hint: "Filter such records out, or use FLOOR or CEIL.", recordIndex: Int64(row))
        }
        let number = FloatingDigits(value)
        let dropped = -number.exponent - places
        guard dropped > 0 else { return value }
        let kept = dropped > 20 ? 0 : quotient(Int128(number.digits), DecimalRules.power(dropped), mode)
        let result = FloatingDecimal.double(digits: UInt64(truncatingIfNeeded: kept), scale: places)
        return value < 0 ? 0 - result : result
    }

    private static func decimals(
        _ operand: Operand, _ places: Values<Int32>, _ rows: Int, _ type: DataType, _ scale: Int, _ precision: Int, _ target: Int, _ mode: Mode, _ present: Buffer?
    ) -> Column {
        let limit = DecimalRules.power(precision).magnitude
        let buffer = Buffer(byteCount: 16 * rows)
        let values = buffer.pointer(as: Int128.self)
        let source = Values<Int128>(operand)
        var validity = present
        for row in 0..<rows {
            values[row] = 0
            if let present, !Bits.get(present.base, row) { continue }
            let digits = Int(places[row])
            var value: Int128? = source[row]
            if digits < scale {
                let dropped = scale - digits
                // A number of 38 digits has none left of which more than 39 are dropped.
                value = dropped > DecimalRules.precisionMax ? 0 : multiplied(quotient(source[row], DecimalRules.power(dropped), mode), dropped)
            }
            if let rounded = value.flatMap({ DecimalKernels.rescaled($0, from: scale, to: target) }), rounded.magnitude < limit {
                values[row] = rounded
            } else {
                let bits = validity === present ? Validity.copied(present ?? DecimalKernels.allSet(rows), 0, rows) : validity ?? DecimalKernels.allSet(rows)
                Bits.clear(bits.base, row)
                validity = bits
            }
        }
        return Column(type: type, count: rows, validity: validity, values: buffer)
    }
}
