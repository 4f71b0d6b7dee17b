import Columnar
import Dataflow
import Plan
import State

/// Keyed session windows: rows of a key whose windows `[t, t + gap)` overlap or touch are one session, as in Flink.
///
/// Sessions are merged before lateness is judged, so that the merged window decides. A session that has fired and been cleaned up is gone; a later row
/// inside its range opens a new one. Within a batch, rows are assigned one by one (a merge changes what follows), and folded together.
final class SessionWindowOperator: Operator, StateDeclaring {
    private struct Session {
        var key: Int32
        var start: Int64
        /// Exclusive; rises as rows come.
        var end: Int64
        var isAlive: Bool
        var hasFired: Bool
        /// Its place among those that end with it: that of the one entry in `firing` that counts.
        var order: Int64 = 0
        /// The session it was merged into while a batch is assigned.
        var mergedInto: Int32
    }

    /// A session that may be due: valid only while it is the last one of its session. By time, then by order of registration.
    private struct Due: Comparable {
        var time: Int64
        var order: Int64
        var session: Int32

        static func < (left: Due, right: Due) -> Bool { (left.time, left.order) < (right.time, right.order) }
    }

    private struct KeyedStart: Hashable {
        var key: Int32
        var start: Int64
    }

    private let gap: Int64
    private let isEventTime: Bool
    private let lateness: Int64
    private let lateOutput: SideOutputID?
    private let keys: WindowKeys
    private let contents: any WindowContents
    private let functions: WindowFunctions?
    private var context: OperatorContext?
    private var watermark = EventTime.min
    private var rowsBefore: Int64 = 0

    private var sessions: [Session] = []
    private var pool = SlotPool()
    /// Per key slot: its live sessions.
    private var sessionsOfKey: [[Int32]] = []
    private var firing = BinaryHeap<Due>()
    private var cleaning = BinaryHeap<Due>()
    private var nextOrder: Int64 = 0

    /// What the batch at hand has gathered: rows and the sessions they go to, and sessions to merge.
    private var places: [Int32] = []
    private var targets: [Int32] = []
    private var merges: [(from: Int32, into: Int32)] = []
    /// Rows that no session takes, and their keys.
    private var late: [Int32] = []
    private var touched: [Int32] = []
    /// The batch that is being assigned, its time in processing time, and the next row: kept where the output filled up between two firings.
    private var rest: (rows: Batch, now: Int64, next: Int)?
    private static let chunkRowCount = 4_096

    init(
        gap: Int64, isEventTime: Bool, description: WindowDescription, keys: WindowKeys, contents: any WindowContents, functions: WindowFunctions?
    ) {
        self.gap = gap
        self.isEventTime = isEventTime
        lateness = isEventTime ? max(0, description.allowedLatenessMilliseconds) : 0
        lateOutput = description.lateOutput.map { SideOutputID($0) }
        self.keys = keys
        self.contents = contents
        self.functions = functions
    }

    func open(_ context: OperatorContext) throws(MillstreamError) {
        self.context = context
        try functions?.open(context)
    }

    /// The last millisecond of the session that ends first; one that has grown since counts until it comes up.
    var nextEventTime: EventTime? { isEventTime ? firing.first.map { EventTime(milliseconds: $0.time) } : nil }

    func close() throws(MillstreamError) {
        contents.removeAll()
        rest = nil
        try functions?.close()
    }

