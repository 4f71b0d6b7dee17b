import Columnar
import State

/// What has an order that MIN and MAX go by.
protocol Extremal: BitwiseCopyable {
    static var zero: Self { get }
    static func precedes(_ left: Self, _ right: Self) -> Bool
}

extension Extremal where Self: Comparable {
    @inline(__always)
    static func precedes(_ left: Self, _ right: Self) -> Bool { left < right }
}

extension Extremal where Self: FloatingPoint {
    /// NaN is the greatest number.
    @inline(__always)
    static func precedes(_ left: Self, _ right: Self) -> Bool { Operators.isLess(left, right) }
}

extension Int8: Extremal {}
extension Int16: Extremal {}
extension Int32: Extremal {}
extension Int64: Extremal {}
extension Int128: Extremal {}
extension Float: Extremal {}
extension Double: Extremal {}

/// Which way an extreme lies.
protocol Side { static var isMax: Bool { get } }
enum Least: Side { static var isMax: Bool { false } }
enum Greatest: Side { static var isMax: Bool { true } }

/// MIN and MAX of values of a fixed width that only come; of equal ones the first stays.
struct Extreme<Value: Extremal, S: Side>: SlotState {
    var value: Value
    var isKnown: Bool

    static var empty: Extreme { Extreme(value: .zero, isKnown: false) }

    @inline(__always)
    mutating func add(_ other: Value) {
        if !isKnown || (S.isMax ? Value.precedes(value, other) : Value.precedes(other, value)) { self = Extreme(value: other, isKnown: true) }
    }

    /// Another accumulator is made where rows may be retracted.
    mutating func retract(_ other: Value) {}

    mutating func merge(_ other: Extreme) { if other.isKnown { add(other.value) } }

    @inline(__always)
    func write(_ result: inout Value, _ form: ResultForm) -> Bool {
        result = value
        return isKnown
    }

    static func fields(_ input: DataType) -> [Field] { [Field("value", input.notNull), Field("is_known", DataType.tinyInt.notNull)] }

    static func columns(_ base: UnsafePointer<Extreme>, _ slots: UnsafePointer<Int32>, _ count: Int, _ input: DataType) -> [Column] {
        [gather(base, slots, count, input.notNull) { $0.value }, gather(base, slots, count, DataType.tinyInt.notNull) { $0.isKnown ? 1 : 0 as Int8 }]
    }

    static func restore(_ base: UnsafeMutablePointer<Extreme>, _ columns: [Column], _ slots: UnsafePointer<Int32>, _ count: Int) {
        let (values, known) = (columns[0].pointer(as: Value.self), columns[1].pointer(as: Int8.self))
        for row in 0..<count { base[Int(slots[row])] = Extreme(value: values[row], isKnown: known[row] != 0) }
    }
}

/// The accumulator of a MIN or MAX whose rows only come.
func makeExtreme(_ type: DataType, isMax: Bool) -> Accumulator {
    func make<Value: Extremal>(_ value: Value.Type) -> Accumulator {
        let form = ResultForm(kind: .sum)
        return isMax
            ? SlotAccumulator(type, input: type, form: form, .of(Extreme<Value, Greatest>.self))
            : SlotAccumulator(type, input: type, form: form, .of(Extreme<Value, Least>.self))
    }
    switch (type.kind, type.layout) {
    case (.float, _): return make(Float.self)
    case (.double, _): return make(Double.self)
    case (_, .fixed(byteWidth: 1)): return make(Int8.self)
    case (_, .fixed(byteWidth: 2)): return make(Int16.self)
    case (_, .fixed(byteWidth: 4)): return make(Int32.self)
    case (_, .fixed(byteWidth: 8)): return make(Int64.self)
    case (_, .fixed): return make(Int128.self)
    default: return PickAccumulator(type, isMax ? .greatest : .least)
    }
}

/// Functions whose result is one of the values that came, of any type, where rows only come: FIRST_VALUE and LAST_VALUE (which pass over nulls, as in Flink), MIN and MAX.
final class PickAccumulator: Accumulator {
    enum Rule { case first, last, least, greatest }

    private let rule: Rule
    private let type: DataType
    private let held: RowStore
    private let local = LocalSlots()

    init(_ resultType: DataType, _ rule: Rule) {
        self.rule = rule
        type = resultType.nullable
        held = RowStore(types: [type], hostObjects: nil)
        super.init(resultType)
    }

    override func update(_ rows: AggregateRows) throws(MillstreamError) { _ = try pick(rows, runs: false) }

    override func run(_ rows: AggregateRows) throws(MillstreamError) -> Column {
        guard let results = try pick(rows, runs: true) else { return try Column.nulls(type: type, count: 0) }
        return typed(results)
    }

