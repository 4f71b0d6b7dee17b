#if canImport(Glibc)
    import Glibc
#endif

extension Column {
    /// Whether two values are the same key: null equals null, NaN equals NaN, 0.0 equals -0.0, maps are equal in any order.
    ///
    /// The columns have the same type, nullability and lengths aside. Throws `typeMismatch` for other layouts, `userFunction` if the host's
    /// comparison failed. Loops use `equalRows`.
    public func isEqual(at index: Int, to other: Column, at otherIndex: Int) throws(MillstreamError) -> Bool {
        let isNull = isNull(index)
        let otherIsNull = other.isNull(otherIndex)
        if isNull || otherIsNull { return isNull && otherIsNull }
        guard type.layout == other.type.layout else { throw MillstreamError.incomparable(type, other.type) }
        switch type.layout {
        case .null: return true
        case .bits: return bit(index) == other.bit(otherIndex)
        case .fixed(let byteWidth): return isEqualFixed(byteWidth, index, other, otherIndex)
        case .views: return isEqualBytes(bytes(index), other.bytes(otherIndex))
        case .handles:
            return try isEqualHandle(
                hostObjects, pointer(as: HostObjects.Handle?.self)[index], other.pointer(as: HostObjects.Handle?.self)[otherIndex])
        case .row:
            guard children.count == other.children.count else { throw MillstreamError.incomparable(type, other.type) }
            for (field, otherField) in zip(children, other.children) {
                guard try field.isEqual(at: offset + index, to: otherField, at: other.offset + otherIndex) else { return false }
            }
            return true
        case .list: return try isEqualList(listRange(index), other, other.listRange(otherIndex))
        }
    }

    private func isEqualFixed(_ byteWidth: Int, _ index: Int, _ other: Column, _ otherIndex: Int) -> Bool {
        switch type.kind {
        case .float: return isEqualFloat(pointer(as: Float.self)[index], other.pointer(as: Float.self)[otherIndex])
        case .double: return isEqualFloat(pointer(as: Double.self)[index], other.pointer(as: Double.self)[otherIndex])
        default: break
        }
        switch byteWidth {
        case 1: return pointer(as: UInt8.self)[index] == other.pointer(as: UInt8.self)[otherIndex]
        case 2: return pointer(as: UInt16.self)[index] == other.pointer(as: UInt16.self)[otherIndex]
        case 4: return pointer(as: UInt32.self)[index] == other.pointer(as: UInt32.self)[otherIndex]
        case 8: return pointer(as: UInt64.self)[index] == other.pointer(as: UInt64.self)[otherIndex]
        default: return pointer(as: SIMD2<UInt64>.self)[index] == other.pointer(as: SIMD2<UInt64>.self)[otherIndex]
        }
    }

    private func isEqualList(_ range: Range<Int>, _ other: Column, _ otherRange: Range<Int>) throws(MillstreamError) -> Bool {
        guard range.count == otherRange.count else { return false }
        let elements = children[0]
        let otherElements = other.children[0]
        if case .array = type.kind {
            for step in 0..<range.count {
                let isSame = try elements.isEqual(at: range.lowerBound + step, to: otherElements, at: otherRange.lowerBound + step)
                if !isSame { return false }
            }
            return true
        }
        // Maps are small, and their entries are mostly in the same order: look from the same place on.
        for step in 0..<range.count {
            var isFound = false
            for shift in 0..<range.count where !isFound {
                let candidate = otherRange.lowerBound + (step + shift) % range.count
                isFound = try elements.isEqual(at: range.lowerBound + step, to: otherElements, at: candidate)
            }
            if !isFound { return false }
        }
        return true
    }
}

/// Writes for each of `count` pairs of rows whether the keys are the same, as `Column.isEqual` says, working column by column.
///
/// Pair i is row `leftRows[i]` of `left` and row `rightRows[i]` of `right`; nil means row i. A hash table checks a batch of candidates with it.
public func equalRows(
    _ left: [Column], _ leftRows: UnsafePointer<Int32>?, _ right: [Column], _ rightRows: UnsafePointer<Int32>?, count: Int,
    into target: UnsafeMutablePointer<Bool>
) throws(MillstreamError) {
    target.update(repeating: true, count: count)
    guard left.count == right.count else {
        throw MillstreamError(.typeMismatch, "a key of \(left.count) columns cannot equal one of \(right.count)")
    }
    let pairs = Pairs(count: count, left: leftRows, right: rightRows)
    for (leftColumn, rightColumn) in zip(left, right) { try equalColumn(leftColumn, rightColumn, pairs, target) }
}

/// The pairs of rows that a comparison works on.
struct Pairs {
    let count: Int
    let left: UnsafePointer<Int32>?
    let right: UnsafePointer<Int32>?

    @inline(__always)
    func leftRow(_ index: Int) -> Int { left.map { Int($0[index]) } ?? index }
    @inline(__always)
    func rightRow(_ index: Int) -> Int { right.map { Int($0[index]) } ?? index }
}

