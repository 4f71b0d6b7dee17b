import Columnar
import Dataflow

/// Keeps in memory what an operator knows of the keys that it has met lately, and the rest in a store: a write-back cache of the slots of a `KeyTable`.
///
/// `enter` comes behind the look-up of a batch's keys: it fetches those that are not in memory, all at once and in the order of the store's keys. Then the operator
/// works on slots as if all were in memory. `settle` comes between two batches: where memory is over its bound, slots that were not entered since the clock's hand
/// passed them leave it; those that have changed are written first, in one write in the order of keys.
///
/// What is deterministic stays so: which slots are in memory follows from the order of the batches and the bound (and with RocksDB from how long it takes to write a
/// checkpoint's files), and no result depends on it.
/// One thread at a time.
public final class KeyPager {
    private enum Flag {
        static let resident: UInt8 = 1
        static let referenced: UInt8 = 2
        static let dirty: UInt8 = 4
        /// The store has an entry of the key, which may be an older one.
        static let stored: UInt8 = 8
        /// The store's list of the key's hash has, or may get, keys beside it.
        static let shared: UInt8 = 16
    }

    /// Keys that go to the store in one call, or come from there; their values are copied some times on the way.
    private static let chunkCountMax = 65_536
    private static let chunkCountMin = 1_024
    private static let chunkByteCountMax = 8 << 20
    /// How much more than needed is evicted: one part in so many, so that it is done in bulk.
    private static let evictedPart = 16
    /// What may be in memory above the bound: one part in so many of it.
    private static let delayedPart = 8
    /// What goes to the store in one call: one part in so many of it.
    private static let chunkPart = 16
    /// Slots of which the size of values is estimated.
    private static let sampleCountMax = 64
    /// Behind so many batches it is estimated anew.
    private static let sampleBatchCount = 32
    /// More keys than these should not wait for the barrier to be written: the job stands still meanwhile.
    private static let dirtyCountMax = 250_000
    /// Keys that are written early in one call.
    private static let earlyCount = 8_192
    /// What a key takes in the table, its index, hashes and flags, roughly: arrays double when they grow, so that a third of them is unused.
    private static let keyByteCount = 96

    private let store: any StateStore
    private let share: StateMemory.Share
    /// So much may be in memory above the bound while a checkpoint's files are made.
    private let delayedByteCountMax: Int
    private let chunkByteCountMax: Int
    private var chunkCount: Int { max(Self.chunkCountMin, min(Self.chunkCountMax, chunkByteCountMax / max(1, valueByteCount))) }
    private let maxParallelism: Int
    private let groups: Range<Int>
    private unowned let values: any PagedValues
    public let table: KeyTable
    let coding: StoreKeyCoding
    /// Whether the store may have any key.
    private var isStoreUsed: Bool

    private var flags = SlotArray<UInt8>(fill: 0)
    private var hand = 0
    private var residentCount = 0
    private var dirtyCount = 0
    /// Where keys are looked for that are written early.
    private var earlyHand = 0
    /// Half as many as keys were entered may be written early, so that it costs no more than a part of the time.
    private var earlyCredit = 0
    private let writesEarly: Bool
    private var valueByteCount = 64
    private var batchesUntilSample = 0

    private let keyRows = PackedBytes()
    private let sortedKeys = PackedBytes()
    private let valueRows = PackedBytes()
    private let sortedValues = PackedBytes()
    private var missing: [Int32] = []

    /// What the metrics of an operator tell of it.
    public private(set) var fetchedCount: Int64 = 0
    public private(set) var evictedCount: Int64 = 0
    public private(set) var writtenCount: Int64 = 0

