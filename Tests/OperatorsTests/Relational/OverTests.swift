import Columnar
import Dataflow
import Operators
import Plan
import TestColumns
import TestRows
import Testing

/// OVER against a model that looks at the rows of each frame anew.
@Suite struct OverTests {
    static let names = [
        "COUNT(*)", "SUM(i)", "SUM(d)", "MIN(s)", "MAX(d)", "DISTINCT COUNT(i)", "AVG(m)", "FIRST_VALUE(s)", "LAST_VALUE(s)", "LISTAGG(s)",
        "COUNT(*) FILTER (b)",
    ]

    static func window(
        _ calls: [AggregateExpression], isRows: Bool, start: OverDescription.Window.Bound = .unboundedPreceding,
        end: OverDescription.Window.Bound = .currentRow,
        partitionBy: [Int] = [0], orderBy: [Plan.SortKey] = [Plan.SortKey(TimedTable.timeColumn)]
    ) -> OverDescription.Window {
        OverDescription.Window(partitionBy: partitionBy, orderBy: orderBy, isRows: isRows, start: start, end: end, calls: calls)
    }

    static func output(_ windows: [OverDescription.Window]) -> Schema {
        Schema(TimedTable.schema.fields + windows.flatMap(\.calls).enumerated().map { Field("o\($0.offset)", $0.element.type) })
    }

    /// The rows of a partition in order, with the values that they are ordered by (nil: NULL, which comes first), and what one of them sees.
    struct Partition {
        var rows: [[Scalar]]
        var order: [Int64?]
        var isDescending = false

        func frame(_ window: OverDescription.Window, _ place: Int) -> Range<Int> {
            let peers = rows.indices.filter { order[$0] == order[place] }
            func bound(_ bound: OverDescription.Window.Bound, isEnd: Bool) -> Int {
                func offset(_ scalar: Scalar, _ sign: Int) -> Int {
                    guard case .int64(let distance) = scalar else { return place }
                    if window.isRows { return min(max(0, place + sign * Int(distance) + (isEnd ? 1 : 0)), rows.count) }
                    guard let value = order[place] else { return isEnd ? peers[peers.count - 1] + 1 : peers[0] }
                    let limit = value + Int64(isDescending ? -sign : sign) * distance
                    let inside = rows.indices.filter { other in
                        guard let other = order[other] else { return false }
                        return isDescending ? (isEnd ? other >= limit : other > limit) : (isEnd ? other <= limit : other < limit)
                    }.count
                    // Nulls stand before all values, ascending.
                    return inside + (isDescending ? 0 : order.filter { $0 == nil }.count)
                }
                switch bound {
                case .unboundedPreceding: return 0
                case .unboundedFollowing: return rows.count
                case .currentRow: return window.isRows ? (isEnd ? place + 1 : place) : (isEnd ? peers[peers.count - 1] + 1 : peers[0])
                case .preceding(let scalar): return offset(scalar, -1)
                case .following(let scalar): return offset(scalar, 1)
                }
            }
            let start = bound(window.start, isEnd: false)
            return start..<max(start, bound(window.end, isEnd: true))
        }

        func result(_ call: AggregateExpression, _ window: OverDescription.Window, _ place: Int) -> Scalar {
            guard case .builtIn(let function) = call.function else { return .null }
            let first = rows.indices.first { order[$0] == order[place] } ?? 0
            let last = rows.indices.last { order[$0] == order[place] } ?? 0
            switch function {
            case .rowNumber: return .int64(Int64(place + 1))
            case .rank: return .int64(Int64(first + 1))
            case .denseRank: return .int64(Int64(Set(order[...place].map { "\($0 as Any)" }).count))
            case .percentRank: return .double(rows.count == 1 ? 0 : Double(first) / Double(rows.count - 1))
            case .cumeDist: return .double(Double(last + 1) / Double(rows.count))
            case .ntile:
                guard case .int64(let buckets)? = call.constants.first else { return .null }
                var number = 0, left = rows.count
                for bucket in 1...Int(buckets) {
                    let size = (left + Int(buckets) - bucket) / (Int(buckets) - bucket + 1)
                    number += size
                    left -= size
                    if place < number { return .int64(Int64(bucket)) }
                }
                return .null
            case .lag, .lead:
                var distance = 1
                if case .int64(let rows)? = call.constants.first { distance = Int(rows) }
                let other = function == .lag ? place - distance : place + distance
                if call.ignoresNulls {
                    let known = rows.indices.filter { rows[$0][call.arguments[0]] != .null && (function == .lag ? $0 < place : $0 > place) }
                    let found = function == .lag ? known.reversed().dropFirst(distance - 1).first : known.dropFirst(distance - 1).first
                    return found.map { rows[$0][call.arguments[0]] } ?? (call.arguments.count > 1 ? rows[place][call.arguments[1]] : .null)
                }
                return rows.indices.contains(other)
                    ? rows[other][call.arguments[0]] : call.arguments.count > 1 ? rows[place][call.arguments[1]] : .null
            default:
                var model = AggregateModel(call, input: TimedTable.schema.types)
                for row in frame(window, place) { model.add(rows[row]) }
                return model.result
            }
        }
    }

