import Columnar
import Connectors
import Dataflow
import Testing

@Suite struct PrintSinkTests {
    func print(_ batch: Batch, prefix: String? = nil, subtask: Int = 0, parallelism: Int = 1) throws -> String {
        let output = RecordedOutput()
        let sink = PrintSink(prefix: prefix, schema: batch.schema, output: output)
        let writer = try sink.makeWriter(operatorContext(subtask: subtask, parallelism: parallelism))
        #expect(try writer.write(batch, notify: {}))
        #expect(output.writeCount == 1)
        return output.text
    }

    func column(_ type: DataType, _ values: [Scalar]) throws -> Column {
        let builder = try ColumnBuilder.make(for: type)
        for value in values { try builder.append(value) }
        return builder.finish()
    }

    func batch(_ schema: Schema, _ rows: [[Scalar]]) throws -> Batch {
        var columns: [Column] = []
        for (place, field) in schema.fields.enumerated() { columns.append(try column(field.type, rows.map { $0[place] })) }
        return Batch(schema: schema, columns: columns, count: rows.count)
    }

    @Test func prefixesAsFlink() throws {
        let one = try batch(.scalar(.bigInt), [[.int64(7)]])
        #expect(try print(one) == "7\n")
        #expect(try print(one, prefix: "p") == "p> 7\n")
        #expect(try print(one, subtask: 1, parallelism: 2) == "2> 7\n")
        #expect(try print(one, prefix: "p", subtask: 1, parallelism: 2) == "p:2> 7\n")
    }

    @Test func shapesAsJava() throws {
        let fields = [Field("a", .string), Field("b", .double)]
        #expect(
            try print(batch(Schema(fields, shape: .tuple), [[.string("x"), .double(1e20)], [.null, .double(0.5)]])) == "(x,1.0E20)\n(null,0.5)\n")
        var rows = try batch(Schema(fields), [[.string("x"), .double(1)], [.string("y"), .null]])
        #expect(try print(rows) == "+I[x, 1.0]\n+I[y, null]\n")
        rows.rowKinds = try column(.tinyInt, [.int64(3), .int64(2)])
        #expect(try print(rows.selecting(Selection([1, 0]))) == "+U[y, null]\n-D[x, 1.0]\n")
    }

    @Test func nestedValuesAsJava() throws {
        let row = DataType(.row([Field("a", .int), Field("b", .string)]))
        let schema = Schema(
            [Field("l", DataType(.array(.int))), Field("m", DataType(.map(key: .string, value: .int))), Field("r", row)], shape: .tuple)
        let rows: [[Scalar]] = [
            [
                .list([.int64(1), .null]), .map(keys: [.string("k")], values: [.int64(2)]), .row([.int64(3), .null]),
            ]
        ]
        #expect(try print(batch(schema, rows)) == "([1, null],{k=2},+I[3, null])\n")
    }

    @Test func doublesAsJava() throws {
        let cases: [(Double, String)] = [
            (0, "0.0"), (-0.0, "-0.0"), (1, "1.0"), (-1.5, "-1.5"), (100, "100.0"), (1e6, "1000000.0"), (9_999_999, "9999999.0"), (1e7, "1.0E7"),
            (12_345_678.9, "1.23456789E7"), (0.001, "0.001"), (0.0001, "1.0E-4"), (0.00123, "0.00123"), (1.0 / 3, "0.3333333333333333"),
            (.leastNonzeroMagnitude, "4.9E-324"), (1.7976931348623157e308, "1.7976931348623157E308"), (.nan, "NaN"), (-.infinity, "-Infinity"),
            (0.1 + 0.2, "0.30000000000000004"), (123.456, "123.456"), (99.995, "99.995"), (2.0e-3, "0.002"), (1e23, "1.0E23"),
        ]
        for (value, text) in cases { #expect(try print(batch(.scalar(.double), [[.double(value)]])) == text + "\n") }
    }

    @Test func timesDecimalsAndNumbers() throws {
        let cases: [(DataType, Scalar, String)] = [
            (.date, .int64(0), "1970-01-01"), (.date, .int64(-719_529), "-0001-12-31"), (.date, .int64(18_263), "2020-01-02"),
            (.date, .int64(2_932_897), "+10000-01-01"),
            (DataType(.timestamp(3)), .int64(1_577_934_245_670), "2020-01-02 03:04:05.67"),
            (DataType(.timestamp(0)), .int64(-1), "1969-12-31 23:59:59.0"),
            (DataType(.timestampLTZ(3)), .int64(1_577_934_245_000), "2020-01-02T03:04:05Z"),
            (DataType(.timestampLTZ(3)), .int64(-1), "1969-12-31T23:59:59.999Z"),
            (DataType(.time(0)), .int64(3_661), "01:01:01"), (DataType(.time(9)), .int64(1), "00:00:00.000000001"),
            (.bigInt, .int64(.min), "-9223372036854775808"), (.bigInt, .int64(.max), "9223372036854775807"), (.tinyInt, .int64(-128), "-128"),
            (DataType(.decimal(precision: 10, scale: 2)), .decimal(-5), "-0.05"),
            (DataType(.decimal(precision: 38, scale: 0)), .decimal(0), "0"), (DataType(.decimal(precision: 5, scale: 5)), .decimal(1), "0.00001"),
            (.boolean, .boolean(true), "true"), (.bytes, .bytes([1, 255]), "[1, -1]"),
        ]
        for (type, value, text) in cases { #expect(try print(batch(.scalar(type), [[value]])) == text + "\n", "\(type)") }
    }

    @Test func integersOfEveryLength() throws {
        var values: [Int64] = [0, 9, 10, 99, 100]
        for power in 1...18 { values += [Int64(String(repeating: "9", count: power))!, -Int64("1" + String(repeating: "0", count: power))!] }
        #expect(try print(batch(.scalar(.bigInt), values.map { [.int64($0)] })) == values.map { "\($0)\n" }.joined())
    }
}
