import Columnar

/// Cuts a chunk into records and fields along its structural index (RFC 4180, with Jackson's readings where that is silent).
///
/// A quote means something only as a field's first byte; elsewhere it is text, as for Jackson. `\n`, `\r\n` and `\r` end a record. Empty lines are
/// skipped where a row has more than one field. The splitter looks at structural bytes only: plain text costs nothing.
struct RecordSplitter {
    enum Fault {
        case fieldCount(Int)
        case afterQuote(Int)
        case openQuote
        case invalidUTF8
    }

    let dialect: CSVDialect
    /// Fields that a record has in the file.
    let fieldCount: Int
    /// The column of `spans` that each field goes to, -1 for those that nobody wants.
    let slots: [Int]

    /// The next entry of the index, and where the next record starts.
    var cursor = 0
    var position = 0
    var lineCount: Int64 = 0
    /// Whether the chunk has bytes that are no UTF-8, so that each record has to be looked at.
    var checksUTF8 = false

    init(dialect: CSVDialect, fieldCount: Int, slots: [Int]) {
        self.dialect = dialect
        self.fieldCount = fieldCount
        self.slots = slots
    }

    enum Outcome {
        case row
        case skipped
        case fault(Fault, at: Int)
        /// The record's end is not in the chunk, or there is none.
        case incomplete
    }

    /// Takes one record. After `incomplete` nothing has moved; after all else the splitter stands at the next record.
    mutating func next(_ chunk: Chunk, _ index: StructuralIndex, into spans: FieldSpans, row: Int) -> Outcome {
        let start = position
        guard start < chunk.end, start < chunk.limit else { return .incomplete }
        let bytes = chunk.bytes
        if let comment = dialect.comment, bytes[start] == comment { return skipLine(chunk, index) }
        let outcome = slots.withUnsafeBufferPointer { fields(chunk, index, spans, row, $0) }
        guard checksUTF8, case .row = outcome, !isUTF8(bytes + start, position - start) else { return outcome }
        return .fault(.invalidUTF8, at: start)
    }

    /// The hot loop: one turn per field.
    @inline(__always)
    private mutating func fields(
        _ chunk: Chunk, _ index: StructuralIndex, _ spans: FieldSpans, _ row: Int, _ slots: UnsafeBufferPointer<Int>
    ) -> Outcome {
        let bytes = chunk.bytes
        let places = index.places
        let count = index.count
        let (delimiter, quote) = (dialect.delimiter, dialect.quote)
        let rowCapacity = spans.rowCapacity
        let target = spans.spans + row
        var cursor = cursor
        var field = 0
        var start = position
        while true {
            guard cursor < count else { return finishAtEnd(chunk, spans, row, field, start) }
            let place = Int(places[cursor])
            let byte = bytes[place]
            if byte == delimiter {
                if field < slots.count, slots[field] >= 0 { target[slots[field] &* rowCapacity] = FieldSpans.pack(start, place &- start) }
                field &+= 1
                cursor &+= 1
                start = place &+ 1
                continue
            }
            if byte == 0x0A || byte == 0x0D {
                var next = place &+ 1
                if byte == 0x0D {
                    if next == chunk.end, !chunk.isLast { return .incomplete }
                    if next < chunk.end, bytes[next] == 0x0A {
                        next &+= 1
                        cursor &+= 1
                    }
                }
                if field < slots.count, slots[field] >= 0 { target[slots[field] &* rowCapacity] = FieldSpans.pack(start, place &- start) }
                let recordStart = position
                position = next
                self.cursor = cursor &+ 1
                lineCount &+= 1
                if place == recordStart, fieldCount > 1 { return .skipped }
                return finish(spans, row, field &+ 1, recordStart, isLastEmpty: place == start)
            }
            if byte == quote && place == start || byte == dialect.escape {
                self.cursor = cursor
                return slowFields(chunk, index, spans, row, field, start)
            }
            cursor &+= 1
        }
    }

    /// Checks the number of fields, and gives the literal for NULL its meaning.
    @inline(__always)
    private func finish(_ spans: FieldSpans, _ row: Int, _ found: Int, _ recordStart: Int, isLastEmpty: Bool) -> Outcome {
        if found == fieldCount { return .row }
        return finishOther(spans, row, found, recordStart, isLastEmpty)
    }

