import Checkpoint
import Columnar
import Connectors
import Dataflow
import Exchange
import Operators
import Plan
import State
import Synchronization

/// Makes a job's subtasks from its graph: operators, channels, gates, and who wakes whom.
struct JobBuilder {
    var graph: JobGraph
    let plan: StreamPlan
    let job: Job
    let scheduler: any Scheduler
    let handover: (any ChannelHandover)?
    let environment: ConnectorEnvironment
    /// The job's processing time. What a source waits for lies outside: its clock is the environment's, the machine's.
    let clock: any Clock
    let seed: UInt64
    /// Stays over all attempts.
    var jobID = ""
    /// nil: that of no other process.
    var lineage: String?
    /// Only in simulations.
    let parts: (any PartSubstitution)?
    /// nil: the job can take none.
    var checkpoints: JobCheckpoints?
    /// Whether subtasks wait at their end for a last checkpoint.
    var hasFinalCheckpoint = false
    /// What the attempt goes on from.
    var restored: RestoredCheckpoint?
    /// Where state goes that need not fit into memory; nil where all of it stays there.
    var stores: (any StateStores)?
    var paging: StatePaging?
    /// Those of an earlier attempt, whose rows their reader may have had already.
    var collectQueues: [Int: CollectQueue] = [:]
    /// nil: all of them. Else only the subtasks of this one are made, with the numbers that they have in the whole job.
    var region: Int?
    var objects: (any ObjectCoding)?

    struct Result {
        /// By number, or those of one region.
        var subtasks: [Subtask]
        var statistics: [OperatorStatistics]
        var collectQueues: [Int: CollectQueue]
        var progress: [SubtaskProgress] = []
        /// What a checkpoint needs to know of it.
        var chains: [[Int]] = []
        var places: [JobCheckpoints.Place] = []
        /// The place of each task's head.
        var firstPlaces: [Int] = []
        /// With the task that each belongs to.
        var enumerators: [(task: Int, enumerator: SharedEnumerator)] = []
        let regions: JobRegions
        /// A batch job: no checkpoints.
        let isBatch: Bool
        /// What went wrong before the attempt, and is said when it begins.
        var notices: [MillstreamError] = []
        /// Where the job says what nobody asked for.
        var warnings: any TextOutput
    }

    /// Names the subtask that a sink or reader wakes, before it exists.
    private final class WakeTarget: @unchecked Sendable {
        weak var subtask: Subtask?
    }

    func build() throws(MillstreamError) -> Result {
        var result = Result(
            subtasks: [], statistics: [], collectQueues: collectQueues, regions: JobRegions(graph), isBatch: graph.isBatch, warnings: environment.standardError)
        let wanted = graph.tasks.indices.filter { region == nil || result.regions.ofTask[$0] == region }
        for task in graph.tasks {
            let first = result.places.count
            result.firstPlaces.append(first)
            for step in task.steps {
                result.places.append(
                    JobCheckpoints.Place(id: step.id, name: step.node.name, parallelism: task.parallelism, maxParallelism: task.maxParallelism))
            }
            for _ in 0..<task.parallelism { result.chains.append(Array(first..<result.places.count)) }
        }
        let channels = makeChannels()
        let splices = makeSplices(channels)
        var sources: [Int: (source: any Source, enumerator: SharedEnumerator)] = [:]
        do {
            try build(wanted, channels, splices, &sources, &result)
        } catch {
            for node in sources.keys.sorted() { sources[node]?.enumerator.abandon() }
            throw error
        }
        connect(channels, splices, &result)
        return result
    }

    /// The files of a checkpoint stay open until the last subtask has what it needs.
    private func makeOnRestored(_ wanted: [Int]) -> @Sendable () -> Void {
        guard let restored else { return {} }
        let count = Countdown(wanted.reduce(0) { $0 + graph.tasks[$1].parallelism })
        return { if count.next() == 0 { restored.release() } }
    }

    private final class Countdown: Sendable {
        private let left: Atomic<Int>
        init(_ count: Int) { left = Atomic(count) }
        func next() -> Int { left.subtract(1, ordering: .acquiringAndReleasing).newValue }
    }

