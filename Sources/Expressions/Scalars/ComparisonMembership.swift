import Columnar
import Plan

/// IN over a list of values. Constants are looked up in a set made once.
enum Membership {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        if let kernel = constants(request) { return kernel }
        var alignments: [Alignment] = []
        for type in request.arguments.dropFirst() { alignments.append(try Alignment(request.arguments[0], type)) }
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments[0].isNullConstant { return .null(.boolean) }
            var result: Operand?
            for (index, alignment) in alignments.enumerated() {
                let candidate = arguments[index + 1]
                let equal: Operand
                if candidate.isNullConstant {
                    equal = .null(.boolean)
                } else {
                    let left = try alignment.left(arguments[0], count, context)
                    equal = try ComparisonFunctions.compare(.equal, left, try alignment.right(candidate, count, context), count)
                }
                result = result.map { LogicKernels.or($0, equal, $0.isConstant && equal.isConstant ? 1 : count) } ?? equal
            }
            if let result { return result }
            return try Operand.constant(.boolean(false), .boolean)
        }
    }

    /// nil where the list is not all constants of the needle's own type, or the type has no set.
    private static func constants(_ request: KernelRequest) -> Kernel? {
        let needle = request.arguments[0]
        var values: [Scalar] = []
        var hasNull = false
        for (type, constant) in zip(request.arguments, request.constants).dropFirst() {
            guard let constant else { return nil }
            if constant == .null {
                hasNull = true
            } else {
                guard Alignment.isAligned(needle, type) else { return nil }
                values.append(constant)
            }
        }
        switch (needle.kind, needle.layout) {
        case (.float, _), (.double, _):
            let numbers = values.compactMap { if case .double(let value) = $0 { value } else { nil } }
            guard numbers.count == values.count else { return nil }
            let hasNaN = numbers.contains { $0 != $0 }
            let set = SortedSet(numbers.filter { $0 == $0 })
            if needle.kind == .float {
                return kernel(hasNull) { (operand, count) in
                    let source = Values<Float>(operand)
                    return fillBits(count) { row in source[row] == source[row] ? set.contains(Double(source[row])) : hasNaN }
                }
            }
            return kernel(hasNull) { (operand, count) in
                let source = Values<Double>(operand)
                return fillBits(count) { row in source[row] == source[row] ? set.contains(source[row]) : hasNaN }
            }
        case (_, .fixed(byteWidth: 16)):
            let numbers = values.compactMap { if case .decimal(let value) = $0 { value } else { nil } }
            return numbers.count == values.count ? fixed(numbers, hasNull) : nil
        case (_, .fixed(let byteWidth)):
            let numbers = values.compactMap { if case .int64(let value) = $0 { value } else { nil } }
            guard numbers.count == values.count else { return nil }
            switch byteWidth {
            case 1: return fixed(numbers.compactMap { Int8(exactly: $0) }, hasNull)
            case 2: return fixed(numbers.compactMap { Int16(exactly: $0) }, hasNull)
            case 4: return fixed(numbers.compactMap { Int32(exactly: $0) }, hasNull)
            default: return fixed(numbers, hasNull)
            }
        case (_, .views):
            let texts = values.compactMap { if case .bytes(let value) = $0 { value } else { nil } }
            guard texts.count == values.count else { return nil }
            let set = TextSet(texts)
            return kernel(hasNull) { (operand, count) in
                let words = ViewWords(operand.column)
                let views = ViewReader(operand.column)
                return fillBits(count) { row in
                    let place = operand.isConstant ? 0 : row
                    if words.isInline(place) { return set.contains(words[place].0, words[place].1) }
                    return !operand.column.isNull(place) && set.contains(views[place])
                }
            }
        default: return nil
        }
    }

    private static func fixed<Value: FixedWidthInteger & BitwiseCopyable & Sendable>(_ values: [Value], _ hasNull: Bool) -> Kernel {
        let set = SortedSet(values)
        return kernel(hasNull) { (operand, count) in
            let source = Values<Value>(operand)
            return fillBits(count) { row in set.contains(source[row]) }
        }
    }

    private static func kernel(_ hasNull: Bool, _ match: @escaping (Operand, Int) -> Buffer) -> Kernel {
        { (arguments, count, _) in
            let needle = arguments[0]
            if needle.isNullConstant { return .null(.boolean) }
            let count = needle.isConstant ? 1 : count
            let values = match(needle, count)
            var validity = Validity.ofAll([needle], count: count)
            if hasNull {
                // No match among the others leaves it open whether the null is one.
                if let validity {
                    Validity.combine(validity, count) { word, start, _ in word & values.pointer(as: UInt64.self)[start &>> 6] }
                } else {
                    validity = values
                }
            }
            return Operand(Column(type: .boolean, count: count, validity: validity, values: values), isConstant: needle.isConstant)
        }
    }
}

/// Values in order, each once.
private final class SortedSet<Value: Comparable & BitwiseCopyable>: @unchecked Sendable {
    private let buffer: Buffer
    private let values: UnsafePointer<Value>
    private let count: Int

    init(_ values: [Value]) {
        var sorted: [Value] = []
        for value in values.sorted() where sorted.last != value { sorted.append(value) }
        buffer = Buffer.copying(sorted)
        count = sorted.count
        self.values = UnsafePointer(buffer.pointer(as: Value.self))
    }

    @inline(__always)
    func contains(_ value: Value) -> Bool {
        if count <= 8 {
            // No branch, so that a short list costs a few comparisons in a row.
            var isFound = false
            for index in 0..<count { isFound = isFound || values[index] == value }
            return isFound
        }
        var low = 0
        var high = count
        while low < high {
            let middle = (low &+ high) &>> 1
            if values[middle] < value { low = middle &+ 1 } else { high = middle }
        }
        return low < count && values[low] == value
    }
}

/// Texts: short ones by their views' words, long ones by their bytes.
private final class TextSet: @unchecked Sendable {
    private let short: SortedSet<UInt128>
    private let long: [[UInt8]]

    init(_ texts: [[UInt8]]) {
        short = SortedSet(
            texts.filter { $0.count <= StringView.inlineByteCount }.map { text in
                text.withUnsafeBytes { bytes in
                    let view = StringView(inline: bytes)
                    return withUnsafeBytes(of: view) { TextSet.key($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)) }
                }
            })
        long = texts.filter { $0.count > StringView.inlineByteCount }.sorted { one, other in
            one.withUnsafeBytes { one in other.withUnsafeBytes { ComparisonKernels.order(one, $0) < 0 } }
        }
    }

    private static func key(_ low: UInt64, _ high: UInt64) -> UInt128 { UInt128(high) &<< 64 | UInt128(low) }

    @inline(__always)
    func contains(_ low: UInt64, _ high: UInt64) -> Bool { short.contains(TextSet.key(low, high)) }

    func contains(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var low = 0
        var high = long.count
        while low < high {
            let middle = (low &+ high) &>> 1
            if long[middle].withUnsafeBytes({ ComparisonKernels.order($0, bytes) }) < 0 { low = middle &+ 1 } else { high = middle }
        }
        return low < long.count && long[low].withUnsafeBytes { ComparisonText.isEqual($0, bytes) }
    }
}
