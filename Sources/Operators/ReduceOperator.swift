import Columnar
import Dataflow
import Plan
import State

/// Keyed rolling reduce by a host function: emits the running value for each row, or what joined maps and filters make of it. One crossing per batch.
///
/// The function sees the accumulators of the batch's keys and the rows' numbers among them; the rest stays here. In BATCH mode each key's last value comes out
/// alone, when the input has ended, with the last timestamp there is.
final class ReduceOperator: Operator, StateDeclaring {
    private var caller: HostCaller
    private let schema: Schema
    private var keyed: KeyedRows
    private let local = LocalSlots()
    private let hostObjects: HostObjects?
    private let accumulators: RowStore
    private let stateFields: [Field]
    /// Keeps them in a store; in STREAMING mode.
    private let paged: PagedRows?
    private var context: OperatorContext?
    /// In BATCH mode: the keys' last values.
    private let last: LastRows?
    /// Where those are, if they are not the accumulators.
    private let results: RowStore?
    /// Whether those are the accumulators themselves; else the function's last results.
    private let lastAreAccumulators: Bool

    /// `input` is the type of the rows, and of the accumulators where the function says nothing else.
    init(
        _ function: any HostFunction, keys: [Int], input: Schema, output: Schema, givesLastOnly: Bool = false, hostObjects: HostObjects?
    ) throws(MillstreamError) {
        caller = try HostCaller(function)
        schema = output
        self.hostObjects = hostObjects
        keyed = KeyedRows(keys: keys, hostObjects: hostObjects)
        let types = function.accumulatorTypes.isEmpty ? input.fields.map(\.type) : function.accumulatorTypes
        accumulators = RowStore(types: types, hostObjects: hostObjects)
        // Those of the input have its fields' names, so that they are known again where the input has changed.
        stateFields = types.map(\.nullable) == input.types.map(\.nullable)
            ? input.fields.map { Field("accumulator.\($0.name)", $0.type.nullable) } : types.enumerated().map { Field("accumulator\($0.offset)", $0.element.nullable) }
        lastAreAccumulators = types.map(\.nullable) == output.types.map(\.nullable)
        results = givesLastOnly && !lastAreAccumulators ? RowStore(types: output.types, hostObjects: hostObjects) : nil
        last = givesLastOnly ? LastRows(results ?? accumulators, schema: output) : nil
        paged = givesLastOnly ? nil : PagedRows(accumulators, types: types, part: Self.part, fields: stateFields)
    }

    func open(_ context: OperatorContext) throws(MillstreamError) {
        self.context = context
        try paged?.open(context)
        try caller.open(context)
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        let batch = try batch.compacted()
        let places = Buffer(byteCount: 4 * batch.count)
        let rows = places.pointer(as: Int32.self)
        _ = try keyed.look(up: batch, into: rows)
        local.assign(rows, count: batch.count)
        withExtendedLifetime(places) {}
        if let paged, let table = keyed.table { try paged.enter(local.slots, in: table) }

        var request = HostRequest(.reduce, count: batch.count, columns: Array(batch.columns.prefix(batch.schema.fields.count)), schema: batch.schema)
        request.slots = local.rows
        request.timestamps = batch.timestamps
        request.rowKinds = batch.rowKinds
        let wantsResults = last == nil || !lastAreAccumulators
        request.integers = [wantsResults ? 1 : 0]
        request.accumulators = try local.slots.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
            guard let base = slots.baseAddress else { return [Column]() }
            return try accumulators.gather(base, count: slots.count)
        }
        let response = try caller.callKeepingRows(request)
        if let failure = response.failure {
            for rows in response.outputs where last == nil && rows.count > 0 { try output.emit(try rows.batch(schema: schema, from: batch)) }
            throw failure
        }
        caller.rowsBefore += Int64(batch.count)
        // Fewer than the rows where filters behind it were joined with the function; then they have parents.
        let results = response.outputs.first
        guard !wantsResults || results == nil || results?.parents != nil || results?.count == batch.count else {
            throw .internal("'\(caller.function.name)' gave \(results?.count ?? 0) results for \(batch.count) rows")
        }
        guard response.accumulators.first?.count == local.slots.count else {
            throw .internal("'\(caller.function.name)' gave \(response.accumulators.first?.count ?? 0) accumulators for \(local.slots.count) keys")
        }
        try local.slots.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
            if let base = slots.baseAddress { try accumulators.set(response.accumulators, slots: base, count: slots.count) }
        }
        try paged?.settle()
        if let last {
            try last.note(local, results: lastAreAccumulators ? nil : results?.columns)
        } else if let results {
            try output.emit(try results.batch(schema: schema, from: batch))
        }
        return .done
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        watermark == .max ? try last?.emit(output) ?? .done : .done
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress { try last?.emit(output) ?? .done }

    private static let part = "reduce/accumulators"
    private static let resultPart = "reduce/results"
    private var resultFields: [Field] { schema.fields.map { Field("result.\($0.name)", $0.type.nullable) } }

    func declaredParts() -> [DeclaredPart] { [DeclaredPart(Self.part, stateFields)] }
    func storedValues(of store: String) -> [String]? { store == Self.part ? paged?.valueTexts : nil }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        if let paged, !paged.isOff { return try paged.snapshot(checkpoint, into: writer) }
        guard let context, let table = keyed.table, last?.isEmitted != true else { return }
        try KeyedRecords(table, Self.part, stateFields, isOrdered: last != nil).write(accumulators, maxParallelism: context.maxParallelism, to: writer)
        if let results, let last {
            try KeyedRecords(table, Self.resultPart, resultFields, isOrdered: false)
                .write(results, slots: last.slots, maxParallelism: context.maxParallelism, to: writer)
        }
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        if let paged, !paged.isOff { return keyed.restore(try paged.restore(from: reader, hostObjects: hostObjects)) }
        guard let table = try KeyedRecords.restore(Self.part, stateFields, isOrdered: last != nil, from: reader, hostObjects, into: accumulators) else { return }
        keyed.restore(table)
        if let results { _ = try KeyedRecords.restore(Self.resultPart, resultFields, isOrdered: false, from: reader, hostObjects, into: results, table) }
        last?.restore(slotCount: table.slotEnd)
    }

    func close() throws(MillstreamError) {
        paged?.close()
        try caller.close()
    }
}
