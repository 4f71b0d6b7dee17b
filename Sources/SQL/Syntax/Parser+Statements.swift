import Columnar

extension Parser {
    /// One statement, without the semicolon behind it.
    mutating func statement() throws(MillstreamError) -> StatementSyntax {
        try enter()
        defer { leave() }
        let start = token.range.start
        let kind = try statementKind()
        return StatementSyntax(kind: kind, range: range(from: start))
    }

    private mutating func statementKind() throws(MillstreamError) -> StatementSyntax.Kind {
        if startsQuery { return .query(try query()) }
        switch token.keyword {
        case "INSERT": return .insert(try insert())
        case "UPSERT": throw error("UPSERT does not exist", at: token.range, hint: "INSERT INTO a table with a primary key replaces rows of the same key.")
        case "EXECUTE": return try execute()
        case "BEGIN":
            advance()
            try expect("STATEMENT")
            try expect("SET")
            return .beginStatementSet
        case "END":
            advance()
            return .end
        case "DELETE":
            advance()
            try expect("FROM")
            let name = try qualifiedName("a table's name")
            return .delete(name, accept("WHERE") ? try expression() : nil)
        case "UPDATE":
            advance()
            let name = try qualifiedName("a table's name")
            try expect("SET")
            var assignments: [AssignmentSyntax] = []
            repeat {
                let column = try identifier("a column's name")
                try expect("=")
                assignments.append(AssignmentSyntax(column: column, value: try expression()))
            } while accept(",")
            return .update(name, assignments, accept("WHERE") ? try expression() : nil)
        case "TRUNCATE":
            advance()
            try expect("TABLE")
            return .truncate(try qualifiedName("a table's name"))
        case "EXPLAIN": return try explain()
        case "CREATE": return try create()
        case "DROP": return .drop(try drop())
        case "ALTER": return try alter()
        case "USE":
            advance()
            if accept("CATALOG") { return .useCatalog(try identifier("a catalog's name")) }
            if accept("MODULES") {
                var names = [try identifier()]
                while accept(",") { names.append(try identifier()) }
                return .useModules(names)
            }
            return .use(try qualifiedName("a database's name"))
        case "LOAD":
            advance()
            try expect("MODULE")
            return .loadModule(try identifier("a module's name"), accept("WITH") ? try options() : [])
        case "UNLOAD":
            advance()
            try expect("MODULE")
            return .unloadModule(try identifier("a module's name"))
        case "SHOW": return try show()
        case "DESCRIBE", "DESC": return .describe(try describe())
        case "SET":
            advance()
            if isAtEnd || at(";") { return .set(nil) }
            return .set(try assignment())
        case "RESET":
            advance()
            if isAtEnd || at(";") { return .reset(nil) }
            return .reset(try optionKey())
        case "ADD":
            advance()
            try expect("JAR")
            return .addJar(try string())
        case "REMOVE":
            advance()
            try expect("JAR")
            return .removeJar(try string())
        case "ANALYZE":
            advance()
            try expect("TABLE")
            let name = try qualifiedName("a table's name")
            while !isAtEnd, !at(";") { advance() }
            return .analyze(name)
        case "CALL":
            advance()
            let name = try qualifiedName("a procedure's name")
            guard case .call(let call) = try call(name, name.range.start).kind else { throw unexpected("a procedure") }
            return .call(call)
        case "COMPILE", "STOP", "MERGE", "REFRESH":
            let word = token.keyword
            while !isAtEnd, !at(";") { advance() }
            return .other(word)
        default:
            if isAtEnd || at(";") { throw unexpected("a statement") }
            throw unexpected("a statement: SELECT, INSERT, CREATE, DROP, ALTER, SHOW, DESCRIBE, EXPLAIN, USE, SET …")
        }
    }

