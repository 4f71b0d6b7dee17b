import Columnar
import Dataflow
import Operators
import Plan
import TestColumns
import Testing

@Suite struct RankOperatorTests {
    static let schema = Schema([Field("k", .string), Field("a", .bigInt), Field("d", .double), Field("id", .bigInt)])
    static let ranked = Schema(schema.fields + [Field("rn", DataType.bigInt.notNull)])

    static func row(_ random: inout TestColumns.SeededRandom) -> [Scalar] {
        [
            random.chance(15) ? .null : .string(random.chance(50) ? "x" : "a key that is long enough"), random.chance(20) ? .null : .int64(Int64(random.int(-3..<4))),
            random.chance(20) ? .null : .double([0, -0.0, 1.5, -2, .infinity, -.infinity][random.int(0..<6)]), .int64(Int64(random.int(0..<6))),
        ]
    }

    static func precedes(_ left: [Scalar], _ right: [Scalar], _ order: [Plan.SortKey]) -> Bool { compare(left, right, order) < 0 }

    static func compare(_ left: [Scalar], _ right: [Scalar], _ order: [Plan.SortKey]) -> Int {
        for key in order {
            let (a, b) = (left[key.column], right[key.column])
            if a == .null || b == .null {
                if a == b { continue }
                return (a == .null) == key.nullsFirst ? -1 : 1
            }
            let result: Int
            switch (a, b) {
            case (.int64(let a), .int64(let b)): result = a < b ? -1 : a > b ? 1 : 0
            case (.double(let a), .double(let b)): result = a < b ? -1 : a > b ? 1 : 0
            case (.bytes(let a), .bytes(let b)): result = a.lexicographicallyPrecedes(b) ? -1 : a == b ? 0 : 1
            default: result = 0
            }
            if result != 0 { return key.isDescending ? -result : result }
        }
        return 0
    }

    /// The rows with ranks in the range, each with its rank.
    static func expected(_ rows: [[Scalar]], _ rank: RankDescription) -> [[Scalar]: Int] {
        var found: [[Scalar]] = []
        var partitions: [[Scalar]] = []
        for row in rows {
            let key = rank.partition.map { row[$0] }
            if !partitions.contains(key) { partitions.append(key) }
        }
        for key in partitions {
            let own = rows.filter { row in rank.partition.map { row[$0] } == key }
            // Stable: equal rows as they came.
            let sorted = own.enumerated().sorted { compare($0.element, $1.element, rank.order) == 0 ? $0.offset < $1.offset : precedes($0.element, $1.element, rank.order) }
                .map(\.element)
            var number: Int64 = 0
            for (place, row) in sorted.enumerated() {
                switch rank.function {
                case .rowNumber: number = Int64(place + 1)
                case .rank: if place == 0 || compare(sorted[place - 1], row, rank.order) != 0 { number = Int64(place + 1) }
                case .denseRank: if place == 0 || compare(sorted[place - 1], row, rank.order) != 0 { number += 1 }
                }
                if number >= rank.start, number <= rank.end ?? .max { found.append(rank.outputsRank ? row + [.int64(number)] : row) }
            }
        }
        return TableModel.of(found)
    }

