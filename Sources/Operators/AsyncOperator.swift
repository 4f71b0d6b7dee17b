import Columnar
import Dataflow
import Plan
import Synchronization

/// A host's asynchronous function: rows go to the host, which is done with each of them some time later. The subtask does other things meanwhile.
///
/// Invariants: at most `capacity` rows are in flight, each in a slot of its own. What comes behind a watermark (or a status) is of a later epoch than what
/// came before it; the host gives the results of the first epoch alone, in the order that it likes, and the watermark goes on when all of them are out.
final class AsyncOperator: AsynchronousOperator {
    /// Rows between two watermarks, and what follows them. Only the last epoch has no end.
    private struct Epoch {
        var inFlight = 0
        var watermark: EventTime?
        var status: WatermarkStatus?
    }

    private final class News: Sendable { let hasCome = Atomic<Bool>(false) }

    private var caller: HostCaller
    private let schema: Schema
    private let capacity: Int
    private let news = News()
    private var notifier: HostNotifier?
    /// Rows that are not with the host yet, for want of slots.
    private var waitingRows: Batch?
    private var inputHasEnded = false
    /// Whether nothing can go on before the host has done something.
    private var isBlocked = false

    private var freeSlots: [Int32] = []
    /// By slot: what the results of its row inherit, and the row's number in the input, for messages.
    private var rowTimestamps: [Int64] = []
    private var rowKinds: [Int8] = []
    private var rowNumbers: [Int64] = []
    /// -1 where the slot is free.
    private var rowEpochs: [Int64] = []
    private var hasTimestamps = false
    private var hasRowKinds = false
    private var rowCount: Int64 = 0

    private var epochs = [Epoch()]
    private var firstEpoch: Int64 = 0
    private var inFlightCount = 0
    /// Whether the host may have results of the first epoch, and where it goes on.
    private var needsPoll = false
    private var resumption: Int64 = 0
    /// What the host failed with behind rows for which there was no room yet.
    private var failure: MillstreamError?

    init(_ function: any HostFunction, capacity: Int, output: Schema) throws(MillstreamError) {
        caller = try HostCaller(function)
        self.capacity = max(1, capacity)
        schema = output
    }

    var forwardsWatermarks: Bool { false }
    var isNotified: Bool { news.hasCome.load(ordering: .acquiring) }
    var isWaiting: Bool { isBlocked && !isNotified }

    func open(_ context: OperatorContext) throws(MillstreamError) {
        let news = self.news
        let wake = context.notify
        let notifier = HostNotifier {
            news.hasCome.store(true, ordering: .releasing)
            wake()
        }
        self.notifier = notifier
        try caller.open(context, notifier: notifier)
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        waitingRows = try batch.compacted()
        return try resume(output: output)
    }

