import Dataflow
import Glibc

/// Threads that run whichever subtask has something to do.
///
/// One queue under one lock: subtasks run for about a millisecond at a time, so the lock is taken some thousand times a second. Nobody spins: an idle worker
/// parks until it is woken or until the earliest deadline. Each parks at a condition of its own, and the one that parked last is woken first: its caches
/// are the warmest, and a condition with a single waiter is out of reach of the signals that glibc before 2.41 loses among several
/// (https://sourceware.org/bugzilla/show_bug.cgi?id=25847).
///
/// Subtasks that call into the host contend for its lock, so they take turns: a second one starts only when the first has run longer than such a turn
/// takes, which says that it blocks outside the lock, or is slow enough for the lock to change hands within it.
final class WorkerPool: Scheduler, @unchecked Sendable {
    private struct Deadline: Comparable {
        var time: Int64
        var subtask: Subtask

        static func < (left: Deadline, right: Deadline) -> Bool { left.time < right.time }
        static func == (left: Deadline, right: Deadline) -> Bool { left.time == right.time }
    }

    private let monitor = Monitor()
    private let clock: any Clock
    private var runnable: [Subtask] = []
    private var runnableStart = 0
    /// Entries of subtasks that have run meanwhile are dropped when they come up.
    private var deadlines = BinaryHeap<Deadline>()
    private var hostRunning = 0
    /// When the last subtask that calls the host got its turn.
    private var lastHostStart: Int64 = 0
    private var parked: [ParkingSpace] = []
    /// How many of the parked look again when the host's turn is over.
    private var watcherCount = 0
    private var isStopping = false
    private var threads: [pthread_t] = []
    private let workerCount: Int

    /// How many messages a subtask handles before others get their turn.
    private static let quantumMessages = 16

    /// How long a subtask has the host to itself.
    private static let hostTurnNanoseconds: Int64 = 5_000_000

    init(workerCount: Int, clock: any Clock) {
        self.workerCount = max(1, workerCount)
        self.clock = clock
    }

    /// The machine's cores.
    static var coreCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

    func quantum() -> Int { Self.quantumMessages }

    func enqueue(_ subtask: Subtask) {
        monitor.lock()
        startThreads()
        runnable.append(subtask)
        // One that has to wait for the host is seen by who has the host, or by who watches it.
        if !(subtask.takesHostTurns && hostRunning > 0 && watcherCount > 0) { wakeOne() }
        monitor.unlock()
    }

    func schedule(_ subtask: Subtask, at nanoseconds: Int64) {
        monitor.lock()
        startThreads()
        let isEarliest = deadlines.first.map { nanoseconds < $0.time } ?? true
        deadlines.push(Deadline(time: nanoseconds, subtask: subtask))
        if isEarliest { wakeOne() }
        monitor.unlock()
    }

    func forget(_ subtask: Subtask) {
        monitor.lock()
        let old = deadlines
        deadlines.removeAll { $0.subtask === subtask }
        monitor.unlock()
        // The last reference may be among them, and what a subtask holds is not freed under the lock.
        withExtendedLifetime(old) {}
    }

    /// Ends the threads when they have nothing to run; the caller has ended all jobs.
    func stop() {
        monitor.lock()
        isStopping = true
        while !parked.isEmpty { wakeOne() }
        let joined = threads
        threads = []
        monitor.unlock()
        for thread in joined { pthread_join(thread, nil) }
    }

    private func startThreads() {
        guard threads.isEmpty, !isStopping else { return }
        for _ in 0..<workerCount {
            var thread = pthread_t()
            let context = Unmanaged.passRetained(self).toOpaque()
            let status = pthread_create(&thread, nil, { context in
                guard let context else { return nil }
                Unmanaged<WorkerPool>.fromOpaque(context).takeRetainedValue().work()
                return nil
            }, context)
            if status == 0 { threads.append(thread) } else { Unmanaged<WorkerPool>.fromOpaque(context).release() }
        }
    }

    private func work() {
        let space = ParkingSpace()
        monitor.lock()
        while true {
            wakeDue()
            guard let subtask = takeRunnable() else {
                if isStopping, runnableStart == runnable.count { break }
                park(space)
                continue
            }
            if subtask.takesHostTurns {
                hostRunning += 1
                lastHostStart = clock.monotonicNanoseconds()
            }
            monitor.unlock()
            subtask.run()
            monitor.lock()
            if subtask.takesHostTurns { hostRunning -= 1 }
        }
        monitor.unlock()
    }

    /// The next subtask that may run: all but those that call the host while the host is taken.
    private func takeRunnable() -> Subtask? {
        guard runnableStart < runnable.count else { return nil }
        var place = runnableStart
        if runnable[place].takesHostTurns, hostRunning > 0, hostIsFree() > clock.monotonicNanoseconds() {
            guard let other = runnable[runnableStart...].firstIndex(where: { !$0.takesHostTurns }) else { return nil }
            place = other
        }
        let subtask = runnable[place]
        if place == runnableStart {
            runnableStart += 1
        } else {
            runnable.remove(at: place)
        }
        if runnableStart == runnable.count {
            runnable.removeAll(keepingCapacity: true)
            runnableStart = 0
        } else if runnableStart > 256 {
            runnable.removeFirst(runnableStart)
            runnableStart = 0
        }
        return subtask
    }

    /// When a further subtask may call the host although one is at it.
    private func hostIsFree() -> Int64 { lastHostStart &+ Self.hostTurnNanoseconds }

    private func wakeDue() {
        guard deadlines.count > 0 else { return }
        let now = clock.monotonicNanoseconds()
        while let first = deadlines.first, first.time <= now {
            deadlines.popFirst()
            if first.subtask.becomeQueued() {
                runnable.append(first.subtask)
                // This worker takes one of them; the others are for those who are parked.
                wakeOne()
            }
        }
    }

    private func wakeOne() { parked.popLast()?.wake() }

    private func park(_ space: ParkingSpace) {
        var time = deadlines.first?.time
        // What is left in the queue waits for the host.
        let isWatching = runnableStart < runnable.count
        if isWatching {
            time = min(time ?? .max, hostIsFree())
            watcherCount += 1
        }
        defer { if isWatching { watcherCount -= 1 } }
        parked.append(space)
        if !space.wait(monitor, until: time) { parked.removeAll { $0 === space } }
    }
}

/// Where one worker waits; all of it with the pool's monitor held.
private final class ParkingSpace {
    private let condition: UnsafeMutablePointer<pthread_cond_t> = .allocate(capacity: 1)
    private var isTaken = false

    init() { Monitor.initialize(condition) }

    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
    }

    /// Waits, with the monitor given up meanwhile; false if the time (nil: never) came before `wake`.
    func wait(_ monitor: Monitor, until nanoseconds: Int64?) -> Bool {
        isTaken = true
        let time = nanoseconds.map { timespec(tv_sec: Int($0 / 1_000_000_000), tv_nsec: Int($0 % 1_000_000_000)) }
        while isTaken {
            if !monitor.wait(at: condition, until: time) { break }
        }
        defer { isTaken = false }
        return !isTaken
    }

    func wake() {
        isTaken = false
        pthread_cond_signal(condition)
    }
}
