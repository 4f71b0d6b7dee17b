import Columnar
import Dataflow
import Plan
import State

/// Aggregation over TUMBLE, HOP and CUMULATE windows, and over windows that rows have already, in event or processing time.
///
/// A row goes into the accumulators of its key in one slice; a window is the sum of its slices when its time has passed, and comes out once. A slice all of whose windows have
/// come out takes no row: such rows are dropped and counted. One whose first windows have come out still counts in the others, as in Flink.
final class WindowAggregateOperator: Operator, StateDeclaring {
    private let description: WindowAggregateDescription
    private let geometry: SliceGeometry
    private let isEventTime: Bool
    private let zone: LocalZone
    private let groups: GroupKeys
    private let aggregates: AggregateSet
    private let result: WindowResult
    private var context: OperatorContext?
    /// By end, then by start.
    private var slices: [WindowSlice] = []
    /// In instants; in processing time the last millisecond that has passed.
    private var watermark = EventTime.min
    private var firing: Firing?
    /// Windows that end by then (local) have come out.
    private var firedUpTo = Int64.min
    // By key.
    private var sliceCounts = WindowSlots<Int32>(empty: 0)
    /// The accumulators' slots.
    private var pool = SlotPool()
    /// By slot: how many rows it has; where rows may be retracted, and windows share slices.
    private var rowCounts = WindowSlots<Int64>(empty: 0)
    /// By slot: the end of the last window that has come out with it, where another subtask was ahead before a restore.
    private var cameOut = WindowSlots<Int64>(empty: .min)
    private var hasCameOut = false

    /// A window that comes out, piece by piece.
    private struct Firing {
        var keys: [Int32]
        var slots: [Int32]
        var start: Int64
        var end: Int64
        var next = 0
        /// Slots that are the window's own.
        var isMerged: Bool
    }

    private static let chunkRowCount = 4_096

    init(_ description: WindowAggregateDescription, input: [DataType], output: Schema, hostObjects: HostObjects?) throws(MillstreamError) {
        self.description = description
        geometry = try SliceGeometry(description.window)
        isEventTime = !description.window.isProcessingTime
        zone = try description.window.zone(input)
        groups = try GroupKeys(description.keys, input: input, hostObjects: hostObjects)
        aggregates = try AggregateSet(description.aggregates, input: input, retracts: description.inputRetracts)
        result = WindowResult(schema: output, bounds: description.bounds, zone: zone, keyCount: description.keys.count)
    }

    func open(_ context: OperatorContext) throws(MillstreamError) { self.context = context }

    func close() {
        slices = []
        firing = nil
    }

    private var countsRows: Bool { description.inputRetracts && geometry.isShared }

