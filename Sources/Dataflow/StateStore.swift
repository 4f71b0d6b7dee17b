import Columnar

// The state of an operator that does not have to fit into memory: an ordered map of byte strings on the disk, addressed by batches. State has the works: `MemoryStore`
// and `RocksDBStore`.
//
// Layout of the keys: each begins with its key group in 2 bytes, the high one first (`StoreKey`); what follows is the operator's. So a key group is a range, and another
// parallelism takes ranges over from several stores of earlier subtasks.

/// Keys from `lower` on and below `upper`; nil: to the end. Bytes compare unsigned.
public struct KeyRange: Hashable, Sendable {
    public var lower: [UInt8]
    public var upper: [UInt8]?

    public init(lower: [UInt8] = [], upper: [UInt8]? = nil) {
        self.lower = lower
        self.upper = upper
    }

    /// All keys that begin with these bytes.
    public init(prefix: [UInt8]) {
        lower = prefix
        var end = prefix
        while let last = end.last, last == 0xff { end.removeLast() }
        if let last = end.popLast() {
            end.append(last + 1)
            upper = end
        } else {
            upper = nil
        }
    }

    /// All keys of these key groups.
    public init(keyGroups: Range<Int>) {
        lower = StoreKey.prefix(keyGroups.lowerBound)
        upper = StoreKey.prefix(keyGroups.upperBound)
    }
}

/// What all keys of a `StateStore` begin with.
public enum StoreKey {
    /// The bytes of the key group at the beginning of each key.
    public static let prefixByteCount = 2

    public static func prefix(_ keyGroup: Int) -> [UInt8] { [UInt8(truncatingIfNeeded: keyGroup >> 8), UInt8(truncatingIfNeeded: keyGroup)] }
}

/// An ordered map of byte strings: the state of one operator's subtask.
///
/// Its owner alone calls it, one thread at a time; views, cursors and files that came from it go to any one thread and may outlive it. Errors are `.io` with the place.
public protocol StateStore: AnyObject {
    /// Makes `values` what the keys have now, absent where a key is not there: as many as `keys`. The keys may come in any order and more than once.
    func get(_ keys: PackedBytes, into values: PackedBytes) throws(MillstreamError)
    /// Puts each value that is there, deletes the key of each that is absent: all or nothing. Of a key that comes more than once the last one counts.
    func write(_ keys: PackedBytes, _ values: PackedBytes) throws(MillstreamError)
    /// Deletes all keys of a range.
    func deleteRange(_ range: KeyRange) throws(MillstreamError)
    /// The entries of a range as they are now, in the order of their keys; later writes do not change what it gives.
    func scan(_ range: KeyRange) throws(MillstreamError) -> any StoreCursor
    /// All entries as they are now, to be read from another thread while the store changes.
    func view() throws(MillstreamError) -> any StoreView
    /// All entries as they are now, as files for a checkpoint: those that an earlier call gave already are the same files, by name. Comes back before they are all there:
    /// what is changed meanwhile waits for them.
    func files() throws(MillstreamError) -> any StoreFiles
    /// Whether a change would have to wait for files.
    var isMakingFiles: Bool { get }
    /// Roughly how much the store takes, on the disk and in memory: bytes.
    var byteCount: Int64 { get }
    /// Lets go of it, and of what it has on the disk once no view, cursor or file of it is left. Harmless when called again.
    func close()
}

extension StateStore {
    public var isMakingFiles: Bool { false }
}

/// The entries of a store at one moment. Held for as long as it is read: a store keeps what its views see.
public protocol StoreView: AnyObject, Sendable {
    func scan(_ range: KeyRange) throws(MillstreamError) -> any StoreCursor
}

/// Entries in the order of their keys, batch by batch.
public protocol StoreCursor: AnyObject {
    /// Makes `keys` and `values` the next entries: at most `countMax`, and not many more than `byteCountMax` bytes. False where there is none left.
    func next(_ keys: PackedBytes, _ values: PackedBytes, countMax: Int, byteCountMax: Int) throws(MillstreamError) -> Bool
}

extension StoreCursor {
    public func next(_ keys: PackedBytes, _ values: PackedBytes) throws(MillstreamError) -> Bool {
        try next(keys, values, countMax: 4096, byteCountMax: 1 << 20)
    }
}

/// One of a store's files.
public struct StoreFile: Hashable, Sendable {
    /// Its name in the store.
    public var name: String
    public var byteCount: Int64
    /// Whether the file never changes and its name is never given to another: a later checkpoint need not copy it again. Others belong to one checkpoint.
    public var isShared: Bool
    /// Where a checkpoint has it already: for files that the store was restored from.
    public var stored: StoredFile?

    public init(name: String, byteCount: Int64, isShared: Bool, stored: StoredFile? = nil) {
        self.name = name
        self.byteCount = byteCount
        self.isShared = isShared
        self.stored = stored
    }
}

