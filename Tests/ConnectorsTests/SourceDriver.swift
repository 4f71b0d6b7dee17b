import Columnar
import Connectors
import Dataflow
import Synchronization

/// Reads a source by hand: one enumerator, some readers in turn, as the runtime would.
final class SourceDriver {
    let source: any Source
    let clock: any Clock
    let metrics = OperatorMetrics()
    let enumerator: any SplitEnumerator
    private(set) var readers: [any SourceReader] = []
    private var isFinished: [Bool]
    let notifications = Counter()
    /// The records that did not decode and came out as dead letters.
    private(set) var letters: [Batch] = []

    init(_ source: any Source, parallelism: Int = 1, clock: any Clock = SimulatedClock()) throws(MillstreamError) {
        self.source = source
        self.clock = clock
        enumerator = try source.makeEnumerator(parallelism: parallelism)
        isFinished = Array(repeating: false, count: parallelism)
        for subtask in 0..<parallelism {
            let notifications = notifications
            let context = SourceReaderContext(
                subtask: SubtaskIndex(subtask), parallelism: parallelism, clock: clock, random: SeededRandom(seed: 1), metrics: metrics,
                operatorName: "source", notifyAvailable: { notifications.add(1) })
            readers.append(try source.makeReader(context))
        }
    }

    enum Step {
        case batch(Batch, split: String)
        case wait(ProcessingTime?)
        case other
        case end
    }

    /// One poll of one reader; splits are asked for as needed.
    func step(_ subtask: Int = 0, rowLimit: Int = 4_096) throws(MillstreamError) -> Step {
        switch try readers[subtask].poll(rowLimit: rowLimit) {
        case .batch(let batch, let split): return .batch(batch, split: split)
        case .decoded(let batch, let letters, let split):
            self.letters.append(letters)
            return batch.map { .batch($0, split: split) } ?? .other
        case .splitFinished: return .other
        case .wait(let until): return .wait(until)
        case .end: return .end
        case .needsSplit:
            switch try enumerator.nextSplit(for: SubtaskIndex(subtask)) {
            case .split(let split): try readers[subtask].addSplit(split)
            case .later(let time): return .wait(time)
            case .noMore: readers[subtask].noMoreSplits()
            }
            return .other
        }
    }

    /// What one reader still gives.
    func rest(_ subtask: Int = 0, rowLimit: Int = 4_096) throws(MillstreamError) -> [Batch] {
        var result: [Batch] = []
        while true {
            switch try step(subtask, rowLimit: rowLimit) {
            case .batch(let batch, _): result.append(batch)
            case .end: return result
            case .wait, .other: break
            }
        }
    }

    /// All batches until every reader has ended. A simulated clock is moved on where readers wait.
    func batches(rowLimit: Int = 4_096) throws(MillstreamError) -> [Batch] {
        var result: [Batch] = []
        while isFinished.contains(false) {
            for subtask in readers.indices where !isFinished[subtask] {
                switch try step(subtask, rowLimit: rowLimit) {
                case .batch(let batch, _): result.append(batch)
                case .end: isFinished[subtask] = true
                case .wait(let until):
                    let milliseconds = until.map { max(1, $0.milliseconds - clock.now().milliseconds) } ?? 1
                    (clock as? SimulatedClock)?.advance(milliseconds: milliseconds)
                case .other: break
                }
            }
        }
        return result
    }
}

extension Array where Element == Batch {
    /// One column's values as BIGINT.
    func int64s(_ column: Int = 0) -> [Int64] {
        flatMap { batch in (0..<batch.count).map { batch.columns[column].pointer(as: Int64.self)[$0] } }
    }
}

func operatorContext(subtask: Int = 0, parallelism: Int = 1, clock: any Clock = SimulatedClock()) -> OperatorContext {
    OperatorContext(
        operatorID: OperatorID("sink"), operatorName: "sink", subtask: SubtaskIndex(subtask), parallelism: parallelism, maxParallelism: 128,
        jobName: "test", clock: clock, random: SeededRandom(seed: UInt64(subtask + 1)), metrics: OperatorMetrics(), requestWakeUp: { _ in })
}

/// Keeps what was printed.
final class RecordedOutput: TextOutput {
    private let bytes = Guarded<[UInt8]>([])
    private let writes = Counter()
    var text: String { String(decoding: bytes.withLock { $0 }, as: UTF8.self) }
    var writeCount: Int { Int(writes.value) }
    func write(_ text: UnsafeRawBufferPointer) throws(MillstreamError) {
        let copy = Array(text)
        bytes.withLock { $0.append(contentsOf: copy) }
        writes.add(1)
    }
}
