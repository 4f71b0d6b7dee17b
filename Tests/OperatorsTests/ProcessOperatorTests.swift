import Columnar
import Dataflow
import Operators
import Plan
import Testing

private let counting = [StateDeclaration(name: "count", kind: .value, valueType: .bigInt)]

private func integer(_ value: StateValue?) -> Int64 { if case .int64(let number)? = value { number } else { 0 } }

private func keyedProcess(_ function: ScriptedFunction, side: [SideOutput] = []) throws -> OperatorHarness {
    let description = ProcessDescription(function: BindingID(0), keys: [0], states: counting)
    return try OperatorHarness(try makeNodeOperator(.process(description), columns: 2, function: function, sideOutputs: side))
}

/// Emits (key, the timer's time) for a timer.
private func fired(_ request: HostRequest) throws(MillstreamError) -> HostResponse.Rows {
    guard let timestamps = request.timestamps else { throw .internal("no timestamps") }
    let parents = Column(type: DataType.int.notNull, count: request.count, values: Buffer.copying((0..<request.count).map { Int32($0) }))
    return HostResponse.Rows(columns: [request.keys[0], try int64Column(int64s(timestamps))], count: request.count, parents: parents)
}

@Suite struct ProcessOperatorTests {
    /// Counts per key; every record sets a timer at its value, and odd counts go to the side.
    @Test func stateTimersAndSideOutputs() throws {
        let function = ScriptedFunction { (request) throws(MillstreamError) in
            guard request.operation == .process else { return HostResponse(outputs: [try fired(request)]) }
            guard let state = request.state else { throw .internal("no state") }
            let times = int64s(request.columns[1])
            var counts: [Int64?] = []
            for row in 0..<request.count {
                let count = integer(try state.value(0, row: row)) + 1
                try state.setValue(0, row: row, .int64(count))
                try state.registerTimer(row: row, domain: .eventTime, at: times[row] ?? 0)
                counts.append(count)
            }
            let odd = (0..<request.count).filter { (counts[$0] ?? 0) % 2 == 1 }.map { Int32($0) }
            let columns = [request.keys[0], try int64Column(counts)]
            let selection = Selection(odd)
            var sideColumns: [Column] = []
            for column in columns { sideColumns.append(try column.taking(selection)) }
            let parents = Column(type: DataType.int.notNull, count: odd.count, values: Buffer.copying(odd))
            return HostResponse(outputs: [
                HostResponse.Rows(columns: columns, count: request.count),
                HostResponse.Rows(sideOutput: SideOutputID("odd"), columns: sideColumns, count: odd.count, parents: parents),
            ])
        }
        let schema = Schema([Field("k", .bigInt), Field("n", .bigInt)])
        let harness = try keyedProcess(function, side: [SideOutput(name: "odd", schema: schema)])
        try harness.process(try int64Batch([[1, 2, 1], [30, 20, 10]], timestamps: [100, 200, 300]))
        try harness.process(try int64Batch([[], []]))
        try harness.process(try int64Batch([[9, 1], [0, 10]], timestamps: [0, 400]).selecting(Selection([1])))
        #expect(try harness.rows() == [[1, 1], [2, 1], [1, 2], [1, 3]].map { $0.map { .int64($0) } })
        #expect(harness.sideBatches.map(\.tag) == ["odd", "odd"])
        #expect(harness.sideBatches[0].batch.timestamps.map(int64s) == [100, 200])
        try harness.watermark(19)
        #expect(harness.batches.last?.timestamps.map(int64s) == [10])
        try harness.watermark(19)
        try harness.watermark(.max)
        // The timer at 10 was registered twice and fires once.
        #expect(try Array(harness.rows().dropFirst(4)) == [[1, 10], [2, 20], [1, 30]].map { $0.map { .int64($0) } })
    }

