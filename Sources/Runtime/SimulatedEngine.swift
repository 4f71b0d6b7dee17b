import Columnar
import Dataflow
import Exchange
import Plan
import Synchronization

/// Runs one job on the calling thread, in virtual time, with a seed that decides every choice: which subtask runs, for how long, when a message arrives.
///
/// The twin of `Engine` and `WorkerPool`; subtasks, channels and operators are the same. The same seed gives the same run, message by message (`traceHash`).
public final class SimulatedEngine: Scheduler, ChannelHandover, Background, @unchecked Sendable {
    public let clock: SimulatedClock
    public let random: SeededRandom
    private let storage: any Storage
    private let seed: UInt64
    /// Subtasks that can run, channels with messages on their way, and sleepers with their deadlines: in the order in which they came.
    private var runnable: [Subtask] = []
    private var held: [Channel] = []
    private var sleepers: [(time: Int64, subtask: Subtask)] = []
    /// Subtasks and channels that a fault holds back, with the time at which they go on.
    private var detained: [(time: Int64, part: Part)] = []
    /// What the job's background has to do, and what it waits for.
    private var work: [@Sendable () -> Void] = []
    private var isFinishing = false
    private var timedWork: [(time: Int64, work: @Sendable () -> Void)] = []
    private let delays: Delays
    private let parts: (any PartSubstitution)?
    /// How many choices have been made.
    public private(set) var tickCount = 0
    /// A hash over every choice (FNV-1a); equal for equal runs.
    public private(set) var traceHash: UInt64 = 0xCBF2_9CE4_8422_2325

    private enum Part {
        case subtask(Subtask)
        case channel(Channel)
    }

    /// Faults of the schedule: how likely a choice becomes a pause of the subtask, or of the channel, and for how long at most.
    package struct Delays: Sendable {
        /// Of 1,024 turns.
        package var pauseChance: UInt64
        /// Of 1,024 deliveries.
        package var delayChance: UInt64
        package var nanosecondsMax: UInt64

        package init(pauseChance: UInt64 = 0, delayChance: UInt64 = 0, nanosecondsMax: UInt64 = 0) {
            self.pauseChance = pauseChance
            self.delayChance = delayChance
            self.nanosecondsMax = nanosecondsMax
        }
    }

    public convenience init(seed: UInt64, storage: any Storage, clock: SimulatedClock = SimulatedClock(start: 1_000_000_000_000)) {
        self.init(seed: seed, storage: storage, clock: clock, delays: Delays(), parts: nil)
    }

    /// With faults of the schedule, and with parts that a test puts in place of the engine's.
    package init(
        seed: UInt64, storage: any Storage, clock: SimulatedClock = SimulatedClock(start: 1_000_000_000_000), delays: Delays, parts: (any PartSubstitution)?
    ) {
        self.seed = seed
        self.delays = delays
        self.parts = parts
        self.storage = storage
        self.clock = clock
        random = SeededRandom(seed: seed)
    }

    /// Prepares a job; `run` then runs it.
    public func submit(_ plan: StreamPlan, bindings: Bindings) throws(MillstreamError) -> Job {
        let job = Job(name: plan.jobName, clock: clock)
        let preparation = try JobPreparation(
            plan, bindings: bindings, job: job, scheduler: self, handover: self, background: self, clock: clock, machineClock: clock, storage: storage, seed: seed,
            standardOutput: nil, standardError: nil, log: Silence(), parts: parts)
        preparation.start(try preparation.build())
        return job
    }

    /// Makes choices until the job has ended, nothing can happen any more, or the limit is reached. `onTick` may cancel, take collected rows, move the clock.
    public func run(_ job: Job, tickCountMax: Int = 1_000_000, onTick: (Int) -> Void = { _ in }) {
        let end = tickCount + tickCountMax
        while !job.status.isTerminal, tickCount < end {
            onTick(tickCount)
            guard choose() else { return }
        }
    }

    /// Whether nothing can happen but by the clock, or from outside.
    package var isAtRest: Bool { runnable.isEmpty && held.isEmpty && work.isEmpty }

