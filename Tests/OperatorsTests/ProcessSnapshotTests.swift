import Columnar
import Dataflow
import Operators
import Plan
import State
import TestColumns
import Testing

/// Every state kind with every type that cells have, timers of both kinds, and operator state.
private let states = [
    StateDeclaration(name: "count", kind: .value, valueType: .bigInt), StateDeclaration(name: "flag", kind: .value, valueType: .boolean),
    StateDeclaration(name: "mean", kind: .reducing, valueType: .double), StateDeclaration(name: "small", kind: .aggregating, valueType: .smallInt),
    StateDeclaration(name: "words", kind: .list, valueType: .string),
    StateDeclaration(name: "seen", kind: .map, valueType: .bigInt, keyType: .string),
    StateDeclaration(name: "rules", kind: .broadcast, valueType: .bigInt, keyType: .bigInt),
    StateDeclaration(name: "share", kind: .operatorList, valueType: .bigInt),
    StateDeclaration(name: "all", kind: .unionList, valueType: .bigInt),
]

private func integer(_ value: StateValue?) -> Int64 { if case .int64(let number)? = value { number } else { 0 } }

/// Does something with all states of a row's key, decided by the row, and emits what it finds: key, and a hash of everything that the states hold.
private func digest(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
    guard let state = request.state else { throw .internal("no state") }
    let isTimer = request.operation == .timers
    let values = isTimer ? (request.timestamps.map(int64s) ?? []) : int64s(request.columns[1])
    var results: [Int64?] = []
    for row in 0..<request.count {
        let value = values[row] ?? 0
        var hash = StableHash.hash(value)
        func mix(_ number: Int64) { hash = StableHash.fold(hash, StableHash.hash(number)) }
        mix(isTimer ? request.integers[0] : 2)
        let count = integer(try state.value(0, row: row)) + 1
        try state.setValue(0, row: row, value % 11 == 0 ? nil : .int64(count))
        mix(count)
        if case .bool(let flag)? = try state.value(1, row: row) { mix(flag ? 1 : 0) }
        try state.setValue(1, row: row, value % 7 == 0 ? nil : .bool(value % 2 == 0))
        if case .double(let mean)? = try state.value(2, row: row) { mix(Int64(bitPattern: mean.bitPattern)) }
        try state.setValue(2, row: row, .double(Double(value) / 3))
        mix(integer(try state.value(3, row: row)))
        try state.setValue(3, row: row, .int64(value % 100))
        if value % 13 == 0 { try state.listClear(4, row: row) } else { try state.listAppend(4, row: row, .bytes(Array("word \(value)".utf8))) }
        for index in 0..<(try state.listCount(4, row: row)) {
            if case .bytes(let bytes)? = try state.listElement(4, row: row, index: index) { mix(Int64(bytes.count)); mix(Int64(bytes.last ?? 0)) }
        }
        let name = StateValue.bytes(Array("n\(value % 5)".utf8))
        if value % 3 == 0 { try state.mapRemove(5, row: row, key: name) } else { try state.mapPut(5, row: row, key: name, value: .int64(value)) }
        for index in 0..<(try state.mapCount(5, row: row)) { mix(integer(try state.mapEntry(5, row: row, index: index)?.value)) }
        if !isTimer {
            try state.registerTimer(row: row, domain: .eventTime, at: value % 50)
            if value % 4 == 0 { try state.deleteTimer(row: row, domain: .eventTime, at: (value + 3) % 50) }
            if value % 5 == 0 { try state.registerTimer(row: row, domain: .processingTime, at: 1_000_000 + value % 40) }
        }
        results.append(Int64(bitPattern: hash))
    }
    let parents = Column(type: DataType.int.notNull, count: request.count, values: Buffer.copying((0..<request.count).map { Int32($0) }))
    return HostResponse(
        outputs: [HostResponse.Rows(columns: [request.keys[0], try int64Column(results)], count: request.count, parents: parents)])
}

