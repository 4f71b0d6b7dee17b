import Columnar
import State

/// A value that a slot may have.
struct HeldValue<Value: BitwiseCopyable>: BitwiseCopyable {
    var value: Value
    var isKnown: Bool
}

/// A value of one fixed width per slot, or none; side by side with the mark that it is there, so that a slot costs one cache miss. Which type the values have,
/// whoever uses them knows.
struct HeldValues: ~Copyable {
    private let byteWidth: Int
    /// As `HeldValue<Int8>` and its like lie in memory: the mark takes as much room as the value. Zeros are no value.
    private var words = SlotArray<UInt64>(fill: 0)
    /// Slots below are in use; those above may hold anything.
    private var count = 0

    /// 1, 2, 4, 8 or 16 bytes.
    init(byteWidth: Int) { self.byteWidth = byteWidth }

    /// Slots below `slotCount` exist afterwards; new ones hold nothing.
    mutating func reserve(_ slotCount: Int) {
        guard slotCount > count else { return }
        words.reserve((slotCount * 2 * byteWidth + 7) / 8)
        bytes.advanced(by: count * 2 * byteWidth).initializeMemory(as: UInt8.self, repeating: 0, count: (slotCount - count) * 2 * byteWidth)
        count = slotCount
    }

    private var bytes: UnsafeMutableRawPointer { UnsafeMutableRawPointer(words.base) }

    /// Valid until the next `reserve`. The type has the width of the values.
    @inline(__always)
    func base<Value: BitwiseCopyable>(as type: Value.Type) -> UnsafeMutablePointer<HeldValue<Value>> {
        bytes.assumingMemoryBound(to: HeldValue<Value>.self)
    }

    /// Where a slot's value is; nil if it has none.
    func value(_ slot: Int) -> UnsafeRawPointer? {
        guard slot < count else { return nil }
        let place = bytes + slot * 2 * byteWidth
        return place.load(fromByteOffset: byteWidth, as: Bool.self) ? UnsafeRawPointer(place) : nil
    }

    func clear(_ slot: Int) {
        if slot < count { (bytes + slot * 2 * byteWidth).initializeMemory(as: UInt8.self, repeating: 0, count: 2 * byteWidth) }
    }

    mutating func removeAll() { count = 0 }

    /// The values of some slots, all of which exist; null where there is none. BOOLEAN is held as a byte.
    func gather(_ slots: [Int32], type: DataType) -> Column {
        switch byteWidth {
        case 1: gather(UInt8.self, slots, type)
        case 2: gather(UInt16.self, slots, type)
        case 4: gather(UInt32.self, slots, type)
        case 8: gather(UInt64.self, slots, type)
        default: gather(UInt128.self, slots, type)
        }
    }

    private func gather<Value: BitwiseCopyable>(_ bits: Value.Type, _ slots: [Int32], _ type: DataType) -> Column {
        let values = Buffer(byteCount: byteWidth * slots.count)
        let target = values.pointer(as: Value.self)
        let base = base(as: Value.self)
        var isComplete = true
        for (row, slot) in slots.enumerated() {
            target[row] = base[Int(slot)].value
            isComplete = isComplete && base[Int(slot)].isKnown
        }
        var validity: Buffer?
        if !isComplete {
            let bitmap = Buffer.zeroed(byteCount: Bits.byteCount(slots.count))
            for (row, slot) in slots.enumerated() where base[Int(slot)].isKnown { Bits.set(bitmap.base, row) }
            validity = bitmap
        }
        let type = isComplete ? type : type.nullable
        guard case .bits = type.layout else { return Column(type: type, count: slots.count, validity: validity, values: values) }
        let packed = Buffer.zeroed(byteCount: Bits.byteCount(slots.count))
        let flags = values.pointer(as: UInt8.self)
        for row in slots.indices where flags[row] != 0 { Bits.set(packed.base, row) }
        return Column(type: type, count: slots.count, validity: validity, values: packed)
    }
}

extension Column {
    /// A BOOLEAN column's values as a byte each, 0 or 1.
    func unpackedBits() -> Buffer {
        let result = Buffer(byteCount: count)
        let target = result.pointer(as: UInt8.self)
        for row in 0..<count { target[row] = bit(row) ? 1 : 0 }
        return result
    }
}
