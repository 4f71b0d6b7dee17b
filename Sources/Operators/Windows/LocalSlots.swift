import Columnar
import State

/// Numbers the distinct slots of a batch 0, 1, 2, ... in the order of their first row, so that a host function sees a dense accumulator array.
final class LocalSlots {
    /// Per slot: its number in the current batch, or -1.
    private var numbers = SlotArray<Int32>(fill: -1)
    /// The slot of each local number.
    private(set) var slots: [Int32] = []
    /// The local number of each row: an INT column.
    private(set) var rows = Column(type: DataType.int.notNull, count: 0, values: nil)

    func assign(_ source: UnsafePointer<Int32>, count: Int) {
        let buffer = Buffer(byteCount: 4 * count)
        let target = buffer.pointer(as: Int32.self)
        slots.removeAll(keepingCapacity: true)
        var end: Int32 = 0
        for index in 0..<count { end = max(end, source[index]) }
        numbers.reserve(Int(end) + 1)
        let numbers = numbers.base
        for index in 0..<count {
            let slot = Int(source[index])
            var number = numbers[slot]
            if number < 0 {
                number = Int32(truncatingIfNeeded: slots.count)
                numbers[slot] = number
                slots.append(source[index])
            }
            target[index] = number
        }
        for slot in slots { numbers[Int(slot)] = -1 }
        rows = Column(type: DataType.int.notNull, count: count, values: buffer)
    }
}