    /// Nil for keys of types that cannot lie in a store.
    init?(
        store: any StateStore, isStoreUsed: Bool, values: any PagedValues, table: KeyTable, context: OperatorContext, paging: StatePaging
    ) {
        guard let coding = StoreKeyCoding(table.types, objects: paging.objects) else { return nil }
        self.store = store
        self.isStoreUsed = isStoreUsed
        self.values = values
        self.table = table
        self.coding = coding
        table.tracksCollisions = coding.isHashed
        share = paging.memory.share()
        delayedByteCountMax = paging.memory.byteCountMax / Self.delayedPart
        chunkByteCountMax = min(Self.chunkByteCountMax, paging.memory.byteCountMax / Self.chunkPart)
        maxParallelism = context.maxParallelism
        groups = context.keyGroups
        writesEarly = context.checkpointing
        guard coding.isHashed else { return }
        // The keys of the first batch came before anybody looked for pairs among them.
        let known = table.liveSlots().sorted { table.hash(Int($0)) < table.hash(Int($1)) }
        flags.reserve(table.slotEnd)
        for (slot, next) in zip(known, known.dropFirst()) where table.hash(Int(slot)) == table.hash(Int(next)) {
            flags[Int(slot)] |= Flag.shared
            flags[Int(next)] |= Flag.shared
        }
    }

    // MARK: Batches

    /// Makes sure that all of the slots have their values in memory. `changes`: they will have others when `settle` comes. Slots may repeat.
    public func enter(_ slots: UnsafePointer<Int32>, count: Int, changes: Bool) throws(MillstreamError) {
        flags.reserve(table.slotEnd)
        missing.removeAll(keepingCapacity: true)
        let flags = flags.base
        for (slot, other) in table.takeCollisions() {
            flags[Int(slot)] |= Flag.shared
            flags[Int(other)] |= Flag.shared
        }
        let mark = Flag.resident | Flag.referenced | (changes ? Flag.dirty : 0)
        for row in 0..<count {
            let slot = Int(slots[row])
            let old = flags[slot]
            if old & mark == mark { continue }
            if old & Flag.resident == 0 { missing.append(slots[row]) }
            if changes, old & Flag.dirty == 0 { dirtyCount &+= 1 }
            flags[slot] = old | mark
        }
        earlyCredit &+= count / 2
        guard !missing.isEmpty else { return }
        residentCount += missing.count
        guard isStoreUsed else { return }
        var start = 0
        while start < missing.count {
            let end = min(start + chunkCount, missing.count)
            try fetch(Array(missing[start..<end]))
            start = end
        }
    }

    /// The slot's values have changed. It was entered.
    @inline(__always)
    func change(_ slot: Int) {
        if flags[slot] & Flag.dirty == 0 {
            flags[slot] |= Flag.dirty
            dirtyCount += 1
        }
    }

    /// Of slots that have nothing to keep any more, those that can be erased from the table at once: the others have to be deleted from the store first.
    func erasable(_ slots: [Int32]) -> [Int32] {
        slots.filter { slot in
            let flag = flags[Int(slot)]
            guard flag & (Flag.stored | Flag.shared) == 0 else { return false }
            leave(Int(slot), flag)
            return true
        }
    }

    private func leave(_ slot: Int, _ flag: UInt8) {
        if flag & Flag.dirty != 0 { dirtyCount -= 1 }
        if flag & Flag.resident != 0 { residentCount -= 1 }
        flags[slot] = 0
    }

    /// Brings the memory back to its bound. No slot number of a batch holds any more behind it.
    public func settle() throws(MillstreamError) {
        sample()
        let slotByteCount = Self.keyByteCount + valueByteCount + valueByteCount / 2
        let used = residentCount &* slotByteCount
        let surplus = share.update(used)
        // A write would wait for a checkpoint's files: keys stay a little longer instead.
        if surplus <= delayedByteCountMax, store.isMakingFiles { return }
        if writesEarly { try writeEarly() }
        guard surplus > 0, residentCount > 0 else { return }
        var count = min(residentCount, (surplus &+ used / Self.evictedPart) / slotByteCount + 1)
        while count > 0 {
            let chunk = min(count, chunkCount)
            try evict(chunk)
            count -= chunk
        }
        _ = share.update(residentCount &* slotByteCount)
    }

