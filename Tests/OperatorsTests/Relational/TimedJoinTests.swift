import Columnar
import Dataflow
import Operators
import Plan
import TestColumns
import Testing

/// Joins that look at times: intervals, versions, windows.
@Suite struct TimedJoinTests {
    static let schema = Schema([Field("k", .bigInt), Field("t", DataType(.timestamp(3))), Field("f", .boolean), Field("id", .bigInt)])
    static let both = Schema((schema.fields + schema.fields).map { Field($0.name, $0.type.nullable) })
    static let kinds: [JoinKind] = [.inner, .left, .right, .full, .semi, .anti]
    static let nulls: [Scalar] = [.null, .null, .null, .null]
    static let condition = ScalarExpression.call(.or, [.column(2, .boolean), .column(6, .boolean)], .boolean)

    static func output(_ kind: JoinKind) -> Schema { kind == .semi || kind == .anti ? schema : both }
    static func time(_ row: [Scalar]) -> Int64 { if case .int64(let value) = row[1] { value } else { 0 } }

    static func row(_ random: inout TestColumns.SeededRandom, time: Int64, id: Int) -> [Scalar] {
        [random.chance(15) ? .null : .int64(Int64(random.int(0..<3))), .int64(time), random.chance(20) ? .null : .boolean(random.chance(60)), .int64(Int64(id))]
    }

    static func expected(_ kind: JoinKind, _ left: [[Scalar]], _ right: [[Scalar]], _ meet: ([Scalar], [Scalar]) -> Bool) -> [[Scalar]] {
        var rows: [[Scalar]] = []
        for l in left {
            let matches = right.filter { meet(l, $0) }
            switch kind {
            case .semi: if !matches.isEmpty { rows.append(l) }
            case .anti: if matches.isEmpty { rows.append(l) }
            default:
                rows += matches.map { l + $0 }
                if matches.isEmpty, kind == .left || kind == .full { rows.append(l + nulls) }
            }
        }
        if kind == .right || kind == .full { for r in right where !left.contains(where: { meet($0, r) }) { rows.append(nulls + r) } }
        return rows
    }

    /// Without late rows the result at the end is that of the join of all rows; rows with NULLs are out as soon as the watermark says that nothing follows.
    @Test(arguments: 0..<72) func intervals(seed: Int) throws {
        var random = TestColumns.SeededRandom(seed)
        let kind = Self.kinds[seed % 6]
        let lower = Int64(random.int(-10..<6))
        let upper = lower + Int64(random.int(0..<10))
        let hasCondition = random.chance(50)
        let isCross = random.chance(15)
        let join = IntervalJoinDescription(
            kind: kind, keys: isCross ? JoinKeys(left: [], right: []) : JoinKeys(left: [0], right: [0]), condition: hasCondition ? Self.condition : nil,
            time: .event(leftColumn: 1, rightColumn: 1), lower: lower, upper: upper)
        func harness(_ parallelism: Int, _ checkpoint: SnapshotHarness? = nil) throws -> TableHarness {
            try TableHarness(
                .intervalJoin(join), inputs: [Self.schema, Self.schema], output: Self.output(kind), parallelism: isCross ? 1 : parallelism, isFull: seed % 2 == 0,
                from: checkpoint)
        }
        var operation = try harness(random.int(1..<4))
        var rows: [[[Scalar]]] = [[], []]
        var changes: [Change] = []
        var (watermark, time) = (Int64(99), Int64(100))
        for id in 0..<30 {
            let input = random.int(0..<2)
            let batch = (0..<random.int(1..<6)).map { _ -> [Scalar] in
                time += Int64(random.int(0..<3))
                return Self.row(&random, time: max(watermark + 1, time - Int64(random.int(0..<8))), id: id)
            }
            rows[input] += batch
            try operation.process(batch.map { Change(kind: 0, values: $0) }, input: input)
            if random.chance(50) {
                watermark = max(watermark, time - Int64(random.int(0..<12)))
                try operation.watermark(watermark)
            }
            changes += operation.take()
            if random.chance(15) { operation = try harness(random.int(1..<5), try operation.snapshot()) }
        }
        try operation.watermark(.max)
        changes += operation.take()
        let expected = Self.expected(kind, rows[0], rows[1]) { l, r in
            (isCross || l[0] == r[0] && l[0] != .null) && Self.time(l) >= Self.time(r) + lower && Self.time(l) <= Self.time(r) + upper
                && (!hasCondition || l[2] == .boolean(true) || r[2] == .boolean(true))
        }
        #expect(changes.allSatisfy { $0.kind == 0 })
        #expect(TableModel.text(TableModel.of(changes.map(\.values))) == TableModel.text(TableModel.of(expected)), "seed \(seed) \(kind) \(lower) \(upper)")
    }

    /// Rows that have met nobody come out when the watermark has passed what they could meet; the watermark itself is as late as results may be.
    @Test func intervalOrder() throws {
        let join = IntervalJoinDescription(kind: .full, keys: JoinKeys(left: [0], right: [0]), time: .event(leftColumn: 1, rightColumn: 1), lower: -5, upper: 2)
        let operation = try TableHarness(.intervalJoin(join), inputs: [Self.schema, Self.schema], output: Self.both)
        try operation.process([insert(1, 100, nil, 1), insert(nil, 100, nil, 2)])
        #expect(operation.texts() == ["+I[null, 100, null, 2, null, null, null, null]"])
        try operation.watermark(105)
        #expect(operation.texts() == [])
        try operation.watermark(106)
        #expect(operation.texts() == ["+I[1, 100, null, 1, null, null, null, null]"])
        // Too late to wait for anyone.
        try operation.process([insert(1, 90, nil, 3)], input: 1)
        #expect(operation.texts() == ["+I[null, null, null, null, 1, 90, null, 3]"])
    }

