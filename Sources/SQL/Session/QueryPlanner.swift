import Columnar
import Plan

/// What a query gives, without running it.
public struct QueryDescription: Sendable {
    public var columns: [ResultColumn]
    /// The query with all names written out and `*` replaced, where the planner makes one; else the session writes out the names of tables.
    public var expandedText: String?

    public init(columns: [ResultColumn], expandedText: String? = nil) {
        self.columns = columns
        self.expandedText = expandedText
    }
}

/// What the session asks of the logical planner: CREATE VIEW and CREATE TABLE AS need the columns of their queries. Nothing is executed.
public protocol QueryPlanner: AnyObject {
    /// Throws where the query is refused, with its place in `source`.
    func describe(_ query: QuerySyntax, in source: SourceText, session: SQLSession) throws(MillstreamError) -> QueryDescription
}

/// Where a catalog comes from that is not in memory: `type` of CREATE CATALOG.
public protocol CatalogFactory {
    var type: String { get }
    /// What WITH may say besides `type` and `default-database`.
    var options: [ConfigOption] { get }
    func open(name: String, defaultDatabase: String?, options: OptionValues, session: SQLSession) throws(MillstreamError) -> any Catalog
}
