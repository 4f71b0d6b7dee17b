import Columnar
import Expressions

/// An option: of the session, a connector or a format.
public struct ConfigOption: Hashable, Sendable {
    public var key: String
    public var type: OptionType
    /// As text, in the form that a user writes. Nil: unset means something of its own, which the description says.
    public var defaultValue: String?
    public var description: String

    public init(_ key: String, _ type: OptionType, default defaultValue: String? = nil, _ description: String) {
        self.key = key
        self.type = type
        self.defaultValue = defaultValue
        self.description = description
    }

    /// The value that a text gives. Throws `configuration` with what is expected.
    public func value(_ text: String) throws(MillstreamError) -> OptionValue {
        guard let value = type.parse(text) else { throw refusal(text) }
        return value
    }

    func refusal(_ text: String) -> MillstreamError {
        var hint: String?
        if case .choice(let values) = type { hint = NearestName.hint(text, among: values) }
        return MillstreamError(.configuration, "the option '\(key)' takes \(type.expectation), not '\(text)'", hint: hint)
    }
}

/// Options as they were given, and what they mean.
public struct OptionValues: Sendable {
    private var values = NameMap<OptionValue>()
    /// The options as text, also those that no `ConfigOption` describes.
    public let texts: NameMap<String>

    init(texts: NameMap<String>) { self.texts = texts }

    public subscript(key: String) -> OptionValue? {
        get { values[key] }
        set { values[key] = newValue }
    }

    public func text(_ key: String) -> String? { if case .text(let text)? = values[key] { text } else { nil } }
    public func boolean(_ key: String) -> Bool? { if case .boolean(let value)? = values[key] { value } else { nil } }
    public func integer(_ key: String) -> Int64? { if case .integer(let value)? = values[key] { value } else { nil } }
    public func double(_ key: String) -> Double? { if case .double(let value)? = values[key] { value } else { nil } }
    public func byteCount(_ key: String) -> Int64? { if case .byteCount(let value)? = values[key] { value } else { nil } }
    public func list(_ key: String) -> [String]? { if case .list(let value)? = values[key] { value } else { nil } }
    public func map(_ key: String) -> NameMap<String>? { if case .map(let value)? = values[key] { value } else { nil } }
    /// Rounded up, so that a wait of some nanoseconds stays a wait.
    public func milliseconds(_ key: String) -> Int64? {
        if case .duration(let nanoseconds)? = values[key] { Int64(clamping: (nanoseconds + 999_999) / 1_000_000) } else { nil }
    }
}
