import Columnar

/// Keys of any columns: nested, or several with host values among them. Kept as rows of columns; correct for every type, and slower than the others.
final class ColumnKeys: KeyStorage {
    private let types: [DataType]
    private let hostObjects: HostObjects?
    private let rows: ChunkedRows
    private var columns: [Column] = []
    private var start = 0
    /// Keys stored since `bind`: the batch's row of each slot, -1 elsewhere.
    private var pendingRows: [Int32] = []
    private var pendingSlots: [Int32] = []
    private var rowOf = SlotArray<Int32>(fill: -1)
    private var hashes = SlotArray<UInt64>(fill: 0)

    init(_ types: [DataType], _ hostObjects: HostObjects?) {
        self.types = types
        self.hostObjects = hostObjects
        rows = ChunkedRows(types: types, hostObjects: hostObjects)
    }

    func bind(_ columns: [Column], start: Int, count: Int) throws(MillstreamError) {
        for (column, type) in zip(columns, types) where column.type.layout != type.layout { throw MillstreamError.keyType(column.type, type) }
        self.columns = columns
        self.start = start
    }

    func match(_ candidates: UnsafePointer<UInt64>, _ hashes: UnsafePointer<UInt64>, count: Int, into slots: UnsafeMutablePointer<Int32>) {
        slots.update(repeating: -1, count: count)
    }

    func isEqual(row: Int, slot: Int) throws(MillstreamError) -> Bool {
        if slot < rowOf.capacity, rowOf[slot] >= 0 { return try isEqual(row, columns, Int(rowOf[slot])) }
        guard let place = rows.place(of: slot) else { throw .internal("slot \(slot) of a key table has no key") }
        return try isEqual(row, place.columns, place.row)
    }

    private func isEqual(_ row: Int, _ others: [Column], _ otherRow: Int) throws(MillstreamError) -> Bool {
        for position in columns.indices {
            guard try columns[position].isEqual(at: start + row, to: others[position], at: otherRow) else { return false }
        }
        return true
    }

    func hash(_ slot: Int) -> UInt64 { hashes[slot] }

    func store(row: Int, slot: Int, hash: UInt64) {
        hashes.reserve(slot + 1)
        hashes[slot] = hash
        rowOf.reserve(slot + 1)
        rowOf[slot] = Int32(truncatingIfNeeded: start + row)
        pendingRows.append(Int32(truncatingIfNeeded: start + row))
        pendingSlots.append(Int32(truncatingIfNeeded: slot))
    }

    func reserve(_ slotCount: Int) {
        hashes.reserve(slotCount)
        rowOf.reserve(slotCount)
    }

    func unbind() throws(MillstreamError) {
        defer {
            for slot in pendingSlots { rowOf[Int(slot)] = -1 }
            pendingRows.removeAll(keepingCapacity: true)
            pendingSlots.removeAll(keepingCapacity: true)
            columns = []
        }
        guard !pendingSlots.isEmpty else { return }
        // Copied, so that no key keeps the memory of a whole batch.
        var taken: [Column] = []
        for (column, type) in zip(columns, types) {
            let builder = try ColumnBuilder.make(for: type.nullable, hostObjects: hostObjects)
            for row in pendingRows { try builder.append(from: column, at: Int(row)) }
            taken.append(builder.finish())
        }
        try pendingSlots.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
            if let base = slots.baseAddress { try rows.set(taken, slots: base, count: slots.count) }
        }
    }

    func erase(_ slots: UnsafePointer<Int32>, count: Int) { rows.remove(slots, count: count) }

    func freeze(_ count: Int) -> (any FrozenKeys)? { nil }

    func gather(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> [Column] { try rows.gather(slots, count: count) }
}

/// The storage for keys of some types.
func makeKeyStorage(_ types: [DataType], _ hostObjects: HostObjects?, hashMask: UInt64) throws(MillstreamError) -> any KeyStorage {
    guard types.count == 1 else { return KeyEncoding(types).map { EncodedKeys($0) } ?? ColumnKeys(types, hostObjects) }
    switch types[0].layout {
    case .bits: return WordKeys(types[0], hashMask: hashMask)
    case .fixed(let byteWidth) where byteWidth <= 8: return WordKeys(types[0], hashMask: hashMask)
    case .views: return BytesKeys(types[0])
    case .handles:
        guard let hostObjects else {
            throw MillstreamError(.invalidArgument, "a key of type OBJECT needs a host language that registered its values")
        }
        return HandleKeys(types[0], hostObjects)
    case .fixed: return KeyEncoding(types).map { EncodedKeys($0) } ?? ColumnKeys(types, hostObjects)
    case .null, .list, .row: return ColumnKeys(types, hostObjects)
    }
}
