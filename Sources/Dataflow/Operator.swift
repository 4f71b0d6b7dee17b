import Columnar

/// Whether an operator has finished with what it was given.
///
/// An operator whose one input may yield unboundedly many rows (a flat map, ten million timers at one watermark) emits some, returns `more`, and
/// is called again by `resume` when its outputs have room. So backpressure reaches into an operator, and memory stays bounded.
public enum Progress: Sendable { case done, more }

/// One step of a dataflow: takes batches and the events between them, gives batches to its output.
///
/// The methods are the moments of an operator's life, in order: `open`, `restore` where there is a checkpoint, then any of `process`, `onWatermark`,
/// `onProcessingTime`, `onStatus`, `onEndOfInput` (once per input), with `resume` after each `more`, `snapshot` at a barrier, `onCheckpointComplete` or
/// `onCheckpointAborted` some time after it, and `close` once at the end, also after a failure. An operator whose host function uses its state while it
/// is opened reads it in `open`, from `OperatorContext.restored`.
/// The runtime calls one operator from one thread at a time, and hands it over between threads with a memory barrier.
/// While `more` is outstanding nothing but `resume` (or `close`) is called. The runtime forwards watermarks, statuses and barriers itself after the
/// operator is done with them, unless `forwardsWatermarks` is false.
public protocol Operator: AnyObject {
    /// False for an operator that makes its own watermarks (a watermark assigner).
    var forwardsWatermarks: Bool { get }
    /// The earliest event time that the operator waits for, e.g. the last millisecond of its first window; nil: it waits for none.
    var nextEventTime: EventTime? { get }
    func open(_ context: OperatorContext) throws(MillstreamError)
    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress
    /// The combined watermark of all inputs has advanced.
    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress
    /// The time that `OperatorContext.wakeUp(at:)` asked for has passed.
    func onProcessingTime(_ now: ProcessingTime, output: any Output) throws(MillstreamError) -> Progress
    /// All inputs became idle, or one became active again.
    func onStatus(_ status: WatermarkStatus, output: any Output) throws(MillstreamError)
    func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress
    func resume(output: any Output) throws(MillstreamError) -> Progress
    /// Writes the operator's state for a checkpoint. What is handed to the writer is read later, while the operator goes on: it must not change.
    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError)
    /// Reads the state that earlier `snapshot`s wrote; comes after `open` and before the first batch. `reader` is that of `OperatorContext.restored`:
    /// what `open` took from there already is not taken again.
    func restore(from reader: any StateReader) throws(MillstreamError)
    /// A checkpoint that `snapshot` took part in is durable, as a whole. Comes in the order of the checkpoints; one may be left out, where a later one covers it.
    func onCheckpointComplete(_ checkpoint: CheckpointID) throws(MillstreamError)
    /// The checkpoint will never be complete. What was prepared for it belongs to the next one that is.
    func onCheckpointAborted(_ checkpoint: CheckpointID) throws(MillstreamError)
    /// Lets go of everything, also where a part of it fails; a failure fails the job, unless it is failing or stopping already.
    func close() throws(MillstreamError)
}

extension Operator {
    public var forwardsWatermarks: Bool { true }
    public var nextEventTime: EventTime? { nil }
    public func open(_ context: OperatorContext) throws(MillstreamError) {}
    public func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress { .done }
    public func onProcessingTime(_ now: ProcessingTime, output: any Output) throws(MillstreamError) -> Progress { .done }
    public func onStatus(_ status: WatermarkStatus, output: any Output) throws(MillstreamError) {}
    public func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress { .done }
    public func resume(output: any Output) throws(MillstreamError) -> Progress { .done }
    public func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {}
    public func restore(from reader: any StateReader) throws(MillstreamError) {}
    public func onCheckpointComplete(_ checkpoint: CheckpointID) throws(MillstreamError) {}
    public func onCheckpointAborted(_ checkpoint: CheckpointID) throws(MillstreamError) {}
    public func close() throws(MillstreamError) {}
}

/// An operator that waits for something other than room in a channel (a sink whose target is full, a host that is busy with as many rows as it may).
public protocol WaitingOperator: AnyObject {
    /// True while `resume` could do nothing.
    var isWaiting: Bool { get }
    /// True while the operator has something to do at a later time that must come before it is closed, though its input has ended. It still gets
    /// `onProcessingTime` then. A job that is cancelled does not wait for it.
    var holdsEnd: Bool { get }
}

extension WaitingOperator {
    public var holdsEnd: Bool { false }
}

