import Columnar
import TestColumns
import Testing

struct SchemaEvolutionTests {
    /// A change of one type: whether it is possible, and what an example becomes.
    private static let table: [(String, String, Bool)] = [
        ("TINYINT", "SMALLINT", true), ("TINYINT", "INT", true), ("TINYINT", "BIGINT", true), ("SMALLINT", "INT", true), ("INT", "BIGINT", true),
        ("INT", "TINYINT", false), ("BIGINT", "INT", false), ("SMALLINT", "TINYINT", false),
        ("TINYINT", "FLOAT", true), ("SMALLINT", "FLOAT", true), ("INT", "FLOAT", false), ("INT", "DOUBLE", true), ("BIGINT", "DOUBLE", false),
        ("FLOAT", "DOUBLE", true), ("DOUBLE", "FLOAT", false), ("FLOAT", "INT", false), ("DOUBLE", "BIGINT", false),
        ("TINYINT", "DECIMAL(3, 0)", true), ("TINYINT", "DECIMAL(2, 0)", false), ("INT", "DECIMAL(12, 2)", true), ("INT", "DECIMAL(11, 2)", false),
        ("BIGINT", "DECIMAL(19, 0)", true), ("BIGINT", "DECIMAL(38, 19)", true), ("BIGINT", "DECIMAL(38, 20)", false),
        ("DECIMAL(10, 2)", "DECIMAL(12, 2)", true), ("DECIMAL(10, 2)", "DECIMAL(12, 4)", true), ("DECIMAL(10, 2)", "DECIMAL(11, 4)", false),
        ("DECIMAL(10, 2)", "DECIMAL(9, 2)", false), ("DECIMAL(10, 2)", "DECIMAL(12, 1)", false), ("DECIMAL(10, 0)", "BIGINT", false),
        ("VARCHAR(10)", "VARCHAR(20)", true), ("VARCHAR(10)", "STRING", true), ("VARCHAR(20)", "VARCHAR(10)", false), ("STRING", "VARCHAR(10)", false),
        ("CHAR(3)", "VARCHAR(3)", true), ("CHAR(3)", "CHAR(4)", false), ("CHAR(4)", "VARCHAR(3)", false),
        ("VARBINARY(10)", "BYTES", true), ("BYTES", "VARBINARY(10)", false), ("BINARY(4)", "VARBINARY(4)", true), ("STRING", "BYTES", false),
        ("BOOLEAN", "INT", false), ("INT", "BOOLEAN", false), ("INT", "STRING", false), ("STRING", "INT", false), ("DATE", "TIMESTAMP(3)", false),
        ("TIMESTAMP(1)", "TIMESTAMP(3)", true), ("TIMESTAMP(3)", "TIMESTAMP(6)", false), ("TIMESTAMP(6)", "TIMESTAMP(3)", false),
        ("TIMESTAMP(3)", "TIMESTAMP_LTZ(3)", false), ("OBJECT", "OBJECT", true), ("OBJECT", "INT", false), ("INT", "OBJECT", false),
        ("INT NOT NULL", "INT", true), ("INT NOT NULL", "BIGINT", true), ("INT", "INT NOT NULL", false), ("INT", "BIGINT NOT NULL", false),
        ("ARRAY<INT>", "ARRAY<BIGINT>", true), ("ARRAY<BIGINT>", "ARRAY<INT>", false), ("ARRAY<INT>", "INT", false),
        ("MAP<STRING, INT>", "MAP<STRING, BIGINT>", true), ("MAP<INT, INT>", "MAP<BIGINT, INT>", false), ("MULTISET<INT>", "MULTISET<BIGINT>", true),
        ("ROW<a INT, b STRING>", "ROW<b STRING, a BIGINT>", true), ("ROW<a INT>", "ROW<a INT, b STRING>", true),
        ("ROW<a INT>", "ROW<a INT, b STRING NOT NULL>", false), ("ROW<a INT, b STRING>", "ROW<b STRING>", true), ("ROW<a INT>", "ROW<b INT>", false),
        ("ROW<a ROW<x INT>>", "ROW<a ROW<x BIGINT, y DOUBLE>>", true), ("ARRAY<ROW<a INT>>", "ARRAY<ROW<a BIGINT, b STRING>>", true),
    ]

    @Test("What may become what", arguments: table)
    func types(saved: String, wanted: String, isPossible: Bool) throws {
        let (from, to) = (try DataType.parse(saved), try DataType.parse(wanted))
        let reason = TypeEvolution.refusal(from: from, to: to)
        #expect((reason == nil) == isPossible, "\(saved) to \(wanted): \(reason ?? "possible")")
        guard isPossible, saved != "OBJECT" else { return }
        // Random columns, with and without an offset, keep their nulls and their values, as text where the type tells them apart.
        for seed in 0..<20 {
            var random = RandomColumns(seed)
            let whole = try random.column(from, 40)
            for column in [whole, whole.slice(3, 30)] {
                let made = try TypeEvolution.convert(column, to: to)
                #expect(made.type == to && made.count == column.count)
                for row in 0..<column.count {
                    #expect(made.isNull(row) == column.isNull(row))
                    if column.isNull(row) { continue }
                    compare(column, made, row)
                }
            }
        }
    }

