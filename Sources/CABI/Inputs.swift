import CMillstream
import Columnar
import Plan

/// An input of a node that is about to be added, checked against the plan.
struct ResolvedInput {
    let edge: Edge
    /// The schema of the stream's rows.
    let schema: Schema
    /// The types of all columns at hand: the schema's, then a key selector's.
    let columnTypes: [DataType]
    /// The key columns of HASH; nil for every other partitioning.
    let keys: [Int]?

    /// The key columns. Throws `plan` where the stream is not keyed; `operation` names who needs them.
    func requireKeys(_ operation: String) throws(MillstreamError) -> [Int] {
        guard let keys else {
            throw MillstreamError(.plan, "\(operation) needs a keyed stream", hint: "Partition its input by MILLSTREAM_HASH.")
        }
        return keys
    }

    /// Throws `plan` for a column that is not there.
    func requireColumn(_ column: Int32, _ what: String) throws(MillstreamError) -> Int {
        guard column >= 0, Int(column) < schema.fields.count else {
            throw MillstreamError(.plan, "\(what): there is no column \(column); the input has \(schema.fields.count): \(schema)")
        }
        return Int(column)
    }
}

/// An input as the program gave it, before the plan is looked at.
struct InputRequest {
    let node: millstream_node
    let sideOutput: String?
    let partitioning: millstream_partitioning
    let keys: [Int]
    let partitioner: FunctionDefinition?

    init(_ pointer: UnsafePointer<millstream_input>?) throws(MillstreamError) {
        let input = try readStruct(pointer)
        node = input.node
        sideOutput = try readOptionalText(input.side_output, "side_output")
        partitioning = input.partitioning
        keys = try readArray(input.keys, input.key_count, "keys", limit: 1_024).map { Int($0) }
        partitioner = input.partitioner == nil ? nil : try functionDefinition(input.partitioner)
    }
}

extension EnvironmentEditor {
    /// Looks an input up in the plan. Throws `invalidArgument` for what does not exist, `plan` for what does not fit.
    mutating func resolve(_ input: InputRequest) throws(MillstreamError) -> ResolvedInput {
        let index = try self.index(of: input.node)
        let source = plan.nodes[index]
        if case .sink = source.operation {
            throw MillstreamError(.plan, "node \(index) ('\(source.name)') is a sink, and a sink has no output")
        }
        let (schema, hidden) = try stream(of: source, input.sideOutput, index)
        let types = schema.types + hidden
        for key in input.keys where key < 0 || key >= types.count {
            throw MillstreamError(.plan, "key column \(key) does not exist; '\(source.name)' has \(types.count) columns: \(schema)")
        }
        let (partitioning, keys) = try partitioning(of: input)
        return ResolvedInput(
            edge: Edge(source: source.id, sideOutput: input.sideOutput, partitioning: partitioning), schema: schema, columnTypes: types, keys: keys)
    }

    private func stream(of node: Node, _ tag: String?, _ index: Int) throws(MillstreamError) -> (Schema, [DataType]) {
        guard let tag else { return (node.output, keyTypes[index]) }
        guard let output = node.sideOutputs.first(where: { $0.name == tag }) else {
            let names = node.sideOutputs.map { "'\($0.name)'" }.joined(separator: ", ")
            throw MillstreamError(
                .plan, "'\(node.name)' has no side output '\(tag)'",
                hint: names.isEmpty
                    ? "Process functions and late rows of windows have side outputs; C declares them with millstream_node_add_side_output." : "It has: \(names).")
        }
        return (output.schema, [])
    }

    private mutating func partitioning(of input: InputRequest) throws(MillstreamError) -> (Partitioning, [Int]?) {
        switch input.partitioning {
        case MILLSTREAM_HASH, MILLSTREAM_CUSTOM: break
        default:
            guard input.keys.isEmpty else { throw MillstreamError(.invalidArgument, "only MILLSTREAM_HASH and MILLSTREAM_CUSTOM take keys") }
        }
        switch input.partitioning {
        case MILLSTREAM_FORWARD: return (.forward, nil)
        case MILLSTREAM_REBALANCE: return (.rebalance, nil)
        case MILLSTREAM_RESCALE: return (.rescale, nil)
        case MILLSTREAM_SHUFFLE: return (.shuffle, nil)
        case MILLSTREAM_BROADCAST: return (.broadcast, nil)
        case MILLSTREAM_GLOBAL: return (.global, nil)
        case MILLSTREAM_HASH:
            guard !input.keys.isEmpty else { throw MillstreamError(.invalidArgument, "MILLSTREAM_HASH needs at least one key column") }
            return (.hash(keys: input.keys), input.keys)
        case MILLSTREAM_CUSTOM:
            guard let partitioner = input.partitioner else { throw MillstreamError(.invalidArgument, "MILLSTREAM_CUSTOM needs a partitioner") }
            return (.custom(bind(partitioner), keys: input.keys), nil)
        default: throw MillstreamError(.invalidArgument, "\(input.partitioning.rawValue) is no millstream_partitioning")
        }
    }
}
