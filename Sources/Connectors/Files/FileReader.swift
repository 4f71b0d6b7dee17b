import Columnar
import Dataflow
import Glibc

/// Reads files chunk by chunk, one split at a time.
final class FileReader: SourceReader {
    /// So many bytes of a record that is too long are passed over at once.
    private static let passedByteCountMax = 64 << 20
    /// Rows of one batch, whatever is asked for.
    private static let rowCountMax = 1 << 16

    private let decoder: any FileDecoder
    private let metrics: OperatorMetrics
    private let limits: FileReadLimits
    private let lines: LineCounts
    private let clock: any Clock
    /// nil unless records that do not decode are to be kept.
    private let letters: FileDeadLetters?
    /// nil unless there are columns of the path behind the file's own.
    private let pathColumns: PathColumns?
    private var waiting: [FileSplit] = []
    private var isComplete = false
    private var split: FileSplit?
    private var chunks: ChunkReader?
    /// What has been decoded, while the lines before it are counted.
    private var held: DecodedRows?
    /// The lines before the split can no longer be counted.
    private var hasNoLines = false
    /// The error behind the rows that were given out last.
    private var failure: MillstreamError?

    init(
        decoder: any FileDecoder, metrics: OperatorMetrics, limits: FileReadLimits, lines: LineCounts, clock: any Clock, letters: FileDeadLetters?,
        pathColumns: PathColumns? = nil
    ) {
        self.pathColumns = pathColumns
        self.lines = lines
        self.clock = clock
        self.letters = letters
        self.decoder = decoder
        self.metrics = metrics
        self.limits = limits
    }

    func addSplit(_ split: SourceSplit) throws(MillstreamError) { waiting.append(try FileSplit(split)) }
    func noMoreSplits() { isComplete = true }

    func poll(rowLimit: Int) throws(MillstreamError) -> SourcePoll {
        if let failure { throw failure }
        if split == nil {
            guard !waiting.isEmpty else { return isComplete ? .end : .needsSplit }
            split = waiting.removeFirst()
        }
        while true {
            guard var current = split else { throw .internal("a file reader lost its split") }
            let chunks = try opened(&current)
            split = current
            guard let chunk = chunks.chunk else { return finish(current) }
            if chunks.isInLongRecord { return try passLongRecord(current, chunks) }
            var rows = try nextRows(rowLimit)
            if !rows.refused.isEmpty, !findLine(&current) {
                held = rows
                return .wait(until: clock.now())
            }
            let refused = try deadLetters(current, chunks, rows, chunk)
            advance(&current, chunks, rows, chunk)
            split = current
            if rows.isExhausted, failure == nil { try chunks.refill(from: rows.position, decoder) }
            if let pathColumns, let batch = rows.batch { rows.batch = try pathColumns.appending(to: batch, current) }
            if let refused { return .decoded(rows.batch, deadLetters: refused, split: current.id) }
            if let batch = rows.batch { return .batch(batch, split: current.id) }
            if let failure { throw failure }
        }
    }

    private func nextRows(_ rowLimit: Int) throws(MillstreamError) -> DecodedRows {
        guard let held else { return try decoder.next(rowLimit: min(max(1, rowLimit), FileReader.rowCountMax)) }
        self.held = nil
        return held
    }

    private func advance(_ current: inout FileSplit, _ chunks: ChunkReader, _ rows: DecodedRows, _ chunk: Chunk) {
        if current.line > 0 { current.line += rows.lineCount }
        let offset = chunks.fileOffset + Int64(rows.position)
        metrics.bytesIn.add(Int(offset - current.offset))
        current.offset = offset
        if rows.malformedCount > 0 { metrics.malformedRecords.add(rows.malformedCount) }
        if let failure = rows.failure {
            self.failure = failure.error(
                file: current.path, line: lineNumber(current), chunk: chunk, fileOffset: chunks.fileOffset,
                endsAtReturn: decoder.endsAtCarriageReturn)
        }
    }

