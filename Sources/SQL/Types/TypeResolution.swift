import Columnar
import Expressions

/// Types as text says them, made into types as columns have them.
struct TypeResolution {
    let source: SourceText
    static let precisionMax = 38
    static let timePrecisionMax = 9

    /// What stands within ARRAY, MAP and ROW takes NULL unless it says NOT NULL; so does the type itself.
    func type(_ syntax: TypeSyntax) throws(MillstreamError) -> DataType {
        DataType(try kind(syntax), isNullable: syntax.isNullable ?? true)
    }

    private func kind(_ syntax: TypeSyntax) throws(MillstreamError) -> DataType.Kind {
        switch syntax.kind {
        case .simple(let name, let numbers): return try simple(name, numbers, syntax.range)
        case .interval(let from, let to, _, _): return try interval(from, to, syntax.range)
        case .array(let element): return .array(try type(element))
        case .multiset(let element): return .multiset(try type(element))
        case .map(let key, let value): return .map(key: try type(key), value: try type(value))
        case .row(let fields): return .row(try self.fields(fields))
        case .structured(let name, let fields): return .structured(name, try self.fields(fields))
        case .raw(let name, _): return .raw(name)
        case .user(let name):
            throw source.error("there is no type '\(name.text)'", at: name.range, hint: proposal(name.text))
        }
    }

    private func fields(_ fields: [FieldSyntax]) throws(MillstreamError) -> [Field] {
        var result: [Field] = []
        var names: Set<String> = []
        for field in fields {
            guard names.insert(field.name.text).inserted else {
                throw source.error("the field '\(field.name.text)' is there twice", at: field.name.range)
            }
            result.append(Field(field.name.text, try type(field.type)))
        }
        return result
    }

    private func proposal(_ name: String) -> String {
        let names = [
            "BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL", "CHAR", "VARCHAR", "STRING", "BINARY", "VARBINARY",
            "BYTES", "DATE", "TIME",
            "TIMESTAMP", "TIMESTAMP_LTZ", "INTERVAL", "ARRAY", "MAP", "MULTISET", "ROW", "VARIANT", "BITMAP",
        ]
        let known = [
            "TEXT": "STRING", "DATETIME": "TIMESTAMP", "BLOB": "BYTES", "LONG": "BIGINT", "SHORT": "SMALLINT", "BOOL": "BOOLEAN", "INT64": "BIGINT",
            "INT32": "INT",
            "TIMESTAMPTZ": "TIMESTAMP_LTZ", "JSON": "VARIANT", "FLOAT64": "DOUBLE", "NUMBER": "DECIMAL",
        ]
        if let other = known[name.uppercasedASCII] { return "Its name here is \(other)." }
        return NearestName.of(name, among: names).map { "Did you mean \($0)?" } ?? "Types are " + names.joined(separator: ", ") + "."
    }

    private func simple(_ name: String, _ numbers: [Int], _ range: SourceRange) throws(MillstreamError) -> DataType.Kind {
        switch name {
        case "BOOLEAN": return .boolean
        case "TINYINT": return .tinyInt
        case "SMALLINT": return .smallInt
        case "INT": return .int
        case "BIGINT": return .bigInt
        case "FLOAT": return .float
        case "DOUBLE": return .double
        case "DECIMAL": return try decimal(numbers, range)
        case "CHAR": return .char(try length(name, numbers, range, default: 1))
        case "VARCHAR": return .varChar(try length(name, numbers, range, default: DataType.unboundedLength))
        case "STRING": return .varChar(DataType.unboundedLength)
        case "BINARY": return .binary(try length(name, numbers, range, default: 1))
        case "VARBINARY": return .varBinary(try length(name, numbers, range, default: DataType.unboundedLength))
        case "BYTES": return .varBinary(DataType.unboundedLength)
        case "DATE": return .date
        // Flink's times have milliseconds at most, whatever is asked for.
        case "TIME": return .time(min(3, try precision(name, numbers, range, default: 0)))
        case "TIMESTAMP": return .timestamp(try precision(name, numbers, range, default: 6))
        case "TIMESTAMP_LTZ": return .timestampLTZ(try precision(name, numbers, range, default: 6))
        case "NULL": return .null
        case "VARIANT": return .variant
        case "BITMAP": return .bitmap
        default: throw source.error("there is no type \(name)", at: range, hint: proposal(name))
        }
    }

    /// What is beyond 38 digits becomes 38, as in Flink; what is no number of digits at all is refused.
    private func decimal(_ numbers: [Int], _ range: SourceRange) throws(MillstreamError) -> DataType.Kind {
        let asked = numbers.first ?? 10
        let scale = numbers.count > 1 ? numbers[1] : 0
        guard asked >= 1 else { throw source.error("a DECIMAL has at least 1 digit", at: range, hint: "DECIMAL(p, s) takes 1 to 38 digits.") }
        let precision = min(asked, Self.precisionMax)
        guard scale >= 0, scale <= precision else {
            throw source.error(
                "a DECIMAL of \(precision) digits cannot have \(scale) of them behind the point", at: range,
                hint: "The scale is between 0 and the precision.")
        }
        return .decimal(precision: precision, scale: scale)
    }

    private func length(_ name: String, _ numbers: [Int], _ range: SourceRange, default length: Int) throws(MillstreamError) -> Int {
        let length = numbers.first ?? length
        guard length >= 0, length <= DataType.unboundedLength else {
            throw source.error("the length of \(name) is between 1 and \(DataType.unboundedLength)", at: range)
        }
        return length
    }

    private func precision(_ name: String, _ numbers: [Int], _ range: SourceRange, default precision: Int) throws(MillstreamError) -> Int {
        let precision = numbers.first ?? precision
        guard precision >= 0 else { throw source.error("the precision of \(name) is between 0 and 9", at: range) }
        // As with DECIMAL, Flink takes what is too much for the most there is.
        return min(precision, Self.timePrecisionMax)
    }

    private func interval(_ from: TimeUnitName, _ to: TimeUnitName?, _ range: SourceRange) throws(MillstreamError) -> DataType.Kind {
        switch from {
        case .year, .quarter, .month: return .intervalYearMonth
        case .week, .day, .hour, .minute, .second: return .intervalDayTime(3)
        default:
            throw source.error(
                "there is no interval of \(from.rawValue)", at: range, hint: "Intervals have years and months, or days down to seconds.")
        }
    }
}
