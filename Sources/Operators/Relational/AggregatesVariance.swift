import Columnar

/// A number of twice the digits of a Double, as a sum of two: for sums from which is taken away again, and for differences of large sums.
struct LongDouble: BitwiseCopyable {
    var high = 0.0
    var low = 0.0

    var value: Double { high + low }

    /// Knuth's sum of two numbers and its error.
    @inline(__always)
    mutating func add(_ number: Double) {
        let total = high + number
        let part = total - high
        low += (high - (total - part)) + (number - part)
        high = total
        normalise()
    }

    @inline(__always)
    mutating func add(_ other: LongDouble) {
        add(other.high)
        add(other.low)
    }

    @inline(__always)
    private mutating func normalise() {
        let total = high + low
        low = low - (total - high)
        high = total
    }

    /// A product of two numbers, whole.
    @inline(__always)
    static func product(_ left: Double, _ right: Double) -> LongDouble {
        let product = left * right
        return LongDouble(high: product, low: (-product).addingProduct(left, right))
    }

    func times(_ factor: Double) -> LongDouble {
        var result = Self.product(high, factor)
        result.add(low * factor)
        return result
    }

    func squared() -> LongDouble {
        var result = Self.product(high, high)
        result.add(2 * high * low)
        return result
    }
}

/// VAR_POP, VAR_SAMP, STDDEV_POP and STDDEV_SAMP: from the count, the sum and the sum of the squares, all of so many digits that their differences are good, so that rows
/// may be retracted, and windows merged. NaN and the infinities are counted; they make the result NaN while they are there.
struct Variance: SlotState {
    private var sum = LongDouble(), squares = LongDouble()
    /// Values whose square is no number.
    private var endless: Int64 = 0
    private var count: Int64 = 0

    static var empty: Variance { Variance() }
    private static var magnitudeMax: Double { 0x1p500 }

    private mutating func change(_ value: Double, _ sign: Double) {
        count &+= Int64(sign)
        guard value.magnitude <= Self.magnitudeMax else {
            endless &+= Int64(sign)
            return
        }
        sum.add(sign * value)
        let square = LongDouble.product(value, value)
        squares.add(LongDouble(high: sign * square.high, low: sign * square.low))
    }

    mutating func add(_ value: Double) { change(value, 1) }
    mutating func retract(_ value: Double) { change(value, -1) }

    mutating func merge(_ other: Variance) {
        sum.add(other.sum)
        squares.add(other.squares)
        endless &+= other.endless
        count &+= other.count
    }

    func write(_ result: inout Double, _ form: ResultForm) -> Bool {
        let isSample = form.kind == .varianceSample || form.kind == .deviationSample
        guard isSample ? count > 1 : count > 0 else { return false }
        guard endless == 0 else {
            result = .nan
            return true
        }
        // (n * squares - sum * sum) / n is the sum of the squared distances from the mean.
        let total = Double(count)
        var distance = squares.times(total)
        let square = sum.squared()
        distance.add(LongDouble(high: -square.high, low: -square.low))
        let variance = max(0, distance.value / total / (isSample ? total - 1 : total))
        result = form.kind == .deviationPopulation || form.kind == .deviationSample ? variance.squareRoot() : variance
        return true
    }

    static func fields(_ input: DataType) -> [Field] {
        ["sum", "sum_error", "squares", "squares_error"].map { Field($0, DataType.double.notNull) } + [
            Field("endless", DataType.bigInt.notNull), valueCountField,
        ]
    }

    static func columns(_ base: UnsafePointer<Variance>, _ slots: UnsafePointer<Int32>, _ count: Int, _ input: DataType) -> [Column] {
        let (double, bigInt) = (DataType.double.notNull, DataType.bigInt.notNull)
        return [
            gather(base, slots, count, double) { $0.sum.high }, gather(base, slots, count, double) { $0.sum.low },
            gather(base, slots, count, double) { $0.squares.high }, gather(base, slots, count, double) { $0.squares.low },
            gather(base, slots, count, bigInt) { $0.endless }, gather(base, slots, count, bigInt) { $0.count },
        ]
    }

    static func restore(_ base: UnsafeMutablePointer<Variance>, _ columns: [Column], _ slots: UnsafePointer<Int32>, _ count: Int) {
        for row in 0..<count {
            var state = Variance.empty
            state.sum = LongDouble(high: columns[0].pointer(as: Double.self)[row], low: columns[1].pointer(as: Double.self)[row])
            state.squares = LongDouble(high: columns[2].pointer(as: Double.self)[row], low: columns[3].pointer(as: Double.self)[row])
            state.endless = columns[4].pointer(as: Int64.self)[row]
            state.count = columns[5].pointer(as: Int64.self)[row]
            base[Int(slots[row])] = state
        }
    }
}

/// A variance of any numbers: computed in DOUBLE, given in the type of its argument (DECIMAL(38, s) for decimals), as in Flink.
final class VarianceAccumulator: Accumulator {
    private let states: SlotAccumulator

    init(_ resultType: DataType, form: ResultForm) {
        states = SlotAccumulator(.double, input: .double, form: form, .of(Variance.self))
        super.init(resultType)
    }

    private func doubles(_ rows: AggregateRows) -> AggregateRows {
        var rows = rows
        rows.columns = [rows.columns[0].doubles(rows.count)]
        return rows
    }

