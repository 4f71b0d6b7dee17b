import Columnar

/// A pattern of `java.text.SimpleDateFormat`, which FROM_UNIXTIME, UNIX_TIMESTAMP, TO_DATE with a format, CONVERT_TZ and DATE_FORMAT of text go by.
///
/// It writes and reads instants by a zone and the calendar that is Julian before 15 October 1582; reading is lenient (the 32nd is the first of the next month) and stops
/// where the pattern ends.
struct LegacyPattern {
    struct Step: BitwiseCopyable {
        /// The pattern's letter; 0 for a literal.
        let letter: UInt8
        /// How often the letter stands there; of a literal its bytes' place.
        let count: Int32
        let end: Int32
    }

    private(set) var steps: [Step] = []
    private(set) var bytes: [UInt8] = []
    private(set) var byteCountMax = 0

    static let date = standard("yyyy-MM-dd")
    static let timestamp = standard("yyyy-MM-dd HH:mm:ss")

    private static func standard(_ pattern: String) -> LegacyPattern {
        do throws(MillstreamError) { return try LegacyPattern(pattern) } catch { preconditionFailure("the standard pattern compiles") }
    }

    /// Throws `plan` for what is no pattern, with Java's reason.
    init(_ pattern: String) throws(MillstreamError) {
        let letters = Array(pattern.utf8)
        var place = 0
        var literal = 0
        func isLetter(_ byte: UInt8) -> Bool { (byte >= 0x41 && byte <= 0x5A) || (byte >= 0x61 && byte <= 0x7A) }
        while place < letters.count {
            let byte = letters[place]
            if byte == 0x27 {
                place += 1
                if place < letters.count, letters[place] == 0x27 {
                    bytes.append(0x27)
                    place += 1
                    continue
                }
                while true {
                    guard place < letters.count else { throw MillstreamError(.plan, "unterminated quote in the pattern '\(pattern)'") }
                    if letters[place] == 0x27 {
                        guard place + 1 < letters.count, letters[place + 1] == 0x27 else { break }
                        place += 1
                    }
                    bytes.append(letters[place])
                    place += 1
                }
                place += 1
                continue
            }
            guard isLetter(byte) else {
                bytes.append(byte)
                place += 1
                continue
            }
            guard "GyMdkHmsSEDFwWahKzZYuXL".utf8.contains(byte) else {
                throw MillstreamError(.plan, "illegal pattern character '\(Character(Unicode.Scalar(byte)))'")
            }
            endLiteral(&literal)
            let start = place
            while place < letters.count, letters[place] == byte { place += 1 }
            if byte == 0x58, place - start > 3 { throw MillstreamError(.plan, "invalid ISO 8601 format: length=\(place - start)") }
            steps.append(Step(letter: byte, count: Int32(truncatingIfNeeded: place - start), end: 0))
            byteCountMax += max(place - start, 64)
        }
        endLiteral(&literal)
    }

    private mutating func endLiteral(_ start: inout Int) {
        guard bytes.count > start else { return }
        steps.append(Step(letter: 0, count: Int32(truncatingIfNeeded: start), end: Int32(truncatingIfNeeded: bytes.count)))
        byteCountMax += bytes.count - start
        start = bytes.count
    }
}

/// A zone as `java.util.TimeZone` has it: before 1900 there is today's standard time, and of a time that is there twice the second counts.
struct LegacyZone {
    private var cursor: ZoneCursor
    var zone: Zone { cursor.zone }

    /// 1900-01-01 00:00:00 UTC
    private static let first: Int64 = -2_208_988_800

    init(_ zone: Zone) { cursor = ZoneCursor(zone) }

    mutating func offset(at second: Int64) -> Int64 { second < LegacyZone.first ? cursor.zone.standardOffset : cursor.offset(at: second) }

    mutating func offset(ofLocal second: Int64) -> Int64 {
        let standard = cursor.zone.standardOffset
        return second &- standard < LegacyZone.first ? standard : cursor.offset(ofLocal: second, .later)
    }
}

/// Writes instants by a pattern into memory of its own.
struct LegacyPatternWriter: ~Copyable {
    private let pattern: LegacyPattern
    private var zone: LegacyZone
    private let base: UnsafeMutablePointer<UInt8>
    private var used = 0

    init(_ pattern: LegacyPattern, _ zone: Zone) {
        self.pattern = pattern
        self.zone = LegacyZone(zone)
        base = .allocate(capacity: pattern.byteCountMax + 64)
    }

    deinit { base.deallocate() }

