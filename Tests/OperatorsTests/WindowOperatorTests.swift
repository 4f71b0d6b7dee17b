import Columnar
import Dataflow
import Operators
import Plan
import Testing

/// Window operators against a reference that goes row by row, as Flink's WindowOperator does.
struct WindowOperatorTests {
    struct Row { var key: Int64; var value: Int64?; var time: Int64 }
    enum Step { case rows([Row]); case watermark(Int64) }
    struct Fired: Hashable { var key: Int64; var start: Int64; var end: Int64; var count: Int64; var sum: Int64? }

    /// Random rows with out-of-order and late times, nulls and negative times, cut into batches with watermarks between.
    static func steps(_ random: SeededRandom, spread: Int64) -> [Step] {
        var steps: [Step] = []
        var base = Int64(random.next(below: 200)) - 100
        var watermark = Int64.min
        for _ in 0..<(1 + random.next(below: 20)) {
            let rows = (0..<random.next(below: 30)).map { _ -> Row in
                base += Int64(random.next(below: 4))
                return Row(
                    key: Int64(random.next(below: 4)), value: random.next(below: 6) == 0 ? nil : Int64(random.next(below: 100)),
                    time: base - Int64(random.next(below: UInt64(spread))))
            }
            steps.append(.rows(rows))
            if random.next(below: 3) > 0 {
                watermark = max(watermark, base - Int64(random.next(below: UInt64(spread))))
                steps.append(.watermark(watermark))
            }
        }
        steps.append(.watermark(.max))
        return steps
    }

    static func makeOperator(_ assigner: WindowDescription.Assigner, lateness: Int64, lateOutput: String?) throws -> any Operator {
        let input = Schema([Field("key", .bigInt), Field("value", .bigInt)], shape: .tuple)
        let time = DataType(.timestampLTZ(3), isNullable: false)
        let output = Schema([
            Field("key", .bigInt), Field("window_start", time), Field("window_end", time), Field("n", .bigInt.notNull), Field("total", .bigInt),
        ])
        let description = WindowDescription(
            assigner: assigner,
            function: .aggregate([AggregateCall(.countAll, column: nil, name: "n"), AggregateCall(.sum, column: 1, name: "total")]), keys: [0],
            allowedLatenessMilliseconds: lateness, lateOutput: lateOutput)
        let node = Node(id: NodeID(0), name: "window", inputs: [], operation: .window(description), output: output)
        return try OperatorFactory.make(for: node, inputs: [input], bindings: Bindings())
    }

    static func fired(_ harness: OperatorHarness) throws -> [Fired] {
        try harness.rows().map { row in
            guard case .int64(let key) = row[0], case .int64(let start) = row[1], case .int64(let end) = row[2], case .int64(let count) = row[3]
            else {
                throw MillstreamError.internal("\(row)")
            }
            var sum: Int64?
            if case .int64(let value) = row[4] { sum = value }
            return Fired(key: key, start: start, end: end, count: count, sum: sum)
        }
    }

    /// What a reference gives: all firings, and how many rows were late.
    private func compare(
        _ assigner: WindowDescription.Assigner, lateness: Int64, seed: UInt64, checksOrder: Bool = false,
        reference: ([Step]) -> (fired: [Fired], late: Int)
    ) throws {
        let random = SeededRandom(seed: seed)
        let steps = Self.steps(random, spread: 40)
        let harness = try OperatorHarness(try Self.makeOperator(assigner, lateness: lateness, lateOutput: "late"))
        harness.isFull = seed % 2 == 0
        for step in steps {
            switch step {
            case .rows(let rows):
                try harness.process(try int64Batch([rows.map(\.key), rows.map(\.value)], timestamps: rows.map(\.time)))
            case .watermark(let time): try harness.watermark(time)
            }
        }
        try harness.end()
        try harness.operation.close()
        #expect(!harness.isFull || harness.batchCountPerCallMax <= 1, "seed \(seed)")
        let expected = reference(steps)
        func counted(_ list: [Fired]) -> [Fired: Int] { list.reduce(into: [:]) { $0[$1, default: 0] += 1 } }
        let fired = try Self.fired(harness)
        #expect(counted(fired) == counted(expected.fired), "seed \(seed)")
        if checksOrder {
            func perKey(_ list: [Fired]) -> [Int64: [Fired]] { Dictionary(grouping: list, by: \.key) }
            #expect(perKey(fired) == perKey(expected.fired), "seed \(seed)")
        }
        #expect(harness.sideBatches.reduce(0) { $0 + $1.batch.count } == expected.late, "seed \(seed)")
    }

