import Columnar

extension SQLSession {
    /// One statement, with or without a semicolon.
    public func execute(_ text: String) throws(MillstreamError) -> StatementOutcome {
        let source = SourceText(text)
        return try execute(try Parser.statement(text), source)
    }

    /// One statement of a text that holds more.
    public func execute(_ statement: StatementSyntax, _ source: SourceText) throws(MillstreamError) -> StatementOutcome {
        if openStatementSet != nil, let outcome = try withinStatementSet(statement, source) { return outcome }
        switch statement.kind {
        case .query(let query): return .query(query)
        case .insert(let insert): return .insert([try request(insert, source)])
        case .statementSet(let inserts): return .insert(try requests(inserts, source, statement.range))
        case .beginStatementSet:
            openStatementSet = []
            return .result(.ok)
        case .end: throw source.error("END without BEGIN STATEMENT SET", at: statement.range)
        case .explain(let explain): return .explain(explain)
        case .delete(let name, let condition): return .delete(try modified(name, "DELETE", .delete, source, statement.range), condition)
        case .update(let name, let assignments, let condition):
            return .update(try modified(name, "UPDATE", .update, source, statement.range), assignments, condition)
        case .truncate(let name): return .truncate(try modified(name, "TRUNCATE TABLE", .truncate, source, statement.range))
        case .createTable(let table): return try create(table, source)
        case .createView(let view): return .result(try create(view, source))
        case .createFunction(let function): return .result(try create(function, source))
        case .createCatalog(let name, let ifNotExists, let comment, let options):
            return .result(try createCatalog(name, ifNotExists: ifNotExists, comment, options, source))
        case .createDatabase(let name, let ifNotExists, let comment, let options):
            return .result(try createDatabase(name, ifNotExists: ifNotExists, comment, options, source))
        case .drop(let drop): return .result(try self.drop(drop, source))
        case .alterTable(let name, let ifExists, let change):
            return .result(try alterTable(name, ifExists: ifExists, change, source, statement.range))
        case .renameView(let name, let new): return .result(try renameView(name, new, source))
        case .redefineView(let name, let query): return .result(try redefineView(name, query, source))
        case .alterDatabase(let name, let options): return .result(try alterDatabase(name, options, source))
        case .alterFunction(let function, let ifExists): return .result(try alter(function, ifExists: ifExists, source))
        case .alterCatalog(let name, let change): return .result(try alterCatalog(name, change, source))
        case .use(let name): return .result(try use(name, source))
        case .useCatalog(let name):
            try placing(name.range, source) { () throws(MillstreamError) in try catalogs.useCatalog(name.text) }
            return .result(.ok)
        case .useModules(let names):
            try modules.use(names, source)
            return .result(.ok)
        case .loadModule(let name, let options):
            try modules.load(name, options, source)
            return .result(.ok)
        case .unloadModule(let name):
            try modules.unload(name, source)
            return .result(.ok)
        case .show(let show):
            if show.kind == .jobs { return .showJobs }
            return .result(try self.show(show, source, statement.range))
        case .describe(let describe):
            if describe.kind == .job { return .describeJob(describe.name.parts[0].text) }
            return .result(try self.describe(describe, source))
        case .set(let option): return .result(try set(option, source))
        case .reset(let key): return .result(try reset(key, source, statement.range))
        case .addJar(let path): return .result(addJar(path))
        case .removeJar(let path): return .result(try removeJar(path, source, statement.range))
        case .showJars: return .result(.list("jars", jars))
        case .analyze(let name):
            // Statistics are taken from the data when they are needed; the table must be there all the same.
            _ = try catalogs.resolve(name, in: source)
            return .result(.ok)
        case .call(let call):
            throw source.error("there is no procedure '\(call.name.text)'", at: call.name.range, hint: "No catalog here has procedures.")
        case .other(let what): throw source.error("\(what) is not built", at: statement.range, code: .unsupported)
        }
    }
}
