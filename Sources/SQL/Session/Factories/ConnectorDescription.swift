import Columnar

/// A connector that is described by data alone.
public struct ConnectorDescription: TableFactory {
    public var identifier: String
    public var roles: TableRoles
    public var formatUse: FormatUse
    public var metadata: [MetadataKey]
    public var requiredOptions: [ConfigOption]
    public var optionalOptions: [ConfigOption]
    /// Options of each physical column; `#` in a key stands for the column's name. Parts of nested columns come behind a point.
    public var columnOptions: [ConfigOption]
    /// Where no format decides.
    public var sourceMode: ChangelogMode
    /// Where no format decides.
    public var sinkMode: ChangelogMode
    /// The option whose value says what the sink takes: `append`, `upsert`, `retract`.
    public var sinkModeOption: String?
    /// Whether a sink with a primary key replaces rows by it.
    public var upsertsByPrimaryKey: Bool
    /// What options must fulfil together.
    public var checks: (@Sendable (TableDescription, CatalogTable) throws(MillstreamError) -> Void)?

    public init(
        _ identifier: String, _ roles: TableRoles, format: FormatUse = .none, required: [ConfigOption] = [], optional: [ConfigOption] = [],
        ofColumns columnOptions: [ConfigOption] = [], metadata: [MetadataKey] = [], sourceMode: ChangelogMode = .insertOnly,
        sinkMode: ChangelogMode = .insertOnly, sinkModeOption: String? = nil, upsertsByPrimaryKey: Bool = false,
        checks: (@Sendable (TableDescription, CatalogTable) throws(MillstreamError) -> Void)? = nil
    ) {
        self.identifier = identifier
        self.roles = roles
        formatUse = format
        self.metadata = metadata
        requiredOptions = required
        optionalOptions = optional
        self.columnOptions = columnOptions
        self.sourceMode = sourceMode
        self.sinkMode = sinkMode
        self.sinkModeOption = sinkModeOption
        self.upsertsByPrimaryKey = upsertsByPrimaryKey
        self.checks = checks
    }

    public func optionalOptions(for table: CatalogTable) -> [ConfigOption] {
        var options = optionalOptions
        if !columnOptions.isEmpty { for column in table.columns where !column.isComputed { add(column.name, column.type, to: &options) } }
        return options
    }

    /// A nested column's parts have options as well, and options of one kind for all in it.
    private func add(_ path: String, _ type: DataType, to options: inout [ConfigOption]) {
        for option in columnOptions {
            var named = option
            named.key = option.key.split(separator: "#", omittingEmptySubsequences: false).joined(separator: path)
            options.append(named)
        }
        switch type.kind {
        case .array(let element), .multiset(let element): add(path + ".element", element, to: &options)
        case .map(let key, let value):
            add(path + ".key", key, to: &options)
            add(path + ".value", value, to: &options)
        case .row(let fields), .structured(_, let fields): for field in fields { add("\(path).\(field.name)", field.type, to: &options) }
        default: break
        }
    }

    public func sourceChangelog(_ options: OptionValues, format: ChangelogMode?) -> ChangelogMode { format ?? sourceMode }

    public func sinkChangelog(_ options: OptionValues, format: ChangelogMode?, table: CatalogTable) -> ChangelogMode {
        if let format { return format }
        if let sinkModeOption, let mode = options.text(sinkModeOption) {
            switch mode {
            case "append": return .insertOnly
            case "upsert": return .upsert
            default: return .all
            }
        }
        return upsertsByPrimaryKey && table.primaryKey != nil ? .upsert : sinkMode
    }

    public func check(_ description: TableDescription, _ table: CatalogTable) throws(MillstreamError) { try checks?(description, table) }
}
