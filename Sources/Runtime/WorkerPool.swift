import Dataflow
import Glibc

/// Threads that run whichever subtask has something to do.
///
/// One queue under one lock: subtasks run for about a millisecond at a time, so the lock is taken some thousand times a second. Nobody spins: an idle worker
/// sleeps until it is signalled or until the earliest deadline. Subtasks that call into the host contend for its lock, so while one of them runs the
/// others are passed over for subtasks that do not (`callsHost`).
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
    private var sleeping = 0
    private var isStopping = false
    private var threads: [pthread_t] = []
    private let workerCount: Int

    /// How many messages a subtask handles before others get their turn.
    private static let quantumMessages = 16

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
        if sleeping > 0 { monitor.signal() }
        monitor.unlock()
    }

    func schedule(_ subtask: Subtask, at nanoseconds: Int64) {
        monitor.lock()
        startThreads()
        let isEarliest = deadlines.first.map { nanoseconds < $0.time } ?? true
        deadlines.push(Deadline(time: nanoseconds, subtask: subtask))
        if isEarliest, sleeping > 0 { monitor.signal() }
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
        monitor.broadcast()
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
        monitor.lock()
        while true {
            wakeDue()
            guard let subtask = takeRunnable() else {
                if isStopping { break }
                sleep()
                continue
            }
            if subtask.callsHost { hostRunning += 1 }
            monitor.unlock()
            subtask.run()
            monitor.lock()
            if subtask.callsHost { hostRunning -= 1 }
        }
        monitor.unlock()
    }

    /// The next subtask; one that does not call the host first while another that does is running.
    private func takeRunnable() -> Subtask? {
        guard runnableStart < runnable.count else { return nil }
        var place = runnableStart
        if hostRunning > 0, runnable[place].callsHost,
            let other = runnable[runnableStart...].firstIndex(where: { !$0.callsHost })
        {
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

    private func wakeDue() {
        guard deadlines.count > 0 else { return }
        let now = clock.monotonicNanoseconds()
        while let first = deadlines.first, first.time <= now {
            deadlines.popFirst()
            if first.subtask.becomeQueued() {
                runnable.append(first.subtask)
                // This worker takes one of them; the others are for those who sleep.
                if sleeping > 0 { monitor.signal() }
            }
        }
    }

    private func sleep() {
        sleeping += 1
        let time = deadlines.first.map { timespec(tv_sec: Int($0.time / 1_000_000_000), tv_nsec: Int($0.time % 1_000_000_000)) }
        _ = monitor.wait(until: time)
        sleeping -= 1
    }
}
