import Columnar
import Dataflow
import Operators
import Plan
import State
import Testing

private func integer(_ value: StateValue?) -> Int64 { if case .int64(let number)? = value { number } else { 0 } }

private let counting = [StateDeclaration(name: "count", kind: .value, valueType: .bigInt)]
private let withRules = counting + [StateDeclaration(name: "rules", kind: .broadcast, valueType: .bigInt, keyType: .bigInt)]

private func connected(
    _ function: ScriptedFunction, first: [Int]?, second: [Int]?, states: [StateDeclaration] = counting
) throws -> OperatorHarness {
    let description = ProcessDescription(function: BindingID(0), keys: first, second: ProcessDescription.SecondInput(keys: second), states: states)
    return try OperatorHarness(try makeNodeOperator(.process(description), columns: 2, function: function))
}

/// Rows of two BIGINT columns, and the rows of the request that they came of.
private func answer(_ rows: [(Int64, Int64)], parents: [Int32]) throws(MillstreamError) -> HostResponse {
    let columns = [try int64Column(rows.map(\.0)), try int64Column(rows.map(\.1))]
    let column = Column(type: DataType.int.notNull, count: parents.count, values: Buffer.copying(parents))
    return HostResponse(outputs: [HostResponse.Rows(columns: columns, count: rows.count, parents: column)])
}

@Suite struct ConnectedProcessOperatorTests {
    /// The key is the first column of the first input, and the third of the second: both count into the state of their key.
    @Test func inputsShareKeysAndHaveSchemasOfTheirOwn() throws {
        var seen: [String] = []
        let function = ScriptedFunction { (request) throws(MillstreamError) in
            guard let state = request.state else { throw .internal("no state") }
            if request.operation == .process { seen.append("\(request.input): \(request.schema.fields.count) \(request.count)") }
            var rows: [(Int64, Int64)] = []
            for row in 0..<request.count {
                let key = int64s(request.keys[0])[row] ?? -1
                let count = integer(try state.value(0, row: row)) + (request.operation == .process ? (request.input == 0 ? 1 : 100) : 0)
                try state.setValue(0, row: row, .int64(count))
                if request.operation == .process { try state.registerTimer(row: row, domain: .eventTime, at: 50) }
                rows.append((key, count))
            }
            return try answer(rows, parents: (0..<request.count).map { Int32($0) })
        }
        let harness = try connected(function, first: [0], second: [2])
        try harness.process(try int64Batch([[1, 2, 1], [0, 0, 0]]))
        try harness.process(try int64Batch([[0, 0], [0, 0], [2, 3]], timestamps: [7, 8]), input: 1)
        try harness.process(try int64Batch([[3], [0]]))
        #expect(seen == ["0: 2 3", "1: 3 2", "0: 2 1"])
        #expect(try harness.rows() == [[1, 1], [2, 1], [1, 2], [2, 101], [3, 100], [3, 101]].map { $0.map { Scalar.int64($0) } })
        #expect(harness.batches[1].timestamps.map(int64s) == [7, 8])
        try harness.watermark(49)
        #expect(harness.batches.count == 3)
        try harness.watermark(50)
        #expect(try Array(harness.rows().dropFirst(6)) == [[1, 2], [2, 101], [3, 101]].map { $0.map { Scalar.int64($0) } })
    }

    /// An input counts its own records, also where the message names the key that is missing.
    @Test func recordsAreCountedPerInput() throws {
        let function = ScriptedFunction { (request) throws(MillstreamError) in
            if request.input == 1 { throw MillstreamError(.userFunction, "no", recordIndex: 1) }
            return HostResponse()
        }
        let harness = try connected(function, first: [0], second: [1])
        try harness.process(try int64Batch([[1, 2, 1], [0, 0, 0]]))
        let failure = #expect(throws: MillstreamError.self) { try harness.process(try int64Batch([[1, 2], [1, 1]]), input: 1) }
        #expect(failure?.recordIndex == 1)
        let missing = #expect(throws: MillstreamError.self) { try harness.process(try int64Batch([[1, nil], [1, 1]])) }
        #expect(missing?.code == .key)
        #expect(missing?.recordIndex == 4)
    }

    @Test func keysOfDifferentTypesAreRefused() throws {
        let harness = try connected(ScriptedFunction { _ throws(MillstreamError) in HostResponse() }, first: [0], second: [0])
        try harness.process(try int64Batch([[1], [0]]))
        let text = try ColumnBuilder.make(for: .string)
        try text.append(.bytes(Array("a".utf8)))
        let batch = Batch(schema: .scalar(.string), columns: [text.finish()], count: 1)
        let failure = #expect(throws: MillstreamError.self) { try harness.process(batch, input: 1) }
        #expect(failure?.code == .plan)
        #expect(failure?.message.contains("BIGINT and STRING") == true)
    }

