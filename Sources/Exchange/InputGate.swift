import Columnar
import Dataflow

/// What a gate hands to a chain's first operator.
public enum GateEvent: Sendable {
    case batch(Batch, input: Int, byteCount: Int)
    /// The combined watermark of all inputs has advanced.
    case watermark(EventTime)
    case status(WatermarkStatus)
    /// Every channel has delivered the barrier.
    case barrier(CheckpointBarrier)
    /// All channels of an input have ended.
    case endOfInput(Int)
}

/// The consumer's end of all channels of a subtask: reads them in turn and merges what stands between the rows.
public final class InputGate {
    private let channels: [Channel]
    /// The input that each channel belongs to, and its place among that input's channels.
    private let inputs: [Int]
    private let places: [Int]
    private var valves: [WatermarkValve]
    private var combined: CombinedWatermark
    private var aligner: BarrierAligner
    private var openChannels: [Int]
    private var ended: [Bool]
    /// Whether it goes on from a checkpoint.
    private var isRestored = false
    private var next = 0
    /// What one message set free beyond its first event; at most a handful.
    private var pending: [GateEvent] = []
    private var pendingStart = 0

    /// `inputs[i]` are the channels of the operator's input i; each has at least one.
    public init(inputs: [[Channel]]) {
        channels = inputs.flatMap { $0 }
        self.inputs = inputs.enumerated().flatMap { input, channels in channels.map { _ in input } }
        places = inputs.flatMap { Array($0.indices) }
        valves = inputs.map { WatermarkValve(channelCount: $0.count) }
        combined = CombinedWatermark(count: inputs.count)
        aligner = BarrierAligner(channelCount: channels.count)
        openChannels = inputs.map(\.count)
        ended = Array(repeating: false, count: channels.count)
    }

    /// The combined watermark.
    public var watermark: EventTime { combined.watermark }

    /// How far event time has come in each input, for a checkpoint.
    public var progress: [InputProgress] { valves.map(\.progress) }

    /// Goes on from where the gate of an earlier run was; before the first `read`.
    public func restore(_ progress: [InputProgress]) {
        guard progress.count == valves.count else { return }
        isRestored = true
        for index in valves.indices { valves[index].restore(progress[index]) }
        combined.restore(progress.map { ($0.output, !$0.channels.isEmpty && $0.channels.allSatisfy(\.isIdle)) })
        for (index, channel) in channels.enumerated() {
            let known = valves[inputs[index]].progress.channels[places[index]]
            channel.progress.watermark.set(known.watermark.milliseconds)
            channel.progress.isIdle.set(known.isIdle ? 1 : 0)
        }
    }

    /// Bytes waiting in the channels.
    public var queuedByteCount: Int { channels.reduce(0) { $0 + $1.queuedByteCount } }

    /// The next event, or nil when no channel that may be read has one.
    public func read() -> GateEvent? {
        while true {
            if let event = popPending() { return event }
            guard let (channel, entry) = receive() else { return nil }
            switch entry.message {
            case .batch(let batch): return .batch(batch, input: inputs[channel], byteCount: entry.byteCount)
            case .watermark(let watermark):
                channels[channel].progress.watermark.set(watermark.milliseconds)
                pass(valves[inputs[channel]].onWatermark(watermark, channel: places[channel]), inputs[channel])
            case .status(let status):
                channels[channel].progress.isIdle.set(status == .idle ? 1 : 0)
                pass(valves[inputs[channel]].onStatus(status, channel: places[channel]), inputs[channel])
            case .barrier(let barrier): if let done = aligner.onBarrier(barrier, channel: channel) { pending.append(.barrier(done)) }
            case .endOfInput: end(channel)
            }
        }
    }

    /// Drops what the channels hold and lets their ends go.
    public func close() {
        for channel in channels { channel.close() }
    }

    /// One message of the next channel in turn that has one and is not blocked by a barrier.
    private func receive() -> (channel: Int, entry: (message: Message, byteCount: Int))? {
        var index = next
        for _ in 0..<channels.count {
            if index >= channels.count { index = 0 }
            if channels[index].isReadable, !aligner.isBlocked(index), let entry = channels[index].receive() {
                next = index + 1
                return (index, entry)
            }
            index += 1
        }
        return nil
    }

    private func pass(_ result: WatermarkValve.Result, _ input: Int) {
        if let watermark = result.watermark, let advanced = combined.onWatermark(watermark, part: input) {
            pending.append(.watermark(advanced))
        }
        guard let status = result.status else { return }
        let merged = combined.onStatus(status, part: input)
        if let watermark = merged.watermark { pending.append(.watermark(watermark)) }
        if let status = merged.status { pending.append(.status(status)) }
    }

    private func end(_ channel: Int) {
        guard !ended[channel] else { return }
        ended[channel] = true
        channels[channel].progress.hasEnded.set(1)
        let input = inputs[channel]
        // Who had ended before the checkpoint gives its last watermark no second time, and here the channels may be others than those that had it.
        if isRestored { pass(valves[input].onWatermark(.max, channel: places[channel]), input) }
        openChannels[input] -= 1
        if openChannels[input] == 0 { pending.append(.endOfInput(input)) }
    }

    private func popPending() -> GateEvent? {
        guard pendingStart < pending.count else { return nil }
        let event = pending[pendingStart]
        pendingStart += 1
        if pendingStart == pending.count {
            pending.removeAll(keepingCapacity: true)
            pendingStart = 0
        }
        return event
    }
}
