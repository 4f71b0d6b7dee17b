import Columnar
import Dataflow
import Plan
import State

/// The rows that a join keeps of one of its inputs, by key, in the order in which they came.
final class JoinRows {
    private static let chunkRowCount = 4096

    let slots: RowSlots
    private(set) var chains = RowChains()
    private var index = RowIndex()
    private let schema: Schema
    private let uniqueness: JoinSide.Uniqueness
    /// The columns that tell one row from another; nil: all.
    private let identity: [Int]?
    /// How many rows of the other input each row has met, where that decides about a row with NULLs.
    private var associations = SlotArray<Int32>(fill: 0)
    let countsAssociations: Bool
    private var ages: RowAges
    private let forgets: Bool
    private let part: String
    /// Whether the first of equal rows goes, where their order counts.
    private let takesOldest: Bool

    /// `keys` are the join's key columns of this input.
    init(
        _ side: JoinSide, schema: Schema, keys: [Int], countsAssociations: Bool, takesOldest: Bool = false, part: String, hostObjects: HostObjects?
    ) throws(MillstreamError) {
        slots = RowSlots(types: schema.types, hostObjects: hostObjects)
        self.schema = schema
        uniqueness = side.uniqueness
        switch side.uniqueness {
        case .none, .joinKey: identity = nil
        case .columns(let columns):
            for column in columns where column < 0 || column >= schema.fields.count {
                throw MillstreamError(.plan, "a unique key names column \(column); the stream has \(schema.fields.count)")
            }
            identity = Array(Set(columns + keys)).sorted()
        }
        self.countsAssociations = countsAssociations
        self.part = part
        self.takesOldest = takesOldest
        forgets = (side.timeToLive ?? 0) > 0
        ages = RowAges(timeToLive: side.timeToLive ?? 0)
    }

    var count: Int { chains.count }
    /// All rows, key by key.
    func all(_ table: KeyTable) -> [Int32] { chains.all(table.liveSlots()).rows }
    @inline(__always)
    func first(_ key: Int32) -> Int32 { chains.first(key) }
    @inline(__always)
    func last(_ key: Int32) -> Int32 { chains.last(key) }
    @inline(__always)
    func next(_ slot: Int32) -> Int32 { chains.next(slot) }
    @inline(__always)
    func association(_ slot: Int32) -> Int32 { associations[Int(slot)] }

    func setAssociation(_ slot: Int32, _ count: Int32, at time: Int64) {
        associations[Int(slot)] = count
        if forgets { ages.touch(slot, at: time) }
    }

    // MARK: A batch

    /// What is needed of a batch to change rows by it.
    struct Changes {
        /// The numbers of the rows that come; 0 for others.
        var slots: [Int32]
        fileprivate var hashes: [UInt64]
        fileprivate var comparer: RowComparer?
    }

    /// Takes the contents of a dense batch's rows that come and have a key (`keys` is not -1); `add` and `retract` then go row by row.
    func prepare(_ columns: [Column], keys: [Int32], kinds: [Int8]) throws(MillstreamError) -> Changes {
        var changes = Changes(slots: [Int32](repeating: 0, count: keys.count), hashes: [], comparer: nil)
        var coming: [Int32] = []
        var retracts = false
        for row in keys.indices where keys[row] >= 0 {
            if RowKind.isRetraction(kinds[row]) { retracts = true } else { coming.append(Int32(truncatingIfNeeded: row)) }
        }
        let given = try slots.add(columns, rows: coming.count == keys.count ? nil : coming, count: keys.count)
        for (place, row) in coming.enumerated() { changes.slots[Int(row)] = given[place] }
        var looksUp = retracts
        if case .columns = uniqueness { looksUp = true }
        if case .joinKey = uniqueness { return changes }
        if looksUp { try turnOnIndex() }
        guard index.isOn else { return changes }
        changes.hashes = [UInt64](repeating: 0, count: keys.count)
        let compared = identity.map { $0.map { columns[$0] } } ?? columns
        try Self.hash(compared, &changes.hashes)
        if looksUp { changes.comparer = try RowComparer(slots.store, columns, on: identity) }
        return changes
    }

    private static func hash(_ columns: [Column], _ hashes: inout [UInt64]) throws(MillstreamError) {
        let count = hashes.count
        try hashes.withUnsafeMutableBufferPointer { (target) throws(MillstreamError) in
            guard let base = target.baseAddress, count > 0 else { return }
            try Columnar.hash(columns: columns, count: count, selection: nil, into: base)
        }
    }

