import Columnar
import Dataflow

/// The snapshots that an array is being copied for: mostly none.
struct Snapshots {
    private var all: [FrozenRecords] = []

    /// The first `count` records of `memory` as they are now.
    mutating func take(_ memory: SlotMemory, count: Int, stride: Int, texts: [Int] = []) -> FrozenRecords {
        all.removeAll { $0.isDone }
        let records = FrozenRecords(memory, count: count, stride: stride, texts: texts)
        all.append(records)
        return records
    }

    /// The records of these slots are about to be changed.
    @inline(__always)
    mutating func touch(_ slots: UnsafePointer<Int32>, count: Int) { if !all.isEmpty { forEach { $0.touch(slots, count: count) } } }

    @inline(__always)
    mutating func touch(_ slot: Int) { if !all.isEmpty { forEach { $0.touch(slot) } } }

    /// Everything is about to be changed.
    mutating func touchAll() { if !all.isEmpty { forEach { $0.touchAll() } } }

    @inline(never)
    private mutating func forEach(_ body: (FrozenRecords) -> Void) {
        var hasEnded = false
        for records in all { if records.isDone { hasEnded = true } else { body(records) } }
        if hasEnded { all.removeAll { $0.isDone } }
    }
}

/// The keys of a table as they were at a barrier. First the hashes are copied, which say where each key goes, then the keys.
protocol FrozenKeys: AnyObject, Sendable {
    /// Copies what the hashes are made of, about so many bytes of it. False when all is there.
    func copyHashes(byteCount: Int) -> Bool
    /// The hashes of some slots; all are copied.
    func hashes(_ slots: Range<Int>, into target: UnsafeMutablePointer<UInt64>)
    /// Copies keys to their places, of which there are `count`; -1 is none. False when all are there.
    func copyKeys(byteCount: Int, to places: UnsafePointer<Int32>, count: Int) -> Bool
    /// The keys of some places; all are copied.
    func columns(_ places: Range<Int>) throws(MillstreamError) -> [Column]
    /// Nobody wants the rest.
    func release()
}

/// Keys that are words.
final class FrozenWords: FrozenKeys, @unchecked Sendable {
    private let records: FrozenRecords
    private let type: DataType
    private let nullSlot: Int32
    private var nullPlace: Int32 = -1
    private var words: SlotMemory?
    private var ordered: SlotMemory?

    init(_ records: FrozenRecords, _ type: DataType, nullSlot: Int32) {
        self.records = records
        self.type = type
        self.nullSlot = nullSlot
    }

    func copyHashes(byteCount: Int) -> Bool {
        let target = words ?? SlotMemory(byteCount: 8 * records.count)
        words = target
        return records.copy(byteCount: byteCount, to: target.base)
    }

    func hashes(_ slots: Range<Int>, into target: UnsafeMutablePointer<UInt64>) {
        guard let words else { return }
        let source = words.base.assumingMemoryBound(to: UInt64.self)
        for slot in slots { target[slot &- slots.lowerBound] = WordKeys.hash(source[slot]) }
        if slots.contains(Int(nullSlot)) { target[Int(nullSlot) - slots.lowerBound] = StableHash.null }
    }

    func copyKeys(byteCount: Int, to places: UnsafePointer<Int32>, count: Int) -> Bool {
        guard let words else { return false }
        let target = SlotMemory(byteCount: 8 * count)
        let source = words.base.assumingMemoryBound(to: UInt64.self), place = target.base.assumingMemoryBound(to: UInt64.self)
        for slot in 0..<records.count where places[slot] >= 0 { place[Int(places[slot])] = source[slot] }
        if nullSlot >= 0 { nullPlace = places[Int(nullSlot)] }
        self.words = nil
        ordered = target
        return false
    }

    func columns(_ places: Range<Int>) -> [Column] {
        guard let ordered else { return [] }
        let rows = (0..<Int32(truncatingIfNeeded: places.count)).map { $0 }
        let start = ordered.base.assumingMemoryBound(to: UInt64.self) + places.lowerBound
        let nullRow = nullPlace < 0 ? -1 : Int(nullPlace) - places.lowerBound
        return rows.withUnsafeBufferPointer { rows in
            guard let base = rows.baseAddress else { return [] }
            return [gatherWords(UnsafePointer(start), base, rows.count, type: type, nullSlot: Int32(truncatingIfNeeded: nullRow))]
        }
    }

    func release() { records.release() }
}

/// Keys that are texts or encoded as such.
final class FrozenTexts: FrozenKeys, @unchecked Sendable {
    private let texts: FrozenRecords
    private let hashRecords: FrozenRecords
    private let nullSlot: Int32
    private var nullPlace: Int32 = -1
    private let decode: (Buffer, Int, _ nullRow: Int) throws(MillstreamError) -> [Column]
    private var hashWords: SlotMemory?
    private var ordered: SlotMemory?

    /// `decode` makes columns of so many texts (`OwnedBytes`), of which one may be null; it may write over them.
    init(
        _ texts: FrozenRecords, hashes: FrozenRecords, nullSlot: Int32,
        _ decode: @escaping (Buffer, Int, _ nullRow: Int) throws(MillstreamError) -> [Column]
    ) {
        self.texts = texts
        hashRecords = hashes
        self.nullSlot = nullSlot
        self.decode = decode
    }

