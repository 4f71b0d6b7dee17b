import Columnar

// Single values from text, boxed: where few are read, as in the names of folders.

/// The value of a text in a type; nil if it is none. 8 bytes behind the text may be read.
func textScalar(_ text: UnsafePointer<UInt8>, _ count: Int, _ type: DataType) -> Scalar? {
    if type.isText { return .bytes(Array(UnsafeBufferPointer(start: text, count: count))) }
    let (bytes, count) = trim(text, count)
    guard count > 0 else { return nil }
    var (integer, double, decimal): (Int64, Double, Int128) = (0, 0, 0)
    func whole(_ range: ClosedRange<Int64>) -> Scalar? {
        parseInteger(bytes, count, &integer) == nil && range.contains(integer) ? .int64(integer) : nil
    }
    switch type.kind {
    case .boolean: return parseBoolean(bytes, count).map { .boolean($0) }
    case .tinyInt: return whole(Int64(Int8.min)...Int64(Int8.max))
    case .smallInt: return whole(Int64(Int16.min)...Int64(Int16.max))
    case .int: return whole(Int64(Int32.min)...Int64(Int32.max))
    case .bigInt: return whole(.min ... .max)
    case .float, .double: return parseDouble(bytes, count, &double) == nil ? .double(double) : nil
    case .decimal(let precision, let scale):
        return parseDecimal(bytes, count, precision: precision, scale: scale, &decimal) == nil ? .decimal(decimal) : nil
    case .date: return parseDate(bytes, count, &integer) == nil ? .int64(integer) : nil
    case .time(let precision):
        return parseTime(bytes, count, perSecond: TimeUnit(precision: precision).perSecond, &integer) == nil ? .int64(integer) : nil
    case .timestamp(let precision), .timestampLTZ(let precision):
        let hasZone = if case .timestampLTZ = type.kind { true } else { false }
        let perSecond = TimeUnit(precision: precision).perSecond
        return parseTimestamp(bytes, count, perSecond: perSecond, hasZone: hasZone, &integer) == nil ? .int64(integer) : nil
    case .binary, .varBinary:
        let data = TextBuffer(capacity: count)
        return parseBase64(bytes, count, into: data) ? .bytes(Array(data.bytes)) : nil
    default: return nil
    }
}

/// Whether `textScalar` has values of a type.
func textScalarIsKnown(_ type: DataType) -> Bool {
    switch type.kind {
    case .null, .array, .map, .multiset, .row, .structured, .raw, .object, .variant, .bitmap, .intervalDayTime, .intervalYearMonth: false
    default: true
    }
}

/// The value of a folder's text in a column's type; nil if it is none.
func partitionScalar(_ text: String, _ type: DataType) -> Scalar? {
    let buffer = TextBuffer(capacity: 128)
    buffer.append(text)
    buffer.reserve(Chunk.paddingByteCount)
    return textScalar(UnsafePointer(buffer.base), buffer.count, type)
}

/// Whether a timestamp is `yyyy-MM-dd HH:mm:ss[.fraction]`, with `Z` behind an instant.
@inline(__always)
func isSQLTimestamp(_ text: UnsafePointer<UInt8>, _ count: Int, hasZone: Bool, letter: UInt8 = 0x20) -> Bool {
    count >= (hasZone ? 20 : 19) && text[10] == letter && text[16] == UInt8(ascii: ":") && (!hasZone || text[count - 1] == UInt8(ascii: "Z"))
}
