import CDecoding
import Columnar
import Plan

/// How values are read, for all columns of a decoder.
final class JSONReading {
    let timestamps: JSONOptions.Timestamps
    /// Every field of every object must be there.
    let needsAllFields: Bool
    /// A value that is none of its column's type is NULL where the type allows that.
    let nullsProblems: Bool
    /// How many were made NULL so far.
    var nulledCount = 0

    init(_ options: JSONOptions, nullsProblems: Bool) {
        timestamps = options.timestamps
        needsAllFields = options.failsOnMissingField
        self.nullsProblems = nullsProblems
    }
}

/// A JSON value that is none of a column's type.
struct JSONProblem: Error {
    var path: String
    var reason: String
}

/// Takes JSON values into a column, nested types included.
///
/// `check` looks at a value without taking it. A nested value is checked before its first part is taken, so that a column never keeps half of one.
final class JSONColumn {
    private enum Target {
        case boolean(BooleanColumnBuilder)
        case int8(FixedColumnBuilder<Int8>)
        case int16(FixedColumnBuilder<Int16>)
        case int32(FixedColumnBuilder<Int32>)
        case int64(FixedColumnBuilder<Int64>)
        case float(FixedColumnBuilder<Float>)
        case double(FixedColumnBuilder<Double>)
        case decimal(FixedColumnBuilder<Int128>, precision: Int, scale: Int)
        case bytes(ViewColumnBuilder)
        case list(ListBuilder, JSONColumn)
        case map(MapBuilder, JSONColumn, JSONColumn)
        case row(RowBuilder, [JSONColumn])
    }

    /// The kinds of a scalar's text.
    private enum Scalar {
        case int64(Int64)
        case float(Float)
        case double(Double)
        case decimal(Int128)
        case boolean(Bool)
        case bytes(UnsafeRawBufferPointer)
        case null
    }

    let name: String
    let type: DataType
    private let nameBytes: [UInt8]
    private let builder: ColumnBuilder
    private let target: Target
    private let scratch = TextBuffer(capacity: 64)
    private let reading: JSONReading

    /// Throws `unsupported` for a type that JSON has no value for.
    init(_ name: String, _ type: DataType, builder: ColumnBuilder, reading: JSONReading) throws(MillstreamError) {
        self.name = name
        self.type = type
        self.builder = builder
        self.reading = reading
        nameBytes = Array(name.utf8)
        target = try JSONColumn.target(name, type, builder, reading)
    }

    private static func target(
        _ name: String, _ type: DataType, _ builder: ColumnBuilder, _ reading: JSONReading
    ) throws(MillstreamError) -> Target {
        switch (type.kind, builder) {
        case (.decimal(let precision, let scale), let builder as FixedColumnBuilder<Int128>):
            return .decimal(builder, precision: precision, scale: scale)
        case (.array(let element), let builder as ListBuilder):
            return .list(builder, try JSONColumn(name + "[]", element, builder: builder.elements, reading: reading))
        case (.map(let key, let value), let builder as MapBuilder):
            return .map(
                builder, try JSONColumn(name + " key", key.notNull, builder: builder.keys, reading: reading),
                try JSONColumn(name + "{}", value, builder: builder.values, reading: reading))
        case (.multiset(let element), let builder as MapBuilder):
            return .map(
                builder, try JSONColumn(name + " key", element.notNull, builder: builder.keys, reading: reading),
                try JSONColumn(name + "{}", DataType.int.notNull, builder: builder.values, reading: reading))
        case (.row(let fields), let builder as RowBuilder), (.structured(_, let fields), let builder as RowBuilder):
            var columns: [JSONColumn] = []
            for (place, field) in fields.enumerated() {
                columns.append(try JSONColumn(field.name, field.type, builder: builder.fields[place], reading: reading))
            }
            return .row(builder, columns)
        case (.raw, _), (.object, _), (.null, _), (.variant, _), (.bitmap, _): break
        case (_, let builder as BooleanColumnBuilder): return .boolean(builder)
        case (_, let builder as FixedColumnBuilder<Int8>): return .int8(builder)
        case (_, let builder as FixedColumnBuilder<Int16>): return .int16(builder)
        case (_, let builder as FixedColumnBuilder<Int32>): return .int32(builder)
        case (_, let builder as FixedColumnBuilder<Int64>): return .int64(builder)
        case (_, let builder as FixedColumnBuilder<Float>): return .float(builder)
        case (_, let builder as FixedColumnBuilder<Double>): return .double(builder)
        case (_, let builder as ViewColumnBuilder): return .bytes(builder)
        default: break
        }
        throw MillstreamError(.unsupported, "column '\(name)' of type \(type) cannot be read from JSON")
    }

