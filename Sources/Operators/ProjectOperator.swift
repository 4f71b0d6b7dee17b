import Columnar
import Dataflow
import Expressions
import Plan

/// Computes columns from columns: SELECT without a WHERE.
final class ProjectOperator: Operator {
    private let expressions: [BoundExpression]
    private let schema: Schema
    private var rowsBefore: Int64 = 0

    init(_ expressions: [BoundExpression], output: Schema) {
        self.expressions = expressions
        schema = output
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        defer { rowsBefore += Int64(batch.count) }
        var result = batch
        result.schema = schema
        result.keyHashes = nil
        let positions = expressions.compactMap(\.columnPosition)
        if positions.count == expressions.count {
            // Nothing to compute: the same columns in another order, under the same selection.
            result.columns = positions.map { batch.columns[$0] }
        } else {
            result = try computed(batch, result)
        }
        try output.emit(result)
        return .done
    }

    private func computed(_ batch: Batch, _ shell: Batch) throws(MillstreamError) -> Batch {
        var result = shell
        var evaluator = ExpressionEvaluator(batch)
        do {
            var columns: [Column] = []
            columns.reserveCapacity(expressions.count)
            for expression in expressions { columns.append(try evaluator.column(expression)) }
            result.columns = columns
        } catch {
            throw error.shifted(by: rowsBefore)
        }
        if let selection = batch.selection {
            result.selection = nil
            result.physicalCount = batch.count
            result.timestamps = try batch.timestamps?.taking(selection)
            result.rowKinds = try batch.rowKinds?.taking(selection)
        }
        return result
    }
}

extension MillstreamError {
    /// The same error, whose record index within a batch becomes one within the operator's input.
    func shifted(by rowsBefore: Int64) -> MillstreamError {
        var copy = self
        copy.recordIndex = recordIndex.map { $0 &+ rowsBefore }
        return copy
    }
}
