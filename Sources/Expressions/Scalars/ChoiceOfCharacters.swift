import Columnar
import Plan

/// IS_ALPHA, IS_DIGIT and IS_DECIMAL: whether a text is letters, digits of any script, or a decimal number. What is empty or NULL is none of them.
enum ChoiceOfCharacters {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        switch request.function {
        case .isAlpha: try testing(request) { all($0) { scalar in isLetter(scalar) } }
        case .isDigit: try testing(request) { all($0) { scalar in scalar.properties.generalCategory == .decimalNumber } }
        case .isDecimal: try testing(request) { DecimalReader.scan($0) != nil }
        default: nil
        }
    }

    private static func testing(_ request: KernelRequest, _ test: @escaping (UnsafeRawBufferPointer) -> Bool) throws(MillstreamError) -> Kernel {
        let type = request.type
        let source = request.arguments[0]
        let step = source.isText || source.kind == .null ? nil : try Casts.step(from: source, to: .string)
        return { (arguments, count, context) throws(MillstreamError) in
            if arguments[0].isNullConstant || arguments[0].type.kind == .null { return try Operand.constant(.boolean(false), type) }
            let rows = arguments[0].isConstant ? 1 : count
            let operand = try Alignment.apply(step, arguments[0], rows, context)
            let views = ViewReader(operand.column)
            let bits = fillBits(rows) { row in !operand.isNull(row) && test(views[operand.isConstant ? 0 : row]) }
            return Operand(Column(type: type, count: rows, values: bits), isConstant: operand.isConstant)
        }
    }

    private static func all(_ bytes: UnsafeRawBufferPointer, _ test: (Unicode.Scalar) -> Bool) -> Bool {
        !bytes.isEmpty && String(decoding: bytes, as: UTF8.self).unicodeScalars.allSatisfy(test)
    }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }
}
