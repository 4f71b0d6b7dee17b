import Columnar
import Connectors
import Dataflow
import Plan

/// A plan brought down to what runs: tasks, each a tree of chained operators, and the exchanges between them.
struct JobGraph {
    /// One operator of a task: a node, or several host functions joined into one.
    struct Step {
        var node: Node
        var id: OperatorID
        /// The schemas of the logical inputs.
        var inputs: [Schema]
        /// The types of the key columns that a key selector put behind the first input's.
        var hidden: [DataType] = []
        /// The joined host function, where neighbours were joined.
        var function: (any HostFunction)?
        /// Steps of the same task that take this one's rows directly, by side output (nil: the main one).
        var chained: [(sideOutput: String?, step: Int)] = []
        /// Exchanges that this step writes, by side output.
        var exits: [(sideOutput: String?, exchange: Int)] = []
    }

    struct Task {
        /// Steps in the order of the plan; the first is the head.
        var steps: [Step] = []
        var parallelism: Int
        var maxParallelism: Int
        /// Exchanges that the head reads, by logical input.
        var entries: [[Int]] = []
        var bufferTimeoutMilliseconds: Int64
        /// Whether a step calls into the host.
        var callsHost = false
        /// Whether the head decodes files, which takes as long as the host's functions behind it, and can be done beside others'.
        var decodesFiles = false
        /// Whether the time of the task goes to the host: such tasks do not run beside each other.
        var takesHostTurns: Bool { callsHost && !decodesFiles }

        var name: String { steps.map(\.node.name).joined(separator: " -> ") }
    }

    struct Exchange {
        var producer: Int
        var consumer: Int
        var partitioning: Partitioning
        /// The operator that the rows go to, for messages about keys.
        var consumerName: String
        /// The schema of the reader's input, where it is a union with other types than the producer's.
        var conformsTo: Schema?
    }

    var tasks: [Task] = []
    var exchanges: [Exchange] = []
    /// Whether the job runs in BATCH mode.
    var isBatch = false
}

/// Lowers a plan. Throws `.plan` and `.configuration` for what a user can get wrong.
struct Lowering {
    private var plan: StreamPlan
    private let bindings: Bindings
    private var edges: [[[Edge]]] = []
    /// The schema of each logical input: of the outermost union, where there is one.
    private var inputSchemas: [[Schema]] = []
    private var parallelism: [Int] = []
    private var maxParallelism: [Int] = []
    /// The node that a node was joined into; itself if it was not.
    private var joinedInto: [Int] = []
    private var functions: [Int: any HostFunction] = [:]
    private var names: [Int: String] = [:]
    private var isBatch = false
    /// Operators that begin a chain whatever comes before them, because a checkpoint has rows on their way there, which need a channel; and of how many functions
    /// each was made then, because no more than those may come to see the rows.
    var heads: [OperatorID: Int] = [:]

    /// How many operators call each other directly: a chain is as deep on the stack as it is long.
    static let chainLengthMax = 128
    /// How many edges a nest of unions may spread to.
    static let unionEdgeCountMax = 65_536

    init(_ plan: StreamPlan, bindings: Bindings) {
        self.plan = plan
        self.bindings = bindings
    }

    mutating func lower() throws(MillstreamError) -> JobGraph {
        try checkNodes()
        isBatch = try resolvedMode()
        edges = try plan.nodes.map { node throws(MillstreamError) in try inputEdges(of: node) }
        inputSchemas = plan.nodes.map { schemasOfInputs($0) }
        for index in plan.nodes.indices { parallelism.append(try resolvedParallelism(index)) }
        maxParallelism = plan.nodes.indices.map { resolvedMaxParallelism(plan.nodes[$0], parallelism[$0]) }
        for index in plan.nodes.indices where maxParallelism[index] < 1 || maxParallelism[index] > KeyGroup.maxParallelismLimit {
            throw MillstreamError(
                .configuration, "max parallelism \(maxParallelism[index]) is not in 1...\(KeyGroup.maxParallelismLimit)",
                operatorName: plan.nodes[index].name)
        }
        for index in plan.nodes.indices where parallelism[index] > maxParallelism[index] {
            throw MillstreamError(
                .configuration, "parallelism \(parallelism[index]) is above the max parallelism \(maxParallelism[index])",
                hint: "Raise the max parallelism, or lower the parallelism.", operatorName: plan.nodes[index].name)
        }
        resolveForward()
        joinFunctions()
        return try buildTasks()
    }

