import Columnar
import Dataflow
import Expressions
import Plan

/// Gives rows their timestamps and makes the watermarks that follow from them.
///
/// Watermarks are due by data (`BoundedOutOfOrdernessWatermarks`): a batch is cut where one is due. When the input has been quiet for an interval of processing
/// time, the exact watermark goes out. Watermarks that come in are dropped, but for the last one, at the end of input.
///
/// With a bound on future drift, rows whose time is further ahead of the clock leave the stream before they are seen by the generator: one wrong clock at
/// a producer would otherwise make everything late.
///
/// With an alignment the rows of a stream that is too far ahead of its group wait here, and the source behind them.
final class AssignTimestampsOperator: Operator, WaitingOperator {
    private let description: WatermarkDescription
    private var timestampFunction: HostCaller?
    private var generator: BoundedOutOfOrdernessWatermarks?
    private var hostGenerator: HostCaller?
    /// The watermark behind each row, by an expression; then the generator is given these times and not the rows' own.
    private var expression: ScalarProgram?
    private let interval: Int64
    private let types: [DataType]
    private var context: OperatorContext?
    private var rowsBefore: Int64 = 0
    private var pending: Batch?
    /// The times that the generator sees of `pending`, where they are not the rows' own.
    private var pendingTimes: Column?
    private var isIdle = false
    /// Restored as idle: that is said once more, as nobody knows whether those behind it have heard of it.
    private var announcesIdle = false
    private var lastRows: ProcessingTime?
    private var lastWatermark = EventTime.min
    private let alignment: WatermarkAlignment?
    private var member: Int?

    init(_ description: WatermarkDescription, schema: Schema, interval: Int64, bindings: Bindings) throws(MillstreamError) {
        self.description = description
        self.interval = interval
        types = schema.types
        alignment = description.alignment.map { bindings.alignments.group($0.group) }
        if case .host(let id) = description.timestamps { timestampFunction = try HostCaller(try bindings.function(id.value)) }
        switch description.generator {
        case .none: break
        case .boundedOutOfOrderness(let milliseconds):
            generator = BoundedOutOfOrdernessWatermarks(outOfOrdernessMilliseconds: milliseconds, intervalMilliseconds: interval)
        case .expression(let watermark):
            // The generator's watermark is its greatest time less one: it is given times that are one more.
            generator = BoundedOutOfOrdernessWatermarks(outOfOrdernessMilliseconds: 0, intervalMilliseconds: interval)
            expression = try ScalarProgram([watermark])
        case .host(let id): hostGenerator = try HostCaller(try bindings.function(id.value))
        }
        // Before any subtask runs: whoever starts first waits for those that have not started.
        if let bound = description.alignment, hasWatermarks { member = alignment?.join(drift: bound.milliseconds) }
        if case .column(let position) = description.timestamps, position < 0 || position >= types.count || !types[position].isTimestampSource {
            throw MillstreamError(
                .plan, "column \(position) of \(schema) holds no timestamps",
                hint: "Timestamps come from a BIGINT (milliseconds), TIMESTAMP or TIMESTAMP_LTZ column.")
        }
    }

    var forwardsWatermarks: Bool { false }

    func open(_ context: OperatorContext) throws(MillstreamError) {
        self.context = context
        try timestampFunction?.open(context)
        try hostGenerator?.open(context)
        lastRows = context.clock.now()
        if let member { alignment?.setNotification(member, context.notify) }
        if isTimed { context.wakeUp(at: context.clock.now() + tick) }
    }

