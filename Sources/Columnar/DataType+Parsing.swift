/// Types and schemas from text, in Flink's syntax, and back.
///
/// `include/millstream.h` describes the syntax for its users. Keywords may be in any case. The depth of a type is bounded by `DataType.depthMax`,
/// the text by `TypeParser.byteCountMax`, so that no text can overflow the stack or take unbounded time.
extension DataType {
    /// The type that `text` names, e.g. `MAP<STRING, ARRAY<INT NOT NULL>>`. Throws `invalidArgument` with the place and an excerpt.
    public static func parse(_ text: String) throws(MillstreamError) -> DataType {
        var parser = try TypeParser(text, what: "type")
        let type = try parser.parseType(depth: 1)
        try parser.expectEnd()
        return type
    }
}

extension Schema {
    /// The schema that `text` names: `ROW<...>`, `TUPLE<...>`, or a bare type. Throws `invalidArgument` with the place and an excerpt.
    public static func parse(_ text: String) throws(MillstreamError) -> Schema {
        var parser = try TypeParser(text, what: "schema")
        let schema = try parser.parseSchema()
        try parser.expectEnd()
        return schema
    }
}

extension Schema: CustomStringConvertible {
    /// The canonical text, which `parse` reads back.
    public var description: String {
        switch shape {
        case .scalar where fields.count == 1: fields[0].type.description
        case .tuple where isNumbered: "TUPLE<" + fields.map { $0.type.description }.joined(separator: ", ") + ">"
        default: DataType.Kind.row(fields).description
        }
    }

    /// Whether the fields are called f0, f1, ... as a tuple's are.
    private var isNumbered: Bool {
        for (index, field) in fields.enumerated() where field.name != "f\(index)" { return false }
        return true
    }
}

/// A recursive-descent parser over the bytes of a type's text.
struct TypeParser {
    static let byteCountMax = 1 << 20
    static let fieldCountMax = 16_384

    private let bytes: [UInt8]
    private let what: String
    private var position = 0

    init(_ text: String, what: String) throws(MillstreamError) {
        bytes = Array(text.utf8)
        self.what = what
        guard bytes.count <= TypeParser.byteCountMax else {
            throw MillstreamError(.limitExceeded, "the text of a \(what) has \(bytes.count) bytes; at most \(TypeParser.byteCountMax) are read")
        }
    }

    // MARK: Grammar

    mutating func parseSchema() throws(MillstreamError) -> Schema {
        let start = position
        if acceptKeyword("TUPLE") {
            let types = try parseTypeList(depth: 2)
            return Schema(types.enumerated().map { Field("f\($0.offset)", $0.element) }, shape: .tuple)
        }
        let type = try parseType(depth: 1)
        if case .row(let fields) = type.kind {
            guard type.isNullable else { throw failure("a stream's rows are never null; leave NOT NULL out", at: start) }
            return Schema(fields)
        }
        return .scalar(type)
    }

    mutating func parseType(depth: Int) throws(MillstreamError) -> DataType {
        skipSpace()
        let start = position
        guard depth <= DataType.depthMax else {
            throw failure("types nest more than \(DataType.depthMax) levels deep", at: start, code: .limitExceeded)
        }
        guard let word = readWord() else { throw failure("expected a type", at: start) }
        let kind = try parseKind(word, at: start, depth: depth)
        if acceptKeyword("NOT") {
            guard acceptKeyword("NULL") else { throw failure("expected NULL after NOT", at: position) }
            return DataType(kind, isNullable: false)
        }
        _ = acceptKeyword("NULL")
        return DataType(kind)
    }

    private mutating func parseKind(_ word: String, at start: Int, depth: Int) throws(MillstreamError) -> DataType.Kind {
        if let simple = TypeParser.simpleKinds[word] {
            if word == "DOUBLE" { _ = acceptKeyword("PRECISION") }
            return simple
        }
        switch word {
        case "DECIMAL", "DEC", "NUMERIC": return try parseDecimal()
        case "CHAR", "CHARACTER": return .char(try parseLength(default: 1))
        case "VARCHAR": return .varChar(try parseLength(default: 1))
        case "BINARY": return .binary(try parseLength(default: 1))
        case "VARBINARY": return .varBinary(try parseLength(default: 1))
        case "TIME": return .time(try parsePrecision(default: 0))
        case "TIMESTAMP": return try parseTimestamp()
        case "TIMESTAMP_LTZ": return .timestampLTZ(try parsePrecision(default: 6))
        case "INTERVAL": return try parseInterval()
        case "ARRAY": return .array(try parseTypeList(depth: depth + 1, count: 1)[0])
        case "MULTISET": return .multiset(try parseTypeList(depth: depth + 1, count: 1)[0])
        case "MAP":
            let types = try parseTypeList(depth: depth + 1, count: 2)
            return .map(key: types[0], value: types[1])
        case "ROW": return .row(try parseFields(depth: depth + 1))
        case "STRUCTURED": return try parseStructured(depth: depth + 1)
        case "RAW": return .raw(try parseRawName())
        case "TUPLE": throw failure("TUPLE stands only at the outside of a schema; use ROW inside", at: start)
        default: throw failure("there is no type called \(word)", at: start)
        }
    }

