import Columnar
import Dataflow
import Exchange
import Glibc
import Plan
import Runtime
import Testing

/// Jobs on real threads: bounds, cancellation, rest, latency, and what is left behind.
struct WorkerPoolTests {
    /// An endless source whose rows nobody takes.
    static func blockedPlan() -> StreamPlan {
        var plan = LinearJobTests.plan(count: .max / 2, sourceParallelism: 2, parallelism: 2, partitioning: .hash(keys: [0]))
        plan.configuration.exchangeByteCount = 1 << 20
        return plan
    }

    @Test("A sink that takes nothing stops the source; what waits is bounded; cancelling takes no time")
    func backpressure() throws {
        let engine = Engine(workerCount: 2, storage: NoStorage())
        let job = try engine.submit(Self.blockedPlan(), bindings: LinearJobTests.bindings())
        var before: Int64 = -1
        for _ in 0..<200 {
            usleep(50_000)
            let now = Self.sum(job, "numRecordsOut")
            if now == before { break }
            before = now
        }
        usleep(200_000)
        #expect(Self.sum(job, "numRecordsOut") == before)
        // Two exchanges, each with a batch of 4096 rows (and their hashes) beyond the bound in each of its channels.
        #expect(Self.sum(job, "queuedBytes") <= 2 << 20 + 6 * 4_096 * 24)
        let start = SystemClock().monotonicNanoseconds()
        job.cancel()
        job.cancel()
        #expect(job.wait(timeoutNanoseconds: 10_000_000_000) == .canceled)
        #expect(SystemClock().monotonicNanoseconds() - start < 2_000_000_000)
        #expect(engine.shutdown(timeoutNanoseconds: 1_000_000_000))
    }

