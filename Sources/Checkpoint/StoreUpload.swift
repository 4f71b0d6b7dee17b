import Columnar
import Dataflow

/// Brings the files of stores into the checkpoint storage: those that it has already are only named.
public struct StoreUpload {
    private let storage: any CheckpointStorage
    private let group: String
    private let checkpoint: CheckpointID
    /// Bytes that were written, without those that were there.
    public private(set) var writtenByteCount: Int64 = 0
    private static let namesPerFileMax = 1_000

    /// For the checkpoint whose own objects are in `group`.
    public init(_ storage: any CheckpointStorage, group: String, checkpoint: CheckpointID) {
        self.storage = storage
        self.group = group
        self.checkpoint = checkpoint
    }

    /// Writes what is missing, each file whole and durable, or throws; then releases the files. `prefix` tells this store's objects from others of the checkpoint.
    ///
    /// Where it throws, what was written so far is in `shared`, for this checkpoint.
    public mutating func write(
        _ name: String, _ files: any StoreFiles, prefix: String, shared: inout SharedFiles
    ) throws(MillstreamError) -> Manifest.Store {
        defer { files.release() }
        var store = Manifest.Store(name: name, files: [])
        for file in try files.list() {
            if let known = shared.take(file, of: files.storeID, for: checkpoint) {
                store.files.append(known)
                continue
            }
            let own = "\(prefix)-\(file.name)"
            guard file.isShared else {
                var stored = try write(file, of: files, object: "\(group)/\(own)")
                // Within the group, so that it can be moved as the state files can.
                stored.object = own
                store.files.append(stored)
                continue
            }
            let object = try unused("\(SharedFiles.group)/\(checkpoint.value)-\(own)", shared)
            do throws(MillstreamError) {
                let stored = try write(file, of: files, object: object)
                shared.add(stored, of: files.storeID, for: checkpoint)
                store.files.append(stored)
            } catch {
                shared.onAbandoned(object)
                throw error
            }
        }
        return store
    }

    /// What a process left that died here has a name of its own: it may be anything.
    private func unused(_ wanted: String, _ shared: SharedFiles) throws(MillstreamError) -> String {
        for number in 0..<Self.namesPerFileMax {
            let name = number == 0 ? wanted : "\(wanted)~\(number)"
            if !shared.isKnown(name), !storage.exists(name) { return name }
        }
        throw MillstreamError(.io, "'\(storage.location(wanted))' and all names like it are taken", domain: .external)
    }

    private mutating func write(_ file: StoreFile, of files: any StoreFiles, object name: String) throws(MillstreamError) -> StoredFile {
        let object = try storage.begin(name)
        do throws(MillstreamError) {
            var checksum = StoreChecksum()
            try files.read(file) { (piece) throws(MillstreamError) in
                checksum.add(piece)
                try object.write(piece)
            }
            guard checksum.byteCount == file.byteCount else {
                throw MillstreamError(.io, "the store's file '\(file.name)' has \(checksum.byteCount) bytes instead of \(file.byteCount)", domain: .external)
            }
            try object.commit()
            writtenByteCount += checksum.byteCount
            return StoredFile(name: file.name, object: name, isShared: file.isShared, byteCount: checksum.byteCount, checksum: checksum.finish())
        } catch {
            object.abandon()
            throw error
        }
    }
}
