import Columnar
import Dataflow
import Operators
import Plan
import State
import Testing

/// A row of a random input: key, number, timestamp.
private struct Row: Equatable {
    var input: Int
    var key: Int64
    var number: Int64
    var time: Int64
}

/// Batches of one input each, some without timestamps.
private func randomBatches(seed: UInt64, inputs: Int) throws -> (batches: [(input: Int, batch: Batch)], rows: [Row]) {
    let random = SeededRandom(seed: seed)
    var batches: [(input: Int, batch: Batch)] = []
    var rows: [Row] = []
    for _ in 0..<30 {
        let input = Int(random.next(below: UInt64(inputs)))
        let hasTime = random.next(below: 4) > 0
        let made = (0..<Int(random.next(below: 40))).map { _ in
            let time = random.next(below: 9) == 0 ? Int64.min : Int64(random.next(below: 30))
            rows.append(
                Row(input: input, key: Int64(random.next(below: 7)), number: Int64(rows.count), time: hasTime ? time : .min))
            return rows[rows.count - 1]
        }
        batches.append((input, try int64Batch([made.map(\.key), made.map(\.number)], timestamps: hasTime ? made.map(\.time) : nil)))
    }
    return (batches, rows)
}

/// Rows without a timestamp as they came, then the others by timestamp, the first input's before the second's.
private func expected(_ rows: [Row], key: Int64) -> [Int64] {
    let own = rows.filter { $0.key == key }
    // Those without a timestamp that come in a batch of others wait with these, and are first of them.
    return own.sorted { ($0.time, $0.time == .min ? 0 : $0.input, $0.number) < ($1.time, $1.time == .min ? 0 : $1.input, $1.number) }.map(\.number)
}

