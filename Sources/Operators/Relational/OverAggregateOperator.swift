import Columnar
import Dataflow
import Plan
import State

/// OVER in STREAMING mode, in the order of event time or of arrival: a row comes out when the watermark has passed it, and with all rows of its time where the frame is a RANGE.
///
/// Aggregates from the first row on keep accumulators; bounded frames keep the rows that they hold, and take away those that leave them. Rows that come behind later ones which
/// have come out are dropped and counted.
final class OverAggregateOperator: Operator, StateDeclaring {
    private let windows: [OverDescription.Window]
    private let time: OverDescription.Time
    private let schema: Schema
    private let inputFields: [Field]
    private let groups: GroupKeys
    private var context: OperatorContext?
    private var watermark = EventTime.min
    private let unbounded: [UnboundedWindow]
    private let bounded: [BoundedWindow]
    private let lags: [LagCall]
    private let history = OverHistory()
    /// By key: its last row that has come out, and what its ranks are.
    private var ranks = WindowSlots<RankState>(empty: .none)
    private var pending: [Pending] = []
    /// Rows that come out, in order, and the next one.
    private var due: (batch: Batch, keys: [Int32], times: [Int64], next: Int)?
    private let waits: Bool
    private static let chunkRowCount = 16_384

    private struct RankState: BitwiseCopyable {
        var lastTime: Int64
        var rowCount: Int64
        var rank: Int64
        var denseRank: Int64
        static let none = RankState(lastTime: .min, rowCount: 0, rank: 0, denseRank: 0)
    }

    /// Rows that wait for the watermark.
    fileprivate struct Pending {
        var columns: [Column]
        var keys: [Int32]
        var times: [Int64]
    }

    private struct UnboundedWindow {
        let window: Int
        let isRows: Bool
        let set: AggregateSet
    }

    private final class BoundedWindow {
        let window: Int
        let isRows: Bool
        /// Rows before the current one, or milliseconds.
        let distance: Int64
        let set: AggregateSet
        /// By key: the first row of the frame, and how many there are.
        var first = WindowSlots<Int32>(empty: -1)
        var counts = WindowSlots<Int64>(empty: 0)

        init(window: Int, isRows: Bool, distance: Int64, set: AggregateSet) {
            self.window = window
            self.isRows = isRows
            self.distance = distance
            self.set = set
        }

        func reserve(_ keyCount: Int) {
            first.reserve(keyCount)
            counts.reserve(keyCount)
            set.reserve(keyCount)
        }
    }

    private final class LagCall {
        let window: Int
        let place: Int
        let call: AggregateExpression
        let distance: Int64
        /// By key: the first of the last rows, and how many there are.
        var first = WindowSlots<Int32>(empty: -1)
        var counts = WindowSlots<Int64>(empty: 0)

        init(window: Int, place: Int, call: AggregateExpression, distance: Int64) {
            self.window = window
            self.place = place
            self.call = call
            self.distance = distance
        }
    }