    func copyHashes(byteCount: Int) -> Bool {
        let target = hashWords ?? SlotMemory(byteCount: 8 * hashRecords.count)
        hashWords = target
        return hashRecords.copy(byteCount: byteCount, to: target.base)
    }

    func hashes(_ slots: Range<Int>, into target: UnsafeMutablePointer<UInt64>) {
        guard let hashWords else { return }
        target.update(from: hashWords.base.assumingMemoryBound(to: UInt64.self) + slots.lowerBound, count: slots.count)
    }

    func copyKeys(byteCount: Int, to places: UnsafePointer<Int32>, count: Int) -> Bool {
        let target = ordered ?? SlotMemory(byteCount: 16 * count)
        ordered = target
        hashWords = nil
        if nullSlot >= 0 { nullPlace = places[Int(nullSlot)] }
        return texts.copy(byteCount: byteCount, to: target.base, places: places)
    }

    func columns(_ places: Range<Int>) throws(MillstreamError) -> [Column] {
        guard let ordered else { return [] }
        let words = Buffer(byteCount: 16 * places.count)
        words.base.copyMemory(from: ordered.base + 16 * places.lowerBound, byteCount: 16 * places.count)
        return try decode(words, places.count, nullPlace < 0 ? -1 : Int(nullPlace) - places.lowerBound)
    }

    func release() {
        texts.release()
        hashRecords.release()
    }
}

/// A table's keys as they were at a barrier, in the order in which a checkpoint has them: by key group, and within a group by slot.
final class FrozenTable: @unchecked Sendable {
    private let keys: any FrozenKeys
    private let slotEnd: Int
    /// The number of keys.
    let count: Int
    /// A bit per slot in use; nil: all are.
    private let live: SlotMemory?
    private let maxParallelism: Int
    /// The place of each slot's key in that order, -1 for slots that are not in use; nil until it is known.
    private var placeMemory: SlotMemory?
    private var hasKeys = false
    /// The groups that have keys, ascending, each with its places.
    private(set) var groups: [(group: KeyGroup, places: Range<Int>)] = []

    init(_ keys: any FrozenKeys, slotEnd: Int, count: Int, live: SlotMemory?, maxParallelism: Int) {
        self.keys = keys
        self.slotEnd = slotEnd
        self.count = count
        self.live = live
        self.maxParallelism = max(1, maxParallelism)
    }

    deinit { keys.release() }

    /// Copies a little more. False when all is there.
    func advance(byteCount: Int) -> Bool {
        guard let placeMemory else {
            if !keys.copyHashes(byteCount: byteCount) { setPlaces() }
            return true
        }
        guard !hasKeys else { return false }
        hasKeys = !keys.copyKeys(byteCount: byteCount, to: placeMemory.base.assumingMemoryBound(to: Int32.self), count: count)
        return !hasKeys
    }

    /// Valid as long as this object, once `advance` has said that all is there.
    var places: UnsafePointer<Int32>? { (placeMemory?.base.assumingMemoryBound(to: Int32.self)).map { UnsafePointer($0) } }

    func columns(_ places: Range<Int>) throws(MillstreamError) -> [Column] { try keys.columns(places) }

    /// The slot of each place.
    func slots() -> [Int32] {
        var result = [Int32](repeating: 0, count: count)
        guard let places else { return result }
        for slot in 0..<slotEnd where places[slot] >= 0 { result[Int(places[slot])] = Int32(truncatingIfNeeded: slot) }
        return result
    }

    /// Where in `groups` a place is; nil for -1.
    func groupIndex(of place: Int) -> Int? {
        guard place >= 0 else { return nil }
        var low = 0, high = groups.count
        while low < high {
            let middle = (low + high) / 2
            if groups[middle].places.upperBound <= place { low = middle + 1 } else { high = middle }
        }
        return low < groups.count ? low : nil
    }

    /// Sorts by counting.
    private func setPlaces() {
        let memory = SlotMemory(byteCount: 4 * slotEnd)
        placeMemory = memory
        let places = memory.base.bindMemory(to: Int32.self, capacity: slotEnd)
        let liveWords = live?.base.assumingMemoryBound(to: UInt64.self)
        var ends = [Int](repeating: 0, count: maxParallelism + 1)
        let runLength = 1024
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: runLength) { hashes in
            guard let base = hashes.baseAddress else { return }
            var start = 0
            while start < slotEnd {
                let run = start..<min(slotEnd, start + runLength)
                keys.hashes(run, into: base)
                for slot in run {
                    if let liveWords, liveWords[slot &>> 6] &>> UInt64(truncatingIfNeeded: slot & 63) & 1 == 0 {
                        places[slot] = -1
                        continue
                    }
                    let group = KeyGroup.index(hash: base[slot &- start], maxParallelism: maxParallelism)
                    places[slot] = Int32(truncatingIfNeeded: group)
                    ends[group &+ 1] &+= 1
                }
                start = run.upperBound
            }
        }
        for group in 0..<maxParallelism {
            ends[group + 1] += ends[group]
            if ends[group] < ends[group + 1] { groups.append((KeyGroup(group), ends[group]..<ends[group + 1])) }
        }
        ends.withUnsafeMutableBufferPointer { next in
            for slot in 0..<slotEnd where places[slot] >= 0 {
                let group = Int(places[slot])
                places[slot] = Int32(truncatingIfNeeded: next[group])
                next[group] &+= 1
            }
        }
    }
}
