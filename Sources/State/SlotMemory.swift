#if canImport(Glibc)
    import Glibc
#endif

/// Memory for arrays that are read at random places: large ones lie in huge pages where the system has them.
///
/// With a million keys every access to an array of 8 MB misses the translation cache of 4 KiB pages, which costs about as much as the cache miss itself.
enum SlotMemory {
    private static let hugePageByteCount = 2 << 20
    /// From here on the rounding to whole huge pages wastes at most a third.
    private static let hugeByteCountMin = 4 << 20

    /// Uninitialized room for `count` elements; `free` gives it back.
    static func allocate<Element: BitwiseCopyable>(of type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> {
        let byteCount = max(16, count * MemoryLayout<Element>.stride)
        let isHuge = byteCount >= hugeByteCountMin
        var pointer: UnsafeMutableRawPointer?
        let status = posix_memalign(&pointer, isHuge ? hugePageByteCount : 64, byteCount)
        // Out of memory cannot be handled further down: Linux overcommits, and the kernel ends the process first.
        guard status == 0, let pointer else { preconditionFailure("out of memory: \(byteCount) bytes") }
        // Advice: where it is refused, small pages do.
        if isHuge { madvise(pointer, byteCount, MADV_HUGEPAGE) }
        return pointer.bindMemory(to: Element.self, capacity: count)
    }

    static func free<Element>(_ pointer: UnsafeMutablePointer<Element>) { Glibc.free(UnsafeMutableRawPointer(pointer)) }
}
