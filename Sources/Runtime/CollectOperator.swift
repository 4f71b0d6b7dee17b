import Columnar
import Dataflow

/// The collecting sink of a job with checkpoints: its reader gets rows when a checkpoint that has them is complete, so that it sees each of them once,
/// however often the job starts anew (Flink's CollectSinkFunction does the same). Until then the rows are in memory, and in each checkpoint.
final class CollectOperator: Operator {
    private struct Held {
        /// The first checkpoint that has the rows; nil before the next one.
        var checkpoint: CheckpointID?
        /// Who collected them.
        let subtask: Int
        let rows: Batch
    }

    private static let part = "collect/"
    private let queue: CollectQueue
    private var held: [Held] = []
    private var context: OperatorContext?

    init(_ queue: CollectQueue) { self.queue = queue }

    func open(_ context: OperatorContext) { self.context = context }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if !batch.isEmpty { held.append(Held(checkpoint: nil, subtask: context?.subtask.value ?? 0, rows: try batch.compacted())) }
        return .done
    }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        for index in held.indices {
            let first = held[index].checkpoint ?? checkpoint.id
            held[index].checkpoint = first
            try writer.write("\(Self.part)\(first.value)/\(held[index].subtask)", keyGroup: nil, batch: held[index].rows)
        }
    }

    /// The checkpoint is complete: its rows go to the reader, unless an earlier attempt of the job gave it them already.
    func restore(from reader: any StateReader) throws(MillstreamError) {
        guard let context else { return }
        for name in reader.names where name.hasPrefix(Self.part) {
            let numbers = name.dropFirst(Self.part.count).split(separator: "/").compactMap { Int64($0) }
            guard numbers.count == 2 else { continue }
            for (writer, batch) in try reader.unkeyedBatches(name) where writer.value % context.parallelism == context.subtask.value {
                held.append(Held(checkpoint: CheckpointID(numbers[0]), subtask: Int(numbers[1]), rows: batch))
            }
        }
        commit(throughout: CheckpointID(.max))
    }

    /// The first checkpoint that has the rows of a part; nil for a part of another kind.
    static func checkpoint(ofPart name: String) -> CheckpointID? {
        guard name.hasPrefix(part) else { return nil }
        return name.dropFirst(part.count).split(separator: "/").first.flatMap { Int64($0) }.map { CheckpointID($0) }
    }

    func onCheckpointComplete(_ checkpoint: CheckpointID) { commit(throughout: checkpoint) }

    func close() { held = [] }

    private func commit(throughout last: CheckpointID) {
        var rest: [Held] = []
        var ready: [(checkpoint: CheckpointID, subtask: Int, rows: [Batch])] = []
        for entry in held {
            guard let checkpoint = entry.checkpoint, checkpoint <= last else {
                rest.append(entry)
                continue
            }
            if let end = ready.indices.last, ready[end].checkpoint == checkpoint, ready[end].subtask == entry.subtask {
                ready[end].rows.append(entry.rows)
            } else {
                ready.append((checkpoint, entry.subtask, [entry.rows]))
            }
        }
        held = rest
        for part in ready { queue.commit(part.rows, checkpoint: part.checkpoint, subtask: part.subtask) }
    }
}
