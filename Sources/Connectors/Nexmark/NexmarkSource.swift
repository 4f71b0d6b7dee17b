import Columnar
import Dataflow
import Plan

/// The events of the Nexmark benchmark: of each 50 consecutive ones (with the default proportions) the first is a person, the next three are auctions,
/// and the others bids.
///
/// An event follows from its number and the seed, so that however the numbers are split, and after each restart, the rows are the same. Columns are filled
/// one after the other for a whole batch; the text of all of them lies in one buffer.
enum NexmarkSource {
    /// Throws `configuration` for numbers that make no sense, `plan` if the schema is not that of the events.
    static func make(_ description: NexmarkDescription, schema: Schema) throws(MillstreamError) -> GeneratorSource {
        let counts = [
            description.personProportion, description.auctionProportion, description.bidProportion, description.hotAuctionRatio, description.hotSellerRatio,
            description.hotBidderRatio, description.activePersonCount, description.auctionsInFlight,
        ]
        guard counts.allSatisfy({ (1...1 << 20).contains($0) }) else {
            throw MillstreamError(.configuration, "the proportions, ratios and numbers of a nexmark source must be from 1 to \(1 << 20)")
        }
        let sizes = [description.personByteCount, description.auctionByteCount, description.bidByteCount]
        guard sizes.allSatisfy({ (0...1 << 16).contains($0) }) else {
            throw MillstreamError(.configuration, "the average sizes of a nexmark source must be from 0 to \(1 << 16) bytes")
        }
        guard description.eventsPerSecond > 0, description.eventsPerSecond <= 1e9 else {
            throw MillstreamError(.configuration, "a nexmark source has \(description.eventsPerSecond) events per second; it must be above 0 and at most 1e9")
        }
        guard description.columns.allSatisfy({ NexmarkDescription.schema.fields.indices.contains($0) }),
            schema.types == description.columns.map({ NexmarkDescription.schema.fields[$0].type })
        else { throw MillstreamError(.plan, "a nexmark source gives (\(NexmarkDescription.schema.columnList)), not (\(schema.columnList))") }
        let numbers = GeneratorDescription(columns: [], count: description.count, rowsPerSecond: description.rowsPerSecond)
        return try GeneratorSource(numbers, rows: NexmarkRows(description, schema: schema), schema: schema)
    }
}

final class NexmarkRows: RowGenerator {
    private let schema: Schema
    private let events: NexmarkEvents
    private let columns: [Int]
    private let channels = NexmarkChannels.shared

    init(_ description: NexmarkDescription, schema: Schema) {
        self.schema = schema
        events = NexmarkEvents(description)
        columns = description.columns
    }

    func rows(first: Int64, count: Int) throws(MillstreamError) -> Batch {
        let places = EventPlaces(events, first, count)
        var made: [Column] = []
        for column in columns {
            switch column {
            case 0: made.append(types(places))
            case 1: made.append(try persons(places))
            case 2: made.append(try auctions(places))
            default: made.append(try bids(places))
            }
        }
        return Batch(schema: schema, columns: made, count: count)
    }

    private func types(_ places: EventPlaces) -> Column {
        let values = Buffer(byteCount: 4 * places.count)
        let target = values.pointer(as: Int32.self)
        for row in 0..<places.count { target[row] = 2 }
        for row in places.auctions { target[row] = 1 }
        for row in places.persons { target[row] = 0 }
        return Column(type: .int, count: places.count, values: values)
    }

