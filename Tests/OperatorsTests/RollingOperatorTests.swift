import Columnar
import Dataflow
import Operators
import Plan
import Testing

@Suite struct RollingOperatorTests {
    /// Key, value, and a number that tells the records of a key apart.
    private func run(_ aggregate: RollingAggregate, _ rows: [[Int64?]], batchSize: Int, isBatch: Bool = false) throws -> [[Scalar]] {
        let harness = try OperatorHarness(
            try makeNodeOperator(.rolling(aggregate, column: 1, keys: [0]), columns: 3, function: nil, isBatch: isBatch))
        harness.isFull = isBatch
        defer { #expect(!isBatch || harness.batches.allSatisfy { $0.timestamps.map { int64s($0) }?.allSatisfy { $0 == .max } ?? false }) }
        var start = 0
        while start < rows.count {
            let part = rows[start..<min(rows.count, start + batchSize)]
            try harness.process(try int64Batch((0..<3).map { column in part.map { $0[column] } }))
            start += batchSize
        }
        if isBatch {
            #expect(harness.batches.isEmpty)
            try harness.watermark(.max)
        }
        return try harness.rows()
    }

    /// What Flink's aggregators do, a record at a time.
    private func model(_ aggregate: RollingAggregate, _ rows: [[Int64?]]) -> [[Scalar]] {
        var records: [Int64?: [Int64?]] = [:]
        return rows.map { row in
            guard var record = records[row[0]] else {
                records[row[0]] = row
                return row.map { $0.map { .int64($0) } ?? .null }
            }
            if let value = row[1] {
                let old = record[1]
                switch aggregate {
                case .sum: record[1] = old.map { $0 &+ value } ?? value
                case .min: record[1] = min(old ?? .max, value)
                case .max: record[1] = max(old ?? .min, value)
                case .minBy: if old == nil || value < old ?? 0 { record = row }
                case .maxBy: if old == nil || value > old ?? 0 { record = row }
                }
            }
            records[row[0]] = record
            return record.map { $0.map { .int64($0) } ?? .null }
        }
    }

    @Test(arguments: [RollingAggregate.sum, .min, .max, .minBy, .maxBy], [1, 7, 500])
    func agreesWithARecordAtATime(aggregate: RollingAggregate, batchSize: Int) throws {
        let random = SeededRandom(seed: 11)
        let rows: [[Int64?]] = (0..<1_500).map { number in
            let value: Int64? = random.next(below: 12) == 0 ? nil : random.next(below: 30) == 0 ? .max : Int64(random.next(below: 40)) - 20
            return [Int64(random.next(below: 25)), value, Int64(number)]
        }
        #expect(try run(aggregate, rows, batchSize: batchSize) == model(aggregate, rows))
    }

    @Test(arguments: [RollingAggregate.sum, .min, .max, .minBy, .maxBy], [7, 500])
    func inBatchModeGivesEachKeysLastRecord(aggregate: RollingAggregate, batchSize: Int) throws {
        let random = SeededRandom(seed: 12)
        let rows: [[Int64?]] = (0..<9_000).map { number in
            [Int64(random.next(below: 5_000)), random.next(below: 12) == 0 ? nil : Int64(random.next(below: 40)) - 20, Int64(number)]
        }
        var last: [Int64: [Scalar]] = [:]
        var order: [Int64] = []
        for (row, result) in zip(rows, model(aggregate, rows)) {
            guard let key = row[0] else { continue }
            if last.updateValue(result, forKey: key) == nil { order.append(key) }
        }
        #expect(try run(aggregate, rows, batchSize: batchSize, isBatch: true) == order.map { last[$0] ?? [] })
    }

    /// Values of a type in the order of their numbers; the greatest floating point number is NaN.
    private func value(_ type: DataType, _ number: Int64, hasNaN: Bool) -> Scalar {
        switch type.kind {
        case .float, .double: .double(hasNaN && number == 20 ? .nan : Double(number))
        case .decimal: .decimal(Int128(number))
        case .varChar: .string("a text that is as long as its number \(number + 500)")
        default: .int64(number)
        }
    }

    @Test(
        arguments: [
            .tinyInt, .smallInt, .int, .bigInt.notNull, .float, .double, .date, .string, DataType(.decimal(precision: 20, scale: 3)), DataType(.timestamp(3)),
        ] as [DataType],
        [RollingAggregate.sum, .min, .max, .minBy, .maxBy])
    func everyTypeAgreesWithARecordAtATime(type: DataType, aggregate: RollingAggregate) throws {
        let hasSum = switch type.kind {
        case .date, .varChar, .timestamp: false
        default: true
        }
        guard aggregate != .sum || hasSum else { return }
        let random = SeededRandom(seed: 29)
        let isSum = aggregate == .sum
        let rows: [[Int64?]] = (0..<900).map { number in
            // Sums must stay in the smallest type, where the model does not wrap.
            let value: Int64? = type.isNullable && random.next(below: 9) == 0 ? nil : isSum ? number % 2 == 0 ? 1 : -1 : Int64(random.next(below: 41)) - 20
            return [Int64(random.next(below: 12)), value, Int64(number)]
        }
        let schema = Schema([Field("key", .bigInt), Field("value", type), Field("number", .bigInt)], shape: .tuple)
        let node = Node(id: NodeID(0), name: "node", inputs: [], operation: .rolling(aggregate, column: 1, keys: [0]), output: schema)
        let harness = try OperatorHarness(try OperatorFactory.make(for: node, inputs: [schema], bindings: Bindings()))
        for start in stride(from: 0, to: rows.count, by: 70) {
            let part = rows[start..<min(rows.count, start + 70)]
            var columns: [Column] = []
            for position in 0..<3 {
                let builder = try ColumnBuilder.make(for: schema.fields[position].type)
                for row in part {
                    try builder.append(row[position].map { position == 1 ? value(type, $0, hasNaN: !isSum) : .int64($0) } ?? .null)
                }
                columns.append(builder.finish())
            }
            try harness.process(Batch(schema: schema, columns: columns, count: part.count))
        }
        let expected = model(aggregate, rows).map { row in
            row.enumerated().map { position, scalar in
                if position == 1, case .int64(let number) = scalar { "\(value(type, number, hasNaN: !isSum))" } else { "\(scalar)" }
            }
        }
        #expect(try harness.rows().map { $0.map { "\($0)" } } == expected)
        #expect(harness.batches.allSatisfy { $0.columns.map(\.type) == schema.fields.map(\.type) })
    }

    @Test func integerSumsWrap() throws {
        let rows: [[Int64?]] = [[1, .max, 0], [1, 1, 1]]
        #expect(try run(.sum, rows, batchSize: 2).last == [.int64(1), .int64(.min), .int64(0)])
    }
}
