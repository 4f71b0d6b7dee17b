import Columnar

/// Queries as text, in the form that Flink gives them: a clause a line.
extension SQLText {
    static func query(_ query: QuerySyntax) -> String { QueryText(expressions: ExpressionText(isUserFunction: { _ in false })).text(query) }

    struct QueryText {
        var expressions: ExpressionText
        /// The name of a table, which may be written with its path.
        var table: (QualifiedName) -> String = { SQLText.name($0) }
        /// Writes queries within FROM and WITH; nil: as this one is written.
        var nested: ((QuerySyntax) -> String)?
        /// Writes a SELECT; nil: as it is.
        var selectText: ((SelectSyntax) -> String)?

        func text(_ query: QuerySyntax) -> String {
            var text = ""
            if !query.with.isEmpty {
                text =
                    "WITH "
                    + query.with.map { common in
                        name(common.name.text) + (common.columns.isEmpty ? "" : " (" + names(common.columns.map(\.text)) + ")") + " AS ("
                            + inner(common.query) + ")"
                    }.joined(separator: ", ") + " "
            }
            text += body(query.body)
            if !query.orderBy.isEmpty { text += "\nORDER BY " + expressions.order(query.orderBy) }
            if let offset = query.offset { text += "\nOFFSET " + expressions.text(offset) + " ROWS" }
            if let limit = query.limit { text += "\nFETCH NEXT " + expressions.text(limit) + " ROWS ONLY" }
            return text
        }

        private func inner(_ query: QuerySyntax) -> String { nested?(query) ?? text(query) }

        private func body(_ body: QueryBody) -> String {
            switch body {
            case .select(let select): return selectText?(select) ?? self.select(select)
            case .values(let rows): return "VALUES " + rows.map(row).joined(separator: ",\n")
            case .table(let name):
                guard let selectText else { return "TABLE " + table(name) }
                var select = SelectSyntax(range: name.range)
                select.items = [SelectItem(expression: ExpressionSyntax(.star(nil), name.range))]
                select.from = TableSyntax(.named(name, hints: [], asOf: nil), name.range)
                return selectText(select)
            case .query(let query):
                return query.with.isEmpty && query.orderBy.isEmpty && query.limit == nil && query.offset == nil
                    ? self.body(query.body) : "(" + text(query) + ")"
            case .setOperation(let operation, let isAll, let left, let right, _):
                return side(left, of: operation, isRight: false) + "\n\(operation.rawValue)\(isAll ? " ALL" : "")\n"
                    + side(right, of: operation, isRight: true)
            }
        }

        /// UNION and EXCEPT are of one strength, INTERSECT is stronger; all group to the left.
        private func side(_ body: QueryBody, of operation: SetOperation, isRight: Bool) -> String {
            var inner = body
            while case .query(let query) = inner, query.with.isEmpty, query.orderBy.isEmpty, query.limit == nil, query.offset == nil {
                inner = query.body
            }
            if case .setOperation(let other, _, _, _, _) = inner {
                let needsParentheses = isRight ? !(other == .intersect && operation != .intersect) : operation == .intersect && other != .intersect
                if needsParentheses { return "(" + self.body(inner) + ")" }
            }
            return self.body(inner)
        }

        private func row(_ row: ExpressionSyntax) -> String {
            if case .row = row.kind { return expressions.text(row) }
            return "ROW(" + expressions.text(row) + ")"
        }

        func select(_ select: SelectSyntax) -> String {
            var text = "SELECT "
            if !select.hints.isEmpty { text += hints(select.hints) + " " }
            if select.isDistinct { text += "DISTINCT " }
            text += select.items.map { expressions.text($0.expression) + ($0.alias.map { " AS " + name($0.text) } ?? "") }.joined(separator: ", ")
            if let from = select.from { text += "\nFROM " + self.from(from) }
            if let condition = select.condition { text += "\nWHERE " + expressions.text(condition) }
            if let groupBy = select.groupBy {
                text += "\nGROUP BY " + (groupBy.isDistinct ? "DISTINCT " : "") + groupBy.elements.map(element).joined(separator: ", ")
            }
            if let having = select.having { text += "\nHAVING " + expressions.text(having) }
            if !select.windows.isEmpty {
                text += "\nWINDOW " + select.windows.map { "\(name($0.name.text)) AS \(expressions.window($0.window))" }.joined(separator: ", ")
            }
            if let qualify = select.qualify { text += "\nQUALIFY " + expressions.text(qualify) }
            return text
        }

        private func element(_ element: GroupBySyntax.Element) -> String {
            switch element {
            case .expression(let expression): expressions.text(expression)
            case .group(let group): group.isEmpty ? "()" : "(" + expressions.list(group) + ")"
            case .rollup(let elements): "ROLLUP(" + elements.map(self.element).joined(separator: ", ") + ")"
            case .cube(let elements): "CUBE(" + elements.map(self.element).joined(separator: ", ") + ")"
            case .sets(let elements): "GROUPING SETS(" + elements.map(self.element).joined(separator: ", ") + ")"
            }
        }

        private func hints(_ hints: [HintSyntax]) -> String {
            "/*+ "
                + hints.map { hint in
                    var parts = hint.names.map(name)
                    parts += hint.options.map { "\(string($0.key)) = \(string($0.value))" }
                    return "\(name(hint.name.text))(\(parts.joined(separator: ", ")))"
                }.joined(separator: ", ") + " */"
        }

        // MARK: FROM