    private static let simpleKinds: [String: DataType.Kind] = [
        "NULL": .null, "VARIANT": .variant, "BITMAP": .bitmap, "BOOLEAN": .boolean, "TINYINT": .tinyInt, "SMALLINT": .smallInt, "INT": .int, "INTEGER": .int, "BIGINT": .bigInt,
        "FLOAT": .float, "DOUBLE": .double, "STRING": .varChar(DataType.unboundedLength), "BYTES": .varBinary(DataType.unboundedLength),
        "DATE": .date, "OBJECT": .object,
    ]

    private mutating func parseDecimal() throws(MillstreamError) -> DataType.Kind {
        guard accept("(") else { return .decimal(precision: 10, scale: 0) }
        let precision = try parseNumber(1...38, "a decimal's precision")
        let scale = accept(",") ? try parseNumber(0...precision, "a decimal's scale") : 0
        try expect(")")
        return .decimal(precision: precision, scale: scale)
    }

    private mutating func parseTimestamp() throws(MillstreamError) -> DataType.Kind {
        let precision = try parsePrecision(default: 6)
        if acceptKeyword("WITHOUT") {
            try expectKeyword("TIME")
            try expectKeyword("ZONE")
        } else if acceptKeyword("WITH") {
            try expectKeyword("LOCAL")
            try expectKeyword("TIME")
            try expectKeyword("ZONE")
            return .timestampLTZ(precision)
        }
        return .timestamp(precision)
    }

    private mutating func parseInterval() throws(MillstreamError) -> DataType.Kind {
        if acceptKeyword("YEAR") {
            try expectKeyword("TO")
            try expectKeyword("MONTH")
            return .intervalYearMonth
        }
        try expectKeyword("DAY")
        try expectKeyword("TO")
        try expectKeyword("SECOND")
        return .intervalDayTime(try parsePrecision(default: 6))
    }

    private mutating func parseTypeList(depth: Int, count: Int? = nil) throws(MillstreamError) -> [DataType] {
        try expect("<")
        var types: [DataType] = []
        if count == nil, accept(">") { return types }
        repeat {
            guard types.count < TypeParser.fieldCountMax else { throw tooManyFields() }
            types.append(try parseType(depth: depth))
        } while types.count != count && accept(",")
        if let count, types.count != count { throw failure("expected \(count) types", at: position) }
        try expect(">", or: count == nil ? "," : nil)
        return types
    }

    private mutating func parseFields(depth: Int, after opening: Unicode.Scalar = "<") throws(MillstreamError) -> [Field] {
        try expect(opening, or: opening == "," ? ">" : nil)
        var fields: [Field] = []
        var names: Set<String> = []
        if accept(">") { return fields }
        repeat {
            guard fields.count < TypeParser.fieldCountMax else { throw tooManyFields() }
            skipSpace()
            let start = position
            let name = try parseName()
            guard names.insert(name).inserted else { throw failure("there are two fields called `\(name)`", at: start) }
            fields.append(Field(name, try parseType(depth: depth)))
        } while accept(",")
        try expect(">", or: ",")
        return fields
    }

    /// `<'class', field type, ...>`.
    private mutating func parseStructured(depth: Int) throws(MillstreamError) -> DataType.Kind {
        try expect("<")
        skipSpace()
        guard peek == UInt8(ascii: "'") else { throw failure("expected a class's name in single quotes", at: position) }
        let name = try parseQuoted(UInt8(ascii: "'"), "a class's name")
        return .structured(name, accept(">") ? [] : try parseFields(depth: depth, after: ","))
    }

