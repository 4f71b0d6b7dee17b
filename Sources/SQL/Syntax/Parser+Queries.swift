import Columnar

extension Parser {
    /// Whether a query begins here; parentheses before it count.
    var startsQuery: Bool {
        var ahead = 0
        while peek(ahead).keyword == "(" { ahead += 1 }
        let word = peek(ahead).keyword
        guard peek(ahead).kind == .word else { return false }
        if word == "TABLE" { return peek(ahead + 1).keyword != "(" }
        guard word == "SELECT" || word == "VALUES" || word == "WITH" || word == "VALUE" && ahead == 0 else { return false }
        return ahead == 0 || !closesValue(ahead)
    }

    /// Whether what stands in these parentheses is one value of a longer expression: `((SELECT 1) + 2)`.
    private func closesValue(_ open: Int) -> Bool {
        var depth = open
        var ahead = open
        while peek(ahead).kind != .end {
            switch peek(ahead).keyword {
            case "(": depth += 1
            case ")":
                depth -= 1
                if depth == 0 { return false }
                // Behind a query in parentheses comes another part of a query, or the next parenthesis.
                if depth < open {
                    let next = peek(ahead + 1).keyword
                    if ![")", "UNION", "INTERSECT", "EXCEPT", "MINUS", "ORDER", "LIMIT", "OFFSET", "FETCH"].contains(next) { return true }
                }
            default: break
            }
            ahead += 1
        }
        return false
    }

    /// A query with its WITH, ORDER BY, LIMIT, OFFSET and FETCH.
    mutating func query() throws(MillstreamError) -> QuerySyntax {
        try enter()
        defer { leave() }
        let start = token.range.start
        var with: [CommonTableSyntax] = []
        if accept("WITH") {
            if at("RECURSIVE") { throw error("WITH RECURSIVE does not exist", at: token.range, code: .unsupported) }
            repeat {
                let name = try identifier()
                let columns = try optionalIdentifierList()
                try expect("AS")
                try expect("(")
                let query = try query()
                try expect(")")
                with.append(CommonTableSyntax(name: name, columns: columns, query: query))
            } while accept(",")
        }
        let body = try setOperations()
        var query = QuerySyntax(with: with, body: body, range: range(from: start))
        if accept("ORDER", "BY") { query.orderBy = try orderItems() }
        while true {
            if query.limit == nil, accept("LIMIT") {
                if accept("ALL") { continue }
                let first = try expression()
                if query.offset == nil, accept(",") {
                    query.offset = first
                    query.limit = try expression()
                } else {
                    query.limit = first
                }
            } else if query.offset == nil, accept("OFFSET") {
                query.offset = try expression()
                if !accept("ROWS") { _ = accept("ROW") }
            } else if query.limit == nil, accept("FETCH") {
                if !accept("FIRST") { try expect("NEXT") }
                query.limit = try expression()
                if !accept("ROWS") { try expect("ROW") }
                try expect("ONLY")
            } else {
                break
            }
        }
        query.range = range(from: start)
        return query
    }

    /// UNION and EXCEPT from the left; INTERSECT binds more strongly.
    private mutating func setOperations() throws(MillstreamError) -> QueryBody {
        let start = token.range.start
        var left = try intersections()
        var count = 0
        while true {
            let operation: SetOperation
            if at("MINUS") { throw error("MINUS is not in Flink's dialect", at: token.range, hint: "It is EXCEPT there.") }
            if accept("UNION") { operation = .union } else if accept("EXCEPT") { operation = .except } else { return left }
            let isAll = try setQuantifier()
            let right = try intersections()
            left = .setOperation(operation, isAll: isAll, left, right, range(from: start))
            count += 1
            guard count <= Self.chainLengthMax else { throw error("more than \(Self.chainLengthMax) set operations follow one another", at: token.range, code: .limitExceeded) }
        }
    }

    private mutating func intersections() throws(MillstreamError) -> QueryBody {
        let start = token.range.start
        var left = try queryTerm()
        while accept("INTERSECT") {
            let isAll = try setQuantifier()
            let right = try queryTerm()
            left = .setOperation(.intersect, isAll: isAll, left, right, range(from: start))
        }
        return left
    }

