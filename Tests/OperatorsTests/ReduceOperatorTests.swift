import Columnar
import Dataflow
import Operators
import Plan
import Testing

/// Sums f1; the accumulator is the record.
private func summing(accumulatorTypes: [DataType] = [], isRunning: Bool = true) -> ScriptedFunction {
    ScriptedFunction(accumulatorTypes: accumulatorTypes) { (request) throws(MillstreamError) in
        guard request.integers == [isRunning ? 1 : 0], let slots = request.slots else { throw .internal("no slots") }
        var keys = int64s(request.accumulators[0])
        var sums = int64s(request.accumulators[1])
        var results: [Int64?] = []
        let values = int64s(request.columns[1])
        let rowKeys = int64s(request.columns[0])
        for row in 0..<request.count {
            let slot = Int(slots.pointer(as: Int32.self)[row])
            keys[slot] = rowKeys[row]
            sums[slot] = (sums[slot] ?? 0) + (values[row] ?? 0)
            results.append(sums[slot])
        }
        var response = HostResponse(accumulators: [try int64Column(keys), try int64Column(sums)])
        if isRunning { response.outputs = [HostResponse.Rows(columns: [request.columns[0], try int64Column(results)], count: request.count)] }
        if !accumulatorTypes.isEmpty { response.accumulators.append(response.accumulators[1]) }
        return response
    }
}

@Suite struct ReduceOperatorTests {
    @Test func runningValuesAgreeWithAModel() throws {
        let function = summing()
        let harness = try OperatorHarness(try makeNodeOperator(.reduce(BindingID(0), keys: [0]), columns: 2, function: function))
        let random = SeededRandom(seed: 5)
        var sums: [Int64: Int64] = [:]
        var expected: [[Scalar]] = []
        for step in 0..<40 {
            let count = step == 3 ? 0 : Int(random.next(below: 500))
            let keys = (0..<count).map { _ in Int64(random.next(below: 90)) }
            let values = (0..<count).map { _ in Int64(random.next(below: 1_000)) - 300 }
            var batch = try int64Batch([keys, values], timestamps: values)
            var chosen = Array(0..<count)
            if step % 3 == 1 {
                chosen = chosen.filter { $0 % 3 != 1 }
                batch = batch.selecting(Selection(chosen.map { Int32($0) }))
            } else if step % 3 == 2, count > 10 {
                batch = batch.slice(7, count - 9)
                chosen = Array(7..<count - 2)
            }
            for row in chosen {
                sums[keys[row], default: 0] += values[row]
                expected.append([.int64(keys[row]), .int64(sums[keys[row]] ?? 0), .int64(values[row])])
            }
            try harness.process(batch)
        }
        var rows: [[Scalar]] = []
        for batch in harness.batches {
            let timestamps = try #require(batch.timestamps)
            for (row, scalars) in try OperatorHarness.rows(batch).enumerated() { rows.append(scalars + [timestamps.scalar(at: row)]) }
        }
        #expect(rows == expected)
        try harness.operation.close()
        #expect(function.operations.first == .open && function.operations.last == .close)
    }

    /// With accumulators that are the results, the function is not asked for running ones; with others, its last results count.
    @Test(arguments: [true, false]) func inBatchModeGivesEachKeysLastValue(hasOwnAccumulators: Bool) throws {
        let function = summing(
            accumulatorTypes: hasOwnAccumulators ? [.bigInt, .bigInt, .bigInt] : [], isRunning: hasOwnAccumulators)
        let harness = try OperatorHarness(try makeNodeOperator(.reduce(BindingID(0), keys: [0]), columns: 2, function: function, isBatch: true))
        let random = SeededRandom(seed: 6)
        var sums: [Int64: Int64] = [:]
        var order: [Int64] = []
        for _ in 0..<30 {
            let keys = (0..<400).map { _ in Int64(random.next(below: 7_000)) }
            let values = (0..<400).map { _ in Int64(random.next(below: 1_000)) - 300 }
            for (key, value) in zip(keys, values) {
                if sums[key] == nil { order.append(key) }
                sums[key, default: 0] += value
            }
            try harness.process(try int64Batch([keys, values]))
        }
        #expect(harness.batches.isEmpty)
        harness.isFull = true
        try harness.watermark(.max)
        #expect(try harness.rows() == order.map { [.int64($0), .int64(sums[$0] ?? 0)] })
        #expect(harness.batchCountPerCallMax == 1)
        #expect(harness.batches.allSatisfy { $0.timestamps.map { int64s($0) }?.allSatisfy { $0 == .max } ?? false })
    }

    @Test func aNullKeyNamesItsRecord() throws {
        let harness = try OperatorHarness(try makeNodeOperator(.reduce(BindingID(0), keys: [0]), columns: 2, function: summing()))
        try harness.process(try int64Batch([[1, 2], [1, 1]]))
        let error = #expect(throws: MillstreamError.self) { try harness.process(try int64Batch([[1, nil], [1, 1]])) }
        #expect(error?.code == .key && error?.recordIndex == 3)
    }

    @Test func anAnswerOfTheWrongSizeIsRefused() throws {
        let function = ScriptedFunction { (_) throws(MillstreamError) in HostResponse() }
        let harness = try OperatorHarness(try makeNodeOperator(.reduce(BindingID(0), keys: [0]), columns: 2, function: function))
        #expect(throws: MillstreamError.self) { try harness.process(try int64Batch([[1], [1]])) }
    }
}
