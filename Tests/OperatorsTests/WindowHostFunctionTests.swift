import Columnar
import Dataflow
import Operators
import Plan
import Testing

/// Windows of host functions give what windows of native aggregates give over the same stream: the same windows, late rows and results.
@Suite struct WindowHostFunctionTests {
    typealias Assigner = WindowDescription.Assigner

    private static let input = Schema([Field("key", .bigInt), Field("value", .bigInt)], shape: .tuple)
    private static let output: Schema = {
        let time = DataType(.timestampLTZ(3), isNullable: false)
        return Schema([Field("key", .bigInt), Field("s", time), Field("e", time), Field("n", .bigInt), Field("total", .bigInt)])
    }()

    // MARK: The functions, written row by row; made anew per operator, because tests run at once

    private static func read(_ column: Column, _ row: Int) -> Int64? { column.isNull(row) ? nil : column.pointer(as: Int64.self)[row] }

    private static func column(_ values: [Int64?]) throws(MillstreamError) -> Column {
        let builder = try ColumnBuilder.make(for: .bigInt)
        for value in values { try builder.append(value.map { Scalar.int64($0) } ?? .null) }
        return builder.finish()
    }

    private static func add(_ left: Int64?, _ right: Int64?) -> Int64? { left.map { $0 + (right ?? 0) } ?? right }

    /// Adds the values; keeps the key.
    private static func reduce() -> FakeHostFunction {
        FakeHostFunction { (request) throws(MillstreamError) in
            let count = request.accumulators[0].count
            var keys = (0..<count).map { read(request.accumulators[0], $0) }
            var totals = (0..<count).map { read(request.accumulators[1], $0) }
            guard let slots = request.slots else { throw .internal("no slots") }
            for row in 0..<request.count {
                let slot = Int(slots.pointer(as: Int32.self)[row])
                totals[slot] = add(keys[slot] == nil ? nil : totals[slot], read(request.columns[1], row))
                keys[slot] = read(request.columns[0], row)
            }
            return HostResponse(accumulators: [try column(keys), try column(totals)])
        }
    }

    /// Counts and adds the values.
    private static func aggregate() -> FakeHostFunction {
        FakeHostFunction(accumulatorTypes: [.bigInt, .bigInt]) { (request) throws(MillstreamError) in
            let counts = (0..<request.accumulators[0].count).map { read(request.accumulators[0], $0) ?? 0 }
            let totals = (0..<request.accumulators[0].count).map { read(request.accumulators[1], $0) }
            switch request.operation {
            case .accumulate:
                var (counts, totals) = (counts, totals)
                guard let slots = request.slots else { throw .internal("no slots") }
                for row in 0..<request.count {
                    let slot = Int(slots.pointer(as: Int32.self)[row])
                    counts[slot] += 1
                    totals[slot] = add(totals[slot], read(request.columns[1], row))
                }
                return HostResponse(accumulators: [try column(counts), try column(totals)])
            case .merge:
                let pairs = 0..<counts.count / 2
                return HostResponse(accumulators: [
                    try column(pairs.map { counts[2 * $0] + counts[2 * $0 + 1] }), try column(pairs.map { add(totals[2 * $0], totals[2 * $0 + 1]) }),
                ])
            default: return HostResponse(outputs: [HostResponse.Rows(columns: [try column(counts), try column(totals)], count: counts.count)])
            }
        }
    }

    /// Key, window, count and total of each window's elements; `isFolded`: the one element is a result of count and total.
    private static func window(isFolded: Bool) -> FakeHostFunction {
        FakeHostFunction { (request) throws(MillstreamError) in
            guard let offsets = request.elementOffsets else { throw .internal("no offsets") }
            var counts: [Int64?] = []
            var totals: [Int64?] = []
            for window in 0..<request.count {
                let elements = Int(offsets.pointer(as: Int32.self)[window])..<Int(offsets.pointer(as: Int32.self)[window + 1])
                counts.append(isFolded ? read(request.columns[0], elements.lowerBound) : Int64(elements.count))
                totals.append(elements.reduce(nil) { add($0, read(request.columns[1], $1)) })
            }
            let parents = Column(type: .int, count: request.count, values: Buffer.copying((0..<request.count).map { Int32($0) }))
            let columns = [request.keys[0], request.windows[0], request.windows[1], try column(counts), try column(totals)]
            return HostResponse(outputs: [HostResponse.Rows(columns: columns, count: request.count, parents: parents)])
        }
    }

    // MARK: The comparison

