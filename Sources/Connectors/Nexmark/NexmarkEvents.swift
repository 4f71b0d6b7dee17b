import Columnar
import Glibc
import Plan

/// The arithmetic of the events: which persons and auctions there are at each, and which of them it is about.
struct NexmarkEvents {
    static let firstID: Int64 = 1_000
    /// The hot ones are the numbers that are divisible by it.
    private static let hotStep: Int64 = 100
    /// Bids go to so many auctions, and are by so many persons, that come only later.
    private static let lead: Int64 = 10

    let persons: Int
    let auctions: Int
    let total: Int
    let personByteCount: Int
    let auctionByteCount: Int
    let bidByteCount: Int
    private let hotAuctionRatio: Int
    private let hotSellerRatio: Int
    private let hotBidderRatio: Int
    private let activePersons: Int64
    private let auctionsInFlight: Int64
    private let firstTime: Int64
    private let millisecondsPerEvent: Double
    private let seed: UInt64

    init(_ description: NexmarkDescription) {
        persons = description.personProportion
        auctions = description.auctionProportion
        total = description.personProportion + description.auctionProportion + description.bidProportion
        personByteCount = description.personByteCount
        auctionByteCount = description.auctionByteCount
        bidByteCount = description.bidByteCount
        hotAuctionRatio = description.hotAuctionRatio
        hotSellerRatio = description.hotSellerRatio
        hotBidderRatio = description.hotBidderRatio
        activePersons = Int64(description.activePersonCount)
        auctionsInFlight = Int64(description.auctionsInFlight)
        firstTime = description.firstTimeMilliseconds
        millisecondsPerEvent = 1_000 / description.eventsPerSecond
        seed = randomWord(description.seed, at: 0)
    }

    /// More than a row's text has, but rarely.
    var personByteCountMax: Int { personByteCount * 6 / 5 + 96 }
    var auctionByteCountMax: Int { auctionByteCount * 6 / 5 + 128 }
    var bidByteCountMax: Int { bidByteCount * 6 / 5 + 16 }

    @inline(__always)
    func random(_ event: Int64) -> EventRandom { EventRandom(seed &+ UInt64(bitPattern: event) &* 0xD1B5_4A32_D192_ED03) }

    /// Event time in milliseconds.
    @inline(__always)
    func time(_ event: Int64) -> Int64 {
        let milliseconds = Double(event) * millisecondsPerEvent
        return firstTime.addingSaturating(milliseconds < 0x1p62 ? Int64(milliseconds) : .max)
    }

    /// The number of the newest person at an event, from 0 on.
    @inline(__always)
    func lastPerson(_ event: Int64) -> Int64 {
        let (cycle, place) = event.quotientAndRemainder(dividingBy: Int64(total))
        return cycle &* Int64(persons) &+ min(place, Int64(persons) - 1)
    }

    /// The number of the newest auction; that of the cycle before where this one has none yet.
    @inline(__always)
    func lastAuction(_ event: Int64) -> Int64 {
        let (cycle, place) = event.quotientAndRemainder(dividingBy: Int64(total))
        let own = min(place &- Int64(persons), Int64(auctions) &- 1)
        return max(0, own < 0 ? cycle &* Int64(auctions) &- 1 : cycle &* Int64(auctions) &+ own)
    }

    @inline(__always)
    func biddenAuction(_ event: Int64, _ random: inout EventRandom) -> Int64 {
        let last = lastAuction(event)
        guard random.below(hotAuctionRatio) == 0 else { return last / NexmarkEvents.hotStep &* NexmarkEvents.hotStep }
        let first = max(last &- auctionsInFlight, 0)
        return first &+ Int64(random.below(Int(last &- first &+ 1 &+ NexmarkEvents.lead)))
    }

    @inline(__always)
    func bidder(_ event: Int64, _ random: inout EventRandom) -> Int64 {
        guard random.below(hotBidderRatio) == 0 else { return lastPerson(event) / NexmarkEvents.hotStep &* NexmarkEvents.hotStep &+ 1 }
        return anyPerson(event, &random)
    }

    func seller(_ event: Int64, _ random: inout EventRandom) -> Int64 {
        guard random.below(hotSellerRatio) == 0 else { return lastPerson(event) / NexmarkEvents.hotStep &* NexmarkEvents.hotStep }
        return anyPerson(event, &random)
    }

    /// One of the persons who are active, or of those to come.
    @inline(__always)
    private func anyPerson(_ event: Int64, _ random: inout EventRandom) -> Int64 {
        let count = lastPerson(event) &+ 1
        let active = min(count, activePersons)
        return count &- active &+ Int64(random.below(Int(active &+ NexmarkEvents.lead)))
    }

