import Columnar

/// From hashes to slots: open addressing with linear probing over 8-byte entries, at most 70 % full.
///
/// An entry is the upper half of the key's hash and slot + 1; 0 is empty. The lower half of the hash places it, so that both halves tell keys apart.
/// Slots number the keys densely; an erased key's slot is given to a later key, the last erased first. The hashes of the slots' keys are those of the
/// `KeyStorage` beside it, which may compute them from its keys.
struct KeyIndex: ~Copyable {
    /// The smallest power of two that is worth a table.
    private static let entryCountMin = 64
    /// Slots are Int32, and an entry holds slot + 1.
    static let slotCountMax = Int(Int32.max) - 1

    private var memory: SlotMemory
    private(set) var entries: UnsafeMutablePointer<UInt64>
    private(set) var mask: Int
    /// A bit per slot.
    private var live = SlotArray<UInt64>(fill: 0)
    private var freeSlots: [Int32] = []
    /// One more than the highest slot given out so far.
    private(set) var slotEnd = 0
    private(set) var count = 0
    /// Whether pairs of keys with one hash are noted when the second one comes: for those who keep keys by hash.
    var tracksCollisions = false
    var collisions: [(slot: Int32, other: Int32)] = []

    init() {
        mask = Self.entryCountMin - 1
        memory = .zeroed(byteCount: 8 * Self.entryCountMin)
        entries = memory.base.bindMemory(to: UInt64.self, capacity: Self.entryCountMin)
    }

    @inline(__always)
    func isLive(_ slot: Int) -> Bool { live[slot &>> 6] &>> UInt64(truncatingIfNeeded: slot & 63) & 1 != 0 }

    /// A copy of the bits of the slots in use; nil if all are.
    func copyLive() -> SlotMemory? {
        guard count < slotEnd else { return nil }
        let byteCount = (slotEnd + 63) / 64 * 8
        let copy = SlotMemory(byteCount: byteCount)
        copy.base.copyMemory(from: live.base, byteCount: byteCount)
        return copy
    }

    /// Whether an entry may be of a key with this hash.
    @inline(__always)
    static func matches(_ entry: UInt64, _ hash: UInt64) -> Bool { (entry ^ hash) &>> 32 == 0 && UInt32(truncatingIfNeeded: entry) != 0 }

    @inline(__always)
    static func slot(_ entry: UInt64) -> Int { Int(UInt32(truncatingIfNeeded: entry)) &- 1 }

    /// For each hash the first entry on its way that may be its key's, or 0 where the way ends without one.
    ///
    /// First one loop of independent loads, whose cache misses overlap; then the few rows whose place is taken by another key walk on, mostly within
    /// the same cache line.
    func candidates(_ hashes: UnsafePointer<UInt64>, count: Int, into target: UnsafeMutablePointer<UInt64>) {
        let entries = entries
        let mask = mask
        for index in 0..<count { target[index] = entries[Int(truncatingIfNeeded: hashes[index]) & mask] }
        for index in 0..<count {
            let hash = hashes[index]
            var entry = target[index]
            if entry == 0 || Self.matches(entry, hash) { continue }
            var position = Int(truncatingIfNeeded: hash) & mask
            repeat {
                position = (position &+ 1) & mask
                entry = entries[position]
            } while entry != 0 && !Self.matches(entry, hash)
            target[index] = entry
        }
    }

    /// Gives a new key a slot; `position` is the empty place at which the search for it ended.
    mutating func insert(_ hash: UInt64, at position: Int, _ keys: some KeyStorage) throws(MillstreamError) -> Int {
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = Int(free)
        } else {
            guard slotEnd < Self.slotCountMax else {
                throw MillstreamError(.limitExceeded, "one subtask holds at most \(Self.slotCountMax) keys", hint: "Raise the parallelism.")
            }
            slot = slotEnd
            slotEnd += 1
            live.reserve((slotEnd + 63) / 64)
        }
        live[slot &>> 6] |= 1 &<< UInt64(truncatingIfNeeded: slot & 63)
        entries[position] = (hash & 0xffff_ffff_0000_0000) | UInt64(truncatingIfNeeded: slot + 1)
        count += 1
        // The new slot has its entry, and no key yet: it moves with the hash that it was given.
        if 10 * count > 7 * mask { rebuild(entryCount: 2 * (mask + 1), newSlot: slot, hash, keys) }
        return slot
    }

    /// Makes room for so many keys at once.
    mutating func reserve(_ keyCount: Int, _ keys: some KeyStorage) {
        var entryCount = mask + 1
        while 10 * min(keyCount, Self.slotCountMax) > 7 * (entryCount - 1) { entryCount *= 2 }
        if entryCount > mask + 1 { rebuild(entryCount: entryCount, newSlot: -1, 0, keys) }
    }

    /// Frees a slot that is live; its key is still there.
    mutating func erase(_ slot: Int, _ keys: some KeyStorage) {
        var hole = Int(truncatingIfNeeded: keys.hash(slot)) & mask
        while Self.slot(entries[hole]) != slot { hole = (hole + 1) & mask }
        // Later entries of the run move up, so that no tombstone is needed.
        var next = (hole + 1) & mask
        while entries[next] != 0 {
            let home = Int(truncatingIfNeeded: keys.hash(Self.slot(entries[next]))) & mask
            if (next &- home) & mask >= (next &- hole) & mask {
                entries[hole] = entries[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        entries[hole] = 0
        live[slot &>> 6] &= ~(1 &<< UInt64(truncatingIfNeeded: slot & 63))
        freeSlots.append(Int32(truncatingIfNeeded: slot))
        count -= 1
    }

    /// Forgets all keys and keeps the memory.
    mutating func clear() {
        entries.update(repeating: 0, count: mask + 1)
        live.reset((slotEnd + 63) / 64)
        freeSlots.removeAll(keepingCapacity: true)
        slotEnd = 0
        count = 0
    }

    private mutating func rebuild(entryCount: Int, newSlot: Int, _ newHash: UInt64, _ keys: some KeyStorage) {
        // The old table goes before the new one comes.
        memory = SlotMemory(byteCount: 0)
        memory = .zeroed(byteCount: 8 * entryCount)
        entries = memory.base.bindMemory(to: UInt64.self, capacity: entryCount)
        mask = entryCount - 1
        let (entries, mask) = (entries, mask)
        for slot in 0..<slotEnd where isLive(slot) {
            let hash = slot == newSlot ? newHash : keys.hash(slot)
            var position = Int(truncatingIfNeeded: hash) & mask
            while entries[position] != 0 { position = (position + 1) & mask }
            entries[position] = (hash & 0xffff_ffff_0000_0000) | UInt64(truncatingIfNeeded: slot + 1)
        }
    }
}
