import Columnar
import Dataflow
import Plan

/// A job drawn from a seed: input, operators, configuration and faults, with what must come out of it.
struct DrawnJob {
    /// What is known about the result.
    enum Mode: CaseIterable {
        /// One split and one channel into each keyed subtask: rows and watermarks come in one order, so that everything is determined, late rows too.
        case exact
        /// Several splits, and no row that is late for its own split's watermark: the multiset of results is determined.
        case punctual
        /// Several splits with late rows. Which of them are late depends on the interleaving: every row is in exactly one place.
        case late
        /// A split that rests for a long time must not hold back the results of the other one; its own rows are all late.
        case idle
    }

    enum Fault: CaseIterable {
        case pausedTasks, delayedChannels, clockJumps, slowFunctions, failingFunction, cancellation, tinyChannels, tinyBatches, slowSinks, sourcePauses,
            nullKey, pieces
    }

    let seed: UInt64
    let crashes: Bool
    let mode: Mode
    let step: Reference.Step
    var plan = StreamPlan()
    var bindings = Bindings()
    let ledger = Ledger()
    let around: DrawnFunction.Surroundings
    let main = Arrivals()
    let side = Arrivals()
    let faults: Set<Fault>
    private(set) var sources: [RowsSource] = []
    private(set) var sinks: [CommittingSink] = []
    var splits: [[InputRow]] = []
    var lag: Int64 = 0
    var interval: Int64 = 0
    var thinsOut = false
    var hasLateOutput = false
    /// Whether the results of a key come in a known order.
    var checksOrder = false
    var stallsUntil: Int64 = 0
    /// Behind so many rows the only source rests for a while: alarms and windows of processing time that were set before must have fired by then.
    var restsBehind: Int?
    var cancelsAtTick: Int?
    var hasNullKey = false
    /// All sources end, so AUTOMATIC is BATCH.
    var isBatch: Bool { plan.configuration.mode != .streaming }
    /// The plan's node whose subtasks have the keys.
    var keyedNode = NodeID(0)
    /// Whether keys are a function's, and not a column.
    var hasKeySelector: Bool { around.keyMask != 0 }
    var hasGenerator = false
    /// Whether a union's streams differ in what can be null.
    var hasMixedUnion = false

    static let stallMilliseconds: Int64 = 1_000_000
    static let restMilliseconds: Int64 = 5_000

    /// Whether the step's result depends on the order of a key's rows.
    private static func dependsOnOrder(_ step: Reference.Step) -> Bool {
        switch step {
        case .tally, .counts, .reduce, .rolling: true
        default: false
        }
    }

    /// Whether each row can be found in the results.
    private static func listsRows(_ step: Reference.Step) -> Bool {
        switch step {
        case .alarms, .processingWindows: true
        case .windows(_, _, _, _, let function), .sessions(_, _, let function): function == .elements
        default: false
        }
    }

    /// Results by their true keys, where they have the first column of the rows.
    var mainRows: [[Int64?]] {
        switch step {
        case .reduce, .rolling: unmasked(main.rows)
        case .windows(_, _, _, _, let function), .sessions(_, _, let function), .counts(_, _, let function):
            function == .fold || function == .aggregate ? unmasked(main.rows) : main.rows
        default: main.rows
        }
    }

    /// Late rows are as they came.
    var sideRows: [[Int64?]] {
        if case .tally = step { return side.rows }
        return unmasked(side.rows)
    }

    private func unmasked(_ rows: [[Int64?]]) -> [[Int64?]] {
        if !hasKeySelector { return rows }
        return rows.map { row in [row[0].map { $0 ^ around.keyMask }] + row.dropFirst() }
    }

    static func isInProcessingTime(_ step: Reference.Step) -> Bool {
        switch step {
        case .alarms, .processingWindows: true
        default: false
        }
    }

