import Columnar
import Dataflow
import Glibc
import Plan
import Runtime

/// A job whose rows pile up before a slow sink: source, pass, count, sink, with any exchange between them. What it commits is each key's counts.
struct FlightJob {
    enum Way: String, CaseIterable, Sendable { case forward, rebalance, rescale, shuffle, global, hash, custom }

    let first: Way
    let second: Way
    let seed: UInt64
    let random: SeededRandom
    let splitCount: Int
    let rowsPerSplit: Int
    let keyCount: Int
    let isChained: Bool
    /// Whether the subtasks before the count stay as many as they are.
    let keepsWidth: Bool
    let widths: [Int]
    let failure: PlannedFailure?
    let world = OutsideWorld()
    let ledger = Ledger()
    /// On threads: the sink sleeps, instead of waiting for its ledger.
    let isThreaded: Bool
    private let around: DrawnFunction.Surroundings

    init(first: Way, second: Way, seed: UInt64, isThreaded: Bool = false) {
        self.first = first
        self.second = second
        self.seed = seed
        self.isThreaded = isThreaded
        random = SeededRandom(seed: seed &* 0x9E37_79B9 &+ 0xF11)
        let random = random
        func below(_ bound: Int) -> Int { Int(random.next(below: UInt64(bound))) }
        splitCount = 1 + below(4)
        rowsPerSplit = 1 + below(150)
        keyCount = 1 + below(20)
        isChained = below(3) > 0
        keepsWidth = below(2) == 0
        widths = (0..<4).map { _ in 1 + below(4) }
        failure = below(2) == 0 ? PlannedFailure(after: (0..<below(4)).map { _ in below(100) }) : nil
        around = DrawnFunction.Surroundings(ledger: ledger, clock: SimulatedClock(start: 0))
    }

    /// Whether the rows of a key and a split come to the count in their order, over all runs: where they pass on between subtasks of which there are
    /// more or fewer than before, they may go by one another.
    var keepsOrder: Bool { first == .hash || first == .global || (first == .forward && keepsWidth) }

    private func partitioning(_ way: Way) -> Partitioning {
        switch way {
        case .forward: .forward
        case .rebalance: .rebalance
        case .rescale: .rescale
        case .shuffle: .shuffle
        case .global: .global
        case .hash: .hash(keys: [0])
        case .custom: .custom(BindingID(5), keys: [0])
        }
    }

    func plan(restoring path: String?, directory: String) -> (StreamPlan, Bindings) {
        func below(_ bound: Int) -> Int { Int(random.next(below: UInt64(bound))) }
        var plan = StreamPlan(jobName: "flight \(seed)")
        var bindings = Bindings()
        plan.configuration.seed = random.next()
        plan.configuration.batchRowCountLimit = 1 + below(16)
        plan.configuration.exchangeByteCount = [1, 500, 5_000, 40_000][below(4)]
        plan.configuration.bufferTimeoutMilliseconds = [0, 1, 10][below(3)]
        plan.configuration.maxParallelism = 16
        plan.configuration.isChainingEnabled = isChained
        plan.configuration.checkpoints.intervalMilliseconds = isThreaded ? 1 + Int64(below(5)) : 1 + Int64(below(30))
        plan.configuration.checkpoints.directory = directory
        plan.configuration.checkpoints.savepointDirectory = directory
        plan.configuration.checkpoints.retained = 1 + below(3)
        plan.configuration.checkpoints.retention = .retainOnCancellation
        plan.configuration.checkpoints.restorePath = path
        plan.configuration.checkpoints.tolerableFailures = -1
        plan.configuration.checkpoints.isUnaligned = below(8) > 0
        plan.configuration.checkpoints.alignedTimeoutMilliseconds = [0, 0, 0, 1, 10][below(5)]
        plan.configuration.restart.strategy = .fixedDelay
        plan.configuration.restart.attempts = 100
        plan.configuration.restart.delay = isThreaded ? 0 : 5
        var width = widths
        for place in 0..<4 where !keepsWidth || place > 1 { width[place] = 1 + below(4) }
        if first == .forward { width[1] = width[0] }
        if second == .forward { width[3] = width[2] }
        let (failure, checksOrder, rowsPerSplit) = (self.failure, keepsOrder, self.rowsPerSplit)
        bindings.bind(1, source: NumberedSource(splitCount: splitCount, rowsPerSplit: rowsPerSplit, keyCount: keyCount))
        bindings.bind(2, operator: { PiecewiseOperator() })
        bindings.bind(3, operator: { OrderedCountingOperator(failure, rowsPerSplit: checksOrder ? rowsPerSplit : nil) })
        bindings.bind(4, sink: ReluctantSink(world, ledger: ledger, isThreaded: isThreaded))
        bindings.bind(5, function: DrawnFunction(.partition, around, seed: seed))
        func node(_ id: Int, _ name: String, _ inputs: [Edge], _ operation: Operation, _ schema: Schema) -> Node {
            var node = Node(id: NodeID(id), name: name, inputs: inputs, operation: operation, output: schema)
            node.parallelism = width[id]
            return node
        }
        plan.nodes = [
            node(0, "source", [], .source(SourceDescription(.custom(BindingID(1)))), NumberedSource.schema),
            node(1, "pass", [Edge(source: NodeID(0), partitioning: partitioning(first))], .custom(BindingID(2)), NumberedSource.schema),
            node(2, "count", [Edge(source: NodeID(1), partitioning: .hash(keys: [0]))], .custom(BindingID(3)), CountingOperator.schema),
            node(
                3, "sink", [Edge(source: NodeID(2), partitioning: partitioning(second))], .sink(SinkDescription(.custom(BindingID(4)))),
                CountingOperator.schema),
        ]
        return (plan, bindings)
    }

