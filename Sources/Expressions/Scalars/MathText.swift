import Columnar
import Plan

/// BIN, HEX and UNHEX: numbers and bytes as digits.
enum MathText {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        switch request.function {
        case .bin: try numbers(request) { (value, writer) in writer.append(binary: UInt64(bitPattern: value)) }
        case .hex:
            request.arguments[0].layout == .views
                ? texts(request) { (bytes, writer) in
                    for byte in bytes { writer.append(hex: UInt64(byte), digits: 2, isUpper: true) }
                    return true
                }
                : try numbers(request) { (value, writer) in
                    let bits = UInt64(bitPattern: value)
                    writer.append(hex: bits, digits: max(1, (64 - bits.leadingZeroBitCount + 3) / 4), isUpper: true)
                }
        case .unhex: texts(request) { (bytes, writer) in unhex(bytes, &writer) }
        default: nil
        }
    }

    private static func numbers(_ request: KernelRequest, _ body: @escaping (Int64, inout TextWriter) -> Void) throws(MillstreamError) -> Kernel {
        let type = request.type
        let source = request.arguments[0]
        if source.kind == .null { return { (_, _, _) in .null(type) } }
        let step = source.kind == .bigInt ? nil : try Casts.step(from: source, to: .bigInt)
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments[0].isNullConstant { return .null(type) }
            let rows = arguments[0].isConstant ? 1 : count
            let operand = try Alignment.apply(step, arguments[0], rows, context)
            let values = Values<Int64>(operand)
            var writer = TextWriter()
            var builder = ViewBuilder()
            try builder.reserve(rows)
            for row in 0..<rows {
                if operand.isNull(row) {
                    try builder.appendNull()
                    continue
                }
                writer.clear()
                body(values[row], &writer)
                try builder.append(writer.bytes)
            }
            return Operand(builder.finish(type: type), isConstant: operand.isConstant)
        }
    }

    /// NULL where `body` is false.
    private static func texts(_ request: KernelRequest, _ body: @escaping (UnsafeRawBufferPointer, inout TextWriter) -> Bool) -> Kernel {
        let type = request.type
        if request.arguments[0].kind == .null { return { (_, _, _) in .null(type) } }
        return { (arguments, count, _) throws(MillstreamError) in
            let operand = arguments[0]
            if operand.isNullConstant { return .null(type) }
            let rows = operand.isConstant ? 1 : count
            let views = ViewReader(operand.column)
            var writer = TextWriter()
            var builder = ViewBuilder()
            try builder.reserve(rows)
            for row in 0..<rows {
                writer.clear()
                if !operand.isNull(row), body(views[row], &writer) { try builder.append(writer.bytes) } else { try builder.appendNull() }
            }
            return Operand(builder.finish(type: type), isConstant: operand.isConstant)
        }
    }

    /// Pairs of digits as bytes. Of an odd number of digits the first is dropped, and a zero byte stands in its place (Flink's documentation says so).
    private static func unhex(_ bytes: UnsafeRawBufferPointer, _ writer: inout TextWriter) -> Bool {
        var index = 0
        if bytes.count & 1 == 1 {
            guard digit(bytes[0]) != nil else { return false }
            writer.append(UInt8(0))
            index = 1
        }
        while index < bytes.count {
            guard let high = digit(bytes[index]), let low = digit(bytes[index &+ 1]) else { return false }
            writer.append(high << 4 | low)
            index &+= 2
        }
        return true
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte &- 0x30
        case 0x41...0x46: byte &- 0x37
        case 0x61...0x66: byte &- 0x57
        default: nil
        }
    }
}

extension TextWriter {
    /// The last `digits` hexadecimal digits.
    mutating func append(hex value: UInt64, digits: Int, isUpper: Bool = false) {
        let letters: UInt8 = isUpper ? 0x37 : 0x57
        for place in 0..<digits {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(4 * (digits - 1 - place))) & 15
            append(digit < 10 ? digit &+ 0x30 : digit &+ letters)
        }
    }

    /// The binary digits, without zeros in front.
    mutating func append(binary value: UInt64) {
        for place in (0..<max(1, 64 - value.leadingZeroBitCount)).reversed() { append((value >> UInt64(place)) & 1 == 1 ? 0x31 : 0x30) }
    }
}
