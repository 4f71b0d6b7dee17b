import Columnar
import Dataflow
import Exchange
import Testing

/// The valve against Flink's rules (StatusWatermarkValve), by example and against a plain model.
struct WatermarkValveTests {
    static func at(_ milliseconds: Int64) -> EventTime { EventTime(milliseconds: milliseconds) }

    @Test("The output is the minimum over all channels and never falls")
    func minimum() {
        var valve = WatermarkValve(channelCount: 3)
        #expect(valve.onWatermark(Self.at(10), channel: 0).watermark == nil)
        #expect(valve.onWatermark(Self.at(7), channel: 1).watermark == nil)
        #expect(valve.onWatermark(Self.at(12), channel: 2).watermark == Self.at(7))
        #expect(valve.onWatermark(Self.at(5), channel: 1).watermark == nil)
        #expect(valve.onWatermark(Self.at(11), channel: 1).watermark == Self.at(10))
    }

    @Test("A channel that becomes idle lets the watermark go on")
    func idleReleases() {
        var valve = WatermarkValve(channelCount: 2)
        _ = valve.onWatermark(Self.at(5), channel: 0)
        _ = valve.onWatermark(Self.at(20), channel: 1)
        #expect(valve.output == Self.at(5))
        let released = valve.onStatus(.idle, channel: 0)
        #expect(released.watermark == Self.at(20))
        #expect(released.status == nil)
    }

    @Test("When the last active channel held the minimum, the maximum over all goes out before idle")
    func allIdleFlushes() {
        var valve = WatermarkValve(channelCount: 2)
        _ = valve.onWatermark(Self.at(15), channel: 0)
        _ = valve.onWatermark(Self.at(10), channel: 1)
        #expect(valve.onStatus(.idle, channel: 0).watermark == nil)
        let flushed = valve.onStatus(.idle, channel: 1)
        #expect(flushed.watermark == Self.at(15))
        #expect(flushed.status == .idle)
        #expect(valve.onWatermark(Self.at(99), channel: 0) == WatermarkValve.Result())
    }

    @Test("A channel that comes back stays unaligned until it has caught up")
    func reactivation() {
        var valve = WatermarkValve(channelCount: 2)
        _ = valve.onWatermark(Self.at(5), channel: 0)
        _ = valve.onWatermark(Self.at(6), channel: 1)
        _ = valve.onStatus(.idle, channel: 0)
        _ = valve.onWatermark(Self.at(30), channel: 1)
        #expect(valve.output == Self.at(30))
        #expect(valve.onStatus(.active, channel: 0).status == nil)
        #expect(valve.onWatermark(Self.at(20), channel: 0).watermark == nil)
        // Not yet aligned, so it does not hold the other back.
        #expect(valve.onWatermark(Self.at(40), channel: 1).watermark == Self.at(40))
        #expect(valve.onWatermark(Self.at(41), channel: 0).watermark == nil)
        #expect(valve.onWatermark(Self.at(50), channel: 1).watermark == Self.at(41))
    }

    @Test("The first channel that comes back makes the valve active")
    func activeAgain() {
        var valve = WatermarkValve(channelCount: 2)
        _ = valve.onStatus(.idle, channel: 0)
        #expect(valve.onStatus(.idle, channel: 1).status == .idle)
        #expect(valve.onStatus(.active, channel: 1).status == .active)
        #expect(valve.onStatus(.active, channel: 0).status == nil)
    }

    @Test("A channel that comes back alone and ahead leads at once")
    func leadsAlone() {
        var valve = WatermarkValve(channelCount: 2)
        _ = valve.onWatermark(Self.at(10), channel: 1)
        _ = valve.onWatermark(Self.at(50), channel: 0)
        #expect(valve.output == Self.at(10))
        _ = valve.onStatus(.idle, channel: 0)
        _ = valve.onWatermark(Self.at(40), channel: 1)
        _ = valve.onStatus(.idle, channel: 1)
        #expect(valve.output == Self.at(50))
        _ = valve.onStatus(.active, channel: 0)
        #expect(valve.onWatermark(Self.at(60), channel: 0).watermark == Self.at(60))
    }

    @Test("Equal to a plain model that recomputes everything", arguments: 0..<200)
    func againstModel(seed: Int) {
        let random = SeededRandom(seed: UInt64(seed))
        let count = 1 + Int(random.next(below: 6))
        var valve = WatermarkValve(channelCount: count)
        var model = ValveModel(count: count)
        for _ in 0..<400 {
            let channel = Int(random.next(below: UInt64(count)))
            let result: WatermarkValve.Result
            let expected: WatermarkValve.Result
            if random.next(below: 4) == 0 {
                let status: WatermarkStatus = random.next(below: 2) == 0 ? .idle : .active
                result = valve.onStatus(status, channel: channel)
                expected = model.onStatus(status, channel)
            } else {
                let watermark = Self.at(Int64(random.next(below: 100)))
                result = valve.onWatermark(watermark, channel: channel)
                expected = model.onWatermark(watermark, channel)
            }
            #expect(result == expected)
        }
    }

    @Test("Several inputs: the minimum over those that are not idle")
    func combined() {
        var combined = CombinedWatermark(count: 2)
        #expect(combined.onWatermark(Self.at(4), part: 0) == nil)
        #expect(combined.onWatermark(Self.at(9), part: 1) == Self.at(4))
        #expect(combined.onStatus(.idle, part: 0) == WatermarkValve.Result(watermark: Self.at(9), status: nil))
        #expect(combined.onStatus(.idle, part: 1).status == .idle)
        #expect(combined.onStatus(.active, part: 0).status == .active)
        #expect(combined.watermark == Self.at(9))
    }
}

/// The valve without any shortcut.
private struct ValveModel {
    var watermarks: [Int64]
    var isActive: [Bool]
    var isAligned: [Bool]
    var output = Int64.min
    var isIdle = false

    init(count: Int) {
        watermarks = Array(repeating: .min, count: count)
        isActive = Array(repeating: true, count: count)
        isAligned = isActive
    }

    mutating func onWatermark(_ watermark: EventTime, _ channel: Int) -> WatermarkValve.Result {
        guard !isIdle, isActive[channel], watermark.milliseconds > watermarks[channel] else { return WatermarkValve.Result() }
        watermarks[channel] = watermark.milliseconds
        if !isAligned[channel], watermark.milliseconds >= output { isAligned[channel] = true }
        return result(minimum(), nil)
    }

    mutating func onStatus(_ status: WatermarkStatus, _ channel: Int) -> WatermarkValve.Result {
        if status == .idle, isActive[channel] {
            isActive[channel] = false
            isAligned[channel] = false
            let held = watermarks[channel] == output
            guard isActive.contains(true) else {
                isIdle = true
                return result(held ? watermarks.max() : nil, .idle)
            }
            return result(held ? minimum() : nil, nil)
        }
        if status == .active, !isActive[channel] {
            isActive[channel] = true
            isAligned[channel] = watermarks[channel] >= output
            defer { isIdle = false }
            return result(nil, isIdle ? .active : nil)
        }
        return WatermarkValve.Result()
    }

    private func minimum() -> Int64? { watermarks.indices.filter { isAligned[$0] }.map { watermarks[$0] }.min() }

    private mutating func result(_ watermark: Int64?, _ status: WatermarkStatus?) -> WatermarkValve.Result {
        guard let watermark, watermark > output else { return WatermarkValve.Result(watermark: nil, status: status) }
        output = watermark
        return WatermarkValve.Result(watermark: EventTime(milliseconds: watermark), status: status)
    }
}
