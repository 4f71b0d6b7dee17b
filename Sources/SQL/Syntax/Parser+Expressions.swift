import Columnar

extension Parser {
    /// How strongly an operator binds; greater is stronger. The order is Calcite's, with which Flink parses.
    private enum Precedence {
        static let or = 1
        static let and = 2
        static let not = 3
        static let test = 4
        static let comparison = 5
        static let member = 6
        static let additive = 7
        static let multiplicative = 8
        static let unary = 9
    }

    mutating func expression() throws(MillstreamError) -> ExpressionSyntax { try expression(minimum: Precedence.or) }

    private mutating func expression(minimum: Int) throws(MillstreamError) -> ExpressionSyntax {
        try enter()
        defer { leave() }
        let start = token.range.start
        var left = try prefixed(minimum)
        // Operators of one strength in a row are a loop, not a recursion, and their tree is as deep as it is long: it is bounded as well.
        var length = 0
        while let next = try infix(left, start, minimum) {
            left = next
            length += 1
            guard length <= Self.chainLengthMax else {
                throw error("more than \(Self.chainLengthMax) operators follow one another", at: token.range, hint: "IN (…) takes any number of values.", code: .limitExceeded)
            }
        }
        return left
    }

    /// How many operators may follow one another without parentheses.
    static let chainLengthMax = 2_000

    private mutating func prefixed(_ minimum: Int) throws(MillstreamError) -> ExpressionSyntax {
        let start = token.range.start
        if minimum <= Precedence.not, accept("NOT") {
            let operand = try expression(minimum: Precedence.not)
            return ExpressionSyntax(.unary(.not, operand), range(from: start))
        }
        if at("+") || at("-") {
            let isMinus = token.keyword == "-"
            advance()
            let operand = try expression(minimum: Precedence.unary)
            return ExpressionSyntax(.unary(isMinus ? .minus : .plus, operand), range(from: start))
        }
        return try postfixed()
    }

    private static let comparisons: [String: BinarySyntax] = [
        "=": .equal, "<>": .notEqual, "<": .less, "<=": .lessOrEqual, ">": .greater, ">=": .greaterOrEqual,
    ]
    private static let periods: [String: BinarySyntax] = [
        "OVERLAPS": .overlaps, "CONTAINS": .contains, "PRECEDES": .precedes, "SUCCEEDS": .succeeds, "EQUALS": .equalsPeriod,
    ]

    /// The next operator with its right side, if it binds strongly enough.
    private mutating func infix(_ left: ExpressionSyntax, _ start: Int, _ minimum: Int) throws(MillstreamError) -> ExpressionSyntax? {
        func binary(_ operation: BinarySyntax, _ right: ExpressionSyntax) -> ExpressionSyntax {
            ExpressionSyntax(.binary(operation, left, right), range(from: start))
        }
        guard token.kind == .word || token.kind == .sign else { return nil }
        let word = token.keyword
        switch word {
        case "!=": throw error("'!=' is not in Flink's dialect", at: token.range, hint: "Unequal is <>.")
        case "OR" where minimum <= Precedence.or:
            advance()
            let right = try expression(minimum: Precedence.or + 1)
            return binary(.or, right)
        case "AND" where minimum <= Precedence.and:
            advance()
            let right = try expression(minimum: Precedence.and + 1)
            return binary(.and, right)
        case "IS" where minimum <= Precedence.test:
            advance()
            return try test(left, start)
        case "+" where minimum <= Precedence.additive, "-" where minimum <= Precedence.additive:
            advance()
            let right = try expression(minimum: Precedence.additive + 1)
            return binary(word == "+" ? .add : .subtract, right)
        case "*" where minimum <= Precedence.multiplicative, "/" where minimum <= Precedence.multiplicative,
            "%" where minimum <= Precedence.multiplicative, "||" where minimum <= Precedence.multiplicative:
            advance()
            let right = try expression(minimum: Precedence.multiplicative + 1)
            let operations: [String: BinarySyntax] = ["*": .multiply, "/": .divide, "%": .remainder, "||": .concatenate]
            return binary(operations[word] ?? .multiply, right)
        default: break
        }
        if let comparison = Self.comparisons[word] {
            guard minimum <= Precedence.comparison else { return nil }
            advance()
            if at("ANY") || at("SOME") || at("ALL") { return try quantified(comparison, left, start) }
            let right = try expression(minimum: Precedence.comparison + 1)
            return binary(comparison, right)
        }
        if let period = Self.periods[word] {
            guard minimum <= Precedence.comparison else { return nil }
            advance()
            let right = try expression(minimum: Precedence.comparison + 1)
            return binary(period, right)
        }
        guard minimum <= Precedence.member else { return nil }
        if accept("MEMBER", "OF") || accept("MEMBER") {
            let right = try expression(minimum: Precedence.member + 1)
            return binary(.memberOf, right)
        }
        if accept("SUBMULTISET", "OF") || accept("SUBMULTISET") {
            let right = try expression(minimum: Precedence.member + 1)
            return binary(.submultisetOf, right)
        }
        return try predicate(left, start)
    }

