import Columnar
import Dataflow

/// A file that holds all its bytes, synced, under its hidden name, and waits to be made visible.
struct PendingFile: Hashable {
    var hiddenPath: String
    var finalPath: String
    var byteCount: Int64

    var committable: Committable {
        var encoder = StateEncoder()
        encoder.put(hiddenPath)
        encoder.put(finalPath)
        encoder.put(byteCount)
        return Committable(payload: encoder.bytes)
    }

    init(hiddenPath: String, finalPath: String, byteCount: Int64) {
        self.hiddenPath = hiddenPath
        self.finalPath = finalPath
        self.byteCount = byteCount
    }

    init(_ committable: Committable) throws(MillstreamError) {
        var decoder = try StateDecoder(committable.payload, subject: "a pending file")
        hiddenPath = try decoder.string()
        finalPath = try decoder.string()
        byteCount = try decoder.int64()
    }
}

/// Makes pending files visible by a rename, which is atomic and on the disk when it returns.
final class FileCommitter: Committer {
    private let storage: any Storage

    init(_ storage: any Storage) { self.storage = storage }

    func commit(_ committables: [Committable]) throws(MillstreamError) -> [CommitOutcome] {
        var outcomes: [CommitOutcome] = []
        for committable in committables { outcomes.append(commit(try PendingFile(committable))) }
        return outcomes
    }

    /// One file. A hidden name that is gone while the final one is there was committed before; both there means that somebody else has the name.
    func commit(_ file: PendingFile) -> CommitOutcome {
        switch (storage.exists(file.hiddenPath), storage.exists(file.finalPath)) {
        case (false, true): return committedBefore(file)
        case (false, false):
            return .failed(
                MillstreamError(
                    .io, "cannot finish '\(file.finalPath)': its data, '\(file.hiddenPath)', is gone", hint: "Somebody removed it.", domain: .external
                ))
        case (true, true):
            return .failed(
                MillstreamError(
                    .io, "cannot finish '\(file.finalPath)': there is a file of that name already",
                    hint: "Do two jobs write to one directory? The data is in '\(file.hiddenPath)'.", domain: .external))
        case (true, false): break
        }
        do throws(MillstreamError) {
            try storage.rename(file.hiddenPath, to: file.finalPath)
            return .committed
        } catch {
            // Nothing happened while the hidden name is still there; otherwise the new name may or may not be on the disk.
            return storage.exists(file.hiddenPath) ? .retry(error) : .unknown(error)
        }
    }

    /// The run that renamed it may have ended before the new name was on the disk: renaming it to itself puts it there, and changes nothing.
    private func committedBefore(_ file: PendingFile) -> CommitOutcome {
        do throws(MillstreamError) {
            let byteCount = try storage.byteCount(file.finalPath)
            guard byteCount == file.byteCount else {
                return .failed(
                    MillstreamError(
                        .io, "cannot finish '\(file.finalPath)': its data, '\(file.hiddenPath)', is gone, and the file of that name has \(byteCount) bytes "
                            + "instead of \(file.byteCount)", hint: "Somebody removed or replaced it.", domain: .external))
            }
            try storage.rename(file.finalPath, to: file.finalPath)
            return .alreadyCommitted
        } catch { return .unknown(error) }
    }

    func describe(_ committable: Committable) -> String {
        guard let file = try? PendingFile(committable) else { return "a file whose description is damaged" }
        return "\(file.byteCount) bytes in '\(file.hiddenPath)', to be renamed to '\(file.finalPath)'"
    }

    func close() {}
}
