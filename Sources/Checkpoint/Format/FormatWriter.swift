import Columnar

/// Little-endian words, counted text and raw bytes, one behind the other: how everything in a checkpoint is written.
package struct FormatWriter {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func put<Number: FixedWidthInteger>(_ value: Number) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Bytes as they are; the reader must know how many.
    package mutating func put(raw source: UnsafeRawBufferPointer) { bytes.append(contentsOf: source) }

    /// A count of four bytes, then the bytes. Throws `limitExceeded` for more than `Int32.max` of them.
    package mutating func put(counted source: [UInt8]) throws(MillstreamError) {
        guard let count = UInt32(exactly: source.count), count <= UInt32(Int32.max) else {
            throw MillstreamError(.limitExceeded, "\(source.count) bytes are too many for one entry of a checkpoint")
        }
        put(count)
        bytes.append(contentsOf: source)
    }

    package mutating func put(_ text: String) throws(MillstreamError) { try put(counted: Array(text.utf8)) }

    /// Makes room for so many bytes more, so that they are not moved as they come.
    package mutating func reserve(_ byteCount: Int) {
        let needed = bytes.count + byteCount
        if needed > bytes.capacity { bytes.reserveCapacity(bytes.isEmpty ? needed : max(needed, 2 * bytes.capacity)) }
    }

    package var count: Int { bytes.count }

    /// Keeps the memory.
    package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// Takes back what was put behind the first bytes.
    package mutating func removeAll(behind count: Int) { bytes.removeLast(bytes.count - count) }
}
