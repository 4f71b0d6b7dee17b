/// Options of the optimizer, of jobs, of checkpoints and of the client.
extension KnownOptions {
    static let optimizer: [ConfigOption] = [
        ConfigOption(
            "table.optimizer.agg-phase-strategy", .choice(["AUTO", "ONE_PHASE", "TWO_PHASE"]), default: "AUTO",
            "Whether aggregation has a local part."),
        ConfigOption("table.optimizer.distinct-agg.split.enabled", .boolean, default: "false", "Whether distinct aggregation is split in two."),
        ConfigOption("table.optimizer.distinct-agg.split.bucket-num", .positive, default: "1024", "Into how many parts."),
        ConfigOption("table.optimizer.incremental-agg-enabled", .boolean, default: "true", "Whether the parts are merged incrementally."),
        ConfigOption("table.optimizer.join-reorder-enabled", .boolean, default: "false", "Whether joins are reordered."),
        ConfigOption("table.optimizer.bushy-join-reorder-threshold", .count, default: "12", "Up to how many joins every order is tried."),
        ConfigOption("table.optimizer.multi-join.enabled", .boolean, default: "false", "Whether several joins become one operator."),
        ConfigOption(
            "table.optimizer.join.broadcast-threshold", .integer(-1...Int64.max), default: "1048576",
            "Up to how many bytes a side is broadcast in batch mode."),
        ConfigOption("table.optimizer.reuse-sub-plan-enabled", .boolean, default: "true", "Whether what occurs twice in a plan is computed once."),
        ConfigOption("table.optimizer.reuse-source-enabled", .boolean, default: "true", "Whether one source serves several scans."),
        ConfigOption("table.optimizer.reuse-sink-enabled", .boolean, default: "true", "Whether one sink serves several INSERTs."),
        ConfigOption(
            "table.optimizer.reuse-optimize-block-with-digest-enabled", .boolean, default: "false", "Whether equal blocks are found by their digests."
        ),
        ConfigOption("table.optimizer.source.report-statistics-enabled", .boolean, default: "true", "Whether sources are asked how large they are."),
        ConfigOption(
            "table.optimizer.multiple-input-enabled", .boolean, default: "true", "Whether operators are joined into ones with several inputs."),
        ConfigOption(
            "table.optimizer.dynamic-filtering.enabled", .boolean, default: "true", "Whether a join's small side filters the partitions of the other."
        ),
        ConfigOption(
            "table.optimizer.runtime-filter.enabled", .boolean, default: "false", "Whether a join's small side filters the rows of the other."),
        ConfigOption("table.optimizer.runtime-filter.max-build-data-size", .byteCount, default: "150 mb", "Up to which size of the small side."),
        ConfigOption("table.optimizer.runtime-filter.min-probe-data-size", .byteCount, default: "10 gb", "From which size of the other side on."),
        ConfigOption("table.optimizer.runtime-filter.min-filter-ratio", .fraction, default: "0.5", "From which share of filtered rows on."),
        ConfigOption(
            "table.optimizer.adaptive-broadcast-join.strategy", .choice(["AUTO", "RUNTIME_ONLY", "NONE"]), default: "AUTO",
            "When a join becomes a broadcast join."),
        ConfigOption(
            "table.optimizer.skewed-join-optimization.strategy", .choice(["AUTO", "FORCED", "NONE"]), default: "AUTO",
            "Whether skewed keys of a join are split."),
        ConfigOption(
            "table.optimizer.skewed-join-optimization.skewed-factor", .double(0...Double.infinity), default: "4.0",
            "From which ratio to the median a key is skewed."),
        ConfigOption(
            "table.optimizer.skewed-join-optimization.skewed-threshold", .byteCount, default: "256 mb", "From which size on a key is skewed."),
        ConfigOption(
            "table.optimizer.non-deterministic-update.strategy", .choice(["TRY_RESOLVE", "IGNORE"]), default: "IGNORE",
            "Whether plans that updates make nondeterministic are refused."),
        ConfigOption("table.optimizer.sql2rel.project-merge.enabled", .boolean, default: "false", "Whether projections are merged at once."),
        ConfigOption("table.optimizer.union-all-as-breakpoint-enabled", .boolean, default: "true", "Whether UNION ALL ends a common part."),
        ConfigOption("table.optimizer.ptf.max-tables", .positive, default: "20", "How many tables a process table function takes."),
        ConfigOption(
            "table.optimizer.delta-join.strategy", .choice(["AUTO", "FORCE", "NONE"]), default: "AUTO",
            "Whether joins look both sides up instead of keeping state."),
    ]

