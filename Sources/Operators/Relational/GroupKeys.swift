import Columnar
import Dataflow
import State

/// The groups of a relational operator: a slot for each distinct key. Nulls are keys as other values are; without key columns all rows are one group.
struct GroupKeys {
    let positions: [Int]
    let table: KeyTable
    /// The key of all rows where there are no key columns, so that there is one group in a checkpoint too.
    private static let onlyType = DataType.tinyInt

    /// The types of the table's keys, as a checkpoint has them.
    var types: [DataType] { table.types }

    /// `input` are the types of the rows' columns.
    init(_ positions: [Int], input: [DataType], hostObjects: HostObjects?) throws(MillstreamError) {
        self.positions = positions
        let types = positions.isEmpty ? [Self.onlyType] : try OperatorFactory.keyTypes(positions, input).map(\.nullable)
        table = try KeyTable(types: types, hostObjects: hostObjects)
    }

    private static func only(_ count: Int) -> Column { .repeating(Int8(0), type: onlyType, count: count) }

    /// The slots of a dense batch's rows; new ones are `table.newSlots`.
    func look(up batch: Batch, into slots: UnsafeMutablePointer<Int32>) throws(MillstreamError) {
        guard !positions.isEmpty else {
            let key = [Self.only(1)]
            guard let hashes = try Batch(schema: Schema([]), columns: key, count: 1).keyed(by: key).keyHashes else {
                throw .internal("a keyed batch has no hashes")
            }
            var slot: Int32 = 0
            try table.lookup(keys: key, hashes: hashes.pointer(as: UInt64.self), count: 1, slots: &slot)
            withExtendedLifetime(hashes) {}
            slots.update(repeating: slot, count: batch.count)
            return
        }
        let keys = positions.map { batch.columns[$0] }
        let keyed = batch.keyHashes == nil ? try batch.keyed(by: keys) : batch
        guard let hashes = keyed.keyHashes else { throw .internal("a keyed batch has no hashes") }
        try table.lookup(keys: keys, hashes: hashes.pointer(as: UInt64.self), count: batch.count, slots: slots)
        withExtendedLifetime(hashes) {}
    }

    /// The key columns of some slots as they come out: none where all rows are one group.
    func columns(_ slots: [Int32]) throws(MillstreamError) -> [Column] {
        guard !positions.isEmpty else { return [] }
        return try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress, !list.isEmpty else {
                var none: [Column] = []
                for type in table.types { none.append(try Column.nulls(type: type, count: 0)) }
                return none
            }
            return try table.keys(slots: base, count: list.count)
        }
    }

    func erase(_ slots: [Int32]) {
        slots.withUnsafeBufferPointer { if let base = $0.baseAddress { table.erase(slots: base, count: slots.count) } }
    }
}
