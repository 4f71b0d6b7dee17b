import Columnar
import Operators
import Plan
import Testing

@Suite struct FilterOperatorTests {
    let schema = Schema([Field("a", .bigInt)])

    @Test func keepsWhatIsTrueAndDropsFalseAndNull() throws {
        let values: [Int64?] = (0..<200).map { $0 % 5 == 4 ? nil : Int64($0 - 100) }
        let expected = values.compactMap { $0 }.filter { $0 % 3 == 0 }.map { [Scalar.int64($0)] }
        let batch = try Rows.batch(schema, [try Rows.bigInts(values)])
        for disguise in try Rows.disguises(batch) {
            let harness = try EventRecorder(
                .filter(.binary(.equal, .binary(.remainder, .name("a"), .literal(.integer(3, .bigInt))), .literal(.integer(0, .bigInt)))),
                input: schema)
            try harness.process(disguise)
            #expect(harness.rows == expected)
        }
    }

    @Test(arguments: [true, false]) func constants(_ value: Bool) throws {
        let batch = try Rows.batch(schema, [try Rows.bigInts([1, nil])])
        let harness = try EventRecorder(.filter(.literal(.boolean(value))), input: schema)
        try harness.process(batch)
        #expect(harness.rows.count == (value ? 2 : 0))
    }

    @Test func nothingLeftEmitsNothing() throws {
        let harness = try EventRecorder(.filter(.unary(.isNull, .name("a"))), input: schema)
        try harness.process(try Rows.batch(schema, [try Rows.bigInts([1, 2])]))
        try harness.process(try Rows.batch(schema, [try Rows.bigInts([])]))
        #expect(harness.output.batches.isEmpty)
    }
}
