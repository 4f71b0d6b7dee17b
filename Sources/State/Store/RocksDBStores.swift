import CRocksDB
import Columnar
import Dataflow
import Glibc
import Synchronization

/// What all RocksDB stores of the process share. Lives as long as the process: an empty cache takes next to nothing.
final class RocksDBMemory: @unchecked Sendable {
    let functions: UnsafePointer<rocks_functions>
    let memory: OpaquePointer
    /// The limits that jobs ask for now, with their ratios.
    private let claims = Guarded<[(byteCount: Int64, ratio: Double)]>([])

    private static let shared = Guarded<RocksDBMemory?>(nil)

    static func of(_ settings: RocksDBSettings) throws(MillstreamError) -> RocksDBMemory {
        try shared.withLock { shared throws(MillstreamError) in
            if let shared { return shared }
            let made = try RocksDBMemory(settings)
            shared = made
            return made
        }
    }

    private init(_ settings: RocksDBSettings) throws(MillstreamError) {
        functions = try RocksDBLibrary.functions()
        var options = rocks_memory_options()
        options.byte_count = UInt64(clamping: settings.memoryByteCount)
        options.write_buffer_ratio = settings.writeBufferRatio
        options.high_priority_ratio = settings.highPriorityRatio
        options.background_threads = Int32(clamping: settings.backgroundThreads)
        var error = rocks_error()
        guard let memory = functions.pointee.memory_create(&options, &error) else { throw RocksDBLibrary.failure("memory", error) }
        self.memory = memory
    }

    func claim(_ settings: RocksDBSettings) {
        claims.withLock { claims in
            claims.append((settings.memoryByteCount, settings.writeBufferRatio))
            resize(claims)
        }
    }

    func endClaim(_ settings: RocksDBSettings) {
        claims.withLock { claims in
            if let index = claims.firstIndex(where: { $0 == (settings.memoryByteCount, settings.writeBufferRatio) }) { claims.remove(at: index) }
            resize(claims)
        }
    }

    private func resize(_ claims: [(byteCount: Int64, ratio: Double)]) {
        guard let largest = claims.max(by: { $0.byteCount < $1.byteCount }) else { return }
        functions.pointee.memory_resize(memory, UInt64(clamping: largest.byteCount), largest.ratio)
    }

    var usedByteCount: Int64 { Int64(clamping: functions.pointee.memory_used(memory)) }
}

/// Stores in RocksDB. One object for each job: while it lives, its memory limit counts.
public final class RocksDBStores: StateStores {
    public let settings: RocksDBSettings
    private let memory: RocksDBMemory
    private let nextDirectory = Atomic<Int>(0)

    /// Throws `configuration` for settings that cannot be, and `unsupported` where RocksDB is not installed.
    public init(_ settings: RocksDBSettings = RocksDBSettings()) throws(MillstreamError) {
        guard settings.memoryByteCount >= Self.memoryByteCountMin else {
            throw MillstreamError(
                .configuration, "RocksDB cannot do with \(settings.memoryByteCount) bytes of memory",
                hint: "Set state.backend.rocksdb.memory.managed's size to 8 MB or more.")
        }
        guard settings.writeBufferRatio > 0, settings.writeBufferRatio <= 1, settings.highPriorityRatio >= 0, settings.highPriorityRatio <= 1 else {
            throw MillstreamError(.configuration, "the parts of RocksDB's memory are not between 0 and 1")
        }
        guard settings.backgroundThreads >= 1, settings.writeBufferCount >= 1, settings.writeBufferByteCount >= 1 << 16, settings.blockByteCount >= 1 << 9,
            settings.blockByteCount <= 1 << 24, settings.fileByteCount >= 1 << 20, settings.levelBaseByteCount >= 1 << 20, settings.filterBitsPerKey >= 0
        else { throw MillstreamError(.configuration, "a size or number of RocksDB's is too small: \(settings)") }
        self.settings = settings
        memory = try RocksDBMemory.of(settings)
        memory.claim(settings)
    }

    deinit { memory.endClaim(settings) }

