import Columnar
import Expressions
import Plan

/// Resolves the names of an expression, finds its type and that of all its parts, and writes out the casts that SQL leaves unsaid.
///
/// Types, nullability, and what is refused are Flink's. The result is pure data: `ScalarProgram` computes it. Errors name line and column.
public struct ScalarBinder {
    /// The statement's text, for errors.
    public var source: SourceText
    public var scope: any BindingScope
    public var functions: any UserFunctions
    /// Asked first for each node.
    public var hook: (any BindingHook)?

    public init(_ source: SourceText, scope: any BindingScope, functions: any UserFunctions = NoUserFunctions(), hook: (any BindingHook)? = nil) {
        self.source = source
        self.scope = scope
        self.functions = functions
        self.hook = hook
    }

    /// A whole expression: a column of SELECT, a key, an argument. The word NULL alone is refused: it has no type.
    public func bind(_ expression: ExpressionSyntax) throws(MillstreamError) -> BoundScalar {
        let value = try operand(expression)
        if value.isNullLiteral { throw nullError(expression.range) }
        return value
    }

    /// A condition: of WHERE, ON, HAVING, QUALIFY, FILTER or WHEN (`clause`, for errors).
    public func bindCondition(_ expression: ExpressionSyntax, _ clause: String) throws(MillstreamError) -> BoundScalar {
        let value = try operand(expression)
        if value.isNullLiteral { return BoundScalar(.null(.boolean)) }
        guard value.type.kind == .boolean else {
            throw source.error("\(clause) takes a condition, this is \(value.type.kind)", at: expression.range, hint: "Compare it with something.")
        }
        return value
    }

    /// The type that the text means. Throws where there is no such type, or its numbers are out of bounds.
    public func type(_ syntax: TypeSyntax) throws(MillstreamError) -> DataType { try TypeResolution(source: source).type(syntax) }

    /// The value as one of another type, where that needs no CAST in the text: a column of INSERT, an argument, rows of VALUES. NULL fits all.
    public func coerce(_ value: BoundScalar, to type: DataType, at range: SourceRange) throws(MillstreamError) -> BoundScalar {
        guard Conversions.isImplicit(from: value.type, to: type) else {
            throw source.error(
                "a value of type \(value.type) does not fit \(type)", at: range, hint: "CAST(... AS \(type.kind)) converts it, if it can be.")
        }
        return Self.cast(value, to: type)
    }

    /// The type in which values meet that stand one above the other: rows of VALUES, the branches of a set operation. nil: they do not.
    public static func commonType(_ types: [DataType]) -> DataType? { CommonTypes.leastRestrictive(types) }

    /// The value as `type`, nullable where it is; nothing is done where only nullability differs.
    public static func cast(_ value: BoundScalar, to type: DataType, isTry: Bool = false) -> BoundScalar {
        if value.isNullLiteral { return BoundScalar(.null(type)) }
        if value.type.kind == type.kind, !isTry { return value }
        // Functions look at constant arguments once, so what is constant stays so where no value can fail.
        if !isTry, let constant = value.constant, let cast = ConstantCasts.cast(constant, value.type, to: type) {
            return BoundScalar(.constant(cast, type.nullable(value.type.isNullable)))
        }
        return BoundScalar(ScalarExpression(.cast(value.expression, isTry: isTry), type.nullable(value.type.isNullable || isTry)))
    }

    // MARK: Nodes

