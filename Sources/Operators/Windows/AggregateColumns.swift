import Columnar
import Dataflow
import Plan

/// One native aggregate over all slots of a window's contents.
///
/// Updates run over a whole batch; a slot that has seen no value is null (or 0, for counts).
class AggregateColumn {
    let resultType: DataType
    init(_ resultType: DataType) { self.resultType = resultType }

    func reserve(_ slotCount: Int) {}
    /// `column` is nil for COUNT(*).
    func update(_ column: Column?, slots: UnsafePointer<Int32>, count: Int) {}
    func merge(_ other: AggregateColumn, from: Int, into: Int) {}
    func result(_ slots: [Int32]) throws(MillstreamError) -> Column { throw MillstreamError.internal("an aggregate without a result") }
    func clear(_ slot: Int) {}
    func removeAll() {}

    /// The columns that a checkpoint keeps: what `state` gives and `restore` takes.
    var stateFields: [Field] { [] }
    /// What some slots, all of which exist, hold.
    func state(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> [Column] { [] }
    /// Row i becomes what `slots[i]` holds; the slots exist, are empty and do not repeat.
    func restore(_ columns: [Column], slots: UnsafePointer<Int32>, count: Int) {}

    /// The column for a call over a column of type `input`. Throws `plan` where the function does not apply.
    static func make(_ call: AggregateCall, input: DataType?) throws(MillstreamError) -> AggregateColumn {
        let type = try call.resultType(over: input)
        guard let input else { return CountColumn(type) }
        switch call.function {
        case .countAll, .count: return CountColumn(type)
        case .sum, .average:
            let isAverage = call.function == .average
            switch input.kind {
            case .float, .double: return DoubleSumColumn(type, isFloat: input.kind == .float, isAverage: isAverage)
            case .decimal(_, let scale): return DecimalSumColumn(type, inputScale: scale, isAverage: isAverage)
            default: return IntegerSumColumn(type, input: input, isAverage: isAverage)
            }
        case .min, .max:
            if case .views = type.layout { return ExtremeTextColumn(type, isMax: call.function == .max) }
            return try ExtremeColumn(type, isMax: call.function == .max)
        }
    }
}

final class CountColumn: AggregateColumn {
    private var counts = WindowSlots<Int64>(empty: 0)

    override func reserve(_ slotCount: Int) { counts.reserve(slotCount) }

    override func update(_ column: Column?, slots: UnsafePointer<Int32>, count: Int) {
        if let column, column.mayHaveNulls {
            for row in 0..<count where !column.isNull(row) { counts.base[Int(slots[row])] &+= 1 }
        } else {
            countRows(counts.base, slots, count)
        }
    }

    override func merge(_ other: AggregateColumn, from: Int, into: Int) {
        guard let other = other as? CountColumn, from < other.counts.count else { return }
        counts.base[into] &+= other.counts.base[from]
    }

    override func result(_ slots: [Int32]) throws(MillstreamError) -> Column {
        let buffer = Buffer(byteCount: 8 * slots.count)
        let target = buffer.pointer(as: Int64.self)
        for (row, slot) in slots.enumerated() { target[row] = counts.base[Int(slot)] }
        return Column(type: resultType, count: slots.count, values: buffer)
    }

    override func clear(_ slot: Int) { counts.clear(slot) }
    override func removeAll() { counts.removeAll() }

    override var stateFields: [Field] { [countField] }

    override func state(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> [Column] {
        [Column(type: countField.type, count: count, values: counts.gather(slots, count: count))]
    }

    override func restore(_ columns: [Column], slots: UnsafePointer<Int32>, count: Int) { counts.scatter(columns[0], slots, count: count) }
}

/// How many values are in an aggregate, in a checkpoint.
private let countField = Field("count", DataType.bigInt.notNull)

private func countRows(_ counts: UnsafeMutablePointer<Int64>, _ slots: UnsafePointer<Int32>, _ count: Int) {
    for row in 0..<count { counts[Int(slots[row])] &+= 1 }
}

/// A sum and how many values are in it (0 means null), side by side: one cache line per row instead of two.
private struct IntegerSum: BitwiseCopyable {
    var sum: Int64
    var count: Int64
    static let empty = IntegerSum(sum: 0, count: 0)
}

/// The sum of integers wraps at the width of its type, as in Flink; the average divides it and truncates.
final class IntegerSumColumn: AggregateColumn {
    private let input: DataType
    private let isAverage: Bool
    private var sums = WindowSlots<IntegerSum>(empty: .empty)

