import Columnar
import Plan

/// The names that a query can use in a session.
final class SessionNames: QueryNames {
    private let session: SQLSession
    let functions: any UserFunctions

    init(_ session: SQLSession, functions: any UserFunctions = NoUserFunctions()) {
        self.session = session
        self.functions = functions
    }

    func object(_ name: [String]) throws(MillstreamError) -> NamedObject? {
        guard let found = try session.catalogs.object(at: try session.catalogs.path(name)) else { return nil }
        switch found.object {
        case .table(let table): return .table(ResolvedTable(path: found.path, table: table))
        case .view(let view):
            let source = SourceText(view.query)
            guard case .query(let query) = try Parser.statement(view.query).kind else {
                throw MillstreamError(.plan, "the view '\(found.path)' is no query")
            }
            return .view(path: found.path, columns: view.columns.map(\.name), query: query, source: source)
        }
    }

    func describe(_ table: CatalogTable, at path: ObjectPath, _ range: SourceRange, _ source: SourceText) throws(MillstreamError) -> TableDescription {
        try session.placing(range, source) { () throws(MillstreamError) in try session.factories.describe(table, at: path) }
    }

    var tableNames: [String] { (try? session.catalogs.objectNames(in: session.catalogs.currentCatalog, session.catalogs.currentDatabase)) ?? [] }
}
