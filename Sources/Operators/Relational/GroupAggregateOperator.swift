import Columnar
import Dataflow
import Plan
import State

/// GROUP BY over a changelog. What it emits, row by row, is what Flink's GroupAggFunction does; with a mini-batch, its MiniBatchGroupAggFunction.
///
/// A batch is taken column by column: first the slots of its keys, then what each row means for the life of its group, then each aggregate over all rows, with its result
/// behind each of them. The results before the batch and those behind its rows are candidates, and each row of the output is one of these.
final class GroupAggregateOperator: GatheringOperator, StateDeclaring {
    private let description: GroupAggregateDescription
    private let schema: Schema
    private let isBatch: Bool
    private let groups: GroupKeys
    private let aggregates: AggregateSet
    private let local = LocalSlots()
    private var context: OperatorContext?
    /// By slot: how many rows a group has. Where nothing is retracted it stays at the first.
    private var rowCounts = WindowSlots<Int64>(empty: 0)
    /// By slot: when its last row came; only with a time to live.
    private var lastAccess = WindowSlots<Int64>(empty: .min)
    private var sweepPlace = 0
    private var steps = SlotArray<UInt8>(fill: 0)
    private var actions = SlotArray<Action>(fill: .none)
    /// Groups that may be gone at the end of the batch.
    private var ended: [Int32] = []
    /// In BATCH mode, once the input has ended: the next slot that comes out.
    private var nextResult: Int?

    private enum Action: UInt8 { case none, insert, update, delete }
    private static let chunkRowCount = 4_096

    init(_ description: GroupAggregateDescription, input: [DataType], output: Schema, isBatch: Bool, hostObjects: HostObjects?)
        throws(MillstreamError)
    {
        self.description = description
        self.isBatch = isBatch
        schema = output
        groups = try GroupKeys(description.keys, input: input, hostObjects: hostObjects)
        aggregates = try AggregateSet(description.aggregates, input: input, retracts: description.inputRetracts)
        guard output.fields.count == description.keys.count + description.aggregates.count else {
            throw MillstreamError(
                .plan,
                "the aggregation gives \(description.keys.count + description.aggregates.count) columns, and its schema has \(output.fields.count)")
        }
    }

    func open(_ context: OperatorContext) throws(MillstreamError) { self.context = context }

    var gathering: Gathering? {
        guard let size = description.miniBatchSize, !isBatch else { return nil }
        return Gathering(rowCountMax: max(1, size), byteCountMax: 1 << 24)
    }

