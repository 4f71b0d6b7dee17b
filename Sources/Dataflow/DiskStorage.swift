import Columnar
#if canImport(Glibc)
    import Glibc
#endif

/// The machine's disk. A rename, and a new directory, is on the disk when the call returns.
public final class DiskStorage: Storage {
    public init() {}

    public func makeDirectories(_ path: String) throws(MillstreamError) {
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") where part != "." {
            let parent = made.isEmpty ? "/" : made
            made += "/" + part
            if mkdir(made, 0o777) == 0 {
                try syncDirectory(parent)
                continue
            }
            // Some file systems refuse with another reason than EEXIST what is there already.
            let number = errno
            var status = stat()
            guard stat(made, &status) == 0 else { throw MillstreamError.system("make the directory", made, number) }
            guard status.st_mode & S_IFMT == S_IFDIR else { throw MillstreamError.system("make the directory", made, ENOTDIR) }
        }
    }

    public func create(_ path: String) throws(MillstreamError) -> any StorageFile {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw MillstreamError.system("create", path, errno) }
        return DiskFile(path, descriptor, byteCount: 0, isNew: true)
    }

    public func reopen(_ path: String, truncatedTo byteCount: Int64) throws(MillstreamError) -> any StorageFile {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw MillstreamError.system("open", path, errno) }
        let file = DiskFile(path, descriptor, byteCount: byteCount, isNew: false)
        let length = lseek(descriptor, 0, SEEK_END)
        guard length >= 0 else { throw MillstreamError.system("open", path, errno) }
        guard Int64(length) >= byteCount else {
            throw MillstreamError(.io, "'\(path)' has \(length) bytes, but \(byteCount) were on the disk", domain: .external)
        }
        guard ftruncate(descriptor, off_t(byteCount)) == 0, lseek(descriptor, off_t(byteCount), SEEK_SET) >= 0 else {
            throw MillstreamError.system("truncate", path, errno)
        }
        return file
    }

    public func read(_ path: String) throws(MillstreamError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw MillstreamError.system("open", path, errno) }
        defer { close(descriptor) }
        var result: [UInt8] = []
        var failure: Int32 = 0
        withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { part in
            while true {
                let count = Glibc.read(descriptor, part.baseAddress, part.count)
                if count > 0 { result.append(contentsOf: part[..<count]) }
                if count == 0 { return }
                if count < 0, errno != EINTR {
                    failure = errno
                    return
                }
            }
        }
        guard failure == 0 else { throw MillstreamError.system("read", path, failure) }
        return result
    }

    public func read(_ path: String, _ range: Range<Int64>) throws(MillstreamError) -> Buffer {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw MillstreamError.system("open", path, errno) }
        defer { close(descriptor) }
        // Before memory is asked for: a damaged length must not take all of it.
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw MillstreamError.system("look at", path, errno) }
        guard range.lowerBound >= 0, range.upperBound <= Int64(status.st_size) else { throw .tooShort(path, Int64(status.st_size), range) }
        let buffer = try Buffer(checking: range.count)
        var done = 0
        while done < range.count {
            let count = pread(descriptor, buffer.base + done, range.count - done, off_t(range.lowerBound) + off_t(done))
            if count > 0 { done += count }
            if count == 0 { throw .tooShort(path, range.lowerBound + Int64(done), range) }
            if count < 0, errno != EINTR { throw MillstreamError.system("read", path, errno) }
        }
        if range.count >= Self.streamByteCount {
            // The next part is read meanwhile, and this one leaves the memory for it: whoever reads so much reads on, and seldom twice.
            _ = posix_fadvise(descriptor, off_t(range.upperBound), off_t(range.count), POSIX_FADV_WILLNEED)
            _ = posix_fadvise(descriptor, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_DONTNEED)
        }
        return buffer
    }

    /// From here on a range is taken for a part of a file that is read from front to back.
    private static let streamByteCount = 4 << 20

    public var isDisk: Bool { true }
    private static let pieceByteCount = 1 << 20

    public func read(_ path: String, pieces body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Void) throws(MillstreamError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw MillstreamError.system("open", path, errno) }
        defer { close(descriptor) }
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceByteCount, alignment: 64)
        defer { piece.deallocate() }
        while true {
            let count = Glibc.read(descriptor, piece.baseAddress, piece.count)
            if count == 0 { return }
            if count < 0 {
                if errno == EINTR { continue }
                throw MillstreamError.system("read", path, errno)
            }
            try body(UnsafeRawBufferPointer(rebasing: piece[..<count]))
        }
    }

    public func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    public func byteCount(_ path: String) throws(MillstreamError) -> Int64 {
        var status = stat()
        guard stat(path, &status) == 0 else { throw MillstreamError.system("look at", path, errno) }
        return Int64(status.st_size)
    }

    public func rename(_ from: String, to: String) throws(MillstreamError) {
        guard Glibc.rename(from, to) == 0 else { throw MillstreamError.system("rename to '\(to)'", from, errno) }
        try syncDirectory(parent(to))
        if parent(from) != parent(to) { try syncDirectory(parent(from)) }
    }

    public func remove(_ path: String) throws(MillstreamError) {
        guard Glibc.remove(path) == 0 else { throw MillstreamError.system("remove", path, errno) }
    }

    public func list(_ directory: String) throws(MillstreamError) -> [String] {
        guard let stream = opendir(directory) else { throw MillstreamError.system("list", directory, errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: tuple.pointee)) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}

