import Columnar
import Plan

/// Lines of text, one row each, as views into the chunk. `\n`, `\r\n` and `\r` end a line, as for Java's readers.
final class LineDecoder: FileDecoder {
    private let schema: Schema
    private let malformed: FileSourceDescription.Malformed
    private let index = StructuralIndex()
    private var chunk: Chunk?
    private var cursor = 0
    private var position = 0
    private var checksUTF8 = false

    init(schema: Schema, malformed: FileSourceDescription.Malformed) throws(MillstreamError) {
        guard schema.fields.count == 1, schema.fields[0].type.isText else {
            throw MillstreamError(.typeMismatch, "a text file has one column of type STRING, not (\(schema.columnList))")
        }
        self.schema = schema
        self.malformed = malformed
    }

    var canSplit: Bool { true }
    var endsAtCarriageReturn: Bool { true }

    func begin(_ chunk: Chunk) {
        self.chunk = chunk
        index.fill(chunk.bytes, start: chunk.start, end: chunk.end, wanted: [0x0A, 0x0D])
        position = chunk.start
        cursor = 0
        let whole = chunk.isLast ? chunk.end : index.count > 0 ? Int(index.places[index.count - 1]) : chunk.start
        checksUTF8 = !isUTF8(chunk.bytes + chunk.start, max(0, whole - chunk.start))
    }

    func next(rowLimit: Int) throws(MillstreamError) -> DecodedRows {
        guard let chunk else { throw .internal("a decoder was asked for rows before its first chunk") }
        var result = DecodedRows(batch: nil, position: position, lineCount: 0, malformedCount: 0, failure: nil, isExhausted: false)
        let values = Buffer(byteCount: 16 * max(1, rowLimit))
        let views = values.pointer(as: (UInt64, UInt64).self)
        var (row, longByteCount) = (0, 0)
        while row < max(1, rowLimit) {
            guard let line = nextLine(chunk) else {
                result.isExhausted = true
                break
            }
            if checksUTF8, !isUTF8(chunk.bytes + line.start, line.count) {
                guard malformed != .fail else {
                    result.failure = failure(chunk, line.start, line.count)
                    position = line.start
                    break
                }
                result.malformedCount += 1
                if malformed == .deadLetter {
                    result.refused.append(failure(chunk, line.start, line.count))
                    if result.refused.count >= max(1, rowLimit) {
                        result.lineCount += 1
                        break
                    }
                }
            } else {
                if line.count > StringView.inlineByteCount { longByteCount += line.count }
                views[row] = view(UnsafeRawPointer(chunk.bytes), line.start, line.count)
                row += 1
            }
            result.lineCount += 1
        }
        result.position = position
        guard row > 0 else { return result }
        let column = Column(
            type: schema.fields[0].type, count: row, values: values, dataBuffers: longByteCount > 0 ? [chunk.buffer] : [])
        result.batch = Batch(schema: schema, columns: [column], count: row)
        return result
    }

    private func failure(_ chunk: Chunk, _ start: Int, _ count: Int) -> DecodeFailure {
        let text = quoted(chunk.bytes + start, count)
        return DecodeFailure(recordStart: start, textStart: start, reason: "the line is not UTF-8: \(text)", recordEnd: start + count)
    }

    @inline(__always)
    private func nextLine(_ chunk: Chunk) -> (start: Int, count: Int)? {
        let start = position
        guard start < chunk.end, start < chunk.limit else { return nil }
        guard cursor < index.count else {
            guard chunk.isLast else { return nil }
            position = chunk.end
            return (start, chunk.end - start)
        }
        let place = Int(index.places[cursor])
        var next = place + 1
        if chunk.bytes[place] == 0x0D {
            if next == chunk.end, !chunk.isLast { return nil }
            if next < chunk.end, chunk.bytes[next] == 0x0A {
                next += 1
                cursor += 1
            }
        }
        cursor += 1
        position = next
        return (start, place - start)
    }

    @inline(__always)
    private func view(_ bytes: UnsafeRawPointer, _ start: Int, _ count: Int) -> (UInt64, UInt64) {
        let first = (bytes + start).loadUnaligned(as: UInt64.self)
        if count <= StringView.inlineByteCount {
            return inlineView(first, (bytes + start).loadUnaligned(fromByteOffset: 4, as: UInt64.self), count)
        }
        return (UInt64(truncatingIfNeeded: count) | first &<< 32, UInt64(truncatingIfNeeded: start) &<< 32)
    }
}
