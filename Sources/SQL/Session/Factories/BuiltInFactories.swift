import Columnar

extension FactoryRegistry {
    /// The connectors and formats that come with the engine.
    public static let builtIn: FactoryRegistry = {
        var registry = FactoryRegistry()
        for connector in Connectors.all { registry.register(connector) }
        for format in Formats.all { registry.register(format) }
        return registry
    }()
}

/// The connectors, as data.
enum Connectors {
    static let all = [filesystem, datagen, print, blackhole, socket, nexmark, sqlite, arrow]

    static let filesystem = ConnectorDescription(
        "filesystem", [.scan, .sink, .overwrite, .partitions], format: .required,
        required: [ConfigOption("path", .text, "A file, a folder, or a pattern of paths.")],
        optional: [
            ConfigOption(
                "partition.default-name", .text, default: "__DEFAULT_PARTITION__", "The folder of a partition whose value is NULL or empty."),
            ConfigOption("source.monitor-interval", .duration, "How often new files are looked for; unset: once, and the source ends."),
            ConfigOption("source.path.regex-pattern", .text, "Which paths are read."),
            ConfigOption(
                "source.report-statistics", .choice(["NONE", "ALL"]), default: "ALL", "Whether the sizes of files are looked at for plans."),
            ConfigOption("sink.rolling-policy.file-size", .byteCount, default: "128 mb", "From which size on a new file begins."),
            ConfigOption("sink.rolling-policy.rollover-interval", .duration, default: "30 min", "After how long a new file begins."),
            ConfigOption("sink.rolling-policy.inactivity-interval", .duration, default: "30 min", "After how long without rows a file ends."),
            ConfigOption("sink.rolling-policy.check-interval", .duration, default: "1 min", "How often that is looked at."),
            ConfigOption(
                "sink.shuffle-by-partition.enable", .boolean, default: "false", "Whether rows are dealt out by partition before they are written."),
            ConfigOption(
                "sink.partition-commit.trigger", .choice(["process-time", "partition-time"]), default: "process-time",
                "What says that a partition is complete."),
            ConfigOption("sink.partition-commit.delay", .duration, default: "0 ms", "How long after that time."),
            ConfigOption("sink.partition-commit.watermark-time-zone", .timeZone, default: "UTC", "The zone of the partitions' times."),
            ConfigOption("sink.partition-commit.policy.kind", .text, "What is done with a complete partition: success-file, metastore, custom."),
            ConfigOption("sink.partition-commit.policy.class", .text, "A policy of the program's own."),
            ConfigOption("sink.partition-commit.policy.class.parameters", .list, "Its arguments."),
            ConfigOption("sink.partition-commit.success-file.name", .text, default: "_SUCCESS", "The file that marks a complete partition."),
            ConfigOption("partition.time-extractor.kind", .choice(["default", "custom"]), default: "default", "How a partition's time is found."),
            ConfigOption("partition.time-extractor.class", .text, "A way of the program's own."),
            ConfigOption("partition.time-extractor.timestamp-pattern", .text, "The time, with '$column' for the values of partition columns."),
            ConfigOption("partition.time-extractor.timestamp-formatter", .text, default: "yyyy-MM-dd HH:mm:ss", "The form of that time."),
            ConfigOption("auto-compaction", .boolean, default: "false", "Whether small files are joined."),
            ConfigOption("compaction.file-size", .byteCount, "Up to which size; unset: that of the rolling policy."),
            ConfigOption("compaction.parallelism", .positive, "The parallelism of joining."),
        ],
        metadata: [
            MetadataKey("file.path", DataType.string.notNull), MetadataKey("file.name", DataType.string.notNull),
            MetadataKey("file.size", DataType.bigInt.notNull),
            MetadataKey("file.modification-time", DataType(.timestampLTZ(3)).notNull),
        ])

    static let datagen = ConnectorDescription(
        "datagen", [.scan],
        optional: [
            ConfigOption("rows-per-second", .integer(1...Int64.max), default: "10000", "How many rows a second."),
            ConfigOption("number-of-rows", .count, "How many rows; unset: without end."),
        ],
        ofColumns: [
            ConfigOption("fields.#.kind", .choice(["random", "sequence"]), default: "random", "How the column's values are made."),
            ConfigOption("fields.#.min", .double(-Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude), "The least random value."),
            ConfigOption("fields.#.max", .double(-Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude), "The greatest random value."),
            ConfigOption("fields.#.max-past", .duration, default: "0 ms", "How long ago a random time is at most."),
            ConfigOption("fields.#.length", .integer(0...Int64(Int32.max)), "The length of random text, bytes and collections."),
            ConfigOption("fields.#.var-len", .boolean, default: "false", "Whether lengths are random too."),
            ConfigOption("fields.#.start", .integer(Int64.min...Int64.max), "The first value of a sequence."),
            ConfigOption("fields.#.end", .integer(Int64.min...Int64.max), "The last value of a sequence."),
            ConfigOption("fields.#.null-rate", .fraction, default: "0", "The share of NULLs."),
        ],
        checks: { (description, _) throws(MillstreamError) in
            for (key, _) in description.options.texts
            where key.hasPrefix("fields.") && key.hasSuffix(".kind") && description.options.text(key) == "sequence" {
                let column = key.dropLast(".kind".count)
                for bound in ["start", "end"] where description.options.integer("\(column).\(bound)") == nil {
                    throw MillstreamError(
                        .configuration, "with '\(key)' = 'sequence' a sequence needs the option '\(column).\(bound)'",
                        hint: "Its first and last value are 'start' and 'end'.")
                }
            }
        })