private func parent(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

private func syncDirectory(_ path: String) throws(MillstreamError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw MillstreamError.system("open", path, errno) }
    defer { close(descriptor) }
    // Some file systems cannot sync a directory and say so; there is nothing more to do on them.
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw MillstreamError.system("sync", path, errno) }
}

/// A file on the disk that is being written.
private final class DiskFile: StorageFile {
    private let path: String
    private var descriptor: Int32
    private(set) var byteCount: Int64
    private var hasFailed = false
    /// The directory may not have the file's name on the disk yet.
    private var isNew: Bool
    /// The disk has been told to begin with the bytes before.
    private var begunByteCount: Int64 = 0
    /// So many bytes are handed to the disk at once, long before they are synced: it writes while there is more to come.
    private static let beginByteCount: Int64 = 8 << 20
    /// What was handed over so long before is likely on the disk.
    private static let windowByteCount: Int64 = 64 << 20

    init(_ path: String, _ descriptor: Int32, byteCount: Int64, isNew: Bool) {
        self.isNew = isNew
        self.path = path
        self.descriptor = descriptor
        self.byteCount = byteCount
        begunByteCount = byteCount
    }

    deinit { close() }

    func write(_ bytes: UnsafeRawBufferPointer) throws(MillstreamError) {
        try checkUsable()
        guard let base = bytes.baseAddress else { return }
        var done = 0
        while done < bytes.count {
            let written = Glibc.write(descriptor, base + done, bytes.count - done)
            if written > 0 {
                done += written
                byteCount += Int64(written)
                beginWriting()
            } else if written < 0, errno != EINTR {
                let number = errno
                hasFailed = true
                throw MillstreamError.system("write to", path, number)
            }
        }
    }

    /// A hint, which promises nothing: what is wrong with the disk, `sync` says. Linux begins to write what is not needed in memory any more; and what of it is
    /// written already leaves the memory, whose pages are taken again for what comes: a large file in new pages costs more than its copying.
    private func beginWriting() {
        guard byteCount - begunByteCount >= Self.beginByteCount else { return }
        let first = max(0, begunByteCount - Self.windowByteCount)
        _ = posix_fadvise(descriptor, off_t(first), off_t(byteCount - first), POSIX_FADV_DONTNEED)
        begunByteCount = byteCount
    }

    func sync() throws(MillstreamError) {
        try checkUsable()
        guard fsync(descriptor) == 0 else {
            let number = errno
            hasFailed = true
            throw MillstreamError.system("sync", path, number)
        }
        if isNew { try syncDirectory(parent(path)) }
        isNew = false
    }

    private func checkUsable() throws(MillstreamError) {
        guard descriptor >= 0 else { throw MillstreamError(.invalidState, "'\(path)' is closed", domain: .internal) }
        guard !hasFailed else {
            throw MillstreamError(.io, "'\(path)' failed before; what it holds is not known", domain: .external)
        }
    }

    func close() {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
        descriptor = -1
    }
}
