import Columnar
import Dataflow
import Plan

/// Windows of native aggregates: accumulators column by column, no call into the host.
final class NativeAggregates: WindowContents {
    private let calls: [AggregateCall]
    private let columns: [AggregateColumn]
    private let output: Schema

    init(_ calls: [AggregateCall], input: Schema, output: Schema) throws(MillstreamError) {
        self.calls = calls
        self.output = output
        var made: [AggregateColumn] = []
        for call in calls {
            if let position = call.column, position < 0 || position >= input.fields.count {
                throw MillstreamError(.plan, "\(call.function.symbol) of column \(position); the stream has \(input.fields.count) columns")
            }
            made.append(try AggregateColumn.make(call, input: call.column.map { input.fields[$0].type }))
        }
        columns = made
    }

    func add(_ rows: Batch, slots: UnsafePointer<Int32>) throws(MillstreamError) {
        var slotCount: Int32 = -1
        for row in 0..<rows.count { slotCount = max(slotCount, slots[row]) }
        for (call, column) in zip(calls, columns) {
            column.reserve(Int(slotCount) + 1)
            column.update(call.column.map { rows.columns[$0] }, slots: slots, count: rows.count)
        }
    }

    func merge(_ pairs: [(from: Int32, into: Int32)]) throws(MillstreamError) {
        for column in columns {
            for pair in pairs {
                column.reserve(Int(max(pair.from, pair.into)) + 1)
                column.merge(column, from: Int(pair.from), into: Int(pair.into))
                column.clear(Int(pair.from))
            }
        }
    }

    func absorb(_ other: any WindowContents, slots: [Int32], targets: [Int32]) throws(MillstreamError) {
        guard let other = other as? NativeAggregates else { throw MillstreamError.internal("windows of different kinds were merged") }
        let slotCount = Int(targets.max() ?? -1) + 1
        for (column, source) in zip(columns, other.columns) {
            column.reserve(slotCount)
            for (slot, target) in zip(slots, targets) { column.merge(source, from: Int(slot), into: Int(target)) }
        }
    }

    func emit(_ frames: WindowFrames, output target: any Output) throws(MillstreamError) {
        var result = frames.keys
        if let starts = frames.starts, let ends = frames.ends {
            let type = DataType(.timestampLTZ(3), isNullable: false)
            result.append(frames.column(starts).retyped(type))
            result.append(frames.column(ends).retyped(type))
        }
        for column in columns {
            column.reserve(Int(frames.slots.max() ?? -1) + 1)
            result.append(try column.result(frames.slots))
        }
        var batch = Batch(schema: output, columns: result, count: frames.slots.count)
        batch.timestamps = frames.timestamps()
        try target.emit(batch)
    }

    func remove(_ slots: UnsafePointer<Int32>, count: Int) {
        for column in columns { for index in 0..<count { column.clear(Int(slots[index])) } }
    }

    func removeAll() { for column in columns { column.removeAll() } }

    /// Those of the calls one after the other, each behind the name of the call's result.
    var stateFields: [Field] {
        zip(calls, columns).flatMap { call, column in column.stateFields.map { Field("\(call.name).\($0.name)", $0.type) } }
    }

    func rows(of slots: [Int32], ofKeys keys: [Int32]?) throws(MillstreamError) -> ContentRows {
        var result: [Column] = []
        let end = Int(slots.max() ?? -1) + 1
        for column in columns {
            column.reserve(end)
            result += try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
                guard let base = list.baseAddress else { return [Column]() }
                return try column.state(base, count: list.count)
            }
        }
        return ContentRows(columns: result, count: slots.count, parents: nil)
    }

    func restore(_ columns: [Column], slots: [Int32]) throws(MillstreamError) {
        let end = Int(slots.max() ?? -1) + 1
        var first = 0
        for column in self.columns {
            let own = Array(columns[first..<first + column.stateFields.count])
            first += own.count
            column.reserve(end)
            slots.withUnsafeBufferPointer { if let base = $0.baseAddress { column.restore(own, slots: base, count: slots.count) } }
        }
    }
}
