import Columnar
import Dataflow

/// When to take a checkpoint, when one is complete, when one has failed, and when the job has: decisions alone. Whoever drives it tells it what
/// happened and when, and carries out what it says. Nothing here asks a clock, waits, or touches a disk.
///
/// Semantics are those of Flink's CheckpointCoordinator: the minimum pause counts from the end of the last checkpoint, an older pending checkpoint is
/// subsumed when a newer one completes, and only failures since the last completed checkpoint count against the tolerance. Failed savepoints do not, whatever
/// they failed with.
public struct CheckpointCoordinator {
    public struct Settings: Hashable, Sendable {
        /// Milliseconds between two triggers; nil: none but those that are asked for.
        public var interval: Int64?
        public var timeout: Int64 = 600_000
        /// From the end of one checkpoint to the trigger of the next.
        public var minPause: Int64 = 0
        /// With a minimum pause it counts as 1, as in Flink.
        public var maxConcurrent = 1
        /// So many checkpoints in a row may fail; one more fails the job. Nil: any number.
        public var tolerableFailures: Int? = 0
        public var alignment = CheckpointBarrier.Alignment.exactlyOnce
        /// How many completed ones are kept, at least 1.
        public var retained = 1

        public init() {}
    }

    /// Why a checkpoint came to nothing.
    public enum Failure: Hashable, Sendable {
        case timeout
        /// A subtask said no: its reason.
        case declined(String)
        /// A newer one was completed first.
        case subsumed
        /// The files could not be written.
        case storage(String)
        /// The job stopped or restarts.
        case stopped

        /// Whether it counts against the tolerance.
        var counts: Bool {
            switch self {
            case .timeout, .declined, .storage: true
            case .subsumed, .stopped: false
            }
        }
    }

    /// What is to be done, in this order.
    public enum Action: Hashable, Sendable {
        /// Send this barrier from all sources.
        case trigger(CheckpointBarrier)
        /// All subtasks have written their state: write the manifest, then say `onStored` or `onStoreFailed`.
        case store(CheckpointID)
        /// Tell the subtasks that the checkpoint is complete: what was prepared may be committed.
        case notifyComplete(CheckpointID)
        /// Tell the subtasks, and delete what was written.
        case abort(CheckpointID, Failure)
        /// Delete a completed checkpoint that is no longer kept.
        case discard(CheckpointID)
        /// The job fails: too many checkpoints have.
        case failJob(Failure)
    }

    private struct Pending {
        let barrier: CheckpointBarrier
        let stops: Bool
        var waiting: Set<Int>
        var isStoring = false
    }

    public let settings: Settings
    /// All subtasks that must acknowledge; those that have ended do so by having ended.
    private var running: Set<Int>
    private var pending: [Pending] = []
    private var completed: [CheckpointID] = []
    private var nextID: Int64
    private var nextTrigger: Int64?
    private var lastEnd: Int64?
    /// How many checkpoints have failed since the last one that was complete.
    public private(set) var failuresInARow = 0
    private var requests: [(isSavepoint: Bool, stops: Bool)] = []
    private var hasStopped = false

    /// `subtaskCount` subtasks, numbered from 0. After a restart `firstID` is one more than the last checkpoint's, and `retained` are the completed ones that
    /// are still kept, the oldest first.
    public init(_ settings: Settings, subtaskCount: Int, now: ProcessingTime, firstID: Int64 = 1, retained: [CheckpointID] = []) {
        self.settings = settings
        running = Set(0..<subtaskCount)
        nextID = firstID
        nextTrigger = settings.interval.map { now.milliseconds.addingSaturating(max($0, settings.minPause)) }
        completed = retained
    }

    /// When `onTime` wants to be called next; nil: not before something else happens.
    public var nextTime: ProcessingTime? {
        var times = pending.filter { !$0.isStoring }.map { $0.barrier.triggered.milliseconds.addingSaturating(settings.timeout) }
        if canTrigger, let nextTrigger { times.append(earliestTrigger(nextTrigger)) }
        return times.min().map { ProcessingTime(milliseconds: $0) }
    }

    private var concurrentMax: Int { settings.minPause > 0 ? 1 : max(1, settings.maxConcurrent) }
    /// Nothing begins behind a savepoint that the job stops with: it would commit what timers give behind the savepoint's barrier, and whoever goes on from
    /// the savepoint would give it again.
    private var canTrigger: Bool { !hasStopped && pending.count < concurrentMax && !running.isEmpty && !pending.contains(where: \.stops) }

    private func earliestTrigger(_ time: Int64) -> Int64 {
        guard settings.minPause > 0, let lastEnd else { return time }
        return max(time, lastEnd.addingSaturating(settings.minPause))
    }

    public mutating func onTime(_ now: ProcessingTime) -> [Action] {
        var actions: [Action] = []
        for late in pending where !late.isStoring && late.barrier.triggered.milliseconds.addingSaturating(settings.timeout) <= now.milliseconds {
            actions += fail(late.barrier.id, .timeout, now)
        }
        return actions + trigger(now)
    }

