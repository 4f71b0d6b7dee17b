import Columnar
import Dataflow
import Synchronization

/// Drives a sink's writer, and commits what it has prepared: when a checkpoint that has it is complete, or at the end of input where there are none.
///
/// In a checkpoint are the writer's own state and everything prepared that has not been committed, so that a restart commits it (once more, perhaps). After
/// another parallelism the state of old subtask `i` goes to subtask `i % parallelism`: to exactly one.
public final class SinkOperator: Operator, WaitingOperator {
    /// How often a commit that asks for a retry is tried.
    static let commitAttemptCountMax = 10
    /// The pause before the first retry; each further one is twice as long, up to the longest.
    static let retryPauseMilliseconds: Int64 = 10
    static let retryPauseMillisecondsMax: Int64 = 1_000
    /// How many committables an error describes.
    private static let describedCountMax = 8
    private static let tickMilliseconds: Int64 = 1_000

    private let sink: any Sink
    private let subtaskWake: @Sendable () -> Void
    private var writer: (any SinkWriter)?
    private var context: OperatorContext?
    private var pending: Batch?
    private var watermark = EventTime.min
    private let room = Room()
    private var held = HeldCommittables()
    private var hasEnded = false
    /// The first committables asked to be tried again; nothing is committed before that.
    private var retry: Retry?
    /// Made with the first commit; nil also for a sink that has nothing to commit.
    private var committer: (any Committer)?

    private struct Retry {
        /// What has become due to be committed meanwhile.
        var last: CheckpointID
        /// How often they were tried.
        var attemptCount: Int
        /// By the monotonic clock.
        var time: Int64
    }

    /// Set while the target has no room; cleared from whatever thread makes some.
    private final class Room: Sendable { let isMissing = Atomic<Bool>(false) }

    /// `wake` is called, from any thread, when a target that was full has room.
    public init(sink: any Sink, wake: @escaping @Sendable () -> Void) {
        self.sink = sink
        subtaskWake = wake
    }

    public var isWaiting: Bool { room.isMissing.load(ordering: .acquiring) }
    public var holdsEnd: Bool { retry != nil }

    public func open(_ context: OperatorContext) throws(MillstreamError) {
        self.context = context
        writer = try sink.makeWriter(context)
        context.wakeUp(at: context.clock.now() + Self.tickMilliseconds)
    }

