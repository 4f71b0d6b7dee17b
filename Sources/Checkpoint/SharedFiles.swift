import Columnar
import Dataflow

/// Which files of stores a job's checkpoint storage has, and which checkpoints need them: decisions alone. Nothing here touches a disk.
///
/// A file is written once and is needed by each checkpoint that names it, pending ones too; with the last of them it goes. What is told to be deleted stays known as an
/// orphan until that is done, so that a deletion which failed is asked for again.
public struct SharedFiles {
    /// The group of the objects that several checkpoints of a job may need, beside the checkpoints' own groups.
    public static let group = "shared"

    /// A file of a store of this process.
    private struct Source: Hashable {
        let storeID: UInt64
        let name: String
    }

    private struct Entry {
        var file: StoredFile
        var checkpoints: Set<CheckpointID>
        var source: Source?
    }

    /// By the object's name.
    private var entries: [String: Entry] = [:]
    private var objects: [Source: String] = [:]
    private var orphans: Set<String> = []

    public init() {}

    /// Whether any checkpoint needs anything.
    public var isEmpty: Bool { entries.isEmpty }

    /// The file as the storage has it already, which `checkpoint` needs from now on; nil where it must be written.
    public mutating func take(_ file: StoreFile, of storeID: UInt64, for checkpoint: CheckpointID) -> StoredFile? {
        guard file.isShared else { return nil }
        if let object = objects[Source(storeID: storeID, name: file.name)] {
            entries[object]?.checkpoints.insert(checkpoint)
            return entries[object]?.file
        }
        // Where the store came from another job's checkpoint, that one's objects are not ours; one of ours with its name, length and checksum is as good.
        guard var stored = file.stored, let entry = entries[stored.object], entry.file.byteCount == stored.byteCount, entry.file.checksum == stored.checksum
        else { return nil }
        entries[stored.object]?.checkpoints.insert(checkpoint)
        stored.name = file.name
        return stored
    }

    /// A file was written for `checkpoint`.
    public mutating func add(_ stored: StoredFile, of storeID: UInt64, for checkpoint: CheckpointID) {
        let source = Source(storeID: storeID, name: stored.name)
        entries[stored.object] = Entry(file: stored, checkpoints: [checkpoint], source: source)
        objects[source] = stored.object
        orphans.remove(stored.object)
    }

    /// Whether an object of that name is known; another one must have another name.
    public func isKnown(_ object: String) -> Bool { entries[object] != nil || orphans.contains(object) }

    /// Whether a checkpoint needs anything of it.
    public func isNeeded(by checkpoint: CheckpointID) -> Bool { entries.values.contains { $0.checkpoints.contains(checkpoint) } }

    /// The checkpoint is no more. The objects to be deleted, sorted: say `onDeleted` of each.
    public mutating func remove(_ checkpoint: CheckpointID) -> [String] {
        for (object, entry) in entries where entry.checkpoints.contains(checkpoint) {
            entries[object]?.checkpoints.remove(checkpoint)
            guard entry.checkpoints.count == 1 else { continue }
            entries[object] = nil
            if let source = entry.source { objects[source] = nil }
            orphans.insert(object)
        }
        return orphans.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    public mutating func onDeleted(_ object: String) { orphans.remove(object) }

    /// Something was begun under this name, and may have left something behind.
    public mutating func onAbandoned(_ object: String) { if entries[object] == nil { orphans.insert(object) } }

    /// Of the objects that there are, those that none of the checkpoints needs: what a process left that died between two steps.
    public static func orphans(among objects: [String], needed manifests: [Manifest]) -> [String] {
        let needed = Set(manifests.flatMap(\.sharedObjects))
        return objects.filter { !needed.contains($0) }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
