import CDecoding

/// Numbers from text, without a String. Every function takes a pointer and a count; 8 bytes behind the text may be read, so texts lie in chunks
/// with padding. None of them traps, whatever the bytes are.

/// Why a text is no value of a type.
enum ParseFailure: UInt8 {
    case malformed = 1
    case outOfRange = 2
}

/// An integer with an optional sign. nil if there is anything else, or if it is beyond Int64.
@inline(__always)
func parseInteger(_ text: UnsafePointer<UInt8>, _ count: Int, _ value: inout Int64) -> ParseFailure? {
    var digits = text
    var left = count
    let first = digits.pointee
    let isNegative = first == UInt8(ascii: "-")
    if isNegative || first == UInt8(ascii: "+") {
        digits += 1
        left &-= 1
    }
    if left >= 1 && left <= 8 {
        guard let magnitude = parseEightDigits(digits, left) else { return .malformed }
        value = isNegative ? 0 &- Int64(magnitude) : Int64(magnitude)
        return nil
    }
    return parseLongInteger(digits, left, isNegative, &value)
}

/// 1 to 8 digits at once: the word is shifted so that the digits end at its top, zeros are filled in below, and three multiplications add up
/// ones, hundreds and ten thousands.
@inline(__always)
private func parseEightDigits(_ text: UnsafePointer<UInt8>, _ count: Int) -> UInt32? {
    let raw = UInt64(littleEndian: UnsafeRawPointer(text).loadUnaligned(as: UInt64.self))
    let shift = UInt64(truncatingIfNeeded: 64 &- 8 &* count)
    let fill: UInt64 = 0x3030_3030_3030_3030
    // For eight digits nothing is filled; a shift by 64 would be masked to 0.
    let word = count == 8 ? raw : (raw &<< shift) | (fill &>> (64 &- shift))
    guard isEightDigits(word) else { return nil }
    return eightDigitValue(word)
}

@inline(__always)
private func isEightDigits(_ word: UInt64) -> Bool {
    (word & 0xF0F0_F0F0_F0F0_F0F0) | (((word &+ 0x0606_0606_0606_0606) & 0xF0F0_F0F0_F0F0_F0F0) &>> 4) == 0x3333_3333_3333_3333
}

@inline(__always)
private func eightDigitValue(_ word: UInt64) -> UInt32 {
    var value = word &- 0x3030_3030_3030_3030
    value = (value &* 10) &+ (value &>> 8)
    let low = (value & 0x0000_00FF_0000_00FF) &* (100 &+ (1_000_000 &<< 32))
    let high = ((value &>> 16) & 0x0000_00FF_0000_00FF) &* (1 &+ (10_000 &<< 32))
    return UInt32(truncatingIfNeeded: (low &+ high) &>> 32)
}

private func parseLongInteger(_ text: UnsafePointer<UInt8>, _ count: Int, _ isNegative: Bool, _ value: inout Int64) -> ParseFailure? {
    guard count > 0 else { return .malformed }
    var magnitude: UInt64 = 0
    var isTooLarge = false
    for index in 0..<count {
        let digit = text[index] &- 0x30
        guard digit <= 9 else { return .malformed }
        let (product, overflow) = magnitude.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
        isTooLarge = isTooLarge || overflow || carry
        magnitude = sum
    }
    guard !isTooLarge, magnitude <= (isNegative ? UInt64(1) << 63 : UInt64(Int64.max)) else { return .outOfRange }
    value = isNegative ? 0 &- Int64(bitPattern: magnitude) : Int64(bitPattern: magnitude)
    return nil
}

/// The exact powers of ten of a double.
private let powersOfTen: InlineArray<23, Double> = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
]

/// A double, correctly rounded. Plain decimals of up to 15 digits are exact by one division (Clinger's fast path); the library does the rest.
@inline(__always)
func parseDouble(_ text: UnsafePointer<UInt8>, _ count: Int, _ value: inout Double) -> ParseFailure? {
    if let quick = parsePlainDecimal(text, count) {
        let magnitude = Double(quick.digits) / powersOfTen[quick.scale]
        value = quick.isNegative ? -magnitude : magnitude
        return nil
    }
    return parseDoubleSlowly(text, count, &value)
}

@inline(never)
private func parseDoubleSlowly(_ text: UnsafePointer<UInt8>, _ count: Int, _ value: inout Double) -> ParseFailure? {
    ParseFailure(rawValue: UInt8(truncatingIfNeeded: decoding_double(text, count, &value)))
}

