import Columnar
import Dataflow

/// MIN and MAX of any ordered type: each slot names the row that holds its value. NaN is greater than every number.
///
/// Integers of 64 bits, the common case, are kept as values instead.
final class ExtremeColumn: AggregateColumn {
    private let isMax: Bool
    private let isInt64: Bool
    private var values = WindowSlots<Int64>(empty: 0)
    private var known = WindowSlots<Bool>(empty: false)
    /// For other types: a column of one value per slot that has one.
    private var holders: [Column?] = []

    init(_ resultType: DataType, isMax: Bool) {
        self.isMax = isMax
        switch resultType.kind {
        case .bigInt, .timestamp, .timestampLTZ, .intervalDayTime: isInt64 = true
        default: isInt64 = false
        }
        super.init(resultType)
    }

    override func reserve(_ slotCount: Int) {
        values.reserve(slotCount)
        known.reserve(slotCount)
        if !isInt64, holders.count < slotCount { holders.append(contentsOf: repeatElement(nil, count: slotCount - holders.count)) }
    }

    override func update(_ column: Column?, slots: UnsafePointer<Int32>, count: Int) {
        guard let column else { return }
        if isInt64 {
            let source = UnsafePointer(column.pointer(as: Int64.self))
            for row in 0..<count where !column.isNull(row) { offer(source[row], Int(slots[row])) }
        } else {
            for row in 0..<count where !column.isNull(row) { offer(column, row, Int(slots[row])) }
        }
    }

    private func offer(_ value: Int64, _ slot: Int) {
        if !known.base[slot] || (isMax ? value > values.base[slot] : value < values.base[slot]) {
            values.base[slot] = value
            known.base[slot] = true
        }
    }

    private func offer(_ column: Column, _ row: Int, _ slot: Int) {
        if let held = holders[slot] {
            let order = (try? column.compare(at: row, to: held, at: 0, nullsFirst: true)) ?? 0
            guard isMax ? order > 0 : order < 0 else { return }
        }
        // One value, taken out of its batch, so that the slot does not keep the batch alive.
        let index = [Int32(truncatingIfNeeded: row)]
        holders[slot] = index.withUnsafeBufferPointer { list in list.baseAddress.flatMap { try? column.taking($0, count: 1) } }
    }

    override func merge(_ other: AggregateColumn, from: Int, into: Int) {
        guard let other = other as? ExtremeColumn, from < other.known.count else { return }
        if isInt64 {
            if other.known.base[from] { offer(other.values.base[from], into) }
        } else if let held = other.holders[from] {
            offer(held, 0, into)
        }
    }

    override func result(_ slots: [Int32]) throws(MillstreamError) -> Column {
        if isInt64 { return try Column.integers(slots.map { known.base[Int($0)] ? values.base[Int($0)] : nil }, type: resultType) }
        var parts: [Column] = []
        for slot in slots {
            if let held = holders[Int(slot)] { parts.append(held) } else { parts.append(try Column.nulls(type: resultType.nullable, count: 1)) }
        }
        return try Column.concat(parts)
    }

    override func clear(_ slot: Int) {
        known.clear(slot)
        if slot < holders.count { holders[slot] = nil }
    }

    override func removeAll() {
        values.removeAll()
        known.removeAll()
        holders.removeAll(keepingCapacity: true)
    }
}
