import Columnar

/// A source by its description; `Connectors` makes the real one.
public struct SourceDescription: Sendable {
    public enum Kind: Sendable {
        /// Integers `first ... last`, BIGINT, split over the subtasks.
        case sequence(first: Int64, last: Int64)
        /// Rows made by rules.
        case generator(GeneratorDescription)
        case files(FileSourceDescription)
        /// Rows by rules per column: SQL's datagen.
        case datagen(DatagenDescription)
        /// The events of the Nexmark benchmark.
        case nexmark(NexmarkDescription)
        /// Rows that the plan itself holds.
        case values(ValuesDescription)
        case socketText(host: String, port: Int, delimiter: UInt8, maxRetries: Int)
        /// Arrow batches from a stream that the program binds; read once, in one subtask.
        case arrow(BindingID)
        /// A host's `read` function, in one subtask.
        case host(BindingID, isBounded: Bool)
        /// A source that the program binds (written in Swift).
        case custom(BindingID)
    }
    public var kind: Kind
    public var watermarks: WatermarkDescription?

    public init(_ kind: Kind, watermarks: WatermarkDescription? = nil) {
        self.kind = kind
        self.watermarks = watermarks
    }
}

public struct GeneratorDescription: Sendable {
    /// The rows' columns, as expressions over one BIGINT column (position 0): the row's number.
    public var columns: [Expression]
    /// nil: without end.
    public var count: Int64?
    /// Over all subtasks; nil: as fast as it goes.
    public var rowsPerSecond: Double?

    public init(columns: [Expression], count: Int64?, rowsPerSecond: Double?) {
        self.columns = columns
        self.count = count
        self.rowsPerSecond = rowsPerSecond
    }
}

public struct FileSourceDescription: Sendable {
    public enum Format: Sendable {
        /// One STRING column, a row per line.
        case text
        case csv(CSVOptions)
        /// A JSON object a line.
        case json(JSONOptions)
        /// A change of a table a line; the rows have row kinds.
        case changelog(ChangelogOptions)
        /// One column, whose bytes are the line.
        case raw(RawOptions)

        public static var jsonLines: Format { .json(JSONOptions()) }
    }
    /// Files, directories (read recursively; names that start with `.` or `_` are left out) and globs.
    public var paths: [String]
    public var format: Format
    /// All columns that the file has, with their types; a projection picks from them.
    public var fileSchema: Schema
    /// Positions in `fileSchema`; nil: all.
    public var projection: [Int]?
    /// Columns of the path and the file's attributes; they come behind the projected ones.
    public var pathColumns: [PathColumn] = []
    /// Names of the folders `key=value` that a table is divided into, outermost first. Files that are not in such folders are left out.
    public var partitionKeys: [String] = []
    /// The value that stands for NULL in a folder's name.
    public var defaultPartitionName = "__DEFAULT_PARTITION__"
    /// Only these partitions are read: for each of them a value (or nil for NULL) per key. nil: all.
    public var partitions: [[String?]]?
    /// What becomes of records that do not decode.
    public enum Malformed: Sendable {
        case fail
        /// They are left out and counted.
        case skip
        /// Flink's ignore-parse-errors: a field that does not decode is NULL, a record whose form is broken is left out; both are counted.
        case ignore
        /// They are counted, and go to the node's output of dead letters, in rows of Connectors' `FileSource.deadLetterSchema`.
        case deadLetter
    }
    public var malformed: Malformed
    /// nil: read once. Otherwise look for new files this often, without end.
    public var monitorMilliseconds: Int64?

    public init(paths: [String], format: Format, fileSchema: Schema) {
        self.paths = paths
        self.format = format
        self.fileSchema = fileSchema
        malformed = .fail
    }
}

