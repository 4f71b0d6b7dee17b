import Columnar

extension SQLSession {
    /// One INSERT with its table.
    func request(_ insert: InsertSyntax, _ source: SourceText) throws(MillstreamError) -> InsertRequest {
        let target = try catalogs.resolve(insert.target, in: source)
        guard case .table = target.object else {
            throw source.error("'\(target.path)' is a view; nothing can be written into it", at: insert.target.range)
        }
        if insert.isOverwrite, options.runtimeMode == .streaming {
            throw source.error(
                "INSERT OVERWRITE does not exist in streaming mode", at: insert.range,
                hint: "SET 'execution.runtime-mode' = 'BATCH', or INSERT INTO.", code: .unsupported)
        }
        return InsertRequest(target: target, insert: insert, source: source)
    }

    func requests(_ inserts: [InsertSyntax], _ source: SourceText, _ range: SourceRange) throws(MillstreamError) -> [InsertRequest] {
        guard !inserts.isEmpty else { throw source.error("the statement set has no INSERT", at: range) }
        var requests: [InsertRequest] = []
        for insert in inserts { requests.append(try request(insert, source)) }
        return requests
    }

    /// Between BEGIN STATEMENT SET and END: INSERTs are kept, END runs them as one job. Nil: the statement is none of these, and goes on as usual.
    func withinStatementSet(_ statement: StatementSyntax, _ source: SourceText) throws(MillstreamError) -> StatementOutcome? {
        switch statement.kind {
        case .insert(let insert):
            openStatementSet?.append(try request(insert, source))
            return .result(.ok)
        case .end:
            let requests = openStatementSet ?? []
            openStatementSet = nil
            guard !requests.isEmpty else { throw source.error("the statement set has no INSERT", at: statement.range) }
            return .insert(requests)
        case .beginStatementSet: throw source.error("the statement set before this one has not ended", at: statement.range, hint: "END runs it.")
        default: throw source.error("only INSERT stands in a statement set", at: statement.range, hint: "END runs the set.")
        }
    }

    /// Whether INSERTs are being gathered since BEGIN STATEMENT SET.
    public var isInStatementSet: Bool { openStatementSet != nil }

    /// Forgets the INSERTs since BEGIN STATEMENT SET.
    public func abandonStatementSet() { openStatementSet = nil }

    /// The table that DELETE, UPDATE or TRUNCATE changes. Refused in streaming mode, and where the connector cannot do it itself.
    func modified(_ name: QualifiedName, _ what: String, _ role: TableRoles, _ source: SourceText, _ range: SourceRange) throws(MillstreamError)
        -> CatalogManager.Resolved
    {
        guard options.runtimeMode != .streaming else {
            throw source.error(
                "\(what) does not exist in streaming mode", at: range, hint: "SET 'execution.runtime-mode' = 'BATCH'.", code: .unsupported)
        }
        let resolved = try catalogs.resolve(name, in: source)
        guard case .table(let table) = resolved.object else {
            throw source.error("'\(resolved.path)' is a view; its rows cannot be changed", at: name.range)
        }
        let description = try placing(name.range, source) { () throws(MillstreamError) in try factories.describe(table, at: resolved.path) }
        guard description.roles.contains(role) else {
            throw source.error("\(what) is not what the connector '\(description.connector)' can do", at: name.range, code: .unsupported)
        }
        return resolved
    }
}
