import Checkpoint
import Columnar
import Dataflow
import Synchronization

/// What a checkpoint or a savepoint came to.
public struct CheckpointRecord: Sendable {
    public enum Outcome: Sendable, Equatable {
        case completed
        case failed(String)
    }
    public let id: CheckpointID
    public let isSavepoint: Bool
    public let triggered: ProcessingTime
    /// From the trigger to the end.
    public let milliseconds: Int64
    public let byteCount: Int64
    /// Whether barriers went ahead of rows somewhere.
    public let isUnaligned: Bool
    /// The room that the rows in flight took in their channels.
    public let inFlightByteCount: Int64
    public let outcome: Outcome
    /// Where it is, or would have been.
    public let location: String
}

/// The last checkpoints and savepoints of a job; anyone reads it, also when the job has ended.
final class CheckpointLog: Sendable {
    private let records = Guarded<[CheckpointRecord]>([])
    /// How many records are kept.
    private static let recordCountMax = 64

    var all: [CheckpointRecord] { records.withLock { $0 } }

    func add(_ record: CheckpointRecord) {
        records.withLock { records in
            records.append(record)
            if records.count > Self.recordCountMax { records.removeFirst() }
        }
    }
}

/// Drives a job's checkpoints over all its attempts: tells the sources when, collects what the subtasks answer, writes it, and says when it is complete.
///
/// What is to be done is `CheckpointCoordinator`'s to decide; this carries it out. Everything happens on the job's `Background`, one thing after the
/// other, so that there is no lock and no race: subtasks hand over what they have and go on.
final class JobCheckpoints: @unchecked Sendable {
    /// One operator of the plan.
    struct Place: Sendable {
        let id: OperatorID
        let name: String
        let parallelism: Int
        let maxParallelism: Int
    }

    /// The subtasks of one attempt, by number; for each its operators' places in the order of its chain.
    struct Attempt: @unchecked Sendable {
        var subtasks: [Subtask]
        let chains: [[Int]]
        let places: [Place]
        /// With their tasks.
        var enumerators: [(task: Int, enumerator: SharedEnumerator)]
        /// The place of each task's head.
        let firstPlaces: [Int]
        /// Which subtasks write to each.
        let producers: [[Int]]
    }

    /// Where a savepoint goes and who waits for it.
    struct SavepointRequest: @unchecked Sendable {
        let storage: any CheckpointStorage
        let group: String
        /// The job ends with it: no row comes behind the barrier.
        let stops: Bool
        /// The job's input ends before it, so that it holds no open window.
        let drains: Bool
        let done: @Sendable (Result<String, MillstreamError>) -> Void
    }

    private struct Pending {
        let barrier: CheckpointBarrier
        let storage: any CheckpointStorage
        let group: String
        let savepoint: SavepointRequest?
        let started: Int64
        var states: [Manifest.OperatorState]
        var answered: Set<Int> = []
        /// Who was told of the barrier because nobody is left who would bring it.
        var told: Set<Int> = []
        /// What the operators' files have of values of the host, by place.
        var objects: [Int: [WrittenObjects]] = [:]
        var byteCount: Int64 = 0
        var isUnaligned = false
        var inFlightByteCount: Int64 = 0
    }

    struct Completed: Sendable {
        let id: CheckpointID
        let storage: any CheckpointStorage
        let group: String
    }

    /// What the running attempt went on from.
    private var current: Completed?
    /// What cannot be used any more. Those of the job's own go with its next checkpoint.
    private var damaged: [RecoveryPoints.Damaged] = []
    private var damagedOwn: [Completed] = []

    private let jobName: String
    private let settings: CheckpointCoordinator.Settings
    /// How long barriers wait behind rows before they overtake them; nil: as long as it takes.
    private let alignedTimeout: Int64?
    private let compression: Compression
    /// What the host is: its version, and those of what writes its values.
    private let hostProperties: [Manifest.Property]
    private let storage: any CheckpointStorage
    let objects: (any ObjectCoding)?
    private let background: any Background
    private let clock: any Clock
    private let fail: @Sendable (MillstreamError) -> Void
    private let progress: @Sendable () -> Void
    /// Tells people a line.
    private let say: @Sendable (String) -> Void

