import Columnar
import Plan

/// TIMESTAMPADD, TIMESTAMPDIFF and OVERLAPS. What lies beyond a type's range is its nearest bound.
enum TimeArithmetic {
    // MARK: TIMESTAMPADD

    static func prepareAdd(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        guard request.arguments.count == 3 else { throw .internal("TIMESTAMPADD takes a unit, a count and a point in time") }
        let unit = try CalendarUnit(request)
        let source = request.arguments[2]
        let type = request.type
        if source.kind == .null || request.arguments[1].kind == .null { return { (_, _, _) in .null(type) } }
        switch source.kind {
        case .date, .time, .timestamp, .timestampLTZ: break
        default: throw MillstreamError(.plan, "TIMESTAMPADD cannot add to a value of type \(source)")
        }
        let isDate = source.kind == .date
        if let months = unit.months {
            return { (arguments, count, _) in
                TimeLoop.map(arguments[2], arguments[1], count, type) { point, number in add(months: number.multipliedSaturating(months), to: point, source, type) }
            }
        }
        guard let nanoseconds = unit.nanoseconds else { throw MillstreamError(.plan, "TIMESTAMPADD cannot count in \(unit.rawValue)") }
        if isDate, type.kind == .date {
            let days = nanoseconds / 86_400_000_000_000
            return { (arguments, count, _) in
                TimeLoop.map(arguments[2], arguments[1], count, type) { point, number in narrowed(point.addingSaturating(number.multipliedSaturating(days))) }
            }
        }
        if case .time = source.kind {
            let from = source.stepsPerSecond ?? 1
            let steps = type.stepsPerSecond ?? 1
            let day = 86_400 * steps
            let precision = type.precisionSteps
            return { (arguments, count, _) in
                TimeLoop.map(arguments[2], arguments[1], count, type) { point, number in
                    let shift = CivilDate.remainder(scaled(number, nanoseconds, steps), day)
                    let sum = CivilDate.remainder(point.rescaled(from: from, to: steps) &+ shift, day)
                    return sum &- sum % precision
                }
            }
        }
        let steps = type.stepsPerSecond ?? 1
        let precision = type.precisionSteps
        return { (arguments, count, _) in
            TimeLoop.map(arguments[2], arguments[1], count, type) { point, number in
                let start = isDate ? point.multipliedSaturating(86_400 &* steps) : point.rescaled(from: source.stepsPerSecond ?? 1, to: steps)
                let sum = start.addingSaturating(scaled(number, nanoseconds, steps))
                return precision == 1 ? sum : sum &- CivilDate.remainder(sum, precision)
            }
        }
    }

    /// A number of units in steps, rounded down.
    @inline(__always)
    private static func scaled(_ number: Int64, _ nanoseconds: Int64, _ steps: Int64) -> Int64 {
        let step = 1_000_000_000 / steps
        return nanoseconds >= step ? number.multipliedSaturating(nanoseconds / step) : CivilDate.quotient(number, step / nanoseconds)
    }

    @inline(__always)
    private static func narrowed(_ days: Int64) -> Int64 { Int64(Int32(clamping: days)) }

    /// A point in time some months later.
    @inline(__always)
    private static func add(months: Int64, to point: Int64, _ source: DataType, _ type: DataType) -> Int64 {
        // Months beyond any calendar are all the same.
        let months = min(max(months, -1 << 40), 1 << 40)
        if source.kind == .date { return narrowed(CivilDate.days(point, addingMonths: months)) }
        guard let from = source.stepsPerSecond, let steps = type.stepsPerSecond else { return point }
        if case .time = source.kind { return point.rescaled(from: from, to: steps) }
        let day = 86_400 &* from
        let days = CivilDate.quotient(point, day)
        let rest = point &- days &* day
        return CivilDate.days(days, addingMonths: months).multipliedSaturating(day).addingSaturating(rest).rescaled(from: from, to: steps)
    }

    // MARK: TIMESTAMPDIFF

    static func prepareDiff(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        guard request.arguments.count == 3 else { throw .internal("TIMESTAMPDIFF takes a unit and two points in time") }
        let unit = try CalendarUnit(request)
        let type = request.type
        let start = request.arguments[1]
        let end = request.arguments[2]
        if start.kind == .null || end.kind == .null { return { (_, _, _) in .null(type) } }
        for point in [start, end] where point.kind != .date && point.stepsPerSecond == nil {
            throw MillstreamError(.plan, "TIMESTAMPDIFF cannot compare a value of type \(start) with one of type \(end)")
        }
        guard start.isTimestampLTZ == end.isTimestampLTZ else {
            throw MillstreamError(.plan, "TIMESTAMPDIFF takes two points in time of one kind, not \(start) and \(end)", hint: "Cast one to the type of the other.")
        }
        /// Milliseconds since 1970.
        @inline(__always)
        func milliseconds(_ value: Int64, _ steps: Int64?) -> Int64 { steps.map { value.rescaled(from: $0, to: 1000) } ?? value &* 86_400_000 }
        let startSteps = start.stepsPerSecond
        let endSteps = end.stepsPerSecond
        let isWide = type.kind == .bigInt
        @inline(__always)
        func result(_ value: Int64) -> Int64 { isWide ? value : Int64(Int32(truncatingIfNeeded: value)) }
        if let months = unit.months {
            if case .time = start.kind, case .time = end.kind {
                // A time of day has no months: its milliseconds are taken for days.
                return { (arguments, count, _) in
                    TimeLoop.map(arguments[1], arguments[2], count, type) { from, to in
                        result(self.months(fromDay: milliseconds(from, startSteps), toDay: milliseconds(to, endSteps)) / months)
                    }
                }
            }
            return { (arguments, count, _) in
                TimeLoop.map(arguments[1], arguments[2], count, type) { from, to in
                    result(self.months(from: milliseconds(from, startSteps), to: milliseconds(to, endSteps)) / months)
                }
            }
        }
        guard let nanoseconds = unit.nanoseconds else { throw MillstreamError(.plan, "TIMESTAMPDIFF cannot count in \(unit.rawValue)") }
        if nanoseconds < 1_000_000_000 {
            // Flink counts whole seconds, and makes the finer units of them.
            let factor = 1_000_000_000 / nanoseconds
            return { (arguments, count, _) in
                TimeLoop.map(arguments[1], arguments[2], count, type) { from, to in
                    result((milliseconds(to, endSteps).subtractingSaturating(milliseconds(from, startSteps)) / 1000) &* factor)
                }
            }
        }
        let length = nanoseconds / 1_000_000
        return { (arguments, count, _) in
            TimeLoop.map(arguments[1], arguments[2], count, type) { from, to in
                result(milliseconds(to, endSteps).subtractingSaturating(milliseconds(from, startSteps)) / length)
            }
        }
    }

