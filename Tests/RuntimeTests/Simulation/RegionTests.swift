import Columnar
import Dataflow
import Plan
import Runtime
import Synchronization
import Testing

/// Jobs of two pipelines that have nothing to do with each other: where one fails, the other goes on, and both commit each row once.
struct RegionTests {
    /// How often operators of each pipeline were made.
    private final class Made: Sendable {
        let counts = Guarded<[Int]>([0, 0])
        func add(_ pipeline: Int) { counts.withLock { $0[pipeline] += 1 } }
    }

    private struct Pipelines {
        let drawn: [RecoveryTests.Drawn]
        let failures: [PlannedFailure?]
        let random: SeededRandom
        let hasCheckpoints: Bool
        let made = Made()

        /// `failing`: which pipelines fail, now and then.
        init(seed: UInt64, failing: [Bool], hasCheckpoints: Bool = true) {
            drawn = [RecoveryTests.Drawn(seed: 2 &* seed), RecoveryTests.Drawn(seed: 2 &* seed &+ 1)]
            let random = SeededRandom(seed: seed ^ 0x4E61)
            failures = failing.map { fails in fails ? PlannedFailure(after: (0...random.next(below: 3)).map { _ in Int(random.next(below: 60)) }) : nil }
            self.random = random
            self.hasCheckpoints = hasCheckpoints
        }

        func plan(restoring path: String?) -> (StreamPlan, Bindings) {
            var (plan, _) = drawn[0].plan(restoring: path)
            let first = plan.nodes
            let second = drawn[1].plan(restoring: nil).0.nodes.map { node in
                var node = node
                node.id = NodeID(node.id.value + 3)
                node.inputs = node.inputs.map { Edge(source: NodeID($0.source.value + 3), partitioning: $0.partitioning) }
                switch node.operation {
                case .source: node.operation = .source(SourceDescription(.custom(BindingID(4))))
                case .sink: node.operation = .sink(SinkDescription(.custom(BindingID(6))))
                default: node.operation = .custom(BindingID(5))
                }
                return node
            }
            plan.nodes = first + second
            if !hasCheckpoints { plan.configuration.checkpoints.intervalMilliseconds = nil }
            plan.configuration.restart.delay = Int64(random.next(below: 40))
            var bindings = Bindings()
            for (number, drawn) in drawn.enumerated() {
                bindings.bind(
                    3 * number + 1,
                    source: NumberedSource(splitCount: drawn.splitCount, rowsPerSplit: drawn.rowsPerSplit, keyCount: drawn.keyCount))
                let (made, failure) = (made, failures[number])
                bindings.bind(
                    3 * number + 2,
                    operator: {
                        made.add(number)
                        return CountingOperator(failure)
                    })
                bindings.bind(3 * number + 3, sink: TransactionalSink(drawn.world))
            }
            return (plan, bindings)
        }

        func problems() -> [String] {
            drawn.enumerated().compactMap { number, drawn in
                let found = drawn.world.rows.sorted { $0.lexicographicallyPrecedes($1) }
                return found == drawn.expected ? nil : "pipeline \(number): \(found.count) of \(drawn.expected.count) rows"
            }
        }
    }

    @Test("Only what depends on the failure starts anew", arguments: 0..<200 as Range<UInt64>)
    func oneFails(seed: UInt64) throws {
        let pipelines = Pipelines(seed: seed, failing: [false, true])
        let (plan, bindings) = pipelines.plan(restoring: nil)
        let engine = SimulatedEngine(seed: seed, storage: SimulatedStorage(seed: seed))
        let job = try engine.submit(plan, bindings: bindings)
        var seen: Set<JobStatus> = []
        engine.run(job, tickCountMax: 400_000) { _ in seen.insert(job.status) }
        #expect(job.status == .finished, "\(job.explainTime().text)")
        #expect(pipelines.problems() == [])
        let width = try #require(plan.nodes[1].parallelism)
        let failureCount = job.failures.count
        #expect(pipelines.made.counts.withLock { $0 } == [width, (1 + failureCount) * (plan.nodes[4].parallelism ?? 1)])
        #expect(seen.contains(.restarting) == (failureCount > 0) && !seen.contains(.failing))
    }

