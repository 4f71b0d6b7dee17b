import Columnar
import State

/// The distinct values of each slot, each with a number under which more is kept of it: its count, which may be negative while a retraction came before its row, and its
/// place in the slot's order of arrival.
///
/// One table holds the values of all slots, so that a batch is looked up at once.
final class ValueTable {
    let types: [DataType]
    private let table: KeyTable
    /// By value.
    private(set) var counts = SlotArray<Int64>(fill: 0)
    private var slotOf = SlotArray<Int32>(fill: -1)
    private var previous = SlotArray<Int32>(fill: -1)
    private var next = SlotArray<Int32>(fill: -1)
    /// By slot: the first and the last of its values.
    private var first = WindowSlots<Int32>(empty: -1)
    private var last = WindowSlots<Int32>(empty: -1)
    /// The values of the rows that were looked up last.
    private(set) var found = SlotArray<Int32>(fill: -1)
    private var hashes = SlotArray<UInt64>(fill: 0)

    init(_ types: [DataType]) throws(MillstreamError) {
        self.types = types
        table = try KeyTable(types: [.int] + types.map(\.nullable), hostObjects: nil)
    }

    /// One more than the highest number of a value.
    var end: Int { table.slotEnd }
    /// How many values there are.
    var count: Int { table.count }

    func reserve(_ slotCount: Int) {
        first.reserve(slotCount)
        last.reserve(slotCount)
    }

    /// Finds or makes the values of some rows (`found`); new ones come last in their slots, with a count of 0. Returns the new ones.
    @discardableResult
    func lookup(_ columns: [Column], _ slots: UnsafePointer<Int32>, _ count: Int) throws(MillstreamError) -> [Int32] {
        let places = Buffer(byteCount: 4 * count)
        places.base.copyMemory(from: slots, byteCount: 4 * count)
        let keys = [Column(type: DataType.int.notNull, count: count, values: places)] + columns.map { $0.count == count ? $0 : $0.slice(0, count) }
        hashes.reserve(count)
        found.reserve(count)
        try hash(columns: keys, count: count, selection: nil, into: hashes.base)
        try table.lookup(keys: keys, hashes: hashes.base, count: count, slots: found.base)
        guard !table.newSlots.isEmpty else { return [] }
        let end = table.slotEnd
        counts.reserve(end)
        slotOf.reserve(end)
        previous.reserve(end)
        next.reserve(end)
        // A value of two new rows is new once, and its slot is that of its first row.
        for value in table.newSlots { slotOf[Int(value)] = -1 }
        for row in 0..<count where slotOf[Int(found[row])] < 0 {
            let value = Int(found[row])
            slotOf[value] = slots[row]
            counts[value] = 0
            append(value)
        }
        return table.newSlots
    }

    private func append(_ value: Int) {
        let slot = Int(slotOf[value])
        let tail = last.base[slot]
        previous[value] = tail
        next[value] = -1
        if tail < 0 { first.base[slot] = Int32(truncatingIfNeeded: value) } else { next[Int(tail)] = Int32(truncatingIfNeeded: value) }
        last.base[slot] = Int32(truncatingIfNeeded: value)
    }

    private func unlink(_ value: Int) {
        let slot = Int(slotOf[value])
        let (before, behind) = (previous[value], next[value])
        if before < 0 { first.base[slot] = behind } else { next[Int(before)] = behind }
        if behind < 0 { last.base[slot] = before } else { previous[Int(behind)] = before }
    }

    /// Makes a value its slot's last.
    func moveToEnd(_ value: Int) {
        if next[value] < 0 { return }
        unlink(value)
        append(value)
    }

    func slot(of value: Int) -> Int { Int(slotOf[value]) }

    /// The values of a slot, in order.
    @inline(__always)
    func forEach(of slot: Int, _ body: (Int) -> Void) {
        guard slot < first.count else { return }
        var value = first.base[slot]
        while value >= 0 {
            let following = next[Int(value)]
            body(Int(value))
            value = following
        }
    }

