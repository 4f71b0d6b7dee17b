import Columnar
import Dataflow
import Operators
import Plan
import TestColumns
import Testing

/// Deduplication, normalization, materialization: what gives a row for each key.
@Suite struct LastRowTests {
    static let schema = Schema([Field("k", .string), Field("t", DataType(.timestamp(3))), Field("v", .bigInt)])

    static func row(_ random: inout TestColumns.SeededRandom, time: Int64) -> [Scalar] {
        [random.chance(15) ? .null : .string("k\(random.int(0..<5))"), .int64(time), .int64(Int64(random.int(0..<3)))]
    }

    /// Keeps the last or first row of each key, by the order of rows or by time; goes on from files.
    @Test(arguments: 0..<60) func deduplication(seed: Int) throws {
        var random = TestColumns.SeededRandom(seed)
        let (byTime, keepsLast) = (seed % 2 == 0, seed % 4 < 2)
        let deduplicate = DeduplicateDescription(
            keys: [0], order: byTime ? .eventTime(column: 1) : .processingTime, keepsLast: keepsLast)
        func harness(_ parallelism: Int, _ checkpoint: SnapshotHarness? = nil) throws -> TableHarness {
            try TableHarness(.deduplicate(deduplicate), inputs: [Self.schema], output: Self.schema, parallelism: parallelism, isFull: seed % 3 == 0, from: checkpoint)
        }
        var operation = try harness(random.int(1..<4))
        var table = TableModel()
        var rows: [[Scalar]] = []
        var watermark = Int64.min
        var emitted: Set<Scalar> = []
        var time: Int64 = 1_000
        for step in 0..<20 {
            var batch: [[Scalar]] = []
            for _ in 0..<random.int(1..<8) {
                time += Int64(random.int(0..<5))
                batch.append(Self.row(&random, time: time - Int64(random.int(0..<20))))
            }
            try operation.process(batch.map { Change(kind: 0, values: $0) })
            func millis(_ row: [Scalar]) -> Int64 { if case .int64(let value) = row[1] { value } else { 0 } }
            // A first row by time that comes behind the watermark is dropped.
            rows += byTime && !keepsLast ? batch.filter { millis($0) > watermark && !emitted.contains($0[0]) } : batch
            if random.chance(40) {
                watermark = max(watermark, time - Int64(random.int(0..<30)))
                try operation.watermark(watermark)
            }
            var expected: [Scalar: [Scalar]] = [:]
            for row in rows {
                guard let old = expected[row[0]] else {
                    expected[row[0]] = row
                    continue
                }
                let replaces = byTime ? (keepsLast ? millis(row) >= millis(old) : millis(row) < millis(old)) : keepsLast
                if replaces { expected[row[0]] = row }
            }
            if byTime, !keepsLast {
                expected = expected.filter { millis($0.value) <= watermark }
                emitted.formUnion(expected.keys)
            }
            let problem = table.apply(operation.take())
            #expect(problem == nil, "seed \(seed) step \(step)")
            #expect(TableModel.text(table.rows) == TableModel.text(TableModel.of(Array(expected.values))), "seed \(seed) step \(step)")
            if random.chance(20) { operation = try harness(random.int(1..<5), try operation.snapshot()) }
        }
    }