    /// Processing-time timers are dropped when the last input has ended, not when the first one has.
    @Test func timersOutliveTheFirstEnd() throws {
        let function = ScriptedFunction { (request) throws(MillstreamError) in
            if request.operation == .process {
                for row in 0..<request.count { try request.state?.registerTimer(row: row, domain: .processingTime, at: Int64(10 * (row + 1))) }
                return HostResponse()
            }
            return try answer((int64s(request.timestamps ?? request.keys[0])).map { ($0 ?? 0, 0) }, parents: (0..<request.count).map { Int32($0) })
        }
        let harness = try connected(function, first: [0], second: [0])
        try harness.process(try int64Batch([[1, 2], [0, 0]]))
        try harness.end(input: 0)
        try harness.processingTime(11)
        #expect(try harness.rows() == [[Scalar.int64(10), Scalar.int64(0)]])
        try harness.end(input: 1)
        try harness.processingTime(100)
        #expect(try harness.rows().count == 1)
        #expect(harness.metrics.timersDropped.value == 1)
    }

    /// A broadcast input has the operator state and, by `selectKeys`, the states of all keys, which it can clear; it has no state of its own.
    @Test func broadcastInput() throws {
        var messages: [String] = []
        let function = ScriptedFunction { (request) throws(MillstreamError) in
            guard let state = request.state else { throw .internal("no state") }
            guard request.input == 1 else {
                for row in 0..<request.count {
                    try state.setValue(0, row: row, .int64(integer(try state.value(0, row: row)) + 1))
                    try state.registerTimer(row: row, domain: .eventTime, at: 1_000)
                }
                let rules = try state.mapCount(1, row: 0)
                return try answer((0..<request.count).map { ($0 == 0 ? Int64(rules) : -1, 0) }, parents: (0..<request.count).map { Int32($0) })
            }
            do throws(MillstreamError) { _ = try state.value(0, row: 0) } catch { messages.append(error.message) }
            do throws(MillstreamError) { try state.registerTimer(row: 0, domain: .eventTime, at: 1) } catch { messages.append(error.message) }
            let rule = int64s(request.columns[0])[0] ?? 0
            try state.mapPut(1, row: 0, key: .int64(rule), value: .int64(1))
            let selected = try state.selectKeys(0)
            #expect(selected.firstRow == request.count)
            var rows: [(Int64, Int64)] = []
            for place in 0..<selected.count {
                let row = selected.firstRow + place
                rows.append((int64s(selected.keys[0])[place] ?? 0, integer(try state.value(0, row: row))))
                if rule == 2 {
                    try state.setValue(0, row: row, nil)
                    try state.deleteTimer(row: row, domain: .eventTime, at: 1_000)
                }
            }
            return try answer(rows, parents: rows.map { _ in 0 })
        }
        let harness = try connected(function, first: [0], second: nil, states: withRules)
        func broadcast(_ rule: Int64) throws { try harness.process(try int64Batch([[rule, rule], [0, 0]]), input: 1) }
        func expect(_ rows: [[Int64]], _ comment: Comment) throws {
            #expect(try harness.rows() == rows.map { $0.map { Scalar.int64($0) } }, comment)
        }
        try broadcast(1)
        #expect(messages == ["state and timers need a keyed stream", "state and timers need a keyed stream"])
        try expect([], "no keys yet")
        try harness.process(try int64Batch([[7, 8, 7], [0, 0, 0]]))
        try broadcast(3)
        #expect(messages.last?.contains("no key") == true)
        let before: [[Int64]] = [[1, 0], [-1, 0], [-1, 0], [7, 2], [8, 1]]
        try expect(before, "all keys")
        try broadcast(2)
        try broadcast(1)
        try expect(before + [[7, 2], [8, 1]], "the keys were cleared")
        try harness.watermark(2_000)
        #expect(function.operations.filter { $0 == HostOperation.timers }.isEmpty, "and so were their timers")
    }

    /// A stream without keys has operator state, but nothing per key.
    @Test func operatorStateWithoutKeys() throws {
        let states = [
            StateDeclaration(name: "list", kind: .operatorList, valueType: .bigInt), StateDeclaration(name: "union", kind: .unionList, valueType: .bigInt),
        ]
        var failure: MillstreamError?
        let function = ScriptedFunction { (request) throws(MillstreamError) in
            guard let state = request.state else { throw .internal("no state") }
            for row in 0..<request.count { try state.listAppend(request.input, row: row, .int64(int64s(request.columns[0])[row] ?? 0)) }
            do throws(MillstreamError) { _ = try state.selectKeys(0) } catch { failure = error }
            return try answer([(Int64(try state.listCount(0, row: 0)), Int64(try state.listCount(1, row: 0)))], parents: [0])
        }
        let harness = try connected(function, first: nil, second: nil, states: states)
        try harness.process(try int64Batch([[1, 2, 3], [0, 0, 0]]))
        try harness.process(try int64Batch([[4], [0]]), input: 1)
        #expect(try harness.rows() == [[3, 0], [3, 1]].map { $0.map { Scalar.int64($0) } })
        #expect(failure?.code == .invalidArgument)
    }
}
