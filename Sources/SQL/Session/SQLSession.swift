import Columnar
import Plan

/// A conversation in SQL: catalogs, options, modules, and what statements that are no queries do.
///
/// `execute` does everything that needs no rows, and hands queries and INSERTs back for planning. A session belongs to one thread at a time.
public final class SQLSession {
    public let catalogs = CatalogManager()
    public var options = SessionOptions()
    /// Connectors and formats that CREATE TABLE can name.
    public var factories: FactoryRegistry
    public var catalogFactories = NameMap<any CatalogFactory>()
    /// Columns of queries; without one, statements that hold a query are refused.
    public weak var planner: (any QueryPlanner)?
    /// What the names of functions mean that are not built in.
    public var userFunctions: any UserFunctions = NoUserFunctions()
    /// Names of the built-in functions, for SHOW FUNCTIONS.
    public var builtInFunctions = FunctionCatalogue.names + AggregateDefinitions.names
    public internal(set) var modules = ModuleList()
    /// INSERTs since BEGIN STATEMENT SET; nil outside of one.
    var openStatementSet: [InsertRequest]?
    /// Files that ADD JAR named.
    var jars: [String] = []

    public init(factories: FactoryRegistry = .builtIn) { self.factories = factories }

    /// An error of something without a place gets the place of the name that it is about.
    func placing<Result>(_ range: SourceRange, _ source: SourceText, _ work: () throws(MillstreamError) -> Result) throws(MillstreamError) -> Result {
        do { return try work() } catch {
            // Another code than these does not come from the statement's text.
            guard error.code == .plan || error.code == .configuration else { throw error }
            throw source.error(error.message, at: range, hint: error.hint, code: error.code)
        }
    }

    /// Whether time attributes count: in batch mode an event time is a column as any other.
    var hasTimeAttributes: Bool { options.runtimeMode != .batch }
}
