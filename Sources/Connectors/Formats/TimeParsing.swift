/// Dates and times from text, without a String: SQL's form and ISO-8601's.

/// What a text of hours, minutes, seconds and a fraction says: seconds since midnight, and nanoseconds.
struct ParsedTime {
    var seconds: Int64 = 0
    var nanoseconds: Int64 = 0
    /// How many bytes it took.
    var length = 0
}

/// Two digits; 0xFF...: not digits.
@inline(__always)
private func pair(_ text: UnsafePointer<UInt8>) -> Int64 {
    let tens = text[0] &- 0x30
    let ones = text[1] &- 0x30
    return tens <= 9 && ones <= 9 ? Int64(tens &* 10 &+ ones) : .min
}

/// `yyyy-MM-dd` at the start of a text of at least ten bytes: days since the epoch.
@inline(__always)
private func parseDatePrefix(_ text: UnsafePointer<UInt8>) -> Int64? {
    let (century, year, month, day) = (pair(text), pair(text + 2), pair(text + 5), pair(text + 8))
    guard text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-") else { return nil }
    guard century >= 0, year >= 0, month >= 1, month <= 12, day >= 1 else { return nil }
    let fullYear = century &* 100 &+ year
    guard day <= 28 || day <= daysInMonth(fullYear, month) else { return nil }
    return daysSinceEpoch(year: fullYear, month: month, day: day)
}

private func daysInMonth(_ year: Int64, _ month: Int64) -> Int64 {
    switch month {
    case 4, 6, 9, 11: 30
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    default: 31
    }
}

/// A DATE: `yyyy-MM-dd`.
@inline(__always)
func parseDate(_ text: UnsafePointer<UInt8>, _ count: Int, _ days: inout Int64) -> ParseFailure? {
    guard count == 10, let value = parseDatePrefix(text) else { return .malformed }
    days = value
    return nil
}

/// `HH:mm[:ss[.fraction]]` at the start of a text.
@inline(__always)
private func parseTimePrefix(_ text: UnsafePointer<UInt8>, _ count: Int) -> ParsedTime? {
    guard count >= 5 else { return nil }
    let (hours, minutes) = (pair(text), pair(text + 3))
    guard hours >= 0, hours <= 23, minutes >= 0, minutes <= 59, text[2] == UInt8(ascii: ":") else { return nil }
    var time = ParsedTime(seconds: hours &* 3_600 &+ minutes &* 60, length: 5)
    guard count >= 8, text[5] == UInt8(ascii: ":") else { return time }
    let seconds = pair(text + 6)
    guard seconds >= 0, seconds <= 59 else { return nil }
    time.seconds &+= seconds
    time.length = 8
    guard count > 9, text[8] == UInt8(ascii: ".") else { return time }
    var index = 9
    var unit: Int64 = 100_000_000
    while index < count {
        let digit = text[index] &- 0x30
        guard digit <= 9 else { break }
        guard index < 18 else { return nil }
        time.nanoseconds &+= Int64(digit) &* unit
        unit /= 10
        index &+= 1
    }
    guard index > 9 else { return nil }
    time.length = index
    return time
}

/// A TIME in units of `1 / perSecond` seconds; finer digits are cut off.
func parseTime(_ text: UnsafePointer<UInt8>, _ count: Int, perSecond: Int64, _ value: inout Int64) -> ParseFailure? {
    guard let time = parseTimePrefix(text, count), time.length == count else { return .malformed }
    value = time.seconds &* perSecond &+ time.nanoseconds / (1_000_000_000 / perSecond)
    return nil
}

/// A timestamp: a date, a space or `T`, and a time; with `hasZone` an optional `Z` or `±HH:mm` behind it (without one it is UTC).
@inline(__always)
func parseTimestamp(
    _ text: UnsafePointer<UInt8>, _ count: Int, perSecond: Int64, hasZone: Bool, _ value: inout Int64
) -> ParseFailure? {
    guard count >= 16, let days = parseDatePrefix(text) else { return .malformed }
    guard text[10] == UInt8(ascii: " ") || text[10] == UInt8(ascii: "T") else { return .malformed }
    guard let time = parseTimePrefix(text + 11, count &- 11) else { return .malformed }
    var seconds = days &* 86_400 &+ time.seconds
    let rest = count &- 11 &- time.length
    if rest > 0 {
        guard hasZone, let offset = parseOffset(text + count - rest, rest) else { return .malformed }
        seconds &-= offset
    }
    let (scaled, overflow) = seconds.multipliedReportingOverflow(by: perSecond)
    guard !overflow else { return .outOfRange }
    value = scaled.addingSaturating(time.nanoseconds / (1_000_000_000 / perSecond))
    return nil
}

/// `Z`, `+HH:mm`, `+HHmm` or `+HH`, in seconds.
private func parseOffset(_ text: UnsafePointer<UInt8>, _ count: Int) -> Int64? {
    if count == 1 { return text[0] == UInt8(ascii: "Z") ? 0 : nil }
    guard text[0] == UInt8(ascii: "+") || text[0] == UInt8(ascii: "-"), count == 3 || count == 5 || count == 6 else { return nil }
    let hours = pair(text + 1)
    let minutes = count == 3 ? 0 : pair(text + (count == 6 ? 4 : 3))
    guard hours >= 0, hours <= 18, minutes >= 0, minutes <= 59, count != 6 || text[3] == UInt8(ascii: ":") else { return nil }
    let offset = hours &* 3_600 &+ minutes &* 60
    return text[0] == UInt8(ascii: "-") ? -offset : offset
}
