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

    /// States that a function declares while it is opened are numbered behind the others, and are found again by their names.
    @Test func declaredWhileOpened() throws {
        let state = KeyedState([("v", .value), ("rules", .operatorState(.broadcast))], hostObjects: nil, clock: SystemClock())
        #expect(try state.declareOperatorState("list", .list, StateTypes(value: .bigInt, key: .bigInt)) == 2)
        #expect(try state.declareOperatorState("v", .unionList, StateTypes(value: .bigInt, key: .bigInt)) == 3, "a keyed state and an operator state may have one name")
        #expect(try state.declareOperatorState("list", .list, StateTypes(value: .bigInt, key: .bigInt)) == 2)
        #expect(state.operatorState.entries.map(\.name) == ["rules", "list", "v"])
        #expect(throws: MillstreamError.self) { try state.declareOperatorState("list", .unionList, StateTypes(value: .bigInt, key: .bigInt)) }
        #expect(throws: MillstreamError.self) { try state.declareOperatorState("rules", .broadcast, StateTypes(value: .bigInt, key: .bigInt)) }
        try state.listAppend(2, row: 0, .int64(1))
        state.begin([4])
        try state.setValue(0, row: 0, .int64(5))
        try state.listAppend(2, row: 0, .int64(2))
        try state.listAppend(3, row: 7, .int64(3))
        #expect(throws: MillstreamError.self) { try state.mapCount(2, row: 0) }
        #expect(throws: MillstreamError.self) { try state.listCount(4, row: 0) }
        #expect(throws: MillstreamError.self) { try state.listCount(-1, row: 0) }
        state.end(nil)
        #expect(numbers(state.operatorState.elements(1)) == [1, 2])
        #expect(numbers(state.operatorState.elements(2)) == [3])
    }

    /// Also of states that were declared later.
    @Test func declaredHandlesAreGivenBack() throws {
        var state: KeyedState? = KeyedState([], hostObjects: countedObjects, clock: SystemClock())
        let elements = [makeBox(1), makeBox(2)]
        let index = try #require(try state?.declareOperatorState("list", .list, StateTypes(value: .bigInt, key: .bigInt)))
        try state?.listAppend(index, row: 0, .object(HostHandle(elements[0])))
        try state?.listClear(index, row: 0)
        #expect(box(elements[0]).pointee.references == 1, "getters may have lent it, until the request ends")
        state?.endRequest()
        #expect(box(elements[0]).pointee.references == 0)
        try state?.listAppend(index, row: 0, .object(HostHandle(elements[1])))
        state = nil
        #expect(box(elements[1]).pointee.references == 0)
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
