import Columnar
import Dataflow
import Operators
import Plan
import TestColumns
import Testing

@Suite struct JoinOperatorTests {
    static let left = Schema([Field("k", .bigInt), Field("f", .boolean), Field("s", .string)])
    static let right = Schema([Field("k", .bigInt), Field("f", .boolean), Field("n", DataType(.array(.string)))])
    static let both = Schema((left.fields + right.fields).map { Field($0.name, $0.type.nullable) })
    static let kinds: [JoinKind] = [.inner, .left, .right, .full, .semi, .anti]

    static func output(_ kind: JoinKind) -> Schema { kind == .semi || kind == .anti ? left : both }

    static func row(_ random: inout TestColumns.SeededRandom, _ keyCount: Int, isRight: Bool) -> [Scalar] {
        let key: Scalar = random.chance(15) ? .null : .int64(Int64(random.int(0..<keyCount)))
        let flag: Scalar = random.chance(20) ? .null : .boolean(random.chance(60))
        let text: Scalar = random.chance(20) ? .null : .string(random.chance(50) ? "s\(random.int(0..<3))" : "a text that is longer than a view \(random.int(0..<3))")
        return [key, flag, isRight ? .list([text]) : text]
    }

    /// f OR f of both sides, or nothing.
    static let condition = ScalarExpression.call(.or, [.column(1, .boolean), .column(4, .boolean)], .boolean)

    static func expected(
        _ kind: JoinKind, _ left: [[Scalar]], _ right: [[Scalar]], matchesNulls: Bool, isCross: Bool, hasCondition: Bool
    ) -> [[Scalar]: Int] {
        func meet(_ l: [Scalar], _ r: [Scalar]) -> Bool {
            if !isCross { if l[0] != r[0] || l[0] == .null && !matchesNulls { return false } }
            return !hasCondition || l[1] == .boolean(true) || r[1] == .boolean(true)
        }
        let nulls: [Scalar] = [.null, .null, .null]
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
        return TableModel.of(rows)
    }

    /// After each batch the changes that came out give the join of what came in.
    @Test(arguments: 0..<120) func changelogs(seed: Int) throws {
        var random = TestColumns.SeededRandom(seed)
        let kind = Self.kinds[seed % 6]
        let (matchesNulls, hasCondition, isCross) = (random.chance(30), random.chance(50), random.chance(15))
        let uniqueness = random.int(0..<3)
        let keyCount = random.int(1..<5)
        // A unique key may be the join's, or the text.
        let unique: [Int]? = isCross || uniqueness == 0 ? nil : uniqueness == 1 ? [0] : [0, 2]
        let side = JoinSide(uniqueness: unique == nil ? .none : uniqueness == 1 ? .joinKey : .columns([2]))
        var logs = [false, true].map { isRight in RandomChangelog(unique: unique) { Self.row(&$0, keyCount, isRight: isRight) } }
        if random.chance(20) { logs[0].retractions = 0 }
        if random.chance(20) { logs[1].retractions = 0 }
        let keys = isCross ? JoinKeys(left: [], right: []) : JoinKeys(left: [0], right: [0], matchesNulls: [matchesNulls])
        let description = JoinDescription(kind: kind, keys: keys, condition: hasCondition ? Self.condition : nil, left: side, right: side)
        let isFull = random.chance(50)
        let parallelism = isCross ? 1 : random.int(1..<4)
        func harness(_ parallelism: Int, _ checkpoint: SnapshotHarness? = nil) throws -> TableHarness {
            try TableHarness(
                .join(description), inputs: [Self.left, Self.right], output: Self.output(kind), parallelism: parallelism, isFull: isFull, from: checkpoint)
        }
        var join = try harness(parallelism)
        var table = TableModel()
        for step in 0..<24 {
            let input = random.int(0..<2)
            try join.process(logs[input].next(random.int(1..<12), &random), input: input)
            let changes = join.take()
            let context = "seed \(seed) \(kind) step \(step) unique \(uniqueness) cross \(isCross) nulls \(matchesNulls) condition \(hasCondition)"
            let problem = table.apply(changes)
            #expect(problem == nil, "\(context)")
            let expected = Self.expected(kind, logs[0].rows, logs[1].rows, matchesNulls: matchesNulls, isCross: isCross, hasCondition: hasCondition)
            #expect(table.rows == expected, "\(context)")
            if table.rows != expected || problem != nil { return }
            // Goes on from a file, in as many subtasks as before or not.
            if random.chance(15) { join = try harness(isCross ? 1 : random.int(1..<5), try join.snapshot()) }
        }
    }

