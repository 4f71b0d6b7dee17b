import CABI
import CMillstream
import Columnar
import Dataflow
import Plan
import Glibc
import Testing

/// What a callback of these tests does and sees; its context.
final class Script {
    var body: (UnsafePointer<millstream_request>) -> Int32
    var calls = 0
    var releases = 0
    var instances = 0
    var fusions = 0

    let context: UnsafeMutableRawPointer

    init(_ body: @escaping (UnsafePointer<millstream_request>) -> Int32) {
        self.body = body
        context = UnsafeMutableRawPointer.allocate(byteCount: 8, alignment: 8)
        // The functions of a test may outlive its last use of the script: it is never let go.
        context.storeBytes(of: UInt(bitPattern: Unmanaged.passRetained(self).toOpaque()), as: UInt.self)
    }

    static func of(_ context: UnsafeMutableRawPointer?) -> Script {
        Unmanaged<Script>.fromOpaque(UnsafeRawPointer(bitPattern: context!.load(as: UInt.self))!).takeUnretainedValue()
    }

    func options() -> millstream_function_options {
        var options = millstream_function_options()
        options.struct_size = UInt32(MemoryLayout<millstream_function_options>.size)
        options.context = context
        options.call = { context, request in
            let script = Script.of(context)
            script.calls += 1
            return script.body(request!)
        }
        options.release = { Script.of($0).releases += 1 }
        return options
    }
}

/// A function handle of `options`, with its texts.
func makeFunction(
    _ options: millstream_function_options, name: String = "f", output: String? = nil, accumulator: String? = nil, keys: String? = nil
) -> OpaquePointer? {
    var options = options
    var handle: OpaquePointer?
    func optional(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Void) { text.map { $0.withCString { body($0) } } ?? body(nil) }
    name.withCString { name in
        optional(output) { output in
            optional(accumulator) { accumulator in
                optional(keys) { keys in
                    options.name = name
                    options.output_schema = output
                    options.accumulator_schema = accumulator
                    options.key_schema = keys
                    #expect(millstream_function_create(&options, &handle, nil) == MILLSTREAM_OK)
                }
            }
        }
    }
    return handle
}

func bigInts(_ values: [Int64]) -> Column { Column(type: .bigInt, count: values.count, values: Buffer.copying(values)) }

/// A struct array over one BIGINT column.
func rows(_ values: [Int64]) -> ArrowArray {
    var array = ArrowArray()
    try! exportArrowStruct([bigInts(values)], count: values.count, into: &array)
    return array
}

func transform(_ values: [Int64]) -> HostRequest {
    HostRequest(.transform, count: values.count, columns: [bigInts(values)], schema: .scalar(.bigInt))
}

@Suite struct CFunctionTests {
    /// Runs one TRANSFORM over 1, 2, 3 with `body` as the callback, whose output is BIGINT unless said otherwise.
    func run(
        output: String = "BIGINT", site: FunctionSite = FunctionSite(input: .scalar(.bigInt)), _ request: HostRequest? = nil,
        _ body: @escaping (UnsafePointer<millstream_request>) -> Int32
    ) throws -> HostResponse {
        let script = Script(body)
        let handle = makeFunction(script.options(), output: output)
        defer {
            millstream_function_free(handle)
            #expect(script.releases == 1)
        }
        return try CFunction(handle, site: site).call(request ?? transform([1, 2, 3]))
    }

    @Test func columnsGoInAndRowsComeOut() throws {
        let response = try run { request in
            let column = request.pointee.columns.pointee.children[0]!.pointee
            let values = column.buffers[1]!.assumingMemoryBound(to: Int64.self) + Int(column.offset)
            var array = rows([values[0] * 10, values[2] * 10])
            var parents: [Int32] = [0, 2]
            return Int32(millstream_response_emit(request.pointee.response, nil, &array, &parents, nil, nil, nil).rawValue)
        }
        #expect(response.outputs.count == 1)
        #expect(response.outputs[0].columns[0].scalar(at: 1) == .int64(30))
        #expect(response.outputs[0].parents?.scalar(at: 1) == .int64(2))
    }

    @Test func schemaAndArrayMayBeMovedOut() throws {
        nonisolated(unsafe) var kept = ArrowArray()
        nonisolated(unsafe) var schema = ArrowSchema()
        let script = Script { request in
            kept = request.pointee.columns.pointee
            request.pointee.columns.pointee.release = nil
            schema = request.pointee.schema.pointee
            request.pointee.schema.pointee.release = nil
            #expect(String(cString: schema.children[0]!.pointee.format) == "l")
            schema.release(&schema)
            return 0
        }
        let handle = makeFunction(script.options(), output: "BIGINT")
        do {
            let function = try CFunction(handle, site: FunctionSite(input: .scalar(.bigInt)))
            _ = try function.call(transform([7, 8]))
            _ = try function.call(transform([9]))
        }
        #expect(kept.length == 1)
        #expect(kept.children[0]!.pointee.buffers[1]!.load(as: Int64.self) == 9)
        kept.release(&kept)
        millstream_function_free(handle)
    }

