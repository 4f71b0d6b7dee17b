import Columnar
import Dataflow
import Glibc
import Synchronization

/// The directory of this process below one that stores may use: scratch, gone with its last store.
///
/// Beside it is a file that the process holds a lock on: a directory whose lock can be had is what a dead process left, and is removed by the next process that makes one.
final class LocalDirectory: @unchecked Sendable {
    private static let prefix = "millstream-rocksdb-"
    private static let lockSuffix = ".lock"
    private static let open = Guarded<[String: WeakDirectory]>([:])

    private struct WeakDirectory { weak var directory: LocalDirectory? }

    let path: String
    private let lockPath: String
    private let descriptor: Int32
    private let nextNumber = Atomic<Int>(0)

    /// The process's directory below `base`.
    static func below(_ base: String) throws(MillstreamError) -> LocalDirectory {
        try open.withLock { open throws(MillstreamError) in
            if let known = open[base]?.directory { return known }
            try DiskStorage().makeDirectories(base)
            removeLeftovers(base)
            let made = try LocalDirectory(base)
            open[base] = WeakDirectory(directory: made)
            return made
        }
    }

    private init(_ base: String) throws(MillstreamError) {
        for number in 0... {
            let path = "\(base)/\(Self.prefix)\(getpid())-\(number)"
            let lockPath = path + Self.lockSuffix
            let descriptor = Glibc.open(lockPath, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            if descriptor < 0, errno == EEXIST { continue }
            guard descriptor >= 0 else { throw MillstreamError.system("create", lockPath, errno) }
            var held = stat()
            var named = stat()
            // Whoever clears up may have taken the new file for a leftover, before it was locked.
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, fstat(descriptor, &held) == 0, stat(lockPath, &named) == 0, held.st_ino == named.st_ino else {
                close(descriptor)
                continue
            }
            guard mkdir(path, 0o700) == 0 else {
                let number = errno
                unlink(lockPath)
                close(descriptor)
                throw MillstreamError.system("make the directory", path, number)
            }
            self.path = path
            self.lockPath = lockPath
            self.descriptor = descriptor
            return
        }
        throw .internal("no name is left below '\(base)'")
    }

    deinit {
        Self.removeTree(path)
        unlink(lockPath)
        close(descriptor)
    }

    /// A name that no other store of the process has.
    func newPath(_ name: String) -> String { "\(path)/\(name)-\(nextNumber.add(1, ordering: .relaxed).oldValue)" }

    /// What dead processes left below `base`.
    static func removeLeftovers(_ base: String) {
        for name in names(base) where name.hasPrefix(prefix) && name.hasSuffix(lockSuffix) {
            let lockPath = base + "/" + name
            let descriptor = Glibc.open(lockPath, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
            guard descriptor >= 0 else { continue }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
                removeTree(String(lockPath.dropLast(lockSuffix.count)))
                unlink(lockPath)
            }
            close(descriptor)
        }
    }

    static func names(_ directory: String) -> [String] {
        do { return try DiskStorage().list(directory) } catch { return [] }
    }

    /// Removes all that can be removed; follows no links.
    static func removeTree(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR {
            for name in names(path) { removeTree(path + "/" + name) }
            rmdir(path)
        } else {
            unlink(path)
        }
    }
}