    // MARK: Checks

    private func checkNodes() throws(MillstreamError) {
        guard plan.nodes.contains(where: { if case .sink = $0.operation { true } else { false } }) else {
            throw MillstreamError(
                .plan, plan.nodes.isEmpty ? "no operators are defined; there is nothing to execute" : "the job has no sink; there is nothing to execute",
                hint: "End a stream in a sink, e.g. print() or sink_to(...).")
        }
        var uids: [String: Int] = [:]
        for (index, node) in plan.nodes.enumerated() {
            if let uid = node.uid, let other = uids.updateValue(index, forKey: uid) {
                throw MillstreamError(
                    .plan, "two operators have the uid '\(uid)': \(plan.nodes[other].name) and \(node.name)",
                    hint: "State is matched by uid, so each must be unique in a job.", operatorName: node.name)
            }
            for edge in node.inputs where edge.source.value < 0 || edge.source.value >= index {
                throw MillstreamError(.plan, "an input of node \(index) is node \(edge.source.value), which does not come before it", operatorName: node.name)
            }
            if case .union = node.operation { try checkUnion(node) }
            if case .process(let process) = node.operation, process.second != nil, node.inputs.count != 2 {
                throw MillstreamError(.plan, "a process function over connected streams has 2 inputs, not \(node.inputs.count)", operatorName: node.name)
            }
            if case .table(let table) = node.operation, table.inputCount == 2, node.inputs.count != 2 {
                throw MillstreamError(.plan, "a join has 2 inputs, not \(node.inputs.count)", operatorName: node.name)
            }
        }
    }

    private func resolvedMode() throws(MillstreamError) -> Bool {
        if plan.configuration.mode == .streaming { return false }
        for node in plan.nodes {
            guard case .source(let source) = node.operation, !(try SourceFactory.isBounded(source, bindings: bindings)) else { continue }
            if plan.configuration.mode == .automatic { return false }
            throw MillstreamError(
                .configuration, "the runtime mode is BATCH, but a source has no end", hint: "Use STREAMING or AUTOMATIC, or bound the source.")
        }
        return true
    }

    private func checkUnion(_ node: Node) throws(MillstreamError) {
        for edge in node.inputs {
            let schema = outputSchema(edge)
            guard node.output.widened(by: schema)?.types == node.output.types else {
                throw MillstreamError(
                    .plan, "union needs streams of one type: \(node.output) and \(schema)", hint: "Map the streams to one type first.",
                    operatorName: node.name)
            }
        }
    }

    private func outputSchema(_ edge: Edge) -> Schema {
        let node = plan.nodes[edge.source.value]
        guard let tag = edge.sideOutput else { return node.output }
        return node.sideOutputs.first { $0.name == tag }?.schema ?? node.output
    }

    /// Nodes come after their inputs, so those are resolved already.
    private func resolvedParallelism(_ index: Int) throws(MillstreamError) -> Int {
        let node = plan.nodes[index]
        let value = node.parallelism ?? defaultParallelism(node) ?? inheritedParallelism(index) ?? plan.configuration.parallelism
        guard value >= 1, value <= KeyGroup.maxParallelismLimit else {
            throw MillstreamError(
                .configuration, "parallelism \(value) is not in 1...\(KeyGroup.maxParallelismLimit)", operatorName: node.name)
        }
        if value > 1, defaultParallelism(node) == 1 {
            throw MillstreamError(
                .configuration, "this source has one split, so its parallelism is 1, not \(value)",
                hint: "Leave the source's parallelism alone and rebalance() behind it.", operatorName: node.name)
        }
        return value
    }

    /// The parallelism that the kind of node dictates.
    private func defaultParallelism(_ node: Node) -> Int? {
        guard case .source(let source) = node.operation else { return nil }
        switch source.kind {
        case .arrow, .host, .socketText: return 1
        default: return nil
        }
    }