@Suite struct BatchInputOperatorTests {
    private func echo(_ seen: @escaping (HostRequest, [Int64], [Int64]) -> Void) -> ScriptedFunction {
        ScriptedFunction { (request) throws(MillstreamError) in
            if request.operation == .process {
                seen(request, int64s(request.columns[0]).compactMap { $0 }, int64s(request.columns[1]).compactMap { $0 })
            }
            return HostResponse()
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func rowsOfAKeyComeByTheirTimestamps(seed: UInt64) throws {
        var found: [Int64: [Int64]] = [:]
        let function = echo { _, keys, numbers in for (key, number) in zip(keys, numbers) { found[key, default: []].append(number) } }
        let description = ProcessDescription(function: BindingID(0), keys: [0])
        let harness = try OperatorHarness(try makeNodeOperator(.process(description), columns: 2, function: function, isBatch: true))
        harness.isFull = seed % 2 == 0
        let (batches, rows) = try randomBatches(seed: seed, inputs: 1)
        for (_, batch) in batches { try harness.process(batch) }
        try harness.watermark(.max)
        try harness.end()
        for key in 0..<Int64(7) {
            // Those of batches without timestamps go on at once; where a batch with timestamps has a row without, it is sorted among its like.
            let times = Dictionary(uniqueKeysWithValues: rows.map { ($0.number, $0.time) })
            let order = found[key] ?? []
            #expect(order.sorted() == expected(rows, key: key).sorted())
            let timed = order.filter { times[$0] != .min }
            #expect(timed == expected(rows, key: key).filter { times[$0] != .min })
            #expect(order.firstIndex { times[$0] != .min }.map { first in order[first...].allSatisfy { times[$0] != .min } } ?? true)
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func twoInputsAreMerged(seed: UInt64) throws {
        var found: [Int64: [(Int64, Int)]] = [:]
        let function = echo { request, keys, numbers in for (key, number) in zip(keys, numbers) { found[key, default: []].append((number, request.input)) } }
        let description = ProcessDescription(function: BindingID(0), keys: [0], second: ProcessDescription.SecondInput(keys: [0]))
        let harness = try OperatorHarness(try makeNodeOperator(.process(description), columns: 2, function: function, isBatch: true))
        let (batches, rows) = try randomBatches(seed: seed, inputs: 2)
        for (input, batch) in batches { try harness.process(batch, input: input) }
        try harness.end(input: 0)
        try harness.watermark(.max)
        try harness.end(input: 1)
        let times = Dictionary(uniqueKeysWithValues: rows.map { ($0.number, $0.time) })
        for key in 0..<Int64(7) {
            let order = found[key] ?? []
            #expect(order.map(\.0).sorted() == expected(rows, key: key).sorted())
            #expect(order.map(\.0).filter { times[$0] != .min } == expected(rows, key: key).filter { times[$0] != .min })
            #expect(order.allSatisfy { entry in rows[Int(entry.0)].input == entry.1 })
        }
    }

    @Test(arguments: [nil, [0]] as [[Int]?]) func theBroadcastInputComesFirst(keys: [Int]?) throws {
        var inputs: [Int] = []
        let function = echo { request, keys, _ in inputs += keys.map { _ in request.input } }
        let rules = StateDeclaration(name: "rules", kind: .broadcast, valueType: .bigInt, keyType: .bigInt)
        let description = ProcessDescription(function: BindingID(0), keys: keys, second: ProcessDescription.SecondInput(keys: nil), states: [rules])
        let harness = try OperatorHarness(try makeNodeOperator(.process(description), columns: 2, function: function, isBatch: true))
        try harness.process(try int64Batch([[1, 2], [1, 1]]), input: 0)
        try harness.process(try int64Batch([[7], [1]]), input: 1)
        try harness.process(try int64Batch([[3], [1]], timestamps: [5]), input: 0)
        try harness.process(try int64Batch([[7], [1]]), input: 1)
        #expect(inputs == [1, 1])
        try harness.end(input: 1)
        #expect(inputs == (keys == nil ? [1, 1, 0, 0, 0] : [1, 1, 0, 0]))
        try harness.process(try int64Batch([[4], [1]]), input: 0)
        #expect(inputs.suffix(2) == [0, 0])
        try harness.watermark(.max)
        try harness.end(input: 0)
        #expect(inputs == [1, 1, 0, 0, 0, 0])
    }

    /// The first input may end, and with it all watermarks, before the broadcast one has said that it has.
    @Test func theLastWatermarkEndsTheBroadcastInputToo() throws {
        var inputs: [Int] = []
        let function = echo { request, keys, _ in inputs += keys.map { _ in request.input } }
        let rules = StateDeclaration(name: "rules", kind: .broadcast, valueType: .bigInt, keyType: .bigInt)
        let description = ProcessDescription(function: BindingID(0), keys: [0], second: ProcessDescription.SecondInput(keys: nil), states: [rules])
        let harness = try OperatorHarness(try makeNodeOperator(.process(description), columns: 2, function: function, isBatch: true))
        try harness.process(try int64Batch([[1, 2], [1, 1]], timestamps: [4, 3]), input: 0)
        try harness.end(input: 0)
        try harness.process(try int64Batch([[7], [1]]), input: 1)
        try harness.watermark(.max)
        try harness.end(input: 1)
        #expect(inputs == [1, 0, 0])
    }

    @Test func processingTimeTimersFireAtTheEnd() throws {
        var fired: [Int64] = []
        let function = ScriptedFunction { (request) throws(MillstreamError) in
            guard let state = request.state else { throw .internal("no state") }
            if request.operation == .process {
                for row in 0..<request.count {
                    try state.registerTimer(row: row, domain: .processingTime, at: 10 + Int64(row))
                    try state.registerTimer(row: row, domain: .eventTime, at: 1_000 + Int64(row))
                }
            } else {
                fired += request.timestamps.map { int64s($0).compactMap { $0 } } ?? []
            }
            return HostResponse()
        }
        let harness = try OperatorHarness(
            try makeNodeOperator(.process(ProcessDescription(function: BindingID(0), keys: [0])), columns: 2, function: function, isBatch: true))
        try harness.process(try int64Batch([[1, 2, 3], [0, 0, 0]]))
        try harness.processingTime(5_000)
        #expect(fired.isEmpty)
        try harness.watermark(.max)
        try harness.end()
        #expect(fired == [1_000, 1_001, 1_002, 10, 11, 12])
        #expect(harness.metrics.timersDropped.value == 0)
    }
}
