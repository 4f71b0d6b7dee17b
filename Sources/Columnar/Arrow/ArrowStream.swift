import CMillstream

#if canImport(Glibc)
    import Glibc
#endif

/// Reads batches from an Arrow C stream, which is moved here and released with the reader. One thread at a time.
public final class ArrowStreamReader: @unchecked Sendable {
    public var schema: Schema { importer.schema }
    private let importer: ArrowImporter
    private var stream: ArrowArrayStream
    private var isAtEnd = false

    /// Takes over `stream` in every case and reads its schema. Throws `io` with the stream's own message where it fails.
    public init(
        moving source: UnsafeMutablePointer<ArrowArrayStream>, options: ArrowImportOptions = ArrowImportOptions()
    ) throws(MillstreamError) {
        let owner = StreamOwner(moving: source)
        importer = try owner.importer(options)
        stream = owner.giveUp()
    }

    deinit {
        if let release = stream.release { release(&stream) }
    }

    /// The next batch; nil at the end, and from then on.
    public func next() throws(MillstreamError) -> Batch? {
        guard !isAtEnd else { return nil }
        guard let getNext = stream.get_next else { throw MillstreamError(.invalidArgument, "Arrow import: the stream has no get_next") }
        var array = ArrowArray()
        let status = getNext(&stream, &array)
        guard status == 0 else {
            isAtEnd = true
            throw streamFailure(&stream, status)
        }
        guard array.release != nil else {
            isAtEnd = true
            return nil
        }
        return try importer.batch(moving: &array)
    }
}

/// A stream until the reader is complete, so that a failure releases it.
private final class StreamOwner {
    private var stream: ArrowArrayStream

    init(moving source: UnsafeMutablePointer<ArrowArrayStream>) {
        stream = source.pointee
        source.pointee.release = nil
        source.pointee.private_data = nil
    }

    deinit {
        if let release = stream.release { release(&stream) }
    }

    func importer(_ options: ArrowImportOptions) throws(MillstreamError) -> ArrowImporter {
        guard stream.release != nil else { throw MillstreamError(.invalidArgument, "Arrow import: the stream was released already") }
        guard let getSchema = stream.get_schema else { throw MillstreamError(.invalidArgument, "Arrow import: the stream has no get_schema") }
        var schema = ArrowSchema()
        let status = getSchema(&stream, &schema)
        guard status == 0 else { throw streamFailure(&stream, status) }
        defer {
            if let release = schema.release { release(&schema) }
        }
        return try ArrowImporter(schema: &schema, options: options)
    }

    func giveUp() -> ArrowArrayStream {
        defer { stream.release = nil }
        return stream
    }
}

private func streamFailure(_ stream: inout ArrowArrayStream, _ status: Int32) -> MillstreamError {
    var text = "error \(status)"
    if let getLastError = stream.get_last_error, let message = getLastError(&stream) { text += ": " + String(cString: message) }
    return MillstreamError(.io, "the Arrow stream failed with \(text)", domain: .external)
}

/// Writes a C stream of batches to `target`, which the consumer releases. `next` is called from the consumer's thread, one call at a time, until it
/// gives nil; an error ends the stream, and `failed`, if given, is told of it (the consumer sees only its text).
public func exportArrowStream(
    schema: Schema, into target: UnsafeMutablePointer<ArrowArrayStream>, options: ArrowExportOptions = ArrowExportOptions(),
    failed: (@Sendable (MillstreamError) -> Void)? = nil, next: @escaping @Sendable () throws(MillstreamError) -> Batch?
) {
    let exported = ExportedStream(schema: schema, options: options, failed: failed, next: next)
    target.initialize(
        to: ArrowArrayStream(
            get_schema: { stream, schema in
                guard let exported = ExportedStream.of(stream), let schema else { return EINVAL }
                exported.schema.exportArrow(into: schema, options: exported.options)
                return 0
            },
            get_next: { stream, array in
                guard let exported = ExportedStream.of(stream), let array else { return EINVAL }
                return exported.pull(into: array)
            },
            get_last_error: { stream in ExportedStream.of(stream)?.lastError.map { UnsafePointer($0) } },
            release: { stream in
                guard let stream, stream.pointee.release != nil, let data = stream.pointee.private_data else { return }
                Unmanaged<ExportedStream>.fromOpaque(data).release()
                stream.pointee.release = nil
                stream.pointee.private_data = nil
            },
            private_data: Unmanaged.passRetained(exported).toOpaque()))
}

private final class ExportedStream {
    let schema: Schema
    let options: ArrowExportOptions
    private(set) var lastError: UnsafeMutablePointer<CChar>?
    private let failed: (@Sendable (MillstreamError) -> Void)?
    private let next: @Sendable () throws(MillstreamError) -> Batch?

    init(
        schema: Schema, options: ArrowExportOptions, failed: (@Sendable (MillstreamError) -> Void)?,
        next: @escaping @Sendable () throws(MillstreamError) -> Batch?
    ) {
        self.schema = schema
        self.options = options
        self.failed = failed
        self.next = next
    }

    deinit { free(lastError) }

    static func of(_ stream: UnsafeMutablePointer<ArrowArrayStream>?) -> ExportedStream? {
        guard let stream, stream.pointee.release != nil, let data = stream.pointee.private_data else { return nil }
        return Unmanaged<ExportedStream>.fromOpaque(data).takeUnretainedValue()
    }

    /// Gives 0, with a released array at the end, or an errno.
    func pull(into array: UnsafeMutablePointer<ArrowArray>) -> Int32 {
        free(lastError)
        lastError = nil
        do throws(MillstreamError) {
            if let batch = try next() {
                try batch.exportArrow(into: array, options: options)
            } else {
                array.initialize(to: ArrowArray())
            }
            return 0
        } catch {
            lastError = strdup(error.description)
            failed?(error)
            return error.code == .cancelled ? ECANCELED : EIO
        }
    }
}