    /// `x IS …`, behind IS.
    private mutating func test(_ left: ExpressionSyntax, _ start: Int) throws(MillstreamError) -> ExpressionSyntax {
        let isNegated = accept("NOT")
        if accept("DISTINCT", "FROM") {
            let right = try expression(minimum: Precedence.comparison + 1)
            return ExpressionSyntax(.binary(isNegated ? .isNotDistinctFrom : .isDistinctFrom, left, right), range(from: start))
        }
        let test: TestSyntax
        if accept("NULL") {
            test = .null
        } else if accept("TRUE") {
            test = .true
        } else if accept("FALSE") {
            test = .false
        } else if accept("UNKNOWN") {
            test = .unknown
        } else if accept("JSON") {
            test = accept("VALUE") ? .jsonValue : accept("OBJECT") ? .jsonObject : accept("ARRAY") ? .jsonArray : accept("SCALAR") ? .jsonScalar : .json
        } else if accept("A", "SET") {
            test = .set
        } else if accept("EMPTY") {
            test = .empty
        } else {
            throw unexpected("NULL, TRUE, FALSE, UNKNOWN, DISTINCT FROM or JSON behind IS")
        }
        return ExpressionSyntax(.test(left, test, isNegated: isNegated), range(from: start))
    }

    /// `x = ANY (…)`, at ANY, SOME or ALL.
    private mutating func quantified(_ comparison: BinarySyntax, _ left: ExpressionSyntax, _ start: Int) throws(MillstreamError) -> ExpressionSyntax {
        let quantifier = at("ALL") ? Quantifier.all : .any
        advance()
        try expect("(")
        if startsQuery {
            let query = try query()
            try expect(")")
            return ExpressionSyntax(.quantified(comparison, left, quantifier, query), range(from: start))
        }
        let values = try expressionList()
        try expect(")")
        return ExpressionSyntax(.quantifiedList(comparison, left, quantifier, values), range(from: start))
    }

    /// BETWEEN, IN and LIKE.
    private mutating func predicate(_ left: ExpressionSyntax, _ start: Int) throws(MillstreamError) -> ExpressionSyntax? {
        let isNegated = accept("NOT")
        if accept("BETWEEN") {
            let isSymmetric = accept("SYMMETRIC")
            if !isSymmetric { _ = accept("ASYMMETRIC") }
            let low = try expression(minimum: Precedence.member + 1)
            try expect("AND")
            let high = try expression(minimum: Precedence.member + 1)
            return ExpressionSyntax(.between(left, low: low, high: high, isSymmetric: isSymmetric, isNegated: isNegated), range(from: start))
        }
        if accept("IN") {
            if at("UNNEST") { throw error("IN UNNEST (…) does not exist", at: token.range, hint: "ARRAY_CONTAINS(array, value) tells whether a value is in an array.") }
            try expect("(")
            if startsQuery {
                let query = try query()
                try expect(")")
                return ExpressionSyntax(.inQuery(left, query, isNegated: isNegated), range(from: start))
            }
            let values = try expressionList()
            try expect(")")
            return ExpressionSyntax(.inList(left, values, isNegated: isNegated), range(from: start))
        }
        var kind: MatchKind?
        if accept("LIKE") { kind = .like } else if accept("SIMILAR", "TO") { kind = .similar } else if accept("RLIKE") { kind = .rlike }
        if let kind {
            let pattern = try expression(minimum: Precedence.member + 1)
            var escape: ExpressionSyntax?
            if kind != .rlike, accept("ESCAPE") { escape = try expression(minimum: Precedence.member + 1) }
            return ExpressionSyntax(.match(left, kind, pattern: pattern, escape: escape, isNegated: isNegated), range(from: start))
        }
        if isNegated { throw unexpected("BETWEEN, IN, LIKE or SIMILAR TO behind NOT") }
        return nil
    }

