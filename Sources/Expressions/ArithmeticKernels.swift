#if canImport(Glibc)
import Glibc
#endif
import Columnar
import Plan

/// Arithmetic on integers and floating-point numbers of one type, with Java's rules: integers wrap, a remainder has the dividend's sign,
/// dividing an integer by zero is an error, dividing a floating-point number is not. Times plus durations saturate.
enum ArithmeticKernels {
    static func compute(
        _ operation: BinaryOperation, _ left: Operand, _ right: Operand, _ count: Int, _ type: DataType
    ) throws(MillstreamError) -> Operand {
        let validity = Validity.ofAll([left, right], count: count)
        let values: Buffer
        switch type.kind {
        case .tinyInt: values = try integers(operation, Values<Int8>(left), Values<Int8>(right), count, validity)
        case .smallInt: values = try integers(operation, Values<Int16>(left), Values<Int16>(right), count, validity)
        case .int: values = try integers(operation, Values<Int32>(left), Values<Int32>(right), count, validity)
        case .bigInt: values = try integers(operation, Values<Int64>(left), Values<Int64>(right), count, validity)
        case .float: values = floating(operation, Values<Float>(left), Values<Float>(right), count) { fmodf($0, $1) }
        case .double: values = floating(operation, Values<Double>(left), Values<Double>(right), count) { fmod($0, $1) }
        case .timestamp, .timestampLTZ: values = times(operation, Values<Int64>(left), Values<Int64>(right), count)
        default: throw MillstreamError(.unsupported, "\(operation.symbol) is not built for \(type)")
        }
        return Operand(Column(type: type, count: count, validity: validity, values: values), isConstant: left.isConstant && right.isConstant)
    }

