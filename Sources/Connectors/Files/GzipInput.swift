import CZlib
import Columnar

/// A gzip file's content: all members, one after the other. Checksums are checked by zlib.
final class GzipInput: ByteInput {
    private let input: PlainInput
    private let stream: UnsafeMutablePointer<z_stream>
    private let compressed = Buffer(byteCount: 1 << 16)
    private var isBetweenMembers = false
    private var isAtEnd = false
    private var offset: Int64 = 0

    init(_ input: PlainInput) throws(MillstreamError) {
        self.input = input
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 16 more than the window's bits means the gzip format and no other.
        guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            stream.deallocate()
            throw MillstreamError(.limitExceeded, "no memory to decompress '\(input.path)'", domain: .external)
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    func read(into target: UnsafeMutableRawPointer, _ capacity: Int) throws(MillstreamError) -> Int {
        guard !isAtEnd, capacity > 0 else { return 0 }
        let room = UInt32(min(capacity, 1 << 30))
        stream.pointee.next_out = target.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = room
        while stream.pointee.avail_out == room {
            if stream.pointee.avail_in == 0, try !refill() { return 0 }
            if isBetweenMembers, try !startMember() { return 0 }
            switch inflate(stream, Z_NO_FLUSH) {
            case Z_OK, Z_BUF_ERROR: break
            case Z_STREAM_END: isBetweenMembers = true
            default: throw damaged(stream.pointee.msg.map { String(cString: $0) } ?? "the data is damaged")
            }
        }
        let count = Int(room - stream.pointee.avail_out)
        offset += Int64(count)
        return count
    }

    /// More compressed bytes; false at the end of a file that ends where it may.
    private func refill() throws(MillstreamError) -> Bool {
        let count = try input.read(into: compressed.base, compressed.byteCount)
        stream.pointee.next_in = compressed.pointer(as: UInt8.self)
        stream.pointee.avail_in = UInt32(count)
        if count > 0 { return true }
        isAtEnd = true
        guard isBetweenMembers else { throw damaged("it ends in the middle; the file is truncated") }
        return false
    }

    /// Zero bytes behind the last member are padding, as gzip itself takes them.
    private func startMember() throws(MillstreamError) -> Bool {
        while let next = stream.pointee.next_in, stream.pointee.avail_in > 0, next.pointee == 0 {
            stream.pointee.next_in += 1
            stream.pointee.avail_in -= 1
            if stream.pointee.avail_in == 0, try !refill() { return false }
        }
        inflateReset(stream)
        isBetweenMembers = false
        return true
    }

    private func damaged(_ reason: String) -> MillstreamError {
        MillstreamError(.decode, "cannot decompress '\(input.path)' (gzip) after \(offset) bytes: \(reason)", domain: .external)
    }

    func seek(to offset: Int64) throws(MillstreamError) {
        try skip(offset - self.offset, path: input.path)
    }

    func close() { input.close() }
}
