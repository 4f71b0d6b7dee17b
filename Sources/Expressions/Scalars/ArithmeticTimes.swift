import Columnar
import Plan

/// Arithmetic of points in time and intervals, by the calendar of UTC (a day is 24 hours, a month ends where it ends; no time zone has a say). What does not fit wraps or
/// saturates; nothing fails but a division by zero.
enum ArithmeticTimes {
    /// nil where both are numbers.
    static func prepare(_ operation: BinaryOperation, _ left: DataType, _ right: DataType, _ type: DataType) throws(MillstreamError) -> Kernel? {
        let (one, other) = (Shape(left), Shape(right))
        if one != .number || other != .number {
            guard fits(operation, left, right, type) else {
                if one == .other || other == .other { return nil }
                throw MillstreamError(.plan, "\(operation.symbol) of \(left.nullable) and \(right.nullable) gives no \(type.nullable)")
            }
        }
        switch (operation, one, other) {
        case (_, .number, .number): return nil
        case (.add, .point, .months), (.subtract, .point, .months): return addMonths(left, type, isNegative: operation == .subtract)
        case (.add, .months, .point): return swapped(addMonths(right, type, isNegative: false))
        case (.add, .point, .duration), (.subtract, .point, .duration): return try addDuration(left, right, type, isNegative: operation == .subtract)
        case (.add, .duration, .point): return swapped(try addDuration(right, left, type, isNegative: false))
        case (.subtract, .point, .point): return try difference(left, right, type)
        case (.add, .months, .months): return pairs(type) { (one: Int32, other: Int32) in one &+ other }
        case (.subtract, .months, .months): return pairs(type) { (one: Int32, other: Int32) in one &- other }
        case (.add, .duration, .duration): return durations(left, right, type) { $0 &+ $1 }
        case (.subtract, .duration, .duration): return durations(left, right, type) { $0 &- $1 }
        case (.multiply, .months, .number), (.multiply, .duration, .number): return try scaling(left, right, type, isDivision: false)
        case (.multiply, .number, .months), (.multiply, .number, .duration): return swapped(try scaling(right, left, type, isDivision: false))
        case (.divide, .months, .number), (.divide, .duration, .number): return try scaling(left, right, type, isDivision: true)
        default:
            if one == .other || other == .other { return nil }
            throw MillstreamError(.plan, "\(operation.symbol) has no meaning for \(left.nullable) and \(right.nullable)")
        }
    }

    /// Whether the type is one that the operation can give. A point keeps its own, but for a date that may become a point of the clock.
    private static func fits(_ operation: BinaryOperation, _ left: DataType, _ right: DataType, _ type: DataType) -> Bool {
        switch (Shape(left), Shape(right)) {
        case (.point, .point): return operation == .subtract && (Shape(type) == .months || Shape(type) == .duration)
        case (.point, let shape): return keeps(left, type, shape)
        case (let shape, .point): return keeps(right, type, shape)
        case (.months, .months), (.months, .number), (.number, .months): return Shape(type) == .months
        case (.duration, .duration): return Shape(type) == .duration
        // The product has the interval's own unit.
        case (.duration, .number): return left.kind == type.kind
        case (.number, .duration): return right.kind == type.kind
        default: return false
        }
    }

    private static func keeps(_ point: DataType, _ type: DataType, _ shape: Shape) -> Bool {
        if point.kind == type.kind { return true }
        switch (point.kind, type.kind) {
        case (.date, .timestamp), (.date, .timestampLTZ): return shape == .duration
        default: return false
        }
    }

    private enum Shape {
        case number, point, months, duration, other

        init(_ type: DataType) {
            switch type.kind {
            case .date, .time, .timestamp, .timestampLTZ: self = .point
            case .intervalYearMonth: self = .months
            case .intervalDayTime: self = .duration
            default: self = type.isNumeric ? .number : .other
            }
        }
    }

    // MARK: A point and an interval

    private static func addMonths(_ point: DataType, _ type: DataType, isNegative: Bool) -> Kernel {
        let sign: Int64 = isNegative ? -1 : 1
        switch point.kind {
        case .date:
            return pairs(type) { (days: Int32, months: Int32) in Int32(truncatingIfNeeded: CivilDate.days(Int64(days), addingMonths: Int64(months) &* sign)) }
        case .timestamp(let precision), .timestampLTZ(let precision):
            let perDay = Units(precision).ofDays(1)
            return pairs(type) { (value: Int64, months: Int32) in
                let days = value.dividedFlooring(by: perDay)
                return CivilDate.days(days, addingMonths: Int64(months) &* sign) &* perDay &+ (value &- days &* perDay)
            }
        default:
            // A time of day has no months.
            return { (arguments, count, _) throws(MillstreamError) in
                if arguments.contains(where: \.isNullConstant) { return .null(type) }
                let rows = arguments[0].isConstant && arguments[1].isConstant ? 1 : count
                let column = arguments[0].isConstant && !arguments[1].isConstant ? try arguments[0].column.repeatingFirst(rows) : arguments[0].column
                guard let validity = Validity.ofAll([Operand(column), arguments[1]], count: rows) else { return Operand(column, isConstant: arguments[0].isConstant && arguments[1].isConstant) }
                return Operand(column.masked(validity), isConstant: arguments[0].isConstant && arguments[1].isConstant)
            }
        }
    }

