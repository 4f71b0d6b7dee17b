import Columnar
import Dataflow
import Testing

/// What a store should hold: a dictionary, and drawn batches that go to both.
struct StoreModel {
    static let groupCount = 8

    struct Entry: Equatable {
        var key: [UInt8]
        var value: [UInt8]
    }

    let random: SeededRandom
    private var entries: [[UInt8]: [UInt8]] = [:]

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    func sorted(_ range: KeyRange) -> [Entry] {
        entries.filter { !$0.key.lexicographicallyPrecedes(range.lower) && range.upper.map($0.key.lexicographicallyPrecedes) ?? true }
            .map { Entry(key: $0.key, value: $0.value) }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }

    /// Few enough keys that many are met again.
    private func key() -> [UInt8] {
        var key = StoreKey.prefix(Int(random.next(below: UInt64(Self.groupCount))))
        for _ in 0..<random.next(below: 4) { key.append([0, 1, 0x7f, 0x80, 0xff][Int(random.next(below: 5))]) }
        if random.next(below: 4) == 0 { key += withUnsafeBytes(of: random.next(below: 500).bigEndian) { Array($0) } }
        return key
    }

    private func value() -> [UInt8] {
        let count = random.next(below: 40) == 0 ? 5_000 : random.next(below: 30)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    mutating func write(_ store: any StateStore) throws { try write([store]) }

    /// A batch to the stores of several subtasks.
    mutating func write(_ stores: [any StateStore]) throws {
        var batches = stores.map { _ in (keys: PackedBytes(), values: PackedBytes()) }
        for _ in 0..<random.next(below: 300) {
            let key = key()
            let subtask = KeyGroup.subtask(group: Int(key[0]) << 8 | Int(key[1]), parallelism: stores.count, maxParallelism: Self.groupCount)
            batches[subtask].keys.append(key)
            if random.next(below: 4) == 0 {
                batches[subtask].values.appendAbsent()
                entries[key] = nil
            } else {
                let value = value()
                batches[subtask].values.append(value)
                entries[key] = value
            }
        }
        for (store, batch) in zip(stores, batches) { try store.write(batch.keys, batch.values) }
        batches.removeAll()
    }

    mutating func compareGet(_ store: any StateStore) throws {
        let keys = PackedBytes()
        var expected: [[UInt8]?] = []
        // More than are read together, now and then.
        for _ in 0..<random.next(below: random.next(below: 8) == 0 ? 1_500 : 100) {
            let key = key()
            keys.append(key)
            expected.append(entries[key])
        }
        let values = PackedBytes()
        // What was there before goes.
        values.append([1, 2, 3])
        try store.get(keys, into: values)
        #expect((0..<values.count).map { values.array($0) } == expected)
    }

    private func range() -> KeyRange {
        switch random.next(below: 5) {
        case 0: return KeyRange(prefix: StoreKey.prefix(Int(random.next(below: UInt64(Self.groupCount)))))
        case 1: return KeyRange(lower: key())
        case 2: return KeyRange(lower: [], upper: key())
        default:
            let ends = [key(), key()].sorted { $0.lexicographicallyPrecedes($1) }
            return KeyRange(lower: ends[0], upper: ends[1])
        }
    }

    mutating func deleteRange(_ store: any StateStore) throws {
        let range = range()
        // Most of the state should stay.
        guard sorted(range).count * 4 < max(4, entries.count) else { return }
        try store.deleteRange(range)
        for entry in sorted(range) { entries[entry.key] = nil }
    }

    mutating func compareScan(_ store: any StateStore) throws {
        let range = range()
        let cursor = try store.scan(range)
        let expected = sorted(range)
        // What is written behind the scan's beginning is not in it.
        try write(store)
        #expect(try Self.all(cursor, countMax: 1 + Int(random.next(below: 50))) == expected)
    }

    static func all(_ cursor: any StoreCursor, countMax: Int = 100) throws -> [Entry] {
        let keys = PackedBytes()
        let values = PackedBytes()
        var result: [Entry] = []
        while try cursor.next(keys, values, countMax: countMax, byteCountMax: 1 << 16) {
            #expect(keys.count <= countMax && keys.count == values.count)
            for index in 0..<keys.count { result.append(Entry(key: Array(keys[index]), value: Array(values[index]))) }
        }
        #expect(keys.count == 0)
        return result
    }
}

/// A store in a checkpoint that is held in memory.
final class HeldStore: StoredStore, @unchecked Sendable {
    let subtask: SubtaskIndex
    let keyGroups: Range<Int>
    private(set) var files: [StoredFile] = []
    private var contents: [String: [UInt8]] = [:]

    init(_ store: any StoreFiles, _ place: StorePlace) throws {
        subtask = place.subtask
        keyGroups = place.keyGroups
        for file in try store.list() {
            var bytes: [UInt8] = []
            do { try store.read(file) { (piece) throws(MillstreamError) in bytes.append(contentsOf: piece) } } catch { Issue.record(error) }
            var checksum = StoreChecksum()
            bytes.withUnsafeBytes { checksum.add($0) }
            #expect(checksum.byteCount == file.byteCount)
            files.append(StoredFile(name: file.name, object: object(file.name), isShared: file.isShared, byteCount: file.byteCount, checksum: checksum.finish()))
            contents[file.name] = bytes
        }
    }

    func object(_ name: String) -> String { "shared/\(subtask.value)-\(name)" }
    func location(_ file: StoredFile) -> String { "held:" + file.object }
    func path(_ file: StoredFile) -> String? { nil }
    func flip(_ name: String, _ place: Int) { contents[name]?[place] ^= 0x10 }

    func read(_ file: StoredFile, _ body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Void) throws(MillstreamError) {
        let bytes = contents[file.name] ?? []
        var checksum = StoreChecksum()
        do {
            try bytes.withUnsafeBytes { all in
                checksum.add(all)
                try body(all)
            }
        } catch let error as MillstreamError { throw error } catch {}
        guard checksum.finish() == file.checksum else { throw MillstreamError(.decode, "'\(location(file))' is damaged", domain: .external) }
    }
}
