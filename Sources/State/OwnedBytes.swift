import Columnar
#if canImport(Glibc)
import Glibc
#endif

/// A text or bytes that a slot owns: up to 12 bytes inline, as in Arrow's views, else four bytes of prefix and an allocation of its own.
///
/// The first word is the same as a view's (length and prefix), so that most comparisons end there. Whoever holds one calls `free` once.
struct OwnedBytes: BitwiseCopyable {
    var words: SIMD2<UInt64>

    static let empty = OwnedBytes(words: SIMD2(0, 0))

    @inline(__always)
    var length: Int { Int(UInt32(truncatingIfNeeded: words[0])) }
    @inline(__always)
    var isInline: Bool { length <= StringView.inlineByteCount }
    /// Where the bytes of a long one are.
    @inline(__always)
    var pointer: UnsafeMutableRawPointer? { UnsafeMutableRawPointer(bitPattern: UInt(words[1])) }

    init(words: SIMD2<UInt64>) { self.words = words }

    /// A copy of the bytes that a view names.
    init(copying view: UnsafePointer<StringView>, _ blocks: UnsafePointer<UnsafeRawPointer>) {
        words = UnsafeRawPointer(view).loadUnaligned(as: SIMD2<UInt64>.self)
        guard !isInline else { return }
        let copy = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: 1)
        copy.copyMemory(from: blocks[Int(view.pointee.bufferIndex)] + Int(view.pointee.offset), byteCount: length)
        words[1] = UInt64(UInt(bitPattern: copy))
    }

    /// Lets go of the bytes and copies those of a view, into the same memory if they are as many.
    mutating func replace(by view: UnsafePointer<StringView>, _ blocks: UnsafePointer<UnsafeRawPointer>) {
        if !isInline, Int(view.pointee.length) == length, let pointer {
            pointer.copyMemory(from: blocks[Int(view.pointee.bufferIndex)] + Int(view.pointee.offset), byteCount: length)
            words[0] = UnsafeRawPointer(view).loadUnaligned(as: UInt64.self)
        } else {
            free()
            self = OwnedBytes(copying: view, blocks)
        }
    }

    func free() { if !isInline { pointer?.deallocate() } }

    @inline(__always)
    func isEqual(_ view: UnsafePointer<StringView>, _ blocks: UnsafePointer<UnsafeRawPointer>) -> Bool {
        let other = UnsafeRawPointer(view).loadUnaligned(as: SIMD2<UInt64>.self)
        if words[0] != other[0] { return false }
        if isInline { return words[1] == other[1] }
        guard let pointer else { return false }
        return memcmp(pointer, blocks[Int(view.pointee.bufferIndex)] + Int(view.pointee.offset), length) == 0
    }
}

/// A column of some slots' bytes, copied; `validity` is nil if all are there. Throws `limitExceeded` for more bytes than memory has.
func gatherBytes(
    _ stored: UnsafePointer<OwnedBytes>, _ slots: UnsafePointer<Int32>, _ count: Int, type: DataType, validity: Buffer?
) throws(MillstreamError) -> Column {
    let words = Buffer(byteCount: 16 * count)
    let target = words.pointer(as: OwnedBytes.self)
    for place in 0..<count { target[place] = stored[Int(slots[place])] }
    return try copyBytes(words, count, type: type, validity: validity)
}

/// Turns `count` owned bytes, which stay with their owners, into the views of a column with a copy of the long ones; nulls are empty.
func copyBytes(_ words: Buffer, _ count: Int, type: DataType, validity: Buffer?) throws(MillstreamError) -> Column {
    let owned = words.pointer(as: OwnedBytes.self)
    let target = words.pointer(as: SIMD2<UInt64>.self)
    var longByteCount = 0
    for place in 0..<count { longByteCount &+= owned[place].isInline ? 0 : owned[place].length }
    guard longByteCount > 0 else { return Column(type: type, count: count, validity: validity, values: words) }
    guard longByteCount <= Int(Int32.max) else { return try copyManyBytes(owned, count, type: type, validity: validity) }
    let data = try Buffer(checking: longByteCount)
    var end = 0
    for place in 0..<count {
        let bytes = owned[place]
        guard !bytes.isInline, let pointer = bytes.pointer else { continue }
        (data.base + end).copyMemory(from: pointer, byteCount: bytes.length)
        // Buffer 0, at this offset.
        target[place][1] = UInt64(UInt32(truncatingIfNeeded: end)) &<< 32
        end += bytes.length
    }
    return Column(type: type, count: count, validity: validity, values: words, dataBuffers: [data])
}

/// More bytes than the offsets of one data buffer reach.
private func copyManyBytes(
    _ owned: UnsafePointer<OwnedBytes>, _ count: Int, type: DataType, validity: Buffer?
) throws(MillstreamError) -> Column {
    var builder = ViewBuilder()
    for place in 0..<count {
        if let validity, !Bits.get(validity.base, place) {
            try builder.appendNull()
            continue
        }
        let bytes = owned[place]
        if bytes.isInline {
            let start = UnsafeRawPointer(owned + place) + 4
            try builder.append(UnsafeRawBufferPointer(start: start, count: bytes.length))
        } else {
            try builder.append(UnsafeRawBufferPointer(start: bytes.pointer, count: bytes.length))
        }
    }
    return builder.finish(type: type)
}
