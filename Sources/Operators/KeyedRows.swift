import Columnar
import Dataflow
import State

/// The keys of an operator's rows and their slots: the first step of every keyed operator.
struct KeyedRows {
    private let positions: [Int]
    private let hostObjects: HostObjects?
    /// Made at the first batch: the types of keys that a function computed are in the columns alone.
    private(set) var table: KeyTable?
    /// Rows before the current batch, for messages.
    private var rowsBefore: Int64 = 0

    init(keys positions: [Int], hostObjects: HostObjects?) {
        self.positions = positions
        self.hostObjects = hostObjects
    }

    /// The key columns of a dense batch, and its rows' slots. Throws `key` for a row whose key is null.
    mutating func look(up batch: Batch, into slots: UnsafeMutablePointer<Int32>) throws(MillstreamError) -> [Column] {
        var keys: [Column] = []
        for position in positions {
            guard position >= 0, position < batch.columns.count else { throw .internal("there is no key column \(position)") }
            keys.append(batch.columns[position])
        }
        let hashed = batch.keyHashes == nil ? try batch.keyed(by: keys) : batch
        guard let hashes = hashed.keyHashes else { throw .internal("a keyed batch has no hashes") }
        let words = UnsafePointer(hashes.pointer(as: UInt64.self))
        if keys.count == 1 { try requireKeys(words, batch.count) }
        let table = try table(for: keys)
        try table.lookup(keys: keys, hashes: words, count: batch.count, slots: slots)
        rowsBefore &+= Int64(batch.count)
        withExtendedLifetime(hashes) {}
        return keys
    }

    private mutating func table(for keys: [Column]) throws(MillstreamError) -> KeyTable {
        if let table { return table }
        let made = try KeyTable(types: keys.map { $0.type.nullable }, hostObjects: hostObjects ?? keys.lazy.compactMap(\.hostObjects).first)
        table = made
        return made
    }

    private func requireKeys(_ hashes: UnsafePointer<UInt64>, _ count: Int) throws(MillstreamError) {
        for row in 0..<count where hashes[row] == StableHash.null {
            throw MillstreamError(
                .key, "the key of a record is null", hint: "Filter such records out before key_by.", recordIndex: rowsBefore &+ Int64(row))
        }
    }
}
