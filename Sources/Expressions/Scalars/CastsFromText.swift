import Columnar
import Plan

/// Casts of text to numbers and BOOLEAN, as Flink reads them.
enum CastsFromText {
    static func step(to target: DataType) -> CastStep? {
        switch target.kind {
        case .boolean:
            return { (column, count, failures, _) throws(MillstreamError) in
                let views = ViewReader(column)
                let values = Buffer.zeroed(byteCount: Validity.wordByteCount(count))
                for row in 0..<count where !column.isNull(row) {
                    if let value = boolean(views[row]) {
                        if value { Bits.set(values.base, row) }
                    } else {
                        try failures.note(row, CastFailures.unreadable(views[row], target))
                    }
                }
                return Column(type: target, count: count, validity: Validity.ofAll([Operand(column)], count: count), values: values)
            }
        case .tinyInt: return parsing(target, 0 as Int8) { bytes in integer(bytes).flatMap { Int8(exactly: $0) } }
        case .smallInt: return parsing(target, 0 as Int16) { bytes in integer(bytes).flatMap { Int16(exactly: $0) } }
        case .int: return parsing(target, 0 as Int32) { bytes in integer(bytes).flatMap { Int32(exactly: $0) } }
        case .bigInt: return parsing(target, 0 as Int64) { bytes in integer(bytes) }
        case .float: return parsing(target, 0 as Float) { bytes in FloatingReader.float(bytes) }
        case .double: return parsing(target, 0 as Double) { bytes in FloatingReader.double(bytes) }
        case .decimal(let precision, let scale): return parsing(target, 0 as Int128) { bytes in DecimalReader.decimal(bytes, precision, scale) }
        default: return nil
        }
    }

    /// A step that reads each text by itself; nil of `read` is a failure.
    static func parsing<Value: BitwiseCopyable>(_ target: DataType, _ zero: Value, _ read: @escaping (UnsafeRawBufferPointer) -> Value?) -> CastStep {
        { (column, count, failures, _) throws(MillstreamError) in
            let views = ViewReader(column)
            let buffer = Buffer(byteCount: count * MemoryLayout<Value>.stride)
            let values = buffer.pointer(as: Value.self)
            for row in 0..<count {
                values[row] = zero
                if column.isNull(row) { continue }
                if let value = read(views[row]) { values[row] = value } else { try failures.note(row, CastFailures.unreadable(views[row], target)) }
            }
            return Column(type: target, count: count, validity: Validity.ofAll([Operand(column)], count: count), values: buffer)
        }
    }

    /// `true`, `t`, `yes`, `y`, `1` and their opposites in any case; spaces around are not taken off.
    static func boolean(_ bytes: UnsafeRawBufferPointer) -> Bool? {
        guard bytes.count <= 5 else { return nil }
        var word: UInt64 = 0
        for byte in bytes {
            let lower = byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
            word = word << 8 | UInt64(lower)
        }
        switch word {
        case 0x74, 0x7472_7565, 0x79, 0x79_6573, 0x31: return true
        case 0x66, 0x66_616C_7365, 0x6E, 0x6E6F, 0x30: return false
        default: return nil
        }
    }

    /// A sign, digits and perhaps a fraction, which is checked and cut off: `1.9` is 1, `.5` is 0. No exponent.
    static func integer(_ text: UnsafeRawBufferPointer) -> Int64? {
        let bytes = spacesTrimmed(text)
        var index = 0
        let isNegative = bytes.first == UInt8(ascii: "-")
        if isNegative || bytes.first == UInt8(ascii: "+") { index = 1 }
        guard index < bytes.count else { return nil }
        // Counted downwards, since there is one negative number more.
        var value: Int64 = 0
        while index < bytes.count {
            let byte = bytes[index]
            index &+= 1
            if byte == UInt8(ascii: ".") { break }
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = product.subtractingReportingOverflow(Int64(byte &- 0x30))
            if isTooLarge || overflow { return nil }
            value = sum
        }
        while index < bytes.count {
            guard bytes[index] >= 0x30, bytes[index] <= 0x39 else { return nil }
            index &+= 1
        }
        if isNegative { return value }
        return value == .min ? nil : -value
    }