    /// `'key' = 'value'`, or without quotes up to the end.
    private mutating func assignment() throws(MillstreamError) -> OptionSyntax {
        let start = token.range.start
        let key = try optionKey()
        try expect("=")
        if token.kind == .string {
            let value = try string()
            return OptionSyntax(key: key, value: value, range: range(from: start))
        }
        let from = token.range.start
        while !isAtEnd, !at(";") { advance() }
        guard lastEnd > from else { throw unexpected("a value") }
        return OptionSyntax(key: key, value: source.string(SourceRange(from, lastEnd)), range: range(from: start))
    }

    private mutating func ifNotExists() -> Bool { accept("IF", "NOT", "EXISTS") }
    private mutating func ifExists() -> Bool { accept("IF", "EXISTS") }
    private mutating func comment() throws(MillstreamError) -> String? { accept("COMMENT") ? try string() : nil }

    // MARK: INSERT

    private mutating func insert() throws(MillstreamError) -> InsertSyntax {
        let start = token.range.start
        try expect("INSERT")
        let isOverwrite = accept("OVERWRITE")
        if isOverwrite { _ = accept("INTO") } else { try expect("INTO") }
        _ = accept("TABLE")
        let target = try qualifiedName("a table's name")
        let hints = try hints()
        var insert = InsertSyntax(
            target: target, hints: hints, isOverwrite: isOverwrite, query: QuerySyntax(body: .values([]), range: token.range), range: token.range)
        if accept("PARTITION") { insert.partition = try partition() }
        if at("("), !startsQuery { insert.columns = try identifierList() }
        insert.query = try query()
        if accept("ON", "CONFLICT") {
            try expect("DO")
            if accept("ERROR") { insert.conflict = .error } else if accept("NOTHING") { insert.conflict = .nothing } else if accept("DEDUPLICATE") { insert.conflict = .deduplicate } else {
                throw unexpected("ERROR, NOTHING or DEDUPLICATE")
            }
        }
        insert.range = range(from: start)
        return insert
    }

    /// `(day = '2024-01-01', region = 'eu')`; without a value the column is open.
    private mutating func partition() throws(MillstreamError) -> [AssignmentSyntax] {
        try expect("(")
        var partition: [AssignmentSyntax] = []
        repeat {
            let column = try identifier("a column's name")
            let value = accept("=") ? try expression() : ExpressionSyntax(.literal(.null), column.range)
            partition.append(AssignmentSyntax(column: column, value: value))
        } while accept(",")
        try expect(")")
        return partition
    }

    private mutating func execute() throws(MillstreamError) -> StatementSyntax.Kind {
        try expect("EXECUTE")
        if accept("STATEMENT", "SET") { return .statementSet(try statementSet()) }
        if accept("PLAN") {
            while !isAtEnd, !at(";") { advance() }
            return .other("EXECUTE PLAN")
        }
        if at("INSERT") { return .insert(try insert()) }
        if startsQuery { return .query(try query()) }
        throw unexpected("STATEMENT SET, PLAN, INSERT or a query")
    }

    /// `BEGIN INSERT …; INSERT …; END`.
    private mutating func statementSet() throws(MillstreamError) -> [InsertSyntax] {
        try expect("BEGIN")
        var inserts: [InsertSyntax] = []
        while !at("END") {
            guard at("INSERT") else { throw unexpected("INSERT or END") }
            inserts.append(try insert())
            guard accept(";") || at("END") else { throw unexpected("';'") }
        }
        try expect("END")
        return inserts
    }

