#if canImport(Glibc)
    import Glibc
#endif

/// Builds a column of fixed-width values: integers, floating-point numbers, decimals (Int128), dates, times, timestamps.
///
/// Values go straight into the column's buffer; `finish` copies nothing and leaves the builder empty for the next column.
public struct FixedWidthBuilder<Element: BitwiseCopyable>: ~Copyable {
    public var count: Int {
        @inlinable get { storedCount }
    }
    @usableFromInline var storedCount = 0
    @usableFromInline var capacity = 0
    @usableFromInline var base: UnsafeMutablePointer<Element>?
    @usableFromInline var values: Buffer?
    @usableFromInline var validity = ValidityBuilder()

    public init() {}

    /// Appends a value. Throws `limitExceeded` beyond `Column.countLimit` values.
    @inlinable
    public mutating func append(_ value: Element) throws(MillstreamError) {
        if storedCount == capacity { try grow(by: 1) }
        base.unsafelyUnwrapped[storedCount] = value
        storedCount &+= 1
    }

    /// Appends a value for which `reserve` made room.
    @inlinable
    public mutating func appendReserved(_ value: Element) {
        base.unsafelyUnwrapped[storedCount] = value
        storedCount &+= 1
    }

    /// Appends a null.
    @inlinable
    public mutating func appendNull() throws(MillstreamError) {
        if storedCount == capacity { try grow(by: 1) }
        memsetZero(base.unsafelyUnwrapped + storedCount)
        try validity.clear(storedCount, capacity: capacity)
        storedCount &+= 1
    }

    /// Appends `count` nulls.
    public mutating func appendNulls(_ count: Int) throws(MillstreamError) {
        guard count > 0 else { return }
        try reserve(count)
        memset(base.unsafelyUnwrapped + storedCount, 0, count * MemoryLayout<Element>.stride)
        try validity.clear(storedCount, count: count, capacity: capacity)
        storedCount += count
    }

    /// Appends a run of values.
    public mutating func append(contentsOf elements: UnsafeBufferPointer<Element>) throws(MillstreamError) {
        guard let source = elements.baseAddress, elements.count > 0 else { return }
        try reserve(elements.count)
        memcpy(base.unsafelyUnwrapped + storedCount, source, elements.count * MemoryLayout<Element>.stride)
        storedCount += elements.count
    }

    /// Appends `length` values of a column of the same layout, nulls included.
    public mutating func append(from column: Column, _ start: Int, _ length: Int) throws(MillstreamError) {
        guard length > 0 else { return }
        if column.type.kind == .null { return try appendNulls(length) }
        let place = storedCount
        try append(contentsOf: UnsafeBufferPointer(start: column.pointer(as: Element.self) + start, count: length))
        try validity.copy(from: column, start, to: place, count: length, capacity: capacity)
    }

    /// Makes room for `additional` more values.
    @inlinable
    public mutating func reserve(_ additional: Int) throws(MillstreamError) {
        if additional > capacity &- storedCount { try grow(by: additional) }
    }

    /// The values so far, for a builder of sums or offsets that has to look back; valid until the next append.
    public var pointer: UnsafeMutablePointer<Element>? { base }

    /// The column; the builder is empty again.
    public mutating func finish(type: DataType) -> Column {
        let column = Column(
            type: type, count: storedCount, validity: validity.finish(), values: values ?? Buffer(byteCount: 0))
        values = nil
        base = nil
        capacity = 0
        storedCount = 0
        return column
    }

    /// The value buffer and the bitmap alone, for builders of other layouts.
    mutating func finishBuffers() -> (values: Buffer, validity: Buffer?, count: Int) {
        let result = (values ?? Buffer(byteCount: 0), validity.finish(), storedCount)
        values = nil
        base = nil
        capacity = 0
        storedCount = 0
        return result
    }

    @usableFromInline
    @inline(never)
    mutating func grow(by additional: Int) throws(MillstreamError) {
        let target = try grownCapacity(capacity, count: storedCount, additional: additional)
        let buffer = try Buffer(checking: target * MemoryLayout<Element>.stride)
        if let values { memcpy(buffer.base, values.base, storedCount * MemoryLayout<Element>.stride) }
        try validity.grow(capacity: target)
        values = buffer
        base = buffer.pointer(as: Element.self)
        capacity = target
    }

    @usableFromInline
    func memsetZero(_ place: UnsafeMutablePointer<Element>) {
        memset(place, 0, MemoryLayout<Element>.stride)
    }
}

/// The capacity after growth: doubled, at least 64, at most `Column.countLimit`. Throws `limitExceeded` where that is too little.
func grownCapacity(_ capacity: Int, count: Int, additional: Int) throws(MillstreamError) -> Int {
    let (needed, overflow) = count.addingReportingOverflow(additional)
    guard !overflow, additional >= 0, needed <= Column.countLimit else {
        throw MillstreamError(.limitExceeded, "a column holds at most \(Column.countLimit) values", hint: "Use smaller batches.")
    }
    return min(Column.countLimit, max(needed, max(64, capacity &* 2)))
}
