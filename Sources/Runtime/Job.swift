import Checkpoint
import Columnar
import Connectors
import Dataflow
import Exchange
import Operators
import Plan
import Synchronization

/// Where a job is in its life; Flink's names.
public enum JobStatus: Int32, Sendable {
    case created = 0
    case running = 1
    case failing = 2
    case failed = 3
    case cancelling = 4
    case canceled = 5
    case finished = 6
    /// Failed, and about to go on from its last checkpoint.
    case restarting = 7

    /// Whether nothing follows.
    public var isTerminal: Bool { self == .failed || self == .canceled || self == .finished }
}

/// A plan that runs. Any thread may call any method.
public final class Job: SubtaskOwner, @unchecked Sendable {
    public let name: String
    private let monitor = Monitor()
    private var currentStatus = JobStatus.created
    private var firstFailure: MillstreamError?
    /// A cancellation that came before the start.
    private var isCancelledEarly = false
    private var liveCount = 0
    private var subtasks: [Subtask] = []
    /// What stays readable after the subtasks are gone.
    private var statistics: [OperatorStatistics] = []
    private var collectQueues: [Int: CollectQueue] = [:]
    private var progress: [SubtaskProgress] = []
    /// Where the job says what nobody asked for; whole lines.
    private var warnings: (any TextOutput)?
    private var whenEnded: [@Sendable () -> Void] = []
    private let clock: any Clock
    private let startTime: Int64
    private var endTime: Int64?
    /// Decides what follows a failure; nil where nothing does.
    private var supervisor: JobSupervisor?
    private var isCancelRequested = false
    private var isConcluding = false
    /// All subtasks of the attempt have ended, and its supervisor knows: whether it went well is settled. A checkpoint that fails behind that fails nobody.
    private var isAttemptOver = false
    private var regions = JobRegionStates()
    private var failureHistory: [Failure] = []
    /// Whether the history has the job's failure already.
    private var isNoted = false

    /// A failure of one attempt.
    public struct Failure: Sendable {
        public let time: ProcessingTime
        public let error: MillstreamError
    }

    /// How many failures are kept (Flink's `web.exception-history-size`).
    private static let failureCountMax = 16

    init(name: String, clock: any Clock) {
        self.name = name
        self.clock = clock
        startTime = clock.monotonicNanoseconds()
        LiveObjects.jobs.add(1)
    }

    deinit { LiveObjects.jobs.add(-1) }

    // MARK: For the job's owner

    public var status: JobStatus {
        monitor.lock()
        defer { monitor.unlock() }
        return currentStatus == .running && regions.isAnyDown ? .restarting : currentStatus
    }

    /// What the job failed with: the first failure, whatever followed from it.
    public var failure: MillstreamError? {
        monitor.lock()
        defer { monitor.unlock() }
        return firstFailure
    }

    /// What the attempts failed with, the oldest first; the last one is `failure` once the job has failed.
    public var failures: [Failure] {
        monitor.lock()
        defer { monitor.unlock() }
        return failureHistory
    }

    /// How long the job has run, or ran.
    public var durationNanoseconds: Int64 {
        monitor.lock()
        defer { monitor.unlock() }
        return (endTime ?? clock.monotonicNanoseconds()) &- startTime
    }

    /// Waits until the job has ended, at most so long (nil: for ever), and gives the status then.
    @discardableResult
    public func wait(timeoutNanoseconds: Int64? = nil) -> JobStatus {
        monitor.lock()
        defer { monitor.unlock() }
        let deadline = timeoutNanoseconds.map { Monitor.deadline(after: $0) }
        while !currentStatus.isTerminal {
            if !monitor.wait(until: deadline) { break }
        }
        return currentStatus
    }

    /// Asks the job to stop. Does nothing if it has ended or is stopping.
    public func cancel() {
        stop(.cancelling)
    }

    /// The rows of the collecting sink that was node `node` of the plan; nil if there is none.
    public func collected(node: Int) -> CollectQueue? {
        monitor.lock()
        defer { monitor.unlock() }
        return collectQueues[node]
    }

