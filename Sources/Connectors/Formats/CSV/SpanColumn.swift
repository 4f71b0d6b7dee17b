import Columnar
import Glibc
import Plan

/// How texts become values, beyond their types.
struct CSVReading {
    let emptyIsNull: Bool
    /// Timestamps in SQL's form only.
    let isStrict: Bool
    let elementDelimiter: [UInt8]?
    let nullLiteral: [UInt8]?
    /// A text that is no value of its column's type is NULL where the type allows that.
    let nullsProblems: Bool

    init(_ options: CSVOptions, nullsProblems: Bool) {
        emptyIsNull = options.emptyIsNull
        isStrict = options.followsFlink
        elementDelimiter = options.elementDelimiter.map { Array($0.utf8) }
        nullLiteral = options.nullLiteral.map { Array($0.utf8) }
        self.nullsProblems = nullsProblems
    }
}

/// One column of fields as text, and the loops that turn it into a column of values.
///
/// A row that does not parse gets `mark` in `bad` (the first column to complain wins) and a null. One loop per type, over all rows: nothing is
/// looked up per cell but the cell.
struct SpanColumn {
    let spans: UnsafePointer<UInt64>
    let rowCount: Int
    let chunk: UnsafePointer<UInt8>
    let side: UnsafePointer<UInt8>
    let bad: UnsafeMutablePointer<UInt16>
    let mark: UInt16
    let type: DataType
    let reading: CSVReading

    /// At and above this: a row is good, but some of its fields became NULL.
    static let nulledMark: UInt16 = 0x8000

    /// Whether a column of this type can be decoded from text.
    static func supports(_ type: DataType, _ reading: CSVReading) -> Bool {
        switch type.kind {
        case .boolean, .tinyInt, .smallInt, .int, .bigInt, .float, .double, .decimal, .char, .varChar, .binary, .varBinary, .date, .time, .timestamp,
            .timestampLTZ:
            return true
        case .array(let element): return reading.elementDelimiter != nil && textScalarIsKnown(element)
        case .row(let fields), .structured(_, let fields):
            return reading.elementDelimiter != nil && fields.allSatisfy { textScalarIsKnown($0.type) }
        default: return false
        }
    }

    func decode(buffer: Buffer, sideBuffer: Buffer?, consumedByteCount: Int) -> Column {
        switch type.kind {
        case .boolean: return booleans()
        case .tinyInt: return integers(Int8.self)
        case .smallInt: return integers(Int16.self)
        case .int: return integers(Int32.self)
        case .bigInt: return fixed(Int64.self) { parseInteger($0, $1, &$2) }
        case .float: return fixed(Float.self) { parseFloat($0, $1, &$2) }
        case .double: return fixed(Double.self) { parseDouble($0, $1, &$2) }
        case .decimal(let precision, let scale):
            return fixed(Int128.self) { parseDecimal($0, $1, precision: precision, scale: scale, &$2) }
        case .char, .varChar: return texts(buffer: buffer, sideBuffer: sideBuffer, consumedByteCount: consumedByteCount)
        case .date:
            return fixed(Int32.self) { text, count, value in
                var days: Int64 = 0
                let failure = parseDate(text, count, &days)
                value = Int32(truncatingIfNeeded: days)
                return failure
            }
        case .time(let precision): return times(precision)
        case .timestamp(let precision):
            let perSecond = TimeUnit(precision: precision).perSecond
            if reading.isStrict {
                return fixed(Int64.self) {
                    isSQLTimestamp($0, $1, hasZone: false) ? parseTimestamp($0, $1, perSecond: perSecond, hasZone: false, &$2) : .malformed
                }
            }
            return fixed(Int64.self) { parseTimestamp($0, $1, perSecond: perSecond, hasZone: false, &$2) }
        case .timestampLTZ(let precision):
            let perSecond = TimeUnit(precision: precision).perSecond
            let isStrict = reading.isStrict
            return fixed(Int64.self) {
                isStrict && !isSQLTimestamp($0, $1, hasZone: true) ? .malformed : parseTimestamp($0, $1, perSecond: perSecond, hasZone: true, &$2)
            }
        case .array, .row, .structured: return nested()
        default: return binaries()
        }
    }

    /// Why the text of a row is no value of the type.
    func reason(_ row: Int) -> String {
        guard spans[row] != FieldSpans.null, FieldSpans.length(spans[row]) > 0 || type.isText || !reading.emptyIsNull else { return "NULL in a column declared \(type)" }
        let (text, count) = self.text(row)
        let shown = quoted(text, count)
        if failure(text, count) == .outOfRange { return "\(shown) is out of range for \(type)" }
        return "\(shown) is not a value of type \(type)"
    }

