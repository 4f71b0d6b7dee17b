import Columnar
import Connectors
import Dataflow
import Testing

@Suite struct SequenceSourceTests {
    @Test(arguments: [(1, 10, 1, 4), (1, 10, 3, 4), (-5, 4_999, 4, 1_000), (7, 7, 4, 10), (0, 2, 8, 1)])
    func everyNumberComesOnce(first: Int, last: Int, parallelism: Int, rowLimit: Int) throws {
        let source = try SequenceSource(first: Int64(first), last: Int64(last))
        let values = try SourceDriver(source, parallelism: parallelism).batches(rowLimit: rowLimit).int64s()
        #expect(values.sorted() == (first...last).map { Int64($0) })
    }

    @Test func wholeRangeOfInt64DoesNotOverflow() throws {
        let driver = try SourceDriver(try SequenceSource(first: .min, last: .max), parallelism: 3)
        for subtask in 0..<3 {
            _ = try driver.step(subtask)
            guard case .batch(let batch, _) = try driver.step(subtask, rowLimit: 10) else { throw MillstreamError.internal("no batch") }
            #expect(batch.count == 10)
        }
        let tail = try SourceDriver(try SequenceSource(first: .max - 2, last: .max)).batches(rowLimit: 2).int64s()
        #expect(tail == [.max - 2, .max - 1, .max])
    }

    @Test func snapshotIsThePositionAfterTheLastBatch() throws {
        let source = try SequenceSource(first: 0, last: 99)
        let driver = try SourceDriver(source)
        var seen: [Int64] = []
        _ = try driver.step()
        for _ in 0..<3 { if case .batch(let batch, _) = try driver.step(rowLimit: 7) { seen += [batch].int64s() } }
        let splits = try driver.readers[0].snapshot()
        let restored = try SourceDriver(source)
        for split in splits { try restored.readers[0].addSplit(split) }
        restored.readers[0].noMoreSplits()
        seen += try restored.rest(rowLimit: 50).int64s()
        #expect(seen == Array(0..<100))
    }

    @Test func enumeratorKeepsWhatIsNotHandedOut() throws {
        let source = try SequenceSource(first: 0, last: 99)
        let enumerator = try source.makeEnumerator(parallelism: 4)
        _ = try enumerator.nextSplit(for: SubtaskIndex(0))
        let state = try enumerator.snapshot()
        let second = try source.makeEnumerator(parallelism: 1)
        try second.restore(state)
        var count = 0
        while case .split = try second.nextSplit(for: SubtaskIndex(0)) { count += 1 }
        #expect(count == 3)
        #expect(throws: MillstreamError.self) { try second.restore(Array(state.prefix(20))) }
        #expect(throws: MillstreamError.self) { try second.restore([]) }
    }

    @Test func badRangeIsRefused() {
        #expect(throws: MillstreamError.self) { try SequenceSource(first: 2, last: 1) }
        #expect(throws: MillstreamError.self) { try SequenceSource(first: 1, last: 2, schema: .scalar(.string)) }
    }
}