    /// Key selectors and timestamps run where their input does, as in Flink: spread over more subtasks, the rows of one key would come to its state, and
    /// those of one source to its watermark, in another order than the source's.
    private func inheritedParallelism(_ index: Int) -> Int? {
        switch plan.nodes[index].operation {
        case .keySelector, .assignTimestamps: break
        default: return nil
        }
        guard let first = edges[index].first?.first, case .forward = first.partitioning else { return nil }
        let value = parallelism[first.source.value]
        let isShared = edges[index][0].allSatisfy { edge in
            guard case .forward = edge.partitioning else { return false }
            return parallelism[edge.source.value] == value
        }
        return isShared ? value : nil
    }

    private func resolvedMaxParallelism(_ node: Node, _ parallelism: Int) -> Int {
        node.maxParallelism ?? plan.configuration.maxParallelism ?? KeyGroup.defaultMaxParallelism(parallelism: parallelism)
    }

    // MARK: Edges

    /// The edges of each logical input. A union is no operator: its inputs become more edges of whoever reads it.
    private func inputEdges(of node: Node) throws(MillstreamError) -> [[Edge]] {
        if node.inputs.isEmpty { return [] }
        if case .union = node.operation { return [node.inputs] }
        if inputCount(node.operation) == 2 {
            var inputs: [[Edge]] = []
            for edge in node.inputs { inputs.append(try throughUnions([edge], node)) }
            return inputs
        }
        return [try throughUnions(node.inputs, node)]
    }

    /// How many logical inputs a node has.
    private func inputCount(_ operation: Plan.Operation) -> Int {
        switch operation {
        case .process(let process): process.second == nil ? 1 : 2
        case .table(let table): table.inputCount
        default: 1
        }
    }

    /// One for each list of `inputEdges`.
    private func schemasOfInputs(_ node: Node) -> [Schema] {
        if inputCount(node.operation) == 2 { return node.inputs.map { outputSchema($0) } }
        return node.inputs.prefix(1).map { outputSchema($0) }
    }

    /// The edges behind all unions, in order. Unions may be nested as deeply as a loop in a program makes them, so this does not recurse.
    private func throughUnions(_ inputs: [Edge], _ reader: Node) throws(MillstreamError) -> [Edge] {
        var open = Array(inputs.reversed())
        var found: [Edge] = []
        while let edge = open.popLast() {
            guard isUnion(edge.source.value), edge.sideOutput == nil else {
                found.append(edge)
                guard found.count <= Self.unionEdgeCountMax else {
                    throw MillstreamError(
                        .limitExceeded, "a union of more than \(Self.unionEdgeCountMax) streams", operatorName: reader.name)
                }
                continue
            }
            for input in plan.nodes[edge.source.value].inputs.reversed() {
                var outer = input
                // The reader's own wish wins; without one, a wish made before the union holds.
                if case .forward = edge.partitioning {} else { outer.partitioning = edge.partitioning }
                open.append(outer)
            }
        }
        return found
    }

    /// Forward between unequal parallelisms is a rebalance.
    private mutating func resolveForward() {
        for index in edges.indices {
            for input in edges[index].indices {
                for place in edges[index][input].indices {
                    let edge = edges[index][input][place]
                    if case .forward = edge.partitioning, parallelism[edge.source.value] != parallelism[index] {
                        edges[index][input][place].partitioning = .rebalance
                    }
                }
            }
        }
    }

    private func isUnion(_ index: Int) -> Bool {
        if case .union = plan.nodes[index].operation { true } else { false }
    }

    // MARK: Chains

    /// The only edge into a node, if it may be chained over: a forward one.
    private func chainableEdge(into index: Int) -> Edge? {
        guard let edge = onlyEdge(into: index), case .forward = edge.partitioning else { return nil }
        return edge
    }

    /// The only edge into a node, if it has one channel, whatever its partitioning, and both its ends call the host. These could not run at once: a chain saves
    /// the way over the exchange, and loses nothing.
    private func singleChannelEdge(into index: Int, behind isTakingTurns: (Int) -> Bool) -> Edge? {
        guard parallelism[index] == 1, callsHost(plan.nodes[index]), let edge = onlyEdge(into: index), parallelism[edge.source.value] == 1 else { return nil }
        // A partitioner of the user's own is called, whatever it can choose from.
        if case .custom = edge.partitioning { return nil }
        return isTakingTurns(edge.source.value) ? edge : nil
    }

