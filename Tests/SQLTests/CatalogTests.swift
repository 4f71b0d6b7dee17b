import Columnar
import Testing
@testable import SQL

/// Random tables, as SHOW CREATE TABLE shows them and as a catalog in a folder keeps them.
struct CatalogTests {
    /// SplitMix64: the same seed gives the same tables.
    private struct Random {
        var state: UInt64
        mutating func next(_ bound: Int) -> Int {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return Int((z ^ (z >> 31)) % UInt64(bound))
        }
        mutating func pick<T>(_ values: [T]) -> T { values[next(values.count)] }
        mutating func chance(_ percent: Int) -> Bool { next(100) < percent }
    }

    private static let names = ["a", "B", "order", "select", "日本", "with space", "back`tick", "quo'te", "p%c", "e\u{301}", "\u{e9}", "x.y", "-", "0"]
    private static let types = [
        "INT", "BIGINT NOT NULL", "STRING", "VARCHAR(7)", "CHAR(3) NOT NULL", "DECIMAL(38, 10)", "BOOLEAN", "DOUBLE", "FLOAT", "DATE", "TIME(0)",
        "TIMESTAMP(6)", "TIMESTAMP_LTZ(9)", "BYTES",
        "BINARY(2)", "VARBINARY(9)", "ARRAY<INT NOT NULL>", "MAP<STRING, ROW<`f 1` INT, g ARRAY<STRING>>>", "MULTISET<STRING>",
        "ROW<x INT, `y``z` STRING NOT NULL> NOT NULL", "TINYINT",
        "SMALLINT", "VARIANT", "TIMESTAMP(0)",
    ]
    private static let comments = ["plain", "it's", "line\nbreak", "日本 😀", "back\\slash", "", "`tick` -- no comment /* either */"]

