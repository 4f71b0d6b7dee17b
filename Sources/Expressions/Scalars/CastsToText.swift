import Columnar
import Plan

/// How the values of a column become text, found out once for a batch: what `CAST(x AS STRING)` gives for any type.
///
/// Within collections and rows a null is `NULL`: `[1, 2, NULL]`, `{a=1}`, `(1, a)`, `(name=Bob)` of a structured type.
final class TextForm {
    private enum Kind {
        case null, boolean, int8, int16, int32, int64, float, double
        case decimal(scale: Int)
        case text, bytes, date
        case time32(perSecond: Int64, precision: Int), time64(perSecond: Int64, precision: Int)
        case timestamp(perSecond: Int64, precision: Int), localTimestamp(perSecond: Int64, precision: Int)
        case months
        case duration(perSecond: Int64)
        case list, entries, row, variant, bitmap, handle
    }

    private let kind: Kind
    private let column: Column
    private let children: [TextForm]
    private let names: [String]
    private let views: ViewReader?
    private var zone = ZoneCursor(.utc)

    /// Throws `unsupported` for values that have no text.
    init(_ column: Column, _ context: EvaluationContext) throws(MillstreamError) {
        self.column = column
        var children: [Column] = []
        var names: [String] = []
        switch column.type.kind {
        case .null: kind = .null
        case .boolean: kind = .boolean
        case .tinyInt: kind = .int8
        case .smallInt: kind = .int16
        case .int: kind = .int32
        case .bigInt: kind = .int64
        case .float: kind = .float
        case .double: kind = .double
        case .decimal(_, let scale): kind = .decimal(scale: scale)
        case .char, .varChar: kind = .text
        case .binary, .varBinary: kind = .bytes
        case .date: kind = .date
        case .time(let precision):
            let unit = TimeUnit(precision: precision).perSecond
            kind = precision <= 3 ? .time32(perSecond: unit, precision: precision) : .time64(perSecond: unit, precision: precision)
        case .timestamp(let precision): kind = .timestamp(perSecond: TimeUnit(precision: precision).perSecond, precision: precision)
        case .timestampLTZ(let precision):
            zone = ZoneCursor(try Zone.named(context.timeZone))
            kind = .localTimestamp(perSecond: TimeUnit(precision: precision).perSecond, precision: precision)
        case .intervalYearMonth: kind = .months
        case .intervalDayTime(let precision): kind = .duration(perSecond: TimeUnit(precision: precision).perSecond)
        case .array:
            kind = .list
            children = column.children
        case .map, .multiset:
            kind = .entries
            children = column.children.first?.children ?? []
        case .row:
            kind = .row
            children = column.children
        case .structured(_, let fields):
            kind = .row
            children = column.children
            names = fields.map(\.name)
        case .variant: kind = .variant
        case .bitmap: kind = .bitmap
        case .object: kind = .handle
        case .raw: throw MillstreamError(.unsupported, "a value of type \(column.type) cannot be cast to text")
        }
        self.names = names
        views = column.type.layout == .views ? ViewReader(column) : nil
        var forms: [TextForm] = []
        for child in children { forms.append(try TextForm(child, context)) }
        self.children = forms
    }

    /// Appends the text of a value, `NULL` for a null.
    func write(_ row: Int, to writer: inout TextWriter) throws(MillstreamError) {
        if column.isNull(row) { return writer.append("NULL") }
        switch kind {
        case .null: writer.append("NULL")
        case .boolean: if column.bit(row) { writer.append("TRUE") } else { writer.append("FALSE") }
        case .int8: writer.append(decimal: column.pointer(as: Int8.self)[row])
        case .int16: writer.append(decimal: column.pointer(as: Int16.self)[row])
        case .int32: writer.append(decimal: column.pointer(as: Int32.self)[row])
        case .int64: writer.append(decimal: column.pointer(as: Int64.self)[row])
        case .float: writer.append(java: column.pointer(as: Float.self)[row])
        case .double: writer.append(java: column.pointer(as: Double.self)[row])
        case .decimal(let scale): writer.append(unscaled: column.pointer(as: Int128.self)[row], scale: scale)
        case .text: if let views { writer.append(views[row]) }
        case .bytes: if let views { writer.append(decoding: views[row]) }
        case .date: writer.append(days: Int64(column.pointer(as: Int32.self)[row]))
        case .time32(let unit, let precision): writer.append(time: Int64(column.pointer(as: Int32.self)[row]), perSecond: unit, precision: precision)
        case .time64(let unit, let precision): writer.append(time: column.pointer(as: Int64.self)[row], perSecond: unit, precision: precision)
        case .timestamp(let unit, let precision): writer.append(timestamp: column.pointer(as: Int64.self)[row], perSecond: unit, precision: precision)
        case .localTimestamp(let unit, let precision):
            let value = column.pointer(as: Int64.self)[row]
            let seconds = value.dividedFlooring(by: unit)
            let offset = zone.offset(at: seconds)
            writer.append(timestamp: value.addingSaturating(offset &* unit), perSecond: unit, precision: precision)
        case .months: writer.append(months: column.pointer(as: Int32.self)[row])
        case .duration(let unit): writer.append(duration: column.pointer(as: Int64.self)[row], perSecond: unit)
        case .list: try writeList(row, &writer)
        case .entries: try writeEntries(row, &writer)
        case .row: try writeRow(row, &writer)
        case .variant:
            guard let text = views.flatMap({ VariantText.json($0[row]) { number in TextForm.java(number) } }) else {
                throw MillstreamError(.decode, "a variant's bytes are damaged", recordIndex: Int64(row))
            }
            text.withUnsafeBytes { writer.append($0) }
        case .bitmap: if let views { try CastsForeign.writeBitmap(views[row], to: &writer) }
        case .handle:
            guard let objects = column.hostObjects else { throw .internal("an OBJECT column has no host") }
            writer.append(string: objects.description(of: column.pointer(as: HostObjects.Handle?.self)[row]))
        }
    }

