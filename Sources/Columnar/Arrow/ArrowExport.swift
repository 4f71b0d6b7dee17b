import CMillstream

/// Export through the Arrow C data interface.
///
/// The exported structures share the columns' memory and keep it alive until their `release` is called, from any thread. Only the offsets form of
/// text (`usesViews` false) copies. OBJECT columns are exported as integers, the handles: they are borrowed, and live as long as the array.
public struct ArrowExportOptions: Sendable {
    /// Text and bytes as views ("vu", "vz"), or with offsets ("u", "z") for consumers that know no views.
    public var usesViews: Bool
    /// Adds the column `$row_kind` (TINYINT).
    public var includesRowKinds: Bool
    /// Adds the column `$timestamp` (BIGINT milliseconds, null where a row has none).
    public var includesTimestamps: Bool

    public init(usesViews: Bool = true, includesRowKinds: Bool = false, includesTimestamps: Bool = false) {
        self.usesViews = usesViews
        self.includesRowKinds = includesRowKinds
        self.includesTimestamps = includesTimestamps
    }

    /// The names of the hidden columns where they are exported.
    public static let rowKindName = "$row_kind"
    public static let timestampName = "$timestamp"
}

extension Batch {
    /// Writes the rows that count to `array` as a struct array of the schema's fields, and its type to `schema` if given.
    public func exportArrow(
        into array: UnsafeMutablePointer<ArrowArray>, schema target: UnsafeMutablePointer<ArrowSchema>? = nil,
        options: ArrowExportOptions = ArrowExportOptions()
    ) throws(MillstreamError) {
        guard columns.count >= schema.fields.count else { throw .internal("a batch has fewer columns than its schema has fields") }
        let dense = try compacted()
        var children = Array(dense.columns.prefix(schema.fields.count))
        if options.includesRowKinds {
            children.append(dense.rowKinds ?? .repeating(RowKind.insert.rawValue, type: .tinyInt, count: dense.count))
        }
        if options.includesTimestamps { children.append(try dense.timestampsWithNulls()) }
        try exportArrowStruct(children, count: dense.count, into: array, options: options)
        if let target { schema.exportArrow(into: target, options: options) }
    }

    /// The timestamps with nulls in the place of `EventTime.none`.
    private func timestampsWithNulls() throws(MillstreamError) -> Column {
        guard let timestamps else { return try .nulls(type: .bigInt, count: physicalCount) }
        let values = timestamps.pointer(as: Int64.self)
        var builder = FixedWidthBuilder<Int64>()
        try builder.reserve(physicalCount)
        for index in 0..<physicalCount {
            if values[index] == EventTime.none.milliseconds { try builder.appendNull() } else { builder.appendReserved(values[index]) }
        }
        return builder.finish(type: .bigInt)
    }
}

/// Writes columns of `count` values each to `array` as a struct array without nulls.
public func exportArrowStruct(
    _ columns: [Column], count: Int, into array: UnsafeMutablePointer<ArrowArray>, options: ArrowExportOptions = ArrowExportOptions()
) throws(MillstreamError) {
    let row = Column(type: anonymousRow, count: count, values: nil, children: columns)
    try row.exportArrow(into: array, options: options)
}

/// The type of a struct on its way out. An array says nothing of fields' names, and making some for each batch would cost.
private let anonymousRow = DataType(.row([]), isNullable: false)

extension Column {
    /// Writes the column to `array`, which the consumer releases. Throws `limitExceeded` if text with offsets would need more than 2 GiB.
    public func exportArrow(
        into array: UnsafeMutablePointer<ArrowArray>, options: ArrowExportOptions = ArrowExportOptions()
    ) throws(MillstreamError) {
        let exported = try ExportedArray.make(self, usesViews: options.usesViews)
        let childCount = children.count
        // The children's structures lie in one block, the first of them at its start: an export is per batch, and allocations are what it costs.
        let pointers = childCount == 0 ? nil : UnsafeMutablePointer<UnsafeMutablePointer<ArrowArray>?>.allocate(capacity: childCount)
        let structures = childCount == 0 ? nil : UnsafeMutablePointer<ArrowArray>.allocate(capacity: childCount)
        if let pointers, let structures {
            for index in 0..<childCount {
                (structures + index).initialize(to: ArrowArray())
                (pointers + index).initialize(to: structures + index)
            }
        }
        array.initialize(
            to: ArrowArray(
                length: Int64(count), null_count: Int64(nullCount), offset: Int64(exported.header.offset),
                n_buffers: Int64(exported.header.bufferCount), n_children: Int64(childCount), buffers: exported.buffers, children: pointers,
                dictionary: nil, release: { releaseExportedArray($0) }, private_data: Unmanaged.passRetained(exported).toOpaque()))
        exported.header.children = pointers
        exported.header.childStructures = structures
        guard let structures else { return }
        do throws(MillstreamError) {
            for index in 0..<childCount { try children[index].exportArrow(into: structures + index, options: options) }
        } catch {
            releaseExportedArray(array)
            throw error
        }
    }
}

