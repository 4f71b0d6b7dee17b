import CMillstream
import Columnar

/// Columns of a request as an Arrow struct array, with its schema, for as long as a callback runs.
///
/// The array shares the columns' memory. A callback may move it out (copy the structure and set `release` to NULL, as Arrow allows), and
/// then keeps the columns alive by it. The schema is exported once and serves until another one comes.
final class ExportedColumns {
    private let array: UnsafeMutablePointer<ArrowArray>
    private let schema: UnsafeMutablePointer<ArrowSchema>
    private var exportedSchema: Schema?
    private var schemaRelease: (@convention(c) (UnsafeMutablePointer<ArrowSchema>?) -> Void)?

    init() {
        array = .allocate(capacity: 1)
        array.initialize(to: ArrowArray())
        schema = .allocate(capacity: 1)
        schema.initialize(to: ArrowSchema())
    }

    deinit {
        release()
        releaseSchema()
        array.deallocate()
        schema.deallocate()
    }

    /// `named` nil: the columns are called f0, f1, ...
    func export(
        _ columns: [Column], _ named: Schema?, count: Int, _ isCompatible: Bool
    ) throws(MillstreamError) -> UnsafeMutablePointer<ArrowArray> {
        let options = ArrowExportOptions(usesViews: !isCompatible)
        if let named, named.fields.count == columns.count {
            if exportedSchema != named { replaceSchema(named, options) }
        } else if exportedSchema?.types != columns.map(\.type) {
            replaceSchema(Schema(columns.enumerated().map { Field("f\($0.offset)", $0.element.type) }, shape: .tuple), options)
        }
        try exportArrowStruct(columns, count: count, into: array, options: options)
        return array
    }

    /// The schema of the last export.
    var schemaPointer: UnsafeMutablePointer<ArrowSchema> {
        // A callback that took the schema out has released it, or will, by the function that does nothing.
        schema.pointee.release = { $0?.pointee.release = nil }
        return schema
    }

    /// Gives back what was exported, unless a callback took it out.
    func release() {
        if let release = array.pointee.release { release(array) }
    }

    private func replaceSchema(_ new: Schema, _ options: ArrowExportOptions) {
        releaseSchema()
        new.exportArrow(into: schema, options: options)
        schemaRelease = schema.pointee.release
        exportedSchema = new
    }

    private func releaseSchema() {
        guard let schemaRelease else { return }
        schema.pointee.release = schemaRelease
        schemaRelease(schema)
        self.schemaRelease = nil
    }
}
