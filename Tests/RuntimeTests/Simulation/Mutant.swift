import Columnar
import Dataflow
import Exchange
import Plan
import Runtime
import Testing

/// A fault planted into a job, at one of the seams that tests have: the simulation must find it, or it finds nothing.
///
/// No branch in the engine is for these. A mutant changes the plan while the reference keeps the old one, stands between a function and its state, wraps
/// an operator or a partitioner, or sits in the middle of a channel.
enum Mutant: String, CaseIterable, CustomTestStringConvertible {
    // Channels and gates
    case losesWakeUp, reordersBatches, watermarkOvertakesRows, swallowsEnd, endsEarly, losesLastBatch, doublesBatch, forgetsIdleness, valveTakesMaximum,
        swallowsLastWatermark
    // Exchanges
    case misroutesKeyGroup, losesRowOfBatch
    // Operators
    case losesSideOutputRow, repeatsRowOnResume, forgetsResumption, closesEarly, firesLate, ignoresTimeOfDay
    // Windows
    case latenessOffByOne, windowStartOffByOne, windowEndOffByOne, sessionGapOffByOne, countWindowOffByOne
    // State and timers
    case dropsTimer, firesTimerTwice, timerOffByOne, ignoresTimerDeletion, forgetsStateClear, forgetsListClear, mixesUpKeys
    // Functions of the host
    case misplacesKey, forgetsMerge, watermarkBeforeRows, losesRowOfGenerator
    // Stores of state
    case forgetsDirtyKey, fetchesStaleValue
    // Checkpoints
    case commitsEarly, forgetsTimers, forgetsKeyedState, forgetsLateSplits, remembersOldPosition, barrierOvertakesRows, losesCommittables
    // Unaligned checkpoints
    case forgetsOvertaken, forgetsReadAhead, replaysTwice, replaysLate

    /// Whether it shows where a job restarts, and nowhere else.
    var needsCrashes: Bool {
        switch self {
        case .commitsEarly, .forgetsTimers, .forgetsKeyedState, .forgetsLateSplits, .remembersOldPosition, .barrierOvertakesRows, .losesCommittables: true
        default: isUnaligned
        }
    }

    /// Whether it shows where rows are in flight, and nowhere else.
    private var isUnaligned: Bool {
        switch self {
        case .forgetsOvertaken, .forgetsReadAhead, .replaysTwice, .replaysLate: true
        default: false
        }
    }

    var testDescription: String { rawValue }

    /// Changes the job's plan and functions; the parts that the engine is to take. Nil where the job has no place for the fault.
    func plant(in job: inout DrawnJob) -> MutantParts? {
        if job.faults.contains(.cancellation) || job.faults.contains(.failingFunction) || job.faults.contains(.nullKey) { return nil }
        let parts = MutantParts(self, seed: job.seed)
        switch self {
        case .losesWakeUp, .reordersBatches, .watermarkOvertakesRows, .swallowsEnd, .endsEarly, .losesLastBatch, .doublesBatch, .swallowsLastWatermark,
            .misroutesKeyGroup, .losesRowOfBatch, .repeatsRowOnResume, .forgetsResumption, .closesEarly:
            break
        case .barrierOvertakesRows: break
        case .forgetsOvertaken, .forgetsReadAhead, .replaysTwice, .replaysLate: job.plan.configuration.checkpoints.isUnaligned = true
        case .forgetsDirtyKey, .fetchesStaleValue: if job.plan.configuration.state.kind != .sortedMemory { return nil }
        case .commitsEarly, .losesCommittables: job.sinks.forEach { $0.mutant = self }
        case .forgetsLateSplits: job.sources.forEach { $0.forgetsReturned = true }
        case .remembersOldPosition: job.sources.forEach { $0.remembersOldPosition = true }
        case .forgetsTimers, .forgetsKeyedState:
            switch job.step {
            case .tally, .buckets, .alarms: break
            default: if self == .forgetsTimers { return nil }
            }
        case .forgetsIdleness: if job.mode != .idle { return nil }
        case .valveTakesMaximum: if job.mode == .exact { return nil }
        case .losesSideOutputRow: if case .windows = job.step, !job.hasLateOutput { return nil }
        case .misplacesKey: if !job.hasKeySelector { return nil }
        case .watermarkBeforeRows, .losesRowOfGenerator: if !job.hasGenerator { return nil }
        case .forgetsMerge:
            guard case .sessions(_, _, let function) = job.step, function == .aggregate || function == .aggregateThen else { return nil }
            job.around.forgetsMerge = true
        case .firesLate: guard case .windows = job.step else { return nil }
        case .ignoresTimeOfDay: guard case .processingWindows = job.step else { return nil }
        case .latenessOffByOne, .windowStartOffByOne, .windowEndOffByOne, .sessionGapOffByOne, .countWindowOffByOne:
            guard changeWindow(of: &job) else { return nil }
        case .dropsTimer, .firesTimerTwice, .timerOffByOne, .ignoresTimerDeletion, .forgetsStateClear, .forgetsListClear, .mixesUpKeys:
            switch job.step {
            case .tally, .buckets, .alarms: break
            default: return nil
            }
            if self == .firesTimerTwice {
                job.around.repeatsTimers = true
            } else {
                let random = SeededRandom(seed: job.seed)
                job.around.alterState = { AlteredState($0, self, random) }
            }
        }
        return parts
    }

