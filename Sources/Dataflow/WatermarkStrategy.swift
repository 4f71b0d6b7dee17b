import Columnar

/// How a stream gets its timestamps and watermarks.
public struct WatermarkStrategy: Sendable {
    /// Where a row's timestamp comes from.
    public enum TimestampAssigner: Sendable {
        /// The rows keep the timestamp that they have (a source may have given one).
        case keep
        /// A BIGINT, TIMESTAMP or TIMESTAMP_LTZ column by position.
        case column(Int)
        /// A host function from value and old timestamp to milliseconds.
        case host(any HostFunction)
    }

    public enum Generator: Sendable {
        case none
        /// `maxTimestamp - outOfOrderness - 1`, as in Flink; 0 is the monotonous strategy.
        case boundedOutOfOrderness(milliseconds: Int64)
        /// A host's generator, told each batch's timestamps.
        case host(any HostFunction)
    }

    public var timestamps: TimestampAssigner
    public var generator: Generator
    /// After how long without rows an input counts as idle; nil means never.
    public var idleTimeoutMilliseconds: Int64?
    /// By how much of event time the watermark advances before it is emitted anew (`BoundedOutOfOrdernessWatermarks`).
    public var intervalMilliseconds: Int64

    public init(
        timestamps: TimestampAssigner = .keep, generator: Generator = .none, idleTimeoutMilliseconds: Int64? = nil,
        intervalMilliseconds: Int64 = BoundedOutOfOrdernessWatermarks.defaultIntervalMilliseconds
    ) {
        self.intervalMilliseconds = intervalMilliseconds
        self.timestamps = timestamps
        self.generator = generator
        self.idleTimeoutMilliseconds = idleTimeoutMilliseconds
    }
}