    private static func addDuration(_ point: DataType, _ duration: DataType, _ type: DataType, isNegative: Bool) throws(MillstreamError) -> Kernel? {
        guard case .intervalDayTime(let digits) = duration.kind else { return nil }
        let sign: Int64 = isNegative ? -1 : 1
        let from = Units(digits)
        switch (point.kind, type.kind) {
        case (.date, .date):
            let perDay = from.ofDays(1)
            // Parts of a day do not count, to either side.
            return pairs(type) { (days: Int32, value: Int64) in Int32(truncatingIfNeeded: Int64(days) &+ value &* sign / perDay) }
        case (.date, .timestamp(let precision)), (.date, .timestampLTZ(let precision)):
            let to = Units(precision)
            return pairs(type) { (days: Int32, value: Int64) in to.ofDays(Int64(days)) &+ to.converted(value &* sign, from: from, keeping: precision) }
        case (.timestamp(let precision), _), (.timestampLTZ(let precision), _):
            let to = Units(precision)
            if to.perSecond >= from.perSecond {
                let factor = to.perSecond / from.perSecond &* sign
                return pairs(type) { (point: Int64, value: Int64) in point &+ value &* factor }
            }
            // The sum is cut, not the interval: half a second and half a second are one.
            let factor = from.perSecond / to.perSecond
            return pairs(type) { (point: Int64, value: Int64) in (point &* factor &+ value &* sign).dividedFlooring(by: factor) }
        case (.time(let precision), .time):
            let unit = Units(precision)
            // In the finer of both units.
            let fine = max(unit.perSecond, from.perSecond)
            let (pointFactor, valueFactor) = (fine / unit.perSecond, fine / from.perSecond &* sign)
            let perDay = 86_400 &* fine
            func wrapped(_ point: Int64, _ value: Int64) -> Int64 {
                let sum = point &* pointFactor &+ value % perDay &* valueFactor
                return (sum &- sum.dividedFlooring(by: perDay) &* perDay) / pointFactor
            }
            if precision <= 3 { return pairs(type) { (point: Int32, value: Int64) in Int32(truncatingIfNeeded: wrapped(Int64(point), value)) } }
            return pairs(type) { (point: Int64, value: Int64) in wrapped(point, value) }
        default: throw MillstreamError(.plan, "+ of \(point.nullable) and \(duration.nullable) gives no \(type.nullable)")
        }
    }

    // MARK: Two points

