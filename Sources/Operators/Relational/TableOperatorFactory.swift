import Columnar
import Dataflow
import Plan

/// Makes the operators of tables.
enum TableOperatorFactory {
    static func make(
        _ table: TableOperation, inputs: [Schema], output: Schema, bindings: Bindings, configuration: JobConfiguration, isBatch: Bool
    ) throws(MillstreamError) -> any Operator {
        guard inputs.count == table.inputCount else {
            throw MillstreamError(.plan, "an operator of tables has \(inputs.count) inputs instead of \(table.inputCount)")
        }
        let evaluation = Evaluation(configuration.session, isBatch: isBatch)
        let objects = bindings.hostObjects
        switch table {
        case .calc(let description): return try CalcOperator(description, output: output, evaluation: evaluation)
        case .expand(let description): return ExpandOperator(description, output: output)
        case .unnest(let description): return try UnnestOperator(description, input: inputs[0], output: output, evaluation: evaluation)
        case .limit(let description): return LimitOperator(description)
        case .sort(let description): return try SortOperator(description, schema: inputs[0])
        case .dropUpdateBefore: return DropUpdateBeforeOperator()
        case .replicate(let count): return try ReplicateOperator(count: count, input: inputs[0], output: output)
        case .join(let description):
            if isBatch { return try HashJoinOperator(description, inputs: inputs, output: output, evaluation: evaluation, hostObjects: objects) }
            return try JoinOperator(description, inputs: inputs, output: output, evaluation: evaluation, hostObjects: objects)
        case .rank(let description): return try RankOperator(description, input: inputs[0], output: output, isBatch: isBatch, hostObjects: objects)
        case .deduplicate(let description):
            if description.keepsLast { return try LastRowOperator(description, input: inputs[0], isBatch: isBatch, hostObjects: objects) }
            return try FirstRowOperator(description, input: inputs[0], hostObjects: objects)
        case .changelogNormalize(let description): return try LastRowOperator(description, input: inputs[0], hostObjects: objects)
        case .upsertMaterialize(let description): return try UpsertMaterializeOperator(description, input: inputs[0], hostObjects: objects)
        case .intervalJoin(let description):
            return try IntervalJoinOperator(description, inputs: inputs, output: output, evaluation: evaluation, hostObjects: objects)
        case .temporalJoin(let description):
            return try TemporalJoinOperator(description, inputs: inputs, output: output, evaluation: evaluation, hostObjects: objects)
        case .windowJoin(let description):
            return try WindowJoinOperator(description, inputs: inputs, output: output, evaluation: evaluation, hostObjects: objects)
        case .lookupJoin(let description):
            return try LookupJoinOperator(
                description, input: inputs[0], output: output, table: try bindings.makeLookup(description.table.value), evaluation: evaluation)
        }
    }
}