    override func reserve(_ slotCount: Int) { states.reserve(slotCount) }
    override func update(_ rows: AggregateRows) throws(MillstreamError) { states.update(doubles(rows)) }
    override func run(_ rows: AggregateRows) throws(MillstreamError) -> Column { try states.run(doubles(rows)).numbers(of: resultType) }
    override func results(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> Column {
        try states.results(slots, count: count).numbers(of: resultType)
    }
    override func merge(_ from: UnsafePointer<Int32>, into: UnsafePointer<Int32>, count: Int) { states.merge(from, into: into, count: count) }
    override func clear(_ slots: UnsafePointer<Int32>, count: Int) { states.clear(slots, count: count) }
    override var stateFields: [Field] { states.stateFields }
    override func state(_ slots: UnsafePointer<Int32>, count: Int) -> [Column] { states.state(slots, count: count) }
    override func restore(_ columns: [Column], slots: UnsafePointer<Int32>, count: Int) { states.restore(columns, slots: slots, count: count) }
}

extension Column {
    /// The first `count` values of a column of numbers as DOUBLE.
    func doubles(_ count: Int) -> Column {
        if type.kind == .double { return self }
        let buffer = Buffer(byteCount: 8 * count)
        let target = buffer.pointer(as: Double.self)
        switch type.kind {
        case .float: convert(Float.self, count, target) { Double($0) }
        case .tinyInt: convert(Int8.self, count, target) { Double($0) }
        case .smallInt: convert(Int16.self, count, target) { Double($0) }
        case .int: convert(Int32.self, count, target) { Double($0) }
        case .decimal(_, let scale):
            let unit = Double(powerOfTen(scale))
            convert(Int128.self, count, target) { Double($0) / unit }
        default: convert(Int64.self, count, target) { Double($0) }
        }
        var validity: Buffer?
        if mayHaveNulls {
            let bits = Buffer.zeroed(byteCount: Bits.byteCount(count))
            for row in 0..<count where !isNull(row) { Bits.set(bits.base, row) }
            validity = bits
        }
        return Column(type: validity == nil ? DataType.double.notNull : .double, count: count, validity: validity, values: buffer)
    }

    @inline(__always)
    private func convert<Value: BitwiseCopyable>(_ type: Value.Type, _ count: Int, _ target: UnsafeMutablePointer<Double>, _ body: (Value) -> Double)
    {
        let source = pointer(as: Value.self)
        for row in 0..<count { target[row] = body(source[row]) }
    }

    /// A column of DOUBLE as numbers of another type: integers truncate and saturate, NaN becomes 0, decimals round half up, and are null where they have too many digits.
    func numbers(of type: DataType) throws(MillstreamError) -> Column {
        if type.kind == .double { return self }
        let source = pointer(as: Double.self)
        switch type.kind {
        case .float: return narrowed(type, source) { Float($0) }
        case .tinyInt: return narrowed(type, source) { Int8(truncatingIfNeeded: Int32(saturating: $0)) }
        case .smallInt: return narrowed(type, source) { Int16(truncatingIfNeeded: Int32(saturating: $0)) }
        case .int: return narrowed(type, source) { Int32(saturating: $0) }
        case .bigInt: return narrowed(type, source) { Int64(saturating: $0) }
        case .decimal(let precision, let scale):
            let buffer = Buffer.zeroed(byteCount: 16 * count)
            let validity = Buffer.zeroed(byteCount: Bits.byteCount(count))
            let target = buffer.pointer(as: Int128.self)
            for row in 0..<count where !isNull(row) {
                guard let value = decimal(source[row], scale: scale), value.magnitude < powerOfTen(precision).magnitude else { continue }
                target[row] = value
                Bits.set(validity.base, row)
            }
            return Column(type: type.nullable, count: count, validity: validity, values: buffer)
        default: throw .internal("\(type) is no type of numbers")
        }
    }

    private func narrowed<Value: BitwiseCopyable>(_ type: DataType, _ source: UnsafePointer<Double>, _ body: (Double) -> Value) -> Column {
        let buffer = Buffer(byteCount: count * MemoryLayout<Value>.stride)
        let target = buffer.pointer(as: Value.self)
        for row in 0..<count { target[row] = body(isNull(row) ? 0 : source[row]) }
        guard mayHaveNulls else { return Column(type: type, count: count, values: buffer) }
        let bits = Buffer.zeroed(byteCount: Bits.byteCount(count))
        for row in 0..<count where !isNull(row) { Bits.set(bits.base, row) }
        return Column(type: type.nullable, count: count, validity: bits, values: buffer)
    }
}

/// A number's digits with so many behind the point, rounded half up; nil for what has more than 38, and for what is no number.
private func decimal(_ value: Double, scale: Int) -> Int128? {
    guard value.magnitude < 1e38 else { return nil }
    let whole = value.rounded(.towardZero)
    let fraction = (value - whole) * Double(powerOfTen(scale))
    let (scaled, overflows) = Int128(whole).multipliedReportingOverflow(by: powerOfTen(scale))
    if overflows { return nil }
    let (result, carries) = scaled.addingReportingOverflow(Int128(fraction.rounded(.toNearestOrAwayFromZero)))
    return carries ? nil : result
}

extension FixedWidthInteger {
    /// As Java casts: truncated, saturating, 0 for NaN.
    fileprivate init(saturating value: Double) {
        if value.isNaN {
            self = 0
        } else if value >= -Double(Self.min) {
            self = .max
        } else if value <= Double(Self.min) {
            self = .min
        } else {
            self = Self(value)
        }
    }
}
