import Columnar
import Dataflow
import Operators
import Plan
import TestColumns
import TestRows
import Testing

/// Rows of `RandomTable` with a time behind them, for windows and OVER.
enum TimedTable {
    static let schema = Schema(RandomTable.schema.fields + [Field("ts", DataType(.timestamp(3)))])
    static var timeColumn: Int { schema.fields.count - 1 }

    static func batch(_ changes: [(kind: RowKind, row: [Scalar])], times: [Int64]) throws -> Batch {
        var batch = try RandomTable.batch(changes)
        batch.columns.append(try Rows.column(DataType(.timestamp(3)), times.map { .int64($0) }))
        batch.schema = schema
        return batch
    }

    static func make(_ operation: AggregateOperation, output: Schema, isBatch: Bool = false) throws -> any Operator {
        let node = Node(id: NodeID(1), name: "windows", inputs: [Edge(source: NodeID(0))], operation: .aggregate(operation), output: output)
        return try OperatorFactory.make(for: node, inputs: [schema], bindings: Bindings(), isBatch: isBatch)
    }
}

/// Window aggregation against a model that keeps each window's rows.
@Suite struct WindowAggregateTests {
    static let shapes: [String: (window: WindowTable, windows: @Sendable (Int64) -> [Range<Int64>])] = [
        "TUMBLE": (WindowTable(.tumble(size: 10), offset: 3, timeColumn: TimedTable.timeColumn), { time in hop(time, 10, 10, 3) }),
        "HOP": (WindowTable(.hop(slide: 5, size: 15), offset: 2, timeColumn: TimedTable.timeColumn), { time in hop(time, 5, 15, 2) }),
        "CUMULATE": (
            WindowTable(.cumulate(step: 4, size: 12), offset: 1, timeColumn: TimedTable.timeColumn),
            { time in
                let first = floor(time - 1, 12) + 1
                let ends: [Int64] = [first + 4, first + 8, first + 12]
                return ends.filter { $0 > time }.map { first..<$0 }
            }
        ),
    ]

    static func floor(_ time: Int64, _ size: Int64) -> Int64 { time - ((time % size) + size) % size }

    static func hop(_ time: Int64, _ slide: Int64, _ size: Int64, _ offset: Int64) -> [Range<Int64>] {
        var result: [Range<Int64>] = []
        var start = floor(time - offset, slide) + offset
        while start > time - size {
            result.append(start..<start + size)
            start -= slide
        }
        return result
    }

    static let names = [
        "COUNT(*)", "SUM(i)", "MIN(s)", "MAX(d)", "DISTINCT COUNT(i)", "COLLECT(s)", "AVG(m)", "COUNT(*) FILTER (b)", "STDDEV_POP(d)",
    ]

    static func output(_ calls: [AggregateExpression], keys: [Int]) -> Schema {
        let time = DataType(.timestamp(3), isNullable: false)
        return Schema(GroupAggregateTests.schema(calls, keys: keys).fields + ["window_start", "window_end", "window_time"].map { Field($0, time) })
    }

