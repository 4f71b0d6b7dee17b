import Columnar
import Expressions

/// All that a session can name: its catalogs, what is temporary, and which catalog and database names without a path mean.
///
/// A temporary object shadows the permanent one of the same path. Names are case-sensitive, but functions' are not.
public final class CatalogManager {
    /// A catalog with the options of its CREATE CATALOG.
    public struct Registration {
        public var catalog: any Catalog
        public var options: NameMap<String>
        public var comment: String?
    }

    /// What a name means.
    public struct Resolved: Hashable, Sendable {
        public var path: ObjectPath
        public var object: CatalogObject
        public var isTemporary: Bool
    }

    struct Temporary<Value> {
        var path: ObjectPath
        var value: Value
    }

    public static let builtInCatalog = "default_catalog"
    public static let builtInDatabase = "default_database"

    public private(set) var currentCatalog: String
    public private(set) var currentDatabase: String
    public private(set) var registrations = NameMap<Registration>()
    private(set) var temporaryObjects = NameMap<Temporary<CatalogObject>>()
    private(set) var temporaryFunctions = NameMap<Temporary<CatalogFunction>>()
    /// CREATE TEMPORARY SYSTEM FUNCTION: known under their bare names everywhere, before the built-in ones.
    public private(set) var systemFunctions = NameMap<CatalogFunction>()

    public init() {
        currentCatalog = Self.builtInCatalog
        currentDatabase = Self.builtInDatabase
        registrations[currentCatalog] = Registration(
            catalog: MemoryCatalog(defaultDatabase: currentDatabase), options: ["type": "generic_in_memory"], comment: nil)
    }

    // MARK: Catalogs and databases

    public func register(_ name: String, _ catalog: any Catalog, options: NameMap<String> = [:], comment: String? = nil) {
        registrations[name] = Registration(catalog: catalog, options: options, comment: comment)
    }

    func setOptions(_ options: NameMap<String>, comment: String?, of name: String) {
        registrations[name]?.options = options
        registrations[name]?.comment = comment
    }

    func unregister(_ name: String) {
        registrations[name]?.catalog.close()
        registrations[name] = nil
        for temporary in temporaryObjects.values where temporary.path.catalog.isSame(as: name) { temporaryObjects[temporary.path.key] = nil }
        for temporary in temporaryFunctions.values where temporary.path.catalog.isSame(as: name) { temporaryFunctions[temporary.path.key] = nil }
    }

    /// USE CATALOG: its default database is current then. Throws `plan` where there is none of that name.
    public func useCatalog(_ name: String) throws(MillstreamError) {
        let catalog = try catalog(name)
        (currentCatalog, currentDatabase) = (name, catalog.defaultDatabase)
    }

    /// USE: a database of the current catalog, or of another. Throws `plan` where there is none of that name.
    public func useDatabase(_ name: String, in catalogName: String? = nil) throws(MillstreamError) {
        let catalogName = catalogName ?? currentCatalog
        _ = try database(name, in: catalogName)
        (currentCatalog, currentDatabase) = (catalogName, name)
    }

    public func catalog(_ name: String) throws(MillstreamError) -> any Catalog {
        guard let registration = registrations[name] else {
            throw MillstreamError(
                .plan, "there is no catalog '\(name)'",
                hint: NearestName.hint(name, among: registrations.names) ?? "Catalogs: \(registrations.names.joined(separator: ", ")).")
        }
        return registration.catalog
    }

    public func database(_ name: String, in catalogName: String) throws(MillstreamError) -> CatalogDatabase {
        let catalog = try catalog(catalogName)
        guard let database = try catalog.database(name) else {
            let known = try catalog.databaseNames()
            throw MillstreamError(
                .plan, "there is no database '\(name)' in the catalog '\(catalogName)'",
                hint: NearestName.hint(name, among: known) ?? "Databases: \(known.joined(separator: ", ")).")
        }
        return database
    }

    // MARK: Paths

    /// The path that a name of one, two or three parts means.
    public func path(_ parts: [String]) throws(MillstreamError) -> ObjectPath {
        switch parts.count {
        case 1: ObjectPath(currentCatalog, currentDatabase, parts[0])
        case 2: ObjectPath(currentCatalog, parts[0], parts[1])
        case 3: ObjectPath(parts[0], parts[1], parts[2])
        default:
            throw MillstreamError(
                .plan, "the name '\(parts.joined(separator: "."))' has \(parts.count) parts", hint: "It is catalog.database.name at most.")
        }
    }

    /// The catalog and database that a name of one or two parts means.
    public func databasePath(_ parts: [String]) throws(MillstreamError) -> (catalog: String, database: String) {
        switch parts.count {
        case 1: (currentCatalog, parts[0])
        case 2: (parts[0], parts[1])
        default:
            throw MillstreamError(
                .plan, "the name '\(parts.joined(separator: "."))' has \(parts.count) parts", hint: "It is catalog.database at most.")
        }
    }

    // MARK: Tables and views

