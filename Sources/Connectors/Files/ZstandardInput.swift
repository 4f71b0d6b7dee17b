import CZstd
import Columnar

/// A zstandard file's content: all frames, one after the other.
final class ZstandardInput: ByteInput {
    private let input: PlainInput
    private let stream: OpaquePointer
    private let compressed = Buffer(byteCount: 1 << 17)
    private var pending = ZSTD_inBuffer(src: nil, size: 0, pos: 0)
    private var isInFrame = false
    private var isAtEnd = false
    private var offset: Int64 = 0

    init(_ input: PlainInput) throws(MillstreamError) {
        self.input = input
        guard let stream = ZSTD_createDStream() else {
            throw MillstreamError(.limitExceeded, "no memory to decompress '\(input.path)'", domain: .external)
        }
        self.stream = stream
    }

    deinit { ZSTD_freeDStream(stream) }

    func read(into target: UnsafeMutableRawPointer, _ capacity: Int) throws(MillstreamError) -> Int {
        guard capacity > 0 else { return 0 }
        var output = ZSTD_outBuffer(dst: target, size: capacity, pos: 0)
        while output.pos == 0 {
            if pending.pos == pending.size, !isAtEnd {
                let count = try input.read(into: compressed.base, compressed.byteCount)
                pending = ZSTD_inBuffer(src: compressed.base, size: count, pos: 0)
                isAtEnd = count == 0
            }
            if isAtEnd, pending.pos == pending.size, !isInFrame { return 0 }
            let before = pending.pos
            let result = ZSTD_decompressStream(stream, &output, &pending)
            guard ZSTD_isError(result) == 0 else { throw damaged(String(cString: ZSTD_getErrorName(result))) }
            isInFrame = result != 0
            if isAtEnd, isInFrame, output.pos == 0, pending.pos == before {
                throw damaged("it ends in the middle; the file is truncated")
            }
        }
        offset += Int64(output.pos)
        return output.pos
    }

    private func damaged(_ reason: String) -> MillstreamError {
        MillstreamError(.decode, "cannot decompress '\(input.path)' (zstandard) after \(offset) bytes: \(reason)", domain: .external)
    }

    func seek(to offset: Int64) throws(MillstreamError) {
        try skip(offset - self.offset, path: input.path)
    }

    func close() { input.close() }
}