    @Test("Blocked and idle jobs use no processor")
    func rest() async {
        await #expect(processExitsWith: .success) {
            let engine = Engine(workerCount: 2, storage: NoStorage())
            let job = try engine.submit(WorkerPoolTests.blockedPlan(), bindings: LinearJobTests.bindings())
            var before: Int64 = -1
            while WorkerPoolTests.sum(job, "numRecordsOut") != before {
                before = WorkerPoolTests.sum(job, "numRecordsOut")
                usleep(100_000)
            }
            let start = WorkerPoolTests.processorMicroseconds()
            usleep(1_000_000)
            // 1 %.
            if WorkerPoolTests.processorMicroseconds() - start > 10_000 { exit(1) }
        }
    }

    @Test("Operators that wait for the world outside hold up no other job; the threads that take their place end again")
    func blockingOperators() async {
        await #expect(processExitsWith: .success) {
            let engine = Engine(workerCount: 2, storage: NoStorage())
            func finish(_ job: Job) -> Bool {
                while case .batch = job.collected(node: 2)?.next(timeoutNanoseconds: 10_000_000_000) {}
                return job.wait(timeoutNanoseconds: 10_000_000_000) == .finished
            }
            let plan = LinearJobTests.plan(count: 50_000, sourceParallelism: 2, parallelism: 2, partitioning: .hash(keys: [0]))
            if !finish(try engine.submit(plan, bindings: LinearJobTests.bindings())) { exit(1) }
            let before = WorkerPoolTests.threadCount()
            let patience = Patience()
            var blocked: [Job] = []
            for _ in 0..<2 {
                var bindings = Bindings()
                bindings.bind(0, operator: { Patient(patience) })
                let rows = LinearJobTests.plan(count: 100, sourceParallelism: 1, parallelism: 2, partitioning: .rebalance)
                blocked.append(try engine.submit(rows, bindings: bindings))
            }
            for _ in 0..<500 where patience.waiting.value < 4 { usleep(10_000) }
            if patience.waiting.value != 4 { exit(2) }
            let start = SystemClock().monotonicNanoseconds()
            if !finish(try engine.submit(plan, bindings: LinearJobTests.bindings())) { exit(3) }
            if SystemClock().monotonicNanoseconds() - start > 1_000_000_000 { exit(4) }
            if patience.waiting.value != 4 { exit(5) }
            patience.isOver.set(1)
            for job in blocked where !finish(job) { exit(6) }
            for _ in 0..<100 where WorkerPoolTests.threadCount() > before { usleep(100_000) }
            if WorkerPoolTests.threadCount() != before { exit(7) }
            if !finish(try engine.submit(plan, bindings: LinearJobTests.bindings())) { exit(8) }
            if !engine.shutdown(timeoutNanoseconds: 1_000_000_000) { exit(9) }
            if WorkerPoolTests.threadCount() > before - 3 { exit(10) }
        }
    }

    @Test("There is a bound on the threads; what waits for one goes on when another comes back")
    func blockingBeyondTheBound() async {
        await #expect(processExitsWith: .success) {
            let engine = Engine(workerCount: 1, storage: NoStorage())
            let patience = Patience()
            var bindings = Bindings()
            bindings.bind(0, operator: { Patient(patience) })
            let rows = LinearJobTests.plan(count: 10_000, sourceParallelism: 1, parallelism: 100, partitioning: .rebalance)
            let job = try engine.submit(rows, bindings: bindings)
            for _ in 0..<1_500 where patience.waiting.value < 65 { usleep(10_000) }
            usleep(200_000)
            if patience.waiting.value != 65 { exit(1) }
            patience.isOver.set(1)
            var count = 0
            while case .batch(let batch) = job.collected(node: 2)?.next(timeoutNanoseconds: 10_000_000_000) { count += batch.count }
            if count != 10_000 || job.wait(timeoutNanoseconds: 10_000_000_000) != .finished { exit(2) }
            if !engine.shutdown(timeoutNanoseconds: 1_000_000_000) { exit(3) }
        }
    }

    @Test("A thousand jobs leave nothing behind")
    func leavesNothing() async {
        await #expect(processExitsWith: .success) {
            let engine = Engine(workerCount: 2, storage: NoStorage())
            for number in 0..<1_000 {
                var bindings = LinearJobTests.bindings()
                if number % 3 == 1 { bindings.bind(0, operator: { Failing() }) }
                var plan = LinearJobTests.plan(count: 200, sourceParallelism: 2, parallelism: 2, partitioning: .hash(keys: [0]))
                if number % 7 == 0 { plan.nodes[1].operation = .custom(BindingID(99)) }
                guard let job = try? engine.submit(plan, bindings: bindings) else { continue }
                if number % 5 == 2 { job.cancel() }
                if !job.wait(timeoutNanoseconds: 10_000_000_000).isTerminal { exit(1) }
            }
            // The last subtask's thread may still be on its way out of it.
            for _ in 0..<100 where LiveObjects.subtasks.value + LiveObjects.channels.value + LiveObjects.jobs.value != 0 { usleep(10_000) }
            if LiveObjects.subtasks.value != 0 { exit(2) }
            if LiveObjects.channels.value != 0 { exit(3) }
            if LiveObjects.jobs.value != 0 { exit(4) }
        }
    }

    @Test("The first failure is the job's, and names the operator")
    func failure() throws {
        let engine = Engine(workerCount: 2, storage: NoStorage())
        var bindings = LinearJobTests.bindings()
        bindings.bind(0, operator: { Failing() })
        let job = try engine.submit(
            LinearJobTests.plan(count: 1_000_000, sourceParallelism: 2, parallelism: 3, partitioning: .rebalance), bindings: bindings)
        #expect(job.wait(timeoutNanoseconds: 10_000_000_000) == .failed)
        #expect(job.failure?.operatorName == "pass")
        #expect(job.failure?.code == .userFunction)
        job.cancel()
        #expect(job.status == .failed)
        #expect(engine.shutdown(timeoutNanoseconds: 1_000_000_000))
    }

    @Test("A row alone is not kept longer than the buffer timeout", arguments: [Int64(0), 5])
    func latency(bufferTimeout: Int64) throws {
        let engine = Engine(workerCount: 2, storage: NoStorage())
        var plan = LinearJobTests.plan(count: 1, sourceParallelism: 1, parallelism: 1, partitioning: .hash(keys: [0]))
        plan.configuration.bufferTimeoutMilliseconds = bufferTimeout
        plan.nodes[0].operation = .source(SourceDescription(.custom(BindingID(1))))
        var bindings = LinearJobTests.bindings()
        bindings.bind(1, source: TickingSource())
        let job = try engine.submit(plan, bindings: bindings)
        let queue = try #require(job.collected(node: 2))
        var delays: [Int64] = []
        while case .batch(let batch) = queue.next(timeoutNanoseconds: 10_000_000_000) {
            let now = SystemClock().monotonicNanoseconds()
            delays += LinearJobTests.values(batch).map { now - $0 }
        }
        #expect(delays.count == TickingSource.count)
        // Two exchanges on the way; generous for a machine that does other things too.
        let median = delays.sorted()[delays.count / 2]
        #expect(median < (2 * bufferTimeout + 10) * 1_000_000, "median \(median) ns")
        #expect(engine.shutdown(timeoutNanoseconds: 1_000_000_000))
    }

    static func sum(_ job: Job, _ name: String) -> Int64 {
        job.metrics().reduce(0) { sum, operation in sum + (operation.values.first { $0.name == name }?.value ?? 0) }
    }

    static func threadCount() -> Int {
        guard let directory = opendir("/proc/self/task") else { return 0 }
        defer { closedir(directory) }
        var count = 0
        while let entry = readdir(directory) { if entry.pointee.d_name.0 != 46 { count += 1 } }
        return count
    }

    static func processorMicroseconds() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1_000_000 + Int(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    }
}

