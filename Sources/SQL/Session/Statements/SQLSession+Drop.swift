import Columnar
import Expressions

extension SQLSession {
    func drop(_ syntax: DropSyntax, _ source: SourceText) throws(MillstreamError) -> ResultTable {
        switch syntax.kind {
        case .table, .view: try dropObject(syntax, source)
        case .database: try dropDatabase(syntax, source)
        case .catalog: try dropCatalog(syntax, source)
        case .function: try dropFunction(syntax, source)
        case .model:
            if !syntax.ifExists { throw source.error("there is no model '\(syntax.name.text)'", at: syntax.name.range) }
        }
        return .ok
    }

    private func dropObject(_ syntax: DropSyntax, _ source: SourceText) throws(MillstreamError) {
        let path = try self.path(syntax.name, source)
        let isView = syntax.kind == .view
        let what = isView ? "view" : "table"
        if syntax.isTemporary {
            guard let object = catalogs.temporaryObject(at: path), object.isView == isView else {
                if syntax.ifExists { return }
                throw source.error("there is no temporary \(what) '\(path)'", at: syntax.name.range)
            }
            return catalogs.removeTemporaryObject(at: path)
        }
        if let temporary = catalogs.temporaryObject(at: path) {
            let other = temporary.isView ? "view" : "table"
            throw source.error(
                "there is a temporary \(other) '\(path)'; it goes first", at: syntax.name.range,
                hint: "DROP TEMPORARY \(other.uppercased()) \(path.quoted).")
        }
        guard let object = try catalogs.permanentObject(at: path) else {
            if syntax.ifExists { return }
            throw try missing(what, syntax.name, path, source)
        }
        guard object.isView == isView else {
            if syntax.ifExists { return }
            throw source.error(
                "'\(path)' is a \(object.isView ? "view" : "table")", at: syntax.name.range,
                hint: "DROP \(object.isView ? "VIEW" : "TABLE") takes it away.")
        }
        try catalogs.catalog(path.catalog).removeObject(path.name, in: path.database)
    }

    private func dropDatabase(_ syntax: DropSyntax, _ source: SourceText) throws(MillstreamError) {
        let (catalogName, name) = try databasePath(syntax.name, source)
        if syntax.ifExists {
            guard let catalog = catalogs.registrations[catalogName]?.catalog, try catalog.database(name) != nil else { return }
        }
        let catalog = try placing(syntax.name.range, source) { () throws(MillstreamError) -> any Catalog in
            _ = try catalogs.database(name, in: catalogName)
            return try catalogs.catalog(catalogName)
        }
        guard !(catalogName.isSame(as: catalogs.currentCatalog) && name.isSame(as: catalogs.currentDatabase)) else {
            throw source.error("the database '\(name)' is the current one", at: syntax.name.range, hint: "USE another one first.")
        }
        let objects = try catalog.objectNames(in: name).count
        let functions = try catalog.functionNames(in: name).count
        guard syntax.isCascade || objects + functions == 0 else {
            throw source.error(
                "the database '\(name)' is not empty: it has \(objects) tables and views, \(functions) functions", at: syntax.name.range,
                hint: "DROP DATABASE … CASCADE takes them away as well.")
        }
        try catalog.removeDatabase(name)
    }

    private func dropCatalog(_ syntax: DropSyntax, _ source: SourceText) throws(MillstreamError) {
        guard syntax.name.parts.count == 1 else { throw source.error("a catalog's name has one part", at: syntax.name.range) }
        let name = syntax.name.parts[0].text
        if syntax.ifExists, catalogs.registrations[name] == nil { return }
        _ = try placing(syntax.name.range, source) { () throws(MillstreamError) in try catalogs.catalog(name) }
        guard !name.isSame(as: catalogs.currentCatalog) else {
            throw source.error("the catalog '\(name)' is the current one", at: syntax.name.range, hint: "USE CATALOG another one first.")
        }
        catalogs.unregister(name)
    }

    // MARK: Databases and catalogs

    func databasePath(_ name: QualifiedName, _ source: SourceText) throws(MillstreamError) -> (catalog: String, database: String) {
        try placing(name.range, source) { () throws(MillstreamError) in try catalogs.databasePath(name.parts.map(\.text)) }
    }

    func options(_ options: [OptionSyntax], _ source: SourceText) throws(MillstreamError) -> NameMap<String> {
        var map = NameMap<String>()
        for option in options {
            guard map[option.key] == nil else { throw source.error("the option '\(option.key)' is there twice", at: option.range) }
            map[option.key] = option.value
        }
        return map
    }