    /// Flink's WindowOperator with EventTimeTrigger over fixed windows.
    private func fixed(_ steps: [Step], size: Int64, slide: Int64, offset: Int64, lateness: Int64) -> (fired: [Fired], late: Int) {
        struct Key: Hashable { var key: Int64; var start: Int64 }
        var contents: [Key: (count: Int64, sum: Int64?)] = [:]
        var fired: [Fired] = []
        var late = 0
        var watermark = Int64.min
        func emit(_ key: Key) {
            guard let held = contents[key] else { return }
            fired.append(Fired(key: key.key, start: key.start, end: key.start + size, count: held.count, sum: held.sum))
        }
        for step in steps {
            switch step {
            case .rows(let rows):
                for row in rows {
                    var start = row.time - ((row.time - offset) % slide + slide) % slide
                    var isSkipped = true
                    while start > row.time - size {
                        if start + size - 1 + lateness > watermark {
                            isSkipped = false
                            let key = Key(key: row.key, start: start)
                            var held = contents[key] ?? (0, nil)
                            held.count += 1
                            if let value = row.value { held.sum = (held.sum ?? 0) + value }
                            contents[key] = held
                            if start + size - 1 <= watermark { emit(key) }
                        }
                        start -= slide
                    }
                    if isSkipped, row.time.addingSaturating(lateness) <= watermark { late += 1 }
                }
            case .watermark(let time):
                let due = contents.keys.filter { $0.start + size - 1 <= time && $0.start + size - 1 > watermark }
                for key in due.sorted(by: { $0.start < $1.start }) { emit(key) }
                watermark = max(watermark, time)
                contents = contents.filter { $0.key.start + size - 1 + lateness > watermark }
            }
        }
        return (fired, late)
    }

    @Test("Tumbling windows fire as Flink's", arguments: 0..<300)
    func tumbling(seed: UInt64) throws {
        let random = SeededRandom(seed: seed &+ 1_000)
        let size = Int64(1 + random.next(below: 30))
        let offset = Int64(random.next(below: UInt64(size)))
        let lateness = random.next(below: 2) == 0 ? 0 : Int64(random.next(below: 40))
        try compare(.tumbling(size: size, offset: offset, isEventTime: true), lateness: lateness, seed: seed, checksOrder: true) {
            fixed($0, size: size, slide: size, offset: offset, lateness: lateness)
        }
    }

    @Test("Sliding windows fire as Flink's, merged from slices", arguments: 0..<300)
    func sliding(seed: UInt64) throws {
        let random = SeededRandom(seed: seed &+ 2_000)
        let slide = Int64(1 + random.next(below: 10))
        let size = random.next(below: 2) == 0 ? slide * Int64(1 + random.next(below: 4)) : slide + Int64(random.next(below: 20))
        let offset = Int64(random.next(below: UInt64(slide)))
        let lateness = random.next(below: 2) == 0 ? 0 : Int64(random.next(below: 40))
        try compare(.sliding(size: size, slide: slide, offset: offset, isEventTime: true), lateness: lateness, seed: seed, checksOrder: true) {
            fixed($0, size: size, slide: slide, offset: offset, lateness: lateness)
        }
    }

