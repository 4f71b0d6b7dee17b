import Columnar
import Dataflow
import Plan
import State

/// Deduplication that keeps the first row of each key: as rows come, or by event time, when the watermark has reached it. Gives inserts alone.
final class FirstRowOperator: Operator, StateDeclaring {
    private static let part = "deduplicate/first"

    private let schema: Schema
    private let times: TimeColumn?
    private let keys: TableKeys
    private let slots: RowSlots
    /// By key: the row that waits; 0: it has come out; -1: there was none.
    private var current = SlotArray<Int32>(fill: -1)
    private var rowTimes = SlotArray<Int64>(fill: 0)
    /// The order in which rows that wait came.
    private var rowNumbers = SlotArray<Int64>(fill: 0)
    /// Rows that wait, some of which have been replaced.
    private var heap = BinaryHeap<Waiting>()
    private var nextNumber: Int64 = 0
    private var watermark = Int64.min
    private var ages: RowAges
    private let forgets: Bool
    private var context: OperatorContext?
    private var result = RankResult()
    private var rowsBefore: Int64 = 0

    private struct Waiting: Comparable {
        let time: Int64
        let number: Int64
        let key: Int32
        let row: Int32

        static func < (left: Waiting, right: Waiting) -> Bool { left.time != right.time ? left.time < right.time : left.number < right.number }
    }

    init(_ description: DeduplicateDescription, input: Schema, hostObjects: HostObjects?) throws(MillstreamError) {
        schema = input
        if case .eventTime(let column) = description.order { times = try TimeColumn(column, input) } else { times = nil }
        keys = try TableKeys(inputs: [input], positions: [description.keys], hostObjects: hostObjects)
        slots = RowSlots(types: input.types, hostObjects: hostObjects)
        forgets = (description.timeToLive ?? 0) > 0
        ages = RowAges(timeToLive: description.timeToLive ?? 0)
    }

    func open(_ context: OperatorContext) { self.context = context }

