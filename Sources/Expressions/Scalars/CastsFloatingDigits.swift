/// The decimal digits that Java 17 prints for a floating-point number: `digits` times ten to the power of `exponent`.
///
/// They read back as the number, but are not always the fewest that do (2.0E23 is 1.9999999999999998E23): Flink's text of numbers, its decimals of doubles and its rounding
/// follow from them. The way is Steele and White's: the number is B / S times a power of ten, and digits come until what is left is less than half a unit of its last bit.
struct FloatingDigits {
    /// No zero stands at the end, unless the number is 0.
    private(set) var digits: UInt64
    private(set) var exponent: Int

    /// How many digits there are.
    var count: Int {
        var count = 1
        var limit: UInt64 = 10
        while count < 19, digits >= limit {
            count &+= 1
            limit &*= 10
        }
        return count
    }

    /// Of a finite number's magnitude.
    init(_ value: Double) {
        let bits = value.magnitude.bitPattern
        let fraction = bits & (1 << 52 - 1)
        let exponent = Int(bits >> 52)
        if exponent > 0 {
            self.init(exponent - 1023, fraction | 1 << 52, significantBits: 53)
        } else if fraction != 0 {
            let shift = fraction.leadingZeroBitCount - 11
            self.init(1 - shift - 1023, fraction << UInt64(shift), significantBits: 53 - shift)
        } else {
            self.init(zero: ())
        }
    }

    /// Of a finite number's magnitude.
    init(_ value: Float) {
        let bits = value.magnitude.bitPattern
        let fraction = UInt64(bits & (1 << 23 - 1))
        let exponent = Int(bits >> 23)
        if exponent > 0 {
            self.init(exponent - 127, (fraction | 1 << 23) << 29, significantBits: 24)
        } else if fraction != 0 {
            let shift = fraction.leadingZeroBitCount - 40
            self.init(1 - shift - 127, (fraction << UInt64(shift)) << 29, significantBits: 24 - shift)
        } else {
            self.init(zero: ())
        }
    }

    private init(zero: ()) {
        digits = 0
        exponent = 0
    }

    /// `fraction` has its first bit at 2^52, which counts 2^`power`.
    private init(_ power: Int, _ fraction: UInt64, significantBits: Int) {
        let fractionBits = 53 - fraction.trailingZeroBitCount
        let bitsBehindPoint = max(0, fractionBits - power - 1)
        digits = 0
        exponent = 0
        if bitsBehindPoint == 0, power <= 62 {
            whole(power >= 52 ? fraction << UInt64(power - 52) : fraction >> UInt64(52 - power), insignificantBits: power - significantBits - 1)
        } else {
            fractional(power, fraction, fractionBits, bitsBehindPoint, significantBits)
        }
        while digits > 0, digits % 10 == 0 {
            digits /= 10
            exponent &+= 1
        }
    }

    /// A whole number of at most 63 bits loses the digits that its last bits cannot tell.
    private mutating func whole(_ value: UInt64, insignificantBits: Int) {
        digits = value
        guard insignificantBits > 1 else { return }
        // The digits of 2 to the power of `insignificantBits`, less one.
        let dropped = insignificantBits * 30_103 / 100_000
        guard dropped > 0 else { return }
        let divisor = UInt64(truncatingIfNeeded: DecimalRules.power(dropped))
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        digits = remainder >= divisor >> 1 ? quotient &+ 1 : quotient
        exponent = dropped
    }

