import Columnar

/// A catalog that lives as long as its session.
public final class MemoryCatalog: Catalog {
    private struct Contents {
        var database: CatalogDatabase
        var objects = NameMap<CatalogObject>()
        var functions = NameMap<CatalogFunction>()
    }

    public let type = "generic_in_memory"
    public let defaultDatabase: String
    private var contents = NameMap<Contents>()

    public init(defaultDatabase: String = "default") {
        self.defaultDatabase = defaultDatabase
        contents[defaultDatabase] = Contents(database: CatalogDatabase())
    }

    public func databaseNames() -> [String] { contents.names }
    public func database(_ name: String) -> CatalogDatabase? { contents[name]?.database }
    public func putDatabase(_ name: String, _ database: CatalogDatabase) {
        if contents[name] == nil { contents[name] = Contents(database: database) } else { contents[name]?.database = database }
    }
    public func removeDatabase(_ name: String) { contents[name] = nil }

    public func objectNames(in database: String) -> [String] { contents[database]?.objects.names ?? [] }
    public func object(_ name: String, in database: String) -> CatalogObject? { contents[database]?.objects[name] }
    public func putObject(_ name: String, in database: String, _ object: CatalogObject) { contents[database]?.objects[name] = object }
    public func removeObject(_ name: String, in database: String) { contents[database]?.objects[name] = nil }

    public func functionNames(in database: String) -> [String] { contents[database]?.functions.names ?? [] }
    public func function(_ name: String, in database: String) -> CatalogFunction? { contents[database]?.functions[name] }
    public func putFunction(_ name: String, in database: String, _ function: CatalogFunction) { contents[database]?.functions[name] = function }
    public func removeFunction(_ name: String, in database: String) { contents[database]?.functions[name] = nil }
}