    private static func java(_ number: Double) -> String {
        var writer = TextWriter()
        writer.append(java: number)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private func writeList(_ row: Int, _ writer: inout TextWriter) throws(MillstreamError) {
        writer.append(UInt8(ascii: "["))
        let range = column.listRange(row)
        for element in range {
            if element > range.lowerBound { writer.append(", ") }
            try children[0].write(element, to: &writer)
        }
        writer.append(UInt8(ascii: "]"))
    }

    private func writeEntries(_ row: Int, _ writer: inout TextWriter) throws(MillstreamError) {
        writer.append(UInt8(ascii: "{"))
        let range = column.listRange(row)
        let start = column.children[0].offset
        for entry in range {
            if entry > range.lowerBound { writer.append(", ") }
            try children[0].write(start &+ entry, to: &writer)
            writer.append(UInt8(ascii: "="))
            try children[1].write(start &+ entry, to: &writer)
        }
        writer.append(UInt8(ascii: "}"))
    }

    private func writeRow(_ row: Int, _ writer: inout TextWriter) throws(MillstreamError) {
        writer.append(UInt8(ascii: "("))
        for (index, field) in children.enumerated() {
            if index > 0 { writer.append(", ") }
            if index < names.count {
                writer.append(string: names[index])
                writer.append(UInt8(ascii: "="))
            }
            try field.write(column.offset &+ row, to: &writer)
        }
        writer.append(UInt8(ascii: ")"))
    }
}

extension TextWriter {
    /// Bytes as UTF-8, with U+FFFD for what is none.
    mutating func append(decoding bytes: UnsafeRawBufferPointer) {
        if UTF8Validation.isValid(bytes) { append(bytes) } else { append(string: String(decoding: bytes, as: UTF8.self)) }
    }
}

/// Casts to CHAR, VARCHAR and STRING.
enum CastsToText {
    /// The text of each value, cut to the target's length, or filled up to it where the target is CHAR.
    static func format(_ column: Column, _ count: Int, to target: DataType, _ context: EvaluationContext) throws(MillstreamError) -> Column {
        let form = try TextForm(column, context)
        let limit = length(target)
        var writer = TextWriter()
        var builder = ViewBuilder()
        try builder.reserve(count)
        for row in 0..<count {
            if column.isNull(row) {
                try builder.appendNull()
                continue
            }
            writer.clear()
            try form.write(row, to: &writer)
            if let limit { writer.fit(from: 0, limit.length, isPadded: limit.isPadded) }
            try builder.append(writer.bytes)
        }
        return builder.finish(type: target)
    }

    /// Text cut to the target's length or filled up to it. Shares the column where every value has a length that fits.
    static func resize(_ column: Column, _ count: Int, to target: DataType) throws(MillstreamError) -> Column {
        guard let limit = length(target) else { return column.retyped(target) }
        let views = ViewReader(column)
        if !limit.isPadded {
            // A text of so many bytes has no more characters.
            var isShort = true
            for row in 0..<count where isShort { isShort = column.isNull(row) || views[row].count <= limit.length }
            if isShort { return column.retyped(target) }
        }
        var writer = TextWriter()
        var builder = ViewBuilder()
        try builder.reserve(count)
        for row in 0..<count {
            if column.isNull(row) {
                try builder.appendNull()
                continue
            }
            writer.clear()
            writer.append(views[row])
            writer.fit(from: 0, limit.length, isPadded: limit.isPadded)
            try builder.append(writer.bytes)
        }
        return builder.finish(type: target)
    }

    /// Bytes cut to the target's length, BINARY filled up with zeros.
    static func resizeBytes(_ column: Column, _ count: Int, to target: DataType) throws(MillstreamError) -> Column {
        let (length, isPadded): (Int, Bool)
        switch target.kind {
        case .binary(let limit): (length, isPadded) = (limit, true)
        case .varBinary(let limit): (length, isPadded) = (limit, false)
        default: return column.retyped(target)
        }
        let views = ViewReader(column)
        var fits = true
        for row in 0..<count where fits {
            let size = column.isNull(row) ? length : views[row].count
            fits = isPadded ? size == length : size <= length
        }
        if fits { return column.retyped(target) }
        var writer = TextWriter()
        var builder = ViewBuilder()
        try builder.reserve(count)
        for row in 0..<count {
            if column.isNull(row) {
                try builder.appendNull()
                continue
            }
            writer.clear()
            writer.append(UnsafeRawBufferPointer(rebasing: views[row].prefix(length)))
            if isPadded { writer.append(repeating: 0, count: length - writer.count) }
            try builder.append(writer.bytes)
        }
        return builder.finish(type: target)
    }

    /// The length that a target bounds text to; nil for STRING.
    private static func length(_ target: DataType) -> (length: Int, isPadded: Bool)? {
        switch target.kind {
        case .char(let length): (length, true)
        case .varChar(let length) where length != DataType.unboundedLength: (length, false)
        default: nil
        }
    }
}
