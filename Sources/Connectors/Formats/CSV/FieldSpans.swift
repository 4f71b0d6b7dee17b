/// The fields of a run of records, column by column: each a place and a length, packed into one word.
///
/// A place with `sideBit` is in `side`, where fields go whose text differs from the file's (doubled quotes, escapes).
final class FieldSpans {
    /// The packed word of a field that is NULL or missing.
    static let null = UInt64.max
    static let sideBit = 1 << 31

    let columnCount: Int
    private(set) var rowCapacity = 0
    private(set) var spans: UnsafeMutablePointer<UInt64>
    let side = TextBuffer(capacity: 256)

    init(columnCount: Int) {
        self.columnCount = columnCount
        spans = .allocate(capacity: 1)
    }

    deinit { spans.deallocate() }

    /// Makes room for `rowCount` rows; what was there is gone.
    func prepare(rowCount: Int) {
        side.clear()
        guard rowCount > rowCapacity else { return }
        spans.deallocate()
        rowCapacity = rowCount
        spans = .allocate(capacity: max(1, rowCount * columnCount))
    }

    func column(_ index: Int) -> UnsafeMutablePointer<UInt64> { spans + index * rowCapacity }

    @inline(__always)
    static func pack(_ start: Int, _ length: Int) -> UInt64 {
        UInt64(truncatingIfNeeded: start) | UInt64(truncatingIfNeeded: length) &<< 32
    }

    @inline(__always)
    static func start(_ span: UInt64) -> Int { Int(span & 0xFFFF_FFFF) }

    @inline(__always)
    static func length(_ span: UInt64) -> Int { Int(span &>> 32) }
}
