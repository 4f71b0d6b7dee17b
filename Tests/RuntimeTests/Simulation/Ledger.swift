import Columnar
import Dataflow
import Glibc

/// What the parts of a simulated job report, and what must hold of it.
final class Ledger: @unchecked Sendable {
    private struct State {
        var opened: [String: Int] = [:]
        var closed: [String: Int] = [:]
        var arrived: [String: Int] = [:]
        var lastOfKey: [Int64: Int64] = [:]
        var complaints: [String] = []
        var waiting: [@Sendable () -> Void] = []
        var parts: [WeakPart] = []
        var arrivalHash: UInt64 = 0xCBF2_9CE4_8422_2325
    }
    private struct WeakPart { weak var part: AnyObject? }
    private let lock = TestLock()
    private var contents = State()

    private func locked<Value>(_ body: (inout State) -> Value) -> Value {
        lock.lock()
        defer { lock.unlock() }
        return body(&contents)
    }

    func opened(_ what: String) { locked { $0.opened[what, default: 0] += 1 } }
    func closed(_ what: String) { locked { $0.closed[what, default: 0] += 1 } }
    func complain(_ text: String) { locked { if $0.complaints.count < 5 { $0.complaints.append(text) } } }
    func watch(_ part: AnyObject) {
        locked { $0.parts.append(WeakPart(part: part)) }
    }

    /// A row at a sink; `checksOrder` where no exchange on its way may have reordered its key.
    func arrive(_ batch: Batch, checksOrder: Bool) {
        let keys = batch.columns[0].pointer(as: Int64.self)
        let sequences = batch.columns[1].pointer(as: Int64.self)
        let splits = batch.columns[2].pointer(as: Int64.self)
        locked { state in
            for index in 0..<batch.count {
                let row = batch.selection?[index] ?? index
                state.arrived["\(splits[row])/\(sequences[row])", default: 0] += 1
                state.arrivalHash = (state.arrivalHash ^ UInt64(bitPattern: splits[row] &* 1_000_003 &+ sequences[row])) &* 0x100_0000_01B3
                if keys[row] != ScriptedSource.key(split: Int(splits[row]), sequence: Int(sequences[row])) { state.complaints.append("a row was mixed up") }
                guard checksOrder else { continue }
                if let last = state.lastOfKey[keys[row]], last >= sequences[row], state.complaints.count < 5 {
                    state.complaints.append("key \(keys[row]): \(sequences[row]) after \(last)")
                }
                state.lastOfKey[keys[row]] = sequences[row]
            }
        }
        withExtendedLifetime(batch) {}
    }

    /// The process is gone, with all that was in it.
    func crash() {
        locked { state in
            let complaints = state.complaints
            state = State()
            state.complaints = complaints
        }
    }

    func wait(_ notify: @escaping @Sendable () -> Void) { locked { $0.waiting.append(notify) } }

    /// Makes room at one of the slow sinks.
    func release(_ random: SeededRandom) {
        let notify: (@Sendable () -> Void)? = locked { state in
            state.waiting.isEmpty ? nil : state.waiting.remove(at: Int(random.next(below: UInt64(state.waiting.count))))
        }
        notify?()
    }

    var complaints: [String] { locked { $0.complaints } }
    var arrived: [String: Int] { locked { $0.arrived } }
    var arrivalHash: UInt64 { locked { $0.arrivalHash } }
    /// Kinds of things that were not closed as often as they were opened.
    var unbalanced: [String] {
        locked { state in
            Set(state.opened.keys).union(state.closed.keys).sorted().filter { state.opened[$0] != state.closed[$0] }
                .map { "\($0): opened \(state.opened[$0] ?? 0), closed \(state.closed[$0] ?? 0)" }
        }
    }
    var liveCount: Int { locked { $0.parts.filter { $0.part != nil }.count } }
}

/// Emits its input in random slices with `more` in between, some rows to a side output, and fails where told to.
final class Nervous: Operator {
    let ledger: Ledger
    let hasSideOutput: Bool
    let checksTime: Bool
    let failsAtRow: Int?
    let canBeInterrupted: Bool
    var random: (any RandomSource)?
    var rest: Batch?
    var pendingWatermark = false
    var watermark = EventTime.min
    var rows = 0
    var ended = false

    init(ledger: Ledger, hasSideOutput: Bool, checksTime: Bool, canBeInterrupted: Bool, failsAtRow: Int?) {
        self.ledger = ledger
        self.hasSideOutput = hasSideOutput
        self.checksTime = checksTime
        self.canBeInterrupted = canBeInterrupted
        self.failsAtRow = failsAtRow
        ledger.watch(self)
    }

