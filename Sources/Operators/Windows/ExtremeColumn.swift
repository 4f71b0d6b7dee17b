import Columnar
import Dataflow
import State

/// MIN and MAX of any type whose values have a fixed width: each slot holds its value in place. NaN is greater than every number; of equal values the first
/// stays.
final class ExtremeColumn: AggregateColumn {
    private let isMax: Bool
    private let byteWidth: Int
    private var held: HeldValues

    /// Throws `internal` for a type whose values have no fixed width.
    init(_ resultType: DataType, isMax: Bool) throws(MillstreamError) {
        self.isMax = isMax
        switch resultType.layout {
        case .bits: byteWidth = 1
        case .fixed(let width): byteWidth = width
        default: throw .internal("\(resultType) has no fixed width")
        }
        held = HeldValues(byteWidth: byteWidth)
        super.init(resultType)
    }

    override func reserve(_ slotCount: Int) { held.reserve(slotCount) }

    override func update(_ column: Column?, slots: UnsafePointer<Int32>, count: Int) {
        guard let column else { return }
        let validity = column.mayHaveNulls ? column : nil
        if case .bits = column.type.layout {
            let values = column.unpackedBits()
            offer(values.base, validity, slots, count)
            withExtendedLifetime(values) {}
        } else {
            guard let values = column.values else { return }
            offer(UnsafeRawPointer(values.base + column.offset * byteWidth), validity, slots, count)
        }
    }

    /// Offers `count` values to their slots.
    private func offer(_ values: UnsafeRawPointer, _ validity: Column?, _ slots: UnsafePointer<Int32>, _ count: Int) {
        switch (resultType.kind, byteWidth) {
        case (.float, _): offer(Float.self, values, validity, slots, count) { isLess($0, $1) }
        case (.double, _): offer(Double.self, values, validity, slots, count) { isLess($0, $1) }
        case (_, 1): offer(Int8.self, values, validity, slots, count) { $0 < $1 }
        case (_, 2): offer(Int16.self, values, validity, slots, count) { $0 < $1 }
        case (_, 4): offer(Int32.self, values, validity, slots, count) { $0 < $1 }
        case (_, 8): offer(Int64.self, values, validity, slots, count) { $0 < $1 }
        default: offer(Int128.self, values, validity, slots, count) { $0 < $1 }
        }
    }

    @inline(__always)
    private func offer<Value: BitwiseCopyable>(
        _ type: Value.Type, _ values: UnsafeRawPointer, _ validity: Column?, _ slots: UnsafePointer<Int32>, _ count: Int,
        _ isLess: (Value, Value) -> Bool
    ) {
        let source = values.assumingMemoryBound(to: Value.self)
        let base = held.base(as: Value.self)
        let isMax = isMax
        for row in 0..<count {
            if let validity, validity.isNull(row) { continue }
            let place = base + Int(slots[row])
            let value = source[row]
            if !place.pointee.isKnown || (isMax ? isLess(place.pointee.value, value) : isLess(value, place.pointee.value)) {
                place.pointee = HeldValue(value: value, isKnown: true)
            }
        }
    }

    override func merge(_ other: AggregateColumn, from: Int, into: Int) {
        guard let other = other as? ExtremeColumn, let value = other.held.value(from) else { return }
        var slot = Int32(truncatingIfNeeded: into)
        offer(value, nil, &slot, 1)
    }

    override func result(_ slots: [Int32]) throws(MillstreamError) -> Column { held.gather(slots, type: resultType) }
    override func clear(_ slot: Int) { held.clear(slot) }
    override func removeAll() { held.removeAll() }

    override var stateFields: [Field] { [Field("value", resultType.nullable)] }

    override func state(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> [Column] {
        [held.gather(Array(UnsafeBufferPointer(start: slots, count: count)), type: resultType.nullable)]
    }

    /// A slot that holds nothing takes whatever it is offered, as it is.
    override func restore(_ columns: [Column], slots: UnsafePointer<Int32>, count: Int) { update(columns[0], slots: slots, count: count) }
}

/// MIN and MAX of text and bytes, which compare by their bytes.
final class ExtremeTextColumn: AggregateColumn {
    private let isMax: Bool
    private let held = BytesSlots()

    init(_ resultType: DataType, isMax: Bool) {
        self.isMax = isMax
        super.init(resultType)
    }

    override func reserve(_ slotCount: Int) { held.reserve(slotCount) }

    override func update(_ column: Column?, slots: UnsafePointer<Int32>, count: Int) {
        if let column { held.keep(isMax ? .greatest : .least, of: column, slots: slots, count: count) }
    }

    override func merge(_ other: AggregateColumn, from: Int, into: Int) {
        if let other = other as? ExtremeTextColumn { held.keep(isMax ? .greatest : .least, of: other.held, from: from, slot: into) }
    }

    override func result(_ slots: [Int32]) throws(MillstreamError) -> Column {
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return try Column.nulls(type: resultType.nullable, count: 0) }
            return try held.gather(base, count: list.count, type: resultType)
        }
    }

    override func clear(_ slot: Int) { held.remove(slot) }
    override func removeAll() { held.removeAll() }

    override var stateFields: [Field] { [Field("value", resultType.nullable)] }

    override func state(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> [Column] {
        [try held.gather(slots, count: count, type: resultType.nullable)]
    }

    override func restore(_ columns: [Column], slots: UnsafePointer<Int32>, count: Int) { update(columns[0], slots: slots, count: count) }
}

/// NaN is the greatest number.
func isLess<Value: FloatingPoint>(_ left: Value, _ right: Value) -> Bool { left < right || (right != right && left == left) }
