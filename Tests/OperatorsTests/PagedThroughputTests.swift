import Columnar
import Dataflow
import Glibc
import Operators
import Plan
import State
import TestColumns
import Testing

/// How fast running sums are with a state that does not fit into memory. The figures of benchmarks are those with MILLSTREAM_PAGED_KEYS=10000000.
@Suite(.serialized) struct PagedThroughputTests {
    private static let keyCount = getenv("MILLSTREAM_PAGED_KEYS").flatMap { Int(String(cString: $0)) } ?? 200_000
    private static let memory = getenv("MILLSTREAM_PAGED_MB").flatMap { Int(String(cString: $0)) } ?? 16

    private final class Sums: Output {
        var last: [Int64: Int64] = [:]
        var keepsLast = false
        func emit(_ batch: Batch) throws(MillstreamError) {
            guard keepsLast else { return }
            let keys = batch.columns[0].pointer(as: Int64.self), sums = batch.columns[1].pointer(as: Int64.self)
            for row in 0..<batch.count { last[keys[row]] = sums[row] }
        }
        func emit(_ batch: Batch, to sideOutput: SideOutputID) throws(MillstreamError) {}
        func emit(_ watermark: EventTime) throws(MillstreamError) {}
        func emit(_ status: WatermarkStatus) throws(MillstreamError) {}
        var isFull: Bool { false }
    }

    private func usage() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    private func seconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private func batch(_ keys: [Int64]) -> Batch {
        let schema = Schema([Field("key", DataType.bigInt.notNull), Field("value", DataType.bigInt.notNull)], shape: .tuple)
        let ones = [Int64](repeating: 1, count: keys.count)
        let type = DataType.bigInt.notNull
        return Batch(
            schema: schema,
            columns: [Column(type: type, count: keys.count, values: Buffer.copying(keys)), Column(type: type, count: keys.count, values: Buffer.copying(ones))],
            count: keys.count)
    }

    @Test(arguments: ["memory", "RocksDB, uniform", "RocksDB, 90 % of rows in 1 % of the keys"]) func runningSums(what: String) throws {
        let count = Self.keyCount
        let schema = batch([]).schema
        let operation = try OperatorFactory.make(
            for: Node(id: NodeID(0), name: "sums", inputs: [], operation: .rolling(.sum, column: 1, keys: [0]), output: schema), inputs: [schema],
            bindings: Bindings())
        let context = OperatorContext(
            operatorID: OperatorID("test"), operatorName: "test", subtask: SubtaskIndex(0), parallelism: 1, maxParallelism: 128, jobName: "test",
            clock: SystemClock(), random: Dataflow.SeededRandom(seed: 1), metrics: OperatorMetrics(), requestWakeUp: { _ in })
        if what != "memory" {
            var settings = RocksDBSettings()
            settings.memoryByteCount = Int64(max(8, Self.memory / 2)) << 20
            TestBackend.paged(Self.memory / 2 << 20, stores: try RocksDBStores(settings)).prepare(context)
        }
        let output = Sums()
        try operation.open(context)
        var random = TestColumns.SeededRandom(1)
        let isSkewed = what.contains("90")
        func feed(_ rowCount: Int, _ key: (Int) -> Int) throws {
            var start = 0
            while start < rowCount {
                let keys = (start..<min(start + 4_096, rowCount)).map { Int64(key($0)) }
                _ = try operation.process(batch(keys), input: 0, output: output)
                start += keys.count
            }
        }
        let (fillFrom, fillUsage) = (seconds(), usage())
        try feed(count, { $0 &* 7_919 % count })
        let fill = (seconds() - fillFrom, usage() - fillUsage)
        let rowCount = max(200_000, count / 4)
        let (from, used) = (seconds(), usage())
        try feed(rowCount, { _ in isSkewed && random.int(0..<10) < 9 ? random.int(0..<max(1, count / 100)) : random.int(0..<count) })
        let (wall, processor) = (seconds() - from, usage() - used)
        print(
            "\(what): \(count) keys, \(Self.memory) MB; filled at \(Int(Double(count) / fill.1)) rows/s of processor time (\(Int(Double(count) / fill.0)) by the clock), then "
                + "\(Int(Double(rowCount) / processor)) rows/s of processor time (\(Int(Double(rowCount) / wall)) by the clock)")
        // What was counted is what was fed, over a few keys of the end.
        if what != "memory" {
            output.keepsLast = true
            try feed(8_192, { ($0 &* 31) % count })
            try feed(8_192, { ($0 &* 31) % count })
            let first = output.last
            try feed(8_192, { ($0 &* 31) % count })
            // Each of these keys came as often as before: in every pass the same number of times, once where they do not wrap.
            if count > 8_192 * 31 { for (key, sum) in first { #expect(output.last[key] == sum + 1) } } else { #expect(output.last.count == first.count) }
        }
        try operation.close()
    }
}