    @Test func answersThatAreRefusedFailTheCall() throws {
        let refusals: [(MillstreamError.Code, String, (UnsafePointer<millstream_request>) -> Void)] = [
            (.invalidArgument, "2 rows for the 3", { request in
                var array = rows([1, 2])
                #expect(millstream_response_emit(request.pointee.response, nil, &array, nil, nil, nil, nil) == MILLSTREAM_INVALID_ARGUMENT)
                #expect(array.release == nil)
            }),
            (.invalidArgument, "parent", { request in
                var array = rows([1, 2])
                _ = millstream_response_emit(request.pointee.response, nil, &array, [0, 3], nil, nil, nil)
            }),
            (.invalidArgument, "parent", { request in
                var array = rows([1, 2])
                _ = millstream_response_emit(request.pointee.response, nil, &array, [-1, 0], nil, nil, nil)
            }),
            (.plan, "side output 'late'", { request in
                var array = rows([1, 2, 3])
                _ = millstream_response_emit(request.pointee.response, "late", &array, nil, nil, nil, nil)
            }),
            (.invalidArgument, "NULL", { request in
                _ = millstream_response_emit(request.pointee.response, nil, nil, nil, nil, nil, nil)
            }),
            (.invalidArgument, "released", { request in
                var array = ArrowArray()
                _ = millstream_response_emit(request.pointee.response, nil, &array, nil, nil, nil, nil)
            }),
            (.decode, "children", { request in
                var array = ArrowArray()
                try! exportArrowStruct([bigInts([1]), bigInts([2])], count: 1, into: &array)
                _ = millstream_response_emit(request.pointee.response, nil, &array, nil, nil, nil, nil)
            }),
            (.invalidState, "accumulators", { request in
                var array = rows([1])
                _ = millstream_response_accumulators(request.pointee.response, &array, nil)
            }),
        ]
        for (code, text, body) in refusals {
            let error = #expect(throws: MillstreamError.self, "\(text)") {
                try run { request in
                    body(request)
                    return 0
                }
            }
            #expect(error?.code == code)
            #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
            #expect(error?.message.contains("'f'") == true)
        }
    }

    @Test func nullsWhereNoneMayBe() throws {
        let error = #expect(throws: MillstreamError.self) {
            try run(output: "BIGINT NOT NULL") { request in
                var array = ArrowArray()
                let column = Column(type: .bigInt, count: 3, validity: Buffer.copying([UInt8(0b101)]), values: Buffer.copying([1, 2, 3] as [Int64]))
                try! exportArrowStruct([column], count: 3, into: &array)
                return Int32(millstream_response_emit(request.pointee.response, nil, &array, nil, nil, nil, nil).rawValue)
            }
        }
        #expect(error?.message.contains("value") == true)
        #expect(error?.message.contains("null") == true)
        print(error?.message ?? "")
    }

    @Test func aKeySelectorPassesRowsOn() throws {
        for parents: [Int32]? in [nil, [2, 0, 1]] {
            let script = Script { request in
                var array = rows([70, 80, 90])
                return Int32(millstream_response_emit(request.pointee.response, nil, &array, parents, nil, [1, 2, 3], nil).rawValue)
            }
            let handle = makeFunction(script.options(), keys: "TUPLE<BIGINT>")
            let response = try CFunction(handle, site: FunctionSite(input: .scalar(.bigInt))).call(transform([1, 2, 3]))
            #expect(response.outputs[0].columns.count == 2)
            #expect(response.outputs[0].columns[0].scalar(at: 0) == .int64(parents == nil ? 1 : 3))
            #expect(response.outputs[0].columns[1].scalar(at: 0) == .int64(70))
            #expect(response.outputs[0].keyHashes?.scalar(at: 2) == .int64(3))
            millstream_function_free(handle)
        }
    }

    @Test func failuresKeepStatusRowAndMessage() throws {
        var error = #expect(throws: MillstreamError.self) {
            try run { request in
                millstream_response_fail(request.pointee.response, MILLSTREAM_KEY, "no key", 2, nil)
                return 1
            }
        }
        #expect(error?.code == .key)
        #expect(error?.message == "no key")
        #expect(error?.recordIndex == 2)
        error = #expect(throws: MillstreamError.self) { try run { _ in 42 } }
        #expect(error?.code == .userFunction)
        #expect(error?.message.contains("returned 42") == true)
        error = #expect(throws: MillstreamError.self) {
            try run { request in
                millstream_response_fail(request.pointee.response, millstream_status(rawValue: 999), nil, -1, nil)
                return 0
            }
        }
        #expect(error?.code == .userFunction)
    }

    @Test func aResponseIsStaleAfterItsCall() throws {
        nonisolated(unsafe) var stale: OpaquePointer?
        let script = Script { request in
            stale = request.pointee.response
            return 0
        }
        let handle = makeFunction(script.options(), output: "BIGINT")
        let function = try CFunction(handle, site: FunctionSite(input: .scalar(.bigInt)))
        _ = try function.call(transform([1]))
        var array = rows([1])
        #expect(millstream_response_emit(stale, nil, &array, nil, nil, nil, nil) == MILLSTREAM_INVALID_HANDLE)
        #expect(array.release == nil)
        script.body = { request in
            var array = rows([1])
            #expect(millstream_response_emit(stale, nil, &array, nil, nil, nil, nil) == MILLSTREAM_INVALID_HANDLE)
            #expect(request.pointee.response != stale)
            return 0
        }
        #expect(try function.call(transform([1])).outputs.isEmpty)
        millstream_function_free(handle)
    }

    @Test func aResponseIsGoodOnItsOwnThreadOnly() throws {
        _ = try run { request in
            nonisolated(unsafe) let response = request.pointee.response
            var thread = pthread_t()
            nonisolated(unsafe) var status = MILLSTREAM_OK
            withUnsafeMutablePointer(to: &status) { status in
                let argument = UnsafeMutablePointer<(OpaquePointer?, UnsafeMutablePointer<millstream_status>)>.allocate(capacity: 1)
                argument.initialize(to: (response, status))
                pthread_create(&thread, nil, { raw in
                    let pair = raw!.assumingMemoryBound(to: (OpaquePointer?, UnsafeMutablePointer<millstream_status>).self).pointee
                    pair.1.pointee = millstream_response_emit(pair.0, nil, nil, nil, nil, nil, nil)
                    return nil
                }, argument)
                pthread_join(thread, nil)
                argument.deallocate()
            }
            #expect(status == MILLSTREAM_INVALID_HANDLE)
            return 0
        }
    }

    @Test func reduceGetsSlotsAndGivesAccumulators() throws {
        var request = HostRequest(.reduce, count: 3, columns: [bigInts([1, 2, 3])], schema: .scalar(.bigInt))
        request.slots = Column(type: .int, count: 3, values: Buffer.copying([0, 1, 0] as [Int32]))
        request.accumulators = [bigInts([10, 20])]
        request.integers = [1]
        let response = try run(request) { request in
            #expect(request.pointee.integers[0] == 1)
            #expect(request.pointee.slots[2] == 0)
            #expect(request.pointee.accumulators.pointee.length == 2)
            var running = rows([11, 22, 14])
            var accumulators = rows([14, 22])
            _ = millstream_response_emit(request.pointee.response, nil, &running, nil, nil, nil, nil)
            return Int32(millstream_response_accumulators(request.pointee.response, &accumulators, nil).rawValue)
        }
        #expect(response.accumulators[0].scalar(at: 0) == .int64(14))
        #expect(response.outputs[0].columns[0].scalar(at: 2) == .int64(14))
    }

    @Test func instancesAreReleasedOnceEach() throws {
        let script = Script { _ in 0 }
        var options = script.options()
        options.instantiate = { context in
            Script.of(context).instances += 1
            return context
        }
        let handle = makeFunction(options, output: "BIGINT")
        do {
            let function = try CFunction(handle, site: FunctionSite(input: .scalar(.bigInt)))
            for _ in 0..<3 { _ = try function.instance().call(transform([1])) }
            #expect(script.instances == 3)
            #expect(script.releases == 3)
            millstream_function_free(handle)
            #expect(script.releases == 3)
        }
        #expect(script.releases == 4)
    }

    @Test func anInstanceMayBeRefused() throws {
        let script = Script { _ in 0 }
        var options = script.options()
        options.instantiate = { _ in nil }
        let handle = makeFunction(options, output: "BIGINT")
        let error = #expect(throws: MillstreamError.self) { try CFunction(handle, site: FunctionSite(input: .scalar(.bigInt))).instance() }
        #expect(error?.code == .userFunction)
        millstream_function_free(handle)
    }

    @Test func fusedFunctionsReleaseAllContexts() throws {
        let first = Script { _ in 0 }
        let second = Script { _ in 0 }
        let fuse: @convention(c) (
            UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UnsafeMutablePointer<millstream_function_options>?
        ) -> Int32 = { first, second, joined in
            Script.of(first).fusions += 1
            joined!.pointee.context = second
            joined!.pointee.call = { _, _ in 0 }
            joined!.pointee.release = { Script.of($0).releases += 1 }
            return 1
        }
        var options = first.options()
        options.fuse = fuse
        let one = makeFunction(options, name: "a", output: "BIGINT")
        options = second.options()
        options.fuse = fuse
        let two = makeFunction(options, name: "b", output: "STRING")
        do {
            let site = FunctionSite(input: .scalar(.bigInt))
            let joined = try CFunction(one, site: site).fused(with: CFunction(two, site: site))
            #expect(joined?.name == "a -> b")
            millstream_function_free(one)
            millstream_function_free(two)
            #expect(first.releases == 0 && second.releases == 0)
        }
        #expect(first.fusions == 1)
        #expect(first.releases == 1)
        #expect(second.releases == 2)
    }

    @Test func openHasASchemaAndNoColumns() throws {
        let request = HostRequest(.open, schema: .scalar(.bigInt))
        _ = try run(request) { request in
            #expect(request.pointee.columns == nil)
            return 0
        }
    }
}
