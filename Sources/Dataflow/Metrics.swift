import Columnar
import Synchronization

/// A number that one subtask writes per batch and anyone reads.
public final class Counter: Sendable {
    private let storage: Atomic<Int64>
    public init(_ value: Int64 = 0) { storage = Atomic(value) }
    public var value: Int64 { storage.load(ordering: .relaxed) }
    public func add(_ amount: Int) { storage.wrappingAdd(Int64(amount), ordering: .relaxed) }
    public func set(_ value: Int64) { storage.store(value, ordering: .relaxed) }
}

/// What one subtask of one operator counts, from the first batch on. Names are Flink's where it has one.
public final class OperatorMetrics: Sendable {
    public let recordsIn = Counter()
    public let recordsOut = Counter()
    public let bytesIn = Counter()
    public let bytesOut = Counter()
    public let batchesIn = Counter()
    /// Rows that came after their window or timer had passed and were dropped or sent to a side output.
    public let lateRecords = Counter()
    /// Of the late rows, those that nobody received.
    public let lateRecordsDropped = Counter()
    /// Retractions of rows that were not there.
    public let retractionsDropped = Counter()
    /// Rows whose timestamp was further ahead of the clock than the strategy's bound, and that were dropped or sent to a side output.
    public let futureRecords = Counter()
    /// Of those, the ones that nobody received.
    public let futureRecordsDropped = Counter()
    /// Rows of a source that did not decode and were skipped, or went to its dead letters, because the user asked for it.
    public let malformedRecords = Counter()
    /// Records that the operator's function failed with, or that a source could not decode, and that went to its output of dead letters.
    public let recordsFailed = Counter()
    /// The last watermark that came in, `Int64.min` before the first.
    public let currentInputWatermark = Counter(.min)
    /// The last watermark that went out.
    public let currentOutputWatermark = Counter(.min)
    /// The earliest event time that the operator waits for (a window's end, a timer); `Int64.max`: none.
    public let nextEventTime = Counter(.max)
    /// 1 while the operator says that it is idle, so that nobody waits for its watermark.
    public let isIdle = Counter()
    /// When the last rows came, on the monotonic clock; `Int64.min` before the first. Kept for the head of a task.
    public let lastRecordNanoseconds = Counter(.min)
    /// Time spent in the operator, and waiting for room in its outputs.
    public let busyNanoseconds = Counter()
    public let backPressuredNanoseconds = Counter()
    /// Processing-time timers that were pending at the end of input and did not fire.
    public let timersDropped = Counter()
    /// How often closing the operator failed, whatever became of the job.
    public let closeFailures = Counter()

    public init() {}
}
