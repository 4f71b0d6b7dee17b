import Columnar
import Dataflow
import Plan

/// Map, flat map, filter and key selector, or several of them joined: one crossing into the host per batch.
///
/// Timestamps and row kinds go from a row to the rows that were made of it.
final class TransformOperator: Operator {
    private var caller: HostCaller
    private let schema: Schema
    /// What is left to emit of a batch whose function has more.
    private var unfinished: Batch?
    private var resumption: Int64 = 0
    /// What the function failed with behind rows for which there was no room yet.
    private var failure: MillstreamError?

    init(_ function: any HostFunction, output: Schema) throws(MillstreamError) {
        caller = try HostCaller(function)
        schema = output
    }

    func open(_ context: OperatorContext) throws(MillstreamError) { try caller.open(context) }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        unfinished = try batch.compacted()
        resumption = 0
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        if let failure { throw failure }
        guard let batch = unfinished else { return .done }
        // While there is room: a function that says `more` has a batch's worth of results in every response.
        repeat {
            var request = HostRequest(.transform, count: batch.count, columns: Array(batch.columns.prefix(batch.schema.fields.count)), schema: batch.schema)
            request.timestamps = batch.timestamps
            request.rowKinds = batch.rowKinds
            request.resumption = resumption
            let response = try caller.callKeepingRows(request)
            for rows in response.outputs where rows.count > 0 { try output.emit(try rows.batch(schema: schema, from: batch)) }
            if let failed = response.failure {
                // Whoever takes the rows before the failing record shall have them before the job ends.
                guard output.isFull else { throw failed }
                failure = failed
                return .more
            }
            resumption = response.resumption
            if resumption == 0 {
                caller.rowsBefore += Int64(batch.count)
                unfinished = nil
                return .done
            }
        } while !output.isFull
        return .more
    }

    func close() throws(MillstreamError) {
        unfinished = nil
        try caller.close()
    }
}

extension HostResponse.Rows {
    /// The rows as a batch, with what they inherit from the rows that they were made of.
    func batch(schema: Schema, from parent: Batch) throws(MillstreamError) -> Batch {
        var result = Batch(schema: schema, columns: columns, count: count)
        result.keyHashes = keyHashes
        result.timestamps = timestamps
        guard let parents else {
            if timestamps == nil { result.timestamps = parent.timestamps }
            result.rowKinds = parent.rowKinds
            return result
        }
        guard parent.rowKinds != nil || (timestamps == nil && parent.timestamps != nil) else { return result }
        let rows = Selection(buffer: parents.values ?? Buffer(byteCount: 0), offset: parents.offset, count: count)
        if timestamps == nil { result.timestamps = try parent.timestamps?.taking(rows) }
        result.rowKinds = try parent.rowKinds?.taking(rows)
        return result
    }
}
