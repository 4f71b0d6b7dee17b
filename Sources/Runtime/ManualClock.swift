import Columnar
import Dataflow
import Synchronization

/// Processing time that stands still until the program moves it; durations go by the machine's clock.
///
/// What is due on the way happens at its own time, one time after the other: the clock goes on when all subtasks of its jobs are at rest, which is when none
/// of them runs and none has been woken. So it is the last one to come to rest that moves the clock on, and wakes those that have been waiting for that
/// time. A subtask of such a job asks no scheduler for a deadline of processing time, and sends rows on before it sleeps. What comes from outside, such
/// as rows that a source waits for or an answer to an asynchronous request, does not keep anything from being at rest.
public final class ManualClock: Clock, @unchecked Sendable {
    private let machine = SystemClock()
    private let time: Atomic<Int64>
    /// How many subtasks run or are about to.
    private let busy = Atomic<Int>(0)
    private let monitor = Monitor()
    /// Where the clock is on its way to; never before `time`.
    private var target: Int64
    private var subtasks: [Subtask] = []

    /// Starts at `start` milliseconds since the epoch.
    public init(start: Int64) {
        time = Atomic(start)
        target = start
    }

    public func now() -> ProcessingTime { ProcessingTime(milliseconds: time.load(ordering: .acquiring)) }
    public func monotonicNanoseconds() -> Int64 { machine.monotonicNanoseconds() }

    /// Has the clock go to a time, in milliseconds since the epoch, and returns at once. Throws `invalidArgument` for a time before the one that it goes to.
    public func advance(to milliseconds: Int64) throws(MillstreamError) {
        monitor.lock()
        guard milliseconds >= target else {
            let last = target
            monitor.unlock()
            throw MillstreamError(.invalidArgument, "the clock stands at \(last) and cannot go back to \(milliseconds)")
        }
        target = milliseconds
        monitor.unlock()
        settle()
    }

    /// The same by a number of milliseconds from where the clock stands or goes to.
    public func advance(by milliseconds: Int64) throws(MillstreamError) {
        guard milliseconds >= 0 else { throw MillstreamError(.invalidArgument, "a clock cannot go back: \(milliseconds) milliseconds") }
        monitor.lock()
        let last = target
        target = last.addingSaturating(milliseconds)
        monitor.unlock()
        settle()
    }

    /// Waits until the clock is where it was told to go and all subtasks are at rest, at most so long (nil: for ever). False: not in that time.
    public func wait(timeoutNanoseconds: Int64?) -> Bool {
        monitor.lock()
        defer { monitor.unlock() }
        let deadline = timeoutNanoseconds.map { Monitor.deadline(after: $0) }
        while !isSettled {
            if !monitor.wait(until: deadline) { return isSettled }
        }
        return true
    }

    /// With the monitor.
    private var isSettled: Bool { busy.load(ordering: .acquiring) == 0 && time.load(ordering: .relaxed) == target }

    // MARK: For the engine

    func add(_ added: [Subtask]) {
        monitor.lock()
        subtasks += added
        monitor.unlock()
    }

    func remove(_ subtask: Subtask) {
        monitor.lock()
        subtasks.removeAll { $0 === subtask }
        monitor.unlock()
    }

    /// A subtask that slept will run. Called before whoever woke it may come to rest itself.
    func begin() { busy.add(1, ordering: .acquiringAndReleasing) }

    /// A subtask sleeps, or has ended.
    func end() {
        if busy.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { settle() }
    }

    /// Moves the clock on, if nobody runs: to the earliest time that a subtask waits for, or to where it was told to go.
    private func settle() {
        monitor.lock()
        defer { monitor.unlock() }
        while busy.load(ordering: .acquiring) == 0 {
            let earliest = subtasks.lazy.map(\.nextProcessingTime).min() ?? .max
            guard earliest < .max, earliest <= target else {
                time.store(target, ordering: .releasing)
                monitor.broadcast()
                return
            }
            let now = max(earliest, time.load(ordering: .relaxed))
            time.store(now, ordering: .releasing)
            for subtask in subtasks where subtask.nextProcessingTime <= now { subtask.wakeForProcessingTime() }
        }
    }
}