    private mutating func parseName() throws(MillstreamError) -> String {
        skipSpace()
        let start = position
        if peek == UInt8(ascii: "`") { return try parseQuoted(UInt8(ascii: "`"), "a field's name") }
        while let byte = peek, TypeParser.isNameByte(byte) { position += 1 }
        guard position > start else { throw failure("expected a field's name", at: start) }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func parseRawName() throws(MillstreamError) -> String {
        try expect("(")
        skipSpace()
        guard peek == UInt8(ascii: "'") else { throw failure("expected a class's name in single quotes", at: position) }
        let name = try parseQuoted(UInt8(ascii: "'"), "a class's name")
        try expect(")")
        return name
    }

    /// A quoted text; the quote inside is doubled.
    private mutating func parseQuoted(_ quote: UInt8, _ what: String) throws(MillstreamError) -> String {
        let start = position
        position += 1
        var content: [UInt8] = []
        while let byte = peek {
            position += 1
            if byte == quote {
                guard peek == quote else {
                    guard !content.isEmpty else { throw failure("\(what) is empty", at: start) }
                    return String(decoding: content, as: UTF8.self)
                }
                position += 1
            }
            content.append(byte)
        }
        throw failure("\(what) is not closed", at: start)
    }

    private mutating func parseLength(default value: Int) throws(MillstreamError) -> Int {
        guard accept("(") else { return value }
        let length = try parseNumber(1...DataType.unboundedLength, "a length")
        try expect(")")
        return length
    }

    private mutating func parsePrecision(default value: Int) throws(MillstreamError) -> Int {
        guard accept("(") else { return value }
        let precision = try parseNumber(0...9, "a precision")
        try expect(")")
        return precision
    }

    private mutating func parseNumber(_ range: ClosedRange<Int>, _ what: String) throws(MillstreamError) -> Int {
        skipSpace()
        let start = position
        var value = 0
        while let byte = peek, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
            position += 1
            // Nine digits more than any bound: the value saturates instead of overflowing.
            value = min(value * 10 + Int(byte - UInt8(ascii: "0")), 1 << 40)
        }
        guard position > start, range.contains(value) else {
            throw failure("\(what) is a number from \(range.lowerBound) to \(range.upperBound)", at: start)
        }
        return value
    }

    // MARK: Tokens

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) { position += 1 }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")) || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
            || byte == UInt8(ascii: "_")
    }

    /// The next word in capitals, or nil.
    private mutating func readWord() -> String? {
        skipSpace()
        let start = position
        while let byte = peek, TypeParser.isNameByte(byte) { position += 1 }
        guard position > start else { return nil }
        return String(decoding: bytes[start..<position], as: UTF8.self).uppercased()
    }

    private mutating func acceptKeyword(_ keyword: String) -> Bool {
        let start = position
        if readWord() == keyword { return true }
        position = start
        return false
    }

    private mutating func expectKeyword(_ keyword: String) throws(MillstreamError) {
        guard acceptKeyword(keyword) else {
            skipSpace()
            throw failure("expected \(keyword)", at: position)
        }
    }

    private mutating func accept(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard peek == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar, or other: Unicode.Scalar? = nil) throws(MillstreamError) {
        guard accept(character) else {
            throw failure("expected '\(character)'" + (other.map { " or '\($0)'" } ?? ""), at: position)
        }
    }

    mutating func expectEnd() throws(MillstreamError) {
        skipSpace()
        if position < bytes.count { throw failure("expected the end", at: position) }
    }

    // MARK: Errors

    private func tooManyFields() -> MillstreamError {
        MillstreamError(.limitExceeded, "a \(what) has more than \(TypeParser.fieldCountMax) fields")
    }

    /// An error with the place and, below the sentence, an excerpt with a caret under it.
    private func failure(_ problem: String, at place: Int, code: MillstreamError.Code = .invalidArgument) -> MillstreamError {
        let before = printable(bytes[max(0, place - 40)..<place])
        let after = printable(bytes[place..<min(bytes.count, place + 30)])
        let caret = String(repeating: " ", count: before.unicodeScalars.count) + "^"
        let found = place < bytes.count ? "" : ", but the text ends"
        return MillstreamError(code, "cannot read the \(what) at position \(place): \(problem)\(found)\n    \(before)\(after)\n    \(caret)")
    }

    /// Text for a message: everything but printable ASCII and letters beyond it becomes `?`.
    private func printable(_ slice: ArraySlice<UInt8>) -> String {
        var text = ""
        for scalar in String(decoding: slice, as: UTF8.self).unicodeScalars {
            let isPlain = scalar.value >= 0x20 && scalar.value < 0x7F || scalar.properties.isAlphabetic
            text.unicodeScalars.append(isPlain ? scalar : "?")
        }
        return text
    }
}