    private func turnOnIndex() throws(MillstreamError) {
        guard !index.isOn else { return }
        index.turnOn()
        guard chains.count > 0 else { return }
        var live: [Int32] = []
        for slot in 1..<Int32(truncatingIfNeeded: slots.end) where chains.holds(slot) { live.append(slot) }
        for start in stride(from: 0, to: live.count, by: Self.chunkRowCount) {
            let part = Array(live[start..<min(start + Self.chunkRowCount, live.count)])
            let columns = try slots.gather(part)
            var hashes = [UInt64](repeating: 0, count: part.count)
            try Self.hash(identity.map { $0.map { columns[$0] } } ?? columns, &hashes)
            for (place, slot) in part.enumerated() { index.insert(slot, hashes[place]) }
        }
    }

    /// Row `row` of the batch comes; where a row of its unique key is there, it takes its place.
    func add(_ row: Int, key: Int32, associations count: Int32, _ changes: Changes, at time: Int64) throws(MillstreamError) {
        let slot = changes.slots[row]
        switch uniqueness {
        case .none: break
        case .joinKey: if chains.first(key) >= 0 { remove(chains.first(key)) }
        case .columns:
            let old = try find(row, key, changes)
            if old >= 0 { remove(old) }
        }
        chains.append(slot, key: key)
        if index.isOn { index.insert(slot, changes.hashes[row]) }
        if countsAssociations {
            associations.reserve(Int(slot) + 1)
            associations[Int(slot)] = count
        }
        if forgets { ages.add(slot, at: time) }
    }

    /// Row `row` of the batch goes; -1: it was not there.
    @discardableResult
    func retract(_ row: Int, key: Int32, _ changes: Changes) throws(MillstreamError) -> Int32 {
        var slot = chains.first(key)
        if case .joinKey = uniqueness {} else { slot = try find(row, key, changes) }
        if slot >= 0 { remove(slot) }
        return slot
    }

    private func find(_ row: Int, _ key: Int32, _ changes: Changes) throws(MillstreamError) -> Int32 {
        guard let comparer = changes.comparer else { throw .internal("rows of a join are looked for without a comparer") }
        func isSame(_ slot: Int32) throws(MillstreamError) -> Bool {
            guard chains.key(slot) == key else { return false }
            return try comparer.isEqual(row: row, slot: Int(slot))
        }
        return takesOldest ? try index.oldest(changes.hashes[row], isSame) : try index.newest(changes.hashes[row], isSame)
    }

    private func remove(_ slot: Int32) {
        chains.remove(slot)
        if index.isOn { index.remove(slot) }
        if forgets { ages.remove(slot) }
        slots.release(slot)
    }

    /// Forgets rows that have not changed for their time to live; the keys of those.
    func expire(_ time: Int64) -> [Int32] {
        guard forgets else { return [] }
        let now = ages.now(time)
        var keys: [Int32] = []
        while let slot = ages.due(now) {
            keys.append(chains.key(slot))
            remove(slot)
        }
        return keys
    }

    func now(_ time: Int64) -> Int64 { forgets ? ages.now(time) : time }

    // MARK: Checkpoints

    private var stateFields: [Field] {
        schema.fields.map { Field("record.\($0.name)", $0.type.nullable) } + (countsAssociations ? [Field("associations", DataType.bigInt.notNull)] : [])
            + (forgets ? [Field("last_access", DataType.bigInt.notNull)] : [])
    }

    var declaredPart: DeclaredPart { DeclaredPart(part, stateFields) }

    func snapshot(_ table: KeyTable, maxParallelism: Int, to writer: any StateWriter) throws(MillstreamError) {
        let (rows, keys) = chains.all(table.liveSlots())
        guard !rows.isEmpty else { return }
        var columns = try slots.gather(rows)
        if countsAssociations { columns.append(.int64s(rows.map { Int64(associations[Int($0)]) })) }
        if forgets { columns.append(.int64s(rows.map { ages.time($0) })) }
        var part = KeyedPart(part, fields: stateFields)
        try part.add(keys, of: table, columns)
        try part.write(maxParallelism: maxParallelism, to: writer)
    }

    func restore(_ table: KeyTable, from reader: any StateReader) throws(MillstreamError) {
        var aged: [(row: Int32, time: Int64)] = []
        try RestoredPart.forEachBlock(reader, part, keyTypes: table.types, fields: stateFields) { (part) throws(MillstreamError) in
            let keys = try part.slots(in: table)
            let given = try slots.add(Array(part.columns.prefix(schema.fields.count)), count: part.count)
            let counts = countsAssociations ? part.int64s(schema.fields.count) : []
            let times = forgets ? part.int64s(stateFields.count - 1) : []
            for row in 0..<part.count {
                chains.append(given[row], key: keys[row])
                if countsAssociations {
                    associations.reserve(Int(given[row]) + 1)
                    associations[Int(given[row])] = Int32(clamping: counts[row])
                }
                if forgets { aged.append((given[row], times[row])) }
            }
        }
        // Equal times in the order of the file; Swift's sort is stable.
        for (row, time) in aged.sorted(by: { $0.time < $1.time }) { ages.add(row, at: time) }
    }
}
