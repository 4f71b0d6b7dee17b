#if canImport(Glibc)
    import Glibc
#endif

extension Column {
    /// The total order of two values: -1, 0 or 1.
    ///
    /// NaN is the greatest number, 0.0 equals -0.0, text and bytes compare by bytes, arrays and rows by their parts. Nulls come first or last as
    /// told, also within arrays and rows. Throws `typeMismatch` for types that have no order (MAP, MULTISET) or differ, `userFunction` where
    /// host values cannot be compared.
    public func compare(at index: Int, to other: Column, at otherIndex: Int, nullsFirst: Bool) throws(MillstreamError) -> Int {
        let isNull = isNull(index)
        let otherIsNull = other.isNull(otherIndex)
        if isNull || otherIsNull { return isNull == otherIsNull ? 0 : isNull == nullsFirst ? -1 : 1 }
        guard type.layout == other.type.layout else { throw MillstreamError.incomparable(type, other.type) }
        switch type.layout {
        case .null: return 0
        case .bits: return order(bit(index) ? 1 : 0, other.bit(otherIndex) ? 1 : 0)
        case .fixed(let byteWidth): return compareFixed(byteWidth, index, other, otherIndex)
        case .views: return compareBytes(bytes(index), other.bytes(otherIndex))
        case .handles: return try compareHandles(index, other, otherIndex)
        case .row:
            guard children.count == other.children.count else { throw MillstreamError.incomparable(type, other.type) }
            for (field, otherField) in zip(children, other.children) {
                let result = try field.compare(at: offset + index, to: otherField, at: other.offset + otherIndex, nullsFirst: nullsFirst)
                if result != 0 { return result }
            }
            return 0
        case .list: return try compareLists(listRange(index), other, other.listRange(otherIndex), nullsFirst)
        }
    }

    private func compareFixed(_ byteWidth: Int, _ index: Int, _ other: Column, _ otherIndex: Int) -> Int {
        switch type.kind {
        case .float: return compareFloats(pointer(as: Float.self)[index], other.pointer(as: Float.self)[otherIndex])
        case .double: return compareFloats(pointer(as: Double.self)[index], other.pointer(as: Double.self)[otherIndex])
        default: break
        }
        switch byteWidth {
        case 1: return order(pointer(as: Int8.self)[index], other.pointer(as: Int8.self)[otherIndex])
        case 2: return order(pointer(as: Int16.self)[index], other.pointer(as: Int16.self)[otherIndex])
        case 4: return order(pointer(as: Int32.self)[index], other.pointer(as: Int32.self)[otherIndex])
        case 8: return order(pointer(as: Int64.self)[index], other.pointer(as: Int64.self)[otherIndex])
        default: return order(pointer(as: Int128.self)[index], other.pointer(as: Int128.self)[otherIndex])
        }
    }

    private func compareHandles(_ index: Int, _ other: Column, _ otherIndex: Int) throws(MillstreamError) -> Int {
        guard let hostObjects else { throw .internal("an OBJECT column has no host") }
        let left = pointer(as: HostObjects.Handle?.self)[index]
        let right = other.pointer(as: HostObjects.Handle?.self)[otherIndex]
        let answer = Int(hostObjects.compare(left, right))
        guard (-1...1).contains(answer) else {
            throw MillstreamError(
                .userFunction, "\(hostObjects.description(of: left)) and \(hostObjects.description(of: right)) have no order")
        }
        return answer
    }

    private func compareLists(
        _ range: Range<Int>, _ other: Column, _ otherRange: Range<Int>, _ nullsFirst: Bool
    ) throws(MillstreamError) -> Int {
        guard case .array = type.kind else { throw MillstreamError.incomparable(type, other.type) }
        for step in 0..<min(range.count, otherRange.count) {
            let result = try children[0].compare(
                at: range.lowerBound + step, to: other.children[0], at: otherRange.lowerBound + step, nullsFirst: nullsFirst)
            if result != 0 { return result }
        }
        return order(range.count, otherRange.count)
    }
}

/// Writes -1, 0 or 1 for each of `count` pairs of values, as `Column.compare` says. Pair i is row `leftRows[i]` of `left` and row
/// `rightRows[i]` of `right`; nil means row i.
public func compareRows(
    _ left: Column, _ leftRows: UnsafePointer<Int32>?, _ right: Column, _ rightRows: UnsafePointer<Int32>?, count: Int, nullsFirst: Bool,
    into target: UnsafeMutablePointer<Int8>
) throws(MillstreamError) {
    let pairs = Pairs(count: count, left: leftRows, right: rightRows)
    let isSimple = left.type.layout == right.type.layout && !left.mayHaveNulls && !right.mayHaveNulls
    if isSimple, case .fixed(let byteWidth) = left.type.layout {
        switch (left.type.kind, byteWidth) {
        case (.float, _): return compareEach(Float.self, left, right, pairs, target, compareFloats)
        case (.double, _): return compareEach(Double.self, left, right, pairs, target, compareFloats)
        case (_, 4): return compareEach(Int32.self, left, right, pairs, target, order)
        case (_, 8): return compareEach(Int64.self, left, right, pairs, target, order)
        default: break
        }
    }
    if isSimple && left.type.layout == .views { return compareViews(left, right, pairs, target) }
    for index in 0..<count {
        let result = try left.compare(at: pairs.leftRow(index), to: right, at: pairs.rightRow(index), nullsFirst: nullsFirst)
        target[index] = Int8(truncatingIfNeeded: result)
    }
}

@inline(__always)
private func compareEach<Element: BitwiseCopyable>(
    _ element: Element.Type, _ left: Column, _ right: Column, _ pairs: Pairs, _ target: UnsafeMutablePointer<Int8>,
    _ compare: (Element, Element) -> Int
) {
    let leftValues = UnsafePointer(left.pointer(as: Element.self))
    let rightValues = UnsafePointer(right.pointer(as: Element.self))
    for index in 0..<pairs.count {
        target[index] = Int8(truncatingIfNeeded: compare(leftValues[pairs.leftRow(index)], rightValues[pairs.rightRow(index)]))
    }
    withExtendedLifetime((left, right)) {}
}

private func compareViews(_ left: Column, _ right: Column, _ pairs: Pairs, _ target: UnsafeMutablePointer<Int8>) {
    let leftViews = UnsafePointer(left.pointer(as: StringView.self))
    let rightViews = UnsafePointer(right.pointer(as: StringView.self))
    withDataPointers(of: left) { leftBlocks in
        withDataPointers(of: right) { rightBlocks in
            for index in 0..<pairs.count {
                let leftBytes = viewBytes(leftViews + pairs.leftRow(index), leftBlocks)
                let rightBytes = viewBytes(rightViews + pairs.rightRow(index), rightBlocks)
                target[index] = Int8(truncatingIfNeeded: compareBytes(leftBytes, rightBytes))
            }
        }
    }
}

@inline(__always)
private func order<Value: Comparable>(_ left: Value, _ right: Value) -> Int { left < right ? -1 : left > right ? 1 : 0 }

@inline(__always)
private func compareFloats<Value: FloatingPoint>(_ left: Value, _ right: Value) -> Int {
    if left < right { return -1 }
    if left > right { return 1 }
    if left == right { return 0 }
    return order(left != left ? 1 : 0, right != right ? 1 : 0)
}

@inline(__always)
private func compareBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    guard let leftBase = left.baseAddress, let rightBase = right.baseAddress else { return order(left.count, right.count) }
    let result = memcmp(leftBase, rightBase, min(left.count, right.count))
    return result == 0 ? order(left.count, right.count) : result < 0 ? -1 : 1
}