    var count: Int { builder.count }
    func finish() -> Column { builder.finish() }
    func matches(_ key: UnsafeBufferPointer<UInt8>) -> Bool { key.elementsEqual(nameBytes) }
    func appendNull() throws(MillstreamError) { try builder.appendNull() }

    /// Throws if the value is none of the type; then nothing was taken.
    func append(_ json: JSONEvents, _ place: Int) throws {
        switch target {
        case .list, .map, .row:
            do { try check(json, place) } catch let problem as JSONProblem {
                guard reading.nullsProblems, type.isNullable else { throw problem }
                reading.nulledCount += 1
                return try builder.appendNull()
            }
            try take(json, place)
        default: try appendScalar(try scalarOrNull(json, place))
        }
    }

    /// A value that is checked; what is none of the type is NULL here.
    private func take(_ json: JSONEvents, _ place: Int) throws {
        let kind = json.kind(place)
        if kind == decoding_json_null { return try builder.appendNull() }
        if let nesting, kind != nesting { return try builder.appendNull() }
        var inner = place + 1
        let end = json.next(place) - 1
        switch target {
        case .list(let builder, let elements):
            while inner < end {
                try elements.take(json, inner)
                inner = json.next(inner)
            }
            try builder.endList()
        case .map(let builder, let keys, let values):
            while inner < end {
                // The first of two equal keys counts, as for rows.
                if !isRepeated(json, place + 1, inner) {
                    try keys.take(json, inner)
                    try values.take(json, inner + 1)
                }
                inner = json.next(inner + 1)
            }
            try builder.endMap()
        case .row(let builder, let fields):
            for field in fields {
                if let value = field.find(json, place) { try field.take(json, value) } else { try field.appendNull() }
            }
            try builder.endRow()
        default: try appendScalar(try scalarOrNull(json, place))
        }
    }

    /// What a nested type's values are.
    private var nesting: decoding_json_kind? {
        switch target {
        case .list: decoding_json_array
        case .map, .row: decoding_json_object
        default: nil
        }
    }

    private func scalarOrNull(_ json: JSONEvents, _ place: Int) throws(JSONProblem) -> Scalar {
        guard reading.nullsProblems, type.isNullable else { return try scalar(json, place) }
        do throws(JSONProblem) { return try scalar(json, place) } catch {
            reading.nulledCount += 1
            return .null
        }
    }

    private func check(_ json: JSONEvents, _ place: Int) throws {
        let kind = json.kind(place)
        if kind == decoding_json_null {
            guard type.isNullable else { throw problem("NULL in a column declared \(type)") }
            return
        }
        if let nesting, kind != nesting {
            guard reading.nullsProblems, type.isNullable else { throw mismatch(json, place) }
            reading.nulledCount += 1
            return
        }
        var inner = place + 1
        switch target {
        case .list(_, let elements):
            while inner < json.next(place) - 1 {
                try elements.check(json, inner)
                inner = json.next(inner)
            }
        case .map(_, let keys, let values):
            while inner < json.next(place) - 1 {
                try keys.check(json, inner)
                try values.check(json, inner + 1)
                inner = json.next(inner + 1)
            }
        case .row(_, let fields):
            for field in fields {
                do {
                    if let value = field.find(json, place) {
                        try field.check(json, value)
                    } else if reading.needsAllFields {
                        throw field.problem("the field is missing")
                    } else if !field.type.isNullable {
                        throw field.problem("NULL in a column declared \(field.type)")
                    }
                } catch let inner as JSONProblem { throw JSONProblem(path: name + "." + inner.path, reason: inner.reason) }
            }
        default: if !reading.nullsProblems || !type.isNullable { _ = try scalar(json, place) }
        }
    }

    /// The first value under the field's name in an object.
    private func find(_ json: JSONEvents, _ object: Int) -> Int? {
        var place = object + 1
        while place < json.next(object) - 1 {
            if matches(json.text(place)) { return place + 1 }
            place = json.next(place + 1)
        }
        return nil
    }

