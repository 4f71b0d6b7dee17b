import Columnar
import Dataflow
import Plan
import Operators
import TestColumns
import Testing

/// Runs one operator outside a job: collects what it emits, and lets `isFull` be set.
final class OperatorHarness: Output {
    let operation: any Operator
    let clock = SimulatedClock(start: 1_000_000)
    let metrics = OperatorMetrics()
    private(set) var batches: [Batch] = []
    private(set) var sideBatches: [(tag: String, batch: Batch)] = []
    private(set) var watermarks: [Int64] = []
    var wakeUp: Int64?
    /// Full after every batch, so that an operator that can yield must.
    var isFull = false
    /// The most batches that one call emitted.
    private(set) var batchCountPerCallMax = 0
    private var batchCountBefore = 0

    init(_ operation: any Operator, restored: RestoredState? = nil, subtask: Int = 0, parallelism: Int = 1, backend: TestBackend = .memory) throws {
        self.operation = operation
        let context = OperatorContext(
            operatorID: OperatorID("test"), operatorName: "test", subtask: SubtaskIndex(subtask), parallelism: parallelism, maxParallelism: 128,
            jobName: "test", clock: clock, random: Dataflow.SeededRandom(seed: 1), metrics: metrics, restored: restored,
            requestWakeUp: { [self] in wakeUp = min(wakeUp ?? .max, $0.milliseconds) })
        backend.prepare(context)
        try operation.open(context)
        if let restored { try operation.restore(from: restored.reader) }
    }

    func emit(_ batch: Batch) throws(MillstreamError) { batches.append(batch) }
    func emit(_ batch: Batch, to sideOutput: SideOutputID) throws(MillstreamError) { sideBatches.append((sideOutput.name, batch)) }
    func emit(_ watermark: EventTime) throws(MillstreamError) { watermarks.append(watermark.milliseconds) }
    func emit(_ status: WatermarkStatus) throws(MillstreamError) {}

    func process(_ batch: Batch, input: Int = 0) throws { try finish(try operation.process(batch, input: input, output: self)) }
    func watermark(_ time: Int64) throws { try finish(try operation.onWatermark(EventTime(milliseconds: time), output: self)) }
    func processingTime(_ time: Int64) throws { try finish(try operation.onProcessingTime(ProcessingTime(milliseconds: time), output: self)) }
    func end(input: Int = 0) throws { try finish(try operation.onEndOfInput(input, output: self)) }

    private func finish(_ progress: Progress) throws {
        var progress = progress
        countCall()
        while progress == .more {
            progress = try operation.resume(output: self)
            countCall()
        }
    }

    private func countCall() {
        batchCountPerCallMax = max(batchCountPerCallMax, batches.count - batchCountBefore)
        batchCountBefore = batches.count
    }

    /// All rows of the main output as scalars, in order.
    func rows() throws -> [[Scalar]] { try batches.flatMap { try Self.rows($0) } }

    static func rows(_ batch: Batch) throws -> [[Scalar]] {
        let dense = try batch.compacted()
        return try (0..<dense.count).map { row in try dense.columns.map { try $0.scalar(at: row) } }
    }
}

/// A batch of BIGINT columns with timestamps; nil is null.
func int64Batch(_ columns: [[Int64?]], timestamps: [Int64]? = nil) throws -> Batch {
    let made = try columns.map { values -> Column in
        let builder = try ColumnBuilder.make(for: .bigInt)
        for value in values { try builder.append(value.map { Scalar.int64($0) } ?? .null) }
        return builder.finish()
    }
    let schema = Schema(made.indices.map { Field("f\($0)", .bigInt) }, shape: .tuple)
    return Batch(
        schema: schema, columns: made, count: columns.first?.count ?? 0,
        timestamps: timestamps.map { Column(type: .bigInt, count: $0.count, values: Buffer.copying($0)) })
}
