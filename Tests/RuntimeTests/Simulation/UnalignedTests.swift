import Checkpoint
import Columnar
import Dataflow
import Exchange
import Glibc
import Plan
import Runtime
import Testing

/// Barriers that go ahead of the rows: what was in flight comes again, once, wherever its subtask is now.
struct UnalignedTests {
    typealias Way = FlightJob.Way
    /// So many jobs for each pair of exchanges.
    static let seedCount = getenv("MILLSTREAM_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? 12
    static let pairs = Way.allCases.flatMap { first in Way.allCases.filter { $0 != .custom }.map { [first, $0] } }

    @Test("Crashes with rows in flight, and another parallelism each time, over all pairs of exchanges", arguments: pairs)
    func matrix(pair: [Way]) throws {
        var total = FlightJob.Outcome()
        for seed in 0..<Self.seedCount {
            let outcome = try FlightJob(first: pair[0], second: pair[1], seed: seed).simulate()
            if let problem = outcome.problem { Issue.record("\(pair[0]) \(pair[1]) seed \(seed): \(problem)") }
            total.runs += outcome.runs
            total.unalignedCount += outcome.unalignedCount
            total.inFlightByteCount += outcome.inFlightByteCount
        }
        // The test of the test: there was something in flight.
        #expect(total.unalignedCount > 10 && total.inFlightByteCount > 1_000, "\(total)")
    }

    @Test("Planted faults of rows in flight are found", arguments: [Mutant.forgetsOvertaken, .forgetsReadAhead, .replaysTwice, .replaysLate])
    func canaries(mutant: Mutant) throws {
        for seed in 0..<100 as Range<UInt64> {
            for way in [Way.hash, .rebalance] {
                let outcome = try FlightJob(first: way, second: .rebalance, seed: seed).simulate { MutantParts(mutant, seed: seed) }
                if let problem = outcome.problem {
                    print("found: \(mutant) by seed \(seed), \(way): \(problem.prefix(120))")
                    return
                }
            }
        }
        Issue.record("\(mutant) was not found")
    }

    // MARK: On threads

    static let raceCount = getenv("MILLSTREAM_RACES").flatMap { Int(String(cString: $0)) } ?? 40

    @Test("The same on threads, more of them than cores")
    func races() throws {
        var template = Array("/tmp/millstream-races-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer { Self.remove(directory) }
        var total = FlightJob.Outcome()
        for number in 0..<Self.raceCount {
            let pair = Self.pairs[number % Self.pairs.count]
            let engine = Engine(workerCount: 4, storage: DiskStorage())
            defer { #expect(engine.shutdown(timeoutNanoseconds: 60_000_000_000)) }
            let outcome = try FlightJob(first: pair[0], second: pair[1], seed: 10_000 + UInt64(number), isThreaded: true).race(in: directory, on: engine)
            if let problem = outcome.problem { Issue.record("\(pair[0]) \(pair[1]) number \(number): \(problem)") }
            total.runs += outcome.runs
            total.unalignedCount += outcome.unalignedCount
            total.inFlightByteCount += outcome.inFlightByteCount
        }
        print("races: \(Self.raceCount) jobs, \(total.runs) runs, \(total.unalignedCount) unaligned checkpoints, \(total.inFlightByteCount) bytes in flight")
        #expect(total.unalignedCount > Self.raceCount)
    }

    /// Takes 10,000 rows a second.
    private final class SlowSink: Sink, @unchecked Sendable {
        func makeWriter(_ context: OperatorContext) -> any SinkWriter { Writer() }
        func makeCommitter() -> (any Committer)? { nil }
        private final class Writer: SinkWriter {
            func write(_ batch: Batch, notify: @escaping @Sendable () -> Void) throws(MillstreamError) -> Bool {
                usleep(UInt32(100 * batch.count))
                return true
            }
            func prepareCommit(endOfInput: Bool) -> [Committable] { [] }
            func close() {}
        }
    }

    @Test("Behind a sink that is a hundred times too slow a checkpoint overtakes what waits there", arguments: [nil, 200, 0] as [Int64?])
    func backpressure(timeout: Int64?) throws {
        var plan = StreamPlan(jobName: "slow")
        var bindings = Bindings()
        plan.configuration.maxParallelism = 16
        plan.configuration.checkpoints.intervalMilliseconds = 400
        plan.configuration.checkpoints.isUnaligned = timeout != nil
        plan.configuration.checkpoints.alignedTimeoutMilliseconds = timeout ?? 0
        bindings.bind(1, source: NumberedSource(splitCount: 2, rowsPerSplit: 1 << 40, keyCount: 1_000))
        bindings.bind(2, operator: { CountingOperator(nil) })
        bindings.bind(3, sink: SlowSink())
        func node(_ id: Int, _ inputs: [Edge], _ operation: Operation, _ schema: Schema) -> Node {
            var node = Node(id: NodeID(id), name: "\(id)", inputs: inputs, operation: operation, output: schema)
            node.parallelism = 2
            return node
        }
        plan.nodes = [
            node(0, [], .source(SourceDescription(.custom(BindingID(1)))), NumberedSource.schema),
            node(1, [Edge(source: NodeID(0), partitioning: .hash(keys: [0]))], .custom(BindingID(2)), CountingOperator.schema),
            node(2, [Edge(source: NodeID(1), partitioning: .rebalance)], .sink(SinkDescription(.custom(BindingID(3)))), CountingOperator.schema),
        ]
        let engine = Engine(workerCount: 4, storage: NoStorage())
        let job = try engine.submit(plan, bindings: bindings)
        usleep(4_000_000)
        let done = job.checkpoints.filter { $0.outcome == .completed }
        job.cancel()
        job.wait()
        _ = engine.shutdown(timeoutNanoseconds: 10_000_000_000)
        print(
            "backpressure, \(timeout.map { $0 == 0 ? "unaligned" : "unaligned after \($0) ms" } ?? "aligned"): "
                + "\(done.count) checkpoints in 4 s, the longest of "
                + "\(done.map(\.milliseconds).max() ?? 0) ms, \(done.map(\.inFlightByteCount).max() ?? 0) bytes in flight")
        guard timeout != nil else { return #expect(done.count <= 1) }
        // Of 1 s, with room for a machine that does other things as well.
        #expect(done.count >= 2 && done.allSatisfy { $0.milliseconds <= 2_000 })
        #expect(done.contains { $0.isUnaligned && $0.inFlightByteCount > 1 << 20 })
    }

    private static func remove(_ path: String) {
        guard let stream = opendir(path) else {
            unlink(path)
            return
        }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } })
        }
        closedir(stream)
        for name in names where name != "." && name != ".." { remove(path + "/" + name) }
        rmdir(path)
    }