    /// Each left row comes out with the last version that is not later, when the watermark has reached it.
    @Test(arguments: 0..<60) func versions(seed: Int) throws {
        var random = TestColumns.SeededRandom(seed)
        let kind: JoinKind = seed % 2 == 0 ? .inner : .left
        let hasCondition = random.chance(40)
        let join = TemporalJoinDescription(
            kind: kind, keys: JoinKeys(left: [0], right: [0]), condition: hasCondition ? Self.condition : nil, leftTimeColumn: 1, rightTimeColumn: 1)
        func harness(_ parallelism: Int, _ checkpoint: SnapshotHarness? = nil) throws -> TableHarness {
            try TableHarness(
                .temporalJoin(join), inputs: [Self.schema, Self.schema], output: Self.both, parallelism: parallelism, isFull: seed % 3 == 0, from: checkpoint)
        }
        var operation = try harness(random.int(1..<4))
        var lefts: [[Scalar]] = []
        var versions: [Change] = []
        var changes: [Change] = []
        var (watermark, time) = (Int64(99), Int64(100))
        for id in 0..<30 {
            time += Int64(random.int(0..<6))
            let input = random.int(0..<2)
            let batch = (0..<random.int(1..<6)).map { _ in Self.row(&random, time: max(watermark + 1, time - Int64(random.int(0..<8))), id: id) }
            if input == 0 {
                lefts += batch
                try operation.process(batch.map { Change(kind: 0, values: $0) })
            } else {
                let given = batch.map { Change(kind: Int8([0, 0, 2, 3, 1][random.int(0..<5)]), values: $0) }
                versions += given
                try operation.process(given, input: 1)
            }
            if random.chance(50) {
                watermark = max(watermark, time - Int64(random.int(0..<12)))
                try operation.watermark(watermark)
            }
            changes += operation.take()
            #expect(TableModel.text(TableModel.of(changes.map(\.values))) == TableModel.text(TableModel.of(expected(upTo: watermark))), "seed \(seed) step \(id)")
            if random.chance(15) { operation = try harness(random.int(1..<5), try operation.snapshot()) }
        }
        func expected(upTo watermark: Int64) -> [[Scalar]] {
            var rows: [[Scalar]] = []
            for l in lefts where Self.time(l) <= watermark {
                var version: Change?
                for candidate in versions where candidate.values[0] == l[0] && l[0] != .null && Self.time(candidate.values) <= Self.time(l) {
                    if version.map({ Self.time($0.values) <= Self.time(candidate.values) }) ?? true { version = candidate }
                }
                if let version, !version.isRetraction, !hasCondition || l[2] == .boolean(true) || version.values[2] == .boolean(true) {
                    rows.append(l + version.values)
                } else if kind == .left {
                    rows.append(l + Self.nulls)
                }
            }
            return rows
        }
    }

    /// Rows of one window and key meet when it is over.
    @Test(arguments: 0..<48) func windows(seed: Int) throws {
        var random = TestColumns.SeededRandom(seed)
        let kind = Self.kinds[seed % 6]
        let hasCondition = random.chance(40)
        // The time column has the window's end.
        let join = WindowJoinDescription(
            kind: kind, keys: JoinKeys(left: [0, 1], right: [0, 1]), condition: hasCondition ? Self.condition : nil, leftEndColumn: 1, rightEndColumn: 1)
        func harness(_ parallelism: Int, _ checkpoint: SnapshotHarness? = nil) throws -> TableHarness {
            try TableHarness(
                .windowJoin(join), inputs: [Self.schema, Self.schema], output: Self.output(kind), parallelism: parallelism, isFull: seed % 2 == 0, from: checkpoint)
        }
        var operation = try harness(random.int(1..<4))
        var rows: [[[Scalar]]] = [[], []]
        var changes: [Change] = []
        var (watermark, end, late) = (Int64.min, Int64(100), Int64(0))
        for id in 0..<30 {
            end += random.chance(30) ? 10 : 0
            let input = random.int(0..<2)
            let batch = (0..<random.int(1..<6)).map { _ in Self.row(&random, time: end - 10 * Int64(random.int(0..<3)), id: id) }
            rows[input] += batch.filter { Self.time($0) - 1 > watermark }
            late += Int64(batch.count { Self.time($0) - 1 <= watermark })
            try operation.process(batch.map { Change(kind: 0, values: $0) }, input: input)
            #expect(operation.lateRecordsDropped == late)
            if random.chance(40) {
                watermark = max(watermark, end - Int64(random.int(0..<25)))
                try operation.watermark(watermark)
            }
            changes += operation.take()
            let over = rows.map { $0.filter { Self.time($0) - 1 <= watermark } }
            let expected = Self.expected(kind, over[0], over[1]) { l, r in
                l[0] == r[0] && l[0] != .null && l[1] == r[1] && (!hasCondition || l[2] == .boolean(true) || r[2] == .boolean(true))
            }
            #expect(TableModel.text(TableModel.of(changes.map(\.values))) == TableModel.text(TableModel.of(expected)), "seed \(seed) step \(id) \(kind)")
            if random.chance(15) {
                operation = try harness(random.int(1..<5), try operation.snapshot())
                late = 0
            }
        }
    }
}
