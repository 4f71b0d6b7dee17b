import Checkpoint
import Columnar
import Dataflow
import Glibc
import Plan
import Runtime
import Synchronization
import Testing

/// Jobs with checkpoints that fail, and processes that die: what is committed in the end is what one undisturbed run gives.
struct RecoveryTests {
    static let directory = "/checkpoints"

    /// A job drawn from a seed, to be started any number of times.
    struct Drawn {
        let random: SeededRandom
        let splitCount: Int
        let rowsPerSplit: Int
        let keyCount: Int
        let interval: Int64
        let alignment: CheckpointConfiguration.Mode
        let failure: PlannedFailure?
        let world = OutsideWorld()
        let seed: UInt64

        init(seed: UInt64) {
            self.seed = seed
            random = SeededRandom(seed: seed &* 0x9E37_79B9 &+ 5)
            splitCount = 1 + Int(random.next(below: 4))
            rowsPerSplit = 1 + Int(random.next(below: 200))
            keyCount = 1 + Int(random.next(below: 20))
            interval = 2 + Int64(random.next(below: 40))
            alignment = .exactlyOnce
            var failures: [Int] = []
            for _ in 0..<random.next(below: 4) { failures.append(Int(random.next(below: 60))) }
            failure = random.next(below: 2) == 0 ? PlannedFailure(after: failures) : nil
        }

        func plan(restoring path: String?, collects: Bool = false, fails: Bool = true) -> (StreamPlan, Bindings) {
            var plan = StreamPlan(jobName: "recovery \(seed)")
            var bindings = Bindings()
            plan.configuration.seed = random.next()
            plan.configuration.batchRowCountLimit = 1 + Int(random.next(below: 16))
            plan.configuration.exchangeByteCount = 1 + Int(random.next(below: 10_000))
            plan.configuration.maxParallelism = 64
            plan.configuration.isChainingEnabled = random.next(below: 3) > 0
            plan.configuration.checkpoints.intervalMilliseconds = interval
            plan.configuration.checkpoints.mode = alignment
            plan.configuration.checkpoints.directory = RecoveryTests.directory
            plan.configuration.checkpoints.retained = 1 + Int(random.next(below: 3))
            plan.configuration.checkpoints.restorePath = path
            plan.configuration.restart.strategy = .fixedDelay
            plan.configuration.restart.attempts = 100
            plan.configuration.restart.delay = 5
            bindings.bind(1, source: NumberedSource(splitCount: splitCount, rowsPerSplit: rowsPerSplit, keyCount: keyCount))
            let failure = fails ? failure : nil
            bindings.bind(2, operator: { CountingOperator(failure) })
            bindings.bind(3, sink: TransactionalSink(world))
            func width() -> Int { 1 + Int(random.next(below: 4)) }
            var source = Node(
                id: NodeID(0), name: "source", inputs: [], operation: .source(SourceDescription(.custom(BindingID(1)))), output: NumberedSource.schema)
            source.parallelism = width()
            var count = Node(
                id: NodeID(1), name: "count", inputs: [Edge(source: NodeID(0), partitioning: .hash(keys: [0]))], operation: .custom(BindingID(2)),
                output: CountingOperator.schema)
            count.parallelism = width()
            var sink = Node(
                id: NodeID(2), name: "sink", inputs: [Edge(source: NodeID(1), partitioning: .rebalance)],
                operation: .sink(SinkDescription(collects ? .collect : .custom(BindingID(3)))), output: CountingOperator.schema)
            sink.parallelism = width()
            plan.nodes = [source, count, sink]
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
    }

    /// The newest complete checkpoint on the disk.
    static func latest(on storage: SimulatedStorage) -> String? {
        var best: (id: Int, path: String)?
        for path in storage.paths where path.hasSuffix("/_metadata") {
            let group = path.dropLast("/_metadata".count)
            guard let id = group.split(separator: "-").last.flatMap({ Int($0) }), id > best?.id ?? -1 else { continue }
            best = (id, String(group))
        }
        return best?.path
    }

    @Test("Crashes and failures lose nothing and count nothing twice", arguments: 0..<40 as Range<UInt64>)
    func seeds(group: UInt64) throws {
        for seed in group * 10..<group * 10 + 10 { try run(seed) }
    }

    @Test("Whoever collects the rows sees each of them once, however often the job starts anew", arguments: 1_000..<1_040 as Range<UInt64>)
    func collecting(seed: UInt64) throws {
        let drawn = Drawn(seed: seed)
        let (plan, bindings) = drawn.plan(restoring: nil, collects: true)
        let engine = SimulatedEngine(seed: seed, storage: SimulatedStorage(seed: seed))
        let job = try engine.submit(plan, bindings: bindings)
        let queue = try #require(job.collected(node: 2))
        var found: [[Int]] = []
        func take() {
            while case .batch(let batch) = queue.next(timeoutNanoseconds: 0) {
                let keys = batch.columns[0].pointer(as: Int64.self)
                let counts = batch.columns[1].pointer(as: Int64.self)
                for row in 0..<batch.count { found.append([Int(keys[row]), Int(counts[row])]) }
                withExtendedLifetime(batch) {}
            }
        }
        engine.run(job, tickCountMax: 400_000) { tick in if tick % 97 == 0 { take() } }
        take()
        #expect(job.status == .finished)
        #expect(found.sorted { $0.lexicographicallyPrecedes($1) } == drawn.expected)
    }