    private static func integers<Integer: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
        _ operation: BinaryOperation, _ left: Values<Integer>, _ right: Values<Integer>, _ count: Int, _ validity: Buffer?
    ) throws(MillstreamError) -> Buffer {
        let buffer = Buffer(byteCount: count * MemoryLayout<Integer>.stride)
        let result = buffer.pointer(as: Integer.self)
        switch operation {
        case .add: mapPairs(left, right, count, result) { $0 &+ $1 }
        case .subtract: mapPairs(left, right, count, result) { $0 &- $1 }
        case .multiply: mapPairs(left, right, count, result) { $0 &* $1 }
        case .divide:
            try refuseZero(right, count, validity)
            if let divisor = ConstantDivisor(right, count) {
                for row in 0..<count { result[row] = Integer(truncatingIfNeeded: divisor.quotient(Int64(left[row]))) }
                break
            }
            // The smallest number divided by -1 wraps, as in Java; a row that is null may have any divisor.
            mapPairs(left, right, count, result) { $1 == 0 ? 0 : $0.dividedReportingOverflow(by: $1).partialValue }
        default:
            try refuseZero(right, count, validity)
            if let divisor = ConstantDivisor(right, count) {
                for row in 0..<count { result[row] = Integer(truncatingIfNeeded: divisor.remainder(Int64(left[row]))) }
                break
            }
            mapPairs(left, right, count, result) { $1 == 0 || $1 == -1 ? 0 : $0 % $1 }
        }
        return buffer
    }

    private static func refuseZero<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ divisors: Values<Integer>, _ count: Int, _ validity: Buffer?
    ) throws(MillstreamError) {
        if divisors.isConstant && count > 0 && divisors[0] != 0 { return }
        for row in 0..<count where divisors[row] == 0 {
            if let validity, !Bits.get(validity.base, row) { continue }
            throw divisionByZero(row)
        }
    }

    static func divisionByZero(_ row: Int) -> MillstreamError {
        MillstreamError(.arithmetic, "division by zero", hint: "Filter such records out, or divide by DOUBLE.", recordIndex: Int64(row))
    }

    private static func floating<Number: BinaryFloatingPoint & BitwiseCopyable>(
        _ operation: BinaryOperation, _ left: Values<Number>, _ right: Values<Number>, _ count: Int, _ remainder: (Number, Number) -> Number
    ) -> Buffer {
        let buffer = Buffer(byteCount: count * MemoryLayout<Number>.stride)
        let result = buffer.pointer(as: Number.self)
        switch operation {
        case .add: mapPairs(left, right, count, result) { $0 + $1 }
        case .subtract: mapPairs(left, right, count, result) { $0 - $1 }
        case .multiply: mapPairs(left, right, count, result) { $0 * $1 }
        case .divide: mapPairs(left, right, count, result) { $0 / $1 }
        default: mapPairs(left, right, count, result, remainder)
        }
        return buffer
    }

    private static func times(_ operation: BinaryOperation, _ left: Values<Int64>, _ right: Values<Int64>, _ count: Int) -> Buffer {
        let buffer = Buffer(byteCount: count * 8)
        let result = buffer.pointer(as: Int64.self)
        if operation == .add {
            mapPairs(left, right, count, result) { $0.addingSaturating($1) }
        } else {
            mapPairs(left, right, count, result) { $0.subtractingSaturating($1) }
        }
        return buffer
    }

    /// `-x`; the smallest integer stays what it is.
    static func negate(_ operand: Operand, _ count: Int) throws(MillstreamError) -> Operand {
        switch operand.type.kind {
        case .tinyInt: map(operand, count, of: Int8.self) { 0 &- $0 }
        case .smallInt: map(operand, count, of: Int16.self) { 0 &- $0 }
        case .int: map(operand, count, of: Int32.self) { 0 &- $0 }
        case .bigInt: map(operand, count, of: Int64.self) { 0 &- $0 }
        case .float: map(operand, count, of: Float.self) { -$0 }
        case .double: map(operand, count, of: Double.self) { -$0 }
        case .decimal: map(operand, count, of: Int128.self) { 0 &- $0 }
        case .intervalYearMonth: map(operand, count, of: Int32.self) { 0 &- $0 }
        case .intervalDayTime: map(operand, count, of: Int64.self) { 0 &- $0 }
        default: throw MillstreamError(.unsupported, "- is not built for \(operand.type)")
        }
    }

    /// `ABS(x)`; the smallest integer stays what it is.
    static func absolute(_ operand: Operand, _ count: Int) throws(MillstreamError) -> Operand {
        switch operand.type.kind {
        case .tinyInt: map(operand, count, of: Int8.self) { $0 < 0 ? 0 &- $0 : $0 }
        case .smallInt: map(operand, count, of: Int16.self) { $0 < 0 ? 0 &- $0 : $0 }
        case .int: map(operand, count, of: Int32.self) { $0 < 0 ? 0 &- $0 : $0 }
        case .bigInt: map(operand, count, of: Int64.self) { $0 < 0 ? 0 &- $0 : $0 }
        case .float: map(operand, count, of: Float.self) { $0.magnitude }
        case .double: map(operand, count, of: Double.self) { $0.magnitude }
        case .decimal: map(operand, count, of: Int128.self) { $0 < 0 ? 0 &- $0 : $0 }
        default: throw MillstreamError(.unsupported, "ABS is not built for \(operand.type)")
        }
    }

    @inline(__always)
    private static func map<Number: BitwiseCopyable>(
        _ operand: Operand, _ count: Int, of type: Number.Type, _ body: (Number) -> Number
    ) -> Operand {
        let buffer = Buffer(byteCount: count * MemoryLayout<Number>.stride)
        let result = buffer.pointer(as: Number.self)
        let source = Values<Number>(operand)
        for row in 0..<count { result[row] = body(source[row]) }
        let validity = Validity.ofAll([operand], count: count)
        return Operand(Column(type: operand.type, count: count, validity: validity, values: buffer), isConstant: operand.isConstant)
    }
}

/// Division by a number known before, as a multiplication and shifts (Granlund and Montgomery, 1994), which takes a fraction of the processor's division.
private struct ConstantDivisor {
    private let divisor: Int64
    /// The 64 bits below the first of the divisor's reciprocal.
    private let multiplier: Int64
    private let shift: Int64

    /// nil where the divisor is no constant, or less than two.
    init?<Integer: FixedWidthInteger & SignedInteger & BitwiseCopyable>(_ values: Values<Integer>, _ count: Int) {
        guard values.isConstant, count > 1, values[0] >= 2 else { return nil }
        divisor = Int64(values[0])
        // The least number of bits whose power of two is not below the divisor.
        let bits = 64 - (divisor - 1).leadingZeroBitCount
        let reciprocal = (UInt128(1) << UInt128(63 + bits)) / UInt128(divisor) + 1
        multiplier = Int64(truncatingIfNeeded: reciprocal)
        shift = Int64(bits - 1)
    }

    @inline(__always)
    func quotient(_ value: Int64) -> Int64 {
        let estimate = value &+ value.multipliedFullWidth(by: multiplier).high
        return (estimate &>> shift) &- (value &>> 63)
    }

    @inline(__always)
    func remainder(_ value: Int64) -> Int64 { value &- quotient(value) &* divisor }
}
