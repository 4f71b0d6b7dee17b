import Columnar
import Dataflow
import Glibc
import State
import Testing

private func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Prints what the RocksDB store alone does: rows read, changed and written back; what a second checkpoint copies; how long a restore takes. Few keys, unless
/// MILLSTREAM_STORE_KEYS says how many (10000000 for the figures in benchmarks/).
@Suite(.serialized) struct StoreThroughputTests {
    private static let batchRowCount = 4_096
    private static let keyCount = getenv("MILLSTREAM_STORE_KEYS").flatMap { Int(String(cString: $0)) } ?? 200_000

    /// Key group, hash, as the keys of an operator.
    private static func append(_ number: UInt64, to keys: PackedBytes) {
        let hash = StableHash.word(number, seed: 0)
        let group = KeyGroup.index(hash: hash, maxParallelism: 128)
        let target = keys.appendUninitialized(byteCount: 10)
        target.storeBytes(of: UInt16(truncatingIfNeeded: group).bigEndian, as: UInt16.self)
        target.storeBytes(of: hash.bigEndian, toByteOffset: 2, as: UInt64.self)
    }

    /// Increments the values of drawn keys.
    private static func change(_ store: any StateStore, rows: Int, _ random: SeededRandom) throws {
        let keys = PackedBytes()
        let values = PackedBytes()
        for _ in 0..<max(1, rows / batchRowCount) {
            keys.removeAll()
            for _ in 0..<batchRowCount { append(random.next(below: UInt64(keyCount)), to: keys) }
            try store.get(keys, into: values)
            for index in 0..<values.count {
                let place = values.bytes + values.start(index)
                place.storeBytes(of: place.loadUnaligned(as: Int64.self) &+ 1, as: Int64.self)
            }
            try store.write(keys, values)
        }
    }

    @Test func figures() throws {
        let stores = try RocksDBStores()
        let place = StorePlace(jobID: "j", operatorID: OperatorID("o"), subtask: SubtaskIndex(0), name: "keyed", keyGroups: 0..<128)
        let store = try stores.open(place)
        let random = SeededRandom(seed: 1)
        let keys = PackedBytes()
        let values = PackedBytes()
        for start in stride(from: 0, to: Self.keyCount, by: Self.batchRowCount) {
            keys.removeAll()
            values.removeAll()
            for number in start..<min(Self.keyCount, start + Self.batchRowCount) {
                Self.append(UInt64(number), to: keys)
                values.appendUninitialized(byteCount: 8).storeBytes(of: 0, as: Int64.self)
            }
            try store.write(keys, values)
        }
        let rows = max(Self.batchRowCount * 16, Self.keyCount / 8)
        try Self.change(store, rows: rows, random)
        let (own, all, wall) = (seconds(CLOCK_THREAD_CPUTIME_ID), seconds(CLOCK_PROCESS_CPUTIME_ID), seconds(CLOCK_MONOTONIC))
        try Self.change(store, rows: rows, random)
        print(
            "RocksDB store, \(Self.keyCount) keys, uniform: \(Int(Double(rows) / (seconds(CLOCK_THREAD_CPUTIME_ID) - own) / 1e3))",
            "k rows/s of the thread's time, \(Int(Double(rows) / (seconds(CLOCK_PROCESS_CPUTIME_ID) - all) / 1e3)) k of the process's,",
            "\(Int(Double(rows) / (seconds(CLOCK_MONOTONIC) - wall) / 1e3)) k by the clock")

        let first = try store.files()
        try Self.change(store, rows: Self.keyCount / 100, random)
        let start = seconds(CLOCK_MONOTONIC)
        let second = try store.files()
        let still = seconds(CLOCK_MONOTONIC) - start
        let known = Set(try first.list().map(\.name))
        let after = try second.list()
        let whole = seconds(CLOCK_MONOTONIC) - start
        let total = after.reduce(0) { $0 + $1.byteCount }
        let new = after.filter { !known.contains($0.name) || !$0.isShared }.reduce(0) { $0 + $1.byteCount }
        print("second checkpoint, 1 % changed: \(new >> 10) of \(total >> 10) KiB copied; \(Int(still * 1e3)) ms at the barrier, \(Int(whole * 1e3)) ms until the files are there")
        #expect(new * 4 < total || total < 8 << 20)

        let stored = LinkedStore(second, place)
        let restoring = seconds(CLOCK_MONOTONIC)
        let restored = try stores.open(place, from: [stored])
        print("restore of \(total >> 20) MiB: \(Int((seconds(CLOCK_MONOTONIC) - restoring) * 1e3)) ms")
        keys.removeAll()
        Self.append(0, to: keys)
        try restored.get(keys, into: values)
        #expect(values.count == 1 && !values.isAbsent(0))
        first.release()
        store.close()
        restored.close()
        stored.removeAll()
    }
}

/// Copies of a store's files in a directory, as a checkpoint has them.
private final class LinkedStore: StoredStore, @unchecked Sendable {
    let subtask: SubtaskIndex
    let keyGroups: Range<Int>
    private(set) var files: [StoredFile] = []
    private let directory: String
    private let disk = DiskStorage()

    init(_ store: any StoreFiles, _ place: StorePlace) {
        subtask = place.subtask
        keyGroups = place.keyGroups
        directory = "/tmp/millstream-linked-store-\(getpid())"
        do {
            try disk.makeDirectories(directory)
            for file in try store.list() {
                let copy = try disk.create("\(directory)/\(file.name)")
                var checksum = StoreChecksum()
                try store.read(file) { (piece) throws(MillstreamError) in
                    checksum.add(piece)
                    try copy.write(piece)
                }
                copy.close()
                files.append(StoredFile(name: file.name, object: file.name, isShared: file.isShared, byteCount: file.byteCount, checksum: checksum.finish()))
            }
        } catch { Issue.record(error) }
        store.release()
    }

    func removeAll() {
        for file in files { unlink("\(directory)/\(file.name)") }
        rmdir(directory)
    }

    func location(_ file: StoredFile) -> String { "\(directory)/\(file.object)" }
    func path(_ file: StoredFile) -> String? { location(file) }

    func read(_ file: StoredFile, _ body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Void) throws(MillstreamError) {
        var checksum = StoreChecksum()
        try disk.read(location(file)) { (piece) throws(MillstreamError) in
            checksum.add(piece)
            try body(piece)
        }
        guard checksum.finish() == file.checksum else { throw MillstreamError(.decode, "'\(location(file))' is damaged", domain: .external) }
    }
}
