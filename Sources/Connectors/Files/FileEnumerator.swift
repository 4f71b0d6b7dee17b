import Columnar
import Dataflow

/// Finds the files and hands them out in the order of their paths.
///
/// The list is made at the first question (a restart takes it from the checkpoint instead). Watching: the list is made again at each interval, and
/// paths that were not there before are handed out; a file that changes after it was handed out is not read again.
final class FileEnumerator: SplitEnumerator {
    private let paths: [String]
    private let partitions: PartitionFolders?
    private let monitorMilliseconds: Int64?
    private let clock: any Clock
    private let canSplit: Bool
    private let parallelism: Int
    private let limits: FileReadLimits
    private var waiting: [SourceSplit] = []
    /// Paths seen so far; only asked for membership, and sorted before it is written.
    private var seen: Set<String> = []
    private var isListed = false
    private var nextListing: ProcessingTime?

    init(
        _ paths: [String], partitions: PartitionFolders? = nil, monitorMilliseconds: Int64?, clock: any Clock, canSplit: Bool, parallelism: Int,
        limits: FileReadLimits
    ) {
        self.paths = paths
        self.partitions = partitions
        self.monitorMilliseconds = monitorMilliseconds
        self.clock = clock
        self.canSplit = canSplit
        self.parallelism = parallelism
        self.limits = limits
    }

    func nextSplit(for subtask: SubtaskIndex) throws(MillstreamError) -> SplitAssignment {
        if waiting.isEmpty { try listIfDue() }
        if let split = waiting.popLast() { return .split(split) }
        guard let monitorMilliseconds else { return .noMore }
        return .later(nextListing ?? clock.now() + monitorMilliseconds)
    }

    private func listIfDue() throws(MillstreamError) {
        let now = clock.now()
        if let monitorMilliseconds {
            // A clock that was set back must not stop the watching for long.
            if let nextListing, now < nextListing, nextListing.milliseconds - now.milliseconds <= monitorMilliseconds { return }
            nextListing = now + monitorMilliseconds
        } else if isListed {
            return
        }
        isListed = true
        var splits: [SourceSplit] = []
        for file in try FileListing.files(paths, partitions: partitions, allowsNone: monitorMilliseconds != nil) where seen.insert(file.path).inserted {
            splits += ranges(file).map(\.encoded)
        }
        waiting = splits.reversed()
    }

    /// One split, or several of a large file that can be read from any line on.
    private func ranges(_ file: ListedFile) -> [FileSplit] {
        let byteCount = file.identity.byteCount
        let count = min(byteCount / max(1, limits.rangeByteCountMin), Int64(parallelism) * 4)
        guard canSplit, parallelism > 1, count > 1, !isCompressed(file.path) else { return [FileSplit(path: file.path, identity: file.identity)] }
        return (0..<count).map { part in
            FileSplit(
                path: file.path, identity: file.identity, start: byteCount / count * part,
                end: part == count - 1 ? .max : byteCount / count * (part + 1))
        }
    }

    private func isCompressed(_ path: String) -> Bool {
        // A file that cannot be opened is left to its reader, which has the message.
        guard let input = try? PlainInput(path), let compression = try? Compression.detect(input) else { return true }
        return compression != .none
    }

    func addBack(_ splits: [SourceSplit]) { waiting.append(contentsOf: splits.reversed()) }

    func snapshot() throws(MillstreamError) -> [UInt8] {
        var encoder = StateEncoder()
        encoder.put(isListed ? 1 : 0)
        encoder.put(waiting.reversed())
        // Read once, nothing needs the paths: the list is not made again.
        let paths = monitorMilliseconds == nil ? [] : seen.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        encoder.put(Int64(paths.count))
        for path in paths { encoder.put(path) }
        return encoder.bytes
    }

    func restore(_ bytes: [UInt8]) throws(MillstreamError) {
        var decoder = try StateDecoder(bytes, subject: "the list of files")
        isListed = try decoder.int64() == 1
        waiting = try decoder.splits().reversed()
        seen = []
        for _ in 0..<max(0, try decoder.int64()) { seen.insert(try decoder.string()) }
    }

    func close() {}
}
