import Checkpoint
import Columnar
import Dataflow
import State
import Testing

/// Incremental checkpoints of a store, on a disk that fails at each of its operations in turn.
@Suite struct StoreUploadTests {
    /// What `JobCheckpoints` does with one store and no subtasks.
    private final class Driver {
        static let place = StorePlace(
            jobID: "j", operatorID: OperatorID("o"), subtask: SubtaskIndex(0), name: "keyed", keyGroups: KeyGroup.range(subtask: 0, parallelism: 1, maxParallelism: 8))
        let storage: any CheckpointStorage
        let store: any StateStore
        var files: CheckpointFiles
        var completed: [CheckpointID] = []
        /// The byte counts that each checkpoint wrote for the store.
        var written: [Int64] = []

        init(_ storage: any CheckpointStorage, _ store: any StateStore) {
            self.storage = storage
            self.store = store
            files = CheckpointFiles(storage)
        }

        /// One checkpoint; then those before the last two go. False where it failed.
        func checkpoint(_ number: Int64) throws -> Bool {
            let id = CheckpointID(number)
            let group = "chk-\(number)"
            let given = try store.files()
            do {
                var upload = StoreUpload(storage, group: group, checkpoint: id)
                let stored = try upload.write("keyed", given, prefix: "op-0-0-0", shared: &files.shared)
                let writer = try StateFileWriter(storage, name: "\(group)/op-0-0")
                var summary = try writer.finish()
                summary.name = "op-0-0"
                var state = Manifest.OperatorState(id: OperatorID("o"), name: "o", parallelism: 1, maxParallelism: 8)
                state.files = [Manifest.SubtaskFile(subtask: SubtaskIndex(0), file: summary, stores: [stored])]
                let manifest = Manifest(jobName: "j", id: id, isSavepoint: false, triggered: ProcessingTime(milliseconds: 0), operators: [state])
                let object = try storage.begin("\(group)/\(Manifest.name)")
                do {
                    let bytes = try manifest.encode()
                    try object.write(bytes)
                    try object.commit()
                } catch {
                    object.abandon()
                    throw error
                }
                written.append(upload.writtenByteCount)
            } catch {
                delete(id)
                return false
            }
            completed.append(id)
            while completed.count > 2 { delete(completed.removeFirst()) }
            return true
        }

        private func delete(_ id: CheckpointID) { files.delete(id, in: storage, group: "chk-\(id.value)") }

        /// The checkpoints that are complete, the oldest first.
        static func complete(_ storage: any CheckpointStorage) throws -> [Manifest] {
            try storage.list("").filter { $0.hasPrefix("chk-") && storage.exists("\($0)/\(Manifest.name)") }
                .map { try Manifest(decoding: storage.read("\($0)/\(Manifest.name)"), path: $0) }.sorted { $0.id < $1.id }
        }

        static func stored(_ manifest: Manifest, _ storage: any CheckpointStorage) -> CheckpointedStore {
            CheckpointedStore(
                storage, group: "chk-\(manifest.id.value)", subtask: SubtaskIndex(0), keyGroups: 0..<8, files: manifest.operators[0].files[0].stores[0].files)
        }
    }

    private static func content(_ store: any StateStore) throws -> [[UInt8]] {
        let keys = PackedBytes()
        let values = PackedBytes()
        var all: [[UInt8]] = []
        let cursor = try store.scan(KeyRange())
        while try cursor.next(keys, values) {
            for index in 0..<keys.count { all.append(Array(keys[index]) + [0xfe] + Array(values[index])) }
        }
        return all
    }

    /// Changes one key group in each round but the first.
    private static func change(_ store: any StateStore, _ round: Int) throws {
        let keys = PackedBytes()
        let values = PackedBytes()
        for group in 0..<8 where round == 1 || group == round % 8 {
            for number in 0..<6 {
                keys.append(StoreKey.prefix(group) + [UInt8(number)])
                if (number + round) % 5 == 0 { values.appendAbsent() } else { values.append([UInt8(round), UInt8(number)]) }
            }
        }
        try store.write(keys, values)
    }

    private static let rounds = 5

    /// Rounds until the disk stops; the content behind each round's change.
    private func run(_ disk: SimulatedStorage) throws -> (contents: [Int64: [[UInt8]]], failures: Int, driver: Driver?) {
        var contents: [Int64: [[UInt8]]] = [:]
        var failures = 0
        let directory: CheckpointDirectory
        do { directory = try CheckpointDirectory(disk, root: "/c/job") } catch { return ([:], 1, nil) }
        let driver = Driver(directory, try MemoryStores().open(Driver.place))
        for round in 1...Self.rounds {
            try Self.change(driver.store, round)
            contents[Int64(round)] = try Self.content(driver.store)
            if try !driver.checkpoint(Int64(round)) { failures += 1 }
            if disk.isDown { break }
        }
        return (contents, failures, driver)
    }