    /// The milliseconds between two points as a duration, or whole months.
    private static func difference(_ left: DataType, _ right: DataType, _ type: DataType) throws(MillstreamError) -> Kernel {
        let instant = DataType(left.kind == right.kind ? .timestamp(3) : left.isInstant || right.isInstant ? .timestampLTZ(3) : .timestamp(3))
        // The points of one type need no zone between them.
        func step(_ source: DataType) throws(MillstreamError) -> CastStep? {
            switch source.kind {
            case .timestampLTZ(let precision) where !instant.isInstant:
                return try Casts.step(from: DataType(.timestamp(precision)), to: instant)
            case instant.kind: return nil
            default: return try Casts.step(from: source, to: instant)
            }
        }
        let (leftStep, rightStep) = (try step(left), try step(right))
        let body: Kernel
        switch type.kind {
        case .intervalYearMonth:
            body = pairs(type) { (one: Int64, other: Int64) in Int32(truncatingIfNeeded: months(one, other)) }
        case .intervalDayTime(let precision):
            let to = Units(precision)
            body = pairs(type) { (one: Int64, other: Int64) in to.converted(one &- other, from: Units(3), keeping: precision) }
        default: throw MillstreamError(.plan, "- of \(left.nullable) and \(right.nullable) gives no \(type.nullable)")
        }
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments.contains(where: \.isNullConstant) { return .null(type) }
            let rows = arguments[0].isConstant && arguments[1].isConstant ? 1 : count
            return try body([try Alignment.apply(leftStep, arguments[0], rows, context), try Alignment.apply(rightStep, arguments[1], rows, context)], rows, context)
        }
    }

    /// Whole months from `other` to `one`, both in milliseconds: how many can be added to the earlier without passing the later.
    private static func months(_ one: Int64, _ other: Int64) -> Int64 {
        if one < other { return 0 &- months(other, one) }
        let perDay: Int64 = 86_400_000
        let (day, otherDay) = (one.dividedFlooring(by: perDay), other.dividedFlooring(by: perDay))
        let (date, otherDate) = (CivilDate(days: day), CivilDate(days: otherDay))
        var months = (date.year &- otherDate.year) &* 12 &+ date.month &- otherDate.month
        let reached = CivilDate.days(otherDay, addingMonths: months)
        if reached > day || reached == day && one &- day &* perDay < other &- otherDay &* perDay { months &-= 1 }
        return months
    }

    // MARK: Intervals

    private static func durations(_ left: DataType, _ right: DataType, _ type: DataType, _ body: @escaping (Int64, Int64) -> Int64) -> Kernel? {
        guard case .intervalDayTime(let one) = left.kind, case .intervalDayTime(let other) = right.kind, case .intervalDayTime(let precision) = type.kind else { return nil }
        let to = Units(precision)
        let (from, otherFrom) = (Units(one), Units(other))
        return pairs(type) { (one: Int64, other: Int64) in
            body(to.converted(one, from: from, keeping: 9), to.converted(other, from: otherFrom, keeping: 9))
        }
    }

    /// An interval times or by a number: in integers where the number is one, in doubles else, cut towards zero.
    private static func scaling(_ interval: DataType, _ number: DataType, _ type: DataType, isDivision: Bool) throws(MillstreamError) -> Kernel {
        let isMonths = interval.kind == .intervalYearMonth
        let work: DataType = number.isInteger ? .bigInt : .double
        let step = number.kind == work.kind ? nil : try Casts.step(from: number, to: work)
        let toWide: CastStep? = isMonths ? { (column, count, _, _) in CastsOfTimes.mapped(column, count, .bigInt) { (value: Int32) in Int64(value) } } : nil
        let toNarrow: CastStep? = isMonths ? { (column, count, _, _) in CastsOfTimes.mapped(column, count, type) { (value: Int64) in Int32(truncatingIfNeeded: value) } } : nil
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments.contains(where: \.isNullConstant) { return .null(type) }
            let rows = arguments[0].isConstant && arguments[1].isConstant ? 1 : count
            let wide = Operand(try Alignment.apply(toWide, arguments[0], rows, context).column.retyped(.bigInt), isConstant: arguments[0].isConstant)
            let factor = try Alignment.apply(step, arguments[1], rows, context)
            let result: Operand
            if work.kind == .bigInt {
                result = try ArithmeticKernels.compute(isDivision ? .divide : .multiply, wide, factor, rows, .bigInt)
            } else {
                let doubles = Operand(CastsOfTimes.mapped(wide.column, wide.isConstant ? 1 : rows, .double) { (value: Int64) in Double(value) }, isConstant: wide.isConstant)
                let product = try ArithmeticKernels.compute(isDivision ? .divide : .multiply, doubles, factor, rows, .double)
                result = Operand(CastsOfTimes.mapped(product.column, rows, .bigInt) { (value: Double) in CastKernels.saturated(value) as Int64 }, isConstant: product.isConstant)
            }
            let narrow = try Alignment.apply(toNarrow, result, rows, context)
            return narrow.typed(type)
        }
    }

    // MARK: Loops

    private static func pairs<One: BitwiseCopyable, Other: BitwiseCopyable, Result: BitwiseCopyable>(
        _ type: DataType, _ body: @escaping (One, Other) -> Result
    ) -> Kernel {
        { (arguments, count, _) in
            if arguments[0].isNullConstant || arguments[1].isNullConstant { return .null(type) }
            let isConstant = arguments[0].isConstant && arguments[1].isConstant
            let rows = isConstant ? 1 : count
            let buffer = Buffer(byteCount: rows * MemoryLayout<Result>.stride)
            let result = buffer.pointer(as: Result.self)
            let (one, other) = (Values<One>(arguments[0]), Values<Other>(arguments[1]))
            for row in 0..<rows { result[row] = body(one[row], other[row]) }
            withExtendedLifetime(arguments) {}
            let column = Column(type: type, count: rows, validity: Validity.ofAll(arguments, count: rows), values: buffer)
            return Operand(column, isConstant: isConstant)
        }
    }

    private static func swapped(_ kernel: Kernel?) -> Kernel? {
        guard let kernel else { return nil }
        return { (arguments, count, context) throws(MillstreamError) in try kernel([arguments[1], arguments[0]], count, context) }
    }
}

extension DataType {
    /// TIMESTAMP_LTZ.
    var isInstant: Bool {
        if case .timestampLTZ = kind { return true }
        return false
    }
}
