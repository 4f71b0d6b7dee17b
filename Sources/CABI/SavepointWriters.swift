import CMillstream
import Checkpoint
import Columnar
import Dataflow

@c @implementation
public func millstream_savepoint_manifest(
    _ path: UnsafePointer<CChar>?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let result = try place(json, "json")
        let manifest = try savepoint(path).manifest
        var writer = JSONText()
        writer.raw("{\"job\":")
        writer.string(manifest.jobName)
        writer.raw(",\"checkpoint\":\(manifest.id.value),\"savepoint\":\(manifest.isSavepoint),\"triggered\":\(manifest.triggered.milliseconds),\"operators\":[")
        for (index, state) in manifest.operators.enumerated() {
            writer.raw(index == 0 ? "{\"uid\":" : ",{\"uid\":")
            writer.string(state.id.text)
            writer.raw(",\"name\":")
            writer.string(state.name)
            writer.raw(",\"parallelism\":\(state.parallelism),\"maxParallelism\":\(state.maxParallelism),\"files\":[")
            for (number, part) in state.files.enumerated() {
                writer.raw("\(number == 0 ? "" : ","){\"subtask\":\(part.subtask.value),\"name\":")
                writer.string(part.file.name)
                writer.raw(",\"bytes\":\(part.file.byteCount),\"rows\":\(part.file.rowCount)}")
            }
            writer.raw("]}")
        }
        writer.raw("],\"properties\":{")
        for (index, property) in manifest.properties.enumerated() {
            if index > 0 { writer.raw(",") }
            writer.string(property.name)
            writer.raw(":")
            writer.string(property.value)
        }
        writer.raw("}}")
        result.pointee = try giveText(writer.text)
    }
}

@c @implementation
public func millstream_savepoint_commits(
    _ path: UnsafePointer<CChar>?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let result = try place(json, "json")
        var writer = JSONText()
        writer.raw("[")
        for (index, entry) in try savepoint(path).committables().enumerated() {
            writer.raw(index == 0 ? "{\"id\":" : ",{\"id\":")
            writer.string(entry.number)
            writer.raw(",\"uid\":")
            writer.string(entry.uid)
            writer.raw(",\"name\":")
            writer.string(entry.operatorName)
            writer.raw(",\"subtask\":\(entry.subtask),\"checkpoint\":\(entry.checkpoint),\"bytes\":\(entry.byteCount),\"description\":")
            writer.string(entry.description)
            writer.raw("}")
        }
        writer.raw("]")
        result.pointee = try giveText(writer.text)
    }
}

@c @implementation
public func millstream_savepoint_resolve(
    _ path: UnsafePointer<CChar>?, _ target: UnsafePointer<CChar>?, _ decisions: UnsafePointer<UnsafePointer<CChar>?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let base = try savepoint(path)
        let writer = try SavepointWriter(basedOn: base)
        var resolved: [(number: String, decision: CommitDecision)] = []
        for option in try readOptions(decisions) {
            guard let decision = CommitDecision(rawValue: option.value) else { throw option.refusal("committed, retry or aborted") }
            resolved.append((option.key, decision))
        }
        try writer.resolve(resolved)
        try write(writer, to: target, id: CheckpointID(base.manifest.id.value &+ 1))
    }
}

@c @implementation
public func millstream_savepoint_writer_create(
    _ base: UnsafePointer<CChar>?, _ maxParallelism: Int32, _ writer: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let result = try place(writer, "writer")
        let made = try SavepointWriter(
            basedOn: base == nil ? nil : try savepoint(base), maxParallelism: maxParallelism == 0 ? KeyGroup.defaultMaxParallelism : Int(maxParallelism),
            hostObjects: Library.shared.hostObjects)
        result.pointee = try HandleTable.shared.insert(made, .savepointWriter)
    }
}

