import Checkpoint
import Columnar
import Dataflow
import TestColumns
import Testing

private func at(_ milliseconds: Int64) -> ProcessingTime { ProcessingTime(milliseconds: milliseconds) }

private func settings(_ change: (inout CheckpointCoordinator.Settings) -> Void) -> CheckpointCoordinator.Settings {
    var settings = CheckpointCoordinator.Settings()
    change(&settings)
    return settings
}

extension CheckpointCoordinator.Action {
    fileprivate var triggered: CheckpointBarrier? { if case .trigger(let barrier) = self { barrier } else { nil } }
}

@Suite struct CheckpointCoordinatorTests {
    @Test func aCheckpointFromTriggerToCompletion() {
        var coordinator = CheckpointCoordinator(settings { $0.interval = 100 }, subtaskCount: 2, now: at(0))
        #expect(coordinator.nextTime == at(100))
        #expect(coordinator.onTime(at(99)) == [])
        let barrier = CheckpointBarrier(id: CheckpointID(1), triggered: at(100), alignment: .exactlyOnce, isSavepoint: false)
        #expect(coordinator.onTime(at(100)) == [.trigger(barrier)])
        #expect(coordinator.onAcknowledged(CheckpointID(1), subtask: 0) == [])
        #expect(coordinator.onAcknowledged(CheckpointID(1), subtask: 0) == [])
        #expect(coordinator.onAcknowledged(CheckpointID(1), subtask: 1) == [.store(CheckpointID(1))])
        #expect(coordinator.onStored(CheckpointID(1), now: at(130)) == [.notifyComplete(CheckpointID(1))])
        #expect(coordinator.nextTime == at(200))
    }

    @Test func theMinimumPauseCountsFromTheEnd() {
        var coordinator = CheckpointCoordinator(settings { $0.interval = 100; $0.minPause = 50; $0.maxConcurrent = 5 }, subtaskCount: 1, now: at(0))
        _ = coordinator.onTime(at(100))
        // One at a time with a minimum pause.
        #expect(coordinator.onTime(at(200)) == [])
        _ = coordinator.onAcknowledged(CheckpointID(1), subtask: 0)
        #expect(coordinator.onStored(CheckpointID(1), now: at(210)).count == 1)
        #expect(coordinator.nextTime == at(260))
        #expect(coordinator.onTime(at(260)).compactMap(\.triggered).map(\.id) == [CheckpointID(2)])
    }

    @Test func aNewerCompletedCheckpointSubsumesOlderOnes() {
        var coordinator = CheckpointCoordinator(settings { $0.interval = 10; $0.maxConcurrent = 3; $0.tolerableFailures = 0 }, subtaskCount: 1, now: at(0))
        for time in [10, 20, 30] as [Int64] { _ = coordinator.onTime(at(time)) }
        _ = coordinator.onAcknowledged(CheckpointID(2), subtask: 0)
        #expect(coordinator.onStored(CheckpointID(2), now: at(35)).prefix(2) == [.notifyComplete(CheckpointID(2)), .abort(CheckpointID(1), .subsumed)])
        // Whatever comes of the subsumed one changes nothing.
        #expect(coordinator.onAcknowledged(CheckpointID(1), subtask: 0) == [])
    }

    @Test func failedSavepointsDoNotFailTheJob() {
        var coordinator = CheckpointCoordinator(settings { $0.interval = 100; $0.tolerableFailures = 0 }, subtaskCount: 1, now: at(0))
        for id in 1...3 as ClosedRange<Int64> {
            #expect(coordinator.request(isSavepoint: true, now: at(id)).compactMap(\.triggered).map(\.id) == [CheckpointID(id)])
            let failure = CheckpointCoordinator.Failure.declined("no")
            #expect(coordinator.onDeclined(CheckpointID(id), reason: "no", now: at(id)) == [.abort(CheckpointID(id), failure)])
        }
        _ = coordinator.onTime(at(100))
        #expect(coordinator.onDeclined(CheckpointID(4), reason: "no", now: at(101)).last == .failJob(.declined("no")))
    }