    private func changeWindow(of job: inout DrawnJob) -> Bool {
        guard case .window(var description) = job.plan.nodes[job.keyedNode.value].operation else { return false }
        switch (self, description.assigner) {
        case (.latenessOffByOne, .tumbling(_, _, true)), (.latenessOffByOne, .sliding(_, _, _, true)), (.latenessOffByOne, .session(_, true)):
            description.allowedLatenessMilliseconds += 1
        case (.windowStartOffByOne, .tumbling(let size, let offset, true)):
            description.assigner = .tumbling(size: size, offset: offset + 1, isEventTime: true)
        case (.windowEndOffByOne, .sliding(let size, let slide, let offset, true)):
            description.assigner = .sliding(size: size + 1, slide: slide, offset: offset, isEventTime: true)
        case (.sessionGapOffByOne, .session(let gap, true)) where gap > 1: description.assigner = .session(gap: gap - 1, isEventTime: true)
        case (.countWindowOffByOne, .count(let size)): description.assigner = .count(size + 1)
        default: return false
        }
        job.plan.nodes[job.keyedNode.value].operation = .window(description)
        return true
    }
}

/// The parts with the fault, one set per job.
final class MutantParts: PartSubstitution {
    /// Nil: the same seams, and no fault.
    let mutant: Mutant?
    private let random: SeededRandom
    private var relays: [Relay] = []
    /// The gates' greatest watermarks, by exchange and consumer.
    private var greatest: [[Int]: GreatestWatermark] = [:]

    init(_ mutant: Mutant?, seed: UInt64) {
        self.mutant = mutant
        random = SeededRandom(seed: seed ^ 0xFA17)
    }

    func operation(_ made: any Operator, of node: Node, subtask: Int) -> any Operator {
        switch mutant {
        case nil, .losesSideOutputRow, .repeatsRowOnResume, .forgetsResumption, .closesEarly: AlteredOperator(made, mutant)
        case .misplacesKey: node.name == "select" ? AlteredOperator(made, mutant) : made
        case .watermarkBeforeRows, .losesRowOfGenerator:
            if case .assignTimestamps = node.operation { AlteredOperator(made, mutant) } else { made }
        case .forgetsTimers, .forgetsKeyedState: node.name == "keyed" ? AlteredOperator(made, mutant) : made
        case .firesLate: node.name == "keyed" ? AlteredOperator(made, mutant) : made
        case .ignoresTimeOfDay: node.name == "keyed" ? AlteredOperator(made, mutant) : made
        default: made
        }
    }

    func partitioner(_ made: any Partitioner, producer: Int) -> any Partitioner {
        switch mutant {
        case .misroutesKeyGroup where producer == 0 && made is HashPartitioner: AlteredPartitioner(made, mutant)
        case nil, .losesRowOfBatch: AlteredPartitioner(made, mutant)
        default: made
        }
    }

    func splice(into channel: Channel, exchange: Int, producer: Int, consumer: Int) -> ChannelSplice? {
        switch mutant {
        case .losesWakeUp, .reordersBatches, .watermarkOvertakesRows, .swallowsEnd, .endsEarly, .losesLastBatch, .doublesBatch, .swallowsLastWatermark,
            .barrierOvertakesRows:
            // One channel of the job at most: a fault that is everywhere is too easy to find.
            guard relays.isEmpty, random.next(below: 3) == 0 else { return nil }
        case nil, .forgetsIdleness, .valveTakesMaximum: break
        default: return nil
        }
        let place = [exchange, consumer]
        let greatest = greatest[place] ?? GreatestWatermark()
        self.greatest[place] = greatest
        let relay = Relay(from: channel, mutant, greatest)
        relays.append(relay)
        return ChannelSplice(relay: relay, end: relay.end)
    }