    static let execution: [ConfigOption] = [
        ConfigOption(
            "execution.runtime-mode", .choice(["STREAMING", "BATCH", "AUTOMATIC"]), default: "STREAMING",
            "Whether results change while rows come, or come at the end."),
        ConfigOption(
            "execution.batch-shuffle-mode",
            .choice(["ALL_EXCHANGES_PIPELINED", "ALL_EXCHANGES_BLOCKING", "ALL_EXCHANGES_HYBRID_FULL", "ALL_EXCHANGES_HYBRID_SELECTIVE"]),
            default: "ALL_EXCHANGES_BLOCKING", "Without meaning here: exchanges are in memory."),
        ConfigOption("execution.buffer-timeout.enabled", .boolean, default: "true", "Whether batches are sent on before they are full."),
        ConfigOption("execution.buffer-timeout.interval", .duration, default: "100 ms", "After how long; 0: each row at once."),
        ConfigOption("execution.sort-partition.memory", .byteCount, default: "128 mb", "Memory of sort_partition."),
        ConfigOption("execution.sort-keyed-partition.memory", .byteCount, default: "128 mb", "Memory of sort_partition on a keyed stream."),
        ConfigOption("execution.sorted-inputs.enabled", .boolean, default: "true", "Whether batch mode sorts by key."),
        ConfigOption("execution.sorted-inputs.memory", .byteCount, default: "128 mb", "Memory for that."),
        ConfigOption("execution.batch-state-backend.enabled", .boolean, default: "true", "Whether batch mode keeps the state of one key at a time."),
        ConfigOption("execution.async-state.total-buffer-size", .positive, default: "6000", "How many rows wait for state."),
        ConfigOption("execution.async-state.active-buffer-size", .positive, default: "1000", "How many state requests go together."),
        ConfigOption(
            "execution.async-state.active-buffer-timeout", .integer(-1...Int64.max), default: "1000", "After how many milliseconds they go."),
        ConfigOption("execution.target", .text, "Where jobs run; here in this process."),
        ConfigOption("execution.attached", .boolean, default: "false", "Whether the client waits for its job."),
        ConfigOption("execution.shutdown-on-attached-exit", .boolean, default: "false", "Whether the job ends with its client."),
        ConfigOption("execution.shutdown-on-application-finish", .boolean, default: "true", "Whether a cluster ends with its application."),
        ConfigOption("execution.job-listeners", .list, "Who is told of jobs."),
        ConfigOption("execution.job-status-changed-listeners", .list, "Who is told of jobs' states."),
        ConfigOption("execution.program-config.enabled", .boolean, default: "true", "Whether the program may change the configuration."),
        ConfigOption("execution.program-config.wildcards", .list, "Which options it may change."),
        ConfigOption(
            "execution.submit-failed-job-on-application-error", .boolean, default: "false", "Whether a failed program shows as a failed job."),
        ConfigOption(
            "execution.terminate-application-on-any-job-terminated-exceptionally", .boolean, default: "true",
            "Whether an application ends with its first failed job."),
        ConfigOption("execution.state-recovery.path", .text, "The savepoint or checkpoint that a job starts from."),
        ConfigOption(
            "execution.state-recovery.ignore-unclaimed-state", .boolean, default: "false",
            "Whether state of operators that are gone may be left behind."),
        ConfigOption(
            "execution.state-recovery.claim-mode", .choice(["CLAIM", "NO_CLAIM", "LEGACY"]), default: "NO_CLAIM",
            "Whose the files of that checkpoint are."),
        ConfigOption("execution.state-recovery.from-local", .boolean, default: "false", "Whether state comes from local copies."),
        ConfigOption("execution.state-recovery.approximate-local-recovery", .boolean, default: "false", "Whether only the failed task restarts."),
        ConfigOption(
            "execution.state-recovery.without-channel-state.checkpoint-id", .int, default: "-1", "A checkpoint whose rows in flight are left out."),
        ConfigOption("execution.checkpointing.interval", .duration, "How often checkpoints are taken; unset: never."),
        ConfigOption("execution.checkpointing.interval-during-backlog", .duration, "How often while a source reads its backlog."),
        ConfigOption(
            "execution.checkpointing.mode", .choice(["EXACTLY_ONCE", "AT_LEAST_ONCE"]), default: "EXACTLY_ONCE", "What a restart promises."),
        ConfigOption("execution.checkpointing.timeout", .duration, default: "10 min", "How long a checkpoint may take."),
        ConfigOption("execution.checkpointing.min-pause", .duration, default: "0 ms", "The least time between two checkpoints."),
        ConfigOption("execution.checkpointing.max-concurrent-checkpoints", .positive, default: "1", "How many checkpoints may be under way."),
        ConfigOption(
            "execution.checkpointing.tolerable-failed-checkpoints", .integer(0...Int64(Int32.max)), default: "0", "How many may fail in a row."),
        ConfigOption(
            "execution.checkpointing.externalized-checkpoint-retention",
            .choice(["DELETE_ON_CANCELLATION", "RETAIN_ON_CANCELLATION", "NO_EXTERNALIZED_CHECKPOINTS"]), default: "NO_EXTERNALIZED_CHECKPOINTS",
            "Whether checkpoints outlive their job."),
        ConfigOption("execution.checkpointing.unaligned.enabled", .boolean, default: "false", "Whether rows in flight are part of a checkpoint."),
        ConfigOption("execution.checkpointing.unaligned.forced", .boolean, default: "false", "Whether also where that cannot be told apart."),
        ConfigOption(
            "execution.checkpointing.unaligned.interruptible-timers.enabled", .boolean, default: "false",
            "Whether a barrier interrupts the firing of timers."),
        ConfigOption(
            "execution.checkpointing.unaligned.max-subtasks-per-channel-state-file", .positive, default: "5", "How many subtasks share a file."),
        ConfigOption(
            "execution.checkpointing.unaligned.recover-output-on-downstream.enabled", .boolean, default: "false",
            "Which side restores the rows in flight."),
        ConfigOption(
            "execution.checkpointing.during-recovery.enabled", .boolean, default: "false",
            "Whether checkpoints are taken while rows in flight are restored."),
        ConfigOption(
            "execution.checkpointing.aligned-checkpoint-timeout", .duration, default: "0 ms",
            "After how long an aligned checkpoint becomes unaligned."),
        ConfigOption(
            "execution.checkpointing.checkpoints-after-tasks-finish", .boolean, default: "true",
            "Whether checkpoints go on when some tasks have ended."),
        ConfigOption(
            "execution.checkpointing.checkpoints-after-tasks-finish.enabled", .boolean, default: "true",
            "Whether checkpoints go on when some tasks have ended."),
        ConfigOption("execution.checkpointing.storage", .text, "Where checkpoints are kept: jobmanager or filesystem."),
        ConfigOption("execution.checkpointing.dir", .text, "The folder of checkpoints."),
        ConfigOption("execution.checkpointing.create-subdir", .boolean, default: "true", "Whether each job has a folder of its own there."),
        ConfigOption("execution.checkpointing.savepoint-dir", .text, "The folder of savepoints."),
        ConfigOption("execution.checkpointing.num-retained", .positive, default: "1", "How many checkpoints are kept."),
        ConfigOption("execution.checkpointing.incremental", .boolean, default: "false", "Whether a checkpoint holds only what changed."),
        ConfigOption("execution.checkpointing.snapshot-compression", .boolean, default: "false", "Whether checkpoints are compressed."),
        ConfigOption(
            "execution.checkpointing.data-inline-threshold", .byteCount, default: "20 kb", "Up to which size state is in the manifest itself."),
        ConfigOption(
            "execution.checkpointing.write-buffer-size", .integer(1...Int64(Int32.max)), default: "4096",
            "Bytes of the buffer before a checkpoint's file."),
        ConfigOption("execution.checkpointing.cleaner.parallel-mode", .boolean, default: "true", "Whether old checkpoints are deleted in parallel."),
        ConfigOption("execution.checkpointing.local-backup.enabled", .boolean, default: "false", "Whether state is kept in a local copy."),
        ConfigOption("execution.checkpointing.local-backup.dirs", .text, "Where."),
    ]

