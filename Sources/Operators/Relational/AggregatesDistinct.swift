import Columnar
import State

/// An aggregate of distinct values: each of a slot's values counts once, from the first row that brings it until the last one that has it is retracted.
///
/// What the function itself holds follows from the values, so that a checkpoint has these alone.
final class DistinctAccumulator: CountedValues {
    private let inner: Accumulator
    private var transition = Step.skip
    private var steps = SlotArray<UInt8>(fill: 0)

    /// `values` are the types of the function's arguments.
    init(_ inner: Accumulator, values: [DataType]) throws(MillstreamError) {
        self.inner = inner
        try super.init(inner.resultType, values: values)
    }

    override func reserve(_ slotCount: Int) {
        super.reserve(slotCount)
        inner.reserve(slotCount)
    }

    override func changed(_ value: Int, from old: Int64, to new: Int64) {
        if old <= 0, new > 0 { transition = Step.add } else if old > 0, new <= 0 { transition = Step.retract }
    }

    override func reset(_ slot: Int) {
        super.reset(slot)
        transition = Step.skip
    }

    /// The rows as the function sees them: those that make or take away a value.
    private func transitions(_ rows: AggregateRows) throws(MillstreamError) -> AggregateRows {
        steps.reserve(rows.count)
        transition = Step.skip
        try take(rows) { row in
            steps[row] = transition | ((rows.steps?[row] ?? 0) & Step.reset)
            transition = Step.skip
        }
        settle()
        return AggregateRows(columns: rows.columns, slots: rows.slots, steps: UnsafePointer(steps.base), count: rows.count)
    }

    override func update(_ rows: AggregateRows) throws(MillstreamError) { try inner.update(try transitions(rows)) }
    override func run(_ rows: AggregateRows) throws(MillstreamError) -> Column { try inner.run(try transitions(rows)) }
    override func results(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> Column { try inner.results(slots, count: count) }

    override func clear(_ slots: UnsafePointer<Int32>, count: Int) {
        super.clear(slots, count: count)
        inner.clear(slots, count: count)
    }

    private func addAndPass(_ columns: [Column], slots: [Int32]) throws(MillstreamError) {
        steps.reserve(slots.count)
        transition = Step.skip
        try add(columns, slots: slots) { row in
            steps[row] = transition
            transition = Step.skip
        }
        let values = Array(columns.dropLast())
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return }
            try inner.update(AggregateRows(columns: values, slots: base, steps: UnsafePointer(steps.base), count: list.count))
        }
    }

    override func restoreValues(_ columns: [Column], slots: [Int32]) throws(MillstreamError) { try addAndPass(columns, slots: slots) }

    override func merge(_ from: UnsafePointer<Int32>, into: UnsafePointer<Int32>, count: Int) throws(MillstreamError) {
        let (parents, columns) = try values(of: Array(UnsafeBufferPointer(start: from, count: count)))
        try addAndPass(columns, slots: parents.map { into[Int($0)] })
    }
}

/// COLLECT: a multiset of the values that are not null. PERCENTILE: quantiles of numbers, each as often as its row says.
final class CollectAccumulator: CountedValues {
    enum Rule {
        case multiset
        /// Between 0 and 1; one of them, or an array.
        case percentiles([Double], isArray: Bool)
    }

    private let rule: Rule
    /// The column of how often a value counts.
    private let hasFrequency: Bool

    init(_ resultType: DataType, value: DataType, rule: Rule, hasFrequency: Bool = false) throws(MillstreamError) {
        self.rule = rule
        self.hasFrequency = hasFrequency
        try super.init(resultType, values: [value])
    }

    override func valueColumns(_ rows: AggregateRows) -> [Column] { [rows.columns[0]] }

    override func weight(_ rows: AggregateRows, _ row: Int) -> Int64 {
        if rows.columns[0].isNull(row) { return 0 }
        guard hasFrequency else { return 1 }
        let frequency = rows.columns[1]
        if frequency.isNull(row) { return 0 }
        let times: Int64
        switch frequency.type.layout {
        case .fixed(byteWidth: 1): times = Int64(frequency.pointer(as: Int8.self)[row])
        case .fixed(byteWidth: 2): times = Int64(frequency.pointer(as: Int16.self)[row])
        case .fixed(byteWidth: 4): times = Int64(frequency.pointer(as: Int32.self)[row])
        default: times = frequency.pointer(as: Int64.self)[row]
        }
        return max(0, times)
    }