    private func isRepeated(_ json: JSONEvents, _ first: Int, _ key: Int) -> Bool {
        var place = first
        while place < key {
            if json.text(place).elementsEqual(json.text(key)) { return true }
            place = json.next(place + 1)
        }
        return false
    }

    private func appendScalar(_ value: Scalar) throws {
        switch (target, value) {
        case (_, .null): try builder.appendNull()
        case (.boolean(let builder), .boolean(let value)): try builder.builder.append(value)
        case (.int8(let builder), .int64(let value)): try builder.builder.append(Int8(truncatingIfNeeded: value))
        case (.int16(let builder), .int64(let value)): try builder.builder.append(Int16(truncatingIfNeeded: value))
        case (.int32(let builder), .int64(let value)): try builder.builder.append(Int32(truncatingIfNeeded: value))
        case (.int64(let builder), .int64(let value)): try builder.builder.append(value)
        case (.float(let builder), .float(let value)): try builder.builder.append(value)
        case (.double(let builder), .double(let value)): try builder.builder.append(value)
        case (.decimal(let builder, _, _), .decimal(let value)): try builder.builder.append(value)
        case (.bytes(let builder), .bytes(let value)): try builder.builder.append(value)
        default: throw MillstreamError.internal("a JSON value of another type than its column")
        }
    }
}

// Scalars.
extension JSONColumn {
    /// The value of a scalar event as the column has it. Bytes are valid until the next call.
    private func scalar(_ json: JSONEvents, _ place: Int) throws(JSONProblem) -> Scalar {
        let kind = json.kind(place)
        if kind == decoding_json_null {
            guard type.isNullable else { throw problem("NULL in a column declared \(type)") }
            return .null
        }
        if case .char = type.kind { return .bytes(text(json, place)) }
        if case .varChar = type.kind { return .bytes(text(json, place)) }
        if case .boolean = type.kind {
            if kind == decoding_json_true { return .boolean(true) }
            if kind == decoding_json_false { return .boolean(false) }
        }
        let isNumeric = kind == decoding_json_number || kind == decoding_json_string || kind == decoding_json_key
        guard isNumeric, let base = json.events[place].text else { throw mismatch(json, place) }
        // Escaped strings lie in a buffer without a promise of padding; short copies are cheap.
        scratch.clear()
        scratch.append(UnsafeRawBufferPointer(start: base, count: Int(json.events[place].length)))
        scratch.reserve(Chunk.paddingByteCount)
        let (text, count) = trim(UnsafePointer(scratch.base), scratch.count)
        guard count > 0 else {
            // Base64 of no bytes.
            if case .bytes = target, kind == decoding_json_string { return .bytes(UnsafeRawBufferPointer(start: nil, count: 0)) }
            throw mismatch(json, place)
        }
        let isText = kind != decoding_json_number
        switch parse(text, count, isText: isText) {
        case .success(let value): return value
        case .failure(.outOfRange): throw problem("\(quoted(text, count)) is out of range for \(type)")
        case .failure: throw mismatch(json, place)
        }
    }

    private enum Parsed {
        case success(Scalar)
        case failure(ParseFailure)
    }

    private func parse(_ text: UnsafePointer<UInt8>, _ count: Int, isText: Bool) -> Parsed {
        switch type.kind {
        case .tinyInt: return integer(text, count, Int64(Int8.min)...Int64(Int8.max))
        case .smallInt: return integer(text, count, Int64(Int16.min)...Int64(Int16.max))
        case .int: return integer(text, count, Int64(Int32.min)...Int64(Int32.max))
        case .bigInt: return integer(text, count, .min ... .max)
        case .float:
            var value: Float = 0
            return parseFloat(text, count, &value).map { .failure($0) } ?? .success(.float(value))
        case .double:
            var value = 0.0
            return parseDouble(text, count, &value).map { .failure($0) } ?? .success(.double(value))
        case .decimal(let precision, let scale):
            var value: Int128 = 0
            return parseDecimal(text, count, precision: precision, scale: scale, &value).map { .failure($0) } ?? .success(.decimal(value))
        case .boolean:
            return isText ? parseBoolean(text, count).map { .success(.boolean($0)) } ?? .failure(.malformed) : .failure(.malformed)
        case .binary, .varBinary:
            let decoded = scratch.count
            guard isText, parseBase64(Array(UnsafeBufferPointer(start: text, count: count)), into: scratch) else { return .failure(.malformed) }
            return .success(.bytes(UnsafeRawBufferPointer(rebasing: scratch.bytes[decoded...])))
        case .intervalYearMonth: return integer(text, count, Int64(Int32.min)...Int64(Int32.max))
        case .intervalDayTime(let precision): return duration(text, count, perSecond: TimeUnit(precision: precision).perSecond)
        default:
            var value: Int64 = 0
            guard isText else { return .failure(.malformed) }
            return time(text, count, &value).map { .failure($0) } ?? .success(.int64(value))
        }
    }

