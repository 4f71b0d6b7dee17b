import CABI
import CMillstream
import Columnar
import Dataflow
import Plan
import Testing

/// One key's state, as plain values.
private final class FakeState: HostStateAccess {
    var single: StateValue?
    var list: [StateValue] = []
    var keys: [Int64] = []
    var values: [StateValue] = []
    var timers: [Int64] = []

    func value(_ state: Int, row: Int) throws(MillstreamError) -> StateValue? { single }
    func setValue(_ state: Int, row: Int, _ value: StateValue?) throws(MillstreamError) { single = value }
    func listCount(_ state: Int, row: Int) throws(MillstreamError) -> Int { list.count }
    func listElement(_ state: Int, row: Int, index: Int) throws(MillstreamError) -> StateValue? { list[index] }
    func listAppend(_ state: Int, row: Int, _ value: StateValue) throws(MillstreamError) { list.append(value) }
    func listClear(_ state: Int, row: Int) throws(MillstreamError) { list = [] }
    private func find(_ key: StateValue) -> Int? {
        guard case .int64(let number) = key else { return nil }
        return keys.firstIndex(of: number)
    }
    func mapValue(_ state: Int, row: Int, key: StateValue) throws(MillstreamError) -> StateValue? { find(key).map { values[$0] } }
    func mapPut(_ state: Int, row: Int, key: StateValue, value: StateValue) throws(MillstreamError) {
        guard case .int64(let number) = key else { throw MillstreamError(.typeMismatch, "the key is no BIGINT") }
        keys.append(number)
        values.append(value)
    }
    func mapRemove(_ state: Int, row: Int, key: StateValue) throws(MillstreamError) {
        guard let index = find(key) else { return }
        keys.remove(at: index)
        values.remove(at: index)
    }
    func mapClear(_ state: Int, row: Int) throws(MillstreamError) { (keys, values) = ([], []) }
    func mapCount(_ state: Int, row: Int) throws(MillstreamError) -> Int { keys.count }
    func mapEntry(_ state: Int, row: Int, index: Int) throws(MillstreamError) -> (key: StateValue, value: StateValue)? {
        index < keys.count ? (.int64(keys[index]), values[index]) : nil
    }
    func registerTimer(row: Int, domain: TimeDomain, at milliseconds: Int64) throws(MillstreamError) { timers.append(milliseconds) }
    func deleteTimer(row: Int, domain: TimeDomain, at milliseconds: Int64) throws(MillstreamError) { timers.removeAll { $0 == milliseconds } }
    var currentWatermark: EventTime { EventTime(milliseconds: 77) }
    var currentProcessingTime: ProcessingTime { ProcessingTime(milliseconds: 88) }
}

private func integer(_ number: Int64) -> millstream_value {
    var value = millstream_value()
    value.kind = Int32(MILLSTREAM_VALUE_INT64.rawValue)
    value.as.integer = number
    return value
}

@Suite struct StateTests {
    private let site = FunctionSite(
        input: .scalar(.bigInt),
        states: [
            StateDeclaration(name: "value", kind: .value, valueType: .bigInt),
            StateDeclaration(name: "list", kind: .list, valueType: .bytes),
            StateDeclaration(name: "map", kind: .map, valueType: .bigInt, keyType: .bigInt),
        ])

    private func process(_ state: FakeState, _ body: @escaping (OpaquePointer?) -> Void) throws {
        let script = Script { request in
            body(request.pointee.state)
            return 0
        }
        let handle = makeFunction(script.options(), output: "BIGINT")
        var request = HostRequest(.process, count: 2, columns: [bigInts([1, 2])], schema: .scalar(.bigInt))
        request.state = state
        _ = try CFunction(handle, site: site).call(request)
        millstream_function_free(handle)
    }

