import Columnar
#if canImport(Glibc)
    import Glibc
#endif
import Synchronization

/// A disk in memory that can fail at any call, and that loses in a crash what was not synced.
///
/// Model: bytes are safe after `sync`, a name is safe after the first `sync` of its file, or a `rename` in its directory. What
/// is not safe may be there after a crash, in part or not at all; a seed decides. Operations that change something are numbered from 0 on.
public final class SimulatedStorage: Storage {
    public enum Fault: Sendable {
        /// EIO; a write may have stored some of its bytes.
        case inputOutput
        /// ENOSPC; the same.
        case noSpace
        /// The machine stops: this call may or may not have had its effect, and every later one fails until `restart`.
        case crash
    }

    fileprivate final class Content {
        var bytes: [UInt8] = []
        var syncedCount = 0
    }

    fileprivate struct State: ~Copyable {
        var entries: [String: Content] = [:]
        var safeEntries: [String: Content] = [:]
        /// For each directory the names in it that may not be safe yet.
        var touched: [String: Set<String>] = [:]
        var directories: Set<String> = ["/"]
        var operationCount = 0
        var generation = 0
        var isDown = false
        var fault: (operation: Int, fault: Fault, isPermanent: Bool)?
        var random: SeededRandom

        init(seed: UInt64) { random = SeededRandom(seed: seed) }

        mutating func touch(_ path: String) { touched[parent(path), default: []].insert(path) }
    }

    private let state: Guarded<State>

    public init(seed: UInt64 = 1) { state = Guarded(State(seed: seed)) }

    /// Whether the machine has stopped, and `restart` is due.
    public var isDown: Bool { state.withLock { $0.isDown } }

    /// How many operations that change something have been asked for so far.
    public var operationCount: Int { state.withLock { $0.operationCount } }

    /// Makes the operation with this number fail; with `isPermanent` all later ones too.
    public func fail(at operation: Int, with fault: Fault, isPermanent: Bool = false) {
        state.withLock { $0.fault = (operation, fault, isPermanent) }
    }

    /// The machine comes up again after a crash: files hold what was synced, and perhaps more of what was not. Open files are gone.
    public func restart() {
        state.withLock { state in
            state.isDown = false
            state.fault = nil
            state.generation += 1
            // In the order of the paths, so that the same seed gives the same losses.
            for (path, content) in sorted(state.entries) where state.safeEntries[path] !== content {
                if state.random.next(below: 2) == 0 { state.safeEntries[path] = content }
            }
            state.entries = state.safeEntries
            state.touched = [:]
            for (_, content) in sorted(state.entries) {
                let unsynced = content.bytes.count - content.syncedCount
                let kept = content.syncedCount + Int(state.random.next(below: UInt64(unsynced) + 1))
                content.bytes.removeLast(content.bytes.count - kept)
                content.syncedCount = kept
            }
        }
    }

    /// The files there are now, in the order of their paths.
    public var paths: [String] { state.withLock { sorted($0.entries).map(\.0) } }

    private func sorted(_ entries: [String: Content]) -> [(String, Content)] {
        entries.map { ($0.key, $0.value) }.sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
    }

    public func makeDirectories(_ path: String) throws(MillstreamError) {
        try change("make the directory", path) { state in
            var made = ""
            for part in path.split(separator: "/") {
                made += "/" + part
                if state.entries[made] != nil { return ENOTDIR }
                state.directories.insert(made)
            }
            return nil
        }
    }

    public func create(_ path: String) throws(MillstreamError) -> any StorageFile {
        let content = Content()
        let generation = try change("create", path) { state in
            guard state.directories.contains(parent(path)) else { return ENOENT }
            if state.directories.contains(path) { return EISDIR }
            state.entries[path] = content
            state.touch(path)
            return nil
        }
        return SimulatedFile(self, path, content, generation)
    }

    public func reopen(_ path: String, truncatedTo byteCount: Int64) throws(MillstreamError) -> any StorageFile {
        let found = SendableBox()
        let generation = try change("open", path) { state in
            guard let content = state.entries[path] else { return ENOENT }
            guard content.bytes.count >= Int(byteCount) else { return EINVAL }
            content.bytes.removeLast(content.bytes.count - Int(byteCount))
            content.syncedCount = min(content.syncedCount, Int(byteCount))
            found.content = content
            return nil
        }
        guard let content = found.content else { throw MillstreamError.system("open", path, ENOENT) }
        return SimulatedFile(self, path, content, generation)
    }

    public func read(_ path: String) throws(MillstreamError) -> [UInt8] {
        guard let bytes = state.withLock({ $0.isDown ? nil : $0.entries[path]?.bytes }) else { throw MillstreamError.system("open", path, ENOENT) }
        return bytes
    }