    @Test("Windows wider apart than long take some rows and skip others", arguments: 0..<50)
    func slidingWithGaps(seed: UInt64) throws {
        try compare(.sliding(size: 5, slide: 12, offset: 3, isEventTime: true), lateness: 0, seed: seed, checksOrder: true) {
            fixed($0, size: 5, slide: 12, offset: 3, lateness: 0)
        }
    }

    /// Flink's merging WindowOperator with EventTimeTrigger: touching sessions merge, and the merged window decides on lateness.
    private func sessions(_ steps: [Step], gap: Int64, lateness: Int64) -> (fired: [Fired], late: Int) {
        struct Session { var start: Int64; var end: Int64; var count: Int64; var sum: Int64? }
        var live: [Int64: [Session]] = [:]
        var fired: [Fired] = []
        var late = 0
        var watermark = Int64.min
        for step in steps {
            switch step {
            case .rows(let rows):
                for row in rows {
                    var merged = Session(start: row.time, end: row.time + gap, count: 1, sum: row.value)
                    var rest: [Session] = []
                    for other in live[row.key] ?? [] {
                        if other.start <= row.time + gap, other.end >= row.time {
                            merged.start = min(merged.start, other.start)
                            merged.end = max(merged.end, other.end)
                            merged.count += other.count
                            if let sum = other.sum { merged.sum = (merged.sum ?? 0) + sum }
                        } else {
                            rest.append(other)
                        }
                    }
                    if merged.end - 1 + lateness <= watermark {
                        late += 1
                        continue
                    }
                    live[row.key] = rest + [merged]
                    if merged.end - 1 <= watermark {
                        fired.append(Fired(key: row.key, start: merged.start, end: merged.end, count: merged.count, sum: merged.sum))
                    }
                }
            case .watermark(let time):
                for (key, list) in live {
                    for session in list where session.end - 1 <= time && session.end - 1 > watermark {
                        fired.append(Fired(key: key, start: session.start, end: session.end, count: session.count, sum: session.sum))
                    }
                }
                watermark = max(watermark, time)
                for key in live.keys { live[key]?.removeAll { ($0.end - 1).addingSaturating(lateness) <= watermark } }
            }
        }
        return (fired, late)
    }

    @Test("Session windows fire as Flink's", arguments: 0..<400)
    func session(seed: UInt64) throws {
        let random = SeededRandom(seed: seed &+ 3_000)
        let gap = Int64(1 + random.next(below: 8))
        let lateness = random.next(below: 2) == 0 ? 0 : Int64(random.next(below: 40))
        try compare(.session(gap: gap, isEventTime: true), lateness: lateness, seed: seed) { sessions($0, gap: gap, lateness: lateness) }
    }

    @Test("Count windows begin at every `slide`-th row and fire when they are full", arguments: 0..<200)
    func count(seed: UInt64) throws {
        let random = SeededRandom(seed: seed &+ 4_000)
        let size = Int64(1 + random.next(below: 6))
        let slide = random.next(below: 2) == 0 ? size : Int64(1 + random.next(below: 6))
        let input = Schema([Field("key", .bigInt), Field("value", .bigInt)], shape: .tuple)
        let output = Schema([Field("key", .bigInt), Field("n", .bigInt.notNull), Field("total", .bigInt)])
        let description = WindowDescription(
            assigner: size == slide ? .count(size) : .slidingCount(size: size, slide: slide),
            function: .aggregate([AggregateCall(.countAll, column: nil, name: "n"), AggregateCall(.sum, column: 1, name: "total")]), keys: [0])
        let node = Node(id: NodeID(0), name: "window", inputs: [], operation: .window(description), output: output)
        let harness = try OperatorHarness(try OperatorFactory.make(for: node, inputs: [input], bindings: Bindings()))
        var seen: [Int64: [Int64]] = [:]
        var expected: [[Scalar]] = []
        for _ in 0..<10 {
            let rows = (0..<random.next(below: 20)).map { _ in (key: Int64(random.next(below: 3)), value: Int64(random.next(below: 100))) }
            try harness.process(try int64Batch([rows.map(\.key), rows.map(\.value)]))
            for row in rows {
                seen[row.key, default: []].append(row.value)
                let all = seen[row.key] ?? []
                if Int64(all.count) >= size, (Int64(all.count) - size) % slide == 0 {
                    let last = all.suffix(Int(size))
                    expected.append([.int64(row.key), .int64(Int64(last.count)), .int64(last.reduce(0, +))])
                }
            }
        }
        #expect(try harness.rows() == expected, "seed \(seed)")
    }

