import Columnar
import Dataflow

/// Shows rows when they are committed. Commits ask for a retry now and then, and a few fail after they have had their effect.
final class CommittingSink: Sink, @unchecked Sendable {
    let arrivals: Arrivals
    let ledger: Ledger
    let refusals: UInt64
    let random: SeededRandom
    /// A planted fault.
    var mutant: Mutant?
    private let lock = TestLock()
    private var failuresLeft = 2
    /// What was prepared before has a lower number than the writers of the last attempt.
    private var lastStart = 0

    /// Refuses `refusals` of 8 batches at first.
    init(_ arrivals: Arrivals, ledger: Ledger, refusals: UInt64, seed: UInt64) {
        self.arrivals = arrivals
        self.ledger = ledger
        self.refusals = refusals
        random = SeededRandom(seed: seed ^ 0xC0_3317)
    }

    func makeWriter(_ context: OperatorContext) throws(MillstreamError) -> any SinkWriter {
        ledger.opened("writer")
        lastStart = arrivals.nextNumber()
        return Writer(self, context)
    }

    func makeCommitter() throws(MillstreamError) -> (any Committer)? {
        ledger.opened("committer")
        return Target(self)
    }

    private static func encode(_ number: Int, _ rows: [[Int64?]]) -> Committable {
        var numbers = [number, rows.first?.count ?? 1]
        for row in rows { for value in row { numbers += [value == nil ? 1 : 0, Int(value ?? 0)] } }
        return Committable(payload: NumberedSource.encode(numbers))
    }

    private static func decode(_ committable: Committable) -> (number: Int, rows: [[Int64?]]) {
        let numbers = NumberedSource.decode(committable.payload)
        let values = stride(from: 2, to: numbers.count, by: 2).map { numbers[$0] == 1 ? nil : Int64(numbers[$0 + 1]) }
        return (numbers[0], stride(from: 0, to: values.count, by: numbers[1]).map { Array(values[$0..<$0 + numbers[1]]) })
    }

    private final class Writer: SinkWriter {
        let sink: CommittingSink
        let context: OperatorContext
        var rows: [[Int64?]] = []

        init(_ sink: CommittingSink, _ context: OperatorContext) {
            self.sink = sink
            self.context = context
        }

        func write(_ batch: Batch, notify: @escaping @Sendable () -> Void) throws(MillstreamError) -> Bool {
            if sink.refusals > 0, context.random.next(below: 8) < sink.refusals {
                sink.ledger.wait(notify)
                return false
            }
            rows += Arrivals.rows(of: batch)
            return true
        }

        func prepareCommit(endOfInput: Bool) throws(MillstreamError) -> [Committable] {
            if rows.isEmpty { return [] }
            defer { rows = [] }
            let number = sink.arrivals.nextNumber()
            guard sink.mutant == .commitsEarly else { return [CommittingSink.encode(number, rows)] }
            _ = sink.arrivals.commit(number, rows)
            return []
        }

        func close() { sink.ledger.closed("writer") }
    }

    private final class Target: Committer {
        let sink: CommittingSink
        init(_ sink: CommittingSink) { self.sink = sink }

        func commit(_ committables: [Committable]) throws(MillstreamError) -> [CommitOutcome] {
            sink.lock.lock()
            defer { sink.lock.unlock() }
            let outcomes = committables.map { committable -> CommitOutcome in
                let (number, rows) = CommittingSink.decode(committable)
                if sink.mutant == .losesCommittables, number < sink.lastStart { return .alreadyCommitted }
                if sink.random.next(below: 8) == 0 { return .retry(MillstreamError(.io, "planned retry", domain: .external, isRetryable: true)) }
                return sink.arrivals.commit(number, rows) ? .committed : .alreadyCommitted
            }
            if sink.failuresLeft > 0, sink.random.next(below: 40) == 0 {
                sink.failuresLeft -= 1
                throw MillstreamError(.io, "planned failure of a commit", domain: .external, isRetryable: true)
            }
            return outcomes
        }

        func close() { sink.ledger.closed("committer") }
    }
}
