import Columnar

/// The other end of the dataflow. A writer takes rows; what it has prepared becomes visible only by a commit.
public protocol Sink: AnyObject, Sendable {
    func makeWriter(_ context: OperatorContext) throws(MillstreamError) -> any SinkWriter
    /// Makes prepared results visible; nil for a sink that has nothing to commit.
    func makeCommitter() throws(MillstreamError) -> (any Committer)?
}

/// Called from one thread at a time.
public protocol SinkWriter: AnyObject {
    /// `timestamps` and row kinds travel in the batch. False: there is no room for the batch now, nothing of it was taken, and `notify` is called
    /// once, from any thread, when it is worth another try.
    func write(_ batch: Batch, notify: @escaping @Sendable () -> Void) throws(MillstreamError) -> Bool
    /// Time for rolling by age; comes about once a second, and after each watermark.
    func onTime(_ now: ProcessingTime, watermark: EventTime) throws(MillstreamError)
    /// Everything written so far is durable, or in a committable, when this returns. The last call has `endOfInput`.
    func prepareCommit(endOfInput: Bool) throws(MillstreamError) -> [Committable]
    /// What a restart needs to go on with unfinished files; comes right behind `prepareCommit`.
    func snapshot() throws(MillstreamError) -> [UInt8]
    /// Comes before `restore`: all that the restored checkpoint has of the sink, of whichever subtask. None of it is left over from a crash, whoever goes on with it.
    func know(states: [[UInt8]], committables: [Committable]) throws(MillstreamError)
    /// Takes what a writer of an earlier run wrote; once for each of them that this one follows: none, one, or several where there are fewer writers now.
    func restore(_ bytes: [UInt8]) throws(MillstreamError)
    /// Gives up what is not prepared; also called after a failure. A failure fails the job, unless it is failing or stopping already.
    func close() throws(MillstreamError)
}

extension SinkWriter {
    public func onTime(_ now: ProcessingTime, watermark: EventTime) throws(MillstreamError) {}
    public func snapshot() throws(MillstreamError) -> [UInt8] { [] }
    public func know(states: [[UInt8]], committables: [Committable]) throws(MillstreamError) {}
    public func restore(_ bytes: [UInt8]) throws(MillstreamError) {}
}

/// Something prepared that one call makes visible; the bytes are the sink's own encoding and go into the checkpoint.
public struct Committable: Hashable, Sendable {
    public let payload: [UInt8]
    public init(payload: [UInt8]) { self.payload = payload }
}

/// Makes committables visible. Committing one twice must be the same as once.
public protocol Committer: AnyObject {
    /// One outcome for each committable, in their order.
    func commit(_ committables: [Committable]) throws(MillstreamError) -> [CommitOutcome]
    /// A committable in words, for whoever has to find out what became of it: what, and where to look.
    func describe(_ committable: Committable) -> String
    func close()
}

extension Committer {
    public func describe(_ committable: Committable) -> String { "a result of \(committable.payload.count) bytes in the sink's own form" }
}

/// The five answers of a commit.
public enum CommitOutcome: Sendable {
    case committed
    case alreadyCommitted
    case retry(MillstreamError)
    case failed(MillstreamError)
    /// The target may or may not have it: the job stops with everything kept.
    case unknown(MillstreamError)
}
