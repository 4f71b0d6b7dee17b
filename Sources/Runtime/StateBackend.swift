import Columnar
import Connectors
import Dataflow
import Plan
import State
import Synchronization

/// The state backend of a job that keeps state in stores; there is none where it is kept in memory.
struct StateBackend {
    let stores: any StateStores
    let paging: StatePaging

    /// What keys may take of the memory; the rest is the stores' own.
    private static let cachePart = 2

    init?(_ configuration: StateBackendConfiguration, objects: (any ObjectCoding)?, warnings: (any TextOutput)?) throws(MillstreamError) {
        switch configuration.kind {
        case .hashMap: return nil
        case .rocksDB: stores = try RocksDBStores(RocksDBSettings(configuration, byteCount: configuration.memoryByteCount - configuration.memoryByteCount / Self.cachePart))
        case .sortedMemory: stores = MemoryStores()
        }
        // A simulation is the same however many others run beside it.
        let byteCountMax = configuration.memoryByteCount / Self.cachePart
        let memory = configuration.kind == .sortedMemory ? StateMemory(byteCountMax: byteCountMax) : .ofProcess(byteCountMax: byteCountMax)
        let warned = configuration.kind == .sortedMemory ? nil : Warnings(warnings ?? FileDescriptorOutput(2))
        paging = StatePaging(memory: memory, objects: objects, isIncremental: configuration.isIncremental, warn: { warned?.say($0) })
    }

    /// Each line once.
    private final class Warnings: Sendable {
        private let output: any TextOutput
        private let said = Guarded<[String]>([])

        init(_ output: any TextOutput) { self.output = output }

        func say(_ text: String) {
            let isNew = said.withLock { said in
                if said.contains(text) { return false }
                said.append(text)
                return true
            }
            guard isNew else { return }
            // A line that cannot be written is lost.
            do { try Array("millstream: \(text)\n".utf8).withBytes { (bytes) throws(MillstreamError) in try output.write(bytes) } } catch {}
        }
    }
}

extension RocksDBSettings {
    /// Below it RocksDB cannot do.
    private static let byteCountMin = 8 << 20

    /// `byteCount`: its part of the memory.
    init(_ configuration: StateBackendConfiguration, byteCount: Int) {
        self.init()
        let options = configuration.rocksDB
        memoryByteCount = Int64(max(byteCount, Self.byteCountMin))
        // Half of what write buffers may take: while one is written out the next one is filled.
        writeBufferByteCount = min(writeBufferByteCount, max(Int64(1) << 20, memoryByteCount * 3 / 8))
        localDirectories = options.localDirectories
        writeBufferRatio = options.writeBufferRatio ?? writeBufferRatio
        highPriorityRatio = options.highPriorityRatio ?? highPriorityRatio
        backgroundThreads = options.threads ?? backgroundThreads
        writeBufferByteCount = options.writeBufferByteCount ?? writeBufferByteCount
        writeBufferCount = options.writeBufferCount ?? writeBufferCount
        blockByteCount = options.blockByteCount ?? blockByteCount
        filterBitsPerKey = options.filterBitsPerKey ?? filterBitsPerKey
        fileByteCount = options.fileByteCount ?? fileByteCount
        levelBaseByteCount = options.levelBaseByteCount ?? levelBaseByteCount
        switch options.compression {
        case .lz4?: compression = .lz4
        case .zstd?: compression = .zstd
        case RocksDBOptions.Compression.none?: compression = Compression.none
        case nil: break
        }
    }

    private typealias RocksDBOptions = StateBackendConfiguration.RocksDBOptions
}
