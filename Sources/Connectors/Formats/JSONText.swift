import Columnar

// Strings and bytes as JSON has them.

/// A JSON object's key with its quotes and colon.
func jsonKey(_ name: String) -> [UInt8] {
    let text = TextBuffer(capacity: 64)
    var name = name
    name.withUTF8 { text.append(jsonString: UnsafeRawBufferPointer($0)) }
    text.append(UInt8(ascii: ":"))
    return Array(text.bytes)
}

extension TextBuffer {
    /// A JSON string with its quotes.
    func append(jsonString bytes: UnsafeRawBufferPointer) {
        append(UInt8(ascii: "\""))
        append(jsonCharacters: bytes)
        append(UInt8(ascii: "\""))
    }

    /// The inside of a JSON string: runs that need no escape are copied whole.
    func append(jsonCharacters bytes: UnsafeRawBufferPointer) {
        var start = 0
        for index in 0..<bytes.count {
            let byte = bytes[index]
            guard byte < 0x20 || byte == 0x22 || byte == 0x5C else { continue }
            append(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
            start = index + 1
            append(jsonEscape: byte)
        }
        append(UnsafeRawBufferPointer(rebasing: bytes[start...]))
    }

    private func append(jsonEscape byte: UInt8) {
        append(UInt8(ascii: "\\"))
        switch byte {
        case 0x0A: append(UInt8(ascii: "n"))
        case 0x0D: append(UInt8(ascii: "r"))
        case 0x09: append(UInt8(ascii: "t"))
        case 0x22, 0x5C: append(byte)
        default:
            append("u00")
            append(hexDigit(byte >> 4))
            append(hexDigit(byte & 15))
        }
    }

    /// Base64 with padding, as Jackson writes binary values.
    func append(base64 bytes: UnsafeRawBufferPointer) {
        let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        var index = 0
        while index < bytes.count {
            let left = bytes.count - index
            let word = UInt32(bytes[index]) << 16 | (left > 1 ? UInt32(bytes[index + 1]) << 8 : 0) | (left > 2 ? UInt32(bytes[index + 2]) : 0)
            for place in 0..<4 {
                append(place <= left ? alphabet.utf8Start[Int(word >> UInt32(18 - 6 * place)) & 63] : UInt8(ascii: "="))
            }
            index += 3
        }
    }
}

/// The digit of a value below 16, in lower case.
func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
