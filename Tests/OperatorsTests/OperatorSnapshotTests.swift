import Columnar
import Dataflow
import Glibc
import Operators
import Plan
import TestColumns
import Testing

/// Operators that stop at any point, and go on from files in new subtasks, as many as before or not, give what undisturbed ones give.
@Suite struct OperatorSnapshotTests {
    typealias Assigner = WindowDescription.Assigner

    // MARK: Rows

    enum KeyKind: CaseIterable { case bigInt, text, object, two }

    /// The keys, then: whole numbers, small ones, floating point of both widths, decimals, texts of any length, truth, lists of texts, host values.
    struct Input {
        let keyKind: KeyKind
        var columns: RandomColumns
        let schema: Schema
        let keys: [Int]
        /// The fields behind the keys.
        let values: [Field]

        static let values: [Field] = [
            Field("v", .bigInt), Field("t", .tinyInt), Field("d", .double), Field("f", .float), Field("m", DataType(.decimal(precision: 10, scale: 2))),
            Field("s", .string), Field("b", .boolean), Field("a", DataType(.array(.string))), Field("o", .object),
        ]

        /// Without lists where `isFlat`.
        init(_ seed: Int, isFlat: Bool = false) {
            values = Self.values.filter { !isFlat || $0.name != "a" }
            keyKind = KeyKind.allCases[seed % 4]
            columns = RandomColumns(seed)
            let keyFields: [Field] = switch keyKind {
            case .bigInt: [Field("k", .bigInt)]
            case .text: [Field("k", .string)]
            case .object: [Field("k", .object)]
            case .two: [Field("k", .bigInt), Field("l", .string)]
            }
            keys = Array(keyFields.indices)
            schema = Schema(keyFields + values, shape: .tuple)
        }

        /// The place of a value's column.
        func place(_ name: String) -> Int { schema.fields.firstIndex { $0.name == name } ?? 0 }

        func key(_ number: Int) -> [Scalar] {
            let text = Scalar.string(number % 2 == 0 ? "key \(number)" : "a key longer than a view \(number)")
            switch keyKind {
            case .bigInt: return [.int64(Int64(number))]
            case .text: return [text]
            case .object: return [.object(ObjectScalar(handle: HostObjects.Handle(bitPattern: number + 1), objects: testObjects, keeper: testObjects))]
            case .two: return [.int64(Int64(number)), number % 3 == 0 ? .null : text]
            }
        }

        mutating func batch(_ count: Int, keyCount: Int, times: [Int64]) throws -> Batch {
            let builders = try keys.map { try ColumnBuilder.make(for: schema.fields[$0].type, hostObjects: testObjects) }
            for _ in 0..<count {
                for (builder, scalar) in zip(builders, key(columns.random.int(0..<keyCount))) { try builder.append(scalar) }
            }
            var made = builders.map { $0.finish() }
            for field in values { made.append(try columns.column(field.type, count)) }
            return Batch(schema: schema, columns: made, count: count, timestamps: Column(type: .bigInt, count: count, values: Buffer.copying(times)))
        }

        /// Rows out of order and late, watermarks and the clock's time between them.
        mutating func steps() throws -> [ParallelOperator.Step] {
            var steps: [ParallelOperator.Step] = []
            var base = Int64(columns.random.int(0..<200)) - 100
            var watermark = Int64.min
            let keyCount = columns.random.chance(30) ? 40 : 6
            for _ in 0..<columns.random.int(6..<24) {
                let count = columns.random.int(0..<30)
                let times = (0..<count).map { _ in
                    base += Int64(columns.random.int(0..<4))
                    return base - Int64(columns.random.int(0..<40))
                }
                steps.append(.rows(try batch(count, keyCount: keyCount, times: times)))
                if columns.random.chance(60) {
                    watermark = max(watermark, base - Int64(columns.random.int(0..<40)))
                    steps.append(.watermark(watermark))
                }
                if columns.random.chance(50) { steps.append(.advance(milliseconds: Int64(columns.random.int(1..<9)))) }
            }
            // What is left fires.
            return steps + [.watermark(.max), .advance(milliseconds: 1_000)]
        }
    }

    // MARK: The comparison