    private static let ranks = [AggregateFunction.BuiltIn.rowNumber, .rank, .denseRank].map {
        AggregateExpression(.builtIn($0), [], DataType.bigInt.notNull)
    }
    private static let lags = [
        AggregateExpression(.builtIn(.lag), [2], .int), AggregateExpression(.builtIn(.lag), [2, 1], .int, constants: [.int64(2)]),
        AggregateExpression(.builtIn(.lag), [6], .string, constants: [.int64(0)]),
    ].map { call in
        // A default has the type of the value.
        var call = call
        if call.arguments.count > 1 { call.arguments[1] = 2 }
        return call
    }

    static let streaming: [String: @Sendable () -> [OverDescription.Window]] = [
        "RANGE UNBOUNDED": { [window(GroupAggregateTests.calls(names) + ranks, isRows: false)] },
        "ROWS UNBOUNDED": { [window(GroupAggregateTests.calls(names) + ranks + lags, isRows: true)] },
        "ROWS 2": { [window(GroupAggregateTests.calls(names), isRows: true, start: .preceding(.int64(2)))] },
        "ROWS 0": { [window(GroupAggregateTests.calls(names), isRows: true, start: .currentRow)] },
        "RANGE 6": { [window(GroupAggregateTests.calls(names), isRows: false, start: .preceding(.int64(6)))] },
        "several": {
            [
                window(GroupAggregateTests.calls(names), isRows: false, start: .preceding(.int64(6))),
                window(GroupAggregateTests.calls(names) + lags, isRows: true, start: .preceding(.int64(3))),
                window(GroupAggregateTests.calls(names), isRows: true),
            ]
        },
    ]

    @Test("Rows come out as the watermark passes them, with what their frames hold", arguments: streaming.keys.sorted())
    func eventTime(name: String) throws {
        guard let windows = Self.streaming[name]?() else { return }
        let isFromFirst = windows.contains { $0.start == .unboundedPreceding }
        for seed in 0..<4 {
            let harness = try OperatorHarness(
                try TimedTable.make(
                    .over(OverDescription(windows: windows, time: .event(column: TimedTable.timeColumn))), output: Self.output(windows)))
            harness.isFull = seed % 2 == 0
            var table = RandomTable(seed: 77 * seed + 1, keyCount: 3, retracts: false, hasSpecials: false)
            var waiting: [(row: [Scalar], time: Int64)] = []
            var partitions: [String: Partition] = [:]
            var watermark = Int64.min, late = 0
            for round in 0..<10 {
                let changes = table.changes(1 + table.draw(25))
                let times = changes.map { _ in Int64(round * 5 + table.draw(14) - 6) }
                try harness.process(try TimedTable.batch(changes, times: times))
                for (change, time) in zip(changes, times) {
                    let last = (partitions["\(change.row[0])"]?.order.last ?? nil) ?? .min
                    if time <= last || (isFromFirst && time <= watermark) { late += 1 } else { waiting.append((change.row + [.int64(time)], time)) }
                }
                watermark = round == 9 ? .max : max(watermark, Int64(round * 5 - table.draw(4)))
                let before = harness.batches.count
                try harness.watermark(watermark)
                var came: [(key: String, place: Int)] = []
                let places = waiting.indices.filter { waiting[$0].time <= watermark }.sorted { (waiting[$0].time, $0) < (waiting[$1].time, $1) }
                let due = places.map { waiting[$0] }
                waiting.removeAll { $0.time <= watermark }
                for (row, time) in due {
                    let key = "\(row[0])"
                    partitions[key, default: Partition(rows: [], order: [])].rows.append(row)
                    partitions[key]?.order.append(time)
                    came.append((key, (partitions[key]?.rows.count ?? 1) - 1))
                }
                let expected = came.compactMap { key, place -> String? in
                    guard let partition = partitions[key] else { return nil }
                    let results = windows.flatMap { window in window.calls.map { partition.result($0, window, place) } }
                    return "+I " + (partition.rows[place] + results).map { AggregateModel.text($0) }.joined(separator: ", ")
                }
                expectEqual(
                    try harness.batches[before...].flatMap { try GroupAggregateTests.lines($0) }, expected, "\(name) seed \(seed) round \(round)")
            }
            #expect(harness.metrics.lateRecordsDropped.value == late)
        }
    }

