import Columnar
import Dataflow
import Exchange
import Plan
import Runtime
import Synchronization
import Testing

/// What becomes of a job whose operators cannot be closed.
struct CloseFailureTests {
    private func bindings(_ lives: Lives, failsAtRow: Int64? = nil, failsToClose: @escaping @Sendable (Int) -> Bool) -> Bindings {
        var bindings = Bindings()
        bindings.bind(0, operator: { Mortal(lives, failsAtRow: failsAtRow, failsToClose: failsToClose) })
        return bindings
    }

    private func plan() -> StreamPlan { LinearJobTests.plan(count: 200_000, sourceParallelism: 2, parallelism: 4, partitioning: .rebalance) }

    @Test("A failure to close fails the job, and everything else is closed", arguments: 0..<50 as Range<UInt64>)
    func failsTheJob(seed: UInt64) throws {
        let lives = Lives()
        let failing = Int(seed % 4)
        let engine = SimulatedEngine(seed: seed, storage: NoStorage())
        let job = try engine.submit(plan(), bindings: bindings(lives) { $0 == failing })
        engine.run(job)
        #expect(job.status == .failed)
        #expect(job.failure?.message == "subtask \(failing) does not close")
        #expect(job.failure?.operatorName == "pass")
        #expect(job.failure?.suppressed.count == 0)
        #expect(lives.opened.value == lives.closed.value)
        #expect(WorkerPoolTests.sum(job, "numCloseFailures") == 1)
    }

    @Test("The first failure stays the job's; those of closing are attached to it", arguments: 0..<50 as Range<UInt64>)
    func theFirstFailureStays(seed: UInt64) throws {
        let lives = Lives()
        let engine = SimulatedEngine(seed: seed, storage: NoStorage())
        let job = try engine.submit(plan(), bindings: bindings(lives, failsAtRow: 1_000) { _ in true })
        engine.run(job)
        #expect(job.status == .failed)
        #expect(job.failure?.message == "a row is refused")
        // Subtasks that were cancelled before their first turn were never opened.
        #expect(job.failure?.suppressed.count == Int(lives.opened.value))
        #expect(job.failure?.suppressed.allSatisfy { $0.message.hasSuffix("does not close") } == true)
        #expect(lives.opened.value == lives.closed.value)
        #expect(WorkerPoolTests.sum(job, "numCloseFailures") == lives.opened.value)
        #expect(job.failure?.description.contains("suppressed: subtask") == true)
    }

    @Test("A cancelled job stays cancelled", arguments: 0..<20 as Range<UInt64>)
    func cancelledStaysCancelled(seed: UInt64) throws {
        let lives = Lives()
        let engine = SimulatedEngine(seed: seed, storage: NoStorage())
        let job = try engine.submit(plan(), bindings: bindings(lives) { _ in true })
        engine.run(job) { _ in if lives.opened.value > 0 { job.cancel() } }
        #expect(job.status == .canceled)
        #expect(job.failure == nil)
        #expect(lives.opened.value == lives.closed.value)
        #expect(WorkerPoolTests.sum(job, "numCloseFailures") == lives.opened.value)
    }

    @Test("All steps of a clean-up are done; the failures are kept in order, up to a bound")
    func cleanUp() {
        var cleanUp = CleanUp()
        var done = 0
        for step in 0..<100 {
            cleanUp.attempt { () throws(MillstreamError) in
                done += 1
                if step % 2 == 1 { throw MillstreamError(.io, "step \(step)") }
            }
        }
        #expect(done == 100)
        let failure = #expect(throws: MillstreamError.self) { try cleanUp.finish() }
        #expect(failure?.message == "step 1")
        #expect(failure?.suppressed.map(\.message) == (1...16).map { "step \(2 * $0 + 1)" })
        #expect(throws: Never.self) { try CleanUp().finish() }
    }
}

private final class Lives: Sendable {
    let opened = Counter()
    let closed = Counter()
}

/// Passes rows on; fails where it is told to.
private final class Mortal: Operator {
    private let lives: Lives
    private let failsAtRow: Int64?
    private let failsToClose: @Sendable (Int) -> Bool
    private var subtask = 0

    init(_ lives: Lives, failsAtRow: Int64?, failsToClose: @escaping @Sendable (Int) -> Bool) {
        self.lives = lives
        self.failsAtRow = failsAtRow
        self.failsToClose = failsToClose
    }

    func open(_ context: OperatorContext) throws(MillstreamError) {
        subtask = context.subtask.value
        lives.opened.add(1)
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if let failsAtRow, LinearJobTests.values(batch).contains(failsAtRow) { throw MillstreamError(.userFunction, "a row is refused") }
        try output.emit(batch)
        return .done
    }

    func close() throws(MillstreamError) {
        lives.closed.add(1)
        if failsToClose(subtask) { throw MillstreamError(.userFunction, "subtask \(subtask) does not close") }
    }
}