    @Test(arguments: 0..<160) func changelogs(seed: Int) throws {
        var random = TestColumns.SeededRandom(seed)
        let function: RankDescription.Function = seed % 4 == 1 ? .rank : seed % 4 == 2 ? .denseRank : .rowNumber
        let mode = random.int(0..<3)
        let start = random.chance(30) ? Int64(random.int(2..<4)) : 1
        let end: Int64? = random.chance(10) ? nil : start + Int64(random.int(0..<4))
        var order: [Plan.SortKey] = []
        for column in [1, 2, 0] where random.chance(60) {
            order.append(Plan.SortKey(column, isDescending: random.chance(50), nullsFirst: random.chance(50) ? nil : random.chance(50)))
        }
        let input: ChangelogInput = mode == 0 ? .appendOnly : mode == 1 ? .retract : .upsert(key: [0, 3])
        let rank = RankDescription(
            function: function, partition: random.chance(80) ? [0] : [], order: order, start: start, end: end, outputsRank: random.chance(50), input: input)
        let isFull = random.chance(50)
        func harness(_ parallelism: Int, _ checkpoint: SnapshotHarness? = nil) throws -> TableHarness {
            try TableHarness(
                .rank(rank), inputs: [Self.schema], output: rank.outputsRank ? Self.ranked : Self.schema, parallelism: rank.partition.isEmpty ? 1 : parallelism,
                isFull: isFull, from: checkpoint)
        }
        var operation = try harness(random.int(1..<4))
        var log = RandomChangelog(unique: mode == 2 ? [0, 3] : nil) { Self.row(&$0) }
        log.retractions = mode == 0 ? 0 : 40
        log.isUpsert = mode == 2
        var table = TableModel()
        // The sort of a row that keeps its key is kept, so a row that is replaced may keep its age among equal ones.
        for step in 0..<24 {
            try operation.process(log.next(random.int(1..<12), &random))
            let context = "seed \(seed) step \(step) \(rank)"
            let changes = operation.take()
            let problem = table.apply(changes)
            #expect(problem == nil, "\(context)")
            // Among equal rows of an upsert stream the order is that of the first with the key: compared where no ties are cut.
            let expected = Self.expected(log.rows, rank)
            if mode != 2 || function != .rowNumber {
                if table.rows != expected {
                    Issue.record("\(context): \(changes), \(TableModel.text(table.rows)) instead of \(TableModel.text(expected))")
                    return
                }
            } else {
                #expect(table.rows.values.reduce(0, +) == expected.values.reduce(0, +), "\(context)")
            }
            if problem != nil { return }
            if random.chance(15) { operation = try harness(random.int(1..<5), try operation.snapshot()) }
        }
    }

    @Test(arguments: 0..<20) func batchMode(seed: Int) throws {
        var random = TestColumns.SeededRandom(seed &+ 500)
        let function: RankDescription.Function = seed % 4 == 1 ? .rank : seed % 4 == 2 ? .denseRank : .rowNumber
        let rank = RankDescription(
            function: function, partition: random.chance(70) ? [0] : [], order: [Plan.SortKey(1, isDescending: true), Plan.SortKey(2)], start: Int64(random.int(1..<3)),
            end: Int64(random.int(2..<5)), outputsRank: random.chance(50), input: .appendOnly)
        let operation = try TableHarness(
            .rank(rank), inputs: [Self.schema], output: rank.outputsRank ? Self.ranked : Self.schema, isBatch: true, isFull: random.chance(50))
        var rows: [[Scalar]] = []
        for _ in 0..<6 {
            let batch = (0..<random.int(1..<20)).map { _ in Self.row(&random) }
            rows += batch
            try operation.process(batch.map { Change(kind: 0, values: $0) })
        }
        #expect(operation.take().isEmpty)
        try operation.watermark(.max)
        let changes = operation.take()
        #expect(TableModel.of(changes.map(\.values)) == Self.expected(rows, rank), "seed \(seed)")
        #expect(changes.allSatisfy { $0.kind == 0 })
    }

    static let three = Schema([Field("k", .string), Field("id", .bigInt), Field("n", .bigInt)])

    func texts(_ rank: RankDescription, _ changes: [Change]) throws -> [String] {
        let output = rank.outputsRank ? Schema(Self.three.fields + [Field("rn", DataType.bigInt.notNull)]) : Self.three
        let operation = try TableHarness(.rank(rank), inputs: [Self.three], output: output)
        // One by one, and in one batch: the same.
        for change in changes { try operation.process([change]) }
        let single = operation.texts()
        let together = try TableHarness(.rank(rank), inputs: [Self.three], output: output)
        try together.process(changes)
        #expect(together.texts() == single)
        return single
    }

