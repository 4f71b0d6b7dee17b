import Columnar
import Dataflow
import Operators
import Plan
import Testing

@Suite struct TransformOperatorTests {
    let schema = Schema([Field("a", .bigInt)])

    /// Emits each value as often as it says, `chunk` rows per crossing; parents are the rows of the request.
    private func repeater(chunk: Int) -> FakeHostFunction {
        FakeHostFunction { (request) throws(MillstreamError) in
            let values = request.columns[0].pointer(as: Int64.self)
            var parents: [Int32] = []
            for row in 0..<request.count { parents += [Int32](repeating: Int32(row), count: Int(values[row])) }
            let start = Int(request.resumption)
            let taken = Array(parents[start..<min(parents.count, start + chunk)])
            let column = try taken.withUnsafeBufferPointer { (list) throws(MillstreamError) in
                guard let base = list.baseAddress else { return request.columns[0].slice(0, 0) }
                return try request.columns[0].taking(base, count: list.count)
            }
            let origin = Column(type: .int, count: taken.count, values: Buffer.copying(taken))
            let rows = HostResponse.Rows(columns: [column], count: taken.count, parents: origin)
            return HostResponse(outputs: [rows], resumption: start + chunk < parents.count ? Int64(start + chunk) : 0)
        }
    }

    @Test(arguments: [1, 2, 100], [true, false]) func rowsInheritFromTheirParents(_ chunk: Int, _ isFull: Bool) throws {
        let batch = try Rows.batch(schema, [try Rows.bigInts([2, 0, 3])], timestamps: [10, 20, 30])
        for disguise in try Rows.disguises(batch) {
            var bindings = Bindings()
            bindings.bind(7, function: repeater(chunk: chunk))
            let harness = try EventRecorder(.transform(BindingID(7)), input: schema, bindings: bindings)
            harness.output.isFull = isFull
            try harness.process(disguise)
            let expected: [(Int64, Int64)] = [(2, 10), (2, 10), (3, 30), (3, 30), (3, 30)]
            #expect(harness.events == expected.map { .row(values: [.int64($0.0)], timestamp: $0.1, kind: 0) })
        }
    }

    @Test func anErrorHasThePlaceInTheWholeInput() throws {
        let function = FakeHostFunction { (request) throws(MillstreamError) in
            if request.count == 2 { throw MillstreamError(.userFunction, "no", recordIndex: 1) }
            return HostResponse(outputs: [HostResponse.Rows(columns: request.columns, count: request.count)])
        }
        var bindings = Bindings()
        bindings.bind(0, function: function)
        let harness = try EventRecorder(.transform(BindingID(0)), input: schema, bindings: bindings)
        try harness.process(try Rows.batch(schema, [try Rows.bigInts([1, 2, 3])]))
        let bad = try Rows.batch(schema, [try Rows.bigInts([1, 2])])
        let error = #expect(throws: MillstreamError.self) { try harness.process(bad) }
        #expect(error?.recordIndex == 4)
        try harness.op.close()
        #expect(function.operations.first == .open)
        #expect(function.operations.last == .close)
    }

    @Test func emptyBatchesDoNotCross() throws {
        let function = repeater(chunk: 1)
        var bindings = Bindings()
        bindings.bind(0, function: function)
        let harness = try EventRecorder(.transform(BindingID(0)), input: schema, bindings: bindings)
        try harness.process(try Rows.batch(schema, [try Rows.bigInts([])]))
        #expect(function.operations == [.open])
    }
}
