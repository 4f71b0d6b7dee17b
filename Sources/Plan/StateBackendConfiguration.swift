/// Where the state of keys is. Flink's backends.
public struct StateBackendConfiguration: Hashable, Sendable {
    public enum Kind: Int32, Sendable {
        /// In memory, as columns.
        case hashMap = 0
        /// In RocksDB on the local disk, with the keys that were met lately in memory.
        case rocksDB = 1
        /// As with RocksDB, over a sorted store in memory: for simulations, which have no disk.
        case sortedMemory = 2
    }

    public static let memoryByteCountDefault = 1 << 30

    public var kind = Kind.hashMap
    /// Whether a checkpoint has only what has changed since the one before; of RocksDB alone.
    public var isIncremental = false
    /// The memory of all states of the process, in bytes: half of it for keys, the other half RocksDB's own.
    public var memoryByteCount = memoryByteCountDefault
    public var rocksDB = RocksDBOptions()

    /// RocksDB's own options, by Flink's names below `state.backend.rocksdb.`; nil: as Millstream sets them.
    public struct RocksDBOptions: Hashable, Sendable {
        public enum Compression: Int32, Sendable { case none = 0, lz4 = 1, zstd = 2 }

        /// `localdir`: absolute paths in which it has its files, one per subtask in turn; none: the system's directory of temporary files.
        public var localDirectories: [String] = []
        public var writeBufferRatio: Double?
        public var highPriorityRatio: Double?
        public var threads: Int?
        public var writeBufferByteCount: Int64?
        public var writeBufferCount: Int?
        public var blockByteCount: Int64?
        public var filterBitsPerKey: Double?
        public var fileByteCount: Int64?
        public var levelBaseByteCount: Int64?
        public var compression: Compression?

        public init() {}
    }

    public init() {}
}
