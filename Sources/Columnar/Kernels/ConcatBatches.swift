extension Batch {
    /// The rows that count of several batches of one schema, one after the other, densely.
    ///
    /// Missing row kinds become inserts and missing timestamps `EventTime.none` if any batch has them; key hashes stay only if all have them.
    public static func concat(_ batches: [Batch]) throws(MillstreamError) -> Batch {
        guard let first = batches.first else { throw MillstreamError(.invalidArgument, "concat of no batches") }
        if batches.count == 1 { return try first.compacted() }
        var dense: [Batch] = []
        for batch in batches where !batch.isEmpty {
            guard batch.columns.count == first.columns.count else {
                throw MillstreamError(.typeMismatch, "a batch of \(batch.columns.count) columns cannot follow one of \(first.columns.count)")
            }
            dense.append(try batch.compacted())
        }
        guard dense.count > 1 else { return try (dense.first ?? first.slice(0, 0)).compacted() }
        var result = dense[0]
        for index in result.columns.indices { result.columns[index] = try Column.concat(dense.map { $0.columns[index] }) }
        result.physicalCount = dense.reduce(0) { $0 + $1.physicalCount }
        result.rowKinds = try concatHidden(dense, \.rowKinds) { .repeating(RowKind.insert.rawValue, type: .tinyInt, count: $0) }
        result.timestamps = try concatHidden(dense, \.timestamps) { .repeating(EventTime.none.milliseconds, type: .bigInt, count: $0) }
        result.keyHashes = dense.contains { $0.keyHashes == nil } ? nil : try concatHidden(dense, \.keyHashes) { _ in nil }
        return result
    }

    private static func concatHidden(
        _ batches: [Batch], _ hidden: (Batch) -> Column?, _ missing: (Int) -> Column?
    ) throws(MillstreamError) -> Column? {
        guard batches.contains(where: { hidden($0) != nil }) else { return nil }
        return try Column.concat(batches.compactMap { hidden($0) ?? missing($0.physicalCount) })
    }
}

extension Column {
    /// A fixed-width column of one value, without nulls.
    public static func repeating<Element: BitwiseCopyable>(_ value: Element, type: DataType, count: Int) -> Column {
        let values = Buffer(byteCount: count * MemoryLayout<Element>.stride)
        values.pointer(as: Element.self).initialize(repeating: value, count: count)
        return Column(type: type.notNull, count: count, values: values)
    }

    /// A column that holds `scalar` `count` times. Throws as `ColumnBuilder.append(_: Scalar)` does.
    public static func constant(
        _ scalar: Scalar, type: DataType, count: Int, hostObjects: HostObjects? = nil
    ) throws(MillstreamError) -> Column {
        let builder = try ColumnBuilder.make(for: type, hostObjects: hostObjects)
        try builder.append(scalar)
        let single = builder.finish()
        if count == 1 { return single }
        let indices = Buffer.zeroed(byteCount: 4 * count)
        let column = try single.taking(indices.pointer(as: Int32.self), count: count)
        withExtendedLifetime(indices) {}
        return column
    }
}
