import Columnar
import Plan

/// Casts of text to DATE, TIME, TIMESTAMP and TIMESTAMP_LTZ, each with the forms that Flink's CAST takes.
enum CastsFromTimeText {
    static func step(to target: DataType) -> CastStep? {
        switch target.kind {
        case .date: return CastsFromText.parsing(target, 0 as Int32) { bytes in date(bytes).map { Int32(truncatingIfNeeded: $0) } }
        case .time(let precision):
            let step = Units.power(max(3 - precision, 0))
            if precision <= 3 {
                let divisor = precision == 0 ? 1_000 : 1 as Int64
                return CastsFromText.parsing(target, 0 as Int32) { bytes in
                    time(bytes).map { Int32(truncatingIfNeeded: ($0 &- $0 % step) / divisor) }
                }
            }
            let factor = Units(precision).perSecond / 1_000
            return CastsFromText.parsing(target, 0 as Int64) { bytes in time(bytes).map { $0 &* factor } }
        case .timestamp(let precision):
            let units = Units(precision)
            return CastsFromText.parsing(target, 0 as Int64) { bytes in timestamp(bytes).map { value(of: $0.seconds, $0.nanoseconds, units, precision) } }
        case .timestampLTZ(let precision):
            let units = Units(precision)
            return { (column, count, failures, context) throws(MillstreamError) in
                var zone = ZoneCursor(try Zone.named(context.timeZone))
                let views = ViewReader(column)
                let buffer = Buffer(byteCount: 8 * count)
                let values = buffer.pointer(as: Int64.self)
                for row in 0..<count {
                    values[row] = 0
                    if column.isNull(row) { continue }
                    if let local = timestamp(views[row]) {
                        values[row] = value(of: zone.instant(local.seconds), local.nanoseconds, units, precision)
                    } else {
                        try failures.note(row, CastFailures.unreadable(views[row], target))
                    }
                }
                return Column(type: target, count: count, validity: Validity.ofAll([Operand(column)], count: count), values: buffer)
            }
        default: return nil
        }
    }

    private static func value(of seconds: Int64, _ nanoseconds: Int64, _ units: Units, _ precision: Int) -> Int64 {
        let step = Units.power(9 - precision)
        return units.ofSeconds(seconds).addingSaturating((nanoseconds &- nanoseconds % step) / units.nanoseconds)
    }

    /// `2024`, `2024-2` or `2024-02-29`, perhaps with spaces around the parts; what follows a space behind them does not count. Years 0 to 9999.
    static func date(_ text: UnsafeRawBufferPointer) -> Int64? {
        var end = text.count
        if let space = text.firstIndex(of: 0x20), space > 0 { end = space }
        var reader = TimeReader(UnsafeRawBufferPointer(rebasing: text[0..<end]))
        guard let year = reader.part(), year <= 9999 else { return nil }
        var month: Int64 = 1
        var day: Int64 = 1
        if reader.take(UInt8(ascii: "-")) {
            guard let number = reader.part() else { return nil }
            month = number
            if reader.take(UInt8(ascii: "-")) {
                guard let number = reader.part() else { return nil }
                day = number
            }
        }
        guard reader.isAtEnd, month >= 1, month <= 12, day >= 1, day <= CivilDate.daysInMonth(year: year, month: month) else { return nil }
        return CivilDate.days(year: year, month: month, day: day)
    }

    /// `13`, `13:45`, `13:45:56` or `13:45:56.789`, in milliseconds of the day, rounded to them; what follows the digits of the fraction does not count. `+01` or `+01:00`
    /// behind the hour or the second is added.
    static func time(_ text: UnsafeRawBufferPointer) -> Int64? {
        var end = text.count
        var shift: Int64 = 0
        if let sign = text.firstIndex(of: UInt8(ascii: "-")) ?? text.firstIndex(of: UInt8(ascii: "+")) {
            end = sign
            var reader = TimeReader(UnsafeRawBufferPointer(rebasing: text[(sign + 1)...]))
            guard let hours = reader.part(), hours <= 99 else { return nil }
            shift = hours &* 60
            if reader.take(UInt8(ascii: ":")) {
                guard let minutes = reader.part(), minutes <= 99 else { return nil }
                shift &+= minutes
            }
            guard reader.isAtEnd else { return nil }
            if text[sign] == UInt8(ascii: "-") { shift = -shift }
        }
        var reader = TimeReader(UnsafeRawBufferPointer(rebasing: text[0..<end]))
        guard let hour = reader.part(), hour <= 23 else { return nil }
        var milliseconds = hour &* 3_600_000
        if reader.take(UInt8(ascii: ":")) {
            guard let minute = reader.part(), minute <= 59 else { return nil }
            milliseconds &+= minute &* 60_000
            if reader.take(UInt8(ascii: ":")) {
                guard let second = reader.part(), second <= 59 else { return nil }
                milliseconds &+= second &* 1_000
                if reader.take(UInt8(ascii: ".")) {
                    reader.skipSpaces()
                    milliseconds &+= ((reader.fraction(atMost: Int.max) ?? 0) &+ 500_000) / 1_000_000
                    reader.skipRest()
                }
            } else if end < text.count {
                return nil
            }
        }
        guard reader.isAtEnd else { return nil }
        let day: Int64 = 86_400_000
        if shift == 0 { return min(milliseconds, day - 1) }
        let shifted = (milliseconds &+ shift &* 60_000) % day
        return shifted < 0 ? shifted &+ day : shifted
    }