    /// The text of an instant in milliseconds; valid until the next call.
    mutating func write(_ milliseconds: Int64) -> UnsafeRawBufferPointer {
        used = 0
        let offset = zone.offset(at: CivilDate.quotient(milliseconds, 1000))
        let local = milliseconds.addingSaturating(offset &* 1000)
        let days = CivilDate.quotient(local, 86_400_000)
        let milliOfDay = local &- days &* 86_400_000
        let date = CivilDate(hybridDays: days)
        let hour = milliOfDay / 3_600_000
        for step in pattern.steps {
            let count = Int(step.count)
            switch step.letter {
            case 0: for index in count..<Int(step.end) { put(pattern.bytes[index]) }
            case 0x79: year(date.year >= 1 ? date.year : 1 &- date.year, count)  // y
            case 0x59: year(week(days, date).year, count)  // Y
            case 0x47: text(TimeText.eras(.short)[date.year >= 1 ? 1 : 0])  // G
            case 0x4D, 0x4C:  // M, L
                if count >= 3 { name(TimeText.months[Int(date.month) - 1], isShort: count == 3) } else { number(date.month, count) }
            case 0x64: number(date.day, count)  // d
            case 0x6B: number(hour == 0 ? 24 : hour, count)  // k
            case 0x48: number(hour, count)  // H
            case 0x4B: number(hour % 12, count)  // K
            case 0x68: number(hour % 12 == 0 ? 12 : hour % 12, count)  // h
            case 0x6D: number(milliOfDay / 60_000 % 60, count)  // m
            case 0x73: number(milliOfDay / 1000 % 60, count)  // s
            case 0x53: number(milliOfDay % 1000, count)  // S
            case 0x45: name(TimeText.weekdays[Int(CivilDate.isoWeekday(days: days)) - 1], isShort: count < 4)  // E
            case 0x75: number(CivilDate.isoWeekday(days: days), count)  // u
            case 0x44: number(days &- CivilDate.hybridDays(year: date.year, month: 1, day: 1) &+ 1, count)  // D
            case 0x46: number((days &- CivilDate.hybridDays(year: date.year, month: date.month, day: 1)) / 7 &+ 1, count)  // F
            case 0x77: number(week(days, date).week, count)  // w
            case 0x57:  // W
                let first = CivilDate.hybridDays(year: date.year, month: date.month, day: 1)
                number((days &- first &+ CivilDate.isoWeekday(days: first) % 7) / 7 &+ 1, count)
            case 0x61: text(TimeText.halves[hour >= 12 ? 1 : 0])  // a
            case 0x7A: text(ZoneLabels.label(zone.zone, offset, isLong: count >= 4))  // z
            case 0x5A: self.offset(offset, form: 2, isZ: false)  // Z
            default: self.offset(offset, form: count, isZ: true)  // X
            }
        }
        return UnsafeRawBufferPointer(start: base, count: used)
    }

    /// Weeks begin on Sunday; the first of a year is that of 1 January.
    private func week(_ days: Int64, _ date: CivilDate) -> (year: Int64, week: Int64) {
        let first = CivilDate.hybridDays(year: date.year, month: 1, day: 1)
        let next = CivilDate.hybridDays(year: date.year &+ 1, month: 1, day: 1)
        if days >= next &- CivilDate.isoWeekday(days: next) % 7 { return (date.year &+ 1, 1) }
        return (date.year, (days &- first &+ CivilDate.isoWeekday(days: first) % 7) / 7 &+ 1)
    }

    private mutating func put(_ byte: UInt8) {
        base[used] = byte
        used &+= 1
    }

    private mutating func text(_ text: String) { for byte in text.utf8 { put(byte) } }

    private mutating func name(_ name: String, isShort: Bool) { for byte in isShort ? name.utf8.prefix(3) : name.utf8.prefix(20) { put(byte) } }

    private mutating func year(_ year: Int64, _ count: Int) { number(count == 2 ? year % 100 : year, count) }

    private mutating func number(_ value: Int64, _ width: Int) {
        let magnitude = value.magnitude
        if value < 0 { put(0x2D) }
        let length = max(width, TimePatternWriter.digitCount(magnitude))
        var rest = magnitude
        for place in stride(from: used &+ length &- 1, through: used, by: -1) {
            base[place] = UInt8(truncatingIfNeeded: 0x30 &+ rest % 10)
            rest /= 10
        }
        used &+= length
    }

    /// `+05`, `+0530` or `+05:30` for forms 1 to 3.
    private mutating func offset(_ seconds: Int64, form: Int, isZ: Bool) {
        if isZ, seconds == 0 { return put(0x5A) }
        put(seconds < 0 ? 0x2D : 0x2B)
        let minutes = abs(seconds) / 60
        number(minutes / 60, 2)
        if form == 1 { return }
        if form == 3 { put(0x3A) }
        number(minutes % 60, 2)
    }
}

/// What clocks of a zone are called, for the zones that are most in use; others go by their offset.
enum ZoneLabels {
    private struct Names {
        let standard: String
        let summer: String
        let longStandard: String
        let longSummer: String

