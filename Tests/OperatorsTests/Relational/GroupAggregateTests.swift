import Columnar
import Dataflow
import Operators
import Plan
import TestColumns
import TestRows
import Testing

/// GROUP BY against a model that computes each result anew from the rows that are there.
@Suite struct GroupAggregateTests {
    static let types = RandomTable.schema.types

    /// Calls over the columns of `RandomTable`.
    static func calls(_ names: [String]) -> [AggregateExpression] {
        names.map { allCalls[$0] ?? AggregateExpression(.builtIn(.countAll), [], DataType.bigInt.notNull) }
    }

    static let allCalls: [String: AggregateExpression] = {
        let decimal = { (scale: Int) in DataType(.decimal(precision: 38, scale: scale)) }
        let bigInt = DataType.bigInt.notNull
        func call(_ function: AggregateFunction.BuiltIn, _ arguments: [Int], _ type: DataType) -> AggregateExpression {
            AggregateExpression(.builtIn(function), arguments, type)
        }
        var calls: [String: AggregateExpression] = [
            "COUNT(*)": call(.countAll, [], bigInt), "COUNT(i)": call(.count, [2], bigInt), "COUNT(i, s)": call(.count, [2, 6], bigInt),
            "SUM(t)": call(.sum, [1], .tinyInt), "SUM(i)": call(.sum, [2], .int), "SUM(l)": call(.sum, [3], .bigInt),
            "SUM(d)": call(.sum, [4], .double),
            "SUM(m)": call(.sum, [5], decimal(2)), "SUM0(i)": call(.sum0, [2], DataType.int.notNull),
            "SUM0(d)": call(.sum0, [4], DataType.double.notNull),
            "AVG(i)": call(.average, [2], .int), "AVG(d)": call(.average, [4], .double), "AVG(m)": call(.average, [5], decimal(6)),
            "STDDEV_POP(d)": call(.stddevPop, [4], .double), "STDDEV_SAMP(d)": call(.stddevSamp, [4], .double),
            "VAR_POP(d)": call(.varPop, [4], .double),
            "VAR_SAMP(d)": call(.varSamp, [4], .double), "FIRST_VALUE(s)": call(.firstValue, [6], .string),
            "LAST_VALUE(d)": call(.lastValue, [4], .double),
            "LAST_VALUE(s)": call(.lastValue, [6], .string), "ARRAY_AGG(i)": call(.arrayAgg, [2], DataType(.array(.int))),
            "COLLECT(s)": call(.collect, [6], DataType(.multiset(DataType.string), isNullable: false)),
        ]
        for (name, place) in [("t", 1), ("i", 2), ("l", 3), ("d", 4), ("m", 5), ("s", 6), ("b", 7)] {
            calls["MIN(\(name))"] = call(.min, [place], types[place])
            calls["MAX(\(name))"] = call(.max, [place], types[place])
        }
        calls["LISTAGG(s)"] = AggregateExpression(.builtIn(.listAgg), [6], .string, constants: [.string("|")])
        calls["LISTAGG(s ORDER BY i DESC)"] = AggregateExpression(
            .builtIn(.listAgg), [6], .string, constants: [.string("|")], order: [SortKey(2, isDescending: true)])
        calls["ARRAY_AGG(d ORDER BY i)"] = AggregateExpression(.builtIn(.arrayAgg), [4], DataType(.array(.double)), order: [SortKey(2)])
        calls["ARRAY_AGG(s IGNORE NULLS)"] = AggregateExpression(.builtIn(.arrayAgg), [6], DataType(.array(.string)), ignoresNulls: true)
        calls["PERCENTILE(i, 0.5)"] = AggregateExpression(.builtIn(.percentile), [2], .double, constants: [.double(0.5)])
        for name in [
            "SUM(t)", "SUM(m)", "COUNT(i)", "COUNT(i, s)", "AVG(d)", "LISTAGG(s)", "ARRAY_AGG(i)", "COLLECT(s)", "MAX(i)", "LAST_VALUE(s)",
            "STDDEV_POP(d)",
        ] {
            calls["DISTINCT " + name] = calls[name]
            calls["DISTINCT " + name]?.isDistinct = true
        }
        for name in ["COUNT(*)", "SUM(i)", "SUM(d)", "MIN(s)", "MAX(d)", "LISTAGG(s)", "DISTINCT COUNT(i)", "FIRST_VALUE(s)", "COLLECT(s)"] {
            calls[name + " FILTER (b)"] = calls[name]
            calls[name + " FILTER (b)"]?.filter = 7
        }
        return calls
    }()

