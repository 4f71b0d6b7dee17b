import Columnar

/// Columns and batches from Swift values.
public enum Rows {
    public static func column(_ type: DataType, _ values: [Scalar]) throws -> Column {
        let builder = try ColumnBuilder.make(for: type)
        for value in values { try builder.append(value) }
        return builder.finish()
    }

    public static func bigInts(_ values: [Int64?]) throws -> Column { try column(.bigInt, values.map { $0.map { .int64($0) } ?? .null }) }

    public static func batch(_ schema: Schema, _ columns: [Column], timestamps: [Int64]? = nil) throws -> Batch {
        var batch = Batch(schema: schema, columns: columns, count: columns.first?.count ?? 0)
        if let timestamps { batch.timestamps = try bigInts(timestamps) }
        return batch
    }

    /// The same rows seen in another way: sliced out of longer columns, or selected out of a batch with other rows between them.
    public static func disguises(_ batch: Batch) throws -> [Batch] {
        let count = Int32(batch.physicalCount)
        guard count > 0 else { return [batch] }
        let padding = [Int32](repeating: 0, count: 3)
        let padded = try taking(batch, padding + Array(0..<count) + padding)
        let doubled = try taking(batch, (0..<count).flatMap { [$0, (($0 &* 7) &+ 3) % count] })
        return [
            batch, padded.slice(3, Int(count)), doubled.selecting(Selection((0..<count).map { 2 * $0 })),
            doubled.selecting(Selection((0..<2 * count).map { $0 })).selecting(Selection((0..<count).map { 2 * $0 })),
        ]
    }

    private static func taking(_ batch: Batch, _ rows: [Int32]) throws -> Batch {
        try batch.selecting(Selection(rows)).compacted()
    }
}
