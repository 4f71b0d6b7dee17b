import Columnar
import Dataflow
import Plan
import State

/// What a rolling operator gives in BATCH mode: one row for each key when the input has ended, in the order in which the keys first came.
///
/// The rows have the last timestamp there is, as those of Flink's BatchGroupedReduceOperator.
final class LastRows {
    private static let chunkRowCount = 4096

    private let store: RowStore
    private let schema: Schema
    private var slotCount = 0
    private var emitted = 0

    /// `store` has a row for each slot; its types are those of the schema.
    init(_ store: RowStore, schema: Schema) {
        self.store = store
        self.schema = schema
    }

    /// Takes notice of the keys of a batch; with `results`, one row for each row of the batch, their last rows go into the store.
    func note(_ local: LocalSlots, results: [Column]?) throws(MillstreamError) {
        for slot in local.slots { slotCount = max(slotCount, Int(slot) + 1) }
        guard let results, let count = results.first?.count, count == local.rows.count else { return }
        let numbers = local.rows.pointer(as: Int32.self)
        var last = [Int32](repeating: 0, count: local.slots.count)
        for row in 0..<count { last[Int(numbers[row])] = Int32(truncatingIfNeeded: row) }
        let rows = Selection(last)
        var kept: [Column] = []
        for column in results { kept.append(try column.taking(rows)) }
        try local.slots.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
            if let base = slots.baseAddress { try store.set(kept, slots: base, count: slots.count) }
        }
    }

    /// Whether there are rows, and all have come out.
    var isEmitted: Bool { emitted > 0 && emitted == slotCount }

    /// The slots that have a row.
    var slots: [Int32] { (0..<slotCount).filter { store.contains($0) }.map { Int32(truncatingIfNeeded: $0) } }

    /// Goes on with slots whose rows are in the store; nothing of them has been emitted.
    func restore(slotCount: Int) { self.slotCount = max(self.slotCount, slotCount) }

    /// Emits while there is room.
    func emit(_ output: any Output) throws(MillstreamError) -> Progress {
        while emitted < slotCount {
            let end = min(emitted + Self.chunkRowCount, slotCount)
            let slots = (emitted..<end).filter { store.contains($0) }.map { Int32(truncatingIfNeeded: $0) }
            emitted = end
            guard !slots.isEmpty else { continue }
            var columns = try slots.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
                guard let base = slots.baseAddress else { return [Column]() }
                return try store.gather(base, count: slots.count)
            }
            for position in columns.indices { columns[position] = columns[position].retyped(schema.fields[position].type) }
            try output.emit(
                Batch(
                    schema: schema, columns: columns, count: slots.count,
                    timestamps: .repeating(EventTime.max.milliseconds, type: .bigInt, count: slots.count)))
            if output.isFull, emitted < slotCount { return .more }
        }
        return .done
    }
}
