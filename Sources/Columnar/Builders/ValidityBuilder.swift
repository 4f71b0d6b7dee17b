#if canImport(Glibc)
    import Glibc
#endif

/// The validity bitmap of a column under construction. It exists from the first null on.
///
/// Invariant: every bit that was not cleared is set, up to the capacity, so that appending a value touches no bitmap.
@usableFromInline
struct ValidityBuilder: ~Copyable {
    private var bitmap: Buffer?
    private var capacity = 0

    @usableFromInline
    init() {}

    /// Marks value `index` as null; `capacity` is how many values the column has room for.
    @usableFromInline
    mutating func clear(_ index: Int, capacity: Int) throws(MillstreamError) {
        try reserve(max(capacity, index + 1), create: true)
        if let bitmap { Bits.clear(bitmap.base, index) }
    }

    /// Marks `count` values from `start` on as null.
    mutating func clear(_ start: Int, count: Int, capacity: Int) throws(MillstreamError) {
        guard count > 0 else { return }
        try reserve(max(capacity, start + count), create: true)
        if let bitmap { Bits.fill(bitmap.base, offset: start, count: count, false) }
    }

    /// Makes room after the values' own buffer grew.
    @usableFromInline
    mutating func grow(capacity: Int) throws(MillstreamError) {
        try reserve(capacity, create: false)
    }

    /// Takes over the validity of `count` values of `column`, from its value `first` on.
    mutating func copy(from column: Column, _ first: Int, to start: Int, count: Int, capacity: Int) throws(MillstreamError) {
        if column.type.kind == .null { return try clear(start, count: count, capacity: capacity) }
        guard let source = column.validity, count > 0 else { return }
        try reserve(max(capacity, start + count), create: true)
        guard let bitmap else { return }
        Bits.copy(from: source.base, column.offset + first, to: bitmap.base, start, count: count)
    }

    /// The bitmap, or nil if there were no nulls. The builder is empty again.
    mutating func finish() -> Buffer? {
        let result = bitmap
        bitmap = nil
        capacity = 0
        return result
    }

    private mutating func reserve(_ needed: Int, create: Bool) throws(MillstreamError) {
        guard bitmap != nil ? needed > capacity : create else { return }
        let target = Bits.byteCount(max(needed, 512, capacity &* 2))
        let grown = try Buffer(checking: target)
        memset(grown.base, 0xff, target)
        if let bitmap { memcpy(grown.base, bitmap.base, bitmap.byteCount) }
        bitmap = grown
        capacity = target << 3
    }
}