    init(_ description: OverDescription, input: [Field], output: Schema, hostObjects: HostObjects?) throws(MillstreamError) {
        windows = description.windows
        time = description.time
        schema = output
        inputFields = input
        let types = input.map(\.type)
        guard let partition = windows.first?.partitionBy, windows.allSatisfy({ $0.partitionBy == partition }) else {
            throw MillstreamError(
                .plan, "in STREAMING mode all windows of an OVER have the same PARTITION BY", hint: "Write the same PARTITION BY in all windows.")
        }
        if time == .none {
            throw MillstreamError(
                .plan, "OVER needs an order by a time attribute in STREAMING mode", hint: "ORDER BY the table's event time, ascending.")
        }
        groups = try GroupKeys(partition, input: types, hostObjects: hostObjects)
        var unbounded: [UnboundedWindow] = [], bounded: [BoundedWindow] = [], lags: [LagCall] = []
        for (index, window) in windows.enumerated() {
            guard window.end == .currentRow else {
                throw MillstreamError(
                    .plan, "in STREAMING mode a frame ends at CURRENT ROW", hint: "Rows that follow are not known yet; use BATCH mode.")
            }
            for (place, call) in window.calls.enumerated() {
                try call.checkNeighbours(types)
                guard case .builtIn(let function) = call.function else { continue }
                switch function {
                case .lag:
                    if call.ignoresNulls { throw MillstreamError(.unsupported, "LAG with IGNORE NULLS is not built for STREAMING mode") }
                    lags.append(LagCall(window: index, place: place, call: call, distance: Int64(try call.neighbourDistance())))
                case .lead, .ntile, .percentRank, .cumeDist:
                    throw MillstreamError(
                        .plan, "\(call.name) needs rows that follow, which are not known in STREAMING mode", hint: "Use BATCH mode.")
                default: break
                }
            }
            let calls = window.aggregates.map(\.call)
            guard !calls.isEmpty else { continue }
            switch window.start {
            case .unboundedPreceding:
                unbounded.append(UnboundedWindow(window: index, isRows: window.isRows, set: try AggregateSet(calls, input: types, retracts: false)))
            case .preceding(.int64(let distance)) where distance >= 0:
                bounded.append(
                    BoundedWindow(
                        window: index, isRows: window.isRows, distance: distance, set: try AggregateSet(calls, input: types, retracts: true)))
            case .currentRow:
                bounded.append(
                    BoundedWindow(window: index, isRows: window.isRows, distance: 0, set: try AggregateSet(calls, input: types, retracts: true)))
            default:
                throw MillstreamError(
                    .plan, "in STREAMING mode a frame starts at UNBOUNDED PRECEDING, a number of rows or an interval PRECEDING, or CURRENT ROW")
            }
        }
        self.unbounded = unbounded
        self.bounded = bounded
        self.lags = lags
        // By the clock, rows of one millisecond come together only where a frame goes by its time.
        if case .event = time { waits = true } else { waits = bounded.contains { !$0.isRows } }
        let callCount = windows.reduce(0) { $0 + $1.calls.count }
        guard output.fields.count == input.count + callCount else {
            throw MillstreamError(.plan, "OVER gives \(input.count + callCount) columns, and its schema has \(output.fields.count)")
        }
    }

    func open(_ context: OperatorContext) { self.context = context }

    func close() {
        pending = []
        due = nil
    }

    private var isEventTime: Bool { if case .event = time { true } else { false } }
    private var keepsRows: Bool { !bounded.isEmpty || lags.contains { $0.distance > 0 } }
    /// Whether a row's results depend on all before it, so that none may come behind the watermark.
    private var isFromFirst: Bool { windows.contains { window in window.start == .unboundedPreceding } }

