import Columnar
import Dataflow
import Operators
import Plan
import TestColumns
import Testing

/// Changelogs that Apache Flink 2.3 gave for queries over one table, change by change. The queries are those of these names in Tests/SQLTests/Golden/queries.jsonl.
@Suite struct RecordedChangelogTests {
    /// In the order of the file. Amounts are in hundredths, times in milliseconds of the day.
    static let schema = Schema([
        Field("order_id", .bigInt), Field("user_id", .bigInt), Field("category", .string), Field("amount", .bigInt), Field("quantity", .bigInt),
        Field("status", .string), Field("order_time", DataType(.timestamp(3))),
    ])

    struct Query: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let operation: TableOperation
        /// The columns of the result that the query selects.
        let columns: [Int]
        let changelog: String
    }

    @Test(arguments: queries) func changelog(_ query: Query) throws {
        var fields = Self.schema.fields
        if case .rank(let rank) = query.operation, rank.outputsRank { fields.append(Field("rn", DataType.bigInt.notNull)) }
        for batchRowCount in [1, 7, 1_000] {
            let operation = try TableHarness(query.operation, inputs: [Self.schema], output: Schema(fields))
            let rows = Self.rows()
            for start in stride(from: 0, to: rows.count, by: batchRowCount) { try operation.process(Array(rows[start..<min(start + batchRowCount, rows.count)])) }
            let found = operation.take().map { change in Change(kind: change.kind, values: query.columns.map { change.values[$0] }).description }
            #expect(found == query.changelog.split(whereSeparator: { ";\n".contains($0) }).map { $0.trimming(" ") }.filter { !$0.isEmpty })
        }
    }

    static func rows() -> [Change] {
        table.split(separator: "\n").map { line in
            let cells = line.trimming(" ").split(separator: "|", omittingEmptySubsequences: false)
            return Change(
                kind: 0,
                values: zip(cells, schema.fields).map { cell, field in
                    cell == "null" ? .null : field.type == .string ? .string(String(cell)) : .int64(Int64(cell) ?? 0)
                })
        }
    }

    private static let byAmount = [Plan.SortKey(3, isDescending: true), Plan.SortKey(0)]
    private static let byQuantity = [Plan.SortKey(4, isDescending: true), Plan.SortKey(0)]
    private static let byQuantityAlone = [Plan.SortKey(4, isDescending: true)]

    static let queries: [Query] = [
        Query(
            testDescription: "topn_002",
            operation: .rank(RankDescription(partition: [2], order: byAmount, end: 2, outputsRank: false, input: .appendOnly)),
            columns: [2, 0, 3],
            changelog: """
                +I[office, 1001, 21850]; +I[food, 1002, 39999]; +I[home, 1003, 28275]; +I[tech, 1004, 16800]; +I[food, 1005, 31200]; +I[office, 1007, 20510];
                +I[tech, 1006, 8305]; -D[office, 1007, 20510]; +I[office, 1008, 29110]; -D[tech, 1006, 8305]; +I[tech, 1010, 34125]; -D[tech, 1004, 16800];
                +I[tech, 1012, 17805]; +I[home, 1013, 33475]; -D[tech, 1012, 17805]; +I[tech, 1015, 22999]; -D[tech, 1015, 22999]; +I[tech, 1010, 34125];
                +I[null, 1018, -2550]; -D[home, 1003, 28275]; +I[home, 1020, 33610]; -D[food, 1005, 31200]; +I[food, 1025, 39410]; -D[food, 1025, 39410];
                +I[food, 1027, 39475]; -D[home, 1013, 33475]; +I[home, 1037, 38310]; +I[null, 1042, 12550]; -D[tech, 1010, 34125]; +I[tech, 1044, 39625];
                -D[food, 1027, 39475]; +I[food, 1056, 1234567890]; -D[office, 1001, 21850]; +I[office, 1057, 32505]; -D[office, 1008, 29110];
                +I[office, 1058, 31475];
                """),
        Query(
            testDescription: "topn_003",
            operation: .rank(RankDescription(partition: [], order: byAmount, end: 3, outputsRank: true, input: .appendOnly)),
            columns: [0, 1, 2, 3, 4, 7],
            changelog: """
                +I[1001, 99, office, 21850, 6, 1]; -U[1001, 99, office, 21850, 6, 1]; +U[1002, 2, food, 39999, 1, 1]; +I[1001, 99, office, 21850, 6, 2];
                -U[1001, 99, office, 21850, 6, 2]; +U[1003, 1, home, 28275, 5, 2]; +I[1001, 99, office, 21850, 6, 3]; -U[1003, 1, home, 28275, 5, 2];
                +U[1005, 1, food, 31200, 8, 2]; -U[1001, 99, office, 21850, 6, 3]; +U[1003, 1, home, 28275, 5, 3]; -U[1003, 1, home, 28275, 5, 3];
                +U[1008, 6, office, 29110, 6, 3]; -U[1008, 6, office, 29110, 6, 3]; +U[1005, 1, food, 31200, 8, 3]; -U[1005, 1, food, 31200, 8, 2];
                +U[1010, 4, tech, 34125, 3, 2]; -U[1005, 1, food, 31200, 8, 3]; +U[1005, 1, food, 31200, 8, 3]; -U[1005, 1, food, 31200, 8, 3];
                +U[1013, 2, home, 33475, 2, 3]; -U[1013, 2, home, 33475, 2, 3]; +U[1010, 4, tech, 34125, 3, 3]; -U[1010, 4, tech, 34125, 3, 2];
                +U[1025, null, food, 39410, 7, 2]; -U[1010, 4, tech, 34125, 3, 3]; +U[1010, 4, tech, 34125, 3, 3]; -U[1025, null, food, 39410, 7, 2];
                +U[1027, 11, food, 39475, 8, 2]; -U[1010, 4, tech, 34125, 3, 3]; +U[1025, null, food, 39410, 7, 3]; -U[1027, 11, food, 39475, 8, 2];
                +U[1044, 10, tech, 39625, 8, 2]; -U[1025, null, food, 39410, 7, 3]; +U[1027, 11, food, 39475, 8, 3]; -U[1002, 2, food, 39999, 1, 1];
                +U[1056, 11, food, 1234567890, 1, 1]; -U[1044, 10, tech, 39625, 8, 2]; +U[1002, 2, food, 39999, 1, 2]; -U[1027, 11, food, 39475, 8, 3];
                +U[1044, 10, tech, 39625, 8, 3];
                """),
        Query(
            testDescription: "topn_005",
            operation: .rank(RankDescription(partition: [2], order: byQuantityAlone, end: 2, outputsRank: true, input: .appendOnly)),
            columns: [2, 0, 4, 7],
            changelog: """
                +I[office, 1001, 6, 1]; +I[food, 1002, 1, 1]; +I[home, 1003, 5, 1]; +I[tech, 1004, 6, 1]; -U[food, 1002, 1, 1]; +U[food, 1005, 8, 1];
                +I[food, 1002, 1, 2]; +I[office, 1007, 2, 2]; +I[tech, 1006, 6, 2]; -U[office, 1007, 2, 2]; +U[office, 1008, 6, 2]; -U[food, 1002, 1, 2];
                +U[food, 1005, 8, 2]; -U[office, 1001, 6, 1]; +U[office, 1009, 9, 1]; -U[office, 1008, 6, 2]; +U[office, 1001, 6, 2]; -U[office, 1001, 6, 2];
                +U[office, 1011, 8, 2]; -U[tech, 1004, 6, 1]; +U[tech, 1012, 9, 1]; -U[tech, 1006, 6, 2]; +U[tech, 1004, 6, 2]; +I[home, 1013, 2, 2];
                -U[home, 1013, 2, 2]; +U[home, 1014, 4, 2]; -U[tech, 1004, 6, 2]; +U[tech, 1015, 7, 2]; +I[null, 1018, 1, 1]; -U[tech, 1015, 7, 2];
                +U[tech, 1021, 9, 2]; -U[home, 1003, 5, 1]; +U[home, 1037, 9, 1]; -U[home, 1014, 4, 2]; +U[home, 1003, 5, 2]; -U[null, 1018, 1, 1];
                +U[null, 1042, 9, 1]; +I[null, 1018, 1, 2]; -U[home, 1003, 5, 2]; +U[home, 1047, 7, 2]; -U[food, 1005, 8, 1]; +U[food, 1048, 9, 1];
                -U[food, 1005, 8, 2]; +U[food, 1005, 8, 2]; -U[food, 1005, 8, 2]; +U[food, 1048, 9, 2];
                """),
        Query(
            testDescription: "topn_007",
            operation: .rank(RankDescription(partition: [2], order: byQuantity, start: 2, end: 3, outputsRank: true, input: .appendOnly)),
            columns: [2, 0, 4, 7],
            changelog: """
                +I[food, 1002, 1, 2]; +I[office, 1007, 2, 2]; +I[tech, 1006, 6, 2]; +I[office, 1007, 2, 3]; -U[office, 1007, 2, 2]; +U[office, 1008, 6, 2];
                -U[office, 1007, 2, 3]; +U[office, 1007, 2, 3]; -U[food, 1002, 1, 2]; +U[food, 1005, 8, 2]; +I[food, 1002, 1, 3]; -U[office, 1008, 6, 2];
                +U[office, 1001, 6, 2]; -U[office, 1007, 2, 3]; +U[office, 1008, 6, 3]; +I[tech, 1010, 3, 3]; -U[office, 1001, 6, 2]; +U[office, 1011, 8, 2];
                -U[office, 1008, 6, 3]; +U[office, 1001, 6, 3]; -U[tech, 1006, 6, 2]; +U[tech, 1004, 6, 2]; -U[tech, 1010, 3, 3]; +U[tech, 1006, 6, 3];
                +I[home, 1013, 2, 2]; -U[home, 1013, 2, 2]; +U[home, 1014, 4, 2]; +I[home, 1013, 2, 3]; -U[tech, 1004, 6, 2]; +U[tech, 1015, 7, 2];
                -U[tech, 1006, 6, 3]; +U[tech, 1004, 6, 3]; -U[office, 1001, 6, 3]; +U[office, 1017, 7, 3]; -U[food, 1002, 1, 3]; +U[food, 1019, 5, 3];
                -U[food, 1019, 5, 3]; +U[food, 1005, 8, 3]; -U[home, 1013, 2, 3]; +U[home, 1020, 4, 3]; -U[tech, 1015, 7, 2]; +U[tech, 1021, 9, 2];
                -U[tech, 1004, 6, 3]; +U[tech, 1015, 7, 3]; -U[tech, 1015, 7, 3]; +U[tech, 1033, 9, 3]; -U[home, 1014, 4, 2]; +U[home, 1003, 5, 2];
                -U[home, 1020, 4, 3]; +U[home, 1014, 4, 3]; +I[null, 1018, 1, 2]; -U[home, 1003, 5, 2]; +U[home, 1047, 7, 2]; -U[home, 1014, 4, 3];
                +U[home, 1003, 5, 3]; -U[food, 1005, 8, 2]; +U[food, 1005, 8, 2]; -U[food, 1005, 8, 3]; +U[food, 1005, 8, 3]; -U[food, 1005, 8, 2];
                +U[food, 1048, 9, 2]; -U[food, 1005, 8, 3]; +U[food, 1005, 8, 3]; -U[home, 1003, 5, 3]; +U[home, 1062, 6, 3]; -U[food, 1005, 8, 3];
                +U[food, 1071, 9, 3];
                """),
        Query(
            testDescription: "topn_009",
            operation: .rank(RankDescription(partition: [1], order: byQuantityAlone, end: 1, outputsRank: false, input: .appendOnly)),
            columns: [1, 0, 4],
            changelog: """
                +I[99, 1001, 6]; +I[2, 1002, 1]; +I[1, 1003, 5]; +I[11, 1004, 6]; -U[1, 1003, 5]; +U[1, 1005, 8]; -U[2, 1002, 1]; +U[2, 1007, 2];
                +I[7, 1006, 6]; +I[6, 1008, 6]; -U[6, 1008, 6]; +U[6, 1009, 9]; +I[4, 1010, 3]; +I[5, 1011, 8]; -U[1, 1005, 8]; +U[1, 1012, 9];
                +I[8, 1014, 4]; -U[11, 1004, 6]; +U[11, 1015, 7]; -U[2, 1007, 2]; +U[2, 1019, 5]; -U[99, 1001, 6]; +U[99, 1021, 9]; +I[null, 1025, 7];
                -U[11, 1015, 7]; +U[11, 1027, 8]; +I[3, 1031, 3]; -U[8, 1014, 4]; +U[8, 1032, 7]; -U[7, 1006, 6]; +U[7, 1033, 9]; -U[5, 1011, 8];
                +U[5, 1037, 9]; -U[3, 1031, 3]; +U[3, 1043, 4]; +I[10, 1044, 8]; -U[null, 1025, 7]; +U[null, 1048, 9]; +I[12, 1051, 8]; -U[4, 1010, 3];
                +U[4, 1057, 7]; -U[3, 1043, 4]; +U[3, 1062, 6]; -U[2, 1019, 5]; +U[2, 1070, 6]; -U[3, 1062, 6]; +U[3, 1071, 9];
                """),
        Query(
            testDescription: "topn_024",
            operation: .rank(RankDescription(partition: [], order: byAmount, end: 5, outputsRank: false, input: .appendOnly)),
            columns: [0, 3],
            changelog: """
                +I[1001, 21850]; +I[1002, 39999]; +I[1003, 28275]; +I[1004, 16800]; +I[1005, 31200]; -D[1004, 16800]; +I[1007, 20510]; -D[1007, 20510];
                +I[1008, 29110]; -D[1001, 21850]; +I[1005, 31200]; -D[1003, 28275]; +I[1010, 34125]; -D[1008, 29110]; +I[1013, 33475]; -D[1005, 31200];
                +I[1010, 34125]; -D[1005, 31200]; +I[1020, 33610]; -D[1013, 33475]; +I[1025, 39410]; -D[1020, 33610]; +I[1027, 39475]; -D[1010, 34125];
                +I[1037, 38310]; -D[1010, 34125]; +I[1038, 36605]; -D[1038, 36605]; +I[1044, 39625]; -D[1037, 38310]; +I[1056, 1234567890];
                """),
        Query(
            testDescription: "topn_025",
            operation: .rank(RankDescription(partition: [], order: byAmount, start: 3, end: 5, outputsRank: false, input: .appendOnly)),
            columns: [0, 3],
            changelog: """
                +I[1001, 21850]; +I[1004, 16800]; -U[1001, 21850]; +U[1003, 28275]; -U[1004, 16800]; +U[1001, 21850]; +I[1004, 16800]; -U[1004, 16800];
                +U[1007, 20510]; -U[1003, 28275]; +U[1008, 29110]; -U[1001, 21850]; +U[1003, 28275]; -U[1007, 20510]; +U[1001, 21850]; -U[1008, 29110];
                +U[1005, 31200]; -U[1003, 28275]; +U[1008, 29110]; -U[1001, 21850]; +U[1003, 28275]; -U[1005, 31200]; +U[1005, 31200]; -U[1008, 29110];
                +U[1005, 31200]; -U[1003, 28275]; +U[1008, 29110]; -U[1005, 31200]; +U[1013, 33475]; -U[1005, 31200]; +U[1005, 31200]; -U[1008, 29110];
                +U[1005, 31200]; -U[1013, 33475]; +U[1010, 34125]; -U[1005, 31200]; +U[1013, 33475]; -U[1005, 31200]; +U[1005, 31200]; -U[1013, 33475];
                +U[1020, 33610]; -U[1005, 31200]; +U[1013, 33475]; -U[1010, 34125]; +U[1010, 34125]; -U[1020, 33610]; +U[1010, 34125]; -U[1013, 33475];
                +U[1020, 33610]; -U[1010, 34125]; +U[1025, 39410]; -U[1010, 34125]; +U[1010, 34125]; -U[1020, 33610]; +U[1010, 34125]; -U[1010, 34125];
                +U[1037, 38310]; -U[1010, 34125]; +U[1010, 34125]; -U[1010, 34125]; +U[1038, 36605]; -U[1025, 39410]; +U[1027, 39475]; -U[1037, 38310];
                +U[1025, 39410]; -U[1038, 36605]; +U[1037, 38310]; -U[1027, 39475]; +U[1044, 39625]; -U[1025, 39410]; +U[1027, 39475]; -U[1037, 38310];
                +U[1025, 39410];
                """),
        Query(
            testDescription: "dedup_003",
            operation: .deduplicate(DeduplicateDescription(keys: [5], order: .eventTime(column: 6), keepsLast: true)),
            columns: [5, 0, 6],
            changelog: """
                +I[PAID, 1001, 32445000]; -U[PAID, 1001, 32445000]; +U[PAID, 1002, 32449000]; +I[NEW, 1003, 32539000]; -U[NEW, 1003, 32539000];
                +U[NEW, 1004, 32542000]; +I[SHIPPED, 1005, 32562000]; -U[PAID, 1002, 32449000]; +U[PAID, 1007, 32624000]; -U[NEW, 1004, 32542000];
                +U[NEW, 1006, 32622000]; -U[PAID, 1007, 32624000]; +U[PAID, 1007, 32624000]; +I[null, 1008, 32644000]; -U[PAID, 1007, 32624000];
                +U[PAID, 1005, 32682000]; -U[SHIPPED, 1005, 32562000]; +U[SHIPPED, 1009, 32704000]; -U[PAID, 1005, 32682000]; +U[PAID, 1010, 32705000];
                -U[NEW, 1006, 32622000]; +U[NEW, 1011, 32765000]; -U[PAID, 1010, 32705000]; +U[PAID, 1012, 32769000]; +I[CANCELLED, 1013, 32789000];
                -U[null, 1008, 32644000]; +U[null, 1014, 32879000]; -U[PAID, 1012, 32769000]; +U[PAID, 1015, 32882000]; -U[null, 1014, 32879000];
                +U[null, 1017, 32944000]; -U[NEW, 1011, 32765000]; +U[NEW, 1016, 32942000]; -U[CANCELLED, 1013, 32789000]; +U[CANCELLED, 1010, 33005000];
                -U[SHIPPED, 1009, 32704000]; +U[SHIPPED, 1018, 33094000]; -U[null, 1017, 32944000]; +U[null, 1019, 33095000]; -U[SHIPPED, 1018, 33094000];
                +U[SHIPPED, 1005, 33162000]; -U[NEW, 1016, 32942000]; +U[NEW, 1020, 33185000]; -U[CANCELLED, 1010, 33005000]; +U[CANCELLED, 1021, 33189000];
                -U[null, 1019, 33095000]; +U[null, 1022, 33339000]; -U[CANCELLED, 1021, 33189000]; +U[CANCELLED, 1023, 33342000]; -U[NEW, 1020, 33185000];
                +U[NEW, 1024, 33387000]; -U[NEW, 1024, 33387000]; +U[NEW, 1025, 33390000]; -U[PAID, 1015, 32882000]; +U[PAID, 1026, 33435000];
                -U[NEW, 1025, 33390000]; +U[NEW, 1027, 33525000]; -U[PAID, 1026, 33435000]; +U[PAID, 1028, 33615000]; -U[NEW, 1027, 33525000];
                +U[NEW, 1030, 33706000]; -U[PAID, 1028, 33615000]; +U[PAID, 1029, 33705000]; -U[PAID, 1029, 33705000]; +U[PAID, 1031, 33709000];
                -U[PAID, 1031, 33709000]; +U[PAID, 1031, 33709000]; -U[PAID, 1031, 33709000]; +U[PAID, 1032, 33799000]; -U[SHIPPED, 1005, 33162000];
                +U[SHIPPED, 1033, 33819000]; -U[SHIPPED, 1033, 33819000]; +U[SHIPPED, 1033, 33819000]; -U[SHIPPED, 1033, 33819000];
                +U[SHIPPED, 1034, 33909000]; -U[null, 1022, 33339000]; +U[null, 1035, 34059000]; -U[NEW, 1030, 33706000]; +U[NEW, 1036, 34060000];
                -U[null, 1035, 34059000]; +U[null, 1037, 34062000]; -U[SHIPPED, 1034, 33909000]; +U[SHIPPED, 1038, 34063000]; -U[SHIPPED, 1038, 34063000];
                +U[SHIPPED, 1020, 34085000]; -U[null, 1037, 34062000]; +U[null, 1039, 34108000]; -U[CANCELLED, 1023, 33342000];
                +U[CANCELLED, 1040, 34111000]; -U[PAID, 1032, 33799000]; +U[PAID, 1041, 34261000]; -U[PAID, 1041, 34261000]; +U[PAID, 1042, 34265000];
                -U[NEW, 1036, 34060000]; +U[NEW, 1043, 34267000]; -U[SHIPPED, 1020, 34085000]; +U[SHIPPED, 1044, 34268000]; -U[PAID, 1042, 34265000];
                +U[PAID, 1045, 34272000]; -U[null, 1039, 34108000]; +U[null, 1046, 34317000]; -U[CANCELLED, 1040, 34111000]; +U[CANCELLED, 1047, 34319000];
                -U[SHIPPED, 1044, 34268000]; +U[SHIPPED, 1048, 34321000]; -U[SHIPPED, 1048, 34321000]; +U[SHIPPED, 1048, 34321000]; -U[PAID, 1045, 34272000];
                +U[PAID, 1049, 34471000]; -U[NEW, 1043, 34267000]; +U[NEW, 1050, 34621000]; -U[PAID, 1049, 34471000]; +U[PAID, 1051, 34625000];
                -U[SHIPPED, 1048, 34321000]; +U[SHIPPED, 1053, 34716000]; -U[NEW, 1050, 34621000]; +U[NEW, 1054, 34736000]; -U[NEW, 1054, 34736000];
                +U[NEW, 1055, 34756000]; -U[CANCELLED, 1047, 34319000]; +U[CANCELLED, 1056, 34816000]; -U[CANCELLED, 1056, 34816000];
                +U[CANCELLED, 1057, 34836000]; -U[PAID, 1051, 34625000]; +U[PAID, 1058, 34881000]; -U[PAID, 1058, 34881000]; +U[PAID, 1059, 34901000];
                -U[CANCELLED, 1057, 34836000]; +U[CANCELLED, 1060, 34905000]; -U[NEW, 1055, 34756000]; +U[NEW, 1061, 34909000];
                -U[CANCELLED, 1060, 34905000]; +U[CANCELLED, 1062, 34929000]; -U[null, 1046, 34317000]; +U[null, 1063, 34931000]; -U[NEW, 1061, 34909000];
                +U[NEW, 1064, 34935000]; -U[null, 1063, 34931000]; +U[null, 1065, 34936000]; -U[PAID, 1059, 34901000]; +U[PAID, 1066, 34981000];
                -U[CANCELLED, 1062, 34929000]; +U[CANCELLED, 1067, 34985000]; -U[CANCELLED, 1067, 34985000]; +U[CANCELLED, 1068, 35075000];
                -U[PAID, 1066, 34981000]; +U[PAID, 1069, 35165000]; -U[null, 1065, 34936000]; +U[null, 1070, 35167000]; -U[NEW, 1064, 34935000];
                +U[NEW, 1071, 35227000]; -U[PAID, 1069, 35165000]; +U[PAID, 1072, 35229000];
                """),
    ]

    static let table = """
        1001|99|office|21850|6|PAID|32445000
        1002|2|food|39999|1|PAID|32449000
        1003|1|home|28275|5|NEW|32539000
        1004|11|tech|16800|6|NEW|32542000
        1005|1|food|31200|8|SHIPPED|32562000
        1007|2|office|20510|2|PAID|32624000
        1006|7|tech|8305|6|NEW|32622000
        1007|2|office|20510|2|PAID|32624000
        1008|6|office|29110|6|null|32644000
        1005|1|food|31200|8|PAID|32682000
        1009|6|office|18825|9|SHIPPED|32704000
        1010|4|tech|34125|3|PAID|32705000
        1011|5|office|10400|8|NEW|32765000
        1012|1|tech|17805|9|PAID|32769000
        1013|2|home|33475|2|CANCELLED|32789000
        1014|8|home|19950|4|null|32879000
        1015|11|tech|22999|7|PAID|32882000
        1017|5|office|10600|7|null|32944000
        1016|6|tech|11610|6|NEW|32942000
        1010|4|tech|34125|3|CANCELLED|33005000
        1018|6|null|-2550|1|SHIPPED|33094000
        1019|2|food|28405|5|null|33095000
        1005|1|food|31200|8|SHIPPED|33162000
        1020|2|home|33610|4|NEW|33185000
        1021|99|tech|3375|9|CANCELLED|33189000
        1022|7|home|15550|2|null|33339000
        1023|99|home|5000|3|CANCELLED|33342000
        1024|6|food|3000|7|NEW|33387000
        1025|null|food|39410|7|NEW|33390000
        1026|2|tech|23425|4|PAID|33435000
        1027|11|food|39475|8|NEW|33525000
        1028|11|home|3150|1|PAID|33615000
        1030|2|food|32805|1|NEW|33706000
        1029|2|food|17305|2|PAID|33705000
        1031|3|home|9299|3|PAID|33709000
        1031|3|home|9299|3|PAID|33709000
        1032|8|tech|4305|7|PAID|33799000
        1033|7|tech|6410|9|SHIPPED|33819000
        1033|7|tech|6410|9|SHIPPED|33819000
        1034|5|food|27999|2|SHIPPED|33909000
        1035|11|food|13875|4|null|34059000
        1036|2|office|3005|3|NEW|34060000
        1037|5|home|38310|9|null|34062000
        1038|2|food|36605|4|SHIPPED|34063000
        1020|2|home|33610|4|SHIPPED|34085000
        1039|1|office|16710|2|null|34108000
        1040|3|office|11405|2|CANCELLED|34111000
        1041|5|food|-2550|1|PAID|34261000
        1042|6|null|12550|9|PAID|34265000
        1043|3|food|975|4|NEW|34267000
        1044|10|tech|39625|8|SHIPPED|34268000
        1045|5|tech|null|1|PAID|34272000
        1046|5|food|16510|3|null|34317000
        1047|11|home|3775|7|CANCELLED|34319000
        1048|null|food|21905|9|SHIPPED|34321000
        1048|null|food|21905|9|SHIPPED|34321000
        1049|null|food|36825|2|PAID|34471000
        1050|5|food|28050|8|NEW|34621000
        1051|12|food|2710|8|PAID|34625000
        1053|7|office|17550|5|SHIPPED|34716000
        1052|1|tech|18405|7|SHIPPED|34715000
        1054|6|tech|null|6|NEW|34736000
        1055|1|tech|28675|6|NEW|34756000
        1056|11|food|1234567890|1|CANCELLED|34816000
        1057|4|office|32505|7|CANCELLED|34836000
        1058|4|office|31475|7|PAID|34881000
        1059|5|home|6375|1|PAID|34901000
        1060|10|tech|31699|4|CANCELLED|34905000
        1061|7|food|3175|2|NEW|34909000
        1062|3|home|15375|6|CANCELLED|34929000
        1063|5|tech|16000|6|null|34931000
        1064|5|office|26700|3|NEW|34935000
        1065|null|food|23925|3|null|34936000
        1066|5|food|4375|6|PAID|34981000
        1067|5|tech|6810|2|CANCELLED|34985000
        1068|12|tech|24975|4|CANCELLED|35075000
        1069|7|home|11100|6|PAID|35165000
        1070|2|food|8350|6|null|35167000
        1071|3|food|15699|9|NEW|35227000
        1072|5|office|8050|7|PAID|35229000
        """
}

extension StringProtocol {
    fileprivate func trimming(_ character: Character) -> String {
        var text = Substring(self)
        while text.first == character { text.removeFirst() }
        while text.last == character { text.removeLast() }
        return String(text)
    }
}
