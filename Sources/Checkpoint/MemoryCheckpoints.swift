import Columnar
import Dataflow
import Synchronization

/// Checkpoints of a job that names no directory: they serve its restarts, and go with the process.
public final class MemoryCheckpoints: CheckpointStorage {
    private let objects = Guarded<[String: [UInt8]]>([:])

    public init() {}

    public func begin(_ name: String) throws(MillstreamError) -> any CheckpointObject { MemoryObject(self, name) }

    public func read(_ name: String) throws(MillstreamError) -> [UInt8] {
        guard let bytes = objects.withLock({ $0[name] }) else { throw MillstreamError.system("read", location(name), 2) }
        return bytes
    }

    public func read(_ name: String, _ range: Range<Int64>) throws(MillstreamError) -> Buffer {
        try read(name).withBytes { (bytes) throws(MillstreamError) in try copyRange(range, of: bytes, location(name)) }
    }

    public func byteCount(_ name: String) throws(MillstreamError) -> Int64 { Int64(try read(name).count) }

    public func exists(_ name: String) -> Bool { objects.withLock { $0[name] != nil } }

    public func list(_ prefix: String) throws(MillstreamError) -> [String] {
        let start = prefix.isEmpty ? "" : prefix + "/"
        var names = Set<String>()
        for name in objects.withLock({ Array($0.keys) }) where name.hasPrefix(start) {
            names.insert(String(name.dropFirst(start.count).prefix { $0 != "/" }))
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    public func delete(_ name: String) throws(MillstreamError) { objects.withLock { _ = $0.removeValue(forKey: name) } }
    public func deleteGroup(_ prefix: String) throws(MillstreamError) {
        objects.withLock { objects in
            for name in objects.keys.filter({ $0.hasPrefix(prefix + "/") }) { objects.removeValue(forKey: name) }
        }
    }

    public func location(_ name: String) -> String { "memory:" + name }

    fileprivate func put(_ name: String, _ bytes: [UInt8]) { objects.withLock { $0[name] = bytes } }
}

private final class MemoryObject: CheckpointObject {
    private let storage: MemoryCheckpoints
    private let name: String
    private var bytes: [UInt8] = []

    init(_ storage: MemoryCheckpoints, _ name: String) {
        self.storage = storage
        self.name = name
    }

    var byteCount: Int64 { Int64(bytes.count) }
    func write(_ source: UnsafeRawBufferPointer) { bytes.append(contentsOf: source) }
    func commit() { storage.put(name, bytes) }
    func abandon() { bytes = [] }
}
