import Columnar
import Plan

/// IS JSON, JSON_VALUE, JSON_QUERY, JSON_EXISTS, JSON, JSON_QUOTE and JSON_UNQUOTE, as Flink's (Jayway's paths, Jackson's JSON).
enum JSONFunctions {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        switch request.function {
        case .isJSON: return isJSON(request)
        case .jsonExists: return exists(request)
        case .jsonValue: return try value(request)
        case .jsonQuery: return query(request)
        case .json: return json(request.type)
        case .jsonQuote: return quote(request.type)
        case .jsonUnquote: return unquote(request.type)
        case .jsonObject: return JSONConstructors.object(request)
        case .jsonArray: return JSONConstructors.array(request)
        case .jsonString: return JSONConstructors.string(request)
        default: return nil
        }
    }

    /// FALSE for NULL.
    private static func isJSON(_ request: KernelRequest) -> Kernel {
        let type = request.type
        let what = request.text(1) ?? "VALUE"
        let document = JSONDocument()
        return { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull([arguments[0]]) { return try .constant(.boolean(false), type.notNull) }
            let texts = TextArgument(arguments[0])
            let bits = fillBits(count) { row in
                guard !texts.isNull(row), document.parse(texts[row]) else { return false }
                let kind = document.nodes[0].kind
                switch what {
                case "OBJECT": return kind == .object
                case "ARRAY": return kind == .array
                case "SCALAR": return kind != .object && kind != .array
                default: return true
                }
            }
            return Operand(Column(type: type, count: count, values: bits))
        }
    }

    // MARK: Paths

    /// What one row's document and path give.
    enum Found {
        case item(JSONItem, isLax: Bool)
        case nothing
        case failure(MillstreamError)
    }

    /// The two first arguments of the functions with paths. Made for a batch, with the constant path compiled before.
    final class Source {
        private let texts: TextArgument
        private let paths: TextArgument
        private let known = TextPatternCache<Path>()
        private let fixed: Path?
        let document = JSONDocument()

        struct Path {
            let path: JSONPath?
            let failure: String
        }

        init(_ arguments: [Operand], _ fixed: Path?) {
            texts = TextArgument(arguments[0])
            paths = TextArgument(arguments[1])
            self.fixed = fixed
        }

        static func compile(_ text: [UInt8]) -> Path {
            do throws(JSONPath.Failure) { return Path(path: try JSONPath(text), failure: "") } catch { return Path(path: nil, failure: error.message) }
        }

        static func constant(_ request: KernelRequest) -> Path? {
            if case .bytes(let bytes)? = request.constants[1] { return compile(bytes) }
            return nil
        }

        private func isNull(_ path: JSONPath) -> Found {
            path.isLax ? .nothing : .failure(MillstreamError(.decode, "a strict JSON path needs a value, and finds null"))
        }

        func find(_ row: Int) throws(MillstreamError) -> Found {
            let compiled: Path
            if let fixed { compiled = fixed } else { compiled = try known.compiled(paths[row]) { (bytes) throws(MillstreamError) in Self.compile(Array(bytes)) } }
            guard let path = compiled.path else { return .failure(MillstreamError(.invalidArgument, compiled.failure, recordIndex: Int64(row))) }
            guard document.parse(texts[row]) else { return path.isLax ? .nothing : .failure(document.error) }
            // Jayway takes no document that is null.
            if document.nodes[0].kind == .null { return .failure(MillstreamError(.decode, "a JSON path is asked of null")) }
            do throws(JSONPathReader.Missing) {
                let item = try JSONPathReader(document).find(path, from: 0)
                switch item {
                case .null: return isNull(path)
                case .node(let node) where document.nodes[node].kind == .null: return isNull(path)
                default: return .item(item, isLax: path.isLax)
                }
            } catch {
                guard path.isLax else { return .failure(MillstreamError(.decode, error.message)) }
                return path.isDefinite ? .nothing : .item(.list([]), isLax: true)
            }
        }
    }

    private static func exists(_ request: KernelRequest) -> Kernel {
        let type = request.type
        let onError = request.text(2) ?? "FALSE"
        let fixed = Source.constant(request)
        return { (arguments, count, _) throws(MillstreamError) in
            let arguments = Array(arguments.prefix(2))
            if TextLoops.isNull(arguments) { return .null(type) }
            let source = Source(arguments, fixed)
            return try TextLoops.truths(arguments, count, type) { (row) throws(MillstreamError) in
                switch try source.find(row) {
                case .item: return true
                case .nothing: return false
                case .failure(let error):
                    switch onError {
                    case "TRUE": return true
                    case "UNKNOWN": return nil
                    case "ERROR": throw error
                    default: return false
                    }
                }
            }
        }
    }

    private static func value(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        let onEmpty = request.text(2) ?? "NULL"
        let onError = request.text(4) ?? "NULL"
        let fixed = Source.constant(request)
        if !type.isText { return try typedValue(request, onEmpty, onError, fixed) }
        return { (arguments, count, _) throws(MillstreamError) in
            let all = arguments
            let arguments = Array(arguments.prefix(2))
            if TextLoops.isNull(arguments) { return .null(type) }
            let source = Source(arguments, fixed)
            let defaults = [3, 5].map { all.count > $0 && !all[$0].isNullConstant && all[$0].type.isText ? TextArgument(all[$0]) : nil }
            return try TextLoops.text(arguments, count, type) { (row, result) throws(MillstreamError) in
                var failure: MillstreamError?
                switch try source.find(row) {
                case .item(let item, let isLax):
                    if result.append(jsonScalar: item, of: source.document) { return true }
                    if !isLax { failure = scalarWanted(item, source.document) }
                case .nothing: break
                case .failure(let error): failure = error
                }
                switch failure == nil ? onEmpty : onError {
                case "DEFAULT":
                    guard let value = defaults[failure == nil ? 0 : 1], !value.isNull(row) else { return false }
                    result.append(value[row])
                    return true
                case "ERROR": throw failure ?? MillstreamError(.decode, "JSON_VALUE found nothing, and has ERROR ON EMPTY", recordIndex: Int64(row))
                default: return false
                }
            }
        }
    }

    private static func scalarWanted(_ item: JSONItem, _ document: JSONDocument) -> MillstreamError {
        let text = TextColumn(rowCount: 1)
        text.append(json: item, of: document)
        return MillstreamError(.decode, "JSON_VALUE's strict path gives no scalar, but \(String(decoding: text.valueBytes.prefix(100), as: UTF8.self))")
    }

    /// RETURNING BOOLEAN, INTEGER and DOUBLE. A value of another type is an error of the call's own kind (ON ERROR); Flink's classes do not fit there.
    private static func typedValue(_ request: KernelRequest, _ onEmpty: String, _ onError: String, _ fixed: Source.Path?) throws(MillstreamError) -> Kernel {
        let type = request.type
        switch type.kind {
        case .boolean, .int, .bigInt, .smallInt, .tinyInt, .double, .float: break
        default: throw MillstreamError(.plan, "JSON_VALUE cannot give \(type)", hint: "It gives STRING, BOOLEAN, INTEGER and DOUBLE.")
        }
        return { (arguments, count, _) throws(MillstreamError) in
            let all = arguments
            let arguments = Array(arguments.prefix(2))
            if TextLoops.isNull(arguments) { return .null(type) }
            let source = Source(arguments, fixed)
            let builder = try ColumnBuilder.make(for: type.nullable)
            for row in 0..<count {
                if arguments[0].isNull(row) || arguments[1].isNull(row) {
                    try builder.appendNull()
                    continue
                }
                var failure: MillstreamError?
                var found: Scalar?
                switch try source.find(row) {
                case .item(let item, let isLax):
                    switch scalar(item, source.document, type) {
                    case .some(let value): found = value
                    case .none:
                        if case .node(let node) = item, [.array, .object].contains(source.document.nodes[node].kind), isLax { break }
                        let text = TextColumn(rowCount: 1)
                        text.append(json: item, of: source.document)
                        failure = MillstreamError(
                            .decode, "JSON_VALUE found \(String(decoding: text.valueBytes.prefix(100), as: UTF8.self)), which is no \(type.nullable)", recordIndex: Int64(row))
                    }
                case .nothing: break
                case .failure(let error): failure = error
                }
                if let found {
                    try builder.append(found)
                    continue
                }
                switch failure == nil ? onEmpty : onError {
                case "DEFAULT":
                    let place = failure == nil ? 3 : 5
                    if place < all.count, !all[place].isNull(row), all[place].type.layout == type.layout {
                        try builder.append(from: all[place].column, at: all[place].isConstant ? 0 : row)
                    } else {
                        try builder.appendNull()
                    }
                case "ERROR": throw failure ?? MillstreamError(.decode, "JSON_VALUE found nothing, and has ERROR ON EMPTY", recordIndex: Int64(row))
                default: try builder.appendNull()
                }
            }
            return Operand(builder.finish())
        }
    }

    private static func scalar(_ item: JSONItem, _ document: JSONDocument, _ type: DataType) -> Scalar? {
        let scratch = TextColumn(rowCount: 1)
        guard scratch.append(jsonScalar: item, of: document) else { return nil }
        let text = String(decoding: scratch.valueBytes, as: UTF8.self)
        var isString = false
        if case .node(let node) = item { isString = document.nodes[node].kind == .string }
        switch type.kind {
        // A text is no number and no truth, whatever it says.
        case _ where isString: return nil
        case .boolean: return text == "true" ? .boolean(true) : text == "false" ? .boolean(false) : nil
        case .double, .float:
            guard let number = Double(text), number.isFinite else { return nil }
            return .double(number)
        default:
            guard let number = Int64(text) else { return nil }
            switch type.kind {
            case .tinyInt: return Int8(exactly: number) == nil ? nil : .int64(number)
            case .smallInt: return Int16(exactly: number) == nil ? nil : .int64(number)
            case .int: return Int32(exactly: number) == nil ? nil : .int64(number)
            default: return .int64(number)
            }
        }
    }

    private static func query(_ request: KernelRequest) -> Kernel {
        let type = request.type
        let wrapper = request.text(2) ?? "WITHOUT"
        let onEmpty = request.text(3) ?? "NULL"
        let onError = request.text(4) ?? "NULL"
        let fixed = Source.constant(request)
        /// The object or array, in its wrapper; what to do where there is none.
        func wrapped(_ source: Source, _ row: Int) throws(MillstreamError) -> (item: JSONItem?, otherwise: String) {
            switch try source.find(row) {
            case .nothing:
                if onEmpty == "ERROR" { throw MillstreamError(.decode, "JSON_QUERY found nothing, and has ERROR ON EMPTY", recordIndex: Int64(row)) }
                return (nil, onEmpty)
            case .failure(let error):
                if onError == "ERROR" { throw error }
                return (nil, onError)
            case .item(let item, let isLax):
                var (isList, isScalar) = (false, true)
                switch item {
                case .list: (isList, isScalar) = (true, false)
                case .object: isScalar = false
                case .node(let node):
                    isList = source.document.nodes[node].kind == .array
                    isScalar = !isList && source.document.nodes[node].kind != .object
                default: break
                }
                if wrapper == "UNCONDITIONAL" || (wrapper == "CONDITIONAL" && !isList) { return (.list([item]), "") }
                if !isScalar { return (item, "") }
                if isLax {
                    if onEmpty == "ERROR" { throw MillstreamError(.decode, "JSON_QUERY found a scalar, and has ERROR ON EMPTY", recordIndex: Int64(row)) }
                    return (nil, onEmpty)
                }
                if onError == "ERROR" { throw MillstreamError(.decode, "JSON_QUERY's strict path gives a scalar", recordIndex: Int64(row)) }
                return (nil, onError)
            }
        }
        if case .array = type.kind {
            return { (arguments, count, _) throws(MillstreamError) in
                let arguments = Array(arguments.prefix(2))
                if TextLoops.isNull(arguments) { return .null(type) }
                let source = Source(arguments, fixed)
                return try TextLoops.lists(arguments, count, type) { (row, elements) throws(MillstreamError) in
                    let (item, otherwise) = try wrapped(source, row)
                    guard let item else { return otherwise == "EMPTY ARRAY" }
                    let items: [JSONItem]
                    switch item {
                    case .list(let list): items = list
                    case .node(let node) where source.document.nodes[node].kind == .array: items = source.document.elements(node).map { .node($0) }
                    default:
                        // An object is no array.
                        if onError == "ERROR" { throw MillstreamError(.decode, "JSON_QUERY found an object where an array is wanted", recordIndex: Int64(row)) }
                        return onError == "EMPTY ARRAY"
                    }
                    for item in items {
                        if elements.append(jsonScalar: item, of: source.document) {
                            try elements.endValue()
                        } else if case .node(let node) = item, source.document.nodes[node].kind == .null {
                            elements.appendNull()
                        } else {
                            elements.append(json: item, of: source.document)
                            try elements.endValue()
                        }
                    }
                    return true
                }
            }
        }
        return { (arguments, count, _) throws(MillstreamError) in
            let arguments = Array(arguments.prefix(2))
            if TextLoops.isNull(arguments) { return .null(type) }
            let source = Source(arguments, fixed)
            return try TextLoops.text(arguments, count, type) { (row, result) throws(MillstreamError) in
                let (item, otherwise) = try wrapped(source, row)
                if let item {
                    result.append(json: item, of: source.document)
                    return true
                }
                switch otherwise {
                case "EMPTY ARRAY": result.append("[]")
                case "EMPTY OBJECT": result.append("{}")
                default: return false
                }
                return true
            }
        }
    }

    // MARK: Texts

    /// JSON in Jackson's form; NULL for an empty text, an error for what is no JSON.
    private static func json(_ type: DataType) -> Kernel {
        let document = JSONDocument()
        return { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let texts = TextArgument(arguments[0])
            return try TextLoops.text(arguments, count, type) { (row, result) throws(MillstreamError) in
                let text = TextCasts.trimmed(texts[row])
                if text.count == 0 { return false }
                guard document.parse(text) else { throw document.error }
                result.append(json: 0, of: document)
                return true
            }
        }
    }

    /// A text as a JSON string: `/` is escaped too, and all that is not ASCII, in UTF-16.
    private static func quote(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let texts = TextArgument(arguments[0])
            return try TextLoops.text(arguments, count, type) { (row, result) in
                let text = texts[row]
                func unit(_ value: UInt32) {
                    result.append("\\u")
                    for shift in [12, 8, 4, 0] as [UInt32] { result.append(TextColumn.digit(UInt8(truncatingIfNeeded: value >> shift & 15))) }
                }
                result.append(UInt8(ascii: "\""))
                var place = 0
                while place < text.count {
                    let (point, length) = TextPoints.decode(text, at: place)
                    place &+= length
                    switch point {
                    case 0x22, 0x5C, 0x2F:
                        result.append(UInt8(ascii: "\\"))
                        result.append(UInt8(truncatingIfNeeded: point))
                    case 0x08: result.append("\\b")
                    case 0x09: result.append("\\t")
                    case 0x0A: result.append("\\n")
                    case 0x0C: result.append("\\f")
                    case 0x0D: result.append("\\r")
                    case 0x10000...:
                        unit(0xD800 + (point - 0x10000) >> 10)
                        unit(0xDC00 + (point - 0x10000) & 0x3FF)
                    case 0x80...: unit(point)
                    default: result.append(UInt8(truncatingIfNeeded: point))
                    }
                }
                result.append(UInt8(ascii: "\""))
                return true
            }
        }
    }

    /// What is in the quotes of a JSON string; any other text as it is.
    private static func unquote(_ type: DataType) -> Kernel {
        let document = JSONDocument()
        return { (arguments, count, _) throws(MillstreamError) in
            if TextLoops.isNull(arguments) { return .null(type) }
            let texts = TextArgument(arguments[0])
            return try TextLoops.text(arguments, count, type) { (row, result) in
                let text = texts[row]
                let isQuoted = text.count >= 2 && text[0] == UInt8(ascii: "\"") && text[text.count - 1] == UInt8(ascii: "\"")
                // Jackson reads the first value alone; behind it there may be what is no escape.
                let inner = isQuoted ? TextPoints.part(text, 1, text.count - 1) : text
                guard isQuoted, document.parse(text), JSONDocument.hasSoundEscapes(inner) else {
                    result.append(text)
                    return true
                }
                if inner.contains(UInt8(ascii: "\\")) { JSONDocument.append(unescaped: inner, to: result) } else { result.append(inner) }
                return true
            }
        }
    }
}
