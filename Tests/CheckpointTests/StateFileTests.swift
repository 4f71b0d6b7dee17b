import Checkpoint
import Columnar
import Dataflow
import TestColumns
import Testing

/// One part of a state file.
private struct Part {
    var name: String
    var group: KeyGroup?
    var batch: Batch?
    var bytes: [UInt8] = []
}

private func randomBatch(_ columns: inout RandomColumns) throws -> Batch {
    let count = columns.random.int(0..<50)
    let fields = (0..<columns.random.int(1..<4)).map { Field("field \($0)", columns.type()) }
    var values: [Column] = []
    for field in fields { values.append(try columns.column(field.type, count)) }
    if columns.random.chance(30) { values.append(try columns.column(DataType.bigInt.notNull, count)) }
    var batch = Batch(schema: Schema(fields), columns: values, count: count)
    if columns.random.chance(50) { batch.timestamps = try columns.column(DataType.bigInt.notNull, count) }
    if columns.random.chance(30) { batch.keyHashes = try columns.column(DataType.bigInt.notNull, count) }
    if columns.random.chance(30) { batch.rowKinds = try columns.column(DataType.tinyInt.notNull, count) }
    if columns.random.chance(30), count > 0 {
        batch.selection = Selection((0..<columns.random.int(0..<count)).map { _ in Int32(columns.random.int(0..<count)) })
    }
    return batch
}

private func randomParts(_ seed: Int, withObjects: Bool = true) throws -> [Part] {
    var columns = RandomColumns(seed)
    columns.withObjects = withObjects
    return try (0..<columns.random.int(0..<8)).map { _ in
        let name = ["values", "timers", "väl"][columns.random.int(0..<3)]
        let group = columns.random.chance(70) ? KeyGroup(columns.random.int(0..<128)) : nil
        if columns.random.chance(30) {
            return Part(name: name, group: group, bytes: (0..<columns.random.int(0..<300)).map { UInt8(truncatingIfNeeded: $0 / 7) })
        }
        return Part(name: name, group: group, batch: try randomBatch(&columns))
    }
}

private func write(
    _ parts: [Part], to storage: any CheckpointStorage, name: String = "chk-1/part", compression: Compression
) throws(MillstreamError) -> StateFile.Summary {
    let writer = try StateFileWriter(storage, name: name, compression: compression, objects: DigitCoding())
    do {
        for part in parts {
            if let batch = part.batch {
                try writer.write(part.name, keyGroup: part.group, batch: batch)
            } else {
                try writer.write(part.name, keyGroup: part.group, bytes: part.bytes)
            }
        }
        return try writer.finish()
    } catch {
        writer.abandon()
        throw error
    }
}

private func text(_ batch: Batch) throws -> [String] {
    let batch = try batch.compacted()
    var lines = [batch.schema.description, "\(batch.count)"]
    for column in batch.columns + [batch.rowKinds, batch.timestamps, batch.keyHashes].compactMap({ $0 }) { lines += rows(column) }
    return lines
}

@Suite struct StateFileTests {
    @Test(arguments: 0..<150) func whatIsWrittenIsRead(seed: Int) throws {
        let storage = try CheckpointDirectory(SimulatedStorage(), root: "/checkpoints")
        let parts = try randomParts(seed)
        let compression = Compression.allCases[seed % 3]
        let summary = try write(parts, to: storage, compression: compression)
        let groups = seed % 2 == 0 ? nil : 20..<80
        let reader = try StateFileReader(storage, name: "chk-1/part", summary: summary, keyGroups: groups, objects: DigitCoding())
        try reader.verify()
        for name in ["values", "timers", "väl", "none"] {
            let wanted = parts.filter { part in
                part.name == name && (part.group == nil || groups == nil || groups?.contains(part.group?.value ?? 0) == true)
            }
            let batches = try reader.batches(name)
            #expect(batches.map(\.keyGroup) == wanted.filter { $0.batch != nil }.map(\.group))
            #expect(try batches.map { try text($0.batch) } == wanted.compactMap(\.batch).map { try text($0) })
            let bytes = try reader.bytes(name)
            #expect(bytes.map(\.bytes) == wanted.filter { $0.batch == nil }.map(\.bytes))
        }
    }

