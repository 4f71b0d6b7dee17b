import Columnar
import Dataflow
import State
import Synchronization

/// A source's enumerator, shared by the readers of all its subtasks.
final class SharedEnumerator: @unchecked Sendable {
    private let enumerator: any SplitEnumerator
    /// A checkpoint whose barrier has not reached all readers.
    private struct Passing {
        let id: CheckpointID
        /// The readers that the barrier has passed: splits that they get now are in no reader's state.
        var passed: Set<Int> = []
        var late: [SourceSplit] = []
        /// The enumerator's state as of when the last reader had it or went.
        var kept: Result<[UInt8], MillstreamError>?
    }

    private let lock = Guarded(())
    private let users: Atomic<Int>
    private let userCount: Int
    /// With the lock.
    private var passing: [Passing] = []
    /// Readers that have ended. With the lock.
    private var gone: Set<Int> = []

    init(_ enumerator: any SplitEnumerator, userCount: Int) {
        self.enumerator = enumerator
        self.userCount = userCount
        users = Atomic(userCount)
    }

    func nextSplit(for subtask: SubtaskIndex) throws(MillstreamError) -> SplitAssignment {
        try lock.withLock { _ throws(MillstreamError) in
            let assignment = try enumerator.nextSplit(for: subtask)
            if case .split(let split) = assignment {
                for index in passing.indices where passing[index].passed.contains(subtask.value) { passing[index].late.append(split) }
            }
            return assignment
        }
    }

    func begin(_ id: CheckpointID) { lock.withLock { _ in passing.append(Passing(id: id, passed: gone)) } }
    func abort(_ id: CheckpointID) { lock.withLock { _ in passing.removeAll { $0.id == id } } }

    /// The barrier is about to pass a reader. The last one gets the enumerator's state: what nobody has, and what was given out behind the barrier.
    func pass(_ id: CheckpointID, subtask: SubtaskIndex) throws(MillstreamError) -> [UInt8]? {
        try lock.withLock { _ throws(MillstreamError) in
            guard let index = passing.firstIndex(where: { $0.id == id }) else { return nil }
            passing[index].passed.insert(subtask.value)
            guard passing[index].passed.count == userCount else { return nil }
            let late = passing.remove(at: index).late
            return try RuntimePart.encode(enumerator: try enumerator.snapshot(), late: late)
        }
    }

    /// Before the first reader asks: goes on from a checkpoint. `splits` come back to be given out anew.
    func restore(_ state: [UInt8], splits: [SourceSplit]) throws(MillstreamError) {
        try lock.withLock { _ throws(MillstreamError) in
            try enumerator.restore(state)
            if !splits.isEmpty { enumerator.addBack(splits) }
        }
    }

    /// Each subtask calls it once; the last one closes the enumerator.
    func leave(_ subtask: SubtaskIndex) {
        lock.withLock { _ in
            gone.insert(subtask.value)
            for index in passing.indices {
                passing[index].passed.insert(subtask.value)
                guard passing[index].passed.count == userCount, passing[index].kept == nil else { continue }
                do throws(MillstreamError) {
                    passing[index].kept = .success(try RuntimePart.encode(enumerator: try enumerator.snapshot(), late: passing[index].late))
                } catch {
                    passing[index].kept = .failure(error)
                }
            }
        }
        if users.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { enumerator.close() }
    }

    /// The enumerator's state, where no reader took it along because the last one had gone before the barrier came to it. Nil if a reader did, and if all had
    /// gone before the checkpoint began.
    func take(_ id: CheckpointID) throws(MillstreamError) -> [UInt8]? {
        try lock.withLock { _ throws(MillstreamError) in
            guard let index = passing.firstIndex(where: { $0.id == id }), let kept = passing.remove(at: index).kept else { return nil }
            return try kept.get()
        }
    }

    /// Closes the enumerator of a job that was never started.
    func abandon() { enumerator.close() }
}

/// Which splits a source's subtask has, for reports while it reads. Written where a split begins or ends, never per batch.
final class SplitProgress: Sendable {
    private let splits = Guarded(EventTimeReport.Splits())

