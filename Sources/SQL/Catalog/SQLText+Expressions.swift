import Columnar

/// Expressions as text, in the form that Flink gives them: names in backticks, no more parentheses than needed, some calls as what they stand for.
extension SQLText {
    /// How strongly an operator binds on its two sides, as Calcite counts.
    private struct Binding {
        let left: Int
        let right: Int

        /// Operators of one strength group to the left.
        init(_ strength: Int) { (left, right) = (strength * 2, strength * 2 + 1) }

        static let or = Binding(22), and = Binding(24), not = Binding(26), test = Binding(28), comparison = Binding(30), member = Binding(32)
        static let additive = Binding(40), multiplicative = Binding(60), sign = Binding(80), element = Binding(100)
    }

    /// `isUserFunction`: whether a name is that of a function which is not built in; those are written as they are.
    static func expression(_ expression: ExpressionSyntax, _ isUserFunction: @escaping (QualifiedName) -> Bool = { _ in false }) -> String {
        ExpressionText(isUserFunction: isUserFunction).text(expression)
    }

    /// Names within expressions may be rewritten, queries within them written by another.
    struct ExpressionText {
        var isUserFunction: (QualifiedName) -> Bool
        var name: (QualifiedName) -> String = { SQLText.name($0) }
        var query: (QuerySyntax) -> String = { SQLText.query($0) }
        var table: (QualifiedName) -> String = { SQLText.name($0) }

        func text(_ expression: ExpressionSyntax) -> String { text(expression, 0, 0) }

        func list(_ expressions: [ExpressionSyntax]) -> String { expressions.map { text($0) }.joined(separator: ", ") }

        /// `left` and `right`: how strongly the neighbours on both sides pull.
        private func text(_ expression: ExpressionSyntax, _ left: Int, _ right: Int) -> String {
            /// Parentheses where a neighbour pulls more strongly.
            func bound(_ binding: Binding, _ make: (_ left: Int, _ right: Int) -> String) -> String {
                if left > binding.left || right != 0 && binding.right <= right { return "(" + make(0, 0) + ")" }
                return make(left, right)
            }
            switch expression.kind {
            case .literal(let literal): return SQLText.literal(literal)
            case .name(let name): return self.name(name)
            case .star(let table): return table.map { name($0) + ".*" } ?? "*"
            case .parameter: return "?"
            case .unary(.not, let inner): return bound(.not) { "NOT " + text(inner, Binding.not.right, $1) }
            // A number with its sign is one literal.
            case .unary(.minus, let inner) where Self.isNumber(inner): return bound(.sign) { _, _ in "-" + text(inner) }
            case .unary(let sign, let inner): return bound(.sign) { (sign == .minus ? "- " : "+ ") + text(inner, Binding.sign.right, $1) }
            case .difference(let first, let second, let type):
                return "(" + text(first, 0, Binding.additive.left) + " - " + text(second, Binding.additive.right, 0) + ") "
                    + SQLText.type(type).dropPrefix("INTERVAL ")
            case .binary: return chain(expression, left, right)
            case .test(let inner, let test, let isNegated):
                return bound(.test) { left, _ in
                    text(inner, left, Binding.test.left) + " IS " + (isNegated ? "NOT " : "") + (test == .json ? TestSyntax.jsonValue : test).rawValue
                }
            case .between(let value, let low, let high, let isSymmetric, let isNegated):
                return bound(.member) {
                    text(value, $0, Binding.member.left) + (isNegated ? " NOT" : "") + " BETWEEN " + (isSymmetric ? "SYMMETRIC " : "ASYMMETRIC ")
                        + text(low, Binding.member.right, Binding.member.left) + " AND " + text(high, Binding.member.right, $1)
                }
            case .inList(let value, let items, let isNegated):
                return bound(.member) { left, _ in text(value, left, Binding.member.left) + (isNegated ? " NOT" : "") + " IN (" + list(items) + ")" }
            case .inQuery(let value, let query, let isNegated):
                return bound(.member) { left, _ in
                    text(value, left, Binding.member.left) + (isNegated ? " NOT" : "") + " IN (" + self.query(query) + ")"
                }
            case .quantified(let sign, let value, let quantifier, let query):
                return bound(.comparison) { left, _ in
                    text(value, left, Binding.comparison.left) + " \(sign.rawValue) \(word(quantifier)) (" + self.query(query) + ")"
                }
            case .quantifiedList(let sign, let value, let quantifier, let items):
                return bound(.comparison) { left, _ in
                    text(value, left, Binding.comparison.left) + " \(sign.rawValue) \(word(quantifier)) (" + list(items) + ")"
                }
            case .match(let value, let kind, let pattern, let escape, let isNegated):
                return bound(.member) {
                    text(value, $0, Binding.member.left) + (isNegated ? " NOT " : " ") + kind.rawValue + " "
                        + text(pattern, Binding.member.right, escape == nil ? $1 : Binding.member.left)
                        + (escape.map { " ESCAPE " + text($0, Binding.member.right, Binding.member.left) } ?? "")
                }
            case .case(let operand, let branches, let otherwise): return conditional(operand, branches, otherwise)
            case .cast(let inner, let type, let isTry): return (isTry ? "TRY_CAST(" : "CAST(") + text(inner) + " AS " + SQLText.type(type) + ")"
            case .call(let call): return self.call(call)
            case .unit(let unit): return unit.rawValue
            case .row(let items): return "ROW(" + list(items) + ")"
            case .array(let items): return "ARRAY[" + list(items) + "]"
            case .map(let items): return "MAP[" + list(items) + "]"
            case .multiset(let items): return "MULTISET[" + list(items) + "]"
            case .arrayQuery(let query): return "ARRAY(" + self.query(query) + ")"
            case .mapQuery(let query): return "MAP(" + self.query(query) + ")"
            case .multisetQuery(let query): return "MULTISET(" + self.query(query) + ")"
            case .exists(let query): return "EXISTS (" + self.query(query) + ")"
            case .query(let query): return "(" + self.query(query) + ")"
            case .element(let collection, let key): return text(collection, 0, Binding.element.left) + "[" + text(key) + "]"
            case .field(let inner, let field): return "(" + text(inner) + ")." + SQLText.name(field.text)
            case .allFields(let inner): return "(" + text(inner) + ").*"
            case .json(let call): return json(call)
            }
        }