    init(_ resultType: DataType, input: DataType, isAverage: Bool) {
        self.input = input
        self.isAverage = isAverage
        super.init(resultType)
    }

    override func reserve(_ slotCount: Int) { sums.reserve(slotCount) }

    override func update(_ column: Column?, slots: UnsafePointer<Int32>, count: Int) {
        guard let column else { return }
        switch input.layout {
        case .fixed(byteWidth: 1): add(column, Int8.self, slots, count)
        case .fixed(byteWidth: 2): add(column, Int16.self, slots, count)
        case .fixed(byteWidth: 4): add(column, Int32.self, slots, count)
        default: add(column, Int64.self, slots, count)
        }
    }

    private func add<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ column: Column, _ type: Integer.Type, _ slots: UnsafePointer<Int32>, _ count: Int
    ) {
        let values = UnsafePointer(column.pointer(as: Integer.self))
        if column.mayHaveNulls {
            for row in 0..<count where !column.isNull(row) {
                sums.base[Int(slots[row])].sum &+= Int64(truncatingIfNeeded: values[row])
                sums.base[Int(slots[row])].count &+= 1
            }
        } else {
            addIntegers(values, slots, count, sums.base)
        }
    }

    override func merge(_ other: AggregateColumn, from: Int, into: Int) {
        guard let other = other as? IntegerSumColumn, from < other.sums.count else { return }
        sums.base[into].sum &+= other.sums.base[from].sum
        sums.base[into].count &+= other.sums.base[from].count
    }

    override func result(_ slots: [Int32]) throws(MillstreamError) -> Column {
        let values = slots.map { slot -> Int64? in
            let held = sums.base[Int(slot)]
            guard held.count > 0 else { return nil }
            return isAverage ? held.sum / held.count : held.sum
        }
        return try Column.integers(values, type: resultType)
    }

    override func clear(_ slot: Int) { sums.clear(slot) }
    override func removeAll() { sums.removeAll() }

    /// The sum before it wraps at the width of its type.
    override var stateFields: [Field] { [Field("sum", DataType.bigInt.notNull), countField] }

    override func state(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> [Column] {
        let (held, counts) = (Buffer(byteCount: 8 * count), Buffer(byteCount: 8 * count))
        gatherSums(sums.base, slots, count, held.pointer(as: Int64.self), counts.pointer(as: Int64.self))
        return zip(stateFields, [held, counts]).map { Column(type: $0.type, count: count, values: $1) }
    }

    override func restore(_ columns: [Column], slots: UnsafePointer<Int32>, count: Int) {
        let (held, counts) = (columns[0].pointer(as: Int64.self), columns[1].pointer(as: Int64.self))
        let base = sums.base
        for row in 0..<count { base[Int(slots[row])] = IntegerSum(sum: held[row], count: counts[row]) }
    }
}

private func gatherSums(
    _ held: UnsafePointer<IntegerSum>, _ slots: UnsafePointer<Int32>, _ count: Int, _ sums: UnsafeMutablePointer<Int64>,
    _ counts: UnsafeMutablePointer<Int64>
) {
    for row in 0..<count {
        let value = held[Int(slots[row])]
        sums[row] = value.sum
        counts[row] = value.count
    }
}

private func addIntegers<Integer: FixedWidthInteger & BitwiseCopyable>(
    _ values: UnsafePointer<Integer>, _ slots: UnsafePointer<Int32>, _ count: Int, _ sums: UnsafeMutablePointer<IntegerSum>
) {
    for row in 0..<count {
        let place = sums + Int(slots[row])
        place.pointee.sum &+= Int64(truncatingIfNeeded: values[row])
        place.pointee.count &+= 1
    }
}

/// FLOAT and DOUBLE, added in the order of arrival.
final class DoubleSumColumn: AggregateColumn {
    private let isFloat: Bool
    private let isAverage: Bool
    private var sums = WindowSlots<Double>(empty: 0)
    private var counts = WindowSlots<Int64>(empty: 0)

