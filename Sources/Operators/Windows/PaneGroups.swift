import Columnar

/// The rows of a batch by the panes that they belong to. Kept from batch to batch, so that its memory is used again.
struct PaneGroups {
    private var starts: [Int64] = []
    private var rows: [[Int32]] = []
    /// How many entries of the two are in use.
    private var count = 0
    /// The place of a pane's start; looked into only, never iterated.
    private var places: [Int64: Int] = [:]
    private var last = 0

    mutating func removeAll() {
        for place in 0..<count { rows[place].removeAll(keepingCapacity: true) }
        places.removeAll(keepingCapacity: true)
        count = 0
        last = 0
    }

    /// Rows come in ascending order.
    @inline(__always)
    mutating func append(_ row: Int32, to start: Int64) {
        if last >= count || starts[last] != start { last = place(of: start) }
        rows[last].append(row)
    }

    private mutating func place(of start: Int64) -> Int {
        if let place = places[start] { return place }
        let place = count
        if place == starts.count {
            starts.append(start)
            rows.append([])
        } else {
            starts[place] = start
        }
        places[start] = place
        count += 1
        return place
    }

    /// The groups in the order of the panes' starts.
    func sorted() -> [(start: Int64, rows: [Int32])] {
        (0..<count).map { (start: starts[$0], rows: rows[$0]) }.sorted { $0.start < $1.start }
    }
}

extension Batch {
    /// Rows of a dense batch, named in ascending order; a slice where they are neighbours.
    func taking(_ rows: [Int32]) throws(MillstreamError) -> Batch {
        if let first = rows.first, let last = rows.last, Int(last - first) + 1 == rows.count { return slice(Int(first), rows.count) }
        return try selecting(Selection(rows)).compacted()
    }
}
