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
        let limit = DecimalRules.power(precision)
        let values = Buffer(byteCount: 16 * count)
        let result = values.pointer(as: Int128.self)
        let present = Validity.ofAll([left, right], count: count)
        var validity = present
        let one = Values<Int128>(left)
        let other = Values<Int128>(right)
        for row in 0..<count {
            result[row] = 0
            if let present, !Bits.get(present.base, row) { continue }
            if other[row] == 0 && (operation == .divide || operation == .remainder) { throw ArithmeticKernels.divisionByZero(row) }
            if let value = value(operation, one[row], leftScale, other[row], rightScale, scale), value > -limit, value < limit {
                result[row] = value
            } else {
                if validity == nil { validity = allSet(count) }
                if let validity { Bits.clear(validity.base, row) }
            }
        }
        return Operand(Column(type: type, count: count, validity: validity, values: values), isConstant: left.isConstant && right.isConstant)
    }

    private static func value(
        _ operation: BinaryOperation, _ left: Int128, _ leftScale: Int, _ right: Int128, _ rightScale: Int, _ scale: Int
    ) -> Int128? {
        switch operation {
        case .add, .subtract:
            // The exact result has the larger scale; it is rounded once if the type keeps fewer digits.
            let exact = max(leftScale, rightScale)
            guard let one = rescaled(left, from: leftScale, to: exact), let other = rescaled(right, from: rightScale, to: exact)
            else { return nil }
            let (sum, overflow) = operation == .add ? one.addingReportingOverflow(other) : one.subtractingReportingOverflow(other)
            return overflow ? nil : rescaled(sum, from: exact, to: scale)
        case .multiply: return product(left, right, droppedDigits: leftScale + rightScale - scale)
        case .divide: return quotient(left, right, addedDigits: scale - leftScale + rightScale)
        default:
            let exact = max(leftScale, rightScale)
            guard let one = rescaled(left, from: leftScale, to: exact), let other = rescaled(right, from: rightScale, to: exact), other != 0
            else { return nil }
            return rescaled(other == -1 ? 0 : one % other, from: exact, to: scale)
        }
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
