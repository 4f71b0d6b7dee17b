import Columnar
import Connectors
import Dataflow
import Plan
import Testing

/// datagen, nexmark and rows that the plan holds.
@Suite struct GeneratedTableTests {
    func source(_ kind: SourceDescription.Kind, _ schema: Schema, clock: any Clock = SimulatedClock()) throws(MillstreamError) -> any Source {
        try SourceFactory.make(SourceDescription(kind), schema: schema, environment: ConnectorEnvironment(clock: clock, storage: SimulatedStorage()))
    }

    func datagen(_ fields: [Field], _ rules: [DatagenColumn], count: Int64?, seed: UInt64? = 7) throws(MillstreamError) -> any Source {
        try source(.datagen(DatagenDescription(columns: rules, count: count, rowsPerSecond: nil, seed: seed)), Schema(fields))
    }

    @Test func sequencesEndTheSource() throws {
        let rules = [DatagenColumn(.sequence(first: 1, last: 100)), DatagenColumn(.sequence(first: 10, last: 12))]
        let fields = [Field("id", .int), Field("v", .int)]
        #expect(try SourceDriver(datagen(fields, rules, count: 5)).batches().rows == [["1", "10"], ["2", "11"], ["3", "12"]])
        let kinds: [(DataType, String)] = [
            (.tinyInt, "3"), (.bigInt, "3"), (.float, "3.0"), (.double, "3.0"), (.string, "3"), (DataType(.decimal(precision: 8, scale: 2)), "300"),
        ]
        for (type, text) in kinds {
            let rows = try SourceDriver(datagen([Field("v", type)], [DatagenColumn(.sequence(first: 2, last: 3))], count: nil)).batches().rows
            #expect(rows.last == [text], "\(type)")
        }
        // Over several subtasks each number comes once.
        let many = try SourceDriver(datagen(fields, [DatagenColumn(.sequence(first: 0, last: 9_999)), DatagenColumn()], count: nil), parallelism: 3).batches()
        #expect(many.rows.map { Int($0[0])! }.sorted() == Array(0..<10_000))
    }