    private static let memoryByteCountMin: Int64 = 8 << 20

    /// What the caches and write buffers of all stores of the process take now.
    public var usedByteCount: Int64 { memory.usedByteCount }

    private func localDirectory() throws(MillstreamError) -> LocalDirectory {
        let bases = settings.localDirectories.isEmpty ? [Self.temporaryDirectory] : settings.localDirectories
        let number = nextDirectory.add(1, ordering: .relaxed).oldValue
        return try LocalDirectory.below(bases[number % bases.count])
    }

    private static var temporaryDirectory: String {
        guard let text = getenv("TMPDIR") else { return "/tmp" }
        let path = String(cString: text)
        return path.hasPrefix("/") ? path : "/tmp"
    }

    public func open(_ place: StorePlace, from earlier: [any StoredStore]) throws(MillstreamError) -> any StateStore {
        let directory = try localDirectory()
        let relevant = earlier.filter { $0.keyGroups.overlaps(place.keyGroups) }
        guard let base = relevant.indices.max(by: { Self.weight(relevant[$0], place) < Self.weight(relevant[$1], place) }) else {
            return RocksDBStore(try open(in: directory, from: nil), origins: [:])
        }
        var origins: [String: StoredFile] = [:]
        for file in relevant[base].files where file.isShared { origins[file.name] = file }
        let store = RocksDBStore(try open(in: directory, from: relevant[base]), origins: origins)
        if relevant[base].keyGroups.lowerBound < place.keyGroups.lowerBound {
            try store.dropRange(KeyRange(lower: [], upper: StoreKey.prefix(place.keyGroups.lowerBound)))
        }
        if relevant[base].keyGroups.upperBound > place.keyGroups.upperBound {
            try store.dropRange(KeyRange(lower: StoreKey.prefix(place.keyGroups.upperBound)))
        }
        for (number, other) in relevant.enumerated() where number != base {
            // Gone, with its directory, behind its last entry.
            let handle = try open(in: directory, from: other)
            try store.ingest(try handle.cursor(KeyRange(keyGroups: place.keyGroups.clamped(to: other.keyGroups)), snapshot: nil, once: true), number: number)
        }
        return store
    }

    /// How much of a store is of use.
    private static func weight(_ stored: any StoredStore, _ place: StorePlace) -> Int64 {
        let byteCount = stored.files.reduce(Int64(0)) { $0.addingSaturating($1.byteCount) }
        let shared = stored.keyGroups.clamped(to: place.keyGroups).count
        return byteCount / Int64(max(1, stored.keyGroups.count)) * Int64(shared)
    }

    private func open(in directory: LocalDirectory, from stored: (any StoredStore)?) throws(MillstreamError) -> RocksDBHandle {
        let path = directory.newPath("store")
        do throws(MillstreamError) {
            let database = RocksDBHandle.databasePath(path)
            for made in [path, database] where mkdir(made, 0o700) != 0 { throw MillstreamError.system("make the directory", made, errno) }
            if let stored { try Self.fetch(stored, into: database) }
            return try RocksDBHandle(memory, settings, path: path, directory: directory)
        } catch {
            LocalDirectory.removeTree(path)
            throw error
        }
    }

    /// Links the files that never change, where they are on the same file system, and copies the others: RocksDB must not change a checkpoint's own.
    private static func fetch(_ stored: any StoredStore, into directory: String) throws(MillstreamError) {
        for file in stored.files {
            guard !file.name.isEmpty, !file.name.contains("/"), !file.name.contains("\0"), file.name != ".", file.name != ".." else {
                throw MillstreamError(.decode, "a store has a file with the name '\(file.name)'", domain: .external)
            }
            let target = "\(directory)/\(file.name)"
            if file.isShared, let path = stored.path(file), link(path, target) == 0 {
                try stored.read(file) { (_) throws(MillstreamError) in }
            } else {
                // Scratch, and not synced.
                let copy = try DiskStorage().create(target)
                defer { copy.close() }
                try stored.read(file) { (piece) throws(MillstreamError) in try copy.write(piece) }
            }
        }
    }
}
