import Dataflow
import Runtime

extension DrawnJob {
    /// What was seen of a run; equal for equal runs.
    struct Outcome: Equatable {
        var trace: UInt64
        var arrivals: UInt64
        var ticks: Int
        var status: JobStatus
    }

    /// Far above what any of the seeds needs; a job that takes more hangs.
    static let tickCountMax = 600_000

    /// Runs the job, and gives what is wrong with what came out. Once per job.
    func run(parts: (any PartSubstitution)? = nil) throws -> (outcome: Outcome, problems: [String]) {
        let delays = SimulatedEngine.Delays(
            pauseChance: faults.contains(.pausedTasks) ? 40 : 0, delayChance: faults.contains(.delayedChannels) ? 80 : 0, nanosecondsMax: 20_000_000)
        let engine = SimulatedEngine(seed: seed, storage: NoStorage(), clock: around.clock, delays: delays, parts: parts)
        let job = try engine.submit(plan, bindings: bindings)
        let script = SeededRandom(seed: seed ^ 0x5EED)
        var wasCancelled = false
        var standstill = 0
        // A sink that refuses makes room only here, also when nothing else can happen.
        while !job.status.isTerminal, engine.tickCount < (parts == nil ? Self.tickCountMax : Self.tickCountMax / 10), standstill < 100 {
            let before = engine.tickCount
            engine.run(job, tickCountMax: 64) { tick in
                if tick == cancelsAtTick, job.status == .running {
                    wasCancelled = true
                    job.cancel()
                }
                if faults.contains(.clockJumps), script.next(below: 200) == 0 {
                    around.clock.setWallClockOffset(milliseconds: Int64(script.next(below: 7_200_000)) - 3_600_000)
                }
                if faults.contains(.slowSinks), script.next(below: 4) == 0 { ledger.release(script) }
            }
            ledger.release(script)
            standstill = engine.tickCount - before < 2 ? standstill + 1 : 0
        }
        let outcome = Outcome(
            trace: engine.traceHash, arrivals: main.arrivalHash ^ (side.arrivalHash &* 31), ticks: engine.tickCount, status: job.status)
        var problems = problems(of: job, wasCancelled: wasCancelled, tickCount: engine.tickCount)
        if job.status.isTerminal {
            problems += ledger.unbalanced
            if parts == nil, ledger.liveCount > 0 { problems.append("\(ledger.liveCount) parts are still alive") }
        }
        return (outcome, problems)
    }

    private func problems(of job: Job, wasCancelled: Bool, tickCount: Int) -> [String] {
        var problems = ledger.complaints
        switch job.status {
        case .finished:
            if hasNullKey { problems.append("a row without a key was taken") }
            problems += problemsOfResult(job)
        case .failed:
            let isPlanned = around.failsAtRow != nil && job.failure?.message == "planned failure"
            if !isPlanned, !(hasNullKey && job.failure?.code == .key) { problems.append("the job failed: \(String(describing: job.failure))") }
            if job.failure?.operatorName == nil { problems.append("the failure names no operator") }
            problems += problemsOfPart()
        case .canceled:
            if !wasCancelled { problems.append("the job is cancelled, and nobody did it") }
            problems += problemsOfPart()
        default:
            problems.append("the job hangs, \(job.status), \(mode), \(step), after \(tickCount) choices")
        }
        return problems
    }

    /// What the reference makes of the input.
    var expected: Reference {
        var reference = Reference(step, hasLateOutput: hasLateOutput, isBatch: isBatch)
        if isBatch {
            // A key's rows come by their times, and no watermark before the last.
            let rows = splits.flatMap { thinsOut ? Reference.thinnedOut($0) : $0 }.enumerated()
            reference.run(rows.sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map { .row($0.element) } + [.watermark(.max)])
        } else if mode == .exact {
            reference.run(
                hasGenerator
                    ? Reference.withWatermarks(splits[0], around.marks, thinsOut: thinsOut)
                    : Reference.withWatermarks(splits[0], lag: lag, interval: interval, thinsOut: thinsOut))
        } else {
            // No row is late: the watermark may as well come at the end. A split that rests comes behind it.
            for split in splits.prefix(mode == .idle ? 1 : .max) {
                reference.run((thinsOut ? Reference.thinnedOut(split) : split).map { .row($0) })
            }
            reference.run([.watermark(.max)])
            if mode == .idle { reference.run(splits[1].map { .row($0) }) }
        }
        return reference
    }

    /// A generator sees every row once, those of a split in order.
    private var problemsOfGenerators: [String] {
        guard hasGenerator else { return [] }
        let times = splits.flatMap { $0.map(\.time) }
        let seen = around.seenTimes
        if splits.count == 1 ? seen == times : seen.sorted() == times.sorted() { return [] }
        return ["the watermark generators saw \(seen.count) rows of \(times.count), or others"]
    }

