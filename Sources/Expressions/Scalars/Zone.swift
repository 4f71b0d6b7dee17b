import Columnar
import Synchronization

/// A time zone: how far local time is ahead of UTC at each instant.
///
/// Read once from the system's tz database and kept; seconds are those since 1970-01-01 00:00:00 (UTC for instants, local for local times). Nothing here asks the clock.
/// Any thread may use a zone; loops use a `ZoneCursor`, which remembers where the last row was.
public final class Zone: Sendable {
    /// The name by which the zone was asked for.
    public let name: String
    /// Where the offset changes, ascending.
    let instants: [Int64]
    /// Seconds ahead of UTC: `offsets[i]` before `instants[i]`, the last one from the last instant on.
    let offsets: [Int64]
    /// Whether what follows the last instant is what was 400 years before: the calendar, and so the rules of summer time, repeat.
    let repeats: Bool
    /// Today's offset without summer time.
    let standardOffset: Int64

    /// 400 years in seconds.
    static let period: Int64 = 146_097 * 86_400

    public static let utc = Zone(name: "UTC", instants: [], offsets: [0], repeats: false, standardOffset: 0)

    init(name: String, instants: [Int64], offsets: [Int64], repeats: Bool, standardOffset: Int64) {
        self.name = name
        self.instants = instants
        self.offsets = offsets
        self.repeats = repeats
        self.standardOffset = standardOffset
    }

    convenience init(name: String, offset: Int64) {
        self.init(name: name, instants: [], offsets: [offset], repeats: false, standardOffset: offset)
    }

    /// What a local time that does not exist or exists twice means. A time that a clock change skips always counts from the offset before the change.
    public enum Ambiguity: Sendable {
        /// The first of the two instants, as `java.time` has it: CAST and all of SQL but what follows.
        case earlier
        /// The second, as `java.util.Calendar` has it: UNIX_TIMESTAMP, CONVERT_TZ, FROM_UNIXTIME and DATE_FORMAT of text.
        case later
    }

    /// The zone of a name: `UTC`, `Z`, `Europe/Berlin`, `+05:30`, `GMT+02:00`, `UTC-3` (ISO signs: east is positive).
    ///
    /// Throws `plan` for an unknown one and names near ones, `io` where the system has no tz database.
    public static func named(_ name: String) throws(MillstreamError) -> Zone {
        if let zone = ZoneNames.fixed(name) { return zone }
        if let zone = cache.withLock({ $0[name] }) { return zone }
        guard let zone = try ZoneNames.load(name) else { throw ZoneNames.unknown(name) }
        cache.withLock { $0[name] = zone }
        return zone
    }

    /// The zone that `java.util.TimeZone` gives for a name: three-letter names as `PST` stand for places, `GMT+5:30` for an offset, and what is unknown is UTC.
    /// Throws `io` where the system has no tz database.
    public static func lenient(_ name: String) throws(MillstreamError) -> Zone {
        if name.hasPrefix("GMT"), let zone = ZoneNames.custom(name) { return zone }
        if let zone = cache.withLock({ $0[name] }) { return zone }
        if name == "UTC" || name == "GMT" { return .utc }
        if let alias = ZoneNames.aliases[name] { return try named(alias) }
        guard let zone = try ZoneNames.load(name) else { return .utc }
        cache.withLock { $0[name] = zone }
        return zone
    }

    /// The zone in the bytes of a TZif file; nil where they are none, whatever they are.
    public static func reading(_ bytes: UnsafeRawBufferPointer, name: String) -> Zone? { ZoneFile.zone(name: name, bytes) }

    /// At most as many as the tz database has names: offsets and unknown names are not kept.
    private static let cache = Mutex<[String: Zone]>([:])

    /// Seconds ahead of UTC at an instant.
    public func offset(at instant: Int64) -> Int64 {
        var cursor = ZoneCursor(self)
        return cursor.offset(at: instant)
    }

    /// Seconds that a local time is ahead of UTC.
    public func offset(ofLocal local: Int64, _ ambiguity: Ambiguity = .earlier) -> Int64 {
        var cursor = ZoneCursor(self)
        return cursor.offset(ofLocal: local, ambiguity)
    }

