import Columnar
import Dataflow

/// What an operator keeps of its keys, slot by slot, where that can also lie in a store: the part of a `KeyPager` that differs from operator to operator.
protocol PagedValues: AnyObject {
    /// Whether there is something to keep of a slot.
    func contains(_ slot: Int) -> Bool
    /// Replaces `rows` by the values of some slots. What it gives for one that contains nothing does not count.
    func encode(_ slots: [Int32], into rows: PackedBytes) throws(MillstreamError)
    /// `rows[i]`, which `encode` made, becomes the value of `slots[i]`, which has none. Throws `decode` for bytes that `encode` does not make.
    func decode(_ rows: UnsafePointer<UnsafeRawBufferPointer>, slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError)
    /// Lets go of the values of some slots.
    func forget(_ slots: [Int32])
    /// Whether the key stays in the table without its values, because something else names its slot.
    func keepsKey(_ slot: Int) -> Bool
    /// Roughly how many bytes the values of some slots take together.
    func byteCount(of slots: [Int32]) -> Int
}

/// The keys of a store: the key group, then what tells the group's keys apart.
///
/// Keys of native types are their own bytes. A host decides by itself which of its values are equal (in Python 1, 1.0 and True), so that equal keys may be written in
/// different bytes: of keys of type OBJECT the store's key is the stable hash, and its value a list of all keys with that hash, each with its own value.
struct StoreKeyCoding: Sendable {
    let isHashed: Bool
    /// Of the whole key, or in an entry's list.
    let rows: RowCoding
    static let hashedByteCount = StoreKey.prefixByteCount + 8
    /// In front of each entry of a list: the lengths of key and value.
    static let entryHeadByteCount = 8

    /// Nil for keys that cannot lie in a store.
    init?(_ types: [DataType], objects: (any ObjectCoding)?) {
        isHashed = types.contains { $0.layout == .handles }
        guard let rows = RowCoding(types, headByteCount: isHashed ? 0 : StoreKey.prefixByteCount, objects: objects) else { return nil }
        self.rows = rows
    }

    /// The entries of a list.
    static func forEachEntry(
        _ list: UnsafeRawBufferPointer, _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(MillstreamError) -> Void
    ) throws(MillstreamError) {
        var place = 0
        while place < list.count {
            guard list.count - place >= entryHeadByteCount else { throw RowCoding.damage }
            let keyCount = Int(list.loadUnaligned(fromByteOffset: place, as: UInt32.self))
            let valueCount = Int(list.loadUnaligned(fromByteOffset: place + 4, as: UInt32.self))
            place += entryHeadByteCount
            guard list.count - place >= keyCount + valueCount else { throw RowCoding.damage }
            try body(
                UnsafeRawBufferPointer(rebasing: list[place..<place + keyCount]),
                UnsafeRawBufferPointer(rebasing: list[place + keyCount..<place + keyCount + valueCount]))
            place += keyCount + valueCount
        }
    }

    static func append(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, to list: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: key.count)) { list.append(contentsOf: $0) }
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: value.count)) { list.append(contentsOf: $0) }
        list.append(contentsOf: key)
        list.append(contentsOf: value)
    }
}