    /// What Flink's GroupAggFunction emits, row by row.
    struct Model {
        let calls: [AggregateExpression]
        let keys: [Int]
        var emitsUpdateBefore = true
        private(set) var groups: [String: (key: [Scalar], rowCount: Int, calls: [AggregateModel])] = [:]

        init(_ calls: [AggregateExpression], keys: [Int], emitsUpdateBefore: Bool = true) {
            self.calls = calls
            self.keys = keys
            self.emitsUpdateBefore = emitsUpdateBefore
        }

        mutating func change(_ kind: RowKind, _ row: [Scalar]) -> [String] {
            let key = keys.map { row[$0] }
            let name = "\(key)"
            let before = groups[name].map { line($0) }
            let retracts = kind == .delete || kind == .updateBefore
            if before == nil, retracts { return [] }
            var group = groups[name] ?? (key, 0, calls.map { AggregateModel($0, input: GroupAggregateTests.types) })
            group.rowCount += retracts ? -1 : 1
            for place in group.calls.indices {
                if retracts { group.calls[place].retract(row) } else { group.calls[place].add(row) }
            }
            groups[name] = group.rowCount == 0 ? nil : group
            let after = groups[name].map { line($0) }
            switch (before, after) {
            case (nil, let after?): return ["+I " + after]
            case (let before?, nil): return ["-D " + before]
            case (let before?, let after?): return before == after ? [] : (emitsUpdateBefore ? ["-U " + before] : []) + ["+U " + after]
            case (nil, nil): return []
            }
        }

        private func line(_ group: (key: [Scalar], rowCount: Int, calls: [AggregateModel])) -> String {
            (group.key + group.calls.map(\.result)).map { AggregateModel.text($0) }.joined(separator: ", ")
        }

        func groupLine(_ key: String) -> String? { groups[key].map { line($0) } }

        /// All rows of the result.
        var lines: [String] { groups.values.map { line($0) }.sorted() }
    }

    static func schema(_ calls: [AggregateExpression], keys: [Int]) -> Schema {
        Schema(
            keys.map { Field("key\($0)", $0 < types.count ? types[$0] : .int) } + calls.enumerated().map { Field("r\($0.offset)", $0.element.type) })
    }

    static func make(_ description: GroupAggregateDescription, isBatch: Bool = false) throws -> any Operator {
        let node = Node(
            id: NodeID(1), name: "group", inputs: [Edge(source: NodeID(0))], operation: .aggregate(.group(description)),
            output: schema(description.aggregates, keys: description.keys))
        return try OperatorFactory.make(for: node, inputs: [RandomTable.schema], bindings: Bindings(), isBatch: isBatch)
    }

    /// The rows of a batch with their kinds.
    static func lines(_ batch: Batch) throws -> [String] {
        let batch = try batch.compacted()
        for (column, field) in zip(batch.columns, batch.schema.fields) {
            #expect(column.type.nullable == field.type.nullable, "\(field.name)")
            #expect(column.count == batch.count)
        }
        return (0..<batch.count).map { row in
            let kind = batch.rowKinds.map { $0.pointer(as: Int8.self)[row] } ?? 0
            return ["+I ", "-U ", "+U ", "-D "][Int(kind)] + batch.columns.map { AggregateModel.text($0.scalar(at: row)) }.joined(separator: ", ")
        }
    }

    @Test("Each function gives what all the rows that are there give", arguments: allCalls.keys.sorted(), [true, false])
    func changelog(name: String, retracts: Bool) throws {
        for seed in 0..<6 {
            // Sums in the order of arrival keep NaN; a model that adds anew does not see the difference.
            let calls = Self.calls([name])
            var table = RandomTable(seed: 100 * seed + 7, keyCount: seed % 3 == 0 ? 1 : 4, retracts: retracts, hasSpecials: seed % 2 == 0)
            let keys = seed == 5 ? [] : seed == 4 ? [0, 7] : [0]
            var model = Model(calls, keys: keys, emitsUpdateBefore: seed != 3)
            let description = GroupAggregateDescription(keys: keys, aggregates: calls, inputRetracts: retracts, emitsUpdateBefore: seed != 3)
            let harness = try OperatorHarness(try Self.make(description))
            for _ in 0..<8 {
                let changes = table.changes(1 + table.draw(40))
                let expected = changes.flatMap { model.change($0.kind, $0.row) }
                let before = harness.batches.count
                let disguises = try Rows.disguises(try RandomTable.batch(changes))
                try harness.process(disguises[table.draw(disguises.count)])
                expectEqual(try harness.batches[before...].flatMap { try Self.lines($0) }, expected, "\(name) seed \(seed)")
            }
        }
    }