    static let engine: [ConfigOption] = [
        ConfigOption("parallelism.default", .int, default: "1", "The parallelism of jobs."),
        ConfigOption("pipeline.name", .text, "The name of the next job."),
        ConfigOption("pipeline.jars", .list, "Without meaning here: there is no JVM."),
        ConfigOption("pipeline.classpaths", .list, "Without meaning here: there is no JVM."),
        ConfigOption("pipeline.auto-generate-uids", .boolean, default: "true", "Whether operators without a uid get one."),
        ConfigOption("pipeline.auto-watermark-interval", .duration, default: "200 ms", "How often watermarks are emitted."),
        ConfigOption(
            "pipeline.closure-cleaner-level", .choice(["NONE", "TOP_LEVEL", "RECURSIVE"]), default: "RECURSIVE",
            "Without meaning here: there is no JVM."),
        ConfigOption("pipeline.force-avro", .boolean, default: "false", "Without meaning here: there is no JVM."),
        ConfigOption("pipeline.force-kryo", .boolean, default: "false", "Without meaning here: there is no JVM."),
        ConfigOption("pipeline.force-kryo-avro", .boolean, "Without meaning here: there is no JVM."),
        ConfigOption("pipeline.generic-types", .boolean, default: "true", "Without meaning here: there is no JVM."),
        ConfigOption("pipeline.global-job-parameters", .map, "What functions can read of the program's parameters."),
        ConfigOption("pipeline.jobvertex-parallelism-overrides", .map, "Parallelism of single operators."),
        ConfigOption(
            "pipeline.max-parallelism", .integer(-1...32_768), default: "-1", "The number of key groups; -1: 128, or what the parallelism needs."),
        ConfigOption(
            "pipeline.object-reuse", .boolean, default: "false", "Whether operators may hand on the same object; here columns are always shared."),
        ConfigOption("pipeline.serialization-config", .text, "Without meaning here: there is no JVM."),
        ConfigOption(
            "pipeline.operator-chaining.enabled", .boolean, default: "true", "Whether operators without an exchange between them call each other."),
        ConfigOption("pipeline.operator-chaining.chain-operators-with-different-max-parallelism", .boolean, default: "true", "Whether those too."),
        ConfigOption("pipeline.cached-files", .list, "Files for functions."),
        ConfigOption("pipeline.vertex-description-mode", .choice(["TREE", "CASCADING"]), default: "TREE", "How a chain is described."),
        ConfigOption("pipeline.vertex-name-include-index-prefix", .boolean, default: "false", "Whether tasks' names begin with their number."),
        ConfigOption(
            "pipeline.watermark-alignment.allow-unaligned-source-splits", .boolean, default: "false",
            "Whether splits that cannot pause may run ahead."),
        ConfigOption("pipeline.watermark-alignment.buffer-size", .positive, default: "3", "How many batches a paused split keeps."),
        ConfigOption("pipeline.sources.pause-until-first-checkpoint", .boolean, default: "false", "Whether sources wait for the first checkpoint."),
        ConfigOption(
            "restart-strategy.type",
            .choice(["none", "off", "disable", "fixed-delay", "fixeddelay", "failure-rate", "failurerate", "exponential-delay", "exponentialdelay"]),
            "How a failed job restarts."),
        ConfigOption("restart-strategy.fixed-delay.attempts", .count, default: "1", "How often."),
        ConfigOption("restart-strategy.fixed-delay.delay", .duration, default: "1 s", "After how long."),
        ConfigOption("restart-strategy.failure-rate.max-failures-per-interval", .count, default: "1", "How many failures an interval may have."),
        ConfigOption("restart-strategy.failure-rate.failure-rate-interval", .duration, default: "1 min", "How long that interval is."),
        ConfigOption("restart-strategy.failure-rate.delay", .duration, default: "1 s", "After how long it restarts."),
        ConfigOption("restart-strategy.exponential-delay.initial-backoff", .duration, default: "1 s", "The first delay."),
        ConfigOption("restart-strategy.exponential-delay.max-backoff", .duration, default: "1 min", "The longest delay."),
        ConfigOption(
            "restart-strategy.exponential-delay.backoff-multiplier", .double(1...Double.infinity), default: "1.5", "By what each delay is longer."),
        ConfigOption(
            "restart-strategy.exponential-delay.reset-backoff-threshold", .duration, default: "1 h",
            "After how long without failure the first delay counts again."),
        ConfigOption("restart-strategy.exponential-delay.jitter-factor", .fraction, default: "0.1", "How much of a delay is chance."),
        ConfigOption("restart-strategy.exponential-delay.attempts-before-reset-backoff", .count, "How often; unset: without bound."),
        ConfigOption("state.backend.type", .text, default: "hashmap", "Where state is kept while a job runs: hashmap or rocksdb."),
        ConfigOption("state.latency-track.keyed-state-enabled", .boolean, default: "false", "Whether access to state is timed."),
        ConfigOption("state.latency-track.sample-interval", .positive, default: "100", "Which share of it: one of so many."),
        ConfigOption("state.latency-track.history-size", .positive, default: "128", "How many times are kept."),
        ConfigOption("state.latency-track.state-name-as-variable", .boolean, default: "true", "Whether they are kept for each state."),
        ConfigOption("state.changelog.storage", .text, default: "memory", "Where that log is kept."),
        ConfigOption("state.changelog.max-failures-allowed", .positive, default: "3", "How often writing it may fail."),
        ConfigOption("state.changelog.periodic-materialize.enabled", .boolean, default: "true", "Whether state itself is written now and then."),
        ConfigOption("state.changelog.periodic-materialize.interval", .duration, default: "10 min", "How often."),
        ConfigOption("state.changelog.enabled", .boolean, default: "false", "Whether changes of state are written as a log."),
        ConfigOption(
            "sql-client.execution.result-mode", .choice(["table", "changelog", "tableau"]), default: "table", "How the command line shows results."),
        ConfigOption("sql-client.execution.max-table-result.rows", .int, default: "1000000", "How many rows the view of a table keeps."),
        ConfigOption("sql-client.display.max-column-width", .positive, default: "30", "The former name of table.display.max-column-width."),
        ConfigOption("sql-client.display.print-time-cost", .boolean, default: "true", "Whether the command line says how long a query took."),
        ConfigOption("sql-client.display.color-schema", .text, default: "DEFAULT", "Colours of the command line."),
        ConfigOption("sql-client.verbose", .boolean, default: "false", "Whether errors are shown with all causes."),
        ConfigOption("millstream.workers", .integer(1...1_024), "How many threads run tasks; unset: one a core."),
        ConfigOption("millstream.batch.rows", .integer(1...1_048_576), "How many rows a batch has at most."),
        ConfigOption("millstream.exchange.memory", .byteCount, "How many bytes wait between two tasks at most."),
        ConfigOption("millstream.seed", .integer(Int64.min...Int64.max), "Where random numbers begin."),
        ConfigOption("millstream.event-time.stall-warning", .duration, "After how long without a watermark the log says so."),
    ]
}