        private func from(_ table: TableSyntax) -> String {
            var text: String
            switch table.kind {
            case .named(let name, let hints, let asOf):
                text = self.table(name)
                if !hints.isEmpty { text += " " + self.hints(hints) }
                if let asOf { text += " FOR SYSTEM_TIME AS OF " + expressions.text(asOf) }
            case .function(let call, let isLateral):
                text = (isLateral ? "LATERAL " : "") + "TABLE(" + expressions.text(ExpressionSyntax(.call(call), table.range)) + ")"
            case .query(let query, let isLateral): text = (isLateral ? "LATERAL " : "") + "(" + inner(query) + ")"
            case .unnest(let collections, let withOrdinality):
                text = "UNNEST(" + expressions.list(collections) + ")" + (withOrdinality ? " WITH ORDINALITY" : "")
            case .join(let left, let right, let kind, let isNatural, let condition):
                text = from(left)
                if kind == .comma {
                    text += ",\n" + from(right)
                } else {
                    text += "\n" + (isNatural ? "NATURAL " : "") + kind.rawValue + " JOIN "
                    if case .join = right.kind, right.alias == nil { text += "(" + from(right) + ")" } else { text += from(right) }
                }
                switch condition {
                case .on(let condition): text += " ON " + expressions.text(condition)
                case .using(let columns): text += " USING (" + names(columns.map(\.text)) + ")"
                case nil: break
                }
            case .matchRecognize(let input, let match): text = from(input) + " MATCH_RECOGNIZE(" + self.match(match) + ")"
            }
            if let alias = table.alias {
                if case .join = table.kind { text = "(" + text + ")" }
                text += " AS " + name(alias.text)
                if !table.columns.isEmpty { text += " (" + names(table.columns.map(\.text)) + ")" }
            }
            return text
        }

        func tableArgument(_ argument: TableArgumentSyntax) -> String {
            var text: String
            if case .named(let name, let hints, _) = argument.table.kind {
                text = "TABLE " + table(name) + (hints.isEmpty ? "" : " " + self.hints(hints))
            } else {
                text = from(argument.table)
            }
            if !argument.partitionBy.isEmpty { text += " PARTITION BY (" + expressions.list(argument.partitionBy) + ")" }
            if !argument.orderBy.isEmpty { text += " ORDER BY (" + expressions.order(argument.orderBy) + ")" }
            return text
        }

        // MARK: MATCH_RECOGNIZE

        private func match(_ match: MatchSyntax) -> String {
            var lines: [String] = []
            if !match.partitionBy.isEmpty { lines.append("PARTITION BY " + expressions.list(match.partitionBy)) }
            if !match.orderBy.isEmpty { lines.append("ORDER BY " + expressions.order(match.orderBy)) }
            if !match.measures.isEmpty {
                lines.append(
                    "MEASURES "
                        + match.measures.map { expressions.text($0.expression) + ($0.alias.map { " AS " + name($0.text) } ?? "") }.joined(
                            separator: ", "))
            }
            switch match.rows {
            case .one: lines.append("ONE ROW PER MATCH")
            case .all: lines.append("ALL ROWS PER MATCH")
            case .allShowEmpty: lines.append("ALL ROWS PER MATCH SHOW EMPTY MATCHES")
            case .allOmitEmpty: lines.append("ALL ROWS PER MATCH OMIT EMPTY MATCHES")
            case .allWithUnmatched: lines.append("ALL ROWS PER MATCH WITH UNMATCHED ROWS")
            case nil: break
            }
            switch match.skip {
            case .pastLastRow: lines.append("AFTER MATCH SKIP PAST LAST ROW")
            case .toNextRow: lines.append("AFTER MATCH SKIP TO NEXT ROW")
            case .toFirst(let variable): lines.append("AFTER MATCH SKIP TO FIRST " + name(variable.text))
            case .toLast(let variable): lines.append("AFTER MATCH SKIP TO LAST " + name(variable.text))
            case nil: break
            }
            lines.append(
                "PATTERN (" + (match.isStrictStart ? "^ " : "") + pattern(match.pattern, isInner: false) + (match.isStrictEnd ? " $" : "") + ")")
            if let within = match.within { lines.append("WITHIN " + expressions.text(within)) }
            if !match.subsets.isEmpty {
                lines.append("SUBSET " + match.subsets.map { "\(name($0.name.text)) = (\(names($0.members.map(\.text))))" }.joined(separator: ", "))
            }
            if !match.definitions.isEmpty {
                lines.append(
                    "DEFINE " + match.definitions.map { "\(name($0.name.text)) AS \(expressions.text($0.condition))" }.joined(separator: ", "))
            }
            return lines.joined(separator: "\n")
        }

        private func pattern(_ pattern: PatternSyntax, isInner: Bool) -> String {
            switch pattern.kind {
            case .variable(let variable): return name(variable.text)
            case .sequence(let parts):
                let text = parts.map { self.pattern($0, isInner: true) }.joined(separator: " ")
                return isInner ? "(" + text + ")" : text
            case .alternation(let parts):
                let text = parts.map { self.pattern($0, isInner: true) }.joined(separator: " | ")
                return isInner ? "(" + text + ")" : text
            case .permute(let parts): return "PERMUTE(" + parts.map { self.pattern($0, isInner: false) }.joined(separator: ", ") + ")"
            case .excluded(let inner): return "{- " + self.pattern(inner, isInner: false) + " -}"
            case .empty: return "()"
            case .repeated(let inner, let minimum, let maximum, let isReluctant):
                let sign: String
                switch (minimum, maximum) {
                case (0, nil): sign = "*"
                case (1, nil): sign = "+"
                case (0, 1): sign = "?"
                case (let minimum, nil): sign = "{ \(minimum), }"
                case (let minimum, let maximum?): sign = minimum == maximum ? "{ \(minimum) }" : "{ \(minimum), \(maximum) }"
                }
                return self.pattern(inner, isInner: true) + sign + (isReluctant ? "?" : "")
            }
        }
    }
}
