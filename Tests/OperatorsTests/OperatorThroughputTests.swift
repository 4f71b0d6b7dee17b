import Columnar
import Dataflow
import Glibc
import Operators
import Plan
import Testing

/// The thread's own time: what others take of a busy machine is not in it.
private func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Prints how fast keyed operators are, hashing and hosts aside; the floors are far below the aims, because the machine may be busy.
@Suite(.serialized) struct OperatorThroughputTests {
    private static let batchRowCount = 4_096

    /// Takes what is emitted and keeps nothing.
    private final class Counter: Output {
        var rowCount = 0
        var isFull: Bool { false }
        func emit(_ batch: Batch) throws(MillstreamError) { rowCount += batch.count }
        func emit(_ batch: Batch, to sideOutput: SideOutputID) throws(MillstreamError) { rowCount += batch.count }
        func emit(_ watermark: EventTime) throws(MillstreamError) {}
        func emit(_ status: WatermarkStatus) throws(MillstreamError) {}
    }

    /// Batches of a random key, a value of a type made from the row's number, and timestamps that rise by a millisecond per 1,000 rows; with hashes, as behind
    /// an exchange.
    private func batches(_ rowCount: Int, keyCount: Int, type: DataType, _ value: (Int) -> Scalar) throws -> [Batch] {
        let random = SeededRandom(seed: 3)
        let schema = Schema([Field("key", DataType.bigInt.notNull), Field("value", type)], shape: .tuple)
        return try stride(from: 0, to: rowCount, by: Self.batchRowCount).map { start in
            let rows = start..<min(rowCount, start + Self.batchRowCount)
            let keys = Buffer(byteCount: 8 * rows.count)
            let times = Buffer(byteCount: 8 * rows.count)
            let builder = try ColumnBuilder.make(for: type)
            for (index, row) in rows.enumerated() {
                keys.pointer(as: Int64.self)[index] = Int64(random.next(below: UInt64(keyCount)))
                times.pointer(as: Int64.self)[index] = Int64(row / 1_000)
                try builder.append(value(row))
            }
            let key = Column(type: DataType.bigInt.notNull, count: rows.count, values: keys)
            let batch = Batch(
                schema: schema, columns: [key, builder.finish()], count: rows.count,
                timestamps: Column(type: DataType.bigInt.notNull, count: rows.count, values: times))
            return try batch.keyed(by: [key])
        }
    }

    /// Runs an operator over the batches several times, so that all but the first find all keys. Returns the seconds of the fastest time, and the rows that it
    /// gave.
    private func run(_ operation: any Operator, _ batches: [Batch]) throws -> (seconds: Double, rowCount: Int) {
        let harness = try OperatorHarness(operation)
        let counter = Counter()
        var seconds = Double.infinity
        var rowCount = 0
        for _ in 0..<4 {
            let before = counter.rowCount
            let start = processorSeconds()
            for batch in batches {
                var progress = try harness.operation.process(batch, input: 0, output: counter)
                while progress == .more { progress = try harness.operation.resume(output: counter) }
            }
            seconds = min(seconds, processorSeconds() - start)
            rowCount = counter.rowCount - before
        }
        try harness.operation.close()
        return (seconds, rowCount)
    }

    private func report(_ what: String, _ keyCount: Int, _ rowCount: Int, _ seconds: Double) {
        let rate = Double(rowCount) / seconds / 1e6
        print("\(what), \(keyCount) keys: \(Double(Int(rate * 10)) / 10) M rows/s")
    }

    private func window(_ calls: [AggregateCall], input: Schema, lateness: Int64 = 0) throws -> any Operator {
        let time = DataType(.timestampLTZ(3), isNullable: false)
        let results = try calls.map { call in Field(call.name, try call.resultType(over: call.column.map { input.fields[$0].type })) }
        let output = Schema([input.fields[0], Field("window_start", time), Field("window_end", time)] + results)
        let description = WindowDescription(
            assigner: .tumbling(size: 1_000_000, offset: 0, isEventTime: true), function: .aggregate(calls), keys: [0],
            allowedLatenessMilliseconds: lateness)
        let node = Node(id: NodeID(0), name: "window", inputs: [], operation: .window(description), output: output)
        return try OperatorFactory.make(for: node, inputs: [input], bindings: Bindings())
    }

    @Test(arguments: [1_000, 1_000_000])
    func windowOfCountAndSum(keyCount: Int) throws {
        let rows = try batches(2_000_000, keyCount: keyCount, type: DataType.bigInt.notNull) { .int64(Int64($0)) }
        let calls = [AggregateCall(.countAll, column: nil, name: "n"), AggregateCall(.sum, column: 1, name: "total")]
        let (seconds, _) = try run(try window(calls, input: rows[0].schema), rows)
        report("window of COUNT and SUM", keyCount, 2_000_000, seconds)
        #expect(seconds < 4)
    }

