import Columnar

/// A result that the session itself gives: of SHOW, DESCRIBE, CREATE, SET, …
public struct ResultTable: Hashable, Sendable {
    /// Flink's names of kinds of results.
    public enum Kind: String, Hashable, Sendable {
        case success = "SUCCESS"
        case successWithContent = "SUCCESS_WITH_CONTENT"
        case set = "SET"
        case reset = "RESET"
    }

    public var kind: Kind
    public var columns: [Field]
    public var rows: [[Scalar]]

    public init(_ kind: Kind, _ columns: [Field], _ rows: [[Scalar]]) {
        self.kind = kind
        self.columns = columns
        self.rows = rows
    }

    /// One row that says OK.
    public static let ok = ok(.success)
    static func ok(_ kind: Kind) -> ResultTable { ResultTable(kind, [Field("result", .string)], [[.string("OK")]]) }

    /// One column of texts.
    static func list(_ column: String, _ texts: [String]) -> ResultTable {
        ResultTable(.successWithContent, [Field(column, .string)], texts.map { [.string($0)] })
    }

    static func text(_ text: String) -> ResultTable { list("result", [text]) }
}

/// One INSERT with its target, ready to plan.
public struct InsertRequest: Sendable {
    public var target: CatalogManager.Resolved
    public var insert: InsertSyntax
    /// The text that the places in `insert` mean.
    public var source: SourceText

    public init(target: CatalogManager.Resolved, insert: InsertSyntax, source: SourceText) {
        self.target = target
        self.insert = insert
        self.source = source
    }
}

/// What a statement comes to: a result, or work for the planner and the engine.
public enum StatementOutcome: Sendable {
    /// Done; this is its result.
    case result(ResultTable)
    case query(QuerySyntax)
    /// One job with these sinks: a single INSERT, or a statement set.
    case insert([InsertRequest])
    /// The table is made; one job is to fill it. Of `table.rtas-ctas.atomicity-enabled` the caller takes care.
    case createTableAs(InsertRequest)
    case explain(ExplainSyntax)
    /// Rows of a table to delete or change, which its connector must be able to do itself.
    case delete(CatalogManager.Resolved, ExpressionSyntax?)
    case update(CatalogManager.Resolved, [AssignmentSyntax], ExpressionSyntax?)
    case truncate(CatalogManager.Resolved)
    /// Jobs belong to who runs them.
    case showJobs
    case describeJob(String)
}
