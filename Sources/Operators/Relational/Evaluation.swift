import Columnar
import Dataflow
import Expressions
import Plan

/// What an operator's expressions see of the world.
final class Evaluation {
    private let session: SessionSettings
    private let isBatch: Bool
    private var operatorContext: OperatorContext?
    private var queryTime: Int64?
    var watermark: Int64?

    init(_ session: SessionSettings, isBatch: Bool) {
        self.session = session
        self.isBatch = isBatch
    }

    func open(_ context: OperatorContext) {
        operatorContext = context
        if isBatch { queryTime = context.clock.now().milliseconds }
    }

    private struct Source: @unchecked Sendable {
        /// Used by the operator's own thread alone: a context does not outlive the call it is made for.
        let random: any RandomSource
    }

    /// For one batch.
    func context() -> EvaluationContext {
        guard let operatorContext else { return EvaluationContext(timeZone: session.timeZone, database: session.database) }
        let source = Source(random: operatorContext.random)
        return EvaluationContext(
            timeZone: session.timeZone, now: queryTime ?? operatorContext.clock.now().milliseconds, watermark: watermark, database: session.database,
            random: { source.random.next() })
    }
}

/// A condition over some of the columns of two sides, computed for pairs of rows.
struct PairCondition {
    private let program: ScalarProgram
    /// The columns that it reads, by position in left ++ right.
    let columns: [Int]

    init(_ condition: ScalarExpression) throws(MillstreamError) {
        let columns = condition.columns
        self.columns = columns
        program = try ScalarProgram([condition.movingColumns { position in columns.firstIndex(of: position) ?? 0 }])
    }

    /// The pairs for which it is true; nil: all. `column` gives a column's values for all pairs.
    func pairs(_ count: Int, _ evaluation: Evaluation, _ column: (Int) throws(MillstreamError) -> Column) throws(MillstreamError) -> Selection? {
        var given: [Column] = []
        for position in columns { given.append(try column(position)) }
        return try program.rows(of: Batch(schema: Schema([]), columns: given, count: count), evaluation.context())
    }
}