    @Test func nothingIsTriggeredBehindASavepointThatTheJobStopsWith() {
        for fails in [false, true] {
            var coordinator = CheckpointCoordinator(settings { $0.interval = 10; $0.maxConcurrent = 3; $0.tolerableFailures = nil }, subtaskCount: 1, now: at(0))
            _ = coordinator.onTime(at(10))
            #expect(coordinator.request(isSavepoint: true, stops: true, now: at(15)).compactMap(\.triggered).map(\.id) == [CheckpointID(2)])
            #expect(coordinator.onTime(at(20)) == [])
            #expect(coordinator.request(isSavepoint: false, now: at(21)) == [])
            // What was under way before it comes to its end.
            #expect(coordinator.onAcknowledged(CheckpointID(1), subtask: 0) == [.store(CheckpointID(1))])
            #expect(coordinator.onStored(CheckpointID(1), now: at(25)) == [.notifyComplete(CheckpointID(1))])
            if fails {
                let actions = coordinator.onDeclined(CheckpointID(2), reason: "no", now: at(30))
                #expect(actions.compactMap(\.triggered).map(\.id) == [CheckpointID(3), CheckpointID(4)])
            } else {
                #expect(coordinator.onAcknowledged(CheckpointID(2), subtask: 0) == [.store(CheckpointID(2))])
                #expect(coordinator.onStored(CheckpointID(2), now: at(30)) == [.notifyComplete(CheckpointID(2))])
                #expect(coordinator.onTime(at(1_000)) == [])
            }
        }
    }

    @Test func onlyFailuresInARowCount() {
        var coordinator = CheckpointCoordinator(settings { $0.tolerableFailures = 1 }, subtaskCount: 1, now: at(0))
        func failing(_ id: Int64) -> [CheckpointCoordinator.Action] {
            _ = coordinator.request(isSavepoint: false, now: at(id))
            return coordinator.onDeclined(CheckpointID(id), reason: "no", now: at(id))
        }
        #expect(failing(1) == [.abort(CheckpointID(1), .declined("no"))])
        _ = coordinator.request(isSavepoint: false, now: at(2))
        _ = coordinator.onAcknowledged(CheckpointID(2), subtask: 0)
        _ = coordinator.onStored(CheckpointID(2), now: at(2))
        #expect(failing(3).count == 1)
        #expect(failing(4) == [.abort(CheckpointID(4), .declined("no")), .failJob(.declined("no"))])
    }

    @Test func aSavepointIsAlignedAndIsNeverDiscarded() {
        var coordinator = CheckpointCoordinator(settings { $0.alignment = .unaligned }, subtaskCount: 1, now: at(0))
        let barrier = coordinator.request(isSavepoint: true, now: at(1)).compactMap(\.triggered).first
        #expect(barrier?.alignment == .exactlyOnce && barrier?.isSavepoint == true)
        _ = coordinator.onAcknowledged(CheckpointID(1), subtask: 0)
        _ = coordinator.onStored(CheckpointID(1), now: at(2))
        for id in 2...4 as ClosedRange<Int64> {
            #expect(coordinator.request(isSavepoint: false, now: at(id)).compactMap(\.triggered).first?.alignment == .unaligned)
            _ = coordinator.onAcknowledged(CheckpointID(id), subtask: 0)
            #expect(!coordinator.onStored(CheckpointID(id), now: at(id)).contains(.discard(CheckpointID(1))))
        }
    }

