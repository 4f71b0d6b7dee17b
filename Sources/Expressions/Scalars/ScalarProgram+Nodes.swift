import Columnar
import Plan

/// What two steps of a program have in common if they are one: what they do, their type and their operands.
struct ScalarKey: Hashable {
    private enum Work: Hashable {
        case column(Int)
        case constant(Scalar)
        case call(ScalarFunction)
        case cast(isTry: Bool)
        case conditional
        case field(Int)
        case user(BindingID)
    }

    private let work: Work
    private let type: DataType
    private let operands: [Int]

    init(_ expression: ScalarExpression, _ operands: [ScalarNode]) {
        switch expression.kind {
        case .column(let position): work = .column(position)
        case .constant(let value): work = .constant(ScalarKey.bits(of: value))
        case .call(let function, _): work = .call(function)
        case .cast(_, let isTry): work = .cast(isTry: isTry)
        case .conditional: work = .conditional
        case .field(_, let position): work = .field(position)
        case .user(let binding, _): work = .user(binding)
        }
        type = expression.type
        self.operands = operands.map(\.id)
    }

    /// Floating-point numbers by their bits: 0.0 and -0.0 are equal, but not one constant.
    private static func bits(of value: Scalar) -> Scalar {
        switch value {
        case .double(let number): .int64(Int64(bitPattern: number.bitPattern))
        case .list(let values): .list(values.map(bits))
        case .row(let values): .row(values.map(bits))
        case .map(let keys, let values): .map(keys: keys.map(bits), values: values.map(bits))
        default: value
        }
    }
}

/// One step of a program.
final class ScalarNode {
    enum Work {
        case column(Int)
        case constant(Operand)
        case kernel(Kernel)
        case field(Int)
        case and
        case or
        case conditional
        case coalesce
    }

    let id: Int
    let type: DataType
    let operands: [ScalarNode]
    let work: Work
    /// Whether the value follows from the row alone, for this step and all below it.
    let isDeterministic: Bool
    /// Whether equal arguments give this step equal results within a batch.
    let isFunction: Bool
    /// Whether some value could make it throw.
    let canFail: Bool
    /// Whether a row costs a few instructions at most.
    let isCheap: Bool

    init(_ expression: ScalarExpression, _ operands: [ScalarNode], id: Int) throws(MillstreamError) {
        self.id = id
        self.operands = operands
        type = expression.type
        var isFunction = true
        var isFixed = true
        var fails = false
        var isCheap = false
        switch expression.kind {
        case .column(let position):
            work = .column(position)
            isCheap = true
        case .constant(let value):
            work = .constant(try Operand.constant(value, expression.type))
            isCheap = true
        case .field(_, let position):
            work = .field(position)
            isCheap = true
        case .conditional: work = .conditional
        case .call(.and, _):
            work = .and
            isCheap = true
        case .call(.or, _):
            work = .or
            isCheap = true
        case .call(.coalesce, _): work = .coalesce
        case .call(let function, let arguments):
            let constants = arguments.map { if case .constant(let value) = $0.kind { value } else { nil as Scalar? } }
            let types = arguments.map(\.type)
            isFunction = function.isDeterministic || function.isFixedPerQuery
            isFixed = function.isDeterministic
            fails = function.canFail(types, constants)
            isCheap = function.isCheap
            let functions = arguments.map { if case .call(let inner, _) = $0.kind { inner } else { nil as ScalarFunction? } }
            work = .kernel(
                try Kernels.prepare(KernelRequest(function: function, arguments: types, constants: constants, type: expression.type, functions: functions)))
        case .cast(let inner, let isTry):
            fails = !isTry && Casts.canFail(from: inner.type, to: expression.type)
            isCheap = expression.type.isNumeric && inner.type.isNumeric
            work = .kernel(try Casts.prepare(from: inner.type, to: expression.type, isTry: isTry))
        case .user: throw MillstreamError(.unsupported, "a user's function cannot be called here")
        }
        self.isFunction = isFunction
        isDeterministic = isFixed && operands.allSatisfy(\.isDeterministic)
        canFail = fails || operands.contains(where: \.canFail)
        self.isCheap = isCheap && operands.allSatisfy(\.isCheap)
    }
}

extension ScalarFunction {
    /// Whether some values of these arguments could make the function throw. Those that are sure not to are listed; to take one for failing costs speed alone.
    func canFail(_ arguments: [DataType], _ constants: [Scalar?]) -> Bool {
        switch self {
        case .divide, .remainder: return ArithmeticFunctions.canFail(self, arguments, constants)
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .isDistinctFrom, .isNotDistinctFrom, .in, .nullIf, .greatest, .least:
            // What has to be cast first, or asks a host language, might.
            return !arguments.dropFirst().allSatisfy { $0.kind == .null || Alignment.isAligned(arguments[0], $0) || arguments[0].isNumeric && $0.isNumeric }
                || arguments.contains { $0.kind == .object }
        case .and, .or, .not, .isTrue, .isNotTrue, .isFalse, .isNotFalse, .isNull, .isNotNull, .coalesce, .plus, .minus, .times, .negate, .charLength, .upper, .lower, .concat,
            .concatenate, .like, .startsWith, .endsWith, .substring, .position, .extract, .abs, .sign, .ceil, .floor, .power, .sqrt, .exp, .ln, .log, .log10, .log2, .sin, .cos,
            .tan, .cot, .asin, .acos, .atan, .atan2, .sinh, .cosh, .tanh, .degrees, .radians, .pi, .e, .bin, .hex, .unhex:
            return false
        default: return true
        }
    }

    /// Whether a row costs a few instructions at most.
    var isCheap: Bool {
        switch self {
        case .and, .or, .not, .isTrue, .isNotTrue, .isFalse, .isNotFalse, .isNull, .isNotNull, .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .plus, .minus,
            .times, .negate, .abs:
            true
        default: false
        }
    }
}