    /// With `crashes`: a job with checkpoints, whose sinks show what is committed; its result is determined, whatever it goes through.
    init(seed: UInt64, crashes: Bool = false, isAsFound: Bool = false) {
        self.seed = seed
        let random = SeededRandom(seed: seed &* 0x9E37_79B9 &+ 17)
        func below(_ bound: Int) -> Int { Int(random.next(below: UInt64(bound))) }
        func one(in count: Int) -> Bool { below(count) == 0 }
        func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

        let clock = SimulatedClock(start: 1_000_000_000_000)
        around = DrawnFunction.Surroundings(ledger: ledger, clock: clock)
        self.crashes = crashes
        let drawn = pick([Mode.exact, .exact, .exact, .punctual, .punctual, .late, .late, .idle])
        mode = !crashes ? drawn : drawn == .late ? .punctual : drawn == .idle ? .exact : drawn
        // Each seed leaves a random half of the kinds of faults out: what hides behind one fault shows up without it.
        var faults = Set(Fault.allCases.filter { _ in one(in: 2) })
        for rare in [Fault.failingFunction, .cancellation, .nullKey] where !one(in: 4) { faults.remove(rare) }
        if mode == .idle { faults.subtract([.slowSinks, .clockJumps]) }
        // These end a job; a function that fails once is drawn below.
        if crashes { faults.subtract([.failingFunction, .cancellation, .nullKey]) }
        self.faults = faults

        // Event time in units so long that no watermark is due by processing time, or in milliseconds with a watermark after every row that allows one.
        var unit: Int64 = one(in: 2) ? 1 : 10_000_000
        interval = unit == 1 ? 0 : unit * Int64(pick([0, 1, 7, 60]))
        if mode == .punctual || mode == .late { (unit, interval) = (1, pick([0, 1, 50, 200, 1_000])) }
        if mode == .idle { (unit, interval) = (10_000, 20_000) }

        // With few times, rows fall on the borders of windows and on watermarks.
        let grain = mode == .exact && one(in: 2) ? 20 : 1
        step = Self.drawStep(mode, unit, grain, random)
        let isOrdered = Self.dependsOnOrder(step)
        hasLateOutput = one(in: 2)
        if case .alarms = step { hasLateOutput = false }

        // Input.
        let splitCount = mode == .exact ? 1 : mode == .idle ? 2 : 1 + below(4)
        let disorder = below(60 / grain)
        let lagUnits = mode == .exact ? below(80 / grain) : disorder
        lag = unit * Int64(lagUnits) + (one(in: 4) ? unit - 1 : 0)
        let lateChance = mode == .exact || mode == .late ? below(31) : 0
        let base: Int64 = pick([0, 0, -3_000_000_000, 1_700_000_000_000, -(1 << 62), 1 << 62])
        let keyCount = 1 + below(30)
        let skew = pick([0, 0, 70, 95])
        let nullPercent = pick([0, 0, 10, 50])
        let extremePercent = pick([0, 0, 10])
        let rowCount = mode == .exact ? 10 + below(250) : 5 + below(80)
        var id: Int64 = 0
        for split in 0..<splitCount {
            var rows: [InputRow] = []
            let stride = Double(1 + below(30)) / Double(grain)
            for sequence in 0..<rowCount {
                id += 1
                let number = below(100) < skew ? 0 : below(keyCount)
                var key = number == 0 ? Int64.min : number == 1 ? Int64.max : Int64(number) * 7_919 - 30_000
                if isOrdered { key = key &+ Int64(split) &* 1_000_003 }
                var value: Int64? = Int64(below(1_000)) - 300
                if below(100) < nullPercent { value = nil } else if below(100) < extremePercent { value = one(in: 2) ? .min : .max }
                var time = Int64(Double(sequence) * stride) - Int64(below(disorder + 1))
                if below(100) < lateChance { time -= Int64(below(600 / grain)) }
                // Even, because session gaps are odd: whether two sessions touch must not depend on when the watermark comes.
                if mode != .exact { time *= 2 }
                rows.append(InputRow(key: key, id: id, value: value, time: base &+ time * unit, split: split))
            }
            splits.append(rows)
        }
        if mode != .exact { lag *= 2 }

        // Drawn apart, so that the rest of a seed is as it was without them.
        let more = SeededRandom(seed: seed &* 0xD1B5_4A32 &+ 29)
        // A generator of the host begins anew with each attempt: its watermarks are not what one run gives, and only matter where late rows do.
        hasGenerator = more.next(below: 3) == 0 && !(crashes && mode == .exact)
        let isPeriodic = more.next(below: 2) == 0
        let hasTimestampFunction = more.next(below: 4) == 0
        let mixesUnion = more.next(below: 2) == 0
        if more.next(below: 3) == 0 { around.keyMask = 0x55AA_1234 }
        let keyPosition = around.keyMask == 0 ? 0 : 4

        // Configuration.
        plan.jobName = "simulation \(seed)"
        plan.configuration.seed = seed
        plan.configuration.batchRowCountLimit = faults.contains(.tinyBatches) ? pick([1, 1, 2, 3]) : pick([1 + below(64), 1 + below(4_096)])
        plan.configuration.exchangeByteCount = faults.contains(.tinyChannels) ? pick([1, 1, 500]) : pick([40_000, 4 << 20])
        plan.configuration.bufferTimeoutMilliseconds = pick([0, 1, 10])
        plan.configuration.isChainingEnabled = !one(in: 4)
        plan.configuration.maxParallelism = 8 + below(200)
        plan.configuration.watermarkIntervalMilliseconds = interval
        if mode == .punctual, one(in: 6), !crashes { plan.configuration.mode = .automatic }
        // Of a random source of its own, so that the rest of a seed's job stays what it was.
        if mode == .exact, !crashes, SeededRandom(seed: seed ^ 0xBA7C4).next(below: 6) == 0 { plan.configuration.mode = .batch }
        // Drawn apart again: where state is, and how many keys of it fit into memory: none, a few, all.
        let backends = SeededRandom(seed: seed ^ 0x5709E)
        if backends.next(below: 2) == 0 {
            plan.configuration.state.kind = .sortedMemory
            plan.configuration.state.memoryByteCount = [0, 800, 8_000, 1 << 20][Int(backends.next(below: 4))]
            plan.configuration.state.isIncremental = backends.next(below: 2) == 0
        }
        around.slowness = faults.contains(.slowFunctions) ? 30 : 0
        around.piece = faults.contains(.pieces) ? UInt64(1 + below(8)) : .max
        if faults.contains(.failingFunction) { around.failsAtRow = below(rowCount) }
        // In BATCH mode alarms go off when the input has ended, whatever the clock says.
        around.isClockSteady = !faults.contains(.clockJumps) && !isBatch
        if faults.contains(.cancellation) { cancelsAtTick = below(2_000) }
        if crashes { drawCheckpoints(rowCount: rowCount * splitCount, canRepeat: mode == .exact || Self.listsRows(step), isAsFound: isAsFound) }

        // Operators.
        var binding = 0
        func number() -> BindingID {
            binding += 1
            return BindingID(binding)
        }
        var nodes: [Node] = []
        func add(_ name: String, _ inputs: [Edge], _ operation: Operation, _ schema: Schema, parallelism: Int?) -> Node {
            var node = Node(id: NodeID(nodes.count), name: name, inputs: inputs, operation: operation, output: schema)
            node.parallelism = parallelism
            if one(in: 8) { node.chaining = .head }
            nodes.append(node)
            return node
        }
        var bound = Bindings()
        var watermarks = WatermarkDescription(
            timestamps: .column(3), generator: .boundedOutOfOrderness(milliseconds: lag), idleTimeoutMilliseconds: mode == .idle ? 10_000 : nil)
        func source(_ range: Range<Int>, parallelism: Int, _ schema: Schema = InputRow.schema) -> Edge {
            let id = number()
            if hasGenerator {
                let generator = number()
                bound.bind(generator.value, function: DrawnFunction(.generator(lag: lag, isPeriodic: isPeriodic), around, seed: seed))
                watermarks.generator = .host(generator)
            }
            if hasTimestampFunction {
                let timestamps = number()
                bound.bind(timestamps.value, function: DrawnFunction(.timestamps, around, seed: seed))
                watermarks.timestamps = .host(timestamps)
            }
            let made = RowsSource(
                splits: Array(splits[range]), seed: seed &+ UInt64(range.lowerBound) &* 64, ledger: ledger, pauses: faults.contains(.sourcePauses))
            made.schema = schema
            made.keyMask = around.keyMask
            if mode == .idle, range.lowerBound == 1 {
                stallsUntil = clock.monotonicNanoseconds() + Self.stallMilliseconds * 1_000_000
                made.stallsUntil = stallsUntil
            }
            if crashes {
                // So that a barrier can come before the split, and everything that is due fires before the end.
                made.clock = clock
                made.restsAtEnd = Self.isInProcessingTime(step)
            } else if mode == .exact, !isBatch, Self.isInProcessingTime(step), !faults.contains(.slowSinks), !faults.contains(.clockJumps) {
                restsBehind = rowCount / 2
                made.restsBehind = restsBehind
            }
            bound.bind(id.value, source: made)
            sources.append(made)
            nullKeySource = made
            return Edge(
                source: add(
                    "source \(range.lowerBound)", [], .source(SourceDescription(.custom(id), watermarks: watermarks)), schema,
                    parallelism: parallelism
                ).id)
        }
        var nullKeySource: RowsSource?
        var stream: Edge
        if mode == .exact {
            stream = source(0..<1, parallelism: 1)
        } else if mode == .idle || (splitCount > 1 && one(in: 2)) {
            let cut = mode == .idle ? 1 : 1 + below(splitCount - 1)
            // A null key, if there is one, is the last source's.
            hasMixedUnion = mixesUnion
            around.checksTypes = true
            let parts = [
                source(0..<cut, parallelism: cut, hasMixedUnion ? InputRow.strictSchema : InputRow.schema), source(cut..<splitCount, parallelism: splitCount - cut),
            ]
            stream = Edge(source: add("union", parts, .union, InputRow.schema, parallelism: nil).id)
        } else {
            stream = source(0..<splitCount, parallelism: splitCount + below(3))
        }
        thinsOut = mode != .idle && one(in: 2)
        if thinsOut {
            let id = number()
            bound.bind(id.value, function: DrawnFunction(.thinOut, around, seed: seed))
            if mode != .exact {
                stream.partitioning =
                    isOrdered ? pick([.hash(keys: [0]), .global]) : pick([.rebalance, .shuffle, .rescale, .hash(keys: [0]), .forward])
            }
            stream = Edge(source: add("thin out", [stream], .transform(id), InputRow.schema, parallelism: mode == .exact ? 1 : 1 + below(8)).id)
        }
        if hasKeySelector {
            let id = number()
            bound.bind(id.value, function: DrawnFunction(.select, around, seed: seed))
            stream = Edge(source: add("select", [stream], .keySelector(id, keyTypes: [.bigInt]), InputRow.schema, parallelism: nil).id)
        }
        // State belongs to key groups: a function's own channels cannot be found again.
        if one(in: 3), !crashes {
            let id = number()
            bound.bind(id.value, function: DrawnFunction(.partition, around, seed: seed))
            stream.partitioning = .custom(id, keys: [keyPosition])
        } else {
            stream.partitioning = .hash(keys: [keyPosition])
            around.isHashed = true
            if faults.contains(.nullKey) {
                // A row that the first function lets through, of the last source's first split.
                let place = nullKeySource?.splits[0].lastIndex { $0.id % 17 != 0 }
                nullKeySource?.nullKey = place
                hasNullKey = place != nil
            }
        }
        let (operation, schema) = Self.operation(step, keyPosition, hasLateOutput: hasLateOutput, number, around, seed, &bound)
        let width = 1 + below(8)
        let keyed = add("keyed", [stream], operation, schema, parallelism: width)
        keyedNode = keyed.id
        nodes[keyed.id.value].sideOutputs = [SideOutput(name: "side", schema: InputRow.schema)]
        checksOrder = isOrdered
        if mode == .exact, case .windows = step { checksOrder = true }
        if mode == .exact, case .sessions = step { checksOrder = true }
        stream = Edge(source: keyed.id)
        // Not while a split rests: the operator asks for time every seven milliseconds.
        if mode != .idle, one(in: 2) {
            let id = number()
            let canBeInterrupted = one(in: 2)
            let ledger = self.ledger
            bound.bind(id.value, operator: {
                Nervous(ledger: ledger, hasSideOutput: false, checksTime: false, canBeInterrupted: canBeInterrupted, failsAtRow: nil)
            })
            stream.partitioning = pick([.hash(keys: [0]), .rebalance, .shuffle, .forward])
            let parallelism = pick([width, 1 + below(8)])
            switch stream.partitioning {
            case .hash: break
            case .forward: if parallelism != width { checksOrder = false }
            default: checksOrder = false
            }
            stream = Edge(source: add("after", [stream], .custom(id), schema, parallelism: parallelism).id)
        }
        let refusals = faults.contains(.slowSinks) ? UInt64(1 + below(3)) : 0
        for (edge, arrivals) in [(stream, main), (Edge(source: keyed.id, sideOutput: "side"), side)] {
            let id = number()
            if crashes {
                let sink = CommittingSink(arrivals, ledger: ledger, refusals: refusals, seed: seed)
                sinks.append(sink)
                bound.bind(id.value, sink: sink)
            } else {
                bound.bind(id.value, sink: RecordingSink(arrivals, ledger: ledger, refusals: refusals))
            }
            var edge = edge
            // To one subtask, so that what arrives is in the order of the key.
            edge.partitioning = .global
            _ = add("sink", [edge], .sink(SinkDescription(.custom(id))), schema, parallelism: 1 + below(2))
        }
        plan.nodes = nodes
        bindings = bound
    }

