import Columnar

/// The formats, as data.
enum Formats {
    static let all = [
        csv, json, raw,
        changelog(
            "debezium-json", debeziumMetadata, [ConfigOption("schema-include", .boolean, default: "false", "Whether a message holds its schema too.")]
        ),
        changelog(
            "canal-json", canalMetadata,
            [
                ConfigOption("database.include", .text, "A regular expression: only changes of such databases."),
                ConfigOption("table.include", .text, "A regular expression: only changes of such tables."),
            ]),
        changelog("maxwell-json", maxwellMetadata), changelog("ogg-json", oggMetadata), parquet, orc,
    ]

    static let csv = FormatFactory(
        "csv",
        optional: [
            ConfigOption("field-delimiter", .character, default: ",", "Between two fields."),
            ConfigOption("disable-quote-character", .boolean, default: "false", "Whether quotes mean nothing."),
            ConfigOption("quote-character", .character, default: "\"", "Around a field that holds delimiters."),
            ConfigOption("allow-comments", .boolean, default: "false", "Whether lines that begin with # are left out."),
            ConfigOption("ignore-parse-errors", .boolean, default: "false", "Whether fields that cannot be read are NULL, and rows left out."),
            ConfigOption("array-element-delimiter", .text, default: ";", "Between the elements of an array and the fields of a row."),
            ConfigOption("escape-character", .character, "Before a character that means itself."),
            ConfigOption("null-literal", .text, "The text that is NULL."),
            ConfigOption("write-bigdecimal-in-scientific-notation", .boolean, default: "true", "Whether decimals may be written with an exponent."),
            ConfigOption("trim-spaces", .boolean, default: "false", "Whether spaces around fields are left out."),
            ConfigOption("ignore-trailing-unmappable", .boolean, default: "false", "Whether fields behind the last column are left out."),
            ConfigOption("allow-trailing-comma", .boolean, default: "true", "Whether a delimiter may stand behind the last field."),
            ConfigOption("fail-on-missing-columns", .boolean, default: "false", "Whether a row with fewer fields is an error."),
            ConfigOption("empty-string-as-null", .boolean, default: "false", "Whether an empty field is NULL."),
        ],
        check: { (options, columns) throws(MillstreamError) in
            guard options.boolean("disable-quote-character") == true, options.texts["quote-character"] != nil else { return }
            throw MillstreamError(
                .configuration, "the options 'csv.quote-character' and 'csv.disable-quote-character' contradict each other",
                hint: "Leave one of them out.")
        })

    private static let reading = [
        ConfigOption("ignore-parse-errors", .boolean, default: "false", "Whether rows that cannot be read are left out.")
    ]
    private static let times = ConfigOption("timestamp-format.standard", .choice(["SQL", "ISO-8601"]), default: "SQL", "The form of times.")
    private static let writing = [
        ConfigOption("map-null-key.mode", .choice(["FAIL", "DROP", "LITERAL"]), default: "FAIL", "What becomes of a map's entry whose key is NULL."),
        ConfigOption("map-null-key.literal", .text, default: "null", "What stands for that key with LITERAL."),
        ConfigOption("encode.decimal-as-plain-number", .boolean, default: "false", "Whether decimals are written without an exponent."),
        ConfigOption("encode.ignore-null-fields", .boolean, default: "false", "Whether fields that are NULL are left out."),
    ]

    static let json = FormatFactory(
        "json",
        optional: reading + [times] + writing + [
            ConfigOption("fail-on-missing-field", .boolean, default: "false", "Whether a column without its field is an error; else it is NULL."),
            ConfigOption("decode.json-parser.enabled", .boolean, default: "true", "Without meaning here."),
        ],
        check: { (options, columns) throws(MillstreamError) in
            guard options.boolean("fail-on-missing-field") == true, options.boolean("ignore-parse-errors") == true else { return }
            throw MillstreamError(
                .configuration, "the options 'json.fail-on-missing-field' and 'json.ignore-parse-errors' contradict each other",
                hint: "Leave one of them out.")
        })

    static let raw = FormatFactory(
        "raw",
        optional: [
            ConfigOption("charset", .text, default: "UTF-8", "The encoding of text."),
            ConfigOption("endianness", .choice(["big-endian", "little-endian"]), default: "big-endian", "The order of a number's bytes."),
        ],
        check: { (options, columns) throws(MillstreamError) in
            let count = columns.filter(\.isPhysical).count
            guard count != 1 else { return }
            throw MillstreamError(.configuration, "the format 'raw' takes a table of one column; this one has \(count)")
        })

    /// The formats of change logs: a JSON object for each change.
    private static func changelog(_ identifier: String, _ metadata: [MetadataKey], _ more: [ConfigOption] = []) -> FormatFactory {
        FormatFactory(identifier, optional: reading + [times] + writing + more, decodes: .all, encodes: .all, metadata: metadata)
    }

    private static let instant = DataType(.timestampLTZ(3))
    private static let texts = DataType(.array(.string))
    private static let debeziumMetadata = [
        MetadataKey("schema", .string), MetadataKey("ingestion-timestamp", instant), MetadataKey("source.timestamp", instant),
        MetadataKey("source.database", .string), MetadataKey("source.schema", .string), MetadataKey("source.table", .string),
        MetadataKey("source.properties", DataType(.map(key: .string, value: .string))),
    ]
    private static let canalMetadata = [
        MetadataKey("database", .string), MetadataKey("table", .string), MetadataKey("sql-type", DataType(.map(key: .string, value: .int))),
        MetadataKey("pk-names", texts), MetadataKey("ingestion-timestamp", instant), MetadataKey("event-timestamp", instant),
    ]
    private static let maxwellMetadata = [
        MetadataKey("database", .string), MetadataKey("table", .string), MetadataKey("primary-key-columns", texts),
        MetadataKey("ingestion-timestamp", instant),
    ]
    private static let oggMetadata = [
        MetadataKey("table", .string), MetadataKey("primary-keys", texts), MetadataKey("ingestion-timestamp", instant),
        MetadataKey("event-timestamp", instant),
    ]

    static let parquet = FormatFactory(
        "parquet",
        optional: [
            ConfigOption("utc-timezone", .boolean, default: "false", "Whether times are in UTC rather than in the session's zone."),
            ConfigOption("timestamp.time.unit", .choice(["nanos", "micros", "millis"]), default: "micros", "The unit of times as numbers."),
            ConfigOption("write.int64.timestamp", .boolean, default: "false", "Whether times are written as numbers."),
            ConfigOption("batch-size", .positive, default: "2048", "How many rows are read at once."),
            ConfigOption(
                "compression", .choice(["UNCOMPRESSED", "SNAPPY", "GZIP", "LZ4", "ZSTD", "BROTLI"]), default: "SNAPPY", "How it is compressed."),
        ],
        acceptsOtherOptions: true)

    static let orc = FormatFactory("orc", acceptsOtherOptions: true)
}