    /// Bounds what the next barrier has to wait for. Keys that were not met lately come first: the others will change again.
    private func writeEarly() throws(MillstreamError) {
        guard dirtyCount > Self.dirtyCountMax else {
            earlyCredit = 0
            return
        }
        guard earlyCredit >= Self.earlyCount else { return }
        earlyCredit = 0
        let end = min(flags.capacity, table.slotEnd)
        var slots: [Int32] = []
        for skipped in [Flag.referenced, 0] {
            var steps = end
            while slots.count < Self.earlyCount, steps > 0 {
                if earlyHand >= end { earlyHand = 0 }
                let flag = flags[earlyHand]
                if flag & Flag.dirty != 0, flag & skipped == 0 { slots.append(Int32(truncatingIfNeeded: earlyHand)) }
                earlyHand += 1
                steps -= 1
            }
            // A whole round would find the same slots again.
            if !slots.isEmpty { break }
        }
        try write(slots)
    }

    /// Values of other sizes than before show after some batches.
    private func sample() {
        batchesUntilSample -= 1
        guard batchesUntilSample < 0, residentCount > 0 else { return }
        batchesUntilSample = Self.sampleBatchCount
        var slots: [Int32] = []
        let step = max(1, table.slotEnd / Self.sampleCountMax)
        // Another remainder each time.
        var slot = hand % step
        while slot < min(flags.capacity, table.slotEnd) {
            if flags[slot] & Flag.resident != 0 { slots.append(Int32(truncatingIfNeeded: slot)) }
            slot += step
        }
        guard !slots.isEmpty else { return }
        let found = values.byteCount(of: slots) / slots.count
        // Upwards at once, downwards slowly.
        valueByteCount = max(found, valueByteCount - (valueByteCount - found) / 8)
    }

    // MARK: Fetching

    private func fetch(_ slots: [Int32]) throws(MillstreamError) {
        fetchedCount += Int64(slots.count)
        let order = try encodeKeys(slots)
        try store.get(sortedKeys, into: sortedValues)
        let found = PageRows()
        if coding.isHashed {
            try find(slots, order, into: found)
        } else {
            for place in 0..<slots.count where sortedValues.absent[place] == 0 {
                let slot = slots[Int(order[place].row)]
                flags[Int(slot)] |= Flag.stored
                found.append(slot, sortedValues[place])
            }
        }
        try found.give(to: values)
    }

    /// Looks for the keys in the lists of their hashes.
    private func find(_ slots: [Int32], _ order: [SortedKey], into found: PageRows) throws(MillstreamError) {
        // What is not the key's own bytes may still be the key: the host says.
        var doubtful: [(slot: Int32, key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)] = []
        for place in 0..<slots.count where sortedValues.absent[place] == 0 {
            let slot = slots[Int(order[place].row)]
            let own = ownKeys[Int(order[place].row)]
            var entryCount = 0
            var others: [(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)] = []
            var isFound = false
            try StoreKeyCoding.forEachEntry(sortedValues[place]) { (key, value) in
                entryCount += 1
                if !isFound, key.elementsEqual(own) {
                    isFound = true
                    found.append(slot, value)
                } else {
                    others.append((key, value))
                }
            }
            if isFound {
                flags[Int(slot)] |= entryCount > 1 ? Flag.stored | Flag.shared : Flag.stored
            } else {
                flags[Int(slot)] |= Flag.shared
                for (key, value) in others { doubtful.append((slot, key, value)) }
            }
        }
        guard !doubtful.isEmpty else { return }
        let keys = doubtful.map(\.key)
        let stored = try keys.withUnsafeBufferPointer { (rows) throws(MillstreamError) in
            guard let base = rows.baseAddress else { return [Column]() }
            return try coding.rows.decode(base, count: rows.count)
        }
        let given = try keyColumns(doubtful.map(\.slot))
        for (row, entry) in doubtful.enumerated() {
            var isEqual = true
            for position in given.indices where isEqual { isEqual = try given[position].isEqual(at: row, to: stored[position], at: row) }
            // With other bytes for the same key its list is not replaced as a whole: the flag stays.
            guard isEqual else { continue }
            flags[Int(entry.slot)] |= Flag.stored
            found.append(entry.slot, entry.value)
        }
    }

