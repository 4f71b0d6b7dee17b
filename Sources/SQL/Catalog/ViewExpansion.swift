import Columnar

/// Writes a view's query so that it means the same wherever and whenever it is read: tables by their paths, columns by their tables, `*` by its columns.
///
/// The planner has accepted the query. What cannot be told here (columns of a table function, of MATCH_RECOGNIZE) stays as it was written.
struct ViewExpansion {
    let session: SQLSession
    let source: SourceText

    init(_ session: SQLSession, _ source: SourceText) {
        self.session = session
        self.source = source
    }

    /// A table in FROM.
    private struct Table {
        /// Its alias or name.
        var name: String
        /// The parts of its path, where it has one.
        var path: [String]
        /// Nil: unknown.
        var columns: [String]?
    }

    /// The tables of a SELECT, and of those around it.
    private final class Scope {
        var tables: [Table] = []
        /// Whether USING or NATURAL made columns one: then `*` and their names stay.
        var hasMergedColumns = false
        var merged: [String] = []
        let outer: Scope?

        init(outer: Scope?) { self.outer = outer }

        /// The name behind that of its table; as it is where that is not plain.
        func resolved(_ name: QualifiedName) -> [String] {
            let parts = name.parts.map(\.text)
            for count in stride(from: min(parts.count - 1, 3), to: 0, by: -1) {
                if let table = tables.first(where: {
                    count == 1 && $0.name.isSame(as: parts[0]) || count > 1 && $0.path.suffix(count) == parts[..<count]
                }) {
                    return [table.name] + parts[count...]
                }
            }
            if merged.contains(where: { $0.isSame(as: parts[0]) }) { return parts }
            let owners = tables.filter { $0.columns?.contains { $0.isSame(as: parts[0]) } ?? false }
            if owners.count == 1 { return [owners[0].name] + parts }
            if owners.isEmpty, tables.allSatisfy({ $0.columns != nil }), let outer { return outer.resolved(name) }
            return parts
        }
    }

    func text(_ query: QuerySyntax) throws(MillstreamError) -> String { expanded(query, [:], nil) }

    private func expanded(_ query: QuerySyntax, _ known: NameMap<[String]>, _ outer: Scope?) -> String {
        let common = commonTables(query, known, outer)
        return writer(common, outer) { SQLText.name($0) }.text(query)
    }

    /// The common tables that a query sees, with their columns.
    private func commonTables(_ query: QuerySyntax, _ known: NameMap<[String]>, _ outer: Scope?) -> NameMap<[String]> {
        var common = known
        for table in query.with {
            common[table.name.text] = table.columns.isEmpty ? names(table.query, common, outer) ?? [] : table.columns.map(\.text)
        }
        return common
    }

    private func writer(_ common: NameMap<[String]>, _ scope: Scope?, _ name: @escaping (QualifiedName) -> String) -> SQLText.QueryText {
        let session = session
        var expressions = SQLText.ExpressionText(isUserFunction: { session.isUserFunction($0) })
        expressions.name = name
        expressions.query = { expanded($0, common, scope) }
        expressions.table = { path($0, common) }
        var writer = SQLText.QueryText(expressions: expressions)
        writer.table = { path($0, common) }
        writer.nested = { expanded($0, common, scope) }
        writer.selectText = { expanded($0, common, scope) }
        return writer
    }

    /// A table's path in backticks; a common table's name.
    private func path(_ name: QualifiedName, _ common: NameMap<[String]>) -> String {
        if name.parts.count == 1, common[name.parts[0].text] != nil { return SQLText.name(name) }
        return (try? session.catalogs.path(name.parts.map(\.text)))?.quoted ?? SQLText.name(name)
    }

    private func expanded(_ select: SelectSyntax, _ common: NameMap<[String]>, _ outer: Scope?) -> String {
        let scope = Scope(outer: outer)
        var select = select
        if let from = select.from { select.from = named(from, scope, common) }
        select.items = items(select, scope)
        var writer = writer(common, scope) { scope.resolved($0).map(SQLText.name).joined(separator: ".") }
        writer.selectText = nil
        // SELECTs within have scopes of their own.
        return writer.select(select)
    }

