import Columnar

/// How many values are in an accumulator, in a checkpoint.
let valueCountField = Field("count", DataType.bigInt.notNull)

/// SUM, $SUM0 and AVG of integers: the sum wraps at the width of its type, as in Flink; the average divides a BIGINT, and truncates.
struct WrappingSum<Integer: FixedWidthInteger & BitwiseCopyable>: SlotState {
    var sum: Int64
    /// 0: the result is null.
    var count: Int64

    static var empty: WrappingSum { WrappingSum(sum: 0, count: 0) }

    @inline(__always)
    mutating func add(_ value: Integer) {
        sum &+= Int64(truncatingIfNeeded: value)
        count &+= 1
    }

    @inline(__always)
    mutating func retract(_ value: Integer) {
        sum &-= Int64(truncatingIfNeeded: value)
        count &-= 1
    }

    mutating func merge(_ other: WrappingSum) {
        sum &+= other.sum
        count &+= other.count
    }

    @inline(__always)
    func write(_ result: inout Integer, _ form: ResultForm) -> Bool {
        if form.kind == .average {
            if count == 0 { return false }
            result = Integer(truncatingIfNeeded: sum.dividedReportingOverflow(by: count).partialValue)
            return true
        }
        result = Integer(truncatingIfNeeded: sum)
        return count != 0 || form.kind == .sum0
    }

    static func fields(_ input: DataType) -> [Field] { [Field("sum", DataType.bigInt.notNull), valueCountField] }

    static func columns(_ base: UnsafePointer<WrappingSum>, _ slots: UnsafePointer<Int32>, _ count: Int, _ input: DataType) -> [Column] {
        let type = DataType.bigInt.notNull
        return [gather(base, slots, count, type) { $0.sum }, gather(base, slots, count, type) { $0.count }]
    }

    static func restore(_ base: UnsafeMutablePointer<WrappingSum>, _ columns: [Column], _ slots: UnsafePointer<Int32>, _ count: Int) {
        let (sums, counts) = (columns[0].pointer(as: Int64.self), columns[1].pointer(as: Int64.self))
        for row in 0..<count { base[Int(slots[row])] = WrappingSum(sum: sums[row], count: counts[row]) }
    }
}

/// SUM, $SUM0 and AVG of floating point where nothing is retracted: added in the order of arrival, a SUM in its own type, an AVG in DOUBLE, as in Flink.
struct FloatSum<Input: BinaryFloatingPoint & BitwiseCopyable, Sum: BinaryFloatingPoint & BitwiseCopyable>: SlotState {
    var sum: Sum
    var count: Int64

    static var empty: FloatSum { FloatSum(sum: 0, count: 0) }

    @inline(__always)
    mutating func add(_ value: Input) {
        sum += Sum(value)
        count &+= 1
    }

    mutating func retract(_ value: Input) {
        sum -= Sum(value)
        count &-= 1
    }

    mutating func merge(_ other: FloatSum) {
        sum += other.sum
        count &+= other.count
    }

    @inline(__always)
    func write(_ result: inout Input, _ form: ResultForm) -> Bool {
        result = Input(form.kind == .average ? sum / Sum(count) : sum)
        return count != 0 || form.kind == .sum0
    }

    private static var sumType: DataType { MemoryLayout<Sum>.size == 4 ? DataType.float.notNull : DataType.double.notNull }

    static func fields(_ input: DataType) -> [Field] { [Field("sum", sumType), valueCountField] }

    static func columns(_ base: UnsafePointer<FloatSum>, _ slots: UnsafePointer<Int32>, _ count: Int, _ input: DataType) -> [Column] {
        [gather(base, slots, count, sumType) { $0.sum }, gather(base, slots, count, DataType.bigInt.notNull) { $0.count }]
    }

    static func restore(_ base: UnsafeMutablePointer<FloatSum>, _ columns: [Column], _ slots: UnsafePointer<Int32>, _ count: Int) {
        let (sums, counts) = (columns[0].pointer(as: Sum.self), columns[1].pointer(as: Int64.self))
        for row in 0..<count { base[Int(slots[row])] = FloatSum(sum: sums[row], count: counts[row]) }
    }
}

