import Columnar
import Dataflow
import Plan
import State

/// A join of rows whose times are near each other.
///
/// A row is kept until the watermark (or the clock) says that none can come that it meets; where it has met none, it comes out with NULLs then. A row that
/// comes too late to be kept still meets those that are there. As results may be older than the watermark, it goes on so much later.
final class IntervalJoinOperator: Operator, StateDeclaring {
    private let kind: JoinKind
    private let inputs: [Schema]
    private let keys: TableKeys
    private let condition: PairCondition?
    private let evaluation: Evaluation
    /// Event times; none: the clock's.
    private let timeColumns: [TimeColumn]
    private let lower: Int64
    private let upper: Int64
    /// A mark of 1: the row has met one of the other input.
    private let sides: [TimedRows]
    private var expiries = [KeyTimes(), KeyTimes()]
    private let result: JoinResult
    private let hostObjects: HostObjects?
    private var time = Int64.min
    private var context: OperatorContext?
    private var rowsBefore: [Int64] = [0, 0]
    private var work: Work?
    /// The watermark that goes on when its work is done.
    private var watermark: EventTime?
    /// Keys that were touched and may be empty.
    private var touched: [Int32] = []

    private enum Work {
        case batch(columns: [Column], input: Int, keys: [Int32], times: [Int64], slots: [Int32], next: Int)
        /// Rows of one input that have waited for nothing.
        case expired(input: Int)
    }

    init(
        _ description: IntervalJoinDescription, inputs: [Schema], output: Schema, evaluation: Evaluation, hostObjects: HostObjects?
    ) throws(MillstreamError) {
        guard description.lower <= description.upper else {
            throw MillstreamError(.plan, "an interval join from \(description.lower) to \(description.upper) milliseconds has no matches")
        }
        kind = description.kind
        self.inputs = inputs
        self.hostObjects = hostObjects
        keys = try TableKeys(
            inputs: inputs, positions: [description.keys.left, description.keys.right], matchesNulls: description.keys.matchesNulls, hostObjects: hostObjects)
        if let condition = description.condition { self.condition = try PairCondition(condition) } else { condition = nil }
        self.evaluation = evaluation
        switch description.time {
        case .event(let left, let right): timeColumns = [try TimeColumn(left, inputs[0]), try TimeColumn(right, inputs[1])]
        case .processing: timeColumns = []
        }
        lower = description.lower
        upper = description.upper
        sides = [
            TimedRows(inputs[0], part: "interval-join/left", mark: "has_match", hostObjects: hostObjects),
            TimedRows(inputs[1], part: "interval-join/right", mark: "has_match", hostObjects: hostObjects),
        ]
        result = JoinResult(kind, schema: output)
    }

    func open(_ context: OperatorContext) {
        self.context = context
        evaluation.open(context)
    }

    var forwardsWatermarks: Bool { false }
    var nextEventTime: EventTime? { nil }
    func onStatus(_ status: WatermarkStatus, output: any Output) throws(MillstreamError) { try output.emit(status) }

    /// How much older than the watermark a result may be: that of a kept row.
    private var delay: Int64 { max(0, Int64(0).subtractingSaturating(lower), upper) }

