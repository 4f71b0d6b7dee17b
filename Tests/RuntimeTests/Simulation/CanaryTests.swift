import Testing

/// Planted faults that the simulation must find: a test of the tests.
struct CanaryTests {
    /// How many seeds there are to find a fault.
    static let seedCount: UInt64 = 400

    @Test("Every planted fault is found", arguments: Mutant.allCases)
    func found(mutant: Mutant) throws {
        var tried = 0
        for seed in 0..<Self.seedCount {
            var job = DrawnJob(seed: seed, crashes: mutant.needsCrashes)
            guard let parts = mutant.plant(in: &job) else { continue }
            defer { parts.cut() }
            tried += 1
            let problems = mutant.needsCrashes ? job.runWithCrashes { parts }.problems : try job.run(parts: parts).problems
            if let first = problems.first {
                print("found: \(mutant) by seed \(seed), the \(tried)th that has a place for it: \(first.prefix(120))")
                return
            }
        }
        Issue.record("\(mutant) was not found by \(tried) jobs")
    }

    @Test("The same seams without a fault change nothing")
    func control() throws {
        for seed in 0..<100 as Range<UInt64> {
            let parts = MutantParts(nil, seed: seed)
            defer { parts.cut() }
            #expect(try DrawnJob(seed: seed).run(parts: parts).problems == [], "seed \(seed)")
            var job = DrawnJob(seed: seed, crashes: true)
            #expect(job.runWithCrashes { MutantParts(nil, seed: seed) }.problems == [], "seed \(seed), with crashes")
        }
    }
}
