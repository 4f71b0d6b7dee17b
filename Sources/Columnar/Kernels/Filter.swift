extension Selection {
    /// The rows at which `predicate`, a BOOLEAN column indexed by row, is true (not false, not null): all rows, or those of `candidates`.
    public static func whereTrue(_ predicate: Column, among candidates: Selection? = nil) -> Selection {
        guard let values = predicate.values, predicate.type.layout == .bits else { return Selection(buffer: Buffer(byteCount: 0), count: 0) }
        let limit = candidates?.count ?? predicate.count
        let buffer = Buffer(byteCount: 4 * limit)
        let target = buffer.pointer(as: Int32.self)
        let count: Int
        if let candidates {
            count = filterIndices(values.base, predicate.validity?.base, predicate.offset, candidates, target)
        } else {
            count = filterBits(values.base, predicate.validity?.base, predicate.offset, limit, target)
        }
        return Selection(buffer: buffer, count: count)
    }
}

extension Batch {
    /// The rows that count and at which `predicate`, a BOOLEAN column of `physicalCount` values, is true. Copies nothing.
    public func filtered(by predicate: Column) -> Batch {
        let kept = Selection.whereTrue(predicate, among: selection)
        if kept.count == count { return self }
        var copy = self
        copy.selection = kept
        return copy
    }
}

private func filterIndices(
    _ values: UnsafeRawPointer, _ validity: UnsafeMutableRawPointer?, _ offset: Int, _ candidates: Selection,
    _ target: UnsafeMutablePointer<Int32>
) -> Int {
    let indices = candidates.indices
    var count = 0
    for index in 0..<candidates.count {
        let row = indices[index]
        let place = offset &+ Int(row)
        var isTrue = Bits.get(values, place)
        if let validity { isTrue = isTrue && Bits.get(validity, place) }
        target[count] = row
        count &+= isTrue ? 1 : 0
    }
    withExtendedLifetime(candidates) {}
    return count
}

/// Works on 64 rows at a time: a word of zeros costs nothing, and only set bits cost.
private func filterBits(
    _ values: UnsafeRawPointer, _ validity: UnsafeMutableRawPointer?, _ offset: Int, _ limit: Int, _ target: UnsafeMutablePointer<Int32>
) -> Int {
    var count = 0
    var start = 0
    while start < limit {
        let length = min(64, limit &- start)
        var word = Bits.word(values, offset &+ start, count: length)
        if let validity { word &= Bits.word(validity, offset &+ start, count: length) }
        if word == .max {
            for bit in 0..<64 { target[count &+ bit] = Int32(truncatingIfNeeded: start &+ bit) }
            count &+= 64
        } else {
            while word != 0 {
                target[count] = Int32(truncatingIfNeeded: start &+ word.trailingZeroBitCount)
                word &= word &- 1
                count &+= 1
            }
        }
        start &+= 64
    }
    return count
}