    /// The columns of some values.
    func columns(_ values: [Int32]) throws(MillstreamError) -> [Column] {
        let keys = try values.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return [Column]() }
            return try table.keys(slots: base, count: list.count)
        }
        guard !keys.isEmpty else {
            var none: [Column] = []
            for type in types { none.append(try Column.nulls(type: type, count: 0)) }
            return none
        }
        return zip(keys.dropFirst(), types).map { $0.retyped($1.nullable) }
    }

    /// Forgets values; none of them is the host's to ask for again. They do not repeat.
    func erase(_ values: [Int32]) {
        guard !values.isEmpty else { return }
        for value in values { unlink(Int(value)) }
        values.withUnsafeBufferPointer { if let base = $0.baseAddress { table.erase(slots: base, count: values.count) } }
    }

    func isLive(_ value: Int) -> Bool { table.isLive(value) }

    /// Forgets all values of some slots.
    func clear(_ slots: UnsafePointer<Int32>, count: Int) {
        var values: [Int32] = []
        for row in 0..<count { forEach(of: Int(slots[row])) { values.append(Int32(truncatingIfNeeded: $0)) } }
        erase(values)
    }
}

/// A count of each distinct value of each slot: the multiset behind DISTINCT, COLLECT, PERCENTILE and MIN and MAX with retractions. A value whose count is 0 is not kept
/// beyond its batch.
class CountedValues: Accumulator {
    let table: ValueTable
    /// Values whose count came to 0 in the batch.
    private var emptied: [Int32] = []

    init(_ resultType: DataType, values: [DataType]) throws(MillstreamError) {
        table = try ValueTable(values)
        super.init(resultType)
    }

    /// Called before a row changes a slot, where the row's step says so: nothing is held any more.
    func reset(_ slot: Int) {
        table.forEach(of: slot) { value in
            if table.counts[value] != 0 { change(value, by: -table.counts[value]) }
        }
    }

    /// Called with each change of a count; the new count is in the table.
    func changed(_ value: Int, from old: Int64, to new: Int64) {}
    /// Whether a value without a count must stay.
    func isHeld(_ value: Int) -> Bool { false }

    @inline(__always)
    final func change(_ value: Int, by difference: Int64) {
        let old = table.counts[value]
        let new = old &+ difference
        table.counts[value] = new
        if old <= 0, new > 0 { table.moveToEnd(value) }
        if new == 0 { emptied.append(Int32(truncatingIfNeeded: value)) }
        changed(value, from: old, to: new)
    }

    /// Behind the last row of a batch: values without a count go.
    final func settle() {
        guard !emptied.isEmpty else { return }
        var gone: [Int32] = []
        for value in emptied where table.counts[Int(value)] == 0 && table.isLive(Int(value)) && !isHeld(Int(value)) {
            // Once: a count may have come to 0 several times.
            table.counts[Int(value)] = .min
            gone.append(value)
        }
        emptied.removeAll(keepingCapacity: true)
        table.erase(gone)
    }

    /// How often the value of a row is taken; 0: the row does not count.
    func weight(_ rows: AggregateRows, _ row: Int) -> Int64 { 1 }
    /// The columns of the rows that the values are made of.
    func valueColumns(_ rows: AggregateRows) -> [Column] { rows.columns }
    /// New values have been found; called before any of their counts changes.
    func prepare(_ values: [Int32]) throws(MillstreamError) {}

    /// Takes the rows in order, and calls `body` behind each of them.
    @inline(__always)
    final func take(_ rows: AggregateRows, _ body: (Int) throws(MillstreamError) -> Void) throws(MillstreamError) {
        try prepare(try table.lookup(valueColumns(rows), rows.slots, rows.count))
        for row in 0..<rows.count {
            let step = rows.steps?[row] ?? Step.add
            if step & Step.reset != 0 { reset(Int(rows.slots[row])) }
            if step & (Step.add | Step.retract) != 0 {
                let weight = weight(rows, row)
                if weight != 0 { change(Int(table.found[row]), by: step & Step.add != 0 ? weight : 0 &- weight) }
                // A value that was looked up for nothing.
                if weight == 0, table.counts[Int(table.found[row])] == 0 { emptied.append(table.found[row]) }
            } else if table.counts[Int(table.found[row])] == 0 {
                emptied.append(table.found[row])
            }
            try body(row)
        }
    }

    override func reserve(_ slotCount: Int) { table.reserve(slotCount) }

    override func update(_ rows: AggregateRows) throws(MillstreamError) {
        try take(rows) { _ in }
        settle()
    }

    override func clear(_ slots: UnsafePointer<Int32>, count: Int) { table.clear(slots, count: count) }

    // MARK: Values by slot

    override var valueFields: [Field] { table.types.enumerated().map { Field("value\($0.offset)", $0.element.nullable) } + [valueCountField] }

