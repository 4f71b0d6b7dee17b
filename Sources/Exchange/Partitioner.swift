import Columnar
import Dataflow

/// Decides which channel of an exchange each row takes.
public protocol Partitioner: AnyObject {
    /// Whether each channel gets a part of the rows, so that small parts are worth gathering.
    var spreadsRows: Bool { get }
    /// Hands every row of `batch`, in order per channel, to `channels`.
    func route(_ batch: Batch, to channels: any RoutedRows) throws(MillstreamError)
    /// After the last batch, also after a failure.
    func close() throws(MillstreamError)
}

extension Partitioner {
    public var spreadsRows: Bool { true }
    public func close() throws(MillstreamError) {}
}

/// Where a partitioner puts what it has sorted.
public protocol RoutedRows: AnyObject {
    var channelCount: Int { get }
    func add(_ rows: Batch, to channel: Int) throws(MillstreamError)
}

/// All rows to one channel: a forward exchange's only one, or a global exchange's first.
public final class SingleChannelPartitioner: Partitioner {
    public init() {}
    public var spreadsRows: Bool { false }
    public func route(_ batch: Batch, to channels: any RoutedRows) throws(MillstreamError) { try channels.add(batch, to: 0) }
}

/// Every row to every channel.
public final class BroadcastPartitioner: Partitioner {
    public init() {}
    public var spreadsRows: Bool { false }

    public func route(_ batch: Batch, to channels: any RoutedRows) throws(MillstreamError) {
        for channel in 0..<channels.channelCount { try channels.add(batch, to: channel) }
    }
}

/// Deals rows out evenly (rebalance, and rescale over the channels it has).
///
/// Each channel gets as many rows as if they were dealt one by one, but neighbours stay together: a slice copies nothing.
public final class RoundRobinPartitioner: Partitioner {
    private var next: Int

    public init(startingAt channel: Int) { next = channel }

    public func route(_ batch: Batch, to channels: any RoutedRows) throws(MillstreamError) {
        let channelCount = channels.channelCount
        let rowCount = batch.count
        let (share, extra) = rowCount.quotientAndRemainder(dividingBy: channelCount)
        var start = 0
        for turn in 0..<channelCount where start < rowCount {
            let length = share + (turn < extra ? 1 : 0)
            try channels.add(batch.slice(start, length), to: (next + turn) % channelCount)
            start += length
        }
        next = (next + extra) % channelCount
    }
}

/// Each row to a channel at random.
public final class ShufflePartitioner: Partitioner {
    private let random: any RandomSource
    private var splitter = RowSplitter()

    public init(random: any RandomSource) { self.random = random }

    public func route(_ batch: Batch, to channels: any RoutedRows) throws(MillstreamError) {
        let channelCount = UInt64(channels.channelCount)
        if channelCount == 1 { return try channels.add(batch, to: 0) }
        let random = self.random
        try splitter.split(batch, over: channels) { targets in
            for index in 0..<batch.count { targets[index] = UInt16(truncatingIfNeeded: random.next(below: channelCount)) }
        }
    }
}