    // On the background alone.
    private var nextID: Int64
    private var completed: [Completed] = []
    private var attempt: Attempt?
    private var attemptNumber = 0
    /// In which attempt each subtask was made.
    private var attempts: [Int] = []
    private var coordinator: CheckpointCoordinator?
    private var pending: [Pending] = []
    /// What subtasks gave and is not written yet; the first one is being written.
    private var writings: [SnapshotWriting] = []
    private var savepoints: [SavepointRequest] = []
    private var files: CheckpointFiles
    /// A savepoint that waits for the end of the input that it has asked for.
    private var drainRequest: SavepointRequest?
    private var drained: Set<Int> = []
    /// Set from when all subtasks have come to their end: the checkpoint that lets them go.
    private var isFinal = false
    private var finalID: CheckpointID?
    /// How often the checkpoint behind the end has failed in this attempt.
    private var finalFailureCount = 0
    /// The attempt failed because the checkpoint behind the end of its input did.
    private(set) var hasFailedAtEnd = false
    /// What the last subtask said that could not write its state.
    private var refusal: MillstreamError?
    private var lines = RepeatedLines(pauseNanoseconds: 10_000_000_000)
    private var timer: Int64?
    private let log: CheckpointLog
    /// Subtasks that went with their input, which those of a job without checkpoints do, and in which attempt. Nobody looks before there is a savepoint to
    /// take: short jobs need no thread.
    private let gone = Guarded<[(subtask: Int, attempt: Int)]>([])
    private let looksForGone = Atomic<Bool>(false)
    /// Those whose last answer is not written yet: what they gave counts.
    private var goneLater: [(subtask: Int, attempt: Int)] = []
    /// Those of this attempt that are known.
    private var ended: Set<Int> = []

    init(
        jobName: String, settings: CheckpointCoordinator.Settings, alignedTimeout: Int64?, compression: Compression,
        hostProperties: [Manifest.Property] = [], storage: any CheckpointStorage,
        objects: (any ObjectCoding)?, restored: [Completed], background: any Background, clock: any Clock,
        log: CheckpointLog, fail: @escaping @Sendable (MillstreamError) -> Void, progress: @escaping @Sendable () -> Void,
        say: @escaping @Sendable (String) -> Void
    ) {
        self.jobName = jobName
        self.settings = settings
        self.alignedTimeout = alignedTimeout
        self.compression = compression
        self.hostProperties = hostProperties
        self.storage = storage
        files = CheckpointFiles(storage)
        self.objects = objects
        self.background = background
        self.clock = clock
        self.log = log
        self.fail = fail
        self.progress = progress
        self.say = say
        self.restored = restored
        // Behind all that there has been, also where the job falls back: a sink may know the checkpoints that it has committed by their numbers.
        nextID = (restored.map(\.id.value).max() ?? 0) + 1
        origin = (clock.now().milliseconds, clock.monotonicNanoseconds())
    }

    /// What the job was started from, and what it may fall back to from there, the newest first; never deleted.
    private let restored: [Completed]

    /// The savepoint that the job ends with: its results are committed, so that nothing earlier may be gone back to. Never deleted.
    private var stopped: Completed?

    /// The complete checkpoints that a restart can go on from, the last one first. On the background, or before the first attempt.
    var recoveryPoints: RecoveryPoints {
        let all = completed.reversed() + restored
        if let stopped, all.first.map({ $0.id < stopped.id }) ?? true { return RecoveryPoints(candidates: [stopped], known: damaged) }
        return RecoveryPoints(candidates: all, known: damaged)
    }

    /// What an attempt was made from, and what was found to be damaged then. Before `begin`.
    func note(_ choice: RecoveryPoints.Choice?) {
        current = choice?.checkpoint
        for entry in choice?.damaged ?? [] { noteDamaged(entry) }
    }

    /// An attempt has found that what it goes on from is damaged.
    func noteDamaged(_ error: MillstreamError) {
        let found = recoveryPoints.candidates.first { error.damagedFile?.hasPrefix($0.location + "/") == true }
        if let found = found ?? current { noteDamaged(RecoveryPoints.Damaged(checkpoint: found, error: error)) }
    }

    private func noteDamaged(_ entry: RecoveryPoints.Damaged) {
        guard !damaged.contains(where: { $0.checkpoint.location == entry.checkpoint.location }) else { return }
        damaged.append(entry)
        guard completed.contains(where: { $0.location == entry.checkpoint.location }) else { return }
        damagedOwn.append(entry.checkpoint)
    }

    private let origin: (milliseconds: Int64, nanoseconds: Int64)

