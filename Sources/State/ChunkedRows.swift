import Columnar

/// One row of any types per slot, where the values have no fixed size: nested ones, and keys that are compared in place.
///
/// Rows are not copied in: a slot names a row of the columns that came with it (a chunk), so that text, nested values and host handles need no storage of
/// their own, and their references stay where they are. A chunk whose rows have all been replaced is dropped; when most rows of the kept chunks are
/// dead, the live ones are gathered into one.
final class ChunkedRows {
    private struct Chunk {
        var columns: [Column]
        var count: Int
        var live: Int
    }

    /// Garbage below this many rows is never collected: small stores should not be copied over and over.
    private static let garbageRowCountMin = 65_536

    private let types: [DataType]
    private var chunks: [Chunk?] = []
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
        guard contains(slot), let chunk = chunks[Int(chunkOf[slot])] else { return nil }
        return (chunk.columns, Int(rowOf[slot]))
    }

    /// Row i of `columns` becomes the row of `slots[i]`. Slots do not repeat.
    func set(_ columns: [Column], slots: UnsafePointer<Int32>, count rowCount: Int) throws(MillstreamError) {
        guard rowCount > 0 else { return }
        reserve(maximum(slots, rowCount) + 1)
        let number = freeChunks.popLast() ?? chunks.count
        let chunk = Chunk(columns: columns, count: rowCount, live: rowCount)
        if number == chunks.count { chunks.append(chunk) } else { chunks[number] = chunk }
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
        var order: [Int32] = []
        order.reserveCapacity(rowCount)
        // Where each used chunk's rows begin among the concatenated ones; chunks in the order of their first use.
        var used: [Int] = []
        if scratch.count < chunks.count { scratch = [Int32](repeating: -1, count: max(chunks.count, 2 * scratch.count)) }
        var rows: [[Int32]] = []
        var absent = false
        var places: [(chunk: Int32, row: Int32)] = []
        places.reserveCapacity(rowCount)
        for index in 0..<rowCount {
            let slot = Int(slots[index])
            guard slot < chunkOf.count, chunkOf[slot] >= 0 else {
                absent = true
                places.append((-1, 0))
                continue
            }
            let chunk = Int(chunkOf[slot])
            if scratch[chunk] < 0 {
                scratch[chunk] = Int32(truncatingIfNeeded: used.count)
                used.append(chunk)
                rows.append([])
            }
            let local = Int(scratch[chunk])
            places.append((Int32(truncatingIfNeeded: local), Int32(truncatingIfNeeded: rows[local].count)))
            rows[local].append(rowOf[slot])
        }
        for chunk in used { scratch[chunk] = -1 }
        guard !used.isEmpty else { return try nulls(rowCount) }
        var starts: [Int32] = []
        var total: Int32 = 0
        for list in rows {
            starts.append(total)
            total += Int32(truncatingIfNeeded: list.count)
        }
        var isIdentity = !absent
        for (index, place) in places.enumerated() {
            let position = place.chunk < 0 ? -1 : starts[Int(place.chunk)] + place.row
            if position != Int32(truncatingIfNeeded: index) { isIdentity = false }
            order.append(position)
        }
        var result: [Column] = []
        result.reserveCapacity(types.count)
        for position in types.indices {
            var parts: [Column] = []
            parts.reserveCapacity(used.count)
            for (local, chunk) in used.enumerated() {
                guard let column = chunks[chunk]?.columns[position] else { throw MillstreamError.internal("a store of rows lost a chunk") }
                parts.append(try rows[local].withUnsafeBufferPointer { (list) throws(MillstreamError) in
                    guard let base = list.baseAddress else { return column.slice(0, 0) }
                    return try column.taking(base, count: list.count)
                })
            }
            var column = parts.count == 1 ? parts[0] : try Column.concat(parts)
            if !isIdentity {
                column = try order.withUnsafeBufferPointer { (list) throws(MillstreamError) in
                    guard let base = list.baseAddress else { return column }
                    return try column.taking(base, count: rowCount, nullsForNegative: absent)
                }
            }
            result.append(column)
        }
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
        chunks[number]?.live -= 1
        guard let chunk = chunks[number], chunk.live == 0 else { return }
        storedRowCount -= chunk.count
        chunks[number] = nil
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
