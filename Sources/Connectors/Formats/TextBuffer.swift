import Glibc

/// A growing run of bytes that text is written into. One owner, one thread; cleared and used again for each batch.
///
/// Every `append` makes its own room, except those called `unchecked`, whose callers have called `reserve`.
final class TextBuffer {
    private(set) var base: UnsafeMutablePointer<UInt8>
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int = 4_096) {
        self.capacity = capacity
        base = .allocate(capacity: capacity)
    }

    deinit { base.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    func clear() { count = 0 }

    /// Forgets the last bytes: back to an earlier `count`.
    func truncate(to count: Int) { self.count = min(count, self.count) }

    @inline(__always)
    func reserve(_ additional: Int) {
        if capacity &- count < additional { grow(additional) }
    }

    @inline(never)
    private func grow(_ additional: Int) {
        let wanted = max(capacity &* 2, count &+ additional)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: wanted)
        larger.update(from: base, count: count)
        base.deallocate()
        base = larger
        capacity = wanted
    }

    @inline(__always)
    func append(_ byte: UInt8) {
        reserve(1)
        base[count] = byte
        count &+= 1
    }

    @inline(__always)
    func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        reserve(bytes.count)
        memcpy(base + count, source, bytes.count)
        count &+= bytes.count
    }

    func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    /// Puts a byte before the one at `place`.
    func insert(_ byte: UInt8, at place: Int) {
        reserve(1)
        memmove(base + place + 1, base + place, count - place)
        base[place] = byte
        count &+= 1
    }

    /// Bytes may be moved up by one place to make room for a sign or mark: `body` gets the pointer behind the text and at least `room` bytes.
    @inline(__always)
    func write(room: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Int) {
        reserve(room)
        count &+= body(base + count)
    }
}
