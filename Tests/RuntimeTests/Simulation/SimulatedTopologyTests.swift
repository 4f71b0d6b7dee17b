import Columnar
import Dataflow
import Plan
import Runtime
import Glibc
import Testing

/// Random jobs under random schedules: whatever the seed, nothing is lost, doubled, reordered within a key, or left open.
struct SimulatedTopologyTests {
    struct Outcome: Equatable {
        var trace: UInt64
        var arrivals: UInt64
        var ticks: Int
        var status: JobStatus
    }

    static let groupSize: UInt64 = 20
    /// Far above what any of the seeds needs; a job that takes more hangs.
    static let tickCountMax = 400_000

    /// Four hundred seeds, unless `make simulate SEEDS=n FIRST_SEED=m` asks for others. A failing seed is replayed by `make simulate SEEDS=1 FIRST_SEED=seed`.
    static let firstSeed = number(of: "MILLSTREAM_FIRST_SEED") ?? 0
    static let seedCount = number(of: "MILLSTREAM_SEEDS") ?? 400
    static var groups: Range<UInt64> { 0..<(seedCount + groupSize - 1) / groupSize }

    private static func number(of variable: String) -> UInt64? { getenv(variable).flatMap { UInt64(String(cString: $0)) } }

    @Test("Every seed", arguments: groups)
    func seeds(group: UInt64) throws {
        let first = Self.firstSeed + group * Self.groupSize
        for seed in first..<min(first + Self.groupSize, Self.firstSeed + Self.seedCount) {
            let outcome = try run(seed)
            if seed % 10 == 0 { #expect(try run(seed) == outcome, "seed \(seed) does not repeat") }
        }
    }

    @Test("An operator whose end waits behind other work hears of no time behind it", arguments: [1_452] as [UInt64])
    func timeBehindTheEnd(seed: UInt64) throws { _ = try run(seed) }

    private func run(_ seed: UInt64) throws -> Outcome {
        let topology = RandomTopology(seed: seed)
        let ledger = topology.ledger
        let outcome = try simulate(topology, seed)
        #expect(ledger.complaints == [], "seed \(seed)")
        #expect(ledger.unbalanced == [], "seed \(seed)")
        #expect(ledger.liveCount == 0, "seed \(seed): operators are still alive")
        return outcome
    }

    private func simulate(_ topology: RandomTopology, _ seed: UInt64) throws -> Outcome {
        let engine = SimulatedEngine(seed: seed, storage: NoStorage())
        let job = try engine.submit(topology.plan, bindings: topology.bindings)
        let script = SeededRandom(seed: seed ^ 0x5EED)
        let cancelsAt = script.next(below: 6) == 0 ? Int(script.next(below: 3_000)) : nil
        var wasCancelled = false
        // A sink that refuses makes room only here, also when nothing else can happen.
        while !job.status.isTerminal, engine.tickCount < Self.tickCountMax {
            engine.run(job, tickCountMax: 64) { tick in
                if tick == cancelsAt, job.status == .running {
                    wasCancelled = true
                    job.cancel()
                }
                if script.next(below: 4) == 0 { topology.ledger.release(script) }
            }
            topology.ledger.release(script)
        }
        let outcome = Outcome(trace: engine.traceHash, arrivals: topology.ledger.arrivalHash, ticks: engine.tickCount, status: job.status)
        check(topology, job, seed, wasCancelled)
        return outcome
    }

    private func check(_ topology: RandomTopology, _ job: Job, _ seed: UInt64, _ wasCancelled: Bool) {
        let rowCount = topology.splitCount * topology.rowsPerSplit
        switch job.status {
        case .finished:
            let arrived = topology.ledger.arrived
            #expect(arrived.count == rowCount, "seed \(seed)")
            #expect(arrived.values.allSatisfy { $0 == topology.copies }, "seed \(seed)")
        case .failed:
            #expect(topology.fails, "seed \(seed): \(String(describing: job.failure))")
            #expect(job.failure?.message == "planned failure", "seed \(seed)")
            #expect(job.failure?.operatorName != nil)
        case .canceled:
            #expect(wasCancelled, "seed \(seed)")
        default:
            Issue.record("seed \(seed): the job hangs, \(job.status)")
        }
    }
}