    @inline(never)
    private func finishOther(_ spans: FieldSpans, _ row: Int, _ found: Int, _ recordStart: Int, _ isLastEmpty: Bool) -> Outcome {
        let isTrailing = dialect.allowsTrailingDelimiter && isLastEmpty && found == fieldCount + 1
        guard found < fieldCount ? dialect.allowsMissingFields : dialect.allowsExtraFields || isTrailing else {
            return .fault(.fieldCount(found), at: recordStart)
        }
        if found < fieldCount {
            for field in found..<fieldCount where slots[field] >= 0 { spans.column(slots[field])[row] = FieldSpans.null }
        }
        return .row
    }

    /// The chunk ends within a record: fine at the end of a file, otherwise it has to wait for more bytes.
    private mutating func finishAtEnd(_ chunk: Chunk, _ spans: FieldSpans, _ row: Int, _ field: Int, _ start: Int) -> Outcome {
        guard chunk.isLast else { return .incomplete }
        put(spans, row, field, FieldSpans.pack(start, chunk.end - start))
        let recordStart = position
        position = chunk.end
        return finish(spans, row, field + 1, recordStart, isLastEmpty: start == chunk.end)
    }

    @inline(__always)
    private func put(_ spans: FieldSpans, _ row: Int, _ field: Int, _ span: UInt64) {
        guard field < slots.count, slots[field] >= 0 else { return }
        spans.column(slots[field])[row] = span
    }

    private mutating func skipLine(_ chunk: Chunk, _ index: StructuralIndex) -> Outcome {
        var cursor = cursor
        while cursor < index.count {
            let place = Int(index.places[cursor])
            cursor += 1
            guard chunk.bytes[place] == 0x0A || chunk.bytes[place] == 0x0D else { continue }
            var next = place + 1
            if chunk.bytes[place] == 0x0D {
                if next == chunk.end, !chunk.isLast { return .incomplete }
                if next < chunk.end, chunk.bytes[next] == 0x0A {
                    next += 1
                    cursor += 1
                }
            }
            lineCount += 1
            (position, self.cursor) = (next, cursor)
            return .skipped
        }
        guard chunk.isLast else { return .incomplete }
        position = chunk.end
        return .skipped
    }
}

// Records with quotes or escapes: the rest of the record, byte by byte between structural bytes.
extension RecordSplitter {
    /// Goes on at `field`, whose text starts at `start`, with the cursor at the first structural byte that is not plain.
    private mutating func slowFields(
        _ chunk: Chunk, _ index: StructuralIndex, _ spans: FieldSpans, _ row: Int, _ firstField: Int, _ firstStart: Int
    ) -> Outcome {
        var walk = Walk(chunk: chunk, index: index, cursor: cursor)
        let sideCount = spans.side.count
        var field = firstField
        var start = firstStart
        var fault: (Fault, Int)?
        while true {
            let result = walk.field(from: start, dialect: dialect, side: spans.side)
            switch result {
            case .incomplete:
                guard chunk.isLast else {
                    spans.side.truncate(to: sideCount)
                    return .incomplete
                }
                let recordStart = position
                position = chunk.end
                cursor = index.count
                lineCount += Int64(walk.lineCount)
                return .fault(.openQuote, at: max(recordStart, start))
            case .field(let span, let next, let end, let faultPlace):
                if let faultPlace, fault == nil { fault = (.afterQuote(field), faultPlace) }
                put(spans, row, field, span)
                field += 1
                start = next
                guard end else { continue }
                let recordStart = position
                position = next
                cursor = walk.cursor
                lineCount += Int64(walk.lineCount)
                if let fault { return .fault(fault.0, at: fault.1) }
                return finish(spans, row, field, recordStart, isLastEmpty: FieldSpans.length(span) == 0)
            }
        }
    }

    /// A position within a record that has quotes or escapes.
    private struct Walk {
        enum Result {
            /// `end`: the record ends here. `fault`: where text follows a closing quote.
            case field(UInt64, next: Int, end: Bool, fault: Int?)
            case incomplete
        }

        let chunk: Chunk
        let index: StructuralIndex
        var cursor: Int
        var lineCount = 0

        mutating func field(from start: Int, dialect: CSVDialect, side: TextBuffer) -> Result {
            if let quote = dialect.quote, start < chunk.end, chunk.bytes[start] == quote {
                return quotedField(from: start, quote, dialect, side)
            }
            return plainField(from: start, dialect, side)
        }

