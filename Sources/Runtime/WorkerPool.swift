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
///
/// A function of the host may also wait for the world outside, and would hold its worker all that time. A lookout watches while all workers run and there
/// is more to do: one that has used no processor time for a while is not counted, and another takes its place. When it comes back, whoever is one too many
/// rests, and ends if nobody needs it.
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
    private let workerCount: Int
    /// All that have a thread, whatever it does.
    private var workers: [Worker] = []
    /// How many of them run or look for something to run: those that neither block nor rest. At most `workerCount`.
    private var activeCount = 0
    /// Workers that are one too many; the last one to come is the first to be called back.
    private var resting: [Worker] = []
    /// Threads at their end, still to be joined.
    private var ended: [pthread_t] = []
    private let lookoutSpace = ParkingSpace()
    private var lookoutThread: pthread_t?
    /// Whether the lookout will look without being woken.
    private var isLookingOut = false

    /// How many messages a subtask handles before others get their turn.
    private static let quantumMessages = 16

    /// How long a subtask has the host to itself.
    private static let hostTurnNanoseconds: Int64 = 5_000_000

    /// How often the lookout looks, and in what part of that time a worker that does not block uses the processor.
    private static let lookNanoseconds: Int64 = 20_000_000
    private static let blockedShare: Int64 = 20

    /// How many workers may block beside those that do not.
    private static let blockedCountMax = 64

    /// How long a worker rests before its thread ends.
    private static let restNanoseconds: Int64 = 2_000_000_000

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
        callLookout()
        // One that has to wait for the host is seen by who has the host, or by who watches it.
        if !(subtask.takesHostTurns && hostRunning > 0 && watcherCount > 0) { wakeOne() }
        monitor.unlock()
    }

    func schedule(_ subtask: Subtask, at nanoseconds: Int64) {
        monitor.lock()
        startThreads()
        let isEarliest = deadlines.first.map { nanoseconds < $0.time } ?? true
        deadlines.push(Deadline(time: nanoseconds, subtask: subtask))
        callLookout()
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
        for worker in resting { worker.space.wake() }
        resting = []
        lookoutSpace.wake()
        let lookout = lookoutThread
        lookoutThread = nil
        monitor.unlock()
        // The lookout first: nobody but it starts further threads.
        if let lookout { pthread_join(lookout, nil) }
        monitor.lock()
        let joined = ended + workers.map(\.thread)
        ended = []
        workers = []
        monitor.unlock()
        for thread in joined { pthread_join(thread, nil) }
    }

    private func startThreads() {
        guard workers.isEmpty, !isStopping else { return }
        for _ in 0..<workerCount { startWorker() }
        if lookoutThread == nil { lookoutThread = startThread { [self] in lookOut() } }
    }

    /// With the monitor held; without effect where the system has no further thread.
    private func startWorker() {
        let worker = Worker()
        guard let thread = startThread({ [self] in work(worker) }) else { return }
        worker.thread = thread
        workers.append(worker)
        activeCount += 1
    }

    private func startThread(_ body: @escaping () -> Void) -> pthread_t? {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(ThreadBody(body))
        let status = pthread_create(&thread, nil, { context in
            guard let context else { return nil }
            Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
            return nil
        }, context.toOpaque())
        if status == 0 { return thread }
        context.release()
        return nil
    }

    private func work(_ worker: Worker) {
        monitor.lock()
        while true {
            if activeCount > workerCount, !isStopping {
                guard rest(worker) else { break }
                continue
            }
            wakeDue()
            guard let subtask = takeRunnable() else {
                if isStopping, runnableStart == runnable.count {
                    activeCount -= 1
                    break
                }
                park(worker.space)
                continue
            }
            if subtask.takesHostTurns {
                hostRunning += 1
                lastHostStart = clock.monotonicNanoseconds()
            }
            worker.begin(takesHostTurns: subtask.takesHostTurns)
            callLookout()
            monitor.unlock()
            subtask.run()
            monitor.lock()
            worker.isRunning = false
            if worker.isBlocked {
                worker.isBlocked = false
                activeCount += 1
            } else if subtask.takesHostTurns {
                hostRunning -= 1
            }
        }
        monitor.unlock()
    }

    /// Waits until the worker is needed; false if that did not come, and its thread ends.
    private func rest(_ worker: Worker) -> Bool {
        activeCount -= 1
        resting.append(worker)
        // Whoever calls it back has counted it.
        if worker.space.wait(monitor, until: clock.monotonicNanoseconds() &+ Self.restNanoseconds) { return true }
        resting.removeAll { $0 === worker }
        if activeCount < workerCount {
            activeCount += 1
            return true
        }
        workers.removeAll { $0 === worker }
        ended.append(worker.thread)
        callLookout(always: true)
        return false
    }

    // MARK: Lookout

    /// Wakes the lookout if there is, or will be, something to do and all workers are busy. It is woken once for as long as that lasts.
    private func callLookout(always: Bool = false) {
        guard !isLookingOut, always || parked.isEmpty && (runnableStart < runnable.count || deadlines.count > 0) else { return }
        isLookingOut = true
        lookoutSpace.wake()
    }

    private func lookOut() {
        monitor.lock()
        while !isStopping {
            if isLookingOut {
                _ = lookoutSpace.wait(monitor, until: clock.monotonicNanoseconds() &+ Self.lookNanoseconds)
            } else {
                _ = lookoutSpace.wait(monitor, until: nil)
                continue
            }
            joinEnded()
            guard parked.isEmpty, runnableStart < runnable.count || deadlines.count > 0 else {
                isLookingOut = false
                continue
            }
            let now = clock.monotonicNanoseconds()
            findBlocked(now)
            let isSomethingDue = runnableStart < runnable.count || deadlines.first.map { $0.time <= now } ?? false
            while isSomethingDue, activeCount < workerCount, !isStopping {
                if let worker = resting.popLast() {
                    activeCount += 1
                    worker.space.wake()
                } else {
                    let count = workers.count
                    if count < workerCount + Self.blockedCountMax { startWorker() }
                    guard workers.count > count else { break }
                }
            }
        }
        monitor.unlock()
    }

    /// Takes those out of the count that have done the same turn for a while without using the processor: they wait for something outside.
    private func findBlocked(_ now: Int64) {
        for worker in workers where worker.isRunning && !worker.isBlocked {
            guard let used = worker.processorNanoseconds() else { continue }
            let elapsed = now &- worker.seenTime
            if worker.seenTurn != worker.turn || (used &- worker.seenUse) &* Self.blockedShare >= elapsed {
                worker.seenTurn = worker.turn
                worker.seenTime = now
                worker.seenUse = used
            } else if elapsed >= Self.lookNanoseconds {
                worker.isBlocked = true
                activeCount -= 1
                // Who waits outside does not contend for the host's lock.
                if worker.takesHostTurns { hostRunning -= 1 }
            }
        }
    }

    private func joinEnded() {
        guard !ended.isEmpty else { return }
        let threads = ended
        ended = []
        monitor.unlock()
        for thread in threads { pthread_join(thread, nil) }
        monitor.lock()
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

/// A thread of the pool; all of it with the pool's monitor held.
private final class Worker: @unchecked Sendable {
    let space = ParkingSpace()
    var thread = pthread_t()
    /// Counts what it has run, from 1.
    private(set) var turn = 0
    var isRunning = false
    /// Whether the lookout has found that it waits for something outside.
    var isBlocked = false
    private(set) var takesHostTurns = false
    /// What the lookout saw last: in which turn, when, and how much processor time the thread had used.
    var seenTurn = 0
    var seenTime: Int64 = 0
    var seenUse: Int64 = 0

    func begin(takesHostTurns: Bool) {
        turn &+= 1
        isRunning = true
        self.takesHostTurns = takesHostTurns
    }

    /// The processor time that the thread has used so far; nil where the system does not say.
    func processorNanoseconds() -> Int64? {
        var number = clockid_t()
        var time = timespec()
        guard pthread_getcpuclockid(thread, &number) == 0, clock_gettime(number, &time) == 0 else { return nil }
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

/// What a new thread runs.
private final class ThreadBody {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
}

/// Where one thread waits; all of it with the pool's monitor held.
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