    @Test("A mini-batch gives each group one change", arguments: 0..<4)
    func miniBatch(seed: Int) throws {
        let calls = Self.calls(["COUNT(i)", "SUM(m)", "MAX(s)", "DISTINCT SUM(t)", "LISTAGG(s)"])
        var table = RandomTable(seed: 900 + seed, keyCount: 4, retracts: seed % 2 == 0)
        var model = Model(calls, keys: [0])
        let description = GroupAggregateDescription(keys: [0], aggregates: calls, inputRetracts: seed % 2 == 0, miniBatchSize: 1_000)
        let harness = try OperatorHarness(try Self.make(description))
        for _ in 0..<10 {
            let changes = table.changes(1 + table.draw(40))
            var order: [String] = [], before: [String: String] = [:]
            for change in changes where !order.contains("\([change.row[0]])") { order.append("\([change.row[0]])") }
            for key in order { before[key] = model.groupLine(key) }
            for change in changes { _ = model.change(change.kind, change.row) }
            let expected = order.flatMap { key -> [String] in
                switch (before[key], model.groupLine(key)) {
                case (nil, nil): []
                case (nil, let after?): ["+I " + after]
                case (let before?, nil): ["-D " + before]
                case (let before?, let after?): before == after ? [] : ["-U " + before, "+U " + after]
                }
            }
            let count = harness.batches.count
            try harness.process(try RandomTable.batch(changes))
            expectEqual(try harness.batches[count...].flatMap { try Self.lines($0) }, expected, "seed \(seed)")
        }
    }

    @Test("In BATCH mode each group comes out once, when the input has ended", arguments: [[0], [0, 7], []])
    func batchMode(keys: [Int]) throws {
        let calls = Self.calls(["COUNT(*)", "SUM(i)", "AVG(m)", "MIN(s)", "DISTINCT COUNT(i)", "SUM(d) FILTER (b)", "STDDEV_POP(d)"])
        var table = RandomTable(seed: 4, keyCount: 3, retracts: false)
        var model = Model(calls, keys: keys)
        let harness = try OperatorHarness(try Self.make(GroupAggregateDescription(keys: keys, aggregates: calls), isBatch: true))
        harness.isFull = true
        for _ in 0..<5 {
            let changes = table.changes(30)
            for change in changes { _ = model.change(change.kind, change.row) }
            try harness.process(try RandomTable.batch(changes))
        }
        #expect(harness.batches.isEmpty)
        try harness.watermark(.max)
        expectEqual(try harness.batches.flatMap { try Self.lines($0) }.sorted(), model.lines.map { "+I " + $0 }, "\(keys)")
    }

    @Test func aGlobalAggregateOfNoRowsIsARowInBatchModeAlone() throws {
        let calls = Self.calls(["COUNT(*)", "SUM(i)", "SUM0(i)", "LISTAGG(s)", "COLLECT(s)", "ARRAY_AGG(i)"])
        for isBatch in [true, false] {
            let harness = try OperatorHarness(try Self.make(GroupAggregateDescription(keys: [], aggregates: calls), isBatch: isBatch))
            try harness.watermark(.max)
            #expect(try harness.rows() == (isBatch ? [[.int64(0), .null, .int64(0), .null, .map(keys: [], values: []), .null]] : []))
        }
        let keyed = try OperatorHarness(try Self.make(GroupAggregateDescription(keys: [0], aggregates: calls), isBatch: true))
        try keyed.watermark(.max)
        #expect(keyed.batches.isEmpty)
    }

    private static func row(_ key: Int64?, _ number: Int64?, _ text: String? = nil) -> [Scalar] {
        [key.map { .int64($0) } ?? .null, .null, number.map { .int64($0) } ?? .null, .null, .null, .null, text.map { .string($0) } ?? .null, .null]
    }

