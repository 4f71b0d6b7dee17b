// The formats of files and messages, as data.
import Columnar

public struct CSVOptions: Hashable, Sendable {
    public var delimiter: UInt8
    /// nil: quotes have no meaning.
    public var quote: UInt8?
    public var escape: UInt8?
    /// The first line of each file names the columns: checked against the schema's names, and mapped by them.
    public var hasHeader: Bool
    /// A field with exactly this text is NULL.
    public var nullLiteral: String?
    /// Lines that start with this are skipped.
    public var comment: UInt8?
    /// A row may have fewer fields (the rest is NULL) or more (the rest is dropped) than the schema.
    public var allowsRaggedRows: Bool
    /// The two halves of that alone. Where fields that do not decode are NULL (`Malformed.ignore`), those that are missing are as well.
    public var allowsMissingFields = false
    public var allowsExtraFields = false
    /// A delimiter behind the last field is no field more.
    public var allowsTrailingDelimiter = false
    /// Blanks around a field do not belong to it.
    public var trimsSpaces = false
    /// What an empty field is in a column that is no text: NULL, or, as for Flink's SQL, no value.
    public var emptyIsNull = true
    /// An empty field is NULL in a column of text as well.
    public var emptyTextIsNull = false
    /// What stands between the elements of an ARRAY and the fields of a ROW; nil: they are JSON text.
    public var elementDelimiter: String?
    public var decimals = DecimalText.fullScale
    /// Texts as Flink's SQL has them. Timestamps are `yyyy-MM-dd HH:mm:ss[.fraction]`, with `Z` behind an instant, in no other form and with no more
    /// digits than they need; there are quotes also where there is a blank, and around long texts.
    public var followsFlink = false

    public init(delimiter: UInt8 = 0x2C, quote: UInt8? = 0x22, hasHeader: Bool = false, nullLiteral: String? = nil) {
        self.delimiter = delimiter
        self.quote = quote
        self.hasHeader = hasHeader
        self.nullLiteral = nullLiteral
        allowsRaggedRows = false
    }

    /// What Flink's SQL has where no option says otherwise.
    public static var table: CSVOptions {
        var options = CSVOptions()
        options.allowsTrailingDelimiter = true
        options.emptyIsNull = false
        options.elementDelimiter = ";"
        options.decimals = .scientific
        options.followsFlink = true
        return options
    }
}

/// How a DECIMAL becomes text.
public enum DecimalText: Hashable, Sendable {
    /// `1.500`: all digits of the type's scale.
    case fullScale
    /// `1.5`, `1E+2`: without zeros at the end, with an exponent where that leaves one (Java's `BigDecimal.toString`).
    case scientific
}

public struct JSONOptions: Hashable, Sendable {
    /// The form of timestamps ("timestamp-format.standard").
    public enum Timestamps: Hashable, Sendable {
        /// Reads both forms; writes a blank between day and time, and all digits of the type.
        case either
        /// `yyyy-MM-dd HH:mm:ss[.fraction]`, with `Z` behind an instant.
        case sql
        /// The same with `T` between day and time.
        case iso8601
    }
    /// What becomes of a NULL key of a map ("map-null-key.mode").
    public enum NullKeys: Hashable, Sendable {
        case fail
        /// The entry is left out.
        case drop
        case literal(String)
    }

    public var timestamps = Timestamps.either
    public var failsOnMissingField = false
    public var nullKeys = NullKeys.literal("null")
    public var decimals = DecimalText.fullScale
    /// Fields that are NULL are not written.
    public var omitsNullFields = false

    public init() {}

    /// What Flink's SQL has where no option says otherwise.
    public static var table: JSONOptions {
        var options = JSONOptions()
        options.timestamps = .sql
        options.nullKeys = .fail
        options.decimals = .scientific
        return options
    }
}

/// Changes of a table as JSON, in the form of a tool that reads a database's log.
public struct ChangelogOptions: Hashable, Sendable {
    public enum Kind: Hashable, Sendable { case debezium, canal, maxwell, ogg }

    public var kind: Kind
    public var json: JSONOptions
    /// Debezium: the change is under `payload`, beside its schema. Only for reading.
    public var hasSchema = false
    /// Canal: only changes of databases and tables with such names; nil: all. `.*` stands for any text, `|` between alternatives.
    public var databases: String?
    public var tables: String?

    public init(_ kind: Kind, json: JSONOptions = .table) {
        self.kind = kind
        self.json = json
    }
}

/// One value per line, its bytes as they are.
public struct RawOptions: Hashable, Sendable {
    public enum Charset: Hashable, Sendable { case utf8, ascii, latin1, utf16BigEndian, utf16LittleEndian }

    public var charset = Charset.utf8
    /// The order of a number's bytes.
    public var isBigEndian = true

    public init() {}
}
