import Columnar

/// Holds the keys of a table's slots, and compares them with those of a batch. One class per layout, so that the loops are concrete.
protocol KeyStorage: AnyObject {
    /// Makes ready to compare with rows `start ..< start + count` of dense columns; row 0 of the other calls is row `start`.
    func bind(_ columns: [Column], start: Int, count: Int) throws(MillstreamError)
    /// Writes the slot where a candidate's key is the row's, and -1 elsewhere. May leave a match to `isEqual`.
    func match(_ candidates: UnsafePointer<UInt64>, _ hashes: UnsafePointer<UInt64>, count: Int, into slots: UnsafeMutablePointer<Int32>)
    func isEqual(row: Int, slot: Int) throws(MillstreamError) -> Bool
    /// The bound row's key, which has this hash, becomes that of a slot.
    func store(row: Int, slot: Int, hash: UInt64)
    /// Makes room for the keys of so many slots at once.
    func reserve(_ slotCount: Int)
    /// The stable hash of a slot's key.
    func hash(_ slot: Int) -> UInt64
    /// After the last row of `bind`: forgets the columns, and takes what references the new keys need.
    func unbind() throws(MillstreamError)
    func gather(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> [Column]
    /// Lets go of the keys of live slots.
    func erase(_ slots: UnsafePointer<Int32>, count: Int)
    /// The keys of the slots below `count` as they are now, to be copied later; nil for keys that cannot.
    func freeze(_ count: Int) -> (any FrozenKeys)?

    /// The slow way for rows that `match` left: follows the probe sequence, and gives new keys slots if `newSlots` is there.
    func resolve(
        _ index: inout KeyIndex, _ hashes: UnsafePointer<UInt64>, count: Int, into slots: UnsafeMutablePointer<Int32>, inserts: Bool,
        newSlots: inout [Int32]
    ) throws(MillstreamError)
}

extension KeyStorage {
    func resolve(
        _ index: inout KeyIndex, _ hashes: UnsafePointer<UInt64>, count: Int, into slots: UnsafeMutablePointer<Int32>, inserts: Bool,
        newSlots: inout [Int32]
    ) throws(MillstreamError) {
        for row in 0..<count where slots[row] < 0 {
            let hash = hashes[row]
            var position = Int(truncatingIfNeeded: hash) & index.mask
            var collided: [Int32] = []
            while true {
                let entry = index.entries[position]
                if entry == 0 {
                    guard inserts else { break }
                    let slot = try index.insert(hash, at: position, self)
                    newSlots.append(Int32(truncatingIfNeeded: slot))
                    for other in collided { index.collisions.append((Int32(truncatingIfNeeded: slot), other)) }
                    slots[row] = Int32(truncatingIfNeeded: slot)
                    store(row: row, slot: slot, hash: hash)
                    break
                }
                let slot = KeyIndex.slot(entry)
                if KeyIndex.matches(entry, hash), self.hash(slot) == hash {
                    if try isEqual(row: row, slot: slot) {
                        slots[row] = Int32(truncatingIfNeeded: slot)
                        break
                    }
                    if index.tracksCollisions { collided.append(Int32(truncatingIfNeeded: slot)) }
                }
                position = (position + 1) & index.mask
            }
        }
    }
}