    @Test func aGroupThatEmptiesBetweenTwoRowsGoesAndComes() throws {
        // As in Flink -U and +U are taken one at a time.
        let calls = Self.calls(["COUNT(*)", "SUM(i)"])
        let harness = try OperatorHarness(try Self.make(GroupAggregateDescription(keys: [0], aggregates: calls, inputRetracts: true)))
        try harness.process(
            try RandomTable.batch([
                (.insert, Self.row(1, 5)), (.updateBefore, Self.row(1, 5)), (.updateAfter, Self.row(1, 6)), (.delete, Self.row(2, 1)),
                (.insert, Self.row(nil, nil)),
                (.insert, Self.row(1, nil)), (.delete, Self.row(1, 6)), (.delete, Self.row(1, nil)), (.delete, Self.row(1, 6)),
            ]))
        #expect(
            try harness.batches.flatMap { try Self.lines($0) } == [
                "+I int64(1), int64(1), int64(5)", "-D int64(1), int64(1), int64(5)", "+I int64(1), int64(1), int64(6)", "+I null, int64(1), null",
                "-U int64(1), int64(1), int64(6)", "+U int64(1), int64(2), int64(6)", "-U int64(1), int64(2), int64(6)",
                "+U int64(1), int64(1), null",
                "-D int64(1), int64(1), null",
            ])
        // Of rows that were not there.
        #expect(harness.metrics.retractionsDropped.value == 2)
    }

    @Test func distinctRowsAreAnAggregationWithoutAggregates() throws {
        let harness = try OperatorHarness(try Self.make(GroupAggregateDescription(keys: [0, 6], aggregates: [], inputRetracts: true)))
        try harness.process(
            try RandomTable.batch([
                (.insert, Self.row(1, 5, "a")), (.insert, Self.row(1, 6, "a")), (.insert, Self.row(nil, 6, "a")), (.delete, Self.row(1, 6, "a")),
                (.insert, Self.row(nil, 6, "a")),
                (.delete, Self.row(1, 5, "a")),
            ]))
        #expect(try harness.batches.flatMap { try Self.lines($0) } == ["+I int64(1), a", "+I null, a", "-D int64(1), a"])
    }

    @Test func aGroupWhoseTimeIsOverBeginsAnew() throws {
        let calls = Self.calls(["SUM(i)", "DISTINCT COUNT(i)"])
        let harness = try OperatorHarness(try Self.make(GroupAggregateDescription(keys: [0], aggregates: calls, timeToLiveMilliseconds: 100)))
        func process(_ key: Int64, _ number: Int64?) throws { try harness.process(try RandomTable.batch([(.insert, Self.row(key, number))])) }
        try process(1, 5)
        harness.clock.advance(milliseconds: 99)
        try process(1, nil)
        harness.clock.advance(milliseconds: 99)
        try process(1, 5)
        harness.clock.advance(milliseconds: 100)
        try process(1, 5)
        #expect(
            try harness.batches.flatMap { try Self.lines($0) } == [
                "+I int64(1), int64(5), int64(1)", "-U int64(1), int64(5), int64(1)", "+U int64(1), int64(5), int64(1)",
                "-U int64(1), int64(5), int64(1)",
                "+U int64(1), int64(10), int64(1)", "+I int64(1), int64(5), int64(1)",
            ])
    }

    @Test func whatDoesNotApplyIsRefused() {
        let wrong: [AggregateExpression] = [
            AggregateExpression(.builtIn(.sum), [6], .string), AggregateExpression(.builtIn(.sum), [12], .int),
            AggregateExpression(.builtIn(.average), [], .int),
            AggregateExpression(.builtIn(.listAgg), [2], .string),
            AggregateExpression(.builtIn(.percentile), [2], .double, constants: [.double(1.5)]),
            AggregateExpression(.builtIn(.rank), [], .bigInt), AggregateExpression(.builtIn(.countAll), [], .bigInt, filter: 40),
        ]
        for call in wrong {
            #expect(throws: MillstreamError.self) { try Self.make(GroupAggregateDescription(keys: [0], aggregates: [call])) }
        }
        #expect(throws: MillstreamError.self) { try Self.make(GroupAggregateDescription(keys: [40], aggregates: [])) }
    }
}

/// Says where two lists of lines differ.
func expectEqual(_ found: [String], _ expected: [String], _ context: String, sourceLocation: SourceLocation = #_sourceLocation) {
    guard found != expected else { return }
    let place = zip(found, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(found.count, expected.count)
    let (left, right) = (Array((place < found.count ? found[place] : "").utf8), Array((place < expected.count ? expected[place] : "").utf8))
    let start = max(0, zip(left, right).prefix { $0 == $1 }.count - 60)
    func part(_ line: [UInt8]) -> String { String(decoding: line.dropFirst(start).prefix(160), as: UTF8.self) }
    Issue.record(
        "\(context): line \(place) of \(found.count), \(expected.count) expected, at \(start)\n    \(part(left))\n  instead of\n    \(part(right))",
        sourceLocation: sourceLocation)
}
