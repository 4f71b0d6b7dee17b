import Columnar
import Dataflow

/// One file of a checkpoint: blocks of batches and bytes, then their index. docs/state-format.md has the layout.
///
/// Every byte of the file is covered by a checksum or is a constant, so that no damage goes unseen. One thread at a time.
public final class StateFileWriter: StateWriter {
    private let object: any CheckpointObject
    private let name: String
    private let compression: Compression
    private let coding: BatchCoding
    private var blocks: [StateFile.Block] = []
    /// Where the next byte goes in the file.
    private var offset: Int64 = 0
    /// What was not given to the object yet: small blocks go together, and the memory is used again.
    private var out = FormatWriter()
    private static let outByteCount = 1 << 20
    /// What the file has of values of the host.
    public private(set) var objects = WrittenObjects()

    /// Begins the object `name`.
    public init(
        _ storage: any CheckpointStorage, name: String, compression: Compression = .lz4, objects: (any ObjectCoding)? = nil
    ) throws(MillstreamError) {
        self.name = name
        self.compression = compression
        coding = BatchCoding(objects: objects)
        object = try storage.begin(name)
        StateFile.head.withUnsafeBytes { out.put(raw: $0) }
        offset = Int64(out.count)
    }

    public func write(_ name: String, keyGroup: KeyGroup?, batch: Batch) throws(MillstreamError) {
        try write(name, keyGroup, .batch, rowCount: batch.count) { (out) throws(MillstreamError) in
            do throws(MillstreamError) { try coding.encode(batch, into: &out) { self.objects.note($0, in: name) } } catch { throw error.ofValue(in: name, batch) }
        }
    }

    public func write(_ name: String, keyGroup: KeyGroup?, bytes: [UInt8]) throws(MillstreamError) {
        try write(name, keyGroup, .bytes, rowCount: 0) { (out) in bytes.withUnsafeBytes { out.put(raw: $0) } }
    }

    private func write(
        _ name: String, _ keyGroup: KeyGroup?, _ kind: StateFile.Kind, rowCount: Int, _ body: (inout FormatWriter) throws(MillstreamError) -> Void
    ) throws(MillstreamError) {
        let start = out.count
        do throws(MillstreamError) {
            try body(&out)
            let byteCount = out.count - start
            guard byteCount <= Compression.byteCountMax else {
                throw MillstreamError(.limitExceeded, "a block of \(byteCount) bytes is too large for the checkpoint file '\(self.name)'")
            }
            let packed = try out.bytes.withBytes { (bytes) throws(MillstreamError) in
                try compression.pack(UnsafeRawBufferPointer(rebasing: bytes[start...]))
            }
            if let packed {
                out.removeAll(behind: start)
                packed.withUnsafeBytes { out.put(raw: $0) }
            }
            let storedByteCount = out.count - start
            blocks.append(
                StateFile.Block(
                    name: name, keyGroup: keyGroup, kind: kind, compression: packed == nil ? .none : compression, offset: offset,
                    storedByteCount: storedByteCount, byteCount: byteCount, rowCount: rowCount,
                    checksum: out.bytes.withUnsafeBytes { StableHash.xxh64(UnsafeRawBufferPointer(rebasing: $0[start...]), seed: 0) }))
            offset += Int64(storedByteCount)
        } catch {
            out.removeAll(behind: start)
            throw error
        }
        if out.count >= Self.outByteCount { try flush() }
    }

    /// Writes the index and makes the file durable. What the manifest must know of it.
    public func finish() throws(MillstreamError) -> StateFile.Summary {
        var index = FormatWriter()
        index.put(UInt32(truncatingIfNeeded: blocks.count))
        for block in blocks { try block.write(into: &index) }
        let indexOffset = offset
        put(index.bytes)
        var trailer = FormatWriter()
        trailer.put(indexOffset)
        trailer.put(index.bytes.withUnsafeBytes { StableHash.xxh64($0, seed: UInt64(bitPattern: indexOffset)) })
        put(trailer.bytes + StateFile.tail)
        try flush()
        try object.commit()
        return StateFile.Summary(
            name: name, byteCount: offset, rowCount: blocks.reduce(0) { $0 + Int64($1.rowCount) },
            checksum: trailer.bytes.withUnsafeBytes { StableHash.xxh64($0, seed: UInt64(bitPattern: offset)) })
    }

    /// Gives the file up; nothing of it is seen. Harmless after `finish`.
    public func abandon() { object.abandon() }

    private func put(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { out.put(raw: $0) }
        offset += Int64(bytes.count)
    }

    private func flush() throws(MillstreamError) {
        try out.bytes.withBytes { (source) throws(MillstreamError) in try object.write(source) }
        out.removeAll()
    }
}
