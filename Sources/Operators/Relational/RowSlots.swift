import Columnar
import Dataflow
import State

/// Rows that an operator keeps under numbers that it gives out: 0 is no row, and its columns are null. Rows that go stay readable until `settle`.
final class RowSlots {
    let store: RowStore
    private var freeSlots: [Int32] = []
    private var gone: [Int32] = []
    /// One more than the highest number given out.
    private(set) var end = 1

    init(types: [DataType], hostObjects: HostObjects?) { store = RowStore(types: types, hostObjects: hostObjects) }

    /// Numbers for so many rows.
    func allocate(_ count: Int) throws(MillstreamError) -> [Int32] {
        var slots: [Int32] = []
        slots.reserveCapacity(count)
        while slots.count < count, let free = freeSlots.popLast() { slots.append(free) }
        let missing = count - slots.count
        guard end + missing < Int(Int32.max) else {
            throw MillstreamError(.limitExceeded, "one subtask keeps at most \(Int32.max) rows", hint: "Raise the parallelism.")
        }
        for slot in end..<end + missing { slots.append(Int32(truncatingIfNeeded: slot)) }
        end += missing
        return slots
    }

    /// The rows of `columns` that `rows` names (nil: all) get numbers. Their memory is their own: no batch is kept.
    func add(_ columns: [Column], rows: [Int32]? = nil, count: Int) throws(MillstreamError) -> [Int32] {
        let count = rows?.count ?? count
        let slots = try allocate(count)
        guard count > 0 else { return slots }
        var taken = columns
        if let rows {
            let selection = Selection(rows)
            for position in columns.indices { taken[position] = try columns[position].taking(selection) }
        }
        for position in taken.indices where taken[position].type.layout == .list || taken[position].type.layout == .row {
            // The store keeps nested columns as they are: copied, so that no row keeps a whole batch.
            let builder = try ColumnBuilder.make(for: taken[position].type.nullable, hostObjects: taken[position].hostObjects)
            try builder.append(from: taken[position], 0, count)
            taken[position] = builder.finish()
        }
        try slots.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
            if let base = slots.baseAddress { try store.set(taken, slots: base, count: count) }
        }
        return slots
    }

    /// A row goes with the next `settle`.
    func release(_ slot: Int32) { gone.append(slot) }

    /// Forgets the rows that have gone: when nobody asks for them any more.
    func settle() {
        guard !gone.isEmpty else { return }
        gone.withUnsafeBufferPointer { if let base = $0.baseAddress { store.remove(base, count: $0.count) } }
        freeSlots.append(contentsOf: gone.reversed())
        gone.removeAll(keepingCapacity: true)
    }

    func gather(column: Int, _ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> Column {
        try store.gather(column: column, slots: slots, count: count)
    }
    func gather(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> [Column] { try store.gather(slots, count: count) }
    func gather(_ slots: [Int32]) throws(MillstreamError) -> [Column] {
        if slots.isEmpty { return try [Int32(0)].withUnsafeBufferPointer { (base) throws(MillstreamError) in try gather(base.baseAddress.unsafelyUnwrapped, count: 0) } }
        return try slots.withUnsafeBufferPointer { (slots) throws(MillstreamError) in try gather(slots.baseAddress.unsafelyUnwrapped, count: slots.count) }
    }
}

/// Finds rows by what is in them: chains of row numbers by hash. Made when the first row has to be found, so that inputs of inserts alone cost nothing.
struct RowIndex: ~Copyable {
    private(set) var isOn = false
    private var heads = SlotArray<Int32>(fill: -1, capacity: 64)
    private var mask = 63
    private var next = SlotArray<Int32>(fill: -1)
    private var hashes = SlotArray<UInt64>(fill: 0)
    private var count = 0

    mutating func turnOn() { isOn = true }

    mutating func insert(_ slot: Int32, _ hash: UInt64) {
        if count > mask { grow() }
        next.reserve(Int(slot) + 1)
        hashes.reserve(Int(slot) + 1)
        hashes[Int(slot)] = hash
        let bucket = Int(truncatingIfNeeded: hash) & mask
        next[Int(slot)] = heads[bucket]
        heads[bucket] = slot
        count += 1
    }

    /// The newest row with this hash for which `isSame` is true; -1: none.
    @inline(__always)
    func newest(_ hash: UInt64, _ isSame: (Int32) throws(MillstreamError) -> Bool) throws(MillstreamError) -> Int32 {
        var slot = heads[Int(truncatingIfNeeded: hash) & mask]
        while slot >= 0 {
            if hashes[Int(slot)] == hash, try isSame(slot) { return slot }
            slot = next[Int(slot)]
        }
        return -1
    }

    /// The oldest one.
    @inline(__always)
    func oldest(_ hash: UInt64, _ isSame: (Int32) throws(MillstreamError) -> Bool) throws(MillstreamError) -> Int32 {
        var found: Int32 = -1
        var slot = heads[Int(truncatingIfNeeded: hash) & mask]
        while slot >= 0 {
            if hashes[Int(slot)] == hash, try isSame(slot) { found = slot }
            slot = next[Int(slot)]
        }
        return found
    }

    mutating func remove(_ slot: Int32) {
        let bucket = Int(truncatingIfNeeded: hashes[Int(slot)]) & mask
        var place = heads[bucket]
        if place == slot {
            heads[bucket] = next[Int(slot)]
        } else {
            while place >= 0, next[Int(place)] != slot { place = next[Int(place)] }
            guard place >= 0 else { return }
            next[Int(place)] = next[Int(slot)]
        }
        count -= 1
    }

    private mutating func grow() {
        let oldCount = mask + 1
        var old: [Int32] = []
        old.reserveCapacity(count)
        for bucket in 0..<oldCount {
            var slot = heads[bucket]
            var chain: [Int32] = []
            while slot >= 0 {
                chain.append(slot)
                slot = next[Int(slot)]
            }
            // Oldest first, so that chains keep their order.
            old.append(contentsOf: chain.reversed())
        }
        mask = 4 * oldCount - 1
        heads.reserve(mask + 1)
        heads.reset(mask + 1)
        for slot in old {
            let bucket = Int(truncatingIfNeeded: hashes[Int(slot)]) & mask
            next[Int(slot)] = heads[bucket]
            heads[bucket] = slot
        }
    }
}
