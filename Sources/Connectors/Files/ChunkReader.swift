import Columnar
import Glibc

/// Cuts an open file into chunks for a decoder. What is left of a record at a chunk's end is moved to the front of the next.
final class ChunkReader {
    /// nil at the end of the split.
    private(set) var chunk: Chunk?
    /// The file's offset of the chunk buffer's first byte.
    private(set) var fileOffset: Int64

    private let path: String
    private let end: Int64
    /// Bytes of a plain file that were there when it was listed and have not been read; nil for a compressed one.
    private var unread: Int64?
    private let limits: FileReadLimits
    private let input: any ByteInput
    private let passesLongRecords: Bool
    private var long: LongRecord?
    private let isCompressed: Bool

    /// Opens the split's file and reads the first chunk from the split's offset. Throws `io` if the file is another than the one listed.
    /// With `passesLongRecords` one that is longer than the limit is no error, but has to be passed over by `passLongRecord`.
    init(
        _ split: inout FileSplit, decoder: any FileDecoder, limits: FileReadLimits, passesLongRecords: Bool = false
    ) throws(MillstreamError) {
        let file = try PlainInput(split.path)
        try ChunkReader.check(file, split)
        path = split.path
        end = split.end
        self.limits = limits.bounded
        self.passesLongRecords = passesLongRecords
        let compression = try Compression.detect(file)
        isCompressed = compression != .none
        input = try compression.open(file)
        fileOffset = 0
        if compression == .none { unread = split.identity.byteCount }
        if split.offset > 0, decoder.needsHeader {
            var head = FileSplit(path: split.path, identity: split.identity)
            try ChunkReader(&head, decoder: decoder, limits: limits).close()
        }
        try input.seek(to: split.offset)
        if let unread { self.unread = max(0, unread - split.offset) }
        fileOffset = split.offset
        if split.line == FileSplit.unaligned { try align(&split, decoder) }
        try fill(keeping: nil, from: 0)
        if split.offset == 0 {
            split.line = 1 + (try passHeader(decoder))
        }
        if let chunk { decoder.begin(chunk) }
    }

    func close() { input.close() }

    /// What the file must still have when somebody goes on at the split's offset: the bytes before it, or the end of what was listed where those are
    /// compressed. Nil at the file's beginning.
    func fingerprint(_ split: FileSplit) throws(MillstreamError) -> FileFingerprint? {
        let end = isCompressed ? split.identity.byteCount : split.offset
        guard split.offset > split.start || split.start > 0, end > 0 else { return nil }
        // Not the reader of the content: that one has a place of its own.
        let other = try PlainInput(path)
        defer { other.close() }
        return try FileFingerprint(other, end: end)
    }

    /// A file that was replaced or cut since it was listed must not be read on as if nothing had happened. One that has grown is the same as long as
    /// what was read of it is.
    private static func check(_ file: PlainInput, _ split: FileSplit) throws(MillstreamError) {
        let (now, listed) = (file.identity, split.identity)
        if now.byteCount < listed.byteCount {
            throw MillstreamError(
                .io, "'\(split.path)' was shortened from \(listed.byteCount) to \(now.byteCount) bytes since it was listed",
                hint: split.offset > 0 ? "The next record to be read was at byte \(split.offset)." : nil, domain: .external)
        }
        guard split.offset > 0 else { return }
        let isRewritten = now.byteCount == listed.byteCount && now.modifiedNanoseconds != listed.modifiedNanoseconds
        var isSame = now.inode == listed.inode && !isRewritten
        if isSame, now != listed, let known = split.fingerprint {
            isSame = try FileFingerprint(file, end: known.end) == known
            try file.seek(to: 0)
        }
        guard isSame else {
            throw MillstreamError(
                .io, "'\(split.path)' was changed since it was read up to byte \(split.offset)",
                hint: "Put the old file back, or start without the checkpoint.", domain: .external)
        }
    }

    /// Moves on to the record at `position` of the chunk. The decoder starts with the new chunk.
    func refill(from position: Int, _ decoder: any FileDecoder) throws(MillstreamError) {
        guard let old = chunk else { return }
        if position >= old.limit || (old.isLast && position >= old.end) {
            chunk = nil
            return
        }
        let tail = old.end - position
        guard tail <= limits.recordByteCountMax else {
            if passesLongRecords {
                long = LongRecord(
                    start: fileOffset + Int64(position), position: position, end: decoder.recordEnd(firstByte: old.bytes[position]),
                    text: TextBuffer())
                return
            }
            throw MillstreamError(
                .limitExceeded, "the record at byte \(fileOffset + Int64(position)) of '\(path)' is longer than \(limits.recordByteCountMax) bytes",
                hint: "Look for a quote that is never closed, or a file that is not text.")
        }
        try fill(keeping: old, from: position)
        if let chunk { decoder.begin(chunk) }
    }

    /// Reads the next chunk behind the tail of the old one.
    private func fill(keeping old: Chunk?, from position: Int, beyondLimit: Bool = false) throws(MillstreamError) {
        let tail = old.map { $0.end - position } ?? 0
        let capacity = tail + max(limits.chunkByteCount, tail)
        let buffer = try Buffer(checking: capacity + Chunk.paddingByteCount)
        if let old, tail > 0 { memcpy(buffer.base, old.buffer.base + position, tail) }
        fileOffset += Int64(position)
        var end = tail
        var isLast = false
        while end < capacity, !isLast {
            let got = try read(into: buffer.base + end, capacity - end)
            end += got
            isLast = got == 0
        }
        memset(buffer.base + end, 0, Chunk.paddingByteCount)
        let limit = self.end == .max ? Int.max : Int(max(0, self.end - fileOffset))
        chunk = end > 0 && (limit > 0 || beyondLimit) ? Chunk(buffer: buffer, start: 0, end: end, limit: limit, isLast: isLast) : nil
    }