    // MARK: Rows

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        let batch = try batch.compacted()
        if let kinds = batch.rowKinds,
            (0..<batch.count).contains(where: {
                RowKind.updateBefore.rawValue == kinds.pointer(as: Int8.self)[$0] || RowKind.delete.rawValue == kinds.pointer(as: Int8.self)[$0]
            })
        {
            throw MillstreamError(
                .plan, "OVER by time takes no rows that are retracted", hint: "Put it before the aggregation or join that changes its results.")
        }
        var times: [Int64]
        if case .event(let column) = time {
            guard column >= 0, column < batch.columns.count else { throw MillstreamError(.plan, "there is no time column \(column)") }
            times = try batch.columns[column].eventTimes(batch.count)
        } else {
            times = Array(repeating: context?.clock.now().milliseconds ?? 0, count: batch.count)
        }
        var keys = [Int32](repeating: 0, count: batch.count)
        try keys.withUnsafeMutableBufferPointer { (list) throws(MillstreamError) in
            if let base = list.baseAddress { try groups.look(up: batch, into: base) }
        }
        reserve()
        var columns = Array(batch.columns.prefix(inputFields.count))
        if isEventTime {
            let limit = isFromFirst ? watermark.milliseconds : .min
            let kept = keys.indices.filter { times[$0] > limit && times[$0] > ranks.base[Int(keys[$0])].lastTime }
            let late = batch.count - kept.count
            if late > 0 {
                context?.metrics.lateRecords.add(late)
                context?.metrics.lateRecordsDropped.add(late)
                let rows = Selection(kept.map { Int32(truncatingIfNeeded: $0) })
                for index in columns.indices { columns[index] = try columns[index].taking(rows) }
                times = kept.map { times[$0] }
                keys = kept.map { keys[$0] }
            }
            if keys.isEmpty { return .done }
        }
        guard waits else {
            due = (Batch(schema: Schema(inputFields), columns: columns, count: keys.count), keys, times, 0)
            return try emit(output)
        }
        pending.append(Pending(columns: columns, keys: keys, times: times))
        if !isEventTime { requestWakeUp() }
        return .done
    }

    private func reserve() {
        let end = groups.table.slotEnd
        ranks.reserve(end)
        history.reserve(end)
        for window in unbounded { window.set.reserve(end) }
        for window in bounded { window.reserve(end) }
        for lag in lags {
            lag.first.reserve(end)
            lag.counts.reserve(end)
        }
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        guard isEventTime else { return .done }
        self.watermark = max(self.watermark, watermark)
        try takeDue()
        return try emit(output)
    }

    func onProcessingTime(_ now: ProcessingTime, output: any Output) throws(MillstreamError) -> Progress {
        guard !isEventTime, waits else { return .done }
        watermark = max(watermark, now.lastPassed)
        try takeDue()
        return try emit(output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress { try emit(output) }

    private func requestWakeUp() {
        guard let first = pending.lazy.compactMap({ $0.times.min() }).min() else { return }
        context?.wakeUp(at: ProcessingTime(milliseconds: first))
    }

    var nextEventTime: EventTime? { isEventTime ? pending.lazy.compactMap { $0.times.min() }.min().map { EventTime(milliseconds: $0) } : nil }

    func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if !isEventTime, waits { context?.metrics.timersDropped.add(pending.reduce(0) { $0 + $1.keys.count }) }
        return .done
    }

    /// Takes the rows whose time has passed out of those that wait, in the order of their times.
    private func takeDue() throws(MillstreamError) {
        let limit = watermark.milliseconds
        var parts: [Pending] = [], rest: [Pending] = []
        for wait in pending {
            let rows = wait.times.indices.filter { wait.times[$0] <= limit }
            if rows.isEmpty {
                rest.append(wait)
            } else if rows.count == wait.times.count {
                parts.append(wait)
            } else {
                parts.append(try wait.taking(rows))
                rest.append(try wait.taking(wait.times.indices.filter { wait.times[$0] > limit }))
            }
        }
        pending = rest
        guard !parts.isEmpty else { return }
        var columns: [Column] = []
        for position in inputFields.indices { columns.append(try Column.concat(parts.map { $0.columns[position] })) }
        let keys = parts.flatMap(\.keys), times = parts.flatMap(\.times)
        // Of one time in the order in which they came.
        let order = times.indices.sorted { (times[$0], $0) < (times[$1], $1) }
        let rows = order.map { Int32(truncatingIfNeeded: $0) }
        for position in columns.indices { columns[position] = try columns[position].taking(rows) }
        due = (Batch(schema: Schema(inputFields), columns: columns, count: keys.count), order.map { keys[$0] }, order.map { times[$0] }, 0)
    }

    // MARK: Results

    /// Rows that are due come out piece by piece; those of one time stay together.
    private func emit(_ output: any Output) throws(MillstreamError) -> Progress {
        while let (batch, keys, times, start) = due {
            var end = min(start + Self.chunkRowCount, batch.count)
            while end < batch.count, times[end] == times[end - 1] { end += 1 }
            due = end < batch.count ? (batch, keys, times, end) : nil
            let part = batch.slice(start, end - start)
            let results = try compute(part.columns, Array(keys[start..<end]), Array(times[start..<end]))
            let columns = zip(part.columns + results, schema.fields).map { $0.fitted(to: $1.type) }
            try output.emit(Batch(schema: schema, columns: columns, count: part.count, timestamps: .int64s(Array(times[start..<end]))))
            if output.isFull, due != nil { return .more }
        }
        if !isEventTime, waits { requestWakeUp() }
        return .done
    }

    private func compute(_ columns: [Column], _ keys: [Int32], _ times: [Int64]) throws(MillstreamError) -> [Column] {
        var results = windows.map { [Column?](repeating: nil, count: $0.calls.count) }
        // By row: the last row of its key and time. Rows by the clock are each alone, but for frames that go by time.
        let lastPeers = lastPeers(keys, times)
        for window in unbounded {
            let made = try run(window.set, columns, keys, nil)
            try place(made, of: window.window, rows: window.isRows || !waits ? nil : lastPeers, into: &results)
        }
        if keepsRows {
            let places = history.append(columns, keys: keys, times: times)
            for lag in lags where lag.distance > 0 { results[lag.window][lag.place] = try values(lag, columns, keys, places) }
            for window in bounded {
                let (made, rows) = try run(window, columns, keys, times, places)
                try place(made, of: window.window, rows: window.isRows ? rows : lastPeers.map { rows[Int($0)] }, into: &results)
            }
            trim(keys)
            try history.compact()
        }
        for lag in lags where lag.distance == 0 { results[lag.window][lag.place] = columns[lag.call.arguments[0]] }
        try rank(keys, times, &results)
        return results.flatMap { $0 }.compactMap { $0 }
    }

    private func lastPeers(_ keys: [Int32], _ times: [Int64]) -> [Int32] {
        var last: [Int32: Int32] = [:]
        var result = [Int32](repeating: 0, count: keys.count)
        for row in keys.indices.reversed() {
            if let peer = last[keys[row]], times[Int(peer)] == times[row] {
                result[row] = peer
            } else {
                last[keys[row]] = Int32(truncatingIfNeeded: row)
                result[row] = Int32(truncatingIfNeeded: row)
            }
        }
        return result
    }

    private func place(_ made: [Column], of window: Int, rows: [Int32]?, into results: inout [[Column?]]) throws(MillstreamError) {
        for (call, column) in zip(windows[window].aggregates, made) {
            results[window][call.place] = try rows.map { (rows) throws(MillstreamError) in try column.taking(rows) } ?? column
        }
    }

    private func run(_ set: AggregateSet, _ columns: [Column], _ slots: [Int32], _ steps: [UInt8]?) throws(MillstreamError) -> [Column] {
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return [] }
            guard let steps else { return try set.run(columns, slots: base, steps: nil, count: list.count) }
            return try steps.withUnsafeBufferPointer { (steps) throws(MillstreamError) in
                try set.run(columns, slots: base, steps: steps.baseAddress, count: list.count)
            }
        }
    }

    /// Rows leave the frame and come into it, in turn; the results stand behind those that come.
    private func run(
        _ window: BoundedWindow, _ columns: [Column], _ keys: [Int32], _ times: [Int64], _ places: [Int32]
    ) throws(MillstreamError) -> (results: [Column], rows: [Int32]) {
        var leaving: [Int32] = []
        // Rows that come are their number, rows that leave -1 and less.
        var events: [Int] = [], slots: [Int32] = [], steps: [UInt8] = []
        var rows: [Int32] = []
        func leave(_ key: Int32) {
            let place = window.first.base[Int(key)]
            leaving.append(place)
            events.append(-leaving.count)
            slots.append(key)
            steps.append(Step.retract)
            window.first.base[Int(key)] = history.next(place)
            window.counts.base[Int(key)] &-= 1
        }
        for (row, key) in keys.enumerated() {
            if window.first.base[Int(key)] < 0 { window.first.base[Int(key)] = places[row] }
            if window.isRows {
                if window.counts.base[Int(key)] > window.distance { leave(key) }
            } else {
                let limit = times[row].subtractingSaturating(window.distance)
                while window.first.base[Int(key)] != places[row], history.time(window.first.base[Int(key)]) < limit { leave(key) }
            }
            rows.append(Int32(truncatingIfNeeded: events.count))
            events.append(row)
            slots.append(key)
            steps.append(Step.add)
            window.counts.base[Int(key)] &+= 1
        }
        var candidates = columns
        if !leaving.isEmpty {
            let gone = try history.gather(leaving, positions: window.set.inputs)
            let selection = events.map { Int32(truncatingIfNeeded: $0 < 0 ? -$0 - 1 : leaving.count + $0) }
            for position in window.set.inputs {
                guard let column = gone[position] else { throw .internal("a row without column \(position)") }
                candidates[position] = try Column.concat([column, columns[position]]).taking(selection)
            }
        }
        return (try run(window.set, candidates, slots, steps), rows)
    }

    private func values(_ lag: LagCall, _ columns: [Column], _ keys: [Int32], _ places: [Int32]) throws(MillstreamError) -> Column {
        var found: [Int32] = []
        var rows: [Int32] = []
        for (row, key) in keys.enumerated() {
            let key = Int(key)
            if lag.first.base[key] < 0 { lag.first.base[key] = places[row] }
            if lag.counts.base[key] == lag.distance {
                rows.append(Int32(truncatingIfNeeded: found.count))
                found.append(lag.first.base[key])
                lag.first.base[key] = history.next(lag.first.base[key])
            } else {
                rows.append(-1)
                lag.counts.base[key] &+= 1
            }
        }
        let position = lag.call.arguments[0]
        let nothing = columns[position].slice(0, 0)
        let values = try history.gather(found, positions: [position])[position] ?? nothing
        guard lag.call.arguments.count > 1 else { return try values.taking(rows, nullsForNegative: true) }
        let defaults = columns[lag.call.arguments[1]]
        let all = try Column.concat([values.retyped(values.type.nullable), defaults.retyped(values.type.nullable)])
        return try all.taking(rows.enumerated().map { $0.element < 0 ? Int32(truncatingIfNeeded: values.count + $0.offset) : $0.element })
    }

    /// Rows that no frame of their key begins with, or holds, go.
    private func trim(_ keys: [Int32]) {
        for key in keys {
            while case let first = history.first(of: key), first >= 0 {
                if bounded.contains(where: { $0.first.base[Int(key)] == first })
                    || lags.contains(where: { $0.distance > 0 && $0.first.base[Int(key)] == first })
                {
                    break
                }
                history.removeFirst(of: key)
            }
        }
    }

    private func rank(_ keys: [Int32], _ times: [Int64], _ results: inout [[Column?]]) throws(MillstreamError) {
        var numbers: [Int64?] = [], ranks: [Int64?] = [], denseRanks: [Int64?] = []
        numbers.reserveCapacity(keys.count)
        for (row, key) in keys.enumerated() {
            let place = self.ranks.base + Int(key)
            place.pointee.rowCount &+= 1
            // Rows by the clock are in the order in which they came.
            if place.pointee.lastTime != times[row] || place.pointee.rowCount == 1 || !isEventTime {
                place.pointee.rank = place.pointee.rowCount
                place.pointee.denseRank &+= 1
                place.pointee.lastTime = times[row]
            }
            numbers.append(place.pointee.rowCount)
            ranks.append(place.pointee.rank)
            denseRanks.append(place.pointee.denseRank)
        }
        for (index, window) in windows.enumerated() {
            for (place, call) in window.calls.enumerated() {
                guard case .builtIn(let function) = call.function else { continue }
                switch function {
                case .rowNumber: results[index][place] = try Column.integers(numbers, type: call.type)
                case .rank: results[index][place] = try Column.integers(ranks, type: call.type)
                case .denseRank: results[index][place] = try Column.integers(denseRanks, type: call.type)
                default: break
                }
            }
        }
    }

    // MARK: Checkpoints

    private static let pendingPart = "over/pending"
    private static let rowsPart = "over/rows"
    private static let statePart = "over/aggregates"

    private var rowFields: [Field] {
        [Field("time", DataType.bigInt.notNull), Field("order", DataType.bigInt.notNull)]
            + inputFields.map { Field("record.\($0.name)", $0.type.nullable) }
    }

    /// What bounded frames hold does not follow from their rows alone: in which order distinct values came depends on those that have left.
    private var sets: [AggregateSet] { unbounded.map(\.set) + bounded.map(\.set) }

    private var stateFields: [Field] {
        ["last_time", "row_count", "rank", "dense_rank"].map { Field($0, DataType.bigInt.notNull) }
            + sets.enumerated().flatMap { number, set in set.stateFields.map { Field("window\(number).\($0.name)", $0.type) } }
    }

    func declaredParts() -> [DeclaredPart] {
        [DeclaredPart(Self.statePart, stateFields), DeclaredPart(Self.pendingPart, rowFields), DeclaredPart(Self.rowsPart, rowFields)]
    }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        guard let context else { return }
        try FormerWatermarks.write(watermark, context.keyGroups, to: writer)
        let slots = groups.table.liveSlots()
        guard !slots.isEmpty else { return }
        var columns: [Column] = [
            .int64s(slots.map { ranks.base[Int($0)].lastTime }), .int64s(slots.map { ranks.base[Int($0)].rowCount }),
            .int64s(slots.map { ranks.base[Int($0)].rank }),
            .int64s(slots.map { ranks.base[Int($0)].denseRank }),
        ]
        for set in sets { columns += try set.state(slots) }
        var state = KeyedPart(Self.statePart, fields: stateFields)
        try state.add(slots, of: groups.table, columns)
        try state.write(maxParallelism: context.maxParallelism, to: writer)

        var waiting = KeyedPart(Self.pendingPart, fields: rowFields)
        var number: Int64 = 0
        for wait in pending {
            let order = wait.keys.indices.map { number + Int64($0) }
            number += Int64(wait.keys.count)
            try waiting.add(wait.keys, of: groups.table, [.int64s(wait.times), .int64s(order)] + stored(wait.columns))
        }
        try waiting.write(maxParallelism: context.maxParallelism, to: writer)

        var keys: [Int32] = [], places: [Int32] = []
        for slot in slots where history.liveCount > 0 {
            let own = history.places(of: slot)
            places += own
            keys += Array(repeating: slot, count: own.count)
        }
        guard !places.isEmpty else { return }
        let gathered = try history.gather(places, positions: Array(inputFields.indices))
        var rows: [Column] = []
        for position in inputFields.indices { if let column = gathered[position] { rows.append(column) } }
        var held = KeyedPart(Self.rowsPart, fields: rowFields)
        try held.add(keys, of: groups.table, [.int64s(places.map { history.time($0) }), .int64s(places.indices.map { Int64($0) })] + stored(rows))
        try held.write(maxParallelism: context.maxParallelism, to: writer)
    }

    private func stored(_ columns: [Column]) -> [Column] { zip(columns, inputFields).map { $0.retyped($1.type.nullable) } }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        guard let context else { return }
        watermark = try FormerWatermarks(reader).least(context.keyGroups)
        try RestoredPart.forEachBlock(reader, Self.statePart, keyTypes: groups.types, fields: stateFields) { (rows) throws(MillstreamError) in
            let slots = try rows.slots(in: groups.table)
            reserve()
            let (times, counts, ranks, denseRanks) = (rows.int64s(0), rows.int64s(1), rows.int64s(2), rows.int64s(3))
            for (row, slot) in slots.enumerated() {
                self.ranks.base[Int(slot)] = RankState(lastTime: times[row], rowCount: counts[row], rank: ranks[row], denseRank: denseRanks[row])
            }
            var next = 4
            for set in sets {
                let end = next + set.stateFields.count
                try set.restore(Array(rows.columns[next..<end]), slots: slots)
                next = end
            }
        }
        if let rows = try RestoredPart(reader, Self.pendingPart, keyTypes: groups.types, fields: rowFields) {
            let ordered = try rows.taking(rows.order(by: 1))
            pending.append(Pending(columns: Array(ordered.columns[2...]), keys: try ordered.slots(in: groups.table), times: ordered.int64s(0)))
        }
        reserve()
        if let rows = try RestoredPart(reader, Self.rowsPart, keyTypes: groups.types, fields: rowFields) {
            let ordered = try rows.taking(rows.order(by: 1))
            let keys = try ordered.slots(in: groups.table), times = ordered.int64s(0)
            reserve()
            restoreFrames(keys, times, history.append(Array(ordered.columns[2...]), keys: keys, times: times))
        }
        if !isEventTime, waits { requestWakeUp() }
    }

    /// The frames are those of each key's last row.
    private func restoreFrames(_ keys: [Int32], _ times: [Int64], _ places: [Int32]) {
        // By row: how many rows of its key follow.
        var following = [Int64](repeating: 0, count: keys.count)
        var seen: [Int32: Int64] = [:]
        for row in keys.indices.reversed() {
            following[row] = seen[keys[row], default: 0]
            seen[keys[row], default: 0] += 1
        }
        for window in bounded {
            for (row, key) in keys.enumerated() {
                let isIn =
                    window.isRows
                    ? following[row] <= window.distance : times[row] >= ranks.base[Int(key)].lastTime.subtractingSaturating(window.distance)
                guard isIn else { continue }
                if window.first.base[Int(key)] < 0 { window.first.base[Int(key)] = places[row] }
                window.counts.base[Int(key)] &+= 1
            }
        }
        for lag in lags where lag.distance > 0 {
            for (row, key) in keys.enumerated() where following[row] < lag.distance {
                if lag.first.base[Int(key)] < 0 { lag.first.base[Int(key)] = places[row] }
                lag.counts.base[Int(key)] &+= 1
            }
        }
    }
}

extension OverAggregateOperator.Pending {
    fileprivate func taking(_ rows: [Int]) throws(MillstreamError) -> Self {
        let selection = Selection(rows.map { Int32(truncatingIfNeeded: $0) })
        var taken: [Column] = []
        for column in columns { taken.append(try column.taking(selection)) }
        return Self(columns: taken, keys: rows.map { keys[$0] }, times: rows.map { times[$0] })
    }
}
