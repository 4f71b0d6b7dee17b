import Columnar
import Glibc

/// Makes the rows of a file source's dead letters: the records that do not decode, column by column.
final class FileDeadLetters {
    /// So much of a record's text is kept.
    static let textByteCountMax = 64 << 10

    private typealias Numbers = FixedColumnBuilder<Int64>

    private let file: ViewColumnBuilder
    private let line: Numbers
    private let column: Numbers
    private let offset: Numbers
    private let length: Numbers
    private let field: ViewColumnBuilder
    private let text: ViewColumnBuilder
    private let error: ViewColumnBuilder
    private let scratch = TextBuffer()

    init() throws(MillstreamError) {
        func texts() throws(MillstreamError) -> ViewColumnBuilder {
            guard let builder = try ColumnBuilder.make(for: .string) as? ViewColumnBuilder else { throw .internal("text has no views") }
            return builder
        }
        func numbers() throws(MillstreamError) -> Numbers {
            guard let builder = try ColumnBuilder.make(for: .bigInt) as? Numbers else { throw .internal("BIGINT is not fixed") }
            return builder
        }
        file = try texts()
        line = try numbers()
        column = try numbers()
        offset = try numbers()
        length = try numbers()
        field = try texts()
        text = try texts()
        error = try texts()
    }

    /// A record, and where in it the mistake is. `text` has at least `min(length, textByteCountMax)` bytes.
    struct Record {
        /// Where the offending text is: its line, nil where nobody can count them any more, and its byte in the line, from 1 on.
        var line: Int64?
        var column: Int
        /// The record in the decompressed file, without its line end.
        var offset: Int64
        var length: Int64
        var field: String?
        var text: UnsafePointer<UInt8>
        var error: String
    }

    func append(_ record: Record, of path: String) throws(MillstreamError) {
        try file.builder.append(path)
        if let number = record.line { try line.builder.append(number) } else { try line.appendNull() }
        try column.builder.append(Int64(record.column))
        try offset.builder.append(record.offset)
        try length.builder.append(record.length)
        if let name = record.field { try field.builder.append(name) } else { try field.appendNull() }
        try appendText(record.text, record.length)
        try error.builder.append(record.error)
    }

    /// The rows so far; there are none then.
    func finish() -> Batch {
        let columns = [file.finish(), line.finish(), column.finish(), offset.finish(), length.finish(), field.finish(), text.finish(), error.finish()]
        return Batch(schema: FileSource.deadLetterSchema, columns: columns, count: columns[0].count)
    }

    /// The text as it is where it is short and UTF-8.
    private func appendText(_ bytes: UnsafePointer<UInt8>, _ length: Int64) throws(MillstreamError) {
        let isCut = length > Int64(FileDeadLetters.textByteCountMax)
        var count = isCut ? FileDeadLetters.textByteCountMax : Int(length)
        // Not in the middle of a character.
        if isCut { while count > FileDeadLetters.textByteCountMax - 4, bytes[count] & 0xC0 == 0x80 { count -= 1 } }
        if !isCut, isUTF8(bytes, count) { return try text.builder.append(UnsafeRawBufferPointer(start: bytes, count: count)) }
        scratch.clear()
        escape(bytes, count)
        if isCut { scratch.append("…") }
        try text.builder.append(scratch.bytes)
    }

    /// Bytes that are no UTF-8 as `\xE9`.
    private func escape(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        if isUTF8(bytes, count) { return scratch.append(UnsafeRawBufferPointer(start: bytes, count: count)) }
        var index = 0
        while index < count {
            let byte = bytes[index]
            let width = byte < 0x80 ? 1 : byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2
            if index + width <= count, isUTF8(bytes + index, width) {
                scratch.append(UnsafeRawBufferPointer(start: bytes + index, count: width))
                index += width
            } else {
                scratch.append("\\x")
                scratch.append(FileDeadLetters.digit(byte >> 4))
                scratch.append(FileDeadLetters.digit(byte & 15))
                index += 1
            }
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") - 10 + value }
}

extension FileSource {
    /// The rows of dead letters: where a record is that does not decode, its text, and what is wrong with it (docs/dead-letters.md).
    public static let deadLetterSchema = Schema([
        Field("file", .string), Field("line", .bigInt), Field("column", .bigInt), Field("offset", .bigInt), Field("length", .bigInt),
        Field("field", .string), Field("text", .string), Field("error", .string),
    ])
}
