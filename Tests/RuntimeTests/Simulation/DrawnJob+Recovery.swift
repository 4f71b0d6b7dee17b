import Checkpoint
import Columnar
import Dataflow
import Plan
import Runtime

extension DrawnJob {
    static let checkpointDirectory = "/checkpoints"
    static let savepointDirectory = "/savepoints"

    /// Checkpoints, restarts, and calls that fail.
    ///
    /// `isAsFound`: without what was added to the draw later; `canRepeat`: whether it is known what comes out where rows may be counted more than once.
    mutating func drawCheckpoints(rowCount: Int, canRepeat: Bool, isAsFound: Bool) {
        let random = SeededRandom(seed: seed &* 0x2545_F491 &+ 41)
        func below(_ bound: Int) -> Int { Int(random.next(below: UInt64(bound))) }
        plan.configuration.checkpoints.intervalMilliseconds = 1 + Int64(below([5, 50, 400][below(3)]))
        plan.configuration.checkpoints.directory = Self.checkpointDirectory
        plan.configuration.checkpoints.savepointDirectory = Self.savepointDirectory
        plan.configuration.checkpoints.retained = 1 + below(3)
        plan.configuration.checkpoints.maxConcurrent = 1 + below(3)
        plan.configuration.checkpoints.minPauseMilliseconds = below(3) == 0 ? Int64(below(20)) : 0
        plan.configuration.checkpoints.timeoutMilliseconds = below(4) == 0 ? 60_000 : 600_000
        plan.configuration.checkpoints.tolerableFailures = below(2) == 0 ? -1 : below(3)
        plan.configuration.checkpoints.compression = [.none, .lz4, .zstd][below(3)]
        // Enough of each for all failures that are drawn, and for checkpoints that take too long or cannot be written.
        plan.configuration.restart.strategy = [.fixedDelay, .failureRate, .exponentialDelay, nil][below(4)]
        plan.configuration.restart.attempts = 1_000
        plan.configuration.restart.delay = Int64(below(50))
        plan.configuration.restart.failuresMax = 1_000
        plan.configuration.restart.failureDelay = Int64(below(50))
        plan.configuration.restart.initialBackoff = 1 + Int64(below(50))
        plan.configuration.restart.maxBackoff = 200
        around.outlivesAttempts = true
        // Of a random source of its own, so that the rest of a seed's job stays what it was.
        let barriers = SeededRandom(seed: seed ^ 0x0A11_6EED)
        plan.configuration.checkpoints.isUnaligned = barriers.next(below: 2) == 0
        plan.configuration.checkpoints.alignedTimeoutMilliseconds = [0, 0, 1, 10][Int(barriers.next(below: 4))]
        if below(2) == 0 { around.failures = PlannedFailure(after: (0..<below(5)).map { _ in below(rowCount) }) }
        if isAsFound { return }
        let modes = SeededRandom(seed: seed ^ 0xA71_EA57)
        if canRepeat, modes.next(below: 4) == 0 { plan.configuration.checkpoints.mode = .atLeastOnce }
        // Checkpoints that come to nothing: as many as they like, since some jobs are as slow.
        if modes.next(below: 5) == 0 {
            plan.configuration.checkpoints.timeoutMilliseconds = 300 + Int64(modes.next(below: 3_000))
            plan.configuration.checkpoints.tolerableFailures = -1
        }
    }

    /// How a run of the job ends.
    private enum End {
        /// Behind so many choices.
        case crash(afterTicks: Int)
        /// In the middle of a change to the disk.
        case storageCrash(afterOperations: Int)
        case savepoint(afterTicks: Int)
        case itsOwn
    }

    /// The checkpoint or savepoint with the greatest number: where a person would go on from.
    static func latest(on storage: SimulatedStorage) throws -> String? {
        var best: (id: CheckpointID, path: String)?
        for path in storage.paths where path.hasSuffix("/\(Manifest.name)") {
            let manifest = try Manifest(decoding: try storage.read(path), path: path)
            if best.map({ $0.id < manifest.id }) ?? true { best = (manifest.id, String(path.dropLast(Manifest.name.count + 1))) }
        }
        return best?.path
    }

