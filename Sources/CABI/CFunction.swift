import CMillstream
import Columnar
import Dataflow

/// A host function behind a C callback: each request becomes one `millstream_request`, without work per row.
package final class CFunction: HostFunction, @unchecked Sendable {
    package var name: String { definition.name }
    package var accumulatorTypes: [DataType] { definition.accumulator?.types ?? [] }
    package var resultSchema: Schema? { definition.output }
    package var capabilities: HostCapabilities { definition.capabilities }

    private let definition: FunctionDefinition
    private let site: FunctionSite
    private let context: FunctionContext
    private let call: HostCall
    private var slot: Int?
    /// The handle by which the program notifies; good until the end of CLOSE.
    private var notifier: OpaquePointer?
    private let columns = ExportedColumns()
    /// Those of the second input, so that its schema is exported once as well.
    private let secondColumns = ExportedColumns()
    private let keys = ExportedColumns()
    private let accumulators = ExportedColumns()

    /// The function behind a handle, as a node with `site` calls it.
    package convenience init(_ handle: OpaquePointer?, site: FunctionSite) throws(MillstreamError) {
        self.init(try functionDefinition(handle), site: site)
    }

    convenience init(_ definition: FunctionDefinition, site: FunctionSite) {
        self.init(definition, site: site, context: definition.context)
    }

    private init(_ definition: FunctionDefinition, site: FunctionSite, context: FunctionContext) {
        self.definition = definition
        self.site = site
        self.context = context
        call = HostCall(definition: definition, site: site)
    }

    deinit {
        if let slot { CallTable.shared.remove(slot) }
        removeNotifier()
    }

    package func instance() throws(MillstreamError) -> any HostFunction {
        CFunction(definition, site: site, context: try definition.instanceContext())
    }

    package func fused(with next: any HostFunction) -> (any HostFunction)? {
        guard let next = next as? CFunction, let joined = try? definition.fused(with: next.definition) else { return nil }
        let outputs = site.sideOutputs + next.site.sideOutputs.filter { output in !site.sideOutputs.contains { $0.name == output.name } }
        return CFunction(joined, site: FunctionSite(input: site.input, sideOutputs: outputs, states: next.site.states))
    }

    package func call(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
        let slot = try ownSlot()
        if request.operation == .open { call.stop = request.stop }
        call.begin(request)
        defer { call.end() }
        var raw = millstream_request()
        try export(request, into: &raw)
        defer {
            releaseExports()
            if request.operation == .close { removeNotifier() }
        }
        let payloads = ExportedPayloads(request.payloads)
        raw.payloads = payloads.base
        raw.payload_count = payloads.count
        let status = request.integers.withUnsafeBufferPointer { integers in
            raw.integers = integers.baseAddress
            raw.integer_count = Int32(clamping: integers.count)
            (raw.response, raw.state) = CallTable.shared.begin(slot, call)
            if request.state == nil { raw.state = nil }
            let status = definition.call(context.pointer, &raw)
            CallTable.shared.end(slot)
            return status
        }
        // The pointers in `raw` point into the request's columns.
        withExtendedLifetime((request, payloads)) {}
        if let failure = call.failure {
            guard call.keepsRowsOfFailure else { throw failure }
            call.response.failure = failure
            call.response.resumption = 0
            return call.response
        }
        guard status == 0 else {
            throw MillstreamError(.userFunction, "the function '\(name)' returned \(status) without saying what failed")
        }
        return call.response
    }

    private func removeNotifier() {
        _ = HandleTable.shared.remove(notifier, .notifier)
        notifier = nil
    }

    private func ownSlot() throws(MillstreamError) -> Int {
        if let slot { return slot }
        let added = try CallTable.shared.add()
        slot = added
        return added
    }

    private func export(_ request: HostRequest, into raw: inout millstream_request) throws(MillstreamError) {
        raw.struct_size = UInt32(MemoryLayout<millstream_request>.size)
        raw.operation = request.operation.rawValue
        raw.count = Int64(request.count)
        raw.input = Int32(truncatingIfNeeded: request.input)
        raw.resumption = request.resumption
        if let notified = request.notifier, notifier == nil { notifier = try HandleTable.shared.insert(notified, .notifier) }
        raw.notifier = notifier
        let isCompatible = definition.isCompatible
        if !request.columns.isEmpty || request.count > 0 && request.schema.fields.isEmpty {
            let visible = Array(request.columns.prefix(request.schema.fields.count))
            let target = request.input == 0 ? columns : secondColumns
            raw.columns = try target.export(visible, request.schema, count: visible.first?.count ?? request.count, isCompatible)
            raw.schema = target.schemaPointer
        }
        if !request.keys.isEmpty {
            raw.keys = try keys.export(request.keys, nil, count: request.keys[0].count, isCompatible)
            raw.key_schema = keys.schemaPointer
        }
        if !request.accumulators.isEmpty {
            raw.accumulators = try accumulators.export(request.accumulators, definition.accumulator, count: request.accumulators[0].count, isCompatible)
            raw.accumulator_schema = accumulators.schemaPointer
        }
        raw.timestamps = request.timestamps.map { UnsafePointer($0.pointer(as: Int64.self)) }
        raw.row_kinds = request.rowKinds.map { UnsafePointer($0.pointer(as: Int8.self)) }
        raw.slots = request.slots.map { UnsafePointer($0.pointer(as: Int32.self)) }
        if request.windows.count == 2 {
            raw.window_starts = UnsafePointer(request.windows[0].pointer(as: Int64.self))
            raw.window_ends = UnsafePointer(request.windows[1].pointer(as: Int64.self))
        }
        raw.element_offsets = request.elementOffsets.map { UnsafePointer($0.pointer(as: Int32.self)) }
    }

    private func releaseExports() {
        columns.release()
        secondColumns.release()
        keys.release()
        accumulators.release()
    }
}

