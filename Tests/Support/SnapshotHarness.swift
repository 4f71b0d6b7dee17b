import Checkpoint
import Columnar
import Dataflow

/// What one operator hands over at a barrier. As in a job it is only held at first, and written when the operator has long gone on.
public final class HeldSnapshot: StateWriter {
    private enum Content {
        case batch(Batch), bytes([UInt8]), deferred(any DeferredParts, Written), later((any StateWriter) throws(MillstreamError) -> Void)
        case files(any StoreFiles)
    }

    /// What deferred parts have written so far.
    private final class Written: StateWriter {
        var parts: [(name: String, keyGroup: KeyGroup?, batch: Batch)] = []
        var isComplete = false
        func write(_ name: String, keyGroup: KeyGroup?, batch: Batch) { parts.append((name, keyGroup, batch)) }
        func write(_ name: String, keyGroup: KeyGroup?, bytes: [UInt8]) { preconditionFailure("deferred parts are batches") }
    }

    private let objects: (any ObjectCoding)?
    private var parts: [(name: String, keyGroup: KeyGroup?, content: Content)] = []

    public init(objects: (any ObjectCoding)? = nil) { self.objects = objects }

    public func write(_ name: String, keyGroup: KeyGroup?, batch: Batch) throws(MillstreamError) {
        // The host may change its values in place.
        parts.append((name, keyGroup, .batch(try batch.encodingObjects(objects))))
    }
    public func write(_ name: String, keyGroup: KeyGroup?, bytes: [UInt8]) throws(MillstreamError) { parts.append((name, keyGroup, .bytes(bytes))) }

    public func writeLater(_ later: @escaping @Sendable (any StateWriter) throws(MillstreamError) -> Void) { parts.append(("", nil, .later(later))) }

    public func write(_ deferred: any DeferredParts) { parts.append(("", nil, .deferred(deferred, Written()))) }

    /// One step of what a job's writer does while the operator goes on. False when all is copied.
    public func advance(byteCount: Int) throws(MillstreamError) -> Bool {
        for part in parts {
            guard case .deferred(let deferred, let written) = part.content, !written.isComplete else { continue }
            written.isComplete = !(try deferred.write(byteCount: byteCount, to: written))
            return true
        }
        return false
    }

    public func write(_ name: String, files: any StoreFiles) { parts.append((name, nil, .files(files))) }

    /// `keep` gets the files of stores.
    public func write(
        to writer: any StateWriter, keep: (String, any StoreFiles) throws(MillstreamError) -> Void = { (_, files) in files.release() }
    ) throws(MillstreamError) {
        while try advance(byteCount: .max) {}
        for part in parts {
            switch part.content {
            case .batch(let batch): try writer.write(part.name, keyGroup: part.keyGroup, batch: batch)
            case .bytes(let bytes): try writer.write(part.name, keyGroup: part.keyGroup, bytes: bytes)
            case .deferred(_, let written):
                for (name, group, batch) in written.parts { try writer.write(name, keyGroup: group, batch: batch) }
            case .later(let later): try later(writer)
            case .files(let files): try keep(part.name, files)
            }
        }
    }
}

/// A store of one subtask in a checkpoint.
private final class HeldStore: StoredStore {
    let subtask: SubtaskIndex
    let keyGroups: Range<Int>
    let files: [StoredFile]
    private let contents: [[UInt8]]

    /// Reads the files, and releases them.
    init(_ given: any StoreFiles, subtask: SubtaskIndex, keyGroups: Range<Int>) throws(MillstreamError) {
        self.subtask = subtask
        self.keyGroups = keyGroups
        var files: [StoredFile] = []
        var contents: [[UInt8]] = []
        for file in try given.list() {
            var bytes: [UInt8] = []
            try given.read(file) { (piece) throws(MillstreamError) in bytes.append(contentsOf: piece) }
            files.append(StoredFile(name: file.name, object: "\(subtask.value)/\(file.name)", isShared: file.isShared, byteCount: Int64(bytes.count), checksum: 0))
            contents.append(bytes)
        }
        given.release()
        self.files = files
        self.contents = contents
    }

    func read(_ file: StoredFile, _ body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Void) throws(MillstreamError) {
        guard let index = files.firstIndex(of: file) else { throw .internal("there is no file '\(file.name)'") }
        try contents[index].withBytes { (bytes) throws(MillstreamError) in try body(bytes) }
    }

    func path(_ file: StoredFile) -> String? { nil }
    func location(_ file: StoredFile) -> String { file.object }
}

/// One checkpoint of one operator, in real files of a simulated disk.
public final class SnapshotHarness {
    private let directory: CheckpointDirectory
    private let objects: (any ObjectCoding)?
    private var files: [StateFile.Summary] = []
    private var stores: [(name: String, store: any StoredStore)] = []
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
    public func write(_ snapshots: [HeldSnapshot], maxParallelism: Int = 128) throws(MillstreamError) {
        files = []
        stores = []
        for (subtask, snapshot) in snapshots.enumerated() {
            let writer = try StateFileWriter(directory, name: "chk-\(barrier.id.value)/part-\(subtask)", objects: objects)
            let groups = KeyGroup.range(subtask: subtask, parallelism: snapshots.count, maxParallelism: maxParallelism)
            try snapshot.write(to: writer) { (name, given) throws(MillstreamError) in
                stores.append((name, try HeldStore(given, subtask: SubtaskIndex(subtask), keyGroups: groups)))
            }
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
        return RestoredState(checkpoint: barrier.id, reader: OperatorStateReader(readers, stores: stores.filter { $0.store.keyGroups.overlaps(groups) }, formerParallelism: files.count))
    }

    /// An operator's context in a job that goes on from the checkpoint.
    public func context(
        subtask: Int, parallelism: Int, maxParallelism: Int = 128, clock: any Clock, backend: TestBackend = .memory,
        requestWakeUp: @escaping (ProcessingTime) -> Void = { _ in }
    ) throws(MillstreamError) -> OperatorContext {
        let context = OperatorContext(
            operatorID: OperatorID("test"), operatorName: "test", subtask: SubtaskIndex(subtask), parallelism: parallelism,
            maxParallelism: maxParallelism, jobName: "test", clock: clock, random: Dataflow.SeededRandom(seed: 1), metrics: OperatorMetrics(),
            restored: try restored(subtask: subtask, parallelism: parallelism, maxParallelism: maxParallelism), requestWakeUp: requestWakeUp)
        backend.prepare(context)
        return context
    }

    /// Opens and restores an operator with such a context.
    public func open(_ operation: any Operator, _ context: OperatorContext) throws(MillstreamError) {
        try operation.open(context)
        if let restored = context.restored { try operation.restore(from: restored.reader) }
    }
}