/// An operator some of whose work is done elsewhere meanwhile, as by the coroutines of a host. Whoever does it calls `OperatorContext.notify`.
public protocol AsynchronousOperator: Operator, WaitingOperator {
    /// Whether something has been done that the operator has not looked at.
    var isNotified: Bool { get }
    /// Comes when `isNotified` is true and nothing is outstanding; what is outstanding goes on by `resume`.
    func onNotification(output: any Output) throws(MillstreamError) -> Progress
}

/// An operator for which a row costs less the more of them come at once. The runtime puts batches together that are there already: no row waits for one that is still to come,
/// and whatever follows the rows stays behind them.
public protocol GatheringOperator: Operator {
    /// nil: batches are taken as they come. It may change between two batches.
    var gathering: Gathering? { get }
}

/// How much is put together: no further batch is added to as many rows, or bytes.
public struct Gathering: Hashable, Sendable {
    public var rowCountMax: Int
    public var byteCountMax: Int

    public init(rowCountMax: Int, byteCountMax: Int) {
        self.rowCountMax = rowCountMax
        self.byteCountMax = byteCountMax
    }
}

/// Where an operator puts its results: the next operator of its chain, or the exchange behind the chain.
public protocol Output: AnyObject {
    func emit(_ batch: Batch) throws(MillstreamError)
    /// Rows for a side output; dropped where nobody reads it.
    func emit(_ batch: Batch, to sideOutput: SideOutputID) throws(MillstreamError)
    /// Only for an operator with `forwardsWatermarks == false`.
    func emit(_ watermark: EventTime) throws(MillstreamError)
    /// Only for an operator with `forwardsWatermarks == false`.
    func emit(_ status: WatermarkStatus) throws(MillstreamError)
    /// Whether an operator with more to emit should return `more` now: the channels behind it are full.
    var isFull: Bool { get }
}

/// What an operator knows of its place in the job.
public final class OperatorContext {
    public let operatorID: OperatorID
    public let operatorName: String
    public let subtask: SubtaskIndex
    public let parallelism: Int
    public let maxParallelism: Int
    public let jobName: String
    /// Tells this job from all others, also from one of the same name at the same time; the same after each of its restarts. Empty: not known.
    public let jobID: String
    /// Whose unfinished output this job may take for its own: the same in each process that goes on with the job, one after the other. Empty: not known.
    public let lineage: String
    /// Whether the job has checkpoints: results wait for them, also those of the end of input.
    public let checkpointing: Bool
    public let clock: any Clock
    public let random: any RandomSource
    public let metrics: OperatorMetrics
    /// The operator state of a host's sink; nil for other operators, which make their own.
    public let operatorState: (any HostStateAccess)?
    /// What the operator goes on from, known before it is opened; nil where it begins anew. An operator that had no state has a reader without parts.
    public let restored: RestoredState?
    /// Opens stores for state that need not fit into memory; nil where state is kept in memory.
    public var stores: (any StateStores)?
    /// How they are used; nil where there are none.
    public var paging: StatePaging?
    /// The subtask's: set when the job stops without finishing.
    public let stop: StopFlag
    /// From any thread, also after the operator's end: the operator's subtask looks at it soon. Never waits.
    public let notify: @Sendable () -> Void
    private let requestWakeUp: (ProcessingTime) -> Void

    public init(
        operatorID: OperatorID, operatorName: String, subtask: SubtaskIndex, parallelism: Int, maxParallelism: Int, jobName: String,
        jobID: String = "", lineage: String? = nil, checkpointing: Bool = false, clock: any Clock, random: any RandomSource, metrics: OperatorMetrics,
        operatorState: (any HostStateAccess)? = nil, restored: RestoredState? = nil, stores: (any StateStores)? = nil,
        stop: StopFlag = StopFlag(), notify: @escaping @Sendable () -> Void = {}, requestWakeUp: @escaping (ProcessingTime) -> Void
    ) {
        self.notify = notify
        self.stop = stop
        self.operatorID = operatorID
        self.operatorName = operatorName
        self.subtask = subtask
        self.parallelism = parallelism
        self.maxParallelism = maxParallelism
        self.jobName = jobName
        self.jobID = jobID
        self.lineage = lineage ?? jobID
        self.checkpointing = checkpointing
        self.clock = clock
        self.random = random
        self.metrics = metrics
        self.operatorState = operatorState
        self.restored = restored
        self.stores = stores
        self.requestWakeUp = requestWakeUp
    }

    /// The key groups whose keys come to this subtask.
    public var keyGroups: Range<Int> {
        KeyGroup.range(subtask: subtask.value, parallelism: parallelism, maxParallelism: maxParallelism)
    }