    private func run(_ function: WindowDescription.Function, _ assigner: Assigner, lateness: Int64, seed: UInt64) throws -> (
        OperatorHarness, [String]
    ) {
        var bindings = Bindings()
        bindings.bind(1, function: Self.reduce())
        bindings.bind(2, function: Self.aggregate())
        bindings.bind(3, function: Self.window(isFolded: false))
        bindings.bind(4, function: Self.window(isFolded: true))
        let description = WindowDescription(
            assigner: assigner, function: function, keys: [0], allowedLatenessMilliseconds: lateness, lateOutput: "late")
        let node = Node(id: NodeID(0), name: "window", inputs: [], operation: .window(description), output: Self.output)
        let harness = try OperatorHarness(try OperatorFactory.make(for: node, inputs: [Self.input], bindings: bindings))
        harness.isFull = seed % 2 == 0
        for step in WindowOperatorTests.steps(SeededRandom(seed: seed), spread: 40) {
            switch step {
            case .rows(let rows): try harness.process(try int64Batch([rows.map(\.key), rows.map(\.value)], timestamps: rows.map(\.time)))
            case .watermark(let time): try harness.watermark(time)
            }
        }
        try harness.operation.close()
        #expect(!harness.isFull || harness.batchCountPerCallMax <= 1, "seed \(seed)")
        var rows: [String] = []
        for batch in harness.batches {
            for (index, values) in try OperatorHarness.rows(batch).enumerated() {
                let time = batch.timestamps?.pointer(as: Int64.self)[index] ?? 0
                // A reduced window has no count: its function sees the key in that place.
                if case .reduce = function {
                    rows.append("\(values[0]) \(values[1]) \(values[2]) \(values[4]) @\(time)")
                } else {
                    rows.append("\(values) @\(time)")
                }
            }
        }
        return (harness, rows.sorted())
    }

    private static let assigners: [Assigner] = [
        .tumbling(size: 10, offset: 3, isEventTime: true), .sliding(size: 12, slide: 4, offset: 0, isEventTime: true),
        .sliding(size: 10, slide: 7, offset: 1, isEventTime: true), .session(gap: 4, isEventTime: true),
    ]

    @Test("Host functions give what native aggregates give", arguments: 0..<60)
    func hostFunctions(seed: UInt64) throws {
        let calls = [AggregateCall(.countAll, column: nil, name: "n"), AggregateCall(.sum, column: 1, name: "total")]
        for assigner in Self.assigners {
            let lateness: Int64 = seed % 3 == 0 ? 25 : 0
            let (native, expected) = try run(.aggregate(calls), assigner, lateness: lateness, seed: seed)
            let functions: [WindowDescription.Function] = [.process(BindingID(3)), .hostAggregate(BindingID(2), then: BindingID(4))]
            for function in functions {
                let (harness, rows) = try run(function, assigner, lateness: lateness, seed: seed)
                #expect(rows == expected, "seed \(seed) \(assigner) \(function)")
                #expect(harness.sideBatches.reduce(0) { $0 + $1.batch.count } == native.sideBatches.reduce(0) { $0 + $1.batch.count })
            }
            let withoutCounts = try native.batches.flatMap { batch in
                try OperatorHarness.rows(batch).enumerated().map { index, values in
                    "\(values[0]) \(values[1]) \(values[2]) \(values[4]) @\(batch.timestamps?.pointer(as: Int64.self)[index] ?? 0)"
                }
            }
            #expect(try run(.reduce(BindingID(1), then: BindingID(4)), assigner, lateness: lateness, seed: seed).1 == withoutCounts.sorted())
        }
    }

    @Test("Elements go to a process window function in bounded parts, in order; a window that is larger than a part goes whole")
    func elementsComeInParts() throws {
        final class Seen: @unchecked Sendable { var elementCounts: [Int] = []; var elements: [Int64: [Int64]] = [:] }
        let seen = Seen()
        var bindings = Bindings()
        bindings.bind(
            1,
            function: FakeHostFunction { (request) throws(MillstreamError) in
                guard let offsets = request.elementOffsets?.pointer(as: Int32.self) else { throw .internal("no offsets") }
                seen.elementCounts.append(request.columns[0].count)
                for window in 0..<request.count {
                    for element in offsets[window]..<offsets[window + 1] {
                        let key = Self.read(request.keys[0], window) ?? -1
                        #expect(Self.read(request.columns[0], Int(element)) == key)
                        seen.elements[key, default: []].append(Self.read(request.columns[1], Int(element)) ?? -1)
                    }
                }
                return HostResponse()
            })
        let description = WindowDescription(
            assigner: .tumbling(size: 10, offset: 0, isEventTime: true), function: .process(BindingID(1)), keys: [0])
        let node = Node(id: NodeID(0), name: "window", inputs: [], operation: .window(description), output: Self.output)
        let harness = try OperatorHarness(try OperatorFactory.make(for: node, inputs: [Self.input], bindings: bindings))
        let random = SeededRandom(seed: 8)
        var expected: [Int64: [Int64]] = [:]
        for batch in 0..<100 {
            // Key 0 has half of all the rows.
            let keys = (0..<3_000).map { _ in random.next(below: 2) == 0 ? 0 : Int64(1 + random.next(below: 20)) }
            let values = (0..<3_000).map { Int64(batch * 3_000 + $0) }
            for (key, value) in zip(keys, values) { expected[key, default: []].append(value) }
            try harness.process(try int64Batch([keys, values], timestamps: [Int64](repeating: 5, count: 3_000)))
        }
        try harness.watermark(100)
        #expect(seen.elements == expected)
        #expect(seen.elementCounts.reduce(0, +) == 300_000 && seen.elementCounts.count >= 4)
        #expect(seen.elementCounts.filter { $0 > 65_536 } == [expected[0]?.count])
    }

