import Columnar
import Expressions
import Plan
import TestRows
import Testing

@Suite struct CastTests {
    private func cast(_ values: [Scalar], _ source: DataType, to target: DataType) throws -> [Scalar] {
        let schema = Schema([Field("a", source)])
        let batch = try Rows.batch(schema, [try Rows.column(source, values)])
        let bound = try Expression.cast(.name("a"), target).bind(to: schema)
        var results: [[Scalar]] = []
        for disguise in try Rows.disguises(batch) {
            var evaluator = ExpressionEvaluator(disguise)
            let column = try evaluator.column(bound)
            #expect(column.type.kind == target.kind)
            results.append((0..<column.count).map { column.scalar(at: $0) })
        }
        for other in results.dropFirst() { #expect(other == results[0]) }
        return results[0]
    }

    @Test func numbers() throws {
        #expect(try cast([.int64(40_000), .null], .int, to: .tinyInt) == [.int64(64), .null])
        let doubles: [Scalar] = [.double(2.9), .double(-2.9), .double(.nan), .double(1e300), .double(-.infinity)]
        #expect(
            try cast(doubles, .double, to: .int)
                == [.int64(2), .int64(-2), .int64(0), .int64(2_147_483_647), .int64(-2_147_483_648)])
        #expect(try cast([.double(1e19)], .double, to: .bigInt) == [.int64(.max)])
        let decimal = DataType(.decimal(precision: 3, scale: 1))
        #expect(try cast([.decimal(25), .decimal(-25)], decimal, to: .int) == [.int64(2), .int64(-2)])
        #expect(try cast([.int64(99), .int64(100)], .bigInt, to: decimal) == [.decimal(990), .null])
        #expect(try cast([.boolean(true)], .boolean, to: .bigInt) == [.int64(1)])
    }

    @Test func textToNumbers() throws {
        #expect(try cast([.string(" 42 "), .string("1.9"), .string("-0.5"), .null], .string, to: .int) == [.int64(42), .int64(1), .int64(0), .null])
        for bad in ["x", "1e3", "", "99999999999", "1.2.3", "-"] {
            let error = #expect(throws: MillstreamError.self) { try cast([.string("1"), .string(bad)], .string, to: .int) }
            #expect(error?.code == .decode)
            #expect(error?.recordIndex == 1)
        }
        let decimal = DataType(.decimal(precision: 5, scale: 2))
        #expect(try cast([.string("1.005"), .string("12345")], .string, to: decimal) == [.decimal(101), .null])
        #expect(try cast([.string("yes"), .string("F")], .string, to: .boolean) == [.boolean(true), .boolean(false)])
    }

    @Test func numbersToText() throws {
        let doubles: [(Double, String)] = [
            (0.1, "0.1"), (100, "100.0"), (1e20, "1.0E20"), (1.5e-7, "1.5E-7"), (-0.0, "-0.0"), (.nan, "NaN"), (-.infinity, "-Infinity"),
            (9_999_999, "9999999.0"), (1e7, "1.0E7"), (0.001, "0.001"), (0.00099, "9.9E-4"), (123_456.789, "123456.789"),
        ]
        #expect(try cast(doubles.map { .double($0.0) }, .double, to: .string) == doubles.map { .string($0.1) })
        #expect(try cast([.boolean(true)], .boolean, to: .string) == [.string("TRUE")])
        #expect(
            try cast([.decimal(-5), .decimal(12_345)], DataType(.decimal(precision: 9, scale: 3)), to: .string) == [
                .string("-0.005"), .string("12.345"),
            ])
    }

    @Test func timesToTextAndBack() throws {
        let type = DataType(.timestamp(3))
        let cases: [(Int64, String)] = [
            (0, "1970-01-01 00:00:00.000"), (-5_000, "1969-12-31 23:59:55.000"), (1_709_209_830_123, "2024-02-29 12:30:30.123"),
            (-62_135_596_800_000, "0001-01-01 00:00:00.000"),
        ]
        #expect(try cast(cases.map { .int64($0.0) }, type, to: .string) == cases.map { .string($0.1) })
        #expect(try cast(cases.map { .string($0.1) }, .string, to: type) == cases.map { .int64($0.0) })
        #expect(try cast([.string("2024-01-31T01:02:03.9999")], .string, to: type) == [.int64(1_706_662_923_999)])
        #expect(throws: MillstreamError.self) { try cast([.string("2024-02-30")], .string, to: .date) }
        #expect(try cast([.int64(-1)], type, to: .date) == [.int64(-1)])
        #expect(try cast([.int64(.max)], type, to: DataType(.timestamp(9))) == [.int64(.max)])
        #expect(try cast([.int64(-1)], DataType(.timestamp(6)), to: type) == [.int64(-1)])
    }

    /// No date of 400 years may come back as another.
    @Test func everyDateRoundTrips() throws {
        let days = (0..<146_097).map { Scalar.int64(Int64($0) - 100_000) }
        #expect(try cast(try cast(days, .date, to: .string), .string, to: .date) == days)
    }

    @Test func lengths() throws {
        #expect(try cast([.string("abcdef"), .string("é😀x")], .string, to: DataType(.varChar(2))) == [.string("ab"), .string("é😀")])
        #expect(try cast([.string("é")], .string, to: DataType(.char(3))) == [.string("é  ")])
        #expect(try cast([.bytes([0x61, 0xFF])], .bytes, to: .string) == [.string("a\u{FFFD}")])
    }

    @Test func refused() throws {
        #expect(throws: MillstreamError.self) { try Expression.cast(.name("a"), .bigInt).bind(to: Schema([Field("a", .object)])) }
        #expect(throws: MillstreamError.self) { try Expression.cast(.name("a"), DataType(.timestamp(3))).bind(to: Schema([Field("a", .bigInt)])) }
    }
}
