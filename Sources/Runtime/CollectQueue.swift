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

    /// Rows that are worth waking the owner for, and how long fewer wait behind the last that it took: a job that gives a few rows per batch would otherwise
    /// wake it, and make it fight for the host's lock, at every batch.
    private static let rowCountWorthwhile = 4096
    private static let lingerNanoseconds: Int64 = 5_000_000

    private let monitor = Monitor()
    private var batches: [(batch: Batch, byteCount: Int)] = []
    private var byteCount = 0
    private var rowCount = 0
    private var hasEnded = false
    private var isLingering = false
    private var lastTaken: Int64 = 0
    private var waiting: [@Sendable () -> Void] = []
    private var isTouched = false
    /// For each subtask the last checkpoint whose rows it has given.
    private var committed: [Int: CheckpointID] = [:]

    public init() {}

    /// All rows that a subtask collected between one checkpoint and the next; taken once, whatever the bound says, because no checkpoint waits for a reader.
    func commit(_ rows: [Batch], checkpoint: CheckpointID, subtask: Int) {
        monitor.lock()
        defer { monitor.unlock() }
        if hasEnded { return }
        if let last = committed[subtask], checkpoint <= last { return }
        committed[subtask] = checkpoint
        for batch in rows {
            let size = batch.byteCount
            batches.append((batch, size))
            byteCount += size
            rowCount += batch.count
        }
        if !isLingering || isWorthwhile { monitor.broadcast() }
    }

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
        rowCount += batch.count
        if !isLingering || isWorthwhile { monitor.broadcast() }
        return true
    }

    private var isWorthwhile: Bool { rowCount >= Self.rowCountWorthwhile || byteCount >= Self.byteCountLimit / 2 || hasEnded }

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
        if timeoutNanoseconds != 0 { linger() }
        let item = take()
        isTouched = true
        lastTaken = Monitor.now()
        var notified: [@Sendable () -> Void] = []
        if byteCount <= Self.byteCountLimit / 2 { swap(&notified, &waiting) }
        monitor.unlock()
        for notify in notified { notify() }
        return .batch(item)
    }

    /// Waits a moment for more, where rows have just been taken and few have come since.
    private func linger() {
        let left = lastTaken.addingSaturating(Self.lingerNanoseconds) &- Monitor.now()
        guard left > 0, !isWorthwhile else { return }
        let deadline = Monitor.deadline(after: left)
        isLingering = true
        while !isWorthwhile, monitor.wait(until: deadline) {}
        isLingering = false
    }

    /// The first batches as one, up to a full batch; there is at least one.
    private func take() -> Batch {
        var count = 0
        var rows = 0
        while count < batches.count, count == 0 || rows + batches[count].batch.count <= Self.rowCountWorthwhile {
            rows += batches[count].batch.count
            count += 1
        }
        let joined = count == 1 ? nil : try? Batch.concat(batches[..<count].map(\.batch))
        if joined == nil { count = 1 }
        let first = batches[0].batch
        for entry in batches[..<count] {
            byteCount -= entry.byteCount
            rowCount -= entry.batch.count
        }
        batches.removeFirst(count)
        return joined ?? first
    }

    /// Before the sink gives all its rows anew: those that nobody has taken go. False: some have been taken, and the rest stays.
    func forget() -> Bool {
        monitor.lock()
        defer { monitor.unlock() }
        if isTouched { return false }
        batches = []
        byteCount = 0
        rowCount = 0
        waiting = []
        return true
    }

    /// No more rows come; those at hand stay.
    public func end() {
        monitor.lock()
        hasEnded = true
        let notified = waiting
        waiting = []
        monitor.broadcast()
        monitor.unlock()
        for notify in notified { notify() }
    }
}