extension FunctionDefinition {
    /// One function that does what this and then `next` do; nil where the program cannot join them.
    func fused(with next: FunctionDefinition) throws(MillstreamError) -> FunctionDefinition? {
        guard let fuse, let other = next.fuse, isCompatible == next.isCompatible,
            unsafeBitCast(fuse, to: UInt.self) == unsafeBitCast(other, to: UInt.self)
        else { return nil }
        var joined = millstream_function_options()
        joined.struct_size = UInt32(MemoryLayout<millstream_function_options>.size)
        guard fuse(context.pointer, next.context.pointer, &joined) == 1 else { return nil }
        do throws(MillstreamError) {
            return try FunctionDefinition(joined, first: self, then: next)
        } catch {
            joined.release?(joined.context)
            throw error
        }
    }
}

/// Byte strings where C can read them.
private final class ExportedPayloads {
    private let bytes: Buffer
    private let list: Buffer
    let count: Int32
    var base: UnsafePointer<millstream_bytes>? { count == 0 ? nil : UnsafePointer(list.pointer(as: millstream_bytes.self)) }

    init(_ payloads: [[UInt8]]) {
        count = Int32(clamping: payloads.count)
        bytes = Buffer(byteCount: max(1, payloads.reduce(0) { $0 + $1.count }))
        list = Buffer(byteCount: max(1, payloads.count * MemoryLayout<millstream_bytes>.stride))
        var place = 0
        for (index, payload) in payloads.enumerated() {
            payload.withUnsafeBytes { source in
                if let address = source.baseAddress { (bytes.base + place).copyMemory(from: address, byteCount: source.count) }
            }
            list.pointer(as: millstream_bytes.self)[index] = millstream_bytes(
                bytes: UnsafePointer((bytes.base + place).assumingMemoryBound(to: UInt8.self)), length: Int64(payload.count))
            place += payload.count
        }
    }
}
