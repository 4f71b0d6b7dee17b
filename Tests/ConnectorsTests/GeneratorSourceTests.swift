import Columnar
import Connectors
import Dataflow
import Plan
import Testing

/// Gives the row's number itself.
final class NumberRows: RowGenerator {
    func rows(first: Int64, count: Int) throws(MillstreamError) -> Batch {
        let column = Column(type: .bigInt, count: count, values: Buffer.copying((0..<Int64(count)).map { first &+ $0 }))
        return Batch(schema: .scalar(.bigInt), columns: [column], count: count)
    }
}

@Suite struct GeneratorSourceTests {
    func source(count: Int64?, rate: Double? = nil) throws(MillstreamError) -> GeneratorSource {
        let description = GeneratorDescription(columns: [.column(0)], count: count, rowsPerSecond: rate)
        return try GeneratorSource(description, rows: NumberRows(), schema: .scalar(.bigInt))
    }

    @Test(arguments: [(0, 1), (1, 3), (100, 3), (10_000, 4), (100_000, 2)])
    func everyNumberComesOnce(count: Int, parallelism: Int) throws {
        let values = try SourceDriver(try source(count: Int64(count)), parallelism: parallelism).batches(rowLimit: 300).int64s()
        #expect(values.sorted() == Array(0..<Int64(count)))
    }

    @Test(arguments: [10.0, 333, 100_000, 2_500_000])
    func rateIsExactAndSmooth(rate: Double) throws {
        let clock = SimulatedClock(start: 1_000)
        let driver = try SourceDriver(try source(count: nil, rate: rate), parallelism: 2, clock: clock)
        var rows = 0
        var largestTick = 0
        for _ in 0..<2_000 {
            var tick = 0
            for subtask in 0..<2 {
                while true {
                    let step = try driver.step(subtask)
                    if case .batch(let batch, _) = step { tick += batch.count }
                    if case .wait(let until) = step {
                        #expect(until.map { $0 > clock.now() } == true)
                        break
                    }
                }
            }
            rows += tick
            largestTick = max(largestTick, tick)
            clock.advance(milliseconds: 1)
        }
        let expected = rate * 1.999
        #expect(abs(Double(rows) - expected) <= 2 + rate / 500)
        #expect(Double(largestTick) <= 2 + rate / 400)
    }

    @Test func longPauseIsNoBurst() throws {
        let clock = SimulatedClock()
        let driver = try SourceDriver(try source(count: nil, rate: 1_000), clock: clock)
        _ = try driver.step()
        _ = try driver.step()
        clock.advance(milliseconds: 60_000)
        var rows = 0
        while case .batch(let batch, _) = try driver.step() { rows += batch.count }
        #expect(rows <= 1_100)
    }

    @Test func snapshotGoesOnWhereItWas() throws {
        let source = try source(count: 5_000)
        let driver = try SourceDriver(source, parallelism: 2)
        var seen: [Int64] = []
        for subtask in 0..<2 {
            _ = try driver.step(subtask)
            for _ in 0..<3 { if case .batch(let batch, _) = try driver.step(subtask, rowLimit: 37) { seen += [batch].int64s() } }
        }
        let restored = try SourceDriver(source)
        for reader in driver.readers { for split in try reader.snapshot() { try restored.readers[0].addSplit(split) } }
        restored.readers[0].noMoreSplits()
        seen += try restored.rest().int64s()
        #expect(seen.sorted() == Array(0..<5_000))
    }

    @Test func badValuesAreRefused() {
        for rate in [0, -1, Double.nan, .infinity] { #expect(throws: MillstreamError.self) { try source(count: 1, rate: rate) } }
        #expect(throws: MillstreamError.self) { try source(count: -1) }
    }
}
