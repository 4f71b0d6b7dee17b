import Columnar
import Dataflow

/// Waits for a checkpoint's barrier from every channel; channels that have it are blocked meanwhile.
///
/// Barriers follow the end of a channel's rows too: a subtask of a job with checkpoints lives until the last one is complete.
public struct BarrierAligner {
    private var arrived: [Bool]
    private var waitingCount: Int
    private var current: CheckpointBarrier?

    public init(channelCount: Int) {
        arrived = Array(repeating: false, count: channelCount)
        waitingCount = channelCount
    }

    /// Whether a channel must not be read before the others have the barrier too.
    public func isBlocked(_ channel: Int) -> Bool { current?.alignment == .exactlyOnce && arrived[channel] }

    /// The barrier, once every channel has it. A newer one replaces one that is still waiting: that checkpoint has failed.
    public mutating func onBarrier(_ barrier: CheckpointBarrier, channel: Int) -> CheckpointBarrier? {
        if let running = current {
            guard barrier.id >= running.id else { return nil }
            if barrier.id > running.id { reset() }
        }
        current = barrier
        if !arrived[channel] {
            arrived[channel] = true
            waitingCount -= 1
        }
        return completed()
    }

    private mutating func completed() -> CheckpointBarrier? {
        guard waitingCount == 0, let barrier = current else { return nil }
        current = nil
        reset()
        return barrier
    }

    private mutating func reset() {
        arrived = Array(repeating: false, count: arrived.count)
        waitingCount = arrived.count
    }
}
