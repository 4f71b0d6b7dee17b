import Columnar
import Dataflow
import State

/// A row store's rows by key in a checkpoint. With `isOrdered` the rows say in which order their keys came, and the slots have that order again.
struct KeyedRecords {
    private let table: KeyTable
    private let name: String
    private let fields: [Field]
    private let isOrdered: Bool
    private static let orderField = Field("order", DataType.bigInt.notNull)

    /// `fields` are those of the store's columns.
    init(_ table: KeyTable, _ name: String, _ fields: [Field], isOrdered: Bool) {
        self.table = table
        self.name = name
        self.fields = isOrdered ? [Self.orderField] + fields : fields
        self.isOrdered = isOrdered
    }

    /// Writes the rows of some slots, which have one; of all in the table where none are given.
    func write(_ store: RowStore, slots: [Int32]? = nil, maxParallelism: Int, to writer: any StateWriter) throws(MillstreamError) {
        if slots == nil, !isOrdered, try table.writeLater(name, fields: fields, rows: store, maxParallelism: maxParallelism, to: writer) { return }
        let slots = slots ?? table.liveSlots()
        guard !slots.isEmpty else { return }
        var columns = try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return [Column]() }
            return try store.gather(base, count: list.count)
        }
        if isOrdered { columns.insert(.int64s(slots.map { Int64($0) }), at: 0) }
        var part = KeyedPart(name, fields: fields)
        try part.add(slots, of: table, columns)
        try part.write(maxParallelism: maxParallelism, to: writer)
    }

    /// Reads the rows into an empty store, and their keys into `table`, or a new one. Nil where there are none.
    static func restore(
        _ name: String, _ fields: [Field], isOrdered: Bool, from reader: any StateReader, _ hostObjects: HostObjects?, into store: RowStore,
        _ table: KeyTable? = nil
    ) throws(MillstreamError) -> KeyTable? {
        let allFields = isOrdered ? [orderField] + fields : fields
        guard isOrdered else { return try restoreBlocks(name, fields, from: reader, hostObjects, into: store, table) }
        guard var rows = try RestoredPart(reader, name, keyTypes: table?.types, fields: allFields) else { return nil }
        rows = try rows.taking(rows.order(by: 0))
        let objects = hostObjects ?? rows.keys.lazy.compactMap(\.hostObjects).first
        let known: KeyTable
        if let table { known = table } else { known = try KeyTable(types: rows.keys.map { $0.type.nullable }, hostObjects: objects) }
        let slots = try rows.slots(in: known)
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            if let base = list.baseAddress { try store.set(Array(rows.columns[1...]), slots: base, count: list.count) }
        }
        return known
    }

    /// Block by block: no more than one is in memory beside what it becomes.
    private static func restoreBlocks(
        _ name: String, _ fields: [Field], from reader: any StateReader, _ hostObjects: HostObjects?, into store: RowStore, _ table: KeyTable?
    ) throws(MillstreamError) -> KeyTable? {
        var table = table
        let rowCount = reader.rowCount(name)
        try store.filling(rowCount) { () throws(MillstreamError) in
            try RestoredPart.forEachBlock(reader, name, keyTypes: table?.types, fields: fields) { (rows) throws(MillstreamError) in
                let known: KeyTable
                if let table {
                    known = table
                } else {
                    known = try KeyTable(types: rows.keys.map { $0.type.nullable }, hostObjects: hostObjects ?? rows.keys.lazy.compactMap(\.hostObjects).first)
                    known.reserve(rowCount)
                }
                table = known
                let slots = try rows.slots(in: known)
                try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
                    if let base = list.baseAddress { try store.set(rows.columns, slots: base, count: list.count) }
                }
            }
        }
        return table
    }
}
