import Columnar
import Dataflow

/// Reads a file of `StateFileWriter`. Opening it checks all but the blocks; each block is read and checked as it is asked for, so that no more of the file
/// is in memory than a run of blocks.
public final class StateFileReader: StateReader {
    /// Neighbouring blocks are read at once up to so many bytes.
    private static let runByteCount: Int64 = 8 << 20

    private let storage: any CheckpointStorage
    private let name: String
    private let path: String
    private let blocks: [StateFile.Block]
    /// Who wrote the file.
    let subtask: SubtaskIndex
    public let formerParallelism: Int
    private let keyGroups: Range<Int>?
    private let coding: BatchCoding

    /// `summary`, if given, is what the manifest says of the file, as are `subtask` and `formerParallelism`. `keyGroups` narrows what is read; nil: all.
    /// Throws `decode` for a file that is damaged, of another version, or another than the manifest's.
    public init(
        _ storage: any CheckpointStorage, name: String, summary: StateFile.Summary? = nil, subtask: SubtaskIndex = SubtaskIndex(0),
        formerParallelism: Int = 1, keyGroups: Range<Int>? = nil, objects: (any ObjectCoding)? = nil
    ) throws(MillstreamError) {
        self.storage = storage
        self.name = name
        self.subtask = subtask
        self.formerParallelism = formerParallelism
        path = storage.location(name)
        self.keyGroups = keyGroups
        coding = BatchCoding(objects: objects)
        blocks = try Self.index(storage, name, summary)
    }

    /// The same file for other key groups.
    public func narrowed(to keyGroups: Range<Int>) -> StateFileReader { StateFileReader(self, keyGroups) }

    private init(_ whole: StateFileReader, _ keyGroups: Range<Int>) {
        storage = whole.storage
        name = whole.name
        path = whole.path
        blocks = whole.blocks
        coding = whole.coding
        subtask = whole.subtask
        formerParallelism = whole.formerParallelism
        self.keyGroups = keyGroups
    }

