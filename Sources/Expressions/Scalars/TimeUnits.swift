import Columnar

/// What EXTRACT, FLOOR, CEIL, TIMESTAMPADD and TIMESTAMPDIFF count in.
enum CalendarUnit: String {
    case millennium = "MILLENNIUM", century = "CENTURY", decade = "DECADE", year = "YEAR", isoYear = "ISOYEAR", quarter = "QUARTER", month = "MONTH", week = "WEEK"
    case isoWeek = "ISOWEEK", day = "DAY", dayOfWeek = "DOW", isoDayOfWeek = "ISODOW", dayOfYear = "DOY", hour = "HOUR", minute = "MINUTE", second = "SECOND"
    case millisecond = "MILLISECOND", microsecond = "MICROSECOND", nanosecond = "NANOSECOND", epoch = "EPOCH"

    /// The unit that a call names: also `SQL_TSI_DAY`, plurals and `FRAC_SECOND`. Throws `plan` for what is none.
    init(_ request: KernelRequest, _ index: Int = 0) throws(MillstreamError) {
        let text = request.text(index)?.uppercased() ?? ""
        var name = text.hasPrefix("SQL_TSI_") ? String(text.dropFirst(8)) : text
        if name == "FRAC_SECOND" { name = "MICROSECOND" }
        if CalendarUnit(rawValue: name) == nil, name.hasSuffix("S") { name.removeLast() }
        guard let unit = CalendarUnit(rawValue: name) else {
            throw MillstreamError(.plan, "'\(text)' is not a unit of time", hint: "Units are YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE, SECOND, MILLISECOND and others.")
        }
        self = unit
    }

    /// Whole months, for units that are counted in them.
    var months: Int64? {
        switch self {
        case .millennium: 12_000
        case .century: 1_200
        case .decade: 120
        case .year: 12
        case .quarter: 3
        case .month: 1
        default: nil
        }
    }

    /// Nanoseconds, for units of a fixed length.
    var nanoseconds: Int64? {
        switch self {
        case .week: 604_800_000_000_000
        case .day: 86_400_000_000_000
        case .hour: 3_600_000_000_000
        case .minute: 60_000_000_000
        case .second: 1_000_000_000
        case .millisecond: 1_000_000
        case .microsecond: 1_000
        case .nanosecond: 1
        default: nil
        }
    }
}

extension DataType {
    /// How many steps of a time's, a timestamp's or a duration's number make a second.
    var stepsPerSecond: Int64? {
        switch kind {
        case .time(let precision), .timestamp(let precision), .timestampLTZ(let precision), .intervalDayTime(let precision):
            TimeUnit(precision: precision).perSecond
        default: nil
        }
    }

    /// How many steps a value of fewer digits than the unit has is rounded down to: 10 for TIMESTAMP(5).
    var precisionSteps: Int64 {
        switch kind {
        case .time(let precision), .timestamp(let precision), .timestampLTZ(let precision):
            switch precision {
            case 1, 4, 7: 100
            case 2, 5, 8: 10
            default: 1
            }
        default: 1
        }
    }

    var isTimestampLTZ: Bool {
        if case .timestampLTZ = kind { return true }
        return false
    }
}

extension Int64 {
    /// The product, or the nearest bound where it overflows.
    @inline(__always)
    func multipliedSaturating(_ other: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? ((self < 0) == (other < 0) ? .max : .min) : product
    }

    /// Steps of one unit as steps of another, rounded down; the nearest bound where they are too many.
    @inline(__always)
    func rescaled(from steps: Int64, to others: Int64) -> Int64 {
        steps == others ? self : steps < others ? multipliedSaturating(others / steps) : CivilDate.quotient(self, steps / others)
    }
}

/// Loops over values of one argument.
enum TimeLoop {
    /// The integer at a row of a column of 1 to 8 bytes.
    @inline(__always)
    static func forEach(_ operand: Operand, _ count: Int, _ body: (Int, Int64) -> Void) {
        switch operand.column.type.layout {
        case .fixed(1):
            let values = Values<Int8>(operand)
            for row in 0..<count { body(row, Int64(values[row])) }
        case .fixed(2):
            let values = Values<Int16>(operand)
            for row in 0..<count { body(row, Int64(values[row])) }
        case .fixed(4):
            let values = Values<Int32>(operand)
            for row in 0..<count { body(row, Int64(values[row])) }
        case .fixed(8):
            let values = Values<Int64>(operand)
            for row in 0..<count { body(row, values[row]) }
        default: break
        }
        withExtendedLifetime(operand.column) {}
    }

    /// One argument's integers as 64 bits, for kernels of several.
    static func widened(_ operand: Operand) -> Operand {
        let column = operand.column
        guard case .fixed(let width) = column.type.layout, width < 8 else { return operand }
        let result = Buffer(byteCount: 8 * column.count)
        let target = result.pointer(as: Int64.self)
        forEach(Operand(column), column.count) { row, value in target[row] = value }
        let validity = column.mayHaveNulls ? Validity.ofAll([Operand(column)], count: column.count) : nil
        return Operand(Column(type: .bigInt, count: column.count, validity: validity, values: result), isConstant: operand.isConstant)
    }

    /// A column of `type` with `body` of each value; null where the argument is. Results are 32 bits wide where the type is, and wrap.
    @inline(__always)
    static func map(_ operand: Operand, _ count: Int, _ type: DataType, _ body: (Int64) -> Int64) -> Operand {
        if operand.isNullConstant { return .null(type) }
        let count = operand.isConstant ? 1 : count
        let validity = Validity.ofAll([Operand(operand.column)], count: count)
        let isNarrow = type.layout == .fixed(byteWidth: 4)
        let result = Buffer(byteCount: (isNarrow ? 4 : 8) * count)
        if isNarrow {
            let target = result.pointer(as: Int32.self)
            forEach(operand, count) { row, value in target[row] = Int32(truncatingIfNeeded: body(value)) }
        } else {
            let target = result.pointer(as: Int64.self)
            forEach(operand, count) { row, value in target[row] = body(value) }
        }
        return Operand(Column(type: type, count: count, validity: validity, values: result), isConstant: operand.isConstant)
    }

    /// A column of `type` with `body` of each pair; null where one of the two is.
    @inline(__always)
    static func map(_ left: Operand, _ right: Operand, _ count: Int, _ type: DataType, _ body: (Int64, Int64) -> Int64) -> Operand {
        if left.isNullConstant || right.isNullConstant { return .null(type) }
        let validity = Validity.ofAll([left, right], count: count)
        let leftOperand = widened(left)
        let leftValues = Values<Int64>(leftOperand)
        let rightOperand = widened(right)
        let rightValues = Values<Int64>(rightOperand)
        let isNarrow = type.layout == .fixed(byteWidth: 4)
        let result = Buffer(byteCount: (isNarrow ? 4 : 8) * count)
        if isNarrow {
            mapPairs(leftValues, rightValues, count, result.pointer(as: Int32.self)) { Int32(truncatingIfNeeded: body($0, $1)) }
        } else {
            mapPairs(leftValues, rightValues, count, result.pointer(as: Int64.self), body)
        }
        withExtendedLifetime((leftOperand.column, rightOperand.column)) {}
        return Operand(Column(type: type, count: count, validity: validity, values: result))
    }
}