    @inline(__always)
    private func text(_ row: Int) -> (UnsafePointer<UInt8>, Int) {
        let span = spans[row]
        let start = FieldSpans.start(span)
        let base = start & FieldSpans.sideBit == 0 ? chunk : side
        return (base + (start & (FieldSpans.sideBit - 1)), FieldSpans.length(span))
    }

    /// The loop of all fixed-width types.
    @inline(__always)
    private func fixed<Value: BitwiseCopyable>(
        _ value: Value.Type, _ parse: (UnsafePointer<UInt8>, Int, inout Value) -> ParseFailure?
    ) -> Column {
        let width = MemoryLayout<Value>.stride
        let values = Buffer(byteCount: width * rowCount)
        let target = values.pointer(as: Value.self)
        var nulls = LazyValidity(count: rowCount)
        // A value for the cells that have none, so that no column shows memory that was never written.
        let zero = UnsafeMutableRawPointer(target)
        for row in 0..<rowCount {
            let span = spans[row]
            if FieldSpans.length(span) == 0 || span == FieldSpans.null {
                memset(zero + row &* width, 0, width)
                isEmpty(row, &nulls)
                continue
            }
            let start = FieldSpans.start(span)
            let base = start & FieldSpans.sideBit == 0 ? chunk : side
            let text = base + (start & (FieldSpans.sideBit &- 1))
            if parse(text, FieldSpans.length(span), &target[row]) != nil {
                let (trimmed, count) = trim(text, FieldSpans.length(span))
                if count > 0, parse(trimmed, count, &target[row]) == nil { continue }
                memset(zero + row &* width, 0, width)
                if count == 0 { isEmpty(row, &nulls) } else { isBad(row, &nulls) }
            }
        }
        return Column(type: type, count: rowCount, validity: nulls.buffer, values: values)
    }

