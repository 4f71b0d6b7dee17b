import Columnar
import Dataflow

/// The rows of a store as they were at a barrier.
final class FrozenRows: @unchecked Sendable {
    private let records: FrozenRecords
    private let layout: RecordLayout
    private let types: [DataType]
    private var ordered: SlotMemory?

    init(_ records: FrozenRecords, _ layout: RecordLayout, _ types: [DataType]) {
        self.records = records
        self.layout = layout
        self.types = types
    }

    deinit { records.release() }

    /// Copies a little more. False when all is there. Slots beyond the store have no row: all nulls.
    func advance(byteCount: Int, places: UnsafePointer<Int32>, count: Int) -> Bool {
        let target: SlotMemory
        if let ordered { target = ordered } else { target = .zeroed(byteCount: layout.stride * count) }
        ordered = target
        return records.copy(byteCount: byteCount, to: target.base, places: places)
    }

    func columns(_ places: Range<Int>) throws(MillstreamError) -> [Column] {
        guard let ordered else { return [] }
        let rows = (0..<Int32(truncatingIfNeeded: places.count)).map { $0 }
        let reader = RecordReader(base: ordered.base + layout.stride * places.lowerBound, layout: layout, types: types)
        return try rows.withUnsafeBufferPointer { (rows) throws(MillstreamError) in
            guard let base = rows.baseAddress else { return [] }
            var columns: [Column] = []
            let common = reader.commonFlags(base, rows.count)
            for field in layout.fields { columns.append(try reader.gather(field, common, base, rows.count)) }
            return columns
        }
    }
}

/// A keyed part of a checkpoint whose columns are made behind the barrier: keys, then a row of each.
final class FrozenPart: DeferredParts, @unchecked Sendable {
    private let name: String
    private let fields: [Field]
    private let table: FrozenTable
    private let rows: FrozenRows
    /// Rows of a block: whoever reads has no more in its hands.
    private static let blockRowCount = 1 << 16

    init(_ name: String, fields: [Field], _ table: FrozenTable, _ rows: FrozenRows) {
        self.name = name
        self.fields = fields
        self.table = table
        self.rows = rows
    }

    func advance(byteCount: Int) -> Bool {
        if table.advance(byteCount: byteCount) { return true }
        guard let places = table.places else { return false }
        return rows.advance(byteCount: byteCount, places: places, count: table.count)
    }

    func write(to writer: any StateWriter) throws(MillstreamError) {
        for (group, places) in table.groups {
            var start = places.lowerBound
            while start < places.upperBound {
                let block = start..<min(places.upperBound, start + Self.blockRowCount)
                let keys = try table.columns(block)
                let columns = keys + (try rows.columns(block))
                let keyFields = keys.enumerated().map { Field("key\($0.offset)", $0.element.type) }
                try writer.write(name, keyGroup: group, batch: Batch(schema: Schema(keyFields + fields), columns: columns, count: block.count))
                start = block.upperBound
            }
        }
    }
}

extension KeyTable {
    /// Writes the rows that a store has for this table's keys, without holding up whoever goes on changing both: at the barrier nothing is copied. False where
    /// that cannot be, and nothing is written: for keys and rows of a host's values, and for nested ones.
    public func writeLater(
        _ name: String, fields: [Field], rows store: RowStore, maxParallelism: Int, to writer: any StateWriter
    ) throws(MillstreamError) -> Bool {
        guard let rows = store.freeze(below: slotEnd) else { return false }
        guard let table = freeze(maxParallelism: maxParallelism) else { return false }
        if table.count > 0 { try writer.write(FrozenPart(name, fields: fields, table, rows)) }
        return true
    }
}
