import Columnar
import Dataflow
import Runtime
import Synchronization
import Testing

/// A sink's operator with checkpoints, driven by hand: barriers, completions, failures and restarts at another parallelism.
struct SinkOperatorTests {
    /// The target of a sink: transactions by name. It outlives every run.
    final class Target: Sendable {
        private let rows = Guarded<[(transaction: String, values: [Int64])]>([])
        private let answer: @Sendable (String) -> CommitOutcome?

        /// `answer` may refuse a commit before it has an effect.
        init(answer: @escaping @Sendable (String) -> CommitOutcome? = { _ in nil }) { self.answer = answer }

        var transactions: [String] { rows.withLock { $0.map(\.transaction) } }
        var values: [Int64] { rows.withLock { $0.flatMap(\.values) } }

        func commit(_ transaction: String, _ values: [Int64]) -> CommitOutcome {
            if let refusal = answer(transaction) { return refusal }
            return rows.withLock { rows in
                if rows.contains(where: { $0.transaction == transaction }) { return .alreadyCommitted }
                rows.append((transaction, values))
                return .committed
            }
        }
    }

    /// Each prepared committable has a name of its own and the values themselves; a writer's state is what it has not prepared yet.
    final class TransactionalSink: Sink {
        let target: Target
        /// How many of the newest rows a writer keeps back when it prepares, as a file sink does with a file that is still open.
        let keptBack: Int

        init(_ target: Target, keptBack: Int = 0) {
            self.target = target
            self.keptBack = keptBack
        }

        func makeWriter(_ context: OperatorContext) throws(MillstreamError) -> any SinkWriter {
            Writer(keptBack: keptBack, name: "\(context.subtask.value)/\(context.random.next())")
        }

        func makeCommitter() throws(MillstreamError) -> (any Committer)? { TargetCommitter(target) }

        static func encode(_ name: String, _ values: [Int64]) -> [UInt8] { Array(([name] + values.map { String($0) }).joined(separator: " ").utf8) }
        static func decode(_ bytes: [UInt8]) -> (String, [Int64]) {
            let words = String(decoding: bytes, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
            return (String(words[0]), words.dropFirst().compactMap { Int64($0) })
        }

        final class Writer: SinkWriter {
            let keptBack: Int
            let name: String
            var count = 0
            var values: [Int64] = []

            init(keptBack: Int, name: String) {
                self.keptBack = keptBack
                self.name = name
            }

            func write(_ batch: Batch, notify: @escaping @Sendable () -> Void) throws(MillstreamError) -> Bool {
                values += LinearJobTests.values(batch)
                return true
            }

            func prepareCommit(endOfInput: Bool) throws(MillstreamError) -> [Committable] {
                let ready = endOfInput ? values.count : max(0, values.count - keptBack)
                guard ready > 0 else { return [] }
                defer { values.removeFirst(ready) }
                // Two, so that a group can be committed in part.
                var result: [Committable] = []
                for part in [values[..<(ready / 2)], values[(ready / 2)..<ready]] where !part.isEmpty {
                    count += 1
                    result.append(Committable(payload: TransactionalSink.encode("\(name)/\(count)", Array(part))))
                }
                return result
            }

            func snapshot() throws(MillstreamError) -> [UInt8] { TransactionalSink.encode(name, values) }
            func restore(_ bytes: [UInt8]) throws(MillstreamError) { values += TransactionalSink.decode(bytes).1 }
            func close() {}
        }

        final class TargetCommitter: Committer {
            let target: Target
            init(_ target: Target) { self.target = target }
            func commit(_ committables: [Committable]) throws(MillstreamError) -> [CommitOutcome] {
                committables.map { committable in
                    let (name, values) = TransactionalSink.decode(committable.payload)
                    return target.commit(name, values)
                }
            }
            func describe(_ committable: Committable) -> String { "transaction " + TransactionalSink.decode(committable.payload).0 }
            func close() {}
        }
    }

