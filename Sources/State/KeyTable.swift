import Columnar
import Dataflow

/// The keys of a keyed operator's subtask, each with a dense slot number under which the operator keeps what it knows of the key.
///
/// A batch of keys is looked up at once: first all places of the index are loaded, then all candidates are compared, and only the rows that are left
/// (new keys, collisions) go the slow way, one by one. No row allocates or touches a reference count. Keys are equal as `Column.isEqual` says.
/// Slots of erased keys are reused. One thread at a time.
public final class KeyTable {
    /// Rows that are looked up together: their candidates stay in the first-level cache.
    static let chunkRowCount = 1024

    public let types: [DataType]
    private var index = KeyIndex()
    private let storage: any KeyStorage
    private let candidates: UnsafeMutablePointer<UInt64>
    /// The slots that the last `lookup` gave to new keys, in the order of their rows.
    public private(set) var newSlots: [Int32] = []

    /// A table for keys of some columns. `hostObjects` where one is OBJECT.
    public convenience init(types: [DataType], hostObjects: HostObjects? = nil) throws(MillstreamError) {
        try self.init(types: types, hostObjects: hostObjects, hashMask: .max)
    }

    /// With hashes of which only these bits count, for tests of collisions: those that are looked up have no others.
    package init(types: [DataType], hostObjects: HostObjects?, hashMask: UInt64) throws(MillstreamError) {
        self.types = types
        storage = try makeKeyStorage(types, hostObjects, hashMask: hashMask)
        candidates = .allocate(capacity: Self.chunkRowCount)
    }

    deinit {
        clearKeys()
        candidates.deallocate()
    }

    /// How many keys there are.
    public var count: Int { index.count }
    /// One more than the highest slot that is or was in use; what an operator keeps per slot needs so many places.
    public var slotEnd: Int { index.slotEnd }

    public func isLive(_ slot: Int) -> Bool { slot >= 0 && slot < index.slotEnd && index.isLive(slot) }
    /// The stable hash of a slot's key.
    public func hash(_ slot: Int) -> UInt64 { storage.hash(slot) }
    /// The key group of a slot's key.
    public func keyGroup(_ slot: Int, maxParallelism: Int) -> Int { KeyGroup.index(hash: storage.hash(slot), maxParallelism: maxParallelism) }

    /// Whether `takeCollisions` has something to give.
    var tracksCollisions: Bool {
        get { index.tracksCollisions }
        set { index.tracksCollisions = newValue }
    }

    /// The pairs of different keys with one hash of which the second came since the last call.
    func takeCollisions() -> [(slot: Int32, other: Int32)] {
        if index.collisions.isEmpty { return [] }
        defer { index.collisions = [] }
        return index.collisions
    }

    /// All slots in use, ascending.
    public func liveSlots() -> [Int32] {
        var result: [Int32] = []
        result.reserveCapacity(index.count)
        for slot in 0..<index.slotEnd where index.isLive(slot) { result.append(Int32(truncatingIfNeeded: slot)) }
        return result
    }

    /// Writes the slot of each row's key; new keys get slots, in the order of their rows. Returns how many there were (`newSlots` has them).
    ///
    /// `keys` are dense columns of `count` rows (or more), `hashes` their stable hashes. If it throws (`userFunction`: a host's comparison failed), the slots
    /// are undefined, and some of the keys may be in the table.
    @discardableResult
    public func lookup(
        keys: [Column], hashes: UnsafePointer<UInt64>, count: Int, slots: UnsafeMutablePointer<Int32>
    ) throws(MillstreamError) -> Int {
        newSlots.removeAll(keepingCapacity: true)
        try search(keys, hashes, count, slots, inserts: true)
        return newSlots.count
    }

    /// Like `lookup`, but leaves the table as it is: -1 where a key is not in it.
    public func find(
        keys: [Column], hashes: UnsafePointer<UInt64>, count: Int, slots: UnsafeMutablePointer<Int32>
    ) throws(MillstreamError) {
        try search(keys, hashes, count, slots, inserts: false)
    }

    private func search(
        _ keys: [Column], _ hashes: UnsafePointer<UInt64>, _ count: Int, _ slots: UnsafeMutablePointer<Int32>, inserts: Bool
    ) throws(MillstreamError) {
        guard keys.count == types.count else {
            throw .internal("a key of \(keys.count) columns was looked up in a table of keys of \(types.count)")
        }
        for column in keys where column.count < count { throw .internal("a key column has \(column.count) rows instead of \(count)") }
        var start = 0
        while start < count {
            let length = min(Self.chunkRowCount, count - start)
            try storage.bind(keys, start: start, count: length)
            do throws(MillstreamError) {
                index.candidates(hashes + start, count: length, into: candidates)
                storage.match(candidates, hashes + start, count: length, into: slots + start)
                try storage.resolve(&index, hashes + start, count: length, into: slots + start, inserts: inserts, newSlots: &newSlots)
            } catch {
                try? storage.unbind()
                throw error
            }
            try storage.unbind()
            start += length
        }
    }

    /// Makes room for so many keys, those that there are included.
    public func reserve(_ keyCount: Int) { reserve(min(keyCount, KeyIndex.slotCountMax), storage) }

    private func reserve(_ keyCount: Int, _ keys: some KeyStorage) {
        index.reserve(keyCount, keys)
        keys.reserve(keyCount)
    }

    /// The keys of some slots that are in use, as columns of `types`.
    public func keys(slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> [Column] {
        try storage.gather(slots, count: count)
    }

    /// Forgets the keys of some slots, which are in use and do not repeat. Their numbers go to keys that come later.
    public func erase(slots: UnsafePointer<Int32>, count: Int) {
        for place in 0..<count { eraseEntry(Int(slots[place]), storage) }
        storage.erase(slots, count: count)
    }

    private func eraseEntry(_ slot: Int, _ keys: some KeyStorage) { index.erase(slot, keys) }

    /// The keys as they are now, to be copied while the table changes; nil for tables of keys that cannot.
    func freeze(maxParallelism: Int) -> FrozenTable? {
        guard let keys = storage.freeze(index.slotEnd) else { return nil }
        return FrozenTable(keys, slotEnd: index.slotEnd, count: index.count, live: index.copyLive(), maxParallelism: maxParallelism)
    }

    /// Forgets all keys, and keeps the memory for the next ones.
    public func clear() {
        clearKeys()
        index.clear()
        newSlots.removeAll(keepingCapacity: true)
    }

    private func clearKeys() {
        guard index.count > 0 else { return }
        liveSlots().withUnsafeBufferPointer { if let base = $0.baseAddress { storage.erase(base, count: $0.count) } }
    }
}