    private static func index(
        _ storage: any CheckpointStorage, _ name: String, _ summary: StateFile.Summary?
    ) throws(MillstreamError) -> [StateFile.Block] {
        let path = storage.location(name)
        let byteCount = try storage.byteCount(name)
        if let summary, summary.byteCount != byteCount {
            throw MillstreamError.damaged(path, at: Int(byteCount), "it has \(byteCount) bytes, the checkpoint says \(summary.byteCount)")
        }
        let headCount = StateFile.head.count
        guard byteCount >= Int64(headCount + StateFile.trailerByteCount) else { throw MillstreamError.damaged(path, at: 0, "it is no state file of a checkpoint") }
        let headBuffer = try storage.read(name, 0..<Int64(headCount))
        let head = Array(UnsafeRawBufferPointer(start: headBuffer.base, count: headCount))
        withExtendedLifetime(headBuffer) {}
        guard head.prefix(6).elementsEqual(StateFile.head.prefix(6)) else { throw MillstreamError.damaged(path, at: 0, "it is no state file of a checkpoint") }
        guard head[6] == StateFile.version, head[7] == 0 else {
            throw MillstreamError(
                .decode, "'\(path)' has the format version \(head[6]), this Millstream reads version \(StateFile.version)",
                hint: "It was written by a newer Millstream: use that one.", domain: .external)
        }
        let trailerStart = byteCount - Int64(StateFile.trailerByteCount)
        let trailerBuffer = try storage.read(name, trailerStart..<byteCount)
        defer { withExtendedLifetime(trailerBuffer) {} }
        let trailerBytes = UnsafeRawBufferPointer(start: trailerBuffer.base, count: StateFile.trailerByteCount)
        guard trailerBytes.suffix(8).elementsEqual(StateFile.tail) else {
            throw MillstreamError.damaged(path, at: Int(byteCount) - 8, "its end is missing")
        }
        var trailer = FormatReader(trailerBytes, subject: path, origin: Int(trailerStart))
        let indexOffset = try trailer.number(Int64.self)
        let checksum = try trailer.number(UInt64.self)
        guard indexOffset >= Int64(headCount), indexOffset <= trailerStart else { throw trailer.damaged("its index is at \(indexOffset)") }
        let trailerHash = StableHash.xxh64(UnsafeRawBufferPointer(rebasing: trailerBytes[..<16]), seed: UInt64(byteCount))
        if let summary, summary.checksum != trailerHash {
            throw trailer.damaged("it is another file than the checkpoint's: the checksum of its end is \(trailerHash), and \(summary.checksum) was expected")
        }
        let indexBuffer = try storage.read(name, indexOffset..<trailerStart)
        defer { withExtendedLifetime(indexBuffer) {} }
        let indexBytes = UnsafeRawBufferPointer(start: indexBuffer.base, count: Int(trailerStart - indexOffset))
        let indexHash = StableHash.xxh64(indexBytes, seed: UInt64(bitPattern: indexOffset))
        guard indexHash == checksum else {
            throw MillstreamError.damaged(path, at: Int(indexOffset), "its index", checksum: indexHash, expected: checksum)
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
        try forEachBatch(name) { result.append(($0, $1)) }
        return result
    }

    public func rowCount(_ name: String) -> Int { wanted(name, .batch).reduce(0) { $0 + $1.rowCount } }

    public func forEachBatch(_ name: String, _ body: (KeyGroup?, Batch) throws(MillstreamError) -> Void) throws(MillstreamError) {
        try forEachBlock(wanted(name, .batch)) { (block, raw) throws(MillstreamError) in
            let batch = try coding.decode(raw, subject: "\(path)', part '\(name)", origin: 0)
            guard batch.count == block.rowCount else {
                throw MillstreamError.damaged(path, at: Int(block.offset), "a block has \(batch.count) rows instead of \(block.rowCount)")
            }
            try body(block.keyGroup, batch)
        }
    }

    /// The first block of rows of a part, whatever its key group; nil where there is none.
    func first(_ name: String) throws(MillstreamError) -> Batch? {
        guard let block = blocks.first(where: { $0.name == name && $0.kind == .batch }) else { return nil }
        var first: Batch?
        try forEachBlock([block]) { (_, bytes) throws(MillstreamError) in
            first = try coding.decode(bytes, subject: "\(path)', part '\(name)", origin: 0)
        }
        return first
    }

    public func bytes(_ name: String) throws(MillstreamError) -> [(keyGroup: KeyGroup?, bytes: [UInt8])] {
        var result: [(keyGroup: KeyGroup?, bytes: [UInt8])] = []
        try forEachBlock(wanted(name, .bytes)) { result.append(($0.keyGroup, Array($1))) }
        return result
    }

    public func unkeyedBatches(_ name: String) throws(MillstreamError) -> [(subtask: SubtaskIndex, batch: Batch)] {
        try batches(name).compactMap { $0.keyGroup == nil ? (subtask, $0.batch) : nil }
    }

    public func unkeyedBytes(_ name: String) throws(MillstreamError) -> [(subtask: SubtaskIndex, bytes: [UInt8])] {
        try bytes(name).compactMap { $0.keyGroup == nil ? (subtask, $0.bytes) : nil }
    }

    /// Checks every block without keeping it.
    public func verify() throws(MillstreamError) { try forEachBlock(blocks) { _, _ in } }

    private func wanted(_ name: String, _ kind: StateFile.Kind) -> [StateFile.Block] {
        blocks.filter { block in
            guard block.name == name, block.kind == kind else { return false }
            guard let group = block.keyGroup, let keyGroups else { return true }
            return keyGroups.contains(group.value)
        }
    }

    /// Reads some blocks, those that are neighbours in the file together, and gives the checked and unpacked bytes of each.
    private func forEachBlock(
        _ wanted: [StateFile.Block], _ body: (StateFile.Block, UnsafeRawBufferPointer) throws(MillstreamError) -> Void
    ) throws(MillstreamError) {
        var first = 0
        while first < wanted.count {
            let start = wanted[first].offset
            var end = start + Int64(wanted[first].storedByteCount)
            var last = first + 1
            while last < wanted.count, wanted[last].offset == end, end - start + Int64(wanted[last].storedByteCount) <= Self.runByteCount {
                end += Int64(wanted[last].storedByteCount)
                last += 1
            }
            let buffer = try storage.read(name, start..<end)
            for block in wanted[first..<last] {
                let stored = UnsafeRawBufferPointer(start: buffer.base + Int(block.offset - start), count: block.storedByteCount)
                let hash = StableHash.xxh64(stored, seed: 0)
                guard hash == block.checksum else {
                    throw MillstreamError.damaged(path, at: Int(block.offset), "the block '\(block.name)'", checksum: hash, expected: block.checksum)
                }
                if block.compression == .none {
                    guard block.byteCount == block.storedByteCount else { throw unpacking(block) }
                    try body(block, stored)
                    continue
                }
                guard let raw = try block.compression.unpack(stored, byteCount: block.byteCount) else { throw unpacking(block) }
                try body(block, UnsafeRawBufferPointer(start: raw.base, count: block.byteCount))
                withExtendedLifetime(raw) {}
            }
            withExtendedLifetime(buffer) {}
            first = last
        }
    }

    private func unpacking(_ block: StateFile.Block) -> MillstreamError {
        .damaged(path, at: Int(block.offset), "the block '\(block.name)' does not unpack to \(block.byteCount) bytes")
    }
}
