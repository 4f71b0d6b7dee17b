import Columnar
import Testing
@testable import SQL

/// Tables as Flink 2.3 printed them.
struct TableauTests {
    private static let columns = [
        Field("i", .int), Field("s", .string), Field("d", DataType(.decimal(precision: 10, scale: 2))), Field("ts", DataType(.timestamp(3))),
        Field("dt", .date), Field("b", .boolean),
        Field("db", .double), Field("ti", .tinyInt), Field("si", .smallInt), Field("bi", .bigInt), Field("tm", DataType(.time(0))),
    ]

    @Test("Columns are as wide as their types need, NULL is <NULL>, values stand at the right")
    func types() {
        let rows: [[String?]] = [
            ["1", "a", "1.50", "2024-01-01 00:00:00.123", "2024-01-01", "TRUE", "1.5", "3", "4", "5", "01:02:03"], Array(repeating: nil, count: 11),
        ]
        let text = """
            +----+-------------+--------------------------------+--------------+-------------------------+------------+--------+--------------------------------+--------+--------+----------------------+----------+
            | op |           i |                              s |            d |                      ts |         dt |      b |                             db |     ti |     si |                   bi |       tm |
            +----+-------------+--------------------------------+--------------+-------------------------+------------+--------+--------------------------------+--------+--------+----------------------+----------+
            | +I |           1 |                              a |         1.50 | 2024-01-01 00:00:00.123 | 2024-01-01 |   TRUE |                            1.5 |      3 |      4 |                    5 | 01:02:03 |
            | +I |      <NULL> |                         <NULL> |       <NULL> |                  <NULL> |     <NULL> | <NULL> |                         <NULL> | <NULL> | <NULL> |               <NULL> |   <NULL> |
            +----+-------------+--------------------------------+--------------+-------------------------+------------+--------+--------------------------------+--------+--------+----------------------+----------+
            2 rows in set

            """
        #expect(Tableau.text(Self.columns, rows, kinds: ["+I", "+I"]) == text)
    }

    @Test("Texts that are too long are cut, wide characters take two columns, a long name widens its column")
    func wide() {
        let columns = [Field("a_rather_long_name_of_a_column_x", .string), Field("b", .string), Field("日本", .string)]
        let text = """
            +----------------------------------+--------------------------------+--------------------------------+
            | a_rather_long_name_of_a_column_x |                              b |                           日本 |
            +----------------------------------+--------------------------------+--------------------------------+
            |                     日本語日本語 | a long text of more than th... |                                |
            |                                x | exactly thirty characters long |                              \\ |
            |  日本語日本語日本語日本語日本... | thirty-one characters long ... |                              z |
            +----------------------------------+--------------------------------+--------------------------------+
            3 rows in set

            """
        let rows: [[String?]] = [
            ["日本語日本語", "a long text of more than thirty characters in all", ""], ["x", "exactly thirty characters long", "\\"],
            ["日本語日本語日本語日本語日本語日本語日本語", "thirty-one characters long text", "z"],
        ]
        #expect(Tableau.text(columns, rows) == text)
        // A terminal shows an emoji in two columns, and e with an accent of its own in one.
        #expect(Tableau.text([Field("s", .string)], [["😀 e\u{301}"]], columnWidthMax: 6).contains("|   😀 e\u{301} |\n"))
    }

    @Test("The width of columns can be set; no rows are an empty set, rows of a changelog have kinds")
    func settings() {
        let text = """
            +----+------------+-------------+
            | op |          s |           i |
            +----+------------+-------------+
            | +I | abcdefg... |           1 |
            | -U |  日本語... |           2 |
            +----+------------+-------------+
            2 rows in set

            """
        let columns = [Field("s", .string), Field("i", .int)]
        #expect(Tableau.text(columns, [["abcdefghijklm", "1"], ["日本語日本語", "2"]], kinds: ["+I", "-U"], columnWidthMax: 10) == text)
        #expect(Tableau.text(columns, [], kinds: []) == "Empty set\n")
        #expect(Tableau.text([Field("b", .boolean.notNull)], [["TRUE"]]).contains("1 row in set"))
        let widths: [Int] = (0...3).map { Tableau.text(columns, [["x", "1"]], columnWidthMax: $0 + 1).split(separator: "\n")[0].count }
        #expect(widths == [19, 20, 21, 22])
    }

    @Test("Results of statements are as wide as their values")
    func statements() throws {
        let test = try TestSession()
        func print(_ text: String) throws -> String {
            guard case .result(let table) = try test.session.execute(text) else { return "" }
            return Tableau.text(table)
        }
        #expect(try print("CREATE TABLE t (a INT COMMENT 'x', b STRING) WITH ('connector' = 'datagen')") == "OK\n")
        let described = """
            +------+--------+------+-----+--------+-----------+---------+
            | name |   type | null | key | extras | watermark | comment |
            +------+--------+------+-----+--------+-----------+---------+
            |    a |    INT | TRUE |     |        |           |       x |
            |    b | STRING | TRUE |     |        |           |         |
            +------+--------+------+-----+--------+-----------+---------+
            2 rows in set

            """
        #expect(try print("DESCRIBE t") == described)
        let line = String(repeating: "-", count: 144)
        let created = """
            +\(line)+
            |\(String(repeating: " ", count: 137))result |
            +\(line)+
            | CREATE TABLE `default_catalog`.`default_database`.`t` (
              `a` INT COMMENT 'x',
              `b` VARCHAR(2147483647)
            )
            WITH (
              'connector' = 'datagen'
            )
             |
            +\(line)+
            1 row in set

            """
        #expect(try print("SHOW CREATE TABLE t") == created)
        #expect(try print("SHOW VIEWS") == "Empty set\n")
    }
}
