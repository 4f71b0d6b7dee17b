import Columnar
import Dataflow
import Plan
import State

/// Keyed tumbling and sliding windows in event or processing time.
///
/// Windows live in panes: a table of keys with their contents per pane, so that firing a window walks one table and dropping it frees one. For tumbling
/// windows, and for sliding windows of host functions, a pane is a window. Sliding windows of native aggregates share panes: a pane is a slice that no
/// window border cuts, each row touches one, and a window merges its slices when it fires (Flink's slicing windows).
///
/// Late rows, allowed lateness and firing follow Flink's WindowOperator with its default triggers: a window is late, and gone, once
/// `end - 1 + allowedLateness` has been passed; a row that is late but allowed fires its window again at once, with all that it holds.
final class TimeWindowOperator: Operator, StateDeclaring {
    private let size: Int64
    private let slide: Int64
    private let offset: Int64
    private let isEventTime: Bool
    private let lateness: Int64
    private let lateOutput: SideOutputID?
    private let keyPositions: [Int]
    private let keyTypes: [DataType]
    private let hostObjects: HostObjects?
    private let makeContents: () throws(MillstreamError) -> any WindowContents
    private let functions: WindowFunctions?
    /// The distance of pane borders: the slide and the size are multiples of it.
    private let paneSize: Int64
    private let isSliced: Bool

    private var context: OperatorContext?
    /// In the order of their starts.
    private var panes: [Pane] = []
    private var spare: [Pane] = []
    private var watermark = EventTime.min
    private var firing: Firing?
    private var refiring = Refiring()
    private var rowsBefore: Int64 = 0
    private var slots: [Int32] = []
    private var starts: [Int64] = []
    private var groups = PaneGroups()
    private var late: [Int32] = []

    /// How many windows fire in one batch.
    private static let chunkRowCount = 4_096
    /// How many empty panes are kept for reuse.
    private static let spareCountMax = 4

    /// A table of keys with their contents, from `start` on.
    private final class Pane {
        var start: Int64 = 0
        var hasFired = false
        let keys: KeyTable
        let contents: any WindowContents
        /// Per slot the last time whose windows have fired for it already, where that is after the operator's watermark: the rows were restored from a subtask
        /// that was ahead. Mostly empty; slots behind its end have fired nothing.
        var firedUpTo: [Int64] = []

        init(keys: KeyTable, contents: any WindowContents) {
            self.keys = keys
            self.contents = contents
        }

        /// The slots whose window with this last time has yet to fire.
        func slots(dueAt last: EventTime) -> [Int32] {
            let slots = keys.liveSlots()
            return firedUpTo.isEmpty ? slots : slots.filter { Int($0) >= firedUpTo.count || firedUpTo[Int($0)] < last.milliseconds }
        }
    }

    /// A window that is being emitted, chunk by chunk.
    private struct Firing {
        var pane: Pane
        var start: Int64
        var end: Int64
        var slots: [Int32]
        var next = 0
        /// A merged window of slices has a pane of its own, which is given back.
        var isMerged: Bool
    }

    /// Rows that are late but allowed, in order: each fires the windows that hold it again, with what was there before it and itself.
    private struct Refiring {
        var rows: [Row] = []
        /// The next row, and the next of its windows.
        var next = 0
        var nextWindow = 0
        var windows: [Int64] = []

        struct Row {
            var row: Int32
            var slot: Int32
            var pane: Pane
        }
    }
    /// The batch that the rows of `refiring` are in.
    private var lateRows: Batch?

    init(
        size: Int64, slide: Int64, offset: Int64, isEventTime: Bool, description: WindowDescription, keyTypes: [DataType],
        hostObjects: HostObjects?, isMergeable: Bool, functions: WindowFunctions?,
        makeContents: @escaping () throws(MillstreamError) -> any WindowContents
    ) {
        self.size = size
        self.slide = slide
        self.offset = offset
        self.isEventTime = isEventTime
        lateness = isEventTime ? max(0, description.allowedLatenessMilliseconds) : 0
        lateOutput = description.lateOutput.map { SideOutputID($0) }
        keyPositions = description.keys
        self.keyTypes = keyTypes
        self.hostObjects = hostObjects
        self.makeContents = makeContents
        self.functions = functions
        isSliced = isMergeable && size != slide && slide <= size
        paneSize = isSliced ? greatestCommonDivisor(size, slide) : size
    }

