import Columnar
import Dataflow

/// Windows that keep all their elements, for a process window function.
///
/// Rows stay in the batches that they came in; a list of row numbers per slot says which are whose. Batches whose rows are mostly gone are copied together.
final class ElementLists: WindowContents {
    private let functions: WindowFunctions
    private var batches: [Batch] = []
    /// Per slot: places (batch, row) in order of arrival.
    private var lists: [[Place]] = []
    private var liveCount = 0
    private var storedCount = 0
    private static let garbageRowCountMin = 65_536

    private struct Place {
        var batch: Int32
        var row: Int32
    }

    init(functions: WindowFunctions) { self.functions = functions }

    func add(_ rows: Batch, slots: UnsafePointer<Int32>) throws(MillstreamError) {
        let number = Int32(truncatingIfNeeded: batches.count)
        batches.append(rows)
        storedCount += rows.count
        for row in 0..<rows.count {
            let slot = Int(slots[row])
            if slot >= lists.count { lists.append(contentsOf: repeatElement([], count: slot + 1 - lists.count)) }
            lists[slot].append(Place(batch: number, row: Int32(truncatingIfNeeded: row)))
        }
        liveCount += rows.count
        try collectGarbage()
    }

    func merge(_ pairs: [(from: Int32, into: Int32)]) throws(MillstreamError) {
        for pair in pairs where Int(pair.from) < lists.count {
            let moved = lists[Int(pair.from)]
            lists[Int(pair.from)] = []
            if Int(pair.into) >= lists.count { lists.append(contentsOf: repeatElement([], count: Int(pair.into) + 1 - lists.count)) }
            lists[Int(pair.into)].append(contentsOf: moved)
        }
    }

    func absorb(_ other: any WindowContents, slots: [Int32], targets: [Int32]) throws(MillstreamError) {
        throw MillstreamError.internal("windows of elements have no slices")
    }

    func emit(_ frames: WindowFrames, output: any Output) throws(MillstreamError) {
        var offsets: [Int32] = [0]
        var places: [Place] = []
        for slot in frames.slots {
            if Int(slot) < lists.count { places.append(contentsOf: lists[Int(slot)]) }
            offsets.append(Int32(truncatingIfNeeded: places.count))
        }
        try functions.process(try gather(places), offsets: offsets, frames, output: output)
    }

    func remove(_ slots: UnsafePointer<Int32>, count: Int) {
        for index in 0..<count where Int(slots[index]) < lists.count {
            liveCount -= lists[Int(slots[index])].count
            lists[Int(slots[index])] = []
        }
        if liveCount == 0 { removeAll() }
    }

    func removeAll() {
        batches.removeAll(keepingCapacity: true)
        lists.removeAll(keepingCapacity: true)
        liveCount = 0
        storedCount = 0
    }

    /// The rows at some places as one dense batch.
    private func gather(_ places: [Place]) throws(MillstreamError) -> Batch {
        var used: [Int32: Int] = [:]
        var order: [(batch: Int, rows: [Int32])] = []
        var positions: [(part: Int, row: Int)] = []
        positions.reserveCapacity(places.count)
        for place in places {
            let part: Int
            if let known = used[place.batch] {
                part = known
            } else {
                part = order.count
                used[place.batch] = part
                order.append((Int(place.batch), []))
            }
            positions.append((part, order[part].rows.count))
            order[part].rows.append(place.row)
        }
        guard !order.isEmpty else { return Batch(schema: functions.input, columns: [], count: 0) }
        var parts: [Batch] = []
        var starts: [Int] = []
        var total = 0
        for part in order {
            starts.append(total)
            total += part.rows.count
            parts.append(try batches[part.batch].selecting(Selection(part.rows)).compacted())
        }
        let joined = parts.count == 1 ? parts[0] : try Batch.concat(parts)
        let permutation = positions.map { Int32(truncatingIfNeeded: starts[$0.part] + $0.row) }
        if permutation.elementsEqual(0..<Int32(truncatingIfNeeded: permutation.count)) { return joined }
        return try joined.selecting(Selection(permutation)).compacted()
    }

    private func collectGarbage() throws(MillstreamError) {
        guard storedCount > 4 * liveCount + Self.garbageRowCountMin else { return }
        let joined = try gather(lists.flatMap { $0 })
        var row: Int32 = 0
        for slot in lists.indices {
            for place in lists[slot].indices {
                lists[slot][place] = Place(batch: 0, row: row)
                row += 1
            }
        }
        batches = [joined]
        storedCount = joined.count
    }
}
