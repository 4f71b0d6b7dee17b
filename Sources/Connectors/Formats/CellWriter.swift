import Columnar
import Plan

/// Which language the text of a value is in.
enum TextStyle {
    /// Java's `toString`, as a DataStream prints.
    case java
    /// The same with java.time's types, as Flink's SQL prints.
    case table
    case csv
    case json

    /// Whether values are in the words of Java, and not in those of a format.
    var isJava: Bool { self == .java || self == .table }
}

/// What a format's options say of the text of values.
struct CellOptions {
    var timestamps = JSONOptions.Timestamps.either
    var decimals = DecimalText.fullScale
    var nullKeys = JSONOptions.NullKeys.literal("null")
    var omitsNullFields = false
    /// CSV: between the elements of an ARRAY or ROW; nil: they are JSON text.
    var elementDelimiter: [UInt8]?
    /// CSV: a NULL among those; and whether times and bytes are looked at for quotes as well as text.
    var nullElement: [UInt8] = []
    var quotesAll = false

    init() {}

    init(_ json: JSONOptions) {
        timestamps = json.timestamps
        decimals = json.decimals
        nullKeys = json.nullKeys
        omitsNullFields = json.omitsNullFields
    }

    init(_ csv: CSVOptions) {
        timestamps = csv.followsFlink ? .sql : .either
        decimals = csv.decimals
        elementDelimiter = csv.elementDelimiter.map { Array($0.utf8) }
        nullElement = Array((csv.nullLiteral ?? "").utf8)
        quotesAll = csv.followsFlink
    }
}

/// Writes the values of one type as text, straight from the column's memory. Made once per column of a schema.
///
/// The kind is resolved to a flat code at the start: `DataType.Kind` is an indirect enum, and looking at it per cell would cost more than the digits.
final class CellWriter {
    private enum Code {
        case null, boolean, int8, int16, int32, int64, float, double, decimal, text, bytes, date, time32, time64, timestamp, timestampLTZ
        case months, milliseconds, list, map, row, object, variant
    }

    /// Whether values may hold characters that a format has to quote.
    let isText: Bool
    private let code: Code
    private let style: TextStyle
    private let options: CellOptions
    private let scale: Int
    private let perSecond: Int64
    private let children: [CellWriter]
    /// JSON: each field's name with its quotes and colon.
    private let names: [[UInt8]]