    @Test func valuesListsAndMaps() throws {
        let fake = FakeState()
        try process(fake) { state in
            var value = integer(5)
            #expect(millstream_state_get(state, 0, 0, &value, nil) == MILLSTREAM_OK)
            #expect(value.kind == Int32(MILLSTREAM_VALUE_NULL.rawValue))
            value = integer(5)
            #expect(millstream_state_set(state, 0, 1, &value, nil) == MILLSTREAM_OK)
            value = integer(0)
            #expect(millstream_state_get(state, 0, 1, &value, nil) == MILLSTREAM_OK)
            #expect(value.as.integer == 5)
            "hello".withCString { text in
                var bytes = millstream_value()
                bytes.kind = Int32(MILLSTREAM_VALUE_BYTES.rawValue)
                bytes.length = 5
                bytes.as.bytes = UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self)
                #expect(millstream_state_list_add(state, 1, 0, &bytes, nil) == MILLSTREAM_OK)
            }
            var count: Int64 = 0
            #expect(millstream_state_count(state, 1, 0, &count, nil) == MILLSTREAM_OK)
            #expect(count == 1)
            #expect(millstream_state_list_get(state, 1, 0, 0, &value, nil) == MILLSTREAM_OK)
            #expect(value.length == 5 && value.as.bytes[4] == UInt8(ascii: "o"))
            var key = integer(9)
            var entry = integer(90)
            #expect(millstream_state_map_put(state, 2, 0, &key, &entry, nil) == MILLSTREAM_OK)
            #expect(millstream_state_map_get(state, 2, 0, &key, &value, nil) == MILLSTREAM_OK)
            #expect(value.as.integer == 90)
            #expect(millstream_state_map_entry(state, 2, 0, 0, &key, &value, nil) == MILLSTREAM_OK)
            #expect(key.as.integer == 9)
            #expect(millstream_state_map_remove(state, 2, 0, &key, nil) == MILLSTREAM_OK)
            #expect(millstream_state_clear(state, 0, 0, nil) == MILLSTREAM_OK)
            #expect(millstream_timer_register(state, 0, MILLSTREAM_EVENT_TIME_DOMAIN, 123, nil) == MILLSTREAM_OK)
            #expect(millstream_state_watermark(state) == 77)
            #expect(millstream_state_processing_time(state) == 88)
        }
        #expect(fake.single == nil)
        #expect(fake.keys.isEmpty)
        #expect(fake.timers == [123])
    }

    @Test func wrongUseIsRefused() throws {
        try process(FakeState()) { state in
            var value = integer(1)
            var count: Int64 = 0
            #expect(millstream_state_get(state, 0, 2, &value, nil) == MILLSTREAM_INVALID_ARGUMENT)
            #expect(millstream_state_get(state, 0, -1, &value, nil) == MILLSTREAM_INVALID_ARGUMENT)
            #expect(millstream_state_get(state, 3, 0, &value, nil) == MILLSTREAM_INVALID_ARGUMENT)
            #expect(millstream_state_get(state, -1, 0, &value, nil) == MILLSTREAM_INVALID_ARGUMENT)
            #expect(millstream_state_get(state, 1, 0, &value, nil) == MILLSTREAM_INVALID_ARGUMENT)
            #expect(millstream_state_get(state, 0, 0, nil, nil) == MILLSTREAM_INVALID_ARGUMENT)
            #expect(millstream_state_set(state, 0, 0, nil, nil) == MILLSTREAM_INVALID_ARGUMENT)
            #expect(millstream_state_list_get(state, 1, 0, 0, &value, nil) == MILLSTREAM_INVALID_ARGUMENT)
            #expect(millstream_state_list_get(state, 2, 0, 0, &value, nil) == MILLSTREAM_INVALID_ARGUMENT)
            #expect(millstream_state_map_entry(state, 2, 0, .max, nil, &value, nil) == MILLSTREAM_INVALID_ARGUMENT)
            #expect(millstream_state_count(state, 1, 0, nil, nil) == MILLSTREAM_INVALID_ARGUMENT)
            #expect(millstream_state_count(state, 99, 0, &count, nil) == MILLSTREAM_INVALID_ARGUMENT)
            value.kind = 77
            #expect(millstream_state_set(state, 0, 0, &value, nil) == MILLSTREAM_INVALID_ARGUMENT)
            value.kind = Int32(MILLSTREAM_VALUE_BYTES.rawValue)
            value.length = -5
            #expect(millstream_state_set(state, 0, 0, &value, nil) == MILLSTREAM_INVALID_ARGUMENT)
            #expect(millstream_timer_register(state, 0, millstream_time_domain(rawValue: 9), 0, nil) == MILLSTREAM_INVALID_ARGUMENT)
            value.kind = Int32(MILLSTREAM_VALUE_NULL.rawValue)
            #expect(millstream_state_map_get(state, 2, 0, &value, nil, nil) == MILLSTREAM_KEY)
        }
    }

    @Test func aStateIsStaleAfterItsCall() throws {
        nonisolated(unsafe) var stale: OpaquePointer?
        try process(FakeState()) { stale = $0 }
        var value = integer(1)
        #expect(millstream_state_get(stale, 0, 0, &value, nil) == MILLSTREAM_INVALID_HANDLE)
        #expect(millstream_state_set(stale, 0, 0, &value, nil) == MILLSTREAM_INVALID_HANDLE)
        #expect(millstream_state_watermark(stale) == .min)
    }

    /// Prints what one access costs; a state is used per row.
    @Test func accessIsCheap() throws {
        let clock = ContinuousClock()
        try process(FakeState()) { state in
            var value = integer(0)
            let elapsed = clock.measure {
                for _ in 0..<1_000_000 {
                    value.as.integer &+= 1
                    value.kind = Int32(MILLSTREAM_VALUE_INT64.rawValue)
                    _ = millstream_state_set(state, 0, 0, &value, nil)
                    _ = millstream_state_get(state, 0, 0, &value, nil)
                }
            }
            print("state get and set: \(elapsed / 1_000_000)")
            #expect(value.as.integer == 1_000_000)
        }
        let script = Script { _ in 0 }
        let handle = makeFunction(script.options(), output: "BIGINT")
        let function = try CFunction(handle, site: site)
        let request = transform([1])
        let elapsed = try clock.measure { for _ in 0..<100_000 { _ = try function.call(request) } }
        print("crossing with one column: \(elapsed / 100_000)")
        millstream_function_free(handle)
    }
}
