import Columnar
import Dataflow
import State

/// The keys of an operator's rows and their slots: the first step of every keyed operator.
struct KeyedRows {
    /// The key columns of each logical input; none for one without keys.
    private let positions: [[Int]]
    private let hostObjects: HostObjects?
    /// Made at the first batch: the types of keys that a function computed are in the columns alone.
    private(set) var table: KeyTable?
    /// Whether the table's types are a checkpoint's, with which no batch has been compared.
    private var isRestored = false
    /// Rows of each input before the current batch, for messages.
    private var rowsBefore: [Int64]

    init(keys positions: [Int], hostObjects: HostObjects?) { self.init(inputs: [positions], hostObjects: hostObjects) }

    /// For an operator with several logical inputs, whose keys are of the same types.
    init(inputs positions: [[Int]], hostObjects: HostObjects?) {
        self.positions = positions
        self.hostObjects = hostObjects
        rowsBefore = positions.map { _ in 0 }
    }

    /// Takes the table of a checkpoint's keys. Comes before the first batch.
    mutating func restore(_ table: KeyTable?) {
        guard let table else { return }
        self.table = table
        isRestored = true
    }

    /// The key columns of a dense batch, and its rows' slots. Throws `key` for a row whose key is null, `plan` for keys of other types than those of
    /// the other input.
    mutating func look(up batch: Batch, input: Int = 0, into slots: UnsafeMutablePointer<Int32>) throws(MillstreamError) -> [Column] {
        var keys: [Column] = []
        for position in positions[input] {
            guard position >= 0, position < batch.columns.count else { throw .internal("there is no key column \(position)") }
            keys.append(batch.columns[position])
        }
        let hashed = batch.keyHashes == nil ? try batch.keyed(by: keys) : batch
        guard let hashes = hashed.keyHashes else { throw .internal("a keyed batch has no hashes") }
        let words = UnsafePointer(hashes.pointer(as: UInt64.self))
        if keys.count == 1 { try requireKeys(words, batch.count, input) }
        let table = try table(for: keys)
        try table.lookup(keys: keys, hashes: words, count: batch.count, slots: slots)
        rowsBefore[input] &+= Int64(batch.count)
        withExtendedLifetime(hashes) {}
        return keys
    }

    private mutating func table(for keys: [Column]) throws(MillstreamError) -> KeyTable {
        if let table {
            if isRestored {
                isRestored = false
                try requireFormerKeyTypes(table.types, keys.map(\.type))
            }
            guard positions.count > 1 else { return table }
            try requireEqualKeyTypes(table.types, keys.map(\.type))
            return table
        }
        let made = try KeyTable(types: keys.map { $0.type.nullable }, hostObjects: hostObjects ?? keys.lazy.compactMap(\.hostObjects).first)
        table = made
        return made
    }

    private func requireKeys(_ hashes: UnsafePointer<UInt64>, _ count: Int, _ input: Int) throws(MillstreamError) {
        for row in 0..<count where hashes[row] == StableHash.null {
            throw MillstreamError.nullKey(recordIndex: rowsBefore[input] &+ Int64(row))
        }
    }
}

/// Throws `key` for a row whose only key column is null. Exchanges refuse such keys too, but rows of a chain pass none.
func refuseNullKeys(_ keys: [Column], count: Int, rowsBefore: Int64) throws(MillstreamError) {
    guard keys.count == 1, keys[0].mayHaveNulls, keys[0].nullCount > 0 else { return }
    for row in 0..<count where keys[0].isNull(row) {
        throw MillstreamError.nullKey(recordIndex: rowsBefore &+ Int64(row))
    }
}

/// Throws `plan` unless the keys of two connected streams have the same types: only then are equal keys found together.
package func requireEqualKeyTypes(_ first: [DataType], _ second: [DataType]) throws(MillstreamError) {
    guard first.map(\.nullable) != second.map(\.nullable) else { return }
    func text(_ types: [DataType]) -> String { types.map { "\($0.nullable)" }.joined(separator: ", ") }
    throw MillstreamError(
        .plan, "the keys of connected streams have the same types, and these are \(text(first)) and \(text(second))",
        hint: "Give both key selectors one key type.")
}

/// Throws `decode` unless the keys of a job have the types that they have in the checkpoint.
private func requireFormerKeyTypes(_ former: [DataType], _ types: [DataType]) throws(MillstreamError) {
    guard former.map(\.nullable) != types.map(\.nullable) else { return }
    throw MillstreamError(
        .decode, "the keys are of the types \(former) in the checkpoint, and \(types) in the job",
        hint: "The type of a key cannot change between a checkpoint and the job that goes on from it.", domain: .external)
}
