import Dataflow
import Glibc

/// Where a job's coordination happens, and the writing of its checkpoints: one piece of work after the other, beside the data path.
///
/// Real and simulated twins, as of the scheduler. Work never waits for a subtask.
protocol Background: AnyObject, Sendable {
    /// Does the work soon, behind what was given before.
    func run(_ work: @escaping @Sendable () -> Void)
    /// Does the work at this monotonic time.
    func run(at nanoseconds: Int64, _ work: @escaping @Sendable () -> Void)
    /// How much of the operators' state one piece of work copies or writes.
    var stepByteCount: Int { get }
    /// Does what was given so far, but nothing that waits for its time, and ends. Called once; from the work itself as well.
    func finish()
}

/// A thread of the job's own, from its first work to its end.
final class BackgroundThread: Background, @unchecked Sendable {
    private struct Timed: Comparable {
        let time: Int64
        let number: Int
        let work: @Sendable () -> Void

        static func < (left: Timed, right: Timed) -> Bool { (left.time, left.number) < (right.time, right.number) }
        static func == (left: Timed, right: Timed) -> Bool { left.number == right.number }
    }

    let stepByteCount = 4 << 20
    private let monitor = Monitor()
    private var queue: [@Sendable () -> Void] = []
    private var timed = BinaryHeap<Timed>()
    private var nextNumber = 0
    private var hasThread = false
    private var isFinishing = false

    func run(_ work: @escaping @Sendable () -> Void) {
        monitor.lock()
        guard !isFinishing else {
            // There is nothing left that it could disturb; whoever waits for an answer gets one.
            monitor.unlock()
            return work()
        }
        queue.append(work)
        startThread()
        monitor.broadcast()
        monitor.unlock()
    }

    func run(at nanoseconds: Int64, _ work: @escaping @Sendable () -> Void) {
        monitor.lock()
        defer { monitor.unlock() }
        nextNumber += 1
        timed.push(Timed(time: nanoseconds, number: nextNumber, work: work))
        startThread()
        monitor.broadcast()
    }

    func finish() {
        monitor.lock()
        isFinishing = true
        monitor.broadcast()
        monitor.unlock()
    }

    /// With the monitor. The thread holds this object until it ends.
    private func startThread() {
        guard !hasThread, !isFinishing else { return }
        hasThread = true
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let status = pthread_create(&thread, &attributes, { context in
            guard let context else { return nil }
            Unmanaged<BackgroundThread>.fromOpaque(context).takeRetainedValue().loop()
            return nil
        }, Unmanaged.passRetained(self).toOpaque())
        pthread_attr_destroy(&attributes)
        precondition(status == 0, "no thread for checkpoints: \(status)")
    }

    private func loop() {
        // Of no lower priority than others: an operator may wait for the chunk that this thread was copying when it lost its core.
        monitor.lock()
        while true {
            if !queue.isEmpty {
                let batch = queue
                queue = []
                monitor.unlock()
                for work in batch { work() }
                monitor.lock()
                continue
            }
            if isFinishing { break }
            if let first = timed.first {
                let left = first.time &- Monitor.now()
                if left <= 0 {
                    timed.popFirst()
                    queue.append(first.work)
                } else {
                    _ = monitor.wait(until: Monitor.deadline(after: left))
                }
            } else {
                _ = monitor.wait(until: nil)
            }
        }
        timed = BinaryHeap()
        monitor.unlock()
    }
}
