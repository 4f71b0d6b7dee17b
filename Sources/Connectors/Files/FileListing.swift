import Columnar
import Dataflow
import Glibc

/// A regular file that a path led to.
struct ListedFile {
    var path: String
    var identity: FileIdentity
}

/// Finds the files that paths name: files, directories and globs, sorted by bytes, each file once.
enum FileListing {
    /// Deeper directories are refused.
    static let depthMax = 64

    /// Throws `io` for a path that is missing or is neither a file nor a directory, and for a glob without a match, unless `allowsNone`.
    /// With `partitions` only files in folders of all keys are found, and folders of partitions that nobody asks for are not looked into.
    static func files(_ paths: [String], partitions: PartitionFolders? = nil, allowsNone: Bool) throws(MillstreamError) -> [ListedFile] {
        var found: [ListedFile] = []
        for path in paths { try list(withoutScheme(path), partitions, allowsNone, into: &found) }
        if let partitions { found.removeAll { !partitions.isWanted($0.path) } }
        found.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        var unique: [ListedFile] = []
        for file in found where unique.last?.path != file.path { unique.append(file) }
        return unique
    }

    private struct DirectoryIdentity: Equatable {
        var device: UInt64
        var inode: UInt64
    }

    private static func withoutScheme(_ path: String) -> String {
        path.hasPrefix("file://") ? String(path.dropFirst(7)) : path.hasPrefix("file:/") ? String(path.dropFirst(5)) : path
    }

    private static func list(_ path: String, _ partitions: PartitionFolders?, _ allowsNone: Bool, into found: inout [ListedFile]) throws(MillstreamError) {
        guard !path.isEmpty, !path.utf8.contains(0) else { throw MillstreamError(.io, "a source's path is empty or holds a NUL byte") }
        // A file whose name looks like a pattern is that file.
        if let status = status(path) { return try add(path, status, partitions, above: [], into: &found) }
        let number = errno
        guard Glob.isPattern(path) else {
            if allowsNone, number == ENOENT { return }
            throw MillstreamError.system("read", path, number)
        }
        let count = found.count
        for match in try Glob.expand(path) {
            guard let status = Self.status(match) else { continue }
            try add(match, status, partitions, above: [], into: &found)
        }
        if found.count == count, !allowsNone { throw MillstreamError(.io, "no file matches '\(path)'", domain: .external) }
    }

    /// A file's or a directory's content; `above` are the directories on the way to it.
    private static func add(
        _ path: String, _ status: stat, _ partitions: PartitionFolders?, above: [DirectoryIdentity], into found: inout [ListedFile]
    ) throws(MillstreamError) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: found.append(ListedFile(path: path, identity: identity(status)))
        case S_IFDIR:
            let directory = DirectoryIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
            // A link that leads back up: the files behind it are listed already.
            if above.contains(directory) { return }
            guard above.count < depthMax else { throw MillstreamError(.limitExceeded, "'\(path)' is more than \(depthMax) directories deep") }
            for name in try names(path) where !isHidden(name) {
                if let partitions, !partitions.mayBeWanted(folder: name) { continue }
                let inner = path.hasSuffix("/") ? path + name : path + "/" + name
                // Gone since it was listed, or a link to nothing.
                guard let status = Self.status(inner) else { continue }
                try add(inner, status, partitions, above: above + [directory], into: &found)
            }
        default: throw MillstreamError(.io, "cannot read '\(path)': it is \(kind(status)), not a file", domain: .external)
        }
    }

    /// Flink leaves out what tools write beside the data: `_SUCCESS`, `.crc`, files in progress.
    static func isHidden(_ name: String) -> Bool { name.hasPrefix(".") || name.hasPrefix("_") }

    /// Names in a directory, sorted by bytes, without `.` and `..`.
    static func names(_ directory: String) throws(MillstreamError) -> [String] {
        guard let stream = opendir(directory) else { throw MillstreamError.system("list", directory, errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: tuple.pointee)) { String(validatingCString: $0) }
            }
            guard let name else { throw MillstreamError(.io, "a name in '\(directory)' is not UTF-8", domain: .external) }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    static func status(_ path: String) -> stat? {
        var status = stat()
        return stat(path, &status) == 0 ? status : nil
    }

    static func identity(_ status: stat) -> FileIdentity {
        FileIdentity(
            byteCount: Int64(status.st_size),
            modifiedNanoseconds: Int64(status.st_mtim.tv_sec).multipliedReportingOverflow(by: 1_000_000_000).partialValue
                &+ Int64(status.st_mtim.tv_nsec),
            inode: Int64(truncatingIfNeeded: status.st_ino))
    }

    static func kind(_ status: stat) -> String {
        switch status.st_mode & S_IFMT {
        case S_IFDIR: "a directory"
        case S_IFIFO: "a FIFO"
        case S_IFSOCK: "a socket"
        case S_IFCHR, S_IFBLK: "a device"
        default: "something else"
        }
    }
}