    func onNotification(output: any Output) throws(MillstreamError) -> Progress { try resume(output: output) }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        if inFlightCount == 0 { try output.emit(watermark) } else { endEpoch { $0.watermark = watermark } }
        return .done
    }

    func onStatus(_ status: WatermarkStatus, output: any Output) throws(MillstreamError) {
        if inFlightCount == 0 { try output.emit(status) } else { endEpoch { $0.status = status } }
    }

    func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress {
        inputHasEnded = true
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        isBlocked = false
        guard try takeResults(output) else { return .more }
        try startRows()
        isBlocked = waitingRows != nil || (inputHasEnded && inFlightCount > 0)
        return isBlocked ? .more : .done
    }

    func close() throws(MillstreamError) {
        waitingRows = nil
        try caller.close()
    }

    // MARK: To the host

    private func startRows() throws(MillstreamError) {
        guard let batch = waitingRows else { return }
        let count = min(batch.count, capacity - inFlightCount)
        guard count > 0 else { return }
        let slots = takeSlots(count), epoch = firstEpoch &+ Int64(epochs.count - 1)
        let rows = batch.slice(0, count)
        note(rows, in: slots, epoch)
        var request = HostRequest(.asyncStart, count: count, columns: Array(rows.columns.prefix(rows.schema.fields.count)), schema: rows.schema)
        request.timestamps = rows.timestamps
        request.rowKinds = rows.rowKinds
        request.slots = Column(type: DataType.int.notNull, count: count, values: Buffer.copying(slots))
        request.integers = [epoch]
        request.notifier = notifier
        epochs[epochs.count - 1].inFlight += count
        inFlightCount += count
        waitingRows = count == batch.count ? nil : batch.slice(count, batch.count - count)
        caller.rowsBefore = rowCount
        rowCount &+= Int64(count)
        _ = try caller.call(request)
    }

    private func takeSlots(_ count: Int) -> [Int32] {
        while freeSlots.count < count {
            freeSlots.append(Int32(truncatingIfNeeded: rowEpochs.count))
            rowEpochs.append(-1)
            rowTimestamps.append(.min)
            rowKinds.append(0)
            rowNumbers.append(0)
        }
        let slots = Array(freeSlots.suffix(count))
        freeSlots.removeLast(count)
        return slots
    }

    private func note(_ rows: Batch, in slots: [Int32], _ epoch: Int64) {
        let times = rows.timestamps?.pointer(as: Int64.self)
        let kinds = rows.rowKinds?.pointer(as: Int8.self)
        hasTimestamps = hasTimestamps || times != nil
        hasRowKinds = hasRowKinds || kinds != nil
        for (row, slot) in slots.enumerated() {
            rowEpochs[Int(slot)] = epoch
            rowTimestamps[Int(slot)] = times?[row] ?? .min
            rowKinds[Int(slot)] = kinds?[row] ?? 0
            rowNumbers[Int(slot)] = rowCount &+ Int64(row)
        }
        withExtendedLifetime(rows) {}
    }

    // MARK: From the host

    /// Emits what is done, and the watermarks behind it; false if there is no room for more of it.
    private func takeResults(_ output: any Output) throws(MillstreamError) -> Bool {
        if let failure { throw failure }
        // Before the host is asked: what it does from now on, it tells anew.
        if news.hasCome.exchange(false, ordering: .acquiringAndReleasing) { needsPoll = true }
        while true {
            if epochs.count > 1, epochs[0].inFlight == 0 {
                try leaveEpoch(output)
                continue
            }
            guard needsPoll, epochs[0].inFlight > 0 else { break }
            if output.isFull { return false }
            try poll(output)
        }
        needsPoll = false
        return true
    }

    private func poll(_ output: any Output) throws(MillstreamError) {
        // Parents are slots; the host knows of no others.
        var request = HostRequest(.asyncPoll, count: rowEpochs.count)
        request.integers = [firstEpoch]
        request.resumption = resumption
        request.notifier = notifier
        caller.rowsBefore = 0
        let response: HostResponse
        do { response = try caller.callKeepingRows(request) } catch { throw placed(error) }
        for rows in response.outputs where rows.count > 0 { try output.emit(batch(of: rows)) }
        if let failed = response.failure {
            // Whoever takes the rows before the failing one shall have them before the job ends.
            failure = placed(failed)
            if output.isFull { return }
            throw placed(failed)
        }
        for slot in response.integers { try release(slot) }
        resumption = response.resumption
        needsPoll = resumption != 0
    }

    /// A failure names a slot; the user knows the record that is in it.
    private func placed(_ error: MillstreamError) -> MillstreamError {
        guard let slot = error.recordIndex, rowNumbers.indices.contains(Int(slot)) else { return error }
        var placed = error
        placed.recordIndex = rowNumbers[Int(slot)]
        return placed
    }

    private func release(_ slot: Int64) throws(MillstreamError) {
        guard let index = Int(exactly: slot), rowEpochs.indices.contains(index), rowEpochs[index] == firstEpoch else {
            throw MillstreamError(.userFunction, "'\(caller.function.name)' is done with slot \(slot), where no row of this epoch is")
        }
        rowEpochs[index] = -1
        freeSlots.append(Int32(truncatingIfNeeded: index))
        epochs[0].inFlight -= 1
        inFlightCount -= 1
    }

    private func batch(of rows: HostResponse.Rows) throws(MillstreamError) -> Batch {
        guard rows.sideOutput == nil, let parents = rows.parents else {
            throw MillstreamError(.userFunction, "'\(caller.function.name)' gives rows, and does not say which records they came of")
        }
        var result = Batch(schema: schema, columns: rows.columns, count: rows.count)
        result.keyHashes = rows.keyHashes
        let slots = parents.pointer(as: Int32.self)
        if rows.timestamps != nil {
            result.timestamps = rows.timestamps
        } else if hasTimestamps {
            result.timestamps = gather(rowTimestamps, slots, rows.count, DataType.bigInt.notNull)
        }
        if hasRowKinds { result.rowKinds = gather(rowKinds, slots, rows.count, DataType.tinyInt.notNull) }
        withExtendedLifetime(parents) {}
        return result
    }

    private func gather<Value: BitwiseCopyable>(_ values: [Value], _ slots: UnsafePointer<Int32>, _ count: Int, _ type: DataType) -> Column {
        let buffer = Buffer(byteCount: count * MemoryLayout<Value>.stride)
        let target = buffer.pointer(as: Value.self)
        for row in 0..<count { target[row] = values[Int(slots[row])] }
        return Column(type: type, count: count, values: buffer)
    }

    // MARK: Watermarks

    /// What goes on behind the rows in flight. Where none came since the last such event, the two are one: only the last of each counts.
    private func endEpoch(_ set: (inout Epoch) -> Void) {
        let last = epochs.count - 1
        if last > 0, epochs[last].inFlight == 0 {
            set(&epochs[last - 1])
        } else {
            set(&epochs[last])
            epochs.append(Epoch())
        }
    }

    private func leaveEpoch(_ output: any Output) throws(MillstreamError) {
        let epoch = epochs.removeFirst()
        firstEpoch &+= 1
        // The host may be done with rows of the next one already, and has said so.
        needsPoll = true
        // An input that became active again did so before its watermark, one that became idle behind it.
        if epoch.status == .active { try output.emit(.active) }
        if let watermark = epoch.watermark { try output.emit(watermark) }
        if epoch.status == .idle { try output.emit(.idle) }
    }
}
