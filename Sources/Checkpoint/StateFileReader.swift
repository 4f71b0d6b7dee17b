import Columnar
import Dataflow

/// Reads a file of `StateFileWriter`. Opening it checks all but the blocks; each block is checked as it is read.
public final class StateFileReader: StateReader {
    private let path: String
    private let bytes: [UInt8]
    private let blocks: [StateFile.Block]
    /// Who wrote the file.
    private let subtask: SubtaskIndex
    public let formerParallelism: Int
    private let keyGroups: Range<Int>?
    private let coding: BatchCoding

    /// `summary`, if given, is what the manifest says of the file, as are `subtask` and `formerParallelism`. `keyGroups` narrows what is read; nil: all.
    /// Throws `decode` for a file that is damaged, of another version, or another than the manifest's.
    public init(
        _ storage: any CheckpointStorage, name: String, summary: StateFile.Summary? = nil, subtask: SubtaskIndex = SubtaskIndex(0),
        formerParallelism: Int = 1, keyGroups: Range<Int>? = nil, objects: (any ObjectCoding)? = nil
    ) throws(MillstreamError) {
        self.subtask = subtask
        self.formerParallelism = formerParallelism
        path = storage.location(name)
        let bytes = try storage.read(name)
        self.bytes = bytes
        self.keyGroups = keyGroups
        coding = BatchCoding(objects: objects)
        let path = path
        if let summary, summary.byteCount != Int64(bytes.count) {
            throw MillstreamError.damaged(path, at: bytes.count, "it has \(bytes.count) bytes, the checkpoint says \(summary.byteCount)")
        }
        blocks = try bytes.withBytes { (all) throws(MillstreamError) in try StateFileReader.index(all, path, summary) }
    }

    /// The same file for other key groups; the bytes are shared.
    public func narrowed(to keyGroups: Range<Int>) -> StateFileReader { StateFileReader(self, keyGroups) }

    private init(_ whole: StateFileReader, _ keyGroups: Range<Int>) {
        path = whole.path
        bytes = whole.bytes
        blocks = whole.blocks
        coding = whole.coding
        subtask = whole.subtask
        formerParallelism = whole.formerParallelism
        self.keyGroups = keyGroups
    }

    private static func index(
        _ all: UnsafeRawBufferPointer, _ path: String, _ summary: StateFile.Summary?
    ) throws(MillstreamError) -> [StateFile.Block] {
        let headCount = StateFile.head.count
        guard all.count >= headCount + StateFile.trailerByteCount, all.prefix(6).elementsEqual(StateFile.head.prefix(6)) else {
            throw MillstreamError.damaged(path, at: 0, "it is no state file of a checkpoint")
        }
        guard all[6] == StateFile.version, all[7] == 0 else {
            throw MillstreamError(
                .decode, "'\(path)' has the format version \(all[6]), this Millstream reads version \(StateFile.version)",
                hint: "It was written by a newer Millstream: use that one.", domain: .external)
        }
        let trailerStart = all.count - StateFile.trailerByteCount
        guard all.suffix(8).elementsEqual(StateFile.tail) else { throw MillstreamError.damaged(path, at: all.count - 8, "its end is missing") }
        var trailer = FormatReader(UnsafeRawBufferPointer(rebasing: all[trailerStart...]), subject: path, origin: trailerStart)
        let indexOffset = try trailer.number(Int64.self)
        let checksum = try trailer.number(UInt64.self)
        guard indexOffset >= Int64(headCount), indexOffset <= Int64(trailerStart) else { throw trailer.damaged("its index is at \(indexOffset)") }
        let trailerHash = StableHash.xxh64(UnsafeRawBufferPointer(rebasing: all[trailerStart..<trailerStart + 16]), seed: UInt64(all.count))
        if let summary, summary.checksum != trailerHash { throw trailer.damaged("it is another file than the checkpoint's") }
        let indexBytes = UnsafeRawBufferPointer(rebasing: all[Int(indexOffset)..<trailerStart])
        guard StableHash.xxh64(indexBytes, seed: UInt64(bitPattern: indexOffset)) == checksum else {
            throw MillstreamError.damaged(path, at: Int(indexOffset), "the checksum of its index is not \(checksum)")
        }
        var source = FormatReader(indexBytes, subject: path, origin: Int(indexOffset))
        var blocks: [StateFile.Block] = []
        var end = Int64(headCount)
        for _ in 0..<(try source.count(of: 40)) {
            let block = try StateFile.Block(from: &source)
            // The blocks lie side by side from the head to the index: nothing between them goes unchecked.
            guard block.offset == end else { throw source.damaged("a block at \(block.offset) instead of \(end)") }
            end += Int64(block.storedByteCount)
            blocks.append(block)
        }
        try source.finish()
        guard end == indexOffset else { throw source.damaged("its blocks end at \(end) instead of \(indexOffset)") }
        return blocks
    }

