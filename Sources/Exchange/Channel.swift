import Columnar
import Dataflow
import Synchronization

/// Something that sleeps until there is something to do.
public protocol Wakeable: AnyObject, Sendable {
    /// There may be something to do. Cheap, from any thread, as often as one likes.
    func wake()
}

/// How far event time has come in a channel, as its consumer has seen it; anyone reads it.
public final class ChannelProgress: Sendable {
    /// `Int64.min` before the first watermark.
    public let watermark = Counter(.min)
    /// 1 while the channel counts for nobody's watermark.
    public let isIdle = Counter()
    /// 1 once nothing follows.
    public let hasEnded = Counter()
    /// Rows that wait in the channel.
    public let waitingRows = Counter()

    public init() {}
}

/// Counts the channels of a gate in which a barrier waits to be read ahead of the rows.
public final class BarrierAlarm: Sendable {
    private let count = Counter()
    public init() {}
    public var isOn: Bool { count.value > 0 }
    func add(_ change: Int) { count.add(change) }
}

/// Decides when what was sent arrives: the simulation's hold on every channel.
public protocol ChannelHandover: AnyObject, Sendable {
    /// A message was put into `channel` and stays invisible to the consumer until somebody calls `channel.deliver`.
    func hold(_ channel: Channel)
}

/// A bounded queue of messages from one subtask to another.
///
/// The bound is in bytes; the producer may overshoot it by one message, asks `isFull` before it makes more, and is woken when the queue has
/// fallen to half of its bound, so that the two do not take turns at every message. A producer that has to come to a checkpoint's barrier may go on to
/// `isOverdrawn`.
///
/// A barrier stays at its place, and the consumer reads it there, or ahead of what is before it (`receiveAhead`) where it may overtake. What it has
/// overtaken stays in the queue.
public final class Channel: Sendable {
    private struct State {
        var queue = MessageQueue()
        /// How many messages at the front the consumer may see; all of them without a handover.
        var visibleCount = 0
        var byteCount = 0
        var isClosed = false
        var producer: (any Wakeable)?
        var consumer: (any Wakeable)?
        /// How many barriers in the queue may overtake, and whether the consumer has been told.
        var overtakingCount = 0
        var isAnnounced = false
        /// Barriers up to this one may overtake, whatever they say themselves.
        var overtakesThrough: CheckpointID?
        var alarm: BarrierAlarm?

        func mayOvertake(_ message: Message) -> Bool {
            guard case .barrier(let barrier) = message else { return false }
            return barrier.alignment == .unaligned || overtakesThrough.map { barrier.id <= $0 } ?? false
        }
    }

    /// A number that is unique and deterministic within a job, for traces.
    public let number: Int
    public let byteCountLimit: Int
    public let progress = ChannelProgress()
    private let state: Guarded<State>
    private let full = Atomic<Bool>(false)
    private let readable = Atomic<Bool>(false)
    private let hurried = Atomic<Bool>(false)
    private let handover: (any ChannelHandover)?

    public init(number: Int, byteCountLimit: Int, handover: (any ChannelHandover)? = nil) {
        self.number = number
        self.byteCountLimit = max(1, byteCountLimit)
        self.handover = handover
        state = Guarded(State())
        LiveObjects.channels.add(1)
    }

    deinit { LiveObjects.channels.add(-1) }

    /// Names the two ends; before the first message.
    public func connect(producer: any Wakeable, consumer: any Wakeable) {
        state.withLock {
            $0.producer = producer
            $0.consumer = consumer
        }
    }

    /// Whether the producer should stop; it is woken when it may go on.
    public var isFull: Bool { full.load(ordering: .acquiring) }

    /// Whether `receive` has something.
    public var isReadable: Bool { readable.load(ordering: .acquiring) }

    /// How far beyond its bound a channel is filled by a producer that has to come to a barrier.
    public static let overdraftByteCount = 1 << 20

    /// Whether even such a producer should stop.
    public var isOverdrawn: Bool { isFull && queuedByteCount >= byteCountLimit &+ Self.overdraftByteCount }

    /// Whether a barrier may be read ahead of the rows.
    public var hasBarrierAhead: Bool { hurried.load(ordering: .acquiring) }

    /// Bytes in the queue now.
    public var queuedByteCount: Int { state.withLock { $0.byteCount } }
    /// Messages in the queue now, those on their way included.
    public var queuedCount: Int { state.withLock { $0.queue.count } }

    /// Appends a message, whose size the caller has measured. Takes it even when full: the bound holds by `isFull`.
    public func send(_ message: Message, byteCount: Int) {
        let isHeld = handover != nil
        let consumer: (any Wakeable)? = state.withLock { state in
            guard !state.isClosed else { return nil }
            state.queue.append(message, byteCount: byteCount)
            state.byteCount &+= byteCount
            if case .batch(let batch) = message { progress.waitingRows.add(batch.count) }
            if state.byteCount >= byteCountLimit { full.store(true, ordering: .releasing) }
            let overtakes = state.mayOvertake(message)
            if overtakes { state.overtakingCount &+= 1 }
            if isHeld { return nil }
            let consumer = expose(1, &state)
            guard overtakes else { return consumer }
            announce(&state)
            return state.consumer
        }
        if let handover {
            handover.hold(self)
        } else {
            consumer?.wake()
        }
    }

    /// Makes up to `count` more messages visible to the consumer; false if none is left on its way.
    @discardableResult
    public func deliver(_ count: Int) -> Bool {
        let (consumer, rest): ((any Wakeable)?, Int) = state.withLock { state in
            let more = min(count, state.queue.count - state.visibleCount)
            var consumer = more > 0 ? expose(more, &state) : nil
            // What goes ahead of the rows arrives ahead of them.
            if state.overtakingCount > 0, !state.isAnnounced {
                announce(&state)
                consumer = state.consumer
            }
            return (consumer, state.queue.count - state.visibleCount)
        }
        consumer?.wake()
        return rest > 0
    }

