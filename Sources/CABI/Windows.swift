import CMillstream
import Columnar
import Plan

@c @implementation
public func millstream_window_operator(
    _ environment: OpaquePointer?, _ input: UnsafePointer<millstream_input>?, _ window: UnsafePointer<millstream_window>?,
    _ node: UnsafeMutablePointer<millstream_node>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    guarded(error) { () throws(MillstreamError) in
        let box = try environmentBox(environment)
        let result = try place(node, "node")
        let request = try WindowRequest(try readStruct(window))
        let inputRequest = try InputRequest(input)
        result.pointee = try box.edit { editor throws(MillstreamError) in
            let resolved = try editor.resolve(inputRequest)
            let made = try request.describe(resolved, &editor)
            return try editor.add(made.name, [resolved.edge], made.operation, made.output, sideOutputs: made.sideOutputs)
        }
    }
}

/// A window as the program gave it, its numbers checked.
struct WindowRequest {
    private let assigner: WindowDescription.Assigner
    private let hasTime: Bool
    private let lateness: Int64
    private let lateOutput: String?
    private let aggregates: [AggregateCall]
    private let reduce: FunctionDefinition?
    private let aggregate: FunctionDefinition?
    private let process: FunctionDefinition?

    init(_ window: millstream_window) throws(MillstreamError) {
        (assigner, hasTime) = try WindowRequest.assigner(window)
        lateness = window.allowed_lateness
        guard lateness >= 0 else { throw MillstreamError(.configuration, "allowed_lateness is \(lateness); it is never negative") }
        lateOutput = window.late_output == nil ? nil : try readName(window.late_output, "late_output")
        aggregates = try WindowRequest.aggregates(window)
        reduce = window.reduce == nil ? nil : try functionDefinition(window.reduce)
        aggregate = window.aggregate == nil ? nil : try functionDefinition(window.aggregate)
        process = window.process == nil ? nil : try functionDefinition(window.process)
        let count = (aggregates.isEmpty ? 0 : 1) + (reduce == nil ? 0 : 1) + (aggregate == nil ? 0 : 1)
        guard count <= 1, count == 1 || process != nil, aggregates.isEmpty || process == nil else {
            throw MillstreamError(
                .plan, "a window has exactly one of aggregates, reduce, aggregate and process",
                hint: "Only reduce and aggregate may have a process beside them.")
        }
    }

    private static func assigner(_ window: millstream_window) throws(MillstreamError) -> (WindowDescription.Assigner, Bool) {
        let isEventTime = window.is_event_time != 0
        guard window.size > 0 else { throw MillstreamError(.configuration, "the window's size is \(window.size); it must be more than 0") }
        switch window.kind {
        case MILLSTREAM_SLIDING, MILLSTREAM_SLIDING_COUNT:
            guard window.slide > 0 else { throw MillstreamError(.configuration, "the window's slide is \(window.slide); it must be more than 0") }
        default: break
        }
        switch window.kind {
        case MILLSTREAM_TUMBLING:
            try requireOffset(window.offset, window.size, "size")
            return (.tumbling(size: window.size, offset: window.offset, isEventTime: isEventTime), true)
        case MILLSTREAM_SLIDING:
            try requireOffset(window.offset, window.slide, "slide")
            return (.sliding(size: window.size, slide: window.slide, offset: window.offset, isEventTime: isEventTime), true)
        case MILLSTREAM_SESSION: return (.session(gap: window.size, isEventTime: isEventTime), true)
        case MILLSTREAM_COUNT_WINDOW: return (.count(window.size), false)
        case MILLSTREAM_SLIDING_COUNT: return (.slidingCount(size: window.size, slide: window.slide), false)
        default: throw MillstreamError(.invalidArgument, "\(window.kind.rawValue) is no millstream_window_kind")
        }
    }

    /// As in Flink: |offset| < size.
    private static func requireOffset(_ offset: Int64, _ bound: Int64, _ name: String) throws(MillstreamError) {
        guard offset.magnitude < bound.magnitude else {
            throw MillstreamError(.configuration, "the window's offset \(offset) is not smaller than its \(name) \(bound)")
        }
    }

    private static func aggregates(_ window: millstream_window) throws(MillstreamError) -> [AggregateCall] {
        var calls: [AggregateCall] = []
        for aggregate in try readArray(window.aggregates, window.aggregate_count, "aggregates", limit: 1_024) {
            guard let function = AggregateCall.Function(rawValue: Int32(truncatingIfNeeded: aggregate.kind.rawValue)) else {
                throw MillstreamError(.invalidArgument, "\(aggregate.kind.rawValue) is no millstream_aggregate_kind")
            }
            let column = function == .countAll ? nil : Int(aggregate.column)
            calls.append(AggregateCall(function, column: column, name: try readName(aggregate.name, "an aggregate's name")))
        }
        return calls
    }

    func describe(_ input: ResolvedInput, _ editor: inout EnvironmentEditor) throws(MillstreamError) -> OperatorDescription {
        let keys = try input.requireKeys("millstream_window_operator")
        let output = try self.output(input, keys)
        let late = lateOutput.map { [SideOutput(name: $0, schema: input.schema)] } ?? []
        let description = WindowDescription(
            assigner: assigner, function: function(&editor), keys: keys, allowedLatenessMilliseconds: lateness, lateOutput: lateOutput)
        return OperatorDescription(name: name, operation: .window(description), output: output, sideOutputs: late)
    }

    private var name: String { "Window(" + ((process ?? reduce ?? aggregate)?.name ?? "aggregates") + ")" }

    private func function(_ editor: inout EnvironmentEditor) -> WindowDescription.Function {
        let then = process.map { editor.bind($0) }
        if let reduce { return .reduce(editor.bind(reduce), then: then) }
        if let aggregate { return .hostAggregate(editor.bind(aggregate), then: then) }
        if let then { return .process(then) }
        return .aggregate(aggregates)
    }

    private func output(_ input: ResolvedInput, _ keys: [Int]) throws(MillstreamError) -> Schema {
        let reduced = try reduce?.reduced(input.schema)
        if let process { return try process.requireOutput("a window function") }
        if let reduced { return reduced }
        if let aggregate { return try aggregate.requireOutput("an aggregate function") }
        return try aggregatedSchema(input, keys)
    }

    private func aggregatedSchema(_ input: ResolvedInput, _ keys: [Int]) throws(MillstreamError) -> Schema {
        var fields: [Field] = []
        for (index, key) in keys.enumerated() {
            let isNamed = key < input.schema.fields.count && input.schema.shape != .scalar
            let name = isNamed ? input.schema.fields[key].name : keys.count == 1 ? "key" : "key\(index)"
            fields.append(Field(name, input.columnTypes[key]))
        }
        if hasTime {
            let time = DataType(.timestampLTZ(3), isNullable: false)
            fields += [Field("window_start", time), Field("window_end", time)]
        }
        for call in aggregates {
            var type: DataType?
            if let column = call.column { type = input.schema.fields[try input.requireColumn(Int32(clamping: column), call.name)].type }
            fields.append(Field(call.name, try call.resultType(over: type)))
        }
        for (index, field) in fields.enumerated() where fields[..<index].contains(where: { $0.name == field.name }) {
            throw MillstreamError(.plan, "two columns of the window's result are called '\(field.name)'")
        }
        return Schema(fields)
    }
}
