import Columnar
import Plan

/// Decimal arithmetic on unscaled Int128 values. A result with more digits than its type is NULL; rounding is half up, away from zero.
enum DecimalKernels {
    static func compute(
        _ operation: BinaryOperation, _ left: Operand, _ right: Operand, _ count: Int, _ type: DataType
    ) throws(MillstreamError) -> Operand {
        guard case .decimal(let precision, let scale) = type.kind, case .decimal(_, let leftScale) = left.type.kind,
            case .decimal(_, let rightScale) = right.type.kind
        else { throw .internal("decimal arithmetic on other types") }
        let loop = DecimalLoop(left, right, count, type, limit: DecimalRules.power(precision))
        let isSum = operation == .add || operation == .subtract
        let exact = max(leftScale, rightScale, isSum ? scale : 0)
        let (leftFactor, rightFactor) = (DecimalRules.power(exact - leftScale), DecimalRules.power(exact - rightScale))
        switch operation {
        case .add where exact == scale:
            return loop.run { a, b in
                if let one = product(a, leftFactor), let other = product(b, rightFactor) {
                    let (sum, overflow) = one.addingReportingOverflow(other)
                    return overflow ? nil : sum
                }
                return sum(a, leftFactor, b, rightFactor, droppedDigits: 0)
            }
        case .subtract where exact == scale:
            return loop.run { a, b in
                if let one = product(a, leftFactor), let other = product(b, rightFactor) {
                    let (difference, overflow) = one.subtractingReportingOverflow(other)
                    return overflow ? nil : difference
                }
                return sum(a, leftFactor, 0 &- b, rightFactor, droppedDigits: 0)
            }
        // The exact result has the larger scale; it is rounded once if the type keeps fewer digits.
        case .add: return loop.run { a, b in sum(a, leftFactor, b, rightFactor, droppedDigits: exact - scale) }
        case .subtract: return loop.run { a, b in sum(a, leftFactor, 0 &- b, rightFactor, droppedDigits: exact - scale) }
        case .multiply:
            let dropped = leftScale + rightScale - scale
            return loop.run { a, b in
                if dropped == 0, let (one, other) = small(a, b) { return full(one, other) }
                if dropped < 0 { return product(a, b, droppedDigits: 0).flatMap { rescaled($0, from: leftScale + rightScale, to: scale) } }
                return product(a, b, droppedDigits: dropped)
            }
        case .divide:
            try loop.refuseZero()
            return loop.run { a, b in b == 0 ? 0 : quotient(a, b, addedDigits: scale - leftScale + rightScale) }
        default:
            try loop.refuseZero()
            return loop.run { a, b in b == 0 ? 0 : remainder(a, leftFactor, b, rightFactor).flatMap { rescaled($0, from: exact, to: scale) } }
        }
    }

    /// Both, where both fit into 64 bits.
    @inline(__always)
    private static func small(_ left: Int128, _ right: Int128) -> (Int64, Int64)? {
        let (one, other) = (Int64(truncatingIfNeeded: left), Int64(truncatingIfNeeded: right))
        return Int128(one) == left && Int128(other) == right ? (one, other) : nil
    }

    @inline(__always)
    private static func full(_ left: Int64, _ right: Int64) -> Int128 {
        let product = left.multipliedFullWidth(by: right)
        return Int128(product.high) &<< 64 | Int128(product.low)
    }

    /// Times a power of ten; nil beyond Int128.
    @inline(__always)
    private static func product(_ value: Int128, _ factor: Int128) -> Int128? {
        if factor == 1 { return value }
        if let (one, other) = small(value, factor) { return full(one, other) }
        let (product, overflow) = value.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }

    /// The sum of two products in 256 bits, rounded to fewer digits; nil where that does not fit into Int128.
    private static func sum(_ left: Int128, _ leftFactor: Int128, _ right: Int128, _ rightFactor: Int128, droppedDigits: Int) -> Int128? {
        let one = left.magnitude.multipliedFullWidth(by: leftFactor.magnitude)
        let other = right.magnitude.multipliedFullWidth(by: rightFactor.magnitude)
        var isNegative = left < 0
        var (high, low): (UInt128, UInt128)
        if (left < 0) == (right < 0) {
            let (sum, carry) = one.low.addingReportingOverflow(other.low)
            // Both are less than 10 to the power of 76, so that the sum has room.
            (high, low) = (one.high &+ other.high &+ (carry ? 1 : 0), sum)
        } else {
            let isLess = (one.high, one.low) < (other.high, other.low)
            let (larger, lesser) = isLess ? (other, one) : (one, other)
            if isLess { isNegative = right < 0 }
            let (difference, borrow) = larger.low.subtractingReportingOverflow(lesser.low)
            (high, low) = (larger.high &- lesser.high &- (borrow ? 1 : 0), difference)
        }
        guard droppedDigits > 0 else { return high == 0 ? signed(low, isNegative: isNegative) : nil }
        return divided((high, low), by: DecimalRules.power(droppedDigits).magnitude, isNegative: isNegative)
    }

    /// The remainder of two products, with the first one's sign.
    private static func remainder(_ left: Int128, _ leftFactor: Int128, _ right: Int128, _ rightFactor: Int128) -> Int128? {
        guard let divisor = product(right, rightFactor) else {
            // Larger than anything that the left side, which then has no factor, can be.
            return left
        }
        if let dividend = product(left, leftFactor) { return divisor == -1 ? 0 : dividend % divisor }
        let wide = left.magnitude.multipliedFullWidth(by: leftFactor.magnitude)
        let rest = divisor.magnitude.dividingFullWidth((wide.high % divisor.magnitude, wide.low)).remainder
        return signed(rest, isNegative: left < 0)
    }

