import Columnar
import Dataflow
import Plan

/// One subtask's writer of a file sink: one open part per bucket.
final class FileWriter: SinkWriter {
    /// Text is gathered up to this before it goes to the file.
    static let bufferByteCount = 1 << 16
    /// More buckets than this at once, and the part that was written to least recently is finished: files are scarce.
    static let openPartCountMax = 256
    /// Deeper folders than this are not searched for what crashed runs left.
    private static let folderDepthMax = 16

    private final class Part {
        let bucket: String
        let hiddenPath: String
        let finalPath: String
        let file: any StorageFile
        let text = TextBuffer(capacity: FileWriter.bufferByteCount / 4)
        let created: ProcessingTime
        var lastWrite: ProcessingTime
        var lastUse: Int64 = 0
        /// Whether a checkpoint, complete or not, goes on with it.
        var isInCheckpoint = false

        init(bucket: String, hiddenPath: String, finalPath: String, file: any StorageFile, now: ProcessingTime) {
            self.bucket = bucket
            self.hiddenPath = hiddenPath
            self.finalPath = finalPath
            self.file = file
            created = now
            lastWrite = now
        }

        var byteCount: Int64 { file.byteCount + Int64(text.count) }

        func flush() throws(MillstreamError) {
            guard text.count > 0 else { return }
            try file.write(text.bytes)
            text.clear()
        }
    }

    private let description: FileSinkDescription
    private let encoder: RowEncoder
    private let bucket: BucketFunction?
    private var folders: TimeFolders?
    private let partitions: PartitionNames?
    /// nil where no partition is ever said to be complete.
    private var commits: PartitionCommits?
    private let storage: any Storage
    private let clock: any Clock
    private let names: PartNames
    private let parallelism: Int
    /// What parts in progress are marked with: the lineage's digits, the same after each restart, and this writer's; by chance where the runtime tells no job.
    private var uid: String
    private let isJobKnown: Bool
    private let commitsAtCheckpoints: Bool
    /// The marks of writers that this one follows, where the runtime tells no job.
    private var formerUIDs: [String] = []
    private var isCleaned = false
    /// The hidden files that the restored checkpoint has, of all subtasks: another one may be about to go on with them or to rename them, and at another
    /// parallelism that is not the one in their names.
    private var kept: Set<String> = []
    /// In the order in which they were opened.
    private var parts: [Part] = []
    private var pending: [PendingFile] = []
    /// The next part's number, per bucket folder; found by a look at the folder.
    private var counters: [String: Int] = [:]
    /// One above the numbers of this subtask's parts in `kept`: while another subtask renames one of them, a look at the folder may miss it.
    private var reserved: [String: Int] = [:]
    /// The next part's number as the checkpoint has it, for folders that have not been looked at since.
    private var restoredCounters: [String: Int] = [:]
    private var uses: Int64 = 0
    private var lastWatermark = Int64.min
    private var hasFailed = false

    init(
        _ description: FileSinkDescription, encoder: RowEncoder, bucket: BucketFunction?, folders: TimeFolders?, partitions: PartitionNames?,
        storage: any Storage, context: OperatorContext, commitsAtCheckpoints: Bool
    ) {
        self.description = description
        self.partitions = partitions
        commits = description.partitionCommit.map { PartitionCommits($0, directory: description.directory) }
        self.encoder = encoder
        self.bucket = bucket
        self.folders = folders
        self.storage = storage
        self.commitsAtCheckpoints = commitsAtCheckpoints
        clock = context.clock
        parallelism = max(1, context.parallelism)
        // Files that replace others have the job in their names, which is the same for all subtasks and in no earlier run.
        let run = PartNames.run(context.jobID.isEmpty ? context.lineage : context.jobID, context.operatorID.text)
        let prefix = description.overwrites ? "\(description.prefix)-\(run)" : description.prefix
        names = PartNames(prefix: prefix, suffix: description.suffix, subtask: context.subtask.value)
        isJobKnown = !context.lineage.isEmpty
        uid = PartNames.uid(isJobKnown ? Array((context.lineage + "\u{0}" + context.operatorID.text).utf8) : nil, context.random)
    }