    public func exists(_ path: String) -> Bool {
        state.withLock { $0.entries[path] != nil || $0.directories.contains(path) }
    }

    public func rename(_ from: String, to: String) throws(MillstreamError) {
        try change("rename to '\(to)'", from) { state in
            guard let content = state.entries.removeValue(forKey: from) else { return ENOENT }
            guard state.directories.contains(parent(to)) else {
                state.entries[from] = content
                return ENOENT
            }
            state.entries[to] = content
            state.touch(from)
            state.touch(to)
            for directory in [parent(from), parent(to)] { syncDirectory(directory, &state) }
            return nil
        }
    }

    public func remove(_ path: String) throws(MillstreamError) {
        try change("remove", path) { state in
            guard state.directories.contains(path) else {
                state.touch(path)
                return state.entries.removeValue(forKey: path) == nil ? ENOENT : nil
            }
            let inside = path + "/"
            if state.entries.keys.contains(where: { $0.hasPrefix(inside) }) || state.directories.contains(where: { $0.hasPrefix(inside) }) {
                return ENOTEMPTY
            }
            state.directories.remove(path)
            return nil
        }
    }

    public func list(_ directory: String) throws(MillstreamError) -> [String] {
        let names: [String]? = state.withLock { state in
            guard state.directories.contains(directory) else { return nil }
            let prefix = directory == "/" ? "/" : directory + "/"
            let inner = Array(state.entries.keys) + state.directories.filter { $0 != directory }
            return inner.filter { $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).contains("/") }.map { String($0.dropFirst(prefix.count)) }
        }
        guard let names else { throw MillstreamError.system("list", directory, ENOENT) }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private func syncDirectory(_ directory: String, _ state: inout State) {
        for path in state.touched.removeValue(forKey: directory) ?? [] { state.safeEntries[path] = state.entries[path] }
    }

    /// One numbered operation; `body` returns an errno, or nil where it went well. Gives back the generation of open files.
    @discardableResult
    fileprivate func change(
        _ action: String, _ path: String, _ body: (inout State) -> Int32?
    ) throws(MillstreamError) -> Int {
        let (number, generation): (Int32?, Int) = state.withLock { state in
            guard !state.isDown else { return (EIO, 0) }
            defer { state.operationCount += 1 }
            guard let fault = state.fault, state.operationCount == fault.operation || (fault.isPermanent && state.operationCount > fault.operation)
            else { return (body(&state), state.generation) }
            switch fault.fault {
            case .inputOutput: return (EIO, 0)
            case .noSpace: return (ENOSPC, 0)
            case .crash:
                if state.random.next(below: 2) == 0 { _ = body(&state) }
                state.isDown = true
                return (EIO, 0)
            }
        }
        if let number { throw MillstreamError.system(action, path, number) }
        return generation
    }

    fileprivate func isCurrent(_ generation: Int) -> Bool { state.withLock { !$0.isDown && $0.generation == generation } }

    /// Keeps some of the bytes of a write that failed, as a disk may.
    fileprivate func tear(_ bytes: [UInt8], _ content: Content) {
        state.withLock { state in
            content.bytes += bytes.prefix(Int(state.random.next(below: UInt64(bytes.count) + 1)))
        }
    }
}

private func parent(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
}

/// Carries a found file out of the lock.
private final class SendableBox {
    var content: SimulatedStorage.Content?
}

private final class SimulatedFile: StorageFile {
    private let storage: SimulatedStorage
    private let path: String
    private let content: SimulatedStorage.Content
    private let generation: Int
    private var hasFailed = false
    private(set) var byteCount: Int64

    init(_ storage: SimulatedStorage, _ path: String, _ content: SimulatedStorage.Content, _ generation: Int) {
        self.storage = storage
        self.path = path
        self.content = content
        self.generation = generation
        byteCount = Int64(content.bytes.count)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(MillstreamError) {
        try checkUsable()
        let copy = Array(bytes)
        let content = content
        do throws(MillstreamError) {
            try storage.change("write to", path) { _ in
                content.bytes += copy
                return nil
            }
            byteCount += Int64(copy.count)
        } catch {
            hasFailed = true
            if storage.isCurrent(generation) { storage.tear(copy, content) }
            throw error
        }
    }

    func sync() throws(MillstreamError) {
        try checkUsable()
        let content = content
        do throws(MillstreamError) {
            try storage.change("sync", path) { state in
                content.syncedCount = content.bytes.count
                if state.entries[path] === content { state.safeEntries[path] = content }
                return nil
            }
        } catch {
            hasFailed = true
            throw error
        }
    }

    private func checkUsable() throws(MillstreamError) {
        guard storage.isCurrent(generation), !hasFailed else {
            throw MillstreamError(.io, "'\(path)' failed before; what it holds is not known", domain: .external)
        }
    }

    func close() {}
}
