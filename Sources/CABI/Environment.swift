import CMillstream
import Checkpoint
import Columnar
import Dataflow
import Plan
import Runtime

/// A job under construction: the plan so far, and the running parts that its nodes name.
final class EnvironmentBox: @unchecked Sendable {
    /// The most nodes that a plan may have.
    static let nodeCountMax = 100_000

    /// What a binding number of the plan stands for.
    enum Part {
        /// A function and the node that calls it, whose side outputs it may emit to.
        case function(FunctionDefinition, node: NodeID)
        case stream(any BatchStream)
    }

    private let lock = Lock()
    private var plan = StreamPlan()
    private var parts: [Part] = []
    /// For each node, the types of the key columns behind the schema's: those of a key selector.
    private var keyTypes: [[DataType]] = []
    private var textOutput: CallbackTextOutput?
    private var clock: ManualClock?

    /// Runs `body` with the environment to itself.
    func edit<Result>(_ body: (inout EnvironmentEditor) throws(MillstreamError) -> Result) throws(MillstreamError) -> Result {
        lock.lock()
        defer { lock.unlock() }
        var editor = EnvironmentEditor(plan: plan, parts: parts, keyTypes: keyTypes, textOutput: textOutput, clock: clock)
        // The editor holds the only references to the arrays, so that appending copies nothing.
        plan = StreamPlan()
        parts = []
        keyTypes = []
        defer {
            plan = editor.plan
            parts = editor.parts
            keyTypes = editor.keyTypes
            textOutput = editor.textOutput
            clock = editor.clock
        }
        return try body(&editor)
    }
}

/// The parts of an environment while one call works on them. A call that throws leaves them as they were, because it appends last.
struct EnvironmentEditor {
    var plan: StreamPlan
    var parts: [EnvironmentBox.Part]
    var keyTypes: [[DataType]]
    var textOutput: CallbackTextOutput?
    /// The jobs' clock; nil: the machine's.
    var clock: ManualClock?

    /// The number of the next node.
    var nextNode: NodeID { NodeID(plan.nodes.count) }

    /// Appends a node, and gives its number.
    mutating func add(
        _ name: String, _ inputs: [Edge], _ operation: Plan.Operation, _ output: Schema, keyTypes hidden: [DataType] = [],
        sideOutputs: [SideOutput] = []
    ) throws(MillstreamError) -> millstream_node {
        guard plan.nodes.count < EnvironmentBox.nodeCountMax else {
            throw MillstreamError(.limitExceeded, "an environment has at most \(EnvironmentBox.nodeCountMax) nodes")
        }
        var node = Node(id: nextNode, name: name, inputs: inputs, operation: operation, output: output)
        node.sideOutputs = sideOutputs
        plan.nodes.append(node)
        keyTypes.append(hidden)
        return millstream_node(node.id.value)
    }

    /// A number for a function of the node that is about to be added.
    mutating func bind(_ function: FunctionDefinition) -> BindingID {
        parts.append(.function(function, node: nextNode))
        return BindingID(parts.count - 1)
    }

    mutating func bind(_ stream: any BatchStream) -> BindingID {
        parts.append(.stream(stream))
        return BindingID(parts.count - 1)
    }

    /// The position of a node in the plan. Throws `invalidArgument`.
    func index(of node: millstream_node) throws(MillstreamError) -> Int {
        guard node >= 0, Int(node) < plan.nodes.count else {
            throw MillstreamError(.invalidArgument, "there is no node \(node); the environment has \(plan.nodes.count)")
        }
        return Int(node)
    }
}

func environmentBox(_ handle: OpaquePointer?) throws(MillstreamError) -> EnvironmentBox {
    try HandleTable.shared.find(handle, .environment, as: EnvironmentBox.self)
}

@c @implementation
public func millstream_environment_create(
    _ environment: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let result = try place(environment, "environment")
        result.pointee = try HandleTable.shared.insert(EnvironmentBox(), .environment)
    }
}

@c @implementation
public func millstream_environment_free(_ environment: OpaquePointer?) { _ = HandleTable.shared.remove(environment, .environment) }

@c @implementation
public func millstream_environment_configure(
    _ environment: OpaquePointer?, _ key: UnsafePointer<CChar>?, _ value: UnsafePointer<CChar>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try environmentBox(environment)
        let option = Option(try readText(key, "key"), try readText(value, "value"))
        try box.edit { editor throws(MillstreamError) in try editor.plan.configuration.set(option) }
    }
}

@c @implementation
public func millstream_environment_plan_json(
    _ environment: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try environmentBox(environment)
        let result = try place(json, "json")
        result.pointee = try giveText(planJSON(try box.edit { editor throws(MillstreamError) in editor.plan }))
    }
}

@c @implementation
public func millstream_environment_plan_diff(
    _ environment: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try environmentBox(environment)
        let result = try place(json, "json")
        let reader = try savepoint(path)
        let (plan, parts) = try box.edit { editor throws(MillstreamError) in (editor.plan, editor.parts) }
        let diff = try PlanDiff(plan, bindings: makeBindings(plan, parts), savepoint: reader)
        var writer = JSONText()
        writer.raw("[")
        for (index, entry) in diff.entries.enumerated() {
            writer.raw(index == 0 ? "{\"uid\":" : ",{\"uid\":")
            writer.string(entry.uid)
            writer.raw(",\"name\":")
            writer.string(entry.name)
            writer.raw(",\"states\":[")
            for (number, state) in entry.states.enumerated() {
                if number > 0 { writer.raw(",") }
                writer.string(state)
            }
            writer.raw("],\"outcome\":")
            writer.string(entry.outcome.rawValue)
            writer.raw(",\"reason\":")
            writer.string(entry.reason)
            writer.raw("}")
        }
        writer.raw("]")
        result.pointee = try giveText(writer.text)
    }
}

@c @implementation
public func millstream_environment_set_text_output(
    _ environment: OpaquePointer?, _ write: millstream_text_output?, _ context: UnsafeMutableRawPointer?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        var output: CallbackTextOutput?
        if let write { output = try CallbackTextOutput(write: write, context: context) }
        try environmentBox(environment).edit { editor throws(MillstreamError) in editor.textOutput = output }
    }
}
