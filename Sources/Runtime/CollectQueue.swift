import Columnar
import Dataflow
import Glibc

/// The rows of a collecting sink on their way to the job's owner; bounded in bytes.
public final class CollectQueue: CollectTarget, @unchecked Sendable {
    /// What may wait before the sink does: a few batches of wide rows.
    public static let byteCountLimit = 8 << 20

    /// What `next` found.
    public enum Item: Sendable {
        case batch(Batch)
        case nothingYet
        case end
    }

    private let monitor = Monitor()
    private var batches: [(batch: Batch, byteCount: Int)] = []
    private var byteCount = 0
    private var hasEnded = false
    private var waiting: [@Sendable () -> Void] = []

    public init() {}

    public func offer(_ batch: Batch, notify: @escaping @Sendable () -> Void) -> Bool {
        let size = batch.byteCount
        monitor.lock()
        defer { monitor.unlock() }
        if hasEnded { return true }
        if byteCount >= Self.byteCountLimit {
            waiting.append(notify)
            return false
        }
        batches.append((batch, size))
        byteCount += size
        monitor.broadcast()
        return true
    }

    /// The next rows, waiting at most so long (nil: for ever).
    public func next(timeoutNanoseconds: Int64?) -> Item {
        monitor.lock()
        let deadline = timeoutNanoseconds.map { Monitor.deadline(after: $0) }
        while batches.isEmpty {
            if hasEnded {
                monitor.unlock()
                return .end
            }
            if !monitor.wait(until: deadline) {
                monitor.unlock()
                return .nothingYet
            }
        }
        let first = batches.removeFirst()
        byteCount -= first.byteCount
        var notified: [@Sendable () -> Void] = []
        if byteCount <= Self.byteCountLimit / 2 { swap(&notified, &waiting) }
        monitor.unlock()
        for notify in notified { notify() }
        return .batch(first.batch)
    }

    /// No more rows come; those at hand stay.
    func end() {
        monitor.lock()
        hasEnded = true
        let notified = waiting
        waiting = []
        monitor.broadcast()
        monitor.unlock()
        for notify in notified { notify() }
    }
}