    // MARK: Rows

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        let rows = try batch.compacted()
        try keys.lookup(rows)
        return try assign(rows, from: 0, now: context?.clock.now().milliseconds ?? 0, output)
    }

    /// Assigns the rows of the batch at hand, beginning with row `first`.
    private func assign(_ rows: Batch, from first: Int, now: Int64, _ output: any Output) throws(MillstreamError) -> Progress {
        for row in first..<rows.count {
            let key = keys.slots[row]
            let time = try time(of: row, rows, now: now)
            if Int(key) >= sessionsOfKey.count { sessionsOfKey.append(contentsOf: repeatElement([], count: Int(key) + 1 - sessionsOfKey.count)) }
            guard let session = assign(time, key: key) else {
                late.append(Int32(truncatingIfNeeded: row))
                touched.append(key)
                continue
            }
            places.append(Int32(truncatingIfNeeded: row))
            targets.append(session)
            if isEventTime, EventTime(milliseconds: sessions[Int(session)].end) - 1 <= watermark {
                // Late but allowed: the session fires at once, with what it holds now.
                try fold(rows)
                try emit([session], output)
                sessions[Int(session)].hasFired = true
                let last = sessions[Int(session)].end.subtractingSaturating(1)
                cleaning.push(Due(time: last.addingSaturating(lateness), order: nextOrder, session: session))
                context?.metrics.lateRecords.add(1)
                if output.isFull, row + 1 < rows.count {
                    rest = (rows, now, row + 1)
                    return .more
                }
            }
        }
        rest = nil
        try fold(rows)
        forgetEmptyKeys(touched)
        touched.removeAll(keepingCapacity: true)
        if !late.isEmpty { try emitLate(rows.selecting(Selection(late)), output) }
        late.removeAll(keepingCapacity: true)
        rowsBefore += Int64(rows.count)
        if !isEventTime { requestWakeUp() }
        return .done
    }

    private func time(of row: Int, _ rows: Batch, now: Int64) throws(MillstreamError) -> Int64 {
        guard isEventTime else { return now }
        guard let times = rows.timestamps, times.pointer(as: Int64.self)[row] != EventTime.none.milliseconds else {
            throw MillstreamError(
                .eventTime, "a record has no timestamp, and the window is in event time",
                hint: "Call assign_timestamps_and_watermarks with a timestamp assigner before key_by.", recordIndex: rowsBefore + Int64(row))
        }
        return times.pointer(as: Int64.self)[row]
    }

    /// The session that a time belongs to, merged as needed; nil if it is late.
    private func assign(_ time: Int64, key: Int32) -> Int32? {
        var start = time
        var end = time.addingSaturating(gap)
        var overlapping: [Int32] = []
        // A merge can reach further sessions only through ones it already overlaps, because sessions of a key never touch each other.
        for session in sessionsOfKey[Int(key)] {
            let other = sessions[Int(session)]
            if other.start <= time.addingSaturating(gap), other.end >= time {
                overlapping.append(session)
                start = min(start, other.start)
                end = max(end, other.end)
            }
        }
        if isEventTime, EventTime(milliseconds: end) - 1 + lateness <= watermark { return nil }
        guard let kept = overlapping.first else { return makeSession(key, start, end) }
        for session in overlapping.dropFirst() {
            merges.append((session, kept))
            sessions[Int(session)].isAlive = false
            sessions[Int(session)].mergedInto = kept
            sessionsOfKey[Int(key)].removeAll { $0 == session }
        }
        if start != sessions[Int(kept)].start || end != sessions[Int(kept)].end || overlapping.count > 1 {
            sessions[Int(kept)].start = start
            if end != sessions[Int(kept)].end {
                sessions[Int(kept)].end = end
                sessions[Int(kept)].hasFired = false
                schedule(kept)
            }
        }
        if sessions[Int(kept)].hasFired, isEventTime, EventTime(milliseconds: end) - 1 > watermark {
            // It had fired in a subtask whose watermark was ahead of the one that this subtask was restored with: it is due once more.
            sessions[Int(kept)].hasFired = false
            schedule(kept)
        }
        return kept
    }

    private func makeSession(_ key: Int32, _ start: Int64, _ end: Int64) -> Int32 {
        let number = pool.take()
        let session = Session(key: key, start: start, end: end, isAlive: true, hasFired: false, mergedInto: -1)
        if Int(number) == sessions.count { sessions.append(session) } else { sessions[Int(number)] = session }
        sessionsOfKey[Int(key)].append(number)
        schedule(number)
        return number
    }

    private func schedule(_ session: Int32) {
        nextOrder += 1
        sessions[Int(session)].order = nextOrder
        firing.push(Due(time: sessions[Int(session)].end.subtractingSaturating(1), order: nextOrder, session: session))
    }

    /// Adds the gathered rows to the contents, and merges what was merged.
    private func fold(_ rows: Batch) throws(MillstreamError) {
        defer {
            places.removeAll(keepingCapacity: true)
            targets.removeAll(keepingCapacity: true)
        }
        // What was there before the batch is merged first, in the order of the merges; rows then go where their session ended up.
        if !merges.isEmpty {
            try contents.merge(merges)
            for place in targets.indices {
                while sessions[Int(targets[place])].mergedInto >= 0 { targets[place] = sessions[Int(targets[place])].mergedInto }
            }
            for merge in merges { pool.giveBack(merge.from) }
            merges.removeAll(keepingCapacity: true)
        }
        guard !places.isEmpty else { return }
        let taken = places.count == rows.count ? rows : try rows.selecting(Selection(places)).compacted()
        try targets.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            if let base = list.baseAddress { try contents.add(taken, slots: base) }
        }
    }

    private func emitLate(_ rows: Batch, _ output: any Output) throws(MillstreamError) {
        guard let metrics = context?.metrics else { return }
        metrics.lateRecords.add(rows.count)
        guard let lateOutput else { return metrics.lateRecordsDropped.add(rows.count) }
        var late = try rows.compacted()
        late.columns = Array(late.columns.prefix(late.schema.fields.count))
        late.keyHashes = nil
        try output.emit(late, to: lateOutput)
    }

    private func emit(_ list: [Int32], _ output: any Output) throws(MillstreamError) {
        let frames = WindowFrames(
            slots: list, keys: try keys.keys(list.map { sessions[Int($0)].key }), starts: list.map { sessions[Int($0)].start },
            ends: list.map { sessions[Int($0)].end }, watermark: watermark)
        try contents.emit(frames, output: output)
    }

    // MARK: Time

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

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        if let rest { return try assign(rest.rows, from: rest.next, now: rest.now, output) }
        return try fire(output)
    }

    private func fire(_ output: any Output) throws(MillstreamError) -> Progress {
        while true {
            var due: [Int32] = []
            while due.count < Self.chunkRowCount, let first = firing.first, first.time <= watermark.milliseconds {
                firing.popFirst()
                let session = sessions[Int(first.session)]
                guard session.isAlive, !session.hasFired, session.order == first.order else { continue }
                sessions[Int(first.session)].hasFired = true
                due.append(first.session)
                cleaning.push(Due(time: first.time.addingSaturating(lateness), order: first.order, session: first.session))
            }
            if due.isEmpty { break }
            try emit(due, output)
            if lateness == 0 { cleanUp() }
            if output.isFull { return .more }
        }
        cleanUp()
        if !isEventTime { requestWakeUp() }
        return .done
    }

    /// Forgets the sessions whose lateness has passed.
    private func cleanUp() {
        var gone: [Int32] = []
        var touched: [Int32] = []
        while let first = cleaning.first, first.time <= watermark.milliseconds {
            cleaning.popFirst()
            let session = sessions[Int(first.session)]
            guard session.isAlive, session.end.subtractingSaturating(1).addingSaturating(lateness) == first.time else { continue }
            sessions[Int(first.session)].isAlive = false
            sessionsOfKey[Int(session.key)].removeAll { $0 == first.session }
            gone.append(first.session)
            touched.append(session.key)
        }
        guard !gone.isEmpty else { return }
        gone.withUnsafeBufferPointer { if let base = $0.baseAddress { contents.remove(base, count: gone.count) } }
        for session in gone { pool.giveBack(session) }
        forgetEmptyKeys(touched)
    }

    private func forgetEmptyKeys(_ touched: [Int32]) {
        guard !touched.isEmpty else { return }
        var empty = touched.filter { sessionsOfKey[Int($0)].isEmpty }.sorted()
        empty = empty.enumerated().filter { $0.offset == 0 || empty[$0.offset - 1] != $0.element }.map(\.element)
        keys.erase(empty)
    }

    // MARK: Checkpoints

    private static let part = "window/contents"
    private var stateFields: [Field] {
        let time = DataType(.timestampLTZ(3), isNullable: false)
        return [Field("window_start", time), Field("window_end", time), Field("order", DataType.bigInt.notNull), Field("has_fired", DataType.tinyInt.notNull)]
            + contents.stateFields
    }

    func declaredParts() -> [DeclaredPart] { [DeclaredPart(Self.part, stateFields)] }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        guard let context else { return }
        try FormerWatermarks.write(watermark, context.keyGroups, to: writer)
        // The sessions of a key in the order in which they came: the first one that a row touches takes the others in. Elements come in theirs, across the key's
        // sessions, because one that a later row merges lists them so.
        var live: [Int32] = []
        for key in keys.table.liveSlots() where Int(key) < sessionsOfKey.count { live += sessionsOfKey[Int(key)] }
        guard !live.isEmpty else { return }
        let held = try contents.rows(of: live, ofKeys: live.map { sessions[Int($0)].key })
        let numbers = held.parents?.map { live[Int($0)] } ?? live
        let time = DataType(.timestampLTZ(3), isNullable: false)
        var part = KeyedPart(Self.part, fields: stateFields)
        try part.add(
            numbers.map { sessions[Int($0)].key }, of: keys.table,
            [
                Column.int64s(numbers.map { sessions[Int($0)].start }).retyped(time), Column.int64s(numbers.map { sessions[Int($0)].end }).retyped(time),
                .int64s(numbers.map { sessions[Int($0)].order }),
                Column(
                    type: DataType.tinyInt.notNull, count: numbers.count, values: Buffer.copying(numbers.map { Int8(sessions[Int($0)].hasFired ? 1 : 0) })),
            ] + held.columns)
        try part.write(maxParallelism: context.maxParallelism, to: writer)
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        guard let context else { return }
        watermark = try FormerWatermarks(reader).least(context.keyGroups)
        guard let rows = try RestoredPart(reader, Self.part, keyTypes: keys.table.types, fields: stateFields) else { return }
        let keySlots = try rows.slots(in: keys.table)
        let (starts, ends, orders) = (rows.int64s(0), rows.int64s(1), rows.int64s(2))
        let fired = rows.columns[3].pointer(as: Int8.self)
        sessionsOfKey = Array(repeating: [], count: keys.table.slotEnd)
        var known: [KeyedStart: Int32] = [:]
        var slots: [Int32] = []
        slots.reserveCapacity(rows.count)
        for row in 0..<rows.count {
            let key = keySlots[row]
            // No two sessions of a key begin together.
            if contents.isOfElements, let session = known[KeyedStart(key: key, start: starts[row])] {
                slots.append(session)
                continue
            }
            let number = pool.take()
            if contents.isOfElements { known[KeyedStart(key: key, start: starts[row])] = number }
            sessions.append(
                Session(
                    key: key, start: starts[row], end: ends[row], isAlive: true, hasFired: fired[row] != 0, order: orders[row], mergedInto: -1))
            sessionsOfKey[Int(key)].append(number)
            slots.append(number)
        }
        try contents.restore(Array(rows.columns[4...]), slots: slots)
        for number in sessions.indices.sorted(by: { (sessions[$0].order, $0) < (sessions[$1].order, $1) }) {
            let session = Int32(truncatingIfNeeded: number)
            guard sessions[number].hasFired else {
                schedule(session)
                continue
            }
            nextOrder += 1
            let last = sessions[number].end.subtractingSaturating(1)
            cleaning.push(Due(time: last.addingSaturating(lateness), order: nextOrder, session: session))
        }
        if !isEventTime { requestWakeUp() }
    }

    private func requestWakeUp() {
        if let first = firing.first { context?.wakeUp(at: ProcessingTime(milliseconds: first.time)) }
    }

    func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if !isEventTime { context?.metrics.timersDropped.add(sessionsOfKey.reduce(0) { $0 + $1.count }) }
        return .done
    }
}
