import Checkpoint
import Columnar
import Dataflow
import Plan
import Runtime
import Testing

/// One small job, disturbed at every point there is: at each change to the disk, in each byte of a checkpoint.
struct RecoveryPointTests {
    private static let directory = "/checkpoints"
    private static let source = NumberedSource(splitCount: 3, rowsPerSplit: 30, keyCount: 7)

    /// Each key's counts, from 1 to the number of its rows.
    private static var expected: [[Int]] {
        var counts: [Int: Int] = [:]
        return (0..<source.splitCount * source.rowsPerSplit).map { number in
            counts[number % source.keyCount, default: 0] += 1
            return [number % source.keyCount, counts[number % source.keyCount, default: 0]]
        }.sorted { $0.lexicographicallyPrecedes($1) }
    }

    private static func rows(_ world: OutsideWorld) -> [[Int]] { world.rows.sorted { $0.lexicographicallyPrecedes($1) } }

    private static func plan(_ world: OutsideWorld, restoring path: String?, tolerates: Bool = true, parallelism: Int = 2) -> (StreamPlan, Bindings) {
        var plan = StreamPlan(jobName: "points")
        var bindings = Bindings()
        plan.configuration.batchRowCountLimit = 4
        plan.configuration.maxParallelism = 8
        plan.configuration.checkpoints.intervalMilliseconds = 3
        plan.configuration.checkpoints.directory = directory
        plan.configuration.checkpoints.savepointDirectory = "/savepoints"
        plan.configuration.checkpoints.restorePath = path
        plan.configuration.checkpoints.tolerableFailures = tolerates ? -1 : 0
        plan.configuration.restart.strategy = RestartConfiguration.Strategy.none
        bindings.bind(1, source: source)
        bindings.bind(2, operator: { CountingOperator(nil) })
        bindings.bind(3, sink: TransactionalSink(world))
        func node(_ id: Int, _ name: String, _ inputs: [Edge], _ operation: Operation, _ schema: Schema) -> Node {
            var node = Node(id: NodeID(id), name: name, inputs: inputs, operation: operation, output: schema)
            node.parallelism = parallelism
            return node
        }
        plan.nodes = [
            node(0, "source", [], .source(SourceDescription(.custom(BindingID(1)))), NumberedSource.schema),
            node(1, "count", [Edge(source: NodeID(0), partitioning: .hash(keys: [0]))], .custom(BindingID(2)), CountingOperator.schema),
            node(2, "sink", [Edge(source: NodeID(1), partitioning: .rebalance)], .sink(SinkDescription(.custom(BindingID(3)))), CountingOperator.schema),
        ]
        return (plan, bindings)
    }

    private static func submit(
        _ world: OutsideWorld, _ storage: SimulatedStorage, seed: UInt64, restoring path: String? = nil, tolerates: Bool = true, parallelism: Int = 2
    ) throws -> (SimulatedEngine, Job) {
        let (plan, bindings) = plan(world, restoring: path, tolerates: tolerates, parallelism: parallelism)
        let engine = SimulatedEngine(seed: seed, storage: storage)
        return (engine, try engine.submit(plan, bindings: bindings))
    }

    /// How many changes the undisturbed job makes to the disk; nothing of them is left.
    private static func operationCount() throws -> Int {
        let (world, storage) = (OutsideWorld(), SimulatedStorage(seed: 1))
        let (engine, job) = try submit(world, storage, seed: 1)
        engine.run(job)
        #expect(job.status == .finished)
        #expect(rows(world) == expected)
        #expect(storage.paths == [])
        #expect(try storage.list(directory) == [])
        return storage.operationCount
    }

    @Test("A crash at each change to the disk loses nothing and counts nothing twice", arguments: 0..<3 as Range<UInt64>)
    func crashes(seed: UInt64) throws {
        let count = try Self.operationCount()
        #expect(count > 50)
        for point in 0..<count {
            let (world, storage) = (OutsideWorld(), SimulatedStorage(seed: seed))
            storage.fail(at: point, with: .crash)
            let (engine, job): (SimulatedEngine, Job)
            do {
                (engine, job) = try Self.submit(world, storage, seed: 1)
                while !job.status.isTerminal, !storage.isDown { engine.run(job, tickCountMax: 1) }
            } catch {
                #expect(storage.isDown, "operation \(point): \(error)")
            }
            #expect(storage.isDown, "operation \(point)")
            storage.restart()
            let left = storage.paths
            let (second, again) = try Self.submit(world, storage, seed: 2 + seed, restoring: try DrawnJob.latest(on: storage), parallelism: 1 + point % 4)
            second.run(again)
            #expect(again.status == .finished, "operation \(point): \(String(describing: again.failure))")
            #expect(Self.rows(world) == Self.expected, "operation \(point)")
            // What the second run wrote is gone; what the first one left is the user's to restore from again, or to delete.
            #expect(storage.paths == left, "operation \(point)")
        }
    }