    private func problemsOfResult(_ job: Job) -> [String] { problemsOfGenerators + problemsOfRows(job) }

    private func problemsOfRows(_ job: Job) -> [String] {
        if mode == .late { return problemsOfPlaces(job) }
        let reference = expected
        switch step {
        case .alarms: return problemsOfAlarms(job, reference)
        case .processingWindows: return problemsOfProcessingWindows(job)
        default: break
        }
        var problems = Self.differences("result", mainRows, reference.main) + Self.differences("side output", sideRows, reference.side)
        if checksOrder { problems += problemsOfOrder(reference) }
        let dropped = Int(metric("numLateRecordsDropped", of: job))
        if dropped != reference.dropped { problems.append("\(dropped) late rows were dropped instead of \(reference.dropped)") }
        if mode == .idle, main.lastTime >= stallsUntil { problems.append("results waited for an idle split") }
        return problems
    }

    /// A job that ended early has given nothing that it should not have.
    private func problemsOfPart() -> [String] {
        switch (mode, step) {
        case (.exact, .alarms), (.exact, .processingWindows), (.punctual, .alarms), (.punctual, .processingWindows), (.late, _), (.idle, _): return []
        default: break
        }
        let reference = expected
        return Self.differences("result", mainRows, reference.main, isPart: true)
            + Self.differences("side output", sideRows, reference.side, isPart: true)
    }

    private func metric(_ name: String, of job: Job) -> Int64 {
        job.metrics().filter { $0.name == "keyed" }.reduce(0) { sum, one in sum + (one.values.first { $0.name == name }?.value ?? 0) }
    }

    /// The rows that are too many or too few.
    static func differences(_ what: String, _ found: [[Int64?]], _ expected: [[Int64?]], isPart: Bool = false) -> [String] {
        var counts: [[Int64?]: Int] = [:]
        for row in expected { counts[row, default: 0] += 1 }
        for row in found { counts[row, default: 0] -= 1 }
        let extra = found.filter { counts[$0, default: 0] < 0 }
        let missing = isPart ? [] : expected.filter { counts[$0, default: 0] > 0 }
        if extra.isEmpty, missing.isEmpty { return [] }
        return ["\(what): \(found.count) rows instead of \(expected.count); not expected \(text(extra)), missing \(text(missing))"]
    }

    private static func text(_ rows: [[Int64?]]) -> String {
        let shown = rows.prefix(3).map { "(" + $0.map { $0.map { "\($0)" } ?? "null" }.joined(separator: ", ") + ")" }
        return shown.joined(separator: " ") + (rows.count > 3 ? " …" : "")
    }

    func problemsOfOrder(_ reference: Reference) -> [String] {
        var expected: [Int64: [[Int64?]]] = [:]
        for row in reference.main { expected[row[0] ?? 0, default: []].append(row) }
        var found: [Int64: [[Int64?]]] = [:]
        for row in mainRows { found[row[0] ?? 0, default: []].append(row) }
        let wrong = expected.keys.sorted().first { expected[$0] != found[$0] }
        return wrong.map { key in
            let (wanted, came) = (expected[key] ?? [], found[key] ?? [])
            let place = zip(wanted, came).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(wanted.count, came.count)
            return ["the results of key \(key) are in another order: from \(place) on \(Self.text(Array(came[place...]))) instead of \(Self.text(Array(wanted[place...])))"]
        } ?? []
    }

    // MARK: What depends on the interleaving