/// A store at one moment, as files that do not change; read on another thread, then let go of.
public protocol StoreFiles: AnyObject, Sendable {
    /// The same for all that one store gives, and for no other store of the process.
    var storeID: UInt64 { get }
    /// Waits until they are all there.
    func list() throws(MillstreamError) -> [StoreFile]
    /// Gives the file's bytes in order, piece by piece.
    func read(_ file: StoreFile, _ body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Void) throws(MillstreamError)
    /// The files are not needed any more. Harmless when called again; done by the end of the object too.
    func release()
}

/// A file of a store as a checkpoint keeps it.
public struct StoredFile: Hashable, Sendable {
    /// Its name in the store.
    public var name: String
    /// The name of the object in the checkpoint storage.
    public var object: String
    /// Whether several checkpoints may have it. Others belong to one.
    public var isShared: Bool
    public var byteCount: Int64
    /// `StoreChecksum` of its bytes.
    public var checksum: UInt64

    public init(name: String, object: String, isShared: Bool, byteCount: Int64, checksum: UInt64) {
        self.name = name
        self.object = object
        self.isShared = isShared
        self.byteCount = byteCount
        self.checksum = checksum
    }
}

/// A store of an earlier subtask in a checkpoint.
public protocol StoredStore: AnyObject, Sendable {
    var subtask: SubtaskIndex { get }
    /// The key groups that the subtask had.
    var keyGroups: Range<Int> { get }
    var files: [StoredFile] { get }
    /// Gives the file's bytes in order, piece by piece. Throws `decode` with the object's place, behind the last piece, where they are not what was written.
    func read(_ file: StoredFile, _ body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Void) throws(MillstreamError)
    /// The object's path where it is a file of this machine, which may be linked but never changed; nil elsewhere.
    func path(_ file: StoredFile) -> String?
    /// Where the object is, for messages.
    func location(_ file: StoredFile) -> String
}

/// The checksum of a store's file: XXH64 of each mebibyte, seeded with the one before (the first with 0).
public struct StoreChecksum {
    public private(set) var value: UInt64 = 0
    public private(set) var byteCount: Int64 = 0
    private var part: [UInt8] = []
    private static let partByteCount = 1 << 20

    public init() {}

    public mutating func add(_ bytes: UnsafeRawBufferPointer) {
        byteCount += Int64(bytes.count)
        var rest = bytes[...]
        while !rest.isEmpty {
            if part.isEmpty, rest.count >= Self.partByteCount {
                value = StableHash.xxh64(UnsafeRawBufferPointer(rebasing: rest.prefix(Self.partByteCount)), seed: value)
                rest = rest.dropFirst(Self.partByteCount)
                continue
            }
            let taken = min(rest.count, Self.partByteCount - part.count)
            part.append(contentsOf: rest.prefix(taken))
            rest = rest.dropFirst(taken)
            if part.count == Self.partByteCount { addPart() }
        }
    }

    private mutating func addPart() {
        value = part.withUnsafeBytes { StableHash.xxh64($0, seed: value) }
        part.removeAll(keepingCapacity: true)
    }

    /// Behind the last byte.
    public mutating func finish() -> UInt64 {
        if !part.isEmpty { addPart() }
        return value
    }
}

/// Which store of which subtask.
public struct StorePlace: Hashable, Sendable {
    public var jobID: String
    public var operatorID: OperatorID
    public var subtask: SubtaskIndex
    /// Tells the stores of one operator apart.
    public var name: String
    /// The key groups of the subtask: a restored store holds no others.
    public var keyGroups: Range<Int>

    public init(jobID: String, operatorID: OperatorID, subtask: SubtaskIndex, name: String, keyGroups: Range<Int>) {
        self.jobID = jobID
        self.operatorID = operatorID
        self.subtask = subtask
        self.name = name
        self.keyGroups = keyGroups
    }
}

/// Whoever opens stores. From any thread.
public protocol StateStores: AnyObject, Sendable {
    /// A new store: an empty one, or one with what the earlier stores have in the subtask's key groups. `earlier` are those of one checkpoint, each key group in one of them.
    ///
    /// What lies on the disk of earlier attempts is never used. Throws `io`, and `decode` for a damaged file, both with the place.
    func open(_ place: StorePlace, from earlier: [any StoredStore]) throws(MillstreamError) -> any StateStore
}

extension StateStores {
    public func open(_ place: StorePlace) throws(MillstreamError) -> any StateStore { try open(place, from: []) }
}

extension OperatorContext {
    /// The place of one of the operator's stores.
    public func storePlace(_ name: String) -> StorePlace {
        StorePlace(jobID: jobID, operatorID: operatorID, subtask: subtask, name: name, keyGroups: keyGroups)
    }
}
