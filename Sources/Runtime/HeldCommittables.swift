import Columnar
import Dataflow

extension CheckpointID {
    /// Behind all checkpoints of a job.
    static let everLater = CheckpointID(.max)
}

/// What a sink has prepared and not committed, in the order in which it was prepared.
struct HeldCommittables {
    private struct Held {
        /// The first checkpoint that has it; nil before the next one.
        var checkpoint: CheckpointID?
        var committable: Committable
    }

    private var list: [Held] = []

    var isEmpty: Bool { list.isEmpty }
    var committables: [Committable] { list.map(\.committable) }
    /// The last checkpoint of those that are known for any of them.
    var lastCheckpoint: CheckpointID? { list.compactMap(\.checkpoint).max() }

    mutating func add(_ committables: [Committable]) {
        for committable in committables { list.append(Held(checkpoint: nil, committable: committable)) }
    }

    /// What no checkpoint has yet is in this one.
    mutating func assign(_ checkpoint: CheckpointID) {
        for index in list.indices where list[index].checkpoint == nil { list[index].checkpoint = checkpoint }
    }

    /// The committables of the earliest checkpoint, if that is not behind `last`: they are the first of the list.
    func first(throughout last: CheckpointID) -> [Committable]? {
        guard let first = list.first?.checkpoint, first <= last else { return nil }
        return list.prefix { $0.checkpoint == first }.map(\.committable)
    }

    /// Of the first `count`, those marked are done with. The others stay, in their order.
    mutating func removeFirst(_ count: Int, where isDone: [Bool]) {
        let kept = (0..<count).filter { !isDone[$0] }.map { list[$0] }
        list.replaceSubrange(..<count, with: kept)
    }
}

/// How a sink's state lies in a checkpoint: one row per writer, one per committable, each with the number of its subtask.
enum SinkState {
    static let writer = "sink/writer"
    static let committables = "sink/committables"

    private static let writerSchema = Schema([Field("subtask", .int.notNull), Field("state", .bytes.notNull)])
    private static let committableSchema = Schema([
        Field("checkpoint", .bigInt.notNull), Field("subtask", .int.notNull), Field("payload", .bytes.notNull),
        Field("description", .string.notNull),
    ])

    static func batch(subtask: SubtaskIndex, writer state: [UInt8]) throws(MillstreamError) -> Batch {
        let columns = [column(.int.notNull, [Int32(truncatingIfNeeded: subtask.value)]), try column(.bytes.notNull, [state])]
        return Batch(schema: writerSchema, columns: columns, count: 1)
    }

    /// The states of all writers.
    static func writers(_ batch: Batch) throws(MillstreamError) -> [[UInt8]] { try writers(batch, for: SubtaskIndex(0), of: 1) }

    /// What all subtasks had prepared.
    static func committables(_ batch: Batch) throws(MillstreamError) -> [Committable] {
        try committables(batch, for: SubtaskIndex(0), of: 1).map(\.committable)
    }

    /// The states of the writers that a new subtask follows.
    static func writers(_ batch: Batch, for subtask: SubtaskIndex, of parallelism: Int) throws(MillstreamError) -> [[UInt8]] {
        try check(batch, writerSchema, writer)
        return rows(batch, subtaskColumn: 0, for: subtask, of: parallelism).map { Array(batch.columns[1].bytes($0)) }
    }

    fileprivate static func batch(
        subtask: SubtaskIndex, _ committables: [(checkpoint: CheckpointID, committable: Committable, description: String)]
    ) throws(MillstreamError) -> Batch {
        let columns = [
            column(.bigInt.notNull, committables.map(\.checkpoint.value)),
            column(.int.notNull, committables.map { _ in Int32(truncatingIfNeeded: subtask.value) }),
            try column(.bytes.notNull, committables.map(\.committable.payload)),
            try column(.string.notNull, committables.map { Array($0.description.utf8) }),
        ]
        return Batch(schema: committableSchema, columns: columns, count: committables.count)
    }

    fileprivate static func committables(
        _ batch: Batch, for subtask: SubtaskIndex, of parallelism: Int
    ) throws(MillstreamError) -> [(checkpoint: CheckpointID, committable: Committable)] {
        try check(batch, committableSchema, committables)
        return rows(batch, subtaskColumn: 1, for: subtask, of: parallelism).map { row in
            (CheckpointID(batch.columns[0].pointer(as: Int64.self)[row]), Committable(payload: Array(batch.columns[2].bytes(row))))
        }
    }

    /// For each committable the first checkpoint that had it.
    static func first(_ batch: Batch) throws(MillstreamError) -> [CheckpointID] {
        try check(batch, committableSchema, committables)
        let numbers = batch.columns[0].pointer(as: Int64.self)
        defer { withExtendedLifetime(batch) {} }
        return (0..<batch.count).map { CheckpointID(numbers[batch.selection?[$0] ?? $0]) }
    }

    private static func check(_ batch: Batch, _ schema: Schema, _ part: String) throws(MillstreamError) {
        guard batch.schema.fields.map(\.name) == schema.fields.map(\.name), batch.schema.types == schema.types else {
            throw MillstreamError(.decode, "the part '\(part)' of the checkpoint has the columns \(batch.schema.fields.map(\.name)), not \(schema.fields.map(\.name))", domain: .external)
        }
    }

    private static func rows(_ batch: Batch, subtaskColumn: Int, for subtask: SubtaskIndex, of parallelism: Int) -> [Int] {
        let numbers = batch.columns[subtaskColumn].pointer(as: Int32.self)
        return (0..<batch.count).map { batch.selection?[$0] ?? $0 }.filter { Int(numbers[$0]) % max(1, parallelism) == subtask.value }
    }

    private static func column<Value: BitwiseCopyable>(_ type: DataType, _ values: [Value]) -> Column {
        Column(type: type, count: values.count, values: Buffer.copying(values))
    }

    private static func column(_ type: DataType, _ values: [[UInt8]]) throws(MillstreamError) -> Column {
        var builder = ViewBuilder()
        for value in values {
            var failure: MillstreamError?
            value.withUnsafeBytes { bytes in
                do throws(MillstreamError) { try builder.append(bytes) } catch { failure = error }
            }
            if let failure { throw failure }
        }
        return builder.finish(type: type)
    }
}

extension HeldCommittables {
    /// All of it, for a checkpoint.
    func batch(subtask: SubtaskIndex, describe: (Committable) -> String) throws(MillstreamError) -> Batch {
        try SinkState.batch(
            subtask: subtask, list.map { ($0.checkpoint ?? .everLater, $0.committable, describe($0.committable)) })
    }

    /// What a checkpoint holds of the subtasks that a new one follows.
    mutating func add(restored batch: Batch, for subtask: SubtaskIndex, of parallelism: Int) throws(MillstreamError) {
        for (checkpoint, committable) in try SinkState.committables(batch, for: subtask, of: parallelism) {
            // What no checkpoint was known for is in this one, which is before all that come.
            list.append(Held(checkpoint: checkpoint == .everLater ? CheckpointID(0) : checkpoint, committable: committable))
        }
    }
}
