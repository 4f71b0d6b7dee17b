import Columnar
import Dataflow

/// A part of a checkpoint that belongs to no state of the job: it is kept, and written again.
struct CarriedPart {
    let name: String
    let keyGroup: KeyGroup?
    let batch: Batch
}

extension KeyedState {
    static let partPrefix = "keyed/"

    /// How the states lie in a checkpoint: the columns behind those of the key.
    static func fields(_ kind: StateCells.Kind) -> [String] {
        switch kind {
        case .value: ["value"]
        case .list: ["element"]
        case .map: ["map_key", "map_value"]
        }
    }

    // MARK: Writing

    /// Writes everything: the states and timers of keys as `keyed/…` and `timers/…`, operator state as `operator/…`. What a host may change in place, its
    /// values and keys, is copied now, the rest behind the barrier.
    public func snapshot(
        _ table: KeyTable?, maxParallelism: Int, checkpoint: CheckpointBarrier? = nil, into writer: any StateWriter
    ) throws(MillstreamError) {
        try operatorState.snapshot(hostObjects: hostObjects, into: writer)
        for part in carried { try writer.write(part.name, keyGroup: part.keyGroup, batch: part.batch) }
        let isStored = try checkpoint.map { (barrier) throws(MillstreamError) in try snapshotStore(barrier, into: writer) } ?? false
        guard let table, table.count > 0 else { return }
        let perKey = isStored ? [] : stores.indices.filter { isPerKey[$0] }
        let deferred = perKey.filter { canBeDeferred($0) }
        let hasTimers = eventTimers.count + processingTimers.count > 0
        let frozen = deferred.isEmpty && !hasTimers ? nil : table.freeze(maxParallelism: maxParallelism)
        let now = frozen == nil ? perKey : perKey.filter { !deferred.contains($0) }
        if !now.isEmpty {
            let live = table.liveSlots()
            for index in now { try write(index, live, table, maxParallelism, writer) }
        }
        if let frozen {
            let states = deferred.map { index in
                FrozenStates.State(Self.partPrefix + names[index], state: names[index], stores[index], types[index], Self.fields(stores[index].kind))
            }
            let timers = [("timers/event", eventTimers.timers()), ("timers/processing", processingTimers.timers())]
            try writer.write(FrozenStates(frozen, states, timers: timers))
        } else {
            try eventTimers.snapshot("timers/event", table, maxParallelism: maxParallelism, into: writer)
            try processingTimers.snapshot("timers/processing", table, maxParallelism: maxParallelism, into: writer)
        }
    }

    /// Whether the values are the state's own.
    private func canBeDeferred(_ index: Int) -> Bool {
        let own = StateColumns.stored(types[index].value).kind != .object
        return own && (stores[index].kind != .map || StateColumns.stored(types[index].key ?? .object).kind != .object)
    }

    private func write(
        _ index: Int, _ live: [Int32], _ table: KeyTable, _ maxParallelism: Int, _ writer: any StateWriter
    ) throws(MillstreamError) {
        let cells = stores[index], type = types[index], state = names[index]
        var slots: [Int32] = []
        var first: [StateValue] = []
        var second: [StateValue] = []
        switch cells.kind {
        case .value:
            slots.reserveCapacity(live.count)
            for slot in live where cells.isUsed(Int(slot)) { slots.append(slot) }
        case .list:
            for slot in live where cells.isUsed(Int(slot)) {
                for value in cells.lists[Int(slot)] {
                    slots.append(slot)
                    first.append(value)
                }
            }
        case .map:
            for slot in live where cells.isUsed(Int(slot)) {
                cells.maps[Int(slot)].forEach { key, value in
                    slots.append(slot)
                    first.append(key)
                    second.append(value)
                }
            }
        }
        guard !slots.isEmpty else { return }
        let order = table.keyGroupOrder(of: slots, maxParallelism: maxParallelism)
        var columns: [Column] = []
        switch cells.kind {
        case .value:
            let values = cells.values
            columns.append(
                try StateColumns.column(slots.count, type: type.value, state: state, hostObjects: hostObjects) { values[Int(order.slots[$0])] })
        case .list, .map:
            let firstType = cells.kind == .map ? type.key ?? .object : type.value
            columns.append(
                try StateColumns.column(slots.count, type: firstType, state: state, hostObjects: hostObjects) { first[Int(order.rows[$0])] })
            guard cells.kind == .map else { break }
            columns.append(
                try StateColumns.column(slots.count, type: type.value, state: state, hostObjects: hostObjects) { second[Int(order.rows[$0])] })
        }
        let fields = zip(Self.fields(cells.kind), columns).map { Field($0, $1.type) }
        try table.write(Self.partPrefix + state, order: order, fields: fields, columns: columns, to: writer)
    }

    // MARK: Reading