    // MARK: Rows

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        var batch = try batch.compacted()
        var (starts, ends) = try slicesOfRows(batch)
        // Rows of slices whose last window has come out are dropped.
        var late = 0
        var kept: [Int32] = []
        var lastStart = Int64.max, lastEnd = Int64.max, isLate = false
        for row in 0..<batch.count {
            if starts[row] != lastStart || ends[row] != lastEnd {
                (lastStart, lastEnd) = (starts[row], ends[row])
                isLate = isEventTime && hasPassed(geometry.lastEnd(lastStart, lastEnd))
            }
            if isLate {
                if late == 0 { kept = (0..<Int32(truncatingIfNeeded: row)).map { $0 } }
                late += 1
            } else if late > 0 {
                kept.append(Int32(truncatingIfNeeded: row))
            }
        }
        if late > 0 {
            context?.metrics.lateRecords.add(late)
            context?.metrics.lateRecordsDropped.add(late)
            if kept.isEmpty { return .done }
            batch = try batch.selecting(Selection(kept)).compacted()
            starts = kept.map { starts[Int($0)] }
            ends = kept.map { ends[Int($0)] }
        }
        try add(batch, starts, ends)
        if !isEventTime { requestWakeUp() }
        return .done
    }

    /// The bounds of each row's slice.
    private func slicesOfRows(_ batch: Batch) throws(MillstreamError) -> (starts: [Int64], ends: [Int64]) {
        if case .attached(let start, let end) = description.window.shape {
            return (try milliseconds(batch, start), try milliseconds(batch, end))
        }
        var times: [Int64]
        if isEventTime {
            times = try milliseconds(batch, description.window.timeColumn)
        } else {
            times = Array(repeating: context?.clock.now().milliseconds ?? 0, count: batch.count)
        }
        zone.makeLocal(&times)
        var ends = times
        // Neighbours mostly share a slice; a division for each row would cost more than all the rest.
        var start = Int64.max, end = Int64.min
        for row in times.indices {
            if times[row] < start || times[row] >= end {
                start = geometry.sliceStart(times[row])
                end = WindowAssignment.end(start: start, size: geometry.sliceSize)
            }
            times[row] = start
            ends[row] = end
        }
        return (times, ends)
    }

    private func milliseconds(_ batch: Batch, _ position: Int) throws(MillstreamError) -> [Int64] {
        guard position >= 0, position < batch.columns.count else { throw MillstreamError(.plan, "there is no time column \(position)") }
        return try batch.columns[position].eventTimes(batch.count)
    }

    private func hasPassed(_ end: Int64) -> Bool { EventTime(milliseconds: zone.instant(end)) - 1 <= watermark }

    private func add(_ batch: Batch, _ starts: [Int64], _ ends: [Int64]) throws(MillstreamError) {
        let places = Buffer(byteCount: 4 * batch.count)
        let slots = places.pointer(as: Int32.self)
        try groups.look(up: batch, into: slots)
        let keyEnd = groups.table.slotEnd
        sliceCounts.reserve(keyEnd)
        var slice: WindowSlice?
        for row in 0..<batch.count {
            if slice == nil || slice?.start != starts[row] || slice?.end != ends[row] {
                slice = self.slice(starts[row], ends[row])
                slice?.reserve(keyEnd)
            }
            guard let slice else { continue }
            let key = slots[row]
            var slot = slice.slot(of: key)
            if slot < 0 {
                slot = pool.take()
                slice.insert(key, slot)
                sliceCounts.base[Int(key)] &+= 1
            }
            slots[row] = slot
        }
        reserveSlots()
        let steps = description.inputRetracts ? batch.steps : nil
        if countsRows {
            for row in 0..<batch.count { rowCounts.base[Int(slots[row])] &+= steps?[row] == Step.retract ? -1 : 1 }
        }
        // What has a new row comes out with the next window.
        if hasCameOut { for row in 0..<batch.count { cameOut.base[Int(slots[row])] = .min } }
        if let steps {
            try steps.withUnsafeBufferPointer { (list) throws(MillstreamError) in
                try aggregates.update(batch.columns, slots: slots, steps: list.baseAddress, count: batch.count)
            }
        } else {
            try aggregates.update(batch.columns, slots: slots, steps: nil, count: batch.count)
        }
        withExtendedLifetime(places) {}
    }

    private func reserveSlots() {
        aggregates.reserve(Int(pool.end))
        if countsRows { rowCounts.reserve(Int(pool.end)) }
        if hasCameOut { cameOut.reserve(Int(pool.end)) }
    }

    private func slice(_ start: Int64, _ end: Int64) -> WindowSlice {
        if let last = slices.last, last.start == start, last.end == end { return last }
        let place = firstSlice { ($0.end, $0.start) >= (end, start) }
        if place < slices.count, slices[place].start == start, slices[place].end == end { return slices[place] }
        let made = WindowSlice(start: start, end: end)
        slices.insert(made, at: place)
        return made
    }

    /// The index of the first slice for which a condition holds that, once true, stays true for later ones.
    private func firstSlice(where condition: (WindowSlice) -> Bool) -> Int {
        var low = 0
        var high = slices.count
        while low < high {
            let middle = (low + high) / 2
            if condition(slices[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    // MARK: Windows

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        guard isEventTime else { return .done }
        self.watermark = max(self.watermark, watermark)
        return try fire(output)
    }

    func onProcessingTime(_ now: ProcessingTime, output: any Output) throws(MillstreamError) -> Progress {
        guard !isEventTime else { return .done }
        watermark = max(watermark, now.lastPassed)
        return try fire(output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress { try fire(output) }

    /// The end of the first window that has not come out, and a slice of it.
    private func nextWindow() -> (end: Int64, slice: WindowSlice)? {
        for slice in slices {
            // The first slice that has a window left has the earliest of them.
            if let end = geometry.nextEnd(slice.start, slice.end, behind: isUnshared ? .min : firedUpTo) { return (end, slice) }
        }
        return nil
    }

    /// Windows that are slices go when they have come out, so that those that are there have not.
    private var isUnshared: Bool { !geometry.isShared }

    private func fire(_ output: any Output) throws(MillstreamError) -> Progress {
        while true {
            if firing == nil {
                guard let (end, slice) = nextWindow(), hasPassed(end) else { break }
                try start(end, slice)
            }
            guard var current = firing else { break }
            let end = min(current.next + Self.chunkRowCount, current.slots.count)
            let part = current.next..<end
            if !part.isEmpty {
                try result.emit(
                    keys: try groups.columns(Array(current.keys[part])), try aggregates.results(Array(current.slots[part])),
                    starts: Array(repeating: current.start, count: part.count), ends: Array(repeating: current.end, count: part.count), output)
            }
            current.next = end
            if end == current.slots.count {
                finish(current)
                firing = nil
            } else {
                firing = current
            }
            if output.isFull { return .more }
        }
        // Also windows that nobody had a row in have passed: a row that comes late does not bring them back.
        if geometry.isShared, watermark != .min { firedUpTo = max(firedUpTo, zone.local(watermark.milliseconds.addingSaturating(1))) }
        if !isEventTime { requestWakeUp() }
        return .done
    }

    private func start(_ end: Int64, _ slice: WindowSlice) throws(MillstreamError) {
        let start = geometry.windowStart(slice.start, end: end)
        guard geometry.isShared else {
            firing = Firing(keys: slice.keys, slots: slice.slots, start: start, end: end, isMerged: false)
            return
        }
        let range = firstSlice { $0.end > start }..<firstSlice { $0.end > end }
        let parts = slices[range].filter { $0.start >= start }
        let merged: WindowSlice
        if geometry.isCumulative, let first = parts.first {
            // What the window holds stays for the next one: its slices become one.
            merged = first
            try absorb(parts.dropFirst(), into: first)
            for part in parts.dropFirst() { release(part) }
            slices.removeSubrange(range)
            first.start = start
            first.end = end
            slices.insert(first, at: firstSlice { ($0.end, $0.start) >= (end, start) })
        } else {
            merged = WindowSlice(start: start, end: end)
            try absorb(parts[...], into: merged)
        }
        var keys: [Int32] = [], slots: [Int32] = [], unused: [Int32] = []
        for (key, slot) in zip(merged.keys, merged.slots) {
            let isEmpty = countsRows && rowCounts.base[Int(slot)] == 0
            if isEmpty || (hasCameOut && cameOut.base[Int(slot)] >= end) {
                unused.append(slot)
            } else {
                keys.append(key)
                slots.append(slot)
            }
        }
        firing = Firing(keys: keys, slots: slots, start: start, end: end, isMerged: !geometry.isCumulative)
        if !geometry.isCumulative { giveBack(unused) }
    }

    /// Adds what slices hold to another one.
    private func absorb(_ parts: ArraySlice<WindowSlice>, into merged: WindowSlice) throws(MillstreamError) {
        merged.reserve(groups.table.slotEnd)
        for part in parts {
            var targets: [Int32] = []
            targets.reserveCapacity(part.keys.count)
            for key in part.keys {
                var slot = merged.slot(of: key)
                if slot < 0 {
                    slot = pool.take()
                    merged.insert(key, slot)
                    if geometry.isCumulative { sliceCounts.base[Int(key)] &+= 1 }
                    if hasCameOut {
                        cameOut.reserve(Int(pool.end))
                        cameOut.base[Int(slot)] = .max
                    }
                }
                targets.append(slot)
            }
            reserveSlots()
            if countsRows { for (source, target) in zip(part.slots, targets) { rowCounts.base[Int(target)] &+= rowCounts.base[Int(source)] } }
            if hasCameOut {
                for (source, target) in zip(part.slots, targets) {
                    cameOut.base[Int(target)] = min(cameOut.base[Int(target)], cameOut.base[Int(source)])
                }
            }
            try aggregates.merge(part.slots, into: targets)
        }
    }

    private func finish(_ fired: Firing) {
        if geometry.isShared { firedUpTo = max(firedUpTo, fired.end) }
        if fired.isMerged { giveBack(fired.slots) }
        // Slices without another window go.
        var kept: [WindowSlice] = []
        var goes = 0
        for slice in slices {
            // Windows that are slices come out in the order of their ends.
            let isGone =
                geometry.isShared ? geometry.lastEnd(slice.start, slice.end) <= firedUpTo : slice.end == fired.end && slice.start == fired.start
            guard isGone else {
                if !geometry.isShared || slice.end > fired.end { break }
                kept.append(slice)
                goes += 1
                continue
            }
            release(slice)
            goes += 1
        }
        slices.replaceSubrange(..<goes, with: kept)
    }

    private func release(_ slice: WindowSlice) {
        giveBack(slice.slots)
        var gone: [Int32] = []
        for key in slice.keys {
            sliceCounts.base[Int(key)] &-= 1
            if sliceCounts.base[Int(key)] == 0 { gone.append(key) }
        }
        groups.erase(gone)
    }

    private func giveBack(_ slots: [Int32]) {
        aggregates.clear(slots)
        for slot in slots {
            if countsRows { rowCounts.clear(Int(slot)) }
            if hasCameOut { cameOut.clear(Int(slot)) }
            pool.giveBack(slot)
        }
    }

    var nextEventTime: EventTime? { isEventTime ? nextWindow().map { EventTime(milliseconds: zone.instant($0.end)) - 1 } : nil }

    private func requestWakeUp() {
        guard let next = nextWindow() else { return }
        context?.wakeUp(at: ProcessingTime(milliseconds: zone.instant(next.end).subtractingSaturating(1)))
    }

    func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress {
        // Processing-time timers do not fire at the end of input (as in Flink); what they would have given is counted.
        if !isEventTime { context?.metrics.timersDropped.add(slices.reduce(0) { $0 + $1.keys.count }) }
        return .done
    }

    // MARK: Checkpoints

    private static let part = "window/aggregates"
    private var fields: [Field] {
        ["slice_start", "slice_end", "fired_until", "order"].map { Field($0, DataType.bigInt.notNull) }
            + (countsRows ? [Field("row_count", DataType.bigInt.notNull)] : [])
            + aggregates.stateFields
    }

    func declaredParts() -> [DeclaredPart] { [DeclaredPart(Self.part, fields)] }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        guard let context else { return }
        try FormerWatermarks.write(watermark, context.keyGroups, to: writer)
        var part = KeyedPart(Self.part, fields: fields)
        for slice in slices {
            let count = slice.slots.count
            var columns: [Column] = [
                .repeating(slice.start, type: .bigInt, count: count), .repeating(slice.end, type: .bigInt, count: count),
                .int64s(slice.slots.map { max(firedUpTo, hasCameOut ? cameOut.base[Int($0)] : .min) }), .int64s(slice.keys.indices.map { Int64($0) }),
            ]
            if countsRows { columns.append(.int64s(slice.slots.map { rowCounts.base[Int($0)] })) }
            try part.add(slice.keys, of: groups.table, columns + aggregates.state(slice.slots), constantCount: 2)
        }
        try part.write(maxParallelism: context.maxParallelism, to: writer)
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        guard let context else { return }
        watermark = try FormerWatermarks(reader).least(context.keyGroups)
        guard let rows = try RestoredPart(reader, Self.part, keyTypes: groups.types, fields: fields) else { return }
        let (starts, ends, fired) = (rows.int64s(0), rows.int64s(1), rows.int64s(2))
        let keys = try rows.slots(in: groups.table)
        sliceCounts.reserve(groups.table.slotEnd)
        firedUpTo = fired.min() ?? .min
        hasCameOut = fired.contains { $0 > firedUpTo }
        var slots = [Int32](repeating: 0, count: rows.count)
        for row in rows.order(by: 3) {
            let row = Int(row)
            let slice = slice(starts[row], ends[row])
            slice.reserve(groups.table.slotEnd)
            // Cumulated slices of several subtasks may have ended at different times; each is a slice of its own.
            slots[row] = pool.take()
            slice.insert(keys[row], slots[row])
            sliceCounts.base[Int(keys[row])] &+= 1
        }
        reserveSlots()
        for row in 0..<rows.count {
            if countsRows { rowCounts.base[Int(slots[row])] = rows.columns[4].pointer(as: Int64.self)[row] }
            if hasCameOut { cameOut.base[Int(slots[row])] = fired[row] }
        }
        try aggregates.restore(Array(rows.columns[(countsRows ? 5 : 4)...]), slots: slots)
        if !isEventTime { requestWakeUp() }
    }
}

extension WindowTable {
    /// In which zone the windows lie: that of the session for instants.
    func zone(_ input: [DataType]) throws(MillstreamError) -> LocalZone {
        if case .attached = shape { return .utc }
        if isProcessingTime { return try LocalZone(timeZone) }
        guard timeColumn >= 0, timeColumn < input.count else { throw MillstreamError(.plan, "there is no time column \(timeColumn)") }
        if case .timestampLTZ = input[timeColumn].kind { return try LocalZone(timeZone) }
        return .utc
    }
}

extension Column {
    /// The values of a time column as milliseconds. Throws `eventTime` for NULL.
    func eventTimes(_ count: Int) throws(MillstreamError) -> [Int64] {
        if mayHaveNulls, let row = (0..<count).first(where: { isNull($0) }) {
            throw MillstreamError(
                .eventTime, "the event time of a row is NULL", hint: "Filter such rows out, or give them a time: WHERE ... IS NOT NULL, or COALESCE.",
                recordIndex: Int64(row))
        }
        return try milliseconds(count)
    }
}
