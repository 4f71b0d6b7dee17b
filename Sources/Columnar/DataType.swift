/// A logical type of Flink SQL's type system, with its nullability.
///
/// The physical layout that each kind has in memory is Arrow's; `layout` names it.
public struct DataType: Hashable, Sendable {
    public var kind: Kind
    public var isNullable: Bool

    public init(_ kind: Kind, isNullable: Bool = true) {
        self.kind = kind
        self.isNullable = isNullable
    }

    public indirect enum Kind: Hashable, Sendable {
        /// The type of a literal NULL; every value is null.
        case null
        case boolean
        case tinyInt
        case smallInt
        case int
        case bigInt
        case float
        case double
        /// 1 ≤ precision ≤ 38, 0 ≤ scale ≤ precision. Stored as Int128.
        case decimal(precision: Int, scale: Int)
        /// Length in code points, ≥ 1.
        case char(Int)
        /// Largest length in code points; `DataType.unboundedLength` is STRING.
        case varChar(Int)
        /// Length in bytes.
        case binary(Int)
        /// Largest length in bytes; `DataType.unboundedLength` is BYTES.
        case varBinary(Int)
        /// Days since 1970-01-01, Int32.
        case date
        /// Time of day; precision 0...9. Int32 seconds (0) or milliseconds (1...3), Int64 microseconds (4...6) or nanoseconds (7...9).
        case time(Int)
        /// Wall-clock time without a zone; Int64 in the unit of `TimeUnit(precision:)` since 1970-01-01 00:00:00.
        case timestamp(Int)
        /// An instant; Int64 in the unit of `TimeUnit(precision:)` since the epoch, UTC.
        case timestampLTZ(Int)
        /// INTERVAL YEAR TO MONTH: months, Int32.
        case intervalYearMonth
        /// INTERVAL DAY TO SECOND(p): a duration, Int64 in the unit of `TimeUnit(precision:)`.
        case intervalDayTime(Int)
        case array(DataType)
        /// Keys are never null.
        case map(key: DataType, value: DataType)
        /// A bag: a map from element to its count (INT).
        case multiset(DataType)
        case row([Field])
        /// A ROW of a named class: STRUCTURED<'class', field type, ...>. Laid out as a ROW.
        case structured(String, [Field])
        /// A value that carries its own type, as JSON's do. A view of Parquet's Variant encoding: the metadata, then the value.
        case variant
        /// A set of 32-bit numbers: a view of Roaring's portable serialized form.
        case bitmap
        /// Bytes of a named serialized class.
        case raw(String)
        /// A handle to a value of the host language.
        case object
    }

    /// The length of STRING and BYTES.
    public static let unboundedLength = Int(Int32.max)

    public static let null = DataType(.null)
    public static let boolean = DataType(.boolean)
    public static let tinyInt = DataType(.tinyInt)
    public static let smallInt = DataType(.smallInt)
    public static let int = DataType(.int)
    public static let bigInt = DataType(.bigInt)
    public static let float = DataType(.float)
    public static let double = DataType(.double)
    public static let string = DataType(.varChar(unboundedLength))
    public static let bytes = DataType(.varBinary(unboundedLength))
    public static let date = DataType(.date)
    public static let object = DataType(.object)

    /// The same type that refuses nulls.
    public var notNull: DataType { DataType(kind, isNullable: false) }
    /// The same type that takes nulls.
    public var nullable: DataType { DataType(kind, isNullable: true) }
}

/// A named column of a schema or a named field of a ROW.
public struct Field: Hashable, Sendable {
    public var name: String
    public var type: DataType

    public init(_ name: String, _ type: DataType) {
        self.name = name
        self.type = type
    }
}

/// The unit of a time, timestamp or duration column, which follows from its precision.
public enum TimeUnit: Int64, Sendable {
    case second = 1
    case millisecond = 1_000
    case microsecond = 1_000_000
    case nanosecond = 1_000_000_000

    /// The coarsest unit that holds `precision` fractional digits (0...9).
    public init(precision: Int) {
        switch precision {
        case ...0: self = .second
        case 1...3: self = .millisecond
        case 4...6: self = .microsecond
        default: self = .nanosecond
        }
    }

