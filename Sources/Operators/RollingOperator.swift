import Columnar
import Dataflow
import Plan
import State

/// Rolling sum, min, max, minBy and maxBy of a column per key; emits the running value for each row.
///
/// As in Flink, sum, min and max keep the other fields of the key's first record, while minBy and maxBy give the whole record with the extreme value, the
/// first one where several have it. Integer sums wrap. Nulls do not count. In BATCH mode each key's last record comes out alone, when the input has ended.
final class RollingOperator: GatheringOperator, StateDeclaring {
    private let aggregate: RollingAggregate
    private let column: Int
    private let schema: Schema
    private var keyed: KeyedRows
    private let local = LocalSlots()
    /// The record that each key emitted last.
    private let records: RowStore
    /// Keeps them in a store; in STREAMING mode.
    private let paged: PagedRows?
    /// In BATCH mode.
    private let last: LastRows?
    private let hostObjects: HostObjects?
    private let stateFields: [Field]
    private let keyPositions: [Int]
    private var context: OperatorContext?

    init(
        _ aggregate: RollingAggregate, column: Int, keys: [Int], input: Schema, output: Schema, givesLastOnly: Bool = false, hostObjects: HostObjects?
    ) throws(MillstreamError) {
        guard column >= 0, column < input.fields.count else {
            throw MillstreamError(.plan, "there is no column \(column) to aggregate; the stream has \(input.fields.count)")
        }
        if aggregate == .sum, !input.fields[column].type.hasSum {
            throw MillstreamError(.plan, "sum does not apply to a column of type \(input.fields[column].type)")
        }
        self.aggregate = aggregate
        self.column = column
        self.hostObjects = hostObjects
        stateFields = input.fields.map { Field("record.\($0.name)", $0.type.nullable) }
        schema = output
        keyPositions = keys
        keyed = KeyedRows(keys: keys, hostObjects: hostObjects)
        records = RowStore(types: input.fields.map(\.type), hostObjects: hostObjects)
        last = givesLastOnly ? LastRows(records, schema: output) : nil
        paged = givesLastOnly ? nil : PagedRows(records, types: input.fields.map(\.type), part: Self.part, fields: stateFields)
    }

    func open(_ context: OperatorContext) throws(MillstreamError) {
        self.context = context
        try paged?.open(context)
    }

    func close() throws(MillstreamError) { paged?.close() }

