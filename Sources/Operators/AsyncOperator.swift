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

    private enum Step {
        case rows(Batch)
        case watermark(EventTime)
        case status(WatermarkStatus)
    }

    /// Rows that went to the host at once, with their slots and their epoch.
    private struct Started {
        let rows: Batch
        let slots: [Int32]
        let epoch: Int64
        var inFlight: Int
    }

    private final class News: Sendable { let hasCome = Atomic<Bool>(false) }

    private var caller: HostCaller
    private let schema: Schema
    private let capacity: Int
    private let news = News()
    private var notifier: HostNotifier?
    /// What is not with the host yet, for want of slots; events of a checkpoint among it, which come behind the rows before them.
    private var waiting: [Step] = []
    /// The rows that are with the host, in the order of the input, for checkpoints.
    private var started: [Started] = []
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
    /// Which of the rows that went to the host at once, counted from the first ever, the slot's is of.
    private var rowStarts: [Int64] = []
    /// How many of them are no longer in `started`.
    private var startedBefore: Int64 = 0
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
        if let restored = context.restored { try restore(restored, context) }
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        waiting.append(.rows(try batch.compacted()))
        return try resume(output: output)
    }

    func onNotification(output: any Output) throws(MillstreamError) -> Progress { try resume(output: output) }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        if waiting.isEmpty { try take(watermark, output) } else { waiting.append(.watermark(watermark)) }
        return .done
    }

    func onStatus(_ status: WatermarkStatus, output: any Output) throws(MillstreamError) {
        if waiting.isEmpty { try take(status, output) } else { waiting.append(.status(status)) }
    }

    private func take(_ watermark: EventTime, _ output: any Output) throws(MillstreamError) {
        if inFlightCount == 0 { try output.emit(watermark) } else { endEpoch { $0.watermark = watermark } }
    }

    private func take(_ status: WatermarkStatus, _ output: any Output) throws(MillstreamError) {
        if inFlightCount == 0 { try output.emit(status) } else { endEpoch { $0.status = status } }
    }

    func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress {
        inputHasEnded = true
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        isBlocked = false
        guard try takeResults(output) else { return .more }
        try startRows(output)
        isBlocked = !waiting.isEmpty || (inputHasEnded && inFlightCount > 0)
        return isBlocked ? .more : .done
    }

    func close() throws(MillstreamError) {
        waiting = []
        started = []
        try caller.close()
    }

    // MARK: Checkpoints

    /// The rows that are with the host or on their way to it, in order, each with its epoch (`async/rows`), and what follows the epochs (`async/events`).
    ///
    /// Whether a row's results are ready does not matter: what has not been emitted is asked for again.
    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        func write(_ rows: Batch, _ epoch: Int64) throws(MillstreamError) {
            guard rows.count > 0 else { return }
            // The epoch stands behind the columns of the schema.
            var batch = Batch(
                schema: rows.schema,
                columns: Array(rows.columns.prefix(rows.schema.fields.count)) + [Column.repeating(epoch, type: DataType.bigInt.notNull, count: rows.count)],
                count: rows.count)
            batch.timestamps = rows.timestamps
            batch.rowKinds = rows.rowKinds
            try writer.write(Self.rowsPart, keyGroup: nil, batch: batch)
        }
        var events: [(epoch: Int64, watermark: Int64?, isIdle: Bool?)] = []
        func add(_ epoch: Int64, _ status: WatermarkStatus?, _ watermark: EventTime?) {
            // An input that became active again did so before its watermark, one that became idle behind it.
            if status == .active { events.append((epoch, nil, false)) }
            if let watermark { events.append((epoch, watermark.milliseconds, nil)) }
            if status == .idle { events.append((epoch, nil, true)) }
        }
        for (index, part) in started.enumerated() where part.inFlight > 0 {
            let number = startedBefore &+ Int64(index)
            let left = part.slots.indices.filter { rowEpochs[Int(part.slots[$0])] >= 0 && rowStarts[Int(part.slots[$0])] == number }
            let rows = left.count == part.rows.count ? part.rows : try part.rows.selecting(Selection(left.map { Int32(truncatingIfNeeded: $0) })).compacted()
            try write(rows, part.epoch &- firstEpoch)
        }
        for (number, epoch) in epochs.enumerated() { add(Int64(number), epoch.status, epoch.watermark) }
        var last = Int64(epochs.count - 1)
        for step in waiting {
            switch step {
            case .rows(let rows): try write(rows, last)
            case .watermark(let watermark):
                add(last, nil, watermark)
                last += 1
            case .status(let status):
                add(last, status, nil)
                last += 1
            }
        }
        guard !events.isEmpty else { return }
        let builders = [try ColumnBuilder.make(for: .bigInt), try ColumnBuilder.make(for: .bigInt), try ColumnBuilder.make(for: .boolean)]
        for event in events {
            try builders[0].append(.int64(event.epoch))
            try builders[1].append(event.watermark.map { .int64($0) } ?? .null)
            try builders[2].append(event.isIdle.map { .boolean($0) } ?? .null)
        }
        let schema = Schema([Field("epoch", .bigInt), Field("watermark", .bigInt), Field("is_idle", .boolean)])
        try writer.write(
            Self.eventsPart, keyGroup: nil, batch: Batch(schema: schema, columns: builders.map { $0.finish() }, count: events.count))
    }

    private static let rowsPart = "async/rows"
    private static let eventsPart = "async/events"
    /// Asks for the rows again, in order. With as many subtasks as before each takes its own, and what stood between them; otherwise the rows are dealt out,
    /// neighbours to one subtask, and watermarks are those that come anew.
    private func restore(_ restored: RestoredState, _ context: OperatorContext) throws(MillstreamError) {
        let reader = restored.reader
        let rows = try reader.unkeyedBatches(Self.rowsPart)
        if reader.formerParallelism == context.parallelism {
            let events = try reader.unkeyedBatches(Self.eventsPart).filter { $0.subtask == context.subtask }.map(\.batch)
            var pending: [(epoch: Int64, step: Step)] = []
            for batch in events {
                for row in 0..<batch.count {
                    guard case .int64(let epoch) = batch.columns[0].scalar(at: row) else { continue }
                    if case .int64(let time) = batch.columns[1].scalar(at: row) { pending.append((epoch, .watermark(EventTime(milliseconds: time)))) }
                    if case .boolean(let isIdle) = batch.columns[2].scalar(at: row) { pending.append((epoch, .status(isIdle ? .idle : .active))) }
                }
            }
            var next = 0
            for (subtask, batch) in rows where subtask == context.subtask && batch.count > 0 {
                guard let column = batch.columns.last, case .int64(let epoch) = column.scalar(at: 0) else { continue }
                while next < pending.count, pending[next].epoch < epoch {
                    waiting.append(pending[next].step)
                    next += 1
                }
                waiting.append(.rows(Self.withoutEpoch(batch)))
            }
            waiting += pending[next...].map(\.step)
        } else {
            let total = rows.reduce(0) { $0 + $1.batch.count }
            let (part, rest) = total.quotientAndRemainder(dividingBy: context.parallelism)
            let place = context.subtask.value
            let first = place * part + min(place, rest)
            let share = first..<first + part + (place < rest ? 1 : 0)
            var start = 0
            for (_, batch) in rows {
                let own = share.clamped(to: start..<start + batch.count)
                if !own.isEmpty { waiting.append(.rows(Self.withoutEpoch(batch.slice(own.lowerBound - start, own.count)))) }
                start += batch.count
            }
        }
        guard !waiting.isEmpty else { return }
        // There is nowhere to emit to yet; the operator is asked to go on as soon as it runs.
        notifier?.notify()
    }

    private static func withoutEpoch(_ batch: Batch) -> Batch {
        var rows = Batch(schema: batch.schema, columns: Array(batch.columns.prefix(batch.schema.fields.count)), count: batch.count)
        rows.timestamps = batch.timestamps
        rows.rowKinds = batch.rowKinds
        return rows
    }

    // MARK: To the host

    /// Hands over what waits, while there are slots; events go on behind the rows before them.
    private func startRows(_ output: any Output) throws(MillstreamError) {
        while let step = waiting.first {
            switch step {
            case .watermark(let watermark): try take(watermark, output)
            case .status(let status): try take(status, output)
            case .rows(let batch):
                let count = min(batch.count, capacity - inFlightCount)
                guard count > 0 else { return }
                if count == batch.count { waiting.removeFirst() } else { waiting[0] = .rows(batch.slice(count, batch.count - count)) }
                try start(batch.slice(0, count))
                continue
            }
            waiting.removeFirst()
        }
    }

    private func start(_ rows: Batch) throws(MillstreamError) {
        let count = rows.count
        let slots = takeSlots(count), epoch = firstEpoch &+ Int64(epochs.count - 1)
        note(rows, in: slots, epoch)
        started.append(Started(rows: rows, slots: slots, epoch: epoch, inFlight: count))
        var request = HostRequest(.asyncStart, count: count, columns: Array(rows.columns.prefix(rows.schema.fields.count)), schema: rows.schema)
        request.timestamps = rows.timestamps
        request.rowKinds = rows.rowKinds
        request.slots = Column(type: DataType.int.notNull, count: count, values: Buffer.copying(slots))
        request.integers = [epoch]
        request.notifier = notifier
        epochs[epochs.count - 1].inFlight += count
        inFlightCount += count
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
            rowStarts.append(0)
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
            rowStarts[Int(slot)] = startedBefore &+ Int64(started.count)
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
        started[Int(rowStarts[index] &- startedBefore)].inFlight -= 1
        while let first = started.first, first.inFlight == 0 {
            started.removeFirst()
            startedBefore &+= 1
        }
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