    func compare(
        _ what: String, seed: Int, _ input: Input, isBatch: Bool = false, backends: (before: TestBackend, after: TestBackend) = (.memory, .memory),
        parallelism: (Int, Int)? = nil, _ make: () throws -> any Operator
    ) throws {
        var input = input
        var steps = try input.steps()
        if isBatch { steps = steps.compactMap { Self.inBatchMode($0) } }
        let cut = input.columns.random.int(0..<steps.count)
        let drawn = [(1, 1), (2, 2), (1, 4), (4, 1), (3, 2)][input.columns.random.int(0..<5)]
        let (before, after) = parallelism ?? drawn
        let isFull = input.columns.random.chance(50)
        let context = "\(what), seed \(seed), step \(cut) of \(steps.count), \(before) to \(after), \(backends.before) to \(backends.after)"

        func begin(_ backend: TestBackend) throws -> ParallelOperator {
            try ParallelOperator(
                parallelism: before, keys: input.keys, clock: SimulatedClock(start: 1_000_000), isFull: isFull, backend: backend, make: make)
        }
        let undisturbed = try begin(.memory)
        try undisturbed.perform(steps[..<cut])
        _ = undisturbed.takeLines()
        try undisturbed.perform(steps[cut...])
        let expected = undisturbed.takeLines()

        // What was handed over is written when the operator has gone on to its end.
        let checkpoint = try SnapshotHarness(objects: DigitCoding())
        let snapshotted = try begin(backends.before)
        try snapshotted.perform(steps[..<cut])
        _ = snapshotted.takeLines()
        let time = snapshotted.clock.now().milliseconds
        let held = try snapshotted.snapshot(checkpoint)
        try snapshotted.perform(steps[cut...])
        #expect(snapshotted.takeLines().map { $0.map(\.text) } == expected.map { $0.map(\.text) }, "\(context): the snapshot disturbs")
        try snapshotted.close()
        try checkpoint.write(held)

        let restored = try ParallelOperator(
            parallelism: after, keys: input.keys, clock: SimulatedClock(start: time), isFull: isFull, from: checkpoint, backend: backends.after,
            make: make)
        // A snapshot right after the restore is as good as the first.
        let again = try SnapshotHarness(objects: DigitCoding())
        try again.write(try restored.snapshot(again))
        try restored.perform(steps[cut...])
        check(expected, restored.takeLines(), isSameParallelism: before == after, context)
        let twice = try ParallelOperator(
            parallelism: before, keys: input.keys, clock: SimulatedClock(start: time), isFull: isFull, from: again, backend: backends.before,
            make: make)
        try twice.perform(steps[cut...])
        check(expected, twice.takeLines(), isSameParallelism: before == after, "\(context) and back")
        try undisturbed.close()
        try restored.close()
        try twice.close()
    }

    /// The step as BATCH mode has it: rows without timestamps wait for nothing, and there is one watermark.
    static func inBatchMode(_ step: ParallelOperator.Step) -> ParallelOperator.Step? {
        switch step {
        case .rows(var batch):
            batch.timestamps = nil
            return .rows(batch)
        case .watermark(let time): return time == .max ? step : nil
        case .advance: return step
        }
    }