    /// -1, 0 or 1: the order of two decimals of any scales.
    static func order(_ left: Int128, _ leftScale: Int, _ right: Int128, _ rightScale: Int) -> Int {
        if (left < 0) != (right < 0) { return left < right ? -1 : 1 }
        let exact = max(leftScale, rightScale)
        let one = left.magnitude.multipliedFullWidth(by: DecimalRules.power(exact - leftScale).magnitude)
        let other = right.magnitude.multipliedFullWidth(by: DecimalRules.power(exact - rightScale).magnitude)
        if one.high == other.high, one.low == other.low { return 0 }
        return ((one.high, one.low) < (other.high, other.low)) == (left >= 0) ? -1 : 1
    }

    /// `value` with another number of fraction digits; nil if it does not fit into Int128.
    static func rescaled(_ value: Int128, from scale: Int, to target: Int) -> Int128? {
        if target >= scale {
            guard target - scale <= DecimalRules.precisionMax else { return value == 0 ? 0 : nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: DecimalRules.power(target - scale))
            return overflow ? nil : product
        }
        guard scale - target <= DecimalRules.precisionMax else { return 0 }
        let divisor = DecimalRules.power(scale - target).magnitude
        let (quotient, remainder) = value.magnitude.quotientAndRemainder(dividingBy: divisor)
        let rounded = remainder >= divisor - remainder ? quotient &+ 1 : quotient
        return signed(rounded, isNegative: value < 0)
    }

    private static func product(_ left: Int128, _ right: Int128, droppedDigits: Int) -> Int128? {
        let isNegative = (left < 0) != (right < 0)
        let wide = left.magnitude.multipliedFullWidth(by: right.magnitude)
        guard droppedDigits > 0 else {
            guard wide.high == 0 else { return nil }
            return signed(wide.low, isNegative: isNegative)
        }
        guard droppedDigits <= DecimalRules.precisionMax else { return nil }
        return divided(wide, by: DecimalRules.power(droppedDigits).magnitude, isNegative: isNegative)
    }

    private static func quotient(_ left: Int128, _ right: Int128, addedDigits: Int) -> Int128? {
        let isNegative = (left < 0) != (right < 0)
        guard addedDigits >= 0, addedDigits <= DecimalRules.precisionMax else {
            // More digits than a power of ten in Int128 has: only small dividends can have a result that fits.
            guard addedDigits > 0, let first = rescaled(left, from: 0, to: DecimalRules.precisionMax) else { return nil }
            let wide = first.magnitude.multipliedFullWidth(by: DecimalRules.power(addedDigits - DecimalRules.precisionMax).magnitude)
            return divided(wide, by: right.magnitude, isNegative: isNegative)
        }
        let wide = left.magnitude.multipliedFullWidth(by: DecimalRules.power(addedDigits).magnitude)
        return divided(wide, by: right.magnitude, isNegative: isNegative)
    }

    private static func divided(_ wide: (high: UInt128, low: UInt128), by divisor: UInt128, isNegative: Bool) -> Int128? {
        // A quotient of 128 bits or more does not fit, and the division would trap.
        guard divisor > wide.high else { return nil }
        let (quotient, remainder) = wide.high == 0 ? wide.low.quotientAndRemainder(dividingBy: divisor) : divisor.dividingFullWidth(wide)
        let (rounded, overflow) = quotient.addingReportingOverflow(remainder >= divisor - remainder ? 1 : 0)
        return overflow ? nil : signed(rounded, isNegative: isNegative)
    }

    private static func signed(_ magnitude: UInt128, isNegative: Bool) -> Int128? {
        guard magnitude <= UInt128(Int128.max) else { return nil }
        let value = Int128(magnitude)
        return isNegative ? -value : value
    }

    static func allSet(_ count: Int) -> Buffer {
        let buffer = Buffer(byteCount: Validity.wordByteCount(count))
        Validity.combine(buffer, count) { _, _, _ in ~0 }
        return buffer
    }
}

/// One pass over two decimal operands.
private struct DecimalLoop {
    private let left: Operand
    private let right: Operand
    private let count: Int
    private let type: DataType
    private let limit: Int128
    private let present: Buffer?

    init(_ left: Operand, _ right: Operand, _ count: Int, _ type: DataType, limit: Int128) {
        (self.left, self.right, self.count, self.type, self.limit) = (left, right, count, type, limit)
        present = Validity.ofAll([left, right], count: count)
    }

    /// `body` of each row's values; NULL where it is nil or has too many digits.
    @inline(__always)
    func run(_ body: (Int128, Int128) -> Int128?) -> Operand {
        let values = Buffer(byteCount: 16 * count)
        let result = values.pointer(as: Int128.self)
        let one = Values<Int128>(left)
        let other = Values<Int128>(right)
        var validity = present
        for row in 0..<count {
            if let value = body(one[row], other[row]), value > -limit, value < limit {
                result[row] = value
                continue
            }
            result[row] = 0
            let bits = validity ?? DecimalKernels.allSet(count)
            Bits.clear(bits.base, row)
            validity = bits
        }
        return Operand(Column(type: type, count: count, validity: validity, values: values), isConstant: left.isConstant && right.isConstant)
    }

    func refuseZero() throws(MillstreamError) {
        let divisors = Values<Int128>(right)
        for row in 0..<count where divisors[row] == 0 {
            if let present, !Bits.get(present.base, row) { continue }
            throw ArithmeticKernels.divisionByZero(row)
        }
    }
}
