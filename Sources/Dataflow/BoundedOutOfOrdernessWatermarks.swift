import Columnar

/// Flink's generator for bounded out-of-orderness: the watermark is `maxTimestamp - outOfOrderness - 1`.
///
/// Flink asks it every 200 ms of processing time, so which rows are late depends on the machine's speed. Here the data decide: a watermark is due right
/// after the row with which it has advanced by at least `interval` milliseconds of event time since the last one (Flink SQL's assigner does the same).
/// So the results of a job depend on its input alone, not on batch sizes or on speed. A caller whose input has been quiet for an interval of
/// *processing* time emits `current`, so that a live stream's last window need not wait for the next row.
public struct BoundedOutOfOrdernessWatermarks: Sendable {
    /// Flink's `pipeline.auto-watermark-interval`.
    public static let defaultIntervalMilliseconds: Int64 = 200

    private let outOfOrderness: Int64
    private let interval: Int64
    /// The greatest timestamp so far; before the first row so little that `current` is `EventTime.min`.
    public private(set) var maxTimestamp: EventTime
    /// The last watermark given out.
    public private(set) var emitted: EventTime = .min

    /// Negative arguments count as 0. An interval of 0 makes a watermark due after every row that advances it.
    public init(outOfOrdernessMilliseconds: Int64, intervalMilliseconds: Int64 = defaultIntervalMilliseconds) {
        outOfOrderness = max(0, outOfOrdernessMilliseconds)
        interval = max(1, intervalMilliseconds)
        // The first watermark, before any row, is then exactly `EventTime.min`.
        maxTimestamp = EventTime.min + outOfOrderness + 1
    }

    /// Goes on where another generator stood; its watermark stays given out also where the bound has become larger.
    public mutating func restore(maxTimestamp: EventTime, emitted: EventTime) {
        self.maxTimestamp = max(self.maxTimestamp, maxTimestamp)
        self.emitted = emitted
    }

    /// The watermark that the rows seen so far allow.
    public var current: EventTime { maxTimestamp - outOfOrderness - 1 }

    /// Whether `current` is ahead of the last one given out.
    public var isBehind: Bool { current > emitted }

    /// Takes note that `current` was emitted, e.g. because the input was quiet.
    public mutating func emitCurrent() -> EventTime {
        emitted = max(emitted, current)
        return emitted
    }

    /// Looks at rows from `start` on, until a watermark is due.
    ///
    /// Returns the end of the rows that come before the watermark, and the watermark to emit behind them; nil if the rows end before one is due. Rows
    /// without a timestamp (`EventTime.none`) do not advance it.
    public mutating func advance(_ timestamps: UnsafeBufferPointer<Int64>, from start: Int) -> (end: Int, watermark: EventTime?) {
        // The first timestamp that makes a watermark due, so that the loop is one comparison a row.
        let due = (emitted == .min ? EventTime.min + 1 : emitted + interval) + outOfOrderness + 1
        var maximum = maxTimestamp.milliseconds
        var index = start
        while index < timestamps.count {
            let timestamp = timestamps[index]
            index += 1
            if timestamp > maximum {
                maximum = timestamp
                if timestamp >= due.milliseconds {
                    maxTimestamp = EventTime(milliseconds: maximum)
                    emitted = current
                    return (index, emitted)
                }
            }
        }
        maxTimestamp = EventTime(milliseconds: maximum)
        return (index, nil)
    }
}
