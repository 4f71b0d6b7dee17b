import Checkpoint
import Columnar
import Dataflow

/// What one operator hands over at a barrier. As in a job it is only held at first, and written when the operator has long gone on.
public final class HeldSnapshot: StateWriter {
    private enum Content { case batch(Batch), bytes([UInt8]), deferred(any DeferredParts), later((any StateWriter) throws(MillstreamError) -> Void) }

    private let objects: (any ObjectCoding)?
    private var parts: [(name: String, keyGroup: KeyGroup?, content: Content)] = []

    public init(objects: (any ObjectCoding)? = nil) { self.objects = objects }

    public func write(_ name: String, keyGroup: KeyGroup?, batch: Batch) throws(MillstreamError) {
        // The host may change its values in place.
        parts.append((name, keyGroup, .batch(try batch.encodingObjects(objects))))
    }
    public func write(_ name: String, keyGroup: KeyGroup?, bytes: [UInt8]) throws(MillstreamError) { parts.append((name, keyGroup, .bytes(bytes))) }

    public func writeLater(_ later: @escaping @Sendable (any StateWriter) throws(MillstreamError) -> Void) { parts.append(("", nil, .later(later))) }

    public func write(_ deferred: any DeferredParts) { parts.append(("", nil, .deferred(deferred))) }

    /// One step of what a job's writer does while the operator goes on. False when all is copied.
    public func advance(byteCount: Int) -> Bool {
        for part in parts { if case .deferred(let deferred) = part.content, deferred.advance(byteCount: byteCount) { return true } }
        return false
    }

    public func write(to writer: any StateWriter) throws(MillstreamError) {
        for part in parts {
            switch part.content {
            case .batch(let batch): try writer.write(part.name, keyGroup: part.keyGroup, batch: batch)
            case .bytes(let bytes): try writer.write(part.name, keyGroup: part.keyGroup, bytes: bytes)
            case .deferred(let deferred): try writer.write(deferred)
            case .later(let later): try later(writer)
            }
        }
    }
}

/// One checkpoint of one operator, in real files of a simulated disk.
public final class SnapshotHarness {
    private let directory: CheckpointDirectory
    private let objects: (any ObjectCoding)?
    private var files: [StateFile.Summary] = []
    public let barrier: CheckpointBarrier

    public init(objects: (any ObjectCoding)? = nil, checkpoint: Int64 = 7) throws(MillstreamError) {
        self.objects = objects
        directory = try CheckpointDirectory(SimulatedStorage(), root: "/checkpoints")
        barrier = CheckpointBarrier(
            id: CheckpointID(checkpoint), triggered: ProcessingTime(milliseconds: 1_000), alignment: .exactlyOnce, isSavepoint: false)
    }

    /// The rows of the files that were written.
    public var rowCount: Int64 { files.reduce(0) { $0 + $1.rowCount } }

    /// A snapshot of one operator, not written yet.
    public func hold(_ operation: any Operator) throws(MillstreamError) -> HeldSnapshot {
        let held = HeldSnapshot(objects: objects)
        try operation.snapshot(barrier, into: held)
        return held
    }

    /// Writes the snapshots of all subtasks, in their order: a file each.
    public func write(_ snapshots: [HeldSnapshot]) throws(MillstreamError) {
        files = []
        for (subtask, snapshot) in snapshots.enumerated() {
            let writer = try StateFileWriter(directory, name: "chk-\(barrier.id.value)/part-\(subtask)", objects: objects)
            try snapshot.write(to: writer)
            files.append(try writer.finish())
        }
    }

    /// What a subtask reads of the files.
    public func restored(subtask: Int, parallelism: Int, maxParallelism: Int = 128) throws(MillstreamError) -> RestoredState {
        let groups = KeyGroup.range(subtask: subtask, parallelism: parallelism, maxParallelism: maxParallelism)
        var readers: [StateFileReader] = []
        for (former, summary) in files.enumerated() {
            readers.append(
                try StateFileReader(
                    directory, name: summary.name, summary: summary, subtask: SubtaskIndex(former), formerParallelism: files.count, keyGroups: groups,
                    objects: objects))
        }
        return RestoredState(checkpoint: barrier.id, reader: OperatorStateReader(readers, formerParallelism: files.count))
    }

    /// An operator's context in a job that goes on from the checkpoint.
    public func context(
        subtask: Int, parallelism: Int, maxParallelism: Int = 128, clock: any Clock, requestWakeUp: @escaping (ProcessingTime) -> Void = { _ in }
    ) throws(MillstreamError) -> OperatorContext {
        OperatorContext(
            operatorID: OperatorID("test"), operatorName: "test", subtask: SubtaskIndex(subtask), parallelism: parallelism,
            maxParallelism: maxParallelism, jobName: "test", clock: clock, random: Dataflow.SeededRandom(seed: 1), metrics: OperatorMetrics(),
            restored: try restored(subtask: subtask, parallelism: parallelism, maxParallelism: maxParallelism), requestWakeUp: requestWakeUp)
    }

    /// Opens and restores an operator with such a context.
    public func open(_ operation: any Operator, _ context: OperatorContext) throws(MillstreamError) {
        try operation.open(context)
        if let restored = context.restored { try operation.restore(from: restored.reader) }
    }
}
