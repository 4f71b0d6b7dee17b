import Checkpoint
import Columnar
import Connectors
import Dataflow
import Plan
import Runtime
import Testing

/// Every storage operation of a job with a file sink fails once: numbers from a sequence to files, checkpoints on the same simulated disk.
///
/// The job is driven by hand, as the runtime would: barrier, snapshots to state files, the metadata last, then the commits; some checkpoints are given up,
/// some completions are never heard of. A crash falls so before and after each write, sync, rename and removal, of checkpoints and of the sink's files: in
/// a recovery, before and after the flush, after the snapshot, before the checkpoint is complete, before, in the middle of and after its commits, and while
/// an older checkpoint is still to be committed.
struct FileSinkCrashTests {
    static let rowCount: Int64 = 40
    static let foreign = ["/out/.part-0-0.inprogress.0123456789abcdef", "/out/.part-1-7.inprogress.fedcba9876543210", "/out/part-x", "/out/notes.txt"]

    /// One run of the job, from the last complete checkpoint to the end or the first failure.
    struct Run {
        let storage: SimulatedStorage
        let parallelism: Int
        let attempt: Int
        var jobID = "job-1"
        /// Goes on from this checkpoint instead of the last.
        var from: Int64?
        /// Stops when this checkpoint is committed, as if the process ended.
        var stopsAfter: Int64?

        static func sink(_ storage: SimulatedStorage) throws -> FileSink {
            var description = FileSinkDescription(directory: "/out", format: .text)
            description.rollByteCount = 14
            return try FileSink(
                description, schema: .scalar(.bigInt), environment: ConnectorEnvironment(clock: SimulatedClock(), storage: storage),
                commitsAtCheckpoints: true)
        }

        static func complete(_ checkpoints: CheckpointDirectory) throws -> [Int64] {
            try checkpoints.list("").compactMap { name in
                guard name.hasPrefix("chk-"), checkpoints.exists(name + "/_metadata") else { return nil }
                return Int64(name.dropFirst(4))
            }.sorted()
        }

        func run() throws {
            let checkpoints = try CheckpointDirectory(storage, root: "/checkpoints")
            let known = try Self.complete(checkpoints)
            let start = from ?? known.last
            var next: Int64 = 0
            var ended = false
            let sink = try Self.sink(storage)
            let clock = SimulatedClock()
            let operations = try (0..<parallelism).map { subtask -> SinkOperator in
                let operation = SinkOperator(sink: sink) {}
                try operation.open(
                    OperatorContext(
                        operatorID: OperatorID("sink"), operatorName: "sink", subtask: SubtaskIndex(subtask), parallelism: parallelism,
                        maxParallelism: 128, jobName: "test", jobID: jobID, checkpointing: true, clock: clock,
                        random: SeededRandom(seed: UInt64(attempt * 16 + subtask)), metrics: OperatorMetrics(), requestWakeUp: { _ in }))
                return operation
            }
            var succeeded = false
            defer { if !succeeded { for operation in operations { try? operation.close() } } }
            if let start {
                let text = String(decoding: try checkpoints.read("chk-\(start)/_metadata"), as: UTF8.self).split(separator: " ").map(String.init)
                next = Int64(text[0])!
                ended = text[1] == "ended"
                let former = Int(text[2])!
                let readers = try (0..<former).map { subtask in
                    try StateFileReader(checkpoints, name: "chk-\(start)/sink-\(subtask)", subtask: SubtaskIndex(subtask), formerParallelism: former)
                }
                // Subtasks do not wait for each other: one writes, or has many rows behind it, while another one has not begun to restore.
                let random = SeededRandom(seed: UInt64(attempt) &* 0x9E37 &+ UInt64(former))
                var rest = Array(operations.indices)
                while !rest.isEmpty {
                    let subtask = rest.remove(at: Int(random.next(below: UInt64(rest.count))))
                    try operations[subtask].restore(from: OperatorStateReader(readers, formerParallelism: former))
                    for _ in 0..<random.next(below: 4) where next < FileSinkCrashTests.rowCount {
                        let end = min(next + 2, FileSinkCrashTests.rowCount)
                        try SinkOperatorTests.write(operations[subtask], Array(next..<end))
                        next = end
                    }
                }
            }
            var id = (known.last ?? 0)
            while true {
                for _ in 0..<5 where next < FileSinkCrashTests.rowCount {
                    let end = min(next + 2, FileSinkCrashTests.rowCount)
                    try SinkOperatorTests.write(operations[Int(next / 2) % parallelism], Array(next..<end))
                    next = end
                }
                if next == FileSinkCrashTests.rowCount, !ended {
                    for operation in operations { _ = try operation.onEndOfInput(0, output: SinkOperatorTests.NoOutput()) }
                    ended = true
                }
                id += 1
                let snapshots = try operations.map { operation in
                    let held = SinkOperatorTests.Parts()
                    try operation.snapshot(SinkOperatorTests.barrier(id), into: held)
                    return held
                }
                // Each third one is given up, before or while it is written.
                if id % 3 == 2, !ended {
                    for operation in operations { try operation.onCheckpointAborted(CheckpointID(id)) }
                    continue
                }
                for (subtask, held) in snapshots.enumerated() {
                    let writer = try StateFileWriter(checkpoints, name: "chk-\(id)/sink-\(subtask)")
                    for part in held.batches { try writer.write(part.name, keyGroup: nil, batch: part.batch) }
                    _ = try writer.finish()
                }
                let metadata = try checkpoints.begin("chk-\(id)/_metadata")
                let text = Array("\(next) \(ended ? "ended" : "open") \(parallelism)".utf8)
                try text.withUnsafeBytes { try metadata.write($0) }
                try metadata.commit()
                // Some do not hear of it: the next one commits for both.
                if id % 4 != 3 || ended { for operation in operations { try operation.onCheckpointComplete(CheckpointID(id)) } }
                if id == stopsAfter { return }
                if ended { break }
                // Now and then a commit that is to be tried again is.
                try SinkOperatorTests.advance(operations, clock, id % 2 * 7)
            }
            // The runtime closes nothing before that.
            while operations.contains(where: \.holdsEnd) { try SinkOperatorTests.advance(operations, clock, 10) }
            succeeded = true
            for operation in operations { try operation.close() }
        }
    }

