import Columnar
import Dataflow

/// Hands batches to the program that started the job. The target is bounded; while it is full the job waits.
public final class CollectSink: Sink {
    private let target: any CollectTarget

    public init(_ target: any CollectTarget) { self.target = target }

    public func makeWriter(_ context: OperatorContext) throws(MillstreamError) -> any SinkWriter { CollectWriter(target) }
    public func makeCommitter() throws(MillstreamError) -> (any Committer)? { nil }
}

private final class CollectWriter: SinkWriter {
    private let target: any CollectTarget

    init(_ target: any CollectTarget) { self.target = target }

    func write(_ batch: Batch, notify: @escaping @Sendable () -> Void) throws(MillstreamError) -> Bool {
        batch.isEmpty || target.offer(batch, notify: notify)
    }

    func prepareCommit(endOfInput: Bool) throws(MillstreamError) -> [Committable] { [] }
    func close() {}
}
