/// Options under `table.exec` and `table`.
extension KnownOptions {
    private static let asynchronousRetries = ["NO_RETRY", "FIXED_DELAY"]
    private static let outputModes = ["ORDERED", "ALLOW_UNORDERED"]

    static let table: [ConfigOption] = [
        // Time and state
        ConfigOption("table.local-time-zone", .timeZone, default: "UTC", "The zone in which TIMESTAMP_LTZ is shown and read."),
        ConfigOption("table.exec.state.ttl", .duration, default: "0 ms", "How long state is kept after its last change; 0: for ever."),
        ConfigOption(
            "table.exec.source.idle-timeout", .duration, default: "0 ms",
            "After how long without rows a source no longer holds the watermark back; 0: never."),
        ConfigOption(
            "table.exec.source.cdc-events-duplicate", .boolean, default: "false",
            "Whether changes can come twice: they are made unique by the primary key."),
        ConfigOption(
            "table.exec.interval-join.min-cleanup-interval", .duration, default: "0 ms",
            "The least time between two cleanings of an interval join's state."),
        // Sinks
        ConfigOption(
            "table.exec.sink.not-null-enforcer", .choice(["ERROR", "DROP"]), default: "ERROR",
            "A NULL for a NOT NULL column fails the job, or the row is dropped."),
        ConfigOption(
            "table.exec.sink.type-length-enforcer", .choice(["IGNORE", "TRIM_PAD", "ERROR"]), default: "IGNORE",
            "Whether text and bytes are cut and padded to the length of the sink's CHAR, VARCHAR, BINARY and VARBINARY."),
        ConfigOption(
            "table.exec.sink.nested-constraint-enforcer", .choice(["IGNORE", "ROWS", "ROWS_AND_COLLECTIONS"]), default: "IGNORE",
            "Whether NOT NULL and lengths are also seen to within rows and collections."),
        ConfigOption(
            "table.exec.sink.upsert-materialize", .choice(["NONE", "AUTO", "FORCE"]), default: "AUTO",
            "Whether rows of one key are kept in order before a sink with a primary key."),
        ConfigOption(
            "table.exec.sink.upsert-materialize-strategy.type", .choice(["LEGACY", "MAP", "VALUE", "ADAPTIVE"]), default: "LEGACY",
            "How those rows are kept."),
        ConfigOption(
            "table.exec.sink.upsert-materialize-strategy.adaptive.threshold.low", .count, "Below this many rows of a key they are kept as one value."),
        ConfigOption(
            "table.exec.sink.upsert-materialize-strategy.adaptive.threshold.high", .count, "Above this many rows of a key they are kept as a map."),
        ConfigOption(
            "table.exec.sink.keyed-shuffle", .choice(["NONE", "AUTO", "FORCE"]), default: "AUTO",
            "Whether rows are dealt out by primary key before a sink."),
        ConfigOption(
            "table.exec.sink.rowtime-inserter", .choice(["ENABLED", "DISABLED"]), default: "ENABLED",
            "Whether rows carry their event time into the sink."),
        ConfigOption(
            "table.exec.sink.require-on-conflict", .boolean, default: "true",
            "Whether INSERT must say ON CONFLICT where the query's key is not the table's primary key."),
        // Sorting, aggregation
        ConfigOption("table.exec.sort.default-limit", .int, default: "-1", "A LIMIT for ORDER BY without one; -1: none."),
        ConfigOption("table.exec.sort.max-num-file-handles", .positive, default: "128", "How many spilled files a sort merges at once."),
        ConfigOption("table.exec.sort.async-merge-enabled", .boolean, default: "true", "Whether spilled files are merged beside the sort."),
        ConfigOption("table.exec.spill-compression.enabled", .boolean, default: "true", "Whether spilled data is compressed."),
        ConfigOption("table.exec.spill-compression.block-size", .byteCount, default: "64 kb", "How much is compressed at once."),
        ConfigOption("table.exec.resource.default-parallelism", .int, default: "-1", "The parallelism of queries; -1: the job's default."),
        ConfigOption("table.exec.resource.external-buffer-memory", .byteCount, default: "10 mb", "Memory of an external buffer."),
        ConfigOption("table.exec.resource.hash-agg.memory", .byteCount, default: "128 mb", "Memory of a hash aggregation in batch mode."),
        ConfigOption("table.exec.resource.hash-join.memory", .byteCount, default: "128 mb", "Memory of a hash join in batch mode."),
        ConfigOption("table.exec.resource.sort.memory", .byteCount, default: "128 mb", "Memory of a sort in batch mode."),
        ConfigOption("table.exec.window-agg.buffer-size-limit", .positive, default: "100000", "How many rows a window aggregation buffers."),
        ConfigOption(
            "table.exec.local-hash-agg.adaptive.enabled", .boolean, default: "true",
            "Whether a local aggregation that does not shrink its input stops."),
        ConfigOption("table.exec.local-hash-agg.adaptive.sampling-threshold", .count, default: "500000", "After how many rows that is decided."),
        ConfigOption(
            "table.exec.local-hash-agg.adaptive.distinct-value-rate-threshold", .fraction, default: "0.5", "From which share of distinct keys on."),
        ConfigOption(
            "table.exec.mini-batch.enabled", .boolean, default: "false", "Whether aggregations and joins gather rows and work on them together."),
        ConfigOption("table.exec.mini-batch.allow-latency", .duration, default: "0 ms", "How long rows are gathered at most."),
        ConfigOption("table.exec.mini-batch.size", .integer(-1...Int64.max), default: "-1", "How many rows are gathered at most."),
        ConfigOption("table.exec.rank.topn-cache-size", .count, default: "10000", "How many rows a Top-N keeps outside its state."),
        ConfigOption(
            "table.exec.deduplicate.insert-update-after-sensitive-enabled", .boolean, default: "true",
            "Whether a deduplication tells insert from update."),
        ConfigOption(
            "table.exec.deduplicate.mini-batch.compact-changes-enabled", .boolean, default: "false", "Whether it folds the changes of a mini-batch."),
        ConfigOption("table.exec.unbounded-over.version", .integer(1...2), default: "2", "Which operator OVER without a bound has."),
        ConfigOption("table.exec.emit.early-fire.enabled", .boolean, default: "false", "Whether windows emit before they end."),
        ConfigOption("table.exec.emit.early-fire.delay", .duration, "How often, before they end."),
        ConfigOption("table.exec.emit.late-fire.enabled", .boolean, default: "false", "Whether windows emit again for late rows."),
        ConfigOption("table.exec.emit.late-fire.delay", .duration, "How often, after they end."),
        ConfigOption("table.exec.emit.allow-lateness", .duration, "How long windows are kept for late rows."),
        // Asynchronous work
        ConfigOption("table.exec.async-lookup.buffer-capacity", .positive, default: "100", "How many lookups are under way at once."),
        ConfigOption("table.exec.async-lookup.key-ordered-enabled", .boolean, default: "false", "Whether lookups of one key keep their order."),
        ConfigOption("table.exec.async-lookup.output-mode", .choice(outputModes), default: "ORDERED", "Whether results keep the order of rows."),
        ConfigOption("table.exec.async-lookup.timeout", .duration, default: "3 min", "How long a lookup may take."),
        ConfigOption(
            "table.exec.async-scalar.max-concurrent-operations", .positive, default: "10",
            "How many calls of an asynchronous function are under way at once."),
        ConfigOption("table.exec.async-scalar.buffer-capacity", .positive, default: "10", "The former name of max-concurrent-operations."),
        ConfigOption("table.exec.async-scalar.timeout", .duration, default: "3 min", "How long a call may take."),
        ConfigOption(
            "table.exec.async-scalar.retry-strategy", .choice(asynchronousRetries), default: "FIXED_DELAY", "Whether a failed call is repeated."),
        ConfigOption("table.exec.async-scalar.retry-delay", .duration, default: "100 ms", "After how long."),
        ConfigOption("table.exec.async-scalar.max-attempts", .positive, default: "3", "How often it is tried."),
        ConfigOption(
            "table.exec.async-table.max-concurrent-operations", .positive, default: "10",
            "How many calls of an asynchronous table function are under way."),
        ConfigOption("table.exec.async-table.timeout", .duration, default: "3 min", "How long a call may take."),
        ConfigOption(
            "table.exec.async-table.retry-strategy", .choice(asynchronousRetries), default: "FIXED_DELAY", "Whether a failed call is repeated."),
        ConfigOption("table.exec.async-table.retry-delay", .duration, default: "100 ms", "After how long."),
        ConfigOption("table.exec.async-table.max-retries", .count, default: "3", "How often it is repeated."),
        ConfigOption("table.exec.async-ml-predict.max-concurrent-operations", .positive, default: "10", "How many predictions are under way."),
        ConfigOption("table.exec.async-ml-predict.timeout", .duration, default: "3 min", "How long a prediction may take."),
        ConfigOption("table.exec.async-ml-predict.output-mode", .choice(outputModes), default: "ORDERED", "Whether results keep the order of rows."),
        ConfigOption("table.exec.async-vector-search.max-concurrent-operations", .positive, default: "10", "How many searches are under way."),
        ConfigOption("table.exec.async-vector-search.timeout", .duration, default: "3 min", "How long a search may take."),
        ConfigOption(
            "table.exec.async-vector-search.output-mode", .choice(outputModes), default: "ORDERED", "Whether results keep the order of rows."),
        ConfigOption("table.exec.async-state.enabled", .boolean, default: "false", "Whether state is read asynchronously."),
        ConfigOption("table.exec.delta-join.cache-enabled", .boolean, default: "true", "Whether a delta join keeps what it looked up."),
        ConfigOption("table.exec.delta-join.left.cache-size", .count, default: "10000", "How many keys of the left side it keeps."),
        ConfigOption("table.exec.delta-join.right.cache-size", .count, default: "10000", "How many keys of the right side it keeps."),
        // Plans
        ConfigOption("table.exec.disabled-operators", .text, "Operators that batch plans do without, with ',' between them."),
        ConfigOption("table.exec.operator-fusion-codegen.enabled", .boolean, default: "false", "Whether operators are compiled together."),
        ConfigOption(
            "table.exec.legacy-cast-behaviour", .choice(["ENABLED", "DISABLED"]), default: "DISABLED",
            "Whether CAST gives NULL where it fails, as it did before."),
        ConfigOption("table.exec.simplify-operator-name-enabled", .boolean, default: "true", "Whether operators' names leave their details out."),
        ConfigOption("table.exec.uid.generation", .choice(["PLAN_ONLY", "ALWAYS", "DISABLED"]), default: "PLAN_ONLY", "When operators get uids."),
        ConfigOption("table.exec.uid.format", .text, default: "<id>_<transformation>", "What the uids look like."),
        ConfigOption("table.builtin-catalog-name", .text, default: "default_catalog", "The name of the first catalog."),
        ConfigOption("table.builtin-database-name", .text, default: "default_database", "The name of its first database."),
        ConfigOption("table.catalog-modification.listeners", .list, "Who is told of changes of catalogs."),
        ConfigOption("table.dml-sync", .boolean, default: "false", "Whether INSERT waits until its job has ended."),
        ConfigOption("table.dynamic-table-options.enabled", .boolean, default: "true", "Whether the hint OPTIONS is allowed."),
        ConfigOption("table.sql-dialect", .choice(["default"]), default: "default", "The dialect of statements."),
        ConfigOption("table.display.max-column-width", .positive, default: "30", "How wide a column of a printed result is at most."),
        ConfigOption("table.resources.download-dir", .text, "Where files of functions are put."),
        ConfigOption(
            "table.rtas-ctas.atomicity-enabled", .boolean, default: "false", "Whether CREATE TABLE AS leaves no table behind when its job fails."),
        ConfigOption(
            "table.column-expansion-strategy", .list, default: "",
            "Which columns * leaves out: EXCLUDE_DEFAULT_VIRTUAL_METADATA_COLUMNS, EXCLUDE_ALIASED_VIRTUAL_METADATA_COLUMNS."),
        ConfigOption("table.legacy-nested-row-nullability", .boolean, default: "false", "Whether fields of a nullable ROW are always nullable."),
        ConfigOption(
            "table.plan.compile.catalog-objects", .choice(["ALL", "SCHEMA", "IDENTIFIER"]), default: "ALL",
            "What a compiled plan holds of its tables."),
        ConfigOption(
            "table.plan.restore.catalog-objects", .choice(["ALL", "ALL_ENFORCED", "IDENTIFIER"]), default: "ALL",
            "What a compiled plan takes from the catalog."),
        ConfigOption("table.plan.force-recompile", .boolean, default: "false", "Whether COMPILE PLAN writes over a file."),
        ConfigOption("table.generated-code.max-length", .positive, default: "4000", "Without meaning here: no code is generated."),
        ConfigOption("table.generated-code.max-members", .positive, default: "10000", "Without meaning here: no code is generated."),
    ]
}
