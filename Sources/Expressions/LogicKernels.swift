import Columnar

/// Three-valued logic, 64 rows at a time. A word of values is only meaningful where the word of validity is set.
enum LogicKernels {
    static func and(_ left: Operand, _ right: Operand, _ count: Int) -> Operand {
        combine(left, right, count) { (a, av, b, bv) in
            // False wins over null.
            let isFalse = (av & ~a) | (bv & ~b)
            return (a & b & av & bv, (av & bv) | isFalse)
        }
    }

    static func or(_ left: Operand, _ right: Operand, _ count: Int) -> Operand {
        combine(left, right, count) { (a, av, b, bv) in
            // True wins over null.
            let isTrue = (av & a) | (bv & b)
            return (isTrue, (av & bv) | isTrue)
        }
    }

    static func not(_ operand: Operand, _ count: Int) -> Operand {
        let values = Buffer(byteCount: Validity.wordByteCount(count))
        let source = BitSource(operand)
        Validity.combine(values, count) { _, start, length in ~source.values(start, length) }
        let column = Column(type: operand.type, count: count, validity: Validity.ofAll([operand], count: count), values: values)
        return Operand(column, isConstant: operand.isConstant)
    }

    static func isNull(_ operand: Operand, _ count: Int, isNegated: Bool) -> Operand {
        let values = Buffer(byteCount: Validity.wordByteCount(count))
        let source = BitSource(operand)
        let flip: UInt64 = isNegated ? 0 : ~0
        Validity.combine(values, count) { _, start, length in source.validity(start, length) ^ flip }
        return Operand(Column(type: DataType.boolean.notNull, count: count, values: values), isConstant: operand.isConstant)
    }

    @inline(__always)
    private static func combine(
        _ left: Operand, _ right: Operand, _ count: Int,
        _ body: (UInt64, UInt64, UInt64, UInt64) -> (values: UInt64, validity: UInt64)
    ) -> Operand {
        let values = Buffer(byteCount: Validity.wordByteCount(count))
        let hasNulls = left.column.mayHaveNulls || right.column.mayHaveNulls
        let validity = hasNulls ? Buffer(byteCount: Validity.wordByteCount(count)) : nil
        let one = BitSource(left)
        let other = BitSource(right)
        Validity.combine(values, count) { _, start, length in
            let word = body(
                one.values(start, length), one.validity(start, length), other.values(start, length), other.validity(start, length))
            if let validity { validity.pointer(as: UInt64.self)[start &>> 6] = word.validity }
            return word.values
        }
        return Operand(
            Column(type: .boolean, count: count, validity: validity, values: values), isConstant: left.isConstant && right.isConstant)
    }
}

/// Words of a BOOLEAN operand's bits; a constant repeats.
struct BitSource {
    private let operand: Operand

    init(_ operand: Operand) { self.operand = operand }

    @inline(__always)
    func values(_ start: Int, _ length: Int) -> UInt64 {
        let column = operand.column
        if operand.isConstant { return column.bit(0) ? ~0 : 0 }
        guard let values = column.values else { return 0 }
        return Bits.word(values.base, column.offset &+ start, count: length)
    }

    @inline(__always)
    func validity(_ start: Int, _ length: Int) -> UInt64 {
        let column = operand.column
        if operand.isConstant { return column.isNull(0) ? 0 : ~0 }
        guard let validity = column.validity else { return column.type.kind == .null ? 0 : ~0 }
        return Bits.word(validity.base, column.offset &+ start, count: length)
    }
}
