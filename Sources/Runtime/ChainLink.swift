import Checkpoint
import Columnar
import Dataflow
import Exchange
import State

/// What passes through a chain.
enum ChainEvent {
    case batch(Batch, input: Int)
    case watermark(EventTime)
    case status(WatermarkStatus)
    case barrier(CheckpointBarrier)
    case processingTime(ProcessingTime)
    case endOfInput(Int)
    /// Work that the operator has left to others has come on.
    case notification
    /// For this operator alone: what became of a checkpoint.
    case checkpointComplete(CheckpointID)
    case checkpointAborted(CheckpointID)
}

/// Whether a barrier that goes ahead of the rows stands in a chain.
final class Haste { var isOn = false }

/// One operator in its chain: runs it, and is the output that it emits to.
///
/// Invariants: events are handled in order; while the operator has `more` outstanding, or events wait, later events join the queue. The queue is bounded
/// because whoever fills it asks `isFull` first, and overshoots by what one event gives at most.
final class ChainLink: Output {
    let name: String
    let metrics: OperatorMetrics
    let context: OperatorContext
    private let operation: any Operator
    private let waiting: (any WaitingOperator)?
    private let asynchronous: (any AsynchronousOperator)?
    private let gathering: (any GatheringOperator)?
    private var children: [ChainLink] = []
    private var writers: [ExchangeWriter] = []
    private var sideOutputs: [(tag: SideOutputID, children: [ChainLink], writers: [ExchangeWriter])] = []
    private var queue: [ChainEvent] = []
    private var queueStart = 0
    /// What to forward when the operator that said `more` is done; nil while it is not busy.
    private var outstanding: ChainEvent?
    /// Rows of one input that wait for others that are there already.
    private var gathered = GatheredRows()
    private var openInputs: Int
    /// In BATCH mode an operator's own watermarks are held back, and event time passes at once when the input has ended.
    private let emitsOnlyFinalWatermark: Bool
    private(set) var hasEnded = false
    private var isOpen = false
    /// The subtask's.
    private let stop: StopFlag
    /// Takes the operator's state at a barrier; nil where there are no checkpoints.
    var onSnapshot: ((CheckpointBarrier, StateParts) -> Void)?
    var objects: (any ObjectCoding)?
    /// The subtask's: while a barrier in the chain goes ahead of the rows, what stands before it may overfill the channels.
    var haste = Haste()
    /// The checkpoint that the operator was restored from lies behind its end: it is told nothing any more.
    private var hadEnded = false

    init(
        operation: any Operator, inputCount: Int, emitsOnlyFinalWatermark: Bool = false, makeContext: (@escaping (ProcessingTime) -> Void) -> OperatorContext
    ) {
        let request = WakeUpRequest()
        context = makeContext { time in request.time = request.time.map { Swift.min($0, time) } ?? time }
        stop = context.stop
        self.operation = operation
        waiting = operation as? any WaitingOperator
        asynchronous = operation as? any AsynchronousOperator
        gathering = operation as? any GatheringOperator
        name = context.operatorName
        metrics = context.metrics
        openInputs = max(1, inputCount)
        self.emitsOnlyFinalWatermark = emitsOnlyFinalWatermark
        self.request = request
    }

    /// Holds the request of the context's closure without a cycle through the link.
    private final class WakeUpRequest { var time: ProcessingTime? }
    private let request: WakeUpRequest

    /// When the operator wants to be woken, in processing time; never after its end: pending timers are dropped then.
    var wakeUpTime: ProcessingTime? { hasEnded && !holdsEnd ? nil : request.time }

    /// Whether something is left to do at a later time, also behind the end of input.
    var holdsEnd: Bool { waiting?.holdsEnd ?? false }

    func connect(child: ChainLink, sideOutput: String?) { connect(sideOutput) { $0.append(child) } writers: { _ in } }
    func connect(writer: ExchangeWriter, sideOutput: String?) { connect(sideOutput) { _ in } writers: { $0.append(writer) } }

    private func connect(_ sideOutput: String?, children edit: (inout [ChainLink]) -> Void, writers editWriters: (inout [ExchangeWriter]) -> Void) {
        guard let sideOutput else {
            edit(&children)
            editWriters(&writers)
            return
        }
        let tag = SideOutputID(sideOutput)
        if !sideOutputs.contains(where: { $0.tag == tag }) { sideOutputs.append((tag, [], [])) }
        for index in sideOutputs.indices where sideOutputs[index].tag == tag {
            edit(&sideOutputs[index].children)
            editWriters(&sideOutputs[index].writers)
        }
    }

