import Columnar

/// A text or bytes per slot, or none: the running MIN and MAX of such columns. One thread at a time.
public final class BytesSlots {
    /// Which of the values offered to a slot stays.
    public enum Extreme { case least, greatest }

    private var values = SlotArray<OwnedBytes>(fill: .absent)
    /// Slots below exist.
    private var count = 0

    public init() {}

    deinit { removeAll() }

    /// Slots below `slotCount` exist afterwards; new ones hold nothing.
    public func reserve(_ slotCount: Int) {
        guard slotCount > count else { return }
        values.reserve(slotCount)
        count = slotCount
    }

    /// Offers row i of `column` to `slots[i]`, which keeps a copy if it held nothing or something greater (`least`) or less (`greatest`). Nulls are passed
    /// over.
    public func keep(_ extreme: Extreme, of column: Column, slots: UnsafePointer<Int32>, count rowCount: Int) {
        let views = UnsafePointer(column.pointer(as: StringView.self))
        let blocks = column.dataBuffers.map { UnsafeRawPointer($0.base) }
        let hasNulls = column.mayHaveNulls
        blocks.withUnsafeBufferPointer { blocks in
            // A column without data buffers has no long values, so that no block is looked for.
            let first = blocks.baseAddress ?? UnsafePointer(bitPattern: 16).unsafelyUnwrapped
            for row in 0..<rowCount {
                if hasNulls && column.isNull(row) { continue }
                offer(OwnedBytes(borrowing: views + row, first), to: Int(slots[row]), extreme)
            }
        }
        withExtendedLifetime(column) {}
    }

    /// The same with what slot `from` of other slots holds.
    public func keep(_ extreme: Extreme, of other: BytesSlots, from: Int, slot: Int) {
        guard from < other.count, !other.values[from].isAbsent else { return }
        offer(other.values[from], to: slot, extreme)
    }

    @inline(__always)
    private func offer(_ bytes: OwnedBytes, to slot: Int, _ extreme: Extreme) {
        let place = values.base + slot
        if !place.pointee.isAbsent {
            let order = place.pointee.compare(bytes)
            guard extreme == .least ? order > 0 : order < 0 else { return }
        }
        place.pointee.replace(by: bytes)
    }

    /// The values of some slots, all of which exist, copied; null where there is none. Throws `limitExceeded` for more bytes than memory has.
    public func gather(_ slots: UnsafePointer<Int32>, count rowCount: Int, type: DataType) throws(MillstreamError) -> Column {
        var validity: Buffer?
        for row in 0..<rowCount where values[Int(slots[row])].isAbsent {
            let bitmap = validity ?? Buffer(byteCount: Bits.byteCount(rowCount))
            if validity == nil { Bits.fill(bitmap.base, offset: 0, count: rowCount, true) }
            Bits.clear(bitmap.base, row)
            validity = bitmap
        }
        return try gatherBytes(values.base, slots, rowCount, type: validity == nil ? type : type.nullable, validity: validity)
    }

    public func remove(_ slot: Int) {
        guard slot < count else { return }
        values[slot].free()
        values[slot] = .absent
    }

    /// Forgets everything, and keeps the slots' own memory.
    public func removeAll() {
        for slot in 0..<count { remove(slot) }
        count = 0
    }
}