    /// Without the spaces around; other white space stays.
    static func spacesTrimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var start = 0
        var end = bytes.count
        while start < end, bytes[start] == 0x20 { start &+= 1 }
        while end > start, bytes[end &- 1] == 0x20 { end &-= 1 }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    }
}

/// Numbers with an exponent, as Java's `Double.parseDouble` and `Float.parseFloat` read them: `1.5`, `.5`, `5.`, `1e3`, `1.5d`, `0x1p3`, `NaN`, `-Infinity`.
enum FloatingReader {
    static func double(_ text: UnsafeRawBufferPointer) -> Double? {
        let bytes = TextCasts.trimmed(text)
        guard let number = scan(bytes) else { return special(bytes) ?? hexadecimal(bytes) }
        // Both the digits and the power are exact, so that one operation rounds once.
        if number.isExact, number.digits < 1 << 53, number.exponent.magnitude <= 22 {
            let digits = Double(number.digits)
            let value = number.exponent < 0 ? digits / powers[-number.exponent] : digits * powers[number.exponent]
            return number.isNegative ? -value : value
        }
        return Double(String(decoding: number.text, as: UTF8.self))
    }

    static func float(_ text: UnsafeRawBufferPointer) -> Float? {
        let bytes = TextCasts.trimmed(text)
        guard let number = scan(bytes) else { return (special(bytes) ?? hexadecimal(bytes)).map { Float($0) } }
        if number.isExact, number.digits < 1 << 24, number.exponent.magnitude <= 10 {
            let digits = Float(number.digits)
            let power = Float(powers[Int(number.exponent.magnitude)])
            let value = number.exponent < 0 ? digits / power : digits * power
            return number.isNegative ? -value : value
        }
        return Float(String(decoding: number.text, as: UTF8.self))
    }

    private static let powers: [Double] = {
        var list: [Double] = [1]
        for _ in 0..<22 { list.append(list[list.count - 1] * 10) }
        return list
    }()

    private struct Number {
        var digits: UInt64 = 0
        var exponent = 0
        var isNegative = false
        /// Whether `digits` has all the digits.
        var isExact = true
        /// The number without a suffix.
        var text: Slice<UnsafeRawBufferPointer>
    }

    /// nil for what is no decimal number.
    private static func scan(_ bytes: UnsafeRawBufferPointer) -> Number? {
        var end = bytes.count
        if let last = bytes.last, last | 0x20 == UInt8(ascii: "d") || last | 0x20 == UInt8(ascii: "f") { end -= 1 }
        var number = Number(text: bytes[0..<end])
        var index = 0
        if index < end, bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "+") {
            number.isNegative = bytes[index] == UInt8(ascii: "-")
            index += 1
        }
        var hasDigits = false
        var hasPoint = false
        while index < end {
            let byte = bytes[index]
            if byte >= 0x30, byte <= 0x39 {
                hasDigits = true
                if number.digits < 100_000_000_000_000_000 {
                    number.digits = number.digits &* 10 &+ UInt64(byte &- 0x30)
                    if hasPoint { number.exponent -= 1 }
                } else {
                    number.isExact = false
                }
            } else if byte == UInt8(ascii: "."), !hasPoint {
                hasPoint = true
            } else {
                break
            }
            index += 1
        }
        guard hasDigits else { return nil }
        if index < end, bytes[index] | 0x20 == UInt8(ascii: "e") {
            index += 1
            var isNegative = false
            if index < end, bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "+") {
                isNegative = bytes[index] == UInt8(ascii: "-")
                index += 1
            }
            guard index < end else { return nil }
            var exponent = 0
            while index < end, bytes[index] >= 0x30, bytes[index] <= 0x39 {
                exponent = min(exponent * 10 + Int(bytes[index] &- 0x30), 1_000_000)
                index += 1
            }
            number.exponent += isNegative ? -exponent : exponent
        }
        return index == end ? number : nil
    }

    private static func special(_ bytes: UnsafeRawBufferPointer) -> Double? {
        switch String(decoding: bytes.prefix(10), as: UTF8.self) {
        case "NaN", "+NaN", "-NaN": .nan
        case "Infinity", "+Infinity": .infinity
        case "-Infinity": -.infinity
        default: nil
        }
    }

    /// `0x1.8p3`; Java wants the exponent.
    private static func hexadecimal(_ bytes: UnsafeRawBufferPointer) -> Double? {
        var end = bytes.count
        if let last = bytes.last, last | 0x20 == UInt8(ascii: "d") || last | 0x20 == UInt8(ascii: "f") { end -= 1 }
        let text = bytes[0..<end]
        let digits = text.first == UInt8(ascii: "-") || text.first == UInt8(ascii: "+") ? text.dropFirst() : text
        guard digits.count > 3, digits.first == 0x30, digits.dropFirst().first.map({ $0 | 0x20 }) == UInt8(ascii: "x"),
            digits.contains(where: { $0 | 0x20 == UInt8(ascii: "p") })
        else { return nil }
        return Double(String(decoding: text, as: UTF8.self))
    }
}

