import Columnar
import Dataflow
import State
import Testing

private func numbers(_ values: [StateValue]) -> [Int64] { values.map { if case .int64(let number) = $0 { number } else { -1 } } }

@Suite struct OperatorStateTests {
    /// What functions put through the door is listed by the store, in order; keyed state beside it is not.
    @Test func contentsAreListed() throws {
        let state = KeyedState(
            [("v", .value), ("list", .operatorState(.list)), ("rules", .operatorState(.broadcast)), ("union", .operatorState(.unionList))],
            hostObjects: nil, clock: SystemClock())
        let store = state.operatorState
        #expect(store.entries.map(\.name) == ["list", "rules", "union"])
        // In open, before there are rows.
        try state.listAppend(3, row: 0, .int64(9))
        state.begin([0, 1])
        try state.setValue(0, row: 1, .int64(5))
        for row in 0..<2 { try state.listAppend(1, row: row, .int64(Int64(row))) }
        for key in [3, 1, 2] as [Int64] { try state.mapPut(2, row: 0, key: .int64(key), value: .int64(key * 10)) }
        try state.mapPut(2, row: 1, key: .int64(3), value: .int64(31))
        try state.mapRemove(2, row: 1, key: .int64(1))
        state.end(nil)
        #expect(numbers(store.elements(0)) == [0, 1])
        #expect(numbers(store.pairs(1).map(\.key)) == [3, 2])
        #expect(numbers(store.pairs(1).map(\.value)) == [31, 20])
        #expect(numbers(store.elements(2)) == [9])
        #expect(store.elements(1).isEmpty && store.pairs(0).isEmpty)
        state.begin(nil)
        try state.listClear(1, row: 0)
        try state.mapClear(2, row: 0)
        state.end(nil)
        #expect(store.elements(0).isEmpty && store.pairs(1).isEmpty)
    }

    /// Handles of operator state go back when they are replaced, cleared, or the store goes.
    @Test func handlesAreGivenBack() throws {
        var state: KeyedState? = KeyedState(
            [("list", .operatorState(.list)), ("rules", .operatorState(.broadcast))], hostObjects: countedObjects, clock: SystemClock())
        let elements = [makeBox(1), makeBox(2)]
        let keys = [makeBox(5), makeBox(6), makeBox(5)]
        let values = [makeBox(15), makeBox(16), makeBox(17)]
        func references(_ handles: [HostObjects.Handle]) -> [Int] { handles.map { box($0).pointee.references } }
        state?.begin(nil)
        for handle in elements { try state?.listAppend(0, row: 0, .object(HostHandle(handle))) }
        for (key, value) in zip(keys, values) { try state?.mapPut(1, row: 0, key: .object(HostHandle(key)), value: .object(HostHandle(value))) }
        #expect(references(values) == [1, 1, 1], "getters may have lent it, until the request ends")
        state?.end(nil)
        #expect(references(elements + keys + values) == [1, 1, 1, 1, 0, 0, 1, 1])
        state?.begin(nil)
        try state?.listClear(0, row: 0)
        state?.end(nil)
        #expect(references(elements + keys + values) == [0, 0, 1, 1, 0, 0, 1, 1])
        state = nil
        #expect(references(elements + keys + values).allSatisfy { $0 == 0 })
    }
}
