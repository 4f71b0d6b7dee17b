import Columnar
import Expressions
import Plan
import TestRows
import Testing

/// Numbers from a seed (SplitMix64).
struct Seeded {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    mutating func pick<Element>(_ list: [Element]) -> Element { list[below(list.count)] }
}

/// Calls of scalar functions made by hand.
enum Calls {
    static func text(_ text: String?) -> ScalarExpression { text.map { .constant(.string($0), DataType.string.notNull) } ?? .null(.string) }
    static func int(_ value: Int64) -> ScalarExpression { .constant(.int64(value), DataType.int.notNull) }

    /// The value of a call over constants.
    static func value(_ function: ScalarFunction, _ arguments: [ScalarExpression], _ type: DataType = .string) throws -> Scalar {
        try ScalarProgram.constant(.call(function, arguments, type), EvaluationContext())
    }

    /// A text function's result over texts.
    static func string(_ function: ScalarFunction, _ texts: String?...) throws -> String? {
        try string(value(function, texts.map { text($0) }))
    }

    static func string(_ scalar: Scalar) -> String? {
        if case .bytes(let bytes) = scalar { return String(decoding: bytes, as: UTF8.self) }
        return nil
    }
}

/// Each function over batches of random rows gives what it gives for the rows one by one; nothing traps, hangs, or makes text that is no UTF-8 of text that is.
@Suite struct TextPropertyTests {
    private static let words: [String] = [
        "", "a", "abc", "Hello World", "a,b,,c", "äöü", "straße", "ΑΣ ΟΔΟΣ", "a😀b😀c", "中文字符", "e\u{301}", "%_%", "a_c%", "(a+)+", "[a-z]+|b", "(\\d+)-(\\d+)", "100-200, 300-400",
        "%5.2f|%s|%d", "%2$s %1$05d%n", "k1=v1,k2=v2,k1=v3", "http://user:pw@host.org:80/a/../b?k=v&x=y#ref", "http://h/p?a=1&a=2", "127.0.0.1", "256.1",
        "{\"a\":[1,2.50,{\"b\":\"x\\u00e9\"}],\"c\":null}", "[1,\"two\",[3]]", "\"q\\\"uo\\nte\"", "{\"a\":1,\"a\":2}", "lax $.a[0]", "$.a", "$..b", "$.a[*].b", "$[?(@.b == 'x')]", "strict $.x",
        "aGVsbG8=", "%E4%B8%AD+x", "QUERY", "HOST", "UTF-16", "UTF-8", "GBK", "  padded  ", "longer than a view's twelve bytes", "\u{FF5A}\u{10FFFF}\u{80}", "\t\n\u{0}x", "12345678901234567890.5e7", "!",
    ]
    private static let numbers: [Int64] = [-3, -2, -1, 0, 1, 2, 3, 5, 12, 44, 224, 256, 512, Int64(Int32.min), Int64(Int32.max)]

    private static func randomText(_ seed: inout Seeded, isValid: Bool) -> Scalar {
        switch seed.below(10) {
        case 0: return .null
        case 1: return .string(seed.pick(words) + seed.pick(words))
        case 2 where !isValid: return .bytes((0..<seed.below(30)).map { _ in UInt8(truncatingIfNeeded: seed.next()) })
        case 3 where !isValid:
            // A text cut or changed anywhere.
            var bytes = Array(seed.pick(words).utf8)
            if !bytes.isEmpty { bytes[seed.below(bytes.count)] = UInt8(truncatingIfNeeded: seed.next()) }
            return .bytes(Array(bytes.prefix(seed.below(bytes.count + 1))))
        case 4:
            let characters = Array("ab%_\\!.*+?()[]{}|^$-:=\"'1,é😀".unicodeScalars)
            return .string(String(String.UnicodeScalarView((0..<seed.below(12)).map { _ in seed.pick(characters) })))
        default: return .string(seed.pick(words))
        }
    }

    struct Signature: Sendable {
        var function: ScalarFunction
        var arguments: [Argument]
        var result: DataType
        enum Argument: Sendable {
            case text, bytes, int, bigInt, variant, truth
            case word(String)
        }
        init(_ function: ScalarFunction, _ arguments: [Argument], _ result: DataType = .string) {
            (self.function, self.arguments, self.result) = (function, arguments, result)
        }
    }