    // MARK: Broadcast

    /// Gives each row the number of its subtask.
    private final class Tagging: Operator {
        var subtask = 0
        func open(_ context: OperatorContext) { subtask = context.subtask.value }
        func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
            let batch = try batch.compacted()
            let tags = [Int64](repeating: Int64(subtask), count: batch.count)
            try output.emit(
                Batch(
                    schema: CountingOperator.schema,
                    columns: [Column(type: .bigInt.notNull, count: batch.count, values: Buffer.copying(tags)), batch.columns[1]], count: batch.count))
            return .done
        }
    }

    @Test("Each subtask that is there all the time gets each broadcast row once", arguments: 0..<60 as Range<UInt64>)
    func broadcast(seed: UInt64) throws {
        let job = FlightJob(first: .global, second: .rebalance, seed: seed)
        let random = SeededRandom(seed: seed ^ 0xB0)
        let storage = SimulatedStorage(seed: seed)
        let ledger = Ledger()
        var crashes = 1 + random.next(below: 3)
        var least = 4
        var run: UInt64 = 0
        while true {
            run += 1
            var (plan, bindings) = job.plan(restoring: try DrawnJob.latest(on: storage), directory: "/checkpoints")
            let width = 1 + Int(random.next(below: 4))
            least = min(least, width)
            plan.nodes.remove(at: 1)
            bindings.bind(6, operator: { Tagging() })
            bindings.bind(4, sink: ReluctantSink(job.world, ledger: ledger, isThreaded: false))
            plan.nodes[1].inputs = [Edge(source: NodeID(0), partitioning: .broadcast)]
            plan.nodes[1].operation = .custom(BindingID(6))
            plan.nodes[1].parallelism = width
            for place in plan.nodes.indices {
                plan.nodes[place].id = NodeID(place)
                if place > 1 { plan.nodes[place].inputs[0].source = NodeID(place - 1) }
            }
            let engine = SimulatedEngine(seed: seed &* 31 &+ run, storage: storage)
            let running = try engine.submit(plan, bindings: bindings)
            let limit = crashes > 0 ? 1 + Int(random.next(below: 1_500)) : 800_000
            engine.run(running, tickCountMax: limit) { tick in if tick % 5 == 0 { ledger.release(random) } }
            if !running.status.isTerminal, crashes > 0 {
                crashes -= 1
                storage.restart()
                ledger.crash()
                continue
            }
            #expect(running.status == .finished, "\(String(describing: running.failure))")
            break
        }
        for subtask in 0..<least {
            let numbers = job.world.rows.filter { $0[0] == subtask }.map { $0[1] }.sorted()
            #expect(numbers == Array(0..<job.splitCount * job.rowsPerSplit), "subtask \(subtask)")
        }
    }
}
