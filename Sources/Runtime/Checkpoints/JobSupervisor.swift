import Checkpoint
import Columnar
import Dataflow
import Plan
import Synchronization

/// What stands above a job's attempts: its checkpoints, and what follows when an attempt has ended.
///
/// Everything happens on the job's background, but for what is said otherwise.
final class JobSupervisor: @unchecked Sendable {
    private weak var job: Job?
    private let checkpoints: JobCheckpoints
    private let configuration: CheckpointConfiguration
    private let background: any Background
    private let clock: any Clock
    private let random: any RandomSource
    private let storage: any Storage
    private let jobID: String
    /// Makes the subtasks of an attempt that goes on from a checkpoint.
    private let build: @Sendable (JobCheckpoints.Completed?) throws(MillstreamError) -> JobBuilder.Result
    private var policy: RestartPolicy
    /// Whether anything of the job has touched the background: else its end needs no thread.
    private let isBusy: Bool
    /// Of a job without checkpoints and restarts: whether its background has anything to do.
    private let phase = Atomic<Int>(Phase.quiet)
    private enum Phase {
        static let quiet = 0
        static let requested = 1
        static let ended = 2
    }
    private var isWaiting = false

    init(
        job: Job, jobID: String, checkpoints: JobCheckpoints, configuration: CheckpointConfiguration, restart: RestartConfiguration,
        background: any Background, clock: any Clock, random: any RandomSource, storage: any Storage,
        build: @escaping @Sendable (JobCheckpoints.Completed?) throws(MillstreamError) -> JobBuilder.Result
    ) {
        self.job = job
        self.jobID = jobID
        self.checkpoints = checkpoints
        self.configuration = configuration
        self.background = background
        self.clock = clock
        self.random = random
        self.storage = storage
        self.build = build
        policy = RestartPolicy(restart, hasCheckpoints: configuration.isOn)
        isBusy = configuration.isOn || policy.restarts
    }

    /// The first attempt; on the submitting thread, before anything else can happen.
    func start(_ made: JobBuilder.Result) {
        policy.onStart(now: clock.now().milliseconds)
        begin(made)
    }

    private func begin(_ made: JobBuilder.Result) {
        checkpoints.begin(
            JobCheckpoints.Attempt(subtasks: made.subtasks, chains: made.chains, places: made.places, enumerators: made.enumerators))
        job?.start(made, warnings: made.warnings)
    }

    /// A checkpoint is complete.
    func noteProgress() { policy.onProgress() }

    /// From any thread, when all subtasks of an attempt have ended.
    func attemptEnded(_ status: JobStatus, _ failure: MillstreamError?) {
        // A job without checkpoints and restarts ends where its last subtask does.
        if !isBusy, phase.compareExchange(expected: Phase.quiet, desired: Phase.ended, ordering: .acquiringAndReleasing).exchanged {
            checkpoints.endAttempt()
            job?.end()
            return
        }
        background.run { [self] in follow(status, failure) }
    }

    private func follow(_ status: JobStatus, _ failure: MillstreamError?) {
        checkpoints.endAttempt()
        if status == .failing, let failure {
            let decision = policy.onFailure(failure, now: clock.now().milliseconds) { Double(random.next(below: 1 << 30)) / Double(1 << 30) }
            if case .restart(let delay) = decision, job?.becomeRestarting() == true {
                isWaiting = true
                let time = clock.monotonicNanoseconds() &+ min(delay, 1 << 40) &* 1_000_000
                background.run(at: time) { [self] in restart() }
                return
            }
        }
        conclude(job?.isToEnd != false ? .cancelling : status, keeps: failure?.code == .commitUnknown)
    }

    private func restart() {
        guard isWaiting else { return }
        isWaiting = false
        do throws(MillstreamError) {
            let made = try build(checkpoints.latest)
            policy.onStart(now: clock.now().milliseconds)
            begin(made)
        } catch {
            job?.failRestart(error)
            follow(.failing, error)
        }
    }

    /// From any thread: the job was cancelled while it waited for its next attempt.
    func cancelRestart() {
        background.run { [self] in
            guard isWaiting else { return }
            isWaiting = false
            conclude(.cancelling)
        }
    }

    /// `keeps`: the last checkpoints stay whatever the configuration says, because something in them is still needed.
    private func conclude(_ status: JobStatus, keeps: Bool = false) {
        let isKept: Bool
        switch (status, configuration.retention) {
        case (.failing, .deleteOnCancellation), (.failing, .retainOnCancellation), (.cancelling, .retainOnCancellation): isKept = true
        default: isKept = false
        }
        if !isKept, !keeps { checkpoints.discardCompleted() }
        job?.end()
        background.finish()
    }

    /// From any thread. `storage` nil: below `directory`, or below the configured one.
    func savepoint(
        into directory: String?, storage given: (any CheckpointStorage)? = nil, stops: Bool, drains: Bool,
        done: @escaping @Sendable (Result<String, MillstreamError>) -> Void
    ) {
        let (isFirst, before) = phase.compareExchange(expected: Phase.quiet, desired: Phase.requested, ordering: .acquiringAndReleasing)
        guard isFirst || before == Phase.requested else {
            return done(.failure(MillstreamError(.invalidState, "the job has ended, so there is no state to save")))
        }
        background.run { [self] in
            do throws(MillstreamError) {
                let root: any CheckpointStorage
                if let given { root = given } else { root = try makeDirectory(directory) }
                let request = JobCheckpoints.SavepointRequest(
                    storage: root, group: given == nil ? newGroup(in: root) : "state", stops: stops, drains: drains, done: done)
                checkpoints.savepoint(request)
            } catch {
                done(.failure(error))
            }
        }
    }

    private func makeDirectory(_ directory: String?) throws(MillstreamError) -> any CheckpointStorage {
        guard let target = directory ?? configuration.savepointDirectory else {
            throw MillstreamError(
                .configuration, "a savepoint needs a directory", hint: "Name one, or set execution.checkpointing.savepoint-dir.")
        }
        return try CheckpointDirectory(storage, root: target)
    }

    /// As Flink names them: a part of the job's id, and something that no other has.
    private func newGroup(in root: any CheckpointStorage) -> String {
        while true {
            let group = "savepoint-\(jobID.prefix(6))-\(hexadecimal(random.next(below: .max)).suffix(12))"
            if !storage.exists(root.location(group)) { return group }
        }
    }
}

/// 16 digits.
func hexadecimal(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
