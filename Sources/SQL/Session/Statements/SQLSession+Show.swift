import Columnar
import Expressions

extension SQLSession {
    func show(_ syntax: ShowSyntax, _ source: SourceText, _ range: SourceRange) throws(MillstreamError) -> ResultTable {
        switch syntax.kind {
        case .catalogs: return .list("catalog name", matching(catalogs.registrations.names, syntax))
        case .currentCatalog: return .list("current catalog name", [catalogs.currentCatalog])
        case .currentDatabase: return .list("current database name", [catalogs.currentDatabase])
        case .databases:
            var catalogName = catalogs.currentCatalog
            if let scope = syntax.scope {
                guard scope.parts.count == 1 else { throw source.error("databases are in a catalog, whose name has one part", at: scope.range) }
                catalogName = scope.parts[0].text
            }
            let catalog = try placing(syntax.scope?.range ?? range, source) { () throws(MillstreamError) in try catalogs.catalog(catalogName) }
            return .list("database name", matching(try catalog.databaseNames(), syntax))
        case .tables: return .list("table name", matching(try objectNames(syntax, source, range) { _ in true }, syntax))
        case .views: return .list("view name", matching(try objectNames(syntax, source, range) { $0.isView }, syntax))
        case .materializedTables: return .list("materialized table", [])
        case .models:
            _ = try scope(syntax, source, range)
            return .list("model name", [])
        case .procedures: throw source.error("catalogs have no procedures", at: range, code: .unsupported)
        case .functions, .userFunctions: return .list("function name", matching(try functionNames(syntax, source), syntax))
        case .modules: return .list("module name", modules.used)
        case .fullModules:
            let unused = modules.loaded.filter { !modules.used.contains($0) }
            return ResultTable(
                .successWithContent, [Field("module name", .string), Field("used", .boolean)],
                modules.used.map { [.string($0), .boolean(true)] } + unused.map { [.string($0), .boolean(false)] })
        case .columns:
            guard let scope = syntax.scope else { throw source.error("SHOW COLUMNS names no table", at: range) }
            var result = ResultTable.columns(of: try catalogs.resolve(scope, in: source), hasTimeAttributes: hasTimeAttributes)
            result.rows = result.rows.filter { row in
                guard case .bytes(let name) = row[0] else { return false }
                return matches(String(decoding: name, as: UTF8.self), syntax)
            }
            return result
        case .partitions: return try showPartitions(syntax, source, range)
        case .createTable, .createView, .createCatalog: return try showCreate(syntax, source, range)
        case .jobs: return ResultTable(.successWithContent, [], [])
        }
    }

    // MARK: Patterns

    private func matching(_ names: [String], _ syntax: ShowSyntax) -> [String] { names.filter { matches($0, syntax) } }

    private func matches(_ name: String, _ syntax: ShowSyntax) -> Bool {
        guard let pattern = syntax.pattern else { return true }
        return LikePattern.matches(name, pattern, ignoresCase: syntax.ignoresCase) != syntax.isNegated
    }

    /// The catalog and database that FROM or IN names.
    private func scope(_ syntax: ShowSyntax, _ source: SourceText, _ range: SourceRange) throws(MillstreamError) -> (
        catalog: String, database: String
    ) {
        guard let scope = syntax.scope else { return (catalogs.currentCatalog, catalogs.currentDatabase) }
        let path = try databasePath(scope, source)
        _ = try placing(scope.range, source) { () throws(MillstreamError) in try catalogs.database(path.database, in: path.catalog) }
        return path
    }

    private func objectNames(_ syntax: ShowSyntax, _ source: SourceText, _ range: SourceRange, _ isWanted: (CatalogObject) -> Bool)
        throws(MillstreamError) -> [String]
    {
        let (catalogName, database) = try scope(syntax, source, range)
        var names: [String] = []
        for name in try catalogs.objectNames(in: catalogName, database) {
            guard let resolved = try catalogs.object(at: ObjectPath(catalogName, database, name)), isWanted(resolved.object) else { continue }
            names.append(name)
        }
        return names
    }

    private func functionNames(_ syntax: ShowSyntax, _ source: SourceText) throws(MillstreamError) -> [String] {
        let (catalogName, database) =
            try syntax.scope.map { (scope) throws(MillstreamError) in try databasePath(scope, source) } ?? (
                catalogs.currentCatalog, catalogs.currentDatabase
            )
        var names = NameMap<Bool>()
        for name in try catalogs.userFunctionNames(in: catalogName, database) { names[name] = true }
        if syntax.kind == .functions, modules.isCoreUsed { for name in builtInFunctions { names[name] = true } }
        return names.names
    }

