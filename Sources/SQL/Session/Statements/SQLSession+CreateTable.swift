import Columnar
import Expressions

extension SQLSession {
    /// CREATE TABLE, also LIKE and AS.
    func create(_ syntax: CreateTableSyntax, _ source: SourceText) throws(MillstreamError) -> StatementOutcome {
        let path = try self.path(syntax.name, source)
        if syntax.isTemporary, syntax.query != nil {
            throw source.error("CREATE TABLE AS makes no temporary table", at: syntax.name.range, hint: "Leave TEMPORARY out.")
        }
        if syntax.isReplaced, syntax.query == nil {
            throw source.error(
                "CREATE OR REPLACE TABLE goes with AS alone", at: syntax.name.range, hint: "DROP TABLE and CREATE TABLE, or ALTER TABLE.")
        }
        if !syntax.isTemporary { try checkDatabase(path, syntax.name, source) }
        var draft = try likeDraft(syntax, source)
        var added: [TableDraft.Column] = []
        for column in syntax.columns { added.append(try draft.column(column, self, source)) }
        let isLike = syntax.like != nil
        for column in added { try add(column, to: &draft, isLike: isLike, syntax, source) }
        for constraint in syntax.constraints {
            guard draft.primaryKey == nil else {
                throw source.error(
                    isLike ? "the table of LIKE has a primary key already" : "a table has one PRIMARY KEY", at: constraint.range,
                    hint: isLike ? "LIKE … (EXCLUDING CONSTRAINTS) leaves it out." : "Of several columns: PRIMARY KEY (a, b) NOT ENFORCED.")
            }
            draft.primaryKey = try TableDraft.key(constraint, source)
        }
        for watermark in syntax.watermarks {
            if draft.watermark != nil, behaviour("WATERMARKS", syntax.like) == "INCLUDING" {
                throw source.error(
                    "the table of LIKE has a watermark already", at: watermark.range,
                    hint: "LIKE … (EXCLUDING WATERMARKS) leaves it out, OVERWRITING WATERMARKS replaces it.")
            }
            draft.watermark = TableDraft.Watermark(
                column: watermark.column.text, definition: TableDraft.Definition(expression: watermark.expression, source: source),
                range: watermark.range)
        }
        if let comment = syntax.comment { draft.comment = comment }
        if let distribution = syntax.distribution { draft.distribution = try TableDraft.distribution(distribution, source, syntax.name.range) }
        if !syntax.partitionedBy.isEmpty {
            if !draft.partitionKeys.isEmpty, behaviour("PARTITIONS", syntax.like) != "EXCLUDING" {
                throw source.error(
                    "the table of LIKE is partitioned already", at: syntax.partitionedBy[0].range,
                    hint: "LIKE … (EXCLUDING PARTITIONS) leaves that out.")
            }
            draft.partitionKeys = syntax.partitionedBy.map { ($0.text, $0.range) }
        }
        try setOptions(syntax, &draft, source)
        if let query = syntax.query { return try createAs(query, syntax, draft, path, source) }
        guard !draft.columns.isEmpty || !syntax.columnNames.isEmpty else {
            throw source.error("a table has columns", at: syntax.name.range, hint: "CREATE TABLE t (a INT, …) WITH ('connector' = '…').")
        }
        if let name = syntax.columnNames.first {
            throw source.error("the column '\(name.text)' has no type", at: name.range, hint: "Names alone stand before AS and a query.")
        }
        let table = try draft.finish(self, source, at: syntax.name.range)
        if try exists(path, syntax, source) { return .result(.ok) }
        try checkOptions(table, path, syntax.options, syntax.name.range, source)
        try put(.table(table), at: path, isTemporary: syntax.isTemporary, syntax.name.range, source)
        return .result(.ok)
    }

    /// The table that a CREATE TABLE without LIKE and AS defines; it is put nowhere.
    func definition(_ syntax: CreateTableSyntax, _ source: SourceText) throws(MillstreamError) -> CatalogTable {
        var draft = TableDraft()
        for column in syntax.columns { draft.columns.append(try draft.column(column, self, source)) }
        for constraint in syntax.constraints { draft.primaryKey = try TableDraft.key(constraint, source) }
        for watermark in syntax.watermarks {
            draft.watermark = TableDraft.Watermark(
                column: watermark.column.text, definition: TableDraft.Definition(expression: watermark.expression, source: source),
                range: watermark.range)
        }
        draft.comment = syntax.comment
        if let distribution = syntax.distribution { draft.distribution = try TableDraft.distribution(distribution, source, syntax.name.range) }
        draft.partitionKeys = syntax.partitionedBy.map { ($0.text, $0.range) }
        for option in syntax.options { draft.options[option.key] = option.value }
        return try draft.finish(self, source, at: syntax.name.range)
    }

