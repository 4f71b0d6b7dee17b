/// Where a table, view, function or model lives: the catalog, the database, the name.
public struct ObjectPath: Hashable, Sendable, CustomStringConvertible {
    public var catalog: String
    public var database: String
    public var name: String

    public init(_ catalog: String, _ database: String, _ name: String) {
        self.catalog = catalog
        self.database = database
        self.name = name
    }

    /// `default_catalog.default_database.t`, as messages and results' columns name it.
    public var description: String { "\(catalog).\(database).\(name)" }
    /// The same in backticks, as statements name it.
    public var quoted: String { [catalog, database, name].map(SQLText.name).joined(separator: ".") }

    /// The name under which temporary objects of all catalogs are kept in one map.
    var key: String { "\(catalog)\u{0}\(database)\u{0}\(name)" }
}