    override func results(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> Column {
        switch rule {
        case .multiset: try multisets(slots, count)
        case .percentiles(let percentages, let isArray): try percentiles(slots, count, percentages, isArray)
        }
    }

    private func multisets(_ slots: UnsafePointer<Int32>, _ count: Int) throws(MillstreamError) -> Column {
        var values: [Int32] = [], times: [Int32] = [], offsets: [Int32] = [0]
        for row in 0..<count {
            table.forEach(of: Int(slots[row])) { value in
                guard table.counts[value] > 0 else { return }
                values.append(Int32(truncatingIfNeeded: value))
                times.append(Int32(clamping: table.counts[value]))
            }
            offsets.append(Int32(truncatingIfNeeded: values.count))
        }
        guard let entryType = resultType.elementType, case .row(let fields) = entryType.kind, fields.count == 2 else {
            throw .internal("a multiset of \(resultType) has no entries")
        }
        let elements = try table.columns(values)[0]
        let counts = Column(type: fields[1].type, count: times.count, values: Buffer.copying(times))
        let entries = Column(type: entryType, count: values.count, values: nil, children: [elements.fitted(to: fields[0].type), counts])
        return Column(type: resultType, count: count, values: Buffer.copying(offsets), children: [entries])
    }

    private func percentiles(_ slots: UnsafePointer<Int32>, _ count: Int, _ percentages: [Double], _ isArray: Bool) throws(MillstreamError) -> Column
    {
        let builder = try ColumnBuilder.make(for: resultType.nullable)
        for row in 0..<count {
            var values: [Int32] = []
            table.forEach(of: Int(slots[row])) { if table.counts[$0] > 0 { values.append(Int32(truncatingIfNeeded: $0)) } }
            guard !values.isEmpty else {
                try builder.append(.null)
                continue
            }
            let column = try table.columns(values)[0].doubles(values.count)
            let numbers = Array(UnsafeBufferPointer(start: UnsafePointer(column.pointer(as: Double.self)), count: values.count))
            withExtendedLifetime(column) {}
            let sorted = values.indices.sorted { isLess(numbers[$0], numbers[$1]) }
            let entries = sorted.map { (value: numbers[$0], count: table.counts[Int(values[$0])]) }
            let results = percentages.map { percentile(entries, $0) }
            try builder.append(isArray ? .list(results.map { .double($0) }) : .double(results[0]))
        }
        return typed(builder.finish())
    }

    /// The value at a place between the first and the last of all, of the two beside it in proportion.
    private func percentile(_ entries: [(value: Double, count: Int64)], _ percentage: Double) -> Double {
        let total = entries.reduce(0) { $0 &+ $1.count }
        let position = Double(total - 1) * percentage
        let (floor, ceiling) = (position.rounded(.down), position.rounded(.up))
        let lower = value(entries, at: Int64(floor))
        let upper = value(entries, at: Int64(ceiling))
        if ceiling == floor || lower == upper { return lower }
        return (ceiling - position) * lower + (position - floor) * upper
    }

    private func value(_ entries: [(value: Double, count: Int64)], at place: Int64) -> Double {
        var end: Int64 = 0
        for entry in entries {
            end &+= entry.count
            if place < end { return entry.value }
        }
        return entries[entries.count - 1].value
    }

    override func run(_ rows: AggregateRows) throws(MillstreamError) -> Column {
        var results: [Column] = []
        for index in 0..<rows.count {
            try update(rows.row(index))
            results.append(try self.results(rows.slots + index, count: 1))
        }
        return results.isEmpty ? try self.results(rows.slots, count: 0) : try Column.concat(results)
    }
}

extension Column {
    /// The same values with another type's nullability.
    func fitted(to type: DataType) -> Column { mayHaveNulls && nullCount > 0 ? retyped(type.nullable) : retyped(type) }
}
