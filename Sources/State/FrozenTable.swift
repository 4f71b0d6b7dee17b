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

/// The keys of a table as they were at a barrier, piece by piece of their slots. Of each piece first the hashes are copied, which say where each key goes, then
/// the keys.
protocol FrozenKeys: AnyObject, Sendable {
    /// The bytes of a key, without long texts.
    var stride: Int { get }
    /// Copies the hashes of a piece. False when all are there.
    func copyHashes(_ piece: Range<Int>, byteCount: Int) -> Bool
    /// The hashes of some slots of the piece, all of whose hashes are copied.
    func hashes(_ slots: Range<Int>, into target: UnsafeMutablePointer<UInt64>)
    /// Copies the piece's keys to their places, of which there are `count`; -1 is none. False when all are there.
    func copyKeys(_ piece: Range<Int>, byteCount: Int, to places: UnsafePointer<Int32>, count: Int) -> Bool
    /// The keys of some places; all of the piece are copied. They are the caller's: the next piece does not change them.
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
    private var piece = 0..<0
    /// Those of the piece, by slot and by place.
    private var words = PieceMemory()
    private var ordered = PieceMemory()

    init(_ records: FrozenRecords, _ type: DataType, nullSlot: Int32) {
        self.records = records
        self.type = type
        self.nullSlot = nullSlot
    }

    var stride: Int { 8 }

    func copyHashes(_ piece: Range<Int>, byteCount: Int) -> Bool {
        self.piece = piece
        return records.copy(piece, byteCount: byteCount, to: words.reserve(8 * piece.count))
    }

    func hashes(_ slots: Range<Int>, into target: UnsafeMutablePointer<UInt64>) {
        guard let base = words.base else { return }
        let source = base.assumingMemoryBound(to: UInt64.self) + (slots.lowerBound - piece.lowerBound)
        for index in 0..<slots.count { target[index] = WordKeys.hash(source[index]) }
        if slots.contains(Int(nullSlot)) { target[Int(nullSlot) - slots.lowerBound] = StableHash.null }
    }

    func copyKeys(_ piece: Range<Int>, byteCount: Int, to places: UnsafePointer<Int32>, count: Int) -> Bool {
        guard let base = words.base else { return false }
        let source = base.assumingMemoryBound(to: UInt64.self), target = ordered.reserve(8 * count).assumingMemoryBound(to: UInt64.self)
        for index in 0..<piece.count where places[index] >= 0 { target[Int(places[index])] = source[index] }
        nullPlace = piece.contains(Int(nullSlot)) ? places[Int(nullSlot) - piece.lowerBound] : -1
        return false
    }

    func columns(_ places: Range<Int>) -> [Column] {
        guard let ordered = ordered.base else { return [] }
        let rows = (0..<Int32(truncatingIfNeeded: places.count)).map { $0 }
        let start = ordered.assumingMemoryBound(to: UInt64.self) + places.lowerBound
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
    private var piece = 0..<0
    private var hashWords = PieceMemory()
    private var ordered = PieceMemory()

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

    var stride: Int { 16 }

    func copyHashes(_ piece: Range<Int>, byteCount: Int) -> Bool {
        self.piece = piece
        return hashRecords.copy(piece, byteCount: byteCount, to: hashWords.reserve(8 * piece.count))
    }

    func hashes(_ slots: Range<Int>, into target: UnsafeMutablePointer<UInt64>) {
        guard let base = hashWords.base else { return }
        target.update(from: base.assumingMemoryBound(to: UInt64.self) + (slots.lowerBound - piece.lowerBound), count: slots.count)
    }

    func copyKeys(_ piece: Range<Int>, byteCount: Int, to places: UnsafePointer<Int32>, count: Int) -> Bool {
        nullPlace = piece.contains(Int(nullSlot)) ? places[Int(nullSlot) - piece.lowerBound] : -1
        return texts.copy(piece, byteCount: byteCount, to: ordered.reserve(16 * count), places: places)
    }

    func columns(_ places: Range<Int>) throws(MillstreamError) -> [Column] {
        guard let ordered = ordered.base else { return [] }
        let words = Buffer(byteCount: 16 * places.count)
        words.base.copyMemory(from: ordered + 16 * places.lowerBound, byteCount: 16 * places.count)
        return try decode(words, places.count, nullPlace < 0 ? -1 : Int(nullPlace) - places.lowerBound)
    }

    func release() {
        texts.release()
        hashRecords.release()
    }
}

/// A table's keys as they were at a barrier, in pieces: runs of slots, each of which is put into the order in which a checkpoint has it, by key group, and within
/// a group by slot. Whoever writes them needs memory for one piece, however many keys there are.
final class FrozenTable: @unchecked Sendable {
    private let keys: any FrozenKeys
    private let slotEnd: Int
    /// A bit per slot in use; nil: all are.
    private let live: SlotMemory?
    private let maxParallelism: Int
    private var pieceSlotCount: Int
    /// The slots that are being copied, or have been copied last.
    private(set) var piece = 0..<0
    /// The keys of the piece: known behind the hashes.
    private(set) var count = 0
    /// The groups that have keys in the piece, ascending, each with its places.
    private(set) var groups: [(group: KeyGroup, places: Range<Int>)] = []
    /// The place of each of the piece's slots in that order, -1 for slots that are not in use.
    private var placeMemory = PieceMemory()
    private var hasPlaces = false
    private var hasKeys = false
    let isEmpty: Bool

