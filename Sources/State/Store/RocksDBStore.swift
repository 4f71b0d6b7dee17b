import CRocksDB
import Columnar
import Dataflow
import Glibc
import Synchronization

/// An open RocksDB and its directory; both go when nobody uses them any more.
final class RocksDBHandle: @unchecked Sendable {
    let functions: UnsafePointer<rocks_functions>
    let store: OpaquePointer
    let path: String
    /// Holds the process's directory.
    private let directory: LocalDirectory
    /// RocksDB's own directory: what is made beside it may be deleted as a whole.
    static func databasePath(_ path: String) -> String { path + "/db" }

    /// Opens what is in the directory, or makes it.
    init(_ memory: RocksDBMemory, _ settings: RocksDBSettings, path: String, directory: LocalDirectory) throws(MillstreamError) {
        functions = memory.functions
        self.path = path
        self.directory = directory
        var options = rocks_options()
        options.write_buffer_byte_count = UInt64(clamping: settings.writeBufferByteCount)
        options.write_buffer_count = Int32(clamping: settings.writeBufferCount)
        options.block_byte_count = UInt64(clamping: settings.blockByteCount)
        options.filter_bits_per_key = settings.filterBitsPerKey
        options.filter_at_last_level = settings.hasFilterAtLastLevel
        options.compression = settings.compression.rawValue
        options.file_byte_count = UInt64(clamping: settings.fileByteCount)
        options.level_base_byte_count = UInt64(clamping: settings.levelBaseByteCount)
        options.open_file_count_max = Self.openFileCountMax
        var error = rocks_error()
        guard let store = functions.pointee.open(memory.memory, Self.databasePath(path), &options, &error) else {
            throw RocksDBLibrary.failure(path, error)
        }
        self.store = store
    }

    deinit {
        functions.pointee.close(store)
        LocalDirectory.removeTree(path)
    }

    /// All files stay open, which is fastest, unless the process may have few of them.
    private static var openFileCountMax: Int32 {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < 4096 else { return -1 }
        return Int32(clamping: max(32, limit.rlim_cur / 8))
    }

    func cursor(_ range: KeyRange, snapshot: OpaquePointer?, once: Bool) throws(MillstreamError) -> RocksDBCursor {
        let made = range.lower.withUnsafeBytes { lower in
            Self.withUpper(range) { functions.pointee.cursor_create(store, snapshot, once, lower.baseAddress, lower.count, $0, $1) }
        }
        guard let made else { throw .internal("no cursor on '\(path)'") }
        return RocksDBCursor(self, made)
    }

    /// `body` gets the range's upper end, nil where it has none.
    static func withUpper<Result>(_ range: KeyRange, _ body: (UnsafeRawPointer?, Int) -> Result) -> Result {
        guard let upper = range.upper else { return body(nil, 0) }
        // An empty array has no address; the range is empty then.
        return upper.withUnsafeBytes { bytes in withUnsafePointer(to: 0 as UInt8) { body(bytes.baseAddress ?? UnsafeRawPointer($0), bytes.count) } }
    }
}

/// A store in RocksDB, without a log: after a crash its directory is worth nothing, and what counts is the last checkpoint.
public final class RocksDBStore: StateStore {
    private var handle: RocksDBHandle?
    private let path: String
    private let id = StoreNumbers.next()
    /// Files that are being made: nothing may be written before they are there.
    private var capture: RocksDBCapture?
    /// Files that a checkpoint has.
    private let origins: [String: StoredFile]
    private var nextFilesNumber = 1

    init(_ handle: RocksDBHandle, origins: [String: StoredFile]) {
        self.handle = handle
        path = handle.path
        self.origins = origins
    }

    private func open() throws(MillstreamError) -> RocksDBHandle {
        guard let handle else { throw MillstreamError(.invalidState, "the RocksDB store '\(path)' is closed", domain: .internal) }
        return handle
    }

    /// What may be written to, once the files of before are there.
    private func openForChange() throws(MillstreamError) -> RocksDBHandle {
        capture?.wait()
        capture = nil
        return try open()
    }

    public var isMakingFiles: Bool { capture.map { !$0.isDone } ?? false }

