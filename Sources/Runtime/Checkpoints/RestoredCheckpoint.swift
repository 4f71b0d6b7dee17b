import Checkpoint
import Columnar
import Dataflow
import Exchange
import Synchronization

/// A checkpoint that a job goes on from: its manifest, and its files as the subtasks ask for them.
final class RestoredCheckpoint: @unchecked Sendable {
    let manifest: Manifest
    private let storage: any CheckpointStorage
    private let group: String
    private let objects: (any ObjectCoding)?
    private let states: [OperatorID: Manifest.OperatorState]
    /// Files that are open, so that the subtasks which share one read it once.
    private let files = Guarded<[String: StateFileReader]>([:])

    /// Reads and checks the manifest. Throws `decode` and `io`, both with its path.
    init(_ storage: any CheckpointStorage, group: String, objects: (any ObjectCoding)?) throws(MillstreamError) {
        self.storage = storage
        self.group = group
        self.objects = objects
        let name = group.isEmpty ? Manifest.name : "\(group)/\(Manifest.name)"
        do throws(MillstreamError) {
            manifest = try Manifest(decoding: try storage.read(name), path: storage.location(name))
        } catch { throw error.of(checkpointFile: storage.location(name)) }
        var states: [OperatorID: Manifest.OperatorState] = [:]
        for state in manifest.operators { states[state.id] = state }
        self.states = states
    }

    /// What the manifest has of an operator.
    func state(of id: OperatorID) -> Manifest.OperatorState? { states[id] }

    /// The state of one subtask of an operator: one without parts where the checkpoint has none of it.
    func state(of id: OperatorID, subtask: SubtaskIndex, parallelism: Int, maxParallelism: Int) throws(MillstreamError) -> SubtaskState {
        let keyGroups = KeyGroup.range(subtask: subtask.value, parallelism: parallelism, maxParallelism: maxParallelism)
        var files: [StateFileReader] = []
        var stores: [(name: String, store: any StoredStore)] = []
        let state = states[id]
        for file in state?.files ?? [] {
            files.append(try open(file, of: state?.parallelism ?? 1).narrowed(to: keyGroups))
            let formerGroups = KeyGroup.range(
                subtask: file.subtask.value, parallelism: state?.parallelism ?? 1, maxParallelism: state?.maxParallelism ?? maxParallelism)
            for store in file.stores where formerGroups.overlaps(keyGroups) {
                stores.append(
                    (store.name, CheckpointedStore(storage, group: group, subtask: file.subtask, keyGroups: formerGroups, files: store.files)))
            }
        }
        return SubtaskState(
            OperatorStateReader(files, stores: stores, formerParallelism: state?.parallelism ?? 0), checkpoint: manifest.id, subtask: subtask, parallelism: parallelism)
    }

    /// The splits of all readers of a source.
    func splits(of id: OperatorID) throws(MillstreamError) -> [SourceSplit] {
        var splits: [SourceSplit] = []
        for file in states[id]?.files ?? [] {
            for (_, bytes) in try open(file, of: 1).bytes(RuntimePart.splits) { splits += try RuntimePart.splits(from: bytes, subject: file.file.name) }
        }
        return splits
    }

    /// Gives a source's enumerator what it had, with the splits of readers where their number has changed.
    func restore(_ enumerator: SharedEnumerator, of id: OperatorID, parallelism: Int) throws(MillstreamError) {
        guard let state = states[id], !state.coordinator.isEmpty else { return }
        let (own, late) = try RuntimePart.enumerator(from: state.coordinator, subject: "the enumerator of '\(state.name)'")
        try enumerator.restore(own, splits: late + (state.parallelism == parallelism ? [] : try splits(of: id)))
    }

    /// The operators that it has rows on their way to, and of how many functions each was made.
    func operatorsWithRowsInFlight() throws(MillstreamError) -> [OperatorID: Int] {
        var found: [OperatorID: Int] = [:]
        for state in manifest.operators {
            for file in state.files where try open(file, of: state.parallelism).names.contains(RuntimePart.inFlight) {
                found[state.id] = Lowering.functionCount(state.name)
                break
            }
        }
        return found
    }

    /// All subtasks have what they need: the files' memory goes.
    func release() { files.withLock { $0 = [:] } }

    func open(_ part: Manifest.SubtaskFile, of parallelism: Int) throws(MillstreamError) -> StateFileReader {
        try files.withLock { files throws(MillstreamError) in
            if let known = files[part.file.name] { return known }
            let reader = try read(part, of: parallelism)
            files[part.file.name] = reader
            return reader
        }
    }

    /// Reads a file to the end without keeping it.
    func check(_ part: Manifest.SubtaskFile, of state: Manifest.OperatorState) throws(MillstreamError) {
        try read(part, of: state.parallelism).verify()
        for store in part.stores {
            let opened = CheckpointedStore(storage, group: group, subtask: part.subtask, keyGroups: 0..<state.maxParallelism, files: store.files)
            for file in store.files {
                do throws(MillstreamError) { try opened.read(file) { _ in } } catch { throw error.of(checkpointFile: opened.location(file)) }
            }
        }
    }

    private func read(_ part: Manifest.SubtaskFile, of parallelism: Int) throws(MillstreamError) -> StateFileReader {
        let name = group.isEmpty ? part.file.name : "\(group)/\(part.file.name)"
        do throws(MillstreamError) {
            return try StateFileReader(
                storage, name: name, summary: part.file, subtask: part.subtask, formerParallelism: parallelism, objects: objects)
        } catch { throw error.of(checkpointFile: storage.location(name)) }
    }
}

/// What a checkpoint has for one subtask of an operator, with the parts that are the runtime's own.
final class SubtaskState {
    let reader: OperatorStateReader
    let restored: RestoredState
    private let subtask: SubtaskIndex
    private let isSameParallelism: Bool

    init(_ reader: OperatorStateReader, checkpoint: CheckpointID, subtask: SubtaskIndex, parallelism: Int) {
        self.reader = reader
        self.subtask = subtask
        restored = RestoredState(checkpoint: checkpoint, reader: reader)
        isSameParallelism = reader.formerParallelism == parallelism
    }

    /// Whether every subtask of the operator had come to its end.
    func hasEnded() throws(MillstreamError) -> Bool {
        guard reader.formerParallelism > 0 else { return false }
        return try reader.unkeyedBytes(RuntimePart.ended).count == reader.formerParallelism
    }

    /// How far event time had come. Where the parallelism was another, an input is as far as it was for the last of the subtasks.
    func inputs() throws(MillstreamError) -> [InputProgress] {
        var result: [InputProgress] = []
        for (subtask, bytes) in try reader.unkeyedBytes(RuntimePart.inputs) where !isSameParallelism || subtask == self.subtask {
            let inputs = try RuntimePart.inputs(from: bytes, subject: RuntimePart.inputs)
            if result.isEmpty {
                result = inputs
            } else {
                for (index, input) in inputs.enumerated() where index < result.count {
                    result[index] = InputProgress(output: min(result[index].output, input.output), channels: [])
                }
            }
        }
        return result
    }

    /// The splits that the subtask's reader had; none where the parallelism was another: then they are given out anew.
    func ownSplits() throws(MillstreamError) -> [SourceSplit] {
        guard isSameParallelism else { return [] }
        var splits: [SourceSplit] = []
        for (subtask, bytes) in try reader.unkeyedBytes(RuntimePart.splits) where subtask == self.subtask {
            splits += try RuntimePart.splits(from: bytes, subject: RuntimePart.splits)
        }
        return splits
    }
}
