#if canImport(Glibc)
    import Glibc
#endif

/// A reference-counted run of bytes that columns share.
///
/// Invariants: `base` is aligned to 64 bytes if the buffer was allocated here, and to whatever the owner gave otherwise; the bytes do not
/// change once a column refers to them. Builders write before they publish. Any thread may read and drop a buffer.
public final class Buffer: @unchecked Sendable {
    /// Arrow recommends 64-byte alignment; it also lets every vector width load aligned.
    public static let alignment = 64

    public let base: UnsafeMutableRawPointer
    public let byteCount: Int
    /// Keeps alive what the bytes belong to or point into (an imported Arrow array, the owner of handles).
    private let owner: AnyObject?
    private let freesBytes: Bool

    /// Bytes with undefined content. `owner`, if given, lives as long as the buffer: a gathered column of handles borrows them from it.
    public init(byteCount: Int, keeping owner: AnyObject? = nil) {
        self.byteCount = byteCount
        var pointer: UnsafeMutableRawPointer?
        let status = posix_memalign(&pointer, Buffer.alignment, max(byteCount, Buffer.alignment))
        // Out of memory cannot be handled further down: Linux overcommits, and the kernel ends the process first.
        guard status == 0, let pointer else { preconditionFailure("out of memory: \(byteCount) bytes") }
        base = pointer
        self.owner = owner
        freesBytes = true
    }

    /// Bytes with undefined content, or an error where the size, which may come from data, cannot be had.
    public init(checking byteCount: Int, keeping owner: AnyObject? = nil) throws(MillstreamError) {
        var pointer: UnsafeMutableRawPointer?
        guard byteCount >= 0, posix_memalign(&pointer, Buffer.alignment, max(byteCount, Buffer.alignment)) == 0, let pointer else {
            throw MillstreamError(.limitExceeded, "cannot allocate \(byteCount) bytes", domain: .external)
        }
        base = pointer
        self.byteCount = byteCount
        self.owner = owner
        freesBytes = true
    }

    /// What keeps alive the things that these bytes point to: a gathered buffer of handles keeps this, and no chain of buffers grows.
    public var keeper: AnyObject { owner ?? self }

    /// Bytes that belong to `owner`, which lives as long as the buffer.
    public init(unowned base: UnsafeRawPointer, byteCount: Int, owner: AnyObject) {
        self.base = UnsafeMutableRawPointer(mutating: base)
        self.byteCount = byteCount
        self.owner = owner
        freesBytes = false
    }

    deinit {
        if freesBytes { free(base) }
    }

    /// Zero bytes.
    public static func zeroed(byteCount: Int) -> Buffer {
        let buffer = Buffer(byteCount: byteCount)
        memset(buffer.base, 0, byteCount)
        return buffer
    }

    /// A copy of `elements`.
    public static func copying<Element: BitwiseCopyable>(_ elements: UnsafeBufferPointer<Element>) -> Buffer {
        let byteCount = elements.count * MemoryLayout<Element>.stride
        let buffer = Buffer(byteCount: byteCount)
        if byteCount > 0, let source = elements.baseAddress { memcpy(buffer.base, source, byteCount) }
        return buffer
    }

    /// A copy of `elements`.
    public static func copying<Element: BitwiseCopyable>(_ elements: [Element]) -> Buffer {
        elements.withUnsafeBufferPointer { copying($0) }
    }

    /// The bytes as elements of a type; the caller keeps the buffer alive and the index in range.
    @inlinable
    public func pointer<Element: BitwiseCopyable>(as type: Element.Type) -> UnsafeMutablePointer<Element> {
        base.assumingMemoryBound(to: Element.self)
    }
}

/// Bit arrays as Arrow lays them out: least significant bit first.
public enum Bits {
    @inlinable
    public static func get(_ base: UnsafeRawPointer, _ index: Int) -> Bool {
        (base.load(fromByteOffset: index &>> 3, as: UInt8.self) &>> UInt8(truncatingIfNeeded: index & 7)) & 1 != 0
    }