    /// In BATCH mode the result is the same, as inserts alone, whichever input comes first.
    @Test(arguments: 0..<60) func batchMode(seed: Int) throws {
        var random = TestColumns.SeededRandom(seed &+ 1_000)
        let kind = Self.kinds[seed % 6]
        let (matchesNulls, hasCondition, isCross) = (random.chance(30), random.chance(50), random.chance(15))
        let keys = isCross ? JoinKeys(left: [], right: []) : JoinKeys(left: [0], right: [0], matchesNulls: [matchesNulls])
        let description = JoinDescription(kind: kind, keys: keys, condition: hasCondition ? Self.condition : nil)
        let join = try TableHarness(.join(description), inputs: [Self.left, Self.right], output: Self.output(kind), isBatch: true, isFull: random.chance(50))
        var rows: [[[Scalar]]] = [[], []]
        var isOpen = [true, true]
        for _ in 0..<random.int(0..<16) {
            let input = random.int(0..<2)
            guard isOpen[input] else { continue }
            let batch = (0..<random.int(1..<12)).map { _ in Self.row(&random, 4, isRight: input == 1) }
            rows[input] += batch
            try join.process(batch.map { Change(kind: 0, values: $0) }, input: input)
            if random.chance(10) {
                isOpen[input] = false
                try join.end(input: input)
            }
        }
        if random.chance(50) { try join.watermark(.max) }
        for input in 0..<2 where isOpen[input] { try join.end(input: input) }
        try join.watermark(.max)
        let changes = join.take()
        #expect(changes.allSatisfy { $0.kind == 0 })
        #expect(
            TableModel.of(changes.map(\.values))
                == Self.expected(kind, rows[0], rows[1], matchesNulls: matchesNulls, isCross: isCross, hasCondition: hasCondition), "seed \(seed) \(kind)")
    }

    static let two = Schema([Field("a", .bigInt), Field("s", .string)])
    static let four = Schema(two.fields + two.fields)

    static func harness(_ kind: JoinKind, left: JoinSide = JoinSide(), right: JoinSide = JoinSide(), isFull: Bool = false) throws -> TableHarness {
        try TableHarness(
            .join(JoinDescription(kind: kind, keys: JoinKeys(left: [0], right: [0]), left: left, right: right)), inputs: [two, two],
            output: kind == .semi || kind == .anti ? two : four, isFull: isFull)
    }

    /// As Flink's changelogs are, change by change.
    @Test func orderOfChanges() throws {
        let join = try Self.harness(.left)
        try join.process([insert(1, "a"), insert(2, "b"), insert(2, "b2"), insert(nil, "d")])
        #expect(join.texts() == ["+I[1, a, null, null]", "+I[2, b, null, null]", "+I[2, b2, null, null]", "+I[null, d, null, null]"])
        try join.process([insert(2, "y"), insert(2, "y2"), insert(nil, "n")], input: 1)
        #expect(
            join.texts() == [
                "-D[2, b, null, null]", "-D[2, b2, null, null]", "+I[2, b, 2, y]", "+I[2, b2, 2, y]", "+I[2, b, 2, y2]", "+I[2, b2, 2, y2]",
            ])
        try join.process([Change(kind: 1, values: [2, "y"]), Change(kind: 2, values: [2, "z"]), delete(2, "y2"), delete(2, "z")], input: 1)
        #expect(
            join.texts() == [
                "-U[2, b, 2, y]", "-U[2, b2, 2, y]", "+I[2, b, 2, z]", "+I[2, b2, 2, z]", "-D[2, b, 2, y2]", "-D[2, b2, 2, y2]", "-D[2, b, 2, z]", "-D[2, b2, 2, z]",
                "+I[2, b, null, null]", "+I[2, b2, null, null]",
            ])
        try join.process([Change(kind: 1, values: [2, "b"]), delete(nil, "d")])
        #expect(join.texts() == ["-D[2, b, null, null]", "-D[null, d, null, null]"])
        let inner = try Self.harness(.inner)
        try inner.process([insert(1, "a")])
        try inner.process([insert(1, "x")], input: 1)
        try inner.process([Change(kind: 1, values: [1, "a"]), Change(kind: 2, values: [1, "b"])])
        #expect(inner.texts() == ["+I[1, a, 1, x]", "-U[1, a, 1, x]", "+U[1, b, 1, x]"])
        let anti = try Self.harness(.anti)
        try anti.process([insert(1, "a"), insert(nil, "n")])
        try anti.process([insert(1, "x"), insert(1, "y"), delete(1, "x"), Change(kind: 1, values: [1, "y"])], input: 1)
        #expect(anti.texts() == ["+I[1, a]", "+I[null, n]", "-D[1, a]", "+I[1, a]"])
    }

    /// A key that meets very many rows comes out in pieces, and the output's room is asked for between them.
    @Test func manyMatches() throws {
        let join = try Self.harness(.full, isFull: true)
        let count = 30_000
        try join.process((0..<count).map { Change(kind: 0, values: [7, .string("left \($0)")]) })
        _ = join.take()
        try join.process([insert(7, "right")], input: 1)
        let changes = join.take()
        #expect(changes.count == 2 * count)
        #expect(changes[..<count].allSatisfy { $0.kind == 3 && $0.values[2] == nil } && changes[count...].allSatisfy { $0.kind == 0 && $0.values[3] == "right" })
        #expect(changes[count + 12_345].values[1] == "left 12345")
        #expect(join.batchCountMax <= 4096)
    }

    /// A row that has not changed for its time to live is not there any more, to the millisecond.
    @Test func timeToLive() throws {
        let join = try Self.harness(.inner, left: JoinSide(timeToLive: 1_000))
        try join.process([insert(1, "a")])
        try join.advance(milliseconds: 999)
        try join.process([insert(1, "x")], input: 1)
        #expect(join.texts() == ["+I[1, a, 1, x]"])
        try join.advance(milliseconds: 1)
        try join.process([insert(1, "y")], input: 1)
        #expect(join.texts() == [])
        try join.process([insert(1, "b")])
        #expect(join.texts() == ["+I[1, b, 1, x]", "+I[1, b, 1, y]"])
        try join.advance(milliseconds: 500)
        let restored = try join.snapshot()
        let again = try TableHarness(
            .join(JoinDescription(kind: .inner, keys: JoinKeys(left: [0], right: [0]), left: JoinSide(timeToLive: 1_000))), inputs: [Self.two, Self.two],
            output: Self.four, parallelism: 2, from: restored)
        try again.advance(milliseconds: 1_999)
        try again.process([insert(1, "z")], input: 1)
        #expect(again.texts() == ["+I[1, b, 1, z]"])
        try again.advance(milliseconds: 1)
        try again.process([insert(1, "z")], input: 1)
        #expect(again.texts() == [])
    }
}