    private mutating func explain() throws(MillstreamError) -> StatementSyntax.Kind {
        try expect("EXPLAIN")
        var details: [String] = []
        let known: Set = ["CHANGELOG_MODE", "ESTIMATED_COST", "JSON_EXECUTION_PLAN", "PLAN_ADVICE"]
        if accept("PLAN", "FOR") {
        } else {
            while known.contains(token.keyword) {
                details.append(token.keyword)
                advance()
                if !accept(",") { break }
            }
        }
        let start = token.range.start
        if accept("STATEMENT", "SET") {
            let inserts = try statementSet()
            return .explain(ExplainSyntax(details: details, statement: StatementSyntax(kind: .statementSet(inserts), range: range(from: start))))
        }
        let statement = try statement()
        switch statement.kind {
        case .query, .insert, .statementSet: return .explain(ExplainSyntax(details: details, statement: statement))
        case .createTable(let table) where table.query != nil: return .explain(ExplainSyntax(details: details, statement: statement))
        default: throw error("EXPLAIN takes a query or INSERT", at: statement.range)
        }
    }

    // MARK: CREATE

    private mutating func create() throws(MillstreamError) -> StatementSyntax.Kind {
        let start = token.range.start
        try expect("CREATE")
        let isReplaced = accept("OR", "REPLACE")
        if at("OR", "ALTER") {
            while !isAtEnd, !at(";") { advance() }
            return .other("CREATE OR ALTER")
        }
        let isTemporary = accept("TEMPORARY")
        let isSystem = isTemporary && accept("SYSTEM")
        func refuse(_ flag: Bool, _ word: String) throws(MillstreamError) {
            if flag { throw error("CREATE \(word) \(token.keyword) does not exist", at: range(from: start)) }
        }
        switch token.keyword {
        case "TABLE":
            try refuse(isSystem, "TEMPORARY SYSTEM")
            return .createTable(try createTable(start, isTemporary: isTemporary, isReplaced: isReplaced))
        case "VIEW":
            try refuse(isSystem, "TEMPORARY SYSTEM")
            advance()
            let ifNotExists = ifNotExists()
            let name = try qualifiedName("a view's name")
            let columns = try optionalIdentifierList()
            let comment = try comment()
            try expect("AS")
            let query = try query()
            return .createView(CreateViewSyntax(
                name: name, isTemporary: isTemporary, isReplaced: isReplaced, ifNotExists: ifNotExists, columns: columns, comment: comment, query: query))
        case "FUNCTION":
            try refuse(isReplaced, "OR REPLACE")
            advance()
            return .createFunction(try function(isTemporary: isTemporary, isSystem: isSystem, ifNotExists: ifNotExists()))
        case "CATALOG":
            try refuse(isTemporary, "TEMPORARY")
            advance()
            let ifNotExists = ifNotExists()
            let name = try identifier("a catalog's name")
            let comment = try comment()
            return .createCatalog(name: name, ifNotExists: ifNotExists, comment: comment, options: accept("WITH") ? try options() : [])
        case "DATABASE":
            try refuse(isTemporary, "TEMPORARY")
            advance()
            let ifNotExists = ifNotExists()
            let name = try qualifiedName("a database's name")
            let comment = try comment()
            return .createDatabase(name: name, ifNotExists: ifNotExists, comment: comment, options: accept("WITH") ? try options() : [])
        case "MODEL", "MATERIALIZED", "CONNECTION":
            let word = token.keyword == "MATERIALIZED" ? "MATERIALIZED TABLE" : token.keyword
            while !isAtEnd, !at(";") { advance() }
            return .other("CREATE \(word)")
        default: throw unexpected("TABLE, VIEW, FUNCTION, CATALOG or DATABASE")
        }
    }

    private mutating func createTable(_ start: Int, isTemporary: Bool, isReplaced: Bool) throws(MillstreamError) -> CreateTableSyntax {
        try expect("TABLE")
        let ifNotExists = ifNotExists()
        var table = CreateTableSyntax(name: try qualifiedName("a table's name"), range: token.range)
        (table.isTemporary, table.isReplaced, table.ifNotExists) = (isTemporary, isReplaced, ifNotExists)
        if accept("(") {
            if !at(")") { try tableElements(&table) }
            try expect(")")
        }
        table.comment = try comment()
        if at("DISTRIBUTED") { table.distribution = try distribution() }
        if accept("PARTITIONED", "BY") { table.partitionedBy = try identifierList() }
        if accept("WITH") { table.options = try options() }
        if accept("LIKE") { table.like = try like() }
        if accept("AS") { table.query = try query() }
        table.range = range(from: start)
        return table
    }

