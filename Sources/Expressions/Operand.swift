import Columnar

/// An intermediate result: a column with one value per row, or one value that stands for all rows.
struct Operand {
    let column: Column
    let isConstant: Bool

    init(_ column: Column, isConstant: Bool = false) {
        self.column = column
        self.isConstant = isConstant
    }

    var type: DataType { column.type }
    /// Whether every row is null.
    var isNullConstant: Bool { isConstant && column.isNull(0) }

    /// Whether the value at a row is null.
    @inline(__always)
    func isNull(_ row: Int) -> Bool { column.isNull(isConstant ? 0 : row) }

    /// A value's bytes at a row of text or bytes.
    @inline(__always)
    func bytes(_ row: Int) -> UnsafeRawBufferPointer { column.bytes(isConstant ? 0 : row) }

    /// One null that stands for all rows.
    static func null(_ type: DataType) -> Operand { Operand(nulls(type.nullable, 1), isConstant: true) }

    /// `count` nulls with all the parts that the type's layout has, so that a kernel that looks into them before it looks for nulls finds them; 0 or 1.
    private static func nulls(_ type: DataType, _ count: Int) -> Column {
        let values: Buffer? = type.layout == .null || type.layout == .row ? nil : Buffer.zeroed(byteCount: 16)
        let children = type.childTypes.map { nulls($0, type.layout == .row ? count : 0) }
        return Column(type: type, count: count, validity: type.layout == .null ? nil : Buffer.zeroed(byteCount: 8), values: values, children: children)
    }
}

/// A fixed-width operand as a loop sees it.
struct Values<Element: BitwiseCopyable> {
    let base: UnsafePointer<Element>
    let isConstant: Bool

    init(_ operand: Operand) {
        base = UnsafePointer(operand.column.pointer(as: Element.self))
        isConstant = operand.isConstant
    }

    @inline(__always)
    subscript(_ row: Int) -> Element { base[isConstant ? 0 : row] }
}

/// `body` of each row's pair of values. Three loops, so that a constant stays in a register and the compiler can vectorise.
@inline(__always)
func mapPairs<Element: BitwiseCopyable, Result: BitwiseCopyable>(
    _ left: Values<Element>, _ right: Values<Element>, _ count: Int, _ result: UnsafeMutablePointer<Result>,
    _ body: (Element, Element) -> Result
) {
    let leftBase = left.base
    let rightBase = right.base
    if left.isConstant {
        guard count > 0 else { return }
        let value = leftBase[0]
        for row in 0..<count { result[row] = body(value, rightBase[row]) }
    } else if right.isConstant {
        guard count > 0 else { return }
        let value = rightBase[0]
        for row in 0..<count { result[row] = body(leftBase[row], value) }
    } else {
        for row in 0..<count { result[row] = body(leftBase[row], rightBase[row]) }
    }
}

/// One bit per row: whether `body` holds for the pair of values. Three loops, as in `mapPairs`.
@inline(__always)
func testPairs<Element: BitwiseCopyable>(
    _ left: Values<Element>, _ right: Values<Element>, _ count: Int, _ body: (Element, Element) -> Bool
) -> Buffer {
    let leftBase = left.base
    let rightBase = right.base
    guard count > 0 else { return Buffer(byteCount: 0) }
    if left.isConstant {
        let value = leftBase[0]
        let others = right.isConstant ? 0 : 1
        return fillBits(count) { row in body(value, rightBase[row &* others]) }
    }
    if right.isConstant {
        let value = rightBase[0]
        return fillBits(count) { row in body(leftBase[row], value) }
    }
    return fillBits(count) { row in body(leftBase[row], rightBase[row]) }
}

/// A bit array with `body` of each index.
@inline(__always)
func fillBits(_ count: Int, _ body: (Int) -> Bool) -> Buffer {
    let buffer = Buffer(byteCount: ((count &+ 63) &>> 6) &<< 3)
    let words = buffer.pointer(as: UInt64.self)
    let wholeCount = count &>> 6
    for wordIndex in 0..<wholeCount {
        let start = wordIndex &<< 6
        var word: UInt64 = 0
        // A fixed number of steps, so that the compiler can take several at once.
        for bit in 0..<64 { word |= (body(start &+ bit) ? 1 : 0) &<< UInt64(truncatingIfNeeded: bit) }
        words[wordIndex] = word
    }
    let start = wholeCount &<< 6
    if start < count {
        var word: UInt64 = 0
        for bit in 0..<count &- start { word |= (body(start &+ bit) ? 1 : 0) &<< UInt64(truncatingIfNeeded: bit) }
        words[wholeCount] = word
    }
    return buffer
}

extension Column {
    /// The first value, `count` times.
    func repeatingFirst(_ count: Int) throws(MillstreamError) -> Column {
        let places = Buffer.zeroed(byteCount: 4 * count)
        let column = try taking(places.pointer(as: Int32.self), count: count)
        withExtendedLifetime(places) {}
        return column
    }
}
