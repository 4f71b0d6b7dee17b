import Columnar
import Dataflow
import Operators
import Plan
import TestColumns
import Testing

/// An asynchronous host whose rows are done in a random order.
private final class SlowHost: @unchecked Sendable {
    struct Row {
        var slot: Int32
        var epoch: Int64
        var value: Int64
        var isDone = false
    }

    let random: Dataflow.SeededRandom
    let isOrdered: Bool
    private(set) var rows: [Row] = []
    private(set) var inFlightMax = 0
    private var notifier: HostNotifier?
    private var seenEpoch: Int64 = 0

    private let startsDone: Bool

    /// Without `startsDone` no row is done before `finishSome`.
    init(seed: UInt64, isOrdered: Bool, failsAt: Int64?, startsDone: Bool = true) {
        self.startsDone = startsDone
        random = Dataflow.SeededRandom(seed: seed &* 31)
        self.isOrdered = isOrdered
        self.failsAt = failsAt
    }
    private let failsAt: Int64?

    /// Each value gives as many results as this, its number and a place in it.
    static func resultCount(_ value: Int64) -> Int { Int(value % 4 == 0 ? 0 : value % 3 + 1) }

    func answer(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
        switch request.operation {
        case .asyncStart: return start(request)
        case .asyncPoll: return try poll(request)
        default: throw MillstreamError(.internal, "not an operation of this function")
        }
    }

    private func start(_ request: HostRequest) -> HostResponse {
        notifier = request.notifier
        guard let slots = request.slots else { return HostResponse() }
        for row in 0..<request.count {
            let slot = slots.pointer(as: Int32.self)[row]
            #expect(!rows.contains { $0.slot == slot }, "a slot is given twice")
            rows.append(Row(slot: slot, epoch: request.integers[0], value: request.columns[0].pointer(as: Int64.self)[row]))
        }
        inFlightMax = max(inFlightMax, rows.count)
        if startsDone, random.next(below: 4) == 0 { finishSome() }
        return HostResponse()
    }

    /// Some rows are done, or none.
    func finishSome(atLeastOne: Bool = false) {
        var count = Int(random.next(below: UInt64(rows.count + 1)))
        if atLeastOne { count = max(1, count) }
        for _ in 0..<count where !rows.isEmpty { rows[Int(random.next(below: UInt64(rows.count)))].isDone = true }
        notifier?.notify()
    }

    private func poll(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
        let epoch = request.integers[0]
        #expect(epoch >= seenEpoch, "an epoch comes back")
        seenEpoch = epoch
        var values: [Int64?] = []
        var parents: [Int32] = []
        var response = HostResponse()
        let limit = 1 + Int(random.next(below: 5))
        var index = 0
        while index < rows.count {
            guard rows[index].isDone, rows[index].epoch == epoch else {
                if isOrdered { break }
                index += 1
                continue
            }
            if response.integers.count == limit {
                response.resumption = 1
                break
            }
            let row = rows.remove(at: index)
            if row.value == failsAt {
                response.failure = MillstreamError(.userFunction, "planned failure", recordIndex: Int64(row.slot))
                break
            }
            for place in 0..<Self.resultCount(row.value) {
                values.append(row.value * 10 + Int64(place))
                parents.append(row.slot)
            }
            response.integers.append(Int64(row.slot))
        }
        if !values.isEmpty {
            response.outputs = [
                HostResponse.Rows(
                    columns: [try int64Column(values)], count: values.count,
                    parents: Column(type: DataType.int.notNull, count: parents.count, values: Buffer.copying(parents)))
            ]
        }
        return response
    }
}

struct AsyncOperatorTests {
    /// What the input was: rows between the events that go on by themselves.
    private enum Step { case rows([Int64]), watermark(Int64), idle, active }

    private static func steps(_ random: Dataflow.SeededRandom) -> [Step] {
        var steps: [Step] = []
        var next: Int64 = 0
        var isIdle = false
        for _ in 0..<(5 + random.next(below: 30)) {
            switch random.next(below: 6) {
            case 0: steps.append(.watermark(next))
            case 1:
                isIdle.toggle()
                steps.append(isIdle ? .idle : .active)
            default:
                let count = Int64(1 + random.next(below: 12))
                steps.append(.rows(Array(next..<next + count)))
                next += count
            }
        }
        return steps
    }

    private static func batch(_ values: [Int64]) throws -> Batch {
        var batch = try int64Batch([values], timestamps: values.map { $0 * 100 })
        batch.rowKinds = Column(type: DataType.tinyInt.notNull, count: values.count, values: Buffer.copying(values.map { Int8($0 % 4) }))
        return batch
    }