    /// Bytes of a block on the average, where the keys of a piece lie in all key groups: enough that what a block has besides its rows does not count, and so few
    /// that its rows stay in the cache from one step to the next.
    private static let blockByteCount = 128 << 10

    init(_ keys: any FrozenKeys, slotEnd: Int, count: Int, live: SlotMemory?, maxParallelism: Int) {
        self.keys = keys
        self.slotEnd = slotEnd
        self.live = live
        self.maxParallelism = max(1, maxParallelism)
        isEmpty = count == 0
        pieceSlotCount = max(slotEnd, 1)
    }

    deinit { keys.release() }

    /// Before the first piece: how many bytes there are of a key besides itself. `pieceSlotCount` is for tests of small pieces.
    func divide(rowByteCount: Int, pieceSlotCount given: Int? = nil) {
        let unit = FrozenRecords.chunkCountMax
        let wanted = given ?? Self.blockByteCount * maxParallelism / (keys.stride + rowByteCount)
        pieceSlotCount = max(1, (wanted + unit - 1) / unit) * unit
    }

    /// Rows of a block: whoever reads has no more in its hands.
    func blockRowCountMax(rowByteCount: Int) -> Int { max(256, 2 * Self.blockByteCount / (keys.stride + rowByteCount)) }

    /// The number of the piece that a slot is in.
    func pieceNumber(of slot: Int) -> Int { slot / pieceSlotCount }
    var pieceCount: Int { (slotEnd + pieceSlotCount - 1) / pieceSlotCount }

    /// Begins with the next piece. False where there is none.
    func next() -> Bool {
        guard piece.upperBound < slotEnd else { return false }
        piece = piece.upperBound..<min(slotEnd, piece.upperBound + pieceSlotCount)
        (hasPlaces, hasKeys, count) = (false, false, 0)
        return true
    }

    /// Copies a little more of the piece. False when all of it is there.
    func advance(byteCount: Int) -> Bool {
        guard hasPlaces, let places else {
            if !keys.copyHashes(piece, byteCount: byteCount) { setPlaces() }
            return true
        }
        guard !hasKeys else { return false }
        hasKeys = !keys.copyKeys(piece, byteCount: byteCount, to: places, count: count)
        return !hasKeys
    }

    /// By the number of a slot in the piece. Valid until the next piece, once `advance` has said that all is there.
    var places: UnsafePointer<Int32>? { (placeMemory.base?.assumingMemoryBound(to: Int32.self)).map { UnsafePointer($0) } }

    func columns(_ places: Range<Int>) throws(MillstreamError) -> [Column] { try keys.columns(places) }

    /// The slot of each place.
    func slots() -> [Int32] {
        var result = [Int32](repeating: 0, count: count)
        guard let places else { return result }
        for (index, slot) in piece.enumerated() where places[index] >= 0 { result[Int(places[index])] = Int32(truncatingIfNeeded: slot) }
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

    /// Sorts the piece by counting.
    private func setPlaces() {
        let places = placeMemory.reserve(4 * piece.count).assumingMemoryBound(to: Int32.self)
        let liveWords = live?.base.assumingMemoryBound(to: UInt64.self)
        var ends = [Int](repeating: 0, count: maxParallelism + 1)
        let runLength = 1024
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: runLength) { hashes in
            guard let base = hashes.baseAddress else { return }
            var start = piece.lowerBound
            while start < piece.upperBound {
                let run = start..<min(piece.upperBound, start + runLength)
                keys.hashes(run, into: base)
                let target = places + (start - piece.lowerBound)
                for slot in run {
                    if let liveWords, liveWords[slot &>> 6] &>> UInt64(truncatingIfNeeded: slot & 63) & 1 == 0 {
                        target[slot &- start] = -1
                        continue
                    }
                    let group = KeyGroup.index(hash: base[slot &- start], maxParallelism: maxParallelism)
                    target[slot &- start] = Int32(truncatingIfNeeded: group)
                    ends[group &+ 1] &+= 1
                }
                start = run.upperBound
            }
        }
        groups.removeAll(keepingCapacity: true)
        for group in 0..<maxParallelism {
            ends[group + 1] += ends[group]
            if ends[group] < ends[group + 1] { groups.append((KeyGroup(group), ends[group]..<ends[group + 1])) }
        }
        count = ends[maxParallelism]
        ends.withUnsafeMutableBufferPointer { next in
            for index in 0..<piece.count where places[index] >= 0 {
                let group = Int(places[index])
                places[index] = Int32(truncatingIfNeeded: next[group])
                next[group] &+= 1
            }
        }
        hasPlaces = true
    }
}