    func write(_ batch: Batch, notify: @escaping @Sendable () -> Void) throws(MillstreamError) -> Bool {
        guard !batch.isEmpty else { return true }
        if !encoder.takesChanges { try refuseRetractions(batch) }
        let now = clock.now()
        do throws(MillstreamError) {
            try removeOrphans()
            if let partitions {
                try writePartitions(batch, partitions, now)
            } else if let bucket {
                try writeBuckets(batch, bucket, now)
            } else {
                try writeRows(batch, now)
            }
        } catch {
            hasFailed = true
            throw error
        }
        return true
    }

    private func writeRows(_ batch: Batch, _ now: ProcessingTime) throws(MillstreamError) {
        let folder = folders?.name(at: now) ?? ""
        try batch.forEachRow { index throws(MillstreamError) in try writeRow(batch, index, bucket: folder, now) }
    }

    private func writeBuckets(_ batch: Batch, _ bucket: BucketFunction, _ now: ProcessingTime) throws(MillstreamError) {
        let names = try bucket.names(batch)
        var place = 0
        try batch.forEachRow { index throws(MillstreamError) in
            let folder = try BucketFunction.folder(names.column, names.isDense ? place : index)
            try writeRow(batch, index, bucket: folder, now)
            place += 1
        }
    }

    private func writePartitions(_ batch: Batch, _ partitions: PartitionNames, _ now: ProcessingTime) throws(MillstreamError) {
        try batch.forEachRow { index throws(MillstreamError) in
            let folder = try partitions.name(batch, index)
            commits?.didWrite(folder, at: now.milliseconds)
            try writeRow(batch, index, bucket: folder, now)
        }
    }

    private func writeRow(_ batch: Batch, _ index: Int, bucket: String, _ now: ProcessingTime) throws(MillstreamError) {
        let part = try part(bucket, now)
        try encoder.write(batch, index, to: part.text)
        part.lastWrite = now
        uses &+= 1
        part.lastUse = uses
        if part.text.count >= FileWriter.bufferByteCount { try part.flush() }
        if part.byteCount >= description.rollByteCount { try roll(part) }
    }

    /// Rows that take others back cannot be told from rows in a file.
    private func refuseRetractions(_ batch: Batch) throws(MillstreamError) {
        guard let kinds = batch.rowKinds else { return }
        try batch.forEachRow { index throws(MillstreamError) in
            let kind = kinds.pointer(as: Int8.self)[index]
            guard kind == RowKind.insert.rawValue || kind == RowKind.updateAfter.rawValue else {
                throw MillstreamError(.unsupported, "a file sink takes no retractions (-U, -D)", hint: "Write the changelog's final result.")
            }
        }
    }

    // MARK: Parts

    private func part(_ bucket: String, _ now: ProcessingTime) throws(MillstreamError) -> Part {
        if let last = parts.last, last.bucket == bucket { return last }
        if let open = parts.first(where: { $0.bucket == bucket }) { return open }
        if parts.count >= FileWriter.openPartCountMax, let oldest = parts.min(by: { $0.lastUse < $1.lastUse }) { try roll(oldest) }
        let folder = bucket.isEmpty ? description.directory : description.directory + "/" + bucket
        if !bucket.isEmpty { try storage.makeDirectories(folder) }
        let number = if let known = counters[folder] { known } else { try nextNumber(folder) }
        counters[folder] = number + 1
        let hiddenPath = "\(folder)/\(names.hidden(number, uid))"
        let file = try storage.create(hiddenPath)
        let part = Part(bucket: bucket, hiddenPath: hiddenPath, finalPath: "\(folder)/\(names.visible(number))", file: file, now: now)
        encoder.header.withUnsafeBytes { part.text.append($0) }
        parts.append(part)
        return part
    }

    /// One above the numbers that parts of this subtask have in a folder, finished or not: an earlier run's files stay as they are.
    private func nextNumber(_ folder: String) throws(MillstreamError) -> Int {
        var next = max(restoredCounters[folder] ?? 0, reserved[folder] ?? 0)
        for name in try storage.list(folder) {
            if let number = names.number(of: name), number >= next, number < Int.max { next = number + 1 }
        }
        return next
    }

