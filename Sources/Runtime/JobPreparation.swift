import Checkpoint
import Columnar
import Connectors
import Dataflow
import Exchange
import Plan

/// What both engines, the real and the simulated, do to a plan before it runs, and again for each further attempt.
struct JobPreparation {
    private let plan: StreamPlan
    private let job: Job
    private let supervisor: JobSupervisor
    private let checkpoints: JobCheckpoints
    private let restored: RecoveryPoints
    private let makeResult: JobSupervisor.Build

    /// Throws `plan` and `configuration` for what the user can mend.
    init(
        _ plan: StreamPlan, bindings: Bindings, job: Job, scheduler: any Scheduler, handover: (any ChannelHandover)?, background: any Background,
        clock: any Clock, machineClock: any Clock, manualClock: ManualClock? = nil, storage: any Storage, seed: UInt64, standardOutput: (any TextOutput)?, standardError: (any TextOutput)?,
        log: (any TextOutput)?, parts: (any PartSubstitution)? = nil
    ) throws(MillstreamError) {
        self.plan = plan
        self.job = job
        let configuration = plan.configuration.checkpoints
        let jobID = hexadecimal(StableHash.hash(Int64(bitPattern: seed))) + hexadecimal(StableHash.hash(machineClock.now().milliseconds &+ machineClock.monotonicNanoseconds()))
        let objects: (any ObjectCoding)? = HostObjectCoding(bindings.hostObjects)
        restored = RecoveryPoints(
            candidates: try configuration.restorePath.map { (path) throws(MillstreamError) in try Self.savepoints(path, configuration, storage) } ?? [],
            fallsBack: configuration.fallsBack)

        let target: any CheckpointStorage
        if configuration.isOn, let directory = configuration.directory {
            target = try CheckpointDirectory(storage, root: "\(directory)/\(jobID)")
        } else {
            target = MemoryCheckpoints()
        }
        let supervisorBox = SupervisorBox()
        checkpoints = JobCheckpoints(
            jobName: plan.jobName, settings: CheckpointCoordinator.Settings(configuration),
            alignedTimeout: configuration.overtakes && configuration.alignedTimeoutMilliseconds > 0 ? configuration.alignedTimeoutMilliseconds : nil,
            compression: Compression(configuration.compression),
            hostProperties: configuration.hostProperties.map { Manifest.Property("host." + $0.name, $0.value) },
            storage: target, objects: objects, restored: restored.candidates, background: background, clock: machineClock, log: job.checkpointLog, fail: { [weak job] in job?.fail($0) },
            progress: { supervisorBox.supervisor?.noteProgress() }, say: { [weak job] in job?.say($0) })
        let checkpoints = self.checkpoints

        let stores = try StateBackend(plan.configuration.state, objects: objects, warnings: log ?? standardError)
        let queues = QueueBox()
        let heads = HeadBox()
        // Used by one thread at a time: the submitting one, then the background.
        nonisolated(unsafe) let parts = parts
        makeResult = { (points, region) throws(MillstreamError) in
            var graph = try Self.lower(plan, bindings, heads.heads)
            var environment = ConnectorEnvironment(
                bindings: bindings, clock: machineClock, storage: storage, makeRowGenerator: expressionRowGenerator,
                makeColumnFunction: expressionColumnFunction)
            environment.commitsAtCheckpoints = configuration.isOn && !graph.isBatch
            if let standardOutput { environment.standardOutput = standardOutput }
            if let standardError { environment.standardError = standardError }
            var builder = JobBuilder(
                graph: graph, plan: plan, job: job, scheduler: scheduler, handover: handover, environment: environment, clock: clock, seed: seed,
                parts: parts)
            builder.jobID = jobID
            builder.lineage = configuration.lineage
            builder.region = region
            var choice: RecoveryPoints.Choice?
            if !graph.isBatch {
                builder.stores = stores.map { parts?.stores($0.stores) ?? $0.stores }
                builder.paging = stores?.paging
                builder.checkpoints = checkpoints
                builder.hasFinalCheckpoint = configuration.isOn
                builder.collectQueues = queues.queues
                builder.objects = objects
                choice = try points.choose(objects: objects, sinks: Self.sinks(graph, environment))
                if let found = choice?.restored {
                    // At parallelism 1 there are chains where there were exchanges, perhaps with rows in them.
                    let inFlight: [OperatorID: Int]
                    do throws(MillstreamError) { inFlight = try found.operatorsWithRowsInFlight() } catch { throw points.explained(error) }
                    let cut = inFlight.filter { !Self.canTakeRows($0.key, functionCount: $0.value, graph) }
                    if !cut.isEmpty {
                        heads.heads.merge(cut) { $1 }
                        graph = try Self.lower(plan, bindings, heads.heads)
                        builder.graph = graph
                        for (id, count) in cut.sorted(by: { $0.key.text < $1.key.text }) where !Self.canTakeRows(id, functionCount: count, graph) {
                            throw MillstreamError(
                                .plan, "the checkpoint has rows on their way to '\(found.state(of: id)?.name ?? id.text)', which is now in one chain with what comes before it",
                                hint: "Let its chain begin as before, or start from a savepoint: it has no rows on their way.", operatorName: found.state(of: id)?.name)
                        }
                    }
                    try found.adapt(&graph, plan: plan)
                    builder.graph = graph
                    builder.restored = found
                }
            }
            var made: JobBuilder.Result
            do throws(MillstreamError) { made = try builder.build() } catch { throw points.explained(error) }
            made.notices = choice?.notices ?? []
            if let log { made.warnings = log }
            checkpoints.note(choice)
            queues.queues = made.collectQueues
            manualClock?.add(made.subtasks)
            return made
        }
        supervisor = JobSupervisor(
            job: job, jobID: jobID, checkpoints: checkpoints, configuration: configuration, restart: plan.configuration.restart, background: background,
            clock: machineClock, random: SeededRandom(seed: seed &+ 0x5EED), storage: storage, build: makeResult)
        supervisorBox.supervisor = supervisor
    }

