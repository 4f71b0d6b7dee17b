import CABI
import CMillstream
import Columnar
import Dataflow
import Plan
import Testing

/// SNAPSHOT, RESTORE and COMMIT across the C border.
@Suite struct CheckpointRequestTests {
    func call(
        _ operation: HostOperation, payloads: [[UInt8]] = [], capabilities: UInt32 = 3, _ body: @escaping (UnsafePointer<millstream_request>) -> Int32
    ) throws -> HostResponse {
        let script = Script(body)
        var options = script.options()
        options.capabilities = capabilities
        let handle = makeFunction(options)
        defer { millstream_function_free(handle) }
        let function = try CFunction(handle, site: FunctionSite(input: .scalar(.bigInt)))
        #expect(function.capabilities.rawValue == capabilities)
        var request = HostRequest(operation)
        request.integers = [7]
        request.payloads = payloads
        return try function.call(request)
    }

    @Test func payloadsGoInAndOut() throws {
        let given: [[UInt8]] = [[], [1, 2, 0, 3], Array(repeating: 9, count: 100_000)]
        nonisolated(unsafe) var seen: [[UInt8]] = []
        let response = try call(.restore, payloads: given) { request in
            #expect(request.pointee.operation == MILLSTREAM_OPERATION_RESTORE.rawValue && request.pointee.integers[0] == 7)
            for index in 0..<Int(request.pointee.payload_count) {
                let payload = request.pointee.payloads[index]
                seen.append(Array(UnsafeBufferPointer(start: payload.bytes, count: Int(payload.length))))
                millstream_response_payload(request.pointee.response, payload.bytes, payload.length)
            }
            return 0
        }
        #expect(seen == given)
        #expect(response.payloads == given)
        let none = try call(.snapshot, capabilities: 0) { request in
            #expect(request.pointee.payloads == nil && request.pointee.payload_count == 0)
            return 0
        }
        #expect(none.payloads.isEmpty)
        #expect(throws: MillstreamError.self) {
            try call(.snapshot) { request in
                millstream_response_payload(request.pointee.response, nil, 3)
                return 0
            }
        }
    }

    @Test func outcomesOfACommit() throws {
        let response = try call(.commit, payloads: [[1], [2], [3], [4], [5]]) { request in
            let answers: [(millstream_commit_outcome, String?)] = [
                (MILLSTREAM_COMMITTED, nil), (MILLSTREAM_ALREADY_COMMITTED, "x"), (MILLSTREAM_COMMIT_RETRY, "busy"), (MILLSTREAM_COMMIT_FAILED, nil),
                (MILLSTREAM_COMMIT_OUTCOME_UNKNOWN, "lost"),
            ]
            for (outcome, message) in answers { millstream_response_outcome(request.pointee.response, outcome, message) }
            return 0
        }
        let texts = response.outcomes.map { outcome in
            switch outcome {
            case .committed: "committed"
            case .alreadyCommitted: "already"
            case .retry(let error): "retry " + error.message
            case .failed(let error): "failed " + error.message
            case .unknown(let error): "unknown " + error.message
            }
        }
        #expect(texts == ["committed", "already", "retry busy", "failed 'f' gave no reason", "unknown lost"])
        #expect(throws: MillstreamError.self) {
            try call(.commit, payloads: [[1]]) { request in
                millstream_response_outcome(request.pointee.response, millstream_commit_outcome(rawValue: 9), nil)
                return 0
            }
        }
        // A handle of a call that is over is refused, not followed.
        nonisolated(unsafe) var stale: OpaquePointer?
        _ = try call(.commit) { request in
            stale = request.pointee.response
            return 0
        }
        millstream_response_outcome(stale, MILLSTREAM_COMMITTED, nil)
        millstream_response_payload(stale, nil, 0)
    }
}
