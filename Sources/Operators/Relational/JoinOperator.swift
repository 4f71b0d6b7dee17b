import Columnar
import Dataflow
import Plan
import State

/// A join of two changelogs: gives the changes of the result, in Flink's order.
///
/// Of each row that comes all kept rows of the other input that it meets are found first, for as many rows as give a good batch; then row by row what that
/// changes is named, and the rows kept of its own input change. A row whose key has a NULL that equals nothing meets none and is not kept.
final class JoinOperator: Operator, StateDeclaring {
    private let kind: JoinKind
    private let leftCount: Int
    private let keys: TableKeys
    private let condition: PairCondition?
    private let evaluation: Evaluation
    private let sides: [JoinRows]
    private let result: JoinResult
    private var context: OperatorContext?
    private var work: Work?

    /// A batch while it is taken.
    private struct Work {
        let columns: [Column]
        let input: Int
        let keys: [Int32]
        let kinds: [Int8]
        let isInsertOnly: Bool
        let changes: JoinRows.Changes
        let time: Int64
        var next = 0
    }

    init(
        _ description: JoinDescription, inputs: [Schema], output: Schema, evaluation: Evaluation, hostObjects: HostObjects?
    ) throws(MillstreamError) {
        kind = description.kind
        leftCount = inputs[0].fields.count
        keys = try TableKeys(
            inputs: inputs, positions: [description.keys.left, description.keys.right], matchesNulls: description.keys.matchesNulls, hostObjects: hostObjects)
        if let condition = description.condition { self.condition = try PairCondition(condition) } else { condition = nil }
        self.evaluation = evaluation
        let (isLeftOuter, isRightOuter) = (kind.isLeftOuter, kind.isRightOuter)
        sides = [
            try JoinRows(
                description.left, schema: inputs[0], keys: description.keys.left, countsAssociations: isLeftOuter || kind == .semi || kind == .anti,
                part: "join/left", hostObjects: hostObjects),
            try JoinRows(
                description.right, schema: inputs[1], keys: description.keys.right, countsAssociations: isRightOuter, part: "join/right",
                hostObjects: hostObjects),
        ]
        result = JoinResult(kind, schema: output)
    }

    func open(_ context: OperatorContext) {
        self.context = context
        evaluation.open(context)
    }

    func onWatermark(_ watermark: EventTime, output: any Output) -> Progress {
        evaluation.watermark = watermark.milliseconds
        return .done
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        let time = context?.clock.now().milliseconds ?? 0
        for side in sides {
            let expired = side.expire(time)
            side.slots.settle()
            erase(expired)
        }
        let batch = try batch.compacted()
        let found = try keys.slots(batch, input: input)
        let columns = batch.fields
        let kinds = batch.kinds()
        let changes = try sides[input].prepare(columns, keys: found, kinds: kinds)
        work = Work(
            columns: columns, input: input, keys: found, kinds: kinds, isInsertOnly: batch.rowKinds == nil, changes: changes, time: sides[input].now(time))
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        while let current = work {
            guard try result.emit(current.columns, input: current.input, kept: sides[1 - current.input].slots, output) else { return .more }
            guard current.next < current.keys.count else {
                if !current.isInsertOnly || kind != .inner { erase(current.keys) }
                work = nil
                break
            }
            if current.next > 0, output.isFull { return .more }
            work?.next = try advance(current)
        }
        return .done
    }

    private func erase(_ candidates: [Int32]) {
        keys.erase(candidates) { sides[0].first($0) >= 0 || sides[1].first($0) >= 0 }
    }

    // MARK: Rows

    /// Takes some rows of the batch; where the next ones begin.
    private func advance(_ work: Work) throws(MillstreamError) -> Int {
        let other = sides[1 - work.input]
        var matches = JoinMatches(work.keys, from: work.next, in: other)
        if let condition { try matches.keep(where: condition, evaluation, work.columns, input: work.input, leftCount: leftCount, other.slots) }
        switch kind {
        case .semi, .anti: work.input == 0 ? try takeTested(work, matches) : try takeTesting(work, matches)
        case .inner: try takeInner(work, matches)
        default: try takeOuter(work, matches)
        }
        return matches.range.upperBound
    }