    init(_ resultType: DataType, isFloat: Bool, isAverage: Bool) {
        self.isFloat = isFloat
        self.isAverage = isAverage
        super.init(resultType)
    }

    override func reserve(_ slotCount: Int) {
        sums.reserve(slotCount)
        counts.reserve(slotCount)
    }

    override func update(_ column: Column?, slots: UnsafePointer<Int32>, count: Int) {
        guard let column else { return }
        for row in 0..<count where !column.isNull(row) {
            let value = isFloat ? Double(column.pointer(as: Float.self)[row]) : column.pointer(as: Double.self)[row]
            sums.base[Int(slots[row])] += value
            counts.base[Int(slots[row])] &+= 1
        }
    }

    override func merge(_ other: AggregateColumn, from: Int, into: Int) {
        guard let other = other as? DoubleSumColumn, from < other.sums.count else { return }
        sums.base[into] += other.sums.base[from]
        counts.base[into] &+= other.counts.base[from]
    }

    override func result(_ slots: [Int32]) throws(MillstreamError) -> Column {
        let builder = try ColumnBuilder.make(for: resultType.nullable)
        for slot in slots {
            let count = counts.base[Int(slot)]
            let sum = sums.base[Int(slot)]
            try builder.append(count == 0 ? Scalar.null : .double(isAverage ? sum / Double(count) : sum))
        }
        return builder.finish().retyped(resultType)
    }

    override func clear(_ slot: Int) {
        sums.clear(slot)
        counts.clear(slot)
    }

    override func removeAll() {
        sums.removeAll()
        counts.removeAll()
    }

    override var stateFields: [Field] { [Field("sum", DataType.double.notNull), countField] }

    override func state(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> [Column] {
        zip(stateFields, [sums.gather(slots, count: count), counts.gather(slots, count: count)]).map { Column(type: $0.type, count: count, values: $1) }
    }

    override func restore(_ columns: [Column], slots: UnsafePointer<Int32>, count: Int) {
        sums.scatter(columns[0], slots, count: count)
        counts.scatter(columns[1], slots, count: count)
    }
}

/// DECIMAL; a sum over 38 digits is null, as in Flink.
final class DecimalSumColumn: AggregateColumn {
    private let inputScale: Int
    private let isAverage: Bool
    private var sums = WindowSlots<Int128>(empty: 0)
    private var counts = WindowSlots<Int64>(empty: 0)
    /// Slots whose sum overflowed; they stay null.
    private var overflowed = WindowSlots<Bool>(empty: false)
    private static let limit: Int128 = (0..<38).reduce(1) { value, _ in value &* 10 }

    init(_ resultType: DataType, inputScale: Int, isAverage: Bool) {
        self.inputScale = inputScale
        self.isAverage = isAverage
        super.init(resultType)
    }

    override func reserve(_ slotCount: Int) {
        sums.reserve(slotCount)
        counts.reserve(slotCount)
        overflowed.reserve(slotCount)
    }

    override func update(_ column: Column?, slots: UnsafePointer<Int32>, count: Int) {
        guard let column else { return }
        let values = column.pointer(as: Int128.self)
        for row in 0..<count where !column.isNull(row) { add(values[row], 1, Int(slots[row])) }
    }

