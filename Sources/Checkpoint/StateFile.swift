import Columnar
import Dataflow

/// The format of a checkpoint's state files.
public enum StateFile {
    /// The first bytes: the name of the format and its version.
    static let head: [UInt8] = Array("MSTATE".utf8) + [version, 0]
    static let version: UInt8 = 1
    static let tail: [UInt8] = Array("MSTATEND".utf8)
    /// The index's place, its checksum, and the tail.
    static let trailerByteCount = 24

    enum Kind: UInt8 { case batch = 0, bytes = 1 }

    /// What the manifest keeps of a file, to know it again.
    public struct Summary: Hashable, Sendable {
        public var name: String
        public var byteCount: Int64
        public var rowCount: Int64
        /// Of the trailer, which has the checksum of the index, which has those of the blocks.
        public var checksum: UInt64

        public init(name: String, byteCount: Int64, rowCount: Int64, checksum: UInt64) {
            self.name = name
            self.byteCount = byteCount
            self.rowCount = rowCount
            self.checksum = checksum
        }
    }

    struct Block {
        var name: String
        var keyGroup: KeyGroup?
        var kind: Kind
        var compression: Compression
        var offset: Int64
        var storedByteCount: Int
        var byteCount: Int
        var rowCount: Int
        var checksum: UInt64

        init(
            name: String, keyGroup: KeyGroup?, kind: Kind, compression: Compression, offset: Int64, storedByteCount: Int, byteCount: Int,
            rowCount: Int, checksum: UInt64
        ) {
            self.name = name
            self.keyGroup = keyGroup
            self.kind = kind
            self.compression = compression
            self.offset = offset
            self.storedByteCount = storedByteCount
            self.byteCount = byteCount
            self.rowCount = rowCount
            self.checksum = checksum
        }

        func write(into out: inout FormatWriter) throws(MillstreamError) {
            try out.put(name)
            out.put(Int32(truncatingIfNeeded: keyGroup?.value ?? -1))
            out.put(kind.rawValue)
            out.put(compression.rawValue)
            out.put(offset)
            out.put(UInt32(truncatingIfNeeded: storedByteCount))
            out.put(UInt32(truncatingIfNeeded: byteCount))
            out.put(UInt32(truncatingIfNeeded: rowCount))
            out.put(checksum)
        }

        init(from source: inout FormatReader) throws(MillstreamError) {
            name = try source.text()
            let group = Int(try source.number(Int32.self))
            guard group >= -1, group < KeyGroup.maxParallelismLimit else { throw source.damaged("the key group \(group)") }
            keyGroup = group < 0 ? nil : KeyGroup(group)
            guard let kind = Kind(rawValue: try source.number(UInt8.self)), let compression = Compression(rawValue: try source.number(UInt8.self))
            else { throw source.damaged("the kind of a block is unknown") }
            self.kind = kind
            self.compression = compression
            offset = try source.number(Int64.self)
            storedByteCount = Int(try source.number(UInt32.self))
            byteCount = Int(try source.number(UInt32.self))
            rowCount = Int(try source.number(UInt32.self))
            checksum = try source.number(UInt64.self)
        }
    }
}
