import Columnar
import Dataflow

/// Waits for a checkpoint's barrier from every channel that has not ended; channels that have it are blocked meanwhile.
public struct BarrierAligner {
    private var arrived: [Bool]
    private var hasEnded: [Bool]
    private var waitingCount: Int
    private var current: CheckpointBarrier?

    public init(channelCount: Int) {
        arrived = Array(repeating: false, count: channelCount)
        hasEnded = arrived
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

    /// A channel that has ended is waited for no longer.
    public mutating func onEnd(channel: Int) -> CheckpointBarrier? {
        guard !hasEnded[channel] else { return nil }
        hasEnded[channel] = true
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
        arrived = hasEnded
        waitingCount = arrived.reduce(0) { $0 + ($1 ? 0 : 1) }
    }
}
