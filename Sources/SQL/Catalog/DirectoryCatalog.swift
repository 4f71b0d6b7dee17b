import Columnar

/// A catalog in a folder: a folder for each database, in it a file for each table, view and function, which holds its CREATE statement.
///
///     default/database.sql
///     default/tables/orders.sql
///     default/views/late.sql
///     default/functions/hypot.sql
///
/// Each change is one file, written whole or not at all, so a crash leaves the catalog as it was before or after.
/// Files can be read, compared and mended by hand.
public final class DirectoryCatalog: Catalog {
    public let type = "directory"
    public let defaultDatabase: String
    private let storage: any CatalogStorage
    /// Expressions of tables are bound by it when they are read.
    private weak var session: SQLSession?
    /// What was read, with the bytes it was read from.
    private var cache = NameMap<(bytes: [UInt8], object: CatalogObject)>()

    public init(_ storage: any CatalogStorage, defaultDatabase: String, session: SQLSession) throws(MillstreamError) {
        self.storage = storage
        self.defaultDatabase = defaultDatabase
        self.session = session
        if try database(defaultDatabase) == nil { try putDatabase(defaultDatabase, CatalogDatabase()) }
    }

    // MARK: Databases

    public func databaseNames() throws(MillstreamError) -> [String] {
        var names: [String] = []
        for folder in try storage.list("") {
            guard let name = FileName.decoded(folder), try storage.read("\(folder)/database.sql") != nil else { continue }
            names.append(name)
        }
        return names.sorted { $0.isBelow($1) }
    }

    public func database(_ name: String) throws(MillstreamError) -> CatalogDatabase? {
        let path = "\(try FileName.encoded(name))/database.sql"
        guard let bytes = try storage.read(path) else { return nil }
        return try reading(path) { () throws(MillstreamError) -> CatalogDatabase in
            guard case .createDatabase(_, _, let comment, let options) = try Parser.statement(String(decoding: bytes, as: UTF8.self)).kind else {
                throw Self.notThis("database")
            }
            return CatalogDatabase(comment: comment, options: Self.map(options))
        }
    }

    public func putDatabase(_ name: String, _ database: CatalogDatabase) throws(MillstreamError) {
        try storage.write("\(try FileName.encoded(name))/database.sql", Array(SQLText.createDatabase(name, database).utf8))
    }

    public func removeDatabase(_ name: String) throws(MillstreamError) {
        let folder = try FileName.encoded(name)
        // Without this file the database is gone; what is behind it is only cleaning up.
        try storage.remove("\(folder)/database.sql")
        try storage.remove(folder)
    }

    // MARK: Tables and views

    private func path(_ kind: String, _ name: String, _ database: String) throws(MillstreamError) -> String {
        "\(try FileName.encoded(database))/\(kind)/\(try FileName.encoded(name)).sql"
    }

    private func names(_ kind: String, _ database: String) throws(MillstreamError) -> [String] {
        try storage.list("\(try FileName.encoded(database))/\(kind)").compactMap {
            $0.hasSuffix(".sql") ? FileName.decoded(String($0.dropLast(4))) : nil
        }
        .sorted { $0.isBelow($1) }
    }

    public func objectNames(in database: String) throws(MillstreamError) -> [String] {
        var all = NameMap<Bool>()
        for kind in ["tables", "views"] { for name in try names(kind, database) { all[name] = true } }
        return all.names
    }

    public func object(_ name: String, in database: String) throws(MillstreamError) -> CatalogObject? {
        for kind in ["tables", "views"] {
            let path = try path(kind, name, database)
            guard let bytes = try storage.read(path) else { continue }
            if let cached = cache[path], cached.bytes == bytes { return cached.object }
            let text = String(decoding: bytes, as: UTF8.self)
            let object = try reading(path) { () throws(MillstreamError) in try kind == "tables" ? self.table(text) : self.view(text) }
            cache[path] = (bytes, object)
            return object
        }
        return nil
    }

    public func putObject(_ name: String, in database: String, _ object: CatalogObject) throws(MillstreamError) {
        let tablePath = try path("tables", name, database)
        let viewPath = try path("views", name, database)
        switch object {
        case .table(let table):
            try storage.write(tablePath, Array(Self.text(table, name).utf8))
            try storage.remove(viewPath)
        case .view(let view):
            try storage.write(viewPath, Array(Self.text(view, name).utf8))
            try storage.remove(tablePath)
        }
    }

    public func removeObject(_ name: String, in database: String) throws(MillstreamError) {
        for kind in ["tables", "views"] {
            let path = try path(kind, name, database)
            cache[path] = nil
            try storage.remove(path)
        }
    }

    /// CREATE TABLE, then a statement for each partition that is known.
    private static func text(_ table: CatalogTable, _ name: String) -> String {
        var text = SQLText.createTable(table, named: SQLText.name(name), isTemporary: false)
        for values in table.partitions {
            let pairs = zip(table.partitionKeys, values).map { "\(SQLText.name($0)) = \(SQLText.string($1))" }.joined(separator: ", ")
            text += ";\nALTER TABLE \(SQLText.name(name)) ADD PARTITION (\(pairs))"
        }
        return text
    }