    override func values(of slots: [Int32]) throws(MillstreamError) -> (parents: [Int32], columns: [Column]) {
        var parents: [Int32] = [], values: [Int32] = [], counts: [Int64] = []
        for (place, slot) in slots.enumerated() {
            table.forEach(of: Int(slot)) { value in
                guard table.counts[value] != 0 else { return }
                parents.append(Int32(truncatingIfNeeded: place))
                values.append(Int32(truncatingIfNeeded: value))
                counts.append(table.counts[value])
            }
        }
        return (parents, try table.columns(values) + [.int64s(counts)])
    }

    override func restoreValues(_ columns: [Column], slots: [Int32]) throws(MillstreamError) {
        try add(columns, slots: slots)
    }

    /// Adds counts of values to slots.
    final func add(_ columns: [Column], slots: [Int32], _ body: (Int) -> Void = { _ in }) throws(MillstreamError) {
        let counts = columns[columns.count - 1].pointer(as: Int64.self)
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return }
            try prepare(try table.lookup(Array(columns.dropLast()), base, list.count))
            for row in 0..<list.count {
                change(Int(table.found[row]), by: counts[row])
                body(row)
            }
        }
        settle()
    }

    override func merge(_ from: UnsafePointer<Int32>, into: UnsafePointer<Int32>, count: Int) throws(MillstreamError) {
        let (parents, columns) = try values(of: Array(UnsafeBufferPointer(start: from, count: count)))
        try add(columns, slots: parents.map { into[Int($0)] })
    }
}

/// MIN and MAX where rows may be retracted: a heap of each slot's values, from whose top those without a count are taken when the result is asked for.
final class RetractableExtreme: CountedValues {
    private let isMax: Bool
    private let isText: Bool
    /// By value: what it is ordered by, the least one first; equal ones of text are compared by themselves.
    private var ranks = SlotArray<UInt128>(fill: 0)
    private var isInHeap = SlotArray<Bool>(fill: false)
    /// How many values in the heaps have no count.
    private var unusedCount = 0
    /// By slot.
    private var heaps: [[Int32]] = []

    init(_ type: DataType, isMax: Bool) throws(MillstreamError) {
        self.isMax = isMax
        if case .views = type.layout { isText = true } else { isText = false }
        try super.init(type, values: [type])
    }

    override func reserve(_ slotCount: Int) {
        super.reserve(slotCount)
        while heaps.count < slotCount { heaps.append([]) }
    }

    override func weight(_ rows: AggregateRows, _ row: Int) -> Int64 { rows.columns[0].isNull(row) ? 0 : 1 }
    override func isHeld(_ value: Int) -> Bool { isInHeap[value] }

    override func prepare(_ values: [Int32]) throws(MillstreamError) {
        guard !values.isEmpty else { return }
        ranks.reserve(table.end)
        isInHeap.reserve(table.end)
        let column = try table.columns(values)[0]
        for (row, value) in values.enumerated() {
            let rank = column.isNull(row) ? 0 : column.rank(row)
            ranks[Int(value)] = isMax ? ~rank : rank
            isInHeap[Int(value)] = false
        }
    }

    override func changed(_ value: Int, from old: Int64, to new: Int64) {
        if isInHeap[value] {
            if old != 0, new == 0 { unusedCount += 1 } else if old == 0, new != 0 { unusedCount -= 1 }
        } else if new > 0 {
            isInHeap[value] = true
            push(Int32(truncatingIfNeeded: value), table.slot(of: value))
        }
    }

    /// Values that nothing counts any more go, once there are more of them than of others.
    private func sweep() {
        guard unusedCount > 1_024, unusedCount > table.count / 2 else { return }
        unusedCount = 0
        var gone: [Int32] = []
        for slot in heaps.indices where !heaps[slot].isEmpty {
            let kept = heaps[slot].filter { table.counts[Int($0)] != 0 }
            guard kept.count < heaps[slot].count else { continue }
            for value in heaps[slot] where table.counts[Int(value)] == 0 {
                isInHeap[Int(value)] = false
                gone.append(value)
            }
            heaps[slot] = []
            heaps[slot].reserveCapacity(kept.count)
            for value in kept { push(value, slot) }
        }
        for value in gone { change(Int(value), by: 0) }
        settle()
    }

    override func update(_ rows: AggregateRows) throws(MillstreamError) {
        try super.update(rows)
        sweep()
    }

    private func precedes(_ left: Int32, _ right: Int32) -> Bool {
        let (first, second) = (ranks[Int(left)], ranks[Int(right)])
        if first != second || !isText { return first < second }
        // The same first bytes. Text always compares.
        guard let columns = try? table.columns([left, right]), let order = try? columns[0].compare(at: 0, to: columns[0], at: 1, nullsFirst: true)
        else { return false }
        return isMax ? order > 0 : order < 0
    }

