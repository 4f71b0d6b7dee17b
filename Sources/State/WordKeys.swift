import Columnar

/// Keys of one column of at most 8 bytes a value: each is kept as a word. Floating point is made canonical, so that words are equal where keys are.
final class WordKeys: KeyStorage {
    private let type: DataType
    private var words = SlotArray<UInt64>(fill: 0)
    /// The slot of the null key, -1 while there is none.
    private var nullSlot: Int32 = -1
    /// The batch's words, where its column does not hold them as such.
    private var converted = SlotArray<UInt64>(fill: 0)
    private var column: Column?
    private var start = 0
    private var bound: UnsafePointer<UInt64>
    private var snapshots = Snapshots()

    /// The bits of a hash that count: all but in tests of collisions.
    private let hashMask: UInt64

    init(_ type: DataType, hashMask: UInt64) {
        self.type = type
        self.hashMask = hashMask
        bound = UnsafePointer(converted.base)
    }

    func bind(_ columns: [Column], start: Int, count: Int) throws(MillstreamError) {
        let column = columns[0]
        guard column.type.layout == type.layout else { throw MillstreamError.keyType(column.type, type) }
        self.start = start
        self.column = column.mayHaveNulls ? column : nil
        converted.reserve(count)
        convert(column, start, count)
    }

    private func convert(_ column: Column, _ start: Int, _ count: Int) {
        let target = converted.base
        bound = UnsafePointer(target)
        switch (column.type.kind, column.type.layout) {
        case (.float, _):
            let values = column.pointer(as: Float.self) + start
            for row in 0..<count { target[row] = StableHash.canonicalBits(Double(values[row])) }
        case (.double, _):
            let values = column.pointer(as: Double.self) + start
            for row in 0..<count { target[row] = StableHash.canonicalBits(values[row]) }
        case (_, .bits):
            for row in 0..<count { target[row] = column.bit(start + row) ? 1 : 0 }
        case (_, .fixed(byteWidth: 1)): widen(column.pointer(as: Int8.self) + start, count)
        case (_, .fixed(byteWidth: 2)): widen(column.pointer(as: Int16.self) + start, count)
        case (_, .fixed(byteWidth: 4)): widen(column.pointer(as: Int32.self) + start, count)
        default: bound = UnsafePointer(column.pointer(as: UInt64.self) + start)
        }
    }

    private func widen<Value: FixedWidthInteger>(_ values: UnsafePointer<Value>, _ count: Int) {
        let target = converted.base
        for row in 0..<count { target[row] = UInt64(truncatingIfNeeded: values[row]) }
    }

    func match(_ candidates: UnsafePointer<UInt64>, _ hashes: UnsafePointer<UInt64>, count: Int, into slots: UnsafeMutablePointer<Int32>) {
        matchWords(candidates, hashes, count, bound, words.base, Int(nullSlot), slots)
        guard let column else { return }
        for row in 0..<count where column.isNull(start + row) { slots[row] = nullSlot }
    }

    func isEqual(row: Int, slot: Int) -> Bool {
        let isNull = column?.isNull(start + row) ?? false
        if isNull || slot == Int(nullSlot) { return isNull && slot == Int(nullSlot) }
        return words[slot] == bound[row]
    }

    /// What a word was made of, its hash is made of.
    @inline(__always)
    static func hash(_ word: UInt64) -> UInt64 { StableHash.word(word, seed: 0) }

    @inline(__always)
    func hash(_ slot: Int) -> UInt64 { (slot == Int(nullSlot) ? StableHash.null : Self.hash(words[slot])) & hashMask }

    func store(row: Int, slot: Int, hash: UInt64) {
        words.reserve(slot + 1)
        snapshots.touch(slot)
        if let column, column.isNull(start + row) {
            nullSlot = Int32(truncatingIfNeeded: slot)
            words[slot] = 0
        } else {
            words[slot] = bound[row]
        }
    }

    func reserve(_ slotCount: Int) { words.reserve(slotCount) }

    func unbind() { column = nil }

