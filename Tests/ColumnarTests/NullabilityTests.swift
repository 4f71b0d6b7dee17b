import Columnar
import TestColumns
import Testing

/// Types and columns that differ in what can be null alone.
@Suite struct NullabilityTests {
    /// The same type with a nullability of its own at every level; map keys stay.
    private func varied(_ type: DataType, _ columns: inout RandomColumns) -> DataType {
        let isNullable = type.kind == .null || columns.random.chance(50)
        switch type.kind {
        case .array(let element): return DataType(.array(varied(element, &columns)), isNullable: isNullable)
        case .map(let key, let value): return DataType(.map(key: key, value: varied(value, &columns)), isNullable: isNullable)
        case .row(let fields):
            return DataType(.row(fields.map { Field($0.name, varied($0.type, &columns)) }), isNullable: isNullable)
        default: return DataType(type.kind, isNullable: isNullable)
        }
    }

    /// Whether every level of `narrow` that can be null can be so in `wide`.
    private func takes(_ wide: DataType, _ narrow: DataType) -> Bool {
        (wide.isNullable || !narrow.isNullable) && zip(wide.childTypes, narrow.childTypes).allSatisfy { takes($0, $1) }
    }

    @Test(arguments: 0..<200) func whatDiffersInNullabilityBecomesOne(seed: Int) throws {
        var columns = RandomColumns(seed)
        let base = columns.type()
        let types = (0..<3).map { _ in varied(base, &columns) }
        let wide = try #require(types[0].widened(by: types[1])?.widened(by: types[2]))
        #expect(types.allSatisfy { takes(wide, $0) && wide.widened(by: $0) == wide }, "\(types)")
        let other: DataType? = types[2].widened(by: types[0])?.widened(by: types[1])
        #expect(other == wide)
        let parts = try types.map { try columns.column($0, columns.random.int(1..<60)) }
        for part in parts {
            let conforming = try part.conforming(to: wide)
            #expect(conforming.type == wide && rows(conforming) == rows(part))
            #expect(conforming.values === part.values && conforming.validity === part.validity, "nothing is copied")
            #expect(conforming.children.map(\.type) == wide.childTypes)
        }
        // Kernels that put columns together say what can be null at every level.
        let joined = try Column.concat(parts)
        #expect(joined.type == wide && rows(joined) == parts.flatMap { rows($0) })
        let places = (0..<80).map { _ -> RowPlace in
            let source = columns.random.int(0..<3)
            return RowPlace(source: Int32(source), row: Int32(columns.random.int(0..<parts[source].count)))
        }
        let gathered = try places.withUnsafeBufferPointer { try Column.gathering($0.baseAddress!, count: places.count, from: parts) }
        let expected: [String] = places.map { place in
            let source: Column = parts[Int(place.source)]
            return "\(source.scalar(at: Int(place.row)))"
        }
        #expect(gathered.type == wide && rows(gathered) == expected)
    }

    @Test func otherTypesStayDifferent() throws {
        let row = DataType(.row([Field("a", .bigInt)]))
        let pairs: [(DataType, DataType)] = [
            (.bigInt, .int), (.string, DataType(.varChar(3))), (DataType(.array(.bigInt)), DataType(.array(.int))), (row, DataType(.row([Field("b", .bigInt)]))),
            (row, DataType(.row([]))), (DataType(.map(key: .string.notNull, value: .int)), DataType(.multiset(.string.notNull))), (.object, .bytes),
        ]
        for (one, other) in pairs { #expect(one.widened(by: other) == nil && other.widened(by: one) == nil) }
        let scalar = Schema.scalar(.bigInt.notNull)
        #expect(scalar.widened(by: Schema([Field("n", .bigInt)]))?.types == [.bigInt])
        #expect(scalar.widened(by: Schema([Field("n", .bigInt), Field("m", .bigInt)])) == nil)
        let column = Column(type: .bigInt, count: 1, values: Buffer.copying([1 as Int64]))
        #expect(throws: MillstreamError.self) { try column.conforming(to: .int) }
    }
}
