import Columnar
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// An array of records as it was at a barrier, while its owner goes on changing it.
///
/// The records are copied in chunks of about a page, each by whoever comes first: the owner, which calls `touch` before it changes records, or the writer of
/// the snapshot, which goes from the first chunk to the last, piece by piece, and uses the memory of a piece again for the next. A chunk is claimed by an
/// atomic exchange; who finds it claimed waits for the microsecond that a copy takes. Memory that the owner leaves behind as it grows lives until it has been
/// copied.
///
/// `touch` is the owner's alone, `copy` the writer's; the two may run at the same time. `isDone` is anyone's.
public final class FrozenRecords: @unchecked Sendable {
    private enum Claim {
        static let free: UInt8 = 0
        /// Somebody copies it.
        static let taken: UInt8 = 1
        /// The owner has saved it.
        static let saved: UInt8 = 2
        /// The writer has it.
        static let written: UInt8 = 3
    }

    private static let chunkByteCount = 2048
    /// No chunk has more records than this, and all have a power of two: pieces of multiples of it are pieces of whole chunks.
    static let chunkCountMax = 256

    /// The number of records, and the bytes of each.
    public let count: Int
    let stride: Int
    /// Where in a record there are texts (`OwnedBytes`), whose bytes are copied along.
    private let texts: [Int]
    private let memory: SlotMemory
    private let source: UnsafeRawPointer
    /// A chunk has as many records as this has ones, plus one.
    private let shift: Int
    private let chunkCount: Int
    private let claims: UnsafeMutablePointer<Atomic<UInt8>>
    private let claimMemory: SlotMemory
    /// What the owner has saved, by chunk.
    private let saved: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private let savedMemory: SlotMemory
    private let ownerArena = CopyArena()
    private let writerArena = CopyArena()
    /// The first chunk that the writer has not copied.
    private var nextChunk = 0
    private let done = Atomic<Bool>(false)

    /// The first `count` records of `memory`.
    init(_ memory: SlotMemory, count: Int, stride: Int, texts: [Int]) {
        self.memory = memory
        self.count = count
        self.stride = stride
        self.texts = texts
        source = UnsafeRawPointer(memory.base)
        var shift = 3
        while stride << (shift + 1) <= Self.chunkByteCount { shift += 1 }
        self.shift = shift
        chunkCount = (count + (1 << shift) - 1) >> shift
        claimMemory = .zeroed(byteCount: chunkCount)
        claims = claimMemory.base.bindMemory(to: Atomic<UInt8>.self, capacity: chunkCount)
        savedMemory = .zeroed(byteCount: chunkCount * MemoryLayout<UnsafeMutableRawPointer?>.stride)
        saved = savedMemory.base.bindMemory(to: UnsafeMutableRawPointer?.self, capacity: chunkCount)
        if chunkCount == 0 { release() }
    }

    /// Whether the owner need not ask any more: all is copied, or nobody wants it.
    public var isDone: Bool { done.load(ordering: .acquiring) }

    /// Whoever wanted the copy has it, or does not want it any more.
    public func release() { done.store(true, ordering: .releasing) }

    // MARK: The owner

    /// The records of these slots, and those that they own, are about to be changed.
    public func touch(_ slots: UnsafePointer<Int32>, count slotCount: Int) {
        let shift = shift, claims = claims
        for place in 0..<slotCount {
            let slot = Int(slots[place])
            if slot >= count { continue }
            let chunk = slot &>> shift
            if claims[chunk].load(ordering: .acquiring) < Claim.saved { save(chunk) }
        }
    }

    public func touch(_ slot: Int) {
        guard slot < count, claims[slot &>> shift].load(ordering: .acquiring) < Claim.saved else { return }
        save(slot &>> shift)
    }

    /// Everything is about to be changed.
    public func touchAll() {
        guard !isDone else { return }
        for chunk in 0..<chunkCount where claims[chunk].load(ordering: .acquiring) < Claim.saved { save(chunk) }
    }

    @inline(never)
    private func save(_ chunk: Int) {
        guard claim(chunk) else { return wait(for: chunk) }
        let records = self.records(of: chunk)
        let target = ownerArena.allocate(records.count * stride)
        target.copyMemory(from: source + records.lowerBound * stride, byteCount: records.count * stride)
        copyTexts(target, records.count, ownerArena)
        saved[chunk] = target
        claims[chunk].store(Claim.saved, ordering: .releasing)
    }

    private func claim(_ chunk: Int) -> Bool {
        claims[chunk].compareExchange(expected: Claim.free, desired: Claim.taken, ordering: .acquiringAndReleasing).exchanged
    }

    private func wait(for chunk: Int) {
        var turns = 0
        while claims[chunk].load(ordering: .acquiring) == Claim.taken {
            turns += 1
            // The other thread may have lost its core in the midst of a chunk.
            if turns > 200 { usleep(20) }
        }
    }

    private func records(of chunk: Int) -> Range<Int> { chunk << shift..<min(count, (chunk + 1) << shift) }

    private func copyTexts(_ target: UnsafeMutableRawPointer, _ recordCount: Int, _ arena: CopyArena) {
        for offset in texts {
            for record in 0..<recordCount {
                let place = target + (record &* stride &+ offset)
                let bytes = place.loadUnaligned(as: OwnedBytes.self)
                guard !bytes.isInline, let pointer = bytes.pointer else { continue }
                let copy = arena.allocate(bytes.length)
                copy.copyMemory(from: pointer, byteCount: bytes.length)
                place.storeBytes(of: OwnedBytes(words: SIMD2(bytes.words[0], UInt64(UInt(bitPattern: copy)))), as: OwnedBytes.self)
            }
        }
    }