    /// Finishes a part: all of it is on the disk afterwards.
    private func roll(_ part: Part) throws(MillstreamError) {
        try part.flush()
        try part.file.sync()
        part.file.close()
        parts.removeAll { $0 === part }
        let file = PendingFile(
            kind: description.overwrites ? .replace : .add, hiddenPath: part.hiddenPath, finalPath: part.finalPath, byteCount: part.byteCount,
            keptPrefix: description.overwrites ? names.prefix + "-" : "")
        // What replaces others waits for the end: until then the old files are the table.
        if commitsAtCheckpoints || description.overwrites { pending.append(file) } else { try publish(file) }
    }

    private func publish(_ file: PendingFile) throws(MillstreamError) {
        switch FileCommitter(storage).commit(file) {
        case .committed, .alreadyCommitted: break
        case .retry(let error), .failed(let error), .unknown(let error):
            // Synced data is worth keeping, whatever became of its name.
            pending.append(file)
            throw error
        }
    }

    func onTime(_ now: ProcessingTime, watermark: EventTime) throws(MillstreamError) {
        lastWatermark = watermark.milliseconds
        guard !hasFailed else { return }
        for part in parts {
            let age = now.milliseconds.subtractingSaturating(part.created.milliseconds)
            let pause = now.milliseconds.subtractingSaturating(part.lastWrite.milliseconds)
            if age >= description.rollAgeMilliseconds || pause >= description.rollInactivityMilliseconds {
                try roll(part)
            } else {
                try part.flush()
            }
        }
    }

    // MARK: Checkpoints

    func prepareCommit(endOfInput: Bool) throws(MillstreamError) -> [Committable] {
        do throws(MillstreamError) {
            try removeOrphans()
            let complete = try commits?.takeDue(now: clock.now().milliseconds, watermark: lastWatermark, isLast: endOfInput) ?? []
            for part in parts {
                if endOfInput || complete.contains(part.bucket) {
                    try roll(part)
                } else {
                    try part.flush()
                    try part.file.sync()
                    part.isInCheckpoint = true
                }
            }
            if endOfInput { try clearOverwritten() }
            if let commits { pending += complete.map { commits.committable($0) } }
        } catch {
            hasFailed = true
            throw error
        }
        defer { pending = [] }
        return pending.map(\.committable)
    }

    /// The folder that an INSERT OVERWRITE replaces has nothing in it afterwards where no row came. One subtask sees to it.
    private func clearOverwritten() throws(MillstreamError) {
        guard description.overwrites, names.subtask == 0, let folder = description.overwrittenFolder else { return }
        let path = folder.isEmpty ? description.directory : description.directory + "/" + folder
        // Before the files, whose own commits keep it then.
        pending.insert(
            PendingFile(kind: .clear, hiddenPath: "", finalPath: path + "/" + names.prefix, byteCount: 0, keptPrefix: names.prefix + "-"), at: 0)
    }

    /// Who wrote it; the parts that are still open, with the length that is on the disk; and the next part's number in each folder.
    func snapshot() throws(MillstreamError) -> [UInt8] {
        var encoder = StateEncoder()
        encoder.put(uid)
        encoder.put(Int64(names.subtask))
        encoder.put(Int64(parts.count))
        for part in parts {
            encoder.put(PendingFile(hiddenPath: part.hiddenPath, finalPath: part.finalPath, byteCount: part.file.byteCount).committable.payload)
        }
        let known = restoredCounters.merging(counters) { _, now in now }
        let folders = known.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        encoder.put(Int64(folders.count))
        for folder in folders {
            encoder.put(folder)
            encoder.put(Int64(known[folder] ?? 0))
        }
        if let commits {
            encoder.put(Int64(commits.open.count))
            for partition in commits.open {
                encoder.put(partition.folder)
                encoder.put(partition.since)
            }
        }
        return encoder.bytes
    }

    func know(states: [[UInt8]], committables: [Committable]) throws(MillstreamError) {
        var files: [PendingFile] = []
        for committable in committables { files.append(try PendingFile(committable)) }
        for state in states {
            var decoder = try StateDecoder(state, subject: "the open parts of a file sink")
            _ = try decoder.string()
            _ = try decoder.int64()
            for _ in 0..<max(0, try decoder.int64()) { files.append(try PendingFile(Committable(payload: try decoder.byteString()))) }
        }
        for file in files {
            kept.insert(file.hiddenPath)
            guard let slash = file.hiddenPath.lastIndex(of: "/"),
                let number = names.number(of: String(file.hiddenPath[file.hiddenPath.index(after: slash)...])), number < Int.max
            else { continue }
            let folder = String(file.hiddenPath[..<slash])
            reserved[folder] = max(reserved[folder] ?? 0, number + 1)
        }
    }

