import Columnar
import Dataflow

/// A host function of a drawn job, written in Swift. It goes wrong where the job's faults say so, and works off a request in pieces.
final class DrawnFunction: HostFunction, @unchecked Sendable {
    enum Kind: Sendable {
        /// Drops every 17th id, doubles every 19th.
        case thinOut
        /// Key to channel.
        case partition
        /// Counts, lists, a map of sums by bucket of event time with a timer at each bucket's end, a side output: all that a process function can do.
        case tally(bucket: Int64)
        /// Sums by bucket of event time alone: what comes out does not depend on the order of rows.
        case buckets(bucket: Int64)
        /// A processing-time timer per row.
        case alarms
        /// Every element of every window.
        case elements
        /// Largest id, sum of values, smallest time.
        case fold
        /// A host's aggregate function: key, count, sum and greatest of the values.
        case aggregate
        /// The key, which is hidden in the first column.
        case select
        /// The event time, which is the last column.
        case timestamps
        /// Watermarks behind the greatest time, when it is asked without rows alone or at all times.
        case generator(lag: Int64, isPeriodic: Bool)
    }

    /// What all instances of all functions of a job share.
    final class Surroundings: @unchecked Sendable {
        let ledger: Ledger
        let clock: SimulatedClock
        /// By how many milliseconds at most a call moves the clock.
        var slowness: UInt64 = 0
        /// How many rows of a request are worked off in one call, at most.
        var piece: UInt64 = .max
        /// The instance that sees this many rows fails.
        var failsAtRow: Int?
        /// Calls that fail, and the job restarts.
        var failures: PlannedFailure?
        /// Whether instances come and go: what one remembers is not the whole.
        var outlivesAttempts = false
        /// Whether keys come by the hash of the key, so that they belong to a subtask.
        var isHashed = false
        /// Whether the wall clock never goes back.
        var isClockSteady = true
        /// Processing-time timers.
        var registered = 0
        var fired = 0
        /// The ids of the rows that set the alarms that have not gone off.
        private(set) var waiting: Set<Int64> = []
        /// Key and time of each alarm that any attempt has set.
        private(set) var alarms: Set<[Int64?]> = []
        func set(_ id: Int64) { waiting.insert(id) }
        func note(_ key: Int64, at time: Int64) { alarms.insert([key, time]) }
        func unset(_ id: Int64) { waiting.remove(id) }
        /// A planted fault: what stands between a function and its state.
        var alterState: ((any HostStateAccess) -> any HostStateAccess)?
        /// A planted fault: calls for timers that are made twice.
        var repeatsTimers = false
        /// A planted fault: of two accumulators that are merged, one is forgotten.
        var forgetsMerge = false
        /// Keys are the first column xor this.
        var keyMask: Int64 = 0
        /// Whether all rows that a function gets are of the declared types, however they came.
        var checksTypes = false
        /// What the watermark generators have seen, and the watermarks that they gave behind so many rows.
        private(set) var seenTimes: [Int64] = []
        private(set) var marks: [(rowCount: Int, watermark: Int64)] = []

        func see(_ times: [Int64]) { seenTimes += times }
        func mark(_ watermark: Int64) {
            if watermark > marks.last?.watermark ?? .min { marks.append((seenTimes.count, watermark)) }
        }

        init(ledger: Ledger, clock: SimulatedClock) {
            self.ledger = ledger
            self.clock = clock
        }
    }

    let kind: Kind
    let around: Surroundings
    var name: String { "drawn" }
    private let random: SeededRandom
    private var rowCount = 0
    private var place: (subtask: Int, parallelism: Int, maxParallelism: Int)?
    private var pending: [[Int64]: Int64] = [:]
    private var greatestTime: Int64?

    var accumulatorTypes: [DataType] { if case .aggregate = kind { Array(repeating: .bigInt, count: 4) } else { [] } }

    init(_ kind: Kind, _ around: Surroundings, seed: UInt64 = 1) {
        self.kind = kind
        self.around = around
        random = SeededRandom(seed: seed)
    }

    func instance() throws(MillstreamError) -> any HostFunction {
        let made = DrawnFunction(kind, around, seed: random.next())
        around.ledger.watch(made)
        return made
    }

    func fused(with next: any HostFunction) -> (any HostFunction)? { nil }

