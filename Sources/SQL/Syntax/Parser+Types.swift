import Columnar

extension Parser {
    private static let simpleTypes: [String: String] = [
        "BOOLEAN": "BOOLEAN", "TINYINT": "TINYINT", "SMALLINT": "SMALLINT", "INT": "INT", "INTEGER": "INT", "BIGINT": "BIGINT", "FLOAT": "FLOAT", "REAL": "FLOAT",
        "DOUBLE": "DOUBLE", "DECIMAL": "DECIMAL", "DEC": "DECIMAL", "NUMERIC": "DECIMAL", "CHAR": "CHAR", "CHARACTER": "CHAR", "VARCHAR": "VARCHAR",
        "STRING": "STRING", "BINARY": "BINARY", "VARBINARY": "VARBINARY", "BYTES": "BYTES", "DATE": "DATE", "TIME": "TIME", "TIMESTAMP": "TIMESTAMP",
        "TIMESTAMP_LTZ": "TIMESTAMP_LTZ", "NULL": "NULL", "VARIANT": "VARIANT", "BITMAP": "BITMAP",
    ]
    /// Types that take numbers in parentheses, and how many at most.
    private static let numberedTypes = ["DECIMAL": 2, "CHAR": 1, "VARCHAR": 1, "BINARY": 1, "VARBINARY": 1, "TIME": 1, "TIMESTAMP": 1, "TIMESTAMP_LTZ": 1]

    mutating func type() throws(MillstreamError) -> TypeSyntax {
        try enter()
        defer { leave() }
        let start = token.range.start
        var result = TypeSyntax(kind: try typeKind(), isNullable: nil, range: range(from: start))
        while true {
            if result.isNullable == nil, accept("NOT", "NULL") {
                result.isNullable = false
            } else if result.isNullable == nil, !at("NULL", "ON"), accept("NULL") {
                // (`RETURNING INT NULL ON EMPTY`: that NULL is not the type's.)
                result.isNullable = true
            } else if accept("ARRAY") {
                result = TypeSyntax(kind: .array(result), isNullable: nil, range: range(from: start))
            } else if accept("MULTISET") {
                result = TypeSyntax(kind: .multiset(result), isNullable: nil, range: range(from: start))
            } else {
                break
            }
        }
        result.range = range(from: start)
        return result
    }

    private mutating func typeKind() throws(MillstreamError) -> TypeSyntax.Kind {
        let start = token
        guard start.kind == .word else {
            if start.kind == .quoted { return .user(try qualifiedName("a type")) }
            throw unexpected("a type")
        }
        switch start.keyword {
        case "ARRAY":
            advance()
            return .array(try typeArgument())
        case "MULTISET":
            advance()
            return .multiset(try typeArgument())
        case "MAP":
            guard peek().keyword == "<" else { break }
            advance()
            try expect("<")
            let key = try type()
            try expect(",")
            let value = try type()
            try expect(">")
            return .map(key, value)
        case "ROW":
            advance()
            return .row(try fields())
        case "STRUCTURED":
            advance()
            try expect("<")
            let name = try string("a class's name in quotes")
            var members: [FieldSyntax] = []
            while accept(",") { members.append(try field()) }
            try expect(">")
            return .structured(name, members)
        case "RAW":
            advance()
            try expect("(")
            let name = try string("a class's name in quotes")
            try expect(",")
            let serializer = try string("a serializer in quotes")
            try expect(")")
            return .raw(name, serializer)
        case "INTERVAL":
            advance()
            let (from, to, precision, fraction) = try intervalFields()
            return .interval(from: from, to: to, precision: precision, fraction: fraction)
        default: break
        }
        guard let name = Self.simpleTypes[start.keyword] else {
            guard isName(start) else { throw unexpected("a type") }
            return .user(try qualifiedName("a type"))
        }
        advance()
        if name == "DOUBLE" { _ = accept("PRECISION") }
        var simple = name
        if start.keyword == "CHAR" || start.keyword == "CHARACTER", accept("VARYING") { simple = "VARCHAR" }
        if name == "BINARY", accept("VARYING") { simple = "VARBINARY" }
        var numbers: [Int] = []
        if let count = Self.numberedTypes[simple], accept("(") {
            numbers.append(try integer("a length or precision"))
            if count > 1, accept(",") { numbers.append(try integer("a scale")) }
            try expect(")")
        }
        if simple == "TIME" || simple == "TIMESTAMP" {
            if accept("WITHOUT", "TIME", "ZONE") {
            } else if simple == "TIMESTAMP", accept("WITH", "LOCAL", "TIME", "ZONE") {
                simple = "TIMESTAMP_LTZ"
            } else if at("WITH", "TIME", "ZONE") {
                throw error("\(simple) WITH TIME ZONE does not exist", at: token.range, hint: simple == "TIMESTAMP" ? "TIMESTAMP_LTZ is an instant." : nil)
            }
        }
        return .simple(simple, numbers)
    }

    private mutating func typeArgument() throws(MillstreamError) -> TypeSyntax {
        try expect("<")
        let argument = try type()
        try expect(">")
        return argument
    }

    private mutating func fields() throws(MillstreamError) -> [FieldSyntax] {
        let close: String
        if accept("<>") { return [] }
        if accept("<") { close = ">" } else if accept("(") { close = ")" } else { throw unexpected("'<'") }
        var fields: [FieldSyntax] = []
        if accept(close) { return fields }
        repeat { fields.append(try field()) } while accept(",")
        try expect(close)
        return fields
    }

    private mutating func field() throws(MillstreamError) -> FieldSyntax {
        // Within a type any word is a name.
        guard token.kind == .quoted || token.kind == .word else { throw unexpected("a field's name") }
        let name = Identifier(token.text, token.range)
        advance()
        let type = try type()
        return FieldSyntax(name: name, type: type, comment: token.kind == .string ? try string() : nil)
    }

    // MARK: Units of time

    private static let units: [String: TimeUnitName] = {
        var units: [String: TimeUnitName] = [:]
        for unit in TimeUnitName.allCases { units[unit.rawValue] = unit }
        for unit in [TimeUnitName.year, .quarter, .month, .week, .day, .hour, .minute, .second] { units[unit.rawValue + "S"] = unit }
        return units
    }()

    /// Whether the token is a unit of time.
    func unit(_ token: Token) -> TimeUnitName? { token.kind == .word ? Self.units[token.keyword] : nil }

    mutating func unit() throws(MillstreamError) -> TimeUnitName {
        guard let unit = unit(token) else { throw unexpected("a unit of time, such as DAY") }
        advance()
        return unit
    }

    /// `DAY(3) TO SECOND(6)`.
    mutating func intervalFields() throws(MillstreamError) -> (from: TimeUnitName, to: TimeUnitName?, precision: Int?, fraction: Int?) {
        let from = try unit()
        var precision: Int?
        var fraction: Int?
        if accept("(") {
            precision = try integer()
            if from == .second, accept(",") { fraction = try integer() }
            try expect(")")
        }
        guard accept("TO") else { return (from, nil, precision, fraction) }
        let place = token.range
        let to = try unit()
        if to == .second, accept("(") {
            fraction = try integer()
            try expect(")")
        }
        let order: [TimeUnitName] = [.day, .hour, .minute, .second]
        let isOrdered = from == .year && to == .month || (order.firstIndex(of: from) ?? 9) < (order.firstIndex(of: to) ?? -1)
        guard isOrdered else { throw error("there is no interval from \(from.rawValue) TO \(to.rawValue)", at: place) }
        return (from, to, precision, fraction)
    }
}
