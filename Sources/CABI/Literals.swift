import CMillstream
import Columnar
import Plan

/// The longest text or bytes of a literal or a state's value.
let valueByteCountMax: Int64 = 1 << 30

/// The bytes of a BYTES value. Throws `invalidArgument` for a length that cannot be.
func readBytes(_ value: millstream_value) throws(MillstreamError) -> UnsafeRawBufferPointer {
    guard value.length >= 0, value.length <= valueByteCountMax else {
        throw MillstreamError(.invalidArgument, "the value has \(value.length) bytes; 0 to \(valueByteCountMax) are possible")
    }
    guard value.length > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    guard let bytes = value.as.bytes else { throw MillstreamError(.invalidArgument, "the value's bytes are NULL, but its length is \(value.length)") }
    return UnsafeRawBufferPointer(start: bytes, count: Int(value.length))
}

/// A constant of the declared type, or of the type that follows from the value's kind.
func literalExpression(_ value: millstream_value, _ declared: DataType?) throws(MillstreamError) -> Expression {
    let (literal, natural) = try literal(value, declared)
    guard let declared, declared.kind != natural.kind else { return .literal(literal) }
    return .cast(.literal(literal), declared)
}

/// The literal, and the type that it has without a cast.
private func literal(_ value: millstream_value, _ declared: DataType?) throws(MillstreamError) -> (Literal, DataType) {
    switch millstream_value_kind(rawValue: UInt32(bitPattern: value.kind)) {
    case MILLSTREAM_VALUE_NULL: return (.null(declared ?? .null), declared ?? .null)
    case MILLSTREAM_VALUE_BOOLEAN: return (.boolean(value.as.integer != 0), .boolean)
    case MILLSTREAM_VALUE_INT64: return try integerLiteral(value.as.integer, declared)
    case MILLSTREAM_VALUE_DOUBLE: return (.double(value.as.number), .double)
    case MILLSTREAM_VALUE_BYTES:
        let bytes = try readBytes(value)
        if let declared, !declared.isText && isBinary(declared) { return (.bytes(Array(bytes)), .bytes) }
        if declared == nil { return (.bytes(Array(bytes)), .bytes) }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw MillstreamError(.invalidArgument, "the literal's text is not UTF-8") }
        return (.string(text), .string)
    default: throw MillstreamError(.invalidArgument, "a value of kind \(value.kind) cannot be a literal")
    }
}

/// A number, or a point in time in the unit of its declared type. Throws `typeMismatch` where it is out of the type's range.
private func integerLiteral(_ value: Int64, _ declared: DataType?) throws(MillstreamError) -> (Literal, DataType) {
    guard let declared else { return (.integer(value, .bigInt), .bigInt) }
    let isFit: Bool
    switch declared.kind {
    case .tinyInt: isFit = Int8(exactly: value) != nil
    case .smallInt: isFit = Int16(exactly: value) != nil
    case .int, .date, .intervalYearMonth: isFit = Int32(exactly: value) != nil
    case .bigInt, .timestamp, .timestampLTZ, .intervalDayTime: isFit = true
    case .time(let precision): isFit = value >= 0 && value / 86_400 < TimeUnit(precision: precision).perSecond
    default: return (.integer(value, .bigInt), .bigInt)
    }
    guard isFit else { throw MillstreamError(.typeMismatch, "\(value) is no value of type \(declared)") }
    return (.integer(value, declared), declared)
}

private func isBinary(_ type: DataType) -> Bool {
    switch type.kind {
    case .binary, .varBinary, .raw: true
    default: false
    }
}
