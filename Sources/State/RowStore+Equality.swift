import Columnar
#if canImport(Glibc)
import Glibc
#endif

/// Compares rows of a batch with rows of a store, one pair at a time: the columns are looked at once, so that a pair touches no reference count. Equal as
/// `Column.isEqual` says. Valid while the store has room for no more slots than when it was made.
public final class RowComparer {
    private struct FlatField {
        let field: RecordLayout.Field
        let kind: DataType.Kind
        let values: UnsafeRawPointer
        let validity: UnsafeRawPointer?
        let offset: Int
        /// Where the data of views is.
        let blocks: UnsafePointer<UnsafeRawPointer>?
        /// Whether all values are null because their type is NULL.
        let isNull: Bool
    }

    private let store: RowStore
    private let columns: [Column]
    private let flat: [FlatField]
    /// Nested columns: the place among the store's nested ones, and the position.
    private let nested: [(place: Int, position: Int)]
    private let blockLists: [Buffer]

    /// Of `columns`, which are as the store's, those at `positions` are compared; nil: all.
    public init(_ store: RowStore, _ columns: [Column], on positions: [Int]? = nil) throws(MillstreamError) {
        try store.check(columns, columns.first?.count ?? 0)
        self.store = store
        self.columns = columns
        func counts(_ column: Int) -> Bool { positions?.contains(column) ?? true }
        var flat: [FlatField] = []
        var lists: [Buffer] = []
        for field in store.layout.fields where counts(field.column) {
            let column = columns[field.column]
            var blocks: UnsafePointer<UnsafeRawPointer>?
            if field.storage == .bytes {
                let list = Buffer.copying(column.dataBuffers.map { UnsafeRawPointer($0.base) })
                blocks = UnsafePointer(list.pointer(as: UnsafeRawPointer.self))
                lists.append(list)
            }
            guard let values = column.values else { throw .internal("a column of \(column.type) has no values") }
            flat.append(
                FlatField(
                    field: field, kind: column.type.kind, values: UnsafeRawPointer(values.base), validity: column.validity.map { UnsafeRawPointer($0.base) },
                    offset: column.offset, blocks: blocks, isNull: column.type.kind == .null))
        }
        self.flat = flat
        blockLists = lists
        nested = store.layout.others.enumerated().filter { counts($0.element) }.map { ($0.offset, $0.element) }
    }

    /// Whether a row of the batch is that of a slot, which has one. Throws `userFunction` where a host's comparison failed.
    public func isEqual(row: Int, slot: Int) throws(MillstreamError) -> Bool {
        let record = UnsafeRawPointer(store.records) + slot &* store.layout.stride
        for place in flat.indices {
            guard try isEqual(flat[place], row, record) else { return false }
        }
        guard !nested.isEmpty else { return true }
        guard let stored = store.nested?.place(of: slot) else { throw .internal("slot \(slot) of a row store has no row") }
        for (place, position) in nested {
            guard try columns[position].isEqual(at: row, to: stored.columns[place], at: stored.row) else { return false }
        }
        return true
    }

    @inline(__always)
    private func isEqual(_ flat: FlatField, _ row: Int, _ record: UnsafeRawPointer) throws(MillstreamError) -> Bool {
        let index = flat.offset &+ row
        let isThere = (record + flat.field.flagByteOffset).load(as: UInt64.self) & flat.field.flag != 0
        let isHere = !flat.isNull && flat.validity.map { Bits.get($0, index) } ?? true
        if !isThere || !isHere { return isThere == isHere }
        let place = record + flat.field.byteOffset
        switch flat.field.storage {
        case .bits: return (place.load(as: UInt8.self) != 0) == Bits.get(flat.values, index)
        case .fixed(let byteWidth):
            let value = flat.values + index &* byteWidth
            switch flat.kind {
            case .float:
                let (left, right) = (place.loadUnaligned(as: Float.self), value.loadUnaligned(as: Float.self))
                return left == right || left != left && right != right
            case .double:
                let (left, right) = (place.loadUnaligned(as: Double.self), value.loadUnaligned(as: Double.self))
                return left == right || left != left && right != right
            default: return memcmp(place, value, byteWidth) == 0
            }
        case .bytes:
            guard let blocks = flat.blocks else { return false }
            let view = (flat.values + index &* 16).assumingMemoryBound(to: StringView.self)
            let own = place.loadUnaligned(as: OwnedBytes.self)
            // An empty text may have anything behind its length.
            return view.pointee.length == 0 ? own.length == 0 : own.isEqual(view, blocks)
        case .handles:
            guard let objects = store.hostObjects else { return false }
            let answer = objects.equal(
                place.load(as: HostObjects.Handle?.self), (flat.values + index &* 8).load(as: HostObjects.Handle?.self))
            guard answer >= 0 else { throw MillstreamError(.userFunction, "two values of the host cannot be compared") }
            return answer == 1
        }
    }
}