    /// A timer that a timer registers, already due, comes before the key's later ones; and at the end of input too.
    @Test func timersRegisteredWhileFiring() throws {
        let function = ScriptedFunction { (request) throws(MillstreamError) in
            guard let state = request.state else { throw .internal("no state") }
            if request.operation == .process {
                for row in 0..<request.count {
                    try state.registerTimer(row: row, domain: .eventTime, at: 10)
                    try state.registerTimer(row: row, domain: .eventTime, at: 20)
                    try state.registerTimer(row: row, domain: .eventTime, at: 40)
                }
                return HostResponse()
            }
            let times = request.timestamps.map(int64s) ?? []
            for (row, time) in times.enumerated() where time == 10 {
                try state.registerTimer(row: row, domain: .eventTime, at: 15)
                try state.registerTimer(row: row, domain: .eventTime, at: -5)
                try state.deleteTimer(row: row, domain: .eventTime, at: 40)
            }
            return HostResponse(outputs: [try fired(request)])
        }
        let harness = try keyedProcess(function)
        try harness.process(try int64Batch([[1], [0]]))
        harness.isFull = true
        try harness.watermark(.max)
        #expect(try harness.rows().map { $0[1] } == [10, -5, 15, 20].map { .int64($0) })
    }

    @Test func processingTimersFireAfterTheirMillisecond() throws {
        let function = ScriptedFunction { (request) throws(MillstreamError) in
            if request.operation == .timers { return HostResponse(outputs: [try fired(request)]) }
            let times = int64s(request.columns[1])
            for row in 0..<request.count { try request.state?.registerTimer(row: row, domain: .processingTime, at: times[row] ?? 0) }
            return HostResponse()
        }
        let harness = try keyedProcess(function)
        try harness.process(try int64Batch([[1, 2, 3], [70, 50, 90]]))
        #expect(harness.wakeUp == 50)
        harness.wakeUp = nil
        try harness.processingTime(50)
        #expect(harness.batches.isEmpty && harness.wakeUp == 50)
        harness.wakeUp = nil
        try harness.processingTime(71)
        #expect(try harness.rows() == [[2, 50], [1, 70]].map { $0.map { .int64($0) } })
        #expect(harness.batches.allSatisfy { $0.timestamps == nil } && harness.wakeUp == 90)
        try harness.end()
        #expect(harness.metrics.timersDropped.value == 1)
    }

    @Test func aResumptionGoesOnWhereTheHostStopped() throws {
        let function = ScriptedFunction { (request) throws(MillstreamError) in
            let value = request.resumption
            var response = HostResponse(outputs: [
                HostResponse.Rows(
                    columns: [try int64Column([request.resumption]), request.columns[0].slice(0, 1)], count: 1,
                    parents: Column(type: DataType.int.notNull, count: 1, values: Buffer.copying([Int32(0)])))
            ])
            // The state of the request stays.
            let count = integer(try request.state?.value(0, row: 0)) + 1
            try request.state?.setValue(0, row: 0, .int64(count))
            guard count == value + 1 else { throw .internal("the state was lost") }
            response.resumption = value == 4 ? 0 : value + 1
            return response
        }
        let harness = try keyedProcess(function)
        harness.isFull = true
        #expect(try harness.operation.process(try int64Batch([[8], [8]]), input: 0, output: harness) == .more)
        #expect(harness.batches.count == 1)
        while try harness.operation.resume(output: harness) == .more {}
        #expect(try harness.rows() == (0..<5).map { [.int64($0), .int64(8)] })
    }

    @Test func withoutKeysThereIsTheTimeAlone() throws {
        let function = ScriptedFunction { (request) throws(MillstreamError) in
            let watermark = request.state?.currentWatermark.milliseconds ?? 0
            let columns = [request.columns[0], try int64Column(Array(repeating: watermark, count: request.count))]
            if watermark == 5 { try request.state?.setValue(0, row: 0, nil) }
            return HostResponse(outputs: [HostResponse.Rows(columns: columns, count: request.count)])
        }
        let description = ProcessDescription(function: BindingID(0), keys: nil)
        let harness = try OperatorHarness(try makeNodeOperator(.process(description), columns: 2, function: function))
        try harness.watermark(3)
        try harness.process(try int64Batch([[1, 2], [0, 0]]))
        #expect(try harness.rows() == [[1, 3], [2, 3]].map { $0.map { .int64($0) } })
        try harness.watermark(5)
        let error = #expect(throws: MillstreamError.self) { try harness.process(try int64Batch([[1], [0]])) }
        #expect(error?.code == .invalidState)
    }
}