    @Test func deduplicationOrder() throws {
        func texts(_ description: DeduplicateDescription, _ changes: [Change], watermarks: [Int64] = []) throws -> [String] {
            let operation = try TableHarness(.deduplicate(description), inputs: [Self.schema], output: Self.schema)
            try operation.process(changes)
            for watermark in watermarks { try operation.watermark(watermark) }
            return operation.texts()
        }
        let rows = [insert("a", 5, 1), insert("b", 6, 1), insert("a", 4, 2), insert("a", 5, 3), insert("a", 5, 3), insert("b", 3, 9)]
        #expect(
            try texts(DeduplicateDescription(keys: [0], order: .eventTime(column: 1), keepsLast: true), rows) == [
                "+I[a, 5, 1]", "+I[b, 6, 1]", "-U[a, 5, 1]", "+U[a, 5, 3]", "-U[a, 5, 3]", "+U[a, 5, 3]",
            ])
        #expect(
            try texts(DeduplicateDescription(keys: [0], order: .processingTime, keepsLast: true), rows) == [
                "+I[a, 5, 1]", "+I[b, 6, 1]", "-U[a, 5, 1]", "+U[a, 4, 2]", "-U[a, 4, 2]", "+U[a, 5, 3]", "-U[b, 6, 1]", "+U[b, 3, 9]",
            ])
        #expect(
            try texts(DeduplicateDescription(keys: [0], order: .processingTime, keepsLast: true, generatesUpdateBefore: false), Array(rows.prefix(3))) == [
                "+I[a, 5, 1]", "+I[b, 6, 1]", "+U[a, 4, 2]",
            ])
        #expect(try texts(DeduplicateDescription(keys: [0], order: .processingTime, keepsLast: false), rows) == ["+I[a, 5, 1]", "+I[b, 6, 1]"])
        #expect(
            try texts(DeduplicateDescription(keys: [0], order: .eventTime(column: 1), keepsLast: false), rows, watermarks: [2, 3, 9]) == ["+I[b, 3, 9]", "+I[a, 4, 2]"])
        let late = try TableHarness(
            .deduplicate(DeduplicateDescription(keys: [0], order: .eventTime(column: 1), keepsLast: false)), inputs: [Self.schema], output: Self.schema)
        try late.watermark(4)
        try late.process(rows)
        #expect(late.lateRecordsDropped == 2)
        #expect(throws: MillstreamError.self) { try late.process([insert("a", nil, 1)]) }
    }

    /// BATCH mode gives the last rows alone.
    @Test func deduplicationInBatchMode() throws {
        let operation = try TableHarness(
            .deduplicate(DeduplicateDescription(keys: [0], order: .eventTime(column: 1), keepsLast: true)), inputs: [Self.schema], output: Self.schema, isBatch: true)
        try operation.process([insert("a", 5, 1), insert("b", 6, 1), insert("a", 7, 2)])
        #expect(operation.texts() == [])
        try operation.watermark(.max)
        #expect(operation.texts() == ["+I[a, 7, 2]", "+I[b, 6, 1]"])
    }

    /// Upserts by key, and deletes of rows that are there or not, give a whole changelog.
    @Test(arguments: 0..<30) func normalization(seed: Int) throws {
        var random = TestColumns.SeededRandom(seed)
        func harness(_ checkpoint: SnapshotHarness? = nil) throws -> TableHarness {
            try TableHarness(
                .changelogNormalize(ChangelogNormalizeDescription(keys: [0])), inputs: [Self.schema], output: Self.schema, parallelism: random.int(1..<4), from: checkpoint)
        }
        var operation = try harness()
        var table = TableModel()
        var expected: [Scalar: [Scalar]] = [:]
        for _ in 0..<20 {
            var changes: [Change] = []
            for _ in 0..<random.int(1..<10) {
                let row = Self.row(&random, time: Int64(random.int(0..<3)))
                let kind = Int8([0, 2, 2, 3, 1][random.int(0..<5)])
                changes.append(Change(kind: kind, values: row))
                expected[row[0]] = kind == 0 || kind == 2 ? row : nil
            }
            try operation.process(changes)
            let problem = table.apply(operation.take())
            #expect(problem == nil, "seed \(seed)")
            #expect(TableModel.text(table.rows) == TableModel.text(TableModel.of(Array(expected.values))), "seed \(seed)")
            if random.chance(20) { operation = try harness(try operation.snapshot()) }
        }
    }

    @Test func normalizationOrder() throws {
        let changes = [
            insert("a", 1, 1), insert("a", 1, 1), Change(kind: 2, values: ["a", 1, 2]), delete("a", nil, nil), delete("a", nil, nil), Change(kind: 2, values: ["a", 1, 3]),
        ]
        for (generates, expected) in [
            (true, ["+I[a, 1, 1]", "-U[a, 1, 1]", "+U[a, 1, 2]", "-D[a, 1, 2]", "+I[a, 1, 3]"]), (false, ["+I[a, 1, 1]", "+U[a, 1, 2]", "-D[a, 1, 2]", "+I[a, 1, 3]"]),
        ] {
            let operation = try TableHarness(
                .changelogNormalize(ChangelogNormalizeDescription(keys: [0], generatesUpdateBefore: generates)), inputs: [Self.schema], output: Self.schema)
            try operation.process(changes)
            #expect(operation.texts() == expected)
        }
    }

    /// However the changes of rows of one key come mixed, the key's row at the end is one that is left, and the changes are those of a table with the key.
    @Test(arguments: 0..<40) func materialization(seed: Int) throws {
        var random = TestColumns.SeededRandom(seed)
        func harness(_ checkpoint: SnapshotHarness? = nil) throws -> TableHarness {
            try TableHarness(
                .upsertMaterialize(UpsertMaterializeDescription(keys: [0])), inputs: [Self.schema], output: Self.schema, parallelism: random.int(1..<4), isFull: seed % 2 == 0,
                from: checkpoint)
        }
        var operation = try harness()
        var log = RandomChangelog { Self.row(&$0, time: Int64($0.int(0..<2))) }
        var view: [Scalar: [Scalar]] = [:]
        for step in 0..<20 {
            let changes = log.next(random.int(1..<10), &random)
            try operation.process(changes)
            for change in operation.take() {
                switch change.kind {
                case 0: #expect(view[change.values[0]] == nil)
                case 2: #expect(view[change.values[0]] != nil)
                default: #expect(change.kind == 3 && view[change.values[0]] != nil)
                }
                view[change.values[0]] = change.kind == 3 ? nil : change.values
            }
            // The last of each key's rows in the order in which they came.
            var expected: [Scalar: [Scalar]] = [:]
            for row in log.rows { expected[row[0]] = row }
            #expect(view == expected, "seed \(seed) step \(step)")
            if random.chance(20) { operation = try harness(try operation.snapshot()) }
        }
    }
}
