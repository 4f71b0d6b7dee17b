import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Asks the kernel for the pages of a large block ahead of whoever fills it from front to back, on a thread of its own.
///
/// Pages are cleared as they are touched first, and where a virtual machine must get them from its host, that takes longer than all else that a restored
/// gigabyte needs. So two threads do it: this one keeps some distance from the other, leaving out what that one will have come to before, so that both work to
/// the end. What is in the block does not change; where the kernel refuses, nothing happens.
final class PagesAhead: Sendable {
    /// Below this a thread is not worth it.
    static let byteCountMin = 64 << 20
    private static let stepByteCount = SlotMemory.hugePageByteCount
    private static let distance = 4 * stepByteCount
    /// Linux's MADV_POPULATE_WRITE.
    private static let populateForWriting: Int32 = 23

    private final class Work: Sendable {
        let memory: SlotMemory
        let byteCount: Int
        let filled: Atomic<Int>

        init(_ memory: SlotMemory, from start: Int, byteCount: Int) {
            self.memory = memory
            self.byteCount = byteCount
            filled = Atomic(start)
        }

        func run() {
            var next = 0
            while true {
                let filled = filled.load(ordering: .relaxed)
                if next < filled + PagesAhead.distance { next = (filled + PagesAhead.distance) / PagesAhead.stepByteCount * PagesAhead.stepByteCount }
                guard next < byteCount else { return }
                let end = min(memory.byteCount, next + PagesAhead.stepByteCount)
                guard madvise(memory.base + next, end - next, PagesAhead.populateForWriting) == 0 else { return }
                next = end
            }
        }
    }

    private let work: Work

    /// Nil where the first `byteCount` bytes of `memory`, of which `start` are filled, are too few, or there is no thread to be had.
    init?(_ memory: SlotMemory, from start: Int, byteCount: Int) {
        guard byteCount - start >= Self.byteCountMin, byteCount <= memory.byteCount else { return nil }
        work = Work(memory, from: start, byteCount: byteCount)
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(work)
        let status = pthread_create(&thread, &attributes, { context in
            if let context { Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run() }
            return nil
        }, context.toOpaque())
        if status != 0 {
            context.release()
            return nil
        }
    }

    /// Nobody fills it any more.
    deinit { work.filled.store(.max / 2, ordering: .relaxed) }

    /// So many bytes are filled.
    func advance(to byteCount: Int) { work.filled.store(byteCount, ordering: .relaxed) }
}