    @Test("Each checkpoint writes what has changed, and none that stays loses a file")
    func increments() throws {
        let (contents, failures, driver) = try run(SimulatedStorage())
        let done = try #require(driver)
        #expect(failures == 0 && done.written.count == Self.rounds)
        #expect(done.written.dropFirst().allSatisfy { $0 * 3 < done.written[0] })
        for manifest in try Driver.complete(done.storage) {
            let store = try MemoryStores().open(Driver.place, from: [Driver.stored(manifest, done.storage)])
            #expect(try Self.content(store) == contents[manifest.id.value])
        }
        let objects = try done.storage.list(SharedFiles.group).map { "\(SharedFiles.group)/\($0)" }
        #expect(SharedFiles.orphans(among: objects, needed: try Driver.complete(done.storage)).isEmpty)
    }

    @Test("Whatever the machine stops at, what is complete is whole, and what is left over can be told", arguments: [1, 2, 3] as [UInt64])
    func crashes(seed: UInt64) throws {
        let dry = SimulatedStorage(seed: seed)
        _ = try run(dry)
        #expect(dry.operationCount > 100)
        for operation in 0..<dry.operationCount {
            let disk = SimulatedStorage(seed: seed &+ UInt64(operation) &* 977)
            disk.fail(at: operation, with: .crash)
            let (contents, _, driver) = try run(disk)
            #expect(disk.isDown)
            disk.restart()
            let storage = try CheckpointDirectory(disk, root: "/c/job")
            let complete = try Driver.complete(storage)
            // Nothing that was complete is lost, whatever was about to be deleted.
            if let last = driver?.completed.last { #expect(complete.contains { $0.id >= last }, "operation \(operation)") }
            for manifest in complete {
                let store = try MemoryStores().open(Driver.place, from: [Driver.stored(manifest, storage)])
                #expect(try Self.content(store) == contents[manifest.id.value], "operation \(operation)")
            }
            // Clearing up takes nothing that is needed, and leaves nothing else.
            for orphan in SharedFiles.orphans(among: try storage.list(SharedFiles.group).map { "\(SharedFiles.group)/\($0)" }, needed: complete) {
                try storage.delete(orphan)
            }
            let left = try storage.list(SharedFiles.group).map { "\(SharedFiles.group)/\($0)" }
            #expect(left == Set(complete.flatMap(\.sharedObjects)).sorted(), "operation \(operation)")
            // A run that goes on from the last one, with the same numbers again, disturbs none of it.
            guard let last = complete.last else { continue }
            let next = Driver(storage, try MemoryStores().open(Driver.place, from: [Driver.stored(last, storage)]))
            try Self.change(next.store, 7)
            #expect(try next.checkpoint(last.id.value + 1))
            let again = try MemoryStores().open(Driver.place, from: [Driver.stored(last, storage)])
            #expect(try Self.content(again) == contents[last.id.value])
        }
    }

    @Test("A disk that fails or is full fails the checkpoint alone", arguments: [false, true])
    func faults(isFull: Bool) throws {
        let dry = SimulatedStorage()
        _ = try run(dry)
        for operation in 0..<dry.operationCount {
            let disk = SimulatedStorage(seed: UInt64(operation))
            disk.fail(at: operation, with: isFull ? .noSpace : .inputOutput)
            let (contents, failures, driver) = try run(disk)
            guard let driver else { continue }
            #expect(failures <= 1, "operation \(operation)")
            let complete = try Driver.complete(driver.storage)
            #expect(complete.count == 2 || operation > 0)
            for manifest in complete {
                let store = try MemoryStores().open(Driver.place, from: [Driver.stored(manifest, driver.storage)])
                #expect(try Self.content(store) == contents[manifest.id.value], "operation \(operation)")
            }
            // What could not be deleted was deleted with the next ones.
            let left = try driver.storage.list(SharedFiles.group).map { "\(SharedFiles.group)/\($0)" }
            let extra = SharedFiles.orphans(among: left, needed: complete)
            #expect(extra.isEmpty || operation > dry.operationCount - 40, "operation \(operation): \(extra)")
        }
    }

    @Test("A flipped byte of any object is refused with its name")
    func damage() throws {
        let memory = MemoryCheckpoints()
        let driver = Driver(memory, try MemoryStores().open(Driver.place))
        for round in 1...3 {
            try Self.change(driver.store, round)
            #expect(try driver.checkpoint(Int64(round)))
        }
        let manifest = try #require(try Driver.complete(memory).last)
        let stored = Driver.stored(manifest, memory)
        for file in stored.files {
            let name = file.isShared ? file.object : "chk-3/\(file.object)"
            let whole = try memory.read(name)
            for place in whole.indices {
                var damaged = whole
                damaged[place] ^= 1 << UInt8(place % 8)
                for bytes in [damaged, Array(whole[..<place])] {
                    try memory.write(name, bytes)
                    let error = #expect(throws: MillstreamError.self) { try MemoryStores().open(Driver.place, from: [stored]) }
                    #expect(error?.code == .decode && error?.message.contains("'\(stored.location(file))' is damaged") == true)
                }
            }
            try memory.write(name, whole)
        }
        _ = try MemoryStores().open(Driver.place, from: [stored])
    }
}

extension CheckpointStorage {
    fileprivate func write(_ name: String, _ bytes: [UInt8]) throws {
        let object = try begin(name)
        try object.write(bytes)
        try object.commit()
    }
}

extension CheckpointObject {
    fileprivate func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { bytes in
            do throws(MillstreamError) { try write(bytes) } catch { throw error }
        }
    }
}
