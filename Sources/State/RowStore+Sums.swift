import Columnar

/// Sums where the records lie: what a keyed running sum does with each batch.
extension RowStore {
    /// Whether all columns are flat.
    public var isFlat: Bool { nested == nil }

    /// Adds each row of a batch to its slot's sum, and gives what that comes to, row by row; slots may repeat. A slot without a row takes the first one of the
    /// batch: its other columns stay as they are in that one. `column` is the one that is summed: numbers without nulls. Integers wrap.
    public func addUp(_ column: Int, of columns: [Column], slots: UnsafePointer<Int32>, count rowCount: Int) throws(MillstreamError) -> Column {
        guard let field = layout.fields.first(where: { $0.column == column }), case .fixed(let byteWidth) = field.storage else {
            throw .internal("a sum of column \(column) of a row store, which is not of fixed width")
        }
        let fresh = try setMissing(columns, slots: slots, count: rowCount)
        snapshots.touch(slots, count: rowCount)
        // The first value is what the sum begins with.
        for row in fresh { flags(Int(slots[Int(row)]))[field.flagByteOffset / 8] &= ~field.flag }
        let values = columns[column]
        switch (values.type.kind, byteWidth) {
        case (.float, _): return addUp(field, values, slots, rowCount) { (left: Float, right: Float) in left + right }
        case (.double, _): return addUp(field, values, slots, rowCount) { (left: Double, right: Double) in left + right }
        case (_, 1): return addUp(field, values, slots, rowCount) { (left: Int8, right: Int8) in left &+ right }
        case (_, 2): return addUp(field, values, slots, rowCount) { (left: Int16, right: Int16) in left &+ right }
        case (_, 4): return addUp(field, values, slots, rowCount) { (left: Int32, right: Int32) in left &+ right }
        case (_, 8): return addUp(field, values, slots, rowCount) { (left: Int64, right: Int64) in left &+ right }
        default: return addUp(field, values, slots, rowCount) { (left: Int128, right: Int128) in left &+ right }
        }
    }

    @inline(__always)
    private func addUp<Value: BitwiseCopyable>(
        _ field: RecordLayout.Field, _ column: Column, _ slots: UnsafePointer<Int32>, _ rowCount: Int, _ add: (Value, Value) -> Value
    ) -> Column {
        let result = Buffer(byteCount: rowCount * MemoryLayout<Value>.stride)
        let target = result.pointer(as: Value.self)
        let values = UnsafePointer(column.pointer(as: Value.self))
        let base = records
        let (stride, offset, flagOffset, flag) = (layout.stride, field.byteOffset, field.flagByteOffset, field.flag)
        for row in 0..<rowCount {
            let record = base + Int(slots[row]) &* stride
            let flags = (record + flagOffset).assumingMemoryBound(to: UInt64.self)
            let place = record + offset
            var value = values[row]
            if flags.pointee & flag != 0 { value = add(place.loadUnaligned(as: Value.self), value) } else { flags.pointee |= flag }
            place.storeBytes(of: value, as: Value.self)
            target[row] = value
        }
        withExtendedLifetime(column) {}
        return Column(type: column.type, count: rowCount, values: result)
    }

    /// The first row of each slot that has none becomes its row. The numbers of these rows, ascending.
    private func setMissing(_ columns: [Column], slots: UnsafePointer<Int32>, count rowCount: Int) throws(MillstreamError) -> [Int32] {
        try check(columns, rowCount)
        reserve(slots, rowCount)
        let base = records
        let stride = layout.stride
        var rows: [Int32] = []
        for row in 0..<rowCount {
            let word = (base + Int(slots[row]) &* stride).assumingMemoryBound(to: UInt64.self)
            if word.pointee & RecordLayout.isPresent != 0 { continue }
            snapshots.touch(Int(slots[row]))
            // Marked, so that a slot that comes again is not missing; `set` counts those that are not marked.
            word.pointee = RecordLayout.isPresent
            count += 1
            rows.append(Int32(truncatingIfNeeded: row))
        }
        guard !rows.isEmpty else { return rows }
        let selection = Selection(rows)
        var taken: [Column] = []
        for column in columns { taken.append(try column.taking(selection)) }
        let missing = rows.map { slots[Int($0)] }
        try missing.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            if let first = list.baseAddress { try set(taken, slots: first, count: list.count) }
        }
        return rows
    }

    /// The values of one column of some slots, which may repeat; null where a slot has no row.
    public func gather(column position: Int, slots: UnsafePointer<Int32>, count rowCount: Int) throws(MillstreamError) -> Column {
        guard let field = layout.fields.first(where: { $0.column == position }) else {
            guard let nested, let place = layout.others.firstIndex(of: position) else { throw .internal("there is no column \(position) in a row store") }
            return try nested.gather(slots, count: rowCount)[place]
        }
        reserve(slots, rowCount)
        let reader = RecordReader(base: UnsafeRawPointer(records), layout: layout, types: types)
        return try reader.gather(field, reader.commonFlags(slots, rowCount), slots, rowCount, loans: loans, hostObjects: hostObjects)
    }
}
