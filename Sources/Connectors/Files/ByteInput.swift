import Columnar
import Dataflow
import Glibc

/// The bytes of a file from some offset on, decompressed where the file is compressed.
protocol ByteInput: AnyObject {
    /// At most `capacity` bytes; 0 at the end.
    func read(into target: UnsafeMutableRawPointer, _ capacity: Int) throws(MillstreamError) -> Int
    /// Goes to an offset of the (decompressed) bytes; only forward where they are compressed.
    func seek(to offset: Int64) throws(MillstreamError)
    func close()
}

extension ByteInput {
    /// Reads and drops bytes: how a compressed file is taken up at an offset again.
    func skip(_ count: Int64, path: String) throws(MillstreamError) {
        let buffer = Buffer(byteCount: 1 << 16)
        var left = count
        while left > 0 {
            let got = try read(into: buffer.base, Int(min(left, Int64(buffer.byteCount))))
            guard got > 0 else {
                throw MillstreamError(
                    .io, "cannot go on in '\(path)': it has \(count - left) bytes, and \(count) had been read before", domain: .external)
            }
            left -= Int64(got)
        }
    }
}

/// The file as it is.
final class PlainInput: ByteInput {
    let path: String
    let identity: FileIdentity
    private var descriptor: Int32
    private var offset: Int64 = 0

    /// Opens a regular file. Throws `io` for anything else; never waits for a FIFO's other end.
    init(_ path: String) throws(MillstreamError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw MillstreamError.system("open", path, errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let number = errno
            Glibc.close(descriptor)
            throw MillstreamError.system("open", path, number)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            Glibc.close(descriptor)
            throw MillstreamError(.io, "cannot read '\(path)': it is \(FileListing.kind(status)), not a file", domain: .external)
        }
        identity = FileListing.identity(status)
    }

    deinit { close() }

    func read(into target: UnsafeMutableRawPointer, _ capacity: Int) throws(MillstreamError) -> Int {
        while true {
            let count = pread(descriptor, target, capacity, off_t(offset))
            if count >= 0 {
                offset += Int64(count)
                return count
            }
            guard errno == EINTR else { throw MillstreamError.system("read", path, errno) }
        }
    }

    func seek(to offset: Int64) throws(MillstreamError) { self.offset = offset }

    func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }
}

/// How a file is compressed.
enum Compression {
    case none, gzip, zstandard

    /// By the first bytes; a name that promises a compression must keep it.
    static func detect(_ input: PlainInput) throws(MillstreamError) -> Compression {
        var head = InlineArray<4, UInt8>(repeating: 0)
        var failure: MillstreamError?
        let count = withUnsafeMutableBytes(of: &head) { bytes -> Int in
            guard let base = bytes.baseAddress else { return 0 }
            do throws(MillstreamError) { return try input.read(into: base, 4) } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        try input.seek(to: 0)
        if count >= 2, head[0] == 0x1F, head[1] == 0x8B { return .gzip }
        if count >= 4, head[0] == 0x28, head[1] == 0xB5, head[2] == 0x2F, head[3] == 0xFD { return .zstandard }
        for (suffix, name) in [(".gz", "gzip"), (".zst", "zstandard")] where input.path.hasSuffix(suffix) {
            throw MillstreamError(
                .decode, "'\(input.path)' is called \(suffix) but \(count == 0 ? "is empty" : "does not start like a \(name) file")",
                domain: .external)
        }
        return .none
    }

    /// The reader of the input's content.
    func open(_ input: PlainInput) throws(MillstreamError) -> any ByteInput {
        switch self {
        case .none: input
        case .gzip: try GzipInput(input)
        case .zstandard: try ZstandardInput(input)
        }
    }
}
