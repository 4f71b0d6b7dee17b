import Columnar
import Dataflow
import Plan
import State

/// Makes the window operator that a description names.
enum WindowOperatorFactory {
    static func make(
        _ description: WindowDescription, node: Node, input: Schema, keyTypes: [DataType], bindings: Bindings
    ) throws(MillstreamError) -> any Operator {
        let objects = bindings.hostObjects
        var functions: WindowFunctions?
        let makeContents: () throws(MillstreamError) -> any WindowContents
        var isMergeable = false
        switch description.function {
        case .aggregate(let calls):
            isMergeable = true
            makeContents = { () throws(MillstreamError) in try NativeAggregates(calls, input: input, output: node.output) }
        case .reduce(let id, let then):
            let folding = try bindings.function(id.value)
            let made = try WindowFunctions(
                folding: folding, then: try then.map { (id) throws(MillstreamError) in try bindings.function(id.value) }, input: input, output: node.output)
            functions = made
            let types = folding.accumulatorTypes.isEmpty ? input.types : folding.accumulatorTypes
            makeContents = { () throws(MillstreamError) in HostAccumulators(.reduce, functions: made, types: types, hostObjects: objects) }
        case .hostAggregate(let id, let then):
            let folding = try bindings.function(id.value)
            let made = try WindowFunctions(
                folding: folding, then: try then.map { (id) throws(MillstreamError) in try bindings.function(id.value) }, input: input, output: node.output)
            functions = made
            let types = folding.accumulatorTypes.isEmpty ? [DataType.object] : folding.accumulatorTypes
            makeContents = { () throws(MillstreamError) in HostAccumulators(.aggregate, functions: made, types: types, hostObjects: objects) }
        case .process(let id):
            let made = try WindowFunctions(folding: nil, then: try bindings.function(id.value), input: input, output: node.output)
            functions = made
            makeContents = { () throws(MillstreamError) in ElementLists(functions: made) }
        }
        switch description.assigner {
        case .tumbling(let size, let offset, let isEventTime):
            return TimeWindowOperator(
                size: try positive(size, "size"), slide: size, offset: offset, isEventTime: isEventTime, description: description, keyTypes: keyTypes,
                hostObjects: objects, isMergeable: isMergeable, functions: functions, makeContents: makeContents)
        case .sliding(let size, let slide, let offset, let isEventTime):
            return TimeWindowOperator(
                size: try positive(size, "size"), slide: try positive(slide, "slide"), offset: offset, isEventTime: isEventTime,
                description: description, keyTypes: keyTypes, hostObjects: objects, isMergeable: isMergeable, functions: functions,
                makeContents: makeContents)
        case .session(let gap, let isEventTime):
            return SessionWindowOperator(
                gap: try positive(gap, "gap"), isEventTime: isEventTime, description: description,
                keys: try WindowKeys(positions: description.keys, types: keyTypes, hostObjects: objects), contents: try makeContents(),
                functions: functions)
        case .count(let size):
            return CountWindowOperator(
                size: try positive(size, "size"), slide: size, keys: try WindowKeys(positions: description.keys, types: keyTypes, hostObjects: objects),
                contents: try makeContents(), functions: functions)
        case .slidingCount(let size, let slide):
            return CountWindowOperator(
                size: try positive(size, "size"), slide: try positive(slide, "slide"),
                keys: try WindowKeys(positions: description.keys, types: keyTypes, hostObjects: objects), contents: try makeContents(),
                functions: functions)
        }
    }

    private static func positive(_ value: Int64, _ what: String) throws(MillstreamError) -> Int64 {
        guard value > 0 else { throw MillstreamError(.configuration, "the window's \(what) is \(value); it must be more than 0") }
        return value
    }
}