    /// `2024-02-29` or `2024-02-29 13:45:56`, with up to nine digits behind the second; months to seconds may have one digit. A day behind its month's end, up to
    /// 31, is the month's last.
    static func timestamp(_ text: UnsafeRawBufferPointer) -> (seconds: Int64, nanoseconds: Int64)? {
        var reader = TimeReader(text)
        guard let year = reader.digits(4, 4), year >= 1, reader.take(UInt8(ascii: "-")), let month = reader.digits(1, 2), month >= 1, month <= 12,
            reader.take(UInt8(ascii: "-")), let day = reader.digits(1, 2), day >= 1, day <= 31
        else { return nil }
        let days = CivilDate.days(year: year, month: month, day: min(day, CivilDate.daysInMonth(year: year, month: month)))
        var seconds = days &* 86_400
        if reader.isAtEnd { return (seconds, 0) }
        guard reader.take(0x20), let hour = reader.digits(1, 2), reader.take(UInt8(ascii: ":")), let minute = reader.digits(1, 2), minute <= 59,
            reader.take(UInt8(ascii: ":")), let second = reader.digits(1, 2), second <= 59
        else { return nil }
        var nanoseconds: Int64 = 0
        if reader.take(UInt8(ascii: ".")) {
            guard let fraction = reader.fraction(atMost: 9) else { return nil }
            nanoseconds = fraction
        }
        // 24:00:00 is the end of the day.
        guard reader.isAtEnd, hour <= 23 || hour == 24 && minute == 0 && second == 0 && nanoseconds == 0 else { return nil }
        seconds &+= hour &* 3600 &+ minute &* 60 &+ second
        return (seconds, nanoseconds)
    }
}

/// Reads the numbers of a date or a time.
private struct TimeReader {
    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { index == bytes.count }

    mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index &+= 1
        return true
    }

    mutating func skipSpaces() {
        while index < bytes.count, bytes[index] <= 0x20 { index &+= 1 }
    }

    mutating func skipRest() { index = bytes.count }

    /// `least` to `most` digits.
    mutating func digits(_ least: Int, _ most: Int) -> Int64? {
        let start = index
        var value: Int64 = 0
        while index < bytes.count, index &- start < most, bytes[index] >= 0x30, bytes[index] <= 0x39 {
            value = value &* 10 &+ Int64(bytes[index] &- 0x30)
            index &+= 1
        }
        return index &- start < least ? nil : value
    }

    /// Any number of digits with white space around them; what has more than nine digits is too large for any part.
    mutating func part() -> Int64? {
        skipSpaces()
        let start = index
        var value: Int64 = 0
        while index < bytes.count, bytes[index] >= 0x30, bytes[index] <= 0x39 {
            value = min(value &* 10 &+ Int64(bytes[index] &- 0x30), 1_000_000_000)
            index &+= 1
        }
        guard index > start else { return nil }
        skipSpaces()
        return value
    }

    /// Digits behind a point as nanoseconds; the tenth and later do not count.
    mutating func fraction(atMost most: Int) -> Int64? {
        let start = index
        var value: Int64 = 0
        var scale: Int64 = 100_000_000
        while index < bytes.count, bytes[index] >= 0x30, bytes[index] <= 0x39 {
            guard index &- start < most else { return nil }
            value &+= Int64(bytes[index] &- 0x30) &* scale
            scale /= 10
            index &+= 1
        }
        return value
    }
}
