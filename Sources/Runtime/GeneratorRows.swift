import Columnar
import Connectors
import Dataflow
import Expressions
import Operators
import Plan

/// Connectors and Operators do not see each other: the runtime hands the expression evaluator to the connectors that need one.
let expressionRowGenerator: ConnectorEnvironment.MakeRowGenerator? = { (description, schema) throws(MillstreamError) in
    try ExpressionRowGenerator(description, schema: schema)
}

let expressionColumnFunction: ConnectorEnvironment.MakeColumnFunction? = { (expression, schema) throws(MillstreamError) in
    let bound = try expression.bind(to: schema)
    return { (batch: Batch) throws(MillstreamError) in
        var evaluator = ExpressionEvaluator(batch)
        return try evaluator.column(bound)
    }
}

/// Rows made by expressions over their number.
private final class ExpressionRowGenerator: RowGenerator {
    private static let numbers = Schema.scalar(.bigInt.notNull)

    private let expressions: [BoundExpression]
    private let schema: Schema

    init(_ description: GeneratorDescription, schema: Schema) throws(MillstreamError) {
        var bound: [BoundExpression] = []
        for expression in description.columns { bound.append(try expression.bind(to: ExpressionRowGenerator.numbers)) }
        expressions = bound
        self.schema = schema
    }

    func rows(first: Int64, count: Int) throws(MillstreamError) -> Batch {
        let buffer = Buffer(byteCount: 8 * count)
        let values = buffer.pointer(as: Int64.self)
        for index in 0..<count { values[index] = first &+ Int64(index) }
        let number = Column(type: DataType.bigInt.notNull, count: count, values: buffer)
        var evaluator = ExpressionEvaluator(Batch(schema: ExpressionRowGenerator.numbers, columns: [number], count: count))
        var columns: [Column] = []
        for expression in expressions { columns.append(try evaluator.column(expression)) }
        return Batch(schema: schema, columns: columns, count: count)
    }
}