    private func makeOperator(_ host: SlowHost, capacity: Int, restored: RestoredState? = nil) throws -> any AsynchronousOperator {
        let function = ScriptedFunction { (request) throws(MillstreamError) in try host.answer(request) }
        let made = try makeNodeOperator(.asynchronous(AsyncDescription(function: BindingID(0), capacity: capacity)), columns: 1, function: function)
        let operation = try #require(made as? any AsynchronousOperator)
        let context = OperatorContext(
            operatorID: OperatorID("op"), operatorName: "op", subtask: SubtaskIndex(0), parallelism: 1, maxParallelism: 128, jobName: "test",
            clock: SimulatedClock(start: 0), random: Dataflow.SeededRandom(seed: 1), metrics: OperatorMetrics(), restored: restored, requestWakeUp: { _ in })
        try operation.open(context)
        if let restored { try operation.restore(from: restored.reader) }
        return operation
    }

    /// Runs one seed, with an output that is full now and then. Gives what came out, and the failure. With `restarts` the operator is given up between two
    /// steps now and then, and another goes on from its checkpoint.
    private func run(
        _ seed: UInt64, _ first: SlowHost, capacity: Int, restarts: Bool = false
    ) throws -> (events: [EventRecorder.Event], failure: MillstreamError?) {
        var host = first
        var operation = try makeOperator(host, capacity: capacity)
        let random = Dataflow.SeededRandom(seed: seed)
        let output = RecordingOutput()

        func finish(_ first: Progress) throws {
            var progress = first
            var turns = 0
            while progress == .more {
                turns += 1
                try #require(turns < 100_000, "the operator hangs")
                output.isFull = random.next(below: 4) == 0
                if operation.isWaiting {
                    host.finishSome(atLeastOne: true)
                    #expect(!operation.isWaiting)
                    continue
                }
                if output.isFull { continue }
                progress = try operation.resume(output: output)
            }
        }

        do {
            for step in Self.steps(random) {
                switch step {
                case .rows(let values): try finish(try operation.process(try Self.batch(values), input: 0, output: output))
                case .watermark(let time): try finish(try operation.onWatermark(EventTime(milliseconds: time), output: output))
                case .idle: try operation.onStatus(.idle, output: output)
                case .active: try operation.onStatus(.active, output: output)
                }
                if random.next(below: 2) == 0 { host.finishSome() }
                output.isFull = false
                if operation.isNotified, random.next(below: 2) == 0 { try finish(try operation.onNotification(output: output)) }
                if restarts, random.next(below: 4) == 0 {
                    let checkpoint = try SnapshotHarness()
                    try checkpoint.write([try checkpoint.hold(operation)])
                    host = SlowHost(seed: seed &+ random.next(below: 1_000), isOrdered: host.isOrdered, failsAt: nil)
                    operation = try makeOperator(host, capacity: capacity, restored: try checkpoint.restored(subtask: 0, parallelism: 1))
                }
            }
            try finish(try operation.onEndOfInput(0, output: output))
            try operation.close()
            return (output.events, nil)
        } catch let error as MillstreamError {
            try operation.close()
            return (output.events, error)
        }
    }

    @Test("Nothing is lost, passes a watermark, or exceeds the capacity, whatever the order in which rows are done", arguments: [false, true])
    func everySeed(isOrdered: Bool) throws {
        for seed in UInt64(0)..<400 {
            let host = SlowHost(seed: seed, isOrdered: isOrdered, failsAt: nil)
            let capacity = 1 + Int(seed % 13)
            let (events, failure) = try run(seed, host, capacity: capacity)
            #expect(failure == nil, "seed \(seed)")
            #expect(host.inFlightMax <= capacity, "seed \(seed)")
            #expect(host.rows.isEmpty, "seed \(seed)")
            check(events, Self.steps(Dataflow.SeededRandom(seed: seed)), isOrdered, seed)
        }
    }

    @Test("A row whose results were not emitted is asked for again, in its place among the watermarks", arguments: [false, true])
    func restarts(isOrdered: Bool) throws {
        for seed in UInt64(0)..<400 {
            let (events, failure) = try run(
                seed, SlowHost(seed: seed, isOrdered: isOrdered, failsAt: nil), capacity: 1 + Int(seed % 13), restarts: true)
            #expect(failure == nil, "seed \(seed)")
            check(events, Self.steps(Dataflow.SeededRandom(seed: seed)), isOrdered, seed)
        }
    }

