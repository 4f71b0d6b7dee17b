import CMillstream
import Columnar

@c @implementation
public func millstream_schema_parse(
    _ schema: UnsafePointer<CChar>?, _ canonical: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let result = try place(canonical, "canonical")
        result.pointee = try giveText(try Schema.parse(try readText(schema, "the schema")).description)
    }
}

@c @implementation
public func millstream_schema_to_arrow(
    _ schema: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<ArrowSchema>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let result = try place(out, "out")
        try Schema.parse(try readText(schema, "the schema")).exportArrow(into: result)
    }
}

@c @implementation
public func millstream_schema_from_arrow(
    _ arrow: UnsafePointer<ArrowSchema>?, _ schema: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let result = try place(schema, "schema")
        guard let arrow else { throw MillstreamError(.invalidArgument, "the Arrow schema is NULL") }
        result.pointee = try giveText(try Schema.importArrow(arrow).description)
    }
}

@c @implementation
public func millstream_arrow_copy(
    _ array: UnsafeMutablePointer<ArrowArray>?, _ schema: UnsafePointer<ArrowSchema>?, _ compatible: Int32,
    _ out: UnsafeMutablePointer<ArrowArray>?, _ out_schema: UnsafeMutablePointer<ArrowSchema>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    let status = guarded(error) { () throws(MillstreamError) in
        let result = try place(out, "out")
        guard let array, let schema else { throw MillstreamError(.invalidArgument, "the array or its schema is NULL") }
        let options = ArrowImportOptions(hostObjects: Library.shared.hostObjects)
        let batch = try Batch.importArrow(array, schema: schema, options: options)
        let form = ArrowExportOptions(
            usesViews: compatible == 0, includesRowKinds: batch.rowKinds != nil, includesTimestamps: batch.timestamps != nil)
        try batch.exportArrow(into: result, schema: out_schema, options: form)
    }
    if let array, let release = array.pointee.release { release(array) }
    return status
}
