import Columnar
import Dataflow
import Operators
import Plan
import TestColumns
import Testing

@Suite struct LookupJoinTests {
    static let left = Schema([Field("id", .bigInt), Field("f", .boolean)])
    static let output = Schema(left.fields + [Field("k", .bigInt), Field("s", .string), Field("g", .boolean)])

    /// Key k has k rows.
    private final class Multiples: LookupTable {
        var asked: [Int64] = []
        func lookup(_ keys: [Column], count: Int) throws(MillstreamError) -> LookupResult {
            let builders = [try ColumnBuilder.make(for: .bigInt), try ColumnBuilder.make(for: .string), try ColumnBuilder.make(for: .boolean)]
            var parents: [Int32] = []
            for row in 0..<count {
                guard case .int64(let key) = keys[0].scalar(at: row) else { throw .internal("a key is NULL") }
                asked.append(key)
                for number in 0..<max(0, key) {
                    try builders[0].append(.int64(key))
                    try builders[1].append(.string("row \(number)"))
                    try builders[2].append(.boolean(number == 1))
                    parents.append(Int32(row))
                }
            }
            return LookupResult(columns: builders.map { $0.finish() }, parents: parents)
        }
    }

    @Test(arguments: [JoinKind.inner, .left]) func rows(kind: JoinKind) throws {
        func texts(leftCondition: ScalarExpression? = nil, condition: ScalarExpression? = nil) throws -> ([String], [Int64]) {
            let table = Multiples()
            nonisolated(unsafe) let shared = table
            var bindings = Bindings()
            bindings.bind(7, lookup: { shared })
            let join = try TableHarness(
                .lookupJoin(
                    LookupJoinDescription(kind: kind, lookupKeys: [.column(0, .bigInt)], leftCondition: leftCondition, condition: condition, table: BindingID(7))),
                inputs: [Self.left], output: Self.output, isFull: true, bindings: bindings)
            try join.process([insert(2, .boolean(true)), insert(0, nil), insert(nil, .boolean(true)), Change(kind: 3, values: [1, .boolean(false)])])
            return (join.texts(), table.asked)
        }
        let missing = kind == .left ? ["+I[0, null, null, null, null]", "+I[null, true, null, null, null]"] : []
        let all = try texts()
        #expect(all.0 == ["+I[2, true, 2, row 0, false]", "+I[2, true, 2, row 1, true]"] + missing + ["-D[1, false, 1, row 0, false]"])
        #expect(all.1 == [2, 0, 1])
        let filtered = try texts(leftCondition: .column(1, .boolean), condition: .column(4, .boolean))
        #expect(filtered.0 == ["+I[2, true, 2, row 1, true]"] + missing + (kind == .left ? ["-D[1, false, null, null, null]"] : []))
        #expect(filtered.1 == [2])
    }

    /// Very many rows come out in pieces.
    @Test func manyRows() throws {
        var bindings = Bindings()
        bindings.bind(7, lookup: { Multiples() })
        let join = try TableHarness(
            .lookupJoin(LookupJoinDescription(kind: .inner, lookupKeys: [.column(0, .bigInt)], table: BindingID(7))), inputs: [Self.left], output: Self.output, isFull: true,
            bindings: bindings)
        try join.process([insert(10_000, nil)])
        #expect(join.batchCountMax <= 4096 && join.take().count == 10_000)
    }
}
