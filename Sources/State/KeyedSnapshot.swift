import Columnar
import Dataflow

/// Some rows, each of a slot, in the order of their key groups: how keyed state lies in a checkpoint.
public struct KeyGroupOrder {
    /// The numbers of the rows, by key group; within a group in their own order.
    public let rows: [Int32]
    /// The slots of those rows.
    public let slots: [Int32]
    /// The groups that have rows, ascending, each with its part of `rows`.
    public let groups: [(group: KeyGroup, part: Range<Int>)]
}

extension KeyTable {
    /// Sorts rows by the key groups of their slots' keys, by counting. A slot may have any number of rows.
    public func keyGroupOrder(of slots: [Int32], maxParallelism: Int) -> KeyGroupOrder {
        let groupCount = max(1, maxParallelism)
        var ends = [Int](repeating: 0, count: groupCount + 1)
        var groups = [Int32](repeating: 0, count: slots.count)
        for (row, slot) in slots.enumerated() {
            let group = keyGroup(Int(slot), maxParallelism: groupCount)
            groups[row] = Int32(truncatingIfNeeded: group)
            ends[group + 1] += 1
        }
        for group in 0..<groupCount { ends[group + 1] += ends[group] }
        var parts: [(group: KeyGroup, part: Range<Int>)] = []
        for group in 0..<groupCount where ends[group] < ends[group + 1] { parts.append((KeyGroup(group), ends[group]..<ends[group + 1])) }
        var rows = [Int32](repeating: 0, count: slots.count)
        var sorted = rows
        for row in 0..<slots.count {
            let place = ends[Int(groups[row])]
            ends[Int(groups[row])] += 1
            rows[place] = Int32(truncatingIfNeeded: row)
            sorted[place] = slots[row]
        }
        return KeyGroupOrder(rows: rows, slots: sorted, groups: parts)
    }

    /// The keys of a snapshot's rows, as columns of `types`.
    public func keys(of order: KeyGroupOrder) throws(MillstreamError) -> [Column] {
        try order.slots.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
            guard let base = slots.baseAddress, !slots.isEmpty else { return [Column]() }
            return try keys(slots: base, count: slots.count)
        }
    }

    /// Writes one part of a keyed state: the keys as columns `key0`, `key1`, …, then `columns`, whose rows are in the order of `order`. Nothing for no rows.
    ///
    /// The columns are shared with the writer, which may read them long after the call: they must not be changed.
    public func write(
        _ name: String, order: KeyGroupOrder, fields: [Field], columns: [Column], to writer: any StateWriter
    ) throws(MillstreamError) {
        guard !order.rows.isEmpty else { return }
        let keys = try keys(of: order)
        let keyFields = keys.enumerated().map { Field("key\($0.offset)", $0.element.type) }
        let batch = Batch(schema: Schema(keyFields + fields), columns: keys + columns, count: order.rows.count)
        for (group, part) in order.groups { try writer.write(name, keyGroup: group, batch: batch.slice(part.lowerBound, part.count)) }
    }
}

/// A block of keyed state that has been read: its rows' slots in the table, and the columns behind the keys.
public struct RestoredRows {
    public let slots: [Int32]
    /// How many of the keys were not in the table before.
    public let newCount: Int
    public let columns: [Column]
}

extension StateReader {
    /// Like the next one, for columns with these names.
    func forEachBlock(
        _ name: String, fields: [String], table: inout KeyTable?, hostObjects: HostObjects?, rowCountMax: Int = .max,
        _ body: (RestoredRows, KeyTable) throws(MillstreamError) -> Void
    ) throws(MillstreamError) {
        try forEachBlock(
            name, columnCount: fields.count, fields: fields, table: &table, hostObjects: hostObjects, rowCountMax: rowCountMax, body)
    }