    private mutating func tableElements(_ table: inout CreateTableSyntax) throws(MillstreamError) {
        // `(a, b) AS SELECT`: names alone.
        if isName(token), peek().keyword == "," || peek().keyword == ")" {
            repeat { table.columnNames.append(try identifier("a column's name")) } while accept(",")
            return
        }
        repeat {
            if at("WATERMARK") {
                let watermark = try watermark()
                guard table.watermarks.isEmpty else { throw error("a table has one WATERMARK", at: watermark.range) }
                table.watermarks.append(watermark)
            } else if at("PRIMARY") || at("UNIQUE") || at("CONSTRAINT") {
                table.constraints.append(try constraint())
            } else {
                table.columns.append(try column())
            }
        } while accept(",")
    }

    mutating func watermark() throws(MillstreamError) -> WatermarkSyntax {
        let start = token.range.start
        try expect("WATERMARK")
        try expect("FOR")
        let column = try qualifiedName("a column's name")
        try expect("AS")
        let expression = try expression()
        return WatermarkSyntax(column: column, expression: expression, range: range(from: start))
    }

    private mutating func constraint() throws(MillstreamError) -> ConstraintSyntax {
        let start = token.range.start
        let name = accept("CONSTRAINT") ? try identifier("a constraint's name") : nil
        let isPrimaryKey = at("PRIMARY")
        if isPrimaryKey {
            advance()
            try expect("KEY")
        } else {
            try expect("UNIQUE")
        }
        let columns = try identifierList()
        let isEnforced = accept("NOT", "ENFORCED") ? false : accept("ENFORCED") ? true : nil
        return ConstraintSyntax(name: name, isPrimaryKey: isPrimaryKey, columns: columns, isEnforced: isEnforced, range: range(from: start))
    }

    private mutating func column(allowsPlace: Bool = false) throws(MillstreamError) -> ColumnSyntax {
        let start = token.range.start
        let name = try qualifiedName("a column's name")
        var column: ColumnSyntax
        if accept("AS") {
            let value = try expression()
            column = ColumnSyntax(name: name, kind: .computed(value), range: range(from: start))
        } else {
            let type = try type()
            column = ColumnSyntax(name: name, kind: .physical(type), range: range(from: start))
            if accept("METADATA") {
                let key = accept("FROM") ? try string() : nil
                column.kind = .metadata(type, key: key, isVirtual: accept("VIRTUAL"))
            } else {
                while true {
                    if accept("PRIMARY", "KEY") { column.isPrimaryKey = true } else if accept("UNIQUE") { column.isUnique = true } else { break }
                    if !accept("NOT", "ENFORCED"), at("ENFORCED") { throw error("a constraint that is ENFORCED does not exist", at: token.range, hint: "NOT ENFORCED says that the data keep to it.") }
                }
            }
        }
        column.comment = try comment()
        if allowsPlace {
            if accept("FIRST") { column.place = .first } else if accept("AFTER") { column.place = .after(try identifier("a column's name")) }
        }
        column.range = range(from: start)
        return column
    }

    private mutating func distribution() throws(MillstreamError) -> DistributionSyntax {
        if !accept("DISTRIBUTED") { try expect("DISTRIBUTION") }
        var distribution = DistributionSyntax(kind: nil, columns: [], buckets: nil)
        if accept("BY") {
            if accept("HASH") { distribution.kind = "HASH" } else if accept("RANGE") { distribution.kind = "RANGE" }
            distribution.columns = try identifierList()
        }
        if accept("INTO") {
            distribution.buckets = try integer("a number of buckets")
            try expect("BUCKETS")
        }
        return distribution
    }

