import Columnar
import Dataflow

/// Brings a checkpoint's barriers from all channels together, as the barrier's alignment says.
///
/// - exactly once: channels that have the barrier are blocked until the others have it, then it goes on.
/// - at least once: nothing is blocked; the barrier goes on when all channels had it. Several checkpoints may be on their way at once.
/// - unaligned: the first barrier goes on at once. What the other channels bring before theirs is in flight, and belongs to the checkpoint.
///
/// Barriers follow the end of a channel's rows too: a subtask of a job with checkpoints lives until the last one is complete.
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
    /// The checkpoint that is waited for; several only where nothing is blocked. The oldest first.
    private var waiting: [Waiting] = []
    /// Later barriers of this checkpoint and of those before it mean nothing.
    private var doneThrough: CheckpointID?
    /// Checkpoints behind that which were given up.
    private var aborted: [CheckpointID] = []
    private var overtakesThrough: CheckpointID?

    /// How many checkpoints are counted at once, as in Flink.
    private static let waitingCountMax = 50

    public init(channelCount: Int) { self.channelCount = channelCount }

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
                Waiting(barrier: mayOvertake ? barrier.overtaking : barrier, arrived: Array(repeating: false, count: channelCount), missingCount: channelCount)
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
            waiting.insert(Waiting(barrier: barrier, arrived: Array(repeating: false, count: channelCount), missingCount: channelCount), at: place)
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
