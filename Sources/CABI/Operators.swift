import CMillstream
import Columnar
import Dataflow
import Operators
import Plan

/// Adds an operator with one input; `describe` gives its name, operation, output and hidden key columns.
private func addOperator(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ node: UnsafeMutablePointer<millstream_node>?,
    _ describe: (inout EnvironmentEditor, ResolvedInput) throws(MillstreamError) -> OperatorDescription
) throws(MillstreamError) {
    let box = try environmentBox(environment)
    let result = try place(node, "node")
    let request = try InputRequest(input)
    result.pointee = try box.edit { editor throws(MillstreamError) in
        let resolved = try editor.resolve(request)
        let made = try describe(&editor, resolved)
        return try editor.add(made.name, [resolved.edge], made.operation, made.output, keyTypes: made.keyTypes, sideOutputs: made.sideOutputs)
    }
}

struct OperatorDescription {
    var name: String
    var operation: Plan.Operation
    var output: Schema
    var keyTypes: [DataType] = []
    var sideOutputs: [SideOutput] = []
}

@c @implementation
public func millstream_transform(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ function: OpaquePointer?,
    _ node: UnsafeMutablePointer<millstream_node>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let definition = try functionDefinition(function)
        let output = try definition.requireOutput("millstream_transform")
        guard definition.keyTypes.isEmpty else {
            throw MillstreamError(.plan, "'\(definition.name)' has a key_schema", hint: "Give it to millstream_key_selector.")
        }
        try addOperator(environment, input, node) { editor, _ throws(MillstreamError) in
            OperatorDescription(name: definition.name, operation: .transform(editor.bind(definition)), output: output)
        }
    }
}

@c @implementation
public func millstream_key_selector(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ function: OpaquePointer?,
    _ node: UnsafeMutablePointer<millstream_node>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let definition = try functionDefinition(function)
        guard !definition.keyTypes.isEmpty else {
            throw MillstreamError(.plan, "millstream_key_selector needs a function with a key_schema, and '\(definition.name)' has none")
        }
        try addOperator(environment, input, node) { editor, input throws(MillstreamError) in
            OperatorDescription(
                name: definition.name, operation: .keySelector(editor.bind(definition), keyTypes: definition.keyTypes),
                output: definition.output ?? input.schema, keyTypes: definition.keyTypes)
        }
    }
}

@c @implementation
public func millstream_project(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ expressions: UnsafePointer<OpaquePointer?>?, _ count: Int32,
    _ node: UnsafeMutablePointer<millstream_node>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let columns = try readExpressions(expressions, count, "expressions")
        try addOperator(environment, input, node) { _, input throws(MillstreamError) in
            OperatorDescription(name: "Project", operation: .project(columns), output: try projectedSchema(columns, input))
        }
    }
}

@c @implementation
public func millstream_filter(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ condition: OpaquePointer?,
    _ node: UnsafeMutablePointer<millstream_node>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let expression = try expressionBox(condition).expression
        try addOperator(environment, input, node) { _, input throws(MillstreamError) in
            let type = try input.typed(expression).type
            guard type.kind == .boolean else { throw MillstreamError(.plan, "a filter's condition is a BOOLEAN, and this one a \(type)") }
            return OperatorDescription(name: "Filter", operation: .filter(expression), output: input.schema)
        }
    }
}

@c @implementation
public func millstream_assign_timestamps(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ watermarks: UnsafePointer<millstream_watermarks>?,
    _ node: UnsafeMutablePointer<millstream_node>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        guard let request = try WatermarkRequest.read(watermarks) else { throw MillstreamError(.invalidArgument, "watermarks is NULL") }
        try addOperator(environment, input, node) { editor, input throws(MillstreamError) in
            OperatorDescription(
                name: "Timestamps/Watermarks", operation: .assignTimestamps(try request.bind(input.schema, &editor)), output: input.schema,
                sideOutputs: request.sideOutputs(input.schema))
        }
    }
}

@c @implementation
public func millstream_union(
    _ environment: OpaquePointer?, _ inputs: UnsafePointer<millstream_input>?, _ count: Int32, _ node: UnsafeMutablePointer<millstream_node>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try environmentBox(environment)
        let result = try place(node, "node")
        guard count > 0, let inputs else { throw MillstreamError(.invalidArgument, "a union needs inputs") }
        guard count <= 1_024 else { throw MillstreamError(.limitExceeded, "a union has at most 1024 inputs, not \(count)") }
        var requests: [InputRequest] = []
        // The array's stride is that of the caller's own header.
        let stride = Int(inputs.pointee.struct_size)
        for index in 0..<Int(count) {
            let place = UnsafeRawPointer(inputs) + index * stride
            requests.append(try InputRequest(place.assumingMemoryBound(to: millstream_input.self)))
        }
        result.pointee = try box.edit { editor throws(MillstreamError) in try editor.addUnion(requests) }
    }
}