    private mutating func like() throws(MillstreamError) -> LikeSyntax {
        var like = LikeSyntax(source: try qualifiedName("a table's name"), options: [])
        guard accept("(") else { return like }
        while !at(")") {
            let start = token.range.start
            let behaviour = token.keyword
            guard accept("INCLUDING") || accept("EXCLUDING") || accept("OVERWRITING") else { throw unexpected("INCLUDING, EXCLUDING or OVERWRITING") }
            let feature = token.keyword
            guard ["ALL", "CONSTRAINTS", "DISTRIBUTION", "GENERATED", "METADATA", "OPTIONS", "PARTITIONS", "WATERMARKS"].contains(feature) else {
                throw unexpected("ALL, CONSTRAINTS, DISTRIBUTION, GENERATED, METADATA, OPTIONS, PARTITIONS or WATERMARKS")
            }
            advance()
            like.options.append(LikeSyntax.Option(behaviour: behaviour, feature: feature, range: range(from: start)))
        }
        try expect(")")
        return like
    }

    private mutating func function(isTemporary: Bool, isSystem: Bool, ifNotExists: Bool) throws(MillstreamError) -> CreateFunctionSyntax {
        let name = try qualifiedName("a function's name")
        try expect("AS")
        let definition = try string("the function's class in quotes")
        var language: String?
        if accept("LANGUAGE") {
            guard token.kind == .word else { throw unexpected("a language: PYTHON, C, JAVA or SCALA") }
            language = token.keyword
            advance()
        }
        var resources: [OptionSyntax] = []
        if accept("USING") {
            repeat {
                let start = token.range.start
                guard token.kind == .word, ["JAR", "FILE", "ARTIFACT", "LIBRARY"].contains(token.keyword) else { throw unexpected("JAR, LIBRARY, FILE or ARTIFACT") }
                let kind = token.keyword
                advance()
                let path = try string("a path in quotes")
                resources.append(OptionSyntax(key: kind, value: path, range: range(from: start)))
            } while accept(",")
        }
        var function = CreateFunctionSyntax(
            name: name, isTemporary: isTemporary, isSystem: isSystem, ifNotExists: ifNotExists, definition: definition, language: language, resources: resources)
        if accept("WITH") { function.options = try options() }
        return function
    }

    // MARK: DROP and ALTER

    private mutating func drop() throws(MillstreamError) -> DropSyntax {
        try expect("DROP")
        let isTemporary = accept("TEMPORARY")
        let isSystem = isTemporary && accept("SYSTEM")
        guard let kind = DropSyntax.Kind(rawValue: token.keyword) else { throw unexpected("TABLE, VIEW, DATABASE, CATALOG or FUNCTION") }
        advance()
        let ifExists = ifExists()
        let name = try qualifiedName()
        var isCascade = false
        if kind == .database { if accept("CASCADE") { isCascade = true } else { _ = accept("RESTRICT") } }
        return DropSyntax(kind: kind, name: name, isTemporary: isTemporary, isSystem: isSystem, ifExists: ifExists, isCascade: isCascade)
    }

