import Columnar
import Dataflow
import Operators
import Plan
import TestColumns
import Testing

/// A row of a table, and what is done to it.
struct Change: Hashable, CustomStringConvertible {
    var kind: Int8
    var values: [Scalar]
    var isRetraction: Bool { kind == 1 || kind == 3 }
    var description: String { ["+I", "-U", "+U", "-D"][Int(kind)] + "[" + values.map { Change.text($0) }.joined(separator: ", ") + "]" }

    static func text(_ value: Scalar) -> String {
        switch value {
        case .null: "null"
        case .int64(let number): "\(number)"
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .boolean(let truth): "\(truth)"
        default: "\(value)"
        }
    }
}

func insert(_ values: Scalar...) -> Change { Change(kind: 0, values: values) }
func delete(_ values: Scalar...) -> Change { Change(kind: 3, values: values) }

extension Scalar: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral, ExpressibleByNilLiteral {
    public init(integerLiteral value: Int64) { self = .int64(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(unicodeScalarLiteral value: String) { self = .string(value) }
    public init(extendedGraphemeClusterLiteral value: String) { self = .string(value) }
    public init(nilLiteral: ()) { self = .null }
}

func tableBatch(_ schema: Schema, _ changes: [Change], timestamps: [Int64]? = nil) throws -> Batch {
    let builders = try schema.fields.map { try ColumnBuilder.make(for: $0.type) }
    for change in changes { for (builder, value) in zip(builders, change.values) { try builder.append(value) } }
    let kinds = changes.map(\.kind)
    return Batch(
        schema: schema, columns: builders.map { $0.finish() }, count: changes.count,
        rowKinds: kinds.allSatisfy { $0 == 0 } ? nil : Column(type: DataType.tinyInt.notNull, count: kinds.count, values: Buffer.copying(kinds)),
        timestamps: timestamps.map { Column(type: DataType.bigInt.notNull, count: $0.count, values: Buffer.copying($0)) })
}

/// An operator of tables in several subtasks: rows go to the subtask of their key, watermarks to all. Keeps what comes out.
final class TableHarness {
    private final class Subtask: Output {
        let operation: any Operator
        var changes: [Change] = []
        var batchCountMax = 0
        var wakeUp: ProcessingTime?
        let metrics = OperatorMetrics()
        let isFull: Bool

        init(_ operation: any Operator, isFull: Bool) {
            self.operation = operation
            self.isFull = isFull
        }

        func emit(_ batch: Batch) throws(MillstreamError) {
            let batch = try batch.compacted()
            batchCountMax = max(batchCountMax, batch.count)
            for row in 0..<batch.count {
                changes.append(Change(kind: batch.rowKinds?.pointer(as: Int8.self)[row] ?? 0, values: batch.columns.map { $0.scalar(at: row) }))
            }
        }
        func emit(_ batch: Batch, to sideOutput: SideOutputID) throws(MillstreamError) {}
        func emit(_ watermark: EventTime) throws(MillstreamError) {}
        func emit(_ status: WatermarkStatus) throws(MillstreamError) {}

        func finish(_ progress: Progress) throws(MillstreamError) {
            var progress = progress
            while progress == .more { progress = try operation.resume(output: self) }
        }
    }

    let operation: TableOperation
    let inputs: [Schema]
    let clock = SimulatedClock(start: 1_000_000)
    private let subtasks: [Subtask]

    init(
        _ operation: TableOperation, inputs: [Schema], output: Schema, isBatch: Bool = false, parallelism: Int = 1, isFull: Bool = false, from checkpoint: SnapshotHarness? = nil,
        bindings: Bindings = Bindings()
    ) throws {
        self.operation = operation
        self.inputs = inputs
        let node = Node(id: NodeID(1), name: "op", inputs: [], operation: .table(operation), output: output)
        subtasks = try (0..<parallelism).map { _ in
            Subtask(try OperatorFactory.make(for: node, inputs: inputs, bindings: bindings, isBatch: isBatch), isFull: isFull)
        }
        for (index, subtask) in subtasks.enumerated() {
            let restored = try checkpoint?.restored(subtask: index, parallelism: parallelism)
            let context = OperatorContext(
                operatorID: OperatorID("test"), operatorName: "test", subtask: SubtaskIndex(index), parallelism: parallelism, maxParallelism: 128, jobName: "test",
                clock: clock, random: Dataflow.SeededRandom(seed: 1), metrics: subtask.metrics, restored: restored,
                requestWakeUp: { [unowned subtask] time in subtask.wakeUp = subtask.wakeUp.map { min($0, time) } ?? time })
            try subtask.operation.open(context)
            if let restored { try subtask.operation.restore(from: restored.reader) }
        }
    }

    func process(_ changes: [Change], input: Int = 0, timestamps: [Int64]? = nil) throws {
        try process(try tableBatch(inputs[input], changes, timestamps: timestamps), input: input)
    }

    func process(_ batch: Batch, input: Int = 0) throws {
        guard subtasks.count > 1, let keys = operation.inputKeys[input], !keys.isEmpty else {
            return try subtasks[0].finish(try subtasks[0].operation.process(batch, input: input, output: subtasks[0]))
        }
        let keyed = try batch.keyed(by: keys.map { batch.columns[$0] })
        let hashes = try #require(keyed.keyHashes)
        var parts = [[Int32]](repeating: [], count: subtasks.count)
        for row in 0..<keyed.count {
            let group = KeyGroup.index(hash: hashes.pointer(as: UInt64.self)[row], maxParallelism: 128)
            parts[KeyGroup.subtask(group: group, parallelism: subtasks.count, maxParallelism: 128)].append(Int32(row))
        }
        for (subtask, rows) in zip(subtasks, parts) where !rows.isEmpty {
            try subtask.finish(try subtask.operation.process(keyed.selecting(Selection(rows)), input: input, output: subtask))
        }
    }

    func watermark(_ time: Int64) throws {
        for subtask in subtasks { try subtask.finish(try subtask.operation.onWatermark(EventTime(milliseconds: time), output: subtask)) }
    }

    func end(input: Int) throws { for subtask in subtasks { try subtask.finish(try subtask.operation.onEndOfInput(input, output: subtask)) } }

    func advance(milliseconds: Int64) throws {
        clock.advance(milliseconds: milliseconds)
        for subtask in subtasks {
            guard let time = subtask.wakeUp, clock.now() > time else { continue }
            subtask.wakeUp = nil
            try subtask.finish(try subtask.operation.onProcessingTime(clock.now(), output: subtask))
        }
    }

    /// What has come out since the last call.
    func take() -> [Change] {
        subtasks.flatMap { subtask in
            defer { subtask.changes = [] }
            return subtask.changes
        }
    }

    func texts() -> [String] { take().map(\.description) }
    var lateRecordsDropped: Int64 { subtasks.reduce(0) { $0 + $1.metrics.lateRecordsDropped.value } }
    var batchCountMax: Int { subtasks.map(\.batchCountMax).max() ?? 0 }

    func snapshot() throws -> SnapshotHarness {
        let harness = try SnapshotHarness()
        try harness.write(try subtasks.map { try harness.hold($0.operation) })
        return harness
    }
}

/// A table as a multiset of rows, to which changes are applied.
struct TableModel {
    private(set) var rows: [[Scalar]: Int] = [:]

    /// What is wrong with the change: it takes away a row that is not there.
    mutating func apply(_ change: Change) -> String? {
        if change.isRetraction {
            guard let count = rows[change.values] else { return "\(change) takes away a row that is not there" }
            rows[change.values] = count == 1 ? nil : count - 1
        } else {
            rows[change.values, default: 0] += 1
        }
        return nil
    }

    mutating func apply(_ changes: [Change]) -> String? {
        for change in changes { if let problem = apply(change) { return problem } }
        return nil
    }

    /// The rows, for messages.
    static func text(_ rows: [[Scalar]: Int]) -> String { rows.map { "\($0.value)x\(Change(kind: 0, values: $0.key))" }.sorted().joined(separator: " ") }

    static func of(_ list: [[Scalar]]) -> [[Scalar]: Int] { list.reduce(into: [:]) { $0[$1, default: 0] += 1 } }
}

/// A random changelog of one table: only rows that are there are taken away.
struct RandomChangelog {
    /// In the order in which they came.
    private(set) var rows: [[Scalar]] = []
    /// No two rows have the same values of these columns.
    var unique: [Int]?
    /// How many of a hundred changes take rows away.
    var retractions = 40
    /// Whether rows of a unique key are replaced without -U.
    var isUpsert = false
    let make: (inout TestColumns.SeededRandom) -> [Scalar]

    init(unique: [Int]? = nil, make: @escaping (inout TestColumns.SeededRandom) -> [Scalar]) {
        self.unique = unique
        self.make = make
    }

    mutating func next(_ count: Int, _ random: inout TestColumns.SeededRandom) -> [Change] {
        var changes: [Change] = []
        while changes.count < count {
            if !rows.isEmpty, random.chance(retractions) {
                let place = random.int(0..<rows.count)
                let old = rows[place]
                // The first equal one goes.
                if let first = rows.firstIndex(of: old) { rows.remove(at: first) }
                if random.chance(50), let new = free(&random, keeping: unique.map { key in key.map { old[$0] } }) {
                    if !isUpsert { changes.append(Change(kind: 1, values: old)) }
                    changes.append(Change(kind: 2, values: new))
                    rows.append(new)
                } else {
                    changes.append(Change(kind: 3, values: old))
                }
            } else if let new = free(&random, keeping: nil) {
                changes.append(Change(kind: 0, values: new))
                rows.append(new)
            } else if retractions == 0 {
                break
            }
        }
        return changes
    }

    /// A row whose unique key no other has.
    private func free(_ random: inout TestColumns.SeededRandom, keeping key: [Scalar]?) -> [Scalar]? {
        for _ in 0..<20 {
            var row = make(&random)
            guard let unique else { return row }
            if let key { for (place, column) in unique.enumerated() { row[column] = key[place] } }
            if !rows.contains(where: { old in unique.allSatisfy { old[$0] == row[$0] } }) { return row }
        }
        return nil
    }
}
