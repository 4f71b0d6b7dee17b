import Columnar
import Glibc
import Plan

/// CSV to typed columns: the chunk is indexed once, records are cut along the index, and each wanted column is parsed in a loop of its own.
/// Columns that nobody asked for are passed over without a look at their bytes.
final class CSVDecoder: FileDecoder {
    /// Rows of one batch; the runtime asks for fewer.
    private static let rowCountMax = 1 << 16

    private let dialect: CSVDialect
    private let reading: CSVReading
    private let fileSchema: Schema
    /// Positions in `fileSchema`, and what they become.
    private let projection: [Int]
    private let schema: Schema
    private let malformed: FileSourceDescription.Malformed
    private let index = StructuralIndex()
    private let spans: FieldSpans
    private var splitter: RecordSplitter
    private var chunk: Chunk?
    private var recordStarts: [Int] = []
    /// Takes the fields of a record whose end is looked for.
    private lazy var scratch = FieldSpans(columnCount: projection.count)
    private var bad: [UInt16] = []

    /// Throws `unsupported` for a column whose type has no CSV text.
    init(
        _ options: CSVOptions, fileSchema: Schema, projection: [Int], schema: Schema, malformed: FileSourceDescription.Malformed
    ) throws(MillstreamError) {
        var dialect = try CSVDialect(options)
        if malformed == .ignore { dialect.allowsMissingFields = true }
        self.dialect = dialect
        reading = CSVReading(options, nullsProblems: malformed == .ignore)
        self.fileSchema = fileSchema
        self.projection = projection
        self.schema = schema
        self.malformed = malformed
        for position in projection where !SpanColumn.supports(fileSchema.fields[position].type, reading) {
            let field = fileSchema.fields[position]
            throw MillstreamError(.unsupported, "column '\(field.name)' of type \(field.type) cannot be read from CSV")
        }
        spans = FieldSpans(columnCount: projection.count)
        let places = projection.enumerated().map { ($0.element, $0.offset) }
        splitter = RecordSplitter(
            dialect: dialect, fieldCount: fileSchema.fields.count, slots: CSVDecoder.slots(fileSchema.fields.count, places))
    }

    private static func slots(_ fieldCount: Int, _ places: [(field: Int, slot: Int)]) -> [Int] {
        var slots = Array(repeating: -1, count: fieldCount)
        for place in places { slots[place.field] = place.slot }
        return slots
    }

    /// Quoted fields may hold line ends, and nothing tells in the middle of a file whether one is open.
    var canSplit: Bool { dialect.quote == nil && dialect.escape == nil }
    var endsAtCarriageReturn: Bool { true }
    var needsHeader: Bool { dialect.hasHeader }
    func recordEnd(firstByte: UInt8) -> RecordEnd { RecordEnd(dialect, firstByte: firstByte) }

    func begin(_ chunk: Chunk) {
        self.chunk = chunk
        index.fill(chunk.bytes, start: chunk.start, end: chunk.end, wanted: dialect.structuralBytes)
        splitter.position = chunk.start
        splitter.cursor = 0
        // What is behind the last structural byte may be half a character; its record comes again with the next chunk.
        let whole = chunk.isLast ? chunk.end : index.count > 0 ? Int(index.places[index.count - 1]) : chunk.start
        splitter.checksUTF8 = !isUTF8(chunk.bytes + chunk.start, max(0, whole - chunk.start))
    }

    func next(rowLimit: Int) throws(MillstreamError) -> DecodedRows {
        guard let chunk else { throw .internal("a decoder was asked for rows before its first chunk") }
        let limit = min(max(1, rowLimit), CSVDecoder.rowCountMax)
        spans.prepare(rowCount: limit)
        if recordStarts.count <= limit { recordStarts = Array(repeating: 0, count: limit + 1) }
        let batchStart = splitter.position
        splitter.lineCount = 0
        let split = splitRecords(chunk, limit)
        var result = DecodedRows(
            batch: nil, position: splitter.position, lineCount: splitter.lineCount, malformedCount: split.malformedCount, refused: split.refused,
            failure: split.failure, isExhausted: split.isExhausted)
        guard split.rowCount > 0 else { return result }
        decode(chunk, split.rowCount, byteCount: splitter.position - batchStart, batchStart: batchStart, into: &result)
        return result
    }