    /// Reads the states and timers of keys. `table` is made where there are keys and it is nil. Comes before the first request. States that are not declared
    /// are kept as they are, and written again.
    public func restoreKeys(from reader: any StateReader, table: inout KeyTable?) throws(MillstreamError) {
        try Self.checkTimeToLive(zip(names, isPerKey).compactMap { $1 ? $0 : nil }, parts: reader.names)
        for index in stores.indices where isPerKey[index] {
            let cells = stores[index]
            try reader.forEachBlock(
                Self.partPrefix + names[index], fields: Self.fields(cells.kind), table: &table, hostObjects: hostObjects,
                rowCountMax: isPaged ? StoredState.restoredRowCount : .max
            ) { (rows, table) throws(MillstreamError) in
                try enter(rows.slots, in: table)
                try fill(index, rows, slotEnd: table.slotEnd)
                guard let pager else { return }
                for slot in rows.slots { pager.change(Int(slot)) }
                try settle()
            }
        }
        try restoreTimers(eventTimers, "timers/event", reader, &table)
        try restoreTimers(processingTimers, "timers/processing", reader, &table)
        for part in reader.names where part.hasPrefix(Self.partPrefix) {
            let name = part.dropFirst(Self.partPrefix.utf8.count)
            guard !zip(names, isPerKey).contains(where: { $0.0 == name && $0.1 }) else { continue }
            for (group, batch) in try reader.batches(part) { carried.append(CarriedPart(name: part, keyGroup: group, batch: batch)) }
        }
        self.table = table
    }

    private func fill(_ index: Int, _ rows: RestoredRows, slotEnd: Int) throws(MillstreamError) {
        let cells = stores[index], type = types[index], state = names[index]
        cells.reserve(slotEnd)
        uses.reserve(slotEnd)
        guard cells.kind == .map else {
            let values = try StateColumns.values(rows.columns[0], declared: type.value, state: state)
            for (slot, value) in zip(rows.slots, values) {
                let place = Int(slot)
                if !cells.isUsed(place) { uses[place] += 1 }
                if cells.kind == .list { cells.lists[place].append(value) } else { discard(exchange(&cells.values[place], value)) }
            }
            return releaseGarbage()
        }
        let keys = try StateColumns.values(rows.columns[0], declared: type.key ?? .object, state: state)
        let values: [StateValue]
        do throws(MillstreamError) { values = try StateColumns.values(rows.columns[1], declared: type.value, state: state) } catch {
            for key in keys { discard(key) }
            throw error
        }
        for row in rows.slots.indices {
            let place = Int(rows.slots[row])
            if !cells.isUsed(place) { uses[place] += 1 }
            do throws(MillstreamError) { try put(keys[row], values[row], into: &cells.maps[place]) } catch {
                for value in keys[(row + 1)...] + values[(row + 1)...] { discard(value) }
                releaseGarbage()
                throw error
            }
        }
        releaseGarbage()
    }

    private func exchange(_ place: inout StateValue?, _ value: StateValue) -> StateValue? {
        let old = place
        place = value
        return old
    }

    private func restoreTimers(
        _ timers: TimerService, _ name: String, _ reader: any StateReader, _ table: inout KeyTable?
    ) throws(MillstreamError) {
        for slot in try timers.restore(name, from: reader, table: &table, hostObjects: hostObjects) {
            uses.reserve(Int(slot) + 1)
            uses[Int(slot)] += 1
        }
    }

    /// Reads the operator state of all the subtasks that the operator had, and keeps what falls to this one: what is in a state that is declared, now or
    /// while the function is opened, is found there then. Comes before the function is opened.
    public func restoreOperatorState(from reader: any StateReader, subtask: SubtaskIndex, parallelism: Int) throws(MillstreamError) {
        try operatorState.restore(from: reader, subtask: subtask, parallelism: parallelism) { (map, key, value) throws(MillstreamError) in
            try put(key, value, into: &map)
        }
        releaseGarbage()
    }
}

extension TimerService {
    /// Writes the timers as rows of key, `time` and `number`: the order of registration, which decides among equal times.
    func snapshot(_ name: String, _ table: KeyTable, maxParallelism: Int, into writer: any StateWriter) throws(MillstreamError) {
        let all = registered()
        guard !all.slots.isEmpty else { return }
        let order = table.keyGroupOrder(of: all.slots, maxParallelism: maxParallelism)
        let type = DataType.bigInt.notNull
        let columns = [all.times, all.numbers].map { numbers in
            let buffer = Buffer(byteCount: 8 * order.rows.count)
            let target = buffer.pointer(as: Int64.self)
            for (place, row) in order.rows.enumerated() { target[place] = numbers[Int(row)] }
            return Column(type: type, count: order.rows.count, values: buffer)
        }
        try table.write(name, order: order, fields: [Field("time", type), Field("number", type)], columns: columns, to: writer)
    }

    /// Registers the timers that `snapshot` wrote; the slots of those that were not there yet.
    func restore(_ name: String, from reader: any StateReader, table: inout KeyTable?, hostObjects: HostObjects?) throws(MillstreamError) -> [Int32] {
        var found: [(time: Int64, number: Int64, slot: Int32)] = []
        try reader.forEachBlock(name, fields: ["time", "number"], table: &table, hostObjects: hostObjects) { (rows, _) throws(MillstreamError) in
            guard rows.columns.allSatisfy({ $0.type.kind == .bigInt && $0.nullCount == 0 }) else {
                throw MillstreamError(.decode, "the timers of the checkpoint have columns of other types than BIGINT", domain: .external)
            }
            let times = rows.columns[0].pointer(as: Int64.self), numbers = rows.columns[1].pointer(as: Int64.self)
            for row in rows.slots.indices { found.append((times[row], numbers[row], rows.slots[row])) }
        }
        // Numbers of several former subtasks may be equal: then those of the first come first. (A stable order needs the place.)
        let order = found.indices.sorted {
            let (left, right) = (found[$0], found[$1])
            if left.time != right.time { return left.time < right.time }
            return left.number == right.number ? $0 < $1 : left.number < right.number
        }
        var slots: [Int32] = []
        for place in order where register(slot: Int(found[place].slot), at: found[place].time) { slots.append(found[place].slot) }
        return slots
    }
}