    // MARK: The writer

    /// Copies the next chunks of a piece, about `byteCount` bytes: its record i to place `places[i]` of `target`, nowhere where that is negative, or to place i
    /// without places. False when all of the piece is copied.
    ///
    /// The pieces come one after the other, each from a multiple of `chunkCountMax` on. Records beyond `count` are none of it. What the texts of a piece are
    /// copied to is used again for the next.
    func copy(_ piece: Range<Int>, byteCount: Int, to target: UnsafeMutableRawPointer, places: UnsafePointer<Int32>? = nil) -> Bool {
        if nextChunk << shift == piece.lowerBound { writerArena.removeAll() }
        let pieceEnd = min(chunkCount, (piece.upperBound + (1 << shift) - 1) >> shift)
        let end = min(pieceEnd, nextChunk + max(1, byteCount / (stride << shift)))
        while nextChunk < end {
            let chunk = nextChunk
            nextChunk += 1
            let isOurs = claim(chunk)
            if !isOurs { wait(for: chunk) }
            let first = self.records(of: chunk).lowerBound
            let records = isOurs ? source + first * stride : saved[chunk].map { UnsafeRawPointer($0) }
            if let records { place(records, chunk, first - piece.lowerBound, to: target, places, copiesTexts: isOurs && !texts.isEmpty) }
            if isOurs { claims[chunk].store(Claim.written, ordering: .releasing) }
        }
        if nextChunk == chunkCount { release() }
        return nextChunk < pieceEnd
    }

    /// `first` is the number of the chunk's first record in its piece.
    private func place(
        _ records: UnsafeRawPointer, _ chunk: Int, _ first: Int, to target: UnsafeMutableRawPointer, _ places: UnsafePointer<Int32>?, copiesTexts: Bool
    ) {
        let range = first..<first + self.records(of: chunk).count
        guard let places else {
            let start = target + range.lowerBound * stride
            start.copyMemory(from: records, byteCount: range.count * stride)
            if copiesTexts { copyTexts(start, range.count, writerArena) }
            return
        }
        switch stride {
        case 8: scatter(UInt64.self, records, range, target, places)
        case 16: scatter(SIMD2<UInt64>.self, records, range, target, places)
        case 24: scatter(ThreeWords.self, records, range, target, places)
        case 32: scatter(SIMD4<UInt64>.self, records, range, target, places)
        default:
            for slot in range where places[slot] >= 0 {
                (target + Int(places[slot]) &* stride).copyMemory(from: records + (slot &- range.lowerBound) &* stride, byteCount: stride)
            }
        }
        guard copiesTexts else { return }
        for slot in range where places[slot] >= 0 { copyTexts(target + Int(places[slot]) &* stride, 1, writerArena) }
    }

    private struct ThreeWords: BitwiseCopyable {
        var words: (UInt64, UInt64, UInt64)
    }

    @inline(__always)
    private func scatter<Record: BitwiseCopyable>(
        _ type: Record.Type, _ records: UnsafeRawPointer, _ range: Range<Int>, _ target: UnsafeMutableRawPointer, _ places: UnsafePointer<Int32>
    ) {
        var source = records
        for slot in range {
            let place = Int(places[slot])
            if place >= 0 { (target + place &* MemoryLayout<Record>.size).storeBytes(of: source.loadUnaligned(as: Record.self), as: Record.self) }
            source += MemoryLayout<Record>.size
        }
    }
}

/// Memory for copies that all die together. One thread at a time.
///
/// Its segments grow with what is asked for, so that a few records take a few pages, and many of them huge pages.
final class CopyArena {
    private static let segmentByteCountMin = 64 << 10
    private static let segmentByteCountMax = SlotMemory.hugeByteCountMin
    private var segments: [SlotMemory] = []
    /// The segment that memory is taken from, and where.
    private var current = -1
    private var next = 0

    /// Aligned to 8 bytes.
    func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
        let size = (byteCount + 7) / 8 * 8
        while current >= 0, current < segments.count {
            if next + size <= segments[current].byteCount {
                defer { next += size }
                return segments[current].base + next
            }
            current += 1
            next = 0
        }
        let growing = min(Self.segmentByteCountMax, 2 * (segments.last?.byteCount ?? Self.segmentByteCountMin / 2))
        let segment = SlotMemory(byteCount: max(size, growing))
        segments.append(segment)
        current = segments.count - 1
        next = size
        return segment.base
    }

    /// Everything that was given may be given again.
    func removeAll() {
        current = segments.isEmpty ? -1 : 0
        next = 0
    }
}

/// Memory that is used again and again: it grows, and never shrinks. What was in it is lost where it grows.
struct PieceMemory {
    private var memory: SlotMemory?

    var base: UnsafeMutableRawPointer? { memory?.base }

    mutating func reserve(_ byteCount: Int) -> UnsafeMutableRawPointer {
        if let memory, memory.byteCount >= byteCount { return memory.base }
        memory = nil
        let grown = SlotMemory(byteCount: byteCount)
        memory = grown
        return grown.base
    }
}
