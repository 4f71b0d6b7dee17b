import Columnar
import Dataflow
import Exchange
import Synchronization

/// One parallel instance of a task: an actor whose mailbox is its input gate (or its source's reader).
///
/// A scheduler calls `run` from one thread at a time. `run` never blocks: with nothing to read, or no room behind it, the subtask sleeps until somebody
/// calls `wake` or its deadline comes. The phase below makes a wake-up that comes while it runs count.
final class Subtask: Wakeable, @unchecked Sendable {
    private enum Phase {
        static let idle = 0
        static let queued = 1
        static let running = 2
        static let runningAndWoken = 3
        static let done = 4
    }

    /// How a turn ended.
    private enum Turn {
        case again
        case sleep(until: Int64?)
        case finished
    }

    /// What a job's checkpoints ask of a subtask, in order.
    enum Command: Sendable {
        /// For a source: the barrier goes behind what it has read. `stops`: no row follows it. For others: their producers are all gone, and with them the
        /// barriers that would have come.
        case barrier(CheckpointBarrier, stops: Bool)
        case complete(CheckpointID)
        case aborted(CheckpointID)
        /// The checkpoint has waited long enough: its barriers go ahead of the rows from now on.
        case overtake(CheckpointID)
        /// A source's input ends here, and nobody goes before the savepoint behind it.
        case endInput
        /// The checkpoint behind the end of input is complete: the subtask may go.
        case finish
    }

    /// A number that is unique and deterministic within the job.
    let number: Int
    let name: String
    let index: SubtaskIndex
    let takesHostTurns: Bool
    private let clock: any Clock
    /// The clock, if only the program moves it: then it wakes the subtask for processing time, not the scheduler.
    private let manual: ManualClock?
    private let waitsUntil = Atomic<Int64>(.max)
    private unowned let scheduler: any Scheduler
    private weak var owner: (any SubtaskOwner)?
    private let links: [ChainLink]
    private let writers: [ExchangeWriter]
    private let gate: InputGate?
    private let source: SourceInput?
    private let phase = Atomic<Int>(Phase.idle)
    private let stop: StopFlag
    private var isOpen = false
    private var sourceWait: Int64?
    private var sourceEnded = false
    /// The earliest deadline that the scheduler has.
    private var scheduled: Int64?
    /// When the turn began.
    private var turnStart: Int64 = 0
    /// The watermark of an operator that waits for event time, and since when; the limit says when that is worth a warning (nil: never).
    private var lastWatermark = Int64.min
    private var lastAdvance: Int64?
    private var isStallReported = false
    private let stallNanoseconds: Int64?
    /// Since when the outputs are full.
    private var blockedSince: Int64?
    private let commands = Guarded<[Command]>([])
    private let hasCommands = Atomic<Bool>(false)
    /// nil: the job has no checkpoints, and the subtask goes when its input has ended.
    private let checkpoints: SubtaskCheckpoints?
    private let haste = Haste()
    private var mayFinish = false
    private var isDrained = false
    /// It goes because nothing is left to do.
    private var hasComeToEnd = false
    /// Somebody wants the state behind the end of input.
    private var holdsEnd = false
    /// The barrier behind which no row follows, unless its checkpoint fails.
    private var lastBarrier: CheckpointID?

    init(
        number: Int, name: String, index: SubtaskIndex, takesHostTurns: Bool, clock: any Clock, scheduler: any Scheduler, owner: any SubtaskOwner,
        links: [ChainLink], writers: [ExchangeWriter], gate: InputGate?, source: SourceInput?, stop: StopFlag,
        stallMilliseconds: Int64 = 0, checkpoints: SubtaskCheckpoints? = nil
    ) {
        self.checkpoints = checkpoints
        self.number = number
        self.name = name
        self.index = index
        self.takesHostTurns = takesHostTurns
        self.clock = clock
        manual = clock as? ManualClock
        self.scheduler = scheduler
        self.owner = owner
        self.links = links
        self.writers = writers
        self.gate = gate
        self.source = source
        stallNanoseconds = stallMilliseconds <= 0 ? nil : min(stallMilliseconds, 1 << 40) * 1_000_000
        self.stop = stop
        for (place, link) in links.enumerated() {
            link.haste = haste
            guard let checkpoints else { continue }
            link.objects = checkpoints.objects
            link.onSnapshot = { barrier, parts in checkpoints.add(parts, of: place, barrier) }
        }
        LiveObjects.subtasks.add(1)
    }

    deinit { LiveObjects.subtasks.add(-1) }

    var operators: [ChainLink] { links }
    var queuedByteCount: Int { gate?.queuedByteCount ?? 0 }

    /// From any thread: there may be something to do.
    func wake() { if becomeQueued() { scheduler.enqueue(self) } }

