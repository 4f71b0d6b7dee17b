import Checkpoint
import Columnar
import Dataflow
import Exchange

/// A subtask's side of its job's checkpoints: gathers what its operators give at a barrier. Used by the subtask alone.
final class SubtaskCheckpoints {
    private let number: Int
    private let operatorCount: Int
    private let attempt: Int
    private let checkpoints: JobCheckpoints
    /// Whether the subtask waits at its end for the last checkpoint.
    let hasFinal: Bool
    /// What the operators go on from; empty where there is nothing, and once they have it.
    private var readers: [SubtaskState]
    private let onRestored: () -> Void
    private var current: [SubtaskSnapshot] = []

    init(
        number: Int, attempt: Int, checkpoints: JobCheckpoints, hasFinal: Bool, operatorCount: Int, readers: [SubtaskState],
        onRestored: @escaping () -> Void
    ) {
        self.number = number
        self.attempt = attempt
        self.checkpoints = checkpoints
        self.hasFinal = hasFinal
        self.operatorCount = operatorCount
        self.readers = readers
        self.onRestored = onRestored
    }

    /// What the checkpoint has of one of the subtask's operators.
    func restored(_ place: Int) -> SubtaskState? { readers.isEmpty ? nil : readers[place] }

    /// All operators have what they need; the files go.
    func endRestore() {
        if readers.isEmpty { return }
        for state in readers { state.reader.release() }
        readers = []
        onRestored()
    }

    /// The barrier is at the head of the chain; `inputs` or `source` is the state of what is before it.
    func begin(_ barrier: CheckpointBarrier, inputs: [InputProgress]?, source: SourceInput?) throws(MillstreamError) {
        let snapshot = SubtaskSnapshot(barrier, subtask: number, operatorCount: operatorCount, objects: objects)
        if let inputs { snapshot.head.write(RuntimePart.inputs, keyGroup: nil, bytes: RuntimePart.encode(inputs)) }
        if let source {
            let (splits, enumerator) = try source.snapshot(barrier.id, into: snapshot.head)
            if !splits.isEmpty { snapshot.head.write(RuntimePart.splits, keyGroup: nil, bytes: try RuntimePart.encode(splits)) }
            snapshot.enumerator = enumerator
        }
        current.append(snapshot)
    }

    /// The state of one operator; the last one completes the subtask's answer.
    func add(_ parts: StateParts, of place: Int, _ barrier: CheckpointBarrier) {
        guard let index = current.firstIndex(where: { $0.barrier.id == barrier.id }) else { return }
        if current[index].add(parts, of: place) { checkpoints.acknowledge(current.remove(at: index), attempt: attempt) }
    }

    func abort(_ id: CheckpointID) { current.removeAll { $0.barrier.id == id } }
    var objects: (any ObjectCoding)? { checkpoints.objects }
    func drained(_ number: Int) { checkpoints.drain(number, attempt: attempt) }
}
