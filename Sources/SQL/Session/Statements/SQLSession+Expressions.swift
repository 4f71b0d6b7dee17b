import Columnar
import Plan

extension SQLSession {
    /// The type that a text means.
    func type(_ syntax: TypeSyntax, _ source: SourceText) throws(MillstreamError) -> DataType { try TypeResolution(source: source).type(syntax) }

    /// An expression of a table's definition over its columns.
    func bind(_ expression: ExpressionSyntax, _ source: SourceText, over columns: [ResultColumn]) throws(MillstreamError) -> ScalarExpression {
        let scope = TableScope([TableScope.Table([], columns.enumerated().map { ScopeColumn($0.element.name, $0.offset, $0.element.type) })])
        return try ScalarBinder(source, scope: scope, functions: userFunctions).bind(expression).expression
    }

    /// Whether a call of that name is one of a user's function: of a temporary system function, or of another whose name no built-in one has.
    func isUserFunction(_ name: QualifiedName) -> Bool {
        guard name.parts.count == 1 else { return true }
        guard let found = try? catalogs.function(name.parts.map(\.text)) else { return false }
        return found.path == nil || !builtInFunctions.contains(name.parts[0].text.uppercasedASCII)
    }
}
