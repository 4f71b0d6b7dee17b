import Columnar
import Dataflow

/// What a gate hands to a chain's first operator.
public enum GateEvent: Sendable {
    case batch(Batch, input: Int, byteCount: Int)
    /// The combined watermark of all inputs has advanced.
    case watermark(EventTime)
    case status(WatermarkStatus)
    /// Every channel has delivered the barrier; an unaligned one: the first channel has.
    case barrier(CheckpointBarrier)
    /// Every channel has delivered the unaligned barrier: what was in flight when it passed, channel by channel.
    case inFlight(CheckpointID, [InFlightChannel])
    /// All channels of an input have ended.
    case endOfInput(Int)
}

/// What was in a channel when an unaligned barrier passed its consumer, in order: batches, watermarks and statuses. The channel's end is not among it; it comes
/// again from its producer.
public struct InFlightChannel: Sendable {
    public var messages: [Message] = []
    /// How many of them, the first ones, the consumer read between its snapshot and the channel's own barrier. The others the barrier overtook.
    public var readCount = 0
    /// The room that they took in the channel.
    public var byteCount = 0

    public init() {}
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
    private var hasPendingBarrier = false
    private let alarm = BarrierAlarm()
    /// What is in flight for the unaligned checkpoint that is on its way, by channel.
    private var inFlight: [InFlightChannel] = []
    /// Barriers that came in some channels whose rows are read on: how far event time had come in each of those. The oldest first.
    private var passing: [(id: CheckpointID, channels: [InputProgress.Channel?])] = []
    /// Messages of an earlier run that are to be read before anything else, by channel; empty once they are.
    private var replayed: [Int] = []
    private var replayedCount = 0
    /// What is done to a batch that is kept for a checkpoint while others go on with it.
    private let preserve: (Batch) throws(MillstreamError) -> Batch

    /// `inputs[i]` are the channels of the operator's input i; each has at least one. `preserve` makes a batch fit to be written down later.
    ///
    /// `endsCount`: no barrier follows the end of a channel.
    public init(
        inputs: [[Channel]], endsCount: Bool = false, preserve: @escaping (Batch) throws(MillstreamError) -> Batch = { (batch) throws(MillstreamError) in batch }
    ) {
        self.preserve = preserve
        channels = inputs.flatMap { $0 }
        self.inputs = inputs.enumerated().flatMap { input, channels in channels.map { _ in input } }
        places = inputs.flatMap { Array($0.indices) }
        valves = inputs.map { WatermarkValve(channelCount: $0.count) }
        combined = CombinedWatermark(count: inputs.count)
        aligner = BarrierAligner(channelCount: channels.count, endsCount: endsCount)
        openChannels = inputs.map(\.count)
        ended = Array(repeating: false, count: channels.count)
        for channel in channels { channel.watch(alarm) }
    }

    /// The combined watermark.
    public var watermark: EventTime { combined.watermark }

    /// How far event time has come in each input.
    public var progress: [InputProgress] { valves.map(\.progress) }

    /// How far event time had come in each input when a barrier came, for its checkpoint: in each channel as of the channel's own barrier, also where the rows
    /// behind it were read before the barrier passed. They come again, maybe through other channels than their watermarks: a channel that was restored ahead of
    /// them would make them late. Asked once.
    public func progress(at barrier: CheckpointBarrier) -> [InputProgress] {
        defer { passing.removeAll { $0.id <= barrier.id } }
        var progress = self.progress
        guard let marks = passing.first(where: { $0.id == barrier.id })?.channels else { return progress }
        for (channel, mark) in marks.enumerated() {
            guard let mark else { continue }
            progress[inputs[channel]].channels[places[channel]] = mark
        }
        for index in progress.indices {
            let least = progress[index].channels.lazy.filter { !$0.isIdle }.map(\.watermark).min()
            progress[index].output = min(progress[index].output, least ?? progress[index].output)
        }
        return progress
    }

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

    /// What was in flight in an earlier run, by channel; before the first `read`. `first`: all of it comes before anything new of any channel, and before a
    /// barrier; else only before what is new in its own channel.
    public func replay(_ messages: [[Message]], first: Bool) {
        for (channel, own) in messages.enumerated() where channel < channels.count { channels[channel].prepend(own) }
        guard first else { return }
        replayed = messages.map(\.count)
        replayedCount = replayed.reduce(0, +)
    }

    /// Bytes waiting in the channels.
    public var queuedByteCount: Int { channels.reduce(0) { $0 + $1.queuedByteCount } }

