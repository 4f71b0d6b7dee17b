import Columnar
import Plan

/// `=`, `<>`, `<`, `<=`, `>`, `>=`, IS [NOT] DISTINCT FROM and IN, of all types that can be compared.
///
/// NaN equals itself and is neither less nor greater than anything, 0.0 equals -0.0, text compares by bytes. Within arrays and maps nulls are equal; rows are compared field by
/// field, so that a field that is null leaves an equality open unless another field decides it.
enum ComparisonFunctions {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        switch request.function {
        case .equal: try comparing(.equal, request)
        case .notEqual: try comparing(.notEqual, request)
        case .less: try comparing(.less, request)
        case .lessOrEqual: try comparing(.lessOrEqual, request)
        case .greater: try comparing(.greater, request)
        case .greaterOrEqual: try comparing(.greaterOrEqual, request)
        case .isDistinctFrom: try distinguishing(isNegated: false, request)
        case .isNotDistinctFrom: try distinguishing(isNegated: true, request)
        case .in: try Membership.prepare(request)
        default: nil
        }
    }

    private static func comparing(_ operation: BinaryOperation, _ request: KernelRequest) throws(MillstreamError) -> Kernel {
        if let kernel = decimals(operation, request.arguments[0], request.arguments[1]) { return kernel }
        let alignment = try Alignment(request.arguments[0], request.arguments[1])
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments[0].isNullConstant || arguments[1].isNullConstant { return .null(.boolean) }
            let left = try alignment.left(arguments[0], count, context)
            let right = try alignment.right(arguments[1], count, context)
            return try compare(operation, left, right, count)
        }
    }

    /// Decimals that have no common type which keeps all their digits; nil for others.
    private static func decimals(_ operation: BinaryOperation, _ left: DataType, _ right: DataType) -> Kernel? {
        guard case .decimal(let precision, let scale) = left.kind, case .decimal(let otherPrecision, let otherScale) = right.kind, scale != otherScale,
            max(precision - scale, otherPrecision - otherScale) + max(scale, otherScale) > DecimalRules.precisionMax
        else { return nil }
        return { (arguments, count, _) in
            if arguments[0].isNullConstant || arguments[1].isNullConstant { return .null(.boolean) }
            let isConstant = arguments[0].isConstant && arguments[1].isConstant
            let rows = isConstant ? 1 : count
            let (one, other) = (Values<Int128>(arguments[0]), Values<Int128>(arguments[1]))
            let values = fillBits(rows) { row in
                let order = DecimalKernels.order(one[row], scale, other[row], otherScale)
                return switch operation {
                case .equal: order == 0
                case .notEqual: order != 0
                case .less: order < 0
                case .lessOrEqual: order <= 0
                case .greater: order > 0
                default: order >= 0
                }
            }
            return Operand(Column(type: .boolean, count: rows, validity: Validity.ofAll(arguments, count: rows), values: values), isConstant: isConstant)
        }
    }

    /// Operands of one type; neither is a null constant.
    static func compare(_ operation: BinaryOperation, _ left: Operand, _ right: Operand, _ count: Int) throws(MillstreamError) -> Operand {
        let isConstant = left.isConstant && right.isConstant
        let count = isConstant ? 1 : count
        switch left.type.layout {
        case .row where operation == .equal || operation == .notEqual:
            let equal = try rowsEqual(left, right, count)
            return operation == .equal || equal.isNullConstant ? equal : LogicKernels.not(equal, count)
        case .row, .list, .handles:
            if operation == .equal || operation == .notEqual {
                return try each(left, right, count) { (one, other) throws(MillstreamError) in
                    (try left.column.isEqual(at: one, to: right.column, at: other)) == (operation == .equal)
                }
            }
            return try each(left, right, count) { (one, other) throws(MillstreamError) in
                let order = try left.column.compare(at: one, to: right.column, at: other, nullsFirst: true)
                return switch operation {
                case .less: order < 0
                case .lessOrEqual: order <= 0
                case .greater: order > 0
                default: order >= 0
                }
            }
        case .null: return .null(.boolean)
        default: return try ComparisonKernels.compare(operation, left, right, count)
        }
    }

    private static func each(
        _ left: Operand, _ right: Operand, _ count: Int, _ body: (Int, Int) throws(MillstreamError) -> Bool
    ) throws(MillstreamError) -> Operand {
        let values = Buffer.zeroed(byteCount: Validity.wordByteCount(count))
        for row in 0..<count where !left.isNull(row) && !right.isNull(row) {
            if try body(left.isConstant ? 0 : row, right.isConstant ? 0 : row) { Bits.set(values.base, row) }
        }
        let column = Column(type: .boolean, count: count, validity: Validity.ofAll([left, right], count: count), values: values)
        return Operand(column, isConstant: left.isConstant && right.isConstant)
    }

    /// The fields' equalities under three-valued AND; null where one of the rows is.
    private static func rowsEqual(_ left: Operand, _ right: Operand, _ count: Int) throws(MillstreamError) -> Operand {
        guard left.column.children.count == right.column.children.count else {
            throw MillstreamError(.plan, "rows of types \(left.type) and \(right.type) cannot be compared")
        }
        var result: Operand?
        for index in left.column.children.indices {
            let one = Operand(left.column.field(index), isConstant: left.isConstant)
            let other = Operand(right.column.field(index), isConstant: right.isConstant)
            let equal = one.isNullConstant || other.isNullConstant ? Operand.null(.boolean) : try compare(.equal, one, other, count)
            result = result.map { LogicKernels.and($0, equal, count) } ?? equal
        }
        guard let result else {
            return try each(left, right, count) { (_, _) in true }
        }
        let isConstant = left.isConstant && right.isConstant
        let dense = result.isConstant && !isConstant ? try result.column.repeatingFirst(count) : result.column
        guard left.column.mayHaveNulls || right.column.mayHaveNulls else { return Operand(dense, isConstant: isConstant) }
        let validity = Validity.ofAll([Operand(dense), left, right], count: count)
        return Operand(Column(type: .boolean, count: count, offset: dense.offset, validity: validity, values: dense.values), isConstant: isConstant)
    }

    private static func distinguishing(isNegated: Bool, _ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let alignment = try Alignment(request.arguments[0], request.arguments[1])
        return { (arguments, count, context) throws(MillstreamError) in
            let isConstant = arguments[0].isConstant && arguments[1].isConstant
            let count = isConstant ? 1 : count
            if arguments[0].isNullConstant { return LogicKernels.isNull(arguments[1], count, isNegated: !isNegated) }
            if arguments[1].isNullConstant { return LogicKernels.isNull(arguments[0], count, isNegated: !isNegated) }
            let left = try alignment.left(arguments[0], count, context)
            let right = try alignment.right(arguments[1], count, context)
            let equal: Operand
            switch left.type.layout {
            case .row, .list, .handles:
                equal = try each(left, right, count) { (one, other) throws(MillstreamError) in try left.column.isEqual(at: one, to: right.column, at: other) }
            case .null: return try Operand.constant(.boolean(isNegated), DataType.boolean.notNull)
            default: equal = try ComparisonKernels.compare(.equal, left, right, count)
            }
            // Both null, or both there and equal.
            let values = Buffer(byteCount: Validity.wordByteCount(count))
            let (one, other, same) = (BitSource(left), BitSource(right), BitSource(equal))
            let flip: UInt64 = isNegated ? 0 : ~0
            Validity.combine(values, count) { _, start, length in
                let (a, b) = (one.validity(start, length), other.validity(start, length))
                return ((a & b & same.values(start, length)) | ~(a | b)) ^ flip
            }
            return Operand(Column(type: DataType.boolean.notNull, count: count, values: values), isConstant: isConstant)
        }
    }
}

