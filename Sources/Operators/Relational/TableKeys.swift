import Columnar
import Dataflow
import State

/// The keys of a table operator's rows and their slots. NULL is a key like others, but where a join says that it equals nothing.
struct TableKeys {
    private let positions: [[Int]]
    /// Places among the key columns at which a NULL makes that the row meets none; per input, as both have the same.
    private let nullBreakers: [Int]
    let table: KeyTable

    /// `positions` are the key columns of each input; no columns are one key for all rows. `matchesNulls` per key column; nil: all.
    init(inputs: [Schema], positions: [[Int]], matchesNulls: [Bool]? = nil, hostObjects: HostObjects?) throws(MillstreamError) {
        self.positions = positions
        nullBreakers = (matchesNulls ?? []).indices.filter { !(matchesNulls?[$0] ?? true) }
        var types: [[DataType]] = []
        for (schema, list) in zip(inputs, positions) { types.append(try OperatorFactory.keyTypes(list, schema.types)) }
        for other in types.dropFirst() where other.map(\.layout) != types[0].map(\.layout) {
            throw MillstreamError(.plan, "the keys of a join have the same types, and these are \(types[0]) and \(other)", hint: "Cast the keys to one type.")
        }
        table = try KeyTable(types: types[0].isEmpty ? [Self.constantType] : types[0].map(\.nullable), hostObjects: hostObjects)
    }

    private static let constantType = DataType.int

    /// The slots of a dense batch's keys; -1 where the key has a NULL that equals nothing.
    func slots(_ batch: Batch, input: Int = 0) throws(MillstreamError) -> [Int32] {
        var slots = [Int32](repeating: -1, count: batch.count)
        guard batch.count > 0 else { return slots }
        var keys = positions[input].map { batch.columns[$0] }
        if keys.isEmpty { keys = [.repeating(Int32(0), type: .int, count: batch.count)] }
        // Hashes that came with the batch may be of other columns.
        let buffer = Buffer(byteCount: 8 * batch.count)
        let hashes = buffer.pointer(as: UInt64.self)
        if let rows = rowsWithKeys(keys, batch.count) {
            let selection = Selection(rows)
            for position in keys.indices { keys[position] = try keys[position].taking(selection) }
            try hash(columns: keys, count: rows.count, selection: nil, into: hashes)
            var found = [Int32](repeating: -1, count: rows.count)
            try look(up: keys, hashes, &found)
            for (place, row) in rows.enumerated() { slots[Int(row)] = found[place] }
        } else {
            try hash(columns: keys, count: batch.count, selection: nil, into: hashes)
            try look(up: keys, hashes, &slots)
        }
        withExtendedLifetime(buffer) {}
        return slots
    }

    private func look(up keys: [Column], _ hashes: UnsafePointer<UInt64>, _ slots: inout [Int32]) throws(MillstreamError) {
        let count = slots.count
        try slots.withUnsafeMutableBufferPointer { (target) throws(MillstreamError) in
            guard let base = target.baseAddress else { return }
            _ = try table.lookup(keys: keys, hashes: hashes, count: count, slots: base)
        }
    }

    /// Nil: all rows.
    private func rowsWithKeys(_ keys: [Column], _ count: Int) -> [Int32]? {
        let breakers = nullBreakers.map { keys[$0] }.filter { $0.mayHaveNulls && $0.nullCount > 0 }
        guard !breakers.isEmpty else { return nil }
        return (0..<Int32(truncatingIfNeeded: count)).filter { row in !breakers.contains { $0.isNull(Int(row)) } }
    }

    /// Forgets those of some keys that hold nothing any more; keys may repeat.
    func erase(_ candidates: [Int32], unless isUsed: (Int32) -> Bool) {
        for slot in candidates where slot >= 0 && table.isLive(Int(slot)) && !isUsed(slot) {
            withUnsafePointer(to: slot) { table.erase(slots: $0, count: 1) }
        }
    }
}

extension Column {
    /// The values at some places; null where one is negative.
    func taking(orNull places: some Collection<Int32>) throws(MillstreamError) -> Column {
        let hasNulls = places.contains { $0 < 0 }
        let buffer = Buffer.copying(Array(places))
        let column = try taking(UnsafePointer(buffer.pointer(as: Int32.self)), count: places.count, nullsForNegative: hasNulls)
        withExtendedLifetime(buffer) {}
        return column
    }

    /// The same memory under the type that the plan says. Throws `internal` where that has another layout.
    func typed(as type: DataType) throws(MillstreamError) -> Column {
        if self.type == type { return self }
        guard self.type.layout == type.layout else { throw .internal("a column of \(self.type) where the plan says \(type)") }
        return retyped(type)
    }

    /// TINYINTs of `RowKind`; nil where all are inserts.
    static func rowKinds(_ kinds: some Collection<Int8>) -> Column? {
        guard kinds.contains(where: { $0 != 0 }) else { return nil }
        return Column(type: DataType.tinyInt.notNull, count: kinds.count, values: Buffer.copying(Array(kinds)))
    }
}

extension Batch {
    /// The kind of each row that counts, of a dense batch; all inserts where there is no column of them.
    func kinds() -> [Int8] {
        guard let rowKinds else { return [Int8](repeating: 0, count: count) }
        return Array(UnsafeBufferPointer(start: UnsafePointer(rowKinds.pointer(as: Int8.self)), count: count))
    }

    /// The schema's columns alone.
    var fields: [Column] { columns.count == schema.fields.count ? columns : Array(columns.prefix(schema.fields.count)) }
}

extension Batch {
    /// Rows of an operator's result, under the types of its schema.
    static func result(
        _ schema: Schema, _ columns: [Column], count: Int, rowKinds: Column? = nil, timestamps: Column? = nil
    ) throws(MillstreamError) -> Batch {
        guard columns.count == schema.fields.count else {
            throw .internal("a result of \(columns.count) columns where the plan says \(schema.fields.count)")
        }
        var typed: [Column] = []
        for (column, field) in zip(columns, schema.fields) { typed.append(try column.typed(as: field.type)) }
        return Batch(schema: schema, columns: typed, count: count, rowKinds: rowKinds, timestamps: timestamps)
    }
}

extension RowKind {
    /// Whether a raw kind takes a row away: -U and -D.
    @inline(__always)
    static func isRetraction(_ kind: Int8) -> Bool { kind == RowKind.updateBefore.rawValue || kind == RowKind.delete.rawValue }
}
