import Columnar
import Dataflow
import Expressions
import Plan

/// Keeps the rows for which a condition is true; copies nothing.
final class FilterOperator: Operator {
    private let condition: BoundExpression
    private var rowsBefore: Int64 = 0

    init(_ condition: BoundExpression) { self.condition = condition }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        defer { rowsBefore += Int64(batch.count) }
        var evaluator = ExpressionEvaluator(batch)
        let rows: Selection?
        do { rows = try evaluator.rows(where: condition) } catch { throw error.shifted(by: rowsBefore) }
        guard let rows else {
            try output.emit(batch)
            return .done
        }
        if rows.count > 0 { try output.emit(batch.selecting(rows)) }
        return .done
    }
}
