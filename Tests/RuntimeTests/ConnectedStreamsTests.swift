import Columnar
import Dataflow
import Plan
import Runtime
import Testing

/// Jobs with a process function over two streams: keyed, and keyed with a broadcast stream; under random schedules, and on threads.
///
/// Keys 1...count come on the first stream, in two parts that are united, and the upper half of them and as many beyond on the second.
@Suite struct ConnectedStreamsTests {
    static let count: Int64 = 300
    static var keysOnSecond: ClosedRange<Int64> { (count / 2 + 1)...(count + count / 2) }

    /// What each key comes to: 1 from the first stream, 10 from the second, 1000 for each rule that its subtask knows.
    static func expected(broadcast: Bool) -> [Int64] {
        (1...keysOnSecond.upperBound).compactMap { key in
            let first: Int64 = key <= count ? 1 : 0
            if broadcast { return first == 0 ? nil : key * 1_000_000 + 1 + 1_000 * Int64(keysOnSecond.count) }
            return key * 1_000_000 + first + (keysOnSecond.contains(key) ? 10 : 0)
        }
    }

    static func plan(parallelism: [Int], broadcast: Bool) -> StreamPlan {
        var plan = StreamPlan(jobName: "connected")
        plan.configuration.bufferTimeoutMilliseconds = 5
        plan.configuration.batchRowCountLimit = 16
        func source(_ number: Int, _ range: ClosedRange<Int64>) -> Node {
            var node = Node(
                id: NodeID(number), name: "numbers", inputs: [],
                operation: .source(SourceDescription(.sequence(first: range.lowerBound, last: range.upperBound))), output: .scalar(.bigInt.notNull))
            node.parallelism = parallelism[number]
            return node
        }
        let union = Node(
            id: NodeID(3), name: "Union", inputs: [Edge(source: NodeID(0)), Edge(source: NodeID(1))], operation: .union, output: .scalar(.bigInt.notNull))
        let rules = StateDeclaration(name: "rules", kind: .broadcast, valueType: .bigInt, keyType: .bigInt)
        let description = ProcessDescription(
            function: BindingID(0), keys: [0], second: ProcessDescription.SecondInput(keys: broadcast ? nil : [0]),
            states: [StateDeclaration(name: "sum", kind: .value, valueType: .bigInt), rules])
        var process = Node(
            id: NodeID(4), name: "process",
            inputs: [
                Edge(source: NodeID(3), partitioning: .hash(keys: [0])),
                Edge(source: NodeID(2), partitioning: broadcast ? .broadcast : .hash(keys: [0])),
            ], operation: .process(description), output: .scalar(.bigInt.notNull))
        process.parallelism = parallelism[3]
        var sink = Node(
            id: NodeID(5), name: "collect", inputs: [Edge(source: NodeID(4), partitioning: .rebalance)], operation: .sink(SinkDescription(.collect)),
            output: .scalar(.bigInt.notNull))
        sink.parallelism = 1
        plan.nodes = [source(0, 1...100), source(1, 101...count), source(2, keysOnSecond), union, process, sink]
        return plan
    }

    static var bindings: Bindings {
        var bindings = Bindings()
        bindings.bind(0, function: SumPerKey())
        return bindings
    }

    @Test("Every key meets both streams, in the simulation", arguments: 0..<100)
    func simulated(seed: UInt64) throws {
        let broadcast = seed % 2 == 1
        var hashes: [UInt64] = []
        for _ in 0..<2 {
            let random = SeededRandom(seed: seed)
            let engine = SimulatedEngine(seed: seed, storage: NoStorage())
            let parallelism = (0..<4).map { _ in 1 + Int(random.next(below: 4)) }
            let job = try engine.submit(Self.plan(parallelism: parallelism, broadcast: broadcast), bindings: Self.bindings)
            engine.run(job)
            #expect(job.status == .finished, "\(String(describing: job.failure))")
            var all: [Int64] = []
            while case .batch(let batch) = try #require(job.collected(node: 5)).next(timeoutNanoseconds: 0) { all += LinearJobTests.values(batch) }
            #expect(all.sorted() == Self.expected(broadcast: broadcast))
            hashes.append(engine.traceHash)
        }
        #expect(hashes[0] == hashes[1])
    }

    @Test("Every key meets both streams, on threads", arguments: [false, true])
    func onThreads(broadcast: Bool) throws {
        let engine = Engine(workerCount: 2, storage: NoStorage())
        let job = try engine.submit(Self.plan(parallelism: [2, 1, 3, 2], broadcast: broadcast), bindings: Self.bindings)
        var all: [Int64] = []
        let queue = try #require(job.collected(node: 5))
        while case .batch(let batch) = queue.next(timeoutNanoseconds: 10_000_000_000) { all += LinearJobTests.values(batch) }
        #expect(job.wait(timeoutNanoseconds: 5_000_000_000) == .finished)
        #expect(all.sorted() == Self.expected(broadcast: broadcast))
        #expect(engine.shutdown(timeoutNanoseconds: 1_000_000_000))
    }

    @Test("Connected streams are two")
    func twoInputs() throws {
        var plan = Self.plan(parallelism: [1, 1, 1, 1], broadcast: false)
        plan.nodes[4].inputs.removeLast()
        let engine = SimulatedEngine(seed: 1, storage: NoStorage())
        let failure = #expect(throws: MillstreamError.self) { _ = try engine.submit(plan, bindings: Self.bindings) }
        #expect(failure?.message.contains("2 inputs") == true)
    }
}

/// Adds 1 or 10 to the state of a row's key; rows without keys are rules. A timer at the end of time emits key * 1000000 + sum + 1000 * rules: both streams
/// must have ended before it fires.
private final class SumPerKey: HostFunction, @unchecked Sendable {
    let name = "sum per key"
    func instance() throws(MillstreamError) -> any HostFunction { SumPerKey() }
    func fused(with next: any HostFunction) -> (any HostFunction)? { nil }

    func call(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
        guard request.operation == .process || request.operation == .timers else { return HostResponse() }
        guard let state = request.state else { throw .internal("no state") }
        if request.operation == .timers { return try fire(request, state) }
        let values = request.columns[0].pointer(as: Int64.self)
        for row in 0..<request.count {
            if request.keys.isEmpty {
                try state.mapPut(1, row: row, key: .int64(values[row]), value: .int64(0))
            } else {
                try state.setValue(0, row: row, .int64(try sum(state, row) + (request.input == 0 ? 1 : 10)))
                try state.registerTimer(row: row, domain: .eventTime, at: 1_000)
            }
        }
        return HostResponse()
    }

    private func sum(_ state: any HostStateAccess, _ row: Int) throws(MillstreamError) -> Int64 {
        if case .int64(let number)? = try state.value(0, row: row) { number } else { 0 }
    }

    private func fire(_ request: HostRequest, _ state: any HostStateAccess) throws(MillstreamError) -> HostResponse {
        let keys = request.keys[0].pointer(as: Int64.self)
        var results: [Int64] = []
        for row in 0..<request.count {
            results.append(keys[row] * 1_000_000 + (try sum(state, row)) + 1_000 * Int64(try state.mapCount(1, row: row)))
        }
        let column = Column(type: .bigInt.notNull, count: results.count, values: Buffer.copying(results))
        return HostResponse(outputs: [HostResponse.Rows(columns: [column], count: results.count)])
    }
}
