import CMillstream
import Checkpoint
import Columnar
import Dataflow

@c @implementation
public func millstream_savepoint_describe(
    _ path: UnsafePointer<CChar>?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let result = try place(json, "json")
        let reader = try savepoint(path)
        try reader.verify()
        var writer = JSONText()
        writer.raw("[")
        for (index, state) in reader.manifest.operators.enumerated() {
            writer.raw(index == 0 ? "{\"uid\":" : ",{\"uid\":")
            writer.string(state.id.text)
            writer.raw(",\"name\":")
            writer.string(state.name)
            writer.raw(",\"parallelism\":\(state.parallelism),\"maxParallelism\":\(state.maxParallelism),\"parts\":[")
            for (number, part) in try reader.parts(of: state.id.text).enumerated() {
                writer.raw(number == 0 ? "{\"name\":" : ",{\"name\":")
                writer.string(part.name)
                writer.raw(",\"rows\":\(part.rowCount),\"columns\":")
                columns(part.fields, &writer)
                writer.raw("}")
            }
            writer.raw("]}")
        }
        writer.raw("]")
        result.pointee = try giveText(writer.text)
    }
}

@c @implementation
public func millstream_savepoint_read(
    _ path: UnsafePointer<CChar>?, _ uid: UnsafePointer<CChar>?, _ part: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<ArrowArrayStream>?,
    _ columns: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let target = try place(out, "out")
        try export(try savepoint(path), uid, part, into: target, columns)
    }
}

@c @implementation
public func millstream_job_state(
    _ job: OpaquePointer?, _ uid: UnsafePointer<CChar>?, _ part: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<ArrowArrayStream>?,
    _ columns: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let target = try place(out, "out")
        let box = try jobBox(job)
        try export(try box.job.state(), uid, part, into: target, columns)
    }
}

func savepoint(_ path: UnsafePointer<CChar>?) throws(MillstreamError) -> SavepointReader {
    let text = try readText(path, "path")
    var root = try directoryPath(text) { MillstreamError(.invalidArgument, "the path of a savepoint is absolute, and this is '\(text)'") }
    if root.hasSuffix("/" + Manifest.name) { root.removeLast(Manifest.name.count + 1) }
    // A checkpoint may need objects that lie beside its own directory.
    let slash = root.lastIndex(of: "/") ?? root.startIndex
    guard root.index(after: slash) < root.endIndex else { throw MillstreamError(.invalidArgument, "'\(text)' is no savepoint's directory") }
    let storage = try CheckpointDirectory(DiskStorage(), root: String(root[..<slash]), isReadOnly: true)
    let group = String(root[root.index(after: slash)...])
    guard storage.exists("\(group)/\(Manifest.name)") else { throw Manifest.missing(at: text) }
    return try SavepointReader(storage, group: group)
}

private func columns(_ fields: [Field], _ writer: inout JSONText) {
    writer.raw("[")
    for (place, field) in fields.enumerated() {
        writer.raw(place == 0 ? "{\"name\":" : ",{\"name\":")
        writer.string(field.name)
        writer.raw(",\"type\":")
        writer.string("\(field.type)")
        writer.raw("}")
    }
    writer.raw("]")
}

private func export(
    _ reader: SavepointReader, _ uid: UnsafePointer<CChar>?, _ part: UnsafePointer<CChar>?, into target: UnsafeMutablePointer<ArrowArrayStream>,
    _ names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) throws(MillstreamError) {
    let (fields, batches) = try reader.rows(try readText(part, "part"), of: try readText(uid, "uid"))
    var writer = JSONText()
    columns(fields, &writer)
    names?.pointee = try giveText(writer.text)
    let rows = BatchQueue(batches)
    exportArrowStream(schema: rows.schema, into: target, options: ArrowExportOptions(usesViews: false)) { () throws(MillstreamError) in rows.next() }
}

/// Batches on their way out; one thread at a time.
private final class BatchQueue: @unchecked Sendable {
    private var batches: [Batch]
    let schema: Schema

    init(_ batches: [Batch]) {
        self.batches = batches.reversed()
        schema = batches.first?.schema ?? Schema([])
    }

    func next() -> Batch? { batches.popLast() }
}