    private var hasForgotten = false

    func inFlight(_ channels: [InFlightChannel]) -> [InFlightChannel] {
        var channels = channels
        for place in channels.indices {
            switch mutant {
            // Of one channel, each time.
            case .forgetsOvertaken where channels[place].messages.count > channels[place].readCount && !hasForgotten:
                hasForgotten = true
                channels[place].messages.removeLast(channels[place].messages.count - channels[place].readCount)
            case .forgetsReadAhead: channels[place].messages.removeFirst(channels[place].readCount)
            default: break
            }
        }
        hasForgotten = false
        return channels
    }

    func replayed(_ channels: [[Message]]) -> [[Message]] {
        switch mutant {
        case .replaysTwice: channels.map { $0 + $0.filter { if case .batch = $0 { true } else { false } } }
        // The first message behind the others.
        case .replaysLate: channels.map { Array($0.dropFirst()) + Array($0.prefix(1)) }
        default: channels
        }
    }

    func stores(_ made: any StateStores) -> any StateStores {
        switch mutant {
        case .forgetsDirtyKey, .fetchesStaleValue: AlteredStores(made, mutant)
        default: made
        }
    }

    /// Lets go of the channels, which know their relay.
    func cut() { for relay in relays { relay.cut() } }
}

private final class GreatestWatermark { var value = EventTime.min }

/// Carries messages from a channel to a second one, and makes a mistake on the way.
private final class Relay: Wakeable, @unchecked Sendable {
    let from: Channel
    let end: Channel
    let mutant: Mutant?
    let greatest: GreatestWatermark
    /// What is held back, for a mistake about order.
    private var held: (message: Message, byteCount: Int)?
    private var wakeCount = 0
    private var hasErred = false

    init(from: Channel, _ mutant: Mutant?, _ greatest: GreatestWatermark) {
        self.from = from
        self.mutant = mutant
        self.greatest = greatest
        // The simulation holds the first channel's messages back; the second one passes them on at once.
        end = Channel(number: 1_000_000 + from.number, byteCountLimit: from.byteCountLimit)
    }

    func wake() {
        wakeCount += 1
        if mutant == .losesWakeUp, wakeCount == 2 { return }
        while !end.isFull, let entry = from.receive() { pass(entry.message, entry.byteCount) }
    }

    func cut() {
        from.close()
        end.close()
    }

    private func pass(_ message: Message, _ byteCount: Int) {
        var message = message
        switch (mutant, message) {
        case (.reordersBatches, .batch), (.watermarkOvertakesRows, .batch), (.endsEarly, .batch), (.losesLastBatch, .batch):
            guard !hasErred else { break }
            if mutant == .reordersBatches, let earlier = held {
                held = nil
                hasErred = true
                end.send(message, byteCount: byteCount)
                return end.send(earlier.message, byteCount: earlier.byteCount)
            }
            flush()
            held = (message, byteCount)
            return
        case (.barrierOvertakesRows, .batch):
            flush()
            held = (message, byteCount)
            return
        case (.barrierOvertakesRows, .barrier):
            end.send(message, byteCount: byteCount)
            return flush()
        case (.watermarkOvertakesRows, .watermark):
            end.send(message, byteCount: byteCount)
            return flush()
        case (.endsEarly, .watermark(.max)): break
        case (.endsEarly, .endOfInput):
            end.send(message, byteCount: byteCount)
            return flush()
        case (.losesLastBatch, .endOfInput), (.losesLastBatch, .watermark(.max)):
            held = nil
        case (.losesLastBatch, .watermark), (.endsEarly, .watermark): flush()
        case (.doublesBatch, .batch) where !hasErred:
            hasErred = true
            end.send(message, byteCount: byteCount)
        case (.swallowsEnd, .endOfInput), (.forgetsIdleness, .status), (.swallowsLastWatermark, .watermark(.max)): return
        case (.valveTakesMaximum, .watermark(let watermark)):
            greatest.value = max(greatest.value, watermark)
            message = .watermark(greatest.value)
        case (.valveTakesMaximum, .batch):
            // The gate would have passed the greatest one on at once.
            if greatest.value > .min { end.send(.watermark(greatest.value), byteCount: Message.overheadByteCount) }
        default: if mutant != .endsEarly { flush() }
        }
        end.send(message, byteCount: byteCount)
    }