    private mutating func alter() throws(MillstreamError) -> StatementSyntax.Kind {
        try expect("ALTER")
        let isTemporary = accept("TEMPORARY")
        let isSystem = isTemporary && accept("SYSTEM")
        if accept("FUNCTION") {
            let ifExists = ifExists()
            return .alterFunction(try function(isTemporary: isTemporary, isSystem: isSystem, ifNotExists: false), ifExists: ifExists)
        }
        if isTemporary { throw unexpected("FUNCTION") }
        if accept("TABLE") {
            let ifExists = ifExists()
            let name = try qualifiedName("a table's name")
            return .alterTable(name, ifExists: ifExists, try alterTable())
        }
        if accept("VIEW") {
            let name = try qualifiedName("a view's name")
            if accept("RENAME", "TO") { return .renameView(name, try qualifiedName()) }
            try expect("AS")
            return .redefineView(name, try query())
        }
        if accept("DATABASE") {
            let name = try qualifiedName("a database's name")
            try expect("SET")
            return .alterDatabase(name, try options())
        }
        if accept("CATALOG") {
            let name = try identifier("a catalog's name")
            if accept("SET") { return .alterCatalog(name, .set(try options())) }
            if accept("RESET") { return .alterCatalog(name, .reset(try optionKeys())) }
            try expect("COMMENT")
            return .alterCatalog(name, .comment(try string()))
        }
        if at("MODEL") || at("MATERIALIZED") {
            let word = token.keyword
            while !isAtEnd, !at(";") { advance() }
            return .other("ALTER \(word)")
        }
        throw unexpected("TABLE, VIEW, DATABASE, CATALOG or FUNCTION")
    }

    private mutating func alterTable() throws(MillstreamError) -> AlterTableSyntax {
        if accept("RENAME") {
            if accept("TO") { return .renameTo(try qualifiedName("a table's name")) }
            let column = try qualifiedName("a column's name")
            try expect("TO")
            return .renameColumn(column, try identifier("a column's name"))
        }
        if accept("SET") { return .set(try options()) }
        if accept("RESET") { return .reset(try optionKeys()) }
        if accept("ADD") {
            if at("PARTITION") || at("IF") {
                let ifNotExists = ifNotExists()
                var partitions: [[AssignmentSyntax]] = []
                while accept("PARTITION") {
                    partitions.append(try partition())
                    if accept("WITH") { _ = try options() }
                }
                guard !partitions.isEmpty else { throw unexpected("PARTITION") }
                return .addPartitions(partitions, ifNotExists: ifNotExists)
            }
            let (columns, watermarks, constraints, distribution) = try changes()
            return .add(columns, watermarks, constraints, distribution)
        }
        if accept("MODIFY") {
            let (columns, watermarks, constraints, distribution) = try changes()
            return .modify(columns, watermarks, constraints, distribution)
        }
        try expect("DROP")
        if at("PARTITION") || at("IF") {
            let ifExists = ifExists()
            var partitions: [[AssignmentSyntax]] = []
            repeat {
                try expect("PARTITION")
                partitions.append(try partition())
            } while accept(",") || at("PARTITION")
            return .dropPartitions(partitions, ifExists: ifExists)
        }
        if accept("PRIMARY", "KEY") { return .dropPrimaryKey }
        if accept("CONSTRAINT") { return .dropConstraint(try identifier("a constraint's name")) }
        if accept("WATERMARK") { return .dropWatermark }
        if accept("DISTRIBUTION") { return .dropDistribution }
        if accept("(") {
            var names = [try qualifiedName("a column's name")]
            while accept(",") { names.append(try qualifiedName("a column's name")) }
            try expect(")")
            return .dropColumns(names)
        }
        return .dropColumns([try qualifiedName("a column's name")])
    }

    /// What ADD and MODIFY name: one thing, or several in parentheses.
    private mutating func changes() throws(MillstreamError) -> ([ColumnSyntax], [WatermarkSyntax], [ConstraintSyntax], DistributionSyntax?) {
        var columns: [ColumnSyntax] = []
        var watermarks: [WatermarkSyntax] = []
        var constraints: [ConstraintSyntax] = []
        var distribution: DistributionSyntax?
        let isList = accept("(")
        repeat {
            if at("WATERMARK") {
                watermarks.append(try watermark())
            } else if at("PRIMARY") || at("UNIQUE") || at("CONSTRAINT") {
                constraints.append(try constraint())
            } else if at("DISTRIBUTION") {
                distribution = try self.distribution()
            } else {
                columns.append(try column(allowsPlace: true))
            }
        } while isList && accept(",")
        if isList { try expect(")") }
        return (columns, watermarks, constraints, distribution)
    }

