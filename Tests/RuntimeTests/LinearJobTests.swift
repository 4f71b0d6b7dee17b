import Columnar
import Dataflow
import Plan
import Runtime
import Testing

/// Jobs from a sequence to a collecting sink, on threads and in the simulation.
struct LinearJobTests {
    /// sequence -> keyed exchange -> pass -> collect
    static func plan(count: Int64, sourceParallelism: Int, parallelism: Int, partitioning: Partitioning) -> StreamPlan {
        var plan = StreamPlan(jobName: "linear")
        plan.configuration.bufferTimeoutMilliseconds = 5
        var source = Node(
            id: NodeID(0), name: "numbers", inputs: [], operation: .source(SourceDescription(.sequence(first: 1, last: count))),
            output: .scalar(.bigInt.notNull))
        source.parallelism = sourceParallelism
        var pass = Node(
            id: NodeID(1), name: "pass", inputs: [Edge(source: NodeID(0), partitioning: partitioning)], operation: .custom(BindingID(0)),
            output: .scalar(.bigInt.notNull))
        pass.parallelism = parallelism
        var sink = Node(
            id: NodeID(2), name: "collect", inputs: [Edge(source: NodeID(1), partitioning: .rebalance)], operation: .sink(SinkDescription(.collect)),
            output: .scalar(.bigInt.notNull))
        sink.parallelism = 1
        plan.nodes = [source, pass, sink]
        return plan
    }

    static func bindings() -> Bindings {
        var bindings = Bindings()
        bindings.bind(0, operator: { Pass() })
        return bindings
    }

    static func values(_ batch: Batch) -> [Int64] {
        (0..<batch.count).map { batch.columns[0].pointer(as: Int64.self)[batch.selection?[$0] ?? $0] }
    }

    @Test("Every number arrives exactly once, on threads", arguments: [Partitioning.hash(keys: [0]), .rebalance, .shuffle, .rescale, .global])
    func onThreads(partitioning: Partitioning) throws {
        let engine = Engine(workerCount: 2, storage: NoStorage())
        let job = try engine.submit(
            Self.plan(count: 100_000, sourceParallelism: 2, parallelism: 3, partitioning: partitioning), bindings: Self.bindings())
        var sum: Int64 = 0
        var count = 0
        let queue = try #require(job.collected(node: 2))
        while case .batch(let batch) = queue.next(timeoutNanoseconds: 10_000_000_000) {
            sum += Self.values(batch).reduce(0, +)
            count += batch.count
        }
        #expect(job.wait(timeoutNanoseconds: 5_000_000_000) == .finished)
        #expect(job.failure == nil)
        #expect(count == 100_000)
        #expect(sum == 5_000_050_000)
        #expect(engine.shutdown(timeoutNanoseconds: 1_000_000_000))
    }

    @Test("Small batches wait a moment for each other, and stay in order")
    func collectingJoinsSmallBatches() {
        let queue = CollectQueue()
        func offer(_ values: ClosedRange<Int64>) {
            let column = Column(type: .bigInt.notNull, count: values.count, values: Buffer.copying(Array(values)))
            let isTaken = queue.offer(Batch(schema: .scalar(.bigInt.notNull), columns: [column], count: values.count)) {}
            #expect(isTaken)
        }
        var sizes: [Int] = []
        var all: [Int64] = []
        func take() {
            guard case .batch(let batch) = queue.next(timeoutNanoseconds: 10_000_000_000) else {
                Issue.record("no rows")
                return
            }
            sizes.append(batch.count)
            all += Self.values(batch)
        }
        offer(1...3)
        take()
        for first in stride(from: Int64(4), to: 64, by: 3) { offer(first...first + 2) }
        take()
        offer(64...10_000)
        offer(10_001...10_002)
        queue.end()
        take()
        take()
        #expect(sizes == [3, 60, 9937, 2])
        #expect(all == Array(1...10_002))
        guard case .end = queue.next(timeoutNanoseconds: nil) else {
            Issue.record("more rows")
            return
        }
    }

    @Test("Every number arrives exactly once, in the simulation", arguments: 0..<100)
    func simulated(seed: UInt64) throws {
        var hashes: [UInt64] = []
        for _ in 0..<2 {
            let engine = SimulatedEngine(seed: seed, storage: NoStorage())
            let job = try engine.submit(
                Self.plan(count: 5_000, sourceParallelism: 1 + Int(seed % 3), parallelism: 1 + Int(seed % 5), partitioning: .hash(keys: [0])),
                bindings: Self.bindings())
            engine.run(job)
            #expect(job.status == .finished)
            var all: [Int64] = []
            while case .batch(let batch) = try #require(job.collected(node: 2)).next(timeoutNanoseconds: 0) { all += Self.values(batch) }
            #expect(all.sorted() == Array(1...5_000))
            hashes.append(engine.traceHash)
        }
        #expect(hashes[0] == hashes[1])
    }
}

final class Pass: Operator {
    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        try output.emit(batch)
        return .done
    }
}

/// For jobs that write no files.
final class NoStorage: Storage {
    private func refuse() -> MillstreamError { MillstreamError(.unsupported, "this test has no storage") }
    func makeDirectories(_ path: String) throws(MillstreamError) { throw refuse() }
    func create(_ path: String) throws(MillstreamError) -> any StorageFile { throw refuse() }
    func reopen(_ path: String, truncatedTo byteCount: Int64) throws(MillstreamError) -> any StorageFile { throw refuse() }
    func read(_ path: String) throws(MillstreamError) -> [UInt8] { throw refuse() }
    func exists(_ path: String) -> Bool { false }
    func rename(_ from: String, to: String) throws(MillstreamError) { throw refuse() }
    func remove(_ path: String) throws(MillstreamError) { throw refuse() }
    func list(_ directory: String) throws(MillstreamError) -> [String] { throw refuse() }
}
