import CMillstream
import Columnar
import TestColumns
import Synchronization
import Testing

@Suite struct TakeFilterConcatTests {
    @Test(arguments: 0..<80) func takingIsGathering(seed: Int) throws {
        var columns = RandomColumns(seed)
        let type = columns.type()
        let column = try columns.column(type, columns.random.int(1..<200))
        let indices = (0..<columns.random.int(0..<300)).map { _ in Int32(columns.random.int(0..<column.count)) }
        let taken = try column.taking(Selection(indices))
        #expect(rows(taken) == rows(column, indices.map(Int.init)), "\(type)")
    }

    @Test(arguments: 0..<80) func negativeIndicesGiveNulls(seed: Int) throws {
        var columns = RandomColumns(seed)
        let type = columns.type()
        let column = try columns.column(type, columns.random.int(0..<100))
        let indices = (0..<150).map { _ in Int32(columns.random.int(-1..<column.count)) }
        let taken = try indices.withUnsafeBufferPointer { try column.taking($0.baseAddress!, count: 150, nullsForNegative: true) }
        #expect(taken.type == type.nullable)
        #expect(rows(taken) == indices.map { $0 < 0 ? "null" : "\(column.scalar(at: Int($0)))" }, "\(type)")
    }

    @Test(arguments: 0..<60) func filterKeepsWhatIsTrue(seed: Int) throws {
        var columns = RandomColumns(seed)
        let predicate = try columns.column(.boolean, columns.random.int(0..<500))
        let isTrue = { (row: Int) in predicate.scalar(at: row) == .boolean(true) }
        let kept = Selection.whereTrue(predicate)
        #expect(indices(kept) == (0..<predicate.count).filter(isTrue))
        let candidates = (0..<predicate.count).filter { _ in columns.random.chance(50) }.reversed().map { Int32($0) }
        let again = Selection.whereTrue(predicate, among: Selection(candidates))
        #expect(indices(again) == candidates.map(Int.init).filter(isTrue))
    }

    @Test(arguments: 0..<80) func concatIsAppending(seed: Int) throws {
        var columns = RandomColumns(seed)
        let type = columns.type()
        let parts = try (0..<columns.random.int(1..<6)).map { _ in try columns.column(type, columns.random.int(0..<100)) }
        let joined = try Column.concat(parts)
        #expect(rows(joined) == parts.flatMap { rows($0) }, "\(type)")
        let again = try Column.concat([joined, parts[0], joined.slice(joined.count / 3, joined.count / 2)])
        #expect(again.count == joined.count + parts[0].count + joined.count / 2)
        #expect(rows(again.slice(0, joined.count)) == rows(joined))
    }

    @Test(arguments: 0..<120) func gatheringIsPickingRowByRow(seed: Int) throws {
        var columns = RandomColumns(seed)
        let type = columns.type()
        // Windows into columns as well, so that offsets count at every level.
        let sources = try (0..<columns.random.int(1..<30)).map { _ in
            let column = try columns.column(type, columns.random.int(1..<40))
            let start = columns.random.int(0..<column.count)
            return columns.random.chance(50) ? column : column.slice(start, columns.random.int(1..<column.count - start + 1))
        }
        let hasAbsent = columns.random.chance(50)
        let places = (0..<columns.random.int(1..<200)).map { _ -> RowPlace in
            if hasAbsent && columns.random.chance(10) { return RowPlace(source: -1, row: -1) }
            let source = columns.random.int(0..<sources.count)
            return RowPlace(source: Int32(source), row: Int32(columns.random.int(0..<sources[source].count)))
        }
        let gathered = try places.withUnsafeBufferPointer { try Column.gathering($0.baseAddress!, count: $0.count, from: sources) }
        let expected = places.map { $0.source < 0 ? "null" : "\(sources[Int($0.source)].scalar(at: Int($0.row)))" }
        #expect(rows(gathered) == expected, "\(type)")
        #expect(gathered.type.nullable == type.nullable && gathered.type.isNullable == (type.isNullable || places.contains { $0.source < 0 }))
        // What was gathered can be gathered from.
        let again = try places.indices.map { RowPlace(source: 0, row: Int32($0)) }.withUnsafeBufferPointer {
            try Column.gathering($0.baseAddress!, count: $0.count, from: [gathered, gathered])
        }
        #expect(rows(again) == expected)
    }

