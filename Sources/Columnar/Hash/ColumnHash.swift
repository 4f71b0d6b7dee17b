/// Writes the hash of each key of `columns` to `target`, column by column (docs/hash.md).
///
/// Without a selection the keys are rows `0 ..< count`; with one, `count` is ignored and `target` gets `selection.count` hashes, in its order.
/// A key of no columns hashes to 0. Throws `key` for a host value that can be no key, with the place in `recordIndex`.
public func hash(
    columns: [Column], count: Int, selection: Selection?, into target: UnsafeMutablePointer<UInt64>
) throws(MillstreamError) {
    let rows = Rows(count: selection?.count ?? count, indices: selection?.indices)
    defer { withExtendedLifetime(selection) {} }
    if columns.count == 1 { return try hashColumn(columns[0], rows, into: target) }
    try hashFolded(columns, rows, into: target)
}

extension Batch {
    /// The batch with the hidden column of key hashes, computed for the rows that count; other rows have undefined hashes.
    public func keyed(by key: [Column]) throws(MillstreamError) -> Batch {
        let hashes = Buffer(byteCount: 8 * physicalCount)
        let target = hashes.pointer(as: UInt64.self)
        if let selection {
            let dense = Buffer(byteCount: 8 * selection.count)
            try hash(columns: key, count: physicalCount, selection: selection, into: dense.pointer(as: UInt64.self))
            let source = dense.pointer(as: UInt64.self)
            let indices = selection.indices
            for index in 0..<selection.count { target[Int(indices[index])] = source[index] }
            withExtendedLifetime((dense, selection)) {}
        } else {
            try hash(columns: key, count: physicalCount, selection: nil, into: target)
        }
        var copy = self
        copy.keyHashes = Column(type: DataType.bigInt.notNull, count: physicalCount, values: hashes)
        return copy
    }
}

/// The rows a kernel works on: the first `count`, or those that `indices` names.
struct Rows {
    let count: Int
    let indices: UnsafePointer<Int32>?

    @inline(__always)
    func row(_ index: Int) -> Int { indices.map { Int($0[index]) } ?? index }
}

private func hashFolded(_ columns: [Column], _ rows: Rows, into target: UnsafeMutablePointer<UInt64>) throws(MillstreamError) {
    target.update(repeating: UInt64(truncatingIfNeeded: columns.count), count: rows.count)
    guard !columns.isEmpty, rows.count > 0 else { return }
    let scratch = Buffer(byteCount: 8 * rows.count)
    let hashes = scratch.pointer(as: UInt64.self)
    for column in columns {
        try hashColumn(column, rows, into: hashes)
        for index in 0..<rows.count { target[index] = StableHash.fold(target[index], hashes[index]) }
    }
    withExtendedLifetime(scratch) {}
}

private func hashColumn(_ column: Column, _ rows: Rows, into target: UnsafeMutablePointer<UInt64>) throws(MillstreamError) {
    guard rows.count > 0 else { return }
    switch column.type.layout {
    case .null: target.update(repeating: StableHash.null, count: rows.count)
    case .bits:
        for index in 0..<rows.count { target[index] = StableHash.hash(Int64(column.bit(rows.row(index)) ? 1 : 0)) }
        hashNulls(column, rows, into: target)
    case .fixed(let byteWidth):
        hashFixed(column, byteWidth, rows, into: target)
        hashNulls(column, rows, into: target)
    case .views: hashViews(column, rows, into: target)
    case .handles: try hashHandles(column, rows, into: target)
    case .row:
        let fields = column.children.indices.map { column.field($0) }
        try hashFolded(fields, rows, into: target)
        hashNulls(column, rows, into: target)
    case .list:
        try hashLists(column, rows, into: target)
        hashNulls(column, rows, into: target)
    }
    withExtendedLifetime(column) {}
}

private func hashFixed(_ column: Column, _ byteWidth: Int, _ rows: Rows, into target: UnsafeMutablePointer<UInt64>) {
    switch column.type.kind {
    case .float: return hashEach(column.pointer(as: Float.self), rows, into: target) { StableHash.hash(Double($0)) }
    case .double: return hashEach(column.pointer(as: Double.self), rows, into: target) { StableHash.hash($0) }
    default: break
    }
    switch byteWidth {
    case 1: hashEach(column.pointer(as: Int8.self), rows, into: target) { StableHash.hash(Int64($0)) }
    case 2: hashEach(column.pointer(as: Int16.self), rows, into: target) { StableHash.hash(Int64($0)) }
    case 4: hashEach(column.pointer(as: Int32.self), rows, into: target) { StableHash.hash(Int64($0)) }
    case 8: hashEach(column.pointer(as: Int64.self), rows, into: target) { StableHash.hash($0) }
    default: hashEach(column.pointer(as: Int128.self), rows, into: target) { StableHash.hash($0) }
    }
}

