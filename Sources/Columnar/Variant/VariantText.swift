/// Variants as JSON, the way Flink prints them: no white space, decimals without needless zeros, times as text in quotes.
public enum VariantText {
    /// What JSON nests at most, here as everywhere.
    private static let depthMax = 1_000

    /// The JSON of a cell; nil where its bytes are no variant. `floating` prints a finite number.
    public static func json(_ bytes: UnsafeRawBufferPointer, floating: (Double) -> String) -> [UInt8]? {
        guard let reader = VariantReader(bytes) else { return nil }
        var text: [UInt8] = []
        // Damaged offsets could name one value many times over; a sound document has no more values than bytes.
        var budget = bytes.count
        return write(reader, 0, &budget, &text, floating) ? text : nil
    }

    private static func write(_ reader: VariantReader, _ depth: Int, _ budget: inout Int, _ text: inout [UInt8], _ floating: (Double) -> String) -> Bool {
        budget -= 1
        guard budget >= 0, depth < depthMax else { return false }
        switch reader.kind {
        case .malformed: return false
        case .null: text.append(contentsOf: "null".utf8)
        case .boolean: text.append(contentsOf: (reader.boolean == true ? "true" : "false").utf8)
        case .integer:
            guard let integer = reader.integer else { return false }
            text.append(contentsOf: String(integer).utf8)
        case .double, .float:
            guard let number = reader.double ?? reader.float.map({ Double($0) }) else { return false }
            if number.isFinite {
                // A float's own digits are fewer than those of the same double.
                text.append(contentsOf: (reader.float?.description ?? floating(number)).utf8)
            } else {
                text.append(contentsOf: (number.isNaN ? "\"NaN\"" : number < 0 ? "\"-Infinity\"" : "\"Infinity\"").utf8)
            }
        case .decimal:
            guard let (unscaled, scale) = reader.decimal else { return false }
            text.append(contentsOf: plain(unscaled, scale).utf8)
        case .string:
            guard let bytes = reader.bytes else { return false }
            quote(bytes, &text)
        case .binary:
            guard let bytes = reader.bytes else { return false }
            text.append(0x22)
            base64(bytes, &text)
            text.append(0x22)
        case .uuid:
            guard let bytes = reader.bytes else { return false }
            text.append(0x22)
            for (place, byte) in bytes.enumerated() {
                if [4, 6, 8, 10].contains(place) { text.append(0x2D) }
                text.append(digit(byte >> 4))
                text.append(digit(byte & 15))
            }
            text.append(0x22)
        case .date, .time, .timestamp, .timestampLTZ:
            guard let value = reader.integer else { return false }
            text.append(0x22)
            text.append(contentsOf: point(reader, value).utf8)
            text.append(0x22)
        case .array:
            guard let count = reader.count else { return false }
            text.append(0x5B)
            for index in 0..<count {
                if index > 0 { text.append(0x2C) }
                guard let element = reader.element(index), write(element, depth + 1, &budget, &text, floating) else { return false }
            }
            text.append(0x5D)
        case .object:
            guard let count = reader.count else { return false }
            text.append(0x7B)
            for index in 0..<count {
                if index > 0 { text.append(0x2C) }
                guard let name = reader.name(index), let element = reader.element(index) else { return false }
                quote(name, &text)
                text.append(0x3A)
                guard write(element, depth + 1, &budget, &text, floating) else { return false }
            }
            text.append(0x7D)
        }
        return true
    }

    /// Never with an exponent, nor with zeros at the end of the fraction.
    private static func plain(_ unscaled: Int128, _ scale: Int) -> String {
        var (value, scale) = (unscaled, scale)
        while scale > 0, value % 10 == 0 { (value, scale) = (value / 10, scale - 1) }
        let digits = String(value.magnitude)
        let sign = value < 0 ? "-" : ""
        guard scale > 0 else { return sign + digits }
        let padded = String(repeating: "0", count: max(0, scale + 1 - digits.utf8.count)) + digits
        return sign + padded.dropLast(scale) + "." + padded.suffix(scale)
    }

    private static func quote(_ bytes: UnsafeRawBufferPointer, _ text: inout [UInt8]) {
        text.append(0x22)
        for byte in UTF8Validation.isValid(bytes) ? Array(bytes) : Array(String(decoding: bytes, as: UTF8.self).utf8) {
            switch byte {
            case 0x08: text.append(contentsOf: "\\b".utf8)
            case 0x09: text.append(contentsOf: "\\t".utf8)
            case 0x0A: text.append(contentsOf: "\\n".utf8)
            case 0x0C: text.append(contentsOf: "\\f".utf8)
            case 0x0D: text.append(contentsOf: "\\r".utf8)
            case 0x22, 0x5C:
                text.append(0x5C)
                text.append(byte)
            case ..<0x20:
                text.append(contentsOf: "\\u00".utf8)
                text.append(digit(byte >> 4))
                text.append(byte & 15 < 10 ? 0x30 + byte & 15 : 0x37 + byte & 15)
            default: text.append(byte)
            }
        }
        text.append(0x22)
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

    private static func base64(_ bytes: UnsafeRawBufferPointer, _ text: inout [UInt8]) {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let left = bytes.count - start
            let word = UInt32(bytes[start]) << 16 | (left > 1 ? UInt32(bytes[start + 1]) << 8 : 0) | (left > 2 ? UInt32(bytes[start + 2]) : 0)
            for place in 0..<4 { text.append(place <= left ? alphabet[Int(word >> UInt32(18 - 6 * place)) & 63] : 0x3D) }
        }
    }

    // MARK: Points in time

    private static func point(_ reader: VariantReader, _ value: Int64) -> String {
        if reader.kind == .date { return date(value) }
        let perSecond: Int64 = reader.isNanoseconds ? 1_000_000_000 : 1_000_000
        var seconds = value / perSecond
        if value < 0, seconds * perSecond != value { seconds -= 1 }
        var fraction = String(value &- seconds &* perSecond)
        fraction = String(repeating: "0", count: max(0, (reader.isNanoseconds ? 9 : 6) - fraction.utf8.count)) + fraction
        while fraction.utf8.last == 0x30 { fraction.removeLast() }
        var days = seconds / 86_400
        if seconds < 0, days * 86_400 != seconds { days -= 1 }
        let second = seconds - days * 86_400
        let time = "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))\(fraction.isEmpty ? "" : "." + fraction)"
        if reader.kind == .time { return time }
        return "\(date(days))T\(time)\(reader.kind == .timestampLTZ ? "Z" : "")"
    }

    private static func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : String(value) }

    /// In the proleptic Gregorian calendar, by counting from a 1 March.
    private static func date(_ days: Int64) -> String {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let digits = String(year.magnitude)
        return "\(year < 0 ? "-" : "")\(String(repeating: "0", count: max(0, 4 - digits.utf8.count)))\(digits)-\(two(month))-\(two(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1))"
    }
}
