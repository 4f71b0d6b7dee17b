import Columnar
import Dataflow
import Plan

/// The rows of a join's result while they are named: rows of the batch that is at work, and rows kept of the other input. Comes out in batches, while there
/// is room.
final class JoinResult {
    private static let chunkRowCount = 4096

    private let schema: Schema
    /// Whether the result has the left input's columns alone.
    private let isLeftOnly: Bool
    /// Rows of the batch; -1: none, its columns are NULL.
    var rows: [Int32] = []
    /// Numbers of kept rows; 0: none.
    var slots: [Int32] = []
    /// Empty: all inserts.
    var kinds: [Int8] = []
    private var emitted = 0

    init(_ kind: JoinKind, schema: Schema) {
        self.schema = schema
        isLeftOnly = kind == .semi || kind == .anti
    }

    @inline(__always)
    func add(_ row: Int32, _ slot: Int32, _ kind: Int8) {
        rows.append(row)
        slots.append(slot)
        kinds.append(kind)
    }

    /// Emits; false while something is left because the output is full. `input` is whose batch it is, 0 the left one's.
    func emit(_ columns: [Column], input: Int, kept: RowSlots, _ output: any Output) throws(MillstreamError) -> Bool {
        while emitted < rows.count {
            let range = emitted..<min(emitted + Self.chunkRowCount, rows.count)
            emitted = range.upperBound
            var result: [Column] = []
            let isOwn = !isLeftOnly || input == 0
            let hasOther = !isLeftOnly || input == 1
            var own: [Column] = []
            if isOwn {
                own.reserveCapacity(columns.count)
                let buffer = Buffer.copying(rows[range].withUnsafeBufferPointer { Array($0) })
                let places = UnsafePointer(buffer.pointer(as: Int32.self))
                var least: Int32 = 0
                for place in 0..<range.count { least = min(least, places[place]) }
                for column in columns { own.append(try column.taking(places, count: range.count, nullsForNegative: least < 0)) }
                withExtendedLifetime(buffer) {}
            }
            var other: [Column] = []
            if hasOther {
                other = try slots.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
                    try kept.gather(slots.baseAddress.unsafelyUnwrapped + range.lowerBound, count: range.count)
                }
            }
            result = input == 0 ? own + other : other + own
            try output.emit(
                try .result(schema, result, count: range.count, rowKinds: kinds.isEmpty ? nil : .rowKinds(kinds[range])))
            if output.isFull, emitted < rows.count { return false }
        }
        rows.removeAll(keepingCapacity: true)
        slots.removeAll(keepingCapacity: true)
        kinds.removeAll(keepingCapacity: true)
        emitted = 0
        return true
    }
}

/// Rows of a batch with the kept rows of the other input that they meet, row by row.
struct JoinMatches {
    private static let pairCountMax = 8192

    /// The rows of the batch that were looked at.
    let range: Range<Int>
    /// Of each pair; ascending.
    private(set) var rows: [Int32] = []
    private(set) var slots: [Int32] = []
    /// Where the pairs of each row of `range` end.
    private(set) var ends: [Int] = []

    /// The matches of so many rows from `first` on as give a good batch; of one row all.
    init(_ keys: [Int32], from first: Int, in other: JoinRows) {
        self.init(keys, from: first) { row, found in
            var slot = other.first(keys[row])
            while slot >= 0 {
                found.append(slot)
                slot = other.next(slot)
            }
        }
    }

    /// `find` appends the kept rows that a row meets.
    @inline(__always)
    init(_ keys: [Int32], from first: Int, _ find: (Int, inout [Int32]) -> Void) {
        var end = first
        while end < keys.count, slots.count < Self.pairCountMax {
            if keys[end] >= 0 { find(end, &slots) }
            while rows.count < slots.count { rows.append(Int32(truncatingIfNeeded: end)) }
            ends.append(slots.count)
            end += 1
        }
        range = first..<end
    }

    /// Keeps the pairs for which the condition is true. `columns` are the batch's, `input` is whose it is, `leftCount` how many columns the left input has.
    mutating func keep(
        where condition: PairCondition, _ evaluation: Evaluation, _ columns: [Column], input: Int, leftCount: Int, _ other: RowSlots
    ) throws(MillstreamError) {
        guard !slots.isEmpty else { return }
        let pairs = Selection(rows)
        let (count, kept) = (slots.count, slots)
        let matches = try condition.pairs(count, evaluation) { (position) throws(MillstreamError) in
            let isLeft = position < leftCount
            if isLeft == (input == 0) { return try columns[isLeft ? position : position - leftCount].taking(pairs) }
            return try kept.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
                try other.gather(column: isLeft ? position : position - leftCount, slots.baseAddress.unsafelyUnwrapped, count: count)
            }
        }
        guard let matches else { return }
        var (newRows, newSlots): ([Int32], [Int32]) = ([], [])
        newRows.reserveCapacity(matches.count)
        newSlots.reserveCapacity(matches.count)
        var place = 0
        for index in ends.indices {
            while place < matches.count, matches[place] < ends[index] {
                newRows.append(rows[matches[place]])
                newSlots.append(slots[matches[place]])
                place += 1
            }
            ends[index] = newRows.count
        }
        (rows, slots) = (newRows, newSlots)
    }

    /// The pairs of a row of `range`.
    @inline(__always)
    func pairs(_ row: Int) -> Range<Int> {
        let place = row - range.lowerBound
        return (place == 0 ? 0 : ends[place - 1])..<ends[place]
    }
}