    public func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        pending = batch
        return try resume(output: output)
    }

    public func resume(output: any Output) throws(MillstreamError) -> Progress {
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

    public func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        self.watermark = watermark
        if let context { try writer?.onTime(context.clock.now(), watermark: watermark) }
        return .done
    }

    public func onProcessingTime(_ now: ProcessingTime, output: any Output) throws(MillstreamError) -> Progress {
        if !hasEnded { try writer?.onTime(now, watermark: watermark) }
        if let context { context.wakeUp(at: context.clock.now() + Self.tickMilliseconds) }
        if let retry { try commit(throughout: retry.last) }
        return .done
    }

    /// With checkpoints the last results wait for one more of them.
    public func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress {
        guard let writer else { return .done }
        hasEnded = true
        held.add(try writer.prepareCommit(endOfInput: true))
        if context?.checkpointing != true { try commitAll() }
        return .done
    }

    public func snapshot(_ checkpoint: CheckpointBarrier, into state: any StateWriter) throws(MillstreamError) {
        guard let writer, let context else { return }
        if !hasEnded { held.add(try writer.prepareCommit(endOfInput: false)) }
        held.assign(checkpoint.id)
        let bytes = try writer.snapshot()
        if !bytes.isEmpty { try state.write(SinkState.writer, keyGroup: nil, batch: SinkState.batch(subtask: context.subtask, writer: bytes)) }
        if !held.isEmpty {
            let committer = try openCommitter()
            let rows = try held.batch(subtask: context.subtask) { committer?.describe($0) ?? "" }
            try state.write(SinkState.committables, keyGroup: nil, batch: rows)
        }
    }

    /// Commits what the checkpoint holds once more, before the first new row: the run that wrote it may have ended before it did, or while it did.
    public func restore(from state: any StateReader) throws(MillstreamError) {
        guard let writer, let context else { return }
        var (states, committables): ([[UInt8]], [Committable]) = ([], [])
        for (_, batch) in try state.batches(SinkState.writer) { states += try SinkState.writers(batch) }
        for (_, batch) in try state.batches(SinkState.committables) { committables += try SinkState.committables(batch) }
        try writer.know(states: states, committables: committables)
        for (_, batch) in try state.batches(SinkState.writer) {
            for bytes in try SinkState.writers(batch, for: context.subtask, of: context.parallelism) { try writer.restore(bytes) }
        }
        for (_, batch) in try state.batches(SinkState.committables) {
            try held.add(restored: batch, for: context.subtask, of: context.parallelism)
        }
        // No further than that: what is prepared from now on waits for its own checkpoint, also where these are to be tried again.
        if let last = held.lastCheckpoint { try commit(throughout: last) }
    }

    public func onCheckpointComplete(_ checkpoint: CheckpointID) throws(MillstreamError) { try commit(throughout: checkpoint) }

    // Nothing to do for a checkpoint that was given up: what it has is in each later one as well, until one of them is complete.

    public func close() throws(MillstreamError) {
        pending = nil
        defer { writer = nil }
        committer?.close()
        committer = nil
        try writer?.close()
    }

    // MARK: Commits

    private func openCommitter() throws(MillstreamError) -> (any Committer)? {
        if committer == nil { committer = try sink.makeCommitter() }
        return committer
    }

    private func commitAll() throws(MillstreamError) {
        held.assign(.everLater)
        try commit(throughout: .everLater)
    }

    /// Commits, checkpoint by checkpoint, what was prepared up to one. What is not committed stays held, also where this throws.
    ///
    /// What asks for a retry is tried again after a pause, and all that comes behind it waits; rows are written meanwhile.
    private func commit(throughout checkpoint: CheckpointID) throws(MillstreamError) {
        var last = checkpoint
        var attemptCount = 0
        if let retry {
            last = max(retry.last, checkpoint)
            attemptCount = retry.attemptCount
            self.retry?.last = last
            if let context, context.clock.monotonicNanoseconds() < retry.time { return wakeUpForRetry(context, retry.time) }
        }
        while let group = held.first(throughout: last) {
            guard let committer = try openCommitter() else {
                throw MillstreamError(
                    .invalidState, "the checkpoint holds \(group.count) result(s) to commit, and the sink commits nothing",
                    hint: "Is it another sink than the one that the checkpoint was made with?")
            }
            attemptCount += 1
            guard try !commit(group, by: committer, attempt: attemptCount) else {
                attemptCount = 0
                continue
            }
            // A clock that only the program moves would keep the job from its end.
            guard let context, !(context.clock is ManualClock) else { continue }
            let pause = min(Self.retryPauseMilliseconds << Int64(attemptCount - 1), Self.retryPauseMillisecondsMax)
            let time = context.clock.monotonicNanoseconds() &+ pause &* 1_000_000
            retry = Retry(last: last, attemptCount: attemptCount, time: time)
            return wakeUpForRetry(context, time)
        }
        retry = nil
    }

    private func wakeUpForRetry(_ context: OperatorContext, _ time: Int64) {
        let wait = max(0, time &- context.clock.monotonicNanoseconds()) / 1_000_000
        context.wakeUp(at: context.clock.now() + wait)
    }

    /// One attempt. False: some of them are to be tried again; they are held.
    private func commit(_ group: [Committable], by committer: any Committer, attempt: Int) throws(MillstreamError) -> Bool {
        let outcomes = try committer.commit(group)
        guard outcomes.count == group.count else {
            throw MillstreamError(.userFunction, "a committer gave \(outcomes.count) answers for \(group.count) committables")
        }
        var unknown: [Committable] = []
        var isDone = [Bool](repeating: false, count: group.count)
        var failure: MillstreamError?
        var isWhole = true
        for (index, outcome) in outcomes.enumerated() {
            switch outcome {
            case .committed, .alreadyCommitted: isDone[index] = true
            case .retry(let error):
                isWhole = false
                if attempt >= Self.commitAttemptCountMax { failure = failure ?? Self.gaveUp(error, committer.describe(group[index])) }
            case .failed(let error): failure = failure ?? error
            case .unknown(let error):
                unknown.append(group[index])
                // Worse than any other failure: a restart must not try again by itself.
                if unknown.count == 1 { failure = error }
            }
        }
        held.removeFirst(group.count, where: isDone)
        if let failure { throw unknown.isEmpty ? failure : commitUnknown(unknown, failure, committer) }
        return isWhole
    }

    private static func gaveUp(_ cause: MillstreamError, _ what: String) -> MillstreamError {
        var error = cause
        error.message = "a commit was to be tried again \(commitAttemptCountMax) times, and that was the last one (\(what)): \(cause.message)"
        return error
    }

    private func commitUnknown(_ committables: [Committable], _ cause: MillstreamError, _ committer: any Committer) -> MillstreamError {
        var error = cause
        error.code = .commitUnknown
        error.isRetryable = false
        let named = committables.prefix(Self.describedCountMax).map { committer.describe($0) }.joined(separator: "; ")
        let more = committables.count > Self.describedCountMax ? "; and \(committables.count - Self.describedCountMax) more" : ""
        error.message = "COMMIT_UNKNOWN: it is not known whether \(committables.count) result(s) became visible (\(named)\(more)): \(cause.message)"
        error.hint = cause.hint ?? "Nothing was dropped: look at the target, then decide whether to commit or to drop them."
        return error
    }
}