private func makeOperator(_ function: ScriptedFunction? = nil) throws -> any Operator {
    try makeNodeOperator(
        .process(ProcessDescription(function: BindingID(0), keys: [0], states: states)), columns: 2, function: function ?? ScriptedFunction(digest))
}

/// The subtask of a key, as an exchange would find it.
private func subtask(of key: Int64, _ parallelism: Int) throws -> Int {
    let keyed = try int64Batch([[key]])
    guard let hashes = try keyed.keyed(by: keyed.columns).keyHashes else { return 0 }
    let group = KeyGroup.index(hash: hashes.pointer(as: UInt64.self)[0], maxParallelism: 128)
    return (0..<parallelism).first { KeyGroup.range(subtask: $0, parallelism: parallelism, maxParallelism: 128).contains(group) } ?? 0
}

/// Subtasks of one operator that are fed as exchanges feed them.
private final class Subtasks {
    let harnesses: [OperatorHarness]

    init(_ harnesses: [OperatorHarness]) { self.harnesses = harnesses }

    func feed(_ rows: [(key: Int64, value: Int64)]) throws {
        for (index, harness) in harnesses.enumerated() {
            let own = try rows.filter { try subtask(of: $0.key, harnesses.count) == index }
            if !own.isEmpty { try harness.process(try int64Batch([own.map(\.key), own.map(\.value)])) }
        }
    }

    func watermark(_ time: Int64) throws { for harness in harnesses { try harness.watermark(time) } }
    func processingTime(_ time: Int64) throws { for harness in harnesses { try harness.processingTime(time) } }

    /// What came out, by subtask if there is one, else without order among keys.
    func rows() throws -> [[Int64]] {
        try harnesses.flatMap { try $0.rows() }.map { $0.map { if case .int64(let value) = $0 { value } else { -1 } } }
    }
}