    // MARK: For the engine

    /// Runs once when the job has ended; at once if it has.
    func onEnd(_ body: @escaping @Sendable () -> Void) {
        monitor.lock()
        let hasEnded = currentStatus.isTerminal
        if !hasEnded { whenEnded.append(body) }
        monitor.unlock()
        if hasEnded { body() }
    }

    /// `restartsRegions`: what depends on nothing that has failed goes on, and the supervisor is asked about the rest.
    func start(_ made: JobBuilder.Result, restartsRegions: Bool = false, warnings: any TextOutput) {
        monitor.lock()
        regions = JobRegionStates(made.regions, isOn: restartsRegions)
        subtasks = made.subtasks
        liveCount = made.subtasks.count
        isAttemptOver = false
        statistics = made.statistics
        collectQueues = made.collectQueues
        progress = made.progress
        lastReport = nil
        self.warnings = warnings
        currentStatus = .running
        let isCancelled = isCancelledEarly || isCancelRequested
        monitor.unlock()
        if isCancelled { cancel() }
        for subtask in made.subtasks { subtask.wake() }
    }

    func subtaskFailed(_ subtask: Subtask, _ error: MillstreamError) {
        monitor.lock()
        if failRegion(of: subtask, error) { return }
        if firstFailure == nil, currentStatus == .running { firstFailure = error }
        monitor.unlock()
        stop(.failing)
    }

    /// Rows may be lost where a function cannot close what it has written to, so the job has not finished. A failure that was there before stays the
    /// job's, with this one attached; a cancelled job stays cancelled.
    func subtaskFailedToClose(_ subtask: Subtask, _ error: MillstreamError) {
        monitor.lock()
        if failRegion(of: subtask, error) { return }
        if firstFailure == nil, currentStatus == .running { firstFailure = error } else { firstFailure?.suppress(error) }
        monitor.unlock()
        stop(.failing)
    }

    func subtaskEnded(_ subtask: Subtask) {
        monitor.lock()
        liveCount -= 1
        if let (region, failure) = regions.end(subtask.number), currentStatus == .running {
            note(failure)
            let supervisor = self.supervisor
            monitor.broadcast()
            monitor.unlock()
            supervisor?.regionEnded(region, failure)
            return
        }
        guard liveCount == 0, currentStatus != .running || !regions.isAnyDown else {
            monitor.unlock()
            return
        }
        if currentStatus == .failing { noteFailure() }
        guard let supervisor else {
            conclude()
            return
        }
        let status = currentStatus
        let failure = firstFailure
        subtasks = []
        isAttemptOver = true
        monitor.unlock()
        supervisor.attemptEnded(status, failure)
    }

    /// With the monitor.
    private func noteFailure() {
        if let firstFailure { note(firstFailure) }
    }

    /// With the monitor.
    private func note(_ error: MillstreamError) {
        // A region's failure that became the job's is there already.
        if isNoted { return isNoted = false }
        failureHistory.append(Failure(time: clock.now(), error: error))
        if failureHistory.count > Self.failureCountMax { failureHistory.removeFirst() }
    }

    // MARK: Regions

    /// The first failure of a region is noted when its subtasks have ended; true where that is all that follows now. With the monitor, which it then gives back.
    private func failRegion(of subtask: Subtask, _ error: MillstreamError) -> Bool {
        guard currentStatus == .running, let region = regions.fail(subtask.number, error) else { return false }
        let running = subtasks.filter { regions.region(of: $0.number) == region }
        monitor.unlock()
        for subtask in running { subtask.cancel() }
        return true
    }

    /// A region is not started anew: the job fails with it.
    func failAll(_ error: MillstreamError) {
        monitor.lock()
        guard currentStatus == .running else { return monitor.unlock() }
        firstFailure = error
        isNoted = true
        monitor.unlock()
        stop(.failing)
    }

