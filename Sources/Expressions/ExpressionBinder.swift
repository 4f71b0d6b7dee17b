import Columnar
import Plan

/// Resolves names, finds result types by Flink's rules and writes implicit casts out.
struct ExpressionBinder {
    let types: [DataType]
    let names: [String]

    func bind(_ expression: Expression, depth: Int) throws(MillstreamError) -> BoundNode {
        guard depth < BoundExpression.depthMax else {
            throw MillstreamError(
                .limitExceeded, "an expression nests more than \(BoundExpression.depthMax) operations deep",
                hint: "Compute parts of it in a projection of their own.")
        }
        switch expression {
        case .name(let name): return try column(named: name)
        case .column(let position): return try column(at: position)
        case .literal(let literal): return BoundNode(.constant(literal), literal.type)
        case .alias(let inner, _): return try bind(inner, depth: depth + 1)
        case .rowTime: return BoundNode(.rowTime, DataType(.timestampLTZ(3)))
        case .cast(let inner, let target): return try cast(try bind(inner, depth: depth + 1), to: target)
        case .unary(let operation, let inner): return try unary(operation, try bind(inner, depth: depth + 1))
        case .binary(let operation, let left, let right):
            return try binary(operation, try bind(left, depth: depth + 1), try bind(right, depth: depth + 1))
        }
    }

    /// The name that the column of a result gets.
    func resultName(of expression: Expression) -> String? {
        switch expression {
        case .name(let name): name
        case .column(let position): position >= 0 && position < names.count ? names[position] : nil
        case .alias(_, let name): name
        default: nil
        }
    }

    private func column(named name: String) throws(MillstreamError) -> BoundNode {
        if let position = names.firstIndex(of: name) { return try column(at: position) }
        let nearest = NearestName.of(name, among: names)
        throw MillstreamError(
            .plan, "there is no column '\(name)'; the columns are \(names.map { "'\($0)'" }.joined(separator: ", "))",
            hint: nearest.map { "Did you mean '\($0)'?" })
    }

    private func column(at position: Int) throws(MillstreamError) -> BoundNode {
        guard position >= 0, position < types.count else {
            throw MillstreamError(.plan, "there is no column \(position); the stream has \(types.count) columns")
        }
        return BoundNode(.column(position), types[position])
    }

    private func unary(_ operation: UnaryOperation, _ operand: BoundNode) throws(MillstreamError) -> BoundNode {
        switch operation {
        case .isNull: return BoundNode(.isNull, DataType.boolean.notNull, [operand])
        case .isNotNull: return BoundNode(.isNotNull, DataType.boolean.notNull, [operand])
        case .not:
            return BoundNode(.not, DataType(.boolean, isNullable: operand.type.isNullable), [try condition(operand, "NOT")])
        case .negate, .absolute:
            guard operand.type.isNumeric else {
                throw MillstreamError(.plan, "\(operation == .negate ? "-" : "ABS") does not apply to a value of type \(operand.type)")
            }
            return BoundNode(operation == .negate ? .negate : .absolute, operand.type, [operand])
        }
    }

    private func binary(_ operation: BinaryOperation, _ left: BoundNode, _ right: BoundNode) throws(MillstreamError) -> BoundNode {
        let isNullable = left.type.isNullable || right.type.isNullable
        switch operation {
        case .and, .or:
            let operands = [try condition(left, operation.symbol), try condition(right, operation.symbol)]
            return BoundNode(operation == .and ? .and : .or, DataType(.boolean, isNullable: isNullable), operands)
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual:
            guard let common = CommonType.forComparison(left.type, right.type) else { throw mismatch(operation, left, right) }
            guard operation == .equal || operation == .notEqual || common.isOrdered else { throw mismatch(operation, left, right) }
            let operands = [try cast(left, to: common), try cast(right, to: common)]
            return BoundNode(.comparison(operation), DataType(.boolean, isNullable: isNullable), operands)
        case .add, .subtract, .multiply, .divide, .remainder:
            return try arithmetic(operation, left, right, isNullable: isNullable)
        }
    }

