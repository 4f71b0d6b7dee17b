#if canImport(Glibc)
    import Glibc
#endif

/// Builds a column of text or bytes.
///
/// Up to 12 bytes live in the view; longer values are copied into blocks that grow from 4 KiB to 1 MiB, or stay where they are in a buffer that
/// the caller shares (a decoder that keeps the file's bytes). Text must be valid UTF-8: the caller checks what comes from outside.
public struct ViewBuilder: ~Copyable {
    /// Views address a block by Int32.
    public static let blockByteCountLimit = Int(Int32.max)
    private static let blockByteCountMin = 4 << 10
    private static let blockByteCountMax = 1 << 20

    @usableFromInline var views = FixedWidthBuilder<StringView>()
    private var blocks: [Buffer] = []
    /// The block that is being filled, its place in `blocks`, and how far it is filled.
    private var block: Buffer?
    private var blockIndex = 0
    private var blockUsed = 0

    public init() {}

    public var count: Int {
        @inlinable get { views.storedCount }
    }

    /// Appends a copy of `bytes`. Throws `limitExceeded` for a value of 2 GiB or more.
    @inlinable
    public mutating func append(_ bytes: UnsafeRawBufferPointer) throws(MillstreamError) {
        if bytes.count <= StringView.inlineByteCount {
            try views.append(StringView(inline: bytes))
        } else {
            try appendLong(bytes)
        }
    }

    /// Appends a string's UTF-8.
    public mutating func append(_ string: String) throws(MillstreamError) {
        var string = string
        var failure: MillstreamError?
        string.withUTF8 { bytes in
            do throws(MillstreamError) { try append(UnsafeRawBufferPointer(bytes)) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Appends a literal's UTF-8.
    public mutating func append(_ string: StaticString) throws(MillstreamError) {
        guard string.hasPointerRepresentation else { return try append(String(describing: string)) }
        try append(UnsafeRawBufferPointer(start: string.utf8Start, count: string.utf8CodeUnitCount))
    }

    /// Appends a null.
    @inlinable
    public mutating func appendNull() throws(MillstreamError) { try views.appendNull() }

    /// Appends `count` nulls.
    public mutating func appendNulls(_ count: Int) throws(MillstreamError) { try views.appendNulls(count) }

    /// Makes room for `additional` more views.
    public mutating func reserve(_ additional: Int) throws(MillstreamError) { try views.reserve(additional) }

    /// Makes a buffer of the caller's part of the column; `appendShared` refers to it by the number returned. Its bytes up to
    /// `blockByteCountLimit` can be addressed.
    public mutating func share(_ buffer: Buffer) -> Int {
        blocks.append(buffer)
        return blocks.count - 1
    }

    /// Appends `length` bytes at `offset` of shared buffer `share` without copying them (unless they fit into the view).
    @inlinable
    public mutating func appendShared(_ share: Int, _ bytes: UnsafeRawBufferPointer, offset: Int) throws(MillstreamError) {
        if bytes.count <= StringView.inlineByteCount {
            try views.append(StringView(inline: bytes))
        } else if bytes.count > Int(Int32.max) || offset > Int(Int32.max) {
            try appendLong(bytes)
        } else {
            try views.append(StringView(bytes: bytes, bufferIndex: share, offset: offset))
        }
    }

    /// The column; the builder is empty again.
    public mutating func finish(type: DataType) -> Column {
        let (values, validity, count) = views.finishBuffers()
        let column = Column(type: type, count: count, validity: validity, values: values, dataBuffers: blocks)
        blocks = []
        block = nil
        blockUsed = 0
        return column
    }

    @usableFromInline
    @inline(never)
    mutating func appendLong(_ bytes: UnsafeRawBufferPointer) throws(MillstreamError) {
        guard let source = bytes.baseAddress else { return try views.append(StringView(inline: bytes)) }
        guard bytes.count <= ViewBuilder.blockByteCountLimit else {
            throw MillstreamError(.limitExceeded, "a value of \(bytes.count) bytes; text and bytes hold at most \(Int32.max)")
        }
        if block == nil || blockUsed + bytes.count > block?.byteCount ?? 0 { try startBlock(atLeast: bytes.count) }
        guard let block else { return }
        memcpy(block.base + blockUsed, source, bytes.count)
        try views.append(StringView(bytes: bytes, bufferIndex: blockIndex, offset: blockUsed))
        blockUsed += bytes.count
    }

    private mutating func startBlock(atLeast byteCount: Int) throws(MillstreamError) {
        let next = min(ViewBuilder.blockByteCountMax, max(ViewBuilder.blockByteCountMin, 4 &* (block?.byteCount ?? 0)))
        let buffer = try Buffer(checking: max(next, byteCount))
        blocks.append(buffer)
        block = buffer
        blockIndex = blocks.count - 1
        blockUsed = 0
    }
}