/// What an exported array keeps alive: the column and buffers that exist for the export only. Behind it lie the buffers' addresses and, for views,
/// the sizes of the data buffers.
private final class ExportedArray: ManagedBuffer<ExportedArray.Header, UnsafeRawPointer?> {
    struct Header {
        let column: Column
        let form: OffsetForm?
        let offset: Int
        let bufferCount: Int
        /// Ours to free, whatever the consumer did to the structure.
        var children: UnsafeMutablePointer<UnsafeMutablePointer<ArrowArray>?>?
        var childStructures: UnsafeMutablePointer<ArrowArray>?
    }

    /// Valid as long as the object.
    var buffers: UnsafeMutablePointer<UnsafeRawPointer?> { withUnsafeMutablePointerToElements { $0 } }

    static func make(_ column: Column, usesViews: Bool) throws(MillstreamError) -> ExportedArray {
        // pyarrow takes an empty array of views for damaged if it has an offset.
        let offset = column.count == 0 ? 0 : column.offset
        let validity = column.validity.map { UnsafeRawPointer($0.base) }
        let values = column.values.map { UnsafeRawPointer($0.base) }
        switch column.type.layout {
        case .null: return create(Header(column: column, form: nil, offset: offset, bufferCount: 0), capacity: 0)
        case .row:
            let exported = create(Header(column: column, form: nil, offset: offset, bufferCount: 1), capacity: 1)
            exported.buffers.initialize(to: validity)
            return exported
        case .views where !usesViews:
            let form = try column.offsetForm()
            let exported = create(Header(column: column, form: form, offset: 0, bufferCount: 3), capacity: 3)
            let buffers = exported.buffers
            buffers.initialize(to: form.validity.map { UnsafeRawPointer($0.base) })
            (buffers + 1).initialize(to: UnsafeRawPointer(form.offsets.base))
            (buffers + 2).initialize(to: UnsafeRawPointer(form.data.base))
            return exported
        case .views: return makeViews(column, validity, values, offset)
        default:
            let exported = create(Header(column: column, form: nil, offset: offset, bufferCount: 2), capacity: 2)
            exported.buffers.initialize(to: validity)
            (exported.buffers + 1).initialize(to: values)
            return exported
        }
    }

    private static func makeViews(
        _ column: Column, _ validity: UnsafeRawPointer?, _ values: UnsafeRawPointer?, _ offset: Int
    ) -> ExportedArray {
        let data = column.dataBuffers
        let exported = create(
            Header(column: column, form: nil, offset: offset, bufferCount: data.count + 3), capacity: 2 * data.count + 3)
        let buffers = exported.buffers
        let byteCounts = UnsafeMutableRawPointer(buffers + data.count + 3)
        buffers.initialize(to: validity)
        (buffers + 1).initialize(to: values)
        for (index, buffer) in data.enumerated() {
            (buffers + 2 + index).initialize(to: UnsafeRawPointer(buffer.base))
            byteCounts.storeBytes(of: Int64(buffer.byteCount), toByteOffset: 8 * index, as: Int64.self)
        }
        (buffers + data.count + 2).initialize(to: UnsafeRawPointer(byteCounts))
        return exported
    }

    private static func create(_ header: Header, capacity: Int) -> ExportedArray {
        unsafeDowncast(create(minimumCapacity: max(1, capacity)) { _ in header }, to: ExportedArray.self)
    }
}

/// The release callback. Children that the consumer moved away have no release any more; their structures' block is ours to free.
private func releaseExportedArray(_ array: UnsafeMutablePointer<ArrowArray>?) {
    guard let array, array.pointee.release != nil, let data = array.pointee.private_data else { return }
    let exported = Unmanaged<ExportedArray>.fromOpaque(data).takeRetainedValue()
    if let structures = exported.header.childStructures {
        for index in 0..<exported.header.column.children.count {
            if let release = structures[index].release { release(structures + index) }
        }
        structures.deallocate()
        exported.header.children?.deallocate()
    }
    array.pointee.release = nil
    array.pointee.private_data = nil
}
