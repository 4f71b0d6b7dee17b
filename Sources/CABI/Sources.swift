import CMillstream
import Columnar
import Plan

/// Adds a source; `describe` gives its name, kind and schema.
private func addSource(
    _ environment: OpaquePointer?, _ watermarks: UnsafePointer<millstream_watermarks>?, _ node: UnsafeMutablePointer<millstream_node>?,
    _ describe: (inout EnvironmentEditor) throws(MillstreamError) -> (name: String, kind: SourceDescription.Kind, schema: Schema)
) throws(MillstreamError) {
    let box = try environmentBox(environment)
    let result = try place(node, "node")
    let request = try WatermarkRequest.read(watermarks)
    result.pointee = try box.edit { editor throws(MillstreamError) in
        let (name, kind, schema) = try describe(&editor)
        let description = try request?.bind(schema, &editor)
        return try editor.add(
            name, [], .source(SourceDescription(kind, watermarks: description)), schema, sideOutputs: request?.sideOutputs(schema) ?? [])
    }
}

@c @implementation
public func millstream_source_sequence(
    _ environment: OpaquePointer?, _ first: Int64, _ last: Int64, _ watermarks: UnsafePointer<millstream_watermarks>?,
    _ node: UnsafeMutablePointer<millstream_node>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        guard first <= last else { throw MillstreamError(.configuration, "the sequence from \(first) to \(last) is empty") }
        try addSource(environment, watermarks, node) { _ throws(MillstreamError) in
            ("Source: Sequence", .sequence(first: first, last: last), .scalar(.bigInt.notNull))
        }
    }
}

@c @implementation
public func millstream_source_generator(
    _ environment: OpaquePointer?, _ columns: UnsafePointer<OpaquePointer?>?, _ column_count: Int32, _ count: Int64,
    _ rows_per_second: Double, _ watermarks: UnsafePointer<millstream_watermarks>?, _ node: UnsafeMutablePointer<millstream_node>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let expressions = try readExpressions(columns, column_count, "columns")
        guard count >= -1 else { throw MillstreamError(.configuration, "the generator's count is \(count); -1 means without end") }
        guard rows_per_second >= 0, rows_per_second.isFinite else {
            throw MillstreamError(.configuration, "rows_per_second is \(rows_per_second); 0 means as fast as it goes")
        }
        let generator = GeneratorDescription(
            columns: expressions, count: count < 0 ? nil : count, rowsPerSecond: rows_per_second == 0 ? nil : rows_per_second)
        let schema = try projectedSchema(expressions, ResolvedInput.rowNumbers)
        try addSource(environment, watermarks, node) { _ throws(MillstreamError) in ("Source: Generator", .generator(generator), schema) }
    }
}

@c @implementation
public func millstream_source_files(
    _ environment: OpaquePointer?, _ paths: UnsafePointer<UnsafePointer<CChar>?>?, _ path_count: Int32, _ schema: UnsafePointer<CChar>?,
    _ options: UnsafePointer<UnsafePointer<CChar>?>?, _ watermarks: UnsafePointer<millstream_watermarks>?,
    _ node: UnsafeMutablePointer<millstream_node>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        var names: [String] = []
        for path in try readArray(paths, path_count, "paths") { names.append(try readName(path, "a path")) }
        guard !names.isEmpty else { throw MillstreamError(.invalidArgument, "there are no paths") }
        let text = try readOptionalText(schema, "the schema")
        let (description, output) = try fileSource(names, schema: text, options: try readOptions(options))
        try addSource(environment, watermarks, node) { _ throws(MillstreamError) in ("Source: Files", .files(description), output) }
    }
}

@c @implementation
public func millstream_source_socket(
    _ environment: OpaquePointer?, _ host: UnsafePointer<CChar>?, _ port: Int32, _ delimiter: CChar, _ max_retries: Int32,
    _ watermarks: UnsafePointer<millstream_watermarks>?, _ node: UnsafeMutablePointer<millstream_node>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let name = try readName(host, "the host")
        guard (1...65_535).contains(port) else { throw MillstreamError(.configuration, "\(port) is no port; 1 to 65535 are") }
        guard max_retries >= -1 else { throw MillstreamError(.configuration, "max_retries is \(max_retries); -1 means for ever") }
        let kind = SourceDescription.Kind.socketText(
            host: name, port: Int(port), delimiter: UInt8(bitPattern: delimiter), maxRetries: max_retries < 0 ? .max : Int(max_retries))
        try addSource(environment, watermarks, node) { _ throws(MillstreamError) in ("Source: Socket", kind, .scalar(.string)) }
    }
}

@c @implementation
public func millstream_source_arrow(
    _ environment: OpaquePointer?, _ stream: UnsafeMutablePointer<ArrowArrayStream>?, _ shape: UnsafePointer<CChar>?,
    _ watermarks: UnsafePointer<millstream_watermarks>?, _ node: UnsafeMutablePointer<millstream_node>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    addArrowSource(environment, stream, shape, watermarks, node, error, isTable: false)
}

@c @implementation
public func millstream_source_table(
    _ environment: OpaquePointer?, _ stream: UnsafeMutablePointer<ArrowArrayStream>?, _ shape: UnsafePointer<CChar>?,
    _ watermarks: UnsafePointer<millstream_watermarks>?, _ node: UnsafeMutablePointer<millstream_node>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    addArrowSource(environment, stream, shape, watermarks, node, error, isTable: true)
}

private func addArrowSource(
    _ environment: OpaquePointer?, _ stream: UnsafeMutablePointer<ArrowArrayStream>?, _ shape: UnsafePointer<CChar>?,
    _ watermarks: UnsafePointer<millstream_watermarks>?, _ node: UnsafeMutablePointer<millstream_node>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?, isTable: Bool
) -> millstream_status {
    let status = guarded(error) { () throws(MillstreamError) in
        _ = try environmentBox(environment)
        let source = try takeStream(stream, shape: shape, isTable: isTable)
        try addSource(environment, watermarks, node) { editor throws(MillstreamError) in
            ("Source: Arrow", .arrow(editor.bind(source)), source.schema)
        }
    }
    // Taken over in every case, also where nobody looked at it.
    if let stream, let release = stream.pointee.release { release(stream) }
    return status
}

@c @implementation
public func millstream_source_function(
    _ environment: OpaquePointer?, _ function: OpaquePointer?, _ is_bounded: Int32, _ watermarks: UnsafePointer<millstream_watermarks>?,
    _ node: UnsafeMutablePointer<millstream_node>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let definition = try functionDefinition(function)
        let schema = try definition.requireOutput("a source")
        try addSource(environment, watermarks, node) { editor throws(MillstreamError) in
            ("Source: " + definition.name, .host(editor.bind(definition), isBounded: is_bounded != 0), schema)
        }
    }
}
