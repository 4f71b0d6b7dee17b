import Columnar
import Plan

/// Formats as tables' options say them.
enum TableFormats {
    static func reading(_ format: FormatDescription) throws(MillstreamError) -> FileSourceDescription.Format {
        switch format.identifier {
        case "csv": return .csv(csv(format.options))
        case "json": return .json(json(format.options))
        case "raw": return .raw(raw(format.options))
        default:
            if let changelog = changelog(format) { return .changelog(changelog) }
            throw MillstreamError(.unsupported, "the format '\(format.identifier)' cannot be read here")
        }
    }

    static func writing(_ format: FormatDescription) throws(MillstreamError) -> FileSinkDescription.Format {
        switch format.identifier {
        case "csv": return .csv(csv(format.options))
        case "json": return .json(json(format.options))
        case "raw": return .raw(raw(format.options))
        default:
            if let changelog = changelog(format) { return .changelog(changelog) }
            throw MillstreamError(.unsupported, "the format '\(format.identifier)' cannot be written here")
        }
    }

    static func ignoresErrors(_ format: FormatDescription) -> Bool { format.options.boolean("ignore-parse-errors") ?? false }

    private static func csv(_ options: OptionValues) -> CSVOptions {
        var csv = CSVOptions.table
        if let delimiter = options.text("field-delimiter").flatMap(byte) { csv.delimiter = delimiter }
        if options.boolean("disable-quote-character") == true {
            csv.quote = nil
        } else if let quote = options.text("quote-character").flatMap(byte) {
            csv.quote = quote
        }
        csv.escape = options.text("escape-character").flatMap(byte)
        csv.nullLiteral = options.texts["null-literal"]
        if options.boolean("allow-comments") == true { csv.comment = UInt8(ascii: "#") }
        if let text = options.text("array-element-delimiter") { csv.elementDelimiter = text }
        if options.boolean("write-bigdecimal-in-scientific-notation") == false { csv.decimals = Plan.DecimalText.fullScale }
        return csv
    }

    /// The one byte of a delimiter; `\t` is a tab.
    private static func byte(_ text: String) -> UInt8? {
        if text == "\\t" { return 9 }
        let bytes = Array(text.utf8)
        return bytes.count == 1 ? bytes[0] : nil
    }

    static func json(_ options: OptionValues) -> JSONOptions {
        var json = JSONOptions.table
        json.failsOnMissingField = options.boolean("fail-on-missing-field") ?? false
        if options.text("timestamp-format.standard")?.uppercased() == "ISO-8601" { json.timestamps = .iso8601 }
        switch options.text("map-null-key.mode")?.uppercased() {
        case "DROP": json.nullKeys = .drop
        case "LITERAL": json.nullKeys = .literal(options.text("map-null-key.literal") ?? "null")
        default: json.nullKeys = .fail
        }
        if options.boolean("encode.decimal-as-plain-number") == true { json.decimals = Plan.DecimalText.fullScale }
        if options.boolean("encode.ignore-null-fields") == true { json.omitsNullFields = true }
        return json
    }

    private static func changelog(_ format: FormatDescription) -> ChangelogOptions? {
        let kind: ChangelogOptions.Kind
        switch format.identifier {
        case "debezium-json": kind = .debezium
        case "canal-json": kind = .canal
        case "maxwell-json": kind = .maxwell
        case "ogg-json": kind = .ogg
        default: return nil
        }
        var options = ChangelogOptions(kind, json: json(format.options))
        options.hasSchema = format.options.boolean("schema-include") ?? false
        options.databases = format.options.text("database.include")
        options.tables = format.options.text("table.include")
        return options
    }

    private static func raw(_ options: OptionValues) -> RawOptions {
        var raw = RawOptions()
        switch options.text("charset")?.uppercased() {
        case "US-ASCII", "ASCII": raw.charset = .ascii
        case "ISO-8859-1", "LATIN1": raw.charset = .latin1
        case "UTF-16", "UTF-16BE": raw.charset = .utf16BigEndian
        case "UTF-16LE": raw.charset = .utf16LittleEndian
        default: raw.charset = .utf8
        }
        if options.text("endianness")?.lowercased() == "little-endian" { raw.isBigEndian = false }
        return raw
    }
}