    private func splitRecords(
        _ chunk: Chunk, _ limit: Int
    ) -> (rowCount: Int, malformedCount: Int, refused: [DecodeFailure], failure: DecodeFailure?, isExhausted: Bool) {
        var (row, malformedCount) = (0, 0)
        var refused: [DecodeFailure] = []
        while row < limit {
            let (start, cursor, lineCount) = (splitter.position, splitter.cursor, splitter.lineCount)
            recordStarts[row] = start
            switch splitter.next(chunk, index, into: spans, row: row) {
            case .row: row &+= 1
            case .skipped: break
            case .incomplete: return (row, malformedCount, refused, nil, true)
            case .fault(let fault, let place):
                guard malformed != .fail else {
                    let failure = DecodeFailure(
                        recordStart: start, textStart: place, reason: reason(fault, chunk, start, place), mayBeHeader: mayBeHeader(chunk, place))
                    (splitter.position, splitter.cursor, splitter.lineCount) = (start, cursor, lineCount)
                    return (row, malformedCount, refused, failure, false)
                }
                malformedCount += 1
                if malformed == .deadLetter {
                    refused.append(
                        DecodeFailure(
                            recordStart: start, textStart: place, reason: reason(fault, chunk, start, place),
                            recordEnd: withoutLineEnd(chunk.bytes, start, splitter.position)))
                    if refused.count >= limit { return (row, malformedCount, refused, nil, false) }
                }
            }
        }
        return (row, malformedCount, refused, nil, false)
    }

    private func decode(_ chunk: Chunk, _ rowCount: Int, byteCount: Int, batchStart: Int, into result: inout DecodedRows) {
        if dialect.trimsSpaces { trimSpaces(chunk, rowCount) }
        if dialect.emptyTextIsNull { markNulls([], chunk, rowCount) }
        if let literal = dialect.nullLiteral { markNulls(literal, chunk, rowCount) }
        if bad.count < rowCount { bad = Array(repeating: 0, count: rowCount) }
        // Wide loads may go beyond the last field's text.
        spans.side.reserve(Chunk.paddingByteCount)
        let side = spans.side.count > 0 ? Buffer.copying(UnsafeBufferPointer(start: UnsafePointer(spans.side.base), count: spans.side.count)) : nil
        var columns: [Column] = []
        columns.reserveCapacity(projection.count)
        let firstBad: Int? = bad.withUnsafeMutableBufferPointer { bad -> Int? in
            guard let bad = bad.baseAddress else { return nil }
            memset(bad, 0, 2 * rowCount)
            for slot in 0..<projection.count {
                columns.append(
                    column(slot, chunk, rowCount, bad).decode(buffer: chunk.buffer, sideBuffer: side, consumedByteCount: byteCount))
            }
            var first: Int?
            for row in 0..<rowCount where bad[row] != 0 {
                if bad[row] >= SpanColumn.nulledMark { result.malformedCount += 1 } else if first == nil { first = row }
            }
            return first
        }
        let batch = Batch(schema: schema, columns: columns, count: rowCount)
        guard let firstBad else {
            result.batch = batch
            return
        }
        if malformed != .fail {
            let good = (0..<rowCount).filter { !isBad($0) }.map { Int32($0) }
            result.malformedCount += rowCount - good.count
            if !good.isEmpty { result.batch = batch.selecting(Selection(good)) }
            if malformed == .deadLetter { refuse(chunk, firstBad, rowCount, into: &result) }
            return
        }
        result.failure = failure(chunk, firstBad, rowCount)
        result.position = recordStarts[firstBad]
        result.lineCount = Int64(countLines(chunk.bytes, batchStart, recordStarts[firstBad]).count)
        result.batch = firstBad > 0 ? batch.slice(0, firstBad) : nil
    }

