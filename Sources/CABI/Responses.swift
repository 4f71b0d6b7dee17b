import CMillstream
import Columnar
import Dataflow
import Glibc

@c @implementation
public func millstream_response_emit(
    _ response: OpaquePointer?, _ side_output: UnsafePointer<CChar>?, _ columns: UnsafeMutablePointer<ArrowArray>?,
    _ parents: UnsafePointer<Int32>?, _ timestamps: UnsafePointer<Int64>?, _ key_hashes: UnsafePointer<UInt64>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    answer(response, columns, error) { call, columns throws(MillstreamError) in
        let tag = try readOptionalText(side_output, "side_output")
        try call.emit(tag, columns, parents, timestamps, key_hashes)
    }
}

@c @implementation
public func millstream_response_accumulators(
    _ response: OpaquePointer?, _ accumulators: UnsafeMutablePointer<ArrowArray>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> millstream_status {
    answer(response, accumulators, error) { call, columns throws(MillstreamError) in try call.replaceAccumulators(columns) }
}

/// Runs an answer that moves an array: it is taken over in every case, and a failure is remembered, so that no callback can lose rows by ignoring it.
private func answer(
    _ response: OpaquePointer?, _ columns: UnsafeMutablePointer<ArrowArray>?, _ error: UnsafeMutablePointer<OpaquePointer?>?,
    _ body: (HostCall, UnsafeMutablePointer<ArrowArray>) throws(MillstreamError) -> Void
) -> millstream_status {
    do throws(MillstreamError) {
        try withResponse(response) { call throws(MillstreamError) in
            do throws(MillstreamError) {
                guard let columns else { throw MillstreamError(.invalidArgument, "the columns are NULL") }
                try body(call, columns)
            } catch let failure {
                var named = failure
                if !named.message.contains("'\(call.definition.name)'") {
                    named.message = "the function '\(call.definition.name)' answered with rows that are refused: " + named.message
                }
                throw call.refuse(named)
            }
        }
        return MILLSTREAM_OK
    } catch let failure {
        if let columns, let release = columns.pointee.release { release(columns) }
        return report(failure, into: error)
    }
}

extension HostCall {
    fileprivate func emit(
        _ tag: String?, _ columns: UnsafeMutablePointer<ArrowArray>, _ parents: UnsafePointer<Int32>?, _ timestamps: UnsafePointer<Int64>?,
        _ keyHashes: UnsafePointer<UInt64>?
    ) throws(MillstreamError) {
        let batch = try importer(target(tag)).batch(moving: columns)
        try requireOnce()
        try checkRows(batch.count, parents)
        var rows = HostResponse.Rows(sideOutput: tag.map { SideOutputID($0) }, columns: batch.columns, count: batch.count)
        if let parents { rows.parents = copy(parents, batch.count, DataType.int.notNull) }
        if tag == nil, !passedColumns.isEmpty { rows.columns = try passedRows(batch.count, rows.parents) + rows.columns }
        if let timestamps { rows.timestamps = copy(timestamps, batch.count, DataType.bigInt.notNull) }
        if let keyHashes { rows.keyHashes = copy(keyHashes, batch.count, DataType.bigInt.notNull) }
        response.outputs.append(rows)
    }

    fileprivate func replaceAccumulators(_ columns: UnsafeMutablePointer<ArrowArray>) throws(MillstreamError) {
        switch operation {
        case .reduce, .accumulate, .merge: break
        default: throw MillstreamError(.invalidState, "the operation \(operation) has no accumulators to answer with")
        }
        let batch = try importer(.accumulators).batch(moving: columns)
        let expected = operation == .merge ? accumulatorCount / 2 : accumulatorCount
        guard batch.count == expected else {
            throw MillstreamError(.invalidArgument, "there are \(batch.count) accumulators, and \(expected) are needed")
        }
        response.accumulators = batch.columns
    }

    /// The input's rows that keys belong to: a key selector passes them on.
    private func passedRows(_ count: Int, _ parents: Column?) throws(MillstreamError) -> [Column] {
        guard let parents, let values = parents.values else { return passedColumns }
        let rows = Selection(buffer: values, count: count)
        var columns: [Column] = []
        for column in passedColumns { columns.append(try column.taking(rows)) }
        return columns
    }

    private func target(_ tag: String?) -> Target {
        if let tag { return .side(tag) }
        switch operation {
        case .extractTimestamps: return .timestamps
        case .partition: return .channels
        default: return .main
        }
    }

    /// Where one answer stands for the whole request, a second one is a mistake.
    private func requireOnce() throws(MillstreamError) {
        switch operation {
        case .transform, .process, .timers, .window, .asyncPoll: return
        case .open, .close, .merge, .write, .flush, .watermark, .asyncStart, .snapshot, .restore, .commit:
            throw MillstreamError(.invalidState, "the operation \(operation) takes no rows")
        case .extractTimestamps, .partition, .reduce, .accumulate, .result, .read:
            guard response.outputs.isEmpty else { throw MillstreamError(.invalidState, "the operation \(operation) takes rows only once") }
        }
    }

    private func checkRows(_ count: Int, _ parents: UnsafePointer<Int32>?) throws(MillstreamError) {
        guard let parents else {
            guard rowCount == nil || rowCount == count else {
                throw MillstreamError(
                    .invalidArgument, "there are \(count) rows for the \(rowCount ?? 0) of the request, and no parents that say which belong together")
            }
            return
        }
        var isInside = true
        let limit = UInt32(truncatingIfNeeded: parentCount)
        for index in 0..<count { isInside = isInside && UInt32(bitPattern: parents[index]) < limit }
        guard isInside else {
            throw MillstreamError(.invalidArgument, "a parent lies outside of the request's \(parentCount) rows")
        }
    }

    private func copy<Element: BitwiseCopyable>(_ source: UnsafePointer<Element>, _ count: Int, _ type: DataType) -> Column {
        Column(type: type, count: count, values: Buffer.copying(UnsafeBufferPointer(start: source, count: count)))
    }
}

@c @implementation
public func millstream_response_resume(_ response: OpaquePointer?, _ resumption: Int64) {
    try? withResponse(response) { $0.response.resumption = resumption }
}

@c @implementation
public func millstream_response_is_cancelled(_ response: OpaquePointer?) -> Int32 {
    (try? withResponse(response) { $0.stop?.isSet ?? false }) == true ? 1 : 0
}

@c @implementation
public func millstream_response_end(_ response: OpaquePointer?) {
    try? withResponse(response) { $0.response.isEnd = true }
}

@c @implementation
public func millstream_response_wait(_ response: OpaquePointer?, _ milliseconds: Int64) {
    try? withResponse(response) { $0.response.waitMilliseconds = max(0, milliseconds) }
}

@c @implementation
public func millstream_response_integer(_ response: OpaquePointer?, _ value: Int64) {
    try? withResponse(response) { call throws(MillstreamError) in
        guard call.response.integers.count < HostCall.integerCountMax else {
            throw call.refuse(MillstreamError(.limitExceeded, "a response has at most \(HostCall.integerCountMax) numbers"))
        }
        call.response.integers.append(value)
    }
}

@c @implementation
public func millstream_response_payload(_ response: OpaquePointer?, _ bytes: UnsafePointer<UInt8>?, _ length: Int64) {
    try? withResponse(response) { call throws(MillstreamError) in
        guard length >= 0, length <= Int64(Int32.max), bytes != nil || length == 0 else {
            throw call.refuse(MillstreamError(.invalidArgument, "a payload of \(length) bytes"))
        }
        call.response.payloads.append(Array(UnsafeBufferPointer(start: bytes, count: Int(length))))
    }
}

@c @implementation
public func millstream_response_outcome(_ response: OpaquePointer?, _ outcome: millstream_commit_outcome, _ message: UnsafePointer<CChar>?) {
    let text = message.map { String(decoding: UnsafeRawBufferPointer(start: $0, count: strnlen($0, 1 << 16)), as: UTF8.self) }
    try? withResponse(response) { call throws(MillstreamError) in
        let error = MillstreamError(.io, text ?? "'\(call.definition.name)' gave no reason", domain: .external)
        switch outcome {
        case MILLSTREAM_COMMITTED: call.response.outcomes.append(.committed)
        case MILLSTREAM_ALREADY_COMMITTED: call.response.outcomes.append(.alreadyCommitted)
        case MILLSTREAM_COMMIT_RETRY: call.response.outcomes.append(.retry(error))
        case MILLSTREAM_COMMIT_FAILED: call.response.outcomes.append(.failed(error))
        case MILLSTREAM_COMMIT_OUTCOME_UNKNOWN: call.response.outcomes.append(.unknown(error))
        default: throw call.refuse(MillstreamError(.invalidArgument, "\(outcome.rawValue) is no outcome of a commit"))
        }
    }
}

@c @implementation
public func millstream_response_fail(
    _ response: OpaquePointer?, _ status: millstream_status, _ message: UnsafePointer<CChar>?, _ row: Int64,
    _ exception: UnsafeMutableRawPointer?
) {
    // Taken over in every case: an exception of a call that is over goes back at once.
    let held = Library.shared.exception(exception)
    try? withResponse(response) { call throws(MillstreamError) in
        let code = MillstreamError.Code(rawValue: Int32(truncatingIfNeeded: status.rawValue)) ?? .userFunction
        let text = message.map { String(decoding: UnsafeRawBufferPointer(start: $0, count: strnlen($0, 1 << 16)), as: UTF8.self) }
        _ = call.fail(
            MillstreamError(
                code, text ?? "the function '\(call.definition.name)' failed", recordIndex: row < 0 ? nil : row, hostException: held))
    }
}