    /// The parts of a checkpoint in memory.
    final class Parts: StateWriter, StateReader {
        var batches: [(name: String, batch: Batch)] = []
        let formerParallelism = 1
        var names: [String] { batches.map(\.name) }
        func unkeyedBatches(_ name: String) -> [(subtask: SubtaskIndex, batch: Batch)] { batches(name).map { (SubtaskIndex(0), $0.batch) } }
        func unkeyedBytes(_ name: String) -> [(subtask: SubtaskIndex, bytes: [UInt8])] { [] }
        func write(_ name: String, keyGroup: KeyGroup?, batch: Batch) { batches.append((name, batch)) }
        func write(_ name: String, keyGroup: KeyGroup?, bytes: [UInt8]) { Issue.record("a part '\(name)' of bytes") }
        func batches(_ name: String) -> [(keyGroup: KeyGroup?, batch: Batch)] { batches.filter { $0.name == name }.map { (nil, $0.batch) } }
        func bytes(_ name: String) -> [(keyGroup: KeyGroup?, bytes: [UInt8])] { [] }
        func rowCount(_ name: String) -> Int { batches(name).reduce(0) { $0 + $1.batch.count } }
    }

    final class NoOutput: Output {
        var isFull: Bool { false }
        func emit(_ batch: Batch) {}
        func emit(_ batch: Batch, to sideOutput: SideOutputID) {}
        func emit(_ watermark: EventTime) {}
        func emit(_ status: WatermarkStatus) {}
    }

    static func open(_ sink: any Sink, subtask: Int = 0, parallelism: Int = 1, attempt: Int = 0, checkpointing: Bool = true, clock: SimulatedClock = SimulatedClock(),
        wakeUp: @escaping (ProcessingTime) -> Void = { _ in }
    ) throws -> SinkOperator {
        let operation = SinkOperator(sink: sink) {}
        try operation.open(
            OperatorContext(
                operatorID: OperatorID("sink"), operatorName: "sink", subtask: SubtaskIndex(subtask), parallelism: parallelism, maxParallelism: 128,
                jobName: "test", checkpointing: checkpointing, clock: clock, random: SeededRandom(seed: UInt64(attempt * 64 + subtask)),
                metrics: OperatorMetrics(), requestWakeUp: wakeUp))
        return operation
    }

    static func barrier(_ id: Int64) -> CheckpointBarrier {
        CheckpointBarrier(id: CheckpointID(id), triggered: ProcessingTime(milliseconds: 0), alignment: .exactlyOnce, isSavepoint: false)
    }

    static func batch(_ values: [Int64]) -> Batch {
        Batch(schema: .scalar(.bigInt), columns: [Column(type: .bigInt, count: values.count, values: Buffer.copying(values))], count: values.count)
    }

