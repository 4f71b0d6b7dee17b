import Columnar
import Dataflow
import Plan
import State

/// FOR SYSTEM_TIME AS OF the event time: each left row meets the version of its key that is valid at its time.
///
/// Left rows wait for the watermark, and come out in the order in which they came, key by key. Of the versions the last one that the watermark has passed
/// is kept, and those behind it. A version of a time that another has takes its place; -U and -D end the validity.
final class TemporalJoinOperator: Operator, StateDeclaring {
    private let kind: JoinKind
    private let leftCount: Int
    private let keys: TableKeys
    private let condition: PairCondition?
    private let evaluation: Evaluation
    private let timeColumns: [TimeColumn]
    /// In the order in which they came; the mark is the row's kind.
    private let left: TimedRows
    /// By time; the mark is the version's kind.
    private let right: TimedRows
    private var due = KeyTimes()
    private let result: PairResult
    private var time = Int64.min
    private var context: OperatorContext?
    private var rowsBefore: [Int64] = [0, 0]
    private var touched: [Int32] = []

    init(
        _ description: TemporalJoinDescription, inputs: [Schema], output: Schema, evaluation: Evaluation, hostObjects: HostObjects?
    ) throws(MillstreamError) {
        guard description.kind == .inner || description.kind == .left else { throw MillstreamError(.plan, "a temporal join is an inner join or a left join") }
        kind = description.kind
        leftCount = inputs[0].fields.count
        keys = try TableKeys(
            inputs: inputs, positions: [description.keys.left, description.keys.right], hostObjects: hostObjects)
        var conditions: [ScalarExpression] = []
        if let condition = description.condition { conditions.append(condition) }
        // Rows wait by their key, also one with NULLs; then it equals nothing.
        for (place, column) in description.keys.left.enumerated() where !description.keys.matchesNulls[place] {
            conditions.append(.call(.isNotNull, [.column(column, inputs[0].fields[column].type)], DataType.boolean.notNull))
        }
        if let condition = ScalarExpression.all(conditions) { self.condition = try PairCondition(condition) } else { condition = nil }
        self.evaluation = evaluation
        timeColumns = [try TimeColumn(description.leftTimeColumn, inputs[0]), try TimeColumn(description.rightTimeColumn, inputs[1])]
        left = TimedRows(inputs[0], part: "temporal-join/left", mark: "row_kind", hostObjects: hostObjects)
        right = TimedRows(inputs[1], part: "temporal-join/versions", mark: "row_kind", hostObjects: hostObjects)
        result = PairResult(description.kind, schema: output, left: left.slots, right: right.slots)
    }

    func open(_ context: OperatorContext) {
        self.context = context
        evaluation.open(context)
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        left.slots.settle()
        right.slots.settle()
        let batch = try batch.compacted()
        let times = try timeColumns[input].milliseconds(batch, rowsBefore: rowsBefore[input])
        rowsBefore[input] += Int64(batch.count)
        let found = try keys.slots(batch, input: input)
        let kinds = batch.kinds()
        let side = input == 0 ? left : right
        let slots = try side.slots.add(batch.fields, count: batch.count)
        for row in 0..<batch.count {
            let key = found[row]
            if input == 0 {
                left.append(slots[row], key: key, time: times[row], mark: kinds[row])
                due.register(key, at: times[row])
            } else {
                addVersion(slots[row], key, times[row], kinds[row])
            }
        }
        if input == 1 {
            forgetVersions(found)
            right.slots.settle()
        }
        return .done
    }

    private func addVersion(_ slot: Int32, _ key: Int32, _ time: Int64, _ kind: Int8) {
        right.insertByTime(slot, key: key, time: time, mark: kind)
        let previous = right.previous(slot)
        if previous >= 0, right.time(previous) == time { right.remove(previous) }
    }

    /// Versions that no row that is to come meets.
    private func forgetVersions(_ candidates: [Int32]) {
        for key in candidates {
            // Rows that still wait may need them.
            guard left.first(key) < 0 else { continue }
            while right.first(key) >= 0, right.next(right.first(key)) >= 0, right.time(right.next(right.first(key))) <= time { right.remove(right.first(key)) }
            let first = right.first(key)
            if first >= 0, right.time(first) <= time, RowKind.isRetraction(right.mark(first)) { right.remove(first) }
        }
        keys.erase(candidates) { left.first($0) >= 0 || right.first($0) >= 0 }
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        evaluation.watermark = watermark.milliseconds
        time = max(time, watermark.milliseconds)
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        while true {
            guard try result.emit(output) else { return .more }
            left.slots.settle()
            if output.isFull, !touched.isEmpty, let first = due.first(), first <= time { return .more }
            guard try fire() else { break }
        }
        forgetVersions(touched)
        touched.removeAll(keepingCapacity: true)
        return .done
    }

    /// The rows that the watermark has reached, of as many keys as give a good batch. False: there are none.
    private func fire() throws(MillstreamError) -> Bool {
        var lefts: [Int32] = []
        var rights: [Int32] = []
        while lefts.count < 4096, let key = due.next(upTo: time) {
            touched.append(key)
            var slot = left.first(key)
            while slot >= 0 {
                let next = left.next(slot)
                if left.time(slot) <= time {
                    lefts.append(slot)
                    rights.append(version(key, left.time(slot)))
                    left.remove(slot)
                } else {
                    due.register(key, at: left.time(slot))
                }
                slot = next
            }
        }
        if lefts.isEmpty { return false }
        if let condition {
            let places = lefts.indices.filter { rights[$0] > 0 }
            let holds = try condition.holds(
                places.map { lefts[$0] }, places.map { rights[$0] }, evaluation, left: left.slots, right: right.slots, leftCount: leftCount)
            for (number, place) in places.enumerated() where !holds[number] { rights[place] = 0 }
        }
        for place in lefts.indices where rights[place] > 0 || kind == .left { result.add(lefts[place], rights[place], left.mark(lefts[place])) }
        return true
    }

    /// What is valid at a time; 0: nothing.
    private func version(_ key: Int32, _ time: Int64) -> Int32 {
        var slot = right.last(key)
        while slot >= 0, right.time(slot) > time { slot = right.previous(slot) }
        return slot < 0 || RowKind.isRetraction(right.mark(slot)) ? 0 : slot
    }

    // MARK: Checkpoints

    func declaredParts() -> [DeclaredPart] { [left.declaredPart, right.declaredPart] }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        guard let context else { return }
        try FormerWatermarks.write(EventTime(milliseconds: time), context.keyGroups, to: writer)
        try left.snapshot(keys.table, maxParallelism: context.maxParallelism, to: writer)
        try right.snapshot(keys.table, maxParallelism: context.maxParallelism, to: writer)
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        if let context { time = try FormerWatermarks(reader).least(context.keyGroups).milliseconds }
        try left.restore(keys.table, from: reader) { key, time in due.register(key, at: time) }
        try right.restore(keys.table, from: reader) { _, _ in }
    }
}