/// How two operands come to one type before they are compared.
struct Alignment {
    private let leftStep: CastStep?
    private let rightStep: CastStep?

    init(_ left: DataType, _ right: DataType) throws(MillstreamError) {
        if left.kind == .null || right.kind == .null || Alignment.isAligned(left, right) {
            leftStep = nil
            rightStep = nil
            return
        }
        guard let common = Alignment.common(left, right) else {
            throw MillstreamError(.plan, "values of types \(left.nullable) and \(right.nullable) cannot be compared", hint: "Cast one of them.")
        }
        leftStep = Alignment.isAligned(left, common) ? nil : try Casts.step(from: left, to: common)
        rightStep = Alignment.isAligned(right, common) ? nil : try Casts.step(from: right, to: common)
    }

    func left(_ operand: Operand, _ count: Int, _ context: EvaluationContext) throws(MillstreamError) -> Operand {
        try Alignment.apply(leftStep, operand, count, context)
    }

    func right(_ operand: Operand, _ count: Int, _ context: EvaluationContext) throws(MillstreamError) -> Operand {
        try Alignment.apply(rightStep, operand, count, context)
    }

    /// The operand through a step; itself without one.
    static func apply(_ step: CastStep?, _ operand: Operand, _ count: Int, _ context: EvaluationContext) throws(MillstreamError) -> Operand {
        guard let step else { return operand }
        var failures = CastFailures(.throwing)
        let rows = operand.isConstant ? 1 : count
        return Operand(try step(operand.isConstant ? operand.column.slice(0, 1) : operand.column, rows, &failures, context), isConstant: operand.isConstant)
    }

