import Columnar
import State

/// Rows that are still in some frame: for each key a list in the order of time. The rows lie in the batches with which they came, until most of these are gone.
final class OverHistory {
    private struct Chunk {
        var columns: [Column]
        var liveCount: Int
    }

    private var chunks: [Chunk] = []
    private var rowCount = 0
    private(set) var liveCount = 0
    // By place in the lists.
    private var nextPlace = SlotArray<Int32>(fill: -1)
    private var chunkOf = SlotArray<Int32>(fill: -1)
    private var rowOf = SlotArray<Int32>(fill: -1)
    private var times = SlotArray<Int64>(fill: 0)
    private var placeEnd = 0
    private var free: [Int32] = []
    // By key.
    private var first = WindowSlots<Int32>(empty: -1)
    private var last = WindowSlots<Int32>(empty: -1)

    func reserve(_ keyCount: Int) {
        first.reserve(keyCount)
        last.reserve(keyCount)
    }

    /// Rows of some keys, all of which count until they are removed. Returns their places.
    func append(_ columns: [Column], keys: [Int32], times rowTimes: [Int64]) -> [Int32] {
        let chunk = Int32(truncatingIfNeeded: chunks.count)
        chunks.append(Chunk(columns: columns, liveCount: keys.count))
        rowCount += keys.count
        liveCount += keys.count
        var places: [Int32] = []
        places.reserveCapacity(keys.count)
        for (row, key) in keys.enumerated() {
            let place: Int32
            if let freed = free.popLast() {
                place = freed
            } else {
                place = Int32(truncatingIfNeeded: placeEnd)
                placeEnd += 1
                nextPlace.reserve(placeEnd)
                chunkOf.reserve(placeEnd)
                rowOf.reserve(placeEnd)
                times.reserve(placeEnd)
            }
            chunkOf[Int(place)] = chunk
            rowOf[Int(place)] = Int32(truncatingIfNeeded: row)
            times[Int(place)] = rowTimes[row]
            nextPlace[Int(place)] = -1
            let tail = last.base[Int(key)]
            if tail < 0 { first.base[Int(key)] = place } else { nextPlace[Int(tail)] = place }
            last.base[Int(key)] = place
            places.append(place)
        }
        return places
    }

    func first(of key: Int32) -> Int32 { first.base[Int(key)] }
    func next(_ place: Int32) -> Int32 { nextPlace[Int(place)] }
    func time(_ place: Int32) -> Int64 { times[Int(place)] }

    /// The places of a key, in order.
    func places(of key: Int32) -> [Int32] {
        var result: [Int32] = []
        var place = first.base[Int(key)]
        while place >= 0 {
            result.append(place)
            place = nextPlace[Int(place)]
        }
        return result
    }

    func removeFirst(of key: Int32) {
        let place = first.base[Int(key)]
        guard place >= 0 else { return }
        first.base[Int(key)] = nextPlace[Int(place)]
        if first.base[Int(key)] < 0 { last.base[Int(key)] = -1 }
        chunks[Int(chunkOf[Int(place)])].liveCount -= 1
        liveCount -= 1
        free.append(place)
    }

    /// The rows at some places, which may repeat: of the columns at `positions`; the others are left out.
    func gather(_ places: [Int32], positions: [Int]) throws(MillstreamError) -> [Int: Column] {
        // By chunk, then into their order.
        var rowsOfChunk: [Int32: [Int32]] = [:]
        var chunkOrder: [Int32] = []
        var within: [Int32] = []
        for place in places {
            let chunk = chunkOf[Int(place)]
            if rowsOfChunk[chunk] == nil { chunkOrder.append(chunk) }
            within.append(Int32(truncatingIfNeeded: rowsOfChunk[chunk]?.count ?? 0))
            rowsOfChunk[chunk, default: []].append(rowOf[Int(place)])
        }
        var start: [Int32: Int32] = [:]
        var end: Int32 = 0
        for chunk in chunkOrder {
            start[chunk] = end
            end += Int32(truncatingIfNeeded: rowsOfChunk[chunk]?.count ?? 0)
        }
        let rows = places.indices.map { (start[chunkOf[Int(places[$0])]] ?? 0) + within[$0] }
        var result: [Int: Column] = [:]
        for position in positions {
            var parts: [Column] = []
            for chunk in chunkOrder { parts.append(try chunks[Int(chunk)].columns[position].taking(rowsOfChunk[chunk] ?? [])) }
            guard !parts.isEmpty else { continue }
            let all = parts.count == 1 ? parts[0] : try Column.concat(parts)
            result[position] = chunkOrder.count == 1 ? all : try all.taking(rows)
        }
        return result
    }

    /// Lets go of batches whose rows are gone, and puts the others together when most of theirs are.
    func compact() throws(MillstreamError) {
        for index in chunks.indices where chunks[index].liveCount == 0 && !chunks[index].columns.isEmpty {
            rowCount -= chunks[index].columns.first?.count ?? 0
            chunks[index].columns = []
        }
        guard liveCount > 0 else {
            chunks = []
            rowCount = 0
            return
        }
        guard rowCount > 2 * liveCount + 8_192 || chunks.count > 1_024, let width = chunks.first(where: { !$0.columns.isEmpty })?.columns.count else {
            return
        }
        var places: [Int32] = []
        for key in 0..<first.count { places += self.places(of: Int32(truncatingIfNeeded: key)) }
        let gathered = try gather(places, positions: Array(0..<width))
        var columns: [Column] = []
        for position in 0..<width {
            guard let column = gathered[position] else { throw .internal("a row without column \(position)") }
            // Copied, so that no text keeps the memory of a batch.
            let builder = try ColumnBuilder.make(for: column.type.nullable)
            try builder.append(from: column, 0, column.count)
            columns.append(builder.finish())
        }
        chunks = [Chunk(columns: columns, liveCount: places.count)]
        rowCount = places.count
        for (row, place) in places.enumerated() {
            chunkOf[Int(place)] = 0
            rowOf[Int(place)] = Int32(truncatingIfNeeded: row)
        }
    }
}