    /// Runs the job as often as it takes, over crashes, failures, errors of the disk and stops with savepoints, at times at another parallelism; then
    /// compares what is committed. Once per job.
    mutating func runWithCrashes(parts makeParts: () -> MutantParts? = { nil }) -> (outcome: Outcome, problems: [String]) {
        let delays = SimulatedEngine.Delays(
            pauseChance: faults.contains(.pausedTasks) ? 40 : 0, delayChance: faults.contains(.delayedChannels) ? 80 : 0, nanosecondsMax: 20_000_000)
        let storage = SimulatedStorage(seed: seed)
        let script = SeededRandom(seed: seed ^ 0xC4A5)
        func below(_ bound: Int) -> Int { Int(script.next(below: UInt64(bound))) }
        var crashCount = below(7)
        let changesParallelism = below(2) == 0
        var outcome = Outcome(trace: 0, arrivals: 0, ticks: 0, status: .running)
        var run: UInt64 = 0
        var history: [String] = []
        /// Whether a call to the disk fails once, sooner or later.
        var isFaulty = false
        while true {
            run += 1
            plan.configuration.seed = seed &+ run &* 1_000_003
            if run > 1, changesParallelism {
                plan.nodes[keyedNode.value].parallelism = 1 + below(8)
                // Rows of a key that pass on from one subtask to several lose their order.
                let isForwarded = plan.nodes.contains { node in
                    node.inputs.contains { edge in
                        if case .forward = edge.partitioning { edge.source == keyedNode && edge.sideOutput == nil } else { false }
                    }
                }
                if isForwarded { checksOrder = false }
            }
            let parts = makeParts()
            let engine = SimulatedEngine(seed: seed &+ run &* 7_919, storage: storage, clock: around.clock, delays: delays, parts: parts)
            let job: Job
            do {
                plan.configuration.checkpoints.restorePath = try Self.latest(on: storage)
                job = try engine.submit(plan, bindings: bindings)
            } catch {
                // The disk has refused something now and not in the run before: whoever starts it tries once more.
                guard isFaulty, let refusal = error as? MillstreamError, refusal.code == .io else { return (outcome, ["run \(run) does not start: \(error)"]) }
                isFaulty = false
                history.append("refused: \(refusal.message)")
                continue
            }
            var end = End.itsOwn
            if crashCount > 0 {
                crashCount -= 1
                let ticks = below([100, 600, 3_000][below(3)])
                switch below(6) {
                case 0, 1: end = .storageCrash(afterOperations: below(40))
                case 2: end = .savepoint(afterTicks: ticks)
                default: end = .crash(afterTicks: ticks)
                }
            }
            if case .storageCrash(let count) = end {
                storage.fail(at: storage.operationCount + count, with: .crash)
            } else if below(3) == 0 {
                storage.fail(at: storage.operationCount + below(100), with: below(2) == 0 ? .inputOutput : .noSpace)
                isFaulty = true
            }
            let savepoint = SavepointAnswer()
            let trace = Trace.ofProcess
            trace?.begin(run: run, "\(end)", self)
            var standstill = 0
            var hasCrashed = false
            while !job.status.isTerminal, !hasCrashed, engine.tickCount < Self.tickCountMax, standstill < 100 {
                let before = engine.tickCount
                var step = 64
                switch end {
                case .storageCrash: step = 1
                case .crash(let ticks): step = min(step, max(1, ticks - before))
                case .savepoint(let ticks):
                    step = before < ticks ? min(step, ticks - before) : step
                    if before >= ticks, !savepoint.isAsked {
                        savepoint.isAsked = true
                        // Now and then one that the job goes on behind.
                        savepoint.stops = below(4) > 0
                        job.savepoint(into: nil, stops: savepoint.stops) { savepoint.result = $0 }
                    }
                case .itsOwn: break
                }
                engine.run(job, tickCountMax: step) { tick in
                    trace?.note(tick, engine, job)
                    if faults.contains(.clockJumps), script.next(below: 200) == 0 {
                        around.clock.setWallClockOffset(milliseconds: Int64(script.next(below: 7_200_000)) - 3_600_000)
                    }
                    // A sink is slow by choices, not by hours: where all wait for it alone it has room.
                    if faults.contains(.slowSinks), engine.isAtRest || script.next(below: 4) == 0 { ledger.release(script) }
                }
                ledger.release(script)
                standstill = engine.tickCount - before < min(2, step) ? standstill + 1 : 0
                switch end {
                case .storageCrash: hasCrashed = storage.isDown
                case .crash(let ticks): hasCrashed = engine.tickCount >= ticks && !job.status.isTerminal
                default: break
                }
            }
            history.append("\(end) \(job.status) at \(engine.tickCount), savepoint \(savepoint.text)")
            outcome.trace = outcome.trace &* 31 &+ engine.traceHash
            outcome.ticks += engine.tickCount
            if hasCrashed {
                storage.restart()
                ledger.crash()
                continue
            }
            var problems = ledger.complaints
            if case .success(let path)? = savepoint.result, !storage.exists("\(path)/\(Manifest.name)") { problems.append("there is no savepoint at \(path)") }
            if savepoint.isAsked, job.status.isTerminal, savepoint.result == nil { problems.append("nobody heard of the savepoint") }
            switch job.status {
            case .finished:
                problems += ledger.unbalanced
                if parts == nil, ledger.liveCount > 0 { problems.append("\(ledger.liveCount) parts are still alive") }
                // It has stopped, not ended.
                if problems.isEmpty, savepoint.hasStopped { continue }
                problems += problemsOfCommitted(isRepeated: isAtLeastOnce && (run > 1 || !job.failures.isEmpty))
            case .failed: problems.append("the job failed in run \(run): \(String(describing: job.failure))")
            default: problems.append("the job hangs in run \(run), \(job.status), \(mode), \(step), after \(engine.tickCount) choices: \(job.explainTime().text); failures \(job.failures.suffix(2).map(\.error.message))")
            }
            if !problems.isEmpty {
                problems.append("\(mode), \(step), runs: \(history.joined(separator: ", ")); last checkpoints \(job.checkpoints.suffix(3).map { "\($0.id.value) \($0.outcome)" })")
            }
            outcome.status = job.status
            outcome.arrivals = main.arrivalHash ^ (side.arrivalHash &* 31)
            return (outcome, problems)
        }
    }