    /// Every byte of a file is covered: whatever is flipped, cut off or added is refused, and names the file.
    @Test(arguments: [Compression.none, .lz4, .zstd]) func damageIsSeen(compression: Compression) throws {
        let disk = SimulatedStorage()
        let storage = try CheckpointDirectory(disk, root: "/checkpoints")
        let summary = try write(try randomParts(11, withObjects: false), to: storage, compression: compression)
        let whole = try storage.read(summary.name)
        #expect(whole.count > 300)

        func isRefused(_ bytes: [UInt8], with summary: StateFile.Summary?) throws -> Bool {
            let object = try storage.begin("damaged")
            try bytes.withUnsafeBytes { try object.write($0) }
            try object.commit()
            do throws(MillstreamError) {
                let reader = try StateFileReader(storage, name: "damaged", summary: summary)
                try reader.verify()
                for name in reader.names {
                    _ = try reader.batches(name)
                    _ = try reader.bytes(name)
                }
            } catch {
                #expect(error.code == .decode && error.message.contains("/checkpoints/damaged"), "\(error)")
                return true
            }
            return false
        }

        #expect(try !isRefused(whole, with: summary))
        for place in whole.indices {
            var damaged = whole
            damaged[place] ^= UInt8(1 << (place % 8))
            #expect(try isRefused(damaged, with: nil), "byte \(place) of \(whole.count)")
        }
        for count in stride(from: 0, to: whole.count, by: 7) { #expect(try isRefused(Array(whole.prefix(count)), with: nil), "cut at \(count)") }
        #expect(try isRefused(whole + [0], with: nil))
        // A whole file that is another one than the manifest's.
        let other = try write(try randomParts(12, withObjects: false), to: storage, name: "other", compression: compression)
        #expect(try isRefused(try storage.read(other.name), with: summary))
    }

    /// Bytes that pass for a batch's by their checksum: they may be refused or give another batch, but never trap.
    @Test(arguments: 0..<60) func nonsenseIsAnError(seed: Int) throws {
        var columns = RandomColumns(seed)
        columns.withObjects = false
        let coding = BatchCoding(objects: nil)
        let bytes = try coding.encode(try randomBatch(&columns))
        for _ in 0..<200 {
            var damaged = bytes
            for _ in 0..<columns.random.int(1..<4) where !damaged.isEmpty {
                damaged[columns.random.int(0..<damaged.count)] = UInt8(truncatingIfNeeded: columns.random.int(0..<256))
            }
            if columns.random.chance(20) { damaged.removeLast(columns.random.int(0..<damaged.count)) }
            do throws(MillstreamError) {
                let batch = try damaged.withUnsafeBufferPointer { (source) throws(MillstreamError) in
                    try coding.decode(UnsafeRawBufferPointer(source), subject: "a batch")
                }
                for column in batch.columns { _ = rows(column) }
            } catch { #expect(error.code == .decode || error.code == .limitExceeded || error.code == .unsupported, "\(error)") }
        }
    }

    /// After a crash at any operation the file is there as a whole, or not at all; after a failed one nothing of it is seen.
    @Test(arguments: [SimulatedStorage.Fault.crash, .inputOutput, .noSpace]) func aFileIsWholeOrNotThere(fault: SimulatedStorage.Fault) throws {
        let parts = try randomParts(3)
        let undisturbed = SimulatedStorage()
        let directory = try CheckpointDirectory(undisturbed, root: "/checkpoints")
        let begun = undisturbed.operationCount
        _ = try write(parts, to: directory, compression: .lz4)
        let operations = undisturbed.operationCount - begun
        for operation in 0...operations {
            let disk = SimulatedStorage(seed: UInt64(operation + 1))
            let storage = try CheckpointDirectory(disk, root: "/checkpoints")
            disk.fail(at: disk.operationCount + operation, with: fault)
            var isDone = false
            do throws(MillstreamError) {
                _ = try write(parts, to: storage, compression: .lz4)
                isDone = true
            } catch { #expect(error.code == .io) }
            if case .crash = fault { disk.restart() }
            #expect(isDone == (operation == operations), "operation \(operation) of \(operations)")
            #expect(isDone ? storage.exists("chk-1/part") : true)
            if storage.exists("chk-1/part") {
                let reader = try StateFileReader(storage, name: "chk-1/part", objects: DigitCoding())
                try reader.verify()
                #expect(reader.names.count == Set(parts.map(\.name)).count)
            }
        }
        #expect(operations > 4)
    }
}