        private mutating func plainField(from start: Int, _ dialect: CSVDialect, _ side: TextBuffer) -> Result {
            var copied: Int?
            var runStart = start
            while cursor < index.count {
                let place = Int(index.places[cursor])
                let byte = chunk.bytes[place]
                if byte == dialect.escape {
                    guard place + 1 < chunk.end else { break }
                    if copied == nil { copied = side.count }
                    append(runStart, place, side)
                    runStart = takeEscaped(place)
                } else if byte == dialect.delimiter || byte == 0x0A || byte == 0x0D {
                    guard let span = span(start, runStart, place, copied, side) else { return .incomplete }
                    return end(place, span, dialect, fault: nil)
                } else {
                    cursor += 1
                }
            }
            guard chunk.isLast, let span = span(start, runStart, chunk.end, copied, side) else { return .incomplete }
            return .field(span, next: chunk.end, end: true, fault: nil)
        }

        private mutating func quotedField(from start: Int, _ quote: UInt8, _ dialect: CSVDialect, _ side: TextBuffer) -> Result {
            var copied: Int?
            var runStart = start + 1
            cursor += 1
            while cursor < index.count {
                let place = Int(index.places[cursor])
                let byte = chunk.bytes[place]
                if byte == dialect.escape {
                    guard place + 1 < chunk.end else { return .incomplete }
                    if copied == nil { copied = side.count }
                    append(runStart, place, side)
                    runStart = takeEscaped(place)
                } else if byte == quote {
                    guard place + 1 < chunk.end || chunk.isLast else { return .incomplete }
                    if place + 1 < chunk.end, chunk.bytes[place + 1] == quote {
                        if copied == nil { copied = side.count }
                        append(runStart, place + 1, side)
                        runStart = place + 2
                        cursor += 2
                        continue
                    }
                    cursor += 1
                    guard let span = span(start + 1, runStart, place, copied, side) else { return .incomplete }
                    return afterQuote(place + 1, span, dialect)
                } else {
                    countLineEnd(place)
                    cursor += 1
                }
            }
            return .incomplete
        }

        /// Behind a closing quote only a delimiter or the record's end may come; what comes instead is passed over up to there.
        private mutating func afterQuote(_ next: Int, _ span: UInt64, _ dialect: CSVDialect) -> Result {
            var fault: Int?
            while cursor < index.count {
                let place = Int(index.places[cursor])
                let byte = chunk.bytes[place]
                if fault == nil, place != next { fault = next }
                if byte == dialect.delimiter || byte == 0x0A || byte == 0x0D { return end(place, span, dialect, fault: fault) }
                if fault == nil { fault = next }
                cursor += 1
            }
            guard chunk.isLast else { return .incomplete }
            if fault == nil, next < chunk.end { fault = next }
            return .field(span, next: chunk.end, end: true, fault: fault)
        }

        private mutating func end(_ place: Int, _ span: UInt64, _ dialect: CSVDialect, fault: Int?) -> Result {
            cursor += 1
            guard chunk.bytes[place] != dialect.delimiter else {
                return .field(span, next: place + 1, end: false, fault: fault)
            }
            var next = place + 1
            if chunk.bytes[place] == 0x0D {
                if next == chunk.end, !chunk.isLast { return .incomplete }
                if next < chunk.end, chunk.bytes[next] == 0x0A {
                    next += 1
                    cursor += 1
                }
            }
            lineCount += 1
            return .field(span, next: next, end: true, fault: fault)
        }

        /// The text of a field: in the chunk, or, once something was taken out of it, in `side`.
        private func span(_ start: Int, _ runStart: Int, _ end: Int, _ copied: Int?, _ side: TextBuffer) -> UInt64? {
            guard let copied else { return FieldSpans.pack(start, end - start) }
            append(runStart, end, side)
            return FieldSpans.pack(copied | FieldSpans.sideBit, side.count - copied)
        }

        private func append(_ start: Int, _ end: Int, _ side: TextBuffer) {
            side.append(UnsafeRawBufferPointer(start: chunk.bytes + start, count: max(0, end - start)))
        }

        /// Passes over the escape and the byte behind it, which is text whatever it is; returns where that byte is.
        private mutating func takeEscaped(_ place: Int) -> Int {
            cursor += 1
            if cursor < index.count, Int(index.places[cursor]) == place + 1 {
                countLineEnd(place + 1)
                cursor += 1
            }
            return place + 1
        }

        private mutating func countLineEnd(_ place: Int) {
            let byte = chunk.bytes[place]
            if byte == 0x0A || (byte == 0x0D && !(place + 1 < chunk.end && chunk.bytes[place + 1] == 0x0A)) { lineCount += 1 }
        }
    }
}
