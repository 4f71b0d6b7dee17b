import Columnar
import Dataflow
import Plan

/// ORDER BY: all rows when the input has ended, or those that the watermark has passed.
final class SortOperator: Operator, StateDeclaring {
    private static let chunkRowCount = 4096
    private static let rowsPart = "sort/rows"
    private static let timePart = "sort/time"
    private static let timeFields = [Field("last_time", DataType.bigInt.notNull)]

    private let description: SortDescription
    private let schema: Schema
    private let times: TimeColumn?
    private var waiting: [Batch] = []
    private var leastTime = Int64.max
    /// The time of the last row that came out.
    private var lastTime: Int64?
    private var sorted: (batch: Batch, next: Int)?
    private var metrics: OperatorMetrics?

    init(_ description: SortDescription, schema: Schema) throws(MillstreamError) {
        self.description = description
        self.schema = schema
        if let column = description.timeColumn { times = try TimeColumn(column, schema) } else { times = nil }
        for key in description.order where key.column < 0 || key.column >= schema.fields.count {
            throw MillstreamError(.plan, "the order names column \(key.column); the stream has \(schema.fields.count)")
        }
    }

    func open(_ context: OperatorContext) { metrics = context.metrics }

    var nextEventTime: EventTime? { times == nil || leastTime == .max ? nil : EventTime(milliseconds: leastTime) }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        var batch = try batch.compacted()
        if let times {
            let values = try times.milliseconds(batch)
            var rows: [Int32] = []
            for row in 0..<batch.count {
                if let lastTime, values[row] <= lastTime { continue }
                rows.append(Int32(truncatingIfNeeded: row))
                leastTime = min(leastTime, values[row])
            }
            if rows.count < batch.count {
                metrics?.lateRecords.add(batch.count - rows.count)
                metrics?.lateRecordsDropped.add(batch.count - rows.count)
                batch = try batch.selecting(Selection(rows)).compacted()
            }
        }
        if !batch.isEmpty { waiting.append(batch) }
        return .done
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        guard watermark == .max || times != nil && leastTime <= watermark.milliseconds, !waiting.isEmpty else { return .done }
        let all = try Batch.concat(waiting)
        waiting = []
        leastTime = .max
        var due: Selection?
        if let times {
            let values = try times.milliseconds(all)
            var (now, later): ([Int32], [Int32]) = ([], [])
            for row in 0..<all.count {
                if values[row] <= watermark.milliseconds {
                    now.append(Int32(truncatingIfNeeded: row))
                    lastTime = max(lastTime ?? .min, values[row])
                } else {
                    later.append(Int32(truncatingIfNeeded: row))
                    leastTime = min(leastTime, values[row])
                }
            }
            if !later.isEmpty {
                waiting = [try all.selecting(Selection(later)).compacted()]
                due = Selection(now)
            }
        }
        let keys = description.order.map { Columnar.SortKey(all.columns[$0.column], isDescending: $0.isDescending, nullsFirst: $0.nullsFirst) }
        sorted = (all.selecting(try Selection.sorted(by: keys, count: all.count, among: due)), 0)
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        while let (batch, next) = sorted {
            let count = min(Self.chunkRowCount, batch.count - next)
            if count > 0 { try output.emit(try batch.slice(next, count).compacted()) }
            sorted = next + count < batch.count ? (batch, next + count) : nil
            if output.isFull, sorted != nil { return .more }
        }
        return .done
    }

    private var rowFields: [Field] { schema.fields.map { Field("record.\($0.name)", $0.type.nullable) } }

    func declaredParts() -> [DeclaredPart] { [DeclaredPart(Self.rowsPart, rowFields), DeclaredPart(Self.timePart, Self.timeFields)] }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        for batch in waiting {
            let rows = Batch(
                schema: Schema(rowFields), columns: batch.fields, count: batch.count, rowKinds: batch.rowKinds, timestamps: batch.timestamps)
            try writer.write(Self.rowsPart, keyGroup: nil, batch: rows)
        }
        guard let lastTime else { return }
        try writer.write(Self.timePart, keyGroup: nil, batch: Batch(schema: Schema(Self.timeFields), columns: [.int64s([lastTime])], count: 1))
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        for (_, batch) in try reader.batches(Self.rowsPart) where batch.count > 0 {
            guard batch.columns.map(\.type.layout) == schema.types.map(\.layout) else {
                throw MillstreamError(.decode, "the part '\(Self.rowsPart)' has the columns \(batch.schema) in the checkpoint, and \(schema) in the job", domain: .external)
            }
            var own = batch
            own.schema = schema
            own.columns = []
            for (column, field) in zip(batch.columns, schema.fields) { own.columns.append(try column.typed(as: field.type)) }
            if let times { leastTime = min(leastTime, try times.milliseconds(own).min() ?? .max) }
            waiting.append(own)
        }
        for (_, batch) in try reader.batches(Self.timePart) where batch.count > 0 && batch.columns.first?.type.kind == .bigInt {
            lastTime = max(lastTime ?? .min, batch.columns[0].pointer(as: Int64.self)[0])
        }
    }
}

/// A column of event time, as milliseconds.
struct TimeColumn {
    let position: Int
    private let perSecond: Int64

    init(_ position: Int, _ schema: Schema) throws(MillstreamError) {
        guard position >= 0, position < schema.fields.count else {
            throw MillstreamError(.plan, "the event time is column \(position); the stream has \(schema.fields.count)")
        }
        self.position = position
        switch schema.fields[position].type.kind {
        case .timestamp(let precision), .timestampLTZ(let precision): perSecond = TimeUnit(precision: precision).perSecond
        case .bigInt: perSecond = 1_000
        default: throw MillstreamError(.plan, "event time has the type TIMESTAMP or TIMESTAMP_LTZ, not \(schema.fields[position].type)")
        }
    }

    /// The times of a dense batch. Throws `eventTime` for a NULL.
    func milliseconds(_ batch: Batch, rowsBefore: Int64 = 0) throws(MillstreamError) -> [Int64] {
        let column = batch.columns[position]
        if column.mayHaveNulls, column.nullCount > 0 {
            let row = (0..<batch.count).first { column.isNull($0) } ?? 0
            throw MillstreamError(
                .eventTime, "the event time '\(batch.schema.fields[position].name)' of a row is NULL", hint: "Filter such rows out.", recordIndex: rowsBefore + Int64(row))
        }
        let values = UnsafeBufferPointer(start: UnsafePointer(column.pointer(as: Int64.self)), count: batch.count)
        defer { withExtendedLifetime(column) {} }
        switch perSecond {
        case 1: return values.map { let (product, overflow) = $0.multipliedReportingOverflow(by: 1_000); return overflow ? ($0 < 0 ? .min : .max) : product }
        case 1_000: return Array(values)
        default:
            let divisor = perSecond / 1_000
            return values.map { $0 >= 0 ? $0 / divisor : -((-($0 + 1)) / divisor) - 1 }
        }
    }
}