    @Test("A finished job that keeps its last checkpoint can be started from it: it finishes again, and gives nothing more")
    func keptCheckpoint() throws {
        let (world, storage) = (OutsideWorld(), SimulatedStorage(seed: 1))
        var former: String?
        for run in 1...3 {
            var (plan, bindings) = Self.plan(world, restoring: former, parallelism: run)
            plan.configuration.checkpoints.keepsFinished = true
            let engine = SimulatedEngine(seed: UInt64(run), storage: storage)
            let job = try engine.submit(plan, bindings: bindings)
            engine.run(job)
            #expect(job.status == .finished)
            #expect(Self.rows(world) == Self.expected, "run \(run)")
            let latest = try #require(try DrawnJob.latest(on: storage))
            #expect(latest.hasPrefix("\(Self.directory)/") && latest != former, "run \(run)")
            former = latest
        }
    }

    @Test("A checkpoint that the disk refuses fails, and the job goes on", arguments: [SimulatedStorage.Fault.inputOutput, .noSpace])
    func refusals(fault: SimulatedStorage.Fault) throws {
        let count = try Self.operationCount()
        var failedCount = 0
        for point in 0..<count {
            let (world, storage) = (OutsideWorld(), SimulatedStorage(seed: 1))
            storage.fail(at: point, with: fault)
            let (engine, job): (SimulatedEngine, Job)
            do { (engine, job) = try Self.submit(world, storage, seed: 1) } catch {
                // The directory itself.
                #expect(point == 0 && "\(error)".contains(Self.directory), "operation \(point): \(error)")
                continue
            }
            engine.run(job)
            #expect(job.status == .finished, "operation \(point): \(String(describing: job.failure))")
            #expect(Self.rows(world) == Self.expected, "operation \(point)")
            if job.checkpoints.contains(where: { if case .failed = $0.outcome { true } else { false } }) { failedCount += 1 }
            // At most the file or the directory that could not be deleted.
            #expect(storage.paths.count <= 1, "operation \(point): \(storage.paths)")
            #expect(try DrawnJob.latest(on: storage) == nil, "operation \(point)")
        }
        #expect(failedCount > count / 3)
    }

    @Test("Without tolerance the first refusal fails the job, and what is committed is a part of the result")
    func intolerance() throws {
        let count = try Self.operationCount()
        let expected = Self.expected
        for point in 1..<count {
            let (world, storage) = (OutsideWorld(), SimulatedStorage(seed: 1))
            storage.fail(at: point, with: .noSpace)
            let (engine, job) = try Self.submit(world, storage, seed: 1, tolerates: false)
            engine.run(job)
            let rows = Self.rows(world)
            if job.status == .finished {
                #expect(rows == expected, "operation \(point)")
            } else {
                #expect(job.failure?.code == .io, "operation \(point)")
                #expect(Set(rows).count == rows.count && Set(rows).isSubset(of: expected), "operation \(point)")
            }
        }
    }

    // MARK: Damage

