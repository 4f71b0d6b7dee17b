import Columnar
import Plan

/// GREATEST, LEAST and NULLIF. COALESCE and CASE are the program's own.
enum ChoiceFunctions {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        switch request.function {
        case .greatest: return try extreme(request, .greater)
        case .least: return try extreme(request, .less)
        case .nullIf: return try nullIf(request)
        default: return nil
        }
    }

    /// The greatest or least argument, NULL if one is NULL. NaN is greater than any other number.
    private static func extreme(_ request: KernelRequest, _ operation: BinaryOperation) throws(MillstreamError) -> Kernel {
        let type = request.type
        var steps: [CastStep?] = []
        for argument in request.arguments {
            if argument.kind == .null { return { (_, _, _) in .null(type) } }
            steps.append(argument.kind == type.kind ? nil : try Casts.step(from: argument, to: type))
        }
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments.contains(where: \.isNullConstant) { return .null(type) }
            var best = try Alignment.apply(steps[0], arguments[0], count, context)
            for (step, argument) in zip(steps, arguments).dropFirst() {
                let next = try Alignment.apply(step, argument, count, context)
                let rows = best.isConstant && next.isConstant ? 1 : count
                best = try better(best, next, operation, rows, type)
            }
            return best.typed(best.column.mayHaveNulls ? type.nullable : type)
        }
    }

    private static func better(_ best: Operand, _ next: Operand, _ operation: BinaryOperation, _ count: Int, _ type: DataType) throws(MillstreamError) -> Operand {
        let isGreater = operation == .greater
        let values: Buffer
        switch (type.kind, type.layout) {
        case (.float, _): values = floating(Float.self, best, next, count, isGreater)
        case (.double, _): values = floating(Double.self, best, next, count, isGreater)
        case (_, .fixed(byteWidth: 1)): values = fixed(Int8.self, best, next, count, isGreater)
        case (_, .fixed(byteWidth: 2)): values = fixed(Int16.self, best, next, count, isGreater)
        case (_, .fixed(byteWidth: 4)): values = fixed(Int32.self, best, next, count, isGreater)
        case (_, .fixed(byteWidth: 8)): values = fixed(Int64.self, best, next, count, isGreater)
        case (_, .fixed): values = fixed(Int128.self, best, next, count, isGreater)
        default:
            let isBetter = try ComparisonFunctions.compare(operation, next, best, count)
            return try select(isBetter, next, best, count, type)
        }
        let validity = Validity.ofAll([best, next], count: count)
        return Operand(Column(type: type, count: count, validity: validity, values: values), isConstant: best.isConstant && next.isConstant)
    }

    private static func fixed<Value: Comparable & BitwiseCopyable>(
        _ type: Value.Type, _ best: Operand, _ next: Operand, _ count: Int, _ isGreater: Bool
    ) -> Buffer {
        let buffer = Buffer(byteCount: count * MemoryLayout<Value>.stride)
        let result = buffer.pointer(as: Value.self)
        if isGreater {
            mapPairs(Values<Value>(best), Values<Value>(next), count, result) { $1 > $0 ? $1 : $0 }
        } else {
            mapPairs(Values<Value>(best), Values<Value>(next), count, result) { $1 < $0 ? $1 : $0 }
        }
        return buffer
    }

    private static func floating<Value: BinaryFloatingPoint & BitwiseCopyable>(
        _ type: Value.Type, _ best: Operand, _ next: Operand, _ count: Int, _ isGreater: Bool
    ) -> Buffer {
        let buffer = Buffer(byteCount: count * MemoryLayout<Value>.stride)
        let result = buffer.pointer(as: Value.self)
        if isGreater {
            mapPairs(Values<Value>(best), Values<Value>(next), count, result) { $1 > $0 || $1 != $1 ? $1 : $0 }
        } else {
            mapPairs(Values<Value>(best), Values<Value>(next), count, result) { $1 < $0 || $0 != $0 ? $1 : $0 }
        }
        return buffer
    }

    /// `one` where a condition is true, `other` where it is false, NULL where it is NULL.
    static func select(_ condition: Operand, _ one: Operand, _ other: Operand, _ count: Int, _ type: DataType) throws(MillstreamError) -> Operand {
        if condition.isNullConstant { return .null(type) }
        if condition.isConstant { return condition.column.bit(0) ? one : other }
        let places = RowPlaces(count: count, source: -1, row: 0)
        places.set(count) { row in
            if condition.column.isNull(row) { return RowPlace(source: -1, row: 0) }
            let isOne = condition.column.bit(row)
            let isConstant = isOne ? one.isConstant : other.isConstant
            return RowPlace(source: isOne ? 0 : 1, row: isConstant ? 0 : Int32(truncatingIfNeeded: row))
        }
        return Operand(try places.gather([one.column, other.column], as: type))
    }

    private static func nullIf(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type.nullable
        let source = request.arguments[0]
        if source.kind == .null { return { (_, _, _) in .null(type) } }
        let alignment = try Alignment(source, request.arguments[1])
        let step = source.kind == type.kind ? nil : try Casts.step(from: source, to: type)
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments[0].isNullConstant { return .null(type) }
            let isConstant = arguments[0].isConstant && arguments[1].isConstant
            let count = isConstant ? 1 : count
            let value = try Alignment.apply(step, arguments[0], count, context)
            if arguments[1].isNullConstant { return value.typed(type) }
            let equal = try ComparisonFunctions.compare(
                .equal, try alignment.left(arguments[0], count, context), try alignment.right(arguments[1], count, context), count)
            let column = value.isConstant && !isConstant ? try value.column.repeatingFirst(count) : value.column
            let validity = Buffer(byteCount: Validity.wordByteCount(count))
            let (same, present) = (BitSource(equal), BitSource(Operand(column)))
            Validity.combine(validity, count) { _, start, length in
                present.validity(start, length) & ~(same.values(start, length) & same.validity(start, length))
            }
            return Operand(column.masked(validity), isConstant: isConstant)
        }
    }
}