    /// A part of an expression; it may be the word NULL.
    func operand(_ expression: ExpressionSyntax) throws(MillstreamError) -> BoundScalar {
        if let hook, let value = try hook.replace(expression, in: self) { return value }
        switch expression.kind {
        case .literal(let literal): return try self.literal(literal, expression.range)
        case .name(let name): return try self.name(name)
        case .unary(let sign, let inner): return try unary(sign, inner, expression.range)
        case .binary(let sign, let left, let right): return try binary(sign, left, right, expression.range)
        case .test(let inner, let test, let isNegated): return try self.test(inner, test, isNegated, expression.range)
        case .between(let value, let low, let high, let isSymmetric, let isNegated):
            return try between(value, low, high, isSymmetric: isSymmetric, isNegated: isNegated, expression.range)
        case .inList(let value, let list, let isNegated): return try inList(value, list, isNegated, expression.range)
        case .quantifiedList(let sign, let value, let quantifier, let list): return try quantified(sign, value, quantifier, list, expression.range)
        case .match(let value, let kind, let pattern, let escape, let isNegated):
            return try match(value, kind, pattern, escape, isNegated, expression.range)
        case .case(let operand, let branches, let otherwise): return try conditional(operand, branches, otherwise, expression.range)
        case .cast(let inner, let type, let isTry): return try cast(inner, type, isTry, expression.range)
        case .difference(let left, let right, let type): return try difference(left, right, type, expression.range)
        case .row(let items): return try row(items, expression.range)
        case .array(let items): return try array(items, expression.range)
        case .map(let items): return try map(items, expression.range)
        case .multiset(let items): return try multiset(items, expression.range)
        case .element(let collection, let key): return try element(collection, key, expression.range)
        case .field(let inner, let field): return try self.field(try operand(inner), field)
        case .call(let call): return try self.call(call, expression.range)
        case .json(let call): return try json(call, expression.range)
        case .unit(let unit): throw source.error("the unit \(unit.rawValue) is no value", at: expression.range)
        case .star, .allFields: throw source.error("a star stands in the list of SELECT or in COUNT(*) alone", at: expression.range)
        case .parameter:
            throw source.error("a statement has no parameters", at: expression.range, hint: "Write the value in place of '?'.", code: .unsupported)
        case .inQuery, .quantified, .arrayQuery, .mapQuery, .multisetQuery, .exists, .query:
            throw source.error("a query cannot stand here", at: expression.range)
        }
    }

    func nullError(_ range: SourceRange) -> MillstreamError {
        source.error("NULL has no type here", at: range, hint: "CAST(NULL AS INT) is one of INT.")
    }

    // MARK: Names

    private func name(_ name: QualifiedName) throws(MillstreamError) -> BoundScalar {
        guard let found = try scope.resolve(name, source) else {
            if name.parts.count == 1, let call = Self.bareCall(name.parts[0]) { return try self.call(call, name.range) }
            throw unknown(name)
        }
        var value = found.value
        for part in name.parts.dropFirst(found.partCount) { value = try field(value, part) }
        return value
    }

    /// Functions that need no parentheses, which the parser takes for names.
    private static func bareCall(_ name: Identifier) -> CallSyntax? {
        ["PI"].contains(name.text.uppercasedASCII) ? CallSyntax(name: QualifiedName([name]), arguments: []) : nil
    }

    private func unknown(_ name: QualifiedName) -> MillstreamError {
        let names = scope.names
        let last = name.parts[name.parts.count - 1].text
        let owners = names.filter { $0.hasSuffix(".\(last)") }
        if name.parts.count > 1, !owners.isEmpty {
            return source.error("there is no '\(name.text)'", at: name.range, hint: "There is \(owners[0]).")
        }
        let other = names.first { $0.uppercasedASCII == name.text.uppercasedASCII } ?? NearestName.of(name.text, among: names)
        var hint = other.map { "Did you mean '\($0)'?" }
        if hint == nil {
            let columns = names.filter { !$0.contains(".") }
            hint =
                columns.isEmpty
                ? "A text stands in single quotes." : "There are: \(columns.prefix(12).joined(separator: ", "))\(columns.count > 12 ? ", ..." : "")."
        }
        return source.error("there is no column '\(name.text)'", at: name.range, hint: hint)
    }

    /// A field of a ROW by name.
    func field(_ row: BoundScalar, _ name: Identifier) throws(MillstreamError) -> BoundScalar {
        guard let fields = row.type.fields else {
            throw source.error(
                "a value of type \(row.type.kind) has no field '\(name.text)'", at: name.range,
                hint: row.type.kind == .variant ? "A part of a variant is value['\(name.text)']." : nil)
        }
        guard let index = fields.firstIndex(where: { $0.name == name.text }) else {
            let names = fields.map(\.name)
            throw source.error(
                "the row has no field '\(name.text)'", at: name.range,
                hint: NearestName.of(name.text, among: names).map { "Did you mean '\($0)'?" } ?? "Its fields are \(names.joined(separator: ", ")).")
        }
        let type = fields[index].type
        return BoundScalar(ScalarExpression(.field(row.expression, index), type.nullable(type.isNullable || row.type.isNullable)))
    }
}
