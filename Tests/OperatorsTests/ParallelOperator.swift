import Columnar
import Dataflow
import Operators
import TestColumns

/// One operator in several subtasks, as in a job: rows go to the subtask of their key's group, watermarks and the time to all. Keeps what comes out as lines.
final class ParallelOperator {
    enum Step {
        case rows(Batch)
        case watermark(Int64)
        case advance(milliseconds: Int64)
    }

    static let maxParallelism = 128

    private final class Subtask: Output {
        let operation: any Operator
        var lines: [(key: String, text: String)] = []
        var wakeUp: ProcessingTime?
        /// Full after every batch, so that the operator comes back whenever it can.
        let isFull: Bool

        init(_ operation: any Operator, isFull: Bool) {
            self.operation = operation
            self.isFull = isFull
        }

        func emit(_ batch: Batch) throws(MillstreamError) { try note(batch, "") }
        func emit(_ batch: Batch, to sideOutput: SideOutputID) throws(MillstreamError) { try note(batch, "\(sideOutput.name): ") }
        func emit(_ watermark: EventTime) throws(MillstreamError) { lines.append(("", "watermark \(watermark.milliseconds)")) }
        func emit(_ status: WatermarkStatus) throws(MillstreamError) { lines.append(("", "\(status)")) }

        private func note(_ batch: Batch, _ prefix: String) throws(MillstreamError) {
            let batch = try batch.compacted()
            let columns = (batch.columns + [batch.timestamps, batch.rowKinds].compactMap { $0 }).map { rows($0) }
            for row in 0..<batch.count { lines.append((columns[0][row], prefix + columns.map { $0[row] }.joined(separator: " | "))) }
        }

        func finish(_ progress: Progress) throws(MillstreamError) {
            var progress = progress
            while progress == .more { progress = try operation.resume(output: self) }
        }
    }

    let clock: SimulatedClock
    private let keys: [Int]
    private let subtasks: [Subtask]

    /// Begins anew, or where `checkpoint` was taken. The clock is that of all subtasks.
    init(
        parallelism: Int, keys: [Int], clock: SimulatedClock, isFull: Bool, from checkpoint: SnapshotHarness? = nil, backend: TestBackend = .memory,
        make: () throws -> any Operator
    ) throws {
        self.clock = clock
        self.keys = keys
        subtasks = try (0..<parallelism).map { _ in Subtask(try make(), isFull: isFull) }
        for (index, subtask) in subtasks.enumerated() {
            let request: (ProcessingTime) -> Void = { [unowned subtask] time in subtask.wakeUp = subtask.wakeUp.map { min($0, time) } ?? time }
            if let checkpoint {
                let context = try checkpoint.context(
                    subtask: index, parallelism: parallelism, maxParallelism: Self.maxParallelism, clock: clock, backend: backend, requestWakeUp: request)
                try checkpoint.open(subtask.operation, context)
            } else {
                let context = OperatorContext(
                    operatorID: OperatorID("test"), operatorName: "test", subtask: SubtaskIndex(index), parallelism: parallelism,
                    maxParallelism: Self.maxParallelism, jobName: "test", clock: clock, random: Dataflow.SeededRandom(seed: 1),
                    metrics: OperatorMetrics(), requestWakeUp: request)
                backend.prepare(context)
                try subtask.operation.open(context)
            }
        }
    }

    func perform(_ steps: some Sequence<Step>) throws {
        for step in steps {
            switch step {
            case .rows(let batch): try route(batch)
            case .watermark(let time):
                for subtask in subtasks { try subtask.finish(try subtask.operation.onWatermark(EventTime(milliseconds: time), output: subtask)) }
            case .advance(let milliseconds):
                clock.advance(milliseconds: milliseconds)
                for subtask in subtasks {
                    guard let time = subtask.wakeUp, clock.now() > time else { continue }
                    subtask.wakeUp = nil
                    try subtask.finish(try subtask.operation.onProcessingTime(clock.now(), output: subtask))
                }
            }
        }
    }

    private func route(_ batch: Batch) throws {
        guard !keys.isEmpty else { return try process(batch, subtasks[0]) }
        let keyed = try batch.keyed(by: keys.map { batch.columns[$0] })
        guard let hashes = keyed.keyHashes else { throw MillstreamError.internal("no hashes") }
        var parts = [[Int32]](repeating: [], count: subtasks.count)
        for row in 0..<keyed.count {
            let group = KeyGroup.index(hash: hashes.pointer(as: UInt64.self)[row], maxParallelism: Self.maxParallelism)
            parts[KeyGroup.subtask(group: group, parallelism: subtasks.count, maxParallelism: Self.maxParallelism)].append(Int32(row))
        }
        for (subtask, rows) in zip(subtasks, parts) where !rows.isEmpty { try process(keyed.selecting(Selection(rows)), subtask) }
    }

    private func process(_ batch: Batch, _ subtask: Subtask) throws {
        try subtask.finish(try subtask.operation.process(batch, input: 0, output: subtask))
    }

    func snapshot(_ checkpoint: SnapshotHarness) throws -> [HeldSnapshot] { try subtasks.map { try checkpoint.hold($0.operation) } }

    func close() throws { for subtask in subtasks { try subtask.operation.close() } }

    /// What has come out since the last call, by subtask.
    func takeLines() -> [[(key: String, text: String)]] {
        subtasks.map { subtask in
            defer { subtask.lines = [] }
            return subtask.lines
        }
    }
}