    /// A record that is too long to be decoded, while its end is looked for.
    private struct LongRecord {
        /// In the file.
        let start: Int64
        /// In the chunk: how far it has been looked through.
        var position: Int
        var end: RecordEnd
        /// Its beginning.
        let text: TextBuffer
        var byteCount: Int64 = 0

        mutating func take(_ chunk: Chunk, upTo end: Int) {
            let wanted = max(0, FileDeadLetters.textByteCountMax + 1 - text.count)
            text.append(UnsafeRawBufferPointer(start: chunk.bytes + position, count: min(wanted, end - position)))
            byteCount += Int64(end - position)
            position = end
        }
    }

    /// A record that was passed over.
    struct PassedRecord {
        /// In the file, with and without its line end.
        let start: Int64
        let byteCount: Int64
        let length: Int64
        let lineCount: Int64
        /// At least as much of its beginning as dead letters keep.
        let text: TextBuffer
    }

    /// Whether the chunk is in the middle of a record that is too long, so that `passLongRecord` has to be called.
    var isInLongRecord: Bool { long != nil }

    /// Goes on to the end of a record that is too long; nil after at least `byteCount` bytes without it. The decoder starts with what is behind it.
    func passLongRecord(_ decoder: any FileDecoder, byteCount: Int) throws(MillstreamError) -> PassedRecord? {
        guard var record = long, var current = chunk else { throw .internal("there is no long record to pass over") }
        let stop = record.byteCount + Int64(byteCount)
        while true {
            if let next = record.end.find(current.bytes, record.position, current.end) {
                record.take(current, upTo: next)
                current.start = next
                chunk = next >= current.limit || (current.isLast && next >= current.end) ? nil : current
                break
            }
            record.take(current, upTo: current.end)
            if !current.isLast { try fill(keeping: current, from: current.end, beyondLimit: true) } else { chunk = nil }
            guard let next = chunk else {
                record.end.finish()
                break
            }
            current = next
            record.position = 0
            if record.byteCount >= stop {
                long = record
                return nil
            }
        }
        long = nil
        if let chunk { decoder.begin(chunk) }
        return PassedRecord(
            start: record.start, byteCount: record.byteCount, length: record.byteCount - record.end.lineEndByteCount,
            lineCount: record.end.lineCount, text: record.text)
    }

    private func read(into target: UnsafeMutableRawPointer, _ capacity: Int) throws(MillstreamError) -> Int {
        guard let left = unread else { return try input.read(into: target, capacity) }
        guard left > 0 else { return 0 }
        let got = try input.read(into: target, Int(min(Int64(capacity), left)))
        guard got > 0 else {
            throw MillstreamError(.io, "'\(path)' was shortened by \(left) bytes while it was read", domain: .external)
        }
        unread = left - Int64(got)
        return got
    }

    /// Passes over a byte order mark and the header; returns how many lines that were.
    private func passHeader(_ decoder: any FileDecoder) throws(MillstreamError) -> Int64 {
        while let current = chunk {
            let start = try byteOrderMarkLength(current)
            let text = Chunk(buffer: current.buffer, start: start, end: current.end, limit: current.limit, isLast: current.isLast)
            if current.end >= 3 || current.isLast {
                let header: Int?
                do throws(MillstreamError) { header = try decoder.readHeader(text) } catch {
                    throw MillstreamError(error.code, "\(path):1: \(error.message)", hint: error.hint)
                }
                if let position = header {
                    chunk = Chunk(
                        buffer: current.buffer, start: position, end: current.end, limit: current.limit, isLast: current.isLast)
                    let lines = Int64(countLines(current.bytes, start, position).count)
                    if position == current.end, current.isLast { chunk = nil }
                    return lines
                }
            }
            guard current.end <= limits.recordByteCountMax else {
                throw MillstreamError(.limitExceeded, "the header of '\(path)' is longer than \(limits.recordByteCountMax) bytes")
            }
            try fill(keeping: current, from: 0)
        }
        return 0
    }

    private func byteOrderMarkLength(_ chunk: Chunk) throws(MillstreamError) -> Int {
        let bytes = chunk.bytes
        if chunk.end >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { return 3 }
        if chunk.end >= 2, (bytes[0] == 0xFF && bytes[1] == 0xFE) || (bytes[0] == 0xFE && bytes[1] == 0xFF) {
            throw MillstreamError(.decode, "'\(path)' is UTF-16; only UTF-8 can be read", hint: "Convert it, e.g. iconv -f UTF-16 -t UTF-8.")
        }
        return 0
    }

    /// The first record that starts in the range: the one behind the first line end at or after the byte before the range.
    private func align(_ split: inout FileSplit, _ decoder: any FileDecoder) throws(MillstreamError) {
        let buffer = Buffer(byteCount: 1 << 16)
        let bytes = buffer.pointer(as: UInt8.self)
        try input.seek(to: split.start - 1)
        var offset = split.start - 1
        var afterReturn = false
        search: while true {
            let count = try input.read(into: buffer.base, buffer.byteCount)
            if count == 0 { break }
            for index in 0..<count {
                if afterReturn, bytes[index] != 0x0A { break search }
                offset += 1
                if bytes[index] == 0x0A { break search }
                if decoder.endsAtCarriageReturn, bytes[index] == 0x0D { afterReturn = true }
            }
        }
        split.offset = offset
        split.line = FileSplit.unknownLine
        unread = max(0, split.identity.byteCount - offset)
        fileOffset = offset
        try input.seek(to: offset)
    }
}
