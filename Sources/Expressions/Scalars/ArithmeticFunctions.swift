import Columnar
import Plan

/// `+`, `-`, `*`, `/`, MOD and the sign of numbers; points in time and intervals are `ArithmeticTimes`'.
enum ArithmeticFunctions {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        let operation: BinaryOperation
        switch request.function {
        case .plus: operation = .add
        case .minus: operation = .subtract
        case .times: operation = .multiply
        case .divide: operation = .divide
        case .remainder: operation = .remainder
        case .negate: return try negating(request)
        default: return nil
        }
        let type = request.type
        let (left, right) = (request.arguments[0], request.arguments[1])
        if left.kind == .null || right.kind == .null { return { (_, _, _) in .null(type) } }
        if let kernel = try ArithmeticTimes.prepare(operation, left, right, type) { return kernel }
        guard left.isNumeric, right.isNumeric, type.isNumeric else {
            throw MillstreamError(.plan, "\(operation.symbol) has no meaning for \(left.nullable) and \(right.nullable)")
        }
        return try numbers(operation, left, right, type)
    }

    /// Whether some value could make an operator throw: dividing by an integer or a decimal that may be zero.
    static func canFail(_ function: ScalarFunction, _ arguments: [DataType], _ constants: [Scalar?]) -> Bool {
        guard function == .divide || function == .remainder, arguments.count == 2 else { return false }
        if arguments.contains(where: { $0.kind == .double || $0.kind == .float }) { return false }
        switch constants[1] {
        case .int64(let value): return value == 0
        case .decimal(let value): return value == 0
        case .null: return false
        default: return true
        }
    }

    private static func numbers(_ operation: BinaryOperation, _ left: DataType, _ right: DataType, _ type: DataType) throws(MillstreamError) -> Kernel {
        let leftWork: DataType
        let rightWork: DataType
        let work: DataType
        if isDecimal(type) || isDecimal(left) && !isFloating(right) || isDecimal(right) && !isFloating(left) {
            // Operands keep their own scales.
            leftWork = CommonType.asDecimal(left)
            rightWork = CommonType.asDecimal(right)
            guard isDecimal(leftWork), isDecimal(rightWork) else {
                throw MillstreamError(.plan, "\(operation.symbol) of \(left.nullable) and \(right.nullable) gives no \(type.nullable)")
            }
            work = isDecimal(type) ? type : DecimalRules.result(of: operation, leftWork, rightWork)
        } else {
            // Mostly the operands have the result's type already; a remainder may be of a narrower one.
            work = left.kind == right.kind ? left : CommonType.forArithmetic(left, right) ?? type
            leftWork = work
            rightWork = work
        }
        let leftStep = left.kind == leftWork.kind ? nil : try Casts.step(from: left, to: leftWork)
        let rightStep = right.kind == rightWork.kind ? nil : try Casts.step(from: right, to: rightWork)
        let resultStep = work.kind == type.kind ? nil : try Casts.step(from: work, to: type)
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments[0].isNullConstant || arguments[1].isNullConstant { return .null(type) }
            let rows = arguments[0].isConstant && arguments[1].isConstant ? 1 : count
            let one = try Alignment.apply(leftStep, arguments[0], rows, context)
            let other = try Alignment.apply(rightStep, arguments[1], rows, context)
            let result =
                isDecimal(work)
                ? try DecimalKernels.compute(operation, one, other, rows, work) : try ArithmeticKernels.compute(operation, one, other, rows, work)
            return try Alignment.apply(resultStep, result, rows, context).typed(type)
        }
    }

    private static func isDecimal(_ type: DataType) -> Bool {
        if case .decimal = type.kind { return true }
        return false
    }

    private static func isFloating(_ type: DataType) -> Bool { type.kind == .float || type.kind == .double }

    private static func negating(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        let source = request.arguments[0]
        if source.kind == .null { return { (_, _, _) in .null(type) } }
        let step = source.kind == type.kind ? nil : try Casts.step(from: source, to: type)
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments[0].isNullConstant { return .null(type) }
            let rows = arguments[0].isConstant ? 1 : count
            return try ArithmeticKernels.negate(try Alignment.apply(step, arguments[0], rows, context), rows).typed(type)
        }
    }
}
