import Columnar
import Plan

/// NOT, the tests of truth and of NULL. AND, OR, CASE and COALESCE are the program's own (`ScalarProgram`), which knows the rows they come to.
enum LogicFunctions {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        switch request.function {
        case .not: return { (arguments, count, _) in arguments[0].isNullConstant ? arguments[0] : LogicKernels.not(arguments[0], count) }
        case .isNull: return { (arguments, count, _) in LogicKernels.isNull(arguments[0], count, isNegated: false) }
        case .isNotNull: return { (arguments, count, _) in LogicKernels.isNull(arguments[0], count, isNegated: true) }
        case .isTrue: return truth(of: true, isNegated: false)
        case .isNotTrue: return truth(of: true, isNegated: true)
        case .isFalse: return truth(of: false, isNegated: false)
        case .isNotFalse: return truth(of: false, isNegated: true)
        default: return nil
        }
    }

    private static func truth(of value: Bool, isNegated: Bool) -> Kernel {
        { (arguments, count, _) in
            let operand = arguments[0]
            let bits = fillBits(count) { row in
                let row = operand.isConstant ? 0 : row
                return (!operand.column.isNull(row) && operand.column.bit(row) == value) != isNegated
            }
            return Operand(Column(type: DataType.boolean.notNull, count: count, values: bits))
        }
    }
}
