/// What an expression is made of, without what is in its subqueries.
extension ExpressionSyntax {
    var parts: [ExpressionSyntax] {
        switch kind {
        case .literal, .name, .star, .parameter, .unit, .arrayQuery, .mapQuery, .multisetQuery, .exists, .query: []
        case .unary(_, let operand): [operand]
        case .difference(let one, let other, _): [one, other]
        case .binary(_, let one, let other): [one, other]
        case .test(let operand, _, _): [operand]
        case .between(let value, let low, let high, _, _): [value, low, high]
        case .inList(let value, let list, _): [value] + list
        case .inQuery(let value, _, _): [value]
        case .quantified(_, let value, _, _): [value]
        case .quantifiedList(_, let value, _, let list): [value] + list
        case .match(let value, _, let pattern, let escape, _): [value, pattern] + (escape.map { [$0] } ?? [])
        case .case(let operand, let branches, let otherwise):
            (operand.map { [$0] } ?? []) + branches.flatMap { $0.conditions + [$0.result] } + (otherwise.map { [$0] } ?? [])
        case .cast(let operand, _, _): [operand]
        case .call(let call): call.parts
        case .row(let items), .array(let items), .map(let items), .multiset(let items): items
        case .element(let collection, let index): [collection, index]
        case .field(let row, _), .allFields(let row): [row]
        case .json(let call): call.arguments + (call.filter.map { [$0] } ?? []) + (call.over?.parts ?? [])
        }
    }

    /// The outermost parts for which `isWanted` holds, this one first, from left to right.
    func outermost(_ isWanted: (ExpressionSyntax) -> Bool) -> [ExpressionSyntax] {
        if isWanted(self) { return [self] }
        return parts.flatMap { $0.outermost(isWanted) }
    }

    /// All parts for which `isWanted` holds, inner ones before those that hold them.
    func all(_ isWanted: (ExpressionSyntax) -> Bool) -> [ExpressionSyntax] {
        parts.flatMap { $0.all(isWanted) } + (isWanted(self) ? [self] : [])
    }

    func contains(_ isWanted: (ExpressionSyntax) -> Bool) -> Bool { isWanted(self) || parts.contains { $0.contains(isWanted) } }

    /// The parts of ANDs.
    var conjuncts: [ExpressionSyntax] {
        if case .binary(.and, let one, let other) = kind { return one.conjuncts + other.conjuncts }
        return [self]
    }
}

extension CallSyntax {
    var values: [ExpressionSyntax] { arguments.compactMap { if case .expression(let value) = $0.value { value } else { nil } } }
    var parts: [ExpressionSyntax] { values + orderBy.map(\.expression) + (filter.map { [$0] } ?? []) + (over?.parts ?? []) }
}

extension WindowReference {
    var parts: [ExpressionSyntax] {
        guard case .inline(let window) = self else { return [] }
        return window.partitionBy + window.orderBy.map(\.expression)
    }
}