private func equalColumn(
    _ left: Column, _ right: Column, _ pairs: Pairs, _ target: UnsafeMutablePointer<Bool>
) throws(MillstreamError) {
    let isSame = left.type.layout == right.type.layout
    if isSame, case .fixed(let byteWidth) = left.type.layout {
        switch (left.type.kind, byteWidth) {
        case (.float, _): return equalEach(Float.self, left, right, pairs, target, isEqualFloat)
        case (.double, _): return equalEach(Double.self, left, right, pairs, target, isEqualFloat)
        case (_, 1): return equalEach(UInt8.self, left, right, pairs, target, ==)
        case (_, 2): return equalEach(UInt16.self, left, right, pairs, target, ==)
        case (_, 4): return equalEach(UInt32.self, left, right, pairs, target, ==)
        case (_, 8): return equalEach(UInt64.self, left, right, pairs, target, ==)
        default: return equalEach(SIMD2<UInt64>.self, left, right, pairs, target, ==)
        }
    }
    if isSame && left.type.layout == .views { return equalViews(left, right, pairs, target) }
    for index in 0..<pairs.count where target[index] {
        target[index] = try left.isEqual(at: pairs.leftRow(index), to: right, at: pairs.rightRow(index))
    }
}

@inline(__always)
private func equalEach<Element: BitwiseCopyable>(
    _ element: Element.Type, _ left: Column, _ right: Column, _ pairs: Pairs, _ target: UnsafeMutablePointer<Bool>,
    _ isEqual: (Element, Element) -> Bool
) {
    let leftValues = UnsafePointer(left.pointer(as: Element.self))
    let rightValues = UnsafePointer(right.pointer(as: Element.self))
    let hasNulls = left.mayHaveNulls || right.mayHaveNulls
    for index in 0..<pairs.count {
        let leftRow = pairs.leftRow(index)
        let rightRow = pairs.rightRow(index)
        // Values in the places of nulls are there to be read, but mean nothing.
        var isSame = isEqual(leftValues[leftRow], rightValues[rightRow])
        if hasNulls {
            let leftIsNull = left.isNull(leftRow)
            let rightIsNull = right.isNull(rightRow)
            isSame = leftIsNull == rightIsNull && (leftIsNull || isSame)
        }
        target[index] = target[index] && isSame
    }
    withExtendedLifetime((left, right)) {}
}

/// Length and prefix decide most pairs without touching the data.
private func equalViews(_ left: Column, _ right: Column, _ pairs: Pairs, _ target: UnsafeMutablePointer<Bool>) {
    let leftViews = UnsafePointer(left.pointer(as: StringView.self))
    let rightViews = UnsafePointer(right.pointer(as: StringView.self))
    let hasNulls = left.mayHaveNulls || right.mayHaveNulls
    withDataPointers(of: left) { leftBlocks in
        withDataPointers(of: right) { rightBlocks in
            for index in 0..<pairs.count where target[index] {
                let leftRow = pairs.leftRow(index)
                let rightRow = pairs.rightRow(index)
                if hasNulls {
                    let leftIsNull = left.isNull(leftRow)
                    if leftIsNull || right.isNull(rightRow) {
                        target[index] = leftIsNull && right.isNull(rightRow)
                        continue
                    }
                }
                target[index] = isEqualView(leftViews + leftRow, leftBlocks, rightViews + rightRow, rightBlocks)
            }
        }
    }
}

@inline(__always)
private func isEqualView(
    _ left: UnsafePointer<StringView>, _ leftBlocks: UnsafePointer<UnsafeRawPointer>, _ right: UnsafePointer<StringView>,
    _ rightBlocks: UnsafePointer<UnsafeRawPointer>
) -> Bool {
    let leftWords = UnsafeRawPointer(left).loadUnaligned(as: SIMD2<UInt64>.self)
    let rightWords = UnsafeRawPointer(right).loadUnaligned(as: SIMD2<UInt64>.self)
    if leftWords[0] != rightWords[0] { return false }
    if left.pointee.length <= StringView.inlineByteCount { return leftWords[1] == rightWords[1] }
    return isEqualBytes(viewBytes(left, leftBlocks), viewBytes(right, rightBlocks))
}

@inline(__always)
private func isEqualBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    guard left.count == right.count, let leftBase = left.baseAddress, let rightBase = right.baseAddress else {
        return left.count == right.count
    }
    return memcmp(leftBase, rightBase, left.count) == 0
}

@inline(__always)
private func isEqualFloat<Value: FloatingPoint>(_ left: Value, _ right: Value) -> Bool {
    left == right || (left != left && right != right)
}

private func isEqualHandle(
    _ objects: HostObjects?, _ left: HostObjects.Handle?, _ right: HostObjects.Handle?
) throws(MillstreamError) -> Bool {
    guard let objects else { throw .internal("an OBJECT column has no host") }
    let answer = objects.equal(left, right)
    guard answer >= 0 else {
        throw MillstreamError(
            .userFunction, "comparing \(objects.description(of: left)) with \(objects.description(of: right)) failed")
    }
    return answer != 0
}

extension MillstreamError {
    static func incomparable(_ left: DataType, _ right: DataType) -> MillstreamError {
        MillstreamError(.typeMismatch, "values of type \(left) cannot be compared with values of type \(right)")
    }
}