    static let print = ConnectorDescription(
        "print", [.sink, .partitions],
        optional: [
            ConfigOption("print-identifier", .text, "What each line begins with."),
            ConfigOption("standard-error", .boolean, default: "false", "Whether to standard error."),
        ],
        sinkMode: .all)

    static let blackhole = ConnectorDescription("blackhole", [.sink, .partitions], sinkMode: .all)

    static let socket = ConnectorDescription(
        "socket", [.scan], format: .required,
        required: [
            ConfigOption("hostname", .text, "The host to connect to."),
            ConfigOption("port", .integer(1...65_535), "Its port."),
        ],
        optional: [
            ConfigOption("byte-delimiter", .integer(0...255), default: "10", "The byte between two messages."),
            ConfigOption("max-retries", .integer(0...Int64(Int32.max)), default: "0", "How often a lost connection is made again."),
        ])

    private static let positive = OptionType.integer(1...Int64(Int32.max))
    static let nexmark = ConnectorDescription(
        "nexmark", [.scan],
        optional: [
            ConfigOption("events.num", .integer(1...Int64.max), "How many events; unset: without end."),
            ConfigOption("rows-per-second", .double(0.001...1e12), "How many events a second; unset: as fast as it goes."),
            ConfigOption("first-event.rate", .double(0.001...1e12), default: "10000", "How many events a second of event time."),
            ConfigOption(
                "base-time", .integer(0...253_402_300_799_000), default: "1436918400000",
                "The event time of the first event, in milliseconds since 1970."),
            ConfigOption("person.proportion", .integer(0...1_000_000), default: "1", "How many of the events are persons."),
            ConfigOption("auction.proportion", .integer(0...1_000_000), default: "3", "How many are auctions."),
            ConfigOption("bid.proportion", .integer(0...1_000_000), default: "46", "How many are bids."),
            ConfigOption("person.avg-size", positive, default: "200", "Bytes of a person."),
            ConfigOption("auction.avg-size", positive, default: "500", "Bytes of an auction."),
            ConfigOption("bid.avg-size", positive, default: "100", "Bytes of a bid."),
            ConfigOption("bid.hot-ratio.auctions", positive, default: "2", "All but one of so many bids go to the hot auction."),
            ConfigOption("auction.hot-ratio.sellers", positive, default: "4", "All but one of so many auctions are the hot seller's."),
            ConfigOption("bid.hot-ratio.bidders", positive, default: "4", "All but one of so many bids are the hot bidder's."),
            ConfigOption("person.active-num", positive, default: "1000", "How many persons are active."),
            ConfigOption("auction.in-flight", positive, default: "100", "How many auctions are open."),
            ConfigOption("seed", .count, default: "0", "Where random numbers begin."),
        ])

    static let sqlite = ConnectorDescription(
        "sqlite", [.scan, .lookup, .sink, .delete, .truncate],
        required: [
            ConfigOption("path", .text, "The database's file."),
            ConfigOption("table-name", .text, "The table in it."),
        ],
        optional: [
            ConfigOption("scan.fetch-size", positive, default: "4096", "How many rows are read at once."),
            ConfigOption("lookup.cache", .choice(["NONE", "PARTIAL"]), default: "NONE", "Whether rows that were looked up are kept."),
            ConfigOption("lookup.partial-cache.max-rows", positive, "How many keys are kept."),
            ConfigOption("lookup.partial-cache.expire-after-write", .duration, "How long after they were read."),
            ConfigOption("lookup.partial-cache.expire-after-access", .duration, "How long after they were last asked for."),
            ConfigOption("lookup.partial-cache.cache-missing-key", .boolean, default: "true", "Whether it is kept that a key has no row."),
            ConfigOption("lookup.max-retries", .integer(0...Int64(Int32.max)), default: "3", "How often a failed lookup is repeated."),
            ConfigOption(
                "sink.buffer-flush.max-rows", .integer(0...Int64(Int32.max)), default: "4096", "How many rows are written in one transaction."),
            ConfigOption("sink.buffer-flush.interval", .duration, default: "1 s", "After how long a transaction ends."),
            ConfigOption("sink.max-retries", .integer(0...Int64(Int32.max)), default: "3", "How often a failed transaction is repeated."),
        ],
        upsertsByPrimaryKey: true)

    static let arrow = ConnectorDescription(
        "arrow", [.scan],
        required: [ConfigOption("object", .text, "The name under which the program registered a table, frame or reader.")])
}