    /// `state` is what a checkpoint has of the operator.
    func open(restoring state: SubtaskState?) throws(MillstreamError) {
        isOpen = true
        do throws(MillstreamError) {
            if let state, let own = context.operatorState as? KeyedState {
                try own.restoreOperatorState(from: state.reader, subtask: context.subtask, parallelism: context.parallelism)
            }
            try operation.open(context)
            guard let state else { return }
            hadEnded = try state.hasEnded()
            try operation.restore(from: state.reader)
            noteNextEventTime()
        } catch {
            throw error.inOperator(name)
        }
    }

    /// Once, also after a failure; does nothing if `open` was never called.
    func close() throws(MillstreamError) {
        guard isOpen else { return }
        isOpen = false
        queue = []
        gathered = GatheredRows()
        outstanding = nil
        do { try operation.close() } catch {
            metrics.closeFailures.add(1)
            throw error.inOperator(name)
        }
    }

    // MARK: Events

    /// Hands an event to the operator, or lets it wait behind what is outstanding, or for more rows.
    func deliver(_ event: ChainEvent) throws(MillstreamError) {
        if let gathering {
            if case .batch(let batch, let input) = event, !hasWork, let bounds = gathering.gathering { return try gather(batch, input, bounds) }
            try takeGathered()
        }
        try pass(event)
    }

    private func pass(_ event: ChainEvent) throws(MillstreamError) {
        if outstanding != nil || queueStart < queue.count {
            queue.append(event)
        } else {
            try handle(event)
        }
    }

    private func gather(_ batch: Batch, _ input: Int, _ bounds: Gathering) throws(MillstreamError) {
        if gathered.input != input { try takeGathered() }
        gathered.append(batch, input: input)
        if gathered.rowCount >= bounds.rowCountMax || gathered.byteCount >= bounds.byteCountMax { try takeGathered() }
    }

    /// Whether rows wait that the operator could take now.
    var canTakeGathered: Bool { gathered.rowCount > 0 && !hasWork && !isOutputFull }

    /// Hands over the rows that have waited.
    func takeGathered() throws(MillstreamError) {
        guard gathered.rowCount > 0 else { return }
        let input = gathered.input
        try pass(.batch(try gathered.take(), input: input))
    }

    /// Whether `step` has something to do now.
    var canStep: Bool {
        guard hasWork || isNotified else { return false }
        return !(waiting?.isWaiting ?? false) && !isOutputFull
    }

    /// Whether something is outstanding or waits.
    var hasWork: Bool { outstanding != nil || queueStart < queue.count }

    private var isNotified: Bool { asynchronous?.isNotified ?? false }

    /// Goes on with what is outstanding, then with the next event that waits, then with what others have done.
    func step() throws(MillstreamError) {
        if let event = outstanding {
            let progress: Progress
            do { progress = try operation.resume(output: self) } catch { throw error.inOperator(name) }
            if progress == .done {
                outstanding = nil
                try complete(event)
            }
            noteNextEventTime()
            return
        }
        guard queueStart < queue.count else { return isNotified ? try handle(.notification) : () }
        let event = queue[queueStart]
        queueStart += 1
        if queueStart == queue.count {
            queue.removeAll(keepingCapacity: true)
            queueStart = 0
        }
        try handle(event)
    }

    private func handle(_ event: ChainEvent) throws(MillstreamError) {
        let progress: Progress
        do { progress = try call(event) } catch { throw error.inOperator(name) }
        if progress == .more {
            outstanding = event
        } else {
            try complete(event)
        }
        noteNextEventTime()
    }

    private func noteNextEventTime() { metrics.nextEventTime.set(operation.nextEventTime?.milliseconds ?? .max) }

    private func call(_ event: ChainEvent) throws(MillstreamError) -> Progress {
        switch event {
        case .batch(let batch, let input):
            metrics.recordsIn.add(batch.count)
            metrics.batchesIn.add(1)
            return try operation.process(batch, input: input, output: self)
        case .watermark(let watermark):
            metrics.currentInputWatermark.set(watermark.milliseconds)
            if hadEnded { return .done }
            return try operation.onWatermark(watermark, output: self)
        case .status(let status):
            try operation.onStatus(status, output: self)
            return .done
        case .processingTime(let now):
            // It had waited behind the end.
            if hasEnded, !holdsEnd { return .done }
            return try operation.onProcessingTime(now, output: self)
        case .endOfInput(let input):
            return hadEnded ? .done : try operation.onEndOfInput(input, output: self)
        case .barrier(let barrier):
            try snapshot(barrier)
            return .done
        case .checkpointComplete(let id):
            try operation.onCheckpointComplete(id)
            return .done
        case .checkpointAborted(let id):
            try operation.onCheckpointAborted(id)
            return .done
        case .notification:
            return try asynchronous?.onNotification(output: self) ?? .done
        }
    }

