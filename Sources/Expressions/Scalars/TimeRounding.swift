import Columnar
import Plan

/// FLOOR and CEIL of points in time to a unit, as Flink has them.
///
/// From weeks on it counts days without rounding down, so that an hour before 1970 belongs to the next day; days before 15 October 1582 are taken for Julian ones; the
/// unit that follows a whole quarter or decade is the next one; and a part of a month's first day is that month's first. A time of day has no such units: its milliseconds
/// are taken for days.
enum TimeRounding {
    static func prepare(_ request: KernelRequest, isCeil: Bool) throws(MillstreamError) -> Kernel {
        guard request.arguments.count == 2 else { throw .internal("FLOOR and CEIL take a unit and a value") }
        let unit = try CalendarUnit(request)
        let source = request.arguments[1]
        let type = request.type
        let name = isCeil ? "CEIL" : "FLOOR"
        switch unit {
        case .millennium, .century, .decade, .year, .quarter, .month, .week, .day, .hour, .minute, .second, .millisecond: break
        default: throw MillstreamError(.plan, "\(name) cannot go to \(unit.rawValue)", hint: "The finest unit is MILLISECOND, the others are SECOND to MILLENNIUM.")
        }
        let isCalendar = unit.months != nil || unit == .week
        switch source.kind {
        case .null: return { (_, _, _) in .null(type) }
        case .date:
            guard isCalendar || unit == .day else { return { (arguments, _, _) in arguments[1].typed(type) } }
            return { (arguments, count, _) in TimeLoop.map(arguments[1], count, type) { days($0, unit, isCeil) } }
        case .time:
            let steps = source.stepsPerSecond ?? 1
            if isCalendar || unit == .day {
                let day = 86_400 * steps
                return { (arguments, count, _) in
                    TimeLoop.map(arguments[1], count, type) { value in
                        CivilDate.remainder(days(value.rescaled(from: steps, to: 1000), unit, isCeil).rescaled(from: 1000, to: steps), day)
                    }
                }
            }
            let length = max(1, (unit.nanoseconds ?? 1) / (1_000_000_000 / steps))
            return { (arguments, count, _) in TimeLoop.map(arguments[1], count, type) { rounded($0, length, isCeil) } }
        case .timestamp, .timestampLTZ:
            let steps = source.stepsPerSecond ?? 1
            let length = max(1, (unit.nanoseconds ?? 1) / (1_000_000_000 / steps))
            guard source.isTimestampLTZ, isCalendar || unit == .day || unit == .hour else {
                return { (arguments, count, _) in
                    isCalendar
                        ? TimeLoop.map(arguments[1], count, type) { calendar($0, steps, unit, isCeil) }
                        : TimeLoop.map(arguments[1], count, type) { rounded($0, length, isCeil) }
                }
            }
            return { (arguments, count, context) throws(MillstreamError) in
                var zone = LegacyZone(try Zone.named(context.timeZone))
                return TimeLoop.map(arguments[1], count, type) { value in
                    // The offset of the instant itself counts, also where the unit began by another.
                    let offset = zone.offset(at: CivilDate.quotient(value, steps)) &* steps
                    let local = value.addingSaturating(offset)
                    let result = isCalendar ? calendar(local, steps, unit, isCeil) : rounded(local, length, isCeil)
                    return result.subtractingSaturating(offset)
                }
            }
        default: throw MillstreamError(.plan, "\(name) cannot take a value of type \(source) to \(unit.rawValue)")
        }
    }

    /// A multiple of `length` steps; beyond Int64 the nearest bound.
    @inline(__always)
    private static func rounded(_ value: Int64, _ length: Int64, _ isCeil: Bool) -> Int64 {
        let rest = CivilDate.remainder(value, length)
        if isCeil { return rest == 0 ? value : value.addingSaturating(length &- rest) }
        return value.subtractingSaturating(rest)
    }

    @inline(__always)
    private static func calendar(_ value: Int64, _ steps: Int64, _ unit: CalendarUnit, _ isCeil: Bool) -> Int64 {
        let milliseconds = value.rescaled(from: steps, to: 1000)
        return days(milliseconds / 86_400_000, unit, isCeil).multipliedSaturating(86_400 &* steps)
    }

    /// The first day of the unit that a day belongs to, or of the next one.
    @inline(__always)
    private static func days(_ days: Int64, _ unit: CalendarUnit, _ isCeil: Bool) -> Int64 {
        let date = CivilDate(hybridDays: days)
        let year = date.year
        switch unit {
        case .millennium: return first((year &+ 999) / 1000 &* 1000 &+ (isCeil ? 1 : -999))
        case .century: return first((year &+ 99) / 100 &* 100 &+ (isCeil ? 1 : -99))
        case .decade: return first((year / 10 &+ (isCeil ? 1 : 0)) &* 10)
        case .year: return first(isCeil && (date.month > 1 || date.day > 1) ? year &+ 1 : year)
        case .quarter:
            var quarter = (date.month &+ 2) / 3
            if isCeil, date.month > 1 || date.day > 1 { quarter &+= 1 }
            return quarter == 5 ? first(year &+ 1) : CivilDate.days(year: year, month: quarter &* 3 &- 2, day: 1)
        case .month:
            let month = isCeil && date.day > 1 ? date.month &+ 1 : date.month
            return month == 13 ? first(year &+ 1) : CivilDate.days(year: year, month: month, day: 1)
        case .week:
            let ahead = CivilDate.isoWeekday(days: days) % 7
            return date.days &- (isCeil && ahead > 0 ? ahead &- 7 : ahead)
        default: return isCeil ? date.days &+ 1 : date.days
        }
    }

    @inline(__always)
    private static func first(_ year: Int64) -> Int64 { CivilDate.days(year: year, month: 1, day: 1) }
}