    private func persons(_ places: EventPlaces) throws(MillstreamError) -> Column {
        let type = NexmarkDescription.schema.fields[1].type
        let row = try RowParts(type, places.count, places.persons, byteCount: events.personByteCountMax)
        let (id, time) = (row.numbers(0), row.numbers(6))
        for index in places.persons {
            let event = places.first &+ Int64(index)
            var random = events.random(event)
            id[index] = events.lastPerson(event) + NexmarkEvents.firstID
            time[index] = events.time(event)
            let name = row.text.count
            row.text.append(NexmarkWords.firstNames[random.below(11)])
            row.text.append(UInt8(ascii: " "))
            row.text.append(NexmarkWords.lastNames[random.below(9)])
            var size = 8 + row.put(1, index, from: name)
            let mail = row.text.count
            row.appendWords(&random, lengthMax: 7, blank: UInt8(ascii: "_"))
            row.text.append(UInt8(ascii: "@"))
            row.appendWords(&random, lengthMax: 5, blank: UInt8(ascii: "_"))
            row.text.append(".com")
            size += row.put(2, index, from: mail)
            let card = row.text.count
            for group in 0..<4 {
                if group > 0 { row.text.append(UInt8(ascii: " ")) }
                let digits = random.below(10_000)
                row.text.append(pair: digits / 100)
                row.text.append(pair: digits % 100)
            }
            size += row.put(3, index, from: card)
            let city = row.text.count
            row.text.append(NexmarkWords.cities[random.below(10)])
            size += row.put(4, index, from: city)
            let state = row.text.count
            row.text.append(NexmarkWords.states[random.below(6)])
            size += row.put(5, index, from: state)
            row.putExtra(7, index, &random, size: size, average: events.personByteCount)
        }
        return row.finish()
    }

    private func auctions(_ places: EventPlaces) throws(MillstreamError) -> Column {
        let type = NexmarkDescription.schema.fields[2].type
        let row = try RowParts(type, places.count, places.auctions, byteCount: events.auctionByteCountMax)
        let (id, initialBid, reserve, time) = (row.numbers(0), row.numbers(3), row.numbers(4), row.numbers(5))
        let (expires, seller, category) = (row.numbers(6), row.numbers(7), row.numbers(8))
        for index in places.auctions {
            let event = places.first &+ Int64(index)
            var random = events.random(event)
            id[index] = events.lastAuction(event) + NexmarkEvents.firstID
            time[index] = events.time(event)
            seller[index] = events.seller(event, &random) + NexmarkEvents.firstID
            category[index] = 10 + Int64(random.below(5))
            initialBid[index] = random.price()
            reserve[index] = initialBid[index] + random.price()
            expires[index] = time[index] &+ events.auctionLength(event, &random)
            let item = row.text.count
            row.appendWords(&random, lengthMax: 20, blank: UInt8(ascii: " "))
            var size = 8 + row.put(1, index, from: item)
            let description = row.text.count
            row.appendWords(&random, lengthMax: 100, blank: UInt8(ascii: " "))
            size += row.put(2, index, from: description) + 5 * 8
            row.putExtra(9, index, &random, size: size, average: events.auctionByteCount)
        }
        return row.finish()
    }

    private func bids(_ places: EventPlaces) throws(MillstreamError) -> Column {
        let type = NexmarkDescription.schema.fields[3].type
        let row = try RowParts(type, places.count, places.bids, byteCount: events.bidByteCountMax)
        let (auction, bidder, price, time) = (row.numbers(0), row.numbers(1), row.numbers(2), row.numbers(5))
        let (channel, url) = (row.views(3), row.views(4))
        let (names, urls) = (channels.names, channels.urls)
        let average = events.bidByteCount
        for index in places.bids {
            let event = places.first &+ Int64(index)
            var random = events.random(event)
            auction[index] = events.biddenAuction(event, &random) + NexmarkEvents.firstID
            bidder[index] = events.bidder(event, &random) + NexmarkEvents.firstID
            price[index] = random.price()
            time[index] = events.time(event)
            let place = random.channel()
            channel[index] = names[place]
            url[index] = urls[place]
            row.putExtra(6, index, &random, size: 4 * 8, average: average)
        }
        return row.finish(dataBuffers: [4: channels.data])
    }
}

/// Which rows of a batch are of which kind.
struct EventPlaces {
    let first: Int64
    let count: Int
    private(set) var persons: [Int] = []
    private(set) var auctions: [Int] = []
    private(set) var bids: [Int] = []

    init(_ events: NexmarkEvents, _ first: Int64, _ count: Int) {
        self.first = first
        self.count = count
        bids.reserveCapacity(count)
        var place = Int(first % Int64(events.total))
        for row in 0..<count {
            if place < events.persons {
                persons.append(row)
            } else if place < events.persons + events.auctions {
                auctions.append(row)
            } else {
                bids.append(row)
            }
            place += 1
            if place == events.total { place = 0 }
        }
    }
}