    private func keyColumns(_ slots: [Int32]) throws(MillstreamError) -> [Column] {
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress, !slots.isEmpty else { return [Column]() }
            return try table.keys(slots: base, count: slots.count)
        }
    }

    /// The keys of some slots in the store's form, in their order, as `sortedKeys`. Hashed ones have their own bytes in `ownKeys`, in the order of `slots`.
    private func encodeKeys(_ slots: [Int32]) throws(MillstreamError) -> [SortedKey] {
        let columns = try keyColumns(slots)
        if coding.isHashed {
            try coding.rows.encode(columns, count: slots.count, into: ownKeys)
            keyRows.reset(count: slots.count, byteCount: slots.count * StoreKeyCoding.hashedByteCount)
            for (row, slot) in slots.enumerated() {
                let place = row * StoreKeyCoding.hashedByteCount
                keyRows.ends[row] = place + StoreKeyCoding.hashedByteCount
                keyRows.absent[row] = 0
                (keyRows.bytes + place).storeBytes(of: table.hash(Int(slot)).bigEndian, toByteOffset: StoreKey.prefixByteCount, as: UInt64.self)
            }
        } else {
            try coding.rows.encode(columns, count: slots.count, into: keyRows)
        }
        for (row, slot) in slots.enumerated() {
            let group = UInt16(truncatingIfNeeded: table.keyGroup(Int(slot), maxParallelism: maxParallelism)).bigEndian
            (keyRows.bytes + keyRows.start(row)).storeBytes(of: group, as: UInt16.self)
        }
        let order = sortedOrder(keyRows)
        sortedKeys.removeAll()
        sortedKeys.reserve(slots.count, byteCount: keyRows.byteCount)
        for key in order { sortedKeys.append(keyRows[Int(key.row)]) }
        return order
    }

    private let ownKeys = PackedBytes()

    // MARK: Leaving memory

    private func evict(_ count: Int) throws(MillstreamError) {
        var victims: [Int32] = []
        var changed: [Int32] = []
        victims.reserveCapacity(count)
        let end = min(flags.capacity, table.slotEnd)
        // Twice around: the first time every slot may have been referenced.
        var steps = 2 * end
        let flags = flags.base
        while victims.count < count, steps > 0 {
            if hand >= end { hand = 0 }
            let flag = flags[hand]
            if flag & Flag.resident != 0 {
                if flag & Flag.referenced != 0 {
                    flags[hand] = flag & ~Flag.referenced
                } else {
                    victims.append(Int32(truncatingIfNeeded: hand))
                    if flag & Flag.dirty != 0 { changed.append(Int32(truncatingIfNeeded: hand)) }
                    // Not taken twice.
                    flags[hand] = flag & ~Flag.resident
                    residentCount -= 1
                }
            }
            hand += 1
            steps -= 1
        }
        try write(changed)
        values.forget(victims)
        evictedCount += Int64(victims.count)
        let erased = victims.filter { !values.keepsKey(Int($0)) }
        for slot in victims { flags[Int(slot)] &= Flag.shared }
        for slot in erased { flags[Int(slot)] = 0 }
        erased.withUnsafeBufferPointer { if let base = $0.baseAddress, !erased.isEmpty { table.erase(slots: base, count: erased.count) } }
    }

    /// Writes all that has changed, so that the store has everything.
    public func flush() throws(MillstreamError) {
        guard dirtyCount > 0 else { return }
        var changed: [Int32] = []
        for slot in 0..<min(flags.capacity, table.slotEnd) where flags[slot] & Flag.dirty != 0 {
            changed.append(Int32(truncatingIfNeeded: slot))
            if changed.count >= chunkCount {
                try write(changed)
                changed.removeAll(keepingCapacity: true)
            }
        }
        try write(changed)
    }

    /// The store gets what the slots have; they are clean then.
    private func write(_ slots: [Int32]) throws(MillstreamError) {
        // Keys that came and went without the store hearing of them need no deletion.
        let slots = slots.filter { slot in
            if values.contains(Int(slot)) || flags[Int(slot)] & (Flag.stored | Flag.shared) != 0 { return true }
            flags[Int(slot)] &= ~Flag.dirty
            dirtyCount -= 1
            return false
        }
        guard !slots.isEmpty else { return }
        writtenCount += Int64(slots.count)
        let order = try encodeKeys(slots)
        try values.encode(slots, into: valueRows)
        sortedValues.removeAll()
        sortedValues.reserve(slots.count, byteCount: valueRows.byteCount + (coding.isHashed ? slots.count * StoreKeyCoding.entryHeadByteCount + ownKeys.byteCount : 0))
        var rewritten: [Int] = []
        for (place, key) in order.enumerated() {
            let row = Int(key.row)
            let slot = Int(slots[row])
            let isThere = values.contains(slot)
            if flags[slot] & Flag.shared != 0 || coding.isHashed && isRepeated(place) {
                rewritten.append(place)
                sortedValues.appendAbsent()
            } else if !isThere {
                sortedValues.appendAbsent()
            } else if coding.isHashed {
                appendList(ownKeys[row], valueRows[row])
            } else {
                sortedValues.append(valueRows[row])
            }
            dirtyCount -= flags[slot] & Flag.dirty != 0 ? 1 : 0
            flags[slot] = flags[slot] & ~(Flag.dirty | Flag.stored) | (isThere ? Flag.stored : 0)
        }
        isStoreUsed = true
        guard rewritten.isEmpty else { return try write(slots, order, rewritten) }
        try store.write(sortedKeys, sortedValues)
    }

    /// Whether another key of the same write has the same hash.
    private func isRepeated(_ place: Int) -> Bool {
        let key = sortedKeys[place]
        return place > 0 && sortedKeys[place - 1].elementsEqual(key) || place + 1 < sortedKeys.count && sortedKeys[place + 1].elementsEqual(key)
    }

    private func appendList(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        let target = sortedValues.appendUninitialized(byteCount: StoreKeyCoding.entryHeadByteCount + key.count + value.count)
        target.storeBytes(of: UInt32(truncatingIfNeeded: key.count), as: UInt32.self)
        target.storeBytes(of: UInt32(truncatingIfNeeded: value.count), toByteOffset: 4, as: UInt32.self)
        if let source = key.baseAddress { (target + StoreKeyCoding.entryHeadByteCount).copyMemory(from: source, byteCount: key.count) }
        if let source = value.baseAddress { (target + StoreKeyCoding.entryHeadByteCount + key.count).copyMemory(from: source, byteCount: value.count) }
    }

    /// Writes with lists that keep the keys of other slots: each is read and written again, one by one, because they may be the same list. Rare: two keys of a
    /// host with one hash of 64 bits, or one key that the host writes in two ways.
    private func write(_ slots: [Int32], _ order: [SortedKey], _ places: [Int]) throws(MillstreamError) {
        var isRewritten = [Bool](repeating: false, count: order.count)
        for place in places { isRewritten[place] = true }
        let keys = PackedBytes()
        let lists = PackedBytes()
        for place in order.indices where !isRewritten[place] {
            keys.append(sortedKeys[place])
            if sortedValues.absent[place] != 0 { lists.appendAbsent() } else { lists.append(sortedValues[place]) }
        }
        if keys.count > 0 { try store.write(keys, lists) }
        let read = PackedBytes()
        for place in places {
            let row = Int(order[place].row)
            let slot = slots[row]
            keys.removeAll()
            keys.append(sortedKeys[place])
            try store.get(keys, into: read)
            var list: [UInt8] = []
            if read.absent[0] == 0 {
                let given = try keyColumns([slot])
                try StoreKeyCoding.forEachEntry(read[0]) { (key, value) throws(MillstreamError) in
                    if key.elementsEqual(ownKeys[row]) { return }
                    let stored = try withUnsafePointer(to: key) { (base) throws(MillstreamError) in try coding.rows.decode(base, count: 1) }
                    var isEqual = true
                    for position in given.indices where isEqual { isEqual = try given[position].isEqual(at: 0, to: stored[position], at: 0) }
                    if !isEqual { StoreKeyCoding.append(key, value, to: &list) }
                }
            }
            flags[Int(slot)] |= Flag.shared
            if values.contains(Int(slot)) { StoreKeyCoding.append(ownKeys[row], valueRows[row], to: &list) }
            lists.removeAll()
            if list.isEmpty { lists.appendAbsent() } else { lists.append(list) }
            try store.write(keys, lists)
        }
    }

    // MARK: All keys

    /// Brings all keys of the store into memory, whatever the bound: for whoever has to see them at once.
    func enterAll() throws(MillstreamError) {
        guard isStoreUsed else { return }
        let view = try store.view()
        try StoreScan(view: view, coding: coding, groups: groups).forEachChunk(decodesObjects: true) { (chunk) throws(MillstreamError) in
            let keyed = try Batch(schema: Schema([]), columns: [], count: chunk.count).keyed(by: chunk.keys)
            guard let hashes = keyed.keyHashes else { throw .internal("a keyed batch has no hashes") }
            var slots = [Int32](repeating: 0, count: chunk.count)
            try slots.withUnsafeMutableBufferPointer { (list) throws(MillstreamError) in
                guard let base = list.baseAddress else { return }
                try table.lookup(keys: chunk.keys, hashes: UnsafePointer(hashes.pointer(as: UInt64.self)), count: chunk.count, slots: base)
                try enter(base, count: chunk.count, changes: false)
            }
            withExtendedLifetime(hashes) {}
        }
    }

    /// All entries as they are now; `flush` comes first.
    func scan() throws(MillstreamError) -> StoreScan { StoreScan(view: try store.view(), coding: coding, groups: groups) }

    func files() throws(MillstreamError) -> any StoreFiles { try store.files() }

    public func close() { store.close() }
}