    /// How many of this unit make a second.
    public var perSecond: Int64 { rawValue }
}

/// How a column's values lie in memory (Arrow's physical layouts).
public enum Layout: Hashable, Sendable {
    /// No buffers at all.
    case null
    /// One bit a value, least significant first.
    case bits
    /// `byteWidth` bytes a value: 1, 2, 4, 8 or 16.
    case fixed(byteWidth: Int)
    /// 16-byte views with shared data buffers.
    case views
    /// Int32 offsets (count + 1) over one child.
    case list
    /// Children of the same length.
    case row
    /// 8-byte handles of the host language.
    case handles
}

extension DataType {
    /// The physical layout of this type's columns.
    public var layout: Layout {
        switch kind {
        case .null: .null
        case .boolean: .bits
        case .tinyInt: .fixed(byteWidth: 1)
        case .smallInt: .fixed(byteWidth: 2)
        case .int, .float, .date, .intervalYearMonth: .fixed(byteWidth: 4)
        case .bigInt, .double, .timestamp, .timestampLTZ, .intervalDayTime: .fixed(byteWidth: 8)
        case .time(let precision): .fixed(byteWidth: precision <= 3 ? 4 : 8)
        case .decimal: .fixed(byteWidth: 16)
        case .char, .varChar, .binary, .varBinary, .raw, .variant, .bitmap: .views
        case .array, .map, .multiset: .list
        case .row, .structured: .row
        case .object: .handles
        }
    }

    /// Whether values are UTF-8 text.
    public var isText: Bool {
        switch kind {
        case .char, .varChar: true
        default: false
        }
    }
}

extension DataType: CustomStringConvertible {
    /// The type as Flink's `DESCRIBE` prints it, e.g. `DECIMAL(10, 2) NOT NULL`.
    public var description: String { kind.description + (isNullable ? "" : " NOT NULL") }
}

extension DataType.Kind: CustomStringConvertible {
    public var description: String {
        switch self {
        case .null: "NULL"
        case .boolean: "BOOLEAN"
        case .tinyInt: "TINYINT"
        case .smallInt: "SMALLINT"
        case .int: "INT"
        case .bigInt: "BIGINT"
        case .float: "FLOAT"
        case .double: "DOUBLE"
        case .decimal(let precision, let scale): "DECIMAL(\(precision), \(scale))"
        case .char(let length): "CHAR(\(length))"
        case .varChar(DataType.unboundedLength): "STRING"
        case .varChar(let length): "VARCHAR(\(length))"
        case .binary(let length): "BINARY(\(length))"
        case .varBinary(DataType.unboundedLength): "BYTES"
        case .varBinary(let length): "VARBINARY(\(length))"
        case .date: "DATE"
        case .time(let precision): "TIME(\(precision))"
        case .timestamp(let precision): "TIMESTAMP(\(precision))"
        case .timestampLTZ(let precision): "TIMESTAMP_LTZ(\(precision))"
        case .intervalYearMonth: "INTERVAL YEAR TO MONTH"
        case .intervalDayTime(let precision): "INTERVAL DAY TO SECOND(\(precision))"
        case .array(let element): "ARRAY<\(element)>"
        case .map(let key, let value): "MAP<\(key), \(value)>"
        case .multiset(let element): "MULTISET<\(element)>"
        case .row(let fields): "ROW<" + fields.map { "\(quoted($0.name, "`")) \($0.type)" }.joined(separator: ", ") + ">"
        case .structured(let name, let fields):
            "STRUCTURED<" + ([quoted(name, "'")] + fields.map { "\(quoted($0.name, "`")) \($0.type)" }).joined(separator: ", ") + ">"
        case .variant: "VARIANT"
        case .bitmap: "BITMAP"
        case .raw(let name): "RAW(\(quoted(name, "'")))"
        case .object: "OBJECT"
        }
    }

    /// A name in quotes, with the quotes inside doubled. By scalars: a quote with a combining mark behind it is still a quote.
    private func quoted(_ name: String, _ quote: Unicode.Scalar) -> String {
        var text = String.UnicodeScalarView([quote])
        for scalar in name.unicodeScalars {
            if scalar == quote { text.append(quote) }
            text.append(scalar)
        }
        text.append(quote)
        return String(text)
    }
}