    /// The time of day at which the job began and what has passed since: a clock that is set makes no checkpoint too late, nor the next one due.
    private var now: ProcessingTime {
        ProcessingTime(milliseconds: origin.milliseconds.addingSaturating((clock.monotonicNanoseconds() &- origin.nanoseconds) / 1_000_000))
    }

    // MARK: Attempts, on the background

    func begin(_ attempt: Attempt) {
        self.attempt = attempt
        attemptNumber += 1
        attempts = Array(repeating: attemptNumber, count: attempt.subtasks.count)
        drained = []
        ended = []
        finalFailureCount = 0
        hasFailedAtEnd = false
        makeCoordinator(attempt)
        // All that is left to do is to commit what the savepoint holds.
        if stopped != nil { attempt.subtasks.forEach { $0.finishWhenOpen() } }
        arm()
    }

    private func makeCoordinator(_ attempt: Attempt) {
        isFinal = false
        finalID = nil
        coordinator = CheckpointCoordinator(
            settings, subtaskCount: attempt.subtasks.count, now: now, firstID: nextID,
            retained: completed.filter { entry in !damagedOwn.contains { $0.location == entry.location } }.map(\.id))
        for subtask in ended.sorted() { _ = coordinator?.onEnded(subtask: subtask) }
    }

    /// Some of the subtasks have failed: nothing that is pending can be completed, and nothing is begun until `replace`.
    ///
    /// False: the others cannot go on by themselves, because all of them have come to their end, or were told to.
    func suspend() -> Bool {
        guard stopped == nil, drainRequest == nil, finalID.map({ id in pending.contains { $0.barrier.id == id } }) ?? true else { return false }
        guard var coordinator else { return true }
        let actions = coordinator.onStop(now: now)
        self.coordinator = coordinator
        perform(actions)
        self.coordinator = nil
        failSavepoints()
        return true
    }

    /// The subtasks of a region have been made anew. `resumes`: all are there again.
    func replace(_ made: JobBuilder.Result, resumes: Bool) {
        guard var attempt else { return }
        attemptNumber += 1
        for subtask in made.subtasks {
            attempt.subtasks[subtask.number] = subtask
            attempts[subtask.number] = attemptNumber
            drained.remove(subtask.number)
            ended.remove(subtask.number)
        }
        for (task, enumerator) in made.enumerators {
            guard let index = attempt.enumerators.firstIndex(where: { $0.task == task }) else { continue }
            attempt.enumerators[index].enumerator = enumerator
        }
        self.attempt = attempt
        guard resumes else { return }
        makeCoordinator(attempt)
        arm()
    }

    private func failSavepoints() {
        for request in savepoints + [drainRequest].compactMap({ $0 }) {
            request.done(.failure(MillstreamError(.invalidState, "the job ended before the savepoint was taken")))
        }
        savepoints = []
        drainRequest = nil
    }

    /// The subtasks are gone, or going.
    func endAttempt() {
        guard attempt != nil else { return }
        if var coordinator {
            let actions = coordinator.onStop(now: now)
            self.coordinator = coordinator
            perform(actions)
        }
        failSavepoints()
        coordinator = nil
        attempt = nil
    }

    /// Deletes the completed checkpoints that are still there.
    func discardCompleted() {
        for entry in completed { files.delete(entry.id, in: entry.storage, group: entry.group, isLast: true) }
        completed = []
        files.finish()
    }

    /// The job has ended: nothing more is written.
    func leave() {
        do { try storage.leave() } catch {}
    }

    // MARK: From subtasks, on any thread

    /// The attempt's number keeps answers of an earlier attempt apart.
    func acknowledge(_ snapshot: SubtaskSnapshot, attempt number: Int) {
        background.run { [self] in
            writings.append(SnapshotWriting(snapshot, attempt: number))
            if writings.count == 1 { goOnWriting() }
        }
    }

    /// What the subtasks gave is written one after the other, so that memory is needed for one of them, and in steps, between which other work comes.
    private func goOnWriting() {
        guard let first = writings.first else { return }
        if !write(first) {
            writings.removeAll { $0 === first }
            if !goneLater.isEmpty { lookForGone() }
        }
        if !writings.isEmpty { background.run { [self] in goOnWriting() } }
    }

    /// A subtask has come to the end of its input and waits for the last checkpoint.
    func drain(_ subtask: Int, attempt number: Int) {
        background.run { [self] in
            guard attempts[subtask] == number, let attempt else { return }
            drained.insert(subtask)
            followDrained(attempt)
        }
    }

