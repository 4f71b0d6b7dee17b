import Columnar
import Plan

/// EXTRACT, and the functions that are short for it (YEAR, HOUR, DAYOFWEEK, ...).
///
/// Flink divides the milliseconds since 1970 without rounding down: before 1970 the parts of a day are negative, and a day that has begun is the next one.
enum TimeExtract {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        guard request.arguments.count == 2 else { throw .internal("EXTRACT takes a unit and a value") }
        let unit = try CalendarUnit(request)
        let source = request.arguments[1]
        let type = request.type
        func refused() -> MillstreamError { MillstreamError(.plan, "EXTRACT: \(unit.rawValue) cannot be taken from a value of type \(source)") }
        switch source.kind {
        case .null: return { (_, _, _) in .null(type) }
        case .timestamp, .timestampLTZ:
            let steps = source.stepsPerSecond ?? 1
            let isInstant = source.isTimestampLTZ
            return { (arguments, count, context) throws(MillstreamError) in
                var operand = arguments[1]
                if operand.isNullConstant { return .null(type) }
                if isInstant { operand = operand.local(operand.isConstant ? 1 : count, steps, try Zone.named(context.timeZone), isLegacy: true) }
                return timestamp(unit, operand, count, steps, type)
            }
        case .date:
            if unit == .microsecond || unit == .nanosecond { throw refused() }
            return { (arguments, count, _) in date(unit, arguments[1], count, type) }
        case .time:
            guard let length = divisor(unit) else { throw refused() }
            let steps = source.stepsPerSecond ?? 1
            return { (arguments, count, _) in
                TimeLoop.map(arguments[1], count, type) { value in value.rescaled(from: steps, to: 1000) % length.modulus / length.divisor }
            }
        case .intervalDayTime:
            let steps = source.stepsPerSecond ?? 1
            guard let length = unit == .day ? (modulus: Int64.max, divisor: 86_400_000) : divisor(unit), unit != .microsecond, unit != .nanosecond else { throw refused() }
            return { (arguments, count, _) in
                TimeLoop.map(arguments[1], count, type) { value in truncated(value, steps) % length.modulus / length.divisor }
            }
        case .intervalYearMonth:
            switch unit {
            case .year: return { (arguments, count, _) in TimeLoop.map(arguments[1], count, type) { $0 / 12 } }
            case .month: return { (arguments, count, _) in TimeLoop.map(arguments[1], count, type) { $0 % 12 } }
            case .quarter: return { (arguments, count, _) in TimeLoop.map(arguments[1], count, type) { $0 % 12 / 3 &+ 1 } }
            case .century: return { (arguments, count, _) in TimeLoop.map(arguments[1], count, type) { $0 / 1200 } }
            case .millennium: return { (arguments, count, _) in TimeLoop.map(arguments[1], count, type) { $0 / 12_000 } }
            default: throw refused()
            }
        default: throw refused()
        }
    }

    /// Of milliseconds: what a part of a day is the remainder of, and then a multiple of.
    private static func divisor(_ unit: CalendarUnit) -> (modulus: Int64, divisor: Int64)? {
        switch unit {
        case .hour: (86_400_000, 3_600_000)
        case .minute: (3_600_000, 60_000)
        case .second: (60_000, 1_000)
        case .millisecond: (1_000, 1)
        default: nil
        }
    }

    /// Milliseconds of a duration, towards zero.
    @inline(__always)
    private static func truncated(_ value: Int64, _ steps: Int64) -> Int64 {
        steps < 1000 ? value.multipliedSaturating(1000 / steps) : value / (steps / 1000)
    }

    private static func timestamp(_ unit: CalendarUnit, _ operand: Operand, _ count: Int, _ steps: Int64, _ type: DataType) -> Operand {
        @inline(__always)
        func milliseconds(_ body: (Int64) -> Int64) -> Operand {
            switch steps {
            case 1: TimeLoop.map(operand, count, type) { body($0.multipliedSaturating(1000)) }
            case 1_000: TimeLoop.map(operand, count, type, body)
            case 1_000_000: TimeLoop.map(operand, count, type) { body(CivilDate.quotient($0, 1_000)) }
            default: TimeLoop.map(operand, count, type) { body(CivilDate.quotient($0, 1_000_000)) }
            }
        }
        switch unit {
        case .hour: return milliseconds { $0 % 86_400_000 / 3_600_000 }
        case .minute: return milliseconds { $0 % 3_600_000 / 60_000 }
        case .second: return milliseconds { $0 % 60_000 / 1_000 }
        case .millisecond: return milliseconds { $0 % 1_000 }
        case .epoch: return milliseconds { $0 / 1_000 }
        case .microsecond, .nanosecond:
            let perMilli: Int64 = unit == .microsecond ? 1_000 : 1_000_000
            return TimeLoop.map(operand, count, type) { value in
                let milliseconds = value.rescaled(from: steps, to: 1000)
                let rest = steps <= 1000 ? 0 : (value &- milliseconds &* (steps / 1000)) &* (1_000_000_000 / steps)
                return milliseconds % 1000 &* perMilli &+ (unit == .microsecond ? rest / 1000 : rest)
            }
        default: return milliseconds { calendar(unit, $0 / 86_400_000) }
        }
    }

    private static func date(_ unit: CalendarUnit, _ operand: Operand, _ count: Int, _ type: DataType) -> Operand {
        switch unit {
        // A date has no time of day; Flink takes the number of its days for milliseconds.
        case .hour: TimeLoop.map(operand, count, type) { $0 % 86_400_000 / 3_600_000 }
        case .minute: TimeLoop.map(operand, count, type) { $0 % 3_600_000 / 60_000 }
        case .second: TimeLoop.map(operand, count, type) { $0 % 60_000 / 1_000 }
        case .millisecond: TimeLoop.map(operand, count, type) { $0 % 1_000 }
        case .epoch: TimeLoop.map(operand, count, type) { $0 &* 86_400 }
        default: TimeLoop.map(operand, count, type) { calendar(unit, $0) }
        }
    }

    /// What a day is in the calendar.
    @inline(__always)
    private static func calendar(_ unit: CalendarUnit, _ days: Int64) -> Int64 {
        switch unit {
        case .year: return CivilDate(days: days).year
        case .quarter: return (CivilDate(days: days).month &+ 2) / 3
        case .month: return CivilDate(days: days).month
        case .day: return CivilDate(days: days).day
        case .dayOfYear: return CivilDate.dayOfYear(days: days)
        case .dayOfWeek: return CivilDate.isoWeekday(days: days) % 7 &+ 1
        case .isoDayOfWeek: return CivilDate.isoWeekday(days: days)
        case .week, .isoWeek: return CivilDate.isoWeek(days: days).week
        case .isoYear: return CivilDate.isoWeek(days: days).year
        case .decade: return CivilDate(days: days).year / 10
        case .century:
            let year = CivilDate(days: days).year
            return year > 0 ? (year &+ 99) / 100 : (year &- 99) / 100
        case .millennium:
            let year = CivilDate(days: days).year
            return year > 0 ? (year &+ 999) / 1000 : (year &- 999) / 1000
        default: return 0
        }
    }
}