    /// The next message and its size, or nil.
    public func receive() -> (message: Message, byteCount: Int)? {
        guard isReadable else { return nil }
        var producer: (any Wakeable)?
        let entry = state.withLock { state -> (message: Message, byteCount: Int)? in
            guard state.visibleCount > 0, let entry = state.queue.popFirst() else { return nil }
            state.visibleCount &-= 1
            if state.visibleCount == 0 { readable.store(false, ordering: .releasing) }
            if case .batch(let batch) = entry.message { progress.waitingRows.add(-batch.count) }
            if state.overtakingCount > 0, state.mayOvertake(entry.message) { passed(&state) }
            producer = made(entry.byteCount, &state)
            return entry
        }
        producer?.wake()
        return entry
    }

    /// The first barrier that may overtake, out of its place in the queue, with everything that is before it there and stays; nil if there is none.
    public func receiveAhead() -> (barrier: CheckpointBarrier, overtaken: [(message: Message, byteCount: Int)])? {
        guard hasBarrierAhead else { return nil }
        var producer: (any Wakeable)?
        let found = state.withLock { state -> (barrier: CheckpointBarrier, overtaken: [(message: Message, byteCount: Int)])? in
            var overtaken: [(message: Message, byteCount: Int)] = []
            for place in 0..<state.queue.count {
                guard let entry = state.queue[place] else { continue }
                guard state.mayOvertake(entry.message), case .barrier(let barrier) = entry.message else {
                    overtaken.append(entry)
                    continue
                }
                _ = state.queue.remove(at: place)
                if place < state.visibleCount {
                    state.visibleCount &-= 1
                    if state.visibleCount == 0 { readable.store(false, ordering: .releasing) }
                }
                passed(&state)
                producer = made(entry.byteCount, &state)
                return (barrier, overtaken)
            }
            return nil
        }
        producer?.wake()
        return found
    }

    /// From the consumer: barriers up to this checkpoint's may overtake, those that are in the queue and those to come.
    public func overtake(through id: CheckpointID) {
        state.withLock { state in
            state.overtakesThrough = max(state.overtakesThrough ?? id, id)
            state.overtakingCount = 0
            var isVisible = handover == nil
            for place in 0..<state.queue.count {
                guard let entry = state.queue[place], state.mayOvertake(entry.message) else { continue }
                state.overtakingCount &+= 1
                if place < state.visibleCount { isVisible = true }
            }
            if state.overtakingCount > 0, isVisible { announce(&state) }
        }
    }

    /// The gate's alarm, before the first message is read.
    func watch(_ alarm: BarrierAlarm) {
        state.withLock { state in
            state.alarm = alarm
            if state.isAnnounced { alarm.add(1) }
        }
    }

    /// From the consumer, before it reads anything: messages of an earlier run, before all that this one sends.
    public func prepend(_ messages: [Message]) {
        let entries = messages.map { (message: $0, byteCount: $0.byteCount) }
        state.withLock { state in
            guard !state.isClosed, !entries.isEmpty else { return }
            state.queue.prepend(entries)
            state.visibleCount &+= entries.count
            for entry in entries {
                state.byteCount &+= entry.byteCount
                if case .batch(let batch) = entry.message { progress.waitingRows.add(batch.count) }
            }
            if state.byteCount >= byteCountLimit { full.store(true, ordering: .releasing) }
            readable.store(true, ordering: .releasing)
        }
    }

    private func announce(_ state: inout State) {
        guard !state.isAnnounced else { return }
        state.isAnnounced = true
        state.alarm?.add(1)
        hurried.store(true, ordering: .releasing)
    }

    /// A barrier that may overtake has left the queue.
    private func passed(_ state: inout State) {
        state.overtakingCount &-= 1
        if state.overtakingCount == 0 { silence(&state) }
    }

    private func silence(_ state: inout State) {
        guard state.isAnnounced else { return }
        state.isAnnounced = false
        state.alarm?.add(-1)
        hurried.store(false, ordering: .releasing)
    }

    /// Room of so many bytes; whom to wake.
    private func made(_ byteCount: Int, _ state: inout State) -> (any Wakeable)? {
        state.byteCount &-= byteCount
        guard state.byteCount <= byteCountLimit / 2, full.load(ordering: .relaxed) else { return nil }
        full.store(false, ordering: .releasing)
        return state.producer
    }

    /// Drops what is in it and forgets both ends. Later messages are dropped: a producer that waited for room need not wait any more, and is told.
    public func close() {
        let producer: (any Wakeable)? = state.withLock { state in
            let producer = state.producer
            state.queue = MessageQueue()
            state.visibleCount = 0
            state.byteCount = 0
            state.isClosed = true
            state.producer = nil
            state.consumer = nil
            state.overtakingCount = 0
            silence(&state)
            state.alarm = nil
            return producer
        }
        readable.store(false, ordering: .releasing)
        if full.exchange(false, ordering: .acquiringAndReleasing) { producer?.wake() }
    }

    /// Whom to wake: the consumer, if it had nothing before.
    private func expose(_ count: Int, _ state: inout State) -> (any Wakeable)? {
        let wasEmpty = state.visibleCount == 0
        state.visibleCount &+= count
        guard wasEmpty else { return nil }
        readable.store(true, ordering: .releasing)
        return state.consumer
    }
}

/// How many of the objects that a job must not leave behind are alive; tests read it.
public enum LiveObjects {
    public static let channels = Counter()
}