    private func push(_ value: Int32, _ slot: Int) {
        var place = heaps[slot].count
        heaps[slot].append(value)
        while place > 0 {
            let parent = (place - 1) / 2
            guard precedes(value, heaps[slot][parent]) else { break }
            heaps[slot][place] = heaps[slot][parent]
            place = parent
        }
        heaps[slot][place] = value
    }

    private func pop(_ slot: Int) {
        guard let last = heaps[slot].popLast(), !heaps[slot].isEmpty else { return }
        let count = heaps[slot].count
        var place = 0
        while true {
            var child = 2 * place + 1
            guard child < count else { break }
            if child + 1 < count, precedes(heaps[slot][child + 1], heaps[slot][child]) { child += 1 }
            guard precedes(heaps[slot][child], last) else { break }
            heaps[slot][place] = heaps[slot][child]
            place = child
        }
        heaps[slot][place] = last
    }

    /// The slot's extreme value; -1 if there is none. What is passed over on the way is forgotten where nothing counts it.
    private func top(_ slot: Int, _ gone: inout [Int32]) -> Int32 {
        while let value = heaps[slot].first {
            if table.counts[Int(value)] > 0 { return value }
            pop(slot)
            isInHeap[Int(value)] = false
            if table.counts[Int(value)] == 0 {
                unusedCount -= 1
                gone.append(value)
            }
        }
        return -1
    }

    private func column(_ tops: [Int32]) throws(MillstreamError) -> Column {
        var values: [Int32] = [], rows: [Int32] = []
        var last: Int32 = -1
        for value in tops {
            if value >= 0, value != last { values.append(value) }
            if value >= 0 { last = value }
            rows.append(value < 0 ? -1 : Int32(truncatingIfNeeded: values.count - 1))
        }
        return typed(try table.columns(values)[0].taking(rows, nullsForNegative: true))
    }

    override func run(_ rows: AggregateRows) throws(MillstreamError) -> Column {
        var tops: [Int32] = []
        var gone: [Int32] = []
        tops.reserveCapacity(rows.count)
        try take(rows) { (row) throws(MillstreamError) in tops.append(top(Int(rows.slots[row]), &gone)) }
        // Results are looked up before any value goes.
        let result = try column(tops)
        for value in gone { change(Int(value), by: 0) }
        settle()
        sweep()
        return result
    }

    override func results(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> Column {
        var gone: [Int32] = []
        let tops = (0..<count).map { top(Int(slots[$0]), &gone) }
        let result = try column(tops)
        for value in gone { change(Int(value), by: 0) }
        settle()
        return result
    }

    override func clear(_ slots: UnsafePointer<Int32>, count: Int) {
        for row in 0..<count where Int(slots[row]) < heaps.count {
            for value in heaps[Int(slots[row])] where table.counts[Int(value)] == 0 { unusedCount -= 1 }
            heaps[Int(slots[row])].removeAll()
        }
        super.clear(slots, count: count)
    }
}

extension Column {
    /// A number that orders values as `compare` does; texts only by their first 16 bytes.
    fileprivate func rank(_ row: Int) -> UInt128 {
        switch (type.kind, type.layout) {
        case (.float, _): return Self.rank(Double(pointer(as: Float.self)[row]))
        case (.double, _): return Self.rank(pointer(as: Double.self)[row])
        case (_, .bits): return bit(row) ? 1 : 0
        case (_, .fixed(byteWidth: 1)): return Self.rank(Int128(pointer(as: Int8.self)[row]))
        case (_, .fixed(byteWidth: 2)): return Self.rank(Int128(pointer(as: Int16.self)[row]))
        case (_, .fixed(byteWidth: 4)): return Self.rank(Int128(pointer(as: Int32.self)[row]))
        case (_, .fixed(byteWidth: 8)): return Self.rank(Int128(pointer(as: Int64.self)[row]))
        case (_, .fixed): return Self.rank(pointer(as: Int128.self)[row])
        default:
            var result: UInt128 = 0
            let bytes = bytes(row)
            for place in 0..<16 { result = result &<< 8 | UInt128(place < bytes.count ? bytes[place] : 0) }
            return result
        }
    }

    private static func rank(_ value: Int128) -> UInt128 { UInt128(bitPattern: value) ^ (1 &<< 127) }

    private static func rank(_ value: Double) -> UInt128 {
        if value.isNaN { return .max }
        let bits = value == 0 ? 0 : value.bitPattern
        return UInt128(bits &>> 63 != 0 ? ~bits : bits | (1 &<< 63))
    }
}
