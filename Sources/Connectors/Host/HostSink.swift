import Columnar
import Dataflow

/// Rows to a host's `write` function; `flush` at each checkpoint and at the end makes them durable there, or gives what a `commit` makes visible.
public final class HostSink: Sink {
    private let function: any HostFunction
    private let schema: Schema

    public init(_ function: any HostFunction, schema: Schema) {
        self.function = function
        self.schema = schema
    }

    public func makeWriter(_ context: OperatorContext) throws(MillstreamError) -> any SinkWriter {
        let instance = try function.instance()
        var open = HostRequest(.open, schema: schema)
        open.state = context.operatorState
        open.stop = context.stop
        open.integers = [Int64(context.subtask.value), Int64(context.parallelism), Int64(context.maxParallelism)]
        if let restored = context.restored { open.integers.append(restored.checkpoint.value) }
        _ = try instance.call(open)
        return HostWriter(instance, schema: schema, state: context.operatorState)
    }

    public func makeCommitter() throws(MillstreamError) -> (any Committer)? {
        function.capabilities.contains(.commit) ? HostCommitter(try function.instance()) : nil
    }
}

private final class HostCommitter: Committer {
    /// How much of a committable's text a description has.
    private static let describedByteCountMax = 400

    private var function: (any HostFunction)?

    init(_ function: any HostFunction) { self.function = function }

    func commit(_ committables: [Committable]) throws(MillstreamError) -> [CommitOutcome] {
        guard let function else { throw .internal("a committer was called after its end") }
        var request = HostRequest(.commit)
        request.payloads = committables.map(\.payload)
        return try function.call(request).outcomes
    }

    /// Hosts are asked to write texts.
    func describe(_ committable: Committable) -> String {
        let bytes = committable.payload
        guard let text = String(validating: bytes.prefix(Self.describedByteCountMax), as: UTF8.self), !text.utf8.contains(where: { $0 < 0x20 }) else {
            return "\(bytes.count) bytes of the sink's own"
        }
        return bytes.count > Self.describedByteCountMax ? text + "…" : text
    }

    func close() {
        try? function?.close()
        function = nil
    }
}

private final class HostWriter: SinkWriter {
    private var function: (any HostFunction)?
    private let schema: Schema
    private let state: (any HostStateAccess)?

    init(_ function: any HostFunction, schema: Schema, state: (any HostStateAccess)?) {
        self.function = function
        self.schema = schema
        self.state = state
    }

    func write(_ batch: Batch, notify: @escaping @Sendable () -> Void) throws(MillstreamError) -> Bool {
        guard let function else { throw .internal("a host sink was written to after its end") }
        guard !batch.isEmpty else { return true }
        let dense = try batch.compacted()
        var request = HostRequest(
            .write, count: dense.count, columns: Array(dense.columns.prefix(schema.fields.count)), schema: schema)
        request.timestamps = dense.timestamps
        request.rowKinds = dense.rowKinds
        request.state = state
        defer { state?.endRequest() }
        _ = try function.call(request)
        return true
    }

    func prepareCommit(endOfInput: Bool) throws(MillstreamError) -> [Committable] {
        var request = HostRequest(.flush, schema: schema)
        request.integers = [endOfInput ? 1 : 0]
        request.state = state
        defer { state?.endRequest() }
        guard let function else { return [] }
        let response = try function.call(request)
        return function.capabilities.contains(.commit) ? response.payloads.map { Committable(payload: $0) } : []
    }

    func snapshot() throws(MillstreamError) -> [UInt8] {
        guard let function, function.capabilities.contains(.snapshot) else { return [] }
        var request = HostRequest(.snapshot, schema: schema)
        request.state = state
        defer { state?.endRequest() }
        return try function.call(request).payloads.first ?? []
    }

    func restore(_ bytes: [UInt8]) throws(MillstreamError) {
        guard let function, function.capabilities.contains(.snapshot) else { return }
        var request = HostRequest(.restore, schema: schema)
        request.integers = [0]
        request.payloads = [bytes]
        request.state = state
        defer { state?.endRequest() }
        _ = try function.call(request)
    }

    func close() throws(MillstreamError) {
        defer { function = nil }
        try function?.close()
    }
}