    private var hasWatermarks: Bool { generator != nil || hostGenerator != nil }
    private var isTimed: Bool { description.idleTimeoutMilliseconds != nil || hasWatermarks }
    private var tick: Int64 { max(1, min(interval == 0 ? 200 : interval, description.idleTimeoutMilliseconds ?? .max)) }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        if isIdle {
            isIdle = false
            noteIdle()
            announcesIdle = false
            try output.emit(WatermarkStatus.active)
        }
        if isTimed { lastRows = context?.clock.now() }
        var timed = try batch.compacted()
        timed.timestamps = try timestamps(timed)
        rowsBefore += Int64(batch.count)
        if let bound = description.maxFutureDrift {
            timed = try withoutFuture(timed, bound, output)
            if timed.isEmpty { return .done }
        }
        pending = timed
        pendingTimes = try watermarkTimes(timed)
        return try resume(output: output)
    }

    /// The rows that are not too far ahead of the clock; the others go to the side output, or nowhere. A batch without any stays as it is.
    private func withoutFuture(
        _ batch: Batch, _ bound: WatermarkDescription.MaxFutureDrift, _ output: any Output
    ) throws(MillstreamError) -> Batch {
        guard let context, let times = batch.timestamps else { return batch }
        let last = context.clock.now().milliseconds.addingSaturating(bound.milliseconds)
        let rows = UnsafeBufferPointer(start: UnsafePointer(times.pointer(as: Int64.self)), count: batch.count)
        let futureCount = countAbove(rows, last)
        guard futureCount > 0 else { return batch }
        let (kept, future) = splitAbove(rows, last, count: futureCount)
        withExtendedLifetime(times) {}
        context.metrics.futureRecords.add(futureCount)
        if let tag = bound.sideOutput {
            var side = try batch.selecting(future).compacted()
            side.columns = Array(side.columns.prefix(side.schema.fields.count))
            side.keyHashes = nil
            try output.emit(side, to: SideOutputID(tag))
        } else {
            context.metrics.futureRecordsDropped.add(futureCount)
        }
        return try batch.selecting(kept).compacted()
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        // A watermark may be due after every row, so that this is a loop and stops where there is no room.
        while let batch = pending {
            if let member, alignment?.holdsBack(member) == true { return .more }
            guard generator != nil, let times = pendingTimes ?? batch.timestamps else {
                pending = nil
                try output.emit(batch)
                if hostGenerator != nil { try askGenerator(batch.timestamps, count: batch.count, output) }
                return .done
            }
            let rows = UnsafeBufferPointer(start: UnsafePointer(times.pointer(as: Int64.self)), count: batch.count)
            let (end, watermark) = generator?.advance(rows, from: 0) ?? (batch.count, nil)
            withExtendedLifetime(times) {}
            pending = end < batch.count ? batch.slice(end, batch.count - end) : nil
            pendingTimes = end < batch.count ? pendingTimes?.slice(end, batch.count - end) : nil
            try output.emit(batch.slice(0, end))
            if let watermark { try emit(watermark, output) }
            if pending != nil && output.isFull { return .more }
        }
        return .done
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        if watermark == .max { try emit(watermark, output) }
        return .done
    }

    func onProcessingTime(_ now: ProcessingTime, output: any Output) throws(MillstreamError) -> Progress {
        // By the clock itself: a turn may be for a millisecond that has just begun.
        let now = context?.clock.now() ?? now
        let quiet = now.milliseconds.subtractingSaturating(lastRows?.milliseconds ?? now.milliseconds)
        if generator?.isBehind == true, quiet >= interval, let watermark = generator?.emitCurrent() { try emit(watermark, output) }
        if hostGenerator != nil { try askGenerator(nil, count: 0, output) }
        if let timeout = description.idleTimeoutMilliseconds, isIdle ? announcesIdle : quiet >= timeout {
            isIdle = true
            noteIdle()
            announcesIdle = false
            try output.emit(WatermarkStatus.idle)
        }
        context?.wakeUp(at: now + tick)
        return .done
    }

    /// The subtask is woken when the others have come up.
    var isWaiting: Bool { member.map { alignment?.isWaiting($0) ?? false } ?? false }

    private func noteIdle() {
        if let member { alignment?.setIdle(member, isIdle) }
    }

    private func leaveAlignment() {
        if let member { alignment?.leave(member) }
        member = nil
    }

    /// Of an operator that was never opened, as of a job that could not be built.
    deinit { leaveAlignment() }

    // MARK: Checkpoints

    private static let part = "watermarks"
    private static let fields = [
        Field("max_timestamp", DataType.bigInt.notNull), Field("generator_watermark", DataType.bigInt.notNull),
        Field("watermark", DataType.bigInt.notNull), Field("is_idle", DataType.boolean.notNull),
    ]

    /// What the generator has seen and given out, and what has been emitted. Of a host's generator that is the last watermark alone: it begins anew, and what it
    /// gives below that is not emitted.
    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        var columns = [generator?.maxTimestamp ?? .min, generator?.emitted ?? .min, lastWatermark].map {
            Column.repeating($0.milliseconds, type: .bigInt, count: 1)
        }
        columns.append(try .constant(.boolean(isIdle), type: DataType.boolean.notNull, count: 1))
        try writer.write(Self.part, keyGroup: nil, batch: Batch(schema: Schema(Self.fields), columns: columns, count: 1))
    }

    /// Each subtask goes on with its own; where there are more or fewer than before, all begin with the least of those that were not idle: rows of any of their
    /// inputs may come to any of them.
    func restore(from reader: any StateReader) throws(MillstreamError) {
        var former: [(maxTimestamp: EventTime, emitted: EventTime, watermark: EventTime, isIdle: Bool)] = []
        for (_, batch) in try reader.batches(Self.part) {
            guard batch.columns.map(\.type.nullable) == Self.fields.map(\.type.nullable) else {
                throw MillstreamError(.decode, "the part '\(Self.part)' of the checkpoint has the columns \(batch.schema)", domain: .external)
            }
            func time(_ column: Int, _ row: Int) -> EventTime { EventTime(milliseconds: batch.columns[column].pointer(as: Int64.self)[row]) }
            for row in 0..<batch.count { former.append((time(0, row), time(1, row), time(2, row), batch.columns[3].bit(row))) }
        }
        if let context, former.count == context.parallelism { former = [former[context.subtask.value]] }
        let active = former.filter { !$0.isIdle }
        let counted = active.isEmpty ? former : active
        guard let maxTimestamp = counted.map(\.maxTimestamp).min(), let emitted = counted.map(\.emitted).min(), let watermark = counted.map(\.watermark).min()
        else { return }
        generator?.restore(maxTimestamp: maxTimestamp, emitted: emitted)
        lastWatermark = watermark
        isIdle = active.isEmpty
        announcesIdle = isIdle
        noteIdle()
        if let member { alignment?.advance(member, to: watermark) }
    }

    func close() throws(MillstreamError) {
        pending = nil
        leaveAlignment()
        var cleanUp = CleanUp()
        cleanUp.attempt { () throws(MillstreamError) in try timestampFunction?.close() }
        cleanUp.attempt { () throws(MillstreamError) in try hostGenerator?.close() }
        try cleanUp.finish()
    }

    private func emit(_ watermark: EventTime, _ output: any Output) throws(MillstreamError) {
        guard watermark > lastWatermark else { return }
        lastWatermark = watermark
        if let member { alignment?.advance(member, to: watermark) }
        try output.emit(watermark)
    }

    private func askGenerator(_ timestamps: Column?, count: Int, _ output: any Output) throws(MillstreamError) {
        guard let hostGenerator else { return }
        var request = HostRequest(.watermark, count: count)
        request.timestamps = timestamps
        if let value = try hostGenerator.call(request).integers.first { try emit(EventTime(milliseconds: value), output) }
    }

    /// For each row one more than the watermark behind it; `EventTime.none` where there is none.
    private func watermarkTimes(_ batch: Batch) throws(MillstreamError) -> Column? {
        guard let expression, let context else { return nil }
        let session = EvaluationContext(now: context.clock.now().milliseconds)
        let column = try expression.columns(of: batch, session)[0]
        let perSecond: Int64
        switch column.type.kind {
        case .timestamp(let precision), .timestampLTZ(let precision): perSecond = TimeUnit(precision: precision).perSecond
        default: throw MillstreamError(.plan, "a watermark is a TIMESTAMP or TIMESTAMP_LTZ, not a value of type \(column.type)")
        }
        let buffer = Buffer(byteCount: 8 * batch.count)
        let times = buffer.pointer(as: Int64.self)
        toMilliseconds(UnsafePointer(column.pointer(as: Int64.self)), batch.count, perSecond: perSecond, into: times)
        for row in 0..<batch.count { times[row] = column.isNull(row) ? EventTime.none.milliseconds : times[row].addingSaturating(1) }
        return Column(type: .bigInt, count: batch.count, values: buffer)
    }

    // MARK: Timestamps

    private func timestamps(_ batch: Batch) throws(MillstreamError) -> Column? {
        switch description.timestamps {
        case .keep: return batch.timestamps
        case .column(let position): return try fromColumn(batch.columns[position], count: batch.count)
        case .host:
            guard var caller = timestampFunction else { return nil }
            caller.rowsBefore = rowsBefore
            var request = HostRequest(
                .extractTimestamps, count: batch.count, columns: Array(batch.columns.prefix(types.count)), schema: batch.schema)
            request.timestamps = batch.timestamps
            let response = try caller.call(request)
            guard let rows = response.outputs.first, rows.count == batch.count, let column = rows.columns.first else {
                throw MillstreamError(.typeMismatch, "a timestamp assigner gave \(response.outputs.first?.count ?? 0) timestamps for \(batch.count) records")
            }
            try refuseNulls(column, count: batch.count)
            return column
        }
    }

    private func fromColumn(_ column: Column, count: Int) throws(MillstreamError) -> Column {
        try refuseNulls(column, count: count)
        let unit: TimeUnit
        switch column.type.kind {
        case .timestamp(let precision), .timestampLTZ(let precision): unit = TimeUnit(precision: precision)
        default: return column.retyped(.bigInt)
        }
        if unit == .millisecond { return column.retyped(.bigInt) }
        let buffer = Buffer(byteCount: 8 * count)
        toMilliseconds(
            UnsafePointer(column.pointer(as: Int64.self)), count, perSecond: unit.perSecond, into: buffer.pointer(as: Int64.self))
        return Column(type: .bigInt, count: count, values: buffer)
    }

    private func refuseNulls(_ column: Column, count: Int) throws(MillstreamError) {
        guard column.mayHaveNulls, column.nullCount > 0 else { return }
        let row = (0..<count).first { column.isNull($0) } ?? 0
        throw MillstreamError(
            .eventTime, "the event time of a record is null", hint: "Filter such records out before assigning timestamps.",
            recordIndex: rowsBefore + Int64(row))
    }
}

