import Columnar

/// A store of databases, their tables, views and functions.
///
/// It keeps what it is told and decides nothing: who exists, who shadows whom and what may be dropped is `CatalogManager`'s. Names come back in byte order.
public protocol Catalog: AnyObject {
    /// `generic_in_memory`, `directory`, …: the option `type` of CREATE CATALOG.
    var type: String { get }
    var defaultDatabase: String { get }

    func databaseNames() throws(MillstreamError) -> [String]
    func database(_ name: String) throws(MillstreamError) -> CatalogDatabase?
    /// Makes it, or gives it another comment and other options.
    func putDatabase(_ name: String, _ database: CatalogDatabase) throws(MillstreamError)
    /// With all that is in it.
    func removeDatabase(_ name: String) throws(MillstreamError)

    /// Tables and views.
    func objectNames(in database: String) throws(MillstreamError) -> [String]
    func object(_ name: String, in database: String) throws(MillstreamError) -> CatalogObject?
    func putObject(_ name: String, in database: String, _ object: CatalogObject) throws(MillstreamError)
    func removeObject(_ name: String, in database: String) throws(MillstreamError)

    func functionNames(in database: String) throws(MillstreamError) -> [String]
    func function(_ name: String, in database: String) throws(MillstreamError) -> CatalogFunction?
    func putFunction(_ name: String, in database: String, _ function: CatalogFunction) throws(MillstreamError)
    func removeFunction(_ name: String, in database: String) throws(MillstreamError)

    /// The session lets go of it.
    func close()
}

extension Catalog {
    public func close() {}
}

public struct CatalogDatabase: Hashable, Sendable {
    public var comment: String?
    public var options: NameMap<String>

    public init(comment: String? = nil, options: NameMap<String> = [:]) {
        self.comment = comment
        self.options = options
    }
}
