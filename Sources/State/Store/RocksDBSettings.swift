/// How RocksDB stores are kept. The names are those of Flink's options below `state.backend.rocksdb.`.
public struct RocksDBSettings: Hashable, Sendable {
    public enum Compression: Int32, Hashable, Sendable { case none = 0, lz4 = 1, zstd = 2 }

    /// `memory.managed`, `memory.fixed-per-slot`: for the caches and write buffers of all stores of the process together, in bytes. Where jobs ask for different
    /// limits, the largest of those that run counts.
    public var memoryByteCount: Int64 = 512 << 20
    /// `memory.write-buffer-ratio`: the part of it that write buffers may take. More than Flink's 0.5: blocks that are read for some keys are not kept, and the larger the
    /// buffers are the less often the files below them are written anew.
    public var writeBufferRatio = 0.75
    /// `memory.high-prio-pool-ratio`: the part of it that filters and indices have before blocks of data. More than Flink's 0.1: what they leave, blocks have, and a filter
    /// that is not there is read as a whole for a few keys.
    public var highPriorityRatio = 0.5
    /// `thread.num`: for the compactions of all stores of the process.
    public var backgroundThreads = 2
    /// `localdir`: where stores lie while a job runs; empty: the system's directory for temporary files. Stores are dealt out over them.
    public var localDirectories: [String] = []
    /// `writebuffer.size`, `writebuffer.count`.
    public var writeBufferByteCount: Int64 = 64 << 20
    public var writeBufferCount = 3
    /// `block.blocksize`
    public var blockByteCount: Int64 = 4 << 10
    /// `bloom-filter.bits-per-key`; 0: no filters.
    public var filterBitsPerKey = 10.0
    /// Filters of the lowest level help where many keys that are asked for are not there.
    public var hasFilterAtLastLevel = false
    /// Of the levels below the second.
    public var compression = Compression.none
    /// `compaction.level.target-file-size-base`
    public var fileByteCount: Int64 = 64 << 20
    /// `compaction.level.max-size-level-base`
    public var levelBaseByteCount: Int64 = 256 << 20

    public init() {}
}