    /// Parts that were open at the checkpoint are cut to what it covers, and finish with the next commit. May be called with several subtasks' states.
    ///
    /// Throws `invalidState` for a checkpoint behind which more has been committed: its rows would be in the output twice.
    func restore(_ bytes: [UInt8]) throws(MillstreamError) {
        var decoder = try StateDecoder(bytes, subject: "the open parts of a file sink")
        let formerUID = try decoder.string()
        let former = PartNames(prefix: names.prefix, suffix: names.suffix, subtask: Int(truncatingIfNeeded: try decoder.int64()))
        var open: [PendingFile] = []
        for _ in 0..<max(0, try decoder.int64()) { open.append(try PendingFile(Committable(payload: try decoder.byteString()))) }
        for _ in 0..<max(0, try decoder.int64()) {
            let folder = try decoder.string()
            let next = try decoder.int64()
            try refuseLaterCommits(folder, former, from: next)
            if former.subtask == names.subtask { restoredCounters[folder] = Int(truncatingIfNeeded: next) }
        }
        if !decoder.isAtEnd {
            for _ in 0..<max(0, try decoder.int64()) { commits?.restore(try decoder.string(), since: try decoder.int64()) }
        }
        for part in open { try takeOver(part, of: formerUID) }
        guard !isJobKnown else { return }
        if formerUIDs.isEmpty { uid = formerUID }
        formerUIDs.append(formerUID)
    }

    /// A visible part with a number that the checkpoint did not know yet was begun after it, and committed.
    private func refuseLaterCommits(_ folder: String, _ former: PartNames, from next: Int64) throws(MillstreamError) {
        guard storage.exists(folder) else { return }
        for name in try storage.list(folder) where !name.hasPrefix(".") {
            guard let number = former.number(of: name), number >= next else { continue }
            throw later(than: folder + "/" + name)
        }
    }

    private func later(than path: String) -> MillstreamError {
        MillstreamError(
            .invalidState, "'\(path)' was committed after this checkpoint: going on from here would write its rows once more",
            hint: "Go on from the last checkpoint, or move the files that were committed after this one away.", domain: .external)
    }

    private func takeOver(_ part: PendingFile, of formerUID: String) throws(MillstreamError) {
        guard storage.exists(part.hiddenPath) else {
            if storage.exists(part.finalPath) { throw later(than: part.finalPath) }
            throw MillstreamError(
                .io, "cannot go on with '\(part.hiddenPath)': it is gone",
                hint: "Parts in progress belong to the checkpoint; do not remove them.", domain: .external)
        }
        guard isJobKnown, PartNames.lineage(formerUID) != PartNames.lineage(uid) else {
            let file = try storage.reopen(part.hiddenPath, truncatedTo: part.byteCount)
            defer { file.close() }
            try file.sync()
            pending.append(part)
            return
        }
        // Of another job, which may still be writing to it.
        try copy(part)
    }

    private func copy(_ part: PendingFile) throws(MillstreamError) {
        let bytes = try storage.read(part.hiddenPath)
        guard Int64(bytes.count) >= part.byteCount else {
            throw MillstreamError(.io, "'\(part.hiddenPath)' has \(bytes.count) bytes, but \(part.byteCount) were on the disk", domain: .external)
        }
        let folder = part.finalPath.lastIndex(of: "/").map { String(part.finalPath[..<$0]) } ?? description.directory
        let number = if let known = counters[folder] { known } else { try nextNumber(folder) }
        counters[folder] = number + 1
        let own = PendingFile(
            hiddenPath: "\(folder)/\(names.hidden(number, uid))", finalPath: "\(folder)/\(names.visible(number))", byteCount: part.byteCount)
        let file = try storage.create(own.hiddenPath)
        defer { file.close() }
        var failure: MillstreamError?
        bytes.withUnsafeBytes { all in
            do throws(MillstreamError) { try file.write(UnsafeRawBufferPointer(rebasing: all[..<Int(part.byteCount)])) } catch { failure = error }
        }
        if let failure { throw failure }
        try file.sync()
        pending.append(own)
    }