/// A key of a batch in the store's order.
private struct SortedKey {
    /// The first 8 bytes.
    var prefix: UInt64
    var row: Int32
}

private func sortedOrder(_ keys: PackedBytes) -> [SortedKey] {
    var order: [SortedKey] = []
    order.reserveCapacity(keys.count)
    for row in 0..<keys.count {
        let key = keys[row]
        var prefix: UInt64 = 0
        if key.count >= 8 {
            prefix = UInt64(bigEndian: key.loadUnaligned(as: UInt64.self))
        } else {
            for place in 0..<8 { prefix = prefix &<< 8 | (place < key.count ? UInt64(key[place]) : 0) }
        }
        order.append(SortedKey(prefix: prefix, row: Int32(truncatingIfNeeded: row)))
    }
    order.sort { left, right in
        if left.prefix != right.prefix { return left.prefix < right.prefix }
        let (one, other) = (keys[Int(left.row)], keys[Int(right.row)])
        if let a = one.baseAddress, let b = other.baseAddress {
            let result = compareBytes(a, b, min(one.count, other.count))
            if result != 0 { return result < 0 }
        }
        return one.count == other.count ? left.row < right.row : one.count < other.count
    }
    return order
}

/// Rows of a store on their way to their slots.
private final class PageRows {
    private var slots: [Int32] = []
    private var rows: [UnsafeRawBufferPointer] = []

    func append(_ slot: Int32, _ row: UnsafeRawBufferPointer) {
        slots.append(slot)
        rows.append(row)
    }

    func give(to values: any PagedValues) throws(MillstreamError) {
        try slots.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
            try rows.withUnsafeBufferPointer { (rows) throws(MillstreamError) in
                guard let slotBase = slots.baseAddress, let rowBase = rows.baseAddress, rows.count > 0 else { return }
                try values.decode(rowBase, slots: slotBase, count: rows.count)
            }
        }
    }
}
