import Checkpoint
import Columnar
import Dataflow
import Plan
import Runtime
import Testing

/// A job whose last checkpoint is damaged goes back to the one before where that is allowed, and never shows a row twice for it.
struct FallingBackTests {
    /// Shows rows as they come.
    private final class PlainSink: Sink, @unchecked Sendable {
        let world: OutsideWorld
        init(_ world: OutsideWorld) { self.world = world }

        func makeWriter(_ context: OperatorContext) -> any SinkWriter { Writer(world) }
        func makeCommitter() -> (any Committer)? { nil }

        final class Writer: SinkWriter {
            let world: OutsideWorld
            init(_ world: OutsideWorld) { self.world = world }

            func write(_ batch: Batch, notify: @escaping @Sendable () -> Void) throws(MillstreamError) -> Bool {
                let batch = try batch.compacted()
                let keys = batch.columns[0].pointer(as: Int64.self), counts = batch.columns[1].pointer(as: Int64.self)
                for row in 0..<batch.count { _ = world.commit(NumberedSource.encode([world.nextNumber(), Int(keys[row]), Int(counts[row])])) }
                return true
            }
            func prepareCommit(endOfInput: Bool) -> [Committable] { [] }
            func close() {}
        }
    }

    private static let source = NumberedSource(splitCount: 3, rowsPerSplit: 30, keyCount: 7)

    private static var expected: [[Int]] {
        var counts: [Int: Int] = [:]
        return (0..<source.splitCount * source.rowsPerSplit).map { number in
            counts[number % source.keyCount, default: 0] += 1
            return [number % source.keyCount, counts[number % source.keyCount, default: 0]]
        }.sorted { $0.lexicographicallyPrecedes($1) }
    }

    private static func rows(_ world: OutsideWorld) -> [[Int]] { world.rows.sorted { $0.lexicographicallyPrecedes($1) } }

    private static func submit(
        _ world: OutsideWorld, _ storage: SimulatedStorage, seed: UInt64, restoring path: String? = nil, commits: Bool, fallsBack: Bool = true,
        failure: PlannedFailure? = nil
    ) throws -> (SimulatedEngine, Job) {
        var plan = StreamPlan(jobName: "falling back")
        var bindings = Bindings()
        plan.configuration.batchRowCountLimit = 4
        plan.configuration.maxParallelism = 8
        plan.configuration.checkpoints.intervalMilliseconds = 3
        plan.configuration.checkpoints.directory = "/checkpoints"
        plan.configuration.checkpoints.retained = 3
        plan.configuration.checkpoints.restorePath = path
        plan.configuration.checkpoints.fallsBack = fallsBack
        plan.configuration.checkpoints.retention = .retainOnCancellation
        plan.configuration.restart.strategy = .fixedDelay
        plan.configuration.restart.attempts = 5
        plan.configuration.restart.delay = 5
        bindings.bind(1, source: source)
        bindings.bind(2, operator: { CountingOperator(failure) })
        bindings.bind(3, sink: commits ? TransactionalSink(world) as any Sink : PlainSink(world))
        func node(_ id: Int, _ name: String, _ inputs: [Edge], _ operation: Operation, _ schema: Schema) -> Node {
            var node = Node(id: NodeID(id), name: name, inputs: inputs, operation: operation, output: schema)
            node.parallelism = 2
            return node
        }
        plan.nodes = [
            node(0, "source", [], .source(SourceDescription(.custom(BindingID(1)))), NumberedSource.schema),
            node(1, "count", [Edge(source: NodeID(0), partitioning: .hash(keys: [0]))], .custom(BindingID(2)), CountingOperator.schema),
            node(2, "sink", [Edge(source: NodeID(1), partitioning: .rebalance)], .sink(SinkDescription(.custom(BindingID(3)))), CountingOperator.schema),
        ]
        let engine = SimulatedEngine(seed: seed, storage: storage)
        return (engine, try engine.submit(plan, bindings: bindings))
    }