/// A ROW column under construction: the fields of the rows that are there; the others are null.
final class RowParts {
    let text: TextBuffer
    private let type: DataType
    private let count: Int
    private let validity: Buffer
    private let fields: [Field]
    private let values: [Buffer]
    /// The views of texts that are not inline point into `text`, which becomes the first data buffer.
    private let pointers: [UnsafeMutablePointer<StringView>]

    /// `byteCount`: about how much text a row has.
    init(_ type: DataType, _ count: Int, _ rows: [Int], byteCount: Int) throws(MillstreamError) {
        guard case .row(let fields) = type.kind else { throw .internal("\(type) is no ROW") }
        self.type = type
        self.count = count
        self.fields = fields
        validity = Buffer.zeroed(byteCount: Bits.byteCount(count))
        for row in rows { Bits.set(validity.base, row) }
        values = fields.map { Buffer.zeroed(byteCount: ($0.type.isText ? 16 : 8) * count) }
        pointers = values.map { $0.pointer(as: StringView.self) }
        text = TextBuffer(capacity: max(64, rows.count * byteCount))
    }

    func numbers(_ field: Int) -> UnsafeMutablePointer<Int64> { values[field].pointer(as: Int64.self) }
    func views(_ field: Int) -> UnsafeMutablePointer<StringView> { pointers[field] }

    /// What was written since `start` is a field's text; returns its length.
    @inline(__always)
    @discardableResult
    func put(_ field: Int, _ index: Int, from start: Int) -> Int {
        let length = text.count - start
        let bytes = UnsafeRawBufferPointer(start: text.base + start, count: length)
        pointers[field][index] = length <= StringView.inlineByteCount ? StringView(inline: bytes) : StringView(bytes: bytes, bufferIndex: 0, offset: start)
        return length
    }

    /// Letters that fill a row of `size` bytes up to the average, more or less by a fifth.
    @inline(__always)
    func putExtra(_ field: Int, _ index: Int, _ random: inout EventRandom, size: Int, average: Int) {
        guard average > size else { return }
        let wanted = average - size
        let delta = (wanted * 2 + 5) / 10
        let length = wanted - delta + (delta == 0 ? 0 : random.below(2 * delta))
        let start = text.count
        text.appendLetters(&random, length)
        put(field, index, from: start)
    }

    /// Letters with a blank for one of 13, from 3 to `lengthMax - 1` of them; blanks at the ends go.
    func appendWords(_ random: inout EventRandom, lengthMax: Int, blank: UInt8) {
        var left = 3 + random.below(lengthMax - 3)
        let start = text.count
        while left > 0 {
            left -= 1
            let letter = random.below(13) == 0 ? blank : UInt8(ascii: "a") + UInt8(random.below(26))
            if letter != 0x20 || text.count > start { text.append(letter) }
        }
        while text.count > start, text.base[text.count - 1] == 0x20 { text.truncate(to: text.count - 1) }
    }

    /// The column. `dataBuffers`: those of fields whose views are not into the rows' own text.
    func finish(dataBuffers: [Int: Buffer] = [:]) -> Column {
        let data = Buffer(unowned: text.base, byteCount: text.count, owner: text)
        var children: [Column] = []
        for (place, field) in fields.enumerated() {
            let buffers = field.type.isText ? [dataBuffers[place] ?? data] : []
            children.append(Column(type: field.type, count: count, validity: validity, values: values[place], dataBuffers: buffers))
        }
        return Column(type: type, count: count, validity: validity, values: nil, children: children)
    }
}

extension TextBuffer {
    /// Letters from a to z, sixteen at a time.
    @inline(__always)
    func appendLetters(_ random: inout EventRandom, _ length: Int) {
        write(room: length + 16) { target in
            var place = 0
            while place < length {
                let words = SIMD2<UInt64>(random.next(), random.next())
                let wide = SIMD16<UInt16>(truncatingIfNeeded: unsafeBitCast(words, to: SIMD16<UInt8>.self))
                let letters = SIMD16<UInt8>(truncatingIfNeeded: (wide &* 26) &>> 8) &+ UInt8(ascii: "a")
                UnsafeMutableRawPointer(target + place).storeBytes(of: letters, as: SIMD16<UInt8>.self)
                place += 16
            }
            return length
        }
    }
}