    @inline(__always)
    private func integers<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value.Type) -> Column {
        fixed(Value.self) { text, count, value in
            var wide: Int64 = 0
            if let failure = parseInteger(text, count, &wide) { return failure }
            guard let narrow = Value(exactly: wide) else { return .outOfRange }
            value = narrow
            return nil
        }
    }

    private func times(_ precision: Int) -> Column {
        let perSecond = TimeUnit(precision: precision).perSecond
        guard precision <= 3 else { return fixed(Int64.self) { parseTime($0, $1, perSecond: perSecond, &$2) } }
        return fixed(Int32.self) { text, count, value in
            var wide: Int64 = 0
            let failure = parseTime(text, count, perSecond: perSecond, &wide)
            value = Int32(truncatingIfNeeded: wide)
            return failure
        }
    }

    private func booleans() -> Column {
        let values = Buffer.zeroed(byteCount: Bits.byteCount(rowCount))
        var nulls = LazyValidity(count: rowCount)
        for row in 0..<rowCount {
            if spans[row] == FieldSpans.null {
                isMissing(row, &nulls)
                continue
            }
            let (text, count) = self.text(row)
            let (trimmed, trimmedCount) = trim(text, count)
            switch parseBoolean(trimmed, trimmedCount) {
            case true?: Bits.set(values.base, row)
            case false?: break
            case nil: if trimmedCount == 0 { isEmpty(row, &nulls) } else { isBad(row, &nulls) }
            }
        }
        return Column(type: type, count: rowCount, validity: nulls.buffer, values: values)
    }

    private func binaries() -> Column {
        var builder = [StringView]()
        builder.reserveCapacity(rowCount)
        let data = TextBuffer()
        var nulls = LazyValidity(count: rowCount)
        var places: [(Int, Int)] = []
        for row in 0..<rowCount {
            places.append((data.count, 0))
            if spans[row] == FieldSpans.null || (FieldSpans.length(spans[row]) == 0 && reading.emptyIsNull) {
                isMissing(row, &nulls)
                continue
            }
            let (text, count) = self.text(row)
            if parseBase64(text, count, into: data) {
                places[row].1 = data.count - places[row].0
            } else {
                data.truncate(to: places[row].0)
                isBad(row, &nulls)
            }
        }
        let buffer = Buffer.copying(UnsafeBufferPointer(start: UnsafePointer(data.base), count: data.count))
        for (start, count) in places {
            let bytes = UnsafeRawBufferPointer(start: buffer.base + start, count: count)
            builder.append(count <= StringView.inlineByteCount ? StringView(inline: bytes) : StringView(bytes: bytes, bufferIndex: 0, offset: start))
        }
        return Column(type: type, count: rowCount, validity: nulls.buffer, values: Buffer.copying(builder), dataBuffers: [buffer])
    }

    /// ARRAY and ROW: elements, or fields in their order, with the delimiter of elements between them. An empty text is an ARRAY without elements.
    private func nested() -> Column {
        var nulls = LazyValidity(count: rowCount)
        guard let builder = try? ColumnBuilder.make(for: type), let delimiter = reading.elementDelimiter else {
            return Column(type: type, count: 0, values: nil)
        }
        let types: [DataType]
        let isList: Bool
        if case .array(let element) = type.kind { (types, isList) = ([element], true) } else { (types, isList) = (type.childTypes, false) }
        for row in 0..<rowCount {
            var scalar = Scalar.null
            if spans[row] == FieldSpans.null {
                isMissing(row, &nulls)
            } else {
                let (text, count) = self.text(row)
                let found = elements(text, count, delimiter)
                var values: [Scalar]? = []
                for (place, (start, length)) in found.enumerated() where values != nil {
                    guard isList || place < types.count, let value = element(text + start, length, types[isList ? 0 : place]) else {
                        values = nil
                        break
                    }
                    values?.append(value)
                }
                if isList, count == 0 { values = [] }
                if var values, isList || values.count <= types.count {
                    if !isList { while values.count < types.count { values.append(.null) } }
                    scalar = isList ? .list(values) : .row(values)
                } else if count == 0 {
                    isMissing(row, &nulls)
                } else {
                    isBad(row, &nulls)
                }
            }
            // What is no value of its part's type was refused above; a failure here is of memory, and the row is refused with it.
            do { try builder.append(scalar) } catch {
                isBad(row, &nulls)
                try? builder.appendNull()
            }
        }
        return builder.finish()
    }

    private func element(_ text: UnsafePointer<UInt8>, _ count: Int, _ type: DataType) -> Scalar? {
        if let literal = reading.nullLiteral, literal.elementsEqual(UnsafeBufferPointer(start: text, count: count)) { return type.isNullable ? .null : nil }
        return textScalar(text, count, type)
    }

    private func elements(_ text: UnsafePointer<UInt8>, _ count: Int, _ delimiter: [UInt8]) -> [(start: Int, count: Int)] {
        var result: [(start: Int, count: Int)] = []
        var (start, place) = (0, 0)
        while place + delimiter.count <= count {
            if delimiter.withUnsafeBufferPointer({ memcmp($0.baseAddress ?? text, text + place, delimiter.count) }) == 0, !delimiter.isEmpty {
                result.append((start, place - start))
                place += delimiter.count
                start = place
            } else {
                place += 1
            }
        }
        result.append((start, count - start))
        return result
    }

    /// Views into the chunk itself; copied where they would keep a chunk alive for little.
    private func texts(buffer: Buffer, sideBuffer: Buffer?, consumedByteCount: Int) -> Column {
        let values = Buffer(byteCount: 16 * rowCount)
        let target = values.pointer(as: (UInt64, UInt64).self)
        var nulls = LazyValidity(count: rowCount)
        var longByteCount = 0
        for row in 0..<rowCount {
            let span = spans[row]
            if span == FieldSpans.null {
                target[row] = (0, 0)
                isMissing(row, &nulls)
                continue
            }
            let start = FieldSpans.start(span)
            let count = FieldSpans.length(span)
            let isSide = start & FieldSpans.sideBit != 0
            let offset = start & (FieldSpans.sideBit &- 1)
            let text = UnsafeRawPointer((isSide ? side : chunk) + offset)
            let first = text.loadUnaligned(as: UInt64.self)
            if count <= StringView.inlineByteCount {
                target[row] = inlineView(first, text.loadUnaligned(fromByteOffset: 4, as: UInt64.self), count)
            } else {
                longByteCount &+= count
                target[row] = (
                    UInt64(truncatingIfNeeded: count) | first &<< 32, UInt64(isSide ? 1 : 0) | UInt64(truncatingIfNeeded: offset) &<< 32
                )
            }
        }
        guard longByteCount > 0 else { return Column(type: type, count: rowCount, validity: nulls.buffer, values: values) }
        if longByteCount < consumedByteCount / 4 {
            let data = copyLong(target, longByteCount)
            return Column(type: type, count: rowCount, validity: nulls.buffer, values: values, dataBuffers: [data])
        }
        let buffers = sideBuffer.map { [buffer, $0] } ?? [buffer]
        return Column(type: type, count: rowCount, validity: nulls.buffer, values: values, dataBuffers: buffers)
    }

    private func copyLong(_ views: UnsafeMutablePointer<(UInt64, UInt64)>, _ byteCount: Int) -> Buffer {
        let data = Buffer(byteCount: byteCount)
        var end = 0
        for row in 0..<rowCount {
            let count = Int(views[row].0 & 0xFFFF_FFFF)
            guard count > StringView.inlineByteCount else { continue }
            let base = views[row].1 & 0xFFFF_FFFF == 0 ? chunk : side
            memcpy(data.base + end, base + Int(views[row].1 &>> 32), count)
            views[row].1 = UInt64(truncatingIfNeeded: end) &<< 32
            end &+= count
        }
        return data
    }

    @inline(never)
    private func isMissing(_ row: Int, _ nulls: inout LazyValidity) {
        nulls.clear(row)
        if !type.isNullable, bad[row] == 0 || bad[row] == SpanColumn.nulledMark { bad[row] = mark }
    }

    /// A text without a character: NULL, or no value.
    @inline(never)
    private func isEmpty(_ row: Int, _ nulls: inout LazyValidity) {
        if reading.emptyIsNull || spans[row] == FieldSpans.null { isMissing(row, &nulls) } else { isBad(row, &nulls) }
    }

    @inline(never)
    private func isBad(_ row: Int, _ nulls: inout LazyValidity) {
        nulls.clear(row)
        if reading.nullsProblems, type.isNullable {
            if bad[row] == 0 { bad[row] = SpanColumn.nulledMark }
        } else if bad[row] == 0 || bad[row] == SpanColumn.nulledMark {
            bad[row] = mark
        }
    }

    /// What is wrong with a text, for the message.
    private func failure(_ text: UnsafePointer<UInt8>, _ count: Int) -> ParseFailure? {
        let (trimmed, trimmedCount) = trim(text, count)
        guard trimmedCount > 0 else { return .malformed }
        var (integer, float, double, decimal): (Int64, Float, Double, Int128) = (0, 0, 0, 0)
        switch type.kind {
        case .tinyInt, .smallInt, .int, .bigInt: return parseInteger(trimmed, trimmedCount, &integer) ?? .outOfRange
        case .float: return parseFloat(trimmed, trimmedCount, &float)
        case .double: return parseDouble(trimmed, trimmedCount, &double)
        case .decimal(let precision, let scale): return parseDecimal(trimmed, trimmedCount, precision: precision, scale: scale, &decimal)
        default: return .malformed
        }
    }
}