    /// Each key's counts, from 1 to the number of its rows.
    var expected: [[Int]] {
        var rows: [[Int]] = []
        var counts: [Int: Int] = [:]
        for number in 0..<splitCount * rowsPerSplit {
            counts[number % keyCount, default: 0] += 1
            rows.append([number % keyCount, counts[number % keyCount, default: 0]])
        }
        return rows.sorted { $0.lexicographicallyPrecedes($1) }
    }

    var found: [[Int]] { world.rows.sorted { $0.lexicographicallyPrecedes($1) } }

    /// What a job came to.
    struct Outcome {
        var problem: String?
        var runs = 0
        var unalignedCount = 0
        var inFlightByteCount: Int64 = 0

        mutating func note(_ job: Job) {
            runs += 1
            for record in job.checkpoints where record.outcome == .completed && record.isUnaligned {
                unalignedCount += 1
                inFlightByteCount += record.inFlightByteCount
            }
        }
    }

    /// Runs the job in the simulation, over crashes and stops, each time at another parallelism.
    func simulate(parts: () -> MutantParts? = { nil }) throws -> Outcome {
        let storage = SimulatedStorage(seed: seed)
        var crashes = 1 + Int(random.next(below: 4))
        var outcome = Outcome()
        while true {
            let (plan, bindings) = plan(restoring: try DrawnJob.latest(on: storage), directory: "/checkpoints")
            let delays = SimulatedEngine.Delays(pauseChance: random.next(below: 2) * 40, delayChance: random.next(below: 2) * 80, nanosecondsMax: 5_000_000)
            let engine = SimulatedEngine(
                seed: seed &* 31 &+ UInt64(outcome.runs), storage: storage, clock: SimulatedClock(start: 1_000_000_000_000), delays: delays, parts: parts())
            let job = try engine.submit(plan, bindings: bindings)
            let limit = crashes > 0 ? 1 + Int(random.next(below: 2_500)) : 800_000
            // Slow for a while, so that channels fill; then it goes on.
            let patience = random.next(below: 3) == 0 ? 1 : 4 + random.next(below: 60)
            engine.run(job, tickCountMax: limit) { tick in if UInt64(tick) % patience == 0 { ledger.release(random) } }
            outcome.note(job)
            if !job.status.isTerminal, crashes > 0 {
                crashes -= 1
                storage.restart()
                ledger.crash()
                continue
            }
            if job.status != .finished {
                let checkpoints = job.checkpoints.suffix(3).map { "\($0.id.value) \($0.outcome) \($0.isUnaligned)" }
                let failure = job.failure.map { "\($0)" } ?? ""
                outcome.problem = "\(job.status) after \(engine.tickCount) choices: \(failure) \(checkpoints)\n\(job.explainTime().text)"
            } else if found != expected {
                outcome.problem = "\(found.count) of \(expected.count) rows, \(Set(found).count) different"
            }
            return outcome
        }
    }

