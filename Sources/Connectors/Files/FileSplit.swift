import Columnar
import Dataflow

/// What identifies a file's content well enough to notice that it became another.
struct FileIdentity: Equatable {
    var byteCount: Int64
    var modifiedNanoseconds: Int64
    var inode: Int64
}

/// A file, or a range of one, and how far it has been read.
struct FileSplit {
    /// The lines before `offset` have not been counted: the range starts in the middle of the file.
    static let unknownLine: Int64 = -1
    /// The range's first record has not been looked for yet.
    static let unaligned: Int64 = 0

    var path: String
    var identity: FileIdentity
    /// The records that start in `start ..< end` belong to the split; whole files end at `Int64.max`.
    var start: Int64
    var end: Int64
    /// Where the next record starts, in bytes of the decompressed file.
    var offset: Int64
    /// Its line, from 1 on; or `unknownLine` or `unaligned`.
    var line: Int64
    /// The hash of some bytes that the file must still have when it is taken up again; nil: none was made.
    var fingerprint: FileFingerprint?

    init(path: String, identity: FileIdentity, start: Int64 = 0, end: Int64 = .max) {
        self.path = path
        self.identity = identity
        self.start = start
        self.end = end
        offset = start
        line = start == 0 ? 1 : FileSplit.unaligned
    }

    var id: String { start == 0 && end == .max ? path : "\(path)@\(start)" }

    var encoded: SourceSplit {
        var encoder = StateEncoder()
        encoder.put(path)
        for value in [identity.byteCount, identity.modifiedNanoseconds, identity.inode, start, end, offset, line] { encoder.put(value) }
        for value in [fingerprint?.end ?? 0, fingerprint?.hash ?? 0] { encoder.put(value) }
        return SourceSplit(id: id, payload: encoder.bytes)
    }

    init(_ split: SourceSplit) throws(MillstreamError) {
        var decoder = try StateDecoder(split.payload, subject: "the position in a file")
        path = try decoder.string()
        identity = FileIdentity(
            byteCount: try decoder.int64(), modifiedNanoseconds: try decoder.int64(), inode: try decoder.int64())
        start = try decoder.int64()
        end = try decoder.int64()
        offset = try decoder.int64()
        line = try decoder.int64()
        let (fingerprintEnd, hash) = (try decoder.int64(), try decoder.int64())
        fingerprint = fingerprintEnd > 0 ? FileFingerprint(end: fingerprintEnd, hash: hash) : nil
        guard start >= 0, end >= start, offset >= start, line >= FileSplit.unknownLine else {
            throw MillstreamError(.decode, "the position in '\(path)' in the checkpoint is damaged", domain: .external)
        }
    }
}

/// The last bytes of a part of a file, in short: a file that was written anew rarely has the same ones at the same place.
struct FileFingerprint: Equatable {
    static let byteCountMax = 4_096

    /// Where the bytes end, in the file as it is (not decompressed).
    var end: Int64
    var hash: Int64

    init(end: Int64, hash: Int64) {
        self.end = end
        self.hash = hash
    }

    /// Of the bytes before `end`; nil where the file has not so many.
    init?(_ input: PlainInput, end: Int64) throws(MillstreamError) {
        let start = max(0, end - Int64(FileFingerprint.byteCountMax))
        let count = Int(end - start)
        let buffer = Buffer(byteCount: max(1, count))
        try input.seek(to: start)
        var done = 0
        while done < count {
            let got = try input.read(into: buffer.base + done, count - done)
            guard got > 0 else { return nil }
            done += got
        }
        self.end = end
        hash = Int64(bitPattern: StableHash.xxh64(UnsafeRawBufferPointer(start: buffer.base, count: count), seed: UInt64(end)))
        withExtendedLifetime(buffer) {}
    }
}
