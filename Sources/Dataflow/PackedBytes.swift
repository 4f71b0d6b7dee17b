import Columnar
#if canImport(Glibc)
    import Glibc
#endif

/// Many byte strings in one piece of memory: how keys and values go into a `StateStore` and come out of it, a batch at a time.
///
/// String `i` is the bytes `ends[i - 1] ..< ends[i]` (from 0 for the first), unless `absent[i]` is 1: then there is none, which is not the same as an empty one.
/// The memory is kept from batch to batch. Not for two threads at once.
public final class PackedBytes {
    public private(set) var count = 0
    /// The end of each string, `count` of them.
    public private(set) var ends: UnsafeMutablePointer<Int>
    /// 1 for strings that are absent, else 0; `count` of them.
    public private(set) var absent: UnsafeMutablePointer<UInt8>
    /// The bytes of all strings.
    public private(set) var bytes: UnsafeMutableRawPointer
    private var capacity: Int
    private var byteCapacity: Int

    public init(capacity: Int = 64, byteCapacity: Int = 1024) {
        self.capacity = max(1, capacity)
        self.byteCapacity = max(16, byteCapacity)
        ends = .allocate(capacity: self.capacity)
        absent = .allocate(capacity: self.capacity)
        bytes = .allocate(byteCount: self.byteCapacity, alignment: 16)
    }

    deinit {
        ends.deallocate()
        absent.deallocate()
        bytes.deallocate()
    }

    /// Of all strings together.
    public var byteCount: Int { count == 0 ? 0 : ends[count - 1] }

    /// Where string `index` begins.
    public func start(_ index: Int) -> Int { index == 0 ? 0 : ends[index - 1] }

    /// The bytes of a string, empty for one that is absent; valid until the next change.
    public subscript(index: Int) -> UnsafeRawBufferPointer {
        precondition(index >= 0 && index < count, "string \(index) of \(count)")
        let start = start(index)
        return UnsafeRawBufferPointer(start: bytes + start, count: ends[index] - start)
    }

    public func isAbsent(_ index: Int) -> Bool {
        precondition(index >= 0 && index < count, "string \(index) of \(count)")
        return absent[index] != 0
    }

    /// A copy of a string; nil for one that is absent.
    public func array(_ index: Int) -> [UInt8]? { isAbsent(index) ? nil : Array(self[index]) }

    /// Keeps the memory.
    public func removeAll() { count = 0 }

    /// Makes room for so many strings and bytes behind those that are there.
    public func reserve(_ additional: Int, byteCount added: Int) {
        if count + additional > capacity { growEntries(count + additional) }
        let used = byteCount
        if used + added > byteCapacity { growBytes(used + added, used) }
    }

    private func growEntries(_ wanted: Int) {
        capacity = max(wanted, capacity * 2)
        let newEnds = UnsafeMutablePointer<Int>.allocate(capacity: capacity)
        newEnds.update(from: ends, count: count)
        ends.deallocate()
        ends = newEnds
        let newAbsent = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        newAbsent.update(from: absent, count: count)
        absent.deallocate()
        absent = newAbsent
    }

    private func growBytes(_ wanted: Int, _ used: Int) {
        byteCapacity = max(wanted, byteCapacity * 2)
        let grown = UnsafeMutableRawPointer.allocate(byteCount: byteCapacity, alignment: 16)
        grown.copyMemory(from: bytes, byteCount: used)
        bytes.deallocate()
        bytes = grown
    }

    public func append(_ string: UnsafeRawBufferPointer) {
        let target = appendUninitialized(byteCount: string.count)
        if let source = string.baseAddress { target.copyMemory(from: source, byteCount: string.count) }
    }

    public func append(_ string: [UInt8]) { string.withUnsafeBytes { append($0) } }

    /// A string whose bytes the caller writes to where this points; valid until the next change.
    public func appendUninitialized(byteCount added: Int) -> UnsafeMutableRawPointer {
        let used = byteCount
        if count == capacity { growEntries(count + 1) }
        if used + added > byteCapacity { growBytes(used + added, used) }
        ends[count] = used + added
        absent[count] = 0
        count += 1
        return bytes + used
    }

    public func appendAbsent() {
        if count == capacity { growEntries(count + 1) }
        ends[count] = byteCount
        absent[count] = 1
        count += 1
    }

    /// `newCount` strings with `newByteCount` bytes, instead of those that were there; the caller writes `ends`, `absent` and `bytes`.
    public func reset(count newCount: Int, byteCount newByteCount: Int) {
        count = 0
        reserve(newCount, byteCount: newByteCount)
        count = newCount
    }
}

extension [UInt8] {
    /// The bytes; the standard `withUnsafeBytes` forgets the type of what `body` throws.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Result) throws(MillstreamError) -> Result {
        try withUnsafeBufferPointer { (source) throws(MillstreamError) in try body(UnsafeRawBufferPointer(source)) }
    }
}