    /// The subtasks of the first attempt.
    func build() throws(MillstreamError) -> JobBuilder.Result { try makeResult(restored, nil) }

    func start(_ made: JobBuilder.Result) {
        job.supervise(supervisor)
        supervisor.start(made)
    }

    private static func lower(_ plan: StreamPlan, _ bindings: Bindings, _ heads: [OperatorID: Int]) throws(MillstreamError) -> JobGraph {
        var lowering = Lowering(plan, bindings: bindings)
        lowering.heads = heads
        return try lowering.lower()
    }

    /// Whether an operator, if the job has it, begins a chain behind an exchange, and is made of no other functions than it was.
    private static func canTakeRows(_ id: OperatorID, functionCount: Int, _ graph: JobGraph) -> Bool {
        for task in graph.tasks {
            guard let place = task.steps.firstIndex(where: { $0.id == id }) else { continue }
            return place == 0 && !task.entries.isEmpty && Lowering.functionCount(task.steps[0].node.name) == functionCount
        }
        return true
    }

    private final class SupervisorBox: @unchecked Sendable { weak var supervisor: JobSupervisor? }
    /// Where chains are cut for the rows in flight of the checkpoint that the job started from. It stays so: a restart of one region builds the same graph.
    private final class HeadBox: @unchecked Sendable { var heads: [OperatorID: Int] = [:] }
    /// The queues of collecting sinks, which outlive an attempt. One thread at a time.
    private final class QueueBox: @unchecked Sendable { var queues: [Int: CollectQueue] = [:] }

    /// The savepoint or checkpoint at a path, that of its directory or of its manifest; then those that a job may fall back to.
    private static func savepoints(
        _ path: String, _ configuration: CheckpointConfiguration, _ storage: any Storage
    ) throws(MillstreamError) -> [JobCheckpoints.Completed] {
        var root = path
        while root.count > 1, root.hasSuffix("/") { root.removeLast() }
        if root.hasSuffix("/" + Manifest.name) { root.removeLast(Manifest.name.count + 1) }
        let older: [String]
        if let given = configuration.olderPaths { older = given } else { older = try checkpoints(before: root, storage) }
        guard storage.exists("\(root)/\(Manifest.name)") || (configuration.fallsBack && !older.isEmpty) else {
            throw Manifest.missing(at: path)
        }
        var result: [JobCheckpoints.Completed] = []
        for place in [root] + older {
            // A checkpoint may need objects that lie beside its own directory.
            let slash = place.lastIndex(of: "/") ?? place.startIndex
            let group = String(place[place.index(after: slash)...])
            let directory = try CheckpointDirectory(storage, root: String(place[..<slash]), isReadOnly: true)
            // Where the manifest is damaged, the name of the directory has its number.
            let id: CheckpointID
            do throws(MillstreamError) { id = try RestoredCheckpoint(directory, group: group, objects: nil).manifest.id } catch {
                guard error.damagedFile != nil else { throw error }
                id = CheckpointID(number(of: place) ?? 0)
            }
            result.append(JobCheckpoints.Completed(id: id, storage: directory, group: group))
        }
        return result
    }

    /// The complete checkpoints of the same run that come before the one at `root`, the newest first.
    private static func checkpoints(before root: String, _ storage: any Storage) throws(MillstreamError) -> [String] {
        guard let own = number(of: root), let slash = root.lastIndex(of: "/"), slash != root.startIndex else { return [] }
        let parent = String(root[..<slash])
        guard storage.exists(parent) else { return [] }
        let numbers = try storage.list(parent).compactMap { number(of: "/" + $0) }.filter { $0 < own }
        return numbers.sorted(by: >).map { "\(parent)/chk-\($0)" }.filter { storage.exists("\($0)/\(Manifest.name)") }
    }

