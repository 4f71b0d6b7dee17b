import Columnar
import Expressions
import Plan
import SQL
import Testing

struct BinderTests {
    private static let address = DataType(.row([Field("city", .string), Field("zip", DataType(.row([Field("code", .int)]), isNullable: false))]))
    private static let orders = TableScope([
        TableScope.Table(
            ["shop", "db", "orders"],
            [
                ScopeColumn("id", 0, DataType.bigInt.notNull), ScopeColumn("amount", 1, DataType(.decimal(precision: 10, scale: 2))),
                ScopeColumn("status", 2, .string),
                ScopeColumn("address", 3, address), ScopeColumn("t", 4, DataType(.timestamp(3)), timeAttribute: .rowtime),
                ScopeColumn("tags", 5, DataType(.array(.string))),
            ]),
        TableScope.Table(["u"], [ScopeColumn("id", 6, DataType.int.notNull), ScopeColumn("name", 7, .string), ScopeColumn("orders", 8, .double)]),
    ])

    private static func binder(_ text: String, functions: any UserFunctions = NoUserFunctions(), hook: (any BindingHook)? = nil) -> ScalarBinder {
        ScalarBinder(SourceText(text), scope: orders, functions: functions, hook: hook)
    }

    private static func bind(_ text: String, functions: any UserFunctions = NoUserFunctions()) throws(MillstreamError) -> BoundScalar {
        try binder(text, functions: functions).bind(try Parser.expression(text))
    }

    // MARK: Names

