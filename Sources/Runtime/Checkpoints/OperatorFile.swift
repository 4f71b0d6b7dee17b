import Checkpoint
import Columnar
import Dataflow

/// What one operator's subtask gave to a checkpoint, on its way into a file, with its stores beside it. In steps, on the background.
final class OperatorFile: StateWriter {
    struct Written {
        let file: Manifest.SubtaskFile
        /// Without those files of stores that the storage had already.
        let byteCount: Int64
        let objects: WrittenObjects
    }

    /// Where the file goes.
    struct Place {
        let storage: any CheckpointStorage
        let group: String
        let checkpoint: CheckpointID
        let isSavepoint: Bool
        /// The operator's number in the manifest.
        let number: Int
        let subtask: SubtaskIndex
    }

    /// Lends the files that the job's checkpoints share.
    typealias Shared = ((inout SharedFiles) throws(MillstreamError) -> Manifest.Store) throws(MillstreamError) -> Manifest.Store

    private let place: Place
    /// Within the group, so that a savepoint can be moved.
    private let name: String
    private let file: StateFileWriter
    private var parts: ArraySlice<StateParts>
    private let shared: Shared
    private var upload: StoreUpload
    private var stores: [Manifest.Store] = []

    init(
        _ parts: [StateParts], _ place: Place, compression: Compression, objects: (any ObjectCoding)?, shared: @escaping Shared
    ) throws(MillstreamError) {
        self.parts = parts[...]
        self.place = place
        self.shared = shared
        name = "op-\(place.number)-\(place.subtask.value)"
        upload = StoreUpload(place.storage, group: place.group, checkpoint: place.checkpoint)
        file = try StateFileWriter(place.storage, name: "\(place.group)/\(name)", compression: compression, objects: objects)
    }

    /// Writes about so many bytes more. False when all is written. Where it throws, `abandon` follows.
    func advance(byteCount: Int) throws(MillstreamError) -> Bool {
        while let first = parts.first {
            if try first.write(byteCount: byteCount, to: self) { return true }
            parts.removeFirst()
        }
        return false
    }

    /// Makes it durable.
    func finish() throws(MillstreamError) -> Written {
        var summary = try file.finish()
        summary.name = name
        return Written(
            file: Manifest.SubtaskFile(subtask: place.subtask, file: summary, stores: stores), byteCount: summary.byteCount + upload.writtenByteCount,
            objects: file.objects)
    }

    /// Nobody wants it any more.
    func abandon() {
        parts = []
        file.abandon()
    }

    func write(_ name: String, keyGroup: KeyGroup?, batch: Batch) throws(MillstreamError) { try file.write(name, keyGroup: keyGroup, batch: batch) }
    func write(_ name: String, keyGroup: KeyGroup?, bytes: [UInt8]) throws(MillstreamError) { try file.write(name, keyGroup: keyGroup, bytes: bytes) }

    func write(_ name: String, files: any StoreFiles) throws(MillstreamError) {
        guard !place.isSavepoint else { throw .internal("the state '\(name)' of a savepoint is in a form that only checkpoints have") }
        let prefix = "\(self.name)-\(stores.count)"
        stores.append(try shared { (shared) throws(MillstreamError) in try upload.write(name, files, prefix: prefix, shared: &shared) })
    }
}

/// A subtask's answer on its way into its operators' files, one after the other. On the background.
final class SnapshotWriting {
    let snapshot: SubtaskSnapshot
    /// Of which attempt the subtask is.
    let attempt: Int
    /// The next operator of the chain.
    var link = 0
    /// The file that is being written, and its operator's place.
    var open: (file: OperatorFile, place: Int)?
    /// The files that are written.
    var written: [(file: OperatorFile.Written, place: Int)] = []

    init(_ snapshot: SubtaskSnapshot, attempt: Int) {
        self.snapshot = snapshot
        self.attempt = attempt
    }

    /// The state of the next operator that has any, and its place in the chain; nil where there is none. Throws what kept a value from being written down; `name`
    /// gives the names of the chain's operators.
    func next(name: (Int) -> String) throws(MillstreamError) -> (parts: [StateParts], link: Int)? {
        while link < snapshot.states.count {
            let link = link
            self.link += 1
            let all = (link == 0 ? [snapshot.head] : []) + [snapshot.states[link]].compactMap { $0 }
            for part in all { if let failure = part.failure { throw failure.inOperator(name(link)) } }
            let parts = all.filter { !$0.isEmpty }
            if !parts.isEmpty { return (parts, link) }
        }
        return nil
    }

    func abandon() {
        open?.file.abandon()
        open = nil
    }
}
