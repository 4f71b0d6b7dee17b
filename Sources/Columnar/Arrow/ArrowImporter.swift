import CMillstream

/// What an import may assume.
public struct ArrowImportOptions: Sendable {
    /// Takes integers that are marked as millstream.object for handles of this host. Only for arrays that come from the host of this very process.
    public var hostObjects: HostObjects?
    /// Whether the array brings a reference for each non-null handle. If not, the handles live as long as the array.
    public var ownsHandles: Bool

    public init(hostObjects: HostObjects? = nil, ownsHandles: Bool = false) {
        self.hostObjects = hostObjects
        self.ownsHandles = ownsHandles
    }
}

/// Imports arrays of one type through the Arrow C data interface: made once per schema, used for each batch, from any thread.
///
/// Buffers are shared wherever the layouts agree; text with offsets gets views over the shared bytes. An imported array is *moved*: its structure is
/// marked as released, and its `release` is called once, when the last column that shares its memory is gone, from whatever thread that is.
/// Everything that the structures let one check is checked: the memory behind a pointer must be trusted to be as long as the lengths say.
public final class ArrowImporter: Sendable {
    public let schema: Schema
    /// A struct array gives a column per child; any other array gives a batch of one column.
    private let root: ArrowNode
    private let isStruct: Bool
    /// The children that are columns, and the places of `$row_kind` and `$timestamp`.
    private let rowKindIndex: Int?
    private let timestampIndex: Int?
    private let options: ArrowImportOptions

    /// Reads `schema`, which the caller still has to release.
    public init(schema arrow: UnsafePointer<ArrowSchema>, options: ArrowImportOptions = ArrowImportOptions()) throws(MillstreamError) {
        var reader = ArrowSchemaReader(takesHandles: options.hostObjects != nil)
        let root = try reader.node(arrow, parent: nil, depth: 0)
        self.root = root
        self.options = options
        if root.format == .row && root.dictionary == nil {
            let shapeName = ArrowMetadata.decode(arrow.pointee.metadata, [ArrowMetadata.shape])?[0]
            let names = root.children.map { ($0.name, $0.type.kind) }
            let hidden = [
                names.firstIndex { $0.0 == ArrowExportOptions.rowKindName && $0.1 == .tinyInt },
                names.firstIndex { $0.0 == ArrowExportOptions.timestampName && $0.1 == .bigInt },
            ]
            (rowKindIndex, timestampIndex) = (hidden[0], hidden[1])
            isStruct = true
            let fields = root.children.indices.filter { !hidden.contains($0) }.map { Field(root.children[$0].name, root.children[$0].type) }
            let shape: Schema.Shape = shapeName == "tuple" ? .tuple : shapeName == "scalar" && fields.count == 1 ? .scalar : .row
            schema = Schema(fields, shape: shape)
        } else {
            rowKindIndex = nil
            timestampIndex = nil
            isStruct = false
            schema = .scalar(root.type)
        }
    }

    /// For struct arrays as the export makes them of `schema`, with columns of `extraTypes` (a key's) behind its fields.
    public init(expecting schema: Schema, extraTypes: [DataType] = [], options: ArrowImportOptions = ArrowImportOptions()) {
        let fields = schema.fields + extraTypes.enumerated().map { Field("key \($0)", $1) }
        root = ArrowNode(
            format: .row, type: DataType(.row(fields), isNullable: false), name: "", path: "",
            children: fields.map { ArrowNode.exported($0.type, name: $0.name, path: $0.name) })
        self.schema = schema
        self.options = options
        isStruct = true
        rowKindIndex = nil
        timestampIndex = nil
    }

    /// Takes over `array` in every case, and makes a batch of it. Throws `decode` with the field's path for anything malformed.
    public func batch(moving array: UnsafeMutablePointer<ArrowArray>) throws(MillstreamError) -> Batch {
        let column = try column(moving: array)
        guard isStruct else { return Batch(schema: schema, columns: [column], count: column.count) }
        guard column.nullCount == 0 else { throw root.error("the struct of a batch has nulls") }
        var batch = Batch(schema: schema, columns: [], count: column.count)
        for index in column.children.indices {
            let child = column.field(index)
            if index == rowKindIndex {
                batch.rowKinds = try checkedRowKinds(child)
            } else if index == timestampIndex {
                batch.timestamps = try filledTimestamps(child)
            } else {
                batch.columns.append(child)
            }
        }
        return batch
    }

