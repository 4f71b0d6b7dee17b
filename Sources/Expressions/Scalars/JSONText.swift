import Columnar

/// JSON as text, the way Jackson writes it: no white space, fields by name, numbers as BigDecimal prints them.
extension TextColumn {
    func append(json index: Int, of document: JSONDocument) {
        let node = document.nodes[index]
        switch node.kind {
        case .null: append("null")
        case .isTrue: append("true")
        case .isFalse: append("false")
        case .integer: JSONNumbers.append(integer: document.bytes(index), to: self)
        case .number: JSONNumbers.append(document.bytes(index), to: self)
        case .string: append(jsonString: index, of: document)
        case .array:
            append(UInt8(ascii: "["))
            var place = index + 1
            for element in 0..<node.count {
                if element > 0 { append(UInt8(ascii: ",")) }
                append(json: place, of: document)
                place = Int(document.nodes[place].next)
            }
            append(UInt8(ascii: "]"))
        case .object:
            var fields = document.fields(index)
            fields.sort { JSONNames.isLess($0.name, $1.name) }
            append(UInt8(ascii: "{"))
            for (place, field) in fields.enumerated() {
                if place > 0 { append(UInt8(ascii: ",")) }
                field.name.withUnsafeBytes { (name: UnsafeRawBufferPointer) in append(jsonString: name) }
                append(UInt8(ascii: ":"))
                append(json: field.value, of: document)
            }
            append(UInt8(ascii: "}"))
        }
    }

    private func append(jsonString index: Int, of document: JSONDocument) {
        if document.nodes[index].hasEscapes {
            document.characters(index).withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in append(jsonString: bytes) }
        } else {
            append(jsonString: document.bytes(index))
        }
    }

    /// A string with its quotes; control characters, quotes and backslashes are escaped.
    func append(jsonString bytes: UnsafeRawBufferPointer) {
        append(UInt8(ascii: "\""))
        var start = 0
        for place in 0..<bytes.count {
            let byte = bytes[place]
            guard byte < 0x20 || byte == 0x22 || byte == 0x5C else { continue }
            append(repairing: TextPoints.part(bytes, start, place))
            start = place + 1
            append(UInt8(ascii: "\\"))
            switch byte {
            case 0x08: append(UInt8(ascii: "b"))
            case 0x09: append(UInt8(ascii: "t"))
            case 0x0A: append(UInt8(ascii: "n"))
            case 0x0C: append(UInt8(ascii: "f"))
            case 0x0D: append(UInt8(ascii: "r"))
            case 0x22, 0x5C: append(byte)
            default:
                append("u00")
                append(0x30 + byte >> 4)
                append(byte & 15 < 10 ? 0x30 + byte & 15 : 0x37 + byte & 15)
            }
        }
        append(repairing: TextPoints.part(bytes, start, bytes.count))
        append(UInt8(ascii: "\""))
    }
}

/// The order of names: by UTF-16, as Java compares strings.
enum JSONNames {
    static func isLess(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        var place = 0
        while place < left.count, place < right.count {
            let (a, b) = (left[place], right[place])
            if a != b {
                // Only U+E000 to U+FFFF (from EE on) and what has surrogates (from F0 on) are in another order than their bytes.
                if a >= 0xEE, b >= 0xEE, (a >= 0xF0) != (b >= 0xF0) { return a >= 0xF0 }
                return a < b
            }
            place &+= 1
        }
        return left.count < right.count
    }
}

/// Decimal numbers as java.math.BigDecimal prints them.
enum JSONNumbers {
    /// A whole number of JSON: -0 is 0.
    static func append(integer bytes: UnsafeRawBufferPointer, to result: TextColumn) {
        if bytes.count == 2, bytes[0] == UInt8(ascii: "-"), bytes[1] == 0x30 { return result.append(0x30) }
        result.append(bytes)
    }

    /// `new BigDecimal(text).toString()` of a number with a point or an exponent.
    static func append(_ bytes: UnsafeRawBufferPointer, to result: TextColumn) {
        var digits: [UInt8] = []
        var scale = 0
        var place = 0
        let isNegative = bytes.first == UInt8(ascii: "-")
        if isNegative { place = 1 }
        var hasPoint = false
        while place < bytes.count {
            let byte = bytes[place]
            if byte | 0x20 == UInt8(ascii: "e") {
                place += 1
                var exponent = 0
                let isMinus = place < bytes.count && bytes[place] == UInt8(ascii: "-")
                if isMinus || (place < bytes.count && bytes[place] == UInt8(ascii: "+")) { place += 1 }
                while place < bytes.count {
                    exponent = min(exponent * 10 + Int(bytes[place] &- 0x30), 1 << 40)
                    place += 1
                }
                scale -= isMinus ? -exponent : exponent
                break
            }
            if byte == UInt8(ascii: ".") {
                hasPoint = true
            } else {
                if hasPoint { scale += 1 }
                if byte != 0x30 || !digits.isEmpty { digits.append(byte) }
            }
            place += 1
        }
        if digits.isEmpty { digits = [0x30] }
        append(digits, scale: scale, isNegative: isNegative && digits != [0x30], to: result)
    }

    /// An unscaled value and its scale: plain where the scale is not negative and the first digit is not too far behind the point.
    static func append(_ digits: [UInt8], scale: Int, isNegative: Bool, to result: TextColumn) {
        if isNegative { result.append(UInt8(ascii: "-")) }
        if scale == 0 { return result.append(digits) }
        let exponent = digits.count - 1 - scale
        if scale > 0, exponent >= -6 {
            if digits.count > scale {
                result.append(Array(digits[..<(digits.count - scale)]))
                result.append(UInt8(ascii: "."))
                result.append(Array(digits[(digits.count - scale)...]))
            } else {
                result.append("0.")
                for _ in 0..<scale - digits.count { result.append(0x30) }
                result.append(digits)
            }
            return
        }
        result.append(digits[0])
        if digits.count > 1 {
            result.append(UInt8(ascii: "."))
            result.append(Array(digits[1...]))
        }
        if exponent != 0 {
            result.append(exponent < 0 ? "E-" : "E+")
            result.append(String(exponent.magnitude))
        }
    }

    static func append(_ value: Int128, scale: Int, to result: TextColumn) {
        append(Array(String(value.magnitude).utf8), scale: scale, isNegative: value < 0, to: result)
    }

    /// A floating-point number as a BigDecimal of what Java prints for it; NaN and the infinities are strings.
    static func append(_ value: Double, to result: TextColumn) {
        guard value.isFinite else {
            result.append(value.isNaN ? "\"NaN\"" : value < 0 ? "\"-Infinity\"" : "\"Infinity\"")
            return
        }
        Array(FloatingText.java(value).utf8).withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in append(bytes, to: result) }
    }

    /// Never with an exponent.
    static func plain(_ value: Int128, scale: Int) -> String {
        let digits = String(value.magnitude)
        let sign = value < 0 ? "-" : ""
        guard scale > 0 else { return sign + digits }
        let padded = String(repeating: "0", count: max(0, scale + 1 - digits.utf8.count)) + digits
        return sign + padded.dropLast(scale) + "." + padded.suffix(scale)
    }
}
