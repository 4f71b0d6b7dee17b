import Columnar
import Expressions

extension SQLSession {
    func create(_ syntax: CreateViewSyntax, _ source: SourceText) throws(MillstreamError) -> ResultTable {
        let path = try self.path(syntax.name, source)
        if !syntax.isTemporary { try checkDatabase(path, syntax.name, source) }
        let view = try view(syntax.query, names: syntax.columns, comment: syntax.comment, source)
        let isThere = syntax.isTemporary ? catalogs.temporaryObject(at: path) : try catalogs.permanentObject(at: path)
        if let isThere {
            if syntax.ifNotExists { return .ok }
            guard syntax.isReplaced, isThere.isView else {
                throw source.error(
                    "there is a \(syntax.isTemporary ? "temporary " : "")\(isThere.isView ? "view" : "table") '\(path)' already",
                    at: syntax.name.range,
                    hint: isThere.isView
                        ? "CREATE OR REPLACE VIEW replaces it, IF NOT EXISTS leaves it as it is." : "A view cannot have a table's name.")
            }
        }
        try put(.view(view), at: path, isTemporary: syntax.isTemporary, syntax.name.range, source)
        return .ok
    }

    /// A view of a query, with names of its columns where the statement gives some.
    private func view(_ query: QuerySyntax, names: [Identifier], comment: String?, _ source: SourceText) throws(MillstreamError) -> CatalogView {
        let description = try describe(query, source)
        var columns = description.columns
        if !names.isEmpty {
            guard names.count == columns.count else {
                throw source.error(
                    "the view names \(names.count) columns, its query has \(columns.count)", at: names[0].range,
                    hint: "The query's columns: \(columns.map(\.name).joined(separator: ", ")).")
            }
            for (index, name) in names.enumerated() {
                if names[..<index].contains(where: { $0.text.isSame(as: name.text) }) {
                    throw source.error("the view names the column '\(name.text)' twice", at: name.range)
                }
                columns[index].name = name.text
            }
        }
        let text: String
        if let expanded = description.expandedText { text = expanded } else { text = try ViewExpansion(self, source).text(query) }
        return CatalogView(columns: columns, query: text, originalQuery: source.string(query.range), comment: comment)
    }

    func redefineView(_ name: QualifiedName, _ query: QuerySyntax, _ source: SourceText) throws(MillstreamError) -> ResultTable {
        let (path, old, _) = try permanentView(name, source)
        let view = try view(query, names: [], comment: old.comment, source)
        try put(.view(view), at: path, isTemporary: false, name.range, source)
        return .ok
    }

    func renameView(_ name: QualifiedName, _ new: QualifiedName, _ source: SourceText) throws(MillstreamError) -> ResultTable {
        let (path, view, catalog) = try permanentView(name, source)
        try rename(.view(view), path, new, catalog, source)
        return .ok
    }

    /// Gives a table or view another name in its database.
    func rename(_ object: CatalogObject, _ path: ObjectPath, _ new: QualifiedName, _ catalog: any Catalog, _ source: SourceText)
        throws(MillstreamError)
    {
        let target = new.parts.count == 1 ? ObjectPath(path.catalog, path.database, new.parts[0].text) : try self.path(new, source)
        guard target.catalog.isSame(as: path.catalog), target.database.isSame(as: path.database) else {
            throw source.error("a new name stays in the database: '\(path)' cannot become '\(target)'", at: new.range, code: .unsupported)
        }
        guard try catalog.object(target.name, in: target.database) == nil else {
            throw source.error("there is a table or view '\(target)' already", at: new.range)
        }
        try catalog.putObject(target.name, in: target.database, object)
        try catalog.removeObject(path.name, in: path.database)
    }

    private func permanentView(_ name: QualifiedName, _ source: SourceText) throws(MillstreamError) -> (ObjectPath, CatalogView, any Catalog) {
        let path = try self.path(name, source)
        if let temporary = catalogs.temporaryObject(at: path), temporary.isView {
            throw source.error("'\(path)' is a temporary view; those are not altered", at: name.range, hint: "CREATE OR REPLACE TEMPORARY VIEW.")
        }
        guard let object = try catalogs.permanentObject(at: path) else { throw try missing("view", name, path, source) }
        guard case .view(let view) = object else { throw source.error("'\(path)' is a table", at: name.range, hint: "ALTER TABLE alters it.") }
        return (path, view, try catalogs.catalog(path.catalog))
    }

    /// The error for an object that is not there, with the nearest name.
    func missing(_ what: String, _ name: QualifiedName, _ path: ObjectPath, _ source: SourceText) throws(MillstreamError) -> MillstreamError {
        do { try checkDatabase(path, name, source) } catch { return error }
        let last = name.parts[name.parts.count - 1]
        let known = try catalogs.objectNames(in: path.catalog, path.database)
        return source.error("there is no \(what) '\(path)'", at: last.range, hint: NearestName.hint(last.text, among: known))
    }
}
