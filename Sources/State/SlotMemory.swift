#if canImport(Glibc)
    import Glibc
#endif

/// Memory for arrays that are read at random places: large ones lie in huge pages where the system has them.
///
/// With a million keys every access to an array of 8 MB misses the translation cache of 4 KiB pages, which costs about as much as the cache miss itself.
/// A large block is zero where nobody has written, and only what was written takes memory: so it may be larger than what is needed.
final class SlotMemory: @unchecked Sendable {
    static let hugePageByteCount = 2 << 20
    /// From here on the rounding to whole huge pages wastes at most a third.
    static let hugeByteCountMin = 4 << 20

    let base: UnsafeMutableRawPointer
    let byteCount: Int
    /// What was mapped; nil for a small block.
    private let mapped: (base: UnsafeMutableRawPointer, byteCount: Int)?

    /// Whether a block of so many bytes is zero at first.
    static func isZeroed(_ byteCount: Int) -> Bool { byteCount >= hugeByteCountMin }

    init(byteCount: Int) {
        if Self.isZeroed(byteCount) {
            let size = (byteCount + Self.hugePageByteCount - 1) / Self.hugePageByteCount * Self.hugePageByteCount
            let whole = size + Self.hugePageByteCount
            let pointer = mmap(nil, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
            // Out of memory cannot be handled further down: Linux overcommits, and the kernel ends the process first.
            guard let pointer, pointer != MAP_FAILED else { preconditionFailure("out of memory: \(byteCount) bytes") }
            let address = UInt(bitPattern: pointer)
            let page = UInt(Self.hugePageByteCount)
            base = pointer + Int((address + page - 1) / page * page - address)
            self.byteCount = size
            mapped = (pointer, whole)
            // Advice: where it is refused, small pages do.
            madvise(base, size, MADV_HUGEPAGE)
        } else {
            var pointer: UnsafeMutableRawPointer?
            let size = max(16, byteCount)
            guard posix_memalign(&pointer, 64, size) == 0, let pointer else { preconditionFailure("out of memory: \(byteCount) bytes") }
            base = pointer
            self.byteCount = size
            mapped = nil
        }
    }

    /// A block of zeros.
    static func zeroed(byteCount: Int) -> SlotMemory {
        let block = SlotMemory(byteCount: byteCount)
        if !isZeroed(byteCount) { memset(block.base, 0, block.byteCount) }
        return block
    }

    deinit {
        if let mapped { munmap(mapped.base, mapped.byteCount) } else { free(base) }
    }

    /// Moves the first bytes to another block. With `releases` nobody reads them here any more: their memory goes as they are moved, so that there
    /// are never two copies of a large block.
    func move(_ count: Int, to other: SlotMemory, releases: Bool) {
        guard releases, mapped != nil else { return other.base.copyMemory(from: base, byteCount: count) }
        let step = 4 * Self.hugePageByteCount
        var start = 0
        while start < count {
            let length = min(step, count - start)
            (other.base + start).copyMemory(from: base + start, byteCount: length)
            madvise(base + start, min(step, byteCount - start), MADV_DONTNEED)
            start += length
        }
    }
}