/// A sink by its description.
public struct SinkDescription: Sendable {
    public enum Kind: Sendable {
        /// Standard output, `prefix> ` before each row where there is one; standard error if asked.
        case print(prefix: String?, standardError: Bool)
        /// The same for tables: `+I[1, a]`, with the text that Flink's SQL prints for values.
        case printTable(prefix: String?, standardError: Bool)
        case files(FileSinkDescription)
        /// Batches that the program takes from the job's result while it runs; bounded.
        case collect
        /// Takes rows and drops them.
        case blackhole
        /// A host's `write` and `flush`.
        case host(BindingID)
        /// A sink that the program binds (written in Swift).
        case custom(BindingID)
    }
    public var kind: Kind
    public init(_ kind: Kind) { self.kind = kind }
}

public struct FileSinkDescription: Sendable {
    public enum Format: Sendable {
        /// One line per row, as it is printed: a value's text, `(a,b)` for a tuple, `+I[a, b]` for a row.
        case text
        case csv(CSVOptions)
        case json(JSONOptions)
        /// A change a line; takes all row kinds.
        case changelog(ChangelogOptions)
        case raw(RawOptions)

        public static var jsonLines: Format { .json(JSONOptions()) }
    }
    public var directory: String
    public var format: Format
    /// Rolls a file that is at least so large, so old, or so long without rows (milliseconds).
    public var rollByteCount: Int64
    public var rollAgeMilliseconds: Int64
    public var rollInactivityMilliseconds: Int64
    public var prefix: String
    public var suffix: String
    /// One folder per value of an expression of type STRING; nil: the directory itself.
    public var bucket: Expression?
    /// Or a folder by the time at which a row is written: a pattern of Java's, e.g. `yyyy-MM-dd--HH`.
    public var timeFolders: String?
    /// Whether that time is UTC, or that of this machine.
    public var timeFoldersAreUTC = false
    /// Or folders `key=value` for the values of these columns (positions in the input), outermost first; the columns are not in the files then.
    public var partitionColumns: [Int] = []
    /// The folder's value for NULL and for an empty text.
    public var defaultPartitionName = "__DEFAULT_PARTITION__"
    /// INSERT OVERWRITE: what lies in a folder when the job commits its files goes. Of a bounded job only.
    public var overwrites = false
    /// With `overwrites`: the folder that is emptied even where no row comes, relative to the directory ("" is the directory itself); nil: none.
    public var overwrittenFolder: String?
    /// When and how a partition is said to be complete; nil: never.
    public var partitionCommit: PartitionCommitDescription?

    /// Flink's defaults: 128 MiB, 60 s, 60 s.
    public init(directory: String, format: Format) {
        self.directory = directory
        self.format = format
        rollByteCount = 128 << 20
        rollAgeMilliseconds = 60_000
        rollInactivityMilliseconds = 60_000
        prefix = "part"
        suffix = ""
    }
}

/// What holds for the whole job unless an operator says otherwise.
public struct JobConfiguration: Hashable, Sendable {
    public enum Mode: Int32, Sendable { case streaming = 0, batch = 1, automatic = 2 }

    public var parallelism: Int
    public var maxParallelism: Int?
    /// How long a row may wait for its batch to fill. 0: every batch goes on at once.
    public var bufferTimeoutMilliseconds: Int64
    /// The bound of one exchange, over all its channels.
    public var exchangeByteCount: Int
    public var batchRowCountLimit: Int
    /// nil: as many as the machine has cores.
    public var workerCount: Int?
    public var isChainingEnabled: Bool
    /// "pipeline.auto-watermark-interval": by how much of event time a watermark advances before it is emitted anew.
    public var watermarkIntervalMilliseconds: Int64
    public var mode: Mode
    /// After so long without progress of event time, while rows come, the job says why, in one line. 0: never.
    public var stallWarningMilliseconds: Int64
    /// nil: a job's randomness (shuffle) is seeded by the runtime's own.
    public var seed: UInt64?
    public var checkpoints = CheckpointConfiguration()
    public var restart = RestartConfiguration()
    public var state = StateBackendConfiguration()
    /// What expressions see of the session.
    public var session = SessionSettings()

    public init() {
        parallelism = 1
        bufferTimeoutMilliseconds = 100
        exchangeByteCount = 4 << 20
        batchRowCountLimit = 4096
        isChainingEnabled = true
        watermarkIntervalMilliseconds = 200
        mode = .streaming
        stallWarningMilliseconds = 60_000
    }
}
