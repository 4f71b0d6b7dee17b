import Columnar

/// The only door to the disk for what must be durable: file sinks, checkpoints. The simulation has a twin that loses what was not synced.
///
/// Paths are absolute. Errors are `.io` with the path and the system's reason.
public protocol Storage: AnyObject, Sendable {
    func makeDirectories(_ path: String) throws(MillstreamError)
    /// Creates (or empties) a file for writing.
    func create(_ path: String) throws(MillstreamError) -> any StorageFile
    /// Opens a file and cuts it to `byteCount`, to go on from there.
    func reopen(_ path: String, truncatedTo byteCount: Int64) throws(MillstreamError) -> any StorageFile
    func read(_ path: String) throws(MillstreamError) -> [UInt8]
    /// Some bytes of a file, which has at least so many. Throws `io` where it has not.
    func read(_ path: String, _ range: Range<Int64>) throws(MillstreamError) -> Buffer
    /// Gives a file's bytes in order, piece by piece.
    func read(_ path: String, pieces body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Void) throws(MillstreamError)
    /// Whether paths are those of the machine's own files, which others may link to.
    var isDisk: Bool { get }
    func exists(_ path: String) -> Bool
    /// How long a file is.
    func byteCount(_ path: String) throws(MillstreamError) -> Int64
    /// Atomic; the directories are synced before it returns.
    func rename(_ from: String, to: String) throws(MillstreamError)
    /// Removes a file, or a directory that is empty.
    func remove(_ path: String) throws(MillstreamError)
    /// Names in a directory, sorted by bytes.
    func list(_ directory: String) throws(MillstreamError) -> [String]
}

extension Storage {
    public func byteCount(_ path: String) throws(MillstreamError) -> Int64 { Int64(try read(path).count) }

    public func read(_ path: String, _ range: Range<Int64>) throws(MillstreamError) -> Buffer {
        let bytes = try read(path)
        return try bytes.withUnsafeBufferPointer { (bytes) throws(MillstreamError) in try copyRange(range, of: UnsafeRawBufferPointer(bytes), path) }
    }

    public var isDisk: Bool { false }

    public func read(_ path: String, pieces body: (UnsafeRawBufferPointer) throws(MillstreamError) -> Void) throws(MillstreamError) {
        try read(path).withBytes(body)
    }
}

/// A file that is being written.
public protocol StorageFile: AnyObject {
    var byteCount: Int64 { get }
    func write(_ bytes: UnsafeRawBufferPointer) throws(MillstreamError)
    /// Returns when the bytes, and the name of a file that `create` made, are on the disk. After a failure the file is never synced again: the kernel may have dropped its pages.
    func sync() throws(MillstreamError)
    func close()
}

/// A copy of some of an object's bytes. Throws `io` where it has fewer.
package func copyRange(_ range: Range<Int64>, of bytes: UnsafeRawBufferPointer, _ path: String) throws(MillstreamError) -> Buffer {
    guard range.lowerBound >= 0, range.upperBound <= Int64(bytes.count) else { throw .tooShort(path, Int64(bytes.count), range) }
    let buffer = try Buffer(checking: range.count)
    if let base = bytes.baseAddress, !range.isEmpty { buffer.base.copyMemory(from: base + Int(range.lowerBound), byteCount: range.count) }
    return buffer
}

extension MillstreamError {
    /// A file does not have the bytes that are asked for.
    package static func tooShort(_ path: String, _ byteCount: Int64, _ range: Range<Int64>) -> MillstreamError {
        MillstreamError(.io, "'\(path)' has \(byteCount) bytes, and \(range.lowerBound) to \(range.upperBound) are asked for", domain: .external)
    }
}
