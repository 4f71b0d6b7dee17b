import Columnar

/// One row of any types per slot, where the values have no fixed size: nested ones, and keys that are compared in place.
///
/// Rows are not copied in: a slot names a row of the columns that came with it (a chunk), so that text, nested values and host handles need no storage of
/// their own, and their references stay where they are. A chunk whose rows have all been replaced is dropped; when most rows of the kept chunks are
/// dead, the live ones are gathered into one.
final class ChunkedRows {
    /// Garbage below this many rows is never collected: small stores should not be copied over and over.
    private static let garbageRowCountMin = 65_536

    private let types: [DataType]
    /// Per chunk: its columns, none where its number is free; its rows; those of them that are a slot's.
    private var chunks: [[Column]] = []
    private var rowCounts: [Int32] = []
    private var liveCounts: [Int32] = []
    private var freeChunks: [Int] = []
    /// Per slot; -1: no row.
    private var chunkOf: [Int32] = []
    private var rowOf: [Int32] = []
    private var storedRowCount = 0
    /// How many slots have a row.
    private(set) var count = 0
    private var scratch: [Int32] = []

    private let hostObjects: HostObjects?

    /// `hostObjects` where a type is OBJECT.
    init(types: [DataType], hostObjects: HostObjects?) {
        self.types = types
        self.hostObjects = hostObjects
    }

    /// Whether a slot has a row.
    func contains(_ slot: Int) -> Bool { slot < chunkOf.count && chunkOf[slot] >= 0 }

    /// Where a slot's row is, for comparisons; nil if it has none. Changes with every `set`.
    func place(of slot: Int) -> (columns: [Column], row: Int)? {
        guard contains(slot) else { return nil }
        return (chunks[Int(chunkOf[slot])], Int(rowOf[slot]))
    }

    /// Row i of `columns` becomes the row of `slots[i]`. Slots do not repeat.
    func set(_ columns: [Column], slots: UnsafePointer<Int32>, count rowCount: Int) throws(MillstreamError) {
        guard rowCount > 0 else { return }
        reserve(maximum(slots, rowCount) + 1)
        let number = freeChunks.popLast() ?? chunks.count
        if number == chunks.count {
            chunks.append(columns)
            rowCounts.append(0)
            liveCounts.append(0)
        } else {
            chunks[number] = columns
        }
        rowCounts[number] = Int32(truncatingIfNeeded: rowCount)
        liveCounts[number] = Int32(truncatingIfNeeded: rowCount)
        for row in 0..<rowCount {
            let slot = Int(slots[row])
            if chunkOf[slot] >= 0 { release(slot) }
            chunkOf[slot] = Int32(truncatingIfNeeded: number)
            rowOf[slot] = Int32(truncatingIfNeeded: row)
        }
        storedRowCount += rowCount
        count += rowCount
        try collectGarbage()
    }

    /// The rows of some slots; null where a slot has none.
    func gather(_ slots: UnsafePointer<Int32>, count rowCount: Int) throws(MillstreamError) -> [Column] {
        // Chunks in the order of their first use; `scratch` has the place of each among them.
        var used: [Int] = []
        if scratch.count < chunks.count { scratch = [Int32](repeating: -1, count: max(chunks.count, 2 * scratch.count)) }
        let buffer = Buffer(byteCount: MemoryLayout<RowPlace>.stride * rowCount)
        let places = buffer.pointer(as: RowPlace.self)
        var isAbsent = false
        for index in 0..<rowCount {
            let slot = Int(slots[index])
            guard slot < chunkOf.count, chunkOf[slot] >= 0 else {
                isAbsent = true
                places[index] = RowPlace(source: -1, row: -1)
                continue
            }
            let chunk = Int(chunkOf[slot])
            if scratch[chunk] < 0 {
                scratch[chunk] = Int32(truncatingIfNeeded: used.count)
                used.append(chunk)
            }
            places[index] = RowPlace(source: scratch[chunk], row: rowOf[slot])
        }
        for chunk in used { scratch[chunk] = -1 }
        guard !used.isEmpty else { return try nulls(rowCount) }
        var result: [Column] = []
        result.reserveCapacity(types.count)
        if used.count == 1 {
            // All from one chunk, whose text need not be copied.
            let rows = Buffer(byteCount: 4 * rowCount)
            let indices = rows.pointer(as: Int32.self)
            for index in 0..<rowCount { indices[index] = places[index].row }
            for column in chunks[used[0]] { result.append(try column.taking(indices, count: rowCount, nullsForNegative: isAbsent)) }
            withExtendedLifetime(rows) {}
        } else {
            for position in types.indices {
                result.append(try Column.gathering(places, count: rowCount, from: used.map { chunks[$0][position] }))
            }
        }
        withExtendedLifetime(buffer) {}
        return result
    }

    private func nulls(_ rowCount: Int) throws(MillstreamError) -> [Column] {
        var result: [Column] = []
        for type in types { result.append(try Column.nulls(type: type.nullable, count: rowCount, hostObjects: hostObjects)) }
        return result
    }

    /// Forgets the rows of some slots.
    func remove(_ slots: UnsafePointer<Int32>, count rowCount: Int) {
        for index in 0..<rowCount {
            let slot = Int(slots[index])
            guard slot < chunkOf.count, chunkOf[slot] >= 0 else { continue }
            release(slot)
            chunkOf[slot] = -1
        }
    }

    /// Forgets everything.
    func removeAll() {
        chunks.removeAll(keepingCapacity: true)
        rowCounts.removeAll(keepingCapacity: true)
        liveCounts.removeAll(keepingCapacity: true)
        freeChunks.removeAll(keepingCapacity: true)
        chunkOf.removeAll(keepingCapacity: true)
        rowOf.removeAll(keepingCapacity: true)
        storedRowCount = 0
        count = 0
    }

    private func reserve(_ slotCount: Int) {
        guard slotCount > chunkOf.count else { return }
        let missing = slotCount - chunkOf.count
        chunkOf.append(contentsOf: repeatElement(-1, count: missing))
        rowOf.append(contentsOf: repeatElement(0, count: missing))
    }

    private func release(_ slot: Int) {
        let number = Int(chunkOf[slot])
        count -= 1
        liveCounts[number] -= 1
        guard liveCounts[number] == 0 else { return }
        storedRowCount -= Int(rowCounts[number])
        chunks[number] = []
        freeChunks.append(number)
    }

    private func collectGarbage() throws(MillstreamError) {
        guard storedRowCount > 4 * count + Self.garbageRowCountMin else { return }
        let live = chunkOf.indices.filter { chunkOf[$0] >= 0 }.map { Int32(truncatingIfNeeded: $0) }
        let columns = try live.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
            guard let base = slots.baseAddress else { return [Column]() }
            return try gather(base, count: slots.count)
        }
        removeAll()
        try live.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
            if let base = slots.baseAddress { try set(columns, slots: base, count: slots.count) }
        }
    }

    private func maximum(_ slots: UnsafePointer<Int32>, _ count: Int) -> Int {
        var result: Int32 = 0
        for index in 0..<count { result = max(result, slots[index]) }
        return Int(result)
    }
}
