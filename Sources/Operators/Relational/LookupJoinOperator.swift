import Columnar
import Dataflow
import Expressions
import Plan

/// A join with the rows that a table gives for a key when a row comes. Row kinds and timestamps stay; a row whose key has a NULL has no match.
final class LookupJoinOperator: Operator {
    private static let chunkRowCount = 4096

    private let kind: JoinKind
    private let table: any LookupTable
    private let keys: ScalarProgram
    private let leftCondition: ScalarProgram?
    private let condition: PairCondition?
    private let schema: Schema
    private let leftCount: Int
    private let evaluation: Evaluation
    private var result: (batch: Batch, next: Int)?
    private var rowsBefore: Int64 = 0

    init(_ description: LookupJoinDescription, input: Schema, output: Schema, table: any LookupTable, evaluation: Evaluation) throws(MillstreamError) {
        guard description.kind == .inner || description.kind == .left else { throw MillstreamError(.plan, "a lookup join is an inner join or a left join") }
        kind = description.kind
        self.table = table
        keys = try ScalarProgram(description.lookupKeys)
        if let condition = description.leftCondition { leftCondition = try ScalarProgram([condition]) } else { leftCondition = nil }
        if let condition = description.condition { self.condition = try PairCondition(condition) } else { condition = nil }
        schema = output
        leftCount = input.fields.count
        self.evaluation = evaluation
    }

    func open(_ context: OperatorContext) throws(MillstreamError) {
        evaluation.open(context)
        try table.open()
    }

    func close() throws(MillstreamError) { try table.close() }

    func onWatermark(_ watermark: EventTime, output: any Output) -> Progress {
        evaluation.watermark = watermark.milliseconds
        return .done
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        let batch = try batch.compacted()
        do { result = (try joined(batch), 0) } catch { throw error.shifted(by: rowsBefore) }
        rowsBefore += Int64(batch.count)
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        while let (batch, next) = result {
            let count = min(Self.chunkRowCount, batch.count - next)
            result = next + count < batch.count ? (batch, next + count) : nil
            if count > 0 { try output.emit(batch.slice(next, count)) }
            if output.isFull, result != nil { return .more }
        }
        return .done
    }

    private func joined(_ batch: Batch) throws(MillstreamError) -> Batch {
        let context = evaluation.context()
        let keyColumns = try keys.columns(of: batch, context)
        var asked = (0..<Int32(truncatingIfNeeded: batch.count)).filter { row in !keyColumns.contains { $0.isNull(Int(row)) } }
        if let leftCondition, let holds = try leftCondition.rows(of: batch, context) {
            let true_ = Set((0..<holds.count).map { Int32(truncatingIfNeeded: holds[$0]) })
            asked = asked.filter { true_.contains($0) }
        }
        let selection = Selection(asked)
        var askedKeys: [Column] = []
        for column in keyColumns { askedKeys.append(try column.taking(selection)) }
        let found = try table.lookup(askedKeys, count: asked.count)
        try check(found, asked.count)
        // The row of the batch and the row that was found, in pairs.
        var rows = found.parents.map { asked[Int($0)] }
        var places = (0..<Int32(truncatingIfNeeded: rows.count)).map { $0 }
        if let condition, !rows.isEmpty {
            let pairs = Selection(rows)
            let leftCount = leftCount
            let matches = try condition.pairs(rows.count, evaluation) { (position) throws(MillstreamError) in
                position < leftCount ? try batch.columns[position].taking(pairs) : found.columns[position - leftCount]
            }
            if let matches {
                places = (0..<matches.count).map { Int32(truncatingIfNeeded: matches[$0]) }
                rows = places.map { rows[Int($0)] }
            }
        }
        if kind == .left { addMissing(batch.count, &rows, &places) }
        let taken = Selection(rows)
        var columns: [Column] = []
        for column in batch.columns.prefix(leftCount) { columns.append(try column.taking(taken)) }
        for column in found.columns { columns.append(try column.taking(orNull: places)) }
        return try .result(
            schema, columns, count: rows.count, rowKinds: try batch.rowKinds?.taking(taken), timestamps: try batch.timestamps?.taking(taken))
    }

    private func check(_ found: LookupResult, _ count: Int) throws(MillstreamError) {
        guard found.columns.count == schema.fields.count - leftCount, found.columns.allSatisfy({ $0.count == found.parents.count }) else {
            throw .internal("a lookup gave \(found.columns.count) columns instead of \(schema.fields.count - leftCount)")
        }
        var last: Int32 = 0
        for parent in found.parents {
            guard parent >= last, Int(parent) < count else { throw .internal("a lookup of \(count) keys gave a row for number \(parent) behind \(last)") }
            last = parent
        }
    }

    private func addMissing(_ count: Int, _ rows: inout [Int32], _ places: inout [Int32]) {
        var merged: (rows: [Int32], places: [Int32]) = ([], [])
        var place = 0
        for row in 0..<Int32(truncatingIfNeeded: count) {
            let first = place
            while place < rows.count, rows[place] == row {
                merged.rows.append(row)
                merged.places.append(places[place])
                place += 1
            }
            guard place == first else { continue }
            merged.rows.append(row)
            merged.places.append(-1)
        }
        (rows, places) = merged
    }
}
