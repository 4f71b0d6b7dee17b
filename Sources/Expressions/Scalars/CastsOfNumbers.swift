import Columnar
import Plan

/// Casts among numbers and BOOLEAN. Integers wrap, floating-point numbers truncate and saturate, a decimal that does not fit is NULL.
///
/// Between DECIMAL and the floating-point types the digits that the number prints with count, as in Flink: 1.015 is 1.02 with two digits, though the double lies below.
enum CastsOfNumbers {
    static func step(from source: DataType, to target: DataType) -> CastStep {
        switch (source.kind, target.kind) {
        case (.double, .decimal(let precision, let scale)):
            return toDecimal(target, precision, scale) { (value: Double) in FloatingDecimal.decimal(value, scale) }
        case (.float, .decimal(let precision, let scale)):
            return toDecimal(target, precision, scale) { (value: Float) in FloatingDecimal.decimal(Double(value), scale) }
        case (.decimal(_, let scale), .double): return fromDecimal(target) { value in FloatingDecimal.double(value, scale) }
        case (.decimal(_, let scale), .float): return fromDecimal(target) { value in Float(FloatingDecimal.double(value, scale)) }
        case (.decimal, .boolean):
            return { (column, count, _, _) in
                let values = UnsafePointer(column.pointer(as: Int128.self))
                let bits = fillBits(count) { values[$0] != 0 }
                return Column(type: target, count: count, validity: Validity.ofAll([Operand(column)], count: count), values: bits)
            }
        case (.decimal(let precision, let scale), .decimal(let wider, let other)) where wider >= precision && scale == other: return { (column, _, _, _) in column.retyped(target) }
        default: return { (column, count, _, _) throws(MillstreamError) in try CastKernels.cast(column, count, to: target) }
        }
    }

    /// NaN and infinities fail; what has too many digits is NULL.
    private static func toDecimal<Number: BinaryFloatingPoint & BitwiseCopyable>(
        _ target: DataType, _ precision: Int, _ scale: Int, _ convert: @escaping (Number) -> Int128?
    ) -> CastStep {
        let limit = DecimalRules.power(precision).magnitude
        return { (column, count, failures, _) throws(MillstreamError) in
            let source = UnsafePointer(column.pointer(as: Number.self))
            let buffer = Buffer(byteCount: 16 * count)
            let values = buffer.pointer(as: Int128.self)
            var validity = Validity.ofAll([Operand(column)], count: count)
            for row in 0..<count {
                values[row] = 0
                if column.isNull(row) { continue }
                if let value = convert(source[row]), value.magnitude < limit {
                    values[row] = value
                } else if source[row].isFinite {
                    let bits = validity ?? DecimalKernels.allSet(count)
                    Bits.clear(bits.base, row)
                    validity = bits
                } else {
                    let number = source[row]
                    try failures.note(row, MillstreamError(.decode, "cannot cast \(number) to \(target.nullable)", hint: "TRY_CAST gives NULL for what cannot be cast."))
                }
            }
            withExtendedLifetime(column) {}
            return Column(type: validity == nil ? target : target.nullable, count: count, validity: validity, values: buffer)
        }
    }

    private static func fromDecimal<Number: BitwiseCopyable>(_ target: DataType, _ convert: @escaping (Int128) -> Number) -> CastStep {
        { (column, count, _, _) in
            let source = UnsafePointer(column.pointer(as: Int128.self))
            let buffer = Buffer(byteCount: count * MemoryLayout<Number>.stride)
            let values = buffer.pointer(as: Number.self)
            // The places of nulls may hold anything, which any conversion takes.
            for row in 0..<count { values[row] = convert(source[row]) }
            withExtendedLifetime(column) {}
            return Column(type: target, count: count, validity: Validity.ofAll([Operand(column)], count: count), values: buffer)
        }
    }
}

/// Floating-point numbers and decimals by their digits.
enum FloatingDecimal {
    /// The unscaled decimal of the digits that the number prints with, rounded half up; nil for NaN, infinities and what Int128 does not hold.
    static func decimal(_ value: Double, _ scale: Int) -> Int128? {
        guard value.isFinite else { return nil }
        let magnitude = value.magnitude
        let unscaled: Int128?
        if magnitude < 0x1p53, magnitude.rounded(.towardZero) == magnitude {
            unscaled = DecimalKernels.rescaled(Int128(magnitude), from: 0, to: scale)
        } else {
            let digits = FloatingDigits(magnitude)
            unscaled = DecimalKernels.rescaled(Int128(digits.digits), from: -digits.exponent, to: scale)
        }
        return value < 0 ? unscaled.map { 0 &- $0 } : unscaled
    }

    /// The double nearest to a decimal.
    static func double(_ value: Int128, _ scale: Int) -> Double {
        let magnitude = value.magnitude
        let number: Double
        if magnitude < 1 << 53, scale <= 22 {
            // Both are exact, so that the division rounds once.
            number = Double(UInt64(truncatingIfNeeded: magnitude)) / powers[scale]
        } else {
            var writer = TextWriter()
            writer.append(digits: magnitude, width: 1)
            writer.append("e-")
            writer.append(decimal: scale)
            number = Double(String(decoding: writer.bytes, as: UTF8.self)) ?? 0
        }
        return value < 0 ? -number : number
    }

    /// The double nearest to `digits` times ten to the power of `-scale`.
    static func double(digits: UInt64, scale: Int) -> Double {
        if digits < 1 << 53, scale.magnitude <= 22 {
            return scale < 0 ? Double(digits) * powers[-scale] : Double(digits) / powers[scale]
        }
        var writer = TextWriter()
        writer.append(digits: digits, width: 1)
        writer.append("e")
        writer.append(decimal: -scale)
        return Double(String(decoding: writer.bytes, as: UTF8.self)) ?? 0
    }

    private static let powers: [Double] = {
        var list: [Double] = [1]
        for _ in 0..<22 { list.append(list[list.count - 1] * 10) }
        return list
    }()
}
