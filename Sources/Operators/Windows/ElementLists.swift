import Columnar
import Dataflow

/// Windows that keep all their elements, for a process window function.
///
/// Rows stay in the columns that they came in; a list of places per slot says which are whose. Columns whose rows are mostly gone are copied together. What
/// fires is copied out in one pass, as many windows at a time as make a batch of bounded size: a window larger than that is copied whole.
final class ElementLists: WindowContents {
    private let functions: WindowFunctions
    /// The fields of the batches that came; a place's source is a number in here.
    private var batches: [[Column]] = []
    /// Per slot: places in order of arrival, which is that of their sources and rows.
    private var lists: [[RowPlace]] = []
    private var liveCount = 0
    private var storedCount = 0
    private static let garbageRowCountMin = 65_536
    /// How many elements go to the host at once, unless one window has more.
    private static let chunkElementCountMax = 65_536

    init(functions: WindowFunctions) { self.functions = functions }

    func add(_ rows: Batch, slots: UnsafePointer<Int32>) throws(MillstreamError) {
        let number = Int32(truncatingIfNeeded: batches.count)
        // Without timestamps, hashes and computed keys, which nobody asks for again.
        batches.append(Array(rows.columns.prefix(functions.input.fields.count)))
        storedCount += rows.count
        for row in 0..<rows.count {
            let slot = Int(slots[row])
            if slot >= lists.count { lists.append(contentsOf: repeatElement([], count: slot + 1 - lists.count)) }
            lists[slot].append(RowPlace(source: number, row: Int32(truncatingIfNeeded: row)))
        }
        liveCount += rows.count
        try collectGarbage()
    }

    /// Elements stay in the order in which they came, whatever window they came to: what a window lists depends neither on when its parts were merged nor on
    /// how its rows were cut into batches.
    func merge(_ pairs: [(from: Int32, into: Int32)]) throws(MillstreamError) {
        for pair in pairs where Int(pair.from) < lists.count {
            let moved = lists[Int(pair.from)]
            lists[Int(pair.from)] = []
            if Int(pair.into) >= lists.count { lists.append(contentsOf: repeatElement([], count: Int(pair.into) + 1 - lists.count)) }
            Self.merge(moved, into: &lists[Int(pair.into)])
        }
    }

    /// From the back, so that only what came behind the first one moves.
    private static func merge(_ moved: [RowPlace], into list: inout [RowPlace]) {
        var left = list.count - 1
        var right = moved.count - 1
        list.append(contentsOf: moved)
        guard left >= 0, right >= 0, cameBefore(moved[0], list[left]) else { return }
        var target = list.count - 1
        while right >= 0 {
            if left >= 0, cameBefore(moved[right], list[left]) {
                list[target] = list[left]
                left -= 1
            } else {
                list[target] = moved[right]
                right -= 1
            }
            target -= 1
        }
    }

    private static func cameBefore(_ one: RowPlace, _ other: RowPlace) -> Bool { (one.source, one.row) < (other.source, other.row) }

    func absorb(_ other: any WindowContents, slots: [Int32], targets: [Int32]) throws(MillstreamError) {
        throw MillstreamError.internal("windows of elements have no slices")
    }

    func emit(_ frames: WindowFrames, output: any Output) throws(MillstreamError) {
        var first = 0
        while first < frames.slots.count {
            var end = first
            var elementCount = 0
            repeat {
                elementCount += list(frames.slots[end]).count
                end += 1
            } while end < frames.slots.count && elementCount + list(frames.slots[end]).count <= Self.chunkElementCountMax
            try emit(frames.slice(first, end - first), elementCount: elementCount, output: output)
            first = end
        }
    }

    private func emit(_ frames: WindowFrames, elementCount: Int, output: any Output) throws(MillstreamError) {
        guard elementCount <= Column.countLimit else { throw .tooManyElements(elementCount) }
        var offsets: [Int32] = [0]
        var places: [RowPlace] = []
        // A single window's list is lent, not copied.
        if frames.slots.count == 1 {
            places = list(frames.slots[0])
            offsets.append(Int32(truncatingIfNeeded: elementCount))
        } else {
            places.reserveCapacity(elementCount)
            for slot in frames.slots {
                places.append(contentsOf: list(slot))
                offsets.append(Int32(truncatingIfNeeded: places.count))
            }
        }
        try functions.process(try gather(places), count: elementCount, offsets: offsets, frames, output: output)
    }

