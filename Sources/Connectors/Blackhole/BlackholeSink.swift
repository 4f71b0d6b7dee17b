import Columnar
import Dataflow

/// Takes rows and drops them: for measurements, and for jobs whose effects are elsewhere.
public final class BlackholeSink: Sink {
    public init() {}
    public func makeWriter(_ context: OperatorContext) throws(MillstreamError) -> any SinkWriter { BlackholeWriter() }
    public func makeCommitter() throws(MillstreamError) -> (any Committer)? { nil }
}

private final class BlackholeWriter: SinkWriter {
    func write(_ batch: Batch, notify: @escaping @Sendable () -> Void) throws(MillstreamError) -> Bool { true }
    func prepareCommit(endOfInput: Bool) throws(MillstreamError) -> [Committable] { [] }
    func close() {}
}
