import Columnar
import Dataflow
#if canImport(Glibc)
    import Glibc
#endif

/// The keys of a store with their values at one moment, key group by key group; to be read on any one thread.
struct StoreScan: Sendable {
    let view: any StoreView
    let coding: StoreKeyCoding
    let groups: Range<Int>

    /// Some keys of one group in the store's order.
    struct Chunk {
        let group: KeyGroup
        let keys: [Column]
        /// The values, valid during the call.
        let rows: [UnsafeRawBufferPointer]
        var count: Int { rows.count }
    }

    private static let chunkCountMax = 16_384
    private static let chunkByteCountMax = 4 << 20

    /// `decodesObjects` as in `RowCoding.decode`.
    func forEachChunk(decodesObjects: Bool, _ body: (Chunk) throws(MillstreamError) -> Void) throws(MillstreamError) {
        let keys = PackedBytes()
        let values = PackedBytes()
        for group in groups {
            let cursor = try view.scan(KeyRange(keyGroups: group..<group + 1))
            while try cursor.next(keys, values, countMax: Self.chunkCountMax, byteCountMax: Self.chunkByteCountMax) {
                var keyRows: [UnsafeRawBufferPointer] = []
                var rows: [UnsafeRawBufferPointer] = []
                keyRows.reserveCapacity(keys.count)
                rows.reserveCapacity(keys.count)
                for index in 0..<keys.count {
                    if coding.isHashed {
                        try StoreKeyCoding.forEachEntry(values[index]) { (key, value) in
                            keyRows.append(key)
                            rows.append(value)
                        }
                    } else {
                        keyRows.append(keys[index])
                        rows.append(values[index])
                    }
                }
                let columns = try keyRows.withUnsafeBufferPointer { (list) throws(MillstreamError) in
                    guard let base = list.baseAddress, !keyRows.isEmpty else { return [Column]() }
                    return try coding.rows.decode(base, count: list.count, decodesObjects: decodesObjects)
                }
                guard !rows.isEmpty else { continue }
                try body(Chunk(group: KeyGroup(group), keys: columns, rows: rows))
            }
        }
    }
}

/// The order of some bytes: less than 0, 0 or more than 0.
@inline(__always)
func compareBytes(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Int32 { memcmp(left, right, count) }