    mutating func expressionList() throws(MillstreamError) -> [ExpressionSyntax] {
        var list = [try expression()]
        while accept(",") { list.append(try expression()) }
        return list
    }

    // MARK: Behind a value

    private mutating func postfixed() throws(MillstreamError) -> ExpressionSyntax {
        let start = token.range.start
        var value = try primary()
        while true {
            if accept("[") {
                let key = try expression()
                try expect("]")
                value = ExpressionSyntax(.element(value, key), range(from: start))
            } else if at("."), peek().kind == .word || peek().kind == .quoted {
                advance()
                // Behind a point any word is a name.
                let field = Identifier(token.text, token.range)
                advance()
                value = ExpressionSyntax(.field(value, field), range(from: start))
            } else if at(".", "*") {
                advance()
                advance()
                value = ExpressionSyntax(.allFields(value), range(from: start))
            } else {
                return value
            }
        }
    }

    // MARK: Values

    private mutating func primary() throws(MillstreamError) -> ExpressionSyntax {
        let start = token
        func literal(_ literal: LiteralSyntax) -> ExpressionSyntax { ExpressionSyntax(.literal(literal), range(from: start.range.start)) }
        switch start.kind {
        case .number:
            advance()
            return literal(.number(start.text))
        case .approximate:
            advance()
            return literal(.approximate(start.text))
        case .string:
            let text = try string()
            return literal(.string(text, characterSet: start.characterSet))
        case .hexadecimal:
            var digits = ""
            while token.kind == .hexadecimal || token.kind == .string && !digits.isEmpty {
                digits += token.text
                advance()
            }
            return literal(.bytes(Self.bytes(digits)))
        case .quoted: return try named()
        case .sign:
            if start.keyword == "(" { return try parenthesized() }
            if accept("?") { return ExpressionSyntax(.parameter, start.range) }
            throw unexpected("an expression")
        case .hint, .end: throw unexpected("an expression")
        case .word: return try word()
        }
    }

    private static func bytes(_ digits: String) -> [UInt8] {
        let values = digits.utf8.map { $0 <= 57 ? $0 &- 48 : ($0 | 0x20) &- 87 }
        return stride(from: 0, to: values.count - 1, by: 2).map { values[$0] << 4 | values[$0 + 1] & 15 }
    }

    /// `(e)`, `(a, b)`, or a query.
    private mutating func parenthesized() throws(MillstreamError) -> ExpressionSyntax {
        let start = token.range.start
        try expect("(")
        if startsQuery {
            let query = try query()
            try expect(")")
            return ExpressionSyntax(.query(query), range(from: start))
        }
        var items = [try expression()]
        while accept(",") { items.append(try expression()) }
        try expect(")")
        if items.count > 1 { return ExpressionSyntax(.row(items), range(from: start)) }
        // `(t1 - t2) DAY TO SECOND`: the difference of two times, in these units.
        if case .binary(.subtract, let left, let right) = items[0].kind, ReservedWords.contains(token.keyword), unit(token) != nil {
            let (from, to, precision, fraction) = try intervalFields()
            let type = TypeSyntax(kind: .interval(from: from, to: to, precision: precision, fraction: fraction), isNullable: nil, range: range(from: start))
            return ExpressionSyntax(.difference(left, right, type), range(from: start))
        }
        return ExpressionSyntax(items[0].kind, range(from: start))
    }

    /// Functions without parentheses.
    private static let bare: Set<String> = [
        "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "USER", "CURRENT_CATALOG",
        "CURRENT_SCHEMA", "CURRENT_PATH", "CURRENT_ROLE",
    ]