    private func followDrained(_ attempt: Attempt) {
        guard drained.union(ended).count == attempt.subtasks.count, !isFinal else { return }
        isFinal = true
        if let drainRequest {
            self.drainRequest = nil
            request(drainRequest)
        } else {
            requestFinal()
        }
    }

    /// A subtask goes with its input. Savepoints wait for it no longer, and have of it that it had come to its end.
    func end(_ subtask: Int, attempt number: Int) {
        gone.withLock { $0.append((subtask, number)) }
        if looksForGone.load(ordering: .sequentiallyConsistent) { background.run { [self] in lookForGone() } }
    }

    private func lookForGone() {
        let all = goneLater + gone.withLock { gone in
            defer { gone = [] }
            return gone
        }
        goneLater = []
        for (subtask, number) in all {
            guard subtask < attempts.count, attempts[subtask] == number, let attempt else { continue }
            if writings.contains(where: { $0.snapshot.subtask == subtask && $0.attempt == number }) {
                goneLater.append((subtask, number))
                continue
            }
            ended.insert(subtask)
            if var coordinator {
                let actions = coordinator.onEnded(subtask: subtask)
                self.coordinator = coordinator
                perform(actions)
            }
            if drainRequest != nil { followDrained(attempt) }
        }
        tellOrphans()
    }

    /// The number that the next `begin` gives its attempt.
    var nextAttemptNumber: Int { attemptNumber + 1 }

    // MARK: Requests, on the background

    func savepoint(_ request: SavepointRequest) {
        looksForGone.store(true, ordering: .sequentiallyConsistent)
        lookForGone()
        guard let attempt, coordinator != nil, finalID == nil, drainRequest == nil else {
            request.done(.failure(MillstreamError(.invalidState, "the job does not run, so there is no state to save")))
            return
        }
        guard ended.count < attempt.subtasks.count else {
            request.done(.failure(MillstreamError(.invalidState, "the job has come to its end, so there is no state to save")))
            return
        }
        guard request.drains else { return self.request(request) }
        drainRequest = request
        for subtask in attempt.subtasks { subtask.post(.endInput) }
    }

    private func request(_ request: SavepointRequest) {
        guard var coordinator else { return }
        savepoints.append(request)
        let actions = coordinator.request(isSavepoint: true, stops: request.stops || request.drains, now: now)
        self.coordinator = coordinator
        perform(actions)
    }

    /// Behind the end of all input: the checkpoint that lets the subtasks go.
    private func requestFinal() {
        guard var coordinator, isFinal, finalID == nil else { return }
        let actions = coordinator.request(isSavepoint: false, now: now)
        self.coordinator = coordinator
        perform(actions)
    }

    // MARK: Decisions

    private func onTime() {
        timer = nil
        guard var coordinator else { return }
        let actions = coordinator.onTime(now)
        self.coordinator = coordinator
        perform(actions)
    }

    /// Asks for a call at the coordinator's next time.
    private func arm() {
        guard let time = coordinator?.nextTime else { return }
        let wait = max(0, min(time.milliseconds.subtractingSaturating(now.milliseconds), 1 << 40))
        let deadline = clock.monotonicNanoseconds() &+ wait &* 1_000_000
        // An earlier call arms again.
        if let timer, timer <= deadline { return }
        timer = deadline
        background.run(at: deadline) { [weak self] in self?.onTime() }
    }

    private func perform(_ actions: [CheckpointCoordinator.Action]) {
        for action in actions {
            switch action {
            case .trigger(let barrier): trigger(barrier)
            case .store(let id): storeManifest(id)
            case .notifyComplete(let id): attempt?.subtasks.forEach { $0.post(.complete(id)) }
            case .abort(let id, let failure): abort(id, failure)
            case .discard(let id): discard(id)
            case .failJob(let failure): failJob(failure)
            }
        }
        arm()
    }

    private func failJob(_ failure: CheckpointCoordinator.Failure) {
        hasFailedAtEnd = isFinal
        let hint = "A job that is to go on without one now and then sets execution.checkpointing.tolerable-failed-checkpoints."
        let what = isFinal ? "all input has been read, but the checkpoint without which the job cannot end failed" : "a checkpoint failed"
        // A value of the user's that cannot be written is as wrong in the next attempt; what a disk says may be over then.
        if case .declined = failure, var error = refusal, error.domain == .user {
            error.message = "\(what): \(error.message)"
            error.hint = [error.hint, hint].compactMap { $0 }.joined(separator: " ")
            return fail(error)
        }
        fail(MillstreamError(.io, "\(what): \(failure.text)", hint: hint, domain: .external, isRetryable: true))
    }

