import Columnar
import Expressions

/// The connectors and formats that a session knows.
public struct FactoryRegistry: Sendable {
    private var connectors = NameMap<any TableFactory>()
    private var formats = NameMap<FormatFactory>()

    public init() {}

    public mutating func register(_ connector: any TableFactory) { connectors[connector.identifier] = connector }
    public mutating func register(_ format: FormatFactory) { formats[format.identifier] = format }

    public var connectorNames: [String] { connectors.names }
    public var formatNames: [String] { formats.names }
    public func connector(_ identifier: String) -> (any TableFactory)? { connectors[identifier] }
    public func format(_ identifier: String) -> FormatFactory? { formats[identifier] }

    static let connectorOption = ConfigOption("connector", .text, "The connector.")
    static let formatOption = ConfigOption("format", .text, "The format.")
    /// Every connector that is read has these.
    static let scanOptions = [
        ConfigOption("scan.parallelism", .positive, "The parallelism of the source; unset: the job's."),
        ConfigOption("scan.watermark.emit.strategy", .choice(["on-periodic", "on-event"]), default: "on-periodic", "When watermarks are emitted."),
        ConfigOption("scan.watermark.alignment.group", .text, "Sources of one group wait for each other."),
        ConfigOption("scan.watermark.alignment.max-drift", .duration, "How far one of them may be ahead."),
        ConfigOption("scan.watermark.alignment.update-interval", .duration, default: "1 s", "How often that is looked at."),
        ConfigOption("scan.watermark.idle-timeout", .duration, "After how long without rows the source does not hold the watermark back."),
    ]
    static let sinkOptions = [ConfigOption("sink.parallelism", .positive, "The parallelism of the sink; unset: the job's.")]
    private static let generalOptions = [
        connectorOption, ConfigOption("property-version", .integer(1...1), default: "1", "The version of the options."),
    ]

    /// What the table's options mean. Throws `configuration` for what is wrong with them; the message names what is known.
    ///
    /// A table without a connector is refused; CREATE TABLE lets it pass, as LIKE may take its columns.
    public func describe(_ table: CatalogTable, at path: ObjectPath) throws(MillstreamError) -> TableDescription {
        guard let identifier = table.options["connector"] else {
            throw MillstreamError(
                .configuration, "the table '\(path)' has no option 'connector'", hint: "Connectors: \(connectorNames.joined(separator: ", ")).")
        }
        guard let factory = connectors[identifier] else {
            throw MillstreamError(
                .configuration, "there is no connector '\(identifier)'",
                hint: known("Connectors", connectorNames, near: identifier))
        }
        let format = try formatFactory(of: table, factory)
        let optional =
            Self.generalOptions + factory.optionalOptions(for: table)
            + (factory.roles.contains(.scan) ? Self.scanOptions : []) + (factory.roles.contains(.sink) ? Self.sinkOptions : [])
            + (factory.formatUse == .none ? [] : [Self.formatOption])
        let allOptions = factory.requiredOptions + optional
        var own = NameMap<String>()
        var ofFormat = NameMap<String>()
        for (key, text) in table.options {
            if allOptions.contains(where: { $0.key == key }) {
                own[key] = text
            } else if let format, key.hasPrefix(format.identifier + ".") {
                ofFormat[String(key.dropFirst(format.identifier.count + 1))] = text
            } else {
                let keys =
                    allOptions.map(\.key)
                    + (format.map { format in (format.requiredOptions + format.optionalOptions).map { "\(format.identifier).\($0.key)" } } ?? [])
                throw unknown(key, keys.sorted { $0.isBelow($1) }, "the connector '\(identifier)'")
            }
        }
        let missing = factory.requiredOptions.filter { own[$0.key] == nil }
        guard missing.isEmpty else {
            throw MillstreamError(
                .configuration, "the connector '\(identifier)' needs the option \(missing.map { "'\($0.key)'" }.joined(separator: " and "))",
                hint: missing.map { "'\($0.key)': \($0.description)" }.joined(separator: " "))
        }
        var description = TableDescription(
            connector: identifier, roles: factory.roles, options: try Self.read(own, allOptions), format: nil, sourceChangelog: nil,
            sinkChangelog: nil,
            metadata: factory.metadata)
        if let format {
            let read = try describe(format, ofFormat, table)
            description.metadata = read.metadata + factory.metadata.filter { own in !read.metadata.contains { $0.key == own.key } }
            description.format = read
        }
        if factory.roles.contains(.scan), format == nil || format?.decodedChangelog != nil {
            description.sourceChangelog = factory.sourceChangelog(description.options, format: format?.decodedChangelog)
        }
        if factory.roles.contains(.sink), format == nil || format?.encodedChangelog != nil {
            description.sinkChangelog = factory.sinkChangelog(description.options, format: format?.encodedChangelog, table: table)
        }
        try factory.check(description, table)
        return description
    }

