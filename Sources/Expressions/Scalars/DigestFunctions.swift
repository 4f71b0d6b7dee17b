import Columnar
import Plan

/// MD5, the SHAs and HASH_CODE, over the bytes of text or of BINARY.
enum DigestFunctions {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        switch request.function {
        case .md5: return kernel(request.type) { DigestMD5.digest($0, &$1) }
        case .sha1: return kernel(request.type) { DigestSHA1.digest($0, &$1) }
        case .sha224: return kernel(request.type) { DigestSHA256.digest($0, 224, &$1) }
        case .sha256: return kernel(request.type) { DigestSHA256.digest($0, 256, &$1) }
        case .sha384: return kernel(request.type) { DigestSHA512.digest($0, 384, &$1) }
        case .sha512: return kernel(request.type) { DigestSHA512.digest($0, 512, &$1) }
        case .sha2: return try sha2(request)
        case .hashCode: return DigestHashCodes.kernel(request.type)
        default: return nil
        }
    }

    private static func kernel(_ type: DataType, _ digest: @escaping (UnsafeRawBufferPointer, inout [UInt8]) -> Void) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let texts = TextArgument(arguments[0])
            var sum: [UInt8] = []
            return try TextLoops.text(arguments, count, type) { (row, result) in
                sum.removeAll(keepingCapacity: true)
                digest(texts[row], &sum)
                result.append(hexadecimal: sum)
                return true
            }
        }
    }

    private static func sha2(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        func unknown(_ length: Int, _ row: Int?) -> MillstreamError {
            MillstreamError(.invalidArgument, "SHA2 has no digest of \(length) bits", hint: "There are those of 224, 256, 384 and 512 bits.", recordIndex: row.map { Int64($0) })
        }
        if case .int64(let length)? = request.constants[1], ![224, 256, 384, 512].contains(length) { throw unknown(Int(length), nil) }
        return { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let (texts, lengths) = (TextArgument(arguments[0]), IntegerArgument(arguments[1]))
            var sum: [UInt8] = []
            return try TextLoops.text(arguments, count, type) { (row, result) throws(MillstreamError) in
                sum.removeAll(keepingCapacity: true)
                switch lengths[row] {
                case 224, 256: DigestSHA256.digest(texts[row], lengths[row], &sum)
                case 384, 512: DigestSHA512.digest(texts[row], lengths[row], &sum)
                default: throw unknown(lengths[row], row)
                }
                result.append(hexadecimal: sum)
                return true
            }
        }
    }
}

extension TextColumn {
    /// Two digits a byte, in lower case.
    func append(hexadecimal bytes: [UInt8]) {
        write(room: 2 * bytes.count) { target in
            for (place, byte) in bytes.enumerated() {
                target[2 &* place] = Self.digit(byte >> 4)
                target[2 &* place &+ 1] = Self.digit(byte & 15)
            }
            return 2 * bytes.count
        }
    }

    static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 &+ value : 0x57 &+ value }
}

/// Java's hash codes.
enum DigestHashCodes {
    static func kernel(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let operand = arguments[0]
            return try TextLoops.numbers(arguments, count, type, as: Int32.self) { (row) throws(MillstreamError) in
                guard let code = code(operand.column, operand.isConstant ? 0 : row) else {
                    throw MillstreamError(.unsupported, "HASH_CODE of a value of type \(operand.type) is not built")
                }
                return code
            }
        }
    }

    static func of(_ value: Int64) -> Int32 { Int32(truncatingIfNeeded: value ^ (value >> 32)) }

    /// String.hashCode of the text's UTF-16.
    static func of(_ text: String) -> Int32 {
        var hash: Int32 = 0
        for unit in text.utf16 { hash = hash &* 31 &+ Int32(unit) }
        return hash
    }

    private static func code(_ column: Column, _ row: Int) -> Int32? {
        switch column.type.kind {
        case .boolean: return column.bit(row) ? 1231 : 1237
        case .tinyInt: return Int32(column.pointer(as: Int8.self)[row])
        case .smallInt: return Int32(column.pointer(as: Int16.self)[row])
        case .int, .date, .intervalYearMonth: return column.pointer(as: Int32.self)[row]
        case .time(let precision) where precision <= 3:
            return Int32(truncatingIfNeeded: TextPrintfTimes.milliseconds(Int64(column.pointer(as: Int32.self)[row]), precision))
        case .time(let precision): return Int32(truncatingIfNeeded: TextPrintfTimes.milliseconds(column.pointer(as: Int64.self)[row], precision))
        case .bigInt: return of(column.pointer(as: Int64.self)[row])
        case .intervalDayTime(let precision): return of(TextPrintfTimes.milliseconds(column.pointer(as: Int64.self)[row], precision))
        case .float:
            let value = column.pointer(as: Float.self)[row]
            return value.isNaN ? 0x7FC0_0000 : Int32(bitPattern: value.bitPattern)
        case .double:
            let value = column.pointer(as: Double.self)[row]
            return of(value.isNaN ? 0x7FF8_0000_0000_0000 : Int64(bitPattern: value.bitPattern))
        case .decimal(_, let scale): return decimal(column.pointer(as: Int128.self)[row], scale)
        case .timestamp(let precision), .timestampLTZ(let precision):
            // TimestampData: milliseconds and the nanoseconds within one.
            let perSecond = TimeUnit(precision: precision).perSecond
            let value = column.pointer(as: Int64.self)[row]
            guard perSecond > 1_000 else { return 31 &* of(perSecond == 1 ? value &* 1_000 : value) }
            let perMillisecond = perSecond / 1_000
            let milliseconds = value >= 0 ? value / perMillisecond : -((-(value &+ 1)) / perMillisecond) - 1
            return 31 &* of(milliseconds) &+ Int32(truncatingIfNeeded: (value &- milliseconds &* perMillisecond) &* (1_000_000 / perMillisecond))
        case .char, .varChar: return Int32(bitPattern: of(String(decoding: column.bytes(row), as: UTF8.self)).magnitude)
        case .binary, .varBinary:
            var hash: Int32 = 1
            for byte in column.bytes(row) { hash = hash &* 31 &+ Int32(Int8(bitPattern: byte)) }
            return hash
        default: return nil
        }
    }

    /// BigDecimal.hashCode: of the unscaled value's 32-bit words, and the scale.
    private static func decimal(_ value: Int128, _ scale: Int) -> Int32 {
        let magnitude = value.magnitude
        if magnitude <= UInt128(Int64.max) {
            let small = UInt64(truncatingIfNeeded: magnitude)
            let hash = Int32(bitPattern: UInt32(truncatingIfNeeded: small >> 32)) &* 31 &+ Int32(bitPattern: UInt32(truncatingIfNeeded: small))
            return 31 &* (value < 0 ? 0 &- hash : hash) &+ Int32(truncatingIfNeeded: scale)
        }
        var hash: Int32 = 0
        for shift in stride(from: 96, through: 0, by: -32) { hash = hash &* 31 &+ Int32(bitPattern: UInt32(truncatingIfNeeded: magnitude >> UInt128(shift))) }
        return 31 &* (value < 0 ? 0 &- hash : hash) &+ Int32(truncatingIfNeeded: scale)
    }
}