    func call(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
        switch request.operation {
        case .open:
            around.ledger.opened("function")
            place = (Int(request.integers[0]), Int(request.integers[1]), Int(request.integers[2]))
            return HostResponse()
        case .close:
            around.ledger.closed("function")
            return HostResponse()
        default: break
        }
        guard place != nil else { throw .internal("a function was called before it was opened") }
        if around.slowness > 0, random.next(below: 8) == 0 { around.clock.advance(milliseconds: Int64(random.next(below: around.slowness))) }
        if request.resumption == 0, request.operation != .timers { rowCount += request.count }
        if let failsAtRow = around.failsAtRow, rowCount > failsAtRow {
            throw MillstreamError(.userFunction, "planned failure", recordIndex: Int64(failsAtRow))
        }
        try around.failures?.check()
        return try answer(request)
    }

    private func answer(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
        if around.checksTypes, request.columns.count == 4, request.columns.map(\.type) != InputRow.schema.types {
            switch kind {
            case .timestamps, .generator: break
            default: around.ledger.complain("\(kind) got \(request.columns.map(\.type))")
            }
        }
        switch (kind, request.operation) {
        case (_, .snapshot): return HostResponse()
        case (.thinOut, _): return try inPieces(request, thinOut)
        case (.select, _): return try inPieces(request, select)
        case (.timestamps, _): return HostResponse(outputs: [HostResponse.Rows(columns: [request.columns[3]], count: request.count)])
        case (.generator(let lag, let isPeriodic), _): return generate(request, lag: lag, isPeriodic: isPeriodic)
        case (.aggregate, _): return aggregate(request)
        case (.partition, _): return partition(request)
        case (.elements, _): return try inPieces(request, elements)
        case (.fold, _): return fold(request)
        case (_, .process):
            try checkOwner(request)
            return try inPieces(request, process)
        case (_, .timers):
            var response = try fire(request)
            if around.repeatsTimers { response.outputs += try fire(request).outputs }
            return response
        default: throw .internal("no such request")
        }
    }

    /// The rows that go out, with the input rows they came from.
    private struct Emitted {
        var columns: [[Int64?]]
        var parents: [Int] = []
        init(width: Int) { columns = Array(repeating: [], count: width) }

        mutating func add(_ values: Int64?..., from parent: Int) {
            for (index, value) in values.enumerated() { columns[index].append(value) }
            parents.append(parent)
        }

        func rows(sideOutput: SideOutputID? = nil) -> HostResponse.Rows {
            HostResponse.Rows(sideOutput: sideOutput, columns: columns.map { bigInts($0) }, count: parents.count, parents: ints(parents))
        }
    }

    private func inPieces(
        _ request: HostRequest, _ body: (HostRequest, Range<Int>) throws(MillstreamError) -> [HostResponse.Rows]
    ) throws(MillstreamError) -> HostResponse {
        let start = Int(request.resumption)
        let length = around.piece > UInt64(request.count) ? request.count : 1 + Int(random.next(below: around.piece))
        let end = min(request.count, start + length)
        var response = HostResponse(outputs: try body(request, start..<end))
        response.resumption = end < request.count ? Int64(end) : 0
        return response
    }

    // MARK: Without keys

    private func thinOut(_ request: HostRequest, _ range: Range<Int>) throws(MillstreamError) -> [HostResponse.Rows] {
        let columns = request.columns.map(numbers)
        var emitted = Emitted(width: 4)
        for row in range {
            guard let id = columns[1][row], id % 17 != 0 else { continue }
            emitted.add(columns[0][row], id, columns[2][row], columns[3][row], from: row)
            if id % 19 == 0 { emitted.add(columns[0][row], id + Reference.copyOffset, columns[2][row], columns[3][row], from: row) }
        }
        return [emitted.rows()]
    }

    private func select(_ request: HostRequest, _ range: Range<Int>) throws(MillstreamError) -> [HostResponse.Rows] {
        let columns = request.columns.map(numbers)
        var emitted = Emitted(width: 5)
        for row in range { emitted.add(columns[0][row], columns[1][row], columns[2][row], columns[3][row], columns[0][row].map { $0 ^ around.keyMask }, from: row) }
        return [emitted.rows()]
    }

    private func generate(_ request: HostRequest, lag: Int64, isPeriodic: Bool) -> HostResponse {
        let times = request.timestamps.map(numbers)?.compactMap { $0 } ?? []
        if times.count != request.count { around.ledger.complain("a generator got \(times.count) times of \(request.count) rows") }
        around.see(times)
        greatestTime = (times + [greatestTime].compactMap { $0 }).max()
        guard let greatestTime, !isPeriodic || request.count == 0 else { return HostResponse() }
        around.mark(greatestTime - lag - 1)
        return HostResponse(integers: [greatestTime - lag - 1])
    }

    private func partition(_ request: HostRequest) -> HostResponse {
        let count = request.integers[0]
        let channels = numbers(request.keys[0]).map { key in Int(((key ?? 0) % count + count + 1) % count) }
        return HostResponse(outputs: [HostResponse.Rows(columns: [ints(channels)], count: channels.count)])
    }