    /// Processing time goes on, as the runtime tells operators that asked for it.
    static func advance(_ operations: [SinkOperator], _ clock: SimulatedClock, _ milliseconds: Int64) throws {
        clock.advance(milliseconds: milliseconds)
        for operation in operations { #expect(try operation.onProcessingTime(clock.now(), output: NoOutput()) == .done) }
    }

    static func write(_ operation: SinkOperator, _ values: [Int64]) throws {
        #expect(try operation.process(batch(values), input: 0, output: NoOutput()) == .done)
    }

    /// Rows go to the subtasks in turn; what is complete survives; everything else is read again.
    @Test("Each row is committed once, whatever fails", arguments: 0..<300 as Range<UInt64>)
    func eachRowIsCommittedOnce(seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        let lottery = Guarded(SeededRandom(seed: seed &+ 1_000_000))
        let target = Target { _ in
            lottery.withLock { $0.next(below: 10) } == 0 ? .retry(MillstreamError(.io, "busy")) : nil
        }
        let sink = TransactionalSink(target, keptBack: Int(random.next(below: 4)))
        let rowCount = Int64(random.next(below: 200))
        /// The checkpoint that a restart begins with.
        var durable: (id: Int64, nextRow: Int64, parts: Parts)?
        var checkpoint: Int64 = 0
        for attempt in 0..<100 {
            let parallelism = 1 + Int(random.next(below: 4))
            let clock = SimulatedClock()
            let operations = try (0..<parallelism).map { try Self.open(sink, subtask: $0, parallelism: parallelism, attempt: attempt, clock: clock) }
            if let durable { for operation in operations { try operation.restore(from: durable.parts) } }
            var row = durable?.nextRow ?? 0
            var ended = false
            var open: [(id: Int64, nextRow: Int64, parts: Parts, ended: Bool)] = []
            var isDone = false
            var failed = false
            while !isDone, !failed {
                switch random.next(below: 13) {
                case 0...4 where row < rowCount:
                    let values = Array(row..<min(rowCount, row + 1 + Int64(random.next(below: 8))))
                    try Self.write(operations[Int(row) % parallelism], values)
                    row += Int64(values.count)
                case 5 where row == rowCount && !ended:
                    for operation in operations { #expect(try operation.onEndOfInput(0, output: NoOutput()) == .done) }
                    ended = true
                case 6...7:
                    checkpoint += 1
                    let parts = Parts()
                    for operation in operations { try operation.snapshot(Self.barrier(checkpoint), into: parts) }
                    open.append((checkpoint, row, parts, ended))
                case 8...9 where !open.isEmpty:
                    let index = Int(random.next(below: UInt64(open.count)))
                    let complete = open[index]
                    durable = (complete.id, complete.nextRow, complete.parts)
                    // Some may not hear of it before the crash.
                    let told = random.next(below: 4) == 0 ? Int(random.next(below: UInt64(parallelism))) : parallelism
                    for operation in operations.prefix(told) { try operation.onCheckpointComplete(CheckpointID(complete.id)) }
                    open.removeFirst(index + 1)
                    failed = told < parallelism
                    isDone = !failed && complete.ended
                    // The runtime closes nothing before that.
                    while isDone, operations.contains(where: \.holdsEnd) { try Self.advance(operations, clock, 5) }
                case 10 where !open.isEmpty:
                    let aborted = open.remove(at: Int(random.next(below: UInt64(open.count))))
                    for operation in operations { try operation.onCheckpointAborted(CheckpointID(aborted.id)) }
                case 11: try Self.advance(operations, clock, Int64(random.next(below: 30)))
                case 12: failed = attempt < 90 && random.next(below: 3) == 0
                default: break
                }
            }
            for operation in operations { try operation.close() }
            let committed = target.values
            #expect(Set(committed).count == committed.count, "committed twice")
            if isDone {
                #expect(committed.sorted() == Array(0..<rowCount))
                return
            }
        }
        Issue.record("never done")
    }

    @Test("Without checkpoints the end of input commits; with them it waits")
    func theEndOfInput() throws {
        for checkpointing in [false, true] {
            let target = Target()
            let operation = try Self.open(TransactionalSink(target), checkpointing: checkpointing)
            try Self.write(operation, [1, 2, 3])
            _ = try operation.onEndOfInput(0, output: NoOutput())
            #expect(target.values == (checkpointing ? [] : [1, 2, 3]))
            let parts = Parts()
            try operation.snapshot(Self.barrier(1), into: parts)
            #expect(parts.rowCount("sink/committables") == (checkpointing ? 2 : 0))
            try operation.onCheckpointComplete(CheckpointID(1))
            #expect(target.values == [1, 2, 3])
            try operation.close()
        }
    }

    @Test("What is committed leaves the next checkpoint; what is not stays, in order")
    func theCheckpointHoldsWhatIsNotCommitted() throws {
        let target = Target()
        let operation = try Self.open(TransactionalSink(target))
        var counts: [Int] = []
        for id in 1...4 as ClosedRange<Int64> {
            try Self.write(operation, [id])
            let parts = Parts()
            try operation.snapshot(Self.barrier(id), into: parts)
            counts.append(parts.rowCount("sink/committables"))
            if id == 2 { try operation.onCheckpointAborted(CheckpointID(2)) }
            if id == 3 { try operation.onCheckpointComplete(CheckpointID(3)) }
        }
        #expect(counts == [1, 2, 3, 1])
        #expect(target.values == [1, 2, 3])
        try operation.onCheckpointComplete(CheckpointID(3))
        try operation.onCheckpointComplete(CheckpointID(4))
        try operation.onCheckpointComplete(CheckpointID(1))
        #expect(target.values == [1, 2, 3, 4])
    }

    @Test("An unknown outcome stops the job, says what it is about, and keeps it")
    func unknown() throws {
        let isUnknown = Counter(1)
        let target = Target { transaction in
            transaction.hasSuffix("/2") && isUnknown.value == 1 ? .unknown(MillstreamError(.io, "the reply was lost")) : nil
        }
        let sink = TransactionalSink(target)
        let operation = try Self.open(sink)
        try Self.write(operation, [1, 2, 3, 4])
        let parts = Parts()
        try operation.snapshot(Self.barrier(1), into: parts)
        #expect {
            try operation.onCheckpointComplete(CheckpointID(1))
        } throws: { error in
            guard let error = error as? MillstreamError else { return false }
            return error.code == .commitUnknown && !error.isRetryable && error.message.hasPrefix("COMMIT_UNKNOWN: ")
                && error.message.contains("1 result(s)") && error.message.contains("transaction 0/") && error.message.hasSuffix("the reply was lost")
        }
        #expect(target.values == [1, 2])
        let next = Parts()
        try operation.snapshot(Self.barrier(2), into: next)
        #expect(next.rowCount("sink/committables") == 1)
        try operation.close()
        // The checkpoint that the job stopped with has all that anyone needs.
        let rows = try #require(parts.batches("sink/committables").first?.batch)
        #expect(rows.schema.fields.map(\.name) == ["checkpoint", "subtask", "payload", "description"])
        #expect(String(decoding: rows.columns[3].bytes(1), as: UTF8.self).hasPrefix("transaction 0/"))
        isUnknown.set(0)
        let second = try Self.open(sink, attempt: 1)
        try second.restore(from: parts)
        #expect(target.values == [1, 2, 3, 4])
    }

    @Test("A commit that is busy for ever fails; one that is refused fails at once")
    func refusals() throws {
        let calls = Counter()
        let busy = Target { _ in
            calls.add(1)
            return .retry(MillstreamError(.io, "busy"))
        }
        let clock = SimulatedClock()
        let asked = Guarded<[Int64]>([])
        let operation = try Self.open(TransactionalSink(busy), clock: clock) { time in asked.withLock { $0.append(time.milliseconds) } }
        try Self.write(operation, [1])
        try operation.snapshot(Self.barrier(1), into: Parts())
        try operation.onCheckpointComplete(CheckpointID(1))
        // It is tried again after pauses that grow; rows are taken meanwhile, and what they are committed with waits behind the first.
        var pauses: [Int64] = []
        for attempt in 2...10 {
            #expect(calls.value == attempt - 1 && operation.holdsEnd)
            let start = clock.now().milliseconds
            pauses.append((asked.withLock { $0.last } ?? start) - start)
            try Self.write(operation, [Int64(attempt)])
            try operation.snapshot(Self.barrier(Int64(attempt)), into: Parts())
            try operation.onCheckpointComplete(CheckpointID(Int64(attempt)))
            try Self.advance([operation], clock, (pauses.last ?? 0) - 1)
            #expect(calls.value == attempt - 1)
            if attempt == 10 { break }
            try Self.advance([operation], clock, 1)
        }
        #expect(pauses == [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000])
        #expect { try Self.advance([operation], clock, 1) } throws: { "\($0)".contains("busy") }
        #expect(calls.value == 10)
        let refusing = try Self.open(TransactionalSink(Target { _ in .failed(MillstreamError(.io, "gone")) }))
        try Self.write(refusing, [1])
        let parts = Parts()
        try refusing.snapshot(Self.barrier(1), into: parts)
        #expect { try refusing.onCheckpointComplete(CheckpointID(1)) } throws: { ($0 as? MillstreamError)?.code == .io }
        let other = try Self.open(CommittingNothing())
        #expect { try other.restore(from: parts) } throws: { "\($0)".contains("commits nothing") }
    }

    final class CommittingNothing: Sink {
        func makeWriter(_ context: OperatorContext) throws(MillstreamError) -> any SinkWriter {
            TransactionalSink.Writer(keptBack: 0, name: "x")
        }
        func makeCommitter() throws(MillstreamError) -> (any Committer)? { nil }
    }
}