    @Test(
        "A name is a column, of a table or alone, and the parts behind it are fields",
        arguments: [
            ("amount", "DECIMAL(10, 2)"), ("orders.amount", "DECIMAL(10, 2)"), ("db.orders.amount", "DECIMAL(10, 2)"),
            ("shop.db.orders.id", "BIGINT NOT NULL"),
            ("u.id", "INT NOT NULL"), ("address.city", "STRING"), ("address.zip.code", "INT"), ("orders.address.zip.code", "INT"),
            ("address.zip", "ROW<`code` INT>"),
            ("u.orders", "DOUBLE"), ("t", "TIMESTAMP(3) *ROWTIME*"), ("tags[1]", "STRING"), ("(address).city", "STRING"),
        ] as [(String, String)])
    func names(text: String, type: String) throws { #expect(try Self.bind(text).typeDescription == type) }

    @Test(
        "A mistake is told with its place, and what to do",
        arguments: [
            ("1 + amont", 1, 5, "there is no column 'amont'", "Did you mean 'amount'?"),
            ("AMOUNT", 1, 1, "there is no column 'AMOUNT'", "Did you mean 'amount'?"),
            ("id", 1, 1, "the column 'id' is ambiguous: 2 columns have this name", "orders.id or u.id"),
            ("x.name", 1, 1, "there is no 'x.name'", "There is u.name."),
            ("address.town", 1, 9, "the row has no field 'town'", "Its fields are city, zip."),
            ("status.x", 1, 8, "a value of type STRING has no field 'x'", ""),
            ("UPER(status)", 1, 1, "there is no function UPER", "Did you mean UPPER?"),
            ("LENGTH(status)", 1, 1, "there is no function LENGTH", "CHAR_LENGTH"),
            ("SUBSTRING(amount, 1)", 1, 1, "SUBSTRING does not take (DECIMAL(10, 2), INT)", "It takes SUBSTRING(<text>, <integer>[, <integer>])."),
            ("UPPER(status, 1)", 1, 1, "UPPER does not take 2 arguments", "UPPER(<text>)"),
            ("status + 1", 1, 1, "there is no STRING + INT", "CAST"),
            ("status = 1", 1, 1, "STRING and INT cannot be compared by =", "CAST"),
            ("t - t", 1, 1, "there is no TIMESTAMP(3) - TIMESTAMP(3)", "TIMESTAMPDIFF"),
            ("t + 1", 1, 1, "there is no TIMESTAMP(3) + INT", "INTERVAL '1' DAY"),
            ("CAST(1 AS TIMESTAMP(3))", 1, 1, "INT cannot be cast to TIMESTAMP(3)", "unit"),
            ("CASE WHEN amount THEN 1 END", 1, 11, "WHEN takes a condition, this is DECIMAL(10, 2)", ""),
            ("CASE WHEN TRUE THEN 1 ELSE 'a' END", 1, 1, "the results of CASE have no type in common: INT, CHAR(1)", "CAST"),
            ("amount AND TRUE", 1, 1, "AND takes BOOLEAN, this is DECIMAL(10, 2)", "<> 0"),
            ("NULL", 1, 1, "NULL has no type here", "CAST(NULL AS INT)"),
            ("tags[0]", 1, 6, "the elements of an array are counted from 1, not from 0", ""),
            ("COUNT(amount)", 1, 1, "the aggregate COUNT cannot stand here", ""),
            ("ROW_NUMBER()", 1, 1, "ROW_NUMBER takes an OVER (...) behind it", ""),
            ("ABS(DISTINCT amount)", 1, 1, "ABS is no aggregate", ""),
            ("99999999999999999999", 1, 1, "the number 99999999999999999999 has more than 64 bits", "DECIMAL(38, 0)"),
            ("DATE '2023-02-29'", 1, 1, "'2023-02-29' is no DATE", "yyyy-MM-dd"),
            ("INTERVAL '100' DAY", 1, 1, "100 has more than the 2 digits of INTERVAL DAY", "DAY(3)"),
            ("CURRENT_WATERMARK(CAST(t AS TIMESTAMP(3)))", 0, 0, "", ""),
            ("CAST(1 AS DECIMAL(5, 6))", 1, 11, "a DECIMAL of 5 digits cannot have 6 of them behind the point", "scale"),
            ("CAST(1 AS TEXT)", 1, 11, "there is no type 'TEXT'", "STRING"),
            ("(SELECT 1)", 1, 1, "a query cannot stand here", ""),
            ("?", 1, 1, "a statement has no parameters", ""),
        ] as [(String, Int, Int, String, String)])
    func mistakes(text: String, line: Int, column: Int, message: String, hint: String) throws {
        guard line > 0 else {
            // Taken: a cast to the type that a value has changes nothing.
            _ = try Self.bind(text)
            return
        }
        do {
            _ = try Self.bind(text)
            Issue.record("it is taken")
        } catch {
            #expect(error.message.hasPrefix("SQL: line \(line), column \(column): \(message)"), "\(error)")
            #expect(hint.isEmpty || error.hint?.contains(hint) == true, "\(error)")
        }
    }

    @Test("Functions of time keep the mark of a time attribute as Flink prints it; what else is done to it takes the mark off")
    func timeAttributes() throws {
        for text in ["FLOOR(t TO HOUR)", "CEIL(t TO DAY)", "t + INTERVAL '1' MINUTE", "INTERVAL '1' MINUTE + t", "t - INTERVAL '1' DAY"] {
            #expect(try Self.bind(text).typeDescription == "TIMESTAMP(3) *ROWTIME*", "\(text)")
        }
        for text in [
            "CAST(t AS TIMESTAMP(6))", "COALESCE(t, TIMESTAMP '2024-01-01 00:00:00')",
            "CASE WHEN TRUE THEN t ELSE TIMESTAMP '2024-01-01 00:00:00' END",
        ] {
            #expect(try Self.bind(text).timeAttribute == nil, "\(text)")
        }
        #expect(try Self.bind("PROCTIME()").typeDescription == "TIMESTAMP_LTZ(3) NOT NULL *PROCTIME*")
        #expect(try Self.bind("CURRENT_WATERMARK(t)").typeDescription == "TIMESTAMP(3)")
        let largest = try Self.binder("MAX(t)").bindAggregate(try Parser.expression("MAX(t)"), .grouped)
        #expect(largest.timeAttribute == .rowtime && largest.type == DataType(.timestamp(3)))
    }

    // MARK: The hook

    /// Gives columns for calls of SUM, and keeps what it was asked.
    private final class Taker: BindingHook {
        var asked: [String] = []
        let text: String
        init(_ text: String) { self.text = text }

        func replace(_ expression: ExpressionSyntax, in binder: ScalarBinder) throws(MillstreamError) -> BoundScalar? {
            asked.append(binder.source.string(expression.range))
            guard case .call(let call) = expression.kind, try binder.kind(of: call) == .aggregate else { return nil }
            return BoundScalar(.column(100, .bigInt))
        }
    }

    @Test("The hook is asked from the outside in, and not about parts of what it took")
    func hook() throws {
        let text = "ABS(SUM(amount + 1)) + id2"
        let taker = Taker(text)
        #expect(throws: MillstreamError.self) { try Self.binder(text, hook: taker).bind(try Parser.expression(text)) }
        #expect(taker.asked == ["ABS(SUM(amount + 1)) + id2", "ABS(SUM(amount + 1))", "SUM(amount + 1)", "id2"])
        let bound = try Self.binder("SUM(id) * 2", hook: Taker("")).bind(try Parser.expression("SUM(id) * 2"))
        #expect(bound.expression == .call(.times, [.column(100, .bigInt), .constant(.int64(2), DataType.bigInt.notNull)], .bigInt))
    }

    // MARK: Aggregates

    @Test(
        "Aggregates have their types with and without a group, their constants, and their words",
        arguments: [
            ("COUNT(*)", "BIGINT NOT NULL", "BIGINT NOT NULL"), ("COUNT(DISTINCT status)", "BIGINT NOT NULL", "BIGINT NOT NULL"),
            ("SUM(u.id)", "INT", "INT NOT NULL"),
            ("SUM(amount)", "DECIMAL(38, 2)", "DECIMAL(38, 2)"), ("AVG(amount)", "DECIMAL(38, 6)", "DECIMAL(38, 6)"),
            ("STDDEV_SAMP(u.id)", "INT", "INT"),
            ("STDDEV_POP(u.id)", "INT", "INT NOT NULL"), ("MIN(u.id)", "INT", "INT NOT NULL"), ("MIN(u.id) FILTER (WHERE u.id > 1)", "INT", "INT"),
            ("LISTAGG(status, '; ')", "STRING", "STRING"), ("ARRAY_AGG(u.id)", "ARRAY<INT NOT NULL> NOT NULL", "ARRAY<INT NOT NULL> NOT NULL"),
            ("COLLECT(name)", "MULTISET<STRING> NOT NULL", "MULTISET<STRING> NOT NULL"), ("PERCENTILE(amount, 0.25)", "DOUBLE", "DOUBLE"),
            ("JSON_OBJECTAGG(KEY name VALUE u.id ABSENT ON NULL)", "VARCHAR(2000) NOT NULL", "VARCHAR(2000) NOT NULL"),
        ] as [(String, String, String)])
    func aggregates(text: String, global: String, grouped: String) throws {
        let expression = try Parser.expression(text)
        #expect(try Self.binder(text).bindAggregate(expression, .global).type.description == global)
        #expect(try Self.binder(text).bindAggregate(expression, .grouped).type.description == grouped)
    }

    @Test("What an aggregate's description holds besides its arguments")
    func aggregateParts() throws {
        func bound(_ text: String, _ place: AggregatePlace = .grouped) throws -> BoundAggregate {
            try Self.binder(text).bindAggregate(try Parser.expression(text), place)
        }
        #expect(try bound("LISTAGG(status)").constants == [.string(",")])
        #expect(try bound("LISTAGG(status, '; ')").arguments.count == 1)
        #expect(try bound("PERCENTILE(u.id, ARRAY[0.1, 1])").constants == [.list([.double(0.1), .double(1)])])
        #expect(try bound("PERCENTILE(u.id, 0.5)").arguments[0].type == DataType.double.notNull)
        #expect(try bound("JSON_ARRAYAGG(name)").constants == [.string("ABSENT")])
        #expect(try bound("APPROX_COUNT_DISTINCT(name)").isDistinct)
        let lag = try bound("LAG(amount, 2, 0) OVER (ORDER BY t)", .over)
        #expect(
            lag.function == .builtIn(.lag) && lag.constants == [.int64(2)] && lag.arguments.count == 2
                && lag.arguments[1].type.kind == .decimal(precision: 10, scale: 2))
        // Flink types it NOT NULL and fails on an amount that is NULL.
        #expect(lag.type.isNullable)
        #expect(try bound("LAG(u.id, 1, 0) OVER (ORDER BY t)", .over).type == DataType.int.notNull)
        #expect(try bound("ROW_NUMBER() OVER (ORDER BY t)", .over).type == DataType.bigInt.notNull)
        #expect(try bound("ARRAY_AGG(name ORDER BY u.id DESC)").order.map(\.nullsFirst) == [false])
        for text in [
            "LAG(amount)", "SUM(status)", "SUM(*)", "FIRST_VALUE(name) IGNORE NULLS", "LISTAGG(status, name)", "PERCENTILE(u.id, 1.5)", "MAX(tags)",
            "SUM(SUM(u.id))",
        ] {
            #expect(throws: MillstreamError.self, "\(text)") { try bound(text) }
        }
    }