    private mutating func fractional(_ power: Int, _ fraction: UInt64, _ fractionBits: Int, _ bitsBehindPoint: Int, _ significantBits: Int) {
        // The exponent of the first digit, by the tangent of the logarithm at 1.5; one too large at times.
        let normalized = Double(bitPattern: 0x3FF0_0000_0000_0000 | fraction & (1 << 52 - 1))
        let decimal = Int(((normalized - 1.5) * 0.289529654 + 0.176091259 + Double(power) * 0.301029995663981).rounded(.down))
        let fives = max(0, -decimal)
        let scaleFives = max(0, decimal)
        var twos = fives + bitsBehindPoint + power
        var scaleTwos = scaleFives + bitsBehindPoint
        var unitTwos = twos - significantBits
        let value = fraction >> UInt64(53 - fractionBits)
        twos -= fractionBits - 1
        let common = min(twos, scaleTwos)
        twos -= common
        scaleTwos -= common
        unitTwos -= common
        // Below a power of two the next number is half as far away.
        if fractionBits == 1 { unitTwos -= 1 }
        if unitTwos < 0 {
            twos -= unitTwos
            scaleTwos -= unitTwos
            unitTwos = 0
        }
        let bits = fractionBits + twos + FloatingDigits.bits(ofFives: fives)
        let scaleBits = scaleTwos + 1 + FloatingDigits.bits(ofFives: scaleFives + 1)
        if bits < 64, scaleBits < 64 {
            let powers = FloatingDigits.fives
            generate(
                value &* powers[fives] << UInt64(twos), powers[scaleFives] << UInt64(scaleTwos), powers[fives] << UInt64(unitTwos), decimal, isInclusive: false)
        } else if bits < 124, scaleBits < 124 {
            let five = FloatingDigits.wideFive(fives)
            generate(
                UInt128(value) &* five << UInt128(twos), FloatingDigits.wideFive(scaleFives) << UInt128(scaleTwos), five << UInt128(unitTwos), decimal, isInclusive: true)
        } else {
            generate(
                LongNumber(value, fives: fives, twos: twos), LongNumber(1, fives: scaleFives, twos: scaleTwos), LongNumber(1, fives: fives, twos: unitTwos), decimal)
        }
    }

    /// Digits of `value` / `scale` times ten to the power of `decimal`, until half a `unit` decides. With numbers of up to 63 bits Java takes a sum that reaches the next
    /// digit exactly as not reaching it (`isInclusive` false), with longer ones as reaching it.
    @inline(__always)
    private mutating func generate<Number: FixedWidthInteger & UnsignedInteger>(
        _ value: Number, _ scale: Number, _ unit: Number, _ decimal: Int, isInclusive: Bool
    ) {
        var decimal = decimal
        let tens = scale &* 10
        var rest = value
        var half = unit
        var isLow = false
        var isHigh = false
        var isFirst = true
        repeat {
            let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: scale)
            rest = remainder &* 10
            let (product, overflow) = half.multipliedReportingOverflow(by: 10)
            half = product
            let (sum, carry) = rest.addingReportingOverflow(half)
            // A half that outgrew the type is larger than anything here.
            isLow = overflow || rest < half
            isHigh = overflow || carry || (isInclusive ? sum >= tens : sum > tens)
            if isFirst {
                isFirst = false
                if quotient == 0, !isHigh { decimal &-= 1 } else { append(UInt64(truncatingIfNeeded: quotient)) }
                // Two digits at least where the number is printed with an exponent.
                if decimal < -3 || decimal >= 8 { (isLow, isHigh) = (false, false) }
            } else {
                append(UInt64(truncatingIfNeeded: quotient))
            }
        } while !isLow && !isHigh
        var difference = 0
        if isLow, isHigh {
            let (double, carry) = rest.addingReportingOverflow(rest)
            difference = carry || double > tens ? 1 : double == tens ? 0 : -1
        }
        finish(decimal, isLow, isHigh, difference)
    }

    private mutating func generate(_ value: LongNumber, _ scale: LongNumber, _ unit: LongNumber, _ decimal: Int) {
        var decimal = decimal
        var tens = scale
        tens.multiply(10)
        var rest = value
        var half = unit
        var isLow = false
        var isHigh = false
        var isFirst = true
        repeat {
            let quotient = rest.takeQuotient(scale)
            rest.multiply(10)
            half.multiply(10)
            isLow = rest.order(half) < 0
            isHigh = rest.adding(half).order(tens) >= 0
            if isFirst {
                isFirst = false
                if quotient == 0, !isHigh { decimal &-= 1 } else { append(quotient) }
                if decimal < -3 || decimal >= 8 { (isLow, isHigh) = (false, false) }
            } else {
                append(quotient)
            }
        } while !isLow && !isHigh
        finish(decimal, isLow, isHigh, isLow && isHigh ? rest.adding(rest).order(tens) : 0)
    }

    private mutating func append(_ digit: UInt64) {
        digits = digits &* 10 &+ digit
        exponent &-= 1
    }

    private mutating func finish(_ decimal: Int, _ isLow: Bool, _ isHigh: Bool, _ difference: Int) {
        exponent &+= decimal &+ 1
        if isHigh, !isLow || difference > 0 || difference == 0 && digits & 1 == 1 { digits &+= 1 }
    }

    /// At least how many bits a power of five has, as Java counts them.
    private static func bits(ofFives count: Int) -> Int { count < fives.count - 1 ? 64 - fives[count].leadingZeroBitCount - (count == 0 ? 1 : 0) : 3 * count }

    private static let fives: [UInt64] = {
        var list: [UInt64] = [1]
        for _ in 0..<27 { list.append(list[list.count - 1] * 5) }
        return list
    }()

    private static func wideFive(_ count: Int) -> UInt128 {
        count < fives.count ? UInt128(fives[count]) : UInt128(fives[27]) &* wideFive(count - 27)
    }
}