    /// Harms one file of a checkpoint; its path.
    private static func damage(_ path: String, _ storage: SimulatedStorage, _ random: SeededRandom) throws -> String {
        let files = storage.paths.filter { $0.hasPrefix(path + "/") }
        let file = files[Int(random.next(below: UInt64(files.count)))]
        var bytes = try storage.read(file)
        switch random.next(below: file.hasSuffix(Manifest.name) ? 3 : 4) {
        case 0: bytes[Int(random.next(below: UInt64(bytes.count)))] ^= 1 << UInt8(random.next(below: 8))
        case 1: bytes.removeLast(1 + Int(random.next(below: UInt64(bytes.count))))
        case 2:
            let start = Int(random.next(below: UInt64(bytes.count)))
            let end = min(bytes.count, start + 64)
            // A page of zeros that was one before is no damage.
            for place in start..<end { bytes[place] = bytes[place] == 0 ? 1 : 0 }
        default:
            try storage.remove(file)
            return file
        }
        let written = try storage.create(file)
        try bytes.withUnsafeBytes { try written.write($0) }
        try written.sync()
        written.close()
        return file
    }

    /// Runs until some checkpoints are complete, and the process dies.
    private static func stopped(_ world: OutsideWorld, _ storage: SimulatedStorage, _ random: SeededRandom, commits: Bool) throws -> String? {
        let (engine, job) = try submit(world, storage, seed: random.next(), commits: commits)
        let count = 2 + Int(random.next(below: 4))
        while !job.status.isTerminal, job.checkpoints.filter({ $0.outcome == .completed }).count < count { engine.run(job, tickCountMax: 1) }
        engine.run(job, tickCountMax: Int(random.next(below: 40)))
        guard !job.status.isTerminal else { return nil }
        storage.restart()
        return try DrawnJob.latest(on: storage)
    }

    @Test("Without leave the job is refused with the damaged file and what remains usable", arguments: 0..<60 as Range<UInt64>)
    func refusal(seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        let (world, storage) = (OutsideWorld(), SimulatedStorage(seed: seed))
        guard let path = try Self.stopped(world, storage, random, commits: true) else { return }
        let file = try Self.damage(path, storage, random)
        var failure: MillstreamError?
        do {
            let (engine, job) = try Self.submit(world, storage, seed: seed, restoring: path, commits: true, fallsBack: false)
            engine.run(job)
            #expect(job.status == .failed && job.failures.count == 1)
            failure = job.failure
        } catch let error as MillstreamError { failure = error }
        let found = try #require(failure)
        #expect(found.message.contains(file), "\(found)")
        let older = try #require(storage.paths.last { $0.hasSuffix(Manifest.name) && !$0.hasPrefix(path + "/") && $0 < path })
        #expect(found.hint?.contains("'\(older.dropLast(Manifest.name.count + 1))'") == true, "\(found)")
        #expect(found.hint?.contains("millstream.recovery.fall-back") == true, "\(found)")
        let committed = Self.rows(world)
        #expect(Set(committed).count == committed.count)
    }

    @Test("A sink that commits sees each row once, or the job is refused")
    func committing() throws {
        var (finished, refused) = (0, 0)
        for seed in 0..<400 as Range<UInt64> {
            let random = SeededRandom(seed: seed ^ 0xFA11)
            let (world, storage) = (OutsideWorld(), SimulatedStorage(seed: seed))
            guard let path = try Self.stopped(world, storage, random, commits: true) else { continue }
            let file = try Self.damage(path, storage, random)
            let before = Self.rows(world)
            do {
                let (engine, job) = try Self.submit(world, storage, seed: seed, restoring: path, commits: true)
                engine.run(job)
                #expect(job.status == .finished, "seed \(seed): \(String(describing: job.failure))")
                #expect(Self.rows(world) == Self.expected, "seed \(seed): \(file)")
                #expect(job.failures.contains { $0.error.message.contains(file) }, "seed \(seed): \(job.failures)")
                finished += 1
            } catch let error as MillstreamError {
                #expect(error.code == .invalidState && error.message.contains("twice to 'sink'") && error.message.contains(file), "seed \(seed): \(error)")
                #expect(Self.rows(world) == before, "seed \(seed)")
                refused += 1
            }
        }
        // Both happen, so that both are tried.
        #expect(finished > 10 && refused > 10, "\(finished) went back, \(refused) were refused")
    }

