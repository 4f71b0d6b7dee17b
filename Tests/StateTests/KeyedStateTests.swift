import Columnar
import Dataflow
import State
import Testing

private func makeState(hostObjects: HostObjects? = countedObjects) -> KeyedState {
    KeyedState([("v", .value), ("l", .list), ("m", .map)], hostObjects: hostObjects, clock: SystemClock())
}

private func integer(_ value: StateValue?) -> Int64? {
    if case .int64(let number) = value { number } else { nil }
}

@Suite struct KeyedStateTests {
    @Test func slotsHaveStatesOfTheirOwn() throws {
        let state = makeState()
        state.begin([3, 0, 3])
        try state.setValue(0, row: 0, .int64(7))
        #expect(integer(try state.value(0, row: 2)) == 7)
        #expect(try state.value(0, row: 1) == nil)
        try state.listAppend(1, row: 1, .bytes([1]))
        try state.listAppend(1, row: 1, .bytes([2]))
        #expect(try state.listCount(1, row: 1) == 2 && state.listCount(1, row: 0) == 0)
        #expect(try state.listElement(1, row: 1, index: 2) == nil)
        try state.listClear(1, row: 1)
        #expect(try state.listCount(1, row: 1) == 0)
    }

    @Test func wrongUseIsRefused() throws {
        let state = makeState()
        state.begin([0])
        let calls: [() throws -> Void] = [
            { _ = try state.value(1, row: 0) }, { _ = try state.value(3, row: 0) }, { _ = try state.value(-1, row: 0) },
            { _ = try state.value(0, row: 1) }, { try state.listAppend(0, row: 0, .bool(true)) }, { _ = try state.mapCount(1, row: 0) },
        ]
        for call in calls {
            let error = #expect(throws: MillstreamError.self) { try call() }
            #expect(error?.code == .invalidArgument)
        }
        state.begin(nil)
        let error = #expect(throws: MillstreamError.self) { try state.registerTimer(row: 0, domain: .eventTime, at: 1) }
        #expect(error?.code == .invalidState)
    }

    /// A map state agrees with an array of entries in the order of insertion, small and large.
    @Test(arguments: [5, 300] as [UInt64]) func mapsKeepTheOrderOfInsertion(domain: UInt64) throws {
        let random = SeededRandom(seed: domain)
        let state = makeState()
        state.begin([0])
        var model: [(key: Int64, value: Int64)] = []
        for step in 0..<4_000 {
            let key = Int64(random.next(below: domain))
            let place = model.firstIndex { $0.key == key }
            switch random.next(below: 8) {
            case 0..<4:
                try state.mapPut(2, row: 0, key: .int64(key), value: .int64(Int64(step)))
                if let place { model[place].value = Int64(step) } else { model.append((key, Int64(step))) }
            case 4..<6:
                try state.mapRemove(2, row: 0, key: .int64(key))
                if let place { model.remove(at: place) }
            default:
                #expect(integer(try state.mapValue(2, row: 0, key: .int64(key))) == place.map { model[$0].value })
            }
            guard step % 97 == 0 else { continue }
            #expect(try state.mapCount(2, row: 0) == model.count)
            for (number, entry) in model.enumerated() {
                let found = try state.mapEntry(2, row: 0, index: number)
                #expect(integer(found?.key) == entry.key && integer(found?.value) == entry.value)
            }
            #expect(try state.mapEntry(2, row: 0, index: model.count) == nil)
        }
    }

    @Test func keysWithoutStateAreForgotten() throws {
        let table = try KeyTable(types: [.bigInt])
        let state = makeState()
        let values: [Int64] = [10, 20, 30, 10]
        let column = Column(type: DataType.bigInt.notNull, count: 4, values: Buffer.copying(values))
        let hashes = values.map { StableHash.hash($0) }
        func begin() throws {
            var slots = [Int32](repeating: 0, count: 4)
            try table.lookup(keys: [column], hashes: hashes, count: 4, slots: &slots)
            state.begin(slots)
        }
        try begin()
        try state.setValue(0, row: 1, .int64(1))
        try state.registerTimer(row: 2, domain: .processingTime, at: 5)
        try state.registerTimer(row: 2, domain: .processingTime, at: 5)
        state.end(table)
        #expect(table.count == 2)
        try begin()
        try state.setValue(0, row: 1, nil)
        try state.mapPut(2, row: 3, key: .bool(true), value: .bool(false))
        state.end(table)
        #expect(table.count == 2)
        let due = state.takeDue(.processingTime, upTo: 5)
        #expect(due.times == [5])
        state.begin(due.slots)
        state.end(table)
        #expect(table.count == 1)
        try begin()
        try state.mapClear(2, row: 0)
        state.end(table)
        #expect(table.count == 0)
    }

    @Test func handlesGoBackAfterTheRequest() throws {
        let boxes = (0..<6).map { makeBox(Int64($0 % 4)) }
        var state: KeyedState? = makeState()
        state?.begin([0])
        try state?.setValue(0, row: 0, .object(HostHandle(boxes[0])))
        try state?.setValue(0, row: 0, .object(HostHandle(boxes[1])))
        // Still lent until the request ends.
        #expect(box(boxes[0]).pointee.references == 1)
        try state?.mapPut(2, row: 0, key: .object(HostHandle(boxes[2])), value: .object(HostHandle(boxes[3])))
        // Refused: the reference goes back all the same.
        #expect(throws: MillstreamError.self) { try state?.setValue(9, row: 0, .object(HostHandle(boxes[4]))) }
        state?.end(nil)
        #expect(boxes.map { box($0).pointee.references } == [0, 1, 1, 1, 0, 1])
        state = nil
        #expect(boxes.map { box($0).pointee.references } == [0, 0, 0, 0, 0, 1])
    }
}