    /// How long an auction goes on: on average until as many others have come as are in flight at once.
    func auctionLength(_ event: Int64, _ random: inout EventRandom) -> Int64 {
        let ahead = auctionsInFlight &* Int64(total) / Int64(auctions)
        let horizon = time(event.addingSaturating(ahead)).subtractingSaturating(time(event))
        return 1 &+ Int64(random.below(Int(max(1, min(horizon, 1 << 40) &* 2))))
    }
}

/// The chance of one event: SplitMix64 from the event's own seed.
struct EventRandom {
    private var state: UInt64

    @inline(__always)
    init(_ seed: UInt64) { state = seed }

    @inline(__always)
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed &>> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed &>> 31)
    }

    /// A number in `0 ..< bound`; the bound is above zero.
    @inline(__always)
    mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(truncatingIfNeeded: bound)).high) }

    /// 100 to 100,000,000, the logarithm uniform.
    @inline(__always)
    mutating func price() -> Int64 { Int64((exp(unit(next()) * 13.815510557964274) * 100).rounded()) }

    /// Half of the bids are of one of the four named channels.
    @inline(__always)
    mutating func channel() -> Int {
        let word = next()
        if word & 1 == 0 { return Int(truncatingIfNeeded: (word &>> 1) & 3) }
        return 4 + Int(truncatingIfNeeded: ((word &>> 32) &* UInt64(NexmarkChannels.numberedCount)) &>> 32)
    }
}

/// The channels of bids with their URLs: four with names, and 10,000 with numbers.
final class NexmarkChannels: Sendable {
    static let numberedCount = 10_000
    static let shared = NexmarkChannels()

    /// The URLs' text, which the views of all batches share.
    let data: Buffer
    private let nameBuffer: Buffer
    private let urlBuffer: Buffer

    var names: UnsafePointer<StringView> { UnsafePointer(nameBuffer.pointer(as: StringView.self)) }
    var urls: UnsafePointer<StringView> { UnsafePointer(urlBuffer.pointer(as: StringView.self)) }

    private init() {
        let count = NexmarkChannels.numberedCount + 4
        let text = TextBuffer(capacity: 96 * count)
        let (names, urls) = (Buffer(byteCount: 16 * count), Buffer(byteCount: 16 * count))
        var places: [(Int, Int)] = []
        let name = TextBuffer(capacity: 16)
        for place in 0..<count {
            name.clear()
            let number = place - 4
            if number < 0 {
                name.append(NexmarkWords.channels[place])
            } else {
                name.append("channel-")
                name.append(integer: Int64(number))
            }
            names.pointer(as: StringView.self)[place] = StringView(inline: name.bytes)
            let start = text.count
            NexmarkChannels.appendURL(text, place, number)
            places.append((start, text.count - start))
        }
        data = Buffer.copying(UnsafeBufferPointer(start: UnsafePointer(text.base), count: text.count))
        for (place, (start, length)) in places.enumerated() {
            urls.pointer(as: StringView.self)[place] = StringView(
                bytes: UnsafeRawBufferPointer(start: data.base + start, count: length), bufferIndex: 0, offset: start)
        }
        (nameBuffer, urlBuffer) = (names, urls)
    }

    private static func appendURL(_ text: TextBuffer, _ place: Int, _ number: Int) {
        var random = EventRandom(UInt64(place) &* 0xA24B_AED4_963E_E407)
        text.append("https://www.nexmark.com")
        for _ in 0..<3 {
            text.append(UInt8(ascii: "/"))
            for _ in 0..<3 + random.below(2) {
                text.append(random.below(13) == 0 ? UInt8(ascii: "_") : UInt8(ascii: "a") + UInt8(random.below(26)))
            }
        }
        text.append("/item.htm?query=1")
        guard number >= 0, random.below(10) > 0 else { return }
        text.append("&channel_id=")
        text.append(integer: Int64(reversedBits(UInt32(number))).magnitudeClamped)
    }

    private static func reversedBits(_ value: UInt32) -> Int32 {
        var result: UInt32 = 0
        for bit in 0..<32 where value & (1 << UInt32(bit)) != 0 { result |= 1 << UInt32(31 - bit) }
        return Int32(bitPattern: result)
    }
}

extension Int64 {
    fileprivate var magnitudeClamped: Int64 { Int64(clamping: magnitude) }
}

enum NexmarkWords {
    static let channels: [StaticString] = ["Google", "Facebook", "Baidu", "Apple"]
    static let firstNames: [StaticString] = ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"]
    static let lastNames: [StaticString] = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"]
    static let cities: [StaticString] = [
        "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne",
    ]
    static let states: [StaticString] = ["AZ", "CA", "ID", "OR", "WA", "WY"]
}