    /// Whatever happens in whatever order: bounds hold, each checkpoint ends exactly once, and nothing is discarded that is still needed.
    @Test(arguments: 0..<300) func anyOrderOfEvents(seed: Int) {
        var columns = RandomColumns(seed)
        let subtasks = columns.random.int(1..<5)
        let chosen = settings {
            $0.interval = columns.random.chance(80) ? Int64(columns.random.int(1..<40)) : nil
            $0.timeout = Int64(columns.random.int(5..<100))
            $0.minPause = columns.random.chance(50) ? Int64(columns.random.int(1..<30)) : 0
            $0.maxConcurrent = columns.random.int(1..<4)
            $0.tolerableFailures = nil
            $0.retained = columns.random.int(1..<3)
        }
        var coordinator = CheckpointCoordinator(chosen, subtaskCount: subtasks, now: at(0))
        var now: Int64 = 0
        var open: [Int64: Set<Int>] = [:]
        var storing: [Int64] = []
        var ended: Set<Int64> = []
        var kept: [Int64] = []
        var savepoints: Set<Int64> = []
        var gone: Set<Int> = []
        var lastEnd: Int64?
        // What is asked for does not wait for the pause.
        var isAsked = false
        func carryOut(_ actions: [CheckpointCoordinator.Action]) {
            for action in actions {
                switch action {
                case .trigger(let barrier):
                    let id = barrier.id.value
                    #expect(open[id] == nil && !ended.contains(id))
                    open[id] = Set(0..<subtasks).subtracting(gone)
                    if barrier.isSavepoint { savepoints.insert(id) }
                    #expect(open.count <= (chosen.minPause > 0 ? 1 : chosen.maxConcurrent))
                    if let lastEnd, !isAsked, chosen.minPause > 0 { #expect(now >= lastEnd + chosen.minPause) }
                case .store(let id):
                    #expect(open[id.value]?.isEmpty == true)
                    storing.append(id.value)
                case .notifyComplete(let id):
                    #expect(open.removeValue(forKey: id.value) != nil)
                    ended.insert(id.value)
                    if !savepoints.contains(id.value) { kept.append(id.value) }
                    lastEnd = now
                case .abort(let id, _):
                    #expect(open.removeValue(forKey: id.value) != nil)
                    ended.insert(id.value)
                    storing.removeAll { $0 == id.value }
                    lastEnd = now
                case .discard(let id):
                    #expect(!savepoints.contains(id.value) && kept.count > 1 && kept.first == id.value)
                    kept.removeFirst()
                case .failJob: Issue.record("no failure is one too many")
                }
            }
        }
        for _ in 0..<300 {
            now += Int64(columns.random.int(0..<6))
            let ids = open.keys.sorted()
            let id = CheckpointID(ids.isEmpty ? 1 : ids[columns.random.int(0..<ids.count)])
            let subtask = columns.random.int(0..<subtasks)
            switch columns.random.int(0..<12) {
            case 0...5:
                if !gone.contains(subtask) {
                    open[id.value]?.remove(subtask)
                    carryOut(coordinator.onAcknowledged(id, subtask: subtask))
                }
            case 6...7:
                if let stored = storing.first {
                    storing.removeFirst()
                    carryOut(columns.random.chance(80) ? coordinator.onStored(CheckpointID(stored), now: at(now))
                        : coordinator.onStoreFailed(CheckpointID(stored), reason: "full", now: at(now)))
                }
            case 8: if columns.random.chance(20) { carryOut(coordinator.onDeclined(id, reason: "no", now: at(now))) }
            case 9:
                if columns.random.chance(10), open.isEmpty {
                    isAsked = true
                    carryOut(coordinator.request(isSavepoint: columns.random.chance(50), now: at(now)))
                    isAsked = false
                }
            case 10:
                if columns.random.chance(2) {
                    gone.insert(subtask)
                    for key in open.keys { open[key]?.remove(subtask) }
                    carryOut(coordinator.onEnded(subtask: subtask))
                }
            default: carryOut(coordinator.onTime(at(now)))
            }
            if let next = coordinator.nextTime, next.milliseconds <= now { carryOut(coordinator.onTime(at(now))) }
            if let next = coordinator.nextTime { #expect(next.milliseconds > now, "it would be called for ever") }
        }
        carryOut(coordinator.onStop(now: at(now)))
        #expect(open.isEmpty && coordinator.nextTime == nil)
    }
}
