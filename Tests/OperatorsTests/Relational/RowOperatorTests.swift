import Columnar
import Dataflow
import Operators
import Plan
import TestColumns
import TestRows
import Testing

/// Operators of tables that look at each row alone, or at all of them: calc, grouping sets, UNNEST, ORDER BY.
@Suite struct RowOperatorTests {
    static let schema = Schema([Field("a", .bigInt), Field("f", .boolean), Field("s", .string)])

    /// Row kinds and timestamps stay with their rows.
    @Test func calc() throws {
        let output = Schema([Field("s", .string), Field("n", DataType.boolean.notNull)])
        let description = CalcDescription(
            condition: .column(1, .boolean), projections: [.column(2, .string), .call(.isNull, [.column(0, .bigInt)], DataType.boolean.notNull)])
        let calc = try OperatorHarness(try operation(.calc(description), [Self.schema], output))
        let batch = try tableBatch(
            Self.schema,
            [
                insert(1, .boolean(true), "a"), Change(kind: 1, values: [nil, .boolean(true), "b"]), Change(kind: 2, values: [nil, .boolean(false), "b"]), delete(4, nil, "d"),
                delete(5, .boolean(true), "e"),
            ], timestamps: [10, 20, 30, 40, 50])
        for disguise in try Rows.disguises(batch) { try calc.process(disguise) }
        for batch in calc.batches {
            let dense = try batch.compacted()
            #expect(try OperatorHarness.rows(dense) == [["a", .boolean(false)], ["b", .boolean(true)], ["e", .boolean(false)]])
            #expect(try (0..<3).map { try #require(dense.rowKinds).scalar(at: $0) } == [0, 1, 3])
            #expect(try (0..<3).map { try #require(dense.timestamps).scalar(at: $0) } == [10, 20, 50])
        }
        #expect(calc.batches.count == 4)
    }

    private func operation(_ table: TableOperation, _ inputs: [Schema], _ output: Schema) throws -> any Operator {
        try OperatorFactory.make(for: Node(id: NodeID(1), name: "op", inputs: [], operation: .table(table), output: output), inputs: inputs, bindings: Bindings())
    }