    /// One choice; false if nothing can happen.
    private func choose() -> Bool {
        tickCount += 1
        if !detained.isEmpty { releaseDetained() }
        let choices = runnable.count + held.count + (work.isEmpty ? 0 : 1)
        if choices == 0 || random.next(below: 64) == 0, !sleepers.isEmpty || !detained.isEmpty || !timedWork.isEmpty {
            if choices == 0 { advanceToEarliest() } else { clock.advance(nanoseconds: Int64(random.next(below: 5_000_000))) }
            wakeDue()
            return true
        }
        guard choices > 0 else { return false }
        let choice = Int(random.next(below: UInt64(choices)))
        if choice < runnable.count {
            let subtask = runnable.remove(at: choice)
            note(UInt64(subtask.number) << 1)
            if isDetained(.subtask(subtask), delays.pauseChance) { return true }
            // Work takes time, so that buffer timeouts and processing-time timers come in between.
            clock.advance(nanoseconds: Int64(random.next(below: 200_000)))
            subtask.run()
        } else if choice == runnable.count + held.count {
            note(1 << 62)
            clock.advance(nanoseconds: Int64(random.next(below: 200_000)))
            work.removeFirst()()
            if isFinishing {
                // The job has ended; whoever waits for an answer gets one.
                isFinishing = false
                while !work.isEmpty { work.removeFirst()() }
            }
        } else {
            // Delivering makes the consumer runnable, which moves no channel.
            let place = choice - runnable.count
            note(UInt64(held[place].number) << 1 | 1)
            if isDetained(.channel(held[place]), delays.delayChance) {
                held.remove(at: place)
                return true
            }
            if !held[place].deliver(1 + Int(random.next(below: 4))) { held.remove(at: place) }
        }
        return true
    }

    private func isDetained(_ part: Part, _ chance: UInt64) -> Bool {
        guard chance > 0, random.next(below: 1_024) < chance else { return false }
        detained.append((clock.monotonicNanoseconds() + Int64(random.next(below: delays.nanosecondsMax)), part))
        return true
    }

    private func releaseDetained() {
        let now = clock.monotonicNanoseconds()
        let due = detained.filter { $0.time <= now }
        detained.removeAll { $0.time <= now }
        for entry in due {
            switch entry.part {
            case .subtask(let subtask): runnable.append(subtask)
            case .channel(let channel): held.append(channel)
            }
        }
    }

    private func advanceToEarliest() {
        guard let earliest = (sleepers.map(\.time) + detained.map(\.time) + timedWork.map(\.time)).min() else { return }
        clock.advance(nanoseconds: max(0, earliest - clock.monotonicNanoseconds()))
    }

    private func wakeDue() {
        let now = clock.monotonicNanoseconds()
        let due = sleepers.filter { $0.time <= now }
        sleepers.removeAll { $0.time <= now }
        for sleeper in due where sleeper.subtask.becomeQueued() { runnable.append(sleeper.subtask) }
        work += timedWork.filter { $0.time <= now }.map(\.work)
        timedWork.removeAll { $0.time <= now }
    }

    private func note(_ value: UInt64) {
        traceHash = (traceHash ^ value) &* 0x100_0000_01B3
    }

    // MARK: Scheduler, Background and ChannelHandover

    func enqueue(_ subtask: Subtask) { runnable.append(subtask) }
    func schedule(_ subtask: Subtask, at nanoseconds: Int64) { sleepers.append((nanoseconds, subtask)) }
    func forget(_ subtask: Subtask) { sleepers.removeAll { $0.subtask === subtask } }
    func quantum() -> Int { 1 + Int(random.next(below: 8)) }

    /// A chunk at a time, so that operators change what is half copied.
    let stepByteCount = 1

    func run(_ work: @escaping @Sendable () -> Void) { self.work.append(work) }
    func run(at nanoseconds: Int64, _ work: @escaping @Sendable () -> Void) { timedWork.append((nanoseconds, work)) }
    func finish() {
        timedWork = []
        isFinishing = true
    }

    public func hold(_ channel: Channel) {
        if detained.contains(where: { if case .channel(let other) = $0.part { other === channel } else { false } }) { return }
        if !held.contains(where: { $0 === channel }) { held.append(channel) }
    }
}

/// Thousands of simulated jobs restart.
private final class Silence: TextOutput {
    func write(_ text: UnsafeRawBufferPointer) {}
}
