/// What makes a column of type TIMESTAMP or TIMESTAMP_LTZ the time of its rows; the raw value is what Flink prints behind its type.
public enum TimeAttribute: String, Hashable, Sendable {
    /// The event time, which a watermark follows.
    case rowtime = "ROWTIME"
    /// The machine's time, when the row is looked at.
    case proctime = "PROCTIME"
}
