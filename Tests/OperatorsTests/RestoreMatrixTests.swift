import Columnar
import Dataflow
import Operators
import Plan
import State
import TestColumns
import Testing

/// Every kind of state goes from a checkpoint of one backend into another, in fewer subtasks or in more, and what comes out behind it is what one undisturbed run in
/// memory gives.
extension OperatorSnapshotTests {
    enum StateKind: String, CaseIterable, Sendable {
        case rollingSum, rollingMin, rollingMax, rollingMinBy, rollingMaxBy, reduce, countingReduce
        case value, textValue, objectValue, reducing, aggregating, list, objectList, map, objectMap, eventTimers, processingTimers
        case tumblingWindow, slidingWindow, sessionWindow, countWindow
    }

    enum Way: String, CaseIterable, Sendable {
        case memoryToStore, storeToMemory, storeToStore
        /// By the store's files.
        case storeByFiles

        /// `seed` draws how many keys fit into memory: none, a few, all.
        func backends(_ seed: Int, _ stores: any StateStores) -> (before: TestBackend, after: TestBackend) {
            let paged = TestBackend.paged([0, 700, 1 << 20][seed % 3], isIncremental: self == .storeByFiles, stores: stores)
            return switch self {
            case .memoryToStore: (.memory, paged)
            case .storeToMemory: (paged, .memory)
            case .storeToStore, .storeByFiles: (paged, .paged([700, 0, 300][seed % 3], isIncremental: self == .storeByFiles, stores: stores))
            }
        }
    }

    private static let rocksDB: Result<RocksDBStores, any Error> = Result { try RocksDBStores(RocksDBSettings()) }

    private func stateOperator(_ kind: StateKind, _ input: Input, _ seed: Int) throws -> any Operator {
        var bindings = Bindings()
        bindings.hostObjects = testObjects
        let operation: Plan.Operation
        var output = input.schema
        let column = input.place(["v", "t", "d", "f", "m"][seed % 5])
        switch kind {
        case .rollingSum: operation = .rolling(.sum, column: column, keys: input.keys)
        case .rollingMin: operation = .rolling(.min, column: column, keys: input.keys)
        case .rollingMax: operation = .rolling(.max, column: column, keys: input.keys)
        case .rollingMinBy: operation = .rolling(.minBy, column: column, keys: input.keys)
        case .rollingMaxBy: operation = .rolling(.maxBy, column: column, keys: input.keys)
        case .reduce, .countingReduce:
            bindings.bind(1, function: kind == .reduce ? Self.reduce(input) : Self.countingReduce(input))
            operation = .reduce(BindingID(1), keys: input.keys)
        case .tumblingWindow: return try window(.tumbling(size: 10, offset: 3, isEventTime: true), 0, input, lateness: 20)
        case .slidingWindow: return try window(.sliding(size: 12, slide: 4, offset: 0, isEventTime: true), 1, input, lateness: 0)
        case .sessionWindow: return try window(.session(gap: 4, isEventTime: true), 0, input, lateness: 0)
        case .countWindow: return try window(.count(4), 0, input, lateness: 0)
        default:
            bindings.bind(1, function: StateUser(kind, input).function)
            operation = .process(ProcessDescription(function: BindingID(1), keys: input.keys, states: StateUser(kind, input).states))
            output = Schema([input.schema.fields[0], Field("seen", .string)])
        }
        return try OperatorFactory.make(for: node(operation, output), inputs: [input.schema], bindings: bindings)
    }

    @Test("Every kind of state goes from one backend into another", arguments: StateKind.allCases, Way.allCases)
    func restoreMatrix(kind: StateKind, way: Way) throws {
        for (number, parallelism) in [(1, 4), (4, 1), (3, 2)].enumerated() {
            // Each cell with keys of another type, and with all of them over the matrix.
            for round in 0..<2 {
                // In a sorted store in memory, and in RocksDB.
                let stores: any StateStores = round == 0 ? MemoryStores() : try Self.rocksDB.get()
                let place = StateKind.allCases.firstIndex(of: kind) ?? 0
                let seed = 1_000 * round + 97 * place + 31 * number + (Way.allCases.firstIndex(of: way) ?? 0)
                let input = Input(seed, isFlat: true)
                try compare("\(kind)", seed: seed, input, backends: way.backends(seed, stores), parallelism: parallelism) { try stateOperator(kind, input, seed) }
            }
        }
    }

    /// Without restore too: what leaves memory comes back as it was.
    @Test("What is paged gives what memory gives", arguments: StateKind.allCases, 0..<8)
    func paged(kind: StateKind, seed: Int) throws {
        let input = Input(seed, isFlat: seed % 3 != 0)
        try compare("\(kind)", seed: seed, input, backends: (.paged(seed % 2 == 0 ? 0 : 1_000), .paged(300))) { try stateOperator(kind, input, seed) }
    }
}

/// A process function with one state of a kind: does something with it for each row and each timer, decided by the row, and tells all that is in it.
private struct StateUser {
    let kind: OperatorSnapshotTests.StateKind
    let input: OperatorSnapshotTests.Input