    /// Somebody wants a checkpoint or a savepoint now. It waits only for room among the concurrent ones. `stops`: the job ends with it, unless it fails.
    public mutating func request(isSavepoint: Bool, stops: Bool = false, now: ProcessingTime) -> [Action] {
        guard !hasStopped else { return [] }
        requests.append((isSavepoint, stops))
        return trigger(now)
    }

    private mutating func trigger(_ now: ProcessingTime) -> [Action] {
        var actions: [Action] = []
        while canTrigger {
            var (isSavepoint, stops) = (false, false)
            if !requests.isEmpty {
                (isSavepoint, stops) = requests.removeFirst()
            } else if let time = nextTrigger, earliestTrigger(time) <= now.milliseconds {
                // A clock that jumped, or a checkpoint that took long, makes one trigger late; it does not make several at once.
                let interval = max(1, settings.interval ?? 1)
                let regular = time.addingSaturating(interval)
                nextTrigger = regular > now.milliseconds ? regular : now.milliseconds.addingSaturating(interval)
            } else {
                return actions
            }
            // A savepoint is aligned: it must not hold rows in flight.
            let alignment = isSavepoint && settings.alignment == .unaligned ? .exactlyOnce : settings.alignment
            let barrier = CheckpointBarrier(id: CheckpointID(nextID), triggered: now, alignment: alignment, isSavepoint: isSavepoint)
            nextID &+= 1
            pending.append(Pending(barrier: barrier, stops: stops, waiting: running))
            actions.append(.trigger(barrier))
        }
        return actions
    }

    /// A subtask has written its state. Late and repeated answers change nothing.
    public mutating func onAcknowledged(_ id: CheckpointID, subtask: Int) -> [Action] {
        guard let index = pending.firstIndex(where: { $0.barrier.id == id }), pending[index].waiting.remove(subtask) != nil else { return [] }
        return storeIfWhole(index)
    }

    /// A subtask cannot write its state.
    public mutating func onDeclined(_ id: CheckpointID, reason: String, now: ProcessingTime) -> [Action] {
        fail(id, .declined(reason), now) + trigger(now)
    }

    /// A subtask has ended with its input, its last state told: no checkpoint waits for it any more.
    public mutating func onEnded(subtask: Int) -> [Action] {
        running.remove(subtask)
        var actions: [Action] = []
        for index in pending.indices where pending[index].waiting.remove(subtask) != nil { actions += storeIfWhole(index) }
        return actions
    }

    private mutating func storeIfWhole(_ index: Int) -> [Action] {
        guard pending[index].waiting.isEmpty, !pending[index].isStoring else { return [] }
        pending[index].isStoring = true
        return [.store(pending[index].barrier.id)]
    }

    /// The manifest is durable: the checkpoint is complete.
    public mutating func onStored(_ id: CheckpointID, now: ProcessingTime) -> [Action] {
        guard let index = pending.firstIndex(where: { $0.barrier.id == id }) else { return [.discard(id)] }
        let entry = pending.remove(at: index)
        let barrier = entry.barrier
        if entry.stops { hasStopped = true }
        lastEnd = now.milliseconds
        failuresInARow = 0
        var actions = [Action.notifyComplete(id)]
        // A savepoint is the user's: it is never discarded, and it subsumes no checkpoint.
        guard !barrier.isSavepoint else { return actions + trigger(now) }
        for older in pending where older.barrier.id < id && !older.barrier.isSavepoint { actions += fail(older.barrier.id, .subsumed, now) }
        completed.append(id)
        while completed.count > max(1, settings.retained) { actions.append(.discard(completed.removeFirst())) }
        return actions + trigger(now)
    }

    public mutating func onStoreFailed(_ id: CheckpointID, reason: String, now: ProcessingTime) -> [Action] {
        fail(id, .storage(reason), now) + trigger(now)
    }

    /// The job stops, or its tasks start anew: nothing pending can come to an end.
    public mutating func onStop(now: ProcessingTime) -> [Action] {
        hasStopped = true
        requests = []
        return pending.map(\.barrier.id).flatMap { fail($0, .stopped, now) }
    }

    private mutating func fail(_ id: CheckpointID, _ failure: Failure, _ now: ProcessingTime) -> [Action] {
        guard let index = pending.firstIndex(where: { $0.barrier.id == id }) else { return [] }
        let isSavepoint = pending.remove(at: index).barrier.isSavepoint
        lastEnd = now.milliseconds
        var actions = [Action.abort(id, failure)]
        // Whoever asked for a savepoint is told; the job goes on.
        if failure.counts, !isSavepoint {
            failuresInARow += 1
            if let tolerable = settings.tolerableFailures, failuresInARow > tolerable { actions.append(.failJob(failure)) }
        }
        return actions
    }
}
