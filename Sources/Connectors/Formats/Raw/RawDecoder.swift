import Columnar
import Plan

/// Lines whose bytes are one value: text in some charset, bytes, or a number of exactly its width. `\n` ends a line, with or without a `\r` before it.
final class RawDecoder: FileDecoder {
    private let schema: Schema
    private let type: DataType
    private let codec: RawCodec
    private let malformed: FileSourceDescription.Malformed
    private let builder: ColumnBuilder
    private let scratch = TextBuffer(capacity: 256)
    private var chunk: Chunk?
    private var position = 0

    /// Throws `typeMismatch` for another schema than one column, `unsupported` for a type that has no raw bytes.
    init(schema: Schema, options: RawOptions, malformed: FileSourceDescription.Malformed) throws(MillstreamError) {
        guard schema.fields.count == 1 else {
            throw MillstreamError(.typeMismatch, "the raw format has one column, not (\(schema.columnList))")
        }
        self.schema = schema
        type = schema.fields[0].type
        codec = try RawCodec(type, options)
        self.malformed = malformed
        builder = try ColumnBuilder.make(for: type)
    }

    var canSplit: Bool { true }
    var endsAtCarriageReturn: Bool { false }

    func begin(_ chunk: Chunk) {
        self.chunk = chunk
        position = chunk.start
    }

    func next(rowLimit: Int) throws(MillstreamError) -> DecodedRows {
        guard let chunk else { throw .internal("a decoder was asked for rows before its first chunk") }
        var result = DecodedRows(batch: nil, position: position, lineCount: 0, malformedCount: 0, failure: nil, isExhausted: false)
        while builder.count + result.malformedCount < max(1, rowLimit) {
            let start = position
            guard let count = nextLine(chunk) else {
                result.isExhausted = true
                break
            }
            result.lineCount += 1
            let line = UnsafeRawBufferPointer(start: chunk.bytes + start, count: count)
            guard let reason = try codec.decode(line, into: builder, scratch) else { continue }
            let failure = DecodeFailure(
                recordStart: start, textStart: start, reason: "field '\(schema.fields[0].name)': \(reason): \(quoted(chunk.bytes + start, count))",
                field: schema.fields[0].name, recordEnd: start + count)
            switch malformed {
            case .fail:
                result.failure = failure
                result.lineCount -= 1
                position = start
            case .ignore where type.isNullable:
                try builder.appendNull()
                continue
            case .skip, .ignore, .deadLetter:
                result.malformedCount += 1
                if malformed == .deadLetter { result.refused.append(failure) }
                continue
            }
            break
        }
        result.position = position
        let column = builder.finish()
        if column.count > 0 { result.batch = Batch(schema: schema, columns: [column], count: column.count) }
        return result
    }

    private func nextLine(_ chunk: Chunk) -> Int? {
        let start = position
        guard start < chunk.end, start < chunk.limit else { return nil }
        if let end = findLineFeed(chunk.bytes + start, chunk.end - start) {
            position = start + end + 1
            return end > 0 && chunk.bytes[start + end - 1] == 0x0D ? end - 1 : end
        }
        guard chunk.isLast else { return nil }
        position = chunk.end
        return chunk.end - start
    }
}

/// The bytes of one value.
struct RawCodec {
    private enum Form {
        case text(RawOptions.Charset)
        case bytes
        case boolean
        /// Bytes of a fixed width.
        case number(Int, isFloat: Bool)
    }

    private let type: DataType
    private let form: Form
    private let isBigEndian: Bool

    init(_ type: DataType, _ options: RawOptions) throws(MillstreamError) {
        self.type = type
        isBigEndian = options.isBigEndian
        switch type.kind {
        case .char, .varChar: form = .text(options.charset)
        case .binary, .varBinary, .raw: form = .bytes
        case .boolean: form = .boolean
        case .tinyInt: form = .number(1, isFloat: false)
        case .smallInt: form = .number(2, isFloat: false)
        case .int: form = .number(4, isFloat: false)
        case .bigInt: form = .number(8, isFloat: false)
        case .float: form = .number(4, isFloat: true)
        case .double: form = .number(8, isFloat: true)
        default:
            throw MillstreamError(
                .unsupported, "the raw format has no bytes for a column of type \(type)",
                hint: "It has text, bytes, BOOLEAN, the integers, FLOAT and DOUBLE.")
        }
    }

