import Columnar
import Plan

/// PARSE_JSON, TRY_PARSE_JSON, and a variant's elements and fields.
enum VariantFunctions {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        switch request.function {
        case .parseJSON: parse(request.type, isTry: false)
        case .tryParseJSON: parse(request.type, isTry: true)
        case .variantElement: element(request)
        default: nil
        }
    }

    /// `(text)` or `(text, allowsDuplicateKeys)`.
    private static func parse(_ type: DataType, isTry: Bool) -> Kernel {
        let document = JSONDocument()
        return { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let texts = TextArgument(arguments[0])
            let (strict, lenient) = (VariantBuilder(), VariantBuilder(allowsDuplicates: true))
            return try TextLoops.text(arguments, count, type) { (row, result) throws(MillstreamError) in
                let allows = arguments.count > 1 && arguments[1].column.bit(arguments[1].isConstant ? 0 : row)
                let builder = allows ? lenient : strict
                builder.reset()
                do throws(MillstreamError) {
                    guard document.parse(texts[row]) else { throw document.error }
                    try build(document, builder)
                    result.append(try builder.finish())
                    return true
                } catch {
                    if isTry, error.code == .decode { return false }
                    throw error
                }
            }
        }
    }

    /// Writes a document: one pass over its nodes, with the ends of the open containers on a stack.
    private static func build(_ document: JSONDocument, _ builder: VariantBuilder) throws(MillstreamError) {
        var open: [(end: Int, isObject: Bool)] = []
        var wantsName = false
        var index = 0
        while index < document.nodes.count {
            let node = document.nodes[index]
            if wantsName {
                builder.key(document.characters(index))
                wantsName = false
                index += 1
                continue
            }
            switch node.kind {
            case .null: builder.appendNull()
            case .isTrue: builder.append(true)
            case .isFalse: builder.append(false)
            case .integer, .number: try append(number: document.bytes(index), to: builder)
            case .string: document.characters(index).withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in builder.append(string: bytes) }
            case .array:
                builder.beginArray()
                open.append((Int(node.next), false))
            case .object:
                builder.beginObject()
                open.append((Int(node.next), true))
            }
            index += 1
            while let last = open.last, last.end == index {
                try builder.end()
                open.removeLast()
            }
            wantsName = open.last?.isObject ?? false
        }
    }

    /// Whole numbers of 64 bits, then decimals of up to 38 digits without an exponent, then doubles.
    private static func append(number bytes: UnsafeRawBufferPointer, to builder: VariantBuilder) throws(MillstreamError) {
        let text = String(decoding: bytes, as: UTF8.self)
        if let integer = Int64(text) { return builder.append(integer) }
        var (unscaled, scale, digits, isPlain, hasPoint): (Int128, Int, Int, Bool, Bool) = (0, 0, 0, true, false)
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "-"): continue
            case UInt8(ascii: "."): hasPoint = true
            case 0x30...0x39:
                if digits > 0 || byte != 0x30 { digits += 1 }
                if hasPoint { scale += 1 }
                if digits <= 38 { unscaled = unscaled * 10 + Int128(byte - 0x30) }
            default: isPlain = false
            }
        }
        if isPlain, digits <= 38, scale <= 38 { return builder.append(bytes.first == UInt8(ascii: "-") ? -unscaled : unscaled, scale: scale) }
        guard let double = Double(text), double.isFinite else {
            throw MillstreamError(.decode, "the number \(text.prefix(50)) is beyond what a variant holds")
        }
        builder.append(double)
    }

    /// A field by its name, or an element by its place from 1; NULL where there is none, an error where the variant is no object or array.
    private static func element(_ request: KernelRequest) -> Kernel {
        let type = request.type
        return { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let variants = TextArgument(arguments[0])
            let isName = arguments[1].type.isText
            let names = isName ? TextArgument(arguments[1]) : nil
            let places = isName ? nil : IntegerArgument(arguments[1])
            return try TextLoops.text(arguments, count, type) { (row, result) throws(MillstreamError) in
                guard let variant = VariantReader(variants[row]) else { throw damaged(row) }
                let found: VariantReader?
                if let names {
                    guard variant.kind == .object else {
                        throw MillstreamError(.invalidArgument, "a field is asked of a variant that is no object", recordIndex: Int64(row))
                    }
                    found = variant.field(names[row])
                } else {
                    guard variant.kind == .array else {
                        throw MillstreamError(.invalidArgument, "an element is asked of a variant that is no array", recordIndex: Int64(row))
                    }
                    found = places.flatMap { $0[row] >= 1 ? variant.element($0[row] - 1) : nil }
                }
                guard let found else { return false }
                guard let cell = VariantBuilder.cell(found) else { throw damaged(row) }
                result.append(cell)
                return true
            }
        }
    }

    private static func damaged(_ row: Int) -> MillstreamError {
        MillstreamError(.decode, "a variant's bytes are damaged", recordIndex: Int64(row))
    }

    /// A variant as JSON; a damaged one is null.
    static func appendJSON(_ bytes: UnsafeRawBufferPointer, to result: TextColumn) {
        if let text = VariantText.json(bytes, floating: { FloatingText.java($0) }) { result.append(text) } else { result.append("null") }
    }
}