    private mutating func setQuantifier() throws(MillstreamError) -> Bool {
        if accept("ALL") { return true }
        _ = accept("DISTINCT")
        return false
    }

    private mutating func queryTerm() throws(MillstreamError) -> QueryBody {
        if accept("(") {
            let query = try query()
            try expect(")")
            return .query(query)
        }
        if accept("VALUES") {
            var rows = [try expression()]
            while accept(",") { rows.append(try expression()) }
            return .values(rows)
        }
        if accept("TABLE") { return .table(try qualifiedName("a table's name")) }
        guard at("SELECT") else { throw unexpected("a query") }
        return .select(try select())
    }

    // MARK: SELECT

    private mutating func select() throws(MillstreamError) -> SelectSyntax {
        let start = token.range.start
        try expect("SELECT")
        var select = SelectSyntax(range: token.range)
        select.hints = try hints()
        if at("STREAM") { throw error("SELECT STREAM does not exist", at: token.range, hint: "Every query is one over streams.") }
        if accept("DISTINCT") { select.isDistinct = true } else { _ = accept("ALL") }
        repeat { select.items.append(try selectItem()) } while accept(",")
        if accept("FROM") { select.from = try tables() }
        if accept("WHERE") { select.condition = try expression() }
        if at("GROUP", "BY") { select.groupBy = try groupBy() }
        if accept("HAVING") { select.having = try expression() }
        if accept("WINDOW") {
            repeat {
                let name = try identifier("a window's name")
                try expect("AS")
                select.windows.append((name, try window()))
            } while accept(",")
        }
        if accept("QUALIFY") { select.qualify = try expression() }
        select.range = range(from: start)
        return select
    }

    private mutating func selectItem() throws(MillstreamError) -> SelectItem {
        if at("*") {
            let place = token.range
            advance()
            if at("EXCEPT") || at("EXCLUDE") || at("REPLACE") { throw error("SELECT * \(token.keyword) does not exist", at: token.range, code: .unsupported) }
            return SelectItem(expression: ExpressionSyntax(.star(nil), place))
        }
        let expression = try expression()
        if accept("AS") {
            if token.kind == .string { throw error("an alias is a name, not a string", at: token.range, hint: "`\(token.text)` is a name.") }
            return SelectItem(expression: expression, alias: try identifier("a name behind AS"))
        }
        if isName(token) { return SelectItem(expression: expression, alias: try identifier()) }
        return SelectItem(expression: expression)
    }

    private mutating func groupBy() throws(MillstreamError) -> GroupBySyntax {
        let start = token.range.start
        advance()
        advance()
        let isDistinct = accept("DISTINCT")
        if !isDistinct { _ = accept("ALL") }
        var elements = [try groupElement()]
        while accept(",") { elements.append(try groupElement()) }
        return GroupBySyntax(isDistinct: isDistinct, elements: elements, range: range(from: start))
    }

    private mutating func groupElement() throws(MillstreamError) -> GroupBySyntax.Element {
        try enter()
        defer { leave() }
        if accept("GROUPING", "SETS") { return .sets(try groupElements()) }
        if accept("ROLLUP") { return .rollup(try groupElements()) }
        if accept("CUBE") { return .cube(try groupElements()) }
        if at("(", ")") {
            advance()
            advance()
            return .group([])
        }
        let expression = try expression()
        if case .row(let items) = expression.kind, source.bytes[expression.range.start] == UInt8(ascii: "(") { return .group(items) }
        return .expression(expression)
    }

    private mutating func groupElements() throws(MillstreamError) -> [GroupBySyntax.Element] {
        try expect("(")
        var elements = [try groupElement()]
        while accept(",") { elements.append(try groupElement()) }
        try expect(")")
        return elements
    }

    // MARK: Hints

