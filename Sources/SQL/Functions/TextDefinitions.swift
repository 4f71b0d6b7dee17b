import Columnar
import Plan

/// Functions of text.
enum TextDefinitions {
    static let all: [FunctionDefinition] =
        cut + made + [
            FunctionDefinition("CHAR_LENGTH", "CHARACTER_LENGTH", function: .charLength, [FunctionSignature(.text)], returns: .fixed(.int)),
            FunctionDefinition("UPPER", function: .upper, [FunctionSignature(.text)], returns: .argument(0)),
            FunctionDefinition("LOWER", function: .lower, [FunctionSignature(.text)], returns: .argument(0)),
            FunctionDefinition("INITCAP", function: .initCap, [FunctionSignature(.text)], returns: .argument(0)),
            FunctionDefinition("POSITION", function: .position, [FunctionSignature(.text, .text, .int, optional: 1)], returns: .fixed(.int)),
            FunctionDefinition("LOCATE", function: .locate, [FunctionSignature(.text, .text, .int, optional: 1)], returns: .fixed(.int)),
            FunctionDefinition("INSTR", function: .instr, [FunctionSignature(.text, .text, .int, .int, optional: 2)], returns: .fixed(.int)),
            FunctionDefinition("ASCII", function: .ascii, [FunctionSignature(.text)], returns: .fixed(.int)),
            FunctionDefinition("CHR", function: .chr, [FunctionSignature(.bigInt)], returns: .fixed(.string), nullability: .always),
            FunctionDefinition(
                "STARTSWITH", function: .startsWith, [FunctionSignature(.text, .text), FunctionSignature(.bytes, .bytes)], returns: .fixed(.boolean),
                takesNull: true),
            FunctionDefinition(
                "ENDSWITH", function: .endsWith, [FunctionSignature(.text, .text), FunctionSignature(.bytes, .bytes)], returns: .fixed(.boolean),
                takesNull: true),
            FunctionDefinition("IS_ALPHA", function: .isAlpha, [FunctionSignature(.any)], returns: .fixed(.boolean), nullability: .never),
            FunctionDefinition("IS_DIGIT", function: .isDigit, [FunctionSignature(.any)], returns: .fixed(.boolean), nullability: .never),
            FunctionDefinition("IS_DECIMAL", function: .isDecimal, [FunctionSignature(.any)], returns: .fixed(.boolean), nullability: .never),
        ]

    /// Parts of a text.
    private static let cut: [FunctionDefinition] = [
        FunctionDefinition(
            "SUBSTRING", "SUBSTR", function: .substring, [FunctionSignature(.text, .int, .int, optional: 1)], returns: .varying(0),
            nullability: .always),
        FunctionDefinition("LEFT", function: .left, [FunctionSignature(.text, .int)], returns: .varying(0), nullability: .always),
        FunctionDefinition("RIGHT", function: .right, [FunctionSignature(.text, .int)], returns: .varying(0), nullability: .always),
        FunctionDefinition("TRIM", signatures: [FunctionSignature(.text), FunctionSignature(.text, .text)]) { (call) throws(MillstreamError) in
            if call.arguments.count == 2, call.syntax.modifier == nil {
                throw call.mismatch("TRIM takes its arguments as in TRIM(BOTH characters FROM text)")
            }
            let text = call.arguments[call.arguments.count - 1]
            let characters = call.arguments.count == 2 ? call.arguments[0] : call.binder.constant(.string(" "), DataType(.char(1)))
            let side = call.binder.constant(.string(call.syntax.modifier ?? "BOTH"), .string)
            let type = DataType(.varChar(text.type.length ?? DataType.unboundedLength), isNullable: call.anyNullable)
            return BoundScalar(.call(.trim, [text.expression, characters.expression, side.expression], type))
        },
        FunctionDefinition("LTRIM", function: .ltrim, [FunctionSignature(.text, .text, optional: 1)], returns: .varying(0)),
        FunctionDefinition("RTRIM", function: .rtrim, [FunctionSignature(.text, .text, optional: 1)], returns: .varying(0)),
        FunctionDefinition("BTRIM", function: .btrim, [FunctionSignature(.text, .text, optional: 1)], returns: .fixed(.string), takesNull: true),
        FunctionDefinition(
            "SPLIT_INDEX", function: .splitIndex, [FunctionSignature(.text, .text, .int), FunctionSignature(.text, .int, .int)],
            returns: .fixed(.string), nullability: .always),
        FunctionDefinition("SPLIT", function: .split, [FunctionSignature(.text, .text)], returns: .fixed(DataType(.array(.string))), takesNull: true),
        FunctionDefinition(
            "STR_TO_MAP", function: .strToMap, [FunctionSignature(.text), FunctionSignature(.text, .text, .text)],
            returns: .fixed(DataType(.map(key: .string, value: .string))), nullability: .always),
    ]