    /// What begins with a word.
    private mutating func word() throws(MillstreamError) -> ExpressionSyntax {
        let start = token
        func made(_ kind: ExpressionSyntax.Kind) -> ExpressionSyntax { ExpressionSyntax(kind, range(from: start.range.start)) }
        switch start.keyword {
        case "NULL":
            advance()
            return made(.literal(.null))
        case "TRUE":
            advance()
            return made(.literal(.true))
        case "FALSE":
            advance()
            return made(.literal(.false))
        case "UNKNOWN":
            advance()
            return made(.literal(.unknown))
        case "DATE" where peek().kind == .string:
            advance()
            return made(.literal(.date(try string())))
        case "TIME" where peek().kind == .string:
            advance()
            return made(.literal(.time(try string())))
        case "TIMESTAMP" where peek().kind == .string:
            advance()
            return made(.literal(.timestamp(try string())))
        case "TIMESTAMP" where peek().keyword == "WITH":
            advance()
            for word in ["WITH", "LOCAL", "TIME", "ZONE"] { try expect(word) }
            return made(.literal(.instant(try string())))
        case "TIMESTAMP_LTZ" where peek().kind == .string:
            throw error("TIMESTAMP_LTZ has no literal", at: start.range, hint: "TIMESTAMP WITH LOCAL TIME ZONE '…' is one.")
        case "INTERVAL": return try interval()
        case "CASE": return try caseExpression()
        case "CAST", "TRY_CAST", "SAFE_CAST":
            guard peek().keyword == "(" else { throw unexpected("an expression") }
            if start.keyword == "SAFE_CAST" { throw error("there is no SAFE_CAST", at: start.range, hint: "TRY_CAST gives NULL where the value does not fit.") }
            advance()
            try expect("(")
            let value = try expression()
            try expect("AS")
            let type = try type()
            guard type.isNullable == nil else { throw error("a cast takes no NULL or NOT NULL: its result is nullable where its value is", at: type.range) }
            try expect(")")
            return made(.cast(value, type, isTry: start.keyword == "TRY_CAST"))
        case "EXISTS":
            advance()
            try expect("(")
            let query = try query()
            try expect(")")
            return made(.exists(query))
        case "UNIQUE" where peek().keyword == "(":
            throw error("the predicate UNIQUE does not exist", at: start.range, code: .unsupported)
        case "ROW":
            advance()
            try expect("(")
            let items = at(")") ? [] : try expressionList()
            try expect(")")
            return made(.row(items))
        case "ARRAY", "MULTISET", "MAP":
            advance()
            if accept("[") {
                let items = at("]") ? [] : try expressionList()
                try expect("]")
                return made(start.keyword == "ARRAY" ? .array(items) : start.keyword == "MAP" ? .map(items) : .multiset(items))
            }
            try expect("(")
            guard startsQuery else { throw error("\(start.keyword) takes its elements in square brackets: \(start.keyword)[…]", at: start.range) }
            let query = try query()
            try expect(")")
            return made(start.keyword == "ARRAY" ? .arrayQuery(query) : start.keyword == "MAP" ? .mapQuery(query) : .multisetQuery(query))
        case "JSON_VALUE", "JSON_QUERY", "JSON_EXISTS", "JSON_OBJECT", "JSON_ARRAY", "JSON_OBJECTAGG", "JSON_ARRAYAGG":
            if peek().keyword == "(" { return try json() }
        case "RUNNING" where peek().kind == .word, "FINAL" where peek().kind == .word && peek(2).keyword == "(":
            advance()
            var call = try word()
            if case .call(var inner) = call.kind {
                inner.modifier = start.keyword
                call.kind = .call(inner)
            }
            return made(call.kind)
        default: break
        }
        if Self.bare.contains(start.keyword), peek().keyword != "(", peek().keyword != "." {
            advance()
            return made(.call(CallSyntax(name: QualifiedName([Identifier(start.text, start.range)]), arguments: [])))
        }
        if peek().keyword == "(", isCallable(start) {
            advance()
            return try call(QualifiedName([Identifier(start.text, start.range)]), start.range.start)
        }
        guard isName(start) else { throw unexpected("an expression") }
        return try named()
    }

    /// Reserved words that are functions all the same, or that the parser gives the arguments of.
    private static let notCallable: Set<String> = [
        "SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "FETCH", "UNION", "EXCEPT", "INTERSECT", "MINUS", "JOIN", "ON", "USING", "WITH", "VALUES", "TABLE", "LATERAL",
        "UNNEST", "AND", "OR", "NOT", "IN", "IS", "LIKE", "BETWEEN", "WHEN", "THEN", "ELSE", "END", "AS", "BY", "SET", "INTO", "OVER", "FILTER", "WITHIN", "WINDOW", "PARTITION",
        "ROWS", "RANGE", "INSERT", "CREATE", "DROP", "ALTER", "DISTINCT", "ALL", "ANY", "SOME", "CROSS", "INNER", "FULL", "NATURAL", "QUALIFY", "TO", "FOR", "OF", "PATTERN", "DEFINE",
        "MEASURES", "MATCH_RECOGNIZE", "SUBSET", "CUBE", "ROLLUP", "PERMUTE", "DAY", "CURRENT_CATALOG", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP",
    ]
    private func isCallable(_ token: Token) -> Bool { !Self.notCallable.contains(token.keyword) }