    @Test func everyTypeWithinItsBounds() throws {
        let row = DataType(.row([Field("x", .tinyInt), Field("y", DataType(.array(.boolean)))]))
        let types: [DataType] = [
            .boolean, .tinyInt, .smallInt, .int, .bigInt, .float, .double, DataType(.decimal(precision: 7, scale: 3)), DataType(.char(5)), DataType(.varChar(9)),
            .string, DataType(.binary(3)), .bytes, .date, DataType(.time(3)), DataType(.time(6)), DataType(.timestamp(3)), DataType(.timestampLTZ(9)),
            DataType(.intervalYearMonth), DataType(.intervalDayTime(3)), DataType(.array(.string)), DataType(.map(key: .tinyInt, value: .int)),
            DataType(.multiset(.boolean)), row,
        ]
        let fields = types.enumerated().map { Field("f\($0.offset)", $0.element) }
        var rules = types.map { _ in DatagenColumn() }
        (rules[3].minimum, rules[3].maximum) = (.int64(-3), .int64(4))
        (rules[6].minimum, rules[6].maximum) = (.double(0.5), .double(0.75))
        (rules[7].minimum, rules[7].maximum) = (.decimal(-2), .decimal(2))
        rules[9].variesLength = true
        rules[10].length = 12
        rules[10].nullRate = 0.25
        rules[16].maxPastMilliseconds = 1_000
        rules[20].length = 2
        rules[20].parts = [DatagenColumn()]
        rules[20].parts[0].length = 1
        let clock = SimulatedClock(start: 1_700_000_000_000)
        let description = DatagenDescription(columns: rules, count: 3_000, rowsPerSecond: nil, seed: 3)
        let batches = try SourceDriver(source(.datagen(description), Schema(fields)), clock: clock).batches()
        let rows = batches.flatMap { batch in (0..<batch.count).map { row in batch.columns.map { $0.scalar(at: row) } } }
        #expect(rows.count == 3_000)
        func all(_ column: Int, _ check: (Scalar) -> Bool) -> Bool { rows.allSatisfy { check($0[column]) } }
        func distinct(_ column: Int) -> Int { Set(rows.map { $0[column] }).count }
        #expect(distinct(0) == 2 && distinct(1) == 256 && distinct(3) == 8 && distinct(4) == 3_000 && distinct(7) == 5)
        #expect(all(3) { if case .int64(let value) = $0 { (-3...4).contains(value) } else { false } })
        #expect(all(6) { if case .double(let value) = $0 { (0.5...0.75).contains(value) } else { false } })
        #expect(all(5) { if case .double(let value) = $0 { value.isFinite && value > 0 } else { false } })
        func length(_ scalar: Scalar) -> Int? { if case .bytes(let bytes) = scalar { bytes.count } else { nil } }
        #expect(all(8) { length($0) == 5 } && all(11) { length($0) == 3 } && all(12) { length($0) == 100 })
        #expect(Set(rows.map { length($0[9]) }) == Set((1...9).map { $0 }))
        let nulls = rows.filter { $0[10] == .null }.count
        #expect((600...900).contains(nulls), "\(nulls)")
        #expect(rows.allSatisfy { $0[10] == .null || length($0[10]) == 12 })
        #expect(all(13) { $0 == .int64(19_675) })
        #expect(all(16) { if case .int64(let value) = $0 { (1_699_999_999_000...1_700_000_000_000).contains(value) } else { false } } && distinct(16) > 500)
        #expect(all(20) { if case .list(let values) = $0 { values.count == 2 && values.allSatisfy { length($0) == 1 } } else { false } })
        #expect(all(21) { if case .map(let keys, let values) = $0 { keys.count == values.count && Set(keys).count == keys.count } else { false } })
        #expect(all(22) {
            guard case .map(let keys, let counts) = $0 else { return false }
            return Set(keys).count == keys.count && counts.reduce(0) { if case .int64(let count) = $1 { $0 + count } else { $0 } } == 3
        })
        #expect(batches.allSatisfy { $0.columns[23].children[1].children[0].count == 3 * $0.count })
        // The rows hang on nothing but their numbers: not on how they are cut into batches, and not on who makes them.
        let timeless = fields.indices.filter { ![13, 14, 15, 16, 17].contains($0) }
        func made(_ parallelism: Int, _ limit: Int) throws -> Set<String> {
            let source = try datagen(timeless.map { fields[$0] }, timeless.map { rules[$0] }, count: 3_000, seed: 3)
            return Set(try SourceDriver(source, parallelism: parallelism).batches(rowLimit: limit).rows.map { $0.joined(separator: "|") })
        }
        let once = try made(1, 4_096)
        #expect(once.count == 3_000)
        #expect(try made(2, 7) == once)
    }

    @Test func rulesThatAreNone() throws {
        func refused(_ type: DataType, _ change: (inout DatagenColumn) -> Void) -> Bool {
            var rule = DatagenColumn()
            change(&rule)
            do { _ = try datagen([Field("v", type)], [rule], count: 1) } catch { return [.configuration, .unsupported].contains(error.code) }
            return false
        }
        #expect(refused(.int) { $0.minimum = .int64(5); $0.maximum = .int64(4) })
        #expect(refused(.tinyInt) { $0.maximum = .int64(128) })
        #expect(refused(.int) { $0.nullRate = 1.5 })
        #expect(refused(.int.notNull) { $0.nullRate = 0.5 })
        #expect(refused(DataType(.char(3))) { $0.length = 4 })
        #expect(refused(.string) { $0.length = 0 })
        #expect(refused(.boolean) { $0.rule = .sequence(first: 0, last: 1) })
        #expect(refused(.tinyInt) { $0.rule = .sequence(first: 0, last: 1_000) })
        #expect(refused(.int) { $0.rule = .sequence(first: 2, last: 1) })
        #expect(refused(DataType(.raw("x"))) { _ in })
    }

    func nexmark(_ count: Int64, parallelism: Int = 1, rowLimit: Int = 4_096, columns: [Int] = [0, 1, 2, 3]) throws -> [Batch] {
        var description = NexmarkDescription(count: count, firstTimeMilliseconds: 1_000_000, eventsPerSecond: 1_000)
        description.columns = columns
        let schema = Schema(columns.map { NexmarkDescription.schema.fields[$0] })
        return try SourceDriver(source(.nexmark(description), schema), parallelism: parallelism).batches(rowLimit: rowLimit)
    }

    @Test func theEventsOfTheBenchmark() throws {
        let count = 100_000
        let batches = try nexmark(Int64(count))
        var number = 0
        var (hotAuctions, hotBidders, hotSellers, auctions, bids, named, withID, numbered) = (0, 0, 0, 0, 0, 0, 0, 0)
        var (bidBytes, auctionBytes, personBytes, persons) = (0, 0, 0, 0)
        for batch in batches {
            let kinds = batch.columns[0].pointer(as: Int32.self)
            for row in 0..<batch.count {
                let place = number % 50
                let kind = place == 0 ? 0 : place < 4 ? 1 : 2
                try #require(Int(kinds[row]) == kind, "event \(number)")
                for column in 1...3 { try #require(batch.columns[column].isNull(row) == (column != kind + 1), "event \(number)") }
                var fields: [Scalar] = []
                if case .row(let values) = batch.columns[kind + 1].scalar(at: row) { fields = values }
                func int(_ field: Int) -> Int { if case .int64(let value) = fields[field] { Int(value) } else { -1 } }
                func text(_ field: Int) -> String { if case .bytes(let value) = fields[field] { String(decoding: value, as: UTF8.self) } else { "" } }
                let cycle = number / 50
                let lastAuction = place == 0 ? max(0, cycle * 3 - 1) : cycle * 3 + min(place - 1, 2)
                switch kind {
                case 0:
                    persons += 1
                    personBytes += 8 + (1...7).filter { $0 != 6 }.reduce(0) { $0 + text($1).utf8.count }
                    #expect(int(0) == 1_000 + cycle && int(6) == 1_000_000 + number)
                    #expect(text(2).contains("@") && text(2).hasSuffix(".com") && text(3).utf8.count == 19 && text(5).utf8.count == 2 && text(1).contains(" "))
                case 1:
                    auctions += 1
                    auctionBytes += 48 + [1, 2, 9].reduce(0) { $0 + text($1).utf8.count }
                    #expect(int(0) == 1_000 + lastAuction && int(5) == 1_000_000 + number && (10...14).contains(int(8)))
                    #expect(int(4) >= int(3) + 100 && (100...100_000_000).contains(int(3)) && int(6) > int(5) && int(6) <= int(5) + 2 * 1_666 + 1)
                    #expect(text(1).utf8.count <= 19 && text(2).utf8.count <= 99)
                    if int(7) == 1_000 + cycle / 100 * 100 { hotSellers += 1 }
                default:
                    bids += 1
                    bidBytes += 32 + text(6).utf8.count
                    #expect((100...100_000_000).contains(int(2)) && int(5) == 1_000_000 + number)
                    #expect(int(0) >= 1_000 && int(0) <= 1_000 + lastAuction + 10 && int(0) >= 1_000 + lastAuction - 100)
                    #expect(int(1) >= 1_000 && int(1) <= 1_000 + cycle + 10)
                    if int(0) == 1_000 + lastAuction / 100 * 100 { hotAuctions += 1 }
                    if int(1) == 1_000 + cycle / 100 * 100 + 1 { hotBidders += 1 }
                    if ["Google", "Facebook", "Baidu", "Apple"].contains(text(3)) {
                        named += 1
                    } else {
                        numbered += 1
                        let id = Int(text(3).dropFirst("channel-".count))!
                        #expect((0..<10_000).contains(id))
                        if let mark = text(4).firstRange(of: "&channel_id=") {
                            withID += 1
                            var reversed: UInt32 = 0
                            for bit in 0..<32 where UInt32(id) >> UInt32(bit) & 1 == 1 { reversed |= 1 << UInt32(31 - bit) }
                            #expect(Int(text(4)[mark.upperBound...]) == Int(Int64(Int32(bitPattern: reversed)).magnitude))
                        }
                    }
                    #expect(text(4).hasPrefix("https://www.nexmark.com/") && text(4).contains("/item.htm?query=1"))
                }
                number += 1
            }
        }
        #expect(number == count && persons == 2_000 && auctions == 6_000 && bids == 92_000)
        func near(_ found: Int, _ of: Int, _ share: Double) -> Bool { abs(Double(found) / Double(of) - share) < 0.02 }
        #expect(near(hotAuctions, bids, 0.504) && near(hotBidders, bids, 0.75) && near(hotSellers, auctions, 0.75))
        #expect(near(named, bids, 0.5) && near(withID, numbered, 0.9))
        #expect(abs(bidBytes / bids - 100) <= 1 && abs(auctionBytes / auctions - 500) <= 10 && abs(personBytes / persons - 200) <= 4)
    }

    @Test func eventsHangOnTheirNumbersAlone() throws {
        func texts(_ batches: [Batch]) -> [String] { batches.rows.map { $0.joined(separator: "|") }.sorted() }
        let once = texts(try nexmark(5_000))
        #expect(texts(try nexmark(5_000, parallelism: 3, rowLimit: 13)) == once)
        #expect(try nexmark(5_000, columns: [3, 0]).rows.filter { $0[1] == "2" }.count == 4_600)
        // A reader that goes on from its position gives the same rows.
        let description = NexmarkDescription(count: 5_000, firstTimeMilliseconds: 0)
        let schema = NexmarkDescription.schema
        let driver = try SourceDriver(source(.nexmark(description), schema))
        var rows: [[String]] = []
        for _ in 0..<4 { if case .batch(let batch, _) = try driver.step(rowLimit: 700) { rows += [batch].rows } }
        let second = try SourceDriver(source(.nexmark(description), schema))
        for split in try driver.readers[0].snapshot() { try second.readers[0].addSplit(split) }
        second.readers[0].noMoreSplits()
        rows += try second.rest().rows
        #expect(rows == (try SourceDriver(source(.nexmark(description), schema)).batches().rows))
    }

    @Test func rowsOfThePlanKeepTheirKinds() throws {
        let schema = Schema([Field("a", .int)])
        func batch(_ values: [Int32], _ kinds: [Int8]?) -> Batch {
            var batch = Batch(schema: schema, columns: [Column(type: .int, count: values.count, values: Buffer.copying(values))], count: values.count)
            if let kinds { batch.rowKinds = Column(type: DataType.tinyInt.notNull, count: kinds.count, values: Buffer.copying(kinds)) }
            return batch
        }
        let batches = [batch([1, 2, 3, 4], [0, 1, 2, 3]).selecting(Selection([0, 1, 3])), batch([], nil), batch([5], nil)]
        let expected = ["+I 1", "-U 2", "-D 4", "+I 5"]
        for limit in [1, 2, 100] {
            #expect(changes(try SourceDriver(source(.values(ValuesDescription(batches)), schema), parallelism: 2).batches(rowLimit: limit)) == expected)
        }
        let driver = try SourceDriver(source(.values(ValuesDescription(batches)), schema))
        var seen: [Batch] = []
        for _ in 0..<4 { if case .batch(let batch, _) = try driver.step(rowLimit: 1) { seen.append(batch) } }
        let second = try SourceDriver(source(.values(ValuesDescription(batches)), schema))
        for split in try driver.readers[0].snapshot() { try second.readers[0].addSplit(split) }
        second.readers[0].noMoreSplits()
        #expect(changes(seen + (try second.rest())) == expected)
        #expect(throws: MillstreamError.self) { try self.source(.values(ValuesDescription(batches)), Schema([Field("a", .bigInt)])) }
    }
}
