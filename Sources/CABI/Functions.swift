import CMillstream
import Columnar
import Dataflow

/// A function of the program as it was created; `CFunction` makes the running instances of it.
final class FunctionDefinition: @unchecked Sendable {
    let name: String
    let context: FunctionContext
    let call: millstream_callback
    let instantiate: (@convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?)?
    let fuse: (
        @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UnsafeMutablePointer<millstream_function_options>?) -> Int32
    )?
    let output: Schema?
    let accumulator: Schema?
    /// The key columns that a key selector emits behind its output's.
    let keyTypes: [DataType]
    /// Text and bytes cross with offsets instead of views.
    let isCompatible: Bool
    let capabilities: HostCapabilities
    private let release: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?

    /// Takes over the context, but not if this throws.
    convenience init(_ options: millstream_function_options) throws(MillstreamError) {
        try self.init(options, first: nil, then: nil)
    }

    /// The function that `options` joined from two: what they leave out is taken from the parts. Takes over the context, but not if this throws.
    init(_ options: millstream_function_options, first: FunctionDefinition?, then next: FunctionDefinition?) throws(MillstreamError) {
        guard let call = options.call else { throw MillstreamError(.invalidArgument, "the function's call is NULL") }
        self.call = call
        let given = try readOptionalText(options.name, "the function's name")
        name = given ?? (first.map { $0.name + " -> " + (next?.name ?? "") } ?? "function")
        instantiate = options.instantiate
        fuse = options.fuse
        output = try FunctionDefinition.schema(options.output_schema, "output_schema") ?? next?.output
        accumulator = try FunctionDefinition.schema(options.accumulator_schema, "accumulator_schema")
        keyTypes = try FunctionDefinition.schema(options.key_schema, "key_schema")?.types ?? next?.keyTypes ?? []
        isCompatible = next?.isCompatible ?? (options.compatible != 0)
        capabilities = HostCapabilities(rawValue: options.capabilities)
        release = options.release
        context = FunctionContext(options.context, release: options.release, parts: [first, next].compactMap { $0?.context })
    }

    private static func schema(_ text: UnsafePointer<CChar>?, _ what: String) throws(MillstreamError) -> Schema? {
        guard let text = try readOptionalText(text, what) else { return nil }
        return try Schema.parse(text)
    }

    /// The context of one subtask: the shared one, or a new one where the function makes them.
    func instanceContext() throws(MillstreamError) -> FunctionContext {
        guard let instantiate else { return context }
        guard let made = instantiate(context.pointer) else {
            throw MillstreamError(.userFunction, "the function '\(name)' could not make an instance for a subtask")
        }
        return FunctionContext(made, release: release, parts: [context])
    }

    /// What the function emits. Throws `plan` where it does not say.
    func requireOutput(_ operation: String) throws(MillstreamError) -> Schema {
        guard let output else {
            throw MillstreamError(.plan, "\(operation) needs a function with an output_schema, and '\(name)' has none")
        }
        return output
    }
}

/// The program's pointer, released exactly once when nothing needs it any more.
final class FunctionContext: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer?
    private let release: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
    /// Contexts that this one may lean on: they go after it.
    private let parts: [FunctionContext]

    init(_ pointer: UnsafeMutableRawPointer?, release: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?, parts: [FunctionContext]) {
        self.pointer = pointer
        self.release = release
        self.parts = parts
    }

    deinit { release?(pointer) }
}

func functionDefinition(_ handle: OpaquePointer?) throws(MillstreamError) -> FunctionDefinition {
    try HandleTable.shared.find(handle, .function, as: FunctionDefinition.self)
}

@c @implementation
public func millstream_function_create(
    _ options: UnsafePointer<millstream_function_options>?, _ function: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let result = try place(function, "function")
        let values = try readStruct(options)
        result.pointee = try HandleTable.shared.insert(try FunctionDefinition(values), .function)
    }
}

@c @implementation
public func millstream_function_free(_ function: OpaquePointer?) { _ = HandleTable.shared.remove(function, .function) }
