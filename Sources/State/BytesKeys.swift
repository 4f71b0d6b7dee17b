import Columnar

/// Keys of one column of text or bytes, copied.
final class BytesKeys: KeyStorage {
    private let type: DataType
    private var stored = SlotArray<OwnedBytes>(fill: .empty)
    private var hashes = SlotArray<UInt64>(fill: 0)
    private var snapshots = Snapshots()
    private var hashSnapshots = Snapshots()
    private var nullSlot: Int32 = -1
    private var column: Column?
    private var start = 0
    private var views: UnsafePointer<StringView>?
    /// The bases of the batch's data buffers.
    private var blocks = SlotArray<UnsafeRawPointer>(fill: UnsafeRawPointer(bitPattern: 16).unsafelyUnwrapped)

    init(_ type: DataType) { self.type = type }

    func bind(_ columns: [Column], start: Int, count: Int) throws(MillstreamError) {
        let column = columns[0]
        guard column.type.layout == .views else { throw MillstreamError.keyType(column.type, type) }
        self.column = column
        self.start = start
        views = UnsafePointer(column.pointer(as: StringView.self) + start)
        blocks.reserve(column.dataBuffers.count)
        for (place, buffer) in column.dataBuffers.enumerated() { blocks[place] = UnsafeRawPointer(buffer.base) }
    }

    func match(_ candidates: UnsafePointer<UInt64>, _ hashes: UnsafePointer<UInt64>, count: Int, into slots: UnsafeMutablePointer<Int32>) {
        guard let views, let column else { return }
        guard column.mayHaveNulls else {
            return matchBytes(candidates, hashes, count, views, UnsafePointer(blocks.base), UnsafePointer(stored.base), Int(nullSlot), slots)
        }
        // The place of a null may hold any view, which must not be followed.
        for row in 0..<count {
            if column.isNull(start + row) {
                slots[row] = nullSlot
            } else {
                matchBytes(
                    candidates + row, hashes + row, 1, views + row, UnsafePointer(blocks.base), UnsafePointer(stored.base), Int(nullSlot), slots + row)
            }
        }
    }

    func isEqual(row: Int, slot: Int) -> Bool {
        guard let views, let column else { return false }
        let isNull = column.isNull(start + row)
        if isNull || slot == Int(nullSlot) { return isNull && slot == Int(nullSlot) }
        return stored[slot].isEqual(views + row, UnsafePointer(blocks.base))
    }

    func hash(_ slot: Int) -> UInt64 { hashes[slot] }

    func store(row: Int, slot: Int, hash: UInt64) {
        guard let views, let column else { return }
        stored.reserve(slot + 1)
        hashes.reserve(slot + 1)
        snapshots.touch(slot)
        hashSnapshots.touch(slot)
        hashes[slot] = hash
        if column.isNull(start + row) {
            nullSlot = Int32(truncatingIfNeeded: slot)
            stored[slot] = .empty
        } else {
            stored[slot] = OwnedBytes(copying: views + row, UnsafePointer(blocks.base))
        }
    }

    func reserve(_ slotCount: Int) {
        stored.reserve(slotCount)
        hashes.reserve(slotCount)
    }

    func unbind() {
        column = nil
        views = nil
    }

    func erase(_ slots: UnsafePointer<Int32>, count: Int) {
        snapshots.touch(slots, count: count)
        for place in 0..<count {
            if slots[place] == nullSlot { nullSlot = -1 }
            stored[Int(slots[place])].free()
            stored[Int(slots[place])] = .empty
        }
    }

    func freeze(_ count: Int) -> (any FrozenKeys)? {
        let type = type
        return FrozenTexts(
            snapshots.take(stored.memory, count: count, stride: 16, texts: [0]), hashes: hashSnapshots.take(hashes.memory, count: count, stride: 8),
            nullSlot: nullSlot
        ) { (words, count, nullRow) throws(MillstreamError) in
            [try copyBytes(words, count, type: type, validity: nullRow < 0 || nullRow >= count ? nil : .allSet(count, but: nullRow))]
        }
    }

    func gather(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> [Column] {
        [try gatherBytes(stored.base, slots, count, type: type, validity: nullValidity(slots, count, nullSlot: nullSlot))]
    }
}

/// Compares candidates with a batch's views.
func matchBytes(
    _ candidates: UnsafePointer<UInt64>, _ hashes: UnsafePointer<UInt64>, _ count: Int, _ views: UnsafePointer<StringView>,
    _ blocks: UnsafePointer<UnsafeRawPointer>, _ stored: UnsafePointer<OwnedBytes>, _ nullSlot: Int, _ slots: UnsafeMutablePointer<Int32>
) {
    for row in 0..<count {
        let entry = candidates[row]
        let isCandidate = KeyIndex.matches(entry, hashes[row])
        let slot = isCandidate ? KeyIndex.slot(entry) : 0
        let isSame = isCandidate && slot != nullSlot && stored[slot].isEqual(views + row, blocks)
        slots[row] = isSame ? Int32(truncatingIfNeeded: slot) : -1
    }
}