    /// What came to the request for a savepoint.
    private final class SavepointAnswer: @unchecked Sendable {
        var isAsked = false
        var result: Result<String, MillstreamError>?
        var stops = false

        var text: String { result.map { "\($0)" } ?? "none" }
        /// Whether the job may have rows left.
        var hasStopped: Bool { if case .success? = result { stops } else { false } }
    }

    private var isAtLeastOnce: Bool { plan.configuration.checkpoints.mode == .atLeastOnce }

    /// `isRepeated`: rows may be there more than once.
    private func problemsOfCommitted(isRepeated: Bool) -> [String] {
        let reference = expected
        switch step {
        case .alarms: return problemsOfCommittedAlarms(reference, isRepeated: isRepeated)
        case .processingWindows: return problemsOfCommittedWindows(isRepeated: isRepeated)
        default: break
        }
        guard isRepeated else {
            return Self.differences("result", mainRows, reference.main) + Self.differences("side output", sideRows, reference.side)
                + (checksOrder ? problemsOfOrder(reference) : [])
        }
        // Where no row is late the first time, one that comes again may be.
        let late = mode == .exact ? reference.side : splits.flatMap { thinsOut ? Reference.thinnedOut($0) : $0 }.map { [$0.key, $0.id, $0.value, $0.time, $0.time] }
        return Self.differences("result", Self.distinct(mainRows), Self.distinct(reference.main))
            + Self.differences("side output", Self.distinct(sideRows), Self.distinct(late), isPart: mode != .exact)
    }

    /// Each row once, in the order of the first ones.
    private static func distinct(_ rows: [[Int64?]]) -> [[Int64?]] {
        var known: Set<[Int64?]> = []
        return rows.filter { known.insert($0).inserted }
    }

    /// Whether everything that waits for the clock comes before the end: sources rest there, and nothing holds rows up for longer.
    private var isAllDue: Bool { !faults.contains(.slowSinks) && !faults.contains(.clockJumps) }

    /// Each row tells its alarm, and each alarm goes off once. A row that comes again sets another one, and that may be the one that goes off; the one that it
    /// set before may go off alone too: what tells it and what goes off take two ways to the sink, which takes rows behind a barrier while it waits for another.
    private func problemsOfCommittedAlarms(_ reference: Reference, isRepeated: Bool) -> [String] {
        let rows = mainRows.filter { $0[2] == 0 }
        let told = rows.map { $0[0...2] + [nil] + $0[4...] }.map(Array.init)
        let set = Self.distinct(rows.map { [$0[0], $0[3]] })
        let wentOff = mainRows.filter { $0[2] == 4 }.map { [$0[0], $0[1]] }
        // A clock that is set back comes to the same times again: there an alarm that has gone off may be set once more.
        let due = faults.contains(.clockJumps) ? rows.map { [$0[0], $0[3]] } : set
        guard isRepeated else { return Self.differences("result", told, reference.main) + Self.differences("alarms", wentOff, due, isPart: !isAllDue) }
        let heard = Set(wentOff)
        let rung = rows.filter { heard.contains([$0[0], $0[3]]) }.map { [$0[0], $0[1]] }
        return Self.differences("result", Self.distinct(told), Self.distinct(reference.main))
            + Self.differences("alarms", Self.distinct(wentOff), Array(around.alarms), isPart: true)
            + Self.differences("rows whose alarm went off", Self.distinct(rung), Self.distinct(rows.map { [$0[0], $0[1]] }), isPart: !isAllDue)
    }

    /// Each row is in one window, which is its key's.
    private func problemsOfCommittedWindows(isRepeated: Bool) -> [String] {
        let rows = splits.flatMap { thinsOut ? Reference.thinnedOut($0) : $0 }.map { [$0.key, $0.id, $0.value] as [Int64?] }
        let found = mainRows.map { [$0[0], $0[3], $0[4]] }
        return Self.differences("rows of windows", isRepeated ? Self.distinct(found) : found, rows, isPart: !isAllDue)
    }
}