    /// A column, a field of one, a star, or a call of a function with a qualified name.
    private mutating func named() throws(MillstreamError) -> ExpressionSyntax {
        let start = token.range.start
        var parts = [try identifier("an expression")]
        while at(".") {
            if peek().keyword == "*" {
                advance()
                advance()
                return ExpressionSyntax(.star(QualifiedName(parts)), range(from: start))
            }
            guard peek().kind == .quoted || peek().kind == .word else { throw { advance(); return unexpected("a name behind '.'") }() }
            advance()
            parts.append(Identifier(token.text, token.range))
            advance()
        }
        if at("(") { return try call(QualifiedName(parts), start) }
        return ExpressionSyntax(.name(QualifiedName(parts)), range(from: start))
    }

    private mutating func interval() throws(MillstreamError) -> ExpressionSyntax {
        let start = token.range.start
        advance()
        var isNegative = false
        while at("-") || at("+") {
            if at("-") { isNegative.toggle() }
            advance()
        }
        guard token.kind == .string else {
            // INTERVAL n DAY: the number of units is computed.
            let value = try at("(") ? primary() : token.kind == .number ? primary() : named()
            let (from, to, _, _) = try intervalFields()
            guard to == nil else { throw error("an interval of several units is a text: INTERVAL '1 02' DAY TO HOUR", at: range(from: start)) }
            var call = CallSyntax(
                name: QualifiedName([Identifier("INTERVAL", SourceRange(start, start + 8))]),
                arguments: [ArgumentSyntax(name: nil, value: .expression(value)), ArgumentSyntax(name: nil, value: .expression(ExpressionSyntax(.unit(from), range(from: start))))])
            call.modifier = isNegative ? "-" : nil
            return ExpressionSyntax(.call(call), range(from: start))
        }
        let text = try string()
        let (from, to, precision, fraction) = try intervalFields()
        let literal = IntervalSyntax(text: text, isNegative: isNegative, from: from, to: to, precision: precision, fractionPrecision: fraction)
        return ExpressionSyntax(.literal(.interval(literal)), range(from: start))
    }

    private mutating func caseExpression() throws(MillstreamError) -> ExpressionSyntax {
        let start = token.range.start
        advance()
        let operand = at("WHEN") ? nil : try expression()
        var branches: [CaseBranch] = []
        while accept("WHEN") {
            let conditions = operand == nil ? [try expression()] : try expressionList()
            try expect("THEN")
            branches.append(CaseBranch(conditions: conditions, result: try expression()))
        }
        guard !branches.isEmpty else { throw unexpected("WHEN") }
        let otherwise = accept("ELSE") ? try expression() : nil
        try expect("END")
        return ExpressionSyntax(.case(operand: operand, branches: branches, otherwise: otherwise), range(from: start))
    }

    // MARK: Calls

