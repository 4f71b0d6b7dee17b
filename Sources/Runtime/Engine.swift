import Columnar
import Connectors
import Dataflow
import Exchange
import Operators
import Plan
import Synchronization

/// Runs jobs on a pool of threads that all jobs share.
///
/// The head of the room. Purpose: plan and bindings in, a running `Job` out. Invariants: a subtask runs on one thread at a time and never blocks it; what a
/// job opened is closed exactly once however the job ends; the first failure is the job's failure; everything between subtasks is bounded in bytes.
/// Threads: the pool's, started with the first job; any thread may submit, wait and cancel. May import every room below.
public final class Engine: @unchecked Sendable {
    private let clock: any Clock
    private let storage: any Storage
    private let pool: WorkerPool
    private let state = Guarded(State())

    private struct State {
        var jobs: [Int: Job] = [:]
        var nextNumber = 0
        var isShutDown = false
    }

    /// `workerCount` nil: as many threads as the machine has cores.
    public init(workerCount: Int? = nil, clock: any Clock = SystemClock(), storage: any Storage) {
        self.clock = clock
        self.storage = storage
        pool = WorkerPool(workerCount: workerCount ?? WorkerPool.coreCount, clock: clock)
    }

    /// Starts a job and returns at once; with `clock`, processing time is what that one says. Throws `plan` and `configuration` for what the user can mend, `invalidState` after `shutdown`.
    public func submit(
        _ plan: StreamPlan, bindings: Bindings, clock manual: ManualClock? = nil, standardOutput: (any TextOutput)? = nil,
        standardError: (any TextOutput)? = nil, log: (any TextOutput)? = nil
    ) throws(MillstreamError) -> Job {
        let job = Job(name: plan.jobName, clock: clock)
        let seed = plan.configuration.seed ?? UInt64(bitPattern: clock.monotonicNanoseconds())
        let number = try register(job)
        let preparation: JobPreparation
        let made: JobBuilder.Result
        do {
            preparation = try JobPreparation(
                plan, bindings: bindings, job: job, scheduler: pool, handover: nil, background: BackgroundThread(), clock: manual ?? clock,
                machineClock: clock, manualClock: manual, storage: storage, seed: seed, standardOutput: standardOutput, standardError: standardError,
                log: log)
            made = try preparation.build()
        } catch {
            forget(number)
            throw error
        }
        job.onEnd { [weak self] in self?.forget(number) }
        preparation.start(made)
        return job
    }

    /// Cancels all jobs, waits for them at most so long, and ends the threads. False if a job did not stop in time; its threads are then left alone.
    public func shutdown(timeoutNanoseconds: Int64) -> Bool {
        let jobs = state.withLock { state -> [Job] in
            state.isShutDown = true
            return state.jobs.keys.sorted().compactMap { state.jobs[$0] }
        }
        for job in jobs { job.cancel() }
        let deadline = clock.monotonicNanoseconds() &+ timeoutNanoseconds
        for job in jobs {
            guard job.wait(timeoutNanoseconds: max(0, deadline &- clock.monotonicNanoseconds())).isTerminal else { return false }
        }
        pool.stop()
        return true
    }

    /// The names of the jobs that have not ended, in the order in which they were submitted.
    public var runningJobNames: [String] {
        state.withLock { state in state.jobs.keys.sorted().compactMap { state.jobs[$0]?.name } }
    }

    private func register(_ job: Job) throws(MillstreamError) -> Int {
        let number = state.withLock { state -> Int? in
            guard !state.isShutDown else { return nil }
            state.nextNumber += 1
            state.jobs[state.nextNumber] = job
            return state.nextNumber
        }
        guard let number else { throw MillstreamError(.invalidState, "the engine was shut down") }
        return number
    }

    private func forget(_ number: Int) { state.withLock { _ = $0.jobs.removeValue(forKey: number) } }
}

