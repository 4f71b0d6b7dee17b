import Columnar
import Dataflow

/// Merges the watermarks and statuses of an input's channels, exactly as Flink's `StatusWatermarkValve`.
///
/// The output is the minimum over the channels that are active and aligned, and never falls. A channel that becomes idle no longer holds it back;
/// one that comes back with an older watermark stays unaligned, and is left out of the minimum, until it has caught up. When the last active
/// channel becomes idle and it held the minimum, the maximum over all channels goes out before the idle status.
public struct WatermarkValve {
    /// What the valve lets through, in order: a watermark, then a status.
    public struct Result: Equatable {
        public var watermark: EventTime?
        public var status: WatermarkStatus?

        public init(watermark: EventTime? = nil, status: WatermarkStatus? = nil) {
            self.watermark = watermark
            self.status = status
        }
    }

    private struct ChannelState {
        var watermark = EventTime.min
        var isActive = true
        var isAligned = true
    }

    private var channels: [ChannelState]
    private var activeCount: Int
    private var isActive = true
    /// Whether an aligned channel is known to be at the output; not so after a channel has come or gone.
    private var isOutputHeld = true
    /// The last watermark that went out.
    public private(set) var output = EventTime.min

    public init(channelCount: Int) {
        channels = Array(repeating: ChannelState(), count: channelCount)
        activeCount = channelCount
    }

    /// How far each channel has come, for a checkpoint.
    public var progress: InputProgress { InputProgress(output: output, channels: channels.indices.map { progress(of: $0) }) }

    /// How far one of them has come.
    func progress(of channel: Int) -> InputProgress.Channel {
        InputProgress.Channel(watermark: channels[channel].watermark, isIdle: !channels[channel].isActive)
    }

    /// Goes on from where an earlier valve was, without letting anything through. Where there are other channels than then, each is as far as the output was.
    public mutating func restore(_ progress: InputProgress) {
        output = progress.output
        for index in channels.indices {
            let known = progress.channels.count == channels.count ? progress.channels[index] : InputProgress.Channel(watermark: output, isIdle: false)
            channels[index] = ChannelState(watermark: known.watermark, isActive: !known.isIdle, isAligned: !known.isIdle && known.watermark >= output)
        }
        activeCount = channels.count { $0.isActive }
        isActive = activeCount > 0
        isOutputHeld = false
    }

    /// What the channels allow already, behind `restore`: the minimum of those that are active, or that none is.
    public mutating func settle() -> Result {
        guard isActive else { return Result(status: .idle) }
        return Result(watermark: advanceToMinimum())
    }

    public mutating func onWatermark(_ watermark: EventTime, channel: Int) -> Result {
        var result = Result()
        let before = channels[channel]
        guard isActive, before.isActive, watermark > before.watermark else { return result }
        channels[channel].watermark = watermark
        if !before.isAligned {
            if watermark >= output { channels[channel].isAligned = true }
        } else if isOutputHeld, before.watermark > output {
            // Somebody else holds the minimum, so it cannot have moved.
            return result
        }
        result.watermark = advanceToMinimum()
        return result
    }

    public mutating func onStatus(_ status: WatermarkStatus, channel: Int) -> Result {
        switch status {
        case .idle: becomeIdle(channel)
        case .active: becomeActive(channel)
        }
    }

    private mutating func becomeIdle(_ channel: Int) -> Result {
        var result = Result()
        guard channels[channel].isActive else { return result }
        channels[channel].isActive = false
        channels[channel].isAligned = false
        isOutputHeld = false
        activeCount -= 1
        let heldMinimum = channels[channel].watermark == output
        if activeCount == 0 {
            if heldMinimum { result.watermark = advance(to: channels.map(\.watermark).max()) }
            isActive = false
            result.status = .idle
        } else if heldMinimum {
            result.watermark = advanceToMinimum()
        }
        return result
    }

    private mutating func becomeActive(_ channel: Int) -> Result {
        var result = Result()
        guard !channels[channel].isActive else { return result }
        channels[channel].isActive = true
        isOutputHeld = false
        activeCount += 1
        if channels[channel].watermark >= output { channels[channel].isAligned = true }
        if !isActive {
            isActive = true
            result.status = .active
        }
        return result
    }

    private mutating func advanceToMinimum() -> EventTime? {
        var minimum: EventTime?
        for channel in channels where channel.isAligned {
            minimum = minimum.map { Swift.min($0, channel.watermark) } ?? channel.watermark
        }
        let advanced = advance(to: minimum)
        isOutputHeld = minimum == output
        return advanced
    }

    private mutating func advance(to watermark: EventTime?) -> EventTime? {
        guard let watermark, watermark > output else { return nil }
        output = watermark
        return watermark
    }
}

/// How far event time has come in an input: part of a checkpoint, so that no result depends on where a crash fell.
public struct InputProgress: Hashable, Sendable {
    public struct Channel: Hashable, Sendable {
        public var watermark: EventTime
        public var isIdle: Bool

        public init(watermark: EventTime, isIdle: Bool) {
            self.watermark = watermark
            self.isIdle = isIdle
        }
    }

    /// The watermark that the input has let through.
    public var output: EventTime
    public var channels: [Channel]

    public init(output: EventTime, channels: [Channel]) {
        self.output = output
        self.channels = channels
    }
}
