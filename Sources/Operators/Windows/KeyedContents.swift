import Columnar
import Dataflow
import State

/// What the window operators with one key table have in common: the keys' slots of a batch, and the keys of what fires.
final class WindowKeys {
    let table: KeyTable
    private let positions: [Int]
    /// The key slot of each row of the batch that was looked up last.
    private(set) var slots: [Int32] = []
    private var rowsBefore: Int64 = 0
    private let takesNulls: Bool

    /// `takesNulls`: a key that is NULL is one like others.
    init(positions: [Int], types: [DataType], hostObjects: HostObjects?, takesNulls: Bool = false) throws(MillstreamError) {
        self.positions = positions
        self.takesNulls = takesNulls
        table = try KeyTable(types: types, hostObjects: hostObjects)
    }

    func lookup(_ rows: Batch) throws(MillstreamError) {
        let keys = positions.map { rows.columns[$0] }
        if !takesNulls { try refuseNullKeys(keys, count: rows.count, rowsBefore: rowsBefore) }
        rowsBefore &+= Int64(rows.count)
        let keyed = rows.keyHashes == nil ? try rows.keyed(by: keys) : rows
        guard let hashes = keyed.keyHashes else { throw MillstreamError.internal("rows without key hashes") }
        if slots.count < rows.count { slots = [Int32](repeating: 0, count: max(rows.count, 4_096)) }
        try slots.withUnsafeMutableBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return }
            _ = try table.lookup(keys: keys, hashes: UnsafePointer(hashes.pointer(as: UInt64.self)), count: rows.count, slots: base)
        }
        withExtendedLifetime(hashes) {}
    }

    func keys(_ slots: [Int32]) throws(MillstreamError) -> [Column] {
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return [] }
            return try table.keys(slots: base, count: list.count)
        }
    }

    /// Forgets keys that have nothing any more.
    func erase(_ slots: [Int32]) {
        slots.withUnsafeBufferPointer { if let base = $0.baseAddress, !slots.isEmpty { table.erase(slots: base, count: slots.count) } }
    }
}

/// Gives out small numbers and takes them back.
struct SlotPool {
    private var free: [Int32] = []
    private(set) var end: Int32 = 0

    mutating func take() -> Int32 {
        if let slot = free.popLast() { return slot }
        end += 1
        return end - 1
    }

    mutating func giveBack(_ slot: Int32) { free.append(slot) }
}