    /// As Flink's changelogs are, change by change (its records of topn_005, topn_002, topn_009 and topn_025 have these forms).
    @Test func orderOfChanges() throws {
        let rows = [insert("food", 1002, 1), insert("food", 1005, 8), insert("food", 1006, 8), insert("food", 1007, 9), insert("food", 1008, 0)]
        let order = [Plan.SortKey(2, isDescending: true)]
        #expect(
            try texts(RankDescription(partition: [0], order: order, end: 2, outputsRank: true, input: .appendOnly), rows) == [
                "+I[food, 1002, 1, 1]", "-U[food, 1002, 1, 1]", "+U[food, 1005, 8, 1]", "+I[food, 1002, 1, 2]", "-U[food, 1002, 1, 2]", "+U[food, 1006, 8, 2]",
                "-U[food, 1005, 8, 1]", "+U[food, 1007, 9, 1]", "-U[food, 1006, 8, 2]", "+U[food, 1005, 8, 2]",
            ])
        #expect(
            try texts(RankDescription(partition: [0], order: order, end: 2, outputsRank: false, input: .appendOnly), rows) == [
                "+I[food, 1002, 1]", "+I[food, 1005, 8]", "-D[food, 1002, 1]", "+I[food, 1006, 8]", "-D[food, 1006, 8]", "+I[food, 1007, 9]",
            ])
        #expect(
            try texts(RankDescription(partition: [0], order: order, end: 1, outputsRank: false, input: .appendOnly), rows) == [
                "+I[food, 1002, 1]", "-U[food, 1002, 1]", "+U[food, 1005, 8]", "-U[food, 1005, 8]", "+U[food, 1007, 9]",
            ])
        #expect(
            try texts(RankDescription(partition: [], order: order, start: 2, end: 3, outputsRank: false, input: .appendOnly), rows) == [
                "+I[food, 1002, 1]", "-U[food, 1002, 1]", "+U[food, 1006, 8]", "+I[food, 1002, 1]", "-U[food, 1006, 8]", "+U[food, 1005, 8]", "-U[food, 1002, 1]",
                "+U[food, 1006, 8]",
            ])
        let changes = [
            insert("a", 1, 5), insert("a", 2, 4), insert("a", 3, 3), Change(kind: 1, values: ["a", 1, 5]), Change(kind: 2, values: ["a", 1, 1]), delete("a", 2, 4), delete("a", 9, 9),
        ]
        #expect(
            try texts(RankDescription(partition: [0], order: order, end: 2, outputsRank: false, input: .retract), changes) == [
                "+I[a, 1, 5]", "+I[a, 2, 4]", "-D[a, 1, 5]", "+I[a, 3, 3]", "-D[a, 2, 4]", "+I[a, 1, 1]",
            ])
        #expect(
            try texts(RankDescription(partition: [0], order: order, end: 2, outputsRank: true, input: .retract), changes) == [
                "+I[a, 1, 5, 1]", "+I[a, 2, 4, 2]", "-U[a, 1, 5, 1]", "+U[a, 2, 4, 1]", "-U[a, 2, 4, 2]", "+U[a, 3, 3, 2]", "-U[a, 2, 4, 1]", "+U[a, 3, 3, 1]",
                "-U[a, 3, 3, 2]", "+U[a, 1, 1, 2]",
            ])
        // A row that is known by its key moves up: the ranks that it passes change.
        let upserts = [insert("a", 1, 1), insert("a", 2, 2), insert("a", 3, 3), Change(kind: 2, values: ["a", 1, 9]), Change(kind: 2, values: ["a", 3, 3])]
        #expect(
            try texts(RankDescription(partition: [0], order: order, end: 3, outputsRank: true, input: .upsert(key: [0, 1])), upserts).suffix(8) == [
                "-U[a, 3, 3, 1]", "+U[a, 1, 9, 1]", "-U[a, 2, 2, 2]", "+U[a, 3, 3, 2]", "-U[a, 1, 1, 3]", "+U[a, 2, 2, 3]", "-U[a, 3, 3, 2]", "+U[a, 3, 3, 2]",
            ])
    }

    /// LIMIT without an order: the first rows there are.
    @Test func limits() throws {
        let limit = try TableHarness(.limit(LimitDescription(offset: 2, fetch: 3)), inputs: [Self.three], output: Self.three)
        try limit.process((0..<4).map { Change(kind: 0, values: ["a", .int64($0), 0]) })
        let again = try TableHarness(.limit(LimitDescription(offset: 2, fetch: 3)), inputs: [Self.three], output: Self.three, from: try limit.snapshot())
        try again.process((4..<9).map { Change(kind: 0, values: ["a", .int64($0), 0]) })
        #expect((limit.take() + again.take()).map { $0.values[1] } == [2, 3, 4])
        #expect(
            try texts(RankDescription(partition: [], order: [], end: 2, outputsRank: false, input: .retract), [insert("a", 1, 0), insert("a", 2, 0), insert("a", 3, 0), delete("a", 1, 0)])
                == ["+I[a, 1, 0]", "+I[a, 2, 0]", "-D[a, 1, 0]", "+I[a, 3, 0]"])
    }
}