    func createDatabase(_ name: QualifiedName, ifNotExists: Bool, _ comment: String?, _ given: [OptionSyntax], _ source: SourceText)
        throws(MillstreamError) -> ResultTable
    {
        let (catalogName, database) = try databasePath(name, source)
        let catalog = try placing(name.range, source) { () throws(MillstreamError) in try catalogs.catalog(catalogName) }
        if try catalog.database(database) != nil {
            if ifNotExists { return .ok }
            throw source.error(
                "there is a database '\(database)' in the catalog '\(catalogName)' already", at: name.range,
                hint: "CREATE DATABASE IF NOT EXISTS leaves it as it is.")
        }
        try catalog.putDatabase(database, CatalogDatabase(comment: comment, options: try options(given, source)))
        return .ok
    }

    func alterDatabase(_ name: QualifiedName, _ given: [OptionSyntax], _ source: SourceText) throws(MillstreamError) -> ResultTable {
        let (catalogName, database) = try databasePath(name, source)
        var contents = try placing(name.range, source) { () throws(MillstreamError) in try catalogs.database(database, in: catalogName) }
        for (key, value) in try options(given, source) { contents.options[key] = value }
        try catalogs.catalog(catalogName).putDatabase(database, contents)
        return .ok
    }

    func use(_ name: QualifiedName, _ source: SourceText) throws(MillstreamError) -> ResultTable {
        let (catalogName, database) = try databasePath(name, source)
        try placing(name.range, source) { () throws(MillstreamError) in try catalogs.useDatabase(database, in: catalogName) }
        return .ok
    }

    func createCatalog(_ name: Identifier, ifNotExists: Bool, _ comment: String?, _ given: [OptionSyntax], _ source: SourceText)
        throws(MillstreamError) -> ResultTable
    {
        if catalogs.registrations[name.text] != nil {
            if ifNotExists { return .ok }
            throw source.error("there is a catalog '\(name.text)' already", at: name.range, hint: "CREATE CATALOG IF NOT EXISTS leaves it as it is.")
        }
        let options = try options(given, source)
        catalogs.register(name.text, try openCatalog(name, options, given, source), options: options, comment: comment)
        return .ok
    }

    private func openCatalog(_ name: Identifier, _ texts: NameMap<String>, _ given: [OptionSyntax], _ source: SourceText) throws(MillstreamError)
        -> any Catalog
    {
        var types = catalogFactories.names
        types.append("generic_in_memory")
        types.sort { $0.isBelow($1) }
        guard let type = texts["type"] else {
            throw source.error(
                "a catalog needs the option 'type'", at: name.range, hint: "Types: \(types.joined(separator: ", ")).", code: .configuration)
        }
        let factory = catalogFactories[type]
        let typeRange = given.first { $0.key == "type" }?.range ?? name.range
        guard factory != nil || type == "generic_in_memory" else {
            throw source.error(
                "there is no catalog of type '\(type)'", at: typeRange,
                hint: NearestName.hint(type, among: types) ?? "Types: \(types.joined(separator: ", ")).",
                code: .configuration)
        }
        let known = factory?.options ?? []
        var values = OptionValues(texts: texts)
        for option in given where !["type", "default-database", "property-version"].contains(option.key) {
            guard let description = known.first(where: { $0.key == option.key }) else {
                let keys = ["default-database", "type"] + known.map(\.key)
                throw source.error(
                    "a catalog of type '\(type)' has no option '\(option.key)'", at: option.range,
                    hint: NearestName.hint(option.key, among: keys) ?? "Its options: \(keys.joined(separator: ", ")).", code: .configuration)
            }
            values[option.key] = try placing(option.range, source) { () throws(MillstreamError) in try description.value(option.value) }
        }
        for option in known where values[option.key] == nil { values[option.key] = option.defaultValue.flatMap { option.type.parse($0) } }
        let database = texts["default-database"]
        guard let factory else { return MemoryCatalog(defaultDatabase: database ?? "default") }
        return try placing(name.range, source) { () throws(MillstreamError) in
            try factory.open(name: name.text, defaultDatabase: database, options: values, session: self)
        }
    }

    func alterCatalog(_ name: Identifier, _ change: AlterCatalogSyntax, _ source: SourceText) throws(MillstreamError) -> ResultTable {
        _ = try placing(name.range, source) { () throws(MillstreamError) in try catalogs.catalog(name.text) }
        guard let registration = catalogs.registrations[name.text] else { return .ok }
        var options = registration.options
        switch change {
        case .set(let given): for (key, value) in try self.options(given, source) { options[key] = value }
        case .reset(let keys):
            guard !keys.isEmpty else { throw source.error("RESET names no option", at: name.range) }
            if keys.contains("type") { throw source.error("the option 'type' of a catalog stays", at: name.range) }
            for key in keys { options[key] = nil }
        case .comment(let comment):
            catalogs.setOptions(options, comment: comment, of: name.text)
            return .ok
        }
        catalogs.setOptions(options, comment: registration.comment, of: name.text)
        return .ok
    }
}