    /// Texts made of others.
    private static let made: [FunctionDefinition] = [
        FunctionDefinition("CONCAT", function: .concat, [FunctionSignature(.text, isVariadic: true)], returns: .fixed(.string)),
        FunctionDefinition("CONCAT_WS", function: .concatWithSeparator, [FunctionSignature(.text, isVariadic: true)], returns: .fixed(.string)),
        FunctionDefinition("LPAD", function: .lpad, [FunctionSignature(.text, .int, .text)], returns: .fixed(.string)),
        FunctionDefinition("RPAD", function: .rpad, [FunctionSignature(.text, .int, .text)], returns: .fixed(.string)),
        FunctionDefinition("REPEAT", function: .repeat, [FunctionSignature(.text, .int)], returns: .fixed(.string)),
        FunctionDefinition("REVERSE", function: .reverse, [FunctionSignature(.text)], returns: .fixed(.string), nullability: .always),
        FunctionDefinition("REPLACE", function: .replace, [FunctionSignature(.text, .text, .text)], returns: .fixed(.string)),
        FunctionDefinition(
            "TRANSLATE", "TRANSLATE3", function: .translate, [FunctionSignature(.text, .text, .text)], returns: .fixed(.string),
            nullability: .argument(0), takesNull: true),
        FunctionDefinition("OVERLAY", signatures: [FunctionSignature(.text, .text, .int, .int, optional: 1)]) { (call) throws(MillstreamError) in
            let length = min(DataType.unboundedLength, (call.arguments[0].type.length ?? 0) + (call.arguments[1].type.length ?? 0))
            return call.result(.overlay, DataType(.varChar(length), isNullable: call.anyNullable))
        },
        FunctionDefinition("PRINTF", signatures: [FunctionSignature(.text), FunctionSignature(.text, .any, isVariadic: true)], takesNull: true) {
            (call) throws(MillstreamError) in
            var made = call
            made.arguments = call.arguments.map { $0.isNullLiteral ? BoundScalar(.null(.string)) : $0 }
            return made.result(.printf, .string)
        },
        FunctionDefinition(
            "ELT", signatures: [FunctionSignature(.bigInt, .text, isVariadic: true), FunctionSignature(.bigInt, .bytes, isVariadic: true)],
            takesNull: true
        ) {
            (call) throws(MillstreamError) in
            if case .int64(let index)? = call.arguments[0].constant, index < 0 { throw call.error("the index of ELT is not negative", argument: 0) }
            guard let type = CommonTypes.common(call.arguments.dropFirst().map(\.type)) else { throw call.mismatch() }
            return call.result(.elt, type.nullable)
        },
    ]
}