    func erase(_ slots: UnsafePointer<Int32>, count: Int) {
        guard nullSlot >= 0 else { return }
        for place in 0..<count where slots[place] == nullSlot { nullSlot = -1 }
    }

    func freeze(_ count: Int) -> (any FrozenKeys)? {
        FrozenWords(snapshots.take(words.memory, count: count, stride: 8), type, nullSlot: nullSlot)
    }

    func gather(_ slots: UnsafePointer<Int32>, count: Int) -> [Column] {
        [gatherWords(words.base, slots, count, type: type, nullSlot: nullSlot)]
    }
}

/// The keys of some slots, as a column.
func gatherWords(
    _ words: UnsafePointer<UInt64>, _ slots: UnsafePointer<Int32>, _ count: Int, type: DataType, nullSlot: Int32
) -> Column {
    let validity = nullValidity(slots, count, nullSlot: nullSlot)
    let values: Buffer
    switch (type.kind, type.layout) {
    case (.float, _): values = narrow(words, slots, count) { Float(Double(bitPattern: $0)) }
    case (_, .bits):
        values = .zeroed(byteCount: Bits.byteCount(count))
        for place in 0..<count where words[Int(slots[place])] != 0 { Bits.set(values.base, place) }
    case (_, .fixed(byteWidth: 1)): values = narrow(words, slots, count) { Int8(truncatingIfNeeded: $0) }
    case (_, .fixed(byteWidth: 2)): values = narrow(words, slots, count) { Int16(truncatingIfNeeded: $0) }
    case (_, .fixed(byteWidth: 4)): values = narrow(words, slots, count) { Int32(truncatingIfNeeded: $0) }
    default: values = narrow(words, slots, count) { $0 }
    }
    return Column(type: type, count: count, validity: validity, values: values)
}

@inline(__always)
private func narrow<Value: BitwiseCopyable>(
    _ words: UnsafePointer<UInt64>, _ slots: UnsafePointer<Int32>, _ count: Int, _ convert: (UInt64) -> Value
) -> Buffer {
    let values = Buffer(byteCount: MemoryLayout<Value>.stride * count)
    let target = values.pointer(as: Value.self)
    for place in 0..<count { target[place] = convert(words[Int(slots[place])]) }
    return values
}

/// The bitmap of gathered keys, of which at most one slot's is null; nil if none is.
func nullValidity(_ slots: UnsafePointer<Int32>, _ count: Int, nullSlot: Int32) -> Buffer? {
    guard nullSlot >= 0 else { return nil }
    var result: Buffer?
    for place in 0..<count where slots[place] == nullSlot {
        let bitmap = result ?? .allSet(count, but: place)
        Bits.clear(bitmap.base, place)
        result = bitmap
    }
    return result
}

extension Buffer {
    /// A bitmap of set bits, but for one.
    static func allSet(_ count: Int, but place: Int) -> Buffer {
        let bitmap = Buffer(byteCount: Bits.byteCount(count))
        Bits.fill(bitmap.base, offset: 0, count: count, true)
        Bits.clear(bitmap.base, place)
        return bitmap
    }
}

/// Compares candidates with a batch's words; without branches, so that the loads of one row need not wait for those before.
func matchWords(
    _ candidates: UnsafePointer<UInt64>, _ hashes: UnsafePointer<UInt64>, _ count: Int, _ words: UnsafePointer<UInt64>,
    _ stored: UnsafePointer<UInt64>, _ nullSlot: Int, _ slots: UnsafeMutablePointer<Int32>
) {
    for row in 0..<count {
        let entry = candidates[row]
        let isCandidate = KeyIndex.matches(entry, hashes[row])
        // An empty or foreign entry compares slot 0, whose word is always there to be read.
        let slot = isCandidate ? KeyIndex.slot(entry) : 0
        let isSame = isCandidate && stored[slot] == words[row] && slot != nullSlot
        slots[row] = isSame ? Int32(truncatingIfNeeded: slot) : -1
    }
}

extension MillstreamError {
    static func keyType(_ found: DataType, _ expected: DataType) -> MillstreamError {
        .internal("a key of type \(found) was looked up in a table of keys of type \(expected)")
    }
}
