import Columnar

/// The kinds of changes that a stream of rows can have.
public struct ChangelogMode: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let insert = ChangelogMode(rawValue: 1)
    public static let updateBefore = ChangelogMode(rawValue: 2)
    public static let updateAfter = ChangelogMode(rawValue: 4)
    public static let delete = ChangelogMode(rawValue: 8)

    public static let insertOnly: ChangelogMode = [.insert]
    /// A row replaces the one of its key.
    public static let upsert: ChangelogMode = [.insert, .updateAfter, .delete]
    public static let all: ChangelogMode = [.insert, .updateBefore, .updateAfter, .delete]
}

/// What a connector can be to a query.
public struct TableRoles: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Read from one end to the other.
    public static let scan = TableRoles(rawValue: 1)
    /// Asked for the rows of a key.
    public static let lookup = TableRoles(rawValue: 2)
    public static let sink = TableRoles(rawValue: 4)
    /// A sink that can begin with an empty table: INSERT OVERWRITE.
    public static let overwrite = TableRoles(rawValue: 8)
    public static let delete = TableRoles(rawValue: 16)
    public static let update = TableRoles(rawValue: 32)
    public static let truncate = TableRoles(rawValue: 64)
    /// A table can be divided by the values of columns.
    public static let partitions = TableRoles(rawValue: 128)
}

/// A column that a connector or format gives beside a row.
public struct MetadataKey: Hashable, Sendable {
    public var key: String
    public var type: DataType
    /// Whether a sink takes it too.
    public var isWritable: Bool

    public init(_ key: String, _ type: DataType, isWritable: Bool = false) {
        self.key = key
        self.type = type
        self.isWritable = isWritable
    }
}

public enum FormatUse: Hashable, Sendable { case none, optional, required }

/// A connector: what CREATE TABLE may say of it, and what a table of it gives to a plan.
///
/// The registry is open: whoever embeds the engine adds connectors of its own. Most are data alone: `ConnectorDescription`.
public protocol TableFactory: Sendable {
    /// `'connector' = …`.
    var identifier: String { get }
    var roles: TableRoles { get }
    var formatUse: FormatUse { get }
    var metadata: [MetadataKey] { get }
    var requiredOptions: [ConfigOption] { get }
    /// Those that a table with these columns may have; some connectors have options for each column.
    func optionalOptions(for table: CatalogTable) -> [ConfigOption]
    /// What its rows are when it is read; `format` is the format's own answer.
    func sourceChangelog(_ options: OptionValues, format: ChangelogMode?) -> ChangelogMode
    /// What it takes.
    func sinkChangelog(_ options: OptionValues, format: ChangelogMode?, table: CatalogTable) -> ChangelogMode
    /// What single options do not say. Throws `configuration`.
    func check(_ description: TableDescription, _ table: CatalogTable) throws(MillstreamError)
}

extension TableFactory {
    public func check(_ description: TableDescription, _ table: CatalogTable) throws(MillstreamError) {}
}

/// A format of files and messages.
public struct FormatFactory: Sendable {
    /// `'format' = …`.
    public var identifier: String
    public var requiredOptions: [ConfigOption]
    public var optionalOptions: [ConfigOption]
    /// Nil: it cannot be read, or not be written.
    public var decodedChangelog: ChangelogMode?
    public var encodedChangelog: ChangelogMode?
    /// Only for reading.
    public var metadata: [MetadataKey]
    /// Whether options of other names pass, as ORC's own do.
    public var acceptsOtherOptions: Bool
    /// What single options and the table's columns together must fulfil.
    public var check: (@Sendable (OptionValues, [TableColumn]) throws(MillstreamError) -> Void)?

    public init(
        _ identifier: String, required: [ConfigOption] = [], optional: [ConfigOption] = [], decodes: ChangelogMode? = .insertOnly,
        encodes: ChangelogMode? = .insertOnly, metadata: [MetadataKey] = [], acceptsOtherOptions: Bool = false,
        check: (@Sendable (OptionValues, [TableColumn]) throws(MillstreamError) -> Void)? = nil
    ) {
        self.identifier = identifier
        requiredOptions = required
        optionalOptions = optional
        decodedChangelog = decodes
        encodedChangelog = encodes
        self.metadata = metadata
        self.acceptsOtherOptions = acceptsOtherOptions
        self.check = check
    }
}

/// A format with its options, under their own names (`null-literal`, not `csv.null-literal`).
public struct FormatDescription: Sendable {
    public var identifier: String
    public var options: OptionValues
    public var decodedChangelog: ChangelogMode?
    public var encodedChangelog: ChangelogMode?
    public var metadata: [MetadataKey]
}

/// What a table's options mean, read and checked: what the planner works from.
public struct TableDescription: Sendable {
    public var connector: String
    public var roles: TableRoles
    /// Of the connector, defaults included.
    public var options: OptionValues
    public var format: FormatDescription?
    /// What reading gives; nil where the table cannot be read from one end to the other.
    public var sourceChangelog: ChangelogMode?
    /// What a sink takes; nil where it is none.
    public var sinkChangelog: ChangelogMode?
    /// All keys that METADATA columns may have, the format's before the connector's of the same name.
    public var metadata: [MetadataKey]

    /// `scan.parallelism`, `sink.parallelism`.
    public func parallelism(_ key: String) -> Int? { options.integer(key).map { Int(clamping: $0) } }
}