    private func build(
        _ wanted: [Int], _ channels: [[[Channel?]]], _ splices: [Int: ChannelSplice], _ sources: inout [Int: (source: any Source, enumerator: SharedEnumerator)],
        _ result: inout Result
    ) throws(MillstreamError) {
        var sinks: [Int: any Sink] = [:]
        let onRestored = makeOnRestored(wanted)
        for number in wanted {
            let task = graph.tasks[number]
            for step in task.steps {
                if case .source(let description) = step.node.operation {
                    let source = try make(step) { () throws(MillstreamError) in
                        try SourceFactory.make(description, schema: step.node.output, environment: environment)
                    }
                    let enumerator = try make(step) { () throws(MillstreamError) in try source.makeEnumerator(parallelism: task.parallelism) }
                    let shared = SharedEnumerator(enumerator, userCount: task.parallelism)
                    sources[step.node.id.value] = (source, shared)
                    result.enumerators.append((number, shared))
                    try make(step) { () throws(MillstreamError) in try restored?.restore(shared, of: step.id, parallelism: task.parallelism) }
                }
                if case .sink(let description) = step.node.operation {
                    var own = environment
                    if case .collect = description.kind {
                        let queue = result.collectQueues[step.node.id.value] ?? CollectQueue()
                        result.collectQueues[step.node.id.value] = queue
                        own.collectTarget = queue
                    }
                    sinks[step.node.id.value] = try make(step) { () throws(MillstreamError) in
                        try SinkFactory.make(description, input: step.inputs.first ?? Schema([]), environment: own)
                    }
                }
            }
        }
        let first = firstSubtasks
        for place in wanted {
            let task = graph.tasks[place]
            for index in 0..<task.parallelism {
                let number = first[place] + index
                var states: [SubtaskState] = []
                if let restored {
                    for step in task.steps {
                        states.append(
                            try restored.state(
                                of: step.id, subtask: SubtaskIndex(index), parallelism: task.parallelism, maxParallelism: task.maxParallelism))
                    }
                }
                let target = WakeTarget()
                let wake: @Sendable () -> Void = { target.subtask?.wake() }
                let stop = StopFlag()
                var links: [ChainLink] = []
                var writers: [ExchangeWriter] = []
                for step in task.steps {
                    let operation = try make(step) { () throws(MillstreamError) in try makeOperator(step, subtask: index, sinks: sinks, queues: result.collectQueues, wake: wake) }
                    let metrics = OperatorMetrics()
                    links.append(
                        ChainLink(operation: operation, inputCount: step.inputs.count, emitsOnlyFinalWatermark: graph.isBatch) { requestWakeUp in
                            let context = OperatorContext(
                                operatorID: step.id, operatorName: step.node.name, subtask: SubtaskIndex(index), parallelism: task.parallelism,
                                maxParallelism: task.maxParallelism, jobName: plan.jobName, jobID: jobID, lineage: lineage, checkpointing: hasFinalCheckpoint, clock: clock,
                                random: SeededRandom(seed: seed &+ UInt64(number) &* 1_000_003 &+ UInt64(links.count)), metrics: metrics,
                                operatorState: operatorState(of: step.node),
                                restored: states.isEmpty ? nil : states[links.count].restored, stores: stores, stop: stop, notify: wake,
                                requestWakeUp: requestWakeUp)
                            context.paging = paging
                            return context
                        })
                    if case .window = step.node.operation {
                        paging?.warn("the state of '\(step.node.name)' stays in memory, whatever state.backend.type says: windows have no store")
                    }
                    result.statistics.append(
                        OperatorStatistics(
                            operatorID: step.id.text, name: step.node.name, subtask: index, subtaskNumber: number,
                            isHead: links.count == 1, isSource: sources[step.node.id.value] != nil && links.count == 1,
                            isSink: sinks[step.node.id.value] != nil, metrics: metrics))
                }
                for (place, step) in task.steps.enumerated() {
                    for child in step.chained { links[place].connect(child: links[child.step], sideOutput: child.sideOutput) }
                    for exit in step.exits {
                        let writer = try makeWriter(exit.exchange, producer: index, task: task, channels: channels, context: links[place].context)
                        writers.append(writer)
                        links[place].connect(writer: writer, sideOutput: exit.sideOutput)
                    }
                }
                let gate = task.entries.isEmpty
                    ? nil
                    : InputGate(
                        inputs: task.entries.map { exchanges in exchanges.flatMap { channels[$0].compactMap { readEnd($0[index], splices) } } },
                        endsCount: !hasFinalCheckpoint, preserve: { [objects] (batch) throws(MillstreamError) in try batch.encodingObjects(objects) })
                try refuseInFlight(states, of: task)
                var input: SourceInput?
                if let head = task.steps.first, let made = sources[head.node.id.value] {
                    let context = SourceReaderContext(
                        subtask: SubtaskIndex(index), parallelism: task.parallelism, clock: environment.clock,
                        random: SeededRandom(seed: seed &+ UInt64(number) &* 7_919), metrics: links[0].metrics,
                        operatorName: head.node.name, operatorState: operatorState(of: head.node), notifyAvailable: { target.subtask?.notifyAvailable() })
                    input = SourceInput(
                        source: made.source, enumerator: made.enumerator, context: context, rowCountLimit: plan.configuration.batchRowCountLimit,
                        deadLetters: head.node.deadLetterOutput.map { (SideOutputID($0), link: Lowering.linkOfSideOutputs(head.node)) })
                }
                let ownCheckpoints = checkpoints.map { checkpoints in
                    SubtaskCheckpoints(
                        number: number, attempt: checkpoints.nextAttemptNumber, checkpoints: checkpoints,
                        hasFinal: hasFinalCheckpoint, operatorCount: task.steps.count, readers: states,
                        inputs: inFlightInputs(of: task, subtask: index, channels: channels, stop: stop), parts: parts, onRestored: onRestored)
                }
                let subtask = Subtask(
                    number: number, name: task.name, index: SubtaskIndex(index), takesHostTurns: task.takesHostTurns, clock: clock,
                    scheduler: scheduler, owner: job, links: links, writers: writers, gate: gate, source: input, stop: stop,
                    stallMilliseconds: plan.configuration.stallWarningMilliseconds, checkpoints: ownCheckpoints)
                target.subtask = subtask
                result.progress.append(
                    SubtaskProgress(
                        number: subtask.number, name: task.name, index: index, parallelism: task.parallelism, isSource: input != nil, splits: input?.progress,
                        steps: zip(task.steps, links).map { ($0.id.text, $0.node.name, $1.metrics) }, inputs: []))
                result.subtasks.append(subtask)
            }
        }
    }