    private func table(_ text: String) throws(MillstreamError) -> CatalogObject {
        guard let session else { throw MillstreamError(.invalidState, "the session of this catalog is gone") }
        let source = SourceText(text)
        let statements = try Parser.statements(text)
        guard case .createTable(let syntax)? = statements.first?.kind else { throw Self.notThis("table") }
        var table = try session.definition(syntax, source)
        for statement in statements.dropFirst() {
            guard case .alterTable(_, _, .addPartitions(let partitions, _)) = statement.kind else { throw Self.notThis("table") }
            for partition in partitions {
                var values: [String] = []
                for key in table.partitionKeys {
                    guard let assignment = partition.first(where: { $0.column.text.isSame(as: key) }) else { throw Self.notThis("table") }
                    values.append(try PartitionValue.text(assignment, source))
                }
                table.partitions.append(values)
            }
        }
        return .table(table)
    }

    private static let typeMark = "-- type: "

    /// The columns' types in comments, then CREATE VIEW.
    private static func text(_ view: CatalogView, _ name: String) -> String {
        view.columns.map { "\(typeMark)\($0.type)\($0.timeAttribute.map { " *\($0.rawValue)*" } ?? "")\n" }.joined()
            + SQLText.createView(view, named: SQLText.name(name), isTemporary: false)
    }

    private func view(_ text: String) throws(MillstreamError) -> CatalogObject {
        let source = SourceText(text)
        guard case .createView(let syntax) = try Parser.statement(text).kind else { throw Self.notThis("view") }
        var columns: [ResultColumn] = []
        for line in text.split(separator: "\n") where line.hasPrefix(Self.typeMark) {
            var type = String(line.dropFirst(Self.typeMark.count))
            var attribute: TimeAttribute?
            for candidate in [TimeAttribute.rowtime, .proctime] where type.hasSuffix(" *\(candidate.rawValue)*") {
                attribute = candidate
                type = String(type.dropLast(candidate.rawValue.count + 3))
            }
            guard columns.count < syntax.columns.count else { throw Self.notThis("view") }
            columns.append(ResultColumn(syntax.columns[columns.count].text, try DataType.parse(type), timeAttribute: attribute))
        }
        guard columns.count == syntax.columns.count else { throw Self.notThis("view") }
        let query = source.string(syntax.query.range)
        return .view(CatalogView(columns: columns, query: query, originalQuery: query, comment: syntax.comment))
    }

    // MARK: Functions

    public func functionNames(in database: String) throws(MillstreamError) -> [String] { try names("functions", database) }

    public func function(_ name: String, in database: String) throws(MillstreamError) -> CatalogFunction? {
        let path = try path("functions", name, database)
        guard let bytes = try storage.read(path) else { return nil }
        return try reading(path) { () throws(MillstreamError) -> CatalogFunction in
            guard case .createFunction(let syntax) = try Parser.statement(String(decoding: bytes, as: UTF8.self)).kind else {
                throw Self.notThis("function")
            }
            return CatalogFunction(
                language: syntax.language ?? "JAVA", definition: syntax.definition,
                resources: syntax.resources.map { CatalogFunction.Resource(kind: $0.key, path: $0.value) }, options: Self.map(syntax.options))
        }
    }

    public func putFunction(_ name: String, in database: String, _ function: CatalogFunction) throws(MillstreamError) {
        try storage.write(try path("functions", name, database), Array(SQLText.createFunction(name, function).utf8))
    }

    public func removeFunction(_ name: String, in database: String) throws(MillstreamError) {
        try storage.remove(try path("functions", name, database))
    }

    // MARK: Reading

    private static func map(_ options: [OptionSyntax]) -> NameMap<String> {
        var map = NameMap<String>()
        for option in options { map[option.key] = option.value }
        return map
    }

    private static func notThis(_ what: String) -> MillstreamError { MillstreamError(.decode, "the file does not create a \(what)") }

    /// An error of a file's text names the file.
    private func reading<Result>(_ path: String, _ work: () throws(MillstreamError) -> Result) throws(MillstreamError) -> Result {
        do { return try work() } catch {
            throw MillstreamError(.decode, "the catalog's file '\(path)' cannot be read: \(error.message)", hint: error.hint)
        }
    }
}

/// Names of tables as names of files.
enum FileName {
    /// Folders take names of 255 bytes; `.sql` and what a half-written file has behind it must fit as well.
    private static let byteCountMax = 230

    /// Letters, digits, `_` and `-` as they are, all other bytes as `%` and two digits.
    static func encoded(_ name: String) throws(MillstreamError) -> String {
        var result = ""
        for byte in name.utf8 {
            switch byte {
            case 48...57, 65...90, 97...122, 95, 45: result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        guard result.utf8.count <= byteCountMax, !result.isEmpty else {
            throw MillstreamError(
                .plan, "the name '\(name)' does not fit a file's name", hint: "A catalog in a folder takes names of 1 to \(byteCountMax) letters.")
        }
        return result
    }

    /// Nil: no such name.
    static func decoded(_ name: String) -> String? {
        var bytes: [UInt8] = []
        let given = Array(name.utf8)
        var index = 0
        while index < given.count {
            if given[index] == 37 {
                guard index + 2 < given.count, let value = UInt8(String(decoding: given[index + 1...index + 2], as: UTF8.self), radix: 16) else {
                    return nil
                }
                bytes.append(value)
                index += 3
            } else {
                bytes.append(given[index])
                index += 1
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
