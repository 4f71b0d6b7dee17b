/// Reads the values of a column of text or bytes in a loop: the places of the data are looked up once, and no reference count is touched per row.
///
/// `Column.bytes` is for single values. The bytes live as long as the reader or the column.
public struct ViewReader: @unchecked Sendable {
    @usableFromInline let views: UnsafePointer<StringView>
    @usableFromInline let blocks: UnsafePointer<UnsafeRawPointer>
    private let column: Column
    private let bases: Buffer

    public init(_ column: Column) {
        self.column = column
        bases = Buffer.copying(column.dataBuffers.map { UnsafeRawPointer($0.base) })
        views = UnsafePointer(column.pointer(as: StringView.self))
        blocks = UnsafePointer(bases.pointer(as: UnsafeRawPointer.self))
    }

    /// The bytes of a value; undefined where null.
    @inlinable
    public subscript(_ index: Int) -> UnsafeRawBufferPointer { viewBytes(views + index, blocks) }
}
