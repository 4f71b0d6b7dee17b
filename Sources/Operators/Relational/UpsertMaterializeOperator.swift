import Columnar
import Dataflow
import Plan
import State

/// Changes of a query whose rows of one key of the sink may have changed places on their way, as changes of the key's last row.
///
/// Keeps of each key the rows that are there, in the order in which they came. One that comes is the key's row; where the last one goes, it is the one
/// before it.
final class UpsertMaterializeOperator: Operator, StateDeclaring {
    private let schema: Schema
    private let keys: TableKeys
    private let rows: JoinRows
    private var context: OperatorContext?
    private var result = RankResult()

    init(_ description: UpsertMaterializeDescription, input: Schema, hostObjects: HostObjects?) throws(MillstreamError) {
        schema = input
        keys = try TableKeys(inputs: [input], positions: [description.keys], hostObjects: hostObjects)
        rows = try JoinRows(
            JoinSide(uniqueness: description.inputKey.isEmpty ? .none : .columns(description.inputKey), timeToLive: description.timeToLive), schema: input,
            keys: description.keys, countsAssociations: false, takesOldest: true, part: "upsert-materialize/rows", hostObjects: hostObjects)
    }

    func open(_ context: OperatorContext) { self.context = context }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        let time = context?.clock.now().milliseconds ?? 0
        keys.erase(rows.expire(time)) { rows.first($0) >= 0 }
        rows.slots.settle()
        let batch = try batch.compacted()
        let found = try keys.slots(batch)
        let kinds = batch.kinds()
        let changes = try rows.prepare(batch.fields, keys: found, kinds: kinds)
        let now = rows.now(time)
        for row in 0..<batch.count {
            let key = found[row]
            guard RowKind.isRetraction(kinds[row]) else {
                let isFirst = rows.first(key) < 0
                try rows.add(row, key: key, associations: 0, changes, at: now)
                result.add(changes.slots[row], isFirst ? .insert : .updateAfter)
                continue
            }
            let last = rows.last(key)
            let gone = try rows.retract(row, key: key, changes)
            guard gone >= 0 else { continue }
            if rows.last(key) < 0 {
                result.add(gone, .delete)
            } else if gone == last {
                result.add(rows.last(key), .updateAfter)
            }
        }
        keys.erase(found) { rows.first($0) >= 0 }
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        try result.emit(rows.slots, schema, outputsRank: false, output) ? .done : .more
    }

    func declaredParts() -> [DeclaredPart] { [rows.declaredPart] }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        guard let context else { return }
        try rows.snapshot(keys.table, maxParallelism: context.maxParallelism, to: writer)
    }

    func restore(from reader: any StateReader) throws(MillstreamError) { try rows.restore(keys.table, from: reader) }
}