    // MARK: SHOW and DESCRIBE

    private mutating func show() throws(MillstreamError) -> StatementSyntax.Kind {
        try expect("SHOW")
        if accept("JARS") { return .showJars }
        if accept("CREATE") {
            let kinds: [String: ShowSyntax.Kind] = ["TABLE": .createTable, "VIEW": .createView, "CATALOG": .createCatalog]
            guard let kind = kinds[token.keyword] else { throw unexpected("TABLE, VIEW or CATALOG") }
            advance()
            return .show(ShowSyntax(kind: kind, scope: try qualifiedName()))
        }
        if accept("CURRENT") {
            if accept("CATALOG") { return .show(ShowSyntax(kind: .currentCatalog)) }
            try expect("DATABASE")
            return .show(ShowSyntax(kind: .currentDatabase))
        }
        if accept("FULL") {
            try expect("MODULES")
            return .show(ShowSyntax(kind: .fullModules))
        }
        if accept("USER") {
            try expect("FUNCTIONS")
            return .show(try filtered(ShowSyntax(kind: .userFunctions)))
        }
        if accept("MATERIALIZED") {
            try expect("TABLES")
            return .show(try filtered(ShowSyntax(kind: .materializedTables)))
        }
        let kinds: [String: ShowSyntax.Kind] = [
            "CATALOGS": .catalogs, "DATABASES": .databases, "TABLES": .tables, "VIEWS": .views, "FUNCTIONS": .functions, "MODULES": .modules,
            "COLUMNS": .columns, "PARTITIONS": .partitions, "PROCEDURES": .procedures, "MODELS": .models, "JOBS": .jobs,
        ]
        guard let kind = kinds[token.keyword] else {
            throw unexpected("CATALOGS, DATABASES, TABLES, VIEWS, FUNCTIONS, COLUMNS, PARTITIONS, MODULES, CURRENT or CREATE")
        }
        advance()
        var show = ShowSyntax(kind: kind)
        if kind == .partitions {
            show.scope = try qualifiedName("a table's name")
            if accept("PARTITION") { show.partition = try partition() }
            return .show(show)
        }
        return .show(try filtered(show))
    }

    /// `FROM x NOT LIKE '…'`.
    private mutating func filtered(_ given: ShowSyntax) throws(MillstreamError) -> ShowSyntax {
        var show = given
        if accept("FROM") || accept("IN") { show.scope = try qualifiedName() }
        if show.kind == .columns, show.scope == nil { throw unexpected("FROM or IN") }
        show.isNegated = accept("NOT")
        if accept("LIKE") {
            show.pattern = try string("a pattern in quotes")
        } else if accept("ILIKE") {
            show.ignoresCase = true
            show.pattern = try string("a pattern in quotes")
        } else if show.isNegated {
            throw unexpected("LIKE or ILIKE")
        }
        return show
    }

    private mutating func describe() throws(MillstreamError) -> DescribeSyntax {
        advance()
        var kind = DescribeSyntax.Kind.table
        if at("CATALOG"), peek().kind != .end, peek().keyword != ";" {
            advance()
            kind = .catalog
        } else if at("DATABASE"), peek().kind != .end, peek().keyword != ";" {
            advance()
            kind = .database
        } else if at("FUNCTION") {
            advance()
            kind = .function
        } else if at("MODEL"), peek().kind != .end, peek().keyword != ";" {
            advance()
            kind = .model
        } else if at("JOB"), peek().kind == .string {
            advance()
            let place = token.range
            return DescribeSyntax(kind: .job, name: QualifiedName([Identifier(try string(), place)]), isExtended: false)
        } else if at("TABLE") {
            advance()
        }
        let isExtended = accept("EXTENDED")
        return DescribeSyntax(kind: kind, name: try qualifiedName(), isExtended: isExtended)
    }
}