    /// The same on threads, with a directory on the disk.
    func race(in directory: String, on engine: Engine) throws -> Outcome {
        var stops = 1 + Int(random.next(below: 3))
        var outcome = Outcome()
        var path: String?
        while true {
            let (plan, bindings) = plan(restoring: path, directory: directory)
            let job = try engine.submit(plan, bindings: bindings)
            if stops > 0 {
                stops -= 1
                usleep(UInt32(1_000 + random.next(below: 40_000)))
                job.cancel()
            }
            let status = job.wait(timeoutNanoseconds: 60_000_000_000)
            outcome.note(job)
            switch status {
            case .finished:
                if found != expected { outcome.problem = "\(found.count) of \(expected.count) rows, \(Set(found).count) different" }
                return outcome
            case .canceled: path = job.checkpoints.last { $0.outcome == .completed }?.location ?? path
            default:
                outcome.problem = "\(status): \(job.failure.map { "\($0)" } ?? "")\n\(job.explainTime().text)"
                return outcome
            }
        }
    }
}

/// Passes batches on in pieces, as long as there is room.
final class PiecewiseOperator: Operator {
    private var rest: Batch?
    private var size = 1

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        rest = batch
        size = size % 5 + 1
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        while let batch = rest {
            let count = min(size, batch.count)
            rest = count == batch.count ? nil : batch.slice(count, batch.count - count)
            try output.emit(batch.slice(0, count))
            if rest != nil, output.isFull { return .more }
        }
        return .done
    }
}

/// Counts rows per key; fails where a key's rows of one split do not come in their order.
final class OrderedCountingOperator: Operator {
    private let counting: CountingOperator
    private let rowsPerSplit: Int?
    private var last: [[Int]: Int] = [:]
    private var maxParallelism = 128

    init(_ failure: PlannedFailure?, rowsPerSplit: Int?) {
        counting = CountingOperator(failure)
        self.rowsPerSplit = rowsPerSplit
    }

    func open(_ context: OperatorContext) {
        maxParallelism = context.maxParallelism
        counting.open(context)
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if let rowsPerSplit {
            let batch = try batch.compacted()
            let keys = batch.columns[0].pointer(as: Int64.self)
            let numbers = batch.columns[1].pointer(as: Int64.self)
            for row in 0..<batch.count {
                let (place, number) = ([Int(keys[row]), Int(numbers[row]) / rowsPerSplit], Int(numbers[row]))
                if let before = last[place], before >= number { throw .internal("row \(number) of key \(place[0]) behind \(before)") }
                last[place] = number
            }
            withExtendedLifetime(batch) {}
        }
        return try counting.process(batch, input: input, output: output)
    }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        try counting.snapshot(checkpoint, into: writer)
        for (place, number) in last.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let group = KeyGroup(KeyGroup.index(hash: StableHash.hash(Int64(place[0])), maxParallelism: maxParallelism))
            try writer.write("last", keyGroup: group, bytes: NumberedSource.encode(place + [number]))
        }
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        try counting.restore(from: reader)
        for (_, bytes) in try reader.bytes("last") {
            let numbers = NumberedSource.decode(bytes)
            last[Array(numbers[0...1])] = numbers[2]
        }
    }
}

/// A transactional sink that has no room now and then.
final class ReluctantSink: Sink, @unchecked Sendable {
    private let inner: TransactionalSink
    private let ledger: Ledger
    private let isThreaded: Bool

    init(_ world: OutsideWorld, ledger: Ledger, isThreaded: Bool) {
        inner = TransactionalSink(world)
        self.ledger = ledger
        self.isThreaded = isThreaded
    }

    func makeWriter(_ context: OperatorContext) -> any SinkWriter { Writer(self, inner.makeWriter(context), context) }
    func makeCommitter() -> (any Committer)? { inner.makeCommitter() }

    private final class Writer: SinkWriter {
        let sink: ReluctantSink
        let inner: any SinkWriter
        let context: OperatorContext

        init(_ sink: ReluctantSink, _ inner: any SinkWriter, _ context: OperatorContext) {
            self.sink = sink
            self.inner = inner
            self.context = context
        }

        func write(_ batch: Batch, notify: @escaping @Sendable () -> Void) throws(MillstreamError) -> Bool {
            if sink.isThreaded {
                usleep(UInt32(context.random.next(below: 400)))
            } else if context.random.next(below: 4) < 3 {
                sink.ledger.wait(notify)
                return false
            }
            return try inner.write(batch, notify: notify)
        }

        func prepareCommit(endOfInput: Bool) throws(MillstreamError) -> [Committable] { try inner.prepareCommit(endOfInput: endOfInput) }
        func close() throws(MillstreamError) { try inner.close() }
    }
}