    /// In as many subtasks as before everything comes as it came there; else the rows of each key do.
    func check(
        _ expected: [[(key: String, text: String)]], _ found: [[(key: String, text: String)]], isSameParallelism: Bool, _ context: String
    ) {
        if isSameParallelism { return #expect(found.map { $0.map(\.text) } == expected.map { $0.map(\.text) }, "\(context)") }
        func byKey(_ lines: [[(key: String, text: String)]]) -> [String: [String]] {
            Dictionary(grouping: lines.flatMap { $0 }, by: \.key).mapValues { $0.map(\.text) }
        }
        #expect(byKey(found) == byKey(expected), "\(context)")
    }

    // MARK: Host functions

    static func read(_ column: Column, _ row: Int) -> Int64 { column.isNull(row) ? 0 : column.pointer(as: Int64.self)[row] }

    static func bigInts(_ values: [Int64]) -> Column { Column(type: .bigInt, count: values.count, values: Buffer.copying(values)) }

    /// Folds rows: the first `numbers` of the accumulator's columns add up what `add` gives for a row, the others have the last row's `places`.
    static func fold(
        _ request: HostRequest, sum: Int, places: [Int], add: (Int) -> Int64
    ) throws(MillstreamError) -> (accumulators: [Column], running: [Int64]) {
        guard let slots = request.slots else { throw .internal("no slots") }
        let count = request.accumulators[0].count
        var sums = (0..<count).map { read(request.accumulators[sum], $0) }
        var last = (0..<count).map { Int32($0) }
        var running: [Int64] = []
        for row in 0..<request.count {
            let slot = Int(slots.pointer(as: Int32.self)[row])
            sums[slot] = sums[slot] &+ add(row)
            last[slot] = Int32(count + row)
            running.append(sums[slot])
        }
        var accumulators: [Column] = []
        for (position, place) in places.enumerated() {
            if position == sum {
                accumulators.append(bigInts(sums))
            } else {
                accumulators.append(try Column.concat([request.accumulators[position], request.columns[place]]).taking(Selection(last)))
            }
        }
        return (accumulators, running)
    }

    /// Adds up `v`; the rest is the last row's.
    static func reduce(_ input: Input) -> FakeHostFunction {
        let sum = input.place("v")
        return FakeHostFunction { (request) throws(MillstreamError) in
            let (accumulators, running) = try fold(request, sum: sum, places: Array(input.schema.fields.indices)) { read(request.columns[sum], $0) }
            var columns = request.columns
            columns[sum] = bigInts(running)
            return HostResponse(outputs: [HostResponse.Rows(columns: columns, count: request.count)], accumulators: accumulators)
        }
    }

    /// Like `reduce`, with accumulators of other types than its results: the sum, and how many rows.
    static func countingReduce(_ input: Input) -> FakeHostFunction {
        let sum = input.place("v")
        return FakeHostFunction(accumulatorTypes: [.bigInt, .int]) { (request) throws(MillstreamError) in
            guard let slots = request.slots else { throw .internal("no slots") }
            var sums = (0..<request.accumulators[0].count).map { read(request.accumulators[0], $0) }
            let running = (0..<request.count).map { row -> Int64 in
                let slot = Int(slots.pointer(as: Int32.self)[row])
                sums[slot] = sums[slot] &+ read(request.columns[sum], row)
                return sums[slot]
            }
            var columns = request.columns
            columns[sum] = bigInts(running)
            return HostResponse(
                outputs: [HostResponse.Rows(columns: columns, count: request.count)],
                accumulators: [bigInts(sums), .repeating(Int32(7), type: .int, count: sums.count).retyped(.int)])
        }
    }

    /// A key, how many rows, and the last text, host value and list.
    static func aggregate(_ input: Input) -> FakeHostFunction {
        let places = [0, 0] + ["s", "o", "a"].map { input.place($0) }
        let types = [input.schema.fields[0].type, .bigInt] + places[2...].map { input.schema.fields[$0].type }
        return FakeHostFunction(accumulatorTypes: types) { (request) throws(MillstreamError) in
            switch request.operation {
            case .accumulate:
                return HostResponse(accumulators: try fold(request, sum: 1, places: places) { _ in 1 }.accumulators)
            case .merge:
                let pairs = 0..<request.accumulators[0].count / 2
                var merged: [Column] = []
                for column in request.accumulators { merged.append(try column.taking(Selection(pairs.map { Int32(2 * $0 + 1) }))) }
                merged[1] = bigInts(pairs.map { read(request.accumulators[1], 2 * $0) + read(request.accumulators[1], 2 * $0 + 1) })
                return HostResponse(accumulators: merged)
            default: return HostResponse(outputs: [HostResponse.Rows(columns: request.accumulators, count: request.accumulators[0].count)])
            }
        }
    }

    /// Key, window, and all that the function sees of it as a text.
    static func window() -> FakeHostFunction {
        FakeHostFunction { (request) throws(MillstreamError) in
            guard let offsets = request.elementOffsets else { throw .internal("no offsets") }
            let texts = request.columns.map { rows($0) }
            let builder = try ColumnBuilder.make(for: .string)
            for window in 0..<request.count {
                let elements = Int(offsets.pointer(as: Int32.self)[window])..<Int(offsets.pointer(as: Int32.self)[window + 1])
                let seen = elements.map { element in texts.map { $0[element] }.joined(separator: ",") }.joined(separator: ";")
                let times = request.windows.map { rows($0, [window]).joined() }.joined(separator: "-")
                try builder.append(.string("[\(times)) at \(request.state?.currentWatermark.milliseconds ?? 0): \(seen)"))
            }
            let parents = Column(type: .int, count: request.count, values: Buffer.copying((0..<request.count).map { Int32($0) }))
            return HostResponse(outputs: [HostResponse.Rows(columns: [request.keys[0], builder.finish()], count: request.count, parents: parents)])
        }
    }

    // MARK: Windows

    static let assigners: [(String, Assigner)] = [
        ("tumbling", .tumbling(size: 10, offset: 3, isEventTime: true)), ("sliding", .sliding(size: 12, slide: 4, offset: 0, isEventTime: true)),
        ("sliding unevenly", .sliding(size: 10, slide: 7, offset: 1, isEventTime: true)),
        ("with gaps", .sliding(size: 5, slide: 12, offset: 3, isEventTime: true)), ("session", .session(gap: 4, isEventTime: true)),
        ("count", .count(4)), ("sliding count", .slidingCount(size: 5, slide: 2)), ("count with gaps", .slidingCount(size: 3, slide: 5)),
        ("tumbling by the clock", .tumbling(size: 10, offset: 0, isEventTime: false)),
        ("sliding by the clock", .sliding(size: 12, slide: 4, offset: 0, isEventTime: false)), ("session by the clock", .session(gap: 3, isEventTime: false)),
    ]

    static let calls: [AggregateCall.Function] = [.count, .sum, .average, .min, .max]

    /// All aggregates that the columns allow.
    func calls(_ input: Input) throws -> [AggregateCall] {
        var calls = [AggregateCall(.countAll, column: nil, name: "n")]
        for (place, field) in input.schema.fields.enumerated() where !input.keys.contains(place) {
            for function in Self.calls {
                let call = AggregateCall(function, column: place, name: "\(function)_\(field.name)")
                do { _ = try call.resultType(over: field.type) } catch { continue }
                calls.append(call)
            }
        }
        return calls
    }

    func node(_ operation: Plan.Operation, _ output: Schema) -> Node { Node(id: NodeID(0), name: "node", inputs: [], operation: operation, output: output) }

    func window(_ assigner: Assigner, _ function: Int, _ input: Input, lateness: Int64) throws -> any Operator {
        var bindings = Bindings()
        bindings.hostObjects = testObjects
        bindings.bind(1, function: Self.reduce(input))
        bindings.bind(2, function: Self.aggregate(input))
        bindings.bind(3, function: Self.window())
        let time = DataType(.timestampLTZ(3), isNullable: false)
        var output = Schema([input.schema.fields[0], Field("text", .string)])
        let called: WindowDescription.Function
        switch function {
        case 0:
            let calls = try calls(input)
            called = .aggregate(calls)
            var times = [Field("s", time), Field("e", time)]
            switch assigner {
            case .count, .slidingCount: times = []
            default: break
            }
            output = Schema(
                input.keys.map { input.schema.fields[$0] } + times
                    + (try calls.map { call in Field(call.name, try call.resultType(over: call.column.map { input.schema.fields[$0].type })) }))
        case 1:
            called = .reduce(BindingID(1), then: nil)
            output = input.schema
        case 2: called = .reduce(BindingID(1), then: BindingID(3))
        case 3:
            called = .hostAggregate(BindingID(2), then: nil)
            output = Schema([input.schema.fields[0], Field("n", .bigInt), Field("s", .string), Field("o", .object), Field("a", DataType(.array(.string)))])
        default: called = .process(BindingID(3))
        }
        let description = WindowDescription(
            assigner: assigner, function: called, keys: input.keys, allowedLatenessMilliseconds: lateness, lateOutput: "late")
        return try OperatorFactory.make(for: node(.window(description), output), inputs: [input.schema], bindings: bindings)
    }

    @Test("Windows go on from a checkpoint", arguments: Array(0..<10) + [19, 34, 40])
    func windows(seed: Int) throws {
        for (name, assigner) in Self.assigners {
            for function in 0..<5 {
                let input = Input(seed)
                let lateness: Int64 = seed % 3 == 0 ? 0 : 30
                try compare("\(name), function \(function)", seed: seed, input) { try window(assigner, function, input, lateness: lateness) }
            }
        }
    }

    // MARK: Rolling operators

    @Test("Rolling aggregates go on from a checkpoint", arguments: [RollingAggregate.sum, .min, .max, .minBy, .maxBy], 0..<10)
    func rolling(aggregate: RollingAggregate, seed: Int) throws {
        let input = Input(seed)
        let column = input.place(["v", "t", "d", "f", "m"][seed % 5])
        try compare("rolling \(aggregate)", seed: seed, input) {
            var bindings = Bindings()
            bindings.hostObjects = testObjects
            return try OperatorFactory.make(
                for: node(.rolling(aggregate, column: column, keys: input.keys), input.schema), inputs: [input.schema], bindings: bindings)
        }
    }

    @Test("A rolling reduce goes on from a checkpoint", arguments: 0..<20)
    func reduce(seed: Int) throws {
        let input = Input(seed)
        try compare("reduce", seed: seed, input) {
            var bindings = Bindings()
            bindings.hostObjects = testObjects
            bindings.bind(1, function: Self.reduce(input))
            return try OperatorFactory.make(
                for: node(.reduce(BindingID(1), keys: input.keys), input.schema), inputs: [input.schema], bindings: bindings)
        }
    }

    @Test("What BATCH mode gives at the end goes through a checkpoint, once", arguments: 0..<30)
    func batchMode(seed: Int) throws {
        let input = Input(seed)
        try compare("BATCH mode", seed: seed, input, isBatch: true) {
            var bindings = Bindings()
            bindings.hostObjects = testObjects
            // The function's accumulators are not its results.
            bindings.bind(1, function: Self.reduce(input))
            let operation: Plan.Operation = seed % 3 == 0
                ? .rolling(.maxBy, column: input.place("d"), keys: input.keys) : .reduce(BindingID(seed % 3), keys: input.keys)
            bindings.bind(2, function: Self.countingReduce(input))
            return try OperatorFactory.make(for: node(operation, input.schema), inputs: [input.schema], bindings: bindings, isBatch: true)
        }
    }

    // MARK: Watermarks

    private func generator(_ input: Input, idle: Int64? = nil) throws -> any Operator {
        let description = WatermarkDescription(timestamps: .keep, generator: .boundedOutOfOrderness(milliseconds: 5), idleTimeoutMilliseconds: idle)
        var configuration = JobConfiguration()
        configuration.watermarkIntervalMilliseconds = 20
        return try OperatorFactory.make(
            for: node(.assignTimestamps(description), input.schema), inputs: [input.schema], bindings: Bindings(), configuration: configuration)
    }

    /// It goes on behind the rows that it has seen, and gives out no watermark twice; of three new subtasks each does.
    @Test("A watermark generator goes on from a checkpoint", arguments: 0..<40)
    func generators(seed: Int) throws {
        var input = Input(4 * seed)
        // The clock stays where it is: how long it has been quiet counts from the restore.
        let steps = try input.steps().filter { if case .rows = $0 { true } else { false } }
        let cut = input.columns.random.int(0..<steps.count)
        let clock = SimulatedClock(start: 1_000_000)
        func make() throws -> any Operator { try generator(input) }
        let undisturbed = try ParallelOperator(parallelism: 1, keys: [], clock: clock, isFull: seed % 2 == 0, make: make)
        try undisturbed.perform(steps[..<cut])
        _ = undisturbed.takeLines()
        let checkpoint = try SnapshotHarness(objects: DigitCoding())
        let held = try undisturbed.snapshot(checkpoint)
        try undisturbed.perform(steps[cut...])
        try checkpoint.write(held)
        let expected = undisturbed.takeLines()[0].map(\.text)
        for parallelism in [1, 3] {
            let restored = try ParallelOperator(parallelism: parallelism, keys: [], clock: clock, isFull: false, from: checkpoint, make: make)
            try restored.perform(steps[cut...])
            #expect(restored.takeLines()[0].map(\.text) == expected, "seed \(seed), step \(cut) of \(steps.count), to \(parallelism)")
        }
    }

    /// Of two that were not idle and an idle one that is far behind, fewer or more go on with the lesser of the two; three each with its own.
    @Test("Watermark generators in other subtasks begin with the least watermark, idle ones aside")
    func generatorsInOtherSubtasks() throws {
        var input = Input(0)
        let clock = SimulatedClock(start: 1_000_000)
        let checkpoint = try SnapshotHarness(objects: DigitCoding())
        var held: [HeldSnapshot] = []
        for (time, isIdle) in [(1_000, false), (100, true), (700, false)] as [(Int64, Bool)] {
            let one = try ParallelOperator(parallelism: 1, keys: [], clock: clock, isFull: false) { try generator(input, idle: 50) }
            try one.perform([.rows(try input.batch(1, keyCount: 1, times: [time]))] + (isIdle ? [.advance(milliseconds: 60)] : []))
            #expect(one.takeLines()[0].last?.text == (isIdle ? "idle" : "watermark \(time - 6)"))
            held += try one.snapshot(checkpoint)
        }
        try checkpoint.write(held)
        let late = try input.batch(1, keyCount: 1, times: [600])
        let next = try input.batch(1, keyCount: 1, times: [720])
        for parallelism in [1, 2] {
            let restored = try ParallelOperator(parallelism: parallelism, keys: [], clock: clock, isFull: false, from: checkpoint) {
                try generator(input, idle: 50)
            }
            try restored.perform([.rows(late), .rows(next)])
            #expect(restored.takeLines()[0].map(\.text).filter { !$0.contains("|") } == ["watermark 714"])
        }
        let own = try ParallelOperator(parallelism: 3, keys: [], clock: clock, isFull: false, from: checkpoint) { try generator(input, idle: 50) }
        // The idle one says so once more, and that it no longer is when the next row comes.
        try own.perform([.advance(milliseconds: 30), .rows(next)])
        let lines = own.takeLines().map { $0.map(\.text).filter { !$0.contains("|") } }
        #expect(lines == [[], ["idle"], []])
    }

    // MARK: Speed

    private func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Prints how long an operator with a million keys stands still for a snapshot; the limits are far above the aim of 50 ms, because the machine may be busy.
    @Test(arguments: ["rolling sum", "window of SUM", "session of SUM", "window of elements", "window of MAX of a text"]) func speed(what: String) throws {
        let keyCount = 1_000_000
        let text = what == "window of MAX of a text"
        let input = Schema([Field("key", DataType.bigInt.notNull), Field("value", text ? .string : .bigInt)], shape: .tuple)
        let time = DataType(.timestampLTZ(3), isNullable: false)
        let output = Schema([input.fields[0], Field("s", time), Field("e", time), Field("result", input.fields[1].type)])
        let tumbling = Assigner.tumbling(size: 1_000, offset: 0, isEventTime: true)
        let sum = WindowDescription.Function.aggregate([AggregateCall(text ? .max : .sum, column: 1, name: "result")])
        var bindings = Bindings()
        bindings.bind(3, function: Self.window())
        let operation: Plan.Operation = switch what {
        case "rolling sum": .rolling(.sum, column: 1, keys: [0])
        case "session of SUM": .window(WindowDescription(assigner: .session(gap: 10, isEventTime: true), function: sum, keys: [0]))
        case "window of elements": .window(WindowDescription(assigner: tumbling, function: .process(BindingID(3)), keys: [0]))
        default: .window(WindowDescription(assigner: tumbling, function: sum, keys: [0]))
        }
        let made = try OperatorFactory.make(for: node(operation, what == "rolling sum" ? input : output), inputs: [input], bindings: bindings)
        let clock = SimulatedClock()
        let checkpoint = try SnapshotHarness()
        let harness = try OperatorHarness(made)
        for start in stride(from: 0, to: keyCount, by: 10_000) {
            let numbers = (start..<start + 10_000).map { Int64($0) }
            let key = Column(type: DataType.bigInt.notNull, count: numbers.count, values: Buffer.copying(numbers))
            var value = key.retyped(.bigInt)
            if text {
                let builder = try ColumnBuilder.make(for: .string)
                for number in numbers { try builder.append(.string("a text that is longer than a view \(number)")) }
                value = builder.finish()
            }
            var batch = Batch(schema: input, columns: [key, value], count: numbers.count)
            batch.timestamps = Column.repeating(Int64(5), type: .bigInt, count: numbers.count)
            try harness.process(batch)
        }
        var seconds = Double.infinity
        var held: HeldSnapshot?
        for _ in 0..<4 {
            held = nil
            let start = processorSeconds()
            held = try checkpoint.hold(made)
            seconds = min(seconds, processorSeconds() - start)
        }
        let snapshot = try #require(held)
        try checkpoint.write([snapshot])
        #expect(checkpoint.rowCount >= keyCount)
        let again = try OperatorFactory.make(for: node(operation, what == "rolling sum" ? input : output), inputs: [input], bindings: bindings)
        let begun = processorSeconds()
        try checkpoint.open(again, try checkpoint.context(subtask: 0, parallelism: 1, clock: clock))
        let restoring = processorSeconds() - begun
        print("snapshot of a \(what), \(keyCount) keys: \(Int(seconds * 1e4)) / 10 ms, read back in \(Int(restoring * 1e3)) ms")
        #expect(seconds < 0.5 && restoring < 5)
    }
}
