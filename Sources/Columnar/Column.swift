/// An immutable run of values of one type, in Arrow's physical layout.
///
/// Invariants:
/// - `offset + count` values lie in the buffers; `slice` moves the window and copies nothing.
/// - `validity` is nil or a bitmap of at least `offset + count` bits; a set bit means the value is there.
/// - `values` holds bits, fixed-width values, 16-byte views, Int32 list offsets or handles, as `type.layout` says; it is nil for ROW and NULL.
/// - A child of a ROW has at least `offset + count` values and the row's offset applies to it; a list's offsets index its child from the child's own start.
/// - A column of type OBJECT has `hostObjects`; its buffer, or the owner that its buffer keeps, holds the references.
/// Any thread may read and drop a column.
public final class Column: @unchecked Sendable {
    public let type: DataType
    public let count: Int
    public let offset: Int
    public let validity: Buffer?
    public let values: Buffer?
    /// The data that views longer than 12 bytes point into.
    public let dataBuffers: [Buffer]
    /// ARRAY: the elements. MAP and MULTISET: one ROW of key and value. ROW: the fields.
    public let children: [Column]
    public let hostObjects: HostObjects?

    public init(
        type: DataType, count: Int, offset: Int = 0, validity: Buffer? = nil, values: Buffer?, dataBuffers: [Buffer] = [],
        children: [Column] = [], hostObjects: HostObjects? = nil
    ) {
        self.type = type
        self.count = count
        self.offset = offset
        self.validity = validity
        self.values = values ?? (type.layout == .null || type.layout == .row ? nil : Column.noValues)
        self.dataBuffers = dataBuffers
        self.children = children
        self.hostObjects = hostObjects
    }

    /// How many values a column may have: selections and list offsets are Int32.
    public static let countLimit = Int(Int32.max)

    /// The values from `start` on, sharing all memory.
    public func slice(_ start: Int, _ length: Int) -> Column {
        precondition(start >= 0 && length >= 0 && start + length <= count, "slice out of range")
        if start == 0 && length == count { return self }
        return Column(
            type: type, count: length, offset: offset + start, validity: validity, values: values, dataBuffers: dataBuffers,
            children: children, hostObjects: hostObjects)
    }

    /// The same memory under another type of the same layout (a cast that changes no byte).
    public func retyped(_ type: DataType) -> Column {
        precondition(type.layout == self.type.layout, "retyped to another layout")
        return Column(
            type: type, count: count, offset: offset, validity: validity, values: values, dataBuffers: dataBuffers, children: children,
            hostObjects: hostObjects)
    }

    /// Stands in where an empty column was made without a buffer, so that no loop over no values meets a nil; also the one offset of no lists.
    private static let noValues = Buffer.zeroed(byteCount: Buffer.alignment)

    /// Whether there may be nulls. A column with a bitmap may still have none; `nullCount` counts.
    public var mayHaveNulls: Bool { validity != nil || type.kind == .null }

    /// How many values are null; counted anew at each call.
    public var nullCount: Int {
        if type.kind == .null { return count }
        guard let validity else { return 0 }
        return count - Bits.popcount(validity.base, offset: offset, count: count)
    }

    @inlinable
    public func isNull(_ index: Int) -> Bool {
        guard let validity else { return type.kind == .null }
        return !Bits.get(validity.base, offset &+ index)
    }

    /// The fixed-width values of the window, from `offset` on. Element must have the layout's width; the caller keeps the column alive.
    @inlinable
    public func pointer<Element: BitwiseCopyable>(as element: Element.Type) -> UnsafeMutablePointer<Element> {
        values.unsafelyUnwrapped.pointer(as: Element.self) + offset
    }

    /// A value of a BOOLEAN column; undefined where null.
    @inlinable
    public func bit(_ index: Int) -> Bool { Bits.get(values.unsafelyUnwrapped.base, offset &+ index) }

    /// A value's bytes in a column of views; undefined where null. The caller keeps the column alive.
    @inlinable
    public func bytes(_ index: Int) -> UnsafeRawBufferPointer {
        let view = values.unsafelyUnwrapped.pointer(as: StringView.self) + (offset &+ index)
        let length = Int(view.pointee.length)
        if length <= StringView.inlineByteCount {
            return UnsafeRawBufferPointer(start: UnsafeRawPointer(view) + 4, count: length)
        }
        let buffer = dataBuffers[Int(view.pointee.bufferIndex)]
        return UnsafeRawBufferPointer(start: UnsafeRawPointer(buffer.base) + Int(view.pointee.offset), count: length)
    }

    /// The range of a list's elements in `children[0]`; meaningless where null.
    @inlinable
    public func listRange(_ index: Int) -> Range<Int> {
        let offsets = values.unsafelyUnwrapped.pointer(as: Int32.self) + (offset &+ index)
        return Int(offsets[0])..<Int(offsets[1])
    }

    /// A ROW's field over the row's own window.
    public func field(_ index: Int) -> Column { children[index].slice(offset, count) }

    /// Roughly how many bytes the window takes, for the bounds of exchanges and of memory. Handles count as 64 bytes: their values are not ours to measure.
    public var byteCount: Int {
        let own: Int
        switch type.layout {
        case .null: own = 0
        case .bits: own = Bits.byteCount(count)
        case .fixed(let byteWidth): own = byteWidth * count
        case .handles: own = 64 * count
        case .list:
            own = 4 * count
            guard count > 0 else { return 0 }
            let elements = listRange(0).lowerBound..<listRange(count - 1).upperBound
            guard elements.count > 0 else { return own }
            return own + children[0].slice(elements.lowerBound, elements.count).byteCount
        case .row: return children.reduce(0) { $0 + $1.slice(offset, count).byteCount }
        case .views:
            var total = 16 * count
            let views = pointer(as: StringView.self)
            for index in 0..<count where views[index].length > StringView.inlineByteCount { total &+= Int(views[index].length) }
            own = total
        }
        return own + (validity == nil ? 0 : Bits.byteCount(count))
    }
}

/// Arrow's 16-byte string view: up to 12 bytes inline, or a 4-byte prefix and a place in a data buffer.
@frozen
public struct StringView: BitwiseCopyable, Sendable {
    public static let inlineByteCount = 12

    public var length: Int32
    /// The first four bytes, zero padded.
    public var prefix: UInt32
    /// Bytes 4...7 of an inline value, or the index of the data buffer.
    public var bufferIndex: Int32
    /// Bytes 8...11 of an inline value, or the offset in the data buffer.
    public var offset: Int32

    @inlinable
    public init(length: Int32, prefix: UInt32, bufferIndex: Int32, offset: Int32) {
        self.length = length
        self.prefix = prefix
        self.bufferIndex = bufferIndex
        self.offset = offset
    }

    /// The view of at most 12 bytes.
    @inlinable
    public init(inline bytes: UnsafeRawBufferPointer) {
        var words: (UInt32, UInt32, UInt32) = (0, 0, 0)
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: bytes) }
        self.init(
            length: Int32(truncatingIfNeeded: bytes.count), prefix: words.0, bufferIndex: Int32(bitPattern: words.1),
            offset: Int32(bitPattern: words.2))
    }

    /// The view of more than 12 bytes at `offset` of data buffer `bufferIndex`.
    @inlinable
    public init(bytes: UnsafeRawBufferPointer, bufferIndex: Int, offset: Int) {
        self.init(
            length: Int32(truncatingIfNeeded: bytes.count), prefix: bytes.loadUnaligned(as: UInt32.self),
            bufferIndex: Int32(truncatingIfNeeded: bufferIndex), offset: Int32(truncatingIfNeeded: offset))
    }
}
