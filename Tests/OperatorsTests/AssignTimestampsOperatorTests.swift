import Columnar
import Dataflow
import Operators
import Plan
import Testing

@Suite struct AssignTimestampsOperatorTests {
    let schema = Schema([Field("t", .bigInt)])

    private func harness(_ delay: Int64, idle: Int64? = nil) throws -> EventRecorder {
        try EventRecorder(
            .assignTimestamps(
                WatermarkDescription(
                    timestamps: .column(0), generator: .boundedOutOfOrderness(milliseconds: delay), idleTimeoutMilliseconds: idle)),
            input: schema)
    }

    @Test func watermarksStandBehindTheRowThatMakesThemDue() throws {
        let batch = try Rows.batch(schema, [try Rows.bigInts([1000, 900, 1100, 1400])])
        for disguise in try Rows.disguises(batch) {
            let harness = try harness(100)
            try harness.process(disguise)
            let times = harness.events.map { event in
                if case .row(_, let time, _) = event { return "row \(time ?? -1)" }
                if case .watermark(let time) = event { return "wm \(time)" }
                return "status"
            }
            #expect(times == ["row 1000", "wm 899", "row 900", "row 1100", "wm 999", "row 1400", "wm 1299"].filter { $0 != "wm 999" })
        }
    }

    /// A watermark after each row of a large batch must not exhaust the stack, and none may overtake or fall behind.
    @Test func oneWatermarkPerRow() throws {
        let count: Int64 = 50_000
        let harness = try harness(0)
        try harness.process(try Rows.batch(schema, [try Rows.bigInts((0..<count).map { $0 * 1_000 })]))
        #expect(harness.events.count == Int(2 * count))
        #expect(harness.events.last == .watermark((count - 1) * 1_000 - 1))
    }

    @Test func aNullTimeNamesTheRecord() throws {
        let harness = try harness(0)
        try harness.process(try Rows.batch(schema, [try Rows.bigInts([1, 2])]))
        let bad = try Rows.batch(schema, [try Rows.bigInts([3, nil])])
        let error = #expect(throws: MillstreamError.self) { try harness.process(bad) }
        #expect(error?.code == .eventTime)
        #expect(error?.recordIndex == 3)
    }

    @Test func negativeAndExtremeTimesSaturate() throws {
        let harness = try harness(1_000)
        try harness.process(try Rows.batch(schema, [try Rows.bigInts([Int64.min, Int64.min + 5, -7])]))
        #expect(harness.events.last == .watermark(-1_008))
        try harness.process(try Rows.batch(schema, [try Rows.bigInts([Int64.max])]))
        #expect(harness.events.last == .watermark(Int64.max - 1_001))
        try harness.watermark(.max)
        #expect(harness.events.last == .watermark(.max))
    }

    @Test func microsecondsFloor() throws {
        let micros = Schema([Field("t", DataType(.timestamp(6)))])
        let harness = try EventRecorder(.assignTimestamps(WatermarkDescription(timestamps: .column(0))), input: micros)
        try harness.process(try Rows.batch(micros, [try Rows.column(micros.types[0], [.int64(-1), .int64(1_999)])]))
        let times: [Int64?] = harness.events.map { if case .row(_, let time, _) = $0 { time } else { nil } }
        #expect(times == [-1, 1])
    }

    @Test func quietInputGetsItsExactWatermarkAndThenIsIdle() throws {
        let harness = try harness(0, idle: 1_000)
        try harness.process(try Rows.batch(schema, [try Rows.bigInts([1_000, 1_050])]))
        #expect(harness.events.last != .watermark(1_049))
        for _ in 0..<30 { try harness.advance(milliseconds: 100) }
        #expect(harness.events.suffix(2) == [.watermark(1_049), .idle])
        try harness.process(try Rows.batch(schema, [try Rows.bigInts([1_060])]))
        #expect(harness.events.suffix(2).first == .active)
    }

    // MARK: Rows ahead of the clock