@Suite struct ProcessSnapshotTests {
    /// A job that is stopped at a random border and goes on from the checkpoint gives what an undisturbed one gives, at any parallelism.
    @Test(arguments: 0..<24) func goesOnAsIfUndisturbed(seed: Int) throws {
        var random = TestColumns.SeededRandom(seed)
        let (before, after) = [(1, 1), (1, 4), (4, 1), (3, 2)][seed % 4]
        let undisturbed = Subtasks([try OperatorHarness(try makeOperator())])
        let first = Subtasks(try (0..<before).map { _ in try OperatorHarness(try makeOperator()) })
        let border = random.int(0..<12)
        var steps: [(rows: [(key: Int64, value: Int64)], time: Int64, clock: Int64)] = []
        for step in 0..<16 {
            let rows = (0..<random.int(0..<40)).map { _ in (key: Int64(random.int(0..<30)), value: Int64(random.int(0..<1_000))) }
            steps.append((rows, Int64(step * 4), 1_000_000 + Int64(step * 3)))
        }
        func run(_ subtasks: Subtasks, _ range: Range<Int>) throws {
            for step in steps[range] {
                try subtasks.feed(step.rows)
                try subtasks.watermark(step.time)
                try subtasks.processingTime(step.clock)
            }
        }
        try run(undisturbed, 0..<border)
        let already = try undisturbed.rows().count
        try run(undisturbed, border..<steps.count)
        try undisturbed.watermark(.max)

        try run(first, 0..<border)
        let checkpoint = try SnapshotHarness()
        let held = try first.harnesses.map { try checkpoint.hold($0.operation) }
        // The operators go on before anything is written, and change what they have.
        try run(first, border..<steps.count)
        try checkpoint.write(held)
        let second = Subtasks(
            try (0..<after).map { subtask in
                let restored = try checkpoint.restored(subtask: subtask, parallelism: after)
                return try OperatorHarness(try makeOperator(), restored: restored, subtask: subtask, parallelism: after)
            })
        try run(second, border..<steps.count)
        try second.watermark(.max)
        let expected = Array(try undisturbed.rows()[already...]), found = try second.rows()
        if before == 1, after == 1 { #expect(found == expected) }
        #expect(found.sorted { $0.lexicographicallyPrecedes($1) } == expected.sorted { $0.lexicographicallyPrecedes($1) })
    }

    /// Lists are dealt out anew, each subtask gets all of a union list and one former subtask's broadcast map; and the function finds all of it in OPEN.
    @Test(arguments: [(1, 1), (1, 4), (4, 1), (3, 2), (2, 3)]) func operatorStateIsDealtOut(before: Int, after: Int) throws {
        final class Opened: HostFunction, @unchecked Sendable {
            let name = "opened"
            let number: Int64
            var shares: [Int64] = []
            var all: [Int64] = []
            var rules: [Int64] = []
            var checkpoint: Int64?
            init(_ number: Int64) { self.number = number }

            func call(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
                guard let state = request.state else { return HostResponse() }
                switch request.operation {
                case .open:
                    checkpoint = request.integers.count > 3 ? request.integers[3] : nil
                    let late = try state.declareOperatorState("late", .list, StateTypes(value: .bigInt))
                    for index in [7, late] {
                        for place in 0..<(try state.listCount(index, row: 0)) { shares.append(integer(try state.listElement(index, row: 0, index: place))) }
                    }
                    for place in 0..<(try state.listCount(8, row: 0)) { all.append(integer(try state.listElement(8, row: 0, index: place))) }
                    for place in 0..<(try state.mapCount(6, row: 0)) {
                        guard let entry = try state.mapEntry(6, row: 0, index: place) else { continue }
                        rules += [integer(entry.key), integer(entry.value)]
                    }
                case .snapshot:
                    #expect(request.integers == [7, 1_000])
                    for place in 0..<5 { try state.listAppend(7, row: 0, .int64(number * 10 + Int64(place))) }
                    try state.listAppend(9, row: 0, .int64(100 + number))
                    try state.listAppend(8, row: 0, .int64(number))
                    for key in [3, 1] as [Int64] { try state.mapPut(6, row: 0, key: .int64(key), value: .int64(key * 2)) }
                default: break
                }
                return HostResponse()
            }

            func instance() throws(MillstreamError) -> any HostFunction { self }
            func fused(with next: any HostFunction) -> (any HostFunction)? { nil }
        }
        func make(_ number: Int, _ restored: RestoredState?, _ parallelism: Int) throws -> (Opened, OperatorHarness) {
            let function = Opened(Int64(number))
            let schema = Schema([Field("f0", .bigInt)], shape: .tuple)
            let node = Node(
                id: NodeID(0), name: "node", inputs: [], operation: .process(ProcessDescription(function: BindingID(0), keys: [0], states: states)),
                output: schema)
            var bindings = Bindings()
            bindings.bind(0, function: function)
            let operation = try OperatorFactory.make(for: node, inputs: [schema], bindings: bindings)
            return (function, try OperatorHarness(operation, restored: restored, subtask: number, parallelism: parallelism))
        }
        let checkpoint = try SnapshotHarness()
        let former = try (0..<before).map { try make($0, nil, before) }
        #expect(former.allSatisfy { $0.0.checkpoint == nil && $0.0.shares.isEmpty })
        try checkpoint.write(try former.map { try checkpoint.hold($0.1.operation) })
        let now = try (0..<after).map { try make($0, try checkpoint.restored(subtask: $0, parallelism: after), after) }.map(\.0)
        func own(_ number: Int) -> [Int64] {
            var elements: [Int64] = []
            for place in 0..<5 { elements.append(Int64(number * 10 + place)) }
            elements.append(Int64(100 + number))
            return elements
        }
        let written: [Int64] = (0..<before).flatMap { own($0) }
        #expect(now.flatMap(\.shares).sorted() == written.sorted(), "each element once")
        let counts = now.map(\.shares.count)
        #expect(before == after || (counts.max() ?? 0) - (counts.min() ?? 0) <= 1, "\(counts)")
        if before == after {
            let each: [[Int64]] = (0..<after).map { own($0) }
            #expect(now.map(\.shares) == each)
        }
        var union: [Int64] = []
        for number in 0..<before { union.append(Int64(number)) }
        for function in now {
            #expect(function.all == union)
            #expect(function.rules == [3, 6, 1, 2])
            #expect(function.checkpoint == 7)
        }
    }

    /// A state that the job no longer has stays in its checkpoints; one that changed its kind or type is refused by name.
    @Test func otherDeclarationsThanBefore() throws {
        func make(_ declared: [StateDeclaration], _ restored: RestoredState? = nil) throws -> OperatorHarness {
            let function = ScriptedFunction { (request) throws(MillstreamError) in
                guard request.operation == .process, let state = request.state, declared.first?.name == "count" else { return HostResponse() }
                for row in 0..<request.count { try state.setValue(0, row: row, .int64(integer(try state.value(0, row: row)) + 1)) }
                return HostResponse(outputs: [
                    HostResponse.Rows(columns: [request.keys[0], try int64Column([integer(try state.value(0, row: 0))])], count: 1)
                ])
            }
            return try OperatorHarness(
                try makeNodeOperator(
                    .process(ProcessDescription(function: BindingID(0), keys: [0], states: declared)), columns: 2, function: function),
                restored: restored)
        }
        let checkpoint = try SnapshotHarness()
        let first = try make([StateDeclaration(name: "count", kind: .value, valueType: .int)])
        for _ in 0..<3 { try first.process(try int64Batch([[5], [0]])) }
        try checkpoint.write([try checkpoint.hold(first.operation)])
        // Without the state, and with it again; and an INT has become a BIGINT.
        let second = try make([], try checkpoint.restored(subtask: 0, parallelism: 1))
        let again = try SnapshotHarness()
        try again.write([try again.hold(second.operation)])
        let third = try make([StateDeclaration(name: "count", kind: .value, valueType: .bigInt)], try again.restored(subtask: 0, parallelism: 1))
        try third.process(try int64Batch([[5], [0]]))
        #expect(try third.rows() == [[.int64(5), .int64(4)]])
        for other in [
            StateDeclaration(name: "count", kind: .list, valueType: .int), StateDeclaration(name: "count", kind: .map, valueType: .int, keyType: .int),
            StateDeclaration(name: "count", kind: .value, valueType: .string), StateDeclaration(name: "count", kind: .value, valueType: .smallInt),
        ] {
            let restored = try checkpoint.restored(subtask: 0, parallelism: 1)
            let error = #expect(throws: MillstreamError.self) { try make([other], restored) }
            #expect(error?.code == .decode && error?.message.contains("count") == true)
        }
    }

    /// The part of a checkpoint for which the data path stands still.
    @Test func aMillionKeys() throws {
        let state = KeyedState(
            [("sum", .value)], types: [StateTypes(value: .bigInt)], hostObjects: nil, clock: SystemClock())
        let count = 1_000_000
        let keys = try int64Batch([(0..<count).map { Int64($0) &* 7 }])
        let table = try KeyTable(types: [.bigInt])
        guard let hashes = try keys.keyed(by: keys.columns).keyHashes else { return }
        var slots = [Int32](repeating: 0, count: count)
        try slots.withUnsafeMutableBufferPointer {
            try table.lookup(keys: keys.columns, hashes: hashes.pointer(as: UInt64.self), count: count, slots: $0.baseAddress!)
        }
        state.begin(slots)
        for row in 0..<count { try state.setValue(0, row: row, .int64(Int64(row))) }
        state.end(nil)
        let start = ContinuousClock.now
        let held = HeldSnapshot()
        try state.snapshot(table, maxParallelism: 128, into: held)
        print("process function's state, 1 M keys BIGINT -> BIGINT, handed over in \(ContinuousClock.now - start)")
        let checkpoint = try SnapshotHarness()
        try checkpoint.write([held])
        #expect(checkpoint.rowCount == count)
    }
}