    /// Functions whose arguments have words between them.
    private mutating func specialArguments(_ name: String) throws(MillstreamError) -> (arguments: [ExpressionSyntax], modifier: String?)? {
        switch name {
        case "EXTRACT":
            let place = token.range
            let unit = ExpressionSyntax(.unit(try unit()), place)
            try expect("FROM")
            return ([unit, try expression()], nil)
        case "POSITION":
            let needle = try expression(minimum: Precedence.member + 1)
            // IN would be a predicate otherwise.
            if accept("IN") {
                let text = try expression()
                let from = accept("FROM") ? try expression() : nil
                return ([needle, text] + [from].compactMap { $0 }, nil)
            }
            guard at("IN") else { throw { let found = unexpected("IN"); return MillstreamError(found.code, found.message, hint: "POSITION(needle IN text); INSTR(text, needle) takes a comma.") }() }
            return ([needle], nil)
        case "SUBSTRING":
            let text = try expression()
            if accept("FROM") {
                let from = try expression()
                let length = accept("FOR") ? try expression() : nil
                return ([text, from] + [length].compactMap { $0 }, nil)
            }
            return ([text] + (try restOfList()), nil)
        case "OVERLAY":
            let text = try expression()
            guard accept("PLACING") else { return ([text] + (try restOfList()), nil) }
            let new = try expression()
            try expect("FROM")
            let from = try expression()
            let length = accept("FOR") ? try expression() : nil
            return ([text, new, from] + [length].compactMap { $0 }, nil)
        case "TRIM":
            var side: String?
            for word in ["BOTH", "LEADING", "TRAILING"] where side == nil && accept(word) { side = word }
            if accept("FROM") { return ([try expression()], side ?? "BOTH") }
            let first = try expression()
            if accept("FROM") { return ([first, try expression()], side ?? "BOTH") }
            guard side == nil else { throw unexpected("FROM") }
            return ([first] + (try restOfList()), nil)
        case "FLOOR", "CEIL", "CEILING":
            let value = try expression()
            guard accept("TO") else { return ([value] + (try restOfList()), nil) }
            let place = token.range
            return ([value, ExpressionSyntax(.unit(try unit()), place)], nil)
        case "TIMESTAMPADD", "TIMESTAMPDIFF":
            let place = token.range
            let unit: TimeUnitName
            if token.kind == .word, token.keyword.hasPrefix("SQL_TSI_"), let known = TimeUnitName(rawValue: String(token.keyword.dropFirst(8))) {
                advance()
                unit = known
            } else {
                unit = try self.unit()
            }
            return ([ExpressionSyntax(.unit(unit), place)] + (try restOfList()), nil)
        case "CONVERT", "TRANSLATE":
            let value = try expression()
            if at("USING") { throw error("\(name)(… USING …) does not exist", at: token.range, code: .unsupported) }
            return ([value] + (try restOfList()), nil)
        default: return nil
        }
    }

    private mutating func restOfList() throws(MillstreamError) -> [ExpressionSyntax] {
        var list: [ExpressionSyntax] = []
        while accept(",") { list.append(try expression()) }
        return list
    }

    /// A function's arguments and what follows them; the name has been read.
    mutating func call(_ name: QualifiedName, _ start: Int) throws(MillstreamError) -> ExpressionSyntax {
        try enter()
        defer { leave() }
        try expect("(")
        var call = CallSyntax(name: name, arguments: [])
        let plain = name.parts.count == 1 ? name.parts[0].text.uppercasedASCII : ""
        if !at(")"), let special = try specialArguments(plain) {
            call.arguments = special.arguments.map { ArgumentSyntax(name: nil, value: .expression($0)) }
            call.modifier = special.modifier
        } else if at("*", ")") {
            advance()
            call.hasStar = true
        } else if !at(")") {
            if accept("DISTINCT") { call.isDistinct = true } else { _ = accept("ALL") }
            repeat { call.arguments.append(try argument()) } while accept(",")
            if let treatment = try nullTreatment() { call.nullTreatment = treatment }
            if accept("ORDER", "BY") { call.orderBy = try orderItems() }
        }
        try expect(")")
        try callSuffix(&call)
        return ExpressionSyntax(.call(call), range(from: start))
    }

    private mutating func nullTreatment() throws(MillstreamError) -> NullTreatment? {
        accept("IGNORE", "NULLS") ? .ignore : accept("RESPECT", "NULLS") ? .respect : nil
    }

    /// WITHIN GROUP, IGNORE NULLS, FILTER and OVER.
    private mutating func callSuffix(_ call: inout CallSyntax) throws(MillstreamError) {
        if accept("WITHIN", "GROUP") {
            try expect("(")
            try expect("ORDER")
            try expect("BY")
            call.orderBy = try orderItems()
            call.hasWithinGroup = true
            try expect(")")
        }
        if let treatment = try nullTreatment() { call.nullTreatment = treatment }
        call.filter = try filter()
        call.over = try over()
    }

    private mutating func filter() throws(MillstreamError) -> ExpressionSyntax? {
        guard at("FILTER", "(") else { return nil }
        advance()
        advance()
        try expect("WHERE")
        let condition = try expression()
        try expect(")")
        return condition
    }

    private mutating func over() throws(MillstreamError) -> WindowReference? {
        guard accept("OVER") else { return nil }
        if at("(") { return .inline(try window()) }
        return .named(try identifier("a window's name or '('"))
    }

    private mutating func argument() throws(MillstreamError) -> ArgumentSyntax {
        if token.kind == .word || token.kind == .quoted, peek().keyword == "=>" {
            let name = Identifier(token.text, token.range)
            advance()
            advance()
            return ArgumentSyntax(name: name, value: try argumentValue())
        }
        return ArgumentSyntax(name: nil, value: try argumentValue())
    }