    private func trigger(_ wanted: CheckpointBarrier) {
        guard let attempt else { return }
        // Behind the end there is nothing to overtake.
        let alignment = isFinal && wanted.alignment == .unaligned ? .exactlyOnce : wanted.alignment
        let barrier = CheckpointBarrier(id: wanted.id, triggered: wanted.triggered, alignment: alignment, isSavepoint: wanted.isSavepoint)
        nextID = max(nextID, barrier.id.value + 1)
        let request = barrier.isSavepoint && !savepoints.isEmpty ? savepoints.removeFirst() : nil
        // The first one that begins behind the end; what its completion triggers in turn is not waited for.
        if isFinal, finalID == nil, !barrier.isSavepoint { finalID = barrier.id }
        pending.append(
            Pending(
                barrier: barrier, storage: request?.storage ?? storage, group: request?.group ?? "chk-\(barrier.id.value)", savepoint: request,
                started: clock.monotonicNanoseconds(),
                states: attempt.places.map {
                    Manifest.OperatorState(id: $0.id, name: $0.name, parallelism: $0.parallelism, maxParallelism: $0.maxParallelism)
                }))
        for (_, enumerator) in attempt.enumerators { enumerator.begin(barrier.id) }
        for subtask in attempt.subtasks where subtask.isSource { subtask.post(.barrier(barrier, stops: request.map { $0.stops || $0.drains } ?? false)) }
        tellOrphans()
        if let alignedTimeout, !barrier.isSavepoint, barrier.alignment == .exactlyOnce {
            background.run(at: clock.monotonicNanoseconds() &+ min(alignedTimeout, 1 << 40) &* 1_000_000) { [weak self] in self?.overtake(barrier.id) }
        }
    }

    /// The checkpoint has waited long enough behind rows.
    private func overtake(_ id: CheckpointID) {
        guard let attempt, pending.contains(where: { $0.barrier.id == id }) else { return }
        attempt.subtasks.forEach { $0.post(.overtake(id)) }
    }

    /// Subtasks whose producers have all gone hear of barriers directly, as Flink's checkpoints begin behind finished tasks.
    private func tellOrphans() {
        guard let attempt, !ended.isEmpty else { return }
        for index in pending.indices {
            for subtask in attempt.subtasks where !subtask.isSource && !ended.contains(subtask.number) && !pending[index].told.contains(subtask.number) {
                guard attempt.producers[subtask.number].allSatisfy({ ended.contains($0) }) else { continue }
                pending[index].told.insert(subtask.number)
                subtask.post(.barrier(pending[index].barrier, stops: false))
            }
        }
    }

    /// One step of writing what a subtask gave; behind the last one the coordinator is told. False when nothing is left to do.
    private func write(_ writing: SnapshotWriting) -> Bool {
        let snapshot = writing.snapshot, id = snapshot.barrier.id
        guard attempts[snapshot.subtask] == writing.attempt, let attempt, let index = pending.firstIndex(where: { $0.barrier.id == id }) else {
            writing.abandon()
            return false
        }
        if snapshot.isUnaligned { pending[index].isUnaligned = true }
        do throws(MillstreamError) {
            let chain = attempt.chains[snapshot.subtask]
            repeat {
                if let (file, place) = writing.open {
                    if try file.advance(byteCount: background.stepByteCount) { return true }
                    writing.written.append((try file.finish(), place))
                    writing.open = nil
                }
                if let (parts, link) = try writing.next(name: { attempt.places[chain[$0]].name }) {
                    writing.open = (try file(parts, place: chain[link], subtask: attempt.subtasks[snapshot.subtask].index, of: pending[index]), chain[link])
                }
            } while writing.open != nil
            for (file, place) in writing.written { keep(file, place, index) }
            pending[index].inFlightByteCount += Int64(snapshot.inFlightByteCount)
            if let enumerator = snapshot.enumerator, let place = chain.first { pending[index].states[place].coordinator = enumerator }
        } catch {
            writing.abandon()
            guard var coordinator else { return false }
            refusal = error
            let actions = coordinator.onDeclined(id, reason: "\(error)", now: now)
            self.coordinator = coordinator
            perform(actions)
            return false
        }
        pending[index].answered.insert(snapshot.subtask)
        guard var coordinator else { return false }
        let actions = coordinator.onAcknowledged(id, subtask: snapshot.subtask)
        self.coordinator = coordinator
        perform(actions)
        return false
    }