    /// Takes a value into a column; what is wrong with it if it does not decode.
    func decode(_ bytes: UnsafeRawBufferPointer, into builder: ColumnBuilder, _ scratch: TextBuffer) throws(MillstreamError) -> String? {
        switch (form, builder) {
        case (.bytes, let builder as ViewColumnBuilder): try builder.builder.append(bytes)
        case (.text(let charset), let builder as ViewColumnBuilder):
            scratch.clear()
            guard let text = RawCodec.text(bytes, charset, scratch) else { return "the bytes are no text in that charset" }
            try builder.builder.append(text)
        case (.boolean, let builder as BooleanColumnBuilder):
            guard bytes.count == 1 else { return "\(bytes.count) bytes, and a value of type \(type) has 1" }
            try builder.builder.append(bytes[0] != 0)
        case (.number(let width, _), _):
            guard bytes.count == width else { return "\(bytes.count) bytes, and a value of type \(type) has \(width)" }
            var bits: UInt64 = 0
            for place in 0..<width { bits = bits << 8 | UInt64(bytes[isBigEndian ? place : width - 1 - place]) }
            switch builder {
            case let builder as FixedColumnBuilder<Int8>: try builder.builder.append(Int8(truncatingIfNeeded: bits))
            case let builder as FixedColumnBuilder<Int16>: try builder.builder.append(Int16(truncatingIfNeeded: bits))
            case let builder as FixedColumnBuilder<Int32>: try builder.builder.append(Int32(truncatingIfNeeded: bits))
            case let builder as FixedColumnBuilder<Int64>: try builder.builder.append(Int64(truncatingIfNeeded: bits))
            case let builder as FixedColumnBuilder<Float>: try builder.builder.append(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
            case let builder as FixedColumnBuilder<Double>: try builder.builder.append(Double(bitPattern: bits))
            default: throw .internal("a raw number of another type than its column")
            }
        default: throw .internal("a raw value of another type than its column")
        }
        return nil
    }

    /// Appends the bytes of a value that is not null. Throws `invalidArgument` for a character that the charset does not have.
    func encode(_ column: Column, _ index: Int, to text: TextBuffer) throws(MillstreamError) {
        switch form {
        case .bytes: text.append(column.bytes(index))
        case .text(let charset):
            guard RawCodec.append(column.bytes(index), charset, to: text) else {
                throw MillstreamError(.invalidArgument, "a text has characters that the charset of the raw format does not have")
            }
        case .boolean: text.append(column.bit(index) ? 1 : 0)
        case .number(let width, let isFloat):
            let bits: UInt64 =
                switch (width, isFloat) {
                case (1, _): UInt64(truncatingIfNeeded: column.pointer(as: Int8.self)[index])
                case (2, _): UInt64(truncatingIfNeeded: column.pointer(as: Int16.self)[index])
                case (4, false): UInt64(truncatingIfNeeded: column.pointer(as: Int32.self)[index])
                case (4, true): UInt64(column.pointer(as: Float.self)[index].bitPattern)
                case (_, true): column.pointer(as: Double.self)[index].bitPattern
                default: UInt64(bitPattern: column.pointer(as: Int64.self)[index])
                }
            for place in 0..<width {
                let shift = UInt64(8 * (isBigEndian ? width - 1 - place : place))
                text.append(UInt8(truncatingIfNeeded: bits >> shift))
            }
        }
    }

    /// Text of a charset as UTF-8: the bytes themselves, or in `scratch`. nil for what is none.
    private static func text(_ bytes: UnsafeRawBufferPointer, _ charset: RawOptions.Charset, _ scratch: TextBuffer) -> UnsafeRawBufferPointer? {
        switch charset {
        case .utf8:
            guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return bytes }
            return isUTF8(base, bytes.count) ? bytes : nil
        case .ascii: return bytes.allSatisfy { $0 < 0x80 } ? bytes : nil
        case .latin1:
            for byte in bytes { append(Unicode.Scalar(byte), to: scratch) }
            return scratch.bytes
        case .utf16BigEndian, .utf16LittleEndian:
            guard bytes.count % 2 == 0 else { return nil }
            let isBig = charset == .utf16BigEndian
            var decoder = UTF16()
            var place = 0
            var units = AnyIterator<UInt16> {
                guard place < bytes.count else { return nil }
                defer { place += 2 }
                let (first, second) = (UInt16(bytes[place]), UInt16(bytes[place + 1]))
                return isBig ? first << 8 | second : second << 8 | first
            }
            while true {
                switch decoder.decode(&units) {
                case .scalarValue(let scalar): append(scalar, to: scratch)
                case .emptyInput: return scratch.bytes
                case .error: return nil
                }
            }
        }
    }

    private static func append(_ scalar: Unicode.Scalar, to text: TextBuffer) {
        for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { text.append(byte) }
    }

    private static func append(_ bytes: UnsafeRawBufferPointer, _ charset: RawOptions.Charset, to text: TextBuffer) -> Bool {
        if charset == .utf8 {
            text.append(bytes)
            return true
        }
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch charset {
            case .ascii, .latin1:
                guard scalar.value < (charset == .ascii ? 0x80 : 0x100) else { return false }
                text.append(UInt8(scalar.value))
            default:
                for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
                    let (high, low) = (UInt8(unit >> 8), UInt8(unit & 0xFF))
                    text.append(charset == .utf16BigEndian ? high : low)
                    text.append(charset == .utf16BigEndian ? low : high)
                }
            }
        }
        return true
    }
}
