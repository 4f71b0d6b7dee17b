import Columnar

/// Keys of several flat columns, and decimals: each is kept as the bytes of its encoding and compared as such.
final class EncodedKeys: KeyStorage {
    private let encoding: KeyEncoding
    private var stored = SlotArray<OwnedBytes>(fill: .empty)
    private var hashes = SlotArray<UInt64>(fill: 0)
    private var snapshots = Snapshots()
    private var hashSnapshots = Snapshots()
    /// The batch's rows, encoded: views into `data`.
    private var views = SlotArray<StringView>(fill: StringView(length: 0, prefix: 0, bufferIndex: 0, offset: 0))
    private var data = Buffer(byteCount: Buffer.alignment)
    /// The base of `data`, as those who read views expect it.
    private let block = SlotArray<UnsafeRawPointer>(fill: UnsafeRawPointer(bitPattern: 16).unsafelyUnwrapped, capacity: 1)

    init(_ encoding: KeyEncoding) { self.encoding = encoding }

    func bind(_ columns: [Column], start: Int, count: Int) throws(MillstreamError) {
        for (column, type) in zip(columns, encoding.types) where column.type.layout != type.layout { throw MillstreamError.keyType(column.type, type) }
        views.reserve(count)
        try encoding.encode(columns, start: start, count: count, into: views.base, data: &data)
        block[0] = UnsafeRawPointer(data.base)
    }

    func match(_ candidates: UnsafePointer<UInt64>, _ hashes: UnsafePointer<UInt64>, count: Int, into slots: UnsafeMutablePointer<Int32>) {
        matchBytes(candidates, hashes, count, views.base, block.base, stored.base, -1, slots)
    }

    func isEqual(row: Int, slot: Int) -> Bool { stored[slot].isEqual(views.base + row, block.base) }

    func hash(_ slot: Int) -> UInt64 { hashes[slot] }

    func store(row: Int, slot: Int, hash: UInt64) {
        stored.reserve(slot + 1)
        hashes.reserve(slot + 1)
        snapshots.touch(slot)
        hashSnapshots.touch(slot)
        hashes[slot] = hash
        stored[slot] = OwnedBytes(copying: views.base + row, block.base)
    }

    func reserve(_ slotCount: Int) {
        stored.reserve(slotCount)
        hashes.reserve(slotCount)
    }

    func unbind() {}

    func erase(_ slots: UnsafePointer<Int32>, count: Int) {
        snapshots.touch(slots, count: count)
        for place in 0..<count {
            stored[Int(slots[place])].free()
            stored[Int(slots[place])] = .empty
        }
    }

    func freeze(_ count: Int) -> (any FrozenKeys)? {
        let encoding = encoding
        return FrozenTexts(
            snapshots.take(stored.memory, count: count, stride: 16, texts: [0]), hashes: hashSnapshots.take(hashes.memory, count: count, stride: 8),
            nullSlot: -1
        ) { (words, count, _) throws(MillstreamError) in try decode(words, count, encoding) }
    }

    func gather(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> [Column] {
        let words = Buffer(byteCount: 16 * count)
        let owned = words.pointer(as: OwnedBytes.self)
        for place in 0..<count { owned[place] = stored[Int(slots[place])] }
        return try decode(words, count, encoding)
    }
}

/// The columns of so many encoded keys (`OwnedBytes`).
private func decode(_ words: Buffer, _ count: Int, _ encoding: KeyEncoding) throws(MillstreamError) -> [Column] {
    let rows = Buffer(byteCount: MemoryLayout<UnsafeRawBufferPointer>.stride * count)
    let owned = words.pointer(as: OwnedBytes.self)
    let target = rows.pointer(as: UnsafeRawBufferPointer.self)
    for place in 0..<count {
        let bytes = owned[place].isInline ? UnsafeRawPointer(owned + place) + 4 : owned[place].pointer.map { UnsafeRawPointer($0) }
        target[place] = UnsafeRawBufferPointer(start: bytes, count: owned[place].length)
    }
    let columns = try encoding.decode(target, count: count)
    withExtendedLifetime((words, rows)) {}
    return columns
}