    /// The names of the parts, in the order in which they were first written.
    public var names: [String] {
        var names: [String] = []
        for block in blocks where !names.contains(block.name) { names.append(block.name) }
        return names
    }

    public func batches(_ name: String) throws(MillstreamError) -> [(keyGroup: KeyGroup?, batch: Batch)] {
        var result: [(keyGroup: KeyGroup?, batch: Batch)] = []
        for block in wanted(name, .batch) {
            let raw = try unpacked(block)
            let batch = try coding.decode(
                UnsafeRawBufferPointer(start: raw.base, count: block.byteCount), subject: "\(path)', part '\(name)", origin: 0)
            guard batch.count == block.rowCount else {
                throw MillstreamError.damaged(path, at: Int(block.offset), "a block has \(batch.count) rows instead of \(block.rowCount)")
            }
            withExtendedLifetime(raw) {}
            result.append((block.keyGroup, batch))
        }
        return result
    }

    public func bytes(_ name: String) throws(MillstreamError) -> [(keyGroup: KeyGroup?, bytes: [UInt8])] {
        var result: [(keyGroup: KeyGroup?, bytes: [UInt8])] = []
        for block in wanted(name, .bytes) {
            let raw = try unpacked(block)
            result.append((block.keyGroup, Array(UnsafeRawBufferPointer(start: raw.base, count: block.byteCount))))
            withExtendedLifetime(raw) {}
        }
        return result
    }

    public func unkeyedBatches(_ name: String) throws(MillstreamError) -> [(subtask: SubtaskIndex, batch: Batch)] {
        try batches(name).compactMap { $0.keyGroup == nil ? (subtask, $0.batch) : nil }
    }

    public func unkeyedBytes(_ name: String) throws(MillstreamError) -> [(subtask: SubtaskIndex, bytes: [UInt8])] {
        try bytes(name).compactMap { $0.keyGroup == nil ? (subtask, $0.bytes) : nil }
    }

    /// Checks every block without keeping it.
    public func verify() throws(MillstreamError) {
        for block in blocks { _ = try unpacked(block) }
    }

    private func wanted(_ name: String, _ kind: StateFile.Kind) -> [StateFile.Block] {
        blocks.filter { block in
            guard block.name == name, block.kind == kind else { return false }
            guard let group = block.keyGroup, let keyGroups else { return true }
            return keyGroups.contains(group.value)
        }
    }

    private func unpacked(_ block: StateFile.Block) throws(MillstreamError) -> Buffer {
        let path = path
        return try bytes.withBytes { (all) throws(MillstreamError) in
            let start = Int(block.offset)
            let stored = UnsafeRawBufferPointer(rebasing: all[start..<start + block.storedByteCount])
            guard StableHash.xxh64(stored, seed: 0) == block.checksum else {
                throw MillstreamError.damaged(path, at: start, "the checksum of the block '\(block.name)' is not \(block.checksum)")
            }
            guard let raw = try block.compression.unpack(stored, byteCount: block.byteCount) else {
                throw MillstreamError.damaged(path, at: start, "the block '\(block.name)' does not unpack to \(block.byteCount) bytes")
            }
            return raw
        }
    }
}