    /// The rows of the records that did not decode, if there are any.
    private func deadLetters(
        _ current: FileSplit, _ chunks: ChunkReader, _ rows: DecodedRows, _ chunk: Chunk
    ) throws(MillstreamError) -> Batch? {
        guard let letters, !rows.refused.isEmpty else { return nil }
        // A header comes before the first record and is counted already.
        var place = max(chunk.start, Int(current.offset - chunks.fileOffset))
        var line = current.line
        for refused in rows.refused {
            line += Int64(countLines(chunk.bytes, place, refused.recordStart, endsAtReturn: decoder.endsAtCarriageReturn).count)
            place = refused.recordStart
            let before = countLines(chunk.bytes, place, max(place, refused.textStart), endsAtReturn: decoder.endsAtCarriageReturn)
            try letters.append(
                FileDeadLetters.Record(
                    line: current.line > 0 ? line + Int64(before.count) : nil, column: max(place, refused.textStart) - before.lastLineStart + 1,
                    offset: chunks.fileOffset + Int64(place), length: Int64(refused.recordEnd - place), field: refused.field,
                    text: chunk.bytes + place, error: refused.reason),
                of: current.path)
        }
        metrics.recordsFailed.add(rows.refused.count)
        return letters.finish()
    }

    /// Goes on behind a record that is too long to be decoded, and makes a dead letter of it.
    private func passLongRecord(_ current: FileSplit, _ chunks: ChunkReader) throws(MillstreamError) -> SourcePoll {
        var current = current
        guard findLine(&current), let record = try chunks.passLongRecord(decoder, byteCount: FileReader.passedByteCountMax), let letters else {
            split = current
            return .wait(until: clock.now())
        }
        try letters.append(
            FileDeadLetters.Record(
                line: current.line > 0 ? current.line : nil, column: 1, offset: record.start, length: record.length, field: nil,
                text: UnsafePointer(record.text.base), error: "the record is longer than \(limits.bounded.recordByteCountMax) bytes"),
            of: current.path)
        if current.line > 0 { current.line += record.lineCount }
        current.offset = record.start + record.byteCount
        metrics.bytesIn.add(Int(record.byteCount))
        metrics.malformedRecords.add(1)
        metrics.recordsFailed.add(1)
        split = current
        return .decoded(nil, deadLetters: letters.finish(), split: current.id)
    }

    /// Counts the lines before the record at the split's offset, where that is the middle of a file; false if there are more to count.
    private func findLine(_ current: inout FileSplit) -> Bool {
        guard current.line == FileSplit.unknownLine, !hasNoLines else { return true }
        do throws(MillstreamError) {
            guard let line = try lines.line(at: current.offset, of: current) else { return false }
            current.line = line
        } catch {
            // Somebody took the file away. What was opened can still be read.
            hasNoLines = true
        }
        return true
    }

    private func finish(_ current: FileSplit) -> SourcePoll {
        chunks?.close()
        chunks = nil
        split = nil
        hasNoLines = false
        return .splitFinished(current.id)
    }

    private func opened(_ current: inout FileSplit) throws(MillstreamError) -> ChunkReader {
        if let chunks { return chunks }
        let chunks = try ChunkReader(&current, decoder: decoder, limits: limits, passesLongRecords: letters != nil)
        self.chunks = chunks
        return chunks
    }

    /// The line of the record at the split's offset; counted from the file's start where the split began in its middle. nil: nobody can.
    private func lineNumber(_ current: FileSplit) -> Int64? {
        var current = current
        while !findLine(&current) {}
        return current.line > 0 ? current.line : nil
    }

    func snapshot() throws(MillstreamError) -> [SourceSplit] {
        if let chunks, let current = split { split?.fingerprint = try chunks.fingerprint(current) }
        return ((split.map { [$0] } ?? []) + waiting).map(\.encoded)
    }

    func close() {
        chunks?.close()
        chunks = nil
    }
}