    func begin(_ id: String) { splits.withLock { $0.reading.append(id) } }
    func finish(_ id: String) {
        splits.withLock { splits in
            splits.reading.removeAll { $0 == id }
            splits.finishedCount += 1
        }
    }
    func noMore() { splits.withLock { $0.mayHaveMore = false } }
    func read() -> EventTimeReport.Splits { splits.withLock { $0 } }
}

/// The head of a source's chain: polls the reader and asks for splits.
final class SourceInput {
    enum Event {
        case batch(Batch)
        case decoded(Batch?, deadLetters: Batch)
        /// Nothing now; again at this processing time, or when the reader says so.
        case wait(ProcessingTime?)
        case end
    }

    private let source: any Source
    private let enumerator: SharedEnumerator
    private let context: SourceReaderContext
    private let rowCountLimit: Int
    /// The side output for records that do not decode, and the place in the chain of the operator that it belongs to: a source's own assigner of
    /// timestamps is a part of the source.
    let deadLetters: (output: SideOutputID, link: Int)?
    let progress = SplitProgress()
    private var reader: (any SourceReader)?
    private var noMoreSplits = false
    private var hasEnded = false

    init(
        source: any Source, enumerator: SharedEnumerator, context: SourceReaderContext, rowCountLimit: Int,
        deadLetters: (output: SideOutputID, link: Int)? = nil
    ) {
        self.deadLetters = deadLetters
        self.source = source
        self.enumerator = enumerator
        self.context = context
        self.rowCountLimit = rowCountLimit
    }

    /// The clock that the times of `wait` are of.
    var clock: any Clock { context.clock }

    /// `state` is what a checkpoint has of the source; its splits are the reader's again unless the parallelism has changed.
    func open(restoring state: SubtaskState?) throws(MillstreamError) {
        if let state, let own = context.operatorState as? KeyedState {
            try own.restoreOperatorState(from: state.reader, subtask: context.subtask, parallelism: context.parallelism)
        }
        reader = try source.makeReader(context)
        guard let state else { return }
        hasEnded = try state.hasEnded()
        for split in try state.ownSplits() {
            progress.begin(split.id)
            try reader?.addSplit(split)
        }
    }

    /// The reader's state, and the enumerator's if this is the last of its readers.
    func snapshot(_ id: CheckpointID, into state: any StateWriter) throws(MillstreamError) -> (splits: [SourceSplit], enumerator: [UInt8]?) {
        let splits = hasEnded ? [] : try reader?.snapshot() ?? []
        if let own = context.operatorState as? KeyedState { try own.snapshot(nil, maxParallelism: 1, into: state) }
        return (splits, try enumerator.pass(id, subtask: context.subtask))
    }

    /// The input ends where it is, whatever the source still has.
    func endInput() { hasEnded = true }

    func poll() throws(MillstreamError) -> Event {
        guard let reader, !hasEnded else { return .end }
        // Bounded: each turn takes a split, ends one, or returns.
        while true {
            switch try reader.poll(rowLimit: rowCountLimit) {
            case .batch(let batch, _):
                if batch.isEmpty { continue }
                return .batch(batch)
            case .decoded(let batch, let letters, _): return .decoded(batch, deadLetters: letters)
            case .splitFinished(let id): progress.finish(id)
            case .wait(let time): return .wait(time)
            case .end:
                hasEnded = true
                return .end
            case .needsSplit:
                if noMoreSplits {
                    hasEnded = true
                    return .end
                }
                switch try enumerator.nextSplit(for: context.subtask) {
                case .split(let split):
                    progress.begin(split.id)
                    try reader.addSplit(split)
                case .later(let time): return .wait(time)
                case .noMore:
                    noMoreSplits = true
                    progress.noMore()
                    reader.noMoreSplits()
                }
            }
        }
    }

    func close() throws(MillstreamError) {
        defer {
            reader = nil
            enumerator.leave(context.subtask)
        }
        try reader?.close()
    }
}