    // MARK: Functions of the program

    private struct Library: UserFunctions {
        private let functions: [UserFunction] = [
            UserFunction(
                "TAX", .scalar, BindingID(1),
                [
                    .init([.init(.double, name: "amount"), .init(.string, name: "country", isOptional: true)], result: .double),
                    .init([.init(.string), .init(.int)], isVariadic: true, result: .bigInt),
                ]),
            UserFunction("ANYTHING", .scalar, BindingID(2), [.init(nil, result: .string)]),
            UserFunction("WORDS", .table, BindingID(3), [.init([.init(.string)], result: .string)]),
            UserFunction("TOTAL", .aggregate, BindingID(4), [.init([.init(.double)], result: .double)]),
            UserFunction("UPPER", .scalar, BindingID(5), [.init(nil, result: .int)]),
        ]
        func function(_ name: [String], beforeBuiltIn: Bool) throws(MillstreamError) -> UserFunction? {
            functions.first { $0.name == name.last?.uppercased() && ($0.name == "UPPER") == beforeBuiltIn }
        }
        var names: [String] { functions.map(\.name) }
    }

    @Test("Functions of the program take arguments by place, by name and with casts, and stand before or behind the built-in ones")
    func userFunctions() throws {
        func bound(_ text: String) throws(MillstreamError) -> ScalarExpression { try Self.bind(text, functions: Library()).expression }
        let amount = ScalarExpression.column(1, DataType(.decimal(precision: 10, scale: 2)))
        #expect(
            try bound("tax(amount)")
                == ScalarExpression(.user(BindingID(1), [ScalarExpression(.cast(amount, isTry: false), .double), .null(.string)]), .double))
        #expect(try bound("TAX(country => status, amount => 1)").operands.map(\.type) == [DataType.double.notNull, .string])
        #expect(try bound("TAX(status, 1, 2, 3)").operands.count == 4 && bound("TAX(status)").type == .bigInt)
        #expect(try bound("ANYTHING(amount, tags)").operands.map(\.type) == [amount.type, DataType(.array(.string))])
        #expect(try bound("UPPER(status)") == ScalarExpression(.user(BindingID(5), [.column(2, .string)]), .int))
        for (text, message, hint) in [
            ("TAX(tags)", "TAX does not take (ARRAY<STRING>)", "TAX(amount DOUBLE, country STRING)"),
            ("WORDS(status)", "the table function WORDS cannot stand here", "LATERAL TABLE"),
            ("TAXX(1)", "there is no function TAXX", "Did you mean TAX?"), ("TOTAL(1)", "the aggregate function TOTAL cannot stand here", ""),
        ] {
            do {
                _ = try bound(text)
                Issue.record("\(text) is taken")
            } catch {
                #expect(error.message.contains(message) && (hint.isEmpty || error.hint?.contains(hint) == true), "\(error)")
            }
        }
        let total = try Self.binder("TOTAL(u.id)", functions: Library()).bindAggregate(try Parser.expression("TOTAL(u.id)"), .grouped)
        #expect(total.function == .user(BindingID(4)) && total.arguments.map(\.type) == [DataType.double.notNull])
    }

    // MARK: What the recorded expressions do not say

    @Test(
        "Types that Flink 2.3 gives to mixed operands",
        arguments: [
            ("DATE '2024-01-31' + INTERVAL '1' HOUR", "DATE NOT NULL"),
            ("CASE WHEN TRUE THEN CAST(1 AS DOUBLE) ELSE CAST(2 AS FLOAT) END", "DOUBLE NOT NULL"),
            ("CASE WHEN TRUE THEN CAST(1 AS FLOAT) ELSE CAST(2 AS DOUBLE) END", "FLOAT NOT NULL"),
            ("COALESCE(CAST(1 AS FLOAT), CAST(2 AS DOUBLE))", "DOUBLE NOT NULL"),
            ("COALESCE(CAST(1 AS DECIMAL(38,10)), CAST(2 AS DECIMAL(38,0)))", "DECIMAL(38, 0) NOT NULL"),
            ("CASE WHEN TRUE THEN TIMESTAMP '2024-01-01 10:00:00' ELSE TO_TIMESTAMP_LTZ(0,3) END", "TIMESTAMP_LTZ(3)"),
            ("CASE WHEN TRUE THEN TO_TIMESTAMP_LTZ(0,9) ELSE TIMESTAMP '2024-01-01 10:00:00' END", "TIMESTAMP(9)"),
            ("COALESCE(NULL, 1)", "INT NOT NULL"),
            ("ARRAY_APPEND(ARRAY[1], NULL)", "ARRAY<INT>"), ("NULL IS NULL", "BOOLEAN NOT NULL"),
            ("CASE WHEN NULL THEN 1 ELSE 2 END", "INT NOT NULL"), ("UUID()", "CHAR(36) NOT NULL"),
            ("CAST(100 AS BIGINT) % CAST(7 AS TINYINT)", "TINYINT NOT NULL"),
            ("TIMESTAMPADD(MILLISECOND, 1, TIMESTAMP '2024-01-01 00:00:00')", "TIMESTAMP(3) NOT NULL"),
            ("ROW(1, CAST(NULL AS INT)) <> ROW(2, 3)", "BOOLEAN"), ("TO_TIMESTAMP_LTZ(1.999e0, 6)", "TIMESTAMP_LTZ(6)"),
            ("MAP[1,'x'][CAST(1 AS BIGINT)]", "CHAR(1)"),
            ("TRUNCATE(CAST(1.25 AS DECIMAL(38,2)))", "DECIMAL(37, 0) NOT NULL"),
            ("ROUND(CAST(1.25 AS DECIMAL(38,2)), 1)", "DECIMAL(38, 1) NOT NULL"),
        ] as [(String, String)])
    func mixed(text: String, type: String) throws { #expect(try Self.bind(text).typeDescription == type) }

    @Test(
        "What Flink 2.3 refuses, and what would lose something in silence",
        arguments: [
            "UPPER(NULL)", "'a' || NULL", "MOD(NULL, 2)", "IF(NULL, 1, 2)", "NULLIF(NULL, 1)", "ROW(NULL, 1)",
            "DATE_FORMAT(DATE '2024-01-01', 'yyyy')", "TRIM('a', 'b')",
            "MAP['a', 1][1]", "MAP[1, 'x'][1.5]", "TRUE = 1", "TIMESTAMP '2024-01-01 00:00:00' = DATE '2024-01-01'", "(1, 'a') < (2, 'b')",
            "CASE 'a' WHEN 1 THEN 2 END",
            "NULLIF('1', 1)", "EXTRACT(DAY FROM INTERVAL '14' MONTH)", "EXTRACT(EPOCH FROM TIME '10:00:00')", "INTERVAL '1' DAY = INTERVAL '1' MONTH",
            "CEIL(INTERVAL '1' DAY)",
            "TIMESTAMPADD(MILLISECOND, 1, DATE '2024-01-01')", "COALESCE(DATE '2024-01-01', TIMESTAMP '2024-01-01 10:00:00')",
            "COALESCE(DATE '2024-01-01', TO_TIMESTAMP_LTZ(0, 3))",
            "CAST(1.5 AS INTERVAL DAY)", "CAST(1 AS INTERVAL DAY TO SECOND)",
        ])
    func refused(text: String) throws { #expect(throws: MillstreamError.self) { try Self.bind(text) } }

    @Test("An integer beyond INT is no other integer: a length is the largest, an index finds nothing")
    func narrowed() throws {
        func value(_ text: String) throws -> Scalar { try ScalarProgram.constant(try Self.bind(text).expression, EvaluationContext()) }
        #expect(try value("ROUND(1.5e0, CAST(2147483648 AS BIGINT) * 2 + 1)") == .double(1.5))
        #expect(
            try value("'3.0' IN (3, 4)") == .boolean(false) && value("3 IN ('3', '4')") == .boolean(true) && value("2 < '2.5'") == .boolean(false))
        #expect(
            try value("TRUE IN ('true')") == .boolean(true) && value("DATE '2024-01-01' IN ('2024-1-1')") == .boolean(true)
                && value("'2024-1-1' IN (DATE '2024-01-01')") == .boolean(false))
        let index = try Self.bind("tags[orders.id]").expression
        guard case .conditional(let branches, let otherwise) = index.kind else {
            Issue.record("\(index)")
            return
        }
        #expect(branches.count == 1 && otherwise == .null(.string))
    }

    // MARK: Types

    @Test(
        "Types are read as Flink reads them",
        arguments: [
            ("DECIMAL(50, 2)", "DECIMAL(38, 2)"), ("DECIMAL", "DECIMAL(10, 0)"), ("NUMERIC(5)", "DECIMAL(5, 0)"), ("TIMESTAMP(12)", "TIMESTAMP(9)"),
            ("TIMESTAMP", "TIMESTAMP(6)"),
            ("TIMESTAMP(3) WITH LOCAL TIME ZONE NOT NULL", "TIMESTAMP_LTZ(3) NOT NULL"), ("TIME(9)", "TIME(3)"), ("VARCHAR", "STRING"),
            ("CHAR", "CHAR(1)"), ("BINARY", "BINARY(1)"),
            ("VARBINARY(5)", "VARBINARY(5)"), ("DOUBLE PRECISION", "DOUBLE"), ("INT ARRAY", "ARRAY<INT>"),
            ("MAP<STRING NOT NULL, ROW<a INT NOT NULL, b DATE>>", nil),
            ("MULTISET<STRING> NOT NULL", nil), ("INTERVAL DAY TO SECOND(3)", nil), ("STRUCTURED<'a.B', x INT>", "STRUCTURED<'a.B', `x` INT>"),
            ("VARIANT", "VARIANT"), ("BITMAP", "BITMAP"),
        ] as [(String, String?)])
    func types(text: String, type: String?) throws {
        let bound = try Self.binder(text).type(try Parser.type(text))
        if let type { #expect(bound.description == type) }
        // What is printed is read as the same type again.
        #expect(try Self.binder(bound.description).type(try Parser.type(bound.description)) == bound)
    }

    @Test(
        "Texts that are no types are refused with their place",
        arguments: ["DECIMAL(5, 6)", "DECIMAL(0, 0)", "ROW<a INT, a INT>", "my.type", "INTERVAL DECADE"])
    func wrongTypes(text: String) throws {
        do {
            _ = try Self.binder(text).type(try Parser.type(text))
            Issue.record("it is read")
        } catch { #expect(error.message.hasPrefix("SQL: line 1, column "), "\(error)") }
    }
}