    @Test(
        arguments: [
            .bigInt, .boolean, .tinyInt, .smallInt, .int, .float, .double, .date, DataType(.time(3)), DataType(.timestamp(3)),
            DataType(.decimal(precision: 20, scale: 2)), .string,
        ] as [DataType], [1_000, 1_000_000])
    func windowOfMinAndMax(type: DataType, keyCount: Int) throws {
        let rowCount = 500_000
        let rows = try batches(rowCount, keyCount: keyCount, type: type) { row in
            let number = (row &* 7_919) % 127
            return switch type.kind {
            case .boolean: .boolean(number % 2 == 0)
            case .float, .double: .double(Double(number))
            case .decimal: .decimal(Int128(number))
            case .varChar: .string(row % 2 == 0 ? "short \(number)" : "a text that is longer than a view \(number)")
            default: .int64(Int64(number))
            }
        }
        let calls = [AggregateCall(.min, column: 1, name: "least"), AggregateCall(.max, column: 1, name: "most")]
        let (seconds, _) = try run(try window(calls, input: rows[0].schema), rows)
        report("window of MIN and MAX of \(type)", keyCount, rowCount, seconds)
        #expect(seconds < 4)
    }

    /// Rows that are late but allowed: a result each.
    @Test func windowOfLateRows() throws {
        let rowCount = 100_000
        let rows = try batches(rowCount, keyCount: 1_000, type: DataType.bigInt.notNull) { .int64(Int64($0)) }
        let calls = [AggregateCall(.countAll, column: nil, name: "n"), AggregateCall(.sum, column: 1, name: "total")]
        let operation = try window(calls, input: rows[0].schema, lateness: .max)
        let harness = try OperatorHarness(operation)
        try harness.watermark(10_000_000)
        let (seconds, emitted) = try run(operation, rows)
        report("window of late rows", 1_000, rowCount, seconds)
        #expect(emitted == rowCount && seconds < 4)
    }

    @Test(arguments: [RollingAggregate.sum, .min, .maxBy], [1_000, 1_000_000])
    func rolling(aggregate: RollingAggregate, keyCount: Int) throws {
        let rowCount = 2_000_000
        let rows = try batches(rowCount, keyCount: keyCount, type: DataType.bigInt.notNull) { .int64(Int64(($0 &* 7_919) % 127)) }
        let node = Node(
            id: NodeID(0), name: "node", inputs: [], operation: .rolling(aggregate, column: 1, keys: [0]), output: rows[0].schema)
        let (seconds, emitted) = try run(try OperatorFactory.make(for: node, inputs: [rows[0].schema], bindings: Bindings()), rows)
        report("rolling \(aggregate)", keyCount, rowCount, seconds)
        #expect(emitted == rowCount && seconds < 4)
    }

    /// A reduce function that adds, as compiled code would: what is measured is the way to it and back.
    @Test(arguments: [1_000, 1_000_000])
    func reduce(keyCount: Int) throws {
        let rowCount = 2_000_000
        let rows = try batches(rowCount, keyCount: keyCount, type: DataType.bigInt.notNull) { .int64(Int64($0)) }
        let function = ScriptedFunction { (request) throws(MillstreamError) in
            guard let slots = request.slots else { throw .internal("no slots") }
            let places = slots.pointer(as: Int32.self)
            let old = request.accumulators[1]
            let sums = Buffer(byteCount: 8 * old.count)
            let keys = Buffer(byteCount: 8 * old.count)
            let results = Buffer(byteCount: 8 * request.count)
            let (sum, key, result) = (sums.pointer(as: Int64.self), keys.pointer(as: Int64.self), results.pointer(as: Int64.self))
            let (before, values, names) = (old.pointer(as: Int64.self), request.columns[1].pointer(as: Int64.self), request.columns[0].pointer(as: Int64.self))
            for slot in 0..<old.count { sum[slot] = old.isNull(slot) ? 0 : before[slot] }
            for row in 0..<request.count {
                let slot = Int(places[row])
                key[slot] = names[row]
                sum[slot] &+= values[row]
                result[row] = sum[slot]
            }
            let type = DataType.bigInt.notNull
            var response = HostResponse(accumulators: [
                Column(type: type, count: old.count, values: keys), Column(type: type, count: old.count, values: sums),
            ])
            let column = Column(type: type, count: request.count, values: results)
            response.outputs = [HostResponse.Rows(columns: [request.columns[0], column], count: request.count)]
            return response
        }
        var bindings = Bindings()
        bindings.bind(0, function: function)
        let node = Node(id: NodeID(0), name: "node", inputs: [], operation: .reduce(BindingID(0), keys: [0]), output: rows[0].schema)
        let (seconds, emitted) = try run(try OperatorFactory.make(for: node, inputs: [rows[0].schema], bindings: bindings), rows)
        report("reduce", keyCount, rowCount, seconds)
        #expect(emitted == rowCount && seconds < 4)
    }
}
