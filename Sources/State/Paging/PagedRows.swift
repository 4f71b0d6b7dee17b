import Columnar
import Dataflow

/// A `RowStore` whose rows are in memory for the keys that were met lately, and in a store for the others: the state of rolling operators.
///
/// Where state is kept in memory, all calls do nothing. Used by one operator, which says in `open` what it has.
public final class PagedRows {
    private let records: RowStore
    private let types: [DataType]
    private let part: String
    private let fields: [Field]
    private var paging: StatePaging?
    private var context: OperatorContext?
    private var store: (any StateStore)?
    private var isStoreUsed = false
    private var coding: RowCoding?
    private var pager: KeyPager?
    /// Of the keys in the files that the store was restored from.
    private var restoredKeyTypes: [DataType]?
    package var valueTexts: [String] { types.map { "\($0.nullable)" } }

    /// `part` names the rows in a checkpoint, `fields` their columns there.
    public init(_ records: RowStore, types: [DataType], part: String, fields: [Field]) {
        self.records = records
        self.types = types
        self.part = part
        self.fields = fields
    }

    /// Rows are in memory alone.
    public var isOff: Bool { coding == nil }

    /// How many rows of batches should be looked up together: keys that are read together lie closer together.
    public var gathering: Gathering? {
        guard !isOff, let paging else { return nil }
        return Gathering(rowCountMax: Self.gatheredCountMax, byteCountMax: min(Self.gatheredByteCountMax, paging.memory.byteCountMax / Self.gatheredPart))
    }

    private static let gatheredCountMax = 65_536
    private static let gatheredByteCountMax = 8 << 20
    /// Of the memory for keys: what a batch brings into memory leaves it behind the batch.
    private static let gatheredPart = 16

    public func open(_ context: OperatorContext) throws(MillstreamError) {
        self.context = context
        guard context.stores != nil, let paging = context.paging else { return try refuseStores(context) }
        guard let coding = RowCoding(types.map(\.nullable), objects: paging.objects) else {
            paging.warn(StoredState.staysInMemory(context, "its rows have nested columns, or values of the host that cannot be written"))
            return try refuseStores(context)
        }
        self.paging = paging
        self.coding = coding
        let found = try StoredState.find(part, values: valueTexts, context)
        store = try context.stores?.open(context.storePlace(part), from: found.stores)
        isStoreUsed = !found.stores.isEmpty
        restoredKeyTypes = found.keyTypes
    }

    private func refuseStores(_ context: OperatorContext) throws(MillstreamError) { try StoredState.refuse(part, context) }

    /// Behind the look-up of a batch: fetches the rows of the slots, which will be changed. Slots may repeat.
    public func enter(_ slots: UnsafePointer<Int32>, count: Int, in table: KeyTable) throws(MillstreamError) {
        try pager(table)?.enter(slots, count: count, changes: true)
    }

    /// The same for a list of slots.
    public func enter(_ slots: [Int32], in table: KeyTable) throws(MillstreamError) {
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            if let base = list.baseAddress { try enter(base, count: list.count, in: table) }
        }
    }

    /// Behind a batch: lets rows go where memory is over its bound.
    public func settle() throws(MillstreamError) { try pager?.settle() }

    private func pager(_ table: KeyTable) throws(MillstreamError) -> KeyPager? {
        if let pager { return pager }
        guard let context, let paging, let store else { return nil }
        guard let made = KeyPager(store: store, isStoreUsed: isStoreUsed, values: self, table: table, context: context, paging: paging) else {
            // Only nested types: those of the host were looked at in `open`.
            paging.warn(StoredState.staysInMemory(context, "its keys are of the types \(table.types.map { "\($0)" }.joined(separator: ", "))"))
            store.close()
            self.store = nil
            coding = nil
            return nil
        }
        pager = made
        return made
    }

    // MARK: Checkpoints

    /// Writes all rows: for savepoints, and where checkpoints are full, as the typed columns that a `RowStore` in memory would write; else the store's files.
    public func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        guard let paging, let store else { return }
        if paging.isIncremental, !checkpoint.isSavepoint {
            try pager?.flush()
            let keyTypes = pager?.table.types ?? []
            try writer.write(StoredState.typesPart(part), keyGroup: nil, bytes: StoredState.text(keys: keyTypes, values: valueTexts))
            return try writer.write(part, files: try store.files())
        }
        guard let pager else { return }
        try pager.flush()
        let scan = try pager.scan()
        guard let coding else { return }
        let (part, fields) = (part, fields)
        try writer.writeLater { (writer) throws(MillstreamError) in
            try scan.forEachChunk(decodesObjects: false) { (chunk) throws(MillstreamError) in
                let columns = try chunk.rows.withUnsafeBufferPointer { (rows) throws(MillstreamError) in
                    guard let base = rows.baseAddress else { return [Column]() }
                    return try coding.decode(base, count: rows.count, decodesObjects: false)
                }
                try writer.write(part, keyGroup: chunk.group, batch: StoredState.batch(chunk, fields, columns))
            }
        }
    }

    /// Reads typed columns into the store. The table of the keys, or nil where there are none.
    public func restore(from reader: any StateReader, hostObjects: HostObjects?) throws(MillstreamError) -> KeyTable? {
        var table: KeyTable?
        if let restoredKeyTypes {
            let made = try KeyTable(types: restoredKeyTypes, hostObjects: hostObjects)
            _ = try pager(made)
            return made
        }
        try reader.forEachBlock(DeclaredPart(part, fields), table: &table, hostObjects: hostObjects, rowCountMax: StoredState.restoredRowCount) {
            (rows, table) throws(MillstreamError) in
            try enter(rows.slots, in: table)
            try rows.slots.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
                if let base = slots.baseAddress { try records.set(rows.columns, slots: base, count: slots.count) }
            }
            try settle()
        }
        return table
    }

    public func close() { store?.close() }
}

extension PagedRows: PagedValues {
    func contains(_ slot: Int) -> Bool { records.contains(slot) }

    func encode(_ slots: [Int32], into rows: PackedBytes) throws(MillstreamError) {
        guard let coding else { throw .internal("rows are paged that have no form in a store") }
        let columns = try gather(slots)
        try coding.encode(columns, count: slots.count, into: rows)
    }

    private func gather(_ slots: [Int32]) throws(MillstreamError) -> [Column] {
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress, !slots.isEmpty else { return [Column]() }
            return try records.gather(base, count: slots.count)
        }
    }

    func decode(_ rows: UnsafePointer<UnsafeRawBufferPointer>, slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) {
        guard let coding else { throw .internal("rows are paged that have no form in a store") }
        try records.set(try coding.decode(rows, count: count), slots: slots, count: count)
    }

    func forget(_ slots: [Int32]) { slots.withUnsafeBufferPointer { if let base = $0.baseAddress { records.remove(base, count: slots.count) } } }
    func keepsKey(_ slot: Int) -> Bool { false }
    func byteCount(of slots: [Int32]) -> Int { records.byteCount(of: slots) }
}
