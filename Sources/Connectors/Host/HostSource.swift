import Columnar
import Dataflow

/// Rows from a host's `read` function, in one subtask. The position counts rows and is given to the host at each call; a host that can tells its own
/// position as well.
public final class HostSource: Source {
    /// How soon the host is asked again after it had no rows, in milliseconds: often enough to feel live, rare enough to cost nothing.
    static let idlePollMilliseconds: Int64 = 10

    public let schema: Schema
    public let boundedness: Boundedness
    private let function: any HostFunction

    public init(_ function: any HostFunction, isBounded: Bool, schema: Schema) {
        self.function = function
        self.schema = schema
        boundedness = isBounded ? .bounded : .unbounded
    }

    public func makeEnumerator(parallelism: Int) throws(MillstreamError) -> any SplitEnumerator {
        SplitList([HostReader.split(position: 0)])
    }

    public func makeReader(_ context: SourceReaderContext) throws(MillstreamError) -> any SourceReader {
        HostReader(function, schema: schema, context: context)
    }
}

private final class HostReader: SourceReader {
    private let prototype: any HostFunction
    private let schema: Schema
    private let context: SourceReaderContext
    /// Made with the first split, so that only the subtask that reads opens the host's function.
    private var function: (any HostFunction)?
    private var position: Int64?
    private var isComplete = false
    private var isAtEnd = false

    init(_ function: any HostFunction, schema: Schema, context: SourceReaderContext) {
        prototype = function
        self.schema = schema
        self.context = context
    }

    static func split(position: Int64, own: [UInt8]? = nil) -> SourceSplit {
        var encoder = StateEncoder()
        encoder.put(position)
        if let own { encoder.put(own) }
        return SourceSplit(id: "host", payload: encoder.bytes)
    }

    func addSplit(_ split: SourceSplit) throws(MillstreamError) {
        var decoder = try StateDecoder(split.payload, subject: "the position of a host source")
        let position = try decoder.int64()
        let own = decoder.isAtEnd ? nil : try decoder.byteString()
        self.position = position
        let instance = try prototype.instance()
        var open = HostRequest(.open)
        open.state = context.operatorState
        open.integers = [Int64(context.subtask.value), Int64(context.parallelism), Int64(context.parallelism)]
        _ = try instance.call(open)
        function = instance
        try restore(instance, position, own)
    }

    private func restore(_ instance: any HostFunction, _ position: Int64, _ own: [UInt8]?) throws(MillstreamError) {
        if instance.capabilities.contains(.snapshot) {
            var request = HostRequest(.restore, schema: schema)
            request.integers = [position]
            if let own { request.payloads = [own] }
            request.state = context.operatorState
            defer { context.operatorState?.endRequest() }
            _ = try instance.call(request)
        } else if position > 0 {
            throw MillstreamError(
                .unsupported, "'\(prototype.name)' cannot go back: it does not tell where it is, and the checkpoint is behind its row \(position)",
                hint: "A source in Python tells it with snapshot_position and restore_position, one in C with MILLSTREAM_CAN_SNAPSHOT.")
        }
    }

    func noMoreSplits() { isComplete = true }

    func poll(rowLimit: Int) throws(MillstreamError) -> SourcePoll {
        guard let function, let position else { return isComplete ? .end : .needsSplit }
        if isAtEnd {
            self.position = nil
            return .splitFinished("host")
        }
        var request = HostRequest(.read, schema: schema)
        request.integers = [Int64(max(1, rowLimit)), position]
        request.state = context.operatorState
        defer { context.operatorState?.endRequest() }
        let response = try function.call(request)
        isAtEnd = response.isEnd
        guard let rows = response.outputs.first, rows.count > 0 else {
            let pause = response.waitMilliseconds ?? HostSource.idlePollMilliseconds
            return .wait(until: context.clock.now() + (isAtEnd ? 0 : pause))
        }
        guard rows.columns.count == schema.fields.count else {
            throw MillstreamError(
                .typeMismatch, "'\(prototype.name)' gave \(rows.columns.count) columns, expected (\(schema.columnList))")
        }
        self.position = position.addingSaturating(Int64(rows.count))
        return .batch(Batch(schema: schema, columns: rows.columns, count: rows.count, timestamps: rows.timestamps), split: "host")
    }

    func snapshot() throws(MillstreamError) -> [SourceSplit] {
        guard let function, let position else { return [] }
        guard function.capabilities.contains(.snapshot) else { return [HostReader.split(position: position)] }
        var request = HostRequest(.snapshot, schema: schema)
        request.state = context.operatorState
        defer { context.operatorState?.endRequest() }
        return [HostReader.split(position: position, own: try function.call(request).payloads.first)]
    }

    func close() throws(MillstreamError) {
        defer { function = nil }
        try function?.close()
    }
}