        /// Operators that follow one another: a loop, as thousands of them are one expression as deep.
        private func chain(_ expression: ExpressionSyntax, _ left: Int, _ right: Int) -> String {
            var operators: [(sign: BinarySyntax, operand: ExpressionSyntax, right: Int, hasParentheses: Bool)] = []
            var (innermost, left, right) = (expression, left, right)
            while case .binary(let sign, let first, let second) = innermost.kind {
                let binding = binding(sign)
                let hasParentheses = left > binding.left || right != 0 && binding.right <= right
                if hasParentheses { (left, right) = (0, 0) }
                operators.append((sign, second, right, hasParentheses))
                (innermost, right) = (first, binding.left)
            }
            var result = text(innermost, left, right)
            for (sign, operand, right, hasParentheses) in operators.reversed() {
                result += " \(sign.rawValue) " + text(operand, binding(sign).right, right)
                if hasParentheses { result = "(" + result + ")" }
            }
            return result
        }

        private static func isNumber(_ expression: ExpressionSyntax) -> Bool {
            switch expression.kind {
            case .literal(.number), .literal(.approximate): true
            default: false
            }
        }

        private func word(_ quantifier: Quantifier) -> String { quantifier == .any ? "SOME" : "ALL" }

        private func binding(_ sign: BinarySyntax) -> Binding {
            switch sign {
            case .or: .or
            case .and: .and
            case .add, .subtract: .additive
            case .multiply, .divide, .remainder, .concatenate: .multiplicative
            default: .comparison
            }
        }