    private func list(_ slot: Int32) -> [RowPlace] { Int(slot) < lists.count ? lists[Int(slot)] : [] }

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

    /// One row for each element, as the input has them.
    var stateFields: [Field] { functions.input.fields.map { Field("element.\($0.name)", $0.type.nullable) } }

    var isOfElements: Bool { true }

    func rows(of slots: [Int32], ofKeys keys: [Int32]?) throws(MillstreamError) -> ContentRows {
        var places: [RowPlace] = []
        var parents: [Int32] = []
        var first = 0
        while first < slots.count {
            let start = places.count
            var end = first
            repeat {
                let elements = list(slots[end])
                places.append(contentsOf: elements)
                parents.append(contentsOf: repeatElement(Int32(truncatingIfNeeded: end), count: elements.count))
                end += 1
            } while end < slots.count && keys.map { $0[end] == $0[first] } ?? false
            if end > first + 1 {
                let order = (start..<places.count).sorted { Self.cameBefore(places[$0], places[$1]) }
                places.replaceSubrange(start..., with: order.map { places[$0] })
                parents.replaceSubrange(start..., with: order.map { parents[$0] })
            }
            first = end
        }
        guard places.count <= Column.countLimit else {
            throw MillstreamError(.limitExceeded, "the windows of one subtask have \(places.count) elements", hint: "Raise the parallelism.")
        }
        return ContentRows(columns: try gather(places), count: places.count, parents: parents)
    }

    func restore(_ columns: [Column], slots: [Int32]) throws(MillstreamError) {
        let typed = zip(columns, functions.input.fields).map { $0.retyped($0.validity == nil ? $1.type : $1.type.nullable) }
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return }
            try add(Batch(schema: functions.input, columns: typed, count: list.count), slots: base)
        }
    }

    /// The rows at some places as dense columns.
    private func gather(_ places: [RowPlace]) throws(MillstreamError) -> [Column] {
        // Only the columns that are used: a window mostly has rows of a few of the batches.
        var numbers = [Int32](repeating: -1, count: batches.count)
        var used: [Int] = []
        var local = places
        for index in local.indices {
            let batch = Int(local[index].source)
            if numbers[batch] < 0 {
                numbers[batch] = Int32(truncatingIfNeeded: used.count)
                used.append(batch)
            }
            local[index].source = numbers[batch]
        }
        guard !used.isEmpty else { return [] }
        var result: [Column] = []
        for position in functions.input.fields.indices {
            let sources = used.map { batches[$0][position] }
            result.append(try local.withUnsafeBufferPointer { (list) throws(MillstreamError) in
                guard let base = list.baseAddress else { return sources[0].slice(0, 0) }
                return try Column.gathering(base, count: list.count, from: sources)
            })
        }
        return result
    }

    /// Copies what is left together, in the order in which it came.
    private func collectGarbage() throws(MillstreamError) {
        guard storedCount > 4 * liveCount + Self.garbageRowCountMin, !functions.input.fields.isEmpty else { return }
        var starts = [0]
        starts.reserveCapacity(batches.count + 1)
        for batch in batches { starts.append(starts[starts.count - 1] + (batch.first?.count ?? 0)) }
        // For each stored row whether it is still there, then how many before it are.
        var ranks = [Int32](repeating: 0, count: starts[starts.count - 1] + 1)
        for list in lists { for place in list { ranks[starts[Int(place.source)] + Int(place.row) + 1] = 1 } }
        for index in 1..<ranks.count { ranks[index] &+= ranks[index - 1] }
        func rank(_ place: RowPlace) -> Int32 { ranks[starts[Int(place.source)] + Int(place.row)] }
        var kept = [RowPlace](repeating: RowPlace(source: 0, row: 0), count: liveCount)
        for list in lists { for place in list { kept[Int(rank(place))] = place } }
        let joined = try gather(kept)
        for slot in lists.indices {
            for index in lists[slot].indices { lists[slot][index] = RowPlace(source: 0, row: rank(lists[slot][index])) }
        }
        batches = [joined]
        storedCount = liveCount
    }
}

extension MillstreamError {
    fileprivate static func tooManyElements(_ count: Int) -> MillstreamError {
        MillstreamError(
            .limitExceeded, "a window has \(count) elements; a process window function takes at most \(Column.countLimit)",
            hint: "Use smaller windows, or reduce or aggregate, which keep one value per window.")
    }
}
