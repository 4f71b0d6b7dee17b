import Columnar
import Dataflow

/// A store in a checkpoint, as an operator that is restored reads it.
public final class CheckpointedStore: StoredStore {
    private let storage: any CheckpointStorage
    private let group: String
    public let subtask: SubtaskIndex
    public let keyGroups: Range<Int>
    public let files: [StoredFile]

    /// `group` is the checkpoint's own.
    public init(_ storage: any CheckpointStorage, group: String, subtask: SubtaskIndex, keyGroups: Range<Int>, files: [StoredFile]) {
        self.storage = storage
        self.group = group
        self.subtask = subtask
        self.keyGroups = keyGroups
        self.files = files
    }

    private func name(_ file: StoredFile) -> String { file.isShared || group.isEmpty ? file.object : "\(group)/\(file.object)" }

    public func location(_ file: StoredFile) -> String { storage.location(name(file)) }
    public func path(_ file: StoredFile) -> String? { storage.filePath(name(file)) }

    public func read(_ file: StoredFile, _ body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Void) throws(MillstreamError) {
        var checksum = StoreChecksum()
        // What the bytes are given to may fail too, and that says nothing about the file.
        var refusal: MillstreamError?
        do throws(MillstreamError) {
            try storage.read(name(file)) { (piece) throws(MillstreamError) in
                checksum.add(piece)
                do throws(MillstreamError) { try body(piece) } catch {
                    refusal = error
                    throw error
                }
            }
        } catch { throw refusal ?? error.of(checkpointFile: location(file)) }
        guard checksum.byteCount == file.byteCount else {
            throw MillstreamError.damaged(
                location(file), at: Int(truncatingIfNeeded: min(checksum.byteCount, file.byteCount)), "it has \(checksum.byteCount) bytes, and \(file.byteCount) were written")
        }
        let found = checksum.finish()
        guard found == file.checksum else {
            throw MillstreamError.damaged(location(file), at: 0, "its \(file.byteCount) bytes", checksum: found, expected: file.checksum)
        }
    }
}
