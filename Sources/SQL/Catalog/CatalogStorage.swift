import Columnar

/// The files of a catalog that outlives its session; whoever embeds SQL gives them. Paths are relative, with `/` between their parts.
public protocol CatalogStorage: AnyObject {
    /// Names of the files and folders in a folder, in any order. Empty where there is no such folder.
    func list(_ folder: String) throws(MillstreamError) -> [String]
    /// Nil where there is no such file.
    func read(_ path: String) throws(MillstreamError) -> [UInt8]?
    /// Writes a whole file or nothing, making its folders, and comes back when it will survive a crash.
    func write(_ path: String, _ bytes: [UInt8]) throws(MillstreamError)
    /// A file, or a folder with all that is in it. Nothing where there is none.
    func remove(_ path: String) throws(MillstreamError)
}

/// The storage of tests: files in memory.
public final class MemoryCatalogStorage: CatalogStorage {
    public private(set) var files = NameMap<[UInt8]>()

    public init() {}

    public func list(_ folder: String) -> [String] {
        let prefix = folder.isEmpty ? "" : folder + "/"
        var names = NameMap<Bool>()
        for path in files.names where path.hasPrefix(prefix) {
            names[String(path.dropFirst(prefix.count).split(separator: "/")[0])] = true
        }
        return names.names
    }
    public func read(_ path: String) -> [UInt8]? { files[path] }
    public func write(_ path: String, _ bytes: [UInt8]) { files[path] = bytes }
    public func remove(_ path: String) {
        for file in files.names where file == path || file.hasPrefix(path + "/") { files[file] = nil }
    }
}

/// `'type' = 'directory', 'path' = '…'`.
public struct DirectoryCatalogFactory: CatalogFactory {
    public let type = "directory"
    public let options = [ConfigOption("path", .text, "The folder; it is made if it is not there.")]
    private let storage: (String) throws(MillstreamError) -> any CatalogStorage

    /// `storage`: the files under a path.
    public init(_ storage: @escaping (String) throws(MillstreamError) -> any CatalogStorage) { self.storage = storage }

    public func open(name: String, defaultDatabase: String?, options: OptionValues, session: SQLSession) throws(MillstreamError) -> any Catalog {
        guard let path = options.text("path") else {
            throw MillstreamError(.configuration, "a catalog of type 'directory' needs the option 'path'", hint: "The folder that keeps its tables.")
        }
        return try DirectoryCatalog(try storage(path), defaultDatabase: defaultDatabase ?? "default", session: session)
    }
}
