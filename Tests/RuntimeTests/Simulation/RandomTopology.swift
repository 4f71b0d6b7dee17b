import Columnar
import Dataflow
import Plan

/// A plan drawn from a seed: sources, operators over every kind of exchange, a union, side outputs, slow sinks.
struct RandomTopology {
    let plan: StreamPlan
    let bindings: Bindings
    let ledger: Ledger
    /// How often each row must arrive.
    let copies: Int
    let splitCount: Int
    let rowsPerSplit: Int
    let fails: Bool

    init(seed: UInt64) {
        let ledger = Ledger()
        let random = SeededRandom(seed: seed)
        var plan = StreamPlan(jobName: "simulation \(seed)")
        var bindings = Bindings()
        plan.configuration.batchRowCountLimit = 1 + Int(random.next(below: 64))
        plan.configuration.exchangeByteCount = 1 + Int(random.next(below: 40_000))
        plan.configuration.bufferTimeoutMilliseconds = [0, 1, 10][Int(random.next(below: 3))]
        plan.configuration.isChainingEnabled = random.next(below: 4) > 0
        plan.configuration.maxParallelism = 8 + Int(random.next(below: 200))
        plan.configuration.seed = seed
        let rowsPerSplit = 20 + Int(random.next(below: 150))
        let fails = random.next(below: 6) == 0
        let idles = random.next(below: 4) == 0
        var copies = 1
        var keepsOrder = true
        var binding = 0
        var splits = 0
        var failing = fails

        func number() -> Int {
            binding += 1
            return binding
        }
        func width() -> Int { 1 + Int(random.next(below: 8)) }
        func draw(to parallelism: Int, allowsBroadcast: Bool) -> Partitioning {
            let kind = random.next(below: allowsBroadcast ? 8 : 7)
            switch kind {
            case 0, 1: return .hash(keys: [0])
            case 2: return .global
            case 3: return .forward
            case 4: keepsOrder = false; return .rebalance
            case 5: keepsOrder = false; return .rescale
            case 6: keepsOrder = false; return .shuffle
            default:
                keepsOrder = false
                copies *= parallelism
                return .broadcast
            }
        }
        func add(_ name: String, _ inputs: [Edge], _ operation: Operation, parallelism: Int?) -> NodeID {
            let id = NodeID(plan.nodes.count)
            var node = Node(id: id, name: name, inputs: inputs, operation: operation, output: ScriptedSource.schema)
            node.parallelism = parallelism
            node.sideOutputs = [SideOutput(name: "side", schema: ScriptedSource.schema)]
            if random.next(below: 8) == 0 { node.chaining = .head }
            plan.nodes.append(node)
            return id
        }
        func nervous(sideOutput: Bool = false) -> Operation {
            let id = number()
            let failsAtRow: Int? = failing ? Int(random.next(below: 60)) : nil
            failing = false
            let canBeInterrupted = random.next(below: 2) == 0
            bindings.bind(id, operator: {
                Nervous(
                    ledger: ledger, hasSideOutput: sideOutput, checksTime: !idles, canBeInterrupted: canBeInterrupted, failsAtRow: failsAtRow)
            })
            return .custom(BindingID(id))
        }
        func sink(checksOrder: Bool) -> Operation {
            let id = number()
            bindings.bind(id, sink: SlowSink(ledger: ledger, checksOrder: checksOrder, refusals: random.next(below: 4)))
            return .sink(SinkDescription(.custom(BindingID(id))))
        }

        var streams: [Edge] = []
        for _ in 0...random.next(below: 2) {
            let parallelism = width()
            let count = 1 + Int(random.next(below: UInt64(parallelism)))
            let id = number()
            bindings.bind(
                id, source: ScriptedSource(firstSplit: splits, splitCount: count, rowsPerSplit: rowsPerSplit, seed: seed, ledger: ledger))
            splits += count
            let watermarks = WatermarkDescription(
                timestamps: .column(3), generator: .boundedOutOfOrderness(milliseconds: ScriptedSource.disorder),
                idleTimeoutMilliseconds: idles ? 1 + Int64(random.next(below: 20)) : nil)
            let source = add(
                "source", [], .source(SourceDescription(.custom(BindingID(id)), watermarks: watermarks)), parallelism: parallelism)
            streams.append(Edge(source: source))
        }
        if streams.count > 1 {
            let union = add("union", streams, .union, parallelism: nil)
            streams = [Edge(source: union)]
        }
        var from = streams[0]
        for step in 0..<(1 + random.next(below: 3)) {
            let parallelism = width()
            from.partitioning = draw(to: parallelism, allowsBroadcast: copies == 1)
            // A forward edge between unequal parallelisms, or behind a union of such, deals rows out.
            if case .forward = from.partitioning { keepsOrder = false }
            from = Edge(source: add("step \(step)", [from], nervous(), parallelism: parallelism))
        }
        let fork = width()
        from.partitioning = .hash(keys: [0])
        let last = add("fork", [from], nervous(sideOutput: true), parallelism: fork)
        _ = add("main sink", [Edge(source: last)], sink(checksOrder: keepsOrder), parallelism: fork)
        // Not the order of the whole key: it is split between two sinks that run at their own pace.
        _ = add("side sink", [Edge(source: last, sideOutput: "side", partitioning: .rebalance)], sink(checksOrder: false), parallelism: width())
        self.ledger = ledger
        self.rowsPerSplit = rowsPerSplit
        self.fails = fails
        self.plan = plan
        self.bindings = bindings
        self.copies = copies
        splitCount = splits
    }
}