    /// The only edge into a node whose chaining nobody forbids.
    private func onlyEdge(into index: Int) -> Edge? {
        let node = plan.nodes[index]
        guard plan.configuration.isChainingEnabled, edges[index].count == 1, edges[index][0].count == 1, node.chaining == .always else { return nil }
        let edge = edges[index][0][0]
        let source = plan.nodes[edge.source.value]
        // A union of one stream that says to be wider: its exchange makes the rows so.
        guard outputSchema(edge).types == inputSchemas[index][0].types else { return nil }
        guard source.chaining != .never, maxParallelism[edge.source.value] == maxParallelism[index] || !isKeyed(index),
            source.slotSharingGroup == node.slotSharingGroup || node.slotSharingGroup == nil
        else { return nil }
        return edge
    }

    private func isKeyed(_ index: Int) -> Bool {
        switch plan.nodes[index].operation {
        case .reduce, .rolling, .window: true
        case .process(let process): process.isKeyed
        case .table(let table): table.isKeyed
        case .aggregate(let aggregation): aggregation.keys != nil
        default: false
        }
    }

    private func transformFunction(_ index: Int) -> BindingID? {
        switch plan.nodes[index].operation {
        case .transform(let function): function
        case .keySelector(let function, _): function
        default: nil
        }
    }

    /// The function of a node that may take the next node's into its crossing: row by row, or a reduction whose running results go on at once.
    private func joinableFunction(_ index: Int, before next: Int) -> BindingID? {
        switch plan.nodes[index].operation {
        case .transform(let function): return function
        case .reduce(let function, _):
            // In BATCH mode there are no running results.
            guard !isBatch, maxParallelism[index] == maxParallelism[next], case .transform = plan.nodes[next].operation else { return nil }
            return function
        default: return nil
        }
    }

    private static let joint = " -> "

    /// Of how many functions an operator of this name was joined.
    static func functionCount(_ name: String) -> Int {
        let (bytes, joint) = (Array(name.utf8), Array(joint.utf8))
        return 1 + bytes.indices.dropLast(min(bytes.count, joint.count - 1)).count { bytes[$0...].starts(with: joint) }
    }

    private func id(_ index: Int) -> OperatorID { OperatorID(plan.nodes[index].uid ?? "operator-\(index)") }

    /// Joins neighbouring host functions into one crossing, where only the second reads the first.
    private mutating func joinFunctions() {
        joinedInto = Array(plan.nodes.indices)
        var readers = [Int](repeating: 0, count: plan.nodes.count)
        for node in edges { for input in node { for edge in input { readers[edge.source.value] += 1 } } }
        for index in plan.nodes.indices {
            guard let edge = chainableEdge(into: index), edge.sideOutput == nil, let second = transformFunction(index) else { continue }
            let source = edge.source.value
            let name = (names[source] ?? plan.nodes[source].name) + Self.joint + plan.nodes[index].name
            guard heads.isEmpty || [id(source), id(index)].allSatisfy({ Self.functionCount(name) <= heads[$0] ?? .max }) else { continue }
            guard let first = joinableFunction(source, before: index), readers[source] == 1, plan.nodes[source].sideOutputs.isEmpty,
                let before = functions[source] ?? (try? bindings.function(first)), let after = try? bindings.function(second),
                let joined = before.fused(with: after)
            else { continue }
            if case .reduce(_, let keys) = plan.nodes[source].operation {
                // The joined operator is the reduction, with its state.
                plan.nodes[index].operation = .reduce(second, keys: keys)
                plan.nodes[index].uid = id(source).text
            }
            functions[index] = joined
            names[index] = name
            joinedInto[source] = index
            edges[index] = edges[source]
            inputSchemas[index] = inputSchemas[source]
        }
    }