/// The same where rows are retracted. What goes leaves nothing behind: NaN and the infinities are counted, and the finite rest is a sum with its rounding errors, large
/// numbers apart from the others and scaled down, so that no sum on the way overflows.
struct RetractableFloatSum<Input: BinaryFloatingPoint & BitwiseCopyable>: SlotState {
    private var small = LongDouble(), large = LongDouble()
    private var nans: Int64 = 0, positives: Int64 = 0, negatives: Int64 = 0
    private var count: Int64 = 0

    static var empty: RetractableFloatSum { RetractableFloatSum() }
    private static var largeFrom: Double { 0x1p900 }
    private static var down: Double { 0x1p-128 }

    private mutating func change(_ value: Double, _ sign: Int64) {
        count &+= sign
        if value.isNaN {
            nans &+= sign
        } else if value == .infinity {
            positives &+= sign
        } else if value == -.infinity {
            negatives &+= sign
        } else if value.magnitude >= Self.largeFrom {
            large.add(Double(sign) * value * Self.down)
        } else {
            small.add(Double(sign) * value)
        }
    }

    mutating func add(_ value: Input) { change(Double(value), 1) }
    mutating func retract(_ value: Input) { change(Double(value), -1) }

    mutating func merge(_ other: RetractableFloatSum) {
        small.add(other.small)
        large.add(other.large)
        nans &+= other.nans
        positives &+= other.positives
        negatives &+= other.negatives
        count &+= other.count
    }

    func write(_ result: inout Input, _ form: ResultForm) -> Bool {
        let divisor = form.kind == .average ? Double(count) : 1
        if nans > 0 || (positives > 0 && negatives > 0) {
            result = .nan
        } else if positives > 0 || negatives > 0 {
            result = (positives > 0) == (divisor > 0) ? .infinity : -.infinity
        } else if large.high == 0 && large.low == 0 {
            result = Input(small.value / divisor)
        } else {
            // An average of numbers whose sum is too large may still be a number.
            result = Input((large.value / divisor + small.value / divisor * Self.down) * 0x1p128)
        }
        return count != 0 || form.kind == .sum0
    }

    static func fields(_ input: DataType) -> [Field] {
        ["sum", "error", "large_sum", "large_error"].map { Field($0, DataType.double.notNull) }
            + ["nans", "infinities", "negative_infinities"].map { Field($0, DataType.bigInt.notNull) } + [valueCountField]
    }

    static func columns(_ base: UnsafePointer<RetractableFloatSum>, _ slots: UnsafePointer<Int32>, _ count: Int, _ input: DataType) -> [Column] {
        let (double, bigInt) = (DataType.double.notNull, DataType.bigInt.notNull)
        return [
            gather(base, slots, count, double) { $0.small.high }, gather(base, slots, count, double) { $0.small.low },
            gather(base, slots, count, double) { $0.large.high }, gather(base, slots, count, double) { $0.large.low },
            gather(base, slots, count, bigInt) { $0.nans }, gather(base, slots, count, bigInt) { $0.positives },
            gather(base, slots, count, bigInt) { $0.negatives }, gather(base, slots, count, bigInt) { $0.count },
        ]
    }

    static func restore(_ base: UnsafeMutablePointer<RetractableFloatSum>, _ columns: [Column], _ slots: UnsafePointer<Int32>, _ count: Int) {
        for row in 0..<count {
            var state = RetractableFloatSum.empty
            state.small.high = columns[0].pointer(as: Double.self)[row]
            state.small.low = columns[1].pointer(as: Double.self)[row]
            state.large.high = columns[2].pointer(as: Double.self)[row]
            state.large.low = columns[3].pointer(as: Double.self)[row]
            state.nans = columns[4].pointer(as: Int64.self)[row]
            state.positives = columns[5].pointer(as: Int64.self)[row]
            state.negatives = columns[6].pointer(as: Int64.self)[row]
            state.count = columns[7].pointer(as: Int64.self)[row]
            base[Int(slots[row])] = state
        }
    }
}