    private static func drawStep(_ mode: Mode, _ unit: Int64, _ grain: Int, _ random: SeededRandom) -> Reference.Step {
        func below(_ bound: Int) -> Int64 { Int64(random.next(below: UInt64(bound))) }
        let function = Reference.WindowFunction.allCases[Int(below(Reference.WindowFunction.allCases.count))]
        let bucket = unit * (1 + below(300 / grain))
        func windows(_ function: Reference.WindowFunction, isTumbling: Bool, lateness: Int64) -> Reference.Step {
            let size = unit * (1 + below(400 / grain))
            // Slides that divide the size, that do not, and some that are longer.
            let slides = [max(1, size / (2 + below(6))), size / 7 + unit * (1 + below(200 / grain)), size + unit * below(50 / grain)]
            let slide = isTumbling ? size : slides[Int(below(5)) % 3]
            return .windows(size: size, slide: slide, offset: unit * (below(100 / grain) - Int64(50 / grain)), lateness: lateness, function)
        }
        let lateness = below(2) == 0 ? 0 : unit * below(200 / grain)
        switch mode {
        case .idle: return below(2) == 0 ? .buckets(bucket: bucket) : windows(.elements, isTumbling: true, lateness: 0)
        case .late: return below(4) == 0 ? .buckets(bucket: bucket) : windows(.elements, isTumbling: below(2) == 0, lateness: lateness)
        case .exact, .punctual: break
        }
        // Odd, see the times of the rows.
        let gap = unit * (2 * below(60 / grain) + 1)
        switch below(12) {
        case 0, 1: return mode == .exact ? .tally(bucket: bucket) : .buckets(bucket: bucket)
        case 2: return .alarms
        case 3, 4: return windows(function, isTumbling: true, lateness: lateness)
        case 5, 6: return windows(function, isTumbling: false, lateness: lateness)
        case 7: return .sessions(gap: gap, lateness: lateness, function)
        case 8:
            let size = 1 + below(6)
            return .counts(size: size, slide: below(2) == 0 ? size : 1 + below(8), function)
        case 9: return .reduce
        case 10: return .processingWindows(size: 1 + below(40), isSession: below(2) == 0)
        default: return .rolling(Int32(below(5)))
        }
    }