    @Test("The elements of a session are in the order in which they came, whatever was merged into it and however the rows were cut", arguments: 0..<12 as Range<UInt64>)
    func elementsOfSessions(seed: UInt64) throws {
        final class Seen: @unchecked Sendable { var windows: [[Int64]] = [] }
        // Many rows, so that places are collected in between, and their order is kept.
        let isLong = seed >= 10
        func run(batchRowCount: Int) throws -> [[Int64]] {
            let seen = Seen()
            var bindings = Bindings()
            bindings.bind(
                1,
                function: FakeHostFunction { (request) throws(MillstreamError) in
                    guard let offsets = request.elementOffsets?.pointer(as: Int32.self) else { throw .internal("no offsets") }
                    for window in 0..<request.count {
                        let numbers = (offsets[window]..<offsets[window + 1]).map { Self.read(request.columns[1], Int($0)) ?? -1 }
                        seen.windows.append([Self.read(request.keys[0], window) ?? -1] + numbers)
                    }
                    return HostResponse()
                })
            let description = WindowDescription(assigner: .session(gap: 10, isEventTime: true), function: .process(BindingID(1)), keys: [0])
            let node = Node(id: NodeID(0), name: "window", inputs: [], operation: .window(description), output: Self.output)
            let harness = try OperatorHarness(try OperatorFactory.make(for: node, inputs: [Self.input], bindings: bindings))
            let random = SeededRandom(seed: seed)
            var start: Int64 = 0
            var number: Int64 = 0
            for _ in 0..<(isLong ? 40 : 6) {
                let rows = (0..<(isLong ? 6_000 : 60)).map { _ in
                    number += 1
                    return (key: Int64(random.next(below: 5)), number: number, time: start + Int64(random.next(below: isLong ? 6_000 : 80)))
                }
                for first in stride(from: 0, to: rows.count, by: batchRowCount) {
                    let part = rows[first..<min(rows.count, first + batchRowCount)]
                    try harness.process(try int64Batch([part.map(\.key), part.map(\.number)], timestamps: part.map(\.time)))
                }
                start += isLong ? 5_000 : 40
                try harness.watermark(start)
            }
            try harness.watermark(.max)
            return seen.windows
        }
        let windows = try run(batchRowCount: 7)
        #expect(windows.reduce(0) { $0 + $1.count - 1 } == (isLong ? 240_000 : 360))
        #expect(windows.contains { $0.count > 10 })
        for window in windows { #expect(Array(window.dropFirst()) == window.dropFirst().sorted(), "key \(window[0])") }
        #expect(try run(batchRowCount: 1_000) == windows)
        if !isLong { #expect(try run(batchRowCount: 1) == windows) }
    }

    @Test("A million windows at one watermark come in chunks, one at a time while the output is full")
    func firesInChunks() throws {
        let keyCount = 1_000_000
        let harness = try OperatorHarness(
            try WindowOperatorTests.makeOperator(.tumbling(size: 1_000, offset: 0, isEventTime: true), lateness: 0, lateOutput: nil))
        for start in stride(from: 0, to: keyCount, by: 10_000) {
            let keys = (start..<start + 10_000).map { Int64($0) }
            let column = Column(type: .bigInt, count: keys.count, values: Buffer.copying(keys))
            var batch = Batch(schema: Self.input, columns: [column, column], count: keys.count)
            batch.timestamps = Column.repeating(Int64(-1), type: .bigInt, count: keys.count)
            try harness.process(batch)
        }
        harness.isFull = true
        var progress = try harness.operation.onWatermark(EventTime(milliseconds: 0), output: harness)
        var next: Int64 = 0
        var seen = 0
        while true {
            #expect(harness.batches.count - seen <= 1)
            for batch in harness.batches[seen...] {
                #expect(batch.count <= 4_096)
                let keys = batch.columns[0].pointer(as: Int64.self)
                let starts = batch.columns[1].pointer(as: Int64.self)
                // Windows that end together come in the order in which their keys came.
                let isInOrder = (0..<batch.count).allSatisfy { keys[$0] == next + Int64($0) && starts[$0] == -1_000 }
                #expect(isInOrder)
                next += Int64(batch.count)
            }
            seen = harness.batches.count
            guard progress == .more else { break }
            progress = try harness.operation.resume(output: harness)
        }
        #expect(next == Int64(keyCount))
    }
}
