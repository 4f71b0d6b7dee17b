import CMillstream
import Columnar
import Dataflow
import Plan

/// One function instance's calls: what runs now, and what the callback has answered so far. Used by the callback's thread only.
final class HostCall {
    /// The most numbers that a response may carry.
    static let integerCountMax = 65_536

    let definition: FunctionDefinition
    private(set) var site: FunctionSite
    private(set) var operation = HostOperation.open
    /// How many rows, keys, timers or windows parents may name.
    private(set) var parentCount = 0
    /// How many rows have states: those of the request, and the keys that `millstream_state_select_keys` put behind them.
    var stateRowCount = 0
    /// How many rows must come where they stand for the request's rows; nil where any number may.
    private(set) var rowCount: Int?
    private(set) var accumulatorCount = 0
    /// The request's columns, where the function is a key selector that passes them on.
    private(set) var passedColumns: [Column] = []
    /// Whether the function is a key selector that gives nothing but keys.
    private let givesKeysAlone: Bool
    var response = HostResponse()
    /// The first thing that went wrong; the request fails with it, whatever the callback returns.
    private(set) var failure: MillstreamError?
    /// Whether one of the answers was refused: then none of them is used.
    private(set) var isRefused = false
    /// The request's own, which outlives the call: a reference per access would cost more than the access.
    unowned(unsafe) var state: (any HostStateAccess)?
    /// The kinds of `site.states`, for the same reason.
    private(set) var stateKinds: UnsafeBufferPointer<StateDeclaration.Kind>
    /// What getters lent to the callback; lives until the next call with the same state.
    let lent = LentBytes()
    let lentKey = LentBytes()
    /// The subtask's, once the function was opened.
    var stop: StopFlag?
    private var importers: [(Target, ArrowImporter)] = []

    /// What the callback may answer with; each has a type of its own.
    enum Target: Hashable {
        case main
        case side(String)
        case timestamps
        case channels
        case accumulators
    }

    init(definition: FunctionDefinition, site: FunctionSite) {
        self.definition = definition
        self.site = site
        givesKeysAlone = definition.output == nil && !definition.keyTypes.isEmpty
        stateKinds = Self.kinds(of: site.states)
    }

    private static func kinds(of states: [StateDeclaration]) -> UnsafeBufferPointer<StateDeclaration.Kind> {
        let kinds = UnsafeMutableBufferPointer<StateDeclaration.Kind>.allocate(capacity: states.count)
        _ = kinds.initialize(from: states.map(\.kind))
        return UnsafeBufferPointer(kinds)
    }

    deinit { stateKinds.deallocate() }

    func begin(_ request: HostRequest) {
        operation = request.operation
        state = request.state
        response = HostResponse()
        failure = nil
        isRefused = false
        parentCount = request.count
        stateRowCount = request.count
        accumulatorCount = request.accumulators.first?.count ?? 0
        if givesKeysAlone { passedColumns = Array(request.columns.prefix(request.schema.fields.count)) }
        switch request.operation {
        case .read: rowCount = nil
        case .result: rowCount = accumulatorCount
        // Its rows always have parents: they come in no order.
        case .asyncPoll: rowCount = 0
        default: rowCount = request.count
        }
    }

    /// Adds an operator state while the function is opened, and gives its number. Throws `invalidState` at other times, and for a name that has another
    /// kind or type.
    func declare(_ declaration: StateDeclaration, _ access: any HostStateAccess) throws(MillstreamError) -> Int {
        guard operation == .open else {
            throw MillstreamError(.invalidState, "'\(definition.name)' asks for operator state '\(declaration.name)' after it was opened")
        }
        guard let kind = declaration.kind.operatorStateKind else {
            throw MillstreamError(.invalidArgument, "state '\(declaration.name)' is a \(declaration.kind) state, which belongs to a key", hint: "Declare it with its node.")
        }
        if let known = site.states.first(where: { $0.name == declaration.name && $0.kind.isOperatorState }), known != declaration {
            throw MillstreamError(
                .invalidState, "operator state '\(declaration.name)' of '\(definition.name)' is asked for as \(declaration.text), but was made as \(known.text)")
        }
        let index = try access.declareOperatorState(
            declaration.name, kind, StateTypes(value: declaration.valueType, key: declaration.keyType))
        if index == site.states.count {
            site.states.append(declaration)
            stateKinds.deallocate()
            stateKinds = Self.kinds(of: site.states)
        }
        return index
    }

    /// Forgets what belongs to the request.
    func end() {
        state = nil
        response = HostResponse()
        failure = nil
        passedColumns = []
    }