    /// FROM with a name for each table, which goes into the scope.
    private func named(_ from: TableSyntax, _ scope: Scope, _ common: NameMap<[String]>) -> TableSyntax {
        var result = from
        switch from.kind {
        case .named(let name, _, _):
            let parts = name.parts.map(\.text)
            let alias = from.alias ?? name.parts[name.parts.count - 1]
            result.alias = alias
            var columns = parts.count == 1 ? common[parts[0]] : nil
            var path: [String] = []
            if columns == nil, let full = try? session.catalogs.path(parts), let resolved = try? session.catalogs.object(at: full) {
                columns = resolved.object.resultColumns.map(\.name)
                path = from.alias == nil ? [full.catalog, full.database, full.name] : []
            }
            scope.tables.append(Table(name: alias.text, path: path, columns: from.columns.isEmpty ? columns : from.columns.map(\.text)))
        case .query(let query, _):
            result.alias = from.alias ?? anonymous(scope, from)
            let columns = from.columns.isEmpty ? names(query, common, scope) : from.columns.map(\.text)
            scope.tables.append(Table(name: result.alias?.text ?? "", path: [], columns: columns))
        case .function(let call, _):
            result.alias = from.alias ?? anonymous(scope, from)
            scope.tables.append(
                Table(name: result.alias?.text ?? "", path: [], columns: from.columns.isEmpty ? windowed(call, common) : from.columns.map(\.text)))
        case .unnest:
            if let alias = from.alias {
                scope.tables.append(Table(name: alias.text, path: [], columns: from.columns.isEmpty ? nil : from.columns.map(\.text)))
            } else {
                scope.tables.append(Table(name: "", path: [], columns: nil))
            }
        case .join(let left, let right, let kind, let isNatural, let condition):
            let newLeft = named(left, scope, common)
            let before = scope.tables.count
            let newRight = named(right, scope, common)
            if isNatural {
                let ofLeft = scope.tables[..<before].flatMap { $0.columns ?? [] }
                scope.merged += scope.tables[before...].flatMap { $0.columns ?? [] }.filter { name in ofLeft.contains { $0.isSame(as: name) } }
                scope.hasMergedColumns = true
            }
            if case .using(let columns)? = condition {
                scope.merged += columns.map(\.text)
                scope.hasMergedColumns = true
            }
            result.kind = .join(newLeft, newRight, kind, isNatural: isNatural, condition)
        case .matchRecognize(let input, let match):
            result.alias = from.alias ?? anonymous(scope, from)
            // Its own columns are those of its measures and keys; inside, names are of its variables.
            result.kind = .matchRecognize(named(input, Scope(outer: nil), common), match)
            scope.tables.append(Table(name: result.alias?.text ?? "", path: [], columns: nil))
        }
        return result
    }

    private func anonymous(_ scope: Scope, _ from: TableSyntax) -> Identifier {
        let count = scope.tables.filter { $0.name.hasPrefix("EXPR$") }.count
        return Identifier("EXPR$\(count)", from.range)
    }

    /// The columns of a window function over a table by name.
    private func windowed(_ call: CallSyntax, _ common: NameMap<[String]>) -> [String]? {
        guard call.name.parts.count == 1, ["TUMBLE", "HOP", "CUMULATE", "SESSION"].contains(call.name.parts[0].text.uppercasedASCII) else {
            return nil
        }
        for argument in call.arguments {
            guard case .table(let table) = argument.value else { continue }
            let scope = Scope(outer: nil)
            _ = named(table.table, scope, common)
            guard let columns = scope.tables.first?.columns else { return nil }
            return columns + ["window_start", "window_end", "window_time"]
        }
        return nil
    }

    // MARK: Columns

    /// The list of SELECT with `*` written out; a name that is there twice gets an alias.
    private func items(_ select: SelectSyntax, _ scope: Scope) -> [SelectItem] {
        var result: [SelectItem] = []
        var taken: [String] = []
        for (index, item) in select.items.enumerated() {
            guard case .star(let owner) = item.expression.kind, let columns = columns(owner, scope) else {
                taken.append(Self.name(item, index))
                result.append(item)
                continue
            }
            for (table, column) in columns {
                var next = SelectItem(
                    expression: ExpressionSyntax(
                        .name(QualifiedName([Identifier(table, item.expression.range), Identifier(column, item.expression.range)])),
                        item.expression.range))
                var unique = column
                var count = 0
                while taken.contains(where: { $0.isSame(as: unique) }) {
                    unique = column + String(count)
                    count += 1
                }
                if count > 0 { next.alias = Identifier(unique, item.expression.range) }
                taken.append(unique)
                result.append(next)
            }
        }
        return result
    }

    /// The columns that a star means; nil where they cannot be told.
    private func columns(_ owner: QualifiedName?, _ scope: Scope) -> [(String, String)]? {
        var tables = scope.tables
        if let owner {
            tables = tables.filter { $0.name.isSame(as: owner.parts[owner.parts.count - 1].text) }
        } else if scope.hasMergedColumns {
            return nil
        }
        guard !tables.isEmpty else { return nil }
        var result: [(String, String)] = []
        for table in tables {
            guard let columns = table.columns else { return nil }
            result += columns.map { (table.name, $0) }
        }
        return result
    }

    private static func name(_ item: SelectItem, _ index: Int) -> String {
        if let alias = item.alias { return alias.text }
        if case .name(let name) = item.expression.kind { return name.parts[name.parts.count - 1].text }
        if case .field(_, let field) = item.expression.kind { return field.text }
        return "EXPR$\(index)"
    }

    /// The names of a query's columns; nil where they cannot be told.
    private func names(_ query: QuerySyntax, _ known: NameMap<[String]>, _ outer: Scope?) -> [String]? {
        let common = commonTables(query, known, outer)
        var body = query.body
        while case .setOperation(_, _, let left, _, _) = body { body = left }
        switch body {
        case .query(let inner): return names(inner, common, outer)
        case .values(let rows):
            guard case .row(let items)? = rows.first?.kind else { return ["EXPR$0"] }
            return items.indices.map { "EXPR$\($0)" }
        case .table(let name):
            let scope = Scope(outer: nil)
            _ = named(TableSyntax(.named(name, hints: [], asOf: nil), name.range), scope, common)
            return scope.tables.first?.columns
        case .setOperation: return nil
        case .select(let select):
            let scope = Scope(outer: outer)
            if let from = select.from { _ = named(from, scope, common) }
            let items = items(select, scope)
            guard !items.contains(where: { if case .star = $0.expression.kind { true } else { false } }) else { return nil }
            return items.enumerated().map { Self.name($0.element, $0.offset) }
        }
    }
}
