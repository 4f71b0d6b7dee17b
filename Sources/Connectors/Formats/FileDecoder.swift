import Columnar

/// A run of a file's bytes that a decoder works on.
///
/// Columns may keep views into `buffer`, so it does not change once it has been filled. `Chunk.paddingByteCount` bytes behind `end` may be read.
struct Chunk {
    /// What word-wise loops and simdjson may read beyond the last byte.
    static let paddingByteCount = 64

    var buffer: Buffer
    var start: Int
    var end: Int
    /// Records that start here or later belong to somebody else (the next split).
    var limit: Int
    /// Nothing follows: the last record may end without a line end.
    var isLast: Bool

    var bytes: UnsafePointer<UInt8> { UnsafePointer(buffer.pointer(as: UInt8.self)) }
}

/// What a decoder made of the next records of its chunk.
struct DecodedRows {
    /// nil if there were none.
    var batch: Batch?
    /// Where the next record starts in the chunk.
    var position: Int
    /// Line ends passed.
    var lineCount: Int64
    /// Records that did not decode and were left out.
    var malformedCount: Int
    /// The same records in their order, where they are wanted.
    var refused: [DecodeFailure] = []
    /// The record that did not decode and stopped the decoder; the rows before it are in `batch`.
    var failure: DecodeFailure?
    /// No complete record is left in the chunk.
    var isExhausted: Bool
}

/// Makes batches of a file's bytes, chunk by chunk. One file, one thread.
protocol FileDecoder: AnyObject {
    /// Whether a file may be read from a line border in its middle.
    var canSplit: Bool { get }
    /// Whether `\r` alone ends a record, besides `\n` and `\r\n`.
    var endsAtCarriageReturn: Bool { get }
    /// Whether records cannot be decoded before `readHeader` has seen the start of their file.
    var needsHeader: Bool { get }
    /// Starts with a chunk. A header, if the format has one, has been read already by `readHeader`.
    func begin(_ chunk: Chunk)
    /// At most `rowLimit` rows.
    func next(rowLimit: Int) throws(MillstreamError) -> DecodedRows
    /// Takes the header at the start of a file: where the records begin, 0 without a header, nil if more bytes are needed.
    func readHeader(_ chunk: Chunk) throws(MillstreamError) -> Int?
    /// What finds the end of a record that is too long to be decoded.
    func recordEnd(firstByte: UInt8) -> RecordEnd
}

extension FileDecoder {
    var needsHeader: Bool { false }
    func readHeader(_ chunk: Chunk) throws(MillstreamError) -> Int? { chunk.start }
    func recordEnd(firstByte: UInt8) -> RecordEnd { RecordEnd(endsAtReturn: endsAtCarriageReturn) }
}

/// A record that does not decode: where, and why.
struct DecodeFailure {
    /// The longest piece of the offending text in a message.
    static let textByteCountMax = 200

    /// Where the record and the offending text start in the chunk.
    var recordStart: Int
    var textStart: Int
    var reason: String
    /// The column of the schema that is to blame.
    var field: String?
    /// Whether the record would make a header, and none was asked for: of a file's first line that is worth a hint.
    var mayBeHeader = false
    /// Where the record ends, its line end not included. Only known where the job goes on.
    var recordEnd = 0

    /// `file:line:column: reason`.
    func error(file: String, line: Int64?, chunk: Chunk, fileOffset: Int64, endsAtReturn: Bool) -> MillstreamError {
        let bytes = chunk.bytes
        var place = "\(file)"
        if let line {
            let before = countLines(bytes, recordStart, max(recordStart, textStart), endsAtReturn: endsAtReturn)
            place += ":\(line + Int64(before.count)):\(textStart - before.lastLineStart + 1)"
        } else {
            place += " at byte \(fileOffset + Int64(textStart))"
        }
        var hint = "Correct the line, or let the source skip and count rows that do not decode."
        if mayBeHeader, line == 1 || (line == nil && fileOffset + Int64(recordStart) == 0) {
            hint = "If the first line names the columns, say so with header=True (csv.header in C). Else correct it, or let the source skip and count such rows."
        }
        return MillstreamError(.decode, "\(place): \(reason)", hint: hint, domain: .user)
    }
}

/// How many lines end in a range, and where the last one of them starts.
func countLines(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, endsAtReturn: Bool = true) -> (count: Int, lastLineStart: Int) {
    var (count, lineStart) = (0, start)
    var index = start
    while index < end {
        let byte = bytes[index]
        index += 1
        if byte == 0x0A || (endsAtReturn && byte == 0x0D && !(index < end && bytes[index] == 0x0A)) {
            count += 1
            lineStart = index
        }
    }
    return (count, lineStart)
}

/// The end of a record without its line end.
func withoutLineEnd(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int {
    var end = end
    if end > start, bytes[end - 1] == 0x0A { end -= 1 }
    if end > start, bytes[end - 1] == 0x0D { end -= 1 }
    return end
}

/// A piece of a file in quotes for a message: control characters and bytes that are no UTF-8 escaped, cut at 200 bytes.
func quoted(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> String {
    let shown = min(count, DecodeFailure.textByteCountMax)
    var text = "'"
    for scalar in String(decoding: UnsafeBufferPointer(start: bytes, count: shown), as: UTF8.self).unicodeScalars {
        switch scalar.value {
        case 0x0A: text += "\\n"
        case 0x0D: text += "\\r"
        case 0x09: text += "\\t"
        case 0..<0x20, 0x7F..<0xA0, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069:
            text += "\\u{" + String(scalar.value, radix: 16) + "}"
        default: text.unicodeScalars.append(scalar)
        }
    }
    return text + (shown < count ? "…' (\(count) bytes)" : "'")
}