    private func flush() {
        guard let entry = held else { return }
        held = nil
        end.send(entry.message, byteCount: entry.byteCount)
    }
}

/// An operator that makes a mistake of its own.
private final class AlteredOperator: Operator {
    private let inner: any Operator
    private let mutant: Mutant?
    private let altered: AlteredOutput
    private var isClosed = false

    init(_ inner: any Operator, _ mutant: Mutant?) {
        self.inner = inner
        self.mutant = mutant
        altered = AlteredOutput(mutant)
    }

    var forwardsWatermarks: Bool { inner.forwardsWatermarks }
    func open(_ context: OperatorContext) throws(MillstreamError) { try inner.open(context) }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        guard mutant == .losesRowOfGenerator, batch.count > 8 else { return try answer(try inner.process(batch, input: input, output: altered.over(output))) }
        // The last row goes by the operator.
        let progress = try inner.process(batch.slice(0, batch.count - 1), input: input, output: altered.over(output))
        var last = batch.slice(batch.count - 1, 1)
        last.timestamps = last.columns[3].retyped(.bigInt)
        try output.emit(last)
        return progress
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        if mutant == .closesEarly, watermark == .max {
            isClosed = true
            try inner.close()
        }
        if isClosed { return .done }
        // A comparison that should have been "at or before".
        let seen = mutant == .firesLate ? watermark - 1 : watermark
        return try answer(try inner.onWatermark(seen, output: altered.over(output)))
    }

    func onProcessingTime(_ now: ProcessingTime, output: any Output) throws(MillstreamError) -> Progress {
        if mutant == .ignoresTimeOfDay { return .done }
        return try answer(try inner.onProcessingTime(now, output: altered.over(output)))
    }

    func onStatus(_ status: WatermarkStatus, output: any Output) throws(MillstreamError) { try inner.onStatus(status, output: output) }

    func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if isClosed { return .done }
        return try answer(try inner.onEndOfInput(input, output: altered.over(output)))
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        if mutant == .repeatsRowOnResume, let last = altered.last { try output.emit(last) }
        return try inner.resume(output: altered.over(output))
    }

    func close() throws(MillstreamError) { if !isClosed { try inner.close() } }

    var nextEventTime: EventTime? { inner.nextEventTime }
    func restore(from reader: any StateReader) throws(MillstreamError) { try inner.restore(from: reader) }
    func onCheckpointComplete(_ checkpoint: CheckpointID) throws(MillstreamError) { try inner.onCheckpointComplete(checkpoint) }
    func onCheckpointAborted(_ checkpoint: CheckpointID) throws(MillstreamError) { try inner.onCheckpointAborted(checkpoint) }
    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        switch mutant {
        case .forgetsTimers: try inner.snapshot(checkpoint, into: ForgetfulWriter(writer, named: { $0.hasPrefix("timers/") }))
        // The first key group's.
        case .forgetsKeyedState:
            var first: KeyGroup?
            try inner.snapshot(
                checkpoint,
                into: ForgetfulWriter(
                    writer,
                    of: { group in
                        first = first ?? group
                        return group == first
                    }))
        default: try inner.snapshot(checkpoint, into: writer)
        }
    }

    private func answer(_ progress: Progress) throws(MillstreamError) -> Progress {
        mutant == .forgetsResumption ? .done : progress
    }
}

private final class AlteredOutput: Output {
    private let mutant: Mutant?
    private unowned var output: any Output
    /// The last row that went out.
    private(set) var last: Batch?
    private var held: Batch?

    init(_ mutant: Mutant?) {
        self.mutant = mutant
        output = NoOutput.shared
    }

    func over(_ output: any Output) -> AlteredOutput {
        self.output = output
        return self
    }

    func emit(_ batch: Batch) throws(MillstreamError) {
        if mutant == .repeatsRowOnResume { last = batch.slice(batch.count - 1, 1) }
        if mutant == .watermarkBeforeRows {
            try release()
            held = batch
            return
        }
        guard mutant == .misplacesKey, batch.count > 1 else { return try output.emit(batch) }
        // Each row gets the key of the next one.
        var turned = batch
        let keys = batch.columns[4]
        turned.columns[4] = try Column.concat([keys.slice(1, batch.count - 1), keys.slice(0, 1)])
        try output.emit(turned)
    }