    static let extremeTypes: [DataType] = [
        .boolean, .tinyInt, .smallInt, .int, .bigInt, .float, .double, .date, DataType(.time(3)), DataType(.time(9)), DataType(.timestamp(3)),
        DataType(.timestampLTZ(6)), DataType(.decimal(precision: 38, scale: 2)), .string, DataType(.char(4)), .bytes, DataType(.intervalYearMonth),
        DataType(.intervalDayTime(3)),
    ]

    /// A value of a type from a small number, in the order of the numbers: with both ends of the type, NaN, and texts that share their beginning.
    private static func value(_ type: DataType, _ number: Int) -> Scalar {
        let ends: (Int64, Int64) = switch type.layout {
        case .fixed(byteWidth: 1): (-128, 127)
        case .fixed(byteWidth: 2): (-32_768, 32_767)
        case .fixed(byteWidth: 4): (Int64(Int32.min), Int64(Int32.max))
        default: (.min, .max)
        }
        switch type.kind {
        case .boolean: return .boolean(number > 10)
        case .float, .double: return .double(number == 20 ? .nan : number == 0 ? -.infinity : Double(number) - 10.5)
        case .decimal: return .decimal(number == 0 ? -(Int128(1) << 100) : Int128(number - 10) << 64)
        case .char, .varChar, .varBinary:
            // In the order of the numbers: "", "\0", "a", "aa", ... and at last what differs behind a long common beginning.
            if number < 2 { return .string(number == 0 ? "" : "\0") }
            return .string(number < 8 ? String(repeating: "a", count: number) : String(repeating: "b", count: 20) + String(UnicodeScalar(UInt8(60 + number))))
        default: return .int64(number == 0 ? ends.0 : number == 20 ? ends.1 : Int64(number) - 10)
        }
    }