    /// Whether equal values have equal bits in both types, zeros and NaNs of floating-point numbers aside.
    static func isAligned(_ left: DataType, _ right: DataType) -> Bool {
        if left.kind == right.kind { return true }
        switch (left.kind, right.kind) {
        case (.char, .char), (.char, .varChar), (.varChar, .char), (.varChar, .varChar), (.binary, .binary), (.binary, .varBinary), (.varBinary, .binary),
            (.varBinary, .varBinary):
            return true
        case (.decimal(_, let scale), .decimal(_, let other)): return scale == other
        case (.timestamp(let precision), .timestamp(let other)), (.timestampLTZ(let precision), .timestampLTZ(let other)), (.time(let precision), .time(let other)),
            (.intervalDayTime(let precision), .intervalDayTime(let other)):
            return TimeUnit(precision: precision) == TimeUnit(precision: other)
        default:
            let (parts, others) = (left.childTypes, right.childTypes)
            guard !parts.isEmpty, parts.count == others.count, left.layout == right.layout, isMap(left) == isMap(right) else { return false }
            return zip(parts, others).allSatisfy { isAligned($0, $1) }
        }
    }

    private static func isMap(_ type: DataType) -> Bool {
        if case .array = type.kind { return false }
        return true
    }

    /// The type in which values of both are compared; nil where there is none.
    static func common(_ left: DataType, _ right: DataType) -> DataType? {
        if left.kind == .null { return right }
        if right.kind == .null { return left }
        let isNullable = left.isNullable || right.isNullable
        switch (left.kind, right.kind) {
        case (.array(let element), .array(let other)): return common(element, other).map { DataType(.array($0), isNullable: isNullable) }
        case (.map(let key, let value), .map(let otherKey, let otherValue)):
            guard let key = common(key, otherKey), let value = common(value, otherValue) else { return nil }
            return DataType(.map(key: key, value: value), isNullable: isNullable)
        case (.multiset(let element), .multiset(let other)): return common(element, other).map { DataType(.multiset($0), isNullable: isNullable) }
        case (.row(let fields), .row(let others)), (.structured(_, let fields), .structured(_, let others)), (.row(let fields), .structured(_, let others)),
            (.structured(_, let fields), .row(let others)):
            guard fields.count == others.count else { return nil }
            var merged: [Field] = []
            for (field, other) in zip(fields, others) {
                guard let type = common(field.type, other.type) else { return nil }
                merged.append(Field(field.name, type))
            }
            return DataType(.row(merged), isNullable: isNullable)
        case (.timestampLTZ(let precision), .timestamp(let other)), (.timestamp(let precision), .timestampLTZ(let other)):
            return DataType(.timestampLTZ(max(precision, other)), isNullable: isNullable)
        case (.timestampLTZ, .date): return left
        case (.date, .timestampLTZ): return right
        default: return CommonType.forComparison(left, right)
        }
    }
}