    static let signatures: [Signature] = [
        .init(.charLength, [.text], .int), .init(.upper, [.text]), .init(.lower, [.text]), .init(.initCap, [.text]), .init(.substring, [.text, .int]),
        .init(.substring, [.text, .int, .int]), .init(.left, [.text, .int]), .init(.right, [.text, .int]), .init(.trim, [.text, .text, .word("BOTH")]),
        .init(.trim, [.text, .text, .word("LEADING")]), .init(.ltrim, [.text]), .init(.rtrim, [.text, .text]), .init(.btrim, [.text, .text]),
        .init(.splitIndex, [.text, .text, .int]), .init(.splitIndex, [.text, .int, .int]), .init(.elt, [.int, .text, .text]), .init(.split, [.text, .text], DataType(.array(.string))),
        .init(.position, [.text, .text], .int), .init(.position, [.text, .text, .int], .int), .init(.locate, [.text, .text, .int], .int),
        .init(.instr, [.text, .text, .int, .int], .int), .init(.startsWith, [.text, .text], .boolean), .init(.endsWith, [.text, .text], .boolean), .init(.ascii, [.text], .int),
        .init(.concat, [.text, .text, .text]), .init(.concatenate, [.text, .text]), .init(.concatWithSeparator, [.text, .text, .text]), .init(.lpad, [.text, .int, .text]),
        .init(.rpad, [.text, .int, .text]), .init(.repeat, [.text, .int]), .init(.replace, [.text, .text, .text]), .init(.reverse, [.text]),
        .init(.overlay, [.text, .text, .int]), .init(.overlay, [.text, .text, .int, .int]), .init(.translate, [.text, .text, .text]), .init(.chr, [.int]),
        .init(.printf, [.text, .text, .int]), .init(.like, [.text, .text], .boolean), .init(.like, [.text, .text, .word("!")], .boolean),
        .init(.similarTo, [.text, .text], .boolean), .init(.similarTo, [.text, .text, .word("!")], .boolean), .init(.regexp, [.text, .text], .boolean),
        .init(.regexpCount, [.text, .text], .int), .init(.regexpExtract, [.text, .text, .int]), .init(.regexpExtractAll, [.text, .text, .int], DataType(.array(.string))),
        .init(.regexpInstr, [.text, .text], .int), .init(.regexpReplace, [.text, .text, .text]), .init(.regexpSubstr, [.text, .text]),
        .init(.strToMap, [.text, .text, .text], DataType(.map(key: DataType.string.notNull, value: .string))), .init(.strToMap, [.text], DataType(.map(key: DataType.string.notNull, value: .string))),
        .init(.toBase64, [.text]), .init(.fromBase64, [.text]), .init(.encode, [.text, .text], .bytes), .init(.encode, [.text, .word("GB18030")], .bytes),
        .init(.decode, [.bytes, .word("UTF-16")]), .init(.decode, [.bytes, .word("GBK")]), .init(.decode, [.bytes, .word("US-ASCII")]), .init(.urlEncode, [.text]), .init(.urlDecode, [.text]),
        .init(.parseURL, [.text, .text]), .init(.parseURL, [.text, .word("PATH")]), .init(.parseURL, [.text, .word("QUERY"), .text]), .init(.inetAton, [.text], .bigInt), .init(.inetNtoa, [.bigInt]),
        .init(.md5, [.text]), .init(.sha1, [.bytes]), .init(.sha2, [.text, .int]), .init(.sha384, [.text]), .init(.hashCode, [.text], .int), .init(.hashCode, [.bytes], .int),
        .init(.isJSON, [.text, .word("VALUE")], .boolean), .init(.isJSON, [.text, .word("OBJECT")], .boolean), .init(.jsonExists, [.text, .text, .word("ERROR")], .boolean),
        .init(.jsonValue, [.text, .text, .word("DEFAULT"), .text, .word("NULL"), .text]), .init(.jsonValue, [.text, .text, .word("NULL"), .int, .word("DEFAULT"), .int], .int),
        .init(.jsonQuery, [.text, .text, .word("CONDITIONAL"), .word("EMPTY ARRAY"), .word("NULL")]),
        .init(.jsonQuery, [.text, .text, .word("WITHOUT"), .word("NULL"), .word("EMPTY ARRAY")], DataType(.array(.string))), .init(.json, [.text]), .init(.jsonQuote, [.text]), .init(.jsonUnquote, [.text]),
        .init(.jsonObject, [.word("NULL"), .text, .text, .word("k"), .int]), .init(.jsonArray, [.word("ABSENT"), .text, .bytes, .bigInt]), .init(.jsonString, [.text]), .init(.jsonString, [.variant]),
        .init(.parseJSON, [.text, .truth], DataType(.variant)), .init(.tryParseJSON, [.text], DataType(.variant)), .init(.variantElement, [.variant, .text], DataType(.variant)),
        .init(.variantElement, [.variant, .int], DataType(.variant)),
    ]