    /// N of a path that ends in `/chk-N`.
    private static func number(of path: String) -> Int64? {
        let prefix = "chk-"
        guard let name = path.split(separator: "/").last, name.hasPrefix(prefix) else { return nil }
        return Int64(name.dropFirst(prefix.count))
    }

    /// The sinks of a job, and whether they make results visible at checkpoints.
    private static func sinks(
        _ graph: JobGraph, _ environment: ConnectorEnvironment
    ) -> [(id: OperatorID, name: String, commits: () throws(MillstreamError) -> Bool)] {
        var sinks: [(id: OperatorID, name: String, commits: () throws(MillstreamError) -> Bool)] = []
        for step in graph.tasks.flatMap(\.steps) {
            guard case .sink(let description) = step.node.operation else { continue }
            sinks.append((step.id, step.node.name, { () throws(MillstreamError) in
                if case .collect = description.kind { return true }
                let committer = try SinkFactory.make(description, input: step.inputs.first ?? Schema([]), environment: environment).makeCommitter()
                committer?.close()
                return committer != nil
            }))
        }
        return sinks
    }
}

extension CheckpointCoordinator.Settings {
    init(_ configuration: CheckpointConfiguration) {
        self.init()
        interval = configuration.intervalMilliseconds
        timeout = configuration.timeoutMilliseconds
        minPause = configuration.minPauseMilliseconds
        maxConcurrent = configuration.maxConcurrent
        tolerableFailures = configuration.tolerableFailures < 0 ? nil : configuration.tolerableFailures
        retained = configuration.retained
        alignment = configuration.mode == .atLeastOnce ? .atLeastOnce : .exactlyOnce
        guard configuration.overtakes else { return }
        // What is in flight is kept for one checkpoint at a time, as in Flink.
        maxConcurrent = 1
        if configuration.alignedTimeoutMilliseconds == 0 { alignment = .unaligned }
    }
}

extension CheckpointConfiguration {
    /// Whether barriers may go ahead of rows: only where each row counts once, as in Flink.
    var overtakes: Bool { isUnaligned && mode == .exactlyOnce }
}

extension Compression {
    init(_ configuration: CheckpointConfiguration.Compression) {
        switch configuration {
        case .none: self = .none
        case .lz4: self = .lz4
        case .zstd: self = .zstd
        }
    }
}

extension RestoredCheckpoint {
    /// Fits a job to the checkpoint that it goes on from: operators take over the max parallelism under which their keys were grouped.
    ///
    /// Throws `configuration` where the user has chosen another one, and `plan` for state of operators that the job has not, unless that is allowed.
    func adapt(_ graph: inout JobGraph, plan: StreamPlan) throws(MillstreamError) {
        var known: Set<OperatorID> = []
        for index in graph.tasks.indices {
            for step in graph.tasks[index].steps {
                known.insert(step.id)
                guard let state = state(of: step.id), state.maxParallelism != graph.tasks[index].maxParallelism, !state.files.isEmpty else { continue }
                if let chosen = step.node.maxParallelism ?? plan.configuration.maxParallelism, chosen != state.maxParallelism {
                    throw MillstreamError(
                        .configuration,
                        "'\(step.node.name)' has the max parallelism \(chosen), but its state was saved with \(state.maxParallelism)",
                        hint: "The max parallelism decides where a key's state is: it cannot change.", operatorName: step.node.name)
                }
                guard graph.tasks[index].parallelism <= state.maxParallelism else {
                    throw MillstreamError(
                        .configuration,
                        "'\(step.node.name)' has the parallelism \(graph.tasks[index].parallelism), but its state was saved with a max parallelism of "
                            + "\(state.maxParallelism)", operatorName: step.node.name)
                }
                graph.tasks[index].maxParallelism = state.maxParallelism
            }
        }
        if plan.configuration.checkpoints.allowsNonRestoredState { return }
        var lost: [Manifest.OperatorState] = []
        for state in manifest.operators where !known.contains(state.id) { if try hasState(state) { lost.append(state) } }
        guard let first = lost.first else { return }
        let all = lost.map { "'\($0.name)' (uid \($0.id.text), \($0.files.reduce(0) { $0 + $1.file.byteCount }) bytes)" }.joined(separator: ", ")
        throw MillstreamError(
            .plan, "the checkpoint has state of operators that the job has not: \(all)",
            hint: "Give the operator the uid '\(first.id.text)' with .uid(), or allow its state to be left behind "
                + "(execution.state-recovery.ignore-unclaimed-state).")
    }

    /// Whether it has anything of an operator but its progress. An operator without state may go, or be joined to another, as in Flink.
    private func hasState(_ state: Manifest.OperatorState) throws(MillstreamError) -> Bool {
        if !state.coordinator.isEmpty { return true }
        for file in state.files {
            if !file.stores.isEmpty { return true }
            if try open(file, of: state.parallelism).names.contains(where: { !RuntimePart.isProgress($0) }) { return true }
        }
        return false
    }
}
