import Checkpoint
import Columnar
import Dataflow
import Plan
import Synchronization

/// What stands above a job's attempts: its checkpoints, and what follows when an attempt has ended.
///
/// Everything happens on the job's background, but for what is said otherwise.
final class JobSupervisor: @unchecked Sendable {
    /// Makes the subtasks of an attempt that goes on from a checkpoint: all, or those of one region.
    typealias Build = @Sendable (RecoveryPoints, _ region: Int?) throws(MillstreamError) -> JobBuilder.Result

    private weak var job: Job?
    private let checkpoints: JobCheckpoints
    private let configuration: CheckpointConfiguration
    private let background: any Background
    private let clock: any Clock
    private let random: any RandomSource
    private let storage: any Storage
    private let jobID: String
    private let build: Build
    private var policy: RestartPolicy
    private let restartConfiguration: RestartConfiguration
    private var restartCount = 0
    private var lines = RepeatedLines(pauseNanoseconds: 1_000_000_000)
    /// A batch job takes no checkpoints and no savepoints. Known once its plan has been lowered, set before the first attempt begins.
    private var isBatch = false
    /// Whether anything of the job has touched the background: else its end needs no thread.
    private var isBusy: Bool
    /// Of a job without checkpoints and restarts: whether its background has anything to do.
    private let phase = Atomic<Int>(Phase.quiet)
    private enum Phase {
        static let quiet = 0
        static let requested = 1
        static let ended = 2
    }
    private var isWaiting = false
    /// Regions that have failed and wait for their next attempt, while the others run.
    private var waitingRegions: Set<Int> = []
    /// What follows the end of the attempt is decided already.
    private var isGivenUp = false

    init(
        job: Job, jobID: String, checkpoints: JobCheckpoints, configuration: CheckpointConfiguration, restart: RestartConfiguration,
        background: any Background, clock: any Clock, random: any RandomSource, storage: any Storage,
        build: @escaping Build
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
        restartConfiguration = restart
        policy = RestartPolicy(restart, hasCheckpoints: configuration.isOn)
        isBusy = configuration.isOn || policy.restarts
    }

    /// The first attempt; on the submitting thread, before anything else can happen.
    func start(_ made: JobBuilder.Result) {
        isBatch = made.isBatch
        if isBatch {
            policy = RestartPolicy(restartConfiguration, hasCheckpoints: false)
            isBusy = policy.restarts
        }
        policy.onStart(now: clock.now().milliseconds)
        begin(made)
    }

    private func begin(_ made: JobBuilder.Result) {
        if !isBatch {
            checkpoints.begin(
                JobCheckpoints.Attempt(subtasks: made.subtasks, chains: made.chains, places: made.places, enumerators: made.enumerators, firstPlaces: made.firstPlaces,
                    producers: made.progress.map { $0.inputs.map(\.producer) }))
        }
        isGivenUp = false
        job?.start(made, restartsRegions: policy.restarts, warnings: made.warnings)
        for notice in made.notices { job?.noteSetback(notice) }
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
        waitingRegions = []
        if status == .failing, let failure, failure.damagedFile != nil {
            let points = recoveryPoints
            checkpoints.noteDamaged(failure)
            guard points.fallsBack else {
                // Another attempt would read the same bytes.
                job?.explainFailure(points.explained(failure))
                return conclude(status, keeps: true)
            }
            // Only the whole job can go back.
            isGivenUp = false
        }
        if status == .failing, let failure, !isGivenUp {
            var decision = decide(failure)
            if decision != .fail, !mayRepeat(nil) {
                job?.explain(Self.repetition)
                decision = .fail
            }
            if case .restart(let delay) = decision {
                if job?.becomeRestarting() == true {
                    isWaiting = true
                    sayRestart(after: failure, delay: delay, of: "the job")
                    let time = clock.monotonicNanoseconds() &+ min(delay, 1 << 40) &* 1_000_000
                    background.run(at: time) { [self] in restart() }
                    return
                }
                job?.becomeCancelled()
            }
        }
        if let failure, failure.code == .commitUnknown { explainUnknownCommit(failure) }
        conclude(job?.beginEnd() ?? .cancelling, keeps: failure?.code == .commitUnknown)
    }

    private func decide(_ failure: MillstreamError) -> RestartPolicy.Decision {
        policy.onFailure(failure, isAtEnd: checkpoints.hasFailedAtEnd, now: clock.now().milliseconds) {
            Double(random.next(below: 1 << 30)) / Double(1 << 30)
        }
    }