    /// The subtasks of a region go on from a checkpoint, unless the job comes to its end.
    func startRegion(_ region: Int, _ made: JobBuilder.Result) {
        monitor.lock()
        guard currentStatus == .running else {
            monitor.unlock()
            for (_, enumerator) in made.enumerators { enumerator.abandon() }
            return
        }
        subtasks = subtasks.filter { regions.region(of: $0.number) != region } + made.subtasks
        subtasks.sort { $0.number < $1.number }
        statistics = statistics.filter { regions.region(of: $0.subtaskNumber) != region } + made.statistics
        statistics.sort { $0.subtaskNumber < $1.subtaskNumber }
        for entry in made.progress where entry.number < progress.count { progress[entry.number] = entry }
        liveCount += made.subtasks.count
        regions.begin(region)
        monitor.broadcast()
        monitor.unlock()
        for subtask in made.subtasks { subtask.wake() }
    }

    var isRunning: Bool {
        monitor.lock()
        defer { monitor.unlock() }
        return currentStatus == .running
    }

    /// Before a part of the job begins anew, where nothing holds its rows back until a checkpoint: what its reader has not taken goes. False: it has taken some.
    func forgetCollected(_ region: Int?) -> Bool {
        monitor.lock()
        let queues = collectQueues.keys.sorted().compactMap { node in region == nil || regions.regionOfSink[node] == region ? collectQueues[node] : nil }
        monitor.unlock()
        return queues.allSatisfy { $0.forget() }
    }

    /// Says beside the failure why the job did not begin anew.
    func explain(_ error: MillstreamError) {
        monitor.lock()
        defer { monitor.unlock() }
        firstFailure?.suppress(error)
    }

    /// The failure that the job ends with, in more words.
    func explainFailure(_ error: MillstreamError) {
        monitor.lock()
        defer { monitor.unlock() }
        firstFailure = error
        if let last = failureHistory.indices.last { failureHistory[last] = Failure(time: failureHistory[last].time, error: error) }
    }

    /// Something went wrong that the job goes on from: it is told with its failures, and said at once.
    func noteSetback(_ error: MillstreamError) {
        monitor.lock()
        note(error)
        monitor.unlock()
        say(error.message)
    }

    /// Tells people a line about the job.
    func say(_ line: String) {
        monitor.lock()
        let output = warnings
        monitor.unlock()
        guard let output else { return }
        var text = "millstream: job '\(name)': \(line.split(whereSeparator: \.isNewline).joined(separator: " "))\n"
        // A stream that cannot be written to is no reason to stop a job.
        text.withUTF8 { bytes in try? output.write(UnsafeRawBufferPointer(bytes)) }
    }

    /// Before the start: who is asked what follows the end of an attempt.
    func supervise(_ supervisor: JobSupervisor) {
        self.supervisor = supervisor
    }

    /// The attempt has failed, and another is to follow; false if the job was cancelled.
    func becomeRestarting() -> Bool {
        monitor.lock()
        defer { monitor.unlock() }
        guard currentStatus == .failing, !isCancelRequested else { return false }
        currentStatus = .restarting
        firstFailure = nil
        monitor.broadcast()
        return true
    }

    /// The next attempt could not be started.
    func failRestart(_ error: MillstreamError) {
        monitor.lock()
        firstFailure = error
        noteFailure()
        currentStatus = .failing
        monitor.unlock()
    }

    /// The attempt has failed, and the one that was to follow does not, because somebody has cancelled the job: it is cancelled, and has not failed.
    func becomeCancelled() {
        monitor.lock()
        defer { monitor.unlock() }
        guard currentStatus == .failing else { return }
        currentStatus = .cancelling
        firstFailure = nil
    }

    /// Nothing follows the last attempt: whoever cancels from now on is too late, so that what becomes of the checkpoints fits how the job ends, which is
    /// what this gives.
    func beginEnd() -> JobStatus {
        monitor.lock()
        defer { monitor.unlock() }
        isConcluding = true
        return currentStatus
    }