    private static func operation(
        _ step: Reference.Step, _ keyPosition: Int, hasLateOutput: Bool, _ number: () -> BindingID, _ around: DrawnFunction.Surroundings, _ seed: UInt64, _ bindings: inout Bindings
    ) -> (Operation, Schema) {
        let four = Schema([Field("key", .bigInt), Field("id", .bigInt), Field("kind", .bigInt), Field("value", .bigInt)])
        func function(_ kind: DrawnFunction.Kind) -> BindingID {
            let id = number()
            bindings.bind(id.value, function: DrawnFunction(kind, around, seed: seed))
            return id
        }
        func process(_ kind: DrawnFunction.Kind) -> (Operation, Schema) {
            let states = [
                StateDeclaration(name: "count", kind: .value, valueType: .bigInt), StateDeclaration(name: "list", kind: .list, valueType: .bigInt),
                StateDeclaration(name: "sums", kind: .map, valueType: .bigInt, keyType: .bigInt),
            ]
            return (.process(ProcessDescription(function: function(kind), keys: [keyPosition], states: states)), four)
        }
        func window(_ assigner: WindowDescription.Assigner, _ kind: Reference.WindowFunction, isCounted: Bool, lateness: Int64) -> (Operation, Schema) {
            let called: WindowDescription.Function
            var fields = [Field("key", .bigInt)]
            switch kind {
            case .native:
                let time = DataType(.timestampLTZ(3), isNullable: false)
                if !isCounted { fields += [Field("start", time), Field("end", time)] }
                let calls = [
                    AggregateCall(.countAll, column: nil, name: "rows"), AggregateCall(.count, column: 2, name: "count"),
                    AggregateCall(.sum, column: 2, name: "sum"), AggregateCall(.min, column: 2, name: "min"), AggregateCall(.max, column: 2, name: "max"),
                ]
                fields += calls.map { Field($0.name, $0.function == .countAll || $0.function == .count ? DataType.bigInt.notNull : .bigInt) }
                called = .aggregate(calls)
            case .fold:
                fields = InputRow.schema.fields
                called = .reduce(function(.fold), then: nil)
            case .elements:
                fields += [Field("start", .bigInt), Field("end", .bigInt), Field("id", .bigInt), Field("value", .bigInt)]
                called = .process(function(.elements))
            case .aggregate:
                fields += [Field("rows", .bigInt), Field("sum", .bigInt), Field("max", .bigInt)]
                called = .hostAggregate(function(.aggregate), then: nil)
            case .aggregateThen:
                fields += [Field("start", .bigInt), Field("end", .bigInt), Field("rows", .bigInt), Field("sum", .bigInt)]
                called = .hostAggregate(function(.aggregate), then: function(.elements))
            }
            return (
                .window(
                    WindowDescription(
                        assigner: assigner, function: called, keys: [keyPosition], allowedLatenessMilliseconds: lateness,
                        lateOutput: hasLateOutput ? "side" : nil)), Schema(fields)
            )
        }
        switch step {
        case .tally(let bucket): return process(.tally(bucket: bucket))
        case .buckets(let bucket): return process(.buckets(bucket: bucket))
        case .alarms: return process(.alarms)
        case .windows(let size, let slide, let offset, let lateness, let kind):
            let assigner: WindowDescription.Assigner =
                size == slide
                ? .tumbling(size: size, offset: offset, isEventTime: true) : .sliding(size: size, slide: slide, offset: offset, isEventTime: true)
            return window(assigner, kind, isCounted: false, lateness: lateness)
        case .sessions(let gap, let lateness, let kind): return window(.session(gap: gap, isEventTime: true), kind, isCounted: false, lateness: lateness)
        case .counts(let size, let slide, let kind):
            return window(size == slide ? .count(size) : .slidingCount(size: size, slide: slide), kind, isCounted: true, lateness: 0)
        case .processingWindows(let size, let isSession):
            let assigner: WindowDescription.Assigner =
                isSession ? .session(gap: size, isEventTime: false) : .tumbling(size: size, offset: 0, isEventTime: false)
            return window(assigner, .elements, isCounted: false, lateness: 0)
        case .reduce: return (.reduce(function(.fold), keys: [keyPosition]), InputRow.schema)
        case .rolling(let aggregate):
            return (.rolling(RollingAggregate(rawValue: aggregate) ?? .sum, column: 2, keys: [keyPosition]), InputRow.schema)
        }
    }
}
