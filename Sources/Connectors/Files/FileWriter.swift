import Columnar
import Dataflow
import Plan

/// One subtask's writer of a file sink: one open part per bucket.
final class FileWriter: SinkWriter {
    /// Text is gathered up to this before it goes to the file.
    static let bufferByteCount = 1 << 16
    /// More buckets than this at once, and the part that was written to least recently is finished: files are scarce.
    static let openPartCountMax = 256

    private final class Part {
        let bucket: String
        let hiddenPath: String
        let finalPath: String
        let file: any StorageFile
        let text = TextBuffer(capacity: FileWriter.bufferByteCount / 4)
        let created: ProcessingTime
        var lastWrite: ProcessingTime
        var lastUse: Int64 = 0

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
    private let storage: any Storage
    private let clock: any Clock
    private let subtask: Int
    private let uid: String
    private let commitsAtCheckpoints: Bool
    /// In the order in which they were opened.
    private var parts: [Part] = []
    private var pending: [PendingFile] = []
    /// The next part's number, per bucket folder; found by a look at the folder.
    private var counters: [String: Int] = [:]
    private var uses: Int64 = 0
    private var hasFailed = false

    init(
        _ description: FileSinkDescription, encoder: RowEncoder, bucket: BucketFunction?, folders: TimeFolders?, storage: any Storage,
        context: OperatorContext, commitsAtCheckpoints: Bool
    ) {
        self.description = description
        self.encoder = encoder
        self.bucket = bucket
        self.folders = folders
        self.storage = storage
        self.commitsAtCheckpoints = commitsAtCheckpoints
        clock = context.clock
        subtask = context.subtask.value
        let number = String(context.random.next(), radix: 16)
        uid = String(repeating: "0", count: 16 - number.count) + number
    }

    func write(_ batch: Batch, notify: @escaping @Sendable () -> Void) throws(MillstreamError) -> Bool {
        guard !batch.isEmpty else { return true }
        try refuseRetractions(batch)
        let now = clock.now()
        do throws(MillstreamError) {
            if let bucket { try writeBuckets(batch, bucket, now) } else { try writeRows(batch, now) }
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
        let name = "\(description.prefix)-\(subtask)-\(number)"
        let hiddenPath = "\(folder)/.\(name).inprogress.\(uid)"
        let file = try storage.create(hiddenPath)
        let part = Part(bucket: bucket, hiddenPath: hiddenPath, finalPath: "\(folder)/\(name)\(description.suffix)", file: file, now: now)
        encoder.header.withUnsafeBytes { part.text.append($0) }
        parts.append(part)
        return part
    }

    /// One above the numbers that parts of this subtask have in a folder, finished or not: an earlier run's files stay as they are.
    private func nextNumber(_ folder: String) throws(MillstreamError) -> Int {
        let start = "\(description.prefix)-\(subtask)-"
        var next = 0
        for name in try storage.list(folder) {
            let visible = name.hasPrefix(".") ? String(name.dropFirst()) : name
            guard visible.hasPrefix(start) else { continue }
            let digits = visible.dropFirst(start.count).prefix { $0.isASCII && $0.isNumber }
            if let number = Int(digits), number >= next, number < Int.max { next = number + 1 }
        }
        return next
    }

    /// Finishes a part: all of it is on the disk afterwards.
    private func roll(_ part: Part) throws(MillstreamError) {
        try part.flush()
        try part.file.sync()
        part.file.close()
        parts.removeAll { $0 === part }
        let file = PendingFile(hiddenPath: part.hiddenPath, finalPath: part.finalPath, byteCount: part.byteCount)
        if commitsAtCheckpoints { pending.append(file) } else { try publish(file) }
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
            for part in parts {
                if endOfInput {
                    try roll(part)
                } else {
                    try part.flush()
                    try part.file.sync()
                }
            }
        } catch {
            hasFailed = true
            throw error
        }
        defer { pending = [] }
        return pending.map(\.committable)
    }

    /// The parts that are still open, with the length that is on the disk.
    func snapshot() throws(MillstreamError) -> [UInt8] {
        var encoder = StateEncoder()
        encoder.put(Int64(parts.count))
        for part in parts {
            encoder.put(PendingFile(hiddenPath: part.hiddenPath, finalPath: part.finalPath, byteCount: part.file.byteCount).committable.payload)
        }
        return encoder.bytes
    }

    /// Parts that were open at the checkpoint are cut to what it covers, and finish with the next commit. May be called with several subtasks' states.
    func restore(_ bytes: [UInt8]) throws(MillstreamError) {
        var decoder = try StateDecoder(bytes, subject: "the open parts of a file sink")
        for _ in 0..<max(0, try decoder.int64()) {
            let part = try PendingFile(Committable(payload: try decoder.byteString()))
            // Finished after the checkpoint by the run that failed, or before: then it holds more or all of it under its final name.
            guard storage.exists(part.hiddenPath) else {
                throw MillstreamError(
                    .io, "cannot go on with '\(part.hiddenPath)': it is gone",
                    hint: "Parts in progress belong to the checkpoint; do not remove them.",
                    domain: .external)
            }
            let file = try storage.reopen(part.hiddenPath, truncatedTo: part.byteCount)
            try file.sync()
            file.close()
            pending.append(part)
        }
    }

    func close() {
        for part in parts {
            part.file.close()
            // Without checkpoints nobody comes back for it.
            if !commitsAtCheckpoints { try? storage.remove(part.hiddenPath) }
        }
        parts = []
    }
}
