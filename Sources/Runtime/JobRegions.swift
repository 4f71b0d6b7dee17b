import Columnar
import Plan

/// Which subtasks of a job depend on each other: those of tasks that an exchange connects, and of sources that wait for each other (watermark alignment).
///
/// What depends on nothing that failed goes on while the rest starts anew (Flink's pipelined regions). Subtasks of one task share what its source or sink
/// shares, so that a task is never divided: a region is a connected part of the job's graph.
struct JobRegions: Equatable {
    /// The region of each task; numbered from 0 by their first tasks.
    let ofTask: [Int]
    /// The region of each subtask, by its number.
    let ofSubtask: [Int]
    let count: Int
    /// The region of each collecting sink, by its node.
    let ofCollectingSink: [Int: Int]

    init(_ graph: JobGraph) {
        var parent = Array(graph.tasks.indices)
        func root(_ task: Int) -> Int {
            var task = task
            while parent[task] != task { task = parent[task] }
            return task
        }
        func join(_ left: Int, _ right: Int) {
            let (left, right) = (root(left), root(right))
            parent[max(left, right)] = min(left, right)
        }
        for exchange in graph.exchanges { join(exchange.producer, exchange.consumer) }
        var aligned: [String: Int] = [:]
        for (task, entry) in graph.tasks.enumerated() {
            for step in entry.steps {
                guard case .assignTimestamps(let description) = step.node.operation, let group = description.alignment?.group else { continue }
                join(task, aligned[group] ?? task)
                aligned[group] = aligned[group] ?? task
            }
        }
        var numbers: [Int: Int] = [:]
        var ofTask: [Int] = []
        for task in graph.tasks.indices {
            let first = root(task)
            let number = numbers[first] ?? numbers.count
            numbers[first] = number
            ofTask.append(number)
        }
        self.ofTask = ofTask
        ofSubtask = graph.tasks.indices.flatMap { Array(repeating: ofTask[$0], count: graph.tasks[$0].parallelism) }
        count = numbers.count
        var ofCollectingSink: [Int: Int] = [:]
        for (task, entry) in graph.tasks.enumerated() {
            for step in entry.steps {
                if case .sink(let sink) = step.node.operation, case .collect = sink.kind { ofCollectingSink[step.node.id.value] = ofTask[task] }
            }
        }
        self.ofCollectingSink = ofCollectingSink
    }
}

/// How the regions of a running job are: plain state, for whoever holds the job's lock.
struct JobRegionStates {
    private struct State {
        var liveCount: Int
        /// The first failure of the attempt.
        var failure: MillstreamError?
        /// Failed, and without subtasks until the next attempt.
        var isDown = false
    }

    private let regions: JobRegions?
    private var states: [State] = []

    init() { regions = nil }

    /// `isOn` false, or one region alone: nothing is told apart.
    init(_ regions: JobRegions, isOn: Bool) {
        guard isOn, regions.count > 1 else {
            self.regions = nil
            return
        }
        self.regions = regions
        states = (0..<regions.count).map { region in State(liveCount: regions.ofSubtask.count { $0 == region }) }
    }

    var regionOfSink: [Int: Int] { regions?.ofCollectingSink ?? [:] }
    var isAnyDown: Bool { states.contains { $0.isDown } }

    func region(of subtask: Int) -> Int { regions?.ofSubtask[subtask] ?? 0 }

    /// A subtask has failed. The region whose subtasks are to stop; nil where it is the whole job that fails.
    mutating func fail(_ subtask: Int, _ error: MillstreamError) -> Int? {
        // Nobody but a person can say what became of such a commit: the job stops.
        guard regions != nil, error.code != .commitUnknown else { return nil }
        let region = region(of: subtask)
        if states[region].failure == nil { states[region].failure = error } else { states[region].failure?.suppress(error) }
        return region
    }

    /// A subtask has ended. What its region has failed with, if it was the last one of it.
    mutating func end(_ subtask: Int) -> (region: Int, failure: MillstreamError)? {
        guard regions != nil else { return nil }
        let region = region(of: subtask)
        states[region].liveCount -= 1
        guard states[region].liveCount == 0, let failure = states[region].failure else { return nil }
        states[region].isDown = true
        return (region, failure)
    }

    /// The region has all its subtasks again.
    mutating func begin(_ region: Int) {
        guard let regions else { return }
        states[region] = State(liveCount: regions.ofSubtask.count { $0 == region })
    }
}