    private func elements(_ request: HostRequest, _ range: Range<Int>) throws(MillstreamError) -> [HostResponse.Rows] {
        guard let offsetColumn = request.elementOffsets else { throw .internal("a window without elements") }
        let offsets = offsetColumn.pointer(as: Int32.self)
        let columns = request.columns.map(numbers)
        let keys = numbers(request.keys[0])
        let times = request.windows.map(numbers)
        var emitted = Emitted(width: 5)
        for window in range {
            if offsets[window] == offsets[window + 1] { around.ledger.complain("a window without elements fired") }
            for element in Int(offsets[window])..<Int(offsets[window + 1]) {
                if columns[0][element].map({ $0 ^ around.keyMask }) != keys[window] { around.ledger.complain("a window of key \(keys[window] ?? 0) has a row of another key") }
                emitted.add(keys[window], times.first?[window], times.last?[window], columns[1][element], columns[2][element], from: window)
            }
        }
        withExtendedLifetime(offsetColumn) {}
        return [emitted.rows()]
    }

    private func fold(_ request: HostRequest) -> HostResponse {
        let rows = request.columns.map(numbers)
        var folded = request.accumulators.map(numbers)
        guard let slotColumn = request.slots else { return HostResponse() }
        let slots = slotColumn.pointer(as: Int32.self)
        var running = Emitted(width: 4)
        for row in 0..<request.count {
            let slot = Int(slots[row])
            if folded[0][slot] == nil {
                for column in 0..<4 { folded[column][slot] = rows[column][row] }
            } else {
                if folded[0][slot] != rows[0][row] { around.ledger.complain("rows of two keys were folded together") }
                folded[1][slot] = max(folded[1][slot] ?? .min, rows[1][row] ?? .min)
                if let value = rows[2][row] { folded[2][slot] = (folded[2][slot] ?? 0) &+ value }
                folded[3][slot] = min(folded[3][slot] ?? .max, rows[3][row] ?? .max)
            }
            running.add(folded[0][slot], folded[1][slot], folded[2][slot], folded[3][slot], from: row)
        }
        withExtendedLifetime(slotColumn) {}
        var response = HostResponse(accumulators: folded.map { bigInts($0) })
        if request.integers.first == 1 { response.outputs = [running.rows()] }
        return response
    }

    private func aggregate(_ request: HostRequest) -> HostResponse {
        var held = request.accumulators.map(numbers)
        func add(_ values: [Int64?], to slot: Int, _ into: inout [[Int64?]]) {
            guard let count = values[1] else { return }
            if into[1][slot] != nil, into[0][slot] != values[0] { around.ledger.complain("rows of two keys were aggregated together") }
            into[0][slot] = values[0]
            into[1][slot] = (into[1][slot] ?? 0) + count
            if let sum = values[2] { into[2][slot] = (into[2][slot] ?? 0) &+ sum }
            if let greatest = values[3] { into[3][slot] = max(into[3][slot] ?? .min, greatest) }
        }
        switch request.operation {
        case .accumulate:
            guard let slotColumn = request.slots else { return HostResponse() }
            let rows = request.columns.map(numbers)
            let slots = slotColumn.pointer(as: Int32.self)
            for row in 0..<request.count { add([rows[0][row], 1, rows[2][row], rows[2][row]], to: Int(slots[row]), &held) }
            withExtendedLifetime(slotColumn) {}
            return HostResponse(accumulators: held.map { bigInts($0) })
        case .merge:
            var merged = held.map { column in stride(from: 0, to: column.count, by: 2).map { column[$0] } }
            for pair in merged[0].indices where !around.forgetsMerge { add(held.map { $0[2 * pair + 1] }, to: pair, &merged) }
            return HostResponse(accumulators: merged.map { bigInts($0) })
        default: return HostResponse(outputs: [HostResponse.Rows(columns: request.accumulators, count: request.count)])
        }
    }

    // MARK: With keys

    private func checkOwner(_ request: HostRequest) throws(MillstreamError) {
        guard around.isHashed, let place, request.resumption == 0 else { return }
        let keyed = try Batch(schema: Schema([]), columns: request.keys, count: request.count).keyed(by: request.keys)
        guard let hashes = keyed.keyHashes else { return }
        let words = hashes.pointer(as: UInt64.self)
        for row in 0..<request.count {
            let group = KeyGroup.index(hash: words[row], maxParallelism: place.maxParallelism)
            let owner = KeyGroup.subtask(group: group, parallelism: place.parallelism, maxParallelism: place.maxParallelism)
            if owner != place.subtask { around.ledger.complain("a key of subtask \(owner) came to subtask \(place.subtask)") }
        }
        withExtendedLifetime(hashes) {}
    }

