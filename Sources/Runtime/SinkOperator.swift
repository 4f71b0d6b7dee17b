import Columnar
import Dataflow
import Synchronization

/// Drives a sink's writer, and commits what it has prepared at the end of input.
final class SinkOperator: Operator, WaitingOperator {
    /// How often a commit that asks for a retry is tried.
    static let commitAttemptCountMax = 10
    private static let tickMilliseconds: Int64 = 1_000

    private let sink: any Sink
    private let subtaskWake: @Sendable () -> Void
    private var writer: (any SinkWriter)?
    private var context: OperatorContext?
    private var pending: Batch?
    private var watermark = EventTime.min
    private let room = Room()

    /// Set while the target has no room; cleared from whatever thread makes some.
    private final class Room: Sendable { let isMissing = Atomic<Bool>(false) }

    init(sink: any Sink, wake: @escaping @Sendable () -> Void) {
        self.sink = sink
        subtaskWake = wake
    }

    var isWaiting: Bool { room.isMissing.load(ordering: .acquiring) }

    func open(_ context: OperatorContext) throws(MillstreamError) {
        self.context = context
        writer = try sink.makeWriter(context)
        context.wakeUp(at: context.clock.now() + Self.tickMilliseconds)
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        pending = batch
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        guard let batch = pending, let writer else { return .done }
        let room = self.room
        let wake = subtaskWake
        room.isMissing.store(true, ordering: .releasing)
        let isTaken = try writer.write(batch) {
            room.isMissing.store(false, ordering: .releasing)
            wake()
        }
        guard isTaken else { return .more }
        room.isMissing.store(false, ordering: .releasing)
        pending = nil
        return .done
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        self.watermark = watermark
        if let context { try writer?.onTime(context.clock.now(), watermark: watermark) }
        return .done
    }

    func onProcessingTime(_ now: ProcessingTime, output: any Output) throws(MillstreamError) -> Progress {
        try writer?.onTime(now, watermark: watermark)
        context?.wakeUp(at: now + Self.tickMilliseconds)
        return .done
    }

    func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress {
        guard let writer else { return .done }
        let committables = try writer.prepareCommit(endOfInput: true)
        guard let committer = try sink.makeCommitter() else { return .done }
        defer { committer.close() }
        try commit(committables, by: committer)
        return .done
    }

    func close() throws(MillstreamError) {
        pending = nil
        defer { writer = nil }
        try writer?.close()
    }

    private func commit(_ committables: [Committable], by committer: any Committer) throws(MillstreamError) {
        var rest = committables
        for attempt in 1...Self.commitAttemptCountMax where !rest.isEmpty {
            let outcomes = try committer.commit(rest)
            var again: [Committable] = []
            for (committable, outcome) in zip(rest, outcomes) {
                switch outcome {
                case .committed, .alreadyCommitted: break
                case .retry(let error):
                    if attempt == Self.commitAttemptCountMax { throw error }
                    again.append(committable)
                case .failed(let error): throw error
                case .unknown(var error):
                    error.message = "COMMIT_UNKNOWN: it is not known whether \(rest.count) result(s) became visible: " + error.message
                    error.hint = error.hint ?? "Nothing was dropped; look at the target before running the job again."
                    throw error
                }
            }
            rest = again
        }
    }
}
