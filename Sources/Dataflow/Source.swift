import Columnar

/// Whether a source ends by itself.
public enum Boundedness: Sendable { case bounded, unbounded }

/// One end of the dataflow: names the splits of its input and makes readers for them.
///
/// The enumerator lives once per job, a reader once per subtask. Positions are in the splits, so that a checkpoint of the readers' splits and the
/// enumerator's rest is all that a restart needs.
public protocol Source: AnyObject, Sendable {
    var boundedness: Boundedness { get }
    var schema: Schema { get }
    func makeEnumerator(parallelism: Int) throws(MillstreamError) -> any SplitEnumerator
    func makeReader(_ context: SourceReaderContext) throws(MillstreamError) -> any SourceReader
}

/// A part of a source's input that one reader reads, with the position reached so far in `payload` (the source's own encoding).
public struct SourceSplit: Hashable, Sendable {
    public let id: String
    public var payload: [UInt8]

    public init(id: String, payload: [UInt8]) {
        self.id = id
        self.payload = payload
    }
}

/// Hands out splits. Called from one thread at a time; must not block.
public protocol SplitEnumerator: AnyObject {
    /// The next split for a reader that asks.
    func nextSplit(for subtask: SubtaskIndex) throws(MillstreamError) -> SplitAssignment
    /// Splits that come back from a failed reader.
    func addBack(_ splits: [SourceSplit])
    /// What has not been handed out, for a checkpoint.
    func snapshot() throws(MillstreamError) -> [UInt8]
    func restore(_ bytes: [UInt8]) throws(MillstreamError)
    func close()
}

public enum SplitAssignment: Sendable {
    case split(SourceSplit)
    /// None now; ask again at this time.
    case later(ProcessingTime)
    /// None ever.
    case noMore
}

/// What a reader knows of its place.
public final class SourceReaderContext {
    public let subtask: SubtaskIndex
    public let parallelism: Int
    public let clock: any Clock
    public let random: any RandomSource
    public let metrics: OperatorMetrics
    public let operatorName: String
    /// The operator state of a host's source; nil for others.
    public let operatorState: (any HostStateAccess)?
    /// The reader calls this, from any thread, when `poll` has something after it said `wait`.
    public let notifyAvailable: @Sendable () -> Void

    public init(
        subtask: SubtaskIndex, parallelism: Int, clock: any Clock, random: any RandomSource, metrics: OperatorMetrics, operatorName: String,
        operatorState: (any HostStateAccess)? = nil, notifyAvailable: @escaping @Sendable () -> Void
    ) {
        self.subtask = subtask
        self.parallelism = parallelism
        self.clock = clock
        self.random = random
        self.metrics = metrics
        self.operatorName = operatorName
        self.operatorState = operatorState
        self.notifyAvailable = notifyAvailable
    }
}

/// Reads its splits. Called from one thread at a time; `poll` must not block for longer than a disk read.
public protocol SourceReader: AnyObject {
    func addSplit(_ split: SourceSplit) throws(MillstreamError)
    func noMoreSplits()
    /// At most about `rowLimit` rows of one split.
    func poll(rowLimit: Int) throws(MillstreamError) -> SourcePoll
    /// The splits at hand, with their positions after the last batch that `poll` returned.
    func snapshot() throws(MillstreamError) -> [SourceSplit]
    /// Once, also after a failure. A failure of its own fails the job, unless it is failing or stopping already.
    func close() throws(MillstreamError)
}

public enum SourcePoll: Sendable {
    /// Rows of one split; `split` is its id, for its watermark.
    case batch(Batch, split: String)
    /// The same with records that could not be decoded, for the source's output of dead letters. Both are of one piece of the split.
    case decoded(Batch?, deadLetters: Batch, split: String)
    /// A split is done; it no longer counts for the watermark.
    case splitFinished(String)
    /// Nothing at hand and room for another split.
    case needsSplit
    /// Nothing now: try again at the time given, or when `notifyAvailable` is called.
    case wait(until: ProcessingTime?)
    /// All splits are done and no more come.
    case end
}