    func open(_ context: OperatorContext) throws(MillstreamError) {
        ledger.opened("operator")
        random = context.random
        context.wakeUp(at: context.clock.now() + 3)
        self.context = context
    }
    var context: OperatorContext?

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if rest != nil || pendingWatermark { ledger.complain("called while more is outstanding") }
        if ended { ledger.complain("a batch after the end") }
        if checksTime, let timestamps = batch.timestamps {
            let times = timestamps.pointer(as: Int64.self)
            for index in 0..<batch.count where times[batch.selection?[index] ?? index] <= watermark.milliseconds {
                ledger.complain("a row at \(times[batch.selection?[index] ?? index]) after watermark \(watermark.milliseconds)")
            }
        }
        rows += batch.count
        if let failsAtRow, rows > failsAtRow { throw MillstreamError(.userFunction, "planned failure", recordIndex: Int64(failsAtRow)) }
        rest = batch
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        pendingWatermark = false
        while let batch = rest, let random {
            let length = canBeInterrupted ? 1 + Int(random.next(below: UInt64(batch.count))) : batch.count
            try emit(batch.slice(0, length), output)
            rest = length == batch.count ? nil : batch.slice(length, batch.count - length)
            if rest != nil, output.isFull || random.next(below: 3) == 0 { return .more }
        }
        return .done
    }

    private func emit(_ batch: Batch, _ output: any Output) throws(MillstreamError) {
        guard hasSideOutput else { return try output.emit(batch) }
        let sequences = batch.columns[1].pointer(as: Int64.self)
        var main: [Int32] = []
        var side: [Int32] = []
        for index in 0..<batch.count {
            if sequences[batch.selection?[index] ?? index] % 7 == 0 { side.append(Int32(index)) } else { main.append(Int32(index)) }
        }
        try output.emit(batch.selecting(Selection(main)))
        try output.emit(batch.selecting(Selection(side)), to: SideOutputID("side"))
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        if rest != nil || pendingWatermark { ledger.complain("a watermark while more is outstanding") }
        if watermark <= self.watermark { ledger.complain("watermark \(watermark.milliseconds) after \(self.watermark.milliseconds)") }
        self.watermark = watermark
        if canBeInterrupted, random?.next(below: 4) == 0 {
            pendingWatermark = true
            return .more
        }
        return .done
    }

    func onProcessingTime(_ now: ProcessingTime, output: any Output) throws(MillstreamError) -> Progress {
        if rest != nil || pendingWatermark { ledger.complain("time while more is outstanding") }
        if ended { ledger.complain("time after the end") }
        if let context { context.wakeUp(at: now + 7) }
        return .done
    }

    func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if ended { ledger.complain("two ends") }
        if checksTime, watermark != .max { ledger.complain("the end came before the last watermark") }
        ended = true
        return .done
    }

    func close() { ledger.closed("operator") }
}

/// Takes rows when it likes.
final class SlowSink: Sink, @unchecked Sendable {
    let ledger: Ledger
    let checksOrder: Bool
    let refusals: UInt64

    /// Refuses `refusals` of 8 batches at first.
    init(ledger: Ledger, checksOrder: Bool, refusals: UInt64) {
        self.ledger = ledger
        self.checksOrder = checksOrder
        self.refusals = refusals
    }

    func makeWriter(_ context: OperatorContext) throws(MillstreamError) -> any SinkWriter {
        ledger.opened("writer")
        return Writer(self, context.random)
    }

    func makeCommitter() throws(MillstreamError) -> (any Committer)? { nil }

    final class Writer: SinkWriter {
        let sink: SlowSink
        let random: any RandomSource
        init(_ sink: SlowSink, _ random: any RandomSource) {
            self.sink = sink
            self.random = random
        }

        func write(_ batch: Batch, notify: @escaping @Sendable () -> Void) throws(MillstreamError) -> Bool {
            if random.next(below: 8) < sink.refusals {
                sink.ledger.wait(notify)
                return false
            }
            sink.ledger.arrive(batch, checksOrder: sink.checksOrder)
            return true
        }

        func prepareCommit(endOfInput: Bool) throws(MillstreamError) -> [Committable] { [] }
        func close() { sink.ledger.closed("writer") }
    }
}

/// A plain mutex, for state that is not Sendable by itself.
final class TestLock: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t> = .allocate(capacity: 1)
    init() { pthread_mutex_init(mutex, nil) }
    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }
    func lock() { pthread_mutex_lock(mutex) }
    func unlock() { pthread_mutex_unlock(mutex) }
}