    private func arithmetic(
        _ operation: BinaryOperation, _ left: BoundNode, _ right: BoundNode, isNullable: Bool
    ) throws(MillstreamError) -> BoundNode {
        if let time = try timeArithmetic(operation, left, right, isNullable: isNullable) { return time }
        guard let common = CommonType.forArithmetic(left.type, right.type) else { throw mismatch(operation, left, right) }
        if case .decimal = common.kind {
            let leftDecimal = try cast(left, to: CommonType.asDecimal(left.type))
            let rightDecimal = try cast(right, to: CommonType.asDecimal(right.type))
            let result = DecimalRules.result(of: operation, leftDecimal.type, rightDecimal.type)
            // The result may overflow, and is null then.
            return BoundNode(.arithmetic(operation), result, [leftDecimal, rightDecimal])
        }
        let type = DataType(common.kind, isNullable: isNullable)
        return BoundNode(.arithmetic(operation), type, [try cast(left, to: type), try cast(right, to: type)])
    }

    /// A point in time plus or minus a duration of days to seconds.
    private func timeArithmetic(
        _ operation: BinaryOperation, _ left: BoundNode, _ right: BoundNode, isNullable: Bool
    ) throws(MillstreamError) -> BoundNode? {
        guard operation == .add || operation == .subtract else { return nil }
        let precision: Int
        switch (left.type.kind, right.type.kind) {
        case (.timestamp(let time), .intervalDayTime(let duration)), (.timestampLTZ(let time), .intervalDayTime(let duration)):
            precision = max(time, duration)
        default: return nil
        }
        let kind: DataType.Kind
        if case .timestamp = left.type.kind { kind = .timestamp(precision) } else { kind = .timestampLTZ(precision) }
        let type = DataType(kind, isNullable: isNullable)
        let duration = DataType(.intervalDayTime(precision), isNullable: right.type.isNullable)
        return BoundNode(.arithmetic(operation), type, [try cast(left, to: type), try cast(right, to: duration)])
    }

    private func condition(_ operand: BoundNode, _ what: String) throws(MillstreamError) -> BoundNode {
        if operand.type.kind == .boolean { return operand }
        if operand.type.kind == .null { return BoundNode(.constant(.null(.boolean)), .boolean) }
        throw MillstreamError(.plan, "\(what) needs a BOOLEAN, not a value of type \(operand.type)")
    }

    /// `node` as `target`; the node itself where nothing changes but nullability.
    func cast(_ node: BoundNode, to target: DataType) throws(MillstreamError) -> BoundNode {
        if node.type.kind == target.kind { return node }
        if node.type.kind == .null { return BoundNode(.constant(.null(target)), target.nullable) }
        guard CastRules.isSupported(from: node.type, to: target) else {
            throw MillstreamError(.plan, "a value of type \(node.type) cannot be cast to \(target)", hint: CastRules.hint(from: node.type, to: target))
        }
        return BoundNode(.cast, DataType(target.kind, isNullable: node.type.isNullable), [node])
    }

    private func mismatch(_ operation: BinaryOperation, _ left: BoundNode, _ right: BoundNode) -> MillstreamError {
        MillstreamError(
            .plan, "\(operation.symbol) does not apply to values of the types \(left.type) and \(right.type)",
            hint: "Cast one side to the other's type.")
    }
}

extension BinaryOperation {
    /// The operator as SQL writes it.
    var symbol: String {
        switch self {
        case .add: "+"
        case .subtract: "-"
        case .multiply: "*"
        case .divide: "/"
        case .remainder: "MOD"
        case .equal: "="
        case .notEqual: "<>"
        case .less: "<"
        case .lessOrEqual: "<="
        case .greater: ">"
        case .greaterOrEqual: ">="
        case .and: "AND"
        case .or: "OR"
        }
    }
}

extension Literal {
    /// The literal's type; only `null` literals take nulls.
    public var type: DataType {
        switch self {
        case .null(let type): type.nullable
        case .boolean: DataType.boolean.notNull
        case .integer(_, let type): type.notNull
        case .double: DataType.double.notNull
        case .decimal(_, let precision, let scale): DataType(.decimal(precision: precision, scale: scale), isNullable: false)
        case .string: DataType.string.notNull
        case .bytes: DataType.bytes.notNull
        }
    }
}