    /// What a path names, a temporary object before a permanent one. Nil where there is nothing of that name, also where there is no such catalog or database.
    public func object(at path: ObjectPath) throws(MillstreamError) -> Resolved? {
        if let temporary = temporaryObjects[path.key] { return Resolved(path: path, object: temporary.value, isTemporary: true) }
        guard let object = try permanentObject(at: path) else { return nil }
        return Resolved(path: path, object: object, isTemporary: false)
    }

    func permanentObject(at path: ObjectPath) throws(MillstreamError) -> CatalogObject? {
        guard let catalog = registrations[path.catalog]?.catalog, try catalog.database(path.database) != nil else { return nil }
        return try catalog.object(path.name, in: path.database)
    }

    /// The table or view that a name in a statement means. Throws `plan` with the place and the nearest name.
    public func resolve(_ name: QualifiedName, in source: SourceText) throws(MillstreamError) -> Resolved {
        let parts = name.parts.map(\.text)
        let path: ObjectPath
        do { path = try self.path(parts) } catch { throw source.error(error.message, at: name.range, hint: error.hint) }
        if let resolved = try object(at: path) { return resolved }
        // A database or catalog that is not there says more than the table.
        do { _ = try database(path.database, in: path.catalog) } catch { throw source.error(error.message, at: name.range, hint: error.hint) }
        let last = name.parts[name.parts.count - 1]
        let known = try objectNames(in: path.catalog, path.database)
        throw source.error(
            "there is no table or view '\(last.text)' in \(path.catalog).\(path.database)", at: last.range,
            hint: NearestName.hint(last.text, among: known))
    }

    public func temporaryObject(at path: ObjectPath) -> CatalogObject? { temporaryObjects[path.key]?.value }

    /// Makes or replaces a temporary table or view; its catalog and database need not exist.
    public func putTemporaryObject(_ object: CatalogObject, at path: ObjectPath) {
        temporaryObjects[path.key] = Temporary(path: path, value: object)
    }
    public func removeTemporaryObject(at path: ObjectPath) { temporaryObjects[path.key] = nil }

    /// Tables and views of a database, permanent and temporary, in byte order, each once.
    public func objectNames(in catalogName: String, _ database: String) throws(MillstreamError) -> [String] {
        var names = NameMap<Bool>()
        if let catalog = registrations[catalogName]?.catalog, try catalog.database(database) != nil {
            for name in try catalog.objectNames(in: database) { names[name] = true }
        }
        for temporary in temporaryObjects.values where temporary.path.catalog.isSame(as: catalogName) && temporary.path.database.isSame(as: database)
        {
            names[temporary.path.name] = true
        }
        return names.names
    }

    // MARK: Functions

    /// The function of a bare name or path: temporary system ones, temporary ones, then those of the catalog. Built-in ones are not looked for.
    public func function(_ parts: [String]) throws(MillstreamError) -> (path: ObjectPath?, function: CatalogFunction)? {
        let parts = parts.dropLast() + [Self.functionName(parts[parts.count - 1])]
        if parts.count == 1, let function = systemFunctions[parts[0]] { return (nil, function) }
        let path = try path(Array(parts))
        if let temporary = temporaryFunctions[path.key] { return (path, temporary.value) }
        guard let catalog = registrations[path.catalog]?.catalog, try catalog.database(path.database) != nil,
            let function = try catalog.function(path.name, in: path.database)
        else { return nil }
        return (path, function)
    }

    /// Functions' names are kept in small letters.
    static func functionName(_ name: String) -> String { name.lowercased() }

    func temporaryFunction(at path: ObjectPath) -> CatalogFunction? { temporaryFunctions[path.key]?.value }
    public func putTemporaryFunction(_ function: CatalogFunction, at path: ObjectPath) {
        let path = ObjectPath(path.catalog, path.database, Self.functionName(path.name))
        temporaryFunctions[path.key] = Temporary(path: path, value: function)
    }
    public func removeTemporaryFunction(at path: ObjectPath) {
        temporaryFunctions[ObjectPath(path.catalog, path.database, Self.functionName(path.name)).key] = nil
    }
    public func putSystemFunction(_ name: String, _ function: CatalogFunction) { systemFunctions[Self.functionName(name)] = function }
    public func removeSystemFunction(_ name: String) { systemFunctions[Self.functionName(name)] = nil }

    /// Functions of the user that a bare name reaches, in byte order.
    public func userFunctionNames(in catalogName: String, _ database: String) throws(MillstreamError) -> [String] {
        var names = NameMap<Bool>()
        if let catalog = registrations[catalogName]?.catalog, try catalog.database(database) != nil {
            for name in try catalog.functionNames(in: database) { names[name] = true }
        }
        for temporary in temporaryFunctions.values
        where temporary.path.catalog.isSame(as: catalogName) && temporary.path.database.isSame(as: database) {
            names[temporary.path.name] = true
        }
        for name in systemFunctions.names { names[name] = true }
        return names.names
    }
}
