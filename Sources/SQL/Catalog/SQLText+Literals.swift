import Columnar

/// Literals and types as text, in the form that Flink gives them.
extension SQLText {
    static func literal(_ literal: LiteralSyntax) -> String {
        switch literal {
        case .null: "NULL"
        case .true: "TRUE"
        case .false: "FALSE"
        case .unknown: "UNKNOWN"
        case .number(let digits): digits
        case .approximate(let digits): digits.uppercasedASCII
        case .string(let text, let characterSet): characterSet.map { "_\($0)\(string(text))" } ?? textLiteral(text)
        case .bytes(let bytes): "X'" + bytes.map { hex(UInt16($0), 2).uppercasedASCII }.joined() + "'"
        case .date(let text): "DATE \(string(text))"
        case .time(let text): "TIME \(string(text))"
        case .timestamp(let text): "TIMESTAMP \(string(text))"
        case .instant(let text): "TIMESTAMP WITH LOCAL TIME ZONE \(string(text))"
        case .interval(let interval): self.interval(interval)
        }
    }

    /// Text beyond ASCII is written by the numbers of its UTF-16 units.
    private static func textLiteral(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 128 }) { return string(text) }
        var result = "u&'"
        for unit in text.utf16 {
            switch unit {
            case 39: result += "''"
            case 92: result += "\\\\"
            case 32..<127: result.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
            default: result += "\\" + hex(unit, 4)
            }
        }
        return result + "'"
    }

    private static func hex(_ value: UInt16, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    private static func interval(_ interval: IntervalSyntax) -> String {
        "INTERVAL \(interval.isNegative ? "-" : "")\(string(interval.text)) "
            + intervalFields(interval.from, interval.to, interval.precision, interval.fractionPrecision)
    }

    private static func intervalFields(_ from: TimeUnitName, _ to: TimeUnitName?, _ precision: Int?, _ fraction: Int?) -> String {
        var text = from.rawValue
        if from == .second, to == nil, let fraction {
            text += "(\(precision ?? 2), \(fraction))"
        } else if let precision {
            text += "(\(precision))"
        }
        if let to { text += " TO \(to.rawValue)" + (to == .second ? fraction.map { "(\($0))" } ?? "" : "") }
        return text
    }

    /// A type as it was written, with INTEGER for INT and blanks within angle brackets.
    static func type(_ type: TypeSyntax) -> String {
        let text: String
        switch type.kind {
        case .simple(let name, let numbers):
            text = (name == "INT" ? "INTEGER" : name) + (numbers.isEmpty ? "" : "(" + numbers.map(String.init).joined(separator: ", ") + ")")
        case .interval(let from, let to, let precision, let fraction): text = "INTERVAL " + intervalFields(from, to, precision, fraction)
        case .array(let element): text = "ARRAY< \(self.type(element)) >"
        case .multiset(let element): text = "MULTISET< \(self.type(element)) >"
        case .map(let key, let value): text = "MAP< \(self.type(key)), \(self.type(value)) >"
        case .row(let fields): text = "ROW< " + fields.map(field).joined(separator: ", ") + " >"
        case .structured(let name, let fields): text = "STRUCTURED< " + ([string(name)] + fields.map(field)).joined(separator: ", ") + " >"
        case .raw(let name, let serializer): text = "RAW(\(string(name)), \(string(serializer)))"
        case .user(let name): text = self.name(name)
        }
        return text + (type.isNullable == false ? " NOT NULL" : type.isNullable == true ? " NULL" : "")
    }

    private static func field(_ field: FieldSyntax) -> String {
        "\(name(field.name.text)) \(type(field.type))" + (field.comment.map { " \(string($0))" } ?? "")
    }
}