    @Test("Windows give what their rows give, and rows of windows that have come out do not count", arguments: shapes.keys.sorted(), [false, true])
    func windows(shape: String, retracts: Bool) throws {
        guard let (window, assigned) = Self.shapes[shape] else { return }
        for seed in 0..<8 {
            let calls = GroupAggregateTests.calls(Self.names)
            let keys = seed % 4 == 3 ? [] : [0]
            let description = WindowAggregateDescription(
                window: window, keys: keys, aggregates: calls, bounds: [.start, .end, .time], inputRetracts: retracts)
            let harness = try OperatorHarness(try TimedTable.make(.window(description), output: Self.output(calls, keys: keys)))
            harness.isFull = seed % 2 == 0
            var table = RandomTable(seed: 31 * seed + 5, keyCount: 3, retracts: false, hasSpecials: false)
            var open: [Int64: [String: (start: Int64, key: [Scalar], rowCount: Int, calls: [AggregateModel])]] = [:]
            var watermark = Int64.min, late = 0
            var there: [(row: [Scalar], time: Int64)] = []
            for round in 0..<12 {
                var changes: [(kind: RowKind, row: [Scalar])] = [], times: [Int64] = []
                for _ in 0..<(1 + table.draw(20)) {
                    if retracts, !there.isEmpty, table.draw(3) == 0 {
                        let (row, time) = there.remove(at: table.draw(there.count))
                        changes.append((.delete, row))
                        times.append(time)
                    } else {
                        let time = Int64(round * 6 + table.draw(24) - 14)
                        changes.append((.insert, table.row()))
                        times.append(time)
                        // Of a row that is late nothing is taken back: it has not come.
                        if assigned(time).allSatisfy({ $0.upperBound - 1 > watermark }) { there.append((changes[changes.count - 1].row, time)) }
                    }
                }
                for (change, time) in zip(changes, times) {
                    let windows = assigned(time).filter { $0.upperBound - 1 > watermark }
                    if windows.isEmpty { late += 1 }
                    for window in windows {
                        let key = keys.map { change.row[$0] }
                        var group =
                            open[window.upperBound, default: [:]]["\(key)"] ?? (
                                window.lowerBound, key, 0, calls.map { AggregateModel($0, input: RandomTable.schema.types) }
                            )
                        group.rowCount += change.kind == .delete ? -1 : 1
                        for place in group.calls.indices {
                            if change.kind == .delete { group.calls[place].retract(change.row) } else { group.calls[place].add(change.row) }
                        }
                        open[window.upperBound, default: [:]]["\(key)"] = group
                    }
                }
                try harness.process(try TimedTable.batch(changes, times: times))
                watermark = round == 11 ? .max : max(watermark, Int64(round * 6 - table.draw(8)))
                let before = harness.batches.count
                try harness.watermark(watermark)
                var expected: [String] = []
                for end in open.keys.sorted() where end - 1 <= watermark {
                    for group in (open.removeValue(forKey: end) ?? [:]).values where !(retracts && shape != "TUMBLE" && group.rowCount == 0) {
                        let bounds = [group.start, end, end - 1].map { Scalar.int64($0) }
                        let row: [Scalar] = group.key + group.calls.map(\.result) + bounds
                        expected.append("+I " + row.map { AggregateModel.text($0) }.joined(separator: ", "))
                    }
                }
                let lines = try harness.batches[before...].flatMap { try GroupAggregateTests.lines($0) }
                expectEqual(lines.sorted(), expected.sorted(), "\(shape) seed \(seed) round \(round)")
            }
            #expect(harness.metrics.lateRecordsDropped.value == late)
            #expect(open.isEmpty)
        }
    }

