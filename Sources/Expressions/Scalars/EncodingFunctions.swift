import Columnar
import Plan

/// Base64, character sets, URLs and addresses.
enum EncodingFunctions {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        let type = request.type
        switch request.function {
        case .toBase64:
            return kernel(type) { (bytes, result) in
                EncodingBase64.encode(bytes, to: result)
                return true
            }
        case .fromBase64:
            return { (arguments, count, _) throws(MillstreamError) in
                if TextLoops.isNull(arguments) { return .null(type) }
                let texts = TextArgument(arguments[0])
                return try TextLoops.text(arguments, count, type) { (row, result) throws(MillstreamError) in
                    var decoded: [UInt8] = []
                    if let problem = EncodingBase64.decode(texts[row], to: &decoded) {
                        throw MillstreamError(.decode, "FROM_BASE64: \(problem)", recordIndex: Int64(row))
                    }
                    if type.isText { decoded.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in result.append(repairing: bytes) } } else { result.append(decoded) }
                    return true
                }
            }
        case .encode: return try charset(request, decodes: false)
        case .decode: return try charset(request, decodes: true)
        case .urlEncode:
            return kernel(type) { (bytes, result) in
                EncodingURL.encode(bytes, to: result)
                return true
            }
        case .urlDecode: return kernel(type) { EncodingURL.decode($0, to: $1) }
        case .parseURL: return EncodingURL.parse(type)
        case .inetAton:
            return { (arguments, count, _) throws(MillstreamError) in
                if TextLoops.isNull(arguments) { return .null(type) }
                let texts = TextArgument(arguments[0])
                return try TextLoops.numbers(arguments, count, type, as: Int64.self) { address(texts[$0]) }
            }
        case .inetNtoa:
            return { (arguments, count, _) throws(MillstreamError) in
                if TextLoops.isNull(arguments) { return .null(type) }
                let numbers = IntegerArgument(arguments[0])
                return try TextLoops.text(arguments, count, type) { (row, result) in
                    let number = numbers[row]
                    guard number >= 0, number <= 0xFFFF_FFFF else { return false }
                    result.append("\(number >> 24).\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)")
                    return true
                }
            }
        default: return nil
        }
    }

    private static func kernel(_ type: DataType, _ body: @escaping (UnsafeRawBufferPointer, TextColumn) -> Bool) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let texts = TextArgument(arguments[0])
            return try TextLoops.text(arguments, count, type) { (row, result) in body(texts[row], result) }
        }
    }

    /// One to four decimal numbers, as MySQL takes them: the last fills what the others leave, if it is below 256.
    private static func address(_ text: UnsafeRawBufferPointer) -> Int64? {
        var parts: [Int64] = []
        var value: Int64 = 0
        var hasDigits = false
        for place in 0...text.count {
            if place == text.count || text[place] == UInt8(ascii: ".") {
                guard hasDigits, parts.count < 4 else { return nil }
                parts.append(value)
                (value, hasDigits) = (0, false)
                continue
            }
            guard text[place] >= 0x30, text[place] <= 0x39 else { return nil }
            value = value * 10 + Int64(text[place] - 0x30)
            hasDigits = true
            if value > 0xFFFF_FFFF { return nil }
        }
        if parts.count == 1 { return parts[0] }
        guard parts.allSatisfy({ $0 <= 255 }) else { return nil }
        let last = parts.removeLast()
        var shift: Int64 = 24
        var result = last
        for part in parts {
            result |= part << shift
            shift -= 8
        }
        return result
    }

    private static func charset(_ request: KernelRequest, decodes: Bool) throws(MillstreamError) -> Kernel {
        let type = request.type
        var fixed: EncodingCharset?
        if let name = request.text(1) { fixed = try? EncodingCharset(name, decodes: decodes) }
        return { [fixed] (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let (texts, names) = (TextArgument(arguments[0]), TextArgument(arguments[1]))
            var last: (name: [UInt8], charset: EncodingCharset)?
            return try TextLoops.text(arguments, count, type) { (row, result) throws(MillstreamError) in
                let charset: EncodingCharset
                if let fixed {
                    charset = fixed
                } else if let last, last.name.elementsEqual(names[row]) {
                    charset = last.charset
                } else {
                    charset = try EncodingCharset(String(decoding: names[row], as: UTF8.self), decodes: decodes)
                    last = (Array(names[row]), charset)
                }
                if decodes { try charset.decode(texts[row], to: result) } else { try charset.encode(texts[row], to: result) }
                return true
            }
        }
    }
}

/// RFC 4648 with padding, and decoding as java.util.Base64 does it: without white space, padding if whole.
enum EncodingBase64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: UnsafeRawBufferPointer, to result: TextColumn) {
        alphabet.withUnsafeBufferPointer { alphabet in
            result.write(room: (bytes.count + 2) / 3 * 4) { target in
                var (from, to) = (0, 0)
                while from &+ 3 <= bytes.count {
                    let word = UInt32(bytes[from]) << 16 | UInt32(bytes[from &+ 1]) << 8 | UInt32(bytes[from &+ 2])
                    target[to] = alphabet[Int(word >> 18)]
                    target[to &+ 1] = alphabet[Int(word >> 12 & 63)]
                    target[to &+ 2] = alphabet[Int(word >> 6 & 63)]
                    target[to &+ 3] = alphabet[Int(word & 63)]
                    (from, to) = (from &+ 3, to &+ 4)
                }
                if from < bytes.count {
                    let isTwo = from &+ 1 < bytes.count
                    let word = UInt32(bytes[from]) << 16 | (isTwo ? UInt32(bytes[from &+ 1]) << 8 : 0)
                    target[to] = alphabet[Int(word >> 18)]
                    target[to &+ 1] = alphabet[Int(word >> 12 & 63)]
                    target[to &+ 2] = isTwo ? alphabet[Int(word >> 6 & 63)] : 0x3D
                    target[to &+ 3] = 0x3D
                    to &+= 4
                }
                return to
            }
        }
    }

    private static func value(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x41...0x5A: UInt32(byte - 0x41)
        case 0x61...0x7A: UInt32(byte - 0x47)
        case 0x30...0x39: UInt32(byte) + 4
        case 0x2B: 62
        case 0x2F: 63
        default: nil
        }
    }

    /// What is wrong, or nil.
    static func decode(_ text: UnsafeRawBufferPointer, to result: inout [UInt8]) -> String? {
        var bits: UInt32 = 0
        var count = 0
        var place = 0
        while place < text.count, text[place] != 0x3D {
            guard let value = value(text[place]) else { return "byte \(place + 1) is none of Base64's characters" }
            bits = bits << 6 | value
            count += 1
            place += 1
            if count == 4 {
                result.append(UInt8(truncatingIfNeeded: bits >> 16))
                result.append(UInt8(truncatingIfNeeded: bits >> 8))
                result.append(UInt8(truncatingIfNeeded: bits))
                (bits, count) = (0, 0)
            }
        }
        let padding = text.count - place
        if padding > 0, padding != 4 - count || count < 2 || !text[place...].allSatisfy({ $0 == 0x3D }) { return "the padding at its end is wrong" }
        switch count {
        case 0: break
        case 1: return "one character is left over at its end"
        case 2: result.append(UInt8(truncatingIfNeeded: bits >> 4))
        default:
            result.append(UInt8(truncatingIfNeeded: bits >> 10))
            result.append(UInt8(truncatingIfNeeded: bits >> 2))
        }
        return nil
    }
}
