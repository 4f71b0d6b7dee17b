import Columnar
import Dataflow

/// The rows of a store as they were at a barrier, piece by piece of their slots.
final class FrozenRows: @unchecked Sendable {
    private let records: FrozenRecords
    private let layout: RecordLayout
    private let types: [DataType]
    /// The rows of a piece by their places.
    private var ordered = PieceMemory()
    private var isCopying = false

    init(_ records: FrozenRecords, _ layout: RecordLayout, _ types: [DataType]) {
        self.records = records
        self.layout = layout
        self.types = types
    }

    deinit { records.release() }

    var stride: Int { layout.stride }

    /// Copies a little more of a piece, whose slots have `count` places. False when all is there. Slots beyond the store have no row: all nulls.
    func advance(_ piece: Range<Int>, byteCount: Int, places: UnsafePointer<Int32>, count: Int) -> Bool {
        let target = ordered.reserve(layout.stride * count)
        if !isCopying, piece.upperBound > records.count { target.initializeMemory(as: UInt8.self, repeating: 0, count: layout.stride * count) }
        isCopying = records.copy(piece, byteCount: byteCount, to: target, places: places)
        return isCopying
    }

    func columns(_ places: Range<Int>) throws(MillstreamError) -> [Column] {
        guard let ordered = ordered.base else { return [] }
        let rows = (0..<Int32(truncatingIfNeeded: places.count)).map { $0 }
        let reader = RecordReader(base: ordered + layout.stride * places.lowerBound, layout: layout, types: types)
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
    private let blockRowCountMax: Int
    private var hasPiece = false

    init(_ name: String, fields: [Field], _ table: FrozenTable, _ rows: FrozenRows) {
        self.name = name
        self.fields = fields
        self.table = table
        self.rows = rows
        blockRowCountMax = table.blockRowCountMax(rowByteCount: rows.stride)
    }

    func write(byteCount: Int, to writer: any StateWriter) throws(MillstreamError) -> Bool {
        if !hasPiece {
            guard table.next() else { return false }
            hasPiece = true
        }
        if table.advance(byteCount: byteCount) { return true }
        if let places = table.places, rows.advance(table.piece, byteCount: byteCount, places: places, count: table.count) { return true }
        hasPiece = false
        for (group, places) in table.groups {
            var start = places.lowerBound
            while start < places.upperBound {
                let block = start..<min(places.upperBound, start + blockRowCountMax)
                try write(block, of: group, to: writer)
                start = block.upperBound
            }
        }
        return true
    }

    private func write(_ block: Range<Int>, of group: KeyGroup, to writer: any StateWriter) throws(MillstreamError) {
        let keys = try table.columns(block)
        let columns = keys + (try rows.columns(block))
        let keyFields = keys.enumerated().map { Field("key\($0.offset)", $0.element.type) }
        try writer.write(name, keyGroup: group, batch: Batch(schema: Schema(keyFields + fields), columns: columns, count: block.count))
    }
}

extension KeyTable {
    /// Writes the rows that a store has for this table's keys, without holding up whoever goes on changing both: at the barrier nothing is copied. False where
    /// that cannot be, and nothing is written: for keys and rows of a host's values, and for nested ones.
    public func writeLater(
        _ name: String, fields: [Field], rows store: RowStore, maxParallelism: Int, to writer: any StateWriter
    ) throws(MillstreamError) -> Bool {
        try writeLater(name, fields: fields, rows: store, maxParallelism: maxParallelism, pieceSlotCount: nil, to: writer)
    }

    /// The same in pieces of so many slots (rounded up to a multiple of 256).
    package func writeLater(
        _ name: String, fields: [Field], rows store: RowStore, maxParallelism: Int, pieceSlotCount: Int?, to writer: any StateWriter
    ) throws(MillstreamError) -> Bool {
        guard let rows = store.freeze(below: slotEnd) else { return false }
        guard let table = freeze(maxParallelism: maxParallelism) else { return false }
        table.divide(rowByteCount: rows.stride, pieceSlotCount: pieceSlotCount)
        if !table.isEmpty { try writer.write(FrozenPart(name, fields: fields, table, rows)) }
        return true
    }
}