    @inlinable
    public static func set(_ base: UnsafeMutableRawPointer, _ index: Int) {
        let byte = base.assumingMemoryBound(to: UInt8.self) + (index &>> 3)
        byte.pointee |= 1 &<< UInt8(truncatingIfNeeded: index & 7)
    }

    @inlinable
    public static func clear(_ base: UnsafeMutableRawPointer, _ index: Int) {
        let byte = base.assumingMemoryBound(to: UInt8.self) + (index &>> 3)
        byte.pointee &= ~(1 &<< UInt8(truncatingIfNeeded: index & 7))
    }

    /// The bytes that `count` bits need.
    @inlinable
    public static func byteCount(_ count: Int) -> Int { (count &+ 7) &>> 3 }

    /// Up to 64 bits from `index` on as a word, without reading a byte beyond the last of the `count` bits.
    @inlinable
    public static func word(_ base: UnsafeRawPointer, _ index: Int, count: Int) -> UInt64 {
        let byteIndex = index &>> 3
        let shift = UInt64(truncatingIfNeeded: index & 7)
        let bytesNeeded = ((index & 7) &+ count &+ 7) &>> 3
        var low: UInt64 = 0
        if bytesNeeded >= 8 {
            low = base.loadUnaligned(fromByteOffset: byteIndex, as: UInt64.self)
        } else {
            var place = 0
            while place < bytesNeeded {
                low |= UInt64(base.load(fromByteOffset: byteIndex &+ place, as: UInt8.self)) &<< UInt64(truncatingIfNeeded: 8 &* place)
                place &+= 1
            }
        }
        var word = low &>> shift
        if bytesNeeded > 8 {
            word |= UInt64(base.load(fromByteOffset: byteIndex &+ 8, as: UInt8.self)) &<< (64 &- shift)
        }
        return count >= 64 ? word : word & ((1 &<< UInt64(truncatingIfNeeded: count)) &- 1)
    }

    /// Copies `count` bits from `sourceOffset` of one array to `targetOffset` of another; the bits around them stay.
    public static func copy(
        from source: UnsafeRawPointer, _ sourceOffset: Int, to target: UnsafeMutableRawPointer, _ targetOffset: Int, count: Int
    ) {
        var done = 0
        while done < count, (targetOffset + done) & 7 != 0 {
            assign(target, targetOffset + done, get(source, sourceOffset + done))
            done += 1
        }
        while done + 64 <= count {
            let word = word(source, sourceOffset + done, count: 64)
            target.storeBytes(of: word, toByteOffset: (targetOffset + done) >> 3, as: UInt64.self)
            done += 64
        }
        while done < count {
            assign(target, targetOffset + done, get(source, sourceOffset + done))
            done += 1
        }
    }

    /// Sets `count` bits from `offset` on to `value`.
    public static func fill(_ base: UnsafeMutableRawPointer, offset: Int, count: Int, _ value: Bool) {
        var index = offset
        let end = offset + count
        while index < end, index & 7 != 0 {
            assign(base, index, value)
            index += 1
        }
        let whole = (end - index) >> 3
        if whole > 0 {
            memset(base + (index >> 3), value ? 0xff : 0, whole)
            index += whole << 3
        }
        while index < end {
            assign(base, index, value)
            index += 1
        }
    }

    @inlinable
    public static func assign(_ base: UnsafeMutableRawPointer, _ index: Int, _ value: Bool) {
        if value { set(base, index) } else { clear(base, index) }
    }

    /// How many of the `count` bits from `offset` on are set.
    public static func popcount(_ base: UnsafeRawPointer, offset: Int, count: Int) -> Int {
        var total = 0
        var index = offset
        let end = offset + count
        while index < end, index & 7 != 0 {
            if get(base, index) { total += 1 }
            index += 1
        }
        while index + 64 <= end {
            total += base.loadUnaligned(fromByteOffset: index >> 3, as: UInt64.self).nonzeroBitCount
            index += 64
        }
        while index < end {
            if get(base, index) { total += 1 }
            index += 1
        }
        return total
    }
}