    static func visible(_ storage: SimulatedStorage) throws -> [Int64] {
        var rows: [Int64] = []
        for path in storage.paths where path.hasPrefix("/out/part-") && !foreign.contains(path) {
            let text = String(decoding: try storage.read(path), as: UTF8.self)
            #expect(text.hasSuffix("\n"), "\(path) is not whole")
            rows += text.split(separator: "\n").compactMap { Int64($0) }
        }
        return rows.sorted()
    }

    static func storage(seed: UInt64) throws -> SimulatedStorage {
        let storage = SimulatedStorage(seed: seed)
        try storage.makeDirectories("/out")
        for path in foreign {
            let file = try storage.create(path)
            try Array("not ours\n".utf8).withUnsafeBytes { try file.write($0) }
            try file.sync()
        }
        return storage
    }

    static func checkEnd(_ storage: SimulatedStorage, _ place: String) throws {
        #expect(try visible(storage) == Array(0..<rowCount), "\(place)")
        let others = storage.paths.filter { $0.hasPrefix("/out/") && !$0.hasPrefix("/out/part-") || $0 == "/out/part-x" }
        #expect(others == foreign.sorted(), "left over, or another's: \(place)")
        for path in foreign { #expect(try storage.read(path) == Array("not ours\n".utf8), "\(path) was touched: \(place)") }
    }

    @Test("Each row is visible once, wherever an operation fails", arguments: 0..<12)
    func everyOperation(seed: Int) throws {
        let fault = [SimulatedStorage.Fault.crash, .crash, .inputOutput, .noSpace][seed % 4]
        for operation in 0..<2_000 {
            let storage = try Self.storage(seed: UInt64(seed * 10_000 + operation))
            let random = SeededRandom(seed: UInt64(seed * 31 + operation))
            storage.fail(at: storage.operationCount + operation, with: fault)
            let first = storage.operationCount + operation
            var isDone = false
            var attempts = 0
            while !isDone, attempts < 8 {
                do {
                    try Run(storage: storage, parallelism: 1 + Int(StableHash.hash(Int64(seed * 8_000 + operation * 8 + attempts)) % 3), attempt: attempts).run()
                    isDone = true
                } catch {
                    #expect(attempts < 7, "\(error)")
                    if fault == .crash { storage.restart() }
                    let seen = try Self.visible(storage)
                    #expect(Set(seen).count == seen.count, "twice after a failure at \(operation): \(error)")
                    // Up to four more, of which some fall into the recovery.
                    let range: UInt64 = random.next(below: 2) == 0 ? 14 : 90
                    if attempts < 4 { storage.fail(at: storage.operationCount + Int(random.next(below: range)), with: fault) }
                }
                attempts += 1
            }
            #expect(isDone, "seed \(seed), operation \(operation)")
            try Self.checkEnd(storage, "seed \(seed), operation \(operation)")
            if attempts == 1, storage.operationCount <= first {
                #expect(operation > 60, "the job has \(operation) operations only")
                return
            }
        }
        Issue.record("the job never ended without a failure")
    }

    @Test("An older checkpoint than the last commit is refused, and nothing is changed", arguments: 1..<3)
    func anOlderCheckpoint(parallelism: Int) throws {
        let storage = try Self.storage(seed: 1)
        try Run(storage: storage, parallelism: parallelism, attempt: 0).run()
        let paths = storage.paths.filter { $0.hasPrefix("/out/") }
        #expect {
            try Run(storage: storage, parallelism: parallelism, attempt: 1, from: 1).run()
        } throws: { error in
            (error as? MillstreamError)?.code == .invalidState && "\(error)".contains("was committed after this checkpoint")
        }
        #expect(storage.paths.filter { $0.hasPrefix("/out/") } == paths)
        #expect(try Self.visible(storage) == Array(0..<Self.rowCount))
        // The last one again: all of it is committed already.
        try Run(storage: storage, parallelism: parallelism, attempt: 2).run()
        try Self.checkEnd(storage, "again")
    }

    @Test("A job that starts from another job's checkpoint takes nothing away from it")
    func anotherJobsCheckpoint() throws {
        let storage = try Self.storage(seed: 1)
        try Run(storage: storage, parallelism: 1, attempt: 0, stopsAfter: 1).run()
        let inProgress = storage.paths.filter { $0.hasPrefix("/out/.part-0") && !Self.foreign.contains($0) }
        try #require(inProgress.count == 1)
        let before = try storage.read(inProgress[0])
        try Run(storage: storage, parallelism: 1, attempt: 1, jobID: "job-2").run()
        #expect(try storage.read(inProgress[0]) == before)
        #expect(try Self.visible(storage) == Array(0..<Self.rowCount))
    }
}