    public func close() {
        handle = nil
        capture = nil
    }

    public func get(_ keys: PackedBytes, into values: PackedBytes) throws(MillstreamError) {
        let handle = try open()
        var byteCount = 0
        var strings = rocks_strings(keys)
        try RocksDBLibrary.check(path) { handle.functions.pointee.get(handle.store, &strings, &byteCount, $0) }
        values.reset(count: keys.count, byteCount: byteCount)
        handle.functions.pointee.take(handle.store, values.bytes, values.ends, values.absent)
    }

    public func write(_ keys: PackedBytes, _ values: PackedBytes) throws(MillstreamError) {
        guard keys.count == values.count else { throw .internal("\(keys.count) keys with \(values.count) values") }
        guard keys.count > 0 else { return }
        let handle = try openForChange()
        var strings = rocks_strings(keys)
        var others = rocks_strings(values)
        try RocksDBLibrary.check(path) { handle.functions.pointee.write(handle.store, &strings, &others, $0) }
    }

    public func deleteRange(_ range: KeyRange) throws(MillstreamError) {
        let handle = try openForChange()
        try RocksDBLibrary.check(path) { error in
            range.lower.withUnsafeBytes { lower in
                RocksDBHandle.withUpper(range) { handle.functions.pointee.delete_range(handle.store, lower.baseAddress, lower.count, $0, $1, error) }
            }
        }
    }

    /// Deletes whole files at once, which views would still need: only before there are any.
    func dropRange(_ range: KeyRange) throws(MillstreamError) {
        let handle = try openForChange()
        try RocksDBLibrary.check(path) { error in
            range.lower.withUnsafeBytes { lower in
                RocksDBHandle.withUpper(range) { handle.functions.pointee.drop_range(handle.store, lower.baseAddress, lower.count, $0, $1, error) }
            }
        }
    }

    /// Takes over the entries of another store, all of whose keys lie beside those that are here.
    func ingest(_ cursor: RocksDBCursor, number: Int) throws(MillstreamError) {
        let handle = try openForChange()
        try RocksDBLibrary.check(path) { handle.functions.pointee.ingest(handle.store, cursor.cursor, "\(handle.path)/\(number)-", $0) }
        withExtendedLifetime(cursor) {}
    }

    public func scan(_ range: KeyRange) throws(MillstreamError) -> any StoreCursor { try open().cursor(range, snapshot: nil, once: false) }
    public func view() throws(MillstreamError) -> any StoreView { RocksDBView(try open()) }

    public var byteCount: Int64 {
        guard let handle else { return 0 }
        return Int64(clamping: handle.functions.pointee.byte_count(handle.store))
    }

    /// One of RocksDB's own numbers, e.g. `rocksdb.block-cache-usage`; 0 where there is none of that name.
    public func property(_ name: String) -> UInt64 { handle.map { $0.functions.pointee.property($0.store, name) } ?? 0 }

    /// Writes what is in memory to a file, then links all files, on a thread of its own.
    public func files() throws(MillstreamError) -> any StoreFiles {
        let handle = try openForChange()
        let directory = "\(handle.path)/files-\(nextFilesNumber)"
        nextFilesNumber += 1
        let capture = try RocksDBCapture(handle, directory)
        self.capture = capture
        return RocksDBFiles(capture, storeID: id, origins: origins)
    }
}

/// The making of a checkpoint's files.
private final class RocksDBCapture: @unchecked Sendable {
    let directory: String
    private let handle: RocksDBHandle
    private let capture: OpaquePointer

    init(_ handle: RocksDBHandle, _ directory: String) throws(MillstreamError) {
        var error = rocks_error()
        guard let capture = handle.functions.pointee.capture_begin(handle.store, directory, &error) else { throw RocksDBLibrary.failure(handle.path, error) }
        self.handle = handle
        self.directory = directory
        self.capture = capture
    }

    deinit { handle.functions.pointee.capture_free(capture) }

    var isDone: Bool { handle.functions.pointee.capture_is_done(capture) }

    /// Whatever becomes of it: whoever wants the files hears of a failure.
    func wait() {
        var error = rocks_error()
        _ = handle.functions.pointee.capture_wait(capture, &error)
    }