    func emit(_ batch: Batch, to sideOutput: SideOutputID) throws(MillstreamError) {
        try output.emit(mutant == .losesSideOutputRow ? batch.slice(0, batch.count - 1) : batch, to: sideOutput)
    }

    func emit(_ watermark: EventTime) throws(MillstreamError) {
        if watermark == .max { try release() }
        try output.emit(watermark)
        try release()
    }

    /// What was held back for a watermark.
    private func release() throws(MillstreamError) {
        guard let batch = held else { return }
        held = nil
        try output.emit(batch)
    }

    func emit(_ status: WatermarkStatus) throws(MillstreamError) { try output.emit(status) }
    var isFull: Bool { output.isFull }
}

private final class NoOutput: Output, @unchecked Sendable {
    static let shared = NoOutput()
    func emit(_ batch: Batch) throws(MillstreamError) {}
    func emit(_ batch: Batch, to sideOutput: SideOutputID) throws(MillstreamError) {}
    func emit(_ watermark: EventTime) throws(MillstreamError) {}
    func emit(_ status: WatermarkStatus) throws(MillstreamError) {}
    var isFull: Bool { false }
}

/// A partitioner that sends one channel's rows to its neighbour, or loses the last row of a part of several.
private final class AlteredPartitioner: Partitioner, RoutedRows {
    private let inner: any Partitioner
    private let mutant: Mutant?
    private weak var channels: (any RoutedRows)?

    init(_ inner: any Partitioner, _ mutant: Mutant?) {
        self.inner = inner
        self.mutant = mutant
    }

    var spreadsRows: Bool { inner.spreadsRows }
    var channelCount: Int { channels?.channelCount ?? 0 }
    func close() throws(MillstreamError) { try inner.close() }

    func route(_ batch: Batch, to channels: any RoutedRows) throws(MillstreamError) {
        self.channels = channels
        try inner.route(batch, to: self)
    }

    func add(_ rows: Batch, to channel: Int) throws(MillstreamError) {
        switch mutant {
        case .misroutesKeyGroup: try channels?.add(rows, to: channel == 0 ? channelCount - 1 : channel)
        case .losesRowOfBatch: try channels?.add(rows.count > 8 ? rows.slice(0, rows.count - 1) : rows, to: channel)
        default: try channels?.add(rows, to: channel)
        }
    }
}

/// A state that forgets, or mixes up.
private final class AlteredState: HostStateAccess {
    private let inner: any HostStateAccess
    private let mutant: Mutant
    private let random: SeededRandom

    init(_ inner: any HostStateAccess, _ mutant: Mutant, _ random: SeededRandom) {
        self.inner = inner
        self.mutant = mutant
        self.random = random
    }

    private func place(_ row: Int) -> Int { mutant == .mixesUpKeys ? 0 : row }

    func value(_ state: Int, row: Int) throws(MillstreamError) -> StateValue? { try inner.value(state, row: place(row)) }
    func setValue(_ state: Int, row: Int, _ value: StateValue?) throws(MillstreamError) {
        if mutant == .forgetsStateClear, value == nil { return }
        try inner.setValue(state, row: place(row), value)
    }
    func listCount(_ state: Int, row: Int) throws(MillstreamError) -> Int { try inner.listCount(state, row: row) }
    func listElement(_ state: Int, row: Int, index: Int) throws(MillstreamError) -> StateValue? { try inner.listElement(state, row: row, index: index) }
    func listAppend(_ state: Int, row: Int, _ value: StateValue) throws(MillstreamError) { try inner.listAppend(state, row: row, value) }
    func listClear(_ state: Int, row: Int) throws(MillstreamError) { if mutant != .forgetsListClear { try inner.listClear(state, row: row) } }
    func mapValue(_ state: Int, row: Int, key: StateValue) throws(MillstreamError) -> StateValue? { try inner.mapValue(state, row: row, key: key) }
    func mapPut(_ state: Int, row: Int, key: StateValue, value: StateValue) throws(MillstreamError) {
        try inner.mapPut(state, row: row, key: key, value: value)
    }
    func mapRemove(_ state: Int, row: Int, key: StateValue) throws(MillstreamError) { try inner.mapRemove(state, row: row, key: key) }
    func mapClear(_ state: Int, row: Int) throws(MillstreamError) { try inner.mapClear(state, row: row) }
    func mapCount(_ state: Int, row: Int) throws(MillstreamError) -> Int { try inner.mapCount(state, row: row) }
    func mapEntry(_ state: Int, row: Int, index: Int) throws(MillstreamError) -> (key: StateValue, value: StateValue)? {
        try inner.mapEntry(state, row: row, index: index)
    }
    func registerTimer(row: Int, domain: TimeDomain, at milliseconds: Int64) throws(MillstreamError) {
        if mutant == .dropsTimer, random.next(below: 20) == 0 { return }
        try inner.registerTimer(row: row, domain: domain, at: mutant == .timerOffByOne ? milliseconds + 1 : milliseconds)
    }
    func deleteTimer(row: Int, domain: TimeDomain, at milliseconds: Int64) throws(MillstreamError) {
        if mutant != .ignoresTimerDeletion { try inner.deleteTimer(row: row, domain: domain, at: milliseconds) }
    }
    var currentWatermark: EventTime { inner.currentWatermark }
    var currentProcessingTime: ProcessingTime { inner.currentProcessingTime }
}

