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
    private var offset: Int64 = 0
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
        do { try put(StateFile.head) } catch {
            object.abandon()
            throw error
        }
    }

    public func write(_ name: String, keyGroup: KeyGroup?, batch: Batch) throws(MillstreamError) {
        let bytes: [UInt8]
        do throws(MillstreamError) { bytes = try coding.encode(batch) { self.objects.note($0, in: name) } } catch { throw error.ofValue(in: name, batch) }
        try write(name, keyGroup, .batch, rowCount: batch.count, bytes)
    }

    public func write(_ name: String, keyGroup: KeyGroup?, bytes: [UInt8]) throws(MillstreamError) {
        try write(name, keyGroup, .bytes, rowCount: 0, bytes)
    }

    private func write(_ name: String, _ keyGroup: KeyGroup?, _ kind: StateFile.Kind, rowCount: Int, _ raw: [UInt8]) throws(MillstreamError) {
        guard raw.count <= Compression.byteCountMax else {
            throw MillstreamError(.limitExceeded, "a block of \(raw.count) bytes is too large for the checkpoint file '\(self.name)'")
        }
        let packed = try raw.withBytes { (bytes) throws(MillstreamError) in try compression.pack(bytes) }
        let stored = packed ?? raw
        blocks.append(
            StateFile.Block(
                name: name, keyGroup: keyGroup, kind: kind, compression: packed == nil ? .none : compression, offset: offset,
                storedByteCount: stored.count, byteCount: raw.count, rowCount: rowCount,
                checksum: stored.withUnsafeBytes { StableHash.xxh64($0, seed: 0) }))
        try put(stored)
    }

    /// Writes the index and makes the file durable. What the manifest must know of it.
    public func finish() throws(MillstreamError) -> StateFile.Summary {
        var index = FormatWriter()
        index.put(UInt32(truncatingIfNeeded: blocks.count))
        for block in blocks { try block.write(into: &index) }
        let indexOffset = offset
        try put(index.bytes)
        var trailer = FormatWriter()
        trailer.put(indexOffset)
        trailer.put(index.bytes.withUnsafeBytes { StableHash.xxh64($0, seed: UInt64(bitPattern: indexOffset)) })
        try put(trailer.bytes + StateFile.tail)
        try object.commit()
        return StateFile.Summary(
            name: name, byteCount: offset, rowCount: blocks.reduce(0) { $0 + Int64($1.rowCount) },
            checksum: trailer.bytes.withUnsafeBytes { StableHash.xxh64($0, seed: UInt64(bitPattern: offset)) })
    }

    /// Gives the file up; nothing of it is seen. Harmless after `finish`.
    public func abandon() { object.abandon() }

    private func put(_ bytes: [UInt8]) throws(MillstreamError) {
        try bytes.withBytes { (source) throws(MillstreamError) in try object.write(source) }
        offset += Int64(bytes.count)
    }
}