    @Test("Without checkpoints the failed part begins from its first row, and the other goes on", arguments: 0..<100 as Range<UInt64>)
    func withoutCheckpoints(seed: UInt64) throws {
        let pipelines = Pipelines(seed: seed, failing: [false, true], hasCheckpoints: false)
        let (plan, bindings) = pipelines.plan(restoring: nil)
        let engine = SimulatedEngine(seed: seed, storage: SimulatedStorage(seed: seed))
        let job = try engine.submit(plan, bindings: bindings)
        engine.run(job, tickCountMax: 400_000)
        #expect(job.status == .finished)
        #expect(pipelines.made.counts.withLock { $0 }[0] == plan.nodes[1].parallelism)
        let found = pipelines.drawn[0].world.rows.sorted { $0.lexicographicallyPrecedes($1) }
        #expect(found == pipelines.drawn[0].expected)
    }

    @Test("Crashes and failures of both", arguments: 0..<200 as Range<UInt64>)
    func bothFail(seed: UInt64) throws {
        let pipelines = Pipelines(seed: seed, failing: [true, true])
        let storage = SimulatedStorage(seed: seed)
        var crashes = Int(pipelines.random.next(below: 4))
        var run: UInt64 = 0
        while true {
            run += 1
            let (plan, bindings) = pipelines.plan(restoring: RecoveryTests.latest(on: storage))
            let engine = SimulatedEngine(seed: seed &* 31 &+ run, storage: storage)
            let job = try engine.submit(plan, bindings: bindings)
            engine.run(job, tickCountMax: crashes > 0 ? 1 + Int(pipelines.random.next(below: 1_500)) : 400_000)
            crashes -= 1
            if job.status.isTerminal || crashes < 0 {
                #expect(job.status == .finished, "\(job.status) \(job.failure.map { "\($0)" } ?? "")\n\(job.checkpoints.suffix(3))\n\(job.explainTime().text)")
                break
            }
            storage.restart()
        }
        #expect(pipelines.problems() == [])
    }

    @Test("A job can be cancelled and saved while a part of it waits", arguments: 0..<100 as Range<UInt64>)
    func cancelling(seed: UInt64) throws {
        let pipelines = Pipelines(seed: seed, failing: [seed % 2 == 0, true])
        let (plan, bindings) = pipelines.plan(restoring: nil)
        let storage = SimulatedStorage(seed: seed)
        let engine = SimulatedEngine(seed: seed, storage: storage)
        let job = try engine.submit(plan, bindings: bindings)
        let answers = Guarded(0)
        var asked = 0
        var isCancelled = false
        engine.run(job, tickCountMax: 400_000) { tick in
            guard job.status == .restarting, !isCancelled else { return }
            asked += 1
            job.savepoint(into: "/savepoints") { _ in answers.withLock { $0 += 1 } }
            if pipelines.random.next(below: 4) == 0 {
                isCancelled = true
                job.cancel()
            }
        }
        #expect(job.status == (isCancelled ? .canceled : .finished))
        #expect(answers.withLock { $0 } == asked)
        #expect(!storage.paths.contains { $0.hasPrefix(RecoveryTests.directory) && $0.hasSuffix("_metadata") }, "\(storage.paths)")
    }

    @Test("A part that fails for good ends the job with its failure", arguments: 0..<40 as Range<UInt64>)
    func forGood(seed: UInt64) throws {
        let pipelines = Pipelines(seed: seed, failing: [false, true])
        var (plan, bindings) = pipelines.plan(restoring: nil)
        plan.configuration.restart.attempts = 0
        let engine = SimulatedEngine(seed: seed, storage: SimulatedStorage(seed: seed))
        let job = try engine.submit(plan, bindings: bindings)
        engine.run(job, tickCountMax: 400_000)
        if job.failures.isEmpty {
            #expect(job.status == .finished)
        } else {
            #expect(job.status == .failed && job.failures.count == 1)
            #expect(job.failure?.message == job.failures[0].error.message)
        }
    }
}