/// Decimal numbers in text, with a fraction and an exponent, rounded half up to a scale.
enum DecimalReader {
    /// nil for what is no number and for what has more digits than the precision.
    ///
    /// As in Flink, the zeros in front of a short text count as digits before the point: '0.3' is no DECIMAL(1, 1), '.3' is.
    static func decimal(_ text: UnsafeRawBufferPointer, _ precision: Int, _ scale: Int) -> Int128? {
        let bytes = CastsFromText.spacesTrimmed(text)
        guard let number = scan(bytes) else { return nil }
        if precision <= shortMax, bytes.count <= shortMax, max(0, number.wholeCount) + scale > precision { return nil }
        guard var value = DecimalKernels.rescaled(number.digits, from: number.scale, to: scale) else { return nil }
        if number.roundsUp, number.scale == scale { value &+= value < 0 ? -1 : 1 }
        return value.magnitude < DecimalRules.power(precision).magnitude ? value : nil
    }

    /// How long a text and how large a precision may be for a decimal to be counted in 64 bits.
    private static let shortMax = 18

    struct Number {
        /// Unscaled, at most 38 of them.
        var digits: Int128 = 0
        var scale = 0
        /// Whether a digit behind them would round them up.
        var roundsUp = false
        /// How many digits stand before the point, the exponent counted.
        var wholeCount = 0
    }

    static func scan(_ bytes: UnsafeRawBufferPointer) -> Number? {
        var index = 0
        let isNegative = bytes.first == UInt8(ascii: "-")
        if isNegative || bytes.first == UInt8(ascii: "+") { index = 1 }
        var number = Number()
        var hasPoint = false
        var hasDigits = false
        var isFull = false
        while index < bytes.count {
            let byte = bytes[index]
            if byte >= 0x30, byte <= 0x39 {
                hasDigits = true
                if !hasPoint { number.wholeCount += 1 }
                if !isFull, number.digits >= limit {
                    isFull = true
                    number.roundsUp = byte >= 0x35
                }
                if isFull {
                    // Digits behind the 38th change no result that fits, but those before the point count for its place.
                    if !hasPoint { number.scale -= 1 }
                } else {
                    number.digits = number.digits &* 10 &+ Int128(byte &- 0x30)
                    if hasPoint { number.scale += 1 }
                }
            } else if byte == UInt8(ascii: "."), !hasPoint {
                hasPoint = true
            } else {
                break
            }
            index += 1
        }
        guard hasDigits else { return nil }
        if index < bytes.count {
            guard bytes[index] | 0x20 == UInt8(ascii: "e") else { return nil }
            index += 1
            var isNegativeExponent = false
            if index < bytes.count, bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "+") {
                isNegativeExponent = bytes[index] == UInt8(ascii: "-")
                index += 1
            }
            guard index < bytes.count else { return nil }
            var exponent = 0
            while index < bytes.count {
                guard bytes[index] >= 0x30, bytes[index] <= 0x39 else { return nil }
                exponent = min(exponent * 10 + Int(bytes[index] &- 0x30), 1_000_000)
                index += 1
            }
            number.scale -= isNegativeExponent ? -exponent : exponent
            number.wholeCount += isNegativeExponent ? -exponent : exponent
        }
        if isNegative { number.digits = -number.digits }
        return number
    }

    private static let limit = DecimalRules.power(37)
}
