import Columnar

/// Which language the text of a value is in.
enum TextStyle {
    /// Java's `toString`, as a DataStream prints.
    case java
    case csv
    case json
}

/// Writes the values of one type as text, straight from the column's memory. Made once per column of a schema.
///
/// The kind is resolved to a flat code at the start: `DataType.Kind` is an indirect enum, and looking at it per cell would cost more than the digits.
final class CellWriter {
    private enum Code {
        case null, boolean, int8, int16, int32, int64, float, double, decimal, text, bytes, date, time32, time64, timestamp, timestampLTZ
        case months, milliseconds, list, map, row, object
    }

    /// Whether values may hold characters that a format has to quote.
    let isText: Bool
    private let code: Code
    private let style: TextStyle
    private let scale: Int
    private let perSecond: Int64
    private let children: [CellWriter]
    /// JSON: each field's name with its quotes and colon.
    private let names: [[UInt8]]

    init(_ type: DataType, style: TextStyle) {
        self.style = style
        var (scale, perSecond, fields): (Int, Int64, [Field]) = (0, 1, [])
        switch type.kind {
        case .null: code = .null
        case .boolean: code = .boolean
        case .tinyInt: code = .int8
        case .smallInt: code = .int16
        case .int: code = .int32
        case .bigInt: code = .int64
        case .float: code = .float
        case .double: code = .double
        case .decimal(_, let digits): (code, scale) = (.decimal, digits)
        case .char, .varChar: code = .text
        case .binary, .varBinary, .raw, .variant, .bitmap: code = .bytes
        case .date: code = .date
        case .time(let precision):
            (scale, perSecond) = (precision, TimeUnit(precision: precision).perSecond)
            code = precision <= 3 ? .time32 : .time64
        case .timestamp(let precision): (code, scale, perSecond) = (.timestamp, precision, TimeUnit(precision: precision).perSecond)
        case .timestampLTZ(let precision): (code, scale, perSecond) = (.timestampLTZ, precision, TimeUnit(precision: precision).perSecond)
        case .intervalYearMonth: code = .months
        case .intervalDayTime: code = .milliseconds
        case .array(let element): (code, fields) = (.list, [Field("", element)])
        case .map(let key, let value): (code, fields) = (.map, [Field("", key), Field("", value)])
        case .multiset(let element): (code, fields) = (.map, [Field("", element), Field("", .int)])
        case .row(let rowFields), .structured(_, let rowFields): (code, fields) = (.row, rowFields)
        case .object: code = .object
        }
        self.scale = scale
        self.perSecond = perSecond
        // Nested values have no CSV form of their own; they are JSON text in a CSV field.
        let childStyle = style == .csv ? TextStyle.json : style
        children = fields.map { CellWriter($0.type, style: childStyle) }
        names = fields.map { jsonKey($0.name) }
        isText = [.text, .list, .map, .row, .object].contains(code)
    }

    /// Whether a value of this type needs the quotes of a JSON string.
    private var isJSONString: Bool {
        switch code {
        case .null, .boolean, .int8, .int16, .int32, .int64, .float, .double, .decimal, .list, .map, .row, .months, .milliseconds: false
        default: true
        }
    }

    /// Appends the value at `index`, which is not null.
    func write(_ column: Column, _ index: Int, to text: TextBuffer) {
        switch code {
        case .null: writeNull(to: text)
        case .boolean: text.append(column.bit(index) ? "true" : "false")
        case .int8: text.append(integer: Int64(column.pointer(as: Int8.self)[index]))
        case .int16: text.append(integer: Int64(column.pointer(as: Int16.self)[index]))
        case .int32, .months: text.append(integer: Int64(column.pointer(as: Int32.self)[index]))
        case .int64, .milliseconds: text.append(integer: column.pointer(as: Int64.self)[index])
        case .float: writeFloat(column.pointer(as: Float.self)[index], to: text)
        case .double: writeDouble(column.pointer(as: Double.self)[index], to: text)
        case .decimal: text.append(decimal: column.pointer(as: Int128.self)[index], scale: scale)
        case .text:
            if style == .json { text.append(jsonString: column.bytes(index)) } else { text.append(column.bytes(index)) }
        default:
            if style == .json, isJSONString {
                text.append(UInt8(ascii: "\""))
                writeOther(column, index, to: text)
                text.append(UInt8(ascii: "\""))
            } else {
                writeOther(column, index, to: text)
            }
        }
    }

    /// Appends a null in the style's word; a CSV writer has its own.
    func writeNull(to text: TextBuffer) { text.append("null") }

    private func writeElement(_ column: Column, _ index: Int, to text: TextBuffer) {
        if column.isNull(index) { writeNull(to: text) } else { write(column, index, to: text) }
    }

    private func writeFloat(_ value: Float, to text: TextBuffer) {
        if style == .json, !value.isFinite { return writeQuoted(Double(value), to: text) }
        text.append(float: value)
    }

    private func writeDouble(_ value: Double, to text: TextBuffer) {
        if style == .json, !value.isFinite { return writeQuoted(value, to: text) }
        text.append(double: value)
    }

    /// NaN and the infinities are no JSON numbers; Jackson writes them as strings.
    private func writeQuoted(_ value: Double, to text: TextBuffer) {
        text.append(UInt8(ascii: "\""))
        text.append(double: value)
        text.append(UInt8(ascii: "\""))
    }

