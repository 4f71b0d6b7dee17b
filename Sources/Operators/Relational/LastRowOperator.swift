import Columnar
import Dataflow
import Plan
import State

/// The last row of each key, as a changelog: deduplication that keeps the last row, and the changelog of an upsert stream.
final class LastRowOperator: Operator, StateDeclaring {
    enum Mode {
        /// Inserts; a row that says nothing new gives nothing, unless keys are forgotten: then readers must hear that it is still there.
        case processingTime
        /// Inserts; a row takes the place of one that is not later.
        case eventTime(TimeColumn)
        /// Rows come and go by their key.
        case changelog
    }

    private let mode: Mode
    private let schema: Schema
    private let isBatch: Bool
    private let generatesUpdateBefore: Bool
    private let generatesInsert: Bool
    private let part: String
    private let keys: TableKeys
    private let slots: RowSlots
    /// The row of each key.
    private var current = SlotArray<Int32>(fill: -1)
    /// Event times by row.
    private var times = SlotArray<Int64>(fill: 0)
    private var ages: RowAges
    private let forgets: Bool
    private var context: OperatorContext?
    private var result = RankResult()
    private var final: (keys: [Int32], next: Int)?
    private var rowsBefore: Int64 = 0

    init(_ description: DeduplicateDescription, input: Schema, isBatch: Bool, hostObjects: HostObjects?) throws(MillstreamError) {
        switch description.order {
        case .processingTime: mode = .processingTime
        case .eventTime(let column): mode = .eventTime(try TimeColumn(column, input))
        }
        schema = input
        self.isBatch = isBatch
        generatesUpdateBefore = description.generatesUpdateBefore
        generatesInsert = description.generatesInsert
        part = "deduplicate/rows"
        keys = try TableKeys(inputs: [input], positions: [description.keys], hostObjects: hostObjects)
        slots = RowSlots(types: input.types, hostObjects: hostObjects)
        forgets = (description.timeToLive ?? 0) > 0 && !isBatch
        ages = RowAges(timeToLive: description.timeToLive ?? 0)
    }

    init(_ description: ChangelogNormalizeDescription, input: Schema, hostObjects: HostObjects?) throws(MillstreamError) {
        mode = .changelog
        schema = input
        isBatch = false
        generatesUpdateBefore = description.generatesUpdateBefore
        generatesInsert = true
        part = "changelog-normalize/rows"
        keys = try TableKeys(inputs: [input], positions: [description.keys], hostObjects: hostObjects)
        slots = RowSlots(types: input.types, hostObjects: hostObjects)
        forgets = (description.timeToLive ?? 0) > 0
        ages = RowAges(timeToLive: description.timeToLive ?? 0)
    }

