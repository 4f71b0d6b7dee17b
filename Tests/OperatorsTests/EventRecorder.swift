import Columnar
import Dataflow
import Operators
import Plan
@_exported import TestRows

/// Runs one operator by hand: a simulated clock, and an output that records all that comes out.
final class EventRecorder {
    enum Event: Equatable {
        case row(values: [Scalar], timestamp: Int64?, kind: Int8)
        case side(String, values: [Scalar])
        case watermark(Int64)
        case idle
        case active
    }

    let op: any Operator
    let clock = SimulatedClock(start: 1_000_000)
    let metrics = OperatorMetrics()
    let output = RecordingOutput()
    private(set) var wakeUp: ProcessingTime?

    init(_ operation: Operation, input: Schema, output schema: Schema? = nil, bindings: Bindings = Bindings()) throws {
        let node = Node(id: NodeID(1), name: "op", inputs: [Edge(source: NodeID(0))], operation: operation, output: schema ?? input)
        op = try OperatorFactory.make(for: node, inputs: [input], bindings: bindings)
        try open()
    }

    private func open() throws {
        let context = OperatorContext(
            operatorID: OperatorID("op"), operatorName: "op", subtask: SubtaskIndex(0), parallelism: 1, maxParallelism: 128, jobName: "test",
            clock: clock, random: SeededRandom(seed: 1), metrics: metrics, requestWakeUp: { [weak self] in self?.wakeUp = $0 })
        try op.open(context)
    }

    func process(_ batch: Batch) throws { try finish(try op.process(batch, input: 0, output: output)) }
    func watermark(_ milliseconds: Int64) throws {
        try finish(try op.onWatermark(EventTime(milliseconds: milliseconds), output: output))
        if op.forwardsWatermarks { output.events.append(.watermark(milliseconds)) }
    }

    /// Moves the clock, and calls the operator if it asked for that.
    func advance(milliseconds: Int64) throws {
        clock.advance(milliseconds: milliseconds)
        guard let time = wakeUp, time < clock.now() || time == clock.now() else { return }
        wakeUp = nil
        try finish(try op.onProcessingTime(clock.now(), output: output))
    }

    private func finish(_ progress: Progress) throws {
        var progress = progress
        while progress == .more { progress = try op.resume(output: output) }
    }

    var events: [Event] { output.events }
    var rows: [[Scalar]] {
        output.events.compactMap { if case .row(let values, _, _) = $0 { values } else { nil } }
    }
}

final class RecordingOutput: Output {
    var events: [EventRecorder.Event] = []
    var batches: [Batch] = []
    var isFull = false

    func emit(_ batch: Batch) throws(MillstreamError) {
        batches.append(batch)
        for index in 0..<batch.count {
            let row = batch.selection?[index] ?? index
            let time = batch.timestamps?.pointer(as: Int64.self)[row]
            let kind = batch.rowKinds?.pointer(as: Int8.self)[row] ?? 0
            events.append(.row(values: batch.columns.map { $0.scalar(at: row) }, timestamp: time, kind: kind))
        }
    }

    func emit(_ batch: Batch, to sideOutput: SideOutputID) throws(MillstreamError) {
        for index in 0..<batch.count {
            let row = batch.selection?[index] ?? index
            events.append(.side(sideOutput.name, values: batch.columns.map { $0.scalar(at: row) }))
        }
    }

    func emit(_ watermark: EventTime) throws(MillstreamError) { events.append(.watermark(watermark.milliseconds)) }
    func emit(_ status: WatermarkStatus) throws(MillstreamError) { events.append(status == .idle ? .idle : .active) }
}

/// A host function written in Swift.
final class FakeHostFunction: HostFunction, @unchecked Sendable {
    let name = "fake"
    private(set) var operations: [HostOperation] = []
    let accumulatorTypes: [DataType]
    private let body: (HostRequest) throws(MillstreamError) -> HostResponse

    init(accumulatorTypes: [DataType] = [], _ body: @escaping (HostRequest) throws(MillstreamError) -> HostResponse) {
        self.accumulatorTypes = accumulatorTypes
        self.body = body
    }

    func call(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
        operations.append(request.operation)
        if [.open, .close, .snapshot].contains(request.operation) { return HostResponse() }
        return try body(request)
    }

    func instance() throws(MillstreamError) -> any HostFunction { self }
    func fused(with next: any HostFunction) -> (any HostFunction)? { nil }
}
