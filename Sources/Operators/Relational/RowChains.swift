import Columnar
import State

/// The rows of each key in the order in which they came; a row is a number of `RowSlots`, a key a slot of a `KeyTable`.
struct RowChains: ~Copyable {
    private var heads = SlotArray<Int32>(fill: -1)
    private var tails = SlotArray<Int32>(fill: -1)
    private var nexts = SlotArray<Int32>(fill: -1)
    private var previouses = SlotArray<Int32>(fill: -1)
    private var keys = SlotArray<Int32>(fill: -1)
    /// How many rows there are.
    private(set) var count = 0

    /// The first row of a key; -1: none.
    @inline(__always)
    func first(_ key: Int32) -> Int32 { key >= 0 && Int(key) < heads.capacity ? heads[Int(key)] : -1 }
    @inline(__always)
    func last(_ key: Int32) -> Int32 { key >= 0 && Int(key) < heads.capacity ? tails[Int(key)] : -1 }
    @inline(__always)
    func next(_ row: Int32) -> Int32 { nexts[Int(row)] }
    @inline(__always)
    func previous(_ row: Int32) -> Int32 { previouses[Int(row)] }
    @inline(__always)
    func key(_ row: Int32) -> Int32 { keys[Int(row)] }

    /// Whether a row is in a chain.
    func holds(_ row: Int32) -> Bool { Int(row) < keys.capacity && keys[Int(row)] >= 0 }

    mutating func append(_ row: Int32, key: Int32) { insert(row, behind: last(key), key: key) }

    /// Puts a row behind another of its key; -1: before all.
    mutating func insert(_ row: Int32, behind previous: Int32, key: Int32) {
        reserve(row, key)
        let next = previous < 0 ? heads[Int(key)] : nexts[Int(previous)]
        keys[Int(row)] = key
        previouses[Int(row)] = previous
        nexts[Int(row)] = next
        if previous < 0 { heads[Int(key)] = row } else { nexts[Int(previous)] = row }
        if next < 0 { tails[Int(key)] = row } else { previouses[Int(next)] = row }
        count += 1
    }

    mutating func remove(_ row: Int32) {
        let (previous, next, key) = (previouses[Int(row)], nexts[Int(row)], keys[Int(row)])
        if previous < 0 { heads[Int(key)] = next } else { nexts[Int(previous)] = next }
        if next < 0 { tails[Int(key)] = previous } else { previouses[Int(next)] = previous }
        keys[Int(row)] = -1
        count -= 1
    }

    private mutating func reserve(_ row: Int32, _ key: Int32) {
        heads.reserve(Int(key) + 1)
        tails.reserve(Int(key) + 1)
        nexts.reserve(Int(row) + 1)
        previouses.reserve(Int(row) + 1)
        keys.reserve(Int(row) + 1)
    }

    /// The rows of some keys, key by key, and each row's key.
    func all(_ keySlots: [Int32]) -> (rows: [Int32], keys: [Int32]) {
        var rows: [Int32] = []
        var keys: [Int32] = []
        rows.reserveCapacity(count)
        keys.reserveCapacity(count)
        for key in keySlots {
            var row = first(key)
            while row >= 0 {
                rows.append(row)
                keys.append(key)
                row = nexts[Int(row)]
            }
        }
        return (rows, keys)
    }
}

/// Rows by the time of their last change: those that have reached their age go.
struct RowAges: ~Copyable {
    /// Milliseconds.
    let timeToLive: Int64
    private var chain = RowChains()
    private var times = SlotArray<Int64>(fill: 0)
    /// A clock that is set back makes nothing older.
    private var latest = Int64.min

    init(timeToLive: Int64) { self.timeToLive = timeToLive }

    mutating func now(_ time: Int64) -> Int64 {
        latest = max(latest, time)
        return latest
    }

    mutating func add(_ row: Int32, at time: Int64) {
        times.reserve(Int(row) + 1)
        times[Int(row)] = time
        chain.append(row, key: 0)
    }

    mutating func touch(_ row: Int32, at time: Int64) {
        chain.remove(row)
        add(row, at: time)
    }

    mutating func remove(_ row: Int32) { chain.remove(row) }
    func holds(_ row: Int32) -> Bool { chain.holds(row) }
    func time(_ row: Int32) -> Int64 { times[Int(row)] }

    /// The row that is the next to go, if its time has come.
    func due(_ now: Int64) -> Int32? {
        let row = chain.first(0)
        return row >= 0 && times[Int(row)].addingSaturating(timeToLive) <= now ? row : nil
    }
}
