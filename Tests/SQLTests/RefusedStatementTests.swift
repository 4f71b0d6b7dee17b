import Columnar
import Foundation
import Testing
@testable import SQL

/// Statements that must be refused, each with what it says: the place, what is wrong, what is known.
struct RefusedStatementTests {
    private static let setup = [
        "CREATE TABLE t (a INT, b INT, c AS a + b, ts TIMESTAMP(3), p STRING, PRIMARY KEY (a) NOT ENFORCED, WATERMARK FOR ts AS ts) PARTITIONED BY (p) WITH ('connector' = 'blackhole')",
        "CREATE TABLE orders (a INT, m STRING METADATA) WITH ('connector' = 'print')", "CREATE VIEW v AS SELECT 1 AS x",
        "CREATE TEMPORARY TABLE tmp (a INT)", "CREATE DATABASE full_db",
        "CREATE TABLE full_db.x (a INT)", "CREATE FUNCTION f AS 'm.f' LANGUAGE PYTHON",
    ]
    private static let datagen = "WITH ('connector' = 'datagen')"

    @Test(
        "A wrong statement is told with its place, what is wrong and what to do",
        arguments: [
            // Options
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'kafkka')", 1, 30, "there is no connector 'kafkka'",
                "Connectors: arrow, blackhole, datagen, filesystem"
            ),
            ("CREATE TABLE x (a INT) WITH ('connector' = 'datagn')", 1, 30, "there is no connector 'datagn'", "Did you mean 'datagen'?"),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'datagen', 'row-per-second' = '5')", 1, 55,
                "the connector 'datagen' has no option 'row-per-second'", "Did you mean 'rows-per-second'?"
            ),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'datagen', 'fields.b.kind' = 'random')", 1, 55, "has no option 'fields.b.kind'",
                "'fields.a.kind'"
            ),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'datagen', 'rows-per-second' = 'many')", 1, 55,
                "'rows-per-second' takes a whole number from 1, not 'many'", ""
            ),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'datagen', 'fields.a.kind' = 'randm')", 1, 55, "takes 'random', 'sequence', not 'randm'",
                "Did you mean 'random'?"
            ),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'filesystem', 'format' = 'csv')", 1, 30,
                "the connector 'filesystem' needs the option 'path'", "'path'"
            ),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'filesystem', 'path' = '/x')", 1, 30, "needs the option 'format'",
                "Formats: canal-json, csv, debezium-json"
            ),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'filesystem', 'path' = '/x', 'format' = 'jsn')", 1, 73, "there is no format 'jsn'",
                "Did you mean 'json'?"
            ),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'filesystem', 'path' = '/x', 'format' = 'csv', 'csv.bogus' = '1')", 1, 91,
                "the format 'csv' has no option 'csv.bogus'", "csv.null-literal"
            ),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'filesystem', 'path' = '/x', 'format' = 'csv', 'csv.ignore-parse-errors' = 'ja')", 1, 91,
                "'csv.ignore-parse-errors' takes true or false, not 'ja'", ""
            ),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'filesystem', 'path' = '/x', 'format' = 'csv', 'csv.field-delimiter' = ';;')", 1, 91,
                "takes one character, not ';;'", ""
            ),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'filesystem', 'path' = '/x', 'format' = 'csv', 'json.x' = '1')", 1, 91,
                "has no option 'json.x'", ""
            ),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'filesystem', 'path' = '/x', 'format' = 'csv', 'source.monitor-interval' = 'soon')", 1,
                91, "takes a duration", ""
            ),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'filesystem', 'path' = '/x', 'format' = 'csv', 'sink.rolling-policy.file-size' = '1 zb')",
                1, 91, "takes a size", ""
            ),
            (
                "CREATE TABLE x (a INT, b INT) WITH ('connector' = 'filesystem', 'path' = '/x', 'format' = 'raw')", 1, 80,
                "the format 'raw' takes a table of one column; this one has 2", ""
            ),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'filesystem', 'path' = '/x', 'format' = 'json', 'json.fail-on-missing-field' = 'true', 'json.ignore-parse-errors' = 'true')",
                1, 92, "contradict each other", ""
            ),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'socket', 'hostname' = 'h', 'port' = '70000', 'format' = 'raw')", 1, 72,
                "takes a whole number from 1 to 65535, not '70000'", ""
            ),
            ("CREATE TABLE x (a INT) WITH ('k' = '1', 'k' = '2')", 1, 41, "the option 'k' is there twice", ""),
            ("ALTER TABLE t SET ('prnt' = 'x')", 1, 20, "the connector 'blackhole' has no option 'prnt'", ""),
            ("ALTER TABLE t RESET ('connector')", 1, 1, "the option 'connector' cannot be reset", ""),
            (
                "CREATE TABLE x (a INT) WITH ('connector' = 'datagen', 'fields.a.kind' = 'sequence', 'fields.a.start' = '1')", 1, 55,
                "a sequence needs the option 'fields.a.end'", ""
            ),
            // Columns
            ("CREATE TABLE x (a INT, a STRING) \(datagen)", 1, 24, "the column 'a' is there twice", ""),
            ("CREATE TABLE x () \(datagen)", 1, 14, "a table has columns", ""),
            ("CREATE TABLE x (a INTT) \(datagen)", 1, 19, "there is no type 'INTT'", "INT"),
            ("CREATE TABLE x (a INT, b AS nope + 1) \(datagen)", 1, 29, "there is no column 'nope'", ""),
            ("CREATE TABLE x (aa INT, b AS ab + 1) \(datagen)", 1, 30, "there is no column 'ab'", "Did you mean 'aa'?"),
            ("CREATE TABLE x (a INT, b AS c + 1, c AS a + 1) \(datagen)", 1, 29, "there is no column 'c'", ""),
            ("CREATE TABLE x (a INT, b AS (SELECT 1)) \(datagen)", 1, 29, "a query cannot stand here", ""),
            ("CREATE TABLE x (a DECIMAL(5, 6)) \(datagen)", 1, 19, "cannot have 6", ""),
            // Keys, watermarks, partitions
            ("CREATE TABLE x (a INT, PRIMARY KEY (b) NOT ENFORCED) \(datagen)", 1, 24, "there is no column 'b' for the primary key", "Columns: a."),
            ("CREATE TABLE x (a INT, PRIMARY KEY (a)) \(datagen)", 1, 24, "a PRIMARY KEY is NOT ENFORCED", "Nobody checks"),
            ("CREATE TABLE x (a INT, PRIMARY KEY (a, a) NOT ENFORCED) \(datagen)", 1, 24, "the primary key has 'a' twice", ""),
            (
                "CREATE TABLE x (a INT, b AS a + 1, PRIMARY KEY (b) NOT ENFORCED) \(datagen)", 1, 36,
                "the column 'b' of the primary key is not physical", ""
            ),
            (
                "CREATE TABLE x (a INT, PRIMARY KEY (a) NOT ENFORCED, PRIMARY KEY (a) NOT ENFORCED) \(datagen)", 1, 54, "a table has one PRIMARY KEY",
                ""
            ),
            ("CREATE TABLE x (a INT, UNIQUE (a)) \(datagen)", 1, 24, "UNIQUE is not built", ""),
            (
                "CREATE TABLE x (a INT, WATERMARK FOR a AS a) \(datagen)", 1, 24,
                "a watermark follows a TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p up to 3; 'a' is INT", ""
            ),
            ("CREATE TABLE x (a TIMESTAMP(6), WATERMARK FOR a AS a) \(datagen)", 1, 33, "'a' is TIMESTAMP(6)", ""),
            ("CREATE TABLE x (ts TIMESTAMP(3), WATERMARK FOR st AS st) \(datagen)", 1, 34, "there is no column 'st' for a watermark to follow", "ts"),
            ("CREATE TABLE x (ts TIMESTAMP(3), a INT, WATERMARK FOR ts AS a) \(datagen)", 1, 41, "this is INT", ""),
            (
                "CREATE TABLE x (ts TIMESTAMP_LTZ(3), WATERMARK FOR ts AS CAST(ts AS TIMESTAMP(3))) \(datagen)", 1, 38,
                "the watermark is TIMESTAMP(3), and the column it follows TIMESTAMP_LTZ(3)", ""
            ),
            (
                "CREATE TABLE x (a INT, dt STRING) PARTITIONED BY (nope) \(datagen)", 1, 51, "there is no column 'nope' to divide the table by",
                "Columns: a, dt."
            ),
            (
                "CREATE TABLE x (a INT) DISTRIBUTED BY (z) INTO 2 BUCKETS \(datagen)", 1, 14,
                "there is no physical column 'z' to distribute the table by", ""
            ),
            // Names
            ("CREATE TABLE t (a INT)", 1, 14, "there is a table or view 'default_catalog.default_database.t' already", "IF NOT EXISTS"),
            ("CREATE TABLE nodb.x (a INT)", 1, 14, "there is no database 'nodb' in the catalog 'default_catalog'", "default_database"),
            ("CREATE TABLE a.b.c.d (a INT)", 1, 14, "the name 'a.b.c.d' has 4 parts", "catalog.database.name"),
            ("CREATE TEMPORARY TABLE tmp (a INT)", 1, 24, "there is a temporary table or view", "DROP TEMPORARY TABLE"),
            ("CREATE OR REPLACE TABLE t (a INT)", 1, 25, "CREATE OR REPLACE TABLE goes with AS alone", ""),
            ("CREATE VIEW t AS SELECT 1", 1, 13, "there is a table 'default_catalog.default_database.t' already", ""),
            ("CREATE VIEW w (x) AS SELECT a, b FROM t", 1, 16, "the view names 1 columns, its query has 2", "a, b"),
            ("CREATE TABLE x LIKE orderz", 1, 21, "there is no table or view 'orderz'", "Did you mean 'orders'?"),
            ("CREATE TABLE x LIKE v", 1, 21, "is a view; LIKE takes a table", ""),
            ("CREATE TABLE x (a STRING) LIKE t", 1, 17, "the table of LIKE has a column 'a' already", ""),
            ("CREATE TABLE x (c AS a * 2) LIKE t", 1, 17, "the table of LIKE has a computed column 'c' already", "OVERWRITING GENERATED"),
            ("CREATE TABLE x LIKE t (OVERWRITING CONSTRAINTS)", 1, 24, "CONSTRAINTS cannot be overwritten", ""),
            ("CREATE TABLE x LIKE t (INCLUDING OPTIONS EXCLUDING OPTIONS)", 1, 42, "LIKE says twice what to do with OPTIONS", ""),
            ("CREATE TABLE x (y, z) WITH ('connector' = 'print') AS SELECT 1 AS y, 2 AS q", 1, 20, "the query has no column 'z'", "y, q"),
            ("DROP TABLE nope", 1, 12, "there is no table 'default_catalog.default_database.nope'", ""),
            ("DROP TABLE ordrs", 1, 12, "there is no table 'default_catalog.default_database.ordrs'", "Did you mean 'orders'?"),
            ("DROP TABLE v", 1, 12, "is a view", "DROP VIEW"),
            ("DROP TABLE tmp", 1, 12, "there is a temporary table", "DROP TEMPORARY TABLE"),
            ("DROP DATABASE full_db", 1, 15, "the database 'full_db' is not empty: it has 1 tables and views, 0 functions", "CASCADE"),
            ("DROP DATABASE default_database", 1, 15, "the database 'default_database' is the current one", "USE"),
            ("DROP CATALOG default_catalog", 1, 14, "is the current one", ""),
            ("DESCRIBE T", 1, 10, "there is no table or view 'T'", "Did you mean 't'?"),
            ("USE ful_db", 1, 5, "there is no database 'ful_db'", "Did you mean 'full_db'?"),
            ("USE CATALOG nope", 1, 13, "there is no catalog 'nope'", "Catalogs: default_catalog."),
            ("CREATE CATALOG c WITH ('type' = 'hive')", 1, 24, "there is no catalog of type 'hive'", "generic_in_memory"),
            ("CREATE CATALOG c WITH ('default-database' = 'x')", 1, 16, "a catalog needs the option 'type'", ""),
            ("CREATE CATALOG c WITH ('type' = 'generic_in_memory', 'x' = 'y')", 1, 54, "has no option 'x'", "default-database"),
            // ALTER
            ("ALTER TABLE t ADD a STRING", 1, 19, "the table has a column 'a' already", "MODIFY"),
            ("ALTER TABLE t MODIFY (zz INT)", 1, 23, "the table has no column 'zz'", ""),
            ("ALTER TABLE t DROP b", 1, 20, "the computed column 'c' is made from 'b'", "`a` + `b`"),
            ("ALTER TABLE t DROP ts", 1, 20, "the watermark is made from 'ts'", "DROP WATERMARK"),
            ("ALTER TABLE t DROP a", 1, 20, "the column 'a' is in the primary key", ""),
            ("ALTER TABLE t RENAME p TO q", 1, 22, "the table is partitioned by 'p'", ""),
            ("ALTER TABLE t ADD PRIMARY KEY (b) NOT ENFORCED", 1, 19, "the table has the primary key (a) already", "MODIFY"),
            ("ALTER TABLE t ADD (n INT AFTER nope)", 1, 32, "the table has no column 'nope'", ""),
            ("ALTER TABLE orders DROP WATERMARK", 1, 1, "the table has no watermark", ""),
            ("ALTER TABLE orders DROP (a, m)", 1, 1, "a table has at least one column", ""),
            ("ALTER TABLE t DROP CONSTRAINT pk", 1, 31, "the table has no constraint 'pk'", "'PK_a'"),
            ("ALTER TABLE tmp ADD x INT", 1, 13, "is temporary", ""),
            ("ALTER TABLE t ADD PARTITION (q = '1')", 1, 30, "the table is not partitioned by 'q'", "p"),
            ("ALTER TABLE t RENAME TO orders", 1, 25, "already", ""),
            // Functions, modules, others
            ("CREATE FUNCTION f AS 'm.g' LANGUAGE PYTHON", 1, 17, "there is a function 'default_catalog.default_database.f' already", ""),
            ("CREATE FUNCTION g AS 'double hypot(double,double)' LANGUAGE C", 1, 17, "a function in C needs its library", "USING LIBRARY"),
            ("DROP FUNCTION nofn", 1, 15, "there is no function", ""),
            ("DROP TEMPORARY FUNCTION f", 1, 25, "there is no temporary function", ""),
            ("USE MODULES core, core", 1, 19, "the module 'core' is named twice", ""),
            ("LOAD MODULE hive", 1, 13, "there is no module 'hive'", "core"),
            ("UNLOAD MODULE hive", 1, 15, "no module 'hive' is loaded", ""),
            ("INSERT INTO v SELECT 1", 1, 13, "is a view; nothing can be written into it", ""),
            ("INSERT INTO ordres SELECT 1", 1, 13, "there is no table or view 'ordres'", "Did you mean 'orders'?"),
            ("INSERT OVERWRITE t SELECT 1", 1, 1, "INSERT OVERWRITE does not exist in streaming mode", "BATCH"),
            ("DELETE FROM t WHERE a = 1", 1, 1, "DELETE does not exist in streaming mode", ""),
            ("END", 1, 1, "END without BEGIN STATEMENT SET", ""),
            ("SHOW TABLES FROM nope", 1, 18, "there is no database 'nope'", ""),
            ("SHOW PARTITIONS orders", 1, 17, "is not partitioned", ""),
            ("SHOW CREATE VIEW t", 1, 18, "is a table", "SHOW CREATE TABLE"),
            ("SHOW PROCEDURES", 1, 1, "catalogs have no procedures", ""),
            ("REMOVE JAR 'x.jar'", 1, 1, "no jar 'x.jar' was added", ""),
            // SET
            (
                "SET 'table.exec.mini-batch.enable' = 'true'", 1, 5, "there is no option 'table.exec.mini-batch.enable'",
                "Did you mean 'table.exec.mini-batch.enabled'?"
            ),
            ("SET 'table.exec.mini-batch.enabled' = 'yes'", 1, 5, "'table.exec.mini-batch.enabled' takes true or false, not 'yes'", ""),
            ("SET 'tabel.exec.state.ttl' = '1 h'", 1, 5, "there is no option 'tabel.exec.state.ttl'", "Did you mean 'table.exec.state.ttl'?"),
            ("SET 'table.exec.state.ttl' = '1 fortnight'", 1, 5, "takes a duration such as", ""),
            ("SET 'execution.runtime-mode' = 'STREAM'", 1, 5, "takes 'STREAMING', 'BATCH', 'AUTOMATIC', not 'STREAM'", ""),
            ("SET 'table.local-time-zone' = 'Mars/Olympus'", 1, 5, "takes a time zone such as", ""),
            ("SET 'pipeline.max-parallelism' = '99999'", 1, 5, "takes a whole number from -1 to 32768", ""),
            ("SET 'table.exec.resource.sort.memory' = 'lots'", 1, 5, "takes a size such as", ""),
            ("SET 'table.exec.sink.not-null-enforcer' = 'DORP'", 1, 5, "takes 'ERROR', 'DROP', not 'DORP'", "Did you mean 'DROP'?"),
            ("SET 'table.optimizer.nothing.like.it' = '1'", 1, 5, "there is no option 'table.optimizer.nothing.like.it'", ""),
            ("RESET 'table.exec.state.tll'", 1, 1, "there is no option 'table.exec.state.tll'", "Did you mean 'table.exec.state.ttl'?"),
        ] as [(String, Int, Int, String, String)])
    func refused(text: String, line: Int, column: Int, message: String, hint: String) throws {
        let test = try TestSession()
        for statement in Self.setup { _ = try test.session.execute(statement) }
        let refusal = test.refusal(text)
        #expect(refusal.hasPrefix("SQL: line \(line), column \(column): "), "\(refusal)")
        let parts = refusal.components(separatedBy: " | ")
        #expect(parts[0].contains(message), "\(refusal)")
        if !hint.isEmpty { #expect(parts.dropFirst().joined(separator: " | ").contains(hint), "\(refusal)") }
    }
}
