import Columnar
import Dataflow

/// Everything that a job's checkpoints have in their storage, as far as it is to be deleted again.
public struct CheckpointFiles {
    private struct Doomed {
        let id: CheckpointID
        let storage: any CheckpointStorage
        let group: String
    }

    private let storage: any CheckpointStorage
    /// The files of stores that the checkpoints share.
    public var shared = SharedFiles()
    private var doomed: [Doomed] = []

    /// `storage` is where the job's checkpoints are; savepoints may be elsewhere.
    public init(_ storage: any CheckpointStorage) { self.storage = storage }

    /// Deletes a checkpoint, or what was written of one that came to nothing: first its manifest, then its own objects, then those that no other one needs.
    ///
    /// Where it shares objects with others, its manifest goes for good before any of them does, and as long as it may be there, so is all that it names: a crash leaves
    /// nothing but objects that nobody needs. What cannot be deleted is tried again with the next checkpoint that goes. `isLast`: the job has ended, and all of its
    /// checkpoints go; a machine that stops meanwhile then rather has them all again than none.
    public mutating func delete(_ id: CheckpointID, in storage: any CheckpointStorage, group: String, isLast: Bool = false) {
        doomed.append(Doomed(id: id, storage: storage, group: group))
        var left: [Doomed] = []
        for entry in doomed {
            let manifest = "\(entry.group)/\(Manifest.name)"
            let isSharing = shared.isNeeded(by: entry.id)
            do throws(MillstreamError) {
                if isSharing, !isLast { try entry.storage.deleteDurably(manifest) } else { try entry.storage.delete(manifest) }
            } catch {
                if isSharing {
                    left.append(entry)
                    continue
                }
            }
            // Without its manifest nobody takes the rest for a checkpoint.
            do { try entry.storage.deleteGroup(entry.group) } catch {}
            for object in shared.remove(entry.id) {
                do throws(MillstreamError) {
                    try self.storage.delete(object)
                    shared.onDeleted(object)
                } catch {}
            }
        }
        doomed = left
    }

    /// No checkpoint of the job is left: nor is anything that they shared.
    public mutating func finish() {
        guard shared.isEmpty, doomed.isEmpty else { return }
        do { try storage.deleteGroup(SharedFiles.group) } catch {}
    }
}