    /// True if the subtask slept: the caller enqueues it. One that runs, or is on its way to sleep, is told to run again instead.
    ///
    /// Every path but the last writes the phase, also where it stays the same: `run` then finds that write when it takes the phase, and with it whatever
    /// the caller did before. A plain read could see `queued` while `run` has begun and looked in vain already, and nobody would ever wake the subtask.
    func becomeQueued() -> Bool {
        var current = phase.load(ordering: .relaxed)
        while true {
            let next: Int
            switch current {
            case Phase.idle, Phase.queued: next = Phase.queued
            case Phase.running, Phase.runningAndWoken: next = Phase.runningAndWoken
            default: return false
            }
            let (exchanged, original) = phase.compareExchange(expected: current, desired: next, ordering: .acquiringAndReleasing)
            if exchanged {
                if current == Phase.idle { manual?.begin() }
                return current == Phase.idle
            }
            current = original
        }
    }

    var isSource: Bool { source != nil }

    /// Before the first turn: the subtask goes as soon as its operators have their state.
    func finishWhenOpen() { mayFinish = true }

    /// From any thread: the subtask obeys at its next turn.
    func post(_ command: Command) {
        commands.withLock { $0.append(command) }
        hasCommands.store(true, ordering: .releasing)
        wake()
    }

    /// For a clock that only the program moves: when the subtask wants to be woken, while it sleeps.
    var nextProcessingTime: Int64 { waitsUntil.load(ordering: .acquiring) }

    func wakeForProcessingTime() {
        waitsUntil.store(.max, ordering: .relaxed)
        wake()
    }

    /// Asks the subtask to stop without finishing.
    func cancel() {
        stop.set()
        wake()
    }

    /// One turn. Called by the scheduler alone.
    func run() {
        _ = phase.exchange(Phase.running, ordering: .acquiringAndReleasing)
        let start = clock.monotonicNanoseconds()
        turnStart = start
        if let blockedSince { links[0].metrics.backPressuredNanoseconds.add(Int(start &- blockedSince)) }
        blockedSince = nil
        let turn: Turn
        do {
            let taken = try takeTurn()
            if manual != nil, case .sleep = taken { try prepareForRest() }
            turn = taken
        } catch {
            owner?.subtaskFailed(self, error)
            turn = .finished
        }
        links[0].metrics.busyNanoseconds.add(Int(clock.monotonicNanoseconds() &- start))
        switch turn {
        case .finished:
            do {
                try close()
                if hasComeToEnd { checkpoints?.ended() }
            } catch {
                owner?.subtaskFailedToClose(self, error)
            }
            phase.store(Phase.done, ordering: .releasing)
            if scheduled != nil { scheduler.forget(self) }
            owner?.subtaskEnded(self)
            manual?.remove(self)
            manual?.end()
        case .again:
            _ = phase.exchange(Phase.queued, ordering: .acquiringAndReleasing)
            scheduler.enqueue(self)
        case .sleep(let deadline):
            register(deadline)
            let slept = phase.compareExchange(expected: Phase.running, desired: Phase.idle, ordering: .acquiringAndReleasing).exchanged
            if slept {
                manual?.end()
            } else {
                _ = phase.exchange(Phase.queued, ordering: .acquiringAndReleasing)
                scheduler.enqueue(self)
            }
        }
    }

    /// Before it sleeps: no rows wait for a deadline of the machine's, and the clock knows which time the subtask waits for.
    private func prepareForRest() throws(MillstreamError) {
        for writer in writers { try writer.flush() }
        waitsUntil.store(links.compactMap { $0.wakeUpTime?.milliseconds }.min() ?? .max, ordering: .releasing)
    }

    /// Asks for a turn at the deadline, unless an earlier one is asked for already.
    private func register(_ deadline: Int64?) {
        guard let deadline else { return }
        if let scheduled, scheduled <= deadline, scheduled > clock.monotonicNanoseconds() { return }
        scheduled = deadline
        scheduler.schedule(self, at: deadline)
    }

    private func takeTurn() throws(MillstreamError) -> Turn {
        if stop.isSet { return .finished }
        if !isOpen { try open() }
        try checkTime()
        for _ in 0..<scheduler.quantum() {
            if stop.isSet { return .finished }
            if let checkpoints { haste.isOn = checkpoints.isInHaste }
            guard try pump() else { return .again }
            if hasCommands.load(ordering: .acquiring) {
                try obey()
                continue
            }
            // Also where there is no room for rows.
            if let gate, gate.hasBarrierAhead, let event = try gate.readAhead() {
                try take(event)
                continue
            }
            if links[0].hasEnded || mayFinish, !links.contains(where: \.hasWork), mayGo() {
                if links.contains(where: \.holdsEnd) { return .sleep(until: nextDeadline(includingSource: false)) }
                hasComeToEnd = true
                return .finished
            }
            if links.contains(where: \.hasWork) || links[0].isFull {
                if try takeGathered() { continue }
                blockedSince = clock.monotonicNanoseconds()
                return .sleep(until: nextDeadline(includingSource: false))
            }
            guard try readInput() else {
                if try takeGathered() { continue }
                return .sleep(until: nextDeadline(includingSource: true))
            }
        }
        return .again
    }