    /// `/*+ A('k' = 'v'), B(x) */`.
    mutating func hints() throws(MillstreamError) -> [HintSyntax] {
        var hints: [HintSyntax] = []
        while token.kind == .hint {
            advance()
            while !at("*/") {
                guard token.kind == .word || token.kind == .quoted else { throw unexpected("a hint's name") }
                var hint = HintSyntax(name: Identifier(token.text, token.range))
                advance()
                if accept("(") {
                    while !at(")") {
                        let start = token.range.start
                        guard token.kind == .string || token.kind == .word || token.kind == .quoted || token.kind == .number else { throw unexpected("an option or a name") }
                        let key = token.kind == .string || token.kind == .number ? token.text : nil
                        if let key {
                            advance()
                            if accept("=") {
                                let value = try string("a value in quotes")
                                hint.options.append(OptionSyntax(key: key, value: value, range: range(from: start)))
                            } else {
                                hint.names.append(key)
                            }
                        } else {
                            var name = token.text
                            advance()
                            while accept(".") {
                                name += "." + token.text
                                advance()
                            }
                            if accept("=") {
                                let value = try string("a value in quotes")
                                hint.options.append(OptionSyntax(key: name, value: value, range: range(from: start)))
                            } else {
                                hint.names.append(name)
                            }
                        }
                        guard accept(",") || at(")") else { throw unexpected("',' or ')'") }
                    }
                    try expect(")")
                }
                hints.append(hint)
                _ = accept(",")
            }
            try expect("*/")
        }
        return hints
    }

    // MARK: FROM

    private mutating func tables() throws(MillstreamError) -> TableSyntax {
        let start = token.range.start
        var left = try joined()
        while accept(",") {
            let right = try joined()
            left = TableSyntax(.join(left, right, .comma, isNatural: false, nil), range(from: start))
        }
        return left
    }

    private mutating func joined() throws(MillstreamError) -> TableSyntax {
        let start = token.range.start
        var left = try table()
        while true {
            let isNatural = accept("NATURAL")
            let kind: JoinKind
            if accept("CROSS", "JOIN") {
                kind = .cross
            } else if accept("JOIN") || accept("INNER", "JOIN") {
                kind = .inner
            } else if accept("LEFT", "OUTER", "JOIN") || accept("LEFT", "JOIN") {
                kind = .left
            } else if accept("RIGHT", "OUTER", "JOIN") || accept("RIGHT", "JOIN") {
                kind = .right
            } else if accept("FULL", "OUTER", "JOIN") || accept("FULL", "JOIN") {
                kind = .full
            } else if at("LEFT", "SEMI") || at("LEFT", "ANTI") || at("SEMI", "JOIN") || at("ANTI", "JOIN") || at("ASOF") || at("CROSS", "APPLY") || at("OUTER", "APPLY") {
                throw error("this join does not exist", at: token.range, hint: "WHERE EXISTS (…) and WHERE NOT EXISTS (…) are the semi and the anti join.")
            } else {
                if isNatural { throw unexpected("JOIN") }
                return left
            }
            let right = try table()
            var condition: JoinCondition?
            if kind != .cross, !isNatural {
                if accept("ON") { condition = .on(try expression()) } else if accept("USING") { condition = .using(try identifierList()) }
                if condition == nil, kind != .inner { throw unexpected("ON or USING") }
            }
            left = TableSyntax(.join(left, right, kind, isNatural: isNatural, condition), range(from: start))
        }
    }

    /// One table with what belongs to it: hints, time, MATCH_RECOGNIZE, alias.
    private mutating func table() throws(MillstreamError) -> TableSyntax {
        try enter()
        defer { leave() }
        let start = token.range.start
        var table = try tablePrimary()
        if at("TABLESAMPLE") { throw error("TABLESAMPLE does not exist", at: token.range, hint: "WHERE RAND() < 0.1 takes one row of ten.", code: .unsupported) }
        try alias(&table, start)
        if at("MATCH_RECOGNIZE") {
            let match = try matchRecognize()
            table = TableSyntax(.matchRecognize(table, match), range(from: start))
            try alias(&table, start)
        }
        if at("PIVOT") || at("UNPIVOT") { throw error("\(token.keyword) does not exist", at: token.range, hint: "SUM(x) FILTER (WHERE k = 'a') makes a column of each value.", code: .unsupported) }
        return table
    }