    private mutating func buildTasks() throws(MillstreamError) -> JobGraph {
        var graph = JobGraph()
        graph.isBatch = isBatch
        var place: [Int: (task: Int, step: Int)] = [:]
        var entries: [(consumer: Int, input: Int, edge: Edge)] = []
        for index in plan.nodes.indices where joinedInto[index] == index && !isUnion(index) {
            let step = makeStep(index)
            let edge = heads[step.id] != nil
                ? nil : chainableEdge(into: index) ?? singleChannelEdge(into: index) { place[$0].map { graph.tasks[$0.task].takesHostTurns } ?? false }
            if let edge, let upstream = place[edge.source.value],
                graph.tasks[upstream.task].steps.count < Self.chainLengthMax
            {
                let number = graph.tasks[upstream.task].steps.count
                graph.tasks[upstream.task].steps[upstream.step].chained.append((edge.sideOutput, number))
                graph.tasks[upstream.task].steps.append(step)
                place[index] = (upstream.task, number)
            } else {
                var task = JobGraph.Task(
                    parallelism: parallelism[index], maxParallelism: maxParallelism[index],
                    bufferTimeoutMilliseconds: plan.nodes[index].bufferTimeoutMilliseconds ?? plan.configuration.bufferTimeoutMilliseconds)
                task.steps = [step]
                task.entries = edges[index].map { _ in [] }
                graph.tasks.append(task)
                place[index] = (graph.tasks.count - 1, 0)
                for (input, list) in edges[index].enumerated() { for edge in list { entries.append((index, input, edge)) } }
            }
            guard let at = place[index] else { continue }
            if callsHost(plan.nodes[index]) { graph.tasks[at.task].callsHost = true }
            if case .source(let source) = plan.nodes[index].operation, case .files = source.kind { graph.tasks[at.task].decodesFiles = true }
            if let assigner = sourceAssigner(index) {
                // A source's own watermark strategy is an operator right behind it.
                let number = graph.tasks[at.task].steps.count
                graph.tasks[at.task].steps[at.step].chained.append((nil, number))
                graph.tasks[at.task].steps.append(assigner)
                if case .assignTimestamps(let description) = assigner.node.operation, case .host = description.timestamps {
                    graph.tasks[at.task].callsHost = true
                }
                place[index] = (at.task, number)
            }
        }
        for entry in entries {
            guard let producer = place[entry.edge.source.value], let consumer = place[entry.consumer] else {
                throw MillstreamError.internal("an exchange has no end")
            }
            let number = graph.exchanges.count
            let schema = inputSchemas[entry.consumer][entry.input]
            graph.exchanges.append(
                JobGraph.Exchange(
                    producer: producer.task, consumer: consumer.task, partitioning: entry.edge.partitioning,
                    consumerName: names[entry.consumer] ?? plan.nodes[entry.consumer].name,
                    conformsTo: outputSchema(entry.edge).types == schema.types ? nil : schema))
            graph.tasks[producer.task].steps[producer.step].exits.append((entry.edge.sideOutput, number))
            graph.tasks[consumer.task].entries[entry.input].append(number)
        }
        return graph
    }

    private func sourceAssigner(_ index: Int) -> JobGraph.Step? {
        guard case .source(let source) = plan.nodes[index].operation, let watermarks = source.watermarks else { return nil }
        var node = plan.nodes[index]
        node.operation = .assignTimestamps(watermarks)
        node.sideOutputs = []
        return JobGraph.Step(
            node: node, id: OperatorID((node.uid ?? "operator-\(index)") + "-watermarks"), inputs: [node.output], function: nil)
    }

    /// The place in its chain of the step that has a source's side outputs: the last one that is made of the node.
    static func linkOfSideOutputs(_ node: Node) -> Int {
        if case .source(let source) = node.operation, source.watermarks != nil { 1 } else { 0 }
    }

    private func makeStep(_ index: Int) -> JobGraph.Step {
        var node = plan.nodes[index]
        if let name = names[index] { node.name = name }
        var step = JobGraph.Step(
            node: node, id: OperatorID(node.uid ?? "operator-\(index)"), inputs: inputSchemas[index], function: functions[index])
        if let edge = edges[index].first?.first, edge.sideOutput == nil, case .keySelector(_, let keyTypes) = plan.nodes[edge.source.value].operation {
            step.hidden = keyTypes
        }
        return step
    }

    private func callsHost(_ node: Node) -> Bool {
        switch node.operation {
        case .transform, .keySelector, .reduce, .process, .asynchronous: return true
        case .source(let source): if case .host = source.kind { return true } else { return false }
        case .sink(let sink): if case .host = sink.kind { return true } else { return false }
        case .assignTimestamps(let description): if case .host = description.timestamps { return true } else { return false }
        case .window(let window): if case .aggregate = window.function { return false } else { return true }
        default: return false
        }
    }
}

extension Bindings {
    func function(_ id: BindingID) throws(MillstreamError) -> any HostFunction { try function(id.value) }
}
