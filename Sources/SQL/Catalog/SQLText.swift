import Columnar

/// The parts of statements as text, as Flink prints them: what SHOW CREATE shows and a catalog keeps. The parser reads all of it back.
enum SQLText {
    /// A name in backticks.
    static func name(_ name: String) -> String { quoted(name, "`") }
    static func name(_ name: QualifiedName) -> String { name.parts.map { self.name($0.text) }.joined(separator: ".") }
    static func names(_ names: [String]) -> String { names.map(name).joined(separator: ", ") }
    /// A string in quotes.
    static func string(_ text: String) -> String { quoted(text, "'") }

    /// By scalars: a quote with a combining mark behind it is still a quote.
    private static func quoted(_ name: String, _ quote: Unicode.Scalar) -> String {
        var text = String.UnicodeScalarView([quote])
        for scalar in name.unicodeScalars {
            if scalar == quote { text.append(quote) }
            text.append(scalar)
        }
        text.append(quote)
        return String(text)
    }

    /// A type without the short names STRING, BYTES and TIMESTAMP_LTZ.
    static func type(_ type: DataType) -> String {
        let text: String
        switch type.kind {
        case .varChar(let length): text = "VARCHAR(\(length))"
        case .varBinary(let length): text = "VARBINARY(\(length))"
        case .timestampLTZ(let precision): text = "TIMESTAMP(\(precision)) WITH LOCAL TIME ZONE"
        case .array(let element): text = "ARRAY<\(self.type(element))>"
        case .multiset(let element): text = "MULTISET<\(self.type(element))>"
        case .map(let key, let value): text = "MAP<\(self.type(key)), \(self.type(value))>"
        case .row(let fields): text = "ROW<" + fields.map { "\(name($0.name)) \(self.type($0.type))" }.joined(separator: ", ") + ">"
        case .structured(let className, let fields):
            text = "STRUCTURED<" + ([string(className)] + fields.map { "\(name($0.name)) \(self.type($0.type))" }).joined(separator: ", ") + ">"
        default: text = type.kind.description
        }
        return text + (type.isNullable ? "" : " NOT NULL")
    }

    /// `'a' = 'b'`, a line each, in the order of the keys.
    static func options(_ options: NameMap<String>) -> String {
        options.map { "  \(string($0.name)) = \(string($0.value))" }.joined(separator: ",\n")
    }
}