    private mutating func alias(_ table: inout TableSyntax, _ start: Int) throws(MillstreamError) {
        if accept("AS") {
            table.alias = try identifier("a name behind AS")
            table.columns = try optionalIdentifierList()
        } else if isName(token), !at("ASOF") {
            table.alias = try identifier()
            table.columns = try optionalIdentifierList()
        }
        table.range = range(from: start)
    }

    private mutating func tablePrimary() throws(MillstreamError) -> TableSyntax {
        let start = token.range.start
        let isLateral = accept("LATERAL")
        if accept("TABLE") {
            try expect("(")
            let name = try functionName()
            guard case .call(let call) = try call(name, name.range.start).kind else { throw unexpected("a table function") }
            try expect(")")
            return TableSyntax(.function(call, isLateral: isLateral), range(from: start))
        }
        if accept("UNNEST") {
            try expect("(")
            let values = try expressionList()
            try expect(")")
            let withOrdinality = accept("WITH", "ORDINALITY")
            return TableSyntax(.unnest(values, withOrdinality: withOrdinality), range(from: start))
        }
        if at("(") {
            if startsQuery {
                advance()
                let query = try query()
                try expect(")")
                return TableSyntax(.query(query, isLateral: isLateral), range(from: start))
            }
            advance()
            var inner = try tables()
            try expect(")")
            inner.range = range(from: start)
            return inner
        }
        if at("VALUES") { throw error("VALUES in FROM goes into parentheses: FROM (VALUES …)", at: token.range) }
        // A function may be called without TABLE( … ).
        if isLateral || peek().keyword == "(" && token.kind == .word, !at("SELECT") {
            let name = try functionName()
            guard at("(") else { throw unexpected("'('") }
            guard case .call(let call) = try call(name, name.range.start).kind else { throw unexpected("a table function") }
            return TableSyntax(.function(call, isLateral: isLateral), range(from: start))
        }
        let name = try qualifiedName("a table's name")
        if at("(") {
            guard case .call(let call) = try call(name, name.range.start).kind else { throw unexpected("a table function") }
            return TableSyntax(.function(call, isLateral: isLateral), range(from: start))
        }
        let hints = try hints()
        var asOf: ExpressionSyntax?
        if accept("FOR", "SYSTEM_TIME", "AS", "OF") { asOf = try expression() }
        return TableSyntax(.named(name, hints: hints, asOf: asOf), range(from: start))
    }

    /// A function's name may be a reserved word: `SESSION`, `TUMBLE`.
    private mutating func functionName() throws(MillstreamError) -> QualifiedName {
        guard token.kind == .quoted || token.kind == .word else { throw unexpected("a function's name") }
        var parts = [Identifier(token.text, token.range)]
        advance()
        while at("."), peek().kind == .quoted || peek().kind == .word {
            advance()
            parts.append(Identifier(token.text, token.range))
            advance()
        }
        return QualifiedName(parts)
    }

    // MARK: MATCH_RECOGNIZE

