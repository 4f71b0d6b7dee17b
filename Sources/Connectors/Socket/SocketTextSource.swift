import Columnar
import Dataflow
import Glibc
import Synchronization

/// Lines of text from a TCP server, in one subtask, until the server closes the connection.
///
/// A thread of its own waits for the socket, so that no worker does; what it has received is bounded, and beyond that it stops to read, which slows the
/// server down. A socket cannot be read again: after a restart the stream goes on with what comes then, as with Flink.
public final class SocketTextSource: Source {
    /// Received bytes that nobody has taken yet; twice this may be held while a line is incomplete.
    static let pendingByteCountMax = 1 << 20
    /// A line that is longer stops the job.
    static let lineByteCountMax = 16 << 20
    /// Between two attempts to connect, as Flink's.
    static let retryMilliseconds: Int32 = 500

    public let schema: Schema
    public var boundedness: Boundedness { .unbounded }
    private let host: String
    private let port: Int
    private let delimiter: UInt8
    private let maxRetries: Int

    /// `maxRetries`: how often a connection that fails or breaks is tried again; -1 is for ever. Throws `configuration` for a port out of range.
    public init(host: String, port: Int, delimiter: UInt8, maxRetries: Int, schema: Schema) throws(MillstreamError) {
        guard (1...65_535).contains(port) else { throw MillstreamError(.configuration, "the port of a socket source is \(port), not in 1...65535") }
        guard !host.isEmpty, !host.utf8.contains(0) else { throw MillstreamError(.configuration, "a socket source has no host") }
        guard maxRetries >= -1 else { throw MillstreamError(.configuration, "a socket source's retries are \(maxRetries), below -1") }
        guard schema.fields.count == 1, schema.fields[0].type.isText else {
            throw MillstreamError(.typeMismatch, "a socket source has one column of type STRING, not (\(schema.columnList))")
        }
        self.host = host
        self.port = port
        self.delimiter = delimiter
        self.maxRetries = maxRetries
        self.schema = schema
    }

    public func makeEnumerator(parallelism: Int) throws(MillstreamError) -> any SplitEnumerator {
        SplitList([SourceSplit(id: "\(host):\(port)", payload: StateEncoder().bytes)])
    }

    public func makeReader(_ context: SourceReaderContext) throws(MillstreamError) -> any SourceReader {
        SocketReader(
            connection: { notify in SocketConnection(host: self.host, port: self.port, maxRetries: self.maxRetries, notify: notify) },
            delimiter: delimiter, schema: schema, context: context)
    }
}

/// Cuts what a connection received into lines.
private final class SocketReader: SourceReader {
    private let makeConnection: (@escaping @Sendable () -> Void) -> SocketConnection
    private let delimiter: UInt8
    private let schema: Schema
    private let context: SourceReaderContext
    private var connection: SocketConnection?
    private var split: SourceSplit?
    private var isComplete = false
    private var received: [UInt8] = []
    /// Where the next line starts in `received`.
    private var position = 0
    private var hasEnded = false
    private var lineCount: Int64 = 0

    init(
        connection: @escaping (@escaping @Sendable () -> Void) -> SocketConnection, delimiter: UInt8, schema: Schema, context: SourceReaderContext
    ) {
        makeConnection = connection
        self.delimiter = delimiter
        self.schema = schema
        self.context = context
    }

    func addSplit(_ split: SourceSplit) throws(MillstreamError) {
        self.split = split
        let connection = makeConnection(context.notifyAvailable)
        self.connection = connection
        try connection.start()
    }

    func noMoreSplits() { isComplete = true }

    func poll(rowLimit: Int) throws(MillstreamError) -> SourcePoll {
        guard let split, let connection else { return isComplete ? .end : .needsSplit }
        while true {
            if let batch = try lines(max(1, rowLimit)) { return .batch(batch, split: split.id) }
            if hasEnded {
                self.split = nil
                close()
                return .splitFinished(split.id)
            }
            switch connection.take() {
            case .nothing: return .wait(until: nil)
            case .bytes(let bytes):
                received.removeFirst(position)
                position = 0
                received += bytes
                guard received.count <= SocketTextSource.lineByteCountMax else {
                    throw MillstreamError(
                        .limitExceeded, "line \(lineCount + 1) of \(split.id) is longer than \(SocketTextSource.lineByteCountMax) bytes")
                }
            case .end: hasEnded = true
            case .failure(let error): throw error
            }
        }
    }

    /// The next lines; at the end also the last one without a delimiter.
    private func lines(_ rowLimit: Int) throws(MillstreamError) -> Batch? {
        var builder = ViewBuilder()
        while builder.count < rowLimit {
            guard let end = received[position...].firstIndex(of: delimiter) ?? (hasEnded && position < received.count ? received.count : nil) else {
                break
            }
            var lineEnd = end
            // As Flink's socket source does for its usual delimiter.
            if delimiter == 0x0A, lineEnd > position, received[lineEnd - 1] == 0x0D { lineEnd -= 1 }
            lineCount += 1
            try append(position, lineEnd, to: &builder)
            position = min(end + 1, received.count)
        }
        guard builder.count > 0 else { return nil }
        let count = builder.count
        return Batch(schema: schema, columns: [builder.finish(type: schema.fields[0].type)], count: count)
    }

    private func append(_ start: Int, _ end: Int, to builder: inout ViewBuilder) throws(MillstreamError) {
        let line = Array(received[start..<end])
        let isText = line.withUnsafeBufferPointer { $0.baseAddress.map { isUTF8($0, line.count) } ?? true }
        guard isText else {
            let shown = line.withUnsafeBufferPointer { $0.baseAddress.map { quoted($0, line.count) } ?? "''" }
            throw MillstreamError(.decode, "line \(lineCount) of \(split?.id ?? "a socket") is not UTF-8: \(shown)")
        }
        var failure: MillstreamError?
        line.withUnsafeBytes { bytes in
            do throws(MillstreamError) { try builder.append(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    func snapshot() throws(MillstreamError) -> [SourceSplit] { split.map { [$0] } ?? [] }

    func close() {
        connection?.stop()
        connection = nil
    }
}