    /// Whether it is there and IF NOT EXISTS says that this is fine.
    private func exists(_ path: ObjectPath, _ syntax: CreateTableSyntax, _ source: SourceText) throws(MillstreamError) -> Bool {
        let isThere = syntax.isTemporary ? catalogs.temporaryObject(at: path) != nil : try catalogs.permanentObject(at: path) != nil
        guard isThere else { return false }
        if syntax.ifNotExists { return true }
        throw source.error(
            "there is \(syntax.isTemporary ? "a temporary table or view" : "a table or view") '\(path)' already", at: syntax.name.range,
            hint: "CREATE TABLE IF NOT EXISTS leaves it as it is, DROP \(syntax.isTemporary ? "TEMPORARY " : "")TABLE takes it away.")
    }

    // MARK: Parts

    func path(_ name: QualifiedName, _ source: SourceText) throws(MillstreamError) -> ObjectPath {
        try placing(name.range, source) { () throws(MillstreamError) in try catalogs.path(name.parts.map(\.text)) }
    }

    func checkDatabase(_ path: ObjectPath, _ name: QualifiedName, _ source: SourceText) throws(MillstreamError) {
        _ = try placing(name.range, source) { () throws(MillstreamError) in try catalogs.database(path.database, in: path.catalog) }
    }

    func put(_ object: CatalogObject, at path: ObjectPath, isTemporary: Bool, _ range: SourceRange, _ source: SourceText) throws(MillstreamError) {
        if isTemporary { return catalogs.putTemporaryObject(object, at: path) }
        try placing(range, source) { () throws(MillstreamError) in try catalogs.catalog(path.catalog).putObject(path.name, in: path.database, object)
        }
    }

    private func setOptions(_ syntax: CreateTableSyntax, _ draft: inout TableDraft, _ source: SourceText) throws(MillstreamError) {
        var own = NameMap<String>()
        for option in syntax.options {
            guard own[option.key] == nil else { throw source.error("the option '\(option.key)' is there twice", at: option.range) }
            own[option.key] = option.value
            if draft.options[option.key] != nil, behaviour("OPTIONS", syntax.like) == "INCLUDING" {
                throw source.error(
                    "the table of LIKE has the option '\(option.key)' already", at: option.range, hint: "LIKE … (OVERWRITING OPTIONS) replaces it.")
            }
            draft.options[option.key] = option.value
        }
    }

    /// Refuses what the connector does not know, at the option that says it. A table without a connector may only be copied, and says so when it is used.
    func checkOptions(_ table: CatalogTable, _ path: ObjectPath, _ options: [OptionSyntax], _ range: SourceRange, _ source: SourceText)
        throws(MillstreamError)
    {
        guard table.options["connector"] != nil else { return }
        do { _ = try factories.describe(table, at: path) } catch {
            guard error.code == .configuration else { throw error }
            let place = options.first { error.message.contains("'\($0.key)'") } ?? options.first { error.message.contains("'\($0.value)'") }
            throw source.error(error.message, at: place?.range ?? range, hint: error.hint, code: .configuration)
        }
    }

    // MARK: LIKE

    private static let likeDefaults = ["OPTIONS": "OVERWRITING"]
    private static let overwritable: Set = ["GENERATED", "METADATA", "OPTIONS", "WATERMARKS"]

    /// INCLUDING, EXCLUDING or OVERWRITING, for a feature.
    private func behaviour(_ feature: String, _ like: LikeSyntax?) -> String {
        guard let like else { return "OVERWRITING" }
        return like.options.first { $0.feature == feature }?.behaviour ?? like.options.first { $0.feature == "ALL" }?.behaviour ?? Self.likeDefaults[
            feature] ?? "INCLUDING"
    }

    /// What LIKE takes from its table.
    private func likeDraft(_ syntax: CreateTableSyntax, _ source: SourceText) throws(MillstreamError) -> TableDraft {
        var draft = TableDraft()
        guard let like = syntax.like else { return draft }
        for (position, option) in like.options.enumerated() {
            if option.behaviour == "OVERWRITING", !Self.overwritable.contains(option.feature) {
                throw source.error(
                    "\(option.feature) cannot be overwritten", at: option.range,
                    hint: "INCLUDING or EXCLUDING; OVERWRITING goes with GENERATED, METADATA, OPTIONS and WATERMARKS.")
            }
            if like.options[..<position].contains(where: { $0.feature == option.feature }) {
                throw source.error("LIKE says twice what to do with \(option.feature)", at: option.range)
            }
        }
        let resolved = try catalogs.resolve(like.source, in: source)
        guard case .table(let table) = resolved.object else {
            throw source.error(
                "'\(resolved.path)' is a view; LIKE takes a table", at: like.source.range,
                hint: "CREATE TABLE … AS SELECT takes the columns of a query.")
        }
        let whole = try TableDraft(table)
        for column in whole.columns {
            switch column.value {
            case .physical: draft.columns.append(column)
            case .metadata: if behaviour("METADATA", like) != "EXCLUDING" { draft.columns.append(column) }
            case .computed: if behaviour("GENERATED", like) != "EXCLUDING" { draft.columns.append(column) }
            }
        }
        if behaviour("CONSTRAINTS", like) != "EXCLUDING" { draft.primaryKey = whole.primaryKey }
        if behaviour("WATERMARKS", like) != "EXCLUDING" { draft.watermark = whole.watermark }
        if behaviour("DISTRIBUTION", like) != "EXCLUDING" { draft.distribution = whole.distribution }
        if behaviour("OPTIONS", like) != "EXCLUDING" { draft.options = whole.options }
        // As in Flink, EXCLUDING only lets the new table have partitions of its own.
        draft.partitionKeys = whole.partitionKeys
        return draft
    }