    private func showPartitions(_ syntax: ShowSyntax, _ source: SourceText, _ range: SourceRange) throws(MillstreamError) -> ResultTable {
        guard let scope = syntax.scope else { throw source.error("SHOW PARTITIONS names no table", at: range) }
        let resolved = try catalogs.resolve(scope, in: source)
        guard case .table(let table) = resolved.object, !table.partitionKeys.isEmpty else {
            throw source.error("'\(resolved.path)' is not partitioned", at: scope.range)
        }
        var wanted: [(index: Int, value: String)] = []
        for assignment in syntax.partition {
            guard let index = table.partitionKeys.firstIndex(where: { $0.isSame(as: assignment.column.text) }) else {
                throw source.error(
                    "the table is not partitioned by '\(assignment.column.text)'", at: assignment.column.range,
                    hint: NearestName.hint(assignment.column.text, among: table.partitionKeys)
                        ?? "It is by \(table.partitionKeys.joined(separator: ", ")).")
            }
            wanted.append((index, try PartitionValue.text(assignment, source)))
        }
        let partitions = table.partitions.filter { values in wanted.allSatisfy { $0.index < values.count && values[$0.index].isSame(as: $0.value) } }
        return .list("partition name", partitions.map { values in zip(table.partitionKeys, values).map { "\($0)=\($1)" }.joined(separator: "/") })
    }

    // MARK: SHOW CREATE

    private func showCreate(_ syntax: ShowSyntax, _ source: SourceText, _ range: SourceRange) throws(MillstreamError) -> ResultTable {
        guard let scope = syntax.scope else { throw source.error("SHOW CREATE names nothing", at: range) }
        if syntax.kind == .createCatalog {
            guard scope.parts.count == 1 else { throw source.error("a catalog's name has one part", at: scope.range) }
            let name = scope.parts[0].text
            _ = try placing(scope.range, source) { () throws(MillstreamError) in try catalogs.catalog(name) }
            guard let registration = catalogs.registrations[name] else { return .text("") }
            return .text(SQLText.createCatalog(name, registration))
        }
        let resolved = try catalogs.resolve(scope, in: source)
        switch (resolved.object, syntax.kind) {
        case (.table(let table), .createTable): return .text(SQLText.createTable(table, at: resolved.path, isTemporary: resolved.isTemporary))
        case (.view(let view), .createView): return .text(SQLText.createView(view, at: resolved.path, isTemporary: resolved.isTemporary))
        case (.table, _): throw source.error("'\(resolved.path)' is a table", at: scope.range, hint: "SHOW CREATE TABLE shows it.")
        case (.view, _): throw source.error("'\(resolved.path)' is a view", at: scope.range, hint: "SHOW CREATE VIEW shows it.")
        }
    }
}

/// LIKE and ILIKE of SHOW: `%` is any text, `_` any character, `\` makes them themselves.
enum LikePattern {
    static func matches(_ text: String, _ pattern: String, ignoresCase: Bool) -> Bool {
        let fold: (String) -> [Unicode.Scalar] = { Array((ignoresCase ? $0.lowercased() : $0).unicodeScalars) }
        return matches(fold(text)[...], fold(pattern)[...])
    }

    /// Goes back to the last `%` alone: what an earlier one could take, the last one can.
    private static func matches(_ text: ArraySlice<Unicode.Scalar>, _ pattern: ArraySlice<Unicode.Scalar>) -> Bool {
        var (at, place) = (text.startIndex, pattern.startIndex)
        var resume: (text: Int, pattern: Int)?
        while at < text.endIndex {
            if place < pattern.endIndex, pattern[place] == "%" {
                resume = (at, place + 1)
                place += 1
                continue
            }
            let isEscape = place < pattern.endIndex && pattern[place] == "\\" && place + 1 < pattern.endIndex
            let isMatch =
                place < pattern.endIndex && (isEscape ? pattern[place + 1] == text[at] : pattern[place] == "_" || pattern[place] == text[at])
            if isMatch {
                at += 1
                place += isEscape ? 2 : 1
            } else if let last = resume {
                resume = (last.text + 1, last.pattern)
                (at, place) = (last.text + 1, last.pattern)
            } else {
                return false
            }
        }
        while place < pattern.endIndex, pattern[place] == "%" { place += 1 }
        return place == pattern.endIndex
    }
}