final class Failing: Operator {
    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        throw MillstreamError(.userFunction, "refused")
    }
}

/// How many operators wait, and whether they may stop.
final class Patience: Sendable {
    let waiting = Counter()
    let isOver = Counter()
}

/// Waits in its first batch, as a function that asks a slow server does.
final class Patient: Operator {
    private let patience: Patience
    init(_ patience: Patience) { self.patience = patience }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if patience.isOver.value == 0 {
            patience.waiting.add(1)
            while patience.isOver.value == 0 { usleep(10_000) }
        }
        try output.emit(batch)
        return .done
    }
}

/// One row every three milliseconds: the time at which it was made.
final class TickingSource: Source, SplitEnumerator, SourceReader, @unchecked Sendable {
    static let count = 60
    private var made = 0
    private var isGiven = false
    private var hasSplit = false
    private let clock = SystemClock()
    private var last: Int64 = 0

    var boundedness: Boundedness { .bounded }
    var schema: Schema { .scalar(.bigInt.notNull) }
    func makeEnumerator(parallelism: Int) throws(MillstreamError) -> any SplitEnumerator { self }
    func makeReader(_ context: SourceReaderContext) throws(MillstreamError) -> any SourceReader { self }

    func nextSplit(for subtask: SubtaskIndex) throws(MillstreamError) -> SplitAssignment {
        if isGiven { return .noMore }
        isGiven = true
        return .split(SourceSplit(id: "ticks", payload: []))
    }

    func addBack(_ splits: [SourceSplit]) {}
    func restore(_ bytes: [UInt8]) throws(MillstreamError) {}
    func snapshot() throws(MillstreamError) -> [UInt8] { [] }
    func addSplit(_ split: SourceSplit) throws(MillstreamError) { hasSplit = true }
    func noMoreSplits() {}
    func snapshot() throws(MillstreamError) -> [SourceSplit] { [] }
    func close() {}

    func poll(rowLimit: Int) throws(MillstreamError) -> SourcePoll {
        guard hasSplit else { return .needsSplit }
        if made == Self.count { return .end }
        let now = clock.monotonicNanoseconds()
        if now < last + 3_000_000 { return .wait(until: clock.now() + 2) }
        last = now
        made += 1
        let column = Column(type: .bigInt.notNull, count: 1, values: Buffer.copying([now]))
        return .batch(Batch(schema: schema, columns: [column], count: 1), split: "ticks")
    }
}
