import Columnar
import Expressions
import Plan
import TestRows
import Testing

@Suite struct ArithmeticTests {
    private func compute(_ expression: Expression, _ fields: [(String, DataType, [Scalar])]) throws -> (DataType, [Scalar]) {
        let schema = Schema(fields.map { Field($0.0, $0.1) })
        let batch = try Rows.batch(schema, try fields.map { try Rows.column($0.1, $0.2) })
        let bound = try expression.bind(to: schema)
        var results: [[Scalar]] = []
        for disguise in try Rows.disguises(batch) {
            var evaluator = ExpressionEvaluator(disguise)
            let column = try evaluator.column(bound)
            #expect(column.count == batch.count)
            results.append((0..<column.count).map { column.scalar(at: $0) })
        }
        for other in results.dropFirst() { #expect(other == results[0]) }
        return (bound.type, results[0])
    }

    private func binary(_ operation: BinaryOperation) -> Expression { .binary(operation, .name("a"), .name("b")) }

    @Test func integersWrap() throws {
        let (type, sums) = try compute(binary(.add), [("a", .int, [.int64(2_147_483_647)]), ("b", .int, [.int64(1)])])
        #expect(type.kind == .int)
        #expect(sums == [.int64(-2_147_483_648)])
        let least = Scalar.int64(.min)
        #expect(try compute(binary(.divide), [("a", .bigInt, [least]), ("b", .bigInt, [.int64(-1)])]).1 == [least])
        #expect(try compute(binary(.remainder), [("a", .bigInt, [least]), ("b", .bigInt, [.int64(-1)])]).1 == [.int64(0)])
        #expect(try compute(.unary(.absolute, .name("a")), [("a", .bigInt, [least])]).1 == [least])
        #expect(try compute(.unary(.negate, .name("a")), [("a", .tinyInt, [.int64(-128)])]).1 == [.int64(-128)])
    }

    @Test func divisionTruncatesAndTheRemainderHasTheDividendsSign() throws {
        let fields: [(String, DataType, [Scalar])] = [
            ("a", .int, [.int64(7), .int64(-7), .int64(-7), .null]), ("b", .int, [.int64(2), .int64(2), .int64(-2), .int64(0)]),
        ]
        #expect(try compute(binary(.divide), fields).1 == [.int64(3), .int64(-3), .int64(3), .null])
        #expect(try compute(binary(.remainder), fields).1 == [.int64(1), .int64(-1), .int64(-1), .null])
    }

    /// A constant divisor takes another way than a column of divisors.
    @Test func divisionByConstants() throws {
        var values: [Int64] = [.min, .min + 1, -1, 0, 1, .max, .max - 1]
        for shift in 0..<63 { values += [1 << shift, 1 << shift - 1, -(1 << shift), -(1 << shift) - 1] }
        let numbers = values.map { Scalar.int64($0) }
        for divisor in values where divisor != 0 {
            let fields: [(String, DataType, [Scalar])] = [("a", .bigInt, numbers), ("b", .bigInt, numbers.map { _ in .int64(divisor) })]
            for operation in [BinaryOperation.divide, .remainder] {
                let constant = Expression.binary(operation, .name("a"), .literal(.integer(divisor, .bigInt)))
                #expect(try compute(constant, fields).1 == compute(binary(operation), fields).1, "by \(divisor)")
            }
        }
    }

    @Test func mixedIntegersWiden() throws {
        let (type, values) = try compute(binary(.multiply), [("a", .tinyInt, [.int64(100)]), ("b", .smallInt, [.int64(100)])])
        #expect(type.kind == .smallInt)
        #expect(values == [.int64(10_000)])
        #expect(try compute(binary(.add), [("a", .bigInt, [.int64(1)]), ("b", .double, [.double(0.5)])]).1 == [.double(1.5)])
    }

    @Test func doublesDivideByZero() throws {
        let values = try compute(binary(.divide), [("a", .double, [.double(1), .double(-1)]), ("b", .double, [.double(0), .double(0)])]).1
        #expect(values == [.double(.infinity), .double(-.infinity)])
    }

    @Test func decimalTypesAndRounding() throws {
        let price = DataType(.decimal(precision: 38, scale: 10))
        #expect(try compute(binary(.multiply), [("a", price, []), ("b", price, [])]).0.kind == .decimal(precision: 38, scale: 6))
        #expect(try compute(binary(.add), [("a", price, []), ("b", price, [])]).0.kind == .decimal(precision: 38, scale: 9))
        let tenth = DataType(.decimal(precision: 2, scale: 1))
        let (type, third) = try compute(binary(.divide), [("a", tenth, [.decimal(10), .decimal(-20)]), ("b", tenth, [.decimal(30), .decimal(30)])])
        #expect(type.kind == .decimal(precision: 8, scale: 6))
        #expect(third == [.decimal(333_333), .decimal(-666_667)])
    }

    @Test func decimalOverflowIsNull() throws {
        let wide = DataType(.decimal(precision: 38, scale: 0))
        let largest = Int128(99_999_999_999_999_999_999_999_999_999_999_999_999)
        #expect(try compute(binary(.add), [("a", wide, [.decimal(largest)]), ("b", wide, [.decimal(1)])]).1 == [.null])
        #expect(try compute(binary(.multiply), [("a", wide, [.decimal(largest)]), ("b", wide, [.decimal(largest)])]).1 == [.null])
    }

    /// Every decimal operation against exact arithmetic on small values.
    @Test func decimalsAgreeWithExactArithmetic() throws {
        let left = DataType(.decimal(precision: 9, scale: 3))
        let right = DataType(.decimal(precision: 7, scale: 1))
        var one: [Scalar] = []
        var other: [Scalar] = []
        var products: [Scalar] = []
        var sums: [Scalar] = []
        var state: UInt64 = 42
        for _ in 0..<2_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let a = Int128(Int64(state >> 40) - 8_000_000)
            let b = Int128(Int64(state >> 20 & 0xFFFFF) - 500_000)
            one.append(.decimal(a))
            other.append(.decimal(b))
            products.append(.decimal(a * b))
            sums.append(.decimal(a + b * 100))
        }
        #expect(try compute(binary(.multiply), [("a", left, one), ("b", right, other)]).1 == products)
        #expect(try compute(binary(.add), [("a", left, one), ("b", right, other)]).1 == sums)
    }

    @Test func depthIsBounded() throws {
        var deep = Expression.name("a")
        for _ in 0..<2_000 { deep = .unary(.negate, deep) }
        let error = #expect(throws: MillstreamError.self) { try deep.bind(to: Schema([Field("a", .bigInt)])) }
        #expect(error?.code == .limitExceeded)
    }

    @Test func textIsNoNumber() throws {
        let error = #expect(throws: MillstreamError.self) {
            try binary(.add).bind(to: Schema([Field("a", .bigInt), Field("b", .string)]))
        }
        #expect(error?.code == .plan)
    }
}