    @Test("Where the checkpoint before is not there any more, a sink that commits is not trusted to have shown nothing", arguments: 0..<60 as Range<UInt64>)
    func gap(seed: UInt64) throws {
        let random = SeededRandom(seed: seed ^ 0x6A9)
        let (world, storage) = (OutsideWorld(), SimulatedStorage(seed: seed))
        guard let path = try Self.stopped(world, storage, random, commits: true) else { return }
        let groups = storage.paths.filter { $0.hasSuffix("/" + Manifest.name) && !$0.hasPrefix(path + "/") }
        guard groups.count > 1, let before = groups.max(by: { ($0.count, $0) < ($1.count, $1) }) else { return }
        try storage.remove(before)
        _ = try Self.damage(path, storage, random)
        let shown = Self.rows(world)
        do {
            let (engine, job) = try Self.submit(world, storage, seed: seed, restoring: path, commits: true)
            engine.run(job)
            Issue.record("seed \(seed): the job went back, and gave \(Self.rows(world).count) rows of \(Self.expected.count)")
        } catch let error as MillstreamError {
            #expect(error.code == .invalidState && error.message.contains("twice to 'sink'"), "seed \(seed): \(error)")
            #expect(Self.rows(world) == shown)
        }
    }

    @Test("A sink that commits nothing gets everything, and the state counts each row once", arguments: 0..<20 as Range<UInt64>)
    func plain(group: UInt64) throws {
        for seed in group * 10..<group * 10 + 10 {
            let random = SeededRandom(seed: seed ^ 0xBACC)
            let (world, storage) = (OutsideWorld(), SimulatedStorage(seed: seed))
            guard let path = try Self.stopped(world, storage, random, commits: false) else { continue }
            let file = try Self.damage(path, storage, random)
            let (engine, job) = try Self.submit(world, storage, seed: seed, restoring: path, commits: false)
            engine.run(job)
            #expect(job.status == .finished, "seed \(seed): \(String(describing: job.failure))")
            #expect(Set(Self.rows(world)) == Set(Self.expected), "seed \(seed): \(file)")
            let notice = try #require(job.failures.first?.error.message)
            #expect(notice.contains(file) && notice.contains("goes on from"), "\(notice)")
        }
    }

    @Test("A restart within the process falls back too; numbers of checkpoints never come again", arguments: 0..<20 as Range<UInt64>)
    func restarts(group: UInt64) throws {
        for seed in group * 10..<group * 10 + 10 {
            let random = SeededRandom(seed: seed ^ 0x1A57)
            let commits = random.next(below: 2) == 0
            let (world, storage) = (OutsideWorld(), SimulatedStorage(seed: seed))
            let failure = PlannedFailure(after: [30 + Int(random.next(below: 50))])
            let (engine, job) = try Self.submit(world, storage, seed: seed, commits: commits, failure: failure)
            while !job.status.isTerminal, job.failures.isEmpty { engine.run(job, tickCountMax: 1) }
            guard !job.status.isTerminal, job.checkpoints.filter({ $0.outcome == .completed }).count > 1 else { continue }
            let path = try #require(try DrawnJob.latest(on: storage))
            _ = try Self.damage(path, storage, random)
            engine.run(job)
            let rows = Self.rows(world)
            if job.status == .finished {
                if commits { #expect(rows == Self.expected, "seed \(seed)") } else { #expect(Set(rows) == Set(Self.expected), "seed \(seed)") }
            } else {
                #expect(commits && job.failure?.message.contains("twice to 'sink'") == true, "seed \(seed): \(String(describing: job.failure))")
                #expect(Set(rows).count == rows.count && Set(rows).isSubset(of: Self.expected), "seed \(seed)")
            }
            let numbers = job.checkpoints.filter { $0.outcome == .completed }.map(\.id)
            #expect(Set(numbers).count == numbers.count, "seed \(seed)")
        }
    }

    @Test("Where all are damaged the job does not begin anew")
    func allDamaged() throws {
        let random = SeededRandom(seed: 3)
        let (world, storage) = (OutsideWorld(), SimulatedStorage(seed: 3))
        let path = try #require(try Self.stopped(world, storage, random, commits: false))
        for manifest in storage.paths where manifest.hasSuffix(Manifest.name) {
            let group = String(manifest.dropLast(Manifest.name.count + 1))
            // A deletion that the crash has undone in part.
            try storage.makeDirectories(group)
            _ = try Self.damage(group, storage, random)
        }
        #expect(throws: MillstreamError.self) { try Self.submit(world, storage, seed: 3, restoring: path, commits: false) }
    }
}
