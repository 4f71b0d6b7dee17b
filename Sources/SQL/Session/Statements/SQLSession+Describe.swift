import Columnar
import Expressions

extension SQLSession {
    func describe(_ syntax: DescribeSyntax, _ source: SourceText) throws(MillstreamError) -> ResultTable {
        switch syntax.kind {
        case .table: return .columns(of: try catalogs.resolve(syntax.name, in: source), hasTimeAttributes: hasTimeAttributes)
        case .catalog:
            guard syntax.name.parts.count == 1 else { throw source.error("a catalog's name has one part", at: syntax.name.range) }
            let name = syntax.name.parts[0].text
            let catalog = try placing(syntax.name.range, source) { () throws(MillstreamError) in try catalogs.catalog(name) }
            let registration = catalogs.registrations[name]
            var rows: [(String, String?)] = [
                ("name", name), ("type", registration?.options["type"] ?? catalog.type), ("comment", registration?.comment),
            ]
            if syntax.isExtended, let options = registration?.options {
                for (key, value) in options where key != "type" { rows.append(("option:\(key)", value)) }
            }
            return information(rows)
        case .database:
            let (catalogName, name) = try databasePath(syntax.name, source)
            let database = try placing(syntax.name.range, source) { () throws(MillstreamError) in try catalogs.database(name, in: catalogName) }
            var rows: [(String, String?)] = [("catalog", catalogName), ("name", name), ("comment", database.comment)]
            if syntax.isExtended { for (key, value) in database.options { rows.append(("option:\(key)", value)) } }
            return information(rows)
        case .function: return try describeFunction(syntax, source)
        case .model: throw source.error("there is no model '\(syntax.name.text)'", at: syntax.name.range)
        case .job: throw source.error("jobs belong to who runs them", at: syntax.name.range, code: .unsupported)
        }
    }

    private func information(_ rows: [(String, String?)]) -> ResultTable {
        ResultTable(
            .successWithContent, [Field("info name", .string), Field("info value", .string)],
            rows.map { [.string($0.0), $0.1.map { .string($0) } ?? .null] })
    }

    private func describeFunction(_ syntax: DescribeSyntax, _ source: SourceText) throws(MillstreamError) -> ResultTable {
        let parts = syntax.name.parts.map(\.text)
        let found = try placing(syntax.name.range, source) { () throws(MillstreamError) in try catalogs.function(parts) }
        if let found {
            var rows: [(String, String?)] = [
                ("is system function", found.path == nil ? "true" : "false"),
                ("is temporary", found.path.map { catalogs.temporaryFunction(at: $0) != nil } ?? true ? "true" : "false"),
            ]
            if syntax.isExtended {
                rows += [("class name", found.function.definition), ("function language", found.function.language)]
                if !found.function.resources.isEmpty {
                    rows.append(("resource uris", found.function.resources.map { "\($0.kind) '\($0.path)'" }.joined(separator: ", ")))
                }
            }
            return information(rows)
        }
        let name = parts[parts.count - 1].uppercasedASCII
        if parts.count == 1, modules.isCoreUsed, builtInFunctions.contains(name) {
            return information([("is system function", "true"), ("is temporary", "false")])
        }
        let known = try catalogs.userFunctionNames(in: catalogs.currentCatalog, catalogs.currentDatabase) + builtInFunctions
        throw source.error("there is no function '\(syntax.name.text)'", at: syntax.name.range, hint: NearestName.hint(name, among: known))
    }
}

extension ResultTable {
    /// The columns of a table or view, as DESCRIBE shows them.
    static func columns(of resolved: CatalogManager.Resolved, hasTimeAttributes: Bool) -> ResultTable {
        var columns = ["name", "type", "null", "key", "extras", "watermark"].map { Field($0, $0 == "null" ? .boolean : .string) }
        let described = resolved.object.resultColumns
        // A column of comments only where there is one.
        let hasComments = described.contains { $0.comment != nil }
        if hasComments { columns.append(Field("comment", .string)) }
        var rows: [[Scalar]] = []
        for (index, column) in described.enumerated() {
            var (key, extras, watermark): (String?, String?, String?)
            if case .table(let table) = resolved.object {
                if let primaryKey = table.primaryKey, primaryKey.columns.contains(where: { $0.isSame(as: column.name) }) {
                    key = "PRI(\(primaryKey.columns.joined(separator: ", ")))"
                }
                extras = SQLText.extras(of: table.columns[index])
                if let definition = table.watermark, definition.column.isSame(as: column.name) { watermark = definition.expression.text }
            }
            var type = column.type.nullable.description
            // An event time is a plain column in batch mode; the machine's time is always itself.
            if let attribute = column.timeAttribute, hasTimeAttributes || attribute == .proctime { type += " *\(attribute.rawValue)*" }
            var row: [Scalar] = [.string(column.name), .string(type), .boolean(column.type.isNullable)]
            for text in [key, extras, watermark] { row.append(text.map { .string($0) } ?? .null) }
            if hasComments { row.append(column.comment.map { .string($0) } ?? .null) }
            rows.append(row)
        }
        return ResultTable(.successWithContent, columns, rows)
    }
}
