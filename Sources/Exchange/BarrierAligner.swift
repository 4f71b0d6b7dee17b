import Columnar
import Dataflow

/// Brings a checkpoint's barriers from all channels together, as the barrier's alignment says.
///
/// - exactly once: channels that have the barrier are blocked until the others have it, then it goes on.
/// - at least once: nothing is blocked; the barrier goes on when all channels had it. Several checkpoints may be on their way at once.
/// - unaligned: the first barrier goes on at once. What the other channels bring before theirs is in flight, and belongs to the checkpoint.
///
/// Barriers follow the end of a channel's rows too where a job's subtasks live until its last checkpoint is complete. Where they go with their input,
/// for savepoints of jobs without checkpoints, the end of a channel counts for all barriers.
public struct BarrierAligner {
    /// What a barrier leads to.
    public enum Step: Equatable {
        case nothing
        /// It goes on, and all that came before it is done.
        case pass(CheckpointBarrier)
        /// It goes on ahead of what is in flight.
        case passAhead(CheckpointBarrier)
    }

    private struct Waiting {
        var barrier: CheckpointBarrier
        var arrived: [Bool]
        var missingCount: Int

        mutating func arrive(_ channel: Int) {
            if !arrived[channel] {
                arrived[channel] = true
                missingCount -= 1
            }
        }
    }

    private let channelCount: Int
    /// Channels that bring no barriers any more.
    private var ended: [Bool]
    private let endsCount: Bool
    /// The checkpoint that is waited for; several only where nothing is blocked. The oldest first.
    private var waiting: [Waiting] = []
    /// Later barriers of this checkpoint and of those before it mean nothing.
    private var doneThrough: CheckpointID?
    /// Checkpoints behind that which were given up.
    private var aborted: [CheckpointID] = []
    private var overtakesThrough: CheckpointID?

    /// How many checkpoints are counted at once, as in Flink.
    static let waitingCountMax = 50

    /// `endsCount`: no barrier follows the end of a channel.
    public init(channelCount: Int, endsCount: Bool = false) {
        self.channelCount = channelCount
        self.endsCount = endsCount
        ended = Array(repeating: false, count: channelCount)
    }

    private func start(_ barrier: CheckpointBarrier) -> Waiting {
        Waiting(barrier: barrier, arrived: ended, missingCount: ended.count { !$0 })
    }

    /// A barrier that no channel brings, because whoever wrote to them is gone: it goes on behind the last row.
    public mutating func expect(_ barrier: CheckpointBarrier) -> Step {
        guard endsCount, isWanted(barrier), waiting.first?.barrier.id != barrier.id else { return .nothing }
        waiting = [start(barrier)]
        guard waiting[0].missingCount == 0 else { return .nothing }
        finish(barrier.id)
        return .pass(barrier)
    }

    /// A channel has come to its end. The barrier that was missing in it alone goes on.
    public mutating func onEnd(_ channel: Int) -> Step {
        guard endsCount, !ended[channel] else { return .nothing }
        ended[channel] = true
        for index in waiting.indices { waiting[index].arrive(channel) }
        // Those that are ahead of what is in flight have passed.
        guard let whole = waiting.last(where: { $0.missingCount == 0 && $0.barrier.alignment != .unaligned }) else { return .nothing }
        finish(whole.barrier.id)
        return .pass(whole.barrier)
    }

    /// Whether a channel must not be read before the others have the barrier too.
    public func isBlocked(_ channel: Int) -> Bool {
        guard let first = waiting.first, first.barrier.alignment == .exactlyOnce else { return false }
        return first.arrived[channel]
    }

    /// Whether a barrier has passed ahead of what is in flight, and others are still missing.
    public var isAhead: Bool { waiting.first?.barrier.alignment == .unaligned }

    /// The unaligned checkpoint whose barrier has passed and is still missing in this channel.
    public func inFlight(_ channel: Int) -> CheckpointID? {
        guard let first = waiting.first, first.barrier.alignment == .unaligned, !first.arrived[channel] else { return nil }
        return first.barrier.id
    }

    /// The unaligned checkpoint whose barrier all channels have had now; once.
    public mutating func takeWhole() -> CheckpointID? {
        guard let first = waiting.first, first.barrier.alignment == .unaligned, first.missingCount == 0 else { return nil }
        finish(first.barrier.id)
        return first.barrier.id
    }

    /// Whether the barrier is of a checkpoint that is still wanted.
    public func isWanted(_ barrier: CheckpointBarrier) -> Bool {
        if let doneThrough, barrier.id <= doneThrough { return false }
        if aborted.contains(barrier.id) { return false }
        return barrier.alignment == .atLeastOnce || waiting.first.map { $0.barrier.id <= barrier.id } ?? true
    }

    /// A newer checkpoint replaces one that blocks, or that is in flight: that one has failed.
    public mutating func onBarrier(_ barrier: CheckpointBarrier, channel: Int) -> Step {
        guard isWanted(barrier) else { return .nothing }
        if barrier.alignment == .atLeastOnce { return count(barrier, channel) }
        var isFirst = false
        if waiting.first?.barrier.id != barrier.id {
            isFirst = true
            let mayOvertake = barrier.alignment == .unaligned || overtakesThrough.map { barrier.id <= $0 } ?? false
            waiting = [
                start(mayOvertake ? barrier.overtaking : barrier)
            ]
        }
        waiting[0].arrive(channel)
        let running = waiting[0].barrier
        // One that overtook on its way here overtakes from here on.
        if running.alignment != .unaligned, barrier.alignment == .unaligned {
            waiting[0].barrier = barrier
            return .passAhead(barrier)
        }
        if running.alignment == .unaligned { return isFirst ? .passAhead(running) : .nothing }
        guard waiting[0].missingCount == 0 else { return .nothing }
        finish(running.id)
        return .pass(running)
    }

    private mutating func count(_ barrier: CheckpointBarrier, _ channel: Int) -> Step {
        var place = waiting.firstIndex { $0.barrier.id >= barrier.id } ?? waiting.count
        if place == waiting.count || waiting[place].barrier.id != barrier.id {
            waiting.insert(start(barrier), at: place)
            if waiting.count > Self.waitingCountMax {
                waiting.removeFirst()
                place -= 1
                guard place >= 0 else { return .nothing }
            }
        }
        waiting[place].arrive(channel)
        guard waiting[place].missingCount == 0 else { return .nothing }
        // Each channel has its barriers in order, so that those before it will never be whole.
        finish(barrier.id)
        return .pass(barrier)
    }

    /// The checkpoint need not wait any longer: its barriers overtake from now on.
    public mutating func overtake(_ id: CheckpointID) -> Step {
        overtakesThrough = max(overtakesThrough ?? id, id)
        guard let first = waiting.first, first.barrier.id == id, first.barrier.alignment == .exactlyOnce else { return .nothing }
        waiting[0].barrier = first.barrier.overtaking
        return .passAhead(waiting[0].barrier)
    }

    /// The checkpoint is given up.
    public mutating func abort(_ id: CheckpointID) {
        waiting.removeAll { $0.barrier.id == id }
        if doneThrough.map({ $0 < id }) ?? true { aborted.append(id) }
    }

    private mutating func finish(_ id: CheckpointID) {
        waiting.removeAll { $0.barrier.id <= id }
        doneThrough = max(doneThrough ?? id, id)
        aborted.removeAll { $0 <= id }
    }
}

extension CheckpointBarrier {
    /// The same barrier, going ahead of the rows from here on.
    var overtaking: CheckpointBarrier { CheckpointBarrier(id: id, triggered: triggered, alignment: .unaligned, isSavepoint: isSavepoint) }
}
