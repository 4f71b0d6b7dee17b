import Columnar
import State

/// Plain values by slot that can all be forgotten at once: a `SlotArray` that knows how far it is filled.
struct WindowSlots<Element: BitwiseCopyable>: ~Copyable {
    private var values: SlotArray<Element>
    /// Slots below have a value.
    private(set) var count = 0
    private let empty: Element

    init(empty: Element) {
        self.empty = empty
        values = SlotArray(fill: empty)
    }

    /// Valid until the next `reserve`.
    var base: UnsafeMutablePointer<Element> { values.base }

    /// Slots below `slotCount` exist afterwards; new ones are empty.
    mutating func reserve(_ slotCount: Int) {
        guard slotCount > count else { return }
        values.reserve(slotCount)
        (values.base + count).update(repeating: empty, count: slotCount - count)
        count = slotCount
    }

    /// The values of some slots, all of which exist, as the values of a column.
    func gather(_ slots: UnsafePointer<Int32>, count rowCount: Int) -> Buffer {
        let buffer = Buffer(byteCount: rowCount * MemoryLayout<Element>.stride)
        let target = buffer.pointer(as: Element.self)
        let base = values.base
        for row in 0..<rowCount { target[row] = base[Int(slots[row])] }
        return buffer
    }

    /// Row i of a column of such values becomes that of `slots[i]`, which exists.
    func scatter(_ column: Column, _ slots: UnsafePointer<Int32>, count rowCount: Int) {
        let source = column.pointer(as: Element.self)
        let base = values.base
        for row in 0..<rowCount { base[Int(slots[row])] = source[row] }
        withExtendedLifetime(column) {}
    }

    func clear(_ slot: Int) { if slot < count { values.base[slot] = empty } }

    mutating func removeAll() { count = 0 }
}