/// A float, rounded once: the fast path's operands are exact in a float.
@inline(__always)
func parseFloat(_ text: UnsafePointer<UInt8>, _ count: Int, _ value: inout Float) -> ParseFailure? {
    if let quick = parsePlainDecimal(text, count), quick.digits <= 1 << 24, quick.scale <= 10 {
        let magnitude = Float(quick.digits) / Float(powersOfTen[quick.scale])
        value = quick.isNegative ? -magnitude : magnitude
        return nil
    }
    return ParseFailure(rawValue: UInt8(truncatingIfNeeded: decoding_float(text, count, &value)))
}

/// `-digits.digits` with at most 15 digits in all.
@inline(__always)
private func parsePlainDecimal(_ text: UnsafePointer<UInt8>, _ count: Int) -> (digits: Int64, scale: Int, isNegative: Bool)? {
    let isNegative = text.pointee == UInt8(ascii: "-")
    var index = isNegative ? 1 : 0
    guard count &- index <= 16, count > index else { return nil }
    var digits: Int64 = 0
    var pointIndex = -1
    let start = index
    while index < count {
        let digit = text[index] &- 0x30
        if digit <= 9 {
            digits = digits &* 10 &+ Int64(digit)
        } else {
            guard text[index] == UInt8(ascii: "."), pointIndex < 0 else { return nil }
            pointIndex = index
        }
        index &+= 1
    }
    let digitCount = count &- start &- (pointIndex < 0 ? 0 : 1)
    guard digitCount >= 1, digitCount <= 15 else { return nil }
    return (digits, pointIndex < 0 ? 0 : count &- pointIndex &- 1, isNegative)
}

/// A DECIMAL(precision, scale) as its unscaled value; digits beyond the scale are rounded half up, as Flink does.
func parseDecimal(
    _ text: UnsafePointer<UInt8>, _ count: Int, precision: Int, scale: Int, _ value: inout Int128
) -> ParseFailure? {
    var index = 0
    let isNegative = count > 0 && text[0] == UInt8(ascii: "-")
    if count > 0, isNegative || text[0] == UInt8(ascii: "+") { index += 1 }
    var mantissa = DecimalMantissa()
    while index < count, mantissa.take(text[index]) { index += 1 }
    guard mantissa.digitCount > 0 else { return .malformed }
    var exponent: Int64 = 0
    if index < count {
        guard text[index] | 0x20 == UInt8(ascii: "e"), index + 1 < count else { return .malformed }
        if let failure = parseInteger(text + index + 1, count - index - 1, &exponent) { return failure }
        guard exponent.magnitude <= 1_000_000 else {
            value = 0
            return mantissa.isZero || exponent < 0 ? nil : .outOfRange
        }
    }
    guard let unscaled = mantissa.scaled(by: Int(exponent) - mantissa.fractionCount + scale) else { return .outOfRange }
    guard unscaled < powerOfTen(precision) else { return .outOfRange }
    value = isNegative ? -unscaled : unscaled
    return nil
}

/// The digits of a decimal so far: at most 38 are kept exactly, later ones only move the point and round.
private struct DecimalMantissa {
    private(set) var digitCount = 0
    private(set) var fractionCount = 0
    private var value: Int128 = 0
    private var hasPoint = false
    private var dropped = 0
    private var firstDropped: UInt8?

    var isZero: Bool { value == 0 }

    mutating func take(_ byte: UInt8) -> Bool {
        if byte == UInt8(ascii: "."), !hasPoint {
            hasPoint = true
            return true
        }
        let digit = byte &- 0x30
        guard digit <= 9 else { return false }
        digitCount += 1
        if hasPoint { fractionCount += 1 }
        if value < decimalLimit {
            value = value * 10 + Int128(digit)
        } else {
            dropped += 1
            if firstDropped == nil { firstDropped = digit }
        }
        return true
    }

    /// The value times ten to `power`, rounded half up; nil if it has more than 38 digits.
    func scaled(by power: Int) -> Int128? {
        let power = power + dropped
        if power == 0, let firstDropped { return value + (firstDropped >= 5 ? 1 : 0) }
        if power >= 0 {
            guard value != 0 else { return 0 }
            guard power <= 38 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: powerOfTen(power))
            return overflow || product >= powerOfTen(38) ? nil : product
        }
        guard -power <= 38 else { return 0 }
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: powerOfTen(-power))
        return quotient + (rest >= powerOfTen(-power) / 2 ? 1 : 0)
    }
}

/// Values below this take one more digit within 38.
private let decimalLimit = powerOfTen(37)

/// Ten to the power of 0...38.
func powerOfTen(_ exponent: Int) -> Int128 {
    var value: Int128 = 1
    for _ in 0..<min(max(exponent, 0), 38) { value *= 10 }
    return value
}
