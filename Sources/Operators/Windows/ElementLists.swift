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
    /// Per slot: places in order of arrival.
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

    func rows(of slots: [Int32]) throws(MillstreamError) -> ContentRows {
        var places: [RowPlace] = []
        var parents: [Int32] = []
        for (number, slot) in slots.enumerated() {
            let elements = list(slot)
            places.append(contentsOf: elements)
            parents.append(contentsOf: repeatElement(Int32(truncatingIfNeeded: number), count: elements.count))
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

    private func collectGarbage() throws(MillstreamError) {
        guard storedCount > 4 * liveCount + Self.garbageRowCountMin else { return }
        let joined = try gather(lists.flatMap { $0 })
        var row: Int32 = 0
        for slot in lists.indices {
            for place in lists[slot].indices {
                lists[slot][place] = RowPlace(source: 0, row: row)
                row += 1
            }
        }
        batches = [joined]
        storedCount = Int(row)
    }
}

extension MillstreamError {
    fileprivate static func tooManyElements(_ count: Int) -> MillstreamError {
        MillstreamError(
            .limitExceeded, "a window has \(count) elements; a process window function takes at most \(Column.countLimit)",
            hint: "Use smaller windows, or reduce or aggregate, which keep one value per window.")
    }
}