    /// Adds a column of the statement to those of LIKE.
    private func add(_ column: TableDraft.Column, to draft: inout TableDraft, isLike: Bool, _ syntax: CreateTableSyntax, _ source: SourceText)
        throws(MillstreamError)
    {
        guard let index = draft.index(of: column.name), draft.columns[index].range == nil else { return draft.columns.append(column) }
        let there = draft.columns[index]
        let range = column.range ?? syntax.name.range
        switch (there.value, column.value) {
        case (.computed, .computed) where behaviour("GENERATED", syntax.like) == "OVERWRITING": draft.columns[index] = column
        case (.metadata, .metadata) where behaviour("METADATA", syntax.like) == "OVERWRITING": draft.columns[index] = column
        case (.computed, .computed):
            throw source.error(
                "the table of LIKE has a computed column '\(column.name)' already", at: range,
                hint: "LIKE … (OVERWRITING GENERATED) replaces it, EXCLUDING GENERATED leaves all of them out.")
        case (.metadata, .metadata):
            throw source.error(
                "the table of LIKE has a metadata column '\(column.name)' already", at: range,
                hint: "LIKE … (OVERWRITING METADATA) replaces it, EXCLUDING METADATA leaves all of them out.")
        default: throw source.error("the table of LIKE has a column '\(column.name)' already", at: range)
        }
    }

    // MARK: AS

    /// CREATE TABLE … AS: the query's columns behind those that the statement adds.
    private func createAs(_ query: QuerySyntax, _ syntax: CreateTableSyntax, _ given: TableDraft, _ path: ObjectPath, _ source: SourceText)
        throws(MillstreamError) -> StatementOutcome
    {
        if let like = syntax.like { throw source.error("LIKE and AS exclude each other", at: like.source.range) }
        let columns = try describe(query, source).columns
        var draft = given
        var names = columns.map(\.name)
        if !syntax.columnNames.isEmpty {
            guard syntax.columnNames.count == columns.count else {
                throw source.error(
                    "the query has \(columns.count) columns, the list \(syntax.columnNames.count)", at: syntax.columnNames[0].range,
                    hint: "The list orders the query's columns: \(names.joined(separator: ", ")).")
            }
            for name in syntax.columnNames where !names.contains(where: { $0.isSame(as: name.text) }) {
                throw source.error(
                    "the query has no column '\(name.text)'", at: name.range,
                    hint: NearestName.hint(name.text, among: names) ?? "Its columns: \(names.joined(separator: ", ")).")
            }
            names = syntax.columnNames.map(\.text)
        }
        for name in names {
            guard let column = columns.first(where: { $0.name.isSame(as: name) }) else { continue }
            if let index = draft.index(of: name) {
                guard draft.columns[index].isPhysical else {
                    throw source.error(
                        "the query has a column '\(name)' as well", at: draft.columns[index].range ?? syntax.name.range,
                        hint: "A column of the query can be given a type, not an expression.")
                }
                // Its type is the statement's, its place the query's.
                draft.columns.append(draft.columns.remove(at: index))
            } else {
                draft.columns.append(TableDraft.Column(name: name, value: .physical(column.type), range: nil))
            }
        }
        let table = try draft.finish(self, source, at: syntax.name.range)
        if try catalogs.permanentObject(at: path) != nil, !syntax.isReplaced {
            if syntax.ifNotExists { return .result(.ok) }
            throw source.error("there is a table or view '\(path)' already", at: syntax.name.range, hint: "CREATE OR REPLACE TABLE … AS replaces it.")
        }
        try checkOptions(table, path, syntax.options, syntax.name.range, source)
        if table.options["connector"] == nil {
            throw source.error(
                "the table '\(path)' has no option 'connector'", at: syntax.name.range,
                hint: "Connectors: \(factories.connectorNames.joined(separator: ", ")).", code: .configuration)
        }
        try put(.table(table), at: path, isTemporary: false, syntax.name.range, source)
        // Columns by name: the table may have more, and in another order.
        let insert = InsertSyntax(
            target: syntax.name, isOverwrite: false, columns: columns.map { Identifier($0.name, syntax.name.range) }, query: query,
            range: syntax.range)
        return .createTableAs(
            InsertRequest(target: CatalogManager.Resolved(path: path, object: .table(table), isTemporary: false), insert: insert, source: source))
    }

    /// The columns of a query.
    func describe(_ query: QuerySyntax, _ source: SourceText) throws(MillstreamError) -> QueryDescription {
        guard let planner else { throw source.error("this session plans no queries", at: query.range, code: .unsupported) }
        return try planner.describe(query, in: source, session: self)
    }
}
