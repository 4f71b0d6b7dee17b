import Columnar
import Synchronization

/// The lines before ranges that start in the middle of a file. Nobody counts them unless a record does not decode; then the readers of all ranges share
/// what is counted, so that a file is read once for that.
final class LineCounts: Sendable {
    /// Files of which counts are kept. Files are read one after the other, so these are the ones that are being read, and some more.
    private static let fileCountMax = 16

    private struct File {
        var path: String
        var identity: FileIdentity
        /// The line ends before each multiple of the piece's size.
        var counts: [Int64]
    }

    /// So much is counted in one call.
    private let pieceByteCount: Int64
    private let endsAtReturn: Bool
    private let files = Guarded<[File]>([])

    init(pieceByteCount: Int64, endsAtReturn: Bool) {
        self.pieceByteCount = max(1, pieceByteCount)
        self.endsAtReturn = endsAtReturn
    }

    /// The line of the record at `offset`, from 1 on. nil: one more piece has been counted, ask again. Throws `io` if the file is not there any more.
    func line(at offset: Int64, of split: FileSplit) throws(MillstreamError) -> Int64? {
        let wanted = Int(offset / pieceByteCount)
        let (place, before) = known(split, upTo: wanted)
        let start = Int64(place) * pieceByteCount
        if place == wanted { return 1 + before + (try count(split.path, start, offset)) }
        let next = before + (try count(split.path, start, start + pieceByteCount))
        files.withLock { files in
            for index in files.indices where files[index].path == split.path && files[index].identity == split.identity {
                // Another reader may have counted the same piece.
                if files[index].counts.count == place + 1 { files[index].counts.append(next) }
            }
        }
        return nil
    }

    /// The last multiple of the piece's size up to `wanted` for which the count is known.
    private func known(_ split: FileSplit, upTo wanted: Int) -> (place: Int, count: Int64) {
        files.withLock { files in
            if let file = files.first(where: { $0.path == split.path && $0.identity == split.identity }) {
                let place = min(wanted, file.counts.count - 1)
                return (place, file.counts[place])
            }
            if files.count == Self.fileCountMax { files.removeFirst() }
            files.append(File(path: split.path, identity: split.identity, counts: [0]))
            return (0, 0)
        }
    }

    private func count(_ path: String, _ start: Int64, _ end: Int64) throws(MillstreamError) -> Int64 {
        let input = try PlainInput(path)
        let buffer = Buffer(byteCount: 1 << 20)
        let bytes = UnsafePointer(buffer.pointer(as: UInt8.self))
        var (result, left) = (Int64(0), end - start)
        var previous: UInt8 = 0
        if start > 0 {
            // Whether a line feed there is the second half of a line end.
            try input.seek(to: start - 1)
            guard try input.read(into: buffer.base, 1) == 1 else { throw shortened(path) }
            previous = bytes[0]
        }
        while left > 0 {
            let got = try input.read(into: buffer.base, Int(min(left, 1 << 20)))
            guard got > 0 else { throw shortened(path) }
            result += Int64(endsAtReturn ? countLineEnds(bytes, got, previous) : countLineFeeds(bytes, got))
            previous = bytes[got - 1]
            left -= Int64(got)
        }
        return result
    }

    private func shortened(_ path: String) -> MillstreamError {
        MillstreamError(.io, "'\(path)' was shortened while it was read", domain: .external)
    }
}

private func countLineFeeds(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
    var result = 0
    for index in 0..<count { result &+= bytes[index] == 0x0A ? 1 : 0 }
    return result
}

/// `\n`, `\r\n` and `\r`.
private func countLineEnds(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ previous: UInt8) -> Int {
    var result = bytes[0] == 0x0D || (bytes[0] == 0x0A && previous != 0x0D) ? 1 : 0
    for index in 1..<max(1, count) {
        let isFeed: UInt8 = bytes[index] == 0x0A ? 1 : 0
        let isReturn: UInt8 = bytes[index] == 0x0D ? 1 : 0
        let isSecondHalf: UInt8 = bytes[index &- 1] == 0x0D ? isFeed : 0
        result &+= Int(isReturn &+ isFeed &- isSecondHalf)
    }
    return result
}
