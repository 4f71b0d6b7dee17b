import Columnar
import Dataflow
import Expressions
import Plan

/// Makes the operator that a node names.
public enum OperatorFactory {
    /// `inputs` are the schemas of the node's logical inputs, `hidden` the types of the key columns behind the first one's. Throws `plan` for expressions that
    /// do not bind, for keys that are not there, and for bindings that are missing. `isBatch`: the job runs in BATCH mode.
    public static func make(
        for node: Node, inputs: [Schema], hidden: [DataType] = [], bindings: Bindings, configuration: JobConfiguration = JobConfiguration(),
        isBatch: Bool = false
    ) throws(MillstreamError) -> any Operator {
        let made = try makePlain(for: node, inputs: inputs, hidden: hidden, bindings: bindings, configuration: configuration, isBatch: isBatch)
        guard isBatch, let (keys, broadcast) = orderedInputs(of: node.operation) else { return made }
        return BatchInputOperator(made, keys: keys, broadcastInput: broadcast, hostObjects: bindings.hostObjects)
    }

    /// The keys of each input, and which one is broadcast, of an operator that sees a difference between orders of its input; nil for others.
    private static func orderedInputs(of operation: Plan.Operation) -> (keys: [[Int]?], broadcast: Int?)? {
        switch operation {
        case .reduce(_, let keys), .rolling(_, _, let keys): return ([keys], nil)
        case .process(let process):
            let broadcast = process.second != nil && process.states.contains { $0.kind == .broadcast } ? 1 : nil
            return process.isKeyed || broadcast != nil ? (process.inputKeys, broadcast) : nil
        case .window(let window): return ([window.isOrderFree ? nil : window.keys], nil)
        default: return nil
        }
    }

    private static func makePlain(
        for node: Node, inputs: [Schema], hidden: [DataType], bindings: Bindings, configuration: JobConfiguration, isBatch: Bool
    ) throws(MillstreamError) -> any Operator {
        let input = inputs.first ?? Schema([])
        let columnTypes = input.types + hidden
        switch node.operation {
        case .project(let expressions):
            var bound: [BoundExpression] = []
            for expression in expressions { bound.append(try expression.bind(to: input)) }
            return ProjectOperator(bound, output: node.output)
        case .filter(let condition): return FilterOperator(try condition.bind(to: input))
        case .transform(let id), .keySelector(let id, _): return try TransformOperator(try bindings.function(id.value), output: node.output)
        case .assignTimestamps(let description):
            return try AssignTimestampsOperator(
                description, schema: input, interval: configuration.watermarkIntervalMilliseconds, bindings: bindings)
        case .window(let description):
            return try WindowOperatorFactory.make(
                description, node: node, input: input, keyTypes: try keyTypes(description.keys, columnTypes), bindings: bindings)
        case .reduce(let id, let keys):
            return try ReduceOperator(
                try bindings.function(id.value), keys: keys, input: input, output: node.output, givesLastOnly: isBatch, hostObjects: bindings.hostObjects)
        case .rolling(let aggregate, let column, let keys):
            return try RollingOperator(
                aggregate, column: column, keys: keys, input: input, output: node.output, givesLastOnly: isBatch, hostObjects: bindings.hostObjects)
        case .process(let description):
            return try ProcessOperator(
                try bindings.function(description.function.value), description, output: node.output, sideOutputs: node.sideOutputs,
                deadLetterOutput: node.deadLetterOutput, hostObjects: bindings.hostObjects)
        case .table(let table):
            return try TableOperatorFactory.make(table, inputs: inputs, output: node.output, bindings: bindings, configuration: configuration, isBatch: isBatch)
        case .aggregate(let operation):
            return try AggregateOperatorFactory.make(operation, input: input, output: node.output, bindings: bindings, configuration: configuration, isBatch: isBatch)
        case .asynchronous(let description):
            return try AsyncOperator(try bindings.function(description.function.value), capacity: description.capacity, output: node.output)
        default: throw MillstreamError(.unsupported, "\(node.name) is not built yet")
        }
    }

    /// The types of key columns by position.
    static func keyTypes(_ positions: [Int], _ columnTypes: [DataType]) throws(MillstreamError) -> [DataType] {
        var types: [DataType] = []
        for position in positions {
            guard position >= 0, position < columnTypes.count else {
                throw MillstreamError(.plan, "the key is column \(position); the stream has \(columnTypes.count) columns")
            }
            types.append(columnTypes[position])
        }
        return types
    }
}

extension WindowDescription {
    /// Whether its results do not depend on the order of the rows, as long as no watermark comes between them.
    fileprivate var isOrderFree: Bool {
        switch (function, assigner) {
        case (.aggregate, .tumbling), (.aggregate, .sliding), (.aggregate, .session): true
        default: false
        }
    }
}