/// Leaves parts out of a snapshot.
private final class ForgetfulWriter: StateWriter {
    private let inner: any StateWriter
    private let forgets: (String, KeyGroup?) -> Bool

    init(_ inner: any StateWriter, named forgets: @escaping (String) -> Bool) {
        self.inner = inner
        self.forgets = { name, _ in forgets(name) }
    }

    init(_ inner: any StateWriter, of forgets: @escaping (KeyGroup) -> Bool) {
        self.inner = inner
        self.forgets = { _, group in group.map(forgets) ?? false }
    }

    func write(_ name: String, keyGroup: KeyGroup?, batch: Batch) throws(MillstreamError) {
        if !forgets(name, keyGroup) { try inner.write(name, keyGroup: keyGroup, batch: batch) }
    }

    func write(_ name: String, keyGroup: KeyGroup?, bytes: [UInt8]) throws(MillstreamError) {
        if !forgets(name, keyGroup) { try inner.write(name, keyGroup: keyGroup, bytes: bytes) }
    }

    func write(_ name: String, files: any StoreFiles) throws(MillstreamError) { try inner.write(name, files: files) }
}

/// Stores to which not every change comes.
private final class AlteredStores: StateStores {
    private let inner: any StateStores
    private let mutant: Mutant?

    init(_ inner: any StateStores, _ mutant: Mutant?) {
        self.inner = inner
        self.mutant = mutant
    }

    func open(_ place: StorePlace, from earlier: [any StoredStore]) throws(MillstreamError) -> any StateStore {
        AlteredStore(try inner.open(place, from: earlier), mutant)
    }
}

private final class AlteredStore: StateStore {
    private let inner: any StateStore
    private let mutant: Mutant?
    private var writeCount = 0

    init(_ inner: any StateStore, _ mutant: Mutant?) {
        self.inner = inner
        self.mutant = mutant
    }

    func get(_ keys: PackedBytes, into values: PackedBytes) throws(MillstreamError) { try inner.get(keys, into: values) }

    func write(_ keys: PackedBytes, _ values: PackedBytes) throws(MillstreamError) {
        writeCount += 1
        let (kept, given) = (PackedBytes(), PackedBytes())
        for index in 0..<keys.count {
            // As if the slot had not been marked when it changed: the first one, or each that was there before.
            switch mutant {
            case .forgetsDirtyKey where index == 0 && writeCount % 3 == 0: continue
            case .fetchesStaleValue where writeCount % 2 == 0 && !values.isAbsent(index):
                let (one, known) = (PackedBytes(), PackedBytes())
                one.append(keys[index])
                try inner.get(one, into: known)
                if !known.isAbsent(0) { continue }
            default: break
            }
            kept.append(keys[index])
            if values.isAbsent(index) { given.appendAbsent() } else { given.append(values[index]) }
        }
        if kept.count > 0 { try inner.write(kept, given) }
    }

    func deleteRange(_ range: KeyRange) throws(MillstreamError) { try inner.deleteRange(range) }
    func scan(_ range: KeyRange) throws(MillstreamError) -> any StoreCursor { try inner.scan(range) }
    func view() throws(MillstreamError) -> any StoreView { try inner.view() }
    func files() throws(MillstreamError) -> any StoreFiles { try inner.files() }
    var isMakingFiles: Bool { inner.isMakingFiles }
    var byteCount: Int64 { inner.byteCount }
    func close() { inner.close() }
}