extension EnvironmentEditor {
    fileprivate mutating func addUnion(_ requests: [InputRequest]) throws(MillstreamError) -> millstream_node {
        var edges: [Edge] = []
        var schema: Schema?
        for request in requests {
            let input = try resolve(request)
            let before = schema ?? input.schema
            guard let widened = before.widened(by: input.schema) else {
                throw MillstreamError(
                    .plan, "a union's inputs have one type, and these are \(before) and \(input.schema)", hint: "They may differ in NOT NULL alone.")
            }
            schema = widened
            edges.append(input.edge)
        }
        return try add("Union", edges, .union, schema ?? Schema([]))
    }
}

@c @implementation
public func millstream_reduce(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ function: OpaquePointer?,
    _ node: UnsafeMutablePointer<millstream_node>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let definition = try functionDefinition(function)
        try addOperator(environment, input, node) { editor, input throws(MillstreamError) in
            let keys = try input.requireKeys("millstream_reduce")
            let output = try definition.reduced(input.schema)
            return OperatorDescription(name: definition.name, operation: .reduce(editor.bind(definition), keys: keys), output: output)
        }
    }
}

extension FunctionDefinition {
    /// What a reduce function gives: values of its input's type. Throws `plan` where it says otherwise.
    func reduced(_ input: Schema) throws(MillstreamError) -> Schema {
        guard let output else { return input }
        // A host's declaration says nothing about nulls.
        guard output.widened(by: input) != nil else {
            throw MillstreamError(.plan, "the reduce function '\(name)' gives \(output), but its input is \(input)")
        }
        return output
    }
}

@c @implementation
public func millstream_rolling(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ kind: millstream_rolling_kind, _ column: Int32,
    _ node: UnsafeMutablePointer<millstream_node>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        guard let aggregate = RollingAggregate(rawValue: Int32(truncatingIfNeeded: kind.rawValue)) else {
            throw MillstreamError(.invalidArgument, "\(kind.rawValue) is no millstream_rolling_kind")
        }
        try addOperator(environment, input, node) { _, input throws(MillstreamError) in
            let keys = try input.requireKeys("millstream_rolling")
            let position = try input.requireColumn(column, "millstream_rolling")
            let function: AggregateCall.Function = aggregate == .sum ? .sum : aggregate == .min || aggregate == .minBy ? .min : .max
            _ = try AggregateCall(function, column: position, name: "").resultType(over: input.schema.fields[position].type)
            return OperatorDescription(
                name: "Rolling \(aggregate)", operation: .rolling(aggregate, column: position, keys: keys), output: input.schema)
        }
    }
}

@c @implementation
public func millstream_process(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ function: OpaquePointer?,
    _ states: UnsafePointer<millstream_state_declaration>?, _ state_count: Int32, _ node: UnsafeMutablePointer<millstream_node>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let definition = try functionDefinition(function)
        let output = try definition.requireOutput("millstream_process")
        let declarations = try readStates(states, state_count)
        try addOperator(environment, input, node) { editor, input throws(MillstreamError) in
            if input.keys == nil { try requireNoKeyedState(declarations, definition) }
            let description = ProcessDescription(function: editor.bind(definition), keys: input.keys, states: declarations)
            return OperatorDescription(name: definition.name, operation: .process(description), output: output)
        }
    }
}

@c @implementation
public func millstream_co_process(
    _ environment: OpaquePointer?, _ first: UnsafePointer<millstream_input>?, _ second: UnsafePointer<millstream_input>?,
    _ function: OpaquePointer?, _ states: UnsafePointer<millstream_state_declaration>?, _ state_count: Int32,
    _ node: UnsafeMutablePointer<millstream_node>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let definition = try functionDefinition(function)
        let output = try definition.requireOutput("millstream_co_process")
        let declarations = try readStates(states, state_count)
        let box = try environmentBox(environment)
        let result = try place(node, "node")
        let requests = (try InputRequest(first), try InputRequest(second))
        result.pointee = try box.edit { editor throws(MillstreamError) in
            let inputs = (try editor.resolve(requests.0), try editor.resolve(requests.1))
            let keys = try connectedKeys(inputs.0, inputs.1)
            if keys.0 == nil, keys.1 == nil { try requireNoKeyedState(declarations, definition) }
            let description = ProcessDescription(
                function: editor.bind(definition), keys: keys.0, second: ProcessDescription.SecondInput(keys: keys.1), states: declarations)
            return try editor.add(definition.name, [inputs.0.edge, inputs.1.edge], .process(description), output)
        }
    }
}