    private func file(_ parts: [StateParts], place: Int, subtask: SubtaskIndex, of pending: Pending) throws(MillstreamError) -> OperatorFile {
        let place = OperatorFile.Place(
            storage: pending.storage, group: pending.group, checkpoint: pending.barrier.id, isSavepoint: pending.savepoint != nil, number: place,
            subtask: subtask)
        return try OperatorFile(parts, place, compression: compression, objects: objects) { [self] (body) throws(MillstreamError) in
            try body(&files.shared)
        }
    }

    private func keep(_ written: OperatorFile.Written, _ place: Int, _ index: Int) {
        pending[index].objects[place, default: []].append(written.objects)
        pending[index].byteCount += written.byteCount
        pending[index].states[place].files.append(written.file)
    }

    private func storeManifest(_ id: CheckpointID) {
        guard let index = pending.firstIndex(where: { $0.barrier.id == id }), var coordinator else { return }
        do throws(MillstreamError) { try storeEnded(index) } catch {
            let actions = coordinator.onStoreFailed(id, reason: "\(error)", now: now)
            self.coordinator = coordinator
            return perform(actions)
        }
        let entry = pending[index]
        var states = entry.states
        for place in states.indices { states[place].files.sort { $0.subtask < $1.subtask } }
        let objects = states.indices.flatMap { WrittenObjects.properties(of: states[$0].id.text, entry.objects[$0] ?? []) }
        let previous = recoveryPoints.ofRegion.candidates.first.map { [Manifest.Property(RecoveryPoints.previous, "\($0.id.value)")] } ?? []
        let manifest = Manifest(
            jobName: jobName, id: id, isSavepoint: entry.barrier.isSavepoint, triggered: entry.barrier.triggered, operators: states,
            properties: objects + hostProperties + previous)
        let actions: [CheckpointCoordinator.Action]
        do throws(MillstreamError) {
            let object = try entry.storage.begin("\(entry.group)/\(Manifest.name)")
            do throws(MillstreamError) {
                try manifest.encode().withBytes { (bytes) throws(MillstreamError) in try object.write(bytes) }
                try object.commit()
            } catch {
                object.abandon()
                throw error
            }
            pending.remove(at: index)
            note(entry, .completed)
            if entry.savepoint == nil {
                completed.append(Completed(id: id, storage: entry.storage, group: entry.group))
                for entry in damagedOwn { discard(entry.id) }
                damagedOwn = []
                progress()
            }
            let endsJob = entry.savepoint.map { $0.stops || $0.drains } ?? false
            if endsJob { stopped = Completed(id: id, storage: entry.storage, group: entry.group) }
            // A later one than was asked for is behind the end as well.
            let isLast = endsJob || (entry.savepoint == nil && finalID.map { $0 <= id } ?? false)
            // A savepoint while the job goes on commits nothing, as in Flink: what was prepared for it belongs to the next checkpoint too.
            let isQuiet = entry.savepoint != nil && !endsJob
            actions = coordinator.onStored(id, now: now).filter { !isQuiet || $0 != .notifyComplete(id) }
            self.coordinator = coordinator
            perform(actions)
            entry.savepoint?.done(.success(entry.storage.location(entry.group)))
            if isLast { attempt?.subtasks.forEach { $0.post(.finish) } }
        } catch {
            actions = coordinator.onStoreFailed(id, reason: "\(error)", now: now)
            self.coordinator = coordinator
            perform(actions)
        }
    }

    /// What a savepoint has of subtasks that went before it came to them: that they had ended. As in Flink, what state they had is not in it.
    private func storeEnded(_ index: Int) throws(MillstreamError) {
        guard let attempt else { return }
        for subtask in ended.sorted() where !pending[index].answered.contains(subtask) {
            // An answer that comes so late is none; its files have the same names.
            for writing in writings where writing.snapshot.subtask == subtask && writing.snapshot.barrier.id == pending[index].barrier.id { writing.abandon() }
            for place in attempt.chains[subtask] {
                let parts = StateParts()
                parts.write(RuntimePart.ended, keyGroup: nil, bytes: [1])
                let file = try file([parts], place: place, subtask: attempt.subtasks[subtask].index, of: pending[index])
                do throws(MillstreamError) {
                    while try file.advance(byteCount: .max) {}
                    keep(try file.finish(), place, index)
                } catch {
                    file.abandon()
                    throw error
                }
            }
        }
        for (task, enumerator) in attempt.enumerators {
            guard let state = try enumerator.take(pending[index].barrier.id) else { continue }
            pending[index].states[attempt.firstPlaces[task]].coordinator = state
        }
    }

