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
}