    init(_ kind: OperatorSnapshotTests.StateKind, _ input: OperatorSnapshotTests.Input) {
        self.kind = kind
        self.input = input
    }

    var states: [StateDeclaration] {
        let declared: StateDeclaration = switch kind {
        case .textValue: StateDeclaration(name: "state", kind: .value, valueType: .string)
        case .objectValue: StateDeclaration(name: "state", kind: .value, valueType: .object)
        case .reducing: StateDeclaration(name: "state", kind: .reducing, valueType: .double)
        case .aggregating: StateDeclaration(name: "state", kind: .aggregating, valueType: .smallInt)
        case .list: StateDeclaration(name: "state", kind: .list, valueType: .string)
        case .objectList: StateDeclaration(name: "state", kind: .list, valueType: .object)
        case .map: StateDeclaration(name: "state", kind: .map, valueType: .bigInt, keyType: .string)
        case .objectMap: StateDeclaration(name: "state", kind: .map, valueType: .object, keyType: .object)
        default: StateDeclaration(name: "state", kind: .value, valueType: .bigInt)
        }
        return [StateDeclaration(name: "rules", kind: .broadcast, valueType: .bigInt, keyType: .bigInt), declared]
    }

    var function: FakeHostFunction {
        FakeHostFunction { (request) throws(MillstreamError) in
            guard let state = request.state else { throw .internal("no state") }
            let isTimer = request.operation == .timers
            let builder = try ColumnBuilder.make(for: .string)
            for row in 0..<request.count {
                let value = isTimer ? (request.timestamps.map { OperatorSnapshotTests.read($0, row) } ?? 0) : OperatorSnapshotTests.read(request.columns[input.place("v")], row)
                let seen = try use(state, row, value &+ Int64(isTimer ? 1 : 0), isTimer)
                try builder.append(.string("\(isTimer ? "timer \(request.integers[0])" : "row"): \(seen)"))
            }
            let parents = Column(type: .int, count: request.count, values: Buffer.copying((0..<request.count).map { Int32($0) }))
            return HostResponse(outputs: [HostResponse.Rows(columns: [request.keys[0], builder.finish()], count: request.count, parents: parents)])
        }
    }

    private func object(_ number: Int64) -> StateValue {
        let pointer = HostObjects.Handle(bitPattern: Int(1_000 + abs(number % 100)))
        var handle: HostObjects.Handle? = pointer
        testObjects.retain(&handle, 1)
        return .object(HostHandle(pointer.unsafelyUnwrapped))
    }

    private func text(_ value: StateValue?) -> String {
        switch value {
        case .bytes(let bytes)?: String(decoding: bytes, as: UTF8.self)
        case .object(let handle)?: "object \(Int(bitPattern: handle.pointer))"
        case let value?: "\(value)"
        case nil: "none"
        }
    }

    private func use(_ state: any HostStateAccess, _ row: Int, _ value: Int64, _ isTimer: Bool) throws(MillstreamError) -> String {
        let clears = value % 7 == 0
        switch kind {
        case .list, .objectList:
            let element = kind == .list ? StateValue.bytes(Array("word \(value)".utf8)) : object(value)
            if value % 5 != 0 {
                var texts: [String] = []
                for index in 0..<(try state.listCount(1, row: row)) { texts.append(text(try state.listElement(1, row: row, index: index))) }
                if clears { try state.listClear(1, row: row) } else { try state.listAppend(1, row: row, element) }
                return texts.joined(separator: ",")
            }
            return "\(try state.listCount(1, row: row))"
        case .map, .objectMap:
            func key(_ number: Int64) -> StateValue { kind == .map ? .bytes(Array("key \(number % 5)".utf8)) : object(number % 5) }
            let known = text(try state.mapValue(1, row: row, key: key(value &+ 1)))
            if clears { try state.mapClear(1, row: row) } else if value % 3 == 0 { try state.mapRemove(1, row: row, key: key(value)) } else {
                try state.mapPut(1, row: row, key: key(value), value: kind == .map ? .int64(value) : object(value))
            }
            var texts = [known]
            for index in 0..<(try state.mapCount(1, row: row)) {
                let entry = try state.mapEntry(1, row: row, index: index)
                texts.append("\(text(entry?.key)): \(text(entry?.value))")
            }
            return texts.joined(separator: ",")
        default:
            let old = try state.value(1, row: row)
            let new: StateValue = switch kind {
            case .textValue: .bytes(Array(String(repeating: "text \(value)", count: Int(abs(value % 4))).utf8))
            case .objectValue: object(value)
            case .reducing: .double(Double(value) / 3)
            case .aggregating: .int64(value % 1_000)
            default: .int64(value)
            }
            if value % 4 != 0 || isTimer { try state.setValue(1, row: row, clears ? nil : new) }
            if !isTimer, kind == .eventTimers {
                try state.registerTimer(row: row, domain: .eventTime, at: value % 80)
                if value % 4 == 0 { try state.deleteTimer(row: row, domain: .eventTime, at: (value &+ 3) % 80) }
            }
            if !isTimer, kind == .processingTimers { try state.registerTimer(row: row, domain: .processingTime, at: 1_000_000 + abs(value % 40)) }
            return text(old)
        }
    }
}
