import Columnar
import Dataflow
import Plan
import State

/// Aggregation over SESSION windows: the session windows of streams, with SQL's keys, times and aggregates.
final class SessionAggregateOperator: Operator, StateDeclaring {
    private let sessions: SessionWindowOperator
    private let window: WindowTable
    private let zone: LocalZone
    private let keyTypes: [DataType]
    private let hasKeys: Bool
    private var context: OperatorContext?

    init(_ description: WindowAggregateDescription, input: [DataType], output: Schema, hostObjects: HostObjects?) throws(MillstreamError) {
        guard case .session(let gap, _) = description.window.shape else { throw .internal("windows of sessions have a gap") }
        window = description.window
        zone = try window.zone(input)
        hasKeys = !description.keys.isEmpty
        // Without keys all rows have one, a column behind theirs.
        let positions = hasKeys ? description.keys : [input.count]
        keyTypes = try OperatorFactory.keyTypes(positions, input + [DataType.tinyInt.notNull]).map(\.nullable)
        let result = WindowResult(schema: output, bounds: description.bounds, zone: zone, keyCount: description.keys.count)
        let contents = try AggregateContents(description.aggregates, input: input, retracts: description.inputRetracts, result: result)
        sessions = SessionWindowOperator(
            gap: try SliceGeometry.positive(gap, "gap of SESSION"), isEventTime: !window.isProcessingTime,
            description: WindowDescription(
                assigner: .session(gap: gap, isEventTime: !window.isProcessingTime), function: .aggregate([]), keys: positions),
            keys: try WindowKeys(positions: positions, types: keyTypes, hostObjects: hostObjects, takesNulls: true), contents: contents,
            functions: nil)
    }

    func open(_ context: OperatorContext) throws(MillstreamError) { try sessions.open(context) }
    func close() throws(MillstreamError) { try sessions.close() }
    var nextEventTime: EventTime? { sessions.nextEventTime }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        var rows = try batch.compacted()
        if !window.isProcessingTime { rows.timestamps = .int64s(try rows.columns[window.timeColumn].eventTimes(rows.count)) }
        if !hasKeys {
            rows.columns.append(.repeating(Int8(0), type: .tinyInt, count: rows.count))
            rows.keyHashes = nil
        }
        return try sessions.process(rows, input: input, output: output)
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        try sessions.onWatermark(watermark, output: output)
    }
    func onProcessingTime(_ now: ProcessingTime, output: any Output) throws(MillstreamError) -> Progress {
        try sessions.onProcessingTime(now, output: output)
    }
    func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress { try sessions.onEndOfInput(input, output: output) }
    func resume(output: any Output) throws(MillstreamError) -> Progress { try sessions.resume(output: output) }
    func declaredParts() throws(MillstreamError) -> [DeclaredPart] { sessions.declaredParts() }
    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        try sessions.snapshot(checkpoint, into: writer)
    }
    func restore(from reader: any StateReader) throws(MillstreamError) { try sessions.restore(from: reader) }
}