    func open(_ context: OperatorContext) throws(MillstreamError) {
        self.context = context
        try functions?.open(context)
    }

    func close() throws(MillstreamError) {
        panes = []
        spare = []
        firing = nil
        refiring = Refiring()
        lateRows = nil
        try functions?.close()
    }

    // MARK: Rows

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        let rows = try batch.compacted()
        try refuseNullKeys(keyPositions.map { rows.columns[$0] }, count: rows.count, rowsBefore: rowsBefore)
        defer { rowsBefore += Int64(rows.count) }
        if !isEventTime {
            guard let now = context?.clock.now() else { return .done }
            try add(rows, times: Array(repeating: now.milliseconds, count: rows.count), output)
            requestWakeUp()
            return .done
        }
        guard let times = rows.timestamps else { throw missingTimestamp(0) }
        let base = UnsafePointer(times.pointer(as: Int64.self))
        var least = Int64.max
        var greatest = Int64.min
        for row in 0..<rows.count {
            least = min(least, base[row])
            greatest = max(greatest, base[row])
        }
        if least == EventTime.none.milliseconds {
            throw missingTimestamp((0..<rows.count).first { base[$0] == EventTime.none.milliseconds } ?? 0)
        }
        // The common case: all rows of a batch belong to one pane, and no more than one.
        let start = WindowAssignment.start(of: least, size: paneSize, offset: offset)
        if size == slide || isSliced, start == WindowAssignment.start(of: greatest, size: paneSize, offset: offset) {
            try add(rows, toPane: start, output)
        } else {
            try add(rows, times: Array(UnsafeBufferPointer(start: base, count: rows.count)), output)
        }
        withExtendedLifetime(times) {}
        return try refire(rows, output)
    }

    private func missingTimestamp(_ row: Int) -> MillstreamError {
        MillstreamError(
            .eventTime, "a record has no timestamp, and the window is in event time",
            hint: "Call assign_timestamps_and_watermarks with a timestamp assigner before key_by.", recordIndex: rowsBefore + Int64(row))
    }

    /// Rows of several panes: one group per pane, panes in the order of their starts.
    private func add(_ rows: Batch, times: [Int64], _ output: any Output) throws(MillstreamError) {
        groups.removeAll()
        late.removeAll(keepingCapacity: true)
        let skipped = size == slide || isSliced ? groupByPane(times) : groupByWindow(times)
        // A row that no open window takes, but whose time has not passed, goes nowhere in Flink too; it is counted.
        context?.metrics.lateRecordsDropped.add(skipped)
        if !late.isEmpty { try emitLate(rows.selecting(Selection(late)), output) }
        // Rows of windows that have fired already fire them again, one by one, with what was there before each row. Other rows touch none of these
        // windows, so that they may come first.
        for group in groups.sorted() { try add(try rows.taking(group.rows), toPane: group.start, output, numbers: group.rows) }
        // Of the windows of a row, the newest first, as Flink assigns them.
        refiring.rows.sort { ($0.row, $1.pane.start) < ($1.row, $0.pane.start) }
    }

    /// Groups rows of which each belongs to one pane. Returns how many belong to none although they are not late: none.
    private func groupByPane(_ times: [Int64]) -> Int {
        // Neighbours mostly share a pane; a division per row would cost more than all the rest.
        var start = Int64.max
        var end = Int64.min
        var isLate = false
        var skipped = 0
        for (row, time) in times.enumerated() {
            if time < start || time >= end {
                start = WindowAssignment.start(of: time, size: paneSize, offset: offset)
                end = WindowAssignment.end(start: start, size: paneSize)
                isLate = isPaneLate(start)
            }
            if !isLate {
                groups.append(Int32(truncatingIfNeeded: row), to: start)
            } else if isEventTime, EventTime(milliseconds: time) + lateness <= watermark {
                late.append(Int32(truncatingIfNeeded: row))
            } else {
                skipped += 1
            }
        }
        return skipped
    }

    /// Groups rows by all the windows that hold them. Returns how many belong to none although they are not late.
    private func groupByWindow(_ times: [Int64]) -> Int {
        var skipped = 0
        for (row, time) in times.enumerated() {
            WindowAssignment.starts(of: time, size: size, slide: slide, offset: offset, into: &starts)
            var isSkipped = true
            for start in starts where !isPaneLate(start) {
                isSkipped = false
                groups.append(Int32(truncatingIfNeeded: row), to: start)
            }
            guard isSkipped else { continue }
            if isEventTime, EventTime(milliseconds: time) + lateness <= watermark {
                late.append(Int32(truncatingIfNeeded: row))
            } else {
                skipped += 1
            }
        }
        return skipped
    }

    /// Rows of one pane. Those that fire windows again are noted for `refire` with their `numbers` in the batch (nil: they are the whole batch).
    private func add(_ rows: Batch, toPane start: Int64, _ output: any Output, numbers: [Int32]? = nil) throws(MillstreamError) {
        if isPaneLate(start) { return try emitLate(rows, output) }
        let pane = try pane(at: start)
        try lookup(rows, in: pane)
        guard firedWindows(ofPane: start).isEmpty else {
            for row in 0..<rows.count {
                refiring.rows.append(
                    Refiring.Row(row: numbers?[row] ?? Int32(truncatingIfNeeded: row), slot: slots[row], pane: pane))
            }
            return
        }
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            if let base = list.baseAddress { try pane.contents.add(rows, slots: base) }
        }
        // What has a new row fires once more when its time comes.
        guard !pane.firedUpTo.isEmpty else { return }
        for row in 0..<rows.count where Int(slots[row]) < pane.firedUpTo.count { pane.firedUpTo[Int(slots[row])] = .min }
    }

    /// Adds the noted rows of a batch one by one, and emits their windows anew after each. A row may be in many windows, so whether there is room is asked after
    /// each window.
    private func refire(_ rows: Batch, _ output: any Output) throws(MillstreamError) -> Progress {
        while refiring.next < refiring.rows.count {
            let (row, slot, pane) = (Int(refiring.rows[refiring.next].row), refiring.rows[refiring.next].slot, refiring.rows[refiring.next].pane)
            if refiring.nextWindow == 0 {
                try withUnsafePointer(to: slot) { (base) throws(MillstreamError) in try pane.contents.add(rows.slice(row, 1), slots: base) }
                refiring.windows = firedWindows(ofPane: pane.start)
                context?.metrics.lateRecords.add(1)
            }
            while refiring.nextWindow < refiring.windows.count {
                try fireAgain(refiring.windows[refiring.nextWindow], pane, slot, output)
                refiring.nextWindow += 1
                let isLast = refiring.nextWindow == refiring.windows.count && refiring.next + 1 == refiring.rows.count
                if output.isFull, !isLast {
                    lateRows = rows
                    return .more
                }
            }
            // A pane that is its own window has fired now, even if it had nothing when its time came.
            if !isSliced { pane.hasFired = true }
            refiring.next += 1
            refiring.nextWindow = 0
        }
        refiring.rows.removeAll(keepingCapacity: true)
        refiring.next = 0
        lateRows = nil
        return .done
    }

    private func lookup(_ rows: Batch, in pane: Pane) throws(MillstreamError) {
        let keys = keyPositions.map { rows.columns[$0] }
        let keyed = rows.keyHashes == nil ? try rows.keyed(by: keys) : rows
        if slots.count < rows.count { slots = [Int32](repeating: 0, count: max(rows.count, 4_096)) }
        guard let hashes = keyed.keyHashes else { throw MillstreamError.internal("rows without key hashes") }
        try slots.withUnsafeMutableBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return }
            _ = try pane.keys.lookup(keys: keys, hashes: UnsafePointer(hashes.pointer(as: UInt64.self)), count: rows.count, slots: base)
        }
        withExtendedLifetime(hashes) {}
    }

    private func emitLate(_ rows: Batch, _ output: any Output) throws(MillstreamError) {
        guard let metrics = context?.metrics else { return }
        metrics.lateRecords.add(rows.count)
        guard let lateOutput else { return metrics.lateRecordsDropped.add(rows.count) }
        var late = rows
        late.columns = Array(rows.columns.prefix(rows.schema.fields.count))
        late.keyHashes = nil
        try output.emit(late, to: lateOutput)
    }

    // MARK: Panes and windows

    /// The last millisecond of the last window that a pane belongs to.
    private func lastTime(ofPane start: Int64) -> EventTime {
        guard isSliced else { return EventTime(milliseconds: start) + size - 1 }
        return EventTime(milliseconds: WindowAssignment.start(of: start, size: slide, offset: offset)) + size - 1
    }

    private func isPaneLate(_ start: Int64) -> Bool { isEventTime && lastTime(ofPane: start) + lateness <= watermark }

    private func pane(at start: Int64) throws(MillstreamError) -> Pane {
        if let last = panes.last, last.start == start { return last }
        let place = firstPane { $0.start >= start }
        if place < panes.count, panes[place].start == start { return panes[place] }
        let pane = try takeSpare()
        pane.start = start
        panes.insert(pane, at: place)
        return pane
    }

    private func takeSpare() throws(MillstreamError) -> Pane {
        if let pane = spare.popLast() { return pane }
        return Pane(keys: try KeyTable(types: keyTypes, hostObjects: hostObjects), contents: try makeContents())
    }

    private func giveBack(_ pane: Pane) {
        guard spare.count < Self.spareCountMax else { return }
        pane.keys.clear()
        pane.contents.removeAll()
        pane.hasFired = false
        pane.firedUpTo = []
        spare.append(pane)
    }

    /// The starts of the windows that have fired already but are still kept, and that hold a pane, the newest first.
    private func firedWindows(ofPane start: Int64) -> [Int64] {
        guard isEventTime, watermark != .min else { return [] }
        var windows: [Int64] = []
        if isSliced {
            WindowAssignment.starts(of: start, size: size, slide: slide, offset: offset, into: &windows)
        } else {
            windows = [start]
        }
        return windows.filter { window in
            let last = EventTime(milliseconds: window) + size - 1
            return last <= watermark && last + lateness > watermark
        }
    }

    /// Emits one key's window anew.
    private func fireAgain(_ start: Int64, _ pane: Pane, _ slot: Int32, _ output: any Output) throws(MillstreamError) {
        let key = try keys(of: pane, [slot])
        let end = WindowAssignment.end(start: start, size: size)
        guard isSliced else { return try emit(pane, [slot], start: start, end: end, output) }
        let merged = try takeSpare()
        defer { giveBack(merged) }
        try absorb(slices(of: start), into: merged, only: key)
        try emit(merged, merged.keys.liveSlots(), start: start, end: end, output)
    }

    private func slices(of start: Int64) -> [Pane] {
        let end = WindowAssignment.end(start: start, size: size)
        return Array(panes[firstPane { $0.start >= start }..<firstPane { $0.start >= end }])
    }

    /// The index of the first pane for which a condition holds that, once true, stays true for later panes.
    private func firstPane(where condition: (Pane) -> Bool) -> Int {
        var low = 0
        var high = panes.count
        while low < high {
            let middle = (low + high) / 2
            if condition(panes[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Adds what slices hold to a merged window's pane; of one key, or of all.
    private func absorb(_ slices: [Pane], into merged: Pane, only key: [Column]? = nil) throws(MillstreamError) {
        let isAhead = slices.contains { !$0.firedUpTo.isEmpty }
        for slice in slices {
            var sources = slice.keys.liveSlots()
            var columns = try keys(of: slice, sources)
            if let key {
                sources = try find(key, in: slice)
                if sources.isEmpty { continue }
                columns = key
            }
            var batch = Batch(schema: Schema([]), columns: columns, count: sources.count)
            batch = try batch.keyed(by: columns)
            guard let hashes = batch.keyHashes, !sources.isEmpty else { continue }
            var targets = [Int32](repeating: 0, count: sources.count)
            try targets.withUnsafeMutableBufferPointer { (list) throws(MillstreamError) in
                guard let base = list.baseAddress else { return }
                _ = try merged.keys.lookup(keys: columns, hashes: UnsafePointer(hashes.pointer(as: UInt64.self)), count: sources.count, slots: base)
            }
            try merged.contents.absorb(slice.contents, slots: sources, targets: targets)
            for (source, target) in zip(sources, targets) where isAhead {
                let fired = Int(source) < slice.firedUpTo.count ? slice.firedUpTo[Int(source)] : .min
                // New keys get their slots in order.
                if Int(target) == merged.firedUpTo.count { merged.firedUpTo.append(.max) }
                merged.firedUpTo[Int(target)] = min(merged.firedUpTo[Int(target)], fired)
            }
        }
    }

    private func find(_ key: [Column], in pane: Pane) throws(MillstreamError) -> [Int32] {
        let batch = try Batch(schema: Schema([]), columns: key, count: 1).keyed(by: key)
        guard let hashes = batch.keyHashes else { return [] }
        var slot: Int32 = -1
        try pane.keys.find(keys: key, hashes: UnsafePointer(hashes.pointer(as: UInt64.self)), count: 1, slots: &slot)
        return slot < 0 ? [] : [slot]
    }

    private func keys(of pane: Pane, _ slots: [Int32]) throws(MillstreamError) -> [Column] {
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return [] }
            return try pane.keys.keys(slots: base, count: list.count)
        }
    }

    private func emit(_ pane: Pane, _ slots: [Int32], start: Int64, end: Int64, _ output: any Output) throws(MillstreamError) {
        guard !slots.isEmpty else { return }
        let frames = WindowFrames(
            slots: slots, keys: try keys(of: pane, slots), starts: Array(repeating: start, count: slots.count),
            ends: Array(repeating: end, count: slots.count), watermark: watermark)
        try pane.contents.emit(frames, output: output)
    }

    // MARK: Time

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        guard isEventTime else { return .done }
        let before = self.watermark
        self.watermark = max(before, watermark)
        firedBefore = before
        return try fire(output)
    }

    func onProcessingTime(_ now: ProcessingTime, output: any Output) throws(MillstreamError) -> Progress {
        guard !isEventTime else { return .done }
        // A window whose last millisecond came again because the clock was set back fires when it is found; slices of it may still be needed.
        firedBefore = isSliced ? watermark : .min
        watermark = max(watermark, now.lastPassed)
        return try fire(output)
    }

    /// Windows that end at or before this have fired.
    private var firedBefore = EventTime.min

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        if let lateRows { return try refire(lateRows, output) }
        return try fire(output)
    }

    private func fire(_ output: any Output) throws(MillstreamError) -> Progress {
        while true {
            if firing == nil {
                guard try startFiring() else { break }
            }
            guard var current = firing else { break }
            let end = min(current.next + Self.chunkRowCount, current.slots.count)
            try emit(current.pane, Array(current.slots[current.next..<end]), start: current.start, end: current.end, output)
            current.next = end
            if end == current.slots.count {
                if current.isMerged { giveBack(current.pane) } else { current.pane.hasFired = true }
                firing = nil
            } else {
                firing = current
            }
            if output.isFull { return .more }
        }
        cleanUp()
        if !isEventTime { requestWakeUp() }
        return .done
    }

    /// The next window that is due, in the order of their ends.
    private func startFiring() throws(MillstreamError) -> Bool {
        let next = firstPane { lastTime(ofPane: $0.start) > firedBefore }
        return isSliced ? try startFiringSlices(next) : startFiringPane(next)
    }

    private func startFiringPane(_ next: Int) -> Bool {
        var place = next
        while place < panes.count, lastTime(ofPane: panes[place].start) <= watermark {
            let pane = panes[place]
            firedBefore = lastTime(ofPane: pane.start)
            if !pane.hasFired {
                firing = Firing(
                    pane: pane, start: pane.start, end: WindowAssignment.end(start: pane.start, size: size), slots: pane.slots(dueAt: firedBefore),
                    isMerged: false)
                return true
            }
            place += 1
        }
        return false
    }

    private func startFiringSlices(_ next: Int) throws(MillstreamError) -> Bool {
        guard next < panes.count else { return false }
        // The first window over the first slice that is in a window yet to fire: windows over later slices end no earlier.
        WindowAssignment.starts(of: panes[next].start, size: size, slide: slide, offset: offset, into: &starts)
        guard let start = starts.last(where: { EventTime(milliseconds: $0) + size - 1 > firedBefore }),
            EventTime(milliseconds: start) + size - 1 <= watermark
        else { return false }
        let merged = try takeSpare()
        try absorb(slices(of: start), into: merged)
        firedBefore = EventTime(milliseconds: start) + size - 1
        firing = Firing(
            pane: merged, start: start, end: WindowAssignment.end(start: start, size: size), slots: merged.slots(dueAt: firedBefore), isMerged: true)
        return true
    }

    /// The last millisecond of the first window that has not fired.
    var nextEventTime: EventTime? {
        guard isEventTime else { return nil }
        let next = firstPane { lastTime(ofPane: $0.start) > watermark }
        guard next < panes.count else { return nil }
        guard isSliced else { return lastTime(ofPane: panes[next].start) }
        var windows: [Int64] = []
        WindowAssignment.starts(of: panes[next].start, size: size, slide: slide, offset: offset, into: &windows)
        return windows.lazy.map { EventTime(milliseconds: $0) + self.size - 1 }.filter { $0 > self.watermark }.min()
    }

    private func cleanUp() {
        let kept = firstPane { lastTime(ofPane: $0.start) + lateness > watermark }
        for pane in panes[..<kept] { giveBack(pane) }
        panes.removeSubrange(..<kept)
    }

    // MARK: Checkpoints

    private static let part = "window/contents"
    private var stateFields: [Field] {
        get throws(MillstreamError) {
            let time = DataType(.timestampLTZ(3), isNullable: false)
            let pane = try takeSpare()
            defer { giveBack(pane) }
            return [
                Field("window_start", time), Field("window_end", time), Field("fired_until", DataType.bigInt.notNull),
                Field("order", DataType.bigInt.notNull),
            ] + pane.contents.stateFields
        }
    }

    func declaredParts() throws(MillstreamError) -> [DeclaredPart] { [DeclaredPart(Self.part, try stateFields)] }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        guard let context else { return }
        try FormerWatermarks.write(watermark, context.keyGroups, to: writer)
        guard !panes.isEmpty else { return }
        let fields = try stateFields
        var part = KeyedPart(Self.part, fields: fields)
        for pane in panes {
            // Keys of a window fire in the order of their slots.
            let slots = pane.keys.liveSlots()
            let held = try pane.contents.rows(of: slots, ofKeys: nil)
            let numbers = held.parents?.map { slots[Int($0)] } ?? slots
            let columns: [Column] = [
                .repeating(pane.start, type: fields[0].type, count: numbers.count),
                .repeating(WindowAssignment.end(start: pane.start, size: paneSize), type: fields[1].type, count: numbers.count),
                pane.firedUpTo.isEmpty
                    ? .repeating(watermark.milliseconds, type: .bigInt, count: numbers.count)
                    : .int64s(numbers.map { Int($0) < pane.firedUpTo.count ? max(watermark.milliseconds, pane.firedUpTo[Int($0)]) : watermark.milliseconds }),
                .int64s(numbers.map { Int64($0) }),
            ]
            try part.add(numbers, of: pane.keys, columns + held.columns, constantCount: pane.firedUpTo.isEmpty ? 3 : 2)
        }
        try part.write(maxParallelism: context.maxParallelism, to: writer)
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        guard let context else { return }
        watermark = try FormerWatermarks(reader).least(context.keyGroups)
        guard let rows = try RestoredPart(reader, Self.part, keyTypes: keyTypes, fields: try stateFields) else { return }
        let starts = rows.int64s(0)
        let firedUpTo = rows.int64s(2)
        // Windows by the clock are gone when they have fired, but for slices, which are also in windows to come.
        let isAhead = (isEventTime || isSliced) && firedUpTo.contains { $0 > watermark.milliseconds }
        groups.removeAll()
        for row in rows.order(by: 3) { groups.append(row, to: starts[Int(row)]) }
        for group in groups.sorted() {
            let pane = try pane(at: group.start)
            let own = try rows.taking(group.rows)
            let slots = try own.slots(in: pane.keys)
            try pane.contents.restore(Array(own.columns[4...]), slots: slots)
            pane.hasFired = isEventTime && lastTime(ofPane: group.start) <= watermark
            guard isAhead else { continue }
            pane.firedUpTo = Array(repeating: .min, count: pane.keys.slotEnd)
            for (row, slot) in zip(group.rows, slots) where firedUpTo[Int(row)] > watermark.milliseconds {
                pane.firedUpTo[Int(slot)] = firedUpTo[Int(row)]
            }
        }
        groups.removeAll()
        if !isEventTime { requestWakeUp() }
    }

    private func requestWakeUp() {
        guard let first = panes.first else { return }
        var windows = [first.start]
        if isSliced { WindowAssignment.starts(of: first.start, size: size, slide: slide, offset: offset, into: &windows) }
        // The earliest window over the earliest pane that has not fired.
        let ends = windows.reversed().map { EventTime(milliseconds: $0) + size - 1 }
        guard let last = ends.first(where: { $0 > watermark }) ?? ends.last else { return }
        context?.wakeUp(at: ProcessingTime(milliseconds: last.milliseconds))
    }

    func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress {
        // Processing-time timers do not fire at the end of input (as in Flink); what they would have given is counted.
        if !isEventTime { context?.metrics.timersDropped.add(panes.reduce(0) { $0 + $1.keys.count }) }
        return .done
    }
}

private func greatestCommonDivisor(_ left: Int64, _ right: Int64) -> Int64 {
    var (left, right) = (left, right)
    while right != 0 { (left, right) = (right, left % right) }
    return left
}