    /// There is nothing more to put together now. False where no operator has rows that wait.
    private func takeGathered() throws(MillstreamError) -> Bool {
        guard let link = links.first(where: \.canTakeGathered) else { return false }
        try link.takeGathered()
        return true
    }

    private func open() throws(MillstreamError) {
        isOpen = true
        // From the sinks up, so that whoever emits while it opens finds the others ready.
        for (place, link) in links.enumerated().reversed() { try link.open(restoring: checkpoints?.restored(place)) }
        let head = checkpoints?.restored(0)
        do { try source?.open(restoring: head) } catch { throw error.inOperator(links[0].name) }
        if let gate, let head {
            gate.restore(try head.inputs())
            if let replay = try checkpoints?.replay() { gate.replay(replay.messages, first: replay.isFirst) }
        }
        checkpoints?.endRestore()
    }

    /// Does what the job's checkpoints have asked for.
    private func obey() throws(MillstreamError) {
        hasCommands.store(false, ordering: .relaxed)
        let all = commands.withLock { commands -> [Command] in
            defer { commands = [] }
            return commands
        }
        for command in all {
            switch command {
            case .barrier(let barrier, let stops):
                if let gate { gate.expect(barrier) }
                guard let source, let checkpoints else { break }
                if stops { lastBarrier = barrier.id }
                do throws(MillstreamError) { try checkpoints.begin(barrier, gate: nil, source: source) } catch { throw error.inOperator(links[0].name) }
                try links[0].deliver(.barrier(barrier))
            case .complete(let id): for link in links { try link.deliver(.checkpointComplete(id)) }
            case .aborted(let id):
                checkpoints?.abort(id)
                gate?.abort(id)
                if lastBarrier == id { lastBarrier = nil }
                for link in links { try link.deliver(.checkpointAborted(id)) }
            case .overtake(let id):
                checkpoints?.overtake(id)
                gate?.overtake(id)
            case .endInput:
                holdsEnd = true
                source?.endInput()
                sourceWait = nil
            case .finish: mayFinish = true
            }
        }
    }

    /// Whether a subtask with nothing left to do may end: where there are checkpoints, behind the one that holds its end.
    private func mayGo() -> Bool {
        guard let checkpoints, checkpoints.hasFinal || holdsEnd, !mayFinish else { return true }
        if !isDrained {
            isDrained = true
            checkpoints.drained(number)
        }
        return false
    }

    /// How many steps one turn takes at most, so that ten million timers at one watermark do not keep others, or a cancellation, waiting.
    private static let stepCountMax = 64

    /// Lets the operators go on with what waits, the last ones first, until nothing moves; false if there is more than one turn should do.
    private func pump() throws(MillstreamError) -> Bool {
        var steps = 0
        var moved = true
        while moved {
            moved = false
            for link in links.reversed() where link.canStep {
                if steps == Self.stepCountMax || stop.isSet { return false }
                steps += 1
                try link.step()
                moved = true
            }
        }
        return true
    }

    /// Hands one event to the head; false if there is none.
    private func readInput() throws(MillstreamError) -> Bool {
        if let gate {
            guard let event = try gate.read() else { return false }
            try take(event)
            return true
        }
        guard let source, !sourceEnded, lastBarrier == nil else { return false }
        if let sourceWait, sourceWait > clock.monotonicNanoseconds(), !takeNotification() { return false }
        sourceWait = nil
        let event: SourceInput.Event
        do { event = try source.poll() } catch { throw error.inOperator(links[0].name) }
        switch event {
        case .batch(let batch):
            links[0].metrics.lastRecordNanoseconds.set(turnStart)
            reportStall()
            try links[0].deliver(.batch(batch, input: 0))
        case .decoded(let batch, let letters):
            links[0].metrics.lastRecordNanoseconds.set(turnStart)
            reportStall()
            if let target = source.deadLetters { try links[target.link].emit(letters, to: target.output) }
            if let batch { try links[0].deliver(.batch(batch, input: 0)) }
        case .wait(let time):
            sourceWait = time.map { monotonic($0, source.clock) }
            return false
        case .end:
            sourceEnded = true
            try links[0].deliver(.watermark(.max))
            try links[0].deliver(.endOfInput(0))
        }
        return true
    }

