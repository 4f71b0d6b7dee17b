import Columnar
import Dataflow
import Operators
import Plan
import TestColumns
import TestRows
import Testing

/// A checkpoint in the middle of a random stream, and another parallelism behind it: what comes out then is what an undisturbed operator gives.
@Suite struct AggregateSnapshotTests {
    enum Kind: String, CaseIterable, Sendable {
        case group, groupWithoutRetractions, tumble, hop, hopWithoutRetractions, cumulate, session, overUnbounded, overRows, overRange, overLag
    }

    private static let names = [
        "COUNT(*)", "SUM(i)", "SUM(d)", "SUM(m)", "MIN(s)", "MAX(d)", "DISTINCT COUNT(i)", "COLLECT(s)", "AVG(m)", "STDDEV_POP(d)", "FIRST_VALUE(s)",
        "LAST_VALUE(d)", "LISTAGG(s)",
        "ARRAY_AGG(i)", "DISTINCT LISTAGG(s)", "PERCENTILE(i, 0.5)",
    ]

    private func retracts(_ kind: Kind) -> Bool { [.group, .tumble, .hop, .cumulate].contains(kind) }

    private func make(_ kind: Kind) throws -> any Operator {
        // The entries of a multiset have no order of their own: they come as the values of the frame did.
        let calls = GroupAggregateTests.calls(kind.rawValue.hasPrefix("over") ? Self.names.filter { $0 != "COLLECT(s)" } : Self.names)
        let time = TimedTable.timeColumn
        func window(_ shape: WindowTable.Shape) throws -> any Operator {
            // A window's values come from its slices: their order is not that of arrival.
            let free = calls.filter { call in ![.listAgg, .arrayAgg, .firstValue, .lastValue].contains { call.function == .builtIn($0) } }
            let description = WindowAggregateDescription(
                window: WindowTable(shape, offset: 1, timeColumn: time), keys: [0], aggregates: free, bounds: [.start, .end, .time],
                inputRetracts: retracts(kind))
            return try TimedTable.make(.window(description), output: WindowAggregateTests.output(free, keys: [0]))
        }
        func over(_ windows: [OverDescription.Window]) throws -> any Operator {
            try TimedTable.make(.over(OverDescription(windows: windows, time: .event(column: time))), output: OverTests.output(windows))
        }
        switch kind {
        case .group, .groupWithoutRetractions:
            let description = GroupAggregateDescription(keys: [0], aggregates: calls, inputRetracts: retracts(kind))
            return try TimedTable.make(.group(description), output: GroupAggregateTests.schema(calls, keys: [0]))
        case .tumble: return try window(.tumble(size: 12))
        case .hop, .hopWithoutRetractions: return try window(.hop(slide: 4, size: 12))
        case .cumulate: return try window(.cumulate(step: 4, size: 12))
        case .session: return try window(.session(gap: 3, partitionBy: [0]))
        case .overUnbounded:
            let ranks = [AggregateFunction.BuiltIn.rowNumber, .rank, .denseRank].map {
                AggregateExpression(.builtIn($0), [], DataType.bigInt.notNull)
            }
            return try over([OverTests.window(calls + ranks, isRows: false), OverTests.window(calls, isRows: true)])
        case .overRows:
            return try over([
                OverTests.window(calls, isRows: true, start: OverDescription.Window.Bound.preceding(.int64(3))),
                OverTests.window(calls, isRows: true, start: OverDescription.Window.Bound.preceding(.int64(1))),
            ])
        case .overRange: return try over([OverTests.window(calls, isRows: false, start: OverDescription.Window.Bound.preceding(.int64(7)))])
        case .overLag:
            return try over([OverTests.window([AggregateExpression(.builtIn(.lag), [2, 2], .int, constants: [.int64(2)])] + calls, isRows: true)])
        }
    }

    @Test("State goes into fewer subtasks or more", arguments: Kind.allCases, 0..<4)
    func restore(kind: Kind, seed: Int) throws {
        let (before, after) = [(1, 1), (1, 4), (4, 1), (3, 2)][seed]
        var table = RandomTable(seed: 7_000 + 13 * seed + kind.rawValue.count, keyCount: 6, retracts: retracts(kind), hasSpecials: false)
        var steps: [ParallelOperator.Step] = []
        var timeOf: [String: Int64] = [:]
        for round in 0..<16 {
            let changes = table.changes(1 + table.draw(20))
            let times = changes.map { change -> Int64 in
                let key = "\(change.row)"
                // A row goes in the window that it came in.
                if change.kind == .delete || change.kind == .updateBefore, let time = timeOf[key] { return time }
                let time = Int64(round * 5 + table.draw(12))
                timeOf[key] = time
                return time
            }
            steps.append(.rows(try TimedTable.batch(changes, times: times)))
            steps.append(.watermark(Int64(round * 5 - table.draw(4))))
        }
        steps.append(.watermark(.max))
        let cut = 1 + table.draw(steps.count - 1)
        let context = "\(kind) seed \(seed), step \(cut) of \(steps.count), \(before) to \(after)"

        func begin(_ parallelism: Int, _ checkpoint: SnapshotHarness? = nil) throws -> ParallelOperator {
            try ParallelOperator(
                parallelism: parallelism, keys: [0], clock: SimulatedClock(start: 1_000_000), isFull: seed % 2 == 0, from: checkpoint
            ) { try make(kind) }
        }
        func lines(_ of: ParallelOperator) -> [String] { of.takeLines().flatMap { $0.map(\.text) }.sorted() }
        let undisturbed = try begin(before)
        try undisturbed.perform(steps[..<cut])
        _ = undisturbed.takeLines()
        let checkpoint = try SnapshotHarness()
        let held = try undisturbed.snapshot(checkpoint)
        try undisturbed.perform(steps[cut...])
        let expected = lines(undisturbed)
        try checkpoint.write(held)

        let restored = try begin(after, checkpoint)
        let again = try SnapshotHarness()
        try again.write(try restored.snapshot(again))
        try restored.perform(steps[cut...])
        expectEqual(lines(restored), expected, "\(context)")
        let twice = try begin(before, again)
        try twice.perform(steps[cut...])
        expectEqual(lines(twice), expected, "\(context), twice")
    }
}
