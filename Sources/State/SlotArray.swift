/// A growing run of plain values, one per slot, without Swift's bounds checks and uniqueness checks: hot loops take its `base`.
///
/// Values are undefined until they are written, but for the fill value that `reserve` gives new places. A large array grows in place for a long time: it has
/// more addresses than memory, and takes memory where it is written.
public struct SlotArray<Element: BitwiseCopyable>: ~Copyable {
    /// Valid until the next `reserve`.
    public private(set) var base: UnsafeMutablePointer<Element>
    public private(set) var capacity: Int
    private let fill: Element
    private let fillsWithZeros: Bool
    /// Where the values are; a snapshot keeps it as it is when the array moves on.
    private(set) var memory: SlotMemory

    /// How many times the needed addresses a large array takes, so that it is seldom moved.
    private static var roomFactor: Int { 8 }

    /// `fill` is what places hold before they are written.
    public init(fill: Element, capacity: Int = 16) {
        self.fill = fill
        fillsWithZeros = withUnsafeBytes(of: fill) { $0.allSatisfy { $0 == 0 } }
        self.capacity = max(1, capacity)
        memory = SlotMemory(byteCount: self.capacity * MemoryLayout<Element>.stride)
        base = memory.base.bindMemory(to: Element.self, capacity: self.capacity)
        if !(fillsWithZeros && SlotMemory.isZeroed(memory.byteCount)) { base.initialize(repeating: fill, count: self.capacity) }
    }

    /// Makes room for `count` values; grows by a part of what there is, so that appending costs the same per value.
    @inline(__always)
    public mutating func reserve(_ count: Int) {
        if count > capacity { grow(count) }
    }

    @inline(never)
    private mutating func grow(_ count: Int) {
        let stride = MemoryLayout<Element>.stride
        if count > memory.byteCount / stride {
            let needed = max(count, 2 * capacity) * stride
            let grown = SlotMemory.isZeroed(needed)
                ? SlotMemory(byteCount: max(count * stride, SlotMemory.hugeByteCountMin), reserving: Self.roomFactor * needed) : SlotMemory(byteCount: needed)
            let isOurs = isKnownUniquelyReferenced(&memory)
            memory.move(capacity * stride, to: grown, releases: isOurs)
            memory = grown
            base = grown.base.bindMemory(to: Element.self, capacity: grown.byteCount / stride)
        }
        // Not all of it: what is open counts, and what is filled takes memory.
        memory.open(max(count, capacity + capacity / 4) * stride)
        let room = memory.openByteCount / stride
        if !(fillsWithZeros && SlotMemory.isZeroed(memory.byteCount)) { (base + capacity).initialize(repeating: fill, count: room - capacity) }
        capacity = room
    }

    /// Fills the first `count` places again.
    public mutating func reset(_ count: Int) { base.update(repeating: fill, count: min(count, capacity)) }

    /// The value of a slot; the index is within the capacity.
    public subscript(_ index: Int) -> Element {
        @inline(__always) get { base[index] }
        @inline(__always) nonmutating set { base[index] = newValue }
    }
}
