import Columnar

/// What travels along an edge of the dataflow.
public enum Message: Sendable {
    case batch(Batch)
    /// No more rows with a timestamp at or before this one follow from this channel.
    case watermark(EventTime)
    /// The channel stops or starts to count for the watermark of whoever reads it.
    case status(WatermarkStatus)
    /// A checkpoint's border: what came before belongs to it, what follows does not.
    case barrier(CheckpointBarrier)
    /// Nothing follows.
    case endOfInput

    /// How much room the message takes in a channel that is bounded in bytes.
    ///
    /// A barrier takes none: there are only as many as checkpoints at once, and where these follow each other without a pause, barriers would else leave
    /// no room for rows.
    public var byteCount: Int {
        switch self {
        case .batch(let batch): batch.byteCount + Message.overheadByteCount
        case .barrier: 0
        default: Message.overheadByteCount
        }
    }

    /// What the message itself costs beside its data; keeps a channel of empty messages bounded too.
    public static let overheadByteCount = 64
}

/// Whether a channel takes part in the watermark.
public enum WatermarkStatus: Sendable { case active, idle }

/// The border of a checkpoint in a stream.
public struct CheckpointBarrier: Hashable, Sendable {
    public enum Alignment: Hashable, Sendable { case exactlyOnce, atLeastOnce, unaligned }
    public let id: CheckpointID
    /// When the coordinator triggered it.
    public let triggered: ProcessingTime
    public let alignment: Alignment
    public let isSavepoint: Bool

    public init(id: CheckpointID, triggered: ProcessingTime, alignment: Alignment, isSavepoint: Bool) {
        self.id = id
        self.triggered = triggered
        self.alignment = alignment
        self.isSavepoint = isSavepoint
    }
}
