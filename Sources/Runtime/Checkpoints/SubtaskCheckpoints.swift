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
    /// The gate's channels.
    private let inputs: InFlightInputs
    /// A planted fault; only in simulations.
    private let parts: (any PartSubstitution)?

    init(
        number: Int, attempt: Int, checkpoints: JobCheckpoints, hasFinal: Bool, operatorCount: Int, readers: [SubtaskState],
        inputs: InFlightInputs, parts: (any PartSubstitution)? = nil, onRestored: @escaping () -> Void
    ) {
        self.inputs = inputs
        self.parts = parts
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

    /// What was in flight to the subtask, by channel; nil where nothing was.
    func replay() throws(MillstreamError) -> (messages: [[Message]], isFirst: Bool)? {
        guard let head = readers.first, var replay = try inputs.replay(head) else { return nil }
        if let parts { replay.messages = parts.replayed(replay.messages) }
        return replay
    }

    /// Whether a barrier stands in the chain that goes ahead of the rows.
    var isInHaste: Bool { current.contains(where: \.isInHaste) }

    /// The barrier is at the head of the chain; `gate` or `source` is what is before it.
    func begin(_ barrier: CheckpointBarrier, gate: InputGate?, source: SourceInput?) throws(MillstreamError) {
        let snapshot = SubtaskSnapshot(barrier, subtask: number, operatorCount: operatorCount, hasGate: gate != nil, objects: objects)
        if let gate { snapshot.head.write(RuntimePart.inputs, keyGroup: nil, bytes: RuntimePart.encode(gate.progress(at: barrier))) }
        if let source {
            let (splits, enumerator) = try source.snapshot(barrier.id, into: snapshot.head)
            if !splits.isEmpty { snapshot.head.write(RuntimePart.splits, keyGroup: nil, bytes: try RuntimePart.encode(splits)) }
            snapshot.enumerator = enumerator
        }
        // One that rows in flight were still kept for was given up meanwhile: there is one at a time.
        current.removeAll { $0.isUnaligned }
        current.append(snapshot)
    }

    /// The state of one operator; the last one completes the subtask's answer.
    func add(_ parts: StateParts, of place: Int, _ barrier: CheckpointBarrier) {
        guard let index = current.firstIndex(where: { $0.barrier.id == barrier.id }) else { return }
        if current[index].add(parts, of: place) { checkpoints.acknowledge(current.remove(at: index), attempt: attempt) }
    }

    /// What was in flight when the barrier passed.
    func add(inFlight channels: [InFlightChannel], to id: CheckpointID) throws(MillstreamError) {
        guard let index = current.firstIndex(where: { $0.barrier.id == id }) else { return }
        let channels = parts?.inFlight(channels) ?? channels
        try inputs.write(channels, to: current[index].head)
        if current[index].endInFlight(byteCount: channels.reduce(0) { $0 + $1.byteCount }) {
            checkpoints.acknowledge(current.remove(at: index), attempt: attempt)
        }
    }

    /// The checkpoint's barriers go ahead of the rows from now on.
    func overtake(_ id: CheckpointID) { current.first { $0.barrier.id == id }?.overtake() }

    func abort(_ id: CheckpointID) { current.removeAll { $0.barrier.id == id } }
    var objects: (any ObjectCoding)? { checkpoints.objects }
    /// The subtask goes with its input.
    func ended() { if !hasFinal { checkpoints.end(number, attempt: attempt) } }
    func drained(_ number: Int) { checkpoints.drain(number, attempt: attempt) }
}