/// A whole number of any length, lowest word first.
private struct LongNumber {
    private var words: [UInt64]

    init(_ value: UInt64, fives: Int, twos: Int) {
        words = Array(repeating: 0, count: twos / 64)
        words.append(value << UInt64(twos % 64))
        if twos % 64 > 0 { words.append(value >> UInt64(64 - twos % 64)) }
        var left = fives
        while left >= 27 {
            multiply(7_450_580_596_923_828_125)
            left -= 27
        }
        var factor: UInt64 = 1
        for _ in 0..<left { factor *= 5 }
        multiply(factor)
    }

    mutating func multiply(_ factor: UInt64) {
        var carry: UInt64 = 0
        for index in words.indices {
            let product = words[index].multipliedFullWidth(by: factor)
            let (low, overflow) = product.low.addingReportingOverflow(carry)
            words[index] = low
            carry = product.high &+ (overflow ? 1 : 0)
        }
        if carry > 0 { words.append(carry) }
    }

    func adding(_ other: LongNumber) -> LongNumber {
        var sum = self
        var carry: UInt64 = 0
        for index in 0..<max(words.count, other.words.count) {
            let one = index < words.count ? words[index] : 0
            let two = index < other.words.count ? other.words[index] : 0
            let (first, overflow) = one.addingReportingOverflow(two)
            let (second, again) = first.addingReportingOverflow(carry)
            if index < sum.words.count { sum.words[index] = second } else { sum.words.append(second) }
            carry = (overflow ? 1 : 0) + (again ? 1 : 0)
        }
        if carry > 0 { sum.words.append(carry) }
        return sum
    }

    func order(_ other: LongNumber) -> Int {
        for index in (0..<max(words.count, other.words.count)).reversed() {
            let one = index < words.count ? words[index] : 0
            let two = index < other.words.count ? other.words[index] : 0
            if one != two { return one < two ? -1 : 1 }
        }
        return 0
    }

    /// Leaves the remainder; the quotient is one digit.
    mutating func takeQuotient(_ divisor: LongNumber) -> UInt64 {
        var quotient: UInt64 = 0
        while order(divisor) >= 0, quotient < 10 {
            var borrow: UInt64 = 0
            for index in words.indices {
                let two = index < divisor.words.count ? divisor.words[index] : 0
                let (first, underflow) = words[index].subtractingReportingOverflow(two)
                let (second, again) = first.subtractingReportingOverflow(borrow)
                words[index] = second
                borrow = (underflow ? 1 : 0) + (again ? 1 : 0)
            }
            quotient &+= 1
        }
        return quotient
    }
}