    /// Where a host's source or sink keeps operator state, one for each subtask; nil for all other nodes.
    private func operatorState(of node: Node) -> KeyedState? {
        switch node.operation {
        case .source(let source): guard case .host = source.kind else { return nil }
        case .sink(let sink): guard case .host = sink.kind else { return nil }
        default: return nil
        }
        return KeyedState([], hostObjects: environment.bindings.hostObjects, clock: clock)
    }

    // MARK: Rows in flight

    /// Rows on their way to an operator need a channel that leads there.
    private func refuseInFlight(_ states: [SubtaskState], of task: JobGraph.Task) throws(MillstreamError) {
        for (place, state) in states.enumerated() where place > 0 || task.entries.isEmpty {
            guard InFlightInputs.isPresent(in: state) else { continue }
            let name = task.steps[place].node.name
            throw MillstreamError(
                .plan, "the checkpoint has rows on their way to '\(name)', which is now in one chain with what comes before it",
                hint: "Let its chain begin as before, or start from a savepoint: it has no rows on their way.", operatorName: name)
        }
    }

    private func inFlightInputs(of task: JobGraph.Task, subtask: Int, channels: [[[Channel?]]], stop: StopFlag) -> InFlightInputs {
        var places: [InFlightPlace] = []
        for (input, exchanges) in task.entries.enumerated() {
            for (ordinal, number) in exchanges.enumerated() {
                for (producer, row) in channels[number].enumerated() where row[subtask] != nil {
                    places.append(
                        InFlightPlace(
                            input: input, exchange: ordinal, producer: producer, producerCount: channels[number].count,
                            partitioning: InFlightPartitioning(graph.exchanges[number].partitioning)))
                }
            }
        }
        return InFlightInputs(places: places, name: task.steps.first?.node.name ?? task.name, subtask: subtask, parallelism: task.parallelism) {
            (input, exchange) throws(MillstreamError) in
            let number = task.entries[input][exchange]
            let random = SeededRandom(seed: seed &+ UInt64(number) &* 15_485_863 &+ UInt64(subtask))
            return try makePartitioner(graph.exchanges[number], producer: subtask, task: task, channelCount: task.parallelism, random: random, stop: stop)
        }
    }