    /// Takes over `array` in every case, and makes a column of it: a ROW for a struct array.
    public func column(moving array: UnsafeMutablePointer<ArrowArray>) throws(MillstreamError) -> Column {
        let owner = ArrowArrayOwner(moving: array)
        guard owner.array.release != nil else { throw root.error("the array was released already", .invalidArgument) }
        return try withUnsafePointerThrowing(to: owner.array) { (pointer) throws(MillstreamError) in
            let reader = ArrowArrayReader(owner: owner, options: options)
            let column = try reader.column(pointer, root)
            try reader.checkNotNull(column, root) { isNull in (0..<column.count).first(where: isNull) }
            return column
        }
    }

    private func checkedRowKinds(_ column: Column) throws(MillstreamError) -> Column {
        let kinds = column.pointer(as: Int8.self)
        for index in 0..<column.count where column.isNull(index) || RowKind(rawValue: kinds[index]) == nil {
            throw root.children[rowKindIndex ?? 0].error("row \(index) has no row kind from 0 to 3")
        }
        return column
    }

    private func filledTimestamps(_ column: Column) throws(MillstreamError) -> Column {
        guard column.mayHaveNulls else { return column }
        let source = column.pointer(as: Int64.self)
        let values = Buffer(byteCount: 8 * column.count)
        let target = values.pointer(as: Int64.self)
        for index in 0..<column.count { target[index] = column.isNull(index) ? EventTime.none.milliseconds : source[index] }
        return Column(type: DataType.bigInt.notNull, count: column.count, values: values)
    }
}

extension Batch {
    /// Imports one array: an `ArrowImporter` for one use. Takes over `array` in every case; the caller releases `schema`.
    public static func importArrow(
        _ array: UnsafeMutablePointer<ArrowArray>, schema: UnsafePointer<ArrowSchema>, options: ArrowImportOptions = ArrowImportOptions()
    ) throws(MillstreamError) -> Batch {
        let importer: ArrowImporter
        do throws(MillstreamError) { importer = try ArrowImporter(schema: schema, options: options) } catch {
            _ = ArrowArrayOwner(moving: array)
            throw error
        }
        return try importer.batch(moving: array)
    }
}

extension Schema {
    /// Reads an Arrow schema, which the caller still has to release. A type that is no struct gives a schema of bare values.
    public static func importArrow(_ schema: UnsafePointer<ArrowSchema>) throws(MillstreamError) -> Schema {
        // A schema alone brings no handles, so that OBJECT is harmless here.
        try ArrowImporter(schema: schema, options: ArrowImportOptions(hostObjects: .refusing)).schema
    }
}

/// An array that was moved here; it is released with the last reference.
final class ArrowArrayOwner: @unchecked Sendable {
    let array: ArrowArray

    /// Leaves `array` marked as released. One that was released already stays so.
    init(moving array: UnsafeMutablePointer<ArrowArray>) {
        self.array = array.pointee
        array.pointee.release = nil
        array.pointee.private_data = nil
    }

    deinit {
        guard let release = array.release else { return }
        var copy = array
        release(&copy)
    }
}

/// `withUnsafePointer`, with a typed error.
private func withUnsafePointerThrowing<Value, Result>(
    to value: Value, _ body: (UnsafePointer<Value>) throws(MillstreamError) -> Result
) throws(MillstreamError) -> Result {
    try withUnsafePointer(to: value, body)
}

extension HostObjects {
    /// Stands in for a host where only types are read; no handle ever reaches it.
    fileprivate static let refusing = HostObjects(
        retain: { _, _ in }, release: { _, _ in }, hash: { _, _, _ in 0 }, equal: { _, _ in -1 }, compare: { _, _ in 2 }, describe: { _, _, _ in 0 })
}
