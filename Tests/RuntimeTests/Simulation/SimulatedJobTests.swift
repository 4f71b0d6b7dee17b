import Dataflow
import Glibc
import Runtime
import Testing

/// Drawn jobs under drawn faults: what comes out is what a plain interpreter computes, or, where the interleaving decides, every row is in one place.
struct SimulatedJobTests {
    static let groupSize: UInt64 = 50
    static let firstSeed = number(of: "MILLSTREAM_FIRST_SEED") ?? 0
    /// So many, unless `make simulate SEEDS=n FIRST_SEED=m` asks for others. A failing seed is replayed by `make simulate SEEDS=1 FIRST_SEED=seed`.
    static let seedCount = number(of: "MILLSTREAM_SEEDS") ?? 1_000
    static let recoverySeedCount = number(of: "MILLSTREAM_SEEDS") ?? 400
    static var recoveryGroups: Range<UInt64> { 0..<(recoverySeedCount + groupSize - 1) / groupSize }
    static var groups: Range<UInt64> { 0..<(seedCount + groupSize - 1) / groupSize }

    private static func number(of variable: String) -> UInt64? { getenv(variable).flatMap { UInt64(String(cString: $0)) } }

    @Test("Every seed", arguments: groups)
    func seeds(group: UInt64) throws {
        let first = Self.firstSeed + group * Self.groupSize
        for seed in first..<min(first + Self.groupSize, Self.firstSeed + Self.seedCount) {
            let (outcome, problems) = try DrawnJob(seed: seed).run()
            #expect(problems == [], "seed \(seed)")
            if seed % 20 == 0 { #expect(try DrawnJob(seed: seed).run().outcome == outcome, "seed \(seed) does not repeat") }
        }
    }

    @Test("Every seed with crashes, failures and restarts", arguments: recoveryGroups)
    func recovery(group: UInt64) {
        let first = Self.firstSeed + group * Self.groupSize
        for seed in first..<min(first + Self.groupSize, Self.firstSeed + Self.recoverySeedCount) {
            var job = DrawnJob(seed: seed, crashes: true)
            let (outcome, problems) = job.runWithCrashes()
            #expect(problems == [], "seed \(seed)")
            guard seed % 20 == 0 else { continue }
            var same = DrawnJob(seed: seed, crashes: true)
            #expect(same.runWithCrashes().outcome == outcome, "seed \(seed) does not repeat")
        }
    }

    @Test("Event time goes on behind a restart at another parallelism where one source of two had ended", arguments: [111, 115, 293, 318] as [UInt64])
    func endedSource(seed: UInt64) {
        var job = DrawnJob(seed: seed, crashes: true, isAsFound: true)
        // As it was found.
        job.plan.configuration.checkpoints.isUnaligned = false
        #expect(job.runWithCrashes().problems == [])
    }

    @Test("A commit that fails behind the savepoint that a job stops with is made up for, and no row comes again", arguments: [189] as [UInt64])
    func failureBehindSavepoint(seed: UInt64) {
        var job = DrawnJob(seed: seed, crashes: true, isAsFound: true)
        // As it was found.
        job.plan.configuration.checkpoints.isUnaligned = false
        #expect(job.runWithCrashes().problems == [])
    }

    @Test("No checkpoint behind a savepoint that a job stops with commits what comes again from the savepoint", arguments: [1_247] as [UInt64])
    func checkpointBehindSavepoint(seed: UInt64) {
        var job = DrawnJob(seed: seed, crashes: true, isAsFound: true)
        #expect(job.runWithCrashes().problems == [])
    }

    @Test("A subtask that waits for room before one that has gone with a savepoint goes too", arguments: [10_090, 10_425] as [UInt64])
    func closedChannel(seed: UInt64) {
        var job = DrawnJob(seed: seed, crashes: true, isAsFound: true)
        #expect(job.runWithCrashes().problems == [])
    }

    @Test("A clock that is set neither ends a checkpoint nor keeps the last one from its end", arguments: [196, 398] as [UInt64])
    func clockJumps(seed: UInt64) {
        var job = DrawnJob(seed: seed, crashes: true, isAsFound: true)
        // As it was found.
        job.plan.configuration.checkpoints.isUnaligned = false
        #expect(job.runWithCrashes().problems == [])
    }

    @Test("A session lists its elements as they came, however they were merged and restored", arguments: [1_715, 8_809, 11_683, 16_181] as [UInt64])
    func mergedSessions(seed: UInt64) throws {
        #expect(try DrawnJob(seed: seed).run().problems == [])
        var job = DrawnJob(seed: seed, crashes: true, isAsFound: true)
        #expect(job.runWithCrashes().problems == [])
    }

    @Test("Rows on their way to an operator find it at a parallelism at which it would join the chain before it", arguments: [20_488, 20_908, 20_920, 21_153, 21_363] as [UInt64])
    func chainBeforeRowsInFlight(seed: UInt64) {
        var job = DrawnJob(seed: seed, crashes: true)
        #expect(job.runWithCrashes().problems == [])
    }

    @Test("A job whose start the disk has refused is started again", arguments: [13_722] as [UInt64])
    func refusedStart(seed: UInt64) {
        var job = DrawnJob(seed: seed, crashes: true, isAsFound: true)
        #expect(job.runWithCrashes().problems == [])
    }

    @Test("An alarm may go off though only the attempt that it outlived has told of it, where rows may come again", arguments: [53_650] as [UInt64])
    func repeatedAlarm(seed: UInt64) {
        var job = DrawnJob(seed: seed, crashes: true)
        #expect(job.runWithCrashes().problems == [])
    }

    @Test("A checkpoint that fails when all subtasks of a job have gone behind its last one does not fail the job", arguments: [103_639] as [UInt64])
    func lateFailure(seed: UInt64) {
        var job = DrawnJob(seed: seed, crashes: true)
        #expect(job.runWithCrashes().problems == [])
    }

    @Test("The first seeds with crashes draw everything there is")
    func everyModeIsDrawn() {
        var drawn: [String: Int] = [:]
        for seed in 0..<1_000 as Range<UInt64> {
            let job = DrawnJob(seed: seed, crashes: true)
            let checkpoints = job.plan.configuration.checkpoints
            if checkpoints.mode == .atLeastOnce {
                drawn["\(job.mode) at least once", default: 0] += 1
                if checkpoints.maxConcurrent > 1, checkpoints.minPauseMilliseconds == 0 { drawn["\(job.mode) at least once, several at once", default: 0] += 1 }
            } else if checkpoints.isUnaligned {
                drawn["unaligned", default: 0] += 1
            }
            if checkpoints.timeoutMilliseconds < 10_000 { drawn["short of time", default: 0] += 1 }
            if job.plan.configuration.state.kind == .sortedMemory, job.plan.configuration.state.isIncremental {
                drawn["incremental \("\(job.step)".prefix { $0 != "(" })", default: 0] += 1
            }
        }
        let incremental = ["tally", "buckets", "alarms", "reduce", "rolling"].map { "incremental \($0)" }
        let repeated = ["exact", "punctual"].flatMap { ["\($0) at least once", "\($0) at least once, several at once"] }
        for word in ["unaligned", "short of time"] + incremental + repeated { #expect(drawn[word, default: 0] >= 10, "\(word): \(drawn[word, default: 0])") }
    }

    @Test("The first seeds draw everything there is")
    func everythingIsDrawn() {
        var drawn: [String: Int] = [:]
        for seed in 0..<1_000 as Range<UInt64> {
            let job = DrawnJob(seed: seed)
            let step = "\(job.step)".prefix { $0 != "(" }
            for word in ["\(job.mode)", "\(job.mode) \(step)"] + job.faults.map({ "\($0)" }) { drawn[word, default: 0] += 1 }
            if job.thinsOut { drawn["thins out", default: 0] += 1 }
            if !job.around.isHashed { drawn["custom partitioning", default: 0] += 1 }
            if job.hasNullKey { drawn["null key", default: 0] += 1 }
            if job.hasMixedUnion { drawn["mixed union", default: 0] += 1 }
            if job.hasKeySelector { drawn["\(job.mode) key selector", default: 0] += 1 }
            if job.hasGenerator { drawn["\(job.mode) generator", default: 0] += 1 }
            switch job.step {
            case .windows(_, _, _, _, let function), .sessions(_, _, let function), .counts(_, _, let function):
                drawn["\(step) \(function)", default: 0] += 1
            default: break
            }
        }
        let steps = ["tally", "buckets", "alarms", "windows", "sessions", "counts", "processingWindows", "reduce", "rolling"]
        let wanted = DrawnJob.Mode.allCases.map { "\($0)" } + DrawnJob.Fault.allCases.map { "\($0)" } + ["thins out", "custom partitioning", "null key"]
            + steps.filter { $0 != "buckets" }.map { "exact \($0)" } + steps.filter { $0 != "tally" }.map { "punctual \($0)" }
            + ["late windows", "late buckets", "idle windows", "idle buckets", "mixed union"]
            + DrawnJob.Mode.allCases.flatMap { ["\($0) key selector", "\($0) generator"] }
            + ["windows", "sessions", "counts"].flatMap { step in Reference.WindowFunction.allCases.map { "\(step) \($0)" } }
        for word in wanted { #expect(drawn[word, default: 0] >= 5, "\(word)") }
    }

    /// The seeds whose runs are compared between two processes: hashes of Swift's dictionaries and sets differ there, what a seed does must not.
    static let repeatedSeeds: Range<UInt64> = 0..<60

    @Test("A seed does the same in another process")
    func anotherProcess() async throws {
        let result = try await #require(processExitsWith: .success, observing: [\.standardOutputContent]) {
            print("traces: \(try SimulatedJobTests.traces())")
        }
        let output = String(decoding: result.standardOutputContent, as: UTF8.self)
        #expect(output.contains("traces: \(try Self.traces())\n"))
    }

    /// Everything that was seen of the repeated seeds.
    static func traces() throws -> String {
        try repeatedSeeds.map { "\(try DrawnJob(seed: $0).run().outcome)" }.joined(separator: "; ")
    }
}