        init(_ standard: String, _ summer: String, _ long: String, _ season: String = "Daylight") {
            self.standard = standard
            self.summer = summer
            longStandard = long + " Standard Time"
            longSummer = long + " " + season + " Time"
        }

        init(_ standard: String, _ summer: String, standard longStandard: String, summer longSummer: String) {
            (self.standard, self.summer, self.longStandard, self.longSummer) = (standard, summer, longStandard, longSummer)
        }
    }

    static func label(_ zone: Zone, _ offset: Int64, isLong: Bool) -> String {
        if ["UTC", "Etc/UTC"].contains(zone.name) { return isLong ? "Coordinated Universal Time" : "UTC" }
        if ["GMT", "Etc/GMT"].contains(zone.name) { return isLong ? "Greenwich Mean Time" : "GMT" }
        if let names = common[zone.name] {
            let isSummer = offset != zone.standardOffset
            return isLong ? (isSummer ? names.longSummer : names.longStandard) : isSummer ? names.summer : names.standard
        }
        let minutes = abs(offset) / 60
        func pair(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "GMT" + (offset < 0 ? "-" : "+") + pair(minutes / 60) + ":" + pair(minutes % 60)
    }

    private static let pacific = Names("PST", "PDT", "Pacific")
    private static let mountain = Names("MST", "MDT", "Mountain")
    private static let central = Names("CST", "CDT", "Central")
    private static let eastern = Names("EST", "EDT", "Eastern")
    private static let centralEurope = Names("CET", "CEST", "Central European", "Summer")
    private static let easternEurope = Names("EET", "EEST", "Eastern European", "Summer")
    private static let britain = Names("GMT", "BST", standard: "Greenwich Mean Time", summer: "British Summer Time")

    private static let common: [String: Names] = {
        var all: [String: Names] = [:]
        for (names, places) in [
            (pacific, ["America/Los_Angeles", "US/Pacific", "America/Vancouver"]), (mountain, ["America/Denver", "US/Mountain", "America/Phoenix"]),
            (central, ["America/Chicago", "US/Central"]), (eastern, ["America/New_York", "US/Eastern", "America/Toronto"]), (britain, ["Europe/London"]),
            (
                centralEurope,
                [
                    "Europe/Berlin", "Europe/Paris", "Europe/Madrid", "Europe/Rome", "Europe/Amsterdam", "Europe/Vienna", "Europe/Zurich", "Europe/Brussels",
                    "Europe/Stockholm", "Europe/Oslo", "Europe/Copenhagen", "Europe/Warsaw", "Europe/Prague", "Europe/Budapest",
                ]
            ), (easternEurope, ["Africa/Cairo", "Europe/Athens", "Europe/Helsinki", "Europe/Kiev", "Europe/Bucharest"]),
            (Names("CST", "CDT", "China"), ["Asia/Shanghai"]), (Names("JST", "JDT", "Japan"), ["Asia/Tokyo"]), (Names("IST", "IST", "India"), ["Asia/Kolkata"]),
            (Names("KST", "KDT", "Korean"), ["Asia/Seoul"]), (Names("SGT", "SGT", "Singapore"), ["Asia/Singapore"]), (Names("MSK", "MSD", "Moscow", "Summer"), ["Europe/Moscow"]),
            (Names("AEST", "AEDT", "Australian Eastern"), ["Australia/Sydney", "Australia/Melbourne"]), (Names("BRT", "BRST", "Brasilia", "Summer"), ["America/Sao_Paulo"]),
            (Names("NPT", "NPT", standard: "Nepal Time", summer: "Nepal Time"), ["Asia/Kathmandu"]),
        ] {
            for place in places { all[place] = names }
        }
        return all
    }()

    /// Seconds ahead of UTC of the names that are read, the longest first.
    static let offsets: [(name: String, seconds: Int64)] = {
        var all: [(name: String, seconds: Int64)] = [
            ("UTC", 0), ("Coordinated Universal Time", 0), ("JST", 32_400), ("IST", 19_800), ("MSK", 10_800), ("KST", 32_400), ("SGT", 28_800), ("HKT", 28_800),
            ("BST", 3_600), ("AEST", 36_000), ("AEDT", 39_600), ("WET", 0), ("WEST", 3_600), ("HST", -36_000),
        ]
        for (names, offset) in [
            (pacific, -28_800), (mountain, -25_200), (central, -21_600), (eastern, -18_000), (centralEurope, 3_600), (easternEurope, 7_200),
        ] as [(Names, Int64)] {
            all += [(names.standard, offset), (names.summer, offset + 3_600), (names.longStandard, offset), (names.longSummer, offset + 3_600)]
        }
        return all.sorted { ($1.name.utf8.count, $0.name) < ($0.name.utf8.count, $1.name) }
    }()
}
