#if canImport(Glibc)
    import Glibc
#endif

/// Builds a BOOLEAN column, one bit a value.
public struct BooleanBuilder: ~Copyable {
    public private(set) var count = 0
    private var capacity = 0
    private var values: Buffer?
    private var validity = ValidityBuilder()

    public init() {}

    /// Appends a value. Throws `limitExceeded` beyond `Column.countLimit` values.
    public mutating func append(_ value: Bool) throws(MillstreamError) {
        try reserve(1)
        if value, let values { Bits.set(values.base, count) }
        count &+= 1
    }

    /// Appends a null.
    public mutating func appendNull() throws(MillstreamError) {
        try reserve(1)
        try validity.clear(count, capacity: capacity)
        count &+= 1
    }

    /// Appends `length` values of a BOOLEAN column, nulls included.
    public mutating func append(from column: Column, _ start: Int, _ length: Int) throws(MillstreamError) {
        try reserve(length)
        try validity.copy(from: column, start, to: count, count: length, capacity: capacity)
        if let values, let source = column.values {
            Bits.copy(from: source.base, column.offset + start, to: values.base, count, count: length)
        }
        count += length
    }

    /// Makes room for `additional` more values.
    public mutating func reserve(_ additional: Int) throws(MillstreamError) {
        guard additional > capacity &- count else { return }
        let target = (try grownCapacity(capacity, count: count, additional: additional) + 7) & ~7
        let buffer = try Buffer(checking: Bits.byteCount(target))
        memset(buffer.base, 0, buffer.byteCount)
        if let values { memcpy(buffer.base, values.base, Bits.byteCount(count)) }
        try validity.grow(capacity: target)
        values = buffer
        capacity = target
    }

    /// The column; the builder is empty again.
    public mutating func finish(type: DataType = .boolean) -> Column {
        let column = Column(type: type, count: count, validity: validity.finish(), values: values ?? Buffer(byteCount: 0))
        values = nil
        count = 0
        capacity = 0
        return column
    }
}
