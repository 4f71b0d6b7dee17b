import Columnar

/// From hashes to slots: open addressing with linear probing over 8-byte entries, at most half full.
///
/// An entry is the upper half of the key's hash and slot + 1; 0 is empty. The lower half of the hash places it, so that both halves tell keys apart.
/// Slots number the keys densely; an erased key's slot is given to a later key, the last erased first.
struct KeyIndex: ~Copyable {
    /// The smallest power of two that is worth a table.
    private static let entryCountMin = 64
    /// Slots are Int32, and an entry holds slot + 1.
    static let slotCountMax = Int(Int32.max) - 1

    private(set) var entries: UnsafeMutablePointer<UInt64>
    private(set) var mask: Int
    private(set) var hashes = SlotArray<UInt64>(fill: 0)
    private(set) var isLive = SlotArray<Bool>(fill: false)
    private var freeSlots: [Int32] = []
    /// One more than the highest slot given out so far.
    private(set) var slotEnd = 0
    private(set) var count = 0

    init() {
        mask = Self.entryCountMin - 1
        entries = SlotMemory.allocate(of: UInt64.self, count: Self.entryCountMin)
        entries.initialize(repeating: 0, count: Self.entryCountMin)
    }

    deinit { SlotMemory.free(entries) }

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
    mutating func insert(_ hash: UInt64, at position: Int) throws(MillstreamError) -> Int {
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = Int(free)
        } else {
            guard slotEnd < Self.slotCountMax else {
                throw MillstreamError(.limitExceeded, "one subtask holds at most \(Self.slotCountMax) keys", hint: "Raise the parallelism.")
            }
            slot = slotEnd
            slotEnd += 1
            hashes.reserve(slotEnd)
            isLive.reserve(slotEnd)
        }
        hashes[slot] = hash
        isLive[slot] = true
        entries[position] = (hash & 0xffff_ffff_0000_0000) | UInt64(truncatingIfNeeded: slot + 1)
        count += 1
        if 2 * count > mask { rebuild(entryCount: 2 * (mask + 1)) }
        return slot
    }

    /// Frees a slot that is live.
    mutating func erase(_ slot: Int) {
        var hole = position(of: slot)
        // Later entries of the run move up, so that no tombstone is needed.
        var next = (hole + 1) & mask
        while entries[next] != 0 {
            let home = Int(truncatingIfNeeded: hashes[Self.slot(entries[next])]) & mask
            if (next &- home) & mask >= (next &- hole) & mask {
                entries[hole] = entries[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        entries[hole] = 0
        isLive[slot] = false
        freeSlots.append(Int32(truncatingIfNeeded: slot))
        count -= 1
    }

    /// Forgets all keys and keeps the memory.
    mutating func clear() {
        entries.update(repeating: 0, count: mask + 1)
        isLive.reset(slotEnd)
        freeSlots.removeAll(keepingCapacity: true)
        slotEnd = 0
        count = 0
    }

    private func position(of slot: Int) -> Int {
        var position = Int(truncatingIfNeeded: hashes[slot]) & mask
        while Self.slot(entries[position]) != slot { position = (position + 1) & mask }
        return position
    }

    private mutating func rebuild(entryCount: Int) {
        SlotMemory.free(entries)
        entries = SlotMemory.allocate(of: UInt64.self, count: entryCount)
        entries.initialize(repeating: 0, count: entryCount)
        mask = entryCount - 1
        for slot in 0..<slotEnd where isLive[slot] {
            let hash = hashes[slot]
            var position = Int(truncatingIfNeeded: hash) & mask
            while entries[position] != 0 { position = (position + 1) & mask }
            entries[position] = (hash & 0xffff_ffff_0000_0000) | UInt64(truncatingIfNeeded: slot + 1)
        }
    }
}
