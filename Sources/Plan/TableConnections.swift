// What tables are made of besides files' content: parts of paths, rows by rules, the events of a benchmark.
import Columnar

/// A column whose value is the same for all rows of a file.
public enum PathColumn: Hashable, Sendable {
    /// The value of a folder `key=value`. Any type that text can be cast to.
    case partition(key: String, type: DataType)
    /// The whole path, STRING NOT NULL.
    case filePath
    /// The last part of it, STRING NOT NULL.
    case fileName
    /// Bytes, BIGINT NOT NULL.
    case fileSize
    /// TIMESTAMP_LTZ(3) NOT NULL.
    case modificationTime

    public var type: DataType {
        switch self {
        case .partition(_, let type): type
        case .filePath, .fileName: .string.notNull
        case .fileSize: .bigInt.notNull
        case .modificationTime: DataType(.timestampLTZ(3), isNullable: false)
        }
    }
}

/// When a partition is complete, and what says so.
public struct PartitionCommitDescription: Hashable, Sendable {
    public enum Trigger: Hashable, Sendable {
        /// So long after the partition's first row, by the clock.
        case processTime
        /// When the watermark is so far behind the partition's own time.
        case partitionTime
    }
    public var trigger: Trigger
    public var delayMilliseconds: Int64
    /// The empty file that is written into the folder.
    public var successFileName: String
    /// With `partitionTime`: the time in the folders' values, `$key` standing for one of them, e.g. `$dt $hour:00:00`; nil: the first key's value.
    public var timePattern: String?

    public init(trigger: Trigger = .processTime, delayMilliseconds: Int64 = 0, successFileName: String = "_SUCCESS", timePattern: String? = nil) {
        self.trigger = trigger
        self.delayMilliseconds = delayMilliseconds
        self.successFileName = successFileName
        self.timePattern = timePattern
    }
}

/// Rows made column by column.
public struct DatagenDescription: Sendable {
    /// One rule per column of the schema.
    public var columns: [DatagenColumn]
    /// nil: without end, unless a sequence has one.
    public var count: Int64?
    /// Over all subtasks; nil: as fast as it goes. Flink's default is 10,000.
    public var rowsPerSecond: Double?
    /// The same seed gives the same rows; nil: one by chance.
    public var seed: UInt64?

    public init(columns: [DatagenColumn], count: Int64? = nil, rowsPerSecond: Double? = 10_000, seed: UInt64? = nil) {
        self.columns = columns
        self.count = count
        self.rowsPerSecond = rowsPerSecond
        self.seed = seed
    }
}

/// How the values of one column, or of one part of a nested column, are made.
public struct DatagenColumn: Sendable {
    public enum Rule: Sendable {
        /// `first ... last`, one after the other over all subtasks; the source ends with the shortest sequence. Numbers and text.
        case sequence(first: Int64, last: Int64)
        /// Uniform over the type's range, or a part of it.
        case random
    }
    public var rule: Rule
    /// Of numbers: the bounds, both included, in the type's own form (`.int64`, `.double`, `.decimal` with the type's scale); nil: the type's own.
    public var minimum: Scalar?
    public var maximum: Scalar?
    /// Of text in characters, of bytes, or of a collection in elements. nil: the type's own, 100 for STRING and BYTES, 3 for collections.
    public var length: Int?
    /// Texts and bytes of any length from 1 up to that.
    public var variesLength = false
    /// Timestamps lie up to so many milliseconds before now.
    public var maxPastMilliseconds: Int64 = 0
    /// The share of nulls, 0 to 1.
    public var nullRate = 0.0
    /// The rules of a nested type's parts: element; key and value; element of a MULTISET; the fields of a ROW. Empty: `random` for all.
    public var parts: [DatagenColumn] = []

    public init(_ rule: Rule = .random) { self.rule = rule }
}

/// The events of the Nexmark benchmark: persons, auctions and bids, each determined by its number.
public struct NexmarkDescription: Sendable {
    /// nil: without end.
    public var count: Int64?
    /// By the clock, over all subtasks; nil: as fast as it goes.
    public var rowsPerSecond: Double?
    /// Event time: event n is at `firstTime + n / eventsPerSecond`.
    public var firstTimeMilliseconds: Int64
    public var eventsPerSecond: Double
    public var personProportion = 1
    public var auctionProportion = 3
    public var bidProportion = 46
    /// What `extra` fills the rows to, in bytes.
    public var personByteCount = 200
    public var auctionByteCount = 500
    public var bidByteCount = 100
    /// 1 - 1 / ratio of the events go to the hot one.
    public var hotAuctionRatio = 2
    public var hotSellerRatio = 4
    public var hotBidderRatio = 4
    public var activePersonCount = 1_000
    public var auctionsInFlight = 100
    /// Of `event_type`, `person`, `auction`, `bid`: those that are made; the others are not in the rows.
    public var columns = [0, 1, 2, 3]
    public var seed: UInt64 = 0

    public init(count: Int64?, firstTimeMilliseconds: Int64, eventsPerSecond: Double = 10_000, rowsPerSecond: Double? = nil) {
        self.count = count
        self.firstTimeMilliseconds = firstTimeMilliseconds
        self.eventsPerSecond = eventsPerSecond
        self.rowsPerSecond = rowsPerSecond
    }
}

extension NexmarkDescription {
    /// The columns of the events, in order.
    public static let schema: Schema = {
        let time = DataType(.timestamp(3))
        let person = [
            Field("id", .bigInt), Field("name", .string), Field("emailAddress", .string), Field("creditCard", .string), Field("city", .string),
            Field("state", .string), Field("dateTime", time), Field("extra", .string),
        ]
        let auction = [
            Field("id", .bigInt), Field("itemName", .string), Field("description", .string), Field("initialBid", .bigInt), Field("reserve", .bigInt),
            Field("dateTime", time), Field("expires", time), Field("seller", .bigInt), Field("category", .bigInt), Field("extra", .string),
        ]
        let bid = [
            Field("auction", .bigInt), Field("bidder", .bigInt), Field("price", .bigInt), Field("channel", .string), Field("url", .string),
            Field("dateTime", time), Field("extra", .string),
        ]
        return Schema([
            Field("event_type", .int), Field("person", DataType(.row(person))), Field("auction", DataType(.row(auction))),
            Field("bid", DataType(.row(bid))),
        ])
    }()
}

/// Rows that the plan itself holds: VALUES, and rows that a program hands over.
public struct ValuesDescription: Sendable {
    /// Each of the source's schema, in order; with row kinds where it is a changelog.
    public var batches: [Batch]

    public init(_ batches: [Batch]) { self.batches = batches }
}
