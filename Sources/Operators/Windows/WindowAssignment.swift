import Columnar
import Dataflow

extension ProcessingTime {
    /// The last millisecond of which no row can come any more: the one before the clock's own. At the end of time there is none behind.
    var lastPassed: EventTime { EventTime(milliseconds: milliseconds == .max ? .max : milliseconds.subtractingSaturating(1)) }
}

/// Which windows a time belongs to; pure functions over milliseconds.
enum WindowAssignment {
    /// The start of the window of `size` that holds `time`: the largest multiple of `size`, shifted by `offset`, that is not after it. Saturates at the
    /// first times there are. Source: Flink's `TimeWindow.getWindowStartWithOffset`, with its branch for negative remainders.
    static func start(of time: Int64, size: Int64, offset: Int64) -> Int64 {
        // Overflow of the shift moves the time by a full turn of Int64, so it is computed on the remainders instead.
        let remainder = (time % size &- offset % size) % size
        return time.subtractingSaturating(remainder < 0 ? remainder &+ size : remainder)
    }

    /// `start + size`, or the last time there is.
    static func end(start: Int64, size: Int64) -> Int64 { start.addingSaturating(size) }

    /// The starts of all sliding windows that hold `time`, the last one first.
    static func starts(of time: Int64, size: Int64, slide: Int64, offset: Int64, into starts: inout [Int64]) {
        starts.removeAll(keepingCapacity: true)
        var start = start(of: time, size: slide, offset: offset)
        let first = time.subtractingSaturating(size)
        while start > first {
            starts.append(start)
            let (next, overflow) = start.subtractingReportingOverflow(slide)
            if overflow { return }
            start = next
        }
    }
}
