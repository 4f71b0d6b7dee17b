import Columnar
import Plan

/// Casts among dates, times of day, points in time and intervals, and from text to them.
///
/// Digits beyond a precision are cut off, towards the past. Between TIMESTAMP_LTZ and the others lies the session's time zone.
enum CastsOfTimes {
    static func step(from source: DataType, to target: DataType) -> CastStep? {
        switch (source.kind, target.kind) {
        case (.char, _), (.varChar, _): return CastsFromTimeText.step(to: target)
        case (.date, .timestamp(let precision)): return map(target) { (days: Int32, unit: Units) in unit.ofDays(Int64(days)) } units: { Units(precision) }
        case (.timestamp(let precision), .date):
            return map(target) { (value: Int64, unit: Units) in Int32(clamping: unit.days(value)) } units: { Units(precision) }
        case (.time(let precision), .timestamp(let wide)): return ofTime(precision, target) { nanoseconds in Units(wide).ofNanoseconds(nanoseconds) }
        case (.timestamp(let precision), .time(let narrow)):
            return toTime(target, narrow) { (value: Int64) in Units(precision).nanosecondsOfDay(value) }
        case (.time(let precision), .time(let other)): return ofTime(precision, target) { nanoseconds in nanoseconds } narrow: { other }
        case (.timestamp(let precision), .timestamp(let other)), (.timestampLTZ(let precision), .timestampLTZ(let other)),
            (.intervalDayTime(let precision), .intervalDayTime(let other)):
            return rescaling(precision, other, target)
        default: return zoned(from: source, to: target) ?? intervals(from: source, to: target)
        }
    }

    // MARK: Across the session's time zone

    private static func zoned(from source: DataType, to target: DataType) -> CastStep? {
        switch (source.kind, target.kind) {
        case (.timestampLTZ(let precision), .timestamp(let other)):
            return { (column, count, _, context) throws(MillstreamError) in
                var zone = ZoneCursor(try Zone.named(context.timeZone))
                let (from, to) = (Units(precision), Units(other))
                return mapped(column, count, target) { (value: Int64) in to.converted(from.local(value, &zone), from: from, keeping: other) }
            }
        case (.timestamp(let precision), .timestampLTZ(let other)):
            return { (column, count, _, context) throws(MillstreamError) in
                var zone = ZoneCursor(try Zone.named(context.timeZone))
                let (from, to) = (Units(precision), Units(other))
                return mapped(column, count, target) { (value: Int64) in to.converted(from.instant(value, &zone), from: from, keeping: other) }
            }
        case (.date, .timestampLTZ(let other)):
            return { (column, count, _, context) throws(MillstreamError) in
                var zone = ZoneCursor(try Zone.named(context.timeZone))
                let to = Units(other)
                return mapped(column, count, target) { (days: Int32) in to.ofSeconds(zone.instant(Int64(days) &* 86_400)) }
            }
        case (.timestampLTZ(let precision), .date):
            return { (column, count, _, context) throws(MillstreamError) in
                var zone = ZoneCursor(try Zone.named(context.timeZone))
                let from = Units(precision)
                return mapped(column, count, target) { (value: Int64) in Int32(clamping: from.days(from.local(value, &zone))) }
            }
        case (.time(let precision), .timestampLTZ(let other)):
            let toTimestamp = ofTime(precision, DataType(.timestamp(other))) { nanoseconds in Units(other).ofNanoseconds(nanoseconds) }
            return { (column, count, failures, context) throws(MillstreamError) in
                var zone = ZoneCursor(try Zone.named(context.timeZone))
                let to = Units(other)
                let local = try toTimestamp(column, count, &failures, context)
                return mapped(local, count, target) { (value: Int64) in to.instant(value, &zone) }
            }
        case (.timestampLTZ(let precision), .time(let narrow)):
            return { (column, count, failures, context) throws(MillstreamError) in
                var zone = ZoneCursor(try Zone.named(context.timeZone))
                let from = Units(precision)
                let local = mapped(column, count, DataType(.timestamp(precision))) { (value: Int64) in from.local(value, &zone) }
                return try toTime(target, narrow) { (value: Int64) in from.nanosecondsOfDay(value) }(local, count, &failures, context)
            }
        default: return nil
        }
    }

    // MARK: Intervals and numbers

    /// Numbers are the months or the milliseconds of an interval.
    private static func intervals(from source: DataType, to target: DataType) -> CastStep? {
        let number: DataType
        switch (source.kind, target.kind) {
        case (.intervalYearMonth, _) where target.isNumeric:
            return { (column, count, _, _) throws(MillstreamError) in try CastKernels.cast(column.retyped(.int), count, to: target) }
        case (.intervalDayTime(let precision), _) where target.isNumeric:
            let toMilliseconds = rescaling(precision, 3, DataType(.intervalDayTime(3)))
            return { (column, count, failures, context) throws(MillstreamError) in
                try CastKernels.cast(try toMilliseconds(column, count, &failures, context).retyped(.bigInt), count, to: target)
            }
        case (_, .intervalYearMonth) where source.isNumeric: number = .int
        case (_, .intervalDayTime) where source.isNumeric: number = .bigInt
        default: return nil
        }
        let toNumber = CastsOfNumbers.step(from: source, to: number)
        guard case .intervalDayTime(let precision) = target.kind else {
            return { (column, count, failures, context) throws(MillstreamError) in try toNumber(column, count, &failures, context).retyped(target) }
        }
        let fromMilliseconds = rescaling(3, precision, target)
        return { (column, count, failures, context) throws(MillstreamError) in
            try fromMilliseconds(try toNumber(column, count, &failures, context).retyped(DataType(.intervalDayTime(3))), count, &failures, context)
        }
    }