    // MARK: What crashed runs left

    /// Removes parts in progress that a run of this job left and no checkpoint has: once, before the first row. What a restored checkpoint has is renamed
    /// by its commit before, or taken over.
    private func removeOrphans() throws(MillstreamError) {
        guard !isCleaned else { return }
        isCleaned = true
        guard commitsAtCheckpoints, isJobKnown || !formerUIDs.isEmpty else { return }
        try removeOrphans(in: description.directory, depth: 0)
    }

    private func removeOrphans(in folder: String, depth: Int) throws(MillstreamError) {
        let known = kept.union(pending.map(\.hiddenPath)).union(parts.map(\.hiddenPath))
        for name in try storage.list(folder) {
            let path = folder + "/" + name
            if let part = names.partInProgress(name) {
                let isOurs =
                    isJobKnown
                    ? PartNames.lineage(part.uid) == PartNames.lineage(uid) && part.subtask % parallelism == names.subtask
                    : formerUIDs.contains(part.uid)
                if isOurs, !known.contains(path) { try storage.remove(path) }
            } else if bucket != nil || folders != nil || partitions != nil, depth < FileWriter.folderDepthMax, !name.hasPrefix("."), (try? storage.list(path)) != nil {
                try removeOrphans(in: path, depth: depth + 1)
            }
        }
    }

    func close() {
        for part in parts {
            part.file.close()
            // Nobody comes back for it.
            if !part.isInCheckpoint { try? storage.remove(part.hiddenPath) }
        }
        parts = []
    }
}

/// The names of one subtask's parts: `part-<subtask>-<number>`, and `.part-<subtask>-<number>.inprogress.<uid>` while they are written.
struct PartNames {
    let prefix: String
    let suffix: String
    let subtask: Int

    private static let mark = ".inprogress."

    func visible(_ number: Int) -> String { "\(prefix)-\(subtask)-\(number)\(suffix)" }
    func hidden(_ number: Int, _ uid: String) -> String { ".\(prefix)-\(subtask)-\(number)\(PartNames.mark)\(uid)" }

    /// The number of one of this subtask's parts, finished or not.
    func number(of name: String) -> Int? {
        let start = "\(prefix)-\(subtask)-"
        let visible = name.hasPrefix(".") ? name.dropFirst() : Substring(name)
        guard visible.hasPrefix(start) else { return nil }
        return Int(visible.dropFirst(start.count).prefix { $0.isASCII && $0.isNumber })
    }

    /// What the name of a part in progress says, of whatever subtask.
    func partInProgress(_ name: String) -> (subtask: Int, uid: String)? {
        let start = ".\(prefix)-"
        guard name.hasPrefix(start), let end = name.utf8.lastIndex(of: 0x2E) else { return nil }
        let body = name[..<name.index(after: end)]
        guard body.hasSuffix(PartNames.mark) else { return nil }
        let numbers = body.dropFirst(start.count).dropLast(PartNames.mark.count).split(separator: "-", omittingEmptySubsequences: false)
        guard numbers.count == 2, let subtask = Int(numbers[0]), subtask >= 0, Int(numbers[1]) != nil else { return nil }
        return (subtask, String(name[name.index(after: end)...]))
    }

    /// 16 digits from chance; the first 8 of them follow from an identity if there is one.
    static func uid(_ identity: [UInt8]?, _ random: any RandomSource) -> String {
        let chance = random.next()
        let value = identity.map { bytes in bytes.withUnsafeBytes { StableHash.xxh64($0, seed: 0) } & ~0xFFFF_FFFF | chance & 0xFFFF_FFFF } ?? chance
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// 8 digits that tell a job's files from those of all others.
    static func run(_ job: String, _ operatorID: String) -> String {
        let digits = String(Array((job + "\u{0}" + operatorID).utf8).withUnsafeBytes { StableHash.xxh64($0, seed: 1) } >> 32, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    static func lineage(_ uid: String) -> Substring { uid.prefix(8) }
}