    /// Whole months from one day to another: as many as can be added to the earlier one without passing the later.
    private static func months(fromDay from: Int64, toDay to: Int64) -> Int64 {
        if from > to { return -months(fromDay: to, toDay: from) }
        let first = CivilDate(days: from)
        let second = CivilDate(days: to)
        let count = (second.year &- first.year) &* 12 &+ second.month &- first.month
        // The last day of a shorter month stands for those that it does not have.
        return CivilDate.days(from, addingMonths: count) > to ? count &- 1 : count
    }

    /// Whole months from one instant in milliseconds to another. As in Flink, a later time of day takes one off also where the months are negative.
    static func months(from: Int64, to: Int64) -> Int64 {
        let fromDay = CivilDate.quotient(from, 86_400_000)
        let toDay = CivilDate.quotient(to, 86_400_000)
        let count = months(fromDay: fromDay, toDay: toDay)
        let isShort = CivilDate.remainder(to, 86_400_000) < CivilDate.remainder(from, 86_400_000)
        return isShort && CivilDate.days(fromDay, addingMonths: count) == toDay ? count &- 1 : count
    }

    // MARK: OVERLAPS

    /// `(a, b) OVERLAPS (c, d)`, where the second of each pair may be an interval: whether the spans, ends included, have a point in common.
    static func prepareOverlaps(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let types = request.arguments
        guard types.count == 4 else { throw .internal("OVERLAPS takes four arguments") }
        let type = request.type
        /// In nanoseconds of 128 bits, so that nothing overflows: the points of the two spans may have different units.
        @inline(__always)
        func nanoseconds(_ value: Int64, _ type: DataType) -> Int128 {
            type.kind == .date ? Int128(value) * 86_400_000_000_000 : Int128(value) * Int128(1_000_000_000 / (type.stepsPerSecond ?? 1_000_000_000))
        }
        func point(_ operands: [Operand], _ first: Int, _ row: Int) -> (Int128?, Int128?) {
            func value(_ index: Int) -> Int64? {
                let operand = operands[index]
                let at = operand.isConstant ? 0 : row
                return operand.column.isNull(at) ? nil : operand.column.pointer(as: Int64.self)[at]
            }
            let start = value(first)
            guard let end = value(first + 1) else { return (start.map { nanoseconds($0, types[first]) }, nil) }
            guard let start else {
                switch types[first + 1].kind {
                case .intervalDayTime, .intervalYearMonth: return (nil, nil)
                default: return (nil, nanoseconds(end, types[first + 1]))
                }
            }
            let from = nanoseconds(start, types[first])
            switch types[first + 1].kind {
            case .intervalDayTime: return (from, from + nanoseconds(end, types[first + 1]))
            case .intervalYearMonth: return (from, nanoseconds(add(months: end, to: start, types[first], types[first]), types[first]))
            default: return (from, nanoseconds(end, types[first + 1]))
            }
        }
        return { (arguments, count, _) in
            let operands = arguments.map(TimeLoop.widened)
            let values = Buffer.zeroed(byteCount: Validity.wordByteCount(count))
            let validity = Buffer.zeroed(byteCount: Validity.wordByteCount(count))
            var hasNulls = false
            for row in 0..<count {
                let (a, b) = point(operands, 0, row)
                let (c, d) = point(operands, 2, row)
                // Each span from its earlier to its later end; where that is unknown, from the second to the first.
                let isFirstOrdered = a.flatMap { a in b.map { a <= $0 } } ?? false
                let isSecondOrdered = c.flatMap { c in d.map { c <= $0 } } ?? false
                let (start, end) = isFirstOrdered ? (a, b) : (b, a)
                let (otherStart, otherEnd) = isSecondOrdered ? (c, d) : (d, c)
                let left = end.flatMap { end in otherStart.map { end >= $0 } }
                let right = otherEnd.flatMap { other in start.map { other >= $0 } }
                if left == nil || right == nil, left != false, right != false {
                    hasNulls = true
                    continue
                }
                Bits.set(validity.base, row)
                if left == true, right == true { Bits.set(values.base, row) }
            }
            withExtendedLifetime(operands) {}
            return Operand(Column(type: type, count: count, validity: hasNulls ? validity : nil, values: values))
        }
    }
}