    // MARK: Loops

    /// Values of Int64 from a precision to another.
    private static func rescaling(_ precision: Int, _ other: Int, _ target: DataType) -> CastStep {
        let (from, to) = (Units(precision), Units(other))
        if from == to, other >= precision { return { (column, _, _, _) in column.retyped(target) } }
        return { (column, count, _, _) in mapped(column, count, target) { (value: Int64) in to.converted(value, from: from, keeping: other) } }
    }

    private static func map<Source: BitwiseCopyable, Result: BitwiseCopyable>(
        _ target: DataType, _ body: @escaping (Source, Units) -> Result, units: () -> Units
    ) -> CastStep {
        let units = units()
        return { (column, count, _, _) in mapped(column, count, target) { (value: Source) in body(value, units) } }
    }

    /// Of a time of day, through nanoseconds.
    private static func ofTime(_ precision: Int, _ target: DataType, _ body: @escaping (Int64) -> Int64, narrow: () -> Int? = { nil }) -> CastStep {
        let from = Units(precision)
        let narrow = narrow()
        return { (column, count, failures, context) throws(MillstreamError) in
            let wide =
                precision <= 3
                ? mapped(column, count, .bigInt) { (value: Int32) in Int64(value) &* from.nanoseconds } : mapped(column, count, .bigInt) { (value: Int64) in value &* from.nanoseconds }
            guard let narrow else { return mapped(wide, count, target) { (value: Int64) in body(value) } }
            return try toTime(target, narrow) { (value: Int64) in body(value) }(wide, count, &failures, context)
        }
    }

    /// To a time of day, from nanoseconds.
    private static func toTime(_ target: DataType, _ precision: Int, _ body: @escaping (Int64) -> Int64) -> CastStep {
        let step = Units.power(9 - precision)
        let unit = Units(precision).nanoseconds
        return { (column, count, _, _) in
            if precision <= 3 {
                return mapped(column, count, target) { (value: Int64) in
                    let nanoseconds = body(value)
                    return Int32(truncatingIfNeeded: (nanoseconds &- nanoseconds % step) / unit)
                }
            }
            return mapped(column, count, target) { (value: Int64) in
                let nanoseconds = body(value)
                return (nanoseconds &- nanoseconds % step) / unit
            }
        }
    }

    @inline(__always)
    static func mapped<Source: BitwiseCopyable, Result: BitwiseCopyable>(_ column: Column, _ count: Int, _ type: DataType, _ body: (Source) -> Result) -> Column {
        let values = Buffer(byteCount: count * MemoryLayout<Result>.stride)
        let result = values.pointer(as: Result.self)
        let source = UnsafePointer(column.pointer(as: Source.self))
        for row in 0..<count { result[row] = body(source[row]) }
        withExtendedLifetime(column) {}
        return Column(type: type, count: count, validity: Validity.ofAll([Operand(column)], count: count), values: values)
    }
}

/// The unit in which a precision's points in time and durations are counted. What does not fit into Int64 saturates.
struct Units: Equatable {
    let perSecond: Int64

    init(_ precision: Int) { perSecond = TimeUnit(precision: precision).perSecond }

    var nanoseconds: Int64 { 1_000_000_000 / perSecond }
    /// How many digits of the second the unit has.
    var digits: Int { perSecond == 1 ? 0 : perSecond == 1_000 ? 3 : perSecond == 1_000_000 ? 6 : 9 }

    @inline(__always)
    func ofSeconds(_ seconds: Int64) -> Int64 { Units.product(seconds, perSecond) }

    @inline(__always)
    func ofDays(_ days: Int64) -> Int64 { Units.product(days, 86_400 &* perSecond) }

    @inline(__always)
    func days(_ value: Int64) -> Int64 { value.dividedFlooring(by: 86_400 &* perSecond) }

    @inline(__always)
    func ofNanoseconds(_ value: Int64) -> Int64 { value.dividedFlooring(by: nanoseconds) }

    @inline(__always)
    func nanosecondsOfDay(_ value: Int64) -> Int64 { (value &- days(value) &* (86_400 &* perSecond)) &* nanoseconds }

    /// An instant as local time.
    @inline(__always)
    func local(_ value: Int64, _ zone: inout ZoneCursor) -> Int64 { value.addingSaturating(zone.offset(at: value.dividedFlooring(by: perSecond)) &* perSecond) }

    /// A local time as an instant.
    @inline(__always)
    func instant(_ value: Int64, _ zone: inout ZoneCursor) -> Int64 {
        value.subtractingSaturating(zone.offset(ofLocal: value.dividedFlooring(by: perSecond)) &* perSecond)
    }

    /// A value of another unit in this one, with `precision` digits of the second.
    @inline(__always)
    func converted(_ value: Int64, from other: Units, keeping precision: Int) -> Int64 {
        var result: Int64
        if perSecond >= other.perSecond {
            result = Units.product(value, perSecond / other.perSecond)
        } else {
            result = value.dividedFlooring(by: other.perSecond / perSecond)
        }
        if precision < digits {
            let step = Units.power(digits - precision)
            result = result.dividedFlooring(by: step) &* step
        }
        return result
    }

    @inline(__always)
    private static func product(_ value: Int64, _ factor: Int64) -> Int64 {
        let (product, overflow) = value.multipliedReportingOverflow(by: factor)
        return overflow ? (value < 0 ? .min : .max) : product
    }

    static func power(_ digits: Int) -> Int64 { Int64(truncatingIfNeeded: DecimalRules.power(min(max(digits, 0), 18))) }
}