    private func snapshot(_ barrier: CheckpointBarrier) throws(MillstreamError) {
        guard let onSnapshot else { return }
        let parts = StateParts(objects: objects)
        if hasEnded { parts.write(RuntimePart.ended, keyGroup: nil, bytes: [1]) }
        try operation.snapshot(barrier, into: parts)
        // That of a host's sink, which its function has brought up to date just now.
        if let own = context.operatorState as? KeyedState { try own.snapshot(nil, maxParallelism: context.maxParallelism, into: parts) }
        onSnapshot(barrier, parts)
    }

    /// Passes on what the operator has dealt with.
    private func complete(_ event: ChainEvent) throws(MillstreamError) {
        switch event {
        case .batch, .processingTime, .notification, .checkpointComplete, .checkpointAborted: break
        case .watermark(let watermark): if operation.forwardsWatermarks { try forward(watermark) }
        case .status(let status): if operation.forwardsWatermarks { try forward(status) }
        case .barrier(let barrier): try forward(event, message: .barrier(barrier))
        case .endOfInput:
            openInputs -= 1
            if openInputs == 0 {
                hasEnded = true
                try forward(.endOfInput(0), message: .endOfInput)
            }
        }
    }

    private func forward(_ watermark: EventTime) throws(MillstreamError) {
        metrics.currentOutputWatermark.set(watermark.milliseconds)
        try forward(.watermark(watermark), message: .watermark(watermark))
    }

    private func forward(_ status: WatermarkStatus) throws(MillstreamError) {
        metrics.isIdle.set(status == .idle ? 1 : 0)
        try forward(.status(status), message: .status(status))
    }

    private func forward(_ event: ChainEvent, message: Message) throws(MillstreamError) {
        for child in children { try child.deliver(event) }
        for writer in writers { try writer.broadcast(message) }
        for side in sideOutputs {
            for child in side.children { try child.deliver(event) }
            for writer in side.writers { try writer.broadcast(message) }
        }
    }

    /// Calls the operator if its time has come.
    func checkTime(_ now: ProcessingTime) throws(MillstreamError) {
        guard let time = request.time, now > time, !hasEnded || holdsEnd else { return }
        request.time = nil
        try deliver(.processingTime(now))
    }

    // MARK: Output

    func emit(_ batch: Batch) throws(MillstreamError) {
        if batch.isEmpty { return }
        metrics.recordsOut.add(batch.count)
        for child in children { try child.deliver(.batch(batch, input: 0)) }
        for writer in writers { try writer.write(batch) }
    }

    func emit(_ batch: Batch, to sideOutput: SideOutputID) throws(MillstreamError) {
        if batch.isEmpty { return }
        for side in sideOutputs where side.tag == sideOutput {
            metrics.recordsOut.add(batch.count)
            for child in side.children { try child.deliver(.batch(batch, input: 0)) }
            for writer in side.writers { try writer.write(batch) }
        }
    }

    func emit(_ watermark: EventTime) throws(MillstreamError) {
        if emitsOnlyFinalWatermark, watermark < .max { return }
        try forward(watermark)
    }

    func emit(_ status: WatermarkStatus) throws(MillstreamError) {
        if emitsOnlyFinalWatermark { return }
        try forward(status)
    }

    /// A job that stops takes nothing any more: its operators come back early, whatever they are in the middle of.
    var isFull: Bool { stop.isSet || isOutputFull }

    private var isOutputFull: Bool {
        for writer in writers where isFull(writer) { return true }
        for child in children where child.hasWork || child.isOutputFull { return true }
        for side in sideOutputs {
            for writer in side.writers where isFull(writer) { return true }
            for child in side.children where child.hasWork || child.isOutputFull { return true }
        }
        return false
    }

    private func isFull(_ writer: ExchangeWriter) -> Bool { haste.isOn ? writer.isOverdrawn : writer.isFull }
}