    private func state(of request: HostRequest) throws(MillstreamError) -> any HostStateAccess {
        guard let state = request.state else { throw .internal("a process function without state") }
        return around.alterState?(state) ?? state
    }

    private func process(_ request: HostRequest, _ range: Range<Int>) throws(MillstreamError) -> [HostResponse.Rows] {
        let state = try state(of: request)
        let columns = request.columns.map(numbers)
        let keys = numbers(request.keys[0])
        var main = Emitted(width: 4)
        var side = Emitted(width: 4)
        for row in range {
            if columns[0][row].map({ $0 ^ around.keyMask }) != keys[row] { around.ledger.complain("a row came under another key") }
            guard let key = keys[row], let id = columns[1][row], let time = columns[3][row] else { throw .internal("a row without a key") }
            switch kind {
            case .tally(let size):
                let bucket = floorDivide(time, size)
                if id % 11 == 0 { try state.setValue(0, row: row, nil) }
                let count = 1 + integer(try state.value(0, row: row))
                try state.setValue(0, row: row, .int64(count))
                main.add(key, id, 0, count, from: row)
                try add(columns[2][row], to: bucket, size, row, state)
                if id % 13 == 0 { try state.deleteTimer(row: row, domain: .eventTime, at: bucket * size - 1) }
                try state.listAppend(1, row: row, .int64(id))
                if try state.listCount(1, row: row) == 4 {
                    var sum: Int64 = 0
                    for index in 0..<4 { sum &+= integer(try state.listElement(1, row: row, index: index)) }
                    try state.listClear(1, row: row)
                    main.add(key, id, 1, sum, from: row)
                }
                if id % 7 == 0 { side.add(key, id, 0, count, from: row) }
            case .buckets(let size): try add(columns[2][row], to: floorDivide(time, size), size, row, state)
            default:
                let at = state.currentProcessingTime.milliseconds + 1 + id % 30
                if pending[[key, at]] == nil {
                    pending[[key, at]] = id
                    around.registered += 1
                    around.set(id)
                }
                around.note(key, at: at)
                try state.registerTimer(row: row, domain: .processingTime, at: at)
                main.add(key, id, 0, around.outlivesAttempts ? at : nil, from: row)
            }
        }
        return [main.rows(), side.rows(sideOutput: SideOutputID("side"))]
    }

    private func add(_ value: Int64?, to bucket: Int64, _ size: Int64, _ row: Int, _ state: any HostStateAccess) throws(MillstreamError) {
        let sum = integer(try state.mapValue(2, row: row, key: .int64(bucket)))
        try state.mapPut(2, row: row, key: .int64(bucket), value: .int64(sum &+ (value ?? 1)))
        try state.registerTimer(row: row, domain: .eventTime, at: bucket * size + (size - 1))
    }

    private func fire(_ request: HostRequest) throws(MillstreamError) -> HostResponse {
        let state = try state(of: request)
        let keys = numbers(request.keys[0])
        let times = request.timestamps.map(numbers) ?? []
        var main = Emitted(width: 4)
        for row in 0..<request.count {
            guard let key = keys[row], let time = times[row] else { throw .internal("a timer without a key") }
            switch kind {
            case .tally(let size), .buckets(let size):
                let bucket = floorDivide(time, size)
                if state.currentWatermark.milliseconds < time { around.ledger.complain("a timer at \(time) before its watermark") }
                guard let sum = try state.mapValue(2, row: row, key: .int64(bucket)) else {
                    main.add(key, time, 3, Int64(try state.mapCount(2, row: row)), from: row)
                    continue
                }
                try state.mapRemove(2, row: row, key: .int64(bucket))
                main.add(key, time, 2, integer(sum), from: row)
                if case .tally = kind, integer(sum) & 1 == 1 { try state.registerTimer(row: row, domain: .eventTime, at: time + size) }
            default:
                if let id = pending.removeValue(forKey: [key, time]) {
                    around.unset(id)
                } else if !around.outlivesAttempts {
                    around.ledger.complain("an alarm at \(time) that was not set, or went off before")
                }
                if around.isClockSteady, state.currentProcessingTime.milliseconds <= time { around.ledger.complain("an alarm at \(time) came early") }
                around.fired += 1
                main.add(key, time, 4, nil, from: row)
            }
        }
        return HostResponse(outputs: [main.rows()])
    }

    private func integer(_ value: StateValue?) -> Int64 { if case .int64(let number)? = value { number } else { 0 } }
}

/// The quotient rounded down.
func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
}