    init(_ type: DataType, style: TextStyle, options: CellOptions = CellOptions()) {
        self.style = style
        self.options = options
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
        case .binary, .varBinary, .raw, .bitmap: code = .bytes
        case .variant: code = .variant
        case .date: code = .date
        case .time(let precision):
            (scale, perSecond) = (precision, TimeUnit(precision: precision).perSecond)
            code = precision <= 3 ? .time32 : .time64
        case .timestamp(let precision): (code, scale, perSecond) = (.timestamp, precision, TimeUnit(precision: precision).perSecond)
        case .timestampLTZ(let precision): (code, scale, perSecond) = (.timestampLTZ, precision, TimeUnit(precision: precision).perSecond)
        case .intervalYearMonth: code = .months
        case .intervalDayTime(let precision): (code, perSecond) = (.milliseconds, TimeUnit(precision: precision).perSecond)
        case .array(let element): (code, fields) = (.list, [Field("", element)])
        case .map(let key, let value): (code, fields) = (.map, [Field("", key), Field("", value)])
        case .multiset(let element): (code, fields) = (.map, [Field("", element), Field("", .int)])
        case .row(let rowFields), .structured(_, let rowFields): (code, fields) = (.row, rowFields)
        case .object: code = .object
        }
        self.scale = scale
        self.perSecond = perSecond
        // Where no delimiter of elements says otherwise, nested values have no CSV form of their own; they are JSON text in a CSV field.
        let childStyle = style == .csv && options.elementDelimiter == nil ? TextStyle.json : style
        children = fields.map { CellWriter($0.type, style: childStyle, options: options) }
        names = fields.map { jsonKey($0.name) }
        isText =
            [.text, .list, .map, .row, .object, .variant].contains(code)
            || (options.quotesAll && [.date, .time32, .time64, .timestamp, .timestampLTZ, .bytes].contains(code))
    }

    /// Whether a value of this type needs the quotes of a JSON string.
    private var isJSONString: Bool {
        switch code {
        case .null, .boolean, .int8, .int16, .int32, .int64, .float, .double, .decimal, .list, .map, .row, .months, .milliseconds, .variant: false
        default: true
        }
    }

    /// Appends the value at `index`, which is not null.
    ///
    /// Throws `invalidArgument` for a NULL key of a map where the options refuse it.
    func write(_ column: Column, _ index: Int, to text: TextBuffer) throws(MillstreamError) {
        switch code {
        case .null: writeNull(to: text)
        case .boolean: text.append(column.bit(index) ? "true" : "false")
        case .int8: text.append(integer: Int64(column.pointer(as: Int8.self)[index]))
        case .int16: text.append(integer: Int64(column.pointer(as: Int16.self)[index]))
        case .int32: text.append(integer: Int64(column.pointer(as: Int32.self)[index]))
        case .int64: text.append(integer: column.pointer(as: Int64.self)[index])
        case .months:
            let value = Int64(column.pointer(as: Int32.self)[index])
            if style == .table { text.append(period: value) } else { text.append(integer: value) }
        case .milliseconds:
            let value = column.pointer(as: Int64.self)[index]
            if style == .table { text.append(duration: value, perSecond: perSecond) } else { writeDuration(value, to: text) }
        case .float: writeFloat(column.pointer(as: Float.self)[index], to: text)
        case .double: writeDouble(column.pointer(as: Double.self)[index], to: text)
        case .decimal: writeDecimal(column.pointer(as: Int128.self)[index], to: text)
        case .text:
            if style == .json { text.append(jsonString: column.bytes(index)) } else { text.append(column.bytes(index)) }
        default:
            if style == .json, isJSONString {
                text.append(UInt8(ascii: "\""))
                try writeOther(column, index, to: text)
                text.append(UInt8(ascii: "\""))
            } else {
                try writeOther(column, index, to: text)
            }
        }
    }

    /// Appends a null in the style's word; a CSV writer has its own.
    func writeNull(to text: TextBuffer) { text.append("null") }

    private func writeElement(_ column: Column, _ index: Int, to text: TextBuffer) throws(MillstreamError) {
        if !column.isNull(index) { return try write(column, index, to: text) }
        if style == .csv { options.nullElement.withUnsafeBytes { text.append($0) } } else { writeNull(to: text) }
    }

    private func writeDecimal(_ value: Int128, to text: TextBuffer) {
        if style == .table { return text.append(javaDecimal: value, scale: scale) }
        guard !style.isJava else { return text.append(decimal: value, scale: scale) }
        switch options.decimals {
        case .fullScale: text.append(decimal: value, scale: scale)
        case .scientific:
            let (digits, rest) = strippedDecimal(value, scale: scale)
            text.append(javaDecimal: digits, scale: rest)
        }
    }

    /// The formats have durations in milliseconds, whatever the type's precision; a DataStream prints the number as it is.
    private func writeDuration(_ value: Int64, to text: TextBuffer) {
        guard !style.isJava else { return text.append(integer: value) }
        let (scaled, overflow) = value.multipliedReportingOverflow(by: 1_000)
        text.append(integer: overflow ? value / perSecond &* 1_000 : scaled / perSecond)
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

    private func writeOther(_ column: Column, _ index: Int, to text: TextBuffer) throws(MillstreamError) {
        switch code {
        case .date: text.append(date: Int64(column.pointer(as: Int32.self)[index]))
        case .time32:
            text.append(time: Int64(column.pointer(as: Int32.self)[index]), perSecond: perSecond, precision: scale, style: timeStyle)
        case .time64: text.append(time: column.pointer(as: Int64.self)[index], perSecond: perSecond, precision: scale, style: timeStyle)
        case .timestamp:
            text.append(timestamp: column.pointer(as: Int64.self)[index], perSecond: perSecond, precision: scale, style: style == .java ? .java : timeStyle)
        case .timestampLTZ:
            let value = column.pointer(as: Int64.self)[index]
            if style.isJava {
                text.append(instant: value, perSecond: perSecond)
            } else {
                text.append(timestamp: value, perSecond: perSecond, precision: scale, style: timeStyle)
                text.append(UInt8(ascii: "Z"))
            }
        case .bytes: writeBytes(column.bytes(index), to: text)
        case .list: try writeList(column, index, to: text)
        case .map: try writeMap(column, index, to: text)
        case .row: try writeRow(column, index, to: text)
        case .object: writeObject(column, index, to: text)
        case .variant: writeVariant(column.bytes(index), to: text)
        default: break
        }
    }

    private var timeStyle: TimestampStyle {
        if style == .table { return .javaTime }
        if style == .java { return .sql }
        switch options.timestamps {
        case .either: return .sql
        case .sql: return .shortSQL
        case .iso8601: return .shortISO
        }
    }

    private func writeBytes(_ bytes: UnsafeRawBufferPointer, to text: TextBuffer) {
        guard style.isJava else { return text.append(base64: bytes) }
        text.append(UInt8(ascii: "["))
        for (place, byte) in bytes.enumerated() {
            if place > 0 { text.append(", ") }
            text.append(integer: Int64(Int8(bitPattern: byte)))
        }
        text.append(UInt8(ascii: "]"))
    }

    /// A variant is its JSON in every style; one that is damaged is its bytes.
    private func writeVariant(_ bytes: UnsafeRawBufferPointer, to text: TextBuffer) {
        func digits(_ value: Double) -> String {
            let number = TextBuffer(capacity: 32)
            number.append(double: value)
            return String(decoding: number.bytes, as: UTF8.self)
        }
        if let json = VariantText.json(bytes, floating: digits) { return json.withUnsafeBytes { text.append($0) } }
        if style == .json { text.append(UInt8(ascii: "\"")) }
        writeBytes(bytes, to: text)
        if style == .json { text.append(UInt8(ascii: "\"")) }
    }

    private var separator: StaticString { style.isJava ? ", " : "," }

    private func writeList(_ column: Column, _ index: Int, to text: TextBuffer) throws(MillstreamError) {
        guard let elements = column.children.first else { return }
        let range = column.listRange(index)
        if style == .csv, let delimiter = options.elementDelimiter {
            for place in range {
                if place > range.lowerBound { delimiter.withUnsafeBytes { text.append($0) } }
                try children[0].writeElement(elements, place, to: text)
            }
            return
        }
        text.append(UInt8(ascii: "["))
        for place in range {
            if place > range.lowerBound { text.append(separator) }
            try children[0].writeElement(elements, place, to: text)
        }
        text.append(UInt8(ascii: "]"))
    }

    private func writeMap(_ column: Column, _ index: Int, to text: TextBuffer) throws(MillstreamError) {
        guard let entries = column.children.first, entries.children.count == 2 else { return }
        text.append(UInt8(ascii: "{"))
        let (keys, values) = (entries.children[0], entries.children[1])
        var isFirst = true
        for place in column.listRange(index) {
            let entry = entries.offset + place
            let isNull = keys.isNull(entry)
            if isNull, !style.isJava, case .drop = options.nullKeys { continue }
            if !isFirst { text.append(separator) }
            isFirst = false
            if isNull, !style.isJava { try writeNullKey(to: text) } else { try writeKey(keys, entry, to: text) }
            text.append(style.isJava ? UInt8(ascii: "=") : UInt8(ascii: ":"))
            try children[1].writeElement(values, entry, to: text)
        }
        text.append(UInt8(ascii: "}"))
    }

    private func writeKey(_ keys: Column, _ entry: Int, to text: TextBuffer) throws(MillstreamError) {
        let isQuoted = style == .json && !children[0].isJSONString
        if isQuoted { text.append(UInt8(ascii: "\"")) }
        try children[0].writeElement(keys, entry, to: text)
        if isQuoted { text.append(UInt8(ascii: "\"")) }
    }

    private func writeNullKey(to text: TextBuffer) throws(MillstreamError) {
        guard case .literal(var literal) = options.nullKeys else {
            throw MillstreamError(
                .invalidArgument, "a map with a NULL key cannot be written as JSON",
                hint: "Set the format's map-null-key.mode to DROP or LITERAL.")
        }
        literal.withUTF8 { text.append(jsonString: UnsafeRawBufferPointer($0)) }
    }

    private func writeRow(_ column: Column, _ index: Int, to text: TextBuffer) throws(MillstreamError) {
        if style == .csv, let delimiter = options.elementDelimiter {
            for (place, child) in children.enumerated() where place < column.children.count {
                if place > 0 { delimiter.withUnsafeBytes { text.append($0) } }
                try child.writeElement(column.children[place], column.offset + index, to: text)
            }
            return
        }
        text.append(style.isJava ? "+I[" : "{")
        var isFirst = true
        for (place, child) in children.enumerated() where place < column.children.count {
            if options.omitsNullFields, !style.isJava, column.children[place].isNull(column.offset + index) { continue }
            if !isFirst { text.append(separator) }
            isFirst = false
            if !style.isJava { names[place].withUnsafeBytes { text.append($0) } }
            try child.writeElement(column.children[place], column.offset + index, to: text)
        }
        text.append(style.isJava ? UInt8(ascii: "]") : UInt8(ascii: "}"))
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
