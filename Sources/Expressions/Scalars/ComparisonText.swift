#if canImport(Glibc)
import Glibc
#endif
import Columnar
import Plan

/// Comparisons of text and bytes, which lie in views of 16 bytes: length and first bytes decide most pairs without touching the data.
enum ComparisonText {
    static func bits(_ operation: BinaryOperation, _ left: Operand, _ right: Operand, _ count: Int) -> Buffer {
        switch operation {
        case .equal: equality(left, right, count, isNegated: false)
        case .notEqual: equality(left, right, count, isNegated: true)
        case .less: order(left, right, count) { $0 < 0 }
        case .lessOrEqual: order(left, right, count) { $0 <= 0 }
        case .greater: order(left, right, count) { $0 > 0 }
        default: order(left, right, count) { $0 >= 0 }
        }
    }

    @inline(__always)
    private static func order(_ left: Operand, _ right: Operand, _ count: Int, _ holds: (Int) -> Bool) -> Buffer {
        let one = ViewReader(left.column)
        let other = ViewReader(right.column)
        let mayHaveNulls = left.column.mayHaveNulls || right.column.mayHaveNulls
        return fillBits(count) { row in
            if mayHaveNulls, left.isNull(row) || right.isNull(row) { return false }
            return holds(ComparisonKernels.order(one[left.isConstant ? 0 : row], other[right.isConstant ? 0 : row]))
        }
    }

    private static func equality(_ left: Operand, _ right: Operand, _ count: Int, isNegated: Bool) -> Buffer {
        if left.isConstant, !right.isConstant { return equality(right, left, count, isNegated: isNegated) }
        let words = ViewWords(left.column)
        let others = ViewWords(right.column)
        if right.isConstant, count > 0, others.isInline(0) {
            // A short constant is two words, whatever the rows have.
            let (low, high) = others[0]
            return fillBits(count) { row in
                let (one, other) = words[left.isConstant ? 0 : row]
                return (one == low && other == high) != isNegated
            }
        }
        let one = ViewReader(left.column)
        let other = ViewReader(right.column)
        return fillBits(count) { row in
            let place = left.isConstant ? 0 : row
            let otherPlace = right.isConstant ? 0 : row
            let (low, high) = words[place]
            let (otherLow, otherHigh) = others[otherPlace]
            if low != otherLow { return isNegated }
            if words.isInline(place) { return (high == otherHigh) != isNegated }
            // What a null's view points to is anything.
            if left.column.isNull(place) || right.column.isNull(otherPlace) { return false }
            return isEqual(one[place], other[otherPlace]) != isNegated
        }
    }

    @inline(__always)
    static func isEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count, let one = left.baseAddress, let other = right.baseAddress else { return left.count == right.count }
        return memcmp(one, other, left.count) == 0
    }
}

/// A column's views as pairs of words: length and four bytes, then eight bytes of a short value.
struct ViewWords {
    private let words: UnsafePointer<UInt64>

    init(_ column: Column) {
        words = UnsafePointer(UnsafeRawPointer(column.pointer(as: StringView.self)).assumingMemoryBound(to: UInt64.self))
    }

    @inline(__always)
    subscript(_ row: Int) -> (UInt64, UInt64) { (words[2 &* row], words[2 &* row &+ 1]) }

    /// Whether all bytes of a value are in its words.
    @inline(__always)
    func isInline(_ row: Int) -> Bool { Int32(truncatingIfNeeded: words[2 &* row]) <= StringView.inlineByteCount }
}