    var nextEventTime: EventTime? { heap.first.map { EventTime(milliseconds: $0.time) } }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        slots.settle()
        let batch = try batch.compacted()
        let found = try keys.slots(batch)
        let now = ages.now(context?.clock.now().milliseconds ?? 0)
        if forgets { expire(now, found) }
        current.reserve(Int(found.max() ?? 0) + 1)
        if let times {
            try take(batch, found, try times.milliseconds(batch, rowsBefore: rowsBefore), now)
            rowsBefore += Int64(batch.count)
            return .done
        }
        var rows: [Int32] = []
        for (row, key) in found.enumerated() where current[Int(key)] < 0 {
            current[Int(key)] = 0
            rows.append(Int32(truncatingIfNeeded: row))
            if forgets { ages.add(key, at: now) }
        }
        if !rows.isEmpty {
            var result = rows.count == batch.count ? batch : batch.selecting(Selection(rows))
            result.rowKinds = nil
            try output.emit(result)
        }
        return .done
    }

    private func take(_ batch: Batch, _ found: [Int32], _ values: [Int64], _ now: Int64) throws(MillstreamError) {
        var coming: [Int32] = []
        var late = 0
        for (row, key) in found.enumerated() {
            if values[row] <= watermark { late += 1 } else if current[Int(key)] != 0 { coming.append(Int32(truncatingIfNeeded: row)) }
        }
        if late > 0 {
            context?.metrics.lateRecords.add(late)
            context?.metrics.lateRecordsDropped.add(late)
        }
        let given = try slots.add(batch.fields, rows: coming.count == batch.count ? nil : coming, count: batch.count)
        for (place, row) in coming.enumerated() {
            let (key, new, time) = (found[Int(row)], given[place], values[Int(row)])
            let old = current[Int(key)]
            if old > 0 {
                if rowTimes[Int(old)] <= time {
                    slots.release(new)
                    continue
                }
                slots.release(old)
            }
            rowTimes.reserve(Int(new) + 1)
            rowTimes[Int(new)] = time
            current[Int(key)] = new
            push(time, key, new)
            if forgets { if old > 0 { ages.touch(key, at: now) } else { ages.add(key, at: now) } }
        }
        keys.erase(found) { current[Int($0)] >= 0 }
    }

    private func push(_ time: Int64, _ key: Int32, _ row: Int32) {
        rowNumbers.reserve(Int(row) + 1)
        rowNumbers[Int(row)] = nextNumber
        heap.push(Waiting(time: time, number: nextNumber, key: key, row: row))
        nextNumber += 1
    }

    private func expire(_ now: Int64, _ found: [Int32]) {
        var forgotten: [Int32] = []
        while let key = ages.due(now) {
            ages.remove(key)
            if current[Int(key)] > 0 { slots.release(current[Int(key)]) }
            current[Int(key)] = -1
            forgotten.append(key)
        }
        guard !forgotten.isEmpty else { return }
        heap.removeAll { waiting in current[Int(waiting.key)] != waiting.row }
        slots.settle()
        let used = Set(found)
        keys.erase(forgotten) { used.contains($0) }
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        self.watermark = max(self.watermark, watermark.milliseconds)
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        while true {
            guard try result.emit(slots, schema, outputsRank: false, output) else { return .more }
            slots.settle()
            if let first = heap.first, first.time <= watermark {
                if output.isFull, result.count > 0 { return .more }
            } else {
                return .done
            }
            while result.count < 4096, let first = heap.first, first.time <= watermark {
                heap.popFirst()
                guard current[Int(first.key)] == first.row, rowNumbers[Int(first.row)] == first.number else { continue }
                result.add(first.row, .insert)
                slots.release(first.row)
                current[Int(first.key)] = 0
            }
        }
    }

    // MARK: Checkpoints

    private var stateFields: [Field] {
        [Field("is_emitted", DataType.tinyInt.notNull), Field("number", DataType.bigInt.notNull)]
            + (times == nil ? [] : schema.fields.map { Field("record.\($0.name)", $0.type.nullable) })
            + (forgets ? [Field("last_access", DataType.bigInt.notNull)] : [])
    }

    func declaredParts() -> [DeclaredPart] { [DeclaredPart(Self.part, stateFields)] }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        guard let context else { return }
        if times != nil { try FormerWatermarks.write(EventTime(milliseconds: watermark), context.keyGroups, to: writer) }
        let owners = keys.table.liveSlots().filter { Int($0) < current.capacity && current[Int($0)] >= 0 }
        guard !owners.isEmpty else { return }
        var columns: [Column] = [
            Column(type: DataType.tinyInt.notNull, count: owners.count, values: Buffer.copying(owners.map { Int8(current[Int($0)] == 0 ? 1 : 0) })),
            .int64s(owners.map { current[Int($0)] > 0 ? rowNumbers[Int(current[Int($0)])] : 0 }),
        ]
        if times != nil { columns += try slots.gather(owners.map { current[Int($0)] }) }
        if forgets { columns.append(.int64s(owners.map { ages.time($0) })) }
        var part = KeyedPart(Self.part, fields: stateFields)
        try part.add(owners, of: keys.table, columns)
        try part.write(maxParallelism: context.maxParallelism, to: writer)
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        if times != nil, let context { watermark = try FormerWatermarks(reader).least(context.keyGroups).milliseconds }
        var waiting: [Waiting] = []
        var aged: [(key: Int32, time: Int64)] = []
        try RestoredPart.forEachBlock(reader, Self.part, keyTypes: keys.table.types, fields: stateFields) { (part) throws(MillstreamError) in
            let owners = try part.slots(in: keys.table)
            current.reserve(Int(owners.max() ?? 0) + 1)
            let isEmitted = UnsafeBufferPointer(start: UnsafePointer(part.columns[0].pointer(as: Int8.self)), count: part.count).map { $0 != 0 }
            let numbers = part.int64s(1)
            for row in 0..<part.count where isEmitted[row] { current[Int(owners[row])] = 0 }
            if let times {
                let rows = (0..<Int32(truncatingIfNeeded: part.count)).filter { !isEmitted[Int($0)] }
                let columns = Array(part.columns[2..<2 + schema.fields.count])
                let given = try slots.add(columns, rows: rows, count: part.count)
                var taken: [Column] = []
                for column in columns { taken.append(try column.taking(Selection(rows))) }
                let values = try times.milliseconds(Batch(schema: schema, columns: taken, count: rows.count))
                for (place, row) in rows.enumerated() {
                    rowTimes.reserve(Int(given[place]) + 1)
                    rowTimes[Int(given[place])] = values[place]
                    current[Int(owners[Int(row)])] = given[place]
                    waiting.append(Waiting(time: values[place], number: numbers[Int(row)], key: owners[Int(row)], row: given[place]))
                }
            }
            if forgets { for (row, time) in part.int64s(stateFields.count - 1).enumerated() { aged.append((owners[row], time)) } }
        }
        // Numbers of several subtasks: those that are equal in the order of the file.
        for entry in waiting.sorted(by: { $0.number < $1.number }) {
            push(entry.time, entry.key, entry.row)
        }
        for (key, time) in aged.sorted(by: { $0.time < $1.time }) { ages.add(key, at: time) }
    }
}
