import Columnar
import Dataflow
import Plan
import State

/// A join in BATCH mode: the right input is kept by key; when it has ended, the left one's rows pass and come out with what they meet. Gives inserts alone.
final class HashJoinOperator: Operator {
    private let kind: JoinKind
    private let inputs: [Schema]
    private let keys: TableKeys
    private let condition: PairCondition?
    private let evaluation: Evaluation
    private let right: JoinRows
    /// No rows of the left input: what stands beside those of the right one that have no key.
    private let noLeft: RowSlots
    private let hostObjects: HostObjects?
    private let result: JoinResult
    private var isRightComplete = false
    /// Batches of the left input, and the next of them.
    private var waiting: [Batch] = []
    private var nextWaiting = 0
    private var work: (columns: [Column], input: Int, keys: [Int32], next: Int)?
    /// Whether the rows of the right input that nobody met come out: last of all, and once.
    private enum Unmet { case notYet, due, done }
    private var unmet = Unmet.notYet

    init(
        _ description: JoinDescription, inputs: [Schema], output: Schema, evaluation: Evaluation, hostObjects: HostObjects?
    ) throws(MillstreamError) {
        kind = description.kind
        self.inputs = inputs
        self.hostObjects = hostObjects
        keys = try TableKeys(
            inputs: inputs, positions: [description.keys.left, description.keys.right], matchesNulls: description.keys.matchesNulls, hostObjects: hostObjects)
        if let condition = description.condition { self.condition = try PairCondition(condition) } else { condition = nil }
        self.evaluation = evaluation
        right = try JoinRows(
            JoinSide(), schema: inputs[1], keys: description.keys.right, countsAssociations: kind.isRightOuter, part: "join/right", hostObjects: hostObjects)
        noLeft = RowSlots(types: inputs[0].types, hostObjects: hostObjects)
        result = JoinResult(kind, schema: output)
    }

    func open(_ context: OperatorContext) { evaluation.open(context) }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        if input == 0 {
            waiting.append(batch)
            return isRightComplete ? try resume(output: output) : .done
        }
        let batch = try batch.compacted()
        let found = try keys.slots(batch, input: 1)
        let changes = try right.prepare(batch.fields, keys: found, kinds: [Int8](repeating: 0, count: found.count))
        for row in found.indices {
            if found[row] >= 0 {
                try right.add(row, key: found[row], associations: 0, changes, at: 0)
            } else if kind.isRightOuter {
                result.add(Int32(truncatingIfNeeded: row), 0, RowKind.insert.rawValue)
            }
        }
        work = (batch.fields, 1, [], 0)
        return try resume(output: output)
    }

    func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if input == 1 { isRightComplete = true }
        return try resume(output: output)
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        guard watermark == .max else { return .done }
        isRightComplete = true
        if unmet == .notYet { unmet = kind.isRightOuter ? .due : .done }
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        while true {
            if let current = work {
                guard try result.emit(current.columns, input: current.input, kept: current.input == 0 ? right.slots : noLeft, output) else { return .more }
                if current.next < current.keys.count {
                    if current.next > 0, output.isFull { return .more }
                    work?.next = try advance(current.columns, current.keys, current.next)
                    continue
                }
                work = nil
            }
            guard isRightComplete else { return .done }
            if nextWaiting < waiting.count {
                let batch = try waiting[nextWaiting].compacted()
                nextWaiting += 1
                if nextWaiting == waiting.count {
                    waiting = []
                    nextWaiting = 0
                }
                work = (batch.fields, 0, try keys.slots(batch, input: 0), 0)
                continue
            }
            guard unmet == .due, try startUnmet() else { return .done }
        }
    }

    /// The pairs of some rows of the left input; where the next ones begin.
    private func advance(_ columns: [Column], _ keys: [Int32], _ first: Int) throws(MillstreamError) -> Int {
        var matches = JoinMatches(keys, from: first, in: right)
        if let condition { try matches.keep(where: condition, evaluation, columns, input: 0, leftCount: inputs[0].fields.count, right.slots) }
        if kind.isRightOuter { for slot in matches.slots { right.setAssociation(slot, 1, at: 0) } }
        switch kind {
        case .inner, .right:
            result.rows = matches.rows
            result.slots = matches.slots
        case .left, .full:
            for row in matches.range {
                let number = Int32(truncatingIfNeeded: row)
                let pairs = matches.pairs(row)
                if pairs.isEmpty { result.rows.append(number); result.slots.append(0) }
                for pair in pairs { result.rows.append(number); result.slots.append(matches.slots[pair]) }
            }
        case .semi, .anti:
            for row in matches.range where matches.pairs(row).isEmpty == (kind == .anti) {
                result.rows.append(Int32(truncatingIfNeeded: row))
                result.slots.append(0)
            }
        }
        return matches.range.upperBound
    }

    /// False when there are none.
    private func startUnmet() throws(MillstreamError) -> Bool {
        unmet = .done
        let slots = right.all(keys.table).filter { right.association($0) == 0 }
        guard !slots.isEmpty else { return false }
        var empty: [Column] = []
        for field in inputs[0].fields { empty.append(try Column.nulls(type: field.type, count: 0, hostObjects: hostObjects)) }
        result.rows = [Int32](repeating: -1, count: slots.count)
        result.slots = slots
        work = (empty, 0, [], 0)
        return true
    }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        throw .noCheckpointInBatchMode
    }
}
