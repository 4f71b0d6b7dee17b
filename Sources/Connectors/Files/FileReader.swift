import Columnar
import Dataflow
import Glibc

/// Reads files chunk by chunk, one split at a time.
final class FileReader: SourceReader {
    /// Rows of one batch, whatever is asked for.
    private static let rowCountMax = 1 << 16

    private let decoder: any FileDecoder
    private let metrics: OperatorMetrics
    private let limits: FileReadLimits
    private var waiting: [FileSplit] = []
    private var isComplete = false
    private var split: FileSplit?
    private var chunks: ChunkReader?
    /// The error behind the rows that were given out last.
    private var failure: MillstreamError?

    init(decoder: any FileDecoder, metrics: OperatorMetrics, limits: FileReadLimits) {
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
            let rows = try decoder.next(rowLimit: min(max(1, rowLimit), FileReader.rowCountMax))
            advance(&current, chunks, rows, chunk)
            split = current
            if rows.isExhausted, failure == nil { try chunks.refill(from: rows.position, decoder) }
            if let batch = rows.batch { return .batch(batch, split: current.id) }
            if let failure { throw failure }
        }
    }

    private func advance(_ current: inout FileSplit, _ chunks: ChunkReader, _ rows: DecodedRows, _ chunk: Chunk) {
        if current.line > 0 { current.line += rows.lineCount }
        let offset = chunks.fileOffset + Int64(rows.position)
        metrics.bytesIn.add(Int(offset - current.offset))
        current.offset = offset
        if rows.malformedCount > 0 { metrics.malformedRecords.add(rows.malformedCount) }
        if let failure = rows.failure {
            self.failure = failure.error(
                file: current.path, line: lineNumber(current), chunk: chunk, fileOffset: chunks.fileOffset)
        }
    }

    private func finish(_ current: FileSplit) -> SourcePoll {
        chunks?.close()
        chunks = nil
        split = nil
        return .splitFinished(current.id)
    }

    private func opened(_ current: inout FileSplit) throws(MillstreamError) -> ChunkReader {
        if let chunks { return chunks }
        let chunks = try ChunkReader(&current, decoder: decoder, limits: limits)
        self.chunks = chunks
        return chunks
    }

    /// The line of the record at the split's offset; counted from the file's start where the split began in its middle.
    private func lineNumber(_ current: FileSplit) -> Int64? {
        if current.line > 0 { return current.line }
        guard let input = try? PlainInput(current.path) else { return nil }
        let buffer = Buffer(byteCount: 1 << 20)
        let bytes = UnsafePointer(buffer.pointer(as: UInt8.self))
        var (line, left): (Int64, Int64) = (1, current.offset)
        // `\r\n` across the border of two buffers counts once: a `\r` at the end of a buffer waits for its successor.
        var endedWithReturn = false
        while left > 0 {
            guard let count = try? input.read(into: buffer.base, Int(min(left, 1 << 20))), count > 0 else { return nil }
            line += Int64(countLines(bytes, 0, count).count)
            if endedWithReturn, bytes[0] == 0x0A { line -= 1 }
            endedWithReturn = bytes[count - 1] == 0x0D
            left -= Int64(count)
        }
        return line
    }

    func snapshot() throws(MillstreamError) -> [SourceSplit] { ((split.map { [$0] } ?? []) + waiting).map(\.encoded) }

    func close() {
        chunks?.close()
        chunks = nil
    }
}