    /// Remembers a failure, and gives it back to be thrown.
    func fail(_ error: MillstreamError) -> MillstreamError {
        if failure == nil { failure = error }
        return error
    }

    /// Remembers that an answer was refused, and gives the failure back to be thrown.
    func refuse(_ error: MillstreamError) -> MillstreamError {
        isRefused = true
        return fail(error)
    }

    /// Whether a failed call's rows are those of the records before the failing one, which the operator emits first.
    var keepsRowsOfFailure: Bool {
        guard !isRefused, !response.outputs.isEmpty else { return false }
        switch operation {
        case .transform, .reduce, .process, .timers, .window, .asyncPoll: return true
        default: return false
        }
    }

    /// The importer of what the callback answers with. Throws `plan` for a side output that the node has not.
    func importer(_ target: Target) throws(MillstreamError) -> ArrowImporter {
        if let known = importers.first(where: { $0.0 == target }) { return known.1 }
        var schema = try self.schema(target)
        if target == .main { schema = Schema(schema.fields + keyFields, shape: schema.shape) }
        let importer = try schema.importer(isCompatible: definition.isCompatible)
        importers.append((target, importer))
        return importer
    }

    private var keyFields: [Field] { definition.keyTypes.enumerated().map { Field("$key\($0.offset)", $0.element) } }

    private func schema(_ target: Target) throws(MillstreamError) -> Schema {
        switch target {
        case .timestamps: return .scalar(.bigInt)
        case .channels: return .scalar(.int)
        case .accumulators: return definition.accumulator ?? (operation == .reduce ? site.input : .object)
        case .main:
            if operation == .reduce { return definition.output ?? site.input }
            if givesKeysAlone { return Schema([]) }
            return try definition.requireOutput("emitting rows")
        case .side(let tag):
            guard let output = site.sideOutputs.first(where: { $0.name == tag }) else {
                throw MillstreamError(
                    .plan, "'\(definition.name)' emits to a side output '\(tag)' that its operator has not",
                    hint: "Process functions and late rows of windows have side outputs; C declares them with millstream_node_add_side_output.")
            }
            return output.schema
        }
    }
}

/// The node that calls a function: what the function may emit to and which state it has.
package struct FunctionSite: Sendable {
    /// The schema of the node's first input; empty for a source.
    var input: Schema
    var sideOutputs: [SideOutput]
    var states: [StateDeclaration]

    package init(input: Schema, sideOutputs: [SideOutput] = [], states: [StateDeclaration] = []) {
        self.input = input
        self.sideOutputs = sideOutputs
        self.states = states
    }
}

extension Schema {
    /// The importer of arrays of this schema that the program makes; handles in it bring their references.
    func importer(isCompatible: Bool) throws(MillstreamError) -> ArrowImporter {
        let options = ArrowImportOptions(hostObjects: Library.shared.hostObjects, ownsHandles: true)
        guard isCompatible else { return ArrowImporter(expecting: self, options: options) }
        var arrow = ArrowSchema()
        exportArrow(into: &arrow, options: ArrowExportOptions(usesViews: false))
        defer { arrow.release?(&arrow) }
        return try ArrowImporter(schema: &arrow, options: options)
    }
}

/// A copy of bytes whose address is stable until the next copy.
final class LentBytes {
    private var base: UnsafeMutableRawPointer?
    private var capacity = 0

    deinit { base?.deallocate() }

    func lend(_ bytes: [UInt8]) -> UnsafePointer<UInt8>? {
        if capacity < bytes.count || base == nil {
            base?.deallocate()
            capacity = max(64, bytes.count)
            base = .allocate(byteCount: capacity, alignment: 16)
        }
        bytes.withUnsafeBytes { source in
            if let address = source.baseAddress { base?.copyMemory(from: address, byteCount: source.count) }
        }
        return base.map { UnsafePointer($0.assumingMemoryBound(to: UInt8.self)) }
    }
}

extension StateDeclaration {
    /// Its kind and types, for messages.
    fileprivate var text: String { keyType.map { "\(kind) of \($0) to \(valueType)" } ?? "\(kind) of \(valueType)" }
}

extension StateDeclaration.Kind {
    /// nil for keyed states.
    fileprivate var operatorStateKind: OperatorStateKind? {
        switch self {
        case .value, .list, .map, .reducing, .aggregating: nil
        case .broadcast: .broadcast
        case .operatorList: .list
        case .unionList: .unionList
        }
    }
}
