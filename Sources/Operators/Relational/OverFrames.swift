import Columnar
import Plan

/// Rows in the order of one window: its partitions one after the other, each in the window's order.
struct OverOrder {
    /// The rows in that order.
    let rows: Selection
    /// Where each place's partition begins and ends, and the rows that are equal to it in the order.
    let partitions: [Range<Int>]
    private(set) var peers: [Range<Int>]
    /// The column that a RANGE measures, in the order of the rows.
    let measure: Column?
    let measureIsDescending: Bool

    init(_ window: OverDescription.Window, _ columns: [Column], count: Int) throws(MillstreamError) {
        let keys =
            window.partitionBy.map { Columnar.SortKey(columns[$0]) }
            + window.orderBy.map { Columnar.SortKey(columns[$0.column], isDescending: $0.isDescending, nullsFirst: $0.nullsFirst) }
        let sorted = keys.isEmpty ? Selection((0..<Int32(truncatingIfNeeded: count)).map { $0 }) : try Selection.sorted(by: keys, count: count)
        rows = sorted
        var partitionStarts = [0], peerStarts = [0]
        if count > 1 {
            let samePartition = try Self.sameAsBefore(window.partitionBy.map { columns[$0] }, sorted, count)
            let sameOrder = try Self.sameAsBefore(window.orderBy.map { columns[$0.column] }, sorted, count)
            for place in 1..<count {
                if !samePartition[place - 1] { partitionStarts.append(place) }
                if !samePartition[place - 1] || !sameOrder[place - 1] { peerStarts.append(place) }
            }
        }
        partitions = Self.ranges(partitionStarts, count)
        peers = Self.ranges(peerStarts, count)
        measure = try window.orderBy.first.map { (key) throws(MillstreamError) in try columns[key.column].taking(sorted) }
        measureIsDescending = window.orderBy.first?.isDescending ?? false
    }

    private static func ranges(_ starts: [Int], _ count: Int) -> [Range<Int>] {
        starts.indices.map { starts[$0]..<($0 + 1 < starts.count ? starts[$0 + 1] : count) }.filter { !$0.isEmpty }
    }

    /// Whether each row but the first has the values of the one before it.
    private static func sameAsBefore(_ columns: [Column], _ rows: Selection, _ count: Int) throws(MillstreamError) -> [Bool] {
        var same = [Bool](repeating: true, count: count - 1)
        guard !columns.isEmpty else { return same }
        try same.withUnsafeMutableBufferPointer { (target) throws(MillstreamError) in
            guard let base = target.baseAddress else { return }
            try equalRows(columns, rows.indices, columns, rows.indices + 1, count: count - 1, into: base)
        }
        return same
    }
}

/// A number that a RANGE measures by: the value itself, exactly.
enum Measured: Comparable {
    case integer(Int128)
    case floating(Double)

    static func < (left: Measured, right: Measured) -> Bool {
        switch (left, right) {
        case (.integer(let first), .integer(let second)): first < second
        case (.floating(let first), .floating(let second)): isLess(first, second)
        case (.integer, .floating): true
        case (.floating, .integer): false
        }
    }

    func moved(by difference: Measured, backwards: Bool) -> Measured {
        switch (self, difference) {
        case (.integer(let value), .integer(let change)):
            let (sum, overflows) = backwards ? value.subtractingReportingOverflow(change) : value.addingReportingOverflow(change)
            return .integer(overflows ? (backwards ? .min : .max) : sum)
        case (.floating(let value), .floating(let change)): return .floating(backwards ? value - change : value + change)
        default: return self
        }
    }
}

extension Column {
    /// The value of a number or a time.
    func measured(_ row: Int) throws(MillstreamError) -> Measured {
        switch scalar(at: row) {
        case .int64(let value): return .integer(Int128(value))
        case .decimal(let value): return .integer(value)
        case .double(let value): return .floating(value)
        default: throw MillstreamError(.plan, "a RANGE between values needs an order by a number or a time, not by \(type)")
        }
    }

    /// A difference of this column's values: milliseconds where they are times.
    func difference(_ scalar: Scalar) throws(MillstreamError) -> Measured {
        switch (scalar, type.kind) {
        case (.int64(let value), .timestamp(let precision)), (.int64(let value), .timestampLTZ(let precision)):
            return .integer(Int128(value) * Int128(TimeUnit(precision: precision).perSecond) / 1_000)
        case (.int64(let value), .double), (.int64(let value), .float): return .floating(Double(value))
        case (.int64(let value), .date): return .integer(Int128(value) / 86_400_000)
        case (.int64(let value), .decimal(_, let scale)): return .integer(Int128(value) * powerOfTen(scale))
        case (.int64(let value), _): return .integer(Int128(value))
        case (.decimal(let value), _): return .integer(value)
        case (.double(let value), _): return .floating(value)
        default: throw MillstreamError(.plan, "a RANGE by \(scalar) does not apply to an order by \(type)")
        }
    }
}