    /// The values held and those of the batch are candidates, side by side; what each row makes of its slot is one of them.
    private func pick(_ rows: AggregateRows, runs: Bool) throws(MillstreamError) -> Column? {
        guard rows.count > 0 else { return nil }
        let values = rows.columns[0]
        local.assign(rows.slots, count: rows.count)
        let slots = local.slots
        let old = try gather(slots)
        let candidates = try Column.concat([old.retyped(type), (values.count == rows.count ? values : values.slice(0, rows.count)).retyped(type)])
        var best = slots.indices.map { held.contains(Int(slots[$0])) ? Int32($0) : -1 }
        let numbers = local.rows.pointer(as: Int32.self)
        var results: [Int32] = []
        if runs { results.reserveCapacity(rows.count) }
        for row in 0..<rows.count {
            let step = rows.steps?[row] ?? Step.add
            let number = Int(numbers[row])
            if step & Step.reset != 0 { best[number] = -1 }
            if step & Step.add != 0, !values.isNull(row) {
                let place = slots.count + row
                let isFirst = best[number] < 0
                let wins = isFirst ? true : try isBetter(candidates, place, than: Int(best[number]))
                if wins { best[number] = Int32(truncatingIfNeeded: place) }
            }
            if runs { results.append(best[number]) }
        }
        withExtendedLifetime(local.rows) {}
        try keep(candidates, best, slots)
        return runs ? try candidates.taking(results, nullsForNegative: true) : nil
    }

    private func isBetter(_ candidates: Column, _ place: Int, than best: Int) throws(MillstreamError) -> Bool {
        switch rule {
        case .first: false
        case .last: true
        case .least: try candidates.compare(at: place, to: candidates, at: best, nullsFirst: true) < 0
        case .greatest: try candidates.compare(at: place, to: candidates, at: best, nullsFirst: true) > 0
        }
    }

    private func keep(_ candidates: Column, _ best: [Int32], _ slots: [Int32]) throws(MillstreamError) {
        var changed: [Int32] = [], rows: [Int32] = [], empty: [Int32] = []
        for (number, place) in best.enumerated() {
            if place < 0 {
                if held.contains(Int(slots[number])) { empty.append(slots[number]) }
            } else if place != number {
                changed.append(slots[number])
                rows.append(place)
            }
        }
        empty.withUnsafeBufferPointer { if let base = $0.baseAddress { held.remove(base, count: empty.count) } }
        guard !rows.isEmpty else { return }
        let column: Column
        switch type.layout {
        case .list, .row:
            // The store keeps nested columns as they are: copied, so that no value keeps the memory of a batch.
            let builder = try ColumnBuilder.make(for: type)
            for row in rows { try builder.append(from: candidates, at: Int(row)) }
            column = builder.finish()
        default: column = try candidates.taking(Selection(rows))
        }
        try changed.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            if let base = list.baseAddress { try held.set([column], slots: base, count: list.count) }
        }
    }

    private func gather(_ slots: [Int32]) throws(MillstreamError) -> Column {
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return try Column.nulls(type: type, count: 0) }
            return try results(base, count: list.count)
        }
    }

    override func results(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> Column {
        var present: [Int32] = []
        for row in 0..<count where held.contains(Int(slots[row])) { present.append(slots[row]) }
        if present.isEmpty { return try Column.nulls(type: type, count: count) }
        let values = try present.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return [Column]() }
            return try held.gather(base, count: list.count)
        }
        guard present.count < count else { return typed(values[0]) }
        var rows: [Int32] = []
        var next: Int32 = 0
        for row in 0..<count {
            let isHeld = held.contains(Int(slots[row]))
            rows.append(isHeld ? next : -1)
            if isHeld { next += 1 }
        }
        return try values[0].taking(rows, nullsForNegative: true)
    }

    override func merge(_ from: UnsafePointer<Int32>, into: UnsafePointer<Int32>, count: Int) throws(MillstreamError) {
        // Slots of a window's slices come in the order of time.
        let values = try results(from, count: count)
        try update(AggregateRows(columns: [values], slots: into, steps: nil, count: count))
    }

    override func clear(_ slots: UnsafePointer<Int32>, count: Int) {
        var present: [Int32] = []
        for row in 0..<count where held.contains(Int(slots[row])) { present.append(slots[row]) }
        present.withUnsafeBufferPointer { if let base = $0.baseAddress { held.remove(base, count: present.count) } }
    }

    override var stateFields: [Field] { [Field("value", type)] }
    override func state(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> [Column] {
        [try results(slots, count: count).retyped(type)]
    }
    override func restore(_ columns: [Column], slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) {
        try update(AggregateRows(columns: columns, slots: slots, steps: nil, count: count))
    }
}

extension Column {
    /// The values at some places; null for negative ones where that is said.
    func taking(_ rows: [Int32], nullsForNegative: Bool = false) throws(MillstreamError) -> Column {
        try rows.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return slice(0, 0) }
            return try taking(base, count: list.count, nullsForNegative: nullsForNegative)
        }
    }
}
