import Columnar
import Dataflow
import Plan
import Runtime
import Synchronization
import Testing

/// A host that doubles numbers some time later: when the test says so, or on a thread of its own.
private final class LaterFunction: HostFunction, @unchecked Sendable {
    let name = "later"
    /// Shared by the instances of all subtasks.
    final class Log: Sendable {
        struct Counts {
            var inFlight: [ObjectIdentifier: Int] = [:]
            var inFlightMax = 0
            var closedCount = 0
            var instances: [LaterFunction] = []
        }
        let counts = Guarded(Counts())
    }

    let log: Log
    private let state = Guarded((waiting: [(slot: Int32, value: Int64, epoch: Int64)](), done: [(slot: Int32, value: Int64, epoch: Int64)]()))
    private let notifier = Guarded<HostNotifier?>(nil)

    init(_ log: Log) { self.log = log }

    func instance() throws(MillstreamError) -> any HostFunction {
        let made = LaterFunction(log)
        log.counts.withLock { $0.instances.append(made) }
        return made
    }
    func fused(with next: any HostFunction) -> (any HostFunction)? { nil }

    /// A random part of what waits is done.
    func finishSome(_ random: SeededRandom) {
        let isAny = state.withLock { state in
            guard !state.waiting.isEmpty else { return false }
            for _ in 0...Int(random.next(below: UInt64(state.waiting.count))) where !state.waiting.isEmpty {
                state.done.append(state.waiting.remove(at: Int(random.next(below: UInt64(state.waiting.count)))))
            }
            return true
        }
        if isAny { notifier.withLock { $0 }?.notify() }
    }

    func call(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
        switch request.operation {
        case .asyncStart:
            notifier.withLock { $0 = request.notifier }
            state.withLock { state in
                for row in 0..<request.count {
                    state.waiting.append(
                        (request.slots?.pointer(as: Int32.self)[row] ?? 0, request.columns[0].pointer(as: Int64.self)[row], request.integers[0]))
                }
            }
            note(request.count)
        case .asyncPoll:
            let done = state.withLock { state in
                let found = state.done.filter { $0.epoch == request.integers[0] }
                state.done.removeAll { $0.epoch == request.integers[0] }
                return found
            }
            if done.isEmpty { break }
            note(-done.count)
            let rows = HostResponse.Rows(
                columns: [Column(type: .bigInt.notNull, count: done.count, values: Buffer.copying(done.map { $0.value * 2 }))], count: done.count,
                parents: Column(type: .int.notNull, count: done.count, values: Buffer.copying(done.map(\.slot))))
            return HostResponse(outputs: [rows], integers: done.map { Int64($0.slot) })
        case .close: log.counts.withLock { $0.closedCount += 1 }
        default: break
        }
        return HostResponse()
    }

    private func note(_ change: Int) {
        log.counts.withLock { counts in
            let now = (counts.inFlight[ObjectIdentifier(self)] ?? 0) + change
            counts.inFlight[ObjectIdentifier(self)] = now
            counts.inFlightMax = max(counts.inFlightMax, now)
        }
    }
}

struct AsyncJobTests {
    private func plan(_ log: LaterFunction.Log, seed: UInt64, count: Int64) -> (StreamPlan, Bindings) {
        var plan = LinearJobTests.plan(count: count, sourceParallelism: 1 + Int(seed % 2), parallelism: 1 + Int(seed % 3), partitioning: seed % 5 < 2 ? .forward : .rebalance)
        plan.nodes[1].operation = .asynchronous(AsyncDescription(function: BindingID(0), capacity: 1 + Int(seed % 7)))
        plan.configuration.batchRowCountLimit = 1 + Int(seed % 16)
        var bindings = Bindings()
        bindings.bind(0, function: LaterFunction(log))
        return (plan, bindings)
    }

    @Test("Every row arrives once in the simulation, or the job is cancelled with rows in flight")
    func simulated() throws {
        for seed in UInt64(0)..<150 {
            let log = LaterFunction.Log()
            let (plan, bindings) = plan(log, seed: seed, count: 200)
            let engine = SimulatedEngine(seed: seed, storage: NoStorage())
            let job = try engine.submit(plan, bindings: bindings)
            let script = SeededRandom(seed: seed ^ 0xA5)
            let cancelsAt = seed % 4 == 0 ? Int(script.next(below: 400)) : nil
            var values: [Int64] = []
            let queue = try #require(job.collected(node: 2))
            func finishSome() {
                let instances = log.counts.withLock { $0.instances }
                for instance in instances where script.next(below: 2) == 0 { instance.finishSome(script) }
            }
            while !job.status.isTerminal, engine.tickCount < 200_000 {
                engine.run(job, tickCountMax: 32) { tick in
                    if tick == cancelsAt { job.cancel() }
                    if script.next(below: 3) == 0 { finishSome() }
                }
                finishSome()
                while case .batch(let batch) = queue.next(timeoutNanoseconds: 0) { values += LinearJobTests.values(batch) }
            }
            while case .batch(let batch) = queue.next(timeoutNanoseconds: 0) { values += LinearJobTests.values(batch) }
            #expect(job.failure == nil, "seed \(seed)")
            if cancelsAt == nil || job.status == .finished {
                #expect(job.status == .finished, "seed \(seed)")
                #expect(values.sorted() == (1...200).map { $0 * 2 }, "seed \(seed)")
            } else {
                #expect(job.status == .canceled, "seed \(seed)")
            }
            #expect(log.counts.withLock { $0.inFlightMax } <= plan.capacity, "seed \(seed)")
            let (closed, opened) = log.counts.withLock { ($0.closedCount, $0.instances.count) }
            #expect(closed <= opened, "seed \(seed)")
        }
    }
}

extension StreamPlan {
    fileprivate var capacity: Int {
        if case .asynchronous(let description) = nodes[1].operation { description.capacity } else { 0 }
    }
}