    @Test("Savepoints of jobs without checkpoints, some of whose subtasks have gone with their input", arguments: 0..<40 as Range<UInt64>)
    func savepointsOnly(group: UInt64) throws {
        for seed in group * 10..<group * 10 + 10 {
            let drawn = Drawn(seed: seed)
            let storage = SimulatedStorage(seed: seed)
            var path: String?
            var stops = 1 + Int(drawn.random.next(below: 4))
            var run: UInt64 = 0
            var history: [String] = []
            var isDrained = false
            while true {
                run += 1
                var (plan, bindings) = drawn.plan(restoring: path, fails: false)
                plan.configuration.checkpoints.intervalMilliseconds = nil
                // Readers beyond the splits have nothing to read, and go at once.
                plan.nodes[0].parallelism = 1 + Int(drawn.random.next(below: 6))
                let engine = SimulatedEngine(seed: seed &* 37 &+ run, storage: storage)
                let job = try engine.submit(plan, bindings: bindings)
                let answer = Guarded<Result<String, MillstreamError>?>(nil)
                if stops > 0 {
                    stops -= 1
                    engine.run(job, tickCountMax: 1 + Int(drawn.random.next(below: 1_200)))
                    if !job.status.isTerminal {
                        let drains = drawn.random.next(below: 6) == 0
                        isDrained = isDrained || drains
                        job.savepoint(into: "/savepoints", stops: true, drains: drains) { result in answer.withLock { $0 = result } }
                    }
                }
                let before = engine.clock.monotonicNanoseconds()
                engine.run(job, tickCountMax: 400_000)
                #expect(engine.clock.monotonicNanoseconds() - before < 300_000_000_000, "seed \(seed): it waited for somebody who had gone")
                #expect(job.status == .finished, "seed \(seed): \(job.status) \(job.failure.map { "\($0)" } ?? "")\n\(job.explainTime().text)")
                history.append("\(String(describing: answer.withLock { $0 }))")
                guard case .success(let saved)? = answer.withLock({ $0 }) else { break }
                path = saved
            }
            let found = drawn.world.rows.sorted { $0.lexicographicallyPrecedes($1) }
            // Where the input was ended for good, rows are missing, and none comes twice.
            let isRight = isDrained ? Set(found).count == found.count && Set(found).isSubset(of: drawn.expected) : found == drawn.expected
            #expect(isRight, "seed \(seed): \(found.count) of \(drawn.expected.count) rows, \(history)")
        }
    }

    @Test("A job that is cancelled between a failure and the restart that it asked for is cancelled", arguments: 0..<60 as Range<UInt64>)
    func cancelledWhileFailing(seed: UInt64) throws {
        let drawn = Drawn(seed: seed)
        let storage = SimulatedStorage(seed: seed)
        var (plan, bindings) = drawn.plan(restoring: nil, fails: false)
        bindings.bind(2, operator: { [failure = PlannedFailure(after: [40])] in CountingOperator(failure) })
        plan.configuration.checkpoints.retention = seed % 2 == 0 ? .retainOnCancellation : .deleteOnCancellation
        let restarts = seed % 3 > 0
        if !restarts { plan.configuration.restart.strategy = RestartConfiguration.Strategy.none }
        // In the middle of the failure, or while the job waits for its restart.
        let moment = seed % 5 > 0 ? JobStatus.failing : .restarting
        let engine = SimulatedEngine(seed: seed, storage: storage)
        let job = try engine.submit(plan, bindings: bindings)
        var wasCancelled = false
        engine.run(job, tickCountMax: 400_000) { _ in
            guard !wasCancelled, job.status == moment else { return }
            wasCancelled = true
            job.cancel()
        }
        guard wasCancelled else { return }
        #expect(job.failures.map(\.error.message) == ["planned failure 0"])
        if restarts {
            #expect(job.status == .canceled)
            #expect(job.failure == nil)
        } else {
            #expect(job.status == .failed)
            #expect(job.failure?.message == "planned failure 0")
        }
        // What becomes of the checkpoints fits how the job has ended.
        let hasCheckpoints = job.checkpoints.contains { $0.outcome == .completed }
        #expect((Self.latest(on: storage) != nil) == (hasCheckpoints && (!restarts || seed % 2 == 0)))
    }

    private func run(_ seed: UInt64) throws {
        let drawn = Drawn(seed: seed)
        let storage = SimulatedStorage(seed: seed)
        var crashes = Int(drawn.random.next(below: 5))
        var run: UInt64 = 0
        while true {
            run += 1
            let (plan, bindings) = drawn.plan(restoring: Self.latest(on: storage))
            let engine = SimulatedEngine(seed: seed &* 31 &+ run, storage: storage)
            let job = try engine.submit(plan, bindings: bindings)
            if crashes > 0 {
                crashes -= 1
                engine.run(job, tickCountMax: 1 + Int(drawn.random.next(below: 1_500)))
                if !job.status.isTerminal {
                    storage.restart()
                    continue
                }
            } else {
                engine.run(job, tickCountMax: 400_000)
            }
            #expect(job.status == .finished, "seed \(seed): \(job.status) after \(engine.tickCount) choices \(job.failure.map { "\($0)" } ?? "")\n\(job.checkpoints.suffix(3))\n\(job.explainTime().text)")
            break
        }
        let found = drawn.world.rows.sorted { $0.lexicographicallyPrecedes($1) }
        #expect(found == drawn.expected, "seed \(seed): \(found.count) of \(drawn.expected.count) rows")
    }
}