        /// `CASE x WHEN 1` is written as `CASE WHEN x = 1`, and a missing ELSE as ELSE NULL.
        private func conditional(_ operand: ExpressionSyntax?, _ branches: [CaseBranch], _ otherwise: ExpressionSyntax?) -> String {
            var parts = ["CASE"]
            for branch in branches {
                var condition = list(branch.conditions)
                if let operand {
                    let equal = Binding.comparison
                    let start = text(operand, 0, equal.left)
                    condition =
                        branch.conditions.count == 1
                        ? start + " = " + text(branch.conditions[0], equal.right, 0)
                        : text(operand, 0, Binding.member.left) + " IN (" + list(branch.conditions) + ")"
                }
                parts.append("WHEN " + condition + " THEN " + text(branch.result))
            }
            parts.append("ELSE " + (otherwise.map { text($0) } ?? "NULL"))
            return parts.joined(separator: " ") + " END"
        }

        // MARK: Calls

        private static let parts: [String: TimeUnitName] = [
            "YEAR": .year, "QUARTER": .quarter, "MONTH": .month, "WEEK": .week, "DAYOFMONTH": .day, "DAYOFWEEK": .dayOfWeek, "DAYOFYEAR": .dayOfYear,
            "HOUR": .hour, "MINUTE": .minute,
            "SECOND": .second,
        ]
        /// Calls without parentheses.
        private static let bare: Set = [
            "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "CURRENT_CATALOG", "CURRENT_USER", "SESSION_USER",
            "USER", "SYSTEM_USER",
        ]

        private func call(_ call: CallSyntax) -> String {
            let arguments = call.arguments.compactMap { argument -> ExpressionSyntax? in
                if argument.name == nil, case .expression(let value) = argument.value { return value }
                return nil
            }
            let isPlain = arguments.count == call.arguments.count && !isUserFunction(call.name) && call.name.parts.count == 1
            let name = call.name.parts[call.name.parts.count - 1].text.uppercasedASCII
            if isPlain, let special = special(name, arguments, call) { return special }
            let shown =
                call.name.parts.count > 1 || isUserFunction(call.name)
                ? SQLText.name(call.name) : BridgedFunctions.names.contains(name) ? "`\(name)`" : name
            var inner = (call.isDistinct ? "DISTINCT " : "") + (call.hasStar ? "*" : call.arguments.map { argument($0) }.joined(separator: ", "))
            if !call.orderBy.isEmpty, !call.hasWithinGroup { inner += " ORDER BY " + order(call.orderBy) }
            var result = Self.bare.contains(name) && isPlain && inner.isEmpty ? name : shown + "(" + inner + ")"
            if call.hasWithinGroup { result += " WITHIN GROUP (ORDER BY " + order(call.orderBy) + ")" }
            if let treatment = call.nullTreatment { result += treatment == .ignore ? " IGNORE NULLS" : " RESPECT NULLS" }
            if call.modifier == "RUNNING" || call.modifier == "FINAL" { result = "\(call.modifier ?? "") " + result }
            if let filter = call.filter { result += " FILTER (WHERE " + text(filter) + ")" }
            if let over = call.over { result += " OVER " + window(over) }
            return result
        }

        /// Calls whose arguments have words between them, or that stand for something else.
        private func special(_ name: String, _ arguments: [ExpressionSyntax], _ call: CallSyntax) -> String? {
            let texts = arguments.map { text($0) }
            switch (name, texts.count) {
            case (_, 1) where Self.parts[name] != nil: return "EXTRACT(\(Self.parts[name]?.rawValue ?? "") FROM \(texts[0]))"
            case ("EXTRACT", 2): return "EXTRACT(\(texts[0]) FROM \(texts[1]))"
            case ("FLOOR", 2), ("CEIL", 2), ("CEILING", 2):
                guard case .unit = arguments[1].kind else { return nil }
                return "\(name == "FLOOR" ? "FLOOR" : "CEIL")(\(texts[0]) TO \(texts[1]))"
            case ("POSITION", 2): return "POSITION(\(texts[0]) IN \(texts[1]))"
            case ("POSITION", 3): return "POSITION(\(texts[0]) IN \(texts[1]) FROM \(texts[2]))"
            case ("OVERLAY", 3): return "OVERLAY(\(texts[0]) PLACING \(texts[1]) FROM \(texts[2]))"
            case ("OVERLAY", 4): return "OVERLAY(\(texts[0]) PLACING \(texts[1]) FROM \(texts[2]) FOR \(texts[3]))"
            case ("TRIM", 1): return "TRIM(\(call.modifier ?? "BOTH") ' ' FROM \(texts[0]))"
            case ("TRIM", 2) where call.modifier != nil: return "TRIM(\(call.modifier ?? "") \(texts[0]) FROM \(texts[1]))"
            case ("NULLIF", 2):
                return "CASE WHEN " + text(arguments[0], 0, Binding.comparison.left) + " = " + text(arguments[1], Binding.comparison.right, 0)
                    + " THEN NULL ELSE \(texts[0]) END"
            case ("INTERVAL", 2): return "INTERVAL " + (call.modifier == "-" ? "-" : "") + "(\(texts[0])) \(texts[1])"
            default: return nil
            }
        }