    @Test func groupingSets() throws {
        let output = Schema(Self.schema.fields + [Field("set", DataType.bigInt.notNull)])
        let expand = ExpandDescription(sets: [.init(nulls: [], id: 0), .init(nulls: [0], id: 1), .init(nulls: [0, 2], id: 3)])
        let operation = try TableHarness(.expand(expand), inputs: [Self.schema], output: output, isFull: true)
        try operation.process([insert(1, .boolean(true), "a"), Change(kind: 3, values: [2, nil, "b"])])
        #expect(
            operation.texts() == [
                "+I[1, true, a, 0]", "+I[null, true, a, 1]", "+I[null, true, null, 3]", "-D[2, null, b, 0]", "-D[null, null, b, 1]", "-D[null, null, null, 3]",
            ])
    }

    @Test func dropUpdateBefore() throws {
        let operation = try TableHarness(.dropUpdateBefore, inputs: [Self.schema], output: Self.schema)
        try operation.process([insert(1, nil, "a"), Change(kind: 1, values: [1, nil, "a"]), Change(kind: 2, values: [2, nil, "a"]), delete(2, nil, "a")])
        try operation.process([insert(3, nil, "b")])
        #expect(operation.texts() == ["+I[1, null, a]", "+U[2, null, a]", "-D[2, null, a]", "+I[3, null, b]"])
    }

    /// As Flink's records unnest_003, 005, 007 and 019; an element that is a NULL row counts, and does not come out.
    @Test func unnest() throws {
        let array = Schema([Field("id", .bigInt), Field("arr", DataType(.array(.bigInt)))])
        func texts(_ input: Schema, _ output: [Field], _ rows: [Change], isLeft: Bool, hasOrdinality: Bool = false, condition: ScalarExpression? = nil) throws -> [String] {
            let description = UnnestDescription(
                collection: .column(1, input.fields[1].type), isLeft: isLeft, hasOrdinality: hasOrdinality, condition: condition)
            let fields = input.fields + output + (hasOrdinality ? [Field("n", .int)] : [])
            let operation = try TableHarness(.unnest(description), inputs: [input], output: Schema(fields), isFull: true)
            try operation.process(rows)
            return operation.take().map { change in Change(kind: change.kind, values: [change.values[0]] + change.values.dropFirst(2)).description }
        }
        let rows: [Change] = [
            insert(1, .list([1, 2, 3])), insert(2, .list([])), insert(3, nil), Change(kind: 3, values: [4, .list([nil, 5, nil])]), insert(6, .list([10])),
        ]
        let element = [Field("e", .bigInt)]
        #expect(try texts(array, element, rows, isLeft: false) == ["+I[1, 1]", "+I[1, 2]", "+I[1, 3]", "-D[4, null]", "-D[4, 5]", "-D[4, null]", "+I[6, 10]"])
        #expect(
            try texts(array, element, rows, isLeft: true, hasOrdinality: true) == [
                "+I[1, 1, 1]", "+I[1, 2, 2]", "+I[1, 3, 3]", "+I[2, null, null]", "+I[3, null, null]", "-D[4, null, 1]", "-D[4, 5, 2]", "-D[4, null, 3]", "+I[6, 10, 1]",
            ])
        let isThere = ScalarExpression.call(.isNotNull, [.column(2, .bigInt)], DataType.boolean.notNull)
        #expect(
            try texts(array, element, rows, isLeft: true, condition: isThere) == ["+I[1, 1]", "+I[1, 2]", "+I[1, 3]", "+I[2, null]", "+I[3, null]", "-D[4, 5]", "+I[6, 10]"])
        let map = Schema([Field("id", .bigInt), Field("m", DataType(.map(key: DataType.string.notNull, value: .bigInt)))])
        #expect(
            try texts(map, [Field("k", .string), Field("v", .bigInt)], [insert(1, .map(keys: ["x", "y"], values: [1, nil])), insert(2, nil)], isLeft: true) == [
                "+I[1, x, 1]", "+I[1, y, null]", "+I[2, null, null]",
            ])
        let rowType = DataType(.row([Field("k", .string), Field("v", .bigInt)]))
        let nested = Schema([Field("id", .bigInt), Field("r", DataType(.array(rowType)))])
        #expect(
            try texts(
                nested, [Field("k", .string), Field("v", .bigInt)], [insert(1, .list([.row(["a", 1]), .row(["b", nil])])), insert(4, .list([nil, .row([nil, 9])]))], isLeft: false,
                hasOrdinality: true) == ["+I[1, a, 1, 1]", "+I[1, b, null, 2]", "+I[4, null, 9, 2]"])
        let multiset = Schema([Field("id", .bigInt), Field("m", DataType(.multiset(.string)))])
        #expect(try texts(multiset, [Field("e", .string)], [insert(1, .map(keys: ["x", "y"], values: [2, 1]))], isLeft: false) == ["+I[1, x]", "+I[1, x]", "+I[1, y]"])
    }

    static let timed = Schema([Field("t", DataType(.timestamp(3))), Field("v", .bigInt)])

    /// By event time: rows come out as the watermark passes them; those behind others that have come out are dropped.
    @Test func sortByTime() throws {
        let sort = SortDescription(order: [Plan.SortKey(0), Plan.SortKey(1, isDescending: true)], timeColumn: 0)
        let operation = try TableHarness(.sort(sort), inputs: [Self.timed], output: Self.timed, isFull: true)
        try operation.process([insert(5, 1), insert(3, 2), insert(5, 7), insert(9, 1), insert(3, nil)])
        try operation.watermark(2)
        #expect(operation.texts() == [])
        try operation.watermark(6)
        #expect(operation.texts() == ["+I[3, 2]", "+I[3, null]", "+I[5, 7]", "+I[5, 1]"])
        let again = try TableHarness(.sort(sort), inputs: [Self.timed], output: Self.timed, from: try operation.snapshot())
        try again.process([insert(5, 9), insert(6, 9), insert(8, 0)])
        #expect(again.lateRecordsDropped == 1)
        try again.watermark(.max)
        #expect(again.texts() == ["+I[6, 9]", "+I[8, 0]", "+I[9, 1]"])
    }

    /// All rows at the end: as Flink's record sort_006 orders NULLs.
    @Test func sortAtTheEnd() throws {
        let sort = SortDescription(order: [Plan.SortKey(0, isDescending: true, nullsFirst: true), Plan.SortKey(1, nullsFirst: false)])
        let operation = try TableHarness(.sort(sort), inputs: [Self.timed], output: Self.timed, isBatch: true)
        try operation.process([insert(1, 1), insert(nil, 2), insert(2, nil)])
        try operation.process([insert(2, 4), insert(nil, 1)])
        #expect(operation.texts() == [])
        try operation.watermark(.max)
        #expect(operation.texts() == ["+I[null, 1]", "+I[null, 2]", "+I[2, 4]", "+I[2, null]", "+I[1, 1]"])
    }
}