    /// Nothing follows the last attempt.
    func end() {
        monitor.lock()
        conclude()
    }

    /// With the monitor, which it gives back.
    private func conclude() {
        switch currentStatus {
        case .failing: currentStatus = .failed
        case .cancelling, .restarting: currentStatus = .canceled
        case .failed, .canceled, .finished:
            monitor.unlock()
            return
        default: currentStatus = .finished
        }
        let ended = supervisor
        supervisor = nil
        endTime = clock.monotonicNanoseconds()
        let callbacks = whenEnded
        whenEnded = []
        let queues = collectQueues.keys.sorted().compactMap { collectQueues[$0] }
        subtasks = []
        // The channels go with the job; what they have come to stays readable.
        lastReport = readProgress()
        progress = []
        warnings = nil
        monitor.broadcast()
        monitor.unlock()
        withExtendedLifetime(ended) {}
        for queue in queues { queue.end() }
        for callback in callbacks { callback() }
    }

    func subtaskStalled(_ subtask: Subtask, milliseconds: Int64) {
        monitor.lock()
        let report = readProgress()
        monitor.unlock()
        if let line = report.warning(about: subtask.number, after: milliseconds) { say(line) }
    }

    private func stop(_ status: JobStatus) {
        monitor.lock()
        if isConcluding || isAttemptOver && currentStatus == .running { return monitor.unlock() }
        if status == .cancelling { isCancelRequested = true }
        guard currentStatus == .running else {
            if currentStatus == .created { isCancelledEarly = true }
            let waiting = currentStatus == .restarting ? supervisor : nil
            monitor.unlock()
            waiting?.cancelRestart()
            return
        }
        currentStatus = status
        let running = subtasks
        // Nobody is left to say that the attempt has ended.
        let isOver = liveCount == 0 && regions.isAnyDown
        if isOver, status == .failing { noteFailure() }
        let failure = firstFailure
        let supervisor = self.supervisor
        monitor.broadcast()
        monitor.unlock()
        for subtask in running { subtask.cancel() }
        if isOver { supervisor?.attemptEnded(status, failure) }
    }

    /// The job cannot go on, whatever its subtasks say.
    func fail(_ error: MillstreamError) {
        monitor.lock()
        if firstFailure == nil, currentStatus == .running, !isAttemptOver { firstFailure = error }
        monitor.unlock()
        stop(.failing)
    }

    // MARK: Checkpoints

    /// Takes a savepoint into a new directory below `directory` (nil: the configured one) and calls `done` with its path, from another thread.
    ///
    /// `stops`: no row comes behind it, and the job finishes with it; `drains`: its input ends before it, so that windows fire.
    public func savepoint(
        into directory: String?, stops: Bool = false, drains: Bool = false, done: @escaping @Sendable (Result<String, MillstreamError>) -> Void
    ) {
        monitor.lock()
        let supervisor = self.supervisor
        monitor.unlock()
        guard let supervisor else {
            return done(.failure(MillstreamError(.invalidState, "the job has ended, so there is no state to save")))
        }
        supervisor.savepoint(into: directory, stops: stops, drains: drains, done: done)
    }

    /// The job's state at one moment, while it goes on. Waits for it.
    public func state() throws(MillstreamError) -> SavepointReader {
        monitor.lock()
        let supervisor = self.supervisor
        monitor.unlock()
        guard let supervisor else { throw MillstreamError(.invalidState, "the job has ended, so it has no state any more") }
        let answer = Answer()
        let memory = MemoryCheckpoints()
        supervisor.savepoint(into: nil, storage: memory, stops: false, drains: false) { answer.give($0) }
        _ = try answer.wait().get()
        return try SavepointReader(memory, group: "state")
    }

    /// The same, for a thread that has time to wait. The path of the savepoint.
    public func savepoint(into directory: String?, stops: Bool = false, drains: Bool = false) throws(MillstreamError) -> String {
        let answer = Answer()
        savepoint(into: directory, stops: stops, drains: drains) { answer.give($0) }
        return try answer.wait().get()
    }