    /// The next event, or nil when no channel that may be read has one.
    public func read() throws(MillstreamError) -> GateEvent? {
        while true {
            if let event = try readAhead() { return event }
            guard let (channel, entry) = receive() else { return nil }
            if aligner.inFlight(channel) != nil { try keep(entry, channel, wasRead: true) }
            switch entry.message {
            case .batch(let batch): return .batch(batch, input: inputs[channel], byteCount: entry.byteCount)
            case .watermark(let watermark):
                channels[channel].progress.watermark.set(watermark.milliseconds)
                pass(valves[inputs[channel]].onWatermark(watermark, channel: places[channel]), inputs[channel])
            case .status(let status):
                channels[channel].progress.isIdle.set(status == .idle ? 1 : 0)
                pass(valves[inputs[channel]].onStatus(status, channel: places[channel]), inputs[channel])
            case .barrier(let barrier): try arrive(barrier, channel, overtaken: [])
            case .endOfInput: end(channel)
            }
        }
    }

    /// Whether `readAhead` has something: worth asking also where there is no room for rows.
    public var hasBarrierAhead: Bool { hasPendingBarrier || isAlarmed }

    private var isAlarmed: Bool { alarm.isOn && replayedCount == 0 }

    /// What one message set free beyond its first event, then what comes ahead of the rows; nil if there is nothing.
    public func readAhead() throws(MillstreamError) -> GateEvent? {
        while true {
            if let event = popPending() { return event }
            guard isAlarmed, let channel = channels.firstIndex(where: \.hasBarrierAhead), let found = channels[channel].receiveAhead() else { return nil }
            try arrive(found.barrier, channel, overtaken: found.overtaken)
        }
    }

    /// The checkpoint need not wait for aligned barriers any longer.
    public func overtake(_ id: CheckpointID) {
        for channel in channels { channel.overtake(through: id) }
        if case .passAhead(let barrier) = aligner.overtake(id) { passAhead(barrier) }
    }

    /// The checkpoint is given up.
    public func abort(_ id: CheckpointID) {
        aligner.abort(id)
        passing.removeAll { $0.id == id }
        if !aligner.isAhead { inFlight = [] }
    }

    private func arrive(_ barrier: CheckpointBarrier, _ channel: Int, overtaken: [(message: Message, byteCount: Int)]) throws(MillstreamError) {
        guard aligner.isWanted(barrier) else { return }
        if barrier.alignment == .atLeastOnce { mark(barrier.id, channel) }
        switch aligner.onBarrier(barrier, channel: channel) {
        case .nothing: break
        case .pass(let barrier): pending.append(.barrier(barrier))
        case .passAhead(let barrier): passAhead(barrier)
        }
        if aligner.isAhead { for entry in overtaken { try keep(entry, channel, wasRead: false) } } else { inFlight = [] }
        if let id = aligner.takeWhole() {
            pending.append(.inFlight(id, inFlight))
            inFlight = []
        }
    }

    private func mark(_ id: CheckpointID, _ channel: Int) {
        guard channels.count > 1 else { return }
        if !passing.contains(where: { $0.id == id }) {
            passing.append((id, Array(repeating: nil, count: channels.count)))
            if passing.count > BarrierAligner.waitingCountMax { passing.removeFirst() }
        }
        for index in passing.indices where passing[index].id == id {
            passing[index].channels[channel] = valves[inputs[channel]].progress(of: places[channel])
        }
    }

    private func passAhead(_ barrier: CheckpointBarrier) {
        inFlight = Array(repeating: InFlightChannel(), count: channels.count)
        hasPendingBarrier = true
        pending.append(.barrier(barrier))
    }

    /// A message that comes behind the checkpoint's snapshot and before its barrier.
    private func keep(_ entry: (message: Message, byteCount: Int), _ channel: Int, wasRead: Bool) throws(MillstreamError) {
        switch entry.message {
        case .batch(let batch): inFlight[channel].messages.append(.batch(try preserve(batch)))
        case .watermark, .status: inFlight[channel].messages.append(entry.message)
        case .barrier, .endOfInput: return
        }
        inFlight[channel].byteCount += entry.byteCount
        if wasRead { inFlight[channel].readCount += 1 }
    }

    /// A barrier that no channel brings, because all its producers are gone: it comes behind the end of the last channel.
    public func expect(_ barrier: CheckpointBarrier) {
        guard case .pass(let barrier) = aligner.expect(barrier) else { return }
        hasPendingBarrier = true
        pending.append(.barrier(barrier))
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
            if channels[index].isReadable, mayRead(index), let entry = channels[index].receive() {
                next = index + 1
                if replayedCount > 0 {
                    replayed[index] -= 1
                    replayedCount -= 1
                }
                return (index, entry)
            }
            index += 1
        }
        return nil
    }

    private func mayRead(_ channel: Int) -> Bool {
        if aligner.isBlocked(channel) { return false }
        return replayedCount == 0 || replayed[channel] > 0
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
        if case .pass(let barrier) = aligner.onEnd(channel) {
            hasPendingBarrier = true
            pending.append(.barrier(barrier))
        }
    }

    private func popPending() -> GateEvent? {
        guard pendingStart < pending.count else { return nil }
        let event = pending[pendingStart]
        pendingStart += 1
        if pendingStart == pending.count {
            pending.removeAll(keepingCapacity: true)
            pendingStart = 0
            hasPendingBarrier = false
        }
        return event
    }
}