    var gathering: Gathering? { paged?.gathering }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        let batch = try batch.compacted()
        let places = Buffer(byteCount: 4 * batch.count)
        let rows = places.pointer(as: Int32.self)
        _ = try keyed.look(up: batch, into: rows)
        if let paged, let table = keyed.table { try paged.enter(rows, count: batch.count, in: table) }
        if let columns = try runningSums(batch, rows) {
            withExtendedLifetime(places) {}
            try paged?.settle()
            return try emit(columns, batch, output)
        }
        local.assign(rows, count: batch.count)
        withExtendedLifetime(places) {}
        let numbers = Array(UnsafeBufferPointer(start: UnsafePointer(local.rows.pointer(as: Int32.self)), count: batch.count))
        // The keys' last records, then the batch's rows: every result is one of these, but for sums.
        let old = try local.slots.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
            guard let base = slots.baseAddress else { return [Column]() }
            return try records.gather(base, count: slots.count)
        }
        let known = local.slots.map { records.contains(Int($0)) }
        var candidates: [Column] = []
        for position in old.indices { candidates.append(try Column.concat([old[position], batch.columns[position]])) }

        let (firsts, extremes) = try choose(numbers, known, candidates[column])
        var columns: [Column] = []
        let others = Selection(aggregate == .minBy || aggregate == .maxBy ? extremes : firsts)
        for position in candidates.indices {
            if position != column {
                columns.append(try candidates[position].taking(others))
            } else if aggregate == .sum {
                columns.append(runningSum(candidates[column], numbers, keyCount: known.count))
            } else {
                columns.append(try candidates[column].taking(Selection(extremes)))
            }
        }
        try keep(columns, numbers)
        try paged?.settle()
        if let last {
            try last.note(local, results: nil)
            return .done
        }
        return try emit(columns, batch, output)
    }

    private func emit(_ columns: [Column], _ batch: Batch, _ output: any Output) throws(MillstreamError) -> Progress {
        let typed = columns.indices.map { columns[$0].retyped(batch.columns[$0].type) }
        try output.emit(Batch(schema: schema, columns: typed, count: batch.count, rowKinds: batch.rowKinds, timestamps: batch.timestamps))
        return .done
    }

    /// The common case in one pass: sums of numbers without nulls are added up in the keys' records, where they lie. Nil for what is not so.
    private func runningSums(_ batch: Batch, _ slots: UnsafePointer<Int32>) throws(MillstreamError) -> [Column]? {
        let values = batch.columns[column]
        guard aggregate == .sum, last == nil, records.isFlat, !values.mayHaveNulls, case .fixed = values.type.layout else { return nil }
        // What is behind the schema's columns, a key that a function computed, is no part of the record.
        let own = Array(batch.columns.prefix(stateFields.count))
        let sums = try records.addUp(column, of: own, slots: slots, count: batch.count)
        var columns: [Column] = []
        for position in own.indices {
            if position == column {
                columns.append(sums)
            } else if isKey(position, own[position].type) {
                columns.append(own[position])
            } else {
                columns.append(try records.gather(column: position, slots: slots, count: batch.count))
            }
        }
        return columns
    }

    /// Whether a column's value is the same in all rows of a key: equal numbers of floating point may differ in their sign.
    private func isKey(_ position: Int, _ type: DataType) -> Bool {
        guard keyPositions.contains(position), position != column else { return false }
        switch type.kind {
        case .float, .double: return false
        default:
            if case .fixed = type.layout { return true }
            return false
        }
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        watermark == .max ? try last?.emit(output) ?? .done : .done
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress { try last?.emit(output) ?? .done }

    private static let part = "rolling/records"

    func declaredParts() -> [DeclaredPart] { [DeclaredPart(Self.part, stateFields)] }
    func storedValues(of store: String) -> [String]? { store == Self.part ? paged?.valueTexts : nil }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        if let paged, !paged.isOff { return try paged.snapshot(checkpoint, into: writer) }
        guard let context, let table = keyed.table, last?.isEmitted != true else { return }
        try KeyedRecords(table, Self.part, stateFields, isOrdered: last != nil).write(records, maxParallelism: context.maxParallelism, to: writer)
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        if let paged, !paged.isOff { return keyed.restore(try paged.restore(from: reader, hostObjects: hostObjects)) }
        guard let table = try KeyedRecords.restore(Self.part, stateFields, isOrdered: last != nil, from: reader, hostObjects, into: records) else { return }
        keyed.restore(table)
        last?.restore(slotCount: table.slotEnd)
    }

    /// For each row the candidate that is its key's first record, and the one with the extreme value so far.
    private func choose(_ numbers: [Int32], _ known: [Bool], _ values: Column) throws(MillstreamError) -> (firsts: [Int32], extremes: [Int32]) {
        let search = ExtremeSearch(numbers: numbers, known: known, takesLeast: aggregate == .min || aggregate == .minBy)
        if aggregate == .sum { return search.run { _, _ in false } }
        switch (values.type.kind, values.type.layout) {
        case (.float, _): return search.run(values) { (left: Float, right: Float) in isLess(left, right) }
        case (.double, _): return search.run(values) { (left: Double, right: Double) in isLess(left, right) }
        case (_, .fixed(byteWidth: 1)): return search.run(values) { (left: Int8, right: Int8) in left < right }
        case (_, .fixed(byteWidth: 2)): return search.run(values) { (left: Int16, right: Int16) in left < right }
        case (_, .fixed(byteWidth: 4)): return search.run(values) { (left: Int32, right: Int32) in left < right }
        case (_, .fixed(byteWidth: 8)): return search.run(values) { (left: Int64, right: Int64) in left < right }
        default: return try search.run { (candidate, best) throws(MillstreamError) in try isBetter(values, candidate, than: best) }
        }
    }

    private func isBetter(_ values: Column, _ candidate: Int, than best: Int) throws(MillstreamError) -> Bool {
        if values.isNull(candidate) { return false }
        if values.isNull(best) { return true }
        let order = try values.compare(at: candidate, to: values, at: best, nullsFirst: true)
        return aggregate == .min || aggregate == .minBy ? order < 0 : order > 0
    }

    /// The last result of each key becomes its record, copied, so that no key keeps the memory of a batch.
    private func keep(_ columns: [Column], _ numbers: [Int32]) throws(MillstreamError) {
        var last = [Int32](repeating: 0, count: local.slots.count)
        for (row, number) in numbers.enumerated() { last[Int(number)] = Int32(truncatingIfNeeded: row) }
        let rows = Selection(last)
        var kept: [Column] = []
        for column in columns {
            switch column.type.layout {
            case .null, .bits, .fixed, .views, .handles: kept.append(try column.taking(rows))
            case .list, .row:
                // The store keeps nested columns as they are.
                let builder = try ColumnBuilder.make(for: column.type.nullable, hostObjects: column.hostObjects ?? hostObjects)
                for row in last { try builder.append(from: column, at: Int(row)) }
                kept.append(builder.finish())
            }
        }
        try local.slots.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
            if let base = slots.baseAddress { try records.set(kept, slots: base, count: slots.count) }
        }
    }
}