    /// Each row is in its windows, in the side output, or among those that were dropped; late at all are only rows that their own split's watermark allows
    /// to be. A window that fires again has all that it had, and more.
    private func problemsOfPlaces(_ job: Job) -> [String] {
        var rows: [Int64: InputRow] = [:]
        var punctual: [Int64: Int64] = [:]
        for split in splits {
            var greatest: Int64?
            for row in split {
                for out in thinsOut ? Reference.thinnedOut([row]) : [row] {
                    rows[out.id] = out
                    punctual[out.id] = greatest.map { $0 - lag - 1 } ?? .min
                }
                greatest = max(greatest ?? .min, row.time)
            }
        }
        guard case .windows(let size, let slide, let offset, let lateness, _) = step else { return problemsOfSums(Array(rows.values)) }
        // Firings of a window of a key: runs of its rows, cut where an id comes again.
        var last: [[Int64]: Set<Int64>] = [:]
        var problems: [String] = []
        var held: [[Int64]: [Int64: Int]] = [:]
        for row in mainRows {
            guard let key = row[0], let start = row[1], let end = row[2], let id = row[3], let input = rows[id] else {
                return ["a row from nowhere: \(row)"]
            }
            if input.key != key || input.value != row[4] || row[5] != end - 1 || end - start != size { problems.append("a row was mixed up: \(row)") }
            if !Reference.starts(of: input.time, size, slide, offset).contains(start) { problems.append("row \(id) is in the window from \(start)") }
            last[[key, start], default: []].insert(id)
            held[[key, start], default: [:]][id, default: 0] += 1
        }
        // The first row of a window was in all its firings, so none came more often.
        for (window, counts) in held where lateness == 0 && counts.values.contains(where: { $0 > 1 }) { problems.append("the window of \(window) fired twice") }
        var late: [Int64: Int] = [:]
        for row in sideRows {
            guard let id = row[1], let input = rows[id], input.key == row[0], input.value == row[2], input.time == row[3] else {
                return ["a late row from nowhere: \(row)"]
            }
            late[id, default: 0] += 1
        }
        var missing = 0
        for id in rows.keys.sorted() {
            guard let row = rows[id], let watermark = punctual[id] else { continue }
            let starts = Reference.starts(of: row.time, size, slide, offset)
            let holding = starts.filter { last[[row.key, $0]]?.contains(id) == true }
            if let count = late[id], count > 1 || !holding.isEmpty { problems.append("row \(id) is late \(count) times and in \(holding.count) windows") }
            if late[id] == nil, holding.isEmpty { missing += 1 }
            for start in starts where !holding.contains(start) && start + size - 1 + lateness > watermark {
                problems.append("row \(id) is not in the window from \(start), and is not late for it")
            }
        }
        let dropped = Int(metric("numLateRecordsDropped", of: job))
        if missing != dropped { problems.append("\(missing) rows are nowhere, and \(dropped) were dropped") }
        return Array(problems.prefix(5))
    }

    /// The sums of a bucket add up, in however many parts they came.
    private func problemsOfSums(_ rows: [InputRow]) -> [String] {
        guard case .buckets(let size) = step else { return [] }
        var sums: [[Int64]: Int64] = [:]
        for row in rows { sums[[row.key, floorDivide(row.time, size) * size + (size - 1)], default: 0] &+= row.value ?? 1 }
        var problems: [String] = []
        var seen: Set<[Int64]> = []
        for row in mainRows {
            guard let key = row[0], let time = row[1], row[2] == 2, let sum = row[3], row[4] == time else { return ["a timer without a sum: \(row)"] }
            seen.insert([key, time])
            sums[[key, time], default: 0] &-= sum
        }
        for bucket in sums.keys where sums[bucket] != 0 || !seen.contains(bucket) { problems.append("the sum of \(bucket) is off by \(sums[bucket] ?? 0)") }
        return Array(problems.sorted().prefix(5))
    }

    private func problemsOfAlarms(_ job: Job, _ reference: Reference) -> [String] {
        var problems = Self.differences("result", mainRows.filter { $0[2] == 0 }, reference.main)
        let dropped = Int(metric("numTimersDropped", of: job))
        let came = mainRows.filter { $0[2] == 4 }
        if came.contains(where: { $0[4] != nil }) { problems.append("the row of an alarm has a timestamp") }
        if came.count != around.fired || around.fired + dropped != around.registered {
            problems.append("\(around.registered) alarms were set, \(around.fired) went off, \(came.count) came, and \(dropped) were dropped")
        }
        let overdue = around.waiting.filter { $0 % Reference.copyOffset <= Int64(restsBehind ?? 0) }
        if !overdue.isEmpty { problems.append("\(overdue.count) alarms did not go off while the source rested") }
        return problems
    }

    /// Each row is in one window, which is its key's, or in one that was dropped at the end of input.
    private func problemsOfProcessingWindows(_ job: Job) -> [String] {
        var rows: [Int64: InputRow] = [:]
        for split in splits { for row in thinsOut ? Reference.thinnedOut(split) : split { rows[row.id] = row } }
        var problems: [String] = []
        for row in mainRows {
            guard let id = row[3], let input = rows.removeValue(forKey: id), input.key == row[0], input.value == row[4] else {
                problems.append("a row twice, or from nowhere: \(row)")
                continue
            }
        }
        let overdue = rows.keys.filter { $0 % Reference.copyOffset <= Int64(restsBehind ?? 0) }
        if !overdue.isEmpty { problems.append("the windows of \(overdue.count) rows did not fire while the source rested") }
        let dropped = Int(metric("numTimersDropped", of: job))
        let keys = Set(rows.values.map(\.key)).count
        if dropped < keys || (dropped > 0) != (keys > 0) { problems.append("\(dropped) windows were dropped, and rows of \(keys) keys are missing") }
        return Array(problems.prefix(5))
    }
}