@inline(__always)
private func hashEach<Element: BitwiseCopyable>(
    _ values: UnsafePointer<Element>, _ rows: Rows, into target: UnsafeMutablePointer<UInt64>, _ hash: (Element) -> UInt64
) {
    if let indices = rows.indices {
        for index in 0..<rows.count { target[index] = hash(values[Int(indices[index])]) }
    } else {
        for index in 0..<rows.count { target[index] = hash(values[index]) }
    }
}

/// Overwrites the hashes of nulls.
private func hashNulls(_ column: Column, _ rows: Rows, into target: UnsafeMutablePointer<UInt64>) {
    guard let validity = column.validity else { return }
    let bits = UnsafeRawPointer(validity.base)
    let offset = column.offset
    for index in 0..<rows.count {
        let isThere = Bits.get(bits, offset &+ rows.row(index))
        target[index] = isThere ? target[index] : StableHash.null
    }
}

/// The place of a null may hold any view, so that validity is looked at first.
private func hashViews(_ column: Column, _ rows: Rows, into target: UnsafeMutablePointer<UInt64>) {
    let views = UnsafePointer(column.pointer(as: StringView.self))
    let hasNulls = column.mayHaveNulls
    withDataPointers(of: column) { blocks in
        for index in 0..<rows.count {
            let row = rows.row(index)
            if hasNulls && column.isNull(row) {
                target[index] = StableHash.null
            } else {
                target[index] = StableHash.xxh64(viewBytes(views + row, blocks), seed: 0)
            }
        }
    }
}

private func hashHandles(_ column: Column, _ rows: Rows, into target: UnsafeMutablePointer<UInt64>) throws(MillstreamError) {
    guard let objects = column.hostObjects else { throw .internal("an OBJECT column has no host") }
    let handles = column.pointer(as: HostObjects.Handle?.self)
    if rows.indices == nil && !column.mayHaveNulls {
        return try hashRefused(objects.hash(handles, rows.count, target), objects, handles) { $0 }
    }
    // The host sees a dense run without our nulls; its hashes go back to their places from the end on, so that one buffer is enough.
    let gathered = Buffer(byteCount: 8 * rows.count)
    let places = Buffer(byteCount: 4 * rows.count)
    let dense = gathered.pointer(as: HostObjects.Handle?.self)
    let denseRows = places.pointer(as: Int32.self)
    var count = 0
    for index in 0..<rows.count {
        let row = rows.row(index)
        if column.isNull(row) { continue }
        dense[count] = handles[row]
        denseRows[count] = Int32(truncatingIfNeeded: index)
        count &+= 1
    }
    if count > 0 { try hashRefused(objects.hash(dense, count, target), objects, dense) { Int(denseRows[$0]) } }
    var next = count
    for index in stride(from: rows.count - 1, through: 0, by: -1) {
        if next > 0 && Int(denseRows[next - 1]) == index {
            next -= 1
            target[index] = target[next]
        } else {
            target[index] = StableHash.null
        }
    }
    withExtendedLifetime((gathered, places)) {}
}

/// Turns the host's answer into an error. `place` maps the host's index to that of the caller.
private func hashRefused(
    _ status: Int, _ objects: HostObjects, _ handles: UnsafePointer<HostObjects.Handle?>, _ place: (Int) -> Int
) throws(MillstreamError) {
    guard status >= 0 else { return }
    throw MillstreamError(
        .key, "the value \(objects.description(of: handles[status])) cannot be a key",
        hint: "Keys are None, bool, int, float, str, bytes, and tuples of these.", recordIndex: Int64(place(status)))
}

/// Lists fold their elements' hashes in order; maps and multisets sum those of their entries, so that their order does not count.
private func hashLists(_ column: Column, _ rows: Rows, into target: UnsafeMutablePointer<UInt64>) throws(MillstreamError) {
    var low = Int.max
    var high = 0
    for index in 0..<rows.count {
        let row = rows.row(index)
        if column.isNull(row) { continue }
        let range = column.listRange(row)
        if range.isEmpty { continue }
        low = min(low, range.lowerBound)
        high = max(high, range.upperBound)
    }
    low = min(low, high)
    let scratch = Buffer(byteCount: 8 * (high - low))
    let hashes = scratch.pointer(as: UInt64.self)
    try hashColumn(column.children[0].slice(low, high - low), Rows(count: high - low, indices: nil), into: hashes)
    var isOrdered = false
    if case .array = column.type.kind { isOrdered = true }
    for index in 0..<rows.count {
        let row = rows.row(index)
        if column.isNull(row) { continue }
        let range = column.listRange(row)
        var accumulator = isOrdered ? UInt64(truncatingIfNeeded: range.count) : 0
        for element in range {
            let hash = hashes[element &- low]
            accumulator = isOrdered ? StableHash.fold(accumulator, hash) : accumulator &+ hash
        }
        target[index] = isOrdered ? accumulator : StableHash.fold(UInt64(truncatingIfNeeded: range.count), accumulator)
    }
    withExtendedLifetime(scratch) {}
}
