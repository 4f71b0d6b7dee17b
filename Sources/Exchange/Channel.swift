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

/// Decides when what was sent arrives: the simulation's hold on every channel.
public protocol ChannelHandover: AnyObject, Sendable {
    /// A message was put into `channel` and stays invisible to the consumer until somebody calls `channel.deliver`.
    func hold(_ channel: Channel)
}

/// A bounded queue of messages from one subtask to another.
///
/// The bound is in bytes; the producer may overshoot it by one message, asks `isFull` before it makes more, and is woken when the queue has
/// fallen to half of its bound, so that the two do not take turns at every message.
public final class Channel: Sendable {
    private struct State {
        var queue = MessageQueue()
        /// How many messages at the front the consumer may see; all of them without a handover.
        var visibleCount = 0
        var byteCount = 0
        var isClosed = false
        var producer: (any Wakeable)?
        var consumer: (any Wakeable)?
    }

    /// A number that is unique and deterministic within a job, for traces.
    public let number: Int
    public let byteCountLimit: Int
    public let progress = ChannelProgress()
    private let state: Mutex<State>
    private let full = Atomic<Bool>(false)
    private let readable = Atomic<Bool>(false)
    private let handover: (any ChannelHandover)?

    public init(number: Int, byteCountLimit: Int, handover: (any ChannelHandover)? = nil) {
        self.number = number
        self.byteCountLimit = max(1, byteCountLimit)
        self.handover = handover
        state = Mutex(State())
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
            return isHeld ? nil : expose(1, &state)
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
            let consumer = more > 0 ? expose(more, &state) : nil
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
            state.byteCount &-= entry.byteCount
            if case .batch(let batch) = entry.message { progress.waitingRows.add(-batch.count) }
            if state.byteCount <= byteCountLimit / 2, full.load(ordering: .relaxed) {
                full.store(false, ordering: .releasing)
                producer = state.producer
            }
            return entry
        }
        producer?.wake()
        return entry
    }

    /// Drops what is in it and forgets both ends. Later messages are dropped.
    public func close() {
        state.withLock { state in
            state.queue = MessageQueue()
            state.visibleCount = 0
            state.byteCount = 0
            state.isClosed = true
            state.producer = nil
            state.consumer = nil
        }
        readable.store(false, ordering: .releasing)
        full.store(false, ordering: .releasing)
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