    private mutating func matchRecognize() throws(MillstreamError) -> MatchSyntax {
        let start = token.range.start
        advance()
        try expect("(")
        var match = MatchSyntax(pattern: PatternSyntax(kind: .empty, range: token.range), range: token.range)
        if accept("PARTITION", "BY") { match.partitionBy = try expressionList() }
        if accept("ORDER", "BY") { match.orderBy = try orderItems() }
        if accept("MEASURES") {
            repeat {
                let expression = try expression()
                try expect("AS")
                match.measures.append(SelectItem(expression: expression, alias: try identifier("a name behind AS")))
            } while accept(",")
        }
        if accept("ONE", "ROW", "PER", "MATCH") {
            match.rows = .one
        } else if accept("ALL", "ROWS", "PER", "MATCH") {
            match.rows = .all
            if accept("SHOW", "EMPTY", "MATCHES") { match.rows = .allShowEmpty } else if accept("OMIT", "EMPTY", "MATCHES") { match.rows = .allOmitEmpty }
            if accept("WITH", "UNMATCHED", "ROWS") { match.rows = .allWithUnmatched }
        }
        if accept("AFTER", "MATCH") {
            try expect("SKIP")
            if accept("PAST", "LAST", "ROW") {
                match.skip = .pastLastRow
            } else {
                try expect("TO")
                if accept("NEXT", "ROW") {
                    match.skip = .toNextRow
                } else if accept("FIRST") {
                    match.skip = .toFirst(try identifier("a pattern variable"))
                } else {
                    _ = accept("LAST")
                    match.skip = .toLast(try identifier("a pattern variable"))
                }
            }
        }
        try expect("PATTERN")
        try expect("(")
        match.isStrictStart = accept("^")
        match.pattern = try pattern()
        match.isStrictEnd = accept("$")
        try expect(")")
        if accept("WITHIN") { match.within = try expression() }
        if accept("SUBSET") {
            repeat {
                let name = try identifier()
                try expect("=")
                match.subsets.append(SubsetSyntax(name: name, members: try identifierList()))
            } while accept(",")
        }
        if accept("DEFINE") {
            repeat {
                let name = try identifier("a pattern variable")
                try expect("AS")
                match.definitions.append(DefinitionSyntax(name: name, condition: try expression()))
            } while accept(",")
        }
        try expect(")")
        match.range = range(from: start)
        return match
    }

    private mutating func pattern() throws(MillstreamError) -> PatternSyntax {
        try enter()
        defer { leave() }
        let start = token.range.start
        var branches = [try patternSequence()]
        while accept("|") { branches.append(try patternSequence()) }
        return branches.count == 1 ? branches[0] : PatternSyntax(kind: .alternation(branches), range: range(from: start))
    }

    private mutating func patternSequence() throws(MillstreamError) -> PatternSyntax {
        let start = token.range.start
        var parts: [PatternSyntax] = []
        while !at(")"), !at("|"), !at("$"), !at("-}"), !isAtEnd { parts.append(try patternFactor()) }
        guard !parts.isEmpty else { throw unexpected("a pattern variable") }
        return parts.count == 1 ? parts[0] : PatternSyntax(kind: .sequence(parts), range: range(from: start))
    }

    private mutating func patternFactor() throws(MillstreamError) -> PatternSyntax {
        let start = token.range.start
        let inner = try patternPrimary()
        var minimum = 1
        var maximum: Int? = 1
        if accept("*") {
            (minimum, maximum) = (0, nil)
        } else if accept("+") {
            (minimum, maximum) = (1, nil)
        } else if accept("?") {
            (minimum, maximum) = (0, 1)
        } else if at("{"), peek().keyword != "-" {
            advance()
            if accept(",") {
                (minimum, maximum) = (0, try integer())
            } else {
                minimum = try integer()
                maximum = minimum
                if accept(",") { maximum = at("}") ? nil : try integer() }
            }
            if let maximum, maximum < minimum { throw error("at most \(maximum) is less than at least \(minimum)", at: range(from: start)) }
            try expect("}")
        } else {
            return inner
        }
        let isReluctant = accept("?")
        return PatternSyntax(kind: .repeated(inner, minimum: minimum, maximum: maximum, isReluctant: isReluctant), range: range(from: start))
    }

    private mutating func patternPrimary() throws(MillstreamError) -> PatternSyntax {
        let start = token.range.start
        if accept("(") {
            if accept(")") { return PatternSyntax(kind: .empty, range: range(from: start)) }
            let inner = try pattern()
            try expect(")")
            return inner
        }
        if accept("{-") {
            let inner = try pattern()
            try expect("-}")
            return PatternSyntax(kind: .excluded(inner), range: range(from: start))
        }
        if accept("PERMUTE") {
            try expect("(")
            var parts = [try pattern()]
            while accept(",") { parts.append(try pattern()) }
            try expect(")")
            return PatternSyntax(kind: .permute(parts), range: range(from: start))
        }
        return PatternSyntax(kind: .variable(try identifier("a pattern variable")), range: range(from: start))
    }
}