    @Test("MIN and MAX keep the values of every ordered type, through slots used again, merges and late rows", arguments: extremeTypes)
    func extremesOfEveryType(type: DataType) throws {
        let assigners: [WindowDescription.Assigner] = [
            .tumbling(size: 10, offset: 0, isEventTime: true), .sliding(size: 12, slide: 4, offset: 0, isEventTime: true), .session(gap: 3, isEventTime: true),
        ]
        let input = Schema([Field("key", .bigInt), Field("value", type)], shape: .tuple)
        let time = DataType(.timestampLTZ(3), isNullable: false)
        // The same windows over BIGINT with the numbers of the values say what the values must be.
        for (number, assigner) in assigners.enumerated() {
            for seed in UInt64(0)..<12 {
                func run(_ type: DataType, _ scalar: (Int) -> Scalar) throws -> [[String]] {
                    let output = Schema([
                        Field("key", .bigInt), Field("s", time), Field("e", time), Field("least", type), Field("most", type),
                    ])
                    let description = WindowDescription(
                        assigner: assigner, function: .aggregate([AggregateCall(.min, column: 1, name: "least"), AggregateCall(.max, column: 1, name: "most")]),
                        keys: [0], allowedLatenessMilliseconds: seed % 2 == 0 ? 0 : 20)
                    let node = Node(id: NodeID(0), name: "window", inputs: [], operation: .window(description), output: output)
                    let schema = Schema([input.fields[0], Field("value", type)], shape: .tuple)
                    let harness = try OperatorHarness(try OperatorFactory.make(for: node, inputs: [schema], bindings: Bindings()))
                    for step in Self.steps(SeededRandom(seed: seed &+ 50 &* UInt64(number)), spread: 30) {
                        switch step {
                        case .rows(let rows):
                            let builder = try ColumnBuilder.make(for: type)
                            for row in rows { try builder.append(row.value.map { scalar(Int($0) % 21) } ?? .null) }
                            // The column as a window into a longer one.
                            let padded = try Column.concat([try Column.nulls(type: type, count: 3), builder.finish()])
                            let keys = try int64Column(rows.map(\.key))
                            var batch = Batch(schema: schema, columns: [keys, padded.slice(3, rows.count)], count: rows.count)
                            batch.timestamps = try int64Column(rows.map(\.time))
                            try harness.process(batch)
                        case .watermark(let time): try harness.watermark(time)
                        }
                    }
                    for batch in harness.batches { #expect(batch.columns[3].type.kind == type.kind && batch.columns[4].type.kind == type.kind) }
                    return try harness.rows().map { row in row.map { "\($0)" } }.sorted { $0.lexicographicallyPrecedes($1) }
                }
                let expected = try run(.bigInt) { .int64(Int64($0)) }.map { row in
                    row.enumerated().map { position, text in
                        guard position >= 3, text != "null", let number = Int(text.dropFirst("int64(".count).dropLast()) else { return text }
                        return "\(Self.value(type, number))"
                    }
                }
                let found = try run(type) { Self.value(type, $0) }
                #expect(found.sorted { $0.lexicographicallyPrecedes($1) } == expected.sorted { $0.lexicographicallyPrecedes($1) }, "seed \(seed) \(assigner)")
            }
        }
    }

    @Test("A processing-time window fires when the clock has passed its last millisecond, and is dropped and counted at the end")
    func processingTime() throws {
        let harness = try OperatorHarness(try Self.makeOperator(.tumbling(size: 1_000, offset: 0, isEventTime: false), lateness: 0, lateOutput: nil))
        try harness.process(try int64Batch([[1, 1, 2], [10, 20, nil]]))
        #expect(harness.wakeUp == 1_000_999)
        try harness.processingTime(1_001_000)
        let first: Set<Fired> = [
            Fired(key: 1, start: 1_000_000, end: 1_001_000, count: 2, sum: 30), Fired(key: 2, start: 1_000_000, end: 1_001_000, count: 1, sum: nil),
        ]
        #expect(Set(try Self.fired(harness)) == first)
        harness.clock.advance(milliseconds: 5_000)
        try harness.process(try int64Batch([[7], [1]]))
        try harness.watermark(.max)
        try harness.end()
        #expect(try Self.fired(harness).count == 2)
        #expect(harness.metrics.timersDropped.value == 1)
    }

    @Test("A row without a timestamp is an error that names the record")
    func missingTimestamp() throws {
        let harness = try OperatorHarness(try Self.makeOperator(.tumbling(size: 10, offset: 0, isEventTime: true), lateness: 0, lateOutput: nil))
        #expect(throws: MillstreamError.self) { try harness.process(try int64Batch([[1], [1]])) }
        #expect(throws: MillstreamError.self) { try harness.process(try int64Batch([[1, 1], [1, 1]], timestamps: [5, .min])) }
    }

    @Test("Times at both ends of what there is do not trap")
    func extremes() throws {
        for assigner in [
            WindowDescription.Assigner.tumbling(size: 1_000, offset: 7, isEventTime: true),
            .sliding(size: 1_000, slide: 300, offset: 0, isEventTime: true), .session(gap: .max, isEventTime: true),
            .session(gap: 1, isEventTime: true),
        ] {
            let harness = try OperatorHarness(try Self.makeOperator(assigner, lateness: .max, lateOutput: nil))
            try harness.process(try int64Batch([[1, 1, 1, 1], [1, 1, 1, 1]], timestamps: [.min + 1, .max, .max - 1, 0]))
            try harness.watermark(0)
            try harness.process(try int64Batch([[1, 1], [1, 1]], timestamps: [.min + 1, .max]))
            try harness.watermark(.max)
            try harness.end()
        }
    }
}