    @Test func sessionsAreOfTheirKeysAndTouch() throws {
        let calls = GroupAggregateTests.calls(["COUNT(*)", "SUM(i)", "LISTAGG(s)"])
        let window = WindowTable(.session(gap: 5, partitionBy: [0]), timeColumn: TimedTable.timeColumn)
        for keys in [[0], []] {
            let description = WindowAggregateDescription(window: window, keys: keys, aggregates: calls, bounds: [.start, .end])
            let time = DataType(.timestamp(3), isNullable: false)
            let output = Schema(GroupAggregateTests.schema(calls, keys: keys).fields + ["window_start", "window_end"].map { Field($0, time) })
            let harness = try OperatorHarness(try TimedTable.make(.window(description), output: output))
            func row(_ key: Int64?, _ number: Int64, _ text: String) -> (kind: RowKind, row: [Scalar]) {
                (.insert, [key.map { .int64($0) } ?? .null, .null, .int64(number), .null, .null, .null, .string(text), .null])
            }
            try harness.process(try TimedTable.batch([row(nil, 1, "a"), row(1, 2, "b"), row(nil, 3, "c"), row(nil, 4, "d")], times: [1, 2, 6, 12]))
            try harness.watermark(100)
            let lines = try harness.batches.flatMap { try GroupAggregateTests.lines($0) }
            #expect(
                lines
                    == (keys.isEmpty
                        ? ["+I int64(3), int64(6), a|b|c, int64(1), int64(11)", "+I int64(1), int64(4), d, int64(12), int64(17)"]
                        : [
                            "+I int64(1), int64(1), int64(2), b, int64(2), int64(7)", "+I null, int64(2), int64(4), a|c, int64(1), int64(11)",
                            "+I null, int64(1), int64(4), d, int64(12), int64(17)",
                        ]))
        }
    }

    @Test("A table function gives each row once for each of its windows", arguments: shapes.keys.sorted())
    func windowTable(shape: String) throws {
        guard let (window, assigned) = Self.shapes[shape] else { return }
        let time = DataType(.timestamp(3), isNullable: false)
        let output = Schema(TimedTable.schema.fields + ["window_start", "window_end", "window_time"].map { Field($0, time) })
        let harness = try OperatorHarness(try TimedTable.make(.windowTable(window), output: output))
        var table = RandomTable(seed: 9, keyCount: 3, retracts: true)
        let changes = table.changes(60)
        let times = changes.map { _ in Int64(table.draw(100) - 50) }
        try harness.process(try TimedTable.batch(changes, times: times))
        var expected: [String] = []
        for (change, time) in zip(changes, times) {
            for window in assigned(time) {
                let bounds = [time, window.lowerBound, window.upperBound, window.upperBound - 1].map { Scalar.int64($0) }
                let row: [Scalar] = change.row + bounds
                let kind = ["+I ", "-U ", "+U ", "-D "][Int(change.kind.rawValue)]
                expected.append(kind + row.map { AggregateModel.text($0) }.joined(separator: ", "))
            }
        }
        #expect(try harness.batches.flatMap { try GroupAggregateTests.lines($0) } == expected)
    }

    @Test func daysOfALocalZone() throws {
        // The day of New York on which clocks go forward has 23 hours.
        let type = DataType(.timestampLTZ(3))
        let calls = [AggregateExpression(.builtIn(.countAll), [], DataType.bigInt.notNull)]
        let window = WindowTable(.tumble(size: 86_400_000), timeColumn: 0, timeZone: "America/New_York")
        let local = DataType(.timestamp(3), isNullable: false)
        let output = Schema([
            Field("c", DataType.bigInt.notNull), Field("s", local), Field("e", local), Field("t", DataType(.timestampLTZ(3), isNullable: false)),
        ])
        let node = Node(
            id: NodeID(1), name: "windows", inputs: [Edge(source: NodeID(0))],
            operation: .aggregate(.window(WindowAggregateDescription(window: window, keys: [], aggregates: calls, bounds: [.start, .end, .time]))),
            output: output)
        let schema = Schema([Field("ts", type)])
        let harness = try OperatorHarness(try OperatorFactory.make(for: node, inputs: [schema], bindings: Bindings()))
        // 2024-03-10 05:00 UTC is local midnight; the day ends at 2024-03-11 04:00 UTC.
        let start: Int64 = 1_710_046_800_000, hour: Int64 = 3_600_000
        try harness.process(try Rows.batch(schema, [try Rows.column(type, [start, start + 22 * hour, start + 23 * hour].map { .int64($0) })]))
        try harness.watermark(start + 23 * hour - 2)
        #expect(try harness.rows().isEmpty)
        try harness.watermark(start + 23 * hour - 1)
        let midnight: Int64 = 1_710_028_800_000
        #expect(try harness.rows() == [[.int64(2), .int64(midnight), .int64(midnight + 24 * hour), .int64(start + 23 * hour - 1)]])
    }
}