/// SUM, $SUM0 and AVG of DECIMAL. A result of more than 38 digits is null, as in Flink; the sum itself is kept whole, so that it comes back when rows go.
struct DecimalSum: SlotState {
    var sum: Int128
    /// How many times the sum has gone beyond 128 bits.
    var overflow: Int64
    var count: Int64

    static var empty: DecimalSum { DecimalSum(sum: 0, overflow: 0, count: 0) }

    @inline(__always)
    mutating func add(_ value: Int128) {
        let (result, overflows) = sum.addingReportingOverflow(value)
        sum = result
        if overflows { overflow &+= value < 0 ? -1 : 1 }
        count &+= 1
    }

    @inline(__always)
    mutating func retract(_ value: Int128) {
        let (result, overflows) = sum.subtractingReportingOverflow(value)
        sum = result
        if overflows { overflow &+= value < 0 ? 1 : -1 }
        count &-= 1
    }

    mutating func merge(_ other: DecimalSum) {
        let total = count &+ other.count
        add(other.sum)
        overflow &+= other.overflow
        count = total
    }

    func write(_ result: inout Int128, _ form: ResultForm) -> Bool {
        if count == 0, form.kind != .sum0 { return false }
        guard overflow == 0, sum < decimalEnd, sum > -decimalEnd else { return false }
        var value = sum
        if form.kind == .average {
            guard let quotient = sum.scaledQuotient(by: Int128(count), digits: Int(form.scale)) else { return false }
            value = quotient
        }
        guard value < form.limit, value > -form.limit else { return false }
        result = value
        return true
    }

    private static func sumType(_ input: DataType) -> DataType {
        guard case .decimal(_, let scale) = input.kind else { return DataType(.decimal(precision: 38, scale: 0), isNullable: false) }
        return DataType(.decimal(precision: 38, scale: scale), isNullable: false)
    }

    static func fields(_ input: DataType) -> [Field] { [Field("sum", sumType(input)), Field("overflow", DataType.bigInt.notNull), valueCountField] }

    static func columns(_ base: UnsafePointer<DecimalSum>, _ slots: UnsafePointer<Int32>, _ count: Int, _ input: DataType) -> [Column] {
        let type = DataType.bigInt.notNull
        return [
            gather(base, slots, count, sumType(input)) { $0.sum }, gather(base, slots, count, type) { $0.overflow },
            gather(base, slots, count, type) { $0.count },
        ]
    }

    static func restore(_ base: UnsafeMutablePointer<DecimalSum>, _ columns: [Column], _ slots: UnsafePointer<Int32>, _ count: Int) {
        let sums = columns[0].pointer(as: Int128.self)
        let (overflows, counts) = (columns[1].pointer(as: Int64.self), columns[2].pointer(as: Int64.self))
        for row in 0..<count { base[Int(slots[row])] = DecimalSum(sum: sums[row], overflow: overflows[row], count: counts[row]) }
    }
}

/// 10 to the 38th: what no DECIMAL reaches.
let decimalEnd: Int128 = powerOfTen(38)

/// 10 to a power of 0...38.
func powerOfTen(_ exponent: Int) -> Int128 { (0..<exponent).reduce(1) { value, _ in value &* 10 } }

extension Int128 {
    /// This times a power of ten, divided and rounded half up, away from zero; nil where it is too large. The dividend may need more than 128 bits on the way.
    fileprivate func scaledQuotient(by divisor: Int128, digits: Int) -> Int128? {
        var (quotient, rest) = magnitude.quotientAndRemainder(dividingBy: divisor.magnitude)
        for _ in 0..<digits {
            // The rest is less than a count of rows, so that ten times as much is no matter.
            let (digit, next) = (rest &* 10).quotientAndRemainder(dividingBy: divisor.magnitude)
            let (scaled, overflows) = quotient.multipliedReportingOverflow(by: 10)
            let (sum, carries) = scaled.addingReportingOverflow(digit)
            if overflows || carries || sum > Self.max.magnitude { return nil }
            (quotient, rest) = (sum, next)
        }
        if rest &* 2 >= divisor.magnitude { quotient &+= 1 }
        if quotient > Self.max.magnitude { return nil }
        let value = Int128(truncatingIfNeeded: quotient)
        return (self < 0) == (divisor < 0) ? value : -value
    }
}
