import Columnar
import Plan

/// CAST and TRY_CAST.
enum Casts {
    static func prepare(from source: DataType, to target: DataType, isTry: Bool) throws(MillstreamError) -> Kernel {
        if source.kind == target.kind { return { (arguments, _, _) in arguments[0].typed(target) } }
        if source.kind == .null { return { (_, _, _) in .null(target) } }
        guard CastRules.isSupported(from: source, to: target) else {
            throw MillstreamError(.plan, "a value of type \(source) cannot be cast to \(target)", hint: CastRules.hint(from: source, to: target))
        }
        return { (arguments, count, _) throws(MillstreamError) in
            let operand = arguments[0]
            if operand.isNullConstant { return .null(target) }
            return Operand(try CastKernels.cast(operand.isConstant ? operand.column.slice(0, 1) : operand.column, count, to: target), isConstant: operand.isConstant)
        }
    }
}