        private func argument(_ argument: ArgumentSyntax) -> String {
            let value: String
            switch argument.value {
            case .expression(let expression): value = text(expression)
            case .descriptor(let names): value = "DESCRIPTOR(" + names.map { SQLText.name($0.text) }.joined(separator: ", ") + ")"
            case .standard: value = "DEFAULT"
            case .table(let table): value = QueryText(expressions: self, table: self.table, nested: query).tableArgument(table)
            }
            return argument.name.map { SQLText.name($0.text) + " => " + value } ?? value
        }

        func order(_ items: [OrderItem]) -> String {
            items.map { item in
                text(item.expression) + (item.isDescending ? " DESC" : "") + (item.nullsFirst.map { $0 ? " NULLS FIRST" : " NULLS LAST" } ?? "")
            }.joined(separator: ", ")
        }

        func window(_ reference: WindowReference) -> String {
            switch reference {
            case .named(let name): SQLText.name(name.text)
            case .inline(let window): self.window(window)
            }
        }

        func window(_ window: WindowSyntax) -> String {
            var parts: [String] = []
            if let base = window.base { parts.append(SQLText.name(base.text)) }
            if !window.partitionBy.isEmpty { parts.append("PARTITION BY " + list(window.partitionBy)) }
            if !window.orderBy.isEmpty { parts.append("ORDER BY " + order(window.orderBy)) }
            if let frame = window.frame {
                let kind = frame.isRows ? "ROWS " : "RANGE "
                parts.append(kind + (frame.end.map { "BETWEEN \(bound(frame.start)) AND \(bound($0))" } ?? bound(frame.start)))
            }
            return "(" + parts.joined(separator: " ") + ")"
        }

        private func bound(_ bound: FrameSyntax.Bound) -> String {
            switch bound {
            case .unboundedPreceding: "UNBOUNDED PRECEDING"
            case .preceding(let value): text(value, Binding.member.right, Binding.member.left) + " PRECEDING"
            case .currentRow: "CURRENT ROW"
            case .following(let value): text(value, Binding.member.right, Binding.member.left) + " FOLLOWING"
            case .unboundedFollowing: "UNBOUNDED FOLLOWING"
            }
        }

        // MARK: JSON

