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

    func clear(_ slot: Int) { if slot < count { values.base[slot] = empty } }

    mutating func removeAll() { count = 0 }
}