/// Regular expressions.
enum PatternDefinitions {
    static let all: [FunctionDefinition] = [
        FunctionDefinition("REGEXP", function: .regexp, [FunctionSignature(.text, .text)], returns: .fixed(.boolean)),
        FunctionDefinition(
            "REGEXP_COUNT", function: .regexpCount, [FunctionSignature(.text, .text)], returns: .fixed(.int), nullability: .always, takesNull: true),
        FunctionDefinition(
            "REGEXP_EXTRACT", function: .regexpExtract, [FunctionSignature(.text, .text, .int, optional: 1)], returns: .fixed(.string),
            nullability: .always),
        FunctionDefinition(
            "REGEXP_EXTRACT_ALL", function: .regexpExtractAll, [FunctionSignature(.text, .text, .int, optional: 1)],
            returns: .fixed(DataType(.array(.string))),
            nullability: .always, takesNull: true),
        FunctionDefinition(
            "REGEXP_INSTR", function: .regexpInstr, [FunctionSignature(.text, .text)], returns: .fixed(.int), nullability: .always, takesNull: true),
        FunctionDefinition("REGEXP_REPLACE", function: .regexpReplace, [FunctionSignature(.text, .text, .text)], returns: .fixed(.string)),
        FunctionDefinition(
            "REGEXP_SUBSTR", function: .regexpSubstr, [FunctionSignature(.text, .text)], returns: .fixed(.string), nullability: .always,
            takesNull: true),
    ]
}

/// Encodings, digests and addresses.
enum EncodingDefinitions {
    static let all: [FunctionDefinition] =
        digests + [
            FunctionDefinition("SHA2", signatures: [FunctionSignature(.oneOf([.text, .bytes]), .int)]) { (call) throws(MillstreamError) in
                if case .int64(let bits)? = call.arguments[1].constant, ![224, 256, 384, 512].contains(bits) {
                    throw call.error("SHA2 has 224, 256, 384 or 512 bits, not \(bits)", argument: 1)
                }
                return call.result(.sha2, DataType(.varChar(128), isNullable: call.anyNullable))
            },
            FunctionDefinition("HASH_CODE", function: .hashCode, [FunctionSignature(.any)], returns: .fixed(.int)),
            FunctionDefinition("ENCODE", function: .encode, [FunctionSignature(.text, .text)], returns: .fixed(.bytes)),
            FunctionDefinition("DECODE", function: .decode, [FunctionSignature(.bytes, .text)], returns: .fixed(.string)),
            FunctionDefinition("TO_BASE64", function: .toBase64, [FunctionSignature(.oneOf([.text, .bytes]))], returns: .fixed(.string)),
            FunctionDefinition("FROM_BASE64", function: .fromBase64, [FunctionSignature(.text)], returns: .fixed(.string)),
            FunctionDefinition(
                "URL_ENCODE", function: .urlEncode, [FunctionSignature(.text)], returns: .fixed(.string), nullability: .always, takesNull: true),
            FunctionDefinition(
                "URL_DECODE", function: .urlDecode, [FunctionSignature(.text)], returns: .fixed(.string), nullability: .always, takesNull: true),
            FunctionDefinition(
                "PARSE_URL", function: .parseURL, [FunctionSignature(.text, .text, .text, optional: 1)], returns: .fixed(.string),
                nullability: .always),
            FunctionDefinition(
                "INET_ATON", function: .inetAton, [FunctionSignature(.text)], returns: .fixed(.bigInt), nullability: .always, takesNull: true),
            FunctionDefinition(
                "INET_NTOA", function: .inetNtoa, [FunctionSignature(.bigInt)], returns: .fixed(.string), nullability: .always, takesNull: true),
        ]

    /// Their texts have as many hexadecimal digits as the digest.
    private static let digests: [FunctionDefinition] = [
        (ScalarFunction.md5, 32), (.sha1, 40), (.sha224, 56), (.sha256, 64), (.sha384, 96), (.sha512, 128),
    ].map { FunctionDefinition($0.0.rawValue, function: $0.0, [FunctionSignature(.oneOf([.text, .bytes]))], returns: .fixed(DataType(.char($0.1)))) }
}