    /// A disk with a checkpoint on it that a crash has left.
    private static func stopped() throws -> (world: OutsideWorld, storage: SimulatedStorage, path: String) {
        let (world, storage) = (OutsideWorld(), SimulatedStorage(seed: 1))
        let (engine, job) = try submit(world, storage, seed: 1)
        while !job.status.isTerminal, job.checkpoints.filter({ $0.outcome == .completed }).count < 2 { engine.run(job, tickCountMax: 1) }
        storage.restart()
        return (world, storage, try #require(try DrawnJob.latest(on: storage)))
    }

    private static func put(_ bytes: [UInt8], at path: String, _ storage: SimulatedStorage) throws {
        let file = try storage.create(path)
        try bytes.withUnsafeBytes { try file.write($0) }
        try file.sync()
        file.close()
    }

    @Test("A checkpoint with a changed bit, or with its end cut off, is refused by its file's name")
    func damage() throws {
        let (world, storage, path) = try Self.stopped()
        let committed = Self.rows(world)
        let expected = Self.expected
        let files = storage.paths.filter { $0.hasPrefix(path + "/") }
        #expect(files.count > 4 && files.contains(path + "/" + Manifest.name))
        func refuse(_ file: String, _ what: String) {
            do {
                let (engine, job) = try Self.submit(world, storage, seed: 9, restoring: path)
                engine.run(job)
                #expect(job.status == .failed, "\(file), \(what)")
                #expect(job.failure.map { "\($0)".contains(file) } == true, "\(file), \(what): \(String(describing: job.failure))")
            } catch {
                #expect("\(error)".contains(file), "\(file), \(what): \(error)")
            }
            // What the checkpoint has of results may be committed, for it was complete; nothing else.
            let rows = Self.rows(world)
            #expect(rows.count >= committed.count && rows.count < expected.count && Set(rows).count == rows.count, "\(file), \(what)")
            #expect(Set(rows).isSubset(of: expected), "\(file), \(what)")
        }
        let random = SeededRandom(seed: 5)
        for file in files {
            let bytes = try storage.read(file)
            for place in bytes.indices {
                var changed = bytes
                changed[place] ^= 1 << UInt8(random.next(below: 8))
                try Self.put(changed, at: file, storage)
                refuse(file, "bit of byte \(place) of \(bytes.count)")
            }
            for length in Array(stride(from: 0, to: bytes.count, by: 64)) + [bytes.count - 1] {
                try Self.put(Array(bytes[..<length]), at: file, storage)
                refuse(file, "\(length) bytes of \(bytes.count)")
            }
            try Self.put(bytes, at: file, storage)
        }
        // And as it was, it is good.
        let (engine, job) = try Self.submit(world, storage, seed: 10, restoring: path)
        engine.run(job)
        #expect(job.status == .finished)
        #expect(Self.rows(world) == Self.expected)
    }

    // MARK: Savepoints

    private final class Answer: @unchecked Sendable { var result: Result<String, MillstreamError>? }

    @Test("A job that stops with a savepoint goes on from it at another parallelism", arguments: 0..<40 as Range<UInt64>)
    func stop(seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        let (world, storage) = (OutsideWorld(), SimulatedStorage(seed: seed))
        var path: String?
        for _ in 0..<1 + random.next(below: 3) {
            let (engine, job) = try Self.submit(world, storage, seed: random.next(), restoring: path, parallelism: 1 + Int(random.next(below: 4)))
            engine.run(job, tickCountMax: Int(random.next(below: 300)))
            let answer = Answer()
            job.savepoint(into: nil, stops: true) { answer.result = $0 }
            engine.run(job)
            #expect(job.status == .finished)
            guard case .success(let made)? = answer.result else {
                // It had ended before.
                path = nil
                break
            }
            path = made
            #expect(storage.exists("\(made)/\(Manifest.name)"))
        }
        if path != nil {
            let (engine, job) = try Self.submit(world, storage, seed: random.next(), restoring: path, parallelism: 1 + Int(random.next(below: 4)))
            engine.run(job)
            #expect(job.status == .finished, "\(String(describing: job.failure))")
        }
        #expect(Self.rows(world) == Self.expected)
    }

    @Test("A drained job has ended: what it gave is a part, and from its savepoint nothing comes again", arguments: 0..<40 as Range<UInt64>)
    func drain(seed: UInt64) throws {
        let random = SeededRandom(seed: seed ^ 0xD)
        let (world, storage) = (OutsideWorld(), SimulatedStorage(seed: seed))
        let (engine, job) = try Self.submit(world, storage, seed: seed)
        engine.run(job, tickCountMax: Int(random.next(below: 400)))
        let answer = Answer()
        job.savepoint(into: nil, stops: true, drains: true) { answer.result = $0 }
        engine.run(job)
        #expect(job.status == .finished)
        let rows = Self.rows(world)
        #expect(Set(rows).count == rows.count && Set(rows).isSubset(of: Self.expected))
        // Each key's counts are whole up to where the input ended.
        for row in rows where row[1] > 1 { #expect(rows.contains([row[0], row[1] - 1])) }
        guard case .success(let path)? = answer.result else { return #expect(rows == Self.expected) }
        let (second, again) = try Self.submit(world, storage, seed: seed &+ 1, restoring: path)
        second.run(again)
        #expect(again.status == .finished, "\(String(describing: again.failure))")
        #expect(Self.rows(world) == rows)
    }
}
