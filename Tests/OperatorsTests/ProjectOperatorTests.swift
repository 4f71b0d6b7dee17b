import Columnar
import Operators
import Plan
import Testing

@Suite struct ProjectOperatorTests {
    let schema = Schema([Field("a", .bigInt), Field("b", .bigInt)])

    @Test func computesOverSlicesAndSelections() throws {
        let batch = try Rows.batch(schema, [try Rows.bigInts([1, nil, 3, 4]), try Rows.bigInts([10, 20, nil, 40])], timestamps: [5, 6, 7, 8])
        for disguise in try Rows.disguises(batch) {
            let harness = try EventRecorder(
                .project([.binary(.add, .name("a"), .name("b")), .name("a")]), input: schema,
                output: Schema([Field("sum", .bigInt), Field("a", .bigInt)]))
            try harness.process(disguise)
            #expect(
                harness.events == [
                    .row(values: [.int64(11), .int64(1)], timestamp: 5, kind: 0), .row(values: [.null, .null], timestamp: 6, kind: 0),
                    .row(values: [.null, .int64(3)], timestamp: 7, kind: 0), .row(values: [.int64(44), .int64(4)], timestamp: 8, kind: 0),
                ])
        }
    }

    @Test func columnsAloneAreShared() throws {
        let batch = try Rows.batch(schema, [try Rows.bigInts([1, 2]), try Rows.bigInts([3, 4])])
        let harness = try EventRecorder(.project([.column(1), .column(0)]), input: schema)
        try harness.process(batch.selecting(Selection([1])))
        #expect(harness.rows == [[.int64(4), .int64(2)]])
        #expect(harness.output.batches[0].columns[1] === batch.columns[0])
    }

    @Test func emptyBatch() throws {
        let harness = try EventRecorder(.project([.binary(.divide, .column(0), .column(1))]), input: schema, output: Schema([Field("x", .bigInt)]))
        try harness.process(try Rows.batch(schema, [try Rows.bigInts([]), try Rows.bigInts([])]))
        #expect(harness.output.batches.isEmpty)
    }

    @Test func errorsCountTheRecordsOfAllBatches() throws {
        let harness = try EventRecorder(.project([.binary(.divide, .column(0), .column(1))]), input: schema, output: Schema([Field("x", .bigInt)]))
        try harness.process(try Rows.batch(schema, [try Rows.bigInts([1, 2, 3]), try Rows.bigInts([1, 2, 3])]))
        let bad = try Rows.batch(schema, [try Rows.bigInts([1, 2, 3]), try Rows.bigInts([0, 1, 0])])
        let error = #expect(throws: MillstreamError.self) { try harness.process(bad.selecting(Selection([1, 2]))) }
        #expect(error?.code == .arithmetic)
        #expect(error?.recordIndex == 4)
    }

    @Test func unknownNamesHaveTheNearest() throws {
        let wide = Schema([Field("carrier", .string), Field("delay", .bigInt)])
        let error = #expect(throws: MillstreamError.self) { try Expression.name("carier").bind(to: wide) }
        #expect(error?.code == .plan)
        #expect(error?.hint == "Did you mean 'carrier'?")
    }
}