    private final class Answer: @unchecked Sendable {
        private let monitor = Monitor()
        private var result: Result<String, MillstreamError>?

        func give(_ result: Result<String, MillstreamError>) {
            monitor.lock()
            self.result = result
            monitor.broadcast()
            monitor.unlock()
        }

        func wait() -> Result<String, MillstreamError> {
            monitor.lock()
            defer { monitor.unlock() }
            while true {
                if let result { return result }
                _ = monitor.wait(until: nil)
            }
        }
    }

    /// The last checkpoints and savepoints, the oldest first.
    public var checkpoints: [CheckpointRecord] {
        checkpointLog.all
    }

    let checkpointLog = CheckpointLog()

    // MARK: Event time

    private var lastReport: EventTimeReport?

    /// Why event time stands where it stands, now; of a job that has ended, at its end.
    public func explainTime() -> EventTimeReport {
        monitor.lock()
        defer { monitor.unlock() }
        return lastReport ?? readProgress()
    }

    /// With the monitor.
    private func readProgress() -> EventTimeReport {
        let now = clock.monotonicNanoseconds()
        return EventTimeReport(jobName: name, status: currentStatus, subtasks: progress.map { $0.read(now: now) })
    }

    // MARK: Metrics

    /// The counters of each operator and subtask, now.
    public func metrics() -> [OperatorStatistics.Snapshot] {
        monitor.lock()
        let all = statistics
        let running = subtasks
        monitor.unlock()
        var queued: [Int: Int] = [:]
        for subtask in running { queued[subtask.number] = subtask.queuedByteCount }
        return all.map { $0.snapshot(queuedByteCount: $0.isHead ? queued[$0.subtaskNumber] ?? 0 : 0) }
    }
}

/// The counters of one subtask of one operator, with where they belong.
public struct OperatorStatistics: Sendable {
    public struct Snapshot: Sendable {
        public var operatorID: String
        public var name: String
        public var subtask: Int
        public var isSource: Bool
        public var isSink: Bool
        /// Names as in Flink's REST interface, and values, in a fixed order.
        public var values: [(name: String, value: Int64)]
    }

    let operatorID: String
    let name: String
    let subtask: Int
    let subtaskNumber: Int
    let isHead: Bool
    let isSource: Bool
    let isSink: Bool
    let metrics: OperatorMetrics

    func snapshot(queuedByteCount: Int) -> Snapshot {
        Snapshot(
            operatorID: operatorID, name: name, subtask: subtask, isSource: isSource, isSink: isSink,
            values: [
                ("numRecordsIn", metrics.recordsIn.value), ("numRecordsOut", metrics.recordsOut.value),
                ("numBytesIn", metrics.bytesIn.value), ("numBytesOut", metrics.bytesOut.value), ("numBatchesIn", metrics.batchesIn.value),
                ("numLateRecords", metrics.lateRecords.value), ("numLateRecordsDropped", metrics.lateRecordsDropped.value),
                ("numRetractionsDropped", metrics.retractionsDropped.value),
                ("numFutureRecords", metrics.futureRecords.value), ("numFutureRecordsDropped", metrics.futureRecordsDropped.value),
                ("numMalformedRecords", metrics.malformedRecords.value), ("numTimersDropped", metrics.timersDropped.value),
                ("numRecordsFailed", metrics.recordsFailed.value), ("numCloseFailures", metrics.closeFailures.value),
                ("currentInputWatermark", metrics.currentInputWatermark.value),
                ("currentOutputWatermark", metrics.currentOutputWatermark.value), ("busyNanoseconds", metrics.busyNanoseconds.value),
                ("backPressuredNanoseconds", metrics.backPressuredNanoseconds.value), ("queuedBytes", Int64(queuedByteCount)),
            ])
    }
}

extension LiveObjects {
    public static let jobs = Counter()
}