    /// All pairs come out as they are.
    private func takeInner(_ work: Work, _ matches: JoinMatches) throws(MillstreamError) {
        result.rows = matches.rows
        result.slots = matches.slots
        if !work.isInsertOnly { result.kinds = matches.rows.map { work.kinds[Int($0)] } }
        for row in matches.range { try keep(row, work, associations: 0) }
    }

    private func keep(_ row: Int, _ work: Work, associations: Int) throws(MillstreamError) {
        let key = work.keys[row]
        guard key >= 0 else { return }
        let own = sides[work.input]
        if RowKind.isRetraction(work.kinds[row]) {
            try own.retract(row, key: key, work.changes)
        } else {
            try own.add(row, key: key, associations: Int32(clamping: associations), work.changes, at: work.time)
        }
    }

    private func takeOuter(_ work: Work, _ matches: JoinMatches) throws(MillstreamError) {
        let other = sides[1 - work.input]
        let isOuter = work.input == 0 ? kind.isLeftOuter : kind.isRightOuter
        let otherIsOuter = work.input == 0 ? kind.isRightOuter : kind.isLeftOuter
        let (insert, delete) = (RowKind.insert.rawValue, RowKind.delete.rawValue)
        for row in matches.range {
            let number = Int32(truncatingIfNeeded: row)
            let pairs = matches.pairs(row)
            let rowKind = work.kinds[row]
            if RowKind.isRetraction(rowKind) {
                try keep(row, work, associations: 0)
                if pairs.isEmpty {
                    if isOuter { result.add(number, 0, delete) }
                    continue
                }
                for pair in pairs { result.add(number, matches.slots[pair], isOuter ? delete : rowKind) }
                guard otherIsOuter else { continue }
                for pair in pairs {
                    let slot = matches.slots[pair]
                    let count = other.association(slot)
                    if count == 1 { result.add(-1, slot, insert) }
                    other.setAssociation(slot, max(0, count &- 1), at: work.time)
                }
                continue
            }
            if pairs.isEmpty {
                if isOuter { result.add(number, 0, insert) }
            } else {
                if otherIsOuter {
                    for pair in pairs {
                        let slot = matches.slots[pair]
                        let count = other.association(slot)
                        if count == 0 { result.add(-1, slot, delete) }
                        other.setAssociation(slot, count &+ 1, at: work.time)
                    }
                }
                let outKind = isOuter || otherIsOuter ? insert : rowKind
                for pair in pairs { result.add(number, matches.slots[pair], outKind) }
            }
            try keep(row, work, associations: pairs.count)
        }
    }

    /// Rows of the left input, which come out where they have a match (SEMI) or none (ANTI).
    private func takeTested(_ work: Work, _ matches: JoinMatches) throws(MillstreamError) {
        for row in matches.range {
            let pairs = matches.pairs(row)
            if pairs.isEmpty == (kind == .anti) { result.add(Int32(truncatingIfNeeded: row), 0, work.kinds[row]) }
            try keep(row, work, associations: pairs.count)
        }
    }

    /// Rows of the right input, which decide about those of the left one.
    private func takeTesting(_ work: Work, _ matches: JoinMatches) throws(MillstreamError) {
        let left = sides[0]
        let isAnti = kind == .anti
        for row in matches.range {
            let rowKind = work.kinds[row]
            let isRetraction = RowKind.isRetraction(rowKind)
            for pair in matches.pairs(row) {
                let slot = matches.slots[pair]
                let count = left.association(slot)
                if count == (isRetraction ? 1 : 0) {
                    result.add(-1, slot, !isAnti ? rowKind : (isRetraction ? RowKind.insert : .delete).rawValue)
                }
                left.setAssociation(slot, isRetraction ? max(0, count &- 1) : count &+ 1, at: work.time)
            }
            try keep(row, work, associations: 0)
        }
    }

    // MARK: Checkpoints

    func declaredParts() -> [DeclaredPart] { sides.map(\.declaredPart) }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        guard let context else { return }
        for side in sides { try side.snapshot(keys.table, maxParallelism: context.maxParallelism, to: writer) }
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        for side in sides { try side.restore(keys.table, from: reader) }
    }
}

extension JoinKind {
    var isLeftOuter: Bool { self == .left || self == .full }
    var isRightOuter: Bool { self == .right || self == .full }
}