    @Test func concatCopiesTextWhereSharingIsWasteful() throws {
        var builder = ViewBuilder()
        for _ in 0..<10_000 { try builder.append("a text that is longer than a view has room for") }
        let large = builder.finish(type: .string)
        let joined = try Column.concat([large.slice(0, 1), large.slice(7, 2)])
        #expect(joined.dataBuffers.reduce(0) { $0 + $1.byteCount } < 10_000)
        let shared = try Column.concat([large, large])
        #expect(shared.dataBuffers.count == large.dataBuffers.count)
        #expect(throws: MillstreamError.self) { try Column.concat([]) }
        #expect(throws: MillstreamError.self) { try Column.concat([large, try Column.nulls(type: .int, count: 1)]) }
    }

    @Test(arguments: 0..<40) func batchesCompactAndConcat(seed: Int) throws {
        var columns = RandomColumns(seed)
        let types = (0..<3).map { _ in columns.type() }
        let batches = try (0..<4).map { number in try batch(&columns, types, hidden: number % 2 == 0) }
        let joined = try Batch.concat(batches)
        let expected = try batches.map { try $0.compacted() }
        for index in types.indices {
            #expect(rows(joined.columns[index]) == expected.flatMap { rows($0.columns[index]) }, "\(types)")
        }
        #expect(joined.selection == nil && joined.count == batches.reduce(0) { $0 + $1.count })
        if batches.contains(where: { !$0.isEmpty && $0.timestamps != nil }) {
            let none = "int64(\(Int64.min))"
            #expect(
                rows(joined.timestamps!) == expected.flatMap { batch in batch.timestamps.map { rows($0) } ?? (0..<batch.count).map { _ in none } })
        }
    }

    @Test func columnsWithoutBuffersAreEmpty() throws {
        for type in RandomColumns.flatTypes + [DataType(.array(.int))] {
            let children = type.childTypes.map { Column(type: $0, count: 0, values: nil) }
            let column = Column(type: type, count: 0, values: nil, children: children, hostObjects: testObjects)
            #expect(try column.taking(Selection([])).count == 0)
            #expect(try Column.concat([column, column]).count == 0)
            #expect(try rows(column.taking([-1], count: 1, nullsForNegative: true)) == ["null"])
            var hashes: UInt64 = 0
            try hash(columns: [column], count: 0, selection: nil, into: &hashes)
            var array = ArrowArray()
            try column.exportArrow(into: &array)
            array.release(&array)
        }
    }

    private func batch(_ columns: inout RandomColumns, _ types: [DataType], hidden: Bool) throws -> Batch {
        let count = columns.random.int(0..<80)
        var batch = Batch(
            schema: Schema(types.enumerated().map { Field("c\($0)", $1) }), columns: try types.map { try columns.column($0, count) }, count: count)
        if hidden { batch.timestamps = try columns.column(.bigInt.notNull, count) }
        if columns.random.chance(60) {
            batch.selection = Selection((0..<count).filter { _ in columns.random.chance(50) }.map { Int32($0) })
        }
        return columns.random.chance(30) ? batch.slice(batch.count / 3, batch.count / 2) : batch
    }

    private func indices(_ selection: Selection) -> [Int] { (0..<selection.count).map { selection[$0] } }
}

/// How many references `countingObjects` got back; only the test below uses it.
private let countedReleases = Atomic<Int>(0)

private let countingObjects = HostObjects(
    retain: { _, count in countedReleases.subtract(count, ordering: .relaxed) },
    release: { _, count in countedReleases.add(count, ordering: .relaxed) },
    hash: { _, _, _ in -1 }, equal: { _, _ in 1 }, compare: { _, _ in 0 }, describe: { _, _, _ in 0 })

@Suite struct HandleOwnershipTests {
    @Test func referencesAreGivenBackOnce() throws {
        var kept: Column? = try {
            var builder = HandleBuilder(objects: countingObjects)
            for value in 1...10 { try builder.append(owned: HostObjects.Handle(bitPattern: value)) }
            let column = builder.finish()
            let taken = try column.taking(Selection([9, 9, 0])).taking(Selection([0, 2]))
            var copies = HandleBuilder(objects: countingObjects)
            try copies.append(from: column, 0, 3)
            _ = copies.finish()
            var givenUp = HandleBuilder(objects: countingObjects)
            try givenUp.append(from: column, 0, 3)
            return try Column.concat([taken, taken, column.slice(2, 2)])
        }()
        #expect(countedReleases.load(ordering: .relaxed) == 3)  // The builder that was given up released three nils.
        #expect(kept?.pointer(as: Int.self)[4] == 3)
        kept = nil
        #expect(countedReleases.load(ordering: .relaxed) == 13)
    }
}