/// Floors to milliseconds (times before the epoch too); saturates where seconds overflow.
private func toMilliseconds(_ source: UnsafePointer<Int64>, _ count: Int, perSecond: Int64, into target: UnsafeMutablePointer<Int64>) {
    if perSecond >= 1_000 {
        let divisor = perSecond / 1_000
        for row in 0..<count {
            let (quotient, remainder) = source[row].quotientAndRemainder(dividingBy: divisor)
            target[row] = remainder < 0 ? quotient &- 1 : quotient
        }
    } else {
        for row in 0..<count {
            let (product, overflow) = source[row].multipliedReportingOverflow(by: 1_000 / perSecond)
            target[row] = overflow ? (source[row] < 0 ? .min + 1 : .max) : product
        }
    }
}

/// How many times are after `last`: one comparison a row, without a branch.
private func countAbove(_ times: UnsafeBufferPointer<Int64>, _ last: Int64) -> Int {
    var count = 0
    for time in times { count &+= time > last ? 1 : 0 }
    return count
}

/// The rows up to `last` and the `count` ones after it, each in order.
private func splitAbove(_ times: UnsafeBufferPointer<Int64>, _ last: Int64, count: Int) -> (kept: Selection, above: Selection) {
    let keptCount = times.count - count
    // One place more than each holds: every row is written to both, and the next one overwrites what did not belong.
    let kept = Buffer(byteCount: 4 * (keptCount + 1))
    let above = Buffer(byteCount: 4 * (count + 1))
    let keptRows = kept.pointer(as: Int32.self)
    let aboveRows = above.pointer(as: Int32.self)
    var keptPlace = 0
    var abovePlace = 0
    for (row, time) in times.enumerated() {
        keptRows[keptPlace] = Int32(truncatingIfNeeded: row)
        aboveRows[abovePlace] = Int32(truncatingIfNeeded: row)
        let isAbove = time > last ? 1 : 0
        abovePlace &+= isAbove
        keptPlace &+= 1 &- isAbove
    }
    return (Selection(buffer: kept, count: keptCount), Selection(buffer: above, count: count))
}

extension DataType {
    fileprivate var isTimestampSource: Bool {
        switch kind {
        case .bigInt, .timestamp, .timestampLTZ: true
        default: false
        }
    }
}