    /// The last time of the other input that a row meets: a row of the left one meets right times up to left - lower, one of the right one left times up to
    /// right + upper.
    private func lastTime(_ time: Int64, _ input: Int) -> Int64 { input == 0 ? time.subtractingSaturating(lower) : time.addingSaturating(upper) }
    private func firstTime(_ time: Int64, _ input: Int) -> Int64 { input == 0 ? time.subtractingSaturating(upper) : time.addingSaturating(lower) }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        for side in sides { side.slots.settle() }
        let batch = try batch.compacted()
        let times: [Int64]
        if timeColumns.isEmpty {
            let now = context?.clock.now().milliseconds ?? 0
            // What has expired by the clock goes before the rows come.
            time = max(time, now)
            times = [Int64](repeating: now, count: batch.count)
        } else {
            times = try timeColumns[input].milliseconds(batch, rowsBefore: rowsBefore[input])
        }
        rowsBefore[input] += Int64(batch.count)
        let found = try keys.slots(batch, input: input)
        var coming: [Int32] = []
        for row in found.indices where found[row] >= 0 && isKept(times[row], input) { coming.append(Int32(truncatingIfNeeded: row)) }
        let given = try sides[input].slots.add(batch.fields, rows: coming.count == batch.count ? nil : coming, count: batch.count)
        var slots = [Int32](repeating: 0, count: batch.count)
        for (place, row) in coming.enumerated() { slots[Int(row)] = given[place] }
        touched += found
        let next = Work.batch(columns: batch.fields, input: input, keys: found, times: times, slots: slots, next: 0)
        work = next
        return try resume(output: output)
    }

    private func isKept(_ rowTime: Int64, _ input: Int) -> Bool { time < lastTime(rowTime, input) }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        evaluation.watermark = watermark.milliseconds
        self.watermark = watermark
        // At the end of the input rows that wait by the clock are done with, too: no other comes.
        if !timeColumns.isEmpty || watermark == .max {
            time = max(time, watermark.milliseconds)
            for side in sides { side.slots.settle() }
            work = .expired(input: 0)
        }
        return try resume(output: output)
    }

    func onProcessingTime(_ now: ProcessingTime, output: any Output) throws(MillstreamError) -> Progress {
        guard timeColumns.isEmpty else { return .done }
        time = max(time, now.milliseconds)
        for side in sides { side.slots.settle() }
        work = .expired(input: 0)
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        while let current = work {
            switch current {
            case .batch(let columns, let input, let rowKeys, let times, let slots, let next):
                guard try result.emit(columns, input: input, kept: sides[1 - input].slots, output) else { return .more }
                if next == rowKeys.count {
                    work = nil
                } else {
                    if next > 0, output.isFull { return .more }
                    let end = try advance(columns, input, rowKeys, times, slots, next)
                    work = .batch(columns: columns, input: input, keys: rowKeys, times: times, slots: slots, next: end)
                }
            case .expired(let input):
                guard try result.emit(try nothing(1 - input), input: 1 - input, kept: sides[input].slots, output) else { return .more }
                if expire(input) { continue }
                work = input == 0 ? .expired(input: 1) : nil
            }
        }
        keys.erase(touched) { sides[0].first($0) >= 0 || sides[1].first($0) >= 0 }
        touched.removeAll(keepingCapacity: true)
        if timeColumns.isEmpty { askForWakeUp() }
        if let watermark {
            self.watermark = nil
            try output.emit(watermark == .max || timeColumns.isEmpty ? watermark : watermark - delay)
        }
        return .done
    }

    private func askForWakeUp() {
        guard let next = [expiries[0].first(), expiries[1].first()].compactMap({ $0 }).min() else { return }
        context?.wakeUp(at: ProcessingTime(milliseconds: next))
    }

    /// The columns of an input without rows.
    private func nothing(_ input: Int) throws(MillstreamError) -> [Column] {
        var columns: [Column] = []
        for field in inputs[input].fields { columns.append(try Column.nulls(type: field.type, count: 0, hostObjects: hostObjects)) }
        return columns
    }

    /// Takes some rows of a batch; where the next ones begin.
    private func advance(
        _ columns: [Column], _ input: Int, _ rowKeys: [Int32], _ times: [Int64], _ slots: [Int32], _ first: Int
    ) throws(MillstreamError) -> Int {
        let (own, other) = (sides[input], sides[1 - input])
        var matches = JoinMatches(rowKeys, from: first) { row, found in
            let (low, high) = (firstTime(times[row], input), lastTime(times[row], input))
            let start = found.count
            var slot = other.last(rowKeys[row])
            while slot >= 0, other.time(slot) >= low {
                if other.time(slot) <= high { found.append(slot) }
                slot = other.previous(slot)
            }
            found[start...].reverse()
        }
        if let condition { try matches.keep(where: condition, evaluation, columns, input: input, leftCount: inputs[0].fields.count, other.slots) }
        let isOuter = input == 0 ? kind.isLeftOuter : kind.isRightOuter
        for row in matches.range {
            let number = Int32(truncatingIfNeeded: row)
            let pairs = matches.pairs(row)
            switch kind {
            case .semi, .anti:
                if input == 0 {
                    if kind == .semi, !pairs.isEmpty { named(number, 0) }
                    if kind == .anti, pairs.isEmpty, slots[row] == 0 { named(number, 0) }
                } else {
                    for pair in pairs where other.mark(matches.slots[pair]) == 0 {
                        other.setMark(matches.slots[pair], 1)
                        if kind == .semi { named(-1, matches.slots[pair]) }
                    }
                }
            default:
                for pair in pairs {
                    other.setMark(matches.slots[pair], 1)
                    named(number, matches.slots[pair])
                }
                if pairs.isEmpty, isOuter, slots[row] == 0 { named(number, 0) }
            }
            if slots[row] > 0 {
                own.insertByTime(slots[row], key: rowKeys[row], time: times[row], mark: pairs.isEmpty ? 0 : 1)
                expiries[input].register(rowKeys[row], at: lastTime(times[row], input))
            } else if rowKeys[row] >= 0, times[row] <= time, pairs.isEmpty {
                context?.metrics.lateRecords.add(1)
                if !isOuter, kind != .anti { context?.metrics.lateRecordsDropped.add(1) }
            }
        }
        return matches.range.upperBound
    }

    private func named(_ row: Int32, _ slot: Int32) {
        result.rows.append(row)
        result.slots.append(slot)
    }

    /// Lets go of rows that meet none any more, for as many keys as give a good batch. False: nothing was left to do.
    private func expire(_ input: Int) -> Bool {
        let side = sides[input]
        let isOuter = input == 0 ? kind.isLeftOuter || kind == .anti : kind.isRightOuter
        while result.rows.count < 4096 {
            guard let key = expiries[input].next(upTo: time == .max ? .max : time.subtractingSaturating(1)) else { return !result.rows.isEmpty }
            while true {
                let slot = side.first(key)
                guard slot >= 0 else { break }
                let last = lastTime(side.time(slot), input)
                guard last < time || time == .max else {
                    expiries[input].register(key, at: last)
                    break
                }
                if isOuter, side.mark(slot) == 0 { named(-1, slot) }
                side.remove(slot)
            }
            touched.append(key)
        }
        return true
    }

    // MARK: Checkpoints

    func declaredParts() -> [DeclaredPart] { sides.map(\.declaredPart) }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        guard let context else { return }
        if !timeColumns.isEmpty { try FormerWatermarks.write(EventTime(milliseconds: time), context.keyGroups, to: writer) }
        for side in sides { try side.snapshot(keys.table, maxParallelism: context.maxParallelism, to: writer) }
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        if !timeColumns.isEmpty, let context { time = try FormerWatermarks(reader).least(context.keyGroups).milliseconds }
        for (input, side) in sides.enumerated() {
            try side.restore(keys.table, from: reader) { key, time in expiries[input].register(key, at: lastTime(time, input)) }
        }
        if timeColumns.isEmpty { askForWakeUp() }
    }
}
