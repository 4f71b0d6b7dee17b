/// A growing run of plain values, one per slot, without Swift's bounds checks and uniqueness checks: hot loops take its `base`.
///
/// Values are undefined until they are written, but for the fill value that `reserve` gives new places.
public struct SlotArray<Element: BitwiseCopyable>: ~Copyable {
    /// Valid until the next `reserve`.
    public private(set) var base: UnsafeMutablePointer<Element>
    public private(set) var capacity: Int
    private let fill: Element

    /// `fill` is what places hold before they are written.
    public init(fill: Element, capacity: Int = 16) {
        self.fill = fill
        self.capacity = max(1, capacity)
        base = SlotMemory.allocate(of: Element.self, count: self.capacity)
        base.initialize(repeating: fill, count: self.capacity)
    }

    deinit { SlotMemory.free(base) }

    /// Makes room for `count` values; doubles, so that appending costs the same per value.
    @inline(__always)
    public mutating func reserve(_ count: Int) {
        if count > capacity { grow(count) }
    }

    @inline(never)
    private mutating func grow(_ count: Int) {
        let size = max(count, 2 * capacity)
        let grown = SlotMemory.allocate(of: Element.self, count: size)
        grown.update(from: base, count: capacity)
        (grown + capacity).initialize(repeating: fill, count: size - capacity)
        SlotMemory.free(base)
        base = grown
        capacity = size
    }

    /// Fills the first `count` places again.
    public mutating func reset(_ count: Int) { base.update(repeating: fill, count: min(count, capacity)) }

    /// The value of a slot; the index is within the capacity.
    public subscript(_ index: Int) -> Element {
        @inline(__always) get { base[index] }
        @inline(__always) nonmutating set { base[index] = newValue }
    }
}
