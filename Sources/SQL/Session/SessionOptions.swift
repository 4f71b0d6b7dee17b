import Columnar
import Expressions

/// STREAMING or BATCH; AUTOMATIC is batch where every source ends.
public enum RuntimeMode: String, Hashable, Sendable {
    case streaming = "STREAMING"
    case batch = "BATCH"
    case automatic = "AUTOMATIC"
}

/// What SET changes and RESET takes back: options by Flink's keys, each checked when it is set.
public struct SessionOptions: Sendable {
    /// As they were set; defaults are not here.
    public private(set) var texts = NameMap<String>()
    private var values = NameMap<OptionValue>()
    /// What RESET comes back to: what the program gave before the first statement.
    private var initial = NameMap<String>()

    public init() {}

    /// Sets one. Throws `configuration` for a wrong value, an option that is not known within Flink's namespaces, and one that is nearly a known one's name.
    public mutating func set(_ key: String, _ text: String) throws(MillstreamError) {
        if let option = KnownOptions.option(key) {
            values[option.key] = try option.value(text)
        } else {
            try KnownOptions.checkForeign(key)
            values[key] = .text(text)
        }
        texts[key] = text
    }

    /// What a program gives before the first statement: RESET keeps it.
    public mutating func setInitial(_ key: String, _ text: String) throws(MillstreamError) {
        try set(key, text)
        initial[key] = text
    }

    /// Back to the first value. Throws `configuration` for an option that cannot be known.
    public mutating func reset(_ key: String) throws(MillstreamError) {
        if let text = initial[key] { return try set(key, text) }
        guard texts[key] != nil else {
            if KnownOptions.option(key) == nil { try KnownOptions.checkForeign(key) }
            return
        }
        texts[key] = nil
        values[KnownOptions.option(key)?.key ?? key] = nil
    }

    public mutating func resetAll() throws(MillstreamError) {
        texts = [:]
        values = [:]
        for (key, text) in initial { try set(key, text) }
    }

    /// The value, or the default. Nil where it is unset and has none.
    public func value(_ key: String) -> OptionValue? {
        if let value = values[key] { return value }
        guard let option = KnownOptions.option(key) else { return nil }
        return values[option.key] ?? option.defaultValue.flatMap { option.type.parse($0) }
    }

    public func boolean(_ key: String) -> Bool { if case .boolean(let value)? = value(key) { value } else { false } }
    public func integer(_ key: String) -> Int64? { if case .integer(let value)? = value(key) { value } else { nil } }
    public func double(_ key: String) -> Double? { if case .double(let value)? = value(key) { value } else { nil } }
    public func text(_ key: String) -> String? { if case .text(let value)? = value(key) { value } else { nil } }
    public func byteCount(_ key: String) -> Int64? { if case .byteCount(let value)? = value(key) { value } else { nil } }
    /// Rounded up.
    public func milliseconds(_ key: String) -> Int64? {
        if case .duration(let nanoseconds)? = value(key) { Int64(clamping: (nanoseconds + 999_999) / 1_000_000) } else { nil }
    }
    /// Whether it was set.
    public func isSet(_ key: String) -> Bool { values[KnownOptions.option(key)?.key ?? key] != nil }

    // MARK: What most ask for

    /// `table.local-time-zone`; unset (`default`) it is UTC.
    public var timeZone: String {
        guard let name = text("table.local-time-zone"), name != "default" else { return "UTC" }
        return name
    }
    public var runtimeMode: RuntimeMode { text("execution.runtime-mode").flatMap(RuntimeMode.init) ?? .streaming }
    /// Nil: as the job's default is.
    public var parallelism: Int? {
        if let count = integer("table.exec.resource.default-parallelism"), count > 0 { return Int(count) }
        return integer("parallelism.default").flatMap { $0 > 0 ? Int($0) : nil }
    }
    /// `table.exec.state.ttl` in milliseconds; 0: state is kept for ever.
    public var stateTTL: Int64 { milliseconds("table.exec.state.ttl") ?? 0 }
    public var idleTimeout: Int64 { milliseconds("table.exec.source.idle-timeout") ?? 0 }
    public var isMiniBatch: Bool { boolean("table.exec.mini-batch.enabled") }
}
