import Columnar
import Expressions
import Plan
import TestRows
import Testing

@Suite struct LogicTests {
    private static let values: [Bool?] = [true, false, nil]

    private func scalar(_ value: Bool?) -> Scalar { value.map { .boolean($0) } ?? .null }

    /// All nine pairs, 30 times over, so that the words of the kernels are crossed.
    @Test func threeValuedTables() throws {
        let schema = Schema([Field("a", .boolean), Field("b", .boolean)])
        var pairs: [(Bool?, Bool?)] = []
        for _ in 0..<30 { for left in Self.values { for right in Self.values { pairs.append((left, right)) } } }
        let batch = try Rows.batch(
            schema, [try Rows.column(.boolean, pairs.map { scalar($0.0) }), try Rows.column(.boolean, pairs.map { scalar($0.1) })])
        let and = try Expression.binary(.and, .name("a"), .name("b")).bind(to: schema)
        let or = try Expression.binary(.or, .name("a"), .name("b")).bind(to: schema)
        let not = try Expression.unary(.not, .name("a")).bind(to: schema)
        for disguise in try Rows.disguises(batch) {
            var evaluator = ExpressionEvaluator(disguise)
            let (ands, ors, nots) = (try evaluator.column(and), try evaluator.column(or), try evaluator.column(not))
            for (row, pair) in pairs.enumerated() {
                let (a, b) = pair
                let expectedAnd: Bool? = a == false || b == false ? false : a == nil || b == nil ? nil : true
                let expectedOr: Bool? = a == true || b == true ? true : a == nil || b == nil ? nil : false
                #expect(ands.scalar(at: row) == scalar(expectedAnd))
                #expect(ors.scalar(at: row) == scalar(expectedOr))
                #expect(nots.scalar(at: row) == scalar(a.map { !$0 }))
            }
        }
    }

    @Test func nullConstants() throws {
        let schema = Schema([Field("a", .boolean)])
        let batch = try Rows.batch(schema, [try Rows.column(.boolean, [.boolean(true), .boolean(false), .null])])
        let null = Expression.literal(.null(.boolean))
        var evaluator = ExpressionEvaluator(batch)
        let or = try evaluator.column(try Expression.binary(.or, null, .name("a")).bind(to: schema))
        #expect((0..<3).map { or.scalar(at: $0) } == [.boolean(true), .null, .null])
        let and = try evaluator.column(try Expression.binary(.and, .name("a"), null).bind(to: schema))
        #expect((0..<3).map { and.scalar(at: $0) } == [.null, .boolean(false), .null])
        let isNull = try evaluator.column(try Expression.unary(.isNull, .name("a")).bind(to: schema))
        #expect((0..<3).map { isNull.scalar(at: $0) } == [.boolean(false), .boolean(false), .boolean(true)])
    }

    @Test func textComparesByBytes() throws {
        let schema = Schema([Field("a", .string), Field("b", .string)])
        let pairs = [
            ("A", "a"), ("z", "ä"), ("a", "a "), ("a long text of more than twelve bytes", "a long text of more than twelve bytez"), ("", ""),
        ]
        let batch = try Rows.batch(
            schema, [try Rows.column(.string, pairs.map { .string($0.0) }), try Rows.column(.string, pairs.map { .string($0.1) })])
        for disguise in try Rows.disguises(batch) {
            var evaluator = ExpressionEvaluator(disguise)
            let less = try evaluator.column(try Expression.binary(.less, .name("a"), .name("b")).bind(to: schema))
            #expect((0..<5).map { less.scalar(at: $0) } == [true, true, true, true, false].map { .boolean($0) })
        }
    }

    @Test func nanEqualsItself() throws {
        let schema = Schema([Field("v", .double)])
        let batch = try Rows.batch(schema, [try Rows.column(.double, [.double(.nan), .double(2)])])
        func test(_ operation: BinaryOperation, _ right: Expression) throws -> [Scalar] {
            var evaluator = ExpressionEvaluator(batch)
            let column = try evaluator.column(try Expression.binary(operation, .name("v"), right).bind(to: schema))
            return (0..<2).map { column.scalar(at: $0) }
        }
        #expect(try test(.equal, .name("v")) == [.boolean(true), .boolean(true)])
        #expect(try test(.greater, .literal(.double(1))) == [.boolean(false), .boolean(true)])
        #expect(try test(.less, .literal(.double(1))) == [.boolean(false), .boolean(false)])
    }
}