    private mutating func argumentValue() throws(MillstreamError) -> ArgumentSyntax.Value {
        if accept("DEFAULT") { return .standard }
        if at("DESCRIPTOR", "(") {
            advance()
            return .descriptor(try descriptorNames())
        }
        if at("TABLE"), peek().keyword != "(" || peek(2).keyword == "SELECT" || peek(2).keyword == "VALUES" || peek(2).keyword == "WITH" {
            return .table(try tableArgument())
        }
        if at("(") , peek().keyword == "SELECT" || peek().keyword == "WITH" || peek().keyword == "TABLE" {
            // A query is a table where its rows may be partitioned, and a value else; the function decides.
            let start = token.range.start
            let value = try expression()
            guard case .query(let query) = value.kind, at("PARTITION") || at("ORDER") else { return .expression(value) }
            var argument = TableArgumentSyntax(table: TableSyntax(.query(query, isLateral: false), range(from: start)))
            try partitioning(&argument)
            return .table(argument)
        }
        if let unit = unit(token), peek().keyword == "," || peek().keyword == ")", ReservedWords.contains(token.keyword) {
            let place = token.range
            advance()
            return .expression(ExpressionSyntax(.unit(unit), place))
        }
        return .expression(try expression())
    }

    /// The names of columns within DESCRIPTOR: any words.
    private mutating func descriptorNames() throws(MillstreamError) -> [Identifier] {
        try expect("(")
        var names: [Identifier] = []
        repeat {
            guard token.kind == .word || token.kind == .quoted else { throw unexpected("a column's name") }
            names.append(Identifier(token.text, token.range))
            advance()
        } while accept(",")
        try expect(")")
        return names
    }

    private mutating func tableArgument() throws(MillstreamError) -> TableArgumentSyntax {
        let start = token.range.start
        try expect("TABLE")
        var argument: TableArgumentSyntax
        if at("(") {
            throw error("TABLE stands before a table's name", at: token.range, hint: "A query goes into parentheses alone: (SELECT …).")
        } else {
            let name = try qualifiedName("a table's name")
            let hints = try hints()
            argument = TableArgumentSyntax(table: TableSyntax(.named(name, hints: hints, asOf: nil), range(from: start)))
        }
        try partitioning(&argument)
        return argument
    }

    private mutating func partitioning(_ argument: inout TableArgumentSyntax) throws(MillstreamError) {
        if accept("PARTITION", "BY") {
            if accept("(") {
                argument.partitionBy = try expressionList()
                try expect(")")
            } else {
                argument.partitionBy = [try expression()]
                // `PARTITION BY a, b => …`: what follows a comma is a column unless it is an argument with a name.
                while at(","), peek().kind == .quoted || peek().kind == .word, peek(2).keyword != "=>", isPartitionColumn(2) {
                    advance()
                    argument.partitionBy.append(try expression())
                }
            }
        }
        if accept("ORDER", "BY") {
            if accept("(") {
                argument.orderBy = try orderItems()
                try expect(")")
            } else {
                argument.orderBy = [try orderItem()]
            }
        }
    }

    /// Whether the name before `ahead` stands alone, as a column does.
    private func isPartitionColumn(_ ahead: Int) -> Bool {
        let next = peek(ahead).keyword
        return next == "," || next == ")" || next == "ORDER" || next == "."
    }

    // MARK: JSON

