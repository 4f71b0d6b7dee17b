import Columnar
import Dataflow

/// The watermark of an operator with several inputs: the minimum over those that are not idle; never falls.
///
/// Unlike the valve over the channels of one input, an input that comes back takes part at once, as in Flink's `IndexedCombinedWatermarkStatus`.
public struct CombinedWatermark {
    private struct Part {
        var watermark = EventTime.min
        var isIdle = false
    }

    private var parts: [Part]
    public private(set) var watermark = EventTime.min
    public private(set) var isIdle = false

    public init(count: Int) { parts = Array(repeating: Part(), count: count) }

    /// Goes on from the watermarks of the parts at an earlier time.
    public mutating func restore(_ progress: [(watermark: EventTime, isIdle: Bool)]) {
        for (index, part) in progress.enumerated() where index < parts.count { parts[index] = Part(watermark: part.watermark, isIdle: part.isIdle) }
        _ = update()
    }

    /// The new combined watermark, if it moved.
    public mutating func onWatermark(_ watermark: EventTime, part: Int) -> EventTime? {
        guard watermark > parts[part].watermark else { return nil }
        parts[part].watermark = watermark
        parts[part].isIdle = false
        return update()
    }

    /// The new combined watermark, if it moved, and the new combined status, if it changed.
    public mutating func onStatus(_ status: WatermarkStatus, part: Int) -> WatermarkValve.Result {
        let wasIdle = isIdle
        parts[part].isIdle = status == .idle
        var result = WatermarkValve.Result()
        result.watermark = update()
        if wasIdle != isIdle { result.status = isIdle ? .idle : .active }
        return result
    }

    private mutating func update() -> EventTime? {
        var minimum = EventTime.max
        isIdle = true
        for part in parts where !part.isIdle {
            minimum = Swift.min(minimum, part.watermark)
            isIdle = false
        }
        guard !isIdle, minimum > watermark else { return nil }
        watermark = minimum
        return minimum
    }
}
