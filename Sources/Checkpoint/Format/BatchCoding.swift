import Columnar

/// A batch as bytes: its rows, each column with its type, then the hidden columns that are there.
public struct BatchCoding {
    private let objects: (any ObjectCoding)?

    public init(objects: (any ObjectCoding)?) { self.objects = objects }

    private struct Hidden: OptionSet {
        let rawValue: UInt8
        static let rowKinds = Hidden(rawValue: 1)
        static let timestamps = Hidden(rawValue: 2)
        static let keyHashes = Hidden(rawValue: 4)
        static let all: Hidden = [.rowKinds, .timestamps, .keyHashes]
    }

    public func encode(_ batch: Batch) throws(MillstreamError) -> [UInt8] {
        var out = FormatWriter()
        try encode(batch, into: &out)
        return out.bytes
    }

    /// Behind what is there already. `onObjects` is shown what is written of OBJECT columns.
    package func encode(_ batch: Batch, into out: inout FormatWriter, onObjects: ((Column) -> Void)? = nil) throws(MillstreamError) {
        let batch = try batch.compacted()
        out.reserve(64 + batch.columns.reduce(0) { $0 + 64 + Self.roughByteCount($1) })
        out.put(UInt32(truncatingIfNeeded: batch.count))
        var hidden: Hidden = []
        if batch.rowKinds != nil { hidden.insert(.rowKinds) }
        if batch.timestamps != nil { hidden.insert(.timestamps) }
        if batch.keyHashes != nil { hidden.insert(.keyHashes) }
        out.put(hidden.rawValue)
        out.put(batch.schema.shape.rawValue)
        out.put(UInt32(truncatingIfNeeded: batch.schema.fields.count))
        out.put(UInt32(truncatingIfNeeded: batch.columns.count))
        let writer = ColumnWriter(objects: objects, onObjects: onObjects)
        for (index, column) in batch.columns.enumerated() {
            let field = index < batch.schema.fields.count ? batch.schema.fields[index] : Field("", column.type)
            try out.put(field.name)
            try out.put(field.type.description)
            try writer.write(column, into: &out)
        }
        for column in [batch.rowKinds, batch.timestamps, batch.keyHashes] {
            if let column { try writer.write(column, into: &out) }
        }
    }

    /// About as many bytes as a column takes.
    private static func roughByteCount(_ column: Column) -> Int {
        let bitmap = column.count / 8 + 1
        return switch column.type.layout {
        case .null: 0
        case .bits: 2 * bitmap
        case .fixed(let byteWidth): bitmap + column.count * byteWidth
        case .views: bitmap + 16 * column.count + column.dataBuffers.reduce(0) { $0 + $1.byteCount }
        case .list, .row, .handles: bitmap + 4 * column.count + column.children.reduce(0) { $0 + roughByteCount($1) }
        }
    }

    /// `subject` and `origin` as in `FormatReader`.
    public func decode(_ bytes: UnsafeRawBufferPointer, subject: String, origin: Int = 0) throws(MillstreamError) -> Batch {
        var source = FormatReader(bytes, subject: subject, origin: origin)
        let count = Int(try source.number(UInt32.self))
        guard count <= Column.countLimit else { throw source.damaged("\(count) rows") }
        let hidden = Hidden(rawValue: try source.number(UInt8.self))
        guard hidden.isSubset(of: .all), let shape = Schema.Shape(rawValue: try source.number(UInt8.self)) else {
            throw source.damaged("the head of a batch is unknown")
        }
        let fieldCount = Int(try source.number(UInt32.self))
        let columnCount = try source.count(of: 1)
        guard fieldCount <= columnCount else { throw source.damaged("\(fieldCount) fields in \(columnCount) columns") }
        let reader = ColumnReader(objects: objects)
        var fields: [Field] = []
        var columns: [Column] = []
        for index in 0..<columnCount {
            let name = try source.text()
            let type = try self.type(from: &source)
            if index < fieldCount { fields.append(Field(name, type)) }
            columns.append(try reader.read(type, count: count, from: &source))
        }
        var batch = Batch(schema: Schema(fields, shape: shape), columns: columns, count: count)
        if hidden.contains(.rowKinds) { batch.rowKinds = try reader.read(DataType.tinyInt.notNull, count: count, from: &source) }
        if hidden.contains(.timestamps) { batch.timestamps = try reader.read(DataType.bigInt.notNull, count: count, from: &source) }
        if hidden.contains(.keyHashes) { batch.keyHashes = try reader.read(DataType.bigInt.notNull, count: count, from: &source) }
        try source.finish()
        return batch
    }

    private func type(from source: inout FormatReader) throws(MillstreamError) -> DataType {
        let text = try source.text()
        do { return try DataType.parse(text) } catch { throw source.damaged("'\(text)' is no type: \(error.message)") }
    }
}