    private func formatFactory(of table: CatalogTable, _ factory: any TableFactory) throws(MillstreamError) -> FormatFactory? {
        guard factory.formatUse != .none else { return nil }
        guard let identifier = table.options["format"] else {
            guard factory.formatUse == .optional else {
                throw MillstreamError(
                    .configuration, "the connector '\(factory.identifier)' needs the option 'format'",
                    hint: "Formats: \(formatNames.joined(separator: ", ")).")
            }
            return nil
        }
        guard let format = formats[identifier] else {
            throw MillstreamError(.configuration, "there is no format '\(identifier)'", hint: known("Formats", formatNames, near: identifier))
        }
        return format
    }

    private func describe(_ format: FormatFactory, _ texts: NameMap<String>, _ table: CatalogTable) throws(MillstreamError) -> FormatDescription {
        let all = format.requiredOptions + format.optionalOptions
        let prefix = format.identifier + "."
        if !format.acceptsOtherOptions {
            for (key, _) in texts where !all.contains(where: { $0.key == key }) {
                throw unknown(prefix + key, all.map { prefix + $0.key }.sorted { $0.isBelow($1) }, "the format '\(format.identifier)'")
            }
        }
        if let missing = format.requiredOptions.first(where: { texts[$0.key] == nil }) {
            throw MillstreamError(
                .configuration, "the format '\(format.identifier)' needs the option '\(prefix)\(missing.key)'", hint: missing.description)
        }
        let values: OptionValues
        do { values = try Self.read(texts, all) } catch {
            var error = error
            error.message = error.message.replacingFirst("the option '", by: "the option '\(prefix)")
            throw error
        }
        try format.check?(values, table.columns)
        return FormatDescription(
            identifier: format.identifier, options: values, decodedChangelog: format.decodedChangelog, encodedChangelog: format.encodedChangelog,
            metadata: format.metadata)
    }

    /// The values that were given, and the defaults of the others.
    private static func read(_ texts: NameMap<String>, _ options: [ConfigOption]) throws(MillstreamError) -> OptionValues {
        var values = OptionValues(texts: texts)
        for option in options {
            if let text = texts[option.key] {
                values[option.key] = try option.value(text)
            } else if let text = option.defaultValue {
                values[option.key] = option.type.parse(text)
            }
        }
        return values
    }

    private func unknown(_ key: String, _ keys: [String], _ owner: String) -> MillstreamError {
        MillstreamError(.configuration, "\(owner) has no option '\(key)'", hint: known("Its options", keys, near: key))
    }

    private func known(_ what: String, _ names: [String], near wrong: String) -> String {
        let list = "\(what): \(names.joined(separator: ", "))."
        return NearestName.hint(wrong, among: names).map { "\($0) \(list)" } ?? list
    }
}

extension String {
    /// The text with the first occurrence of a part replaced.
    func replacingFirst(_ part: String, by other: String) -> String {
        let text = Array(utf8)
        let wanted = Array(part.utf8)
        guard wanted.count <= text.count else { return self }
        for start in 0...(text.count - wanted.count) where text[start..<start + wanted.count].elementsEqual(wanted) {
            return String(decoding: text[..<start] + Array(other.utf8) + text[(start + wanted.count)...], as: UTF8.self)
        }
        return self
    }
}