/// The rows of each row's frame, as places in the order of a window; both bounds only rise within a partition.
struct OverFrames {
    private(set) var starts: [Int]
    private(set) var ends: [Int]

    init(_ window: OverDescription.Window, _ order: OverOrder, count: Int) throws(MillstreamError) {
        starts = Array(repeating: 0, count: count)
        ends = starts
        var peer = 0
        for partition in order.partitions {
            var low = partition.lowerBound, high = partition.lowerBound
            for place in partition {
                while order.peers[peer].upperBound <= place { peer += 1 }
                let peers = order.peers[peer]
                if window.isRows {
                    starts[place] = try Self.place(window.start, place, partition, isEnd: false)
                    ends[place] = try Self.place(window.end, place, partition, isEnd: true)
                } else {
                    starts[place] = try Self.place(window.start, place, partition, peers, order, &low, isEnd: false)
                    ends[place] = try Self.place(window.end, place, partition, peers, order, &high, isEnd: true)
                }
            }
        }
    }

    private static func place(_ bound: OverDescription.Window.Bound, _ place: Int, _ partition: Range<Int>, isEnd: Bool) throws(MillstreamError)
        -> Int
    {
        func moved(_ scalar: Scalar, _ sign: Int) throws(MillstreamError) -> Int {
            guard case .int64(let rows) = scalar, rows >= 0 else {
                throw MillstreamError(.plan, "a frame of ROWS is of \(scalar) rows; it must be a number that is not negative")
            }
            let distance = min(rows, Int64(partition.count))
            return min(max(partition.lowerBound, place + sign * Int(distance) + (isEnd ? 1 : 0)), partition.upperBound)
        }
        switch bound {
        case .unboundedPreceding: return partition.lowerBound
        case .unboundedFollowing: return partition.upperBound
        case .currentRow: return isEnd ? place + 1 : place
        case .preceding(let rows): return try moved(rows, -1)
        case .following(let rows): return try moved(rows, 1)
        }
    }

    private static func place(
        _ bound: OverDescription.Window.Bound, _ place: Int, _ partition: Range<Int>, _ peers: Range<Int>, _ order: OverOrder, _ cursor: inout Int,
        isEnd: Bool
    ) throws(MillstreamError) -> Int {
        let scalar: Scalar
        let isPreceding: Bool
        switch bound {
        case .unboundedPreceding: return partition.lowerBound
        case .unboundedFollowing: return partition.upperBound
        case .currentRow: return isEnd ? peers.upperBound : peers.lowerBound
        case .preceding(let value): (scalar, isPreceding) = (value, true)
        case .following(let value): (scalar, isPreceding) = (value, false)
        }
        guard let measure = order.measure else { throw MillstreamError(.plan, "a RANGE between values needs an order") }
        // NULLs are near each other alone.
        if measure.isNull(place) { return isEnd ? peers.upperBound : peers.lowerBound }
        let backwards = isPreceding != order.measureIsDescending
        let limit = try measure.measured(place).moved(by: try measure.difference(scalar), backwards: backwards)
        // Ascending: the first row at the limit or behind it; for an end, the first one behind it.
        cursor = max(cursor, partition.lowerBound)
        while cursor < partition.upperBound {
            if measure.isNull(cursor) {
                // Nulls before the values are before every limit, those behind them behind every one.
                if cursor < place { cursor += 1 } else { break }
                continue
            }
            let value = try measure.measured(cursor)
            let isBefore = order.measureIsDescending ? value > limit : value < limit
            if isBefore || (isEnd && value == limit) { cursor += 1 } else { break }
        }
        return cursor
    }

    /// What the frames say to aggregates: which row (a place) comes and goes, and behind which event each row's result stands.
    func events(_ order: OverOrder) -> (places: [Int32], steps: [UInt8], results: [Int32]) {
        var places: [Int32] = [], steps: [UInt8] = []
        var results = [Int32](repeating: 0, count: starts.count)
        places.reserveCapacity(2 * starts.count)
        steps.reserveCapacity(2 * starts.count)
        func note(_ place: Int, _ step: UInt8) {
            places.append(Int32(truncatingIfNeeded: place))
            steps.append(step)
        }
        for partition in order.partitions {
            // A frame may be empty from the first row on.
            note(partition.lowerBound, Step.reset)
            var low = partition.lowerBound, high = partition.lowerBound
            for place in partition {
                let (start, end) = (starts[place], max(starts[place], ends[place]))
                while low < min(start, high) {
                    note(low, Step.retract)
                    low += 1
                }
                if low < start { (low, high) = (start, max(start, high)) }
                while high < end {
                    note(high, Step.add)
                    high += 1
                }
                results[place] = Int32(truncatingIfNeeded: places.count - 1)
            }
        }
        return (places, steps, results)
    }
}
