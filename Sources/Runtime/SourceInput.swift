import Columnar
import Dataflow
import Synchronization

/// A source's enumerator, shared by the readers of all its subtasks.
final class SharedEnumerator: @unchecked Sendable {
    private let enumerator: any SplitEnumerator
    private let lock = Mutex(())
    private let users: Atomic<Int>

    init(_ enumerator: any SplitEnumerator, userCount: Int) {
        self.enumerator = enumerator
        users = Atomic(userCount)
    }

    func nextSplit(for subtask: SubtaskIndex) throws(MillstreamError) -> SplitAssignment {
        try lock.withLock { _ throws(MillstreamError) in try enumerator.nextSplit(for: subtask) }
    }

    /// Each subtask calls it once; the last one closes the enumerator.
    func leave() {
        if users.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { enumerator.close() }
    }

    /// Closes the enumerator of a job that was never started.
    func abandon() { enumerator.close() }
}

/// Which splits a source's subtask has, for reports while it reads. Written where a split begins or ends, never per batch.
final class SplitProgress: Sendable {
    private let splits = Mutex(EventTimeReport.Splits())

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

    func open() throws(MillstreamError) { reader = try source.makeReader(context) }

    func poll() throws(MillstreamError) -> Event {
        guard let reader else { return .end }
        // Bounded: each turn takes a split, ends one, or returns.
        while true {
            switch try reader.poll(rowLimit: rowCountLimit) {
            case .batch(let batch, _):
                if batch.isEmpty { continue }
                return .batch(batch)
            case .decoded(let batch, let letters, _): return .decoded(batch, deadLetters: letters)
            case .splitFinished(let id): progress.finish(id)
            case .wait(let time): return .wait(time)
            case .end: return .end
            case .needsSplit:
                if noMoreSplits { return .end }
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
            enumerator.leave()
        }
        try reader?.close()
    }
}
