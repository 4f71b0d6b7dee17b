import Columnar
import Dataflow
import Expressions
import Plan

/// WHERE and SELECT in one.
final class CalcOperator: Operator {
    private let condition: ScalarProgram?
    private let projections: ScalarProgram?
    /// Where all projections are columns of the input: their positions.
    private let positions: [Int]?
    private let schema: Schema
    private let evaluation: Evaluation
    private var rowsBefore: Int64 = 0

    init(_ description: CalcDescription, output: Schema, evaluation: Evaluation) throws(MillstreamError) {
        if let condition = description.condition { self.condition = try ScalarProgram([condition]) } else { condition = nil }
        let list = description.projections
        let positions = list?.compactMap { if case .column(let position) = $0.kind { position } else { nil } }
        self.positions = positions?.count == list?.count ? positions : nil
        if let list, self.positions == nil { projections = try ScalarProgram(list) } else { projections = nil }
        schema = output
        self.evaluation = evaluation
    }

    func open(_ context: OperatorContext) { evaluation.open(context) }

    func onWatermark(_ watermark: EventTime, output: any Output) -> Progress {
        evaluation.watermark = watermark.milliseconds
        return .done
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        defer { rowsBefore += Int64(batch.count) }
        let result: Batch?
        do { result = try computed(batch) } catch { throw error.shifted(by: rowsBefore) }
        if let result, !result.isEmpty { try output.emit(result) }
        return .done
    }

    private func computed(_ batch: Batch) throws(MillstreamError) -> Batch? {
        let context = evaluation.context()
        var batch = batch
        if let condition, let rows = try condition.rows(of: batch, context) {
            if rows.count == 0 { return nil }
            batch = batch.selecting(rows)
        }
        var result = batch
        result.schema = schema
        if let positions {
            for position in positions where position >= batch.columns.count { throw .internal("a batch of \(batch.columns.count) columns has no column \(position)") }
            result.columns = positions.map { batch.columns[$0] }
            result.keyHashes = nil
        } else if let projections {
            result.columns = try projections.columns(of: batch, context)
            result.keyHashes = nil
            result.physicalCount = batch.count
            if let selection = batch.selection {
                result.selection = nil
                result.timestamps = try batch.timestamps?.taking(selection)
                result.rowKinds = try batch.rowKinds?.taking(selection)
            }
        }
        return result
    }
}

/// Leaves out -U.
final class DropUpdateBeforeOperator: Operator {
    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        guard let kinds = batch.rowKinds else {
            try output.emit(batch)
            return .done
        }
        let values = kinds.pointer(as: Int8.self)
        let rows = (0..<Int32(truncatingIfNeeded: batch.count)).filter { values[batch.selection?[Int($0)] ?? Int($0)] != RowKind.updateBefore.rawValue }
        withExtendedLifetime(kinds) {}
        if rows.count == batch.count {
            try output.emit(batch)
        } else if !rows.isEmpty {
            try output.emit(batch.selecting(Selection(rows)))
        }
        return .done
    }
}

/// Each row once for each grouping set.
final class ExpandOperator: Operator {
    private static let chunkRowCount = 4096

    private let description: ExpandDescription
    private let schema: Schema
    private var rest: Batch?

    init(_ description: ExpandDescription, output: Schema) {
        self.description = description
        schema = output
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        rest = try batch.compacted()
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        while let batch = rest, !batch.isEmpty, !description.sets.isEmpty {
            let count = min(batch.count, max(1, Self.chunkRowCount / description.sets.count))
            rest = count < batch.count ? batch.slice(count, batch.count - count) : nil
            try output.emit(try expanded(batch.slice(0, count)))
            if output.isFull, rest != nil { return .more }
        }
        rest = nil
        return .done
    }

    private func expanded(_ batch: Batch) throws(MillstreamError) -> Batch {
        let sets = description.sets
        let count = batch.count * sets.count
        func indices(_ isNull: (ExpandDescription.GroupingSet) -> Bool) -> [Int32] {
            let marks = sets.map(isNull)
            var indices: [Int32] = []
            indices.reserveCapacity(count)
            for row in 0..<Int32(truncatingIfNeeded: batch.count) { for mark in marks { indices.append(mark ? -1 : row) } }
            return indices
        }
        let all = Selection(indices { _ in false })
        var columns: [Column] = []
        for (position, column) in batch.fields.enumerated() {
            if sets.contains(where: { $0.nulls.contains(position) }) {
                columns.append(try column.taking(orNull: indices { $0.nulls.contains(position) }))
            } else {
                columns.append(try column.taking(all))
            }
        }
        var numbers: [Int64] = []
        numbers.reserveCapacity(count)
        for _ in 0..<batch.count { for set in sets { numbers.append(set.id) } }
        columns.append(.int64s(numbers))
        return try .result(
            schema, columns, count: count, rowKinds: try batch.rowKinds?.taking(all), timestamps: try batch.timestamps?.taking(all))
    }
}