/// Goes through a batch's rows and keeps of each key the first candidate and the best one so far; candidates are the keys' records, then the rows.
private struct ExtremeSearch {
    let numbers: [Int32]
    /// Which keys have a record.
    let known: [Bool]
    let takesLeast: Bool

    /// `isBetter` is asked about a candidate and the best one before it.
    @inline(__always)
    func run<Failure: Error>(_ isBetter: (Int, Int) throws(Failure) -> Bool) throws(Failure) -> (firsts: [Int32], extremes: [Int32]) {
        var first = known.indices.map { known[$0] ? Int32(truncatingIfNeeded: $0) : -1 }
        var best = first
        var firsts = [Int32](repeating: 0, count: numbers.count)
        var extremes = firsts
        let keyCount = known.count
        for row in 0..<numbers.count {
            let key = Int(numbers[row])
            let candidate = keyCount &+ row
            if first[key] < 0 {
                first[key] = Int32(truncatingIfNeeded: candidate)
                best[key] = first[key]
            } else if try isBetter(candidate, Int(best[key])) {
                best[key] = Int32(truncatingIfNeeded: candidate)
            }
            firsts[row] = first[key]
            extremes[row] = best[key]
        }
        return (firsts, extremes)
    }

    /// The same by fixed-width values; nulls are never better than anything, and anything is better than null.
    @inline(__always)
    func run<Value: BitwiseCopyable>(_ values: Column, _ isLess: (Value, Value) -> Bool) -> (firsts: [Int32], extremes: [Int32]) {
        let source = UnsafePointer(values.pointer(as: Value.self))
        let hasNulls = values.mayHaveNulls
        let takesLeast = takesLeast
        return run { (candidate, best) in
            if hasNulls {
                if values.isNull(candidate) { return false }
                if values.isNull(best) { return true }
            }
            return takesLeast ? isLess(source[candidate], source[best]) : isLess(source[best], source[candidate])
        }
    }
}

/// The running sums of rows `keyCount...` of `values` by key; the first `keyCount` values are those to start from.
private func runningSum(_ values: Column, _ numbers: [Int32], keyCount: Int) -> Column {
    switch (values.type.kind, values.type.layout) {
    case (.float, _): sum(values, numbers, keyCount, Float.zero) { $0 + $1 }
    case (.double, _): sum(values, numbers, keyCount, Double.zero) { $0 + $1 }
    case (_, .fixed(byteWidth: 1)): sum(values, numbers, keyCount, Int8.zero) { $0 &+ $1 }
    case (_, .fixed(byteWidth: 2)): sum(values, numbers, keyCount, Int16.zero) { $0 &+ $1 }
    case (_, .fixed(byteWidth: 4)): sum(values, numbers, keyCount, Int32.zero) { $0 &+ $1 }
    case (_, .fixed(byteWidth: 8)): sum(values, numbers, keyCount, Int64.zero) { $0 &+ $1 }
    default: sum(values, numbers, keyCount, Int128.zero) { $0 &+ $1 }
    }
}

private func sum<Value: BitwiseCopyable>(
    _ values: Column, _ numbers: [Int32], _ keyCount: Int, _ zero: Value, _ add: (Value, Value) -> Value
) -> Column {
    let count = numbers.count
    let result = Buffer(byteCount: count * MemoryLayout<Value>.stride)
    let target = result.pointer(as: Value.self)
    let source = values.pointer(as: Value.self)
    guard values.mayHaveNulls else {
        var sums = Array(UnsafeBufferPointer(start: source, count: keyCount))
        for row in 0..<count {
            let key = Int(numbers[row])
            sums[key] = add(sums[key], source[keyCount &+ row])
            target[row] = sums[key]
        }
        return Column(type: values.type, count: count, values: result)
    }
    var sums: [Value?] = (0..<keyCount).map { values.isNull($0) ? nil : source[$0] }
    let validity = Buffer(byteCount: Bits.byteCount(count))
    for row in 0..<count {
        let key = Int(numbers[row])
        if !values.isNull(keyCount + row) { sums[key] = sums[key].map { add($0, source[keyCount + row]) } ?? source[keyCount + row] }
        target[row] = sums[key] ?? zero
        Bits.assign(validity.base, row, sums[key] != nil)
    }
    return Column(type: values.type, count: count, validity: validity, values: result)
}

extension DataType {
    fileprivate var hasSum: Bool {
        switch kind {
        case .tinyInt, .smallInt, .int, .bigInt, .float, .double, .decimal: true
        default: false
        }
    }
}