    private func time(_ text: UnsafePointer<UInt8>, _ count: Int, _ value: inout Int64) -> ParseFailure? {
        switch type.kind {
        case .date: parseDate(text, count, &value)
        case .time where reading.timestamps != .either && count < 8: .malformed
        case .time(let precision): parseTime(text, count, perSecond: TimeUnit(precision: precision).perSecond, &value)
        case .timestamp where !hasStandardForm(text, count, hasZone: false), .timestampLTZ where !hasStandardForm(text, count, hasZone: true): .malformed
        case .timestamp(let precision): parseTimestamp(text, count, perSecond: TimeUnit(precision: precision).perSecond, hasZone: false, &value)
        case .timestampLTZ(let precision): parseTimestamp(text, count, perSecond: TimeUnit(precision: precision).perSecond, hasZone: true, &value)
        default: .malformed
        }
    }

    /// Whether a timestamp is in the form that the options ask for: the letter between day and time, seconds, and `Z` behind an instant.
    private func hasStandardForm(_ text: UnsafePointer<UInt8>, _ count: Int, hasZone: Bool) -> Bool {
        let letter: UInt8
        switch reading.timestamps {
        case .either: return true
        case .sql: letter = UInt8(ascii: " ")
        case .iso8601: letter = UInt8(ascii: "T")
        }
        return isSQLTimestamp(text, count, hasZone: hasZone, letter: letter)
    }

    /// Milliseconds, whatever the type's precision.
    private func duration(_ text: UnsafePointer<UInt8>, _ count: Int, perSecond: Int64) -> Parsed {
        guard case .success(.int64(let milliseconds)) = integer(text, count, .min ... .max) else { return .failure(.malformed) }
        if perSecond < 1_000 { return .success(.int64(milliseconds / (1_000 / perSecond))) }
        let (value, overflow) = milliseconds.multipliedReportingOverflow(by: perSecond / 1_000)
        return overflow ? .failure(.outOfRange) : .success(.int64(value))
    }

    /// `7`, and `7.0` or `7e2`, which are whole too; `1.7` is refused rather than cut.
    private func integer(_ text: UnsafePointer<UInt8>, _ count: Int, _ range: ClosedRange<Int64>) -> Parsed {
        var value: Int64 = 0
        if let failure = parseInteger(text, count, &value) {
            var double = 0.0
            guard failure == .malformed, parseDouble(text, count, &double) == nil, let whole = Int64(exactly: double), abs(double) < 0x1p53 else {
                return .failure(failure)
            }
            value = whole
        }
        return range.contains(value) ? .success(.int64(value)) : .failure(.outOfRange)
    }

    /// A string's own text; any other value's JSON, as Flink gives it to a STRING column.
    private func text(_ json: JSONEvents, _ place: Int) -> UnsafeRawBufferPointer {
        let kind = json.kind(place)
        if kind == decoding_json_string || kind == decoding_json_key { return UnsafeRawBufferPointer(json.text(place)) }
        scratch.clear()
        json.write(place, to: scratch)
        return scratch.bytes
    }

    fileprivate func problem(_ reason: String) -> JSONProblem { JSONProblem(path: name, reason: reason) }

    private func mismatch(_ json: JSONEvents, _ place: Int) -> JSONProblem {
        let shown = TextBuffer(capacity: 256)
        json.write(place, to: shown)
        return problem("\(quoted(UnsafePointer(shown.base), shown.count)) is not a value of type \(type)")
    }
}

private func parseBase64(_ text: [UInt8], into data: TextBuffer) -> Bool {
    text.withUnsafeBufferPointer { $0.baseAddress.map { parseBase64($0, text.count, into: data) } ?? true }
}