/// A validity bitmap that exists once there is a null.
struct LazyValidity {
    let count: Int
    private(set) var buffer: Buffer?

    init(count: Int) { self.count = count }

    mutating func clear(_ row: Int) {
        if buffer == nil {
            let all = Buffer(byteCount: Bits.byteCount(count))
            memset(all.base, 0xFF, all.byteCount)
            buffer = all
        }
        if let buffer { Bits.clear(buffer.base, row) }
    }
}

/// A view of at most 12 bytes, from its first 8 bytes and the 8 bytes after the first 4.
@inline(__always)
func inlineView(_ first: UInt64, _ later: UInt64, _ count: Int) -> (UInt64, UInt64) {
    let prefixBits = UInt64(truncatingIfNeeded: min(count, 4) &* 8)
    let prefix = first & ((1 &<< prefixBits) &- 1)
    let laterBits = UInt64(truncatingIfNeeded: max(count &- 4, 0) &* 8)
    let rest = laterBits == 0 ? 0 : later & (UInt64.max &>> (64 &- laterBits))
    return (UInt64(truncatingIfNeeded: count) | prefix &<< 32, rest)
}

/// Without the spaces and control characters at both ends, as Java's `trim`.
func trim(_ text: UnsafePointer<UInt8>, _ count: Int) -> (UnsafePointer<UInt8>, Int) {
    var (start, end) = (0, count)
    while start < end, text[start] <= 0x20 { start += 1 }
    while end > start, text[end - 1] <= 0x20 { end -= 1 }
    return (text + start, end - start)
}

/// `true` or `false` in any case.
func parseBoolean(_ text: UnsafePointer<UInt8>, _ count: Int) -> Bool? {
    func matches(_ word: StaticString) -> Bool {
        guard word.utf8CodeUnitCount == count else { return false }
        for index in 0..<count where text[index] | 0x20 != word.utf8Start[index] { return false }
        return true
    }
    return matches("true") ? true : matches("false") ? false : nil
}

/// Base64 with padding; line ends inside are passed over. False if it is anything else.
func parseBase64(_ text: UnsafePointer<UInt8>, _ count: Int, into data: TextBuffer) -> Bool {
    var (word, bits, symbols, padding): (UInt32, Int, Int, Int) = (0, 0, 0, 0)
    for index in 0..<count {
        let byte = text[index]
        if byte == 0x0A || byte == 0x0D { continue }
        symbols += 1
        if byte == UInt8(ascii: "=") {
            padding += 1
            continue
        }
        guard padding == 0, let value = base64Value(byte) else { return false }
        word = word << 6 | UInt32(value)
        bits += 6
        if bits >= 8 {
            bits -= 8
            data.append(UInt8(truncatingIfNeeded: word >> UInt32(bits)))
        }
    }
    return symbols % 4 == 0 && padding <= 2 && word & ((1 << UInt32(bits)) - 1) == 0
}

private func base64Value(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
    case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
    default: nil
    }
}
