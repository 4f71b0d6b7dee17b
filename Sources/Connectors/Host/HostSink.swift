import Columnar
import Dataflow

/// Rows to a host's `write` function; `flush` at each checkpoint and at the end makes them durable there.
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

    public func makeCommitter() throws(MillstreamError) -> (any Committer)? { nil }
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
        _ = try function?.call(request)
        return []
    }

    func close() throws(MillstreamError) {
        defer { function = nil }
        try function?.close()
    }
}