    /// Reads what `KeyTable.write` wrote, block by block. `table` is made from the first block's keys where it is nil; keys that it lacks are added.
    ///
    /// Throws `decode` for blocks of other columns than keys and `columnCount` more (or of those called `fields`), and for keys of other types than the
    /// table's. Blocks of more than `rowCountMax` rows come in pieces.
    public func forEachBlock(
        _ name: String, columnCount: Int, fields: [String]? = nil, table: inout KeyTable?, hostObjects: HostObjects?, rowCountMax: Int = .max,
        _ body: (RestoredRows, KeyTable) throws(MillstreamError) -> Void
    ) throws(MillstreamError) {
        var found = table
        try forEachBatch(name) { (_, batch) throws(MillstreamError) in
            if batch.count == 0 { return }
            let keyCount = batch.schema.fields.count - columnCount
            if let fields, batch.schema.fields.suffix(columnCount).map(\.name) != fields || keyCount < 1 {
                let found = batch.schema.fields.filter { !$0.name.hasPrefix("key") }.map(\.name)
                throw MillstreamError(
                    .decode, "the state '\(name)' has the columns \(found) in the checkpoint, and \(fields) in the job",
                    hint: "Give the state its former kind, or another name.", domain: .external)
            }
            guard keyCount >= 1 else {
                throw MillstreamError(
                    .decode, "the state '\(name)' of the checkpoint has \(batch.schema.fields.count) columns; keys and \(columnCount) more were expected",
                    domain: .external)
            }
            try look(up: batch, keyCount: keyCount, name, &found, hostObjects, rowCountMax, body)
        }
        table = found
    }

    /// The same for a part of an operator that says which columns it has: what is in the checkpoint may have had others (`DeclaredPart.fitted`).
    func forEachBlock(
        _ part: DeclaredPart, table: inout KeyTable?, hostObjects: HostObjects?, rowCountMax: Int,
        _ body: (RestoredRows, KeyTable) throws(MillstreamError) -> Void
    ) throws(MillstreamError) {
        var found = table
        try forEachBatch(part.name) { (_, batch) throws(MillstreamError) in
            if batch.count == 0 { return }
            let fitted = try part.fitted(batch, keyTypes: found?.types)
            try look(up: fitted, keyCount: fitted.columns.count - part.fields.count, part.name, &found, hostObjects, rowCountMax, body)
        }
        table = found
    }

    private func look(
        up batch: Batch, keyCount: Int, _ name: String, _ table: inout KeyTable?, _ hostObjects: HostObjects?, _ rowCountMax: Int,
        _ body: (RestoredRows, KeyTable) throws(MillstreamError) -> Void
    ) throws(MillstreamError) {
        let keys = Array(batch.columns[..<keyCount])
        let types = keys.map { $0.type.nullable }
        let known: KeyTable
        if let table {
            known = table
        } else {
            known = try KeyTable(types: types, hostObjects: hostObjects ?? keys.lazy.compactMap(\.hostObjects).first)
        }
        table = known
        guard known.types.map(\.nullable) == types else {
            throw MillstreamError(
                .decode, "the keys of the state '\(name)' are of the types \(types) in the checkpoint, and \(known.types) in the job",
                hint: "The type of a key cannot change between a checkpoint and the job that goes on from it.", domain: .external)
        }
        for start in stride(from: 0, to: batch.count, by: max(1, min(rowCountMax, batch.count))) {
            let piece = batch.count > rowCountMax ? batch.slice(start, min(rowCountMax, batch.count - start)) : batch
            try piece.look(up: keyCount, in: known, body)
        }
    }
}

extension Batch {
    /// The slots of rows that begin with `keyCount` columns of keys.
    fileprivate func look(
        up keyCount: Int, in table: KeyTable, _ body: (RestoredRows, KeyTable) throws(MillstreamError) -> Void
    ) throws(MillstreamError) {
        let keys = Array(columns[..<keyCount])
        guard let hashes = try keyed(by: keys).keyHashes else { throw .internal("a keyed batch has no hashes") }
        var slots = [Int32](repeating: 0, count: count)
        let newCount = try slots.withUnsafeMutableBufferPointer { (target) throws(MillstreamError) in
            guard let base = target.baseAddress else { return 0 }
            return try table.lookup(keys: keys, hashes: hashes.pointer(as: UInt64.self), count: count, slots: base)
        }
        withExtendedLifetime(hashes) {}
        try body(RestoredRows(slots: slots, newCount: newCount, columns: Array(columns[keyCount...])), table)
    }
}