    private static func type(_ argument: Signature.Argument) -> DataType {
        switch argument {
        case .text, .word: .string
        case .bytes: .bytes
        case .int: .int
        case .bigInt: .bigInt
        case .variant: DataType(.variant)
        case .truth: .boolean
        }
    }

    private static func value(_ argument: Signature.Argument, _ seed: inout Seeded, isValid: Bool) -> Scalar {
        switch argument {
        case .word(let word): return .string(word)
        case .text: return randomText(&seed, isValid: isValid)
        case .bytes: return seed.below(8) == 0 ? .null : .bytes((0..<seed.below(24)).map { _ in UInt8(truncatingIfNeeded: seed.next()) })
        case .int: return seed.below(8) == 0 ? .null : .int64(seed.pick(numbers))
        case .bigInt: return .int64(Int64(truncatingIfNeeded: seed.next() >> UInt64(seed.below(60))))
        case .truth: return .boolean(seed.below(2) == 0)
        case .variant:
            guard case .bytes(var bytes)? = try? Calls.value(.tryParseJSON, [.constant(.string(seed.pick(words)), .string)], DataType(.variant)) else { return .null }
            // Damaged in half of the cases.
            if !isValid, seed.below(2) == 0, !bytes.isEmpty { bytes[seed.below(bytes.count)] = UInt8(truncatingIfNeeded: seed.next()) }
            if !isValid, seed.below(6) == 0 { bytes = Array(bytes.prefix(seed.below(bytes.count + 1))) }
            return .bytes(bytes)
        }
    }

    private static func isUTF8(_ scalar: Scalar, _ type: DataType) -> Bool {
        switch scalar {
        case .bytes(let bytes): type.isText ? bytes.withUnsafeBytes { UTF8Validation.isValid($0) } : true
        case .list(let values): values.allSatisfy { isUTF8($0, .string) }
        case .map(let keys, let values): (keys + values).allSatisfy { isUTF8($0, .string) }
        default: true
        }
    }

    @Test("A batch of rows gives what the rows give one by one", arguments: signatures.indices)
    func batches(_ index: Int) throws {
        let signature = Self.signatures[index]
        var seed = Seeded(UInt64(index) + 1)
        let types = signature.arguments.map { Self.type($0) }
        for isValid in [true, false] {
            // Rows that fail alone are left out, so that the others are compared.
            var rows: [[Scalar]] = []
            var wanted: [Scalar] = []
            for _ in 0..<60 {
                let row = signature.arguments.map { Self.value($0, &seed, isValid: isValid) }
                let constants = zip(row, types).map { ScalarExpression.constant($0, $1) }
                guard let value = try? Calls.value(signature.function, constants, signature.result) else { continue }
                if isValid { #expect(Self.isUTF8(value, signature.result), "\(signature.function) of \(row)") }
                rows.append(row)
                wanted.append(value)
            }
            guard !rows.isEmpty else { continue }
            let schema = Schema(types.enumerated().map { Field("c\($0)", $1) })
            let batch = try Rows.batch(schema, try types.indices.map { place in try Rows.column(types[place], rows.map { $0[place] }) })
            let columns = types.indices.map { place -> ScalarExpression in
                // The words of a call are always constants.
                if case .word(let word) = signature.arguments[place] { return .constant(.string(word), .string) }
                return .column(place, types[place])
            }
            let program = try ScalarProgram([.call(signature.function, columns, signature.result)])
            for disguise in try Rows.disguises(batch) {
                let result = try program.columns(of: disguise, EvaluationContext())[0]
                #expect(result.count == rows.count)
                for row in rows.indices { #expect(result.scalar(at: row) == wanted[row], "\(signature.function) of \(rows[row])") }
            }
            // One row's other arguments as constants, which are looked at when the call is prepared.
            for row in rows.indices.prefix(8) {
                let some = columns.indices.map { $0 == 0 ? columns[0] : ScalarExpression.constant(rows[row][$0], types[$0]) }
                guard let program = try? ScalarProgram([.call(signature.function, some, signature.result)]),
                    let result = try? program.columns(of: batch.selecting(Selection([Int32(row)])), EvaluationContext())[0]
                else {
                    Issue.record("\(signature.function) of \(rows[row]) fails with constants")
                    continue
                }
                #expect(result.scalar(at: 0) == wanted[row], "\(signature.function) of \(rows[row])")
            }
        }
    }
}
