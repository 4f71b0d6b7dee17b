import Columnar
import Dataflow
import Plan

/// Makes the operators of aggregations of tables.
enum AggregateOperatorFactory {
    /// `schema` is that of the rows.
    static func make(
        _ operation: AggregateOperation, input schema: Schema, output: Schema, bindings: Bindings, configuration: JobConfiguration, isBatch: Bool
    ) throws(MillstreamError) -> any Operator {
        let input = schema.types
        switch operation {
        case .group(let description):
            return try GroupAggregateOperator(description, input: input, output: output, isBatch: isBatch, hostObjects: bindings.hostObjects)
        case .window(let description):
            if case .session = description.window.shape {
                return try SessionAggregateOperator(description, input: input, output: output, hostObjects: bindings.hostObjects)
            }
            return try WindowAggregateOperator(description, input: input, output: output, hostObjects: bindings.hostObjects)
        case .windowTable(let window):
            if case .session = window.shape { throw MillstreamError(.unsupported, "SESSION windows without an aggregation are not built yet") }
            return try WindowTableOperator(window, input: input, output: output)
        case .over(let description):
            if isBatch { return try OverBatchOperator(description.windows, input: input, output: output) }
            return try OverAggregateOperator(description, input: schema.fields, output: output, hostObjects: bindings.hostObjects)
        }
    }
}