    @Test func processingTimeIsTheOrderOfArrival() throws {
        let windows = [
            Self.window(GroupAggregateTests.calls(["COUNT(*)", "SUM(i)"]) + Self.ranks, isRows: false),
            Self.window(GroupAggregateTests.calls(["SUM(i)"]), isRows: true, start: .preceding(.int64(1))),
        ]
        let harness = try OperatorHarness(
            try TimedTable.make(.over(OverDescription(windows: windows, time: .processing)), output: Self.output(windows)))
        var table = RandomTable(seed: 3, keyCount: 2, retracts: false)
        var partitions: [String: Partition] = [:]
        for _ in 0..<5 {
            let changes = table.changes(12)
            try harness.process(try TimedTable.batch(changes, times: changes.map { _ in 0 }))
            let expected = changes.map { change -> String in
                let key = "\(change.row[0])"
                var partition = partitions[key] ?? Partition(rows: [], order: [])
                partition.rows.append(change.row + [.int64(0)])
                // Each row is alone in the order.
                partition.order.append(Int64(partition.order.count))
                partitions[key] = partition
                let results = windows.flatMap { window in window.calls.map { partition.result($0, window, partition.rows.count - 1) } }
                return "+I " + (change.row + [.int64(0)] + results).map { AggregateModel.text($0) }.joined(separator: ", ")
            }
            #expect(try GroupAggregateTests.lines(harness.batches[harness.batches.count - 1]) == expected)
        }
    }

    @Test("All rows of a table that has ended, with any frame", arguments: 0..<24)
    func batch(seed: Int) throws {
        var table = RandomTable(seed: 500 + seed, keyCount: 3, retracts: false, hasSpecials: false)
        let bounds: [OverDescription.Window.Bound] = [
            .unboundedPreceding, .preceding(.int64(3)), .preceding(.int64(1)), .currentRow, .following(.int64(1)), .following(.int64(2)),
            .unboundedFollowing,
        ]
        let first = table.draw(6)
        let last = max(first, 1) + table.draw(7 - max(first, 1))
        let isRows = seed % 2 == 0
        let isDescending = seed % 3 == 0
        // The small numbers of `t` modulo the frame would mean nothing: rows are ordered by their time.
        let order = Plan.SortKey(TimedTable.timeColumn, isDescending: isDescending)
        let more = [
            AggregateExpression(.builtIn(.percentRank), [], DataType.double.notNull),
            AggregateExpression(.builtIn(.cumeDist), [], DataType.double.notNull),
            AggregateExpression(.builtIn(.ntile), [], DataType.bigInt.notNull, constants: [.int64(3)]),
            AggregateExpression(.builtIn(.lead), [2], .int),
            AggregateExpression(.builtIn(.lead), [6], .string, ignoresNulls: true),
            AggregateExpression(.builtIn(.lag), [6], .string, constants: [.int64(2)], ignoresNulls: true),
        ]
        let windows = [
            Self.window(
                GroupAggregateTests.calls(Self.names) + Self.ranks + Self.lags + more, isRows: isRows, start: bounds[first], end: bounds[last],
                orderBy: [order]),
            Self.window(
                GroupAggregateTests.calls(["COUNT(*)"]), isRows: false, start: .unboundedPreceding, end: .unboundedFollowing, partitionBy: [7],
                orderBy: []),
        ]
        let harness = try OperatorHarness(try TimedTable.make(.over(OverDescription(windows: windows)), output: Self.output(windows), isBatch: true))
        var all: [(row: [Scalar], time: Int64)] = []
        for _ in 0..<3 {
            let changes = table.changes(1 + table.draw(30))
            let times = changes.map { _ in Int64(table.draw(20)) }
            try harness.process(try TimedTable.batch(changes, times: times))
            for (change, time) in zip(changes, times) { all.append((change.row + [Scalar.int64(time)], time)) }
        }
        try harness.watermark(.max)
        var partitions: [String: Partition] = [:]
        let sorted = all.indices.sorted { left, right in
            let (first, second) = (all[left].time, all[right].time)
            if first == second { return left < right }
            return (first < second) != isDescending
        }
        for (row, time) in sorted.map({ all[$0] }) {
            partitions["\(row[0])", default: Partition(rows: [], order: [], isDescending: isDescending)].rows.append(row)
            partitions["\(row[0])"]?.order.append(time)
        }
        var expected: [String] = []
        for partition in partitions.values {
            for place in partition.rows.indices {
                let flag = partition.rows[place][7]
                let flagged = all.filter { $0.row[7] == flag }.count
                let results = windows[0].calls.map { partition.result($0, windows[0], place) } + [Scalar.int64(Int64(flagged))]
                expected.append("+I " + (partition.rows[place] + results).map { AggregateModel.text($0) }.joined(separator: ", "))
            }
        }
        expectEqual(
            try harness.batches.flatMap { try GroupAggregateTests.lines($0) }.sorted(), expected.sorted(),
            "seed \(seed): \(bounds[first]) to \(bounds[last]), rows \(isRows)")
    }
}
