import Columnar

/// CREATE statements of what a catalog has, as SHOW CREATE shows them.
extension SQLText {
    static func createTable(_ table: CatalogTable, at path: ObjectPath, isTemporary: Bool) -> String {
        createTable(table, named: path.quoted, isTemporary: isTemporary)
    }

    /// `named`: the name as the statement says it, in backticks.
    static func createTable(_ table: CatalogTable, named quotedName: String, isTemporary: Bool) -> String {
        var lines = table.columns.map { column in
            var text = name(column.name) + " "
            if column.expression == nil { text += type(column.type) }
            if let extras = extras(of: column) { text += (column.expression == nil ? " " : "") + extras }
            return text + (column.comment.map { " COMMENT \(string($0))" } ?? "")
        }
        if let watermark = table.watermark { lines.append("WATERMARK FOR \(name(watermark.column)) AS \(watermark.expression.text)") }
        if let key = table.primaryKey { lines.append("CONSTRAINT \(name(key.name)) PRIMARY KEY (\(names(key.columns))) NOT ENFORCED") }
        var text = "CREATE \(isTemporary ? "TEMPORARY " : "")TABLE \(quotedName) (\n" + lines.map { "  \($0)" }.joined(separator: ",\n") + "\n)\n"
        if let comment = table.comment { text += "COMMENT \(string(comment))\n" }
        if let distribution = table.distribution {
            text += "DISTRIBUTED"
            if !distribution.columns.isEmpty { text += " BY " + (distribution.kind?.rawValue ?? "") + "(\(names(distribution.columns)))" }
            if let count = distribution.bucketCount { text += " INTO \(count) BUCKETS" }
            text += "\n"
        }
        if !table.partitionKeys.isEmpty { text += "PARTITIONED BY (\(names(table.partitionKeys)))\n" }
        if !table.options.isEmpty { text += "WITH (\n\(options(table.options))\n)\n" }
        return text
    }

    /// What a column is besides its type: `AS …`, `METADATA FROM '…' VIRTUAL`.
    static func extras(of column: TableColumn) -> String? {
        switch column.kind {
        case .physical: nil
        case .computed(let expression): "AS \(expression.text)"
        case .metadata(let key, let isVirtual): "METADATA" + (key.map { " FROM \(string($0))" } ?? "") + (isVirtual ? " VIRTUAL" : "")
        }
    }

    static func createView(_ view: CatalogView, at path: ObjectPath, isTemporary: Bool) -> String {
        createView(view, named: path.quoted, isTemporary: isTemporary)
    }

    static func createView(_ view: CatalogView, named quotedName: String, isTemporary: Bool) -> String {
        "CREATE \(isTemporary ? "TEMPORARY " : "")VIEW \(quotedName) (\n" + view.columns.map { "  \(name($0.name))" }.joined(separator: ",\n")
            + "\n)\n"
            + (view.comment.map { "COMMENT \(string($0))\n" } ?? "") + "AS \(view.query)\n"
    }

    static func createCatalog(_ name: String, _ registration: CatalogManager.Registration) -> String {
        "CREATE CATALOG \(self.name(name))\n" + (registration.comment.map { "COMMENT \(string($0))\n" } ?? "")
            + (registration.options.isEmpty ? "" : "WITH (\n\(options(registration.options))\n)\n")
    }

    static func createDatabase(_ name: String, _ database: CatalogDatabase) -> String {
        "CREATE DATABASE \(self.name(name))\n" + (database.comment.map { "COMMENT \(string($0))\n" } ?? "")
            + (database.options.isEmpty ? "" : "WITH (\n\(options(database.options))\n)\n")
    }

    static func createFunction(_ name: String, _ function: CatalogFunction) -> String {
        "CREATE FUNCTION \(self.name(name)) AS \(string(function.definition)) LANGUAGE \(function.language)\n"
            + (function.resources.isEmpty ? "" : "USING " + function.resources.map { "\($0.kind) \(string($0.path))" }.joined(separator: ", ") + "\n")
            + (function.options.isEmpty ? "" : "WITH (\n\(options(function.options))\n)\n")
    }
}
