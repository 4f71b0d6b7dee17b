import Columnar
import TestColumns
import Testing

@Suite struct ComparisonTests {
    @Test(arguments: 0..<80) func equalityIsThatOfScalars(seed: Int) throws {
        var columns = RandomColumns(seed)
        let type = columns.type()
        let left = try columns.column(type, 120)
        // Half of the right side is taken from the left, so that there are equal pairs.
        let shuffled = try left.taking(Selection((0..<60).map { _ in Int32(columns.random.int(0..<120)) }))
        let right = try Column.concat([try columns.column(type, 60), shuffled])
        let pairs = (0..<300).map { _ in (Int32(columns.random.int(0..<120)), Int32(columns.random.int(0..<120))) }
        var equal = [Bool](repeating: false, count: pairs.count)
        try equalRows([left], pairs.map(\.0), [right], pairs.map(\.1), count: pairs.count, into: &equal)
        for (index, pair) in pairs.enumerated() {
            let expected = key(left.scalar(at: Int(pair.0))) == key(right.scalar(at: Int(pair.1)))
            #expect(equal[index] == expected, "\(type) \(left.scalar(at: Int(pair.0))) \(right.scalar(at: Int(pair.1)))")
            #expect(try left.isEqual(at: Int(pair.0), to: right, at: Int(pair.1)) == expected)
        }
    }

    @Test(arguments: 0..<40) func equalKeysHaveEqualHashes(seed: Int) throws {
        var columns = RandomColumns(seed)
        let type = columns.type()
        let column = try columns.column(type, 150)
        var hashes = [UInt64](repeating: 0, count: 150)
        try hash(columns: [column], count: 150, selection: nil, into: &hashes)
        for left in 0..<150 {
            for right in 0..<left where try column.isEqual(at: left, to: column, at: right) { #expect(hashes[left] == hashes[right]) }
        }
    }

    @Test func specialValuesAreOrdered() throws {
        let doubles: [Double] = [-.infinity, -1, -0.0, 0.0, 1e-300, 2, .infinity, .nan]
        try expectOrder(DataType.double, doubles.map(Scalar.double), ties: [2])
        try expectOrder(.float, doubles.map(Scalar.double).filter { $0 != .double(1e-300) }, ties: [2])
        try expectOrder(.string, ["", "\0", "a", "a\0", "aaaaaaaab", "aaaaaaaac", "aaaaaaaacd", "z", "ä", "世界", "😀"].map(Scalar.string))
        try expectOrder(.bigInt, [.min, -1, 0, 1, .max].map(Scalar.int64))
        try expectOrder(.boolean, [.boolean(false), .boolean(true)])
        let decimals: [Int128] = [1 - Int128(10) << 100, -1, 0, 1, Int128(Int64.max), Int128(Int64.max) + 1, Int128(10) << 100]
        try expectOrder(DataType(.decimal(precision: 38, scale: 0)), decimals.map(Scalar.decimal))
        try expectOrder(DataType(.array(.int)), [.list([]), .list([.int64(1)]), .list([.int64(1), .int64(0)]), .list([.int64(2)])])
        try expectOrder(
            DataType(.row([Field("a", .int), Field("b", .string)])), [.row([.int64(1), .string("b")]), .row([.int64(2), .string("a")])])
    }

    @Test(arguments: 0..<80) func sortIsStableInsertion(seed: Int) throws {
        var columns = RandomColumns(seed)
        let count = columns.random.int(0..<120)
        let keys = try (0..<columns.random.int(1..<4)).map { _ in
            SortKey(
                try columns.column(sortableType(&columns), count), isDescending: columns.random.chance(50), nullsFirst: columns.random.chance(50))
        }
        let candidates: Selection? =
            columns.random.chance(50)
            ? Selection((0..<count).filter { _ in columns.random.chance(70) }.map { Int32($0) }) : nil
        let sorted = try Selection.sorted(by: keys, count: count, among: candidates)
        var expected: [Int] = []
        for row in candidates.map({ c in (0..<c.count).map { c[$0] } }) ?? Array(0..<count) {
            let place = try expected.firstIndex { try precedes(keys, row, $0) } ?? expected.count
            expected.insert(row, at: place)
        }
        #expect((0..<sorted.count).map { sorted[$0] } == expected, "\(keys.map(\.column.type))")
    }

    @Test func mapsHaveNoOrder() throws {
        let maps = try Column.constant(.map(keys: [.int64(1)], values: [.null]), type: DataType(.map(key: .int, value: .int)), count: 2)
        #expect(throws: MillstreamError.self) { try Selection.sorted(by: [SortKey(maps)], count: 2) }
    }

    private func precedes(_ keys: [SortKey], _ left: Int, _ right: Int) throws -> Bool {
        for key in keys {
            let nulls = (key.column.isNull(left), key.column.isNull(right))
            if nulls.0 != nulls.1 { return nulls.0 == key.nullsFirst }
            // The parts of arrays and rows follow the key's direction, so that only the outermost nulls are placed as told.
            let order = try key.column.compare(at: left, to: key.column, at: right, nullsFirst: key.nullsFirst != key.isDescending)
            if order != 0 { return (order < 0) != key.isDescending }
        }
        return false
    }

    private func sortableType(_ columns: inout RandomColumns) -> DataType {
        while true {
            let type = columns.type()
            if !"\(type)".contains("MAP") && !"\(type)".contains("MULTISET") { return type }
        }
    }

    private func expectOrder(_ type: DataType, _ values: [Scalar], ties: Set<Int> = []) throws {
        let builder = try ColumnBuilder.make(for: type)
        for value in values { try builder.append(value) }
        let column = builder.finish()
        let rows = (0..<Int32(values.count)).map { $0 }
        for shift in rows {
            var orders = [Int8](repeating: 9, count: values.count)
            try compareRows(
                column, rows, column, rows.map { ($0 + shift) % Int32(values.count) }, count: values.count, nullsFirst: true, into: &orders)
            for left in values.indices {
                let right = (left + Int(shift)) % values.count
                var expected: Int8 = left < right ? -1 : left > right ? 1 : 0
                if abs(left - right) == 1 && ties.contains(min(left, right)) { expected = 0 }
                #expect(orders[left] == expected, "\(type): \(values[left]) and \(values[right])")
            }
        }
    }

    /// A value as text that is equal where keys are: one NaN, one zero, entries of maps in the order of their text.
    private func key(_ scalar: Scalar) -> String {
        switch scalar {
        case .double(let value): value == 0 ? "0" : value != value ? "NaN" : "\(value)"
        case .list(let parts): "[" + parts.map(key).joined(separator: ",") + "]"
        case .row(let parts): "(" + parts.map(key).joined(separator: ",") + ")"
        case .map(let keys, let values): "{" + zip(keys, values).map { key($0) + ":" + key($1) }.sorted().joined(separator: ",") + "}"
        default: "\(scalar)"
        }
    }
}
