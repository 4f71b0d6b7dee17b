import Columnar
import Dataflow

/// The producer's end of an exchange: splits batches over the channels and gathers small parts.
///
/// A part of at least half a full batch goes out at once; smaller ones wait until together they make a full batch, or until the buffer timeout.
/// Messages that are no rows go to every channel, behind all rows written before them.
public final class ExchangeWriter: RoutedRows {
    private let channels: [Channel]
    private let partitioner: any Partitioner
    private let clock: any Clock
    private let rowCountLimit: Int
    /// nil: rows do not wait at all.
    private let timeoutNanoseconds: Int64?
    private let metrics: OperatorMetrics?
    /// The schema under which the rows go on, where it is not their own.
    private let schema: Schema?
    private var pending: [PendingRows]
    /// When the oldest pending row must leave; nil when none is pending.
    public private(set) var flushDeadline: Int64?
    /// The bytes of one physical row of the batch that is being routed, so that no part is measured again.
    private var rowByteCount = 0.0

    /// A selection of fewer than one row in this many is copied before it is sent: a channel must not hold memory that it does not count.
    public static let sparsestSelection = 4

    /// `conformsTo` is the schema of a union whose types take more nulls than the producer's.
    public init(
        channels: [Channel], partitioner: any Partitioner, clock: any Clock, rowCountLimit: Int, bufferTimeoutMilliseconds: Int64,
        conformsTo schema: Schema? = nil, metrics: OperatorMetrics? = nil
    ) {
        self.schema = schema
        self.channels = channels
        self.partitioner = partitioner
        self.clock = clock
        self.rowCountLimit = max(1, rowCountLimit)
        timeoutNanoseconds = bufferTimeoutMilliseconds <= 0 ? nil : min(bufferTimeoutMilliseconds, 1 << 40) * 1_000_000
        self.metrics = metrics
        pending = Array(repeating: PendingRows(), count: channels.count)
    }

    public var channelCount: Int { channels.count }

    /// Whether any channel has no room: the producer should make no more rows until it is woken.
    public var isFull: Bool {
        for channel in channels where channel.isFull { return true }
        return false
    }

    /// Whether any channel is so full that not even a barrier is worth more rows.
    public var isOverdrawn: Bool {
        for channel in channels where channel.isOverdrawn { return true }
        return false
    }

    /// Bytes waiting in the channels.
    public var queuedByteCount: Int { channels.reduce(0) { $0 + $1.queuedByteCount } }

    /// Sends the rows of a batch, or keeps them for a while.
    public func write(_ batch: Batch) throws(MillstreamError) {
        let rowCount = batch.count
        guard rowCount > 0 else { return }
        let byteCount = batch.byteCount
        rowByteCount = Double(byteCount) / Double(rowCount)
        metrics?.bytesOut.add(byteCount)
        guard let schema else { return try partitioner.route(batch, to: self) }
        try partitioner.route(try batch.conforming(to: schema), to: self)
    }

    /// Rows for one channel, from the partitioner.
    public func add(_ rows: Batch, to channel: Int) throws(MillstreamError) {
        guard let timeoutNanoseconds else { return try sendRouted(rows, to: channel) }
        if pending[channel].isEmpty, rows.count * 2 >= rowCountLimit { return try sendRouted(rows, to: channel) }
        pending[channel].append(rows)
        if pending[channel].rowCount >= rowCountLimit { return try flush(channel) }
        if flushDeadline == nil { flushDeadline = clock.monotonicNanoseconds() &+ timeoutNanoseconds }
    }

    /// Sends a watermark, status, barrier or end to every channel, after the rows that wait.
    public func broadcast(_ message: Message) throws(MillstreamError) {
        try flush()
        let byteCount = message.byteCount
        for channel in channels { channel.send(message, byteCount: byteCount) }
    }

    /// Sends all rows that wait.
    public func flush() throws(MillstreamError) {
        guard flushDeadline != nil else { return }
        flushDeadline = nil
        for channel in channels.indices where !pending[channel].isEmpty { try flush(channel) }
    }

    /// Sends the rows that have waited long enough.
    public func flush(at now: Int64) throws(MillstreamError) {
        if let flushDeadline, flushDeadline <= now { try flush() }
    }

    /// Lets the partitioner and the channels go; rows that wait are dropped.
    public func close() throws(MillstreamError) {
        pending = []
        flushDeadline = nil
        try partitioner.close()
    }

    private func flush(_ channel: Int) throws(MillstreamError) {
        let rows = try pending[channel].take()
        try send(rows, byteCount: rows.byteCount, to: channel)
    }

    /// A part of the batch that is being routed.
    private func sendRouted(_ rows: Batch, to channel: Int) throws(MillstreamError) {
        try send(rows, byteCount: Int(rowByteCount * Double(rows.count)), to: channel)
    }

    private func send(_ rows: Batch, byteCount: Int, to channel: Int) throws(MillstreamError) {
        var rows = rows
        if let selection = rows.selection, selection.count * Self.sparsestSelection < rows.physicalCount { rows = try rows.compacted() }
        channels[channel].send(.batch(rows), byteCount: byteCount &+ Message.overheadByteCount)
    }
}