    /// Whoever looks at the job sees why it stands still, and whether it is of use to wait.
    private func sayRestart(after failure: MillstreamError, delay: Int64, of what: String) {
        restartCount += 1
        guard let leftOut = lines.next(now: clock.monotonicNanoseconds()) else { return }
        let origin = checkpoints.recoveryPoints.candidates.first.map { "from checkpoint \($0.id.value)" } ?? "from the beginning"
        let number = policy.attemptCountMax.map { "restart \(restartCount), at most \($0)" } ?? "restart \(restartCount)"
        var line = "\(what) goes on \(origin) in \(delay) ms (\(number)) after: \(failure.message)"
        if let name = failure.operatorName { line += " [operator: \(name)]" }
        if policy.equalCount > 1 {
            line += "; this failure came \(policy.equalCount) times with no checkpoint complete in between, and will come again unless the program, its data or what "
                + "it depends on changes: cancel the job, or bound its restarts (restart-strategy.type: fixed-delay; "
                + "restart-strategy.exponential-delay.attempts-before-reset-backoff)"
        }
        if leftOut > 0 { line += "; \(leftOut) more restarts were not told" }
        job?.say(line)
    }

    /// Whether a part of the job may begin anew: not where there is no checkpoint and a reader has rows already, which it would get again.
    private func mayRepeat(_ region: Int?) -> Bool {
        if configuration.isOn, !isBatch { return true }
        return job?.forgetCollected(region) != false
    }

    private static let repetition = MillstreamError(
        .invalidState, "the job was not started again: whoever collects its rows has some of them, and would get them twice",
        hint: "With checkpoints (env.enable_checkpointing) a restart gives each row once.")

    // MARK: Regions

    /// From any thread, when all subtasks of a region that has failed have ended, and others run.
    func regionEnded(_ region: Int, _ failure: MillstreamError) {
        background.run { [self] in followRegion(region, failure) }
    }

    private func followRegion(_ region: Int, _ failure: MillstreamError) {
        // Where the whole job comes to an end meanwhile, that decides.
        guard let job, job.isRunning else { return }
        guard checkpoints.suspend() else {
            // What all subtasks agreed on, such as the end of their input, cannot be taken back for some of them.
            return job.failAll(failure)
        }
        // Damage of the checkpoint is the whole job's matter.
        if failure.damagedFile != nil { return job.failAll(failure) }
        var failure = failure
        var decision = decide(failure)
        if decision != .fail, !mayRepeat(region) {
            failure.suppress(Self.repetition)
            decision = .fail
        }
        guard case .restart(let delay) = decision else {
            isGivenUp = true
            return job.failAll(failure)
        }
        waitingRegions.insert(region)
        sayRestart(after: failure, delay: delay, of: "a part of the job")
        let time = clock.monotonicNanoseconds() &+ min(delay, 1 << 40) &* 1_000_000
        background.run(at: time) { [self] in restartRegion(region) }
    }

    private func restartRegion(_ region: Int) {
        guard waitingRegions.contains(region), let job, job.isRunning else { return }
        do throws(MillstreamError) {
            let made = try build(recoveryPoints.ofRegion, region)
            waitingRegions.remove(region)
            policy.onStart(now: clock.now().milliseconds)
            if !isBatch { checkpoints.replace(made, resumes: waitingRegions.isEmpty) }
            job.startRegion(region, made)
        } catch {
            followRegion(region, error)
        }
    }

    /// Says where the results are kept of which nobody knows whether they are visible, and what decides about them.
    private func explainUnknownCommit(_ failure: MillstreamError) {
        guard configuration.isOn, let kept = checkpoints.recoveryPoints.candidates.first else { return }
        var failure = failure
        let place = kept.location
        UnknownCommits.mark(kept, failure)
        let how = place.hasPrefix("/")
            ? "They are kept in '\(place)': `millstream savepoint commits \(place)` lists them, `millstream savepoint resolve` decides about them."
            : "They were kept in memory alone: set execution.checkpointing.dir."
        failure.hint = [failure.hint, how].compactMap { $0 }.joined(separator: " ")
        job?.explainFailure(failure)
    }

    private func restart() {
        guard isWaiting else { return }
        isWaiting = false
        do throws(MillstreamError) {
            let made = try build(recoveryPoints, nil)
            policy.onStart(now: clock.now().milliseconds)
            begin(made)
        } catch {
            job?.failRestart(error)
            // What there is to go on from is damaged, or cannot be used: no further attempt finds it whole.
            if error.damagedFile != nil || error.code == .invalidState { return conclude(.failing, keeps: true) }
            follow(.failing, error)
        }
    }

    private var recoveryPoints: RecoveryPoints {
        var points = checkpoints.recoveryPoints
        points.fallsBack = configuration.fallsBack
        return points
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
        case (.failing, _), (.cancelling, _): isKept = false
        default: isKept = configuration.keepsFinished
        }
        if !isKept, !keeps { checkpoints.discardCompleted() }
        checkpoints.leave()
        job?.end()
        background.finish()
    }

    /// From any thread. `storage` nil: below `directory`, or below the configured one.
    func savepoint(
        into directory: String?, storage given: (any CheckpointStorage)? = nil, stops: Bool, drains: Bool,
        done: @escaping @Sendable (Result<String, MillstreamError>) -> Void
    ) {
        guard !isBatch else {
            return done(
                .failure(
                    MillstreamError(
                        .unsupported, "the job runs in BATCH mode, which has no checkpoints and no savepoints",
                        hint: "env.set_runtime_mode(RuntimeExecutionMode.STREAMING) gives a bounded job both.")))
        }
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