    private func compare(_ old: Column, _ new: Column, _ row: Int) {
        switch (old.type.layout, new.type.layout) {
        case (.fixed, .fixed):
            guard let left = number(old, row), let right = number(new, row) else { return }
            #expect(left == right, "\(old.type) to \(new.type)")
        case (.views, .views): #expect(Array(old.bytes(row)) == Array(new.bytes(row)))
        case (.list, .list): #expect(old.listRange(row).count == new.listRange(row).count)
        default: break
        }
    }

    /// The value, where it is one that Double or Int128 has.
    private func number(_ column: Column, _ row: Int) -> Double? {
        switch column.type.kind {
        case .tinyInt: Double(column.pointer(as: Int8.self)[row])
        case .smallInt: Double(column.pointer(as: Int16.self)[row])
        case .int: Double(column.pointer(as: Int32.self)[row])
        case .bigInt: Double(column.pointer(as: Int64.self)[row])
        case .float: column.pointer(as: Float.self)[row].isNaN ? nil : Double(column.pointer(as: Float.self)[row])
        case .double: column.pointer(as: Double.self)[row].isNaN ? nil : column.pointer(as: Double.self)[row]
        case .decimal(_, let scale):
            // Powers of ten are exact up to 10^22: the rounding is the same on both sides where the scale is.
            scale == 0 ? Double(column.pointer(as: Int128.self)[row]) : nil
        default: nil
        }
    }

    @Test("Decimals keep their digits under another scale")
    func decimals() throws {
        let values: [Int128] = [0, 1, -1, 12_345, -99_999]
        let column = Column(type: try DataType.parse("DECIMAL(5, 2)"), count: values.count, values: Buffer.copying(values))
        let made = try TypeEvolution.convert(column, to: try DataType.parse("DECIMAL(10, 5)"))
        for (row, value) in values.enumerated() { #expect(made.pointer(as: Int128.self)[row] == value * 1_000) }
        let numbers: [Int32] = [7, -8, .max, .min]
        let integers = Column(type: .int, count: 4, values: Buffer.copying(numbers))
        let wide = try TypeEvolution.convert(integers, to: try DataType.parse("DECIMAL(20, 3)"))
        for (row, value) in numbers.enumerated() { #expect(wide.pointer(as: Int128.self)[row] == Int128(value) * 1_000) }
    }

    private func fields(_ text: String) throws -> [Field] {
        guard case .row(let fields) = try DataType.parse("ROW<\(text)>").kind else { return [] }
        return fields
    }

    @Test("Rows by the names of their fields: added, dropped, moved, widened")
    func rows() throws {
        let saved = try fields("a INT, b STRING, c DOUBLE"), wanted = try fields("c DOUBLE, d BOOLEAN, a BIGINT")
        let evolution = try SchemaEvolution(from: saved, to: wanted)
        #expect(evolution.sources == [2, nil, 0])
        #expect(evolution.changes.map(\.text) == [
            "'d' BOOLEAN is new, and null", "'a' was INT, and is BIGINT", "'b' STRING is dropped", "the fields stand in another order",
        ])
        var random = RandomColumns(4)
        var columns: [Column] = []
        for field in saved { columns.append(try random.column(field.type, 25)) }
        let made = try evolution.apply(columns, count: 25)
        #expect(made.map(\.type) == wanted.map(\.type) && made[1].nullCount == 25)
        for row in 0..<25 where !columns[0].isNull(row) { #expect(Int64(columns[0].pointer(as: Int32.self)[row]) == made[2].pointer(as: Int64.self)[row]) }
        #expect(try SchemaEvolution(from: saved, to: saved).isIdentity)
    }

    @Test("Two fields of one name are known by nothing but their places")
    func twins() throws {
        let saved = [Field("a", .int), Field("a", .int)]
        #expect(try SchemaEvolution(from: saved, to: saved).isIdentity)
        #expect(throws: MillstreamError.self) { try SchemaEvolution(from: saved, to: [Field("a", .int), Field("a", .bigInt)]) }
    }

    @Test("What would lose values is told by the field and both types", arguments: [
        ("a INT", "b INT", "the field 'a' of type INT is called 'b' in the job"),
        ("a BIGINT", "a INT", "the field 'a' is of type BIGINT in the checkpoint, and of type INT in the job: it would become narrower"),
        ("a INT", "a INT, b INT NOT NULL", "the field 'b' of type INT NOT NULL is not in the checkpoint"),
        ("a INT", "a INT NOT NULL", "the field 'a' is of type INT in the checkpoint, and of type INT NOT NULL in the job: it may be null"),
        ("a STRING", "a BYTES", "the field 'a' is of type STRING in the checkpoint, and of type BYTES in the job"),
        ("a ROW<x BIGINT>", "a ROW<x INT>", "the field 'x' is of type BIGINT in the checkpoint, and of type INT in the job"),
    ])
    func refusals(saved: String, wanted: String, text: String) throws {
        do {
            _ = try SchemaEvolution(from: try fields(saved), to: try fields(wanted))
            Issue.record("\(saved) became \(wanted)")
        } catch let error as MillstreamError { #expect(error.message.contains(text), "\(error)") }
    }
}
