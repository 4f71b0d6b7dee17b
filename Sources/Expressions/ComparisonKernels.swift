#if canImport(Glibc)
import Glibc
#endif
import Columnar
import Plan

/// Comparisons of two operands of one type. Text and bytes compare by bytes; NaN equals itself and is neither less nor greater, as in Flink.
enum ComparisonKernels {
    static func compare(
        _ operation: BinaryOperation, _ left: Operand, _ right: Operand, _ count: Int
    ) throws(MillstreamError) -> Operand {
        let values = try bits(operation, left, right, count)
        let column = Column(type: .boolean, count: count, validity: Validity.ofAll([left, right], count: count), values: values)
        return Operand(column, isConstant: left.isConstant && right.isConstant)
    }

    private static func bits(
        _ operation: BinaryOperation, _ left: Operand, _ right: Operand, _ count: Int
    ) throws(MillstreamError) -> Buffer {
        switch left.type.kind {
        case .float: return floating(operation, Values<Float>(left), Values<Float>(right), count)
        case .double: return floating(operation, Values<Double>(left), Values<Double>(right), count)
        default: break
        }
        switch left.type.layout {
        case .bits: return booleans(operation, left, right, count)
        case .fixed(let byteWidth):
            switch byteWidth {
            case 1: return integers(operation, Values<Int8>(left), Values<Int8>(right), count)
            case 2: return integers(operation, Values<Int16>(left), Values<Int16>(right), count)
            case 4: return integers(operation, Values<Int32>(left), Values<Int32>(right), count)
            case 8: return integers(operation, Values<Int64>(left), Values<Int64>(right), count)
            default: return integers(operation, Values<Int128>(left), Values<Int128>(right), count)
            }
        case .views: return ComparisonText.bits(operation, left, right, count)
        default:
            throw MillstreamError(.unsupported, "values of type \(left.type) cannot be compared without the host language")
        }
    }

    private static func integers<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ operation: BinaryOperation, _ left: Values<Integer>, _ right: Values<Integer>, _ count: Int
    ) -> Buffer {
        switch operation {
        case .equal: testPairs(left, right, count) { $0 == $1 }
        case .notEqual: testPairs(left, right, count) { $0 != $1 }
        case .less: testPairs(left, right, count) { $0 < $1 }
        case .lessOrEqual: testPairs(left, right, count) { $0 <= $1 }
        case .greater: testPairs(left, right, count) { $0 > $1 }
        default: testPairs(left, right, count) { $0 >= $1 }
        }
    }

    private static func floating<Float: BinaryFloatingPoint & BitwiseCopyable>(
        _ operation: BinaryOperation, _ left: Values<Float>, _ right: Values<Float>, _ count: Int
    ) -> Buffer {
        switch operation {
        case .equal: testPairs(left, right, count) { $0 == $1 || ($0 != $0 && $1 != $1) }
        case .notEqual: testPairs(left, right, count) { !($0 == $1 || ($0 != $0 && $1 != $1)) }
        case .less: testPairs(left, right, count) { $0 < $1 }
        case .lessOrEqual: testPairs(left, right, count) { $0 <= $1 }
        case .greater: testPairs(left, right, count) { $0 > $1 }
        default: testPairs(left, right, count) { $0 >= $1 }
        }
    }

    private static func booleans(_ operation: BinaryOperation, _ left: Operand, _ right: Operand, _ count: Int) -> Buffer {
        fillBits(count) { row in
            let one = left.column.bit(left.isConstant ? 0 : row) ? 1 : 0
            let other = right.column.bit(right.isConstant ? 0 : row) ? 1 : 0
            return holds(operation, one - other)
        }
    }

    /// Negative, zero or positive, as the bytes order; a prefix comes first.
    static func order(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        let shared = min(left.count, right.count)
        if shared > 0, let one = left.baseAddress, let other = right.baseAddress {
            let difference = memcmp(one, other, shared)
            if difference != 0 { return Int(difference) }
        }
        return left.count - right.count
    }

    private static func holds(_ operation: BinaryOperation, _ order: Int) -> Bool {
        switch operation {
        case .equal: order == 0
        case .notEqual: order != 0
        case .less: order < 0
        case .lessOrEqual: order <= 0
        case .greater: order > 0
        default: order >= 0
        }
    }
}