    func open(_ context: OperatorContext) { self.context = context }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        slots.settle()
        let batch = try batch.compacted()
        let columns = batch.fields
        let found = try keys.slots(batch)
        let now = ages.now(context?.clock.now().milliseconds ?? 0)
        if forgets { expire(now, found) }
        var isChangelog = false
        if case .changelog = mode { isChangelog = true }
        let kinds = isChangelog ? batch.kinds() : [Int8](repeating: 0, count: batch.count)
        var rowTimes: [Int64] = []
        if case .eventTime(let column) = mode { rowTimes = try column.milliseconds(batch, rowsBefore: rowsBefore) }
        rowsBefore += Int64(batch.count)
        current.reserve(Int(found.max() ?? 0) + 1)
        let coming = (0..<Int32(truncatingIfNeeded: batch.count)).filter { !RowKind.isRetraction(kinds[Int($0)]) }
        let given = try slots.add(columns, rows: coming.count == batch.count ? nil : coming, count: batch.count)
        let comparer = try RowComparer(slots.store, columns)
        var place = 0
        var hasGone = false
        for row in 0..<batch.count {
            let key = found[row]
            let old = current[Int(key)]
            if RowKind.isRetraction(kinds[row]) {
                guard old >= 0 else { continue }
                // Also for -U: nobody knows whether +U follows.
                result.add(old, .delete)
                slots.release(old)
                current[Int(key)] = -1
                hasGone = true
                if forgets { ages.remove(key) }
                continue
            }
            let new = given[place]
            place += 1
            if try !takes(row, old, comparer, rowTimes) {
                slots.release(new)
                continue
            }
            if !rowTimes.isEmpty {
                times.reserve(Int(new) + 1)
                times[Int(new)] = rowTimes[row]
            }
            if !isBatch { name(old, new) }
            if old >= 0 { slots.release(old) }
            current[Int(key)] = new
            if forgets { if old >= 0 { ages.touch(key, at: now) } else { ages.add(key, at: now) } }
        }
        if hasGone || isChangelog { keys.erase(found) { current[Int($0)] >= 0 } }
        return try resume(output: output)
    }

    /// Whether a row becomes that of its key.
    private func takes(_ row: Int, _ old: Int32, _ comparer: RowComparer, _ rowTimes: [Int64]) throws(MillstreamError) -> Bool {
        guard old >= 0 else { return true }
        if !rowTimes.isEmpty { return times[Int(old)] <= rowTimes[row] }
        guard !forgets, generatesUpdateBefore || generatesInsert else { return true }
        return try !comparer.isEqual(row: row, slot: Int(old))
    }

    private func name(_ old: Int32, _ new: Int32) {
        guard generatesUpdateBefore || generatesInsert else { return result.add(new, .updateAfter) }
        if old < 0 { return result.add(new, .insert) }
        if generatesUpdateBefore { result.add(old, .updateBefore) }
        result.add(new, .updateAfter)
    }

    private func expire(_ now: Int64, _ found: [Int32]) {
        var forgotten: [Int32] = []
        while let key = ages.due(now) {
            ages.remove(key)
            slots.release(current[Int(key)])
            current[Int(key)] = -1
            forgotten.append(key)
        }
        guard !forgotten.isEmpty else { return }
        slots.settle()
        let used = Set(found)
        keys.erase(forgotten) { used.contains($0) }
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        while true {
            guard try result.emit(slots, schema, outputsRank: false, output) else { return .more }
            guard let (list, next) = final, next < list.count else { return .done }
            if next > 0, output.isFull { return .more }
            let end = min(next + 4096, list.count)
            for key in list[next..<end] where current[Int(key)] >= 0 { result.add(current[Int(key)], .insert) }
            final?.next = end
        }
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        guard isBatch, watermark == .max, final == nil else { return .done }
        final = (keys.table.liveSlots(), 0)
        return try resume(output: output)
    }

    // MARK: Checkpoints

    private var stateFields: [Field] {
        schema.fields.map { Field("record.\($0.name)", $0.type.nullable) } + (forgets ? [Field("last_access", DataType.bigInt.notNull)] : [])
    }

    func declaredParts() -> [DeclaredPart] { [DeclaredPart(part, stateFields)] }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        if isBatch { throw .noCheckpointInBatchMode }
        guard let context else { return }
        let owners = keys.table.liveSlots().filter { Int($0) < current.capacity && current[Int($0)] >= 0 }
        guard !owners.isEmpty else { return }
        var columns = try slots.gather(owners.map { current[Int($0)] })
        if forgets { columns.append(.int64s(owners.map { ages.time($0) })) }
        var part = KeyedPart(part, fields: stateFields)
        try part.add(owners, of: keys.table, columns)
        try part.write(maxParallelism: context.maxParallelism, to: writer)
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        var aged: [(key: Int32, time: Int64)] = []
        try RestoredPart.forEachBlock(reader, part, keyTypes: keys.table.types, fields: stateFields) { (part) throws(MillstreamError) in
            let owners = try part.slots(in: keys.table)
            let columns = Array(part.columns.prefix(schema.fields.count))
            let given = try slots.add(columns, count: part.count)
            var rowTimes: [Int64] = []
            if case .eventTime(let column) = mode { rowTimes = try column.milliseconds(Batch(schema: schema, columns: columns, count: part.count)) }
            let accesses = forgets ? part.int64s(schema.fields.count) : []
            current.reserve(Int(owners.max() ?? 0) + 1)
            for row in 0..<part.count {
                current[Int(owners[row])] = given[row]
                if !rowTimes.isEmpty {
                    times.reserve(Int(given[row]) + 1)
                    times[Int(given[row])] = rowTimes[row]
                }
                if forgets { aged.append((owners[row], accesses[row])) }
            }
        }
        for (key, time) in aged.sorted(by: { $0.time < $1.time }) { ages.add(key, at: time) }
    }
}

extension MillstreamError {
    static var noCheckpointInBatchMode: MillstreamError {
        MillstreamError(
            .unsupported, "in BATCH mode rows wait for the end of the input, and no checkpoint has them", hint: "Use STREAMING mode for checkpoints.")
    }
}