    private func abort(_ id: CheckpointID, _ failure: CheckpointCoordinator.Failure) {
        guard let index = pending.firstIndex(where: { $0.barrier.id == id }) else { return }
        let entry = pending.remove(at: index)
        note(entry, .failed(failure.text))
        for (_, enumerator) in attempt?.enumerators ?? [] { enumerator.abort(id) }
        attempt?.subtasks.forEach { $0.post(.aborted(id)) }
        files.delete(id, in: entry.storage, group: entry.group)
        if let savepoint = entry.savepoint {
            var error = MillstreamError(.io, "the savepoint failed: \(failure.text)", domain: .external, isRetryable: true)
            if case .declined = failure, let refusal, refusal.domain == .user {
                error = refusal
                error.message = "the savepoint failed: \(refusal.message)"
            }
            savepoint.done(.failure(error))
        }
        if let savepoint = entry.savepoint, savepoint.drains, failure != .stopped {
            // The input has ended all the same.
            if settings.interval == nil { attempt?.subtasks.forEach { $0.post(.finish) } } else { requestFinal() }
        }
        var next = ""
        if id == finalID, failure != .stopped, failure != .subsumed {
            finalID = nil
            // The last checkpoint must succeed: it is asked for until the tolerance is used up, with a pause that spares the disk.
            let pause = min(Self.finalRetryNanoseconds << Int64(min(finalFailureCount, 10)), Self.finalRetryNanosecondsMax)
            finalFailureCount += 1
            if !isBeyondTolerance { next = "; all input has been read, and the job ends when a checkpoint is complete: the next one is tried in \(pause / 1_000_000) ms" }
            background.run(at: clock.monotonicNanoseconds() &+ pause) { [weak self] in self?.requestFinal() }
        }
        if entry.savepoint == nil, failure != .stopped, failure != .subsumed { tell("checkpoint \(id.value) failed: \(failure.text)", next) }
    }

    private var isBeyondTolerance: Bool {
        guard let coordinator, let tolerable = settings.tolerableFailures else { return false }
        return coordinator.failuresInARow > tolerable
    }

    private func tell(_ what: String, _ next: String) {
        guard let leftOut = lines.next(now: clock.monotonicNanoseconds()) else { return }
        let count = coordinator?.failuresInARow ?? 0
        let allowed = settings.tolerableFailures.map { "\($0)" } ?? "any number"
        say("\(what) [failures in a row: \(count), tolerable: \(allowed)]\(next)\(leftOut > 0 ? "; \(leftOut) more have failed and were not told" : "")")
    }

    private static let finalRetryNanoseconds: Int64 = 200_000_000
    private static let finalRetryNanosecondsMax: Int64 = 10_000_000_000

    private func discard(_ id: CheckpointID) {
        guard let index = completed.firstIndex(where: { $0.id == id }) else { return }
        delete(completed.remove(at: index))
    }

    private func delete(_ entry: Completed) { files.delete(entry.id, in: entry.storage, group: entry.group) }

    private func note(_ entry: Pending, _ outcome: CheckpointRecord.Outcome) {
        let record = CheckpointRecord(
            id: entry.barrier.id, isSavepoint: entry.barrier.isSavepoint, triggered: entry.barrier.triggered,
            milliseconds: (clock.monotonicNanoseconds() &- entry.started) / 1_000_000, byteCount: entry.byteCount, isUnaligned: entry.isUnaligned,
            inFlightByteCount: entry.inFlightByteCount, outcome: outcome,
            location: entry.storage.location(entry.group))
        log.add(record)
    }
}

extension CheckpointCoordinator.Failure {
    var text: String {
        switch self {
        case .timeout: "it was not complete within its time"
        case .declined(let reason), .storage(let reason): reason
        case .subsumed: "a later one was complete before it"
        case .stopped: "the job stopped"
        }
    }
}
