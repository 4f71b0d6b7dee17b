import Columnar
import Dataflow
import Plan
import State

/// A join of rows in the same window: when the watermark has passed the window's end, its rows meet. Rows of a window that is over are dropped and counted.
final class WindowJoinOperator: Operator, StateDeclaring {
    private let kind: JoinKind
    private let leftCount: Int
    private let keys: TableKeys
    private let condition: PairCondition?
    private let evaluation: Evaluation
    private let endColumns: [TimeColumn]
    /// The time is the window's last millisecond; a mark of 1: the row has a match.
    private let sides: [TimedRows]
    private var due = KeyTimes()
    private let result: PairResult
    private var time = Int64.min
    private var context: OperatorContext?
    private var rowsBefore: [Int64] = [0, 0]
    /// The key whose rows come out, and the next row of its left side; -1: those of its right side that have no match.
    private var current: (key: Int32, left: Int32)?

    init(
        _ description: WindowJoinDescription, inputs: [Schema], output: Schema, evaluation: Evaluation, hostObjects: HostObjects?
    ) throws(MillstreamError) {
        kind = description.kind
        leftCount = inputs[0].fields.count
        keys = try TableKeys(
            inputs: inputs, positions: [description.keys.left, description.keys.right], hostObjects: hostObjects)
        var conditions: [ScalarExpression] = []
        if let condition = description.condition { conditions.append(condition) }
        for (place, column) in description.keys.left.enumerated() where !description.keys.matchesNulls[place] {
            conditions.append(.call(.isNotNull, [.column(column, inputs[0].fields[column].type)], DataType.boolean.notNull))
        }
        if let condition = ScalarExpression.all(conditions) { self.condition = try PairCondition(condition) } else { condition = nil }
        self.evaluation = evaluation
        endColumns = [try TimeColumn(description.leftEndColumn, inputs[0]), try TimeColumn(description.rightEndColumn, inputs[1])]
        sides = [
            TimedRows(inputs[0], part: "window-join/left", mark: "has_match", hostObjects: hostObjects),
            TimedRows(inputs[1], part: "window-join/right", mark: "has_match", hostObjects: hostObjects),
        ]
        result = PairResult(kind, schema: output, left: sides[0].slots, right: sides[1].slots)
    }

    func open(_ context: OperatorContext) {
        self.context = context
        evaluation.open(context)
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        for side in sides { side.slots.settle() }
        let batch = try batch.compacted()
        let ends = try endColumns[input].milliseconds(batch, rowsBefore: rowsBefore[input])
        rowsBefore[input] += Int64(batch.count)
        let found = try keys.slots(batch, input: input)
        let rows = (0..<Int32(truncatingIfNeeded: batch.count)).filter { ends[Int($0)].subtractingSaturating(1) > time }
        let late = batch.count - rows.count
        if late > 0 {
            context?.metrics.lateRecords.add(late)
            context?.metrics.lateRecordsDropped.add(late)
        }
        let slots = try sides[input].slots.add(batch.fields, rows: late == 0 ? nil : rows, count: batch.count)
        for (place, row) in rows.enumerated() {
            let last = ends[Int(row)].subtractingSaturating(1)
            sides[input].append(slots[place], key: found[Int(row)], time: last, mark: 0)
            due.register(found[Int(row)], at: last)
        }
        if late > 0 { keys.erase(found, unless: isUsed) }
        return .done
    }

    private func isUsed(_ key: Int32) -> Bool { sides[0].first(key) >= 0 || sides[1].first(key) >= 0 }

    var nextEventTime: EventTime? { nil }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        evaluation.watermark = watermark.milliseconds
        time = max(time, watermark.milliseconds)
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        while true {
            guard try result.emit(output) else { return .more }
            if current == nil {
                for side in sides { side.slots.settle() }
                guard let key = due.next(upTo: time) else { return .done }
                current = (key, sides[0].first(key))
            } else if output.isFull {
                return .more
            }
            // Windows of few rows make one batch together.
            while result.count < 4096 {
                if current == nil {
                    guard let key = due.next(upTo: time) else { break }
                    current = (key, sides[0].first(key))
                }
                try advance()
            }
        }
    }

    /// Some more pairs of the window that is open.
    private func advance() throws(MillstreamError) {
        guard let (key, first) = current else { return }
        var lefts: [Int32] = []
        var rights: [Int32] = []
        var ends: [(slot: Int32, end: Int)] = []
        var slot = first
        while slot >= 0, lefts.count < 4096 {
            var other = sides[1].first(key)
            while other >= 0 {
                lefts.append(slot)
                rights.append(other)
                other = sides[1].next(other)
            }
            ends.append((slot, lefts.count))
            slot = sides[0].next(slot)
        }
        var holds = [Bool](repeating: true, count: lefts.count)
        if let condition {
            holds = try condition.holds(lefts, rights, evaluation, left: sides[0].slots, right: sides[1].slots, leftCount: leftCount)
        }
        var start = 0
        for (row, end) in ends {
            var hasMatch = false
            for place in start..<end where holds[place] {
                hasMatch = true
                sides[1].setMark(rights[place], 1)
                if kind != .semi, kind != .anti { result.add(row, rights[place]) }
            }
            if hasMatch ? kind == .semi : kind == .anti || kind.isLeftOuter { result.add(row, 0) }
            start = end
        }
        if slot >= 0 {
            current = (key, slot)
            return
        }
        if kind.isRightOuter {
            var other = sides[1].first(key)
            while other >= 0 {
                if sides[1].mark(other) == 0 { result.add(0, other) }
                other = sides[1].next(other)
            }
        }
        for side in sides { while side.first(key) >= 0 { side.remove(side.first(key)) } }
        keys.erase([key], unless: isUsed)
        current = nil
    }

    // MARK: Checkpoints

    func declaredParts() -> [DeclaredPart] { sides.map(\.declaredPart) }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        guard let context else { return }
        try FormerWatermarks.write(EventTime(milliseconds: time), context.keyGroups, to: writer)
        for side in sides { try side.snapshot(keys.table, maxParallelism: context.maxParallelism, to: writer) }
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        if let context { time = try FormerWatermarks(reader).least(context.keyGroups).milliseconds }
        for side in sides { try side.restore(keys.table, from: reader) { key, last in due.register(key, at: last) } }
    }
}