    /// How many instants are not after the given one: the index of its offset.
    func index(at instant: Int64) -> Int {
        var low = 0
        var high = instants.count
        while low < high {
            let middle = (low &+ high) &>> 1
            if instants[middle] <= instant { low = middle &+ 1 } else { high = middle }
        }
        return low
    }
}

/// A reader of one zone's offsets that keeps the span in which the last answer holds, so that near instants cost two comparisons.
public struct ZoneCursor {
    public let zone: Zone
    /// The last answer holds for instants from `first` to `last`, and for local times from `localFirst` to `localLast`.
    private var first: Int64 = 1
    private var last: Int64 = 0
    private var localFirst: Int64 = 1
    private var localLast: Int64 = 0
    private var current: Int64 = 0

    public init(_ zone: Zone) {
        self.zone = zone
        if zone.instants.isEmpty {
            current = zone.offsets[0]
            (first, last, localFirst, localLast) = (.min, .max, .min, .max)
        }
    }

    /// Seconds ahead of UTC at an instant.
    @inline(__always)
    public mutating func offset(at instant: Int64) -> Int64 {
        if instant >= first, instant <= last { return current }
        return find(instant)
    }

    /// Seconds that a local time is ahead of UTC.
    @inline(__always)
    public mutating func offset(ofLocal local: Int64, _ ambiguity: Zone.Ambiguity = .earlier) -> Int64 {
        if local >= localFirst, local <= localLast { return current }
        return findLocal(local, ambiguity)
    }

    /// The instant as local time; at the ends of Int64 the nearest bound.
    @inline(__always)
    public mutating func local(_ instant: Int64) -> Int64 { instant.addingSaturating(offset(at: instant)) }

    /// The local time as an instant; at the ends of Int64 the nearest bound.
    @inline(__always)
    public mutating func instant(_ local: Int64, _ ambiguity: Zone.Ambiguity = .earlier) -> Int64 {
        local.subtractingSaturating(offset(ofLocal: local, ambiguity))
    }

    /// How many seconds to take off so that an instant behind the table comes to lie in its last 400 years.
    private func shift(_ instant: Int64) -> Int64 {
        guard zone.repeats, let end = zone.instants.last, instant >= end else { return 0 }
        return (((instant &- end) / Zone.period) &+ 1) &* Zone.period
    }

    @inline(never)
    private mutating func find(_ instant: Int64) -> Int64 {
        let shift = shift(instant)
        let index = zone.index(at: instant &- shift)
        keep(index, shift)
        return current
    }

    /// Remembers the span of an offset, moved by `shift`.
    private mutating func keep(_ index: Int, _ shift: Int64) {
        let instants = zone.instants
        current = zone.offsets[index]
        first = index == 0 ? .min : instants[index - 1] &+ shift
        last = index == instants.count ? .max : instants[index] &- 1 &+ shift
        // Local times of the span that no other span has, nor a change skips.
        let before = index == 0 ? current : zone.offsets[index - 1]
        let after = index == instants.count ? current : zone.offsets[index + 1]
        localFirst = index == 0 ? .min : first.addingSaturating(max(before, current))
        localLast = index == instants.count ? .max : last.addingSaturating(min(current, after))
        if zone.repeats, index == instants.count {
            // The table's end is no end of anything.
            last = first
            localLast = localFirst &- 1
        }
    }

    @inline(never)
    private mutating func findLocal(_ local: Int64, _ ambiguity: Zone.Ambiguity) -> Int64 {
        // No offset is larger than a day and a bit, so that the change that matters is the first behind the local time less that.
        let early = local.subtractingSaturating(2 * 86_400)
        let shift = shift(early)
        var index = zone.index(at: early &- shift)
        let instants = zone.instants
        while index < instants.count {
            let change = instants[index] &+ shift
            let before = zone.offsets[index]
            let after = zone.offsets[index + 1]
            if local < change &+ min(before, after) { break }
            if local < change &+ max(before, after) {
                // Skipped where clocks go forward: the offset before, so that the time moves on by as much. Twice where they go back.
                let isSkipped = after > before
                return isSkipped || ambiguity == .earlier ? before : after
            }
            index += 1
        }
        keep(index, shift)
        return current
    }
}