    // MARK: Rows

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        let batch = try batch.compacted()
        let places = Buffer(byteCount: 4 * batch.count)
        let slots = places.pointer(as: Int32.self)
        try groups.look(up: batch, into: slots)
        let end = groups.table.slotEnd
        aggregates.reserve(end)
        rowCounts.reserve(end)
        ended.removeAll(keepingCapacity: true)
        ended.append(contentsOf: groups.table.newSlots)
        try expire(slots, batch.count)
        if isBatch {
            live(batch, slots, notes: false)
            try aggregates.update(batch.columns, slots: slots, steps: stepsOrNil, count: batch.count)
        } else if description.miniBatchSize != nil {
            try emitGroups(batch, slots, output)
        } else {
            try emitRows(batch, slots, output)
        }
        withExtendedLifetime(places) {}
        eraseEnded()
        return .done
    }

    private var stepsOrNil: UnsafePointer<UInt8>? { description.inputRetracts ? UnsafePointer(steps.base) : nil }

    /// What each row does to its group (`steps`), and what becomes of the group's row in the output (`actions`, with `notes`). A retraction of a group that is not there is
    /// dropped and counted.
    private func live(_ batch: Batch, _ slots: UnsafePointer<Int32>, notes: Bool) {
        let counts = rowCounts.base
        if notes { actions.reserve(batch.count) }
        guard description.inputRetracts else {
            for row in 0..<batch.count {
                let slot = Int(slots[row])
                if notes { actions[row] = counts[slot] == 0 ? .insert : .update }
                counts[slot] = 1
            }
            return
        }
        steps.reserve(batch.count)
        let kinds = batch.rowKinds.map { UnsafePointer($0.pointer(as: Int8.self)) }
        var dropped = 0
        for row in 0..<batch.count {
            let slot = Int(slots[row])
            let kind = kinds?[row] ?? 0
            var step = Step.add
            var action = Action.update
            if kind == RowKind.updateBefore.rawValue || kind == RowKind.delete.rawValue {
                step = Step.retract
                switch counts[slot] {
                case 0:
                    step = Step.skip
                    action = .none
                    dropped += 1
                case 1:
                    action = .delete
                    ended.append(slots[row])
                    counts[slot] = 0
                default: counts[slot] &-= 1
                }
            } else {
                if counts[slot] == 0 {
                    step = Step.add | Step.reset
                    action = .insert
                }
                counts[slot] &+= 1
            }
            steps[row] = step
            if notes { actions[row] = action }
        }
        if dropped > 0 { context?.metrics.retractionsDropped.add(dropped) }
        withExtendedLifetime(batch) {}
    }

    /// Each row's change of its group's result.
    private func emitRows(_ batch: Batch, _ slots: UnsafePointer<Int32>, _ output: any Output) throws(MillstreamError) {
        let count = batch.count
        local.assign(slots, count: count)
        let numbers = local.rows.pointer(as: Int32.self)
        let held = local.slots.count
        let old = try aggregates.results(local.slots)
        live(batch, slots, notes: true)
        let new = try aggregates.run(batch.columns, slots: slots, steps: stepsOrNil, count: count)
        let candidates = try concat(old, new)
        // Where each group's result is among the candidates, and for each row the one before it.
        var places = (0..<Int32(truncatingIfNeeded: held)).map { $0 }
        let before = Buffer(byteCount: 4 * count), behind = Buffer(byteCount: 4 * count)
        let (left, right) = (before.pointer(as: Int32.self), behind.pointer(as: Int32.self))
        places.withUnsafeMutableBufferPointer { places in
            for row in 0..<count {
                let place = Int32(truncatingIfNeeded: held + row)
                left[row] = places[Int(numbers[row])]
                right[row] = place
                if actions[row] != .none { places[Int(numbers[row])] = place }
            }
        }
        withExtendedLifetime(local.rows) {}
        let equal = try equalPlaces(candidates, left, right, count)
        var changes = Changes(capacity: 2 * count)
        let emitsBefore = description.emitsUpdateBefore
        for row in 0..<count {
            switch actions[row] {
            case .none: break
            case .insert: changes.append(row, right[row], .insert)
            case .delete: changes.append(row, left[row], .delete)
            case .update:
                if let equal, equal.pointer(as: Bool.self)[row] { break }
                if emitsBefore { changes.append(row, left[row], .updateBefore) }
                changes.append(row, right[row], .updateAfter)
            }
        }
        withExtendedLifetime((before, behind)) {}
        try emit(&changes, groups.positions.map { batch.columns[$0] }, candidates, output)
    }

    /// One change for each group of the batch.
    private func emitGroups(_ batch: Batch, _ slots: UnsafePointer<Int32>, _ output: any Output) throws(MillstreamError) {
        local.assign(slots, count: batch.count)
        let own = local.slots
        let wasThere = own.map { rowCounts.base[Int($0)] != 0 }
        let old = try aggregates.results(own)
        live(batch, slots, notes: false)
        try aggregates.update(batch.columns, slots: slots, steps: stepsOrNil, count: batch.count)
        let new = try aggregates.results(own)
        let candidates = try concat(old, new)
        let count = own.count
        let before = Buffer(byteCount: 4 * count), behind = Buffer(byteCount: 4 * count)
        let (left, right) = (before.pointer(as: Int32.self), behind.pointer(as: Int32.self))
        for number in 0..<count {
            left[number] = Int32(truncatingIfNeeded: number)
            right[number] = Int32(truncatingIfNeeded: count + number)
        }
        let equal = try equalPlaces(candidates, left, right, count)
        var firsts = [Int32](repeating: -1, count: count)
        let numbers = local.rows.pointer(as: Int32.self)
        for row in 0..<batch.count where firsts[Int(numbers[row])] < 0 { firsts[Int(numbers[row])] = Int32(truncatingIfNeeded: row) }
        withExtendedLifetime((before, behind, local.rows)) {}
        var changes = Changes(capacity: 2 * count)
        for number in 0..<count {
            let isThere = rowCounts.base[Int(own[number])] != 0
            let row = Int(firsts[number])
            switch (wasThere[number], isThere) {
            case (false, false): break
            case (false, true): changes.append(row, right[number], .insert)
            case (true, false): changes.append(row, left[number], .delete)
            case (true, true):
                if let equal, equal.pointer(as: Bool.self)[number] { break }
                if description.emitsUpdateBefore { changes.append(row, left[number], .updateBefore) }
                changes.append(row, right[number], .updateAfter)
            }
        }
        try emit(&changes, groups.positions.map { batch.columns[$0] }, candidates, output)
    }

    private func concat(_ old: [Column], _ new: [Column]) throws(MillstreamError) -> [Column] {
        var columns: [Column] = []
        for (before, behind) in zip(old, new) { columns.append(try Column.concat([before, behind])) }
        return columns
    }

    /// Whether the two results are the same, for each pair; nil where that does not matter.
    private func equalPlaces(
        _ candidates: [Column], _ left: UnsafePointer<Int32>, _ right: UnsafePointer<Int32>, _ count: Int
    ) throws(MillstreamError) -> Buffer? {
        if aggregates.alwaysChanges || description.timeToLiveMilliseconds != nil { return nil }
        let equal = Buffer(byteCount: count)
        let flags = equal.pointer(as: Bool.self)
        if candidates.isEmpty {
            flags.update(repeating: true, count: count)
        } else {
            try equalRows(candidates, left, candidates, right, count: count, into: flags)
        }
        return equal
    }

    /// Rows of the output: which row their key is of, and which candidate their result is.
    private struct Changes {
        var rows: [Int32] = []
        var places: [Int32] = []
        var kinds: [Int8] = []

        init(capacity: Int) {
            rows.reserveCapacity(capacity)
            places.reserveCapacity(capacity)
            kinds.reserveCapacity(capacity)
        }

        @inline(__always)
        mutating func append(_ row: Int, _ place: Int32, _ kind: RowKind) {
            rows.append(Int32(truncatingIfNeeded: row))
            places.append(place)
            kinds.append(kind.rawValue)
        }
    }

    private func emit(_ changes: inout Changes, _ keys: [Column], _ candidates: [Column], _ output: any Output) throws(MillstreamError) {
        guard !changes.rows.isEmpty else { return }
        var columns: [Column] = []
        let rows = Selection(changes.rows)
        for key in keys { columns.append(try key.taking(rows)) }
        let places = Selection(changes.places)
        for candidate in candidates { columns.append(try candidate.taking(places)) }
        for position in columns.indices { columns[position] = columns[position].fitted(to: schema.fields[position].type) }
        let count = changes.rows.count
        let kinds = Column(type: DataType.tinyInt.notNull, count: count, values: Buffer.copying(changes.kinds))
        try output.emit(Batch(schema: schema, columns: columns, count: count, rowKinds: kinds))
    }

    private func eraseEnded() {
        var gone: [Int32] = []
        for slot in ended where rowCounts.base[Int(slot)] == 0 { gone.append(slot) }
        erase(gone)
    }

    private func erase(_ slots: [Int32]) {
        guard !slots.isEmpty else { return }
        // A group may have ended several times.
        var gone: [Int32] = []
        for slot in slots where rowCounts.base[Int(slot)] != .min {
            rowCounts.base[Int(slot)] = .min
            gone.append(slot)
        }
        aggregates.clear(gone)
        groups.erase(gone)
        for slot in gone { rowCounts.base[Int(slot)] = 0 }
    }

    // MARK: Time to live

    /// Groups whose time is over are as if they had not been; and some others are looked at too, so that all of them go in time.
    private func expire(_ slots: UnsafePointer<Int32>, _ count: Int) throws(MillstreamError) {
        guard let timeToLive = description.timeToLiveMilliseconds, let context else { return }
        let now = context.clock.now().milliseconds
        lastAccess.reserve(groups.table.slotEnd)
        let times = lastAccess.base
        var expired: [Int32] = []
        for slot in groups.table.newSlots { times[Int(slot)] = now }
        for row in 0..<count {
            let slot = Int(slots[row])
            if rowCounts.base[slot] != 0, times[slot].addingSaturating(timeToLive) <= now {
                rowCounts.base[slot] = 0
                expired.append(slots[row])
                ended.append(slots[row])
            }
            times[slot] = now
        }
        var stale: [Int32] = []
        let end = groups.table.slotEnd
        for _ in 0..<min(end, 2 * count) {
            if sweepPlace >= end { sweepPlace = 0 }
            if groups.table.isLive(sweepPlace), rowCounts.base[sweepPlace] != 0, times[sweepPlace].addingSaturating(timeToLive) <= now {
                stale.append(Int32(truncatingIfNeeded: sweepPlace))
            }
            sweepPlace += 1
        }
        aggregates.clear(expired)
        erase(stale)
    }

    // MARK: BATCH mode

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        guard isBatch, watermark == .max, nextResult == nil else { return .done }
        if groups.positions.isEmpty, groups.table.count == 0 {
            // A global aggregate of no rows.
            let slot = Buffer(byteCount: 4)
            try groups.look(up: Batch(schema: Schema([]), columns: [], count: 1), into: slot.pointer(as: Int32.self))
            aggregates.reserve(groups.table.slotEnd)
            rowCounts.reserve(groups.table.slotEnd)
        }
        nextResult = 0
        return try emitResults(output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress { try emitResults(output) }

    private func emitResults(_ output: any Output) throws(MillstreamError) -> Progress {
        while let start = nextResult, start < groups.table.slotEnd {
            let end = min(start + Self.chunkRowCount, groups.table.slotEnd)
            nextResult = end
            let slots = (start..<end).filter { groups.table.isLive($0) }.map { Int32(truncatingIfNeeded: $0) }
            guard !slots.isEmpty else { continue }
            var columns = try groups.columns(slots) + aggregates.results(slots)
            for position in columns.indices { columns[position] = columns[position].fitted(to: schema.fields[position].type) }
            try output.emit(Batch(schema: schema, columns: columns, count: slots.count))
            if output.isFull, end < groups.table.slotEnd { return .more }
        }
        return .done
    }

    // MARK: Checkpoints

    private static let part = "group/aggregates"
    private static let rowCountField = Field("row_count", DataType.bigInt.notNull)
    private static let lastAccessField = Field("last_access", DataType.bigInt.notNull)

    private var fields: [Field] {
        (description.inputRetracts ? [Self.rowCountField] : []) + (description.timeToLiveMilliseconds == nil ? [] : [Self.lastAccessField])
            + aggregates.stateFields
    }

    func declaredParts() throws(MillstreamError) -> [DeclaredPart] {
        [DeclaredPart(Self.part, fields)]
    }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        guard let context else { return }
        var slots = groups.table.liveSlots()
        if let nextResult { slots.removeAll { Int($0) < nextResult } }
        guard !slots.isEmpty else { return }
        var columns: [Column] = []
        if description.inputRetracts { columns.append(.int64s(slots.map { rowCounts.base[Int($0)] })) }
        if description.timeToLiveMilliseconds != nil { columns.append(.int64s(slots.map { lastAccess.base[Int($0)] })) }
        var part = KeyedPart(Self.part, fields: fields)
        try part.add(slots, of: groups.table, columns + aggregates.state(slots))
        try part.write(maxParallelism: context.maxParallelism, to: writer)
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        groups.table.reserve(reader.rowCount(Self.part))
        try RestoredPart.forEachBlock(reader, Self.part, keyTypes: groups.types, fields: fields) { (rows) throws(MillstreamError) in
            let slots = try rows.slots(in: groups.table)
            aggregates.reserve(groups.table.slotEnd)
            rowCounts.reserve(groups.table.slotEnd)
            var next = 0
            if description.inputRetracts { next += 1 }
            for (row, slot) in slots.enumerated() {
                rowCounts.base[Int(slot)] = description.inputRetracts ? rows.columns[0].pointer(as: Int64.self)[row] : 1
            }
            if description.timeToLiveMilliseconds != nil {
                lastAccess.reserve(groups.table.slotEnd)
                for (row, slot) in slots.enumerated() { lastAccess.base[Int(slot)] = rows.columns[next].pointer(as: Int64.self)[row] }
                next += 1
            }
            try aggregates.restore(Array(rows.columns[next...]), slots: slots)
        }
    }
}