/// The key columns of two connected streams: both have keys, or the one beside a broadcast stream; otherwise neither.
private func connectedKeys(_ first: ResolvedInput, _ second: ResolvedInput) throws(MillstreamError) -> ([Int]?, [Int]?) {
    if let left = first.keys, let right = second.keys {
        try requireEqualKeyTypes(left.map { first.columnTypes[$0] }, right.map { second.columnTypes[$0] })
        return (left, right)
    }
    if first.keys != nil, case .broadcast = second.edge.partitioning { return (first.keys, nil) }
    if second.keys != nil, case .broadcast = first.edge.partitioning { return (nil, second.keys) }
    return (nil, nil)
}

private func requireNoKeyedState(_ states: [StateDeclaration], _ definition: FunctionDefinition) throws(MillstreamError) {
    guard states.contains(where: { !$0.kind.isOperatorState }) else { return }
    throw MillstreamError(
        .plan, "'\(definition.name)' declares keyed state, but its stream is not keyed", hint: "Partition its input by MILLSTREAM_HASH.")
}

@c @implementation
public func millstream_async(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ function: OpaquePointer?, _ capacity: Int32,
    _ node: UnsafeMutablePointer<millstream_node>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let definition = try functionDefinition(function)
        let output = try definition.requireOutput("millstream_async")
        guard capacity > 0 else { throw MillstreamError(.invalidArgument, "a capacity of \(capacity) rows", hint: "It is at least 1.") }
        try addOperator(environment, input, node) { editor, _ throws(MillstreamError) in
            let description = AsyncDescription(function: editor.bind(definition), capacity: Int(capacity))
            return OperatorDescription(name: definition.name, operation: .asynchronous(description), output: output)
        }
    }
}

@c @implementation
public func millstream_notify(_ notifier: OpaquePointer?) {
    // Outside of the table's lock: the scheduler has a lock of its own.
    guard let found = try? HandleTable.shared.find(notifier, .notifier, as: HostNotifier.self) else { return }
    found.notify()
}

private func readStates(
    _ pointer: UnsafePointer<millstream_state_declaration>?, _ count: Int32
) throws(MillstreamError) -> [StateDeclaration] {
    var states: [StateDeclaration] = []
    for declaration in try readArray(pointer, count, "states", limit: 1_024) {
        let state = try readState(declaration)
        guard !states.contains(where: { $0.name == state.name && $0.kind.isOperatorState == state.kind.isOperatorState }) else {
            throw MillstreamError(.plan, "there are two states called '\(state.name)'")
        }
        states.append(state)
    }
    return states
}

func readState(_ declaration: millstream_state_declaration) throws(MillstreamError) -> StateDeclaration {
    let name = try readName(declaration.name, "a state's name")
    guard let kind = StateDeclaration.Kind(rawValue: Int32(truncatingIfNeeded: declaration.kind.rawValue)) else {
        throw MillstreamError(.invalidArgument, "\(declaration.kind.rawValue) is no millstream_state_kind (state '\(name)')")
    }
    let valueType = try DataType.parse(try readText(declaration.value_type, "the value_type of state '\(name)'"))
    var keyType: DataType?
    if let text = try readOptionalText(declaration.key_type, "the key_type of state '\(name)'") { keyType = try DataType.parse(text) }
    guard (keyType != nil) == kind.isMap else {
        throw MillstreamError(.plan, "state '\(name)': a map has a key_type, and nothing else has")
    }
    return StateDeclaration(name: name, kind: kind, valueType: valueType, keyType: keyType)
}

/// The schema of a projection: a bare column of a bare stream stays bare, everything else becomes rows.
func projectedSchema(_ expressions: [Expression], _ input: ResolvedInput) throws(MillstreamError) -> Schema {
    var fields: [Field] = []
    for (index, expression) in expressions.enumerated() {
        let typed = try input.typed(expression)
        let name = typed.name ?? "f\(index)"
        guard !fields.contains(where: { $0.name == name }) else {
            throw MillstreamError(.plan, "two columns of the projection are called '\(name)'", hint: "Give one of them an alias.")
        }
        fields.append(Field(name, typed.type))
    }
    guard input.schema.shape == .scalar, fields.count == 1, !isAlias(expressions[0]) else { return Schema(fields) }
    return .scalar(fields[0].type)
}

private func isAlias(_ expression: Expression) -> Bool {
    if case .alias = expression { return true }
    return false
}

extension ResolvedInput {
    /// What a generator's expressions see: the row's number.
    static var rowNumbers: ResolvedInput {
        let schema = Schema.scalar(.bigInt.notNull)
        return ResolvedInput(edge: Edge(source: NodeID(-1)), schema: schema, columnTypes: schema.types, keys: nil)
    }
}