    private func add(_ value: Int128, _ count: Int64, _ slot: Int) {
        let (sum, overflow) = sums.base[slot].addingReportingOverflow(value)
        if overflow || sum >= Self.limit || sum <= -Self.limit { overflowed.base[slot] = true } else { sums.base[slot] = sum }
        counts.base[slot] &+= count
    }

    override func merge(_ other: AggregateColumn, from: Int, into: Int) {
        guard let other = other as? DecimalSumColumn, from < other.sums.count else { return }
        add(other.sums.base[from], other.counts.base[from], into)
        if other.overflowed.base[from] { overflowed.base[into] = true }
    }

    override func result(_ slots: [Int32]) throws(MillstreamError) -> Column {
        let builder = try ColumnBuilder.make(for: resultType.nullable)
        for slot in slots { try builder.append(value(Int(slot)).map { Scalar.decimal($0) } ?? .null) }
        return builder.finish().retyped(builder.type.isNullable && resultType.isNullable ? resultType : resultType.nullable)
    }

    private func value(_ slot: Int) -> Int128? {
        guard counts.base[slot] > 0, !overflowed.base[slot] else { return nil }
        guard isAverage, case .decimal(_, let scale) = resultType.kind else { return sums.base[slot] }
        var scaled = sums.base[slot]
        for _ in inputScale..<max(inputScale, scale) {
            let (product, overflow) = scaled.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            scaled = product
        }
        // Half up, away from zero.
        let count = Int128(counts.base[slot])
        let (quotient, remainder) = scaled.quotientAndRemainder(dividingBy: count)
        guard remainder.magnitude * 2 >= count.magnitude else { return quotient }
        return scaled < 0 ? quotient - 1 : quotient + 1
    }

    override func clear(_ slot: Int) {
        sums.clear(slot)
        counts.clear(slot)
        overflowed.clear(slot)
    }

    override func removeAll() {
        sums.removeAll()
        counts.removeAll()
        overflowed.removeAll()
    }

    override var stateFields: [Field] {
        [Field("sum", DataType(.decimal(precision: 38, scale: inputScale), isNullable: false)), countField, Field("overflowed", DataType.tinyInt.notNull)]
    }

    override func state(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> [Column] {
        let buffers = [sums.gather(slots, count: count), counts.gather(slots, count: count), overflowed.gather(slots, count: count)]
        return zip(stateFields, buffers).map { Column(type: $0.type, count: count, values: $1) }
    }

    override func restore(_ columns: [Column], slots: UnsafePointer<Int32>, count: Int) {
        sums.scatter(columns[0], slots, count: count)
        counts.scatter(columns[1], slots, count: count)
        // As numbers: a byte of a file that is neither 0 nor 1 is no Bool.
        let flags = columns[2].pointer(as: Int8.self)
        for row in 0..<count { overflowed.base[Int(slots[row])] = flags[row] != 0 }
    }
}

extension Column {
    /// Integers of any width (also DATE, TIME, TIMESTAMP), wrapped to the type's own.
    static func integers(_ values: [Int64?], type: DataType) throws(MillstreamError) -> Column {
        guard case .fixed(let width) = type.layout else { throw MillstreamError.internal("\(type) holds no integers") }
        let buffer = Buffer(byteCount: width * values.count)
        let hasNulls = values.contains { $0 == nil }
        let validity = hasNulls ? Buffer.zeroed(byteCount: Bits.byteCount(values.count)) : nil
        for (row, value) in values.enumerated() {
            let bits = value ?? 0
            switch width {
            case 1: buffer.pointer(as: Int8.self)[row] = Int8(truncatingIfNeeded: bits)
            case 2: buffer.pointer(as: Int16.self)[row] = Int16(truncatingIfNeeded: bits)
            case 4: buffer.pointer(as: Int32.self)[row] = Int32(truncatingIfNeeded: bits)
            default: buffer.pointer(as: Int64.self)[row] = bits
            }
            if value != nil, let validity { Bits.set(validity.base, row) }
        }
        return Column(type: hasNulls ? type.nullable : type, count: values.count, validity: validity, values: buffer)
    }
}
