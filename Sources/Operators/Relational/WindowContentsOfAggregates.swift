import Columnar
import Dataflow
import Plan

/// SQL aggregates as what windows hold.
final class AggregateContents: WindowContents {
    private let aggregates: AggregateSet
    private let result: WindowResult
    private let retracts: Bool

    init(_ expressions: [AggregateExpression], input: [DataType], retracts: Bool, result: WindowResult) throws(MillstreamError) {
        aggregates = try AggregateSet(expressions, input: input, retracts: retracts)
        self.result = result
        self.retracts = retracts
    }

    private func reserve(_ slots: some Sequence<Int32>) {
        var end: Int32 = -1
        for slot in slots { end = max(end, slot) }
        aggregates.reserve(Int(end) + 1)
    }

    func add(_ rows: Batch, slots: UnsafePointer<Int32>) throws(MillstreamError) {
        reserve(UnsafeBufferPointer(start: slots, count: rows.count))
        guard retracts, let steps = rows.steps else { return try aggregates.update(rows.columns, slots: slots, steps: nil, count: rows.count) }
        try steps.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            try aggregates.update(rows.columns, slots: slots, steps: list.baseAddress, count: rows.count)
        }
    }

    func merge(_ pairs: [(from: Int32, into: Int32)]) throws(MillstreamError) {
        // One after the other: what was merged may be merged again.
        reserve(pairs.map { max($0.from, $0.into) })
        for pair in pairs {
            try aggregates.merge([pair.from], into: [pair.into])
            aggregates.clear([pair.from])
        }
    }

    func absorb(_ other: any WindowContents, slots: [Int32], targets: [Int32]) throws(MillstreamError) {
        throw .internal("these windows have no slices")
    }

    func emit(_ frames: WindowFrames, output: any Output) throws(MillstreamError) {
        reserve(frames.slots)
        guard var starts = frames.starts, var ends = frames.ends else { throw .internal("a window without bounds") }
        // The sessions' own are instants.
        result.zone.makeLocal(&starts)
        result.zone.makeLocal(&ends)
        try result.emit(keys: frames.keys, try aggregates.results(frames.slots), starts: starts, ends: ends, output)
    }

    func remove(_ slots: UnsafePointer<Int32>, count: Int) {
        let gone = Array(UnsafeBufferPointer(start: slots, count: count))
        reserve(gone)
        aggregates.clear(gone)
    }

    /// Only at the end.
    func removeAll() {}

    var stateFields: [Field] { aggregates.stateFields }

    func rows(of slots: [Int32], ofKeys keys: [Int32]?) throws(MillstreamError) -> ContentRows {
        reserve(slots)
        return ContentRows(columns: try aggregates.state(slots), count: slots.count, parents: nil)
    }

    func restore(_ columns: [Column], slots: [Int32]) throws(MillstreamError) {
        reserve(slots)
        try aggregates.restore(columns, slots: slots)
    }
}

extension Batch {
    /// What the rows of a dense batch do; nil: all of them are added.
    var steps: [UInt8]? {
        guard let rowKinds else { return nil }
        let kinds = rowKinds.pointer(as: Int8.self)
        return (0..<count).map { row in
            kinds[row] == RowKind.updateBefore.rawValue || kinds[row] == RowKind.delete.rawValue ? Step.retract : Step.add
        }
    }
}

/// The rows that come out of windows: keys, aggregates, then the windows' bounds.
struct WindowResult {
    let schema: Schema
    let bounds: [WindowBound]
    let zone: LocalZone
    /// How many key columns come out; what else a key has stays inside.
    let keyCount: Int

    /// `starts` and `ends` are local milliseconds.
    func emit(keys: [Column], _ aggregates: [Column], starts: [Int64], ends: [Int64], _ output: any Output) throws(MillstreamError) {
        guard !starts.isEmpty else { return }
        let first = keyCount + aggregates.count
        guard schema.fields.count == first + bounds.count else {
            throw MillstreamError(.plan, "a window aggregation gives \(first + bounds.count) columns, and its schema has \(schema.fields.count)")
        }
        var columns = Array(keys.prefix(keyCount)) + aggregates
        let last = ends.map { $0.subtractingSaturating(1) }
        for (place, bound) in bounds.enumerated() {
            let type = schema.fields[first + place].type
            columns.append(zone.column(bound == .start ? starts : bound == .end ? ends : last, type: type))
        }
        for position in columns.indices { columns[position] = columns[position].fitted(to: schema.fields[position].type) }
        let times = Column.int64s(last.map { zone.instant($0) })
        try output.emit(Batch(schema: schema, columns: columns, count: starts.count, timestamps: times))
    }
}
