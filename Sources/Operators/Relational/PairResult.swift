import Columnar
import Dataflow
import Plan

/// Pairs of kept rows of both inputs that come out of a join.
final class PairResult {
    private static let chunkRowCount = 4096

    private let schema: Schema
    private let isLeftOnly: Bool
    private let left: RowSlots
    private let right: RowSlots
    /// Numbers of rows; 0: none, its columns are NULL.
    private var lefts: [Int32] = []
    private var rights: [Int32] = []
    private var kinds: [Int8] = []
    private var emitted = 0

    init(_ kind: JoinKind, schema: Schema, left: RowSlots, right: RowSlots) {
        self.schema = schema
        self.left = left
        self.right = right
        isLeftOnly = kind == .semi || kind == .anti
    }

    var count: Int { lefts.count }

    func add(_ left: Int32, _ right: Int32, _ kind: Int8 = 0) {
        lefts.append(left)
        rights.append(right)
        kinds.append(kind)
    }

    /// Emits; false while something is left because the output is full.
    func emit(_ output: any Output) throws(MillstreamError) -> Bool {
        while emitted < lefts.count {
            let range = emitted..<min(emitted + Self.chunkRowCount, lefts.count)
            emitted = range.upperBound
            var columns = try left.gather(Array(lefts[range]))
            if !isLeftOnly { columns += try right.gather(Array(rights[range])) }
            try output.emit(try .result(schema, columns, count: range.count, rowKinds: .rowKinds(kinds[range])))
            if output.isFull, emitted < lefts.count { return false }
        }
        lefts.removeAll(keepingCapacity: true)
        rights.removeAll(keepingCapacity: true)
        kinds.removeAll(keepingCapacity: true)
        emitted = 0
        return true
    }
}

extension PairCondition {
    /// Whether the condition is true for each pair of kept rows.
    func holds(
        _ lefts: [Int32], _ rights: [Int32], _ evaluation: Evaluation, left: RowSlots, right: RowSlots, leftCount: Int
    ) throws(MillstreamError) -> [Bool] {
        guard !lefts.isEmpty else { return [] }
        let matches = try pairs(lefts.count, evaluation) { (position) throws(MillstreamError) in
            let isLeft = position < leftCount
            return try (isLeft ? lefts : rights).withUnsafeBufferPointer { (slots) throws(MillstreamError) in
                try (isLeft ? left : right).gather(column: isLeft ? position : position - leftCount, slots.baseAddress.unsafelyUnwrapped, count: slots.count)
            }
        }
        guard let matches else { return [Bool](repeating: true, count: lefts.count) }
        var holds = [Bool](repeating: false, count: lefts.count)
        for place in 0..<matches.count { holds[matches[place]] = true }
        return holds
    }
}

/// Keys by the time at which something is to be done for them: one time for each key, the earliest that was asked for.
struct KeyTimes {
    private struct Entry: Comparable {
        let time: Int64
        let number: Int64
        let key: Int32

        static func < (left: Entry, right: Entry) -> Bool { left.time != right.time ? left.time < right.time : left.number < right.number }
    }

    private var heap = BinaryHeap<Entry>()
    /// The time that counts; only looked up in, never iterated.
    private var times: [Int32: Int64] = [:]
    private var nextNumber: Int64 = 0

    mutating func register(_ key: Int32, at time: Int64) {
        if let known = times[key], known <= time { return }
        times[key] = time
        heap.push(Entry(time: time, number: nextNumber, key: key))
        nextNumber += 1
    }

    /// The earliest time.
    mutating func first() -> Int64? {
        while let first = heap.first {
            if times[first.key] == first.time { return first.time }
            heap.popFirst()
        }
        return nil
    }

    /// The next key whose time is not later; equal times in the order in which they were asked for.
    mutating func next(upTo time: Int64) -> Int32? {
        guard let first = first(), first <= time, let entry = heap.popFirst() else { return nil }
        times[entry.key] = nil
        return entry.key
    }
}
