import Columnar
import Dataflow
import Plan

/// TUMBLE, HOP and CUMULATE as tables: each row once for each of its windows, with `window_start`, `window_end` and `window_time` behind its columns.
final class WindowTableOperator: Operator {
    private let window: WindowTable
    private let geometry: SliceGeometry
    private let zone: LocalZone
    private let schema: Schema
    private var context: OperatorContext?

    init(_ window: WindowTable, input: [DataType], output: Schema) throws(MillstreamError) {
        self.window = window
        geometry = try SliceGeometry(window)
        zone = try window.zone(input)
        schema = output
        guard output.fields.count == input.count + 3 else {
            throw MillstreamError(.plan, "a window function gives \(input.count + 3) columns, and its schema has \(output.fields.count)")
        }
    }

    func open(_ context: OperatorContext) { self.context = context }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        let batch = try batch.compacted()
        var times: [Int64]
        if window.isProcessingTime {
            times = Array(repeating: context?.clock.now().milliseconds ?? 0, count: batch.count)
        } else {
            times = try batch.columns[window.timeColumn].eventTimes(batch.count)
        }
        zone.makeLocal(&times)
        var rows: [Int32] = [], starts: [Int64] = [], ends: [Int64] = []
        for (row, time) in times.enumerated() {
            geometry.forEachWindow(of: time) { start, end in
                rows.append(Int32(truncatingIfNeeded: row))
                starts.append(start)
                ends.append(end)
            }
        }
        let isOnce = rows.count == batch.count
        let selection = Selection(rows)
        var columns: [Column] = []
        let width = schema.fields.count - 3
        for column in batch.columns.prefix(width) { columns.append(isOnce ? column : try column.taking(selection)) }
        columns.append(zone.column(starts, type: schema.fields[width].type))
        columns.append(zone.column(ends, type: schema.fields[width + 1].type))
        columns.append(zone.column(ends.map { $0.subtractingSaturating(1) }, type: schema.fields[width + 2].type))
        for place in width..<width + 3 { columns[place] = columns[place].fitted(to: schema.fields[place].type) }
        var result = Batch(schema: schema, columns: columns, count: rows.count)
        result.rowKinds = isOnce ? batch.rowKinds : try batch.rowKinds?.taking(selection)
        result.timestamps = isOnce ? batch.timestamps : try batch.timestamps?.taking(selection)
        try output.emit(result)
        return .done
    }
}