    /// Asks for `onProcessingTime` once the clock has passed `time`. An earlier request replaces a later one; ask again after each call.
    public func wakeUp(at time: ProcessingTime) { requestWakeUp(time) }
}

/// Where an operator's state goes at a checkpoint: named parts of bytes or batches, the keyed ones by key group.
public protocol StateWriter: AnyObject {
    /// The columns are shared: they may be written long after the call, while the operator goes on, so nobody may change them.
    func write(_ name: String, keyGroup: KeyGroup?, batch: Batch) throws(MillstreamError)
    func write(_ name: String, keyGroup: KeyGroup?, bytes: [UInt8]) throws(MillstreamError)
    /// The files of a store: those that the checkpoint storage does not have yet are copied after the call, while the operator goes on; then they are released.
    func write(_ name: String, files: any StoreFiles) throws(MillstreamError)
    /// More parts, which are made and written after the call, on another thread, while the operator goes on.
    func writeLater(_ parts: @escaping @Sendable (any StateWriter) throws(MillstreamError) -> Void) throws(MillstreamError)
    /// The same of state that the operator goes on changing, and copies before it does.
    func write(_ parts: any DeferredParts) throws(MillstreamError)
}

extension StateWriter {
    public func write(_ name: String, files: any StoreFiles) throws(MillstreamError) {
        files.release()
        throw MillstreamError(.unsupported, "the files of the store '\(name)' cannot be written here", domain: .internal)
    }

    public func writeLater(_ parts: @escaping @Sendable (any StateWriter) throws(MillstreamError) -> Void) throws(MillstreamError) { try parts(self) }

    public func write(_ parts: any DeferredParts) throws(MillstreamError) {
        while try parts.write(byteCount: .max, to: self) {}
    }
}

/// Parts of a snapshot that are made behind the barrier, on the thread that writes them, while the operator goes on: it copies what it is about to change before
/// it does, and the writer copies the rest in steps, and writes it. Who does not want them any more lets go of them.
public protocol DeferredParts: AnyObject, Sendable {
    /// One step: copies about so many bytes more of the state at the barrier, or writes what has been copied so far. False when all is written.
    func write(byteCount: Int, to writer: any StateWriter) throws(MillstreamError) -> Bool
}

/// The parts that the `StateWriter`s of an operator's subtasks wrote, for one subtask of today: keyed ones narrowed to its key groups, others all of them.
/// Those of an earlier subtask come before those of a later one, and each subtask's in the order in which they were written.
public protocol StateReader: AnyObject {
    /// How many subtasks the operator had.
    var formerParallelism: Int { get }
    /// The names of the parts, in the order in which they were first written.
    var names: [String] { get }
    func batches(_ name: String) throws(MillstreamError) -> [(keyGroup: KeyGroup?, batch: Batch)]
    /// The same one after the other: only one of them need be in memory.
    func forEachBatch(_ name: String, _ body: (KeyGroup?, Batch) throws(MillstreamError) -> Void) throws(MillstreamError)
    /// How many rows they have together, to make room; 0 where that is not known.
    func rowCount(_ name: String) -> Int
    func bytes(_ name: String) throws(MillstreamError) -> [(keyGroup: KeyGroup?, bytes: [UInt8])]
    /// The batches without a key group, each with the subtask that wrote it.
    func unkeyedBatches(_ name: String) throws(MillstreamError) -> [(subtask: SubtaskIndex, batch: Batch)]
    /// The bytes without a key group, each with the subtask that wrote it.
    func unkeyedBytes(_ name: String) throws(MillstreamError) -> [(subtask: SubtaskIndex, bytes: [UInt8])]
    /// The stores of that name whose key groups meet the subtask's, each with the subtask that wrote it.
    func stores(_ name: String) throws(MillstreamError) -> [any StoredStore]
}

extension StateReader {
    public func stores(_ name: String) throws(MillstreamError) -> [any StoredStore] { [] }
}

extension StateReader {
    public func rowCount(_ name: String) -> Int { 0 }

    public func forEachBatch(_ name: String, _ body: (KeyGroup?, Batch) throws(MillstreamError) -> Void) throws(MillstreamError) {
        for (group, batch) in try batches(name) { try body(group, batch) }
    }
}

/// What an operator goes on from.
public struct RestoredState {
    public let checkpoint: CheckpointID
    public let reader: any StateReader

    public init(checkpoint: CheckpointID, reader: any StateReader) {
        self.checkpoint = checkpoint
        self.reader = reader
    }
}