    /// The recorder's clock stands at 1,000,000 ms.
    private func bounded(_ drift: Int64, to tag: String? = nil, delay: Int64 = 0) throws -> EventRecorder {
        try EventRecorder(
            .assignTimestamps(
                WatermarkDescription(
                    timestamps: .column(0), generator: .boundedOutOfOrderness(milliseconds: delay),
                    maxFutureDrift: .init(milliseconds: drift, sideOutput: tag))),
            input: schema)
    }

    @Test func aRowFarAheadOfTheClockDoesNotMoveTheWatermark() throws {
        let years: Int64 = 10 * 365 * 86_400_000
        let batch = try Rows.batch(schema, [try Rows.bigInts([1_000, years, 2_000, Int64.max, 1_500])])
        for disguise in try Rows.disguises(batch) {
            let harness = try bounded(60_000, to: "ahead")
            try harness.process(disguise)
            #expect(harness.events.filter { if case .side = $0 { true } else { false } } == [
                .side("ahead", values: [.int64(years)]), .side("ahead", values: [.int64(Int64.max)]),
            ])
            #expect(harness.rows == [[.int64(1_000)], [.int64(2_000)], [.int64(1_500)]])
            #expect(harness.events.filter { if case .watermark = $0 { true } else { false } } == [.watermark(999), .watermark(1_999)])
            #expect(harness.metrics.futureRecords.value == 2)
            #expect(harness.metrics.futureRecordsDropped.value == 0)
        }
    }

    @Test func theBoundMovesWithTheClockAndIsInclusive() throws {
        let harness = try bounded(5_000)
        try harness.process(try Rows.batch(schema, [try Rows.bigInts([1_005_000, 1_005_001])]))
        #expect(harness.rows == [[.int64(1_005_000)]])
        #expect(harness.metrics.futureRecordsDropped.value == 1)
        try harness.advance(milliseconds: 1)
        try harness.process(try Rows.batch(schema, [try Rows.bigInts([1_005_001])]))
        #expect(harness.rows == [[.int64(1_005_000)], [.int64(1_005_001)]])
        // The wall clock is set back by an hour: what it says counts.
        harness.clock.setWallClockOffset(milliseconds: -3_600_000)
        try harness.process(try Rows.batch(schema, [try Rows.bigInts([1_005_002])]))
        #expect(harness.rows.count == 2)
        #expect(harness.metrics.futureRecords.value == 2)
    }

    /// Whatever the rows: those kept and those ahead are all of them, each in order, and the watermarks are those of the kept rows alone.
    @Test(arguments: 0..<200 as Range<UInt64>) func keptAndAheadAreAllRows(seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        let drift = 1 + Int64(random.next(below: 5_000))
        let delay = Int64(random.next(below: 2_000))
        let harness = try bounded(drift, to: "ahead", delay: delay)
        let plain = try self.harness(delay)
        var kept: [[Scalar]] = []
        var ahead: [EventRecorder.Event] = []
        for _ in 0..<1 + random.next(below: 4) {
            let limit = harness.clock.now().milliseconds + drift
            // From none to all of the rows are ahead.
            let share = random.next(below: 5)
            let times = (0..<1 + random.next(below: 300)).map { _ in
                let distance = Int64(random.next(below: 20_000))
                return random.next(below: 4) < share ? limit + 1 + distance : limit - distance
            }
            try harness.process(try #require(try Rows.disguises(try Rows.batch(schema, [try Rows.bigInts(times)])).last))
            let rest = times.filter { $0 <= limit }
            try plain.process(try Rows.batch(schema, [try Rows.bigInts(rest)]))
            kept += rest.map { [.int64($0)] }
            ahead += times.filter { $0 > limit }.map { .side("ahead", values: [.int64($0)]) }
            harness.clock.advance(milliseconds: Int64(random.next(below: 1_000)))
        }
        #expect(harness.rows == kept)
        #expect(harness.events.filter { if case .side = $0 { true } else { false } } == ahead)
        #expect(harness.events.filter { if case .side = $0 { false } else { true } } == plain.events)
        #expect(harness.metrics.futureRecords.value == Int64(ahead.count))
    }

    @Test func noSumOverflows() throws {
        let harness = try bounded(.max)
        try harness.process(try Rows.batch(schema, [try Rows.bigInts([Int64.max, Int64.min])]))
        #expect(harness.rows.count == 2)
    }
}