    /// With more or fewer subtasks the rows are dealt out, each to one of them.
    @Test(arguments: [(1, 4), (4, 1), (3, 2)]) func otherParallelism(before: Int, after: Int) throws {
        let checkpoint = try SnapshotHarness()
        var held: [HeldSnapshot] = []
        for subtask in 0..<before {
            let operation = try makeOperator(SlowHost(seed: 5, isOrdered: true, failsAt: nil, startsDone: false), capacity: 100)
            _ = try operation.process(try Self.batch((0..<10).map { Int64(subtask * 10 + $0) }), input: 0, output: RecordingOutput())
            held.append(try checkpoint.hold(operation))
        }
        try checkpoint.write(held)
        var asked: [Int64] = []
        for subtask in 0..<after {
            let host = SlowHost(seed: 5, isOrdered: true, failsAt: nil, startsDone: false)
            let function = ScriptedFunction { (request) throws(MillstreamError) in try host.answer(request) }
            let made = try makeNodeOperator(.asynchronous(AsyncDescription(function: BindingID(0), capacity: 3)), columns: 1, function: function)
            let operation = try #require(made as? any AsynchronousOperator)
            try checkpoint.open(operation, try checkpoint.context(subtask: subtask, parallelism: after, clock: SimulatedClock(start: 0)))
            var seen: [Int64] = []
            while operation.isNotified || !host.rows.isEmpty {
                _ = try operation.onNotification(output: RecordingOutput())
                #expect(host.rows.count <= 3)
                seen += host.rows.map(\.value).filter { !seen.contains($0) }
                host.finishSome(atLeastOne: true)
                if host.rows.isEmpty { break }
            }
            #expect(seen == seen.sorted())
            asked += seen
        }
        #expect(asked.sorted() == (0..<Int64(before * 10)).map { $0 })
    }

    private func check(_ events: [EventRecorder.Event], _ steps: [Step], _ isOrdered: Bool, _ seed: UInt64) {
        var rest = events[...]
        var expected: [Int64] = []
        var seen: [Int64] = []
        func takeRows() {
            while case .row(let values, let timestamp, let kind)? = rest.first, case .int64(let value)? = values.first {
                #expect(timestamp == value / 10 * 100 && Int64(kind) == value / 10 % 4, "seed \(seed)")
                seen.append(value)
                rest = rest.dropFirst()
            }
        }
        func settle() {
            if isOrdered { #expect(seen == expected, "seed \(seed)") } else { #expect(seen.sorted() == expected, "seed \(seed)") }
            // Results of one value stay together and in order.
            for (index, value) in seen.enumerated() where value % 10 > 0 { #expect(index > 0 && seen[index - 1] == value - 1, "seed \(seed)") }
            seen = []
            expected = []
        }
        // What must come before each watermark, and behind the last one.
        var pending: [(watermark: Int64, before: [Int64])] = []
        var open: [Int64] = []
        var watermark: Int64?
        var isIdle: Bool?
        for step in steps {
            switch step {
            case .rows(let values):
                for value in values { for place in 0..<SlowHost.resultCount(value) { open.append(value * 10 + Int64(place)) } }
            case .watermark(let time):
                pending.append((time, open))
                open = []
                watermark = time
            case .idle: isIdle = true
            case .active: isIdle = false
            }
        }
        var lastWatermark: Int64?
        var lastStatus: EventRecorder.Event?
        while let event = rest.first {
            switch event {
            case .row: takeRows()
            case .watermark(let time):
                rest = rest.dropFirst()
                lastWatermark = time
                // Equal ones may be one: all up to this.
                while let next = pending.first, next.watermark <= time {
                    expected += next.before
                    pending.removeFirst()
                }
                settle()
            case .idle, .active:
                lastStatus = event
                rest = rest.dropFirst()
            case .side: rest = rest.dropFirst()
            }
        }
        expected = pending.flatMap(\.before) + open
        settle()
        #expect(pending.isEmpty, "seed \(seed): a watermark is lost")
        #expect(lastWatermark == watermark, "seed \(seed)")
        if let isIdle { #expect(lastStatus == (isIdle ? .idle : .active), "seed \(seed)") }
    }

    @Test("A failure names the record, and comes behind the rows before it")
    func failures() throws {
        for seed in UInt64(0)..<100 {
            let failsAt = Int64(seed % 9)
            let host = SlowHost(seed: seed, isOrdered: true, failsAt: failsAt)
            let (events, failure) = try run(seed, host, capacity: 5)
            let total = Self.steps(Dataflow.SeededRandom(seed: seed)).reduce(0) { if case .rows(let values) = $1 { $0 + values.count } else { $0 } }
            guard failsAt < total else { continue }
            #expect(failure?.message == "planned failure", "seed \(seed)")
            #expect(failure?.recordIndex == failsAt, "seed \(seed)")
            let values = events.compactMap { if case .row(let values, _, _) = $0, case .int64(let value)? = values.first { value } else { nil } }
            #expect(values == (0..<failsAt).flatMap { value in (0..<SlowHost.resultCount(value)).map { value * 10 + Int64($0) } }, "seed \(seed)")
        }
    }

    @Test("A host that is done with a row that it has not fails the job")
    func strangeSlots() throws {
        for slot in [-1, 7, Int64.max] {
            let function = ScriptedFunction { (request) throws(MillstreamError) in
                request.notifier?.notify()
                return request.operation == .asyncPoll ? HostResponse(integers: [slot]) : HostResponse()
            }
            let operation = try makeNodeOperator(.asynchronous(AsyncDescription(function: BindingID(0), capacity: 4)), columns: 1, function: function)
            let harness = try OperatorHarness(operation)
            try harness.process(try Self.batch([1, 2, 3]))
            #expect(throws: MillstreamError.self) { try harness.end() }
        }
    }
}
