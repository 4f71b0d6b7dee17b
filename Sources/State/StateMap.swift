import Columnar
import Dataflow

/// A map state of one key: entries in the order of their insertion. A new value for a known key keeps the entry's place.
struct StateMap {
    /// Up to so many entries a scan of the hashes is as fast as an index.
    private static let scanCountMax = 8

    private var hashes: [UInt64] = []
    private var keys: [StateValue?] = []
    private var values: [StateValue?] = []
    /// Places by hash with linear probing, place + 1; empty for small maps. Removed entries keep their place until `compact`.
    private var index: [Int32] = []
    private(set) var count = 0

    /// The place of a key, or nil. `isEqual` decides among keys of one hash.
    func place(of hash: UInt64, _ isEqual: (StateValue) throws(MillstreamError) -> Bool) throws(MillstreamError) -> Int? {
        guard !index.isEmpty else {
            for place in hashes.indices where hashes[place] == hash {
                if let key = keys[place], try isEqual(key) { return place }
            }
            return nil
        }
        var position = Int(truncatingIfNeeded: hash) & (index.count - 1)
        while index[position] != 0 {
            let place = Int(index[position]) - 1
            if hashes[place] == hash, let key = keys[place], try isEqual(key) { return place }
            position = (position + 1) & (index.count - 1)
        }
        return nil
    }

    func value(at place: Int) -> StateValue? { values[place] }

    /// Gives back the old value.
    mutating func replace(at place: Int, _ value: StateValue) -> StateValue? {
        let old = values[place]
        values[place] = value
        return old
    }

    mutating func append(_ hash: UInt64, _ key: StateValue, _ value: StateValue) {
        if hashes.count > 2 * count + Self.scanCountMax { compact() }
        hashes.append(hash)
        keys.append(key)
        values.append(value)
        count += 1
        if hashes.count > Self.scanCountMax { addToIndex(hashes.count - 1) }
    }

    /// Gives back what the entry held.
    mutating func remove(at place: Int) -> (key: StateValue?, value: StateValue?) {
        let entry = (keys[place], values[place])
        keys[place] = nil
        values[place] = nil
        count -= 1
        return entry
    }

    /// An entry by its number among those that are there; nil beyond the last.
    mutating func entry(_ number: Int) -> (key: StateValue, value: StateValue)? {
        guard number >= 0, number < count else { return nil }
        if count < keys.count { compact() }
        guard let key = keys[number], let value = values[number] else { return nil }
        return (key, value)
    }

    /// The entries in order.
    func forEach(_ body: (StateValue, StateValue) -> Void) {
        for place in keys.indices { if let key = keys[place], let value = values[place] { body(key, value) } }
    }

    /// The entries in order, with the hashes of their keys.
    func forEachHashed(_ body: (UInt64, StateValue, StateValue) -> Void) {
        for place in keys.indices { if let key = keys[place], let value = values[place] { body(hashes[place], key, value) } }
    }

    /// All keys and values.
    var contents: [StateValue] { keys.compactMap { $0 } + values.compactMap { $0 } }

    private mutating func addToIndex(_ place: Int) {
        if 2 * hashes.count > index.count { return rebuildIndex() }
        var position = Int(truncatingIfNeeded: hashes[place]) & (index.count - 1)
        while index[position] != 0 { position = (position + 1) & (index.count - 1) }
        index[position] = Int32(truncatingIfNeeded: place + 1)
    }

    private mutating func rebuildIndex() {
        var size = 32
        while size < 4 * hashes.count { size *= 2 }
        index = [Int32](repeating: 0, count: size)
        for place in hashes.indices {
            var position = Int(truncatingIfNeeded: hashes[place]) & (size - 1)
            while index[position] != 0 { position = (position + 1) & (size - 1) }
            index[position] = Int32(truncatingIfNeeded: place + 1)
        }
    }

    private mutating func compact() {
        let live = keys.indices.filter { keys[$0] != nil }
        hashes = live.map { hashes[$0] }
        keys = live.map { keys[$0] }
        values = live.map { values[$0] }
        index = []
        if hashes.count > Self.scanCountMax { rebuildIndex() }
    }
}
