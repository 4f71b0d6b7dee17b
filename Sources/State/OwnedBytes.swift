import Columnar
#if canImport(Glibc)
import Glibc
#endif

/// A text or bytes that a slot owns: up to 12 bytes inline, as in Arrow's views, else four bytes of prefix and an allocation of its own, which may be
/// larger than the text.
///
/// The first word is the same as a view's (length and prefix), so that most comparisons end there. Whoever holds one calls `free` once.
struct OwnedBytes: BitwiseCopyable {
    var words: SIMD2<UInt64>

    static let empty = OwnedBytes(words: SIMD2(0, 0))
    /// No text at all, for those who keep no flag beside it; it has no length and nothing to free.
    static let absent = OwnedBytes(words: SIMD2(0, 1))

    @inline(__always)
    var isAbsent: Bool { words == Self.absent.words }

    @inline(__always)
    var length: Int { Int(UInt32(truncatingIfNeeded: words[0])) }
    @inline(__always)
    var isInline: Bool { length <= StringView.inlineByteCount }
    /// Where the bytes of a long one are.
    @inline(__always)
    var pointer: UnsafeMutableRawPointer? { UnsafeMutableRawPointer(bitPattern: UInt(words[1])) }

    init(words: SIMD2<UInt64>) { self.words = words }

    /// What a view names, where it is: valid as long as the column, and never freed.
    @inline(__always)
    init(borrowing view: UnsafePointer<StringView>, _ blocks: UnsafePointer<UnsafeRawPointer>) {
        words = UnsafeRawPointer(view).loadUnaligned(as: SIMD2<UInt64>.self)
        if !isInline { words[1] = UInt64(UInt(bitPattern: blocks[Int(view.pointee.bufferIndex)] + Int(view.pointee.offset))) }
        if length == 0 { self = .empty }
    }

    /// A copy of the bytes that a view names.
    init(copying view: UnsafePointer<StringView>, _ blocks: UnsafePointer<UnsafeRawPointer>) {
        self = .empty
        replace(by: OwnedBytes(borrowing: view, blocks))
    }

    /// Lets go of the bytes and copies others.
    ///
    /// Texts of varying length find room where the last one was: memory that is too small is replaced by half as much again, so that a growing text is moved
    /// seldom, and memory of which little would be used goes.
    mutating func replace(by other: OwnedBytes) {
        let length = other.length
        guard !other.isInline, let source = other.pointer else {
            free()
            words = other.words
            return
        }
        if !isInline, let pointer {
            let capacity = (pointer - Self.headerByteCount).load(as: Int.self)
            if length <= capacity, capacity <= Self.wastedFactorMax * length {
                pointer.copyMemory(from: source, byteCount: length)
                words[0] = other.words[0]
                return
            }
            free()
            allocate(length <= capacity ? length : max(length, capacity + capacity / 2))
        } else {
            allocate(length)
        }
        pointer?.copyMemory(from: source, byteCount: length)
        words[0] = other.words[0]
    }

    /// Memory of more than so many times the text's length is given back.
    private static let wastedFactorMax = 8
    /// In front of the bytes: how many there is room for.
    private static let headerByteCount = 8
    /// Rooms are multiples of it, as those of the allocator are.
    private static let granule = 16

    private mutating func allocate(_ byteCount: Int) {
        let capacity = (byteCount + Self.granule - 1) / Self.granule * Self.granule
        let start = UnsafeMutableRawPointer.allocate(byteCount: Self.headerByteCount + capacity, alignment: 8)
        start.storeBytes(of: capacity, as: Int.self)
        words[1] = UInt64(UInt(bitPattern: start + Self.headerByteCount))
    }

    func free() {
        if !isInline, let pointer { (pointer - Self.headerByteCount).deallocate() }
    }

    /// The order of the bytes: less than 0, 0 or more than 0.
    @inline(__always)
    func compare(_ other: OwnedBytes) -> Int {
        // The first four bytes, zero padded, decide mostly; where they are equal, all are compared.
        let prefix = UInt32(truncatingIfNeeded: words[0] &>> 32).byteSwapped
        let otherPrefix = UInt32(truncatingIfNeeded: other.words[0] &>> 32).byteSwapped
        if prefix != otherPrefix { return prefix < otherPrefix ? -1 : 1 }
        return compareAll(other)
    }

    private func compareAll(_ other: OwnedBytes) -> Int {
        let order = withBytes { bytes in other.withBytes { memcmp(bytes, $0, min(length, other.length)) } }
        return order == 0 ? length - other.length : Int(order)
    }

    /// The address of the bytes, inline or not.
    @inline(__always)
    private func withBytes<Result>(_ body: (UnsafeRawPointer) -> Result) -> Result {
        if !isInline, let pointer { return body(UnsafeRawPointer(pointer)) }
        return withUnsafeBytes(of: words) { body($0.baseAddress.unsafelyUnwrapped + 4) }
    }

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
