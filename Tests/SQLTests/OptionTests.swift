import Columnar
import Testing
@testable import SQL

struct OptionTests {
    @Test("Durations, sizes and other values are read as Flink reads them")
    func values() {
        let durations: [(String, Int128?)] = [
            ("10 s", 10_000_000_000), ("10s", 10_000_000_000), ("500", 500_000_000), ("1 min", 60_000_000_000), ("2 d", 172_800_000_000_000),
            ("3 hours", 10_800_000_000_000), ("7 µs", 7_000),
            ("7 micros", 7_000), ("9 ns", 9), ("PT10S", 10_000_000_000), ("P1DT1.5S", 86_401_500_000_000), ("0 ms", 0), ("", nil), ("s", nil),
            ("1.5 s", nil), ("-1 s", nil), ("1 fortnight", nil),
            ("P", nil), ("99999999999999999999 d", nil), ("9223372036854775807 d", nil),
        ]
        for (text, nanoseconds) in durations { #expect(OptionType.duration.parse(text) == nanoseconds.map(OptionValue.duration), "\(text)") }
        let sizes: [(String, Int64?)] = [
            ("128 mb", 134_217_728), ("1g", 1_073_741_824), ("64 kb", 65_536), ("7", 7), ("7 bytes", 7), ("2 tebibytes", 2_199_023_255_552),
            ("1.5 mb", nil), ("mb", nil), ("9000000000 gb", nil),
        ]
        for (text, count) in sizes { #expect(OptionType.byteCount.parse(text) == count.map(OptionValue.byteCount), "\(text)") }
        #expect(OptionType.boolean.parse(" TRUE ") == .boolean(true) && OptionType.boolean.parse("1") == nil)
        #expect(OptionType.choice(["FIXED_DELAY"]).parse("fixed-delay") == .text("FIXED_DELAY"))
        for zone in ["UTC", "Europe/Berlin", "GMT+02:00", "+05:30", "default"] { #expect(OptionType.timeZone.parse(zone) != nil, "\(zone)") }
        for zone in ["", "Europe", "Mars/Olympus", "../../etc/passwd", "GMT+99:00"] { #expect(OptionType.timeZone.parse(zone) == nil, "\(zone)") }
    }

    @Test("Every default is a value of its option, and every key is there once")
    func defaults() {
        for option in KnownOptions.all { if let text = option.defaultValue { #expect(option.type.parse(text) != nil, "\(option.key) = \(text)") } }
        for (one, next) in zip(KnownOptions.all, KnownOptions.all.dropFirst()) { #expect(one.key != next.key) }
        for option in Connectors.all.flatMap({ $0.requiredOptions + $0.optionalOptions + $0.columnOptions })
            + Formats.all.flatMap({ $0.requiredOptions + $0.optionalOptions })
        {
            if let text = option.defaultValue { #expect(option.type.parse(text) != nil, "\(option.key) = \(text)") }
        }
    }

    @Test("SET and RESET change what a session asks for; keys of the program's own pass")
    func session() throws {
        let test = try TestSession()
        #expect(test.session.options.timeZone == "UTC" && test.session.options.runtimeMode == .streaming && test.session.options.parallelism == 1)
        try test.run(
            "SET 'table.local-time-zone' = 'Asia/Tokyo'", "SET 'execution.runtime-mode' = 'batch'", "SET parallelism.default = 4",
            "SET 'table.exec.state.ttl' = '1 h'", "SET 'my.own.key' = 'x'",
            "SET 'state.backend.rocksdb.writebuffer.size' = '64 mb'", "SET 'restart-strategy' = 'none'")
        let options = test.session.options
        #expect(options.timeZone == "Asia/Tokyo" && options.runtimeMode == .batch && options.parallelism == 4 && options.stateTTL == 3_600_000)
        #expect(options.text("restart-strategy.type") == "none" && options.texts["my.own.key"] == "x")
        #expect(try test.rows("SET").count == 7)
        try test.run("RESET 'table.local-time-zone'")
        #expect(test.session.options.timeZone == "UTC")
        try test.session.options.setInitial("parallelism.default", "3")
        try test.run("SET 'parallelism.default' = '9'", "RESET")
        #expect(test.session.options.parallelism == 3 && test.session.options.runtimeMode == .streaming)
        #expect(try test.rows("SET") == [["parallelism.default", "3"]])
    }

    @Test("A table's options come typed, with defaults, changelog modes and metadata")
    func description() throws {
        let test = try TestSession()
        func describe(_ columns: String, _ options: String) throws -> TableDescription {
            try test.run("CREATE TABLE x (\(columns)) WITH (\(options))")
            defer { _ = try? test.run("DROP TABLE x") }
            let path = ObjectPath("default_catalog", "default_database", "x")
            guard case .table(let table)? = try test.session.catalogs.object(at: path)?.object else { throw MillstreamError(.internal, "no table") }
            return try test.session.factories.describe(table, at: path)
        }
        let csv = try describe(
            "a INT",
            "'connector' = 'filesystem', 'path' = '/x', 'format' = 'csv', 'csv.null-literal' = 'N', 'source.monitor-interval' = '2 s', 'scan.parallelism' = '3'"
        )
        #expect(
            csv.options.text("path") == "/x" && csv.options.milliseconds("source.monitor-interval") == 2_000
                && csv.parallelism("scan.parallelism") == 3)
        #expect(
            csv.format?.identifier == "csv" && csv.format?.options.text("null-literal") == "N" && csv.format?.options.text("field-delimiter") == ",")
        #expect(
            csv.sourceChangelog == .insertOnly && csv.sinkChangelog == .insertOnly
                && csv.options.byteCount("sink.rolling-policy.file-size") == 134_217_728)
        #expect(csv.metadata.map(\.key) == ["file.path", "file.name", "file.size", "file.modification-time"])
        let debezium = try describe("a INT", "'connector' = 'filesystem', 'path' = '/x', 'format' = 'debezium-json'")
        #expect(debezium.sourceChangelog == .all && debezium.sinkChangelog == .all && debezium.metadata.count == 11)
        let sink = try describe("a INT, PRIMARY KEY (a) NOT ENFORCED", "'connector' = 'golden-sink', 'changelog-mode' = 'upsert'")
        #expect(sink.sinkChangelog == .upsert && sink.sourceChangelog == nil && sink.roles == [.sink])
        let sqlite = try describe("a INT, PRIMARY KEY (a) NOT ENFORCED", "'connector' = 'sqlite', 'path' = 'x.db', 'table-name' = 't'")
        #expect(sqlite.sinkChangelog == .upsert && sqlite.roles.contains(.lookup))
        let datagen = try describe(
            "a INT, r ROW<x INT, y ARRAY<INT>>",
            "'connector' = 'datagen', 'fields.r.y.element.max' = '5', 'fields.a.kind' = 'sequence', 'fields.a.start' = '1', 'fields.a.end' = '9'")
        #expect(
            datagen.options.double("fields.r.y.element.max") == 5 && datagen.options.integer("fields.a.end") == 9
                && datagen.options.integer("rows-per-second") == 10_000)
        #expect(throws: MillstreamError.self) { try describe("a INT", "'k' = 'v'") }
    }

    @Test(
        "LIKE and ILIKE of SHOW",
        arguments: [
            ("array_max", "array_m%", false, true), ("ARRAY_MAX", "array_m%", false, false), ("ARRAY_MAX", "array_m%", true, true),
            ("abc", "a_c", false, true), ("abc", "a_", false, false),
            ("a%c", "a\\%c", false, true), ("abc", "a\\%c", false, false), ("", "%", false, true), ("", "", false, true), ("x", "", false, false),
            ("aXbXc", "a%X%c", false, true),
            ("日本", "__", false, true), ("abcabd", "%ab_", false, true), ("a_b", "a\\_b", false, true),
        ] as [(String, String, Bool, Bool)])
    func patterns(text: String, pattern: String, ignoresCase: Bool, isMatch: Bool) {
        #expect(LikePattern.matches(text, pattern, ignoresCase: ignoresCase) == isMatch)
    }

    @Test("A statement set gathers INSERTs until END")
    func statementSet() throws {
        let test = try TestSession()
        try test.run(
            "CREATE TABLE s (a INT) WITH ('connector' = 'blackhole')", "BEGIN STATEMENT SET", "INSERT INTO s SELECT 1", "INSERT INTO s SELECT 2")
        #expect(test.session.isInStatementSet && test.refusal("SHOW TABLES").contains("only INSERT stands in a statement set"))
        #expect(test.refusal("BEGIN STATEMENT SET").contains("has not ended"))
        guard case .insert(let requests) = try test.session.execute("END") else { throw MillstreamError(.internal, "no job") }
        #expect(requests.count == 2 && requests[0].target.path.name == "s" && !test.session.isInStatementSet)
        try test.run("BEGIN STATEMENT SET")
        #expect(test.refusal("END").contains("has no INSERT") && !test.session.isInStatementSet)
        guard case .insert(let one) = try test.session.execute("EXECUTE STATEMENT SET BEGIN INSERT INTO s SELECT 1; INSERT INTO s SELECT 2; END")
        else { throw MillstreamError(.internal, "no job") }
        #expect(one.count == 2)
    }
}
