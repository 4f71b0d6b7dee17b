import Columnar
import Plan

/// What a name in FROM stands for, as the catalogs have it.
public enum NamedObject: Sendable {
    case table(ResolvedTable)
    /// Its columns' names, and its query.
    case view(path: ObjectPath, columns: [String], query: QuerySyntax, source: SourceText)
}

/// A table with its whole name.
public struct ResolvedTable: Sendable {
    public var path: ObjectPath
    public var table: CatalogTable

    public init(path: ObjectPath, table: CatalogTable) {
        self.path = path
        self.table = table
    }
}

/// Where a query's names come from.
public protocol QueryNames: AnyObject {
    /// nil: there is no such table or view. Throws where the name has too many parts, or a catalog cannot be read.
    func object(_ name: [String]) throws(MillstreamError) -> NamedObject?
    /// What a table's options mean. Throws where they are wrong.
    func describe(_ table: CatalogTable, at path: ObjectPath, _ range: SourceRange, _ source: SourceText) throws(MillstreamError) -> TableDescription
    /// Names that can be used in FROM as they are, for a proposal where one is wrong.
    var tableNames: [String] { get }
    var functions: any UserFunctions { get }
}

/// How queries are to be run, as far as it matters to their meaning.
public struct QueryOptions: Sendable {
    public var isStreaming = true
    public var timeZone = "UTC"

    public init(isStreaming: Bool = true, timeZone: String = "UTC") {
        self.isStreaming = isStreaming
        self.timeZone = timeZone
    }
}
