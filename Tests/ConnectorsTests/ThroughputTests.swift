import Columnar
import Connectors
import Dataflow
import Glibc
import Plan
import Testing

/// Prints how fast sources and sinks are; the floors are far below the aims, because the machine may be busy.
@Suite(.serialized) struct ThroughputTests {
    /// Seconds of the fastest of some runs.
    func best(_ runs: Int = 5, _ body: () throws -> Void) throws -> Double {
        let clock = SystemClock()
        var best = Double.infinity
        for _ in 0..<runs {
            let start = clock.monotonicNanoseconds()
            try body()
            best = min(best, Double(clock.monotonicNanoseconds() - start) / 1e9)
        }
        return best
    }

    /// Rows of a source, batch by batch, none of them kept.
    func count(_ source: any Source) throws -> Int {
        let driver = try SourceDriver(source)
        var count = 0
        while true {
            switch try driver.step() {
            case .batch(let batch, _): count += batch.count
            case .end: return count
            default: break
            }
        }
    }

    @Test func sequence() throws {
        let seconds = try best {
            let found = try count(try SequenceSource(first: 1, last: 50_000_000))
            #expect(found == 50_000_000)
        }
        print("number sequence: \(Int(50 / seconds)) M rows/s")
        #expect(seconds < 1)
    }

    @Test func jsonLines() throws {
        let directory = TemporaryDirectory()
        let line =
            "{\"id\":123456,\"carrier\":\"UA\",\"price\":1234.56,\"ts\":\"2013-01-10 05:10:00\",\"remark\":\"a remark of some length\",\"tags\":[1,2,3]}\n"
        let bytes = Array(String(repeating: line, count: 100_000).utf8)
        let path = directory.write("big.jsonl", bytes)
        let fields = [
            Field("id", .int), Field("carrier", .string), Field("price", .double), Field("ts", DataType(.timestamp(3))), Field("remark", .string),
        ]
        let seconds = try best {
            let description = FileSourceDescription(paths: [path], format: .jsonLines, fileSchema: Schema(fields))
            let found = try count(try FileSource(description, schema: Schema(fields), clock: SimulatedClock()))
            #expect(found == 100_000)
        }
        print("JSON lines, \(line.utf8.count) bytes a row: \(Int(Double(bytes.count) / 1e6 / seconds)) MB/s")
        #expect(seconds < 5)
    }

    @Test func printing() throws {
        final class NoOutput: TextOutput { func write(_ text: UnsafeRawBufferPointer) throws(MillstreamError) {} }
        let ids = Column(type: .bigInt, count: 4_096, values: Buffer.copying((0..<Int64(4_096)).map { $0 &* 1_234_567 }))
        let prices = Column(type: .double, count: 4_096, values: Buffer.copying((0..<4_096).map { Double($0) / 8 }))
        let schema = Schema([Field("id", .bigInt), Field("price", .double)], shape: .tuple)
        let writer = try PrintSink(prefix: nil, schema: schema, output: NoOutput()).makeWriter(operatorContext())
        let batch = Batch(schema: schema, columns: [ids, prices], count: 4_096)
        let seconds = try best { for _ in 0..<100 { _ = try writer.write(batch, notify: {}) } }
        print("printing (id, price): \(Int(seconds * 1e9 / 409_600)) ns a row")
        #expect(seconds < 1)
    }

    @Test func csvOfEightColumns() throws {
        let directory = TemporaryDirectory()
        let random = SeededRandom(seed: 3)
        var text = ""
        let carriers = ["UA", "AA", "B6", "DL", "EV"]
        for row in 0..<20_000 {
            let price = Double(random.next(below: 1_000_000)) / 100
            text += "\(row),\(Int64(bitPattern: random.next()) >> 20),\(carriers[row % 5]),N\(random.next(below: 99_999))UA,\(price),"
            text +=
                "\(Double(random.next(below: 1 << 30)) / 1e6),2013-01-\(10 + row % 20) 05:\(10 + row % 50):00,a remark of some length \(row % 97)\n"
        }
        let bytes = Array(text.utf8)
        var all: [UInt8] = []
        for _ in 0..<20 { all += bytes }
        let path = directory.write("big.csv", all)
        let fields = [
            Field("id", .int), Field("n", .bigInt), Field("carrier", .string), Field("tail", .string), Field("price", .double), Field("x", .double),
            Field("ts", DataType(.timestamp(3))), Field("remark", .string),
        ]
        func measure(_ projection: [Int]?) throws -> Double {
            var best = Double.infinity
            for _ in 0..<5 {
                let clock = SystemClock()
                let start = clock.monotonicNanoseconds()
                let driver = try SourceDriver(csvSource(path, fields, projection: projection))
                var count = 0
                loop: while true {
                    switch try driver.step() {
                    case .batch(let batch, _): count += batch.count
                    case .end: break loop
                    default: break
                    }
                }
                #expect(count == 400_000)
                best = min(best, Double(clock.monotonicNanoseconds() - start) / 1e9)
            }
            return Double(all.count) / 1e6 / best
        }
        let full = try measure(nil)
        let two = try measure([0, 4])
        print("CSV, 8 columns, \(all.count / 400_000) bytes a row: \(Int(full)) MB/s; two of the columns: \(Int(two)) MB/s")
        #expect(full > 30)
    }
}