    private func writeOther(_ column: Column, _ index: Int, to text: TextBuffer) {
        switch code {
        case .date: text.append(date: Int64(column.pointer(as: Int32.self)[index]))
        case .time32: text.append(time: Int64(column.pointer(as: Int32.self)[index]), perSecond: perSecond, precision: scale)
        case .time64: text.append(time: column.pointer(as: Int64.self)[index], perSecond: perSecond, precision: scale)
        case .timestamp:
            let value = column.pointer(as: Int64.self)[index]
            text.append(timestamp: value, perSecond: perSecond, precision: scale, style: style == .java ? .java : .sql)
        case .timestampLTZ:
            let value = column.pointer(as: Int64.self)[index]
            if style == .java {
                text.append(instant: value, perSecond: perSecond)
            } else {
                text.append(timestamp: value, perSecond: perSecond, precision: scale, style: .sql)
                text.append(UInt8(ascii: "Z"))
            }
        case .bytes: writeBytes(column.bytes(index), to: text)
        case .list: writeList(column, index, to: text)
        case .map: writeMap(column, index, to: text)
        case .row: writeRow(column, index, to: text)
        case .object: writeObject(column, index, to: text)
        default: break
        }
    }

    private func writeBytes(_ bytes: UnsafeRawBufferPointer, to text: TextBuffer) {
        guard style == .java else { return text.append(base64: bytes) }
        text.append(UInt8(ascii: "["))
        for (place, byte) in bytes.enumerated() {
            if place > 0 { text.append(", ") }
            text.append(integer: Int64(Int8(bitPattern: byte)))
        }
        text.append(UInt8(ascii: "]"))
    }

    private var separator: StaticString { style == .java ? ", " : "," }

    private func writeList(_ column: Column, _ index: Int, to text: TextBuffer) {
        guard let elements = column.children.first else { return }
        text.append(UInt8(ascii: "["))
        let range = column.listRange(index)
        for place in range {
            if place > range.lowerBound { text.append(separator) }
            children[0].writeElement(elements, place, to: text)
        }
        text.append(UInt8(ascii: "]"))
    }

    private func writeMap(_ column: Column, _ index: Int, to text: TextBuffer) {
        guard let entries = column.children.first, entries.children.count == 2 else { return }
        text.append(UInt8(ascii: "{"))
        let range = column.listRange(index)
        let (keys, values) = (entries.children[0], entries.children[1])
        for place in range {
            if place > range.lowerBound { text.append(separator) }
            let entry = entries.offset + place
            let isQuoted = style == .json && !children[0].isJSONString
            if isQuoted { text.append(UInt8(ascii: "\"")) }
            children[0].writeElement(keys, entry, to: text)
            if isQuoted { text.append(UInt8(ascii: "\"")) }
            text.append(style == .java ? UInt8(ascii: "=") : UInt8(ascii: ":"))
            children[1].writeElement(values, entry, to: text)
        }
        text.append(UInt8(ascii: "}"))
    }

    private func writeRow(_ column: Column, _ index: Int, to text: TextBuffer) {
        text.append(style == .java ? "+I[" : "{")
        for (place, child) in children.enumerated() where place < column.children.count {
            if place > 0 { text.append(separator) }
            if style != .java { names[place].withUnsafeBytes { text.append($0) } }
            child.writeElement(column.children[place], column.offset + index, to: text)
        }
        text.append(style == .java ? UInt8(ascii: "]") : UInt8(ascii: "}"))
    }

    /// The bound of one host value's text; a longer one is cut.
    private static let objectByteCountMax = 1 << 20

    private func writeObject(_ column: Column, _ index: Int, to text: TextBuffer) {
        guard let objects = column.hostObjects else { return }
        let handle = column.pointer(as: HostObjects.Handle?.self)[index]
        var capacity = 256
        while true {
            let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
            defer { bytes.deallocate() }
            let count = max(0, min(objects.describe(handle, bytes, capacity), capacity))
            guard count == capacity, capacity < CellWriter.objectByteCountMax else {
                let described = UnsafeRawBufferPointer(start: bytes, count: count)
                if style == .json { text.append(jsonCharacters: described) } else { text.append(described) }
                return
            }
            capacity *= 4
        }
    }
}

/// A JSON object's key with its quotes and colon.
func jsonKey(_ name: String) -> [UInt8] {
    let text = TextBuffer(capacity: 64)
    var name = name
    name.withUTF8 { text.append(jsonString: UnsafeRawBufferPointer($0)) }
    text.append(UInt8(ascii: ":"))
    return Array(text.bytes)
}

extension TextBuffer {
    /// java.time.Instant's text: `Z` behind, and a fraction of no, 3, 6 or 9 digits.
    func append(instant value: Int64, perSecond: Int64) {
        let fraction = value &- value.floorDivided(by: perSecond) &* perSecond
        var precision = 0
        if fraction != 0 {
            let nanoseconds = fraction &* (1_000_000_000 / perSecond)
            precision = nanoseconds % 1_000_000 == 0 ? 3 : nanoseconds % 1_000 == 0 ? 6 : 9
        }
        append(timestamp: value, perSecond: perSecond, precision: precision, style: .iso)
        append(UInt8(ascii: "Z"))
    }

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