    func finish() throws(MillstreamError) {
        try RocksDBLibrary.check(handle.path) { handle.functions.pointee.capture_wait(capture, $0) }
    }
}

extension rocks_strings {
    /// For one call: the block must not change meanwhile.
    fileprivate init(_ strings: PackedBytes) { self.init(bytes: strings.bytes, ends: strings.ends, absent: strings.absent, count: strings.count) }
}

final class RocksDBCursor: StoreCursor {
    private let handle: RocksDBHandle
    let cursor: OpaquePointer
    private var snapshot: RocksDBView?

    init(_ handle: RocksDBHandle, _ cursor: OpaquePointer, keeping snapshot: RocksDBView? = nil) {
        self.handle = handle
        self.cursor = cursor
        self.snapshot = snapshot
    }

    deinit { handle.functions.pointee.cursor_free(cursor) }

    func keep(_ view: RocksDBView) { snapshot = view }

    func next(_ keys: PackedBytes, _ values: PackedBytes, countMax: Int, byteCountMax: Int) throws(MillstreamError) -> Bool {
        var nextKeys = rocks_strings()
        var nextValues = rocks_strings()
        try RocksDBLibrary.check(handle.path) {
            handle.functions.pointee.cursor_next(cursor, max(1, countMax), max(1, byteCountMax), &nextKeys, &nextValues, $0)
        }
        keys.assign(nextKeys)
        values.assign(nextValues)
        return keys.count > 0
    }
}

extension PackedBytes {
    fileprivate func assign(_ strings: rocks_strings) {
        let byteCount = strings.count == 0 ? 0 : strings.ends[strings.count - 1]
        reset(count: strings.count, byteCount: byteCount)
        guard strings.count > 0 else { return }
        ends.update(from: strings.ends, count: strings.count)
        absent.update(from: strings.absent, count: strings.count)
        if let source = strings.bytes { bytes.copyMemory(from: source, byteCount: byteCount) }
    }
}

final class RocksDBView: StoreView, @unchecked Sendable {
    private let handle: RocksDBHandle
    private let snapshot: OpaquePointer?

    init(_ handle: RocksDBHandle) {
        self.handle = handle
        snapshot = handle.functions.pointee.snapshot_create(handle.store)
    }

    deinit { handle.functions.pointee.snapshot_free(handle.store, snapshot) }

    func scan(_ range: KeyRange) throws(MillstreamError) -> any StoreCursor {
        let cursor = try handle.cursor(range, snapshot: snapshot, once: true)
        cursor.keep(self)
        return cursor
    }
}

/// Links to a store's files, in a directory of their own.
private final class RocksDBFiles: StoreFiles, @unchecked Sendable {
    let storeID: UInt64
    private let origins: [String: StoredFile]
    private let directory: String
    private let capture: Guarded<RocksDBCapture?>

    init(_ capture: RocksDBCapture, storeID: UInt64, origins: [String: StoredFile]) {
        self.capture = Guarded(capture)
        self.storeID = storeID
        self.origins = origins
        directory = capture.directory
    }

    deinit { release() }

    func list() throws(MillstreamError) -> [StoreFile] {
        guard let capture = capture.withLock({ $0 }) else { throw .internal("the files of '\(directory)' were released") }
        try capture.finish()
        var files: [StoreFile] = []
        let disk = DiskStorage()
        for name in try disk.list(directory) {
            let isShared = name.hasSuffix(".sst")
            // What else there is, a store is opened without.
            guard isShared || name == "CURRENT" || name.hasPrefix("MANIFEST-") else { continue }
            let byteCount = try disk.byteCount("\(directory)/\(name)")
            files.append(StoreFile(name: name, byteCount: byteCount, isShared: isShared, stored: isShared ? origins[name] : nil))
        }
        return files
    }

    func read(_ file: StoreFile, _ body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Void) throws(MillstreamError) {
        try DiskStorage().read("\(directory)/\(file.name)", pieces: body)
    }

    func release() {
        let held = capture.withLock { capture in
            defer { capture = nil }
            return capture
        }
        guard let held else { return }
        held.wait()
        LocalDirectory.removeTree(directory)
    }
}
