import Columnar
import Connectors
import Dataflow
import Plan
import Testing

/// A job of one file sink with checkpoints, killed anywhere and taken up again from its last complete checkpoint.
@Suite struct FileSinkRecoveryTests {
    /// What the checkpoint store holds: it is on another disk.
    struct Checkpoint {
        var nextRow: Int64 = 0
        var writer: [UInt8]?
        var committables: [Committable] = []
    }

    static let rowCount: Int64 = 36

    /// Runs until the end or an error, from the checkpoint on. True: the job is done.
    func run(_ storage: SimulatedStorage, _ checkpoint: inout Checkpoint, attempt: Int) -> Bool {
        do {
            var description = FileSinkDescription(directory: "/out", format: .text)
            description.rollByteCount = 17
            let sink = try FileSink(
                description, schema: .scalar(.bigInt), environment: ConnectorEnvironment(clock: SimulatedClock(), storage: storage),
                commitsAtCheckpoints: true)
            let committer = try sink.makeCommitter()!
            guard try commit(checkpoint.committables, committer) else { return false }
            let context = OperatorContext(
                operatorID: OperatorID("sink"), operatorName: "sink", subtask: SubtaskIndex(0), parallelism: 1, maxParallelism: 128, jobName: "test",
                clock: SimulatedClock(), random: SeededRandom(seed: UInt64(attempt)), metrics: OperatorMetrics(), requestWakeUp: { _ in })
            let writer = try sink.makeWriter(context)
            if let state = checkpoint.writer { try writer.restore(state) }
            var row = checkpoint.nextRow
            while row < Self.rowCount {
                for _ in 0..<3 where row < Self.rowCount {
                    let end = min(row + 3, Self.rowCount)
                    _ = try writer.write(numbers(row + 100..<end + 100), notify: {})
                    row = end
                }
                let isEnd = row == Self.rowCount
                let committables = try writer.prepareCommit(endOfInput: isEnd)
                checkpoint = Checkpoint(nextRow: row, writer: try writer.snapshot(), committables: committables)
                guard try commit(committables, committer) else { return false }
            }
            try writer.close()
            return true
        } catch { return false }
    }

    private func commit(_ committables: [Committable], _ committer: any Committer) throws -> Bool {
        for outcome in try committer.commit(committables) {
            switch outcome {
            case .committed, .alreadyCommitted: continue
            case .failed(let error):
                Issue.record("\(error)")
                return false
            case .retry, .unknown: return false
            }
        }
        return true
    }

    func visibleRows(_ storage: SimulatedStorage) throws -> [Int64] {
        var rows: [Int64] = []
        for path in storage.paths where !path.hasPrefix("/out/.") {
            let text = String(decoding: try storage.read(path), as: UTF8.self)
            #expect(text.hasSuffix("\n"))
            rows += text.split(separator: "\n").compactMap { Int64($0) }
        }
        return rows.sorted()
    }

    @Test(arguments: 0..<20)
    func everyRowIsVisibleOnceWhereverItCrashes(seed: Int) throws {
        let expected = Array(100..<100 + Self.rowCount)
        for operation in 0..<200 {
            let storage = SimulatedStorage(seed: UInt64(seed * 1_000 + operation))
            let random = SeededRandom(seed: UInt64(seed * 7 + operation))
            var checkpoint = Checkpoint()
            storage.fail(at: operation, with: .crash)
            var isDone = run(storage, &checkpoint, attempt: 0)
            let neverCrashed = isDone
            for attempt in 1..<6 where !isDone {
                storage.restart()
                let seen = try visibleRows(storage)
                #expect(Set(seen).count == seen.count && Set(seen).isSubset(of: expected), "twice or foreign after crash at \(operation)")
                // Up to three more crashes.
                if attempt < 4 { storage.fail(at: storage.operationCount + Int(random.next(below: 12)), with: .crash) }
                isDone = run(storage, &checkpoint, attempt: attempt)
            }
            #expect(isDone, "seed \(seed) crash at \(operation)")
            #expect(try visibleRows(storage) == expected, "seed \(seed) crash at \(operation)")
            if neverCrashed { return }
        }
        Issue.record("the job never ended without a crash")
    }
}
