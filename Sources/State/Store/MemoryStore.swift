import Columnar
import Dataflow
import Synchronization

/// A store in memory: sorted leaves of a few hundred entries, shared with views until one is written to. Deterministic: for simulations, tests, and as the model of the
/// others. Not built for speed.
public final class MemoryStore: StateStore {
    struct Entry {
        var key: [UInt8]
        var value: [UInt8]
    }

    /// A leaf is cut in two beyond this.
    private static let leafCountMax = 256

    /// No leaf is empty; the first key of each is greater than the last of the one before.
    private var leaves: [[Entry]] = []
    private var storedByteCount: Int64 = 0
    private let id = StoreNumbers.next()
    /// The key groups that were written to since the last `files`, and the file that holds each of the others.
    private var changedGroups: Set<Int> = []
    private var groupFiles: [Int: (file: StoreFile, bytes: [UInt8])] = [:]
    private var nextFileNumber = 1

    public init() {}

    public var byteCount: Int64 { storedByteCount }
    public func close() { leaves = [] }

    // MARK: Finding

    private static func less(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool { left.lexicographicallyPrecedes(right) }

    /// The leaf that has the key, or would have it; and its place there.
    private static func place(of key: UnsafeRawBufferPointer, in leaves: [[Entry]]) -> (leaf: Int, index: Int, isThere: Bool) {
        var low = 0
        var high = leaves.count
        // The last leaf whose first key is not above the key.
        while low < high {
            let middle = (low + high) / 2
            if leaves[middle][0].key.withUnsafeBytes({ less(key, $0) }) { high = middle } else { low = middle + 1 }
        }
        let leaf = max(0, low - 1)
        guard leaf < leaves.count else { return (0, 0, false) }
        low = 0
        high = leaves[leaf].count
        while low < high {
            let middle = (low + high) / 2
            if leaves[leaf][middle].key.withUnsafeBytes({ less($0, key) }) { low = middle + 1 } else { high = middle }
        }
        let isThere = low < leaves[leaf].count && leaves[leaf][low].key.withUnsafeBytes { $0.elementsEqual(key) }
        return (leaf, low, isThere)
    }

    public func get(_ keys: PackedBytes, into values: PackedBytes) throws(MillstreamError) {
        values.removeAll()
        for index in 0..<keys.count {
            let found = Self.place(of: keys[index], in: leaves)
            if found.isThere { values.append(leaves[found.leaf][found.index].value) } else { values.appendAbsent() }
        }
    }

    // MARK: Changing

    public func write(_ keys: PackedBytes, _ values: PackedBytes) throws(MillstreamError) {
        guard keys.count == values.count else { throw .internal("\(keys.count) keys with \(values.count) values") }
        for index in 0..<keys.count {
            let key = keys[index]
            changedGroups.insert(Self.group(key))
            let found = Self.place(of: key, in: leaves)
            if values.isAbsent(index) {
                if found.isThere { remove(found.leaf, found.index) }
            } else {
                put(key, Array(values[index]), found)
            }
        }
    }

    private func put(_ key: UnsafeRawBufferPointer, _ value: [UInt8], _ found: (leaf: Int, index: Int, isThere: Bool)) {
        if found.isThere {
            storedByteCount += Int64(value.count - leaves[found.leaf][found.index].value.count)
            leaves[found.leaf][found.index].value = value
            return
        }
        storedByteCount += Int64(key.count + value.count)
        let entry = Entry(key: Array(key), value: value)
        guard !leaves.isEmpty else {
            leaves = [[entry]]
            return
        }
        leaves[found.leaf].insert(entry, at: found.index)
        let count = leaves[found.leaf].count
        if count > Self.leafCountMax {
            let upper = Array(leaves[found.leaf][(count / 2)...])
            leaves[found.leaf].removeSubrange((count / 2)...)
            leaves.insert(upper, at: found.leaf + 1)
        }
    }

    private func remove(_ leaf: Int, _ index: Int) {
        let entry = leaves[leaf].remove(at: index)
        storedByteCount -= Int64(entry.key.count + entry.value.count)
        if leaves[leaf].isEmpty { leaves.remove(at: leaf) }
    }

    public func deleteRange(_ range: KeyRange) throws(MillstreamError) {
        let keys = PackedBytes()
        let values = PackedBytes()
        let cursor = try scan(range)
        let doomed = PackedBytes()
        while try cursor.next(keys, values) {
            for index in 0..<keys.count { doomed.append(keys[index]) }
        }
        values.removeAll()
        for _ in 0..<doomed.count { values.appendAbsent() }
        try write(doomed, values)
    }

    // MARK: Reading in order

    public func scan(_ range: KeyRange) throws(MillstreamError) -> any StoreCursor { MemoryCursor(leaves, range) }
    public func view() throws(MillstreamError) -> any StoreView { MemoryView(leaves: leaves) }

    private final class MemoryView: StoreView {
        private let leaves: [[Entry]]
        init(leaves: [[Entry]]) { self.leaves = leaves }
        func scan(_ range: KeyRange) throws(MillstreamError) -> any StoreCursor { MemoryCursor(leaves, range) }
    }

    private final class MemoryCursor: StoreCursor {
        private let leaves: [[Entry]]
        private let upper: [UInt8]?
        private var leaf = 0
        private var index = 0

        init(_ leaves: [[Entry]], _ range: KeyRange) {
            self.leaves = leaves
            upper = range.upper
            let found = range.lower.withUnsafeBytes { MemoryStore.place(of: $0, in: leaves) }
            leaf = found.leaf
            index = found.index
        }

        func next(_ keys: PackedBytes, _ values: PackedBytes, countMax: Int, byteCountMax: Int) throws(MillstreamError) -> Bool {
            keys.removeAll()
            values.removeAll()
            while leaf < leaves.count, keys.count < max(1, countMax), keys.byteCount + values.byteCount < max(1, byteCountMax) {
                guard index < leaves[leaf].count else {
                    leaf += 1
                    index = 0
                    continue
                }
                let entry = leaves[leaf][index]
                if let upper, !entry.key.lexicographicallyPrecedes(upper) {
                    leaf = leaves.count
                    break
                }
                keys.append(entry.key)
                values.append(entry.value)
                index += 1
            }
            return keys.count > 0
        }
    }

    // MARK: Files

    /// Keys without a whole group have one of their own.
    private static func group(_ key: UnsafeRawBufferPointer) -> Int { key.count < 2 ? -1 : Int(key[0]) << 8 | Int(key[1]) }

    /// A file per key group, written anew where the group has changed, and one that belongs to the checkpoint alone.
    public func files() throws(MillstreamError) -> any StoreFiles {
        var groups: [Int: [UInt8]] = [:]
        for leaf in leaves {
            for entry in leaf {
                let group = entry.key.withUnsafeBytes { Self.group($0) }
                if changedGroups.contains(group) { Self.append(entry, to: &groups[group, default: []]) }
            }
        }
        for group in changedGroups.sorted() {
            guard let bytes = groups[group] else {
                groupFiles[group] = nil
                continue
            }
            groupFiles[group] = (StoreFile(name: "\(nextFileNumber).run", byteCount: Int64(bytes.count), isShared: true), bytes)
            nextFileNumber += 1
        }
        changedGroups = []
        var all = groupFiles.sorted { $0.key < $1.key }.map(\.value)
        var index: [UInt8] = []
        for (file, _) in all { index += Array(file.name.utf8) + [10] }
        all.append((StoreFile(name: "INDEX", byteCount: Int64(index.count), isShared: false), index))
        return MemoryFiles(storeID: id, all)
    }

    private static func append(_ entry: Entry, to bytes: inout [UInt8]) {
        for string in [entry.key, entry.value] {
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: string.count).littleEndian) { bytes.append(contentsOf: $0) }
            bytes += string
        }
    }

    private final class MemoryFiles: StoreFiles {
        let storeID: UInt64
        private let files: [StoreFile]
        private let contents: Guarded<[[UInt8]]>

        init(storeID: UInt64, _ all: [(file: StoreFile, bytes: [UInt8])]) {
            self.storeID = storeID
            files = all.map(\.file)
            contents = Guarded(all.map(\.bytes))
        }

        func list() -> [StoreFile] { files }

        func read(_ file: StoreFile, _ body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Void) throws(MillstreamError) {
            let contents = contents.withLock { $0 }
            guard let index = files.firstIndex(of: file), index < contents.count else { throw .internal("the file '\(file.name)' was released") }
            try contents[index].withBytes { (bytes) throws(MillstreamError) in try body(bytes) }
        }

        func release() { contents.withLock { $0 = [] } }
    }

    // MARK: Restoring

    fileprivate func add(_ stored: any StoredStore, _ place: StorePlace) throws(MillstreamError) {
        for file in stored.files {
            var bytes: [UInt8] = []
            try stored.read(file) { (piece) throws(MillstreamError) in bytes.append(contentsOf: piece) }
            // Read for its checksum alone: all files are named by the checkpoint.
            guard file.isShared else { continue }
            try add(bytes, place, stored.location(file))
            // Where all of the file's group is the subtask's, the file is the group's.
            if let first = bytes.withUnsafeBytes({ all in all.count >= 6 ? Self.group(UnsafeRawBufferPointer(rebasing: all[4...])) : nil }), place.keyGroups.contains(first) {
                let number = file.name.split(separator: ".").first.flatMap { Int($0) } ?? 0
                guard stored.subtask == place.subtask else {
                    changedGroups.insert(first)
                    continue
                }
                nextFileNumber = max(nextFileNumber, number + 1)
                groupFiles[first] = (StoreFile(name: file.name, byteCount: file.byteCount, isShared: true, stored: file), bytes)
            }
        }
    }

    private func add(_ bytes: [UInt8], _ place: StorePlace, _ location: String) throws(MillstreamError) {
        var rest = bytes[...]
        func string() throws(MillstreamError) -> ArraySlice<UInt8> {
            guard rest.count >= 4 else { throw MillstreamError(.decode, "'\(location)' is no file of a store in memory", domain: .external) }
            let count = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            guard rest.count - 4 >= count else { throw MillstreamError(.decode, "'\(location)' is no file of a store in memory", domain: .external) }
            defer { rest = rest.dropFirst(4 + count) }
            return rest.dropFirst(4).prefix(count)
        }
        while !rest.isEmpty {
            let key = try string()
            let value = try string()
            key.withUnsafeBytes { key in
                guard place.keyGroups.contains(Self.group(key)) else { return }
                put(key, Array(value), Self.place(of: key, in: leaves))
            }
        }
    }
}

/// Stores in memory.
public final class MemoryStores: StateStores {
    public init() {}

    public func open(_ place: StorePlace, from earlier: [any StoredStore]) throws(MillstreamError) -> any StateStore {
        let store = MemoryStore()
        for stored in earlier { try store.add(stored, place) }
        return store
    }
}

/// Tells the stores of a process apart.
enum StoreNumbers {
    private static let last = Atomic<UInt64>(0)
    static func next() -> UInt64 { last.add(1, ordering: .relaxed).newValue }
}