    /// A table of random parts, and the statement for it.
    private static func statement(_ name: String, _ random: inout Random) -> String {
        func quoted(_ name: String) -> String { SQLText.name(name) }
        var columns: [(name: String, type: String)] = []
        for column in names where random.chance(45) { columns.append((column, random.pick(types))) }
        columns.append(("n1", "INT"))
        columns.append(("ts", "TIMESTAMP(3)"))
        var parts = columns.map { "\(quoted($0.name)) \($0.type)" + "" }
        for index in parts.indices where random.chance(20) { parts[index] += " COMMENT \(SQLText.string(random.pick(comments)))" }
        let expressions = [
            "n1 + 1", "(n1 + 1) * 2 - -3", "CASE n1 WHEN 1 THEN 'x' WHEN 2 THEN 'it''s' END", "CAST(n1 AS DECIMAL(10, 2)) / 3",
            "UPPER(CAST(n1 AS STRING)) || 'ü😀\\'",
            "n1 IN (1, 2, 3) AND NOT n1 = 4 OR n1 IS NULL", "ts + INTERVAL '1 02:03' DAY TO MINUTE", "EXTRACT(DAY FROM ts)",
            "TIMESTAMPADD(HOUR, n1, ts)", "PROCTIME()", "X'00ff'",
            "ARRAY[n1, 2]", "MAP['a', n1]['a']", "n1 BETWEEN SYMMETRIC 5 AND 1", "CAST(ts AS STRING) LIKE '%a!_' ESCAPE '!'", "COALESCE(n1, 0)",
            "TO_TIMESTAMP_LTZ(n1, 3)", "1e3", "TRIM(' x ')",
            "NULLIF(n1, 2)", "OVERLAY('abc' PLACING 'z' FROM 1 FOR 1)", "JSON_VALUE('{}', '$.a' RETURNING INT NULL ON EMPTY)", "DATE '2024-01-01'",
            "- n1", "n1 - (n1 - 1)", "FLOOR(ts TO DAY)",
        ]
        for index in 0..<random.next(4) {
            parts.append("\(quoted("c\(index)`")) AS \(random.pick(expressions))" + (random.chance(30) ? " COMMENT 'computed'" : ""))
        }
        if random.chance(40) { parts.append("m1 STRING METADATA FROM 'k''ey' VIRTUAL") }
        if random.chance(30) { parts.append("m2 BIGINT NOT NULL METADATA") }
        if random.chance(50) {
            parts.append("WATERMARK FOR ts AS " + random.pick(["ts", "ts - INTERVAL '5' SECOND", "ts - INTERVAL '1-2' YEAR TO MONTH"]))
        }
        if random.chance(50) { parts.append((random.chance(50) ? "CONSTRAINT `the key` " : "") + "PRIMARY KEY (n1) NOT ENFORCED") }
        var text = "CREATE TABLE \(quoted(name)) (\(parts.joined(separator: ", ")))"
        if random.chance(50) { text += " COMMENT \(SQLText.string(random.pick(comments)))" }
        if random.chance(30) {
            text += random.pick([
                " DISTRIBUTED BY HASH(n1) INTO 4 BUCKETS", " DISTRIBUTED INTO 3 BUCKETS", " DISTRIBUTED BY (n1)", " DISTRIBUTED BY RANGE(n1)",
            ])
        }
        if random.chance(40) { text += " PARTITIONED BY (\(quoted(columns[0].name)))" }
        if random.chance(80) {
            text += " WITH (" + ["'k' = 'v'", "'a.b' = 'it''s'", "'z' = '\n'"].prefix(1 + random.next(3)).joined(separator: ", ") + ")"
        }
        return text
    }

    private static func table(_ session: SQLSession, _ name: String) throws -> CatalogTable {
        let path = ObjectPath(session.catalogs.currentCatalog, session.catalogs.currentDatabase, name)
        guard case .table(let table)? = try session.catalogs.object(at: path)?.object else { throw MillstreamError(.internal, "no table \(name)") }
        return table
    }

    @Test("SHOW CREATE TABLE, parsed again, gives an equal table")
    func roundTrip() throws {
        for seed in 0..<300 {
            var random = Random(state: UInt64(seed))
            let name = random.pick(Self.names)
            let statement = Self.statement(name, &random)
            let test = try TestSession()
            _ = try test.session.execute(statement)
            let table = try Self.table(test.session, name)
            let created = try test.run("SHOW CREATE TABLE \(SQLText.name(name))")[0][0] ?? ""
            try test.run("DROP TABLE \(SQLText.name(name))", created)
            let again = try Self.table(test.session, name)
            #expect(again == table, "seed \(seed)\n\(statement)\n\(created)")
        }
    }

    @Test("A catalog in a folder gives back what was put into it, in a session of its own")
    func folder() throws {
        let storage = MemoryCatalogStorage()
        func open() throws -> TestSession {
            let test = try TestSession()
            test.session.catalogFactories["directory"] = DirectoryCatalogFactory { (_) throws(MillstreamError) in storage }
            try test.run("CREATE CATALOG disk WITH ('type' = 'directory', 'path' = 'anywhere', 'default-database' = 'main')", "USE CATALOG disk")
            return test
        }
        var tables: [String: CatalogTable] = [:]
        let first = try open()
        for (seed, name) in Self.names.enumerated() {
            var random = Random(state: UInt64(1_000 + seed))
            _ = try first.session.execute(Self.statement(name, &random))
            tables[String(seed)] = try Self.table(first.session, name)
        }
        try first.run(
            "CREATE TABLE parts (a INT, p STRING, q STRING) PARTITIONED BY (p, q)", "ALTER TABLE parts ADD PARTITION (p = 'it''s', q = '2')",
            "CREATE DATABASE `other/db` COMMENT 'it''s' WITH ('k' = 'v')", "CREATE VIEW v COMMENT 'view' AS SELECT ts AS t1, n1 FROM `日本`",
            "CREATE FUNCTION hyp AS 'double hypot(double,double)' LANGUAGE C USING LIBRARY 'libm.so.6'",
            "CREATE FUNCTION gone AS 'm.f' LANGUAGE PYTHON", "DROP FUNCTION gone",
            "CREATE TABLE dropped (a INT)", "DROP TABLE dropped")
        let shown = try [
            "SHOW TABLES", "SHOW DATABASES", "DESCRIBE v", "SHOW CREATE VIEW v", "SHOW PARTITIONS parts", "DESCRIBE DATABASE EXTENDED `other/db`",
            "SHOW USER FUNCTIONS", "DESCRIBE FUNCTION EXTENDED hyp",
        ].map {
            try first.rows($0)
        }
        let second = try open()
        for (seed, name) in Self.names.enumerated() { #expect(try Self.table(second.session, name) == tables[String(seed)], "\(name)") }
        let again = try [
            "SHOW TABLES", "SHOW DATABASES", "DESCRIBE v", "SHOW CREATE VIEW v", "SHOW PARTITIONS parts", "DESCRIBE DATABASE EXTENDED `other/db`",
            "SHOW USER FUNCTIONS", "DESCRIBE FUNCTION EXTENDED hyp",
        ].map {
            try second.rows($0)
        }
        #expect(again == shown)
        #expect(shown[4] == [["p=it's/q=2"]] && shown[0].count == Self.names.count + 2)
        // Names that Unicode takes for the same are two files.
        #expect(storage.files.names.filter { $0.contains("tables/e%cc%81.sql") || $0.contains("tables/%c3%a9.sql") }.count == 2)
        try second.run("CREATE DATABASE d2", "CREATE TABLE d2.x (a INT)", "DROP DATABASE d2 CASCADE")
        #expect(storage.files.names.allSatisfy { !$0.hasPrefix("d2/") })
        // A file that was damaged is named.
        storage.write("main/tables/bad.sql", Array("CREATE TABLE `bad` (a INT, b AS nope)".utf8))
        #expect(
            second.refusal("DESCRIBE bad").hasPrefix(
                "the catalog's file 'main/tables/bad.sql' cannot be read: SQL: line 1, column 33: there is no column 'nope'"))
    }

    @Test("A temporary table shadows a permanent one, and names are resolved from the current catalog and database")
    func resolution() throws {
        let test = try TestSession()
        try test.run(
            "CREATE DATABASE db", "CREATE TABLE db.t (a INT)", "CREATE CATALOG c WITH ('type' = 'generic_in_memory')",
            "CREATE TABLE c.`default`.t (b INT)",
            "CREATE TEMPORARY TABLE db.t (c INT)", "CREATE TEMPORARY TABLE nowhere.t (d INT)")
        func columns(_ name: String) throws -> [String?] { try test.rows("DESCRIBE \(name)").map { $0[0] } }
        #expect(
            try columns("db.t") == ["c"] && columns("default_catalog.db.t") == ["c"] && columns("c.`default`.t") == ["b"]
                && columns("nowhere.t") == ["d"])
        try test.run("USE db")
        #expect(try columns("t") == ["c"])
        try test.run("DROP TEMPORARY TABLE t")
        #expect(try columns("t") == ["a"])
        try test.run("USE CATALOG c")
        #expect(try columns("t") == ["b"])
        #expect(test.refusal("DESCRIBE db.t").contains("there is no database 'db' in the catalog 'c'"))
        #expect(
            test.refusal("DESCRIBE defualt_catalog.db.t").contains("there is no catalog 'defualt_catalog'")
                && test.refusal("DESCRIBE defualt_catalog.db.t").contains("'default_catalog'"))
    }
}
