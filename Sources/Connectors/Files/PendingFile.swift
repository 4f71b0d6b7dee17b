import Columnar
import Dataflow

/// A file that holds all its bytes, synced, under its hidden name, and waits to be made visible.
struct PendingFile: Hashable {
    /// What a commit does besides the renaming, or instead of it.
    enum Kind: Int64 {
        /// Nothing besides.
        case add = 0
        /// Visible files of the folder go first whose names do not begin with `keptPrefix`.
        case replace = 1
        /// Those go, and there is no file: the new content of the folder is none.
        case clear = 2
        /// `finalPath` is an empty file that says that its folder is complete.
        case success = 3
    }

    var kind = Kind.add
    var hiddenPath: String
    var finalPath: String
    var byteCount: Int64
    var keptPrefix = ""

    var folder: String { finalPath.lastIndex(of: "/").map { String(finalPath[..<$0]) } ?? "" }

    var committable: Committable {
        var encoder = StateEncoder()
        encoder.put(hiddenPath)
        encoder.put(finalPath)
        encoder.put(byteCount)
        if kind != .add {
            encoder.put(kind.rawValue)
            encoder.put(keptPrefix)
        }
        return Committable(payload: encoder.bytes)
    }

    init(kind: Kind = .add, hiddenPath: String, finalPath: String, byteCount: Int64, keptPrefix: String = "") {
        self.kind = kind
        self.hiddenPath = hiddenPath
        self.finalPath = finalPath
        self.byteCount = byteCount
        self.keptPrefix = keptPrefix
    }

    init(_ committable: Committable) throws(MillstreamError) {
        var decoder = try StateDecoder(committable.payload, subject: "a pending file")
        hiddenPath = try decoder.string()
        finalPath = try decoder.string()
        byteCount = try decoder.int64()
        guard !decoder.isAtEnd else { return }
        guard let kind = Kind(rawValue: try decoder.int64()) else {
            throw MillstreamError(.decode, "a pending file in the checkpoint is damaged", domain: .external)
        }
        self.kind = kind
        keptPrefix = try decoder.string()
    }
}

/// Makes pending files visible by a rename, which is atomic and on the disk when it returns.
final class FileCommitter: Committer {
    private let storage: any Storage

    init(_ storage: any Storage) { self.storage = storage }

    func commit(_ committables: [Committable]) throws(MillstreamError) -> [CommitOutcome] {
        var outcomes: [CommitOutcome] = []
        var unfinished: MillstreamError?
        for committable in committables {
            let file = try PendingFile(committable)
            // A folder is not complete while a file of it waits to be tried again.
            if file.kind == .success, let unfinished {
                outcomes.append(.retry(unfinished))
                continue
            }
            let outcome = commit(file)
            if case .retry(let error) = outcome { unfinished = error }
            outcomes.append(outcome)
        }
        return outcomes
    }

    /// One committable of any kind. Done twice, it is the same as once.
    func commit(_ file: PendingFile) -> CommitOutcome {
        do throws(MillstreamError) {
            switch file.kind {
            case .add: break
            case .replace: try removeFiles(of: file)
            case .clear:
                try removeFiles(of: file)
                return .committed
            case .success:
                let marker = try storage.create(file.finalPath)
                defer { marker.close() }
                try marker.sync()
                return .committed
            }
        } catch { return .retry(error) }
        return rename(file)
    }

    private func removeFiles(of file: PendingFile) throws(MillstreamError) {
        guard storage.exists(file.folder) else { return }
        for name in try storage.list(file.folder) where !FileListing.isHidden(name) && !name.hasPrefix(file.keptPrefix) {
            let path = file.folder + "/" + name
            // Folders within are other partitions, or nothing of ours.
            if (try? storage.list(path)) == nil { try storage.remove(path) }
        }
    }

    /// One file. A hidden name that is gone while the final one is there was committed before; both there means that somebody else has the name.
    private func rename(_ file: PendingFile) -> CommitOutcome {
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
        switch file.kind {
        case .clear: return "the removal of all files of '\(file.folder)'"
        case .success: return "the empty file '\(file.finalPath)'"
        case .add, .replace: break
        }
        return "\(file.byteCount) bytes in '\(file.hiddenPath)', to be renamed to '\(file.finalPath)'"
    }

    func close() {}
}