    /// Adds the rows that are marked as bad to those that could not be cut into fields.
    private func refuse(_ chunk: Chunk, _ firstBad: Int, _ rowCount: Int, into result: inout DecodedRows) {
        let isMixed = !result.refused.isEmpty
        for row in firstBad..<rowCount where isBad(row) {
            var failure = self.failure(chunk, row, rowCount)
            failure.recordEnd = recordEnd(chunk, failure.recordStart)
            result.refused.append(failure)
        }
        if isMixed { result.refused.sort { $0.recordStart < $1.recordStart } }
    }

    /// Cuts a record once more, to know where it ends: of good records nobody keeps that.
    private func recordEnd(_ chunk: Chunk, _ start: Int) -> Int {
        var again = splitter
        again.position = start
        again.cursor = index.first(from: start)
        scratch.prepare(rowCount: 1)
        _ = again.next(chunk, index, into: scratch, row: 0)
        return withoutLineEnd(chunk.bytes, start, again.position)
    }

    private func column(_ slot: Int, _ chunk: Chunk, _ rowCount: Int, _ bad: UnsafeMutablePointer<UInt16>) -> SpanColumn {
        SpanColumn(
            spans: spans.column(slot), rowCount: rowCount, chunk: chunk.bytes, side: UnsafePointer(spans.side.base), bad: bad,
            mark: UInt16(truncatingIfNeeded: slot + 1), type: fileSchema.fields[projection[slot]].type, reading: reading)
    }

    /// Whether a row is left out; a row some of whose fields became NULL is not.
    private func isBad(_ row: Int) -> Bool { bad[row] != 0 && bad[row] < SpanColumn.nulledMark }

    private func trimSpaces(_ chunk: Chunk, _ rowCount: Int) {
        for slot in 0..<projection.count {
            let column = spans.column(slot)
            for row in 0..<rowCount where column[row] != FieldSpans.null {
                let start = FieldSpans.start(column[row])
                let base = start & FieldSpans.sideBit == 0 ? chunk.bytes : UnsafePointer(spans.side.base)
                let text = base + (start & (FieldSpans.sideBit - 1))
                let (trimmed, count) = trim(text, FieldSpans.length(column[row]))
                column[row] = FieldSpans.pack(start + (trimmed - text), count)
            }
        }
    }

    private func markNulls(_ literal: [UInt8], _ chunk: Chunk, _ rowCount: Int) {
        for slot in 0..<projection.count {
            let column = spans.column(slot)
            for row in 0..<rowCount where column[row] != FieldSpans.null && FieldSpans.length(column[row]) == literal.count {
                let start = FieldSpans.start(column[row])
                let text = (start & FieldSpans.sideBit == 0 ? chunk.bytes : UnsafePointer(spans.side.base)) + (start & (FieldSpans.sideBit - 1))
                if literal.withUnsafeBufferPointer({ isEqual($0, text) }) { column[row] = FieldSpans.null }
            }
        }
    }
}

private func isEqual(_ literal: UnsafeBufferPointer<UInt8>, _ text: UnsafePointer<UInt8>) -> Bool {
    guard let base = literal.baseAddress else { return true }
    return memcmp(base, text, literal.count) == 0
}

// Messages.
extension CSVDecoder {
    private func failure(_ chunk: Chunk, _ row: Int, _ rowCount: Int) -> DecodeFailure {
        let slot = Int(bad[row]) - 1
        let field = fileSchema.fields[projection[max(0, slot)]]
        let reason = bad.withUnsafeMutableBufferPointer { bad -> String in
            guard slot >= 0, let bad = bad.baseAddress else { return "the row does not decode" }
            return column(slot, chunk, rowCount, bad).reason(row)
        }
        let span = slot >= 0 ? spans.column(slot)[row] : FieldSpans.null
        let start = FieldSpans.start(span)
        // A field whose text was rewritten, or that is missing, has no place of its own left: the record's start has to do.
        let place = span == FieldSpans.null || start & FieldSpans.sideBit != 0 ? recordStarts[row] : start
        return DecodeFailure(
            recordStart: recordStarts[row], textStart: place, reason: "field '\(field.name)': \(reason)", field: field.name,
            mayBeHeader: mayBeHeader(chunk, place))
    }

