#if canImport(Glibc)
    import Glibc
#endif

/// Memory for arrays that are read at random places: large ones lie in huge pages where the system has them.
///
/// With a million keys every access to an array of 8 MB misses the translation cache of 4 KiB pages, which costs about as much as the cache miss itself.
/// A large block is zero where nobody has written, and only what was written takes memory: so it may be larger than what is needed. Of a block that is only reserved, what was
/// opened can be used and counts against the limits of a process for its data (`RLIMIT_DATA`, and what a system without overcommitment promises); the rest is addresses.
final class SlotMemory: @unchecked Sendable {
    static let hugePageByteCount = 2 << 20
    /// From here on the rounding to whole huge pages wastes at most a third.
    static let hugeByteCountMin = 4 << 20

    let base: UnsafeMutableRawPointer
    let byteCount: Int
    /// So many of the first bytes can be used.
    private(set) var openByteCount: Int
    /// What was mapped; nil for a small block.
    private let mapped: (base: UnsafeMutableRawPointer, byteCount: Int)?

    /// Whether a block of so many bytes is zero at first.
    static func isZeroed(_ byteCount: Int) -> Bool { byteCount >= hugeByteCountMin }

    /// A block that can be used as a whole.
    convenience init(byteCount: Int) { self.init(byteCount: byteCount, reserving: byteCount) }

    /// A block of which `byteCount` can be used now, and as many as are reserved later on. Where the process may not have so many addresses, none are reserved.
    init(byteCount: Int, reserving reservedByteCount: Int) {
        guard Self.isZeroed(byteCount) else {
            var pointer: UnsafeMutableRawPointer?
            let size = max(16, byteCount)
            guard posix_memalign(&pointer, 64, size) == 0, let pointer else { preconditionFailure("out of memory: \(byteCount) bytes") }
            base = pointer
            self.byteCount = size
            openByteCount = size
            mapped = nil
            return
        }
        // Out of memory cannot be handled further down: Linux overcommits, and the kernel ends the process first.
        guard let region = Self.reserve(max(byteCount, reservedByteCount)) ?? Self.reserve(byteCount) else { preconditionFailure("out of memory: \(byteCount) bytes") }
        mapped = (region.pointer, region.byteCount)
        self.byteCount = region.byteCount - Self.hugePageByteCount
        let address = UInt(bitPattern: region.pointer)
        let page = UInt(Self.hugePageByteCount)
        base = region.pointer + Int((address + page - 1) / page * page - address)
        openByteCount = 0
        // Advice: where it is refused, small pages do.
        madvise(base, self.byteCount, MADV_HUGEPAGE)
        open(byteCount)
    }

    /// Addresses for whole huge pages, and one more to begin at one.
    private static func reserve(_ byteCount: Int) -> (pointer: UnsafeMutableRawPointer, byteCount: Int)? {
        let whole = (byteCount + hugePageByteCount - 1) / hugePageByteCount * hugePageByteCount + hugePageByteCount
        guard let pointer = mmap(nil, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), pointer != MAP_FAILED else { return nil }
        return (pointer, whole)
    }

    /// Makes so many of the first bytes usable, in whole huge pages; at most those that were reserved.
    func open(_ wanted: Int) {
        guard wanted > openByteCount else { return }
        let end = min(byteCount, (wanted + Self.hugePageByteCount - 1) / Self.hugePageByteCount * Self.hugePageByteCount)
        guard mprotect(base + openByteCount, end - openByteCount, PROT_READ | PROT_WRITE) == 0 else { preconditionFailure("out of memory: \(end) bytes") }
        openByteCount = end
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