@c @implementation
public func millstream_savepoint_writer_put(
    _ writer: OpaquePointer?, _ uid: UnsafePointer<CChar>?, _ name: UnsafePointer<CChar>?, _ part: UnsafePointer<CChar>?,
    _ types: UnsafePointer<UnsafePointer<CChar>?>?, _ rows: UnsafeMutablePointer<ArrowArrayStream>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let stream = try takeStream(rows, shape: "row", isTable: false)
        let box = try savepointWriter(writer)
        let (uid, part) = (try readName(uid, "uid"), try readName(part, "part"))
        var wanted: [String: DataType] = [:]
        for field in try box.columns(of: uid, part: part) ?? [] { wanted[field.name] = field.type }
        for option in try readOptions(types) {
            guard stream.schema.index(of: option.key) != nil else {
                throw MillstreamError(.invalidArgument, "the rows of the state '\(part)' have no column '\(option.key)'")
            }
            wanted[option.key] = try DataType.parse(option.value)
        }
        var batches: [Batch] = []
        while let batch = try stream.next() { batches.append(batch) }
        let all = batches.isEmpty ? Batch(schema: stream.schema, columns: [], count: 0) : try Batch.concat(batches)
        try box.put(part, of: uid, name: try readOptionalText(name, "name"), rows: try fit(all, part, wanted))
    }
}

/// Rows with the types that their columns have in the job. State of keys and operators is never null.
private func fit(_ batch: Batch, _ part: String, _ wanted: [String: DataType]) throws(MillstreamError) -> Batch {
    guard !batch.columns.isEmpty else { return batch }
    let isState = ["keyed/", "timers/", "operator/"].contains { part.hasPrefix($0) }
    var fields: [Field] = []
    var columns: [Column] = []
    for (field, column) in zip(batch.schema.fields, batch.columns) {
        let type = wanted[field.name] ?? column.type
        let target = isState ? type.notNull : type
        let isObject = target.layout == .handles
        if isObject, column.type.nullable == DataType.bytes {
            columns.append(column)
        } else {
            if let reason = TypeEvolution.refusal(from: isState ? column.type.notNull : column.type, to: target) {
                throw MillstreamError(
                    .typeMismatch, "the column '\(field.name)' of the state '\(part)' is given as \(column.type), and is \(target) in the job: \(reason)")
            }
            columns.append(try TypeEvolution.convert(column, to: target))
        }
        fields.append(Field(field.name, target))
    }
    return Batch(schema: Schema(fields), columns: columns, count: batch.count)
}

@c @implementation
public func millstream_savepoint_writer_remove(
    _ writer: OpaquePointer?, _ uid: UnsafePointer<CChar>?, _ part: UnsafePointer<CChar>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        try savepointWriter(writer).remove(try readName(uid, "uid"), part: try readOptionalText(part, "part"))
    }
}

@c @implementation
public func millstream_savepoint_writer_rename(
    _ writer: OpaquePointer?, _ uid: UnsafePointer<CChar>?, _ other: UnsafePointer<CChar>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        try savepointWriter(writer).rename(try readName(uid, "uid"), to: try readName(other, "other"))
    }
}

@c @implementation
public func millstream_savepoint_writer_write(
    _ writer: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in try write(try savepointWriter(writer), to: path, id: nil) }
}

@c @implementation
public func millstream_savepoint_writer_free(_ writer: OpaquePointer?) {
    _ = HandleTable.shared.remove(writer, .savepointWriter)
}

private func savepointWriter(_ writer: OpaquePointer?) throws(MillstreamError) -> SavepointWriter {
    try HandleTable.shared.find(writer, .savepointWriter, as: SavepointWriter.self)
}

private func write(_ writer: SavepointWriter, to path: UnsafePointer<CChar>?, id: CheckpointID?) throws(MillstreamError) {
    let text = try readText(path, "path")
    let root = try directoryPath(text) { MillstreamError(.invalidArgument, "the path of a savepoint is absolute, and this is '\(text)'") }
    try writer.write(to: try CheckpointDirectory(DiskStorage(), root: root), group: "", id: id, triggered: SystemClock().now())
}
