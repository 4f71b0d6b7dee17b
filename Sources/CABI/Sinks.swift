import CMillstream
import Columnar
import Plan

/// Adds a sink; `describe` gives its name and kind.
private func addSink(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ node: UnsafeMutablePointer<millstream_node>?,
    _ describe: (inout EnvironmentEditor, ResolvedInput) throws(MillstreamError) -> (name: String, kind: SinkDescription.Kind)
) throws(MillstreamError) {
    let box = try environmentBox(environment)
    let result = try place(node, "node")
    let request = try InputRequest(input)
    result.pointee = try box.edit { editor throws(MillstreamError) in
        let resolved = try editor.resolve(request)
        let (name, kind) = try describe(&editor, resolved)
        return try editor.add(name, [resolved.edge], .sink(SinkDescription(kind)), resolved.schema)
    }
}

@c @implementation
public func millstream_sink_print(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ prefix: UnsafePointer<CChar>?, _ to_error: Int32,
    _ node: UnsafeMutablePointer<millstream_node>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let text = try readOptionalText(prefix, "prefix")
        try addSink(environment, input, node) { _, _ throws(MillstreamError) in
            (to_error != 0 ? "Sink: Print to Std. Err" : "Sink: Print to Std. Out", .print(prefix: text, standardError: to_error != 0))
        }
    }
}

@c @implementation
public func millstream_sink_files(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ directory: UnsafePointer<CChar>?,
    _ options: UnsafePointer<UnsafePointer<CChar>?>?, _ bucket: OpaquePointer?, _ node: UnsafeMutablePointer<millstream_node>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        var description = try fileSink(try readName(directory, "the directory"), options: try readOptions(options))
        if bucket != nil { description.bucket = try expressionBox(bucket).expression }
        try addSink(environment, input, node) { _, input throws(MillstreamError) in
            if let bucket = description.bucket {
                let type = try input.typed(bucket).type
                guard type.isText else { throw MillstreamError(.plan, "the bucket is a STRING, and this one a \(type)") }
            }
            return ("Sink: Files", .files(description))
        }
    }
}

@c @implementation
public func millstream_sink_collect(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ node: UnsafeMutablePointer<millstream_node>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        try addSink(environment, input, node) { _, _ throws(MillstreamError) in ("Sink: Collect", .collect) }
    }
}

@c @implementation
public func millstream_sink_blackhole(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ node: UnsafeMutablePointer<millstream_node>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        try addSink(environment, input, node) { _, _ throws(MillstreamError) in ("Sink: Blackhole", .blackhole) }
    }
}

@c @implementation
public func millstream_sink_function(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ function: OpaquePointer?,
    _ node: UnsafeMutablePointer<millstream_node>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let definition = try functionDefinition(function)
        try addSink(environment, input, node) { editor, _ throws(MillstreamError) in
            ("Sink: " + definition.name, .host(editor.bind(definition)))
        }
    }
}