    // MARK: Operators

    private func make<Value>(_ step: JobGraph.Step, _ body: () throws(MillstreamError) -> Value) throws(MillstreamError) -> Value {
        do { return try body() } catch { throw error.inOperator(step.node.name) }
    }

    private func makeOperator(
        _ step: JobGraph.Step, subtask: Int, sinks: [Int: any Sink], queues: [Int: CollectQueue], wake: @escaping @Sendable () -> Void
    ) throws(MillstreamError) -> any Operator {
        let made = try makeOperator(step, sinks: sinks, queues: queues, wake: wake)
        if let parts, !(made is SinkOperator), !(made is any AsynchronousOperator) { return parts.operation(made, of: step.node, subtask: subtask) }
        return made
    }

    private func makeOperator(
        _ step: JobGraph.Step, sinks: [Int: any Sink], queues: [Int: CollectQueue], wake: @escaping @Sendable () -> Void
    ) throws(MillstreamError) -> any Operator {
        switch step.node.operation {
        case .source: return PassThrough()
        case .custom(let binding): return try environment.bindings.makeOperator(binding.value)
        case .sink:
            if hasFinalCheckpoint, let queue = queues[step.node.id.value] { return CollectOperator(queue) }
            guard let sink = sinks[step.node.id.value] else { throw MillstreamError.internal("a sink was not made") }
            return SinkOperator(sink: sink, wake: wake)
        case .transform(let id), .keySelector(let id, _), .reduce(let id, _):
            var bindings = environment.bindings
            if let function = step.function { bindings.bind(id.value, function: function) }
            return try OperatorFactory.make(
                for: step.node, inputs: step.inputs, hidden: step.hidden, bindings: bindings, configuration: plan.configuration, isBatch: graph.isBatch)
        default:
            return try OperatorFactory.make(
                for: step.node, inputs: step.inputs, hidden: step.hidden, bindings: environment.bindings, configuration: plan.configuration,
                isBatch: graph.isBatch)
        }
    }

    // MARK: Exchanges

    /// `[exchange][producer][consumer]`, nil where the two are not connected.
    private func makeChannels() -> [[[Channel?]]] {
        var number = 0
        let regions = JobRegions(graph)
        return graph.exchanges.map { exchange in
            let isWanted = region == nil || regions.ofTask[exchange.producer] == region
            let producers = graph.tasks[exchange.producer].parallelism
            let consumers = graph.tasks[exchange.consumer].parallelism
            let limit = max(1, plan.configuration.exchangeByteCount / (producers * consumers))
            return (0..<producers).map { producer in
                (0..<consumers).map { consumer in
                    guard isConnected(producer, of: producers, consumer, of: consumers, exchange.partitioning) else { return nil }
                    number += 1
                    if !isWanted { return nil }
                    return Channel(number: number - 1, byteCountLimit: limit, handover: handover)
                }
            }
        }
    }

    /// What stands between the two ends of channels, by the channel's number.
    private func makeSplices(_ channels: [[[Channel?]]]) -> [Int: ChannelSplice] {
        guard let parts else { return [:] }
        var splices: [Int: ChannelSplice] = [:]
        for (number, exchange) in channels.enumerated() {
            for (producer, row) in exchange.enumerated() {
                for case (let consumer, let channel?) in row.enumerated() {
                    splices[channel.number] = parts.splice(into: channel, exchange: number, producer: producer, consumer: consumer)
                }
            }
        }
        return splices
    }

