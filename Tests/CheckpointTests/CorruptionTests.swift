import Checkpoint
import Columnar
import Dataflow
import TestColumns
import Testing

/// What can happen to the files of a checkpoint on a disk: all of it is found, and told by the file's name, before anything of it is used.
struct CorruptionTests {
    private static let root = "/checkpoints"

    /// A checkpoint of three operators, packed in each way; its numbers depend on the seed.
    private static func write(_ storage: SimulatedStorage, _ group: String, seed: Int) throws {
        let directory = try CheckpointDirectory(storage, root: root)
        var random = RandomColumns(seed)
        random.withObjects = false
        var operators: [Manifest.OperatorState] = []
        for (place, compression) in [Compression.none, .lz4, .zstd].enumerated() {
            var state = Manifest.OperatorState(
                id: OperatorID("operator-\(place)"), name: "operator \(place)", parallelism: 2, maxParallelism: 8, coordinator: Array("splits \(seed)".utf8))
            for subtask in 0..<2 {
                let name = "op-\(place)-\(subtask)"
                let writer = try StateFileWriter(directory, name: "\(group)/\(name)", compression: compression)
                for keyGroup in subtask * 4..<subtask * 4 + 4 {
                    let columns = [try random.column(.bigInt, 120), try random.column(.string, 120)]
                    try writer.write(
                        "keyed/state", keyGroup: KeyGroup(keyGroup),
                        batch: Batch(schema: Schema([Field("key0", .bigInt), Field("value", .string)]), columns: columns, count: 120))
                }
                try writer.write("source/splits", keyGroup: nil, bytes: Array(repeating: UInt8(truncatingIfNeeded: seed), count: 5_000))
                var file = try writer.finish()
                file.name = name
                state.files.append(Manifest.SubtaskFile(subtask: SubtaskIndex(subtask), file: file))
            }
            operators.append(state)
        }
        let manifest = Manifest(
            jobName: "corruption", id: CheckpointID(Int64(seed)), isSavepoint: false, triggered: ProcessingTime(milliseconds: Int64(seed)), operators: operators,
            properties: [Manifest.Property("host.python", "3.12.1")])
        try put(try manifest.encode(), at: "\(root)/\(group)/\(Manifest.name)", storage)
    }

    private static func put(_ bytes: [UInt8], at path: String, _ storage: SimulatedStorage) throws {
        let file = try storage.create(path)
        try bytes.withUnsafeBytes { try file.write($0) }
        try file.sync()
        file.close()
    }

    /// Nil where everything was read, which must be as it was.
    private static func read(_ storage: SimulatedStorage) throws -> MillstreamError? {
        do {
            let reader = try SavepointReader(try CheckpointDirectory(storage, root: root, isReadOnly: true), group: "chk-2")
            try reader.verify()
            for state in reader.manifest.operators { _ = try reader.rows("keyed/state", of: state.id.text) }
            return nil
        } catch let error as MillstreamError { return error }
    }

    @Test("No damage goes unseen, and each is told by its file", arguments: 0..<10)
    func corruptions(group: Int) throws {
        let storage = SimulatedStorage(seed: 1)
        try Self.write(storage, "chk-1", seed: 1)
        try Self.write(storage, "chk-2", seed: 2)
        #expect(try Self.read(storage) == nil)
        let files = storage.paths.filter { $0.hasPrefix("\(Self.root)/chk-2/") }
        #expect(files.count == 7)
        var random = RandomColumns(group).random
        var seen = 0
        for number in 0..<300 {
            let file = files[random.int(0..<files.count)]
            let bytes = try storage.read(file)
            var changed = bytes
            var undo: [(String, [UInt8])] = [(file, bytes)]
            let what: String
            switch number % 9 {
            case 0:
                what = "a bit"
                changed[random.int(0..<changed.count)] ^= 1 << UInt8(random.int(0..<8))
            case 1:
                what = "the end cut off"
                changed.removeLast(random.int(1..<changed.count + 1))
            case 2:
                what = "a page of zeros"
                let start = random.int(0..<changed.count), end = min(changed.count, start + 512)
                for place in start..<end { changed[place] = 0 }
            case 3:
                what = "bytes added"
                changed += (0..<random.int(1..<100)).map { _ in UInt8(random.int(0..<256)) }
            case 4:
                what = "bytes put in"
                changed.insert(contentsOf: (0..<random.int(1..<20)).map { _ in UInt8(random.int(0..<256)) }, at: random.int(0..<changed.count))
            case 5:
                what = "bytes taken out"
                let start = random.int(0..<changed.count)
                changed.removeSubrange(start..<min(changed.count, start + random.int(1..<50)))
            case 6:
                what = "the file of an earlier checkpoint"
                // A manifest of another checkpoint is a whole one: its files are not there.
                changed = try storage.read(file.replacing("chk-2", with: "chk-1"))
            case 7:
                what = "another file of the checkpoint"
                let other = files[random.int(0..<files.count)]
                changed = try storage.read(other)
                undo.append((other, changed))
                try Self.put(bytes, at: other, storage)
            default:
                what = "gone"
                changed = []
            }
            if number % 9 == 8 { try storage.remove(file) } else { try Self.put(changed, at: file, storage) }
            if changed != bytes {
                seen += 1
                let error = try Self.read(storage)
                let names = undo.map(\.0) + (what == "the file of an earlier checkpoint" && file.hasSuffix(Manifest.name) ? files : [])
                #expect(error != nil, "\(file): \(what) was not found")
                #expect(error.map { found in names.contains { found.message.contains($0) } && found.damagedFile != nil } == true, "\(file), \(what): \(String(describing: error))")
            }
            for (path, old) in undo { try Self.put(old, at: path, storage) }
        }
        #expect(seen > 250)
        #expect(try Self.read(storage) == nil)
    }
}