    private mutating func json() throws(MillstreamError) -> ExpressionSyntax {
        try enter()
        defer { leave() }
        let start = token.range.start
        guard let function = JSONCallSyntax.Function(rawValue: token.keyword) else { throw unexpected("a JSON function") }
        advance()
        try expect("(")
        var call = JSONCallSyntax(function: function)
        switch function {
        case .object, .objectAggregate:
            if !at(")"), !at("NULL", "ON"), !at("ABSENT") {
                repeat {
                    let hasKey = accept("KEY")
                    call.arguments.append(try expression(minimum: Precedence.or))
                    if !accept("VALUE"), hasKey || !accept(":") { throw unexpected("VALUE") }
                    call.arguments.append(try expression())
                } while accept(",")
            }
            call.keepsNulls = try nullClause()
        case .array, .arrayAggregate:
            if !at(")"), !at("NULL", "ON"), !at("ABSENT") { call.arguments = try expressionList() }
            if accept("ORDER", "BY") { throw error("\(function.rawValue) takes no ORDER BY", at: token.range, code: .unsupported) }
            call.keepsNulls = try nullClause()
        case .value, .query, .exists:
            call.arguments = [try expression()]
            try expect(",")
            call.arguments.append(try expression())
            if accept("RETURNING") { call.returning = try type() }
            if function == .query {
                if accept("WITHOUT") {
                    _ = accept("ARRAY")
                    try expect("WRAPPER")
                    call.wrapper = .without
                } else if accept("WITH") {
                    call.wrapper = accept("CONDITIONAL") ? .conditional : .unconditional
                    if call.wrapper == .unconditional { _ = accept("UNCONDITIONAL") }
                    _ = accept("ARRAY")
                    try expect("WRAPPER")
                }
                if call.returning == nil, accept("RETURNING") { call.returning = try type() }
            }
            while let behaviour = try behaviour(function) {
                try expect("ON")
                if accept("EMPTY") { call.onEmpty = behaviour } else if accept("ERROR") { call.onError = behaviour } else { throw unexpected("EMPTY or ERROR") }
            }
        }
        try expect(")")
        if function == .objectAggregate || function == .arrayAggregate {
            call.filter = try filter()
            call.over = try over()
        }
        return ExpressionSyntax(.json(call), range(from: start))
    }

    private mutating func nullClause() throws(MillstreamError) -> Bool? {
        if accept("NULL", "ON", "NULL") { return true }
        if accept("ABSENT", "ON", "NULL") { return false }
        return nil
    }

    private mutating func behaviour(_ function: JSONCallSyntax.Function) throws(MillstreamError) -> JSONCallSyntax.Behaviour? {
        if accept("NULL") { return .null }
        if at("ERROR", "ON") {
            advance()
            return .error
        }
        if accept("DEFAULT") { return .value(try expression()) }
        if accept("EMPTY", "OBJECT") { return .emptyObject }
        if accept("EMPTY", "ARRAY") || accept("EMPTY") { return .emptyArray }
        if function == .exists {
            if accept("TRUE") { return .true }
            if accept("FALSE") { return .false }
            if accept("UNKNOWN") { return .unknown }
        }
        return nil
    }

    // MARK: Windows and order

    mutating func orderItems() throws(MillstreamError) -> [OrderItem] {
        var items = [try orderItem()]
        while accept(",") { items.append(try orderItem()) }
        return items
    }

    mutating func orderItem() throws(MillstreamError) -> OrderItem {
        var item = OrderItem(expression: try expression())
        if accept("DESC") { item.isDescending = true } else { _ = accept("ASC") }
        if accept("NULLS", "FIRST") { item.nullsFirst = true } else if accept("NULLS", "LAST") { item.nullsFirst = false }
        return item
    }

    /// `(base PARTITION BY … ORDER BY … ROWS …)`.
    mutating func window() throws(MillstreamError) -> WindowSyntax {
        let start = token.range.start
        try expect("(")
        var window = WindowSyntax(range: token.range)
        if isName(token) { window.base = try identifier() }
        if accept("PARTITION", "BY") { window.partitionBy = try expressionList() }
        if accept("ORDER", "BY") { window.orderBy = try orderItems() }
        if at("ROWS") || at("RANGE") {
            let place = token.range.start
            let isRows = at("ROWS")
            advance()
            if accept("BETWEEN") {
                let first = try bound()
                try expect("AND")
                let last = try bound()
                window.frame = FrameSyntax(isRows: isRows, start: first, end: last, range: range(from: place))
            } else {
                let first = try bound()
                window.frame = FrameSyntax(isRows: isRows, start: first, end: nil, range: range(from: place))
            }
        } else if at("GROUPS") {
            throw error("frames of GROUPS do not exist", at: token.range, hint: "ROWS counts rows, RANGE measures values.", code: .unsupported)
        }
        try expect(")")
        window.range = range(from: start)
        return window
    }

    private mutating func bound() throws(MillstreamError) -> FrameSyntax.Bound {
        if accept("CURRENT", "ROW") { return .currentRow }
        if accept("UNBOUNDED", "PRECEDING") { return .unboundedPreceding }
        if accept("UNBOUNDED", "FOLLOWING") { return .unboundedFollowing }
        let value = try expression(minimum: Precedence.member + 1)
        if accept("PRECEDING") { return .preceding(value) }
        try expect("FOLLOWING")
        return .following(value)
    }
}