    private func readEnd(_ channel: Channel?, _ splices: [Int: ChannelSplice]) -> Channel? {
        channel.map { splices[$0.number]?.end ?? $0 }
    }

    /// Forward and rescale connect only subtasks that correspond; all others connect all with all.
    private func isConnected(_ producer: Int, of producers: Int, _ consumer: Int, of consumers: Int, _ partitioning: Partitioning) -> Bool {
        switch partitioning {
        case .forward: producer == consumer
        case .rescale: producers <= consumers ? consumer * producers / consumers == producer : producer * consumers / producers == consumer
        default: true
        }
    }

    private func makeWriter(
        _ number: Int, producer: Int, task: JobGraph.Task, channels: [[[Channel?]]], context: OperatorContext
    ) throws(MillstreamError) -> ExchangeWriter {
        let exchange = graph.exchanges[number]
        let own = channels[number][producer].compactMap { $0 }
        let random = SeededRandom(seed: seed &+ UInt64(number) &* 15_485_863 &+ UInt64(producer))
        let partitioner = try makePartitioner(exchange, producer: producer, task: task, channelCount: own.count, random: random, stop: context.stop)
        return ExchangeWriter(
            channels: own, partitioner: parts?.partitioner(partitioner, producer: producer) ?? partitioner, clock: clock,
            rowCountLimit: plan.configuration.batchRowCountLimit, bufferTimeoutMilliseconds: task.bufferTimeoutMilliseconds,
            conformsTo: exchange.conformsTo, metrics: context.metrics)
    }

    /// `task` is whose subtask `producer` is.
    private func makePartitioner(
        _ exchange: JobGraph.Exchange, producer: Int, task: JobGraph.Task, channelCount: Int, random: SeededRandom, stop: StopFlag
    ) throws(MillstreamError) -> any Partitioner {
        let consumer = graph.tasks[exchange.consumer]
        switch exchange.partitioning {
        case .forward, .global: return SingleChannelPartitioner()
        case .rebalance, .rescale: return RoundRobinPartitioner(startingAt: Int(random.next(below: UInt64(max(1, channelCount)))))
        case .shuffle: return ShufflePartitioner(random: random)
        case .broadcast: return BroadcastPartitioner()
        case .hash(let keys):
            return HashPartitioner(
                keys: keys, parallelism: consumer.parallelism, maxParallelism: consumer.maxParallelism, operatorName: exchange.consumerName,
                takesNulls: consumer.steps.first?.node.operation.takesNullKeys ?? false)
        case .custom(let function, let keys):
            return HostPartitioner(
                function: try environment.bindings.function(function.value).instance(), keys: keys, subtask: producer, parallelism: task.parallelism,
                maxParallelism: task.maxParallelism, stop: stop)
        }
    }

    /// The number of each task's first subtask.
    private var firstSubtasks: [Int] {
        var next = 0
        return graph.tasks.map { task in
            defer { next += task.parallelism }
            return next
        }
    }

    private func connect(_ channels: [[[Channel?]]], _ splices: [Int: ChannelSplice], _ result: inout Result) {
        let first = firstSubtasks
        let made = Dictionary(uniqueKeysWithValues: result.subtasks.enumerated().map { ($0.element.number, $0.offset) })
        for (number, exchange) in graph.exchanges.enumerated() {
            for (producer, row) in channels[number].enumerated() {
                for case (let consumer, let channel?) in row.enumerated() {
                    guard let start = made[first[exchange.producer] + producer], let end = made[first[exchange.consumer] + consumer] else { continue }
                    let source = result.subtasks[start]
                    let target = result.subtasks[end]
                    result.progress[end].inputs.append((source.number, channel))
                    guard let splice = splices[channel.number] else {
                        channel.connect(producer: source, consumer: target)
                        continue
                    }
                    channel.connect(producer: source, consumer: splice.relay)
                    splice.end.connect(producer: splice.relay, consumer: target)
                }
            }
        }
    }
}

/// The head of a source's chain: its rows pass, and are counted.
private final class PassThrough: Operator {
    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        try output.emit(batch)
        return .done
    }
}