        private func json(_ call: JSONCallSyntax) -> String {
            var inner: String
            switch call.function {
            case .object, .objectAggregate:
                inner = stride(from: 0, to: call.arguments.count - 1, by: 2).map {
                    "KEY \(text(call.arguments[$0])) VALUE \(text(call.arguments[$0 + 1]))"
                }.joined(separator: ", ")
                inner += (inner.isEmpty ? "" : " ") + (call.keepsNulls ?? true ? "NULL ON NULL" : "ABSENT ON NULL")
            case .array, .arrayAggregate:
                inner = list(call.arguments)
                inner += (inner.isEmpty ? "" : " ") + (call.keepsNulls ?? false ? "NULL ON NULL" : "ABSENT ON NULL")
            case .value, .query, .exists:
                inner = list(call.arguments)
                if let type = call.returning { inner += " RETURNING " + SQLText.type(type) }
                if call.function == .query {
                    switch call.wrapper {
                    case .conditional: inner += " WITH CONDITIONAL ARRAY WRAPPER"
                    case .unconditional: inner += " WITH UNCONDITIONAL ARRAY WRAPPER"
                    case .without, nil: inner += " WITHOUT ARRAY WRAPPER"
                    }
                    inner += " \(behaviour(call.onEmpty ?? .null)) ON EMPTY \(behaviour(call.onError ?? .null)) ON ERROR"
                } else {
                    if let onEmpty = call.onEmpty { inner += " \(behaviour(onEmpty)) ON EMPTY" }
                    if let onError = call.onError { inner += " \(behaviour(onError)) ON ERROR" }
                }
            }
            var result = "\(call.function.rawValue)(\(inner))"
            if let filter = call.filter { result += " FILTER (WHERE " + text(filter) + ")" }
            if let over = call.over { result += " OVER " + window(over) }
            return result
        }

        private func behaviour(_ behaviour: JSONCallSyntax.Behaviour) -> String {
            switch behaviour {
            case .null: "NULL"
            case .error: "ERROR"
            case .emptyArray: "EMPTY ARRAY"
            case .emptyObject: "EMPTY OBJECT"
            case .true: "TRUE"
            case .false: "FALSE"
            case .unknown: "UNKNOWN"
            case .value(let value): "DEFAULT " + text(value)
            }
        }
    }
}

extension String {
    func dropPrefix(_ prefix: String) -> String { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : self }
}

/// Built-in functions that Flink writes in backticks: those of its newer kind, in which a function is no operator of the parser's.
enum BridgedFunctions {
    static let names: Set<String> = [
        "ARRAY_AGG", "ARRAY_APPEND", "ARRAY_CONCAT", "ARRAY_CONTAINS", "ARRAY_DISTINCT", "ARRAY_EXCEPT", "ARRAY_INTERSECT", "ARRAY_JOIN", "ARRAY_MAX",
        "ARRAY_MIN", "ARRAY_POSITION",
        "ARRAY_PREPEND", "ARRAY_REMOVE", "ARRAY_REVERSE", "ARRAY_SLICE", "ARRAY_SORT", "ARRAY_UNION", "BITMAP_AND", "BITMAP_ANDNOT", "BITMAP_AND_AGG",
        "BITMAP_AND_CARDINALITY_AGG",
        "BITMAP_BUILD", "BITMAP_BUILD_AGG", "BITMAP_BUILD_CARDINALITY_AGG", "BITMAP_CARDINALITY", "BITMAP_FROM_BYTES", "BITMAP_OR", "BITMAP_OR_AGG",
        "BITMAP_OR_CARDINALITY_AGG",
        "BITMAP_TO_ARRAY", "BITMAP_TO_BYTES", "BITMAP_TO_STRING", "BITMAP_XOR", "BITMAP_XOR_AGG", "BITMAP_XOR_CARDINALITY_AGG", "BTRIM",
        "CURRENT_WATERMARK", "ELT", "ENDSWITH",
        "FROM_CHANGELOG", "GREATEST", "IFNULL", "INET_ATON", "INET_NTOA", "JSON", "JSON_QUOTE", "JSON_STRING", "JSON_UNQUOTE", "LEAST", "MAP_ENTRIES",
        "MAP_FROM_ARRAYS", "MAP_KEYS", "MAP_UNION",
        "MAP_VALUES", "OBJECT_OF", "OBJECT_UPDATE", "PARSE_JSON", "PERCENTILE", "PRINTF", "REGEXP_COUNT", "REGEXP_EXTRACT_ALL", "REGEXP_INSTR",
        "REGEXP_SUBSTR", "SOURCE_WATERMARK", "SPLIT",
        "STARTSWITH", "TO_CHANGELOG", "TO_TIMESTAMP_LTZ", "TRANSLATE", "TRY_PARSE_JSON", "TYPEOF", "UNHEX", "URL_DECODE", "URL_ENCODE",
    ]
}
