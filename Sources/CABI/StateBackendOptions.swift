import Columnar
import Plan

/// Where state is, by Flink's keys.
extension StateBackendConfiguration {
    private static let memoryRange: ClosedRange<Int64> = 1 << 10 ... 1 << 44

    static let optionKeys =
        ["state.backend.type", "execution.checkpointing.incremental", "taskmanager.memory.managed.size"] + RocksDBOptions.names.map { "state.backend.rocksdb." + $0 }

    /// Throws `configuration` for a value of the wrong form; then nothing changes.
    mutating func set(_ option: Option) throws(MillstreamError) {
        switch option.key {
        case "state.backend.type": kind = [.hashMap, .rocksDB][try option.choice(["hashmap", "rocksdb"])]
        case "execution.checkpointing.incremental": isIncremental = try option.boolean()
        case "taskmanager.memory.managed.size", "state.backend.rocksdb.memory.fixed-per-slot", "state.backend.rocksdb.memory.fixed-per-tm":
            let byteCount = try option.byteCount()
            guard Self.memoryRange.contains(byteCount) else { throw option.refusal("1 kb to 16 tb") }
            memoryByteCount = Int(byteCount)
        default: try rocksDB.set(option)
        }
    }
}

extension StateBackendConfiguration.RocksDBOptions {
    private static let byteRange: ClosedRange<Int64> = 1 << 10 ... 1 << 40

    static let names = [
        "memory.fixed-per-slot", "memory.fixed-per-tm", "memory.write-buffer-ratio", "memory.high-prio-pool-ratio", "localdir", "predefined-options", "thread.num",
        "writebuffer.size", "writebuffer.count", "block.blocksize", "use-bloom-filter", "bloom-filter.bits-per-key", "compaction.level.target-file-size-base",
        "compaction.level.max-size-level-base", "compression.per.level",
    ]

    fileprivate mutating func set(_ option: Option) throws(MillstreamError) {
        switch option.key.dropFirst("state.backend.rocksdb.".count) {
        case "memory.write-buffer-ratio": writeBufferRatio = try option.number(0...1)
        case "memory.high-prio-pool-ratio": highPriorityRatio = try option.number(0...1)
        case "localdir":
            var paths: [String] = []
            for path in option.value.split(whereSeparator: { $0 == "," || $0 == ":" && !option.value.hasPrefix("file:") }) {
                paths.append(try directoryPath(String(path)) { option.refusal("absolute paths with commas between them") })
            }
            localDirectories = paths
        case "predefined-options": setPredefined(try option.choice(["DEFAULT", "SPINNING_DISK_OPTIMIZED", "SPINNING_DISK_OPTIMIZED_HIGH_MEM", "FLASH_SSD_OPTIMIZED"]))
        case "thread.num": threads = Int(try option.integer(1...1_024))
        case "writebuffer.size": writeBufferByteCount = try bytes(option)
        case "writebuffer.count": writeBufferCount = Int(try option.integer(1...1_024))
        case "block.blocksize": blockByteCount = try bytes(option)
        case "use-bloom-filter": filterBitsPerKey = try option.boolean() ? filterBitsPerKey ?? 10 : 0
        case "bloom-filter.bits-per-key": filterBitsPerKey = try option.number(0...64)
        case "compaction.level.target-file-size-base": fileByteCount = try bytes(option)
        case "compaction.level.max-size-level-base": levelBaseByteCount = try bytes(option)
        default:
            // One for each level, as Flink has it; the lower ones, where nearly all of the data is, decide.
            let last = option.value.split(separator: ";").last.map(String.init) ?? option.value
            let names = ["NO_COMPRESSION", "LZ4_COMPRESSION", "LZ4HC_COMPRESSION", "SNAPPY_COMPRESSION", "ZSTD"]
            // Typed, because `.none` of an optional is nil.
            let kinds: [Compression] = [.none, .lz4, .lz4, .lz4, .zstd]
            compression = kinds[try Option(option.key, last).choice(names)]
        }
    }

    private func bytes(_ option: Option) throws(MillstreamError) -> Int64 {
        let byteCount = try option.byteCount()
        guard Self.byteRange.contains(byteCount) else { throw option.refusal("1 kb to 1 tb") }
        return byteCount
    }

    /// What Flink's sets have of the options that there are here.
    private mutating func setPredefined(_ number: Int) {
        guard number > 0 else { return }
        threads = threads ?? 4
        guard number == 2 else { return }
        writeBufferCount = writeBufferCount ?? 4
        fileByteCount = fileByteCount ?? 256 << 20
        levelBaseByteCount = levelBaseByteCount ?? 1 << 30
        blockByteCount = blockByteCount ?? 128 << 10
        filterBitsPerKey = filterBitsPerKey ?? 10
    }
}