    /// Whether the offending text begins as names do, and no header was asked for.
    private func mayBeHeader(_ chunk: Chunk, _ place: Int) -> Bool {
        var place = place
        while place < chunk.end, chunk.bytes[place] == UInt8(ascii: " ") || chunk.bytes[place] == dialect.quote { place += 1 }
        guard !dialect.hasHeader, place < chunk.end else { return false }
        let byte = chunk.bytes[place]
        return byte == UInt8(ascii: "_") || byte >= 0x80 || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private func reason(_ fault: RecordSplitter.Fault, _ chunk: Chunk, _ start: Int, _ place: Int) -> String {
        var end = place
        while end < chunk.end, chunk.bytes[end] != 0x0A, chunk.bytes[end] != 0x0D { end += 1 }
        let text = quoted(chunk.bytes + place, end - place)
        switch fault {
        case .fieldCount(let found) where found < splitter.fieldCount: return "the row has \(found) of \(splitter.fieldCount) fields: \(text)"
        case .fieldCount(let found): return "the row has \(found) fields, expected \(splitter.fieldCount): \(text)"
        case .afterQuote: return "text after a closing quote: \(text)"
        case .openQuote: return "a quote opens here and is never closed: \(text)"
        case .invalidUTF8: return "the row is not UTF-8: \(text)"
        }
    }
}

// The header.
extension CSVDecoder {
    /// Reads the names in the first record and finds the schema's columns among them.
    func readHeader(_ chunk: Chunk) throws(MillstreamError) -> Int? {
        guard dialect.hasHeader else { return chunk.start }
        index.fill(chunk.bytes, start: chunk.start, end: chunk.end, wanted: dialect.structuralBytes)
        // A record cannot have more fields than structural bytes, plus one.
        let nameCountMax = min(index.count + 1, CSVDecoder.headerFieldCountMax)
        let names = FieldSpans(columnCount: nameCountMax)
        names.prepare(rowCount: 1)
        var reader = RecordSplitter(dialect: dialect.ragged, fieldCount: nameCountMax, slots: Array(0..<nameCountMax))
        reader.position = chunk.start
        while true {
            switch reader.next(chunk, index, into: names, row: 0) {
            case .skipped: continue
            case .incomplete: return chunk.isLast ? chunk.end : nil
            case .fault:
                throw MillstreamError(.decode, "the header line does not decode")
            case .row:
                try map(columnNames(names, chunk))
                return reader.position
            }
        }
    }

    /// A line with more fields than this is no header.
    private static let headerFieldCountMax = 1 << 14

    private func columnNames(_ names: FieldSpans, _ chunk: Chunk) -> [String] {
        var result: [String] = []
        for column in 0..<names.columnCount {
            let span = names.column(column)[0]
            guard span != FieldSpans.null else { break }
            let start = FieldSpans.start(span)
            let base = start & FieldSpans.sideBit == 0 ? chunk.bytes : UnsafePointer(names.side.base)
            let (text, count) = trim(base + (start & (FieldSpans.sideBit - 1)), FieldSpans.length(span))
            result.append(String(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self))
        }
        return result
    }

    private func map(_ names: [String]) throws(MillstreamError) {
        var places: [(field: Int, slot: Int)] = []
        for (slot, position) in projection.enumerated() {
            let wanted = fileSchema.fields[position].name
            let found = names.indices.filter { names[$0].utf8.elementsEqual(wanted.utf8) }
            guard let field = found.first, found.count == 1 else {
                let listed = names.prefix(50).map {
                    $0.utf8.withContiguousStorageIfAvailable { text in text.baseAddress.map { quoted($0, text.count) } ?? "''" } ?? "'\($0)'"
                }
                throw MillstreamError(
                    .decode, "the header has \(found.isEmpty ? "no" : "more than one") column '\(wanted)'; it has \(listed.joined(separator: ", "))",
                    hint: "Name the columns of the schema as the file does, or turn the header off.")
            }
            places.append((field, slot))
        }
        splitter = RecordSplitter(dialect: dialect, fieldCount: names.count, slots: CSVDecoder.slots(names.count, places))
    }
}

extension CSVDialect {
    /// The same dialect for a record of unknown length.
    var ragged: CSVDialect {
        var copy = self
        copy.allowsMissingFields = true
        copy.allowsExtraFields = true
        return copy
    }
}