    /// Hands what the gate gave to the head.
    private func take(_ event: GateEvent) throws(MillstreamError) {
        switch event {
        case .batch(let batch, let input, let byteCount):
            links[0].metrics.bytesIn.add(byteCount)
            links[0].metrics.lastRecordNanoseconds.set(turnStart)
            reportStall()
            try links[0].deliver(.batch(batch, input: input))
        case .watermark(let watermark): try links[0].deliver(.watermark(watermark))
        case .status(let status): try links[0].deliver(.status(status))
        case .barrier(let barrier):
            try checkpoints?.begin(barrier, gate: gate, source: nil)
            try links[0].deliver(.barrier(barrier))
        case .inFlight(let id, let channels): try checkpoints?.add(inFlight: channels, to: id)
        case .endOfInput(let input): try links[0].deliver(.endOfInput(input))
        }
    }

    /// Rows have come: says once if they have been coming for long without progress of the event time that an operator waits for.
    private func reportStall() {
        guard let stallNanoseconds, let waiting = links.first(where: { $0.metrics.nextEventTime.value != .max }) else { return }
        let watermark = waiting.metrics.currentInputWatermark.value
        guard let lastAdvance, watermark == lastWatermark else {
            lastWatermark = watermark
            lastAdvance = turnStart
            isStallReported = false
            return
        }
        let quiet = turnStart &- lastAdvance
        guard !isStallReported, quiet >= stallNanoseconds else { return }
        isStallReported = true
        owner?.subtaskStalled(self, milliseconds: quiet / 1_000_000)
    }

    /// Set by the reader's `notifyAvailable`.
    private let isNotified = Atomic<Bool>(false)

    func notifyAvailable() {
        isNotified.store(true, ordering: .releasing)
        wake()
    }

    private func takeNotification() -> Bool { isNotified.exchange(false, ordering: .acquiringAndReleasing) }

    private func checkTime() throws(MillstreamError) {
        var now: ProcessingTime?
        for link in links where link.wakeUpTime != nil {
            // The machine's millisecond has passed when the next one is there; a clock that is set to a time stands at it.
            let time = now ?? (manual == nil ? clock.now() : clock.now() + 1)
            now = time
            try link.checkTime(time)
        }
        var monotonicNow: Int64?
        for writer in writers where writer.flushDeadline != nil {
            let time = monotonicNow ?? clock.monotonicNanoseconds()
            monotonicNow = time
            try writer.flush(at: time)
        }
    }

    private func nextDeadline(includingSource: Bool) -> Int64? {
        var earliest: Int64? = includingSource ? sourceWait : nil
        for link in links where manual == nil {
            // A timer fires when its millisecond has passed.
            if let time = link.wakeUpTime { earliest = min(earliest ?? .max, monotonic(time + 1, clock)) }
        }
        for writer in writers {
            if let time = writer.flushDeadline { earliest = min(earliest ?? .max, time) }
        }
        return earliest
    }

    private func monotonic(_ time: ProcessingTime, _ clock: any Clock) -> Int64 {
        let wait = time.milliseconds.subtractingSaturating(clock.now().milliseconds)
        return clock.monotonicNanoseconds().addingSaturating(max(0, min(wait, 1 << 40)) &* 1_000_000)
    }

    /// Closes everything, whatever fails of it.
    private func close() throws(MillstreamError) {
        let head = links[0]
        var cleanUp = CleanUp()
        cleanUp.attempt { () throws(MillstreamError) in
            do throws(MillstreamError) { try source?.close() } catch {
                head.metrics.closeFailures.add(1)
                throw error.inOperator(head.name)
            }
        }
        for link in links { cleanUp.attempt { () throws(MillstreamError) in try link.close() } }
        for writer in writers {
            cleanUp.attempt { () throws(MillstreamError) in
                do throws(MillstreamError) { try writer.close() } catch {
                    head.metrics.closeFailures.add(1)
                    throw error
                }
            }
        }
        gate?.close()
        try cleanUp.finish()
    }
}

/// Whom a subtask tells how it ended.
protocol SubtaskOwner: AnyObject, Sendable {
    func subtaskFailed(_ subtask: Subtask, _ error: MillstreamError)
    /// Rows come, an operator waits for event time, and it has not advanced for so long.
    func subtaskStalled(_ subtask: Subtask, milliseconds: Int64)
    /// Everything is closed, but not all of it went well.
    func subtaskFailedToClose(_ subtask: Subtask, _ error: MillstreamError)
    /// Once per subtask, after it has closed everything.
    func subtaskEnded(_ subtask: Subtask)
}

extension LiveObjects {
    public static let subtasks = Counter()
}
