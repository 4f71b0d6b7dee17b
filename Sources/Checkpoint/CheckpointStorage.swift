import Columnar
import Dataflow

/// Where checkpoints are kept: named objects that are there as a whole or not at all.
///
/// No operation renames, so that an object store can stand behind it. Names are relative, with `/` between their parts. Errors are `.io` with the place.
public protocol CheckpointStorage: AnyObject, Sendable {
    /// Begins an object, which nobody sees before its `commit`.
    func begin(_ name: String) throws(MillstreamError) -> any CheckpointObject
    func read(_ name: String) throws(MillstreamError) -> [UInt8]
    /// Some of its bytes: an object store has a request for that. Throws `io` for an object that has fewer.
    func read(_ name: String, _ range: Range<Int64>) throws(MillstreamError) -> Buffer
    /// How long it is.
    func byteCount(_ name: String) throws(MillstreamError) -> Int64
    /// Gives an object's bytes in order, piece by piece.
    func read(_ name: String, pieces body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Void) throws(MillstreamError)
    /// The object's path where it is a file of this machine, which may be linked to but never changed; nil elsewhere.
    func filePath(_ name: String) -> String?
    func exists(_ name: String) -> Bool
    /// The names right below `prefix` (objects and groups of objects), sorted by bytes; empty where there is nothing.
    func list(_ prefix: String) throws(MillstreamError) -> [String]
    /// Deletes an object, and what is left of an attempt to write it. Where the machine stops soon, it may be there again.
    func delete(_ name: String) throws(MillstreamError)
    /// Deletes an object for good, also where the machine stops.
    func deleteDurably(_ name: String) throws(MillstreamError)
    /// Deletes all objects whose names begin with `prefix` and a slash, and what is left of attempts to write them. All of it, whatever fails.
    func deleteGroup(_ prefix: String) throws(MillstreamError)
    /// Nothing more is written: a place that holds nothing goes.
    func leave() throws(MillstreamError)
    /// The object's place for a person: a path or a URL.
    func location(_ name: String) -> String
}

extension CheckpointStorage {
    public func filePath(_ name: String) -> String? { nil }
    public func deleteDurably(_ name: String) throws(MillstreamError) { try delete(name) }

    public func read(_ name: String, pieces body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Void) throws(MillstreamError) {
        try read(name).withBytes(body)
    }
    public func leave() throws(MillstreamError) {}
}

/// An object that is being written.
public protocol CheckpointObject: AnyObject {
    var byteCount: Int64 { get }
    func write(_ bytes: UnsafeRawBufferPointer) throws(MillstreamError)
    /// Returns when the object is durable and can be seen. After a failure only `abandon` may follow.
    func commit() throws(MillstreamError)
    /// Lets go of it; nothing is seen. Harmless after `commit`.
    func abandon()
}

/// A directory: an object is a file, written under a temporary name, synced, and renamed.
public final class CheckpointDirectory: CheckpointStorage {
    private let storage: any Storage
    private let root: String
    private static let unfinished = ".inprogress"

    /// `root` is an absolute path; it is made where it is not there, unless it is only to be read.
    public init(_ storage: any Storage, root: String, isReadOnly: Bool = false) throws(MillstreamError) {
        self.storage = storage
        self.root = root
        if !isReadOnly { try storage.makeDirectories(root) }
    }

    public func location(_ name: String) -> String { name.isEmpty ? root : root + "/" + name }

    public func begin(_ name: String) throws(MillstreamError) -> any CheckpointObject {
        let path = location(name)
        if let slash = name.lastIndex(of: "/") { try storage.makeDirectories(location(String(name[..<slash]))) }
        return CheckpointPart(storage, file: try storage.create(path + Self.unfinished), unfinished: path + Self.unfinished, path: path)
    }

    public func read(_ name: String) throws(MillstreamError) -> [UInt8] { try storage.read(location(name)) }
    public func read(_ name: String, _ range: Range<Int64>) throws(MillstreamError) -> Buffer { try storage.read(location(name), range) }
    public func byteCount(_ name: String) throws(MillstreamError) -> Int64 { try storage.byteCount(location(name)) }
    public func filePath(_ name: String) -> String? { storage.isDisk ? location(name) : nil }
    public func exists(_ name: String) -> Bool { storage.exists(location(name)) }

    public func read(_ name: String, pieces body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Void) throws(MillstreamError) {
        try storage.read(location(name), pieces: body)
    }

    public func list(_ prefix: String) throws(MillstreamError) -> [String] {
        guard storage.exists(location(prefix)) else { return [] }
        return try storage.list(location(prefix))
    }

    public func delete(_ name: String) throws(MillstreamError) {
        for path in [location(name), location(name) + Self.unfinished] where storage.exists(path) { try storage.remove(path) }
    }

    public func deleteDurably(_ name: String) throws(MillstreamError) {
        // A removal may be undone by a crash, a rename is not.
        if storage.exists(location(name)) { try storage.rename(location(name), to: location(name) + Self.unfinished) }
        try delete(name)
    }

    public func deleteGroup(_ prefix: String) throws(MillstreamError) {
        let path = location(prefix)
        guard storage.exists(path) else { return }
        var cleanUp = CleanUp()
        for name in try storage.list(path) {
            cleanUp.attempt { () throws(MillstreamError) in try storage.remove(path + "/" + name) }
        }
        cleanUp.attempt { () throws(MillstreamError) in try storage.remove(path) }
        try cleanUp.finish()
    }

    public func leave() throws(MillstreamError) {
        if storage.exists(root), try storage.list(root).isEmpty { try storage.remove(root) }
    }
}

private final class CheckpointPart: CheckpointObject {
    private let storage: any Storage
    private let file: any StorageFile
    private let unfinished: String
    private let path: String
    private var isOpen = true

    init(_ storage: any Storage, file: any StorageFile, unfinished: String, path: String) {
        self.storage = storage
        self.file = file
        self.unfinished = unfinished
        self.path = path
    }

    var byteCount: Int64 { file.byteCount }

    func write(_ bytes: UnsafeRawBufferPointer) throws(MillstreamError) { try file.write(bytes) }

    func commit() throws(MillstreamError) {
        guard isOpen else { throw .internal("'\(path)' was committed twice") }
        // A file whose sync failed is never synced again: the kernel may have dropped its pages.
        try file.sync()
        isOpen = false
        file.close()
        try storage.rename(unfinished, to: path)
    }

    func abandon() {
        guard isOpen else { return }
        isOpen = false
        file.close()
        // What cannot be removed now is removed with its checkpoint.
        do { try storage.remove(unfinished) } catch {}
    }
}
