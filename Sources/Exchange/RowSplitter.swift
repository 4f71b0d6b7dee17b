import Columnar
import Dataflow

/// Splits a batch by a channel number per row with a counting sort: one pass to count, one to place, no data moved.
///
/// The selections of all channels share one buffer of row numbers.
struct RowSplitter {
    private var targets: [UInt16] = []
    private var ends: [Int32] = []

    /// `assign` writes the channel of each row that counts; channel numbers are below `channels.channelCount`, at most 32,768.
    mutating func split(
        _ batch: Batch, over channels: any RoutedRows, assign: (UnsafeMutablePointer<UInt16>) -> Void
    ) throws(MillstreamError) {
        let rowCount = batch.count
        let channelCount = channels.channelCount
        if targets.count < rowCount { targets = [UInt16](repeating: 0, count: rowCount) }
        if ends.count < channelCount { ends = [Int32](repeating: 0, count: channelCount) }
        let rows = Buffer(byteCount: 4 * rowCount)
        targets.withUnsafeMutableBufferPointer { targets in
            ends.withUnsafeMutableBufferPointer { ends in
                guard let target = targets.baseAddress, let end = ends.baseAddress else { return }
                assign(target)
                countingSort(
                    targets: target, rowCount: rowCount, rows: batch.selection?.indices, channelCount: channelCount, ends: end,
                    sorted: rows.pointer(as: Int32.self))
            }
        }
        var start = 0
        for channel in 0..<channelCount {
            let end = Int(ends[channel])
            if end == rowCount && start == 0 { return try channels.add(batch, to: channel) }
            if end > start {
                var part = batch
                part.selection = Selection(buffer: rows, offset: start, count: end - start)
                try channels.add(part, to: channel)
            }
            start = end
        }
    }
}

/// Writes row numbers (`rows[i]`, or i) sorted by target, stably; `ends[t]` becomes the end of target t's run.
private func countingSort(
    targets: UnsafePointer<UInt16>, rowCount: Int, rows: UnsafePointer<Int32>?, channelCount: Int, ends: UnsafeMutablePointer<Int32>,
    sorted: UnsafeMutablePointer<Int32>
) {
    ends.update(repeating: 0, count: channelCount)
    for index in 0..<rowCount { ends[Int(targets[index])] &+= 1 }
    var start: Int32 = 0
    for channel in 0..<channelCount {
        let count = ends[channel]
        ends[channel] = start
        start &+= count
    }
    if let rows {
        for index in 0..<rowCount {
            let target = Int(targets[index])
            sorted[Int(ends[target])] = rows[index]
            ends[target] &+= 1
        }
    } else {
        for index in 0..<rowCount {
            let target = Int(targets[index])
            sorted[Int(ends[target])] = Int32(truncatingIfNeeded: index)
            ends[target] &+= 1
        }
    }
}
